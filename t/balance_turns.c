/* balance_turns -- rounds of the balancer in parts, and by a meta server that goes on serving: how
 * much is done at once, and what ends a round before its time.
 */
#include <string.h>

#include "host/meta/balance.h"
#include "host/meta/guardian.h"
#include "t/state_kit.h"

static struct state *state(void)
{
    return &kit.meta.state;
}

/* -- In turns --------------------------------------------------------------------------------- */

/* However small the parts are, the round is the same, and each part has an end. */
START_TEST(parts_make_the_same_round)
{
    static const uint32_t parts[] = { 1, 13, 999, 1000000 };
    static struct balance_plan whole[BALANCE_PLANS_MAX];
    uint64_t seed = 17 + (uint64_t) _i;
    kit_nodes(9);
    for (int32_t t = 1; t <= 3; t++)
        kit_fill(t, 100, 1 + t % 3, 5 + _i % 4, &seed);
    uint32_t count = balance_round(state(), whole, BALANCE_PLANS_MAX);
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        const struct balance_plan *plans;
        struct balance_job *job = balance_begin(state(), BALANCE_PLANS_MAX);
        enum balance_progress progress;
        do {
            uint64_t before = balance_work(job);
            progress = balance_run(job, parts[p]);
            uint64_t did = balance_work(job) - before;
            ck_assert_uint_le(did, parts[p] + 9u * BALANCE_OVERSHOOT);
            ck_assert(progress != BALANCE_MORE || did >= parts[p]);
        } while (progress == BALANCE_MORE);
        ck_assert_int_eq(progress, BALANCE_OVER);
        ck_assert_uint_eq(balance_plans(job, &plans), count);
        ck_assert_mem_eq(plans, whole, count * sizeof *plans);
        balance_free(job);
    }
}
END_TEST

/* As synthetic clusters are: every node is in as many groups, in each role. */
static void fill_evenly(int32_t tables, int32_t partitions, int32_t nodes)
{
    for (int32_t t = 1; t <= tables; t++) {
        kit_table(t, partitions, 3);
        for (int32_t i = 0; i < partitions; i++) {
            int32_t node = i % nodes;
            kit_partition((struct gpid){ t, i }, 5, node,
                          (int32_t[]){ (node + 1) % nodes, (node + 2) % nodes, -1 }, NULL);
        }
    }
}

static uint64_t work_of_a_round(void)
{
    const struct balance_plan *plans;
    struct balance_job *job = balance_begin(state(), BALANCE_PLANS_MAX);
    ck_assert_int_eq(balance_run(job, UINT32_MAX), BALANCE_OVER);
    ck_assert_uint_eq(balance_plans(job, &plans), 0);
    uint64_t work = balance_work(job);
    balance_free(job);
    return work;
}

/* Each partition is looked at once, ever; each node a few times for each table. */
START_TEST(nothing_to_do_costs_little)
{
    enum { NODES = 200, TABLES = 30, PARTITIONS = 1000 };
    kit_nodes(NODES);
    fill_evenly(TABLES, PARTITIONS, NODES);
    ck_assert_uint_le(work_of_a_round(), TABLES * PARTITIONS + 10 * TABLES * NODES);
    ck_assert_uint_le(work_of_a_round(), 10 * TABLES * NODES);
}
END_TEST

/* In all, one has more than the others by the odd partitions of each table, and cannot give. */
START_TEST(uneven_totals_cost_little)
{
    enum { NODES = 200, TABLES = 30 };
    kit_nodes(NODES);
    fill_evenly(TABLES, 2 * NODES, NODES);
    state()->nodes[7].alive = false; /* what a dead one has is not the measure */
    ck_assert_uint_le(work_of_a_round(), TABLES * 2 * NODES + 40 * TABLES * NODES);
}
END_TEST

static void change_partition(void)
{
    kit_partition((struct gpid){ 1, 0 }, 9, 0, (int32_t[]){ 1, 2, -1 }, NULL);
}

static void change_table(void)
{
    kit_status(BR_TABLE_DROPPING);
}

static void change_tables(void)
{
    kit_table(7, 1, 3);
}

static void change_death(void)
{
    state_set_alive(state(), 1, false);
}

