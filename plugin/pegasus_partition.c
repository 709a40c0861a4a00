/* pegasus_partition -- who is primary, and who is named behind it
 * (src/meta/server_state.cpp:construct_partitions, src/meta/meta_data.cpp:construct_replica).
 *
 * Replicas are sorted once, the best first: by ballot, in the careful way by whether their status
 * promises anything, then by committed and prepared decree; equals stay in list order.
 * policy_newest looks at the committed decree before everything else.
 */
#include "plugin/policy_pegasus.h"

#include <inttypes.h>
#include <stdio.h>

#define PEGASUS_CONSENT_LOST   "skip_lost_partitions"
#define PEGASUS_CONSENT_STATUS "accept_primary_status"

const char *pegasus_role(br_role role)
{
    static const char *const names[] = {
        [BR_ROLE_INVALID] = "INVALID",       [BR_ROLE_INACTIVE] = "INACTIVE",
        [BR_ROLE_ERROR] = "ERROR",           [BR_ROLE_PRIMARY] = "PRIMARY",
        [BR_ROLE_SECONDARY] = "SECONDARY",   [BR_ROLE_LEARNER] = "POTENTIAL_SECONDARY",
        [BR_ROLE_SPLIT] = "PARTITION_SPLIT",
    };
    return role >= 0 && role <= BR_ROLE_SPLIT ? names[role] : "unknown";
}

bool pegasus_promising(const struct br_replica *replica)
{
    return replica->role == BR_ROLE_INACTIVE || replica->role == BR_ROLE_PRIMARY
           || replica->role == BR_ROLE_SECONDARY;
}

/* Above 0: a is better than b. */
static int pegasus_compare(const struct pegasus *pegasus, const struct br_replica *a,
                           const struct br_replica *b)
{
    bool by_status = pegasus_careful(pegasus, pegasus->status_order);
    if (pegasus->newest && a->committed != b->committed)
        return a->committed > b->committed ? 1 : -1;
    if (a->ballot != b->ballot)
        return a->ballot > b->ballot ? 1 : -1;
    if (by_status && pegasus_promising(a) != pegasus_promising(b))
        return pegasus_promising(a) ? 1 : -1;
    if (a->committed != b->committed)
        return a->committed > b->committed ? 1 : -1;
    if (a->prepared != b->prepared)
        return a->prepared > b->prepared ? 1 : -1;
    return 0;
}

/* Indexes, the best first; there are few, so insertion is best. */
static void pegasus_sort(const struct pegasus *pegasus,
                         const struct br_partition_evidence *evidence,
                         int32_t order[BR_REPLICAS_MAX])
{
    for (uint32_t i = 0; i < evidence->replica_count; i++) {
        const struct br_replica *replica = evidence->replicas[i];
        uint32_t at = i;
        for (; at > 0; at--) {
            if (pegasus_compare(pegasus, evidence->replicas[order[at - 1]], replica) >= 0)
                break;
            order[at] = order[at - 1];
        }
        order[at] = (int32_t) i;
    }
}

static uint32_t pegasus_tied(const struct pegasus *pegasus,
                             const struct br_partition_evidence *evidence, const int32_t *order)
{
    const struct br_replica *best = evidence->replicas[order[0]];
    uint32_t tied = 1;
    while (tied < evidence->replica_count
           && pegasus_compare(pegasus, best, evidence->replicas[order[tied]]) == 0)
        tied++;
    return tied;
}

/* Turn the tied ones so that the chosen one stands first and list order goes on behind it. */
static void pegasus_spread(const struct br_partition_evidence *evidence, uint32_t tied,
                           int32_t *order)
{
    uint32_t chosen = (uint32_t) evidence->partition % tied;
    int32_t old[BR_REPLICAS_MAX];
    for (uint32_t i = tied; i-- > 0;)
        if (evidence->replicas[order[i]]->role == BR_ROLE_PRIMARY)
            chosen = i;
    for (uint32_t i = 0; i < tied; i++)
        old[i] = order[i];
    for (uint32_t i = 0; i < tied; i++)
        order[i] = old[(chosen + i) % tied];
}

struct br_subject pegasus_about(const struct br_partition_evidence *evidence, int32_t node,
                                int32_t severity)
{
    return (struct br_subject){ .node = node,
                                .table = evidence->table->id,
                                .partition = evidence->partition,
                                .severity = severity };
}

void pegasus_ask(struct br_env *env, struct br_findings *findings, struct br_subject subject,
                 const char *consent, const char *what)
{
    char consented[4 * BR_FINDING_TEXT_MAX]; /* the host cuts what is too long */
    snprintf(consented, sizeof consented, "WARNING: %s", what);
    subject.consent = consent;
    subject.consented = consented;
    br_find(env, findings, &subject,
            "ERROR: %s, you can allow it by the consent %s (recovery.consents)", what, consent);
}

void pegasus_odd(struct br_env *env, struct br_findings *findings, struct br_subject subject,
                 const char *consent, const char *what)
{
    const struct pegasus *pegasus = env->self;
    subject.severity = pegasus->strict ? BR_LOSS : BR_WARNING;
    if (pegasus->strict)
        pegasus_ask(env, findings, subject, consent, what);
    else
        br_find(env, findings, &subject, "WARNING: %s", what);
}

