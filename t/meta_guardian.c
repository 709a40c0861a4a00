/* meta_guardian -- a cluster that is cured by proposals, from a recovery on; what is proposed to
 * whom, and when nothing is.
 */
#include "t/test_meta_sync.h"

#include <stdio.h>
#include <string.h>

#include "host/meta/guardian.h"

#define PID   ((struct gpid){ 1, 0 })
#define OFTEN "  lb_interval: 100ms\n"

static const int no_more[] = { -1 };
static int32_t wanted_partitions;

static bool all_whole(void)
{
    for (int32_t i = 0; i < wanted_partitions; i++) {
        if (!state_healthy(&world.meta.state, (struct gpid){ 1, i }))
            return false;
    }
    return true;
}

static bool all_at_rest(void)
{
    return guardian_all_healthy(&world.meta);
}

static bool some_seen(void)
{
    return seen.count > 0;
}

static void expect_proposal(uint32_t index, int32_t type, int to, int node, int64_t ballot)
{
    ck_assert_uint_gt(seen.count, index);
    const struct proposal *proposal = &seen.list[index];
    ck_assert_msg(proposal->type == type && proposal->to == to && proposal->node == node
                      && proposal->ballot == ballot,
                  "%u: type %d to %d about %d, ballot %lld", index, proposal->type, proposal->to,
                  proposal->node, (long long) proposal->ballot);
}

static void expect_no_plans(void)
{
    for (uint32_t i = 0; i < world.meta.state.cluster.node_count; i++) {
        ck_assert_uint_eq(world.meta.state.nodes[i].planned_primaries, 0);
        ck_assert_uint_eq(world.meta.state.nodes[i].planned_replicas, 0);
    }
}

/* -- From a recovery on ------------------------------------------------------------------------ */

/* Primaries are asked to serve at once, then one secondary after the other. */
START_TEST(a_recovered_cluster_gets_whole)
{
    enum { PARTITIONS = 4 };
    seen.obey = true;
    wanted_partitions = PARTITIONS;
    world_meta("  recover_from_replica_server: true\n" OFTEN);
    world_wait_state(META_RECOVERING);
    made_actors(3);
    for (uint32_t a = 0; a < 3; a++) {
        actor_table(&world.actors[a], 1, "temp", PARTITIONS, 3);
        for (int32_t i = 0; i < PARTITIONS; i++)
            actor_replica(&world.actors[a], 1, i, 5 + (a == (uint32_t) i % 3), 9);
        made_beacon(&world.actors[a]);
    }
    ck_assert_str_eq(world_recover(false, false).err, "ERR_OK");
    made_until(all_whole);
    made_until(all_at_rest);
    expect_no_plans();
    for (int32_t i = 0; i < PARTITIONS; i++) {
        int32_t want = 0; /* ASSIGN_PRIMARY, then ADD_SECONDARY twice, each a ballot higher */
        int64_t ballot = 0;
        for (uint32_t p = 0; p < seen.count; p++) {
            const struct proposal *proposal = &seen.list[p];
            if (proposal->pid.partition != i || proposal->ballot == ballot)
                continue; /* sent again */
            ck_assert_int_eq(proposal->type,
                             want == 0 ? CONFIG_ASSIGN_PRIMARY : CONFIG_ADD_SECONDARY);
            ck_assert_int_eq(proposal->to, i % 3);
            ck_assert_int_gt(proposal->ballot, ballot);
            ballot = proposal->ballot;
            want++;
        }
        ck_assert_int_eq(want, 3);
        ck_assert_int_eq(made_primary((struct gpid){ 1, i }), i % 3);
        ck_assert_int_eq(made_now((struct gpid){ 1, i })->secondary_count, 2);
    }
}
END_TEST

/* -- Servers that die -------------------------------------------------------------------------- */

static void serve_whole(const char *extra)
{
    made_actors(4);
    made_table(1, 1, 3);
    made_record(PID, 5, 0, (int[]){ 1, 2, -1 }, no_more);
    wanted_partitions = 1;
    made_serve(extra, 0);
}

static bool has_primary(void)
{
    return made_primary(PID) > 0;
}

