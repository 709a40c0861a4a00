/* operation_scan -- walking over a whole partition, some rows a request. */
#include "host/base/buf.h"
#include "host/data/operation_run.h"

#define SCAN_COMPLETED (-1) /* context_id */

static bool scan_wants(const struct data_call *call, const struct data_scan *scan, br_bytes key,
                       br_bytes stored)
{
    br_bytes hash, sort;
    return !data_expired(data_value_expires(stored), data_now(call))
           && data_key_split(key, &hash, &sort)
           && data_filter(scan->hash_filter, scan->hash_pattern, hash)
           && data_filter(scan->sort_filter, scan->sort_pattern, sort);
}

static void scan_add(const struct data_call *call, const struct data_scan *scan, br_bytes key,
                     br_bytes stored, struct msg_rrdb_key_value *row)
{
    wire_init(&wire_rrdb_key_value, row);
    row->key = data_keep(call, key);
    if (!scan->no_value)
        row->value = data_keep(call, data_value_user(stored));
    if (scan->expiry_wanted) {
        row->expire_ts_seconds = (int32_t) data_value_expires(stored);
        WIRE_SET(row, 3);
    }
}

/* Up to a batch of rows; true: it is at its end. */
static bool scan_walk(const struct data_call *call, const struct data_scan *scan,
                      struct msg_rrdb_key_value *rows, uint32_t *ret_count)
{
    for (uint32_t seen = 0; data_walk_valid(scan->walk); seen++, data_walk_next(scan->walk)) {
        br_bytes key = data_walk_key(scan->walk), stored = data_walk_value(scan->walk);
        int order = data_compare(key, scan->stop);
        if (order > 0 || (order == 0 && !scan->stop_inclusive))
            return true;
        if (*ret_count >= scan->batch || seen >= DATA_SCAN_MAX)
            return false;
        if (!scan_wants(call, scan, key, stored))
            continue;
        if (!scan->count_only)
            scan_add(call, scan, key, stored, &rows[*ret_count]);
        ++*ret_count;
    }
    return true;
}

static void scan_answer(struct msg_rrdb_scan_response *response, struct buf *buf)
{
    wire_encode(&wire_rrdb_scan_response, response, WIRE_PEER_25, buf);
}

/* One batch, and the scan kept for the next request where there is more. */
static void scan_go(const struct data_call *call, struct data_scan *scan,
                    struct msg_rrdb_scan_response *response, struct buf *buf)
{
    uint32_t count = 0;
    struct msg_rrdb_key_value *rows = arena_alloc(call->arena, scan->batch * sizeof *rows);
    bool complete = scan_walk(call, scan, rows, &count);
    response->error = data_walk_error(scan->walk);
    response->context_id = SCAN_COMPLETED;
    if (scan->count_only) {
        response->kv_count = (int32_t) count;
        WIRE_SET(response, 7);
    } else if (response->error == DATA_OK) {
        response->kvs = (struct wire_list){ .items = rows, .count = count };
    }
    if (!complete && response->error == DATA_OK)
        response->context_id = data_scan_keep(call->store, scan, call->now);
    data_scan_done(scan);
    scan_answer(response, buf);
}

static br_bytes scan_text(struct data_scan *scan, br_bytes text)
{
    size_t at = scan->memory.size;
    buf_put(&scan->memory, text.data, text.size);
    return (br_bytes){ scan->memory.data + at, text.size };
}

/* The walk begins behind what the filter excludes; the rest of the keys are not in its order. */
static bool scan_begin(const struct data_call *call,
                       const struct msg_rrdb_get_scanner_request *request, struct data_scan *scan)
{
    br_bytes start = request->start_key, none = { NULL, 0 };
    bool inclusive = request->start_inclusive;
    if (request->hash_key_filter_type == FILTER_PREFIX && request->hash_key_filter_pattern.size) {
        br_bytes first = data_full_key(call, request->hash_key_filter_pattern, none);
        if (data_compare(first, start) > 0) {
            start = first;
            inclusive = true;
        }
    }
    int order = data_compare(start, request->stop_key);
    if (order > 0 || (order == 0 && (!inclusive || !request->stop_inclusive)))
        return false;
    scan->walk = data_walk_new(call->store);
    data_walk_seek(scan->walk, start);
    if (!inclusive && data_walk_valid(scan->walk)
        && data_compare(data_walk_key(scan->walk), start) == 0)
        data_walk_next(scan->walk);
    return true;
}

void data_run_get_scanner(const struct data_call *call, const void *message, struct buf *buf)
{
    const struct msg_rrdb_get_scanner_request *request = message;
    struct msg_rrdb_scan_response response;
    struct data_scan scan = {
        .stop_inclusive = request->stop_inclusive,
        .no_value = request->no_value,
        .expiry_wanted = request->return_expire_ts,
        .count_only = request->only_return_count,
        .hash_filter = request->hash_key_filter_type,
        .sort_filter = request->sort_key_filter_type,
        .batch = DATA_SCAN_MAX,
    };
    wire_init(&wire_rrdb_scan_response, &response);
    DATA_COMMON(call, response);
    if (!data_filter_known(scan.hash_filter) || !data_filter_known(scan.sort_filter)) {
        response.error = DATA_INVALID_ARGUMENT;
        scan_answer(&response, buf);
        return;
    }
    if (request->batch_size > 0 && request->batch_size < DATA_SCAN_MAX)
        scan.batch = (uint32_t) request->batch_size;
    if (!scan_begin(call, request, &scan)) {
        response.context_id = SCAN_COMPLETED;
        scan_answer(&response, buf);
        return;
    }
    buf_reserve(&scan.memory, 1 + request->stop_key.size + request->hash_key_filter_pattern.size
                                  + request->sort_key_filter_pattern.size);
    scan.stop = scan_text(&scan, request->stop_key);
    scan.hash_pattern = scan_text(&scan, request->hash_key_filter_pattern);
    scan.sort_pattern = scan_text(&scan, request->sort_key_filter_pattern);
    scan_go(call, &scan, &response, buf);
}

void data_run_scan(const struct data_call *call, const void *message, struct buf *buf)
{
    const struct msg_rrdb_scan_request *request = message;
    struct msg_rrdb_scan_response response;
    struct data_scan scan;
    wire_init(&wire_rrdb_scan_response, &response);
    DATA_COMMON(call, response);
    if (data_scan_take(call->store, request->context_id, call->now, &scan)) {
        scan_go(call, &scan, &response, buf);
        return;
    }
    response.error = DATA_NOT_FOUND;
    scan_answer(&response, buf);
}

void data_run_clear_scanner(const struct data_call *call, const void *message, struct buf *buf)
{
    const int64_t *id = message;
    struct data_scan scan;
    (void) buf;
    if (data_scan_take(call->store, *id, call->now, &scan))
        data_scan_done(&scan);
}
