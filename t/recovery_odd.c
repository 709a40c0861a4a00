/* recovery_odd -- an apply into stores with other limits, and what goes on beside it between two of
 * its steps: it ends with a sentence, and what it must not touch stays.
 *
 * The store is the real one in memory behind one that forwards to it.
 */
#include "t/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

#define FENCE "/lock/LOCKNODE0000000001"

/* What somebody else writes beside a commit. */
struct beside {
    br_write_kind kind;
    const char *path;
    const char *value;
};

static struct odd {
    struct plugin *inner;
    bool idle;    /* commits are answered with yes and not carried out */
    int lost;     /* the answer of this commit, from 0, is lost; -1: of none */
    bool carried; /* ... though it is carried out */
    int at;       /* after this commit others write; -1: never */
    bool again;   /* ... and after each that follows, come of it what may */
    struct beside beside[4];
    br_status elections; /* of the first so many questions for the number of elections ... */
    int elections_left;  /* ... this is the answer */
    int commits;
} odd;

static void odd_read(struct br_env *env, const char *const *paths, uint32_t count,
                     struct br_call *call)
{
    (void) env;
    odd.inner->ops.store.read(&odd.inner->owner.env, paths, count, call);
}

static void odd_list(struct br_env *env, const char *path, struct br_call *call)
{
    (void) env;
    odd.inner->ops.store.list(&odd.inner->owner.env, path, call);
}

static void odd_ignore(void *arg, struct call_answer *answer)
{
    (void) arg;
    (void) answer;
}

static void odd_written(void *arg, struct call_answer *answer)
{
    ck_assert_msg(answer->status == BR_OK || odd.again, "%s: %s", (const char *) arg,
                  answer->message);
}

static void odd_write_beside(void)
{
    static struct br_write writes[4];
    static const struct br_write *pointers[4];
    for (int i = 0; i < 4 && odd.beside[i].path; i++) {
        const struct beside *at = &odd.beside[i];
        writes[i] = (struct br_write){ .kind = at->kind,
                                       .path = at->path,
                                       .value = { at->value, at->value ? strlen(at->value) : 0 },
                                       .version = BR_ANY_VERSION };
        pointers[i] = &writes[i];
        store_commit(odd.inner, &pointers[i], 1, NULL, 0, odd_written, (void *) at->path);
    }
}

static void odd_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                       struct br_call *call)
{
    (void) env;
    int number = odd.commits++;
    if (odd.idle) {
        br_reply_ok(call);
    } else if (number == odd.lost) {
        if (odd.carried)
            store_commit(odd.inner, writes, count, NULL, 0, odd_ignore, NULL);
        br_reply_fail(call, BR_UNKNOWN, "no answer");
    } else {
        odd.inner->ops.store.commit(&odd.inner->owner.env, writes, count, call);
    }
    if (number == odd.at || (odd.again && number > odd.at))
        odd_write_beside();
}

static void odd_elections(struct br_env *env, const char *path, struct br_call *call)
{
    (void) env;
    if (odd.elections_left-- > 0)
        br_reply_fail(call, odd.elections, "nobody counts now");
    else
        odd.inner->ops.store.elections(&odd.inner->owner.env, path, call);
}

static const struct br_store odd_store = {
    .read = odd_read, .list = odd_list, .commit = odd_commit, .elections = odd_elections
};

BR_PLUGIN(store, odd, &odd_store, .summary = "The store in memory, with odd neighbours.",
          .version = "1", .license = "Apache-2.0");

static struct plugin *odd_outer;
static struct cluster odd_cluster;
static struct plan odd_plan;

static void odd_setup(void)
{
    recovery_setup();
    memset(&odd, 0, sizeof odd);
    odd.at = odd.lost = -1;
    odd.inner = recovery_store("memory", NULL);
    odd_outer = recovery_open(&bridle_store_odd, NULL);
    recovery_cluster(&odd_cluster, 5, 4, 9);
    plan_make(&odd_plan, &odd_cluster, "/p/c", LAYOUT_26);
    ck_assert_int_eq(recovery_write(odd.inner, BR_CREATE, "/lock", ""), BR_OK);
    ck_assert_int_eq(recovery_write(odd.inner, BR_CREATE, FENCE, "me:1"), BR_OK);
}

static void odd_teardown(void)
{
    cluster_done(&odd_cluster);
    recovery_close(odd_outer);
    recovery_close(odd.inner);
    recovery_teardown();
}

static void odd_apply(br_status status, const char *words)
{
    struct applied applied = recovery_apply(odd_outer, &odd_plan, FENCE);
    ck_assert_msg(applied.status == status, "%d: %s", applied.status, applied.text);
    ck_assert_msg(strstr(applied.text, words) != NULL, "%s", applied.text);
}

static void odd_is_plan(void)
{
    char *want = recovery_dump_plan(&odd_plan);
    char *got = recovery_dump(odd.inner, "/p/c", false);
    ck_assert_str_eq(got, want);
    free(want);
    free(got);
}

