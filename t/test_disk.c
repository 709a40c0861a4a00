/* test_disk -- names and files of replica directories, and the inventory of a server's disks. */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/disk/replica_dir.h"
#include "host/replica/files.h"
#include "host/replica/inventory.h"
#include "t/test.h"

/* -- Names ------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    bool ok;
    int32_t table, partition;
    const char *type;
} names[] = {
    { "1.2.pegasus", true, 1, 2, "pegasus" },
    { "1234.56789.pegasus", true, 1234, 56789, "pegasus" },
    { "1.2.another.pegasus", true, 1, 2, "another.pegasus" },
    { "1.2.another_pegasus", true, 1, 2, "another_pegasus" },
    { "2147483647.0.p", true, INT32_MAX, 0, "p" },
    { "", false, 0, 0, NULL },
    { "1.pegasus", false, 0, 0, NULL },
    { "pegasus", false, 0, 0, NULL },
    { "1.2a.pegasus", false, 0, 0, NULL },
    { "1.-2.pegasus", false, 0, 0, NULL },
    { "-1.2.pegasus", false, 0, 0, NULL },
    { "+1.2.pegasus", false, 0, 0, NULL },
    { " 1.2.pegasus", false, 0, 0, NULL },
    { "1.2.", false, 0, 0, NULL },
    { "1.2", false, 0, 0, NULL },
    { "..pegasus", false, 0, 0, NULL },
    { "2147483648.0.p", false, 0, 0, NULL },
    { "99999999999999999999.0.p", false, 0, 0, NULL },
};

START_TEST(names_are_parsed)
{
    struct replica_name name;
    ck_assert_int_eq(replica_name_parse(names[_i].name, &name), names[_i].ok);
    if (names[_i].ok) {
        ck_assert_int_eq(name.table, names[_i].table);
        ck_assert_int_eq(name.partition, names[_i].partition);
        ck_assert_str_eq(name.type, names[_i].type);
    }
}
END_TEST

static const struct {
    const char *name;
    enum replica_suffix suffix;
} suffixes[] = {
    { "1.0.pegasus", REPLICA_LIVE },
    { "12.345.pegasus", REPLICA_LIVE },
    { "1.1.pegasus.1698843209235962.err", REPLICA_ERR },
    { "1.2.pegasus.1698843214240709.gar", REPLICA_GARBAGE },
    { "1.2.pegasus.disk.migrate.tmp", REPLICA_TEMP },
    { "1.2.pegasus.disk.migrate.ori", REPLICA_ORIGIN },
    { "1.2.pegasus.bak", REPLICA_BACKUP },
    { "replica.5.abcde", REPLICA_LIVE },
    { "err", REPLICA_LIVE },
    { ".err", REPLICA_ERR },
};

START_TEST(suffixes_are_told)
{
    ck_assert_int_eq(replica_suffix(suffixes[_i].name), suffixes[_i].suffix);
}
END_TEST

/* -- .app-info -------------------------------------------------------------------------------- */

#define MAGIC "\x08\0\0\xde\xad\xbe\xef\0"

static const struct br_table sample = {
    .node = -1,
    .id = 2,
    .status = BR_TABLE_AVAILABLE,
    .partition_count = 8,
    .replica_count = 3,
    .init_partition_count = -1,
    .flags = BR_TABLE_STATEFUL,
    .create_second = 1700000000,
    .name = "temp",
    .type = "pegasus",
};

START_TEST(app_info_is_written_to_the_byte)
{
    static const char want[] =
        MAGIC "{\"0\":{\"rec\":{\"1\":{\"i32\":1},\"2\":{\"str\":\"pegasus\"},\"3\":{\"str\":"
              "\"temp\"},\"4\":{\"i32\":2},\"5\":{\"i32\":8},\"6\":{\"map\":[\"str\",\"str\",0,{}"
              "]},\"7\":{\"tf\":1},\"8\":{\"i32\":3},\"9\":{\"i64\":0},\"10\":{\"i64\":1700000000"
              "},\"11\":{\"i64\":0},\"12\":{\"tf\":0},\"13\":{\"i32\":-1},\"14\":{\"tf\":0},"
              "\"15\":{\"tf\":0}}}}";
    struct buf buf = { 0 };
    app_info_encode(&sample, true, &buf);
    ck_assert_uint_eq(buf.size, sizeof want - 1);
    ck_assert_mem_eq(buf.data, want, buf.size);
    buf_done(&buf);
}
END_TEST

