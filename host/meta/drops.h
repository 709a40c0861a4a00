/* drops -- a partition's replicas that are no members, the best at the back
 * (src/meta/meta_data.cpp: config_context).
 */
#ifndef HOST_META_DROPS_H
#define HOST_META_DROPS_H

#include "host/meta/state.h"

#define DROPS_RESERVED 1 /* kept beyond max_replica_count (max_reserved_dropped_replicas) */
#define LAST_DROPS_MAX 3 /* of a record (maintain_drops) */

/* NULL: it is not among them. */
struct drop *drops_find(const struct cure *cure, int32_t node);

/* The node has left the group now. */
void drops_record(struct state *state, struct gpid pid, int32_t node, int64_t now_ms);

/* The node has become a member. */
void drops_remove(struct state *state, struct gpid pid, int32_t node);

/* The node told what it holds.  false: it is worse than all that are kept. */
bool drops_collect(struct state *state, struct gpid pid, const struct drop *found);

/* A loaded record's last_drops, of which nothing is known yet (time: now, as after a boot of
 * Pegasus's; 0 after a recovery). */
void drops_from_record(struct state *state, struct gpid pid, int64_t time_ms);

/* A record's last_drops after a change: `node` joined or left; members never stand in it; the
 * oldest give way.  In place: members is partition->members, with room for one more. */
void last_drops_change(struct partition *partition, int32_t *members, int32_t node, bool left);

#endif
