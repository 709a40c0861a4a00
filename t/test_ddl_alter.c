/* test_ddl_alter -- names, environments, replica counts and flags of tables that are there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/meta/ddl_run.h"
#include "t/test_ddl.h"

static const struct br_table *def_of(int32_t id)
{
    return &cluster_table(&world.meta.state.cluster, id)->def;
}

static void expect_in(const char *path, const char *part)
{
    const char *got = stored(path);
    ck_assert_ptr_nonnull(got);
    ck_assert_msg(strstr(got, part) != NULL, "no %s in %s", part, got);
}

/* -- Names ------------------------------------------------------------------------------------ */

START_TEST(a_table_gets_another_name)
{
    static const struct {
        const char *from, *to, *want, *hint;
    } rows[] = {
        { "c", "d", "ERR_APP_NOT_EXIST", "ERROR: app(c) not exist!" },
        { "a", "b", "ERR_INVALID_PARAMETERS", "ERROR: app(b) already exist!" },
        { "a", "a", "ERR_INVALID_PARAMETERS", "ERROR: app(a) already exist!" },
        { "a", "a-b", "ERR_INVALID_PARAMETERS",
          "ERROR: app(a-b): a name is of letters, digits, '.', '_' and ':'" },
        { "a", "", "ERR_INVALID_PARAMETERS",
          "ERROR: app(): a name is of letters, digits, '.', '_' and ':'" },
        { "a", "c", "ERR_OK", "" },
        { "c", "a", "ERR_OK", "" },
    };
    tables_serve("", 1);
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_OK");
    ck_assert_str_eq(ask_create("b", 1, 1), "ERR_OK");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_str_eq(ask_rename(rows[i].from, rows[i].to), rows[i].want);
        ck_assert_str_eq(said.hint, rows[i].hint);
        bool good = strcmp(rows[i].want, "ERR_OK") == 0;
        char want[64];
        snprintf(want, sizeof want, "\"app_name\":\"%s\"", good ? rows[i].to : "a");
        expect_in("apps/1", want);
        ck_assert_str_eq(def_of(1)->name, good ? rows[i].to : "a");
    }
}
END_TEST

/* -- Environments ----------------------------------------------------------------------------- */

