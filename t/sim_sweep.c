/* sim_sweep -- one small cluster, its recovery killed at every point, and at every pair of them;
 * and every request failing once.
 *
 * A point is between two events, or at a request of the store's, before or after it was carried
 * out; of the batches that are on their way then, none, the first half or all arrive.  What a
 * second process does depends on nothing but the disk that the first left: kills that leave the
 * same disk are followed by the same second kills, which are then done once for all of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "t/sim.h"

#define SWEEP_STATES_MAX 1024
#define SWEEP_ASKS_MAX   4096
#define SWEEP_LIVES      8

/* A disk as it was left, and how far a process without faults goes on it. */
struct left {
    struct sim_disk disk;
    br_time now;
    bool decided;       /* something may have been written */
    uint32_t processes; /* that were before it */
    uint64_t hash;
    uint64_t firsts; /* kills that left it */
    uint32_t events, asks, calls;
    enum sim_end end;
};

struct point {
    uint32_t event, ask; /* one of them is 0 */
    enum sim_fate fate;
    int ghosts;
};

struct sweep {
    struct left *states; /* the first: as it was found */
    uint32_t state_count;
    size_t floor;            /* memory below belongs to the states */
    bool late;               /* what the dead had sent arrives when all is over */
    bool moving;             /* every other process finds other replicas */
    struct sim_tree want[2]; /* of a recovery that nobody killed, by what it finds */
    struct sim_plan plan[2];
    uint8_t kinds[SWEEP_ASKS_MAX]; /* of its requests */
    uint64_t hit, missed;
};

static struct sweep sweep;

/* -- Disks ------------------------------------------------------------------------------------- */

static void sweep_restore(const struct left *state)
{
    *sim_disk = state->disk;
    sim_disk->used = sweep.floor;
    sim.now = state->now;
    memcpy(sim.plans, sweep.plan, sizeof sweep.plan);
    sim.plan_count = state->decided ? 2 : 0;
    sim.processes = state->processes;
    sim.faults = (struct sim_faults){ 0 };
}

/* Every process has the same luck, whatever was before it. */
static enum sim_end sweep_live(void)
{
    for (uint32_t i = 0; i < sim.cluster.node_count; i++)
        sim.cluster.nodes[i].restarted = sweep.moving && sim.processes % 2;
    sim.chance = 1 + sim.processes;
    sim.schedule = 1000 + sim.processes;
    sim_start();
    enum sim_end end = sim_live();
    return end;
}

static uint64_t sweep_hash(void)
{
    return sim_tree_hash(&sim_disk->tree) * 8 + (uint64_t) sim_disk->holder * 2
           + (sim.plan_count > 0);
}

/* The disk as it is, as one of the states. */
static struct left *sweep_state(void)
{
    uint64_t hash = sweep_hash();
    for (uint32_t i = 0; i < sweep.state_count; i++) {
        if (sweep.states[i].hash == hash)
            return &sweep.states[i];
    }
    if (sweep.state_count == SWEEP_STATES_MAX) {
        sim_break("more than %d disks", SWEEP_STATES_MAX);
        return &sweep.states[0];
    }
    struct left *state = &sweep.states[sweep.state_count++];
    *state = (struct left){
        .disk = *sim_disk, .now = sim.now, .decided = sim.plan_count > 0, .hash = hash
    };
    state->processes = sim.processes;
    sweep.floor = sim_disk->used;
    return state;
}

/* How far does a process go on it that nothing happens to? */
static void sweep_measure(struct left *state)
{
    if (state->end)
        return;
    sweep_restore(state);
    state->end = sweep_live();
    state->events = sim.process.events;
    state->asks = sim.process.asks;
    state->calls = sim.process.calls;
    sim_bury();
}

static void sweep_begin(bool moving, bool late)
{
    sim.seed = 0;
    sim.broken = false;
    sim_disk_reset();
    sim_cluster_small(&sim.cluster);
    sim.setting = (struct sim_setting){
        .lock_below = true, .version = LAYOUT_26, .ops_max = 7, .flights = 2, .root = ROOT_PARENTS
    };
    sim.setting.skip_lost_partitions = sim.setting.pass_over = moving;
    sim.setting.lockless = late; /* with a lock the fence would stop them */
    sim_world_begin();
    sweep = (struct sweep){ .moving = moving, .late = late };
    sweep.states = mem_array(SWEEP_STATES_MAX, sizeof *sweep.states);
    struct left *first = sweep_state();
    sim.kinds = sweep.kinds;
    for (uint32_t i = 2; i-- > 0;) { /* the first one last: its measures stay */
        first->processes = i;
        first->end = 0;
        sweep_measure(first);
        if (first->end != END_RECOVERED)
            sim_break("nobody killed it, and it was not recovered");
        sweep.want[i] = sim_disk->tree;
        sweep.plan[i] = sim.plans[0];
        sweep.floor = sim_disk->used;
    }
    sim.kinds = NULL;
    if (moving == sim_same_tree(&sweep.want[0], &sweep.want[1]))
        sim_break("what every other process finds makes no difference, or it does");
}

