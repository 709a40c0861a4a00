/* test_shell_recover -- recover: its arguments, its request, and what it prints of every answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "t/test_shell.h"

#define USAGE_RECOVER                                                                              \
    "USAGE: \trecover           {-f FILE | -s h:p,h:p,...} [-w SECONDS] [-b] [-l] [-c] [-o "       \
    "FILE]\n"
#define HEADER(seconds, bad, lost)                                                                 \
    "Wait seconds: " seconds "\nSkip bad nodes: " bad "\nSkip lost partitions: " lost              \
    "\nNode list:\n=============================\n"
#define RULE  "=============================\n"
#define NODES "127.0.0.1:34801,127.0.0.2:34802"
#define LIST  "127.0.0.1:34801\n127.0.0.2:34802\n"

/* The answer: an error and, after a '|', a hint. */
static void recover_request(struct rdsn_incoming *incoming, const void *arg)
{
    const char *answer = arg, *hint = strchr(answer, '|');
    char error[RDSN_NAME_SIZE];
    if (strcmp(incoming->header.rpc_name, "RPC_CM_START_RECOVERY") != 0)
        abort();
    snprintf(error, sizeof error, "%.*s", (int) strcspn(answer, "|"), answer);
    struct msg_configuration_recovery_response response;
    wire_init(&wire_configuration_recovery_response, &response);
    response.err = error;
    response.hint_message = hint ? hint + 1 : "";
    fake_reply(incoming, &wire_configuration_recovery_response, &response);
}

static const struct {
    const char *options, *answer, *out;
    int status;
} answers[] = {
    { "-s " NODES, "ERR_OK", HEADER("100", "false", "false") LIST RULE "Recover result: ERR_OK\n",
      SHELL_OK },
    { "-s " NODES " -w 7 -b -l",
      "ERR_OK|WARNING: partition(1.0) only collects 1/3 of replicas, "
      "may lost data\n",
      HEADER("7", "true", "true") LIST RULE
      "Recover result: ERR_OK\n" RULE
      "WARNING: partition(1.0) only collects 1/3 of replicas, may lost data\n" RULE,
      SHELL_OK },
    { "--node_list_str \" " NODES " ,,\" --wait_seconds 5 --skip_bad_nodes "
      "--skip_lost_partitions",
      "ERR_TRY_AGAIN|ERROR: one\nERROR: two",
      HEADER("5", "true", "true") LIST RULE "Recover result: ERR_TRY_AGAIN\n" RULE
                                            "ERROR: one\nERROR: two\n" RULE,
      SHELL_FAILED },
    { "-s " NODES, "ERR_SERVICE_ALREADY_RUNNING",
      HEADER("100", "false", "false") LIST RULE "Recover result: ERR_SERVICE_ALREADY_RUNNING\n",
      SHELL_FAILED },
    { "-s " NODES, "ERR_TRY_AGAIN|a\033[2Jb\tc\n",
      HEADER("100", "false", "false") LIST RULE "Recover result: ERR_TRY_AGAIN\n" RULE
                                                "a?[2Jb?c\n" RULE,
      SHELL_FAILED },
    { "-s 127.0.0.1:34801,127.0.0.2:34802,127.0.0.1:34801", "ERR_OK",
      "duplicate replica node 127.0.0.1:34801, just ingore it\n" HEADER("100", "false", "false")
          LIST RULE "Recover result: ERR_OK\n",
      SHELL_OK },
};

START_TEST(answered)
{
    struct fake fake;
    struct buf line = { 0 };
    fake_start(&fake, recover_request, answers[_i].answer);
    buf_printf(&line, "recover %s", answers[_i].options);
    check_line(fake.node, line.data, answers[_i].status, answers[_i].out, "");
    fake_stop(&fake);
    buf_done(&line);
}
END_TEST

/* Tells in its hint what it was asked. */
static void echo_request(struct rdsn_incoming *incoming, const void *arg)
{
    (void) arg;
    struct msg_configuration_recovery_request request;
    struct arena arena;
    struct buf hint = { 0 };
    arena_init(&arena, 0);
    if (wire_decode(&wire_configuration_recovery_request, incoming->body, wire_arena(&arena),
                    &request, NULL)
        != BR_OK)
        abort();
    const uint64_t *nodes = request.recovery_nodes.items;
    const struct host_port *names = request.hp_recovery_nodes.items;
    buf_printf(&hint, "timeout %d port %u bad %d lost %d", (int) incoming->header.timeout_ms,
               (unsigned) address_port(incoming->header.from_address), request.skip_bad_nodes,
               request.skip_lost_partitions);
    for (uint32_t i = 0; i < request.recovery_nodes.count; i++) {
        char text[ADDRESS_TEXT_MAX];
        buf_printf(&hint, " %s", address_format(nodes[i], text));
    }
    for (uint32_t i = 0; WIRE_HAS(&request, 4) && i < request.hp_recovery_nodes.count; i++) {
        char text[NODE_NAME_MAX + 1];
        buf_printf(&hint, " %s", host_port_format(&names[i], text));
    }
    struct msg_configuration_recovery_response response;
    wire_init(&wire_configuration_recovery_response, &response);
    response.err = "ERR_OK";
    response.hint_message = buf_string(&hint);
    fake_reply(incoming, &wire_configuration_recovery_response, &response);
    buf_done(&hint);
    arena_done(&arena);
}

