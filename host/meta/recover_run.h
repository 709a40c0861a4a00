/* recover_run -- a recovery under way, as recover.c and rounds.c share it.  Private to host/meta.
 */
#ifndef HOST_META_RECOVER_RUN_H
#define HOST_META_RECOVER_RUN_H

#include "host/meta/recover.h"
#include "host/recovery/judge.h"

#define RECOVER_WAITERS_MAX 64          /* identical requests that wait for one answer */
#define RECOVER_PROGRESS    (BR_SECOND) /* between lines of progress */

struct recover {
    struct meta *meta;
    struct arena arena;
    const char **names; /* the nodes, in the operator's order, each once */
    uint64_t *addresses;
    bool *told_cold; /* by node: why it must stop serving stands in the log */
    uint32_t node_count;
    bool skip_bad_nodes, skip_lost_partitions;
    enum wire_peer peer;
    struct rdsn_incoming *waiting[RECOVER_WAITERS_MAX];
    uint32_t waiting_count;
    const char *consents[CONSENTS_MAX + 3];
    br_time started, told;
    br_time asked;   /* the last round began */
    uint32_t rounds; /* of questions, so far */

    struct survey_run *survey_run;
    struct survey *first, *second; /* rounds of questions; the second may be the first itself */
    bool waited;                   /* leases had to run out, and that was told */
    struct buf progress;           /* one sentence: what is waited for */
    struct findings findings;
    struct cluster cluster; /* the verdicts */
    struct plan plan;
    struct audit audit;
    char asked_by[ADDRESS_TEXT_MAX];
    struct apply *apply;
    struct load *load; /* reading back */
    struct timer *retry;
};

/* -- recover.c -- */

/* Is it time for another line of progress? */
bool recover_due(struct recover *recover);

/* The findings, then what went wrong beside them; one answer to everybody; the recovery is over and
 * gone. */
void recover_answer(struct recover *recover, const char *error, const char *more);

/* recover->cluster is what shall be written. */
void recover_write(struct recover *recover);

/* -- rounds.c: ask, and ask again, until what was found may be written -- */

void rounds_begin(struct recover *recover);

/* Nothing is asked any more; servers whose lease was to run out are answered again. */
void rounds_cancel(struct recover *recover);

#endif
