/* message -- tables of the shared structs, of recovery, routing, the failure detector and of what
 * meta and replica servers say to each other (idl/dsn.layer2.thrift, idl/metadata.thrift,
 * idl/meta_admin.thrift, src/failure_detector/fd.thrift). message.h has the meaning of each.
 */
#include "host/rdsn/message.h"
#include "host/rdsn/message_table.h"

static const struct wire_field partition_configuration_fields[] = {
    FIELD(partition_configuration, 1, pid, 0),
    FIELD(partition_configuration, 2, ballot, 0),
    FIELD(partition_configuration, 3, max_replica_count, 0),
    FIELD(partition_configuration, 4, primary, 0),
    LIST(partition_configuration, 5, secondaries, WIRE_ADDRESS, 0),
    LIST(partition_configuration, 6, last_drops, WIRE_ADDRESS, 0),
    FIELD(partition_configuration, 7, last_committed_decree, 0),
    FIELD(partition_configuration, 8, partition_flags, 0),
    FIELD(partition_configuration, 9, hp_primary, HP),
    LIST(partition_configuration, 10, hp_secondaries, WIRE_HOST_PORT, HP),
    LIST(partition_configuration, 11, hp_last_drops, WIRE_HOST_PORT, HP),
};
SCHEMA(partition_configuration, "partition_configuration");

static const struct wire_field app_info_fields[] = {
    FIELD(app_info, 1, status, 0),
    FIELD(app_info, 2, app_type, 0),
    FIELD(app_info, 3, app_name, 0),
    FIELD(app_info, 4, app_id, 0),
    FIELD(app_info, 5, partition_count, 0),
    MAP(app_info, 6, envs, WIRE_STRING, WIRE_STRING, 0),
    FIELD(app_info, 7, is_stateful, 0),
    FIELD(app_info, 8, max_replica_count, 0),
    FIELD(app_info, 9, expire_second, 0),
    FIELD(app_info, 10, create_second, 0),
    FIELD(app_info, 11, drop_second, 0),
    FIELD(app_info, 12, duplicating, DFLT),
    FIELD(app_info, 13, init_partition_count, 0),
    FIELD(app_info, 14, is_bulk_loading, DFLT),
    FIELD(app_info, 15, atomic_idempotent, DFLT | WIRE_HP),
};
SCHEMA(app_info, "app_info");

static const struct wire_field replica_info_fields[] = {
    FIELD(replica_info, 1, pid, 0),
    FIELD(replica_info, 2, ballot, 0),
    FIELD(replica_info, 3, status, 0),
    FIELD(replica_info, 4, last_committed_decree, 0),
    FIELD(replica_info, 5, last_prepared_decree, 0),
    FIELD(replica_info, 6, last_durable_decree, 0),
    FIELD(replica_info, 7, app_type, 0),
    FIELD(replica_info, 8, disk_tag, 0),
    FIELD(replica_info, 9, manual_compact_status, OPT),
};
SCHEMA(replica_info, "replica_info");

static const struct wire_field replica_configuration_fields[] = {
    FIELD(replica_configuration, 1, pid, 0),
    FIELD(replica_configuration, 2, ballot, 0),
    FIELD(replica_configuration, 3, primary, 0),
    FIELD(replica_configuration, 4, status, 0),
    FIELD(replica_configuration, 5, learner_signature, 0),
    FIELD(replica_configuration, 6, pop_all, DFLT),
    FIELD(replica_configuration, 7, split_sync_to_child, DFLT),
    FIELD(replica_configuration, 8, hp_primary, HP),
};
SCHEMA(replica_configuration, "replica_configuration");

static const struct wire_field configuration_recovery_request_fields[] = {
    LIST(configuration_recovery_request, 1, recovery_nodes, WIRE_ADDRESS, 0),
    FIELD(configuration_recovery_request, 2, skip_bad_nodes, 0),
    FIELD(configuration_recovery_request, 3, skip_lost_partitions, 0),
    LIST(configuration_recovery_request, 4, hp_recovery_nodes, WIRE_HOST_PORT, HP),
};
SCHEMA(configuration_recovery_request, "configuration_recovery_request");

