/* test_bench -- bridle-bench: its keys, values and histogram, its options, and the program against
 * a replica server that keeps what it is given, loses it, spoils it and refuses.
 */
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t/table_client.h"
#include "t/test_bench.h"

/* -- A replica server that keeps what it is given --------------------------------------------- */

#define KEPT_MAX 4096

static struct {
    struct rdsn_server *server;
    struct buf keys[KEPT_MAX], values[KEPT_MAX];
    int count, requests, removed;
    int refuse_at; /* the how-manieth request; 0: none */
    int mute;      /* so many requests are not answered */
    char *directory;
    pid_t child;
    int status;
    bool over;
    struct buf out, err;
} scene;

static int scene_find(br_bytes key)
{
    for (int i = 0; i < scene.count; i++)
        if (scene.keys[i].size == key.size && memcmp(scene.keys[i].data, key.data, key.size) == 0)
            return i;
    ck_assert_int_lt(scene.count, KEPT_MAX);
    buf_put(&scene.keys[scene.count], key.data, key.size);
    return scene.count++;
}

static void scene_put(const struct rdsn_incoming *incoming, struct arena *arena, struct buf *body)
{
    struct msg_rrdb_update_request request;
    struct msg_rrdb_update_response response;
    ck_assert_int_eq(
        wire_decode(&wire_rrdb_update_request, incoming->body, wire_arena(arena), &request, NULL),
        BR_OK);
    struct buf *value = &scene.values[scene_find(request.key)];
    buf_clear(value);
    buf_put(value, request.value.data, request.value.size);
    wire_init(&wire_rrdb_update_response, &response);
    response.app_id = incoming->header.app_id;
    response.partition_index = incoming->header.partition;
    response.decree = scene.requests;
    wire_encode(&wire_rrdb_update_response, &response, WIRE_PEER_25, body);
}

static void scene_remove(const struct rdsn_incoming *incoming, struct arena *arena,
                         struct buf *body)
{
    br_bytes key;
    struct msg_rrdb_update_response response;
    ck_assert_int_eq(wire_decode_value(WIRE_BLOB, incoming->body, wire_arena(arena), &key, NULL),
                     BR_OK);
    int at = scene_find(key);
    scene.removed += scene.values[at].size > 0;
    buf_clear(&scene.values[at]);
    wire_init(&wire_rrdb_update_response, &response);
    response.app_id = incoming->header.app_id;
    response.partition_index = incoming->header.partition;
    response.decree = scene.requests;
    wire_encode(&wire_rrdb_update_response, &response, WIRE_PEER_25, body);
}

static void scene_get(const struct rdsn_incoming *incoming, struct arena *arena, struct buf *body)
{
    br_bytes key;
    struct msg_rrdb_read_response response;
    ck_assert_int_eq(wire_decode_value(WIRE_BLOB, incoming->body, wire_arena(arena), &key, NULL),
                     BR_OK);
    wire_init(&wire_rrdb_read_response, &response);
    const struct buf *value = &scene.values[scene_find(key)];
    response.error = value->size > 0 ? 0 : 1; /* RocksDB's kNotFound */
    response.value = buf_bytes(value);
    response.app_id = incoming->header.app_id;
    response.partition_index = incoming->header.partition;
    wire_encode(&wire_rrdb_read_response, &response, WIRE_PEER_25, body);
}

static void scene_request(void *arg, struct rdsn_incoming *incoming)
{
    struct arena arena;
    struct buf body = { 0 };
    const char *name = incoming->header.rpc_name, *error = "ERR_OK";
    (void) arg;
    if (scene.mute > 0) {
        scene.mute--;
        rdsn_server_drop(incoming);
        return;
    }
    arena_init(&arena, 0);
    if (++scene.requests == scene.refuse_at)
        error = "ERR_ACL_DENY"; /* told at once */
    else if (strcmp(name, "RPC_RRDB_RRDB_PUT") == 0)
        scene_put(incoming, &arena, &body);
    else if (strcmp(name, "RPC_RRDB_RRDB_REMOVE") == 0)
        scene_remove(incoming, &arena, &body);
    else
        scene_get(incoming, &arena, &body);
    rdsn_server_reply(incoming, error, buf_bytes(&body));
    buf_done(&body);
    arena_done(&arena);
}

static void scene_setup(void)
{
    struct fail fail;
    stage_setup();
    memset(&scene, 0, sizeof scene);
    scene.directory = test_directory();
    scene.server = rdsn_server_new(
        stage.net.base, &(struct rdsn_server_options){ .request = scene_request }, &fail);
    ck_assert_msg(scene.server != NULL, "%s", fail.text);
    for (int i = 0; i < 8; i++)
        stage.primaries[i] = rdsn_server_address(scene.server);
}

