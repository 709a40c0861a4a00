/* test_meta_sync -- config syncs, levels, proposals of an operator; see meta_update.c,
 * meta_guardian.c, meta_freeze.c and meta_learner.c for updates, for what is proposed, for what may
 * be deleted, and for who may learn.
 */
#include "t/test_meta_sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/meta/guardian.h"
#include "host/meta/partition_wire.h"

#define PID ((struct gpid){ 1, 0 })

static const int no_more[] = { -1 };

/* 1.0 on 0, 1, 2; 1.1 on 1 alone; 1.2 on nobody. */
static void serve(void)
{
    made_actors(4);
    made_table(1, 3, 3);
    made_record(PID, 5, 0, (int[]){ 1, 2, -1 }, (int[]){ 3, -1 });
    made_record((struct gpid){ 1, 1 }, 8, 1, no_more, no_more);
    made_serve("", 0);
}

static int times(const char *text, const char *what)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        count++;
    return count;
}

/* -- Config syncs ------------------------------------------------------------------------------ */

static const struct {
    const char *what;
    int actor;
    struct stored stored[3];
    uint32_t count;
    const char *err;
    uint32_t partitions;
} rows[] = {
    { "what it shall hold", 0, { { { 1, 0 }, BR_ROLE_PRIMARY, 5, 9 } }, 1, "ERR_OK", 1 },
    { "two", 1, { { { 1, 1 }, BR_ROLE_PRIMARY, 8, 9 } }, 1, "ERR_OK", 2 },
    { "nothing", 1, { { { 0, 0 }, 0, 0, 0 } }, 0, "ERR_OK", 2 },
    { "nobody's member", 3, { { { 1, 0 }, BR_ROLE_INACTIVE, 4, 9 } }, 1, "ERR_OK", 0 },
    { "removed by a higher ballot", 3, { { { 1, 0 }, BR_ROLE_SECONDARY, 4, 9 } }, 1, "ERR_OK", 0 },
    { "serves, and nobody removed it",
      3,
      { { { 1, 0 }, BR_ROLE_SECONDARY, 5, 9 } },
      1,
      "ERR_OBJECT_NOT_FOUND",
      0 },
    { "serves with a higher ballot",
      3,
      { { { 1, 0 }, BR_ROLE_PRIMARY, 99, 9 } },
      1,
      "ERR_OBJECT_NOT_FOUND",
      0 },
    { "inactive with a higher ballot",
      3,
      { { { 1, 0 }, BR_ROLE_INACTIVE, 99, 9 } },
      1,
      "ERR_OK",
      0 },
    { "a table that is not there",
      0,
      { { { 1, 0 }, BR_ROLE_PRIMARY, 5, 9 }, { { 7, 0 }, BR_ROLE_INACTIVE, 5, 9 } },
      2,
      "ERR_OBJECT_NOT_FOUND",
      0 },
    { "an index that is not there",
      0,
      { { { 1, 3 }, BR_ROLE_INACTIVE, 5, 9 } },
      1,
      "ERR_OBJECT_NOT_FOUND",
      0 },
    { "an index below 0", 0, { { { 1, -1 }, BR_ROLE_ERROR, 5, 9 } }, 1, "ERR_OBJECT_NOT_FOUND", 0 },
    { "the child of a split that was given up",
      0,
      { { { 1, 3 }, BR_ROLE_ERROR, 5, 9 } },
      1,
      "ERR_OK",
      1 },
    { "an index too high for a split's child",
      0,
      { { { 1, 6 }, BR_ROLE_ERROR, 5, 9 } },
      1,
      "ERR_OBJECT_NOT_FOUND",
      0 },
    { "the highest id there is",
      0,
      { { { INT32_MAX, INT32_MAX }, BR_ROLE_PRIMARY, INT64_MAX, INT64_MAX } },
      1,
      "ERR_OBJECT_NOT_FOUND",
      0 },
};

