/* ddl -- see test_ddl.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/rdsn/info.h"
#include "host/recovery/rows.h"
#include "t/test_ddl.h"

struct said said;
uint32_t fault_commits;
uint32_t fault_writes[8];

/* -- The store ----------------------------------------------------------------------------------
 */

static struct {
    enum fault fault;
    uint32_t at, times;
    struct br_call *held;
    const struct br_write *const *writes;
    uint32_t count;
    void (*commit)(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                   struct br_call *call);
} faulty;

static void faulty_ignore(void *arg, struct call_answer *answer)
{
    (void) arg;
    (void) answer;
}

static void faulty_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                          struct br_call *call)
{
    uint32_t number = fault_commits++;
    if (number < 8)
        fault_writes[number] = count;
    bool wrong = number >= faulty.at && faulty.times > 0;
    faulty.times -= wrong;
    if (!wrong) {
        faulty.commit(env, writes, count, call);
        return;
    }
    switch (faulty.fault) {
    case FAULT_UNAVAILABLE: br_reply_fail(call, BR_UNAVAILABLE, "no connection"); break;
    case FAULT_REFUSED: br_reply_fail(call, BR_CONFLICT, "somebody was here"); break;
    case FAULT_ANSWER_LOST:
        world.store.ops.store.commit = faulty.commit;
        store_commit(&world.store, writes, count, NULL, 0, faulty_ignore, NULL);
        world.store.ops.store.commit = faulty_commit;
        br_reply_fail(call, BR_UNKNOWN, "no answer");
        break;
    case FAULT_HANG:
        ck_assert_ptr_null(faulty.held);
        faulty.held = call;
        faulty.writes = writes;
        faulty.count = count;
        break;
    }
}

void fault_set(enum fault fault, uint32_t at, uint32_t times)
{
    if (world.store.ops.store.commit != faulty_commit)
        faulty.commit = world.store.ops.store.commit;
    world.store.ops.store.commit = faulty_commit;
    faulty.fault = fault;
    faulty.at = at;
    faulty.times = times;
    fault_commits = 0;
    memset(fault_writes, 0, sizeof fault_writes);
}

void fault_release(void)
{
    struct br_call *call = faulty.held;
    ck_assert_ptr_nonnull(call);
    faulty.held = NULL;
    faulty.commit(&world.store.owner.env, faulty.writes, faulty.count, call);
}

static struct buf kept;
static bool kept_there;

static void kept_read(void *arg, struct call_answer *answer)
{
    bool *done = arg;
    struct rows rows = rows_of(answer);
    const struct br_value *value = rows_value(&rows);
    ck_assert_ptr_nonnull(value);
    buf_clear(&kept);
    kept_there = value->status == BR_OK;
    if (kept_there)
        buf_put(&kept, value->value.data, value->value.size);
    *done = true;
}

const char *stored(const char *path)
{
    char whole[256];
    const char *paths[] = { whole };
    bool done = false;
    snprintf(whole, sizeof whole, ROOT "/%s", path);
    store_read(&world.store, paths, 1, NULL, 0, kept_read, &done);
    world_until(&done);
    return kept_there ? buf_string(&kept) : NULL;
}

/* -- The world ----------------------------------------------------------------------------------
 */

void tables_setup(void)
{
    world_setup();
    memset(&faulty, 0, sizeof faulty);
    memset(&said, 0, sizeof said);
    fault_commits = 0;
}

void server_alive(struct actor *actor)
{
    struct msg_beacon_msg beacon;
    wire_init(&wire_beacon_msg, &beacon);
    beacon.time = 1;
    beacon.from_node = actor->address;
    beacon.to_node = world.meta.address;
    beacon.start_time = 5;
    WIRE_SET(&beacon, 4);
    world_ask("RPC_FD_FAILURE_DETECTOR_PING", &wire_beacon_msg, &beacon);
}

