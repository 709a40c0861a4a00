/* survey -- ask every node what it holds: bounded, with a deadline a node and retries inside it.
 *
 * Both queries go to a node at once.  An attempt ends when both were answered; where one was
 * BR_UNAVAILABLE and none failed otherwise, both are asked again after the pause: the two answers
 * of a complete node are of one attempt.  The error that is told is the replicas', where that
 * query failed, else the tables'.
 *
 * A node is complete or silent, never half used.  Rows stay where the transport put them; replicas
 * of one partition are found by index.  The order of arrival never matters.
 */
#ifndef HOST_RECOVERY_SURVEY_H
#define HOST_RECOVERY_SURVEY_H

#include "host/disk/survey_read.h"
#include "host/model/finding.h"
#include "host/plugins/plugin.h"

#define SURVEY_PARALLEL    64                     /* nodes asked at once, by default */
#define SURVEY_RETRIES     1                      /* by default: catches a restarting server */
#define SURVEY_NO_RETRIES  UINT32_MAX             /* really none */
#define SURVEY_RETRY_PAUSE (200 * BR_MILLISECOND) /* so that a dead port costs no more */
#define SURVEY_DEADLINE    (5 * BR_SECOND)        /* of one node, retries included */
#define SURVEY_CODE_MAX    64                     /* bytes of a node's own error name */

struct survey_request {
    const char *const *names; /* "host:port", the operator's order, duplicates already out */
    const uint64_t *addresses;
    uint32_t count;      /* <= BR_NODES_MAX */
    uint32_t parallel;   /* nodes asked at once; 0: SURVEY_PARALLEL */
    uint32_t retries;    /* further attempts of a node that was BR_UNAVAILABLE, inside the deadline;
                            0: SURVEY_RETRIES */
    br_time retry_pause; /* before each; 0: SURVEY_RETRY_PAUSE */
    br_time node_deadline; /* 0: SURVEY_DEADLINE */
    void (*progress)(void *arg, uint32_t answered, uint32_t silent, uint32_t total); /* or NULL */
    void (*done)(void *arg, struct survey *survey); /* the survey is the caller's to free */
    void *arg;
};

/* Everything in the request is copied but the functions' arg.  The run frees itself before `done`,
 * which is never called from inside survey_start.  NULL-safe cancel: done is not called any more;
 * not after done. */
struct survey_run;
struct survey_run *survey_start(struct loop *loop, struct plugin *transport,
                                const struct survey_request *request);
void survey_cancel(struct survey_run *run);

/* What is wrong with rows of this kind (BR_ROW_TABLE, BR_ROW_REPLICA) that a transport gave for the
 * node of that index; NULL: nothing. */
const char *survey_chunk_fault(const struct br_chunk *chunk, int32_t kind, uint32_t index);

/* C7's sentences: one a silent node, in list order; a loss with the consent "skip_bad_nodes". */
void survey_find(const struct survey *survey, struct findings *findings);

#endif
