/* test_ddl_fail -- operations of several groups, several at once, and with a store that fails. */
#include <stdio.h>
#include <string.h>

#include "host/meta/change.h"
#include "host/meta/ddl_run.h"
#include "t/test_ddl.h"

#define BIG 10 /* partitions of a table that needs several groups */

static const struct br_table *def_of(int32_t id)
{
    return &cluster_table(&world.meta.state.cluster, id)->def;
}

static void send_create(struct ticket *ticket, const char *name, int32_t partitions)
{
    struct msg_create_app_request request;
    ask_create_fill(&request, name, partitions, 1);
    ask_send(ticket, "RPC_CM_CREATE_APP", &wire_create_app_request, &request);
}

static void send_drop(struct ticket *ticket, const char *name)
{
    struct msg_drop_app_request request;
    wire_init(&wire_drop_app_request, &request);
    request.app_name = name;
    ask_send(ticket, "RPC_CM_DROP_APP", &wire_drop_app_request, &request);
}

static void send_rename(struct ticket *ticket, const char *name, const char *to)
{
    struct msg_rename_app_request request;
    wire_init(&wire_rename_app_request, &request);
    request.old_app_name = name;
    request.new_app_name = to;
    ask_send(ticket, "RPC_CM_RENAME_APP", &wire_rename_app_request, &request);
}

static void send_env(struct ticket *ticket, const char *name)
{
    struct msg_update_app_env_request request;
    const char *key = "business.info";
    const char *value = "x";
    wire_init(&wire_update_app_env_request, &request);
    request.app_name = name;
    request.op = 1;
    request.keys = (struct wire_list){ .items = &key, .count = 1 };
    request.values = (struct wire_list){ .items = &value, .count = 1 };
    WIRE_SET(&request, 3);
    WIRE_SET(&request, 4);
    ask_send(ticket, "RPC_CM_UPDATE_APP_ENV", &wire_update_app_env_request, &request);
}

static void until_commits(uint32_t count)
{
    while (fault_commits < count)
        loop_turn(world.loop);
}

static void expect_all(bool dropped)
{
    for (int32_t i = 0; i < BIG; i++) {
        char path[32];
        char want[256];
        snprintf(path, sizeof path, "apps/1/%d", i);
        snprintf(want, sizeof want,
                 "{\"pid\":\"1.%d\",\"ballot\":%d,\"max_replica_count\":1,\"primary\":\"invalid "
                 "address\",\"secondaries\":[],\"last_drops\":[],\"last_committed_decree\":0,"
                 "\"partition_flags\":%d}",
                 i, dropped, dropped);
        ck_assert_str_eq(stored(path), want);
    }
}

/* -- Several groups --------------------------------------------------------------------------- */

/* A commit takes the fence and three writes: the table goes with two partitions, and nothing
 * further before that is told. */
START_TEST(a_table_of_several_groups)
{
    struct ticket ticket;
    tables_serve("", 1);
    world.store.ops.store.batch_ops_max = 4;
    world.meta.level = LEVEL_STEADY;
    fault_set(FAULT_HANG, 1, 1); /* the second: the first is the root's */
    send_create(&ticket, "a", BIG);
    until_commits(2);
    for (int i = 0; i < 3; i++)
        loop_turn(world.loop);
    ck_assert_uint_eq(fault_commits, 2);
    ck_assert_uint_eq(fault_writes[1], 4);
    ck_assert_ptr_null(stored("apps/1"));
    ck_assert_int_eq(def_of(1)->status, BR_TABLE_CREATING);
    fault_release();
    world_until(&ticket.done);
    ck_assert_str_eq(ticket.err, "ERR_OK");
    ck_assert_uint_eq(fault_commits, 5); /* 2 + 3 + 3 + 2 partitions */
    expect_all(false);
    world.meta.level = LEVEL_FREEZED; /* nothing is assigned */
    ck_assert_str_eq(ask_drop("a", false, 0), "ERR_OK");
    expect_all(true);
    ck_assert_str_eq(ask_recall(1, ""), "ERR_OK");
    ck_assert_int_eq(def_of(1)->status, BR_TABLE_AVAILABLE);
}
END_TEST