static void odd_is_nothing(void)
{
    char *got = recovery_dump(odd.inner, "/p", false);
    ck_assert_str_eq(got, "");
    free(got);
}

/* -- Limits ----------------------------------------------------------------------------------- */

static const struct limit_row {
    uint32_t ops, bytes, batches;
    br_status status;
    const char *words;
} limit_rows[] = {
    { 0, 0, 0, BR_OK, "" },
    { 0, 0, 1000, BR_OK, "" },  /* more at once than an apply has in flight */
    { 6, 0, 2, BR_OK, "" },     /* fence, lock, journal and what is above them */
    { 0, 4096, 64, BR_OK, "" }, /* no room for the audit's entry */
    { 2, 0, 1, BR_TOOBIG, "takes 2 operations, less than the fence, the check and one record" },
    { 1, 0, 1, BR_TOOBIG, "takes 1 operations" },
    { 5, 0, 1, BR_TOOBIG, "more missing components than a batch takes" },
    { 0, 100, 1, BR_TOOBIG, "more than one batch of the store takes" },
    { 0, 10, 1, BR_TOOBIG, "more than one batch of the store takes (0)" },
};

#define LIMIT_ROWS (int) (sizeof limit_rows / sizeof *limit_rows)

START_TEST(limits)
{
    const struct limit_row *row = &limit_rows[_i];
    struct br_store *ops = &odd_outer->ops.store;
    ops->batch_ops_max = row->ops;
    ops->batch_bytes_max = row->bytes;
    ops->batches_max = row->batches;
    odd_apply(row->status, row->words);
    if (row->status == BR_OK)
        odd_is_plan();
    else
        odd_is_nothing();
}
END_TEST

/* The largest value that a store takes is within a batch without a limit of bytes, one more is not.
 */
START_TEST(largest_value)
{
    char *value = mem_new(BR_STORE_VALUE_MAX + 1);
    const char *envs[] = { "k", value };
    memset(value, 'x', BR_STORE_VALUE_MAX - (_i ? 0 : 1000));
    odd_cluster.tables[1].def.envs = envs;
    odd_cluster.tables[1].def.env_count = 1;
    plan_make(&odd_plan, &odd_cluster, "/p/c", LAYOUT_26);
    if (_i) {
        odd_apply(BR_TOOBIG, "shorten the table's environments");
        odd_is_nothing();
    } else {
        odd_apply(BR_OK, "");
        odd_is_plan();
    }
    odd_cluster.tables[1].def.env_count = 0;
    free(value);
}
END_TEST

/* -- What an earlier attempt left -------------------------------------------------------------- */

/* An apply that lost its lock after the first records. */
static void odd_leave(void)
{
    odd.lost = odd.at = 1;
    odd.beside[0] = (struct beside){ BR_DELETE, FENCE, NULL };
    odd_apply(BR_FENCED, "another meta server leads");
    ck_assert_int_eq(recovery_write(odd.inner, BR_CREATE, FENCE, "me:1"), BR_OK);
    odd.lost = odd.at = -1;
    odd.commits = 0;
}

/* More of it than one batch deletes, one by its bytes, one by its number. */
START_TEST(much_is_left)
{
    odd_leave();
    for (int i = 0; i < 700; i++) {
        char path[64];
        snprintf(path, sizeof path, "/p/c/apps/x%d", i);
        ck_assert_int_eq(recovery_write(odd.inner, BR_CREATE, path, ""), BR_OK);
    }
    if (_i)
        odd_outer->ops.store.batch_ops_max = 100;
    else
        odd_outer->ops.store.batch_bytes_max = 4096;
    odd_apply(BR_OK, "");
    ck_assert_int_ge(odd.commits, 7);
    odd_is_plan();
}
END_TEST

/* What is deleted comes again and again. */
START_TEST(it_never_ends)
{
    odd_leave();
    odd.at = 0;
    odd.again = true;
    odd.beside[0] = (struct beside){ BR_CREATE, "/p/c/apps/999", "{}" };
    odd_apply(BR_CONFLICT, "changes again after each round of converging");
    odd.again = false;
    odd.at = -1;
    odd_apply(BR_OK, "");
    odd_is_plan();
}
END_TEST

/* -- A store that says yes and does nothing --------------------------------------------------- */

START_TEST(nothing_is_carried_out)
{
    if (_i) /* what an earlier attempt left is claimed again and again */
        odd_leave();
    odd.idle = true;
    odd_apply(BR_CONFLICT, "`apps` could not be made \"lock\": it changes all the time");
    odd.idle = false;
    odd_apply(BR_OK, "");
    odd_is_plan();
}
END_TEST

/* -- Somebody else between two steps ---------------------------------------------------------- */

#define JOURNAL(state, hash)                                                                       \
    "{\"version\":1,\"state\":\"" state "\",\"plan\":\"" hash "\",\"records\":7}"
