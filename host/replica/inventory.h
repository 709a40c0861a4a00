/* inventory -- what a replica server's data directories hold (src/replica/replica_stub.cpp).
 *
 * Each data directory D holds D/replica/reps/<app_id>.<pidx>.<type>/ with .app-info, .init-info and
 * data/checkpoint.<decree>.  What cannot be read is left out with one log line, as Pegasus does;
 * nothing is changed or renamed.
 */
#ifndef HOST_REPLICA_INVENTORY_H
#define HOST_REPLICA_INVENTORY_H

#include "host/base/arena.h"
#include "host/base/fail.h"
#include "host/core/log.h"
#include <bridle/types.h>

#define INVENTORY_DIRS_MAX     64
#define INVENTORY_REPLICAS_MAX 1000000

struct inventory_dir {
    const char *tag;  /* disk_tag */
    const char *path; /* of the data directory */
};

struct inventory_replica {
    struct br_replica row;
    int64_t prepared_ballot; /* of the last prepared decree, where that is above committed */
    int64_t init_durable, valid_from; /* as .init-info says: a decree, an offset of the log */
    struct br_table table;            /* as its own .app-info says */
    const struct inventory_dir *data;
};

struct inventory {
    struct arena arena;
    struct inventory_replica *replicas; /* in the directories' order, by name inside */
    uint32_t replica_count;
    uint32_t left_out; /* directories that could not be used */
};

/* BR_NOTFOUND: a data directory is not there.  BR_CONFLICT: one replica stands in two of them. */
br_status inventory_open(struct inventory *inventory, const struct inventory_dir *dirs,
                         uint32_t count, const struct log *log, struct fail *ret_fail);
void inventory_close(struct inventory *inventory);

/* One replica directory, "<app_id>.<pidx>.<type>" below D/replica/reps; strings go to the arena. */
br_status inventory_load(struct arena *arena, const struct inventory_dir *data, const char *entry,
                         struct inventory_replica *ret_replica, struct fail *ret_fail);

#endif
