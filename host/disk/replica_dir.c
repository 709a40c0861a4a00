/* replica_dir -- names and small files of a replica's directory.  The files are read with Jansson
 * and written by hand, because Pegasus's exact bytes matter.
 */
#include "host/disk/replica_dir.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "host/base/number.h"

/* -- Names ------------------------------------------------------------------------------------ */

static bool replica_number(const char **text, int32_t *ret_number)
{
    const char *dot = strchr(*text, '.');
    if (!dot || !number_i32(*text, (size_t) (dot - *text), ret_number) || *ret_number < 0
        || **text == '-' || **text == '+')
        return false;
    *text = dot + 1;
    return true;
}

bool replica_name_parse(const char *name, struct replica_name *ret_name)
{
    struct replica_name parsed;
    if (!replica_number(&name, &parsed.table) || !replica_number(&name, &parsed.partition)
        || *name == 0)
        return false;
    parsed.type = name;
    *ret_name = parsed;
    return true;
}

enum replica_suffix replica_suffix(const char *name)
{
    static const struct {
        const char *text;
        enum replica_suffix suffix;
    } suffixes[] = {
        { ".err", REPLICA_ERR },    { ".gar", REPLICA_GARBAGE }, { ".bak", REPLICA_BACKUP },
        { ".ori", REPLICA_ORIGIN }, { ".tmp", REPLICA_TEMP },
    };
    size_t size = strlen(name);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if (size >= 4 && strcmp(name + size - 4, suffixes[i].text) == 0)
            return suffixes[i].suffix;
    }
    return REPLICA_LIVE;
}

/* -- .app-info -------------------------------------------------------------------------------- */

static const unsigned char app_info_magic[8] = { 0x08, 0, 0, 0xde, 0xad, 0xbe, 0xef, 0 };

static const char app_info_kept_env[] = "rocksdb.allow_ingest_behind";

/* One field in Thrift's JSON: {"<id>": {"<type>": value}}.  NULL: not there. */
static const json_t *app_info_field(const json_t *record, const char *id, const char *type)
{
    return json_object_get(json_object_get(record, id), type);
}

static bool app_info_i64(const json_t *record, const char *id, const char *type, int64_t *ret)
{
    if (!json_object_get(record, id))
        return true;
    const json_t *value = app_info_field(record, id, type);
    *ret = json_integer_value(value);
    return json_is_integer(value);
}

static bool app_info_i32(const json_t *record, const char *id, int32_t *ret)
{
    int64_t value = *ret;
    bool ok = app_info_i64(record, id, "i32", &value) && value >= INT32_MIN && value <= INT32_MAX;
    *ret = (int32_t) value;
    return ok;
}

static bool app_info_flag(const json_t *record, const char *id, uint32_t bit, uint32_t *flags)
{
    int64_t value = (*flags & bit) != 0;
    bool ok = app_info_i64(record, id, "tf", &value);
    *flags = value ? *flags | bit : *flags & ~bit;
    return ok;
}

static bool app_info_text(struct arena *arena, const json_t *record, const char *id,
                          const char **ret)
{
    *ret = "";
    if (!json_object_get(record, id))
        return true;
    const json_t *value = app_info_field(record, id, "str");
    if (!json_is_string(value))
        return false;
    size_t size = json_string_length(value);
    *ret = arena_text(arena, json_string_value(value), size);
    return strlen(*ret) == size;
}

/* {"map": ["str", "str", count, {key: value, ...}]} */
static bool app_info_envs(struct arena *arena, const json_t *record, struct br_table *table)
{
    if (!json_object_get(record, "6"))
        return true;
    json_t *pairs = json_array_get(app_info_field(record, "6", "map"), 3);
    if (!json_is_object(pairs))
        return false;
    const char **envs = arena_alloc(arena, 2 * json_object_size(pairs) * sizeof *envs);
    const char *key;
    json_t *value;
    json_object_foreach(pairs, key, value)
    {
        if (!json_is_string(value))
            return false;
        const char *text = json_string_value(value);
        envs[2 * table->env_count] = arena_text(arena, key, strlen(key));
        envs[2 * table->env_count++ + 1] = arena_text(arena, text, strlen(text));
    }
    table->envs = envs;
    return true;
}

