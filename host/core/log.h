/* log -- one event, one line: logfmt on a file descriptor.
 *
 *     ts=2026-11-23T01:02:03.456Z level=info who=store msg="connected" ...
 *
 * Thread-safe (one write per line).  Secrets are never formatted by whoever calls this.
 */
#ifndef HOST_CORE_LOG_H
#define HOST_CORE_LOG_H

#include <bridle/host.h>

#define LOG_LINE_MAX 2048

struct log {
    int fd;
    br_level level;   /* what is less important is left out */
    br_level plugins; /* but what plugins say up to here */
};

BR_PRINTF(4, 5)
void log_put(const struct log *log, br_level level, const char *who, const char *format, ...);
void log_vput(const struct log *log, br_level level, const char *who, const char *format,
              va_list args);

#endif
