/* cure -- what one partition needs, decided as Apache Pegasus decides it
 * (src/meta/partition_guardian.cpp: on_missing_primary, on_missing_secondary,
 * on_redundant_secondary), but for three things: a partition that counts as new is not started
 * empty while a living server holds a replica of it with data, a primary taken over from a recovery
 * is asked to serve instead of being waited for, and frozen nobody learns who would delete what it
 * holds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/meta/drops.h"
#include "host/meta/guardian.h"
#include "host/meta/learner.h"

struct need {
    struct meta *meta;
    struct state *state;
    int32_t table;
    struct gpid pid;
    const struct partition *partition;
    struct cure *cure;
    bool refused; /* somebody who would do, but may not learn while frozen */
};

static bool need_alive(const struct need *need, int32_t node)
{
    return node >= 0 && need->state->nodes[node].alive;
}

static const char *need_name(const struct need *need, int32_t node)
{
    return need->state->cluster.nodes[node].name;
}

static void need_act(struct need *need, int32_t type, int32_t target, int32_t node)
{
    need->cure->actions[0] = (struct action){ .type = type, .target = target, .node = node };
    need->cure->action_count = 1;
    need->cure->planned = false;
    need->cure->stage = 0;
}

BR_PRINTF(2, 3)
static void need_give_up(struct need *need, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    need->cure->ddd = true;
    if (need->cure->text && strcmp(need->cure->text, text) == 0)
        return;
    free(need->cure->text);
    need->cure->text = mem_text(text);
    need->cure->reason = need->cure->text;
    meta_log(need->meta, BR_DEBUG, "%d.%d: no primary is chosen: %s", need->pid.app_id,
             need->pid.partition, text);
}

/* -- Choosing by load: least of this table first, then least of all ---------------------------- */

static bool need_lighter(const struct need *need, int32_t a, int32_t b, bool primaries)
{
    const struct share *shares = state_shares(need->state, need->table);
    const struct state_node *x = &need->state->nodes[a];
    const struct state_node *y = &need->state->nodes[b];
    uint32_t of_table[2] = { primaries ? shares[a].primaries : shares[a].replicas,
                             primaries ? shares[b].primaries : shares[b].replicas };
    uint32_t planned[2] = { primaries ? x->planned_primaries : x->planned_replicas,
                            primaries ? y->planned_primaries : y->planned_replicas };
    uint32_t all[2] = { primaries ? x->primaries : x->partitions.count,
                        primaries ? y->primaries : y->partitions.count };
    if (of_table[0] + planned[0] != of_table[1] + planned[1])
        return of_table[0] + planned[0] < of_table[1] + planned[1];
    return all[0] + planned[0] < all[1] + planned[1];
}

/* It may learn, or may once it has told what it holds, which is waited for.  Who did not answer is
 * asked again, but nobody waits for it. */
static bool need_may_learn(struct need *need, int32_t node)
{
    struct learner learner = learner_judge(need->meta, need->pid, node);
    if (!learner.wrong || learner.wait)
        return true;
    need->refused = true;
    if (learner.ask >= 0)
        ask_node(need->meta, learner.ask);
    return false;
}

/* The lightest living node that is no member and may be one; -1: there is none. */
static int32_t need_lightest(struct need *need, bool primaries)
{
    int32_t best = -1;
    for (int32_t i = 0; (uint32_t) i < need->state->cluster.node_count; i++) {
        if (!need_alive(need, i) || partition_has(need->partition, i))
            continue;
        if (!primaries && !need_may_learn(need, i))
            continue;
        if (best < 0 || need_lighter(need, i, best, primaries))
            best = i;
    }
    return best;
}

/* -- No primary ------------------------------------------------------------------------------- */

static void need_upgrade(struct need *need)
{
    int32_t best = -1;
    for (int i = 0; i < need->partition->secondary_count; i++) {
        int32_t node = need->partition->members[i];
        if (need_alive(need, node) && (best < 0 || need_lighter(need, node, best, true)))
            best = node;
    }
    if (best >= 0)
        need_act(need, CONFIG_UPGRADE_TO_PRIMARY, best, best);
}

