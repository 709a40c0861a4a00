/* explain -- one partition of a plan: every candidate, the rule that decided, what would change it.
 *
 * What would change it is not argued but tried: the policy that the plan names judges the plan's
 * evidence about this partition again, without one server or another.  What decided is read off the
 * reports in the order that bridle/policy.h and the pegasus policy go by; a policy with other rules
 * may have had other reasons.
 */
#ifndef HOST_STAGE_EXPLAIN_H
#define HOST_STAGE_EXPLAIN_H

#include "host/stage/plan_file.h"

/* `tool` has the plan's policy open (stage_open_policy).  Appends lines, or one line of JSON.
 * BR_NOTFOUND: the plan has no such partition.  BR_CONFLICT: this policy says something else about
 * the plan's evidence than the plan does. */
br_status stage_explain(const struct stage_plan *plan, struct tool *tool, int32_t id, int32_t index,
                        bool json, struct buf *buf, struct fail *ret_fail);

/* A table's record and where its fields come from. */
br_status stage_explain_table(const struct stage_plan *plan, int32_t id, struct buf *buf,
                              struct fail *ret_fail);

const char *stage_role(br_role role);

#endif
