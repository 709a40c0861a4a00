/* read -- get and its likes (src/server/pegasus_server_impl.cpp). */
#include "host/data/operation_run.h"
#include "host/rdsn/stream.h"

void data_run_get(const struct data_call *call, const void *message, struct buf *buf)
{
    const br_bytes *key = message;
    struct msg_rrdb_read_response response;
    struct data_got got;
    wire_init(&wire_rrdb_read_response, &response);
    DATA_COMMON(call, response);
    response.error = data_store_get(call->store, *key, data_now(call), &got);
    response.value = got.user;
    wire_encode(&wire_rrdb_read_response, &response, WIRE_PEER_25, buf);
    data_got_free(&got);
}

void data_run_ttl(const struct data_call *call, const void *message, struct buf *buf)
{
    const br_bytes *key = message;
    struct msg_rrdb_ttl_response response;
    struct data_got got;
    wire_init(&wire_rrdb_ttl_response, &response);
    DATA_COMMON(call, response);
    response.error = data_store_get(call->store, *key, data_now(call), &got);
    if (response.error == DATA_OK)
        response.ttl_seconds = got.expires ? (int32_t) (got.expires - data_now(call)) : -1;
    data_got_free(&got);
    wire_encode(&wire_rrdb_ttl_response, &response, WIRE_PEER_25, buf);
}

/* -- Several keys ----------------------------------------------------------------------------- */

/* What a multi_get has gathered and may gather. */
struct gather {
    struct msg_rrdb_key_value *rows;
    uint32_t count, count_max, room;
    int64_t size, size_max;
};

static void gather_init(const struct data_call *call,
                        const struct msg_rrdb_multi_get_request *request, struct gather *gather)
{
    uint32_t most = request->sort_keys.count ? request->sort_keys.count : DATA_ROWS_MAX;
    *gather = (struct gather){ .count_max = DATA_ROWS_MAX, .size_max = DATA_SIZE_MAX };
    if (request->max_kv_count > 0 && request->max_kv_count < DATA_ROWS_MAX)
        gather->count_max = (uint32_t) request->max_kv_count;
    if (request->max_kv_size > 0 && request->max_kv_size < DATA_SIZE_MAX)
        gather->size_max = request->max_kv_size;
    gather->room = most < gather->count_max ? most : gather->count_max;
    gather->rows = arena_alloc(call->arena, gather->room * sizeof *gather->rows);
}

static bool gather_full(const struct gather *gather)
{
    return gather->count >= gather->count_max || gather->size >= gather->size_max;
}

static void gather_add(struct gather *gather, br_bytes key, br_bytes value)
{
    struct msg_rrdb_key_value *row = &gather->rows[gather->count++];
    wire_init(&wire_rrdb_key_value, row);
    row->key = key;
    row->value = value;
    gather->size += (int64_t) (key.size + value.size);
}

static int32_t multi_get_keys(const struct data_call *call,
                              const struct msg_rrdb_multi_get_request *request,
                              struct gather *gather)
{
    const br_bytes *sort_keys = request->sort_keys.items;
    for (uint32_t i = 0; i < request->sort_keys.count; i++) {
        struct data_got got;
        br_bytes key = data_full_key(call, request->hash_key, sort_keys[i]);
        int32_t error = data_store_get(call->store, key, data_now(call), &got);
        if (error == DATA_NOT_FOUND)
            continue;
        if (error != DATA_OK)
            return error;
        bool full = gather_full(gather);
        br_bytes value = { NULL, 0 };
        if (!request->no_value && !full)
            value = data_keep(call, got.user);
        data_got_free(&got);
        if (full)
            return DATA_INCOMPLETE;
        gather_add(gather, sort_keys[i], value);
    }
    return DATA_OK;
}

/* -- A range of sort keys --------------------------------------------------------------------- */

struct range {
    br_bytes start, stop; /* whole keys */
    bool start_inclusive, stop_inclusive;
};

static br_bytes range_next(const struct data_call *call, br_bytes hash, br_bytes prefix)
{
    struct buf buf = { 0 };
    data_key_put_next(&buf, hash, prefix);
    br_bytes next = data_keep(call, buf_bytes(&buf));
    buf_done(&buf);
    return next;
}