/* The key of the first field that makes no sense; NULL: all do. */
static const char *app_info_fill(struct arena *arena, const json_t *record, struct br_table *table)
{
    if (!app_info_i32(record, "1", &table->status))
        return "1 (status)";
    if (!app_info_text(arena, record, "2", &table->type))
        return "2 (app_type)";
    if (!app_info_text(arena, record, "3", &table->name))
        return "3 (app_name)";
    if (!app_info_i32(record, "4", &table->id))
        return "4 (app_id)";
    if (!app_info_i32(record, "5", &table->partition_count))
        return "5 (partition_count)";
    if (!app_info_envs(arena, record, table))
        return "6 (envs)";
    if (!app_info_flag(record, "7", BR_TABLE_STATEFUL, &table->flags))
        return "7 (is_stateful)";
    if (!app_info_i32(record, "8", &table->replica_count))
        return "8 (max_replica_count)";
    if (!app_info_i64(record, "9", "i64", &table->expire_second)
        || !app_info_i64(record, "10", "i64", &table->create_second)
        || !app_info_i64(record, "11", "i64", &table->drop_second))
        return "9, 10 or 11 (times)";
    if (!app_info_flag(record, "12", BR_TABLE_DUPLICATING, &table->flags))
        return "12 (duplicating)";
    if (!app_info_i32(record, "13", &table->init_partition_count))
        return "13 (init_partition_count)";
    if (!app_info_flag(record, "14", BR_TABLE_BULK_LOADING, &table->flags))
        return "14 (is_bulk_loading)";
    if (!app_info_flag(record, "15", BR_TABLE_ATOMIC_IDEMPOTENT, &table->flags))
        return "15 (atomic_idempotent)";
    return NULL;
}

