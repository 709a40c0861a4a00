/* learner -- who may learn while the cluster is frozen (freeze.h): nobody who holds more than the
 * group is known to have, for Apache Pegasus's replica servers remove such data before they learn.
 *
 * What a server holds is known from what it told since it came alive: in its last config sync, or
 * in an answer to the question that a recovery asks, too.  It is asked (asker.c) when a learner is
 * needed there and it has not told, or when the group is not known to have what it holds and the
 * primary could say that it has: so that a cure waits for an answer and not for the next sync.  One
 * answer is for all partitions.  Released, nobody is asked and nothing is kept.  Loop thread only.
 */
#ifndef HOST_META_LEARNER_H
#define HOST_META_LEARNER_H

#include "host/meta/meta.h"

#define ASK_PARALLEL_MAX 64 /* servers asked at once; the others wait for their turn */

/* An answer has as long as in a recovery (recovery.node_deadline).  Between an answer, or its
 * failure, and the next question to the same server; twice as long each time that it is asked again
 * so soon. */
#define ASK_PAUSE         (100 * BR_MILLISECOND)
#define ASK_PAUSE_LONGEST (10 * BR_SECOND)

/* So often a primary is asked that is none by its own word (it may be about to become it), before
 * nobody waits for it any more. */
#define ASK_VAIN_MAX 4

struct learner {
    const char *wrong; /* NULL: it may learn; else a sentence why not */
    int32_t ask;       /* the server whose answer may change that; -1: there is none */
    bool wait;         /* ... which has not failed to answer so far */
};

/* May this living server become a learner of the partition? */
struct learner learner_judge(const struct meta *meta, struct gpid pid, int32_t node);

/* What a server tells: begun, replica by replica, ended.  What it told before is forgotten; of a
 * primary it is kept how far the group is. */
struct told {
    struct gpid pid;
    int32_t status; /* BR_ROLE_* */
    int64_t ballot, committed;
};
void learner_begin(struct meta *meta, int32_t node);
void learner_told(struct meta *meta, int32_t node, const struct told *told);
void learner_end(struct meta *meta, int32_t node);

/* It is no member any more: what it holds there is no longer known. */
void learner_left(struct state *state, struct gpid pid, int32_t node);

/* Nothing that it told counts any more: it died, or it is another process. */
void learner_forget(struct state_node *node);

/* While frozen: how many partitions lack a member for it, and which servers are why; lines of text,
 * or members of a JSON object. */
void learners_put(const struct meta *meta, bool json, struct buf *buf);

/* -- asker.c ----------------------------------------------------------------------------------- */

struct asker;
struct asker *asker_new(struct meta *meta);
void asker_free(struct asker *asker); /* NULL-safe; before the state is done */

/* Ask it soon, where it is not being asked yet: at most one question to a server is under way. */
void ask_node(struct meta *meta, int32_t node);

/* The cures that wait for its answer; all of them are looked at again when it has told, did not
 * answer, died, or the cluster is released. */
struct cure_list *ask_waiting(struct meta *meta, int32_t node);

/* Why it did not answer last time; NULL: it did, or was not asked since it came. */
const char *ask_silent(const struct meta *meta, int32_t node);

/* It has told by a config sync; it died or came. */
void ask_told(struct meta *meta, int32_t node);
void ask_forget(struct meta *meta, int32_t node);

/* Whether the cluster is frozen is known now, or known anew. */
void asker_frozen(struct meta *meta);

#endif
