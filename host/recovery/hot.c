/* hot -- see hot.h.  One pass over the reports marks strays and splits, one over the partitions
 * finds who is whole and joins the servers that share one (union-find); who is cold is then a
 * question to each server's root.
 */
#include "host/recovery/hot.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/evidence_run.h"
#include "host/recovery/hot_run.h"

void hot_done(struct hot *hot)
{
    arena_done(&hot->arena);
    *hot = (struct hot){ 0 };
}

/* -- One answer ------------------------------------------------------------------------------- */

uint64_t hot_claims(const struct survey_node *node, struct hot_gpid *ret_some, uint32_t room)
{
    uint64_t claims = 0;
    for (const struct br_chunk *at = node->complete ? node->replicas : NULL; at; at = at->next) {
        for (uint32_t i = 0; i < at->count; i++) {
            struct br_replica copy;
            const struct br_replica *replica = call_row(at, i, &copy, sizeof copy);
            if (!hot_claim(replica))
                continue;
            if (claims < room)
                ret_some[claims] = (struct hot_gpid){ replica->table, replica->partition };
            claims++;
        }
    }
    return claims;
}

bool hot_quiet(const struct survey_node *node, br_time last_ack, br_time now, br_time grace)
{
    return node->complete ? hot_claims(node, NULL, 0) == 0 : now - last_ack >= grace;
}

/* -- Shared partitions ------------------------------------------------------------------------ */

static uint32_t hot_root(const struct hot_run *run, uint32_t node)
{
    while (run->root[node] != node) {
        run->root[node] = run->root[run->root[node]];
        node = run->root[node];
    }
    return node;
}

/* The lower index is the root: of so few nodes no path grows long. */
static void hot_join(const struct hot_run *run, uint32_t a, uint32_t b)
{
    a = hot_root(run, a);
    b = hot_root(run, b);
    if (a < b)
        run->root[b] = a;
    else
        run->root[a] = b;
}

static void hot_chill(const struct hot_run *run, int32_t node, enum hot_reason reason,
                      struct hot_gpid why)
{
    struct hot_node *to = &run->hot->nodes[node];
    if (hot_cold(to))
        return;
    to->reason = reason;
    to->why = why;
    to->why_reason = reason;
}

/* -- Reports that are nobody's, and splits ----------------------------------------------------- */

/* The number of the partition that a report is of; -1: none. */
static int64_t hot_number(const struct evidence *evidence, const struct br_replica *replica)
{
    int32_t id = replica->table;
    if (id < 1 || id > BR_TABLE_ID_MAX || evidence->first[id] < 0)
        return -1;
    if (replica->partition < 0 || replica->partition >= evidence->partitions[id])
        return -1;
    return evidence->first[id] + replica->partition;
}

/* Nobody says which table's count the split has reached: the child of index i has its parent at
 * i - count, or, where the count is doubled already, at i - count / 2
 * (src/replica/split/replica_split_manager.cpp). */
static void hot_mark_split(const struct hot_run *run, const struct br_replica *replica,
                           int64_t number)
{
    int32_t id = replica->table;
    int32_t count = id < 1 || id > BR_TABLE_ID_MAX ? 0 : run->first->partitions[id];
    if (number >= 0) {
        run->reasons[number] = HOT_SPLIT;
        if (replica->partition >= count / 2)
            run->reasons[number - count / 2] = HOT_SPLIT;
    } else if (count && run->first->first[id] >= 0 && replica->partition >= count
               && replica->partition - count < count) {
        run->reasons[run->first->first[id] + replica->partition - count] = HOT_SPLIT;
    }
}

static void hot_mark(const struct hot_run *run, const struct evidence *evidence)
{
    for (uint32_t i = 0; i < evidence->replica_run_count; i++) {
        const struct evidence_run *rows = &evidence->replica_runs[i];
        const struct br_replica *replicas = rows->rows;
        for (uint32_t j = 0; j < rows->count; j++) {
            const struct br_replica *replica = &replicas[j];
            bool mine = replica->node == rows->node;
            int64_t number = mine ? hot_number(evidence, replica) : -1;
            if (number < 0 || replica->role == BR_ROLE_SPLIT)
                hot_mark_split(run, replica, number);
            if (number < 0)
                hot_chill(run, rows->node, HOT_STRAY,
                          (struct hot_gpid){ replica->table, replica->partition });
        }
    }
}

