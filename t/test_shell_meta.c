/* test_shell_meta -- the commands that ask: against answers of a real server, against made ones,
 * and against every kind of failure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/test_shell.h"

/* -- Answers of a real 2.5.0 server, and what the real shell printed of them --------------------
 */

static const struct {
    const char *rpc, *file;
} recorded[] = {
    { "RPC_CM_CLUSTER_INFO", "golden/rpc/RPC_CM_CLUSTER_INFO/resp_01__B_00067.bin" },
    { "RPC_CM_LIST_APPS", "golden/rpc/RPC_CM_LIST_APPS/resp_01__B_00069.bin" },
    { "RPC_CM_LIST_NODES", "golden/rpc/RPC_CM_LIST_NODES/resp_01__B_00073.bin" },
    { "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX",
      "golden/rpc/RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX/resp_01__B_00071.bin" },
};

static void recorded_request(struct rdsn_incoming *incoming, const void *arg)
{
    const struct buf *bodies = arg;
    for (size_t i = 0; i < sizeof recorded / sizeof *recorded; i++) {
        if (strcmp(recorded[i].rpc, incoming->header.rpc_name) == 0) {
            rdsn_server_reply(
                incoming, "ERR_OK",
                (br_bytes){ bodies[i].data + RDSN_HEADER_SIZE, bodies[i].size - RDSN_HEADER_SIZE });
            return;
        }
    }
    rdsn_server_reply(incoming, "ERR_HANDLER_NOT_FOUND", (br_bytes){ NULL, 0 });
}

/* The transcript between the banner and the shell's last line. */
static char *transcript(const char *path)
{
    struct buf text = { 0 };
    const char *full = test_reference(path);
    if (!full || !test_read(full, &text))
        return NULL;
    char *from = strstr(text.data, "The cluster meta list is: ");
    ck_assert_ptr_nonnull(from);
    from = strchr(from, '\n') + 1;
    char *to = strstr(from, "dsn exit with code");
    ck_assert_ptr_nonnull(to);
    *to = '\0';
    char *copy = strdup(from);
    buf_done(&text);
    return copy;
}

START_TEST(as_the_real_shell)
{
    struct buf bodies[sizeof recorded / sizeof *recorded] = { 0 };
    char *want = transcript("golden/B_recover_ok/shell_3_right_after.txt");
    if (!want)
        return;
    for (size_t i = 0; i < sizeof recorded / sizeof *recorded; i++)
        ck_assert(test_read(test_reference(recorded[i].file), &bodies[i]));
    struct fake fake;
    fake_start(&fake, recorded_request, bodies);
    static const char *const lines[] = { "ls -d", "nodes -d", "app temp -d", "cluster_info" };
    struct buf got = { 0 };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct ran ran = run_line(fake.node, WIRE_PEER_25, lines[i]);
        ck_assert_int_eq(ran.status, SHELL_OK);
        ck_assert_str_eq(ran.err, "");
        buf_text(&got, ran.out);
        ran_free(&ran);
    }
    ck_assert_str_eq(got.data, want);
    fake_stop(&fake);
    for (size_t i = 0; i < sizeof recorded / sizeof *recorded; i++)
        buf_done(&bodies[i]);
    buf_done(&got);
    free(want);
}
END_TEST

/* -- Made answers --------------------------------------------------------------------------------
 */

#define NODE(n) address_make(0x0a000000u + (n), 34801)

