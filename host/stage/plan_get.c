/* plan_get -- a plan's file back to what it was; its records must have the hash that it says. */
#include <stdlib.h>
#include <string.h>

#include "host/base/intern.h"
#include "host/base/mem.h"
#include "host/stage/plan_file.h"

struct plan_reader {
    struct reader *reader;
    struct stage_plan *plan;
    struct intern intern;
    enum layout_version version;
    char hash[PLAN_HASH_SIZE];
    struct table *tables; /* until all are there */
    const char *const **sources;
    uint32_t table_count, table_room;
    uint64_t partitions;
};

static const char *get_text(struct plan_reader *from, const char *key)
{
    if (key)
        reader_key(from->reader, key);
    const char *text = reader_text(from->reader);
    return intern_bytes(&from->intern, text, strlen(text));
}

static const char *const *get_texts(struct plan_reader *from, const char *key, uint32_t max)
{
    const char **texts = NULL;
    size_t count = 0, room = 0;
    reader_key(from->reader, key);
    reader_open(from->reader, '[');
    while (reader_more(from->reader, ']')) {
        if (count == max) {
            reader_complain(from->reader, "more than %u entries", max);
            break;
        }
        if (count == room) {
            room = room ? 2 * room : 16;
            texts = mem_grow(texts, room * sizeof *texts);
        }
        texts[count++] = get_text(from, NULL);
    }
    const char **kept = arena_zero(&from->plan->arena, (count + 1) * sizeof *kept);
    if (count)
        memcpy(kept, texts, count * sizeof *kept);
    free(texts);
    return kept;
}

static size_t get_count(const char *const *texts)
{
    size_t count = 0;
    while (texts[count])
        count++;
    return count;
}

static int64_t get_number(struct plan_reader *from, const char *key, int64_t low, int64_t high)
{
    reader_key(from->reader, key);
    return reader_number(from->reader, low, high);
}

static bool get_bool(struct plan_reader *from, const char *key)
{
    reader_key(from->reader, key);
    return reader_bool(from->reader);
}

/* -- Findings and what is lost ---------------------------------------------------------------- */

static int32_t get_severity(struct plan_reader *from)
{
    static const char *const words[] = { "note", "warning", "loss", "refusal" };
    const char *word = get_text(from, "severity");
    for (int32_t i = 0; i < 4; i++) {
        if (strcmp(words[i], word) == 0)
            return i;
    }
    reader_complain(from->reader, "a severity is note, warning, loss or refusal");
    return BR_REFUSAL;
}

static void get_finding(struct plan_reader *from, struct stage_finding *finding)
{
    reader_open(from->reader, '{');
    finding->severity = get_severity(from);
    finding->node = (int32_t) get_number(from, "node", -1, BR_NODES_MAX);
    finding->table = (int32_t) get_number(from, "table", -1, INT32_MAX);
    finding->partition = (int32_t) get_number(from, "partition", INT32_MIN, INT32_MAX);
    finding->consent = get_text(from, "consent");
    finding->consented = get_bool(from, "consented");
    reader_key(from->reader, "text");
    const char *text = reader_text(from->reader);
    finding->text = arena_text(&from->plan->arena, text, strlen(text));
    reader_close(from->reader, '}');
}

static void get_findings(struct plan_reader *from)
{
    struct stage_plan *plan = from->plan;
    struct stage_finding *findings = NULL;
    size_t room = 0;
    reader_key(from->reader, "findings");
    reader_open(from->reader, '[');
    while (reader_more(from->reader, ']')) {
        if (plan->finding_count == STAGE_FINDINGS_MAX) {
            reader_complain(from->reader, "more than %d findings", STAGE_FINDINGS_MAX);
            break;
        }
        if (plan->finding_count == room) {
            room = room ? 2 * room : 64;
            findings = mem_grow(findings, room * sizeof *findings);
        }
        get_finding(from, &findings[plan->finding_count++]);
    }
    size_t size = plan->finding_count * sizeof *findings;
    plan->findings = arena_alloc(&plan->arena, size + 1);
    if (size)
        memcpy(plan->findings, findings, size);
    free(findings);
}

