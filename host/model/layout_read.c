/* layout_read -- records from JSON, by jansson and Pegasus's decode rule
 * (src/common/json_helper.h).
 *
 * Differs from it in two ways, both on the safe side: a key that stands twice is an error, and the
 * names of nodes are not resolved.
 */
#include "host/model/layout.h"

#include <stddef.h>
#include <string.h>

#include <jansson.h>

#include "host/base/number.h"
#include "host/model/layout_quick.h"
#include "host/model/layout_text.h"
#include "host/rdsn/address.h"

enum layout_kind { LAYOUT_STATUS, LAYOUT_TEXT, LAYOUT_I32, LAYOUT_I64, LAYOUT_FLAG, LAYOUT_ENVS };

struct layout_key {
    const char *name;
    enum layout_kind kind;
    uint32_t flag;
    size_t offset; /* in struct br_table */
};

#define LAYOUT_AT(f) .offset = offsetof(struct br_table, f)

static const struct layout_key layout_table_keys[] = {
    { "status", LAYOUT_STATUS, 0, LAYOUT_AT(status) },
    { "app_type", LAYOUT_TEXT, 0, LAYOUT_AT(type) },
    { "app_name", LAYOUT_TEXT, 0, LAYOUT_AT(name) },
    { "app_id", LAYOUT_I32, 0, LAYOUT_AT(id) },
    { "partition_count", LAYOUT_I32, 0, LAYOUT_AT(partition_count) },
    { "envs", LAYOUT_ENVS, 0, LAYOUT_AT(envs) },
    { "is_stateful", LAYOUT_FLAG, BR_TABLE_STATEFUL, LAYOUT_AT(flags) },
    { "max_replica_count", LAYOUT_I32, 0, LAYOUT_AT(replica_count) },
    { "expire_second", LAYOUT_I64, 0, LAYOUT_AT(expire_second) },
    { "create_second", LAYOUT_I64, 0, LAYOUT_AT(create_second) },
    { "drop_second", LAYOUT_I64, 0, LAYOUT_AT(drop_second) },
    { "duplicating", LAYOUT_FLAG, BR_TABLE_DUPLICATING, LAYOUT_AT(flags) },
    { "init_partition_count", LAYOUT_I32, 0, LAYOUT_AT(init_partition_count) },
    { "is_bulk_loading", LAYOUT_FLAG, BR_TABLE_BULK_LOADING, LAYOUT_AT(flags) },
    { "atomic_idempotent", LAYOUT_FLAG, BR_TABLE_ATOMIC_IDEMPOTENT, LAYOUT_AT(flags) },
};
#define LAYOUT_TABLE_KEYS (sizeof layout_table_keys / sizeof *layout_table_keys)

enum {
    KEY_PID,
    KEY_BALLOT,
    KEY_REPLICA_COUNT,
    KEY_PRIMARY,
    KEY_SECONDARIES,
    KEY_DROPS,
    KEY_COMMITTED,
    KEY_FLAGS,
    KEY_HP_PRIMARY,
    KEY_HP_SECONDARIES,
    KEY_HP_DROPS,
    LAYOUT_PARTITION_KEYS
};

static const char *const layout_partition_keys[LAYOUT_PARTITION_KEYS] = {
    [KEY_PID] = "pid",
    [KEY_BALLOT] = "ballot",
    [KEY_REPLICA_COUNT] = "max_replica_count",
    [KEY_PRIMARY] = "primary",
    [KEY_SECONDARIES] = "secondaries",
    [KEY_DROPS] = "last_drops",
    [KEY_COMMITTED] = "last_committed_decree",
    [KEY_FLAGS] = "partition_flags",
    [KEY_HP_PRIMARY] = "hp_primary",
    [KEY_HP_SECONDARIES] = "hp_secondaries",
    [KEY_HP_DROPS] = "hp_last_drops",
};

static br_status layout_wrong(struct fail *ret_fail, const char *key, const char *what)
{
    return fail_set(ret_fail, BR_CORRUPT, "the record's key '%s' is not %s", key, what);
}

