/* test_shell_table -- the commands that change tables and what the meta server does by itself: what
 * they send, byte for byte as the real shell does where that was captured, and what they print. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/test_shell.h"

#define GOLDEN  "golden/rpc/"
#define CREATE  "RPC_CM_CREATE_APP"
#define QUERY   "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX"
#define ENV     "RPC_CM_UPDATE_APP_ENV"
#define LEVEL   "RPC_CM_CONTROL_META"
#define MISSING "hint: ls -a lists the tables, dropped ones too\n"

/* One line, the requests it makes, what it prints; `same`: the first request, captured. */
struct told {
    const char *line;
    struct step steps[8];
    int status;
    const char *out, *err, *same;
};

static void check_told(const struct told *told)
{
    struct script script;
    script_start(&script, told->steps);
    script_line(&script, WIRE_PEER_25, told->line, NULL, told->status, told->out, told->err);
    if (told->same)
        script_same(&script, 0, told->same);
    script_stop(&script);
}

static const struct told tables[] = {
    { "create t1 -p 4 -r 3 -e "
      "rocksdb.usage_scenario=normal,,replica.slow_query_threshold=100",
      { { CREATE, "ERR_OK", 1, NULL }, { QUERY, "ERR_OK", 1, NULL }, { QUERY, "ERR_OK", 4, NULL } },
      SHELL_OK,
      "create app t1 succeed, waiting for app ready\n"
      "t1 not ready yet, still waiting... (1/4)\n"
      "t1 is ready now: (4/4)\nt1 is ready now!\ncreate app \"t1\" succeed\n",
      "",
      "golden/G_envs/msgs/00026_RPC_CM_CREATE_APP.req.bin" },
    { "create foo",
      { { CREATE, "ERR_UNDER_RECOVERY", 0, NULL } },
      SHELL_FAILED,
      "create app foo failed: [create] received server error: ERR_UNDER_RECOVERY\n"
      "create app \"foo\" failed, error = ERR_UNDER_RECOVERY\n",
      "hint: the meta server waits for a recovery: see help recover, and recovery_status\n",
      GOLDEN "RPC_CM_CREATE_APP/req_00__B_00048.bin" },
    { "create temp -p 8",
      { { CREATE, "ERR_BUSY_DROPPING", 0, NULL },
        { CREATE, "ERR_BUSY_CREATING", 0, NULL },
        { CREATE, "ERR_OK", 1, NULL },
        { QUERY, "ERR_INVALID_STATE", 0, NULL },
        { QUERY, "ERR_OBJECT_NOT_FOUND", 0, NULL } },
      SHELL_FAILED,
      "create app temp succeed, waiting for app ready\n"
      "temp not ready yet, still waiting...\n"
      "create app temp failed: [query] received server error: ERR_OBJECT_NOT_FOUND\n"
      "create app \"temp\" failed, error = ERR_OBJECT_NOT_FOUND\n",
      MISSING,
      "golden/A_boot_create/msgs/00046_RPC_CM_CREATE_APP.req.bin" },
    { "create temp -w 0",
      { { CREATE, "ERR_OK", 1, NULL }, { QUERY, "ERR_OK", 3, NULL } },
      SHELL_FAILED,
      "create app temp succeed, waiting for app ready\n"
      "temp not ready yet, still waiting... (3/4)\n"
      "create app \"temp\" failed, error = ERR_TIMEOUT\n",
      "the table is there, but does not serve after 0 seconds: see app temp -d, nodes\n",
      NULL },
    { "create temp -w 0",
      { { CREATE, "ERR_BUSY_CREATING", 1, NULL } },
      SHELL_FAILED,
      "create app temp failed: [create] received server error: ERR_BUSY_CREATING\n"
      "create app \"temp\" failed, error = ERR_BUSY_CREATING\n",
      "hint: the table is being made: try again, see ls -a\n",
      NULL },
    { "drop t4 -r 864000",
      { { "RPC_CM_DROP_APP", "ERR_BUSY_DROPPING", 0, NULL },
        { "RPC_CM_DROP_APP", "ERR_OK", 0, NULL } },
      SHELL_OK,
      "reserve_seconds = 864000\ndrop app t4 succeed\n",
      "",
      GOLDEN "RPC_CM_DROP_APP/req_00__E_01950.bin" },
    { "drop t4",
      { { "RPC_CM_DROP_APP", "ERR_APP_NOT_EXIST", 0, NULL } },
      SHELL_FAILED,
      "reserve_seconds = 0\ndrop app t4 failed, error=ERR_APP_NOT_EXIST\n",
      MISSING,
      NULL },
    { "recall 2 t4",
      { { "RPC_CM_RECALL_APP", "ERR_APP_EXIST", 0, NULL } },
      SHELL_FAILED,
      "recall app 2 failed, error=ERR_APP_EXIST\n",
      MISSING,
      NULL },
    { "rename t6 t6_renamed",
      { { "RPC_CM_RENAME_APP", "ERR_OK", 0, NULL } },
      SHELL_OK,
      "rename app ok, old_app_name(t6), new_app_name(t6_renamed)\n",
      "",
      GOLDEN "RPC_CM_RENAME_APP/req_00__E_01948.bin" },
    { "rename t6 t7",
      { { "RPC_CM_RENAME_APP", "ERR_INVALID_PARAMETERS|t7 is there\033[1m", 0, NULL } },
      SHELL_FAILED,
      "",
      "rename app failed, old_app_name(t6), new_app_name(t7), failed: ERR_INVALID_PARAMETERS, "
      "t7 is there?[1m\n",
      NULL },
    { "use t1\nset_app_envs replica.slow_query_threshold 100",
      { { ENV, "ERR_OK", 0, NULL } },
      SHELL_OK,
      "set app envs succeed\n",
      "OK\n",
      GOLDEN "RPC_CM_UPDATE_APP_ENV/req_00__E_01944.bin" },
    { "set_app_envs -a t1 replica.slow_query_threshold 100",
      { { ENV, "ERR_INVALID_PARAMETERS|no such env", 0, NULL } },
      SHELL_FAILED,
      "",
      "set app envs failed with error ERR_INVALID_PARAMETERS [hint:\"no such env\"]!\n",
      GOLDEN "RPC_CM_UPDATE_APP_ENV/req_00__E_01944.bin" },
    { "del_app_envs --app t1 a b",
      { { ENV, "ERR_OK|a deleted", 0, NULL } },
      SHELL_OK,
      "del app envs succeed\n" SHELL_RULE "\na deleted\n" SHELL_RULE "\n",
      "",
      NULL },
    { "del_app_envs -a t1 a",
      { { ENV, "ERR_APP_NOT_EXIST", 0, NULL } },
      SHELL_FAILED,
      "",
      "del app env failed with err = ERR_APP_NOT_EXIST\n" MISSING,
      NULL },
    { "clear_app_envs --app t1 -p rocksdb",
      { { ENV, "ERR_OK", 0, NULL } },
      SHELL_OK,
      "clear app envs succeed\n",
      "",
      NULL },
    { "clear_app_envs -a --app t1",
      { { ENV, "ERR_BUSY_DROPPING|wait", 0, NULL } },
      SHELL_FAILED,
      "",
      "clear app envs failed with err = ERR_BUSY_DROPPING\n" SHELL_RULE "\nwait\n" SHELL_RULE
      "\nhint: the table is being dropped: try again, see ls -a\n",
      NULL },
    { "get_meta_level",
      { { LEVEL, "ERR_OK", 400, NULL } },
      SHELL_OK,
      "current meta level is fl_steady\n",
      "",
      GOLDEN "RPC_CM_CONTROL_META/req_00__B_00046.bin" },
    { "get_meta_level -j",
      { { LEVEL, "ERR_OK", 123, NULL } },
      SHELL_OK,
      "{\n    \"meta_level\": {\n        \"meta_level\": \"123\"\n    }\n}\n",
      "",
      NULL },
    { "get_meta_level",
      { { LEVEL, "ERR_UNDER_RECOVERY", 0, NULL } },
      SHELL_FAILED,
      "get meta level got error ERR_UNDER_RECOVERY\n",
      "hint: the meta server waits for a recovery: see help recover, and recovery_status\n",
      NULL },
    { "set_meta_level lively",
      { { LEVEL, "ERR_OK", 300, NULL } },
      SHELL_OK,
      "control meta level ok, the old level is fl_freezed\n",
      "",
      NULL },
    { "set_meta_level blind",
      { { LEVEL, "ERR_SERVICE_NOT_ACTIVE", 0, NULL } },
      SHELL_FAILED,
      "control meta level got error ERR_SERVICE_NOT_ACTIVE\n",
      "hint: the meta server does not serve yet: try again, or see server_info\n",
      NULL },
    { "get_replica_count temp",
      { { "RPC_CM_GET_MAX_REPLICA_COUNT", "ERR_OK", 3, NULL } },
      SHELL_OK,
      "[max_replica_count]\nmax_replica_count  : 3\n",
      "",
      NULL },
    { "get_replica_count -j temp",
      { { "RPC_CM_GET_MAX_REPLICA_COUNT", "ERR_OK", 3, NULL } },
      SHELL_OK,
      "{\n    \"max_replica_count\": {\n        \"max_replica_count\": \"3\"\n    }\n}\n",
      "",
      NULL },
    { "get_replica_count temp",
      { { "RPC_CM_GET_MAX_REPLICA_COUNT", "ERR_APP_NOT_EXIST", 0, NULL } },
      SHELL_FAILED,
      "",
      "get replica count of app(temp) failed: ERR_APP_NOT_EXIST\n" MISSING,
      NULL },
    { "propose -g 2.1 -p ADD_SECONDARY -t 127.0.0.1:1 -n 127.0.0.1:2",
      { { "RPC_CM_PROPOSE_BALANCER", "ERR_OK", 0, NULL } },
      SHELL_OK,
      "send proposal response: ERR_OK\n",
      "",
      NULL },
    { "propose -f -g 2.1 -p REMOVE -t 127.0.0.1:1 -n 127.0.0.1:2",
      { { "RPC_CM_PROPOSE_BALANCER", "ERR_INVALID_PARAMETERS", 0, NULL } },
      SHELL_FAILED,
      "send proposal response: ERR_INVALID_PARAMETERS\n",
      "",
      NULL },
};

