/* test_shell_ddd -- ddd_diagnose: what it shows, recommends, asks and proposes; and the remote
 * commands: remote_command, recovery_status, release and freeze, recover --cold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/test_shell.h"

#define DDD     "RPC_CM_DDD_DIAGNOSE"
#define PROPOSE "RPC_CM_PROPOSE_BALANCER"
#define CLI     "RPC_CLI_CLI_CALL"
#define INFO    "RPC_CM_CLUSTER_INFO"
#define END                                                                                        \
    {                                                                                              \
        NULL, NULL, 0, NULL                                                                        \
    }
#define NODE(n) address_make(0x7f000000u + (n), 34801)

/* Partition 2.1, of which nodes 1, 2 and 3 had replicas; 2 and 3 were dropped last. */
struct dead {
    struct msg_ddd_node_info nodes[3];
    uint64_t drops[3];
    struct host_port names[3];
    struct msg_ddd_partition_info info;
    struct msg_ddd_diagnose_response response;
};

static void dead_init(struct dead *dead)
{
    static const char *const hosts[] = { "127.0.0.1", "127.0.0.2", "127.0.0.3" };
    for (uint32_t i = 0; i < 3; i++) {
        struct msg_ddd_node_info *node = &dead->nodes[i];
        wire_init(&wire_ddd_node_info, node);
        node->node = dead->drops[i] = NODE(i + 1);
        node->drop_time_ms = 1795396367123;
        node->is_alive = node->is_collected = true;
        node->ballot = 5;
        node->last_committed_decree = 100;
        node->last_prepared_decree = 101;
        dead->names[i] = (struct host_port){ hosts[i], 34801, 1 };
    }
    wire_init(&wire_ddd_partition_info, &dead->info);
    dead->info.config.pid = (struct gpid){ 2, 1 };
    dead->info.config.ballot = 6;
    dead->info.config.last_committed_decree = 100;
    dead->info.config.last_drops = (struct wire_list){ .items = dead->drops, .count = 3 };
    dead->info.dropped = (struct wire_list){ .items = dead->nodes, .count = 3 };
    dead->info.reason = "all are gone\033";
    wire_init(&wire_ddd_diagnose_response, &dead->response);
    dead->response.err = "ERR_OK";
    dead->response.partitions = (struct wire_list){ .items = &dead->info, .count = 1 };
}

#define DROPPED(i, node, mark)                                                                     \
    "    dropped[" i "]: node(" node "), drop_time(2026-11-23 01:12:47.123), alive(true), "        \
    "collected(true), ballot(5), last_committed(100), last_prepared(101)" mark "\n"
#define SHOWN                                                                                      \
    "Total 1 ddd partitions:\n\n(1) 2.1\n    config: ballot(6), last_committed(100)\n    "         \
    "----\n" DROPPED("0", "127.0.0.1:34801", "") DROPPED("1", "127.0.0.2:34801",                   \
                                                         "  <== the secondary latest")             \
        DROPPED("2", "127.0.0.3:34801",                                                            \
                "  <== the latest") "    ----\n    last_drops[0]: node(127.0.0.1:34801)\n"         \
                                    "    last_drops[1]: node(127.0.0.2:34801)  <== the secondary " \
                                    "latest\n"                                                     \
                                    "    last_drops[2]: node(127.0.0.3:34801)  <== the latest\n"   \
                                    "    ----\n    ddd_reason: all are gone?\n"
#define LATEST "    ----\n    recommend_primary: 127.0.0.3:34801  <== the latest\n"
#define SURE   "    > Are you sure to use the recommend primary? [y/n/s(skip)]: "
#define WHICH  "    > Please input the primary node: "
#define PROPOSED(node, error)                                                                      \
    "    propose_request: propose -g 2.1 -p ASSIGN_PRIMARY -t " node " -n " node "\n"              \
    "    propose_response: " error "\n"
