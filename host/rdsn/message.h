/* message -- Pegasus's messages as C structs, with the codec's tables.
 *
 * Field names and ids are Pegasus's (idl/, fields of 2.6); the id stands behind each field.  `?`
 * marks an optional one, `2.6` one that older peers do not know.  `struct wire_list` names its
 * element behind it.  Every struct begins with the bits of the fields present (codec.h).
 */
#ifndef HOST_RDSN_MESSAGE_H
#define HOST_RDSN_MESSAGE_H

#include "host/rdsn/codec.h"

/* -- 4.0 shared structs ----------------------------------------------------------------------- */

struct msg_partition_configuration {
    uint32_t present;
    struct gpid pid;                 /* 1 */
    int64_t ballot;                  /* 2 */
    int32_t max_replica_count;       /* 3 */
    int32_t partition_flags;         /* 8 */
    uint64_t primary;                /* 4 */
    struct wire_list secondaries;    /* 5: uint64_t */
    struct wire_list last_drops;     /* 6: uint64_t */
    int64_t last_committed_decree;   /* 7 */
    struct host_port hp_primary;     /* 9? 2.6 */
    struct wire_list hp_secondaries; /* 10? 2.6: struct host_port */
    struct wire_list hp_last_drops;  /* 11? 2.6: struct host_port */
};

struct msg_app_info {
    uint32_t present;
    int32_t status;               /* 1 */
    const char *app_type;         /* 2 */
    const char *app_name;         /* 3 */
    int32_t app_id;               /* 4 */
    int32_t partition_count;      /* 5 */
    struct wire_list envs;        /* 6: struct wire_pair */
    bool is_stateful;             /* 7 */
    bool duplicating;             /* 12? false */
    bool is_bulk_loading;         /* 14? false */
    bool atomic_idempotent;       /* 15? false, 2.6 */
    int32_t max_replica_count;    /* 8 */
    int64_t expire_second;        /* 9 */
    int64_t create_second;        /* 10 */
    int64_t drop_second;          /* 11 */
    int32_t init_partition_count; /* 13 */
};

struct msg_replica_info {
    uint32_t present;
    struct gpid pid;               /* 1 */
    int64_t ballot;                /* 2 */
    int32_t status;                /* 3 */
    int32_t manual_compact_status; /* 9? */
    int64_t last_committed_decree; /* 4 */
    int64_t last_prepared_decree;  /* 5 */
    int64_t last_durable_decree;   /* 6 */
    const char *app_type;          /* 7 */
    const char *disk_tag;          /* 8 */
};

struct msg_replica_configuration {
    uint32_t present;
    struct gpid pid;             /* 1 */
    int64_t ballot;              /* 2 */
    uint64_t primary;            /* 3 */
    int32_t status;              /* 4 */
    bool pop_all;                /* 6? false */
    bool split_sync_to_child;    /* 7? false */
    int64_t learner_signature;   /* 5 */
    struct host_port hp_primary; /* 8? 2.6 */
};

/* -- 4.1 metadata recovery -------------------------------------------------------------------- */

struct msg_configuration_recovery_request {
    uint32_t present;
    struct wire_list recovery_nodes;    /* 1: uint64_t */
    bool skip_bad_nodes;                /* 2 */
    bool skip_lost_partitions;          /* 3 */
    struct wire_list hp_recovery_nodes; /* 4? 2.6: struct host_port */
};

struct msg_configuration_recovery_response {
    uint32_t present;
    const char *err;          /* 1 */
    const char *hint_message; /* 2 */
};

struct msg_query_app_info_request {
    uint32_t present;
    uint64_t meta_server;            /* 1 */
    struct host_port hp_meta_server; /* 2? 2.6 */
};

struct msg_query_app_info_response {
    uint32_t present;
    const char *err;       /* 1 */
    struct wire_list apps; /* 2: struct msg_app_info */
};

struct msg_query_replica_info_request {
    uint32_t present;
    uint64_t node1;            /* 1 */
    struct host_port hp_node1; /* 2? 2.6 */
};