START_TEST(request)
{
    static const struct {
        enum wire_peer peer;
        const char *line, *want;
    } asked[] = {
        { WIRE_PEER_25, "recover -s localhost:34801,127.0.0.2:5",
          " port 1 bad 0 lost 0 127.0.0.1:34801 127.0.0.2:5\n" },
        { WIRE_PEER_26, "recover -b -s localhost:34801,127.0.0.2:5",
          " port 1 bad 1 lost 0 127.0.0.1:34801 127.0.0.2:5 localhost:34801 127.0.0.2:5\n" },
        { WIRE_PEER_25, "recover -l -s localhost:34801", " port 1 bad 0 lost 1 127.0.0.1:34801\n" },
    };
    struct fake fake;
    fake_start(&fake, echo_request, NULL);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct ran ran = run_line(fake.node, asked[i].peer, asked[i].line);
        ck_assert_int_eq(ran.status, SHELL_OK);
        const char *timeout = strstr(ran.out, "timeout ");
        ck_assert_msg(timeout && strstr(ran.out, asked[i].want), "%s", ran.out);
        int ms = (int) strtol(timeout + 8, NULL, 10);
        ck_assert_msg(ms > 99000 && ms <= 100000, "timeout %d ms", ms);
        ran_free(&ran);
    }
    fake_stop(&fake);
}
END_TEST

/* -- Waiting -------------------------------------------------------------------------------------
 */

static void silent_request(struct rdsn_incoming *incoming, const void *arg)
{
    (void) arg;
    rdsn_server_drop(incoming);
}

/* Whether the last second is told before the time is over is chance. */
static void drop_line(char *text, const char *line)
{
    char *at = strstr(text, line);
    if (at)
        memmove(at, at + strlen(line), strlen(at + strlen(line)) + 1);
}

START_TEST(timed_out)
{
    struct fake fake;
    fake_start(&fake, silent_request, NULL);
    struct ran ran = run_line(fake.node, WIRE_PEER_25, "recover -w 2 -s " NODES);
    drop_line(ran.out, "Wait recovery for 1 seconds\n");
    ck_assert_str_eq(ran.out, HEADER("2", "false", "false") LIST RULE
                     "Wait recovery for 0 seconds\n"
                     "Wait recovery failed, administrator should check the meta for progress\n"
                     "Recover result: ERR_TIMEOUT\n");
    ck_assert_int_eq(ran.status, SHELL_FAILED);
    ran_free(&ran);
    fake_stop(&fake);
}
END_TEST

START_TEST(nobody)
{
    char node[ADDRESS_TEXT_MAX];
    fake_refused(node);
    struct ran ran = run_line(node, WIRE_PEER_25, "recover -s " NODES);
    ck_assert_str_eq(ran.out, HEADER("100", "false", "false") LIST RULE
                     "Recover result: ERR_NETWORK_FAILURE\n");
    ck_assert_ptr_nonnull(strstr(ran.err, node));
    ck_assert_int_eq(ran.status, SHELL_FAILED);
    ran_free(&ran);
}
END_TEST

/* -- Arguments -----------------------------------------------------------------------------------
 */

static const struct {
    const char *options, *err;
    bool usage;
} wrong[] = {
    { "", "should specify one of node_list_file/node_list_str\n", true },
    { "-f x -s y:1", "should only specify one of node_list_file/node_list_str\n", true },
    { "-s a:1 -w 0", "invalid wait_seconds 0, should be positive number\n", true },
    { "-s a:1 -w -5", "invalid wait_seconds -5, should be positive number\n", true },
    { "-s a:1 -w x", "parse x as wait_seconds failed\n", false },
    { "-s a:1 -w 1000001", "parse 1000001 as wait_seconds failed\n", false },
    { "-s a:1 -z", "", true },
    { "-s", "", true },
    { "-s a:1 more", "", true },
    { "-s foo", "parse foo as a host:port node failed\n", false },
    { "-s 127.0.0.1:1,foo:0", "parse foo:0 as a host:port node failed\n", false },
    { "-s host.invalid:1", "parse host.invalid:1 as a host:port node failed\n", false },
    { "-s ,,", "can't parse node from node_list_str\n", false },
};

START_TEST(arguments)
{
    struct buf line = { 0 };
    buf_printf(&line, "recover %s", wrong[_i].options);
    struct ran ran = run_line("127.0.0.1:1", WIRE_PEER_25, line.data);
    size_t size = strlen(wrong[_i].err);
    ck_assert_int_eq(ran.status, SHELL_USAGE);
    ck_assert_str_eq(ran.out, "");
    ck_assert_msg(strncmp(ran.err, wrong[_i].err, size) == 0, "%s", ran.err);
    if (wrong[_i].usage)
        ck_assert_msg(strncmp(ran.err + size, USAGE_RECOVER, strlen(USAGE_RECOVER)) == 0, "%s",
                      ran.err);
    else
        ck_assert_str_eq(ran.err + size, "");
    ran_free(&ran);
    buf_done(&line);
}
END_TEST

