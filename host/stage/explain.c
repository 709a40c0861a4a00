/* explain -- see explain.h. */
#include "host/stage/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/mem.h"

struct explain {
    const struct stage_plan *plan;
    struct tool *tool;
    struct arena arena;
    struct survey small; /* the evidence about this partition alone */
    const struct table *table;
    const struct partition *partition;
    int32_t id, index;
    const struct br_replica *candidates[BR_REPLICAS_MAX];
    uint32_t count;
    struct buf rule;
    const char *changes[BR_REPLICAS_MAX + 2];
    uint32_t change_count;
};

const char *stage_role(br_role role)
{
    static const char *const names[] = {
        [BR_ROLE_INVALID] = "INVALID",       [BR_ROLE_INACTIVE] = "INACTIVE",
        [BR_ROLE_ERROR] = "ERROR",           [BR_ROLE_PRIMARY] = "PRIMARY",
        [BR_ROLE_SECONDARY] = "SECONDARY",   [BR_ROLE_LEARNER] = "POTENTIAL_SECONDARY",
        [BR_ROLE_SPLIT] = "PARTITION_SPLIT",
    };
    return role >= 0 && role <= BR_ROLE_SPLIT ? names[role] : "unknown";
}

static const char *explain_name(const struct explain *explain, int32_t node)
{
    return node < 0 ? "nobody" : explain->plan->survey->nodes[node].name;
}

/* -- The evidence about it -------------------------------------------------------------------- */

/* The rows of this chunk list that are about it, as one chunk; NULL: none. */
static const struct br_chunk *explain_sift(struct explain *explain, const struct br_chunk *chunk,
                                           size_t size, bool table)
{
    struct br_chunk *kept = NULL;
    char *rows = NULL;
    for (const struct br_chunk *at = chunk; at; at = at->next) {
        for (uint32_t i = 0; i < at->count; i++) {
            const char *row = (const char *) at->rows + i * size;
            const struct br_replica *replica = (const void *) row;
            const struct br_table *claim = (const void *) row;
            if (table ? claim->id != explain->id
                      : replica->table != explain->id || replica->partition != explain->index)
                continue;
            if (!kept) {
                kept = arena_zero(&explain->arena, sizeof *kept);
                rows = arena_alloc(&explain->arena, BR_REPLICAS_MAX * size);
                *kept = (struct br_chunk){ .kind = at->kind,
                                           .row_size = (uint32_t) size,
                                           .rows = rows };
            }
            if (kept->count < BR_REPLICAS_MAX)
                memcpy(rows + kept->count++ * size, row, size);
        }
    }
    return kept;
}

static void explain_collect(struct explain *explain)
{
    const struct survey *survey = explain->plan->survey;
    struct survey *small = &explain->small;
    *small = (struct survey){ .node_count = survey->node_count,
                              .silent_count = survey->silent_count,
                              .second = survey->second };
    small->nodes = arena_zero(&explain->arena, survey->node_count * sizeof *small->nodes);
    for (uint32_t i = 0; i < survey->node_count; i++) {
        struct survey_node *node = &small->nodes[i];
        *node = survey->nodes[i];
        node->tables =
            explain_sift(explain, survey->nodes[i].tables, sizeof(struct br_table), true);
        node->replicas =
            explain_sift(explain, survey->nodes[i].replicas, sizeof(struct br_replica), false);
        const struct br_replica *rows = node->replicas ? node->replicas->rows : NULL;
        for (uint32_t j = 0; rows && j < node->replicas->count; j++) {
            if (explain->count < BR_REPLICAS_MAX)
                explain->candidates[explain->count++] = &rows[j];
        }
    }
}

/* Judge it without some of the candidates' rows; the primary, -1: nobody. */
static br_status explain_judge(struct explain *explain, const bool *without, int32_t *ret_primary,
                               struct fail *ret_fail)
{
    struct survey tried = explain->small;
    struct cluster cluster;
    struct arena arena;
    arena_init(&arena, 0);
    tried.nodes = arena_alloc(&arena, tried.node_count * sizeof *tried.nodes);
    memcpy(tried.nodes, explain->small.nodes, tried.node_count * sizeof *tried.nodes);
    for (uint32_t i = 0; without && i < tried.node_count; i++) {
        if (without[i])
            tried.nodes[i].replicas = NULL;
    }
    br_status status = stage_judge_again(explain->plan, explain->tool, &tried, &cluster, ret_fail);
    if (status == BR_OK) {
        const struct table *table = cluster_table(&cluster, explain->id);
        bool there = table && explain->index < table->def.partition_count;
        *ret_primary = there ? table->partitions[explain->index].primary : -1;
        cluster_done(&cluster);
    }
    arena_done(&arena);
    return status;
}