START_TEST(syncs_are_answered)
{
    struct msg_configuration_query_by_node_response response;
    serve();
    const char *err = made_sync(rows[_i].actor, rows[_i].stored, rows[_i].count, &response);
    ck_assert_msg(strcmp(err, rows[_i].err) == 0, "%s: %s", rows[_i].what, err);
    ck_assert_uint_eq(response.partitions.count, rows[_i].partitions);
    const struct msg_configuration_update_request *list = response.partitions.items;
    for (uint32_t i = 0; i < response.partitions.count; i++) {
        const struct partition *now = made_now(list[i].config.pid);
        ck_assert_int_eq(list[i].config.ballot, now->ballot);
        ck_assert_uint_eq(list[i].config.secondaries.count, now->secondary_count);
        ck_assert_str_eq(list[i].info.app_name, "temp");
        ck_assert_uint_eq(list[i].host_node, world.actors[rows[_i].actor].address);
    }
    ck_assert(world.meta.highest_id >= 1);
    ck_assert(world.meta.highest_id <= BR_TABLE_ID_MAX);
}
END_TEST

/* C6: said once for each server, with what to do; again when it changes, and when it is over. */
START_TEST(unknown_replicas_are_told_once)
{
    static const struct stored stored[] = { { { 7, 0 }, BR_ROLE_INACTIVE, 5, 9 },
                                            { { 7, 1 }, BR_ROLE_INACTIVE, 5, 9 } };
    struct msg_configuration_query_by_node_response response;
    serve();
    for (int i = 0; i < 3; i++)
        made_sync(0, stored, 1, &response);
    made_sync(1, stored, 1, &response);
    ck_assert_int_eq(times(made_logged(), "gpid(7.0) on node("), 2);
    ck_assert_ptr_nonnull(strstr(made_logged(), "recover_from_replica_server"));
    ck_assert_ptr_nonnull(meta_create_wrong(&world.meta));
    ck_assert_int_eq(world.meta.highest_id, 7);
    made_sync(0, stored, 2, &response);
    ck_assert_int_eq(times(made_logged(), "gpid(7.0) on node("), 3);
    made_sync(0, stored, 0, &response);
    made_sync(1, stored, 0, &response);
    ck_assert_str_eq(response.err, "ERR_OK");
    ck_assert_int_eq(times(made_logged(), "holds no unknown replicas any more"), 2);
    ck_assert_ptr_null(meta_create_wrong(&world.meta));
}
END_TEST

START_TEST(strays_are_told_once)
{
    static const struct stored stored[] = { { { 1, 0 }, BR_ROLE_SECONDARY, 5, 9 } };
    struct msg_configuration_query_by_node_response response;
    serve();
    for (int i = 0; i < 3; i++)
        made_sync(3, stored, 1, &response);
    ck_assert_int_eq(times(made_logged(), "does another meta server lead"), 1);
    made_sync(3, stored, 0, &response);
    ck_assert_int_eq(times(made_logged(), "agrees with the metadata again"), 1);
}
END_TEST

/* Who has not beaconed is told nothing, whatever it says. */
START_TEST(a_stranger_is_told_nothing)
{
    struct msg_configuration_query_by_node_response response;
    made_actors(2);
    made_table(1, 1, 1);
    made_record(PID, 5, 0, no_more, no_more);
    made_serve("", 2);
    ck_assert_str_eq(made_sync(1, NULL, 0, &response), "ERR_OBJECT_NOT_FOUND");
    made_beacon(&world.actors[1]);
    ck_assert_str_eq(made_sync(1, NULL, 0, &response), "ERR_OK");
    made_dead(0);
    ck_assert_str_eq(made_sync(0, NULL, 0, &response), "ERR_OBJECT_NOT_FOUND");
}
END_TEST

START_TEST(a_sync_of_nobody)
{
    struct msg_configuration_query_by_node_request request;
    struct msg_configuration_query_by_node_response response;
    serve();
    uint32_t nodes = world.meta.state.cluster.node_count;
    wire_init(&wire_configuration_query_by_node_request, &request);
    world_ask("RPC_CM_CONFIG_SYNC", &wire_configuration_query_by_node_request, &request);
    world_decode(&wire_configuration_query_by_node_response, &response);
    ck_assert_str_eq(response.err, "ERR_OBJECT_NOT_FOUND");
    ck_assert_uint_eq(world.meta.state.cluster.node_count, nodes);
}
END_TEST

/* -- What it tells is used --------------------------------------------------------------------- */

static struct msg_ddd_diagnose_response ddd(int32_t table, int32_t partition)
{
    struct msg_ddd_diagnose_request request;
    struct msg_ddd_diagnose_response response;
    wire_init(&wire_ddd_diagnose_request, &request);
    request.pid = (struct gpid){ table, partition };
    world_ask("RPC_CM_DDD_DIAGNOSE", &wire_ddd_diagnose_request, &request);
    world_decode(&wire_ddd_diagnose_response, &response);
    return response;
}

