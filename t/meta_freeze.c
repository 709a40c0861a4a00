/* meta_freeze -- nothing is deleted before an operator's release: the record, the two words, what a
 * config sync names, who may learn (host/meta/freeze.h).
 */
#include "t/test_meta_sync.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "host/meta/freeze.h"
#include "host/meta/guardian.h"
#include "host/recovery/rows.h"

#define PID ((struct gpid){ 1, 0 })
#define GONE                                                                                       \
    {                                                                                              \
        2, 0                                                                                       \
    } /* in a table of cases */
#define BRIDLE "/pegasus/test/bridle"
#define RECORD BRIDLE "/released"
#define GOOD                                                                                       \
    "{\"version\":1,\"cluster\":\"test\",\"by\":\"me@here\",\"at\":5,\"bridled\":\"0.1.0\"}"
#define LIVELY "  meta_function_level_on_start: lively\n"

static const int no_more[] = { -1 };

/* -- The store, directly ----------------------------------------------------------------------- */

static char kept[4096];
static bool answered, there;

static void record_read(void *arg, struct call_answer *answer)
{
    (void) arg;
    struct rows rows = rows_of(answer);
    const struct br_value *value = rows_value(&rows);
    ck_assert_ptr_nonnull(value);
    there = value->status == BR_OK;
    snprintf(kept, sizeof kept, "%.*s", there ? (int) value->value.size : 0,
             there ? (const char *) value->value.data : "");
    answered = true;
}

/* NULL: it is not there. */
static const char *record(void)
{
    struct arena memory;
    arena_init(&memory, 0);
    const char **paths = arena_alloc(&memory, sizeof *paths);
    paths[0] = RECORD;
    answered = false;
    store_read(&world.store, paths, 1, &memory, 0, record_read, NULL);
    world_until(&answered);
    return there ? kept : NULL;
}

static void record_gone(void *arg, struct call_answer *answer)
{
    (void) arg;
    ck_assert_int_eq(answer->status, BR_OK);
    answered = true;
}

static void record_delete(void)
{
    struct br_write write = { .kind = BR_DELETE, .path = RECORD, .version = BR_ANY_VERSION };
    const struct br_write *writes[] = { &write };
    answered = false;
    store_commit(&world.store, writes, 1, NULL, 0, record_gone, NULL);
    world_until(&answered);
}

static void record_put(const char *text)
{
    world_put("/pegasus", "");
    world_put("/pegasus/test", "");
    world_put(BRIDLE, "");
    if (text)
        world_put(RECORD, text);
}

static bool is_frozen(void)
{
    const char *why = freeze_why(&world.meta);
    return why && !strstr(why, "not been read yet");
}

static bool is_released(void)
{
    return !freeze_why(&world.meta);
}

/* -- The record -------------------------------------------------------------------------------- */

static const struct {
    const char *what;
    const char *text; /* NULL: not there */
    const char *why;  /* NULL: released */
} records[] = {
    { "none", NULL, "no operator" },
    { "ours", GOOD, NULL },
    { "of another cluster",
      "{\"version\":1,\"cluster\":\"prod\",\"by\":\"me\",\"at\":5,\"bridled\":\"0.1.0\"}",
      "of cluster 'prod'" },
    { "a later version's", "{\"version\":2,\"cluster\":\"test\",\"by\":\"me\",\"at\":5}",
      "none that this version understands" },
    { "without a version", "{\"cluster\":\"test\",\"by\":\"me\",\"at\":5}", "none that" },
    { "a version that is text", "{\"version\":\"1\",\"cluster\":\"test\",\"by\":\"me\",\"at\":5}",
      "none that" },
    { "by nobody", "{\"version\":1,\"cluster\":\"test\",\"at\":5}", "none that" },
    { "of no cluster", "{\"version\":1,\"by\":\"me\",\"at\":5}", "none that" },
    { "at no time", "{\"version\":1,\"cluster\":\"test\",\"by\":\"me\",\"at\":\"5\"}",
      "none that" },
    { "a key twice", "{\"version\":1,\"version\":1,\"cluster\":\"test\",\"by\":\"me\",\"at\":5}",
      "none that" },
    { "no JSON", "released", "none that" },
    { "cut short", "{\"version\":1,\"cluster\":\"test\"", "none that" },
    { "a list", "[1]", "none that" },
    { "empty", "", "none that" },
};