/* -- The rule --------------------------------------------------------------------------------- */

static bool explain_promising(const struct br_replica *replica)
{
    return replica->role == BR_ROLE_INACTIVE || replica->role == BR_ROLE_PRIMARY
           || replica->role == BR_ROLE_SECONDARY;
}

enum explain_rule { RULE_BALLOT, RULE_STATUS, RULE_COMMITTED, RULE_PREPARED, RULE_ROLE, RULE_NONE };

/* The first thing in which they differ; *ret_better: is it the first one that has more of it? */
static enum explain_rule explain_compare(const struct br_replica *a, const struct br_replica *b,
                                         bool *ret_better)
{
    const int64_t pairs[][2] = {
        [RULE_BALLOT] = { a->ballot, b->ballot },
        [RULE_STATUS] = { explain_promising(a), explain_promising(b) },
        [RULE_COMMITTED] = { a->committed, b->committed },
        [RULE_PREPARED] = { a->prepared, b->prepared },
        [RULE_ROLE] = { a->role == BR_ROLE_PRIMARY, b->role == BR_ROLE_PRIMARY },
    };
    for (int rule = RULE_BALLOT; rule < RULE_NONE; rule++) {
        *ret_better = pairs[rule][0] > pairs[rule][1];
        if (pairs[rule][0] != pairs[rule][1])
            return (enum explain_rule) rule;
    }
    *ret_better = true;
    return RULE_NONE;
}

static const struct br_replica *explain_primary(const struct explain *explain)
{
    for (uint32_t i = 0; i < explain->count; i++) {
        if (explain->candidates[i]->node == explain->partition->primary)
            return explain->candidates[i];
    }
    return NULL;
}

static const struct br_replica *explain_rival(const struct explain *explain,
                                              const struct br_replica *primary)
{
    const struct br_replica *rival = NULL;
    for (uint32_t i = 0; i < explain->count; i++) {
        bool better = true;
        const struct br_replica *at = explain->candidates[i];
        if (at == primary)
            continue;
        if (!rival || (explain_compare(at, rival, &better) != RULE_NONE && better))
            rival = at;
    }
    return rival;
}

/* What the primary has and the next one has not; true: the first has more of it. */
static bool explain_against(struct buf *rule, const struct br_replica *primary,
                            const struct br_replica *rival, const char *name)
{
    bool better = true;
    switch (explain_compare(primary, rival, &better)) {
    case RULE_BALLOT:
        buf_printf(rule, "the ballot: %" PRId64 " against %" PRId64, primary->ballot,
                   rival->ballot);
        break;
    case RULE_STATUS:
        buf_printf(rule, "of one ballot, the status: %s against %s", stage_role(primary->role),
                   stage_role(rival->role));
        break;
    case RULE_COMMITTED:
        buf_printf(rule, "of one ballot, the committed decree: %" PRId64 " against %" PRId64,
                   primary->committed, rival->committed);
        break;
    case RULE_PREPARED:
        buf_printf(rule,
                   "of one ballot and committed decree, the prepared one: %" PRId64
                   " against %" PRId64,
                   primary->prepared, rival->prepared);
        break;
    case RULE_ROLE:
        buf_printf(rule, "of equal ones, who reports itself primary; %s comes next", name);
        return better;
    case RULE_NONE:
        buf_printf(rule,
                   "equal ones: list order and the partition's index, so that primaries spread "
                   "(the policy's ties); %s is as good",
                   name);
        return better;
    }
    buf_printf(rule, " of %s, which comes next", name);
    return better;
}

static void explain_rule(struct explain *explain)
{
    struct buf *rule = &explain->rule;
    const struct br_replica *primary = explain_primary(explain);
    const struct br_replica *rival = primary ? explain_rival(explain, primary) : NULL;
    if (explain->table->def.status != BR_TABLE_AVAILABLE)
        buf_text(rule, "the table is written as dropped, and its partitions empty");
    else if (!primary)
        buf_text(rule, explain->count
                           ? "none of the candidates can be judged: see the findings"
                           : "no server that answered holds a replica of it: it starts empty");
    else if (!rival)
        buf_text(rule, "it is the only replica that anybody reported");
    else if (!explain_against(rule, primary, rival, explain_name(explain, rival->node)))
        buf_text(rule, "; that one has more, and the policy passed it over: see the findings");
}

/* -- What would change it --------------------------------------------------------------------- */

BR_PRINTF(2, 3) static void explain_change(struct explain *explain, const char *format, ...)
{
    struct buf text = { 0 };
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    if (explain->change_count < sizeof explain->changes / sizeof *explain->changes)
        explain->changes[explain->change_count++] =
            arena_text(&explain->arena, text.data, text.size);
    buf_done(&text);
}