struct msg_query_replica_info_response {
    uint32_t present;
    const char *err;           /* 1 */
    struct wire_list replicas; /* 2: struct msg_replica_info */
};

struct msg_query_pn_decree_request {
    uint32_t present;
    struct gpid pid;           /* 1 */
    uint64_t node1;            /* 2 */
    struct host_port hp_node1; /* 3? 2.6 */
};

struct msg_query_pn_decree_response {
    uint32_t present;
    const char *err;     /* 1 */
    int64_t last_decree; /* 2 */
};

/* -- 4.2 client routing ----------------------------------------------------------------------- */

struct msg_query_cfg_request {
    uint32_t present;
    const char *app_name;               /* 1 */
    struct wire_list partition_indices; /* 2: int32_t */
};

struct msg_query_cfg_response {
    uint32_t present;
    const char *err;             /* 1 */
    int32_t app_id;              /* 2 */
    int32_t partition_count;     /* 3 */
    bool is_stateful;            /* 4 */
    struct wire_list partitions; /* 5: struct msg_partition_configuration */
};

/* -- 4.3 administration ----------------------------------------------------------------------- */

struct msg_list_apps_request {
    uint32_t present;
    int32_t status;               /* 1: 0 all */
    const char *app_name_pattern; /* 2? 2.6 */
    int32_t match_type;           /* 3? 2.6 */
};

struct msg_list_apps_response {
    uint32_t present;
    const char *err;          /* 1 */
    struct wire_list infos;   /* 2: struct msg_app_info */
    const char *hint_message; /* 3? 2.6 */
};

struct msg_create_app_options {
    uint32_t present;
    int32_t partition_count; /* 1 */
    int32_t replica_count;   /* 2 */
    bool success_if_exist;   /* 3 */
    bool is_stateful;        /* 5 */
    bool atomic_idempotent;  /* 7? false, 2.6 */
    const char *app_type;    /* 4 */
    struct wire_list envs;   /* 6: struct wire_pair */
};

struct msg_create_app_request {
    uint32_t present;
    const char *app_name;                  /* 1 */
    struct msg_create_app_options options; /* 2 */
};

struct msg_create_app_response {
    uint32_t present;
    const char *err; /* 1 */
    int32_t appid;   /* 2 */
};

struct msg_drop_app_options {
    uint32_t present;
    bool success_if_not_exist; /* 1 */
    int64_t reserve_seconds;   /* 2? */
};

struct msg_drop_app_request {
    uint32_t present;
    const char *app_name;                /* 1 */
    struct msg_drop_app_options options; /* 2 */
};

/* Responses that are an error alone: drop_app, propose_balancer. */
struct msg_error_response {
    uint32_t present;
    const char *err; /* 1 */
};

/* Responses that are an error and a hint: rename_app, update_app_env, start_manual_compact. */
struct msg_hint_response {
    uint32_t present;
    const char *err;          /* 1 */
    const char *hint_message; /* 2 */
};

struct msg_recall_app_request {
    uint32_t present;
    int32_t app_id;           /* 1 */
    const char *new_app_name; /* 2 */
};

struct msg_recall_app_response {
    uint32_t present;
    const char *err;          /* 1 */
    struct msg_app_info info; /* 2 */
};

struct msg_rename_app_request {
    uint32_t present;
    const char *old_app_name; /* 1 */
    const char *new_app_name; /* 2 */
};

struct msg_list_nodes_request {
    uint32_t present;
    int32_t status; /* 1: 0 all */
};

struct msg_node_info {
    uint32_t present;
    int32_t status;           /* 1: 1 alive, 2 unalive */
    uint64_t node;            /* 2 */
    struct host_port hp_node; /* 3? 2.6 */
};

struct msg_list_nodes_response {
    uint32_t present;
    const char *err;        /* 1 */
    struct wire_list infos; /* 2: struct msg_node_info */
};

