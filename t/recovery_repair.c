/* recovery_repair -- what somebody left half done: the loader finds it, writes nothing, and hands
 * it over.  And how far a long load is.
 */
#include "t/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

struct repaired {
    bool done;
    struct cluster *cluster;
    struct fail fail;
    char text[256]; /* "0.1 recall, 0.2 drop": table index, partition, kind */
    uint32_t count;
    bool sorted;
};

static void repaired_take(void *arg, struct cluster *cluster, const struct fail *fail);

/* Load it and take the repairs along; the handle is needed inside done. */
static struct load *repaired_load;

static void repaired_run(struct plugin *store, struct repaired *ret)
{
    *ret = (struct repaired){ .sorted = true };
    repaired_load = load_start(recovery_loop, store, "/c", repaired_take, ret);
    while (!ret->done)
        loop_turn(recovery_loop);
}

static void repaired_take(void *arg, struct cluster *cluster, const struct fail *fail)
{
    static const char *const kinds[] = { "", "create", "recall", "drop", "split" };
    struct repaired *repaired = arg;
    repaired->done = true;
    repaired->cluster = cluster;
    if (fail)
        repaired->fail = *fail;
    if (!cluster)
        return;
    const struct repair *repairs = load_repairs(repaired_load, &repaired->count);
    if (repaired->count)
        load_tell_repairs(repaired_load, cluster);
    ck_assert((repairs == NULL) == (repaired->count == 0));
    struct buf text = { 0 };
    for (uint32_t i = 0; i < repaired->count; i++) {
        const struct repair *a = &repairs[i];
        const struct repair *b = i ? &repairs[i - 1] : NULL;
        if (b)
            repaired->sorted &=
                a->table > b->table || (a->table == b->table && a->partition > b->partition);
        if (i < 8)
            buf_printf(&text, "%s%u.%d %s", i ? ", " : "", a->table, a->partition, kinds[a->kind]);
    }
    snprintf(repaired->text, sizeof repaired->text, "%s", buf_string(&text));
    buf_done(&text);
}

/* -- Tables of partitions -----------------------------------------------------------------------
 */

static const struct repair_row {
    const char *name;
    int32_t status;
    int32_t init_count;
    const char *records; /* a letter each: l live, d flagged as dropped, - missing */
    const char *repairs;
    const char *ballots; /* as loaded: 5 what was written, 0 new, n none */
    const char *logged;  /* part of a line */
} repair_rows[] = {
    { "a whole table", BR_TABLE_AVAILABLE, 4, "llll", "", "5555", NULL },
    { "a whole dropped table", BR_TABLE_DROPPED, 4, "dddd", "", "5555", NULL },
    { "half created", BR_TABLE_AVAILABLE, 4, "l--l", "0.1 create, 0.2 create", "5005",
      "2 partition records below /c/apps, the first is /c/apps/7/1, are missing" },
    { "half created, by an old version", BR_TABLE_AVAILABLE, -1, "lll-", "0.3 create", "5550",
      "1 partition records below /c/apps, the first is /c/apps/7/3, are missing" },
    { "nothing created", BR_TABLE_AVAILABLE, 2, "--", "0.0 create, 0.1 create", "00", "missing" },
    { "half recalled", BR_TABLE_AVAILABLE, 4, "lldd", "0.2 recall, 0.3 recall", "5555",
      "2 partition records below /c/apps, the first is /c/apps/7/2, are flagged as dropped" },
    { "half dropped", BR_TABLE_DROPPED, 4, "ddld", "0.2 drop", "5555",
      "1 partition records below /c/apps, the first is /c/apps/7/2, are not flagged" },
    { "half created and dropped", BR_TABLE_DROPPED, 4, "d-ll", "0.1 create, 0.2 drop, 0.3 drop",
      "5055", "not flagged" },
    { "being split", BR_TABLE_AVAILABLE, 2, "ll-l", "0.2 split", "55n5",
      "1 partition records below /c/apps, the first is /c/apps/7/2, are missing: they count as "
      "children" },
    { "being split, and half created", BR_TABLE_AVAILABLE, 2, "l---",
      "0.1 create, 0.2 split, 0.3 split", "50nn", "children" },
    /* Neither below its first count nor in the upper half: Apache Pegasus forgets to do anything.
     */
    { "split twice, an old one missing", BR_TABLE_AVAILABLE, 1, "ll-lllll", "0.2 create",
      "55055555", "missing" },
};

