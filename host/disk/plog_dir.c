/* plog_dir -- see plog_dir.h. */
#include "host/disk/plog_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/mem.h"
#include "host/disk/look.h"

#define PLOG_DIR_HEAD_SIZE 4096 /* bytes read to see a head */

/* What is done about a log that cannot be read. */
#define PLOG_DIR_CURE                                                                              \
    "; move the replica's directory away, and the server learns it again from the other replicas"

static br_status plog_dir_failed(const char *path, const char *name, struct fail *ret_fail)
{
    int error = errno;
    return fail_set(ret_fail, error == ENOENT ? BR_NOTFOUND : BR_DENIED, "%s%s%s: %s", path,
                    *name ? "/" : "", name, strerror(error));
}

/* -- The files there are ---------------------------------------------------------------------- */

static int plog_dir_order(const void *a, const void *b)
{
    const struct plog_name *left = &((const struct plog_file *) a)->name;
    const struct plog_name *right = &((const struct plog_file *) b)->name;
    if (left->index != right->index)
        return left->index < right->index ? -1 : 1;
    return (left->start_offset > right->start_offset) - (left->start_offset < right->start_offset);
}

static br_status plog_dir_add(struct plog_dir *dir, const char *text, const char *path,
                              struct fail *ret_fail)
{
    struct plog_name name;
    if (!plog_name_parse(text, &name))
        return BR_OK;
    if (dir->count == PLOG_DIR_FILES_MAX)
        return fail_set(ret_fail, BR_TOOBIG, "%s: more than %d files%s", path, PLOG_DIR_FILES_MAX,
                        PLOG_DIR_CURE);
    if ((dir->count & (dir->count - 1)) == 0)
        dir->files = mem_grow(dir->files, (dir->count ? 2 * dir->count : 1) * sizeof *dir->files);
    dir->files[dir->count++] = (struct plog_file){ .name = name };
    return BR_OK;
}

static br_status plog_dir_list(struct plog_dir *dir, const char *path, struct fail *ret_fail)
{
    DIR *directory = look_dir(path);
    if (!directory)
        return plog_dir_failed(path, "", ret_fail);
    br_status status = BR_OK;
    const struct dirent *entry;
    while (!status && (errno = 0, entry = readdir(directory)) != NULL)
        status = plog_dir_add(dir, entry->d_name, path, ret_fail);
    if (!status && errno)
        status = plog_dir_failed(path, "", ret_fail);
    closedir(directory);
    if (dir->count)
        qsort(dir->files, dir->count, sizeof *dir->files, plog_dir_order);
    return status;
}

/* -- One file --------------------------------------------------------------------------------- */

/* Read rather than mapped: a file that somebody cuts meanwhile is an error then, not a signal. */
static bool plog_dir_load(int fd, size_t size, struct buf *bytes)
{
    buf_clear(bytes);
    buf_reserve(bytes, size);
    while (bytes->size < size) {
        ssize_t got = read(fd, bytes->data + bytes->size, size - bytes->size);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return false;
        bytes->size += got > 0 ? (size_t) got : 0;
    }
    bytes->data[bytes->size] = '\0';
    return true;
}

static br_status plog_dir_open(const char *path, const char *name, struct buf *bytes,
                               struct fail *ret_fail)
{
    struct stat info;
    struct buf full = { 0 };
    br_status status = BR_OK;
    buf_printf(&full, "%s/%s", path, name);
    int fd = look_open(full.data, O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &info) != 0)
        status = plog_dir_failed(path, name, ret_fail);
    else if (!S_ISREG(info.st_mode))
        status = fail_set(ret_fail, BR_CORRUPT, "%s: not a file%s", full.data, PLOG_DIR_CURE);
    else if (info.st_size > (off_t) PLOG_FILE_MAX)
        status = fail_set(ret_fail, BR_TOOBIG, "%s: larger than %u bytes%s", full.data,
                          PLOG_FILE_MAX, PLOG_DIR_CURE);
    else if (!plog_dir_load(fd, (size_t) info.st_size, bytes))
        status = plog_dir_failed(path, name, ret_fail);
    if (fd >= 0)
        close(fd);
    buf_done(&full);
    return status;
}