START_TEST(a_secondary_takes_over_from_a_dead_primary)
{
    serve_whole(OFTEN "  replica_assign_delay: 0s\n");
    seen.obey = true;
    made_dead(0);
    made_until(has_primary);
    expect_proposal(0, CONFIG_UPGRADE_TO_PRIMARY, seen.list[0].to, seen.list[0].to, 6);
    ck_assert(seen.list[0].to == 1 || seen.list[0].to == 2);
    made_until(all_whole); /* the one that left is not waited for */
    ck_assert(partition_has(made_now(PID),
                            cluster_node(&world.meta.state.cluster, world.actors[3].name)));
}
END_TEST

/* The one that left is waited for, unless it comes back. */
START_TEST(a_server_comes_back)
{
    serve_whole(OFTEN "  replica_assign_delay: 10min\n");
    seen.obey = true;
    made_dead(0);
    made_until(has_primary);
    made_turns(50);
    ck_assert_int_eq(made_now(PID)->secondary_count, 1);
    ck_assert_int_eq(made_actor_of(partition_drops(made_now(PID))[0]), 0);
    made_beacon(&world.actors[0]);
    made_until(all_whole);
    ck_assert_uint_eq(made_now(PID)->drop_count, 0);
}
END_TEST

START_TEST(a_primary_is_told_of_a_dead_secondary)
{
    serve_whole("");
    made_dead(2);
    made_until(some_seen);
    expect_proposal(0, CONFIG_DOWNGRADE_TO_INACTIVE, 0, 2, 5);
    ck_assert_int_eq(made_now(PID)->ballot, 5); /* it is the primary who decides */
}
END_TEST

static bool seen_add(void)
{
    return seen.count > 0 && seen.list[seen.count - 1].type == CONFIG_ADD_SECONDARY;
}

static bool seen_downgrade(void)
{
    return seen.count > 0 && seen.list[seen.count - 1].type == CONFIG_DOWNGRADE_TO_INACTIVE;
}

/* A learner that takes its time is no reason not to tell. */
START_TEST(a_dead_secondary_goes_before_a_learner)
{
    made_actors(4);
    made_table(1, 1, 3);
    made_record(PID, 5, 0, (int[]){ 1, -1 }, no_more);
    made_serve("", 0);
    made_until(seen_add);
    made_dead(1);
    made_until(seen_downgrade);
    expect_proposal(seen.count - 1, CONFIG_DOWNGRADE_TO_INACTIVE, 0, 1, 5);
}
END_TEST

/* It is alive again before its primary was told: it stays. */
START_TEST(a_secondary_that_is_back_stays)
{
    serve_whole(OFTEN);
    made_dead(2);
    made_until(seen_downgrade);
    made_beacon(&world.actors[2]);
    made_until(all_at_rest);
    expect_no_plans();
    ck_assert_ptr_null(state_cure(&world.meta.state, PID));
}
END_TEST

static uint32_t seen_target;

static bool seen_enough(void)
{
    return seen.count >= seen_target;
}

/* Proposals are one-way: what brings nothing is sent again. */
START_TEST(a_proposal_is_sent_again)
{
    made_actors(3);
    made_table(1, 1, 3);
    made_record(PID, 5, 0, no_more, no_more);
    made_serve("", 0);
    seen_target = 4;
    made_until(seen_enough);
    for (uint32_t i = 0; i < seen.count; i++)
        expect_proposal(i, CONFIG_ADD_SECONDARY, 0, seen.list[0].node, 5);
}
END_TEST

static uint32_t alive_now(void)
{
    uint32_t alive = 0;
    for (uint32_t i = 0; i < world.meta.state.cluster.node_count; i++)
        alive += world.meta.state.nodes[i].alive;
    return alive;
}

static bool all_buried(void)
{
    for (int32_t i = 0; i < wanted_partitions; i++) {
        if (made_now((struct gpid){ 1, i })->primary >= 0)
            return false;
    }
    return true;
}

/* More at once than fit in a turn: the last one's turn comes in the next. */
START_TEST(servers_die_together)
{
    wanted_partitions = META_BURY_MAX / 2;
    made_actors(4);
    made_table(1, wanted_partitions, 3);
    for (int32_t i = 0; i < wanted_partitions; i++)
        made_record((struct gpid){ 1, i }, 5, i % 4, (int[]){ (i + 1) % 4, (i + 2) % 4, -1 },
                    no_more);
    made_serve("", 0);
    made_until(all_at_rest);
    for (int a = 0; a < 4; a++)
        detector_find(&world.meta.detector, world.actors[a].name)->last = 1;
    while (alive_now() == 4)
        loop_turn(world.loop);
    ck_assert_uint_eq(alive_now(), 1);
    made_until(all_buried);
    ck_assert_uint_eq(alive_now(), 0);
}
END_TEST