static void put_tables(struct rdsn_incoming *incoming, const struct cluster_of *of)
{
    struct msg_list_apps_request request;
    struct arena arena;
    arena_init(&arena, 0);
    if (wire_decode(&wire_list_apps_request, incoming->body, wire_arena(&arena), &request, NULL)
        != BR_OK)
        abort();
    struct msg_app_info infos[2];
    for (int i = 0; i < 2; i++)
        wire_init(&wire_app_info, &infos[i]);
    infos[0].status = BR_TABLE_AVAILABLE;
    infos[0].app_name = "temp";
    infos[0].app_type = "pegasus";
    infos[0].app_id = 2;
    infos[0].partition_count = 3;
    infos[0].max_replica_count = 3;
    infos[0].is_stateful = true;
    infos[0].create_second = 1795396367;
    struct wire_pair envs[] = { { "a", "b" }, { "c", "d" } };
    infos[0].envs = (struct wire_list){ .items = envs, .count = 2 };
    infos[1] = infos[0];
    infos[1].status = BR_TABLE_DROPPED;
    infos[1].app_id = 1;
    infos[1].app_name = "old\033[31m";
    infos[1].envs.count = 0;
    infos[1].drop_second = 1795396367 + 60;
    infos[1].expire_second = 1795396367 + 3600;
    if (!of->named) {
        WIRE_UNSET(&infos[0], 15);
        WIRE_UNSET(&infos[1], 15);
    }
    struct msg_list_apps_response response;
    wire_init(&wire_list_apps_response, &response);
    response.infos = (struct wire_list){ .items = infos, .count = request.status == 0 ? 2 : 1 };
    fake_reply(incoming, &wire_list_apps_response, &response);
    arena_done(&arena);
}

static void put_nodes(struct rdsn_incoming *incoming, const struct cluster_of *of)
{
    struct msg_node_info infos[3];
    for (uint32_t i = 0; i < 3; i++) {
        wire_init(&wire_node_info, &infos[i]);
        infos[i].status = i == 0 ? 2 : 1;
        infos[i].node = NODE(12 - i); /* shown by address, 10.0.0.9 not behind 10.0.0.10 */
        if (of->named) {
            WIRE_SET(&infos[i], 3);
            infos[i].hp_node = (struct host_port){ .host = i == 0   ? "rs-c.example"
                                                           : i == 1 ? "rs-b.example"
                                                                    : "rs-a.example",
                                                   .port = 34801,
                                                   .type = 1 };
        }
    }
    struct msg_list_nodes_response response;
    wire_init(&wire_list_nodes_response, &response);
    response.infos = (struct wire_list){ .items = infos, .count = 3 };
    fake_reply(incoming, &wire_list_nodes_response, &response);
}

/* Three partitions: whole, one replica, none. */
static void put_partitions(struct rdsn_incoming *incoming, const struct cluster_of *of)
{
    struct msg_partition_configuration partitions[3];
    uint64_t secondaries[] = { NODE(11), NODE(12) };
    struct host_port names[] = { { "rs-b.example", 34801, 1 }, { "rs-c.example", 34801, 1 } };
    for (int32_t i = 0; i < 3; i++) {
        wire_init(&wire_partition_configuration, &partitions[i]);
        partitions[i].pid = (struct gpid){ 2, i };
        partitions[i].ballot = 5 + i;
        partitions[i].max_replica_count = 3;
        if (i < 2)
            partitions[i].primary = NODE(10);
        if (i == 0)
            partitions[i].secondaries = (struct wire_list){ .items = secondaries, .count = 2 };
        if (!of->named)
            continue;
        WIRE_SET(&partitions[i], 9);
        WIRE_SET(&partitions[i], 10);
        WIRE_SET(&partitions[i], 11);
        if (i < 2)
            partitions[i].hp_primary = (struct host_port){ "rs-a.example", 34801, 1 };
        if (i == 0)
            partitions[i].hp_secondaries = (struct wire_list){ .items = names, .count = 2 };
    }
    struct msg_query_cfg_response response;
    wire_init(&wire_query_cfg_response, &response);
    response.app_id = 2;
    response.partition_count = 3;
    response.partitions = (struct wire_list){ .items = partitions, .count = 3 };
    fake_reply(incoming, &wire_query_cfg_response, &response);
}

