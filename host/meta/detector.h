/* detector -- which replica servers are alive, from their beacons
 * (src/failure_detector/failure_detector.cpp).
 *
 * A server is alive as long as its last beacon is younger than the grace period.  It is known by
 * the name that it gives itself: hp_from_node where it sends one, else its address as text.
 */
#ifndef HOST_META_DETECTOR_H
#define HOST_META_DETECTOR_H

#include "host/base/number.h"
#include "host/rdsn/message.h"

#define DETECTOR_NODES_MAX 8192

struct detector_node {
    char name[NODE_NAME_MAX + 1];
    uint64_t address;
    bool named;         /* it sent hp_from_node: a 2.6 server */
    int64_t start_time; /* of its process, ms; 0: it did not say */
    br_time last;       /* its last beacon */
};

struct detector {
    struct detector_node *nodes; /* by ascending name */
    uint32_t count;
    br_time grace;
};

void detector_init(struct detector *detector, br_time grace);
void detector_done(struct detector *detector);

/* A beacon came, or (start_time 0) a node is presumed alive as of now.  Returns the node; NULL
 * where DETECTOR_NODES_MAX are known and this is another.  *ret_new: it was unknown or dead. */
struct detector_node *detector_see(struct detector *detector, const char *name, uint64_t address,
                                   br_time now, bool *ret_new);

/* NULL: unknown. */
struct detector_node *detector_find(const struct detector *detector, const char *name);

bool detector_alive(const struct detector *detector, const struct detector_node *node, br_time now);
uint32_t detector_alive_count(const struct detector *detector, br_time now);

#endif
