/* look -- opening what is only looked at: nothing about it changes, its time of access included
 * where the system lets us (O_NOATIME is for the owner and for root).  Blocks for as long as the
 * disk does; any thread.
 */
#ifndef HOST_DISK_LOOK_H
#define HOST_DISK_LOOK_H

#include <dirent.h>

#include "host/base/buf.h"
#include "host/base/fail.h"

/* open() for reading, with these flags beside O_RDONLY and O_CLOEXEC; -1 and errno.  A FIFO is not
 * waited for. */
int look_open(const char *path, int flags);

/* opendir(); NULL and errno. */
DIR *look_dir(const char *path);

/* The whole of a regular file, appended to `bytes` with a NUL behind it; of one that is larger than
 * `most` at least a byte more than that, so that whoever decodes it says so.  BR_NOTFOUND: it is
 * not there; BR_DENIED: it cannot be read; BR_CORRUPT: it is no file. */
br_status look_file(const char *path, uint64_t most, struct buf *bytes, struct fail *ret_fail);

#endif
