/* held -- a survey's replicas, sorted: by partition, then by node. */
#ifndef HOST_STAGE_HELD_H
#define HOST_STAGE_HELD_H

#include "host/recovery/survey.h"

struct held {
    const struct br_replica **rows; /* the survey's */
    size_t count, at;
};

/* Those of complete nodes. */
void held_collect(struct held *held, const struct survey *survey);
void held_done(struct held *held);

/* Go to this partition's rows; asked for in ascending order. */
void held_seek(struct held *held, int32_t table, int32_t partition);

/* Of the partition that was gone to: its row number `offset`, or its node's; NULL: there is none.
 */
const struct br_replica *held_row(const struct held *held, size_t offset, int32_t table,
                                  int32_t partition);
const struct br_replica *held_of(const struct held *held, int32_t table, int32_t partition,
                                 int32_t node);

#endif
