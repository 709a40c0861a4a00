/* detector -- a sorted array: a cluster has at most some thousand servers, and each sends a beacon
 * every three seconds.
 */
#include "host/meta/detector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

void detector_init(struct detector *detector, const struct detector_rules *rules)
{
    *detector = (struct detector){ .rules = *rules };
}

void detector_done(struct detector *detector)
{
    free(detector->nodes);
    detector->nodes = NULL;
    detector->count = 0;
}

br_time detector_gap(const struct detector *detector)
{
    br_time most = detector->rules.lease / 4 * 3;
    return most && most < DETECTOR_GAP ? most : DETECTOR_GAP;
}

/* The first node whose name is not below `name`. */
static uint32_t detector_slot(const struct detector *detector, const char *name)
{
    uint32_t low = 0;
    uint32_t high = detector->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(detector->nodes[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct detector_node *detector_find(const struct detector *detector, const char *name)
{
    uint32_t slot = detector_slot(detector, name);
    if (slot < detector->count && strcmp(detector->nodes[slot].name, name) == 0)
        return &detector->nodes[slot];
    return NULL;
}

static struct detector_node *detector_insert(struct detector *detector, const char *name)
{
    if (detector->count == DETECTOR_NODES_MAX || strlen(name) > NODE_NAME_MAX)
        return NULL;
    if ((detector->count & (detector->count - 1)) == 0) {
        size_t room = detector->count ? (size_t) detector->count * 2 : 1;
        detector->nodes = mem_grow(detector->nodes, room * sizeof *detector->nodes);
    }
    uint32_t slot = detector_slot(detector, name);
    memmove(&detector->nodes[slot + 1], &detector->nodes[slot],
            (detector->count - slot) * sizeof *detector->nodes);
    detector->count++;
    detector->nodes[slot] = (struct detector_node){ .address = 0 };
    snprintf(detector->nodes[slot].name, sizeof detector->nodes[slot].name, "%s", name);
    return &detector->nodes[slot];
}

static struct detector_node *detector_have(struct detector *detector, const char *name,
                                           uint64_t address)
{
    struct detector_node *node = detector_find(detector, name);
    if (!node)
        node = detector_insert(detector, name);
    if (node && address)
        node->address = address;
    return node;
}

/* It was silent until now: too long for one whom we acknowledge? */
static void detector_silence(const struct detector *detector, struct detector_node *node,
                             br_time now)
{
    if (node->acked_since == 0 || now - node->last <= detector_gap(detector))
        return;
    node->gaps++;
    node->acked_since = 0;
}

struct detector_node *detector_presume(struct detector *detector, const char *name,
                                       uint64_t address, br_time now)
{
    struct detector_node *node = detector_have(detector, name, address);
    if (!node)
        return NULL;
    if (!detector_alive(detector, node, now))
        node->presumed = true;
    detector_silence(detector, node, now);
    node->alive = true;
    /* What a follower heard once says nothing of the lease that the former leader gave. */
    node->last = now;
    return node;
}

/* Its process started again: too soon after the last time, or well enough after it; or it is the
 * same, and has run well for long enough; an older start time is a message that came late
 * (src/meta/meta_server_failure_detector.cpp: update_stable_stat). */
static bool detector_started(struct detector *detector, struct detector_node *node,
                             int64_t start_time, br_time now)
{
    if (start_time == node->start_time && now - node->start_seen >= detector->rules.stable_time)
        node->restarts = 0;
    if (start_time <= node->start_time)
        return false;
    uint64_t ran_ms = (uint64_t) start_time - (uint64_t) node->start_time;
    bool first = node->start_time == 0;
    bool soon = ran_ms < (uint64_t) (detector->rules.stable_time / BR_MILLISECOND);
    node->restarts = soon && !first ? node->restarts + 1 : 0;
    node->start_time = start_time;
    node->start_seen = now;
    if (!first)
        node->acked_since = 0; /* another process */
    return !first;
}

static bool detector_unstable(const struct detector *detector, const struct detector_node *node)
{
    return detector->rules.stable_time && node->restarts >= detector->rules.restarts_max;
}

struct detector_node *detector_see(struct detector *detector, const char *name, uint64_t address,
                                   int64_t start_time, br_time now, bool *ret_new)
{
    struct detector_node *node = detector_find(detector, name);
    bool alive = node && node->alive && detector_alive(detector, node, now);
    *ret_new = !alive || node->presumed;
    node = detector_have(detector, name, address);
    if (!node)
        return NULL;
    detector_silence(detector, node, now);
    if (start_time && detector_started(detector, node, start_time, now))
        *ret_new = true;
    if (detector_unstable(detector, node)) {
        /* It gets no lease: to count it as alive would leave its partitions alone. */
        *ret_new = false;
        return node;
    }
    node->last = now;
    node->alive = true;
    node->presumed = false;
    return node;
}

const char *detector_refuses(const struct detector *detector, const struct detector_node *node)
{
    if (node->cold)
        return "its lease must run out first";
    if (detector_unstable(detector, node))
        return "it restarts too often";
    return NULL;
}

void detector_acked(struct detector_node *node, br_time now)
{
    node->acked = now;
    if (node->acked_since == 0)
        node->acked_since = now;
}

void detector_forget_acks(struct detector *detector)
{
    for (uint32_t i = 0; i < detector->count; i++) {
        detector->nodes[i].acked_since = 0;
        detector->nodes[i].gaps = 0;
        detector->nodes[i].cold = false;
    }
}

struct detector_node *detector_died(struct detector *detector, br_time now)
{
    for (uint32_t i = 0; i < detector->count; i++) {
        struct detector_node *node = &detector->nodes[i];
        if (node->alive && !detector_alive(detector, node, now)) {
            node->alive = false;
            return node;
        }
    }
    return NULL;
}

bool detector_alive(const struct detector *detector, const struct detector_node *node, br_time now)
{
    return node->last != 0 && now - node->last <= detector->rules.grace;
}

uint32_t detector_alive_count(const struct detector *detector, br_time now)
{
    uint32_t alive = 0;
    for (uint32_t i = 0; i < detector->count; i++)
        alive += detector_alive(detector, &detector->nodes[i], now);
    return alive;
}