/* A drop that holds data of a partition that counts as new; NULL: none is known. */
static const struct drop *need_data(const struct need *need)
{
    for (uint32_t i = 0; i < need->cure->drop_count; i++) {
        if (need->cure->drops[i].ballot > need->partition->ballot)
            return &need->cure->drops[i];
    }
    return NULL;
}

/* A record that was lost looks like a new partition's: unless we know better, everybody who is
 * alive must have told what it holds first. */
static bool need_patience(const struct need *need)
{
    const struct state *state = need->state;
    bool known = state->tables[need->table].known;
    for (uint32_t i = 0; !known && i < state->cluster.node_count; i++) {
        if (state->nodes[i].alive && !state->nodes[i].collected)
            return true;
    }
    return false;
}

static void need_start(struct need *need)
{
    const struct drop *data = need_data(need);
    if (!data && need_patience(need))
        return;
    if (data) {
        need_give_up(need,
                     "it counts as newly created, but %s holds a replica of it with ballot %lld; "
                     "if that is to be used, amend the plan with that server (bridle amend), or "
                     "recover the metadata again with it in the list",
                     need_name(need, data->node), (long long) data->ballot);
        return;
    }
    int32_t node = need_lightest(need, true);
    if (node >= 0)
        need_act(need, CONFIG_ASSIGN_PRIMARY, node, node);
}

/* What is known of one of the last two drops.  false: it must be waited for. */
static bool need_collect(struct need *need, int32_t node, struct drop *ret)
{
    const struct drop *drop = drops_find(need->cure, node);
    if (!need_alive(need, node)) {
        need_give_up(need, "the last dropped node(%s) hasn't come back yet", need_name(need, node));
        return false;
    }
    if (drop && drop->ballot != BR_BALLOT_INVALID) {
        *ret = *drop;
        return true;
    }
    const struct state_node *live = &need->state->nodes[node];
    if (live->collected && (!drop || live->told_ms > drop->time_ms)) { /* it holds none */
        *ret = (struct drop){ .node = node,
                              .ballot = BR_BALLOT_INVALID,
                              .committed = BR_DECREE_INVALID,
                              .prepared = BR_DECREE_INVALID };
        return true;
    }
    need_give_up(need,
                 "the last dropped node(%s) is unavailable because replica info has not been "
                 "collected from the node",
                 need_name(need, node));
    return false;
}

static const struct drop *need_better(const struct drop *previous, const struct drop *recent)
{
    if (previous->ballot != recent->ballot)
        return previous->ballot > recent->ballot ? previous : recent;
    if (previous->committed != recent->committed)
        return previous->committed > recent->committed ? previous : recent;
    return previous->prepared > recent->prepared ? previous : recent;
}

/* Everybody is gone: of the last two, the one that knows most, where that is certain. */
static void need_revive(struct need *need)
{
    const int32_t *drops = partition_drops(need->partition);
    int count = need->partition->drop_count;
    struct drop two[2];
    if (count == 1) {
        if (need_alive(need, drops[0]))
            need_act(need, CONFIG_ASSIGN_PRIMARY, drops[0], drops[0]);
        else
            need_give_up(need, "the only dropped node(%s) hasn't come back yet",
                         need_name(need, drops[0]));
        return;
    }
    for (int i = 0; i < 2; i++) {
        if (!need_collect(need, drops[count - 2 + i], &two[i]))
            return;
    }
    bool higher = two[0].ballot > two[1].ballot;
    bool lower = two[0].ballot < two[1].ballot;
    int64_t committed = two[0].committed > two[1].committed ? two[0].committed : two[1].committed;
    int64_t prepared = two[0].prepared > two[1].prepared ? two[0].prepared : two[1].prepared;
    if (two[0].ballot == BR_BALLOT_INVALID && two[1].ballot == BR_BALLOT_INVALID) {
        need_give_up(need, "no replica info collected from the last two drops");
    } else if ((higher && two[0].committed < two[1].committed)
               || (lower && two[0].committed > two[1].committed)) {
        need_give_up(need, "for the last two drops, the node with larger ballot has smaller last "
                           "committed decree");
    } else if (prepared < need->partition->committed || prepared < committed) {
        need_give_up(need,
                     "for the last two drops, larger_prepared_decree(%lld), last committed decree "
                     "on meta(%lld), larger_committed_decree(%lld)",
                     (long long) prepared, (long long) need->partition->committed,
                     (long long) committed);
    } else {
        const struct drop *best = need_better(&two[0], &two[1]);
        need_act(need, CONFIG_ASSIGN_PRIMARY, best->node, best->node);
    }
}

