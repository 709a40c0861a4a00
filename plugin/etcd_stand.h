/* etcd_stand -- somebody at an election: a candidate that wants to lead, or an observer that wants
 * to know who does.  Its steps are etcd_elect.c's; who takes which step, and what the host and the
 * session say, is etcd_lock.c's.
 */
#ifndef PLUGIN_ETCD_STAND_H
#define PLUGIN_ETCD_STAND_H

#include "plugin/store_etcd.h"

struct lost_call {
    struct lost_call *next;
    struct br_call *call;
};

struct etcd_stand {
    struct etcd_stand *next;
    char *path;     /* of the lock */
    char *value;    /* a candidate's; or what an observer saw last */
    bool candidate; /* else an observer */
    bool elected;   /* `call` was answered with the fence */
    bool leaving;   /* canceled or unlocked */
    bool due;       /* to look */
    int64_t number; /* of its node; -1: it has none */
    int64_t tried;  /* a node that may be there; -1: none */
    char *leftover; /* a key to be deleted; NULL: none */
    int64_t leftover_revision;
    struct br_call *call; /* lock or owner; NULL: answered */
    uint64_t id;          /* its */
    struct br_call *unlock;
    struct lost_call *losts;
};

#define ETCD_NODE_MAX (BR_PATH_MAX + 32)

/* The path of its node with this number. */
void etcd_stand_node(const struct etcd_stand *stand, int64_t number, char text[ETCD_NODE_MAX]);

/* The end: everything that is still owed an answer gets it. */
void etcd_stand_end(struct etcd *etcd, struct etcd_stand *stand, br_status status, const char *why);
void etcd_stand_gone(struct etcd *etcd, struct etcd_stand *stand); /* no longer wanted */
void etcd_stand_lose(struct etcd *etcd, struct etcd_stand *stand, const char *why);

/* So many components has a path; "/" has none. */
uint32_t etcd_depth(const char *path);

/* The steps.  Each asks on the write lane and ends with etcd_step_over. */
void etcd_release_go(struct etcd *etcd, struct etcd_stand *stand); /* delete its node */
void etcd_leftover_go(struct etcd *etcd,
                      struct etcd_stand *stand); /* delete what an earlier life left */
void etcd_stand_go(struct etcd *etcd, struct etcd_stand *stand); /* put its node */
void etcd_look_go(struct etcd *etcd, struct etcd_stand *stand);  /* who leads? */
void etcd_step_over(struct etcd *etcd);

#endif
