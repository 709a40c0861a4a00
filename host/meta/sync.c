/* sync -- a replica server tells what it holds and is told what it shall serve
 * (src/meta/server_state.cpp: on_config_sync).
 *
 * The danger: on ERR_OK a replica server closes whatever serves and is not listed, and deletes what
 * gc_replicas names.  So ERR_OK is given only where every replica that serves is in our
 * configuration or was removed from it by a ballot above its own, and none is unknown; any other
 * answer is ERR_OBJECT_NOT_FOUND or ERR_BUSY, which change nothing there.  What gc_replicas names
 * is decided in collect.c: nothing before the operator's release.
 */
#include <string.h>
#include <time.h>

#include "host/meta/change.h"
#include "host/meta/drops.h"
#include "host/meta/freeze.h"
#include "host/meta/guardian.h"
#include "host/meta/learner.h"
#include "host/meta/partition_wire.h"
#include "host/meta/routes.h"
#include "host/rdsn/info.h"

struct sync {
    struct route *route;
    struct msg_configuration_query_by_node_request request;
    enum wire_peer peer;
    int32_t node; /* -1: too many, or nameless */
    uint32_t unknown, strays;
    uint32_t dropped;          /* replicas of dropped tables */
    uint32_t others;           /* replicas that are no members, or of primaries that may sleep */
    const struct table *table; /* the last one looked up */
    struct gpid first_unknown, first_stray;
};

static void sync_answer(struct sync *sync, const char *error, struct wire_list partitions,
                        struct wire_list garbage)
{
    struct msg_configuration_query_by_node_response response;
    struct buf body = { 0 };
    wire_init(&wire_configuration_query_by_node_response, &response);
    response.err = error;
    response.partitions = partitions;
    if (garbage.count) {
        WIRE_SET(&response, 3);
        response.gc_replicas = garbage;
    }
    wire_encode(&wire_configuration_query_by_node_response, &response, sync->peer, &body);
    meta_reply(sync->route->meta, sync->route->incoming, "ERR_OK", buf_bytes(&body));
    sync->route->incoming = NULL;
    buf_done(&body);
}

/* -- What it holds ---------------------------------------------------------------------------- */

/* The left-over child of a cancelled split: no table's, and nobody's loss. */
static bool sync_split_child(const struct table *table, const struct msg_replica_info *replica)
{
    return table && replica->pid.partition >= 0
           && replica->pid.partition / 2 < table->def.partition_count
           && (replica->status == BR_ROLE_ERROR || replica->status == BR_ROLE_SPLIT);
}

/* Rows of one table mostly come together. */
static const struct table *sync_table(struct sync *sync, int32_t id)
{
    if (!sync->table || sync->table->def.id != id)
        sync->table = cluster_table(&sync->route->meta->state.cluster, id);
    return sync->table;
}

static void sync_look_at(struct sync *sync, const struct msg_replica_info *replica)
{
    const struct state *state = &sync->route->meta->state;
    const struct table *table = sync_table(sync, replica->pid.app_id);
    int32_t index = replica->pid.partition;
    bool serves = replica->status == BR_ROLE_PRIMARY || replica->status == BR_ROLE_SECONDARY;
    if (!table || index < 0 || index >= table->def.partition_count) {
        if (!sync_split_child(table, replica) && sync->unknown++ == 0)
            sync->first_unknown = replica->pid;
        return;
    }
    const struct partition *partition = &table->partitions[index];
    sync->dropped += table->def.status == BR_TABLE_DROPPED;
    bool member = partition_has(partition, sync->node);
    if (serves && !member && partition->ballot <= replica->ballot && sync->strays++ == 0)
        sync->first_stray = replica->pid;
    sync->others += !member || state->tables[table - state->cluster.tables].cures[index];
}

/* Said when it changes, not with every sync (C6). */
static void sync_warn(struct sync *sync)
{
    struct meta *meta = sync->route->meta;
    struct state_node *node = &meta->state.nodes[sync->node];
    const char *name = meta->state.cluster.nodes[sync->node].name;
    if (sync->unknown && sync->unknown != node->unknown)
        meta_log(meta, BR_ERROR,
                 "gpid(%d.%d) on node(%s) is not exist on meta server, administrator should check "
                 "consistency of meta data: %u of its replicas are unknown here; nothing there is "
                 "dropped and no table is created meanwhile; if the metadata were lost, set "
                 "meta_server.recover_from_replica_server to true with a fresh cluster_root, "
                 "restart, and run `bridle recover -f FILE`",
                 sync->first_unknown.app_id, sync->first_unknown.partition, name, sync->unknown);
    if (sync->strays && sync->strays != node->strays)
        meta_log(meta, BR_ERROR,
                 "replica %d.%d on %s serves, but is no member of its partition's group here, and "
                 "no ballot of ours removed it (%u such replicas): does another meta server lead "
                 "that server? Stop every other meta server of the cluster; it is told nothing "
                 "until it agrees",
                 sync->first_stray.app_id, sync->first_stray.partition, name, sync->strays);
    if (!sync->unknown && node->unknown)
        meta_log(meta, BR_INFO, "%s holds no unknown replicas any more", name);
    if (!sync->strays && node->strays)
        meta_log(meta, BR_INFO, "%s agrees with the metadata again", name);
    node->unknown = sync->unknown;
    node->strays = sync->strays;
}