static void scene_teardown(void)
{
    rdsn_server_free(scene.server);
    for (int i = 0; i < KEPT_MAX; i++) {
        buf_done(&scene.keys[i]);
        buf_done(&scene.values[i]);
    }
    buf_done(&scene.out);
    buf_done(&scene.err);
    free(scene.directory);
    stage_teardown();
}

/* -- The process ------------------------------------------------------------------------------ */

static void scene_output(const char *name, int fd)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s/%s", scene.directory, name);
    dup2(open(path.data, O_WRONLY | O_CREAT | O_TRUNC, 0600), fd);
}

static void scene_exec(const char *const *extra, int count)
{
    char *program = test_build("bridle-bench");
    const char *argv[32] = { program, "--meta", stage.metas[0].name };
    for (int i = 0; i < count; i++)
        argv[3 + i] = extra[i];
    scene_output("out", 1);
    scene_output("err", 2);
    execv(program, (char **) (uintptr_t) argv);
    _exit(99);
}

static void scene_on_child(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    (void) arg;
    if (waitpid(scene.child, &scene.status, WNOHANG) == scene.child)
        scene.over = true;
}

static void scene_read(const char *name, struct buf *buf)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s/%s", scene.directory, name);
    buf_clear(buf);
    ck_assert(test_read(path.data, buf));
    buf_done(&path);
}

static void scene_start(const char *const *extra, int count)
{
    scene.over = false;
    scene.child = fork();
    if (scene.child == 0)
        scene_exec(extra, count);
    ck_assert_int_gt(scene.child, 0);
}

/* Its exit status; what it said is in out and err. */
static int scene_end(void)
{
    struct event *child = evsignal_new(stage.net.base, SIGCHLD, scene_on_child, NULL);
    event_add(child, NULL);
    scene_on_child(0, 0, NULL); /* it may be over already */
    NET_UNTIL(&stage.net, scene.over);
    event_free(child);
    ck_assert(WIFEXITED(scene.status));
    scene_read("out", &scene.out);
    scene_read("err", &scene.err);
    return WEXITSTATUS(scene.status);
}

#define ARGUMENTS(...)                                                                             \
    (const char *const[]){ __VA_ARGS__ },                                                          \
        (int) (sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))
#define BENCH(...) (scene_start(ARGUMENTS(__VA_ARGS__)), scene_end())

static bool said(const char *text)
{
    return strstr(buf_string(&scene.out), text) != NULL;
}

static bool told(const char *text)
{
    return strstr(buf_string(&scene.err), text) != NULL;
}

/* What is said ends so. */
static void ends(const char *text)
{
    ck_assert_uint_ge(scene.out.size, strlen(text));
    ck_assert_str_eq(scene.out.data + scene.out.size - strlen(text), text);
}

/* -- The program ------------------------------------------------------------------------------ */

/* Two runs that know nothing of each other. */
START_TEST(test_fillseq_readrandom)
{
    static const char *const threads[] = { "1", "7", "4096" };
    ck_assert_int_eq(
        BENCH("--app_name", "temp", "-t", "fillseq_pegasus", "-n", "300", "--threads", threads[_i]),
        0);
    ck_assert_int_eq(scene.count, 300);
    ck_assert(said("Hashkeys:       16 bytes each\nSortkeys:       16 bytes each\n"
                   "Values:         100 bytes each\nEntries:        300\nFileSize:       0 MB"));
    ck_assert(said("Statistics for write:"));
    ck_assert(said("\nfillseq_pegasus :"));
    ck_assert_int_eq(BENCH("--app_name", "temp", "-t", "readrandom_pegasus", "-n", "300",
                           "--threads", threads[_i], "--verify"),
                     0);
    ck_assert_int_eq(scene.requests, 600);
    ck_assert(said("(300 of 300 as written)"));
    ends("(300 of 300 found)\n");
    ck_assert_uint_eq(scene.err.size, 0);
}
END_TEST

START_TEST(test_random_list)
{
    ck_assert_int_eq(BENCH("-n", "200", "--verify", "--seed", "0"), 0); /* the default list */
    ck_assert(said("(200 of 200 found)"));
    ck_assert_int_eq(scene.removed, 200);
    ck_assert_int_eq(BENCH("-n", "200", "-t", "fillrandom_pegasus", "--thread_num", "3"), 0);
    ck_assert_int_eq(scene.count, 200); /* 0 was 1000 */
    ck_assert_int_eq(BENCH("-n", "200", "-t", "readrandom_pegasus", "--keys", "random"), 0);
    ends("(200 of 200 found)\n");
    ck_assert_int_eq(BENCH("-n", "200", "-t", "readrandom_pegasus"), 0);
    ends("(0 of 200 found)\n");
    ck_assert_int_eq(
        BENCH("-n", "200", "-t", "readrandom_pegasus", "--keys", "random", "--seed", "1001"), 0);
    ends("(0 of 200 found)\n");
}
END_TEST

