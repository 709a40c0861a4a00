/* message_admin -- tables of the administration messages (idl/meta_admin.thrift). */
#include "host/rdsn/message.h"
#include "host/rdsn/message_table.h"

static const struct wire_field list_apps_request_fields[] = {
    FIELD(list_apps_request, 1, status, 0),
    FIELD(list_apps_request, 2, app_name_pattern, HP),
    FIELD(list_apps_request, 3, match_type, HP),
};
SCHEMA(list_apps_request, "list_apps_request");

static const struct wire_field list_apps_response_fields[] = {
    ERROR(list_apps_response, 1, err),
    ROWS(list_apps_response, 2, infos, app_info, 0),
    FIELD(list_apps_response, 3, hint_message, HP),
};
SCHEMA(list_apps_response, "list_apps_response");

static const struct wire_field create_app_options_fields[] = {
    FIELD(create_app_options, 1, partition_count, 0),
    FIELD(create_app_options, 2, replica_count, 0),
    FIELD(create_app_options, 3, success_if_exist, 0),
    FIELD(create_app_options, 4, app_type, 0),
    FIELD(create_app_options, 5, is_stateful, 0),
    MAP(create_app_options, 6, envs, WIRE_STRING, WIRE_STRING, 0),
    FIELD(create_app_options, 7, atomic_idempotent, DFLT | WIRE_HP),
};
SCHEMA(create_app_options, "create_app_options");

static const struct wire_field create_app_request_fields[] = {
    FIELD(create_app_request, 1, app_name, 0),
    STRUCT(create_app_request, 2, options, create_app_options, 0),
};
SCHEMA(create_app_request, "create_app_request");

static const struct wire_field create_app_response_fields[] = {
    ERROR(create_app_response, 1, err),
    FIELD(create_app_response, 2, appid, 0),
};
SCHEMA(create_app_response, "create_app_response");

static const struct wire_field drop_app_options_fields[] = {
    FIELD(drop_app_options, 1, success_if_not_exist, 0),
    FIELD(drop_app_options, 2, reserve_seconds, OPT),
};
SCHEMA(drop_app_options, "drop_app_options");

static const struct wire_field drop_app_request_fields[] = {
    FIELD(drop_app_request, 1, app_name, 0),
    STRUCT(drop_app_request, 2, options, drop_app_options, 0),
};
SCHEMA(drop_app_request, "drop_app_request");

static const struct wire_field error_response_fields[] = {
    ERROR(error_response, 1, err),
};
SCHEMA(error_response, "error_response");

static const struct wire_field hint_response_fields[] = {
    ERROR(hint_response, 1, err),
    FIELD(hint_response, 2, hint_message, 0),
};
SCHEMA(hint_response, "hint_response");

static const struct wire_field recall_app_request_fields[] = {
    FIELD(recall_app_request, 1, app_id, 0),
    FIELD(recall_app_request, 2, new_app_name, 0),
};
SCHEMA(recall_app_request, "recall_app_request");

static const struct wire_field recall_app_response_fields[] = {
    ERROR(recall_app_response, 1, err),
    STRUCT(recall_app_response, 2, info, app_info, 0),
};
SCHEMA(recall_app_response, "recall_app_response");

static const struct wire_field rename_app_request_fields[] = {
    FIELD(rename_app_request, 1, old_app_name, 0),
    FIELD(rename_app_request, 2, new_app_name, 0),
};
SCHEMA(rename_app_request, "rename_app_request");

static const struct wire_field list_nodes_request_fields[] = {
    FIELD(list_nodes_request, 1, status, 0),
};
SCHEMA(list_nodes_request, "list_nodes_request");

static const struct wire_field node_info_fields[] = {
    FIELD(node_info, 1, status, 0),
    FIELD(node_info, 2, node, 0),
    FIELD(node_info, 3, hp_node, HP),
};
SCHEMA(node_info, "node_info");

static const struct wire_field list_nodes_response_fields[] = {
    ERROR(list_nodes_response, 1, err),
    ROWS(list_nodes_response, 2, infos, node_info, 0),
};
SCHEMA(list_nodes_response, "list_nodes_response");

/* One row that does not count: a table is never NULL. */
static const struct wire_field empty_request_fields[1];
const struct wire_schema wire_empty_request = {
    .name = "empty_request",
    .fields = empty_request_fields,
    .size = sizeof(struct msg_empty_request),
    .has_present = true,
};

static const struct wire_field cluster_info_response_fields[] = {
    ERROR(cluster_info_response, 1, err),
    LIST(cluster_info_response, 2, keys, WIRE_STRING, 0),
    LIST(cluster_info_response, 3, values, WIRE_STRING, 0),
};
SCHEMA(cluster_info_response, "cluster_info_response");

static const struct wire_field control_meta_request_fields[] = {
    FIELD(control_meta_request, 1, level, 0),
};
SCHEMA(control_meta_request, "control_meta_request");

static const struct wire_field control_meta_response_fields[] = {
    ERROR(control_meta_response, 1, err),
    FIELD(control_meta_response, 2, old_level, 0),
};
SCHEMA(control_meta_response, "control_meta_response");

static const struct wire_field configuration_proposal_action_fields[] = {
    FIELD(configuration_proposal_action, 1, target, 0),
    FIELD(configuration_proposal_action, 2, node, 0),
    FIELD(configuration_proposal_action, 3, type, 0),
    FIELD(configuration_proposal_action, 5, hp_target, HP),
    FIELD(configuration_proposal_action, 6, hp_node, HP),
};
SCHEMA(configuration_proposal_action, "configuration_proposal_action");

