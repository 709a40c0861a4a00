/* intern -- one copy of each string, in an arena.
 *
 * Strings from outside may be made to collide, so that looking for one stops after
 * INTERN_PROBES_MAX steps and the string then gets a copy of its own: compare by text, not by
 * address.
 */
#ifndef HOST_BASE_INTERN_H
#define HOST_BASE_INTERN_H

#include <stddef.h>
#include <stdint.h>

#include "host/base/arena.h"

#define INTERN_PROBES_MAX 128

struct intern_slot {
    const char *text; /* NULL: empty */
    uint32_t hash;
    uint32_t size;
};

struct intern {
    struct arena *arena; /* the copies; not owned */
    struct intern_slot *slots;
    uint32_t mask;
    uint32_t count;
};

void intern_init(struct intern *intern, struct arena *arena);
void intern_done(struct intern *intern); /* the strings stay in the arena */

/* The NUL-terminated copy of these bytes (which hold no NUL). */
const char *intern_bytes(struct intern *intern, const char *text, size_t size);

/* Where the copy of these bytes is: *place is NULL where they are new, and the caller then puts
 * its own NUL-terminated copy there before anything else.  NULL: too many collide. For whoever has
 * no arena; intern_init(intern, NULL) will do. */
const char **intern_place(struct intern *intern, const char *text, size_t size);

#endif
