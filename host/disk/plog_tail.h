/* plog_tail -- up to where a replica's private log takes it: what its server would report after a
 * start (src/replica/replica_init.cpp:init_app_and_prepare_list, replay_mutation), from the headers
 * of the mutations alone.  Blocks for as long as the disk does; reads only; any thread.
 *
 * How far the data themselves go stands in RocksDB, which is not opened.  So `committed` is a lower
 * bound: what was applied and flushed after the last mutation that the log holds was prepared is
 * not seen.  Whoever wants it exactly starts the server.
 */
#ifndef HOST_DISK_PLOG_TAIL_H
#define HOST_DISK_PLOG_TAIL_H

#include "host/disk/plog_dir.h"

struct plog_tail {
    int64_t ballot;    /* the highest one, obsolete mutations counted; 0: there is no mutation */
    int64_t committed; /* told by the mutations, and the log has all up to it */
    int64_t prepared;
};

/* The log of a replica whose data are known to reach `durable`; valid_from:
 * init_offset_in_private_log.  Failures as plog_dir_read, and BR_CORRUPT where a decree is more
 * than PREPARE_LIST_MAX above the committed one.  BR_NOTFOUND: there is no log. */
br_status plog_tail_read(const char *path, struct gpid pid, int64_t durable, int64_t valid_from,
                         struct plog_tail *ret_tail, struct fail *ret_fail);

#endif
