/* test_table_client_call -- every operation: what is asked, what of the answer is told, and as
 * what.
 */
#include <stdlib.h>
#include <string.h>

#include "t/table_client.h"

#define HASH "user1"
#define SORT "name"

/* What the server is to say, and what it was asked. */
static struct {
    const struct wire_schema *response;
    int32_t storage;
    bool garbage, foreign;
    char rpc[RDSN_NAME_SIZE];
    struct buf body;
} said;

static void field_set(const struct wire_schema *schema, void *message, const char *name,
                      int64_t value)
{
    for (uint16_t i = 0; i < schema->count; i++) {
        const struct wire_field *field = &schema->fields[i];
        int32_t small = (int32_t) value;
        if (strcmp(field->name, name) == 0 && field->kind == WIRE_I32)
            memcpy((char *) message + field->offset, &small, sizeof small);
        if (strcmp(field->name, name) == 0 && field->kind == WIRE_I64)
            memcpy((char *) message + field->offset, &value, sizeof value);
    }
}

static void say(struct fake_replica *replica, struct rdsn_incoming *incoming)
{
    _Alignas(8) char response[256];
    ck_assert_uint_le(said.response->size, sizeof response);
    snprintf(said.rpc, sizeof said.rpc, "%s", incoming->header.rpc_name);
    buf_clear(&said.body);
    buf_put(&said.body, incoming->body.data, incoming->body.size);
    wire_init(said.response, response);
    field_set(said.response, response, "error", said.storage);
    field_set(said.response, response, "app_id", incoming->header.app_id);
    field_set(said.response, response, "partition_index",
              incoming->header.partition + said.foreign);
    field_set(said.response, response, "decree", ++replica->decree);
    if (said.garbage)
        rdsn_server_reply(incoming, "ERR_OK", (br_bytes){ "\x0c\0\0\x0b nonsense", 13 });
    else
        stage_reply(incoming, said.response, response);
}

static void call_setup(void)
{
    stage_setup();
    memset(&said, 0, sizeof said);
    stage.replicas[0].serve = say;
    stage_open(1, 0);
}

static void call_teardown(void)
{
    buf_done(&said.body);
    stage_teardown();
}

enum { WHOLE = 1, HASH_ONLY, NO_KEY };

