/* apply_check -- may this plan be written?  See apply_plan.h. */
#include <stdlib.h>
#include <string.h>

#include "host/stage/apply_plan.h"

static void check_next(const struct stage_deed *deed, const struct tool *tool,
                       struct deed_result *result)
{
    buf_printf(&result->next,
               "bridle survey -f NODES -o survey.json, bridle plan survey.json -c %s -o %s",
               tool->file ? tool->file : "CONFIG", deed->file);
}

/* -- What differs ----------------------------------------------------------------------------- */

static void differ_partition(const struct cluster *cluster, const struct partition *partition,
                             struct buf *buf)
{
    buf_printf(buf, "ballot %lld on %s", (long long) partition->ballot,
               partition->primary < 0 ? "nobody" : cluster->nodes[partition->primary].name);
    for (uint32_t i = 0; i < partition->drop_count; i++)
        buf_printf(buf, "%s%s", i ? ", " : ", dropped ",
                   cluster->nodes[partition->members[partition->secondary_count + i]].name);
}

/* The record at this place, as bytes. */
static void differ_record(const struct stage_plan *plan, const struct table *table, int32_t index,
                          struct buf *buf)
{
    buf_clear(buf);
    if (index < 0)
        layout_put_table(buf, &table->def, plan->plan.version);
    else
        layout_put_partition(buf, &plan->cluster, table->def.id, table->def.replica_count, index,
                             &table->partitions[index], plan->plan.version);
}

struct differ {
    const struct stage_plan *plan, *now;
    struct buf *buf;
    uint64_t count;
    struct buf one, other; /* scratch */
};

static bool differ_at(struct differ *differ, const struct table *planned, const struct table *now,
                      int32_t index)
{
    differ_record(differ->plan, planned, index, &differ->one);
    differ_record(differ->now, now, index, &differ->other);
    return differ->one.size != differ->other.size
           || memcmp(differ->one.data, differ->other.data, differ->one.size) != 0;
}

static void differ_table(struct differ *differ, const struct table *planned,
                         const struct table *now)
{
    if (differ_at(differ, planned, now, -1) && differ->count++ < APPLY_SHOWN_MAX)
        buf_printf(differ->buf, "table %d: planned %s; now %s\n", planned->def.id,
                   (differ_record(differ->plan, planned, -1, &differ->one), differ->one.data),
                   differ->other.data);
    for (int32_t i = 0; i < planned->def.partition_count && i < now->def.partition_count; i++) {
        if (!differ_at(differ, planned, now, i) || differ->count++ >= APPLY_SHOWN_MAX)
            continue;
        buf_printf(differ->buf, "partition %d.%d: planned ", planned->def.id, i);
        differ_partition(&differ->plan->cluster, &planned->partitions[i], differ->buf);
        buf_text(differ->buf, "; now ");
        differ_partition(&differ->now->cluster, &now->partitions[i], differ->buf);
        buf_char(differ->buf, '\n');
    }
}

/* Tables of `of` that `in` does not have. */
static void differ_missing(struct differ *differ, const struct stage_plan *of,
                           const struct stage_plan *in, const char *what)
{
    for (uint32_t i = 0; i < of->cluster.table_count; i++) {
        const struct br_table *def = &of->cluster.tables[i].def;
        if (!cluster_table(&in->cluster, def->id) && differ->count++ < APPLY_SHOWN_MAX)
            buf_printf(differ->buf, "table %d (%s): %s\n", def->id, def->name, what);
    }
}

uint64_t stage_differences(const struct stage_plan *plan, const struct stage_plan *now,
                           struct buf *buf)
{
    struct differ differ = { .plan = plan, .now = now, .buf = buf };
    differ_missing(&differ, plan, now, "was planned, and nobody has it now");
    differ_missing(&differ, now, plan, "is there now, and was not planned");
    for (uint32_t i = 0; i < plan->cluster.table_count; i++) {
        const struct table *planned = &plan->cluster.tables[i];
        const struct table *other = cluster_table(&now->cluster, planned->def.id);
        if (other)
            differ_table(&differ, planned, other);
    }
    if (differ.count > APPLY_SHOWN_MAX)
        buf_printf(buf, "and %llu more\n", (unsigned long long) (differ.count - APPLY_SHOWN_MAX));
    buf_done(&differ.one);
    buf_done(&differ.other);
    return differ.count;
}

