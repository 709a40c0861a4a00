/* recovery_load -- roots that Apache Pegasus serves and roots that it dies of (
 * 3.9): a cluster, or one sentence with the path.  And verify, field by field.
 */
#include "t/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/rows.h"

#define TABLE(id, status, count, more)                                                             \
    "{\"status\":\"app_status::" status "\",\"app_type\":\"pegasus\",\"app_name\":\"temp\","       \
    "\"app_id\":" id ",\"partition_count\":" count ",\"envs\":{},\"is_stateful\":1,"               \
    "\"max_replica_count\":3" more "}"
#define GOOD TABLE("2", "AS_AVAILABLE", "2", "")
#define PARTITION(pid)                                                                             \
    "{\"pid\":\"" pid "\",\"ballot\":5,\"max_replica_count\":3,\"primary\":\"10.0.0.1:34801\","    \
    "\"secondaries\":[],\"last_drops\":[\"10.0.0.2:34801\"],\"last_committed_decree\":7,"          \
    "\"partition_flags\":0}"

static const struct load_row {
    const char *name;
    const char *apps;  /* NULL: not there */
    const char *child; /* of `apps`; NULL: none */
    const char *table; /* its value */
    const char *zero;  /* the value of its partition 0; NULL: not there */
    br_status status;  /* BR_OK: it loads */
    const char *words; /* of the sentence, path included */
} load_rows[] = {
    { "nothing", NULL, NULL, NULL, NULL, BR_NOTFOUND, "/c/apps: it is not there" },
    { "childless", "unlock", NULL, NULL, NULL, BR_OK, "" },
    { "good", "unlock", "2", GOOD, PARTITION("2.0"), BR_OK, "" },
    { "good, empty value", "", "2", GOOD, PARTITION("2.0"), BR_OK, "" },
    { "dropped", "", "2", TABLE("2", "AS_DROPPED", "2", ""), PARTITION("2.0"), BR_OK, "" },
    { "abort 2: lock", "lock", "2", GOOD, PARTITION("2.0"), BR_CORRUPT,
      "/c/apps: invalid transaction state(lock)" },
    { "abort 2: a value as long", "locked", "2", GOOD, NULL, BR_CORRUPT, "state(locked)" },
    { "abort 2: a long value", "0123456789abcdefghijklmnopqrst\x7fz", "2", GOOD, NULL, BR_CORRUPT,
      "state(0123456789abcdefghijklmnopqrst?)" },
    { "abort 2: another value", "\x01why", "2", GOOD, NULL, BR_CORRUPT, "state(?why)" },
    { "abort 4: no JSON", "unlock", "2", "{\"status\":", PARTITION("2.0"), BR_CORRUPT,
      "/c/apps/2: " },
    { "abort 4: empty", "unlock", "2", "", NULL, BR_CORRUPT, "/c/apps/2: " },
    { "abort 4: a wrong type", "unlock", "2", TABLE("2", "AS_AVAILABLE", "\"two\"", ""), NULL,
      BR_CORRUPT, "/c/apps/2: the record's key 'partition_count'" },
    { "abort 5: creating", "unlock", "2", TABLE("2", "AS_CREATING", "2", ""), NULL, BR_CORRUPT,
      "/c/apps/2: invalid status(2) for app(temp) in remote storage" },
    { "abort 5: nameless", "unlock", "2", "{\"app_id\":2,\"status\":\"app_status::AS_CREATING\"}",
      NULL, BR_CORRUPT, "/c/apps/2: invalid status(2) for app()" },
    { "abort 15: no replicas", "unlock", "2",
      "{\"status\":\"app_status::AS_AVAILABLE\",\"app_type\":\"pegasus\",\"app_name\":\"temp\","
      "\"app_id\":2,\"partition_count\":2,\"max_replica_count\":0}",
      NULL, BR_CORRUPT, "/c/apps/2: max_replica_count 0 is not positive" },
    { "abort 5: unknown", "unlock", "2", TABLE("2", "AS_RESTING", "2", ""), NULL, BR_CORRUPT,
      "/c/apps/2: invalid status(0)" },
    { "abort 6: another pid", "unlock", "2", GOOD, PARTITION("2.1"), BR_CORRUPT,
      "/c/apps/2/0: invalid partition config: the record says pid 2.1" },
    { "abort 6: another table's", "unlock", "2", GOOD, PARTITION("3.0"), BR_CORRUPT,
      "/c/apps/2/0: invalid partition config" },
    { "abort 6: no JSON", "unlock", "2", GOOD, "nothing", BR_CORRUPT, "/c/apps/2/0: " },
    { "abort 6: empty", "unlock", "2", GOOD, "", BR_CORRUPT, "/c/apps/2/0: " },
    { "another app_id", "unlock", "3", GOOD, NULL, BR_CORRUPT,
      "/c/apps/3: the record says app_id 2" },
    { "a name that is no id", "unlock", "journal", "{}", NULL, BR_CORRUPT, "/c/apps/journal: " },
    { "a name with a zero before it", "unlock", "02", GOOD, NULL, BR_CORRUPT, "/c/apps/02: " },
    { "id 0", "unlock", "0", GOOD, NULL, BR_CORRUPT, "/c/apps/0: " },
    { "the highest id", "unlock", "65536", TABLE("65536", "AS_AVAILABLE", "1", ""), NULL, BR_OK,
      "" },
    { "one more", "unlock", "65537", TABLE("65537", "AS_AVAILABLE", "1", ""), NULL, BR_CORRUPT,
      "/c/apps/65537: " },
    { "abort 13: no partitions", "unlock", "2", TABLE("2", "AS_AVAILABLE", "0", ""), NULL,
      BR_CORRUPT, "/c/apps/2: partition_count 0" },
    { "abort 13: fewer than none", "unlock", "2", TABLE("2", "AS_AVAILABLE", "-8", ""), NULL,
      BR_CORRUPT, "/c/apps/2: partition_count" },
    { "abort 13: absurdly many", "unlock", "2", TABLE("2", "AS_AVAILABLE", "1048577", ""), NULL,
      BR_CORRUPT, "/c/apps/2: partition_count 1048577" },
};