/* -- Partitions ------------------------------------------------------------------------------- */

static const struct br_replica *const *hot_reports(const struct evidence *evidence, uint64_t number,
                                                   uint64_t *ret_count)
{
    uint64_t begin = evidence->end[number];
    *ret_count = evidence->end[number + 1] - begin;
    return evidence->replicas + begin;
}

static struct hot_group hot_group_of(const struct hot_run *run, const struct table *table,
                                     uint64_t number)
{
    struct hot_group group = { .replica_count = table->def.replica_count };
    group.first = hot_reports(run->first, number, &group.first_count);
    group.second = hot_reports(&run->second, number, &group.second_count);
    group.split = run->reasons[number] == HOT_SPLIT;
    return group;
}

/* Joins the servers of one list to `*node`, the first of them all, and chills them. */
static void hot_spread(const struct hot_run *run, const struct br_replica *const *replicas,
                       uint64_t count, enum hot_reason reason, struct hot_gpid gpid, int32_t *node)
{
    for (uint64_t i = 0; i < count; i++) {
        if (*node < 0)
            *node = replicas[i]->node;
        else if (*node != replicas[i]->node)
            hot_join(run, (uint32_t) *node, (uint32_t) replicas[i]->node);
        if (reason != HOT_WHOLE)
            hot_chill(run, replicas[i]->node, reason, gpid);
    }
}

static void hot_note(struct hot_run *run, enum hot_reason reason, struct hot_gpid gpid)
{
    uint64_t at = run->hot->reasons[reason]++;
    if (at < HOT_NAMED_MAX)
        run->some[reason][at] = gpid;
}

static bool hot_any_claim(const struct br_replica *const *replicas, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (hot_claim(replicas[i]))
            return true;
    return false;
}

/* The group as it is; the secondaries in list order, which need not be the primary's. */
static void hot_enter(struct hot_run *run, const struct table *table, int32_t index,
                      const struct hot_group *group)
{
    struct partition *partition = &table->partitions[index];
    int32_t *members =
        arena_alloc(&run->cluster->arena, (size_t) group->first_count * sizeof *members);
    uint16_t count = 0;
    for (uint64_t i = 0; i < group->first_count; i++)
        if (hot_member(group->first[i], group->primary))
            members[count++] = group->first[i]->node;
    partition->ballot = group->primary->ballot;
    partition->primary = group->primary->node;
    partition->members = members;
    partition->secondary_count = count;
}

static void hot_look(struct hot_run *run, const struct table *table, int32_t index, uint64_t number)
{
    struct hot_group group = hot_group_of(run, table, number);
    struct hot_gpid gpid = { table->def.id, index };
    enum hot_reason reason = hot_group_reason(run, &group);
    int32_t node = -1;
    if (reason == HOT_WHOLE)
        reason = run->general;
    run->reasons[number] = (uint8_t) reason;
    if (reason != HOT_WHOLE)
        hot_note(run, reason, gpid);
    else
        hot_enter(run, table, index, &group);
    if (hot_any_claim(group.first, group.first_count)
        || hot_any_claim(group.second, group.second_count))
        run->hot->fates[number] = HOT_WAITS;
    hot_spread(run, group.first, group.first_count, reason, gpid, &node);
    hot_spread(run, group.second, group.second_count, reason, gpid, &node);
}

typedef void hot_visit(struct hot_run *run, const struct table *table, int32_t index,
                       uint64_t number);

/* Every partition of an available table, ascending. */
static void hot_each(struct hot_run *run, hot_visit *visit)
{
    for (uint32_t i = 0; i < run->cluster->table_count; i++) {
        const struct table *table = &run->cluster->tables[i];
        int64_t first = run->first->first[table->def.id];
        for (int32_t j = 0; first >= 0 && j < table->def.partition_count; j++)
            visit(run, table, j, (uint64_t) (first + j));
    }
}

