/* test_recover -- the recovery request from end to end: C1, C2, C5, C7 to C12 of the contract over
 * real sockets, with a store in memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/meta.h"

#define RECOVER "  recover_from_replica_server: true\n"

/* Three servers, one table of two partitions, everything whole. */
static void whole_cluster(void)
{
    for (int i = 0; i < 3; i++) {
        struct actor *actor = world_actor();
        actor_table(actor, 1, "temp", 2, 3);
        actor_replica(actor, 1, 0, 3, 10 + i);
        actor_replica(actor, 1, 1, 4, 20 - i);
    }
}

static void recovering(void)
{
    world_setup();
    world.hasty = true;
    world_meta(RECOVER);
    world_wait_state(META_RECOVERING);
}

static void expect_line(const char *hint, const char *line)
{
    ck_assert_msg(strstr(hint, line) != NULL, "no «%s» in:\n%s", line, hint);
}

START_TEST(a_whole_cluster_comes_back)
{
    whole_cluster();
    struct msg_configuration_recovery_response response = world_recover(false, false);
    ck_assert_str_eq(response.err, "ERR_OK");
    ck_assert_ptr_null(strstr(response.hint_message, "ERROR"));
    ck_assert_ptr_null(strstr(response.hint_message, "may lost data"));
    ck_assert_int_eq(world.meta.state_now, META_SERVING);

    struct msg_query_cfg_request ask;
    struct msg_query_cfg_response routes;
    wire_init(&wire_query_cfg_request, &ask);
    ask.app_name = "temp";
    world_ask("RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX", &wire_query_cfg_request, &ask);
    world_decode(&wire_query_cfg_response, &routes);
    ck_assert_str_eq(routes.err, "ERR_OK");
    ck_assert_int_eq(routes.app_id, 1);
    ck_assert_uint_eq(routes.partitions.count, 2);
    const struct msg_partition_configuration *configs = routes.partitions.items;
    ck_assert_int_eq(configs[0].ballot, 3);
    ck_assert_uint_eq(configs[0].primary, world.actors[2].address); /* decree 12 is the highest */
    ck_assert_int_eq(configs[1].ballot, 4);
    ck_assert_uint_eq(configs[1].primary, world.actors[0].address); /* decree 20 */
    ck_assert_uint_eq(configs[1].secondaries.count, 0);
    ck_assert_uint_eq(configs[1].last_drops.count, 2);
}
END_TEST

START_TEST(a_second_recovery_is_told_that_it_runs)
{
    whole_cluster();
    world_recover(false, false);
    struct msg_configuration_recovery_response again = world_recover(false, false);
    ck_assert_str_eq(again.err, "ERR_SERVICE_ALREADY_RUNNING");
    ck_assert_str_eq(again.hint_message, "");
}
END_TEST

START_TEST(without_the_flag_there_is_no_recovery)
{
    world_meta_again("");
    world_wait_state(META_SERVING);
    whole_cluster();
    ck_assert_str_eq(world_recover(false, false).err, "ERR_SERVICE_ALREADY_RUNNING");
    ck_assert_uint_eq(world.actors[0].asked, 0);
}
END_TEST

/* -- A store that does not answer for a moment, when everything is written -----------------------
 */

static struct br_store steady;
static int unanswered;

static void flaky_read(struct br_env *env, const char *const *paths, uint32_t count,
                       struct br_call *call)
{
    if (unanswered > 0) {
        unanswered--;
        br_reply_fail(call, BR_UNAVAILABLE, "the store is away");
    } else {
        steady.read(env, paths, count, call);
    }
}

static void flaky_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                         struct br_call *call)
{
    for (uint32_t i = 0; i < count; i++) {
        const br_bytes *value = &writes[i]->value;
        if (value->size == 6 && memcmp(value->data, LAYOUT_UNLOCK, 6) == 0)
            unanswered = 1;
    }
    steady.commit(env, writes, count, call);
}

START_TEST(what_is_written_is_read_until_it_answers)
{
    whole_cluster();
    unanswered = 0;
    steady = world.store.ops.store;
    world.store.ops.store.read = flaky_read;
    world.store.ops.store.commit = flaky_commit;
    ck_assert_str_eq(world_recover(false, false).err, "ERR_OK");
    ck_assert_int_eq(unanswered, 0);
    ck_assert_int_eq(world.meta.state_now, META_SERVING);
}
END_TEST

/* -- C7 --------------------------------------------------------------------------------------- */

