/* test_ddl -- tables are created, dropped and recalled, over real sockets: every answer, and the
 * bytes that lie in the store afterwards.
 */
#include "t/test_ddl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/meta/drops.h"

static const struct br_table *def_of(int32_t id)
{
    return &cluster_table(&world.meta.state.cluster, id)->def;
}

static void expect_stored(const char *path, const char *want)
{
    const char *got = stored(path);
    ck_assert_msg(got != NULL, "%s is not there", path);
    ck_assert_str_eq(got, want);
}

static void expect_table(int32_t id, const char *status, const char *name, int32_t partitions,
                         int32_t replicas, int32_t init)
{
    char path[64];
    char want[512];
    const struct br_table *def = def_of(id);
    snprintf(path, sizeof path, "apps/%d", id);
    snprintf(want, sizeof want,
             "{\"status\":\"app_status::%s\",\"app_type\":\"pegasus\",\"app_name\":\"%s\","
             "\"app_id\":%d,\"partition_count\":%d,\"envs\":{},\"is_stateful\":1,"
             "\"max_replica_count\":%d,\"expire_second\":%lld,\"create_second\":%lld,"
             "\"drop_second\":%lld,\"duplicating\":0,\"init_partition_count\":%d,"
             "\"is_bulk_loading\":0}",
             status, name, id, partitions, replicas, (long long) def->expire_second,
             (long long) def->create_second, (long long) def->drop_second, init);
    expect_stored(path, want);
}

static void expect_new_partition(int32_t id, int32_t index, int32_t replicas)
{
    char path[64];
    char want[512];
    snprintf(path, sizeof path, "apps/%d/%d", id, index);
    snprintf(want, sizeof want,
             "{\"pid\":\"%d.%d\",\"ballot\":0,\"max_replica_count\":%d,\"primary\":\"invalid "
             "address\",\"secondaries\":[],\"last_drops\":[],\"last_committed_decree\":0,"
             "\"partition_flags\":0}",
             id, index, replicas);
    expect_stored(path, want);
}

/* -- Creating --------------------------------------------------------------------------------- */

START_TEST(the_first_table_makes_the_root)
{
    int64_t now = (int64_t) time(NULL);
    tables_serve("", 3);
    ck_assert_ptr_null(stored("apps"));
    ck_assert_str_eq(ask_create("temp", 8, 3), "ERR_OK");
    ck_assert_int_eq(said.id, 1);
    expect_stored("apps", "unlock");
    expect_stored("backup", "");
    expect_stored("bulk_load", "");
    expect_table(1, "AS_AVAILABLE", "temp", 8, 3, 8);
    for (int32_t i = 0; i < 8; i++)
        expect_new_partition(1, i, 3);
    ck_assert_ptr_null(stored("apps/1/8"));
    ck_assert_int_eq(def_of(1)->status, BR_TABLE_AVAILABLE);
    ck_assert_int_ge(def_of(1)->create_second, now);
    ck_assert_int_le(def_of(1)->create_second, (int64_t) time(NULL));
    world_meta_again("");
    world_wait_state(META_SERVING);
    ck_assert_uint_eq(world.meta.state.cluster.table_count, 1);
    ck_assert_str_eq(def_of(1)->name, "temp");
}
END_TEST

/* Nothing of the root is there: the lock lies elsewhere. */
START_TEST(the_root_is_made_from_the_top)
{
    tables_serve("  lock_root: /locks\n", 1);
    fault_set(_i ? FAULT_ANSWER_LOST : FAULT_UNAVAILABLE, 0, 1);
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_OK");
    ck_assert_uint_eq(fault_writes[0], 6); /* fence, two components, apps, backup, bulk_load */
    expect_stored("apps", "unlock");
    expect_stored("bulk_load", "");
    expect_new_partition(1, 0, 1);
}
END_TEST

/* The node's data in a captured create, of which the log shows the first bytes, and how many there
 * were.  malloc'ed. */
static char *captured(const char *ops, const char *root, const char *node, size_t *ret_size)
{
    char line[128];
    snprintf(line, sizeof line, "create /pegasus/onebox/%s/apps/%s flags", root, node);
    const char *at = strstr(ops, line);
    ck_assert_ptr_nonnull(at);
    const char *size = strstr(at, "datalen=");
    const char *from = strstr(at, "data=b'");
    ck_assert(size && from);
    *ret_size = strtoul(size + strlen("datalen="), NULL, 10);
    from += strlen("data=b'");
    return strndup(from, strcspn(from, "'"));
}

