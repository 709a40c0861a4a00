/* stages_apply -- plans applied: only into nothing, only this plan, one at a time; what was left
 * half done, written or undone, is finished.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/stage/diagnose.h"
#include "t/stages_applier.h"

/* -- Who holds the lock ----------------------------------------------------------------------- */

START_TEST(who_leads_is_named)
{
    struct applier of;
    struct buf fence = { 0 };
    applier_init(&of);
    struct plugin *store = applier_store(&of);
    applier_lead(store, &fence);
    ck_assert_int_eq(applier_apply(&of), DEED_HELD);
    applier_says(&of, "held", "10.0.0.9:34601 holds the leader lock " LOCK);
    char *after = applier_dump(&of, true);
    ck_assert_str_eq(after, "");
    recovery_close(store);
    ck_assert_int_eq(applier_apply(&of), DEED_DONE);
    free(after);
    buf_done(&fence);
    applier_done(&of);
}
END_TEST

/* -- What is not written over ----------------------------------------------------------------- */

static const struct {
    struct edit edits[4];
    const char *text;
} taken[] = {
    { { BASE, { BR_CREATE, ROOT "/apps", "lock" } }, "invalid transaction state(lock)" },
    { { BASE, { BR_CREATE, ROOT "/apps", "unlock" }, { BR_CREATE, ROOT "/apps/1", "{}" } },
      ROOT " holds 1 tables, and a plan is applied only into nothing" },
    { { BASE, { BR_CREATE, ROOT "/apps", "?" } }, "invalid transaction state(?)" },
};

START_TEST(only_into_nothing)
{
    struct applier of;
    struct edit edits[5] = { { 0 } };
    applier_init(&of);
    memcpy(edits, taken[_i].edits, sizeof taken[_i].edits);
    applier_edit(&of, edits);
    struct plugin *store = applier_store(&of);
    char *before = recovery_dump(store, "/", true);
    recovery_close(store);
    ck_assert_int_eq(applier_apply(&of), DEED_REFUSED);
    applier_says(&of, "refused", taken[_i].text);
    ck_assert_str_eq(buf_string(&of.result.next), "bridle diagnose -c CONFIG");
    store = applier_store(&of);
    char *after = recovery_dump(store, "/", true);
    recovery_close(store);
    ck_assert_str_eq(after, before);
    free(before);
    free(after);
    applier_done(&of);
}
END_TEST

/* Another root, another cluster, another layout, a plan that does not pass. */
START_TEST(only_this_plan)
{
    struct applier of;
    applier_init(&of);
    of.sets[2] = "meta_server.cluster_root=/pegasus/c2";
    ck_assert_int_eq(applier_apply(&of), DEED_REFUSED);
    applier_says(&of, "refused",
                 "the plan is for the root " ROOT ", the configuration says /pegasus/c2");
    ck_assert_int_eq(applier_undo(&of), DEED_REFUSED);
    of.sets[2] = "meta_server.cluster_root=" ROOT;
    const char *sets[] = { of.sets[0], of.sets[1], of.sets[2], "replication.cluster_name=c7" };
    memcpy(of.sets, sets, sizeof sets);
    ck_assert_int_eq(applier_apply(&of), DEED_REFUSED);
    applier_says(&of, "refused", "the plan is for the cluster unknown, the configuration is of c7");
    of.sets[3] = "meta_server.pegasus_version=2.6";
    ck_assert_int_eq(applier_apply(&of), DEED_REFUSED);
    applier_says(&of, "refused", "the plan is in the layout of Pegasus 2.5");
    of.sets[3] = "meta_server.lock_root=/locks";
    of.plan.passes = false;
    for (uint32_t i = 0; i < of.plan.finding_count; i++)
        of.plan.findings[i].consented = false;
    ck_assert_int_eq(applier_apply(&of), DEED_REFUSED);
    applier_says(&of, "refused", "p.json must not be applied as it is");
    applier_says(&of, "refused", "WARNING: partition(1.3) has no replica collected");
    ck_assert_int_ne(access(of.file.data + strlen("store.file="), F_OK), 0);
    applier_done(&of);
}
END_TEST

/* -- Half done -------------------------------------------------------------------------------- */

/* An apply that was killed: continued, and then undone all the same. */
START_TEST(half_written)
{
    struct applier of;
    applier_init(&of);
    ck_assert_int_eq(applier_apply(&of), DEED_DONE);
    applier_mark(&of, JOURNAL_WRITING, "lock");
    applier_edit(&of, (struct edit[]){ { BR_DELETE, ROOT "/apps/3/1", NULL },
                                       { BR_PUT, ROOT "/apps/1/0", "another" },
                                       { BR_CREATE, ROOT "/apps/7", "surplus" },
                                       { 0 } });
    ck_assert_int_eq(applier_undo(&of), DEED_REFUSED);
    applier_says(&of, "refused", "only what was finished can be undone");
    ck_assert_int_eq(applier_apply(&of), DEED_DONE);
    applier_says(&of, "applied", "left by an unfinished recovery of ours");
    struct root_facts facts = applier_look(&of);
    ck_assert(facts.journal.converged);
    ck_assert_int_eq(applier_undo(&of), DEED_DONE);
    applier_says(&of, "undone", "");
    char *after = applier_dump(&of, true);
    ck_assert_str_eq(after, APPLIER_ABOVE);
    free(after);
    applier_done(&of);
}
END_TEST

