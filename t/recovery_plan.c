/* recovery_plan -- records in order, the hash, what the plan measures. */
#include "t/recovery.h"

#include <stdlib.h>
#include <string.h>

static void plan_hash_of(uint64_t seed, const char *root, enum layout_version version,
                         char ret_hash[PLAN_HASH_SIZE])
{
    struct cluster cluster;
    struct plan plan;
    recovery_cluster(&cluster, seed, 3, 5);
    plan_make(&plan, &cluster, root, version);
    memcpy(ret_hash, plan.hash, PLAN_HASH_SIZE);
    cluster_done(&cluster);
}

START_TEST(plan_hash_tells)
{
    static const struct {
        uint64_t seed;
        const char *root;
        enum layout_version version;
    } rows[] = {
        { 1, "/a", LAYOUT_26 }, { 2, "/a", LAYOUT_26 }, { 1, "/b", LAYOUT_26 },
        { 1, "/a", LAYOUT_25 }, { 1, "/", LAYOUT_26 },
    };
    char hashes[5][PLAN_HASH_SIZE];
    for (int i = 0; i < 5; i++) {
        char again[PLAN_HASH_SIZE];
        plan_hash_of(rows[i].seed, rows[i].root, rows[i].version, hashes[i]);
        plan_hash_of(rows[i].seed, rows[i].root, rows[i].version, again);
        ck_assert_str_eq(hashes[i], again);
        ck_assert_uint_eq(strlen(hashes[i]), PLAN_HASH_SIZE - 1);
        for (int k = 0; k < i; k++)
            ck_assert_str_ne(hashes[i], hashes[k]);
    }
}
END_TEST

/* One field of one partition is another plan. */
START_TEST(plan_hash_field)
{
    struct cluster cluster;
    struct plan a;
    struct plan b;
    recovery_cluster(&cluster, 4, 2, 3);
    plan_make(&a, &cluster, "/a", LAYOUT_26);
    cluster.tables[1].partitions[0].ballot++;
    plan_make(&b, &cluster, "/a", LAYOUT_26);
    ck_assert_str_ne(a.hash, b.hash);
    cluster_done(&cluster);
}
END_TEST

/* SHA-256 of 8 bytes 0x01 0 0.., 8 bytes of length 2, "/a": made with coreutils. */
START_TEST(plan_hash_empty)
{
    struct cluster cluster;
    struct plan plan;
    recovery_cluster(&cluster, 1, 0, 1);
    plan_make(&plan, &cluster, "/a", LAYOUT_26);
    ck_assert_str_eq(plan.hash, "4301c423369aa261b057f1aeeff82a29a2bca87d88b57a7fbf8f44dec2cae2cd");
    ck_assert_uint_eq(plan_count(&plan), 0);
    ck_assert_uint_eq(plan.records, 0);
    cluster_done(&cluster);
}
END_TEST

START_TEST(plan_order)
{
    struct cluster cluster;
    struct plan plan;
    recovery_cluster(&cluster, 9, 4, 6);
    plan_make(&plan, &cluster, "/pegasus/c1", LAYOUT_25);
    ck_assert_uint_eq(plan_count(&plan), plan.records);
    struct plan_cursor cursor = plan_cursor_at(0, -1);
    struct arena arena;
    struct br_write write;
    arena_init(&arena, 0);
    for (uint32_t t = 0; t < cluster.table_count; t++) {
        const struct br_table *def = &cluster.tables[t].def;
        for (int32_t i = -1; i < def->partition_count; i++) {
            struct buf path = { 0 };
            struct buf value = { 0 };
            if (i < 0) {
                layout_table_path(&path, "/pegasus/c1", def->id);
                layout_put_table(&value, def, LAYOUT_25);
            } else {
                layout_partition_path(&path, "/pegasus/c1", def->id, i);
                layout_put_partition(&value, &cluster, def->id, def->replica_count, i,
                                     &cluster.tables[t].partitions[i], LAYOUT_25);
            }
            ck_assert(plan_next(&plan, &cursor, &arena, &write));
            ck_assert_int_eq(write.kind, BR_CREATE);
            ck_assert_str_eq(write.path, path.data);
            ck_assert_uint_eq(write.value.size, value.size);
            ck_assert_mem_eq(write.value.data, value.data, value.size);
            ck_assert_uint_le(value.size, plan.largest);
            ck_assert_uint_le(path.size, plan.widest_path);
            buf_done(&path);
            buf_done(&value);
        }
    }
    ck_assert(!plan_next(&plan, &cursor, &arena, &write));
    ck_assert(!plan_next(&plan, &cursor, &arena, &write));
    ck_assert_ptr_eq(strstr(plan.largest_path, "/apps/"), plan.largest_path);
    plan_cursor_done(&cursor);
    arena_done(&arena);
    cluster_done(&cluster);
}
END_TEST

TCase *recovery_plan_cases(void)
{
    TCase *tcase = tcase_create("plan");
    tcase_add_test(tcase, plan_hash_tells);
    tcase_add_test(tcase, plan_hash_field);
    tcase_add_test(tcase, plan_hash_empty);
    tcase_add_test(tcase, plan_order);
    return tcase;
}
