/* model_layout -- paths; records by hand; everything that a record may have wrong. */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/rdsn/address.h"
#include "t/model.h"

static const struct layout_root_case {
    const char *root, *normal; /* normal NULL: refused */
} layout_roots[] = {
    { "", "/" },
    { "/", "/" },
    { "///", "/" },
    { "a", "/a" },
    { "/pegasus/onebox", "/pegasus/onebox" },
    { "//pegasus///onebox/", "/pegasus/onebox" },
    { "/a/..b/.c", "/a/..b/.c" },
    { "/a/../b", NULL },
    { "./a", NULL },
    { "/a\nb", NULL },
    { "/a\x7f", NULL },
};

START_TEST(layout_roots_normal)
{
    const struct layout_root_case *at = &layout_roots[_i];
    struct buf root = { 0 };
    struct fail fail = { .status = BR_OK };
    br_status status = layout_root(at->root, &root, &fail);
    ck_assert_int_eq(status, at->normal ? BR_OK : BR_INVALID);
    if (at->normal)
        ck_assert_str_eq(root.data, at->normal);
    else
        ck_assert_uint_gt(strlen(fail.text), 0);
    buf_done(&root);
}
END_TEST

START_TEST(layout_root_max)
{
    char *text = mem_new(LAYOUT_ROOT_MAX + 2);
    struct buf root = { 0 };
    text[0] = '/';
    memset(text + 1, 'a', LAYOUT_ROOT_MAX);
    ck_assert_int_eq(layout_root(text, &root, NULL), BR_OK);
    memset(text, 'a', LAYOUT_ROOT_MAX + 1);
    ck_assert_int_eq(layout_root(text, &root, NULL), BR_INVALID);
    buf_done(&root);
    free(text);
}
END_TEST

START_TEST(layout_paths)
{
    struct buf buf = { 0 };
    layout_apps_path(&buf, "/");
    buf_char(&buf, ' ');
    layout_apps_path(&buf, "/r");
    buf_char(&buf, ' ');
    layout_table_path(&buf, "/r", 12);
    buf_char(&buf, ' ');
    layout_partition_path(&buf, "/r", 12, 3);
    buf_char(&buf, ' ');
    layout_journal_path(&buf, "/r");
    buf_char(&buf, ' ');
    layout_bridle_path(&buf, "/r");
    buf_char(&buf, ' ');
    layout_released_path(&buf, "/r");
    ck_assert_str_eq(buf.data, "/apps /r/apps /r/apps/12 /r/apps/12/3 /r/bridle/journal /r/bridle "
                               "/r/bridle/released");
    buf_done(&buf);
}
END_TEST

/* Keys sorted, of two equal ones one, strings escaped. */
START_TEST(layout_environments)
{
    static const char *const envs[] = { "b", "2", "a", "q\"\\\n", "c", "", "a", "q\"\\\n" };
    const struct br_table table = { .id = 1,
                                    .status = BR_TABLE_DROPPED,
                                    .name = "t",
                                    .type = "pegasus",
                                    .env_count = 4,
                                    .envs = envs };
    struct buf buf = { 0 };
    layout_put_table(&buf, &table, LAYOUT_25);
    ck_assert_ptr_nonnull(
        strstr(buf.data, "\"envs\":{\"a\":\"q\\\"\\\\\\n\",\"b\":\"2\",\"c\":\"\"}"));
    ck_assert_ptr_nonnull(strstr(buf.data, "{\"status\":\"app_status::AS_DROPPED\","));
    buf_done(&buf);
}
END_TEST

