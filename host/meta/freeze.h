/* freeze -- no replica server is let delete a replica until the operator says so (`bridle
 * release`).
 *
 * The rule: without a record in the store that says otherwise, the cluster is frozen.  The record
 * is <cluster_root>/bridle/released, one line of JSON:
 *
 *     {"version":1,"cluster":"onebox","by":"root@host1","at":1700000000,"bridled":"0.1.0"}
 *
 * Only the leader writes it, fenced, and only on the operator's word; `bridle freeze` deletes it,
 * and so does a recovery, in the batch that locks `apps` (apply.h), and a leader that finds no
 * tables.  A record that is missing, cannot be read, is none that this version understands or is
 * another cluster's is no release.  While released the leader reads it again every FREEZE_LOOK,
 * together with its own lock's node: what somebody else took back, and a lock that is gone, count
 * within FREEZE_FRESH at the latest, and so does a store that stops answering.
 *
 * What a replica server of Apache Pegasus does at a meta server's word (src/replica/):
 *
 *   gc_replicas of a config sync's answer: the directory of a closed replica is renamed to .gar and
 *       removed a day later (replica_stub.cpp:on_gc_replica, disk_cleaner.cpp).  The one way of
 *       deletion by name: collect_wrong decides.
 *   a config sync that does not list a replica; REMOVE, DOWNGRADE_TO_INACTIVE: the replica is
 *       closed, its directory stays as it is and is loaded again at the next start or proposal
 *       (replica_stub.cpp:close_replica; corrupt data alone are renamed to .err there).
 *   ADD_SECONDARY, ADD_SECONDARY_FOR_LB: the learner takes the primary's state.  One that has
 *       committed more than the primary *removes its data* first (replica_learn.cpp:on_learn_reply;
 *       pegasus_server_impl.cpp:stop).  learner_judge decides (learner.h).
 *   ASSIGN_PRIMARY, UPGRADE_TO_PRIMARY, DOWNGRADE_TO_SECONDARY: nothing is removed.
 *
 * Never asked for by us, frozen or not: DROP_PARTITION, REGISTER_CHILD, a split's cancelling.
 * Loop thread only.
 */
#ifndef HOST_META_FREEZE_H
#define HOST_META_FREEZE_H

#include "host/meta/meta.h"

#define FREEZE_RECORD_MAX 4096             /* bytes of a record that is looked at */
#define FREEZE_BY_MAX     128              /* bytes of who it was */
#define FREEZE_LOOK       (5 * BR_SECOND)  /* between looks at the record while released */
#define FREEZE_FRESH      (15 * BR_SECOND) /* what was read is believed for so long */

struct freeze;

/* Reads the record; frozen until it is read. */
struct freeze *freeze_new(struct meta *meta);
void freeze_free(struct freeze *freeze); /* NULL-safe; who waits is told that leadership is over */

/* NULL: it is released; else why it is frozen, good until the loop's next turn. */
const char *freeze_why(const struct meta *meta);

/* Has it been read, or found that it cannot be? */
bool freeze_known(const struct meta *meta);

/* Look at the record now. */
void freeze_look(struct meta *meta);

/* The operator's word.  `incoming` is answered once the store has it, or with why not ("ERROR:
 * ..."); a freeze counts at once, before it is written.  `cluster` must be the cluster's name. */
void freeze_release(struct meta *meta, const char *cluster, const char *by,
                    struct rdsn_incoming *incoming);
void freeze_take_back(struct meta *meta, const char *by, struct rdsn_incoming *incoming);

/* What is so, and how many replicas a release lets be collected; text or JSON. */
void freeze_put_status(const struct meta *meta, bool json, struct buf *buf);

/* -- collect.c: what may be deleted ------------------------------------------------------------ */

struct msg_replica_info;

/* May this replica, of which its server told in a sync that is answered ERR_OK, be collected?
 * NULL: yes; else why not.  The one place where that is decided
 * (src/meta/server_state.cpp:on_config_sync, and stricter: replicas of available tables and of
 * cancelled splits are never collected).  *ret_ripe: only the release or the level is missing. */
const char *collect_wrong(const struct meta *meta, const struct msg_replica_info *replica,
                          int64_t now_second, bool *ret_ripe);

/* Those of `replicas` that may, as a list in the arena; each is logged once.  What the node holds
 * that is ripe is counted. */
struct wire_list collect_from(struct meta *meta, int32_t node, const struct wire_list *replicas,
                              struct arena *arena);

/* Nothing of it counts any more: the server died. */
void collect_forget(struct state_node *node);

#endif
