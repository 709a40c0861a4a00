/* judge_check -- what no policy may relax (bridle/policy.h).  Private to host/recovery. */
#ifndef HOST_RECOVERY_JUDGE_CHECK_H
#define HOST_RECOVERY_JUDGE_CHECK_H

#include "host/model/cluster.h"
#include "host/recovery/evidence.h"
#include "host/recovery/hot_run.h"

struct judge {
    const struct survey *survey;
    struct plugin *policy;
    struct findings *findings;
    struct fail *fail;
    struct evidence evidence;
    struct cluster cluster;
    const struct hot_request *request; /* NULL: nothing is hot */
    struct hot hot;
};

/* What is wrong with a verdict, as the end of a sentence; NULL: nothing. */
const char *judge_table_wrong(const struct br_table_evidence *shown,
                              const struct br_table_verdict *verdict);

/* `found`: the policy found a loss or refused, about this partition. */
const char *judge_partition_wrong(const struct br_partition_evidence *shown,
                                  const struct br_partition_verdict *verdict, bool found);

/* Each name that two tables bear is a refusal.  Sorts `tables`. */
void judge_unique_names(struct judge *judge, const struct br_table **tables, uint32_t count);

#endif