START_TEST(told)
{
    check_told(&tables[_i]);
}
END_TEST

/* -- Requests that were not captured -----------------------------------------------------------
 */

START_TEST(level_request)
{
    struct script script;
    struct msg_control_meta_request request;
    struct arena arena;
    arena_init(&arena, 0);
    script_start(&script,
                 (struct step[]){ { LEVEL, "ERR_OK", 400, NULL }, { NULL, NULL, 0, NULL } });
    script_line(&script, WIRE_PEER_25, "set_meta_level stopped", NULL, SHELL_OK,
                "control meta level ok, the old level is fl_steady\n", "");
    script_request(&script, 0, &wire_control_meta_request, &arena, &request);
    ck_assert_int_eq(request.level, 100);
    script_stop(&script);
    arena_done(&arena);
}
END_TEST

START_TEST(env_requests)
{
    static const struct {
        const char *line;
        int32_t op;
        uint32_t keys;
        const char *prefix; /* NULL: not sent */
        const char *out;
    } asked[] = {
        { "set_app_envs -a t -- -k -v k2 v2", 1, 2, NULL, "set app envs succeed\n" },
        { "del_app_envs -a t a b c", 2, 3, NULL, "del app envs succeed\n" },
        { "clear_app_envs --app t --all", 3, 0, "", "clear app envs succeed\n" },
        { "clear_app_envs --app t -p ab", 3, 0, "ab", "clear app envs succeed\n" },
    };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct script script;
        struct msg_update_app_env_request request;
        struct arena arena;
        arena_init(&arena, 0);
        script_start(&script,
                     (struct step[]){ { ENV, "ERR_OK", 0, NULL }, { NULL, NULL, 0, NULL } });
        script_line(&script, WIRE_PEER_25, asked[i].line, NULL, SHELL_OK, asked[i].out, "");
        script_request(&script, 0, &wire_update_app_env_request, &arena, &request);
        ck_assert_str_eq(request.app_name, "t");
        ck_assert_int_eq(request.op, asked[i].op);
        ck_assert_uint_eq(request.keys.count, asked[i].keys);
        ck_assert_int_eq(WIRE_HAS(&request, 3), asked[i].keys > 0);
        ck_assert_int_eq(WIRE_HAS(&request, 4), asked[i].op == 1);
        ck_assert_int_eq(WIRE_HAS(&request, 5), asked[i].prefix != NULL);
        if (asked[i].prefix)
            ck_assert_str_eq(request.clear_prefix, asked[i].prefix);
        if (asked[i].op == 1) {
            ck_assert_str_eq(((const char *const *) request.keys.items)[0], "-k");
            ck_assert_str_eq(((const char *const *) request.keys.items)[1], "k2");
            ck_assert_str_eq(((const char *const *) request.values.items)[0], "-v");
            ck_assert_str_eq(((const char *const *) request.values.items)[1], "v2");
        }
        script_stop(&script);
        arena_done(&arena);
    }
}
END_TEST

