/* policy -- evidence made from numbers, for the rules of policies.  Private to host/conform. */
#ifndef HOST_CONFORM_POLICY_H
#define HOST_CONFORM_POLICY_H

#include "host/conform/kit.h"

enum made_how {
    MADE_PLAIN,     /* rows in memory in the order of the list */
    MADE_BACKWARDS, /* the same evidence, its rows in memory the other way round */
    MADE_SEALED,    /* the same, every byte of it read-only, each array with nothing behind it */
    MADE_DISTINCT,  /* another: no two replicas have the same ballot or decree */
    MADE_PERMUTED,  /* that one, the nodes in another order */
};

struct made {
    struct br_partition_evidence partition;
    struct br_table_evidence table;
    struct br_table def;            /* of the partition */
    int32_t label[BR_REPLICAS_MAX]; /* by node index: which node it is in MADE_DISTINCT's order */
    struct arena arena;
    struct made_page *pages;
};

/* The same number gives the same evidence.  Free with made_free. */
struct made *made_partition(uint32_t seed, enum made_how how);
struct made *made_table(uint32_t seed, enum made_how how);
void made_free(struct made *made);

#endif
