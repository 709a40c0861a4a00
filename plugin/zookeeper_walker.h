/* zookeeper_walker -- somebody who walks step by step through an election: a candidate that wants
 * to lead, or an observer that wants to know who does.
 *
 * At most one request of a walker is in flight (`busy`); its completion fills `rc`, `found`,
 * `first`, `text` and posts, and the loop thread leaves those alone until then.
 */
#ifndef PLUGIN_ZOOKEEPER_WALKER_H
#define PLUGIN_ZOOKEEPER_WALKER_H

#include "host/base/buf.h"
#include "plugin/store_zookeeper.h"

enum walker_step {
    WALKER_PARKED = 0, /* until the connection is there (again) */
    WALKER_CREATE,     /* own node */
    WALKER_PARENTS,    /* the lock's path */
    WALKER_LIST,       /* who stands for election? */
    WALKER_CONFIRM,    /* own node leads: watch it */
    WALKER_GET,        /* another one leads: who is it, and watch it */
    WALKER_LEFTOVER,   /* delete the leader, which is one of our own earlier lives */
    WALKER_ABSENT,     /* observer: watch for the lock's path to appear */
    WALKER_WATCHING,   /* until a watch fires */
    WALKER_HELD,       /* elected; own node is watched */
    WALKER_RELEASE,    /* delete own node */
};

struct lost_call {
    struct lost_call *next;
    struct br_call *call;
};

struct zookeeper_walker {
    struct zookeeper_pending pending; /* first */
    struct zookeeper_walker *next;
    struct br_env *env;
    struct zookeeper_session *session; /* of the last request */
    enum walker_step step;
    bool candidate; /* else an observer */
    bool busy;
    bool stirred;         /* a watch fired while busy */
    bool elected;         /* `call` was answered with the fence */
    bool leaving;         /* canceled or unlocked */
    bool doubt;           /* a create of ours was not answered: a second node of ours may exist */
    bool tried;           /* the lock's path was made */
    char *path;           /* of the lock, with the chroot */
    char *value;          /* the candidate's; or what an observer saw last */
    char *node;           /* own node, with the chroot; NULL: none */
    char *leader;         /* the node that leads, when it is not ours */
    int64_t number;       /* own node's */
    struct br_call *call; /* lock or owner; NULL: answered */
    struct br_call *unlock;
    struct lost_call *losts;

    int rc;          /* the last request's result */
    bool found;      /* LIST: own node is there */
    int64_t least;   /* LIST: the smallest number; -1: nobody */
    char *first;     /* LIST: its node; CREATE: the node made */
    struct buf text; /* GET: the leader's value */
};

/* Issue the request of a step (zookeeper_ask.c); what comes back goes to zookeeper_walker_step, on
 * the loop thread. */
void zookeeper_walker_ask(struct zookeeper_walker *walker, enum walker_step step);
void zookeeper_walker_step(struct br_env *env, void *walker);

#endif
