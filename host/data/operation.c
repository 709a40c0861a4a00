/* operation -- which there are, and their decoding. */
#include <string.h>

#include "host/data/operation_run.h"

/* A request is a struct by its schema, or a bare value. */
struct data_operation {
    const char *name;
    const struct wire_schema *schema;
    enum wire_kind kind;
    bool write, batch, silent;
    data_run_function *run; /* NULL: it comes in mutations of others only */
};

#define OPERATION_PUT(name_, schema_, run_)                                                        \
    {                                                                                              \
        .name = name_, .schema = &wire_rrdb_##schema_, .write = true, .run = run_                  \
    }
#define OPERATION_GET(name_, schema_, run_)                                                        \
    {                                                                                              \
        .name = name_, .schema = &wire_rrdb_##schema_, .run = run_                                 \
    }
#define OPERATION_KEY(name_, run_)                                                                 \
    {                                                                                              \
        .name = name_, .kind = WIRE_BLOB, .run = run_                                              \
    }
#define OPERATION_OTHER(name_)                                                                     \
    {                                                                                              \
        .name = name_, .write = true                                                               \
    }

/* The most frequent first (src/include/rrdb/rrdb.code.definition.h). */
static const struct data_operation operations[] = {
    { .name = "RPC_RRDB_RRDB_PUT",
      .schema = &wire_rrdb_update_request,
      .write = true,
      .batch = true,
      .run = data_run_put },
    OPERATION_KEY("RPC_RRDB_RRDB_GET", data_run_get),
    { .name = "RPC_RRDB_RRDB_REMOVE",
      .kind = WIRE_BLOB,
      .write = true,
      .batch = true,
      .run = data_run_remove },
    OPERATION_PUT("RPC_RRDB_RRDB_MULTI_PUT", multi_put_request, data_run_multi_put),
    OPERATION_GET("RPC_RRDB_RRDB_MULTI_GET", multi_get_request, data_run_multi_get),
    OPERATION_GET("RPC_RRDB_RRDB_BATCH_GET", batch_get_request, data_run_batch_get),
    OPERATION_PUT("RPC_RRDB_RRDB_MULTI_REMOVE", multi_remove_request, data_run_multi_remove),
    OPERATION_PUT("RPC_RRDB_RRDB_INCR", incr_request, data_run_incr),
    OPERATION_PUT("RPC_RRDB_RRDB_CHECK_AND_SET", check_and_set_request, data_run_check_and_set),
    OPERATION_PUT("RPC_RRDB_RRDB_CHECK_AND_MUTATE", check_and_mutate_request,
                  data_run_check_and_mutate),
    OPERATION_KEY("RPC_RRDB_RRDB_TTL", data_run_ttl),
    OPERATION_KEY("RPC_RRDB_RRDB_SORTKEY_COUNT", data_run_sortkey_count),
    OPERATION_GET("RPC_RRDB_RRDB_GET_SCANNER", get_scanner_request, data_run_get_scanner),
    OPERATION_GET("RPC_RRDB_RRDB_SCAN", scan_request, data_run_scan),
    { .name = "RPC_RRDB_RRDB_CLEAR_SCANNER",
      .kind = WIRE_I64,
      .silent = true,
      .run = data_run_clear_scanner },
    OPERATION_OTHER("RPC_REPLICATION_WRITE_EMPTY"),
    OPERATION_OTHER("RPC_RRDB_RRDB_DUPLICATE"),
    OPERATION_OTHER("RPC_RRDB_RRDB_BULK_LOAD"),
};

const struct data_operation *data_operation(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (strlen(operations[i].name) == size && memcmp(operations[i].name, name, size) == 0)
            return &operations[i];
    }
    return NULL;
}

bool data_is_write(const struct data_operation *operation)
{
    return operation->write;
}

bool data_is_batch(const struct data_operation *operation)
{
    return operation->batch;
}

bool data_is_request(const struct data_operation *operation)
{
    return operation->run != NULL;
}

