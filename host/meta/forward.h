/* forward -- a request that came to a meta server which does not lead
 * (src/meta/meta_service.cpp:check_leader, src/rpc/rpc_engine.cpp:forward and reply).
 *
 * A server's request (its header's from_address has a port above FORWARD_CLIENT_PORT_MAX) is sent
 * on to the leader as it is, with the same id and from_address and RDSN_FORWARDED set; nothing is
 * kept and nothing answered here.  The leader answers it over a connection of its own to
 * from_address (meta_reply).  A client's request is answered with the leader's address instead
 * (routes.c).
 *
 * What was forwarded once is not forwarded again, and nothing is sent to oneself: where meta
 * servers disagree about who leads, no request goes round.  Beacons are never forwarded.
 */
#ifndef HOST_META_FORWARD_H
#define HOST_META_FORWARD_H

#include "host/meta/routes.h"

#define FORWARD_CLIENT_PORT_MAX 1023            /* src/rpc/rpc_engine.h:MAX_CLIENT_PORT */
#define FORWARD_TIMEOUT         (5 * BR_SECOND) /* until a message is given up that is not sent */

/* Somebody else is known to lead. */
bool forward_known(const struct meta *meta);

/* This request may be forwarded, really or by naming the leader in the header: its sender can bear
 * it, it was not forwarded yet, and somebody else is known to lead. */
bool forward_may(const struct route *route);

/* Send it on; the route is over.  Only where forward_may. */
void forward_request(struct route *route);

#endif