static void serve_temp(const char *extra)
{
    made_actors(4);
    made_table(1, 1, 3);
    made_record(PID, 5, 0, (int[]){ 1, 2, -1 }, no_more)->committed = 9;
    made_serve(extra, 0);
}

START_TEST(the_record_decides)
{
    record_put(records[_i].text);
    serve_temp("");
    made_until(records[_i].why ? is_frozen : is_released);
    const char *why = freeze_why(&world.meta);
    ck_assert_msg(!records[_i].why || strstr(why, records[_i].why), "%s: %s", records[_i].what,
                  why);
    ck_assert_ptr_nonnull(strstr(world_command("bridle.frozen", "-j"),
                                 records[_i].why ? "\"frozen\":true" : "\"frozen\":false"));
}
END_TEST

/* FREEZE_RECORD_MAX, reached and passed. */
START_TEST(a_record_has_an_end)
{
    char text[FREEZE_RECORD_MAX + 2];
    snprintf(text, sizeof text, "%-*s", FREEZE_RECORD_MAX + _i, GOOD);
    record_put(text);
    serve_temp("");
    made_until(_i ? is_frozen : is_released);
}
END_TEST

static void read_fails(struct br_env *env, const char *const *paths, uint32_t count,
                       struct br_call *call)
{
    (void) env;
    (void) paths;
    (void) count;
    br_reply_fail(call, BR_UNAVAILABLE, "the cable is out");
}

static void read_little(struct br_env *env, const char *const *paths, uint32_t count,
                        struct br_call *call)
{
    (void) env;
    (void) paths;
    (void) count;
    br_reply_ok(call);
}

/* A store that cannot say counts as frozen, whatever it said before, until it can again. */
START_TEST(a_store_that_cannot_say)
{
    void (*read)(struct br_env *, const char *const *, uint32_t, struct br_call *) =
        world.store.ops.store.read;
    record_put(GOOD);
    serve_temp("");
    made_until(is_released);
    world.store.ops.store.read = _i ? read_little : read_fails;
    freeze_look(&world.meta);
    made_until(is_frozen);
    ck_assert_ptr_nonnull(strstr(freeze_why(&world.meta), _i ? "frozen: " : "the cable is out"));
    ck_assert_ptr_nonnull(strstr(world_command("bridle.release", "test"), "ERROR: frozen"));
    world.store.ops.store.read = read;
    made_until(is_released); /* it is asked again */
}
END_TEST

START_TEST(a_record_that_somebody_deletes)
{
    record_put(GOOD);
    serve_temp("");
    made_until(is_released);
    record_delete();
    freeze_look(&world.meta);
    made_until(is_frozen);
    ck_assert_ptr_nonnull(strstr(made_logged(), "released by me@here"));
    ck_assert_ptr_nonnull(strstr(made_logged(), "no replica is deleted anywhere: frozen: no op"));
}
END_TEST

/* Where the tables are gone, a release of before is none, now and for the next leader. */
START_TEST(an_empty_root_is_frozen)
{
    record_put(GOOD);
    made_actors(1);
    made_serve("", 0);
    made_until(is_frozen);
    while (record())
        loop_turn(world.loop);
    ck_assert(is_frozen());
    ck_assert_ptr_nonnull(strstr(world_command("bridle.release", "test"), "ERROR: there are no"));
}
END_TEST

/* -- The operator's word ----------------------------------------------------------------------- */

