/* data_store -- one replica's database: opening, closing, checkpoints, and what is left of it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/data/store_run.h"
#include "t/data.h"

#define FACT_VERSION "pegasus_data_version"
#define FACT_FLUSHED "pegasus_last_flushed_decree"

static br_status open_at(const char *path, struct data_store **store)
{
    return data_store_open(kit.shared, path, store, &kit.fail);
}

static void reopen(void)
{
    data_store_close(kit.store);
    ck_assert_msg(open_at(kit_path("rdb"), &kit.store) == BR_OK, "%s", kit.fail.text);
}

static const char *stored(void)
{
    uint32_t expires;
    return kit_stored("h", "s", &expires);
}

/* -- Opening ---------------------------------------------------------------------------------- */

START_TEST(a_new_one)
{
    struct buf all = { 0 };
    ck_assert_int_eq(data_store_flushed(kit.store), 0);
    ck_assert_int_eq(data_store_estimate(kit.store), 0);
    kit_all(kit.store, &all);
    ck_assert_uint_eq(all.size, 0);
    reopen();
    ck_assert_int_eq(data_store_flushed(kit.store), 0);
}
END_TEST

START_TEST(closed_and_opened)
{
    kit_put("h", "s", "one", 0);
    kit_put("h", "t", "two", KIT_SECONDS + 1);
    ck_assert_int_eq(data_store_flushed(kit.store), 0); /* when it was opened */
    ck_assert_int_eq(data_store_estimate(kit.store), 2);
    reopen();
    ck_assert_int_eq(data_store_flushed(kit.store), 2);
    ck_assert_str_eq(stored(), "one");
    data_store_remove(kit.store, kit_key("h", "s"));
    ck_assert_str_eq(stored(), "one"); /* gathered, not committed */
    ck_assert_int_eq(data_store_commit(kit.store, 1000000000000, &kit.fail), BR_OK);
    data_store_put(kit.store, kit_key("h", "s"), B("never"), 0, 0);
    reopen();
    ck_assert_int_eq(data_store_flushed(kit.store), 1000000000000);
    ck_assert_str_eq(stored(), "(none)");
}
END_TEST

START_TEST(nowhere)
{
    struct data_store *store = kit.store;
    int fd = open(kit_path("file"), O_WRONLY | O_CREAT, 0666);
    ck_assert_int_ge(fd, 0);
    close(fd);
    const char *path = _i ? kit_path("none/rdb") : kit_path("file");
    ck_assert_int_eq(open_at(path, &store), BR_CORRUPT);
    ck_assert_ptr_null(store);
    ck_assert_ptr_eq(strstr(kit.fail.text, path), kit.fail.text);
    ck_assert_ptr_nonnull(strstr(kit.fail.text, ": RocksDB says: "));
}
END_TEST

START_TEST(open_twice)
{
    struct data_store *store;
    ck_assert_int_eq(open_at(kit_path("rdb"), &store), BR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(kit.fail.text, "RocksDB says"));
    ck_assert_ptr_null(store);
}
END_TEST

/* What stands in the facts decides; NULL: it is not there. */
static const struct {
    const char *version, *flushed;
    bool data;
    br_status status;
    const char *sentence;
    int64_t decree;
} facts[] = {
    { "1", "17", true, BR_OK, NULL, 17 },
    { "0", "17", true, BR_UNSUPPORTED, "its values are of schema 0, and only 1 is known", 0 },
    { "2", "17", true, BR_UNSUPPORTED, "its values are of schema 2, and only 1 is known", 0 },
    { "", "17", true, BR_UNSUPPORTED, "schema", 0 },
    { "one", "17", true, BR_UNSUPPORTED, "schema", 0 },
    { NULL, "17", true, BR_UNSUPPORTED, "schema", 0 },
    { NULL, "17", false, BR_UNSUPPORTED, "schema", 0 },
    { "1", NULL, true, BR_CORRUPT, FACT_FLUSHED " is missing or no number", 0 },
    { "1", NULL, false, BR_CORRUPT, FACT_FLUSHED " is missing or no number", 0 },
    { "1", "-1", true, BR_CORRUPT, FACT_FLUSHED " is missing or no number", 0 },
    { "1", "x", true, BR_CORRUPT, FACT_FLUSHED " is missing or no number", 0 },
    { "1", "9223372036854775808", true, BR_CORRUPT, FACT_FLUSHED " is missing or no number", 0 },
    { NULL, NULL, true, BR_UNSUPPORTED, "schema", 0 },
    { NULL, NULL, false, BR_OK, NULL, 0 }, /* new: a kill before its first flush */
};

