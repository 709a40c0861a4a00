/* cluster -- see cluster.h.  Names are looked up by binary search in an array of indexes, so that
 * the nodes themselves keep the operator's order.
 */
#include "host/model/cluster.h"

#include <string.h>

#include "host/rdsn/address.h"

#define CLUSTER_NODES_FIRST 16

void cluster_init(struct cluster *cluster)
{
    *cluster = (struct cluster){ 0 };
    arena_init(&cluster->arena, 0);
}

void cluster_done(struct cluster *cluster)
{
    arena_done(&cluster->arena);
    cluster_init(cluster);
}

struct table *cluster_table(const struct cluster *cluster, int32_t id)
{
    uint32_t low = 0;
    uint32_t high = cluster->table_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cluster->tables[middle].def.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == cluster->table_count || cluster->tables[low].def.id != id)
        return NULL;
    return &cluster->tables[low];
}

struct table *cluster_table_named(const struct cluster *cluster, const char *name)
{
    struct table *dropped = NULL;
    for (uint32_t i = 0; i < cluster->table_count; i++) {
        struct table *table = &cluster->tables[i];
        if (strcmp(table->def.name, name) != 0)
            continue;
        if (table->def.status == BR_TABLE_AVAILABLE)
            return table;
        dropped = table;
    }
    return dropped;
}

/* Where the name stands in node_order, or where it belongs. */
static uint32_t cluster_node_place(const struct cluster *cluster, const char *name, bool *ret_there)
{
    uint32_t low = 0;
    uint32_t high = cluster->node_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(cluster->nodes[cluster->node_order[middle]].name, name);
        if (order == 0) {
            *ret_there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_there = false;
    return low;
}

int32_t cluster_node(const struct cluster *cluster, const char *name)
{
    bool there;
    uint32_t place = cluster_node_place(cluster, name, &there);
    return there ? (int32_t) cluster->node_order[place] : -1;
}

/* The old arrays stay in the arena: doubling makes them at most as large as the new ones. */
static void cluster_node_grow(struct cluster *cluster)
{
    uint32_t cap = cluster->node_cap ? cluster->node_cap * 2 : CLUSTER_NODES_FIRST;
    struct node *nodes = arena_alloc(&cluster->arena, cap * sizeof *nodes);
    uint32_t *order = arena_alloc(&cluster->arena, cap * sizeof *order);
    if (cluster->node_count) {
        memcpy(nodes, cluster->nodes, cluster->node_count * sizeof *nodes);
        memcpy(order, cluster->node_order, cluster->node_count * sizeof *order);
    }
    cluster->nodes = nodes;
    cluster->node_order = order;
    cluster->node_cap = cap;
}

static void cluster_node_address(struct cluster *cluster, struct node *node, uint64_t address)
{
    char text[ADDRESS_TEXT_MAX];
    address_format(address, text);
    node->address = address;
    node->address_text = arena_text(&cluster->arena, text, strlen(text));
}

int32_t cluster_node_add(struct cluster *cluster, const char *name, uint64_t address)
{
    bool there;
    uint32_t place = cluster_node_place(cluster, name, &there);
    if (there) {
        uint32_t index = cluster->node_order[place];
        if (address && !cluster->nodes[index].address)
            cluster_node_address(cluster, &cluster->nodes[index], address);
        return (int32_t) index;
    }
    if (cluster->node_count == BR_NODES_MAX)
        return -1;
    if (cluster->node_count == cluster->node_cap)
        cluster_node_grow(cluster);
    uint32_t index = cluster->node_count;
    struct node *node = &cluster->nodes[index];
    node->name = arena_text(&cluster->arena, name, strlen(name));
    cluster_node_address(cluster, node, address);
    memmove(cluster->node_order + place + 1, cluster->node_order + place,
            (index - place) * sizeof *cluster->node_order);
    cluster->node_order[place] = index;
    cluster->node_count++;
    return (int32_t) index;
}

uint64_t cluster_partition_count(const struct cluster *cluster)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < cluster->table_count; i++)
        count += (uint64_t) cluster->tables[i].def.partition_count;
    return count;
}