/* Without the primary, without that and the next one, and so on. */
static br_status explain_peel(struct explain *explain, struct fail *ret_fail)
{
    bool *without = arena_zero(&explain->arena, explain->small.node_count * sizeof *without);
    int32_t primary = explain->partition->primary;
    struct buf gone = { 0 };
    br_status status = BR_OK;
    for (uint32_t i = 0; status == BR_OK && primary >= 0 && i < explain->count; i++) {
        without[primary] = true;
        buf_printf(&gone, "%s%s", i ? " and " : "", explain_name(explain, primary));
        status = explain_judge(explain, without, &primary, ret_fail);
        if (status == BR_OK)
            explain_change(explain, "without %s: %s%s", buf_string(&gone),
                           primary < 0 ? "lost" : "the primary is ",
                           primary < 0 ? "" : explain_name(explain, primary));
    }
    buf_done(&gone);
    return status;
}

/* Does anybody else's silence change the primary? */
static br_status explain_others(struct explain *explain, struct fail *ret_fail)
{
    bool *without = arena_zero(&explain->arena, explain->small.node_count * sizeof *without);
    br_status status = BR_OK;
    for (uint32_t i = 0; status == BR_OK && i < explain->count; i++) {
        int32_t node = explain->candidates[i]->node;
        int32_t primary = -1;
        if (node == explain->partition->primary || without[node])
            continue;
        without[node] = true;
        status = explain_judge(explain, without, &primary, ret_fail);
        without[node] = false;
        if (status == BR_OK && primary != explain->partition->primary)
            explain_change(explain, "without %s: the primary is %s", explain_name(explain, node),
                           explain_name(explain, primary));
    }
    return status;
}

static void explain_more(struct explain *explain)
{
    const struct br_replica *primary = explain_primary(explain);
    uint32_t silent = explain->plan->survey->silent_count;
    if (explain->table->def.status != BR_TABLE_AVAILABLE)
        return;
    if (primary)
        explain_change(explain,
                       "another replica would be preferred with a ballot above %" PRId64
                       ", or with that ballot and a committed decree above %" PRId64
                       "; %u silent servers may hold one",
                       primary->ballot, primary->committed, silent);
    else
        explain_change(explain, "any replica of it would be taken; %u silent servers may hold one",
                       silent);
}

/* -- Telling ---------------------------------------------------------------------------------- */

/* "primary", "last_drops 1 of 2", "not named" */
static void explain_place(const struct explain *explain, int32_t node, char *text, size_t size)
{
    const struct partition *partition = explain->partition;
    snprintf(text, size, "%s", node == partition->primary ? "primary" : "not named");
    for (uint16_t i = 0; i < partition->drop_count; i++) {
        if (partition->members[i] == node)
            snprintf(text, size, "last_drops %d of %d", i + 1, partition->drop_count);
    }
}

static void explain_put_candidates(const struct explain *explain, struct buf *buf)
{
    char place[32];
    buf_printf(buf, "candidates\n  %-24s %-20s %8s %10s %10s %10s  %s\n", "server", "status",
               "ballot", "committed", "prepared", "durable", "becomes");
    for (uint32_t i = 0; i < explain->count; i++) {
        const struct br_replica *at = explain->candidates[i];
        explain_place(explain, at->node, place, sizeof place);
        buf_printf(buf,
                   "  %-24s %-20s %8" PRId64 " %10" PRId64 " %10" PRId64 " %10" PRId64 "  %s\n",
                   explain_name(explain, at->node), stage_role(at->role), at->ballot, at->committed,
                   at->prepared, at->durable, place);
    }
    if (!explain->count)
        buf_text(buf, "  none\n");
}

static void explain_put_findings(const struct stage_plan *plan, int32_t id, int32_t index,
                                 struct buf *buf)
{
    bool first = true;
    for (uint32_t i = 0; i < plan->finding_count; i++) {
        const struct stage_finding *finding = &plan->findings[i];
        if (finding->table != id || finding->partition != index)
            continue;
        buf_printf(buf, "%s  %s\n", first ? "findings\n" : "", finding->text);
        first = false;
    }
}

static void explain_put_record(const struct explain *explain, struct buf *buf)
{
    const struct stage_plan *plan = explain->plan;
    layout_put_partition(buf, &plan->cluster, explain->id, explain->table->def.replica_count,
                         explain->index, explain->partition, plan->plan.version);
}

static void explain_put_sources(const char *const *sources, struct buf *buf)
{
    buf_text(buf, "fields\n");
    for (; sources && sources[0]; sources += 2)
        buf_printf(buf, "  %-22s %s\n", sources[0], sources[1]);
}

