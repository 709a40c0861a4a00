/* beacon -- a replica server's sign of life to the meta servers
 * (src/failure_detector/failure_detector_multimaster.cpp).
 *
 * One beacon every three seconds to the current meta server, with a deadline of two.  A follower
 * that names the leader: on to the leader at once; no answer, or a follower that knows none: the
 * next server of the list after a second.
 */
#ifndef HOST_REPLICA_BEACON_H
#define HOST_REPLICA_BEACON_H

#include "host/core/loop.h"
#include "host/rdsn/client.h"
#include "host/rdsn/message.h"

#define BEACON_METAS_MAX 16

struct beacon_options {
    const char *name; /* "host:port" of this server */
    uint64_t address;
    const char *const *metas; /* NULL-terminated, 1 to BEACON_METAS_MAX of "host:port" */
    bool datagrams;           /* UDP, as Pegasus's stock configuration; else TCP */
    bool named;               /* send hp_* fields (2.6) */
    br_time interval;         /* 0: 3 s */
    br_time check_interval;   /* 0: 2 s */
    br_time lease;            /* since the last beacon that a leader answered was sent; 0: 20 s */
    void (*connected)(void *arg);    /* both may be NULL */
    void (*disconnected)(void *arg); /* never from inside beacon_start, beacon_stop */
    void *arg;
};

struct beacon;

/* Everything in the options must outlive it. */
struct beacon *beacon_start(struct loop *loop, struct rdsn_client *client,
                            const struct beacon_options *options);
void beacon_stop(struct beacon *beacon);

/* Where the next beacon goes: the leader, as far as is known.  Valid until the loop's next turn. */
const char *beacon_target(const struct beacon *beacon);

#endif
