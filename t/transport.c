/* transport -- see transport.h. */
#include "t/transport.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "host/config/yaml.h"

extern const struct br_plugin bridle_transport_rdsn;

/* -- A replica server ------------------------------------------------------------------------- */

struct transport_node node;
struct plugin plugin;
static struct arena options;
static struct event *watchdog;

static void node_on_request(void *arg, struct rdsn_incoming *incoming)
{
    (void) arg;
    bool tables = strcmp(incoming->header.rpc_name, "RPC_QUERY_APP_INFO") == 0;
    ck_assert(tables || strcmp(incoming->header.rpc_name, "RPC_QUERY_REPLICA_INFO") == 0);
    node.requests++;
    node.header = incoming->header;
    buf_clear(&node.asked[!tables]);
    buf_put(&node.asked[!tables], incoming->body.data, incoming->body.size);
    if (node.hangs)
        node.held[node.held_count++] = incoming;
    else
        rdsn_server_reply(incoming, node.error, buf_bytes(tables ? &node.tables : &node.replicas));
}

static void transport_bark(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    (void) arg;
    ck_abort_msg("what the test waits for did not come");
}

void transport_setup(void)
{
    struct fail fail;
    core_setup();
    memset(&node, 0, sizeof node);
    node.error = "ERR_OK";
    /* One connection is allowed: both questions must come over the same. */
    struct rdsn_server_options set = { .request = node_on_request, .connections_max = 1 };
    node.server = rdsn_server_new(core_loop->base, &set, &fail);
    ck_assert_msg(node.server != NULL, "%s", fail.text);
    address_format(rdsn_server_address(node.server), node.name);
    watchdog = evtimer_new(core_loop->base, transport_bark, NULL);
    evtimer_add(watchdog, &(struct timeval){ .tv_sec = 100 });
    arena_init(&options, 0);
}

br_status transport_open(const char *yaml, struct fail *ret_fail)
{
    struct yaml *section;
    struct fail fail;
    ck_assert_msg(yaml_parse(&options, "t.yaml", yaml, strlen(yaml), &section, &fail) == BR_OK,
                  "%s", fail.text);
    ck_assert_int_eq(loader_check(&bridle_transport_rdsn, "rdsn.so", "transport", "rdsn", &fail),
                     BR_OK);
    return plugin_open(&plugin, core_loop, &bridle_transport_rdsn, "transport", section, ret_fail);
}

void transport_start(const char *yaml)
{
    struct fail fail = { 0 };
    struct core_told told = { 0 };
    ck_assert_msg(transport_open(yaml, &fail) == BR_OK, "%s", fail.text);
    plugin_start(&plugin, BR_SECOND, core_done, &told);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_OK);
}

void transport_stop(void)
{
    struct core_told told = { 0 };
    plugin_stop(&plugin, 10 * BR_SECOND, core_done, &told);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_OK);
    plugin_close(&plugin);
}

void transport_teardown(void)
{
    for (int i = 0; i < node.held_count; i++)
        rdsn_server_drop(node.held[i]);
    rdsn_server_free(node.server);
    buf_done(&node.tables);
    buf_done(&node.replicas);
    buf_done(&node.asked[0]);
    buf_done(&node.asked[1]);
    event_free(watchdog);
    arena_done(&options);
    core_teardown();
}

void transport_told_done(struct core_told *told)
{
    if (told->chunks)
        arena_done(&told->kept);
    *told = (struct core_told){ 0 };
}

/* -- What it holds ---------------------------------------------------------------------------- */

void node_put_replicas(uint32_t count, const struct msg_replica_info *broken)
{
    struct msg_query_replica_info_response answer;
    struct msg_replica_info *rows = calloc(count + 1, sizeof *rows);
    for (uint32_t i = 0; i < count; i++) {
        wire_init(&wire_replica_info, &rows[i]);
        rows[i].pid = (struct gpid){ 1 + (int32_t) (i / 256), (int32_t) (i % 256) };
        rows[i].ballot = 3 + i;
        rows[i].status = BR_ROLE_PRIMARY + (int32_t) (i % 3);
        rows[i].last_committed_decree = INT64_C(10000000000) + i;
        rows[i].last_prepared_decree = INT64_C(20000000000) + i;
        rows[i].last_durable_decree = INT64_C(30000000000) + i;
        rows[i].app_type = "pegasus";
        rows[i].disk_tag = i % 2 ? "disk_a" : "disk_b";
        if (i % 5 == 0) {
            rows[i].manual_compact_status = 1;
            WIRE_SET(&rows[i], 9);
        }
        if (i == BROKEN_ROW && broken)
            rows[i] = *broken;
    }
    wire_init(&wire_query_replica_info_response, &answer);
    answer.replicas = (struct wire_list){ rows, count };
    buf_clear(&node.replicas);
    wire_encode(&wire_query_replica_info_response, &answer, WIRE_PEER_25, &node.replicas);
    free(rows);
}

struct msg_app_info node_table(int32_t id, const char *name)
{
    static struct wire_pair envs[] = { { "default_ttl", "86400" }, { "k", "v" } };
    struct msg_app_info app;
    wire_init(&wire_app_info, &app);
    app.status = BR_TABLE_AVAILABLE;
    app.app_type = "pegasus";
    app.app_name = name;
    app.app_id = id;
    app.partition_count = 8;
    app.envs = (struct wire_list){ envs, 2 };
    app.is_stateful = true;
    app.is_bulk_loading = true;
    app.max_replica_count = 3;
    app.expire_second = 7;
    app.create_second = 1700000000;
    app.drop_second = 9;
    app.init_partition_count = 4;
    return app;
}

void node_put_tables(struct msg_app_info *apps, uint32_t count)
{
    struct msg_query_app_info_response answer;
    wire_init(&wire_query_app_info_response, &answer);
    answer.apps = (struct wire_list){ apps, count };
    buf_clear(&node.tables);
    wire_encode(&wire_query_app_info_response, &answer, WIRE_PEER_25, &node.tables);
}