struct msg_empty_request {
    uint32_t present;
};

struct msg_cluster_info_response {
    uint32_t present;
    const char *err;         /* 1 */
    struct wire_list keys;   /* 2: const char * */
    struct wire_list values; /* 3: const char * */
};

struct msg_control_meta_request {
    uint32_t present;
    int32_t level; /* 1 */
};

struct msg_control_meta_response {
    uint32_t present;
    const char *err;   /* 1 */
    int32_t old_level; /* 2 */
};

struct msg_configuration_proposal_action {
    uint32_t present;
    uint64_t target;            /* 1 */
    uint64_t node;              /* 2 */
    int32_t type;               /* 3 */
    struct host_port hp_target; /* 5? 2.6 */
    struct host_port hp_node;   /* 6? 2.6 */
};

struct msg_configuration_balancer_request {
    uint32_t present;
    struct gpid gpid;             /* 1 */
    struct wire_list action_list; /* 2: struct msg_configuration_proposal_action */
    bool force;                   /* 3? false */
    int32_t balance_type;         /* 4? */
};

struct msg_update_app_env_request {
    uint32_t present;
    const char *app_name;     /* 1 */
    int32_t op;               /* 2 */
    struct wire_list keys;    /* 3?: const char * */
    struct wire_list values;  /* 4?: const char * */
    const char *clear_prefix; /* 5? */
};

struct msg_ddd_diagnose_request {
    uint32_t present;
    struct gpid pid; /* 1 */
};

struct msg_ddd_node_info {
    uint32_t present;
    uint64_t node;                 /* 1 */
    int64_t drop_time_ms;          /* 2 */
    bool is_alive;                 /* 3 */
    bool is_collected;             /* 4 */
    int64_t ballot;                /* 5 */
    int64_t last_committed_decree; /* 6 */
    int64_t last_prepared_decree;  /* 7 */
    struct host_port hp_node;      /* 8? 2.6 */
};

struct msg_ddd_partition_info {
    uint32_t present;
    struct msg_partition_configuration config; /* 1 */
    struct wire_list dropped;                  /* 2: struct msg_ddd_node_info */
    const char *reason;                        /* 3 */
};

struct msg_ddd_diagnose_response {
    uint32_t present;
    const char *err;             /* 1 */
    struct wire_list partitions; /* 2: struct msg_ddd_partition_info */
};

struct msg_app_name_request { /* get_max_replica_count, get_atomic_idempotent, query_manual_compact
                               */
    uint32_t present;
    const char *app_name; /* 1 */
};

struct msg_get_max_replica_count_response {
    uint32_t present;
    const char *err;           /* 1 */
    int32_t max_replica_count; /* 2 */
    const char *hint_message;  /* 3 */
};

struct msg_set_max_replica_count_request {
    uint32_t present;
    const char *app_name;      /* 1 */
    int32_t max_replica_count; /* 2 */
};

struct msg_set_max_replica_count_response {
    uint32_t present;
    const char *err;               /* 1 */
    int32_t old_max_replica_count; /* 2 */
    const char *hint_message;      /* 3 */
};

struct msg_get_atomic_idempotent_response {
    uint32_t present;
    const char *err;          /* 1 */
    bool atomic_idempotent;   /* 2 */
    const char *hint_message; /* 3 */
};

struct msg_set_atomic_idempotent_request {
    uint32_t present;
    const char *app_name;   /* 1 */
    bool atomic_idempotent; /* 2 */
};

struct msg_set_atomic_idempotent_response {
    uint32_t present;
    const char *err;            /* 1 */
    bool old_atomic_idempotent; /* 2 */
    const char *hint_message;   /* 3 */
};

struct msg_start_manual_compact_request {
    uint32_t present;
    const char *app_name;      /* 1 */
    int64_t trigger_time;      /* 2? */
    int32_t target_level;      /* 3? */
    bool bottommost;           /* 4? */
    int32_t max_running_count; /* 5? */
};

