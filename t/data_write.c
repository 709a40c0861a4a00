/* data_write -- every write of Pegasus's, and what it leaves. */
#include <string.h>

#include "t/data.h"

/* -- One key ---------------------------------------------------------------------------------- */

static int32_t put(const char *hash, const char *sort, const char *value, int32_t expires)
{
    struct msg_rrdb_update_request request;
    struct msg_rrdb_update_response response;
    wire_init(&wire_rrdb_update_request, &request);
    request.key = kit_key(hash, sort);
    request.value = kit_text(value);
    request.expire_ts_seconds = expires;
    kit_run("RPC_RRDB_RRDB_PUT", &wire_rrdb_update_request, &request);
    kit_take(&wire_rrdb_update_response, &response);
    return response.error;
}

static int32_t get(const char *hash, const char *sort, const char **ret_value)
{
    struct msg_rrdb_read_response response;
    kit_run_key("RPC_RRDB_RRDB_GET", kit_key(hash, sort));
    kit_take(&wire_rrdb_read_response, &response);
    *ret_value = arena_text(&kit.arena, response.value.data, response.value.size);
    return response.error;
}

START_TEST(put_get_remove)
{
    struct msg_rrdb_update_response response;
    const char *value;
    ck_assert_int_eq(get("h", "s", &value), DATA_NOT_FOUND);
    ck_assert_str_eq(value, "");
    ck_assert_int_eq(put("h", "s", "one", 0), DATA_OK);
    ck_assert_int_eq(get("h", "s", &value), DATA_OK);
    ck_assert_str_eq(value, "one");
    ck_assert_int_eq(put("h", "s", "", 0), DATA_OK); /* an empty value is a value */
    ck_assert_int_eq(get("h", "s", &value), DATA_OK);
    ck_assert_str_eq(value, "");
    for (int i = 0; i < 2; i++) { /* what is not there can be removed */
        kit_run_key("RPC_RRDB_RRDB_REMOVE", kit_key("h", "s"));
        kit_take(&wire_rrdb_update_response, &response);
        ck_assert_int_eq(response.error, DATA_OK);
        ck_assert_int_eq(get("h", "s", &value), DATA_NOT_FOUND);
    }
    ck_assert_int_eq(put("", "", "nothing's", 0), DATA_OK);
    ck_assert_int_eq(get("", "", &value), DATA_OK);
    ck_assert_str_eq(value, "nothing's");
}
END_TEST

START_TEST(put_that_expires)
{
    const char *value;
    put("h", "s", "one", (int32_t) KIT_SECONDS + 1);
    ck_assert_int_eq(get("h", "s", &value), DATA_OK);
    kit.seconds++;
    ck_assert_int_eq(get("h", "s", &value), DATA_NOT_FOUND);
    ck_assert_str_eq(value, "");
    put("h", "s", "two", 0); /* it does not keep the old one's expiry */
    kit.seconds += 1000;
    ck_assert_int_eq(get("h", "s", &value), DATA_OK);
    put("h", "s", "three", (int32_t) KIT_SECONDS); /* dead on arrival */
    ck_assert_int_eq(get("h", "s", &value), DATA_NOT_FOUND);
}
END_TEST

/* -- Several keys ----------------------------------------------------------------------------- */

START_TEST(multi_put)
{
    struct msg_rrdb_multi_put_request request;
    struct msg_rrdb_update_response response;
    struct msg_rrdb_key_value rows[3];
    uint32_t expires;
    wire_init(&wire_rrdb_multi_put_request, &request);
    for (int i = 0; i < 3; i++)
        wire_init(&wire_rrdb_key_value, &rows[i]);
    rows[0].key = B("a"), rows[0].value = B("1");
    rows[1].key = B("b"), rows[1].value = B("2");
    rows[2].key = B("a"), rows[2].value = B("last"); /* of one key the last one counts */
    request.hash_key = B("h");
    request.kvs = (struct wire_list){ rows, (uint32_t) _i };
    request.expire_ts_seconds = (int32_t) KIT_SECONDS + 5;
    kit_run("RPC_RRDB_RRDB_MULTI_PUT", &wire_rrdb_multi_put_request, &request);
    kit_take(&wire_rrdb_update_response, &response);
    ck_assert_int_eq(response.error, _i ? DATA_OK : DATA_INVALID_ARGUMENT);
    ck_assert_str_eq(kit_stored("h", "a", &expires), _i == 0 ? "(none)" : _i == 3 ? "last" : "1");
    ck_assert_uint_eq(expires, _i ? KIT_SECONDS + 5 : 0);
    ck_assert_str_eq(kit_stored("h", "b", &expires), _i < 2 ? "(none)" : "2");
}
END_TEST

