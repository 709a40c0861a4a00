/* manifest -- where each field of each record comes from, and what no survey can bring back.
 *
 * A field of a table's definition is looked for in the claims about it: who agrees is its source.
 * What no claim says was made by the host or the policy.  What is lost is behaviour that is known
 * (src/replica/replica_stub.cpp: .app-info keeps almost no environments, and no drop).
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/stage/plan_file.h"

#define MANIFEST_SHOWN_MAX 20 /* tables that are named in one sentence */

const char *const stage_partition_sources[] = {
    "pid",
    "inferred: its place",
    "ballot",
    "node: the primary's, as that reported it (0 where there is none)",
    "max_replica_count",
    "inferred: its table's",
    "primary",
    "node: the policy's choice among those that reported a replica",
    "secondaries",
    "default: none; they join once the primary serves",
    "last_drops",
    "node: the others that reported a replica, the best at the back",
    "last_committed_decree",
    "default: 0",
    "partition_flags",
    "default: 0",
    NULL,
};

enum manifest_kind { MANIFEST_I32, MANIFEST_I64, MANIFEST_TEXT, MANIFEST_FLAG, MANIFEST_ENVS };

static const struct manifest_field {
    const char *name;
    enum manifest_kind kind;
    uint32_t flag;
    size_t offset;
} manifest_fields[] = {
    { "status", MANIFEST_I32, 0, offsetof(struct br_table, status) },
    { "app_type", MANIFEST_TEXT, 0, offsetof(struct br_table, type) },
    { "app_name", MANIFEST_TEXT, 0, offsetof(struct br_table, name) },
    { "partition_count", MANIFEST_I32, 0, offsetof(struct br_table, partition_count) },
    { "envs", MANIFEST_ENVS, 0, 0 },
    { "is_stateful", MANIFEST_FLAG, BR_TABLE_STATEFUL, 0 },
    { "max_replica_count", MANIFEST_I32, 0, offsetof(struct br_table, replica_count) },
    { "expire_second", MANIFEST_I64, 0, offsetof(struct br_table, expire_second) },
    { "create_second", MANIFEST_I64, 0, offsetof(struct br_table, create_second) },
    { "drop_second", MANIFEST_I64, 0, offsetof(struct br_table, drop_second) },
    { "duplicating", MANIFEST_FLAG, BR_TABLE_DUPLICATING, 0 },
    { "init_partition_count", MANIFEST_I32, 0, offsetof(struct br_table, init_partition_count) },
    { "is_bulk_loading", MANIFEST_FLAG, BR_TABLE_BULK_LOADING, 0 },
    { "atomic_idempotent", MANIFEST_FLAG, BR_TABLE_ATOMIC_IDEMPOTENT, 0 },
};
#define MANIFEST_FIELDS (sizeof manifest_fields / sizeof *manifest_fields)

const char *stage_source(const char *const *sources, const char *field)
{
    for (; sources && sources[0] && sources[1]; sources += 2) {
        if (strcmp(sources[0], field) == 0)
            return sources[1];
    }
    return "";
}

/* -- Claims by table -------------------------------------------------------------------------- */

struct manifest {
    struct stage_plan *plan;
    const struct br_table **claims; /* by id, then by node */
    size_t count;
};