/* More groups than are issued at once (DDL_FLIGHT_MAX). */
START_TEST(a_table_of_very_many_groups)
{
    const int32_t count = 3 * (DDL_FLIGHT_MAX + 4);
    tables_serve("", 1);
    world.store.ops.store.batch_ops_max = 4;
    fault_set(FAULT_UNAVAILABLE, 0, 0);
    ck_assert_str_eq(ask_create("a", count, 1), "ERR_OK");
    ck_assert_uint_ge(fault_commits, DDL_FLIGHT_MAX + 4);
    for (int32_t i = 0; i < count; i++) {
        char path[32];
        snprintf(path, sizeof path, "apps/1/%d", i);
        ck_assert_ptr_nonnull(stored(path));
    }
    ck_assert_str_eq(ask_drop("a", false, 0), "ERR_OK");
}
END_TEST

/* -- Faults ----------------------------------------------------------------------------------- */

static const enum fault faults[] = { FAULT_UNAVAILABLE, FAULT_ANSWER_LOST, FAULT_REFUSED };

/* Every commit of a create, a drop and a recall in turn goes wrong, once in each way. */
START_TEST(what_fails_is_tried_again)
{
    uint32_t at = (uint32_t) _i / 3;
    enum fault fault = faults[_i % 3];
    tables_serve("", 1);
    world.store.ops.store.batch_ops_max = 6;
    fault_set(fault, at, 1);
    ck_assert_str_eq(ask_create("a", BIG, 1), "ERR_OK");
    ck_assert_uint_gt(fault_commits, at);
    expect_all(false);
    world.meta.level = LEVEL_FREEZED;
    fault_set(fault, at, 1);
    ck_assert_str_eq(ask_drop("a", false, 0), "ERR_OK");
    expect_all(true);
    fault_set(fault, at, 1);
    ck_assert_str_eq(ask_recall(1, "b"), "ERR_OK");
    ck_assert_str_eq(def_of(1)->name, "b");
    ck_assert_ptr_nonnull(strstr(stored("apps/1/9"), "\"partition_flags\":0"));
}
END_TEST

static void ignored(void *arg, struct call_answer *answer)
{
    bool *done = arg;
    ck_assert_int_eq(answer->status, BR_OK);
    *done = true;
}

/* The leader lock is lost between two groups of a create. */
static void lose_the_lock(void)
{
    struct br_write write = { .kind = BR_DELETE, .version = BR_ANY_VERSION };
    const struct br_write *writes[] = { &write };
    char fence[256];
    bool done = false;
    snprintf(fence, sizeof fence, "%s", world.meta.fence);
    write.path = fence;
    store_commit(&world.store, writes, 1, NULL, 0, ignored, &done);
    world_until(&done);
}

START_TEST(a_lock_lost_in_the_middle)
{
    struct ticket ticket;
    tables_serve("", 1);
    world.store.ops.store.batch_ops_max = 4;
    fault_set(FAULT_HANG, 2, 1);
    send_create(&ticket, "a", BIG);
    until_commits(3); /* the root, the table with two partitions, three more: hangs */
    lose_the_lock();
    fault_release();
    while (world.meta.state_now == META_SERVING)
        loop_turn(world.loop);
    world_wait_state(META_SERVING);
    ck_assert(!ticket.done || strcmp(ticket.err, "ERR_OK") != 0);
    ck_assert_uint_eq(world.meta.state.cluster.table_count, 1);
    ck_assert_ptr_nonnull(stored("apps/1/1"));
    while (def_of(1)->status != BR_TABLE_CREATING) /* the next leader finishes it */
        loop_turn(world.loop);
    while (def_of(1)->status != BR_TABLE_AVAILABLE)
        loop_turn(world.loop);
    ck_assert_str_eq(ask_create("b", 1, 1), "ERR_OK");
    ck_assert_int_eq(said.id, 2);
    expect_all(false);
}
END_TEST

/* -- Several at once -------------------------------------------------------------------------- */

