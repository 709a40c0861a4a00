/* compare -- see compare.h: records.  compare_servers.c has the servers. */
#include "host/stage/compare.h"

#include <jansson.h>
#include <string.h>

#include "host/recovery/rows.h"

#define COMPARE_CHUNK 1024 /* records read at once */

void compare_tell(struct compare *compare, const char *format, ...)
{
    va_list args;
    if (compare->lines++ >= COMPARE_SHOWN_MAX)
        return;
    va_start(args, format);
    buf_vprintf(&compare->text, format, args);
    va_end(args);
    buf_char(&compare->text, '\n');
}

struct comparing {
    const struct stage_plan *plan;
    struct tool *tool;
    const char *root;
    struct compare *compare;
    struct fail *fail;
    char wrong[512]; /* what differs in the record that is looked at; "": nothing */
};

static bool compare_names_hosts(const struct comparing *at)
{
    return at->plan->plan.version == LAYOUT_26;
}

static void compare_where(const struct comparing *at, int32_t id, int32_t index, struct buf *buf)
{
    buf_printf(buf, "%s/apps/%d", strcmp(at->root, "/") == 0 ? "" : at->root, id);
    if (index >= 0)
        buf_printf(buf, "/%d", index);
}

/* -- One key ---------------------------------------------------------------------------------- */

static void compare_is_number(struct comparing *at, const json_t *record, const char *key,
                              int64_t planned)
{
    const json_t *found = json_object_get(record, key);
    if (at->wrong[0] || (json_is_integer(found) && json_integer_value(found) == planned))
        return;
    if (json_is_integer(found))
        snprintf(at->wrong, sizeof at->wrong, "%s is %lld, %lld was planned", key,
                 (long long) json_integer_value(found), (long long) planned);
    else
        snprintf(at->wrong, sizeof at->wrong, "%s is %s, %lld was planned", key,
                 found ? "no number" : "not there", (long long) planned);
}

static void compare_is_text(struct comparing *at, const json_t *record, const char *key,
                            const char *planned)
{
    const char *found = json_string_value(json_object_get(record, key));
    if (at->wrong[0] || (found && strcmp(found, planned) == 0))
        return;
    snprintf(at->wrong, sizeof at->wrong, "%s is \"%.100s\", \"%.100s\" was planned", key,
             found ? found : "", planned);
}

static const char *compare_node(const struct comparing *at, int32_t node, bool host)
{
    if (node < 0)
        return host ? "invalid host_port" : "invalid address";
    const struct node *of = &at->plan->cluster.nodes[node];
    return host ? of->name : of->address_text;
}

static void compare_is_list(struct comparing *at, const json_t *record, const char *key,
                            const int32_t *planned, uint32_t count, bool host)
{
    const json_t *found = json_object_get(record, key);
    if (at->wrong[0])
        return;
    if (!json_is_array(found) || json_array_size(found) != count) {
        snprintf(at->wrong, sizeof at->wrong, "%s has %zu entries, %u were planned", key,
                 json_array_size(found), count);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(found, i));
        const char *want = compare_node(at, planned[i], host);
        if (!name || strcmp(name, want) != 0) {
            snprintf(at->wrong, sizeof at->wrong, "%s[%u] is %.100s, %.100s was planned", key, i,
                     name ? name : "no text", want);
            return;
        }
    }
}

static void compare_is_envs(struct comparing *at, const json_t *record, const struct br_table *def)
{
    const json_t *found = json_object_get(record, "envs");
    if (at->wrong[0])
        return;
    if (!json_is_object(found) || json_object_size(found) != def->env_count) {
        snprintf(at->wrong, sizeof at->wrong, "envs has %zu entries, %u were planned",
                 json_object_size(found), def->env_count);
        return;
    }
    for (uint32_t i = 0; i < def->env_count; i++)
        compare_is_text(at, found, def->envs[2 * i], def->envs[2 * i + 1]);
}

/* -- One record ------------------------------------------------------------------------------- */

