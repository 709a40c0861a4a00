/* plan -- what shall stand in the store: a value.  It keeps the cluster, not its JSON; records are
 * made batch by batch, so that a million partitions cost what their verdicts cost.
 */
#ifndef HOST_RECOVERY_PLAN_H
#define HOST_RECOVERY_PLAN_H

#include "host/model/cluster.h"
#include "host/model/layout.h"
#include <bridle/store.h>

#define PLAN_HASH_SIZE 65 /* SHA-256 as hex, and the NUL */

struct plan {
    const struct cluster *cluster;
    const char *root; /* normalised */
    enum layout_version version;
    char hash[PLAN_HASH_SIZE]; /* over root, version and every record in order */
    uint64_t records;
    size_t widest_path;    /* bytes, of the longest record's path */
    size_t largest;        /* bytes, of the largest record's value */
    char largest_path[64]; /* whose: below the root, for messages */
};

/* Walks every record, for the hash: parents before children, tables and then their partitions, by
 * ascending id and index.  Nothing under `apps` but the records; `apps` itself is apply's.
 * `cluster` and `root` must live as long as the plan. */
void plan_make(struct plan *plan, const struct cluster *cluster, const char *root,
               enum layout_version version);

/* Where a walk over the records stands.  Begin with plan_cursor_at(0, -1); free with
 * plan_cursor_done. */
struct plan_cursor {
    uint32_t table;
    int32_t index; /* -1: the table's own record */
    struct buf scratch;
};

static inline struct plan_cursor plan_cursor_at(uint32_t table, int32_t index)
{
    return (struct plan_cursor){ .table = table, .index = index };
}

void plan_cursor_done(struct plan_cursor *cursor);

/* The next record, in the cursor's own memory: good until the next call.  The path ends with a
 * NUL that its size does not count.  false: that was all. */
bool plan_record(const struct plan *plan, struct plan_cursor *cursor, br_bytes *ret_path,
                 br_bytes *ret_value);

/* The same as a CREATE, in the arena. */
bool plan_next(const struct plan *plan, struct plan_cursor *cursor, struct arena *arena,
               struct br_write *ret_write);

uint64_t plan_count(const struct plan *plan);

#endif