static void change_birth(void)
{
    state_set_alive(state(), state_node(state(), "another:1", 0), true);
}

static void (*const changes[])(void) = {
    change_partition, change_table, change_tables, change_death, change_birth,
};

START_TEST(a_change_ends_a_round)
{
    uint64_t seed = 3;
    kit_nodes(5);
    kit_fill(1, 64, 3, 3, &seed);
    struct balance_job *job = balance_begin(state(), BALANCE_PLANS_MAX);
    ck_assert_int_eq(balance_run(job, (uint32_t) _i * 40), BALANCE_MORE);
    changes[_i]();
    ck_assert_int_eq(balance_run(job, 1), BALANCE_STALE);
    ck_assert_int_eq(balance_run(job, UINT32_MAX), BALANCE_STALE);
    balance_free(job);
}
END_TEST

TCase *balance_turn_cases(void)
{
    TCase *tcase = tcase_create("turns");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, kit_setup, kit_teardown);
    tcase_add_loop_test(tcase, parts_make_the_same_round, 0, 4);
    tcase_add_test(tcase, nothing_to_do_costs_little);
    tcase_add_test(tcase, uneven_totals_cost_little);
    tcase_add_loop_test(tcase, a_change_ends_a_round, 0, sizeof changes / sizeof *changes);
    return tcase;
}

/* -- While it serves -------------------------------------------------------------------------- */

static void live_setup(void)
{
    kit_setup();
    kit.meta.loop = loop_new(&kit.log);
    kit.meta.level = LEVEL_STEADY;
    kit.meta.guardian = guardian_new(&kit.meta);
    kit.meta.balancer = balancer_new(&kit.meta);
    kit_nodes(4);
}

static void live_teardown(void)
{
    balancer_free(kit.meta.balancer);
    guardian_free(kit.meta.guardian);
    loop_free(kit.meta.loop);
    kit_teardown();
}

/* A look at all partitions, which finds them at rest. */
static void live_scan(void)
{
    kit.meta.scanned++;
    guardian_scan(&kit.meta);
    while (!guardian_all_healthy(&kit.meta))
        loop_turn(kit.meta.loop);
    ck_assert_ptr_null(balance_wrong(&kit.meta));
}

/* A round that needs more than one turn is under way. */
static void live_begin(void)
{
    uint64_t seed = 21;
    kit_fill(1, 2 * BALANCE_TURN_MAX, 2, 3, &seed);
    live_scan();
    balance_tick(&kit.meta);
    ck_assert(balance_busy(&kit.meta));
}

static void live_finish(void)
{
    while (balance_busy(&kit.meta))
        loop_turn(kit.meta.loop);
}

static uint32_t counted(void)
{
    const struct balance_count *count = &kit.meta.balance;
    return count->move_primary + count->copy_primary + count->copy_secondary;
}

START_TEST(steady_it_counts_once_after_a_change)
{
    live_begin();
    ck_assert_uint_eq(counted(), 0);
    live_finish();
    ck_assert_uint_gt(counted(), 0);
    live_scan();
    balance_tick(&kit.meta);
    ck_assert(!balance_busy(&kit.meta));
    change_partition();
    balance_tick(&kit.meta);
    ck_assert(!balance_busy(&kit.meta)); /* nobody has looked yet */
    kit_partition((struct gpid){ 1, 0 }, 10, 0, (int32_t[]){ 1, -1 }, NULL);
    live_scan();
    kit.meta.balance = (struct balance_count){ 0 };
    balance_tick(&kit.meta);
    live_finish();
    ck_assert_uint_gt(counted(), 0);
}
END_TEST

static void end_by_level(void)
{
    kit.meta.level = LEVEL_FREEZED;
}

static void end_by_servers(void)
{
    kit.meta.too_few = true;
}

static void end_by_change(void)
{
    change_partition();
}

static void end_by_writing(void)
{
    state()->writing = 1;
}

static void (*const ends[])(void) = { end_by_level, end_by_servers, end_by_change, end_by_writing };

START_TEST(a_round_is_given_up)
{
    live_begin();
    ends[_i]();
    loop_turn(kit.meta.loop);
    ck_assert(!balance_busy(&kit.meta));
    ck_assert_uint_eq(counted(), 0);
    balance_tick(&kit.meta);
    ck_assert(!balance_busy(&kit.meta));
    state()->writing = 0;
}
END_TEST