static void expect_captured(const char *path, const char *want, size_t size)
{
    const char *got = stored(path);
    ck_assert_ptr_nonnull(got);
    ck_assert_uint_eq(strlen(got), size);
    ck_assert_uint_gt(strlen(want), 100);
    ck_assert_msg(strncmp(got, want, strlen(want)) == 0, "%s is not %s", got, want);
}

/* The creation's second is the clock's: ours in place of the captured one. */
static char *with_second(const char *record, int64_t second)
{
    struct buf text = { 0 };
    const char *key = "\"create_second\":";
    const char *at = strstr(record, key);
    ck_assert_ptr_nonnull(at);
    at += strlen(key);
    buf_put(&text, record, (size_t) (at - record));
    buf_i64(&text, second);
    buf_text(&text, at + strspn(at, "0123456789"));
    return text.data;
}

static const struct {
    const char *file, *root, *name;
    int32_t partitions;
    uint32_t envs;
} scenes[] = {
    { "golden/A_boot_create/A.zk_ops.txt", "golden1", "temp", 8, 0 },
    { "golden/G_envs/G.zk_ops.txt", "g0", "t1", 4, 2 },
};

START_TEST(its_bytes_are_those_of_the_real_thing)
{
    struct msg_create_app_request request;
    struct wire_pair envs[] = { { "rocksdb.usage_scenario", "normal" },
                                { "replica.slow_query_threshold", "100" } };
    struct buf ops = { 0 };
    const char *file = test_reference(scenes[_i].file);
    if (!file)
        return;
    ck_assert(test_read(file, &ops));
    tables_serve("", 3);
    ask_create_fill(&request, scenes[_i].name, scenes[_i].partitions, 3);
    request.options.envs = (struct wire_list){ .items = envs, .count = scenes[_i].envs };
    ck_assert_str_eq(ask_create_with(&request), "ERR_OK");
    size_t size;
    char *record = captured(buf_string(&ops), scenes[_i].root, "1", &size);
    char *want = with_second(record, def_of(1)->create_second);
    expect_captured("apps/1", want, size);
    free(want);
    free(record);
    for (int32_t i = 0; i < scenes[_i].partitions; i++) {
        char node[16];
        char path[32];
        snprintf(node, sizeof node, "1/%d", i);
        snprintf(path, sizeof path, "apps/%s", node);
        record = captured(buf_string(&ops), scenes[_i].root, node, &size);
        expect_captured(path, record, size);
        free(record);
    }
    buf_done(&ops);
}
END_TEST

static const struct {
    const char *name;
    int32_t partitions, replicas;
    const char *type;
    bool stateless;
    const char *key, *value, *want;
} creations[] = {
    { "a", 0, 3, NULL, false, NULL, NULL, "ERR_INVALID_PARAMETERS" },
    { "a", -4, 3, NULL, false, NULL, NULL, "ERR_INVALID_PARAMETERS" },
    { "a", BR_PARTITIONS_MAX + 1, 3, NULL, false, NULL, NULL, "ERR_INVALID_PARAMETERS" },
    { "a", 4, 0, NULL, false, NULL, NULL, "ERR_INVALID_PARAMETERS" },
    { "a", 4, -1, NULL, false, NULL, NULL, "ERR_INVALID_PARAMETERS" },
    { "a", 4, 6, NULL, false, NULL, NULL, "ERR_INVALID_PARAMETERS" },
    { "a", 4, 4, NULL, false, NULL, NULL, "ERR_INVALID_PARAMETERS" }, /* of three servers */
    { "a", 4, 3, "simple_kv", false, NULL, NULL, "ERR_INVALID_PARAMETERS" },
    { "a", 4, 3, NULL, true, NULL, NULL, "ERR_INVALID_PARAMETERS" },
    { "", 4, 3, NULL, false, NULL, NULL, "ERR_INVALID_PARAMETERS" },
    { "a-b", 4, 3, NULL, false, NULL, NULL, "ERR_INVALID_PARAMETERS" },
    { "a/b", 4, 3, NULL, false, NULL, NULL, "ERR_INVALID_PARAMETERS" },
    { "\xc3\xa4", 4, 3, NULL, false, NULL, NULL, "ERR_INVALID_PARAMETERS" },
    { "a", 4, 3, NULL, false, "rocksdb.num_levels", "11", "ERR_INVALID_PARAMETERS" },
    { "a", 4, 3, NULL, false, "rocksdb.write_buffer_size", "1", "ERR_INVALID_PARAMETERS" },
    { "a", 4, 3, NULL, false, "default_ttl", "10", "ERR_INVALID_PARAMETERS" },
    { "a", 4, 3, NULL, false, "business.info", "\xff", "ERR_INVALID_PARAMETERS" },
    { "a", 4, 3, NULL, false, "rocksdb.num_levels", "6", "ERR_OK" },
    { "a", 4, 3, NULL, false, "whatever", "x \"y\"", "ERR_OK" },
    { "a.b_C:9", 1, 1, NULL, false, NULL, NULL, "ERR_OK" },
};