START_TEST(layout_partition_record)
{
    struct cluster cluster;
    struct buf buf = { 0 };
    cluster_init(&cluster);
    int32_t members[] = { cluster_node_add(&cluster, "b:2", address_make(0x0a000002, 2)),
                          cluster_node_add(&cluster, "c:3", 0) };
    int32_t primary = cluster_node_add(&cluster, "a:1", address_make(0x0a000001, 1));
    struct partition partition = { .ballot = 7,
                                   .primary = primary,
                                   .secondary_count = 1,
                                   .drop_count = 1,
                                   .members = members,
                                   .committed = 9,
                                   .flags = PARTITION_DROPPED };
    layout_put_partition(&buf, &cluster, 4, 3, 5, &partition, LAYOUT_26);
    ck_assert_str_eq(buf.data,
                     "{\"pid\":\"4.5\",\"ballot\":7,\"max_replica_count\":3,\"primary\":"
                     "\"10.0.0.1:1\",\"secondaries\":[\"10.0.0.2:2\"],\"last_drops\":"
                     "[\"invalid address\"],\"last_committed_decree\":9,\"partition_flags\":1,"
                     "\"hp_primary\":\"a:1\",\"hp_secondaries\":[\"b:2\"],\"hp_last_drops\":"
                     "[\"c:3\"]}");
    buf_clear(&buf);
    partition = (struct partition){ .primary = -1, .replica_count = 2 };
    layout_put_partition(&buf, &cluster, 4, 3, 5, &partition, LAYOUT_25);
    ck_assert_str_eq(buf.data, "{\"pid\":\"4.5\",\"ballot\":0,\"max_replica_count\":2,\"primary\":"
                               "\"invalid address\",\"secondaries\":[],\"last_drops\":[],"
                               "\"last_committed_decree\":0,\"partition_flags\":0}");
    buf_done(&buf);
    cluster_done(&cluster);
}
END_TEST

/* A node without an address: nothing that 2.5 could read. */
START_TEST(layout_addresses)
{
    const int32_t members[] = { 0, 1 };
    struct partition partitions[] = { { .primary = -1 }, { .primary = 1, .members = members } };
    struct table table = { .def = { .id = 7, .partition_count = 2 }, .partitions = partitions };
    struct fail fail = { .status = BR_OK };
    struct cluster cluster;
    cluster_init(&cluster);
    cluster_node_add(&cluster, "h:1", 0);
    cluster_node_add(&cluster, "10.0.0.1:1", address_make(0x0a000001, 1));
    cluster.tables = &table;
    cluster.table_count = 1;
    ck_assert_int_eq(layout_check(&cluster, LAYOUT_25, &fail), BR_OK);
    partitions[1].drop_count = 1;
    ck_assert_int_eq(layout_check(&cluster, LAYOUT_26, &fail), BR_OK);
    ck_assert_int_eq(layout_check(&cluster, LAYOUT_25, &fail), BR_INVALID);
    ck_assert_ptr_nonnull(strstr(fail.text, "partition 7.1 is on node h:1"));
    partitions[0].primary = 0;
    ck_assert_int_eq(layout_check(&cluster, LAYOUT_25, &fail), BR_INVALID);
    ck_assert_ptr_nonnull(strstr(fail.text, "partition 7.0 is on node h:1"));
    cluster_done(&cluster);
}
END_TEST

/* -- The decode rule --------------------------------------------------------------------------- */

#define ALL25                                                                                      \
    "\"status\":\"app_status::AS_AVAILABLE\",\"app_type\":\"pegasus\",\"app_name\":\"t\","         \
    "\"app_id\":1,\"partition_count\":1,\"envs\":{},\"is_stateful\":1,\"max_replica_count\":3,"    \
    "\"expire_second\":0,\"create_second\":0,\"drop_second\":0,\"duplicating\":0,"                 \
    "\"init_partition_count\":-1,\"is_bulk_loading\":0"

static const struct layout_refusal {
    const char *json;
    const char *says; /* NULL: it is read */
} layout_table_refusals[] = {
    { "{}", NULL },
    { "{\"foo\":1}", "unknown keys" },
    { "{" ALL25 "}", NULL },
    { "{" ALL25 ",\"atomic_idempotent\":1,\"foo\":[1]}", NULL },
    { "{" ALL25 ",\"foo\":1}", "unknown keys" },
    { "{\"app_id\":1}", NULL },
    { "{\"app_id\":1,\"app_idd\":1}", "unknown keys" },
    { "{\"status\":\"app_status::AS_FUTURE\"}", NULL },
    { "{\"status\":1}", "status" },
    { "{\"app_name\":null}", "app_name" },
    { "{\"app_type\":[]}", "app_type" },
    { "{\"app_id\":\"1\"}", "app_id" },
    { "{\"app_id\":2147483648}", "app_id" },
    { "{\"app_id\":1.0}", "app_id" },
    { "{\"create_second\":9223372036854775807}", NULL },
    { "{\"create_second\":9223372036854775808}", "not JSON" },
    { "{\"is_stateful\":true,\"duplicating\":false}", NULL },
    { "{\"is_stateful\":2}", "is_stateful" },
    { "{\"is_stateful\":\"1\"}", "is_stateful" },
    { "{\"envs\":[]}", "envs" },
    { "{\"envs\":{\"a\":1}}", "envs" },
    { "{\"app_id\":1,\"app_id\":2}", "not JSON" },
    { "", "empty" },
    { "null", "not JSON" },
    { "[]", "no object" },
    { "{}x", "not JSON" },
    { "{\"app_name\":\"a\\u0000b\"}", "not JSON" },
    { "{\"app_name\":\"\xff\"}", "not JSON" },
};

