/* apply_run -- one apply under way; only for apply*.c.
 *
 *   apply.c           look, lock or claim, unlock, the end
 *   apply_walk.c      the records, chunk by chunk, several in flight
 *   apply_converge.c  what an earlier attempt left: list, delete, walk, until nothing changes
 *
 * Each step ends by calling the next one.  Whoever calls apply_end or a function that may call it
 * (apply_soft, a step) returns at once: the apply is gone.
 */
#ifndef HOST_RECOVERY_APPLY_RUN_H
#define HOST_RECOVERY_APPLY_RUN_H

#include "host/recovery/apply.h"

#define APPLY_BATCH_OPS   2000      /* of one batch, where the store states no limit */
#define APPLY_BATCH_BYTES (1 << 20) /* the same */
#define APPLY_CHUNK_READ  1000      /* records read in one call */
#define APPLY_FLIGHT_MAX  64        /* calls at once, whatever the store says */

/* A run of consecutive records: one batch. */
struct chunk {
    struct apply *apply;
    struct br_call *call;
    enum { CHUNK_FREE = 0, CHUNK_FLYING, CHUNK_DOUBTFUL } state;
    uint64_t sequence;
    uint32_t table; /* the first record's place */
    int32_t index;
    uint32_t count;
    uint32_t changes;
};

struct walk {
    struct plan_cursor cursor;
    bool exhausted;
    bool alone; /* a doubtful chunk is being settled */
    uint32_t flying;
    uint64_t sequence;
    uint64_t walked; /* records */
    struct chunk chunks[APPLY_FLIGHT_MAX];
};

/* A path whose children are listed: a planned table's, or one that must go. */
struct listing {
    const char *path;
    int32_t table; /* index of the plan's table; -1: surplus */
};

struct lister {
    struct apply *apply;
    struct br_call *call;
    uint32_t item;
};

struct converge {
    struct arena arena; /* paths; of this round */
    struct listing *items;
    uint32_t count, cap;
    uint32_t next;   /* to be listed */
    uint32_t flying; /* lists */
    uint32_t left;   /* to be deleted: items[0 .. left), from the back */
    bool *listed;    /* a table: is it there? */
    uint64_t changes;
    uint32_t rounds;
    struct lister listers[APPLY_FLIGHT_MAX];
};

struct apply {
    struct loop *loop;
    struct plugin *store;
    struct apply_request request;
    const char *root;
    struct buf apps; /* paths */
    struct buf journal;
    struct root_look *look;
    struct br_call *call; /* of the steps that come one after the other */
    struct timer *timer;
    void (*step)(struct apply *apply); /* what the timer begins */
    int64_t apps_version;
    int64_t journal_version;
    bool released;             /* a record of an operator's release is there */
    struct apply_journal mark; /* what the journal says next, but for its state */
    uint32_t ops_max;          /* records in a batch */
    size_t bytes_max;          /* of a batch, fence and check already off */
    uint32_t flights;          /* calls at once */
    uint32_t phase;
    uint32_t attempts; /* failures in a row */
    uint32_t locks;    /* locks and claims sent */
    bool issued;       /* at least one */
    bool locked;       /* `apps` was seen to be "lock", and ours */
    bool claiming;     /* it was a claim, of a tree that was ours before */
    bool unlocking;    /* an unlock was sent */
    bool fresh;        /* nothing is below `apps` but what this apply put there */
    struct walk walk;
    struct converge converge;
};

/* apply.c */

/* The end: the apply is freed, `done` told.  `message` is a sentence; the state of the tree is
 * added. */
void apply_end(struct apply *apply, br_status status, const char *message);

/* Something failed that may go well when tried again: `step` runs after a pause; where it failed
 * too often in a row, or trying again cannot help, that was the end. */
void apply_soft(struct apply *apply, br_status status, const char *message,
                void (*step)(struct apply *apply));
bool apply_status_soft(br_status status);

void apply_progress_tell(struct apply *apply);

/* A batch under construction, in an arena that the commit takes over. */
struct batch {
    struct arena memory;
    struct br_write **writes;
    uint32_t count;
};

/* Room for `records` writes beside the fence and, where `check`, the check of `apps`. */
void batch_begin(struct batch *batch, const struct apply *apply, uint32_t records, bool check);
struct br_write *batch_add(struct batch *batch, const struct br_write *write);
const char *batch_text(struct batch *batch, const char *text);
struct br_call *batch_commit(struct batch *batch, struct apply *apply, call_done *done, void *arg);

/* The records are written: what is the next step? */
void apply_walked(struct apply *apply);
void apply_unlock(struct apply *apply);

/* apply_walk.c */
void walk_start(struct apply *apply);
void walk_forget(struct apply *apply);

/* apply_converge.c */
void converge_round(struct apply *apply);
void converge_forget(struct apply *apply);

#endif
