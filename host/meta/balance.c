/* balance -- see balance.h.  Moving a primary costs nothing, copying a replica a lot: so from a
 * server with too many primaries a way is searched along groups whose secondaries could take over,
 * each handing one on, to a server with too few; a copy is made only where there is no such way.
 *
 * For each phase and table the nodes are measured against the lightest; only where one of them
 * could give something the table's partitions are gone over, once, to know which are whose.
 */
#include "host/meta/balance.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

enum balance_phase { PHASE_PRIMARIES, PHASE_ALL_PRIMARIES, PHASE_REPLICAS, PHASE_ALL_REPLICAS };

/* What balance_run does next. */
enum balance_stage {
    STAGE_COUNT,   /* the shares of each table and their sums */
    STAGE_TABLE,   /* take the next table, or the next phase */
    STAGE_MEASURE, /* does a step help anywhere? */
    STAGE_INDEX,   /* whose are the table's partitions? */
    STAGE_PICK,    /* the next node from which one helps */
    STAGE_SEARCH,  /* a way for a primary */
    STAGE_COPY,    /* a replica to be copied elsewhere */
    STAGE_DONE,
};

/* A living node among the others, by ascending load. */
struct rank {
    uint32_t load;  /* in this table */
    uint32_t total; /* in all tables */
    int32_t node;
};

struct balance_job {
    struct state *state;
    uint64_t hint; /* the state's, when the round was begun */
    enum balance_stage stage;
    enum balance_phase phase;
    uint32_t table;
    int32_t id;           /* of the table */
    uint32_t nodes;       /* of the state, when the round was begun */
    struct share *counts; /* of the table, by node, with the plans so far */
    struct share *totals; /* of all available tables */

    uint32_t fullest; /* the most that a living node has of this table */
    struct rank *ranks;
    uint32_t *below; /* by node: with less than this (of the table, or in all) nothing helps */

    uint32_t *starts;  /* by node, and one more: where its partitions begin in `index` */
    uint32_t *others;  /* by node: where those of them begin in which it is a secondary */
    uint32_t *firsts;  /* by node, while indexing: where the next goes that it is primary of */
    uint32_t *seconds; /* by node, while indexing: where the next goes that it is secondary of */
    int32_t *index;    /* of the table's partitions, by node */
    int64_t index_of;  /* the table that it is of; -1: none */
    int32_t index_at;  /* the next partition to be put there */

    int pass;     /* of picking: the fullest first, then the others */
    int32_t pick; /* the next node to be looked at */
    int32_t from; /* the one that was picked */
    bool copies_primary;
    uint32_t at; /* the next of `index` */

    int32_t *queue; /* of the search */
    uint32_t head, tail;
    int32_t *back;  /* by node: where the way came from; -2: not reached, -1: the start */
    int32_t *along; /* by node: the partition that hands on */

    struct set64 touched; /* partitions with a plan */
    struct balance_plan *plans;
    uint32_t count, most;
    uint64_t work, stop; /* done so far; where to pause */
    uint32_t looks;      /* at replicas */
};

/* -- From where to where ----------------------------------------------------------------------- */

static bool balance_alive(const struct balance_job *job, int32_t node)
{
    return job->state->nodes[node].alive;
}

static bool balance_primaries(const struct balance_job *job)
{
    return job->phase <= PHASE_ALL_PRIMARIES;
}

static uint32_t balance_load(const struct balance_job *job, const struct share *shares,
                             int32_t node)
{
    return balance_primaries(job) ? shares[node].primaries : shares[node].replicas;
}

static bool balance_of_table(const struct balance_job *job)
{
    return job->phase == PHASE_PRIMARIES || job->phase == PHASE_REPLICAS;
}

/* Would a step from one to the other help in this phase? */
static bool balance_helps(const struct balance_job *job, int32_t from, int32_t to)
{
    if (!balance_alive(job, to))
        return false;
    uint32_t x = balance_load(job, job->counts, from);
    uint32_t y = balance_load(job, job->counts, to);
    if (balance_of_table(job))
        return x >= y + 2;
    return x > y && balance_load(job, job->totals, from) >= balance_load(job, job->totals, to) + 2;
}

