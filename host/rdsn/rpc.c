/* rpc -- which body each RPC has, both ways (src/common/replication.codes.h).  By name, so that
 * looking one up is a binary search.
 */
#include "host/rdsn/message.h"

#include <stdlib.h>
#include <string.h>

#include "host/rdsn/message_data.h"
#include "host/rdsn/message_replica.h"

#define CALL(name_, request_, response_)                                                           \
    {                                                                                              \
        .name = (name_), .request = &wire_##request_, .response = &wire_##response_                \
    }
#define ONE_WAY(name_, request_)                                                                   \
    {                                                                                              \
        .name = (name_), .request = &wire_##request_, .one_way = true                              \
    }

const struct rpc rpc_table[] = {
    { .name = "RPC_CLI_CLI_CALL", .request = &wire_command, .response_kind = WIRE_STRING },
    CALL("RPC_CM_CLUSTER_INFO", empty_request, cluster_info_response),
    CALL("RPC_CM_CONFIG_SYNC", configuration_query_by_node_request,
         configuration_query_by_node_response),
    CALL("RPC_CM_CONTROL_META", control_meta_request, control_meta_response),
    CALL("RPC_CM_CREATE_APP", create_app_request, create_app_response),
    CALL("RPC_CM_DDD_DIAGNOSE", ddd_diagnose_request, ddd_diagnose_response),
    CALL("RPC_CM_DROP_APP", drop_app_request, error_response),
    CALL("RPC_CM_DUPLICATION_SYNC", duplication_sync_request, duplication_sync_response),
    CALL("RPC_CM_GET_ATOMIC_IDEMPOTENT", app_name_request, get_atomic_idempotent_response),
    CALL("RPC_CM_GET_MAX_REPLICA_COUNT", app_name_request, get_max_replica_count_response),
    CALL("RPC_CM_LIST_APPS", list_apps_request, list_apps_response),
    CALL("RPC_CM_LIST_NODES", list_nodes_request, list_nodes_response),
    CALL("RPC_CM_PROPOSE_BALANCER", configuration_balancer_request, error_response),
    CALL("RPC_CM_QUERY_MANUAL_COMPACT_STATUS", app_name_request, query_manual_compact_response),
    CALL("RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX", query_cfg_request, query_cfg_response),
    CALL("RPC_CM_RECALL_APP", recall_app_request, recall_app_response),
    CALL("RPC_CM_RENAME_APP", rename_app_request, hint_response),
    CALL("RPC_CM_SET_ATOMIC_IDEMPOTENT", set_atomic_idempotent_request,
         set_atomic_idempotent_response),
    CALL("RPC_CM_SET_MAX_REPLICA_COUNT", set_max_replica_count_request,
         set_max_replica_count_response),
    CALL("RPC_CM_START_MANUAL_COMPACT", start_manual_compact_request, hint_response),
    CALL("RPC_CM_START_RECOVERY", configuration_recovery_request, configuration_recovery_response),
    CALL("RPC_CM_UPDATE_APP_ENV", update_app_env_request, hint_response),
    CALL("RPC_CM_UPDATE_PARTITION_CONFIGURATION", configuration_update_request,
         configuration_update_response),
    ONE_WAY("RPC_CONFIG_PROPOSAL", configuration_update_request),
    CALL("RPC_FD_FAILURE_DETECTOR_PING", beacon_msg, beacon_ack),
    CALL("RPC_GROUP_CHECK", group_check_request, group_check_response),
    CALL("RPC_LEARN", learn_request, learn_response),
    ONE_WAY("RPC_LEARN_ADD_LEARNER", group_check_request),
    CALL("RPC_LEARN_COMPLETION_NOTIFY", group_check_response, learn_notify_response),
    CALL("RPC_NEGOTIATION", negotiation, negotiation),
    CALL("RPC_NFS_COPY", nfs_copy_request, nfs_copy_response),
    CALL("RPC_NFS_GET_FILE_SIZE", nfs_size_request, nfs_size_response),
    { .name = "RPC_PREPARE", .response = &wire_prepare_ack }, /* the request has three parts */
    CALL("RPC_QUERY_APP_INFO", query_app_info_request, query_app_info_response),
    CALL("RPC_QUERY_PN_DECREE", query_pn_decree_request, query_pn_decree_response),
    CALL("RPC_QUERY_REPLICA_INFO", query_replica_info_request, query_replica_info_response),
    ONE_WAY("RPC_REMOVE_REPLICA", replica_configuration),
    { .name = "RPC_RRDB_RRDB_GET",
      .request_kind = WIRE_BLOB,
      .response = &wire_rrdb_read_response },
    CALL("RPC_RRDB_RRDB_MULTI_GET", rrdb_multi_get_request, rrdb_multi_get_response),
    CALL("RPC_RRDB_RRDB_PUT", rrdb_update_request, rrdb_update_response),
    { .name = "RPC_RRDB_RRDB_REMOVE",
      .request_kind = WIRE_BLOB,
      .response = &wire_rrdb_update_response },
    { .name = NULL },
};

static int rpc_compare(const void *name, const void *rpc)
{
    return strcmp(name, ((const struct rpc *) rpc)->name);
}

const struct rpc *rpc_find(const char *name)
{
    size_t count = sizeof rpc_table / sizeof *rpc_table - 1;
    return bsearch(name, rpc_table, count, sizeof *rpc_table, rpc_compare);
}
