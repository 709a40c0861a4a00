/* test_data -- replica servers' data.  Here: keys, values, numbers, filters, and which operations
 * there are.
 */
#include <string.h>

#include "t/data.h"

/* -- Keys ------------------------------------------------------------------------------------- */

static const struct {
    br_bytes hash, sort, key, next;
} keys[] = {
    { S("ab"), S("c"), S("\0\2abc"), S("\0\2abd") },
    { S("ab"), S(""), S("\0\2ab"), S("\0\2ac") },
    { S("ab"), S("c\xff"), S("\0\2abc\xff"), S("\0\2abd") },
    { S("ab"), S("\xff\xff"), S("\0\2ab\xff\xff"), S("\0\2ac") },
    { S("\xff"), S(""), S("\0\1\xff"), S("\0\2") },
    { S("\xff\xff"), S("\xff"), S("\0\2\xff\xff\xff"), S("\0\3") },
    { S(""), S(""), S("\0\0"), S("\0\1") },
    { S(""), S("s"), S("\0\0s"), S("\0\0t") },
    { S(""), S("\xff"), S("\0\0\xff"), S("\0\1") },
    { S("a\0b"), S("\0"), S("\0\3a\0b\0"), S("\0\3a\0b\1") },
};

START_TEST(keys_to_the_byte)
{
    struct buf key = { 0 };
    br_bytes hash, sort;
    buf_text(&key, "\xff\xff"); /* what stands before stays */
    data_key_put(&key, keys[_i].hash, keys[_i].sort);
    ck_assert_uint_eq(key.size, 2 + keys[_i].key.size);
    ck_assert_mem_eq(key.data + 2, keys[_i].key.data, keys[_i].key.size);
    ck_assert(data_key_split(keys[_i].key, &hash, &sort));
    ck_assert_int_eq(data_compare(hash, keys[_i].hash), 0);
    ck_assert_int_eq(data_compare(sort, keys[_i].sort), 0);
    key.size = 2;
    data_key_put_next(&key, keys[_i].hash, keys[_i].sort);
    ck_assert_uint_eq(key.size, 2 + keys[_i].next.size);
    ck_assert_mem_eq(key.data + 2, keys[_i].next.data, keys[_i].next.size);
    ck_assert_mem_eq(key.data, "\xff\xff", 2);
    ck_assert_int_gt(data_compare(keys[_i].next, keys[_i].key), 0);
    buf_done(&key);
}
END_TEST

START_TEST(the_longest_hash_key)
{
    struct buf hash = { 0 }, key = { 0 };
    br_bytes got, sort;
    buf_reserve(&hash, DATA_HASH_KEY_MAX);
    memset(hash.data, 0xff, DATA_HASH_KEY_MAX);
    hash.size = DATA_HASH_KEY_MAX;
    data_key_put(&key, buf_bytes(&hash), B("s"));
    ck_assert_mem_eq(key.data, "\xff\xfe\xff", 3);
    ck_assert(data_key_split(buf_bytes(&key), &got, &sort));
    ck_assert_uint_eq(got.size, DATA_HASH_KEY_MAX);
    ck_assert_uint_eq(sort.size, 1);
    buf_clear(&key);
    data_key_put_next(&key, buf_bytes(&hash), B(""));
    ck_assert_uint_eq(key.size, 2);
    ck_assert_mem_eq(key.data, "\xff\xff", 2);
    buf_done(&hash);
    buf_done(&key);
}
END_TEST

START_TEST(no_keys)
{
    static const br_bytes none[] = { S(""), S("\0"), S("\0\1"), S("\0\3ab"), S("\xff\xff-") };
    br_bytes hash, sort;
    ck_assert(!data_key_split(none[_i], &hash, &sort));
}
END_TEST

START_TEST(the_order)
{
    static const struct {
        br_bytes a, b;
        int order;
    } pairs[] = {
        { S(""), S(""), 0 },    { S(""), S("\0"), -1 },       { S("a"), S("a"), 0 },
        { S("a"), S("b"), -1 }, { S("a"), S("aa"), -1 },      { S("b"), S("aa"), 1 },
        { S("a"), S("A"), 1 },  { S("\x7f"), S("\x80"), -1 },
    };
    int order = data_compare(pairs[_i].a, pairs[_i].b);
    int other = data_compare(pairs[_i].b, pairs[_i].a);
    ck_assert_int_eq((order > 0) - (order < 0), pairs[_i].order);
    ck_assert_int_eq((other > 0) - (other < 0), -pairs[_i].order);
}
END_TEST

/* -- Values ----------------------------------------------------------------------------------- */

