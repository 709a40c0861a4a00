/* state_cure -- what one partition needs, case by case (src/meta/partition_guardian.cpp:
 * on_missing_primary, on_missing_secondary, on_redundant_secondary), and what makes a proposal
 * stale.
 */
#include <string.h>
#include <time.h>

#include "host/meta/drops.h"
#include "host/meta/guardian.h"
#include "t/state_kit.h"

#define PID ((struct gpid){ 1, 0 })
#define OLD ((int64_t) 0) /* a drop long ago */
#define NOW ((int64_t) -1)

struct told {
    int32_t node;
    int64_t time; /* OLD or NOW */
    int64_t ballot, committed, prepared;
};

/* One partition of a table of 3 replicas on nodes 0 to 4. */
static const struct row {
    const char *what;
    int64_t ballot, committed;
    int32_t primary;
    int32_t secondaries[4], drops[4]; /* end: -1 */
    int32_t dead[4];                  /* end: -1 */
    int32_t uncollected;              /* bit by node: it has not synced */
    struct told told[3];              /* .ballot 0: end */
    bool asleep;
    int32_t type, target, node; /* what is decided; CONFIG_NONE: nothing */
    const char *reason;         /* of ddd; NULL: no ddd */
} rows[] = {
    { "healthy", 5, 9, 0, { 1, 2, -1 }, { -1 }, { -1 }, .type = CONFIG_NONE },
    { "newly created", 0, 0, -1, { -1 }, { -1 }, { -1 }, .type = CONFIG_ASSIGN_PRIMARY },
    { "newly created, the lightest dead",
      0,
      0,
      -1,
      { -1 },
      { -1 },
      { 0, 1, -1 },
      .type = CONFIG_ASSIGN_PRIMARY,
      .target = 2,
      .node = 2 },
    { "newly created, but there are data",
      0,
      0,
      -1,
      { -1 },
      { -1 },
      { -1 },
      .told = { { 3, OLD, 7, 1, 1 } },
      .reason = "10.0.0.4:34801 holds a replica of it with ballot 7" },
    { "newly created, one is alive",
      0,
      0,
      -1,
      { -1 },
      { -1 },
      { 0, 1, 2, 3 },
      .type = CONFIG_ASSIGN_PRIMARY,
      .target = 4,
      .node = 4 },
    { "asleep",
      5,
      9,
      1,
      { 0, 2, -1 },
      { -1 },
      { -1 },
      .asleep = true,
      .type = CONFIG_ASSIGN_PRIMARY,
      .target = 1,
      .node = 1 },
    { "the primary left, secondaries stay",
      6,
      9,
      -1,
      { 1, 2, -1 },
      { 0, -1 },
      { 1, -1 },
      .type = CONFIG_UPGRADE_TO_PRIMARY,
      .target = 2,
      .node = 2 },
    { "all secondaries are dead", 6, 9, -1, { 1, 2, -1 }, { 0, -1 }, { 1, 2, -1 }, .type = 0 },
    { "a dead secondary goes first",
      6,
      9,
      0,
      { 1, 2, -1 },
      { -1 },
      { 2, -1 },
      .type = CONFIG_DOWNGRADE_TO_INACTIVE,
      .target = 0,
      .node = 2 },
    { "too few, nobody left lately",
      6,
      9,
      0,
      { 1, -1 },
      { -1 },
      { -1 },
      .type = CONFIG_ADD_SECONDARY,
      .target = 0,
      .node = 2 },
    { "too few, the one that left lately is waited for",
      6,
      9,
      0,
      { 1, -1 },
      { -1 },
      { 4, -1 },
      .told = { { 4, NOW, 6, 9, 9 } },
      .type = CONFIG_NONE },
    { "... and is back",
      6,
      9,
      0,
      { 1, -1 },
      { -1 },
      { -1 },
      .told = { { 4, NOW, 6, 9, 9 } },
      .type = CONFIG_ADD_SECONDARY,
      .target = 0,
      .node = 4 },
    { "... and is not back after the delay",
      6,
      9,
      0,
      { 1, -1 },
      { -1 },
      { 4, -1 },
      .told = { { 4, OLD, 6, 9, 9 } },
      .type = CONFIG_ADD_SECONDARY,
      .target = 0,
      .node = 2 },
    { "one left of three is urgent",
      6,
      9,
      0,
      { -1 },
      { -1 },
      { 4, -1 },
      .told = { { 4, NOW, 6, 9, 9 } },
      .type = CONFIG_ADD_SECONDARY,
      .target = 0,
      .node = 1 },
    { "the best of those that left comes first",
      6,
      9,
      0,
      { -1 },
      { -1 },
      { -1 },
      .told = { { 4, OLD, 6, 9, 9 }, { 3, OLD, 6, 8, 9 } },
      .type = CONFIG_ADD_SECONDARY,
      .target = 0,
      .node = 4 },
    { "too many: the fullest goes",
      6,
      9,
      0,
      { 1, 2, 3, -1 },
      { -1 },
      { -1 },
      .type = CONFIG_REMOVE,
      .target = 0,
      .node = 1 },
    { "the only one that was there",
      6,
      9,
      -1,
      { -1 },
      { 3, -1 },
      { -1 },
      .type = CONFIG_ASSIGN_PRIMARY,
      .target = 3,
      .node = 3 },
    { "... is dead",
      6,
      9,
      -1,
      { -1 },
      { 3, -1 },
      { 3, -1 },
      .reason = "the only dropped node(10.0.0.4:34801) hasn't come back yet" },
    { "the last two: one is dead",
      6,
      9,
      -1,
      { -1 },
      { 1, 2, 3, -1 },
      { 3, -1 },
      .told = { { 2, OLD, 6, 9, 9 } },
      .reason = "the last dropped node(10.0.0.4:34801) hasn't come back yet" },
    { "the last two: one has not told",
      6,
      9,
      -1,
      { -1 },
      { 1, 2, 3, -1 },
      { -1 },
      .uncollected = 1 << 3,
      .told = { { 2, OLD, 6, 9, 9 } },
      .reason = "10.0.0.4:34801) is unavailable because replica info has not been collected" },
    { "the last two: the higher ballot",
      6,
      9,
      -1,
      { -1 },
      { 1, 2, 3, -1 },
      { -1 },
      .told = { { 2, OLD, 6, 9, 9 }, { 3, OLD, 5, 9, 9 } },
      .type = CONFIG_ASSIGN_PRIMARY,
      .target = 2,
      .node = 2 },
    { "the last two: the higher committed",
      6,
      9,
      -1,
      { -1 },
      { 1, 2, 3, -1 },
      { -1 },
      .told = { { 2, OLD, 6, 9, 12 }, { 3, OLD, 6, 10, 11 } },
      .type = CONFIG_ASSIGN_PRIMARY,
      .target = 3,
      .node = 3 },
    { "the last two: the higher prepared",
      6,
      9,
      -1,
      { -1 },
      { 1, 2, 3, -1 },
      { -1 },
      .told = { { 2, OLD, 6, 9, 12 }, { 3, OLD, 6, 9, 11 } },
      .type = CONFIG_ASSIGN_PRIMARY,
      .target = 2,
      .node = 2 },
    { "the last two: equal, the latest",
      6,
      9,
      -1,
      { -1 },
      { 1, 2, 3, -1 },
      { -1 },
      .told = { { 2, OLD, 6, 9, 9 }, { 3, OLD, 6, 9, 9 } },
      .type = CONFIG_ASSIGN_PRIMARY,
      .target = 3,
      .node = 3 },
    { "the last two: one holds nothing",
      6,
      9,
      -1,
      { -1 },
      { 1, 2, 3, -1 },
      { -1 },
      .told = { { 2, OLD, 6, 9, 9 } },
      .type = CONFIG_ASSIGN_PRIMARY,
      .target = 2,
      .node = 2 },
    { "the last two: both hold nothing",
      6,
      9,
      -1,
      { -1 },
      { 2, 3, -1 },
      { -1 },
      .reason = "no replica info collected from the last two drops" },
    { "the last two: higher ballot, smaller committed",
      6,
      9,
      -1,
      { -1 },
      { 2, 3, -1 },
      { -1 },
      .told = { { 2, OLD, 7, 9, 20 }, { 3, OLD, 6, 10, 20 } },
      .reason = "the node with larger ballot has smaller last committed decree" },
    { "the last two: less than we know of",
      6,
      30,
      -1,
      { -1 },
      { 2, 3, -1 },
      { -1 },
      .told = { { 2, OLD, 6, 9, 20 }, { 3, OLD, 6, 9, 21 } },
      .reason = "larger_prepared_decree(21), last committed decree on meta(30)" },
};

