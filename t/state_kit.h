/* state_kit -- a cluster as it is served, without a meta server around it: what the suites of
 * host/meta's inner parts share.
 */
#ifndef T_STATE_KIT_H
#define T_STATE_KIT_H

#include "host/meta/meta.h"
#include "t/test.h"

/* Loop-less: for what only looks at the state and the configuration. */
struct kit {
    struct meta meta;
    struct config config;
    struct log log;
};

extern struct kit kit;

void kit_setup(void);
void kit_teardown(void);

/* Nodes "10.0.0.1:34801" and so on, alive, and they have synced; their indexes begin at 0. */
void kit_nodes(int count);

/* An available table of this id; as newly created. */
int32_t kit_table(int32_t id, int32_t partitions, int32_t replicas);

/* A partition's record; lists end with -1. */
void kit_partition(struct gpid pid, int64_t ballot, int32_t primary, const int32_t *secondaries,
                   const int32_t *drops);

/* The same numbers on every run. */
uint64_t kit_random(uint64_t *seed);

/* A whole table: groups of distinct nodes among the first `used`. */
void kit_fill(int32_t id, int32_t partitions, int32_t replicas, int used, uint64_t *seed);

/* The first table's. */
void kit_status(int32_t status);

/* Everything that is derived from the records is what counting them again gives. */
void kit_check(void);

TCase *state_cure_cases(void);
TCase *state_detector_cases(void);
TCase *balance_turn_cases(void);
TCase *balance_live_cases(void);

#endif