static void compare_table(struct comparing *at, const json_t *record, const struct br_table *def)
{
    bool available = def->status == BR_TABLE_AVAILABLE;
    compare_is_text(at, record, "status",
                    available ? "app_status::AS_AVAILABLE" : "app_status::AS_DROPPED");
    compare_is_text(at, record, "app_type", def->type);
    compare_is_text(at, record, "app_name", def->name);
    compare_is_number(at, record, "app_id", def->id);
    compare_is_number(at, record, "partition_count", def->partition_count);
    compare_is_envs(at, record, def);
    compare_is_number(at, record, "is_stateful", (def->flags & BR_TABLE_STATEFUL) != 0);
    compare_is_number(at, record, "max_replica_count", def->replica_count);
    compare_is_number(at, record, "expire_second", def->expire_second);
    compare_is_number(at, record, "create_second", def->create_second);
    compare_is_number(at, record, "drop_second", def->drop_second);
    compare_is_number(at, record, "duplicating", (def->flags & BR_TABLE_DUPLICATING) != 0);
    compare_is_number(at, record, "init_partition_count", def->init_partition_count);
    compare_is_number(at, record, "is_bulk_loading", (def->flags & BR_TABLE_BULK_LOADING) != 0);
    if (compare_names_hosts(at))
        compare_is_number(at, record, "atomic_idempotent",
                          (def->flags & BR_TABLE_ATOMIC_IDEMPOTENT) != 0);
}

static void compare_members(struct comparing *at, const json_t *record,
                            const struct partition *partition, bool host)
{
    const int32_t *members = partition->members;
    uint32_t secondaries = partition->secondary_count;
    compare_is_text(at, record, host ? "hp_primary" : "primary",
                    compare_node(at, partition->primary, host));
    compare_is_list(at, record, host ? "hp_secondaries" : "secondaries", members, secondaries,
                    host);
    compare_is_list(at, record, host ? "hp_last_drops" : "last_drops",
                    members ? members + secondaries : NULL, partition->drop_count, host);
}

static void compare_partition(struct comparing *at, const json_t *record,
                              const struct br_table *def, int32_t index,
                              const struct partition *partition)
{
    char pid[32];
    snprintf(pid, sizeof pid, "%d.%d", def->id, index);
    compare_is_text(at, record, "pid", pid);
    compare_is_number(at, record, "ballot", partition->ballot);
    compare_is_number(at, record, "max_replica_count", def->replica_count);
    compare_members(at, record, partition, false);
    compare_is_number(at, record, "last_committed_decree", partition->committed);
    compare_is_number(at, record, "partition_flags", partition->flags);
    if (compare_names_hosts(at))
        compare_members(at, record, partition, true);
}

/* A name, or a list of them. */
static bool compare_names(const json_t *found, const char *name)
{
    size_t count = json_array_size(found);
    for (size_t i = 0; i < (count ? count : 1); i++) {
        const char *text = json_string_value(count ? json_array_get(found, i) : found);
        if (text && strcmp(text, name) == 0)
            return true;
    }
    return false;
}

static bool compare_still_names(const struct comparing *at, const json_t *record, int32_t node)
{
    static const char *const keys[2][3] = { { "primary", "secondaries", "last_drops" },
                                            { "hp_primary", "hp_secondaries", "hp_last_drops" } };
    bool host = compare_names_hosts(at);
    for (int i = 0; i < 3; i++) {
        if (compare_names(json_object_get(record, keys[host][i]), compare_node(at, node, host)))
            return true;
    }
    return false;
}

/* It differs; only because the cluster has served since? */
static bool compare_moved(const struct comparing *at, const json_t *record,
                          const struct br_table *def, int32_t index,
                          const struct partition *partition)
{
    char pid[32];
    const char *found = json_string_value(json_object_get(record, "pid"));
    snprintf(pid, sizeof pid, "%d.%d", def->id, index);
    if (!found || strcmp(found, pid) != 0
        || json_integer_value(json_object_get(record, "ballot")) <= partition->ballot)
        return false;
    if (partition->primary < 0 || compare_still_names(at, record, partition->primary))
        return true;
    for (uint16_t i = 0; i < partition->drop_count; i++) {
        if (compare_still_names(at, record, partition->members[i]))
            return true;
    }
    return false;
}

/* index -1: the table's record. */
static void compare_record(struct comparing *at, const struct table *table, int32_t index,
                           const struct br_value *value)
{
    struct compare *compare = at->compare;
    const struct br_table *def = &table->def;
    const struct partition *partition = index < 0 ? NULL : &table->partitions[index];
    struct buf where = { 0 };
    compare->records++;
    compare_where(at, def->id, index, &where);
    at->wrong[0] = '\0';
    if (!value || value->status != BR_OK) {
        compare->missing++;
        compare_tell(compare, "%s: is missing", where.data);
        buf_done(&where);
        return;
    }
    json_t *record = json_loadb(value->value.data, value->value.size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(record))
        snprintf(at->wrong, sizeof at->wrong, "is no JSON object");
    else if (partition)
        compare_partition(at, record, def, index, partition);
    else
        compare_table(at, record, def);
    if (!at->wrong[0]) {
        compare->same++;
    } else if (partition && compare_moved(at, record, def, index, partition)) {
        compare->moved++;
    } else {
        compare->differing++;
        compare_tell(compare, "%s: %s", where.data, at->wrong);
    }
    json_decref(record);
    buf_done(&where);
}