START_TEST(layout_table_rule)
{
    const struct layout_refusal *at = &layout_table_refusals[_i];
    struct cluster cluster;
    struct br_table table = { .id = -5 };
    struct fail fail = { .status = BR_OK };
    cluster_init(&cluster);
    br_status status =
        layout_get_table(&cluster, (br_bytes){ at->json, strlen(at->json) }, &table, &fail);
    ck_assert_msg(status == (at->says ? BR_CORRUPT : BR_OK), "%s: %s", at->json, fail.text);
    if (at->says) {
        ck_assert_msg(strstr(fail.text, at->says) != NULL, "%s: %s", at->json, fail.text);
        ck_assert_int_eq(table.id, -5);
    }
    cluster_done(&cluster);
}
END_TEST

static const struct layout_refusal layout_partition_refusals[] = {
    { "{}", NULL },
    { "{\"pid\":\"1.2\",\"ballot\":3}", NULL },
    { "{\"pid\":\"1.2\",\"balot\":3}", "unknown keys" },
    { "{\"pid\":\"1\"}", "pid" },
    { "{\"pid\":\"1.\"}", "pid" },
    { "{\"pid\":\"1.2x\"}", "pid" },
    { "{\"pid\":12}", "pid" },
    { "{\"ballot\":\"1\"}", "ballot" },
    { "{\"max_replica_count\":4294967296}", "max_replica_count" },
    { "{\"last_committed_decree\":1.5}", "last_committed_decree" },
    { "{\"partition_flags\":true}", "partition_flags" },
    { "{\"primary\":\"10.0.0.1:34801\"}", NULL },
    { "{\"primary\":\"invalid address\"}", NULL },
    { "{\"primary\":\"10.0.0.1\"}", "primary" },
    { "{\"primary\":\"host:34801\"}", "primary" },
    { "{\"primary\":7}", "primary" },
    { "{\"hp_primary\":\"host:34801\"}", NULL },
    { "{\"hp_primary\":\"invalid host_port\"}", NULL },
    { "{\"hp_primary\":\"ho st:34801\"}", "hp_primary" },
    { "{\"hp_primary\":\"host:34801\",\"primary\":7}", "hp_primary" },
    { "{\"secondaries\":\"x\"}", "secondaries" },
    { "{\"secondaries\":[\"invalid address\"]}", "secondaries" },
    { "{\"secondaries\":[1]}", "secondaries" },
    { "{\"hp_secondaries\":[\"a:1\"],\"secondaries\":[\"invalid address\"]}", NULL },
    { "{\"hp_secondaries\":[\"a:1\"],\"secondaries\":{}}", "secondaries" },
    { "{\"hp_last_drops\":[\"invalid host_port\"]}", "hp_last_drops" },
};

START_TEST(layout_partition_rule)
{
    const struct layout_refusal *at = &layout_partition_refusals[_i];
    struct cluster cluster;
    struct partition partition = { .ballot = -5 };
    struct fail fail = { .status = BR_OK };
    int32_t pid[2];
    cluster_init(&cluster);
    br_status status = layout_get_partition(&cluster, (br_bytes){ at->json, strlen(at->json) },
                                            &partition, pid, &fail);
    ck_assert_msg(status == (at->says ? BR_CORRUPT : BR_OK), "%s: %s", at->json, fail.text);
    if (at->says) {
        ck_assert_msg(strstr(fail.text, at->says) != NULL, "%s: %s", at->json, fail.text);
        ck_assert_int_eq(partition.ballot, -5);
    }
    cluster_done(&cluster);
}
END_TEST

