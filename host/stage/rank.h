/* rank -- which of the silent servers would save most if it came back.
 *
 * Replicas do not name each other, so that nothing follows from a plan's own evidence about a
 * server that is silent in it: only an earlier answer of that server tells.  With it the plan's
 * policy judges again, one server at a time.
 */
#ifndef HOST_STAGE_RANK_H
#define HOST_STAGE_RANK_H

#include "host/stage/plan_file.h"

struct rank {
    int32_t node;   /* of the plan's survey */
    bool known;     /* an earlier answer was given; else the numbers are 0 */
    int64_t lost;   /* partitions that would not be lost any more */
    int64_t whole;  /* partitions that would be whole, beside those that are */
    int64_t better; /* partitions whose primary would have a higher ballot */
};

/* The silent servers of the plan, the best first; free() it.  `tool` has the plan's policy open; of
 * `surveys` each server's newest answer counts, and their rows are renumbered. */
br_status stage_rank(const struct stage_plan *plan, struct tool *tool, struct survey **surveys,
                     uint32_t count, struct rank **ret_ranks, uint32_t *ret_count,
                     struct fail *ret_fail);

void stage_rank_put(const struct stage_plan *plan, const struct rank *ranks, uint32_t count,
                    struct buf *buf);
void stage_rank_put_json(const struct stage_plan *plan, const struct rank *ranks, uint32_t count,
                         struct buf *buf);

#endif