static const struct wire_field configuration_recovery_response_fields[] = {
    ERROR(configuration_recovery_response, 1, err),
    FIELD(configuration_recovery_response, 2, hint_message, 0),
};
SCHEMA(configuration_recovery_response, "configuration_recovery_response");

static const struct wire_field query_app_info_request_fields[] = {
    FIELD(query_app_info_request, 1, meta_server, 0),
    FIELD(query_app_info_request, 2, hp_meta_server, HP),
};
SCHEMA(query_app_info_request, "query_app_info_request");

static const struct wire_field query_app_info_response_fields[] = {
    ERROR(query_app_info_response, 1, err),
    ROWS(query_app_info_response, 2, apps, app_info, 0),
};
SCHEMA(query_app_info_response, "query_app_info_response");

static const struct wire_field query_replica_info_request_fields[] = {
    FIELD(query_replica_info_request, 1, node1, 0),
    FIELD(query_replica_info_request, 2, hp_node1, HP),
};
SCHEMA(query_replica_info_request, "query_replica_info_request");

static const struct wire_field query_replica_info_response_fields[] = {
    ERROR(query_replica_info_response, 1, err),
    ROWS(query_replica_info_response, 2, replicas, replica_info, 0),
};
SCHEMA(query_replica_info_response, "query_replica_info_response");

static const struct wire_field query_pn_decree_request_fields[] = {
    FIELD(query_pn_decree_request, 1, pid, 0),
    FIELD(query_pn_decree_request, 2, node1, 0),
    FIELD(query_pn_decree_request, 3, hp_node1, HP),
};
SCHEMA(query_pn_decree_request, "query_pn_decree_request");

static const struct wire_field query_pn_decree_response_fields[] = {
    ERROR(query_pn_decree_response, 1, err),
    FIELD(query_pn_decree_response, 2, last_decree, 0),
};
SCHEMA(query_pn_decree_response, "query_pn_decree_response");

static const struct wire_field query_cfg_request_fields[] = {
    FIELD(query_cfg_request, 1, app_name, 0),
    LIST(query_cfg_request, 2, partition_indices, WIRE_I32, 0),
};
SCHEMA(query_cfg_request, "query_cfg_request");

static const struct wire_field query_cfg_response_fields[] = {
    ERROR(query_cfg_response, 1, err),
    FIELD(query_cfg_response, 2, app_id, 0),
    FIELD(query_cfg_response, 3, partition_count, 0),
    FIELD(query_cfg_response, 4, is_stateful, 0),
    ROWS(query_cfg_response, 5, partitions, partition_configuration, 0),
};
SCHEMA(query_cfg_response, "query_cfg_response");

static const struct wire_field beacon_msg_fields[] = {
    FIELD(beacon_msg, 1, time, 0),          FIELD(beacon_msg, 2, from_node, 0),
    FIELD(beacon_msg, 3, to_node, 0),       FIELD(beacon_msg, 4, start_time, OPT),
    FIELD(beacon_msg, 5, hp_from_node, HP), FIELD(beacon_msg, 6, hp_to_node, HP),
};
SCHEMA(beacon_msg, "beacon_msg");

static const struct wire_field beacon_ack_fields[] = {
    FIELD(beacon_ack, 1, time, 0),
    FIELD(beacon_ack, 2, this_node, 0),
    FIELD(beacon_ack, 3, primary_node, 0),
    FIELD(beacon_ack, 4, is_master, 0),
    FIELD(beacon_ack, 5, allowed, 0),
    FIELD(beacon_ack, 6, hp_this_node, HP),
    FIELD(beacon_ack, 7, hp_primary_node, HP),
};
SCHEMA(beacon_ack, "beacon_ack");

static const struct wire_field replica_server_info_fields[] = {
    MAP(replica_server_info, 1, geo_tags, WIRE_STRING, WIRE_STRING, 0),
    FIELD(replica_server_info, 2, total_capacity_mb, 0),
};
SCHEMA(replica_server_info, "replica_server_info");