static bool chosen(void)
{
    return seen.count > 0;
}

static void serve_gone(void)
{
    made_actors(3);
    made_table(1, 1, 3);
    made_record(PID, 5, -1, no_more, (int[]){ 0, 1, -1 });
    made_serve("", 0);
    made_turns(20);
    ck_assert_uint_eq(seen.count, 0);
}

/* Of the last two the better one serves, once both have told. */
START_TEST(the_last_two_tell)
{
    static const struct stored stored[] = { { { 1, 0 }, BR_ROLE_INACTIVE, 5, 9 },
                                            { { 1, 0 }, BR_ROLE_INACTIVE, 5, 8 } };
    struct msg_configuration_query_by_node_response response;
    serve_gone();
    struct msg_ddd_diagnose_response diagnosis = ddd(-1, -1);
    ck_assert_uint_eq(diagnosis.partitions.count, 1);
    const struct msg_ddd_partition_info *info = diagnosis.partitions.items;
    ck_assert_ptr_nonnull(strstr(info->reason, "has not been collected"));
    ck_assert_uint_eq(info->dropped.count, 2);
    ck_assert_str_eq(made_sync(0, &stored[0], 1, &response), "ERR_OK");
    made_turns(20);
    ck_assert_uint_eq(seen.count, 0);
    ck_assert_str_eq(made_sync(1, &stored[1], 1, &response), "ERR_OK");
    made_until(chosen);
    ck_assert_int_eq(seen.list[0].type, CONFIG_ASSIGN_PRIMARY);
    ck_assert_int_eq(seen.list[0].to, 0);
    ck_assert_uint_eq(ddd(-1, -1).partitions.count, 0);
}
END_TEST

/* A server that also holds what nobody knows is told nothing; what it holds of ours is believed. */
START_TEST(what_is_told_beside_unknown_replicas_counts)
{
    static const struct stored better[] = { { { 1, 0 }, BR_ROLE_INACTIVE, 6, 99 },
                                            { { 7, 0 }, BR_ROLE_INACTIVE, 5, 9 } };
    static const struct stored worse = { { 1, 0 }, BR_ROLE_INACTIVE, 5, 9 };
    struct msg_configuration_query_by_node_response response;
    serve_gone();
    ck_assert_str_eq(made_sync(0, better, 2, &response), "ERR_OBJECT_NOT_FOUND");
    ck_assert_str_eq(made_sync(1, &worse, 1, &response), "ERR_OK");
    made_until(chosen);
    ck_assert_int_eq(seen.list[0].to, 0);
}
END_TEST

static const struct {
    int32_t table, partition;
    const char *err;
    uint32_t count;
} asked[] = {
    { -1, -1, "ERR_OK", 1 },
    { 1, -1, "ERR_OK", 1 },
    { 1, 0, "ERR_OK", 1 },
    { 1, 5, "ERR_OK", 0 },
    { 2, -1, "ERR_APP_NOT_EXIST", 0 },
};

START_TEST(partitions_without_a_primary_are_told)
{
    serve_gone();
    struct msg_ddd_diagnose_response diagnosis = ddd(asked[_i].table, asked[_i].partition);
    ck_assert_str_eq(diagnosis.err, asked[_i].err);
    ck_assert_uint_eq(diagnosis.partitions.count, asked[_i].count);
}
END_TEST

/* -- Levels ----------------------------------------------------------------------------------- */

START_TEST(levels_are_set)
{
    static const struct {
        int32_t level;
        const char *err;
        int32_t then;
    } levels[] = {
        { LEVEL_BLIND, "ERR_OK", LEVEL_BLIND },
        { LEVEL_LIVELY, "ERR_OK", LEVEL_LIVELY },
        { LEVEL_INVALID, "ERR_OK", LEVEL_LIVELY }, /* asks only */
        { 0, "ERR_INVALID_PARAMETERS", LEVEL_LIVELY },
        { 450, "ERR_INVALID_PARAMETERS", LEVEL_LIVELY },
        { INT32_MIN, "ERR_INVALID_PARAMETERS", LEVEL_LIVELY },
        { LEVEL_STOPPED, "ERR_OK", LEVEL_STOPPED },
    };
    serve();
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        ck_assert_str_eq(made_level(levels[i].level), levels[i].err);
        ck_assert_int_eq(world.meta.level, levels[i].then);
    }
}
END_TEST