/* Hosts beside their addresses only for servers that know them. */
START_TEST(propose_request)
{
    for (enum wire_peer peer = WIRE_PEER_25; peer <= WIRE_PEER_26; peer++) {
        struct script script;
        struct msg_configuration_balancer_request request;
        struct arena arena;
        arena_init(&arena, 0);
        script_start(&script, (struct step[]){ { "RPC_CM_PROPOSE_BALANCER", "ERR_OK", 0, NULL },
                                               { NULL, NULL, 0, NULL } });
        script_line(&script, peer,
                    "propose -f -g 3.7 -p DOWNGRADE_TO_INACTIVE -t localhost:1 -n 127.0.0.2:2",
                    NULL, SHELL_OK, "send proposal response: ERR_OK\n", "");
        script_request(&script, 0, &wire_configuration_balancer_request, &arena, &request);
        const struct msg_configuration_proposal_action *action = request.action_list.items;
        ck_assert_int_eq(request.gpid.app_id, 3);
        ck_assert_int_eq(request.gpid.partition, 7);
        ck_assert(request.force);
        ck_assert_uint_eq(request.action_list.count, 1);
        ck_assert_int_eq(action->type, 6);
        ck_assert_uint_eq(action->target, address_make(0x7f000001, 1));
        ck_assert_uint_eq(action->node, address_make(0x7f000002, 2));
        ck_assert_int_eq(WIRE_HAS(action, 5) && WIRE_HAS(action, 6), peer == WIRE_PEER_26);
        if (peer == WIRE_PEER_26)
            ck_assert_str_eq(action->hp_target.host, "localhost");
        script_stop(&script);
        arena_done(&arena);
    }
}
END_TEST

