/* test_load -- t/load as a process, against servers that lose, refuse, repeat and die. */
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/number.h"
#include "t/table_client.h"

#define KEYS 50

/* -- A replica server that keeps what it is given --------------------------------------------- */

static struct {
    struct rdsn_server *server;
    uint64_t address;
    char values[KEYS][64];
    int requests;
    int64_t decree[8];
    int64_t step;      /* from decree to decree */
    const char *error; /* of one request */
    int names;         /* so many requests are refused, each in words of its own */
    const char *directory;
    char *track;
    pid_t child;
    bool over;
    int status;
} scene;

/* The number behind "load" in a key: u16 length, "loadN", "sort". */
static int64_t scene_key(const br_bytes *key)
{
    int64_t number = -1;
    ck_assert_uint_gt(key->size, 10);
    ck_assert(number_i64((const char *) key->data + 6, key->size - 10, &number));
    ck_assert_int_lt(number, KEYS);
    return number;
}

static void scene_put(struct rdsn_incoming *incoming, struct arena *arena, struct buf *body)
{
    struct msg_rrdb_update_request request;
    struct msg_rrdb_update_response response;
    ck_assert_int_eq(
        wire_decode(&wire_rrdb_update_request, incoming->body, wire_arena(arena), &request, NULL),
        BR_OK);
    ck_assert_uint_lt(request.value.size, 64);
    char *value = scene.values[scene_key(&request.key)];
    memset(value, 0, 64);
    memcpy(value, request.value.data, request.value.size);
    wire_init(&wire_rrdb_update_response, &response);
    response.app_id = incoming->header.app_id;
    response.partition_index = incoming->header.partition;
    response.decree = scene.decree[incoming->header.partition] += scene.step;
    wire_encode(&wire_rrdb_update_response, &response, WIRE_PEER_25, body);
}

static void scene_get(struct rdsn_incoming *incoming, struct arena *arena, struct buf *body)
{
    br_bytes key;
    struct msg_rrdb_read_response response;
    ck_assert_int_eq(wire_decode_value(WIRE_BLOB, incoming->body, wire_arena(arena), &key, NULL),
                     BR_OK);
    const char *value = scene.values[scene_key(&key)];
    wire_init(&wire_rrdb_read_response, &response);
    response.error = *value ? 0 : 1;
    response.value = (br_bytes){ value, strlen(value) };
    response.app_id = incoming->header.app_id;
    response.partition_index = incoming->header.partition;
    wire_encode(&wire_rrdb_read_response, &response, WIRE_PEER_25, body);
}

static void scene_request(void *arg, struct rdsn_incoming *incoming)
{
    struct arena arena;
    struct buf body = { 0 };
    (void) arg;
    arena_init(&arena, 0);
    scene.requests++;
    char name[RDSN_NAME_SIZE];
    const char *error = scene.error;
    scene.error = NULL;
    if (scene.names > 0) {
        snprintf(name, sizeof name, "ERR_NUMBER_%d", scene.names--);
        error = name;
    }
    if (!error && strcmp(incoming->header.rpc_name, "RPC_RRDB_RRDB_PUT") == 0)
        scene_put(incoming, &arena, &body);
    else if (!error)
        scene_get(incoming, &arena, &body);
    rdsn_server_reply(incoming, error ? error : "ERR_OK", buf_bytes(&body));
    buf_done(&body);
    arena_done(&arena);
}

static void scene_listen(void)
{
    struct fail fail;
    scene.server = rdsn_server_new(
        stage.net.base, &(struct rdsn_server_options){ .request = scene_request }, &fail);
    ck_assert_msg(scene.server != NULL, "%s", fail.text);
    scene.address = rdsn_server_address(scene.server);
    for (int i = 0; i < 8; i++)
        stage.primaries[i] = scene.address;
}

static void scene_setup(void)
{
    stage_setup();
    memset(&scene, 0, sizeof scene);
    scene.step = 1;
    scene.directory = test_directory();
    struct buf path = { 0 };
    buf_printf(&path, "%s/track", scene.directory);
    scene.track = path.data;
    scene_listen();
}

static void scene_teardown(void)
{
    rdsn_server_free(scene.server);
    free(scene.track);
    free((char *) (uintptr_t) scene.directory);
    stage_teardown();
}

/* -- The process ------------------------------------------------------------------------------ */

static char *scene_path(const char *name)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s/%s", scene.directory, name);
    return path.data;
}

