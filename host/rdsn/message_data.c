/* message_data -- tables of message_data.h. */
#include "host/rdsn/message_data.h"
#include "host/rdsn/message_table.h"

static const struct wire_field rrdb_update_request_fields[] = {
    FIELD(rrdb_update_request, 1, key, 0),
    FIELD(rrdb_update_request, 2, value, 0),
    FIELD(rrdb_update_request, 3, expire_ts_seconds, 0),
};
SCHEMA(rrdb_update_request, "rrdb_update_request");

static const struct wire_field rrdb_update_response_fields[] = {
    FIELD(rrdb_update_response, 1, error, 0),           FIELD(rrdb_update_response, 2, app_id, 0),
    FIELD(rrdb_update_response, 3, partition_index, 0), FIELD(rrdb_update_response, 4, decree, 0),
    FIELD(rrdb_update_response, 5, server, 0),
};
SCHEMA(rrdb_update_response, "rrdb_update_response");

static const struct wire_field rrdb_read_response_fields[] = {
    FIELD(rrdb_read_response, 1, error, 0),  FIELD(rrdb_read_response, 2, value, 0),
    FIELD(rrdb_read_response, 3, app_id, 0), FIELD(rrdb_read_response, 4, partition_index, 0),
    FIELD(rrdb_read_response, 6, server, 0),
};
SCHEMA(rrdb_read_response, "rrdb_read_response");

static const struct wire_field rrdb_key_value_fields[] = {
    FIELD(rrdb_key_value, 1, key, 0),
    FIELD(rrdb_key_value, 2, value, 0),
    FIELD(rrdb_key_value, 3, expire_ts_seconds, OPT),
};
SCHEMA(rrdb_key_value, "rrdb_key_value");

static const struct wire_field rrdb_multi_get_request_fields[] = {
    FIELD(rrdb_multi_get_request, 1, hash_key, 0),
    LIST(rrdb_multi_get_request, 2, sort_keys, WIRE_BLOB, 0),
    FIELD(rrdb_multi_get_request, 3, max_kv_count, 0),
    FIELD(rrdb_multi_get_request, 4, max_kv_size, 0),
    FIELD(rrdb_multi_get_request, 5, no_value, 0),
    FIELD(rrdb_multi_get_request, 6, start_sortkey, 0),
    FIELD(rrdb_multi_get_request, 7, stop_sortkey, 0),
    FIELD(rrdb_multi_get_request, 8, start_inclusive, 0),
    FIELD(rrdb_multi_get_request, 9, stop_inclusive, 0),
    FIELD(rrdb_multi_get_request, 10, sort_key_filter_type, 0),
    FIELD(rrdb_multi_get_request, 11, sort_key_filter_pattern, 0),
    FIELD(rrdb_multi_get_request, 12, reverse, 0),
};
SCHEMA(rrdb_multi_get_request, "rrdb_multi_get_request");

static const struct wire_field rrdb_multi_get_response_fields[] = {
    FIELD(rrdb_multi_get_response, 1, error, 0),
    ROWS(rrdb_multi_get_response, 2, kvs, rrdb_key_value, 0),
    FIELD(rrdb_multi_get_response, 3, app_id, 0),
    FIELD(rrdb_multi_get_response, 4, partition_index, 0),
    FIELD(rrdb_multi_get_response, 6, server, 0),
};
SCHEMA(rrdb_multi_get_response, "rrdb_multi_get_response");

static const struct wire_field prepare_ack_fields[] = {
    FIELD(prepare_ack, 1, pid, 0),
    ERROR(prepare_ack, 2, err),
    FIELD(prepare_ack, 3, ballot, 0),
    FIELD(prepare_ack, 4, decree, 0),
    FIELD(prepare_ack, 5, last_committed_decree_in_app, 0),
    FIELD(prepare_ack, 6, last_committed_decree_in_prepare_list, 0),
    FIELD(prepare_ack, 7, receive_timestamp, OPT),
    FIELD(prepare_ack, 8, response_timestamp, OPT),
};
SCHEMA(prepare_ack, "prepare_ack");

static const struct wire_field rrdb_incr_request_fields[] = {
    FIELD(rrdb_incr_request, 1, key, 0),
    FIELD(rrdb_incr_request, 2, increment, 0),
    FIELD(rrdb_incr_request, 3, expire_ts_seconds, 0),
};
SCHEMA(rrdb_incr_request, "rrdb_incr_request");