START_TEST(app_info_keeps_one_environment)
{
    static const char *const envs[] = { "default_ttl", "86400", "rocksdb.allow_ingest_behind",
                                        "true",        "z",     "1" };
    struct br_table table = sample;
    struct br_table back;
    struct arena arena;
    struct buf buf = { 0 };
    struct fail fail;
    arena_init(&arena, 0);
    table.envs = envs;
    table.env_count = 3;
    app_info_encode(&table, false, &buf);
    ck_assert_int_eq(app_info_decode(&arena, buf_bytes(&buf), &back, &fail), BR_OK);
    ck_assert_uint_eq(back.env_count, 1);
    ck_assert_str_eq(back.envs[0], "rocksdb.allow_ingest_behind");
    ck_assert_str_eq(back.envs[1], "true");
    buf_done(&buf);
    arena_done(&arena);
}
END_TEST

#define REC(text) MAGIC "{\"0\":{\"rec\":{" text "}}}"

static const struct {
    const char *bytes;
    size_t size;
    const char *why; /* NULL: it is read */
} app_infos[] = {
#define BYTES(text) text, sizeof(text) - 1
    { BYTES(REC("")), NULL },
    { BYTES(REC("\"4\":{\"i32\":7}")), NULL },
    { BYTES(REC("\"99\":{\"str\":\"of a later version\"}")), NULL },
    { BYTES(""), "magic" },
    { BYTES("\x08\0\0\xde\xad\xbe\xef"), "magic" },
    { BYTES("{\"0\":{\"rec\":{}}}"), "magic" },
    { BYTES(MAGIC), "not JSON" },
    { BYTES(MAGIC "{\"0\":{\"rec\":{}}"), "not JSON" },
    { BYTES(MAGIC "{\"0\":{\"rec\":{}}} "), NULL },
    { BYTES(MAGIC "{\"0\":{\"rec\":{}}}x"), "not JSON" },
    { BYTES(MAGIC "[]"), "record" },
    { BYTES(MAGIC "{\"0\":{}}"), "record" },
    { BYTES(REC("\"1\":{\"i32\":\"1\"}")), "status" },
    { BYTES(REC("\"1\":{\"i64\":1}")), "status" },
    { BYTES(REC("\"4\":{\"i32\":2147483648}")), "app_id" },
    { BYTES(REC("\"5\":{\"i32\":1.5}")), "partition_count" },
    { BYTES(REC("\"3\":{\"str\":7}")), "app_name" },
    { BYTES(REC("\"2\":{\"str\":null}")), "app_type" },
    { BYTES(REC("\"6\":{\"map\":[\"str\",\"str\",1,{\"a\":1}]}")), "envs" },
    { BYTES(REC("\"6\":{\"map\":[]}")), "envs" },
    { BYTES(REC("\"7\":{\"tf\":true}")), "is_stateful" },
    { BYTES(REC("\"8\":{}")), "max_replica_count" },
    { BYTES(REC("\"10\":{\"i64\":\"x\"}")), "times" },
    { BYTES(REC("\"12\":{\"tf\":\"x\"}")), "duplicating" },
    { BYTES(REC("\"13\":{\"i32\":\"x\"}")), "init_partition_count" },
    { BYTES(REC("\"14\":{\"tf\":\"x\"}")), "is_bulk_loading" },
    { BYTES(REC("\"15\":{\"tf\":\"x\"}")), "atomic_idempotent" },
#undef BYTES
};