START_TEST(what_can_be_no_table_is_refused)
{
    struct msg_create_app_request request;
    struct wire_pair env = { creations[_i].key, creations[_i].value };
    tables_serve("", 3);
    ask_create_fill(&request, creations[_i].name, creations[_i].partitions, creations[_i].replicas);
    if (creations[_i].type)
        request.options.app_type = creations[_i].type;
    request.options.is_stateful = !creations[_i].stateless;
    if (env.key)
        request.options.envs = (struct wire_list){ .items = &env, .count = 1 };
    ck_assert_str_eq(ask_create_with(&request), creations[_i].want);
    bool good = strcmp(creations[_i].want, "ERR_OK") == 0;
    ck_assert(good == (stored("apps/1") != NULL));
    ck_assert_int_eq(said.id, good ? 1 : 0);
}
END_TEST

START_TEST(environments_have_limits)
{
    struct msg_create_app_request request;
    static struct wire_pair envs[1025];
    static char keys[1025][16];
    tables_serve("", 1);
    ask_create_fill(&request, "a", 1, 1);
    for (int i = 0; i < 1025; i++) {
        snprintf(keys[i], sizeof keys[i], "key%d", i);
        envs[i] = (struct wire_pair){ keys[i], "v" };
    }
    request.options.envs = (struct wire_list){ .items = envs, .count = 1025 };
    ck_assert_str_eq(ask_create_with(&request), "ERR_INVALID_PARAMETERS");
    request.options.envs.count = 1024;
    ck_assert_str_eq(ask_create_with(&request), "ERR_OK");
    ck_assert_uint_eq(def_of(1)->env_count, 1024);

    char *large = calloc(1, BR_STORE_VALUE_MAX + 1);
    memset(large, 'x', BR_STORE_VALUE_MAX);
    envs[0].value = large;
    ask_create_fill(&request, "b", 1, 1);
    request.options.envs = (struct wire_list){ .items = envs, .count = 1 };
    ck_assert_str_eq(ask_create_with(&request), "ERR_INVALID_PARAMETERS");
    free(large);
}
END_TEST

START_TEST(a_table_that_is_there)
{
    struct msg_create_app_request request;
    struct wire_pair env = { "business.info", "x" };
    tables_serve("", 3);
    ck_assert_str_eq(ask_create("a", 4, 3), "ERR_OK");
    ck_assert_str_eq(ask_create("a", 4, 3), "ERR_APP_EXIST");
    ask_create_fill(&request, "a", 4, 3);
    request.options.success_if_exist = true;
    ck_assert_str_eq(ask_create_with(&request), "ERR_OK");
    ck_assert_int_eq(said.id, 1);
    request.options.partition_count = 8;
    ck_assert_str_eq(ask_create_with(&request), "ERR_INVALID_PARAMETERS");
    request.options.partition_count = 4;
    request.options.envs = (struct wire_list){ .items = &env, .count = 1 };
    ck_assert_str_eq(ask_create_with(&request), "ERR_INVALID_PARAMETERS");
    ck_assert_uint_eq(world.meta.state.cluster.table_count, 1);
}
END_TEST

