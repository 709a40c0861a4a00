/* balance -- see balance.h.  Moving a primary costs nothing, copying a replica a lot: so from a
 * server with too many primaries a way is searched along groups whose secondaries could take over,
 * each handing one on, to a server with too few; a copy is made only where there is no such way.
 */
#include "host/meta/balance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/meta/guardian.h"

enum balance_phase { PHASE_PRIMARIES, PHASE_ALL_PRIMARIES, PHASE_REPLICAS, PHASE_ALL_REPLICAS };

struct balance {
    struct state *state;
    enum balance_phase phase;
    int32_t table;
    int32_t id;           /* of the table */
    uint32_t nodes;       /* of the state */
    struct share *counts; /* of the table, by node, with the plans so far */
    struct share *totals; /* of all available tables */
    int32_t *queue;       /* of the search */
    int32_t *back;        /* by node: where the way came from; -2: not reached, -1: the start */
    int32_t *along;       /* by node: the partition that hands on */
    struct set64 touched; /* partitions with a plan */
    struct balance_plan *plans;
    uint32_t count, most;
    uint32_t work;
};

/* -- From where to where ----------------------------------------------------------------------- */

static bool balance_alive(const struct balance *balance, int32_t node)
{
    return balance->state->nodes[node].alive;
}

/* Would a step from one to the other help in this phase? */
static bool balance_helps(const struct balance *balance, int32_t from, int32_t to)
{
    const struct share *x = &balance->counts[from];
    const struct share *y = &balance->counts[to];
    const struct share *all_x = &balance->totals[from];
    const struct share *all_y = &balance->totals[to];
    if (!balance_alive(balance, to))
        return false;
    switch (balance->phase) {
    case PHASE_PRIMARIES: return x->primaries >= y->primaries + 2;
    case PHASE_ALL_PRIMARIES:
        return x->primaries > y->primaries && all_x->primaries >= all_y->primaries + 2;
    case PHASE_REPLICAS: return x->replicas >= y->replicas + 2;
    default: return x->replicas > y->replicas && all_x->replicas >= all_y->replicas + 2;
    }
}

/* Nothing that the phases before have made even gets worse by a primary's going this way. */
static bool balance_primary_may(const struct balance *balance, int32_t from, int32_t to)
{
    return balance->phase <= PHASE_ALL_PRIMARIES
           || (balance->counts[from].primaries > balance->counts[to].primaries
               && balance->totals[from].primaries > balance->totals[to].primaries);
}

static bool balance_helps_any(const struct balance *balance, int32_t from)
{
    for (int32_t to = 0; (uint32_t) to < balance->nodes; to++) {
        if (balance_helps(balance, from, to))
            return true;
    }
    return false;
}

/* The node with the least that is no member and that a step to helps; -1: none. */
static int32_t balance_target(struct balance *balance, const struct partition *partition,
                              int32_t from, bool primary)
{
    int32_t best = -1;
    balance->work += balance->nodes;
    for (int32_t to = 0; (uint32_t) to < balance->nodes; to++) {
        if (!balance_helps(balance, from, to) || partition_has(partition, to)
            || (primary && !balance_primary_may(balance, from, to)))
            continue;
        if (best < 0 || balance->counts[to].replicas < balance->counts[best].replicas
            || (balance->counts[to].replicas == balance->counts[best].replicas
                && balance->totals[to].replicas < balance->totals[best].replicas))
            best = to;
    }
    return best;
}

/* -- Plans ------------------------------------------------------------------------------------ */

static void balance_shift(struct share *shares, int32_t from, int32_t to, bool primary, bool copy)
{
    shares[from].primaries -= primary;
    shares[to].primaries += primary;
    shares[from].replicas -= copy;
    shares[to].replicas += copy;
}

static void balance_put(struct balance *balance, int32_t partition, enum balance_kind kind,
                        int32_t from, int32_t to)
{
    struct gpid pid = { balance->id, partition };
    bool primary = kind != BALANCE_COPY_SECONDARY;
    bool copy = kind != BALANCE_MOVE_PRIMARY;
    balance->plans[balance->count++] =
        (struct balance_plan){ .pid = pid, .kind = kind, .from = from, .to = to };
    set64_add(&balance->touched, state_key(pid));
    balance_shift(balance->counts, from, to, primary, copy);
    balance_shift(balance->totals, from, to, primary, copy);
}

/* The node's partitions of this table that have no plan yet; NULL: no more, or enough work. */
static const struct partition *balance_next(struct balance *balance, int32_t node, uint32_t *at,
                                            int32_t *ret_index)
{
    uint64_t key;
    while (balance->work < BALANCE_WORK_MAX
           && set64_next(&balance->state->nodes[node].partitions, at, &key)) {
        struct gpid pid = state_gpid(key);
        balance->work++;
        if (pid.app_id != balance->id || set64_has(&balance->touched, key))
            continue;
        *ret_index = pid.partition;
        return &balance->state->cluster.tables[balance->table].partitions[pid.partition];
    }
    return NULL;
}

/* -- Moving primaries -------------------------------------------------------------------------- */