/* -- The servers ------------------------------------------------------------------------------ */

/* The first replica of a node that serves, or NULL. */
static const struct br_replica *check_serving(const struct survey_node *node)
{
    const struct br_chunk *at = node->complete ? node->replicas : NULL;
    for (; at; at = at->next) {
        const struct br_replica *rows = at->rows;
        for (uint32_t i = 0; i < at->count; i++) {
            if (rows[i].role == BR_ROLE_PRIMARY || rows[i].role == BR_ROLE_SECONDARY)
                return &rows[i];
        }
    }
    return NULL;
}

static bool check_nobody_serves(const struct survey *survey, struct deed_result *result)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < survey->node_count; i++) {
        const struct br_replica *row = check_serving(&survey->nodes[i]);
        if (row && count++ < APPLY_SHOWN_MAX)
            buf_printf(&result->text, "node(%s) says that it is a %s of partition %d.%d\n",
                       survey->nodes[i].name,
                       row->role == BR_ROLE_PRIMARY ? "primary" : "secondary", row->table,
                       row->partition);
    }
    if (!count)
        return true;
    return deed_say(result, DEED_REFUSED, "serving",
                    "%u servers say that they serve: a meta server is there or was seconds ago, "
                    "and a plan that is applied behind a group that serves loses it; stop every "
                    "meta server, wait for replication.fd_grace, and ask again",
                    count);
}

/* The plan's own answers count where a server is assumed to be back. */
static struct survey *check_assumed(const struct stage_plan *plan, struct survey *now,
                                    struct fail *fail)
{
    static const char *const files[] = { "the plan", "now" };
    const struct survey_assume assume = { .dead = plan->dead, .back = plan->back };
    struct buf text = { 0 }, notes = { 0 };
    if (!*plan->dead && !*plan->back)
        return now;
    survey_put(plan->survey, &text);
    struct survey *both[] = { survey_parse("the plan", text.data, text.size, fail), now };
    buf_done(&text);
    if (!both[0]) {
        survey_free(now);
        return NULL;
    }
    struct survey *merged = survey_merge(both, files, 2, &assume, &notes, fail);
    buf_done(&notes);
    return merged;
}

static void check_reasons(const struct stage_plan *plan, struct buf *buf)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < plan->finding_count && shown < APPLY_SHOWN_MAX; i++) {
        const struct stage_finding *finding = &plan->findings[i];
        if ((finding->severity == BR_REFUSAL
             || (finding->severity == BR_LOSS && !finding->consented))
            && *finding->text) {
            buf_printf(buf, "%s\n", finding->text);
            shown++;
        }
    }
}

static bool check_verdicts(const struct stage_deed *deed, const struct stage_plan *now,
                           struct deed_result *result)
{
    if (strcmp(now->plan.hash, deed->plan->plan.hash) != 0) {
        stage_differences(deed->plan, now, &result->text);
        return deed_say(result, DEED_REFUSED, "changed",
                        "the servers do not say any more what %s was made of: survey and plan "
                        "again; nothing was written",
                        deed->file);
    }
    if (now->passes)
        return true;
    check_reasons(now, &result->text);
    return deed_say(result, DEED_REFUSED, "changed",
                    "the same records would be written, but not everything that they cost is "
                    "consented to any more: survey and plan again; nothing was written");
}