START_TEST(multi_remove)
{
    static const br_bytes keys[] = { S("a"), S("none"), S("b") };
    struct msg_rrdb_multi_remove_request request;
    struct msg_rrdb_number_response response;
    uint32_t expires;
    kit_put("h", "a", "1", 0);
    kit_put("h", "b", "2", 0);
    kit_put("i", "a", "3", 0);
    wire_init(&wire_rrdb_multi_remove_request, &request);
    request.hash_key = B("h");
    request.sort_keys = (struct wire_list){ (void *) (uintptr_t) keys, (uint32_t) _i };
    request.max_count = 1; /* is not looked at */
    kit_run("RPC_RRDB_RRDB_MULTI_REMOVE", &wire_rrdb_multi_remove_request, &request);
    kit_take(&wire_rrdb_number_response, &response);
    ck_assert_int_eq(response.error, _i ? DATA_OK : DATA_INVALID_ARGUMENT);
    ck_assert_int_eq(response.number, _i); /* those that were not there too */
    ck_assert_str_eq(kit_stored("h", "a", &expires), _i ? "(none)" : "1");
    ck_assert_str_eq(kit_stored("h", "b", &expires), _i == 3 ? "(none)" : "2");
    ck_assert_str_eq(kit_stored("i", "a", &expires), "3");
}
END_TEST

/* -- incr ------------------------------------------------------------------------------------- */

#define SOON ((int32_t) KIT_SECONDS + 7)
#define LATE ((int32_t) KIT_SECONDS + 9)
#define GONE ((int32_t) KIT_SECONDS)

static const struct {
    const char *old; /* NULL: absent */
    int32_t old_expires;
    int64_t increment;
    int32_t expires;
    int32_t error;
    int64_t number;
    const char *stored;
    int32_t stored_expires;
} incrs[] = {
    { NULL, 0, 5, 0, DATA_OK, 5, "5", 0 },
    { NULL, 0, 5, -1, DATA_OK, 5, "5", 0 },
    { NULL, 0, 5, SOON, DATA_OK, 5, "5", SOON },
    { NULL, 0, INT64_MIN, 0, DATA_OK, INT64_MIN, "-9223372036854775808", 0 },
    { "", LATE, 5, 0, DATA_OK, 5, "5", LATE },
    { "", LATE, -5, -1, DATA_OK, -5, "-5", 0 },
    { "10", GONE, 5, 0, DATA_OK, 5, "5", 0 },
    { "10", GONE, 5, -1, DATA_OK, 5, "5", 0 },
    { "10", GONE, 5, SOON, DATA_OK, 5, "5", SOON },
    { "no number", GONE, 5, 0, DATA_OK, 5, "5", 0 },
    { "10", 0, 5, 0, DATA_OK, 15, "15", 0 },
    { "10", LATE, 5, 0, DATA_OK, 15, "15", LATE },
    { "10", LATE, 5, -1, DATA_OK, 15, "15", 0 },
    { "10", LATE, 5, INT32_MIN, DATA_OK, 15, "15", 0 },
    { "10", LATE, 5, SOON, DATA_OK, 15, "15", SOON },
    { "10", 0, 0, SOON, DATA_OK, 10, "10", SOON },
    { "0x10", 0, 1, 0, DATA_OK, 17, "17", 0 },
    { "-10", 0, 3, 0, DATA_OK, -7, "-7", 0 },
    { "9223372036854775806", 0, 1, 0, DATA_OK, INT64_MAX, "9223372036854775807", 0 },
    { "9223372036854775807", LATE, 1, SOON, DATA_INVALID_ARGUMENT, INT64_MAX, "9223372036854775807",
      LATE },
    { "-9223372036854775808", LATE, -1, -1, DATA_INVALID_ARGUMENT, INT64_MIN,
      "-9223372036854775808", LATE },
    { "-1", 0, INT64_MIN, 0, DATA_INVALID_ARGUMENT, -1, "-1", 0 },
    { "no number", LATE, 5, SOON, DATA_INVALID_ARGUMENT, 0, "no number", LATE },
    { "9223372036854775808", 0, 5, 0, DATA_INVALID_ARGUMENT, 0, "9223372036854775808", 0 },
};

