/* stages_undo -- plans undone: what was there before is there again, and what was used, or led, is
 * not taken back.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "t/stages_applier.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* -- There and back --------------------------------------------------------------------------- */

#define BASE                                                                                       \
    { BR_CREATE, "/pegasus", "" },                                                                 \
    {                                                                                              \
        BR_CREATE, ROOT, "theirs"                                                                  \
    }

static const struct {
    struct edit before[7];
    struct edit between[4]; /* after the apply, by others who are none of the cluster's */
    const char *left;       /* of those, by prefix: what keeps its parents; NULL: nothing */
    bool versions;          /* what was there has its version, too */
} trips[] = {
    { { { 0 } }, { { 0 } }, NULL, true },
    { { BASE }, { { 0 } }, NULL, true },
    { { { BR_CREATE, "/pegasus", "" },
        { BR_CREATE, "/pegasus/c2", "" },
        { BR_CREATE, "/pegasus/c2/apps", "unlock" },
        { BR_CREATE, "/pegasus/c2/apps/1", "{}" } },
      { { 0 } },
      NULL,
      true },
    { { BASE, { BR_CREATE, ROOT "/apps", "" } }, { { 0 } }, NULL, false },
    { { BASE, { BR_CREATE, ROOT "/apps", "unlock" } }, { { 0 } }, NULL, false },
    { { BASE, { BR_CREATE, ROOT "/bridle", "" } }, { { 0 } }, NULL, true },
    { { BASE, { BR_CREATE, ROOT "/bulk_load", "" } }, { { 0 } }, NULL, true },
    { { BASE, { BR_CREATE, ROOT "/backup", "x" }, { BR_CREATE, ROOT "/backup/p", "y" } },
      { { 0 } },
      NULL,
      true },
    { { { 0 } }, { { BR_CREATE, ROOT "/bridle/note", "n" } }, ROOT "/bridle", true },
    { { { 0 } }, { { BR_CREATE, ROOT "/bulk_load/a", "" } }, ROOT "/bulk_load", true },
    { { { 0 } }, { { BR_PUT, ROOT "/backup", "used" } }, ROOT "/backup", true },
    { { { 0 } }, { { BR_PUT, "/pegasus", "named" } }, "/pegasus ", true },
};

/* A node above the audit's entries. */
static bool trip_audit(const char *text, size_t path)
{
    static const char above[] = ROOT "/bridle";
    return path < sizeof above && strncmp(text, above, path) == 0
           && (above[path] == '/' || !above[path]);
}

/* Is the tree what it was, and beside that only the audit and what somebody else keeps? */
static void trip_compare(const char *before, const char *after, const char *left)
{
    for (const char *line = after; *line;) {
        size_t size = strcspn(line, "\n") + 1;
        char *text = mem_new(size + 1);
        memcpy(text, line, size);
        size_t path = strcspn(text, " ");
        bool kept = trip_audit(text, path);
        kept = kept
               || (left
                   && (strncmp(text, left, strlen(left)) == 0
                       || (strncmp(left, text, path) == 0 && left[path] == '/')));
        ck_assert_msg(strstr(before, text) || kept, "%s was not there before:\n%s", text, before);
        free(text);
        line += size;
    }
    for (const char *line = before; *line; line += strcspn(line, "\n") + 1) {
        char *text = mem_text(line);
        text[strcspn(text, "\n") + 1] = '\0';
        ck_assert_msg(strstr(after, text), "%s is not there any more:\n%s", text, after);
        free(text);
    }
}

START_TEST(there_and_back)
{
    struct applier of;
    applier_init(&of);
    applier_edit(&of, trips[_i].before);
    char *before = applier_dump(&of, trips[_i].versions);
    ck_assert_int_eq(applier_undo(&of), DEED_DONE); /* nothing is there yet */
    applier_says(&of, "nothing to undo", "it was never applied, or it was undone");
    char *same = applier_dump(&of, trips[_i].versions);
    ck_assert_str_eq(same, before);
    ck_assert_msg(applier_apply(&of) == DEED_DONE, "%s", of.result.text.data);
    applier_says(&of, "applied", "10 records are visible at " ROOT);
    struct root_facts facts = applier_look(&of);
    ck_assert(facts.journal.known && !facts.journal.converged);
    ck_assert_int_eq(facts.journal.elections, 1);
    ck_assert_int_eq(applier_apply(&of), DEED_DONE);
    applier_says(&of, "already applied", "p.json was applied already");
    applier_edit(&of, trips[_i].between);
    ck_assert_msg(applier_undo(&of) == DEED_DONE, "%s", of.result.text.data);
    applier_says(&of, "undone", "10 records were taken back");
    ck_assert_uint_eq(of.result.records, 10);
    char *after = applier_dump(&of, trips[_i].versions);
    trip_compare(before, after, trips[_i].left);
    if (!trips[_i].left) { /* and once more, now that the lock's number is another one */
        ck_assert_int_eq(applier_apply(&of), DEED_DONE);
        ck_assert_int_eq(applier_undo(&of), DEED_DONE);
        applier_says(&of, "undone", "");
    }
    free(before);
    free(same);
    free(after);
    applier_done(&of);
}
END_TEST