struct msg_query_manual_compact_response {
    uint32_t present;
    const char *err;      /* 1 */
    const char *hint_msg; /* 2 */
    int32_t progress;     /* 3? */
};

/* -- 4.4 failure detector --------------------------------------------------------------------- */

struct msg_beacon_msg {
    uint32_t present;
    int64_t time;                  /* 1 */
    uint64_t from_node;            /* 2 */
    uint64_t to_node;              /* 3 */
    int64_t start_time;            /* 4? */
    struct host_port hp_from_node; /* 5? 2.6 */
    struct host_port hp_to_node;   /* 6? 2.6 */
};

struct msg_beacon_ack {
    uint32_t present;
    int64_t time;                     /* 1 */
    uint64_t this_node;               /* 2 */
    uint64_t primary_node;            /* 3 */
    bool is_master;                   /* 4 */
    bool allowed;                     /* 5 */
    struct host_port hp_this_node;    /* 6? 2.6 */
    struct host_port hp_primary_node; /* 7? 2.6 */
};

/* -- 4.5 replica and meta ---------------------------------------------------------------------- */

struct msg_replica_server_info {
    uint32_t present;
    struct wire_list geo_tags; /* 1: struct wire_pair */
    int64_t total_capacity_mb; /* 2 */
};

struct msg_configuration_query_by_node_request {
    uint32_t present;
    uint64_t node;                       /* 1 */
    struct wire_list stored_replicas;    /* 2?: struct msg_replica_info */
    struct msg_replica_server_info info; /* 3? */
    struct host_port hp_node;            /* 4? 2.6 */
};

struct msg_configuration_update_request {
    uint32_t present;
    struct msg_app_info info;                  /* 1 */
    struct msg_partition_configuration config; /* 2 */
    int32_t type;                              /* 3 */
    int32_t meta_split_status;                 /* 6? */
    uint64_t node;                             /* 4 */
    uint64_t host_node;                        /* 5 */
    struct host_port hp_node;                  /* 7? 2.6 */
};

struct msg_configuration_query_by_node_response {
    uint32_t present;
    const char *err;              /* 1 */
    struct wire_list partitions;  /* 2: struct msg_configuration_update_request */
    struct wire_list gc_replicas; /* 3?: struct msg_replica_info */
};

struct msg_configuration_update_response {
    uint32_t present;
    const char *err;                           /* 1 */
    struct msg_partition_configuration config; /* 2 */
};

struct msg_duplication_sync_request {
    uint32_t present;
    uint64_t node;                 /* 1 */
    struct wire_list confirm_list; /* 2: map of gpid to list, read and written only empty */
    struct host_port hp_node;      /* 3? 2.6 */
};

struct msg_duplication_sync_response {
    uint32_t present;
    const char *err;          /* 1 */
    struct wire_list dup_map; /* 2: map of i32 to map, read and written only empty */
};

/* -- 5.8, 5.9, 9 --------------------------------------------------------------------------------
 */

struct msg_group_check_request {
    uint32_t present;
    struct msg_app_info app;                 /* 1 */
    uint64_t node;                           /* 2 */
    struct msg_replica_configuration config; /* 3 */
    int64_t last_committed_decree;           /* 4 */
    int64_t confirmed_decree;                /* 5? */
    struct gpid child_gpid;                  /* 6? */
    int32_t meta_split_status;               /* 7? */
    struct host_port hp_node;                /* 8? 2.6 */
};

struct msg_group_check_response {
    uint32_t present;
    struct gpid pid;                               /* 1 */
    const char *err;                               /* 2 */
    int64_t last_committed_decree_in_app;          /* 3 */
    int64_t last_committed_decree_in_prepare_list; /* 4 */
    int32_t learner_status_;                       /* 5 */
    int32_t disk_status;                           /* 9? 0 */
    int64_t learner_signature;                     /* 6 */
    uint64_t node;                                 /* 7 */
    bool is_split_stopped;                         /* 8? */
    struct host_port hp_node;                      /* 10? 2.6 */
};