START_TEST(c7_a_dead_server_stops_it)
{
    whole_cluster();
    actor_stop(&world.actors[1]);
    struct msg_configuration_recovery_response response = world_recover(false, false);
    struct buf line = { 0 };
    buf_printf(&line,
               "ERROR: collect app and replica info from node(%s) failed with "
               "err(ERR_NETWORK_FAILURE), you can skip it by set skip_bad_nodes option\n",
               world.actors[1].name);
    ck_assert_str_eq(response.err, "ERR_TRY_AGAIN");
    ck_assert_str_eq(response.hint_message, line.data);
    ck_assert_int_eq(world.meta.state_now, META_RECOVERING);
    buf_done(&line);
}
END_TEST

START_TEST(c7_a_skipped_server_is_a_warning)
{
    whole_cluster();
    actor_stop(&world.actors[1]);
    struct msg_configuration_recovery_response response = world_recover(true, false);
    struct buf line = { 0 };
    buf_printf(&line,
               "WARNING: collect app and replica info from node(%s) failed with "
               "err(ERR_NETWORK_FAILURE), skip the bad node\n",
               world.actors[1].name);
    ck_assert_str_eq(response.err, "ERR_OK");
    ck_assert_int_eq(strncmp(response.hint_message, line.data, line.size), 0);
    expect_line(response.hint_message,
                "WARNING: partition(1.0) only collects 2/3 of replicas, may lost data\n");
    expect_line(response.hint_message,
                "WARNING: partition(1.1) only collects 2/3 of replicas, may lost data\n");
    buf_done(&line);
}
END_TEST

START_TEST(c7_a_hung_server_is_a_timeout)
{
    whole_cluster();
    world.actors[0].mute = true;
    struct msg_configuration_recovery_response response = world_recover(false, false);
    ck_assert_str_eq(response.err, "ERR_TRY_AGAIN");
    expect_line(response.hint_message, "failed with err(ERR_TIMEOUT)");
}
END_TEST

/* Apache Pegasus skips such an answer in silence; here the server is bad. */
START_TEST(c7_a_server_with_an_error_of_its_own)
{
    whole_cluster();
    world.actors[2].refuse = "ERR_BUSY";
    struct msg_configuration_recovery_response response = world_recover(false, false);
    ck_assert_str_eq(response.err, "ERR_TRY_AGAIN");
    expect_line(response.hint_message, "failed with err(ERR_BUSY)");
}
END_TEST

START_TEST(nobody_answers_and_nothing_is_known)
{
    whole_cluster();
    for (int i = 0; i < 3; i++)
        actor_stop(&world.actors[i]);
    struct msg_configuration_recovery_response response = world_recover(true, true);
    ck_assert_str_eq(response.err, "ERR_TRY_AGAIN");
    expect_line(response.hint_message, "no node answered");
    ck_assert_int_eq(world.meta.state_now, META_RECOVERING);
}
END_TEST

/* -- C9, C11 ---------------------------------------------------------------------------------- */

START_TEST(c9_a_lost_partition_stops_it)
{
    struct actor *actor = world_actor();
    actor_table(actor, 1, "temp", 2, 1);
    actor_replica(actor, 1, 1, 4, 20);
    struct msg_configuration_recovery_response response = world_recover(false, false);
    ck_assert_str_eq(response.err, "ERR_TRY_AGAIN");
    expect_line(response.hint_message,
                "ERROR: partition(1.0) has no replica collected, you can force recover it by set "
                "skip_lost_partitions option\n");
    response = world_recover(false, true);
    ck_assert_str_eq(response.err, "ERR_OK");
    expect_line(response.hint_message, "WARNING: partition(1.0) has no replica collected, force "
                                       "recover the lost partition to empty\n");
}
END_TEST

START_TEST(c11_one_name_twice)
{
    struct actor *actor = world_actor();
    actor_table(actor, 1, "temp", 1, 1);
    actor_table(actor, 3, "temp", 1, 1);
    actor_replica(actor, 1, 0, 1, 1);
    actor_replica(actor, 3, 0, 1, 1);
    struct msg_configuration_recovery_response response = world_recover(false, false);
    ck_assert_str_eq(response.err, "ERR_OK");
    expect_line(
        response.hint_message,
        "WARNING: app(1)'s old name(temp) is conflict with others, rename it to (temp-1)\n");
    struct msg_list_apps_request ask;
    struct msg_list_apps_response apps;
    wire_init(&wire_list_apps_request, &ask);
    world_ask("RPC_CM_LIST_APPS", &wire_list_apps_request, &ask);
    world_decode(&wire_list_apps_response, &apps);
    ck_assert_uint_eq(apps.infos.count, 3); /* with the placeholder of id 2 */
    const struct msg_app_info *infos = apps.infos.items;
    ck_assert_str_eq(infos[0].app_name, "temp-1");
    ck_assert_str_eq(infos[1].app_name, "__drop_holder__2");
    ck_assert_int_eq(infos[1].status, BR_TABLE_DROPPED);
    ck_assert_str_eq(infos[2].app_name, "temp");
}
END_TEST