struct plog_dir_run {
    const char *path;
    struct gpid pid;
    plog_replay_fn *replay;
    void *context;
    struct plog_dir *dir;
};

static int64_t plog_dir_higher(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static br_status plog_dir_mutation(const struct plog_dir_run *run, struct plog_file *file,
                                   const struct mutation_header *header, br_bytes updates,
                                   struct fail *ret_fail)
{
    struct plog_dir *dir = run->dir;
    br_status status;
    if (header->pid.app_id != run->pid.app_id || header->pid.partition != run->pid.partition)
        status = fail_set(ret_fail, BR_CORRUPT, "a mutation of %d.%d in the log of %d.%d%s",
                          header->pid.app_id, header->pid.partition, run->pid.app_id,
                          run->pid.partition, PLOG_DIR_CURE);
    else
        status = run->replay(run->context, header, updates, ret_fail);
    if (status) {
        fail_prefix(ret_fail, "offset %" PRId64, header->log_offset);
        return status;
    }
    dir->mutations++;
    file->max_decree = plog_dir_higher(file->max_decree, header->decree);
    dir->max_decree = plog_dir_higher(dir->max_decree, header->decree);
    dir->max_ballot = plog_dir_higher(dir->max_ballot, header->ballot);
    dir->max_committed = plog_dir_higher(dir->max_committed, header->last_committed_decree);
    return BR_OK;
}

static br_status plog_dir_replay(const struct plog_dir_run *run, struct plog_file *file,
                                 br_bytes bytes, struct fail *ret_fail)
{
    struct plog_reader reader;
    struct mutation_header header;
    br_bytes updates;
    br_status status = BR_OK;
    plog_read_begin(&reader, &file->name, bytes);
    plog_read_origin(&reader, run->pid, &file->origin);
    while (!status && plog_read_next(&reader, &header, &updates))
        status = plog_dir_mutation(run, file, &header, updates, ret_fail);
    if (!status && reader.stop == PLOG_CORRUPT)
        status = fail_set(ret_fail, reader.why.status, "%s%s", reader.why.text, PLOG_DIR_CURE);
    file->size = (int64_t) bytes.size;
    file->end_offset = file->name.start_offset + (int64_t) reader.good;
    return status;
}

/* -- Files whose mutations the data have ------------------------------------------------------- */

/* What the head says, where its block is a small one of its own, as Pegasus's and ours are. */
static bool plog_dir_head(const char *path, const struct plog_file *file, struct gpid pid,
                          struct plog_origin *ret_origin)
{
    char name[PLOG_NAME_MAX], bytes[PLOG_DIR_HEAD_SIZE];
    struct plog_reader reader;
    struct buf full = { 0 };
    plog_name_format(&file->name, name);
    buf_printf(&full, "%s/%s", path, name);
    int fd = look_open(full.data, O_NOFOLLOW);
    buf_done(&full);
    ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    if (fd >= 0)
        close(fd);
    if (got <= 0)
        return false;
    plog_read_begin(&reader, &file->name, (br_bytes){ bytes, (size_t) got });
    return plog_read_origin(&reader, pid, ret_origin);
}

/* The files before the last one whose head says that they end at `durable` are left out. */
static void plog_dir_skip(struct plog_dir *dir, const char *path, struct gpid pid, int64_t durable)
{
    struct plog_origin origin;
    for (size_t i = dir->count; i-- > 1;) {
        if (!plog_dir_head(path, &dir->files[i], pid, &origin) || origin.max_decree > durable)
            continue;
        dir->count -= i;
        memmove(dir->files, dir->files + i, dir->count * sizeof *dir->files);
        return;
    }
}

/* -- All of them ------------------------------------------------------------------------------ */

static br_status plog_dir_follows(const char *path, const struct plog_file *before,
                                  const struct plog_file *file, struct fail *ret_fail)
{
    char first[PLOG_NAME_MAX], second[PLOG_NAME_MAX];
    plog_name_format(&before->name, first);
    plog_name_format(&file->name, second);
    if ((int64_t) file->name.index != (int64_t) before->name.index + 1)
        return fail_set(ret_fail, BR_CORRUPT, "%s: %s is followed by %s: %s%s", path, first, second,
                        file->name.index == before->name.index ? "one index twice"
                                                               : "files between them are missing",
                        PLOG_DIR_CURE);
    if (before->end_offset == before->name.start_offset)
        return fail_set(ret_fail, BR_CORRUPT,
                        "%s: %s has no whole first block, and yet %s is there%s", path, first,
                        second, PLOG_DIR_CURE);
    if (file->name.start_offset != before->end_offset)
        return fail_set(ret_fail, BR_CORRUPT,
                        "%s: %s has whole blocks up to offset %" PRId64
                        ", and %s does not begin there%s",
                        path, first, before->end_offset, second, PLOG_DIR_CURE);
    return BR_OK;
}

static br_status plog_dir_file(const struct plog_dir_run *run, size_t i, struct buf *bytes,
                               struct fail *ret_fail)
{
    struct plog_file *file = &run->dir->files[i];
    char name[PLOG_NAME_MAX];
    plog_name_format(&file->name, name);
    br_status status = i ? plog_dir_follows(run->path, file - 1, file, ret_fail) : BR_OK;
    if (!status)
        status = plog_dir_open(run->path, name, bytes, ret_fail);
    if (status)
        return status;
    status = plog_dir_replay(run, file, buf_bytes(bytes), ret_fail);
    if (status)
        fail_prefix(ret_fail, "%s/%s", run->path, name);
    return status;
}

/* The name of the next file; a last one without a head gives its own away. */
static br_status plog_dir_end(struct plog_dir *dir, const char *path, struct fail *ret_fail)
{
    dir->next = (struct plog_name){ PLOG_FIRST_INDEX, 0 };
    if (dir->count == 0)
        return BR_OK;
    const struct plog_file *last = &dir->files[dir->count - 1];
    dir->next = last->name;
    if (last->end_offset == last->name.start_offset) {
        dir->count--;
    } else if (last->name.index == INT32_MAX) {
        return fail_set(ret_fail, BR_TOOBIG, "%s: there is no index behind %d%s", path, INT32_MAX,
                        PLOG_DIR_CURE);
    } else {
        dir->next.index++;
        dir->next.start_offset = last->end_offset;
    }
    return BR_OK;
}

br_status plog_dir_read_above(const char *path, struct gpid pid, int64_t durable,
                              plog_replay_fn *replay, void *context, struct plog_dir *ret_dir,
                              struct fail *ret_fail)
{
    struct plog_dir_run run = { path, pid, replay, context, ret_dir };
    struct buf bytes = { 0 };
    *ret_dir = (struct plog_dir){ 0 };
    br_status status = plog_dir_list(ret_dir, path, ret_fail);
    if (!status && durable >= 0)
        plog_dir_skip(ret_dir, path, pid, durable);
    for (size_t i = 0; i < ret_dir->count && !status; i++)
        status = plog_dir_file(&run, i, &bytes, ret_fail);
    if (!status)
        status = plog_dir_end(ret_dir, path, ret_fail);
    buf_done(&bytes);
    return status;
}

br_status plog_dir_read(const char *path, struct gpid pid, plog_replay_fn *replay, void *context,
                        struct plog_dir *ret_dir, struct fail *ret_fail)
{
    return plog_dir_read_above(path, pid, -1, replay, context, ret_dir, ret_fail);
}

void plog_dir_done(struct plog_dir *dir)
{
    free(dir->files);
    *dir = (struct plog_dir){ 0 };
}