/* -- Proposals -------------------------------------------------------------------------------- */

static const struct {
    const char *what;
    struct gpid pid;
    struct action steps[5];
    uint32_t count;
    const char *err;
} proposals[] = {
    { "a new member", { 1, 0 }, { { CONFIG_ADD_SECONDARY_FOR_LB, 0, 3 } }, 1, "ERR_OK" },
    { "its target left out", { 1, 0 }, { { CONFIG_ADD_SECONDARY_FOR_LB, -1, 3 } }, 1, "ERR_OK" },
    { "somebody leaves", { 1, 0 }, { { CONFIG_REMOVE, 0, 2 } }, 1, "ERR_OK" },
    { "another primary",
      { 1, 0 },
      { { CONFIG_DOWNGRADE_TO_SECONDARY, 0, 0 }, { CONFIG_UPGRADE_TO_PRIMARY, 1, 1 } },
      2,
      "ERR_OK" },
    { "nothing", { 1, 0 }, { { 0, 0, 0 } }, 0, "ERR_INVALID_PARAMETERS" },
    { "too much",
      { 1, 0 },
      { { CONFIG_REMOVE, 0, 2 },
        { CONFIG_REMOVE, 0, 2 },
        { CONFIG_REMOVE, 0, 2 },
        { CONFIG_REMOVE, 0, 2 },
        { CONFIG_REMOVE, 0, 2 } },
      5,
      "ERR_INVALID_PARAMETERS" },
    { "about nobody", { 1, 0 }, { { CONFIG_REMOVE, 0, -1 } }, 1, "ERR_INVALID_PARAMETERS" },
    { "no primary to ask", { 1, 2 }, { { CONFIG_REMOVE, -1, 0 } }, 1, "ERR_INVALID_PARAMETERS" },
    { "a member again", { 1, 0 }, { { CONFIG_ADD_SECONDARY, 0, 1 } }, 1, "ERR_INVALID_PARAMETERS" },
    { "not the primary", { 1, 0 }, { { CONFIG_REMOVE, 1, 2 } }, 1, "ERR_INVALID_PARAMETERS" },
    { "a learner's type",
      { 1, 0 },
      { { CONFIG_UPGRADE_TO_SECONDARY, 0, 3 } },
      1,
      "ERR_INVALID_PARAMETERS" },
    { "no type", { 1, 0 }, { { 99, 0, 3 } }, 1, "ERR_INVALID_PARAMETERS" },
    { "no such table", { 5, 0 }, { { CONFIG_REMOVE, 0, 2 } }, 1, "ERR_APP_NOT_EXIST" },
    { "no such partition", { 1, 9 }, { { CONFIG_REMOVE, 0, 2 } }, 1, "ERR_INVALID_PARAMETERS" },
};

START_TEST(an_operator_proposes)
{
    serve();
    made_turns(10);
    const char *err =
        made_propose(proposals[_i].pid, proposals[_i].steps, proposals[_i].count, false);
    ck_assert_msg(strcmp(err, proposals[_i].err) == 0, "%s: %s", proposals[_i].what, err);
    made_turns(10);
    bool sent = false;
    for (uint32_t i = 0; i < seen.count; i++)
        sent |=
            seen.list[i].pid.partition == 0; /* 1.0 is whole: the guardian wants nothing of it */
    ck_assert_int_eq(sent, strcmp(err, "ERR_OK") == 0);
}
END_TEST

static bool is_moved(void)
{
    return made_primary(PID) == 1 && guardian_all_healthy(&world.meta);
}

START_TEST(steps_are_done_one_after_the_other)
{
    static const struct action steps[] = { { CONFIG_DOWNGRADE_TO_SECONDARY, 0, 0 },
                                           { CONFIG_UPGRADE_TO_PRIMARY, 1, 1 } };
    made_actors(3);
    made_table(1, 1, 3);
    made_record(PID, 5, 0, (int[]){ 1, 2, -1 }, no_more);
    made_serve("  lb_interval: 100ms\n", 0);
    seen.obey = true;
    ck_assert_str_eq(made_propose(PID, steps, 2, false), "ERR_OK");
    made_until(is_moved);
    ck_assert_int_eq(made_now(PID)->ballot, 7);
    ck_assert_int_eq(made_now(PID)->secondary_count, 2);
}
END_TEST

