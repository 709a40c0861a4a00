/* server -- take requests over RDSN and THFT on one TCP port, and RDSN datagrams on the same UDP
 * port.
 *
 * The framing is fixed by the first message of a connection.  Requests are handed to one function
 * in the order they came; each is answered exactly once, in any order, now or later, or dropped.
 * A damaged frame, a frame over the limit or HTTP closes the connection with one log line.  A
 * reply carries checksums where its request did; a datagram's always does.
 *
 * Memory is bounded: a connection's reading pauses while `pending_max` of its requests are
 * unanswered or SERVER_PAUSE_MAX bytes of answers wait to be sent; one that has `output_max` bytes
 * waiting when yet another answer comes is closed.  Input grows with the bytes received, never
 * with a length that was only claimed.
 *
 * Datagrams (src/rpc/asio_net_provider.cpp): at most RDSN_DATAGRAM_MAX bytes both ways; the answer
 * goes to the header's from_address, and to the sender only where the header has none.  Loop thread
 * only.
 */
#ifndef HOST_RDSN_SERVER_H
#define HOST_RDSN_SERVER_H

#include "host/rdsn/frame.h"

#define SERVER_PAUSE_MAX     (1u << 20) /* bytes waiting to be sent before reading pauses */
#define SERVER_DATAGRAMS_MAX 4096       /* unanswered datagrams before reading pauses */
#define SERVER_EVENTS_MAX    64         /* log lines a second; what is over is counted */

struct event_base;
struct rdsn_server;

struct rdsn_incoming {
    struct rdsn_header header; /* from_address: the peer's where the header had none */
    br_bytes body;             /* native; valid until the reply */
    int framing;               /* FRAMING_RDSN, FRAMING_THFT */
    bool datagram;
    uint64_t peer; /* the TCP or UDP peer's address */
};

struct rdsn_server_options {
    const char *host;         /* dotted quad to listen on; NULL: 127.0.0.1 */
    uint16_t port;            /* 0: any; ask rdsn_server_address */
    bool datagrams;           /* listen on UDP too */
    uint32_t body_max;        /* bytes of one body, and of one connection's unanswered requests
                                 before its reading pauses; 0: 64 MiB */
    uint32_t connections_max; /* 0: 4096; further ones are closed at once */
    uint32_t pending_max;     /* unanswered requests of one connection before its reading pauses;
                                 0: 1024 */
    uint32_t output_max;      /* bytes; 0: 64 MiB */
    br_time idle;             /* a connection without traffic, and without a request that we still
                                 owe an answer, is closed; 0: 10 min */
    void (*request)(void *arg, struct rdsn_incoming *incoming);
    /* A reply that came to this server rather than to a client's connection: forwarded, or a
     * datagram (src/rpc/rpc_engine.cpp:reply).  Hand it to rdsn_client_deliver.  NULL: it is
     * refused. */
    void (*reply)(void *arg, const struct rdsn_header *header, br_bytes body);
    void (*event)(void *arg, br_level level, const char *text); /* log lines; may be NULL */
    void *arg;
};

/* NULL: ret_fail says which address could not be had and why. */
struct rdsn_server *rdsn_server_new(struct event_base *base,
                                    const struct rdsn_server_options *options,
                                    struct fail *ret_fail);

/* Closes every connection; requests not yet answered may still be answered (into nothing), and
 * hold a little memory until they are. */
void rdsn_server_free(struct rdsn_server *server);

/* Where it listens. */
uint64_t rdsn_server_address(const struct rdsn_server *server);

/* Answer.  error_name "ERR_OK" with a body, or a header-level error with an empty one (but for
 * ERR_FORWARD_TO_OTHERS).  The body is copied; `incoming` is gone afterwards.  Works after the
 * connection was lost. */
void rdsn_server_reply(struct rdsn_incoming *incoming, const char *error_name, br_bytes body);

/* One-way requests, and those that must stay unanswered. */
void rdsn_server_drop(struct rdsn_incoming *incoming);

/* What cannot be decoded: one log line, and the connection is closed (a datagram: dropped). */
void rdsn_server_reject(struct rdsn_incoming *incoming, const char *why);

#endif
