/* keys -- see keys.h. */
#include "host/bench/keys.h"

#include <string.h>

#define KEYS_NUMBER 8 /* bytes of a key that are its number */
#define KEYS_ROUNDS 4

/* splitmix64 (Steele, Lea, Flood 2014), of the state `x`. */
static uint64_t keys_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Number k of a seed; seeds are mixed first, so that neighbouring ones share nothing. */
static uint64_t keys_random(uint64_t seed, uint64_t k)
{
    return keys_mix(keys_mix(seed) + k * UINT64_C(0x9e3779b97f4a7c15));
}

bool keys_differ(uint32_t hash_size, uint64_t count)
{
    return hash_size >= KEYS_NUMBER || (count - 1) >> (8 * hash_size) == 0;
}

/* A Feistel network over the next even number of bits is a permutation; what falls beyond `count`
 * is put through it again until it does not, which leaves a permutation of what is below. */
uint64_t keys_shuffled(const struct keys *keys, uint64_t at)
{
    uint32_t half = 1;
    while (half < 32 && (keys->count - 1) >> (2 * half) != 0)
        half++;
    uint64_t mask = (UINT64_C(1) << half) - 1;
    do {
        uint64_t left = at >> half, right = at & mask;
        for (uint64_t round = 1; round <= KEYS_ROUNDS; round++) {
            uint64_t next = left ^ (keys_random(keys->seed + round, right) & mask);
            left = right;
            right = next;
        }
        at = left << half | right;
    } while (at >= keys->count);
    return at;
}

static br_bytes keys_fill(char *room, uint32_t size, uint64_t number, bool big_endian)
{
    uint32_t bytes = size < KEYS_NUMBER ? size : KEYS_NUMBER;
    memset(room, '0', size);
    for (uint32_t i = 0; i < bytes; i++)
        room[i] = (char) (number >> (8 * (big_endian ? bytes - 1 - i : i)));
    return (br_bytes){ room, size };
}

struct table_key keys_key(const struct keys *keys, uint64_t number, char *room)
{
    if (keys->kind == KEYS_SEQUENTIAL)
        return (struct table_key){ .hash = keys_fill(room, keys->hash_size, number, true),
                                   .sort = { room, 0 } };
    return (struct table_key){
        .hash = keys_fill(room, keys->hash_size, keys_random(keys->seed, 2 * number), false),
        .sort = keys_fill(room + keys->hash_size, keys->sort_size,
                          keys_random(keys->seed, 2 * number + 1), false),
    };
}

/* FNV-1a, the size included: no two splits of the same bytes are alike. */
static uint64_t keys_digest(uint64_t digest, br_bytes bytes)
{
    const unsigned char *data = bytes.data;
    for (size_t i = 0; i < bytes.size; i++)
        digest = (digest ^ data[i]) * UINT64_C(0x100000001b3);
    return (digest ^ bytes.size) * UINT64_C(0x100000001b3);
}

br_bytes keys_value(const struct keys *keys, const struct table_key *key, char *room)
{
    uint64_t digest = keys_digest(UINT64_C(0xcbf29ce484222325), key->hash);
    digest = keys_digest(digest, key->sort) ^ keys_mix(keys->seed);
    for (uint32_t at = 0; at < keys->value_size; at += KEYS_NUMBER) {
        uint32_t left = keys->value_size - at;
        keys_fill(room + at, left < KEYS_NUMBER ? left : KEYS_NUMBER,
                  keys_random(digest, at / KEYS_NUMBER), false);
    }
    return (br_bytes){ room, keys->value_size };
}
