/* undo -- takes back what an apply (or a recovery of bridled) wrote, and nothing else.
 *
 * Only while the journal says that this plan was finished, no meta server has stood for election
 * since (the lock's number of elections is the recorded one and our own leave), every record is
 * byte for byte what was written and, where nothing was converged, at version 0, and nothing more
 * stands under `apps`.
 *
 *   one batch, without the lock: `apps` = "lock", journal = marking; both at the versions read
 *   all of the above is looked at again: nobody can begin to serve any more, and nobody has begun;
 *       else the batch is taken back
 *   one batch: journal = undoing.  Only now somebody stands for election, because that counts, and
 *       who is killed behind it must be able to go on
 *   the records, children before their parents, in batches: fence, check of `apps`' version, each
 *       record at the version that was read
 *   one batch: fence, `apps` gone or as it was, bulk_load and backup gone where they came with the
 *       recovery and are empty, the journal gone
 *
 * From the first batch on nothing of the cluster is visible.  Killed anywhere, asking again
 * finishes it.  The leader lock's directory stays, it is the store's, and so
 * do the audit's entries and the nodes above them; a node that was there before
 * has its value again, but not its version.
 */
#ifndef HOST_STAGE_UNDO_H
#define HOST_STAGE_UNDO_H

#include "host/stage/apply_plan.h"

#define UNDO_ATTEMPTS_MAX 8    /* failures in a row before it is given up */
#define UNDO_BATCH_MAX    1000 /* records of one read and one batch */
#define UNDO_LISTS_MAX    64   /* lists at once */

/* As stage_apply_check and stage_apply. */
bool stage_undo_check(const struct stage_deed *deed, struct tool *tool, struct deed_result *result);
void stage_undo(const struct stage_deed *deed, struct tool *tool, struct deed_result *result);

#endif