static void need_primary(struct need *need)
{
    if (need->partition->secondary_count)
        need_upgrade(need);
    else if (need->partition->drop_count == 0)
        need_start(need);
    else
        need_revive(need);
}

/* -- Too few, too many ------------------------------------------------------------------------- */

static int32_t need_min_2pc(const struct need *need)
{
    int64_t set = need->meta->config->replication.mutation_2pc_min_replica_count;
    int32_t replicas = state_replica_count(need->state, need->pid);
    if (set > 0)
        return (int32_t) set;
    return replicas <= 2 ? 1 : replicas / 2 + 1;
}

/* Somebody new may take the place of the one that left, instead of waiting for it. */
static bool need_urgent(const struct need *need)
{
    const struct cure *cure = need->cure;
    int32_t replicas = state_replica_count(need->state, need->pid);
    int32_t minimum = need_min_2pc(need);
    int32_t members = need->partition->secondary_count + 1;
    if ((replicas > minimum && members < minimum) || cure->drop_count == 0)
        return true;
    int64_t delay = need->meta->config->meta.replica_assign_delay / BR_MILLISECOND;
    return cure->drops[cure->drop_count - 1].time_ms + delay <= state_wall_ms();
}

static bool need_learner(struct need *need, int32_t node)
{
    return need_alive(need, node) && !partition_has(need->partition, node)
           && need_may_learn(need, node);
}

static int32_t need_from_drops(struct need *need)
{
    struct cure *cure = need->cure;
    if (cure->preferred < 0 || cure->preferred >= cure->drop_count)
        cure->preferred = cure->drop_count - 1;
    while (cure->preferred >= 0) {
        int32_t node = cure->drops[cure->preferred--].node;
        if (need_learner(need, node))
            return node;
    }
    return -1;
}

static void need_secondary(struct need *need)
{
    struct cure *cure = need->cure;
    int32_t node = -1;
    if (need_urgent(need)) {
        node = need_from_drops(need);
        if (node < 0)
            node = need_lightest(need, false);
    } else {
        int32_t last = cure->drops[cure->drop_count - 1].node;
        if (need_learner(need, last))
            node = last;
    }
    if (node >= 0)
        need_act(need, CONFIG_ADD_SECONDARY, need->partition->primary, node);
    cure->starved = node < 0 && need->refused;
}

static void need_fewer(struct need *need)
{
    int32_t most = need->partition->members[0];
    for (int i = 1; i < need->partition->secondary_count; i++) {
        int32_t node = need->partition->members[i];
        if (need->state->nodes[node].partitions.count > need->state->nodes[most].partitions.count)
            most = node;
    }
    need_act(need, CONFIG_REMOVE, need->partition->primary, most);
}

static int32_t need_dead_secondary(const struct need *need)
{
    for (int i = 0; i < need->partition->secondary_count; i++) {
        if (!need_alive(need, need->partition->members[i]))
            return need->partition->members[i];
    }
    return -1;
}

void cure_decide(struct meta *meta, struct gpid pid)
{
    struct state *state = &meta->state;
    struct need need = { .meta = meta,
                         .state = state,
                         .table = state_table(state, pid.app_id),
                         .pid = pid,
                         .partition = state_partition(state, pid),
                         .cure = state_cure(state, pid) };
    const struct partition *partition = need.partition;
    int32_t replicas = state_replica_count(state, pid);
    int32_t dead = need_dead_secondary(&need);
    if (need.cure)
        need.cure->starved = false;
    bool asleep = need.cure && need.cure->asleep;
    if (partition->primary >= 0 && !asleep && dead < 0
        && partition->secondary_count + 1 == replicas)
        return;
    need.cure = state_cure_make(state, pid);
    need.cure->ddd = false;
    if (partition->primary < 0)
        need_primary(&need);
    else if (asleep)
        need_act(&need, CONFIG_ASSIGN_PRIMARY, partition->primary, partition->primary);
    else if (dead >= 0)
        need_act(&need, CONFIG_DOWNGRADE_TO_INACTIVE, partition->primary, dead);
    else if (partition->secondary_count + 1 < replicas)
        need_secondary(&need);
    else
        need_fewer(&need);
}

