/* sync -- the connection to the meta servers: what the lease decides, and the config sync
 * (src/replica/replica_stub.cpp).
 */
#include <string.h>

#include "host/replica/stub.h"

#define SYNC_BUSY_PAUSE   (500 * BR_MILLISECOND)
#define SYNC_FAILED_PAUSE (100 * BR_MILLISECOND) /* Pegasus asks again at once */

static void sync_ask(struct stub *stub);

/* -- A replica that is out of place ------------------------------------------------------------ */

void sync_remove_on_meta(struct stub *stub, const struct br_table *table,
                         const struct membership *members)
{
    struct msg_configuration_update_request request;
    struct membership wanted = *members;
    wanted.ballot++;
    if (wanted.primary == stub->self)
        wanted.primary = NULL;
    else if (!membership_remove(&wanted, stub->self))
        return;
    wire_init(&wire_configuration_update_request, &request);
    info_from_table(table, &request.info);
    membership_write(&wanted, &stub->arena, &request.config);
    request.type = 6; /* DOWNGRADE_TO_INACTIVE */
    request.node = peer_address(stub->self);
    request.hp_node = peer_host_port(stub->self);
    WIRE_SET(&request, 7);
    stub_encode(stub, &wire_configuration_update_request, &request);
    rdsn_client_call(stub->client, beacon_target(stub->beacon),
                     &(struct rdsn_request){ .rpc = "RPC_CM_UPDATE_PARTITION_CONFIGURATION",
                                             .body = buf_bytes(&stub->body),
                                             .timeout = 5 * BR_SECOND },
                     NULL, NULL);
}

/* A replica that the meta server does not list. */
static void sync_unlisted(struct replica *replica)
{
    struct stub *stub = replica->stub;
    if (replica->config.role == BR_ROLE_LEARNER)
        return;
    if (replica->config.role == BR_ROLE_INACTIVE
        && loop_now(stub->loop) - replica->created_at < stub->options.gc_memory_interval)
        return;
    replica_log(replica, BR_WARN, "is not known to the meta server");
    replica_become_role(replica, BR_ROLE_ERROR);
}

static void sync_listed(struct stub *stub, const struct msg_configuration_update_request *message)
{
    struct proposal proposal;
    struct fail fail;
    if (proposal_read(stub, message, &proposal, &fail) != BR_OK) {
        log_put(stub->log, BR_ERROR, "sync", "replica %d.%d: %s", message->config.pid.app_id,
                message->config.pid.partition, fail.text);
        return;
    }
    struct replica *replica = table_serving(stub, proposal.members.pid);
    if (replica) {
        replica_synced(replica, &proposal);
    } else if (proposal.members.primary == stub->self) {
        struct br_table table;
        info_to_table(&message->info, &table);
        log_put(stub->log, BR_WARN, "sync", "replica %d.%d is to be primary here, and is not",
                proposal.members.pid.app_id, proposal.members.pid.partition);
        sync_remove_on_meta(stub, &table, &proposal.members);
    }
}

/* -- Config sync ------------------------------------------------------------------------------ */

static void sync_take(struct stub *stub,
                      const struct msg_configuration_query_by_node_response *answer)
{
    const struct msg_configuration_update_request *listed = answer->partitions.items;
    const struct msg_replica_info *garbage = answer->gc_replicas.items;
    uint32_t count = stub->slot_count, out = 0;
    struct replica **rest = arena_alloc(&stub->arena, count * sizeof(struct replica *));
    uint64_t round = ++stub->sync_round;
    for (uint32_t i = 0; i < answer->partitions.count; i++) {
        struct replica *replica = table_serving(stub, listed[i].config.pid);
        if (replica)
            replica->sync_round = round;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct replica *replica = stub->slots[i];
        if (replica && replica->life == LIFE_SERVING && replica->sync_round != round)
            rest[out++] = replica;
    }
    for (uint32_t i = 0; i < answer->partitions.count; i++)
        sync_listed(stub, &listed[i]);
    for (uint32_t i = 0; i < out; i++)
        sync_unlisted(rest[i]);
    for (uint32_t i = 0; i < answer->gc_replicas.count; i++)
        table_collect(stub, garbage[i].pid);
}

static void sync_again(void *arg)
{
    struct stub *stub = arg;
    stub->sync_pause = NULL;
    stub->syncing = false;
    sync_ask(stub);
}

