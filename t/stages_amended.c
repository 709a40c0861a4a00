/* stages_amended -- an amendment into the store: whole or not at all, whatever ends it on its way,
 * and refused where the store is not what it was.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/stage/amend_run.h"
#include "t/stages_amender.h"

/* -- Through the command's functions ---------------------------------------------------------- */

START_TEST(amended_once)
{
    struct amender of;
    amender_init(&of);
    amender_make(&of, &amender_five);
    amender_reread(&of);
    ck_assert_msg(amender_apply(&of) == DEED_DONE, "%s", buf_string(&of.applier.result.text));
    applier_says(&of.applier, "applied", "5 records are changed at " ROOT);
    ck_assert_uint_eq(of.applier.result.records, 5);
    struct root_facts facts = applier_look(&of.applier);
    ck_assert_int_eq(facts.state, ROOT_TABLES);
    ck_assert_int_eq(facts.journal.state, JOURNAL_DONE);
    ck_assert_str_eq(facts.journal.hash, of.applier.plan.plan.hash);
    ck_assert_str_eq(facts.journal.amendment, of.amendment.hash);
    ck_assert_uint_eq(facts.journal.records, 10);
    char *once = applier_dump(&of.applier, true);
    ck_assert_int_eq(amender_apply(&of), DEED_DONE);
    applier_says(&of.applier, "already applied", "a.json was applied already");
    ck_assert_int_eq(applier_undo(&of.applier), DEED_REFUSED);
    applier_says(&of.applier, "refused", "an amendment was applied since");
    char *twice = applier_dump(&of.applier, true);
    ck_assert_str_eq(once, twice);
    free(once);
    free(twice);
    amender_done(&of);
}
END_TEST

static const struct {
    struct edit edits[2];
    const char *word, *text;
} refused[] = {
    { { { BR_PUT, ROOT "/apps/1/3", "{\"ballot\":1}" } },
      "changed",
      ROOT "/apps/1/3 is neither what it was when a.json was made nor what it shall be" },
    { { { BR_DELETE, ROOT "/apps/1/0", NULL } }, "changed", ROOT "/apps/1/0 is neither" },
    { { { BR_CREATE, ROOT "/apps/2/1", "" } }, "changed", ROOT "/apps/2/1 is neither" },
    { { { BR_PUT, ROOT "/apps", "lock" } }, "refused", "invalid transaction state(lock)" },
    { { { BR_DELETE, ROOT "/bridle/journal", NULL } },
      "refused",
      "is not what the amendment's plan" },
};

START_TEST(amended_refused)
{
    struct amender of;
    amender_init(&of);
    amender_make(&of, &amender_five);
    amender_reread(&of);
    applier_edit(&of.applier, refused[_i].edits);
    char *before = applier_dump(&of.applier, true);
    ck_assert_int_eq(amender_apply(&of), DEED_REFUSED);
    applier_says(&of.applier, refused[_i].word, refused[_i].text);
    applier_says(&of.applier, refused[_i].word, "nothing was written");
    char *after = applier_dump(&of.applier, true);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    amender_done(&of);
}
END_TEST

/* Somebody else leads. */
START_TEST(amended_held)
{
    struct amender of;
    struct buf fence = { 0 };
    amender_init(&of);
    amender_make(&of, &amender_five);
    amender_reread(&of);
    struct plugin *store = applier_store(&of.applier);
    applier_lead(store, &fence);
    ck_assert_int_eq(amender_apply(&of), DEED_HELD);
    applier_says(&of.applier, "held", "10.0.0.9:34601 holds the leader lock");
    recovery_close(store);
    ck_assert_int_eq(amender_apply(&of), DEED_DONE);
    buf_done(&fence);
    amender_done(&of);
}
END_TEST

/* Another place than the configuration's. */
START_TEST(amended_place)
{
    static const char *const words[] = { "the root /elsewhere", "the cluster c9", "of another" };
    struct amender of;
    amender_init(&of);
    amender_make(&of, &amender_five);
    amender_reread(&of);
    if (_i == 0)
        of.amendment.root = "/elsewhere";
    else if (_i == 1)
        of.amendment.cluster_name = "c9";
    else
        of.amendment.version = LAYOUT_26;
    ck_assert_int_eq(amender_apply(&of), DEED_REFUSED);
    applier_says(&of.applier, "refused", words[_i]);
    amender_done(&of);
}
END_TEST

/* -- In several batches, ended anywhere ------------------------------------------------------- */

static struct {
    void (*commit)(struct br_env *, const struct br_write *const *, uint32_t, struct br_call *);
    int left;   /* commits until it ends */
    bool after; /* the last one is carried out first */
    int commits;
} victim;