static int manifest_order(const void *a, const void *b)
{
    const struct br_table *x = *(const struct br_table *const *) a;
    const struct br_table *y = *(const struct br_table *const *) b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

static void manifest_collect(struct manifest *manifest)
{
    const struct survey *survey = manifest->plan->survey;
    size_t room = 0;
    for (uint32_t i = 0; i < survey->node_count; i++) {
        const struct br_chunk *at = survey->nodes[i].complete ? survey->nodes[i].tables : NULL;
        for (; at; at = at->next) {
            for (uint32_t j = 0; j < at->count; j++) {
                if (manifest->count == room) {
                    room = room ? 2 * room : 256;
                    manifest->claims = mem_grow(manifest->claims, room * sizeof(void *));
                }
                manifest->claims[manifest->count++] = (const struct br_table *) at->rows + j;
            }
        }
    }
    if (manifest->count)
        qsort(manifest->claims, manifest->count, sizeof(void *), manifest_order);
}

/* -- One table -------------------------------------------------------------------------------- */

static bool manifest_same_envs(const struct br_table *a, const struct br_table *b)
{
    if (a->env_count != b->env_count)
        return false;
    for (uint32_t i = 0; i < a->env_count; i++) {
        bool found = false;
        for (uint32_t j = 0; j < b->env_count && !found; j++)
            found = b->envs[2 * j] && b->envs[2 * j + 1]
                    && strcmp(a->envs[2 * i], b->envs[2 * j]) == 0
                    && strcmp(a->envs[2 * i + 1], b->envs[2 * j + 1]) == 0;
        if (!found)
            return false;
    }
    return true;
}

static bool manifest_same(const struct manifest_field *field, const struct br_table *a,
                          const struct br_table *b)
{
    const void *x = (const char *) a + field->offset;
    const void *y = (const char *) b + field->offset;
    switch (field->kind) {
    case MANIFEST_I32: return memcmp(x, y, sizeof(int32_t)) == 0;
    case MANIFEST_I64: return memcmp(x, y, sizeof(int64_t)) == 0;
    case MANIFEST_FLAG: return ((a->flags ^ b->flags) & field->flag) == 0;
    case MANIFEST_ENVS: return manifest_same_envs(a, b);
    case MANIFEST_TEXT: break;
    }
    const char *left = *(const char *const *) x;
    const char *right = *(const char *const *) y;
    return right && strcmp(left, right) == 0;
}

/* Why a field has a value that nobody reported. */
static const char *manifest_inferred(const struct manifest_field *field)
{
    if (strcmp(field->name, "app_name") == 0)
        return "inferred: renamed, because another table bears the name that was reported";
    if (strcmp(field->name, "status") == 0)
        return "inferred: by the policy, from a table that nobody reports as available";
    if (field->kind == MANIFEST_ENVS)
        return "inferred: the reported ones without what cannot be read back or stands twice";
    return "inferred: by the policy";
}

static const char *manifest_source(const struct manifest *manifest, const struct br_table *def,
                                   const struct manifest_field *field, size_t first, size_t end)
{
    struct buf text = { 0 };
    const struct br_table *source = NULL;
    size_t agree = 0;
    for (size_t i = first; i < end; i++) {
        if (!manifest_same(field, def, manifest->claims[i]))
            continue;
        source = source ? source : manifest->claims[i];
        agree++;
    }
    if (source)
        buf_printf(&text, "node %s (%zu of %zu agree)",
                   manifest->plan->survey->nodes[source->node].name, agree, end - first);
    else
        buf_text(&text, manifest_inferred(field));
    const char *kept = arena_text(&manifest->plan->arena, text.data, text.size);
    buf_done(&text);
    return kept;
}

static const char *const *manifest_table(const struct manifest *manifest,
                                         const struct br_table *def, size_t first, size_t end)
{
    const char **sources =
        arena_zero(&manifest->plan->arena, (2 * MANIFEST_FIELDS + 3) * sizeof *sources);
    size_t at = 0;
    sources[at++] = "app_id";
    sources[at++] = "inferred: its place";
    for (size_t i = 0; i < MANIFEST_FIELDS; i++) {
        sources[at++] = manifest_fields[i].name;
        sources[at++] = first == end
                            ? "default: no server reports this id, so its place is held"
                            : manifest_source(manifest, def, &manifest_fields[i], first, end);
    }
    return sources;
}

void stage_plan_sources(struct stage_plan *plan)
{
    struct manifest manifest = { .plan = plan };
    const struct cluster *cluster = &plan->cluster;
    size_t first = 0;
    manifest_collect(&manifest);
    plan->sources = arena_zero(&plan->arena, (cluster->table_count + 1) * sizeof *plan->sources);
    for (uint32_t i = 0; i < cluster->table_count; i++) {
        int32_t id = cluster->tables[i].def.id;
        while (first < manifest.count && manifest.claims[first]->id < id)
            first++;
        size_t end = first;
        while (end < manifest.count && manifest.claims[end]->id == id)
            end++;
        plan->sources[i] = manifest_table(&manifest, &cluster->tables[i].def, first, end);
        first = end;
    }
    free(manifest.claims);
}

/* -- What is lost ----------------------------------------------------------------------------- */

static void lost_add(struct stage_plan *plan, const char *what, const char *text)
{
    buf_text(&plan->lost, plan->lost.size ? ",\n{\"what\":" : "\n{\"what\":");
    buf_json(&plan->lost, what);
    buf_text(&plan->lost, ",\"text\":");
    buf_json(&plan->lost, text);
    buf_char(&plan->lost, '}');
}

/* "ids 2, 5 and 7 more"; false: there are none. */
static bool lost_ids(const struct stage_plan *plan, bool (*is)(const struct stage_plan *, uint32_t),
                     struct buf *text)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->cluster.table_count; i++) {
        if (is(plan, i) && count++ < MANIFEST_SHOWN_MAX)
            buf_printf(text, "%s%d", count > 1 ? ", " : "", plan->cluster.tables[i].def.id);
    }
    if (count > MANIFEST_SHOWN_MAX)
        buf_printf(text, " and %u more", count - MANIFEST_SHOWN_MAX);
    return count > 0;
}

