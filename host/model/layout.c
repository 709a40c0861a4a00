/* layout -- see layout.h: paths and the writing of records.  Written by hand with buf, not with
 * jansson: the order of the keys is the format, and a million records are made twice.
 */
#include "host/model/layout.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/model/layout_text.h"

const char *const layout_status_text[LAYOUT_STATUS_COUNT] = {
    [BR_TABLE_INVALID] = "app_status::AS_INVALID",
    [BR_TABLE_AVAILABLE] = "app_status::AS_AVAILABLE",
    [BR_TABLE_CREATING] = "app_status::AS_CREATING",
    [BR_TABLE_CREATE_FAILED] = "app_status::AS_CREATE_FAILED",
    [BR_TABLE_DROPPING] = "app_status::AS_DROPPING",
    [BR_TABLE_DROP_FAILED] = "app_status::AS_DROP_FAILED",
    [BR_TABLE_DROPPED] = "app_status::AS_DROPPED",
    [BR_TABLE_RECALLING] = "app_status::AS_RECALLING",
};

/* -- Paths ------------------------------------------------------------------------------------ */

static br_status layout_root_part(const char *part, size_t size, struct fail *ret_fail)
{
    if ((size == 1 && part[0] == '.') || (size == 2 && part[0] == '.' && part[1] == '.'))
        return fail_set(ret_fail, BR_INVALID, "a path may not have the component '%.*s'",
                        (int) size, part);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char) part[i] < 0x20 || part[i] == 0x7f)
            return fail_set(ret_fail, BR_INVALID, "a path may not hold control characters");
    return BR_OK;
}

br_status layout_root(const char *root, struct buf *ret_root, struct fail *ret_fail)
{
    struct buf path = { 0 };
    while (*root) {
        size_t size = strcspn(root, "/");
        br_status status = layout_root_part(root, size, ret_fail);
        if (status == BR_OK && path.size + size > LAYOUT_ROOT_MAX)
            status =
                fail_set(ret_fail, BR_INVALID, "a root may have at most %d bytes", LAYOUT_ROOT_MAX);
        if (status != BR_OK) {
            buf_done(&path);
            return status;
        }
        if (size) {
            buf_char(&path, '/');
            buf_put(&path, root, size);
        }
        root += size;
        root += *root == '/';
    }
    buf_text(ret_root, path.size ? path.data : "/");
    buf_done(&path);
    return BR_OK;
}

static void layout_below(struct buf *buf, const char *root, const char *path)
{
    if (strcmp(root, "/") != 0)
        buf_text(buf, root);
    buf_text(buf, path);
}

void layout_apps_path(struct buf *buf, const char *root)
{
    layout_below(buf, root, "/apps");
}

void layout_table_path(struct buf *buf, const char *root, int32_t id)
{
    layout_below(buf, root, "/apps/");
    buf_i64(buf, id);
}

void layout_partition_path(struct buf *buf, const char *root, int32_t id, int32_t index)
{
    layout_table_path(buf, root, id);
    buf_char(buf, '/');
    buf_i64(buf, index);
}

void layout_bridle_path(struct buf *buf, const char *root)
{
    layout_below(buf, root, "/bridle");
}

void layout_released_path(struct buf *buf, const char *root)
{
    layout_below(buf, root, "/bridle/released");
}

void layout_journal_path(struct buf *buf, const char *root)
{
    layout_below(buf, root, "/bridle/journal");
}

br_status layout_lock_path(const char *lock_root, struct buf *ret_path, struct fail *ret_fail)
{
    struct buf root = { 0 };
    br_status status = layout_root(lock_root, &root, ret_fail);
    if (status == BR_OK)
        layout_below(ret_path, root.data, "/dsn.meta.server.leader");
    buf_done(&root);
    return status;
}

/* -- Records ---------------------------------------------------------------------------------- */

/* `key` with all its punctuation: ,"key": */
static void layout_number(struct buf *buf, const char *key, int64_t value)
{
    buf_text(buf, key);
    buf_i64(buf, value);
}

static void layout_flag(struct buf *buf, const char *key, const struct br_table *table,
                        uint32_t flag)
{
    buf_text(buf, key);
    buf_char(buf, table->flags & flag ? '1' : '0');
}

static int layout_env_order(const void *left, const void *right)
{
    const char *const *a = left;
    const char *const *b = right;
    return strcmp(*a, *b);
}

static bool layout_env_sorted(const struct br_table *table)
{
    for (uint32_t i = 1; i < table->env_count; i++)
        if (strcmp(table->envs[2 * (i - 1)], table->envs[2 * i]) >= 0)
            return false;
    return true;
}

/* Of a key that stands there twice the one that sorted last is written: a map has each once. */
static void layout_env_pairs(struct buf *buf, const char *const *envs, uint32_t count)
{
    bool first = true;
    for (uint32_t i = 0; i < count; i++) {
        if (i + 1 < count && strcmp(envs[2 * i], envs[2 * i + 2]) == 0)
            continue;
        if (!first)
            buf_char(buf, ',');
        first = false;
        buf_json(buf, envs[2 * i]);
        buf_char(buf, ':');
        buf_json(buf, envs[2 * i + 1]);
    }
}

static void layout_envs(struct buf *buf, const struct br_table *table)
{
    buf_text(buf, ",\"envs\":{");
    if (layout_env_sorted(table)) {
        layout_env_pairs(buf, table->envs, table->env_count);
    } else {
        size_t pair = 2 * sizeof(const char *);
        const char **copy = mem_array(table->env_count, pair);
        memcpy(copy, table->envs, table->env_count * pair);
        qsort(copy, table->env_count, pair, layout_env_order);
        layout_env_pairs(buf, copy, table->env_count);
        free(copy);
    }
    buf_char(buf, '}');
}

