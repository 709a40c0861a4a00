/* policy_strict -- decides as policy_pegasus does in its careful way, and asks wherever something
 * is odd: what that one warns of, or says nothing about, is here a loss with a consent of its own,
 * so that nothing is recovered that an operator has not looked at.
 *
 *     accept_definitions    nodes disagree on a table's definition
 *     accept_unavailable    a table comes back that no node describes as available
 *     accept_envs           nodes disagree on a table's environments
 *     accept_names          two tables of one name
 *     accept_minority       fewer replicas than acknowledge a write were found
 *     accept_inversions     a replica of a lower ballot has more committed decrees than the primary
 *     accept_two_primaries  more than one replica reports itself primary
 *     accept_primary_status the primary is in error, learning or splitting
 *     accept_decrees        a replica reports fewer prepared than committed decrees
 *
 * The others (skip_lost_partitions, pass_over_replicas ...) are policy_pegasus's and the host's.
 */
#include <inttypes.h>
#include <stdio.h>

#include "plugin/policy_pegasus.h"

#define STRICT_CONSENT_MINORITY   "accept_minority"
#define STRICT_CONSENT_INVERSIONS "accept_inversions"
#define STRICT_CONSENT_PRIMARIES  "accept_two_primaries"
#define STRICT_CONSENT_DECREES    "accept_decrees"

static br_status strict_open(struct br_env *env)
{
    struct pegasus *pegasus = env->self;
    pegasus->strict = true;
    return BR_OK;
}

static void strict_ask(struct br_env *env, const struct br_partition_evidence *evidence,
                       const struct br_partition_verdict *verdict, int32_t node,
                       const char *consent, const char *what)
{
    pegasus_ask(env, verdict->findings, pegasus_about(evidence, node, BR_LOSS), consent, what);
}

/* Of a group of three two acknowledge a write, of five three: what fewer hold may lack it. */
static void strict_minority(struct br_env *env, const struct br_partition_evidence *evidence,
                            const struct br_partition_verdict *verdict)
{
    char what[BR_FINDING_TEXT_MAX];
    int32_t wanted = evidence->table->replica_count / 2 + 1;
    if ((int32_t) evidence->replica_count >= wanted)
        return;
    snprintf(what, sizeof what,
             "partition(%d.%d) has %u of %d replicas, a minority: writes that were acknowledged "
             "may be on none of them (%u servers did not answer)",
             evidence->table->id, evidence->partition, evidence->replica_count,
             evidence->table->replica_count, evidence->silent_count);
    strict_ask(env, evidence, verdict, -1, STRICT_CONSENT_MINORITY, what);
}

/* The one of a lower ballot that committed most; NULL: nobody more than the primary. */
static const struct br_replica *strict_inverted(const struct br_partition_evidence *evidence,
                                                const struct br_replica *primary)
{
    const struct br_replica *most = primary;
    for (uint32_t i = 0; i < evidence->replica_count; i++) {
        const struct br_replica *replica = evidence->replicas[i];
        if (replica->ballot < primary->ballot && replica->committed > most->committed)
            most = replica;
    }
    return most == primary ? NULL : most;
}

static void strict_inversion(struct br_env *env, const struct br_partition_evidence *evidence,
                             const struct br_partition_verdict *verdict)
{
    char what[BR_FINDING_TEXT_MAX];
    const struct br_replica *primary = evidence->replicas[verdict->primary];
    const struct br_replica *other = strict_inverted(evidence, primary);
    if (!other)
        return;
    snprintf(what, sizeof what,
             "partition(%d.%d) gets its primary from node(%s) (ballot %" PRId64
             ", committed %" PRId64 ", prepared %" PRId64 "), though node(%s) has a lower ballot "
             "and more committed decrees (ballot %" PRId64 ", committed %" PRId64 ")",
             evidence->table->id, evidence->partition, evidence->nodes[primary->node],
             primary->ballot, primary->committed, primary->prepared, evidence->nodes[other->node],
             other->ballot, other->committed);
    strict_ask(env, evidence, verdict, other->node, STRICT_CONSENT_INVERSIONS, what);
}

static void strict_primaries(struct br_env *env, const struct br_partition_evidence *evidence,
                             const struct br_partition_verdict *verdict)
{
    char what[BR_FINDING_TEXT_MAX];
    const struct br_replica *found[2] = { NULL, NULL };
    for (uint32_t i = 0; i < evidence->replica_count && !found[1]; i++)
        if (evidence->replicas[i]->role == BR_ROLE_PRIMARY)
            found[found[0] != NULL] = evidence->replicas[i];
    if (!found[1])
        return;
    snprintf(what, sizeof what,
             "partition(%d.%d) has more than one primary: node(%s) (ballot %" PRId64
             ", committed %" PRId64 ") and node(%s) (ballot %" PRId64 ", committed %" PRId64 ")",
             evidence->table->id, evidence->partition, evidence->nodes[found[0]->node],
             found[0]->ballot, found[0]->committed, evidence->nodes[found[1]->node],
             found[1]->ballot, found[1]->committed);
    strict_ask(env, evidence, verdict, found[1]->node, STRICT_CONSENT_PRIMARIES, what);
}

/* What is committed was prepared before: a report that says otherwise is of a damaged replica. */
static void strict_decrees(struct br_env *env, const struct br_partition_evidence *evidence,
                           const struct br_partition_verdict *verdict)
{
    char what[BR_FINDING_TEXT_MAX];
    for (uint32_t i = 0; i < evidence->replica_count; i++) {
        const struct br_replica *replica = evidence->replicas[i];
        if (replica->prepared >= replica->committed)
            continue;
        snprintf(what, sizeof what,
                 "node(%s) reports partition(%d.%d) with the committed decree %" PRId64
                 " and only %" PRId64 " prepared",
                 evidence->nodes[replica->node], evidence->table->id, evidence->partition,
                 replica->committed, replica->prepared);
        strict_ask(env, evidence, verdict, replica->node, STRICT_CONSENT_DECREES, what);
    }
}

static br_status strict_partition(struct br_env *env, const struct br_partition_evidence *evidence,
                                  struct br_partition_verdict *verdict)
{
    br_status status = pegasus_partition(env, evidence, verdict);
    if (verdict->primary < 0)
        return status;
    strict_minority(env, evidence, verdict);
    strict_inversion(env, evidence, verdict);
    strict_primaries(env, evidence, verdict);
    strict_decrees(env, evidence, verdict);
    return BR_OK;
}

static const struct br_policy strict_policy = {
    .table = pegasus_table,
    .names = pegasus_names,
    .partition = strict_partition,
};

BR_PLUGIN(policy, strict, &strict_policy,
          .summary = "Decides as policy_pegasus and asks the operator wherever anything is odd.",
          .version = "1.0", .license = "Apache-2.0", .state_size = sizeof(struct pegasus),
          .open = strict_open);