static json_t *layout_parse(br_bytes json, struct fail *ret_fail)
{
    json_error_t error;
    if (json.size > LAYOUT_JSON_MAX) {
        fail_set(ret_fail, BR_CORRUPT, "a record of %zu bytes is over the limit of %d", json.size,
                 LAYOUT_JSON_MAX);
        return NULL;
    }
    if (!json.size) {
        fail_set(ret_fail, BR_CORRUPT, "the record is empty");
        return NULL;
    }
    json_t *root = json_loadb(json.data, json.size, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        fail_set(ret_fail, BR_CORRUPT, "the record is not JSON at byte %d: %s", error.position,
                 error.text);
        return NULL;
    }
    if (!json_is_object(root)) {
        fail_set(ret_fail, BR_CORRUPT, "the record is JSON, but no object");
        json_decref(root);
        return NULL;
    }
    return root;
}

/* The decode rule, once `found` of `known` keys were seen. */
static br_status layout_rule(const json_t *root, size_t found, size_t known, struct fail *ret_fail)
{
    if (found == known || found == json_object_size(root))
        return BR_OK;
    return fail_set(ret_fail, BR_CORRUPT,
                    "the record has unknown keys beside missing ones: %zu keys, of which %zu of "
                    "the known %zu",
                    json_object_size(root), found, known);
}

static bool layout_i64(const json_t *value, int64_t *ret_value)
{
    if (json_is_integer(value))
        *ret_value = json_integer_value(value);
    return json_is_integer(value);
}

static bool layout_i32(const json_t *value, int32_t *ret_value)
{
    int64_t wide;
    if (!layout_i64(value, &wide) || wide < INT32_MIN || wide > INT32_MAX)
        return false;
    *ret_value = (int32_t) wide;
    return true;
}

/* -- Tables ----------------------------------------------------------------------------------- */

static const char *layout_copy(struct cluster *cluster, const json_t *text)
{
    return arena_text(&cluster->arena, json_string_value(text), json_string_length(text));
}

static bool layout_flag_get(const json_t *value, uint32_t flag, uint32_t *flags)
{
    int64_t number;
    if (json_is_boolean(value))
        number = json_is_true(value);
    else if (!layout_i64(value, &number) || (number != 0 && number != 1))
        return false;
    *flags = number ? *flags | flag : *flags & ~flag;
    return true;
}

static int32_t layout_status_get(const char *text)
{
    for (int32_t i = 0; i < LAYOUT_STATUS_COUNT; i++)
        if (strcmp(layout_status_text[i], text) == 0)
            return i;
    return BR_TABLE_INVALID;
}

static bool layout_envs_get(struct cluster *cluster, json_t *value, struct br_table *table)
{
    if (!json_is_object(value))
        return false;
    size_t count = json_object_size(value);
    const char **envs = arena_alloc(&cluster->arena, 2 * count * sizeof *envs);
    const char *key;
    json_t *text;
    size_t at = 0;
    json_object_foreach(value, key, text)
    {
        if (!json_is_string(text))
            return false;
        envs[at++] = arena_text(&cluster->arena, key, strlen(key));
        envs[at++] = layout_copy(cluster, text);
    }
    table->env_count = (uint32_t) count;
    table->envs = envs;
    return true;
}

static bool layout_table_key(struct cluster *cluster, const struct layout_key *key, json_t *value,
                             struct br_table *table)
{
    char *field = (char *) table + key->offset;
    switch (key->kind) {
    case LAYOUT_STATUS:
        if (!json_is_string(value))
            return false;
        table->status = layout_status_get(json_string_value(value));
        return true;
    case LAYOUT_TEXT:
        if (!json_is_string(value))
            return false;
        *(const char **) (void *) field = layout_copy(cluster, value);
        return true;
    case LAYOUT_I32: return layout_i32(value, (int32_t *) (void *) field);
    case LAYOUT_I64: return layout_i64(value, (int64_t *) (void *) field);
    case LAYOUT_FLAG: return layout_flag_get(value, key->flag, &table->flags);
    case LAYOUT_ENVS: return layout_envs_get(cluster, value, table);
    }
    return false;
}

