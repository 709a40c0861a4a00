/* judge -- evidence to verdicts, through the policy: table by table, names, partition by partition.
 *
 * Pure: the same survey gives the same cluster.  The host checks here what no policy may relax
 * (policy.h) and what comes from outside: ids and indexes out of range, absurd counts, replicas of
 * tables that nobody described, more than BR_REPLICAS_MAX reports of one partition.  Each is a
 * refusal in the findings, never an abort.
 */
#ifndef HOST_RECOVERY_JUDGE_H
#define HOST_RECOVERY_JUDGE_H

#include "host/model/cluster.h"
#include "host/recovery/hot.h"
#include "host/recovery/survey.h"

/* BR_OK: *ret_cluster holds what shall be written (free with cluster_done), whatever the findings
 * say; the caller asks findings_pass().  A failure means that no cluster could be made at all;
 * its sentence is in ret_fail and, where it is the evidence's fault, among the findings. */
br_status judge(const struct survey *survey, struct plugin *policy, struct findings *findings,
                struct cluster *ret_cluster, struct fail *ret_fail);

/* The same, where groups may still serve (hot.h): `survey` is the first round, hot->second the
 * second.  Hot partitions get the group that they are as their verdict, the policy is not asked
 * about them, and *ret_hot (free with hot_done) says who is cold.  Where !ret_hot->ready the
 * cluster must not be written: partitions that somebody who is waited for still claims were not
 * judged, because their evidence may change; whatever the findings say, waiting does not cure it,
 * so that a recovery that they stop should be refused before anybody is made to wait.  On failure
 * *ret_hot needs no freeing. */
br_status judge_hot(const struct survey *survey, const struct hot_request *hot,
                    struct plugin *policy, struct findings *findings, struct cluster *ret_cluster,
                    struct hot *ret_hot, struct fail *ret_fail);

#endif