/* An undo that was killed: finished by asking again (0), or written over (1).  What is in its way
 * (2) is named and left. */
START_TEST(half_undone)
{
    struct applier of;
    struct diagnose diagnose;
    struct fail fail = { 0 };
    struct tool tool;
    applier_init(&of);
    ck_assert_int_eq(applier_apply(&of), DEED_DONE);
    applier_mark(&of, JOURNAL_UNDOING, "lock");
    applier_edit(&of, (struct edit[]){ { BR_DELETE, ROOT "/apps/1/0", NULL },
                                       { BR_DELETE, ROOT "/apps/1/1", NULL },
                                       { 0 } });
    ck_assert_int_eq(tool_init(&tool, NULL, of.sets, &fail), BR_OK);
    stage_diagnose(&tool, &diagnose);
    tool_done(&tool);
    ck_assert_int_eq(diagnose.verdict, DIAGNOSE_OURS);
    ck_assert_str_eq(diagnose.next.data, "bridle undo PLAN");
    ck_assert_ptr_nonnull(strstr(diagnose.text.data, "left by an unfinished undo of plan"));
    buf_done(&diagnose.text);
    buf_done(&diagnose.next);
    if (_i == 2) {
        applier_edit(&of, (struct edit[]){ { BR_PUT, ROOT "/apps/1/2", "theirs" }, { 0 } });
        ck_assert_int_eq(applier_undo(&of), DEED_FAILED);
        applier_says(&of, "changed", ROOT "/apps/1/2 is not what was written");
        ck_assert_int_eq(applier_look(&of).state, ROOT_OURS);
    }
    ck_assert_int_eq(_i == 0 ? applier_undo(&of) : applier_apply(&of), DEED_DONE);
    if (_i)
        ck_assert_int_eq(applier_undo(&of), DEED_DONE);
    applier_says(&of, "undone", "");
    char *after = applier_dump(&of, true);
    ck_assert_str_eq(after, APPLIER_ABOVE);
    free(after);
    applier_done(&of);
}
END_TEST

/* SIGTERM at each report of progress: it stops, and asking again finishes it. */
START_TEST(interrupted)
{
    struct applier of;
    applier_init(&of);
    if (applier_run(&of, stage_apply_check, stage_apply, _i) != DEED_DONE) {
        applier_says(&of, "interrupted", "again");
        enum root_state state = applier_look(&of).state; /* an unlock may have been on its way */
        ck_assert(state == ROOT_OURS || state == ROOT_TABLES);
        ck_assert_int_eq(applier_apply(&of), DEED_DONE);
    }
    if (applier_run(&of, stage_undo_check, stage_undo, _i) != DEED_DONE) {
        applier_says(&of, "interrupted", "again");
        ck_assert_int_eq(applier_undo(&of), DEED_DONE);
    }
    char *after = applier_dump(&of, true);
    ck_assert_str_eq(after, APPLIER_ABOVE);
    free(after);
    applier_done(&of);
}
END_TEST

/* -- What differs ----------------------------------------------------------------------------- */

static const struct {
    int32_t node; /* whose report of 1.0 changes */
    int64_t ballot, committed;
    uint64_t count;
    const char *line;
} moves[] = {
    { 2, 7, 122, 0, "" },
    { 2, 7, 999, 0, "" }, /* decrees move */
    { 2, 8, 122, 1,
      "partition 1.0: planned ballot 7 on 10.0.0.3:34801, dropped 10.0.0.1:34801, "
      "10.0.0.2:34801; now ballot 8 on 10.0.0.3:34801" },
    { 0, 9, 122, 1, "now ballot 9 on 10.0.0.1:34801" },
};

START_TEST(differences)
{
    struct applier of;
    struct stage_plan now;
    struct buf text = { 0 };
    applier_init(&of);
    of.kit.nodes[moves[_i].node].replicas[0].ballot = moves[_i].ballot;
    of.kit.nodes[moves[_i].node].replicas[0].committed = moves[_i].committed;
    of.kit.nodes[moves[_i].node].replicas[0].prepared = moves[_i].committed;
    stages_plan(&now, &of.tool, &of.kit, applier_consents);
    ck_assert_uint_eq(stage_differences(&of.plan, &now, &text), moves[_i].count);
    ck_assert_msg(strstr(buf_string(&text), moves[_i].line), "%s", buf_string(&text));
    ck_assert((moves[_i].count == 0) == (strcmp(of.plan.plan.hash, now.plan.hash) == 0));
    buf_done(&text);
    stage_plan_done(&now);
    applier_done(&of);
}
END_TEST

TCase *stages_apply_cases(void)
{
    TCase *tcase = tcase_create("apply");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, who_leads_is_named);
    LOOP(only_into_nothing, taken);
    tcase_add_test(tcase, only_this_plan);
    tcase_add_test(tcase, half_written);
    tcase_add_loop_test(tcase, half_undone, 0, 3);
    tcase_add_loop_test(tcase, interrupted, 1, 5);
    LOOP(differences, moves);
    return tcase;
}
