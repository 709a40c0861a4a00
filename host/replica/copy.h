/* copy -- fetch files from another server (src/nfs/nfs_client_impl.cpp), some pieces at a time.
 * Loop thread only.
 */
#ifndef HOST_REPLICA_COPY_H
#define HOST_REPLICA_COPY_H

#include "host/replica/stub.h"

#define COPY_PIECE      (1 << 20) /* bytes of one request */
#define COPY_FLIGHT_MAX 4         /* requests under way */
#define COPY_FILES_MAX  65536
#define COPY_TIMEOUT    (10 * BR_SECOND)

struct copy;

struct copy_options {
    struct replica *replica; /* for whom; held until the end */
    struct peer *source;
    const char *source_dir; /* the other's; copied */
    const char *disk_tag;   /* the other's; copied */
    const char *dir;        /* ours, is there; copied.  Files come into it without directories. */
    const char *const *files;
    uint32_t count;
    bool sync;
    /* fail NULL: all is there.  Never from inside copy_begin; nothing after copy_cancel. */
    void (*done)(struct replica *replica, const struct fail *fail);
};

struct copy *copy_begin(const struct copy_options *options);
void copy_cancel(struct copy *copy); /* NULL: nothing */

/* One holder less: every call of it is one. */
void copy_release(struct copy *copy);

#endif