static void put_fact(const char *name, const char *value)
{
    char *error = NULL;
    if (value)
        rocksdb_put_cf(kit.store->db, kit.shared->write, kit.store->families[1], name, strlen(name),
                       value, strlen(value), &error);
    else
        rocksdb_delete_cf(kit.store->db, kit.shared->write, kit.store->families[1], name,
                          strlen(name), &error);
    ck_assert_ptr_null(error);
}

START_TEST(facts_decide)
{
    if (facts[_i].data)
        kit_put("h", "s", "one", 0);
    put_fact(FACT_VERSION, facts[_i].version);
    put_fact(FACT_FLUSHED, facts[_i].flushed);
    data_store_close(kit.store);
    ck_assert_int_eq(open_at(kit_path("rdb"), &kit.store), facts[_i].status);
    if (facts[_i].status == BR_OK) {
        ck_assert_int_eq(data_store_flushed(kit.store), facts[_i].decree);
        return;
    }
    ck_assert_ptr_null(kit.store);
    ck_assert_ptr_eq(strstr(kit.fail.text, kit_path("rdb")), kit.fail.text);
    ck_assert_msg(strstr(kit.fail.text, facts[_i].sentence) != NULL, "%s", kit.fail.text);
}
END_TEST

/* -- Damage ----------------------------------------------------------------------------------- */

static void in_shell(const char *format, const char *path)
{
    struct buf command = { 0 };
    buf_printf(&command, "cd '%s' && %s", path, format);
    ck_assert_int_eq(system(command.data), 0);
    buf_done(&command);
}

static const struct {
    const char *name, *command;
} damages[] = {
    { "CURRENT says nothing", ": > CURRENT" },
    { "CURRENT is nonsense", "echo nonsense > CURRENT" },
    { "CURRENT names what is not there", "echo MANIFEST-999999 > CURRENT" },
    { "CURRENT is gone", "rm CURRENT" },
    { "the manifest is gone", "rm MANIFEST-*" },
    { "the manifest is nonsense", "for m in MANIFEST-*; do echo nonsense > $m; done" },
    { "the tables are gone", "rm *.sst" },
    { "the tables are empty", "for t in *.sst; do : > $t; done" },
};

/* Nothing is opened as if it were new, and what is left stays for whoever may repair it. */
START_TEST(damage)
{
    struct data_store *store;
    uint32_t tables = _i == 6 ? 0 : 2;
    kit_put("h", "s", "one", 0);
    data_store_close(kit.store);
    kit.store = NULL;
    in_shell(damages[_i].command, kit_path("rdb"));
    ck_assert_msg(open_at(kit_path("rdb"), &store) == BR_CORRUPT, "%s", damages[_i].name);
    ck_assert_ptr_null(store);
    ck_assert_ptr_eq(strstr(kit.fail.text, kit_path("rdb")), kit.fail.text);
    char check[64];
    snprintf(check, sizeof check, "test $(ls | grep -c sst) -eq %u", tables);
    in_shell(check, kit_path("rdb"));
}
END_TEST

/* -- Flushing, and kills ---------------------------------------------------------------------- */

START_TEST(what_a_kill_leaves)
{
    struct data_store *store;
    kit_put("h", "s", "one", 0);
    if (_i)
        ck_assert_int_eq(data_store_flush(kit.store, &kit.fail), BR_OK);
    kit_copy(kit_path("rdb"), kit_path("copy"));
    kit_put("h", "s", "two", 0);
    ck_assert_msg(open_at(kit_path("copy"), &store) == BR_OK, "%s", kit.fail.text);
    ck_assert_int_eq(data_store_flushed(store), _i ? 1 : 0);
    struct data_got got;
    ck_assert_int_eq(data_store_get(store, kit_key("h", "s"), 0, &got),
                     _i ? DATA_OK : DATA_NOT_FOUND);
    ck_assert_uint_eq(got.user.size, _i ? 3 : 0);
    data_got_free(&got);
    data_store_close(store);
}
END_TEST