static const struct {
    const char *key, *value;
    const char *wrong; /* NULL: allowed */
} env_rows[] = {
    { "nonsense", "1", "app_env 'nonsense' is not supported" },
    { "max_replica_count.update", "updating;3",
      "app_env 'max_replica_count.update' is not supported" },
    { "replica.slow_query_threshold", "20", NULL },
    { "replica.slow_query_threshold", "19", "invalid value '19', should be '>= 20'" },
    { "replica.slow_query_threshold", "x", "invalid value 'x', should be an 64 bits integer" },
    { "replica.slow_query_threshold", "", "invalid value '', should be an 64 bits integer" },
    { "replica.slow_query_threshold", "0x20", NULL },
    { "default_ttl", "0", NULL },
    { "default_ttl", "-1", "invalid value '-1', should be '>= 0'" },
    { "default_ttl", "2147483647", NULL },
    { "default_ttl", "2147483648", "invalid value '2147483648', should be an 32 bits integer" },
    { "replica.rocksdb_block_cache_enabled", "true", NULL },
    { "replica.rocksdb_block_cache_enabled", "False", NULL },
    { "replica.rocksdb_block_cache_enabled", "1", "invalid value '1', should be a boolean" },
    { "rocksdb.num_levels", "1", NULL },
    { "rocksdb.num_levels", "10", NULL },
    { "rocksdb.num_levels", "0", "invalid value '0', should be 'In range [1, 10]'" },
    { "rocksdb.num_levels", "11", "invalid value '11', should be 'In range [1, 10]'" },
    { "rocksdb.write_buffer_size", "16777216", NULL },
    { "rocksdb.write_buffer_size", "536870913",
      "invalid value '536870913', should be 'In range [16777216, 536870912]'" },
    { "rocksdb.usage_scenario", "bulk_load", NULL },
    { "rocksdb.usage_scenario", "bulk", "normal | prefer_write | bulk_load" },
    { "rocksdb.usage_scenario", "normal | prefer_write", "normal | prefer_write | bulk_load" },
    { "rocksdb.checkpoint.reserve_min_count", "0", "invalid value '0', should be '>= 1'" },
    { "manual_compact.once.trigger_time", "0", NULL },
    { "manual_compact.once.target_level", "-1", NULL },
    { "manual_compact.once.target_level", "0", "invalid value '0', should be '-1 or >= 1'" },
    { "manual_compact.once.bottommost_level_compaction", "force", NULL },
    { "manual_compact.once.bottommost_level_compaction", "no", "force | skip" },
    { "manual_compact.periodic.trigger_time", "3:00,21:00", NULL },
    { "replica.deny_client_request", "reconfig*read", NULL },
    { "replica.deny_client_request", "reconfig*nothing",
      "Invalid deny client args, valid include: timeout*all, timeout*write, timeout*read; "
      "reconfig*all, reconfig*write, reconfig*read" },
    { "replica.write_throttling", "10000*delay*100,20000*reject*100", NULL },
    { "replica.write_throttling", "10K*delay*100", NULL },
    { "replica.write_throttling", "", "empty env value" },
    { "replica.write_throttling", "10000*delay", "invalid field count, should be 3" },
    { "replica.write_throttling", "1*delay*1*1", "invalid field count, should be 3" },
    { "replica.write_throttling", "1*delay*1,", "invalid field count, should be 3" },
    { "replica.write_throttling", "x*delay*1", "invalid units, should be non-negative int" },
    { "replica.write_throttling", "-1*delay*1", "invalid units, should be non-negative int" },
    { "replica.write_throttling", "K*delay*1", "invalid units, should be non-negative int" },
    { "replica.write_throttling", "1*delay*-1", "invalid delay ms, should be non-negative int" },
    { "replica.write_throttling", "1*delays*1", "invalid throttling type" },
    { "replica.write_throttling", "1*delay*1,2*delay*1", "duplicate delay config" },
    { "replica.write_throttling", "1*reject*1,2*reject*1", "duplicate reject config" },
    { "replica.read_throttling_by_size", "20000", NULL },
    { "replica.read_throttling_by_size", "20M", NULL },
    { "replica.read_throttling_by_size", "20000*delay*100", NULL },
    { "replica.read_throttling_by_size", "20000*delay*100,20K*reject*100", NULL },
    { "replica.read_throttling_by_size", "-1", "wrong format, you can set like 20000 or 20K" },
    { "replica.read_throttling_by_size", "a*reject*1",
      "wrong format, you can set like 20000 or 20K" },
    { "business.info", "anything, really", NULL },
    { "replica_access_controller.allowed_users", "", NULL },
};

START_TEST(values_of_environments)
{
    struct arena arena;
    arena_init(&arena, 1024);
    const char *wrong = ddl_env_wrong(&arena, env_rows[_i].key, env_rows[_i].value);
    ck_assert_msg((wrong != NULL) == (env_rows[_i].wrong != NULL), "%s=%s: %s", env_rows[_i].key,
                  env_rows[_i].value, wrong ? wrong : "allowed");
    if (wrong)
        ck_assert_str_eq(wrong, env_rows[_i].wrong);
    arena_done(&arena);
}
END_TEST

START_TEST(environments_of_a_new_table)
{
    struct arena arena;
    arena_init(&arena, 1024);
    ck_assert_ptr_nonnull(ddl_create_env_wrong(&arena, "default_ttl", "5", LAYOUT_25));
    ck_assert_ptr_null(ddl_create_env_wrong(&arena, "default_ttl", "5", LAYOUT_26));
    ck_assert_ptr_null(ddl_create_env_wrong(&arena, "nonsense", "5", LAYOUT_25));
    ck_assert_ptr_nonnull(ddl_create_env_wrong(&arena, "rocksdb.num_levels", "0", LAYOUT_26));
    arena_done(&arena);
}
END_TEST

enum { SET = 1, DELETE = 2, CLEAR = 3 };

