/* store -- see store.h. */
#include "host/data/store.h"

#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/mem.h"
#include "host/base/number.h"
#include "host/data/key.h"
#include "host/data/store_run.h"

#define STORE_META          "pegasus_meta_cf"
#define STORE_DATA_VERSION  "pegasus_data_version"
#define STORE_FLUSHED       "pegasus_last_flushed_decree"
#define STORE_SCHEMA        1
#define STORE_FAMILIES      2
#define STORE_INFO_LOGS_MAX 2

static const char *const store_families[STORE_FAMILIES] = { "default", STORE_META };

/* -- Options ---------------------------------------------------------------------------------- */

/* In RocksDB's threads: values that expired long ago are not carried on. */
static unsigned char store_filter(void *state, int level, const char *key, size_t key_size,
                                  const char *value, size_t value_size, char **new_value,
                                  size_t *new_value_size, unsigned char *changed)
{
    (void) level, (void) key, (void) key_size;
    (void) new_value, (void) new_value_size, (void) changed;
    const struct data_store *store = state;
    uint32_t clock = atomic_load_explicit(&store->clock, memory_order_relaxed);
    return clock > DATA_EXPIRED_KEPT
           && data_expired(data_value_expires((br_bytes){ value, value_size }),
                           clock - DATA_EXPIRED_KEPT);
}

static void store_filter_state_free(void *state)
{
    (void) state;
}

static const char *store_filter_name(void *state)
{
    (void) state;
    return "expired";
}

struct data_shared *data_shared_new(void)
{
    struct data_shared *shared = mem_new(sizeof *shared);
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    shared->cache = rocksdb_cache_create_lru(DATA_CACHE);
    rocksdb_block_based_options_set_block_cache(table, shared->cache);
    rocksdb_block_based_options_set_filter_policy(table,
                                                  rocksdb_filterpolicy_create_bloom_full(10));
    for (int i = 0; i < STORE_FAMILIES; i++) {
        rocksdb_options_t *options = rocksdb_options_create();
        rocksdb_options_set_create_if_missing(options, 1);
        rocksdb_options_set_create_missing_column_families(options, 1);
        rocksdb_options_set_atomic_flush(options, 1);
        rocksdb_options_set_write_buffer_size(options, DATA_WRITE_BUFFER);
        rocksdb_options_set_keep_log_file_num(options, STORE_INFO_LOGS_MAX);
        rocksdb_options_set_block_based_table_factory(options, table);
        shared->options[i] = options;
    }
    rocksdb_options_set_compression(shared->options[0], rocksdb_lz4_compression);
    rocksdb_block_based_options_destroy(table);
    shared->read = rocksdb_readoptions_create();
    shared->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(shared->write, 1);
    return shared;
}

void data_shared_free(struct data_shared *shared)
{
    if (!shared)
        return;
    for (int i = 0; i < STORE_FAMILIES; i++)
        rocksdb_options_destroy(shared->options[i]);
    rocksdb_cache_destroy(shared->cache);
    rocksdb_readoptions_destroy(shared->read);
    rocksdb_writeoptions_destroy(shared->write);
    free(shared);
}

/* -- Opening ---------------------------------------------------------------------------------- */

/* Takes what RocksDB said. */
static br_status store_failed(char *error, const char *what, br_status status,
                              struct fail *ret_fail)
{
    fail_set(ret_fail, status, "%s: RocksDB says: %s", what, error);
    rocksdb_free(error);
    return status;
}

/* A number of the column family of facts; -1: it is not there, or is none. */
static int64_t store_fact(rocksdb_t *db, const rocksdb_readoptions_t *read,
                          rocksdb_column_family_handle_t *meta, const char *name)
{
    char *error = NULL;
    size_t size = 0;
    int64_t number = -1;
    char *text = rocksdb_get_cf(db, read, meta, name, strlen(name), &size, &error);
    if (error)
        rocksdb_free(error);
    else if (text && !number_i64(text, size, &number))
        number = -1;
    if (text)
        rocksdb_free(text);
    return number;
}

