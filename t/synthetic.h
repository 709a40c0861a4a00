/* synthetic -- a cluster as large as wanted, made from a seed: healthy, spread evenly, the same in
 * every program that is given the same shape; and a store to put it into and to load it from.
 *
 * Partitions are counted through, table by table.  In each round of as many partitions as there are
 * nodes every node is primary once and secondary twice; a table's name is "table_ID".
 *
 * For benchmarks and for programs that simulate a cluster: what goes wrong ends the program with a
 * sentence on stderr.
 */
#ifndef T_SYNTHETIC_H
#define T_SYNTHETIC_H

#include "host/model/layout.h"
#include "host/plugins/plugin.h"

#define SYNTHETIC_REPLICAS 3
#define SYNTHETIC_PORT     14801 /* below the ports of outgoing connections */

struct synthetic {
    uint32_t nodes;      /* SYNTHETIC_REPLICAS to BR_NODES_MAX */
    uint32_t tables;     /* ids 1 to `tables`; up to BR_TABLE_ID_MAX */
    uint32_t partitions; /* of all tables together, divided as evenly as can be; one each at least,
                            at most CLUSTER_PARTITIONS_MAX, BR_PARTITIONS_MAX in one table */
    uint64_t seed;
};

/* NULL: a shape within the limits above; else what is wrong with it. */
const char *synthetic_wrong(const struct synthetic *shape);

/* 127.1.x.y:SYNTHETIC_PORT, x from 0 on and y from 1 to 250: a server can listen there on any
 * Linux, because all of 127.0.0.0/8 is loopback.  The name is the address as text. */
uint64_t synthetic_address(uint32_t node);

/* How many partitions the table (by its place, id - 1) has. */
int32_t synthetic_partition_count(const struct synthetic *shape, uint32_t table);

/* The cluster: node i is the node of index i.  cluster_done() frees it. */
void synthetic_cluster(struct cluster *cluster, const struct synthetic *shape);

/* -- A store ---------------------------------------------------------------------------------- */

struct synthetic_store {
    struct loop *loop;
    struct loader *loader;
    struct plugin plugin;
    struct arena options;
    char fence[256]; /* once the lock is held */
    bool answered;
};

/* Open and start the plugin of that name with options as YAML ("hosts: ..."); linked in or found by
 * BRIDLE_PLUGIN_PATH. */
void synthetic_open(struct synthetic_store *store, const char *name, const char *options);
void synthetic_close(struct synthetic_store *store);

/* Take the leader lock of the root as a meta server would, write the cluster by plan and apply,
 * give the lock back.  The root must hold no tables. */
void synthetic_write(struct synthetic_store *store, const struct cluster *cluster, const char *root,
                     enum layout_version version);

/* Load it; the caller's to cluster_done() and free(). */
struct cluster *synthetic_load(struct synthetic_store *store, const char *root);

#endif