START_TEST(a_table_under_way_is_busy)
{
    struct ticket ticket;
    tables_serve("", 1);
    fault_set(FAULT_HANG, 1, 1);
    send_create(&ticket, "a", 1);
    until_commits(2);
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_BUSY_CREATING");
    ck_assert_str_eq(ask_drop("a", false, 0), "ERR_BUSY_CREATING");
    ck_assert_str_eq(ask_rename("a", "b"), "ERR_BUSY_CREATING");
    ck_assert_str_eq(said.hint, "ERROR: app(a) status can't execute rename.");
    ck_assert_str_eq(ask_recall(1, ""), "ERR_BUSY_CREATING");
    ck_assert_str_eq(ask_count("a", 1), "ERR_INVALID_STATE");
    fault_release();
    world_until(&ticket.done);
    ck_assert_str_eq(ticket.err, "ERR_OK");

    fault_set(FAULT_HANG, 0, 1);
    send_drop(&ticket, "a");
    until_commits(1);
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_BUSY_DROPPING");
    ck_assert_str_eq(ask_drop("a", true, 0), "ERR_BUSY_DROPPING");
    ck_assert_str_eq(ask_rename("a", "b"), "ERR_BUSY_DROPPING");
    ck_assert_str_eq(ask_recall(1, ""), "ERR_BUSY_DROPPING");
    ck_assert_str_eq(ask_env("a", 3, NULL, NULL, 0, ""), "ERR_BUSY_DROPPING");
    ck_assert_str_eq(said.hint, "app is being dropped");
    ck_assert_str_eq(ask_count("a", 2), "ERR_INVALID_STATE");
    fault_release();
    world_until(&ticket.done);
    ck_assert_str_eq(ticket.err, "ERR_OK");
}
END_TEST

/* What comes meanwhile waits, and is checked again when its turn has come. */
START_TEST(one_after_the_other)
{
    struct ticket tickets[5];
    tables_serve("", 1);
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_OK");
    fault_set(FAULT_HANG, 0, 1);
    send_rename(&tickets[0], "a", "b");
    until_commits(1);
    send_rename(&tickets[1], "a", "c");
    send_drop(&tickets[2], "a");
    send_create(&tickets[3], "b", 1); /* the name is about to be taken */
    world_until(&tickets[3].done);
    ck_assert_str_eq(tickets[3].err, "ERR_APP_EXIST");
    ck_assert(!tickets[0].done && !tickets[1].done && !tickets[2].done);
    fault_release();
    world_until(&tickets[2].done);
    ck_assert_str_eq(tickets[0].err, "ERR_OK");
    ck_assert_str_eq(tickets[1].err, "ERR_APP_NOT_EXIST");
    ck_assert_str_eq(tickets[2].err, "ERR_APP_NOT_EXIST");

    fault_set(FAULT_HANG, 0, 1);
    send_rename(&tickets[0], "b", "a");
    until_commits(1);
    send_create(&tickets[1], "c", 1);
    world_until(&tickets[1].done); /* another table waits for nothing but the store */
    ck_assert_str_eq(tickets[1].err, "ERR_OK");
    fault_release();
    world_until(&tickets[0].done);
    ck_assert_str_eq(tickets[0].err, "ERR_OK");
}
END_TEST

/* A partition's change that is being written comes first; no other does any more. */
START_TEST(a_drop_waits_for_a_partitions_change)
{
    struct gpid pid = { 1, 0 };
    struct ticket ticket;
    tables_serve("", 1);
    ck_assert_str_eq(ask_create("a", 2, 1), "ERR_OK");
    world.meta.level = LEVEL_FREEZED;
    struct partition next = *state_partition(&world.meta.state, pid);
    next.primary = 0;
    state_set_partition(&world.meta.state, pid, &next);
    fault_set(FAULT_HANG, 0, 1);
    change_drop_primary(&world.meta, pid);
    until_commits(1);
    send_drop(&ticket, "a");
    while (def_of(1)->status != BR_TABLE_DROPPING)
        loop_turn(world.loop);
    for (int i = 0; i < 3; i++)
        loop_turn(world.loop);
    ck_assert_uint_eq(fault_commits, 1);
    fault_release();
    world_until(&ticket.done);
    ck_assert_str_eq(ticket.err, "ERR_OK");
    ck_assert_uint_eq(fault_commits, 2);
    char want[512];
    snprintf(want, sizeof want,
             "{\"pid\":\"1.0\",\"ballot\":2,\"max_replica_count\":1,\"primary\":\"invalid "
             "address\",\"secondaries\":[],\"last_drops\":[\"%s\"],\"last_committed_decree\":0,"
             "\"partition_flags\":1}",
             world.actors[0].name);
    ck_assert_str_eq(stored("apps/1/0"), want);
}
END_TEST

