/* load -- read a root back from the store into a cluster: for verifying a plan, and for serving.
 *
 * Tolerates what Pegasus tolerates and names what it does not
 * (src/meta/server_state.cpp:sync_apps_from_remote_storage); never aborts.
 */
#ifndef HOST_RECOVERY_LOAD_H
#define HOST_RECOVERY_LOAD_H

#include "host/recovery/apply.h"

/* BR_OK and the cluster (the receiver's to cluster_done() and free()), or NULL and a failure.
 * BR_NOTFOUND: `apps` is not there; a childless one is a cluster without tables.  BR_CORRUPT: the
 * sentence names the path.  BR_TOOBIG: over BR_TABLES_MAX or CLUSTER_PARTITIONS_MAX.  Missing
 * partition records count as newly created ones and are noted with one log line; children of a
 * table that are no partition of it are not looked at. */
typedef void load_done(void *arg, struct cluster *cluster, const struct fail *fail);

struct load;
struct load *load_start(struct loop *loop, struct plugin *store, const char *root, load_done *done,
                        void *arg);

/* NULL-safe; done is not called any more; not after done. */
void load_cancel(struct load *load);

/* Field by field; BR_OK, or BR_CONFLICT with a sentence that names the first difference.  Nodes
 * are compared by name, or by address where the version's layout keeps only that; what it does not
 * keep at all is not compared. */
br_status verify_cluster(const struct cluster *planned, const struct cluster *found,
                         enum layout_version version, struct fail *ret_fail);

#endif
