/* test_zookeeper_option -- options, starting, limits, and who may do what. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include "plugin/store_zookeeper.h"
#include "t/test_zookeeper.h"

/* -- Options ----------------------------------------------------------------------------------- */

/* One byte over the limit of a name with its port. */
static const char long_host[] =
    "hosts="
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aa"
    ":1";

static const struct {
    const char *options[3];
    const char *sentence; /* part of it */
} refusals[] = {
    { { NULL }, "hosts" },
    { { "hosts=," }, "host:port" },
    { { "hosts=a:1/root" }, "a path belongs into chroot" },
    { { "hosts=a" }, "host:port" },
    { { "hosts=a:1," }, "host:port" },
    { { "hosts=a:1,,b:2" }, "host:port" },
    { { "hosts=a:1 ,b:2" }, "host:port" },
    { { "hosts=a:0" }, "host:port" },
    { { "hosts=[::1]:65536" }, "host:port" },
    { { "hosts=[::1]:0" }, "host:port" },
    { { "hosts=[::1]:x" }, "host:port" },
    { { "hosts=[::1]" }, "host:port" },
    { { "hosts=[::1]x:1" }, "host:port" },
    { { long_host }, "host:port" },
    { { "hosts=a:1", "chroot=x" }, "absolute path" },
    { { "hosts=a:1", "chroot=/" }, "absolute path" },
    { { "hosts=a:1", "chroot=/x/" }, "absolute path" },
    { { "hosts=a:1", "chroot=/..."
                     "..........................................................."
                     "......." },
      "over 64 bytes" },
    { { "hosts=a:1", "auth=nobody" }, "user:password" },
    { { "hosts=a:1", "auth=:x" }, "user:password" },
    { { "hosts=a:1", "auth=x:" }, "user:password" },
    { { "hosts=a:1", "acl=creator" }, "needs auth" },
    { { "hosts=a:1", "acl=closed" }, "acl" },
    { { "hosts=a:1", "session_timeout=10ms" }, "session_timeout" },
    { { "hosts=a:1", "read_connections=-1" }, "read_connections" },
    { { "hosts=a:1", "read_connections=17" }, "read_connections" },
    { { "hosts=a:1", "speed=1" }, "speed" },
};

START_TEST(options_are_refused)
{
    server_options_refused(refusals[_i].options, refusals[_i].sentence);
}
END_TEST

static const char *const good_hosts[] = { "hosts=a:1", "hosts=a-b.c:65535,d_e:2",
                                          "hosts=[::1]:2181,10.0.0.1:2181" };

START_TEST(options_are_taken)
{
    struct instance *in = server_instance_made(good_hosts[_i], "auth=u:p:w", "acl=creator",
                                               "chroot=/a.b/c", "read_connections=16", NULL);
    plugin_close(&in->plugin);
    arena_done(&in->arena);
    free(in);
}
END_TEST

/* -- Starting ---------------------------------------------------------------------------------- */

/* Nobody listens, then somebody who never says a word; the sentence comes before the deadline. */
static void expect_unavailable(const char *hosts)
{
    struct answer answer;
    char option[64];
    snprintf(option, sizeof option, "hosts=%s", hosts);
    struct instance *in = server_instance_made(option, NULL);
    answer_init(&answer);
    plugin_start(&in->plugin, 700 * BR_MILLISECOND, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_UNAVAILABLE);
    ck_assert_msg(strstr(answer.text, hosts), "%s", answer.text);
    ck_assert_msg(strstr(answer.text, "no server answers"), "%s", answer.text);
    answer_done(&answer);
    instance_free(in);
}

START_TEST(start_without_a_server)
{
    struct sockaddr_in address;
    char hosts[64];
    int fd = server_port_taken(&address);
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d", ntohs(address.sin_port));
    if (_i == 1)
        ck_assert_int_eq(listen(fd, 8), 0);
    expect_unavailable(hosts);
    close(fd);
}
END_TEST

START_TEST(stop_while_starting)
{
    server_stops_while_starting();
}
END_TEST

