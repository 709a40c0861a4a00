/* diagnose -- what a store is, in one verdict and one next command.
 *
 * Reads only.  Where the root has nothing, the rest of the store is looked through for metadata, at
 * most DIAGNOSE_LISTS_MAX paths and DIAGNOSE_DEPTH_MAX deep.  Whose metadata they are cannot be
 * told: Apache Pegasus's layout does not keep the cluster's name.
 */
#ifndef HOST_STAGE_DIAGNOSE_H
#define HOST_STAGE_DIAGNOSE_H

#include "host/stage/tool.h"

#define DIAGNOSE_LISTS_MAX 10000
#define DIAGNOSE_DEPTH_MAX 8
#define DIAGNOSE_SHOWN_MAX 5 /* roots, and damaged records, that are named */

/* The exit statuses of `bridle diagnose`: an interface. */
enum diagnosis {
    DIAGNOSE_HEALTHY = 0,
    DIAGNOSE_EMPTY = 10,       /* no metadata in the whole store, as far as it was looked through */
    DIAGNOSE_WRONG_ROOT = 11,  /* nothing at this root, metadata at another one */
    DIAGNOSE_OURS = 12,        /* an unfinished recovery of ours */
    DIAGNOSE_LOCKED = 13,      /* "lock", and not by us */
    DIAGNOSE_DAMAGED = 14,     /* records are missing or cannot be read */
    DIAGNOSE_FOREIGN = 15,     /* neither Pegasus's nor ours */
    DIAGNOSE_DENIED = 16,      /* no permission */
    DIAGNOSE_UNREACHABLE = 17, /* the store does not answer */
    DIAGNOSE_BROKEN = 18,      /* it answers with an error of another kind */
};

struct diagnose {
    enum diagnosis verdict;
    uint64_t tables, partitions; /* records that should be there */
    uint64_t missing, undecodable;
    struct buf text; /* the sentence; then, a line each, what it names */
    struct buf next; /* the command */
};

/* The tool's store is opened here.  buf_done() both. */
void stage_diagnose(struct tool *tool, struct diagnose *ret);

/* "healthy", "empty", "wrong-root", ... */
const char *stage_diagnosis(enum diagnosis verdict);

#endif
