/* histogram -- see histogram.h. */
#include "host/bench/histogram.h"

#define HISTOGRAM_STEPS (1u << HISTOGRAM_STEPS_LOG)

/* Up to STEPS each number has its counter; from there on each doubling has STEPS of them. */
static uint32_t histogram_counter(uint64_t time)
{
    if (time < HISTOGRAM_STEPS)
        return (uint32_t) time;
    uint32_t shift = 63 - (uint32_t) __builtin_clzll(time) - HISTOGRAM_STEPS_LOG;
    return (shift << HISTOGRAM_STEPS_LOG) + (uint32_t) (time >> shift);
}

/* The largest time that a counter counts. */
static uint64_t histogram_upper(uint32_t counter)
{
    if (counter < HISTOGRAM_STEPS)
        return counter;
    uint32_t shift = (counter >> HISTOGRAM_STEPS_LOG) - 1;
    uint64_t first = (uint64_t) (counter & (HISTOGRAM_STEPS - 1)) + HISTOGRAM_STEPS;
    return ((first + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, br_time time)
{
    if (time < 0)
        time = 0;
    if (histogram->count == 0 || time < histogram->min)
        histogram->min = time;
    if (time > histogram->max)
        histogram->max = time;
    histogram->count++;
    histogram->sum += (double) time;
    histogram->counters[histogram_counter((uint64_t) time)]++;
}

br_time histogram_at(const struct histogram *histogram, double share)
{
    double want = share * (double) histogram->count;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_COUNTERS; i++) {
        seen += histogram->counters[i];
        if (seen > 0 && (double) seen >= want) {
            uint64_t upper = histogram_upper(i);
            return upper < (uint64_t) histogram->max ? (br_time) upper : histogram->max;
        }
    }
    return histogram->max;
}

br_time histogram_mean(const struct histogram *histogram)
{
    return histogram->count == 0 ? 0 : (br_time) (histogram->sum / (double) histogram->count);
}