START_TEST(environments_come_and_go)
{
    static const char *const keys[] = { "rocksdb.usage_scenario", "replica.slow_query_threshold",
                                        "default_ttl" };
    static const char *const values[] = { "normal", "100", "86400" };
    static const char *const bad[] = { "normal", "1", "86400" };
    static const char *const gone[] = { "default_ttl", "nobody" };
    tables_serve("", 1);
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_OK");
    ck_assert_str_eq(ask_env("b", SET, keys, values, 3, NULL), "ERR_APP_NOT_EXIST");
    ck_assert_str_eq(said.hint, "app cannot be found");
    ck_assert_str_eq(ask_env("a", SET, keys, bad, 3, NULL), "ERR_INVALID_PARAMETERS");
    ck_assert_str_eq(said.hint, "invalid value '1', should be '>= 20'");
    expect_in("apps/1", "\"envs\":{},");
    ck_assert_str_eq(ask_env("a", SET, keys, values, 3, NULL), "ERR_OK");
    expect_in("apps/1", "\"envs\":{\"default_ttl\":\"86400\","
                        "\"replica.slow_query_threshold\":\"100\","
                        "\"rocksdb.usage_scenario\":\"normal\"},");
    ck_assert_str_eq(ask_env("a", DELETE, gone, NULL, 2, NULL), "ERR_OK");
    ck_assert_str_eq(said.hint, "deleted keys:\n    default_ttl");
    ck_assert_str_eq(ask_env("a", DELETE, gone, NULL, 2, NULL), "ERR_OK");
    ck_assert_str_eq(said.hint, "no key needs to be deleted");
    ck_assert_str_eq(ask_env("a", CLEAR, NULL, NULL, 0, "rocksdb.usage_scenario"), "ERR_OK");
    ck_assert_str_eq(said.hint, "no key needs to be deleted");
    ck_assert_str_eq(ask_env("a", CLEAR, NULL, NULL, 0, "rocksdb"), "ERR_OK");
    ck_assert_str_eq(said.hint, "deleted keys:\n    rocksdb.usage_scenario");
    expect_in("apps/1", "\"envs\":{\"replica.slow_query_threshold\":\"100\"},");
    ck_assert_str_eq(ask_env("a", CLEAR, NULL, NULL, 0, ""), "ERR_OK");
    expect_in("apps/1", "\"envs\":{},");
    ck_assert_uint_eq(def_of(1)->env_count, 0);
    ck_assert_str_eq(ask_env("a", CLEAR, NULL, NULL, 0, ""), "ERR_OK");
    ck_assert_str_eq(said.hint, "no key needs to be deleted");
}
END_TEST

START_TEST(requests_that_name_nothing)
{
    static const char *const keys[] = { "business.info", "default_ttl" };
    static const char *const values[] = { "x", "1" };
    static const char *const odd[] = { "business.info" };
    static const char *const raw[] = { "\xc3(" };
    char *large = malloc(BR_STORE_VALUE_MAX + 1);
    const char *const larges[] = { large };
    memset(large, 'x', BR_STORE_VALUE_MAX);
    large[BR_STORE_VALUE_MAX] = 0;
    tables_serve("", 1);
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_OK");
    ck_assert_str_eq(ask_env("a", SET, NULL, NULL, 0, NULL), "ERR_INVALID_PARAMETERS");
    ck_assert_str_eq(ask_env("a", SET, keys, NULL, 2, NULL), "ERR_INVALID_PARAMETERS");
    ck_assert_str_eq(ask_env("a", DELETE, NULL, NULL, 0, NULL), "ERR_INVALID_PARAMETERS");
    ck_assert_str_eq(ask_env("a", CLEAR, NULL, NULL, 0, NULL), "ERR_INVALID_PARAMETERS");
    ck_assert_str_eq(ask_env("a", 0, keys, values, 2, ""), "ERR_INVALID_PARAMETERS");
    ck_assert_str_eq(ask_env("a", 4, keys, values, 2, ""), "ERR_INVALID_PARAMETERS");
    ck_assert_str_eq(ask_env("a", SET, odd, raw, 1, NULL), "ERR_INVALID_PARAMETERS");
    ck_assert_str_eq(ask_env("a", SET, odd, larges, 1, NULL), "ERR_INVALID_PARAMETERS");
    static const char *many[DDL_ENVS_MAX + 1];
    for (int i = 0; i <= DDL_ENVS_MAX; i++)
        many[i] = "business.info";
    ck_assert_str_eq(ask_env("a", SET, many, many, DDL_ENVS_MAX + 1, NULL),
                     "ERR_INVALID_PARAMETERS");
    ck_assert_str_eq(ask_env("a", DELETE, many, NULL, DDL_ENVS_MAX + 1, NULL),
                     "ERR_INVALID_PARAMETERS");
    ck_assert_uint_eq(def_of(1)->env_count, 0);
    ck_assert_str_eq(ask_env("a", SET, many, many, DDL_ENVS_MAX, NULL), "ERR_OK");
    ck_assert_uint_eq(def_of(1)->env_count, 1);
    free(large);
}
END_TEST