START_TEST(app_info_is_read_or_refused)
{
    struct arena arena;
    struct br_table table = sample;
    struct fail fail;
    arena_init(&arena, 0);
    br_bytes bytes = { app_infos[_i].bytes, app_infos[_i].size };
    br_status status = app_info_decode(&arena, bytes, &table, &fail);
    if (app_infos[_i].why) {
        ck_assert_int_eq(status, BR_CORRUPT);
        ck_assert_msg(strstr(fail.text, app_infos[_i].why) != NULL, "%s", fail.text);
        ck_assert_str_eq(table.name, "temp"); /* untouched */
    } else {
        ck_assert_msg(status == BR_OK, "%s", fail.text);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(files_have_a_limit)
{
    struct arena arena;
    struct br_table table;
    struct init_info info;
    struct fail fail;
    struct buf buf = { 0 };
    arena_init(&arena, 0);
    buf_put(&buf, MAGIC, 8);
    while (buf.size <= APP_INFO_MAX)
        buf_text(&buf, "                                                                ");
    ck_assert_int_eq(app_info_decode(&arena, buf_bytes(&buf), &table, &fail), BR_TOOBIG);
    buf.size = INIT_INFO_MAX + 1;
    ck_assert_int_eq(init_info_decode(buf_bytes(&buf), &info, &fail), BR_TOOBIG);
    buf_done(&buf);
    arena_done(&arena);
}
END_TEST

/* Every file of real servers: read, written again, the same bytes. */
static unsigned files_seen;

static int same_file(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
    const char *name = path + ftw->base;
    struct buf bytes = { 0 };
    struct buf again = { 0 };
    struct arena arena;
    struct fail fail;
    (void) st;
    bool app = strcmp(name, ".app-info") == 0;
    if (what != FTW_F || (!app && strcmp(name, ".init-info") != 0))
        return 0;
    arena_init(&arena, 0);
    ck_assert(test_read(path, &bytes));
    if (app) {
        struct br_table table;
        ck_assert_msg(app_info_decode(&arena, buf_bytes(&bytes), &table, &fail) == BR_OK, "%s: %s",
                      path, fail.text);
        app_info_encode(&table, strstr(bytes.data + 8, "\"15\":") != NULL, &again);
    } else {
        struct init_info info;
        ck_assert_msg(init_info_decode(buf_bytes(&bytes), &info, &fail) == BR_OK, "%s: %s", path,
                      fail.text);
        init_info_encode(&info, &again);
    }
    ck_assert_uint_eq(again.size, bytes.size);
    ck_assert_mem_eq(again.data, bytes.data, bytes.size);
    files_seen++;
    arena_done(&arena);
    buf_done(&bytes);
    buf_done(&again);
    return 0;
}

START_TEST(real_files_survive)
{
    const char *root = test_reference("golden");
    if (!root)
        return;
    files_seen = 0;
    ck_assert_int_eq(nftw(root, same_file, 16, FTW_PHYS), 0);
    ck_assert_uint_gt(files_seen, 200);
}
END_TEST

/* -- .init-info ------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    const char *why;
} init_infos[] = {
    { "{\"init_ballot\":5,\"init_durable_decree\":0,\"init_offset_in_shared_log\":0,"
      "\"init_offset_in_private_log\":0}",
      NULL },
    { "{\"init_ballot\":-1,\"init_durable_decree\":9223372036854775807,"
      "\"init_offset_in_shared_log\":0,\"init_offset_in_private_log\":77,\"new\":1}",
      NULL },
    { "", "not JSON" },
    { "{", "not JSON" },
    { "[]", "init_ballot" },
    { "{\"init_ballot\":\"5\"}", "init_ballot" },
    { "{\"init_ballot\":5}", "init_durable_decree" },
};

START_TEST(init_info_is_read_or_refused)
{
    struct init_info info = { .ballot = 77 };
    struct fail fail;
    br_bytes bytes = { init_infos[_i].text, strlen(init_infos[_i].text) };
    br_status status = init_info_decode(bytes, &info, &fail);
    if (init_infos[_i].why) {
        ck_assert_int_eq(status, BR_CORRUPT);
        ck_assert_ptr_nonnull(strstr(fail.text, init_infos[_i].why));
        ck_assert_int_eq(info.ballot, 77);
    } else {
        ck_assert_msg(status == BR_OK, "%s", fail.text);
    }
}
END_TEST

/* -- The inventory ---------------------------------------------------------------------------- */

static struct log quiet;
static char *root;
static struct inventory inventory;

static void inventory_setup(void)
{
    quiet = (struct log){ .fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .level = BR_ERROR };
    root = test_directory();
}

static void inventory_teardown(void)
{
    inventory_close(&inventory);
    close(quiet.fd);
    free(root);
}

static void put_file(const char *dir, const char *name, const char *text)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s/%s/%s", root, dir, name);
    FILE *file = fopen(path.data, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    buf_done(&path);
}

static void put_dir(const char *dir)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s/%s", root, dir);
    ck_assert_int_eq(mkdir(path.data, 0700), 0);
    buf_done(&path);
}

static void make(int32_t partition, int64_t ballot, int64_t durable)
{
    struct fail fail;
    ck_assert_msg(files_create(root, &sample, partition, ballot, durable, false, &fail) == BR_OK,
                  "%s", fail.text);
}

static br_status look(struct fail *fail)
{
    const struct inventory_dir dir = { .tag = "ssd", .path = root };
    return inventory_open(&inventory, &dir, 1, &quiet, fail);
}

START_TEST(what_was_made_is_found)
{
    struct fail fail;
    make(0, 3, 11);
    make(5, 4, 0);
    put_dir("replica/reps/2.5.pegasus/data");
    put_dir("replica/reps/2.5.pegasus/data/checkpoint.9");
    put_dir("replica/reps/2.5.pegasus/data/checkpoint.120");
    put_dir("replica/reps/2.5.pegasus/data/checkpoint.x");
    ck_assert_int_eq(files_create(root, &sample, 0, 1, 1, false, &fail), BR_EXISTS);
    ck_assert_msg(look(&fail) == BR_OK, "%s", fail.text);
    ck_assert_uint_eq(inventory.replica_count, 2);
    ck_assert_uint_eq(inventory.left_out, 0);
    ck_assert_str_eq(inventory.replicas[0].table.name, "temp");
    const struct br_replica *first = &inventory.replicas[0].row;
    const struct br_replica *second = &inventory.replicas[1].row;
    ck_assert_int_eq(first->partition, 0);
    ck_assert_int_eq(first->ballot, 3);
    ck_assert_int_eq(first->durable, 11);
    ck_assert_int_eq(first->role, BR_ROLE_INACTIVE);
    ck_assert_str_eq(first->disk, "ssd");
    ck_assert_int_eq(second->partition, 5);
    ck_assert_int_eq(second->committed, 120);
}
END_TEST

START_TEST(what_makes_no_sense_is_left_out)
{
    struct fail fail;
    make(0, 1, 0);
    make(1, 1, 0);
    make(2, 1, 0);
    make(7, 1, 0);
    put_file("replica/reps/2.1.pegasus", ".app-info", "nonsense");
    put_file("replica/reps/2.2.pegasus", ".init-info", "{}");
    put_dir("replica/reps/nonsense");
    put_dir("replica/reps/2.3.pegasus");
    put_dir("replica/reps/2.4.pegasus.1698843209235962.err");
    struct buf from = { 0 };
    struct buf to = { 0 };
    buf_printf(&from, "%s/replica/reps/2.7.pegasus", root);
    buf_printf(&to, "%s/replica/reps/2.8.pegasus", root);
    ck_assert_int_eq(rename(from.data, to.data), 0); /* 8 partitions: index 8 is none of them */
    ck_assert_msg(look(&fail) == BR_OK, "%s", fail.text);
    ck_assert_uint_eq(inventory.replica_count, 1);
    ck_assert_uint_eq(inventory.left_out, 5);
    buf_done(&from);
    buf_done(&to);
}
END_TEST

START_TEST(twice_on_one_server_is_refused)
{
    struct fail fail;
    make(0, 1, 0);
    const struct inventory_dir dirs[] = { { "a", root }, { "b", root } };
    ck_assert_int_eq(inventory_open(&inventory, dirs, 2, &quiet, &fail), BR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(fail.text, "2.0"));
}
END_TEST

START_TEST(a_missing_directory_is_named)
{
    struct fail fail;
    ck_assert_int_eq(look(&fail), BR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(fail.text, "replica/reps"));
}
END_TEST

static TCase *files(void)
{
    TCase *tcase = tcase_create("files");
    tcase_add_loop_test(tcase, names_are_parsed, 0, sizeof names / sizeof *names);
    tcase_add_loop_test(tcase, suffixes_are_told, 0, sizeof suffixes / sizeof *suffixes);
    tcase_add_test(tcase, app_info_is_written_to_the_byte);
    tcase_add_test(tcase, app_info_keeps_one_environment);
    tcase_add_loop_test(tcase, app_info_is_read_or_refused, 0,
                        sizeof app_infos / sizeof *app_infos);
    tcase_add_loop_test(tcase, init_info_is_read_or_refused, 0,
                        sizeof init_infos / sizeof *init_infos);
    tcase_add_test(tcase, files_have_a_limit);
    tcase_add_test(tcase, real_files_survive);
    return tcase;
}

static TCase *disks(void)
{
    TCase *tcase = tcase_create("inventory");
    tcase_add_checked_fixture(tcase, inventory_setup, inventory_teardown);
    tcase_add_test(tcase, what_was_made_is_found);
    tcase_add_test(tcase, what_makes_no_sense_is_left_out);
    tcase_add_test(tcase, twice_on_one_server_is_refused);
    tcase_add_test(tcase, a_missing_directory_is_named);
    return tcase;
}

int main(void)
{
    return test_run("disk", files(), disks(), NULL);
}
