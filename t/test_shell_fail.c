/* test_shell_fail -- what the commands that ask do when they cannot be answered: errors, servers
 * that are down, followers; and server_info, which is answered always. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "t/test_shell.h"

/* -- Failures ------------------------------------------------------------------------------------
 */

static void error_request(struct rdsn_incoming *incoming, const void *arg)
{
    fake_error(incoming, arg);
}

static const char *const failing[][2] = {
    { "ls", "list apps failed, error=ERR_UNDER_RECOVERY\n" },
    { "ls -a", "list apps failed, error=ERR_UNDER_RECOVERY\n" },
    { "ls -j", "list apps failed, error=ERR_UNDER_RECOVERY\n" },
    { "nodes -d", "list nodes failed, error=ERR_UNDER_RECOVERY\n" },
    { "cluster_info", "get cluster info failed, error=ERR_UNDER_RECOVERY\n" },
    { "app temp", "query app temp failed, error=ERR_UNDER_RECOVERY\n" },
};

START_TEST(under_recovery)
{
    struct fake fake;
    fake_start(&fake, error_request, "ERR_UNDER_RECOVERY");
    check_line(fake.node, failing[_i][0], SHELL_FAILED, failing[_i][1],
               "hint: the meta server waits for a recovery: see help recover, and "
               "recovery_status\n");
    fake_stop(&fake);
}
END_TEST

/* The tables are listed, one of them cannot be asked. */
static void half_request(struct rdsn_incoming *incoming, const void *arg)
{
    if (strcmp(incoming->header.rpc_name, "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX") == 0)
        fake_error(incoming, "ERR_OBJECT_NOT_FOUND");
    else
        made_request(incoming, arg);
}

START_TEST(health_fails)
{
    struct cluster_of of = { .named = false };
    struct fake fake;
    fake_start(&fake, half_request, &of);
    check_line(fake.node, "ls -d", SHELL_FAILED, "list apps failed, error=ERR_OBJECT_NOT_FOUND\n",
               "query app temp failed, error=ERR_OBJECT_NOT_FOUND\n"
               "hint: ls -a lists the tables, dropped ones too\n");
    check_line(fake.node, "nodes -d", SHELL_FAILED,
               "list nodes failed, error=ERR_OBJECT_NOT_FOUND\n",
               "query app temp failed, error=ERR_OBJECT_NOT_FOUND\n"
               "hint: ls -a lists the tables, dropped ones too\n");
    fake_stop(&fake);
}
END_TEST

static void odd_request(struct rdsn_incoming *incoming, const void *arg)
{
    const char *what = arg;
    if (strcmp(what, "garbage") == 0)
        rdsn_server_reply(incoming, "ERR_OK", (br_bytes){ "\x0c\0\0\x0b\0", 5 });
    else if (strcmp(what, "close") == 0)
        rdsn_server_reject(incoming, "test");
    else
        rdsn_server_reply(incoming, what, (br_bytes){ NULL, 0 });
}

START_TEST(odd_answers)
{
    static const char *const answers[][2] = {
        { "garbage", "list apps failed, error=ERR_INVALID_DATA\n" },
        { "close", "list apps failed, error=ERR_NETWORK_FAILURE\n" },
        { "ERR_HANDLER_NOT_FOUND", "list apps failed, error=ERR_HANDLER_NOT_FOUND\n" },
        { "ERR_FORWARD_TO_OTHERS", "list apps failed, error=ERR_FORWARD_TO_OTHERS\n" },
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct fake fake;
        fake_start(&fake, odd_request, answers[i][0]);
        struct ran ran = run_line(fake.node, WIRE_PEER_25, "ls");
        ck_assert_str_eq(ran.out, answers[i][1]);
        ck_assert_int_eq(ran.status, SHELL_FAILED);
        ck_assert_msg(*ran.err != '\0', "no reason");
        ran_free(&ran);
        fake_stop(&fake);
    }
}
END_TEST

