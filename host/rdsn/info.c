/* info -- see info.h.  An array of key, value, key, value and an array of pairs are the same
 * memory, so that environments cross without a copy.
 */
#include "host/rdsn/info.h"

#include <assert.h>

static_assert(sizeof(struct wire_pair) == 2 * sizeof(const char *), "pairs are two pointers");

#define INFO_NUMBER(text, id_, kind_, member)                                                      \
    {                                                                                              \
        .name = (text), .id = (id_), .kind = (kind_), .flags = WIRE_DEFAULTED,                     \
        .fallback = INFO_ABSENT, .offset = offsetof(struct br_replica, member)                     \
    }

/* replica_info, laid over the row of the boundary; 9 manual_compact_status is left out. */
static const struct wire_field info_replica_fields[] = {
    { "pid", 1, WIRE_GPID, .offset = offsetof(struct br_replica, table) },
    INFO_NUMBER("ballot", 2, WIRE_I64, ballot),
    INFO_NUMBER("status", 3, WIRE_I32, role),
    INFO_NUMBER("last_committed_decree", 4, WIRE_I64, committed),
    INFO_NUMBER("last_prepared_decree", 5, WIRE_I64, prepared),
    INFO_NUMBER("last_durable_decree", 6, WIRE_I64, durable),
    { "app_type", 7, WIRE_STRING, .offset = offsetof(struct br_replica, type) },
    { "disk_tag", 8, WIRE_STRING, .offset = offsetof(struct br_replica, disk) },
};
static_assert(offsetof(struct br_replica, partition) == offsetof(struct br_replica, table) + 4,
              "a gpid lies over table and partition");

static const struct wire_schema info_replica_schema = {
    .name = "replica_info",
    .fields = info_replica_fields,
    .count = sizeof info_replica_fields / sizeof *info_replica_fields,
    .size = sizeof(struct br_replica),
};

static const struct wire_field info_rows_fields[] = {
    { "err", 1, WIRE_ERROR, .offset = offsetof(struct msg_query_replica_info_response, err) },
    { "replicas", 2, WIRE_LIST, .element = WIRE_STRUCT,
      .offset = offsetof(struct msg_query_replica_info_response, replicas),
      .schema = &info_replica_schema },
};

const struct wire_schema wire_replica_rows = {
    .name = "query_replica_info_response",
    .fields = info_rows_fields,
    .count = sizeof info_rows_fields / sizeof *info_rows_fields,
    .size = sizeof(struct msg_query_replica_info_response),
    .has_present = true,
};

void info_from_table(const struct br_table *table, struct msg_app_info *ret_info)
{
    wire_init(&wire_app_info, ret_info);
    ret_info->status = table->status;
    ret_info->app_type = table->type;
    ret_info->app_name = table->name;
    ret_info->app_id = table->id;
    ret_info->partition_count = table->partition_count;
    ret_info->envs =
        (struct wire_list){ .items = (void *) (uintptr_t) table->envs, .count = table->env_count };
    ret_info->is_stateful = (table->flags & BR_TABLE_STATEFUL) != 0;
    ret_info->max_replica_count = table->replica_count;
    ret_info->expire_second = table->expire_second;
    ret_info->create_second = table->create_second;
    ret_info->drop_second = table->drop_second;
    ret_info->duplicating = (table->flags & BR_TABLE_DUPLICATING) != 0;
    ret_info->init_partition_count = table->init_partition_count;
    ret_info->is_bulk_loading = (table->flags & BR_TABLE_BULK_LOADING) != 0;
    ret_info->atomic_idempotent = (table->flags & BR_TABLE_ATOMIC_IDEMPOTENT) != 0;
}

static uint32_t info_flag(bool on, uint32_t flag)
{
    return on ? flag : 0;
}

void info_to_table(const struct msg_app_info *info, struct br_table *ret_table)
{
    *ret_table = (struct br_table){
        .node = -1,
        .id = info->app_id,
        .status = info->status,
        .partition_count = info->partition_count,
        .replica_count = info->max_replica_count,
        .init_partition_count = info->init_partition_count,
        .flags = info_flag(info->is_stateful, BR_TABLE_STATEFUL)
                 | info_flag(info->duplicating, BR_TABLE_DUPLICATING)
                 | info_flag(info->is_bulk_loading, BR_TABLE_BULK_LOADING)
                 | info_flag(info->atomic_idempotent, BR_TABLE_ATOMIC_IDEMPOTENT),
        .env_count = info->envs.count,
        .expire_second = info->expire_second,
        .create_second = info->create_second,
        .drop_second = info->drop_second,
        .name = info->app_name,
        .type = info->app_type,
        .envs = (const char *const *) info->envs.items,
    };
}