START_TEST(released_and_frozen_again)
{
    serve_temp("");
    made_until(is_frozen);
    ck_assert_ptr_nonnull(strstr(world_command("bridle.release", "prod"), "ERROR: give the clus"));
    ck_assert_ptr_nonnull(strstr(world_command("bridle.release", NULL), "ERROR: give the clus"));
    ck_assert_ptr_null(record());
    made_released();
    ck_assert_ptr_nonnull(strstr(record(), "{\"version\":1,\"cluster\":\"test\",\"by\":\"some"));
    ck_assert_ptr_nonnull(strstr(world_command("bridle.frozen", NULL), "released by somebody"));
    made_released(); /* over the record that is there */
    world_meta_again("");
    world_wait_state(META_SERVING);
    made_until(is_released);
    ck_assert_str_eq(world_command("bridle.freeze", "you@there"), "OK");
    ck_assert(is_frozen());
    ck_assert_ptr_null(record());
    ck_assert_str_eq(world_command("bridle.freeze", NULL), "OK"); /* it is so already */
    world_meta_again("");
    world_wait_state(META_SERVING);
    made_until(is_frozen);
    made_released();
}
END_TEST

/* Only the leader does it; who follows says who leads. */
START_TEST(a_follower_says_who_leads)
{
    struct meta second = { 0 };
    struct config config;
    serve_temp("");
    made_until(is_frozen);
    world_meta_in(&second, &config, "");
    world.target = second.name;
    while (!second.leader[0])
        loop_turn(world.loop);
    ck_assert_ptr_nonnull(strstr(world_command("bridle.release", "test"), world.meta.name));
    ck_assert_ptr_nonnull(strstr(world_command("bridle.freeze", NULL), world.meta.name));
    ck_assert_ptr_nonnull(strstr(world_command("bridle.frozen", NULL), world.meta.name));
    ck_assert_ptr_nonnull(strstr(world_command("bridle.frozen", "-j"), "\"serving\":false"));
    ck_assert_ptr_null(record());
    world.target = NULL;
    meta_stop(&second, 0);
    meta_done(&second);
    config_done(&config);
}
END_TEST

/* Where nothing is written there is no release; a freeze counts all the same. */
START_TEST(at_a_level_without_writes)
{
    serve_temp("");
    made_until(is_frozen);
    ck_assert_str_eq(made_level(LEVEL_BLIND), "ERR_OK");
    ck_assert_ptr_nonnull(strstr(world_command("bridle.release", "test"), "ERROR: at this fun"));
    ck_assert_str_eq(made_level(LEVEL_STEADY), "ERR_OK");
    made_released();
    ck_assert_str_eq(made_level(LEVEL_BLIND), "ERR_OK");
    ck_assert_ptr_nonnull(strstr(world_command("bridle.freeze", NULL), "ERROR: frozen by this"));
    ck_assert(is_frozen());
    ck_assert_str_eq(made_level(LEVEL_STEADY), "ERR_OK");
    while (record())
        loop_turn(world.loop);
    ck_assert(is_frozen());
}
END_TEST

/* A freeze while a release waits for the store: the freeze wins. */
START_TEST(a_freeze_overtakes_a_release)
{
    serve_temp("");
    made_until(is_frozen);
    writer_hold(world.meta.writer, true);
    freeze_release(&world.meta, "test", "one", NULL);
    ck_assert_ptr_nonnull(strstr(freeze_why(&world.meta), "on its way"));
    freeze_release(&world.meta, "test", "two", NULL);
    freeze_take_back(&world.meta, "three", NULL);
    ck_assert_ptr_nonnull(strstr(freeze_why(&world.meta), "by three"));
    writer_hold(world.meta.writer, false);
    made_turns(50);
    ck_assert_ptr_null(record());
    ck_assert(is_frozen());
    made_released();
}
END_TEST

/* -- What a recovery leaves -------------------------------------------------------------------- */

START_TEST(a_recovery_freezes)
{
    record_put(GOOD);
    world_meta("  recover_from_replica_server: true\n");
    world_wait_state(META_RECOVERING);
    made_actors(1);
    actor_table(&world.actors[0], 1, "temp", 1, 1);
    actor_replica(&world.actors[0], 1, 0, 5, 9);
    made_beacon(&world.actors[0]);
    ck_assert_str_eq(world_recover(false, false).err, "ERR_OK");
    ck_assert_ptr_null(record());
    made_until(is_frozen);
}
END_TEST

/* -- Config syncs ------------------------------------------------------------------------------ */

enum { LATER = 1000, BEFORE = -1000 };

