/* recovery_faults -- every commit of an apply goes wrong, in every way, one at a time: a reader
 * sees nothing or everything, and a second apply with another plan ends at exactly that plan.
 *
 * The store is the real one in memory behind one that forwards to it, but for the k-th commit.
 */
#include "t/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

enum fault {
    FAULT_NONE = 0,
    FAULT_UNAVAILABLE, /* not carried out, and it says so */
    FAULT_LOST,        /* the request is lost: BR_UNKNOWN */
    FAULT_ANSWER_LOST, /* carried out: BR_UNKNOWN */
    FAULT_FENCED,
    FAULT_HANG,       /* never carried out, never answered */
    FAULT_HANG_DONE,  /* carried out, never answered */
    FAULT_LATE,       /* carried out long after the deadline */
    FAULT_KILL,       /* the process dies before it */
    FAULT_KILL_AFTER, /* ... after it was carried out */
    FAULT_COUNT
};

struct held {
    struct held *next;
    struct br_call *call;
    const struct br_write *const *writes;
    uint32_t count;
    bool late;
};

static struct faults {
    struct plugin *inner;
    enum fault fault;
    int at;          /* the commit that goes wrong, from 0; -1: none */
    int commits;     /* so far */
    bool always;     /* so do all after it */
    enum fault then; /* ... in this way, where it is not FAULT_NONE */
    bool killed;
    int read_at;           /* the read or list that fails, from 0; -1: none */
    int reads;             /* so far */
    br_status read_status; /* with which it does */
    struct held *held;
} faults;

static bool faults_read_fails(struct br_call *call)
{
    bool fails = faults.reads++ == faults.read_at;
    if (fails)
        br_reply_fail(call, faults.read_status, "no reading now");
    return fails;
}

static void faults_read(struct br_env *env, const char *const *paths, uint32_t count,
                        struct br_call *call)
{
    (void) env;
    if (!faults_read_fails(call))
        faults.inner->ops.store.read(&faults.inner->owner.env, paths, count, call);
}

static void faults_list(struct br_env *env, const char *path, struct br_call *call)
{
    (void) env;
    if (!faults_read_fails(call))
        faults.inner->ops.store.list(&faults.inner->owner.env, path, call);
}

static void faults_ignore(void *arg, struct call_answer *answer)
{
    (void) arg;
    (void) answer;
}

/* Carried out, whoever answers it: the store in memory does it at once. */
static void faults_carry_out(const struct br_write *const *writes, uint32_t count)
{
    store_commit(faults.inner, writes, count, NULL, 0, faults_ignore, NULL);
}

static void faults_hold(struct br_call *call, const struct br_write *const *writes, uint32_t count,
                        bool late)
{
    struct held *held = mem_new(sizeof *held);
    *held = (struct held){ faults.held, call, writes, count, late };
    faults.held = held;
}

static void faults_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                          struct br_call *call)
{
    (void) env;
    int number = faults.commits++;
    enum fault fault = faults.at < 0 || number < faults.at    ? FAULT_NONE
                       : number == faults.at || faults.always ? faults.fault
                                                              : FAULT_NONE;
    if (faults.killed)
        fault = FAULT_KILL;
    else if (faults.then && number > faults.at)
        fault = faults.then;
    switch (fault) {
    case FAULT_UNAVAILABLE: br_reply_fail(call, BR_UNAVAILABLE, "no connection"); break;
    case FAULT_LOST: br_reply_fail(call, BR_UNKNOWN, "no answer"); break;
    case FAULT_FENCED: br_reply_fail(call, BR_FENCED, "the lock is lost"); break;
    case FAULT_ANSWER_LOST:
        faults_carry_out(writes, count);
        br_reply_fail(call, BR_UNKNOWN, "no answer");
        break;
    case FAULT_HANG_DONE:
        faults_carry_out(writes, count);
        faults_hold(call, writes, count, false);
        break;
    case FAULT_LATE:
    case FAULT_HANG: faults_hold(call, writes, count, fault == FAULT_LATE); break;
    case FAULT_KILL_AFTER:
        faults_carry_out(writes, count);
        faults.killed = true;
        faults_hold(call, writes, count, false);
        break;
    case FAULT_KILL:
        faults.killed = true;
        faults_hold(call, writes, count, false);
        break;
    default: faults.inner->ops.store.commit(&faults.inner->owner.env, writes, count, call);
    }
}