void layout_put_table(struct buf *buf, const struct br_table *table, enum layout_version version)
{
    bool known = table->status >= 0 && table->status < LAYOUT_STATUS_COUNT;
    buf_text(buf, "{\"status\":");
    buf_json(buf, layout_status_text[known ? table->status : BR_TABLE_INVALID]);
    buf_text(buf, ",\"app_type\":");
    buf_json(buf, table->type);
    buf_text(buf, ",\"app_name\":");
    buf_json(buf, table->name);
    layout_number(buf, ",\"app_id\":", table->id);
    layout_number(buf, ",\"partition_count\":", table->partition_count);
    layout_envs(buf, table);
    layout_flag(buf, ",\"is_stateful\":", table, BR_TABLE_STATEFUL);
    layout_number(buf, ",\"max_replica_count\":", table->replica_count);
    layout_number(buf, ",\"expire_second\":", table->expire_second);
    layout_number(buf, ",\"create_second\":", table->create_second);
    layout_number(buf, ",\"drop_second\":", table->drop_second);
    layout_flag(buf, ",\"duplicating\":", table, BR_TABLE_DUPLICATING);
    layout_number(buf, ",\"init_partition_count\":", table->init_partition_count);
    layout_flag(buf, ",\"is_bulk_loading\":", table, BR_TABLE_BULK_LOADING);
    if (version == LAYOUT_26)
        layout_flag(buf, ",\"atomic_idempotent\":", table, BR_TABLE_ATOMIC_IDEMPOTENT);
    buf_char(buf, '}');
}

/* A node as text between quotes; names and addresses need no escaping (number_node). */
static void layout_node(struct buf *buf, const struct cluster *cluster, int32_t index, bool name)
{
    const char *text = name ? LAYOUT_NO_NAME : LAYOUT_NO_ADDRESS;
    if (index >= 0)
        text = name ? cluster->nodes[index].name : cluster->nodes[index].address_text;
    buf_char(buf, '"');
    buf_text(buf, text);
    buf_char(buf, '"');
}

static void layout_nodes(struct buf *buf, const struct cluster *cluster, const int32_t *nodes,
                         uint32_t count, bool name)
{
    buf_char(buf, '[');
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_char(buf, ',');
        layout_node(buf, cluster, nodes[i], name);
    }
    buf_char(buf, ']');
}

void layout_put_partition(struct buf *buf, const struct cluster *cluster, int32_t table_id,
                          int32_t replica_count, int32_t index, const struct partition *partition,
                          enum layout_version version)
{
    uint32_t secondaries = partition->secondary_count;
    const int32_t *drops = secondaries ? partition->members + secondaries : partition->members;
    buf_text(buf, "{\"pid\":\"");
    buf_i64(buf, table_id);
    buf_char(buf, '.');
    buf_i64(buf, index);
    layout_number(buf, "\",\"ballot\":", partition->ballot);
    layout_number(buf, ",\"max_replica_count\":",
                  partition->replica_count ? partition->replica_count : replica_count);
    buf_text(buf, ",\"primary\":");
    layout_node(buf, cluster, partition->primary, false);
    buf_text(buf, ",\"secondaries\":");
    layout_nodes(buf, cluster, partition->members, secondaries, false);
    buf_text(buf, ",\"last_drops\":");
    layout_nodes(buf, cluster, drops, partition->drop_count, false);
    layout_number(buf, ",\"last_committed_decree\":", partition->committed);
    layout_number(buf, ",\"partition_flags\":", (int32_t) partition->flags);
    if (version == LAYOUT_26) {
        buf_text(buf, ",\"hp_primary\":");
        layout_node(buf, cluster, partition->primary, true);
        buf_text(buf, ",\"hp_secondaries\":");
        layout_nodes(buf, cluster, partition->members, secondaries, true);
        buf_text(buf, ",\"hp_last_drops\":");
        layout_nodes(buf, cluster, drops, partition->drop_count, true);
    }
    buf_char(buf, '}');
}

/* -- What a version cannot read ---------------------------------------------------------------- */

/* The index of a node without an address that the partition names; -1: none. */
static int32_t layout_unaddressed(const struct cluster *cluster, const struct partition *partition)
{
    if (partition->primary >= 0 && !cluster->nodes[partition->primary].address)
        return partition->primary;
    for (int i = 0; i < partition->secondary_count + partition->drop_count; i++)
        if (!cluster->nodes[partition->members[i]].address)
            return partition->members[i];
    return -1;
}

br_status layout_check(const struct cluster *cluster, enum layout_version version,
                       struct fail *ret_fail)
{
    for (uint32_t i = 0; version == LAYOUT_25 && i < cluster->table_count; i++) {
        const struct table *table = &cluster->tables[i];
        for (int32_t j = 0; j < table->def.partition_count; j++) {
            int32_t node = layout_unaddressed(cluster, &table->partitions[j]);
            if (node >= 0)
                return fail_set(ret_fail, BR_INVALID,
                                "partition %d.%d is on node %s, whose address is not known, and "
                                "Pegasus 2.5 knows nodes by their addresses only: give it as "
                                "IPv4:port",
                                table->def.id, j, cluster->nodes[node].name);
        }
    }
    return BR_OK;
}