/* Nothing that the phases before have made even gets worse by a primary's going this way. */
static bool balance_primary_may(const struct balance_job *job, int32_t from, int32_t to)
{
    return balance_primaries(job)
           || (job->counts[from].primaries > job->counts[to].primaries
               && job->totals[from].primaries > job->totals[to].primaries);
}

/* The node with the least that is no member and that a step to helps; -1: none. */
static int32_t balance_target(struct balance_job *job, const struct partition *partition,
                              bool primary)
{
    int32_t best = -1;
    job->work += job->nodes;
    job->looks += job->nodes;
    for (int32_t to = 0; (uint32_t) to < job->nodes; to++) {
        if (!balance_helps(job, job->from, to) || partition_has(partition, to)
            || (primary && !balance_primary_may(job, job->from, to)))
            continue;
        if (best < 0 || job->counts[to].replicas < job->counts[best].replicas
            || (job->counts[to].replicas == job->counts[best].replicas
                && job->totals[to].replicas < job->totals[best].replicas))
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

static void balance_put(struct balance_job *job, int32_t partition, enum balance_kind kind,
                        int32_t from, int32_t to)
{
    struct gpid pid = { job->id, partition };
    bool primary = kind != BALANCE_COPY_SECONDARY;
    bool copy = kind != BALANCE_MOVE_PRIMARY;
    job->plans[job->count++] =
        (struct balance_plan){ .pid = pid, .kind = kind, .from = from, .to = to };
    set64_add(&job->touched, state_key(pid));
    balance_shift(job->counts, from, to, primary, copy);
    balance_shift(job->totals, from, to, primary, copy);
}

static void balance_planned(struct balance_job *job)
{
    job->stage = job->count < job->most ? STAGE_MEASURE : STAGE_DONE;
}

static const struct table *balance_stored(const struct balance_job *job)
{
    return &job->state->cluster.tables[job->table];
}

/* The next of the index that has no plan yet; NULL: not before `end`, or enough work for now. */
static const struct partition *balance_next(struct balance_job *job, uint32_t end,
                                            int32_t *ret_index)
{
    while (job->at < end && job->work < job->stop) {
        int32_t index = job->index[job->at++];
        job->work++;
        job->looks++;
        if (set64_has(&job->touched, state_key((struct gpid){ job->id, index })))
            continue;
        *ret_index = index;
        return &balance_stored(job)->partitions[index];
    }
    return NULL;
}

/* -- Moving primaries -------------------------------------------------------------------------- */

static void balance_search_begin(struct balance_job *job)
{
    job->work += job->nodes;
    for (uint32_t i = 0; i < job->nodes; i++)
        job->back[i] = -2;
    job->back[job->from] = -1;
    job->head = 0;
    job->tail = 0;
    job->queue[job->tail++] = job->from;
    job->at = job->starts[job->from];
    job->stage = STAGE_SEARCH;
}

static void balance_copy_begin(struct balance_job *job, bool primary)
{
    job->copies_primary = primary;
    job->at = primary ? job->starts[job->from] : job->others[job->from];
    job->stage = STAGE_COPY;
}

/* The way there, each node handing a primary on; where it is too long for what is left of the
 * round, a copy is better than nothing. */
static void balance_found(struct balance_job *job, int32_t to)
{
    uint32_t steps = 0;
    for (int32_t node = to; node != job->from; node = job->back[node])
        steps++;
    if (job->count + steps > job->most) {
        balance_copy_begin(job, true);
        return;
    }
    for (int32_t node = to; node != job->from; node = job->back[node])
        balance_put(job, job->along[node], BALANCE_MOVE_PRIMARY, job->back[node], node);
    balance_planned(job);
}

/* Whoever could take this partition over from the node at the head; true: one that it helps. */
static bool balance_reach(struct balance_job *job, const struct partition *partition, int32_t index)
{
    for (int i = 0; i < partition->secondary_count; i++) {
        int32_t next = partition->members[i];
        if (job->back[next] != -2 || !balance_alive(job, next))
            continue;
        job->back[next] = job->queue[job->head];
        job->along[next] = index;
        if (balance_helps(job, job->from, next)) {
            balance_found(job, next);
            return true;
        }
        job->queue[job->tail++] = next;
    }
    return false;
}

/* Breadth first: a shortest way. */
static void balance_search(struct balance_job *job)
{
    const struct partition *partition;
    int32_t index;
    while (job->head < job->tail) {
        uint32_t end = job->others[job->queue[job->head]];
        while ((partition = balance_next(job, end, &index))) {
            if (balance_reach(job, partition, index))
                return;
        }
        if (job->at < end)
            return;
        if (++job->head < job->tail)
            job->at = job->starts[job->queue[job->head]];
    }
    balance_copy_begin(job, true);
}

/* -- Copying ---------------------------------------------------------------------------------- */

/* Of replicas a secondary rather than a primary. */
static void balance_copy(struct balance_job *job)
{
    bool primary = job->copies_primary;
    uint32_t end = primary ? job->others[job->from] : job->starts[job->from + 1];
    const struct partition *partition;
    int32_t index;
    while ((partition = balance_next(job, end, &index))) {
        int32_t to = balance_target(job, partition, primary);
        if (to < 0)
            continue;
        balance_put(job, index, primary ? BALANCE_COPY_PRIMARY : BALANCE_COPY_SECONDARY, job->from,
                    to);
        balance_planned(job);
        return;
    }
    if (job->at < end)
        return;
    if (primary)
        job->stage = STAGE_PICK;
    else
        balance_copy_begin(job, true);
}

/* -- Whose partitions -------------------------------------------------------------------------- */

/* Each node's, those that it is primary of first. */
static void balance_index_begin(struct balance_job *job)
{
    const struct share *shares = state_shares(job->state, (int32_t) job->table);
    uint32_t start = 0;
    for (uint32_t i = 0; i < job->nodes; i++) {
        job->starts[i] = start;
        job->firsts[i] = start;
        job->others[i] = start + shares[i].primaries;
        job->seconds[i] = job->others[i];
        start += shares[i].replicas;
    }
    job->starts[job->nodes] = start;
    job->work += job->nodes;
    free(job->index);
    job->index = mem_array(start + 1u, sizeof *job->index);
    job->index_at = 0;
    job->index_of = job->table;
}

/* A record that names a node twice counts once in some places and twice in others. */
static void balance_index_put(struct balance_job *job, uint32_t *place, uint32_t end, int32_t index)
{
    if (*place < end)
        job->index[(*place)++] = index;
}

static void balance_index(struct balance_job *job)
{
    const struct table *table = balance_stored(job);
    if (job->index_of != job->table)
        balance_index_begin(job);
    for (; job->index_at < table->def.partition_count; job->index_at++) {
        const struct partition *partition = &table->partitions[job->index_at];
        int32_t node = partition->primary;
        if (job->work >= job->stop)
            return;
        job->work++;
        if (node >= 0)
            balance_index_put(job, &job->firsts[node], job->others[node], job->index_at);
        for (int i = 0; i < partition->secondary_count; i++) {
            node = partition->members[i];
            balance_index_put(job, &job->seconds[node], job->starts[node + 1], job->index_at);
        }
    }
    job->stage = STAGE_PICK;
}

/* -- Whom it helps ----------------------------------------------------------------------------- */

static int balance_rank_order(const void *a, const void *b)
{
    const struct rank *x = a;
    const struct rank *y = b;
    return (x->load > y->load) - (x->load < y->load);
}

/* Of those with less of the table the least total: what has two more than that, it helps.  Returns
 * whether there is one. */
static bool balance_measure_totals(struct balance_job *job, uint32_t living)
{
    uint32_t least = UINT32_MAX - 2;
    bool any = false;
    job->work += living * 8u;
    qsort(job->ranks, living, sizeof *job->ranks, balance_rank_order);
    for (uint32_t i = 0, end; i < living; i = end) {
        uint32_t here = least;
        for (end = i; end < living && job->ranks[end].load == job->ranks[i].load; end++) {
            const struct rank *rank = &job->ranks[end];
            job->below[rank->node] = least + 2;
            any |= rank->total >= least + 2;
            here = rank->total < here ? rank->total : here;
        }
        least = here;
    }
    return any;
}

static void balance_measure_table(struct balance_job *job, uint32_t lowest)
{
    for (uint32_t i = 0; i < job->nodes; i++)
        job->below[i] = lowest + 2;
}

/* The lightest living node is enough to know whether anything helps. */
static void balance_measure(struct balance_job *job)
{
    struct rank low = { UINT32_MAX, UINT32_MAX, -1 };
    struct rank high = { 0, 0, -1 };
    uint32_t living = 0;
    job->work += job->nodes;
    for (int32_t i = 0; (uint32_t) i < job->nodes; i++) {
        if (!balance_alive(job, i))
            continue;
        struct rank rank = { balance_load(job, job->counts, i), balance_load(job, job->totals, i),
                             i };
        low.load = rank.load < low.load ? rank.load : low.load;
        low.total = rank.total < low.total ? rank.total : low.total;
        high.load = rank.load > high.load ? rank.load : high.load;
        high.total = rank.total > high.total ? rank.total : high.total;
        job->ranks[living++] = rank;
    }
    job->fullest = high.load;
    bool helps = living > 0 && high.load >= low.load + (balance_of_table(job) ? 2 : 1);
    if (helps && !balance_of_table(job))
        helps = high.total >= low.total + 2 && balance_measure_totals(job, living);
    else
        balance_measure_table(job, low.load);
    job->pass = 0;
    job->pick = 0;
    job->table += !helps;
    job->stage = helps ? STAGE_INDEX : STAGE_TABLE;
}

static bool balance_helps_any(const struct balance_job *job, int32_t from)
{
    const struct share *shares = balance_of_table(job) ? job->counts : job->totals;
    return balance_alive(job, from) && balance_load(job, shares, from) >= job->below[from];
}

static void balance_pick(struct balance_job *job)
{
    for (; job->pass < 2; job->pass++, job->pick = 0) {
        while ((uint32_t) job->pick < job->nodes) {
            int32_t node = job->pick++;
            bool full = balance_load(job, job->counts, node) == job->fullest;
            job->work++;
            if (full != (job->pass == 0) || !balance_helps_any(job, node))
                continue;
            job->from = node;
            if (balance_primaries(job))
                balance_search_begin(job);
            else
                balance_copy_begin(job, false);
            return;
        }
    }
    job->table++;
    job->stage = STAGE_TABLE;
}

/* -- Rounds ----------------------------------------------------------------------------------- */

static bool balance_served(const struct balance_job *job)
{
    return balance_stored(job)->def.status == BR_TABLE_AVAILABLE;
}

static void balance_count(struct balance_job *job)
{
    uint32_t room = (uint32_t) (job->stop - job->work);
    uint32_t left = room;
    job->work++;
    if (balance_served(job)) {
        bool all = state_shares_more(job->state, (int32_t) job->table, &left);
        job->work += room - left;
        if (!all)
            return;
        const struct share *shares = state_shares(job->state, (int32_t) job->table);
        for (uint32_t i = 0; i < job->nodes; i++) {
            job->totals[i].primaries += shares[i].primaries;
            job->totals[i].replicas += shares[i].replicas;
        }
        job->work += job->nodes;
    }
    job->table++;
}

/* The next phase only where nothing was to be done in the ones before. */
static void balance_table(struct balance_job *job)
{
    job->work++;
    if (job->table == job->state->cluster.table_count) {
        if (job->phase == PHASE_ALL_REPLICAS || job->count > 0)
            job->stage = STAGE_DONE;
        else
            job->phase = (enum balance_phase)(job->phase + 1);
        job->table = 0;
    } else if (!balance_served(job)) {
        job->table++;
    } else {
        job->work += job->nodes;
        job->id = balance_stored(job)->def.id;
        memcpy(job->counts, state_shares(job->state, (int32_t) job->table),
               job->nodes * sizeof *job->counts);
        job->stage = STAGE_MEASURE;
    }
}

static void balance_count_some(struct balance_job *job)
{
    if (job->table < job->state->cluster.table_count) {
        balance_count(job);
        return;
    }
    job->table = 0;
    job->stage = STAGE_TABLE;
}

static void balance_step(struct balance_job *job)
{
    switch (job->stage) {
    case STAGE_COUNT: balance_count_some(job); break;
    case STAGE_TABLE: balance_table(job); break;
    case STAGE_MEASURE: balance_measure(job); break;
    case STAGE_INDEX: balance_index(job); break;
    case STAGE_PICK: balance_pick(job); break;
    case STAGE_SEARCH: balance_search(job); break;
    case STAGE_COPY: balance_copy(job); break;
    case STAGE_DONE: break;
    }
}

enum balance_progress balance_run(struct balance_job *job, uint32_t work)
{
    if (job->hint != job->state->unhealthy_hint)
        return BALANCE_STALE;
    job->stop = job->work + work;
    while (job->stage != STAGE_DONE && job->work < job->stop) {
        if (job->looks >= BALANCE_LOOKS_MAX)
            job->stage = STAGE_DONE;
        else
            balance_step(job);
    }
    return job->stage == STAGE_DONE ? BALANCE_OVER : BALANCE_MORE;
}

struct balance_job *balance_begin(struct state *state, uint32_t most)
{
    struct balance_job *job = mem_new(sizeof *job);
    uint32_t nodes = state->cluster.node_count;
    size_t room = nodes + 1u;
    job->state = state;
    job->hint = state->unhealthy_hint;
    job->stage = STAGE_COUNT;
    job->nodes = nodes;
    job->most = most;
    job->index_of = -1;
    job->counts = mem_array(room, sizeof *job->counts);
    job->totals = mem_array(room, sizeof *job->totals);
    job->ranks = mem_array(room, sizeof *job->ranks);
    job->below = mem_array(room, sizeof *job->below);
    job->starts = mem_array(room, sizeof *job->starts);
    job->firsts = mem_array(room, sizeof *job->firsts);
    job->others = mem_array(room, sizeof *job->others);
    job->seconds = mem_array(room, sizeof *job->seconds);
    job->queue = mem_array(room, sizeof *job->queue);
    job->back = mem_array(room, sizeof *job->back);
    job->along = mem_array(room, sizeof *job->along);
    job->plans = mem_array(most, sizeof *job->plans);
    return job;
}

void balance_free(struct balance_job *job)
{
    if (!job)
        return;
    free(job->counts);
    free(job->totals);
    free(job->ranks);
    free(job->below);
    free(job->starts);
    free(job->firsts);
    free(job->others);
    free(job->seconds);
    free(job->index);
    free(job->queue);
    free(job->back);
    free(job->along);
    free(job->plans);
    set64_done(&job->touched);
    free(job);
}

uint32_t balance_plans(const struct balance_job *job, const struct balance_plan **ret_plans)
{
    *ret_plans = job->plans;
    return job->count;
}

uint64_t balance_work(const struct balance_job *job)
{
    return job->work;
}

uint32_t balance_round(struct state *state, struct balance_plan *plans, uint32_t most)
{
    struct balance_job *job = balance_begin(state, most);
    while (balance_run(job, BALANCE_TURN_MAX) == BALANCE_MORE)
        continue;
    const struct balance_plan *made;
    uint32_t count = balance_plans(job, &made);
    if (count)
        memcpy(plans, made, count * sizeof *plans);
    balance_free(job);
    return count;
}