/* The range asked for, cut down to where the filter's beginning is. */
static void range_of(const struct data_call *call, const struct msg_rrdb_multi_get_request *request,
                     struct range *range)
{
    br_bytes hash = request->hash_key, prefix = request->sort_key_filter_pattern;
    *range = (struct range){
        .start = data_full_key(call, hash, request->start_sortkey),
        .start_inclusive = request->start_inclusive,
    };
    if (request->stop_sortkey.size == 0) {
        range->stop = range_next(call, hash, (br_bytes){ NULL, 0 });
    } else {
        range->stop = data_full_key(call, hash, request->stop_sortkey);
        range->stop_inclusive = request->stop_inclusive;
    }
    if (request->sort_key_filter_type != FILTER_PREFIX || prefix.size == 0)
        return;
    br_bytes first = data_full_key(call, hash, prefix), end = range_next(call, hash, prefix);
    if (data_compare(first, range->start) > 0) {
        range->start = first;
        range->start_inclusive = true;
    }
    if (data_compare(end, range->stop) <= 0) {
        range->stop = end;
        range->stop_inclusive = false;
    }
}

static bool range_empty(const struct range *range)
{
    int order = data_compare(range->start, range->stop);
    return order > 0 || (order == 0 && (!range->start_inclusive || !range->stop_inclusive));
}

/* Where a key stands as seen in the direction of the walk: before, in or behind the range. */
static int range_place(const struct range *range, br_bytes key, bool reverse)
{
    int low = data_compare(key, range->start), high = data_compare(key, range->stop);
    bool below = low < 0 || (low == 0 && !range->start_inclusive);
    bool above = high > 0 || (high == 0 && !range->stop_inclusive);
    if (!below && !above)
        return 0;
    return above != reverse ? 1 : -1;
}

static void range_take(const struct data_call *call,
                       const struct msg_rrdb_multi_get_request *request,
                       const struct data_walk *walk, struct gather *gather)
{
    br_bytes hash, sort, stored = data_walk_value(walk);
    if (data_expired(data_value_expires(stored), data_now(call))
        || !data_key_split(data_walk_key(walk), &hash, &sort)
        || !data_filter(request->sort_key_filter_type, request->sort_key_filter_pattern, sort))
        return;
    br_bytes value = { NULL, 0 };
    if (!request->no_value)
        value = data_keep(call, data_value_user(stored));
    gather_add(gather, data_keep(call, sort), value);
}

/* false: there is more. */
static bool range_walk(const struct data_call *call,
                       const struct msg_rrdb_multi_get_request *request, const struct range *range,
                       struct data_walk *walk, struct gather *gather)
{
    if (request->reverse)
        data_walk_seek_back(walk, range->stop);
    else
        data_walk_seek(walk, range->start);
    for (uint32_t seen = 0; data_walk_valid(walk); seen++) {
        int place = range_place(range, data_walk_key(walk), request->reverse);
        if (place > 0)
            return true;
        if (gather_full(gather) || seen >= DATA_ROWS_MAX)
            return false;
        if (place == 0)
            range_take(call, request, walk, gather);
        if (request->reverse)
            data_walk_back(walk);
        else
            data_walk_next(walk);
    }
    return true;
}

static void gather_turn(struct gather *gather)
{
    for (uint32_t i = 0; i < gather->count / 2; i++) {
        struct msg_rrdb_key_value row = gather->rows[i];
        gather->rows[i] = gather->rows[gather->count - 1 - i];
        gather->rows[gather->count - 1 - i] = row;
    }
}

static int32_t multi_get_range(const struct data_call *call,
                               const struct msg_rrdb_multi_get_request *request,
                               struct gather *gather)
{
    struct range range;
    range_of(call, request, &range);
    if (range_empty(&range))
        return DATA_OK;
    struct data_walk *walk = data_walk_new(call->store);
    bool complete = range_walk(call, request, &range, walk, gather);
    int32_t error = data_walk_error(walk);
    data_walk_free(walk);
    if (request->reverse)
        gather_turn(gather);
    if (error != DATA_OK)
        return error;
    return complete ? DATA_OK : DATA_INCOMPLETE;
}

