/* peer -- see peer.h. */
#include "host/replica/peer.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/base/number.h"

struct peer_entry {
    struct peer peer; /* first */
    bool named;
    char host[NODE_NAME_MAX];
    char name[NODE_NAME_MAX + 1];
};

static int peer_compare(const void *a, const void *b)
{
    const struct peer_entry *one = a, *other = b;
    if (one->named)
        return strcmp(one->name, other->name);
    return (one->peer.address > other->peer.address) - (one->peer.address < other->peer.address);
}

void peers_init(struct peers *peers, bool named)
{
    *peers = (struct peers){ .named = named };
}

void peers_done(struct peers *peers)
{
    tdestroy(peers->tree, free);
    peers->tree = NULL;
}

static void peer_fill(struct peer_entry *entry, uint64_t address, const struct host_port *host_port)
{
    entry->peer.address = address;
    if (host_port)
        host_port_format(host_port, entry->name);
    else
        address_format(address, entry->name);
    if (!host_port_parse(entry->name, entry->host, &entry->peer.host_port))
        entry->peer.host_port = (struct host_port){ .host = "" };
    entry->peer.name = entry->name;
}

bool peers_get(struct peers *peers, uint64_t address, const struct host_port *host_port,
               struct peer **ret_peer)
{
    struct peer_entry key = { .named = peers->named };
    *ret_peer = NULL;
    if (host_port
        && (host_port->type != 1 || !host_port->host || !*host_port->host
            || strlen(host_port->host) > NODE_NAME_MAX - 7))
        host_port = NULL;
    if (!host_port && (address & 3) != ADDRESS_IPV4)
        return true;
    peer_fill(&key, address, host_port);
    struct peer_entry **found = tfind(&key, &peers->tree, peer_compare);
    if (found) {
        if (address)
            (*found)->peer.address = address;
        *ret_peer = &(*found)->peer;
        return true;
    }
    if (peers->count == PEERS_MAX)
        return false;
    struct peer_entry *entry = mem_new(sizeof *entry);
    entry->named = peers->named;
    peer_fill(entry, address, host_port);
    tsearch(entry, &peers->tree, peer_compare);
    peers->count++;
    *ret_peer = &entry->peer;
    return true;
}

const char *peer_name(const struct peer *peer)
{
    return peer ? peer->name : "nobody";
}

uint64_t peer_address(const struct peer *peer)
{
    return peer ? peer->address : 0;
}

struct host_port peer_host_port(const struct peer *peer)
{
    return peer ? peer->host_port : (struct host_port){ .host = "" };
}