static const struct operation_row {
    enum table_operation operation;
    const char *rpc;
    const struct wire_schema *request, *response;
    int key; /* what of the key is in the request */
    bool write;
    int32_t answer; /* beside 0 a code of the storage's that is told as `as` */
    br_status as;
} operations[] = {
    { TABLE_PUT, "PUT", &wire_rrdb_update_request, &wire_rrdb_update_response, WHOLE, true, 0, 0 },
    { TABLE_GET, "GET", NULL, &wire_rrdb_read_response, WHOLE, false, 1, BR_NOTFOUND },
    { TABLE_REMOVE, "REMOVE", NULL, &wire_rrdb_update_response, WHOLE, true, 0, 0 },
    { TABLE_TTL, "TTL", NULL, &wire_rrdb_ttl_response, WHOLE, false, 1, BR_NOTFOUND },
    { TABLE_INCR, "INCR", &wire_rrdb_incr_request, &wire_rrdb_number_response, WHOLE, true, 0, 0 },
    { TABLE_MULTI_PUT, "MULTI_PUT", &wire_rrdb_multi_put_request, &wire_rrdb_update_response,
      HASH_ONLY, true, 0, 0 },
    { TABLE_MULTI_GET, "MULTI_GET", &wire_rrdb_multi_get_request, &wire_rrdb_multi_get_response,
      HASH_ONLY, false, 7, BR_OK },
    { TABLE_MULTI_REMOVE, "MULTI_REMOVE", &wire_rrdb_multi_remove_request,
      &wire_rrdb_number_response, HASH_ONLY, true, 7, BR_OK },
    { TABLE_SORTKEY_COUNT, "SORTKEY_COUNT", NULL, &wire_rrdb_count_response, HASH_ONLY, false, 0,
      0 },
    { TABLE_BATCH_GET, "BATCH_GET", &wire_rrdb_batch_get_request, &wire_rrdb_batch_get_response,
      NO_KEY, false, 7, BR_OK },
    { TABLE_CHECK_AND_SET, "CHECK_AND_SET", &wire_rrdb_check_and_set_request,
      &wire_rrdb_check_response, HASH_ONLY, true, 13, BR_OK },
    { TABLE_CHECK_AND_MUTATE, "CHECK_AND_MUTATE", &wire_rrdb_check_and_mutate_request,
      &wire_rrdb_check_response, HASH_ONLY, true, 13, BR_OK },
    { TABLE_GET_SCANNER, "GET_SCANNER", &wire_rrdb_get_scanner_request, &wire_rrdb_scan_response,
      NO_KEY, false, 0, 0 },
    { TABLE_SCAN, "SCAN", &wire_rrdb_scan_request, &wire_rrdb_scan_response, NO_KEY, false, 1,
      BR_NOTFOUND },
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static struct told call_run(const struct operation_row *row, br_time timeout)
{
    static _Alignas(8) char request[256];
    const struct table_key key = { .hash = { HASH, 5 }, .sort = { SORT, 4 } };
    struct told told = { 0 };
    said.response = row->response;
    if (row->request)
        wire_init(row->request, request);
    table_client_call(stage.table, &(struct table_call){ .operation = row->operation,
                                                         .key = &key,
                                                         .request = row->request ? request : NULL,
                                                         .timeout = timeout,
                                                         .done = told_done,
                                                         .arg = &told });
    ck_assert_int_eq(told.count, 0);
    NET_UNTIL(&stage.net, told.count);
    return told;
}

/* What was asked is about this key. */
static void check_request(const struct operation_row *row)
{
    static const char whole[] = "\0\5" HASH SORT;
    br_bytes want = row->key == WHOLE ? (br_bytes){ whole, sizeof whole - 1 }
                                      : (br_bytes){ HASH, strlen(HASH) };
    _Alignas(8) char request[256];
    br_bytes key = { NULL, 0 };
    struct arena arena;
    arena_init(&arena, 0);
    struct buf rpc = { 0 };
    buf_printf(&rpc, "RPC_RRDB_RRDB_%s", row->rpc);
    ck_assert_str_eq(said.rpc, buf_string(&rpc));
    buf_done(&rpc);
    if (row->request) {
        ck_assert_int_eq(
            wire_decode(row->request, buf_bytes(&said.body), wire_arena(&arena), request, NULL),
            BR_OK);
        if (row->key != NO_KEY)
            memcpy(&key, request + row->request->fields[0].offset, sizeof key);
    } else {
        ck_assert_int_eq(
            wire_decode_value(WIRE_BLOB, buf_bytes(&said.body), wire_arena(&arena), &key, NULL),
            BR_OK);
    }
    if (row->key != NO_KEY) {
        ck_assert_uint_eq(key.size, want.size);
        ck_assert_mem_eq(key.data, want.data, want.size);
    }
    arena_done(&arena);
}

START_TEST(test_call)
{
    const struct operation_row *row = &operations[_i];
    struct told told = call_run(row, 0);
    ck_assert_int_eq(told.status, BR_OK);
    ck_assert(told.response);
    ck_assert_int_eq(told.decree, row->write ? 1 : -1);
    check_request(row);
    ck_assert_uint_eq(stage.replicas[0].header.partition_hash,
                      table_key_hash(&(struct table_key){ .hash = { HASH, 5 } }));
}
END_TEST

/* Every code that the storage knows. */
START_TEST(test_call_storage)
{
    const struct operation_row *row = &operations[_i];
    for (said.storage = 1; said.storage <= 13; said.storage++) {
        struct told told = call_run(row, 0);
        bool answer = said.storage == row->answer;
        ck_assert_int_eq(told.status, answer ? row->as : BR_REFUSED);
        ck_assert_int_eq(told.storage, said.storage);
        ck_assert_str_eq(told.error, "ERR_OK");
        ck_assert(told.response);
        ck_assert_int_eq(told.decree > 0, answer && row->write);
    }
}
END_TEST

START_TEST(test_call_senseless)
{
    const struct operation_row *row = &operations[_i];
    said.garbage = true;
    struct told told = call_run(row, 0);
    ck_assert_int_eq(told.status, row->write ? BR_UNKNOWN : BR_CORRUPT);
    ck_assert(!told.response);
    said.garbage = false;
    said.foreign = true;
    told = call_run(row, 0);
    ck_assert_int_eq(told.status, row->write ? BR_UNKNOWN : BR_CORRUPT);
    ck_assert_str_eq(told.error, "ERR_INVALID_DATA");
    ck_assert(!told.response);
}
END_TEST

/* The primary moved; then nobody answers. */
START_TEST(test_call_moved)
{
    const struct operation_row *row = &operations[_i];
    stage.replicas[0].error = "ERR_INVALID_STATE";
    stage.replicas[1].serve = say;
    call_run(&operations[TABLE_GET], 20 * BR_MILLISECOND); /* knows the old one */
    stage_place(8, &stage.replicas[1]);
    struct told told = call_run(row, 60 * BR_SECOND);
    ck_assert_int_eq(told.status, BR_OK);
    ck_assert_str_eq(told.server, stage.replicas[1].name);
    stage.replicas[1].mute = true;
    told = call_run(row, 20 * BR_MILLISECOND);
    ck_assert_int_eq(told.status, row->write ? BR_UNKNOWN : BR_TIMEOUT);
    ck_assert_str_eq(told.error, "ERR_TIMEOUT");
}
END_TEST

/* Writes are tried again whichever they are, as Pegasus's client does; with one attempt they are
 * not. */
START_TEST(test_call_twice)
{
    const struct operation_row *row = &operations[_i];
    stage.replicas[0].error = "ERR_TIMEOUT";
    stage.replicas[0].error_count = 1;
    struct told told = call_run(row, 60 * BR_SECOND);
    ck_assert_int_eq(told.status, BR_OK);
    ck_assert_uint_eq(told.attempts, 2);
    table_client_free(stage.table);
    stage_open(1, 1);
    stage.replicas[0].error = "ERR_TIMEOUT";
    stage.replicas[0].error_count = 1;
    told = call_run(row, 60 * BR_SECOND);
    ck_assert_int_eq(told.status, row->write ? BR_UNKNOWN : BR_REFUSED);
    ck_assert_uint_eq(told.attempts, 1);
}
END_TEST

START_TEST(test_call_hash_key)
{
    static const enum table_operation needed[] = { TABLE_MULTI_PUT, TABLE_MULTI_GET,
                                                   TABLE_MULTI_REMOVE, TABLE_SORTKEY_COUNT };
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        const struct table_key key = { .sort = { SORT, 4 } };
        struct told told = { 0 };
        _Alignas(8) char request[256] = { 0 };
        bool alone = needed[i] == TABLE_SORTKEY_COUNT;
        table_client_call(stage.table, &(struct table_call){ .operation = needed[i],
                                                             .key = &key,
                                                             .request = alone ? NULL : request,
                                                             .done = told_done,
                                                             .arg = &told });
        NET_UNTIL(&stage.net, told.count);
        ck_assert_int_eq(told.status, BR_INVALID);
        ck_assert_str_eq(told.error, "ERR_INVALID_PARAMETERS");
        ck_assert_ptr_nonnull(strstr(told.why, "not empty"));
    }
}
END_TEST