struct msg_command {
    uint32_t present;
    const char *cmd;            /* 1 */
    struct wire_list arguments; /* 2: const char * */
};

struct msg_negotiation { /* request and response */
    uint32_t present;
    int32_t status; /* 1 */
    br_bytes msg;   /* 2: blob */
};

#define WIRE_SCHEMAS(X)                                                                            \
    X(partition_configuration)                                                                     \
    X(app_info)                                                                                    \
    X(replica_info)                                                                                \
    X(replica_configuration)                                                                       \
    X(configuration_recovery_request)                                                              \
    X(configuration_recovery_response)                                                             \
    X(query_app_info_request)                                                                      \
    X(query_app_info_response)                                                                     \
    X(query_replica_info_request)                                                                  \
    X(query_replica_info_response)                                                                 \
    X(query_pn_decree_request)                                                                     \
    X(query_pn_decree_response)                                                                    \
    X(query_cfg_request)                                                                           \
    X(query_cfg_response)                                                                          \
    X(list_apps_request)                                                                           \
    X(list_apps_response)                                                                          \
    X(create_app_options)                                                                          \
    X(create_app_request)                                                                          \
    X(create_app_response)                                                                         \
    X(drop_app_options)                                                                            \
    X(drop_app_request)                                                                            \
    X(error_response)                                                                              \
    X(hint_response)                                                                               \
    X(recall_app_request)                                                                          \
    X(recall_app_response)                                                                         \
    X(rename_app_request)                                                                          \
    X(list_nodes_request)                                                                          \
    X(node_info)                                                                                   \
    X(list_nodes_response)                                                                         \
    X(empty_request)                                                                               \
    X(cluster_info_response)                                                                       \
    X(control_meta_request)                                                                        \
    X(control_meta_response)                                                                       \
    X(configuration_proposal_action)                                                               \
    X(configuration_balancer_request)                                                              \
    X(update_app_env_request)                                                                      \
    X(ddd_diagnose_request)                                                                        \
    X(ddd_node_info)                                                                               \
    X(ddd_partition_info)                                                                          \
    X(ddd_diagnose_response)                                                                       \
    X(app_name_request)                                                                            \
    X(get_max_replica_count_response)                                                              \
    X(set_max_replica_count_request)                                                               \
    X(set_max_replica_count_response)                                                              \
    X(get_atomic_idempotent_response)                                                              \
    X(set_atomic_idempotent_request)                                                               \
    X(set_atomic_idempotent_response)                                                              \
    X(start_manual_compact_request)                                                                \
    X(query_manual_compact_response)                                                               \
    X(beacon_msg)                                                                                  \
    X(beacon_ack)                                                                                  \
    X(replica_server_info)                                                                         \
    X(configuration_query_by_node_request)                                                         \
    X(configuration_update_request)                                                                \
    X(configuration_query_by_node_response)                                                        \
    X(configuration_update_response)                                                               \
    X(duplication_sync_request)                                                                    \
    X(duplication_sync_response)                                                                   \
    X(group_check_request)                                                                         \
    X(group_check_response)                                                                        \
    X(command)                                                                                     \
    X(negotiation)

#define WIRE_DECLARE(name) extern const struct wire_schema wire_##name;
WIRE_SCHEMAS(WIRE_DECLARE)
#undef WIRE_DECLARE

/* One RPC: what its body is in both directions.  A NULL schema with kind 0: never sent. */
struct rpc {
    const char *name;                  /* "RPC_CM_LIST_APPS"; the reply is this and "_ACK" */
    const struct wire_schema *request; /* of structs */
    const struct wire_schema *response;
    uint8_t request_kind; /* enum wire_kind where the body is no struct */
    uint8_t response_kind;
    bool one_way; /* no reply is ever sent */
};

/* By request name; NULL: not an RPC of this table. */
const struct rpc *rpc_find(const char *name);

/* All of them; ends with a NULL name. */
extern const struct rpc rpc_table[];

#endif
