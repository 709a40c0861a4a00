/* peer -- the servers a replica server hears of, one object each, so that they are compared by
 * pointer.
 *
 * Since 2.6 a server is its name (a host_port is compared as text), before it was its address.
 * Loop thread only.
 */
#ifndef HOST_REPLICA_PEER_H
#define HOST_REPLICA_PEER_H

#include "host/rdsn/address.h"
#include <bridle/types.h>

#define PEERS_MAX BR_NODES_MAX

struct peer {
    uint64_t address;           /* 0: its name was never told with an address */
    struct host_port host_port; /* points into name's neighbour; type 1 */
    const char *name;           /* "host:port": where it is called, and how it is logged */
};

struct peers {
    void *tree;
    uint32_t count;
    bool named; /* compare names, not addresses */
};

void peers_init(struct peers *peers, bool named);
void peers_done(struct peers *peers);

/* The server with this name (NULL or type 0: none was told) and address (0: none).  Where names
 * count, one that came without a name is called by its address.  false: there are PEERS_MAX
 * already.  *ret_peer is NULL where nobody is meant ("invalid address"). */
bool peers_get(struct peers *peers, uint64_t address, const struct host_port *host_port,
               struct peer **ret_peer);

/* "host:port", or "nobody". */
const char *peer_name(const struct peer *peer);

/* For messages: 0 and an invalid host_port for nobody. */
uint64_t peer_address(const struct peer *peer);
struct host_port peer_host_port(const struct peer *peer);

#endif