START_TEST(values_to_the_byte)
{
    uint8_t header[DATA_VALUE_HEADER];
    data_value_header(header, 0x01020304, 0x11223344556677);
    static const uint8_t want[] = { 1, 2, 3, 4, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0 };
    ck_assert_mem_eq(header, want, sizeof want);
    ck_assert_uint_eq(data_value_expires((br_bytes){ header, sizeof header }), 0x01020304);
    ck_assert_uint_eq(data_value_user((br_bytes){ header, sizeof header }).size, 0);
    const br_bytes stored = B("\0\0\0\7--------user");
    ck_assert_uint_eq(data_value_expires(stored), 7);
    ck_assert_int_eq(data_compare(data_value_user(stored), B("user")), 0);
    for (size_t size = 0; size < DATA_VALUE_HEADER; size++) { /* too short to be a value */
        ck_assert_uint_eq(data_value_expires((br_bytes){ stored.data, size }), 0);
        ck_assert_uint_eq(data_value_user((br_bytes){ stored.data, size }).size, 0);
    }
}
END_TEST

START_TEST(expiry)
{
    ck_assert(!data_expired(0, 0));
    ck_assert(!data_expired(0, UINT32_MAX));
    ck_assert(!data_expired(8, 7));
    ck_assert(data_expired(7, 7));
    ck_assert(data_expired(6, 7));
    ck_assert(!data_expired(UINT32_MAX, INT32_MAX));
    ck_assert_uint_eq(data_seconds(DATA_EPOCH * 1000000), 0);
    ck_assert_uint_eq(data_seconds(DATA_EPOCH * 1000000 + 1999999), 1);
    ck_assert_uint_eq(data_seconds(0), 0);
    ck_assert_uint_eq(data_seconds(-1), 0);
}
END_TEST

/* -- Numbers ---------------------------------------------------------------------------------- */

#define ZEROS_63 "000000000000000000000000000000000000000000000000000000000000000"

static const struct {
    br_bytes text;
    bool ok;
    int64_t number;
} numbers[] = {
    { S("0"), true, 0 },
    { S("-0"), true, 0 },
    { S("1"), true, 1 },
    { S("+1"), true, 1 },
    { S("-17"), true, -17 },
    { S(" 1"), true, 1 }, /* strtoll passes over it */
    { S("0x1F"), true, 31 },
    { S("-0x10"), true, -16 },
    { S("010"), true, 8 },
    { S("9223372036854775807"), true, INT64_MAX },
    { S("-9223372036854775808"), true, INT64_MIN },
    { S("9223372036854775808"), false, 0 },
    { S("-9223372036854775809"), false, 0 },
    { S("0xFFFFFFFFFFFFFFFF"), false, 0 },
    { S(""), false, 0 },
    { S(" "), false, 0 },
    { S("-"), false, 0 },
    { S("0x"), false, 0 },
    { S("08"), false, 0 },
    { S("1 "), false, 0 },
    { S("1\0"), false, 0 },
    { S("\0"), false, 0 },
    { S("1.0"), false, 0 },
    { S("1e3"), false, 0 },
    { S("one"), false, 0 },
    { S(ZEROS_63 "7"), true, 7 },   /* as long as it may be */
    { S(ZEROS_63 "07"), false, 0 }, /* DATA_NUMBER_MAX and one */
};

START_TEST(numbers_are_read)
{
    int64_t number = 99;
    ck_assert_msg(data_number(numbers[_i].text, &number) == numbers[_i].ok, "%s",
                  (const char *) numbers[_i].text.data);
    ck_assert_int_eq(number, numbers[_i].ok ? numbers[_i].number : 99);
}
END_TEST

/* -- Filters ---------------------------------------------------------------------------------- */

static const struct {
    int32_t type;
    br_bytes pattern, value;
    bool passes;
} filters[] = {
    { FILTER_NONE, S("x"), S("abc"), true },         { FILTER_NONE, S(""), S(""), true },
    { FILTER_ANYWHERE, S(""), S("abc"), true },      { FILTER_ANYWHERE, S("b"), S("abc"), true },
    { FILTER_ANYWHERE, S("abc"), S("abc"), true },   { FILTER_ANYWHERE, S("ac"), S("abc"), false },
    { FILTER_ANYWHERE, S("abcd"), S("abc"), false }, { FILTER_ANYWHERE, S("a"), S(""), false },
    { FILTER_ANYWHERE, S("\0b"), S("a\0b"), true },  { FILTER_PREFIX, S("ab"), S("abc"), true },
    { FILTER_PREFIX, S("bc"), S("abc"), false },     { FILTER_PREFIX, S("abc"), S("abc"), true },
    { FILTER_PREFIX, S("abcd"), S("abc"), false },   { FILTER_PREFIX, S(""), S(""), true },
    { FILTER_POSTFIX, S("bc"), S("abc"), true },     { FILTER_POSTFIX, S("ab"), S("abc"), false },
    { FILTER_POSTFIX, S("abc"), S("abc"), true },    { FILTER_POSTFIX, S("aabc"), S("abc"), false },
};

