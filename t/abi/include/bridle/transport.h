/* bridle/transport.h -- a transport asks the replica servers, or their disks, or a simulation of
 * them, what they hold.
 *
 * The host asks many nodes at once within its bound, sets the deadline of every call and tries
 * again where the reply was BR_UNAVAILABLE; the transport makes one attempt per call.  Status of
 * a failure: BR_UNAVAILABLE where the node cannot be reached, BR_CORRUPT where the answer makes
 * no sense or is not whole, BR_REFUSED with the node's own error name (br_reply_fail_as).
 */
#ifndef BRIDLE_TRANSPORT_H
#define BRIDLE_TRANSPORT_H

#include <bridle/host.h>

struct br_transport {
    /* Reply rows of names: each node that may hold replicas, as "host:port".  Optional: absent,
     * the operator's list is all there is. */
    void (*nodes)(struct br_env *env, struct br_call *call);

    /* Reply rows of struct br_table, each with .node = `index`: every table the node knows. */
    void (*tables)(struct br_env *env, const char *node, int32_t index, struct br_call *call);

    /* Reply rows of struct br_replica, each with .node = `index`: every replica the node holds, in
     * the order that it reports them.  All or nothing: a row of doubtful content makes the whole
     * answer BR_CORRUPT, and the node counts as silent. */
    void (*replicas)(struct br_env *env, const char *node, int32_t index, struct br_call *call);

    /* Optional; a hint as in store.h. */
    void (*cancel)(struct br_env *env, struct br_call *call);
};

#endif