void made_request(struct rdsn_incoming *incoming, const void *arg)
{
    const char *rpc = incoming->header.rpc_name;
    if (strcmp(rpc, "RPC_CM_LIST_APPS") == 0) {
        put_tables(incoming, arg);
    } else if (strcmp(rpc, "RPC_CM_LIST_NODES") == 0) {
        put_nodes(incoming, arg);
    } else if (strcmp(rpc, "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX") == 0) {
        put_partitions(incoming, arg);
    } else {
        rdsn_server_reply(incoming, "ERR_HANDLER_NOT_FOUND", (br_bytes){ NULL, 0 });
    }
}

struct shown {
    bool named;
    const char *line, *out;
};

#define LS_25                                                                                      \
    "[general_info]\n"                                                                             \
    "app_id  status     app_name  app_type  partition_count  replica_count  is_stateful  "         \
    "create_time          drop_time  drop_expire  envs_count  \n"                                  \
    "2       AVAILABLE  temp      pegasus   3                3              true         "         \
    "2026-11-23_01:12:47  -          -            2           \n\n"

const char ls_detailed[] =
    LS_25 "[healthy_info]\n"
          "app_id  app_name  partition_count  fully_healthy  unhealthy  write_unhealthy  "
          "read_unhealthy  \n"
          "2       temp      3                1              2          2                1       "
          "        \n\n"
          "[summary]\n"
          "total_app_count            : 1\n"
          "fully_healthy_app_count    : 0\n"
          "unhealthy_app_count        : 1\n"
          "write_unhealthy_app_count  : 1\n"
          "read_unhealthy_app_count   : 1\n\n";

const char app_temp[] = "[parameters]\napp_name  : temp \ndetailed  : false\n\n"
                        "[general]\n"
                        "app_name           : temp\n"
                        "app_id             : 2   \n"
                        "partition_count    : 3   \n"
                        "max_replica_count  : 3   \n\n";