static bool listed(const int32_t *list, int32_t node)
{
    for (int i = 0; i < 4 && list[i] >= 0; i++) {
        if (list[i] == node)
            return true;
    }
    return false;
}

static void row_make(const struct row *row)
{
    struct state *state = &kit.meta.state;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    kit_nodes(5);
    kit_table(1, 1, 3);
    kit_partition(PID, row->ballot, row->primary, row->secondaries, row->drops);
    state_partition(state, PID)->committed = row->committed;
    for (int32_t i = 0; i < 5; i++) {
        state->nodes[i].alive = !listed(row->dead, i);
        state->nodes[i].collected = !(row->uncollected >> i & 1);
    }
    for (int i = 0; i < 3 && row->told[i].ballot; i++) {
        const struct told *told = &row->told[i];
        drops_collect(
            state, PID,
            &(struct drop){ .node = told->node,
                            .time_ms = told->time == NOW ? (int64_t) now.tv_sec * 1000 : 0,
                            .ballot = told->ballot,
                            .committed = told->committed,
                            .prepared = told->prepared });
    }
    if (row->asleep)
        state_cure_make(state, PID)->asleep = true;
}

START_TEST(what_a_partition_needs)
{
    const struct row *row = &rows[_i];
    row_make(row);
    cure_decide(&kit.meta, PID);
    const struct cure *cure = state_cure(&kit.meta.state, PID);
    int count = cure ? cure->action_count : 0;
    ck_assert_msg(count == (row->type != CONFIG_NONE), "%s: %d actions", row->what, count);
    if (count) {
        const struct action *action = &cure->actions[0];
        ck_assert_msg(action->type == row->type && action->target == row->target
                          && action->node == row->node,
                      "%s: %s of %d to %d", row->what, config_type_name(action->type), action->node,
                      action->target);
        ck_assert_msg(cure_stale(&kit.meta, cure) == NULL, "%s: %s", row->what,
                      cure_stale(&kit.meta, cure));
        ck_assert_msg(cure_overtaken(&kit.meta, cure) == NULL, "%s", row->what);
    }
    bool ddd = cure && cure->ddd;
    ck_assert_msg(ddd == (row->reason != NULL), "%s: %s", row->what, ddd ? cure->reason : "no ddd");
    if (ddd)
        ck_assert_msg(strstr(cure->reason, row->reason) != NULL, "%s: %s", row->what, cure->reason);
    cure_decide(&kit.meta, PID); /* the same again, and nothing leaks */
}
END_TEST