START_TEST(atomic_request)
{
    struct script script;
    struct msg_create_app_request request;
    struct arena arena;
    arena_init(&arena, 0);
    script_start(&script,
                 (struct step[]){ { CREATE, "ERR_APP_EXIST", 0, NULL }, { NULL, NULL, 0, NULL } });
    script_line(&script, WIRE_PEER_26, "create t -i -f", NULL, SHELL_FAILED,
                "create app t failed: [create] received server error: ERR_APP_EXIST\n"
                "create app \"t\" failed, error = ERR_APP_EXIST\n",
                MISSING);
    script_request(&script, 0, &wire_create_app_request, &arena, &request);
    ck_assert(request.options.atomic_idempotent);
    ck_assert(!request.options.success_if_exist);
    script_stop(&script);
    arena_done(&arena);
    check_line("127.0.0.1:1", "create t -i", SHELL_USAGE, "",
               "--atomic_idempotent needs bridle --pegasus-version 2.6\n");
}
END_TEST

START_TEST(recalled)
{
    struct script script;
    struct msg_recall_app_request request;
    struct msg_recall_app_response response;
    struct arena arena;
    arena_init(&arena, 0);
    wire_init(&wire_recall_app_response, &response);
    response.err = "ERR_OK";
    response.info.app_id = 2;
    response.info.app_name = "temp";
    response.info.partition_count = 4;
    response.info.max_replica_count = 3;
    script_start(&script, (struct step[]){ { "RPC_CM_RECALL_APP", "ERR_OK", 0, &response },
                                           { QUERY, "ERR_OK", 4, NULL },
                                           { NULL, NULL, 0, NULL } });
    script_line(&script, WIRE_PEER_25, "recall 2", NULL, SHELL_OK,
                "recall app ok, id(2), name(temp), partition_count(4), wait it ready\n"
                "temp is ready now: (4/4)\nrecall app 2 succeed\n",
                "");
    script_request(&script, 0, &wire_recall_app_request, &arena, &request);
    ck_assert_int_eq(request.app_id, 2);
    ck_assert_str_eq(request.new_app_name, "");
    script_stop(&script);
    arena_done(&arena);
}
END_TEST