/* -- Repairs ---------------------------------------------------------------------------------- */

static void set_flags(int32_t id, int32_t index, uint32_t flags)
{
    struct gpid pid = { id, index };
    struct partition next = *state_partition(&world.meta.state, pid);
    next.flags = flags;
    state_set_partition(&world.meta.state, pid, &next);
}

START_TEST(what_was_left_half_done_is_finished)
{
    struct ticket ticket;
    tables_serve("", 1);
    ck_assert_str_eq(ask_create("a", 3, 1), "ERR_OK");
    ck_assert_str_eq(ask_create("b", 3, 1), "ERR_OK");
    world.meta.level = LEVEL_FREEZED;
    ck_assert_str_eq(ask_drop("b", false, 0), "ERR_OK");
    set_flags(1, 1, PARTITION_DROPPED);
    set_flags(2, 0, 0);
    set_flags(2, 2, 0);
    fault_set(FAULT_HANG, 0, 1);
    ddl_repair(&world.meta, (struct gpid){ 1, 1 }, REPAIR_RECALL);
    ddl_repair(&world.meta, (struct gpid){ 2, 0 }, REPAIR_DROP);
    ddl_repair(&world.meta, (struct gpid){ 2, 2 }, REPAIR_DROP);
    until_commits(1);
    ck_assert_str_eq(ask_drop("a", false, 0), "ERR_BUSY_CREATING");
    ck_assert_str_eq(ask_recall(2, ""), "ERR_BUSY_DROPPING");
    send_env(&ticket, "a"); /* behind it */
    for (int i = 0; i < 3; i++)
        loop_turn(world.loop);
    ck_assert(!ticket.done);
    fault_release();
    world_until(&ticket.done);
    ck_assert_str_eq(ticket.err, "ERR_OK");
    ck_assert_uint_eq(fault_commits, 2); /* all repairs in one; the environment */
    ck_assert_ptr_nonnull(strstr(stored("apps/1"), "\"business.info\":\"x\""));
    ck_assert_str_eq(ask_drop("a", false, 0), "ERR_OK");
    ck_assert_int_eq(def_of(2)->status, BR_TABLE_DROPPED);
    ck_assert_ptr_nonnull(strstr(stored("apps/1/1"), "\"ballot\":1,"));
    ck_assert_ptr_nonnull(strstr(stored("apps/2/0"), "\"ballot\":2,"));
    ck_assert_ptr_nonnull(strstr(stored("apps/2/1"), "\"ballot\":1,"));
    ck_assert_ptr_nonnull(strstr(stored("apps/2/2"), "\"ballot\":2,"));
    ck_assert_ptr_nonnull(strstr(stored("apps/2/2"), "\"partition_flags\":1}"));
}
END_TEST

TCase *ddl_fail_cases(void)
{
    TCase *tcase = tcase_create("fail");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, tables_setup, world_teardown);
    tcase_add_test(tcase, a_table_of_several_groups);
    tcase_add_test(tcase, a_table_of_very_many_groups);
    tcase_add_loop_test(tcase, what_fails_is_tried_again, 0, 9);
    tcase_add_test(tcase, a_lock_lost_in_the_middle);
    tcase_add_test(tcase, a_table_under_way_is_busy);
    tcase_add_test(tcase, one_after_the_other);
    tcase_add_test(tcase, a_drop_waits_for_a_partitions_change);
    tcase_add_test(tcase, what_was_left_half_done_is_finished);
    return tcase;
}
