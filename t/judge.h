/* judge -- the test cases of t/test_judge.c, by file. */
#ifndef T_JUDGE_H
#define T_JUDGE_H

#include "t/judge_kit.h"

#define QUIET "advice: no\n"

TCase *judge_aborts(void);
TCase *judge_bad_policy(void);
TCase *judge_random(void);

#endif