static void sweep_end(void)
{
    free(sweep.states);
    sweep.states = NULL;
    sim_world_end();
}

/* Whatever happened: now nothing more does, and it must be finished: as the process that finishes
 * it finds it, or as one had finished it before. */
static void sweep_finish(const char *what)
{
    enum sim_end end = END_STUCK;
    uint32_t last = 0;
    sim.faults = (struct sim_faults){ 0 };
    for (int life = 0; life < SWEEP_LIVES && !sim.broken; life++) {
        last = sim.processes % 2;
        end = sweep_live();
        sim_bury();
        if (end == END_RECOVERED || end == END_VISIBLE)
            break;
    }
    sim_ghosts_arrive();
    bool same = sim_same_tree(&sweep.want[last], &sim_disk->tree)
                || (end == END_VISIBLE && sim_same_tree(&sweep.want[!last], &sim_disk->tree));
    if (!sim.broken && !same)
        sim_break("%s: the tree is another than that of a recovery that nothing happened to "
                  "(the last one ended with %d)",
                  what, (int) end);
}

/* -- Kills ------------------------------------------------------------------------------------- */

static uint64_t point_count(const struct left *state)
{
    return (uint64_t) state->events * 3 + (uint64_t) state->asks * 2 * 3;
}

static struct point point_of(const struct left *state, uint64_t number)
{
    struct point point = { .ghosts = (int) (number % 3) };
    number /= 3;
    if (number < state->events) {
        point.event = (uint32_t) number + 1;
    } else {
        number -= state->events;
        point.ask = (uint32_t) (number / 2) + 1;
        point.fate = number % 2 ? FATE_KILL_AFTER : FATE_KILL;
    }
    return point;
}

/* One process on this disk, killed there. */
static void point_hit(const struct left *state, struct point point)
{
    sweep_restore(state);
    sim.faults = (struct sim_faults){ .kill_event = point.event,
                                      .kill_ask = point.ask,
                                      .lot = { .fate = point.fate },
                                      .ghosts = point.ghosts,
                                      .late = sweep.late };
    sweep_live();
    if (sim.process.life == LIFE_DEAD)
        sweep.hit++;
    else
        sweep.missed++;
    sim_bury();
}

static void point_name(struct point point, char *name, size_t size)
{
    static const char *const arrive[] = { "none", "half", "all" };
    snprintf(name, size, "killed %s %u%s, of the batches on their way %s arrive",
             point.event ? "before event" : "at request", point.event + point.ask,
             point.event                     ? ""
             : point.fate == FATE_KILL_AFTER ? " after it was carried out"
                                             : " before it was carried out",
             arrive[point.ghosts]);
}

static void kill_all(struct left *state, bool pairs)
{
    char name[160];
    for (uint64_t i = 0; i < point_count(state) && !sim.broken; i++) {
        struct point point = point_of(state, i);
        point_hit(state, point);
        if (pairs)
            sweep_state()->firsts++;
        point_name(point, name, sizeof name);
        sweep_finish(name);
    }
}

static void kill_pairs(void)
{
    uint64_t singles = sweep.hit, all = 0;
    uint32_t states = sweep.state_count;
    for (uint32_t i = 1; i < states && !sim.broken; i++) {
        struct left *state = &sweep.states[i];
        sweep_measure(state);
        all += state->firsts * point_count(state);
        kill_all(state, false);
    }
    printf("every pair: %llu pairs, which are %llu kills on %u disks, %llu of them hit, %llu "
           "missed\n",
           (unsigned long long) all, (unsigned long long) (sweep.hit + sweep.missed - singles),
           states - 1, (unsigned long long) (sweep.hit - singles),
           (unsigned long long) sweep.missed);
}