static const struct wire_field configuration_balancer_request_fields[] = {
    FIELD(configuration_balancer_request, 1, gpid, 0),
    ROWS(configuration_balancer_request, 2, action_list, configuration_proposal_action, 0),
    FIELD(configuration_balancer_request, 3, force, DFLT),
    FIELD(configuration_balancer_request, 4, balance_type, OPT),
};
SCHEMA(configuration_balancer_request, "configuration_balancer_request");

static const struct wire_field update_app_env_request_fields[] = {
    FIELD(update_app_env_request, 1, app_name, 0),
    FIELD(update_app_env_request, 2, op, 0),
    LIST(update_app_env_request, 3, keys, WIRE_STRING, OPT),
    LIST(update_app_env_request, 4, values, WIRE_STRING, OPT),
    FIELD(update_app_env_request, 5, clear_prefix, OPT),
};
SCHEMA(update_app_env_request, "update_app_env_request");

static const struct wire_field ddd_diagnose_request_fields[] = {
    FIELD(ddd_diagnose_request, 1, pid, 0),
};
SCHEMA(ddd_diagnose_request, "ddd_diagnose_request");

static const struct wire_field ddd_node_info_fields[] = {
    FIELD(ddd_node_info, 1, node, 0),
    FIELD(ddd_node_info, 2, drop_time_ms, 0),
    FIELD(ddd_node_info, 3, is_alive, 0),
    FIELD(ddd_node_info, 4, is_collected, 0),
    FIELD(ddd_node_info, 5, ballot, 0),
    FIELD(ddd_node_info, 6, last_committed_decree, 0),
    FIELD(ddd_node_info, 7, last_prepared_decree, 0),
    FIELD(ddd_node_info, 8, hp_node, HP),
};
SCHEMA(ddd_node_info, "ddd_node_info");

static const struct wire_field ddd_partition_info_fields[] = {
    STRUCT(ddd_partition_info, 1, config, partition_configuration, 0),
    ROWS(ddd_partition_info, 2, dropped, ddd_node_info, 0),
    FIELD(ddd_partition_info, 3, reason, 0),
};
SCHEMA(ddd_partition_info, "ddd_partition_info");

static const struct wire_field ddd_diagnose_response_fields[] = {
    ERROR(ddd_diagnose_response, 1, err),
    ROWS(ddd_diagnose_response, 2, partitions, ddd_partition_info, 0),
};
SCHEMA(ddd_diagnose_response, "ddd_diagnose_response");

static const struct wire_field app_name_request_fields[] = {
    FIELD(app_name_request, 1, app_name, 0),
};
SCHEMA(app_name_request, "app_name_request");

static const struct wire_field get_max_replica_count_response_fields[] = {
    ERROR(get_max_replica_count_response, 1, err),
    FIELD(get_max_replica_count_response, 2, max_replica_count, 0),
    FIELD(get_max_replica_count_response, 3, hint_message, 0),
};
SCHEMA(get_max_replica_count_response, "get_max_replica_count_response");

static const struct wire_field set_max_replica_count_request_fields[] = {
    FIELD(set_max_replica_count_request, 1, app_name, 0),
    FIELD(set_max_replica_count_request, 2, max_replica_count, 0),
};
SCHEMA(set_max_replica_count_request, "set_max_replica_count_request");

static const struct wire_field set_max_replica_count_response_fields[] = {
    ERROR(set_max_replica_count_response, 1, err),
    FIELD(set_max_replica_count_response, 2, old_max_replica_count, 0),
    FIELD(set_max_replica_count_response, 3, hint_message, 0),
};
SCHEMA(set_max_replica_count_response, "set_max_replica_count_response");

static const struct wire_field get_atomic_idempotent_response_fields[] = {
    ERROR(get_atomic_idempotent_response, 1, err),
    FIELD(get_atomic_idempotent_response, 2, atomic_idempotent, 0),
    FIELD(get_atomic_idempotent_response, 3, hint_message, 0),
};
SCHEMA(get_atomic_idempotent_response, "get_atomic_idempotent_response");

static const struct wire_field set_atomic_idempotent_request_fields[] = {
    FIELD(set_atomic_idempotent_request, 1, app_name, 0),
    FIELD(set_atomic_idempotent_request, 2, atomic_idempotent, 0),
};
SCHEMA(set_atomic_idempotent_request, "set_atomic_idempotent_request");

static const struct wire_field set_atomic_idempotent_response_fields[] = {
    ERROR(set_atomic_idempotent_response, 1, err),
    FIELD(set_atomic_idempotent_response, 2, old_atomic_idempotent, 0),
    FIELD(set_atomic_idempotent_response, 3, hint_message, 0),
};
SCHEMA(set_atomic_idempotent_response, "set_atomic_idempotent_response");

static const struct wire_field start_manual_compact_request_fields[] = {
    FIELD(start_manual_compact_request, 1, app_name, 0),
    FIELD(start_manual_compact_request, 2, trigger_time, OPT),
    FIELD(start_manual_compact_request, 3, target_level, OPT),
    FIELD(start_manual_compact_request, 4, bottommost, OPT),
    FIELD(start_manual_compact_request, 5, max_running_count, OPT),
};
SCHEMA(start_manual_compact_request, "start_manual_compact_request");

static const struct wire_field query_manual_compact_response_fields[] = {
    ERROR(query_manual_compact_response, 1, err),
    FIELD(query_manual_compact_response, 2, hint_msg, 0),
    FIELD(query_manual_compact_response, 3, progress, OPT),
};
SCHEMA(query_manual_compact_response, "query_manual_compact_response");