/* -- Reading ---------------------------------------------------------------------------------- */

/* `count` records of a table from index `from` on. */
static br_status compare_chunk(struct comparing *at, const struct table *table, int32_t from,
                               int32_t count)
{
    struct tool_answer answer;
    struct buf path = { 0 };
    struct arena arena;
    arena_init(&arena, 0);
    const char **paths = arena_alloc(&arena, (size_t) count * sizeof *paths);
    for (int32_t i = 0; i < count; i++) {
        buf_clear(&path);
        compare_where(at, table->def.id, from + i, &path);
        paths[i] = arena_text(&arena, path.data, path.size);
    }
    tool_read(at->tool, paths, (uint32_t) count, &answer);
    br_status status = answer.status;
    if (status != BR_OK)
        *at->fail = answer.fail;
    struct rows rows = { .chunk = answer.chunks };
    for (int32_t i = 0; status == BR_OK && i < count; i++)
        compare_record(at, table, from + i, rows_value(&rows));
    tool_answer_done(&answer);
    arena_done(&arena);
    buf_done(&path);
    return status;
}

static br_status compare_tables(struct comparing *at)
{
    const struct cluster *cluster = &at->plan->cluster;
    br_status status = BR_OK;
    for (uint32_t i = 0; status == BR_OK && i < cluster->table_count; i++) {
        const struct table *table = &cluster->tables[i];
        for (int32_t from = -1; status == BR_OK && from < table->def.partition_count;
             from += COMPARE_CHUNK) {
            int32_t left = table->def.partition_count - from;
            status = compare_chunk(at, table, from, left < COMPARE_CHUNK ? left : COMPARE_CHUNK);
        }
    }
    return status;
}

/* Children of `apps` that no plan knows of. */
static br_status compare_surplus(struct comparing *at, const char *apps)
{
    const struct cluster *cluster = &at->plan->cluster;
    int32_t highest = cluster->table_count ? cluster->tables[cluster->table_count - 1].def.id : 0;
    struct tool_answer answer;
    const char *name;
    tool_list(at->tool, apps, &answer);
    br_status status = answer.status;
    if (status != BR_OK && status != BR_NOTFOUND)
        *at->fail = answer.fail;
    struct rows rows = { .chunk = status == BR_OK ? answer.chunks : NULL };
    while ((name = rows_name(&rows))) {
        int32_t id = rows_number(name, BR_TABLE_ID_MAX);
        if (id > highest) {
            at->compare->moved++; /* made since */
        } else if (id < 1 || !cluster_table(cluster, id)) {
            at->compare->surplus++;
            compare_tell(at->compare, "%s/%s: was not planned", apps, name);
        }
    }
    tool_answer_done(&answer);
    return status == BR_NOTFOUND ? BR_OK : status;
}

static br_status compare_apps(struct comparing *at, const char *apps)
{
    struct tool_answer answer;
    tool_read(at->tool, (const char *const[]){ apps }, 1, &answer);
    br_status status = answer.status;
    if (status != BR_OK)
        *at->fail = answer.fail;
    struct rows rows = { .chunk = status == BR_OK ? answer.chunks : NULL };
    const struct br_value *value = rows_value(&rows);
    if (status == BR_OK && (!value || value->status != BR_OK)) {
        at->compare->missing++;
        compare_tell(at->compare, "%s: is missing", apps);
    } else if (status == BR_OK
               && (value->value.size != 6 || memcmp(value->value.data, "unlock", 6) != 0)) {
        at->compare->differing++;
        compare_tell(at->compare,
                     "%s: its value is not \"unlock\": what stands below it is not whole", apps);
    }
    tool_answer_done(&answer);
    return status;
}

br_status stage_compare_store(const struct stage_plan *plan, struct tool *tool, const char *root,
                              struct compare *compare, struct fail *ret_fail)
{
    struct comparing at = {
        .plan = plan, .tool = tool, .root = root, .compare = compare, .fail = ret_fail
    };
    struct buf apps = { 0 };
    buf_printf(&apps, "%s/apps", strcmp(root, "/") == 0 ? "" : root);
    br_status status = compare_apps(&at, apps.data);
    if (status == BR_OK)
        status = compare_surplus(&at, apps.data);
    if (status == BR_OK)
        status = compare_tables(&at);
    compare->nothing = status == BR_OK && compare->missing && !compare->same && !compare->moved
                       && !compare->differing;
    buf_done(&apps);
    return status;
}
