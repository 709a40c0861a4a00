/* partition_wire -- a partition's record, between the state and the wire
 * (idl/dsn.layer2.thrift: partition_configuration).
 */
#ifndef HOST_META_PARTITION_WIRE_H
#define HOST_META_PARTITION_WIRE_H

#include "host/meta/state.h"
#include "host/rdsn/message.h"

/* The record as a message for this kind of peer (names for 2.6 only); what it points to is in the
 * arena. */
void partition_to_wire(const struct state *state, struct gpid pid, enum wire_peer peer,
                       struct arena *arena, struct msg_partition_configuration *ret_config);

/* The same where the table has been looked up already. */
void partition_in_to_wire(const struct state *state, const struct table *table, int32_t index,
                          enum wire_peer peer, struct arena *arena,
                          struct msg_partition_configuration *ret_config);

/* A node, as a message gives it: by its name where there is one (2.6), else by its address.
 * Returns its index, adding it to the state; -1: none, or too many nodes. */
int32_t node_from_wire(struct state *state, const struct host_port *name, uint64_t address);

/* The reverse of partition_to_wire.  ret_members (STATE_MEMBERS_MAX) holds what
 * ret_partition->members points to.  flags and replica_count are left 0.  NULL: fine; else what
 * makes no sense with it. */
const char *partition_from_wire(struct state *state,
                                const struct msg_partition_configuration *config,
                                int32_t *ret_members, struct partition *ret_partition);

/* "host:port" as a host_port, or the invalid one; in the arena. */
void name_to_wire(struct arena *arena, const char *name, struct host_port *ret);

#endif