static void limit_files(rlim_t size)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A value that no compression makes small. */
static void put_large(void)
{
    static uint32_t value[1 << 18];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof value / sizeof *value; i++)
        value[i] = seed = seed * 1664525 + 1013904223;
    data_store_put(kit.store, kit_key("h", "s"), (br_bytes){ value, sizeof value }, 0, 0);
    ck_assert_int_eq(data_store_commit(kit.store, ++kit.decree, &kit.fail), BR_OK);
}

/* What is not on disk is not called so, neither then nor later. */
START_TEST(a_full_disk)
{
    int64_t decree;
    struct data_store *store;
    kit_put("h", "s", "one", 0);
    ck_assert_int_eq(data_store_flush(kit.store, &kit.fail), BR_OK);
    put_large();
    limit_files(256 << 10);
    const char *path = _i ? kit_path("rdb.flush") : kit_path("checkpoint");
    br_status status = _i ? data_store_flush(kit.store, &kit.fail)
                          : data_store_checkpoint(kit.store, path, &decree, &kit.fail);
    ck_assert_int_eq(status, BR_DENIED);
    ck_assert_ptr_eq(strstr(kit.fail.text, path), kit.fail.text);
    ck_assert_ptr_nonnull(strstr(kit.fail.text, "RocksDB says"));
    limit_files(RLIM_INFINITY);
    kit_copy(kit_path("rdb"), kit_path("copy"));
    ck_assert_msg(open_at(kit_path("copy"), &store) == BR_OK, "%s", kit.fail.text);
    ck_assert_int_eq(data_store_flushed(store), 1);
    data_store_close(store);
}
END_TEST

/* -- Checkpoints ------------------------------------------------------------------------------ */

static int64_t checkpoint(const char *name)
{
    int64_t decree = -1;
    ck_assert_msg(data_store_checkpoint(kit.store, kit_path(name), &decree, &kit.fail) == BR_OK,
                  "%s", kit.fail.text);
    return decree;
}

static void check_checkpoint(const char *name, int64_t decree, const char *value)
{
    struct data_store *mine = kit.store, *store;
    ck_assert_msg(open_at(kit_path(name), &store) == BR_OK, "%s", kit.fail.text);
    ck_assert_int_eq(data_store_flushed(store), decree);
    kit.store = store;
    ck_assert_str_eq(stored(), value);
    kit.store = mine;
    data_store_close(store);
}

START_TEST(checkpoints)
{
    ck_assert_int_eq(checkpoint("empty"), 0);
    kit_put("h", "s", "one", 0);
    data_store_put(kit.store, kit_key("h", "s"), B("gathered"), 0, 0);
    ck_assert_int_eq(checkpoint("one"), 1);
    ck_assert_int_eq(data_store_commit(kit.store, ++kit.decree, &kit.fail), BR_OK);
    kit_put("h", "t", "more", 0);
    ck_assert_int_eq(checkpoint("three"), 3);
    check_checkpoint("empty", 0, "(none)");
    check_checkpoint("one", 1, "one");
    check_checkpoint("three", 3, "gathered");
    kit_put("h", "s", "four", 0);
    ck_assert_int_eq(checkpoint("one"), 4); /* over the one that is there */
    check_checkpoint("one", 4, "four");
    ck_assert_str_eq(stored(), "four");
    kit_copy(kit_path("rdb"), kit_path("copy")); /* and all of it is flushed */
    check_checkpoint("copy", 4, "four");
}
END_TEST

START_TEST(no_checkpoint)
{
    int64_t decree;
    const char *path = kit_path("none/checkpoint");
    if (_i) { /* what is there is no database */
        path = kit_path("other");
        ck_assert_int_eq(mkdir(path, 0777), 0);
        in_shell("echo mine > mine", path);
    }
    ck_assert_int_eq(data_store_checkpoint(kit.store, path, &decree, &kit.fail), BR_DENIED);
    ck_assert_ptr_eq(strstr(kit.fail.text, path), kit.fail.text);
    if (_i)
        in_shell("test -f mine", path);
    kit_put("h", "s", "one", 0); /* it goes on */
    ck_assert_str_eq(stored(), "one");
}
END_TEST

