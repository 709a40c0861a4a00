/* table_scan -- see table_scan.h. */
#include "host/rdsn/table_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/rdsn/table_client_run.h"

enum { CONTEXT_COMPLETED = -1, CONTEXT_NONE = -2 };

struct table_scan {
    struct table_client *table;
    struct table_scan_options options;
    struct event begin;
    bool of_hash;
    struct buf hash_pattern, sort_pattern;
    struct buf start, stop; /* the range, as stored keys */
    bool start_inclusive, stop_inclusive;

    /* Where it is. */
    uint64_t hash; /* the partition's; without a hash key its index */
    int32_t app_id, partition_count;
    struct buf last; /* the last key delivered, of this partition */
    bool any;        /* there is one */
    int64_t context, count;
    char server[NODE_NAME_MAX + 1]; /* who gave the context */
    uint32_t restarts;
    bool busy, closed;
    struct fail refused; /* before it began */
};

static void scan_destroy(struct table_scan *scan)
{
    buf_done(&scan->hash_pattern);
    buf_done(&scan->sort_pattern);
    buf_done(&scan->start);
    buf_done(&scan->stop);
    buf_done(&scan->last);
    free(scan);
}

/* -- Questions -------------------------------------------------------------------------------- */

static void scan_answered(void *arg, const struct table_result *result);
static void scan_partition_done(struct table_scan *scan);

static void scan_call(struct table_scan *scan, enum table_operation operation, void *request)
{
    table_client_call(scan->table, &(struct table_call){ .operation = operation,
                                                         .hash = scan->hash,
                                                         .request = request,
                                                         .timeout = scan->options.timeout,
                                                         .done = scan_answered,
                                                         .arg = scan });
}

