/* collect -- the two ways in which a replica server deletes at a meta server's word, and what must
 * be true before: see freeze.h.
 */
#include <time.h>

#include "host/meta/drops.h"
#include "host/meta/freeze.h"

/* -- gc_replicas ------------------------------------------------------------------------------- */

static const char *collect_table_wrong(const struct table *table, int64_t now_second)
{
    if (!table)
        return "no table here has it";
    if (table->def.status != BR_TABLE_DROPPED)
        return "its table is not dropped";
    if (table->def.drop_second <= 0)
        return "nobody dropped its table: a recovery made the record";
    if (table->def.expire_second <= 0)
        return "its table has no expire_second";
    if (table->def.expire_second < table->def.drop_second)
        return "its table's expire_second is before its drop_second";
    if (table->def.expire_second >= now_second) /* until then it can be recalled */
        return "its table's expire_second is not over";
    return NULL;
}

static const char *collect_replica_wrong(const struct partition *partition,
                                         const struct msg_replica_info *replica)
{
    if (!(partition->flags & PARTITION_DROPPED))
        return "its partition is not flagged as dropped";
    if (partition->primary >= 0 || partition->secondary_count)
        return "its partition has members";
    if (replica->status != BR_ROLE_INACTIVE && replica->status != BR_ROLE_ERROR)
        return "it is not closed";
    if (replica->ballot > partition->ballot) /* a late update is answered with the drop's own */
        return "its ballot is above the drop's: it is of another life";
    return NULL;
}

const char *collect_wrong(const struct meta *meta, const struct msg_replica_info *replica,
                          int64_t now_second, bool *ret_ripe)
{
    const struct table *table = cluster_table(&meta->state.cluster, replica->pid.app_id);
    const struct partition *partition = state_partition(&meta->state, replica->pid);
    const char *wrong = collect_table_wrong(partition ? table : NULL, now_second);
    if (!wrong)
        wrong = collect_replica_wrong(partition, replica);
    *ret_ripe = !wrong;
    if (!wrong)
        wrong = freeze_why(meta);
    if (!wrong && meta_level_now(meta) != LEVEL_LIVELY)
        wrong = "the function level is not lively";
    return wrong;
}

static void collect_tell(struct meta *meta, int32_t node, const struct msg_replica_info *replica)
{
    const struct table *table = cluster_table(&meta->state.cluster, replica->pid.app_id);
    meta_log(meta, BR_WARN,
             "%s is told to collect replica %d.%d: table '%s' was dropped at %lld and expired at "
             "%lld",
             meta->state.cluster.nodes[node].name, replica->pid.app_id, replica->pid.partition,
             table->def.name, (long long) table->def.drop_second,
             (long long) table->def.expire_second);
}

/* Said when the number changes. */
static void collect_tell_kept(struct meta *meta, int32_t node, uint32_t kept, const char *why)
{
    struct state_node *live = &meta->state.nodes[node];
    if (kept && kept != live->ripe)
        meta_log(meta, BR_INFO, "%u replicas of dropped and expired tables on %s stay: %s", kept,
                 meta->state.cluster.nodes[node].name, why);
}

struct wire_list collect_from(struct meta *meta, int32_t node, const struct wire_list *replicas,
                              struct arena *arena)
{
    struct state_node *live = &meta->state.nodes[node];
    const struct msg_replica_info *from = replicas->items;
    struct msg_replica_info *list = arena_alloc(arena, replicas->count * sizeof *list);
    struct set64 told = { 0 };
    const char *why = NULL;
    uint32_t count = 0;
    uint32_t ripe = 0;
    int64_t now_second = (int64_t) time(NULL);
    for (uint32_t i = 0; i < replicas->count; i++) {
        bool is_ripe;
        const char *wrong = collect_wrong(meta, &from[i], now_second, &is_ripe);
        ripe += is_ripe;
        why = is_ripe && wrong ? wrong : why;
        if (wrong || !set64_add(&told, state_key(from[i].pid)))
            continue;
        if (!set64_has(&live->garbage, state_key(from[i].pid)))
            collect_tell(meta, node, &from[i]);
        list[count++] = from[i];
    }
    collect_tell_kept(meta, node, ripe - count, why);
    set64_done(&live->garbage);
    live->garbage = told;
    live->ripe = ripe;
    return (struct wire_list){ .items = list, .count = count };
}

void collect_forget(struct state_node *node)
{
    set64_done(&node->garbage);
    set64_done(&node->ahead);
    node->garbage = (struct set64){ 0 };
    node->ahead = (struct set64){ 0 };
    node->ripe = 0;
    node->ahead_sure = 0;
    node->ahead_told = 0;
}

/* -- Learners ---------------------------------------------------------------------------------- */

static bool learner_primary_told(const struct partition *partition, const struct cure *cure)
{
    return cure && cure->told_ballot == partition->ballot;
}

/* What the group has committed for certain: by its last update, or by its primary's last sync. */
static int64_t learner_known(const struct partition *partition, const struct cure *cure)
{
    bool more = learner_primary_told(partition, cure) && cure->told > partition->committed;
    return more ? cure->told : partition->committed;
}

const char *learner_wrong(const struct meta *meta, struct gpid pid, int32_t node, bool *ret_for_now)
{
    const struct state *state = &meta->state;
    const struct state_node *live = &state->nodes[node];
    const struct partition *partition = state_partition(state, pid);
    const struct cure *cure = state_cure(state, pid);
    const struct drop *drop = drops_find(cure, node);
    bool told = drop && drop->ballot != BR_BALLOT_INVALID;
    bool ahead = told ? drop->committed > learner_known(partition, cure)
                      : set64_has(&live->ahead, state_key(pid));
    *ret_for_now = true;
    if (!freeze_why(meta))
        return NULL;
    if (!live->collected || live->told_ms <= state->shrunk_ms)
        return "frozen, and it has not told yet what it holds";
    *ret_for_now = !learner_primary_told(partition, cure);
    return ahead ? "frozen, and it holds more than the group is known to have, which it would "
                   "delete"
                 : NULL;
}

void learner_told(struct meta *meta, int32_t node, const struct msg_replica_info *replica)
{
    struct state *state = &meta->state;
    const struct partition *partition = state_partition(state, replica->pid);
    struct cure *cure = state_cure(state, replica->pid);
    bool leads = partition->primary == node && replica->status == BR_ROLE_PRIMARY
                 && replica->ballot == partition->ballot;
    if (leads && cure) {
        cure->told = replica->last_committed_decree;
        cure->told_ballot = replica->ballot;
    }
    if (partition_has(partition, node)
        || replica->last_committed_decree <= learner_known(partition, cure))
        return;
    set64_add(&state->nodes[node].ahead, state_key(replica->pid));
    state->nodes[node].ahead_sure += learner_primary_told(partition, cure);
}

void learners_tell(struct meta *meta, int32_t node, uint32_t before)
{
    struct state_node *live = &meta->state.nodes[node];
    uint32_t count = live->ahead_sure;
    uint32_t at = 0;
    uint64_t key = 0;
    if (count && (count != before || count == live->ahead_told || !freeze_why(meta)))
        return;
    live->ahead_told = count;
    if (!count || !set64_next(&live->ahead, &at, &key))
        return;
    struct gpid pid = state_gpid(key);
    meta_log(
        meta, BR_WARN,
        "%u replicas on %s hold more than their groups are known to have (%d.%d is one): made "
        "members they would delete it, so that while frozen they are not; if it is to be kept, "
        "recover again with that server in the list",
        count, meta->state.cluster.nodes[node].name, pid.app_id, pid.partition);
}
