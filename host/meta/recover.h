/* recover -- the one special request: start_recovery (C4;
 * src/meta/meta_service.cpp:on_start_recovery).
 *
 * survey, judge, plan, apply, verify, serve.  An identical request while one runs joins it and
 * gets its answer (shells send theirs up to three times); another one is told that the service is
 * already running.  A refusal leaves nothing written and recovery mode as it was.
 */
#ifndef HOST_META_RECOVER_H
#define HOST_META_RECOVER_H

#include "host/meta/routes.h"

/* The leader lock is lost, or the process stops: the request is answered, nothing more is written.
 */
void recover_abandon(struct meta *meta, const char *error, const char *why);

/* What is going on, as one line of text or as JSON. */
void recover_put_status(const struct meta *meta, bool json, struct buf *buf);

#endif