START_TEST(deleted)
{
    const char *path = kit_path("rdb");
    ck_assert_int_eq(data_store_delete(kit.shared, path, &kit.fail), BR_DENIED); /* it is open */
    ck_assert_ptr_eq(strstr(kit.fail.text, path), kit.fail.text);
    kit_put("h", "s", "one", 0);
    reopen();
    ck_assert_str_eq(stored(), "one");
    data_store_close(kit.store);
    for (int i = 0; i < 2; i++) /* the second time it is not there */
        ck_assert_msg(data_store_delete(kit.shared, path, &kit.fail) == BR_OK, "%s", kit.fail.text);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(open_at(path, &kit.store), BR_OK);
    ck_assert_int_eq(data_store_flushed(kit.store), 0);
    ck_assert_str_eq(stored(), "(none)");
}
END_TEST

/* -- Reading ---------------------------------------------------------------------------------- */

START_TEST(expired_values)
{
    struct data_got got;
    kit_put("h", "s", "value", KIT_SECONDS);
    for (int i = -1; i <= 1; i++) {
        int32_t error =
            data_store_get(kit.store, kit_key("h", "s"), (uint32_t) ((int) KIT_SECONDS + i), &got);
        ck_assert_int_eq(error, i < 0 ? DATA_OK : DATA_NOT_FOUND);
        ck_assert_uint_eq(got.user.size, i < 0 ? 5 : 0);
        ck_assert_uint_eq(got.expires, i < 0 ? KIT_SECONDS : 0);
        data_got_free(&got);
        ck_assert_ptr_null(got.pin);
    }
}
END_TEST

/* When RocksDB compacts, by the time that the writes tell, and a while after. */
START_TEST(expired_values_go)
{
    static const struct {
        const char *sort;
        int32_t expires, early, late; /* what get says after a compaction at either time */
    } rows[] = { { "s", 1, DATA_OK, DATA_NOT_FOUND },
                 { "t", (int32_t) (KIT_SECONDS - DATA_EXPIRED_KEPT), DATA_OK, DATA_NOT_FOUND },
                 { "u", (int32_t) (KIT_SECONDS - DATA_EXPIRED_KEPT) + 1, DATA_OK, DATA_OK },
                 { "v", 0, DATA_OK, DATA_OK } };
    for (int late = 0; late < 2; late++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            kit_put("h", rows[i].sort, "value", (uint32_t) rows[i].expires);
        data_store_time(kit.store, late ? ((int64_t) KIT_SECONDS + DATA_EPOCH) * 1000000 : 0);
        rocksdb_compact_range_cf(kit.store->db, kit.store->families[0], NULL, 0, NULL, 0);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct data_got got;
            ck_assert_int_eq(data_store_get(kit.store, kit_key("h", rows[i].sort), 0, &got),
                             late ? rows[i].late : rows[i].early);
            data_got_free(&got);
        }
    }
    data_store_time(NULL, 0);
}
END_TEST

START_TEST(walks)
{
    static const struct {
        const char *seek, *at, *before; /* the key found from there on, and the one up to there */
    } cases[] = { { "a", "a", "a" },
                  { "b", "c", "a" },
                  { "c", "c", "c" },
                  { "d", NULL, "c" },
                  { "A", "a", NULL } };
    struct data_walk *walk = data_walk_new(kit.store);
    ck_assert(!data_walk_valid(walk));
    data_walk_free(walk);
    kit_put("h", "a", "1", 0);
    kit_put("h", "c", "3", 0);
    walk = data_walk_new(kit.store);
    kit_put("h", "b", "2", 0); /* too late for this walk */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        data_walk_seek(walk, kit_key("h", cases[i].seek));
        ck_assert_int_eq(data_walk_valid(walk), cases[i].at != NULL);
        if (cases[i].at)
            ck_assert_int_eq(data_compare(data_walk_key(walk), kit_key("h", cases[i].at)), 0);
        data_walk_seek_back(walk, kit_key("h", cases[i].seek));
        ck_assert_int_eq(data_walk_valid(walk), cases[i].before != NULL);
        if (cases[i].before)
            ck_assert_int_eq(data_compare(data_walk_key(walk), kit_key("h", cases[i].before)), 0);
    }
    data_walk_seek(walk, kit_key("h", "a"));
    data_walk_next(walk);
    ck_assert_int_eq(data_compare(data_walk_key(walk), kit_key("h", "c")), 0);
    data_walk_back(walk);
    ck_assert_int_eq(data_compare(data_walk_key(walk), kit_key("h", "a")), 0);
    data_walk_back(walk);
    ck_assert(!data_walk_valid(walk));
    ck_assert_int_eq(data_walk_error(walk), DATA_OK);
    data_walk_free(walk);
    data_walk_free(NULL);
}
END_TEST