br_status app_info_decode(struct arena *arena, br_bytes bytes, struct br_table *ret_table,
                          struct fail *ret_fail)
{
    json_error_t error;
    if (bytes.size > APP_INFO_MAX)
        return fail_set(ret_fail, BR_TOOBIG, "larger than %d bytes", APP_INFO_MAX);
    if (bytes.size < sizeof app_info_magic
        || memcmp(bytes.data, app_info_magic, sizeof app_info_magic) != 0)
        return fail_set(ret_fail, BR_CORRUPT,
                        "does not begin with .app-info's magic: damaged, or encrypted at rest");
    json_t *root = json_loadb((const char *) bytes.data + sizeof app_info_magic,
                              bytes.size - sizeof app_info_magic, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return fail_set(ret_fail, BR_CORRUPT, "not JSON behind the magic: %s", error.text);
    const json_t *record = json_object_get(json_object_get(root, "0"), "rec");
    struct br_table table = { .node = -1, .init_partition_count = -1 };
    const char *wrong =
        json_is_object(record) ? app_info_fill(arena, record, &table) : "0 (the record)";
    json_decref(root);
    if (wrong)
        return fail_set(ret_fail, BR_CORRUPT, "field %s is missing or of the wrong type", wrong);
    *ret_table = table;
    return BR_OK;
}

static void app_info_put(struct buf *buf, const char *head, int64_t value, const char *tail)
{
    buf_text(buf, head);
    buf_i64(buf, value);
    buf_text(buf, tail);
}

static void app_info_put_envs(struct buf *buf, const struct br_table *table)
{
    for (uint32_t i = 0; i < table->env_count; i++) {
        if (strcmp(table->envs[2 * i], app_info_kept_env) != 0)
            continue;
        buf_text(buf, "\"6\":{\"map\":[\"str\",\"str\",1,{");
        buf_json(buf, app_info_kept_env);
        buf_char(buf, ':');
        buf_json(buf, table->envs[2 * i + 1]);
        buf_text(buf, "}]},");
        return;
    }
    buf_text(buf, "\"6\":{\"map\":[\"str\",\"str\",0,{}]},");
}

void app_info_encode(const struct br_table *table, bool atomic_idempotent, struct buf *buf)
{
    buf_put(buf, app_info_magic, sizeof app_info_magic);
    app_info_put(buf, "{\"0\":{\"rec\":{\"1\":{\"i32\":", table->status, "},\"2\":{\"str\":");
    buf_json(buf, table->type);
    buf_text(buf, "},\"3\":{\"str\":");
    buf_json(buf, table->name);
    app_info_put(buf, "},\"4\":{\"i32\":", table->id, "},");
    app_info_put(buf, "\"5\":{\"i32\":", table->partition_count, "},");
    app_info_put_envs(buf, table);
    app_info_put(buf, "\"7\":{\"tf\":", (table->flags & BR_TABLE_STATEFUL) != 0, "},");
    app_info_put(buf, "\"8\":{\"i32\":", table->replica_count, "},");
    app_info_put(buf, "\"9\":{\"i64\":", table->expire_second, "},");
    app_info_put(buf, "\"10\":{\"i64\":", table->create_second, "},");
    app_info_put(buf, "\"11\":{\"i64\":", table->drop_second, "},");
    app_info_put(buf, "\"12\":{\"tf\":", (table->flags & BR_TABLE_DUPLICATING) != 0, "},");
    app_info_put(buf, "\"13\":{\"i32\":", table->init_partition_count, "},");
    app_info_put(buf, "\"14\":{\"tf\":", (table->flags & BR_TABLE_BULK_LOADING) != 0, "}");
    if (atomic_idempotent)
        app_info_put(buf, ",\"15\":{\"tf\":", (table->flags & BR_TABLE_ATOMIC_IDEMPOTENT) != 0,
                     "}");
    buf_text(buf, "}}}");
}

/* -- .init-info ------------------------------------------------------------------------------- */

br_status init_info_decode(br_bytes bytes, struct init_info *ret_info, struct fail *ret_fail)
{
    json_error_t error;
    if (bytes.size > INIT_INFO_MAX)
        return fail_set(ret_fail, BR_TOOBIG, "larger than %d bytes", INIT_INFO_MAX);
    json_t *root =
        json_loadb(bytes.data ? bytes.data : "", bytes.size, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return fail_set(ret_fail, BR_CORRUPT, "not JSON: %s", error.text);
    struct init_info info = { 0 };
    const struct {
        const char *key;
        int64_t *value;
    } fields[] = {
        { "init_ballot", &info.ballot },
        { "init_durable_decree", &info.durable },
        { "init_offset_in_shared_log", &info.offset_in_shared_log },
        { "init_offset_in_private_log", &info.offset_in_private_log },
    };
    const char *wrong = NULL;
    for (size_t i = 0; i < sizeof fields / sizeof *fields && !wrong; i++) {
        const json_t *value = json_object_get(root, fields[i].key);
        *fields[i].value = json_integer_value(value);
        wrong = json_is_integer(value) ? NULL : fields[i].key;
    }
    json_decref(root);
    if (wrong)
        return fail_set(ret_fail, BR_CORRUPT, "%s is missing or not an integer", wrong);
    *ret_info = info;
    return BR_OK;
}

void init_info_encode(const struct init_info *info, struct buf *buf)
{
    buf_printf(
        buf,
        "{\"init_ballot\":%" PRId64 ",\"init_durable_decree\":%" PRId64
        ",\"init_offset_in_shared_log\":%" PRId64 ",\"init_offset_in_private_log\":%" PRId64 "}",
        info->ballot, info->durable, info->offset_in_shared_log, info->offset_in_private_log);
}
