/* meta -- see meta.h. */
#include "t/meta.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/rdsn/info.h"

struct world world;
struct buf world_body;
static struct arena world_arena;

/* -- Waiting ---------------------------------------------------------------------------------- */

static void world_too_late(void *arg)
{
    (void) arg;
    ck_abort_msg("nothing happened for 20 s");
}

void world_until(const bool *flag)
{
    struct timer *watchdog = loop_after(world.loop, 20 * BR_SECOND, world_too_late, NULL);
    while (!*flag)
        loop_turn(world.loop);
    timer_cancel(watchdog);
}

void world_wait_state(enum meta_state state)
{
    struct timer *watchdog = loop_after(world.loop, 20 * BR_SECOND, world_too_late, NULL);
    while (world.meta.state_now != state)
        loop_turn(world.loop);
    timer_cancel(watchdog);
}

/* -- Setting up ------------------------------------------------------------------------------- */

static bool world_answered;

static void world_ok(void *arg, struct call_answer *answer)
{
    (void) arg;
    ck_assert_msg(answer->status == BR_OK, "%s", answer->message);
    world_answered = true;
}

static void world_open(struct plugin *plugin, const char *kind, const char *name)
{
    const struct br_plugin *desc;
    struct fail fail;
    ck_assert_msg(loader_load(world.loader, kind, name, NULL, &desc, &fail) == BR_OK, "%s",
                  fail.text);
    ck_assert_msg(plugin_open(plugin, world.loop, desc, kind, NULL, &fail) == BR_OK, "%s",
                  fail.text);
    world_answered = false;
    plugin_start(plugin, 0, world_ok, NULL);
    world_until(&world_answered);
}

void world_setup(void)
{
    struct fail fail;
    memset(&world, 0, sizeof world);
    const char *loud = getenv("LOUD");
    world.log =
        (struct log){ .fd = loud ? 2 : open("/dev/null", O_WRONLY | O_CLOEXEC), .level = BR_DEBUG };
    arena_init(&world_arena, 0);
    world.loop = loop_new(&world.log);
    ck_assert_ptr_nonnull(world.loop);
    world.loader = loader_new(&fail);
    ck_assert_msg(world.loader != NULL, "%s", fail.text);
    world_open(&world.store, "store", "memory");
    world_open(&world.transport, "transport", "rdsn");
    world_open(&world.policy, "policy", "pegasus");
    world.client = rdsn_client_new(
        world.loop->base,
        &(struct rdsn_client_options){ .from_address = address_make(0x7f000001, 1) });
}

static void world_stop_meta(void)
{
    if (!world.meta.server)
        return;
    if (world.meta.state_now != META_STOPPING) { /* else it stopped by itself */
        meta_stop(&world.meta, 0);
        loop_run(world.loop);
    }
    meta_done(&world.meta);
    config_done(&world.config);
    memset(&world.meta, 0, sizeof world.meta);
}

static void world_close(struct plugin *plugin)
{
    world_answered = false;
    plugin_stop(plugin, 0, world_ok, NULL);
    world_until(&world_answered);
    plugin_close(plugin);
}

void world_teardown(void)
{
    rdsn_client_free(world.client);
    world_stop_meta();
    for (uint32_t i = 0; i < world.actor_count; i++)
        actor_stop(&world.actors[i]);
    world_close(&world.policy);
    world_close(&world.transport);
    world_close(&world.store);
    loader_free(world.loader);
    loop_free(world.loop);
    if (world.log.fd != 2)
        close(world.log.fd);
    buf_done(&world_body);
    world_body = (struct buf){ 0 };
    arena_done(&world_arena);
}

void world_meta_in(struct meta *meta, struct config *config, const char *extra)
{
    struct buf text = { 0 };
    struct fail fail;
    buf_printf(&text,
               "meta_server:\n  listen: 127.0.0.1:%u\n  cluster_root: /pegasus/test\n"
               "  min_live_node_count_for_unfreeze: 0\n%s"
               "replication:\n  cluster_name: test\n%s"
               "recovery:\n  node_deadline: 2s\n  retries: 0\n",
               test_port(), extra,
               world.hasty ? "  fd_lease_seconds: 1\n  fd_grace_seconds: 2\n" : "");
    ck_assert_msg(config_parse(config, "test", text.data, text.size, NULL, &fail) == BR_OK, "%s",
                  fail.text);
    buf_done(&text);
    meta->store = &world.store;
    meta->transport = &world.transport;
    meta->policy = &world.policy;
    meta->store_hosts = "memory";
    ck_assert_msg(meta_start(meta, world.loop, config, &fail) == BR_OK, "%s", fail.text);
}