START_TEST(freezed_creates_nothing_and_drops)
{
    tables_serve("", 1);
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_OK");
    world.meta.level = LEVEL_FREEZED;
    ck_assert_str_eq(ask_create("b", 1, 1), "ERR_STATE_FREEZED");
    ck_assert_str_eq(ask_drop("a", false, 0), "ERR_OK");
}
END_TEST

START_TEST(ids_are_never_used_again)
{
    tables_serve("  min_table_id: 5\n", 1);
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_OK");
    ck_assert_int_eq(said.id, 5);
    ck_assert_str_eq(ask_drop("a", false, 1), "ERR_OK");
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_OK");
    ck_assert_int_eq(said.id, 6);
    world.meta.highest_id = 41; /* somebody holds a replica of 41 */
    ck_assert_str_eq(ask_create("b", 1, 1), "ERR_OK");
    ck_assert_int_eq(said.id, 42);
    world.meta.highest_id = BR_TABLE_ID_MAX - 1;
    ck_assert_str_eq(ask_create("last", 1, 1), "ERR_OK");
    ck_assert_int_eq(said.id, BR_TABLE_ID_MAX);
    ck_assert_str_eq(ask_create("more", 1, 1), "ERR_CAPACITY_EXCEEDED");
    ck_assert_uint_eq(world.meta.state.cluster.table_count, 4);
}
END_TEST

/* -- C6 --------------------------------------------------------------------------------------- */

START_TEST(unknown_replicas_forbid_new_tables)
{
    tables_serve("", 2);
    server_sync(&world.actors[1], 7, 2);
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_INVALID_STATE");
    ck_assert_ptr_null(stored("apps"));
    server_sync(&world.actors[1], 0, 0);
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_OK");
    ck_assert_int_eq(said.id, 8);
}
END_TEST

START_TEST(an_empty_store_waits_for_all_servers_to_tell)
{
    tables_serve("", 1);
    server_alive(world_actor());
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_INVALID_STATE");
    server_sync(&world.actors[1], 0, 0);
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_OK");
}
END_TEST

/* -- The configuration's tables ---------------------------------------------------------------- */

#define APPS                                                                                       \
    "apps:\n  temp:\n    partition_count: 8\n  stat:\n    partition_count: 4\n    envs: "          \
    "[business.info=x, a=b=c]\n"

static void wait_tables(uint32_t count)
{
    const struct cluster *cluster = &world.meta.state.cluster;
    bool all = false;
    while (!all) {
        loop_turn(world.loop);
        all = cluster->table_count >= count;
        for (uint32_t i = 0; i < cluster->table_count; i++)
            all = all && cluster->tables[i].def.status == BR_TABLE_AVAILABLE;
    }
    ck_assert_uint_eq(cluster->table_count, count);
}

START_TEST(an_empty_cluster_begins_with_the_configurations_tables)
{
    tables_serve(APPS, 0);
    wait_tables(2);
    ck_assert_str_eq(def_of(1)->name, "stat");
    ck_assert_uint_eq(def_of(1)->env_count, 2);
    ck_assert_str_eq(def_of(1)->envs[3], "b=c");
    expect_table(2, "AS_AVAILABLE", "temp", 8, 3, -1);
    expect_new_partition(2, 7, 3);
    expect_new_partition(1, 3, 3);
    ck_assert_ptr_null(stored("apps/1/4"));
    world_meta_again(APPS);
    world_wait_state(META_SERVING);
    wait_tables(2);
    struct actor *actor = world_actor();
    actor->mute = true;
    server_alive(actor);
    server_sync(actor, 0, 0);
    ck_assert_str_eq(ask_create("c", 1, 1), "ERR_OK");
    ck_assert_int_eq(said.id, 3);
}
END_TEST

/* Not before a server has told, and not where it holds something. */
START_TEST(not_where_a_server_holds_something)
{
    world_meta(APPS);
    world.config.meta.min_live_node_count_for_unfreeze = 1;
    world_wait_state(META_SERVING);
    struct actor *actor = world_actor();
    actor->mute = true;
    server_alive(actor);
    ck_assert_uint_eq(world.meta.state.cluster.table_count, 0);
    server_sync(actor, 9, _i ? 3 : 0);
    if (!_i)
        wait_tables(2);
    ck_assert_uint_eq(world.meta.state.cluster.table_count, _i ? 0 : 2);
    ck_assert((stored("apps") == NULL) == (_i != 0));
}
END_TEST

