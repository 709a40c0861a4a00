/* data_scan -- scans: batches, their ends, what they see, and those that nobody goes on with. */
#include <stdio.h>

#include "t/data.h"

static struct msg_rrdb_scan_response response;

static void put_rows(void)
{
    static const char *const rows[][3] = {
        { "a", "a", "1" }, { "a", "b", "2" },  { "b", "a", "3" },  { "b", "bc", "4" },
        { "c", "x", "5" }, { "ab", "a", "6" }, { "ab", "c", "7" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        kit_put(rows[i][0], rows[i][1], rows[i][2], KIT_SECONDS + 100 + (uint32_t) i);
    kit_put("b", "expired", "8", KIT_SECONDS);
}

/* From the first key to behind the last, as a client scans everything. */
static struct msg_rrdb_get_scanner_request whole(void)
{
    struct msg_rrdb_get_scanner_request request;
    wire_init(&wire_rrdb_get_scanner_request, &request);
    request.start_key = B("\0\0");
    request.start_inclusive = true;
    request.stop_key = B("\xff\xff");
    return request;
}

static const char *begin(const struct msg_rrdb_get_scanner_request *request)
{
    kit_run("RPC_RRDB_RRDB_GET_SCANNER", &wire_rrdb_get_scanner_request, request);
    kit_take(&wire_rrdb_scan_response, &response);
    return kit_rows(&response.kvs, true);
}

static const char *go_on(int64_t id)
{
    struct msg_rrdb_scan_request request;
    wire_init(&wire_rrdb_scan_request, &request);
    request.context_id = id;
    kit_run("RPC_RRDB_RRDB_SCAN", &wire_rrdb_scan_request, &request);
    kit_take(&wire_rrdb_scan_response, &response);
    return kit_rows(&response.kvs, true);
}

static void clear(int64_t id)
{
    struct buf body = { 0 };
    wire_encode_value(WIRE_I64, &id, &body);
    ck_assert_int_eq(kit_run_bytes("RPC_RRDB_RRDB_CLEAR_SCANNER", buf_bytes(&body)), BR_OK);
    ck_assert_uint_eq(kit.response.size, 0);
    buf_done(&body);
}

/* -- Batches ---------------------------------------------------------------------------------- */

#define ALL "a:a=1 a:b=2 b:a=3 b:bc=4 c:x=5 ab:a=6 ab:c=7"

START_TEST(at_once)
{
    static const int32_t batches[] = { 0, -1, 8, 100, DATA_SCAN_MAX, DATA_SCAN_MAX + 1 };
    struct msg_rrdb_get_scanner_request request = whole();
    put_rows();
    request.batch_size = batches[_i];
    ck_assert_str_eq(begin(&request), ALL);
    ck_assert_int_eq(response.error, DATA_OK);
    ck_assert_int_eq(response.context_id, -1);
    ck_assert(!WIRE_HAS(&response, 7));
    const struct msg_rrdb_key_value *rows = response.kvs.items;
    ck_assert(!WIRE_HAS(&rows[0], 3));
}
END_TEST

START_TEST(in_batches)
{
    struct msg_rrdb_get_scanner_request request = whole();
    struct buf rows = { 0 };
    int64_t id, before = -1;
    put_rows();
    request.batch_size = _i;
    buf_text(&rows, begin(&request));
    while ((id = response.context_id) != -1) {
        ck_assert_int_gt(id, 0);
        ck_assert_int_ne(id, before); /* each answer has a name of its own */
        ck_assert_uint_le(response.kvs.count, (uint32_t) _i);
        const char *more = go_on(id);
        if (response.kvs.count > 0)
            buf_printf(&rows, " %s", more);
        before = id;
    }
    ck_assert_str_eq(rows.data, ALL);
    buf_done(&rows);
}
END_TEST

/* DATA_SCAN_MAX rows of one answer; and no more are looked at. */
START_TEST(the_largest_batch)
{
    struct msg_rrdb_get_scanner_request request = whole();
    char sort[16];
    for (int i = 0; i < DATA_SCAN_MAX * 2 + 1; i++) {
        snprintf(sort, sizeof sort, "%06d", i);
        data_store_put(kit.store, kit_key("h", sort), B("v"), 0, 0);
    }
    ck_assert_int_eq(data_store_commit(kit.store, ++kit.decree, &kit.fail), BR_OK);
    if (_i) {
        request.sort_key_filter_type = FILTER_POSTFIX;
        request.sort_key_filter_pattern = B("9999"); /* none of them */
    }
    begin(&request);
    ck_assert_uint_eq(response.kvs.count, _i ? 0 : DATA_SCAN_MAX);
    ck_assert_int_ne(response.context_id, -1);
    go_on(response.context_id);
    ck_assert_uint_eq(response.kvs.count, _i ? 0 : DATA_SCAN_MAX);
    ck_assert_int_ne(response.context_id, -1);
    go_on(response.context_id);
    ck_assert_uint_eq(response.kvs.count, _i ? 0 : 1);
    ck_assert_int_eq(response.context_id, -1);
}
END_TEST

/* -- Where it begins and ends ----------------------------------------------------------------- */

static const struct {
    const char *start[2], *stop[2];
    bool start_in, stop_in;
    const char *rows;
} ends[] = {
    { { "a", "b" }, { "b", "bc" }, true, true, "a:b=2 b:a=3 b:bc=4" },
    { { "a", "b" }, { "b", "bc" }, true, false, "a:b=2 b:a=3" },
    { { "a", "b" }, { "b", "bc" }, false, true, "b:a=3 b:bc=4" },
    { { "a", "b" }, { "b", "bc" }, false, false, "b:a=3" },
    { { "a", "b" }, { "a", "b" }, true, true, "a:b=2" },
    { { "a", "b" }, { "a", "b" }, true, false, "" },
    { { "a", "b" }, { "a", "b" }, false, true, "" },
    { { "b", "a" }, { "a", "a" }, true, true, "" },
    { { "a", "aa" }, { "b", "b" }, false, false, "a:b=2 b:a=3" }, /* ends that are not there */
    { { "ab", "d" }, { "ac", "" }, true, true, "" },
};

START_TEST(starts_and_stops)
{
    for (int32_t batch = 0; batch < 3; batch++) {
        struct msg_rrdb_get_scanner_request request = whole();
        struct buf rows = { 0 };
        put_rows();
        request.start_key = kit_key(ends[_i].start[0], ends[_i].start[1]);
        request.stop_key = kit_key(ends[_i].stop[0], ends[_i].stop[1]);
        request.start_inclusive = ends[_i].start_in;
        request.stop_inclusive = ends[_i].stop_in;
        request.batch_size = batch;
        buf_text(&rows, begin(&request));
        while (response.context_id != -1) {
            const char *more = go_on(response.context_id);
            buf_printf(&rows, "%s%s", *more ? " " : "", more);
        }
        ck_assert_int_eq(response.error, DATA_OK);
        ck_assert_str_eq(buf_string(&rows), ends[_i].rows);
        buf_done(&rows);
    }
}
END_TEST

/* Nothing at all is behind no stop key, as Pegasus has it. */
START_TEST(no_stop_key)
{
    struct msg_rrdb_get_scanner_request request = whole();
    put_rows();
    request.stop_key = B("");
    ck_assert_str_eq(begin(&request), "");
    ck_assert_int_eq(response.context_id, -1);
    request.start_key = B("");
    request.stop_inclusive = true;
    ck_assert_str_eq(begin(&request), "");
}
END_TEST

/* -- Filters and what is given ---------------------------------------------------------------- */

static const struct {
    int32_t hash_filter;
    const char *hash_pattern;
    int32_t sort_filter;
    const char *sort_pattern;
    int32_t error;
    const char *rows;
} filters[] = {
    { FILTER_PREFIX, "a", 0, "", DATA_OK, "a:a=1 a:b=2 ab:a=6 ab:c=7" },
    { FILTER_PREFIX, "ab", 0, "", DATA_OK, "ab:a=6 ab:c=7" },
    { FILTER_PREFIX, "", 0, "", DATA_OK, ALL },
    { FILTER_POSTFIX, "b", 0, "", DATA_OK, "b:a=3 b:bc=4 ab:a=6 ab:c=7" },
    { FILTER_ANYWHERE, "c", 0, "", DATA_OK, "c:x=5" },
    { FILTER_ANYWHERE, "none", 0, "", DATA_OK, "" },
    { 0, "", FILTER_PREFIX, "b", DATA_OK, "a:b=2 b:bc=4" },
    { 0, "", FILTER_POSTFIX, "c", DATA_OK, "b:bc=4 ab:c=7" },
    { 0, "", FILTER_ANYWHERE, "x", DATA_OK, "c:x=5" },
    { FILTER_POSTFIX, "b", FILTER_PREFIX, "a", DATA_OK, "b:a=3 ab:a=6" },
    { -1, "", 0, "", DATA_INVALID_ARGUMENT, "" },
    { FILTER_POSTFIX + 1, "", 0, "", DATA_INVALID_ARGUMENT, "" },
    { 0, "", -1, "", DATA_INVALID_ARGUMENT, "" },
    { 0, "", FILTER_POSTFIX + 1, "", DATA_INVALID_ARGUMENT, "" },
};

START_TEST(filters_decide)
{
    struct msg_rrdb_get_scanner_request request = whole();
    struct buf rows = { 0 };
    put_rows();
    request.hash_key_filter_type = filters[_i].hash_filter;
    request.hash_key_filter_pattern = kit_text(filters[_i].hash_pattern);
    request.sort_key_filter_type = filters[_i].sort_filter;
    request.sort_key_filter_pattern = kit_text(filters[_i].sort_pattern);
    request.batch_size = 1; /* the patterns are kept for the next answers */
    buf_text(&rows, begin(&request));
    ck_assert_int_eq(response.error, filters[_i].error);
    while (response.error == DATA_OK && response.context_id != -1) {
        const char *more = go_on(response.context_id);
        buf_printf(&rows, "%s%s", *more ? " " : "", more);
    }
    ck_assert_str_eq(buf_string(&rows), filters[_i].rows);
    buf_done(&rows);
}
END_TEST

START_TEST(no_values)
{
    struct msg_rrdb_get_scanner_request request = whole();
    put_rows();
    request.no_value = true;
    request.batch_size = 4;
    ck_assert_str_eq(begin(&request), "a:a= a:b= b:a= b:bc=");
    ck_assert_str_eq(go_on(response.context_id), "c:x= ab:a= ab:c=");
}
END_TEST

START_TEST(expiries)
{
    struct msg_rrdb_get_scanner_request request = whole();
    put_rows();
    kit_put("a", "a", "never", 0);
    request.return_expire_ts = true;
    WIRE_SET(&request, 12);
    request.batch_size = 4;
    begin(&request);
    for (uint32_t i = 0; i < 7; i++) {
        if (i == 4)
            go_on(response.context_id);
        const struct msg_rrdb_key_value *row = response.kvs.items;
        row += i % 4;
        ck_assert(WIRE_HAS(row, 3));
        ck_assert_int_eq(row->expire_ts_seconds, i ? (int32_t) (KIT_SECONDS + 100 + i) : 0);
    }
}
END_TEST

START_TEST(counts_only)
{
    struct msg_rrdb_get_scanner_request request = whole();
    put_rows();
    request.only_return_count = true;
    WIRE_SET(&request, 14);
    request.batch_size = _i;
    begin(&request);
    int32_t count = response.kv_count;
    ck_assert(WIRE_HAS(&response, 7));
    ck_assert_uint_eq(response.kvs.count, 0);
    while (response.context_id != -1) {
        go_on(response.context_id);
        ck_assert(WIRE_HAS(&response, 7));
        ck_assert_uint_eq(response.kvs.count, 0);
        count += response.kv_count;
    }
    ck_assert_int_eq(count, 7);
}
END_TEST

/* -- Going on --------------------------------------------------------------------------------- */

/* Whatever is written meanwhile; but what expires meanwhile is gone. */
START_TEST(it_sees_what_was_there)
{
    struct msg_rrdb_get_scanner_request request = whole();
    put_rows();
    request.batch_size = 1;
    ck_assert_str_eq(begin(&request), "a:a=1");
    kit_put("a", "b", "changed", 0);
    kit_put("a", "c", "new", 0);
    data_store_remove(kit.store, kit_key("b", "a"));
    ck_assert_int_eq(data_store_commit(kit.store, ++kit.decree, &kit.fail), BR_OK);
    ck_assert_str_eq(go_on(response.context_id), "a:b=2");
    ck_assert_str_eq(go_on(response.context_id), "b:a=3");
    kit.seconds += 103; /* now b:bc has expired */
    ck_assert_str_eq(go_on(response.context_id), "c:x=5");
}
END_TEST

START_TEST(a_scan_that_is_none)
{
    struct msg_rrdb_get_scanner_request request = whole();
    put_rows();
    request.batch_size = 1;
    begin(&request);
    int64_t id = response.context_id;
    static const char *const names[] = { "never given", "used", "cleared", "idle", "-1" };
    switch (_i) {
    case 0: id++; break;
    case 1: go_on(id); break;
    case 2: clear(id); break;
    case 3: kit.now += DATA_SCAN_IDLE; break;
    default: id = -1; break;
    }
    ck_assert_str_eq(go_on(id), "");
    ck_assert_msg(response.error == DATA_NOT_FOUND, "%s", names[_i]);
    ck_assert_int_eq(response.context_id, 0);
    clear(id); /* no harm */
}
END_TEST

/* Every answer is another five minutes. */
START_TEST(going_on_keeps_it)
{
    struct msg_rrdb_get_scanner_request request = whole();
    put_rows();
    request.batch_size = 1;
    begin(&request);
    for (int i = 0; i < 5; i++) {
        kit.now += DATA_SCAN_IDLE - 1;
        go_on(response.context_id);
        ck_assert_int_eq(response.error, DATA_OK);
        ck_assert_uint_eq(response.kvs.count, 1);
    }
}
END_TEST

/* DATA_SCANS_MAX and one: the one that waited longest is gone. */
START_TEST(too_many_scans)
{
    struct msg_rrdb_get_scanner_request request = whole();
    put_rows();
    request.batch_size = 1;
    begin(&request);
    int64_t first = response.context_id;
    begin(&request);
    int64_t second = response.context_id;
    for (int i = 0; i < DATA_SCANS_MAX - 1; i++)
        begin(&request);
    int64_t last = response.context_id;
    go_on(first);
    ck_assert_int_eq(response.error, DATA_NOT_FOUND);
    ck_assert_str_eq(go_on(second), "a:b=2");
    ck_assert_str_eq(go_on(last), "a:b=2");
}
END_TEST

#define COUNT(table) ((int) (sizeof(table) / sizeof *(table)))

TCase *data_scans(void)
{
    TCase *tcase = tcase_create("scan");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, kit_setup, kit_teardown);
    tcase_add_loop_test(tcase, at_once, 0, 6);
    tcase_add_loop_test(tcase, in_batches, 1, 8);
    tcase_add_loop_test(tcase, the_largest_batch, 0, 2);
    tcase_add_loop_test(tcase, starts_and_stops, 0, COUNT(ends));
    tcase_add_test(tcase, no_stop_key);
    tcase_add_loop_test(tcase, filters_decide, 0, COUNT(filters));
    tcase_add_test(tcase, no_values);
    tcase_add_test(tcase, expiries);
    tcase_add_loop_test(tcase, counts_only, 0, 4);
    tcase_add_test(tcase, it_sees_what_was_there);
    tcase_add_loop_test(tcase, a_scan_that_is_none, 0, 5);
    tcase_add_test(tcase, going_on_keeps_it);
    tcase_add_test(tcase, too_many_scans);
    return tcase;
}
