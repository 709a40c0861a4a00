/* connection -- one accepted connection of a server, or its UDP socket; private to the server.
 *
 * A connection is counted by the requests that are not yet answered, so that they may be answered
 * after it, and even the server, is gone.
 */
#ifndef HOST_RDSN_CONNECTION_H
#define HOST_RDSN_CONNECTION_H

#include <sys/queue.h>

#include "host/rdsn/server.h"
#include "host/rdsn/stream.h"

struct connection {
    TAILQ_ENTRY(connection) link; /* in the server's list, the longest silent first */
    struct rdsn_server *server;   /* NULL: closed */
    struct stream stream;
    uint64_t peer;
    uint64_t self; /* our end's address, which replies carry */
    br_time last;  /* traffic */
    size_t held;   /* bytes of the pending requests' bodies */
    uint32_t pending;
    uint32_t pending_max;
    uint32_t held_max;
    uint32_t refs; /* pending requests, the server, and who is working on it */
    int framing;
    bool paused;
    bool datagram;
};

TAILQ_HEAD(connection_list, connection);

/* One request handed out; `incoming` is what the user sees, the body follows. */
struct pending {
    struct rdsn_incoming incoming; /* first */
    struct connection *connection;
    bool crc;
    unsigned char body[];
};

struct rdsn_server {
    struct rdsn_server_options options;
    struct event_base *base;
    struct evconnlistener *listener;
    struct connection_list connections;
    struct connection *udp; /* NULL: none */
    struct event idle_timer;
    struct event accept_timer; /* accepting again after it failed */
    struct buf shared;         /* for reading */
    struct buf packet;         /* a datagram being made */
    uint64_t address;
    uint32_t count;
    br_time events_since; /* the second in which lines are counted */
    uint32_t events;
    uint32_t events_lost;
};

/* A log line about a peer (0: none). */
BR_PRINTF(4, 5)
void server_event(struct rdsn_server *server, br_level level, uint64_t peer, const char *format,
                  ...);

/* A new connection's memory, counted once for the server. */
struct connection *connection_new(struct rdsn_server *server, int fd, uint64_t peer, uint64_t self,
                                  event_callback_fn on_read);
void connection_unref(struct connection *connection);

/* Close it; harmless on a closed one.  It stays as long as somebody counts on it. */
void connection_close(struct connection *connection);

/* Reading goes on after a pause, with what was already read first. */
void connection_resume(struct connection *connection);

/* Traffic was seen. */
void connection_touch(struct connection *connection);

/* The longest silent connection has been so for long enough. */
void connection_idle(evutil_socket_t fd, short what, void *arg);

/* libevent: there is something to read on a TCP connection. */
void connection_on_read(evutil_socket_t fd, short what, void *arg);

/* Hand a whole frame's request to the user, or a reply; false: the connection is in no state to
 * go on. */
bool connection_frame(struct connection *connection, const struct frame *frame, uint64_t peer);

/* An IPv4 socket address as ours. */
struct sockaddr_in;
uint64_t connection_address(const struct sockaddr_in *in);

/* Close with a line. */
BR_PRINTF(2, 3)
void connection_fault(struct connection *connection, const char *format, ...);

/* server_udp.c: open the socket (false: errno), answer a datagram. */
bool udp_open(struct rdsn_server *server, const struct sockaddr_in *in);
void udp_reply(struct pending *pending, const struct rdsn_header *header, br_bytes body);

#endif
