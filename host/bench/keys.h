/* keys -- the keys and values of a bench: the same for the same options, without a table of them.
 *
 * Two kinds of keys.  SEQUENTIAL ones are Pegasus's fillseq of old (until 2019,
 * src/test/bench_test/pegasus_bench.cpp): the number 0, 1, 2 ... as big-endian bytes, at most 8,
 * filled up with '0' to the hash key's size; no sort key.  RANDOM ones are its fillrandom of today
 * (src/test/bench_test/benchmark.cpp:generate_kv_pair): hash key and sort key are 8 random
 * little-endian bytes each, filled up with '0' or cut.
 *
 * The random numbers are not Pegasus's (std::ranlux48_base): any of a seed's can be made by its
 * number alone, from splitmix64.  A value is as many random bytes as asked for, decided by seed,
 * hash key and sort key, whatever kind of key that is.
 */
#ifndef HOST_BENCH_KEYS_H
#define HOST_BENCH_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "host/rdsn/table_client.h"

enum keys_kind { KEYS_SEQUENTIAL = 1, KEYS_RANDOM };

struct keys {
    enum keys_kind kind;
    uint64_t seed;
    uint64_t count; /* keys are 0 .. count - 1 */
    uint32_t hash_size, sort_size, value_size;
};

/* Whether sequential keys of so many bytes are all different. */
bool keys_differ(uint32_t hash_size, uint64_t count);

/* What stands at place `at` when all numbers below `count` are put into an order that the seed
 * decides: each stands at one place. */
uint64_t keys_shuffled(const struct keys *keys, uint64_t at);

/* Key `number`, in hash_size + sort_size bytes at `room`. */
struct table_key keys_key(const struct keys *keys, uint64_t number, char *room);

/* Its value, in value_size bytes at `room`. */
br_bytes keys_value(const struct keys *keys, const struct table_key *key, char *room);

#endif