static int bytes_compare(br_bytes a, br_bytes b)
{
    size_t least = a.size < b.size ? a.size : b.size;
    int order = least > 0 ? memcmp(a.data, b.data, least) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* A range, behind what was delivered.  Of an empty one the server says nothing about its end. */
static void scan_begin(struct table_scan *scan)
{
    const struct table_scan_options *options = &scan->options;
    struct msg_rrdb_get_scanner_request request;
    wire_init(&wire_rrdb_get_scanner_request, &request);
    request.start_key = buf_bytes(scan->any ? &scan->last : &scan->start);
    request.start_inclusive = scan->any ? false : scan->start_inclusive;
    int order = bytes_compare(request.start_key, buf_bytes(&scan->stop));
    scan->context = CONTEXT_NONE;
    if (order > 0 || (order == 0 && !(request.start_inclusive && scan->stop_inclusive))) {
        scan_partition_done(scan);
        return;
    }
    request.stop_key = buf_bytes(&scan->stop);
    request.stop_inclusive = scan->stop_inclusive;
    request.batch_size = options->batch > 0 ? options->batch : TABLE_SCAN_BATCH;
    request.no_value = options->no_value;
    request.hash_key_filter_type = options->hash_filter.type;
    request.hash_key_filter_pattern = buf_bytes(&scan->hash_pattern);
    request.sort_key_filter_type = options->sort_filter.type;
    request.sort_key_filter_pattern = buf_bytes(&scan->sort_pattern);
    request.validate_partition_hash = request.full_scan = !scan->of_hash;
    request.return_expire_ts = options->with_expire;
    request.only_return_count = options->count_only;
    request.present |= WIRE_BIT(11) | WIRE_BIT(12) | WIRE_BIT(13) | WIRE_BIT(14);
    scan_call(scan, TABLE_GET_SCANNER, &request);
}

static void scan_continue(struct table_scan *scan)
{
    struct msg_rrdb_scan_request request;
    wire_init(&wire_rrdb_scan_request, &request);
    request.context_id = scan->context;
    scan_call(scan, TABLE_SCAN, &request);
}

/* -- The end ---------------------------------------------------------------------------------- */

static void scan_forget(struct table_scan *scan)
{
    if (scan->context >= 0)
        table_client_clear_scanner(scan->table, scan->hash, scan->server, scan->context);
    scan->context = CONTEXT_COMPLETED;
}

static void scan_end(struct table_scan *scan, const struct table_result *result)
{
    scan_forget(scan);
    if (scan->options.done && !scan->closed)
        scan->options.done(scan->options.arg, result);
}

BR_PRINTF(5, 6)
static void scan_fail(struct table_scan *scan, const struct table_result *from, br_status status,
                      const char *error, const char *format, ...)
{
    char why[FAIL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    struct table_result result = *from;
    result.status = status;
    result.error = error;
    result.why = why;
    scan_end(scan, &result);
}

/* -- Rows ------------------------------------------------------------------------------------- */

/* Each behind the one before, or it would be delivered twice, or for ever. */
static br_status scan_rows(const struct table_scan *scan, const struct wire_list *kvs,
                           struct table_row *rows, struct fail *ret_fail)
{
    const struct msg_rrdb_key_value *kv = kvs->items;
    br_bytes before = buf_bytes(&scan->last);
    bool any = scan->any;
    for (uint32_t i = 0; i < kvs->count; i++) {
        if (!table_key_parse(kv[i].key, &rows[i].key))
            return fail_set(ret_fail, BR_CORRUPT, "row %u of a batch has no key", i);
        if (any && bytes_compare(kv[i].key, before) <= 0)
            return fail_set(ret_fail, BR_CORRUPT, "row %u of a batch is not behind the one before",
                            i);
        rows[i].value = kv[i].value;
        rows[i].expire = WIRE_HAS(&kv[i], 3) ? kv[i].expire_ts_seconds : 0;
        before = kv[i].key;
        any = true;
    }
    return BR_OK;
}

static void scan_tell(struct table_scan *scan, const struct table_result *result,
                      const struct table_row *rows, uint32_t count, bool last)
{
    struct table_batch batch = { .rows = rows,
                                 .row_count = count,
                                 .count = count,
                                 .app_id = result->app_id,
                                 .partition = result->partition,
                                 .server = result->server,
                                 .last = last };
    if (scan->options.count_only) {
        batch.rows = NULL;
        batch.row_count = 0;
        batch.count = scan->count;
    }
    if (scan->options.rows && (count > 0 || last) && (last || !scan->options.count_only))
        scan->options.rows(scan->options.arg, &batch);
}

/* One batch of rows; false: it has failed. */
static bool scan_take(struct table_scan *scan, const struct table_result *result,
                      const struct msg_rrdb_scan_response *response, bool last)
{
    struct fail fail;
    const struct msg_rrdb_key_value *kv = response->kvs.items;
    uint32_t count = response->kvs.count;
    struct table_row *rows = count > 0 ? mem_array(count, sizeof *rows) : NULL;
    bool good = scan_rows(scan, &response->kvs, rows, &fail) == BR_OK;
    bool counted = WIRE_HAS(response, 7) && response->kv_count >= 0;
    if (good) {
        if (count > 0) {
            buf_clear(&scan->last);
            buf_put(&scan->last, kv[count - 1].key.data, kv[count - 1].key.size);
            scan->any = true;
            scan->restarts = 0;
        }
        /* An older server knows no counting, and sends the rows. */
        scan->count += counted ? response->kv_count : (int64_t) count;
        scan_tell(scan, result, rows, count, last);
    } else {
        scan_fail(scan, result, BR_CORRUPT, "ERR_INVALID_DATA",
                  "the answer of %s makes no sense: %s", result->server, fail.text);
    }
    free(rows);
    return good && !scan->closed;
}

/* -- Answers ---------------------------------------------------------------------------------- */

/* The next partition, or the end. */
static void scan_partition_done(struct table_scan *scan)
{
    scan->any = false;
    scan->count = 0;
    scan->restarts = 0;
    if (!scan->of_hash && scan->options.partition < 0
        && (int32_t) scan->hash + 1 < scan->partition_count) {
        scan->hash++;
        scan_begin(scan);
        return;
    }
    scan_end(scan, &(struct table_result){ .error = "ERR_OK",
                                           .decree = -1,
                                           .app_id = scan->app_id,
                                           .partition = -1,
                                           .server = "" });
}

static void scan_again(struct table_scan *scan, const struct table_result *result)
{
    if (++scan->restarts > TABLE_SCAN_RESTARTS_MAX) {
        scan_fail(scan, result, BR_REFUSED, "ERR_OK",
                  "%s lost the scan of partition %d.%d %d times without giving a row",
                  result->server, result->app_id, result->partition, TABLE_SCAN_RESTARTS_MAX + 1);
        return;
    }
    if (!scan->any)
        scan->count = 0; /* what was counted is counted again */
    scan_begin(scan);
}

/* The table is the one that the scan began with; else it was told. */
static bool scan_same_table(struct table_scan *scan, const struct table_result *result)
{
    int32_t count = table_client_partitions(scan->table);
    if (scan->partition_count == 0) {
        scan->partition_count = count;
        scan->app_id = result->app_id;
    }
    if (!scan->of_hash && result->partition != (int32_t) scan->hash) {
        scan_fail(scan, result, BR_INVALID, "ERR_INVALID_PARAMETERS",
                  "there is no partition %llu: the table has %d", (unsigned long long) scan->hash,
                  count);
        return false;
    }
    if (scan->app_id == result->app_id && scan->partition_count == count)
        return true;
    scan_fail(scan, result, BR_REFUSED, "ERR_OK",
              "the table was %d with %d partitions when the scan began, and is %d with %d now",
              scan->app_id, scan->partition_count, result->app_id, count);
    return false;
}

/* With a count only there is no key to go on behind. */
static void scan_cut(struct table_scan *scan, const struct table_result *result,
                     const struct msg_rrdb_scan_response *response)
{
    if (scan->options.count_only && response->kvs.count == 0)
        scan_end(scan, result);
    else if (scan_take(scan, result, response, false))
        scan_again(scan, result);
}

static void scan_batch(struct table_scan *scan, const struct table_result *result)
{
    const struct msg_rrdb_scan_response *response = result->response;
    bool moved = scan->context >= 0 && strcmp(scan->server, result->server) != 0;
    if (result->status == BR_NOTFOUND || (moved && result->response)) {
        if (scan_same_table(scan, result))
            scan_again(scan, result);
    } else if (result->storage == STORAGE_INCOMPLETE && response) {
        if (scan_same_table(scan, result))
            scan_cut(scan, result, response);
    } else if (result->status != BR_OK) {
        scan_end(scan, result);
    } else if (scan_same_table(scan, result)) {
        snprintf(scan->server, sizeof scan->server, "%s", result->server);
        scan->context = response->context_id;
        if (!scan_take(scan, result, response, scan->context == CONTEXT_COMPLETED))
            return;
        if (scan->context == CONTEXT_COMPLETED)
            scan_partition_done(scan);
        else if (scan->context >= 0)
            scan_continue(scan);
        else
            scan_again(scan, result);
    }
}

static void scan_leave(struct table_scan *scan)
{
    scan->busy = false;
    if (scan->closed)
        scan_destroy(scan);
}

static void scan_answered(void *arg, const struct table_result *result)
{
    struct table_scan *scan = arg;
    scan->busy = true;
    scan_batch(scan, result);
    scan_leave(scan);
}

static void scan_on_begin(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct table_scan *scan = arg;
    const struct table_result nothing = { .decree = -1, .partition = -1, .server = "" };
    scan->busy = true;
    if (scan->refused.status != BR_OK)
        scan_fail(scan, &nothing, scan->refused.status, "ERR_INVALID_PARAMETERS", "%s",
                  scan->refused.text);
    else
        scan_begin(scan);
    scan_leave(scan);
}

/* -- The range of one hash key (src/client_lib/pegasus_client_impl.cpp:get_scanner) -------------
 */

/* The least key behind all that begin so. */
static void key_behind(struct buf *key)
{
    unsigned char *bytes = (unsigned char *) key->data;
    while (key->size > 0 && bytes[key->size - 1] == 0xff)
        key->size--;
    if (key->size > 0)
        bytes[key->size - 1]++;
}

/* Prefixes are a narrower range. */
static void range_narrow(struct table_scan *scan, br_bytes prefix)
{
    struct buf from = { 0 }, to = { 0 };
    struct table_key key = { .hash = *scan->options.hash, .sort = prefix };
    table_key_put(&from, &key);
    table_key_put(&to, &key);
    key_behind(&to);
    if (bytes_compare(buf_bytes(&from), buf_bytes(&scan->start)) > 0) {
        buf_clear(&scan->start);
        buf_put(&scan->start, from.data, from.size);
        scan->start_inclusive = true;
    }
    if (bytes_compare(buf_bytes(&to), buf_bytes(&scan->stop)) <= 0) {
        buf_clear(&scan->stop);
        buf_put(&scan->stop, to.data, to.size);
        scan->stop_inclusive = false;
    }
    buf_done(&from);
    buf_done(&to);
}

static void range_of_hash(struct table_scan *scan)
{
    const struct table_scan_options *options = &scan->options;
    const struct table_key hash = { .hash = *options->hash };
    const struct table_key start = { .hash = *options->hash, .sort = options->start };
    const struct table_key stop = { .hash = *options->hash, .sort = options->stop };
    scan->hash = table_key_hash(&hash);
    if (hash.hash.size == 0 || hash.hash.size > TABLE_CLIENT_HASH_KEY_MAX) {
        fail_set(&scan->refused, BR_INVALID, "a hash key to scan has 1 to %d bytes, not %zu",
                 TABLE_CLIENT_HASH_KEY_MAX, hash.hash.size);
        return;
    }
    table_key_put(&scan->start, &start);
    table_key_put(&scan->stop, &stop);
    scan->start_inclusive = !options->start_exclusive;
    scan->stop_inclusive = options->stop_inclusive && options->stop.size > 0;
    if (options->stop.size == 0)
        key_behind(&scan->stop);
    if (options->sort_filter.type == FILTER_PREFIX && options->sort_filter.pattern.size > 0)
        range_narrow(scan, options->sort_filter.pattern);
}

/* -- Life ------------------------------------------------------------------------------------- */

struct table_scan *table_scan_new(struct table_client *table,
                                  const struct table_scan_options *options)
{
    struct table_scan *scan = mem_new(sizeof *scan);
    scan->table = table;
    scan->options = *options;
    buf_put(&scan->hash_pattern, options->hash_filter.pattern.data,
            options->hash_filter.pattern.size);
    buf_put(&scan->sort_pattern, options->sort_filter.pattern.data,
            options->sort_filter.pattern.size);
    scan->context = CONTEXT_COMPLETED;
    scan->of_hash = options->hash != NULL;
    if (scan->of_hash) {
        range_of_hash(scan);
    } else {
        buf_put(&scan->start, "\0\0", 2);
        buf_put(&scan->stop, "\xff\xff", 2);
        scan->start_inclusive = true;
        scan->hash = options->partition > 0 ? (uint64_t) options->partition : 0;
    }
    scan->options.hash = NULL;
    evtimer_assign(&scan->begin, table->base, scan_on_begin, scan);
    evtimer_add(&scan->begin, &(struct timeval){ 0 });
    return scan;
}

void table_scan_free(struct table_scan *scan)
{
    if (!scan)
        return;
    table_client_forget(scan->table, scan);
    evtimer_del(&scan->begin);
    scan_forget(scan);
    scan->closed = true;
    if (!scan->busy)
        scan_destroy(scan);
}
