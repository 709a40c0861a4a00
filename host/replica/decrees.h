/* decrees -- what a replica server with data finds in its log after a kill at any moment: up to
 * where it had committed, and what was prepared above.  A small file of the replica's directory,
 * ".decrees", that is mapped: a store outlives the process, though not a power cut.  Apache
 * Pegasus's servers do not look at it.  Loop thread only; blocks for as long as the disk does, but
 * for decrees_put.
 */
#ifndef HOST_REPLICA_DECREES_H
#define HOST_REPLICA_DECREES_H

#include "host/disk/replica_read.h"

struct decrees_file;

/* The file of a replica's directory, made where missing. */
br_status decrees_open(const char *dir, struct decrees_file **ret_file, struct fail *ret_fail);
void decrees_close(struct decrees_file *file); /* NULL: nothing */

/* Killed amid it, the file holds what it held or what it shall hold, or is as one in which the
 * difference was not prepared. */
void decrees_put(struct decrees_file *file, const struct decrees *decrees);

#endif
