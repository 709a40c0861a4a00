/* collect -- the one way in which a replica server deletes by name at a meta server's word, and
 * what must be true before: see freeze.h.
 */
#include <time.h>

#include "host/meta/drops.h"
#include "host/meta/freeze.h"

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
    node->ripe = 0;
}
