/* operation -- Pegasus's operations on the data of one partition (idl/rrdb.thrift,
 * src/server/pegasus_server_impl.cpp, src/server/pegasus_write_service_impl.h): a request's bytes
 * in, a response's bytes out.
 *
 * A write is carried out by every member of the group when its decree is committed, and again after
 * a restart, so that it must come to the same everywhere: "now" is the moment at which the primary
 * gave it its decree, not the clock's.  (Pegasus takes each server's own clock.)
 *
 * A store may be NULL: then nothing is there, and nothing is kept.  Loop thread only.
 */
#ifndef HOST_DATA_OPERATION_H
#define HOST_DATA_OPERATION_H

#include "host/base/arena.h"
#include "host/data/store.h"

#define DATA_ROWS_MAX   3000            /* of one multi_get (multi_get_max_iteration_count) */
#define DATA_SIZE_MAX   (30 << 20)      /* its bytes (multi_get_max_iteration_size) */
#define DATA_SCAN_MAX   1000            /* rows of one answer of a scan */
#define DATA_COUNT_TIME (2 * BR_SECOND) /* for counting one hash key's sort keys */

struct data_operation;

/* What a request is done with. */
struct data_call {
    struct data_store *store;
    struct arena *arena; /* for the request and what is read */
    int32_t app_id, partition;
    const char *server;   /* "ip:port", told in the response */
    int64_t decree;       /* of a write */
    int64_t microseconds; /* Unix time: of the primary's clock for a write, else now */
    br_time now;          /* monotonic; reads only */
};

/* By task code; NULL: there is no such. */
const struct data_operation *data_operation(const char *name, size_t size);
bool data_is_write(const struct data_operation *operation);

/* Several may share a decree (rpc_request_is_write_allow_batch). */
bool data_is_batch(const struct data_operation *operation);

/* May clients send it?  Else it comes in mutations of others only. */
bool data_is_request(const struct data_operation *operation);

/* Has it an answer? */
bool data_is_answered(const struct data_operation *operation);

/* Does the body make sense?  Asked before a write gets its decree. */
br_status data_check(const struct data_operation *operation, struct arena *arena, br_bytes body,
                     struct fail *ret_fail);

/* Carry it out.  A write gathers in the store what it changes (data_store_commit is to follow,
 * before the response is sent); writes of one commit do not see each other.  The response is
 * appended; its errors are in it.  BR_CORRUPT: the body makes no sense, and nothing was done. */
br_status data_run(const struct data_operation *operation, const struct data_call *call,
                   br_bytes body, struct buf *response, struct fail *ret_fail);

#endif
