/* file -- whole files in and out, for the stages. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/stage/survey_file.h"

#define FILE_STEP (1 << 20) /* bytes read at once */

static bool file_fail(const char *file, const char *doing, struct fail *ret_fail)
{
    fail_set(ret_fail, errno == EACCES ? BR_DENIED : BR_INVALID, "%s: %s: %s", file, doing,
             strerror(errno));
    return false;
}

static bool file_read(const char *file, int fd, struct buf *buf, struct fail *ret_fail)
{
    for (;;) {
        buf_reserve(buf, FILE_STEP);
        ssize_t got = read(fd, buf->data + buf->size, FILE_STEP);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return file_fail(file, "reading", ret_fail);
        if (got == 0)
            break;
        buf->size += (size_t) got;
        if (buf->size > STAGE_FILE_MAX) {
            fail_set(ret_fail, BR_TOOBIG, "%s: more than %llu bytes", file,
                     (unsigned long long) STAGE_FILE_MAX);
            return false;
        }
    }
    buf->data[buf->size] = '\0';
    return true;
}

bool stage_read_file(const char *file, struct buf *ret_buf, struct fail *ret_fail)
{
    struct stat stat;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file_fail(file, "opening", ret_fail);
    if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_size > 0
        && (uint64_t) stat.st_size <= STAGE_FILE_MAX)
        buf_reserve(ret_buf, (size_t) stat.st_size + FILE_STEP);
    bool ok = file_read(file, fd, ret_buf, ret_fail);
    close(fd);
    return ok;
}

static bool file_write(int fd, const struct buf *buf)
{
    for (size_t at = 0; at < buf->size;) {
        ssize_t put = write(fd, buf->data + at, buf->size - at);
        if (put < 0 && errno != EINTR)
            return false;
        at += put > 0 ? (size_t) put : 0;
    }
    return fsync(fd) == 0 || errno == EINVAL; /* a pipe has no disk */
}

bool stage_write_file(const char *file, const struct buf *buf, struct fail *ret_fail)
{
    struct buf beside = { 0 };
    buf_printf(&beside, "%s.%ld.tmp", file, (long) getpid());
    int fd = open(beside.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool ok = fd >= 0;
    if (ok) {
        ok = file_write(fd, buf);
        int error = errno;
        ok = close(fd) == 0 && ok && rename(beside.data, file) == 0;
        if (!ok) {
            error = errno ? errno : error;
            unlink(beside.data);
            errno = error;
        }
    }
    if (!ok)
        file_fail(file, "writing", ret_fail);
    buf_done(&beside);
    return ok;
}
