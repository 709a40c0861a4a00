/* store_run -- what store.c and scan.c share.  Private to host/data. */
#ifndef HOST_DATA_STORE_RUN_H
#define HOST_DATA_STORE_RUN_H

#include <rocksdb/c.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "host/data/store.h"

struct data_shared {
    rocksdb_options_t *options[2]; /* of the data, of the facts */
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read;
    rocksdb_writeoptions_t *write;
};

struct kept_scan {
    TAILQ_ENTRY(kept_scan) link; /* the one used longest ago first */
    int64_t id;
    br_time used;
    struct data_scan scan;
};

TAILQ_HEAD(kept_scans, kept_scan);

struct data_store {
    struct data_shared *shared;
    rocksdb_options_t *options; /* of the data, with a filter of its own */
    rocksdb_compactionfilter_t *filter;
    _Atomic uint32_t clock; /* data_store_time, for the filter */
    rocksdb_t *db;
    rocksdb_column_family_handle_t *families[2];
    rocksdb_writebatch_t *batch;
    char *path;
    int64_t flushed;
    struct kept_scans scans;
    uint32_t scan_count;
    int64_t next_scan;
};

struct data_walk {
    rocksdb_iterator_t *iterator;
};

void data_scan_forget(struct data_store *store, struct kept_scan *kept);

#endif