/* Equal servers are chosen by what they carry, and by what is planned for them. */
START_TEST(the_lightest_is_chosen)
{
    struct state *state = &kit.meta.state;
    kit_nodes(3);
    kit_table(1, 4, 1);
    kit_table(2, 2, 1);
    kit_partition((struct gpid){ 2, 0 }, 3, 0, NULL, NULL); /* another table's counts less ... */
    kit_partition((struct gpid){ 1, 1 }, 3, 1, NULL, NULL);
    kit_partition((struct gpid){ 1, 2 }, 3, 2, NULL, NULL);
    cure_decide(&kit.meta, PID);
    ck_assert_int_eq(state_cure(state, PID)->actions[0].node, 0);
    state_cure(state, PID)->action_count = 0;
    kit_partition((struct gpid){ 1, 3 }, 3, 0, NULL, NULL); /* ... but it counts */
    cure_decide(&kit.meta, PID);
    ck_assert_int_eq(state_cure(state, PID)->actions[0].node, 1);
    state_cure(state, PID)->action_count = 0;
    state->nodes[1].planned_primaries = 1;
    cure_decide(&kit.meta, PID);
    ck_assert_int_eq(state_cure(state, PID)->actions[0].node, 2);
}
END_TEST

/* Those that left are tried one after the other, and again from the best. */
START_TEST(the_next_one_is_tried)
{
    static const int32_t wants[] = { 3, 2, 1, 3 };
    struct state *state = &kit.meta.state;
    kit_nodes(4);
    kit_table(1, 1, 3);
    kit_partition(PID, 6, 0, NULL, NULL);
    for (int32_t i = 1; i <= 3; i++)
        drops_collect(state, PID,
                      &(struct drop){ .node = i, .ballot = i, .committed = 1, .prepared = 1 });
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
        cure_decide(&kit.meta, PID);
        if (i == 3 && state_cure(state, PID)->actions[0].node != 3) {
            state_cure(state, PID)->action_count = 0;
            cure_decide(&kit.meta, PID);
        }
        ck_assert_int_eq(state_cure(state, PID)->actions[0].node, wants[i]);
        state_cure(state, PID)->action_count = 0;
    }
}
END_TEST