void server_sync(struct actor *actor, int32_t table, uint32_t partitions)
{
    struct msg_configuration_query_by_node_request request;
    struct msg_replica_info infos[8];
    wire_init(&wire_configuration_query_by_node_request, &request);
    request.node = actor->address;
    for (uint32_t i = 0; i < partitions; i++) {
        wire_init(&wire_replica_info, &infos[i]);
        infos[i].pid = (struct gpid){ table, (int32_t) i };
        infos[i].status = BR_ROLE_INACTIVE;
        infos[i].app_type = "pegasus";
        infos[i].disk_tag = "d";
    }
    request.stored_replicas = (struct wire_list){ .items = infos, .count = partitions };
    WIRE_SET(&request, 2);
    world_ask("RPC_CM_CONFIG_SYNC", &wire_configuration_query_by_node_request, &request);
}

void tables_serve(const char *extra, uint32_t servers)
{
    world_meta(extra);
    world_wait_state(META_SERVING);
    for (uint32_t i = 0; i < servers; i++) {
        struct actor *actor = world_actor();
        actor->mute = true;
        server_alive(actor);
        server_sync(actor, 0, 0);
    }
}

/* -- Asking -------------------------------------------------------------------------------------
 */

static char said_error[64];

static const char *say(const char *error, const char *hint)
{
    snprintf(said_error, sizeof said_error, "%s", error);
    snprintf(said.hint, sizeof said.hint, "%s", hint);
    return said_error;
}

static void ask(const char *rpc, const struct wire_schema *request, const void *what,
                const struct wire_schema *response, void *ret)
{
    ck_assert_str_eq(world_ask(rpc, request, what), "ERR_OK");
    world_decode(response, ret);
}

void ask_create_fill(struct msg_create_app_request *request, const char *name, int32_t partitions,
                     int32_t replicas)
{
    wire_init(&wire_create_app_request, request);
    request->app_name = name;
    request->options.partition_count = partitions;
    request->options.replica_count = replicas;
    request->options.app_type = "pegasus";
    request->options.is_stateful = true;
}

const char *ask_create_with(const struct msg_create_app_request *request)
{
    struct msg_create_app_response response;
    ask("RPC_CM_CREATE_APP", &wire_create_app_request, request, &wire_create_app_response,
        &response);
    said.id = response.appid;
    return say(response.err, "");
}

const char *ask_create(const char *name, int32_t partitions, int32_t replicas)
{
    struct msg_create_app_request request;
    ask_create_fill(&request, name, partitions, replicas);
    return ask_create_with(&request);
}

const char *ask_drop(const char *name, bool quiet, int64_t reserve)
{
    struct msg_drop_app_request request;
    struct msg_error_response response;
    wire_init(&wire_drop_app_request, &request);
    request.app_name = name;
    request.options.success_if_not_exist = quiet;
    request.options.reserve_seconds = reserve;
    if (reserve)
        WIRE_SET(&request.options, 2);
    ask("RPC_CM_DROP_APP", &wire_drop_app_request, &request, &wire_error_response, &response);
    return say(response.err, "");
}

const char *ask_recall(int32_t id, const char *name)
{
    struct msg_recall_app_request request;
    struct msg_recall_app_response response;
    wire_init(&wire_recall_app_request, &request);
    request.app_id = id;
    request.new_app_name = name;
    ask("RPC_CM_RECALL_APP", &wire_recall_app_request, &request, &wire_recall_app_response,
        &response);
    said.info = response.info;
    return say(response.err, "");
}

const char *ask_rename(const char *name, const char *new_name)
{
    struct msg_rename_app_request request;
    struct msg_hint_response response;
    wire_init(&wire_rename_app_request, &request);
    request.old_app_name = name;
    request.new_app_name = new_name;
    ask("RPC_CM_RENAME_APP", &wire_rename_app_request, &request, &wire_hint_response, &response);
    return say(response.err, response.hint_message);
}

