/* summary -- a plan on one page, for people; in one line, for scripts. */
#include <string.h>

#include "host/stage/plan_file.h"

#define SUMMARY_LINES_MAX 12 /* of each kind */

struct summary {
    uint64_t partitions[STAGE_PARTITIONS];
    uint32_t available, dropped;
    uint32_t losses, refusals, warnings; /* losses: without their consent */
};

static void summary_count(const struct stage_plan *plan, struct summary *ret)
{
    *ret = (struct summary){ .available = 0 };
    for (uint32_t i = 0; i < plan->cluster.table_count; i++) {
        const struct table *table = &plan->cluster.tables[i];
        if (table->def.status != BR_TABLE_AVAILABLE) {
            ret->dropped++;
            continue;
        }
        ret->available++;
        for (int32_t j = 0; j < table->def.partition_count; j++)
            ret->partitions[stage_partition_of(table, &table->partitions[j])]++;
    }
    for (uint32_t i = 0; i < plan->finding_count; i++) {
        const struct stage_finding *finding = &plan->findings[i];
        if (finding->severity == BR_REFUSAL)
            ret->refusals++;
        else if (finding->severity == BR_LOSS && !finding->consented)
            ret->losses++;
        else if (finding->severity == BR_WARNING || finding->severity == BR_LOSS)
            ret->warnings++;
    }
}

static void summary_tables(const struct stage_plan *plan, struct buf *buf)
{
    uint32_t shown = 0;
    buf_printf(buf, "%8s  %-24s %10s %8s %8s %8s\n", "table", "name", "partitions", "whole",
               "short", "lost");
    for (uint32_t i = 0; i < plan->cluster.table_count; i++) {
        const struct table *table = &plan->cluster.tables[i];
        uint64_t count[STAGE_PARTITIONS] = { 0 };
        if (table->def.status != BR_TABLE_AVAILABLE || shown++ >= SUMMARY_LINES_MAX)
            continue;
        for (int32_t j = 0; j < table->def.partition_count; j++)
            count[stage_partition_of(table, &table->partitions[j])]++;
        buf_printf(buf, "%8d  %-24.200s %10d %8llu %8llu %8llu\n", table->def.id, table->def.name,
                   table->def.partition_count, (unsigned long long) count[STAGE_WHOLE],
                   (unsigned long long) count[STAGE_SHORT], (unsigned long long) count[STAGE_LOST]);
    }
    if (shown > SUMMARY_LINES_MAX)
        buf_printf(buf, "%8s  and %u more\n", "", shown - SUMMARY_LINES_MAX);
}

static void summary_silent(const struct stage_plan *plan, struct buf *buf)
{
    const struct survey *survey = plan->survey;
    uint32_t shown = 0;
    for (uint32_t i = 0; i < survey->node_count && shown < SUMMARY_LINES_MAX; i++) {
        const struct survey_node *node = &survey->nodes[i];
        if (!node->complete && ++shown)
            buf_printf(buf, "          %s (%s)\n", node->name, node->error);
    }
    if (survey->silent_count > shown)
        buf_printf(buf, "          and %u more\n", survey->silent_count - shown);
}

/* Servers that say that they serve: their groups may be kept as they are (recovery/hot.h). */
static uint32_t summary_serving(const struct survey *survey)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < survey->node_count; i++) {
        bool serves = false;
        const struct br_chunk *at = survey->nodes[i].complete ? survey->nodes[i].replicas : NULL;
        for (; at; at = at->next) {
            const struct br_replica *rows = at->rows;
            for (uint32_t j = 0; j < at->count; j++)
                serves =
                    serves || rows[j].role == BR_ROLE_PRIMARY || rows[j].role == BR_ROLE_SECONDARY;
        }
        count += serves;
    }
    return count;
}

/* What stops it first, then what was consented to, then warnings. */
static int summary_rank(const struct stage_finding *finding)
{
    if (finding->severity == BR_NOTE)
        return -1;
    return finding->severity == BR_REFUSAL                       ? 0
           : finding->severity == BR_LOSS && !finding->consented ? 1
                                                                 : 2;
}

static void summary_findings(const struct stage_plan *plan, struct buf *buf)
{
    uint32_t shown = 0, all = 0;
    for (int rank = 0; rank < 3; rank++) {
        for (uint32_t i = 0; i < plan->finding_count; i++) {
            if (summary_rank(&plan->findings[i]) != rank || !*plan->findings[i].text)
                continue;
            if (all++ == 0)
                buf_text(buf, "\n");
            if (shown < SUMMARY_LINES_MAX && ++shown)
                buf_printf(buf, "%s\n", plan->findings[i].text);
        }
    }
    if (all > shown)
        buf_printf(buf, "and %u more, all of them in the plan\n", all - shown);
}