#define COUNT(n) "\nProposed count: " n "/1\n\nDiagnose ddd done.\n"
#define NOBODY   "nobody answers: the rest is only shown; --skip_prompt asks nothing\n"

static const struct {
    const char *line, *input, *proposal; /* proposal: its answer; NULL: none is made */
    const char *out, *err;
    int status;
    uint32_t primary; /* whose number */
} dialogs[] = {
    { "ddd_diagnose", NULL, NULL, SHOWN COUNT("0"),
      "hint: ddd_diagnose -d proposes a primary for each\n", SHELL_OK, 0 },
    { "ddd_diagnose -d", "y\n", "ERR_OK",
      SHOWN LATEST SURE PROPOSED("127.0.0.3:34801", "ERR_OK") COUNT("1"), "", SHELL_OK, 3 },
    { "ddd_diagnose -d -s", NULL, "ERR_OK",
      SHOWN LATEST PROPOSED("127.0.0.3:34801", "ERR_OK") COUNT("1"), "", SHELL_OK, 3 },
    { "ddd_diagnose -d -a", NULL, "ERR_INVALID_PARAMETERS",
      SHOWN LATEST PROPOSED("127.0.0.3:34801", "ERR_INVALID_PARAMETERS") COUNT("1"), "",
      SHELL_FAILED, 3 },
    { "ddd_diagnose -d", "x\n s \n", NULL,
      SHOWN LATEST SURE SURE "    > You have choosed to skip diagnosing this partition.\n"
                             "    propose_request: none\n" COUNT("0"),
      "", SHELL_OK, 0 },
    { "ddd_diagnose -d", "n\nnonsense\n127.0.0.1:34801\n", "ERR_OK",
      SHOWN LATEST SURE WHICH
      "    > Sorry, you have input an invalid node address.\n" WHICH PROPOSED("127.0.0.1:34801",
                                                                              "ERR_OK") COUNT("1"),
      "", SHELL_OK, 1 },
    { "ddd_diagnose -d", NULL, NULL, SHOWN LATEST SURE "\n    propose_request: none\n" COUNT("0"),
      NOBODY, SHELL_FAILED, 0 },
    { "ddd_diagnose -d", "n\n", NULL,
      SHOWN LATEST SURE WHICH "\n    propose_request: none\n" COUNT("0"), NOBODY, SHELL_FAILED, 0 },
};

START_TEST(dialog)
{
    struct script script;
    struct dead dead;
    dead_init(&dead);
    const char *answer = dialogs[_i].proposal;
    script_start(&script, (struct step[]){ { DDD, "ERR_OK", 0, &dead.response },
                                           { answer ? PROPOSE : NULL, answer, 0, NULL },
                                           END });
    script_line(&script, WIRE_PEER_25, dialogs[_i].line, dialogs[_i].input, dialogs[_i].status,
                dialogs[_i].out, dialogs[_i].err);
    if (answer) {
        struct msg_configuration_balancer_request request;
        struct arena arena;
        arena_init(&arena, 0);
        script_request(&script, 1, &wire_configuration_balancer_request, &arena, &request);
        const struct msg_configuration_proposal_action *action = request.action_list.items;
        ck_assert_int_eq(request.gpid.app_id, 2);
        ck_assert_int_eq(request.gpid.partition, 1);
        ck_assert_int_eq(action->type, 1);
        ck_assert(!request.force);
        ck_assert_uint_eq(action->target, NODE(dialogs[_i].primary));
        ck_assert_uint_eq(action->node, NODE(dialogs[_i].primary));
        arena_done(&arena);
    }
    script_stop(&script);
}
END_TEST