/* -- What is not taken back ------------------------------------------------------------------- */

#define DONE_BY(version, hash)                                                                     \
    "{\"version\":" version ",\"state\":\"done\",\"plan\":\"" hash "\",\"records\":10}"

static const struct {
    struct edit edits[3];
    enum deed_exit exit;
    const char *word, *text;
} used[] = {
    { { { BR_PUT, ROOT "/apps/1", "{}" } },
      DEED_REFUSED,
      "changed",
      ROOT "/apps/1 is not what was written" },
    { { { BR_PUT, ROOT "/apps/3/1", NULL } },
      DEED_REFUSED,
      "changed",
      ROOT "/apps/3/1 was written to since, though with the same value" },
    { { { BR_DELETE, ROOT "/apps/3/1", NULL } },
      DEED_REFUSED,
      "changed",
      ROOT "/apps/3/1 is not there any more" },
    { { { BR_CREATE, ROOT "/apps/9", "{}" } },
      DEED_REFUSED,
      "changed",
      ROOT "/apps/9 was not written by the plan" },
    { { { BR_CREATE, ROOT "/apps/1/4", "{}" } },
      DEED_REFUSED,
      "changed",
      ROOT "/apps/1/4 was not written by the plan" },
    { { { BR_CREATE, ROOT "/apps/1/duplication", "" } },
      DEED_REFUSED,
      "changed",
      ROOT "/apps/1/duplication was not written by the plan" },
    { { { BR_CREATE, ROOT "/apps/3/1/x", "" } },
      DEED_REFUSED,
      "changed",
      ROOT "/apps/3/1/x was not written by the plan" },
    { { { BR_PUT, ROOT "/apps", "" } }, DEED_REFUSED, "refused", "the value of `apps`" },
    { { { BR_PUT, ROOT "/apps", "lock" } }, DEED_REFUSED, "refused", "invalid transaction state" },
    { { { BR_PUT, ROOT "/bridle/journal", DONE_BY("1", HASH) } },
      DEED_REFUSED,
      "refused",
      "was not written by p.json" },
    { { { BR_PUT, ROOT "/bridle/journal", "?" } },
      DEED_REFUSED,
      "refused",
      "was not written by p.json" },
    { { { BR_DELETE, ROOT "/bridle/journal", NULL } },
      DEED_REFUSED,
      "refused",
      "was not written by p.json" },
};

/* The value that stands there, put once more. */
static void put_again(const struct applier *of, const char *path)
{
    struct plan_cursor cursor = plan_cursor_at(0, -1);
    br_bytes at, value;
    while (plan_record(&of->plan.plan, &cursor, &at, &value)) {
        if (strcmp(at.data, path) == 0)
            applier_edit(of, (struct edit[]){ { BR_PUT, path, value.data }, { 0 } });
    }
    plan_cursor_done(&cursor);
}

START_TEST(what_was_used_stays)
{
    struct applier of;
    applier_init(&of);
    ck_assert_int_eq(applier_apply(&of), DEED_DONE);
    if (used[_i].edits[0].kind == BR_PUT && !used[_i].edits[0].value)
        put_again(&of, used[_i].edits[0].path);
    else
        applier_edit(&of, used[_i].edits);
    struct plugin *store = applier_store(&of);
    char *before = recovery_dump(store, "/", true); /* the lock's directory, too */
    recovery_close(store);
    ck_assert_int_eq(applier_undo(&of), used[_i].exit);
    applier_says(&of, used[_i].word, used[_i].text);
    store = applier_store(&of);
    char *after = recovery_dump(store, "/", true);
    recovery_close(store);
    ck_assert_str_eq(after, before);
    free(before);
    free(after);
    applier_done(&of);
}
END_TEST

