/* hot_group -- is one group whole?  A table of conditions, in the order of enum hot_reason. */
#include <string.h>

#include "host/recovery/hot_run.h"

/* -- The reports ------------------------------------------------------------------------------ */

static bool hot_twice(const struct br_replica *const *replicas, uint64_t count)
{
    for (uint64_t i = 1; i < count; i++)
        if (replicas[i - 1]->node == replicas[i]->node)
            return true;
    return false;
}

static bool hot_once_each(const struct hot_run *run, const struct hot_group *group)
{
    (void) run;
    return !hot_twice(group->first, group->first_count)
           && !hot_twice(group->second, group->second_count);
}

static bool hot_ballots(const struct hot_run *run, const struct hot_group *group)
{
    (void) run;
    for (uint64_t i = 0; i < group->first_count; i++)
        if (group->first[i]->ballot < 0)
            return false;
    return true;
}

static bool hot_no_split(const struct hot_run *run, const struct hot_group *group)
{
    (void) run;
    return !group->split;
}

static bool hot_highest(const struct hot_run *run, const struct hot_group *group)
{
    (void) run;
    for (uint64_t i = 0; i < group->first_count; i++)
        if (group->first[i]->ballot > group->primary->ballot)
            return false;
    return true;
}

static bool hot_enough(const struct hot_run *run, const struct hot_group *group)
{
    (void) run;
    int32_t members = 1;
    for (uint64_t i = 0; i < group->first_count; i++)
        members += hot_member(group->first[i], group->primary);
    return members >= group->replica_count;
}

/* -- The members' servers --------------------------------------------------------------------- */

typedef bool hot_server_holds(const struct hot_run *run, const struct hot_group *group,
                              uint32_t node);

static bool hot_each_server(const struct hot_run *run, const struct hot_group *group,
                            hot_server_holds *holds)
{
    for (uint64_t i = 0; i < group->first_count; i++) {
        const struct br_replica *replica = group->first[i];
        bool member = replica == group->primary || hot_member(replica, group->primary);
        if (member && !holds(run, group, (uint32_t) replica->node))
            return false;
    }
    return true;
}

static bool hot_named(const struct hot_run *run, const struct hot_group *group, uint32_t node)
{
    (void) group;
    const char *beacon = run->request->servers[node].beacon;
    return !beacon || strcmp(beacon, run->survey->nodes[node].name) == 0;
}

static bool hot_obedient(const struct hot_run *run, const struct hot_group *group, uint32_t node)
{
    (void) group;
    return !run->obeys[node];
}

static bool hot_acked(const struct hot_run *run, const struct hot_group *group, uint32_t node)
{
    (void) group;
    const struct hot_server *server = &run->request->servers[node];
    return server->beacon && server->acked_since > 0 && server->acked_since < server->answered_at;
}

static bool hot_after(const struct hot_run *run, const struct hot_group *group, uint32_t node)
{
    br_time answered = run->request->servers[group->primary->node].answered_at;
    return run->request->servers[node].asked_again_at >= answered;
}

static bool hot_names(const struct hot_run *run, const struct hot_group *group)
{
    return hot_each_server(run, group, hot_named);
}

static bool hot_obeying(const struct hot_run *run, const struct hot_group *group)
{
    return hot_each_server(run, group, hot_obedient);
}

static bool hot_acks(const struct hot_run *run, const struct hot_group *group)
{
    return hot_each_server(run, group, hot_acked);
}

static bool hot_asked_after(const struct hot_run *run, const struct hot_group *group)
{
    return hot_each_server(run, group, hot_after);
}

/* -- The second round ------------------------------------------------------------------------- */

/* From here on both rounds have the same nodes at the same indexes. */
static bool hot_unchanged(const struct hot_run *run, const struct hot_group *group)
{
    (void) run;
    if (group->first_count != group->second_count)
        return false;
    for (uint64_t i = 0; i < group->first_count; i++) {
        const struct br_replica *a = group->first[i];
        const struct br_replica *b = group->second[i];
        if (a->node != b->node || a->role != b->role || a->ballot != b->ballot)
            return false;
    }
    return true;
}

static bool hot_not_behind(const struct hot_run *run, const struct hot_group *group)
{
    (void) run;
    for (uint64_t i = 0; i < group->first_count; i++)
        if (hot_member(group->first[i], group->primary)
            && group->second[i]->prepared < group->primary->committed)
            return false;
    return true;
}

/* Says something only of a secondary that had answered before the primary was asked again. */
static bool hot_not_ahead(const struct hot_run *run, const struct hot_group *group)
{
    const struct hot_server *servers = run->request->servers;
    br_time asked = servers[group->primary->node].asked_again_at;
    int64_t committed = group->second[group->primary_at]->committed;
    for (uint64_t i = 0; i < group->first_count; i++) {
        const struct br_replica *replica = group->first[i];
        if (hot_member(replica, group->primary) && servers[replica->node].answered_at <= asked
            && replica->committed > committed)
            return false;
    }
    return true;
}

static bool hot_moved(const struct hot_run *run, const struct hot_group *group)
{
    if (!run->request->motion)
        return true;
    for (uint64_t i = 0; i < group->first_count; i++)
        if (hot_member(group->first[i], group->primary)
            && group->second[i]->prepared <= group->first[i]->prepared)
            return false;
    return true;
}

/* -- All of it -------------------------------------------------------------------------------- */

static enum hot_reason hot_claimed(struct hot_group *group)
{
    bool claimed = false;
    uint32_t primaries = 0;
    for (uint64_t i = 0; i < group->first_count; i++) {
        claimed = claimed || hot_claim(group->first[i]);
        if (group->first[i]->role != BR_ROLE_PRIMARY)
            continue;
        primaries++;
        group->primary = group->first[i];
        group->primary_at = (uint32_t) i;
    }
    for (uint64_t i = 0; i < group->second_count && !claimed; i++)
        claimed = hot_claim(group->second[i]);
    if (primaries == 1)
        return HOT_WHOLE;
    return primaries ? HOT_PRIMARIES : claimed ? HOT_HEADLESS : HOT_IDLE;
}

enum hot_reason hot_group_reason(const struct hot_run *run, struct hot_group *group)
{
    static const struct {
        enum hot_reason reason;
        bool (*holds)(const struct hot_run *run, const struct hot_group *group);
    } before[] = { { HOT_TWICE, hot_once_each },
                   { HOT_NO_BALLOT, hot_ballots },
                   { HOT_SPLIT, hot_no_split } },
      with_primary[] = { { HOT_HIGHER, hot_highest },    { HOT_FEW, hot_enough },
                         { HOT_NAME, hot_names },        { HOT_OBEYS, hot_obeying },
                         { HOT_UNACKED, hot_acks },      { HOT_EARLY, hot_asked_after },
                         { HOT_CHANGED, hot_unchanged }, { HOT_BEHIND, hot_not_behind },
                         { HOT_AHEAD, hot_not_ahead },   { HOT_STILL, hot_moved } };
    if (!group->first_count && !group->second_count)
        return HOT_UNREPORTED;
    enum hot_reason claimed = hot_claimed(group);
    if (claimed == HOT_IDLE)
        return HOT_IDLE;
    if (group->first_count > BR_REPLICAS_MAX || group->second_count > BR_REPLICAS_MAX)
        return HOT_CROWD;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        if (!before[i].holds(run, group))
            return before[i].reason;
    if (claimed != HOT_WHOLE)
        return claimed;
    for (size_t i = 0; i < sizeof with_primary / sizeof *with_primary; i++)
        if (!with_primary[i].holds(run, group))
            return with_primary[i].reason;
    return HOT_WHOLE;
}