static br_status store_put_facts(struct data_store *store, struct fail *ret_fail)
{
    char *error = NULL;
    rocksdb_put_cf(store->db, store->shared->write, store->families[1], STORE_DATA_VERSION,
                   strlen(STORE_DATA_VERSION), "1", 1, &error);
    if (!error)
        rocksdb_put_cf(store->db, store->shared->write, store->families[1], STORE_FLUSHED,
                       strlen(STORE_FLUSHED), "0", 1, &error);
    return error ? store_failed(error, store->path, BR_DENIED, ret_fail) : BR_OK;
}

static br_status store_judge(const char *path, int64_t schema, int64_t flushed,
                             struct fail *ret_fail)
{
    if (schema != STORE_SCHEMA)
        return fail_set(ret_fail, BR_UNSUPPORTED,
                        "%s: its values are of schema %lld, and only %d is known", path,
                        (long long) schema, STORE_SCHEMA);
    if (flushed < 0)
        return fail_set(ret_fail, BR_CORRUPT, "%s: %s is missing or no number", path,
                        STORE_FLUSHED);
    return BR_OK;
}

/* A new database says so; an old one is of our value schema. */
static br_status store_facts(struct data_store *store, struct fail *ret_fail)
{
    const rocksdb_readoptions_t *read = store->shared->read;
    int64_t schema = store_fact(store->db, read, store->families[1], STORE_DATA_VERSION);
    store->flushed = store_fact(store->db, read, store->families[1], STORE_FLUSHED);
    if (schema == -1 && store->flushed == -1) {
        struct data_walk *walk = data_walk_new(store);
        data_walk_seek(walk, (br_bytes){ "", 0 });
        bool empty = !data_walk_valid(walk);
        data_walk_free(walk);
        store->flushed = 0;
        if (empty)
            return store_put_facts(store, ret_fail);
    }
    return store_judge(store->path, schema, store->flushed, ret_fail);
}