START_TEST(layout_defaults)
{
    struct cluster cluster;
    struct br_table table;
    struct partition partition;
    int32_t pid[2];
    cluster_init(&cluster);
    ck_assert_int_eq(layout_get_table(&cluster, (br_bytes){ "{}", 2 }, &table, NULL), BR_OK);
    ck_assert_int_eq(table.init_partition_count, -1);
    ck_assert_int_eq(table.status, BR_TABLE_INVALID);
    ck_assert_str_eq(table.name, "");
    ck_assert_int_eq(layout_get_partition(&cluster, (br_bytes){ "{}", 2 }, &partition, pid, NULL),
                     BR_OK);
    ck_assert_int_eq(partition.primary, -1);
    ck_assert_int_eq(pid[0], 0);
    cluster_done(&cluster);
}
END_TEST

START_TEST(layout_json_max)
{
    struct cluster cluster;
    struct br_table table;
    struct fail fail = { .status = BR_OK };
    char *json = mem_new(LAYOUT_JSON_MAX + 1);
    memset(json, ' ', LAYOUT_JSON_MAX + 1);
    json[0] = '{';
    json[1] = '}';
    cluster_init(&cluster);
    ck_assert_int_eq(layout_get_table(&cluster, (br_bytes){ json, LAYOUT_JSON_MAX }, &table, &fail),
                     BR_OK);
    ck_assert_int_eq(
        layout_get_table(&cluster, (br_bytes){ json, LAYOUT_JSON_MAX + 1 }, &table, &fail),
        BR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fail.text, "limit"));
    cluster_done(&cluster);
    free(json);
}
END_TEST

static br_status layout_members(uint32_t from, uint32_t count, struct cluster *cluster,
                                struct fail *fail)
{
    struct buf json = { 0 };
    struct partition partition;
    int32_t pid[2];
    buf_text(&json, "{\"hp_last_drops\":[");
    for (uint32_t i = 0; i < count; i++)
        buf_printf(&json, "%s\"h%u:1\"", i ? "," : "", from + i);
    buf_text(&json, "]}");
    br_status status = layout_get_partition(cluster, buf_bytes(&json), &partition, pid, fail);
    if (status == BR_OK)
        ck_assert_uint_eq(partition.drop_count, count);
    buf_done(&json);
    return status;
}

START_TEST(layout_members_max)
{
    struct cluster cluster;
    struct fail fail = { .status = BR_OK };
    cluster_init(&cluster);
    ck_assert_int_eq(layout_members(0, LAYOUT_MEMBERS_MAX, &cluster, &fail), BR_OK);
    ck_assert_int_eq(layout_members(0, LAYOUT_MEMBERS_MAX + 1, &cluster, &fail), BR_CORRUPT);
    cluster_done(&cluster);
}
END_TEST

START_TEST(layout_nodes_max)
{
    struct cluster cluster;
    struct fail fail = { .status = BR_OK };
    cluster_init(&cluster);
    for (uint32_t i = 0; i < BR_NODES_MAX; i += LAYOUT_MEMBERS_MAX)
        ck_assert_int_eq(layout_members(i, LAYOUT_MEMBERS_MAX, &cluster, &fail), BR_OK);
    ck_assert_int_eq(layout_members(BR_NODES_MAX, 1, &cluster, &fail), BR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fail.text, "more than"));
    cluster_done(&cluster);
}
END_TEST

TCase *model_layout(void)
{
    TCase *tcase = tcase_create("layout");
    tcase_add_loop_test(tcase, layout_roots_normal, 0, sizeof layout_roots / sizeof *layout_roots);
    tcase_add_test(tcase, layout_root_max);
    tcase_add_test(tcase, layout_paths);
    tcase_add_test(tcase, layout_environments);
    tcase_add_test(tcase, layout_partition_record);
    tcase_add_test(tcase, layout_addresses);
    tcase_add_loop_test(tcase, layout_table_rule, 0,
                        sizeof layout_table_refusals / sizeof *layout_table_refusals);
    tcase_add_loop_test(tcase, layout_partition_rule, 0,
                        sizeof layout_partition_refusals / sizeof *layout_partition_refusals);
    tcase_add_test(tcase, layout_defaults);
    tcase_add_test(tcase, layout_json_max);
    tcase_add_test(tcase, layout_members_max);
    tcase_add_test(tcase, layout_nodes_max);
    return tcase;
}
