/* syncer -- who waits until what was written is safe from the loss of power: one fdatasync for all
 * that were written since the last one began (a group commit).
 *
 * Loop thread only; the disk is waited for in a thread of its own.
 */
#ifndef HOST_REPLICA_SYNCER_H
#define HOST_REPLICA_SYNCER_H

#include "host/replica/replica.h"

struct syncer;

/* NULL: there is no thread to be had (errno). */
struct syncer *syncer_new(struct loop *loop);

/* What is under way is waited for; nobody is told any more.  NULL: nothing. */
void syncer_free(struct syncer *syncer);

/* The mutation was appended to its replica's journal: replica_logged follows, from the loop.
 * `incoming` may be NULL; it is the syncer's until then. */
void syncer_add(struct syncer *syncer, struct replica *replica, struct mutation *mutation,
                struct rdsn_incoming *incoming);

#endif