/* Once it is over nothing is carried out any more, as if the process were gone. */
static void victim_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                          struct br_call *call)
{
    victim.commits++;
    if (--victim.left > 0 || (victim.left == 0 && victim.after))
        victim.commit(env, writes, count, call);
    else
        br_reply_fail(call, BR_FENCED, "it is over");
}

static void amended_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
    struct deed *of = arg;
    ck_assert_uint_le(done, total);
    ck_assert_str_eq(what, "writing");
    of->interrupted = true;
}

/* With room for so many records in a batch. */
static enum deed_exit amended_write(struct amender *of, uint32_t records, bool interrupt)
{
    struct fail fail = { 0 };
    struct tool tool;
    struct deed deed = { .tool = &tool };
    struct deed_result result = { .exit = DEED_REFUSED };
    const struct stage_deed what = { .amendment = &of->amendment,
                                     .file = "a.json",
                                     .progress = interrupt ? amended_progress : NULL,
                                     .arg = &deed };
    ck_assert_int_eq(tool_init(&tool, NULL, of->applier.sets, &fail), BR_OK);
    ck_assert_msg(tool_open_store_to_write(&tool, &fail) == BR_OK, "%s", fail.text);
    victim.commit = tool.store.ops.store.commit;
    victim.commits = 0;
    tool.store.ops.store.commit = victim_commit;
    tool.store.ops.store.batch_ops_max = records + 4;
    amend_write(&what, &deed, &tool, &result);
    tool_done(&tool);
    deed_result_done(&of->applier.result);
    of->applier.result = result;
    return result.exit;
}

/* Nothing of it, everything, or a tree that nobody can read; then it is named and refused to
 * others.
 */
static void amended_look(struct amender *of, const char *none, const char *all)
{
    struct root_facts facts = applier_look(&of->applier);
    char *now = applier_dump(&of->applier, false);
    if (facts.state == ROOT_TABLES) {
        ck_assert_msg(strcmp(now, none) == 0 || strcmp(now, all) == 0, "%s", now);
    } else {
        ck_assert_int_eq(facts.state, ROOT_FOREIGN);
        ck_assert_int_eq(facts.journal.state, JOURNAL_AMENDING);
        ck_assert_ptr_nonnull(strstr(facts.text, "an unfinished amendment"));
        ck_assert_int_eq(applier_apply(&of->applier), DEED_REFUSED);
        ck_assert_int_eq(applier_undo(&of->applier), DEED_REFUSED);
        applier_says(&of->applier, "refused", "an unfinished amendment");
    }
    free(now);
}

/* A tree that was amended without trouble, and how many commits that took. */
static int amended_whole(uint32_t records, char **ret_none, char **ret_all)
{
    struct amender of;
    amender_init(&of);
    amender_make(&of, &amender_five);
    amender_reread(&of);
    *ret_none = applier_dump(&of.applier, false);
    victim.left = 1000;
    ck_assert_int_eq(amended_write(&of, records, false), DEED_DONE);
    *ret_all = applier_dump(&of.applier, false);
    int commits = victim.commits;
    amender_done(&of);
    return commits;
}

static void amended_ended(uint32_t records, int at, bool after, const char *none, const char *all)
{
    struct amender of;
    amender_init(&of);
    amender_make(&of, &amender_five);
    amender_reread(&of);
    victim.left = at;
    victim.after = after;
    amended_write(&of, records, false);
    amended_look(&of, none, all);
    victim.left = 1000;
    ck_assert_msg(amender_apply(&of) == DEED_DONE, "%d: %s", at,
                  buf_string(&of.applier.result.text));
    char *now = applier_dump(&of.applier, false);
    ck_assert_str_eq(now, all);
    free(now);
    amender_done(&of);
}

/* 5 records in batches of 1, 2, 5: each commit is the last one, once carried out and once not. */
START_TEST(amended_sweep)
{
    static const struct {
        uint32_t records;
        int commits;
    } sizes[] = { { 1, 7 }, { 2, 5 }, { 5, 1 } };
    char *none, *all;
    ck_assert_int_eq(amended_whole(sizes[_i].records, &none, &all), sizes[_i].commits);
    for (int at = 1; at <= sizes[_i].commits; at++) {
        amended_ended(sizes[_i].records, at, false, none, all);
        amended_ended(sizes[_i].records, at, true, none, all);
    }
    free(none);
    free(all);
}
END_TEST

