/* audit_read -- the entries beside the metadata (recovery/audit.h), oldest first. */
#ifndef HOST_STAGE_AUDIT_READ_H
#define HOST_STAGE_AUDIT_READ_H

#include "host/base/buf.h"
#include "host/stage/tool.h"

#define AUDIT_READ_MAX 1000 /* entries of one read */

/* Each entry's line, as it stands in the store, is handed to `take`, good until it returns.  The
 * tool's store must be open.  BR_OK: those were all; a root without any has none. */
br_status stage_audit_read(struct tool *tool, void (*take)(void *arg, br_bytes line), void *arg,
                           struct fail *ret_fail);

/* An entry as a page shows it, without a line's end: when, who, what, of which plan, and what came
 * of it.  What is no entry of ours is shown as it is. */
void stage_audit_put(br_bytes line, struct buf *buf);

#endif