/* Breadth first: a shortest way.  Returns its end; -1: there is none. */
static int32_t balance_search(struct balance *balance, int32_t from)
{
    uint32_t head = 0;
    uint32_t tail = 0;
    for (uint32_t i = 0; i < balance->nodes; i++)
        balance->back[i] = -2;
    balance->back[from] = -1;
    balance->queue[tail++] = from;
    while (head < tail) {
        int32_t node = balance->queue[head++];
        const struct partition *partition;
        uint32_t at = 0;
        int32_t index;
        while ((partition = balance_next(balance, node, &at, &index))) {
            for (int i = 0; partition->primary == node && i < partition->secondary_count; i++) {
                int32_t next = partition->members[i];
                if (balance->back[next] != -2 || !balance_alive(balance, next))
                    continue;
                balance->back[next] = node;
                balance->along[next] = index;
                if (balance_helps(balance, from, next))
                    return next;
                balance->queue[tail++] = next;
            }
        }
    }
    return -1;
}

static bool balance_move_primaries(struct balance *balance, int32_t from)
{
    int32_t to = balance_search(balance, from);
    uint32_t steps = 0;
    for (int32_t node = to; node >= 0 && node != from; node = balance->back[node])
        steps++;
    if (to < 0 || balance->count + steps > balance->most)
        return false;
    for (int32_t node = to; node != from; node = balance->back[node])
        balance_put(balance, balance->along[node], BALANCE_MOVE_PRIMARY, balance->back[node], node);
    return true;
}

/* -- Copying ---------------------------------------------------------------------------------- */

static bool balance_copy(struct balance *balance, int32_t from, bool primary)
{
    const struct partition *partition;
    uint32_t at = 0;
    int32_t index;
    while ((partition = balance_next(balance, from, &at, &index))) {
        if ((partition->primary == from) != primary)
            continue;
        int32_t to = balance_target(balance, partition, from, primary);
        if (to < 0)
            continue;
        balance_put(balance, index, primary ? BALANCE_COPY_PRIMARY : BALANCE_COPY_SECONDARY, from,
                    to);
        return true;
    }
    return false;
}

static bool balance_step_from(struct balance *balance, int32_t from)
{
    if (!balance_alive(balance, from) || !balance_helps_any(balance, from))
        return false;
    if (balance->phase <= PHASE_ALL_PRIMARIES)
        return balance_move_primaries(balance, from) || balance_copy(balance, from, true);
    return balance_copy(balance, from, false) || balance_copy(balance, from, true);
}

/* -- Rounds ----------------------------------------------------------------------------------- */

static uint32_t balance_load(const struct balance *balance, int32_t node)
{
    const struct share *share = &balance->counts[node];
    return balance->phase <= PHASE_ALL_PRIMARIES ? share->primaries : share->replicas;
}

/* From the fullest first. */
static bool balance_step(struct balance *balance)
{
    uint32_t most = 0;
    for (int32_t i = 0; (uint32_t) i < balance->nodes; i++) {
        if (balance_alive(balance, i) && balance_load(balance, i) > most)
            most = balance_load(balance, i);
    }
    for (int pass = 0; pass < 2; pass++) {
        for (int32_t i = 0; (uint32_t) i < balance->nodes; i++) {
            bool full = balance_load(balance, i) == most;
            if (full == (pass == 0) && balance_step_from(balance, i))
                return true;
        }
    }
    return false;
}

static bool balance_served(const struct state *state, uint32_t table)
{
    return state->cluster.tables[table].def.status == BR_TABLE_AVAILABLE;
}

static void balance_table(struct balance *balance, uint32_t table)
{
    balance->table = (int32_t) table;
    balance->id = balance->state->cluster.tables[table].def.id;
    memcpy(balance->counts, state_shares(balance->state, balance->table),
           balance->nodes * sizeof *balance->counts);
    while (balance->count < balance->most && balance->work < BALANCE_WORK_MAX
           && balance_step(balance))
        continue;
}

static void balance_sum(struct balance *balance)
{
    struct state *state = balance->state;
    for (uint32_t t = 0; t < state->cluster.table_count; t++) {
        if (!balance_served(state, t))
            continue;
        const struct share *shares = state_shares(state, (int32_t) t);
        for (uint32_t i = 0; i < balance->nodes; i++) {
            balance->totals[i].primaries += shares[i].primaries;
            balance->totals[i].replicas += shares[i].replicas;
        }
    }
}

uint32_t balance_round(struct state *state, struct balance_plan *plans, uint32_t most)
{
    uint32_t nodes = state->cluster.node_count;
    struct balance balance = {
        .state = state,
        .nodes = nodes,
        .counts = mem_array(nodes + 1u, sizeof(struct share)),
        .totals = mem_array(nodes + 1u, sizeof(struct share)),
        .queue = mem_array(nodes + 1u, sizeof(int32_t)),
        .back = mem_array(nodes + 1u, sizeof(int32_t)),
        .along = mem_array(nodes + 1u, sizeof(int32_t)),
        .plans = plans,
        .most = most,
    };
    balance_sum(&balance);
    for (int phase = 0; phase <= PHASE_ALL_REPLICAS && balance.count == 0; phase++) {
        balance.phase = (enum balance_phase) phase;
        for (uint32_t t = 0; t < state->cluster.table_count; t++) {
            if (balance_served(state, t))
                balance_table(&balance, t);
        }
    }
    free(balance.counts);
    free(balance.totals);
    free(balance.queue);
    free(balance.back);
    free(balance.along);
    set64_done(&balance.touched);
    return balance.count;
}