static bool check_judged(const struct stage_deed *deed, struct tool *tool, struct survey *survey,
                         struct deed_result *result)
{
    const struct stage_plan *plan = deed->plan;
    const struct survey_assume assume = { .dead = plan->dead, .back = plan->back };
    const struct stage_judging judging = { tool, plan->consents, &assume };
    struct fail fail = { .status = BR_OK };
    struct stage_plan now;
    if (stage_open_policy(plan, tool, &fail) != BR_OK) {
        survey_free(survey);
        return deed_say(result, DEED_REFUSED, "refused", "%s; nothing was written", fail.text);
    }
    bool ok = stage_plan_make(&now, survey, &judging, &fail) == BR_OK
              || deed_say(result, DEED_REFUSED, "changed",
                          "what the servers say now is no plan any more: %s; nothing was written",
                          fail.text);
    ok = ok && check_verdicts(deed, &now, result);
    stage_plan_done(&now);
    return ok;
}

static bool check_servers(const struct stage_deed *deed, struct tool *tool,
                          struct deed_result *result)
{
    struct fail fail = { .status = BR_OK };
    struct survey *now = stage_survey_again(deed->plan, tool, &fail);
    if (now && !check_nobody_serves(now, result)) {
        survey_free(now);
        return false;
    }
    if (now)
        now = check_assumed(deed->plan, now, &fail);
    if (!now)
        return deed_say(result, DEED_REFUSED, "refused", "%s; nothing was written", fail.text);
    if (check_judged(deed, tool, now, result))
        return true;
    if (strcmp(result->word, "changed") == 0)
        check_next(deed, tool, result);
    return false;
}

/* -- The store -------------------------------------------------------------------------------- */

static bool check_root(const struct stage_deed *deed, struct tool *tool, struct deed_result *result)
{
    const struct plan *plan = &deed->plan->plan;
    const char *config = tool->file ? tool->file : "CONFIG";
    struct fail fail = { .status = BR_OK };
    struct root_facts facts;
    br_status status = tool_open_store(tool, &fail);
    if (status == BR_NOTFOUND)
        return true; /* it is made */
    if (status == BR_OK)
        status = tool_look(tool, tool->store_root.data, &facts, &fail);
    if (status != BR_OK)
        return deed_say(result, DEED_REFUSED, "refused", "%s; nothing was written", fail.text);
    if (facts.journal.state == JOURNAL_DONE && strcmp(facts.journal.hash, plan->hash) == 0
        && (facts.state == ROOT_TABLES || (facts.state == ROOT_EMPTY && !plan->records))) {
        deed_say(result, DEED_DONE, "already applied",
                 "%s was applied already, and is visible: nothing was written", deed->file);
        buf_printf(&result->next, "bridle verify %s -c %s", deed->file, config);
        return false;
    }
    if (facts.state == ROOT_OURS)
        buf_printf(&result->text, "%s\n", facts.text);
    if (facts.state == ROOT_OURS || facts.state == ROOT_EMPTY)
        return true;
    buf_printf(&result->next, "bridle diagnose -c %s", config);
    if (facts.state == ROOT_TABLES)
        return deed_say(result, DEED_REFUSED, "refused",
                        "%s holds %u tables, and a plan is applied only into nothing: nothing was "
                        "written",
                        tool->root.data, facts.table_count);
    return deed_say(result, DEED_REFUSED, "refused", "%s", facts.text);
}

bool stage_apply_check(const struct stage_deed *deed, struct tool *tool, struct deed_result *result)
{
    const struct stage_plan *plan = deed->plan;
    struct fail fail = { .status = BR_OK };
    *result = (struct deed_result){ .exit = DEED_REFUSED, .word = "refused" };
    if (stage_plan_place(plan, tool, &fail) != BR_OK)
        return deed_say(result, DEED_REFUSED, "refused", "%s; nothing was written", fail.text);
    if (plan->plan.version != tool_version(tool))
        return deed_say(result, DEED_REFUSED, "refused",
                        "the plan is in the layout of Pegasus %s, the configuration "
                        "(meta_server.pegasus_version) says another one; nothing was written",
                        plan->plan.version == LAYOUT_26 ? "2.6" : "2.5");
    if (!plan->passes) {
        check_reasons(plan, &result->text);
        check_next(deed, tool, result);
        return deed_say(result, DEED_REFUSED, "refused",
                        "%s must not be applied as it is: see above; nothing was written",
                        deed->file);
    }
    return check_root(deed, tool, result) && (deed->offline || check_servers(deed, tool, result));
}