const char *ask_env(const char *name, int32_t op, const char *const *keys,
                    const char *const *values, uint32_t count, const char *prefix)
{
    struct msg_update_app_env_request request;
    struct msg_hint_response response;
    union {
        const char *const *from;
        void *to;
    } unconst;
    wire_init(&wire_update_app_env_request, &request);
    request.app_name = name;
    request.op = op;
    unconst.from = keys;
    request.keys = (struct wire_list){ .items = unconst.to, .count = keys ? count : 0 };
    unconst.from = values;
    request.values = (struct wire_list){ .items = unconst.to, .count = values ? count : 0 };
    if (keys)
        WIRE_SET(&request, 3);
    if (values)
        WIRE_SET(&request, 4);
    if (prefix) {
        request.clear_prefix = prefix;
        WIRE_SET(&request, 5);
    }
    ask("RPC_CM_UPDATE_APP_ENV", &wire_update_app_env_request, &request, &wire_hint_response,
        &response);
    return say(response.err, response.hint_message);
}

const char *ask_count(const char *name, int32_t count)
{
    struct msg_app_name_request asked;
    struct msg_get_max_replica_count_response got;
    struct msg_set_max_replica_count_request request;
    struct msg_set_max_replica_count_response response;
    if (count == 0) {
        wire_init(&wire_app_name_request, &asked);
        asked.app_name = name;
        ask("RPC_CM_GET_MAX_REPLICA_COUNT", &wire_app_name_request, &asked,
            &wire_get_max_replica_count_response, &got);
        said.count = got.max_replica_count;
        return say(got.err, got.hint_message);
    }
    wire_init(&wire_set_max_replica_count_request, &request);
    request.app_name = name;
    request.max_replica_count = count;
    ask("RPC_CM_SET_MAX_REPLICA_COUNT", &wire_set_max_replica_count_request, &request,
        &wire_set_max_replica_count_response, &response);
    said.count = response.old_max_replica_count;
    return say(response.err, response.hint_message);
}

const char *ask_atomic(const char *name, int value)
{
    struct msg_app_name_request asked;
    struct msg_get_atomic_idempotent_response got;
    struct msg_set_atomic_idempotent_request request;
    struct msg_set_atomic_idempotent_response response;
    if (value < 0) {
        wire_init(&wire_app_name_request, &asked);
        asked.app_name = name;
        ask("RPC_CM_GET_ATOMIC_IDEMPOTENT", &wire_app_name_request, &asked,
            &wire_get_atomic_idempotent_response, &got);
        said.flag = got.atomic_idempotent;
        return say(got.err, got.hint_message);
    }
    wire_init(&wire_set_atomic_idempotent_request, &request);
    request.app_name = name;
    request.atomic_idempotent = value != 0;
    ask("RPC_CM_SET_ATOMIC_IDEMPOTENT", &wire_set_atomic_idempotent_request, &request,
        &wire_set_atomic_idempotent_response, &response);
    said.flag = response.old_atomic_idempotent;
    return say(response.err, response.hint_message);
}

/* The first field of every response is its `err`. */
static void ticket_reply(void *arg, const struct rdsn_reply *reply)
{
    struct ticket *ticket = arg;
    struct msg_error_response response;
    struct arena arena;
    struct fail fail;
    ticket->done = true;
    snprintf(ticket->err, sizeof ticket->err, "%s", reply->error);
    arena_init(&arena, 1024);
    if (reply->body.size
        && wire_decode(&wire_error_response, reply->body, wire_arena(&arena), &response, &fail)
               == BR_OK)
        snprintf(ticket->err, sizeof ticket->err, "%s", response.err);
    arena_done(&arena);
}

void ask_send(struct ticket *ticket, const char *rpc, const struct wire_schema *schema,
              const void *request)
{
    struct buf body = { 0 };
    ticket->done = false;
    wire_encode(schema, request, WIRE_PEER_26, &body);
    rdsn_client_call(
        world.client, world.meta.name,
        &(struct rdsn_request){ .rpc = rpc, .body = buf_bytes(&body), .timeout = 15 * BR_SECOND },
        ticket_reply, ticket);
    buf_done(&body);
}