static const struct shown shown[] = {
    { false, "ls", LS_25 "[summary]\ntotal_app_count  : 1\n\n" },
    { false, "ls -p em", LS_25 "[summary]\ntotal_app_count  : 1\n\n" },
    { false, "ls -p te -m prefix", LS_25 "[summary]\ntotal_app_count  : 1\n\n" },
    { false, "ls -p mp -m postfix", LS_25 "[summary]\ntotal_app_count  : 1\n\n" },
    { false, "ls -p temp -m exact", LS_25 "[summary]\ntotal_app_count  : 1\n\n" },
    { false, "ls -p x -m all", LS_25 "[summary]\ntotal_app_count  : 1\n\n" },
    { false, "ls -d -p tem -m exact",
      "[general_info]\n"
      "app_id  status  app_name  app_type  partition_count  replica_count  is_stateful  "
      "create_time  drop_time  drop_expire  envs_count  \n\n"
      "[summary]\ntotal_app_count  : 0\n\n" },
    { false, "ls -d", ls_detailed },
    { true, "ls -a",
      "[general_info]\n"
      "app_id  status     app_name  app_type  partition_count  replica_count  is_stateful  "
      "create_time          drop_time            drop_expire          envs_count  "
      "atomic_idempotent  \n"
      "2       AVAILABLE  temp      pegasus   3                3              true         "
      "2026-11-23_01:12:47  -                    -                    2           "
      "false              \n"
      "1       DROPPED    old?[31m  pegasus   3                3              true         "
      "2026-11-23_01:12:47  2026-11-23_01:13:47  2026-11-23_02:12:47  0           "
      "false              \n\n"
      "[summary]\ntotal_app_count  : 1\n\n" },
    { false, "nodes",
      "[details]\n"
      "address          status   \n"
      "10.0.0.10:34801  ALIVE    \n"
      "10.0.0.11:34801  ALIVE    \n"
      "10.0.0.12:34801  UNALIVE  \n\n"
      "[summary]\n"
      "total_node_count    : 3\n"
      "alive_node_count    : 2\n"
      "unalive_node_count  : 1\n\n" },
    { true, "nodes -d -s all",
      "[parameters]\nstatus  : all\n\n"
      "[details]\n"
      "address             status     replica_count  primary_count  secondary_count\n"
      "rs-a.example:34801  ALIVE                  2              2                0\n"
      "rs-b.example:34801  ALIVE                  1              0                1\n"
      "rs-c.example:34801  UNALIVE                1              0                1\n\n"
      "[summary]\n"
      "total_node_count    : 3\n"
      "alive_node_count    : 2\n"
      "unalive_node_count  : 1\n\n" },
    { false, "app temp", app_temp },
    { true, "app -d temp",
      "[parameters]\napp_name  : temp\ndetailed  : true\n\n"
      "[general]\n"
      "app_name           : temp\n"
      "app_id             : 2   \n"
      "partition_count    : 3   \n"
      "max_replica_count  : 3   \n\n"
      "[replicas]\n"
      "pidx  ballot  replica_count  primary             secondaries                              "
      "\n"
      "0     5       3/3            rs-a.example:34801  [rs-b.example:34801,rs-c.example:34801]  "
      "\n"
      "1     6       1/3            rs-a.example:34801  []                                       "
      "\n"
      "2     7       0/3            -                   []                                       "
      "\n\n"
      "[nodes]\n"
      "node                primary  secondary  total  \n"
      "rs-a.example:34801  2        0          2      \n"
      "rs-b.example:34801  0        1          1      \n"
      "rs-c.example:34801  0        1          1      \n"
      "                    2        2          4      \n\n"
      "[healthy]\n"
      "fully_healthy_partition_count    : 1\n"
      "unhealthy_partition_count        : 2\n"
      "write_unhealthy_partition_count  : 2\n"
      "read_unhealthy_partition_count   : 1\n\n" },
    { false, "ls -j",
      "{\n    \"general_info\": {\n        \"2\": {\n            \"app_id\": \"2\",\n"
      "            \"status\": \"AVAILABLE\",\n            \"app_name\": \"temp\",\n"
      "            \"app_type\": \"pegasus\",\n            \"partition_count\": \"3\",\n"
      "            \"replica_count\": \"3\",\n            \"is_stateful\": \"true\",\n"
      "            \"create_time\": \"2026-11-23_01:12:47\",\n            \"drop_time\": \"-\",\n"
      "            \"drop_expire\": \"-\",\n            \"envs_count\": \"2\"\n        }\n    },\n"
      "    \"summary\": {\n        \"total_app_count\": \"1\"\n    }\n}\n" },
};

START_TEST(made)
{
    struct cluster_of of = { .named = shown[_i].named };
    struct fake fake;
    fake_start(&fake, made_request, &of);
    check_line(fake.node, shown[_i].line, SHELL_OK, shown[_i].out, "");
    fake_stop(&fake);
}
END_TEST

START_TEST(into_a_file)
{
    struct cluster_of of = { .named = false };
    struct fake fake;
    char *directory = test_directory();
    struct buf line = { 0 }, got = { 0 };
    fake_start(&fake, made_request, &of);
    buf_printf(&line, "ls -o %s/out", directory);
    check_line(fake.node, line.data, SHELL_OK, "", "");
    buf_clear(&line);
    buf_printf(&line, "%s/out", directory);
    ck_assert(test_read(line.data, &got));
    ck_assert_str_eq(got.data, LS_25 "[summary]\ntotal_app_count  : 1\n\n");
    check_line(fake.node, "ls -o /nowhere/out", SHELL_FAILED, "",
               "open output file /nowhere/out failed: No such file or directory\n");
    check_line(fake.node, "ls -o /dev/full", SHELL_FAILED, "",
               "write output file /dev/full failed: No space left on device\n");
    fake_stop(&fake);
    buf_done(&line);
    buf_done(&got);
    free(directory);
}
END_TEST

TCase *test_shell_meta(void)
{
    TCase *tcase = tcase_create("meta");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, as_the_real_shell);
    tcase_add_loop_test(tcase, made, 0, sizeof shown / sizeof *shown);
    tcase_add_test(tcase, into_a_file);
    return tcase;
}