/* A dropped table 2 whose time is over, and a replica of it that its server told of. */
static const struct {
    const char *what;
    int64_t drop, expire; /* seconds from now; 0: not set */
    int32_t status;
    uint32_t flags;
    int primary;
    struct stored stored;
    bool frozen;
    int32_t level;
    bool collected;
} rows[] = {
#define TABLE BEFORE - 1, BEFORE, BR_TABLE_DROPPED, PARTITION_DROPPED, -1
    { "all is well", TABLE, { GONE, BR_ROLE_ERROR, 6, 9 }, false, LEVEL_LIVELY, true },
    { "inactive", TABLE, { GONE, BR_ROLE_INACTIVE, 6, 9 }, false, LEVEL_LIVELY, true },
    { "frozen", TABLE, { GONE, BR_ROLE_ERROR, 6, 9 }, true, LEVEL_LIVELY, false },
    { "steady", TABLE, { GONE, BR_ROLE_ERROR, 6, 9 }, false, LEVEL_STEADY, false },
    { "freezed", TABLE, { GONE, BR_ROLE_ERROR, 6, 9 }, false, LEVEL_FREEZED, false },
    { "still primary", TABLE, { GONE, BR_ROLE_PRIMARY, 6, 9 }, false, LEVEL_LIVELY, false },
    { "still secondary", TABLE, { GONE, BR_ROLE_SECONDARY, 6, 9 }, false, LEVEL_LIVELY, false },
    { "learning", TABLE, { GONE, BR_ROLE_LEARNER, 6, 9 }, false, LEVEL_LIVELY, false },
    { "splitting", TABLE, { GONE, BR_ROLE_SPLIT, 6, 9 }, false, LEVEL_LIVELY, false },
    { "the drop's ballot", TABLE, { GONE, BR_ROLE_ERROR, 7, 9 }, false, LEVEL_LIVELY, true },
    { "a higher ballot", TABLE, { GONE, BR_ROLE_ERROR, 8, 9 }, false, LEVEL_LIVELY, false },
    { "an available table's",
      TABLE,
      { { 1, 0 }, BR_ROLE_ERROR, 4, 9 },
      false,
      LEVEL_LIVELY,
      false },
    { "a split's child", TABLE, { { 2, 1 }, BR_ROLE_ERROR, 4, 9 }, false, LEVEL_LIVELY, false },
    { "unknown", TABLE, { { 7, 0 }, BR_ROLE_ERROR, 4, 9 }, false, LEVEL_LIVELY, false },
#undef TABLE
#define REPLICA { GONE, BR_ROLE_ERROR, 6, 9 }, false, LEVEL_LIVELY, false
    { "not over", BEFORE, LATER, BR_TABLE_DROPPED, PARTITION_DROPPED, -1, REPLICA },
    { "no expire_second", BEFORE, 0, BR_TABLE_DROPPED, PARTITION_DROPPED, -1, REPLICA },
    { "nobody dropped it", 0, BEFORE, BR_TABLE_DROPPED, PARTITION_DROPPED, -1, REPLICA },
    { "over before it was dropped", BEFORE, BEFORE - 1, BR_TABLE_DROPPED, PARTITION_DROPPED, -1,
      REPLICA },
    { "available", BEFORE - 1, BEFORE, BR_TABLE_AVAILABLE, 0, -1, REPLICA },
    { "with a primary", BEFORE - 1, BEFORE, BR_TABLE_DROPPED, PARTITION_DROPPED, 0, REPLICA },
#undef REPLICA
};

static int64_t when(int64_t offset)
{
    return offset ? (int64_t) time(NULL) + offset : 0;
}

static void serve_dropped(int i)
{
    made_actors(4);
    made_table(1, 1, 3);
    made_table(2, 1, 3);
    made_record(PID, 5, 0, (int[]){ 1, 2, -1 }, no_more)->committed = 9;
    made_record((struct gpid) GONE, 7, rows[i].primary, no_more, (int[]){ 0, 1, 2, -1 })->flags =
        rows[i].flags;
    struct br_table *def = made_def(2);
    def->status = rows[i].status;
    def->drop_second = when(rows[i].drop);
    def->expire_second = when(rows[i].expire);
    record_put(rows[i].frozen ? NULL : GOOD);
    made_serve(LIVELY, 0);
    made_until(rows[i].frozen ? is_frozen : is_released);
    ck_assert_str_eq(made_level(rows[i].level), "ERR_OK");
}