/* Somebody has led, whatever he did; an earlier bridle, and a store that does not count. */
START_TEST(what_was_led_stays)
{
    struct applier of;
    struct buf fence = { 0 };
    applier_init(&of);
    ck_assert_int_eq(applier_apply(&of), DEED_DONE);
    struct plugin *store = applier_store(&of);
    applier_lead(store, &fence);
    recovery_close(store);
    ck_assert_int_eq(applier_undo(&of), DEED_REFUSED);
    applier_says(&of, "led", "counts 4, expected 2");
    ck_assert_int_eq(applier_look(&of).state, ROOT_TABLES);
    struct buf json = { 0 };
    struct root_facts facts = applier_look(&of);
    facts.journal.elections = -1;
    apply_journal_put(&facts.journal, 10, &json);
    applier_edit(&of, (struct edit[]){ { BR_PUT, ROOT "/bridle/journal", json.data }, { 0 } });
    ck_assert_int_eq(applier_undo(&of), DEED_REFUSED);
    applier_says(&of, "refused", "this store does not say whether a meta server has led");
    buf_clear(&json);
    facts.journal.known = false;
    apply_journal_put(&facts.journal, 10, &json);
    applier_edit(&of, (struct edit[]){ { BR_PUT, ROOT "/bridle/journal", json.data }, { 0 } });
    ck_assert_int_eq(applier_undo(&of), DEED_REFUSED);
    applier_says(&of, "refused", "an earlier version of bridle wrote this");
    buf_done(&json);
    buf_done(&fence);
    applier_done(&of);
}
END_TEST

/* -- What happens meanwhile ------------------------------------------------------------------- */

static void meddle_lead(struct applier *of)
{
    struct buf fence = { 0 };
    struct plugin *store = applier_store(of);
    applier_lead(store, &fence);
    recovery_close(store);
    buf_done(&fence);
}

static void meddle_write(struct applier *of)
{
    applier_edit(of, (struct edit[]){ { BR_CREATE, ROOT "/apps/3/1/x", "" }, { 0 } });
}

static void meddle_recover(struct applier *of)
{
    struct plugin *store = applier_store(of);
    struct applied applied = recovery_apply(store, &of->plan.plan, NULL);
    ck_assert_int_eq(applied.status, BR_OK);
    recovery_close(store);
}

/* The first report is before the mark, the second behind it. */
static const struct {
    void (*meddle)(struct applier *of);
    int at;
    const char *word, *text;
} meddles[] = {
    { meddle_lead, 1, "led", "counts 4, expected 2" },
    { meddle_lead, 2, "led", "counts 4, expected 2" },
    { meddle_write, 1, "changed", ROOT "/apps/3/1/x was not written by the plan" },
    { meddle_write, 2, "changed", ROOT "/apps/3/1/x was not written by the plan" },
    { meddle_recover, 2, "refused", "this store does not say whether a meta server has led" },
};

START_TEST(meddled_with)
{
    struct applier of;
    applier_init(&of);
    ck_assert_int_eq(applier_apply(&of), DEED_DONE);
    of.meddle = meddles[_i].meddle;
    ck_assert_int_eq(applier_run(&of, stage_undo_check, stage_undo, meddles[_i].at), DEED_REFUSED);
    applier_says(&of, meddles[_i].word, meddles[_i].text);
    struct root_facts facts = applier_look(&of);
    ck_assert_int_eq(facts.state, ROOT_TABLES); /* visible as it was */
    ck_assert_int_eq(facts.apps, APPS_UNLOCK);
    ck_assert_int_eq(facts.journal.state, JOURNAL_DONE);
    ck_assert_uint_eq(facts.table_count, 3);
    applier_done(&of);
}
END_TEST

/* A bridled that recovered and serves: what it wrote is as it was, but it leads. */
START_TEST(who_recovered_leads)
{
    struct applier of;
    struct buf fence = { 0 };
    applier_init(&of);
    struct plugin *store = applier_store(&of);
    applier_lead(store, &fence);
    struct applied applied = recovery_apply(store, &of.plan.plan, fence.data);
    ck_assert_int_eq(applied.status, BR_OK);
    ck_assert_int_eq(applier_undo(&of), DEED_HELD);
    applier_says(&of, "held", "whoever applied the plan still holds the leader lock " LOCK);
    ck_assert_int_eq(applier_look(&of).state, ROOT_TABLES);
    recovery_close(store);
    ck_assert_int_eq(applier_undo(&of), DEED_DONE);
    applier_says(&of, "undone", "");
    buf_done(&fence);
    applier_done(&of);
}
END_TEST

TCase *stages_undo_cases(void)
{
    TCase *tcase = tcase_create("undo");
    tcase_set_timeout(tcase, 60);
    LOOP(there_and_back, trips);
    LOOP(what_was_used_stays, used);
    tcase_add_test(tcase, what_was_led_stays);
    LOOP(meddled_with, meddles);
    tcase_add_test(tcase, who_recovered_leads);
    return tcase;
}