/* -- Replica counts --------------------------------------------------------------------------- */

START_TEST(a_replica_count_is_asked_for_and_set)
{
    tables_serve("  max_allowed_replica_count: 4\n", 3);
    ck_assert_str_eq(ask_count("a", 0), "ERR_APP_NOT_EXIST");
    ck_assert_str_eq(said.hint, "app(a) does not exist");
    ck_assert_str_eq(ask_count("a", 2), "ERR_APP_NOT_EXIST");
    ck_assert_str_eq(ask_create("a", 3, 3), "ERR_OK");
    ck_assert_str_eq(ask_count("a", 0), "ERR_OK");
    ck_assert_int_eq(said.count, 3);
    ck_assert_str_eq(ask_count("a", 3), "ERR_OK");
    ck_assert_str_eq(said.hint, "no need to update max_replica_count since it's not changed");
    ck_assert_str_eq(ask_count("a", -1), "ERR_INVALID_PARAMETERS");
    ck_assert_str_eq(ask_count("a", 5), "ERR_INVALID_PARAMETERS");
    ck_assert_str_eq(said.hint,
                     "requested replica count(5) must be within the range of [min=1, max=4]");
    ck_assert_str_eq(ask_count("a", 4), "ERR_INVALID_PARAMETERS");
    ck_assert_str_eq(said.hint, "there are not enough alive replica servers(3) for the requested "
                                "replica count(4)");
    world.meta.level = LEVEL_FREEZED;
    ck_assert_str_eq(ask_count("a", 2), "ERR_STATE_FREEZED");
    world.meta.level = LEVEL_STEADY;

    ck_assert_str_eq(ask_count("a", 2), "ERR_OK");
    ck_assert_int_eq(said.count, 3);
    ck_assert_int_eq(def_of(1)->replica_count, 2);
    expect_in("apps/1", "\"max_replica_count\":2,");
    expect_in("apps/1", "\"envs\":{},");
    for (int i = 0; i < 3; i++) {
        char path[16];
        snprintf(path, sizeof path, "apps/1/%d", i);
        expect_in(path, "\"ballot\":1,\"max_replica_count\":2,");
    }
    ck_assert_str_eq(ask_count("a", 0), "ERR_OK");
    ck_assert_int_eq(said.count, 2);
}
END_TEST

START_TEST(replica_counts_that_disagree)
{
    tables_serve("", 3);
    ck_assert_str_eq(ask_create("a", 2, 3), "ERR_OK");
    struct partition next = *state_partition(&world.meta.state, (struct gpid){ 1, 1 });
    next.replica_count = 2;
    state_set_partition(&world.meta.state, (struct gpid){ 1, 1 }, &next);
    ck_assert_str_eq(ask_count("a", 0), "ERR_INCONSISTENT_STATE");
    ck_assert_str_eq(
        said.hint, "partition_max_replica_count(2) != app_max_replica_count(3) for partition 1.1");
    ck_assert_str_eq(ask_count("a", 1), "ERR_INCONSISTENT_STATE");
}
END_TEST