START_TEST(without_a_store)
{
    struct data_scan scan;
    struct data_got got;
    data_store_put(NULL, B("k"), B("v"), 0, 0);
    data_store_remove(NULL, B("k"));
    ck_assert_int_eq(data_store_commit(NULL, 1, &kit.fail), BR_OK);
    ck_assert_int_eq(data_store_get(NULL, B("k"), 0, &got), DATA_NOT_FOUND);
    data_got_free(&got);
    struct data_walk *walk = data_walk_new(NULL);
    data_walk_seek(walk, B("k"));
    data_walk_seek_back(walk, B("k"));
    ck_assert(!data_walk_valid(walk));
    ck_assert_int_eq(data_walk_error(walk), DATA_OK);
    data_walk_free(walk);
    ck_assert(!data_scan_take(NULL, 1, 0, &scan));
    data_store_close(NULL);
    data_shared_free(NULL);
}
END_TEST

/* -- Kept scans ------------------------------------------------------------------------------- */

static int64_t keep(void)
{
    struct data_scan scan = { .walk = data_walk_new(kit.store) };
    buf_text(&scan.memory, "memory");
    int64_t id = data_scan_keep(kit.store, &scan, kit.now);
    ck_assert_ptr_null(scan.walk);
    return id;
}

static bool take(int64_t id)
{
    struct data_scan scan;
    bool there = data_scan_take(kit.store, id, kit.now, &scan);
    if (there)
        data_scan_done(&scan);
    return there;
}

/* The oldest goes for one too many; the rest goes with the store. */
START_TEST(too_many_scans)
{
    int64_t ids[DATA_SCANS_MAX + 1];
    for (int i = 0; i <= DATA_SCANS_MAX; i++) {
        ids[i] = keep();
        ck_assert(i == 0 || ids[i] > ids[i - 1]);
    }
    ck_assert(!take(ids[0]));
    ck_assert(take(ids[1]));
    ck_assert(!take(ids[1])); /* once */
    ck_assert(take(ids[DATA_SCANS_MAX]));
    ck_assert(take(ids[DATA_SCANS_MAX / 2]));
    ck_assert(!take(-1));
    ck_assert_uint_eq(kit.store->scan_count, DATA_SCANS_MAX - 3);
}
END_TEST

START_TEST(idle_scans)
{
    int64_t first = keep();
    kit.now += 1;
    int64_t second = keep();
    kit.now += DATA_SCAN_IDLE - 2; /* one short */
    int64_t third = keep();
    ck_assert_uint_eq(kit.store->scan_count, 3);
    kit.now += 1;
    ck_assert(!take(first));
    ck_assert(take(second));
    kit.now += DATA_SCAN_IDLE;
    int64_t fourth = keep();
    ck_assert_uint_eq(kit.store->scan_count, 1);
    ck_assert(!take(third));
    ck_assert(take(fourth));
}
END_TEST

/* A server that comes back gives other names. */
START_TEST(scans_of_another_life)
{
    int64_t id = keep();
    reopen();
    ck_assert(!take(id));
    ck_assert_int_gt(keep(), id);
}
END_TEST

#define COUNT(table) ((int) (sizeof(table) / sizeof *(table)))

TCase *data_stores(void)
{
    TCase *tcase = tcase_create("store");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, kit_setup, kit_teardown);
    tcase_add_test(tcase, a_new_one);
    tcase_add_test(tcase, closed_and_opened);
    tcase_add_loop_test(tcase, nowhere, 0, 2);
    tcase_add_test(tcase, open_twice);
    tcase_add_loop_test(tcase, facts_decide, 0, COUNT(facts));
    tcase_add_loop_test(tcase, damage, 0, COUNT(damages));
    tcase_add_loop_test(tcase, what_a_kill_leaves, 0, 2);
    tcase_add_loop_test(tcase, a_full_disk, 0, 2);
    tcase_add_test(tcase, checkpoints);
    tcase_add_loop_test(tcase, no_checkpoint, 0, 2);
    tcase_add_test(tcase, deleted);
    tcase_add_test(tcase, expired_values);
    tcase_add_test(tcase, expired_values_go);
    tcase_add_test(tcase, walks);
    tcase_add_test(tcase, without_a_store);
    tcase_add_test(tcase, too_many_scans);
    tcase_add_test(tcase, idle_scans);
    tcase_add_test(tcase, scans_of_another_life);
    return tcase;
}
