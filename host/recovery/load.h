/* load -- read a root back from the store into a cluster: for verifying a plan, and for serving.
 *
 * Tolerates what Pegasus tolerates and names what it does not
 * (src/meta/server_state.cpp:sync_apps_from_remote_storage); never aborts.
 */
#ifndef HOST_RECOVERY_LOAD_H
#define HOST_RECOVERY_LOAD_H

#include "host/recovery/apply.h"

#define LOAD_FLIGHT 8 /* reads in flight */

/* BR_OK and the cluster (the receiver's to cluster_done() and free()), or NULL and a failure.
 * BR_NOTFOUND: `apps` is not there; a childless one is a cluster without tables.  BR_CORRUPT: the
 * sentence names the path.  BR_TOOBIG: over BR_TABLES_MAX or CLUSTER_PARTITIONS_MAX.  Whatever else
 * the store answers to a read is passed on as it is.
 *
 * What Pegasus tolerates and so does this: an empty value of `apps`; missing partition records,
 * which count as newly created ones (or, in the upper half of a table that is being split, as its
 * children) and are noted with one log line; partition records whose names of nodes cannot be
 * resolved; children of a table that are no partition of it, which are not looked at; what a drop
 * or a recall that was broken off has left (load_repairs).  What it tolerates and this does not: a
 * table's record that bears another id than its node, because Pegasus would read it here and write
 * it there; a partition record of which a part cannot be read, which Pegasus would serve half
 * filled. */
typedef void load_done(void *arg, struct cluster *cluster, const struct fail *fail);

/* Reads of at most LOAD_FLIGHT chunks are in flight; each has that many times the store's deadline,
 * because it may be the last of them.  A load that takes longer says once a second how far it is.
 */
struct load;
struct load *load_start(struct loop *loop, struct plugin *store, const char *root, load_done *done,
                        void *arg);

/* NULL-safe; done is not called any more; not after done. */
void load_cancel(struct load *load);

/* What is still to be written, because somebody was stopped in the middle of it; the loader itself
 * writes nothing, and the cluster holds what the store holds. */
enum repair_kind {
    /* The record is missing: create it as the cluster has it (init_app_partition_node). */
    REPAIR_CREATE = 1,
    /* The table is available, the partition is flagged as dropped: put the record with the flag
     * cleared, the ballot as it is (recall_partition). */
    REPAIR_RECALL = 2,
    /* The table is dropped, the partition is not: put the record with ballot + 1, no primary, no
     * secondaries, PARTITION_DROPPED set, and at the end of its last_drops the secondaries in their
     * order, then the primary (drop_partition). */
    REPAIR_DROP = 3,
    /* The record of a split's child is missing: its ballot is BR_BALLOT_INVALID, and nothing is
     * written until the child is registered or the split is cancelled. */
    REPAIR_SPLIT = 4,
};

struct repair {
    uint32_t table; /* index in cluster->tables */
    int32_t partition;
    enum repair_kind kind;
};

/* From inside `done` only, where it got a cluster; by ascending table and partition.  Memory is the
 * cluster's arena's.  NULL where the count is 0. */
const struct repair *load_repairs(const struct load *load, uint32_t *ret_count);

/* The same for people: one log line a kind.  (What a recovery has just written is due for repairs,
 * too: the placeholders that Pegasus leaves half dropped; nobody needs to hear of those.) */
void load_tell_repairs(const struct load *load, const struct cluster *cluster);

/* Field by field; BR_OK, or BR_CONFLICT with a sentence that names the first difference.  Nodes
 * are compared by name, or by address where the version's layout keeps only that; what it does not
 * keep at all is not compared. */
br_status verify_cluster(const struct cluster *planned, const struct cluster *found,
                         enum layout_version version, struct fail *ret_fail);

#endif