START_TEST(increments)
{
    struct msg_rrdb_incr_request request;
    struct msg_rrdb_number_response response;
    uint32_t expires;
    if (incrs[_i].old)
        kit_put("h", "s", incrs[_i].old, (uint32_t) incrs[_i].old_expires);
    wire_init(&wire_rrdb_incr_request, &request);
    request.key = kit_key("h", "s");
    request.increment = incrs[_i].increment;
    request.expire_ts_seconds = incrs[_i].expires;
    kit_run("RPC_RRDB_RRDB_INCR", &wire_rrdb_incr_request, &request);
    kit_take(&wire_rrdb_number_response, &response);
    ck_assert_int_eq(response.error, incrs[_i].error);
    ck_assert_int_eq(response.number, incrs[_i].number);
    ck_assert_str_eq(kit_stored("h", "s", &expires), incrs[_i].stored);
    ck_assert_int_eq((int32_t) expires, incrs[_i].stored_expires);
}
END_TEST

/* -- "Now" is the decree's -------------------------------------------------------------------- */

/* The writes whose outcome depends on what has expired. */
static void some_writes(void)
{
    struct msg_rrdb_incr_request incr;
    struct msg_rrdb_check_and_set_request set;
    put("h", "counter", "10", (int32_t) KIT_SECONDS + 3);
    put("h", "plain", "value", 0);
    for (int i = 0; i < 6; i++) { /* it expires in the middle */
        kit.seconds++;
        wire_init(&wire_rrdb_incr_request, &incr);
        incr.key = kit_key("h", "counter");
        incr.increment = 1;
        kit_run("RPC_RRDB_RRDB_INCR", &wire_rrdb_incr_request, &incr);
        wire_init(&wire_rrdb_check_and_set_request, &set);
        set.hash_key = B("h");
        set.check_sort_key = B("counter");
        set.check_type = CHECK_INT_LESS;
        set.check_operand = B("10");
        set.set_diff_sort_key = true;
        set.set_sort_key = B("was small");
        set.set_value = B("yes");
        kit_run("RPC_RRDB_RRDB_CHECK_AND_SET", &wire_rrdb_check_and_set_request, &set);
    }
}

/* The same mutations on another server, whenever it comes to them, leave the same bytes. */
START_TEST(now_is_the_decrees)
{
    struct buf one = { 0 }, other = { 0 };
    struct data_store *second, *first = kit.store;
    uint32_t expires;
    some_writes();
    kit_all(kit.store, &one);
    ck_assert_int_eq(data_store_open(kit.shared, kit_path("second"), &second, &kit.fail), BR_OK);
    kit.store = second;
    kit.decree = 0;
    kit.seconds = KIT_SECONDS; /* the mutations' timestamps are as they were */
    kit.now += BR_MINUTE * 1000;
    some_writes();
    kit_all(second, &other);
    ck_assert_uint_eq(one.size, other.size);
    ck_assert_mem_eq(one.data, other.data, one.size);
    ck_assert_str_eq(kit_stored("h", "counter", &expires), "4");
    ck_assert_str_eq(kit_stored("h", "was small", &expires), "yes");
    kit.store = first;
    data_store_close(second);
    buf_done(&one);
    buf_done(&other);
}
END_TEST

