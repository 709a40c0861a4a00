/* replica_files -- a stage whose replica server keeps data, a disk that can be waited for, and what
 * a scripted primary has to give: what replica_data.c, replica_take.c and replica_give.c share.
 */
#ifndef T_REPLICA_FILES_H
#define T_REPLICA_FILES_H

#include <semaphore.h>

#include "host/replica/copy.h"
#include "host/replica/journal.h"
#include "t/replica.h"

/* fdatasync, of everything in this program. */
struct disk {
    int error; /* what it fails with */
    bool held; /* it waits for `go` after saying `begun` */
    sem_t begun, go;
};
extern struct disk disk;

/* stage_setup with data. */
void kept_setup(void);

/* Replica 1.0 at this ballot with `decree` puts of k1=v1 ... in its data; stage_start is to follow.
 */
void kept_disk(int64_t ballot, int64_t decree);
void kept_primary(const char *secondaries); /* at ballot 2, of nothing */
void kept_secondary(int64_t ballot);        /* of peer 0, of nothing */
const char *kept_path(const char *name);    /* in the directory of 1.0; stage's arena */
uint32_t kept_count(const char *dir, const char *suffix); /* names below it that end so */

/* What a put's response says; the error of the answer is returned. */
const char *kept_put(const char *key, const char *value, int64_t *ret_decree);

/* "k1=v1 k2=v2 ..." up to k9. */
const char *kept_all(void);

/* Another server on what a kill would leave now. */
void kept_kill(void);

/* From `on` on, what a kill would leave is kept at every rename; then how many there were.  Another
 * server on the n-th. */
uint32_t kept_renames(bool on);
void kept_as_of(uint32_t n);

/* A mutation that puts key=value. */
void kept_updates(const char *key, const char *value, struct buf *updates);
const char *kept_prepare(int64_t ballot, int64_t decree, const char *key, const char *value);

void kept_limit(uint64_t size); /* bytes of a file; UINT64_MAX: none */

/* -- A scripted primary's files ----------------------------------------------------------------
 */

struct giver {
    char *directory;
    const char **files;
    uint32_t count;
    struct msg_learn_response answers[4]; /* round after round; the last one again and again */
    uint32_t answer_count;
    void (*sizes)(struct msg_nfs_size_response *response);
    void (*piece)(struct msg_nfs_copy_response *response);
    uint32_t size_calls, piece_calls;
};
extern struct giver giver;

void giver_setup(void);
void giver_teardown(void);

/* Peer 0 answers RPC_LEARN and RPC_NFS_* as `giver` says. */
void giver_start(void);
void giver_log(int64_t from, int64_t to); /* its log: puts of kN=vN */
void giver_checkpoint(int64_t decree);    /* its checkpoint with as many puts */

/* The next answer: LEARN_LOG or LEARN_APP of the files above, LEARN_CACHE of from ... to. */
struct msg_learn_response *giver_files(int32_t type, int64_t to);
struct msg_learn_response *giver_cache(int64_t from, int64_t to);

TCase *replica_data(void);
TCase *replica_take_data(void);
TCase *replica_give_data(void);

#endif