static void scene_exec(const char *const *extra, int count)
{
    char *program = test_build("t/load"), *json = scene_path("json"), *err = scene_path("stderr");
    const char *argv[32] = { program,  "--meta",  stage.metas[0].name, "--table",   "temp",
                             "--keys", "50",      "--value-size",      "20",        "--inflight",
                             "8",      "--quiet", "--track",           scene.track, "--json",
                             json };
    int at = 16;
    for (int i = 0; i < count; i++)
        argv[at++] = extra[i];
    int fd = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, 2);
    execv(program, (char **) (uintptr_t) argv);
    _exit(99);
}

static void scene_start(const char *const *extra, int count)
{
    scene.over = false;
    scene.requests = 0;
    scene.child = fork();
    if (scene.child == 0)
        scene_exec(extra, count);
    ck_assert_int_gt(scene.child, 0);
}

static void scene_on_child(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    (void) arg;
    int status;
    if (waitpid(scene.child, &status, WNOHANG) != scene.child)
        return;
    ck_assert(WIFEXITED(status));
    scene.status = WEXITSTATUS(status);
    scene.over = true;
}

static int scene_wait(void)
{
    struct event *child = evsignal_new(stage.net.base, SIGCHLD, scene_on_child, NULL);
    event_add(child, NULL);
    scene_on_child(0, 0, NULL); /* it may be over already */
    NET_UNTIL(&stage.net, scene.over);
    event_free(child);
    return scene.status;
}

/* Load until the servers have had so many requests more; returns the exit status. */
static int scene_stop(int requests)
{
    int until = scene.requests + requests;
    NET_UNTIL(&stage.net, scene.requests >= until);
    kill(scene.child, SIGTERM);
    return scene_wait();
}

static bool scene_said(const char *text)
{
    struct buf said = { 0 };
    char *path = scene_path("stderr");
    ck_assert(test_read(path, &said));
    bool found = strstr(buf_string(&said), text) != NULL;
    free(path);
    buf_done(&said);
    return found;
}

static int64_t scene_json(const char *name)
{
    char *path = scene_path("json");
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    ck_assert_msg(root != NULL, "%s", error.text);
    const json_t *value = json_object_get(root, name);
    ck_assert(json_is_integer(value));
    int64_t number = json_integer_value(value);
    json_decref(root);
    free(path);
    return number;
}