#define LOAD_ROWS ((int) (sizeof load_rows / sizeof *load_rows))

static void load_put(struct plugin *store, const char *path, const char *value)
{
    ck_assert_int_eq(recovery_write(store, BR_CREATE, path, value), BR_OK);
}

static void load_make(struct plugin *store, const struct load_row *row)
{
    char path[64];
    load_put(store, "/c", "");
    if (row->apps)
        load_put(store, "/c/apps", row->apps);
    if (!row->child)
        return;
    snprintf(path, sizeof path, "/c/apps/%s", row->child);
    load_put(store, path, row->table);
    snprintf(path, sizeof path, "/c/apps/%s/duplication", row->child);
    load_put(store, path, "");
    snprintf(path, sizeof path, "/c/apps/%s/7", row->child);
    load_put(store, path, "beyond the count");
    snprintf(path, sizeof path, "/c/apps/%s/0", row->child);
    if (row->zero)
        load_put(store, path, row->zero);
}

START_TEST(load_table_of_roots)
{
    const struct load_row *row = &load_rows[_i];
    struct plugin *store = recovery_store("memory", NULL);
    struct fail fail = { .status = BR_OK };
    load_make(store, row);
    struct cluster *cluster = recovery_load(store, "/c", &fail);
    ck_assert_msg(fail.status == row->status, "%s: %d %s", row->name, fail.status, fail.text);
    if (row->status) {
        ck_assert_msg(strstr(fail.text, row->words) != NULL, "%s: %s", row->name, fail.text);
        ck_assert_ptr_null(strchr(fail.text, '\n'));
    } else if (row->zero) {
        const struct partition *p = cluster->tables[0].partitions;
        ck_assert_int_eq(p[0].ballot, 5);
        ck_assert_int_eq(p[0].committed, 7);
        ck_assert_str_eq(cluster->nodes[p[0].primary].name, "10.0.0.1:34801");
        ck_assert_int_eq(p[0].drop_count, 1);
        ck_assert_int_eq(p[1].ballot, 0);
        ck_assert_int_eq(p[1].primary, -1);
        ck_assert_int_eq(p[1].secondary_count + p[1].drop_count, 0);
        ck_assert_ptr_nonnull(strstr(recovery_logged(), "1 partition records below /c/apps, the "
                                                        "first is /c/apps/2/1, are missing"));
    }
    recovery_free(cluster);
    recovery_close(store);
}
END_TEST

/* A record that is missing in the upper half of a table that is being split is a split's child. */
START_TEST(load_split)
{
    struct plugin *store = recovery_store("memory", NULL);
    struct fail fail;
    load_make(store, &(struct load_row){
                         .apps = "unlock",
                         .child = "2",
                         .table = TABLE("2", "AS_AVAILABLE", "4", ",\"init_partition_count\":2") });
    struct cluster *cluster = recovery_load(store, "/c", &fail);
    ck_assert_ptr_nonnull(cluster);
    static const int64_t ballots[] = { 0, 0, BR_BALLOT_INVALID, BR_BALLOT_INVALID };
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(cluster->tables[0].partitions[i].ballot, ballots[i]);
    recovery_free(cluster);
    recovery_close(store);
}
END_TEST