/* What hung is let go; what was late arrives now. */
static void faults_release(void)
{
    while (faults.held) {
        struct held *held = faults.held;
        faults.held = held->next;
        if (held->late)
            faults_carry_out(held->writes, held->count);
        br_reply_fail(held->call, BR_UNKNOWN, "much too late");
        free(held);
    }
}

static void faults_stop(struct br_env *env, struct br_call *call)
{
    (void) env;
    faults_release();
    br_reply_ok(call);
}

static const struct br_store faults_store = {
    .batch_ops_max = 7,
    .batch_bytes_max = 4096,
    .write_overhead = 20,
    .batches_max = 3,
    .read = faults_read,
    .list = faults_list,
    .commit = faults_commit,
};

BR_PLUGIN(store, faults, &faults_store, .summary = "The store in memory, with faults.",
          .version = "1", .license = "Apache-2.0", .stop = faults_stop);

/* -- One apply with one fault -------------------------------------------------------------------
 */

#define FENCE "/lock/LOCKNODE0000000001"

struct world {
    struct plugin *store;
    struct cluster clusters[2];
    struct plan plans[2];
};

static void world_make(struct world *world)
{
    memset(&faults, 0, sizeof faults);
    faults.at = faults.read_at = -1;
    faults.inner = recovery_store("memory", NULL);
    world->store = recovery_open(&bridle_store_faults, NULL);
    world->store->deadline = 30 * BR_MILLISECOND;
    for (int i = 0; i < 2; i++) {
        recovery_cluster(&world->clusters[i], (uint64_t) i + 5, 4 + (uint32_t) i, 9);
        plan_make(&world->plans[i], &world->clusters[i], "/p/c", LAYOUT_26);
    }
    ck_assert_int_eq(recovery_write(faults.inner, BR_CREATE, "/lock", ""), BR_OK);
    ck_assert_int_eq(recovery_write(faults.inner, BR_CREATE, FENCE, "me:1"), BR_OK);
}

static void world_free(struct world *world)
{
    for (int i = 0; i < 2; i++)
        cluster_done(&world->clusters[i]);
    recovery_close(world->store);
    recovery_close(faults.inner);
}

static void world_check_plan(struct world *world, int which)
{
    char *want = recovery_dump_plan(&world->plans[which]);
    char *got = recovery_dump(faults.inner, "/p/c", false);
    ck_assert_str_eq(got, want);
    free(want);
    free(got);
}

/* Nothing or everything. */
static bool world_visible(struct world *world, int which)
{
    struct fail fail;
    struct cluster *cluster = recovery_load(faults.inner, "/p/c", &fail);
    if (!cluster) {
        ck_assert_msg(fail.status == BR_NOTFOUND
                          || strstr(fail.text, "invalid transaction state(lock)"),
                      "%s", fail.text);
        return false;
    }
    ck_assert_msg(verify_cluster(&world->clusters[which], cluster, LAYOUT_26, &fail) == BR_OK, "%s",
                  fail.text);
    recovery_free(cluster);
    world_check_plan(world, which);
    return true;
}