/* -- get_app_envs ------------------------------------------------------------------------------
 */

START_TEST(envs_shown)
{
    struct wire_pair pairs[] = { { "rocksdb.usage_scenario", "normal" },
                                 { "replica.slow_query_threshold", "100" } };
    struct msg_app_info infos[2];
    struct msg_list_apps_response response;
    for (int i = 0; i < 2; i++)
        wire_init(&wire_app_info, &infos[i]);
    infos[0].app_name = "t10";
    infos[1].app_name = "t1";
    infos[1].envs = (struct wire_list){ .items = pairs, .count = 2 };
    wire_init(&wire_list_apps_response, &response);
    response.infos = (struct wire_list){ .items = infos, .count = 2 };
    response.err = "ERR_OK";
    const struct step steps[] = { { "RPC_CM_LIST_APPS", "ERR_OK", 0, &response },
                                  { NULL, NULL, 0, NULL } };
    static const struct {
        const char *line;
        int status;
        const char *out, *err;
    } lines[] = {
        /* as the real shell printed it */
        { "use t1\nget_app_envs", SHELL_OK,
          "[app_envs]\nreplica.slow_query_threshold  : 100   \n"
          "rocksdb.usage_scenario        : normal\n",
          "OK\n" },
        { "get_app_envs -j -a t1", SHELL_OK,
          "{\n    \"app_envs\": {\n        \"replica.slow_query_threshold\": \"100\",\n"
          "        \"rocksdb.usage_scenario\": \"normal\"\n    }\n}\n",
          "" },
        { "use t1\nget_app_envs --app t10", SHELL_OK, "[app_envs]\n", "OK\n" },
        { "get_app_envs -a t", SHELL_FAILED, "",
          "get app env failed with err = ERR_OBJECT_NOT_FOUND\n" MISSING },
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct script script;
        script_start(&script, steps);
        script_line(&script, WIRE_PEER_25, lines[i].line, NULL, lines[i].status, lines[i].out,
                    lines[i].err);
        script_stop(&script);
    }
}
END_TEST

START_TEST(use_limit)
{
    struct buf line = { 0 }, want = { 0 };
    buf_text(&line, "use ");
    for (int i = 0; i < SHELL_APP_MAX; i++)
        buf_char(&line, 'x');
    buf_printf(&want, "OK\nCurrent app: %s\n", line.data + 4);
    buf_text(&line, "\nuse");
    check_line("127.0.0.1:1", line.data, SHELL_OK, "", want.data);
    line.data[line.size - 4] = 'x';
    line.size -= 3;
    line.data[line.size] = '\0';
    check_line("127.0.0.1:1", line.data, SHELL_USAGE, "",
               "ERROR: a name of more than 1023 bytes\n");
    buf_done(&line);
    buf_done(&want);
}
END_TEST

