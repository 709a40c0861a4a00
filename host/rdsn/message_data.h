/* message_data -- the data plane's messages (idl/rrdb.thrift, src/common/consensus.thrift): what
 * message.h is for the rest.
 */
#ifndef HOST_RDSN_MESSAGE_DATA_H
#define HOST_RDSN_MESSAGE_DATA_H

#include "host/rdsn/codec.h"

struct msg_rrdb_update_request {
    uint32_t present;
    br_bytes key;              /* 1 */
    br_bytes value;            /* 2 */
    int32_t expire_ts_seconds; /* 3 */
};

struct msg_rrdb_update_response {
    uint32_t present;
    int32_t error;           /* 1 */
    int32_t app_id;          /* 2 */
    int32_t partition_index; /* 3 */
    int64_t decree;          /* 4 */
    const char *server;      /* 5 */
};

struct msg_rrdb_read_response {
    uint32_t present;
    int32_t error;           /* 1 */
    br_bytes value;          /* 2 */
    int32_t app_id;          /* 3 */
    int32_t partition_index; /* 4 */
    const char *server;      /* 6 */
};

struct msg_rrdb_key_value {
    uint32_t present;
    br_bytes key;              /* 1 */
    br_bytes value;            /* 2 */
    int32_t expire_ts_seconds; /* 3? */
};

struct msg_rrdb_multi_get_request {
    uint32_t present;
    br_bytes hash_key;                /* 1 */
    struct wire_list sort_keys;       /* 2: br_bytes */
    int32_t max_kv_count;             /* 3 */
    int32_t max_kv_size;              /* 4 */
    bool no_value;                    /* 5 */
    br_bytes start_sortkey;           /* 6 */
    br_bytes stop_sortkey;            /* 7 */
    bool start_inclusive;             /* 8 */
    bool stop_inclusive;              /* 9 */
    int32_t sort_key_filter_type;     /* 10 */
    br_bytes sort_key_filter_pattern; /* 11 */
    bool reverse;                     /* 12 */
};

struct msg_rrdb_multi_get_response {
    uint32_t present;
    int32_t error;           /* 1 */
    struct wire_list kvs;    /* 2: struct msg_rrdb_key_value */
    int32_t app_id;          /* 3 */
    int32_t partition_index; /* 4 */
    const char *server;      /* 6 */
};

struct msg_prepare_ack {
    uint32_t present;
    struct gpid pid;                               /* 1 */
    const char *err;                               /* 2 */
    int64_t ballot;                                /* 3 */
    int64_t decree;                                /* 4 */
    int64_t last_committed_decree_in_app;          /* 5 */
    int64_t last_committed_decree_in_prepare_list; /* 6 */
    int64_t receive_timestamp;                     /* 7? */
    int64_t response_timestamp;                    /* 8? */
};

struct msg_rrdb_incr_request {
    uint32_t present;
    br_bytes key;              /* 1 */
    int64_t increment;         /* 2 */
    int32_t expire_ts_seconds; /* 3 */
};

/* multi_remove_response (a count), incr_response (the new value). */
struct msg_rrdb_number_response {
    uint32_t present;
    int32_t error;           /* 1 */
    int64_t number;          /* 2 */
    int32_t app_id;          /* 3 */
    int32_t partition_index; /* 4 */
    int64_t decree;          /* 5 */
    const char *server;      /* 6 */
};

struct msg_rrdb_count_response {
    uint32_t present;
    int32_t error;           /* 1 */
    int64_t count;           /* 2 */
    int32_t app_id;          /* 3 */
    int32_t partition_index; /* 4 */
    const char *server;      /* 6 */
};

struct msg_rrdb_ttl_response {
    uint32_t present;
    int32_t error;           /* 1 */
    int32_t ttl_seconds;     /* 2 */
    int32_t app_id;          /* 3 */
    int32_t partition_index; /* 4 */
    const char *server;      /* 6 */
};

/* check_and_set_response, check_and_mutate_response. */
struct msg_rrdb_check_response {
    uint32_t present;
    int32_t error;             /* 1 */
    bool check_value_returned; /* 2 */
    bool check_value_exist;    /* 3 */
    br_bytes check_value;      /* 4 */
    int32_t app_id;            /* 5 */
    int32_t partition_index;   /* 6 */
    int64_t decree;            /* 7 */
    const char *server;        /* 8 */
};

struct msg_rrdb_scan_response {
    uint32_t present;
    int32_t error;           /* 1 */
    struct wire_list kvs;    /* 2: struct msg_rrdb_key_value */
    int64_t context_id;      /* 3: -1 nothing more, -2 there is no such context */
    int32_t app_id;          /* 4 */
    int32_t partition_index; /* 5 */
    const char *server;      /* 6 */
    int32_t kv_count;        /* 7? */
};

#define WIRE_DATA_SCHEMAS(X)                                                                       \
    X(rrdb_update_request)                                                                         \
    X(rrdb_update_response)                                                                        \
    X(rrdb_read_response)                                                                          \
    X(rrdb_key_value)                                                                              \
    X(rrdb_multi_get_request)                                                                      \
    X(rrdb_multi_get_response)                                                                     \
    X(rrdb_incr_request)                                                                           \
    X(rrdb_number_response)                                                                        \
    X(rrdb_count_response)                                                                         \
    X(rrdb_ttl_response)                                                                           \
    X(rrdb_check_response)                                                                         \
    X(rrdb_scan_response)                                                                          \
    X(prepare_ack)

#define WIRE_DECLARE(name) extern const struct wire_schema wire_##name;
WIRE_DATA_SCHEMAS(WIRE_DECLARE)
#undef WIRE_DECLARE

#endif
