/* plog_dir -- a directory of private logs, from its first file to its last: at the start of a
 * replica, and for whoever wants to know which files may go.  Blocks for as long as the disk does;
 * reads only.
 */
#ifndef HOST_DISK_PLOG_DIR_H
#define HOST_DISK_PLOG_DIR_H

#include "host/disk/plog.h"

#define PLOG_DIR_FILES_MAX 4096

struct plog_file {
    struct plog_name name;
    int64_t size; /* bytes on disk; more than end_offset - start_offset: the rest was cut short */
    int64_t end_offset;        /* behind the last whole block */
    struct plog_origin origin; /* of its head; zero where that says nothing about the replica */
    int64_t max_decree;        /* of its mutations; 0: there is none */
};

struct plog_dir {
    struct plog_file *files; /* by index */
    size_t count;
    int64_t mutations;
    int64_t max_decree; /* of all mutations that were seen; 0: of none */
    int64_t max_ballot;
    int64_t max_committed; /* the highest last_committed_decree */
    struct plog_name next; /* the file that a server begins now, with O_TRUNC: one whose head was
                              cut short has this very name */
};

/* A mutation, in the order of the log; whatever is not BR_OK ends the reading with that status, the
 * file and the offset being put before the sentence.  `updates` live for this call. */
typedef br_status plog_replay_fn(void *context, const struct mutation_header *header,
                                 br_bytes updates, struct fail *ret_fail);

/* Read the log of one replica (src/replica/mutation_log.cpp:open, mutation_log_utils.cpp).  Names
 * that are no plog_name are passed over.  A file may be cut short in its last block if the next
 * one begins where the last whole block ended, or if there is no next one; only of the last file
 * may the head be cut short, and then the file is not in ret_dir.
 *
 * Failures: BR_NOTFOUND: the directory is not there.  BR_DENIED: it or a file cannot be read.
 * BR_TOOBIG: over a limit.  BR_CORRUPT: an index or bytes between two files are missing, a file is
 * damaged, or has a mutation of another replica.  The callback has had everything before that then,
 * but nothing of the block.  ret_dir is to be freed in any case.
 *
 * An empty directory's next file is log.1.0. */
br_status plog_dir_read(const char *path, struct gpid pid, plog_replay_fn *replay, void *context,
                        struct plog_dir *ret_dir, struct fail *ret_fail);

/* The same without the files that hold nothing above `durable` as the head of a later one says,
 * which a server does not read either (src/replica/mutation_log.cpp:open); -1: all of them. */
br_status plog_dir_read_above(const char *path, struct gpid pid, int64_t durable,
                              plog_replay_fn *replay, void *context, struct plog_dir *ret_dir,
                              struct fail *ret_fail);

void plog_dir_done(struct plog_dir *dir);

#endif
