/* look -- see look.h. */
#include "host/disk/look.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_STEP (1 << 20) /* bytes read at once from what does not say its size */

int look_open(const char *path, int flags)
{
    flags |= O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    int fd = open(path, flags | O_NOATIME);
    return fd < 0 && errno == EPERM ? open(path, flags) : fd;
}

DIR *look_dir(const char *path)
{
    int fd = look_open(path, O_DIRECTORY);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !stream) {
        int error = errno;
        close(fd);
        errno = error;
    }
    return stream;
}

static br_status look_failed(const char *path, struct fail *ret_fail)
{
    int error = errno;
    return fail_set(ret_fail, error == ENOENT || error == ENOTDIR ? BR_NOTFOUND : BR_DENIED,
                    "%s: %s", path, strerror(error));
}

/* Read rather than mapped: a file that somebody cuts meanwhile is short then, and no signal. */
static bool look_read(int fd, size_t size, uint64_t most, struct buf *bytes)
{
    size_t first = bytes->size;
    buf_reserve(bytes, size + 1);
    while (bytes->size - first <= most) {
        if (bytes->size - first >= size)
            buf_reserve(bytes, LOOK_STEP);
        size_t room = bytes->cap - bytes->size - 1;
        ssize_t got = read(fd, bytes->data + bytes->size, room);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return false;
        bytes->size += got > 0 ? (size_t) got : 0;
        if (got > 0 && (size_t) got < room && bytes->size - first == size)
            break; /* as long as it said */
    }
    bytes->data[bytes->size] = '\0';
    return true;
}

br_status look_file(const char *path, uint64_t most, struct buf *bytes, struct fail *ret_fail)
{
    struct stat info;
    int fd = look_open(path, 0);
    if (fd < 0)
        return look_failed(path, ret_fail);
    br_status status = BR_OK;
    if (fstat(fd, &info) != 0)
        status = look_failed(path, ret_fail);
    else if (!S_ISREG(info.st_mode))
        status = fail_set(ret_fail, BR_CORRUPT, "%s: not a file", path);
    else if (!look_read(fd, (uint64_t) info.st_size <= most ? (size_t) info.st_size : 0, most,
                        bytes))
        status = look_failed(path, ret_fail);
    close(fd);
    return status;
}
