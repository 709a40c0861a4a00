/* replica_limit -- names that are not addresses (2.6), and every limit. */
#include <stdlib.h>
#include <string.h>

#include "t/replica.h"

/* -- Names ------------------------------------------------------------------------------------ */

/* The names alone say who is meant: a config sync whose addresses are wrong. */
START_TEST(names_decide)
{
    stage_named();
    stage_disk(1, 10);
    stage_list(1, 's', "01");
    stage.listed[0].config.primary = stage_address('2');
    stage_start();
    stage_role(BR_ROLE_PRIMARY, 2);
    ck_assert_str_eq(stage.update.hp_node.host, "localhost");
    ck_assert_str_eq(stage.update.config.hp_primary.host, "localhost");
    ck_assert_uint_eq(stage.update.config.hp_secondaries.count, 2);
    ck_assert_uint_eq(stage.update.config.secondaries.count, 2);
}
END_TEST

/* A primary without a name is nobody, so it is not this server, whatever the address. */
START_TEST(an_address_is_not_enough)
{
    stage_named();
    stage_disk(1, 10);
    stage_list(1, 's', "");
    WIRE_UNSET(&stage.listed[0].config, 9);
    stage.options.config_sync_interval = 30 * BR_MILLISECOND;
    stage_start();
    STAGE_UNTIL(stage.meta.syncs >= 3);
    ck_assert_int_eq(stage_replica()->config.role, BR_ROLE_INACTIVE);
    ck_assert_uint_eq(stage.meta.updates, 0);
}
END_TEST

/* 2.5 sends no names and reads none. */
START_TEST(addresses_decide)
{
    stage_primary("0");
    ck_assert(!WIRE_HAS(&stage.update, 7));
    ck_assert(!WIRE_HAS(&stage.update.config, 9));
}
END_TEST

TCase *replica_names(void)
{
    TCase *tcase = tcase_create("names");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, stage_setup, stage_teardown);
    tcase_add_test(tcase, names_decide);
    tcase_add_test(tcase, an_address_is_not_enough);
    tcase_add_test(tcase, addresses_decide);
    return tcase;
}

/* -- Limits ----------------------------------------------------------------------------------- */

static uint32_t answered;
static int64_t decrees[STALENESS_MAX * 2];

static void take(void *arg, const struct rdsn_reply *reply)
{
    struct msg_rrdb_update_response response;
    struct fail fail;
    int64_t *decree = arg;
    ck_assert_str_eq(reply->error, "ERR_OK");
    ck_assert_int_eq(wire_decode(&wire_rrdb_update_response, reply->body, wire_arena(&stage.arena),
                                 &response, &fail),
                     BR_OK);
    *decree = response.decree;
    answered++;
}

/* STALENESS_MAX are under way at once; the rest waits, and shares one decree when there is room. */
START_TEST(staleness)
{
    static const char empty[] = { 0x0c, 0, 0, 0, 0 };
    stage_primary("0");
    answered = 0;
    stage.peers[0].prepare_err = "ERR_TRY_AGAIN"; /* again and again, for a second */
    for (uint32_t i = 0; i < STALENESS_MAX * 2; i++)
        rdsn_client_call(stage.client, stage.name,
                         &(struct rdsn_request){ .rpc = "RPC_RRDB_RRDB_PUT",
                                                 .body = { empty, sizeof empty },
                                                 .app_id = 1 },
                         take, &decrees[i]);
    STAGE_UNTIL(stage_replica()->primary.queue_count == STALENESS_MAX);
    ck_assert_int_eq(stage_replica()->list.last, 10 + STALENESS_MAX);
    stage.peers[0].prepare_err = NULL;
    STAGE_UNTIL(answered == STALENESS_MAX * 2);
    for (int i = 0; i < STALENESS_MAX; i++) {
        ck_assert_int_eq(decrees[i], 11 + i);
        ck_assert_int_eq(decrees[STALENESS_MAX + i], 11 + STALENESS_MAX);
    }
    ck_assert_int_eq(replica_committed(stage_replica()), 11 + STALENESS_MAX);
}
END_TEST

/* A pool keeps so many mutations, and no large ones' memory. */
START_TEST(what_a_pool_keeps)
{
    struct mutation_pool pool = { 0 };
    struct mutation **all = malloc((MUTATION_POOL_MAX + 1) * sizeof *all);
    for (uint32_t i = 0; i <= MUTATION_POOL_MAX; i++)
        all[i] = mutation_new(&pool);
    buf_reserve(&all[0]->updates, MUTATION_KEEP_MAX + 1);
    buf_reserve(&all[1]->updates, MUTATION_KEEP_MAX / 4);
    struct mutation *large = all[0], *small = all[1];
    for (uint32_t i = 0; i <= MUTATION_POOL_MAX; i++)
        mutation_release(all[i]);
    ck_assert_uint_eq(pool.free_count, MUTATION_POOL_MAX);
    ck_assert_uint_eq(large->updates.cap, 0);
    ck_assert_uint_gt(small->updates.cap, 0);
    free(all);
    mutation_pool_done(&pool);
}
END_TEST

TCase *replica_limits(void)
{
    TCase *tcase = tcase_create("limit");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, stage_setup, stage_teardown);
    tcase_add_test(tcase, staleness);
    tcase_add_test(tcase, what_a_pool_keeps);
    return tcase;
}
