/* evidence_replicas -- replicas by partition, and what is said of those that cannot be judged. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/base/mem.h"
#include "host/recovery/evidence_run.h"

#define EVIDENCE_CONSENT_STRAY "skip_stray_replicas"

/* Of the replicas that have no place: how many, and the first one's node. */
struct evidence_strays {
    uint32_t *undescribed; /* by table id */
    int32_t *node;         /* by table id */
};

enum evidence_place {
    EVIDENCE_HERE,
    EVIDENCE_DROPPED,     /* its table is written as dropped */
    EVIDENCE_FOREIGN,     /* the row of another node */
    EVIDENCE_BAD_ID,      /* no possible table id */
    EVIDENCE_UNDESCRIBED, /* no claim describes its table */
    EVIDENCE_OUTSIDE,     /* no possible index of its table */
};

static enum evidence_place evidence_place(const struct evidence *evidence, int32_t node,
                                          const struct br_replica *replica, uint64_t *ret_number)
{
    int32_t id = replica->table;
    if (replica->node != node)
        return EVIDENCE_FOREIGN;
    if (id < 1 || id > BR_TABLE_ID_MAX)
        return EVIDENCE_BAD_ID;
    if (!evidence->described[id])
        return EVIDENCE_UNDESCRIBED;
    if (evidence->first[id] < 0)
        return EVIDENCE_DROPPED;
    if (replica->partition < 0 || replica->partition >= evidence->partitions[id])
        return EVIDENCE_OUTSIDE;
    *ret_number = (uint64_t) (evidence->first[id] + replica->partition);
    return EVIDENCE_HERE;
}

/* The child of a split under way holds nothing that its parent has not. */
static void evidence_outside(struct evidence *evidence, const struct br_replica *replica)
{
    char consented[BR_FINDING_TEXT_MAX];
    char what[BR_FINDING_TEXT_MAX - 128];
    bool child = replica->role == BR_ROLE_SPLIT;
    snprintf(what, sizeof what,
             "node(%s) holds a replica of partition(%d.%d), but app(%d) has %d "
             "partitions",
             evidence->nodes[replica->node], replica->table, replica->partition, replica->table,
             evidence->partitions[replica->table]);
    snprintf(consented, sizeof consented, "WARNING: %s, it is left out", what);
    struct br_subject subject = { .node = replica->node,
                                  .table = replica->table,
                                  .partition = replica->partition,
                                  .severity = child ? BR_WARNING : BR_LOSS,
                                  .consent = child ? NULL : EVIDENCE_CONSENT_STRAY,
                                  .consented = consented };
    evidence->findings->group = FINDING_PARTITION;
    if (child)
        findings_add(evidence->findings, &subject,
                     "WARNING: %s, it is left out as the child of a "
                     "split that was not finished",
                     what);
    else
        findings_add(evidence->findings, &subject,
                     "ERROR: %s, you can leave it out by the consent " EVIDENCE_CONSENT_STRAY
                     " (recovery.consents)",
                     what);
}

static void evidence_stray(struct evidence *evidence, int32_t node, enum evidence_place place,
                           const struct br_replica *replica, struct evidence_strays *strays)
{
    struct br_subject subject = { node, -1, -1, BR_REFUSAL, NULL, NULL };
    evidence->findings->group = FINDING_NODE;
    switch (place) {
    case EVIDENCE_HERE:
    case EVIDENCE_DROPPED: break;
    case EVIDENCE_FOREIGN:
        findings_add(evidence->findings, &subject,
                     "ERROR: the transport gave a replica of another node for node(%s)",
                     evidence->nodes[node]);
        break;
    case EVIDENCE_BAD_ID:
        findings_add(evidence->findings, &subject,
                     "ERROR: node(%s) holds a replica of partition(%d.%d), whose table id is not "
                     "between 1 and %d; leave the node out of the list to recover without it",
                     evidence->nodes[node], replica->table, replica->partition, BR_TABLE_ID_MAX);
        break;
    case EVIDENCE_UNDESCRIBED:
        if (!strays->undescribed[replica->table]++)
            strays->node[replica->table] = node;
        break;
    case EVIDENCE_OUTSIDE: evidence_outside(evidence, replica); break;
    }
}

static void evidence_undescribed(struct evidence *evidence, const struct evidence_strays *strays)
{
    evidence->findings->group = FINDING_NODE;
    for (int32_t id = 1; id <= BR_TABLE_ID_MAX; id++) {
        if (!strays->undescribed[id])
            continue;
        struct br_subject subject = { strays->node[id], id, -1, BR_REFUSAL, NULL, NULL };
        findings_add(evidence->findings, &subject,
                     "ERROR: app(%d) has %u replicas, the first of them on node(%s), but no node "
                     "describes it; add a node that does to the list, or leave out those that hold "
                     "its replicas",
                     id, strays->undescribed[id], evidence->nodes[strays->node[id]]);
    }
}

static void evidence_count(struct evidence *evidence, struct evidence_strays *strays)
{
    for (uint32_t i = 0; i < evidence->replica_run_count; i++) {
        const struct evidence_run *run = &evidence->replica_runs[i];
        const struct br_replica *rows = run->rows;
        for (uint32_t j = 0; j < run->count; j++) {
            uint64_t number;
            enum evidence_place place = evidence_place(evidence, run->node, &rows[j], &number);
            if (place == EVIDENCE_HERE)
                evidence->end[number + 1]++;
            else
                evidence_stray(evidence, run->node, place, &rows[j], strays);
        }
    }
}

