/* abort -- see abort.h. */
#include "host/replica/abort.h"

#include <stdio.h>
#include <unistd.h>

void replica_abort(const struct log *log, struct gpid pid, const char *where, const char *format,
                   ...)
{
    char what[LOG_LINE_MAX / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    log_put(log, BR_ERROR, "abort",
            "a real replica server aborts here: %s (gpid %d.%d, src/replica/%s)", what, pid.app_id,
            pid.partition, where);
    _exit(REPLICA_ABORT_STATUS);
}