/* The first two of three meta servers are down. */
START_TEST(next_server)
{
    struct cluster_of of = { .named = false };
    struct fake fake;
    char first[ADDRESS_TEXT_MAX], second[ADDRESS_TEXT_MAX];
    struct buf metas = { 0 };
    fake_refused(first);
    fake_refused(second);
    fake_start(&fake, made_request, &of);
    buf_printf(&metas, "%s, %s ,%s", first, second, fake.node);
    check_line(metas.data, "app temp", SHELL_OK, app_temp, "");
    fake_stop(&fake);
    buf_clear(&metas);
    buf_printf(&metas, "%s,%s", first, second);
    struct ran ran = run_line(metas.data, WIRE_PEER_25, "ls");
    ck_assert_int_eq(ran.status, SHELL_FAILED);
    ck_assert_str_eq(ran.out, "list apps failed, error=ERR_NETWORK_FAILURE\n");
    ck_assert_ptr_nonnull(strstr(ran.err, first));
    ck_assert_ptr_nonnull(strstr(ran.err, second));
    ran_free(&ran);
    buf_done(&metas);
}
END_TEST

/* A server that does not lead: to port 1 it answers with the leader's address. */
struct forward {
    uint64_t to;
    int requests;
};

static void forward_request(struct rdsn_incoming *incoming, const void *arg)
{
    struct forward *forward = (struct forward *) (uintptr_t) arg;
    struct buf body = { 0 };
    if (address_port(incoming->header.from_address) != 1)
        abort();
    forward->requests++;
    wire_encode_value(WIRE_ADDRESS, &forward->to, &body);
    rdsn_server_reply(incoming, "ERR_FORWARD_TO_OTHERS", buf_bytes(&body));
    buf_done(&body);
}

/* Memory that the servers' processes share with this one. */
static struct forward *forward_new(uint64_t to)
{
    struct forward *forward =
        mmap(NULL, sizeof *forward, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(forward, MAP_FAILED);
    forward->to = to;
    return forward;
}

START_TEST(forwarded)
{
    struct cluster_of of = { .named = false };
    struct fake leader, follower;
    fake_start(&leader, made_request, &of);
    struct forward *forward = forward_new(leader.address);
    fake_start(&follower, forward_request, forward);
    check_line(follower.node, "ls -d", SHELL_OK, ls_detailed, "");
    /* The leader is remembered: the second question of `ls -d` went there at once. */
    ck_assert_int_eq(forward->requests, 1);
    fake_stop(&follower);
    fake_stop(&leader);
}
END_TEST

/* A follower that knows no leader says so in the body: the next server may know. */
START_TEST(forwarded_nowhere)
{
    struct cluster_of of = { .named = false };
    struct fake leader, lost;
    struct buf metas = { 0 };
    fake_start(&leader, made_request, &of);
    fake_start(&lost, error_request, "ERR_FORWARD_TO_OTHERS");
    buf_printf(&metas, "%s,%s", lost.node, leader.node);
    check_line(metas.data, "app temp", SHELL_OK, app_temp, "");
    check_line(lost.node, "ls", SHELL_FAILED, "list apps failed, error=ERR_FORWARD_TO_OTHERS\n",
               "hint: none of these meta servers leads: see server_info -t meta-server\n");
    fake_stop(&lost);
    fake_stop(&leader);
    buf_done(&metas);
}
END_TEST

START_TEST(forwarded_to_nobody)
{
    struct fake follower;
    char dead[ADDRESS_TEXT_MAX];
    uint64_t address;
    fake_refused(dead);
    ck_assert(address_parse(dead, &address));
    struct forward *forward = forward_new(address);
    fake_start(&follower, forward_request, forward);
    struct ran ran = run_line(follower.node, WIRE_PEER_25, "ls");
    ck_assert_int_eq(ran.status, SHELL_FAILED);
    ck_assert_ptr_nonnull(strstr(ran.err, dead));
    ran_free(&ran);
    forward->to = 0; /* an address that is none */
    ran = run_line(follower.node, WIRE_PEER_25, "ls");
    ck_assert_int_eq(ran.status, SHELL_FAILED);
    ck_assert_str_eq(ran.out, "list apps failed, error=ERR_FORWARD_TO_OTHERS\n");
    ran_free(&ran);
    fake_stop(&follower);
}
END_TEST

/* Two servers, each of which says that the other one leads. */
START_TEST(forwarded_for_ever)
{
    struct fake fakes[2];
    struct forward *first = forward_new(0), *second = forward_new(0);
    fake_start(&fakes[0], forward_request, first);
    fake_start(&fakes[1], forward_request, second);
    first->to = fakes[1].address;
    second->to = fakes[0].address;
    struct ran ran = run_line(fakes[0].node, WIRE_PEER_25, "ls");
    ck_assert_int_eq(ran.status, SHELL_FAILED);
    ck_assert_str_eq(ran.out, "list apps failed, error=ERR_FORWARD_TO_OTHERS\n");
    ck_assert_int_eq(first->requests + second->requests, SESSION_HOPS_MAX + 1);
    ran_free(&ran);
    fake_stop(&fakes[0]);
    fake_stop(&fakes[1]);
}
END_TEST

/* -- server_info ---------------------------------------------------------------------------------
 */

static void info_request(struct rdsn_incoming *incoming, const void *arg)
{
    struct msg_command command;
    struct arena arena;
    if (strcmp(incoming->header.rpc_name, "RPC_CLI_CLI_CALL") != 0) {
        fake_error(incoming, "ERR_UNDER_RECOVERY");
        return;
    }
    arena_init(&arena, 0);
    if (wire_decode(&wire_command, incoming->body, wire_arena(&arena), &command, NULL) != BR_OK
        || strcmp(command.cmd, "server-info") != 0)
        abort();
    struct buf body = { 0 };
    wire_encode_value(WIRE_STRING, &arg, &body);
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&body));
    buf_done(&body);
    arena_done(&arena);
}