/* What is gone, and what is another value, is a failure with --verify only; 20 are told. */
START_TEST(test_verify)
{
    ck_assert_int_eq(BENCH("-n", "100", "-t", "fillseq_pegasus"), 0);
    for (int i = 0; i < 30; i++)
        if (_i == 0)
            buf_clear(&scene.values[i]);
        else
            scene.values[i].data[99] ^= 1;
    ck_assert_int_eq(BENCH("-n", "100", "-t", "readrandom_pegasus"), 0);
    ends(_i == 0 ? "(70 of 100 found)\n" : "(100 of 100 found)\n");
    ck_assert_int_eq(BENCH("-n", "100", "-t", "readrandom_pegasus,fillseq_pegasus", "--verify"), 1);
    ck_assert(said("(70 of 100 as written)"));
    ck_assert(!said("fillseq_pegasus")); /* nothing is run after it */
    ck_assert(told(_i == 0 ? "is not there" : "holds another value"));
    int lines = 0;
    for (const char *at = buf_string(&scene.err); (at = strchr(at, '\n')); at++)
        lines++;
    ck_assert_int_eq(lines, 20);
}
END_TEST

/* Another size or seed wrote another value. */
START_TEST(test_verify_options)
{
    ck_assert_int_eq(BENCH("-n", "10", "-t", "fillseq_pegasus", "--value_size", "50"), 0);
    ck_assert_int_eq(BENCH("-n", "10", "-t", "readrandom_pegasus", "--verify"), 1);
    ck_assert_int_eq(
        BENCH("-n", "10", "-t", "readrandom_pegasus", "--verify", "--value_size", "50"), 0);
    ck_assert_int_eq(BENCH("-n", "10", "-t", "readrandom_pegasus", "--verify", "--value_size", "50",
                           "--seed", "2"),
                     1);
}
END_TEST

START_TEST(test_refused)
{
    static const char *const types[] = { "fillseq_pegasus,readrandom_pegasus", "readrandom_pegasus",
                                         "deleterandom_pegasus" };
    static const char *const words[] = { "Set returned an error: ERR_ACL_DENY",
                                         "Get returned an error: ERR_ACL_DENY",
                                         "Del returned an error: ERR_ACL_DENY" };
    scene.refuse_at = 6;
    ck_assert_int_eq(BENCH("-n", "50", "-t", types[_i], "--threads", "3"), 1);
    ck_assert(told(words[_i]));
    ck_assert(!said("of 50 found") || _i == 1);
    ck_assert_int_lt(scene.requests, 50);
}
END_TEST

/* A timeout is tried again, four times in all. */
START_TEST(test_timeouts)
{
    scene.mute = 3;
    ck_assert_int_eq(BENCH("-n", "5", "-t", "fillseq_pegasus", "--timeout", "50"), 0);
    ck_assert(told("Set timeout, retry(1)\n"));
    ck_assert(told("Set timeout, retry(3)\n"));
    scene.mute = 1000000;
    ck_assert_int_eq(BENCH("-n", "5", "-t", "readrandom_pegasus", "--timeout", "50"), 1);
    ck_assert(told("Get timeout, retry(3)\n"));
    ck_assert(!told("retry(4)"));
    ck_assert(told("Get returned an error: ERR_TIMEOUT"));
}
END_TEST

static json_int_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    ck_assert(json_is_integer(value));
    return json_integer_value(value);
}

START_TEST(test_json)
{
    json_error_t error;
    ck_assert_int_eq(BENCH("-n", "40", "-t", "fillseq_pegasus,readrandom_pegasus", "--json"), 0);
    json_t *root = json_loadb(scene.out.data, scene.out.size, 0, &error);
    ck_assert_msg(root != NULL, "%s", error.text);
    ck_assert_int_eq(number(root, "num"), 40);
    const json_t *list = json_object_get(root, "benchmarks");
    ck_assert_uint_eq(json_array_size(list), 2);
    const json_t *read = json_array_get(list, 1);
    ck_assert_str_eq(json_string_value(json_object_get(read, "type")), "readrandom_pegasus");
    ck_assert_int_eq(number(read, "done"), 40);
    ck_assert_int_eq(number(read, "found"), 40);
    ck_assert_int_eq(number(read, "bytes"), 40 * 116);
    ck_assert_str_eq(json_string_value(json_object_get(read, "error")), "");
    const json_t *micros = json_object_get(read, "micros");
    double last = 0;
    static const char *const order[] = { "min", "p50", "p90", "p99", "p999", "max" };
    for (int i = 0; i < 6; i++) {
        double value = json_real_value(json_object_get(micros, order[i]));
        ck_assert_double_ge(value, last);
        last = value;
    }
    json_decref(root);
}
END_TEST