/* A leader dies while it changes a replica count: the next one goes on. */
START_TEST(a_replica_count_left_half_done)
{
    static const char table[] =
        "{\"status\":\"app_status::AS_AVAILABLE\",\"app_type\":\"pegasus\",\"app_name\":\"a\","
        "\"app_id\":1,\"partition_count\":2,\"envs\":{\"max_replica_count.update\":\"updating;2\"},"
        "\"is_stateful\":1,\"max_replica_count\":3,\"expire_second\":0,\"create_second\":9,"
        "\"drop_second\":0,\"duplicating\":0,\"init_partition_count\":2,\"is_bulk_loading\":0}";
    static const char done[] =
        "{\"pid\":\"1.0\",\"ballot\":5,\"max_replica_count\":2,\"primary\":\"invalid address\","
        "\"secondaries\":[],\"last_drops\":[],\"last_committed_decree\":0,\"partition_flags\":0}";
    static const char open[] =
        "{\"pid\":\"1.1\",\"ballot\":4,\"max_replica_count\":3,\"primary\":\"invalid address\","
        "\"secondaries\":[],\"last_drops\":[],\"last_committed_decree\":0,\"partition_flags\":0}";
    world_put("/pegasus", "");
    world_put("/pegasus/test", "");
    world_put("/pegasus/test/apps", "unlock");
    world_put("/pegasus/test/apps/1", table);
    world_put("/pegasus/test/apps/1/0", done);
    world_put("/pegasus/test/apps/1/1", open);
    tables_serve("", 0);
    while (def_of(1)->replica_count != 2)
        loop_turn(world.loop);
    expect_in("apps/1", "\"envs\":{},\"is_stateful\":1,\"max_replica_count\":2,");
    ck_assert_str_eq(stored("apps/1/0"), done);
    expect_in("apps/1/1", "\"ballot\":5,\"max_replica_count\":2,");
}
END_TEST

/* -- Flags ------------------------------------------------------------------------------------ */

START_TEST(atomic_idempotent_is_known_to_26_only)
{
    struct msg_create_app_request request;
    tables_serve(_i ? "  pegasus_version: 2.6\n" : "", 1);
    ask_create_fill(&request, "a", 1, 1);
    request.options.atomic_idempotent = true;
    WIRE_SET(&request.options, 7);
    ck_assert_str_eq(ask_create_with(&request), "ERR_OK");
    if (!_i) {
        ck_assert_str_eq(ask_atomic("a", -1), "ERR_SERVICE_NOT_ACTIVE");
        ck_assert_str_eq(ask_atomic("a", 1), "ERR_SERVICE_NOT_ACTIVE");
        ck_assert_ptr_null(strstr(stored("apps/1"), "atomic"));
        return;
    }
    expect_in("apps/1", "\"atomic_idempotent\":1}");
    ck_assert_str_eq(ask_atomic("b", -1), "ERR_APP_NOT_EXIST");
    ck_assert_str_eq(ask_atomic("b", 1), "ERR_APP_NOT_EXIST");
    ck_assert_str_eq(ask_atomic("a", -1), "ERR_OK");
    ck_assert(said.flag);
    ck_assert_str_eq(ask_atomic("a", 1), "ERR_OK");
    ck_assert_str_eq(said.hint, "no need to update atomic_idempotent since it's unchanged");
    world.meta.level = LEVEL_FREEZED;
    ck_assert_str_eq(ask_atomic("a", 0), "ERR_STATE_FREEZED");
    world.meta.level = LEVEL_STEADY;
    ck_assert_str_eq(ask_atomic("a", 0), "ERR_OK");
    ck_assert(said.flag);
    expect_in("apps/1", "\"atomic_idempotent\":0}");
}
END_TEST

TCase *ddl_alter_cases(void)
{
    TCase *tcase = tcase_create("alter");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, tables_setup, world_teardown);
    tcase_add_test(tcase, a_table_gets_another_name);
    tcase_add_loop_test(tcase, values_of_environments, 0, sizeof env_rows / sizeof *env_rows);
    tcase_add_test(tcase, environments_of_a_new_table);
    tcase_add_test(tcase, environments_come_and_go);
    tcase_add_test(tcase, requests_that_name_nothing);
    tcase_add_test(tcase, a_replica_count_is_asked_for_and_set);
    tcase_add_test(tcase, replica_counts_that_disagree);
    tcase_add_test(tcase, a_replica_count_left_half_done);
    tcase_add_loop_test(tcase, atomic_idempotent_is_known_to_26_only, 0, 2);
    return tcase;
}
