/* finding -- what the operator must know, one sentence each. */
#ifndef HOST_MODEL_FINDING_H
#define HOST_MODEL_FINDING_H

#include "host/base/arena.h"
#include "host/base/buf.h"
#include "host/core/call.h"

/* Kept; beyond it one line counts the rest, and losses and refusals count on.  The bytes are what
 * one answer may hold with room to spare (FRAME_BODY_MAX).  Of what stops the recovery some more is
 * kept, so that the reason is told. */
#define FINDINGS_MAX       1000000
#define FINDINGS_BYTES_MAX (128u << 20)
#define FINDINGS_STOP_MAX  1000

#define CONSENTS_MAX 16 /* of one recovery */

/* The order of the report. */
enum { FINDING_NODE = 1, FINDING_NAME = 2, FINDING_PARTITION = 3, FINDING_GROUPS = 4 };

struct finding {
    struct finding *next;
    struct br_subject subject; /* .consented is NULL: the sentence to show is `text` */
    const char *text;
    bool consented; /* a loss that was allowed */
};

struct findings {
    struct br_findings sink; /* first: what a policy is given */
    struct arena arena;
    struct finding *first[FINDING_GROUPS]; /* by group FINDING_*; each list in the order found */
    struct finding **last[FINDING_GROUPS];
    uint32_t count;              /* all that were found */
    uint32_t kept;               /* in the lists; at most FINDINGS_MAX, but for `beyond` */
    uint32_t beyond;             /* kept though the lists were full; at most FINDINGS_STOP_MAX */
    size_t bytes;                /* of the kept ones' sentences */
    uint32_t left_out;           /* found when the lists were full */
    uint32_t refusals;           /* found so far; a loss that names no consent is one */
    uint32_t losses;             /* found so far without their consent */
    uint32_t found_losses;       /* found so far, with their consent or without */
    const char *const *consents; /* NULL-terminated: what the operator allows */
    const char *consent;         /* the last one that a finding named */
    int group;                   /* where the sink and findings_add put what they are given */
};

/* `consents` must outlive it. */
void findings_init(struct findings *findings, const char *const *consents);
void findings_done(struct findings *findings);

BR_PRINTF(3, 4)
void findings_add(struct findings *findings, const struct br_subject *subject, const char *format,
                  ...);

/* May the recovery go on?  No refusal, and every loss has its consent. */
bool findings_pass(const struct findings *findings);

/* Is this consent among those given? */
bool findings_consented(const struct findings *findings, const char *consent);

/* One finding a line, each ended by '\n', in the order nodes, names, partitions; notes are for the
 * log and left out.  A loss that has
 * its consent is shown with its `consented` sentence; an empty sentence is not shown. */
void findings_put(const struct findings *findings, struct buf *buf);

#endif
