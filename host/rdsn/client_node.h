/* client_node -- what a client keeps per node and per request; private to the client.
 *
 * A node lives while it has requests or a connection.  Every failure goes through the client's
 * list of finished requests, from which one event calls back; only replies are delivered where
 * they are read, because their bodies lie there.
 */
#ifndef HOST_RDSN_CLIENT_NODE_H
#define HOST_RDSN_CLIENT_NODE_H

#include <sys/queue.h>

#include "host/rdsn/client.h"
#include "host/rdsn/resolve.h"
#include "host/rdsn/stream.h"

enum node_state {
    NODE_CLOSED = 0,
    NODE_WAITING,    /* for a connection to be allowed */
    NODE_RESOLVING,  /* from here on it counts as a connection */
    NODE_CONNECTING, /* TCP only */
    NODE_OPEN,
};

struct request {
    TAILQ_ENTRY(request) link; /* in its node's list, or in the finished ones */
    uint64_t id;
    struct node *node; /* NULL: finished */
    struct event timer;
    br_time timeout;
    rdsn_done *done; /* may be NULL */
    void *arg;
    uint64_t end; /* one_way: done when the stream has sent so many bytes */
    bool one_way;
    struct rdsn_header *header; /* of a datagram, until it is sent; its body behind it */
    char rpc[RDSN_NAME_SIZE];
    br_status status; /* of a finished one, and the rest of it */
    const char *error;
    char *why;
};

TAILQ_HEAD(request_list, request);

struct node {
    TAILQ_ENTRY(node) link; /* in the waiting nodes, or in the idle ones */
    struct rdsn_client *client;
    char *name;       /* "host:port" */
    size_t host_size; /* where the colon is */
    bool datagram;
    bool is_idle;
    enum node_state state;
    uint16_t port;
    br_time since; /* idle since */
    struct lookup *lookup;
    struct stream stream;
    uint64_t self; /* a UDP socket's own address */
    struct request_list requests;
    struct request_list one_ways;
};

TAILQ_HEAD(node_list, node);

struct rdsn_client {
    struct rdsn_client_options options;
    struct event_base *base;
    struct resolver *resolver; /* made when first needed */
    void *nodes;               /* tsearch tree by kind and name */
    struct node_list waiting;
    struct node_list idle; /* the longest idle first */
    struct request_list finished;
    struct request **slots; /* requests by id: slot id & mask, never two in one */
    uint32_t mask;
    uint32_t count;     /* in slots */
    uint32_t connected; /* nodes that count as connections */
    uint64_t last_id;
    uint64_t seed; /* of trace ids */
    struct event soon;
    struct event idle_timer;
    struct buf shared; /* for reading */
    uint32_t busy;     /* callbacks under way */
    bool closed;       /* rdsn_client_free was called from one of them */
};

/* client.c */
void client_enter(struct rdsn_client *client);
void client_leave(struct rdsn_client *client); /* the client may be gone afterwards */
void client_soon(struct rdsn_client *client);

/* Take it from its node, and call back soon.  `why` is copied. */
BR_PRINTF(4, 5)
void request_finish(struct request *request, br_status status, const char *error, const char *why,
                    ...);

/* A reply came: call back now.  false: nobody waits for it from there.  `from`: the node that sent
 * it, settled by the caller afterwards; NULL: it came to a server of ours, and may be anybody's. */
bool client_reply(struct rdsn_client *client, const struct rdsn_header *header, br_bytes body,
                  const struct node *from);

/* client_node.c */
struct node *node_find(struct rdsn_client *client, const char *name, size_t host_size,
                       uint16_t port, bool datagram);
void node_free(void *node);

static inline bool node_busy(const struct node *node)
{
    return !TAILQ_EMPTY(&node->requests) || !TAILQ_EMPTY(&node->one_ways);
}

/* A request was added: connect, send. */
void node_wake(struct node *node);

/* Requests were taken: perhaps the node is idle now, or not needed any more.  An open connection is
 * never closed here, so this is safe while its replies are being delivered. */
void node_settle(struct node *node);

/* Start connections for nodes that wait, as many as are allowed. */
void client_connect(struct rdsn_client *client);

/* libevent: the longest idle node has been so for long enough. */
void node_idle(evutil_socket_t fd, short what, void *arg);

/* The connection is of no use any more: close it, fail all requests. */
BR_PRINTF(4, 5)
void node_lost(struct node *node, br_status status, const char *error, const char *why, ...);

/* client_udp.c */
void node_open_datagram(struct node *node, uint32_t ipv4);
void node_send_datagrams(struct node *node);

#endif
