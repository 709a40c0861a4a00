/* model_quick -- the quick way to read a partition's record takes what is written in the usual way,
 * and whatever it takes it reads as the general way does.
 */
#include "t/model.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/model/layout_quick.h"
#include "host/rdsn/address.h"

enum { NODES = 40, RECORDS = 200, CHANGES = 300 };

static uint64_t quick_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Half of the nodes are named as their addresses are, as in records of 2.5. */
static void quick_cluster(struct cluster *cluster)
{
    char text[ADDRESS_TEXT_MAX];
    cluster_init(cluster);
    for (uint32_t i = 0; i < NODES; i++) {
        uint64_t address = address_make(0x0a000001 + i, 34801);
        struct buf name = { 0 };
        if (i % 2)
            buf_printf(&name, "host-%u.example:34801", i);
        else
            buf_printf(&name, "%s", address_format(address, text));
        cluster_node_add(cluster, name.data, address);
        buf_done(&name);
    }
}

static struct partition quick_partition(uint64_t *seed, bool named, int32_t *members)
{
    int32_t step = named ? 1 : 2;
    struct partition partition = {
        .ballot = (int64_t) (quick_random(seed) >> (8 + quick_random(seed) % 56)),
        .committed = (int64_t) (quick_random(seed) >> (8 + quick_random(seed) % 56)),
        .primary = (int32_t) (quick_random(seed) % 5) - 1,
        .secondary_count = (uint16_t) (quick_random(seed) % 4),
        .drop_count = (uint16_t) (quick_random(seed) % 4),
        .members = members,
        .flags = (uint32_t) quick_random(seed) % 2,
        .replica_count = 1 + (int32_t) (quick_random(seed) % 5)
    };
    if (partition.primary >= 0)
        partition.primary *= step;
    for (int i = 0; i < partition.secondary_count + partition.drop_count; i++)
        members[i] = (int32_t) (quick_random(seed) % (NODES / 2)) * step;
    return partition;
}

/* The same record with a space in it, which the quick way never takes. */
static br_status read_generally(struct cluster *cluster, const struct buf *json,
                                struct partition *partition, int32_t pid[2])
{
    struct buf spaced = { 0 };
    struct fail fail;
    struct partition unused;
    int32_t unused_pid[2];
    buf_put(&spaced, "{ ", 2);
    buf_put(&spaced, json->data + 1, json->size - 1);
    ck_assert(!layout_quick_partition(cluster, buf_bytes(&spaced), &unused, unused_pid));
    br_status status = layout_get_partition(cluster, buf_bytes(&spaced), partition, pid, &fail);
    buf_done(&spaced);
    return status;
}

static void expect_same(struct cluster *cluster, const struct buf *json)
{
    struct partition quick = { 0 }, general = { 0 };
    int32_t quick_pid[2] = { -1, -1 }, pid[2] = { -2, -2 };
    ck_assert_msg(layout_quick_partition(cluster, buf_bytes(json), &quick, quick_pid), "%s",
                  json->data);
    uint32_t nodes = cluster->node_count;
    ck_assert_msg(read_generally(cluster, json, &general, pid) == BR_OK, "%s", json->data);
    ck_assert_uint_eq(cluster->node_count, nodes);
    ck_assert(quick_pid[0] == pid[0] && quick_pid[1] == pid[1]);
    ck_assert_int_eq(quick.ballot, general.ballot);
    ck_assert_int_eq(quick.committed, general.committed);
    ck_assert_int_eq(quick.primary, general.primary);
    ck_assert_int_eq(quick.flags, general.flags);
    ck_assert_int_eq(quick.replica_count, general.replica_count);
    ck_assert_int_eq(quick.secondary_count, general.secondary_count);
    ck_assert_int_eq(quick.drop_count, general.drop_count);
    size_t count = (size_t) general.secondary_count + general.drop_count;
    ck_assert((quick.members == NULL) == (count == 0));
    if (count)
        ck_assert_mem_eq(quick.members, general.members, count * sizeof *general.members);
}

/* Some of it is changed: mostly it is then nothing for the quick way; where it is, it is right. */
static void expect_same_changed(struct cluster *cluster, const struct buf *json, uint64_t *seed)
{
    static const char letters[] = "0123456789\",:.[]{}-\\ abi\x01\x80";
    struct buf changed = { 0 };
    struct partition unused;
    int32_t pid[2];
    for (int i = 0; i < CHANGES; i++) {
        size_t at = quick_random(seed) % json->size;
        size_t cut = quick_random(seed) % 3;
        if (cut > json->size - at)
            cut = json->size - at;
        buf_clear(&changed);
        buf_put(&changed, json->data, at);
        if (quick_random(seed) % 4)
            buf_put(&changed, &letters[quick_random(seed) % (sizeof letters - 1)], 1);
        buf_put(&changed, json->data + at + cut, json->size - at - cut);
        if (layout_quick_partition(cluster, buf_bytes(&changed), &unused, pid))
            expect_same(cluster, &changed);
    }
    buf_done(&changed);
}

