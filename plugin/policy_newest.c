/* policy_newest -- the primary is the replica with the highest committed decree, and only among
 * equals the one of the highest ballot: where ballots are known to have been damaged (an earlier
 * recovery, a restored disk), and as little as possible of what was committed shall be lost.
 *
 * Everything else is policy_pegasus's careful way.  Passing over a higher ballot, which no other
 * policy does, is a loss with a consent of its own: what was committed under that ballot is given
 * up, and its replica learns from the primary.
 */
#include <inttypes.h>
#include <stdio.h>

#include "plugin/policy_pegasus.h"

#define NEWEST_CONSENT_BALLOTS "pass_over_ballots"

static br_status newest_open(struct br_env *env)
{
    struct pegasus *pegasus = env->self;
    pegasus->newest = true;
    return BR_OK;
}

/* The replica of the highest ballot, the first in list order; NULL: it is the primary's. */
static const struct br_replica *newest_passed(const struct br_partition_evidence *evidence,
                                              const struct br_replica *primary)
{
    const struct br_replica *highest = primary;
    for (uint32_t i = 0; i < evidence->replica_count; i++)
        if (evidence->replicas[i]->ballot > highest->ballot)
            highest = evidence->replicas[i];
    return highest == primary ? NULL : highest;
}

static br_status newest_partition(struct br_env *env, const struct br_partition_evidence *evidence,
                                  struct br_partition_verdict *verdict)
{
    char what[BR_FINDING_TEXT_MAX];
    br_status status = pegasus_partition(env, evidence, verdict);
    if (verdict->primary < 0)
        return status;
    const struct br_replica *primary = evidence->replicas[verdict->primary];
    const struct br_replica *passed = newest_passed(evidence, primary);
    if (!passed)
        return BR_OK;
    snprintf(what, sizeof what,
             "partition(%d.%d) gets its primary from node(%s) (ballot %" PRId64
             ", committed %" PRId64 "), and node(%s) (%s, ballot %" PRId64 ", committed %" PRId64
             ") of a higher ballot is passed over",
             evidence->table->id, evidence->partition, evidence->nodes[primary->node],
             primary->ballot, primary->committed, evidence->nodes[passed->node],
             pegasus_role(passed->role), passed->ballot, passed->committed);
    pegasus_ask(env, verdict->findings, pegasus_about(evidence, passed->node, BR_LOSS),
                NEWEST_CONSENT_BALLOTS, what);
    return BR_OK;
}

static const struct br_policy newest_policy = {
    .table = pegasus_table,
    .names = pegasus_names,
    .partition = newest_partition,
};

BR_PLUGIN(policy, newest, &newest_policy,
          .summary = "The highest committed decree leads, then the highest ballot.",
          .version = "1.0", .license = "Apache-2.0", .state_size = sizeof(struct pegasus),
          .open = newest_open);