static const struct wire_field rrdb_number_response_fields[] = {
    FIELD(rrdb_number_response, 1, error, 0),  FIELD(rrdb_number_response, 2, number, 0),
    FIELD(rrdb_number_response, 3, app_id, 0), FIELD(rrdb_number_response, 4, partition_index, 0),
    FIELD(rrdb_number_response, 5, decree, 0), FIELD(rrdb_number_response, 6, server, 0),
};
SCHEMA(rrdb_number_response, "rrdb_number_response");

static const struct wire_field rrdb_count_response_fields[] = {
    FIELD(rrdb_count_response, 1, error, 0),  FIELD(rrdb_count_response, 2, count, 0),
    FIELD(rrdb_count_response, 3, app_id, 0), FIELD(rrdb_count_response, 4, partition_index, 0),
    FIELD(rrdb_count_response, 6, server, 0),
};
SCHEMA(rrdb_count_response, "rrdb_count_response");

static const struct wire_field rrdb_ttl_response_fields[] = {
    FIELD(rrdb_ttl_response, 1, error, 0),  FIELD(rrdb_ttl_response, 2, ttl_seconds, 0),
    FIELD(rrdb_ttl_response, 3, app_id, 0), FIELD(rrdb_ttl_response, 4, partition_index, 0),
    FIELD(rrdb_ttl_response, 6, server, 0),
};
SCHEMA(rrdb_ttl_response, "rrdb_ttl_response");

static const struct wire_field rrdb_check_response_fields[] = {
    FIELD(rrdb_check_response, 1, error, 0),
    FIELD(rrdb_check_response, 2, check_value_returned, 0),
    FIELD(rrdb_check_response, 3, check_value_exist, 0),
    FIELD(rrdb_check_response, 4, check_value, 0),
    FIELD(rrdb_check_response, 5, app_id, 0),
    FIELD(rrdb_check_response, 6, partition_index, 0),
    FIELD(rrdb_check_response, 7, decree, 0),
    FIELD(rrdb_check_response, 8, server, 0),
};
SCHEMA(rrdb_check_response, "rrdb_check_response");

static const struct wire_field rrdb_scan_response_fields[] = {
    FIELD(rrdb_scan_response, 1, error, 0),
    ROWS(rrdb_scan_response, 2, kvs, rrdb_key_value, 0),
    FIELD(rrdb_scan_response, 3, context_id, 0),
    FIELD(rrdb_scan_response, 4, app_id, 0),
    FIELD(rrdb_scan_response, 5, partition_index, 0),
    FIELD(rrdb_scan_response, 6, server, 0),
    FIELD(rrdb_scan_response, 7, kv_count, OPT),
};
SCHEMA(rrdb_scan_response, "rrdb_scan_response");

static const struct wire_field rrdb_multi_put_request_fields[] = {
    FIELD(rrdb_multi_put_request, 1, hash_key, 0),
    ROWS(rrdb_multi_put_request, 2, kvs, rrdb_key_value, 0),
    FIELD(rrdb_multi_put_request, 3, expire_ts_seconds, 0),
};
SCHEMA(rrdb_multi_put_request, "rrdb_multi_put_request");

static const struct wire_field rrdb_multi_remove_request_fields[] = {
    FIELD(rrdb_multi_remove_request, 1, hash_key, 0),
    LIST(rrdb_multi_remove_request, 2, sort_keys, WIRE_BLOB, 0),
    FIELD(rrdb_multi_remove_request, 3, max_count, 0),
};
SCHEMA(rrdb_multi_remove_request, "rrdb_multi_remove_request");

static const struct wire_field rrdb_full_key_fields[] = {
    FIELD(rrdb_full_key, 1, hash_key, 0),
    FIELD(rrdb_full_key, 2, sort_key, 0),
};
SCHEMA(rrdb_full_key, "rrdb_full_key");

static const struct wire_field rrdb_batch_get_request_fields[] = {
    ROWS(rrdb_batch_get_request, 1, keys, rrdb_full_key, 0),
};
SCHEMA(rrdb_batch_get_request, "rrdb_batch_get_request");

