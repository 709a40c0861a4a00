/* files -- see files.h. */
#include "host/replica/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/base/mem.h"

static br_status files_failed(const char *path, struct fail *ret_fail)
{
    int error = errno;
    return fail_set(ret_fail, error == EEXIST ? BR_EXISTS : BR_DENIED, "%s: %s", path,
                    strerror(error));
}

static br_status files_mkdir(const char *path, bool must_be_new, struct fail *ret_fail)
{
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && !must_be_new))
        return BR_OK;
    return files_failed(path, ret_fail);
}

static bool files_put(int fd, const struct buf *bytes)
{
    for (size_t at = 0; at < bytes->size;) {
        ssize_t put = write(fd, bytes->data + at, bytes->size - at);
        if (put < 0 && errno != EINTR)
            return false;
        at += put > 0 ? (size_t) put : 0;
    }
    return fsync(fd) == 0;
}

/* A rename is only safe from a power cut once its directory is. */
static bool files_sync_directory(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static br_status files_write(const char *dir, const char *name, const struct buf *bytes,
                             struct fail *ret_fail)
{
    struct buf path = { 0 }, temporary = { 0 };
    buf_printf(&path, "%s/%s", dir, name);
    buf_printf(&temporary, "%s.tmp", path.data);
    int fd = open(temporary.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool ok = fd >= 0 && files_put(fd, bytes);
    if (fd >= 0)
        ok = close(fd) == 0 && ok;
    ok = ok && rename(temporary.data, path.data) == 0 && files_sync_directory(dir);
    br_status status = ok ? BR_OK : files_failed(path.data, ret_fail);
    buf_done(&path);
    buf_done(&temporary);
    return status;
}

void files_path(struct buf *buf, const char *data, int32_t table, int32_t partition,
                const char *type)
{
    buf_printf(buf, "%s/replica/reps/%d.%d.%s", data, table, partition, type);
}

br_status files_store_table(const char *dir, const struct br_table *table, bool named,
                            struct fail *ret_fail)
{
    struct buf bytes = { 0 };
    app_info_encode(table, named, &bytes);
    br_status status = files_write(dir, ".app-info", &bytes, ret_fail);
    buf_done(&bytes);
    return status;
}

br_status files_store_init(const char *dir, const struct init_info *info, struct fail *ret_fail)
{
    struct buf bytes = { 0 };
    init_info_encode(info, &bytes);
    br_status status = files_write(dir, ".init-info", &bytes, ret_fail);
    buf_done(&bytes);
    return status;
}

br_status files_make_data(const char *data, struct fail *ret_fail)
{
    static const char *const parts[] = { "", "/replica", "/replica/reps" };
    struct buf path = { 0 };
    br_status status = BR_OK;
    for (size_t i = 0; i < 3 && !status; i++) {
        buf_clear(&path);
        buf_printf(&path, "%s%s", data, parts[i]);
        status = files_mkdir(path.data, false, ret_fail);
    }
    buf_done(&path);
    return status;
}

br_status files_create(const char *data, const struct br_table *table, int32_t partition,
                       int64_t ballot, int64_t durable, bool named, struct fail *ret_fail)
{
    struct buf path = { 0 };
    br_status status = files_make_data(data, ret_fail);
    files_path(&path, data, table->id, partition, table->type);
    if (!status)
        status = files_mkdir(path.data, true, ret_fail);
    if (!status)
        status = files_store_table(path.data, table, named, ret_fail);
    if (!status)
        status = files_store_init(
            path.data, &(struct init_info){ .ballot = ballot, .durable = durable }, ret_fail);
    buf_done(&path);
    return status;
}

bool files_exists(const char *dir)
{
    struct stat stat_;
    return stat(dir, &stat_) == 0 && S_ISDIR(stat_.st_mode);
}

br_status files_make_dir(const char *path, struct fail *ret_fail)
{
    return files_mkdir(path, false, ret_fail);
}

br_status files_rename(const char *from, const char *to, struct fail *ret_fail)
{
    if (rename(from, to) != 0)
        return files_failed(to, ret_fail);
    struct buf above = { 0 };
    buf_put(&above, to, (size_t) (strrchr(to, '/') - to));
    bool ok = files_sync_directory(above.data);
    buf_done(&above);
    return ok ? BR_OK : files_failed(to, ret_fail);
}

void files_list(const char *path, const char *prefix, struct arena *arena, struct wire_list *ret)
{
    DIR *stream = opendir(path);
    const char **names = NULL;
    uint32_t count = 0;
    for (struct dirent *entry; stream && count < FILES_LIST_MAX && (entry = readdir(stream));) {
        struct buf name = { 0 };
        if (entry->d_name[0] == '.')
            continue;
        if (prefix)
            buf_printf(&name, "%s/", prefix);
        buf_text(&name, entry->d_name);
        if ((count & (count - 1)) == 0)
            names = mem_grow(names, (count ? count * 2u : 1u) * sizeof *names);
        names[count++] = arena_text(arena, name.data, name.size);
        buf_done(&name);
    }
    if (stream)
        closedir(stream);
    *ret = (struct wire_list){ .items = arena_alloc(arena, (count + 1u) * sizeof *names),
                               .count = count };
    if (count > 0)
        memcpy(ret->items, names, count * sizeof *names);
    free(names);
}

static bool files_delete_in(DIR *stream)
{
    bool ok = true;
    for (struct dirent *entry; ok && (entry = readdir(stream));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            ok = unlinkat(dirfd(stream), entry->d_name, 0) == 0;
    }
    return ok;
}

br_status files_delete_dir(const char *path, struct fail *ret_fail)
{
    DIR *stream = opendir(path);
    if (!stream)
        return errno == ENOENT ? BR_OK : files_failed(path, ret_fail);
    bool ok = files_delete_in(stream) && rmdir(path) == 0;
    br_status status = ok ? BR_OK : files_failed(path, ret_fail);
    closedir(stream);
    return status;
}

br_status files_set_aside(const char *dir, const char *suffix, struct fail *ret_fail)
{
    struct timespec now;
    struct buf to = { 0 };
    clock_gettime(CLOCK_REALTIME, &now);
    buf_printf(&to, "%s.%lld%s", dir, (long long) now.tv_sec * 1000000 + now.tv_nsec / 1000,
               suffix);
    br_status status = rename(dir, to.data) == 0 ? BR_OK : files_failed(dir, ret_fail);
    buf_done(&to);
    return status;
}
