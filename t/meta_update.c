/* meta_update -- configuration updates: what is taken, what is refused, and what stands in the
 * store afterwards (src/meta/server_state.cpp: on_update_configuration).
 */
#include "t/test_meta_sync.h"

#include <string.h>

#define PID ((struct gpid){ 1, 0 })

static const int no_more[] = { -1 };

/* Four replica servers; 1.0 has primary 0, secondaries 1 and 2, ballot 5; 1.1 has no primary, but
 * secondaries 1 and 2, ballot 7; 1.2 has nobody, ballot 0. */
static void serve(void)
{
    made_actors(4);
    made_table(1, 3, 3);
    made_record(PID, 5, 0, (int[]){ 1, 2, -1 }, no_more);
    made_record((struct gpid){ 1, 1 }, 7, -1, (int[]){ 1, 2, -1 }, (int[]){ 3, -1 });
    made_serve("", 0);
}

static const struct {
    const char *what;
    struct group group;
    const char *err;
} rows[] = {
    { "a secondary leaves",
      { { 1, 0 }, CONFIG_DOWNGRADE_TO_INACTIVE, 2, 6, 0, { 1, -1 } },
      "ERR_OK" },
    { "a secondary is removed", { { 1, 0 }, CONFIG_REMOVE, 1, 6, 0, { 2, -1 } }, "ERR_OK" },
    { "a learner joins",
      { { 1, 0 }, CONFIG_UPGRADE_TO_SECONDARY, 3, 6, 0, { 1, 2, 3, -1 } },
      "ERR_OK" },
    { "in another order",
      { { 1, 0 }, CONFIG_UPGRADE_TO_SECONDARY, 3, 6, 0, { 3, 2, 1, -1 } },
      "ERR_OK" },
    { "the primary steps down",
      { { 1, 0 }, CONFIG_DOWNGRADE_TO_SECONDARY, 0, 6, -1, { 1, 2, 0, -1 } },
      "ERR_OK" },
    { "the primary leaves",
      { { 1, 0 }, CONFIG_DOWNGRADE_TO_INACTIVE, 0, 6, -1, { 1, 2, -1 } },
      "ERR_OK" },
    { "the ballot alone",
      { { 1, 0 }, CONFIG_FORCE_UPDATE_BALLOT, 0, 6, 0, { 1, 2, -1 } },
      "ERR_OK" },
    { "a secondary takes over",
      { { 1, 1 }, CONFIG_UPGRADE_TO_PRIMARY, 1, 8, 1, { 2, -1 } },
      "ERR_OK" },
    { "the first one", { { 1, 2 }, CONFIG_ASSIGN_PRIMARY, 3, 1, 3, { -1 } }, "ERR_OK" },
    { "the same again", { { 1, 0 }, CONFIG_REMOVE, 3, 5, 0, { 2, 1, -1 } }, "ERR_OK" },
    { "our ballot, another group",
      { { 1, 0 }, CONFIG_REMOVE, 2, 5, 0, { 1, -1 } },
      "ERR_INVALID_VERSION" },
    { "an old ballot", { { 1, 0 }, CONFIG_REMOVE, 2, 4, 0, { 1, -1 } }, "ERR_INVALID_VERSION" },
    { "a ballot too far", { { 1, 0 }, CONFIG_REMOVE, 2, 7, 0, { 1, -1 } }, "ERR_INVALID_VERSION" },
    { "a ballot at the end",
      { { 1, 0 }, CONFIG_REMOVE, 2, INT64_MAX, 0, { 1, -1 } },
      "ERR_INVALID_VERSION" },
    { "two at once",
      { { 1, 0 }, CONFIG_DOWNGRADE_TO_INACTIVE, 2, 6, 0, { -1 } },
      "ERR_INVALID_VERSION" },
    { "one for another",
      { { 1, 0 }, CONFIG_DOWNGRADE_TO_INACTIVE, 2, 6, 0, { 1, 3, -1 } },
      "ERR_INVALID_VERSION" },
    { "another primary",
      { { 1, 0 }, CONFIG_ASSIGN_PRIMARY, 3, 6, 3, { 1, 2, -1 } },
      "ERR_INVALID_VERSION" },
    { "a stranger takes over",
      { { 1, 1 }, CONFIG_UPGRADE_TO_PRIMARY, 3, 8, 3, { 1, 2, -1 } },
      "ERR_INVALID_VERSION" },
    { "a member joins",
      { { 1, 0 }, CONFIG_UPGRADE_TO_SECONDARY, 2, 6, 0, { 1, 2, -1 } },
      "ERR_INVALID_VERSION" },
    { "a stranger leaves",
      { { 1, 0 }, CONFIG_REMOVE, 3, 6, 0, { 1, 2, -1 } },
      "ERR_INVALID_VERSION" },
    { "it stays, and says that it leaves",
      { { 1, 0 }, CONFIG_REMOVE, 2, 6, 0, { 1, 2, -1 } },
      "ERR_INVALID_VERSION" },
    { "a split's type",
      { { 1, 0 }, CONFIG_REGISTER_CHILD, 0, 6, 0, { 1, 2, -1 } },
      "ERR_INVALID_PARAMETERS" },
    { "a meta server's type",
      { { 1, 0 }, CONFIG_ADD_SECONDARY, 3, 6, 0, { 1, 2, 3, -1 } },
      "ERR_INVALID_PARAMETERS" },
    { "no type", { { 1, 0 }, 77, 3, 6, 0, { 1, 2, 3, -1 } }, "ERR_INVALID_PARAMETERS" },
    { "about nobody", { { 1, 0 }, CONFIG_REMOVE, -1, 6, 0, { 1, -1 } }, "ERR_INVALID_PARAMETERS" },
    { "a member twice",
      { { 1, 0 }, CONFIG_UPGRADE_TO_SECONDARY, 3, 6, 0, { 1, 3, 3, -1 } },
      "ERR_INVALID_PARAMETERS" },
    { "no such partition",
      { { 1, 3 }, CONFIG_REMOVE, 2, 6, 0, { 1, -1 } },
      "ERR_OBJECT_NOT_FOUND" },
    { "no such table", { { 9, 0 }, CONFIG_REMOVE, 2, 6, 0, { 1, -1 } }, "ERR_OBJECT_NOT_FOUND" },
    { "below 0", { { 1, -1 }, CONFIG_REMOVE, 2, 6, 0, { 1, -1 } }, "ERR_OBJECT_NOT_FOUND" },
};

