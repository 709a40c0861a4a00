/* arena -- many small things with one lifetime: allocate by moving a pointer, free all at once.
 *
 * Not thread-safe.  Memory is aligned to 8 bytes and not zeroed.
 */
#ifndef HOST_BASE_ARENA_H
#define HOST_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *block; /* the one being filled; older ones behind it */
    size_t block_size;
    size_t used; /* bytes handed out, rounding included */
    size_t held; /* bytes taken from the system */
};

/* block_size 0: 64 KiB.  A request larger than a block gets a block of its own. */
void arena_init(struct arena *arena, size_t block_size);
void arena_done(struct arena *arena);

/* Empty again, with one block kept for the next use. */
void arena_clear(struct arena *arena);

void *arena_alloc(struct arena *arena, size_t size);
void *arena_zero(struct arena *arena, size_t size);

/* A NUL-terminated copy. */
char *arena_text(struct arena *arena, const char *text, size_t size);

/* Do these bytes lie in what the arena handed out? */
bool arena_holds(const struct arena *arena, const void *data, size_t size);

/* `to` takes over everything that `from` holds; `from` is empty afterwards. */
void arena_adopt(struct arena *to, struct arena *from);

#endif
