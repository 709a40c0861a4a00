/* apply_plan -- a plan into the store, by a command: looked at before anything is asked for, and
 * written once it was.
 *
 * A plan is refused that does not pass, that is another place's, whose root holds tables or is not
 * ours, and, unless it is applied offline, that the plan's servers do not bear out any more: they
 * are asked again, with the plan's assumptions, judged by its policy, options and consents, and
 * what would be written must be the same to the byte.  Decrees may have moved, verdicts not.  Nor
 * may any server say that it serves: then a meta server is there or was seconds ago, and a plan
 * that is applied behind a group that serves loses it (spec of Apache Pegasus's config syncs).
 */
#ifndef HOST_STAGE_APPLY_PLAN_H
#define HOST_STAGE_APPLY_PLAN_H

#include "host/stage/deed.h"
#include "host/stage/plan_file.h"

#define APPLY_SHOWN_MAX 5 /* differences, and servers that serve, that are named */

struct stage_amendment; /* amend.h */

struct stage_deed {
    const struct stage_plan *plan;
    const struct stage_amendment *amendment; /* instead of the plan */
    const char *file;                        /* the plan's, for sentences */
    bool offline;                            /* apply: do not ask the servers */
    br_time wait;                            /* for the leader lock; 0: deed.h's */
    deed_progress *progress;
    void *arg;
};

/* Reads only; the tool's store, transport and policy are opened here.  False: it ends here, *result
 * says with what (also where everything is done already). */
bool stage_apply_check(const struct stage_deed *deed, struct tool *tool,
                       struct deed_result *result);

/* Another tool, whose store this opens to be written to. */
void stage_apply(const struct stage_deed *deed, struct tool *tool, struct deed_result *result);

/* What the audit says of a deed with this plan; audit_done() it. */
void stage_audit(const struct stage_deed *deed, const struct tool *tool, const char *name,
                 struct audit *ret);

/* What was planned and would be now: the first differences, a line each.  Returns how many. */
uint64_t stage_differences(const struct stage_plan *plan, const struct stage_plan *now,
                           struct buf *buf);

#endif
