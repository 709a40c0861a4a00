/* rows -- walking what a store answered: checked against what was asked for, across chunks.
 *
 *     struct rows rows = rows_of(answer);
 *     const struct br_value *value;
 *     while ((value = rows_value(&rows)))
 */
#ifndef HOST_RECOVERY_ROWS_H
#define HOST_RECOVERY_ROWS_H

#include "host/core/call.h"

struct rows {
    const struct br_chunk *chunk;
    uint32_t index;
    struct br_value room;
};

static inline struct rows rows_of(const struct call_answer *answer)
{
    return (struct rows){ .chunk = answer->chunks };
}

/* The next value or name; NULL: there is none.  Rows of another kind are passed over: a plugin's
 * fault, which shows as too few. */
const struct br_value *rows_value(struct rows *rows);
const char *rows_name(struct rows *rows);

/* How many rows of this kind there are. */
uint64_t rows_count(const struct call_answer *answer, int32_t kind);

/* A child's name as a number: canonical decimal, 0 to `max`; -1: something else. */
int32_t rows_number(const char *name, int32_t max);

#endif
