/* operation_run -- what the operations' files share.  Private to host/data. */
#ifndef HOST_DATA_OPERATION_RUN_H
#define HOST_DATA_OPERATION_RUN_H

#include "host/data/key.h"
#include "host/data/operation.h"
#include "host/rdsn/message_data.h"

/* Carries out a decoded request and appends the response. */
typedef void data_run_function(const struct data_call *call, const void *request,
                               struct buf *response);

/* Every response has these three, at their own places. */
#define DATA_COMMON(call, response)                                                                \
    do {                                                                                           \
        (response).app_id = (call)->app_id;                                                        \
        (response).partition_index = (call)->partition;                                            \
        (response).server = (call)->server;                                                        \
    } while (0)

/* A whole key, in the arena. */
br_bytes data_full_key(const struct data_call *call, br_bytes hash, br_bytes sort);

/* A copy in the arena: what a store gives out is gone at the next step. */
br_bytes data_keep(const struct data_call *call, br_bytes bytes);

static inline uint32_t data_now(const struct data_call *call)
{
    return data_seconds(call->microseconds);
}

/* Gather a put whose request says `expires`. */
void data_put(const struct data_call *call, br_bytes key, br_bytes value, int32_t expires);

void data_run_put(const struct data_call *call, const void *request, struct buf *response);
void data_run_remove(const struct data_call *call, const void *request, struct buf *response);
void data_run_multi_put(const struct data_call *call, const void *request, struct buf *response);
void data_run_multi_remove(const struct data_call *call, const void *request, struct buf *response);
void data_run_incr(const struct data_call *call, const void *request, struct buf *response);
void data_run_check_and_set(const struct data_call *call, const void *request,
                            struct buf *response);
void data_run_check_and_mutate(const struct data_call *call, const void *request,
                               struct buf *response);
void data_run_get(const struct data_call *call, const void *request, struct buf *response);
void data_run_ttl(const struct data_call *call, const void *request, struct buf *response);
void data_run_multi_get(const struct data_call *call, const void *request, struct buf *response);
void data_run_batch_get(const struct data_call *call, const void *request, struct buf *response);
void data_run_sortkey_count(const struct data_call *call, const void *request,
                            struct buf *response);
void data_run_get_scanner(const struct data_call *call, const void *request, struct buf *response);
void data_run_scan(const struct data_call *call, const void *request, struct buf *response);
void data_run_clear_scanner(const struct data_call *call, const void *request,
                            struct buf *response);

#endif
