/* load -- what load.c (the clients), load_options.c and load_track.c (what was acknowledged)
 * share.
 *
 * The record of what was acknowledged: for every partition the highest decree of a write that is
 * done, and for every key the number of the last write that is done and of the last one begun.  As
 * a file it outlives a run (--track), so that the next one goes on with it and --verify can read
 * everything back.
 *
 * Decrees: a write that begins after another one of its partition was acknowledged must get a
 * higher decree.  Writes under way at the same time may share one: a primary puts several into one
 * mutation (src/replica/mutation.cpp:mutation_queue::add_work).
 */
#ifndef T_LOAD_H
#define T_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "host/base/fail.h"
#include "host/rdsn/table_client.h"

#define LOAD_PARTITIONS_MAX 65536
#define LOAD_KEYS_MAX       10000000
#define LOAD_INFLIGHT_MAX   TABLE_CLIENT_OPERATIONS_MAX
#define LOAD_VALUE_MAX      (1 << 20)

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
    char *metas_text;
    const char *metas[TABLE_CLIENT_METAS_MAX];
    uint32_t meta_count;
    const char *table, *until_file, *track, *json;
    int64_t inflight, keys, read_percent, value_size, timeout_ms, seed, seconds;
    bool strict, verify, quiet;
};

/* Defaults, then what the command line says.  -1: go on; else the exit status. */
int options_read(struct options *options, int argc, char **argv);

struct load_partition {
    int64_t decree;      /* the highest acknowledged; -1: none */
    uint64_t ok;         /* operations of this run */
    br_time last;        /* when one last succeeded; 0: not yet */
    br_time longest_gap; /* without a success */
};

struct load_key {
    uint32_t begun; /* the number of the last write */
    uint32_t done;  /* and of the last acknowledged one; 0: none */
    bool busy;      /* an operation is under way */
};

struct track {
    int32_t app_id; /* 0: not known */
    struct load_partition *partitions;
    int32_t partition_count;
    struct load_key *keys;
    uint32_t key_count;
};

/* Room for the partitions below `count`. */
void track_grow(struct track *track, int32_t count);

/* Read a file; a file that is not there is an empty record.  Keys beyond key_count are an error. */
br_status track_read(struct track *track, const char *path, struct fail *ret_fail);

/* Replace the file. */
br_status track_write(const struct track *track, const char *path, struct fail *ret_fail);

void track_done(struct track *track);

#endif
