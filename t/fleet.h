/* fleet -- the replica servers of a synthetic cluster (synthetic.h), simulated at the wire in one
 * process: see fleet.c for how to run it.
 *
 * fleet_wire.c makes what they send and judges what they are answered; fleet_link.c moves bytes;
 * fleet.c keeps time and counts.
 */
#ifndef T_FLEET_H
#define T_FLEET_H

#include "host/base/mem.h"
#include "host/rdsn/address.h"
#include "host/rdsn/frame.h"
#include "t/synthetic.h"

#define FLEET_SENTENCES_MAX 20 /* wrong answers that are told one by one */

struct fleet;

struct fleet_server {
    struct fleet *fleet;
    uint32_t index; /* of the node */
    uint64_t address;
    char name[ADDRESS_TEXT_MAX];
    int32_t partitions; /* that it is a member of */
    struct buf sync;    /* its request, made once, header included */

    int fd;         /* -1: not yet connected */
    bool connected; /* once the meta server has taken the connection */
    bool writing;   /* epoll looks whether there is room */
    struct buf in;
    struct buf out;
    size_t out_at;

    uint64_t beacon_id, sync_id; /* of what is not answered yet; 0: nothing */
    int64_t beacon_time;         /* as sent, ms */
    int64_t beacon_ns, sync_ns;  /* when it was sent */
    uint64_t checked;            /* the digest of the last sync's answer that was looked at; 0 */
};

/* Figures of one run; a latency is in microseconds. */
struct fleet_count {
    uint64_t beacons, acks, late, lost;
    uint64_t syncs, answers, busy, partitions;
    uint64_t wrong, proposals;
    uint32_t *latencies; /* of beacons */
    size_t latency_count, latency_cap;
    uint32_t sync_latency_max;
    int64_t behind_max; /* ns that this program itself was behind its own plan */
};

struct fleet {
    struct synthetic shape;
    struct cluster cluster;
    bool named; /* servers of 2.6: they send host names, too */
    uint64_t meta;
    char meta_name[ADDRESS_TEXT_MAX];
    int64_t beacon_every, sync_every; /* ns */
    int64_t late_after;               /* ns */
    int64_t start_ms;                 /* wall clock: the servers' start time */
    struct fleet_server *servers;
    int epoll, listener;
    uint64_t last_id;
    uint32_t *stamps; /* by partition: the check that met it last */
    uint32_t stamp;
    uint32_t first_place[BR_TABLE_ID_MAX + 1]; /* of each table, in `stamps` */
    struct fleet_count count;
};

int64_t fleet_now(void); /* ns, monotonic */

/* A wrong answer: counted, and told where it is one of the first. */
BR_PRINTF(2, 3) void fleet_wrong(struct fleet *fleet, const char *format, ...);

/* -- fleet_wire.c: the first makes all servers' requests, the others one frame at the end of
 * `out`; the last judges one frame that came. */
void fleet_prepare(struct fleet *fleet);
void fleet_put_beacon(struct fleet_server *server, struct buf *out);
void fleet_put_sync(struct fleet_server *server, struct buf *out);
void fleet_take(struct fleet_server *server, const struct frame *frame);

/* -- fleet_link.c */
void fleet_listen(struct fleet *fleet);              /* on the port of all servers */
void fleet_connect(struct fleet_server *server);     /* from its own address; ends the program
                                                        where the machine refuses */
void fleet_flush(struct fleet_server *server);       /* what is in `out` */
void fleet_wait(struct fleet *fleet, int64_t until); /* deal with what comes until then */

#endif