/* -- Dropping and recalling -------------------------------------------------------------------- */

/* Partition 1 of table 1 is A's with B and C, and has a drop already. */
static void populate(void)
{
    struct state *state = &world.meta.state;
    int32_t node[4];
    for (int i = 0; i < 3; i++)
        node[i] = cluster_node(&state->cluster, world.actors[i].name);
    node[3] = state_node(state, "10.0.0.9:34801", address_make(0x0a000009, 34801));
    struct partition next = *state_partition(state, (struct gpid){ 1, 1 });
    int32_t members[] = { node[1], node[2], node[3] };
    next.primary = node[0];
    next.members = members;
    next.secondary_count = 2;
    next.drop_count = 1;
    next.ballot = 3;
    next.committed = 77;
    state_set_partition(state, (struct gpid){ 1, 1 }, &next);
}

static void expect_left(int64_t ballot, uint32_t flags)
{
    char want[1024];
    snprintf(want, sizeof want,
             "{\"pid\":\"1.1\",\"ballot\":%lld,\"max_replica_count\":3,\"primary\":\"invalid "
             "address\",\"secondaries\":[],\"last_drops\":[\"%s\",\"%s\",\"%s\"],"
             "\"last_committed_decree\":77,\"partition_flags\":%u}",
             (long long) ballot, world.actors[1].name, world.actors[2].name, world.actors[0].name,
             flags);
    expect_stored("apps/1/1", want);
}

START_TEST(a_table_goes_and_comes_back)
{
    struct gpid pid = { 1, 1 };
    tables_serve("", 3);
    ck_assert_str_eq(ask_create("a", 2, 3), "ERR_OK");
    world.meta.level = LEVEL_FREEZED; /* nothing is assigned meanwhile */
    populate();
    drops_record(&world.meta.state, pid, 3, 1);
    ck_assert_str_eq(ask_drop("a", false, 0), "ERR_OK");
    ck_assert_int_eq(def_of(1)->status, BR_TABLE_DROPPED);
    ck_assert_int_eq(def_of(1)->expire_second, def_of(1)->drop_second + 604800);
    expect_table(1, "AS_DROPPED", "a", 2, 3, 2);
    expect_left(4, 1);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(world.meta.state.nodes[i].partitions.count, 0);
    const struct cure *cure = state_cure(&world.meta.state, pid);
    ck_assert(!cure || cure->drop_count == 0);
    int64_t dropped = def_of(1)->drop_second;

    ck_assert_str_eq(ask_recall(1, ""), "ERR_OK");
    ck_assert_int_eq(said.info.app_id, 1);
    ck_assert_str_eq(said.info.app_name, "a");
    ck_assert_int_eq(said.info.status, BR_TABLE_AVAILABLE);
    ck_assert_int_eq(def_of(1)->drop_second, dropped);
    expect_table(1, "AS_AVAILABLE", "a", 2, 3, 2);
    expect_left(4, 0);
    ck_assert_uint_eq(state_cure(&world.meta.state, pid)->drop_count, 3);
}
END_TEST

START_TEST(a_drop_says_how_long)
{
    tables_serve("  hold_seconds_for_dropped_app: 60\n", 1);
    ck_assert_str_eq(ask_drop("a", false, 0), "ERR_APP_NOT_EXIST");
    ck_assert_str_eq(ask_drop("a", true, 0), "ERR_OK");
    static const struct {
        int64_t reserve, kept;
    } rows[] = { { 0, 60 }, { -5, 60 }, { 7, 7 } };
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(ask_create("a", 1, 1), "ERR_OK");
        int32_t id = said.id;
        ck_assert_str_eq(ask_drop("a", false, rows[i].reserve), "ERR_OK");
        ck_assert_int_eq(def_of(id)->expire_second - def_of(id)->drop_second, rows[i].kept);
        ck_assert_str_eq(ask_drop("a", false, 0), "ERR_APP_NOT_EXIST");
    }
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_OK");
    ck_assert_str_eq(ask_drop("a", false, INT64_MAX), "ERR_OK");
    ck_assert_int_eq(def_of(4)->expire_second, INT64_MAX / 1000);
}
END_TEST