static const struct wire_field rrdb_full_data_fields[] = {
    FIELD(rrdb_full_data, 1, hash_key, 0),
    FIELD(rrdb_full_data, 2, sort_key, 0),
    FIELD(rrdb_full_data, 3, value, 0),
};
SCHEMA(rrdb_full_data, "rrdb_full_data");

static const struct wire_field rrdb_batch_get_response_fields[] = {
    FIELD(rrdb_batch_get_response, 1, error, 0),
    ROWS(rrdb_batch_get_response, 2, data, rrdb_full_data, 0),
    FIELD(rrdb_batch_get_response, 3, app_id, 0),
    FIELD(rrdb_batch_get_response, 4, partition_index, 0),
    FIELD(rrdb_batch_get_response, 6, server, 0),
};
SCHEMA(rrdb_batch_get_response, "rrdb_batch_get_response");

static const struct wire_field rrdb_check_and_set_request_fields[] = {
    FIELD(rrdb_check_and_set_request, 1, hash_key, 0),
    FIELD(rrdb_check_and_set_request, 2, check_sort_key, 0),
    FIELD(rrdb_check_and_set_request, 3, check_type, 0),
    FIELD(rrdb_check_and_set_request, 4, check_operand, 0),
    FIELD(rrdb_check_and_set_request, 5, set_diff_sort_key, 0),
    FIELD(rrdb_check_and_set_request, 6, set_sort_key, 0),
    FIELD(rrdb_check_and_set_request, 7, set_value, 0),
    FIELD(rrdb_check_and_set_request, 8, set_expire_ts_seconds, 0),
    FIELD(rrdb_check_and_set_request, 9, return_check_value, 0),
};
SCHEMA(rrdb_check_and_set_request, "rrdb_check_and_set_request");

static const struct wire_field rrdb_mutate_fields[] = {
    FIELD(rrdb_mutate, 1, operation, 0),
    FIELD(rrdb_mutate, 2, sort_key, 0),
    FIELD(rrdb_mutate, 3, value, 0),
    FIELD(rrdb_mutate, 4, set_expire_ts_seconds, 0),
};
SCHEMA(rrdb_mutate, "rrdb_mutate");

static const struct wire_field rrdb_check_and_mutate_request_fields[] = {
    FIELD(rrdb_check_and_mutate_request, 1, hash_key, 0),
    FIELD(rrdb_check_and_mutate_request, 2, check_sort_key, 0),
    FIELD(rrdb_check_and_mutate_request, 3, check_type, 0),
    FIELD(rrdb_check_and_mutate_request, 4, check_operand, 0),
    ROWS(rrdb_check_and_mutate_request, 5, mutate_list, rrdb_mutate, 0),
    FIELD(rrdb_check_and_mutate_request, 6, return_check_value, 0),
};
SCHEMA(rrdb_check_and_mutate_request, "rrdb_check_and_mutate_request");

static const struct wire_field rrdb_get_scanner_request_fields[] = {
    FIELD(rrdb_get_scanner_request, 1, start_key, 0),
    FIELD(rrdb_get_scanner_request, 2, stop_key, 0),
    FIELD(rrdb_get_scanner_request, 3, start_inclusive, 0),
    FIELD(rrdb_get_scanner_request, 4, stop_inclusive, 0),
    FIELD(rrdb_get_scanner_request, 5, batch_size, 0),
    FIELD(rrdb_get_scanner_request, 6, no_value, 0),
    FIELD(rrdb_get_scanner_request, 7, hash_key_filter_type, 0),
    FIELD(rrdb_get_scanner_request, 8, hash_key_filter_pattern, 0),
    FIELD(rrdb_get_scanner_request, 9, sort_key_filter_type, 0),
    FIELD(rrdb_get_scanner_request, 10, sort_key_filter_pattern, 0),
    FIELD(rrdb_get_scanner_request, 11, validate_partition_hash, OPT),
    FIELD(rrdb_get_scanner_request, 12, return_expire_ts, OPT),
    FIELD(rrdb_get_scanner_request, 13, full_scan, OPT),
    FIELD(rrdb_get_scanner_request, 14, only_return_count, OPT),
};
SCHEMA(rrdb_get_scanner_request, "rrdb_get_scanner_request");

static const struct wire_field rrdb_scan_request_fields[] = {
    FIELD(rrdb_scan_request, 1, context_id, 0),
};
SCHEMA(rrdb_scan_request, "rrdb_scan_request");