/* Applies plan `which`; a kill in the midst cancels it.  true: it was told to be done. */
static bool world_apply(struct world *world, int which, struct applied *ret_applied)
{
    struct applied *applied = mem_new(sizeof *applied);
    struct apply_request request = {
        .plan = &world->plans[which], .fence = FENCE, .done = recovery_applied, .arg = applied
    };
    br_time end = loop_now(recovery_loop) + 60 * BR_SECOND;
    struct apply *apply = apply_start(recovery_loop, world->store, &request);
    while (!applied->done && !faults.killed && loop_now(recovery_loop) < end)
        loop_turn(recovery_loop);
    if (!applied->done) {
        ck_assert(faults.killed);
        apply_cancel(apply);
    }
    bool done = applied->done;
    *ret_applied = *applied;
    free(applied);
    return done;
}

/* Which faults must be overcome by the apply itself? */
static bool fault_is_overcome(enum fault fault)
{
    return fault != FAULT_FENCED && fault != FAULT_KILL && fault != FAULT_KILL_AFTER;
}

static int fault_commits(bool second)
{
    struct world world;
    struct applied applied;
    world_make(&world);
    if (second) {
        faults.at = 4;
        faults.fault = FAULT_KILL_AFTER;
        world_apply(&world, 1, &applied);
        faults.killed = false;
        faults.at = -1;
        faults.commits = 0;
    }
    ck_assert(world_apply(&world, 0, &applied));
    ck_assert_msg(applied.status == BR_OK, "%s", applied.text);
    int commits = faults.commits;
    world_free(&world);
    return commits;
}

/* With the fault at commit `at` of the first plan's apply, over nothing or over an unfinished one.
 */
static void fault_run(enum fault fault, int at, bool unfinished)
{
    struct world world;
    struct applied applied = { 0 };
    world_make(&world);
    if (unfinished) {
        faults.at = 4;
        faults.fault = FAULT_KILL_AFTER;
        ck_assert(!world_apply(&world, 1, &applied));
        ck_assert(!world_visible(&world, 1));
        faults.killed = false;
        faults.commits = 0;
    }
    faults.fault = fault;
    faults.at = at;
    bool told = world_apply(&world, 0, &applied);
    bool ok = told && applied.status == BR_OK;
    if (fault_is_overcome(fault))
        ck_assert_msg(ok, "fault %d at %d: %s", (int) fault, at, applied.text);
    if (fault == FAULT_FENCED)
        ck_assert_int_eq(applied.status, BR_FENCED);
    bool visible = world_visible(&world, 0);
    ck_assert(visible || !ok);
    faults.at = -1;
    faults.killed = false;
    faults_release();
    ck_assert(world_visible(&world, 0) == visible);

    ck_assert(world_apply(&world, 1, &applied));
    if (visible) {
        ck_assert_int_eq(applied.status, BR_EXISTS);
        world_check_plan(&world, 0);
    } else {
        ck_assert_msg(applied.status == BR_OK, "fault %d at %d, again: %s", (int) fault, at,
                      applied.text);
        world_check_plan(&world, 1);
    }
    world_free(&world);
}

START_TEST(fault_everywhere)
{
    bool unfinished = _i >= FAULT_COUNT;
    enum fault fault = (enum fault)(_i % FAULT_COUNT);
    int commits = fault_commits(unfinished);
    ck_assert_int_ge(commits, 6);
    for (int at = 0; at < commits; at++)
        fault_run(fault, at, unfinished);
}
END_TEST

/* How the apply whose read fails begins. */
enum beginning {
    BEGIN_FRESH,
    BEGIN_UNFINISHED, /* over another plan's tree that was not finished */
    BEGIN_DOUBT,      /* the answer of its first commit is lost */
    BEGIN_DOUBT_LAST, /* of its last */
    BEGINNINGS
};