/* -- Servers ---------------------------------------------------------------------------------- */

static bool hot_primary_of(const struct survey_node *node)
{
    for (const struct br_chunk *at = node->complete ? node->replicas : NULL; at; at = at->next) {
        for (uint32_t i = 0; i < at->count; i++) {
            struct br_replica copy;
            const struct br_replica *replica = call_row(at, i, &copy, sizeof copy);
            if (replica->role == BR_ROLE_PRIMARY)
                return true;
        }
    }
    return false;
}

/* Who claims PRIMARY and does not beacon to us all the time may have its lease from another. */
static void hot_server(struct hot_run *run, uint32_t i)
{
    const struct hot_server *server = &run->request->servers[i];
    const struct survey_node *first = &run->survey->nodes[i];
    const struct survey_node *second = &run->request->second->nodes[i];
    struct hot_node *node = &run->hot->nodes[i];
    uint64_t before = hot_claims(first, NULL, 0);
    uint64_t after = hot_claims(second, NULL, 0);
    node->claims = before > after ? before : after;
    if ((!server->beacon || server->stopped || server->returned)
        && (hot_primary_of(first) || hot_primary_of(second)))
        run->obeys[i] = true;
    bool silent = !first->complete || !second->complete;
    if (silent && (run->general == HOT_WHOLE || run->general == HOT_STRANGER))
        run->general = HOT_SILENT;
}

static void hot_servers(struct hot_run *run)
{
    const struct hot_request *request = run->request;
    run->general = request->all_cold         ? HOT_CHOSEN
                   : request->stranger_count ? HOT_STRANGER
                                             : HOT_WHOLE;
    for (uint32_t i = 0; i < run->hot->node_count; i++) {
        run->root[i] = i;
        hot_server(run, i);
    }
}

/* What makes a server cold by itself; after its partitions, which say more. */
static void hot_own_reasons(const struct hot_run *run)
{
    struct hot_gpid none = { 0, 0 };
    for (uint32_t i = 0; i < run->hot->node_count; i++) {
        if (run->obeys[i])
            hot_chill(run, (int32_t) i, HOT_OBEYS, none);
        if (!run->survey->nodes[i].complete || !run->request->second->nodes[i].complete)
            hot_chill(run, (int32_t) i, HOT_SILENT, none);
    }
}

/* The fixed point: cold is who shares a root with a cold one. */
static void hot_close(const struct hot_run *run)
{
    struct hot *hot = run->hot;
    int32_t *cause = mem_array((size_t) hot->node_count + 1, sizeof *cause);
    for (uint32_t i = 0; i < hot->node_count; i++) {
        uint32_t root = hot_root(run, i);
        if (hot_cold(&hot->nodes[i]) && !cause[root])
            cause[root] = (int32_t) i + 1;
    }
    for (uint32_t i = 0; i < hot->node_count; i++) {
        int32_t by = cause[hot_root(run, i)];
        struct hot_node *node = &hot->nodes[i];
        if (!by)
            continue;
        if (!hot_cold(node)) {
            node->reason = HOT_SHARED;
            node->why = hot->nodes[by - 1].why;
            node->why_reason = hot->nodes[by - 1].why_reason;
        }
        hot->cold_count++;
    }
    free(cause);
}

/* -- Waiting ---------------------------------------------------------------------------------- */

static void hot_wait_until(struct hot *hot, br_time last_ack, br_time grace)
{
    hot->busy_count++;
    if (hot->until < last_ack + grace)
        hot->until = last_ack + grace;
}

static void hot_wait(const struct hot_run *run)
{
    const struct hot_request *request = run->request;
    struct hot *hot = run->hot;
    for (uint32_t i = 0; i < hot->node_count; i++) {
        struct hot_node *node = &hot->nodes[i];
        br_time last = request->servers[i].last_ack;
        bool silent = !request->second->nodes[i].complete;
        node->busy =
            hot_cold(node) && (node->claims || (silent && request->now - last < request->grace));
        if (node->busy)
            hot_wait_until(hot, last, request->grace);
    }
    for (uint32_t i = 0; i < request->stranger_count; i++)
        if (request->now - request->strangers[i].last_ack < request->grace)
            hot_wait_until(hot, request->strangers[i].last_ack, request->grace);
    hot->ready = hot->busy_count == 0;
}

