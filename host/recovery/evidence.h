/* evidence -- a survey, sorted for judging: claims by table id, replicas by partition.
 *
 * Both by counting: one pass counts, one pass puts pointers in place; rows stay where the transport
 * put them.  A replica costs its row (64 bytes), one pointer, and its share of one offset per
 * partition.  What comes from outside and makes no sense becomes a finding here, so that a policy
 * sees only claims and replicas that hold together.  Private to host/recovery.
 */
#ifndef HOST_RECOVERY_EVIDENCE_H
#define HOST_RECOVERY_EVIDENCE_H

#include "host/recovery/survey.h"

#define EVIDENCE_ENVS_MAX 4096 /* environments of one claim */

struct evidence_run; /* a chunk's rows and whose they are */

struct evidence {
    const struct survey *survey;
    struct findings *findings;
    struct arena arena;
    const char **nodes; /* names by index */
    struct evidence_run *table_runs;
    struct evidence_run *replica_runs;
    uint32_t table_run_count;
    uint32_t replica_run_count;

    int32_t max_id; /* 0: no tables */
    const struct br_table **claims;
    uint32_t *claim_start; /* by id: where its claims begin in `claims` */
    uint32_t *claim_count; /* by id: how many hold together */

    int64_t *first;      /* by id: the number of its partition 0; -1: its replicas are not judged */
    bool *described;     /* by id: by a claim that holds together */
    int32_t *partitions; /* by id: partition_count of the definition */
    uint64_t *end;       /* by partition's number + 1: where its replicas end in `replicas` */
    const struct br_replica **replicas;
    uint64_t partition_total;
};

/* Read the claims.  The findings go to group FINDING_NODE. */
void evidence_init(struct evidence *evidence, const struct survey *survey,
                   struct findings *findings);
void evidence_done(struct evidence *evidence);

/* The definition was decided: replicas of this id have so many partitions and are judged or not.
 * For every id from 1 to max_id, once, before evidence_index. */
void evidence_define(struct evidence *evidence, const struct br_table *table);

/* Put the replicas in place. */
void evidence_index(struct evidence *evidence);

/* The replicas of one partition in the operator's order, at most one of a node, none with an
 * invalid ballot; findings go to FINDING_PARTITION.  false: there are more than can be judged, or
 * none that could be, and that is a refusal. */
bool evidence_partition(struct evidence *evidence, int32_t id, int32_t index,
                        const struct br_replica *const **ret_replicas, uint32_t *ret_count);

/* Is it a string for a record: not NULL, not too long, UTF-8 without control characters? */
bool evidence_text(const char *text, size_t max);

/* UTF-8 at all: what the reading of records accepts. */
bool evidence_utf8(const char *text);

#endif