#define START(...)                                                                                 \
    scene_start((const char *const[]){ __VA_ARGS__ },                                              \
                sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* -- Tests ------------------------------------------------------------------------------------ */

START_TEST(test_good)
{
    START("--strict");
    ck_assert_int_eq(scene_stop(500), 0);
    ck_assert_int_ge(scene_json("ok"), 500);
    ck_assert_int_eq(scene_json("failed"), 0);
    ck_assert_int_eq(scene_json("retried"), 0);
    START("--strict"); /* goes on with the record */
    ck_assert_int_eq(scene_stop(200), 0);
    START("--verify");
    ck_assert_int_eq(scene_wait(), 0);
    ck_assert_int_gt(scene_json("reads"), 10);
    ck_assert_int_eq(scene_json("writes"), 0);
}
END_TEST

/* What was acknowledged is gone, or is an older write. */
START_TEST(test_lost_keys)
{
    START("--read-percent", "0");
    ck_assert_int_eq(scene_stop(500), 0);
    for (int i = 0; i < KEYS; i++)
        if (_i == 0)
            scene.values[i][0] = '\0';
        else
            snprintf(scene.values[i], 64, "%d 0 ........", i);
    START("--verify");
    ck_assert_int_eq(scene_wait(), 1);
    ck_assert_int_gt(scene_json("violations"), 10);
    ck_assert(scene_said(_i == 0 ? "is gone" : "holds \""));
}
END_TEST

/* A decree that stands still, or goes back: within a run, or after the last one. */
START_TEST(test_decrees)
{
    if (_i == 2) {
        START("--strict");
        ck_assert_int_eq(scene_stop(500), 0);
        memset(scene.decree, 0, sizeof scene.decree);
    } else {
        for (int i = 0; i < 8; i++)
            scene.decree[i] = 1000000;
        scene.step = _i == 0 ? 0 : -1;
    }
    START("--read-percent", "0");
    ck_assert_int_eq(scene_stop(500), 1);
    ck_assert_int_gt(scene_json("violations"), 0);
    ck_assert(scene_said("acknowledged a write with decree"));
}
END_TEST

START_TEST(test_refused_once)
{
    bool strict = _i == 0;
    START(strict ? "--strict" : "--quiet");
    NET_UNTIL(&stage.net, scene.requests > 100);
    scene.error = "ERR_INVALID_STATE";
    ck_assert_int_eq(scene_stop(100), strict ? 1 : 0);
    ck_assert_int_eq(scene_json("failed"), strict ? 1 : 0);
    ck_assert_int_eq(scene_json("retried"), strict ? 0 : 1);
    ck_assert_int_eq(scene_said("ERR_INVALID_STATE"), strict);
}
END_TEST

/* More different errors than are told apart: all are counted. */
START_TEST(test_errors_max)
{
    scene.names = 40;
    START("--strict");
    ck_assert_int_eq(scene_stop(100), 1);
    ck_assert_int_eq(scene_json("failed"), 40);
    char *path = scene_path("json");
    json_t *root = json_load_file(path, 0, NULL);
    const json_t *errors = json_object_get(root, "errors");
    ck_assert_uint_eq(json_object_size(errors), 32); /* LOAD_ERRORS_MAX */
    ck_assert_int_eq(json_integer_value(json_object_get(errors, "others")), 9);
    json_decref(root);
    free(path);
}
END_TEST

/* All die; whoever comes back is found, and nothing that was acknowledged is missed. */
START_TEST(test_servers_die)
{
    START("--read-percent", "20");
    NET_UNTIL(&stage.net, scene.requests > 100);
    rdsn_server_free(scene.server);
    stage.metas[0].refuse = "ERR_SERVICE_NOT_ACTIVE";
    int asked = stage.metas[0].asked;
    NET_UNTIL(&stage.net, stage.metas[0].asked > asked);
    stage.metas[0].refuse = NULL;
    scene_listen();
    ck_assert_int_eq(scene_stop(100), 0);
    ck_assert_int_eq(scene_json("failed"), 0);
    ck_assert_int_gt(scene_json("retried"), 0);
    START("--verify");
    ck_assert_int_eq(scene_wait(), 0);
}
END_TEST

START_TEST(test_until_file)
{
    char *path = scene_path("stop");
    START("--until-file", path);
    NET_UNTIL(&stage.net, scene.requests > 50);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    ck_assert_int_eq(scene_wait(), 0);
    START("--seconds", "1");
    ck_assert_int_eq(scene_wait(), 0);
    ck_assert_int_gt(scene_json("ok"), 0);
    free(path);
}
END_TEST

static const char *const wrong[][2] = {
    { "--keys", "7" }, /* fewer than are under way */
    { "--keys", "10000001" },    { "--inflight", "32769" }, { "--value-size", "1048577" },
    { "--read-percent", "101" }, { "--meta", "nowhere" },   { "--nonsense", "1" },
    { "--verify", "word" },
};

START_TEST(test_usage)
{
    START(wrong[_i][0], wrong[_i][1]);
    ck_assert_int_eq(scene_wait(), 2);
}
END_TEST

/* A record that is none, or of a run with more keys, stops it before it writes anything. */
START_TEST(test_record)
{
    static const char *const lines[] = { "nonsense\n", "key 50 1 1\n", "key 1 2 1\n",
                                         "partition 65536 1\n", "partition 1 -1\n" };
    FILE *file = fopen(scene.track, "w");
    fputs(lines[_i], file);
    fclose(file);
    START("--quiet");
    ck_assert_int_eq(scene_wait(), 2);
    ck_assert(scene_said("track:1 is no line of a record"));
    ck_assert_int_eq(scene.requests, 0);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("load");
    tcase_set_timeout(tcase, NET_TIMEOUT);
    tcase_add_checked_fixture(tcase, scene_setup, scene_teardown);
    tcase_add_test(tcase, test_good);
    tcase_add_loop_test(tcase, test_lost_keys, 0, 2);
    tcase_add_loop_test(tcase, test_decrees, 0, 3);
    tcase_add_loop_test(tcase, test_refused_once, 0, 2);
    tcase_add_test(tcase, test_errors_max);
    tcase_add_test(tcase, test_servers_die);
    tcase_add_test(tcase, test_until_file);
    tcase_add_loop_test(tcase, test_usage, 0, (int) (sizeof wrong / sizeof *wrong));
    tcase_add_loop_test(tcase, test_record, 0, 5);
    return test_run("load", tcase, NULL);
}
