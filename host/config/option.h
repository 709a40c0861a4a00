/* option -- a map's scalars into a structure, by its option table (bridle/option.h).
 *
 * Used for plugins' options and for the host's own sections alike: one parser, one set of
 * messages.  Unknown keys are refused with the nearest known one.  Nothing is coerced: a bool is
 * `true` or `false`, durations and sizes carry a unit (ns us ms s min h, B KiB MiB GiB), a list is
 * a list, and a key without a value (`hosts:`) is refused.
 *
 * Secrets: "file:PATH" reads the file, without its last newline.  No message shows a secret.
 */
#ifndef HOST_CONFIG_OPTION_H
#define HOST_CONFIG_OPTION_H

#include "host/base/buf.h"
#include "host/config/yaml.h"
#include <bridle/option.h>

#define OPTION_LIST_MAX   4096  /* items of one list */
#define OPTION_SECRET_MAX 65536 /* bytes of a secret's file */
#define OPTION_KEY_MAX    64    /* bytes of a key that is compared with the known ones */

/* Fill `state` from `map` (NULL: defaults only).  `table` steps by option_size and ends with a
 * zeroed entry.  `skip` names keys that belong to somebody else (NULL-terminated; may be NULL).
 * `what` is for messages: "store zookeeper".  Strings live in the arena.  A list that is neither
 * given nor has a default is NULL.  On failure `state` is partly filled. */
br_status option_fill(struct arena *arena, const struct yaml *map, const char *what,
                      const struct br_option *table, uint32_t option_size, const char *const *skip,
                      void *state, struct fail *ret_fail);

/* One value, as written in the file, into a field.  `what` is for messages. */
br_status option_parse(struct arena *arena, const struct yaml *at, const struct br_option *option,
                       const char *what, void *state, struct fail *ret_fail);

/* A number as it would be written for this option, in the largest unit that divides it evenly. */
void option_put_number(const struct br_option *option, int64_t value, struct buf *buf);

/* The known key nearest to `key`, or NULL where none is near.  keys: NULL-terminated. */
const char *option_nearest(const char *key, const char *const *keys);

/* Refuse `child`, whose key is none of `keys`, naming the nearest one or, where none is near, all
 * of them. */
br_status option_unknown(const struct yaml *child, const char *what, const char *const *keys,
                         struct fail *ret_fail);

#endif