START_TEST(server_info)
{
    struct fake fake;
    char dead[ADDRESS_TEXT_MAX];
    struct buf want = { 0 }, line = { 0 };
    fake_start(&fake, info_request, "Pegasus \"2.5\"");
    buf_printf(&want,
               "{\n  \"command\": \"server-info\",\n  \"details\": {\n    \"%s\": {\n"
               "      \"acked\": true,\n      \"message\": \"Pegasus \\\"2.5\\\"\",\n"
               "      \"role\": \"meta-server\"\n    }\n  },\n"
               "  \"failed_count\": 0,\n  \"succeed_count\": 1\n}\n",
               fake.node);
    check_line(fake.node, "server_info -t meta-server", SHELL_OK, want.data, "");
    /* During a recovery the replica servers cannot be learnt: said, and no success. */
    check_line(fake.node, "server_info", SHELL_FAILED, want.data,
               "list nodes failed, error=ERR_UNDER_RECOVERY: the replica servers are not asked\n");
    fake_refused(dead);
    buf_printf(&line, "server_info -l %s,%s", dead, fake.node);
    buf_clear(&want);
    buf_printf(&want,
               "{\n  \"command\": \"server-info\",\n  \"details\": {\n    \"%s\": {\n"
               "      \"acked\": false,\n      \"message\": \"ERR_NETWORK_FAILURE\",\n"
               "      \"role\": \"user-specified\"\n    },\n    \"%s\": {\n"
               "      \"acked\": true,\n      \"message\": \"Pegasus \\\"2.5\\\"\",\n"
               "      \"role\": \"user-specified\"\n    }\n  },\n"
               "  \"failed_count\": 1,\n  \"succeed_count\": 1\n}\n",
               dead, fake.node);
    check_line(fake.node, line.data, SHELL_FAILED, want.data, "");
    check_line(fake.node, "server_info -l nonsense", SHELL_USAGE, "",
               "parse nonsense as a host:port node failed\n");
    fake_stop(&fake);
    buf_done(&want);
    buf_done(&line);
}
END_TEST

TCase *test_shell_fail(void)
{
    TCase *tcase = tcase_create("fail");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, under_recovery, 0, sizeof failing / sizeof *failing);
    tcase_add_test(tcase, health_fails);
    tcase_add_test(tcase, odd_answers);
    tcase_add_test(tcase, next_server);
    tcase_add_test(tcase, forwarded);
    tcase_add_test(tcase, forwarded_nowhere);
    tcase_add_test(tcase, forwarded_to_nobody);
    tcase_add_test(tcase, forwarded_for_ever);
    tcase_add_test(tcase, server_info);
    return tcase;
}
