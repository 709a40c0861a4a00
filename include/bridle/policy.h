/* bridle/policy.h -- a policy decides what the cluster was, in three steps.
 *
 * The three functions are functions in the mathematician's sense: no clock, no I/O, no memory
 * between calls; the same evidence gives the same verdict.  Evidence always comes in the
 * operator's order: by node index, then in the order that the node reported.  The policy
 * proposes; the host enforces consents and the invariants that no policy may relax:
 *
 *   - the primary, every member and every drop is one of the replicas given, none twice;
 *   - the verdict's ballot is the primary's;
 *   - passing over a replica of a higher ballot, of a higher decree at the same ballot, or of a
 *     committed decree under a lower ballot that the primary has never prepared, is a loss in the
 *     findings (or a note that names its consent, where an option of the policy allows it);
 *   - table names are unique, not empty and at most BR_NAME_MAX bytes;
 *   - a table that replicas use has a definition that a node reported.
 *
 * All return BR_OK, or a failure that stops the recovery (say why with br_fail).
 */
#ifndef BRIDLE_POLICY_H
#define BRIDLE_POLICY_H

#include <stdio.h>

#include <bridle/host.h>

/* All claims about one table id, at least one; or none, for an id below the highest known one
 * that nobody reports (then `placeholder` is 1).  now_second is the wall clock at the survey. */
struct br_table_evidence {
    int32_t id;
    int32_t placeholder;
    uint32_t claim_count;
    uint32_t reserved;
    const struct br_table *const *claims;
    int64_t now_second;
    const char *const *nodes; /* "host:port" by node index, for sentences */
};

/* `table` may point to a claim or to the policy's own choice in `made`; status is
 * BR_TABLE_AVAILABLE or BR_TABLE_DROPPED.  A dropped table gets its partitions written empty. */
struct br_table_verdict {
    struct br_table table;      /* shallow: its strings are the evidence's or static */
    char name[BR_NAME_MAX + 1]; /* for a made-up name: set table.name = name */
    struct br_findings *findings;
};

/* A verdict for an id that nobody describes: dropped, of one empty partition; the name is `prefix`
 * and the id. */
static inline void br_table_placeholder(const struct br_table_evidence *evidence,
                                        const char *prefix, struct br_table_verdict *verdict)
{
    snprintf(verdict->name, sizeof verdict->name, "%s%d", prefix, evidence->id);
    verdict->table = (struct br_table){ .node = -1,
                                        .id = evidence->id,
                                        .status = BR_TABLE_DROPPED,
                                        .partition_count = 1,
                                        .replica_count = 3,
                                        .init_partition_count = -1,
                                        .flags = BR_TABLE_STATEFUL,
                                        .name = verdict->name,
                                        .type = "pegasus" };
}

/* All tables at once, by ascending id.  Set names[i] where table i must be renamed: write it to
 * br_names_give.  The host calls again with the new names until nothing changes or a refusal was
 * found, at most BR_NAME_ROUNDS_MAX times. */
#define BR_NAME_ROUNDS_MAX 8

struct br_names_evidence {
    uint32_t count;
    uint32_t reserved;
    const struct br_table *const *tables;
};

struct br_names_verdict {
    /* Host function: table `index` is to be called `name` (copied). */
    void (*give)(struct br_names_verdict *, uint32_t index, const char *name);
    void *host; /* the host's own */
    struct br_findings *findings;
};

/* All replicas of one partition, of every status, in the operator's order; of each node at most
 * one, and all with a ballot of 0 or more. */
struct br_partition_evidence {
    const struct br_table *table; /* the definition decided before */
    int32_t partition;
    uint32_t replica_count; /* <= BR_REPLICAS_MAX */
    uint32_t silent_count;  /* nodes of the list that did not answer */
    uint32_t reserved;
    const struct br_replica *const *replicas;
    const char *const *nodes; /* "host:port" by node index, for sentences */
};

/* Indexes are into the evidence's replicas.  primary -1: the partition starts empty, which is a
 * loss to be found.  drops: the other replicas worth naming, the best at the back (Pegasus's
 * last_drops). */
struct br_partition_verdict {
    int32_t primary;
    uint32_t drop_count;
    int32_t drops[BR_DROPS_MAX];
    int64_t ballot;
    struct br_findings *findings;
};

/* Has the replica what no policy may pass over in silence: a higher ballot, a higher decree of the
 * same ballot, or what was committed under a lower one and the primary has never seen? */
static inline bool br_passed_over(const struct br_replica *replica,
                                  const struct br_replica *primary)
{
    if (replica->ballot == primary->ballot)
        return replica->prepared > primary->prepared || replica->committed > primary->committed;
    return replica->ballot > primary->ballot
           || (replica->committed > primary->prepared && replica->committed > primary->committed);
}

struct br_policy {
    br_status (*table)(struct br_env *env, const struct br_table_evidence *evidence,
                       struct br_table_verdict *verdict);
    br_status (*names)(struct br_env *env, const struct br_names_evidence *evidence,
                       struct br_names_verdict *verdict);
    br_status (*partition)(struct br_env *env, const struct br_partition_evidence *evidence,
                           struct br_partition_verdict *verdict);
};

#endif
