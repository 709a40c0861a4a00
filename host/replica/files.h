/* files -- the files of a replica's directory, written so that they are whole after a kill at any
 * moment: a temporary file, fsync, rename, fsync of the directory.  For the other direction see
 * inventory.h.  Blocks for as long as the disk does.
 */
#ifndef HOST_REPLICA_FILES_H
#define HOST_REPLICA_FILES_H

#include "host/base/buf.h"
#include "host/base/fail.h"
#include "host/disk/replica_dir.h"
#include "host/rdsn/codec.h"
#include <bridle/types.h>

/* Make a data directory, what is above its replicas; the parent must be there.  One that is there
 * is left as it is. */
br_status files_make_data(const char *data, struct fail *ret_fail);

/* Make an empty replica on disk: D/replica/reps/<id>.<pidx>.<type>/ with its two files, D being
 * `data`.  `named`: .app-info as 2.6 writes it.  BR_EXISTS: it is there already. */
br_status files_create(const char *data, const struct br_table *table, int32_t partition,
                       int64_t ballot, int64_t durable, bool named, struct fail *ret_fail);

/* "D/replica/reps/<id>.<pidx>.<type>", appended. */
void files_path(struct buf *buf, const char *data, int32_t table, int32_t partition,
                const char *type);

br_status files_store_table(const char *dir, const struct br_table *table, bool named,
                            struct fail *ret_fail);
br_status files_store_init(const char *dir, const struct init_info *info, struct fail *ret_fail);

/* One directory below one that is there; it may be there already. */
br_status files_make_dir(const char *path, struct fail *ret_fail);

/* Safe from a power cut once this returns. */
br_status files_rename(const char *from, const char *to, struct fail *ret_fail);

/* The files of a directory as "PREFIX/NAME" (NULL: "NAME"), in the arena; none where it cannot be
 * read.  At most FILES_LIST_MAX. */
#define FILES_LIST_MAX 65536
void files_list(const char *path, const char *prefix, struct arena *arena, struct wire_list *ret);

/* Delete a directory and the files in it, one level deep; one that is not there is no failure. */
br_status files_delete_dir(const char *path, struct fail *ret_fail);

/* Is the directory there? */
bool files_exists(const char *dir);

/* "DIR" becomes "DIR.<microseconds>.gar" (or ".err"), for somebody to look at and delete
 * (src/replica/replica_stub.cpp:on_gc_replica, move_to_err_path). */
br_status files_set_aside(const char *dir, const char *suffix, struct fail *ret_fail);

#endif