/* Which of nodes 2 (last but one) and 3 (last) is recommended. */
static const struct {
    int64_t committed[2], ballot[2];
    bool alive[2], collected[2];
    uint32_t drops;
    const char *primary; /* "" none */
} recommended[] = {
    { { 100, 100 }, { 5, 5 }, { true, true }, { true, true }, 3, "127.0.0.3:34801" },
    { { 100, 100 }, { 6, 5 }, { true, true }, { true, true }, 3, "127.0.0.2:34801" },
    { { 101, 100 }, { 5, 6 }, { true, true }, { true, true }, 3, "127.0.0.2:34801" },
    { { 100, 101 }, { 6, 5 }, { true, true }, { true, true }, 3, "127.0.0.3:34801" },
    { { 99, 99 }, { 5, 5 }, { true, true }, { true, true }, 3, "" },
    { { 99, 100 }, { 9, 5 }, { true, true }, { true, true }, 3, "127.0.0.3:34801" },
    { { 100, 100 }, { 5, 5 }, { true, false }, { true, true }, 3, "127.0.0.2:34801" },
    { { 100, 100 }, { 5, 5 }, { true, true }, { false, true }, 3, "127.0.0.3:34801" },
    { { 99, 100 }, { 5, 5 }, { true, true }, { true, false }, 3, "" },
    { { 100, 100 }, { 5, 5 }, { false, false }, { true, true }, 3, "" },
    { { 100, 100 }, { 5, 5 }, { true, true }, { true, true }, 1, "" },
    { { 100, 100 }, { 5, 5 }, { true, true }, { true, true }, 0, "" },
};

START_TEST(recommend)
{
    struct script script;
    struct dead dead;
    struct buf want = { 0 };
    dead_init(&dead);
    for (int i = 0; i < 2; i++) {
        dead.nodes[i + 1].last_committed_decree = recommended[_i].committed[i];
        dead.nodes[i + 1].ballot = recommended[_i].ballot[i];
        dead.nodes[i + 1].is_alive = recommended[_i].alive[i];
        dead.nodes[i + 1].is_collected = recommended[_i].collected[i];
    }
    dead.info.config.last_drops.count = recommended[_i].drops;
    bool any = *recommended[_i].primary;
    buf_printf(&want, "\"recommend_primary\": \"%s\",\n            \"propose_response\": \"%s\"",
               recommended[_i].primary, any ? "ERR_OK" : "");
    script_start(&script, (struct step[]){ { DDD, "ERR_OK", 0, &dead.response },
                                           { any ? PROPOSE : NULL, "ERR_OK", 0, NULL },
                                           END });
    struct ran ran = run_line(script.fake.node, WIRE_PEER_25, "ddd_diagnose -d -s -j");
    ck_assert_msg(strstr(ran.out, want.data) != NULL, "%s", ran.out);
    ck_assert_int_eq(ran.status, SHELL_OK);
    ck_assert_uint_eq(script.taken->count, any ? 2 : 1);
    ran_free(&ran);
    buf_done(&want);
    script_stop(&script);
}
END_TEST

START_TEST(ddd_json)
{
    struct script script;
    struct dead dead;
    dead_init(&dead);
    dead.info.dropped.count = 1;
    dead.nodes[0].node = NODE(3);
    for (uint32_t i = 0; i < 2; i++) { /* once by address, once by name */
        if (i == 1) {
            dead.info.config.hp_last_drops = (struct wire_list){ .items = dead.names, .count = 3 };
            WIRE_SET(&dead.info.config, 11);
            dead.nodes[0].hp_node = dead.names[2];
            WIRE_SET(&dead.nodes[0], 8);
        }
        script_start(&script, (struct step[]){ { DDD, "ERR_OK", 0, &dead.response }, END });
        script_line(&script, WIRE_PEER_25, "ddd_diagnose -j -g 2", NULL, SHELL_OK,
                    "{\n    \"ddd_partitions\": {\n        \"2.1\": {\n"
                    "            \"pid\": \"2.1\",\n            \"ballot\": \"6\",\n"
                    "            \"last_committed\": \"100\",\n"
                    "            \"reason\": \"all are gone\\u001B\",\n"
                    "            \"recommend_primary\": \"127.0.0.3:34801\",\n"
                    "            \"propose_response\": \"\"\n        }\n    },\n"
                    "    \"dropped\": {\n        \"2.1@127.0.0.3:34801\": {\n"
                    "            \"replica\": \"2.1@127.0.0.3:34801\",\n"
                    "            \"pid\": \"2.1\",\n            \"node\": \"127.0.0.3:34801\",\n"
                    "            \"drop_time\": \"2026-11-23 01:12:47.123\",\n"
                    "            \"alive\": \"true\",\n            \"collected\": \"true\",\n"
                    "            \"ballot\": \"5\",\n            \"last_committed\": \"100\",\n"
                    "            \"last_prepared\": \"101\",\n"
                    "            \"dropped_last\": \"latest\"\n        }\n    }\n}\n",
                    "");
        script_stop(&script);
    }
}
END_TEST

