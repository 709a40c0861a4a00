/* store -- one replica's data in RocksDB, laid out as Apache Pegasus lays them out
 * (src/server/rocksdb_wrapper.cpp, src/server/meta_store.cpp): the data in the default column
 * family, and beside them, in "pegasus_meta_cf", how far they go.
 *
 * RocksDB's own log is off: what is not flushed is in the replica's private log, and is put again
 * after a restart.  Both column families are flushed together, so that what is on disk and the
 * decree that says so belong together.  Expired values go away when RocksDB compacts, by the time
 * that the writes tell and not by the clock: a log that is put again finds what it found.
 *
 * Loop thread only, but for data_store_checkpoint.  Reads and writes may wait for the disk.
 */
#ifndef HOST_DATA_STORE_H
#define HOST_DATA_STORE_H

#include "host/base/buf.h"
#include "host/base/fail.h"

#define DATA_WRITE_BUFFER (4u << 20)  /* bytes of a memtable */
#define DATA_CACHE        (64u << 20) /* bytes of blocks, for all replicas of a server */
#define DATA_EXPIRED_KEPT 600         /* seconds; primaries' clocks differ by less */
#define DATA_SCANS_MAX    1024        /* unfinished scans of one replica; the oldest goes */
#define DATA_SCAN_IDLE    (5 * BR_MINUTE)

/* RocksDB's status codes, as responses carry them. */
enum {
    DATA_OK = 0,
    DATA_NOT_FOUND = 1,
    DATA_CORRUPTION = 2,
    DATA_INVALID_ARGUMENT = 4,
    DATA_IO_ERROR = 5,
    DATA_INCOMPLETE = 7,
    DATA_TRY_AGAIN = 13,
};

/* What all replicas of a server share: options and a cache of blocks.  Never NULL. */
struct data_shared;
struct data_shared *data_shared_new(void);
void data_shared_free(struct data_shared *shared); /* after all its stores; NULL: nothing */

struct data_store;

/* Open or make the database `path`; the directory above it must be there.  `shared` must outlive
 * it.  BR_CORRUPT: it is none of Pegasus's, or damaged; BR_UNSUPPORTED: of another value schema. */
br_status data_store_open(struct data_shared *shared, const char *path,
                          struct data_store **ret_store, struct fail *ret_fail);
void data_store_close(struct data_store *store); /* NULL: nothing */

/* Could it be opened, and which decree does it hold?  Nothing is made or changed.  Any thread. */
br_status data_store_look(struct data_shared *shared, const char *path, int64_t *ret_decree,
                          struct fail *ret_fail);

/* The decree up to which it was flushed when it was opened. */
int64_t data_store_flushed(const struct data_store *store);

/* How many keys, by RocksDB's estimate; -1: not known. */
int64_t data_store_estimate(const struct data_store *store);

/* -- Writing ---------------------------------------------------------------------------------- */

/* A key that was not written by anybody since data_store_open stays as it is until commit: gather,
 * then data_store_commit, all with one store.  Without a store (NULL) nothing happens. */
void data_store_put(struct data_store *store, br_bytes key, br_bytes value, uint32_t expires,
                    int64_t microseconds);
void data_store_remove(struct data_store *store, br_bytes key);

/* When the write that is gathered got its decree. */
void data_store_time(struct data_store *store, int64_t microseconds);

/* All at once, and that `decree` is the last one.  BR_DENIED: RocksDB refuses (a full disk). */
br_status data_store_commit(struct data_store *store, int64_t decree, struct fail *ret_fail);

/* -- Reading ---------------------------------------------------------------------------------- */

/* A stored value, good until data_got_free; what is gathered and not committed is not seen.
 * DATA_NOT_FOUND also where it is expired at `now`. */
struct data_got {
    br_bytes user;
    uint32_t expires;
    void *pin;
};
int32_t data_store_get(struct data_store *store, br_bytes key, uint32_t now,
                       struct data_got *ret_got);
void data_got_free(struct data_got *got);

/* A walk over the keys, over what was committed when it began.  Without a store it is at its end.
 */
struct data_walk;
struct data_walk *data_walk_new(struct data_store *store);
void data_walk_free(struct data_walk *walk);                    /* NULL: nothing */
void data_walk_seek(struct data_walk *walk, br_bytes key);      /* the first key at or behind */
void data_walk_seek_back(struct data_walk *walk, br_bytes key); /* the last key at or before */
bool data_walk_valid(const struct data_walk *walk);
void data_walk_next(struct data_walk *walk);
void data_walk_back(struct data_walk *walk);
br_bytes data_walk_key(const struct data_walk *walk); /* good until it moves */
br_bytes data_walk_value(const struct data_walk *walk);
int32_t data_walk_error(const struct data_walk *walk); /* DATA_OK, or why it ended */

/* -- Scans that go on with another request ---------------------------------------------------- */

struct data_scan {
    struct data_walk *walk; /* its own */
    br_bytes stop, hash_pattern, sort_pattern;
    bool stop_inclusive, no_value, expiry_wanted, count_only;
    int32_t hash_filter, sort_filter;
    uint32_t batch;
    struct buf memory; /* of the three */
};

/* Takes it over and gives it a name that no other scan of this server's life has. */
int64_t data_scan_keep(struct data_store *store, struct data_scan *scan, br_time now);

/* Gives it back; false: there is no such one (any more). */
bool data_scan_take(struct data_store *store, int64_t id, br_time now, struct data_scan *ret_scan);
void data_scan_done(struct data_scan *scan);

/* -- Checkpoints ------------------------------------------------------------------------------ */

/* Make the directory `dir` a database of its own that holds what is committed now, and say which
 * decree that is; everything before is flushed by it.  Any thread, one at a time.  Removes a `dir`
 * that is there. */
br_status data_store_checkpoint(struct data_store *store, const char *dir, int64_t *ret_decree,
                                struct fail *ret_fail);

/* What is committed before this call is on disk after it.  Any thread. */
br_status data_store_flush(struct data_store *store, struct fail *ret_fail);

/* Delete a database that is not open; one that is not there is no failure. */
br_status data_store_delete(struct data_shared *shared, const char *path, struct fail *ret_fail);

#endif