/* -- Wrong usage: nothing is asked ------------------------------------------------------------
 */

#define NO_APP                                                                                     \
    "No app is using now\nUSAGE: use [app_name]\nhint: or name the table with --app TABLE\n"
static const struct {
    const char *line, *out, *err; /* err: its beginning */
} wrong[] = {
    { "create", "", "USAGE: \tcreate " },
    { "create a b", "", "USAGE: \tcreate " },
    { "create a -p x", "", "parse x as partition_count failed\nUSAGE: \tcreate " },
    { "create a -r 2147483648", "", "parse 2147483648 as replica_count failed\n" },
    { "create a -w -1", "", "parse -1 as wait_seconds failed\n" },
    { "create a -w 1000001", "", "parse 1000001 as wait_seconds failed\n" },
    { "create a -e x", "", "invalid envs: x\n" },
    { "create a -e x=1,x=2", "", "invalid envs: x=1,x=2\n" },
    { "create a -p 0",
      "create app a failed: partition_count should >= 1\n"
      "create app \"a\" failed, error = ERR_INVALID_PARAMETERS\n",
      "" },
    { "create a -r 0",
      "create app a failed: replica_count should >= 1\n"
      "create app \"a\" failed, error = ERR_INVALID_PARAMETERS\n",
      "" },
    { "create a-b",
      "create app a-b failed: invalid app_name\n"
      "create app \"a-b\" failed, error = ERR_INVALID_PARAMETERS\n",
      "" },
    { "drop", "", "USAGE: \tdrop " },
    { "drop a -r x", "", "parse x as reserve_seconds failed\n" },
    { "drop a-b", "reserve_seconds = 0\ndrop app a-b failed, error=ERR_INVALID_PARAMETERS\n", "" },
    { "recall", "", "USAGE: \trecall " },
    { "recall x", "", "parse x as id failed\n" },
    { "recall 1 a b", "", "USAGE: \trecall " },
    { "recall 1 a-b", "recall app 1 failed, error=ERR_INVALID_PARAMETERS\n", "" },
    { "rename a", "", "USAGE: \trename " },
    { "use", "", "Current app not specified.\nUSAGE: \tuse " },
    { "use a b", "", "USAGE: \tuse " },
    { "get_app_envs", "", NO_APP },
    { "get_app_envs -a ''", "", NO_APP },
    { "get_app_envs x", "", "USAGE: \tget_app_envs " },
    { "set_app_envs k v", "", NO_APP },
    { "set_app_envs -a t k", "", "need speficy the value for key = k\n" },
    { "set_app_envs -a t", "", "USAGE: \tset_app_envs " },
    { "del_app_envs k", "", NO_APP },
    { "del_app_envs -a t", "", "USAGE: \tdel_app_envs " },
    { "clear_app_envs -a", "", NO_APP },
    { "clear_app_envs --app t", "", "must specify one of --all and --prefix options\n" },
    { "clear_app_envs --app t -a -p x", "", "must specify one of --all and --prefix options\n" },
    { "clear_app_envs --app t -p ''", "", "must specify one of --all and --prefix options\n" },
    { "get_meta_level x", "", "USAGE: \tget_meta_level " },
    { "set_meta_level", "", "USAGE: \tset_meta_level " },
    { "set_meta_level invalid", "", "parse invalid as meta function level failed\n" },
    { "get_replica_count", "", "USAGE: \tget_replica_count " },
    { "propose", "", "need set target by -t\nUSAGE: \tpropose " },
    { "propose -t 127.0.0.1:1", "", "need set node by -n\n" },
    { "propose -t 127.0.0.1:1 -n 127.0.0.1:1", "", "need set gpid by -g\n" },
    { "propose -t 127.0.0.1:1 -n 127.0.0.1:1 -g 1", "", "parse 1 as gpid failed\n" },
    { "propose -t 127.0.0.1:1 -n 127.0.0.1:1 -g -1.0", "", "parse -1.0 as gpid failed\n" },
    { "propose -t x -n 127.0.0.1:1 -g 1.0", "", "parse x as target_host_port failed\n" },
    { "propose -t 127.0.0.1:1 -n y:0 -g 1.0", "", "parse y:0 as node failed\n" },
    { "propose -t 127.0.0.1:1 -n 127.0.0.1:1 -g 1.0", "", "parse CT_ as config_type failed.\n" },
    { "propose -t 127.0.0.1:1 -n 127.0.0.1:1 -g 1.0 -p INVALID", "",
      "parse CT_INVALID as config_type failed.\n" },
    { "remote_command", "", "command not specified\n" },
    { "remote_command -t all -l 127.0.0.1:1 help", "",
      "can not specify both node_type and node_list\n" },
    { "remote_command -t odd help", "", "USAGE: \tremote_command " },
    { "recovery_status x", "", "USAGE: \trecovery_status " },
    { "ddd_diagnose x", "", "USAGE: \tddd_diagnose " },
    { "ddd_diagnose -g 1.x", "", "ERROR: invalid gpid 1.x\n" },
    { "ddd_diagnose -j -d -a", "", "--json asks nothing: --diagnose needs --skip_prompt, too\n" },
};