/* What is asked for, and an error. */
START_TEST(ddd_request)
{
    static const struct {
        const char *line;
        struct gpid pid;
    } asked[] = {
        { "ddd_diagnose", { -1, -1 } },
        { "ddd_diagnose -g 2", { 2, -1 } },
        { "ddd_diagnose -g 2.5", { 2, 5 } },
    };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct script script;
        struct msg_ddd_diagnose_request request;
        struct arena arena;
        arena_init(&arena, 0);
        script_start(&script, (struct step[]){ { DDD, "ERR_APP_NOT_EXIST", 0, NULL }, END });
        script_line(&script, WIRE_PEER_25, asked[i].line, NULL, SHELL_FAILED, "",
                    "ERROR: DDD diagnose failed with err = ERR_APP_NOT_EXIST\n"
                    "hint: ls -a lists the tables, dropped ones too\n");
        script_request(&script, 0, &wire_ddd_diagnose_request, &arena, &request);
        ck_assert_int_eq(request.pid.app_id, asked[i].pid.app_id);
        ck_assert_int_eq(request.pid.partition, asked[i].pid.partition);
        script_stop(&script);
        arena_done(&arena);
    }
}
END_TEST

START_TEST(ddd_into_a_file)
{
    struct script script;
    struct dead dead;
    struct buf line = { 0 }, got = { 0 };
    char *directory = test_directory();
    dead_init(&dead);
    buf_printf(&line, "ddd_diagnose -d -s -o %s/out", directory);
    script_start(&script, (struct step[]){ { DDD, "ERR_OK", 0, &dead.response },
                                           { PROPOSE, "ERR_OK", 0, NULL },
                                           END });
    script_line(&script, WIRE_PEER_25, line.data, NULL, SHELL_OK, "Diagnose ddd done.\n", "");
    script_stop(&script);
    buf_clear(&line);
    buf_printf(&line, "%s/out", directory);
    ck_assert(test_read(line.data, &got));
    ck_assert_str_eq(
        got.data, SHOWN LATEST PROPOSED("127.0.0.3:34801", "ERR_OK") "\nProposed count: 1/1\n\n");
    script_start(&script, (struct step[]){ { DDD, "ERR_OK", 0, &dead.response }, END });
    script_line(&script, WIRE_PEER_25, "ddd_diagnose -o /nowhere/out", NULL, SHELL_FAILED, "",
                "open output file /nowhere/out failed: No such file or directory\n");
    script_stop(&script);
    buf_done(&line);
    buf_done(&got);
    free(directory);
}
END_TEST

/* -- Remote commands ---------------------------------------------------------------------------
 */

static void check_command(const struct script *script, uint32_t index, const char *want)
{
    struct msg_command command;
    struct arena arena;
    struct buf got = { 0 };
    arena_init(&arena, 0);
    script_request(script, index, &wire_command, &arena, &command);
    buf_text(&got, command.cmd);
    for (uint32_t i = 0; i < command.arguments.count; i++)
        buf_printf(&got, "|%s", ((const char *const *) command.arguments.items)[i]);
    ck_assert_str_eq(buf_string(&got), want);
    buf_done(&got);
    arena_done(&arena);
}

