/* model -- the test cases of t/test_model.c, by file. */
#ifndef T_MODEL_H
#define T_MODEL_H

#include "host/model/layout.h"
#include "t/test.h"

TCase *model_layout(void);
TCase *model_golden(void);
TCase *model_quick(void);

#endif