START_TEST(wrong_usage)
{
    struct ran ran = run_line("127.0.0.1:1", WIRE_PEER_25, wrong[_i].line);
    ck_assert_str_eq(ran.out, wrong[_i].out);
    ck_assert_msg(strncmp(ran.err, wrong[_i].err, strlen(wrong[_i].err)) == 0, "%s", ran.err);
    ck_assert_int_eq(ran.status, SHELL_USAGE);
    ran_free(&ran);
}
END_TEST

/* Nobody answers. */
START_TEST(unreachable)
{
    static const char *const lines[][2] = {
        { "create temp", "create app temp failed: [create] call server error: ERR_NETWORK_FAILURE\n"
                         "create app \"temp\" failed, error = ERR_NETWORK_FAILURE\n" },
        { "drop temp", "reserve_seconds = 0\ndrop app temp failed, error=ERR_NETWORK_FAILURE\n" },
        { "recall 1", "recall app 1 failed, error=ERR_NETWORK_FAILURE\n" },
        { "get_meta_level", "get meta level got error ERR_NETWORK_FAILURE\n" },
        { "propose -t 127.0.0.1:1 -n 127.0.0.1:1 -g 1.0 -p REMOVE",
          "send proposal response: ERR_NETWORK_FAILURE\n" },
        { "rename a b", "" },
        { "set_app_envs -a t k v", "" },
        { "get_app_envs -a t", "" },
        { "get_replica_count t", "" },
        { "ddd_diagnose", "" },
    };
    char node[ADDRESS_TEXT_MAX];
    fake_refused(node);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct ran ran = run_line(node, WIRE_PEER_25, lines[i][0]);
        ck_assert_str_eq(ran.out, lines[i][1]);
        ck_assert_msg(strstr(ran.err, node) != NULL, "%s", ran.err);
        ck_assert_int_eq(ran.status, SHELL_FAILED);
        ran_free(&ran);
    }
}
END_TEST

TCase *test_shell_table(void)
{
    TCase *tcase = tcase_create("table");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, told, 0, sizeof tables / sizeof *tables);
    tcase_add_test(tcase, level_request);
    tcase_add_test(tcase, env_requests);
    tcase_add_test(tcase, propose_request);
    tcase_add_test(tcase, atomic_request);
    tcase_add_test(tcase, recalled);
    tcase_add_test(tcase, envs_shown);
    tcase_add_test(tcase, use_limit);
    tcase_add_loop_test(tcase, wrong_usage, 0, sizeof wrong / sizeof *wrong);
    tcase_add_test(tcase, unreachable);
    return tcase;
}
