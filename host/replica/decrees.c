/* decrees -- see decrees.h. */
#include "host/replica/decrees.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/base/buf.h"

/* volatile: a kill may come between any two stores, which must happen as they are written. */
struct decrees_file {
    volatile int64_t magic, committed, prepared, ballot;
};

static int decrees_file(const char *dir, int flags)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s/.decrees", dir);
    int fd = open(path.data, flags | O_CLOEXEC, 0666);
    buf_done(&path);
    return fd;
}

br_status decrees_open(const char *dir, struct decrees_file **ret_file, struct fail *ret_fail)
{
    int fd = decrees_file(dir, O_RDWR | O_CREAT);
    void *map = MAP_FAILED;
    int error = fd < 0 ? errno : posix_fallocate(fd, 0, sizeof **ret_file);
    if (error == 0) {
        map = mmap(NULL, sizeof **ret_file, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        error = map == MAP_FAILED ? errno : 0;
    }
    br_status status = BR_OK;
    if (error)
        status = fail_set(ret_fail, BR_DENIED, "%s/.decrees: %s", dir, strerror(error));
    if (fd >= 0)
        close(fd);
    *ret_file = map == MAP_FAILED ? NULL : map;
    return status;
}

void decrees_close(struct decrees_file *file)
{
    if (file)
        munmap(file, sizeof *file);
}

void decrees_put(struct decrees_file *file, const struct decrees *decrees)
{
    if (decrees->prepared >= file->prepared) {
        file->ballot = decrees->ballot;
        file->prepared = decrees->prepared;
        file->committed = decrees->committed;
    } else {
        file->committed = decrees->committed;
        file->prepared = decrees->prepared;
        file->ballot = decrees->ballot;
    }
    file->magic = DECREES_MAGIC;
}