/* -- What is stale ----------------------------------------------------------------------------- */

/* On primary 0, secondaries 1 and 2, strangers 3 and (dead) 4; or without a primary. */
static const struct {
    int32_t type, target, node;
    bool headless, asleep, good;
} stales[] = {
    { CONFIG_ASSIGN_PRIMARY, 3, 3, true, false, true },
    { CONFIG_ASSIGN_PRIMARY, 3, 2, true, false, false },
    { CONFIG_ASSIGN_PRIMARY, 1, 1, true, false, false }, /* a secondary is upgraded */
    { CONFIG_ASSIGN_PRIMARY, 4, 4, true, false, false },
    { CONFIG_ASSIGN_PRIMARY, 3, 3, false, false, false },
    { CONFIG_ASSIGN_PRIMARY, 0, 0, false, false, false },
    { CONFIG_ASSIGN_PRIMARY, 0, 0, false, true, true },
    { CONFIG_UPGRADE_TO_PRIMARY, 1, 1, true, false, true },
    { CONFIG_UPGRADE_TO_PRIMARY, 3, 3, true, false, false },
    { CONFIG_UPGRADE_TO_PRIMARY, 1, 1, false, false, false },
    { CONFIG_ADD_SECONDARY, 0, 3, false, false, true },
    { CONFIG_ADD_SECONDARY, 0, 1, false, false, false },
    { CONFIG_ADD_SECONDARY, 0, 0, false, false, false },
    { CONFIG_ADD_SECONDARY, 0, 4, false, false, false },
    { CONFIG_ADD_SECONDARY, 1, 3, false, false, false },
    { CONFIG_ADD_SECONDARY_FOR_LB, 0, 3, false, false, true },
    { CONFIG_DOWNGRADE_TO_INACTIVE, 0, 1, false, false, true },
    { CONFIG_DOWNGRADE_TO_INACTIVE, 0, 3, false, false, false },
    { CONFIG_DOWNGRADE_TO_INACTIVE, 1, 2, false, false, false },
    { CONFIG_DOWNGRADE_TO_SECONDARY, 0, 0, false, false, true },
    { CONFIG_DOWNGRADE_TO_SECONDARY, 1, 1, false, false, false },
    { CONFIG_DOWNGRADE_TO_SECONDARY, 0, 1, false, false, false },
    { CONFIG_REMOVE, 0, 2, false, false, true },
    { CONFIG_REMOVE, 0, 3, false, false, false },
    { CONFIG_REMOVE, -1, 2, true, false, false },
    { CONFIG_REGISTER_CHILD, 0, 3, false, false, false },
};