static bool lost_placeholder(const struct stage_plan *plan, uint32_t index)
{
    return strncmp(stage_source(plan->sources[index], "status"), "default", 7) == 0;
}

static bool lost_duplicating(const struct stage_plan *plan, uint32_t index)
{
    return plan->cluster.tables[index].def.flags & BR_TABLE_DUPLICATING;
}

static bool lost_bulk_loading(const struct stage_plan *plan, uint32_t index)
{
    return plan->cluster.tables[index].def.flags & BR_TABLE_BULK_LOADING;
}

static void lost_tables(struct stage_plan *plan, const char *what, const char *format_before,
                        bool (*is)(const struct stage_plan *, uint32_t), const char *none)
{
    struct buf ids = { 0 };
    struct buf text = { 0 };
    if (lost_ids(plan, is, &ids))
        buf_printf(&text, "%s: tables %s", format_before, buf_string(&ids));
    else
        buf_text(&text, none);
    lost_add(plan, what, text.data);
    buf_done(&ids);
    buf_done(&text);
}

void stage_plan_lost(struct stage_plan *plan)
{
    lost_add(plan, "environments",
             "servers report at most what they had when the replica was opened, disks keep only "
             "rocksdb.allow_ingest_behind: every other environment of every table must be set "
             "again (get_app_envs, set_app_envs)");
    lost_add(plan, "drop state",
             "disks keep no drop: a table that had been dropped and whose replicas are there "
             "comes back as an ordinary one, without drop and expiry time");
    lost_tables(plan, "ids without data",
                "no server holds anything of these ids, they become dropped placeholders; ids "
                "above the highest one that is known are given again",
                lost_placeholder, "ids above the highest one that is known are given again");
    lost_tables(plan, "duplication",
                "duplications and their progress are gone, while these tables are still marked "
                "as duplicating, which keeps their logs from being deleted",
                lost_duplicating, "duplications and their progress are gone");
    lost_add(plan, "backup", "backup policies and their history are gone");
    lost_tables(plan, "bulk load",
                "the state of bulk loads is gone, while these tables are marked as loading",
                lost_bulk_loading, "the state of bulk loads is gone");
    lost_add(plan, "split", "the state of partition splits under way is gone");
    lost_add(plan, "members",
             "who was primary and secondary is gone: each partition starts with one primary, the "
             "others join again; last_committed_decree starts at 0");
    lost_add(plan, "function level", "the function level is what the configuration says");
}