/* -- C5 --------------------------------------------------------------------------------------- */

START_TEST(c5_metadata_and_the_flag_do_not_go_together)
{
    whole_cluster();
    ck_assert_str_eq(world_recover(false, false).err, "ERR_OK");
    world_meta_again(RECOVER);
    loop_run(world.loop); /* it stops by itself */
    ck_assert_int_eq(world.meta.state_now, META_STOPPING);
    ck_assert_int_eq(world.meta.exit_status, META_EXIT_REFUSED);
}
END_TEST

START_TEST(c5_without_the_flag_it_serves_them)
{
    whole_cluster();
    ck_assert_str_eq(world_recover(false, false).err, "ERR_OK");
    world_meta_again("");
    world_wait_state(META_SERVING);
    ck_assert_uint_eq(world.meta.state.cluster.table_count, 1);
    ck_assert_str_eq(world.meta.state.cluster.tables[0].def.name, "temp");
}
END_TEST

/* Abort 2: a root that somebody else left half-written. */
START_TEST(abort_2_a_foreign_lock_is_named)
{
    world_put("/pegasus/test/apps", "lock");
    world_put("/pegasus/test/apps/1", "{}");
    world_meta_again(_i ? RECOVER : "");
    loop_run(world.loop);
    ck_assert_int_eq(world.meta.exit_status, META_EXIT_REFUSED);
}
END_TEST

/* -- Requests that make no sense, and many at once -------------------------------------------- */

START_TEST(an_empty_list_is_refused)
{
    struct msg_configuration_recovery_response response = world_recover(true, true);
    ck_assert_str_eq(response.err, "ERR_INVALID_PARAMETERS");
    ck_assert_int_eq(world.meta.state_now, META_RECOVERING);
}
END_TEST

START_TEST(an_invalid_address_is_refused)
{
    world.actor_count = 1; /* with address 0 */
    ck_assert_str_eq(world_recover(true, true).err, "ERR_INVALID_PARAMETERS");
    world.actors[0].address = 0x7f00000100000002; /* a group, never on the wire */
    ck_assert_str_eq(world_recover(true, true).err, "ERR_INVALID_PARAMETERS");
}
END_TEST

START_TEST(too_many_nodes_are_refused)
{
    struct msg_configuration_recovery_request request;
    struct msg_configuration_recovery_response response;
    uint32_t count = _i ? (2 << 20) / 8 : BR_NODES_MAX + 1; /* too many, too large */
    uint64_t *nodes = calloc(count, sizeof *nodes);
    wire_init(&wire_configuration_recovery_request, &request);
    for (uint32_t i = 0; i < count; i++)
        nodes[i] = address_make(0x0a000000 + i, 1);
    request.recovery_nodes = (struct wire_list){ nodes, count };
    world_ask("RPC_CM_START_RECOVERY", &wire_configuration_recovery_request, &request);
    world_decode(&wire_configuration_recovery_response, &response);
    ck_assert_str_eq(response.err, "ERR_INVALID_PARAMETERS");
    expect_line(response.hint_message, _i ? "too large" : "1 to 4096");
    free(nodes);
}
END_TEST

/* The real shell sends its request up to three times; another request must wait. */
START_TEST(the_same_request_joins_another_does_not)
{
    struct asked asked[4] = { { .done = false } };
    whole_cluster();
    for (int i = 0; i < 4; i++) {
        struct buf body = { 0 };
        world_recover_body(&body, i == 3, false);
        rdsn_client_call(world.client, world.meta.name,
                         &(struct rdsn_request){ .rpc = "RPC_CM_START_RECOVERY",
                                                 .body = buf_bytes(&body),
                                                 .timeout = 15 * BR_SECOND },
                         asked_reply, &asked[i]);
        buf_done(&body);
    }
    for (int i = 0; i < 4; i++)
        world_until(&asked[i].done);
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(asked[i].err, "ERR_OK");
    ck_assert_str_eq(asked[3].err, "ERR_SERVICE_ALREADY_RUNNING");
    ck_assert_uint_eq(world.actors[0].asked, 2); /* one survey: two questions */
}
END_TEST

/* -- The lock is lost, the process stops, the client goes away ----------------------------------
 */

static bool fence_deleted;

static void fence_gone(void *arg, struct call_answer *answer)
{
    (void) arg;
    ck_assert_msg(answer->status == BR_OK, "%s", answer->message);
    fence_deleted = true;
}

