/* info -- see info.h.  An array of key, value, key, value and an array of pairs are the same
 * memory, so that environments cross without a copy.
 */
#include "host/rdsn/info.h"

#include <assert.h>

static_assert(sizeof(struct wire_pair) == 2 * sizeof(const char *), "pairs are two pointers");

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