#define OTHER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct beside_row {
    int at; /* after which commit; -1: after the last, whose answer is lost */
    bool lost;
    bool carried;
    struct beside beside[4];
    br_status status;
    const char *words;
} beside_rows[] = {
    /* After the lock. */
    { 0,
      false,
      true,
      { { BR_CREATE, "/p/c/apps/999", "{}" } },
      BR_CONFLICT,
      "somebody else wrote below `apps` while it was being locked" },
    { 0,
      false,
      true,
      { { BR_PUT, "/p/c/apps", "unlock" }, { BR_CREATE, "/p/c/apps/9", "{}" } },
      BR_EXISTS,
      "somebody else writes to the same root: " },
    { 0,
      false,
      true,
      { { BR_PUT, "/p/c/bridle/journal", JOURNAL("done", OTHER) } },
      BR_CONFLICT,
      "somebody else writes to the same root: " },
    /* Another plan's recovery: its lock is claimed, which ends that one. */
    { 0, false, true, { { BR_PUT, "/p/c/bridle/journal", JOURNAL("writing", OTHER) } }, BR_OK, "" },
    { 0,
      false,
      true,
      { { BR_PUT, "/p/c/bridle/journal", "strange" } },
      BR_CONFLICT,
      "somebody else writes to the same root: " },
    /* The unlock is lost. */
    { -1,
      true,
      false,
      { { BR_PUT, "/p/c/bridle/journal", JOURNAL("writing", OTHER) } },
      BR_CONFLICT,
      "somebody else writes to the same root: " },
    { -1,
      true,
      false,
      { { BR_PUT, "/p/c/apps", "lock" } },
      BR_CONFLICT,
      "somebody else writes to the same root: " },
    { -1, true, false, { { BR_PUT, "/p/c/apps", "unlock" } }, BR_EXISTS, "recover_from_replica" },
    { -1, true, true, { { BR_PUT, "/p/c/apps", "lock" } }, BR_CONFLICT, "half way" },
    { -1, true, true, { { BR_CREATE, "/p/c/apps/999", "{}" } }, BR_OK, "" },
};

#define BESIDE_ROWS (int) (sizeof beside_rows / sizeof *beside_rows)

/* The number of an apply's last commit. */
static int odd_last(void)
{
    struct plugin *inner = odd.inner;
    odd.inner = recovery_store("memory", NULL);
    recovery_write(odd.inner, BR_CREATE, "/lock", "");
    recovery_write(odd.inner, BR_CREATE, FENCE, "me:1");
    odd_apply(BR_OK, "");
    recovery_close(odd.inner);
    odd.inner = inner;
    int last = odd.commits - 1;
    odd.commits = 0;
    return last;
}

START_TEST(somebody_else)
{
    const struct beside_row *row = &beside_rows[_i];
    const int at = row->at < 0 ? odd_last() : row->at;
    memcpy(odd.beside, row->beside, sizeof odd.beside);
    odd.at = at;
    odd.lost = row->lost ? at : -1;
    odd.carried = row->carried;
    odd_apply(row->status, row->words);
    char *got = recovery_dump(odd.inner, "/p/c", true);
    for (const struct beside *beside = row->beside; row->status && beside->path; beside++) {
        char want[64]; /* a path, which its version follows */
        snprintf(want, sizeof want, "%s ", beside->path);
        const char *line = strstr(got, want);
        ck_assert_msg(line != NULL, "%s is gone", beside->path);
        const char *value = strstr(line, beside->value);
        ck_assert_msg(value && value < strchr(line, '\n'), "%s was changed", beside->path);
    }
    free(got);
}
END_TEST

/* -- The number of elections ------------------------------------------------------------------ */

static const struct {
    br_status status;
    int times;
    br_status result;
} election_rows[] = {
    { BR_UNAVAILABLE, 2, BR_OK },
    { BR_DENIED, 1, BR_DENIED },
};

START_TEST(elections_fail)
{
    odd.elections = election_rows[_i].status;
    odd.elections_left = election_rows[_i].times;
    odd_apply(election_rows[_i].result, election_rows[_i].result ? "nobody counts now" : "");
    odd_apply(election_rows[_i].result ? BR_OK : BR_EXISTS, "");
    odd_is_plan();
}
END_TEST

TCase *recovery_odd_cases(void)
{
    TCase *tcase = tcase_create("odd");
    tcase_add_checked_fixture(tcase, odd_setup, odd_teardown);
    tcase_add_loop_test(tcase, limits, 0, LIMIT_ROWS);
    tcase_add_loop_test(tcase, largest_value, 0, 2);
    tcase_add_loop_test(tcase, much_is_left, 0, 2);
    tcase_add_test(tcase, it_never_ends);
    tcase_add_loop_test(tcase, nothing_is_carried_out, 0, 2);
    tcase_add_loop_test(tcase, somebody_else, 0, BESIDE_ROWS);
    tcase_add_loop_test(tcase, elections_fail, 0, 2);
    return tcase;
}