START_TEST(filters_decide)
{
    ck_assert(data_filter(filters[_i].type, filters[_i].pattern, filters[_i].value)
              == filters[_i].passes);
    ck_assert(data_filter_known(filters[_i].type));
}
END_TEST

START_TEST(filters_that_are_none)
{
    ck_assert(!data_filter_known(-1));
    ck_assert(!data_filter_known(FILTER_POSTFIX + 1));
}
END_TEST

/* -- Which operations there are --------------------------------------------------------------- */

static const struct {
    const char *rpc;
    bool write, batch, request, answered;
} operations[] = {
    { "RPC_RRDB_RRDB_PUT", true, true, true, true },
    { "RPC_RRDB_RRDB_REMOVE", true, true, true, true },
    { "RPC_RRDB_RRDB_MULTI_PUT", true, false, true, true },
    { "RPC_RRDB_RRDB_MULTI_REMOVE", true, false, true, true },
    { "RPC_RRDB_RRDB_INCR", true, false, true, true },
    { "RPC_RRDB_RRDB_CHECK_AND_SET", true, false, true, true },
    { "RPC_RRDB_RRDB_CHECK_AND_MUTATE", true, false, true, true },
    { "RPC_RRDB_RRDB_GET", false, false, true, true },
    { "RPC_RRDB_RRDB_MULTI_GET", false, false, true, true },
    { "RPC_RRDB_RRDB_BATCH_GET", false, false, true, true },
    { "RPC_RRDB_RRDB_TTL", false, false, true, true },
    { "RPC_RRDB_RRDB_SORTKEY_COUNT", false, false, true, true },
    { "RPC_RRDB_RRDB_GET_SCANNER", false, false, true, true },
    { "RPC_RRDB_RRDB_SCAN", false, false, true, true },
    { "RPC_RRDB_RRDB_CLEAR_SCANNER", false, false, true, false },
    { "RPC_REPLICATION_WRITE_EMPTY", true, false, false, true },
    { "RPC_RRDB_RRDB_DUPLICATE", true, false, false, true },
    { "RPC_RRDB_RRDB_BULK_LOAD", true, false, false, true },
};

START_TEST(operations_by_name)
{
    const char *rpc = operations[_i].rpc;
    const struct data_operation *operation = data_operation(rpc, strlen(rpc));
    ck_assert_ptr_nonnull(operation);
    ck_assert(data_is_write(operation) == operations[_i].write);
    ck_assert(data_is_batch(operation) == operations[_i].batch);
    ck_assert(data_is_request(operation) == operations[_i].request);
    ck_assert(data_is_answered(operation) == operations[_i].answered);
}
END_TEST

/* A name comes with its size, from another server: it may hold anything. */
START_TEST(no_such_operation)
{
    static const br_bytes names[] = {
        S(""),
        S("RPC_RRDB_RRDB_PU"),
        S("RPC_RRDB_RRDB_PUT "),
        S("rpc_rrdb_rrdb_put"),
        S("RPC_RRDB_RRDB_PUT\0"),
        S("RPC_RRDB_RRDB_PUT\0--------------------------------------------------------------"),
        S("\0"),
    };
    ck_assert_ptr_null(data_operation(names[_i].data, names[_i].size));
}
END_TEST

#define COUNT(table) ((int) (sizeof(table) / sizeof *(table)))

static TCase *data_basics(void)
{
    TCase *tcase = tcase_create("basics");
    tcase_add_loop_test(tcase, keys_to_the_byte, 0, COUNT(keys));
    tcase_add_test(tcase, the_longest_hash_key);
    tcase_add_loop_test(tcase, no_keys, 0, 5);
    tcase_add_loop_test(tcase, the_order, 0, 8);
    tcase_add_test(tcase, values_to_the_byte);
    tcase_add_test(tcase, expiry);
    tcase_add_loop_test(tcase, numbers_are_read, 0, COUNT(numbers));
    tcase_add_loop_test(tcase, filters_decide, 0, COUNT(filters));
    tcase_add_test(tcase, filters_that_are_none);
    tcase_add_loop_test(tcase, operations_by_name, 0, COUNT(operations));
    tcase_add_loop_test(tcase, no_such_operation, 0, 7);
    return tcase;
}

int main(void)
{
    return test_run("data", data_basics(), data_stores(), data_writes(), data_checks(),
                    data_reads(), data_scans(), NULL);
}
