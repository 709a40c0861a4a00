/* policy_example -- a policy to start from: the first description of a table holds, the highest
 * ballot leads, and of one ballot the highest decree.  PLUGINS.md goes through it.
 */
#include <bridle/plugin.h>

static br_status example_table(struct br_env *env, const struct br_table_evidence *evidence,
                               struct br_table_verdict *verdict)
{
    (void) env;
    br_table_placeholder(evidence, "nobody-knows-", verdict); /* the id exists */
    if (evidence->claim_count > 0)
        verdict->table = *evidence->claims[0];
    verdict->table.node = -1;
    return BR_OK;
}

/* Nobody is renamed: the host refuses two tables of one name. */
static br_status example_names(struct br_env *env, const struct br_names_evidence *evidence,
                               struct br_names_verdict *verdict)
{
    (void) env, (void) evidence, (void) verdict;
    return BR_OK;
}

static bool example_better(const struct br_replica *a, const struct br_replica *b)
{
    if (a->ballot != b->ballot)
        return a->ballot > b->ballot;
    return a->prepared != b->prepared ? a->prepared > b->prepared : a->committed > b->committed;
}

/* The primary is -1 to begin with, and where nobody has a replica it stays so. */
static br_status example_partition(struct br_env *env, const struct br_partition_evidence *evidence,
                                   struct br_partition_verdict *verdict)
{
    const struct br_replica *const *replicas = evidence->replicas, *best = NULL;
    const int32_t id = evidence->table->id, partition = evidence->partition;
    struct br_subject subject = { -1, id, partition, BR_LOSS, "skip_lost_partitions", NULL };
    for (uint32_t i = 0; i < evidence->replica_count; i++) {
        if (!best || example_better(replicas[i], best)) {
            best = replicas[i];
            verdict->primary = (int32_t) i;
            verdict->ballot = best->ballot;
        }
    }
    if (!best)
        br_find(env, verdict->findings, &subject, "ERROR: nobody has %d.%d", id, partition);
    subject.consent = "pass_over_replicas";
    for (uint32_t i = 0; i < evidence->replica_count; i++)
        if (br_passed_over(replicas[i], best))
            br_find(env, verdict->findings, &subject,
                    "ERROR: %s has more of %d.%d than its primary",
                    evidence->nodes[replicas[i]->node], id, partition);
    return BR_OK;
}

static const struct br_policy example_policy = { example_table, example_names, example_partition };

BR_PLUGIN(policy, example, &example_policy, .summary = "A policy to start from.", .version = "0.1",
          .license = "Apache-2.0");
