/* bench -- for benchmarks: seconds by a clock of clock_gettime(2).  CLOCK_PROCESS_CPUTIME_ID does
 * not count what neighbours do; CLOCK_MONOTONIC counts waiting, too.
 */
#ifndef T_BENCH_H
#define T_BENCH_H

#include <time.h>

static inline double bench_seconds(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

#endif
