/* client -- ask Pegasus servers over RDSN, many at once, on one libevent loop.
 *
 * One connection a node, opened when first needed and reused; requests are pipelined and matched
 * by id.  A request fails at once where the connection is refused or lost (ERR_NETWORK_FAILURE)
 * and at its deadline where nobody answers (ERR_TIMEOUT).  At most `connections_max` connections
 * exist at once: further nodes wait for their turn (their deadline runs); a connection without
 * requests gives way to them.  A connection that has been idle for `idle` is closed.  Answers that
 * nobody waits for any more are ignored.  Loop thread only.
 */
#ifndef HOST_RDSN_CLIENT_H
#define HOST_RDSN_CLIENT_H

#include "host/rdsn/frame.h"

#define CLIENT_REQUESTS_MAX 65536 /* outstanding requests of one client */
#define CLIENT_OUTPUT_MAX                                                                          \
    (64u << 20) /* bytes one connection has not sent when a request is added */

struct event_base;
struct rdsn_client;

struct rdsn_client_options {
    uint64_t from_address;    /* of every request's header; 0: 0.0.0.1:1 as the shell's */
    uint32_t connections_max; /* 0: 1024 */
    uint32_t body_max;        /* of a reply; 0: FRAME_BODY_MAX */
    br_time idle;             /* 0: 60 s */
    bool crc;                 /* put checksums on requests */
    const char *resolv_conf;  /* name servers; NULL: /etc/resolv.conf.  Copied. */
};

struct rdsn_request {
    const char *rpc;
    br_bytes body;   /* native; copied */
    br_time timeout; /* 0: none (the header then says 5 s, as servers do) */
    int32_t app_id, partition;
    int32_t thread_hash;
    uint64_t partition_hash;
    bool one_way; /* done at once when written */
};

/* status   error
 * BR_OK           "ERR_OK"
 * BR_REFUSED      the header's error name; the body may say more (ERR_FORWARD_TO_OTHERS)
 * BR_UNAVAILABLE  "ERR_NETWORK_FAILURE": not resolved, refused, lost; "ERR_BUSY": over a limit
 * BR_TIMEOUT      "ERR_TIMEOUT"
 * BR_CORRUPT      "ERR_INVALID_DATA": what came makes no sense; all requests of the connection fail
 * BR_TOOBIG       "ERR_INVALID_DATA": a reply over body_max, a request over a limit
 * BR_INVALID      "ERR_INVALID_PARAMETERS": the node is not "host:port", the RPC's name is too long
 * BR_CANCELED     "ERR_TIMEOUT" */
struct rdsn_reply {
    br_status status;
    const char *error;
    const char *why;                  /* a sentence where status is not BR_OK */
    const struct rdsn_header *header; /* NULL unless a reply came */
    br_bytes body;                    /* valid during the callback */
};

/* Never called from inside rdsn_client_call.  May call, cancel and free the client. */
typedef void rdsn_done(void *arg, const struct rdsn_reply *reply);

struct rdsn_client *rdsn_client_new(struct event_base *base,
                                    const struct rdsn_client_options *options);

/* Everything outstanding is dropped without a callback.  Where a name was being resolved the last
 * memory goes in the loop's next turns. */
void rdsn_client_free(struct rdsn_client *client);

/* `node` is "host:port"; names are resolved without blocking.  Returns a ticket, never 0.  done
 * may be NULL. */
uint64_t rdsn_client_call(struct rdsn_client *client, const char *node,
                          const struct rdsn_request *request, rdsn_done *done, void *arg);

/* The callback comes with BR_CANCELED, soon; nothing where it was already called. */
void rdsn_client_cancel(struct rdsn_client *client, uint64_t ticket);

/* One datagram (beacons): the answer is awaited on the same socket, whose address is
 * the header's from_address, and matched by id.  At most RDSN_DATAGRAM_MAX bytes with header;
 * checksums always. */
uint64_t rdsn_client_datagram(struct rdsn_client *client, const char *node,
                              const struct rdsn_request *request, rdsn_done *done, void *arg);

/* Send this message as it is, id and all; no answer is awaited, and nothing is told.  For
 * forwarding a request, and for answering a forwarded one (src/rpc/rpc_engine.cpp:forward). */
void rdsn_client_post(struct rdsn_client *client, const char *node,
                      const struct rdsn_header *header, br_bytes body, br_time timeout);

/* A reply that came to a server of this process.  false: nobody waits for it. */
bool rdsn_client_deliver(struct rdsn_client *client, const struct rdsn_header *header,
                         br_bytes body);

#endif
