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
 * rest; so the moves of one round are over, or given up, before the next.  It is planned in turns:
 * with a million partitions nobody waits for it longer than for any other request.  Loop thread
 * only.
 */
#ifndef HOST_META_BALANCE_H
#define HOST_META_BALANCE_H

#include "host/meta/meta.h"

#define BALANCE_PLANS_MAX 1024     /* of a round that is only counted */
#define BALANCE_MOVES_MAX 32       /* of a round that is carried out: under way at once */
#define BALANCE_LOOKS_MAX 20000000 /* at a replica in one round, or it stays unfinished */
#define BALANCE_TURN_MAX  20000    /* work in one turn of the loop: about 1 ms */
#define BALANCE_OVERSHOOT 16
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

/* -- Planning: a round in parts --------------------------------------------------------------- */

struct balance_job;

enum balance_progress {
    BALANCE_MORE = 1, /* there is more to do */
    BALANCE_OVER,     /* the plans are made */
    BALANCE_STALE,    /* the state has changed since it was begun: they are worth nothing */
};

/* The next round, of `most` plans at most (1 or more), from what the state stores alone; each
 * partition is in one plan at most. */
struct balance_job *balance_begin(struct state *state, uint32_t most);
void balance_free(struct balance_job *job); /* NULL-safe */

/* Go on with it.  `work` is counted in looks at a partition or a node; more is done only to finish
 * a walk over all nodes: at most BALANCE_OVERSHOOT times their number. */
enum balance_progress balance_run(struct balance_job *job, uint32_t work);

/* How many plans there are so far, 0: as even as it gets; they are the job's. */
uint32_t balance_plans(const struct balance_job *job, const struct balance_plan **ret_plans);
uint64_t balance_work(const struct balance_job *job); /* done so far */

/* The same in one go.  plans has room for `most`.  Returns how many there are. */
uint32_t balance_round(struct state *state, struct balance_plan *plans, uint32_t most);

/* The proposals that carry it out, as Pegasus makes them (src/meta/load_balance_policy.cpp:
 * generate_balancer_request).  Returns how many. */
uint32_t balance_actions(const struct state *state, const struct balance_plan *plan,
                         struct action actions[CURE_ACTIONS_MAX]);

/* -- balancer.c: rounds while it serves -------------------------------------------------------- */

struct balancer;

struct balancer *balancer_new(struct meta *meta);
void balancer_free(struct balancer *balancer); /* NULL-safe; a round under way is forgotten */

/* May replicas be moved?  NULL: yes; else why not: the last look at all partitions is out of date
 * or found one that is not at rest (guardian.h), a table is on its way, something is being written.
 */
const char *balance_wrong(const struct meta *meta);

/* Once every META_TICK: after a look at all partitions a round is begun, some work of it in each
 * turn of the loop.  Lively, it moves; steady, it counts what it would do, once after a change.
 * The round is given up at once where balance_wrong, or the level falls. */
void balance_tick(struct meta *meta);
bool balance_busy(const struct meta *meta); /* a round is being planned */

/* "move_pri=0,copy_pri=0,copy_sec=0,total=0" (get_balance_operation_count). */
void balance_text(const struct balance_count *count, char text[BALANCE_TEXT_MAX]);

#endif