/* What shares a commit does not see each other. */
START_TEST(writes_of_one_commit)
{
    struct buf body = { 0 };
    struct msg_rrdb_incr_request incr;
    uint32_t expires;
    wire_init(&wire_rrdb_incr_request, &incr);
    incr.key = kit_key("h", "s");
    incr.increment = 1;
    wire_encode(&wire_rrdb_incr_request, &incr, WIRE_PEER_25, &body);
    const struct data_operation *operation = data_operation("RPC_RRDB_RRDB_INCR", 18);
    const struct data_call call = { .store = kit.store, .arena = &kit.arena, .server = KIT_SERVER };
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(data_run(operation, &call, buf_bytes(&body), &kit.response, &kit.fail),
                         BR_OK);
    ck_assert_str_eq(kit_stored("h", "s", &expires), "(none)");
    ck_assert_int_eq(data_store_commit(kit.store, 1, &kit.fail), BR_OK);
    ck_assert_str_eq(kit_stored("h", "s", &expires), "1");
    buf_done(&body);
}
END_TEST

/* -- What makes no sense ---------------------------------------------------------------------- */

static const char *const all[] = {
    "RPC_RRDB_RRDB_PUT",
    "RPC_RRDB_RRDB_REMOVE",
    "RPC_RRDB_RRDB_MULTI_PUT",
    "RPC_RRDB_RRDB_MULTI_REMOVE",
    "RPC_RRDB_RRDB_INCR",
    "RPC_RRDB_RRDB_CHECK_AND_SET",
    "RPC_RRDB_RRDB_CHECK_AND_MUTATE",
    "RPC_RRDB_RRDB_GET",
    "RPC_RRDB_RRDB_MULTI_GET",
    "RPC_RRDB_RRDB_BATCH_GET",
    "RPC_RRDB_RRDB_TTL",
    "RPC_RRDB_RRDB_SORTKEY_COUNT",
    "RPC_RRDB_RRDB_GET_SCANNER",
    "RPC_RRDB_RRDB_SCAN",
    "RPC_RRDB_RRDB_CLEAR_SCANNER",
};
#define ALL ((int) (sizeof all / sizeof *all))

static void check_refused(const char *rpc, br_bytes body)
{
    const struct data_operation *operation = data_operation(rpc, strlen(rpc));
    struct fail fail = { .status = BR_OK };
    struct buf left = { 0 };
    ck_assert_int_eq(data_check(operation, &kit.arena, body, &fail), BR_CORRUPT);
    ck_assert_int_eq(fail.status, BR_CORRUPT);
    ck_assert_uint_gt(strlen(fail.text), 0);
    ck_assert_int_eq(kit_run_bytes(rpc, body), BR_CORRUPT);
    ck_assert_uint_eq(kit.response.size, 0);
    kit_all(kit.store, &left);
    ck_assert_uint_eq(left.size, 0);
}

START_TEST(nonsense)
{
    static const br_bytes bodies[] = {
        S(""),
        S("\0"),
        S("nonsense"),
        S("\x0c\0\0"),
        S("\x0c\0\0\0\0-"),
        S("\x0f\0\0\x0a\x7f\xff\xff\xff"),
    };
    for (int rpc = 0; rpc < ALL; rpc++) {
        for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
            check_refused(all[rpc], bodies[i]);
    }
}
END_TEST

/* A good request that ends too early, at every byte. */
START_TEST(cut_short)
{
    struct buf body = { 0 };
    struct msg_rrdb_update_request request;
    wire_init(&wire_rrdb_update_request, &request);
    request.key = kit_key("h", "s");
    request.value = B("value");
    wire_encode(&wire_rrdb_update_request, &request, WIRE_PEER_25, &body);
    for (size_t size = 0; size < body.size; size++)
        check_refused("RPC_RRDB_RRDB_PUT", (br_bytes){ body.data, size });
    buf_done(&body);
}
END_TEST

