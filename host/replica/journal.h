/* journal -- the private log of one replica, as it is written: every prepared mutation, before
 * anybody is told that it is prepared.  The format is disk/plog.h.
 *
 * A written mutation outlives the process; the loss of power only once its file was synced
 * (syncer.h).  Loop thread only; blocks for as long as the disk does.
 */
#ifndef HOST_REPLICA_JOURNAL_H
#define HOST_REPLICA_JOURNAL_H

#include "host/disk/plog_dir.h"

#define JOURNAL_FILE_SIZE (1 << 20) /* where another file begins, unless told otherwise */

struct journal;

struct journal_options {
    const char *dir; /* the replica's directory; plog/ is made in it */
    struct gpid pid;
    int64_t valid_from; /* init_offset_in_private_log: what is before is of an earlier life */
    int64_t durable;    /* what the data reach to: a log that ends before has nothing older */
    int64_t file_size;  /* bytes from which another file is begun; 0: JOURNAL_FILE_SIZE */
    bool sync;          /* a file that is full, and the directory, are synced */
};

/* Read what is there, mutation by mutation, and be ready to go on.  BR_CORRUPT, BR_DENIED: the log
 * cannot be used. */
br_status journal_open(const struct journal_options *options, plog_replay_fn *replay, void *arg,
                       struct journal **ret_journal, struct fail *ret_fail);
void journal_close(struct journal *journal); /* NULL: nothing */

/* One mutation, written when this returns.  BR_DENIED: it is not, and nothing of it is. */
br_status journal_append(struct journal *journal, const struct mutation_header *header,
                         br_bytes updates, struct fail *ret_fail);

/* A descriptor of the file that was appended to last, the caller's to close; -1: none. */
int journal_descriptor(const struct journal *journal);

/* Everything written is synced.  false: errno. */
bool journal_sync(struct journal *journal);

/* What is up to `durable` is in the data: whole files of it go. */
void journal_collect(struct journal *journal, int64_t durable);

/* Begin anew behind `decree`: what is there goes, and what comes starts at the offset returned. */
int64_t journal_restart(struct journal *journal, int64_t decree);

/* Does it hold everything above `decree`? */
bool journal_reaches(const struct journal *journal, int64_t decree);

/* Bytes on disk. */
int64_t journal_size(const struct journal *journal);

/* The offset behind what was appended last. */
int64_t journal_end(const struct journal *journal);

/* The names of the files that hold what is above `decree`, one after the other; false: no more.
 * *index begins with 0. */
bool journal_next_file(const struct journal *journal, int64_t decree, uint32_t *index,
                       char ret_name[PLOG_NAME_MAX]);

#endif
