/* layout -- Pegasus's ZooKeeper layout: paths and JSON, both ways (src/meta/server_state.cpp,
 * src/common/json_helper.h).
 *
 * Output is byte-identical to Pegasus's: compact, fixed key order, enums as strings, booleans as 0
 * or 1, maps sorted by key.  Input follows its decode rule: known keys are optional and typed;
 * success only if all known keys were found or no unknown one stands beside a missing known one.
 */
#ifndef HOST_MODEL_LAYOUT_H
#define HOST_MODEL_LAYOUT_H

#include "host/base/buf.h"
#include "host/model/cluster.h"
#include <bridle/store.h>

/* Which Pegasus shall boot from it: 2.5 writes no hp_* keys and no atomic_idempotent; 2.6 reads
 * only the hp_* ones. */
enum layout_version { LAYOUT_25 = 0, LAYOUT_26 = 1 };

#define LAYOUT_ROOT_MAX    (BR_PATH_MAX - 64) /* bytes of a root: room for what stands below it */
#define LAYOUT_JSON_MAX    BR_STORE_VALUE_MAX /* bytes of a record that is read */
#define LAYOUT_MEMBERS_MAX 32                 /* entries of one list of nodes in a record */

#define LAYOUT_LOCK   "lock"   /* the value of <root>/apps while it is being written */
#define LAYOUT_UNLOCK "unlock" /* ... and once it is whole */

/* `root` normalised: one leading slash, none at the end, no empty components; "/" stays "/".
 * BR_INVALID where a component is "." or "..", a character is below 0x20 or it is too long. */
br_status layout_root(const char *root, struct buf *ret_root, struct fail *ret_fail);

/* Append a path: <root>/apps, <root>/apps/<id>, <root>/apps/<id>/<index>; <root>/bridle, and below
 * it ours: journal (recovery/apply.h), released (meta/freeze.h). */
void layout_apps_path(struct buf *buf, const char *root);
void layout_table_path(struct buf *buf, const char *root, int32_t id);
void layout_partition_path(struct buf *buf, const char *root, int32_t id, int32_t index);
void layout_bridle_path(struct buf *buf, const char *root);
void layout_journal_path(struct buf *buf, const char *root);
void layout_released_path(struct buf *buf, const char *root);

/* The leader lock's: <lock_root>/dsn.meta.server.leader; the failures are layout_root's. */
br_status layout_lock_path(const char *lock_root, struct buf *ret_path, struct fail *ret_fail);

/* Append the record.  Environments need not be sorted. */
void layout_put_table(struct buf *buf, const struct br_table *table, enum layout_version version);
void layout_put_partition(struct buf *buf, const struct cluster *cluster, int32_t table_id,
                          int32_t replica_count, int32_t index, const struct partition *partition,
                          enum layout_version version);

/* Can that Pegasus read what would be written?  2.5 knows nodes by their addresses only, so that
 * each node that a partition names must have one: BR_INVALID names the first that has none. */
br_status layout_check(const struct cluster *cluster, enum layout_version version,
                       struct fail *ret_fail);

/* Read a record.  Strings go to the cluster's arena; nodes that it names are added to the cluster.
 * BR_CORRUPT: the sentence says which key.  Missing keys leave Pegasus's defaults.  An enum that is
 * not known is the invalid value; so is, for the caller to refuse, a count below zero. */
br_status layout_get_table(struct cluster *cluster, br_bytes json, struct br_table *ret_table,
                           struct fail *ret_fail);

/* ret_pid: the record's own gpid as {table, index}, which the caller compares ({0, 0} where it is
 * missing).  Each list of nodes is read from its hp_* key where that is there, else from the one
 * with addresses, which then are the nodes' names. */
br_status layout_get_partition(struct cluster *cluster, br_bytes json,
                               struct partition *ret_partition, int32_t ret_pid[2],
                               struct fail *ret_fail);

#endif