START_TEST(what_is_still_to_be_done)
{
    kit_nodes(5);
    kit.meta.state.nodes[4].alive = false;
    kit_table(1, 1, 3);
    kit_partition(PID, 6, stales[_i].headless ? -1 : 0, (int32_t[]){ 1, 2, -1 }, NULL);
    struct cure *cure = state_cure_make(&kit.meta.state, PID);
    cure->asleep = stales[_i].asleep;
    cure->planned = true;
    cure->actions[0] = (struct action){ stales[_i].type, stales[_i].target, stales[_i].node };
    cure->action_count = 1;
    const char *stale = cure_stale(&kit.meta, cure);
    ck_assert_msg((stale == NULL) == stales[_i].good, "%s: %s", config_type_name(stales[_i].type),
                  stale ? stale : "good");
}
END_TEST

/* On primary 0, secondaries 1 and 2 (dead where said), of 3 replicas or 4. */
static const struct {
    int32_t type, node, replicas;
    bool planned, dead;
    const char *why;
} overtakens[] = {
    { CONFIG_ADD_SECONDARY, 3, 4, false, false, NULL },
    { CONFIG_ADD_SECONDARY, 3, 4, false, true, "a secondary is dead" },
    { CONFIG_ADD_SECONDARY_FOR_LB, 3, 3, true, false, NULL },
    { CONFIG_ADD_SECONDARY_FOR_LB, 3, 3, true, true, "a secondary is dead" },
    { CONFIG_DOWNGRADE_TO_SECONDARY, 0, 3, true, true, "a secondary is dead" },
    { CONFIG_DOWNGRADE_TO_INACTIVE, 2, 3, false, true, NULL },
    { CONFIG_DOWNGRADE_TO_INACTIVE, 2, 3, false, false, "the server is alive again" },
    { CONFIG_DOWNGRADE_TO_INACTIVE, 2, 3, true, false, NULL }, /* the operator wants it */
    { CONFIG_REMOVE, 2, 2, false, false, NULL },
    { CONFIG_REMOVE, 2, 3, false, false, "as many members as there shall be" },
    { CONFIG_REMOVE, 2, 3, true, false, NULL },
    { CONFIG_ADD_SECONDARY, 3, 3, false, false, "as many members as there shall be" },
    { CONFIG_ADD_SECONDARY, 3, 3, true, false, NULL },
};

START_TEST(what_goes_first)
{
    kit_nodes(4);
    kit.meta.state.nodes[2].alive = !overtakens[_i].dead;
    kit_table(1, 1, overtakens[_i].replicas);
    kit_partition(PID, 6, 0, (int32_t[]){ 1, 2, -1 }, NULL);
    struct cure *cure = state_cure_make(&kit.meta.state, PID);
    cure->planned = overtakens[_i].planned;
    cure->actions[0] = (struct action){ overtakens[_i].type, 0, overtakens[_i].node };
    cure->action_count = 1;
    const char *why = cure_overtaken(&kit.meta, cure);
    if (overtakens[_i].why)
        ck_assert_msg(why && strstr(why, overtakens[_i].why), "%s", why ? why : "not");
    else
        ck_assert_msg(!why, "%s", why);
}
END_TEST

TCase *state_cure_cases(void)
{
    TCase *tcase = tcase_create("cure");
    tcase_add_checked_fixture(tcase, kit_setup, kit_teardown);
    tcase_add_loop_test(tcase, what_a_partition_needs, 0, sizeof rows / sizeof *rows);
    tcase_add_test(tcase, the_lightest_is_chosen);
    tcase_add_test(tcase, the_next_one_is_tried);
    tcase_add_loop_test(tcase, what_is_still_to_be_done, 0, sizeof stales / sizeof *stales);
    tcase_add_loop_test(tcase, what_goes_first, 0, sizeof overtakens / sizeof *overtakens);
    return tcase;
}