br_status layout_get_table(struct cluster *cluster, br_bytes json, struct br_table *ret_table,
                           struct fail *ret_fail)
{
    static const char *const what[] = {
        [LAYOUT_STATUS] = "a string",          [LAYOUT_TEXT] = "a string",
        [LAYOUT_I32] = "a 32-bit integer",     [LAYOUT_I64] = "a 64-bit integer",
        [LAYOUT_FLAG] = "0, 1, true or false", [LAYOUT_ENVS] = "an object of strings",
    };
    struct br_table table = { .node = -1, .init_partition_count = -1, .name = "", .type = "" };
    json_t *root = layout_parse(json, ret_fail);
    if (!root)
        return BR_CORRUPT;
    br_status status = BR_OK;
    size_t found = 0;
    for (size_t i = 0; i < LAYOUT_TABLE_KEYS && status == BR_OK; i++) {
        const struct layout_key *key = &layout_table_keys[i];
        json_t *value = json_object_get(root, key->name);
        if (value && !layout_table_key(cluster, key, value, &table))
            status = layout_wrong(ret_fail, key->name, what[key->kind]);
        found += value != NULL;
    }
    if (status == BR_OK)
        status = layout_rule(root, found, LAYOUT_TABLE_KEYS, ret_fail);
    json_decref(root);
    if (status == BR_OK)
        *ret_table = table;
    return status;
}

/* -- Partitions ------------------------------------------------------------------------------- */

struct layout_reader {
    struct cluster *cluster;
    struct fail *fail;
    json_t *values[LAYOUT_PARTITION_KEYS]; /* NULL: not there */
    int32_t members[2 * LAYOUT_MEMBERS_MAX];
    uint32_t count;
};

/* A node by its name, its address, or both.  -1 in *ret_index: none. */
static br_status layout_get_node(struct layout_reader *reader, int key, const json_t *name,
                                 const json_t *address, int32_t *ret_index)
{
    const char *shown = layout_partition_keys[key];
    const char *text = json_string_value(name ? name : address);
    const char *at = json_string_value(address);
    uint64_t number = 0;
    size_t host_size;
    uint16_t port;
    if (!text || (address && !at))
        return layout_wrong(reader->fail, shown, "made of strings");
    *ret_index = -1;
    if (strcmp(text, name ? LAYOUT_NO_NAME : LAYOUT_NO_ADDRESS) == 0)
        return BR_OK;
    if (at && strcmp(at, LAYOUT_NO_ADDRESS) != 0 && !address_parse(at, &number))
        return layout_wrong(reader->fail, shown, "made of IPv4 addresses with a port");
    if (!number_node(text, &host_size, &port))
        return layout_wrong(reader->fail, shown, "made of host:port");
    *ret_index = cluster_node_add(reader->cluster, text, number);
    if (*ret_index < 0)
        return fail_set(reader->fail, BR_CORRUPT, "the records name more than %d nodes",
                        BR_NODES_MAX);
    return BR_OK;
}

static br_status layout_get_primary(struct layout_reader *reader, int32_t *ret_primary)
{
    json_t *name = reader->values[KEY_HP_PRIMARY];
    json_t *address = reader->values[KEY_PRIMARY];
    *ret_primary = -1;
    if (!name && !address)
        return BR_OK;
    return layout_get_node(reader, name ? KEY_HP_PRIMARY : KEY_PRIMARY, name, address, ret_primary);
}

/* Appends to the members.  Addresses are those of the names only where there are as many. */
static br_status layout_get_nodes(struct layout_reader *reader, int name_key, int address_key,
                                  uint16_t *ret_count)
{
    json_t *names = reader->values[name_key];
    json_t *addresses = reader->values[address_key];
    if (names && !json_is_array(names))
        return layout_wrong(reader->fail, layout_partition_keys[name_key], "an array");
    if (addresses && !json_is_array(addresses))
        return layout_wrong(reader->fail, layout_partition_keys[address_key], "an array");
    size_t count = json_array_size(names ? names : addresses);
    int key = names ? name_key : address_key;
    if (count > LAYOUT_MEMBERS_MAX)
        return fail_set(reader->fail, BR_CORRUPT,
                        "the record's key '%s' has %zu nodes, over the "
                        "limit of %d",
                        layout_partition_keys[key], count, LAYOUT_MEMBERS_MAX);
    if (names && json_array_size(addresses) != count)
        addresses = NULL;
    for (size_t i = 0; i < count; i++) {
        int32_t *member = &reader->members[reader->count++];
        br_status status = layout_get_node(reader, key, json_array_get(names, i),
                                           json_array_get(addresses, i), member);
        if (status != BR_OK)
            return status;
        if (*member < 0)
            return layout_wrong(reader->fail, layout_partition_keys[key], "made of valid nodes");
    }
    *ret_count = (uint16_t) count;
    return BR_OK;
}

