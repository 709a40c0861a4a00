/* serve -- what happens while this meta server serves: levels, servers that come and go, the
 * periodic look at everything.
 */
#include "host/meta/balance.h"
#include "host/meta/change.h"
#include "host/meta/ddl.h"
#include "host/meta/drops.h"
#include "host/meta/freeze.h"
#include "host/meta/guardian.h"
#include "host/meta/learner.h"

/* -- Levels ----------------------------------------------------------------------------------- */

const char *meta_level_text(int32_t level)
{
    switch (level) {
    case LEVEL_STOPPED: return "stopped";
    case LEVEL_BLIND: return "blind";
    case LEVEL_FREEZED: return "freezed";
    case LEVEL_STEADY: return "steady";
    case LEVEL_LIVELY: return "lively";
    default: return "invalid";
    }
}

static bool meta_too_few(const struct meta *meta)
{
    const struct config_meta *config = &meta->config->meta;
    int64_t alive = detector_alive_count(&meta->detector, loop_now(meta->loop));
    return alive < config->min_live_node_count_for_unfreeze
           || alive * 100 < (int64_t) meta->detector.count
                                * config->node_live_percentage_threshold_for_update;
}

int32_t meta_level_now(const struct meta *meta)
{
    return meta->too_few && meta->level > LEVEL_FREEZED ? LEVEL_FREEZED : meta->level;
}

void meta_level_changed(struct meta *meta)
{
    meta->too_few = meta_too_few(meta);
    int32_t level = meta_level_now(meta);
    if (!meta->guardian || level == meta->level_told)
        return;
    meta_log(meta, level < meta->level ? BR_WARN : BR_INFO,
             "function level %s%s: %u of %u replica servers are alive", meta_level_text(level),
             level < meta->level ? " (too few servers: nothing is assigned until more are alive)"
                                 : "",
             detector_alive_count(&meta->detector, loop_now(meta->loop)), meta->detector.count);
    writer_hold(meta->writer, level <= LEVEL_BLIND);
    if (level > LEVEL_FREEZED && meta->level_told <= LEVEL_FREEZED)
        guardian_scan(meta);
    meta->level_told = level;
}

/* -- Servers ---------------------------------------------------------------------------------- */

void meta_node_alive(struct meta *meta, const struct detector_node *from)
{
    meta_log(meta, BR_INFO, "replica server %s is alive", from->name);
    if (!meta->guardian)
        return;
    int32_t node = state_node(&meta->state, from->name, from->address);
    if (node < 0) {
        meta_log(meta, BR_ERROR, "%s cannot be used: more than %d replica servers", from->name,
                 BR_NODES_MAX);
        return;
    }
    struct state_node *live = &meta->state.nodes[node];
    state_set_alive(&meta->state, node, true);
    live->named = from->named;
    live->unheard = false;
    live->collected = false;
    ask_forget(meta, node);
    meta_level_changed(meta);
    guardian_renew(meta, node);
    guardian_scan(meta);
}

/* Returns how many partitions are to be looked at for it. */
static uint32_t meta_node_dead(struct meta *meta, const struct detector_node *from)
{
    meta_log(meta, BR_WARN, "replica server %s is dead: no beacon for %lld s", from->name,
             (long long) (meta->detector.rules.grace / BR_SECOND));
    int32_t node = meta->guardian ? cluster_node(&meta->state.cluster, from->name) : -1;
    if (node < 0)
        return 0;
    struct state_node *live = &meta->state.nodes[node];
    state_set_alive(&meta->state, node, false);
    live->collected = false;
    live->unknown = 0;
    live->strays = 0;
    collect_forget(live);
    ask_forget(meta, node);
    guardian_touch_node(meta, node);
    return live->partitions.count;
}

void meta_synced(struct meta *meta)
{
    guardian_scan(meta);
    ddl_synced(meta);
}

const char *meta_create_wrong(const struct meta *meta)
{
    const struct state *state = &meta->state;
    int64_t synced = 0;
    for (uint32_t i = 0; i < state->cluster.node_count; i++) {
        if (state->nodes[i].alive && state->nodes[i].unknown)
            return "replica servers hold replicas of tables that are unknown here: recover the "
                   "metadata first";
        if (state->nodes[i].alive && meta->began_empty && !state->nodes[i].collected)
            return "the store was empty, and not every replica server has told yet what it holds";
        synced += state->nodes[i].alive && state->nodes[i].collected;
    }
    if (meta->began_empty && synced < meta->config->meta.min_live_node_count_for_unfreeze)
        return "the store was empty, and too few replica servers have told yet what they hold";
    return NULL;
}

/* -- The tick --------------------------------------------------------------------------------- */