static const struct {
    const char *line, *reply, *command, *message, *sent;
} remotes[] = {
    { "remote_command -t meta-server help", "a\nb", "help", "\"a\\nb\"", "help" },
    { "remote_command help x -t meta-server", "{\"b\": [1, true], \"a\": {}}", "help x",
      "{\n        \"a\": {},\n        \"b\": [\n          1,\n          true\n        ]\n      }",
      "help|x" },
    { "remote_command -t meta-server -- do -j 'a b'", "{\"a\"", "do -j a b", "\"{\\\"a\\\"\"",
      "do|-j|a b" },
    { "remote_command -t meta-server x", "\xff\xfe", "x", "\"\xff\xfe\"", "x" },
    { "remote_command -t meta-server x", "", "x", "\"\"", "x" },
};

START_TEST(remote)
{
    struct script script;
    struct buf want = { 0 };
    script_start(&script, (struct step[]){ { CLI, remotes[_i].reply, 0, NULL }, END });
    buf_printf(&want,
               "{\n  \"command\": \"%s\",\n  \"details\": {\n    \"%s\": {\n"
               "      \"acked\": true,\n      \"message\": %s,\n"
               "      \"role\": \"meta-server\"\n    }\n  },\n"
               "  \"failed_count\": 0,\n  \"succeed_count\": 1\n}\n",
               remotes[_i].command, script.fake.node, remotes[_i].message);
    script_line(&script, WIRE_PEER_25, remotes[_i].line, NULL, SHELL_OK, want.data, "");
    check_command(&script, 0, remotes[_i].sent);
    script_stop(&script);
    buf_done(&want);
}
END_TEST

static const struct {
    const char *line, *reply, *sent;
    int status;
    const char *out, *err;
} statuses[] = {
    { "recovery_status", "state: idle\n", "bridle.recovery", SHELL_OK, "state: idle\n", "" },
    { "recovery_status", "a\033b", "bridle.recovery", SHELL_OK, "a?b\n", "" },
    { "recovery_status -j", "{\"state\": \"idle\"}", "bridle.recovery|-j", SHELL_OK,
      "{\"state\": \"idle\"}\n", "" },
    { "recovery_status", "unknown command 'bridle.recovery'", "bridle.recovery", SHELL_FAILED,
      "get recovery status failed, error=ERR_HANDLER_NOT_FOUND\n",
      "the meta server that leads is no bridled: cluster_info tells which one it is\n" },
};

START_TEST(recovery_status)
{
    struct script script;
    script_start(&script, (struct step[]){ { INFO, "ERR_UNDER_RECOVERY", 0, NULL },
                                           { CLI, statuses[_i].reply, 0, NULL },
                                           END });
    script_line(&script, WIRE_PEER_25, statuses[_i].line, NULL, statuses[_i].status,
                statuses[_i].out, statuses[_i].err);
    check_command(&script, 1, statuses[_i].sent);
    script_stop(&script);
}
END_TEST

/* The one that leads is asked, not the first of the list. */
static void follower_request(struct rdsn_incoming *incoming, const void *arg)
{
    struct buf body = { 0 };
    if (strcmp(incoming->header.rpc_name, INFO) != 0)
        abort();
    wire_encode_value(WIRE_ADDRESS, arg, &body);
    rdsn_server_reply(incoming, "ERR_FORWARD_TO_OTHERS", buf_bytes(&body));
    buf_done(&body);
}

START_TEST(recovery_status_of_the_leader)
{
    struct script leader;
    struct fake follower;
    script_start(&leader, (struct step[]){ { INFO, "ERR_UNDER_RECOVERY", 0, NULL },
                                           { CLI, "leading", 0, NULL },
                                           END });
    fake_start(&follower, follower_request, &leader.fake.address);
    check_line(follower.node, "recovery_status", SHELL_OK, "leading\n", "");
    ck_assert_uint_eq(leader.taken->count, 2);
    fake_stop(&follower);
    script_stop(&leader);
}
END_TEST

