/* replica_dir -- Pegasus's on-disk formats that tell what a replica server holds
 * (src/replica/replica_stub.cpp, src/replica/replication_app_base.cpp): directory names, .app-info,
 * .init-info.
 */
#ifndef HOST_DISK_REPLICA_DIR_H
#define HOST_DISK_REPLICA_DIR_H

#include "host/base/arena.h"
#include "host/base/buf.h"
#include "host/base/fail.h"

#define APP_INFO_MAX  (1 << 20) /* bytes of a file */
#define INIT_INFO_MAX 4096

/* "<app_id>.<pidx>.<app_type>", the type non-empty and possibly with dots. */
struct replica_name {
    int32_t table;
    int32_t partition;
    const char *type; /* points into the name */
};

bool replica_name_parse(const char *name, struct replica_name *ret_name);

/* What a directory's suffix says about it (src/replica/disk_cleaner.cpp). */
enum replica_suffix {
    REPLICA_LIVE = 0,
    REPLICA_ERR,     /* .err: failed to load; skipped */
    REPLICA_GARBAGE, /* .gar */
    REPLICA_BACKUP,  /* .bak */
    REPLICA_ORIGIN,  /* .ori */
    REPLICA_TEMP,    /* .tmp */
};
enum replica_suffix replica_suffix(const char *name);

/* .app-info: eight bytes of magic, then app_info in Thrift JSON.  Unknown fields are skipped,
 * missing ones tolerated.  Strings go to the arena; table->node is left -1. */
br_status app_info_decode(struct arena *arena, br_bytes bytes, struct br_table *ret_table,
                          struct fail *ret_fail);

/* Append the file as Pegasus 2.5 (fields 1 to 14) or, with `atomic_idempotent`, 2.6 writes it:
 * of the environments only rocksdb.allow_ingest_behind is kept. */
void app_info_encode(const struct br_table *table, bool atomic_idempotent, struct buf *buf);

struct init_info {
    int64_t ballot;
    int64_t durable;
    int64_t offset_in_shared_log;
    int64_t offset_in_private_log;
};

br_status init_info_decode(br_bytes bytes, struct init_info *ret_info, struct fail *ret_fail);
void init_info_encode(const struct init_info *info, struct buf *buf);

#endif