START_TEST(quick_reads_the_same)
{
    struct cluster cluster;
    uint64_t seed = 88172645463325252u;
    quick_cluster(&cluster);
    for (int i = 0; i < RECORDS; i++) {
        struct buf json = { 0 };
        int32_t members[8];
        struct partition partition = quick_partition(&seed, _i == LAYOUT_26, members);
        layout_put_partition(&json, &cluster, 1 + (int32_t) (quick_random(&seed) % 65536), 3,
                             (int32_t) (quick_random(&seed) % 1048576), &partition,
                             (enum layout_version) _i);
        expect_same(&cluster, &json);
        expect_same_changed(&cluster, &json, &seed);
        buf_done(&json);
    }
    cluster_done(&cluster);
}
END_TEST

#define RECORD(pid, ballot, primary, secondaries, flags)                                           \
    "{\"pid\":\"" pid "\",\"ballot\":" ballot ",\"max_replica_count\":3,\"primary\":\"" primary    \
    "\",\"secondaries\":[" secondaries "],\"last_drops\":[],\"last_committed_decree\":7,"          \
    "\"partition_flags\":" flags "}"
#define N1 "10.0.0.1:34801"
#define N3 "10.0.0.3:34801"

/* Sixteen of one list are the most. */
#define LIST8                                                                                      \
    "\"" N1 "\",\"" N1 "\",\"" N1 "\",\"" N1 "\",\"" N1 "\",\"" N1 "\",\"" N1 "\",\"" N1 "\""
#define LIST16 LIST8 "," LIST8

static const struct {
    const char *json;
    bool quick;
    bool general;
} quick_rows[] = {
    { RECORD("2.0", "5", N1, "\"" N3 "\"", "0"), true, true },
    { RECORD("2.0", "5", "invalid address", "", "0"), true, true },
    { RECORD("2.0", "5", N1, LIST16, "0"), true, true },
    { RECORD("2.0", "5", N1, LIST16 ",\"" N1 "\"", "0"), false, true },
    { RECORD("2.0", "999999999999999999", N1, "", "0"), true, true },
    { RECORD("2.0", "1000000000000000000", N1, "", "0"), false, true },
    { RECORD("2.0", "9223372036854775808", N1, "", "0"), false, false },
    { RECORD("2.0", "-1", N1, "", "0"), false, true },
    { RECORD("2.0", "05", N1, "", "0"), false, false },
    { RECORD("2.0", "", N1, "", "0"), false, false },
    { RECORD("2.0", "5", N1, "", "999999999"), true, true },
    { RECORD("2.0", "5", N1, "", "2147483647"), false, true },
    { RECORD("2.0", "5", N1, "", "2147483648"), false, false },
    { RECORD("02.0", "5", N1, "", "0"), false, true },
    { RECORD("2.", "5", N1, "", "0"), false, false },
    { RECORD("2.0", "5", "10.0.0.99:34801", "", "0"), false, true }, /* not known */
    { RECORD("2.0", "5", N1, "\"invalid address\"", "0"), false, false },
    { RECORD("2.0", "5",
             "\\u0031"
             "0.0.0.1:34801",
             "", "0"),
      false, true },
    { RECORD("2.0", "5", N1, "", "0") " ", false, true },
    { RECORD("2.0", "5", N1, "", "0") "}", false, false },
    { "", false, false },
    { "{", false, false },
};

START_TEST(quick_takes_the_usual)
{
    struct cluster cluster;
    struct partition partition;
    struct fail fail;
    int32_t pid[2];
    quick_cluster(&cluster);
    br_bytes json = { quick_rows[_i].json, strlen(quick_rows[_i].json) };
    ck_assert_msg(layout_quick_partition(&cluster, json, &partition, pid) == quick_rows[_i].quick,
                  "%s", quick_rows[_i].json);
    ck_assert_msg((layout_get_partition(&cluster, json, &partition, pid, &fail) == BR_OK)
                      == quick_rows[_i].general,
                  "%s: %s", quick_rows[_i].json, fail.text);
    cluster_done(&cluster);
}
END_TEST

/* Every beginning of a record, in memory that ends there. */
START_TEST(quick_stops_at_the_end)
{
    static const char json[] = RECORD("2.0", "5", N1, "\"" N3 "\"", "0");
    struct cluster cluster;
    struct partition partition;
    int32_t pid[2];
    quick_cluster(&cluster);
    for (size_t size = 0; size < sizeof json - 1; size++) {
        char *cut = mem_new(size + 1);
        cut = mem_grow(cut, size ? size : 1);
        memcpy(cut, json, size);
        ck_assert(!layout_quick_partition(&cluster, (br_bytes){ cut, size }, &partition, pid));
        free(cut);
    }
    cluster_done(&cluster);
}
END_TEST

TCase *model_quick(void)
{
    TCase *tcase = tcase_create("quick");
    tcase_add_loop_test(tcase, quick_reads_the_same, LAYOUT_25, LAYOUT_26 + 1);
    tcase_add_loop_test(tcase, quick_takes_the_usual, 0,
                        (int) (sizeof quick_rows / sizeof *quick_rows));
    tcase_add_test(tcase, quick_stops_at_the_end);
    return tcase;
}