/* The library would write to stderr. */
START_TEST(library_is_silent)
{
    char text[4096];
    FILE *file = tmpfile();
    int kept = dup(2);
    fflush(stderr);
    ck_assert(file && dup2(fileno(file), 2) == 2);
    expect_unavailable("127.0.0.1:1");
    struct instance *in = server_instance(NULL, NULL);
    instance_free(in);
    fflush(stderr);
    dup2(kept, 2);
    close(kept);
    rewind(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = 0;
    ck_assert_msg(size == 0, "%s", text);
    fclose(file);
}
END_TEST

TCase *zookeeper_option_case(void)
{
    TCase *tcase = conform_case("option");
    tcase_add_loop_test(tcase, options_are_refused, 0, sizeof refusals / sizeof *refusals);
    tcase_add_loop_test(tcase, options_are_taken, 0, sizeof good_hosts / sizeof *good_hosts);
    tcase_add_loop_test(tcase, start_without_a_server, 0, 2);
    tcase_add_test(tcase, stop_while_starting);
    tcase_add_test(tcase, library_is_silent);
    return tcase;
}

/* -- Limits ------------------------------------------------------------------------------------ */

/* A batch that the vtable's numbers just allow, with the longest chroot: the server takes it. */
START_TEST(fullest_batch_below_the_longest_chroot)
{
    enum { COUNT = 2000 };
    char chroot[sizeof "chroot=" + ZOOKEEPER_CHROOT_MAX];
    memset(chroot, 'c', sizeof chroot);
    memcpy(chroot, "chroot=/", 8);
    chroot[sizeof chroot - 1] = '\0';
    struct instance *in = server_instance(chroot, NULL);
    const struct br_store *store = &in->plugin.ops.store;
    struct br_write *writes = mem_array(COUNT, sizeof *writes);
    char *value = mem_new(BR_STORE_VALUE_MAX);
    uint64_t left = store->batch_bytes_max;
    uint32_t count = 0;
    for (; count < COUNT; count++) {
        char *path = mem_text(count ? at("%u", count) : conform.root);
        uint64_t extra = strlen(path) + store->write_overhead;
        uint64_t size = count == COUNT - 1 ? left - extra : 330;
        writes[count] = (struct br_write){ .kind = BR_CREATE, .path = path };
        writes[count].value = (br_bytes){ value, size };
        left -= extra + size;
    }
    ck_assert_uint_eq(left, 0);
    ck_assert_int_eq(conform_commit(in, writes, count), BR_OK);
    for (uint32_t i = 0; i < count; i++)
        free((void *) (uintptr_t) writes[i].path);
    free(writes);
    free(value);
    instance_free(in);
}
END_TEST

static void multi_done(int rc, const void *data)
{
    *(int *) (uintptr_t) data = rc;
    ck_assert_int_eq(write(((int *) (uintptr_t) data)[1], "", 1), 1);
}

/* The numbers of store_zookeeper.h, byte by byte: a request of ZOOKEEPER_REQUEST_MAX by their
 * account is taken, one byte more costs the connection. */
START_TEST(request_size_is_exact)
{
    enum { COUNT = 50 };
    static char value[65536];
    char paths[COUNT][96];
    zoo_op_t ops[COUNT];
    zoo_op_result_t results[COUNT];
    size_t left = ZOOKEEPER_REQUEST_MAX - ZOOKEEPER_REQUEST_FRAME + (size_t) _i;
    for (int i = 0; i < COUNT; i++) {
        snprintf(paths[i], sizeof paths[i], i ? "%s/%d" : "%s", conform.root, i);
        left -= strlen(paths[i]) + ZOOKEEPER_CREATE_OVERHEAD;
        size_t size = i == COUNT - 1 ? left : 20000;
        ck_assert_uint_lt(size, sizeof value);
        left -= size;
        zoo_create_op_init(&ops[i], paths[i], value, (int) size, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    }
    int ends[2], data[2];
    char byte;
    ck_assert_int_eq(pipe(ends), 0);
    data[1] = ends[1];
    zhandle_t *client = server_client();
    ck_assert_int_eq(zoo_amulti(client, COUNT, ops, results, multi_done, data), ZOK);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    ck_assert_int_eq(data[0], _i ? ZCONNECTIONLOSS : ZOK);
    zookeeper_close(client);
}
END_TEST

/* More than the parts that one read is issued in, every third path missing. */
START_TEST(read_in_parts)
{
    enum { COUNT = 6000 };
    struct answer answer;
    struct br_value room;
    struct instance *in = server_instance(NULL, NULL);
    const char **paths = mem_array(COUNT, sizeof *paths);
    struct br_write *writes = mem_array(COUNT, sizeof *writes);
    uint32_t count = 0;
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        paths[i] = mem_text(at("%u", i));
        if (i % 3)
            writes[count++] = (struct br_write){ .kind = BR_CREATE,
                                                 .path = paths[i],
                                                 .value = { paths[i], i % 20 } };
    }
    ck_assert_int_eq(conform_commit(in, writes, count), BR_OK);
    answer_init(&answer);
    store_read(&in->plugin, paths, COUNT, NULL, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_msg(answer.status == BR_OK, "%s", answer.text);
    ck_assert_uint_eq(answer.chunks->count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        const struct br_value *row = call_row(answer.chunks, i, &room, sizeof room);
        ck_assert_int_eq(row->status, i % 3 ? BR_OK : BR_NOTFOUND);
        ck_assert_uint_eq(row->value.size, i % 3 ? i % 20 : 0);
        if (row->value.size)
            ck_assert_mem_eq(row->value.data, paths[i], row->value.size);
    }
    answer_done(&answer);
    for (uint32_t i = 0; i < COUNT; i++)
        free((void *) (uintptr_t) paths[i]);
    free(paths);
    free(writes);
    instance_free(in);
}
END_TEST

TCase *zookeeper_limit_case(void)
{
    TCase *tcase = conform_case("limit");
    tcase_add_test(tcase, fullest_batch_below_the_longest_chroot);
    tcase_add_loop_test(tcase, request_size_is_exact, 0, 2);
    tcase_add_test(tcase, read_in_parts);
    return tcase;
}

/* -- Who may do what ----------------------------------------------------------------------------
 */

static void expect_denied(struct instance *in, const char *path)
{
    struct answer answer;
    char below[128];
    snprintf(below, sizeof below, "%s/below", path);
    ck_assert_int_eq(conform_write(in, BR_CREATE, below, "", 0), BR_DENIED);
    ck_assert_msg(strstr(conform.text, below) && strstr(conform.text, "ACL"), "%s", conform.text);
    ck_assert_int_eq(conform_write(in, BR_PUT, path, "", BR_ANY_VERSION), BR_DENIED);
    server_ask_lock(in, path, "h:1", &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_DENIED);
    answer_done(&answer);
    snprintf(below, sizeof below, "%s/deep/lock", path);
    server_ask_lock(in, below, "h:1", &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_DENIED);
    answer_done(&answer);
}

START_TEST(wrong_password)
{
    struct answer answer;
    char **names;
    uint32_t count;
    struct buf value = { 0 };
    struct instance *owner = server_instance("auth=me:right", "acl=creator", NULL);
    ck_assert_int_eq(conform_write(owner, BR_CREATE, conform.root, "mine", 0), BR_OK);
    struct instance *other = server_instance(_i ? "auth=me:wrong" : NULL, NULL);
    expect_denied(other, conform.root);
    ck_assert_int_eq(conform_get(other, conform.root, NULL, NULL), BR_DENIED);
    ck_assert_int_eq(conform_list(other, conform.root, &answer, &names, &count), BR_DENIED);
    answer_done(&answer);
    free(names);
    answer_init(&answer);
    store_owner(&other->plugin, conform.root, "", answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_DENIED);
    answer_done(&answer);
    instance_free(other);
    struct instance *again = server_instance("auth=me:right", NULL);
    ck_assert_int_eq(conform_get(again, conform.root, &value, NULL), BR_OK);
    ck_assert_str_eq(value.data, "mine");
    buf_done(&value);
    instance_free(again);
    instance_free(owner);
}
END_TEST

/* The password goes along to the next session. */
START_TEST(auth_outlives_the_session)
{
    struct instance *in =
        server_instance("auth=me:right", "acl=creator", "session_timeout=1s", NULL);
    char *fence = server_lock(in, at("lock"), "h:1");
    struct answer lost;
    server_ask_lost(in, fence, &lost);
    server_end_session(in);
    answer_wait(&lost);
    answer_done(&lost);
    free(fence);
    fence = server_lock(in, at("lock"), "h:1");
    ck_assert_int_eq(conform_write(in, BR_CREATE, at("more"), "", 0), BR_OK);
    free(fence);
    instance_free(in);
}
END_TEST

static void make_readonly(const char *path)
{
    zhandle_t *client = server_client();
    ck_assert_int_eq(zoo_create(client, path, "", 0, &ZOO_READ_ACL_UNSAFE, 0, NULL, 0), ZOK);
    zookeeper_close(client);
}

START_TEST(unwritable_node)
{
    make_readonly(conform.root);
    struct instance *in = server_instance(NULL, NULL);
    expect_denied(in, conform.root);
    ck_assert_int_eq(conform_get(in, conform.root, NULL, NULL), BR_OK);
    instance_free(in);
}
END_TEST

/* A missing chroot is made, with what lies above it; what lies below has it in front. */
START_TEST(chroot_is_made)
{
    char option[128];
    snprintf(option, sizeof option, "chroot=%s/x/y", conform.root);
    struct instance *plain = server_instance(NULL, NULL);
    struct instance *in = server_instance(option, NULL);
    struct buf value = { 0 };
    char *fence = server_lock(in, "/lock", "h:1");
    ck_assert_str_eq(fence, "/lock/LOCKNODE0000000000");
    struct br_write writes[] = { { .kind = BR_FENCE, .path = fence },
                                 { .kind = BR_CREATE, .path = "/n", .value = { "v", 1 } },
                                 { .kind = BR_PUT, .path = "/", .version = -1 } };
    ck_assert_int_eq(conform_commit(in, writes, 3), BR_OK);
    ck_assert_int_eq(conform_get(in, "/", NULL, NULL), BR_OK);
    ck_assert_int_eq(conform_get(plain, at("x/y/n"), &value, NULL), BR_OK);
    ck_assert_str_eq(value.data, "v");
    ck_assert_int_eq(conform_get(plain, at("x/y/lock/LOCKNODE0000000000"), &value, NULL), BR_OK);
    ck_assert_str_eq(value.data, "h:1");
    buf_done(&value);
    free(fence);
    instance_free(in);
    in = server_instance(option, NULL); /* and found */
    ck_assert_int_eq(conform_get(in, "/n", NULL, NULL), BR_OK);
    instance_free(in);
    instance_free(plain);
}
END_TEST

START_TEST(chroot_may_not_be_made)
{
    struct answer answer;
    char option[128];
    make_readonly(conform.root);
    snprintf(option, sizeof option, "chroot=%s/x", conform.root);
    struct instance *in = server_instance_made(option, NULL);
    answer_init(&answer);
    plugin_start(&in->plugin, 10 * BR_SECOND, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_DENIED);
    ck_assert_msg(strstr(answer.text, option + 7), "%s", answer.text);
    answer_done(&answer);
    instance_free(in);
    snprintf(option, sizeof option, "chroot=%s", conform.root); /* this one is there */
    in = server_instance(option, NULL);
    instance_free(in);
}
END_TEST

TCase *zookeeper_access_case(void)
{
    TCase *tcase = conform_case("access");
    tcase_add_loop_test(tcase, wrong_password, 0, 2);
    tcase_add_test(tcase, auth_outlives_the_session);
    tcase_add_test(tcase, unwritable_node);
    tcase_add_test(tcase, chroot_is_made);
    tcase_add_test(tcase, chroot_may_not_be_made);
    return tcase;
}