static const struct wire_field configuration_query_by_node_request_fields[] = {
    FIELD(configuration_query_by_node_request, 1, node, 0),
    ROWS(configuration_query_by_node_request, 2, stored_replicas, replica_info, OPT),
    STRUCT(configuration_query_by_node_request, 3, info, replica_server_info, OPT),
    FIELD(configuration_query_by_node_request, 4, hp_node, HP),
};
SCHEMA(configuration_query_by_node_request, "configuration_query_by_node_request");

static const struct wire_field configuration_update_request_fields[] = {
    STRUCT(configuration_update_request, 1, info, app_info, 0),
    STRUCT(configuration_update_request, 2, config, partition_configuration, 0),
    FIELD(configuration_update_request, 3, type, 0),
    FIELD(configuration_update_request, 4, node, 0),
    FIELD(configuration_update_request, 5, host_node, 0),
    FIELD(configuration_update_request, 6, meta_split_status, OPT),
    FIELD(configuration_update_request, 7, hp_node, HP),
};
SCHEMA(configuration_update_request, "configuration_update_request");

static const struct wire_field configuration_query_by_node_response_fields[] = {
    ERROR(configuration_query_by_node_response, 1, err),
    ROWS(configuration_query_by_node_response, 2, partitions, configuration_update_request, 0),
    ROWS(configuration_query_by_node_response, 3, gc_replicas, replica_info, OPT),
};
SCHEMA(configuration_query_by_node_response, "configuration_query_by_node_response");

static const struct wire_field configuration_update_response_fields[] = {
    ERROR(configuration_update_response, 1, err),
    STRUCT(configuration_update_response, 2, config, partition_configuration, 0),
};
SCHEMA(configuration_update_response, "configuration_update_response");

static const struct wire_field duplication_sync_request_fields[] = {
    FIELD(duplication_sync_request, 1, node, 0),
    MAP(duplication_sync_request, 2, confirm_list, WIRE_GPID, WIRE_LIST, 0),
    FIELD(duplication_sync_request, 3, hp_node, HP),
};
SCHEMA(duplication_sync_request, "duplication_sync_request");

static const struct wire_field duplication_sync_response_fields[] = {
    ERROR(duplication_sync_response, 1, err),
    MAP(duplication_sync_response, 2, dup_map, WIRE_I32, WIRE_MAP, 0),
};
SCHEMA(duplication_sync_response, "duplication_sync_response");

static const struct wire_field group_check_request_fields[] = {
    STRUCT(group_check_request, 1, app, app_info, 0),
    FIELD(group_check_request, 2, node, 0),
    STRUCT(group_check_request, 3, config, replica_configuration, 0),
    FIELD(group_check_request, 4, last_committed_decree, 0),
    FIELD(group_check_request, 5, confirmed_decree, OPT),
    FIELD(group_check_request, 6, child_gpid, OPT),
    FIELD(group_check_request, 7, meta_split_status, OPT),
    FIELD(group_check_request, 8, hp_node, HP),
};
SCHEMA(group_check_request, "group_check_request");

static const struct wire_field group_check_response_fields[] = {
    FIELD(group_check_response, 1, pid, 0),
    ERROR(group_check_response, 2, err),
    FIELD(group_check_response, 3, last_committed_decree_in_app, 0),
    FIELD(group_check_response, 4, last_committed_decree_in_prepare_list, 0),
    FIELD(group_check_response, 5, learner_status_, 0),
    FIELD(group_check_response, 6, learner_signature, 0),
    FIELD(group_check_response, 7, node, 0),
    FIELD(group_check_response, 8, is_split_stopped, OPT),
    FIELD(group_check_response, 9, disk_status, DFLT),
    FIELD(group_check_response, 10, hp_node, HP),
};
SCHEMA(group_check_response, "group_check_response");

static const struct wire_field command_fields[] = {
    FIELD(command, 1, cmd, 0),
    LIST(command, 2, arguments, WIRE_STRING, 0),
};
SCHEMA(command, "command");

static const struct wire_field negotiation_fields[] = {
    FIELD(negotiation, 1, status, 0),
    FIELD(negotiation, 2, msg, 0),
};
SCHEMA(negotiation, "negotiation");
