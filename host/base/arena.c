/* arena -- see arena.h.  A chain of blocks, the newest first; what does not fit begins a new one,
 * so that at most one block's tail is lost.  Large requests go behind the block being filled.
 */
#include "host/base/arena.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

#define ARENA_BLOCK_DEFAULT ((size_t) 64 << 10)
#define ARENA_ALIGN         8

struct arena_block {
    struct arena_block *next;
    size_t size; /* of data */
    size_t used;
    _Alignas(ARENA_ALIGN) unsigned char data[];
};

void arena_init(struct arena *arena, size_t block_size)
{
    *arena = (struct arena){ .block_size = block_size ? block_size : ARENA_BLOCK_DEFAULT };
}

void arena_done(struct arena *arena)
{
    struct arena_block *block = arena->block;
    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    arena_init(arena, arena->block_size);
}

void arena_clear(struct arena *arena)
{
    struct arena_block *block = arena->block;
    if (!block)
        return;
    struct arena rest = { .block = block->next };
    arena_done(&rest);
    block->next = NULL;
    block->used = 0;
    arena->used = 0;
    arena->held = sizeof *block + block->size;
}

static struct arena_block *arena_block_new(struct arena *arena, size_t size)
{
    size_t total = sizeof(struct arena_block) + size;
    struct arena_block *block = mem_grow(NULL, total);
    *block = (struct arena_block){ .size = size };
    arena->held += total;
    return block;
}

/* A block of its own, put behind the one being filled. */
static void *arena_alloc_large(struct arena *arena, size_t size)
{
    struct arena_block *block = arena_block_new(arena, size);
    block->used = size;
    if (arena->block) {
        block->next = arena->block->next;
        arena->block->next = block;
    } else {
        arena->block = block;
    }
    return block->data;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    assert(size < SIZE_MAX / 2);
    size = (size + ARENA_ALIGN - 1) & ~(size_t) (ARENA_ALIGN - 1);
    arena->used += size;
    struct arena_block *block = arena->block;
    if (!block || block->size - block->used < size) {
        if (size > arena->block_size / 4)
            return arena_alloc_large(arena, size);
        block = arena_block_new(arena, arena->block_size);
        block->next = arena->block;
        arena->block = block;
    }
    void *memory = block->data + block->used;
    block->used += size;
    return memory;
}

void *arena_zero(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

char *arena_text(struct arena *arena, const char *text, size_t size)
{
    char *copy = arena_alloc(arena, size + 1);
    if (size)
        memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

/* The adopted blocks go behind ours: ours is still being filled. */
void arena_adopt(struct arena *to, struct arena *from)
{
    assert(to != from);
    struct arena_block **link = &to->block;
    if (*link)
        link = &(*link)->next;
    struct arena_block *rest = *link;
    *link = from->block;
    while (*link)
        link = &(*link)->next;
    *link = rest;
    to->used += from->used;
    to->held += from->held;
    arena_init(from, from->block_size);
}

bool arena_holds(const struct arena *arena, const void *data, size_t size)
{
    const uintptr_t at = (uintptr_t) data;
    for (const struct arena_block *block = arena->block; block; block = block->next) {
        const uintptr_t start = (uintptr_t) block->data;
        if (at >= start && at - start <= block->used && size <= block->used - (at - start))
            return true;
    }
    return false;
}
