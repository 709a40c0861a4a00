/* net -- what the suites about sockets share: a loop with a watchdog, raw sockets on both sides,
 * a server whose requests are kept, a client whose answers are kept.  Nothing sleeps: a test runs
 * the loop until what it waits for is there.
 */
#ifndef T_NET_H
#define T_NET_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "host/rdsn/address.h"
#include "host/rdsn/client.h"
#include "host/rdsn/server.h"
#include "t/test.h"

#define NET_TIMEOUT 120 /* seconds; of a case, for the slowest of tools */

struct net {
    struct event_base *base;
    struct event watchdog;
};

void net_open(struct net *net);
void net_close(struct net *net); /* runs what is due first */
void net_turn(struct net *net);
#define NET_UNTIL(net, condition)                                                                  \
    do {                                                                                           \
        while (!(condition))                                                                       \
            net_turn(net);                                                                         \
    } while (0)

/* -- Sockets ---------------------------------------------------------------------------------- */

struct raw {
    struct net *net;
    int fd;
    struct event event;
    struct buf in;
    bool ended; /* closed by the other side, or reset */
    bool open;
};

void raw_connect(struct raw *raw, struct net *net, uint64_t address);
void raw_send(struct raw *raw, const void *data, size_t size);
void raw_quiet(struct raw *raw); /* read no more */
void raw_listen(struct raw *raw);
void raw_close(struct raw *raw);

/* Somebody who listens, and keeps the connections made to him. */
#define PEER_RAWS_MAX 8

struct peer {
    struct net *net;
    int fd;
    struct event event;
    uint64_t address;
    char name[ADDRESS_TEXT_MAX];
    struct raw raws[PEER_RAWS_MAX];
    int count;
};

void peer_open(struct peer *peer, struct net *net);
void peer_close(struct peer *peer);

/* A port nobody listens on. */
uint64_t net_dead_port(bool datagram);

/* -- Frames ----------------------------------------------------------------------------------- */

/* A request's header with this id, named RPC_TEST. */
struct rdsn_header net_header(uint64_t id);
void net_request(struct buf *buf, uint64_t id, const char *body);

/* The RDSN frame at this offset of a buffer; 0: not yet whole.  Aborts on a damaged one. */
size_t net_frame(const struct buf *buf, size_t at, struct frame *ret_frame);

/* How many whole frames it holds. */
int net_frames(const struct buf *buf);

/* -- A server --------------------------------------------------------------------------------- */

#define SITE_HELD_MAX 8192

enum site_mode { SITE_ECHO, SITE_HOLD, SITE_DROP, SITE_REJECT, SITE_ANSWER, SITE_FREE };

struct site {
    struct net *net;
    struct rdsn_server *server;
    struct rdsn_server_options options;
    enum site_mode mode;
    const char *error; /* of SITE_ANSWER */
    struct buf body;
    struct rdsn_incoming *held[SITE_HELD_MAX];
    int held_count;
    int requests;
    int lines;
    struct buf text; /* the lines */
    uint64_t address;
    char name[ADDRESS_TEXT_MAX];
    struct rdsn_client *deliver; /* replies go there */
};

/* Fill `site->options` before, where the defaults will not do. */
void site_open(struct site *site, struct net *net, enum site_mode mode);
void site_close(struct site *site); /* answers what is held */

/* -- A client's answers ----------------------------------------------------------------------- */

struct answer {
    int count; /* callbacks */
    br_status status;
    char error[RDSN_NAME_SIZE];
    char why[512];
    struct buf body;
    struct rdsn_header header;
    int order; /* the how-manieth of all it was */
    int *clock;
    struct rdsn_client **free_client; /* free it from inside */
};

void answer_done(void *arg, const struct rdsn_reply *reply);
void answer_clear(struct answer *answer);

/* RPC_TEST with this text; `timeout` 0: 30 s. */
uint64_t net_ask(struct rdsn_client *client, const char *node, const char *body, br_time timeout,
                 struct answer *answer);

TCase *net_server_case(void);
TCase *net_limits_case(void);
TCase *net_client_case(void);
TCase *net_peer_case(void);
TCase *net_names_case(void);
TCase *net_datagram_case(void);

#endif