/* Whoever has died by now; false: there may be more of them, but this is enough for a turn. */
static bool meta_bury(struct meta *meta, br_time now)
{
    struct detector_node *dead;
    uint32_t touched = 0;
    while (touched < META_BURY_MAX && (dead = detector_died(&meta->detector, now)))
        touched += 1 + meta_node_dead(meta, dead);
    return touched < META_BURY_MAX;
}

static void meta_tick(void *arg)
{
    struct meta *meta = arg;
    br_time now = loop_now(meta->loop);
    bool all = meta_bury(meta, now);
    meta->tick = loop_after(meta->loop, all ? META_TICK : 0, meta_tick, meta);
    if (!meta->guardian || !all)
        return;
    meta_level_changed(meta);
    balance_tick(meta);
    if (now - meta->scanned < meta->config->meta.lb_interval)
        return;
    meta->scanned = now;
    guardian_scan(meta);
}

/* -- Beginning and ending --------------------------------------------------------------------- */

static void meta_lost_fence(void *arg)
{
    meta_step_down(arg);
}

/* Replicas that are no members, and what is known of each partition. */
static void meta_remember(struct meta *meta, bool recovered)
{
    struct state *state = &meta->state;
    int64_t now_ms = recovered ? 0 : state_wall_ms();
    for (uint32_t t = 0; t < state->cluster.table_count; t++) {
        const struct table *table = &state->cluster.tables[t];
        state->tables[t].known = recovered;
        for (int32_t i = 0; i < table->def.partition_count; i++) {
            const struct partition *partition = &table->partitions[i];
            struct gpid pid = { table->def.id, i };
            if (table->def.status != BR_TABLE_AVAILABLE)
                continue;
            if (partition->drop_count)
                drops_from_record(state, pid, now_ms);
            if (recovered && partition->primary >= 0 && !partition_unconfirmed(partition))
                state_cure_make(state, pid)->asleep = true;
        }
    }
}

/* Members in the metadata count as alive from now on, until the grace period says otherwise
 * (src/meta/meta_service.cpp:start_service); those that beacon are known already. */
static void meta_introduce(struct meta *meta)
{
    struct state *state = &meta->state;
    br_time now = loop_now(meta->loop);
    uint32_t stored = state->cluster.node_count;
    for (uint32_t i = 0; i < stored; i++) {
        if (state->nodes[i].partitions.count == 0)
            continue; /* it stands in last_drops only */
        detector_presume(&meta->detector, state->cluster.nodes[i].name,
                         state->cluster.nodes[i].address, now);
    }
    for (uint32_t i = 0; i < meta->detector.count; i++) {
        const struct detector_node *from = &meta->detector.nodes[i];
        int32_t node = state_node(state, from->name, from->address);
        if (node < 0)
            continue;
        state->nodes[node].alive = detector_alive(&meta->detector, from, now);
        state->nodes[node].named = from->named;
        state->nodes[node].unheard = from->presumed;
    }
}

void meta_serve(struct meta *meta, struct cluster *cluster, bool recovered)
{
    meta_unserve(meta);
    meta->began_empty = cluster->table_count == 0;
    state_take(&meta->state, cluster);
    uint32_t count = meta->state.cluster.table_count;
    if (count && meta->state.cluster.tables[count - 1].def.id > meta->highest_id)
        meta->highest_id = meta->state.cluster.tables[count - 1].def.id;
    meta->writer = writer_new(meta->loop, meta->store, meta->fence, meta_lost_fence, meta);
    meta->guardian = guardian_new(meta);
    meta->balancer = balancer_new(meta);
    meta->asker = asker_new(meta);
    meta->freeze = freeze_new(meta);
    meta_remember(meta, recovered);
    meta_introduce(meta);
    meta->ddl = ddl_new(meta);
    meta->level_told = LEVEL_INVALID;
    meta->state_now = META_SERVING;
    meta_log(meta, BR_INFO, "serving %u tables with %llu partitions from %s", count,
             (unsigned long long) cluster_partition_count(&meta->state.cluster),
             buf_string(&meta->root));
    meta_level_changed(meta);
    guardian_scan(meta);
    meta->scanned = loop_now(meta->loop);
    if (!meta->tick)
        meta->tick = loop_after(meta->loop, META_TICK, meta_tick, meta);
    ddl_synced(meta);
}

void meta_unserve(struct meta *meta)
{
    ddl_free(meta->ddl);
    meta->ddl = NULL;
    change_forget_all(meta);
    balancer_free(meta->balancer);
    meta->balancer = NULL;
    freeze_free(meta->freeze);
    meta->freeze = NULL;
    asker_free(meta->asker);
    meta->asker = NULL;
    guardian_free(meta->guardian);
    meta->guardian = NULL;
    writer_free(meta->writer);
    meta->writer = NULL;
    state_done(&meta->state);
    timer_cancel(meta->tick);
    meta->tick = NULL;
}