START_TEST(what_a_sync_names)
{
    struct msg_configuration_query_by_node_response response;
    serve_dropped(_i);
    for (int i = 0; i < 3; i++)
        made_sync(3, &rows[_i].stored, 1, &response);
    ck_assert_msg(response.gc_replicas.count == rows[_i].collected, "%s: %u are collected",
                  rows[_i].what, response.gc_replicas.count);
    ck_assert_int_eq(WIRE_HAS(&response, 3), rows[_i].collected);
    const char *told = strstr(made_logged(), "is told to collect replica 2.0");
    ck_assert_int_eq(told != NULL, rows[_i].collected);
    ck_assert_ptr_null(told ? strstr(told + 1, "is told to collect replica 2.0") : NULL);
    if (!rows[_i].collected)
        return;
    const struct msg_replica_info *list = response.gc_replicas.items;
    ck_assert_int_eq(list[0].pid.app_id, 2);
    ck_assert_int_eq(list[0].pid.partition, 0);
    ck_assert_str_eq(world_command("bridle.freeze", NULL), "OK");
    made_sync(3, &rows[_i].stored, 1, &response);
    ck_assert_uint_eq(response.gc_replicas.count, 0);
}
END_TEST

/* Beside a replica that nobody knows, nothing is named; and the same one is not named twice. */
START_TEST(what_a_sync_names_beside_others)
{
    static const struct stored stored[] = { { GONE, BR_ROLE_ERROR, 6, 9 },
                                            { GONE, BR_ROLE_ERROR, 6, 9 },
                                            { { 7, 0 }, 1, 6, 9 } };
    struct msg_configuration_query_by_node_response response;
    serve_dropped(0);
    made_sync(3, stored, 3, &response);
    ck_assert_str_eq(response.err, "ERR_OBJECT_NOT_FOUND");
    ck_assert_uint_eq(response.gc_replicas.count, 0);
    made_sync(3, stored, 2, &response);
    ck_assert_uint_eq(response.gc_replicas.count, 1);
}
END_TEST

/* How many a release would let go is told before it. */
START_TEST(ripe_replicas_are_counted)
{
    struct msg_configuration_query_by_node_response response;
    serve_dropped(2);
    made_sync(1, &rows[2].stored, 1, &response);
    made_sync(3, &rows[2].stored, 1, &response);
    ck_assert_ptr_nonnull(strstr(world_command("bridle.frozen", "-j"), "\"collectable\":2}"));
    ck_assert_ptr_nonnull(strstr(made_logged(), "1 replicas of dropped and expired tables on "));
    made_sync(1, NULL, 0, &response);
    ck_assert_ptr_nonnull(strstr(world_command("bridle.frozen", "-j"), "\"collectable\":1}"));
    made_dead(3);
    ck_assert_ptr_nonnull(strstr(world_command("bridle.frozen", "-j"), "\"collectable\":0}"));
}
END_TEST

TCase *meta_freeze_cases(void)
{
    TCase *tcase = tcase_create("freeze");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, made_setup, made_teardown);
    tcase_add_loop_test(tcase, the_record_decides, 0, sizeof records / sizeof *records);
    tcase_add_loop_test(tcase, a_record_has_an_end, 0, 2);
    tcase_add_loop_test(tcase, a_store_that_cannot_say, 0, 2);
    tcase_add_test(tcase, a_record_that_somebody_deletes);
    tcase_add_test(tcase, an_empty_root_is_frozen);
    tcase_add_test(tcase, released_and_frozen_again);
    tcase_add_test(tcase, a_follower_says_who_leads);
    tcase_add_test(tcase, at_a_level_without_writes);
    tcase_add_test(tcase, a_freeze_overtakes_a_release);
    tcase_add_test(tcase, a_recovery_freezes);
    tcase_add_loop_test(tcase, what_a_sync_names, 0, sizeof rows / sizeof *rows);
    tcase_add_test(tcase, what_a_sync_names_beside_others);
    tcase_add_test(tcase, ripe_replicas_are_counted);
    return tcase;
}
