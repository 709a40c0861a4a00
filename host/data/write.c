/* write -- put, remove and their likes (src/server/pegasus_write_service_impl.h). */
#include <inttypes.h>
#include <stdio.h>

#include "host/data/operation_run.h"

void data_put(const struct data_call *call, br_bytes key, br_bytes value, int32_t expires)
{
    data_store_put(call->store, key, value, (uint32_t) expires, call->microseconds);
}

static void write_answer(const struct data_call *call, int32_t error, struct buf *buf)
{
    struct msg_rrdb_update_response response;
    wire_init(&wire_rrdb_update_response, &response);
    DATA_COMMON(call, response);
    response.error = error;
    response.decree = call->decree;
    wire_encode(&wire_rrdb_update_response, &response, WIRE_PEER_25, buf);
}

void data_run_put(const struct data_call *call, const void *message, struct buf *buf)
{
    const struct msg_rrdb_update_request *request = message;
    data_put(call, request->key, request->value, request->expire_ts_seconds);
    write_answer(call, DATA_OK, buf);
}

void data_run_remove(const struct data_call *call, const void *message, struct buf *buf)
{
    const br_bytes *key = message;
    data_store_remove(call->store, *key);
    write_answer(call, DATA_OK, buf);
}

void data_run_multi_put(const struct data_call *call, const void *message, struct buf *buf)
{
    const struct msg_rrdb_multi_put_request *request = message;
    const struct msg_rrdb_key_value *rows = request->kvs.items;
    for (uint32_t i = 0; i < request->kvs.count; i++)
        data_put(call, data_full_key(call, request->hash_key, rows[i].key), rows[i].value,
                 request->expire_ts_seconds);
    write_answer(call, request->kvs.count ? DATA_OK : DATA_INVALID_ARGUMENT, buf);
}

/* multi_remove's count, incr's new value. */
static void write_answer_number(const struct data_call *call, int32_t error, int64_t number,
                                struct buf *buf)
{
    struct msg_rrdb_number_response response;
    wire_init(&wire_rrdb_number_response, &response);
    DATA_COMMON(call, response);
    response.error = error;
    response.number = number;
    response.decree = call->decree;
    wire_encode(&wire_rrdb_number_response, &response, WIRE_PEER_25, buf);
}

void data_run_multi_remove(const struct data_call *call, const void *message, struct buf *buf)
{
    const struct msg_rrdb_multi_remove_request *request = message;
    const br_bytes *keys = request->sort_keys.items;
    uint32_t count = request->sort_keys.count;
    for (uint32_t i = 0; i < count; i++)
        data_store_remove(call->store, data_full_key(call, request->hash_key, keys[i]));
    write_answer_number(call, count ? DATA_OK : DATA_INVALID_ARGUMENT, count, buf);
}

/* What incr makes of what is there.  false: nothing; *ret_sum is then what to answer. */
static bool write_add(br_bytes old, int64_t increment, int64_t *ret_sum)
{
    int64_t base = 0;
    *ret_sum = 0;
    if (old.size > 0 && !data_number(old, &base))
        return false;
    if (!__builtin_add_overflow(base, increment, ret_sum))
        return true;
    *ret_sum = base;
    return false;
}

void data_run_incr(const struct data_call *call, const void *message, struct buf *buf)
{
    const struct msg_rrdb_incr_request *request = message;
    struct data_got got;
    int64_t sum;
    char text[24];
    int32_t error = data_store_get(call->store, request->key, data_now(call), &got);
    bool found = error == DATA_OK;
    if (error != DATA_OK && error != DATA_NOT_FOUND) {
        write_answer_number(call, error, 0, buf);
        return;
    }
    int32_t expires = request->expire_ts_seconds;
    if (expires == 0 && found)
        expires = (int32_t) got.expires;
    bool added = write_add(got.user, request->increment, &sum);
    data_got_free(&got);
    if (added) {
        int size = snprintf(text, sizeof text, "%" PRId64, sum);
        data_put(call, request->key, (br_bytes){ text, (size_t) size }, expires < 0 ? 0 : expires);
    }
    write_answer_number(call, added ? DATA_OK : DATA_INVALID_ARGUMENT, sum, buf);
}
