/* table_client_call -- what tells one operation from another: its request, its response, and which
 * of the storage's codes are answers.  Fields that all of them have are found by their names in the
 * messages' tables.
 */
#include "host/rdsn/table_client_run.h"

#include <assert.h>
#include <string.h>

#include "host/base/crc.h"
#include "host/rdsn/message_data.h"

#define RPC(name) "RPC_RRDB_RRDB_" name

static const struct operation_kind kinds[] = {
    [TABLE_PUT] = { .rpc = RPC("PUT"),
                    .request = &wire_rrdb_update_request,
                    .response = &wire_rrdb_update_response,
                    .write = true,
                    .whole = true },
    [TABLE_GET] = { .rpc = RPC("GET"),
                    .response = &wire_rrdb_read_response,
                    .whole = true,
                    .also = STORAGE_NOT_FOUND,
                    .as = BR_NOTFOUND },
    [TABLE_REMOVE] = { .rpc = RPC("REMOVE"),
                       .response = &wire_rrdb_update_response,
                       .write = true,
                       .whole = true },
    [TABLE_TTL] = { .rpc = RPC("TTL"),
                    .response = &wire_rrdb_ttl_response,
                    .whole = true,
                    .also = STORAGE_NOT_FOUND,
                    .as = BR_NOTFOUND },
    [TABLE_INCR] = { .rpc = RPC("INCR"),
                     .request = &wire_rrdb_incr_request,
                     .response = &wire_rrdb_number_response,
                     .write = true,
                     .whole = true },
    [TABLE_MULTI_PUT] = { .rpc = RPC("MULTI_PUT"),
                          .request = &wire_rrdb_multi_put_request,
                          .response = &wire_rrdb_update_response,
                          .write = true,
                          .hash_needed = true },
    [TABLE_MULTI_GET] = { .rpc = RPC("MULTI_GET"),
                          .request = &wire_rrdb_multi_get_request,
                          .response = &wire_rrdb_multi_get_response,
                          .hash_needed = true,
                          .also = STORAGE_INCOMPLETE },
    [TABLE_MULTI_REMOVE] = { .rpc = RPC("MULTI_REMOVE"),
                             .request = &wire_rrdb_multi_remove_request,
                             .response = &wire_rrdb_number_response,
                             .write = true,
                             .hash_needed = true,
                             .also = STORAGE_INCOMPLETE },
    [TABLE_SORTKEY_COUNT] = { .rpc = RPC("SORTKEY_COUNT"),
                              .response = &wire_rrdb_count_response,
                              .hash_needed = true },
    [TABLE_BATCH_GET] = { .rpc = RPC("BATCH_GET"),
                          .request = &wire_rrdb_batch_get_request,
                          .response = &wire_rrdb_batch_get_response,
                          .also = STORAGE_INCOMPLETE },
    [TABLE_CHECK_AND_SET] = { .rpc = RPC("CHECK_AND_SET"),
                              .request = &wire_rrdb_check_and_set_request,
                              .response = &wire_rrdb_check_response,
                              .write = true,
                              .also = STORAGE_TRY_AGAIN },
    [TABLE_CHECK_AND_MUTATE] = { .rpc = RPC("CHECK_AND_MUTATE"),
                                 .request = &wire_rrdb_check_and_mutate_request,
                                 .response = &wire_rrdb_check_response,
                                 .write = true,
                                 .also = STORAGE_TRY_AGAIN },
    [TABLE_GET_SCANNER] = { .rpc = RPC("GET_SCANNER"),
                            .request = &wire_rrdb_get_scanner_request,
                            .response = &wire_rrdb_scan_response },
    [TABLE_SCAN] = { .rpc = RPC("SCAN"),
                     .request = &wire_rrdb_scan_request,
                     .response = &wire_rrdb_scan_response,
                     .also = STORAGE_NOT_FOUND,
                     .as = BR_NOTFOUND },
};

/* -- Keys ------------------------------------------------------------------------------------- */

uint64_t table_key_hash(const struct table_key *key)
{
    const br_bytes *decides = key->hash.size > 0 ? &key->hash : &key->sort;
    return crc64(decides->data, decides->size, 0);
}

void table_key_put(struct buf *buf, const struct table_key *key)
{
    buf_char(buf, (char) (key->hash.size >> 8));
    buf_char(buf, (char) (key->hash.size & 0xff));
    buf_put(buf, key->hash.data, key->hash.size);
    buf_put(buf, key->sort.data, key->sort.size);
}

bool table_key_parse(br_bytes whole, struct table_key *ret_key)
{
    const unsigned char *bytes = whole.data;
    if (whole.size < 2)
        return false;
    size_t hash = (size_t) bytes[0] << 8 | bytes[1];
    if (hash > whole.size - 2)
        return false;
    *ret_key = (struct table_key){ .hash = { bytes + 2, hash },
                                   .sort = { bytes + 2 + hash, whole.size - 2 - hash } };
    return true;
}