bool data_is_answered(const struct data_operation *operation)
{
    return !operation->silent;
}

/* The largest request, so that one on the stack holds any. */
union data_request {
    struct msg_rrdb_update_request update;
    struct msg_rrdb_multi_put_request multi_put;
    struct msg_rrdb_multi_get_request multi_get;
    struct msg_rrdb_batch_get_request batch_get;
    struct msg_rrdb_multi_remove_request multi_remove;
    struct msg_rrdb_incr_request incr;
    struct msg_rrdb_check_and_set_request check_and_set;
    struct msg_rrdb_check_and_mutate_request check_and_mutate;
    struct msg_rrdb_get_scanner_request get_scanner;
    struct msg_rrdb_scan_request scan;
    br_bytes key;
    int64_t number;
};

static br_status data_decode(const struct data_operation *operation, struct arena *arena,
                             br_bytes body, union data_request *request, struct fail *ret_fail)
{
    if (operation->schema)
        return wire_decode(operation->schema, body, wire_arena(arena), request, ret_fail);
    return wire_decode_value(operation->kind, body, wire_arena(arena), request, ret_fail);
}

/* A hash key that is too long has no place in a key. */
static br_status data_judge(const struct data_operation *operation,
                            const union data_request *request, struct fail *ret_fail)
{
    br_bytes hash = { NULL, 0 };
    if (operation->run == data_run_multi_put)
        hash = request->multi_put.hash_key;
    else if (operation->run == data_run_multi_remove)
        hash = request->multi_remove.hash_key;
    else if (operation->run == data_run_multi_get)
        hash = request->multi_get.hash_key;
    else if (operation->run == data_run_check_and_set)
        hash = request->check_and_set.hash_key;
    else if (operation->run == data_run_check_and_mutate)
        hash = request->check_and_mutate.hash_key;
    else if (operation->run == data_run_sortkey_count)
        hash = request->key;
    else if (operation->run == data_run_get_scanner)
        hash = request->get_scanner.hash_key_filter_pattern;
    if (hash.size > DATA_HASH_KEY_MAX)
        return fail_set(ret_fail, BR_CORRUPT, "a hash key of %zu bytes, at most %u are possible",
                        hash.size, DATA_HASH_KEY_MAX);
    return BR_OK;
}

static br_status data_understand(const struct data_operation *operation, struct arena *arena,
                                 br_bytes body, union data_request *request, struct fail *ret_fail)
{
    br_status status = data_decode(operation, arena, body, request, ret_fail);
    return status ? status : data_judge(operation, request, ret_fail);
}

br_status data_check(const struct data_operation *operation, struct arena *arena, br_bytes body,
                     struct fail *ret_fail)
{
    union data_request request;
    return data_understand(operation, arena, body, &request, ret_fail);
}

br_status data_run(const struct data_operation *operation, const struct data_call *call,
                   br_bytes body, struct buf *response, struct fail *ret_fail)
{
    union data_request request;
    if (!operation->run)
        return BR_OK;
    br_status status = data_understand(operation, call->arena, body, &request, ret_fail);
    if (!status)
        operation->run(call, &request, response);
    return status;
}

br_bytes data_keep(const struct data_call *call, br_bytes bytes)
{
    void *copy = arena_alloc(call->arena, bytes.size + 1);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return (br_bytes){ copy, bytes.size };
}

br_bytes data_full_key(const struct data_call *call, br_bytes hash, br_bytes sort)
{
    uint8_t *key = arena_alloc(call->arena, 2 + hash.size + sort.size);
    key[0] = (uint8_t) (hash.size >> 8);
    key[1] = (uint8_t) hash.size;
    if (hash.size)
        memcpy(key + 2, hash.data, hash.size);
    if (sort.size)
        memcpy(key + 2 + hash.size, sort.data, sort.size);
    return (br_bytes){ key, 2 + hash.size + sort.size };
}
