/* mutation -- one decree's writes, and the list of those that are prepared
 * (src/replica/mutation.cpp, src/replica/prepare_list.cpp, src/replica/mutation_cache.cpp).
 *
 * Mutations are counted and come from a pool with their memory, so that a prepare allocates nothing
 * once the pool is warm.  Loop thread only.
 */
#ifndef HOST_REPLICA_MUTATION_H
#define HOST_REPLICA_MUTATION_H

#include "host/base/buf.h"
#include "host/rdsn/message_replica.h"
#include "host/rdsn/server.h"

#define MUTATION_KEEP_MAX (64u << 10)   /* bytes of updates a pooled mutation may keep */
#define MUTATION_POOL_MAX 4096          /* mutations that rest in the pool */
#define MUTATION_FULL     (1024 * 1024) /* bytes from which nothing is added (mutation.h:is_full) */

struct mutation_pool;

struct mutation {
    struct mutation *next; /* in the pool */
    struct mutation_pool *pool;
    uint32_t holders;
    struct mutation_header header;
    struct buf updates; /* as mutation_decode gives them */
    uint64_t round;     /* how often it was sent: older acknowledgements do not count */
    bool logged;
    uint32_t left_secondaries, left_learners; /* acknowledgements still to come */
    br_time prepared_at;
    struct rdsn_incoming **clients; /* who is to be answered, one an update; NULL: nobody */
    uint32_t client_count, client_room;
};

struct mutation_pool {
    struct mutation *free;
    uint32_t free_count;
};

/* Held once. */
struct mutation *mutation_new(struct mutation_pool *pool);
void mutation_hold(struct mutation *mutation);

/* Clients not yet answered are dropped with the last holder: they run into their timeout, as with a
 * primary that lost its role. */
void mutation_release(struct mutation *mutation);
void mutation_pool_done(struct mutation_pool *pool);

void mutation_add_client(struct mutation *mutation, struct rdsn_incoming *incoming);

/* The body of an empty write: what a primary without clients sends. */
void mutation_set_empty(struct mutation *mutation);

static inline bool mutation_ready(const struct mutation *mutation)
{
    return mutation->logged && mutation->left_secondaries == 0 && mutation->left_learners == 0;
}

/* -- The list --------------------------------------------------------------------------------- */

/* Decrees from `first` to `last`, of which some may be missing; committed ones stay for learners
 * until their room is needed. */
struct prepare_list {
    int64_t first, last;
    bool empty;
    int64_t committed;
    struct mutation *slots[PREPARE_LIST_MAX];
};

void prepare_list_init(struct prepare_list *list, int64_t decree);
void prepare_list_done(struct prepare_list *list);

/* Nothing is prepared, `decree` is committed. */
void prepare_list_reset(struct prepare_list *list, int64_t decree);

/* Forget what is not above `decree`, which is committed. */
void prepare_list_truncate(struct prepare_list *list, int64_t decree);

struct mutation *prepare_list_get(const struct prepare_list *list, int64_t decree);

/* Committed ones make room for `decree` (`all`: every committed one goes). */
void prepare_list_make_room(struct prepare_list *list, int64_t decree, bool all);

/* Takes a hold of its own.  false: no room. */
bool prepare_list_put(struct prepare_list *list, struct mutation *mutation);

#endif
