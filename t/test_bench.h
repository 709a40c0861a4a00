/* test_bench -- what the files of the suite share. */
#ifndef T_TEST_BENCH_H
#define T_TEST_BENCH_H

#include "host/bench/bench.h"
#include "t/test.h"

TCase *bench_parts_case(void);

#endif
