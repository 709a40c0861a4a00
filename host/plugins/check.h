/* check -- is this descriptor one that the host can trust its code with? */
#ifndef HOST_PLUGINS_CHECK_H
#define HOST_PLUGINS_CHECK_H

#include "host/base/fail.h"
#include <bridle/plugin.h>

/* The kind is one of ours, the name [a-z][a-z0-9]*, at most LOADER_NAME_MAX bytes. */
br_status check_names(const char *kind, const char *name, struct fail *ret_fail);

/* What both know; the rest of `to` is zero. */
void check_copy(void *to, size_t to_size, const void *from, size_t from_size);

#endif
