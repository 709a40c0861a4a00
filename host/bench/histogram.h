/* histogram -- how long operations took: a fixed number of counters, about 3 % apart, for any time
 * from a nanosecond to three hundred years.  `{ 0 }` is an empty one.
 */
#ifndef HOST_BENCH_HISTOGRAM_H
#define HOST_BENCH_HISTOGRAM_H

#include <stdint.h>

#include <bridle/types.h>

#define HISTOGRAM_STEPS_LOG 5 /* 2^5 counters for each doubling: a counter is 1/32 wide */
#define HISTOGRAM_COUNTERS  ((64 - HISTOGRAM_STEPS_LOG) << HISTOGRAM_STEPS_LOG)

struct histogram {
    uint64_t count;
    br_time min, max; /* exactly */
    double sum;
    uint64_t counters[HISTOGRAM_COUNTERS];
};

/* A time below 0 is 0. */
void histogram_add(struct histogram *histogram, br_time time);

/* The time that this share of the times (0 to 1) did not exceed: at most 1/32 too high, never more
 * than the longest; 0 where there are none. */
br_time histogram_at(const struct histogram *histogram, double share);

/* 0 where there are none. */
br_time histogram_mean(const struct histogram *histogram);

#endif
