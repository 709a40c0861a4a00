/* policy_first -- a policy as it was written for ABI 1.0: t/abi.sh builds it with those headers,
 * and t/broken/policy.c breaks it.  The first description of a table holds, the highest ballot
 * leads, and of one ballot the highest decree.
 */
#include <bridle/plugin.h>

#include <stdio.h>
#include <string.h>

struct example {
    bool agree; /* option */
};

static const struct br_option example_options[] = {
    BR_BOOL(struct example, agree, .fallback = "true",
            .help = "Refuse a table that nodes describe with different partition counts."),
    { 0 },
};

static br_status example_table(struct br_env *env, const struct br_table_evidence *evidence,
                               struct br_table_verdict *verdict)
{
    const struct example *example = env->self;
    const struct br_subject subject = { -1, evidence->id, -1, BR_REFUSAL, NULL, NULL };
    snprintf(verdict->name, sizeof verdict->name, "nobody-knows-%d", evidence->id);
    verdict->table = (struct br_table){ .id = evidence->id,
                                        .status = BR_TABLE_DROPPED,
                                        .partition_count = 1,
                                        .replica_count = 3,
                                        .init_partition_count = -1,
                                        .flags = BR_TABLE_STATEFUL,
                                        .name = verdict->name,
                                        .type = "pegasus" };
    if (evidence->claim_count > 0) /* the id exists: somebody describes it */
        verdict->table = *evidence->claims[0];
    for (uint32_t i = 1; i < evidence->claim_count; i++)
        if (example->agree
            && evidence->claims[i]->partition_count != verdict->table.partition_count)
            br_find(env, verdict->findings, &subject, "ERROR: nodes disagree on table %d",
                    evidence->id);
    verdict->table.node = -1;
    return BR_OK;
}

/* Two tables of one name stop the recovery: this policy renames nobody. */
static br_status example_names(struct br_env *env, const struct br_names_evidence *evidence,
                               struct br_names_verdict *verdict)
{
    for (uint32_t i = 0; i < evidence->count; i++) {
        const struct br_subject subject = {
            -1, evidence->tables[i]->id, -1, BR_REFUSAL, NULL, NULL
        };
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(evidence->tables[i]->name, evidence->tables[j]->name) == 0)
                br_find(env, verdict->findings, &subject, "ERROR: tables %d and %d have one name",
                        evidence->tables[j]->id, evidence->tables[i]->id);
    }
    return BR_OK;
}

static bool example_before(const struct br_replica *a, const struct br_replica *b)
{
    if (a->ballot != b->ballot)
        return a->ballot < b->ballot;
    return a->prepared != b->prepared ? a->prepared < b->prepared : a->committed < b->committed;
}

static br_status example_partition(struct br_env *env, const struct br_partition_evidence *evidence,
                                   struct br_partition_verdict *verdict)
{
    struct br_subject subject = { -1,      evidence->table->id,    evidence->partition,
                                  BR_LOSS, "skip_lost_partitions", NULL };
    uint32_t best = 0;
    for (uint32_t i = 1; i < evidence->replica_count; i++)
        if (example_before(evidence->replicas[best], evidence->replicas[i]))
            best = i;
    if (evidence->replica_count == 0) {
        br_find(env, verdict->findings, &subject, "ERROR: nobody has a replica of partition %d.%d",
                evidence->table->id, evidence->partition);
        return BR_OK; /* primary stays -1: the partition starts empty */
    }
    const struct br_replica *primary = evidence->replicas[best];
    verdict->primary = (int32_t) best;
    verdict->ballot = primary->ballot;
    subject.consent = "pass_over_replicas";
    for (uint32_t i = 0; i < evidence->replica_count; i++) {
        const struct br_replica *other = evidence->replicas[i];
        if (i != best && verdict->drop_count < BR_DROPS_MAX)
            verdict->drops[verdict->drop_count++] = (int32_t) i; /* may be learned from */
        if (other->committed > primary->committed
            && (other->ballot == primary->ballot || other->committed > primary->prepared))
            br_find(env, verdict->findings, &subject, "ERROR: %s has a higher decree of %d.%d",
                    evidence->nodes[other->node], evidence->table->id, evidence->partition);
    }
    return BR_OK;
}

static const struct br_policy example_policy = {
    .table = example_table,
    .names = example_names,
    .partition = example_partition,
};

BR_PLUGIN(policy, example, &example_policy, .summary = "A policy to start from.", .version = "0.1",
          .license = "Apache-2.0", BR_STATE(struct example, example_options));