static void repair_put(struct plugin *store, const char *path, struct buf *value)
{
    buf_char(value, '\0');
    ck_assert_int_eq(recovery_write(store, BR_CREATE, path, value->data), BR_OK);
    buf_clear(value);
}

static void repair_make(struct plugin *store, const struct repair_row *row)
{
    struct cluster cluster;
    struct buf value = { 0 }, path = { 0 };
    static const int32_t members[] = { 1, 2 };
    cluster_init(&cluster);
    for (int i = 1; i <= 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "10.0.0.%d:34801", i);
        cluster_node_add(&cluster, name, 0);
    }
    int32_t count = (int32_t) strlen(row->records);
    struct br_table def = { .id = 7,
                            .status = row->status,
                            .partition_count = count,
                            .init_partition_count = row->init_count,
                            .replica_count = 3,
                            .name = "t",
                            .type = "pegasus" };
    ck_assert_int_eq(recovery_write(store, BR_CREATE, "/c", ""), BR_OK);
    ck_assert_int_eq(recovery_write(store, BR_CREATE, "/c/apps", "unlock"), BR_OK);
    layout_put_table(&value, &def, LAYOUT_26);
    repair_put(store, "/c/apps/7", &value);
    for (int32_t i = 0; i < count; i++) {
        struct partition partition = { .ballot = 5,
                                       .primary = 0,
                                       .secondary_count = 2,
                                       .members = members,
                                       .flags = row->records[i] == 'd' };
        buf_clear(&path);
        layout_partition_path(&path, "/c", 7, i);
        layout_put_partition(&value, &cluster, 7, 3, i, &partition, LAYOUT_26);
        if (row->records[i] != '-')
            repair_put(store, path.data, &value);
        buf_clear(&value);
    }
    buf_done(&path);
    buf_done(&value);
    cluster_done(&cluster);
}

START_TEST(repairs_are_found)
{
    const struct repair_row *row = &repair_rows[_i];
    struct plugin *store = recovery_store("memory", NULL);
    struct repaired repaired;
    repair_make(store, row);
    char *before = recovery_dump(store, "/c", true);
    repaired_run(store, &repaired);
    ck_assert_msg(repaired.cluster != NULL, "%s: %s", row->name, repaired.fail.text);
    ck_assert_msg(strcmp(repaired.text, row->repairs) == 0, "%s: %s", row->name, repaired.text);
    for (size_t i = 0; row->records[i]; i++) {
        const struct partition *partition = &repaired.cluster->tables[0].partitions[i];
        int64_t ballot = row->ballots[i] == 'n' ? BR_BALLOT_INVALID : row->ballots[i] - '0';
        bool dropped =
            row->records[i] == 'd' || (row->records[i] == '-' && row->status == BR_TABLE_DROPPED);
        ck_assert_int_eq(partition->ballot, ballot);
        ck_assert_int_eq(partition->flags, dropped);
        ck_assert_int_eq(partition->primary, row->records[i] == '-' ? -1 : 0);
    }
    ck_assert_msg(!row->logged || strstr(recovery_logged(), row->logged), "%s: %s", row->name,
                  recovery_logged());
    ck_assert_msg(row->logged || !strstr(recovery_logged(), "partition records"), "%s", row->name);
    char *after = recovery_dump(store, "/c", true);
    ck_assert_str_eq(after, before);
    free(before);
    free(after);
    recovery_free(repaired.cluster);
    recovery_close(store);
}
END_TEST

