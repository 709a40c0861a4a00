/* balancer -- rounds of balance.c while it serves: when one is begun, its turns, what comes of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "host/base/mem.h"
#include "host/meta/balance.h"
#include "host/meta/freeze.h"
#include "host/meta/guardian.h"

struct balancer {
    struct meta *meta;
    struct balance_job *job; /* NULL: no round is being planned */
    struct timer *turn;
    bool lively;      /* the round is to be carried out */
    bool done;        /* a round was finished ... */
    br_time done_for; /* ... after this look at all partitions (meta.scanned) ... */
    uint64_t hint;    /* ... when the state's hint was this ... */
    bool even;        /* ... and there was nothing to do ... */
    bool frozen;      /* ... but for what was left out, because the cluster was frozen */
};

struct balancer *balancer_new(struct meta *meta)
{
    struct balancer *balancer = mem_new(sizeof *balancer);
    balancer->meta = meta;
    return balancer;
}

static void balancer_end(struct balancer *balancer)
{
    timer_cancel(balancer->turn);
    balancer->turn = NULL;
    balance_free(balancer->job);
    balancer->job = NULL;
}

void balancer_free(struct balancer *balancer)
{
    if (!balancer)
        return;
    balancer_end(balancer);
    free(balancer);
}

/* -- When it may ------------------------------------------------------------------------------- */

/* What may change from one turn to the next. */
static const char *balancer_unrest(const struct meta *meta)
{
    if (!guardian_all_healthy(meta))
        return "not every partition was healthy and at rest when it was last looked at";
    if (meta->state.writing)
        return "a partition's change is being written";
    return NULL;
}

const char *balance_wrong(const struct meta *meta)
{
    const struct cluster *cluster = &meta->state.cluster;
    for (uint32_t t = 0; t < cluster->table_count; t++) {
        int32_t status = cluster->tables[t].def.status;
        if (status != BR_TABLE_AVAILABLE && status != BR_TABLE_DROPPED)
            return "a table is being created, dropped or recalled";
    }
    return balancer_unrest(meta);
}

/* -- What comes of a round --------------------------------------------------------------------- */

static struct balance_count balancer_count(const struct balance_plan *plans, uint32_t count)
{
    struct balance_count sum = { 0 };
    for (uint32_t i = 0; i < count; i++) {
        sum.move_primary += plans[i].kind == BALANCE_MOVE_PRIMARY;
        sum.copy_primary += plans[i].kind == BALANCE_COPY_PRIMARY;
        sum.copy_secondary += plans[i].kind == BALANCE_COPY_SECONDARY;
    }
    return sum;
}

static void balancer_go(struct meta *meta, const struct balance_plan *plan)
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

static void balancer_over(struct balancer *balancer)
{
    struct meta *meta = balancer->meta;
    const struct balance_plan *plans;
    uint32_t count = balance_plans(balancer->job, &plans);
    balancer->done = true;
    balancer->done_for = meta->scanned;
    balancer->hint = meta->state.unhealthy_hint;
    balancer->frozen = freeze_why(meta) != NULL;
    meta->balance = balancer_count(plans, count);
    uint32_t left = balancer->frozen ? count - meta->balance.move_primary : 0;
    balancer->even = count == left;
    for (uint32_t i = 0; balancer->lively && i < count; i++) {
        if (!balancer->frozen || plans[i].kind == BALANCE_MOVE_PRIMARY)
            balancer_go(meta, &plans[i]);
    }
    if (balancer->lively && left && balancer->even)
        meta_log(meta, BR_INFO,
                 "the balancer would copy %u replicas and close as many elsewhere: not while the "
                 "cluster is frozen, see `bridle freeze_status`",
                 left);
    balancer_end(balancer);
}

/* -- Turns ------------------------------------------------------------------------------------ */

static const char *balancer_level_wrong(const struct balancer *balancer)
{
    int32_t level = meta_level_now(balancer->meta);
    return level < (balancer->lively ? LEVEL_LIVELY : LEVEL_STEADY) ? "the level fell" : NULL;
}

static void balancer_turn(void *arg)
{
    struct balancer *balancer = arg;
    balancer->turn = NULL;
    const char *wrong = balancer_level_wrong(balancer);
    if (!wrong)
        wrong = balancer_unrest(balancer->meta);
    enum balance_progress progress =
        wrong ? BALANCE_STALE : balance_run(balancer->job, BALANCE_TURN_MAX);
    if (progress == BALANCE_MORE) {
        balancer->turn = loop_after(balancer->meta->loop, 0, balancer_turn, balancer);
    } else if (progress == BALANCE_OVER) {
        balancer_over(balancer);
    } else {
        meta_log(balancer->meta, BR_DEBUG, "the balancer's round is given up: %s",
                 wrong ? wrong : "the state has changed");
        balancer_end(balancer);
    }
}

/* A round after each look at all partitions, but none whose outcome is known. */
static bool balancer_due(const struct balancer *balancer, bool lively)
{
    const struct meta *meta = balancer->meta;
    if (!balancer->done || (balancer->frozen && !freeze_why(meta)))
        return true;
    if (balancer->hint == meta->state.unhealthy_hint && (balancer->even || !lively))
        return false;
    return balancer->done_for != meta->scanned;
}

void balance_tick(struct meta *meta)
{
    struct balancer *balancer = meta->balancer;
    bool lively = meta_level_now(meta) >= LEVEL_LIVELY;
    if (balancer->job || meta_level_now(meta) < LEVEL_STEADY || !balancer_due(balancer, lively)
        || balance_wrong(meta))
        return;
    balancer->lively = lively;
    balancer->job = balance_begin(&meta->state, lively ? BALANCE_MOVES_MAX : BALANCE_PLANS_MAX);
    balancer_turn(balancer);
}

bool balance_busy(const struct meta *meta)
{
    return meta->balancer && meta->balancer->job;
}

/* -- Saying and doing it ----------------------------------------------------------------------- */

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

void balance_text(const struct balance_count *count, char text[BALANCE_TEXT_MAX])
{
    snprintf(text, BALANCE_TEXT_MAX, "move_pri=%u,copy_pri=%u,copy_sec=%u,total=%u",
             count->move_primary, count->copy_primary, count->copy_secondary,
             count->move_primary + count->copy_primary + count->copy_secondary);
}
