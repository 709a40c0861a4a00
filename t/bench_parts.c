/* bench_parts -- bridle-bench's keys, values and histogram, without a server. */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "t/test_bench.h"

/* -- Keys and values -------------------------------------------------------------------------- */

static const struct keys sequential = { KEYS_SEQUENTIAL, 1000, 10000, 16, 16, 100 };
static const struct keys some_random = { KEYS_RANDOM, 1000, 10000, 16, 16, 100 };

static const struct {
    uint32_t size;
    uint64_t number;
    const char *hex;
} sequential_keys[] = {
    { 16, 0, "0000000000000000 3030303030303030" },
    { 16, 9999, "000000000000270f 3030303030303030" },
    { 9, 0x0102030405060708, "0102030405060708 30" },
    { 8, 258, "0000000000000102" },
    { 2, 258, "0102" },
    { 1, 255, "ff" },
};

START_TEST(test_sequential)
{
    char room[64];
    struct buf want = { 0 };
    struct keys keys = sequential;
    keys.hash_size = sequential_keys[_i].size;
    struct table_key key = keys_key(&keys, sequential_keys[_i].number, room);
    test_unhex(sequential_keys[_i].hex, strlen(sequential_keys[_i].hex), &want);
    ck_assert_uint_eq(key.hash.size, want.size);
    ck_assert_mem_eq(key.hash.data, want.data, want.size);
    ck_assert_uint_eq(key.sort.size, 0);
    buf_done(&want);
}
END_TEST

START_TEST(test_differ)
{
    ck_assert(keys_differ(1, 256) && !keys_differ(1, 257));
    ck_assert(keys_differ(2, 65536) && !keys_differ(2, 65537));
    ck_assert(keys_differ(1, 1) && keys_differ(8, UINT64_MAX) && keys_differ(16, UINT64_MAX));
}
END_TEST

/* Written down once: another run, machine or release must find what this one fills. */
START_TEST(test_golden)
{
    char room[64], value[16];
    struct buf want = { 0 };
    struct keys keys = some_random;
    keys.value_size = 13;
    struct table_key key = keys_key(&keys, 7, room);
    keys_value(&keys, &key, value);
    const char *hex = "69d1d9e2c56b45cb3030303030303030"
                      "a7ae8716e54efa953030303030303030"
                      "2a482919b5cca13bbba998349e";
    test_unhex(hex, strlen(hex), &want);
    ck_assert_uint_eq(key.hash.size, 16);
    ck_assert_uint_eq(key.sort.size, 16);
    ck_assert_mem_eq(room, want.data, 32);
    ck_assert_mem_eq(value, want.data + 32, 13);
    buf_done(&want);
}
END_TEST

/* Sizes below a random number's eight bytes cut it. */
START_TEST(test_random_cut)
{
    char whole[64], cut[64];
    struct keys keys = some_random;
    keys_key(&keys, 3, whole);
    keys.hash_size = 5;
    keys.sort_size = 0;
    struct table_key key = keys_key(&keys, 3, cut);
    ck_assert_mem_eq(cut, whole, 5);
    ck_assert_uint_eq(key.sort.size, 0);
}
END_TEST

/* Seed, hash key, sort key and where one ends decide a value; sizes cut it. */
START_TEST(test_values)
{
    char one[128], other[128];
    struct keys keys = sequential;
    const struct table_key key = { { "ab", 2 }, { "cd", 2 } };
    const struct table_key others[] = { { { "abc", 3 }, { "d", 1 } },
                                        { { "abcd", 4 }, { "", 0 } },
                                        { { "ab", 2 }, { "ce", 2 } } };
    keys_value(&keys, &key, one);
    ck_assert_uint_eq(keys_value(&keys, &key, other).size, 100);
    ck_assert_mem_eq(one, other, 100);
    for (size_t i = 0; i < 3; i++) {
        keys_value(&keys, &others[i], other);
        ck_assert_mem_ne(one, other, 100);
    }
    keys.seed++;
    keys_value(&keys, &key, other);
    ck_assert_mem_ne(one, other, 100);
    keys.seed--;
    keys.value_size = 99;
    ck_assert_uint_eq(keys_value(&keys, &key, other).size, 99);
    ck_assert_mem_eq(one, other, 99);
    keys.value_size = 0;
    ck_assert_uint_eq(keys_value(&keys, &key, other).size, 0);
}
END_TEST

