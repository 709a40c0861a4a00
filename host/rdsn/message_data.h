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

struct msg_rrdb_multi_put_request {
    uint32_t present;
    br_bytes hash_key;         /* 1 */
    struct wire_list kvs;      /* 2: struct msg_rrdb_key_value, the keys being sort keys */
    int32_t expire_ts_seconds; /* 3 */
};

struct msg_rrdb_multi_remove_request {
    uint32_t present;
    br_bytes hash_key;          /* 1 */
    struct wire_list sort_keys; /* 2: br_bytes */
    int64_t max_count;          /* 3 */
};

struct msg_rrdb_full_key {
    uint32_t present;
    br_bytes hash_key; /* 1 */
    br_bytes sort_key; /* 2 */
};

struct msg_rrdb_batch_get_request {
    uint32_t present;
    struct wire_list keys; /* 1: struct msg_rrdb_full_key */
};

struct msg_rrdb_full_data {
    uint32_t present;
    br_bytes hash_key; /* 1 */
    br_bytes sort_key; /* 2 */
    br_bytes value;    /* 3 */
};

struct msg_rrdb_batch_get_response {
    uint32_t present;
    int32_t error;           /* 1 */
    struct wire_list data;   /* 2: struct msg_rrdb_full_data */
    int32_t app_id;          /* 3 */
    int32_t partition_index; /* 4 */
    const char *server;      /* 6 */
};

/* Filters of sort keys and hash keys (filter_type). */
enum { FILTER_NONE = 0, FILTER_ANYWHERE = 1, FILTER_PREFIX = 2, FILTER_POSTFIX = 3 };

/* What check_and_set and check_and_mutate look for (cas_check_type). */
enum {
    CHECK_NONE = 0,
    CHECK_NOT_EXIST = 1,
    CHECK_NOT_EXIST_OR_EMPTY = 2,
    CHECK_EXIST = 3,
    CHECK_NOT_EMPTY = 4,
    CHECK_ANYWHERE = 5,
    CHECK_PREFIX = 6,
    CHECK_POSTFIX = 7,
    CHECK_BYTES_LESS = 8, /* then <=, ==, >=, > */
    CHECK_BYTES_GREATER = 12,
    CHECK_INT_LESS = 13, /* then <=, ==, >=, > */
    CHECK_INT_GREATER = 17,
};

enum { MUTATE_PUT = 0, MUTATE_DELETE = 1 };

struct msg_rrdb_check_and_set_request {
    uint32_t present;
    br_bytes hash_key;             /* 1 */
    br_bytes check_sort_key;       /* 2 */
    int32_t check_type;            /* 3 */
    br_bytes check_operand;        /* 4 */
    bool set_diff_sort_key;        /* 5 */
    br_bytes set_sort_key;         /* 6 */
    br_bytes set_value;            /* 7 */
    int32_t set_expire_ts_seconds; /* 8 */
    bool return_check_value;       /* 9 */
};

struct msg_rrdb_mutate {
    uint32_t present;
    int32_t operation;             /* 1 */
    br_bytes sort_key;             /* 2 */
    br_bytes value;                /* 3 */
    int32_t set_expire_ts_seconds; /* 4 */
};

struct msg_rrdb_check_and_mutate_request {
    uint32_t present;
    br_bytes hash_key;            /* 1 */
    br_bytes check_sort_key;      /* 2 */
    int32_t check_type;           /* 3 */
    br_bytes check_operand;       /* 4 */
    struct wire_list mutate_list; /* 5: struct msg_rrdb_mutate */
    bool return_check_value;      /* 6 */
};

struct msg_rrdb_get_scanner_request {
    uint32_t present;
    br_bytes start_key;               /* 1: whole keys */
    br_bytes stop_key;                /* 2 */
    bool start_inclusive;             /* 3 */
    bool stop_inclusive;              /* 4 */
    int32_t batch_size;               /* 5 */
    bool no_value;                    /* 6 */
    int32_t hash_key_filter_type;     /* 7 */
    br_bytes hash_key_filter_pattern; /* 8 */
    int32_t sort_key_filter_type;     /* 9 */
    br_bytes sort_key_filter_pattern; /* 10 */
    bool validate_partition_hash;     /* 11? */
    bool return_expire_ts;            /* 12? */
    bool full_scan;                   /* 13? */
    bool only_return_count;           /* 14? */
};

struct msg_rrdb_scan_request {
    uint32_t present;
    int64_t context_id; /* 1 */
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
    X(rrdb_multi_put_request)                                                                      \
    X(rrdb_multi_remove_request)                                                                   \
    X(rrdb_full_key)                                                                               \
    X(rrdb_batch_get_request)                                                                      \
    X(rrdb_full_data)                                                                              \
    X(rrdb_batch_get_response)                                                                     \
    X(rrdb_check_and_set_request)                                                                  \
    X(rrdb_mutate)                                                                                 \
    X(rrdb_check_and_mutate_request)                                                               \
    X(rrdb_get_scanner_request)                                                                    \
    X(rrdb_scan_request)                                                                           \
    X(prepare_ack)

#define WIRE_DECLARE(name) extern const struct wire_schema wire_##name;
WIRE_DATA_SCHEMAS(WIRE_DECLARE)
#undef WIRE_DECLARE

#endif