/* A file of nodes, by its text. */
static void check_file(const char *metas, const char *text, size_t size, int status,
                       const char *out, const char *err)
{
    char *directory = test_directory();
    struct buf line = { 0 };
    ck_assert_int_eq(chdir(directory), 0);
    FILE *file = fopen("nodes", "w");
    ck_assert_uint_eq(fwrite(text, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
    check_line(metas, "recover -f nodes", status, out, err);
    ck_assert_int_eq(chdir("/"), 0);
    buf_done(&line);
    free(directory);
}

START_TEST(files)
{
    static const struct {
        const char *text;
        int status;
        const char *err;
    } cases[] = {
        { "\n# comment\n; comment\n", SHELL_FAILED, "no node specified in file nodes\n" },
        { "", SHELL_FAILED, "no node specified in file nodes\n" },
        { "127.0.0.1:1\nnot-an-address\n", SHELL_FAILED,
          "parse not-an-address at file nodes line 2 as host:port failed\n" },
        { "# x\n\n127.0.0.1:1 # trailing\n", SHELL_FAILED,
          "parse 127.0.0.1:1 # trailing at file nodes line 3 as host:port failed\n" },
        { "127.0.0.1:70000", SHELL_FAILED,
          "parse 127.0.0.1:70000 at file nodes line 1 as host:port failed\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_file("127.0.0.1:1", cases[i].text, strlen(cases[i].text), cases[i].status, "",
                   cases[i].err);
    check_file("127.0.0.1:1", "127.0.0.1:1\n\0", 13, SHELL_FAILED, "",
               "file nodes is no list of nodes: a NUL character at line 2\n");
    check_line("127.0.0.1:1", "recover -f /nonexistent", SHELL_FAILED, "",
               "open file /nonexistent failed\n");
    struct fake fake;
    static const char good[] = "# all\n  127.0.0.1:34801  \r\n\n;\n127.0.0.2:34802";
    fake_start(&fake, recover_request, "ERR_OK");
    check_file(fake.node, good, strlen(good), SHELL_OK, answers[0].out, "");
    fake_stop(&fake);
}
END_TEST

/* As many nodes as there may be, and one more; a file as long as it may be, and longer. */
START_TEST(limits)
{
    struct fake fake;
    struct buf text = { 0 }, out = { 0 };
    fake_start(&fake, recover_request, "ERR_OK");
    buf_text(&out, HEADER("100", "false", "false"));
    for (int i = 0; i < BR_NODES_MAX; i++) {
        buf_printf(&text, "10.0.0.1:%d\n", i + 1);
        buf_printf(&out, "10.0.0.1:%d\n", i + 1);
    }
    buf_text(&out, RULE "Recover result: ERR_OK\n");
    check_file(fake.node, text.data, text.size, SHELL_OK, out.data, "");
    buf_text(&text, "10.0.0.1:60000\n");
    check_file(fake.node, text.data, text.size, SHELL_USAGE, "",
               "4097 nodes are given, more than 4096\n");
    buf_clear(&text);
    buf_text(&text, "127.0.0.1:34801\n127.0.0.2:34802\n#");
    while (text.size < SHELL_FILE_MAX)
        buf_char(&text, 'x');
    check_file(fake.node, text.data, text.size, SHELL_OK, answers[0].out, "");
    buf_char(&text, 'x');
    check_file(fake.node, text.data, text.size, SHELL_FAILED, "",
               "file nodes is no list of nodes: too long at line 3\n");
    fake_stop(&fake);
    buf_done(&text);
    buf_done(&out);
}
END_TEST

START_TEST(into_a_file)
{
    struct fake fake;
    struct buf line = { 0 }, got = { 0 };
    char *directory = test_directory();
    fake_start(&fake, recover_request, "ERR_OK");
    buf_printf(&line, "recover -s " NODES " -o %s/out", directory);
    check_line(fake.node, line.data, SHELL_OK, "recover complete with err = ERR_OK\n", "");
    buf_clear(&line);
    buf_printf(&line, "%s/out", directory);
    ck_assert(test_read(line.data, &got));
    ck_assert_str_eq(got.data, answers[0].out);
    check_line(fake.node, "recover -s " NODES " -o /nowhere/x", SHELL_FAILED, "",
               "open output file /nowhere/x failed: No such file or directory\n");
    fake_stop(&fake);
    buf_done(&line);
    buf_done(&got);
    free(directory);
}
END_TEST

TCase *test_shell_recover(void)
{
    TCase *tcase = tcase_create("recover");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, answered, 0, sizeof answers / sizeof *answers);
    tcase_add_test(tcase, request);
    tcase_add_test(tcase, timed_out);
    tcase_add_test(tcase, nobody);
    tcase_add_loop_test(tcase, arguments, 0, sizeof wrong / sizeof *wrong);
    tcase_add_test(tcase, files);
    tcase_add_test(tcase, limits);
    tcase_add_test(tcase, into_a_file);
    return tcase;
}
