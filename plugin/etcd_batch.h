/* etcd_batch -- what a batch of writes does to the tree, worked out beforehand: etcd looks at no
 * operation of a transaction before all its compares, and takes each key only once.
 *
 * The writes are carried out on the nodes that they name, from what is known of those: everything,
 * once a snapshot was read; or nothing yet, and then each node is taken to be as the first write
 * that looks at it needs it.  What comes out is the first write that fails, or the compares that
 * say what was relied on and the operations that make the difference.
 *
 * Without a snapshot only batches are tried that rest on nothing but what is there and what is not.
 * The compares are: what is not there is not there, except below what is made by the batch itself,
 * since no node outlives its parent; what is there is, or is as it was read where its version was
 * looked at; a deleted node has no other children than those read.  Where they would be more, or
 * longer, than etcd takes, one says instead that nothing in the whole tree was put since the
 * snapshot, and one that nothing was deleted (PREFIX.deleted).
 */
#ifndef PLUGIN_ETCD_BATCH_H
#define PLUGIN_ETCD_BATCH_H

#include "host/base/arena.h"
#include "plugin/store_etcd.h"

#define ETCD_NODES_MAX (2 * ETCD_BATCH_OPS_MAX)

struct etcd_node {
    const char *path;
    char *key;
    char *children, *children_end; /* the range of its children; NULL until they matter */
    int32_t parent;                /* among the nodes; -1: it is not one of them */

    bool settled; /* the next three are known, or relied on */
    bool was;
    bool exact;   /* its version was looked at, or it was written over */
    bool shut;    /* it must not be a fence */
    bool deletes; /* a write deletes it: its children matter */
    bool emptied; /* it was deleted although it was there: it must have no other children */
    bool fresh;   /* made by this batch */
    bool dirty;   /* to be put, if it is there in the end */
    bool is;      /* now */
    int64_t was_revision;
    int64_t lease;
    int64_t child_count; /* at the snapshot */
    int64_t version;
    br_bytes value; /* the writes' */
    char *kept;     /* of the snapshot: malloc'ed, `value` is inside */
};

struct etcd_batch {
    struct etcd *etcd;
    const struct br_write *const *writes;
    uint32_t count;
    int32_t node_of[ETCD_BATCH_OPS_MAX];    /* each write's */
    struct etcd_node nodes[ETCD_NODES_MAX]; /* sorted by key */
    uint32_t node_count;
    int64_t snapshot; /* its revision; 0: none was read */
    uint32_t failed;  /* the first write that fails ... */
    br_status status; /* ... and how */
};

/* The writes are within the store's limits and live as long as the batch. */
void etcd_batch_init(struct etcd_batch *batch, struct etcd *etcd,
                     const struct br_write *const *writes, uint32_t count);
void etcd_batch_done(struct etcd_batch *batch);

/* Does it rest on versions or values that only a snapshot tells? */
bool etcd_batch_needs_snapshot(const struct etcd_batch *batch);

/* The operations that read a snapshot, and the answer taken in; false: it makes no sense. */
void etcd_batch_put_snapshot(const struct etcd_batch *batch, struct buf *groups);
bool etcd_batch_take_snapshot(struct etcd_batch *batch, const struct etcd_reply *reply);

/* Carry the writes out: BR_OK, or the first failure. */
br_status etcd_batch_run(struct etcd_batch *batch);

/* After BR_OK: false where it takes a snapshot to say it in so few compares as etcd takes.  With
 * one it can always be said, since the operations alone are within a batch's limits. */
bool etcd_batch_put(const struct etcd_batch *batch, struct buf *compares, struct buf *ops);

#endif