/* More partitions than a cluster may have are refused before memory is taken for them. */
START_TEST(load_limit)
{
    for (int more = 0; more < 2; more++) {
        struct plugin *store = recovery_store("memory", NULL);
        struct fail fail = { .status = BR_OK };
        load_put(store, "/c", "");
        load_put(store, "/c/apps", "unlock");
        int tables = CLUSTER_PARTITIONS_MAX / BR_PARTITIONS_MAX + 1;
        for (int i = 1; i <= tables; i++) {
            struct br_table def = { .id = i,
                                    .status = BR_TABLE_AVAILABLE,
                                    .partition_count = i < tables ? BR_PARTITIONS_MAX : 1,
                                    .replica_count = 3,
                                    .name = "t",
                                    .type = "pegasus" };
            struct buf path = { 0 };
            struct buf value = { 0 };
            if (i == 1 && !more)
                def.partition_count = 1000000000;
            layout_table_path(&path, "/c", i);
            layout_put_table(&value, &def, LAYOUT_26);
            buf_char(&value, '\0');
            load_put(store, path.data, value.data);
            buf_done(&path);
            buf_done(&value);
        }
        recovery_free(recovery_load(store, "/c", &fail));
        ck_assert_int_eq(fail.status, more ? BR_TOOBIG : BR_CORRUPT);
        recovery_close(store);
    }
}
END_TEST

/* Many tables: more than one read of table records, several reads in flight. */
START_TEST(load_many_tables)
{
    struct plugin *store = recovery_store("memory", NULL);
    struct cluster cluster;
    struct plan plan;
    struct fail fail;
    recovery_cluster(&cluster, 77, 3000, 3);
    plan_make(&plan, &cluster, "/c", LAYOUT_26);
    struct applied applied = recovery_apply(store, &plan, NULL);
    ck_assert_msg(applied.status == BR_OK, "%s", applied.text);
    struct cluster *found = recovery_load(store, "/c", &fail);
    ck_assert_msg(found != NULL, "%s", fail.text);
    ck_assert_msg(verify_cluster(&cluster, found, LAYOUT_26, &fail) == BR_OK, "%s", fail.text);
    recovery_free(found);
    cluster_done(&cluster);
    recovery_close(store);
}
END_TEST

static void load_never(void *arg, struct cluster *cluster, const struct fail *fail)
{
    (void) arg;
    (void) cluster;
    (void) fail;
    ck_abort_msg("done was called after the cancel");
}

START_TEST(load_canceled)
{
    struct plugin *store = recovery_store("memory", NULL);
    load_make(store, &load_rows[2]);
    struct load *load = load_start(recovery_loop, store, "/c", load_never, NULL);
    for (int i = 0; i < _i; i++)
        loop_turn(recovery_loop);
    load_cancel(load);
    load_cancel(NULL);
    recovery_look(store, "/c");
    recovery_close(store);
}
END_TEST

/* -- A store that fails: abort site 3 ------------------------------------------------------------
 */