/* A partition without a ballot is the child of a split that is under way. */
START_TEST(a_table_that_splits_is_not_dropped)
{
    struct gpid pid = { 1, 1 };
    tables_serve("", 1);
    ck_assert_str_eq(ask_create("a", 2, 1), "ERR_OK");
    struct partition next = *state_partition(&world.meta.state, pid);
    next.ballot = BR_BALLOT_INVALID;
    state_set_partition(&world.meta.state, pid, &next);
    ck_assert_str_eq(ask_drop("a", false, 0), "ERR_SPLITTING");
    ck_assert_int_eq(def_of(1)->status, BR_TABLE_AVAILABLE);
}
END_TEST

START_TEST(what_cannot_be_recalled)
{
    tables_serve("", 1);
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_OK");
    ck_assert_str_eq(ask_recall(1, ""), "ERR_APP_EXIST");
    ck_assert_str_eq(ask_recall(2, ""), "ERR_APP_NOT_EXIST");
    ck_assert_str_eq(ask_drop("a", false, 0), "ERR_OK");
    ck_assert_str_eq(ask_create("a", 1, 1), "ERR_OK");
    ck_assert_str_eq(ask_recall(1, ""), "ERR_INVALID_PARAMETERS");  /* taken */
    ck_assert_str_eq(ask_recall(1, "a"), "ERR_INVALID_PARAMETERS"); /* taken */
    ck_assert_str_eq(ask_recall(1, "a b"), "ERR_INVALID_PARAMETERS");
    struct br_table def = *def_of(1);
    def.expire_second = 1;
    state_set_def(&world.meta.state, 0, &def);
    ck_assert_str_eq(ask_recall(1, "b"), "ERR_APP_NOT_EXIST"); /* expired */
    def.expire_second = (int64_t) time(NULL) + 100;
    state_set_def(&world.meta.state, 0, &def);
    ck_assert_str_eq(ask_recall(1, "b"), "ERR_OK");
    ck_assert_str_eq(said.info.app_name, "b");
    expect_table(1, "AS_AVAILABLE", "b", 1, 1, 1);
}
END_TEST

/* The table is looked up before the gate. */
START_TEST(a_recall_looks_before_the_gate)
{
    world_meta("  recover_from_replica_server: true\n");
    world_wait_state(META_RECOVERING);
    ck_assert_str_eq(ask_recall(1, ""), "ERR_APP_NOT_EXIST");
    ck_assert_str_eq(ask_drop("a", false, 0), "ERR_UNDER_RECOVERY");
}
END_TEST

static TCase *create(void)
{
    TCase *tcase = tcase_create("create");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, tables_setup, world_teardown);
    tcase_add_test(tcase, the_first_table_makes_the_root);
    tcase_add_loop_test(tcase, the_root_is_made_from_the_top, 0, 2);
    tcase_add_loop_test(tcase, its_bytes_are_those_of_the_real_thing, 0,
                        sizeof scenes / sizeof *scenes);
    tcase_add_loop_test(tcase, what_can_be_no_table_is_refused, 0,
                        sizeof creations / sizeof *creations);
    tcase_add_test(tcase, environments_have_limits);
    tcase_add_test(tcase, a_table_that_is_there);
    tcase_add_test(tcase, freezed_creates_nothing_and_drops);
    tcase_add_test(tcase, ids_are_never_used_again);
    tcase_add_test(tcase, unknown_replicas_forbid_new_tables);
    tcase_add_test(tcase, an_empty_store_waits_for_all_servers_to_tell);
    tcase_add_test(tcase, an_empty_cluster_begins_with_the_configurations_tables);
    tcase_add_loop_test(tcase, not_where_a_server_holds_something, 0, 2);
    return tcase;
}

static TCase *drop(void)
{
    TCase *tcase = tcase_create("drop");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, tables_setup, world_teardown);
    tcase_add_test(tcase, a_table_goes_and_comes_back);
    tcase_add_test(tcase, a_drop_says_how_long);
    tcase_add_test(tcase, a_table_that_splits_is_not_dropped);
    tcase_add_test(tcase, what_cannot_be_recalled);
    tcase_add_test(tcase, a_recall_looks_before_the_gate);
    return tcase;
}

int main(void)
{
    return test_run("ddl", create(), drop(), ddl_alter_cases(), ddl_fail_cases(), NULL);
}
