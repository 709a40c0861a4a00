/* change -- one partition's record on its way into the store: written first, then true in memory,
 * then answered (src/meta/server_state.cpp: update_configuration_on_remote).
 *
 * At most one a partition.  What the store refuses for good (a record that somebody deleted) is
 * said and tried again every second: the change waits, nothing is lost.  Loop thread only.
 */
#ifndef HOST_META_CHANGE_H
#define HOST_META_CHANGE_H

#include "host/meta/meta.h"
#include "host/meta/state.h"

/* Begin.  `next` is copied, members too; its ballot is the present one + 1.  `node`: whom the type
 * is about (-1: nobody).  `incoming`: the replica server's request (decoded as `peer`'s), answered
 * once the record is written; NULL: the change is our own. */
void change_start(struct meta *meta, struct gpid pid, int32_t type, int32_t node,
                  const struct partition *next, struct rdsn_incoming *incoming,
                  enum wire_peer peer);

/* Our own change: the primary is dead (CONFIG_DOWNGRADE_TO_INACTIVE). */
void change_drop_primary(struct meta *meta, struct gpid pid);

/* Does a change that is being written concern this node? (config sync: ERR_BUSY) */
bool change_touches(const struct change *change, int32_t node);

/* Leadership is over: requests go unanswered, the replica servers ask again. */
void change_forget_all(struct meta *meta);

#endif