START_TEST(amended_interrupted)
{
    struct amender of;
    amender_init(&of);
    amender_make(&of, &amender_five);
    amender_reread(&of);
    victim.left = 1000;
    ck_assert_int_eq(amended_write(&of, 2, true), DEED_FAILED);
    applier_says(&of.applier, "interrupted",
                 "nothing of the cluster is visible until applying it again has finished it");
    /* Another amendment does not go on with it. */
    struct amender other = of;
    memcpy(of.amendment.hash, of.amendment.plan, sizeof of.amendment.hash);
    ck_assert_int_eq(amender_apply(&of), DEED_REFUSED);
    applier_says(&of.applier, "refused", "an unfinished amendment");
    memcpy(of.amendment.hash, other.amendment.hash, sizeof of.amendment.hash);
    ck_assert_msg(amender_apply(&of) == DEED_DONE, "%s", buf_string(&of.applier.result.text));
    ck_assert_int_eq(applier_look(&of.applier).state, ROOT_TABLES);
    amender_done(&of);
}
END_TEST

/* A record that fits into no batch is refused before anything is written. */
START_TEST(amended_too_big)
{
    struct amender of;
    struct fail fail = { 0 };
    struct tool tool;
    struct deed deed = { .tool = &tool };
    struct deed_result result = { .exit = DEED_REFUSED };
    const struct stage_deed what = { .amendment = &of.amendment, .file = "a.json" };
    amender_init(&of);
    amender_make(&of, &amender_five);
    amender_reread(&of);
    char *before = applier_dump(&of.applier, true);
    ck_assert_int_eq(tool_init(&tool, NULL, of.applier.sets, &fail), BR_OK);
    ck_assert_int_eq(tool_open_store_to_write(&tool, &fail), BR_OK);
    tool.store.ops.store.batch_bytes_max = 600;
    amend_write(&what, &deed, &tool, &result);
    ck_assert_int_eq(result.exit, DEED_REFUSED);
    ck_assert_ptr_nonnull(strstr(result.text.data, "is larger than a batch of this store takes"));
    tool_done(&tool);
    deed_result_done(&result);
    char *after = applier_dump(&of.applier, true);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    amender_done(&of);
}
END_TEST

/* -- Read back -------------------------------------------------------------------------------- */

#define SERVED(ballot)                                                                             \
    "{\"pid\":\"1.3\",\"ballot\":" ballot ",\"primary\":\"10.0.0.1:34801\",\"secondaries\":[]}"

static const struct {
    struct edit edits[2];
    uint64_t same, moved, differing;
    const char *line;
} read_back[] = {
    { { { 0 } }, 5, 0, 0, "" },
    { { { BR_PUT, ROOT "/apps/1/3", SERVED("7") } }, 4, 1, 0, "" },
    { { { BR_PUT, ROOT "/apps/1/3", SERVED("6") } }, 4, 0, 1, "apps/1/3: is not what the" },
    { { { BR_PUT, ROOT "/apps/1/3", "?" } }, 4, 0, 1, "apps/1/3: is not what the amendment says" },
    { { { BR_DELETE, ROOT "/apps/2/1", NULL } }, 4, 0, 1, "apps/2/1: is missing" },
    { { { BR_PUT, ROOT "/apps/2", "{\"app_id\":2,\"create_second\":1600000000}" } }, 4, 1, 0, "" },
    { { { BR_PUT, ROOT "/apps/2", "{\"app_id\":3,\"create_second\":1600000000}" } }, 4, 0, 1, "" },
    { { { BR_PUT, ROOT "/apps", "lock" } }, 5, 0, 1, "invalid transaction state(lock)" },
};

START_TEST(amended_verify)
{
    struct amender of;
    struct amend_verify verify = { 0 };
    struct fail fail = { 0 };
    amender_init(&of);
    amender_make(&of, &amender_five);
    amender_reread(&of);
    ck_assert_int_eq(amender_apply(&of), DEED_DONE);
    applier_edit(&of.applier, read_back[_i].edits);
    ck_assert_int_eq(stage_amend_verify(&of.amendment, &of.applier.tool, &verify, &fail), BR_OK);
    ck_assert_uint_eq(verify.same, read_back[_i].same);
    ck_assert_uint_eq(verify.moved, read_back[_i].moved);
    ck_assert_uint_eq(verify.differing, read_back[_i].differing);
    ck_assert_msg(strstr(buf_string(&verify.text), read_back[_i].line), "%s",
                  buf_string(&verify.text));
    buf_done(&verify.text);
    amender_done(&of);
}
END_TEST

TCase *stages_amended_cases(void)
{
    TCase *tcase = tcase_create("amended");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, amended_once);
    LOOP(amended_refused, refused);
    tcase_add_test(tcase, amended_held);
    tcase_add_loop_test(tcase, amended_place, 0, 3);
    tcase_add_loop_test(tcase, amended_sweep, 0, 3);
    tcase_add_test(tcase, amended_interrupted);
    tcase_add_test(tcase, amended_too_big);
    LOOP(amended_verify, read_back);
    return tcase;
}
