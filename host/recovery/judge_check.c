/* judge_check -- see judge_check.h.  A policy is code from elsewhere: its verdict is checked as
 * what comes from the network is, and a bad one is a finding that names it.
 */
#include "host/recovery/judge_check.h"

#include <stdlib.h>
#include <string.h>

static bool judge_claimed_count(const struct br_table_evidence *shown, int32_t count)
{
    for (uint32_t i = 0; i < shown->claim_count; i++)
        if (shown->claims[i]->partition_count == count)
            return true;
    return shown->claim_count == 0;
}

const char *judge_table_wrong(const struct br_table_evidence *shown,
                              const struct br_table_verdict *verdict)
{
    const struct br_table *table = &verdict->table;
    if (table->id != shown->id)
        return "the id of another table";
    if (table->status != BR_TABLE_AVAILABLE && table->status != BR_TABLE_DROPPED)
        return "a status other than available or dropped";
    if (!shown->claim_count && table->status != BR_TABLE_DROPPED)
        return "a status other than dropped, though no node describes it";
    if (!evidence_text(table->name, BR_NAME_MAX))
        return "a name that is empty, too long, not UTF-8 or with control characters";
    if (!evidence_text(table->type, BR_NAME_MAX))
        return "a type that is empty, too long, not UTF-8 or with control characters";
    if (table->partition_count < 1 || table->partition_count > BR_PARTITIONS_MAX)
        return "an impossible number of partitions";
    if (!judge_claimed_count(shown, table->partition_count))
        return "a number of partitions that no node reports";
    if (table->replica_count < 1 || table->replica_count > BR_DROPS_MAX + 1)
        return "an impossible number of replicas";
    if (table->env_count > EVIDENCE_ENVS_MAX)
        return "impossible environments";
    for (uint32_t i = 0; i < 2 * table->env_count; i++)
        if (!table->envs || !table->envs[i])
            return "impossible environments";
    return NULL;
}

_Static_assert(BR_REPLICAS_MAX <= 64, "one bit a replica in judge_drops_wrong");

static const char *judge_drops_wrong(const struct br_partition_evidence *shown,
                                     const struct br_partition_verdict *verdict)
{
    uint64_t seen = UINT64_C(1) << verdict->primary;
    if (verdict->drop_count > BR_DROPS_MAX)
        return "more drops than can be";
    for (uint32_t i = 0; i < verdict->drop_count; i++) {
        int32_t drop = verdict->drops[i];
        if (drop < 0 || (uint32_t) drop >= shown->replica_count)
            return "a drop that is none of its replicas";
        if (seen >> drop & 1)
            return "one replica twice";
        seen |= UINT64_C(1) << drop;
    }
    return NULL;
}

const char *judge_partition_wrong(const struct br_partition_evidence *shown,
                                  const struct br_partition_verdict *verdict, bool found)
{
    if (verdict->primary == -1) {
        if (verdict->drop_count || verdict->ballot)
            return "drops or a ballot without a primary";
        return found ? NULL : "no primary without finding a loss";
    }
    if (verdict->primary < 0 || (uint32_t) verdict->primary >= shown->replica_count)
        return "a primary that is none of its replicas";
    const struct br_replica *primary = shown->replicas[verdict->primary];
    if (verdict->ballot != primary->ballot)
        return "a ballot that is not its primary's";
    const char *wrong = judge_drops_wrong(shown, verdict);
    if (wrong || found)
        return wrong;
    for (uint32_t i = 0; i < shown->replica_count; i++) {
        const struct br_replica *replica = shown->replicas[i];
        if (br_passed_over(replica, primary))
            return "a primary that passes over a higher replica without finding a loss";
    }
    return NULL;
}

static int judge_name_order(const void *left, const void *right)
{
    const struct br_table *const *a = left;
    const struct br_table *const *b = right;
    int order = strcmp((*a)->name, (*b)->name);
    return order ? order : ((*a)->id > (*b)->id) - ((*a)->id < (*b)->id);
}

void judge_unique_names(struct judge *judge, const struct br_table **tables, uint32_t count)
{
    qsort(tables, count, sizeof *tables, judge_name_order);
    for (uint32_t i = 1; i < count; i++) {
        if (strcmp(tables[i - 1]->name, tables[i]->name) != 0)
            continue;
        struct br_subject subject = { -1, tables[i]->id, -1, BR_REFUSAL, NULL, NULL };
        findings_add(judge->findings, &subject,
                     "ERROR: %s leaves app(%d) and app(%d) with the same name (%s)",
                     judge->policy->who, tables[i - 1]->id, tables[i]->id, tables[i]->name);
    }
}