static void expect_group(const struct group *group)
{
    const struct partition *now = made_now(group->pid);
    int count = 0;
    ck_assert_int_eq(now->ballot, group->ballot);
    ck_assert_int_eq(made_actor_of(now->primary), group->primary);
    for (; group->secondaries[count] >= 0; count++) {
        ck_assert_int_lt(count, now->secondary_count);
        ck_assert_int_eq(made_actor_of(now->members[count]), group->secondaries[count]);
    }
    ck_assert_int_eq(now->secondary_count, count);
}

START_TEST(updates_are_judged)
{
    struct msg_configuration_update_response response;
    serve();
    bool known = state_partition(&world.meta.state, rows[_i].group.pid) != NULL;
    int64_t before = known ? made_now(rows[_i].group.pid)->ballot : 0;
    const char *err = made_update(&rows[_i].group, &response);
    ck_assert_msg(strcmp(err, rows[_i].err) == 0, "%s: %s", rows[_i].what, err);
    ck_assert_int_eq(response.config.pid.app_id, rows[_i].group.pid.app_id);
    if (!known)
        return;
    const struct partition *now = made_now(rows[_i].group.pid);
    bool taken = strcmp(err, "ERR_OK") == 0 && rows[_i].group.ballot == before + 1;
    ck_assert_int_eq(now->ballot, taken ? before + 1 : before);
    ck_assert_int_eq(response.config.ballot, now->ballot); /* with what counts now */
    ck_assert_uint_eq(response.config.secondaries.count, now->secondary_count);
    if (!taken)
        return;
    expect_group(&rows[_i].group);
    world_meta_again(""); /* it stands in the store */
    world_wait_state(META_SERVING);
    expect_group(&rows[_i].group);
}
END_TEST

/* Who left stands in last_drops, who joined does not. */
START_TEST(last_drops_are_kept)
{
    struct msg_configuration_update_response response;
    serve();
    ck_assert_str_eq(
        made_update(&(struct group){ { 1, 0 }, CONFIG_REMOVE, 2, 6, 0, { 1, -1 } }, &response),
        "ERR_OK");
    const struct partition *now = made_now(PID);
    ck_assert_uint_eq(now->drop_count, 1);
    ck_assert_int_eq(made_actor_of(partition_drops(now)[0]), 2);
    ck_assert_str_eq(
        made_update(&(struct group){ { 1, 0 }, CONFIG_UPGRADE_TO_SECONDARY, 2, 7, 0, { 1, 2, -1 } },
                    &response),
        "ERR_OK");
    ck_assert_uint_eq(made_now(PID)->drop_count, 0);
}
END_TEST

