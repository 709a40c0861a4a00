/* amend_run -- what the parts of amend share. */
#ifndef HOST_STAGE_AMEND_RUN_H
#define HOST_STAGE_AMEND_RUN_H

#include "host/base/set64.h"
#include "host/stage/amend.h"
#include "host/stage/held.h"

/* An amendment being made. */
struct amending {
    struct stage_amendment *amendment;
    const struct stage_plan *plan;
    struct tool *tool;
    const char *root;         /* of the store that the tool has open */
    struct stage_plan would;  /* judged from the plan's survey and the new answers */
    struct cluster *now;      /* as the store has it */
    struct held planned, all; /* the plan's replicas; those of `would`'s survey */
    bool *returned;           /* by the node's place in `would`'s survey */
    int32_t *servers;         /* its place among the amendment's servers, or -1 */
    struct set64 stopped;     /* what was found against a partition, or a table (partition -1) */
    uint32_t room;            /* of the records */
    struct fail *fail;
};

static inline uint64_t amend_key(int32_t table, int32_t partition)
{
    return (uint64_t) (uint32_t) table << 32 | (uint32_t) (partition + 1);
}

BR_PRINTF(2, 3) void amend_find(struct amending *amending, const char *format, ...);

/* A copy in the amendment's arena; NULL of NULL. */
const char *amend_keep(struct amending *amending, const char *text);

/* Strings are copied; `row` (NULL: nobody) holds it.  false: there are too many. */
bool amend_add(struct amending *amending, const struct amend_record *record,
               const struct br_replica *row);

/* Read `count` records of a table from index `from` on; -1 is its own. */
void amend_read(struct amending *amending, int32_t id, int32_t from, int32_t count,
                struct tool_answer *ret_answer);

/* Is this what the plan wrote at this place? */
bool amend_untouched(const struct amending *amending, const struct table *planned, int32_t index,
                     const struct br_value *value);

/* The partition's row of a returned server that says most; NULL: none holds it.  Both `held` are
 * put to the partition; asked for in ascending order. */
const struct br_replica *amend_best(struct amending *amending, int32_t id, int32_t index);

/* "apps/2/5"; in the amendment's arena. */
const char *amend_path(struct amending *amending, int32_t id, int32_t index);

const char *amend_node(const struct amending *amending, const struct br_replica *row);

/* -- Into the store --------------------------------------------------------------------------- */

enum amend_is { AMEND_IS_OLD, AMEND_IS_NEW, AMEND_IS_OTHER };

/* What the store answered against what was and shall be. */
enum amend_is amend_is(const struct amend_record *record, const struct br_value *value);

/* Read `count` of the amendment's records from number `from` on. */
void amend_records(const struct stage_amendment *amendment, struct tool *tool, const char *root,
                   uint32_t from, uint32_t count, struct tool_answer *ret_answer);

/* Is every record what it was, or already what it shall be?  *ret_left: how many are not yet.
 * False: a sentence in the result, or the store's failure in *ret_fail and its status. */
bool amend_compare(const struct stage_deed *deed, struct tool *tool, const char *root,
                   uint32_t *ret_left, struct deed_result *result, struct fail *ret_fail);

/* Writes, with the tool's store open to be written to and `fence` held (NULL: a store without
 * locks). */
void amend_write(const struct stage_deed *deed, const struct deed *of, struct tool *tool,
                 struct deed_result *result);

/* -- Making ----------------------------------------------------------------------------------- */

/* amend_judge.c: what stands in the store; refused where the plan did not write it. */
br_status amend_load(struct amending *amending);

/* The new judgement, which takes over `now`, and everything that is looked up in it. */
br_status amend_judge(struct amending *amending, struct survey *now);

/* amend_table.c: a table that the store does not have. */
br_status amend_table(struct amending *amending, const struct table *table);

#endif