void world_meta(const char *extra)
{
    world_meta_in(&world.meta, &world.config, extra);
}

void world_meta_again(const char *extra)
{
    world_stop_meta();
    world_meta(extra);
}

void world_put(const char *path, const char *value)
{
    struct br_write write = { .kind = BR_CREATE, .path = path, .value = { value, strlen(value) } };
    const struct br_write *writes[] = { &write };
    world_answered = false;
    store_commit(&world.store, writes, 1, NULL, 0, world_ok, NULL);
    world_until(&world_answered);
}

/* -- Replica servers -------------------------------------------------------------------------- */

static void actor_reply(const struct wire_schema *schema, const void *response,
                        struct rdsn_incoming *incoming)
{
    struct buf body = { 0 };
    wire_encode(schema, response, WIRE_PEER_25, &body);
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&body));
    buf_done(&body);
}

static void actor_tables(struct actor *actor, struct rdsn_incoming *incoming)
{
    struct msg_query_app_info_response response;
    struct msg_app_info infos[WORLD_TABLES_MAX];
    wire_init(&wire_query_app_info_response, &response);
    response.err = actor->refuse;
    for (uint32_t i = 0; i < actor->table_count; i++)
        info_from_table(&actor->tables[i], &infos[i]);
    response.apps = (struct wire_list){ .items = infos, .count = actor->table_count };
    actor_reply(&wire_query_app_info_response, &response, incoming);
}

static void actor_replicas(struct actor *actor, struct rdsn_incoming *incoming)
{
    struct msg_query_replica_info_response response;
    struct msg_replica_info infos[WORLD_REPLICAS_MAX];
    wire_init(&wire_query_replica_info_response, &response);
    response.err = actor->refuse;
    for (uint32_t i = 0; i < actor->replica_count; i++) {
        const struct br_replica *replica = &actor->replicas[i];
        wire_init(&wire_replica_info, &infos[i]);
        infos[i].pid = (struct gpid){ replica->table, replica->partition };
        infos[i].ballot = replica->ballot;
        infos[i].status = replica->role;
        infos[i].last_committed_decree = replica->committed;
        infos[i].last_prepared_decree = replica->prepared;
        infos[i].app_type = "pegasus";
        infos[i].disk_tag = "default";
    }
    response.replicas = (struct wire_list){ .items = infos, .count = actor->replica_count };
    actor_reply(&wire_query_replica_info_response, &response, incoming);
}

static void actor_request(void *arg, struct rdsn_incoming *incoming)
{
    struct actor *actor = arg;
    actor->asked++;
    bool proposal = strcmp(incoming->header.rpc_name, "RPC_CONFIG_PROPOSAL") == 0;
    bool replicas = strcmp(incoming->header.rpc_name, "RPC_QUERY_REPLICA_INFO") == 0;
    actor->asked_replicas += replicas;
    if (proposal && actor->proposal)
        actor->proposal(actor, incoming);
    if (actor->mute || proposal)
        rdsn_server_drop(incoming);
    else if (replicas && actor->keeps && !actor->kept)
        actor->kept = incoming;
    else if (strcmp(incoming->header.rpc_name, "RPC_QUERY_APP_INFO") == 0)
        actor_tables(actor, incoming);
    else
        actor_replicas(actor, incoming);
}

struct actor *world_actor(void)
{
    struct actor *actor = &world.actors[world.actor_count++];
    struct fail fail;
    actor->server = rdsn_server_new(world.loop->base,
                                    &(struct rdsn_server_options){
                                        .request = actor_request,
                                        .arg = actor,
                                    },
                                    &fail);
    ck_assert_msg(actor->server != NULL, "%s", fail.text);
    actor->address = rdsn_server_address(actor->server);
    address_format(actor->address, actor->name);
    return actor;
}

void actor_answer(struct actor *actor)
{
    if (actor->kept)
        actor_replicas(actor, actor->kept);
    actor->kept = NULL;
}

void actor_stop(struct actor *actor)
{
    if (actor->kept)
        rdsn_server_drop(actor->kept);
    actor->kept = NULL;
    if (actor->server)
        rdsn_server_free(actor->server);
    actor->server = NULL;
}

void actor_table(struct actor *actor, int32_t id, const char *name, int32_t partitions,
                 int32_t replicas)
{
    actor->tables[actor->table_count++] = (struct br_table){
        .id = id,
        .status = BR_TABLE_AVAILABLE,
        .partition_count = partitions,
        .replica_count = replicas,
        .init_partition_count = partitions,
        .flags = BR_TABLE_STATEFUL,
        .create_second = 1700000000 + id,
        .name = name,
        .type = "pegasus",
    };
}