br_status data_store_open(struct data_shared *shared, const char *path,
                          struct data_store **ret_store, struct fail *ret_fail)
{
    struct data_store *store = mem_new(sizeof *store);
    struct timespec now;
    char *error = NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    store->shared = shared;
    store->path = mem_text(path);
    store->next_scan = ((int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000) << 8;
    store->batch = rocksdb_writebatch_create();
    TAILQ_INIT(&store->scans);
    store->options = rocksdb_options_create_copy(shared->options[0]);
    store->filter = rocksdb_compactionfilter_create(store, store_filter_state_free, store_filter,
                                                    store_filter_name);
    rocksdb_options_set_compaction_filter(store->options, store->filter);
    store->db = rocksdb_open_column_families(
        store->options, path, STORE_FAMILIES, store_families,
        (const rocksdb_options_t *const[]){ store->options, shared->options[1] }, store->families,
        &error);
    br_status status = error ? store_failed(error, path, BR_CORRUPT, ret_fail) : BR_OK;
    if (!status)
        status = store_facts(store, ret_fail);
    if (status) {
        data_store_close(store);
        store = NULL;
    }
    *ret_store = store;
    return status;
}

void data_store_close(struct data_store *store)
{
    struct kept_scan *scan;
    if (!store)
        return;
    while ((scan = TAILQ_FIRST(&store->scans)))
        data_scan_forget(store, scan);
    for (int i = 0; store->db && i < STORE_FAMILIES; i++)
        rocksdb_column_family_handle_destroy(store->families[i]);
    if (store->db)
        rocksdb_close(store->db);
    rocksdb_options_destroy(store->options);
    rocksdb_compactionfilter_destroy(store->filter);
    rocksdb_writebatch_destroy(store->batch);
    free(store->path);
    free(store);
}

int64_t data_store_flushed(const struct data_store *store)
{
    return store->flushed;
}

int64_t data_store_estimate(const struct data_store *store)
{
    uint64_t number;
    if (rocksdb_property_int_cf(store->db, store->families[0], "rocksdb.estimate-num-keys", &number)
        != 0)
        return -1;
    return (int64_t) number;
}

/* -- Writing ---------------------------------------------------------------------------------- */

void data_store_put(struct data_store *store, br_bytes key, br_bytes value, uint32_t expires,
                    int64_t microseconds)
{
    uint8_t header[DATA_VALUE_HEADER];
    if (!store)
        return;
    data_value_header(header, expires, microseconds);
    const char *const keys[1] = { key.data };
    const char *const values[2] = { (const char *) header, value.size ? value.data : "" };
    rocksdb_writebatch_putv_cf(store->batch, store->families[0], 1, keys, &key.size, 2, values,
                               (const size_t[2]){ sizeof header, value.size });
}

void data_store_remove(struct data_store *store, br_bytes key)
{
    if (store)
        rocksdb_writebatch_delete_cf(store->batch, store->families[0], key.data, key.size);
}

void data_store_time(struct data_store *store, int64_t microseconds)
{
    if (store)
        atomic_store_explicit(&store->clock, data_seconds(microseconds), memory_order_relaxed);
}

br_status data_store_commit(struct data_store *store, int64_t decree, struct fail *ret_fail)
{
    char text[24];
    char *error = NULL;
    if (!store)
        return BR_OK;
    int size = snprintf(text, sizeof text, "%lld", (long long) decree);
    rocksdb_writebatch_put_cf(store->batch, store->families[1], STORE_FLUSHED,
                              sizeof STORE_FLUSHED - 1, text, (size_t) size);
    rocksdb_write(store->db, store->shared->write, store->batch, &error);
    rocksdb_writebatch_clear(store->batch);
    return error ? store_failed(error, store->path, BR_DENIED, ret_fail) : BR_OK;
}

/* -- Reading ---------------------------------------------------------------------------------- */

int32_t data_store_get(struct data_store *store, br_bytes key, uint32_t now,
                       struct data_got *ret_got)
{
    char *error = NULL;
    *ret_got = (struct data_got){ .pin = NULL };
    if (!store)
        return DATA_NOT_FOUND;
    rocksdb_pinnableslice_t *pin = rocksdb_get_pinned_cf(
        store->db, store->shared->read, store->families[0], key.data, key.size, &error);
    if (error) {
        rocksdb_free(error);
        return DATA_IO_ERROR;
    }
    if (!pin)
        return DATA_NOT_FOUND;
    br_bytes stored;
    stored.data = rocksdb_pinnableslice_value(pin, &stored.size);
    *ret_got = (struct data_got){ data_value_user(stored), data_value_expires(stored), pin };
    if (!data_expired(ret_got->expires, now))
        return DATA_OK;
    data_got_free(ret_got);
    return DATA_NOT_FOUND;
}

void data_got_free(struct data_got *got)
{
    if (got->pin)
        rocksdb_pinnableslice_destroy(got->pin);
    *got = (struct data_got){ .pin = NULL };
}

/* -- Walking ---------------------------------------------------------------------------------- */

struct data_walk *data_walk_new(struct data_store *store)
{
    struct data_walk *walk = mem_new(sizeof *walk);
    if (store)
        walk->iterator =
            rocksdb_create_iterator_cf(store->db, store->shared->read, store->families[0]);
    return walk;
}

void data_walk_free(struct data_walk *walk)
{
    if (walk && walk->iterator)
        rocksdb_iter_destroy(walk->iterator);
    free(walk);
}

void data_walk_seek(struct data_walk *walk, br_bytes key)
{
    if (walk->iterator)
        rocksdb_iter_seek(walk->iterator, key.data, key.size);
}

void data_walk_seek_back(struct data_walk *walk, br_bytes key)
{
    if (walk->iterator)
        rocksdb_iter_seek_for_prev(walk->iterator, key.data, key.size);
}

bool data_walk_valid(const struct data_walk *walk)
{
    return walk->iterator && rocksdb_iter_valid(walk->iterator);
}

void data_walk_next(struct data_walk *walk)
{
    rocksdb_iter_next(walk->iterator);
}

void data_walk_back(struct data_walk *walk)
{
    rocksdb_iter_prev(walk->iterator);
}

br_bytes data_walk_key(const struct data_walk *walk)
{
    br_bytes key;
    key.data = rocksdb_iter_key(walk->iterator, &key.size);
    return key;
}

br_bytes data_walk_value(const struct data_walk *walk)
{
    br_bytes value;
    value.data = rocksdb_iter_value(walk->iterator, &value.size);
    return value;
}

int32_t data_walk_error(const struct data_walk *walk)
{
    char *error = NULL;
    if (walk->iterator)
        rocksdb_iter_get_error(walk->iterator, &error);
    if (!error)
        return DATA_OK;
    rocksdb_free(error);
    return DATA_IO_ERROR;
}

/* -- Checkpoints ------------------------------------------------------------------------------ */

br_status data_store_look(struct data_shared *shared, const char *path, int64_t *ret_decree,
                          struct fail *ret_fail)
{
    rocksdb_column_family_handle_t *families[STORE_FAMILIES];
    char *error = NULL;
    rocksdb_t *db = rocksdb_open_for_read_only_column_families(
        shared->options[0], path, STORE_FAMILIES, store_families,
        (const rocksdb_options_t *const *) shared->options, families, 0, &error);
    if (error)
        return store_failed(error, path, BR_CORRUPT, ret_fail);
    int64_t schema = store_fact(db, shared->read, families[1], STORE_DATA_VERSION);
    *ret_decree = store_fact(db, shared->read, families[1], STORE_FLUSHED);
    for (int i = 0; i < STORE_FAMILIES; i++)
        rocksdb_column_family_handle_destroy(families[i]);
    rocksdb_close(db);
    return store_judge(path, schema, *ret_decree, ret_fail);
}

/* Everything is flushed by it, of both column families at once. */
static br_status store_copy(struct data_store *store, const char *dir, struct fail *ret_fail)
{
    char *error = NULL;
    br_status status = data_store_delete(store->shared, dir, ret_fail);
    if (status)
        return status;
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(store->db, &error);
    if (error)
        return store_failed(error, store->path, BR_DENIED, ret_fail);
    rocksdb_checkpoint_create(checkpoint, dir, 0, &error);
    rocksdb_checkpoint_object_destroy(checkpoint);
    return error ? store_failed(error, dir, BR_DENIED, ret_fail) : BR_OK;
}

br_status data_store_checkpoint(struct data_store *store, const char *dir, int64_t *ret_decree,
                                struct fail *ret_fail)
{
    br_status status = store_copy(store, dir, ret_fail);
    return status ? status : data_store_look(store->shared, dir, ret_decree, ret_fail);
}

/* By a copy (of links) that goes again: rocksdb_flush_cf flushes the one column family that it is
 * given, atomic_flush or not, and this RocksDB's C interface has no call that takes several. */
br_status data_store_flush(struct data_store *store, struct fail *ret_fail)
{
    struct buf dir = { 0 };
    buf_printf(&dir, "%s.flush", store->path);
    br_status status = store_copy(store, dir.data, ret_fail);
    if (!status)
        status = data_store_delete(store->shared, dir.data, ret_fail);
    buf_done(&dir);
    return status;
}

br_status data_store_delete(struct data_shared *shared, const char *path, struct fail *ret_fail)
{
    char *error = NULL;
    rocksdb_destroy_db(shared->options[0], path, &error);
    return error ? store_failed(error, path, BR_DENIED, ret_fail) : BR_OK;
}