/* Read `at` fails with this status; false: there are fewer reads. */
static bool fault_read_run(enum beginning beginning, br_status status, int at, int last)
{
    struct world world;
    struct applied applied = { 0 };
    world_make(&world);
    if (beginning == BEGIN_UNFINISHED) {
        faults.at = 4;
        faults.fault = FAULT_KILL_AFTER;
        ck_assert(!world_apply(&world, 1, &applied));
        faults.killed = false;
        faults.at = -1;
    } else if (beginning != BEGIN_FRESH) {
        faults.fault = FAULT_ANSWER_LOST;
        faults.at = beginning == BEGIN_DOUBT ? 0 : last;
    }
    faults.reads = 0;
    faults.read_at = at;
    faults.read_status = status;
    ck_assert(world_apply(&world, 0, &applied));
    bool reached = faults.reads > at;
    faults.at = faults.read_at = -1;
    if (status == BR_UNAVAILABLE || !reached)
        ck_assert_msg(applied.status == BR_OK, "read %d: %s", at, applied.text);
    else
        ck_assert_msg(applied.status == status && strstr(applied.text, "no reading now"),
                      "read %d: %d %s", at, applied.status, applied.text);
    if (!world_visible(&world, 0)) {
        ck_assert_int_ne(applied.status, BR_OK);
        ck_assert(world_apply(&world, 0, &applied));
        ck_assert_msg(applied.status == BR_OK, "read %d, again: %s", at, applied.text);
        world_check_plan(&world, 0);
    }
    world_free(&world);
    return reached;
}

START_TEST(fault_in_every_read)
{
    enum beginning beginning = (enum beginning)(_i % BEGINNINGS);
    br_status status = _i < BEGINNINGS ? BR_UNAVAILABLE : BR_DENIED;
    int last = fault_commits(false) - 1;
    int at = 0;
    while (fault_read_run(beginning, status, at, last))
        at++;
    ck_assert_int_ge(at, 2);
}
END_TEST

/* A store that fails for good ends it, with the status that fits and a sentence; abort sites 20 and
 * 21 of Apache Pegasus. */
static void fault_for_good(enum fault fault, int at, br_status status, const char *words)
{
    struct world world;
    struct applied applied;
    world_make(&world);
    faults.fault = fault;
    faults.at = at;
    faults.always = true;
    ck_assert(world_apply(&world, 0, &applied));
    ck_assert_int_eq(applied.status, status);
    ck_assert_msg(strstr(applied.text, words) != NULL, "%s", applied.text);
    faults.at = -1;
    faults_release();
    if (!world_visible(&world, 0)) {
        ck_assert(world_apply(&world, 1, &applied));
        ck_assert_msg(applied.status == BR_OK, "%s", applied.text);
        world_check_plan(&world, 1);
    }
    world_free(&world);
}

START_TEST(abort_20_21)
{
    int last = fault_commits(false) - 1;
    fault_for_good(FAULT_UNAVAILABLE, 0, BR_UNAVAILABLE, "asking again continues");
    fault_for_good(FAULT_LOST, 0, BR_UNKNOWN, "asking again continues");
    fault_for_good(FAULT_UNAVAILABLE, 2, BR_UNAVAILABLE, "nothing of it is visible");
    fault_for_good(FAULT_LOST, 2, BR_UNKNOWN, "nothing of it is visible");
    fault_for_good(FAULT_HANG, 2, BR_UNKNOWN, "nothing of it is visible");
    fault_for_good(FAULT_UNAVAILABLE, last, BR_UNAVAILABLE, "is not known: asking again tells");
    fault_for_good(FAULT_LOST, last, BR_UNKNOWN, "is not known: asking again tells");
    fault_for_good(FAULT_FENCED, last, BR_FENCED, "nothing of it is visible");
}
END_TEST

/* The lock is lost while an unlock is in doubt: that nothing is visible cannot be said. */
START_TEST(fault_fenced_in_doubt)
{
    struct world world;
    struct applied applied;
    int last = fault_commits(false) - 1;
    world_make(&world);
    faults.fault = FAULT_LATE;
    faults.then = FAULT_FENCED;
    faults.at = last;
    ck_assert(world_apply(&world, 0, &applied));
    ck_assert_int_eq(applied.status, BR_FENCED);
    ck_assert_msg(strstr(applied.text, "is not known: asking again tells") != NULL, "%s",
                  applied.text);
    faults_release();
    ck_assert(world_visible(&world, 0));
    world_free(&world);
}
END_TEST