static void get_lost(struct plan_reader *from)
{
    struct buf *lost = &from->plan->lost;
    reader_key(from->reader, "lost");
    reader_open(from->reader, '[');
    for (bool first = true; reader_more(from->reader, ']'); first = false) {
        reader_open(from->reader, '{');
        buf_text(lost, first ? "\n{\"what\":" : ",\n{\"what\":");
        buf_json(lost, get_text(from, "what"));
        buf_text(lost, ",\"text\":");
        reader_key(from->reader, "text");
        buf_json(lost, reader_text(from->reader));
        buf_char(lost, '}');
        reader_close(from->reader, '}');
    }
}

/* -- Tables ----------------------------------------------------------------------------------- */

static void get_partition(struct plan_reader *from, struct partition *partition)
{
    int32_t drops[BR_DROPS_MAX];
    reader_open(from->reader, '[');
    reader_next(from->reader);
    partition->ballot = reader_number(from->reader, -1, INT64_MAX);
    reader_next(from->reader);
    partition->primary = (int32_t) reader_number(from->reader, -1, BR_NODES_MAX - 1);
    reader_next(from->reader);
    reader_open(from->reader, '[');
    while (reader_more(from->reader, ']')) {
        if (partition->drop_count == BR_DROPS_MAX) {
            reader_complain(from->reader, "more than %d last_drops", BR_DROPS_MAX);
            return;
        }
        drops[partition->drop_count++] = (int32_t) reader_number(from->reader, 0, BR_NODES_MAX - 1);
    }
    reader_close(from->reader, ']');
    if (!partition->drop_count)
        return;
    size_t size = partition->drop_count * sizeof *drops;
    int32_t *members = arena_alloc(&from->plan->cluster.arena, size);
    memcpy(members, drops, size);
    partition->members = members;
}

static void get_partitions(struct plan_reader *from, struct table *table)
{
    struct partition *partitions = NULL;
    int32_t count = 0, room = 0;
    reader_key(from->reader, "partitions");
    reader_open(from->reader, '[');
    while (reader_more(from->reader, ']')) {
        if (count == table->def.partition_count || ++from->partitions > CLUSTER_PARTITIONS_MAX) {
            reader_complain(from->reader, "more partitions than partition_count or %d",
                            CLUSTER_PARTITIONS_MAX);
            break;
        }
        if (count == room) {
            room = room ? 2 * room : 64;
            partitions = mem_grow(partitions, (size_t) room * sizeof *partitions);
        }
        partitions[count] = (struct partition){ .primary = -1 };
        get_partition(from, &partitions[count++]);
    }
    if (count != table->def.partition_count)
        reader_complain(from->reader, "table %d has %d of %d partitions", table->def.id, count,
                        table->def.partition_count);
    size_t size = (size_t) count * sizeof *partitions;
    table->partitions = arena_alloc(&from->plan->cluster.arena, size + 1);
    if (size)
        memcpy(table->partitions, partitions, size);
    free(partitions);
}

static void get_def(struct plan_reader *from, struct br_table *def)
{
    *def = (struct br_table){ .node = -1 };
    def->id = (int32_t) get_number(from, "id", 1, BR_TABLE_ID_MAX);
    def->status = (int32_t) get_number(from, "status", 0, BR_TABLE_RECALLING);
    def->name = get_text(from, "name");
    def->type = get_text(from, "type");
    def->partition_count = (int32_t) get_number(from, "partition_count", 1, BR_PARTITIONS_MAX);
    def->replica_count = (int32_t) get_number(from, "replica_count", 1, BR_DROPS_MAX + 1);
    def->init_partition_count =
        (int32_t) get_number(from, "init_partition_count", INT32_MIN, INT32_MAX);
    def->flags = (uint32_t) get_number(from, "flags", 0, UINT32_MAX);
    def->expire_second = get_number(from, "expire_second", INT64_MIN, INT64_MAX);
    def->create_second = get_number(from, "create_second", INT64_MIN, INT64_MAX);
    def->drop_second = get_number(from, "drop_second", INT64_MIN, INT64_MAX);
    def->envs = get_texts(from, "envs", UINT32_MAX);
    size_t count = get_count(def->envs);
    if (count % 2)
        reader_complain(from->reader, "environments are keys and values by turns");
    def->env_count = (uint32_t) (count / 2);
}