/* What an operator, or the end of a session, does to the leader. */
static void delete_fence(void)
{
    struct br_write write = { .kind = BR_DELETE,
                              .path = world.meta.fence,
                              .version = BR_ANY_VERSION };
    const struct br_write *writes[] = { &write };
    fence_deleted = false;
    store_commit(&world.store, writes, 1, NULL, 0, fence_gone, NULL);
}

static void rival_elected(void *arg, struct call_answer *answer)
{
    struct buf *fence = arg;
    ck_assert_msg(answer->status == BR_OK, "%s", answer->message);
    buf_put(fence, answer->value.data, answer->value.size);
}

static void rival_left(void *arg, struct call_answer *answer)
{
    (void) arg;
    ck_assert_msg(answer->status == BR_OK, "%s", answer->message);
}

static const char *ask_tables(uint32_t *ret_count)
{
    static char err[64];
    struct msg_list_apps_request request;
    struct msg_list_apps_response response;
    wire_init(&wire_list_apps_request, &request);
    *ret_count = 0;
    const char *refused = world_ask("RPC_CM_LIST_APPS", &wire_list_apps_request, &request);
    if (strcmp(refused, "ERR_OK") != 0)
        return refused;
    world_decode(&wire_list_apps_response, &response);
    *ret_count = response.infos.count;
    snprintf(err, sizeof err, "%s", response.err);
    return err;
}

/* The flag is still on, but it was this process that recovered: elected again, it serves again. */
START_TEST(a_lost_lock_ends_serving_until_elected_again)
{
    struct buf rival = { 0 };
    uint32_t count;
    whole_cluster();
    ck_assert_str_eq(world_recover(false, false).err, "ERR_OK");
    store_lock(&world.store, buf_string(&world.meta.lock_path), "10.0.0.9:1", rival_elected,
               &rival);
    delete_fence();
    world_until(&fence_deleted);
    ck_assert_int_eq(world.meta.state_now, META_CANDIDATE);
    ck_assert_uint_eq(world.meta.state.cluster.table_count, 0);
    while (!rival.size || !world.meta.leader[0])
        loop_turn(world.loop);
    ck_assert_str_eq(world.meta.leader, "10.0.0.9:1");
    ck_assert_str_eq(ask_tables(&count), "ERR_FORWARD_TO_OTHERS");

    store_unlock(&world.store, buf_string(&rival), 0, rival_left, NULL);
    world_wait_state(META_SERVING);
    ck_assert_str_eq(ask_tables(&count), "ERR_OK");
    ck_assert_uint_eq(count, 1);
    buf_done(&rival);
}
END_TEST

/* A recovery that hangs on its first server, and whoever asked for it. */
static void start_hanging(struct rdsn_client *client, struct asked *asked)
{
    struct buf body = { 0 };
    whole_cluster();
    world.actors[0].mute = true;
    world_recover_body(&body, false, false);
    rdsn_client_call(client, world.meta.name,
                     &(struct rdsn_request){ .rpc = "RPC_CM_START_RECOVERY",
                                             .body = buf_bytes(&body),
                                             .timeout = 15 * BR_SECOND },
                     asked_reply, asked);
    buf_done(&body);
    while (world.actors[0].asked == 0)
        loop_turn(world.loop);
}

static void finish_hanging(void)
{
    world.actors[0].mute = false;
    ck_assert_str_eq(world_recover(false, false).err, "ERR_OK");
    ck_assert_int_eq(world.meta.state_now, META_SERVING);
}

START_TEST(a_lost_lock_ends_the_recovery)
{
    struct asked asked = { .done = false };
    start_hanging(world.client, &asked);
    delete_fence();
    world_until(&asked.done);
    ck_assert_str_eq(asked.err, "ERR_HOLD_BY_OTHERS");
    ck_assert_ptr_null(world.meta.recover);
    world_wait_state(META_RECOVERING);
    finish_hanging();
}
END_TEST

/* Right before the batch that would make everything visible. */
static void unlucky_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                           struct br_call *call)
{
    for (uint32_t i = 0; i < count && !fence_deleted; i++) {
        const br_bytes *value = &writes[i]->value;
        if (value->size == 6 && memcmp(value->data, LAYOUT_UNLOCK, 6) == 0)
            delete_fence();
    }
    steady.commit(env, writes, count, call);
}