static void explain_put(const struct explain *explain, struct buf *buf)
{
    static const char *const words[] = { "whole", "short of replicas", "lost" };
    const struct br_table *def = &explain->table->def;
    buf_printf(buf, "partition %d.%d of %s: %s\n", explain->id, explain->index, def->name,
               def->status == BR_TABLE_AVAILABLE
                   ? words[stage_partition_of(explain->table, explain->partition)]
                   : "of a dropped table");
    buf_printf(buf, "primary   %s\n", explain_name(explain, explain->partition->primary));
    explain_put_candidates(explain, buf);
    buf_printf(buf, "decided by\n  %s\nwhat would change it\n", buf_string(&explain->rule));
    for (uint32_t i = 0; i < explain->change_count; i++)
        buf_printf(buf, "  %s\n", explain->changes[i]);
    explain_put_findings(explain->plan, explain->id, explain->index, buf);
    buf_text(buf, "record\n  ");
    explain_put_record(explain, buf);
    buf_char(buf, '\n');
    explain_put_sources(stage_partition_sources, buf);
}

static void explain_put_json(const struct explain *explain, struct buf *buf)
{
    char place[32];
    buf_printf(buf, "{\"gpid\":\"%d.%d\",\"record\":", explain->id, explain->index);
    explain_put_record(explain, buf);
    buf_text(buf, ",\"candidates\":[");
    for (uint32_t i = 0; i < explain->count; i++) {
        const struct br_replica *at = explain->candidates[i];
        explain_place(explain, at->node, place, sizeof place);
        buf_printf(buf, "%s{\"node\":", i ? "," : "");
        buf_json(buf, explain_name(explain, at->node));
        buf_printf(buf,
                   ",\"status\":\"%s\",\"ballot\":%" PRId64 ",\"committed\":%" PRId64
                   ",\"prepared\":%" PRId64 ",\"durable\":%" PRId64 ",\"becomes\":\"%s\"}",
                   stage_role(at->role), at->ballot, at->committed, at->prepared, at->durable,
                   place);
    }
    buf_text(buf, "],\"rule\":");
    buf_json(buf, buf_string(&explain->rule));
    buf_text(buf, ",\"changes\":[");
    for (uint32_t i = 0; i < explain->change_count; i++) {
        buf_text(buf, i ? "," : "");
        buf_json(buf, explain->changes[i]);
    }
    buf_text(buf, "]}\n");
}

/* -- All of it -------------------------------------------------------------------------------- */

static br_status explain_all(struct explain *explain, struct fail *ret_fail)
{
    int32_t primary = -1;
    explain_collect(explain);
    br_status status = explain_judge(explain, NULL, &primary, ret_fail);
    if (status != BR_OK)
        return status;
    if (primary != explain->partition->primary)
        return fail_set(ret_fail, BR_CONFLICT,
                        "policy %s %s makes %s the primary of %d.%d from the plan's evidence, the "
                        "plan (policy %s %s) says %s: make the plan again",
                        explain->tool->policy.desc->name, explain->tool->policy.desc->version,
                        explain_name(explain, primary), explain->id, explain->index,
                        explain->plan->policy, explain->plan->policy_version,
                        explain_name(explain, explain->partition->primary));
    explain_rule(explain);
    status = explain_peel(explain, ret_fail);
    if (status == BR_OK)
        status = explain_others(explain, ret_fail);
    explain_more(explain);
    return status;
}

br_status stage_explain(const struct stage_plan *plan, struct tool *tool, int32_t id, int32_t index,
                        bool json, struct buf *buf, struct fail *ret_fail)
{
    struct explain explain = { .plan = plan, .tool = tool, .id = id, .index = index };
    explain.table = cluster_table(&plan->cluster, id);
    if (!explain.table || index < 0 || index >= explain.table->def.partition_count)
        return fail_set(ret_fail, BR_NOTFOUND, "the plan has no partition %d.%d", id, index);
    explain.partition = &explain.table->partitions[index];
    arena_init(&explain.arena, 0);
    br_status status = explain_all(&explain, ret_fail);
    if (status == BR_OK && json)
        explain_put_json(&explain, buf);
    else if (status == BR_OK)
        explain_put(&explain, buf);
    buf_done(&explain.rule);
    arena_done(&explain.arena);
    return status;
}

br_status stage_explain_table(const struct stage_plan *plan, int32_t id, struct buf *buf,
                              struct fail *ret_fail)
{
    const struct table *table = cluster_table(&plan->cluster, id);
    if (!table)
        return fail_set(ret_fail, BR_NOTFOUND, "the plan has no table %d", id);
    buf_printf(buf, "table %d (%s)\nrecord\n  ", id, table->def.name);
    layout_put_table(buf, &table->def, plan->plan.version);
    buf_char(buf, '\n');
    explain_put_sources(plan->sources[table - plan->cluster.tables], buf);
    explain_put_findings(plan, id, -1, buf);
    return BR_OK;
}
