/* sim -- runs of the simulation by seed; see sim.h.  A seed makes a cluster, a store as it was
 * found, consents, faults and kills.  Each run is done twice: once with nothing going wrong but
 * what cannot be helped (a dead server stays dead), and once with everything; then the faults end,
 * and it must be finished, or refused with a reason.
 */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/base/number.h"
#include "host/core/libraries.h"
#include "t/sim.h"

#define LIVES_HARD 6  /* processes with faults */
#define LIVES_CALM 12 /* and without: each ends at last, or it is a failure */

struct sim sim;

static const char sim_help[] =
    "usage: sim [--runs N] [--seed S] [--jobs J]\n"
    "       sim --seed S              one run, every event of it told\n"
    "       sim --every-kill          kill a recovery of a small cluster at every point\n"
    "       sim --every-kill=pairs    ... and its successor, too\n"
    "       sim --every-failure       each request of the store and of servers fails once\n"
    "       sim --every-refusal[=N]   each (N-th) allocation is refused once\n"
    "\n"
    "exit status: 0 all is true that must be, 1 something is not (the seed is told), 2 wrong "
    "usage\n";

/* -- Telling ----------------------------------------------------------------------------------- */

void sim_trace(const char *format, ...)
{
    va_list args;
    if (!sim.trace)
        return;
    printf("%9.3f  #%-5u ", (double) sim.now / (double) BR_SECOND, sim.process.events);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

void sim_break(const char *format, ...)
{
    va_list args;
    if (sim.broken && !sim.trace)
        return;
    sim.broken = true;
    printf("BROKEN: seed %llu: ", (unsigned long long) sim.seed);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}

/* -- What becomes of requests ------------------------------------------------------------------ */

static br_status lot_status(enum sim_ask ask, uint64_t *chance)
{
    if (ask == ASK_COMMIT || ask == ASK_UNLOCK)
        return sim_percent(chance, 50) ? BR_UNAVAILABLE : BR_UNKNOWN;
    return sim_percent(chance, 50) ? BR_UNAVAILABLE : BR_TIMEOUT;
}

static struct sim_lot lot_random(enum sim_ask ask)
{
    static const enum sim_fate fates[] = { FATE_FAIL,        FATE_FAIL,       FATE_LOST,
                                           FATE_ANSWER_LOST, FATE_ANSWER_BAD, FATE_LATE };
    uint64_t *chance = &sim.chance;
    struct sim_lot lot = { .there = sim_below(chance, 2000) * (BR_MILLISECOND / 1000),
                           .back = sim_below(chance, 2000) * (BR_MILLISECOND / 1000) };
    if (sim_percent(chance, 5))
        lot.there += sim_below(chance, 300) * BR_MILLISECOND;
    if (sim.now < sim.away) {
        lot.fate = sim_percent(chance, 80) ? FATE_FAIL : FATE_LOST;
        lot.status = BR_UNAVAILABLE;
    } else if (sim_percent(chance, sim.faults.store)) {
        lot.fate = fates[sim_below(chance, sizeof fates / sizeof *fates)];
        lot.status = lot_status(ask, chance);
        if (lot.fate == FATE_ANSWER_BAD && ask == ASK_COMMIT)
            lot.status = BR_UNKNOWN;
        if (lot.fate == FATE_LATE)
            lot.there = 11 * BR_SECOND + sim_below(chance, 9000) * BR_MILLISECOND;
    } else if (sim.faults.kill && sim_percent(chance, 1)) {
        lot.fate = sim_percent(chance, 50) ? FATE_KILL : FATE_KILL_AFTER;
    }
    return lot;
}

struct sim_lot sim_lot_of_store(enum sim_ask ask)
{
    uint32_t number = ++sim.process.asks;
    if (sim.kinds)
        sim.kinds[number - 1] = (uint8_t) ask;
    if (number == sim.faults.kill_ask || number == sim.faults.fail_ask)
        return sim.faults.lot;
    return lot_random(ask);
}

/* -- One run ----------------------------------------------------------------------------------- */

static void run_setting(uint64_t seed)
{
    uint64_t chance = seed ^ UINT64_C(0x73657474696e67);
    sim.setting = (struct sim_setting){
        .skip_bad_nodes = sim_percent(&chance, 60),
        .skip_lost_partitions = sim_percent(&chance, 70),
        .skip_stray = sim_percent(&chance, 70),
        .pass_over = sim_percent(&chance, 70),
        .moving = sim_percent(&chance, 30),
        .lockless = sim_percent(&chance, 20),
        .lock_below = sim_percent(&chance, 50),
        .version = sim_percent(&chance, 50) ? LAYOUT_26 : LAYOUT_25,
        .hot = (int) sim_below(&chance, 3),
        .ops_max = 7 + sim_below(&chance, 16),
        .flights = 1 + sim_below(&chance, 4),
        .root = sim_percent(&chance, 40) ? ROOT_NOTHING : (int) sim_below(&chance, ROOT_KINDS),
    };
}

static void run_hard(void)
{
    sim.faults = (struct sim_faults){
        .store = sim_percent(&sim.chance, 60) ? sim_below(&sim.chance, 20) : 0,
        .kill = sim_percent(&sim.chance, 70) ? 1 + sim_below(&sim.chance, 20) : 0,
        .fence = sim_percent(&sim.chance, 20) ? sim_below(&sim.chance, 6) : 0,
        .away = sim_percent(&sim.chance, 20) ? sim_below(&sim.chance, 10) : 0,
        .unsteady = true,
        .ghosts = 3,
    };
}

/* A reason that was given must be one. */
static void run_refused(void)
{
    if (strcmp(sim.process.err, "ERR_TRY_AGAIN") != 0)
        sim_break("refused with %s", sim.process.err);
    else if (!sim_oracle_stop(&sim.process.evidence))
        sim_break("refused without a reason:\n%s", sim.process.hint);
}

static bool root_is_taken(void)
{
    return sim.setting.root == ROOT_FULL || sim.setting.root == ROOT_LOCKED;
}

/* Lives until it is over one way or the other; with faults for the first so many of them. */
static enum sim_end run_lives(int hard)
{
    enum sim_end end = END_STUCK;
    for (int life = 0; life < hard + LIVES_CALM && !sim.broken; life++) {
        bool calm = life >= hard;
        if (calm) {
            sim.faults = (struct sim_faults){ 0 };
            sim.away = 0;
        }
        if (!sim.process.loop)
            sim_start();
        end = sim_live();
        if (end == END_REFUSED && sim_visible() && !root_is_taken())
            end = END_VISIBLE; /* what a dead one had sent arrived late, and made it whole */
        bool lost = strcmp(sim.process.err, "ERR_HOLD_BY_OTHERS") == 0; /* a fault's late effect */
        bool over = end == END_RECOVERED || end == END_VISIBLE
                    || (calm && ((end == END_REFUSED && !lost) || end == END_EXITED));
        if (over || end == END_EXITED || end == END_STUCK)
            sim_bury();
        if (over)
            return end;
    }
    sim_bury();
    if (!sim.broken)
        sim_break("it does not come to an end");
    return end;
}

static void run_check(enum sim_end end)
{
    if (sim.broken)
        return;
    if (end == END_REFUSED)
        run_refused();
    else if (end == END_EXITED && !root_is_taken())
        sim_break("it exited with status %d", sim.process.meta.exit_status);
    else if (end != END_EXITED && root_is_taken())
        sim_break("it went into a root that is taken");
    if (end == END_RECOVERED || end == END_VISIBLE) {
        sim_check_loads();
        if (sim_oracle_stop(&sim.plans[0].evidence) && sim.plan_count == 1)
            sim_break("it was written, though %s", sim_oracle_stop(&sim.plans[0].evidence));
    } else if (sim.plan_count == 0) {
        sim_check_untouched();
    }
}

static bool same_evidence(const struct sim_evidence *one, const struct sim_evidence *other)
{
    for (uint32_t n = 0; n < sim.cluster.node_count; n++) {
        for (int q = 0; q < 2; q++) {
            if (one->nodes[n].good[q] != other->nodes[n].good[q]
                || (one->nodes[n].good[q]
                    && memcmp(&one->nodes[n].said[q], &other->nodes[n].said[q],
                              sizeof one->nodes[n].said[q])
                           != 0))
                return false;
        }
    }
    return true;
}

static void run_once(uint64_t seed)
{
    sim.seed = seed;
    sim.broken = false;
    sim.chance = seed * 2 + 1;
    sim.schedule = ~seed;
    sim_disk_reset();
    sim_cluster_make(&sim.cluster, seed);
    run_setting(seed);

    sim_world_begin();
    sim.faults = (struct sim_faults){ 0 };
    sim_trace("-- without faults");
    enum sim_end calm = run_lives(0);
    run_check(calm);
    const struct sim_tree want = sim_disk->tree;
    const struct sim_evidence evidence = sim.plans[0].evidence;
    uint32_t plans = sim.plan_count;
    sim_world_end();

    sim_world_begin();
    run_hard();
    sim_trace("-- with faults");
    enum sim_end end = run_lives(sim.broken ? 0 : LIVES_HARD);
    run_check(end);
    bool finished = end == END_RECOVERED || end == END_VISIBLE;
    bool comparable = finished && plans == 1 && sim.plan_count > 0;
    for (uint32_t i = 0; i < sim.plan_count && comparable; i++)
        comparable = same_evidence(&evidence, &sim.plans[i].evidence);
    if (comparable && !sim.broken && !sim_same_tree(&want, &sim_disk->tree))
        sim_break("the tree is another than without faults");
    sim_world_end();
}

/* -- Many -------------------------------------------------------------------------------------- */

struct tally {
    uint64_t runs, recoveries, kills, broken;
};

static struct tally many_here(uint64_t seed, uint64_t runs, uint64_t step)
{
    struct tally tally = { 0 };
    sim.recoveries = sim.kills = 0;
    for (uint64_t i = 0; i < runs; i++, tally.runs++) {
        run_once(seed + i * step);
        tally.broken += sim.broken;
    }
    tally.recoveries = sim.recoveries;
    tally.kills = sim.kills;
    return tally;
}

static void many_add(struct tally *to, const struct tally *from)
{
    to->runs += from->runs;
    to->recoveries += from->recoveries;
    to->kills += from->kills;
    to->broken += from->broken;
}

/* Seeds are dealt out, so that a seed does the same whatever the number of jobs. */
static struct tally many_jobs(uint64_t seed, uint64_t runs, uint32_t jobs)
{
    struct tally all = { 0 };
    int pipes[64][2];
    for (uint32_t j = 0; j < jobs; j++) {
        fflush(NULL);
        if (pipe(pipes[j]) != 0 || fork() != 0)
            continue;
        sim_disk_make(); /* of its own */
        struct tally one = many_here(seed + j, (runs + jobs - 1 - j) / jobs, jobs);
        ssize_t put = write(pipes[j][1], &one, sizeof one);
        exit(put == sizeof one ? 0 : 1);
    }
    for (uint32_t j = 0; j < jobs; j++) {
        struct tally one;
        close(pipes[j][1]);
        if (read(pipes[j][0], &one, sizeof one) == sizeof one)
            many_add(&all, &one);
        else
            all.broken++;
        close(pipes[j][0]);
        wait(NULL);
    }
    return all;
}

static double clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static int many(uint64_t seed, uint64_t runs, uint32_t jobs)
{
    double began = clock_now();
    struct tally tally = jobs > 1 ? many_jobs(seed, runs, jobs) : many_here(seed, runs, 1);
    double took = clock_now() - began;
    double rate = (double) tally.recoveries / took;
    printf("%llu runs from seed %llu: %llu recoveries asked for, %llu processes killed, %llu "
           "broken; %.0f recoveries a second and core, %.1f million an hour on %u processes\n",
           (unsigned long long) tally.runs, (unsigned long long) seed,
           (unsigned long long) tally.recoveries, (unsigned long long) tally.kills,
           (unsigned long long) tally.broken, rate / jobs, rate * 3600 / 1e6, jobs);
    return tally.broken > 0;
}

static uint64_t number_of(const char *text)
{
    int64_t value;
    if (!number_i64(text, strlen(text), &value) || value < 0) {
        fputs(sim_help, stderr);
        exit(2);
    }
    return (uint64_t) value;
}

int main(int argc, char **argv)
{
    enum { RUNS = 256, SEED, JOBS, KILL, FAILURE, REFUSAL, HELP };
    static const struct option options[] = {
        { "runs", required_argument, NULL, RUNS },
        { "seed", required_argument, NULL, SEED },
        { "jobs", required_argument, NULL, JOBS },
        { "every-kill", optional_argument, NULL, KILL },
        { "every-failure", no_argument, NULL, FAILURE },
        { "every-refusal", optional_argument, NULL, REFUSAL },
        { "help", no_argument, NULL, HELP },
        { NULL, 0, NULL, 0 },
    };
    uint64_t runs = 0, seed = 0, jobs = 1;
    int option, status = 0;
    bool swept = false;
    mallopt(M_MMAP_THRESHOLD, 32 << 20); /* a judge's and a batch's memory is large: keep it */
    mallopt(M_TRIM_THRESHOLD, 128 << 20);
    libraries_memory();
    sim_disk_make();
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case RUNS: runs = number_of(optarg); break;
        case SEED: seed = number_of(optarg); break;
        case JOBS: jobs = number_of(optarg); break;
        case KILL: status |= sim_every_kill(optarg && strcmp(optarg, "pairs") == 0); break;
        case FAILURE: status |= sim_every_failure(); break;
        case REFUSAL: status |= sim_every_refusal(optarg ? (uint32_t) number_of(optarg) : 1); break;
        case HELP: fputs(sim_help, stdout); return 0;
        default: fputs(sim_help, stderr); return 2;
        }
        swept = swept || option >= KILL;
    }
    if (jobs < 1 || jobs > 64 || optind != argc) {
        fputs(sim_help, stderr);
        return 2;
    }
    if (runs)
        return status | many(seed, runs, (uint32_t) jobs);
    if (swept)
        return status;
    sim.trace = true;
    run_once(seed);
    return sim.broken;
}