static const int32_t cold[] = { LEVEL_STOPPED, LEVEL_BLIND, LEVEL_FREEZED };

START_TEST(nothing_is_taken_while_freezed)
{
    struct msg_configuration_update_response response;
    serve();
    ck_assert_str_eq(made_level(cold[_i]), "ERR_OK");
    ck_assert_str_eq(
        made_update(&(struct group){ { 1, 0 }, CONFIG_REMOVE, 2, 6, 0, { 1, -1 } }, &response),
        "ERR_STATE_FREEZED");
    ck_assert_int_eq(response.config.ballot, 5);
    ck_assert_int_eq(made_now(PID)->ballot, 5);
}
END_TEST

static int answers;

static void answered(void *arg, const struct rdsn_reply *reply)
{
    (void) arg;
    answers += reply->status == BR_OK;
}

static bool one_answered(void)
{
    return answers == 1;
}

static void send_update(const struct group *group)
{
    struct buf body = { 0 };
    made_update_body(group, &body);
    rdsn_client_call(world.client, world.meta.name,
                     &(struct rdsn_request){ .rpc = "RPC_CM_UPDATE_PARTITION_CONFIGURATION",
                                             .body = buf_bytes(&body),
                                             .timeout = 15 * BR_SECOND },
                     answered, NULL);
    buf_done(&body);
}

static bool is_written(void)
{
    const struct cure *cure = state_cure(&world.meta.state, PID);
    return cure && cure->change;
}

/* While an update is being written another one is not answered, and a sync of those whom it
 * concerns is told to come again. */
START_TEST(one_at_a_time)
{
    struct msg_configuration_query_by_node_response sync;
    const struct stored stored = { { 1, 0 }, BR_ROLE_SECONDARY, 5, 9 };
    answers = 0;
    serve();
    writer_hold(world.meta.writer, true);
    send_update(&(struct group){ { 1, 0 }, CONFIG_DOWNGRADE_TO_INACTIVE, 2, 6, 0, { 1, -1 } });
    made_until(is_written);
    send_update(&(struct group){ { 1, 0 }, CONFIG_DOWNGRADE_TO_INACTIVE, 1, 6, 0, { 2, -1 } });
    ck_assert_str_eq(made_sync(2, &stored, 1, &sync), "ERR_BUSY");
    ck_assert_uint_eq(sync.partitions.count, 0);
    ck_assert_str_eq(made_sync(1, &stored, 1, &sync), "ERR_OK");
    ck_assert_int_eq(answers, 0);
    ck_assert_str_eq(world_command("bridle.store", NULL), "1 updates wait for the store");
    ck_assert_str_eq(world_command("bridle.store", "-j"),
                     "{\"serving\":true,\"waiting\":1,\"stalled\":false}");
    writer_hold(world.meta.writer, false);
    made_until(one_answered);
    ck_assert_str_eq(world_command("bridle.store", NULL), "0 updates wait for the store");
    ck_assert_int_eq(made_now(PID)->ballot, 6);
    ck_assert_int_eq(made_now(PID)->secondary_count, 1);
    made_turns(20);
    ck_assert_int_eq(answers, 1);
}
END_TEST

/* Stepping down in mid-write: nobody is answered, nothing leaks. */
START_TEST(what_is_being_written_is_forgotten)
{
    answers = 0;
    serve();
    writer_hold(world.meta.writer, true);
    send_update(&(struct group){ { 1, 0 }, CONFIG_DOWNGRADE_TO_INACTIVE, 2, 6, 0, { 1, -1 } });
    made_until(is_written);
    world_meta_again("");
    world_wait_state(META_SERVING);
    ck_assert_int_eq(made_now(PID)->ballot, 5);
    ck_assert_int_eq(answers, 0);
}
END_TEST

TCase *meta_update_cases(void)
{
    TCase *tcase = tcase_create("update");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, made_setup, made_teardown);
    tcase_add_loop_test(tcase, updates_are_judged, 0, sizeof rows / sizeof *rows);
    tcase_add_test(tcase, last_drops_are_kept);
    tcase_add_loop_test(tcase, nothing_is_taken_while_freezed, 0, 3);
    tcase_add_test(tcase, one_at_a_time);
    tcase_add_test(tcase, what_is_being_written_is_forgotten);
    return tcase;
}
