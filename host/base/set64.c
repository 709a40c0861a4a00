/* set64 -- linear probing; a removal moves back what stood behind it. */
#include "host/base/set64.h"

#include <assert.h>
#include <stdlib.h>

#include "host/base/mem.h"

#define SET64_FIRST 8 /* slots */

/* murmur3's finaliser: keys are small numbers side by side. */
static uint32_t set64_home(const struct set64 *set, uint64_t key)
{
    key ^= key >> 33;
    key *= UINT64_C(0xff51afd7ed558ccd);
    key ^= key >> 33;
    key *= UINT64_C(0xc4ceb9fe1a85ec53);
    key ^= key >> 33;
    return (uint32_t) key & set->mask;
}

/* Where the key is, or the empty slot where it belongs. */
static uint32_t set64_slot(const struct set64 *set, uint64_t key)
{
    uint32_t slot = set64_home(set, key);
    while (set->keys[slot] != SET64_NONE && set->keys[slot] != key)
        slot = (slot + 1) & set->mask;
    return slot;
}

void set64_done(struct set64 *set)
{
    free(set->keys);
    *set = (struct set64){ 0 };
}

static void set64_grow(struct set64 *set)
{
    struct set64 old = *set;
    size_t slots = old.keys ? ((size_t) old.mask + 1) * 2 : SET64_FIRST;
    assert(slots <= (size_t) UINT32_MAX / 2 + 1);
    set->keys = mem_array(slots, sizeof *set->keys);
    set->mask = (uint32_t) (slots - 1);
    for (size_t i = 0; i < slots; i++)
        set->keys[i] = SET64_NONE;
    uint32_t at = 0;
    uint64_t key;
    while (set64_next(&old, &at, &key))
        set->keys[set64_slot(set, key)] = key;
    free(old.keys);
}

bool set64_add(struct set64 *set, uint64_t key)
{
    assert(key != SET64_NONE);
    if (!set->keys || set->count > set->mask / 2)
        set64_grow(set);
    uint32_t slot = set64_slot(set, key);
    if (set->keys[slot] == key)
        return false;
    set->keys[slot] = key;
    set->count++;
    return true;
}

bool set64_remove(struct set64 *set, uint64_t key)
{
    if (!set->keys)
        return false;
    uint32_t hole = set64_slot(set, key);
    if (set->keys[hole] != key)
        return false;
    uint32_t at = hole;
    for (;;) {
        at = (at + 1) & set->mask;
        if (set->keys[at] == SET64_NONE)
            break;
        /* It may move into the hole unless its home lies behind the hole. */
        uint32_t home = set64_home(set, set->keys[at]);
        if (((at - home) & set->mask) >= ((at - hole) & set->mask)) {
            set->keys[hole] = set->keys[at];
            hole = at;
        }
    }
    set->keys[hole] = SET64_NONE;
    set->count--;
    return true;
}

bool set64_has(const struct set64 *set, uint64_t key)
{
    return set->keys && set->keys[set64_slot(set, key)] == key;
}

bool set64_next(const struct set64 *set, uint32_t *at, uint64_t *ret_key)
{
    while (set->keys && *at <= set->mask) {
        uint64_t key = set->keys[(*at)++];
        if (key != SET64_NONE) {
            *ret_key = key;
            return true;
        }
    }
    return false;
}
