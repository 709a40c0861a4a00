/* test_etcd_option -- options, starting, batches at and beyond etcd's limits, and who may come in.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "t/test_etcd.h"

#define LONGEST "................................................................" /* 64 */

static const struct {
    const char *options[3];
    const char *sentence; /* part of it */
} refusals[] = {
    { { NULL }, "hosts" },
    { { "hosts=," }, "host:port" },
    { { "hosts=a" }, "host:port" },
    { { "hosts=http://a:1" }, "no http://" },
    { { "hosts=a:1," }, "host:port" },
    { { "hosts=a:0" }, "host:port" },
    { { "hosts=a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1" },
      "at most 16" },
    { { "hosts=" LONGEST LONGEST LONGEST LONGEST LONGEST ":1" }, "host:port" },
    { { "hosts=a:1", "prefix=" LONGEST "." }, "over 64 bytes" },
    { { "hosts=a:1", "username=nobody" }, "belong together" },
    { { "hosts=a:1", "password=nobody" }, "belong together" },
    { { "hosts=a:1", "tls=true", "cert=a" }, "belong together" },
    { { "hosts=a:1", "tls=true", "key=a" }, "belong together" },
    { { "hosts=a:1", "cacert=a" }, "without tls: true" },
    { { "hosts=a:1", "cert=a", "key=a" }, "without tls: true" },
    { { "hosts=a:1", "session_timeout=10ms" }, "session_timeout" },
    { { "hosts=a:1", "request_timeout=1ms" }, "request_timeout" },
    { { "hosts=a:1", "speed=1" }, "speed" },
};

START_TEST(options_are_refused)
{
    server_options_refused(refusals[_i].options, refusals[_i].sentence);
}
END_TEST

/* Nobody listens, and somebody who never says a word; the sentence comes before the deadline. */
START_TEST(start_without_a_server)
{
    struct answer answers[2];
    struct sockaddr_in address;
    char options[2][64];
    struct instance *ins[2];
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = server_port_taken(&address);
        snprintf(options[i], sizeof options[i], "hosts=127.0.0.1:%d", ntohs(address.sin_port));
        if (i == 1)
            ck_assert_int_eq(listen(fds[i], 8), 0);
        ins[i] = server_instance_made(options[i], NULL);
        answer_init(&answers[i]);
        plugin_start(&ins[i]->plugin, BR_SECOND, answer_take, &answers[i]);
    }
    for (int i = 0; i < 2; i++) {
        answer_wait(&answers[i]);
        ck_assert_int_eq(answers[i].status, BR_UNAVAILABLE);
        ck_assert_msg(strstr(answers[i].text, options[i] + 6)
                          && strstr(answers[i].text, "no server answers")
                          && strstr(answers[i].text, "without TLS"),
                      "%s", answers[i].text);
        answer_done(&answers[i]);
        instance_free(ins[i]);
        close(fds[i]);
    }
}
END_TEST

START_TEST(stop_while_starting)
{
    server_stops_while_starting();
}
END_TEST

/* A name is looked up; that is waited for, but not until the end. */
START_TEST(stop_while_looking_up)
{
    struct answer start;
    struct instance *in = server_instance_made("hosts=no-such-host.invalid:1", NULL);
    answer_init(&start);
    plugin_start(&in->plugin, PLUGIN_FOREVER, answer_take, &start);
    server_stop_starting(in, &start);
}
END_TEST