static const uint64_t counts[] = { 1, 2, 3, 4, 5, 16, 17, 255, 256, 257, 10000, 65537 };

START_TEST(test_shuffled)
{
    struct keys keys = sequential;
    keys.count = counts[_i];
    for (keys.seed = 0; keys.seed < 4; keys.seed++) {
        bool *seen = mem_array(keys.count, sizeof *seen);
        uint64_t stay = 0;
        for (uint64_t at = 0; at < keys.count; at++) {
            uint64_t number = keys_shuffled(&keys, at);
            ck_assert_uint_lt(number, keys.count);
            ck_assert(!seen[number]);
            seen[number] = true;
            stay += number == at;
        }
        ck_assert(keys.count < 1000 || stay < keys.count / 100);
        free(seen);
    }
}
END_TEST

START_TEST(test_shuffled_large)
{
    struct keys keys = sequential;
    keys.count = BENCH_NUM_MAX;
    for (uint64_t at = 0; at < 1000; at++)
        ck_assert_uint_lt(keys_shuffled(&keys, keys.count - 1 - at), keys.count);
}
END_TEST

/* -- Histogram -------------------------------------------------------------------------------- */

START_TEST(test_histogram_empty)
{
    struct histogram histogram = { 0 };
    ck_assert_int_eq(histogram_at(&histogram, 0.5), 0);
    ck_assert_int_eq(histogram_mean(&histogram), 0);
}
END_TEST

/* Alone in it, every time is told exactly; below another one, at most 1/32 too high. */
START_TEST(test_histogram_error)
{
    for (int bit = 0; bit < 63; bit++) {
        for (int64_t off = -1; off <= 1; off++) {
            struct histogram histogram = { 0 };
            br_time time = (br_time) ((uint64_t) 1 << bit) + off;
            histogram_add(&histogram, time);
            ck_assert_int_eq(histogram_at(&histogram, 0.5), time);
            ck_assert_int_eq(histogram.min, time);
            histogram_add(&histogram, INT64_MAX);
            br_time got = histogram_at(&histogram, 0.5);
            ck_assert_int_ge(got, time);
            ck_assert_int_le(got - time, time / 32);
            ck_assert_int_eq(histogram_at(&histogram, 1), INT64_MAX);
        }
    }
}
END_TEST

START_TEST(test_histogram_shares)
{
    struct histogram histogram = { 0 };
    for (br_time time = 1000; time >= 1; time--)
        histogram_add(&histogram, time * 1000);
    histogram_add(&histogram, -5);
    static const double shares[] = { 0.5, 0.9, 0.99, 0.999 };
    for (int i = 0; i < 4; i++) {
        double got = (double) histogram_at(&histogram, shares[i]) / 1e6;
        ck_assert_double_ge(got, shares[i] - 0.001);
        ck_assert_double_le(got, shares[i] * 33 / 32 + 0.001);
    }
    ck_assert_int_eq(histogram.min, 0);
    ck_assert_int_eq(histogram_at(&histogram, 0), 0);
    ck_assert_int_eq(histogram_at(&histogram, 1), 1000000);
    ck_assert_int_eq(histogram_mean(&histogram), 500500000 / 1001);
}
END_TEST

TCase *bench_parts_case(void)
{
    TCase *tcase = tcase_create("parts");
    tcase_add_loop_test(tcase, test_sequential, 0,
                        (int) (sizeof sequential_keys / sizeof *sequential_keys));
    tcase_add_test(tcase, test_differ);
    tcase_add_test(tcase, test_golden);
    tcase_add_test(tcase, test_random_cut);
    tcase_add_test(tcase, test_values);
    tcase_add_loop_test(tcase, test_shuffled, 0, (int) (sizeof counts / sizeof *counts));
    tcase_add_test(tcase, test_shuffled_large);
    tcase_add_test(tcase, test_histogram_empty);
    tcase_add_test(tcase, test_histogram_error);
    tcase_add_test(tcase, test_histogram_shares);
    return tcase;
}
