/* detector -- which replica servers are alive, from their beacons, and which we keep alive by
 * answering them (src/failure_detector/failure_detector.cpp,
 * src/meta/meta_server_failure_detector.cpp).
 *
 * A server is alive as long as its last beacon is younger than the grace period.  It is known by
 * the name that it gives itself: hp_from_node where it sends one, else its address as text.  Times
 * are on the loop's clock.
 */
#ifndef HOST_META_DETECTOR_H
#define HOST_META_DETECTOR_H

#include "host/base/number.h"
#include "host/rdsn/message.h"

#define DETECTOR_NODES_MAX 8192

/* A server whose beacons were this far apart may have obeyed somebody else meanwhile: two
 * intervals of 3 s, and one for the road.  With a shorter lease it is less (detector_gap). */
#define DETECTOR_GAP (7 * BR_SECOND)

struct detector_node {
    char name[NODE_NAME_MAX + 1];
    uint64_t address;
    bool named;          /* it sent hp_from_node: a 2.6 server */
    bool alive;          /* as far as was told (detector_died) */
    bool presumed;       /* alive only because the metadata name it: no beacon came yet */
    bool cold;           /* gets no acknowledgement until further notice (hot recovery) */
    int64_t start_time;  /* of its process, ms; 0: it did not say */
    br_time start_seen;  /* when we first heard of that process */
    uint32_t restarts;   /* in a row, each sooner than it should be */
    uint32_t gaps;       /* times that its beacons came back after detector_gap, while we led */
    br_time last;        /* its last beacon */
    br_time acked;       /* our last acknowledgement as the leader; 0: none */
    br_time acked_since; /* acknowledged without a gap since then; 0: not */
};

struct detector_rules {
    br_time grace;
    br_time lease;         /* 0: longer than DETECTOR_GAP */
    br_time stable_time;   /* a server that restarts sooner is unstable; 0: never */
    uint32_t restarts_max; /* so many times in a row: it gets no answer any more */
};

struct detector {
    struct detector_node *nodes; /* by ascending name */
    uint32_t count;
    struct detector_rules rules;
};

void detector_init(struct detector *detector, const struct detector_rules *rules);
void detector_done(struct detector *detector);

/* DETECTOR_GAP, but at most three quarters of the lease: who has not been answered for longer than
 * its lease and still serves has its lease from somebody else. */
br_time detector_gap(const struct detector *detector);

/* A node is presumed alive as of now (its name stands in the metadata).  NULL where
 * DETECTOR_NODES_MAX are known and this is another. */
struct detector_node *detector_presume(struct detector *detector, const char *name,
                                       uint64_t address, br_time now);

/* A beacon came.  *ret_new: it was unknown, dead or only presumed alive, or it is another process.
 * One of a server that restarts too often is no sign of life. */
struct detector_node *detector_see(struct detector *detector, const char *name, uint64_t address,
                                   int64_t start_time, br_time now, bool *ret_new);

/* May this beacon be answered?  NULL: yes; else why not. */
const char *detector_refuses(const struct detector *detector, const struct detector_node *node);

/* It was answered by us as the leader. */
void detector_acked(struct detector_node *node, br_time now);

/* We lead no longer: nobody has been acknowledged without a gap. */
void detector_forget_acks(struct detector *detector);

/* NULL: unknown. */
struct detector_node *detector_find(const struct detector *detector, const char *name);

/* Takes the next node that has died by now (alive becomes false); NULL: no more. */
struct detector_node *detector_died(struct detector *detector, br_time now);

bool detector_alive(const struct detector *detector, const struct detector_node *node, br_time now);
uint32_t detector_alive_count(const struct detector *detector, br_time now);

#endif
