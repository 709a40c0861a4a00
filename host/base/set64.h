/* set64 -- a set of 64-bit keys: open addressing, no tombstones.  Half full at most, so 16 bytes a
 * key and up to 32 after growing.  `{ 0 }` is an empty one.  The order of a walk is nobody's
 * business.
 */
#ifndef HOST_BASE_SET64_H
#define HOST_BASE_SET64_H

#include <stdbool.h>
#include <stdint.h>

struct set64 {
    uint64_t *keys; /* SET64_NONE: empty */
    uint32_t mask;  /* slots - 1 */
    uint32_t count;
};

#define SET64_NONE UINT64_MAX /* the one key that cannot be in a set */

void set64_done(struct set64 *set);

/* false: it was there already (add), or was not there (remove). */
bool set64_add(struct set64 *set, uint64_t key);
bool set64_remove(struct set64 *set, uint64_t key);
bool set64_has(const struct set64 *set, uint64_t key);

/* Walk: begin with *at = 0; false when that was all.  Not while keys are added or removed. */
bool set64_next(const struct set64 *set, uint32_t *at, uint64_t *ret_key);

#endif