/* Forced, it goes out as it is. */
START_TEST(a_forced_proposal_is_not_judged)
{
    serve();
    made_told(); /* but for what the learner would delete, see meta_learner.c */
    made_turns(10);
    seen.count = 0;
    ck_assert_str_eq(made_propose(PID, &(struct action){ CONFIG_ADD_SECONDARY, 1, 2 }, 1, true),
                     "ERR_OK");
    made_turns(10);
    bool sent = false;
    for (uint32_t i = 0; i < seen.count; i++)
        sent |= seen.list[i].pid.partition == 0 && seen.list[i].to == 1 && seen.list[i].node == 2;
    ck_assert(sent);
}
END_TEST

/* -- Byte for byte, as 2.5.0 ------------------------------------------------------------------- */

static void read_body(const char *name, struct buf *ret)
{
    struct buf file = { 0 };
    const char *path = test_reference(name);
    ck_assert_msg(test_read(path, &file), "%s", path);
    ck_assert_uint_gt(file.size, 192);
    buf_put(ret, file.data + 192, file.size - 192);
    buf_done(&file);
}

/* The cluster that a captured configuration stands in: its servers take the actors' places. */
static uint64_t translate(uint64_t address, bool back)
{
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t real = address_make(0x7f000001, (uint16_t) (34801 + i));
        if (!back && address == real)
            return world.actors[i].address;
        if (back && address == world.actors[i].address)
            return real;
    }
    return address;
}

static void translate_list(struct wire_list *list, bool back)
{
    uint64_t *items = list->items;
    for (uint32_t i = 0; i < list->count; i++)
        items[i] = translate(items[i], back);
}

static void translate_request(struct msg_configuration_update_request *request, bool back)
{
    request->config.primary = translate(request->config.primary, back);
    translate_list(&request->config.secondaries, back);
    translate_list(&request->config.last_drops, back);
    request->node = translate(request->node, back);
    request->host_node = translate(request->host_node, back);
}

/* Its record and its table's definition are put into the state. */
static void adopt(const struct msg_configuration_update_request *request)
{
    struct state *state = &world.meta.state;
    int32_t members[STATE_MEMBERS_MAX];
    struct partition next;
    ck_assert_ptr_null(partition_from_wire(state, &request->config, members, &next));
    state_set_partition(state, request->config.pid, &next);
    struct br_table def = state->cluster.tables[0].def;
    def.create_second = request->info.create_second;
    state_set_def(state, 0, &def);
}

static const char *const captured[] = {
    "golden/rpc/RPC_CONFIG_PROPOSAL/req_00__B_00125.bin",
    "golden/rpc/RPC_CONFIG_PROPOSAL/req_01__A_00048.bin",
};

static void serve_captured(void)
{
    made_actors(3);
    made_table(1, 8, 3);
    made_serve("  meta_function_level_on_start: freezed\n", 0);
}

START_TEST(proposals_as_captured)
{
    struct msg_configuration_update_request request;
    struct arena arena;
    struct fail fail;
    struct buf want = { 0 };
    struct buf got = { 0 };
    if (!test_reference(captured[_i]))
        return;
    arena_init(&arena, 0);
    serve_captured();
    read_body(captured[_i], &want);
    ck_assert_int_eq(wire_decode(&wire_configuration_update_request, buf_bytes(&want),
                                 wire_arena(&arena), &request, &fail),
                     BR_OK);
    translate_request(&request, false);
    adopt(&request);
    struct action action = { request.type, 0, 0 };
    action.node = node_from_wire(&world.meta.state, NULL, request.node);
    action.target = request.config.primary ? made_now(request.config.pid)->primary : action.node;
    made_told();
    ck_assert_ptr_null(guardian_send(&world.meta, request.config.pid, &action));
    made_until(chosen);
    ck_assert_int_eq(seen.thread_hash,
                     request.config.pid.app_id * 7919 + request.config.pid.partition);
    ck_assert_int_eq(wire_decode(&wire_configuration_update_request, buf_bytes(&seen.body),
                                 wire_arena(&arena), &request, &fail),
                     BR_OK);
    translate_request(&request, true);
    wire_encode(&wire_configuration_update_request, &request, WIRE_PEER_26, &got);
    ck_assert_uint_eq(got.size, want.size);
    ck_assert_mem_eq(got.data, want.data, want.size);
    buf_done(&want);
    buf_done(&got);
    arena_done(&arena);
}
END_TEST