/* Encodes a request with this hash key; false: it has none of its own. */
static bool with_hash_key(const char *rpc, br_bytes hash, struct buf *body)
{
    static const struct {
        const char *rpc;
        const struct wire_schema *schema;
        size_t offset;
    } places[] = {
        { "RPC_RRDB_RRDB_MULTI_PUT", &wire_rrdb_multi_put_request,
          offsetof(struct msg_rrdb_multi_put_request, hash_key) },
        { "RPC_RRDB_RRDB_MULTI_REMOVE", &wire_rrdb_multi_remove_request,
          offsetof(struct msg_rrdb_multi_remove_request, hash_key) },
        { "RPC_RRDB_RRDB_MULTI_GET", &wire_rrdb_multi_get_request,
          offsetof(struct msg_rrdb_multi_get_request, hash_key) },
        { "RPC_RRDB_RRDB_CHECK_AND_SET", &wire_rrdb_check_and_set_request,
          offsetof(struct msg_rrdb_check_and_set_request, hash_key) },
        { "RPC_RRDB_RRDB_CHECK_AND_MUTATE", &wire_rrdb_check_and_mutate_request,
          offsetof(struct msg_rrdb_check_and_mutate_request, hash_key) },
        { "RPC_RRDB_RRDB_GET_SCANNER", &wire_rrdb_get_scanner_request,
          offsetof(struct msg_rrdb_get_scanner_request, hash_key_filter_pattern) },
    };
    char request[512];
    if (strcmp(rpc, "RPC_RRDB_RRDB_SORTKEY_COUNT") == 0) {
        wire_encode_value(WIRE_BLOB, &hash, body);
        return true;
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (strcmp(rpc, places[i].rpc) != 0)
            continue;
        ck_assert_uint_le(places[i].schema->size, sizeof request);
        wire_init(places[i].schema, request);
        memcpy(request + places[i].offset, &hash, sizeof hash);
        wire_encode(places[i].schema, request, WIRE_PEER_25, body);
        return true;
    }
    return false;
}

/* DATA_HASH_KEY_MAX bytes are possible, one more is not. */
START_TEST(a_hash_key_too_long)
{
    struct buf hash = { 0 }, body = { 0 };
    buf_reserve(&hash, DATA_HASH_KEY_MAX + 1);
    memset(hash.data, 'h', DATA_HASH_KEY_MAX + 1);
    if (with_hash_key(all[_i], (br_bytes){ hash.data, DATA_HASH_KEY_MAX + 1 }, &body)) {
        check_refused(all[_i], buf_bytes(&body));
        ck_assert_str_eq(kit.fail.text, "a hash key of 65535 bytes, at most 65534 are possible");
        buf_clear(&body);
        with_hash_key(all[_i], (br_bytes){ hash.data, DATA_HASH_KEY_MAX }, &body);
        ck_assert_int_eq(kit_run_bytes(all[_i], buf_bytes(&body)), BR_OK);
    }
    buf_done(&hash);
    buf_done(&body);
}
END_TEST

/* What others may have in their mutations does nothing, whatever its body. */
START_TEST(operations_of_others)
{
    static const char *const names[] = { "RPC_REPLICATION_WRITE_EMPTY", "RPC_RRDB_RRDB_DUPLICATE",
                                         "RPC_RRDB_RRDB_BULK_LOAD" };
    struct buf left = { 0 };
    ck_assert_int_eq(kit_run_bytes(names[_i], B("anything")), BR_OK);
    ck_assert_uint_eq(kit.response.size, 0);
    kit_all(kit.store, &left);
    ck_assert_uint_eq(left.size, 0);
}
END_TEST

#define COUNT(table) ((int) (sizeof(table) / sizeof *(table)))

TCase *data_writes(void)
{
    TCase *tcase = tcase_create("write");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, kit_setup, kit_teardown);
    tcase_add_test(tcase, put_get_remove);
    tcase_add_test(tcase, put_that_expires);
    tcase_add_loop_test(tcase, multi_put, 0, 4);
    tcase_add_loop_test(tcase, multi_remove, 0, 4);
    tcase_add_loop_test(tcase, increments, 0, COUNT(incrs));
    tcase_add_test(tcase, now_is_the_decrees);
    tcase_add_test(tcase, writes_of_one_commit);
    tcase_add_test(tcase, nonsense);
    tcase_add_test(tcase, cut_short);
    tcase_add_loop_test(tcase, a_hash_key_too_long, 0, ALL);
    tcase_add_loop_test(tcase, operations_of_others, 0, 3);
    return tcase;
}