/* A host that is none, a dead one, and one that only has a name. */
START_TEST(next_host)
{
    char option[160];
    struct sockaddr_in address;
    int fd = server_port_taken(&address);
    snprintf(option, sizeof option, "hosts=no-such-host.invalid:1,127.0.0.1:%d,localhost:%s",
             ntohs(address.sin_port), strchr(server_env("HOSTS"), ':') + 1);
    struct instance *in = server_instance(option, NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    instance_free(in);
    close(fd);
}
END_TEST

/* What is not bridle's is told, not believed. */
START_TEST(foreign_value)
{
    struct instance *in = server_instance("prefix=/foreign", NULL);
    server_put("/foreign//x", "x");
    server_put("/foreign//y", "");
    server_put("/foreign/x//", "0 ");
    ck_assert_int_eq(conform_get(in, "/y", NULL, NULL), BR_CORRUPT);
    struct answer answer;
    answer_init(&answer);
    store_list(&in->plugin, "/x", PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_CORRUPT);
    answer_done(&answer);
    ck_assert_int_eq(conform_get(in, "/x", NULL, NULL), BR_CORRUPT);
    ck_assert_int_eq(conform_write(in, BR_PUT, "/x", "", -1), BR_CORRUPT);
    instance_free(in);
}
END_TEST

static void alarm_space(const char *action)
{
    char json[64];
    snprintf(json, sizeof json, "{\"action\":\"%s\",\"alarm\":\"NOSPACE\"}", action);
    json_decref(server_post("/v3/maintenance/alarm", json, NULL));
}

/* etcd's quota is used up: nothing is written, everything is read, and who starts is told. */
START_TEST(no_space)
{
    struct answer answer;
    struct instance *in = server_instance(NULL, NULL), *other = server_instance_made(NULL, NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    alarm_space("ACTIVATE");
    ck_assert_int_eq(conform_write(in, BR_CREATE, at("n"), "", 0), BR_REFUSED);
    ck_assert_msg(strstr(conform.text, "space exceeded"), "%s", conform.text);
    ck_assert_int_eq(conform_get(in, conform.root, NULL, NULL), BR_OK);
    answer_init(&answer);
    plugin_start(&other->plugin, 20 * BR_SECOND, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_REFUSED);
    ck_assert_msg(strstr(answer.text, "space exceeded"), "%s", answer.text);
    answer_done(&answer);
    alarm_space("DEACTIVATE");
    ck_assert_int_eq(conform_write(in, BR_CREATE, at("n"), "", 0), BR_OK);
    instance_free(other);
    instance_free(in);
}
END_TEST

TCase *etcd_option_case(void)
{
    TCase *tcase = conform_case("option");
    tcase_add_loop_test(tcase, options_are_refused, 0, sizeof refusals / sizeof *refusals);
    tcase_add_test(tcase, start_without_a_server);
    tcase_add_test(tcase, stop_while_starting);
    tcase_add_test(tcase, next_host);
    tcase_add_test(tcase, stop_while_looking_up);
    tcase_add_test(tcase, foreign_value);
    tcase_add_test(tcase, no_space);
    return tcase;
}

/* -- Batches ----------------------------------------------------------------------------------- */

static void free_paths(struct br_write *writes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free((void *) (uintptr_t) writes[i].path);
}

/* As many writes and bytes as the vtable's numbers just allow, with the longest prefix. */
START_TEST(fullest_batch)
{
    struct br_write writes[ETCD_BATCH_OPS_MAX];
    struct instance *in = server_instance("prefix=" LONGEST, NULL);
    uint64_t left = in->plugin.ops.store.batch_bytes_max;
    char *value = mem_new(BR_STORE_VALUE_MAX);
    for (uint32_t i = 0; i < ETCD_BATCH_OPS_MAX; i++) {
        char *path = mem_text(i ? at("%u", i) : conform.root);
        uint64_t extra = strlen(path) + in->plugin.ops.store.write_overhead;
        uint64_t size = i == ETCD_BATCH_OPS_MAX - 1 ? left - extra : 8000;
        writes[i] = (struct br_write){ .kind = BR_CREATE, .path = path, .value = { value, size } };
        left -= extra + size;
    }
    ck_assert_uint_eq(left, 0);
    ck_assert_msg(conform_commit(in, writes, ETCD_BATCH_OPS_MAX) == BR_OK, "%s", conform.text);
    free_paths(writes, ETCD_BATCH_OPS_MAX);
    free(value);
    instance_free(in);
}
END_TEST

/* Long paths that each compare would name again, beside a large value: more than a request takes.
 */
START_TEST(long_paths)
{
    enum { DELETES = 60 };
    struct br_write writes[DELETES + 1];
    char name[4001];
    struct instance *in = server_instance(NULL, NULL);
    char *value = mem_new(BR_STORE_VALUE_MAX);
    memset(name, 'x', sizeof name);
    name[4000] = '\0';
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    for (uint32_t i = 0; i < DELETES; i++)
        writes[i] = (struct br_write){ .kind = BR_CREATE, .path = mem_text(at("%u%s", i, name)) };
    ck_assert_int_eq(conform_commit(in, writes, DELETES), BR_OK);
    for (uint32_t i = 0; i < DELETES; i++)
        writes[i].kind = BR_DELETE;
    writes[DELETES] = (struct br_write){ .kind = BR_PUT, .path = conform.root, .version = 0 };
    writes[DELETES].value = (br_bytes){ value, 700000 };
    ck_assert_msg(conform_commit(in, writes, DELETES + 1) == BR_OK, "%s", conform.text);
    ck_assert_uint_eq(server_child_count(in, conform.root), 0);
    free_paths(writes, DELETES);
    free(value);
    instance_free(in);
}
END_TEST

/* Three pages of them. */
START_TEST(many_children)
{
    enum { COUNT = 2 * ETCD_LIST_PAGE / ETCD_BATCH_OPS_MAX + 1 };
    static struct br_write writes[ETCD_BATCH_OPS_MAX];
    struct instance *in = server_instance(NULL, NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    for (uint32_t batch = 0; batch < COUNT; batch++) {
        for (uint32_t i = 0; i < ETCD_BATCH_OPS_MAX; i++)
            writes[i] =
                (struct br_write){ .kind = BR_CREATE, .path = mem_text(at("%u.%u", batch, i)) };
        ck_assert_int_eq(conform_commit(in, writes, ETCD_BATCH_OPS_MAX), BR_OK);
        free_paths(writes, ETCD_BATCH_OPS_MAX);
    }
    ck_assert_uint_eq(server_child_count(in, conform.root), COUNT * ETCD_BATCH_OPS_MAX);
    instance_free(in);
}
END_TEST

/* Each write sees those before it, also where a node goes and comes again; a fence that was deleted
 * and made again is none. */
START_TEST(again_in_one_batch)
{
    struct instance *in = server_instance(NULL, NULL);
    char *fence = server_lock(in, conform.root, "h:1");
    char *below = arena_text(&in->arena, fence, strlen(fence));
    const char *n = at("n"), *strange = at("LOCKNODEx"), *child = at("LOCKNODEx/c");
    struct buf text = { 0 };
    buf_printf(&text, "%s/c", below);
    const struct br_write writes[] = {
        { .kind = BR_CREATE, .path = strange },
        { .kind = BR_CREATE, .path = n },
        { .kind = BR_DELETE, .path = n, .version = 0 },
        { .kind = BR_CREATE, .path = n },
        { .kind = BR_PUT, .path = n, .version = 0 },
        { .kind = BR_DELETE, .path = n, .version = 1 },
    };
    ck_assert_int_eq(conform_commit(in, writes, 6), BR_OK);
    ck_assert_int_eq(conform_get(in, n, NULL, NULL), BR_NOTFOUND);
    ck_assert_int_eq(conform_write(in, BR_CREATE, child, "", 0), BR_OK);
    const struct br_write fences[] = {
        { .kind = BR_DELETE, .path = fence, .version = -1 },
        { .kind = BR_CREATE, .path = fence },
        { .kind = BR_CREATE, .path = buf_string(&text) },
        { .kind = BR_PUT, .path = fence, .version = 0 },
        { .kind = BR_DELETE, .path = child, .version = 0 },
        { .kind = BR_CREATE, .path = child },
        { .kind = BR_DELETE, .path = child, .version = 0 },
        { .kind = BR_DELETE, .path = strange, .version = 0 },
    };
    ck_assert_int_eq(conform_commit(in, fences, 8), BR_OK);
    ck_assert_int_eq(conform_get(in, text.data, NULL, NULL), BR_OK);
    ck_assert_int_eq(conform_get(in, strange, NULL, NULL), BR_NOTFOUND);
    ck_assert_int_eq(conform_elections(in, conform.root), 2);
    buf_done(&text);
    free(fence);
    instance_free(in);
}
END_TEST

/* A full batch of a leader whose compares are more than etcd takes; and when he has lost. */
START_TEST(many_parents_behind_a_fence)
{
    static struct br_write writes[ETCD_BATCH_OPS_MAX];
    struct instance *in = server_instance(NULL, NULL);
    char *fence = server_lock(in, conform.root, "h:1");
    writes[0] = (struct br_write){ .kind = BR_FENCE, .path = mem_text(fence) };
    for (uint32_t level = 0; level < 3; level++) {
        for (uint32_t i = 1; i < ETCD_BATCH_OPS_MAX; i++)
            writes[i] = (struct br_write){ .kind = BR_CREATE,
                                           .path = mem_text(level == 0   ? at("p%u", i)
                                                            : level == 1 ? at("p%u/c", i)
                                                                         : at("p%u/d", i)) };
        ck_assert_int_eq(conform_commit(in, writes, ETCD_BATCH_OPS_MAX),
                         level < 2 ? BR_OK : BR_FENCED);
        free_paths(&writes[1], ETCD_BATCH_OPS_MAX - 1);
        if (level == 1)
            ck_assert_int_eq(server_unlock(in, fence), BR_OK);
    }
    free_paths(writes, 1);
    free(fence);
    instance_free(in);
}
END_TEST

/* `children` and their parent are made, and deleted in one batch, while another instance adds a
 * child: one of the two fails, and no child is left without its parent.  With many children the
 * compares are more than etcd takes. */
static void delete_against_create(uint32_t children)
{
    static struct br_write writes[ETCD_BATCH_OPS_MAX];
    struct answer answers[2];
    int rounds = children > 1 ? 10 : 30;
    struct instance *in = server_instance(NULL, NULL), *other = server_instance(NULL, NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    for (int round = 0; round < rounds; round++) {
        char *parent = mem_text(at("p%d", round)), *extra = mem_text(at("p%d/50x", round));
        writes[children] = (struct br_write){ .kind = BR_CREATE, .path = parent };
        ck_assert_int_eq(conform_commit(in, &writes[children], 1), BR_OK);
        for (uint32_t i = 0; i < children; i++)
            writes[i] =
                (struct br_write){ .kind = BR_CREATE, .path = mem_text(at("p%d/%u", round, i)) };
        ck_assert_int_eq(conform_commit(in, writes, children), BR_OK);
        for (uint32_t i = 0; i <= children; i++)
            writes[i].kind = BR_DELETE;
        const struct br_write add = { .kind = BR_CREATE, .path = extra };
        conform_issue(in, writes, children + 1, &answers[0]);
        server_let_pass(round % 6 * (children > 1 ? 3 : 1) * BR_MILLISECOND / 2);
        conform_issue(other, &add, 1, &answers[1]);
        answer_wait(&answers[0]);
        answer_wait(&answers[1]);
        bool gone = answers[0].status == BR_OK;
        ck_assert_msg(answers[1].status == (gone ? BR_NOTFOUND : BR_OK), "%s", answers[1].text);
        ck_assert_msg(gone || answers[0].status == BR_CONFLICT, "%s", answers[0].text);
        ck_assert_int_eq(conform_get(in, extra, NULL, NULL), gone ? BR_NOTFOUND : BR_OK);
        ck_assert_int_eq(conform_get(in, writes[0].path, NULL, NULL), gone ? BR_NOTFOUND : BR_OK);
        answer_done(&answers[0]);
        answer_done(&answers[1]);
        free_paths(writes, children);
        free(parent);
        free(extra);
    }
    instance_free(other);
    instance_free(in);
}

START_TEST(delete_against_one)
{
    delete_against_create(1);
}
END_TEST

START_TEST(delete_against_many)
{
    delete_against_create(70);
}
END_TEST

/* A compare for each child and one for each of as many parents: too many; and what others do
 * elsewhere meanwhile only makes it try again. */
START_TEST(many_parents)
{
    static struct br_write writes[ETCD_BATCH_OPS_MAX];
    static struct br_write puts[20];
    struct answer answer, others[20];
    struct instance *in = server_instance(NULL, NULL), *other = server_instance(NULL, NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    ck_assert_int_eq(conform_write(in, BR_CREATE, at("busy"), "", 0), BR_OK);
    for (uint32_t i = 0; i < ETCD_BATCH_OPS_MAX; i++)
        writes[i] = (struct br_write){ .kind = BR_CREATE, .path = mem_text(at("p%u", i)) };
    ck_assert_int_eq(conform_commit(in, writes, ETCD_BATCH_OPS_MAX), BR_OK);
    for (uint32_t i = 0; i < ETCD_BATCH_OPS_MAX; i++) {
        char *child = mem_text(at("p%u/c", i));
        free((void *) (uintptr_t) writes[i].path);
        writes[i].path = child;
    }
    for (int i = 0; i < 20; i++) {
        puts[i] = (struct br_write){ .kind = BR_PUT, .path = at("busy"), .version = -1 };
        conform_issue(other, &puts[i], 1, &others[i]);
    }
    conform_issue(in, writes, ETCD_BATCH_OPS_MAX, &answer);
    answer_wait(&answer);
    bool done = answer.status == BR_OK;
    ck_assert_msg(done || answer.status == BR_UNAVAILABLE, "%s", answer.text);
    for (int i = 0; i < 20; i++) {
        answer_wait(&others[i]);
        ck_assert_int_eq(others[i].status, BR_OK);
        answer_done(&others[i]);
    }
    if (!done) /* nobody disturbs any more */
        ck_assert_int_eq(conform_commit(in, writes, ETCD_BATCH_OPS_MAX), BR_OK);
    ck_assert_int_eq(conform_commit(in, writes, ETCD_BATCH_OPS_MAX), BR_EXISTS);
    ck_assert_int_eq(conform_get(other, writes[119].path, NULL, NULL), BR_OK);
    answer_done(&answer);
    free_paths(writes, ETCD_BATCH_OPS_MAX);
    instance_free(other);
    instance_free(in);
}
END_TEST

TCase *etcd_batch_case(void)
{
    TCase *tcase = conform_case("batch");
    tcase_add_test(tcase, fullest_batch);
    tcase_add_test(tcase, long_paths);
    tcase_add_test(tcase, delete_against_one);
    tcase_add_test(tcase, delete_against_many);
    tcase_add_test(tcase, many_parents);
    tcase_add_test(tcase, many_children);
    tcase_add_test(tcase, again_in_one_batch);
    tcase_add_test(tcase, many_parents_behind_a_fence);
    return tcase;
}

/* -- Who may come in --------------------------------------------------------------------------- */

static void post_ok(const char *what, const char *json, const char *token)
{
    json_t *root = server_post(what, json, token);
    ck_assert_msg(!json_object_get(root, "error"), "%s: %s", what,
                  json_string_value(json_object_get(root, "error")));
    json_decref(root);
}

static void expect_denied(const char *username, const char *password)
{
    struct answer answer;
    struct instance *in = server_instance_made(username, password, NULL);
    answer_init(&answer);
    plugin_start(&in->plugin, 10 * BR_SECOND, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_msg(answer.status == BR_DENIED, "%d: %s", answer.status, answer.text);
    ck_assert_msg(strstr(answer.text, "authentication"), "%s", answer.text);
    ck_assert_ptr_null(strstr(answer.text, "wrong"));
    answer_done(&answer);
    instance_free(in);
}

/* The last test of all: the server keeps asking for names until the end. */
START_TEST(password)
{
    expect_denied("username=root", "password=wrong"); /* where nobody is asked */
    post_ok("/v3/auth/user/add", "{\"name\":\"root\",\"password\":\"right\"}", NULL);
    post_ok("/v3/auth/user/grant", "{\"user\":\"root\",\"role\":\"root\"}", NULL);
    post_ok("/v3/auth/enable", "{}", NULL);
    expect_denied("username=root", "password=wrong");
    struct instance *in = server_instance("username=root", "password=right", NULL);
    char *fence = server_lock(in, at("lock"), "h:1");
    ck_assert_int_eq(server_commit_fenced(in, fence, at("n")), BR_OK);
    server_kill(); /* and with the server go its tokens */
    server_start();
    ck_assert_int_eq(server_get_when_back(in, at("n")), BR_OK);
    ck_assert_int_eq(server_commit_fenced(in, fence, at("m")), BR_OK);
    free(fence);
    instance_free(in);
}
END_TEST

TCase *etcd_auth_case(void)
{
    TCase *tcase = conform_case("auth");
    tcase_add_test(tcase, password);
    return tcase;
}
