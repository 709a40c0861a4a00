/* cluster -- what a cluster is: nodes, tables by ascending id, partitions by index.  Sorted arrays
 * in one arena; no hash tables.
 */
#ifndef HOST_MODEL_CLUSTER_H
#define HOST_MODEL_CLUSTER_H

#include "host/base/arena.h"
#include "host/base/fail.h"
#include <bridle/types.h>

#define CLUSTER_PARTITIONS_MAX 4194304 /* of all tables together */

/* A replica server.  Its name is its identity, compared as text (src/rpc/rpc_host_port.h); the
 * address stands beside it for peers that know no names. */
struct node {
    const char *name;         /* "host:port" */
    uint64_t address;         /* rpc_address; 0: unknown */
    const char *address_text; /* "10.0.0.1:34801" or "invalid address" */
};

struct partition {
    int64_t ballot;
    int64_t committed; /* last_committed_decree */
    int32_t primary;   /* index of a node; -1: none */
    uint16_t secondary_count;
    uint16_t drop_count;    /* last_drops, the best at the back */
    const int32_t *members; /* secondaries, then drops: indexes of nodes */
    uint32_t flags;         /* partition_flags; PARTITION_DROPPED */
    int32_t replica_count;  /* max_replica_count as the record says; 0: the table's */
};

enum {
    PARTITION_DROPPED = 1,
    /* Ours alone, and never on the wire: the record was written for a group that went on serving
     * (hot recovery), and its primary, which knows the order of its secondaries, has not yet said
     * it.  Apache Pegasus looks at bit 0 only (src/common/replication_common.h: pc_flags). */
    PARTITION_UNCONFIRMED = 256,
};

struct table {
    struct br_table def; /* .node is -1; strings in the cluster's arena */
    struct partition *partitions;
};

struct cluster {
    struct arena arena;
    struct node *nodes;   /* by index: the order in which they were added */
    uint32_t *node_order; /* their indexes by ascending name */
    uint32_t node_count;  /* <= BR_NODES_MAX */
    uint32_t node_cap;
    uint32_t table_count;
    struct table *tables; /* by ascending def.id */
};

void cluster_init(struct cluster *cluster);
void cluster_done(struct cluster *cluster);

/* NULL: no such table.  By name, an available table comes before a dropped one of that name. */
struct table *cluster_table(const struct cluster *cluster, int32_t id);
struct table *cluster_table_named(const struct cluster *cluster, const char *name);

/* The node's index; -1: not there. */
int32_t cluster_node(const struct cluster *cluster, const char *name);

/* The same, adding it (the name is copied) where it is not there, and completing an address that
 * was unknown; -1: BR_NODES_MAX nodes are there already. */
int32_t cluster_node_add(struct cluster *cluster, const char *name, uint64_t address);

uint64_t cluster_partition_count(const struct cluster *cluster);

#endif