/* end[] is used shifted: end[n + 1] counts, then begins, and, moved on by each row placed, ends
 * partition n. */
static void evidence_fill(struct evidence *evidence)
{
    uint64_t *begin = evidence->end + 1;
    uint64_t total = 0;
    for (uint64_t i = 0; i < evidence->partition_total; i++) {
        uint64_t count = begin[i];
        begin[i] = total;
        total += count;
    }
    evidence->replicas = mem_grow(NULL, (total + 1) * sizeof(void *));
    for (uint32_t i = 0; i < evidence->replica_run_count; i++) {
        const struct evidence_run *run = &evidence->replica_runs[i];
        const struct br_replica *rows = run->rows;
        for (uint32_t j = 0; j < run->count; j++) {
            uint64_t number;
            if (evidence_place(evidence, run->node, &rows[j], &number) == EVIDENCE_HERE)
                evidence->replicas[begin[number]++] = &rows[j];
        }
    }
}

void evidence_index(struct evidence *evidence)
{
    const size_t ids = BR_TABLE_ID_MAX + 1;
    struct evidence_strays strays = { mem_array(ids, sizeof(uint32_t)),
                                      mem_array(ids, sizeof(int32_t)) };
    evidence->end = mem_array(evidence->partition_total + 1, sizeof *evidence->end);
    evidence_count(evidence, &strays);
    evidence_undescribed(evidence, &strays);
    evidence_fill(evidence);
    free(strays.undescribed);
    free(strays.node);
}

/* -- One partition ---------------------------------------------------------------------------- */

static struct br_subject evidence_about(const struct br_replica *replica, int32_t severity)
{
    return (struct br_subject){ .node = replica->node,
                                .table = replica->table,
                                .partition = replica->partition,
                                .severity = severity };
}

/* Of two reports by one node the better one counts, the later one among equals. */
static const struct br_replica *evidence_twice(struct evidence *evidence,
                                               const struct br_replica *old,
                                               const struct br_replica *new)
{
    bool worse = new->ballot != old->ballot       ? new->ballot < old->ballot
                 : new->prepared != old->prepared ? new->prepared < old->prepared
                                                  : new->committed < old->committed;
    const struct br_replica *best = worse ? old : new;
    struct br_subject subject = evidence_about(best, BR_WARNING);
    findings_add(evidence->findings, &subject,
                 "WARNING: node(%s) reports partition(%d.%d) more than once, with the ballots "
                 "%" PRId64 " and %" PRId64 " and the prepared decrees %" PRId64 " and %" PRId64
                 ", the better one counts",
                 evidence->nodes[old->node], old->table, old->partition, old->ballot, new->ballot,
                 old->prepared, new->prepared);
    return best;
}

static void evidence_no_ballot(struct evidence *evidence, const struct br_replica *replica,
                               bool others)
{
    struct br_subject subject = evidence_about(replica, others ? BR_WARNING : BR_REFUSAL);
    const char *name = evidence->nodes[replica->node];
    if (others)
        findings_add(evidence->findings, &subject,
                     "WARNING: node(%s) reports partition(%d.%d) with the invalid ballot %" PRId64
                     ", it is left out",
                     name, replica->table, replica->partition, replica->ballot);
    else
        findings_add(evidence->findings, &subject,
                     "ERROR: node(%s) reports partition(%d.%d) with the invalid ballot %" PRId64
                     ", and no other replica of it was reported; leave the node out of the list to "
                     "recover without it",
                     name, replica->table, replica->partition, replica->ballot);
}

/* Leave out those of an invalid ballot; false: nothing else is there. */
static bool evidence_ballots(struct evidence *evidence, const struct br_replica **replicas,
                             uint32_t *count)
{
    uint32_t good = 0;
    for (uint32_t i = 0; i < *count; i++)
        good += replicas[i]->ballot >= 0;
    if (good == *count)
        return true;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++) {
        if (replicas[i]->ballot < 0)
            evidence_no_ballot(evidence, replicas[i], good > 0);
        else
            replicas[kept++] = replicas[i];
    }
    *count = kept;
    return good > 0;
}

bool evidence_partition(struct evidence *evidence, int32_t id, int32_t index,
                        const struct br_replica *const **ret_replicas, uint32_t *ret_count)
{
    uint64_t number = (uint64_t) (evidence->first[id] + index);
    uint64_t begin =
        evidence->end[number]; /* end[0] is 0, and each one's end is the next one's begin */
    uint64_t all = evidence->end[number + 1] - begin;
    const struct br_replica **replicas = evidence->replicas + begin;
    uint32_t count = 0;
    evidence->findings->group = FINDING_PARTITION;
    for (uint64_t i = 0; i < all; i++) {
        if (count && replicas[count - 1]->node == replicas[i]->node)
            replicas[count - 1] = evidence_twice(evidence, replicas[count - 1], replicas[i]);
        else
            replicas[count++] = replicas[i];
    }
    *ret_replicas = replicas;
    *ret_count = 0;
    if (count > BR_REPLICAS_MAX) {
        struct br_subject subject = { -1, id, index, BR_REFUSAL, NULL, NULL };
        findings_add(evidence->findings, &subject,
                     "ERROR: partition(%d.%d) is reported by %u nodes, over the limit of %d", id,
                     index, count, BR_REPLICAS_MAX);
        return false;
    }
    if (!evidence_ballots(evidence, replicas, &count))
        return false;
    *ret_count = count;
    return true;
}