/* -- Carrying out ------------------------------------------------------------------------------ */

uint32_t balance_actions(const struct state *state, const struct balance_plan *plan,
                         struct action actions[CURE_ACTIONS_MAX])
{
    int32_t primary = state_partition(state, plan->pid)->primary;
    int32_t from = plan->from;
    int32_t to = plan->to;
    uint32_t count = 0;
    if (plan->kind != BALANCE_MOVE_PRIMARY)
        actions[count++] = (struct action){ CONFIG_ADD_SECONDARY_FOR_LB, primary, to };
    if (plan->kind != BALANCE_COPY_SECONDARY) {
        actions[count++] = (struct action){ CONFIG_DOWNGRADE_TO_SECONDARY, from, from };
        actions[count++] = (struct action){ CONFIG_UPGRADE_TO_PRIMARY, to, to };
        primary = to;
    }
    if (plan->kind != BALANCE_MOVE_PRIMARY)
        actions[count++] = (struct action){ CONFIG_REMOVE, primary, from };
    return count;
}

static const char *balance_partition_wrong(const struct state *state, struct gpid pid)
{
    const struct partition *partition = state_partition(state, pid);
    const struct cure *cure = state_cure(state, pid);
    if (partition_unconfirmed(partition))
        return "a partition's primary has not yet confirmed its group";
    if (partition->primary < 0 || partition->secondary_count + 1 != state_replica_count(state, pid))
        return "a partition has not as many members as it shall have";
    if (cure && (cure->change || cure->action_count || cure->asleep || cure->ddd))
        return "something is going on with a partition";
    for (int i = -1; i < partition->secondary_count; i++) {
        if (!state->nodes[i < 0 ? partition->primary : partition->members[i]].alive)
            return "a partition's member is dead";
    }
    return NULL;
}

const char *balance_wrong(const struct state *state)
{
    const char *wrong = NULL;
    for (uint32_t t = 0; !wrong && t < state->cluster.table_count; t++) {
        const struct table *table = &state->cluster.tables[t];
        if (table->def.status == BR_TABLE_DROPPED)
            continue;
        if (!balance_served(state, t))
            wrong = "a table is being created, dropped or recalled";
        for (int32_t i = 0; !wrong && i < table->def.partition_count; i++)
            wrong = balance_partition_wrong(state, (struct gpid){ table->def.id, i });
    }
    return wrong;
}

static void balance_count(const struct balance_plan *plans, uint32_t count,
                          struct balance_count *ret)
{
    *ret = (struct balance_count){ 0 };
    for (uint32_t i = 0; i < count; i++) {
        ret->move_primary += plans[i].kind == BALANCE_MOVE_PRIMARY;
        ret->copy_primary += plans[i].kind == BALANCE_COPY_PRIMARY;
        ret->copy_secondary += plans[i].kind == BALANCE_COPY_SECONDARY;
    }
}

static void balance_go(struct meta *meta, const struct balance_plan *plan)
{
    static const char *const names[] = { "", "move_primary", "copy_primary", "copy_secondary" };
    const struct node *nodes = meta->state.cluster.nodes;
    struct action actions[CURE_ACTIONS_MAX];
    uint32_t count = balance_actions(&meta->state, plan, actions);
    const char *wrong = guardian_plan(meta, plan->pid, actions, count);
    meta_log(meta, wrong ? BR_WARN : BR_INFO, "%d.%d: %s from %s to %s%s%s", plan->pid.app_id,
             plan->pid.partition, names[plan->kind], nodes[plan->from].name, nodes[plan->to].name,
             wrong ? " is not begun: " : "", wrong ? wrong : "");
}

void balance_tick(struct meta *meta)
{
    int32_t level = meta_level_now(meta);
    if (meta->balanced == meta->scanned || level <= LEVEL_FREEZED || !guardian_all_healthy(meta)
        || balance_wrong(&meta->state))
        return;
    meta->balanced = meta->scanned;
    struct balance_plan *plans = mem_array(BALANCE_PLANS_MAX, sizeof *plans);
    bool lively = level >= LEVEL_LIVELY;
    uint32_t count =
        balance_round(&meta->state, plans, lively ? BALANCE_MOVES_MAX : BALANCE_PLANS_MAX);
    balance_count(plans, count, &meta->balance);
    for (uint32_t i = 0; lively && i < count; i++)
        balance_go(meta, &plans[i]);
    free(plans);
}

void balance_text(const struct balance_count *count, char text[BALANCE_TEXT_MAX])
{
    snprintf(text, BALANCE_TEXT_MAX, "move_pri=%u,copy_pri=%u,copy_sec=%u,total=%u",
             count->move_primary, count->copy_primary, count->copy_secondary,
             count->move_primary + count->copy_primary + count->copy_secondary);
}