START_TEST(recovery_status_unreachable)
{
    char node[ADDRESS_TEXT_MAX];
    fake_refused(node);
    struct ran ran = run_line(node, WIRE_PEER_25, "recovery_status");
    ck_assert_str_eq(ran.out, "get recovery status failed, error=ERR_NETWORK_FAILURE\n");
    ck_assert_ptr_nonnull(strstr(ran.err, node));
    ck_assert_int_eq(ran.status, SHELL_FAILED);
    ran_free(&ran);
}
END_TEST

/* -- release, freeze, freeze_status ------------------------------------------------------------ */

#define FROZEN "{\"serving\":true,\"cluster\":\"c1\",\"meta_level\":\"lively\",\"collectable\":7}"
#define FREEZE_HELP                                                                                \
    "A release lets the meta servers of cluster 'c1' tell replica servers to delete\n"             \
    "replicas: those of dropped tables whose reserve time is over, at level lively. It\n"          \
    "also lets a server that holds more of a partition than its group lose what is more.\n"        \
    "It holds until `freeze`, for every leader to come.\n"                                         \
    "Replicas that could be deleted now: 7 (level lively)\n"                                       \
    "Type the cluster's name to release it: "

static const struct {
    const char *line, *input, *status; /* what bridle.frozen -j says; NULL: it is not asked */
    const char *reply;                 /* to the order; NULL: none is given */
    int want;
    const char *out, *err;
} orders[] = {
    { "release -y c1", NULL, FROZEN, "OK", SHELL_OK, "release succeed\n", "" },
    { "release -j --yes-i-mean c1", NULL, FROZEN, "OK", SHELL_OK,
      "{\"ok\":true,\"answer\":\"OK\"}\n", "" },
    { "release -y c2", NULL, FROZEN, NULL, SHELL_FAILED, "release failed\n",
      "that is not the cluster's name: nothing was released\n" },
    { "release", "c1\n", FROZEN, "OK", SHELL_OK, FREEZE_HELP "release succeed\n", "" },
    { "release", "yes\n", FROZEN, NULL, SHELL_FAILED, FREEZE_HELP "release failed\n",
      "that is not the cluster's name: nothing was released\n" },
    { "release", "", FROZEN, NULL, SHELL_FAILED, FREEZE_HELP "\nrelease failed\n",
      "that is not the cluster's name: nothing was released\n" },
    { "release -y c1", NULL, FROZEN, "ERROR: a\033b", SHELL_FAILED, "release failed\n",
      "ERROR: a?b\n" },
    { "release -y c1", NULL, "{\"serving\":false,\"leader\":\"m2:34601\"}", NULL, SHELL_FAILED,
      "release failed, error=ERR_SERVICE_NOT_ACTIVE\n",
      "the meta server that was asked does not serve; m2:34601 leads\n" },
    { "release -y c1", NULL, "no json", NULL, SHELL_FAILED,
      "release failed, error=ERR_SERVICE_NOT_ACTIVE\n",
      "the meta server that was asked does not serve\n" },
    { "freeze", NULL, NULL, "OK", SHELL_OK, "freeze succeed\n", "" },
    { "freeze -j", NULL, NULL, "ERROR: no", SHELL_FAILED,
      "{\"ok\":false,\"answer\":\"ERROR: no\"}\n", "" },
    { "freeze", NULL, NULL, "unknown command 'bridle.freeze'", SHELL_FAILED,
      "freeze failed, error=ERR_HANDLER_NOT_FOUND\n",
      "the meta server that leads is no bridled, or an older one: cluster_info tells which one it "
      "is\n" },
    { "freeze_status", NULL, NULL, "frozen: so\n", SHELL_OK, "frozen: so\n", "" },
    { "freeze_status --json", NULL, NULL, "{}", SHELL_OK, "{}\n", "" },
};