void actor_replica(struct actor *actor, int32_t table, int32_t partition, int64_t ballot,
                   int64_t decree)
{
    actor->replicas[actor->replica_count++] = (struct br_replica){
        .table = table,
        .partition = partition,
        .role = BR_ROLE_INACTIVE,
        .ballot = ballot,
        .committed = decree,
        .prepared = decree,
    };
}

/* -- The client ------------------------------------------------------------------------------- */

static char world_error[RDSN_NAME_SIZE];

static void world_reply(void *arg, const struct rdsn_reply *reply)
{
    bool *done = arg;
    snprintf(world_error, sizeof world_error, "%s", reply->error);
    buf_clear(&world_body);
    buf_put(&world_body, reply->body.data, reply->body.size);
    *done = true;
}

const char *world_ask(const char *rpc, const struct wire_schema *schema, const void *request)
{
    struct buf body = { 0 };
    bool done = false;
    wire_encode(schema, request, WIRE_PEER_26, &body);
    rdsn_client_call(
        world.client, world.target ? world.target : world.meta.name,
        &(struct rdsn_request){ .rpc = rpc, .body = buf_bytes(&body), .timeout = 15 * BR_SECOND },
        world_reply, &done);
    world_until(&done);
    buf_done(&body);
    return world_error;
}

const char *world_command(const char *name, const char *argument)
{
    static char text[4096];
    struct msg_command command;
    struct arena arena;
    struct fail fail;
    const char *answer;
    wire_init(&wire_command, &command);
    command.cmd = name;
    command.arguments = (struct wire_list){ .items = &argument, .count = argument ? 1 : 0 };
    arena_init(&arena, 0);
    ck_assert_str_eq(world_ask("RPC_CLI_CLI_CALL", &wire_command, &command), "ERR_OK");
    ck_assert_int_eq(
        wire_decode_value(WIRE_STRING, buf_bytes(&world_body), wire_arena(&arena), &answer, &fail),
        BR_OK);
    snprintf(text, sizeof text, "%s", answer);
    arena_done(&arena);
    return text;
}

void world_decode(const struct wire_schema *schema, void *response)
{
    struct fail fail;
    br_status status =
        wire_decode(schema, buf_bytes(&world_body), wire_arena(&world_arena), response, &fail);
    ck_assert_msg(status == BR_OK, "%s", fail.text);
}

static void world_recovery_request(struct msg_configuration_recovery_request *request,
                                   uint64_t *nodes, bool skip_bad, bool skip_lost)
{
    wire_init(&wire_configuration_recovery_request, request);
    for (uint32_t i = 0; i < world.actor_count; i++)
        nodes[i] = world.actors[i].address;
    request->recovery_nodes = (struct wire_list){ .items = nodes, .count = world.actor_count };
    request->skip_bad_nodes = skip_bad;
    request->skip_lost_partitions = skip_lost;
}

void world_recover_body(struct buf *body, bool skip_bad, bool skip_lost)
{
    struct msg_configuration_recovery_request request;
    uint64_t nodes[4];
    world_recovery_request(&request, nodes, skip_bad, skip_lost);
    wire_encode(&wire_configuration_recovery_request, &request, WIRE_PEER_25, body);
}

struct msg_configuration_recovery_response world_recover(bool skip_bad, bool skip_lost)
{
    struct msg_configuration_recovery_request request;
    struct msg_configuration_recovery_response response;
    uint64_t nodes[4];
    world_recovery_request(&request, nodes, skip_bad, skip_lost);
    ck_assert_str_eq(
        world_ask("RPC_CM_START_RECOVERY", &wire_configuration_recovery_request, &request),
        "ERR_OK");
    world_decode(&wire_configuration_recovery_response, &response);
    return response;
}

void asked_reply(void *arg, const struct rdsn_reply *reply)
{
    struct asked *asked = arg;
    struct msg_configuration_recovery_response response;
    struct arena arena;
    struct fail fail;
    arena_init(&arena, 0);
    ck_assert_int_eq(wire_decode(&wire_configuration_recovery_response, reply->body,
                                 wire_arena(&arena), &response, &fail),
                     BR_OK);
    snprintf(asked->err, sizeof asked->err, "%s", response.err);
    snprintf(asked->hint, sizeof asked->hint, "%s", response.hint_message);
    asked->done = true;
    arena_done(&arena);
}
