/* rank -- see rank.h. */
#include "host/stage/rank.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

/* The newest answer of this server; NULL: none. */
static const struct survey_node *rank_answer(struct survey **surveys, uint32_t count,
                                             const char *name)
{
    const struct survey_node *newest = NULL;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < surveys[i]->node_count; j++) {
            const struct survey_node *node = &surveys[i]->nodes[j];
            if (node->complete && strcmp(node->name, name) == 0
                && (!newest || node->answered_at > newest->answered_at))
                newest = node;
        }
    }
    return newest;
}

/* What the partitions of a cluster are, table by table as the plan has them. */
static void rank_count(const struct stage_plan *plan, const struct cluster *cluster,
                       struct rank *rank)
{
    for (uint32_t i = 0; i < cluster->table_count; i++) {
        const struct table *now = &cluster->tables[i];
        const struct table *then = cluster_table(&plan->cluster, now->def.id);
        for (int32_t j = 0; j < now->def.partition_count; j++) {
            bool there =
                then && then->def.status == BR_TABLE_AVAILABLE && j < then->def.partition_count;
            const struct partition *old = there ? &then->partitions[j] : NULL;
            enum stage_partition was = old ? stage_partition_of(then, old) : STAGE_LOST;
            enum stage_partition is = stage_partition_of(now, &now->partitions[j]);
            if (now->def.status != BR_TABLE_AVAILABLE)
                continue;
            rank->lost += (was == STAGE_LOST) - (is == STAGE_LOST);
            rank->whole += (is == STAGE_WHOLE) - (was == STAGE_WHOLE);
            rank->better += was != STAGE_LOST && now->partitions[j].ballot > old->ballot;
        }
    }
}

static br_status rank_try(const struct stage_plan *plan, struct tool *tool,
                          const struct survey_node *answer, struct rank *rank,
                          struct fail *ret_fail)
{
    struct survey tried = *plan->survey;
    struct cluster cluster;
    tried.nodes = mem_array(tried.node_count, sizeof *tried.nodes);
    memcpy(tried.nodes, plan->survey->nodes, tried.node_count * sizeof *tried.nodes);
    uint64_t address = tried.nodes[rank->node].address;
    tried.nodes[rank->node] = *answer;
    if (!answer->address)
        tried.nodes[rank->node].address = address;
    tried.replica_count += survey_renumber(answer->tables, answer->replicas, rank->node);
    tried.silent_count--;
    br_status status = stage_judge_again(plan, tool, &tried, &cluster, ret_fail);
    if (status == BR_OK) {
        rank_count(plan, &cluster, rank);
        cluster_done(&cluster);
    }
    free(tried.nodes);
    return status;
}

static int rank_order(const void *a, const void *b)
{
    const struct rank *x = a;
    const struct rank *y = b;
    if (x->lost != y->lost)
        return x->lost > y->lost ? -1 : 1;
    if (x->better != y->better)
        return x->better > y->better ? -1 : 1;
    if (x->whole != y->whole)
        return x->whole > y->whole ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

br_status stage_rank(const struct stage_plan *plan, struct tool *tool, struct survey **surveys,
                     uint32_t count, struct rank **ret_ranks, uint32_t *ret_count,
                     struct fail *ret_fail)
{
    const struct survey *survey = plan->survey;
    struct rank *ranks = mem_array(survey->silent_count + 1, sizeof *ranks);
    uint32_t at = 0;
    br_status status = BR_OK;
    for (uint32_t i = 0; status == BR_OK && i < survey->node_count; i++) {
        const struct survey_node *node = &survey->nodes[i];
        if (node->complete)
            continue;
        const struct survey_node *answer = rank_answer(surveys, count, node->name);
        ranks[at] = (struct rank){ .node = (int32_t) i, .known = answer != NULL };
        if (answer)
            status = rank_try(plan, tool, answer, &ranks[at], ret_fail);
        at++;
    }
    qsort(ranks, at, sizeof *ranks, rank_order);
    *ret_ranks = ranks;
    *ret_count = at;
    return status;
}

void stage_rank_put(const struct stage_plan *plan, const struct rank *ranks, uint32_t count,
                    struct buf *buf)
{
    if (!count)
        buf_text(buf, "every server answered: there is nobody to wait for\n");
    else
        buf_printf(buf, "%-32s %12s %12s %12s\n", "silent server", "not lost", "better", "whole");
    for (uint32_t i = 0; i < count; i++) {
        const char *name = plan->survey->nodes[ranks[i].node].name;
        if (ranks[i].known)
            buf_printf(buf, "%-32s %12lld %12lld %12lld\n", name, (long long) ranks[i].lost,
                       (long long) ranks[i].better, (long long) ranks[i].whole);
        else
            buf_printf(buf, "%-32s nothing is known of it: no survey has an answer of it\n", name);
    }
}

void stage_rank_put_json(const struct stage_plan *plan, const struct rank *ranks, uint32_t count,
                         struct buf *buf)
{
    buf_char(buf, '[');
    for (uint32_t i = 0; i < count; i++) {
        buf_text(buf, i ? ",{\"node\":" : "{\"node\":");
        buf_json(buf, plan->survey->nodes[ranks[i].node].name);
        buf_printf(buf, ",\"known\":%s,\"not_lost\":%lld,\"better\":%lld,\"whole\":%lld}",
                   ranks[i].known ? "true" : "false", (long long) ranks[i].lost,
                   (long long) ranks[i].better, (long long) ranks[i].whole);
    }
    buf_text(buf, "]\n");
}