/* Lively, but no longer: what it counts as it goes on would be taken for moves under way. */
START_TEST(a_lively_round_is_given_up)
{
    kit.meta.level = LEVEL_LIVELY;
    uint64_t seed = 22;
    kit_fill(1, 2 * BALANCE_TURN_MAX, 2, 3, &seed);
    live_scan();
    balance_tick(&kit.meta);
    ck_assert(balance_busy(&kit.meta));
    kit.meta.level = LEVEL_STEADY;
    loop_turn(kit.meta.loop);
    ck_assert(!balance_busy(&kit.meta));
    balance_tick(&kit.meta);
    live_finish();
    ck_assert_uint_gt(counted(), 0);
    ck_assert(guardian_all_healthy(&kit.meta)); /* nothing was planned */
}
END_TEST

/* Leadership ends in the middle: the fixture frees it. */
START_TEST(a_round_is_freed)
{
    live_begin();
}
END_TEST

START_TEST(an_operators_plan_goes_first)
{
    const struct action step = { CONFIG_ADD_SECONDARY_FOR_LB, 0, 3 };
    kit_table(1, 1, 2);
    kit_partition((struct gpid){ 1, 0 }, 5, 0, (int32_t[]){ 1, -1 }, NULL);
    live_scan();
    ck_assert_ptr_null(guardian_plan(&kit.meta, (struct gpid){ 1, 0 }, &step, 1));
    ck_assert_ptr_nonnull(strstr(balance_wrong(&kit.meta), "at rest"));
}
END_TEST

START_TEST(tables_on_their_way_go_first)
{
    static const int32_t statuses[] = { BR_TABLE_CREATING, BR_TABLE_DROPPING, BR_TABLE_RECALLING };
    kit_table(1, 4, 3);
    kit_status(BR_TABLE_DROPPED);
    live_scan(); /* dropped, it does not matter */
    kit_status(statuses[_i]);
    guardian_scan(&kit.meta);
    while (!guardian_all_healthy(&kit.meta))
        loop_turn(kit.meta.loop);
    ck_assert_ptr_nonnull(strstr(balance_wrong(&kit.meta), "created"));
}
END_TEST

/* A split's partition has no ballot yet: there is nothing to do, but nothing may be moved. */
START_TEST(a_split_goes_first)
{
    kit_table(1, 1, 3);
    kit_partition((struct gpid){ 1, 0 }, -1, -1, NULL, NULL);
    guardian_scan(&kit.meta);
    loop_turn(kit.meta.loop);
    ck_assert_uint_eq(guardian_scans(&kit.meta), 1);
    ck_assert(!guardian_all_healthy(&kit.meta));
}
END_TEST

/* A thousand servers in the same second do not mean a thousand looks at all partitions. */
START_TEST(looks_that_are_asked_for_together_are_one)
{
    uint64_t seed = 23;
    kit_fill(1, 4 * GUARDIAN_LOOKS_MAX, 3, 4, &seed);
    guardian_scan(&kit.meta);
    for (int i = 0; i < 1000; i++) {
        state_set_alive(state(), i % 4, true);
        guardian_scan(&kit.meta);
    }
    while (!guardian_all_healthy(&kit.meta))
        loop_turn(kit.meta.loop);
    ck_assert_uint_eq(guardian_scans(&kit.meta), 2);
}
END_TEST

TCase *balance_live_cases(void)
{
    TCase *tcase = tcase_create("live");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, live_setup, live_teardown);
    tcase_add_test(tcase, steady_it_counts_once_after_a_change);
    tcase_add_loop_test(tcase, a_round_is_given_up, 0, sizeof ends / sizeof *ends);
    tcase_add_test(tcase, a_lively_round_is_given_up);
    tcase_add_test(tcase, a_round_is_freed);
    tcase_add_test(tcase, an_operators_plan_goes_first);
    tcase_add_loop_test(tcase, tables_on_their_way_go_first, 0, 3);
    tcase_add_test(tcase, a_split_goes_first);
    tcase_add_test(tcase, looks_that_are_asked_for_together_are_one);
    return tcase;
}
