/* replica_read -- one replica's directory: its name, .app-info, .init-info,
 * data/checkpoint.<decree>, .decrees (src/replica/replica_stub.cpp:load_replica,
 * replication_app_base.cpp).  For the private log see plog_tail.h.  Nothing is changed; blocks for
 * as long as the disk does; any thread.
 */
#ifndef HOST_DISK_REPLICA_READ_H
#define HOST_DISK_REPLICA_READ_H

#include "host/disk/replica_dir.h"

/* What a replicad without data wrote of its decrees (replica/decrees.h); nobody else has that file.
 */
#define DECREES_MAGIC INT64_C(0x0001736565726364) /* and the byte order */
struct decrees {
    int64_t committed;
    int64_t prepared; /* without a gap from committed on */
    int64_t ballot;   /* of the last prepared one */
};

/* What `dir` holds.  Where there is no such file, it is none of ours, or it knows less than
 * `durable`: durable, and nothing above. */
void decrees_read(const char *dir, int64_t durable, struct decrees *ret);

struct replica_read {
    int32_t partition;
    struct br_table table; /* as its .app-info says; the name says the same; strings in the arena */
    struct init_info init;
    int64_t durable; /* the higher one of .init-info's and the last checkpoint's */
    struct decrees decrees;
};

/* "DIR/ENTRY" as replica "<app_id>.<pidx>.<type>", `name` being that; ENTRY may be called otherwise
 * (<name>.<microseconds>.err).  BR_INVALID: no such name; BR_NOTFOUND, BR_DENIED: a file is
 * missing or cannot be read; BR_CORRUPT: it makes no sense, or is another replica's. */
br_status replica_read(struct arena *arena, const char *dir, const char *entry, const char *name,
                       struct replica_read *ret_replica, struct fail *ret_fail);

#endif
