/* compare -- a plan against the store and against the servers, after it was applied.
 *
 * Shares no code with apply and load: records are read by path and taken apart with jansson, key by
 * key, as Apache Pegasus's own reader would see them.
 *
 * A cluster that serves moves on: a partition whose ballot is higher than planned, and which still
 * knows one of the planned servers, has `moved`, and so has a table with an id above all planned
 * ones.  Everything else that is not as planned differs.
 */
#ifndef HOST_STAGE_COMPARE_H
#define HOST_STAGE_COMPARE_H

#include "host/stage/plan_file.h"

#define COMPARE_SHOWN_MAX 20 /* lines about what differs */

struct compare {
    uint64_t records; /* planned */
    uint64_t same, moved, differing, missing, surplus;
    uint64_t replicas;       /* planned primaries */
    uint64_t held;           /* by the planned server, with what it reported or more */
    uint64_t held_elsewhere; /* by another one */
    uint64_t gone;           /* by nobody that answered */
    uint32_t silent;         /* servers */
    bool asked;              /* the servers, too */
    bool nothing;            /* nothing of the plan stands in the store */
    struct buf text;         /* the first differences, a line each */
    uint64_t lines;          /* all of them */
};

/* Against the store that the tool has open, at `root` of it.  BR_OK whatever was found; else the
 * store did not answer. */
br_status stage_compare_store(const struct stage_plan *plan, struct tool *tool, const char *root,
                              struct compare *compare, struct fail *ret_fail);

/* Against a new survey of the same servers. */
void stage_compare_servers(const struct stage_plan *plan, const struct survey *now,
                           struct compare *compare);

/* Is everything as planned?  `exact`: moved is not. */
bool stage_compare_good(const struct compare *compare, bool exact);

/* The page. */
void stage_compare_put(const struct compare *compare, struct buf *buf);
void stage_compare_put_json(const struct compare *compare, bool good, struct buf *buf);

BR_PRINTF(2, 3) void compare_tell(struct compare *compare, const char *format, ...);

#endif