/* src/meta/partition_guardian.cpp: from_proposals. */
const char *cure_stale(const struct meta *meta, const struct cure *cure)
{
    const struct state *state = &meta->state;
    const struct partition *partition = state_partition(state, cure->pid);
    const struct action *action = &cure->actions[0];
    bool leaves = action->type == CONFIG_DOWNGRADE_TO_INACTIVE || action->type == CONFIG_REMOVE;
    bool secondary = partition_has_secondary(partition, action->node);
    bool itself = action->node == action->target;
    bool good = false;
    struct learner learner = { .wrong = NULL };
    if (action->target < 0 || !state->nodes[action->target].alive)
        return "the server that is asked is not alive";
    if (action->node < 0 || (!leaves && !state->nodes[action->node].alive))
        return "the server that it is about is not alive";
    switch (action->type) {
    case CONFIG_ASSIGN_PRIMARY:
        good = itself && !secondary
               && (partition->primary < 0 || (partition->primary == action->node && cure->asleep));
        break;
    case CONFIG_UPGRADE_TO_PRIMARY: good = itself && partition->primary < 0 && secondary; break;
    case CONFIG_ADD_SECONDARY:
    case CONFIG_ADD_SECONDARY_FOR_LB:
        good = partition->primary == action->target && !partition_has(partition, action->node);
        learner = learner_judge(meta, cure->pid, action->node);
        break;
    case CONFIG_DOWNGRADE_TO_INACTIVE:
    case CONFIG_REMOVE:
        good = partition->primary == action->target && partition_has(partition, action->node);
        break;
    case CONFIG_DOWNGRADE_TO_SECONDARY:
        good = itself && partition->primary == action->target;
        break;
    default: break;
    }
    if (!good)
        return "it does not fit the partition's present group";
    return learner.wait ? NULL : learner.wrong;
}

/* What the guardian decided itself it takes back where there is no need any more; a dead secondary
 * goes before whatever changes the group otherwise: the primary writes to it until it is told. */
const char *cure_overtaken(const struct meta *meta, const struct cure *cure)
{
    const struct state *state = &meta->state;
    const struct partition *partition = state_partition(state, cure->pid);
    const struct action *action = &cure->actions[0];
    int32_t members = partition->secondary_count + 1;
    int32_t replicas = state_replica_count(state, cure->pid);
    bool leaves = action->type == CONFIG_DOWNGRADE_TO_INACTIVE || action->type == CONFIG_REMOVE;
    for (int i = 0; partition->primary >= 0 && !leaves && i < partition->secondary_count; i++) {
        if (!state->nodes[partition->members[i]].alive && !cure->asleep)
            return "a secondary is dead";
    }
    if (cure->planned)
        return NULL;
    if (action->type == CONFIG_DOWNGRADE_TO_INACTIVE && state->nodes[action->node].alive)
        return "the server is alive again";
    if ((action->type == CONFIG_REMOVE && members <= replicas)
        || (action->type == CONFIG_ADD_SECONDARY && members >= replicas))
        return "there are as many members as there shall be";
    return NULL;
}

const char *cure_unrest(const struct state *state, struct gpid pid)
{
    const struct partition *partition = state_partition(state, pid);
    const struct cure *cure = state_cure(state, pid);
    if (partition_unconfirmed(partition))
        return "its primary has not yet confirmed its group";
    if (partition->primary < 0 || partition->secondary_count + 1 != state_replica_count(state, pid))
        return "it has not as many members as it shall have";
    if (cure && (cure->change || cure->action_count || cure->asleep || cure->ddd))
        return "something is going on with it";
    for (int i = -1; i < partition->secondary_count; i++) {
        if (!state->nodes[i < 0 ? partition->primary : partition->members[i]].alive)
            return "a member of it is dead";
    }
    return NULL;
}
