/* intern -- see intern.h.  Open addressing with linear probing, at most half full. */
#include "host/base/intern.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

#define INTERN_SLOTS_FIRST 64

void intern_init(struct intern *intern, struct arena *arena)
{
    *intern = (struct intern){ .arena = arena };
}

void intern_done(struct intern *intern)
{
    free(intern->slots);
    intern_init(intern, intern->arena);
}

/* Both halves of the product, so that every bit of the word has its say in every bit that a mask
 * may leave. */
static uint64_t intern_mix(uint64_t hash, uint64_t word)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide) (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint64_t) (product >> 64) ^ (uint64_t) product;
}

static uint32_t intern_hash(const char *text, size_t size)
{
    uint64_t hash = UINT64_C(0xD6E8FEB86659FD93) + size;
    uint64_t word = 0;
    for (; size >= 8; text += 8, size -= 8) {
        memcpy(&word, text, 8);
        hash = intern_mix(hash, word);
    }
    word = 0;
    for (size_t i = 0; i < size; i++)
        word = word << 8 | (unsigned char) text[i];
    hash = intern_mix(hash, word);
    return (uint32_t) (hash ^ hash >> 32);
}

/* The slot of these bytes, the empty one where they belong, or NULL. */
static struct intern_slot *intern_slot(const struct intern *intern, uint32_t hash, const char *text,
                                       size_t size)
{
    for (uint32_t i = 0; i < INTERN_PROBES_MAX; i++) {
        struct intern_slot *slot = &intern->slots[(hash + i) & intern->mask];
        if (!slot->text)
            return slot;
        if (slot->hash == hash && slot->size == size && memcmp(slot->text, text, size) == 0)
            return slot;
    }
    return NULL;
}

static void intern_grow(struct intern *intern)
{
    struct intern_slot *old = intern->slots;
    size_t old_count = old ? (size_t) intern->mask + 1 : 0;
    size_t count = old ? old_count * 2 : INTERN_SLOTS_FIRST;
    intern->slots = mem_array(count, sizeof *intern->slots);
    intern->mask = (uint32_t) (count - 1);
    for (size_t i = 0; i < old_count; i++) {
        if (!old[i].text)
            continue;
        struct intern_slot *slot = intern_slot(intern, old[i].hash, old[i].text, old[i].size);
        if (slot)
            *slot = old[i];
    }
    free(old);
}

const char **intern_place(struct intern *intern, const char *text, size_t size)
{
    assert(size <= UINT32_MAX);
    if (!intern->slots || intern->count > intern->mask / 2)
        intern_grow(intern);
    uint32_t hash = intern_hash(text, size);
    struct intern_slot *slot = intern_slot(intern, hash, text, size);
    if (!slot)
        return NULL;
    if (!slot->text) {
        slot->hash = hash;
        slot->size = (uint32_t) size;
        intern->count++;
    }
    return &slot->text;
}

const char *intern_bytes(struct intern *intern, const char *text, size_t size)
{
    const char **place = intern_place(intern, text, size);
    if (!place)
        return arena_text(intern->arena, text, size);
    if (!*place)
        *place = arena_text(intern->arena, text, size);
    return *place;
}