/* Somebody else, who knows no fence, writes while it runs. */
struct intruder {
    const char *path;
    br_write_kind kind;
    const char *value;
    br_status status;
    const char *words;
};

static const struct intruder intruders[] = {
    { "/p/c/apps/999", BR_CREATE, "{}", BR_CONFLICT, "somebody else wrote or deleted" },
    { "/p/c/apps", BR_PUT, "lock", BR_CONFLICT, "somebody else changed `apps`" },
    { "/p/c/apps", BR_PUT, "unlock", BR_CONFLICT, "somebody else changed `apps`" },
};

START_TEST(fault_intruder)
{
    const struct intruder *intruder = &intruders[_i];
    struct world world;
    struct applied *applied = mem_new(sizeof *applied);
    world_make(&world);
    struct apply_request request = {
        .plan = &world.plans[0], .fence = FENCE, .done = recovery_applied, .arg = applied
    };
    apply_start(recovery_loop, world.store, &request);
    while (faults.commits < 3)
        loop_turn(recovery_loop);
    ck_assert_int_eq(recovery_write(faults.inner, intruder->kind, intruder->path, intruder->value),
                     BR_OK);
    while (!applied->done)
        loop_turn(recovery_loop);
    ck_assert_int_eq(applied->status, intruder->status);
    ck_assert_msg(strstr(applied->text, intruder->words) != NULL, "%s", applied->text);
    free(applied);
    world_free(&world);
}
END_TEST

/* What an earlier attempt left may be anything: deep surplus, other values, holes. */
START_TEST(fault_debris)
{
    static const char *const debris[] = { "/p/c/apps/999",         "/p/c/apps/999/0",
                                          "/p/c/apps/999/dup",     "/p/c/apps/999/dup/1",
                                          "/p/c/apps/999/dup/1/2", "/p/c/apps/x",
                                          "/p/c/apps/007" };
    struct world world;
    struct applied applied;
    struct buf path = { 0 };
    world_make(&world);
    faults.fault = FAULT_KILL_AFTER;
    faults.at = 5;
    ck_assert(!world_apply(&world, 0, &applied));
    faults.killed = false;
    faults.at = -1;
    for (size_t i = 0; i < sizeof debris / sizeof *debris; i++)
        ck_assert_int_eq(recovery_write(faults.inner, BR_CREATE, debris[i], "x"), BR_OK);
    int32_t id = world.clusters[0].tables[0].def.id;
    layout_table_path(&path, "/p/c", id);
    ck_assert_int_eq(recovery_write(faults.inner, BR_PUT, path.data, ""), BR_OK);
    buf_text(&path, "/99");
    ck_assert_int_eq(recovery_write(faults.inner, BR_CREATE, path.data, "beyond"), BR_OK);
    buf_text(&path, "/a");
    ck_assert_int_eq(recovery_write(faults.inner, BR_CREATE, path.data, "deeper"), BR_OK);
    ck_assert_int_eq(recovery_look(faults.inner, "/p/c").state, ROOT_OURS);
    ck_assert(world_apply(&world, 0, &applied));
    ck_assert_msg(applied.status == BR_OK, "%s", applied.text);
    world_check_plan(&world, 0);
    buf_done(&path);
    world_free(&world);
}
END_TEST

TCase *recovery_fault_cases(void)
{
    TCase *tcase = tcase_create("faults");
    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, recovery_setup, recovery_teardown);
    tcase_add_loop_test(tcase, fault_everywhere, 0, 2 * FAULT_COUNT);
    tcase_add_loop_test(tcase, fault_in_every_read, 0, 2 * BEGINNINGS);
    tcase_add_test(tcase, abort_20_21);
    tcase_add_test(tcase, fault_fenced_in_doubt);
    tcase_add_loop_test(tcase, fault_intruder, 0, 3);
    tcase_add_test(tcase, fault_debris);
    return tcase;
}