/* -- When nothing is proposed -------------------------------------------------------------------
 */

static uint8_t stage_now(void)
{
    const struct cure *cure = state_cure(&world.meta.state, PID);
    return cure ? cure->stage : 0;
}

static bool stage_is_late(void)
{
    return stage_now() == 3;
}

static bool stage_is_early(void)
{
    return stage_now() < 3;
}

/* Another process in a server's place has heard of nothing: what is proposed about it does not wait
 * for its late turn. */
START_TEST(a_server_that_restarted_is_asked_at_once)
{
    made_actors(3);
    made_table(1, 1, 3);
    made_record(PID, 5, 0, no_more, no_more);
    made_serve("", 0);
    made_until(stage_is_late);
    world.actors[0].start_time = 1000;
    made_beacon(&world.actors[0]);
    made_until(stage_is_late);
    world.actors[0].start_time = 2000;
    made_beacon(&world.actors[0]);
    made_until(stage_is_early);
}
END_TEST

START_TEST(nothing_while_freezed)
{
    made_actors(3);
    made_table(1, 2, 3);
    made_record(PID, 5, 0, no_more, no_more);
    made_serve("  meta_function_level_on_start: freezed\n" OFTEN, 0);
    made_turns(300);
    ck_assert_uint_eq(seen.count, 0);
    ck_assert(!guardian_all_healthy(&world.meta));
    ck_assert_str_eq(made_level(LEVEL_STEADY), "ERR_OK");
    seen_target = 2;
    made_until(seen_enough);
}
END_TEST

/* With too few servers the level that is set does not count. */
START_TEST(nothing_with_too_few_servers)
{
    made_actors(3);
    made_table(1, 1, 3);
    made_serve("  node_live_percentage_threshold_for_update: 65\n" OFTEN, 0);
    seen.count = 0;
    made_dead(1);
    made_dead(2);
    made_turns(20);
    seen.count = 0;
    made_turns(200);
    ck_assert_int_eq(meta_level_now(&world.meta), LEVEL_FREEZED);
    ck_assert_uint_eq(seen.count, 0);
    ck_assert_ptr_nonnull(strstr(made_logged(), "too few servers"));
}
END_TEST

/* Alive because the metadata name it, of a version that is not known: a proposal in another
 * version's words would be its end. */
START_TEST(nothing_to_whom_was_not_heard_of)
{
    const struct action step = { CONFIG_ADD_SECONDARY, 0, 1 };
    made_actors(3);
    made_table(1, 1, 3);
    made_record(PID, 5, 0, no_more, no_more);
    made_serve(OFTEN, 1);
    made_turns(300);
    ck_assert_uint_eq(seen.count, 0);
    ck_assert_str_eq(made_propose(PID, &step, 1, true), "ERR_INVALID_PARAMETERS");
    ck_assert_uint_eq(seen.count, 0);
    seen_target = 1;
    made_beacon(&world.actors[0]);
    made_until(seen_enough);
}
END_TEST

/* A group that went on serving: nobody proposes anything until its primary has said what it is. */
START_TEST(nothing_until_it_is_confirmed)
{
    const struct action step = { CONFIG_ADD_SECONDARY, 0, 3 };
    struct msg_configuration_update_response response;
    made_actors(4);
    made_table(1, 1, 3);
    made_record(PID, 5, 0, (int[]){ 1, -1 }, no_more)->flags = PARTITION_UNCONFIRMED;
    made_serve(OFTEN, 0);
    made_turns(300);
    ck_assert_uint_eq(seen.count, 0);
    ck_assert(!guardian_all_healthy(&world.meta));
    ck_assert_str_eq(made_propose(PID, &step, 1, false), "ERR_INVALID_PARAMETERS");
    ck_assert_str_eq(made_propose(PID, &step, 1, true), "ERR_INVALID_PARAMETERS");
    made_turns(50);
    ck_assert_uint_eq(seen.count, 0);

    /* another primary is not believed; the own one is, with whatever it says */
    ck_assert_str_eq(
        made_update(&(struct group){ PID, CONFIG_DOWNGRADE_TO_INACTIVE, 3, 6, 2, { 1, -1 } },
                    &response),
        "ERR_INVALID_VERSION");
    ck_assert(partition_unconfirmed(made_now(PID)));
    ck_assert_str_eq(
        made_update(&(struct group){ PID, CONFIG_DOWNGRADE_TO_INACTIVE, 3, 6, 0, { 2, 1, -1 } },
                    &response),
        "ERR_OK");
    ck_assert(!partition_unconfirmed(made_now(PID)));
    ck_assert_int_eq(made_actor_of(made_now(PID)->members[0]), 2);
    ck_assert_int_eq(made_actor_of(made_now(PID)->members[1]), 1);
    ck_assert_int_eq(response.config.partition_flags, 0);
    wanted_partitions = 1;
    ck_assert(all_whole());
}
END_TEST

