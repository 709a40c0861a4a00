/* data_read -- multi_get by keys and by ranges, batch_get, ttl, sortkey_count; and everything where
 * nothing is kept.
 */
#include <stdio.h>
#include <string.h>

#include "t/data.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* -- multi_get of keys ------------------------------------------------------------------------ */

static void put_rows(void)
{
    static const char *const rows[][2] = { { "a", "1" }, { "ab", "2" },  { "abc", "3" },
                                           { "b", "4" }, { "bab", "5" }, { "c", "6" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        kit_put("h", rows[i][0], rows[i][1], 0);
    kit_put("h", "aexpired", "7", KIT_SECONDS);
    kit_put("g", "z", "before", 0);
    kit_put("i", "a", "behind", 0);
}

static struct msg_rrdb_multi_get_request multi_request(void)
{
    struct msg_rrdb_multi_get_request request;
    wire_init(&wire_rrdb_multi_get_request, &request);
    request.hash_key = B("h");
    return request;
}

static size_t which; /* of a table's cases */

static void check_multi(const struct msg_rrdb_multi_get_request *request, int32_t error,
                        const char *rows)
{
    struct msg_rrdb_multi_get_response response;
    kit_run("RPC_RRDB_RRDB_MULTI_GET", &wire_rrdb_multi_get_request, request);
    kit_take(&wire_rrdb_multi_get_response, &response);
    ck_assert_msg(response.error == error, "case %zu: %d", which, response.error);
    ck_assert_msg(strcmp(kit_rows(&response.kvs, false), rows) == 0, "case %zu: %s", which,
                  kit_rows(&response.kvs, false));
}

static const struct {
    const char *keys; /* one letter each; '-' is not there, 'e' has expired */
    int32_t count_max, size_max;
    bool no_value;
    int32_t error;
    const char *rows;
} by_keys[] = {
    { "abc", 0, 0, false, DATA_OK, "a=1 b=4 c=6" },
    { "ba", 0, 0, false, DATA_OK, "b=4 a=1" }, /* as asked for */
    { "aa", 0, 0, false, DATA_OK, "a=1 a=1" },
    { "-", 0, 0, false, DATA_OK, "" },
    { "a-e-c", 0, 0, false, DATA_OK, "a=1 c=6" },
    { "abc", 0, 0, true, DATA_OK, "a= b= c=" },
    { "abc", 3, 0, false, DATA_OK, "a=1 b=4 c=6" },
    { "abc", 2, 0, false, DATA_INCOMPLETE, "a=1 b=4" },
    { "ab--", 2, 0, false, DATA_OK, "a=1 b=4" }, /* nothing that is there is left out */
    { "abc", 1, 0, false, DATA_INCOMPLETE, "a=1" },
    { "abc", -1, -1, false, DATA_OK, "a=1 b=4 c=6" },
    { "abc", 0, 1, false, DATA_INCOMPLETE, "a=1" }, /* the one that fills it is given */
    { "abc", 0, 2, false, DATA_INCOMPLETE, "a=1" },
    { "abc", 0, 3, false, DATA_INCOMPLETE, "a=1 b=4" },
    { "abc", 0, 6, false, DATA_OK, "a=1 b=4 c=6" },
    { "abc", 0, 2, true, DATA_INCOMPLETE, "a= b=" },
};

static void check_by_keys(void)
{
    br_bytes keys[8];
    struct msg_rrdb_multi_get_request request = multi_request();
    for (const char *key = by_keys[which].keys; *key; key++)
        keys[request.sort_keys.count++] = *key == 'e' ? B("aexpired") : (br_bytes){ key, 1 };
    request.sort_keys.items = keys;
    request.max_kv_count = by_keys[which].count_max;
    request.max_kv_size = by_keys[which].size_max;
    request.no_value = by_keys[which].no_value;
    check_multi(&request, by_keys[which].error, by_keys[which].rows);
}

START_TEST(multi_get_keys)
{
    put_rows();
    for (which = 0; which < COUNT(by_keys); which++)
        check_by_keys();
}
END_TEST

/* -- multi_get of a range --------------------------------------------------------------------- */

#define IN  true
#define OUT false

static const struct {
    const char *start, *stop;
    bool start_in, stop_in, reverse;
    int32_t filter;
    const char *pattern;
    int32_t count_max, size_max;
    int32_t error;
    const char *rows;
} ranges[] = {
    { "", "", IN, OUT, false, 0, "", 0, 0, DATA_OK, "a=1 ab=2 abc=3 b=4 bab=5 c=6" },
    { "", "", OUT, OUT, false, 0, "", 0, 0, DATA_OK, "a=1 ab=2 abc=3 b=4 bab=5 c=6" },
    { "", "", IN, OUT, true, 0, "", 0, 0, DATA_OK, "a=1 ab=2 abc=3 b=4 bab=5 c=6" },
    { "ab", "b", IN, IN, false, 0, "", 0, 0, DATA_OK, "ab=2 abc=3 b=4" },
    { "ab", "b", IN, OUT, false, 0, "", 0, 0, DATA_OK, "ab=2 abc=3" },
    { "ab", "b", OUT, IN, false, 0, "", 0, 0, DATA_OK, "abc=3 b=4" },
    { "ab", "b", OUT, OUT, false, 0, "", 0, 0, DATA_OK, "abc=3" },
    { "ab", "b", IN, IN, true, 0, "", 0, 0, DATA_OK, "ab=2 abc=3 b=4" },
    { "ab", "b", IN, OUT, true, 0, "", 0, 0, DATA_OK, "ab=2 abc=3" },
    { "ab", "b", OUT, IN, true, 0, "", 0, 0, DATA_OK, "abc=3 b=4" },
    { "ab", "b", OUT, OUT, true, 0, "", 0, 0, DATA_OK, "abc=3" },
    { "b", "b", IN, IN, false, 0, "", 0, 0, DATA_OK, "b=4" },
    { "b", "b", IN, OUT, false, 0, "", 0, 0, DATA_OK, "" },
    { "b", "b", OUT, IN, false, 0, "", 0, 0, DATA_OK, "" },
    { "b", "a", IN, IN, false, 0, "", 0, 0, DATA_OK, "" },
    { "b", "a", IN, IN, true, 0, "", 0, 0, DATA_OK, "" },
    { "ba", "bb", IN, IN, false, 0, "", 0, 0, DATA_OK, "bab=5" }, /* ends that are not there */
    { "d", "", IN, OUT, false, 0, "", 0, 0, DATA_OK, "" },
    { "d", "", IN, OUT, true, 0, "", 0, 0, DATA_OK, "" },
    { "c", "", IN, IN, false, 0, "", 0, 0, DATA_OK, "c=6" },
    { "", "", IN, OUT, false, FILTER_PREFIX, "ab", 0, 0, DATA_OK, "ab=2 abc=3" },
    { "", "", IN, OUT, true, FILTER_PREFIX, "ab", 0, 0, DATA_OK, "ab=2 abc=3" },
    { "ab", "c", OUT, IN, false, FILTER_PREFIX, "ab", 0, 0, DATA_OK, "abc=3" },
    { "a", "ab", IN, IN, false, FILTER_PREFIX, "ab", 0, 0, DATA_OK, "ab=2" },
    { "b", "c", IN, IN, false, FILTER_PREFIX, "a", 0, 0, DATA_OK, "" },
    { "", "", IN, OUT, false, FILTER_PREFIX, "", 0, 0, DATA_OK, "a=1 ab=2 abc=3 b=4 bab=5 c=6" },
    { "", "", IN, OUT, false, FILTER_ANYWHERE, "b", 0, 0, DATA_OK, "ab=2 abc=3 b=4 bab=5" },
    { "", "b", IN, IN, true, FILTER_ANYWHERE, "b", 0, 0, DATA_OK, "ab=2 abc=3 b=4" },
    { "", "", IN, OUT, false, FILTER_POSTFIX, "b", 0, 0, DATA_OK, "ab=2 b=4 bab=5" },
    { "", "", IN, OUT, false, FILTER_POSTFIX, "xx", 0, 0, DATA_OK, "" },
    { "", "", IN, OUT, false, 0, "", 2, 0, DATA_INCOMPLETE, "a=1 ab=2" },
    { "", "", IN, OUT, true, 0, "", 2, 0, DATA_INCOMPLETE, "bab=5 c=6" }, /* from the end, sorted */
    { "", "", IN, OUT, true, 0, "", 3, 0, DATA_INCOMPLETE, "b=4 bab=5 c=6" },
    { "", "", IN, OUT, false, 0, "", 7, 0, DATA_OK, "a=1 ab=2 abc=3 b=4 bab=5 c=6" },
    { "", "", IN, OUT, false, 0, "", 0, 5, DATA_INCOMPLETE, "a=1 ab=2" },
    { "", "", IN, OUT, true, 0, "", 0, 2, DATA_INCOMPLETE, "c=6" },
    { "", "", IN, OUT, false, FILTER_POSTFIX, "b", 2, 0, DATA_INCOMPLETE, "ab=2 b=4" },
    { "", "", IN, OUT, false, -1, "", 0, 0, DATA_INVALID_ARGUMENT, "" },
    { "", "", IN, OUT, false, FILTER_POSTFIX + 1, "", 0, 0, DATA_INVALID_ARGUMENT, "" },
};

static void check_range(void)
{
    struct msg_rrdb_multi_get_request request = multi_request();
    request.start_sortkey = kit_text(ranges[which].start);
    request.stop_sortkey = kit_text(ranges[which].stop);
    request.start_inclusive = ranges[which].start_in;
    request.stop_inclusive = ranges[which].stop_in;
    request.reverse = ranges[which].reverse;
    request.sort_key_filter_type = ranges[which].filter;
    request.sort_key_filter_pattern = kit_text(ranges[which].pattern);
    request.max_kv_count = ranges[which].count_max;
    request.max_kv_size = ranges[which].size_max;
    check_multi(&request, ranges[which].error, ranges[which].rows);
}

START_TEST(multi_get_ranges)
{
    put_rows();
    for (which = 0; which < COUNT(ranges); which++)
        check_range();
}
END_TEST

START_TEST(multi_get_no_value)
{
    struct msg_rrdb_multi_get_request request = multi_request();
    put_rows();
    request.no_value = true;
    request.start_inclusive = true;
    check_multi(&request, DATA_OK, "a= ab= abc= b= bab= c=");
    request.hash_key = B("none");
    check_multi(&request, DATA_OK, "");
}
END_TEST

/* A hash key of bytes ff alone, and an empty one: the range ends where its keys end. */
START_TEST(multi_get_at_the_edges)
{
    struct msg_rrdb_multi_get_request request = multi_request();
    put_rows();
    kit_put("", "s", "empty", 0);
    kit_put("\xff", "s", "last", 0);
    kit_put("\xff", "\xff\xff", "very last", 0);
    kit_put("aa", "s", "longer", 0);
    request.start_inclusive = true;
    request.hash_key = B("");
    check_multi(&request, DATA_OK, "s=empty");
    request.hash_key = B("\xff");
    check_multi(&request, DATA_OK, "s=last \xff\xff=very last");
    request.reverse = true;
    check_multi(&request, DATA_OK, "s=last \xff\xff=very last");
    request.sort_key_filter_type = FILTER_PREFIX;
    request.sort_key_filter_pattern = B("\xff");
    check_multi(&request, DATA_OK, "\xff\xff=very last");
}
END_TEST

static void put_many(uint32_t count, uint32_t expires)
{
    char sort[16];
    for (uint32_t i = 0; i < count; i++) {
        snprintf(sort, sizeof sort, "%06u", i);
        data_store_put(kit.store, kit_key("h", sort), B("v"), expires, 0);
    }
    ck_assert_int_eq(data_store_commit(kit.store, ++kit.decree, &kit.fail), BR_OK);
}

static uint32_t multi_count(const struct msg_rrdb_multi_get_request *request, int32_t *ret_error)
{
    struct msg_rrdb_multi_get_response response;
    kit_run("RPC_RRDB_RRDB_MULTI_GET", &wire_rrdb_multi_get_request, request);
    kit_take(&wire_rrdb_multi_get_response, &response);
    *ret_error = response.error;
    return response.kvs.count;
}

/* DATA_ROWS_MAX rows and no more, however many are asked for; and no more are looked at. */
START_TEST(too_many_rows)
{
    struct msg_rrdb_multi_get_request request = multi_request();
    int32_t error;
    request.start_inclusive = true;
    request.reverse = _i;
    put_many(DATA_ROWS_MAX, 0);
    ck_assert_uint_eq(multi_count(&request, &error), DATA_ROWS_MAX);
    ck_assert_int_eq(error, DATA_OK);
    put_many(DATA_ROWS_MAX + 1, 0);
    ck_assert_uint_eq(multi_count(&request, &error), DATA_ROWS_MAX);
    ck_assert_int_eq(error, DATA_INCOMPLETE);
    request.max_kv_count = DATA_ROWS_MAX + 1;
    ck_assert_uint_eq(multi_count(&request, &error), DATA_ROWS_MAX);
    request.max_kv_count = DATA_ROWS_MAX - 1;
    ck_assert_uint_eq(multi_count(&request, &error), DATA_ROWS_MAX - 1);
    ck_assert_int_eq(error, DATA_INCOMPLETE);
    put_many(DATA_ROWS_MAX + 1, KIT_SECONDS); /* all have expired: still a walk that ends */
    ck_assert_uint_eq(multi_count(&request, &error), 0);
    ck_assert_int_eq(error, DATA_INCOMPLETE);
}
END_TEST

START_TEST(too_many_keys)
{
    static br_bytes keys[DATA_ROWS_MAX + 1];
    struct msg_rrdb_multi_get_request request = multi_request();
    int32_t error;
    kit_put("h", "s", "v", 0);
    for (uint32_t i = 0; i <= DATA_ROWS_MAX; i++)
        keys[i] = B("s");
    request.sort_keys = (struct wire_list){ keys, DATA_ROWS_MAX };
    ck_assert_uint_eq(multi_count(&request, &error), DATA_ROWS_MAX);
    ck_assert_int_eq(error, DATA_OK);
    request.sort_keys.count++;
    ck_assert_uint_eq(multi_count(&request, &error), DATA_ROWS_MAX);
    ck_assert_int_eq(error, DATA_INCOMPLETE);
}
END_TEST

/* DATA_SIZE_MAX bytes, and the row that reaches it. */
START_TEST(too_many_bytes)
{
    struct msg_rrdb_multi_get_request request = multi_request();
    struct buf value = { 0 };
    char sort[8];
    int32_t error;
    buf_reserve(&value, 1 << 20);
    memset(value.data, 'v', 1 << 20);
    for (int i = 0; i < 33; i++) {
        snprintf(sort, sizeof sort, "%02d", i);
        data_store_put(kit.store, kit_key("h", sort), (br_bytes){ value.data, 1 << 20 }, 0, 0);
        ck_assert_int_eq(data_store_commit(kit.store, ++kit.decree, &kit.fail), BR_OK);
    }
    request.start_inclusive = true;
    ck_assert_uint_eq(multi_count(&request, &error), DATA_SIZE_MAX / (1 << 20));
    ck_assert_int_eq(error, DATA_INCOMPLETE);
    request.no_value = true;
    ck_assert_uint_eq(multi_count(&request, &error), 33);
    ck_assert_int_eq(error, DATA_OK);
    buf_done(&value);
}
END_TEST

/* -- Other reads ------------------------------------------------------------------------------ */

START_TEST(ttl)
{
    static const struct {
        uint32_t expires; /* 0: never; after KIT_SECONDS */
        int32_t error, seconds;
    } cases[] = { { 0, DATA_OK, -1 },
                  { KIT_SECONDS + 1, DATA_OK, 1 },
                  { KIT_SECONDS + 1000, DATA_OK, 1000 },
                  { KIT_SECONDS, DATA_NOT_FOUND, 0 },
                  { 1, DATA_NOT_FOUND, 0 } };
    struct msg_rrdb_ttl_response response;
    kit_run_key("RPC_RRDB_RRDB_TTL", kit_key("h", "s"));
    kit_take(&wire_rrdb_ttl_response, &response);
    ck_assert_int_eq(response.error, DATA_NOT_FOUND);
    kit_put("h", "s", "v", cases[_i].expires);
    kit_run_key("RPC_RRDB_RRDB_TTL", kit_key("h", "s"));
    kit_take(&wire_rrdb_ttl_response, &response);
    ck_assert_int_eq(response.error, cases[_i].error);
    ck_assert_int_eq(response.ttl_seconds, cases[_i].seconds);
}
END_TEST

START_TEST(sortkey_count)
{
    static const struct {
        br_bytes hash;
        int64_t count;
    } cases[] = { { S("h"), 6 }, { S("g"), 1 }, { S("none"), 0 }, { S(""), 0 }, { S("\xff"), 1 } };
    struct msg_rrdb_count_response response;
    put_rows();
    kit_put("\xff", "\xff", "last", 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kit_run_key("RPC_RRDB_RRDB_SORTKEY_COUNT", cases[i].hash);
        kit_take(&wire_rrdb_count_response, &response);
        ck_assert_int_eq(response.error, DATA_OK);
        ck_assert_int_eq(response.count, cases[i].count);
    }
    put_many(5000, 0); /* no limit of rows */
    kit_run_key("RPC_RRDB_RRDB_SORTKEY_COUNT", B("h"));
    kit_take(&wire_rrdb_count_response, &response);
    ck_assert_int_eq(response.count, 5006);
}
END_TEST

static struct msg_rrdb_full_key full_key(br_bytes hash, br_bytes sort)
{
    struct msg_rrdb_full_key key;
    wire_init(&wire_rrdb_full_key, &key);
    key.hash_key = hash;
    key.sort_key = sort;
    return key;
}

static struct msg_rrdb_batch_get_response batch(struct msg_rrdb_full_key *keys, uint32_t count)
{
    struct msg_rrdb_batch_get_request request;
    struct msg_rrdb_batch_get_response response;
    wire_init(&wire_rrdb_batch_get_request, &request);
    request.keys = (struct wire_list){ keys, count };
    kit_run("RPC_RRDB_RRDB_BATCH_GET", &wire_rrdb_batch_get_request, &request);
    kit_take(&wire_rrdb_batch_get_response, &response);
    return response;
}

START_TEST(batch_get)
{
    struct msg_rrdb_full_key keys[] = { full_key(B("i"), B("a")), full_key(B("h"), B("none")),
                                        full_key(B("h"), B("c")), full_key(B("h"), B("aexpired")),
                                        full_key(B("g"), B("z")) };
    put_rows();
    struct msg_rrdb_batch_get_response response = batch(keys, 5);
    ck_assert_int_eq(response.error, DATA_OK);
    ck_assert_uint_eq(response.data.count, 3);
    const struct msg_rrdb_full_data *rows = response.data.items;
    ck_assert_int_eq(data_compare(rows[0].value, B("behind")), 0);
    ck_assert_int_eq(data_compare(rows[1].hash_key, B("h")), 0);
    ck_assert_int_eq(data_compare(rows[1].sort_key, B("c")), 0);
    ck_assert_int_eq(data_compare(rows[1].value, B("6")), 0);
    ck_assert_int_eq(data_compare(rows[2].value, B("before")), 0);
    response = batch(keys, 0);
    ck_assert_int_eq(response.error, DATA_INVALID_ARGUMENT);
}
END_TEST

START_TEST(batch_get_of_too_long_a_key)
{
    struct buf hash = { 0 };
    buf_reserve(&hash, DATA_HASH_KEY_MAX + 1);
    memset(hash.data, 'h', DATA_HASH_KEY_MAX + 1);
    struct msg_rrdb_full_key keys[] = {
        full_key(B("h"), B("a")), full_key((br_bytes){ hash.data, DATA_HASH_KEY_MAX + 1 }, B(""))
    };
    put_rows();
    struct msg_rrdb_batch_get_response response = batch(keys, 2);
    ck_assert_int_eq(response.error, DATA_INVALID_ARGUMENT);
    ck_assert_uint_eq(response.data.count, 0);
    keys[1].hash_key.size--;
    response = batch(keys, 2);
    ck_assert_int_eq(response.error, DATA_OK);
    ck_assert_uint_eq(response.data.count, 1);
    buf_done(&hash);
}
END_TEST

/* -- Without a store -------------------------------------------------------------------------- */

/* The error is the first thing in every response. */
static const struct {
    const char *rpc;
    const struct wire_schema *schema; /* NULL: a key alone */
    int32_t error;
} nowhere[] = {
    { "RPC_RRDB_RRDB_PUT", &wire_rrdb_update_request, DATA_OK },
    { "RPC_RRDB_RRDB_REMOVE", NULL, DATA_OK },
    { "RPC_RRDB_RRDB_MULTI_PUT", &wire_rrdb_multi_put_request, DATA_INVALID_ARGUMENT },
    { "RPC_RRDB_RRDB_MULTI_REMOVE", &wire_rrdb_multi_remove_request, DATA_INVALID_ARGUMENT },
    { "RPC_RRDB_RRDB_INCR", &wire_rrdb_incr_request, DATA_OK },
    { "RPC_RRDB_RRDB_CHECK_AND_SET", &wire_rrdb_check_and_set_request, DATA_OK },
    { "RPC_RRDB_RRDB_CHECK_AND_MUTATE", &wire_rrdb_check_and_mutate_request,
      DATA_INVALID_ARGUMENT },
    { "RPC_RRDB_RRDB_GET", NULL, DATA_NOT_FOUND },
    { "RPC_RRDB_RRDB_TTL", NULL, DATA_NOT_FOUND },
    { "RPC_RRDB_RRDB_SORTKEY_COUNT", NULL, DATA_OK },
    { "RPC_RRDB_RRDB_MULTI_GET", &wire_rrdb_multi_get_request, DATA_OK },
    { "RPC_RRDB_RRDB_BATCH_GET", &wire_rrdb_batch_get_request, DATA_INVALID_ARGUMENT },
    { "RPC_RRDB_RRDB_GET_SCANNER", &wire_rrdb_get_scanner_request, DATA_OK },
    { "RPC_RRDB_RRDB_SCAN", &wire_rrdb_scan_request, DATA_NOT_FOUND },
};

START_TEST(without_a_store)
{
    char request[512];
    data_store_close(kit.store);
    kit.store = NULL;
    if (nowhere[_i].schema) {
        wire_init(nowhere[_i].schema, request);
        kit_run(nowhere[_i].rpc, nowhere[_i].schema, request);
    } else {
        kit_run_key(nowhere[_i].rpc, kit_key("h", "s"));
    }
    ck_assert_uint_ge(kit.response.size, 10); /* 0c 00 00, 08 00 01, the error */
    ck_assert_mem_eq(kit.response.data, "\x0c\0\0\x08\0\1\0\0\0", 9);
    ck_assert_int_eq(kit.response.data[9], nowhere[_i].error);
}
END_TEST

TCase *data_reads(void)
{
    TCase *tcase = tcase_create("read");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, kit_setup, kit_teardown);
    tcase_add_test(tcase, multi_get_keys);
    tcase_add_test(tcase, multi_get_ranges);
    tcase_add_test(tcase, multi_get_no_value);
    tcase_add_test(tcase, multi_get_at_the_edges);
    tcase_add_loop_test(tcase, too_many_rows, 0, 2);
    tcase_add_test(tcase, too_many_keys);
    tcase_add_test(tcase, too_many_bytes);
    tcase_add_loop_test(tcase, ttl, 0, 5);
    tcase_add_test(tcase, sortkey_count);
    tcase_add_test(tcase, batch_get);
    tcase_add_test(tcase, batch_get_of_too_long_a_key);
    tcase_add_loop_test(tcase, without_a_store, 0, (int) COUNT(nowhere));
    return tcase;
}