/* The consents that are lacking, each once. */
static void summary_consents(const struct stage_plan *plan, struct buf *buf)
{
    const char *told[CONSENTS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->finding_count && count < CONSENTS_MAX; i++) {
        const struct stage_finding *finding = &plan->findings[i];
        if (finding->severity != BR_LOSS || finding->consented)
            continue;
        uint32_t at = 0;
        while (at < count && strcmp(told[at], finding->consent) != 0)
            at++;
        if (at < count)
            continue;
        told[count++] = finding->consent;
        if (strncmp(finding->consent, "skip_", 5) == 0
            && strcmp(finding->consent, "skip_stray_replicas") != 0)
            buf_printf(buf, " --%s", finding->consent);
        else
            buf_printf(buf, " --consent %s", finding->consent);
    }
}

static void summary_next(const struct stage_plan *plan, const struct summary *summary,
                         const char *file, struct buf *buf)
{
    buf_text(buf, "\nnext:     ");
    if (summary->refusals)
        buf_text(buf, "cure what the lines above that begin with ERROR say, survey again and plan "
                      "again\n");
    else if (summary->losses && plan->survey->silent_count) {
        buf_text(buf, "bring the silent servers back, survey them and merge; or accept the losses "
                      "above:\n          bridle plan ...");
        summary_consents(plan, buf);
        buf_char(buf, '\n');
    } else if (summary->losses) {
        buf_text(buf, "accept the losses above: bridle plan ...");
        summary_consents(plan, buf);
        buf_char(buf, '\n');
    } else if (*plan->dead || *plan->back) {
        buf_text(buf, "this is a what-if: plan without assumptions\n");
    } else {
        if (!file)
            file = "PLAN";
        buf_printf(buf,
                   "read it (bridle explain %s ID.PARTITION); with no meta server alive, bridle "
                   "apply %s -c CONFIG,\n          or bridled in recovery mode on that root and "
                   "bridle recover -f NODES; then bridle verify %s\n",
                   file, file, file);
    }
}

void stage_plan_summary(const struct stage_plan *plan, const char *file, struct buf *buf)
{
    struct summary summary;
    const struct survey *survey = plan->survey;
    summary_count(plan, &summary);
    buf_printf(buf, "plan      %s%s%s\n", plan->plan.hash, file ? ", in " : "", file ? file : "");
    buf_printf(buf, "cluster   %s, into %s, layout %s\n", plan->cluster_name, plan->root,
               plan->plan.version == LAYOUT_26 ? "2.6" : "2.5");
    buf_printf(buf, "policy    %s %s\n", plan->policy, plan->policy_version);
    buf_printf(buf, "servers   %u of %u answered, %llu replicas\n",
               survey->node_count - survey->silent_count, survey->node_count,
               (unsigned long long) survey->replica_count);
    summary_silent(plan, buf);
    if (summary_serving(survey))
        buf_printf(
            buf,
            "          %u of them say that they serve: a recovery keeps their groups as they "
            "are where it can,\n          and then writes other records than these; verify "
            "will name them\n",
            summary_serving(survey));
    buf_printf(buf,
               "tables    %u, and %u dropped ones or placeholders; %llu records\n"
               "partitions %llu whole, %llu short of replicas, %llu lost\n\n",
               summary.available, summary.dropped, (unsigned long long) plan->plan.records,
               (unsigned long long) summary.partitions[STAGE_WHOLE],
               (unsigned long long) summary.partitions[STAGE_SHORT],
               (unsigned long long) summary.partitions[STAGE_LOST]);
    summary_tables(plan, buf);
    summary_findings(plan, buf);
    buf_text(buf, "\nlost in any case: environments, drop state, ids without data, duplication and "
                  "backup settings\nand more: see \"lost\" in the plan\n");
    summary_next(plan, &summary, file, buf);
}

void stage_plan_summary_json(const struct stage_plan *plan, struct buf *buf)
{
    struct summary summary;
    summary_count(plan, &summary);
    buf_text(buf, "{\"hash\":");
    buf_json(buf, plan->plan.hash);
    buf_text(buf, ",\"cluster\":");
    buf_json(buf, plan->cluster_name);
    buf_text(buf, ",\"root\":");
    buf_json(buf, plan->root);
    buf_printf(buf,
               ",\"passes\":%s,\"servers\":%u,\"silent\":%u,\"tables\":%u,\"dropped\":%u,"
               "\"records\":%llu,\"whole\":%llu,\"short\":%llu,\"lost\":%llu,\"refusals\":%u,"
               "\"losses\":%u,\"warnings\":%u}\n",
               plan->passes ? "true" : "false", plan->survey->node_count,
               plan->survey->silent_count, summary.available, summary.dropped,
               (unsigned long long) plan->plan.records,
               (unsigned long long) summary.partitions[STAGE_WHOLE],
               (unsigned long long) summary.partitions[STAGE_SHORT],
               (unsigned long long) summary.partitions[STAGE_LOST], summary.refusals,
               summary.losses, summary.warnings);
}