/* More than one read's worth, found in whatever order the reads are answered. */
START_TEST(repairs_are_sorted)
{
    enum { COUNT = 5000 };
    struct plugin *store = recovery_store("memory", NULL);
    struct repaired repaired;
    char records[COUNT + 1];
    memset(records, 'l', COUNT);
    records[COUNT] = '\0';
    for (int i = 0; i < COUNT; i += 2)
        records[i] = i % 4 ? 'd' : '-';
    repair_make(store, &(struct repair_row){
                           .status = BR_TABLE_AVAILABLE, .init_count = COUNT, .records = records });
    repaired_run(store, &repaired);
    ck_assert_ptr_nonnull(repaired.cluster);
    ck_assert_uint_eq(repaired.count, COUNT / 2);
    ck_assert(repaired.sorted);
    recovery_free(repaired.cluster);
    recovery_close(store);
}
END_TEST

/* -- Progress ------------------------------------------------------------------------------------
 */

#define DEADLINE (900 * BR_MILLISECOND) /* shorter than until the first line */

static struct slow {
    struct plugin *inner;
    const char *const *paths;
    uint32_t count;
    struct br_call *call; /* held back */
    int left;             /* reads until then */
} slow;

static void slow_read(struct br_env *env, const char *const *paths, uint32_t count,
                      struct br_call *call)
{
    (void) env;
    if (slow.left-- == 0)
        slow = (struct slow){ slow.inner, paths, count, call, slow.left };
    else
        slow.inner->ops.store.read(&slow.inner->owner.env, paths, count, call);
}

static void slow_list(struct br_env *env, const char *path, struct br_call *call)
{
    (void) env;
    slow.inner->ops.store.list(&slow.inner->owner.env, path, call);
}

static const struct br_store slow_store = { .read = slow_read, .list = slow_list };

BR_PLUGIN(store, slow, &slow_store, .summary = "A store that takes its time.", .version = "1",
          .license = "Apache-2.0");

static const struct {
    int left; /* which read takes long: 0 apps, 1 tables, 2 and 3 partitions */
    const char *line;
} progress_rows[] = {
    { 1, "loading: 0 of 1 tables" },
    { 2, "loading: 476 of 1500 partitions" },
    { 3, "loading: 1024 of 1500 partitions" },
};

/* The line comes though nothing else does; and the read, though it takes longer than a call of the
 * store may, is not given up, since it may have been the last of several. */
START_TEST(progress_is_told)
{
    struct repaired repaired = { 0 };
    char records[1501];
    memset(records, 'l', 1500);
    records[1500] = '\0';
    slow = (struct slow){ .inner = recovery_store("memory", NULL), .left = progress_rows[_i].left };
    repair_make(
        slow.inner,
        &(struct repair_row){ .status = BR_TABLE_AVAILABLE, .init_count = 3, .records = records });
    struct plugin *store = recovery_open(&bridle_store_slow, NULL);
    store->deadline = DEADLINE;
    repaired_load = load_start(recovery_loop, store, "/c", repaired_take, &repaired);
    while (!strstr(recovery_logged(), progress_rows[_i].line)) {
        ck_assert(!repaired.done);
        loop_turn(recovery_loop);
    }
    slow.inner->ops.store.read(&slow.inner->owner.env, slow.paths, slow.count, slow.call);
    while (!repaired.done)
        loop_turn(recovery_loop);
    ck_assert_msg(repaired.cluster != NULL, "%s", repaired.fail.text);
    recovery_free(repaired.cluster);
    recovery_close(store);
    recovery_close(slow.inner);
}
END_TEST

TCase *recovery_repair_cases(void)
{
    TCase *tcase = tcase_create("repair");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, recovery_setup, recovery_teardown);
    tcase_add_loop_test(tcase, repairs_are_found, 0,
                        (int) (sizeof repair_rows / sizeof *repair_rows));
    tcase_add_test(tcase, repairs_are_sorted);
    tcase_add_loop_test(tcase, progress_is_told, 0,
                        (int) (sizeof progress_rows / sizeof *progress_rows));
    return tcase;
}