/* What is forgotten goes on, and tells nobody; what came later does. */
START_TEST(test_forget)
{
    struct told told = { 0 }, other = { 0 };
    stage.replicas[0].serve = NULL;
    stage_begin_put("k", "v", 0, &told);
    table_client_forget(stage.table, &told);
    stage_begin_get("k", 0, &other);
    NET_UNTIL(&stage.net, other.count);
    ck_assert_str_eq(other.value, "v");
    ck_assert_int_eq(told.count, 0);
}
END_TEST

START_TEST(test_key)
{
    static const struct {
        br_bytes whole;
        bool good;
        size_t hash, sort;
    } rows[] = {
        { { "", 0 }, false, 0, 0 },           { { "\0", 1 }, false, 0, 0 },
        { { "\0\0", 2 }, true, 0, 0 },        { { "\0\0s", 3 }, true, 0, 1 },
        { { "\0\1", 2 }, false, 0, 0 },       { { "\0\1h", 3 }, true, 1, 0 },
        { { "\0\2hhsss", 7 }, true, 2, 3 },   { { "\0\6hhsss", 7 }, false, 0, 0 },
        { { "\xff\xff..", 4 }, false, 0, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct table_key key = { .hash = { NULL, 0 } };
        struct buf again = { 0 };
        ck_assert_int_eq(table_key_parse(rows[i].whole, &key), rows[i].good);
        ck_assert_uint_eq(key.hash.size, rows[i].hash);
        ck_assert_uint_eq(key.sort.size, rows[i].sort);
        table_key_put(&again, &key);
        if (rows[i].good)
            ck_assert_mem_eq(again.data, rows[i].whole.data, rows[i].whole.size);
        buf_done(&again);
    }
}
END_TEST

TCase *table_client_call_case(void)
{
    TCase *tcase = tcase_create("calls");
    tcase_set_timeout(tcase, NET_TIMEOUT);
    tcase_add_checked_fixture(tcase, call_setup, call_teardown);
    tcase_add_loop_test(tcase, test_call, 0, OPERATIONS);
    tcase_add_loop_test(tcase, test_call_storage, 0, OPERATIONS);
    tcase_add_loop_test(tcase, test_call_senseless, 0, OPERATIONS);
    tcase_add_loop_test(tcase, test_call_moved, 0, OPERATIONS);
    tcase_add_loop_test(tcase, test_call_twice, 0, OPERATIONS);
    tcase_add_test(tcase, test_call_hash_key);
    tcase_add_test(tcase, test_forget);
    tcase_add_test(tcase, test_key);
    return tcase;
}
