/* table_scan -- walk the rows of a Pegasus table: of all partitions one after another, of one, or
 * of one hash key.
 *
 * A partition is read in batches (src/server/pegasus_server_impl.cpp:on_get_scanner, on_scan): the
 * first one by its range, the others by a context that the primary keeps between them.  A context
 * that is lost (the primary says so, or another server answers than the one that gave it) and a
 * batch that the server cut short are followed by a new range, which begins behind the last row
 * that was delivered.  So each row that is there from beginning to end is delivered exactly once,
 * whoever becomes primary meanwhile; of rows written or removed meanwhile nothing is promised.
 * Attempts and errors within one question are table_client's.
 *
 * Rows of a partition come in ascending order of their stored keys, in which a shorter hash key
 * comes first.  A table whose id or number of partitions changes meanwhile ends the scan.
 *
 * Loop thread only.  Free a scan before its table.
 */
#ifndef HOST_RDSN_TABLE_SCAN_H
#define HOST_RDSN_TABLE_SCAN_H

#include "host/rdsn/message_data.h"
#include "host/rdsn/table_client.h"

#define TABLE_SCAN_RESTARTS_MAX                                                                    \
    8                        /* one after the other without a row; a further one is an error       \
                              */
#define TABLE_SCAN_BATCH 100 /* Pegasus's */

struct table_scan;

struct table_filter {
    int32_t type; /* FILTER_NONE and so on */
    br_bytes pattern;
};

struct table_row {
    struct table_key key;
    br_bytes value;
    int32_t expire; /* seconds since 2016-01-01; 0: never, or not asked for */
};

struct table_batch {
    const struct table_row *rows; /* in the order of their keys; none with count_only */
    uint32_t row_count;
    int64_t count; /* of rows; with count_only of the whole partition, told once at its end */
    int32_t app_id, partition;
    const char *server;
    bool last; /* of this partition */
};

/* Valid during the callback, which may free the scan; never called from inside table_scan_new. */
typedef void table_scan_rows(void *arg, const struct table_batch *batch);

/* The end.  BR_OK: everything was delivered.  Else the result of the question that failed, or
 * BR_CORRUPT (the server's rows make no sense), BR_INVALID (there is no such partition),
 * BR_REFUSED (the table changed, or contexts are lost again and again).  May free the scan. */
typedef void table_scan_done(void *arg, const struct table_result *result);

struct table_scan_options {
    /* Of one hash key, which is not empty: from `start` to `stop`; an empty stop is no limit. */
    const br_bytes *hash;
    br_bytes start, stop;
    bool start_exclusive, stop_inclusive; /* as Pegasus's defaults where false */

    int32_t partition; /* without a hash key; -1: all */
    int32_t batch;     /* rows; 0: TABLE_SCAN_BATCH */
    bool no_value, with_expire, count_only;
    struct table_filter hash_filter, sort_filter;
    br_time timeout; /* of each question; 0: TABLE_CLIENT_TIMEOUT */
    table_scan_rows *rows;
    table_scan_done *done;
    void *arg;
};

/* Everything is copied.  Never NULL: what is wrong is told by done. */
struct table_scan *table_scan_new(struct table_client *table,
                                  const struct table_scan_options *options);

/* Nothing is told any more; the primary is told to forget its context. */
void table_scan_free(struct table_scan *scan);

#endif
