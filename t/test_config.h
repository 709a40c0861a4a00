/* test_config -- the suite of host/config, in four files. */
#ifndef T_TEST_CONFIG_H
#define T_TEST_CONFIG_H

#include "t/test.h"

TCase *test_config_yaml(void);
TCase *test_config_option(void);
TCase *test_config_apps(void);

#endif