/* -- Fields by name --------------------------------------------------------------------------- */

static const struct wire_field *field_find(const struct wire_schema *schema, const char *name,
                                           enum wire_kind kind)
{
    for (uint16_t i = 0; i < schema->count; i++) {
        if (schema->fields[i].kind == kind && strcmp(schema->fields[i].name, name) == 0)
            return &schema->fields[i];
    }
    return NULL;
}

/* Left as it is where the message has no such field. */
static void field_read(const struct wire_schema *schema, const void *message, const char *name,
                       enum wire_kind kind, void *ret_value, size_t size)
{
    const struct wire_field *field = field_find(schema, name, kind);
    if (field)
        memcpy(ret_value, (const char *) message + field->offset, size);
}

br_status answer_decode(const struct operation_kind *kind, br_bytes body, struct answer *ret,
                        struct fail *ret_fail)
{
    const struct wire_schema *schema = kind->response;
    ret->response = arena_alloc(&ret->arena, schema->size);
    br_status status = wire_decode(schema, body, wire_arena(&ret->arena), ret->response, ret_fail);
    if (status != BR_OK)
        return status;
    field_read(schema, ret->response, "error", WIRE_I32, &ret->storage, sizeof ret->storage);
    field_read(schema, ret->response, "app_id", WIRE_I32, &ret->app_id, sizeof ret->app_id);
    field_read(schema, ret->response, "partition_index", WIRE_I32, &ret->partition,
               sizeof ret->partition);
    field_read(schema, ret->response, "decree", WIRE_I64, &ret->decree, sizeof ret->decree);
    field_read(schema, ret->response, "value", WIRE_BLOB, &ret->value, sizeof ret->value);
    return BR_OK;
}

/* -- Requests --------------------------------------------------------------------------------- */

/* The key alone, or written into the request, which has one of two fields for it. */
static void call_encode(const struct operation_kind *kind, const struct table_call *call,
                        struct buf *body)
{
    struct buf whole = { 0 };
    br_bytes key = call->key ? call->key->hash : (br_bytes){ NULL, 0 };
    if (call->key && kind->whole) {
        table_key_put(&whole, call->key);
        key = buf_bytes(&whole);
    }
    if (kind->request) {
        const struct wire_field *field =
            field_find(kind->request, kind->whole ? "key" : "hash_key", WIRE_BLOB);
        assert(call->request && (!field || call->key));
        if (field)
            memcpy((char *) call->request + field->offset, &key, sizeof key);
        wire_encode(kind->request, call->request, WIRE_PEER_25, body);
    } else {
        assert(call->key && !call->request);
        wire_encode_value(WIRE_BLOB, &key, body);
    }
    buf_done(&whole);
}

void table_client_call(struct table_client *table, const struct table_call *call)
{
    const struct operation_kind *kind = &kinds[call->operation];
    const struct table_key *key = call->key;
    struct table_key hash_only = { .hash = key ? key->hash : (br_bytes){ NULL, 0 } };
    struct table_call exact = *call;
    if (key && !kind->whole && kind->request != &wire_rrdb_batch_get_request)
        exact.key = &hash_only;
    struct operation *operation = operation_new(table, kind, &exact);
    if (key && key->hash.size > TABLE_CLIENT_HASH_KEY_MAX)
        fail_set(&operation->last, BR_INVALID, "a hash key of %zu bytes is longer than %d",
                 key->hash.size, TABLE_CLIENT_HASH_KEY_MAX);
    else if (kind->hash_needed && key->hash.size == 0)
        fail_set(&operation->last, BR_INVALID, "%s needs a hash key that is not empty", kind->rpc);
    else
        call_encode(kind, &exact, &operation->body);
    operation_begin(operation);
}

void table_client_put(struct table_client *table, const struct table_key *key, br_bytes value,
                      int32_t expire, br_time timeout, table_client_done *done, void *arg)
{
    struct msg_rrdb_update_request request;
    wire_init(&wire_rrdb_update_request, &request);
    request.value = value;
    request.expire_ts_seconds = expire;
    table_client_call(table, &(struct table_call){ .operation = TABLE_PUT,
                                                   .key = key,
                                                   .request = &request,
                                                   .timeout = timeout,
                                                   .done = done,
                                                   .arg = arg });
}

void table_client_get(struct table_client *table, const struct table_key *key, br_time timeout,
                      table_client_done *done, void *arg)
{
    table_client_call(
        table,
        &(struct table_call){
            .operation = TABLE_GET, .key = key, .timeout = timeout, .done = done, .arg = arg });
}

void table_client_remove(struct table_client *table, const struct table_key *key, br_time timeout,
                         table_client_done *done, void *arg)
{
    table_client_call(
        table,
        &(struct table_call){
            .operation = TABLE_REMOVE, .key = key, .timeout = timeout, .done = done, .arg = arg });
}
