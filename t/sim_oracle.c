/* sim_oracle -- the rules of reconciliation once more, as few and as plain as the simulation's
 * clusters need them (t/oracle.py has them all): from what the servers answered, whether anything
 * may be written, what must be told, and which replica is the best of its partition.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/sim.h"

struct answers {
    bool complete[SIM_NODES_MAX];
    struct br_table tables[SIM_NODES_MAX][SIM_TABLES_MAX];
    struct br_replica replicas[SIM_NODES_MAX][SIM_ROWS_MAX];
    uint32_t table_count[SIM_NODES_MAX];
    uint32_t replica_count[SIM_NODES_MAX];
    uint32_t silent;
};

static void oracle_read(struct answers *answers, const struct sim_evidence *evidence)
{
    *answers = (struct answers){ 0 };
    for (uint32_t n = 0; n < sim.cluster.node_count; n++) {
        answers->complete[n] = evidence->nodes[n].good[0] && evidence->nodes[n].good[1];
        if (!answers->complete[n]) {
            answers->silent++;
            continue;
        }
        answers->table_count[n] =
            sim_tables_of(&sim.cluster, n, evidence->nodes[n].said[0], answers->tables[n]);
        answers->replica_count[n] =
            sim_replicas_of(&sim.cluster, n, evidence->nodes[n].said[1], answers->replicas[n]);
    }
}

/* -- Tables ------------------------------------------------------------------------------------ */

static bool claim_good(const struct br_table *claim)
{
    return strchr(claim->name, '\n') == NULL;
}

/* The number of partitions that all who describe it agree on; 0: nobody describes it; -1: they do
 * not agree; -2: nobody describes it well. */
static int32_t oracle_partitions(const struct answers *answers, int32_t id)
{
    int32_t found = 0;
    bool bad = false;
    for (uint32_t n = 0; n < SIM_NODES_MAX; n++) {
        for (uint32_t t = 0; t < answers->table_count[n]; t++) {
            const struct br_table *claim = &answers->tables[n][t];
            if (claim->id != id)
                continue;
            if (!claim_good(claim))
                bad = true;
            else if (found && found != claim->partition_count)
                found = -1;
            else if (!found)
                found = claim->partition_count;
        }
    }
    return found ? found : bad ? -2 : 0;
}

/* -- Partitions -------------------------------------------------------------------------------- */

static bool promises(const struct br_replica *replica)
{
    return replica->role == BR_ROLE_INACTIVE || replica->role == BR_ROLE_PRIMARY
           || replica->role == BR_ROLE_SECONDARY;
}

/* One report a server, the better one. */
static uint32_t oracle_reports(const struct answers *answers, int32_t id, int32_t index,
                               struct br_replica *reports)
{
    uint32_t count = 0;
    for (uint32_t n = 0; n < SIM_NODES_MAX; n++) {
        bool has = false;
        for (uint32_t r = 0; r < answers->replica_count[n]; r++) {
            const struct br_replica *row = &answers->replicas[n][r];
            if (row->table != id || row->partition != index)
                continue;
            struct br_replica *old = &reports[count];
            if (!has || row->ballot > old->ballot
                || (row->ballot == old->ballot && row->prepared > old->prepared)
                || (row->ballot == old->ballot && row->prepared == old->prepared
                    && row->committed >= old->committed))
                *old = *row;
            has = true;
        }
        count += has;
    }
    return count;
}

static bool better(const struct br_replica *one, const struct br_replica *other)
{
    if (one->ballot != other->ballot)
        return one->ballot > other->ballot;
    if (promises(one) != promises(other))
        return promises(one);
    if (one->committed != other->committed)
        return one->committed > other->committed;
    return one->prepared > other->prepared;
}

static const struct br_replica *oracle_best(const struct br_replica *reports, uint32_t count)
{
    const struct br_replica *best = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (reports[i].ballot >= 0 && (!best || better(&reports[i], best)))
            best = &reports[i];
    }
    return best;
}

/* Does any server have something that the best one lacks? */
static bool oracle_passed_over(const struct br_replica *reports, uint32_t count,
                               const struct br_replica *best)
{
    int64_t has = best->prepared > best->committed ? best->prepared : best->committed;
    for (uint32_t i = 0; i < count; i++) {
        const struct br_replica *other = &reports[i];
        if (other->ballot < 0)
            continue;
        if (other->ballot == best->ballot
                ? other->committed > best->committed || other->prepared > best->prepared
                : other->committed > has)
            return true;
    }
    return false;
}

/* -- May it be written? ------------------------------------------------------------------------ */

static const char *stop_tables(const struct answers *answers)
{
    for (int32_t id = 1; id <= 60; id++) {
        int32_t partitions = oracle_partitions(answers, id);
        if (partitions == -1)
            return "servers do not agree on the number of partitions";
        if (partitions == -2)
            return "a table is not described well";
    }
    return NULL;
}

