/* undo_run -- what undo.c, undo_check.c and undo_records.c share. */
#ifndef HOST_STAGE_UNDO_RUN_H
#define HOST_STAGE_UNDO_RUN_H

#include "host/stage/undo.h"

struct undo {
    const struct stage_deed *deed;
    struct tool *tool;
    const char *root; /* of the store that the tool has open */
    const char *fence;
    struct root_facts facts;
    struct deed_result *result;
};

/* A place among the plan's records, a table's partitions before the table. */
struct undo_at {
    uint32_t table;
    int32_t index;
};

/* So many records, read. */
struct undo_chunk {
    struct arena arena;
    const char **paths;
    br_bytes *planned;
    uint32_t count;
    struct tool_answer answer;
};

/* Read the next ones, at most `limit`, and move on; none: all were read.  undo_chunk_done in any
 * case. */
br_status undo_chunk(struct undo *undo, struct undo_at *at, uint32_t limit,
                     struct undo_chunk *chunk);
void undo_chunk_done(struct undo_chunk *chunk);

/* Is this what was written?  Else a sentence in the result. */
bool undo_is_ours(struct undo *undo, const char *path, br_bytes planned,
                  const struct br_value *value);

/* The records and their places: is everything there, as it was written, and nothing else? */
bool undo_check_tree(struct undo *undo);

/* Has nobody stood for election since the plan was applied? */
bool undo_check_elections(struct undo *undo);

void undo_report(struct undo *undo, const char *what, uint64_t done);

#endif