START_TEST(abort_3)
{
    struct fail fail;
    struct plugin *inner = recovery_store("memory", NULL);
    load_make(inner, &load_rows[2]);
    struct plugin *store = recovery_sick(inner);
    static const struct {
        int left;
        enum sickness sickness;
        br_status status;
        const char *words;
    } rows[] = {
        { 0, SICK_DENIES, BR_DENIED, "/c/apps: " },
        { 1, SICK_DENIES, BR_DENIED, "/c/apps: " },
        { 2, SICK_DENIES, BR_DENIED, "/c/apps: " },
        { 3, SICK_DENIES, BR_DENIED, "/c/apps: " },
        { 0, SICK_FEW, BR_CORRUPT, "/c/apps: " },
        { 2, SICK_FEW, BR_CORRUPT, "/c/apps: " },
        { 3, SICK_FEW, BR_CORRUPT, "/c/apps: " },
        { 0, SICK_FORGETS, BR_NOTFOUND, "/c/apps: it is not there" },
        { 2, SICK_FORGETS, BR_CORRUPT, "/c/apps/2: the record vanished while it was read" },
        { 1, SICK_TWICE, BR_INTERNAL, "/c/apps/7: the store listed it twice" },
        { 1, SICK_MANY, BR_TOOBIG, "/c/apps: it has 65537 children, more than 65536" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        recovery_sicken(rows[i].left, rows[i].sickness);
        ck_assert_ptr_null(recovery_load(store, "/c", &fail));
        ck_assert_int_eq(fail.status, rows[i].status);
        ck_assert_msg(strstr(fail.text, rows[i].words) != NULL, "row %zu: %s", i, fail.text);
    }
    recovery_sicken(100, SICK_DENIES);
    struct cluster *cluster = recovery_load(store, "/c", &fail);
    ck_assert_ptr_nonnull(cluster);
    recovery_free(cluster);
    recovery_close(store);
    recovery_close(inner);
}
END_TEST

/* -- Verify ------------------------------------------------------------------------------------ */

static void change_id(struct cluster *c)
{
    c->tables[1].def.id++;
}
static void change_status(struct cluster *c)
{
    c->tables[1].def.status = BR_TABLE_CREATING;
}
static void change_name(struct cluster *c)
{
    c->tables[1].def.name = "another";
}
static void change_no_name(struct cluster *c)
{
    c->tables[1].def.name = NULL;
}
static void change_type(struct cluster *c)
{
    c->tables[1].def.type = "another";
}
static void change_env(struct cluster *c)
{
    static const char *const envs[] = { "default_ttl", "1" };
    c->tables[0].def.envs = envs;
}
static void change_env_key(struct cluster *c)
{
    static const char *const envs[] = { "another", "86400" };
    c->tables[0].def.envs = envs;
}
static void change_env_count(struct cluster *c)
{
    c->tables[0].def.env_count = 0;
}
static void change_init(struct cluster *c)
{
    c->tables[1].def.init_partition_count = -1;
}
static void change_replicas(struct cluster *c)
{
    c->tables[1].def.replica_count = 5;
}
static void change_expire(struct cluster *c)
{
    c->tables[1].def.expire_second = 5;
}
static void change_create(struct cluster *c)
{
    c->tables[1].def.create_second++;
}
static void change_drop(struct cluster *c)
{
    c->tables[1].def.drop_second = 5;
}
static void change_flags(struct cluster *c)
{
    c->tables[1].def.flags |= BR_TABLE_DUPLICATING;
}
static void change_count(struct cluster *c)
{
    c->tables[1].def.partition_count--;
}
static void change_tables(struct cluster *c)
{
    c->table_count--;
}
static void change_ballot(struct cluster *c)
{
    c->tables[1].partitions[0].ballot++;
}
static void change_committed(struct cluster *c)
{
    c->tables[1].partitions[0].committed++;
}
static void change_pflags(struct cluster *c)
{
    c->tables[1].partitions[0].flags = PARTITION_DROPPED;
}
static void change_primary(struct cluster *c)
{
    int32_t *primary = &c->tables[1].partitions[0].primary;
    *primary = *primary == 0 ? 1 : 0;
}
static void change_no_primary(struct cluster *c)
{
    c->tables[1].partitions[0].primary = -1;
}
static void change_secondary(struct cluster *c)
{
    static const int32_t members[] = { 0, 0, 0 };
    c->tables[1].partitions[0].members = members;
}
static void change_secondaries(struct cluster *c)
{
    c->tables[1].partitions[0].secondary_count--;
}
static void change_drops(struct cluster *c)
{
    c->tables[1].partitions[0].drop_count--;
}
static void change_preplicas(struct cluster *c)
{
    c->tables[1].partitions[0].replica_count = 9;
}
static void change_atomic(struct cluster *c)
{
    c->tables[1].def.flags |= BR_TABLE_ATOMIC_IDEMPOTENT;
}

static const struct {
    void (*change)(struct cluster *c);
    const char *words;
    bool not_25; /* the older layout does not keep it */
} verify_rows[] = {
    { change_tables, "number of tables is 2", false },
    { change_id, "app_id is", false },
    { change_status, "status is 2 in the store", false },
    { change_name, "app_name is \"another\"", false },
    { change_no_name, "app_name is \"\" in the store", false },
    { change_type, "app_type is", false },
    { change_env, "default_ttl is \"1\" in the store, \"86400\" was planned", false },
    { change_env_key, "env default_ttl is not", false },
    { change_env_count, "number of envs", false },
    { change_init, "init_partition_count is -1", false },
    { change_replicas, "max_replica_count is 5", false },
    { change_expire, "expire_second is 5", false },
    { change_create, "create_second is", false },
    { change_drop, "drop_second is 5", false },
    { change_flags, "flags is", false },
    { change_count, "partition_count is", false },
    { change_ballot, ".0: ballot is", false },
    { change_committed, ".0: last_committed_decree is", false },
    { change_pflags, ".0: partition_flags is 1", false },
    { change_primary, ".0: primary is", false },
    { change_no_primary, ".0: primary is \"\"", false },
    { change_secondary, ".0: a secondary is", false },
    { change_secondaries, ".0: number of secondaries is 1", false },
    { change_drops, ".0: number of last_drops is 0", false },
    { change_preplicas, ".0: max_replica_count is 9", false },
    { change_atomic, "flags is", true },
};

static void verify_prepare(struct cluster *cluster)
{
    recovery_cluster(cluster, 21, 3, 5);
    static const int32_t members[] = { 3, 4, 5 };
    cluster->tables[0].def.env_count = 1;
    cluster->tables[1].partitions[0] = (struct partition){
        .ballot = 4, .primary = 2, .secondary_count = 2, .drop_count = 1, .members = members
    };
}

START_TEST(verify_fields)
{
    struct cluster planned;
    struct cluster found;
    struct fail fail = { .text = "" };
    verify_prepare(&planned);
    verify_prepare(&found);
    for (int version = LAYOUT_25; version <= LAYOUT_26; version++)
        ck_assert_int_eq(verify_cluster(&planned, &found, (enum layout_version) version, NULL),
                         BR_OK);
    verify_rows[_i].change(&found);
    ck_assert_int_eq(verify_cluster(&planned, &found, LAYOUT_26, &fail), BR_CONFLICT);
    ck_assert_msg(strstr(fail.text, verify_rows[_i].words) != NULL, "%s", fail.text);
    ck_assert_int_eq(verify_cluster(&found, &planned, LAYOUT_26, NULL), BR_CONFLICT);
    ck_assert_int_eq(verify_cluster(&planned, &found, LAYOUT_25, NULL),
                     verify_rows[_i].not_25 ? BR_OK : BR_CONFLICT);
    cluster_done(&planned);
    cluster_done(&found);
}
END_TEST

/* -- Rows -------------------------------------------------------------------------------------- */

/* Chunks of another kind and empty ones are stepped over. */
START_TEST(rows_walk)
{
    const char *const names[] = { "a", "b" };
    const struct br_value value = { .version = 7 };
    struct br_chunk chunks[4] = {
        { .kind = BR_ROW_VALUE, .row_size = sizeof value, .count = 1, .rows = &value },
        { .kind = BR_ROW_NAME, .row_size = sizeof *names },
        { .kind = BR_ROW_NAME, .row_size = sizeof *names, .count = 2, .rows = names },
        { .kind = BR_ROW_VALUE, .row_size = sizeof value, .count = 1, .rows = &value },
    };
    for (int i = 0; i < 3; i++)
        chunks[i].next = &chunks[i + 1];
    const struct call_answer answer = { .chunks = chunks };
    struct rows rows = rows_of(&answer);
    ck_assert_str_eq(rows_name(&rows), "a");
    ck_assert_str_eq(rows_name(&rows), "b");
    ck_assert_ptr_null(rows_name(&rows));
    rows = rows_of(&answer);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(rows_value(&rows)->version, 7);
    ck_assert_ptr_null(rows_value(&rows));
    ck_assert_uint_eq(rows_count(&answer, BR_ROW_NAME), 2);
    ck_assert_uint_eq(rows_count(&answer, BR_ROW_TABLE), 0);
}
END_TEST

START_TEST(rows_numbers)
{
    static const struct {
        const char *name;
        int32_t number;
    } rows[] = {
        { "0", 0 },   { "9", 9 },  { "10", 10 }, { "11", -1 }, { "00", -1 },
        { "01", -1 }, { "", -1 },  { "-1", -1 }, { "1a", -1 }, { "4294967297", -1 },
        { ":", -1 },  { "a", -1 }, { "1 ", -1 }, { " 1", -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_int_eq(rows_number(rows[i].name, 10), rows[i].number);
}
END_TEST

TCase *recovery_load_cases(void)
{
    TCase *tcase = tcase_create("load");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, recovery_setup, recovery_teardown);
    tcase_add_loop_test(tcase, load_table_of_roots, 0, LOAD_ROWS);
    tcase_add_test(tcase, load_split);
    tcase_add_test(tcase, load_limit);
    tcase_add_test(tcase, load_many_tables);
    tcase_add_loop_test(tcase, load_canceled, 0, 4);
    tcase_add_test(tcase, abort_3);
    tcase_add_test(tcase, rows_walk);
    tcase_add_test(tcase, rows_numbers);
    tcase_add_loop_test(tcase, verify_fields, 0, (int) (sizeof verify_rows / sizeof *verify_rows));
    return tcase;
}