static void sync_collect(struct sync *sync, const struct msg_replica_info *replica)
{
    struct meta *meta = sync->route->meta;
    struct state *state = &meta->state;
    const struct table *table = cluster_table(&state->cluster, replica->pid.app_id);
    const struct partition *partition = state_partition(state, replica->pid);
    if (!partition || table->def.status != BR_TABLE_AVAILABLE || partition->ballot < 0)
        return;
    struct cure *cure = state_cure(state, replica->pid);
    if (!partition_has(partition, sync->node)) {
        drops_collect(state, replica->pid,
                      &(struct drop){ .node = sync->node,
                                      .ballot = replica->ballot,
                                      .committed = replica->last_committed_decree,
                                      .prepared = replica->last_prepared_decree });
        if (!state_healthy(state, replica->pid))
            guardian_touch(meta, replica->pid);
    } else if (cure && cure->asleep && partition->primary == sync->node
               && replica->status == BR_ROLE_PRIMARY && replica->ballot == partition->ballot) {
        cure->asleep = false;
        guardian_touch(meta, replica->pid);
    }
}

/* Every replica of the request; the ids that were ever used are remembered, so that no new table
 * gets one. */
static void sync_take(struct sync *sync)
{
    struct meta *meta = sync->route->meta;
    const struct msg_replica_info *replicas = sync->request.stored_replicas.items;
    for (uint32_t i = 0; i < sync->request.stored_replicas.count; i++) {
        int32_t id = replicas[i].pid.app_id;
        if (id > meta->highest_id && id <= BR_TABLE_ID_MAX)
            meta->highest_id = id;
        sync_look_at(sync, &replicas[i]);
    }
    sync_warn(sync);
}

/* -- What it shall serve ---------------------------------------------------------------------- */

static bool sync_busy(const struct sync *sync)
{
    const struct state *state = &sync->route->meta->state;
    uint32_t at = 0;
    uint64_t key;
    while (state->writing && set64_next(&state->nodes[sync->node].partitions, &at, &key)) {
        const struct cure *cure = state_cure(state, state_gpid(key));
        if (cure && cure->change && change_touches(cure->change, sync->node))
            return true;
    }
    return false;
}

static struct wire_list sync_partitions(struct sync *sync)
{
    const struct state *state = &sync->route->meta->state;
    struct arena *arena = &sync->route->arena;
    uint32_t count = state->nodes[sync->node].partitions.count;
    struct msg_configuration_update_request *list = arena_alloc(arena, count * sizeof *list);
    uint32_t at = 0;
    uint32_t filled = 0;
    uint64_t key;
    while (set64_next(&state->nodes[sync->node].partitions, &at, &key)) {
        struct msg_configuration_update_request *entry = &list[filled++];
        struct gpid pid = state_gpid(key);
        const struct table *table = sync_table(sync, pid.app_id);
        wire_init(&wire_configuration_update_request, entry);
        info_from_table(&table->def, &entry->info);
        partition_in_to_wire(state, table, pid.partition, sync->peer, arena, &entry->config);
        entry->host_node = sync->request.node;
    }
    return (struct wire_list){ .items = list, .count = filled };
}

static struct wire_list sync_garbage(struct sync *sync)
{
    const struct wire_list none = { 0 };
    const struct wire_list *stored = sync->dropped ? &sync->request.stored_replicas : &none;
    return collect_from(sync->route->meta, sync->node, stored, &sync->route->arena);
}

static bool sync_known(const struct sync *sync)
{
    return sync->node >= 0 && sync->route->meta->state.nodes[sync->node].alive;
}

/* What a living server tells is kept, whatever it is answered. */
static void sync_hear(struct sync *sync)
{
    struct meta *meta = sync->route->meta;
    struct state_node *live = &meta->state.nodes[sync->node];
    const struct msg_replica_info *replicas = sync->request.stored_replicas.items;
    uint32_t count = sync->others ? sync->request.stored_replicas.count : 0;
    learner_begin(meta, sync->node);
    for (uint32_t i = 0; i < count; i++) {
        learner_told(meta, sync->node,
                     &(struct told){ .pid = replicas[i].pid,
                                     .status = replicas[i].status,
                                     .ballot = replicas[i].ballot,
                                     .committed = replicas[i].last_committed_decree });
        sync_collect(sync, &replicas[i]);
    }
    learner_end(meta, sync->node);
    ask_told(meta, sync->node);
    bool first = !live->collected;
    live->collected = true;
    live->told_ms = state_wall_ms();
    if (first)
        meta_synced(meta);
}

static void sync_decide(struct sync *sync)
{
    const struct wire_list none = { 0 };
    bool known = sync_known(sync);
    bool agrees = known && !sync->unknown && !sync->strays;
    if (known && sync_busy(sync)) {
        sync_answer(sync, agrees ? "ERR_BUSY" : "ERR_OBJECT_NOT_FOUND", none, none);
        return;
    }
    if (known)
        sync_hear(sync);
    if (agrees)
        sync_answer(sync, "ERR_OK", sync_partitions(sync), sync_garbage(sync));
    else
        sync_answer(sync, "ERR_OBJECT_NOT_FOUND", none, none);
}

void sync_request(struct route *route)
{
    struct sync sync = { .route = route };
    const struct wire_list none = { 0 };
    if (!route_decode(route, &sync.request))
        return;
    bool named = WIRE_HAS(&sync.request, 4) && sync.request.hp_node.type == 1;
    sync.peer = named ? WIRE_PEER_26 : WIRE_PEER_25;
    sync.node = node_from_wire(&route->meta->state, named ? &sync.request.hp_node : NULL,
                               sync.request.node);
    if (sync.node < 0) {
        sync_answer(&sync, "ERR_OBJECT_NOT_FOUND", none, none);
        return;
    }
    sync_take(&sync);
    sync_decide(&sync);
}