START_TEST(a_lost_lock_ends_the_writing)
{
    uint32_t count;
    whole_cluster();
    fence_deleted = false;
    steady = world.store.ops.store;
    world.store.ops.store.commit = unlucky_commit;
    ck_assert_str_eq(world_recover(false, false).err, "ERR_HOLD_BY_OTHERS");
    world.store.ops.store.commit = steady.commit;
    world_wait_state(META_RECOVERING); /* elected again: what is there is ours, and locked */
    ck_assert_str_eq(ask_tables(&count), "ERR_UNDER_RECOVERY");
    finish_hanging();
}
END_TEST

START_TEST(a_stop_answers_who_waits)
{
    struct asked asked = { .done = false };
    start_hanging(world.client, &asked);
    meta_stop(&world.meta, 0);
    loop_run(world.loop);
    world_until(&asked.done);
    ck_assert_str_eq(asked.err, "ERR_SERVICE_NOT_ACTIVE");
}
END_TEST

static void nobody_left(void *arg, const struct rdsn_reply *reply)
{
    (void) arg;
    (void) reply;
}

START_TEST(a_client_that_went_away_is_not_missed)
{
    struct rdsn_client *client =
        rdsn_client_new(world.loop->base, &(struct rdsn_client_options){ .from_address = 1 });
    struct buf body = { 0 };
    whole_cluster();
    world.actors[0].mute = true;
    world_recover_body(&body, false, false);
    rdsn_client_call(
        client, world.meta.name,
        &(struct rdsn_request){ .rpc = "RPC_CM_START_RECOVERY", .body = buf_bytes(&body) },
        nobody_left, NULL);
    buf_done(&body);
    while (world.actors[0].asked == 0)
        loop_turn(world.loop);
    rdsn_client_free(client);
    ck_assert_str_eq(world_recover(true, false).err, "ERR_SERVICE_ALREADY_RUNNING");
    while (world.meta.recover)
        loop_turn(world.loop);
    finish_hanging();
}
END_TEST

/* C12: only the servers of the list are asked. */
START_TEST(c12_nobody_else_is_asked)
{
    whole_cluster();
    world.actor_count = 2;
    ck_assert_str_eq(world_recover(false, false).err, "ERR_OK");
    world.actor_count = 3;
    ck_assert_uint_eq(world.actors[2].asked, 0);
}
END_TEST

START_TEST(named_twice_is_asked_once)
{
    whole_cluster();
    world.actors[3] = world.actors[0];
    world.actor_count = 4;
    ck_assert_str_eq(world_recover(false, false).err, "ERR_OK");
    world.actor_count = 3;
    ck_assert_uint_eq(world.actors[0].asked, 2);
}
END_TEST

static TCase *contract(void)
{
    TCase *tcase = tcase_create("contract");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, recovering, world_teardown);
    tcase_add_test(tcase, a_whole_cluster_comes_back);
    tcase_add_test(tcase, a_second_recovery_is_told_that_it_runs);
    tcase_add_test(tcase, without_the_flag_there_is_no_recovery);
    tcase_add_test(tcase, what_is_written_is_read_until_it_answers);
    tcase_add_test(tcase, c7_a_dead_server_stops_it);
    tcase_add_test(tcase, c7_a_skipped_server_is_a_warning);
    tcase_add_test(tcase, c7_a_hung_server_is_a_timeout);
    tcase_add_test(tcase, c7_a_server_with_an_error_of_its_own);
    tcase_add_test(tcase, nobody_answers_and_nothing_is_known);
    tcase_add_test(tcase, c9_a_lost_partition_stops_it);
    tcase_add_test(tcase, c11_one_name_twice);
    tcase_add_test(tcase, c5_metadata_and_the_flag_do_not_go_together);
    tcase_add_test(tcase, c5_without_the_flag_it_serves_them);
    tcase_add_loop_test(tcase, abort_2_a_foreign_lock_is_named, 0, 2);
    tcase_add_test(tcase, an_empty_list_is_refused);
    tcase_add_test(tcase, an_invalid_address_is_refused);
    tcase_add_loop_test(tcase, too_many_nodes_are_refused, 0, 2);
    tcase_add_test(tcase, the_same_request_joins_another_does_not);
    tcase_add_test(tcase, a_lost_lock_ends_serving_until_elected_again);
    tcase_add_test(tcase, a_lost_lock_ends_the_recovery);
    tcase_add_test(tcase, a_lost_lock_ends_the_writing);
    tcase_add_test(tcase, a_stop_answers_who_waits);
    tcase_add_test(tcase, a_client_that_went_away_is_not_missed);
    tcase_add_test(tcase, c12_nobody_else_is_asked);
    tcase_add_test(tcase, named_twice_is_asked_once);
    return tcase;
}

int main(void)
{
    return test_run("recover", contract(), NULL);
}
