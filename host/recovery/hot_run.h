/* hot_run -- one judgement under way.  Private to host/recovery. */
#ifndef HOST_RECOVERY_HOT_RUN_H
#define HOST_RECOVERY_HOT_RUN_H

#include "host/recovery/evidence.h"
#include "host/recovery/hot.h"

/* What becomes of a partition, by its number in the evidence. */
enum hot_fate {
    HOT_JUDGED, /* the policy decides */
    HOT_KEPT,   /* hot: its verdict is the group */
    HOT_WAITS,  /* not hot, and somebody claims it: its evidence may still change */
};

/* The reports of one partition, by node, unsifted. */
struct hot_group {
    const struct br_replica *const *first;
    const struct br_replica *const *second;
    uint64_t first_count;
    uint64_t second_count;
    const struct br_replica *primary; /* of the first round; set where there is exactly one */
    uint32_t primary_at;              /* its index */
    int32_t replica_count;            /* max_replica_count */
    bool split;
};

struct hot_run {
    const struct hot_request *request;
    const struct survey *survey; /* the first */
    struct evidence *first;
    struct evidence second;
    struct findings scratch; /* of the second: the first has said it all */
    struct findings *findings;
    struct cluster *cluster;
    struct hot *hot;
    uint8_t *reasons;        /* by partition's number */
    bool *obeys;             /* by node: it may obey another meta server */
    uint32_t *root;          /* by node: union-find over shared partitions */
    enum hot_reason general; /* why no group at all is whole; HOT_WHOLE: no such reason */
    struct hot_gpid some[HOT_REASONS][HOT_NAMED_MAX];
};

static inline bool hot_claim(const struct br_replica *replica)
{
    return replica->role == BR_ROLE_PRIMARY || replica->role == BR_ROLE_SECONDARY
           || replica->role == BR_ROLE_LEARNER;
}

/* A SECONDARY of the primary's ballot. */
static inline bool hot_member(const struct br_replica *replica, const struct br_replica *primary)
{
    return replica->role == BR_ROLE_SECONDARY && replica->ballot == primary->ballot;
}

/* After evidence_index, before any evidence_partition.  Hot partitions enter the cluster, whose
 * tables have their partitions, all without a primary; findings are added.  Free *ret_hot with
 * hot_done.  BR_INVALID: the second survey is of another list. */
br_status hot_judge(const struct hot_request *request, struct evidence *evidence,
                    struct findings *findings, struct cluster *cluster, struct hot *ret_hot,
                    struct fail *ret_fail);

/* hot_group.c: why a group is not whole by itself. */
enum hot_reason hot_group_reason(const struct hot_run *run, struct hot_group *group);

/* hot_tell.c: the findings of servers, then of partitions. */
void hot_tell_servers(struct hot_run *run);
void hot_tell_groups(struct hot_run *run);

#endif