void data_run_multi_get(const struct data_call *call, const void *message, struct buf *buf)
{
    const struct msg_rrdb_multi_get_request *request = message;
    struct msg_rrdb_multi_get_response response;
    struct gather gather = { 0 };
    wire_init(&wire_rrdb_multi_get_response, &response);
    DATA_COMMON(call, response);
    if (!data_filter_known(request->sort_key_filter_type)) {
        response.error = DATA_INVALID_ARGUMENT;
    } else {
        gather_init(call, request, &gather);
        response.error = request->sort_keys.count ? multi_get_keys(call, request, &gather)
                                                  : multi_get_range(call, request, &gather);
    }
    if (response.error == DATA_OK || response.error == DATA_INCOMPLETE)
        response.kvs = (struct wire_list){ .items = gather.rows, .count = gather.count };
    wire_encode(&wire_rrdb_multi_get_response, &response, WIRE_PEER_25, buf);
}

/* -- Other reads ------------------------------------------------------------------------------ */

/* The rows found of those asked for; *ret_count is how many. */
static int32_t batch_get(const struct data_call *call, const struct wire_list *keys,
                         struct msg_rrdb_full_data *rows, uint32_t *ret_count)
{
    const struct msg_rrdb_full_key *wanted = keys->items;
    for (uint32_t i = 0; i < keys->count; i++) {
        struct data_got got;
        if (wanted[i].hash_key.size > DATA_HASH_KEY_MAX)
            return DATA_INVALID_ARGUMENT;
        br_bytes key = data_full_key(call, wanted[i].hash_key, wanted[i].sort_key);
        int32_t error = data_store_get(call->store, key, data_now(call), &got);
        if (error == DATA_NOT_FOUND)
            continue;
        if (error != DATA_OK)
            return error;
        struct msg_rrdb_full_data *row = &rows[(*ret_count)++];
        wire_init(&wire_rrdb_full_data, row);
        row->hash_key = wanted[i].hash_key;
        row->sort_key = wanted[i].sort_key;
        row->value = data_keep(call, got.user);
        data_got_free(&got);
    }
    return keys->count ? DATA_OK : DATA_INVALID_ARGUMENT;
}

void data_run_batch_get(const struct data_call *call, const void *message, struct buf *buf)
{
    const struct msg_rrdb_batch_get_request *request = message;
    struct msg_rrdb_batch_get_response response;
    uint32_t count = 0;
    wire_init(&wire_rrdb_batch_get_response, &response);
    DATA_COMMON(call, response);
    struct msg_rrdb_full_data *rows =
        arena_alloc(call->arena, (request->keys.count + 1u) * sizeof *rows);
    response.error = batch_get(call, &request->keys, rows, &count);
    if (response.error == DATA_OK)
        response.data = (struct wire_list){ .items = rows, .count = count };
    wire_encode(&wire_rrdb_batch_get_response, &response, WIRE_PEER_25, buf);
}

void data_run_sortkey_count(const struct data_call *call, const void *message, struct buf *buf)
{
    const br_bytes none = { NULL, 0 };
    const br_bytes *hash = message;
    struct msg_rrdb_count_response response;
    wire_init(&wire_rrdb_count_response, &response);
    DATA_COMMON(call, response);
    br_bytes stop = range_next(call, *hash, none);
    struct data_walk *walk = data_walk_new(call->store);
    br_time end = stream_now() + DATA_COUNT_TIME;
    data_walk_seek(walk, data_full_key(call, *hash, none));
    for (uint32_t seen = 1; data_walk_valid(walk); seen++, data_walk_next(walk)) {
        if (data_compare(data_walk_key(walk), stop) >= 0)
            break;
        if (!data_expired(data_value_expires(data_walk_value(walk)), data_now(call)))
            response.count++;
        if (seen % 1024 == 0 && stream_now() > end) {
            response.count = -1; /* too many to be counted */
            break;
        }
    }
    response.error = data_walk_error(walk);
    data_walk_free(walk);
    wire_encode(&wire_rrdb_count_response, &response, WIRE_PEER_25, buf);
}
