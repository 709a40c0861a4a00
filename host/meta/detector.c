/* detector -- a sorted array: a cluster has at most some thousand servers, and each sends a beacon
 * every three seconds.
 */
#include "host/meta/detector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

void detector_init(struct detector *detector, br_time grace)
{
    *detector = (struct detector){ .grace = grace };
}

void detector_done(struct detector *detector)
{
    free(detector->nodes);
    detector->nodes = NULL;
    detector->count = 0;
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

struct detector_node *detector_see(struct detector *detector, const char *name, uint64_t address,
                                   br_time now, bool *ret_new)
{
    struct detector_node *node = detector_find(detector, name);
    *ret_new = !node || !detector_alive(detector, node, now);
    if (!node)
        node = detector_insert(detector, name);
    if (!node)
        return NULL;
    if (address)
        node->address = address;
    node->last = now;
    return node;
}

bool detector_alive(const struct detector *detector, const struct detector_node *node, br_time now)
{
    return now - node->last <= detector->grace;
}

uint32_t detector_alive_count(const struct detector *detector, br_time now)
{
    uint32_t alive = 0;
    for (uint32_t i = 0; i < detector->count; i++)
        alive += detector_alive(detector, &detector->nodes[i], now);
    return alive;
}