static void get_table(struct plan_reader *from)
{
    if (from->table_count == from->table_room) {
        from->table_room = from->table_room ? 2 * from->table_room : 16;
        from->tables = mem_grow(from->tables, from->table_room * sizeof *from->tables);
        from->sources = mem_grow(from->sources, from->table_room * sizeof *from->sources);
    }
    struct table *table = &from->tables[from->table_count];
    *table = (struct table){ .partitions = NULL };
    reader_open(from->reader, '{');
    get_def(from, &table->def);
    if (from->table_count && table->def.id <= table[-1].def.id)
        reader_complain(from->reader, "tables stand by ascending id");
    from->sources[from->table_count++] = get_texts(from, "sources", 1000);
    get_partitions(from, table);
    reader_close(from->reader, '}');
}

static void get_tables(struct plan_reader *from)
{
    struct cluster *cluster = &from->plan->cluster;
    reader_key(from->reader, "tables");
    reader_open(from->reader, '[');
    while (reader_more(from->reader, ']')) {
        if (from->table_count == BR_TABLES_MAX) {
            reader_complain(from->reader, "more than %d tables", BR_TABLES_MAX);
            break;
        }
        get_table(from);
    }
    size_t size = from->table_count * sizeof *from->tables;
    size_t sources = from->table_count * sizeof *from->sources;
    cluster->tables = arena_alloc(&cluster->arena, size + 1);
    from->plan->sources = arena_alloc(&from->plan->arena, sources + 1);
    if (size) {
        memcpy(cluster->tables, from->tables, size);
        memcpy(from->plan->sources, from->sources, sources);
    }
    cluster->table_count = from->table_count;
    free(from->tables);
    free(from->sources);
}

/* -- All of it -------------------------------------------------------------------------------- */

static void get_hash(struct plan_reader *from)
{
    const char *hash = get_text(from, "hash");
    if (strlen(hash) == PLAN_HASH_SIZE - 1)
        memcpy(from->hash, hash, PLAN_HASH_SIZE);
    else
        reader_complain(from->reader, "a hash has %d digits", PLAN_HASH_SIZE - 1);
}

static void get_root(struct plan_reader *from)
{
    struct buf root = { 0 };
    struct fail fail;
    from->plan->root = get_text(from, "root");
    if (layout_root(from->plan->root, &root, &fail) != BR_OK
        || strcmp(root.data, from->plan->root) != 0)
        reader_complain(from->reader, "the root is no path as a plan has it");
    buf_done(&root);
}

static void get_head(struct plan_reader *from)
{
    struct stage_plan *plan = from->plan;
    if (strcmp(get_text(from, "format"), "bridle plan") != 0)
        reader_complain(from->reader, "this is no plan");
    if (get_number(from, "version", 0, INT32_MAX) != STAGE_VERSION)
        reader_complain(from->reader,
                        "a plan of another version than %d: use the bridle that wrote it",
                        STAGE_VERSION);
    get_hash(from);
    plan->passes = get_bool(from, "passes");
    plan->cluster_name = get_text(from, "cluster");
    get_root(from);
    const char *layout = get_text(from, "layout");
    from->version = strcmp(layout, "2.6") == 0 ? LAYOUT_26 : LAYOUT_25;
    if (from->version == LAYOUT_25 && strcmp(layout, "2.5") != 0)
        reader_complain(from->reader, "a layout is 2.5 or 2.6");
    plan->policy = get_text(from, "policy");
    plan->policy_version = get_text(from, "policy_version");
    plan->policy_options = get_texts(from, "policy_options", 2 * STAGE_OPTIONS_MAX);
    if (get_count(plan->policy_options) % 2)
        reader_complain(from->reader, "options are keys and values by turns");
    plan->consents = get_texts(from, "consents", CONSENTS_MAX);
    plan->dead = get_texts(from, "assumed_dead", STAGE_ASSUMED_MAX);
    plan->back = get_texts(from, "assumed_back", STAGE_ASSUMED_MAX);
}

