/* deed -- one change of a store by a command: it begins with the leader lock and ends with its
 * return, and nothing else of host/stage writes.
 *
 * The lock's value must be one that Apache Pegasus's meta servers survive: those that stand by read
 * it as the leader's "host:port", resolve it, name it in their answers and forward requests to it
 * (src/meta/meta_server_failure_detector.cpp).  It must also be nobody else's, because a candidate
 * deletes a leader's node that bears his own value as his leftover.  So it is 127.A.B.C:1 with A, B
 * and C by chance: a numeric address, which needs no name service, on which nobody listens.
 */
#ifndef HOST_STAGE_DEED_H
#define HOST_STAGE_DEED_H

#include "host/stage/tool.h"

#define DEED_WAIT (10 * BR_SECOND) /* for the lock, while a meta server holds it */
#define DEED_WAIT_OURS                                                                             \
    (60 * BR_SECOND) /* ... while a command does: it ends, or a dead one's session */

/* What apply and undo end with: an interface (beside SHELL_USAGE, 2). */
enum deed_exit {
    DEED_DONE = 0,
    DEED_FAILED = 1,  /* on the way: the sentence says what is left, and asking again goes on */
    DEED_REFUSED = 3, /* nothing was written */
    DEED_HELD = 4,    /* nothing was written: somebody else leads */
};

struct deed_result {
    enum deed_exit exit;
    const char *word; /* "applied", "refused", ... */
    struct buf text;  /* sentences, each with its line's end */
    struct buf next;  /* the command that follows; empty: none */
    uint64_t records; /* written, or deleted */
    br_time took;
};

void deed_result_done(struct deed_result *result);

/* Set what it ended with, with a sentence.  Returns false. */
BR_PRINTF(4, 5)
bool deed_say(struct deed_result *result, enum deed_exit exit, const char *word, const char *format,
              ...);

typedef void deed_progress(void *arg, const char *what, uint64_t done, uint64_t total);

struct deed {
    struct tool *tool; /* its store open to be written to */
    char *fence;       /* NULL: a store without locks */
    bool elected;      /* or there is no lock */
    bool interrupted;  /* SIGINT or SIGTERM: stop where it can be gone on with */
    bool lost;         /* the lock */
    br_time began, stood, wait;
    struct br_call *lock_call, *owner_call, *lost_call;
    struct timer *tick;
    br_status lock_status;
    struct fail lock_fail;
    char owner[256];
    struct event *signals[2];
};

/* Here begins whatever a command writes; SIGINT and SIGTERM are `interrupted` until deed_end. */
void deed_begin(struct deed *deed, struct tool *tool);

/* Stand for election and wait, so long (0: DEED_WAIT, or DEED_WAIT_OURS).  False: it was not had,
 * and *result says why. */
bool deed_lead(struct deed *deed, br_time wait, struct deed_result *result);

/* Give the lock back, where there is one; no more is written. */
void deed_end(struct deed *deed, struct deed_result *result);

#endif
