/* model_golden -- every table and partition record that real meta servers wrote (the captured
 * ZooKeeper trees), and the fixtures: read, written again, the same bytes.
 */
#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/model.h"

struct golden {
    size_t tables, partitions, files;
};

/* 1: a table's path, 2: a partition's, 0: neither. */
static int golden_kind(const char *path)
{
    const char *apps = strstr(path, "/apps/");
    int id, index, used = 0;
    if (!apps)
        return 0;
    if (sscanf(apps, "/apps/%d/%d%n", &id, &index, &used) == 2 && !apps[used])
        return 2;
    used = 0;
    return sscanf(apps, "/apps/%d%n", &id, &used) == 1 && !apps[used] ? 1 : 0;
}

static void golden_partition(struct cluster *cluster, const char *record,
                             enum layout_version version, struct buf *again)
{
    struct partition partition;
    struct fail fail = { .status = BR_OK };
    int32_t pid[2];
    layout_get_partition(cluster, (br_bytes){ record, strlen(record) }, &partition, pid, &fail);
    ck_assert_msg(fail.status == BR_OK, "%s: %s", record, fail.text);
    layout_put_partition(again, cluster, pid[0], 0, pid[1], &partition, version);
}

static void golden_table(struct cluster *cluster, const char *record, enum layout_version version,
                         struct buf *again)
{
    struct br_table table;
    struct fail fail = { .status = BR_OK };
    layout_get_table(cluster, (br_bytes){ record, strlen(record) }, &table, &fail);
    ck_assert_msg(fail.status == BR_OK, "%s: %s", record, fail.text);
    layout_put_table(again, &table, version);
}

static void golden_same(int kind, const char *record, enum layout_version version)
{
    struct cluster cluster;
    struct buf again = { 0 };
    cluster_init(&cluster);
    if (kind == 1)
        golden_table(&cluster, record, version, &again);
    else
        golden_partition(&cluster, record, version, &again);
    ck_assert_str_eq(again.data, record);
    buf_done(&again);
    cluster_done(&cluster);
}

static void golden_file(const char *path, struct golden *golden)
{
    struct buf text = { 0 };
    ck_assert(test_read(path, &text));
    for (char *line = text.data, *end; line && *line; line = end + 1) {
        end = strchr(line, '\n');
        ck_assert_ptr_nonnull(end);
        json_error_t error;
        json_t *row = json_loadb(line, (size_t) (end - line), 0, &error);
        ck_assert_msg(row != NULL, "%s: %s", path, error.text);
        const char *record = json_string_value(json_object_get(row, "text"));
        int kind = golden_kind(json_string_value(json_object_get(row, "path")));
        if (kind && record) {
            golden_same(kind, record, LAYOUT_25);
            golden->tables += kind == 1;
            golden->partitions += kind == 2;
        }
        json_decref(row);
    }
    golden->files++;
    buf_done(&text);
}

START_TEST(golden_trees)
{
    const char *root = test_reference("golden");
    struct golden golden = { 0 };
    struct buf pattern = { 0 };
    glob_t files = { 0 };
    if (!root)
        return;
    buf_printf(&pattern, "%s/*/zk_*.jsonl", root);
    ck_assert_int_eq(glob(pattern.data, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++)
        golden_file(files.gl_pathv[i], &golden);
    printf("%zu tables and %zu partitions in %zu captured trees: same bytes\n", golden.tables,
           golden.partitions, golden.files);
    ck_assert_uint_gt(golden.tables, 0);
    ck_assert_uint_gt(golden.partitions, golden.tables);
    globfree(&files);
    buf_done(&pattern);
}
END_TEST

static const struct golden_fixture {
    const char *name;
    int kind;
    bool same; /* written again, the same bytes */
} golden_fixtures[] = {
    { "app_available_current.json", 1, true }, { "app_dropped_current.json", 1, true },
    { "app_drop_holder.json", 1, true },       { "app_old_8keys.json", 1, false },
    { "app_older_6keys.json", 1, false },      { "app_name_with_colon.json", 1, false },
    { "partition_healthy.json", 2, true },     { "partition_just_recovered.json", 2, true },
    { "partition_lost_empty.json", 2, true },  { "partition_dropped.json", 2, true },
    { "partition_old_mixed.json", 2, false },
};

static bool golden_fixture_read(const char *name, struct buf *text)
{
    struct buf path = { 0 };
    buf_printf(&path, "spec/fixtures/zk/%s", name);
    const char *full = test_reference(path.data);
    if (full) {
        ck_assert(test_read(full, text));
        while (text->size && text->data[text->size - 1] == '\n')
            text->data[--text->size] = '\0';
    }
    buf_done(&path);
    return full != NULL;
}

START_TEST(golden_fixture)
{
    const struct golden_fixture *fixture = &golden_fixtures[_i];
    struct buf text = { 0 };
    struct buf again = { 0 };
    struct cluster cluster;
    if (!golden_fixture_read(fixture->name, &text))
        return;
    cluster_init(&cluster);
    if (fixture->same)
        golden_same(fixture->kind, text.data, LAYOUT_26);
    else if (fixture->kind == 1)
        golden_table(&cluster, text.data, LAYOUT_26, &again);
    else
        golden_partition(&cluster, text.data, LAYOUT_26, &again);
    cluster_done(&cluster);
    buf_done(&again);
    buf_done(&text);
}
END_TEST

START_TEST(golden_old_mixed)
{
    struct buf text = { 0 };
    struct cluster cluster;
    struct partition partition;
    int32_t pid[2];
    if (!golden_fixture_read("partition_old_mixed.json", &text))
        return;
    cluster_init(&cluster);
    ck_assert_int_eq(layout_get_partition(&cluster, buf_bytes(&text), &partition, pid, NULL),
                     BR_OK);
    ck_assert_int_eq(partition.ballot, 234);
    ck_assert_int_eq(partition.primary, -1);
    ck_assert_int_eq(partition.secondary_count, 1);
    ck_assert_str_eq(cluster.nodes[partition.members[0]].name, "localhost:6");
    ck_assert_str_eq(cluster.nodes[partition.members[0]].address_text, "127.0.0.1:6");
    ck_assert_int_eq(partition.drop_count, 0);
    ck_assert_int_eq(partition.committed, 157);
    ck_assert_uint_eq(partition.flags, 0);
    cluster_done(&cluster);
    buf_done(&text);
}
END_TEST

START_TEST(golden_invalid)
{
    struct buf text = { 0 };
    struct cluster cluster;
    struct partition partition;
    int32_t pid[2];
    if (!golden_fixture_read("partition_invalid_json.txt", &text))
        return;
    cluster_init(&cluster);
    ck_assert_int_eq(layout_get_partition(&cluster, buf_bytes(&text), &partition, pid, NULL),
                     BR_CORRUPT);
    cluster_done(&cluster);
    buf_done(&text);
}
END_TEST

TCase *model_golden(void)
{
    TCase *tcase = tcase_create("golden");
    tcase_add_test(tcase, golden_trees);
    tcase_add_loop_test(tcase, golden_fixture, 0, sizeof golden_fixtures / sizeof *golden_fixtures);
    tcase_add_test(tcase, golden_old_mixed);
    tcase_add_test(tcase, golden_invalid);
    tcase_set_timeout(tcase, 120);
    return tcase;
}