static int by_partition(const void *a, const void *b)
{
    const struct msg_configuration_update_request *x = a;
    const struct msg_configuration_update_request *y = b;
    return x->config.pid.partition - y->config.pid.partition;
}

static const char *const syncs[] = {
    "golden/rpc/RPC_CM_CONFIG_SYNC/resp_07__C2_00093.bin",
    "golden/rpc/RPC_CM_CONFIG_SYNC/resp_01__B_00119.bin",
    "golden/rpc/RPC_CM_CONFIG_SYNC/resp_03__A_00519.bin",
};

START_TEST(syncs_as_captured)
{
    struct msg_configuration_query_by_node_response response;
    struct msg_configuration_query_by_node_response answer;
    struct arena arena;
    struct fail fail;
    struct buf want = { 0 };
    struct buf got = { 0 };
    if (!test_reference(syncs[_i]))
        return;
    arena_init(&arena, 0);
    serve_captured();
    read_body(syncs[_i], &want);
    ck_assert_int_eq(wire_decode(&wire_configuration_query_by_node_response, buf_bytes(&want),
                                 wire_arena(&arena), &response, &fail),
                     BR_OK);
    struct msg_configuration_update_request *list = response.partitions.items;
    ck_assert_uint_gt(response.partitions.count, 0);
    int actor = -1;
    for (uint32_t i = 0; i < response.partitions.count; i++) {
        translate_request(&list[i], false);
        adopt(&list[i]);
        for (int a = 0; a < 3; a++)
            actor = list[i].host_node == world.actors[a].address ? a : actor;
    }
    ck_assert_str_eq(made_sync(actor, NULL, 0, &answer), "ERR_OK");
    ck_assert_uint_eq(answer.partitions.count, response.partitions.count);
    /* theirs is in the order of gpids, ours in nobody's: replica servers look each up */
    list = answer.partitions.items;
    qsort(list, answer.partitions.count, sizeof *list, by_partition);
    for (uint32_t i = 0; i < answer.partitions.count; i++)
        translate_request(&list[i], true);
    wire_encode(&wire_configuration_query_by_node_response, &answer, WIRE_PEER_26, &got);
    ck_assert_uint_eq(got.size, want.size);
    ck_assert_mem_eq(got.data, want.data, want.size);
    buf_done(&want);
    buf_done(&got);
    arena_done(&arena);
}
END_TEST

static TCase *sync_cases(void)
{
    TCase *tcase = tcase_create("sync");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, made_setup, made_teardown);
    tcase_add_loop_test(tcase, syncs_are_answered, 0, sizeof rows / sizeof *rows);
    tcase_add_test(tcase, unknown_replicas_are_told_once);
    tcase_add_test(tcase, strays_are_told_once);
    tcase_add_test(tcase, a_stranger_is_told_nothing);
    tcase_add_test(tcase, a_sync_of_nobody);
    tcase_add_test(tcase, the_last_two_tell);
    tcase_add_test(tcase, what_is_told_beside_unknown_replicas_counts);
    tcase_add_loop_test(tcase, syncs_as_captured, 0, sizeof syncs / sizeof *syncs);
    return tcase;
}

static TCase *operator_cases(void)
{
    TCase *tcase = tcase_create("operator");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, made_setup, made_teardown);
    tcase_add_loop_test(tcase, partitions_without_a_primary_are_told, 0,
                        sizeof asked / sizeof *asked);
    tcase_add_test(tcase, levels_are_set);
    tcase_add_loop_test(tcase, an_operator_proposes, 0, sizeof proposals / sizeof *proposals);
    tcase_add_test(tcase, steps_are_done_one_after_the_other);
    tcase_add_test(tcase, a_forced_proposal_is_not_judged);
    tcase_add_loop_test(tcase, proposals_as_captured, 0, sizeof captured / sizeof *captured);
    return tcase;
}

int main(void)
{
    return test_run("meta_sync", sync_cases(), operator_cases(), meta_update_cases(),
                    meta_guardian_cases(), meta_freeze_cases(), meta_learner_cases(), NULL);
}