static bool layout_get_pid(const json_t *value, int32_t pid[2])
{
    const char *text = json_string_value(value);
    const char *dot = text ? strchr(text, '.') : NULL;
    return dot && number_i32(text, (size_t) (dot - text), &pid[0])
           && number_i32(dot + 1, strlen(dot + 1), &pid[1]);
}

static br_status layout_get_numbers(struct layout_reader *reader, struct partition *partition,
                                    int32_t pid[2])
{
    json_t **values = reader->values;
    int32_t flags = 0;
    if (values[KEY_PID] && !layout_get_pid(values[KEY_PID], pid))
        return layout_wrong(reader->fail, "pid", "of the form \"table.partition\"");
    if (values[KEY_BALLOT] && !layout_i64(values[KEY_BALLOT], &partition->ballot))
        return layout_wrong(reader->fail, "ballot", "a 64-bit integer");
    if (values[KEY_COMMITTED] && !layout_i64(values[KEY_COMMITTED], &partition->committed))
        return layout_wrong(reader->fail, "last_committed_decree", "a 64-bit integer");
    if (values[KEY_REPLICA_COUNT]
        && !layout_i32(values[KEY_REPLICA_COUNT], &partition->replica_count))
        return layout_wrong(reader->fail, "max_replica_count", "a 32-bit integer");
    if (values[KEY_FLAGS] && !layout_i32(values[KEY_FLAGS], &flags))
        return layout_wrong(reader->fail, "partition_flags", "a 32-bit integer");
    partition->flags = (uint32_t) flags;
    return BR_OK;
}

static br_status layout_get_members(struct layout_reader *reader, struct partition *partition)
{
    br_status status = layout_get_primary(reader, &partition->primary);
    if (status == BR_OK)
        status = layout_get_nodes(reader, KEY_HP_SECONDARIES, KEY_SECONDARIES,
                                  &partition->secondary_count);
    if (status == BR_OK)
        status = layout_get_nodes(reader, KEY_HP_DROPS, KEY_DROPS, &partition->drop_count);
    if (status != BR_OK || !reader->count)
        return status;
    size_t size = reader->count * sizeof *reader->members;
    int32_t *members = arena_alloc(&reader->cluster->arena, size);
    memcpy(members, reader->members, size);
    partition->members = members;
    return BR_OK;
}

br_status layout_get_partition(struct cluster *cluster, br_bytes json,
                               struct partition *ret_partition, int32_t ret_pid[2],
                               struct fail *ret_fail)
{
    struct layout_reader reader = { .cluster = cluster, .fail = ret_fail };
    struct partition partition = { .primary = -1 };
    int32_t pid[2] = { 0, 0 };
    if (layout_quick_partition(cluster, json, ret_partition, ret_pid))
        return BR_OK;
    json_t *root = layout_parse(json, ret_fail);
    if (!root)
        return BR_CORRUPT;
    size_t found = 0;
    for (int i = 0; i < LAYOUT_PARTITION_KEYS; i++) {
        reader.values[i] = json_object_get(root, layout_partition_keys[i]);
        found += reader.values[i] != NULL;
    }
    br_status status = layout_rule(root, found, LAYOUT_PARTITION_KEYS, ret_fail);
    if (status == BR_OK)
        status = layout_get_numbers(&reader, &partition, pid);
    if (status == BR_OK)
        status = layout_get_members(&reader, &partition);
    json_decref(root);
    if (status != BR_OK)
        return status;
    *ret_partition = partition;
    memcpy(ret_pid, pid, sizeof pid);
    return BR_OK;
}