static const char *stop_strays(const struct answers *answers)
{
    for (uint32_t n = 0; n < SIM_NODES_MAX; n++) {
        for (uint32_t r = 0; r < answers->replica_count[n]; r++) {
            const struct br_replica *row = &answers->replicas[n][r];
            int32_t partitions = oracle_partitions(answers, row->table);
            if (partitions <= 0)
                return "a replica of a table that nobody describes";
            if (row->partition >= partitions && !sim.setting.skip_stray)
                return "a replica of a partition that is none";
        }
    }
    return NULL;
}

static const char *stop_partition(const struct answers *answers, int32_t id, int32_t index)
{
    struct br_replica reports[SIM_NODES_MAX];
    uint32_t count = oracle_reports(answers, id, index, reports);
    const struct br_replica *best = oracle_best(reports, count);
    if (count == 0)
        return sim.setting.skip_lost_partitions ? NULL : "a partition is lost";
    if (!best)
        return "a partition has no replica with a ballot";
    if (!sim.setting.pass_over && oracle_passed_over(reports, count, best))
        return "a replica that holds more would be passed over";
    return NULL;
}

const char *sim_oracle_stop(const struct sim_evidence *evidence)
{
    struct answers answers;
    oracle_read(&answers, evidence);
    if (answers.silent && !sim.setting.skip_bad_nodes)
        return "a server is silent";
    if (answers.silent == sim.cluster.node_count)
        return "every server is silent";
    const char *why = stop_tables(&answers);
    if (!why)
        why = stop_strays(&answers);
    for (int32_t id = 1; !why && id <= 60; id++) {
        int32_t partitions = oracle_partitions(&answers, id);
        for (int32_t i = 0; !why && i < partitions; i++)
            why = stop_partition(&answers, id, i);
    }
    return why;
}

/* -- Is it told? ------------------------------------------------------------------------------- */

BR_PRINTF(2, 3) static void expect_line(const char *hint, const char *format, ...)
{
    char line[128];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (!strstr(hint, line))
        sim_break("the answer does not say \"%s\":\n%s", line, hint);
}

static void told_partition(const struct answers *answers, int32_t id, int32_t index,
                           const char *hint)
{
    struct br_replica reports[SIM_NODES_MAX];
    uint32_t count = oracle_reports(answers, id, index, reports);
    const struct br_replica *best = oracle_best(reports, count);
    if (count == 0)
        expect_line(hint, "partition(%d.%d) has no replica collected", id, index);
    else if (best && oracle_passed_over(reports, count, best))
        expect_line(hint, "partition(%d.%d) gets its primary from", id, index);
}

static void told_strays(const struct answers *answers, const char *hint)
{
    for (uint32_t n = 0; n < SIM_NODES_MAX; n++) {
        for (uint32_t r = 0; r < answers->replica_count[n]; r++) {
            const struct br_replica *row = &answers->replicas[n][r];
            if (row->partition >= oracle_partitions(answers, row->table))
                expect_line(hint, "holds a replica of partition(%d.%d)", row->table,
                            row->partition);
        }
    }
}

void sim_oracle_told(const struct sim_evidence *evidence, const char *hint)
{
    struct answers answers;
    oracle_read(&answers, evidence);
    for (uint32_t n = 0; n < sim.cluster.node_count; n++) {
        if (!answers.complete[n])
            expect_line(hint, "from node(%s) failed", sim.cluster.nodes[n].name);
    }
    told_strays(&answers, hint);
    for (int32_t id = 1; id <= 60; id++) {
        for (int32_t i = 0; i < oracle_partitions(&answers, id); i++)
            told_partition(&answers, id, i, hint);
    }
}

/* -- Is it written? ---------------------------------------------------------------------------- */

static void tree_partition(const struct answers *answers, const struct sim_tree *tree, int32_t id,
                           int32_t index)
{
    char path[64], primary[NODE_NAME_MAX + 16], ballot[48];
    struct br_replica reports[SIM_NODES_MAX];
    uint32_t count = oracle_reports(answers, id, index, reports);
    const struct br_replica *best = oracle_best(reports, count);
    snprintf(path, sizeof path, SIM_ROOT "/apps/%d/%d", id, index);
    const struct sim_item *item = sim_tree_find(tree, path);
    if (!item) {
        sim_break("%s is missing", path);
        return;
    }
    snprintf(ballot, sizeof ballot, "\"ballot\":%lld,", best ? (long long) best->ballot : 0LL);
    bool found = !best;
    for (uint32_t i = 0; best && i < count; i++) {
        if (reports[i].ballot < 0 || better(best, &reports[i]))
            continue;
        snprintf(primary, sizeof primary, "\"primary\":\"%s\"",
                 sim.cluster.nodes[reports[i].node].name);
        found = found || strstr(item->value, primary) != NULL;
    }
    if (!found || !strstr(item->value, ballot))
        sim_break("%s has not the best that was offered as its primary: %s", path, item->value);
}

void sim_oracle_tree(const struct sim_evidence *evidence, const struct sim_tree *tree)
{
    struct answers answers;
    oracle_read(&answers, evidence);
    for (int32_t id = 1; id <= 60; id++) {
        int32_t partitions = oracle_partitions(&answers, id);
        for (int32_t i = 0; i < partitions; i++)
            tree_partition(&answers, tree, id, i);
    }
}