/* The cluster's nodes are the survey's, and each one that is named must be there. */
static void get_nodes(struct plan_reader *from)
{
    struct cluster *cluster = &from->plan->cluster;
    const struct survey *survey = from->plan->survey;
    for (uint32_t i = 0; i < survey->node_count; i++) {
        const struct survey_node *node = &survey->nodes[i];
        if (cluster_node_add(cluster, node->name, node->address) != (int32_t) i)
            reader_complain(from->reader, "node %s stands there twice", node->name);
    }
    for (uint32_t i = 0; i < cluster->table_count && !from->reader->wrong; i++) {
        const struct table *table = &cluster->tables[i];
        for (int32_t j = 0; j < table->def.partition_count; j++) {
            const struct partition *partition = &table->partitions[j];
            int32_t highest = partition->primary;
            for (uint16_t k = 0; k < partition->drop_count; k++)
                highest = partition->members[k] > highest ? partition->members[k] : highest;
            if (highest >= (int32_t) survey->node_count)
                reader_complain(from->reader, "partition %d.%d names a node that is not there",
                                table->def.id, j);
        }
    }
}

static br_status get_all(struct plan_reader *from, const char *file, struct fail *ret_fail)
{
    struct stage_plan *plan = from->plan;
    reader_open(from->reader, '{');
    get_head(from);
    get_findings(from);
    get_lost(from);
    get_texts(from, "partition_sources", 1000);
    get_tables(from);
    reader_key(from->reader, "survey");
    plan->survey = survey_get(from->reader);
    reader_close(from->reader, '}');
    if (plan->survey)
        get_nodes(from);
    br_status status = reader_done(from->reader);
    if (status != BR_OK)
        return status;
    plan_make(&plan->plan, &plan->cluster, plan->root, from->version);
    if (strcmp(plan->plan.hash, from->hash) == 0)
        return BR_OK;
    return fail_set(ret_fail, BR_CORRUPT,
                    "%s: its records do not have the hash that it says (%.12s, not %.12s): it was "
                    "changed or damaged; make the plan again",
                    file, plan->plan.hash, from->hash);
}

br_status stage_plan_parse(struct stage_plan *plan, const char *file, char *text, size_t size,
                           struct fail *ret_fail)
{
    struct reader reader;
    struct plan_reader from = { .reader = &reader, .plan = plan };
    *plan = (struct stage_plan){ 0 };
    arena_init(&plan->arena, 0);
    cluster_init(&plan->cluster);
    intern_init(&from.intern, &plan->arena);
    reader_init(&reader, file, text, size, ret_fail);
    br_status status = get_all(&from, file, ret_fail);
    intern_done(&from.intern);
    return status;
}

br_status stage_plan_load(struct stage_plan *plan, const char *file, struct fail *ret_fail)
{
    struct buf text = { 0 };
    *plan = (struct stage_plan){ 0 };
    arena_init(&plan->arena, 0);
    cluster_init(&plan->cluster);
    br_status status = ret_fail->status;
    if (stage_read_file(file, &text, ret_fail)) {
        stage_plan_done(plan);
        status = stage_plan_parse(plan, file, text.data, text.size, ret_fail);
    } else {
        status = ret_fail->status;
    }
    buf_done(&text);
    return status;
}
