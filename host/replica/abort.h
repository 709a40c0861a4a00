/* abort -- where a real replica server dies, this one dies too, loudly: whoever sent the message
 * that did it has a bug, and finds it here rather than in production.
 */
#ifndef HOST_REPLICA_ABORT_H
#define HOST_REPLICA_ABORT_H

#include "host/core/log.h"
#include "host/rdsn/codec.h"

#define REPLICA_ABORT_STATUS 70 /* of the process */

/* One line at level error, "a real replica server aborts here: WHAT (gpid 1.0, WHERE)", and the end
 * of the process with REPLICA_ABORT_STATUS.  `where` is "FILE:FUNCTION" of Pegasus's src/replica;
 * the format says what, with both values. */
BR_PRINTF(4, 5)
_Noreturn void replica_abort(const struct log *log, struct gpid pid, const char *where,
                             const char *format, ...);

#endif