START_TEST(the_operators_word)
{
    struct script script;
    struct step steps[5];
    struct msg_cluster_info_response leads;
    int count = 0;
    wire_init(&wire_cluster_info_response, &leads);
    leads.err = "ERR_OK";
    for (int i = 0; i < 2; i++) {
        const char *reply = i ? orders[_i].reply : orders[_i].status;
        if (!reply)
            continue;
        steps[count++] = (struct step){ INFO, "ERR_OK", 0, &leads };
        steps[count++] = (struct step){ CLI, reply, 0, NULL };
    }
    steps[count] = (struct step) END;
    script_start(&script, steps);
    script_line(&script, WIRE_PEER_25, orders[_i].line, orders[_i].input, orders[_i].want,
                orders[_i].out, orders[_i].err);
    script_stop(&script);
}
END_TEST

/* -- recover --cold ----------------------------------------------------------------------------
 */

START_TEST(cold)
{
    static const char *const options[] = { "-c", "--cold", "--all-cold" };
    struct msg_configuration_recovery_response response;
    wire_init(&wire_configuration_recovery_response, &response);
    response.err = "ERR_OK";
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        struct script script;
        struct buf line = { 0 };
        buf_printf(&line, "recover -s 127.0.0.1:34801 %s", options[i]);
        script_start(&script, (struct step[]){ { INFO, "ERR_UNDER_RECOVERY", 0, NULL },
                                               { CLI, "OK", 0, NULL },
                                               { "RPC_CM_START_RECOVERY", "ERR_OK", 0, &response },
                                               END });
        script_line(&script, WIRE_PEER_25, line.data, NULL, SHELL_OK,
                    "Wait seconds: 100\nSkip bad nodes: false\nSkip lost partitions: false\n"
                    "Node list:\n" SHELL_RULE "\n127.0.0.1:34801\n" SHELL_RULE
                    "\nRecover result: ERR_OK\n",
                    "");
        check_command(&script, 1, "bridle.all-cold|true");
        script_stop(&script);
        buf_done(&line);
    }
}
END_TEST

/* A server that does not take it is not told to recover. */
START_TEST(cold_refused)
{
    struct script script;
    script_start(&script, (struct step[]){ { INFO, "ERR_UNDER_RECOVERY", 0, NULL },
                                           { CLI, "unknown command 'bridle.all-cold'", 0, NULL },
                                           END });
    script_line(&script, WIRE_PEER_25, "recover -s 127.0.0.1:34801 -c", NULL, SHELL_FAILED, "",
                "--cold failed: the meta server, which must be a bridled, said: unknown command "
                "'bridle.all-cold'\nnothing was recovered\n");
    script_stop(&script);
    char node[ADDRESS_TEXT_MAX];
    fake_refused(node);
    struct ran ran = run_line(node, WIRE_PEER_25, "recover -s 127.0.0.1:34801 -c");
    ck_assert_str_eq(ran.out, "");
    ck_assert_ptr_nonnull(
        strstr(ran.err, "--cold failed, error=ERR_NETWORK_FAILURE: nothing was recovered\n"));
    ck_assert_int_eq(ran.status, SHELL_FAILED);
    ran_free(&ran);
}
END_TEST

TCase *test_shell_ddd(void)
{
    TCase *tcase = tcase_create("ddd");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, dialog, 0, sizeof dialogs / sizeof *dialogs);
    tcase_add_loop_test(tcase, recommend, 0, sizeof recommended / sizeof *recommended);
    tcase_add_test(tcase, ddd_json);
    tcase_add_test(tcase, ddd_request);
    tcase_add_test(tcase, ddd_into_a_file);
    tcase_add_loop_test(tcase, remote, 0, sizeof remotes / sizeof *remotes);
    tcase_add_loop_test(tcase, recovery_status, 0, sizeof statuses / sizeof *statuses);
    tcase_add_test(tcase, recovery_status_of_the_leader);
    tcase_add_test(tcase, recovery_status_unreachable);
    tcase_add_loop_test(tcase, the_operators_word, 0, sizeof orders / sizeof *orders);
    tcase_add_test(tcase, cold);
    tcase_add_test(tcase, cold_refused);
    return tcase;
}
