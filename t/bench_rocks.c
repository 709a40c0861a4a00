/* bench_rocks -- what plain RocksDB does with the bench's rows in this process: the ceiling beside
 * which t/bench_data.sh puts a cluster.  bench_rocks DIR [sync]: prints "writes READS" a second;
 * one thread puts one row after the other, into RocksDB's own log, synced or not; then each is got.
 */
#include <rocksdb/c.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/rdsn/stream.h"

#define ROWS      200000 /* not synced */
#define ROWS_SYNC 5000
#define KEY       34  /* bytes: two of size, hash key 16, sort key 16 */
#define VALUE     112 /* a header of 12 */

static void rocks_key(uint32_t row, char key[KEY])
{
    uint64_t mixed = (row + 1) * UINT64_C(0x9e3779b97f4a7c15);
    memset(key, '0', KEY);
    memcpy(key + 2, &mixed, sizeof mixed);
    memcpy(key + 18, &mixed, sizeof mixed);
}

static void rocks_must(char *error)
{
    if (!error)
        return;
    fprintf(stderr, "bench_rocks: %s\n", error);
    exit(1);
}

static double rocks_rate(uint32_t rows, br_time began)
{
    return rows * (double) BR_SECOND / (double) (stream_now() - began);
}

static double rocks_write(rocksdb_t *db, uint32_t rows, bool sync)
{
    char key[KEY], value[VALUE], *error = NULL;
    rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(options, sync);
    memset(value, 'v', sizeof value);
    br_time began = stream_now();
    for (uint32_t row = 0; row < rows && !error; row++) {
        rocks_key(row, key);
        rocksdb_put(db, options, key, KEY, value, VALUE, &error);
    }
    rocks_must(error);
    rocksdb_writeoptions_destroy(options);
    return rocks_rate(rows, began);
}

static double rocks_read(rocksdb_t *db, uint32_t rows)
{
    char key[KEY], *error = NULL;
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    br_time began = stream_now();
    for (uint32_t i = 0; i < rows && !error; i++) {
        rocks_key((uint32_t) (((uint64_t) i * 7919) % rows), key);
        rocksdb_pinnableslice_t *got = rocksdb_get_pinned(db, options, key, KEY, &error);
        if (got)
            rocksdb_pinnableslice_destroy(got);
    }
    rocks_must(error);
    rocksdb_readoptions_destroy(options);
    return rocks_rate(rows, began);
}

int main(int argc, char **argv)
{
    bool sync = argc > 2 && strcmp(argv[2], "sync") == 0;
    uint32_t rows = sync ? ROWS_SYNC : ROWS;
    char *error = NULL;
    if (argc < 2) {
        fputs("usage: bench_rocks DIR [sync]\n", stderr);
        return 2;
    }
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_t *db = rocksdb_open(options, argv[1], &error);
    rocks_must(error);
    double writes = rocks_write(db, rows, sync), reads = rocks_read(db, rows);
    printf("%.0f %.0f\n", writes, reads);
    rocksdb_close(db);
    rocksdb_options_destroy(options);
    return 0;
}