static int kill_sweep(bool moving, bool late, bool pairs)
{
    sweep_begin(moving, late);
    struct left *first = &sweep.states[0];
    kill_all(first, true);
    printf("every kill%s%s: %llu points of %u events and %u requests of the store's, %llu of them "
           "hit, "
           "%llu missed; %u different disks were left\n",
           moving ? ", its successor finds other replicas" : "",
           late ? ", what it had sent arrives last" : "", (unsigned long long) point_count(first),
           first->events, first->asks, (unsigned long long) sweep.hit,
           (unsigned long long) sweep.missed, sweep.state_count - 1);
    if (pairs)
        kill_pairs();
    int status = sim.broken || sweep.missed || sweep.hit == 0;
    sweep_end();
    return status;
}

int sim_every_kill(bool pairs)
{
    return kill_sweep(false, false, pairs) | kill_sweep(true, false, pairs)
           | kill_sweep(true, true, pairs);
}

/* -- Failures ---------------------------------------------------------------------------------- */

/* What a request may come to; the n-th, or false: there are no more. */
static bool failure_of(enum sim_ask ask, uint32_t n, struct sim_lot *ret_lot)
{
    static const struct sim_lot writes[] = {
        { .fate = FATE_LOST },
        { .fate = FATE_ANSWER_LOST },
        { .fate = FATE_LATE, .there = 12 * BR_SECOND },
        { .fate = FATE_FAIL, .status = BR_UNKNOWN },
        { .fate = FATE_ANSWER_BAD, .status = BR_UNKNOWN },
        { .fate = FATE_FAIL, .status = BR_FENCED },
    };
    static const struct sim_lot reads[] = { { .fate = FATE_LOST }, { .fate = FATE_ANSWER_LOST } };
    bool commit = ask == ASK_COMMIT || ask == ASK_UNLOCK;
    size_t count = commit              ? sizeof writes / sizeof *writes
                   : ask == ASK_TABLES ? 1
                                       : sizeof reads / sizeof *reads;
    if (n < BR_TIMEOUT) {
        *ret_lot = (struct sim_lot){ .fate = FATE_FAIL, .status = (br_status) n + 1 };
        return true;
    }
    n -= BR_TIMEOUT;
    if (n < count)
        *ret_lot = commit ? writes[n] : reads[n];
    return n < count;
}

struct failures {
    uint32_t tried, overcome, told;
};

static void failure_try(struct failures *failures, uint32_t ask, uint32_t call,
                        const struct sim_lot *lot)
{
    char name[128];
    sweep_restore(&sweep.states[0]);
    sim.faults = (struct sim_faults){ .fail_ask = ask, .fail_call = call, .lot = *lot };
    enum sim_end end = sweep_live();
    failures->tried++;
    failures->overcome += end == END_RECOVERED;
    failures->told += end == END_REFUSED || end == END_EXITED;
    sim_bury();
    snprintf(name, sizeof name, "%s %u comes to %d with status %d",
             ask ? "request" : "question to a server", ask + call, (int) lot->fate, lot->status);
    sweep_finish(name);
}

int sim_every_failure(void)
{
    struct failures failures = { 0 };
    struct sim_lot lot;
    sweep_begin(false, false);
    const struct left *state = &sweep.states[0];
    for (uint32_t i = 1; i <= state->asks && !sim.broken; i++) {
        for (uint32_t n = 0; failure_of(sweep.kinds[i - 1], n, &lot) && !sim.broken; n++)
            failure_try(&failures, i, 0, &lot);
    }
    for (uint32_t i = 1; i <= state->calls && !sim.broken; i++) {
        for (uint32_t n = 0; failure_of(ASK_TABLES, n, &lot) && !sim.broken; n++)
            failure_try(&failures, 0, i, &lot);
    }
    printf("every failure: %u requests and %u questions, %u failures of them; %u were overcome, %u "
           "told and overcome when asked again\n",
           state->asks, state->calls, failures.tried, failures.overcome, failures.told);
    int status = sim.broken || failures.overcome + failures.told != failures.tried;
    sweep_end();
    return status;
}

/* -- Refused allocations ------------------------------------------------------------------------
 */

void sim_sweep_begin(void)
{
    sweep_begin(false, false);
}

void sim_sweep_restore(void)
{
    sweep_restore(&sweep.states[0]);
}

enum sim_end sim_sweep_live(void)
{
    return sweep_live();
}

void sim_sweep_finish(const char *what)
{
    memcpy(sim.plans, sweep.plan, sizeof sweep.plan);
    sim.plan_count = 2;
    sweep_finish(what);
}

void sim_sweep_end(void)
{
    sweep_end();
}