/* -- Verdicts -------------------------------------------------------------------------------- */

/* Whole groups stand in the cluster already; on cold servers they are taken out again. */
static void hot_settle(struct hot_run *run, const struct table *table, int32_t index,
                       uint64_t number)
{
    struct hot *hot = run->hot;
    struct partition *partition = &table->partitions[index];
    struct hot_gpid gpid = { table->def.id, index };
    if (run->reasons[number] != HOT_WHOLE) {
        hot->rest_count++;
    } else if (hot_cold(&hot->nodes[partition->primary])) {
        *partition = (struct partition){ .primary = -1 };
        hot_note(run, HOT_SHARED, gpid);
        hot->rest_count++;
    } else {
        hot->fates[number] = HOT_KEPT;
        hot->kept[hot->kept_count++] = gpid;
    }
}

/* -- All of it -------------------------------------------------------------------------------- */

static void hot_second(struct hot_run *run)
{
    struct evidence *second = &run->second;
    findings_init(&run->scratch, NULL);
    evidence_init(second, run->request->second, &run->scratch);
    for (uint32_t i = 0; i < run->cluster->table_count; i++) {
        const struct br_table *def = &run->cluster->tables[i].def;
        second->described[def->id] = run->first->described[def->id];
        evidence_define(second, def);
    }
    evidence_index(second);
}

static void hot_begin(struct hot_run *run)
{
    struct hot *hot = run->hot;
    size_t nodes = run->survey->node_count;
    size_t partitions = (size_t) run->first->partition_total;
    arena_init(&hot->arena, 0);
    hot->node_count = run->survey->node_count;
    hot->nodes = arena_zero(&hot->arena, (nodes + 1) * sizeof *hot->nodes);
    hot->fates = arena_zero(&hot->arena, partitions + 1);
    hot->kept = arena_alloc(&hot->arena, (partitions + 1) * sizeof *hot->kept);
    run->reasons = mem_array(partitions + 1, sizeof *run->reasons);
    run->obeys = mem_array(nodes + 1, sizeof *run->obeys);
    run->root = mem_array(nodes + 1, sizeof *run->root);
}

static void hot_end(struct hot_run *run)
{
    evidence_done(&run->second);
    findings_done(&run->scratch);
    free(run->reasons);
    free(run->obeys);
    free(run->root);
}

static br_status hot_same_list(const struct survey *first, const struct survey *second,
                               struct fail *ret_fail)
{
    bool same = first->node_count == second->node_count;
    for (uint32_t i = 0; same && i < first->node_count; i++)
        same = strcmp(first->nodes[i].name, second->nodes[i].name) == 0;
    if (same)
        return BR_OK;
    return fail_set(ret_fail, BR_INVALID, "the second round asked other nodes than the first");
}

br_status hot_judge(const struct hot_request *request, struct evidence *evidence,
                    struct findings *findings, struct cluster *cluster, struct hot *ret_hot,
                    struct fail *ret_fail)
{
    struct hot_run run = { .request = request,
                           .survey = evidence->survey,
                           .first = evidence,
                           .findings = findings,
                           .cluster = cluster,
                           .hot = ret_hot };
    *ret_hot = (struct hot){ 0 };
    br_status status = hot_same_list(run.survey, request->second, ret_fail);
    if (status != BR_OK)
        return status;
    hot_begin(&run);
    hot_second(&run);
    hot_servers(&run);
    hot_mark(&run, run.first);
    hot_mark(&run, &run.second);
    hot_each(&run, hot_look);
    hot_own_reasons(&run);
    hot_close(&run);
    hot_wait(&run);
    hot_each(&run, hot_settle);
    hot_tell_servers(&run);
    hot_tell_groups(&run);
    hot_end(&run);
    return BR_OK;
}