static void sync_pause(struct stub *stub, br_time pause)
{
    stub->syncing = true;
    stub->sync_pause = loop_after(stub->loop, pause, sync_again, stub);
}

static void sync_answered(struct outgoing *call, const struct rdsn_reply *reply)
{
    struct stub *stub = call->stub;
    struct msg_configuration_query_by_node_response answer;
    const char *error;
    stub->syncing = false;
    bool decoded =
        stub_decode(stub, reply, &wire_configuration_query_by_node_response, &answer, &error);
    if (!decoded) {
        log_put(stub->log, BR_WARN, "sync", "config sync failed: %s", error);
        if (stub->state == STUB_CONNECTING)
            sync_pause(stub, SYNC_FAILED_PAUSE);
        return;
    }
    if (stub->state == STUB_CONNECTING)
        stub->state = STUB_CONNECTED;
    if (stub->state != STUB_CONNECTED)
        return;
    if (strcmp(answer.err, "ERR_OK") == 0)
        sync_take(stub, &answer);
    else if (strcmp(answer.err, "ERR_BUSY") == 0)
        sync_pause(stub, SYNC_BUSY_PAUSE);
    else
        log_put(stub->log, BR_INFO, "sync", "config sync: %s, ignored", answer.err);
}

static void sync_ask(struct stub *stub)
{
    struct msg_configuration_query_by_node_request request;
    if (stub->state == STUB_DISCONNECTED || stub->syncing)
        return;
    wire_init(&wire_configuration_query_by_node_request, &request);
    request.node = peer_address(stub->self);
    request.hp_node = peer_host_port(stub->self);
    WIRE_SET(&request, 4);
    struct msg_replica_info *infos = arena_alloc(&stub->arena, stub->replica_count * sizeof *infos);
    request.stored_replicas.items = infos;
    for (uint32_t i = 0; i < stub->slot_count; i++) {
        if (stub->slots[i])
            query_fill_info(stub->slots[i], &infos[request.stored_replicas.count++]);
    }
    WIRE_SET(&request, 2);
    stub_encode(stub, &wire_configuration_query_by_node_request, &request);
    stub->syncing = true;
    stub_call(stub_outgoing(stub, NULL, sync_answered), beacon_target(stub->beacon),
              "RPC_CM_CONFIG_SYNC", 0);
}

static void sync_tick(void *arg)
{
    struct stub *stub = arg;
    stub->sync_timer = loop_after(stub->loop, stub->options.config_sync_interval, sync_tick, stub);
    arena_clear(&stub->arena);
    sync_ask(stub);
}

/* -- The lease -------------------------------------------------------------------------------- */

void sync_connected(void *arg)
{
    struct stub *stub = arg;
    log_put(stub->log, BR_INFO, "sync", "connected to the meta servers");
    if (stub->state != STUB_DISCONNECTED)
        return;
    stub->state = STUB_CONNECTING;
    sync_ask(stub);
}

void sync_disconnected(void *arg)
{
    struct stub *stub = arg;
    if (stub->state == STUB_DISCONNECTED)
        return;
    stub->state = STUB_DISCONNECTED;
    log_put(stub->log, BR_WARN, "sync", "disconnected from the meta servers");
    for (uint32_t i = 0; i < stub->slot_count; i++) {
        if (stub->slots[i] && stub->slots[i]->life == LIFE_SERVING)
            replica_disconnected(stub->slots[i]);
    }
}

void sync_start(struct stub *stub)
{
    stub->beacon = beacon_start(stub->loop, stub->client,
                                &(struct beacon_options){
                                    .name = stub->options.name,
                                    .address = stub->self->address,
                                    .metas = stub->options.metas,
                                    .datagrams = stub->options.datagrams,
                                    .named = stub->options.named,
                                    .interval = stub->options.beacon_interval,
                                    .check_interval = stub->options.check_interval,
                                    .lease = stub->options.lease,
                                    .connected = sync_connected,
                                    .disconnected = sync_disconnected,
                                    .arg = stub,
                                });
    stub->sync_timer = loop_after(stub->loop, stub->options.config_sync_interval, sync_tick, stub);
}

void sync_stop(struct stub *stub)
{
    timer_cancel(stub->sync_timer);
    timer_cancel(stub->sync_pause);
    beacon_stop(stub->beacon);
}