START_TEST(test_signal)
{
    scene.mute = 1000000;
    scene_start(
        ARGUMENTS("-n", "1000", "-t", "fillseq_pegasus", "--timeout", "3600000", "--progress"));
    NET_UNTIL(&stage.net, scene.mute < 1000000);
    kill(scene.child, SIGTERM);
    ck_assert_int_eq(scene_end(), 1);
    ck_assert(said("fillseq_pegasus :"));
}
END_TEST

static const struct {
    const char *arguments[4];
    const char *why;
} wrong[] = {
    { { "-n", "0" }, "--num 0: not a number from 1 to" },
    { { "-n", "1000000000001" }, "--num" },
    { { "--threads", "4097" }, "--threads 4097: not a number from 1 to 4096" },
    { { "--hashkey_size", "0" }, "--hashkey_size" },
    { { "--hashkey_size", "65535" }, "--hashkey_size" },
    { { "--sortkey_size", "65535" }, "--sortkey_size" },
    { { "--sortkey_size", "-1" }, "--sortkey_size" },
    { { "--value_size", "1048577" }, "--value_size" },
    { { "--timeout", "0" }, "--timeout" },
    { { "--seed", "x" }, "--seed x: not a number" },
    { { "--meta", "nowhere" }, "not a list of host:port" },
    { { "--meta", "" }, "not a list of host:port" },
    { { "--app_name", "" }, "no name" },
    { { "-t", "" }, "no benchmark" },
    { { "-t", "fillseq" }, "not a list of fillseq_pegasus" },
    { { "-t", "multisetrandom_pegasus" }, "not a list of fillseq_pegasus" },
    { { "--keys", "few" }, "neither sequential nor random" },
    { { "--nonsense", "1" }, "not known" },
    { { "--num" }, "lacks its value" },
    { { "word" }, "word: not an option" },
    { { "--hashkey_size", "1", "-t", "fillseq_pegasus" }, "no room for so many" },
};

START_TEST(test_usage)
{
    int count = 0;
    while (count < 4 && wrong[_i].arguments[count])
        count++;
    scene_start(wrong[_i].arguments, count);
    ck_assert_int_eq(scene_end(), 2);
    ck_assert_msg(told(wrong[_i].why), "%s", buf_string(&scene.err));
    ck_assert_int_eq(scene.requests, 0);
}
END_TEST

START_TEST(test_limits)
{
    struct buf list = { 0 };
    for (int i = 0; i < BENCH_TYPES_MAX; i++)
        buf_text(&list, "readrandom_pegasus,");
    ck_assert_int_eq(BENCH("-n", "1", "-t", buf_string(&list)), 0);
    ck_assert_int_eq(scene.requests, BENCH_TYPES_MAX);
    buf_text(&list, "readrandom_pegasus");
    ck_assert_int_eq(BENCH("-n", "1", "-t", buf_string(&list)), 2);
    buf_clear(&list);
    for (int i = 0; i <= TABLE_CLIENT_METAS_MAX; i++)
        buf_printf(&list, "%s127.0.0.1:1", i > 0 ? "," : "");
    ck_assert_int_eq(BENCH("--cluster", buf_string(&list)), 2);
    ck_assert(told("more than 16 meta servers"));
    buf_done(&list);
    ck_assert_int_eq(BENCH("-n", "2", "--hashkey_size", "65534", "--sortkey_size", "65534",
                           "--value_size", "1048576", "--timeout", "60000", "--verify"),
                     0);
    ck_assert_int_eq(BENCH("--help"), 0);
    ck_assert(said("example: bridle-bench"));
    ck_assert_int_eq(BENCH("--version"), 0);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("program");
    tcase_set_timeout(tcase, NET_TIMEOUT);
    tcase_add_checked_fixture(tcase, scene_setup, scene_teardown);
    tcase_add_loop_test(tcase, test_fillseq_readrandom, 0, 3);
    tcase_add_test(tcase, test_random_list);
    tcase_add_loop_test(tcase, test_verify, 0, 2);
    tcase_add_test(tcase, test_verify_options);
    tcase_add_loop_test(tcase, test_refused, 0, 3);
    tcase_add_test(tcase, test_timeouts);
    tcase_add_test(tcase, test_json);
    tcase_add_test(tcase, test_signal);
    tcase_add_loop_test(tcase, test_usage, 0, (int) (sizeof wrong / sizeof *wrong));
    tcase_add_test(tcase, test_limits);
    return test_run("bench", bench_parts_case(), tcase, NULL);
}