/* Of a table that is being dropped nothing is proposed any more, and nothing stays planned. */
START_TEST(nothing_for_a_table_on_its_way)
{
    made_actors(3);
    made_table(1, 3, 3);
    for (int32_t i = 0; i < 3; i++)
        made_record((struct gpid){ 1, i }, 5, 0, no_more, no_more);
    made_serve(OFTEN, 0);
    made_until(some_seen);
    struct br_table def = world.meta.state.cluster.tables[0].def;
    def.status = BR_TABLE_DROPPING;
    state_set_def(&world.meta.state, 0, &def);
    made_until(all_at_rest);
    expect_no_plans();
    seen.count = 0;
    made_turns(100);
    ck_assert_uint_eq(seen.count, 0);
}
END_TEST

/* -- As many at once as a server takes ----------------------------------------------------------
 */

static bool one_at_most(void)
{
    for (uint32_t i = 0; i < world.meta.state.cluster.node_count; i++)
        ck_assert_uint_le(world.meta.state.nodes[i].planned_replicas, 1);
    return all_whole();
}

START_TEST(learners_of_one_server_take_turns)
{
    seen.obey = true;
    wanted_partitions = 12;
    made_actors(3);
    made_table(1, 12, 3);
    for (int32_t i = 0; i < 12; i++)
        made_record((struct gpid){ 1, i }, 5, i % 3, no_more, no_more);
    made_serve("  add_secondary_max_count_for_one_node: 1\n", 0);
    made_until(one_at_most);
    expect_no_plans();
}
END_TEST

/* What an operator wants does not wait for its turn, and is not lost. */
START_TEST(a_plan_does_not_wait_for_its_turn)
{
    made_actors(2);
    made_table(1, 2, 2);
    made_record((struct gpid){ 1, 0 }, 5, 0, no_more, no_more);
    made_record((struct gpid){ 1, 1 }, 5, 0, no_more, no_more);
    made_serve("  add_secondary_max_count_for_one_node: 1\n", 0);
    made_until(some_seen);
    made_turns(20);
    struct gpid other = { 1, 1 - seen.list[0].pid.partition };
    ck_assert_str_eq(made_propose(other, &(struct action){ CONFIG_ADD_SECONDARY, 0, 1 }, 1, false),
                     "ERR_OK");
    seen.count = 0;
    made_turns(20);
    bool sent = false;
    for (uint32_t i = 0; i < seen.count; i++)
        sent |= seen.list[i].pid.partition == other.partition;
    ck_assert(sent);
    ck_assert_str_eq(made_propose(other, &(struct action){ CONFIG_ADD_SECONDARY, 0, 1 }, 1, false),
                     "ERR_INVALID_PARAMETERS"); /* another one is under way */
}
END_TEST

/* -- Balancing -------------------------------------------------------------------------------- */

static void serve_uneven(const char *level)
{
    struct buf extra = { 0 };
    made_actors(4);
    made_table(1, 6, 3);
    for (int32_t i = 0; i < 6; i++)
        made_record((struct gpid){ 1, i }, 5, 0, (int[]){ 1, 2, -1 }, no_more);
    buf_printf(&extra, "  meta_function_level_on_start: %s\n" OFTEN, level);
    seen.obey = true;
    wanted_partitions = 6;
    made_serve(buf_string(&extra), 0);
    buf_done(&extra);
}

static const char *operations(void)
{
    static char text[128];
    struct msg_empty_request request;
    struct msg_cluster_info_response response;
    wire_init(&wire_empty_request, &request);
    world_ask("RPC_CM_CLUSTER_INFO", &wire_empty_request, &request);
    world_decode(&wire_cluster_info_response, &response);
    const char *const *keys = response.keys.items;
    const char *const *values = response.values.items;
    text[0] = 0;
    for (uint32_t i = 0; i < response.keys.count; i++) {
        if (strcmp(keys[i], "balance_operation_count") == 0)
            snprintf(text, sizeof text, "%s", values[i]);
    }
    return text;
}