static void pegasus_lost(struct br_env *env, const struct br_partition_evidence *evidence,
                         struct br_findings *findings)
{
    char consented[BR_FINDING_TEXT_MAX];
    int32_t id = evidence->table->id;
    snprintf(consented, sizeof consented,
             "WARNING: partition(%d.%d) has no replica collected, force recover the lost partition "
             "to empty",
             id, evidence->partition);
    struct br_subject subject = pegasus_about(evidence, -1, BR_LOSS);
    subject.consent = PEGASUS_CONSENT_LOST;
    subject.consented = consented;
    br_find(env, findings, &subject,
            "ERROR: partition(%d.%d) has no replica collected, you can force recover it by set "
            "skip_lost_partitions option",
            id, evidence->partition);
}

/* Has it what the primary has not?  What is only prepared ends with its ballot; what is committed
 * does not: whoever lacks it is not whole, be its ballot higher or not. */
static bool pegasus_has_more(const struct br_replica *replica, const struct br_replica *primary)
{
    if (replica->ballot != primary->ballot)
        return replica->committed > primary->prepared && replica->committed > primary->committed;
    return replica->prepared > primary->prepared || replica->committed > primary->committed;
}

/* The best replica, of whatever status, that has what the primary has not. */
static const struct br_replica *pegasus_passed(const struct br_partition_evidence *evidence,
                                               const struct br_replica *primary)
{
    const struct br_replica *passed = NULL;
    for (uint32_t i = 0; i < evidence->replica_count; i++) {
        const struct br_replica *replica = evidence->replicas[i];
        if (pegasus_has_more(replica, primary) && (!passed || replica->prepared > passed->prepared))
            passed = replica;
    }
    return passed;
}

/* Who does not look at the status decides as Apache Pegasus, which passes over such a replica
 * without a word: then it is a note. */
static void pegasus_pass_over(struct br_env *env, const struct br_partition_evidence *evidence,
                              const struct br_replica *primary, const struct br_replica *passed,
                              struct br_findings *findings)
{
    const struct pegasus *pegasus = env->self;
    char what[BR_FINDING_TEXT_MAX - 128];
    snprintf(what, sizeof what,
             "partition(%d.%d) gets its primary from node(%s) (%s, committed %" PRId64
             ", prepared %" PRId64 "), and node(%s) (%s, committed %" PRId64 ", prepared %" PRId64
             ") of %s ballot is passed over",
             evidence->table->id, evidence->partition, evidence->nodes[primary->node],
             pegasus_role(primary->role), primary->committed, primary->prepared,
             evidence->nodes[passed->node], pegasus_role(passed->role), passed->committed,
             passed->prepared, passed->ballot == primary->ballot ? "the same" : "a lower");
    bool careful = pegasus_careful(pegasus, pegasus->status_order);
    pegasus_ask(env, findings, pegasus_about(evidence, passed->node, careful ? BR_LOSS : BR_NOTE),
                PEGASUS_CONSENT_PASS, what);
}

/* The primary is learning, in error or splitting. */
static void pegasus_doubt(struct br_env *env, const struct br_partition_evidence *evidence,
                          const struct br_replica *primary, struct br_findings *findings)
{
    const struct pegasus *pegasus = env->self;
    char what[BR_FINDING_TEXT_MAX - 128];
    snprintf(what, sizeof what,
             "partition(%d.%d) gets its primary from node(%s), whose replica has the highest %s "
             "(%" PRId64 ") but is in status %s and may be incomplete",
             evidence->table->id, evidence->partition, evidence->nodes[primary->node],
             pegasus->newest ? "committed decree" : "ballot",
             pegasus->newest ? primary->committed : primary->ballot, pegasus_role(primary->role));
    pegasus_odd(env, findings, pegasus_about(evidence, primary->node, BR_WARNING),
                PEGASUS_CONSENT_STATUS, what);
}

static void pegasus_tell(struct br_env *env, const struct br_partition_evidence *evidence,
                         const struct br_partition_verdict *verdict)
{
    const struct pegasus *pegasus = env->self;
    const struct br_replica *primary = evidence->replicas[verdict->primary];
    int32_t id = evidence->table->id;
    int32_t collected = (int32_t) verdict->drop_count + 1;
    if (collected < evidence->table->replica_count) {
        struct br_subject subject = pegasus_about(evidence, -1, BR_WARNING);
        br_find(env, verdict->findings, &subject,
                "WARNING: partition(%d.%d) only collects %d/%d of replicas, may lost data", id,
                evidence->partition, collected, evidence->table->replica_count);
    }
    if (!pegasus_promising(primary) && pegasus_careful(pegasus, pegasus->advice))
        pegasus_doubt(env, evidence, primary, verdict->findings);
    const struct br_replica *passed = pegasus_passed(evidence, primary);
    if (passed)
        pegasus_pass_over(env, evidence, primary, passed, verdict->findings);
}

br_status pegasus_partition(struct br_env *env, const struct br_partition_evidence *evidence,
                            struct br_partition_verdict *verdict)
{
    const struct pegasus *pegasus = env->self;
    int32_t order[BR_REPLICAS_MAX];
    uint32_t count = evidence->replica_count;
    if (!count) {
        pegasus_lost(env, evidence, verdict->findings);
        verdict->primary = -1;
        return BR_OK;
    }
    pegasus_sort(pegasus, evidence, order);
    if (pegasus_careful(pegasus, pegasus->ties))
        pegasus_spread(evidence, pegasus_tied(pegasus, evidence, order), order);
    uint32_t drops = (uint32_t) (evidence->table->replica_count - 1);
    if (drops > count - 1)
        drops = count - 1;
    for (uint32_t i = 0; i < drops; i++)
        verdict->drops[drops - 1 - i] = order[i + 1];
    verdict->primary = order[0];
    verdict->drop_count = drops;
    verdict->ballot = evidence->replicas[order[0]]->ballot;
    pegasus_tell(env, evidence, verdict);
    return BR_OK;
}
