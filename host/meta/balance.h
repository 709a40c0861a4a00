/* balance -- replicas and primaries spread evenly over the replica servers that are alive
 * (what src/meta/greedy_load_balancer.cpp and src/meta/load_balance_policy.cpp are for; the way
 * there is our own).
 *
 * In this order, each only where nothing was to be done for the ones before: the primaries of each
 * table, all primaries, the replicas of each table, all replicas.  Two servers are even where their
 * counts differ by one at most.  Every plan makes the first of these sums of squares that it
 * touches smaller and raises none before it, so that it ends.  Primaries always get even; of
 * replicas a few may not, where a server's are all primaries or all on the other server, too.
 *
 * A round is planned after a look at all partitions that found every one healthy, confirmed and at
 * rest; so the moves of one round are over, or given up, before the next.  Loop thread only.
 */
#ifndef HOST_META_BALANCE_H
#define HOST_META_BALANCE_H

#include "host/meta/meta.h"

#define BALANCE_PLANS_MAX 1024     /* of a round that is only counted */
#define BALANCE_MOVES_MAX 32       /* of a round that is carried out: under way at once */
#define BALANCE_WORK_MAX  20000000 /* looks at a replica in one round, or it stays unfinished */
#define BALANCE_TEXT_MAX  96

enum balance_kind {
    BALANCE_MOVE_PRIMARY = 1, /* a secondary takes over */
    BALANCE_COPY_PRIMARY,     /* a new member, which takes over; the old one leaves */
    BALANCE_COPY_SECONDARY,   /* a new member in the place of a secondary */
};

/* One replica, or one role, goes from a node to another. */
struct balance_plan {
    struct gpid pid;
    enum balance_kind kind;
    int32_t from, to;
};

/* The next round, from what the state stores alone; each partition is in one plan at most.  plans
 * has room for `most`.  Returns how many there are; 0: as even as it gets. */
uint32_t balance_round(struct state *state, struct balance_plan *plans, uint32_t most);

/* The proposals that carry it out, as Pegasus makes them (src/meta/load_balance_policy.cpp:
 * generate_balancer_request).  Returns how many. */
uint32_t balance_actions(const struct state *state, const struct balance_plan *plan,
                         struct action actions[CURE_ACTIONS_MAX]);

/* May replicas be moved?  NULL: yes; else why not (any partition short, unconfirmed or with
 * something going on, any table on its way). */
const char *balance_wrong(const struct state *state);

/* Once after every look at all partitions: lively, it moves; steady, it counts what it would do. */
void balance_tick(struct meta *meta);

/* "move_pri=0,copy_pri=0,copy_sec=0,total=0" (get_balance_operation_count). */
void balance_text(const struct balance_count *count, char text[BALANCE_TEXT_MAX]);

#endif
