/* policy -- the test cases of t/test_policy.c, by file. */
#ifndef T_POLICY_H
#define T_POLICY_H

#include "t/judge_kit.h"

TCase *policy_others(void);
TCase *policy_partition(void);

#endif