static bool is_balanced(void)
{
    for (int i = 0; i < 4; i++) {
        const struct state_node *node =
            &world.meta.state.nodes[cluster_node(&world.meta.state.cluster, world.actors[i].name)];
        if (node->primaries < 1 || node->primaries > 2 || node->partitions.count < 4
            || node->partitions.count > 5)
            return false;
    }
    return all_at_rest();
}

START_TEST(a_lively_cluster_gets_even)
{
    serve_uneven("lively");
    made_released();
    made_until(is_balanced);
    expect_no_plans();
    ck_assert(all_whole());
    made_turns(400); /* and stays so */
    ck_assert_str_eq(operations(), "move_pri=0,copy_pri=0,copy_sec=0,total=0");
    ck_assert(is_balanced());
}
END_TEST

static bool is_counted(void)
{
    return world.meta.balance.move_primary > 0;
}

START_TEST(a_steady_cluster_only_counts)
{
    serve_uneven("steady");
    made_until(is_counted);
    ck_assert_str_eq(operations(), "move_pri=4,copy_pri=1,copy_sec=0,total=5");
    made_turns(300);
    ck_assert_uint_eq(seen.count, 0);
    made_released();
    ck_assert_str_eq(made_level(LEVEL_LIVELY), "ERR_OK");
    made_until(is_balanced);
}
END_TEST

static bool is_held_back(void)
{
    return strstr(made_logged(), "the balancer would copy") != NULL;
}

/* Frozen it moves primaries, and neither copies nor closes anything; released it does. */
START_TEST(a_frozen_cluster_only_moves)
{
    serve_uneven("lively");
    made_until(is_held_back);
    made_turns(50);
    ck_assert_uint_gt(seen.count, 0);
    for (uint32_t i = 0; i < seen.count; i++)
        ck_assert(seen.list[i].type == CONFIG_DOWNGRADE_TO_SECONDARY
                  || seen.list[i].type == CONFIG_UPGRADE_TO_PRIMARY);
    made_released();
    made_until(is_balanced);
}
END_TEST

/* What is under way is finished; nothing new is begun. */
START_TEST(it_stops_when_the_level_drops)
{
    serve_uneven("lively");
    made_until(some_seen);
    ck_assert_str_eq(made_level(LEVEL_STEADY), "ERR_OK");
    made_until(all_at_rest);
    made_turns(300);
    seen.count = 0;
    made_turns(300);
    ck_assert_uint_eq(seen.count, 0);
    ck_assert(all_whole());
}
END_TEST

TCase *meta_guardian_cases(void)
{
    TCase *tcase = tcase_create("guardian");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, made_setup, made_teardown);
    tcase_add_test(tcase, a_recovered_cluster_gets_whole);
    tcase_add_test(tcase, a_secondary_takes_over_from_a_dead_primary);
    tcase_add_test(tcase, a_server_comes_back);
    tcase_add_test(tcase, a_primary_is_told_of_a_dead_secondary);
    tcase_add_test(tcase, a_dead_secondary_goes_before_a_learner);
    tcase_add_test(tcase, a_secondary_that_is_back_stays);
    tcase_add_test(tcase, a_proposal_is_sent_again);
    tcase_add_test(tcase, a_server_that_restarted_is_asked_at_once);
    tcase_add_test(tcase, servers_die_together);
    tcase_add_test(tcase, nothing_while_freezed);
    tcase_add_test(tcase, nothing_with_too_few_servers);
    tcase_add_test(tcase, nothing_until_it_is_confirmed);
    tcase_add_test(tcase, nothing_to_whom_was_not_heard_of);
    tcase_add_test(tcase, nothing_for_a_table_on_its_way);
    tcase_add_test(tcase, learners_of_one_server_take_turns);
    tcase_add_test(tcase, a_plan_does_not_wait_for_its_turn);
    tcase_add_test(tcase, a_lively_cluster_gets_even);
    tcase_add_test(tcase, a_steady_cluster_only_counts);
    tcase_add_test(tcase, a_frozen_cluster_only_moves);
    tcase_add_test(tcase, it_stops_when_the_level_drops);
    return tcase;
}
