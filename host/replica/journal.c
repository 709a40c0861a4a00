/* journal -- see journal.h. */
#include "host/replica/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/mem.h"

struct journal_file {
    struct plog_name name;
    int64_t before; /* the highest decree of the files before it */
};

struct journal {
    struct gpid pid;
    char *path;
    bool sync;
    int64_t file_size, valid_from;
    struct journal_file *files; /* the oldest first; the last one is open, if fd is not -1 */
    uint32_t count;
    struct plog_name next; /* of the file to begin */
    struct plog_writer writer;
    int fd;
    int64_t max_decree;
    int64_t reaches; /* everything above is here */
    struct buf block;
};

static br_status journal_failed(const struct journal *journal, const char *name,
                                struct fail *ret_fail)
{
    return fail_set(ret_fail, BR_DENIED, "%s/%s: %s", journal->path, name, strerror(errno));
}

static int journal_open_file(const struct journal *journal, const struct plog_name *name, int flags)
{
    char text[PLOG_NAME_MAX];
    struct buf path = { 0 };
    plog_name_format(name, text);
    buf_printf(&path, "%s/%s", journal->path, text);
    int fd = open(path.data, flags | O_CLOEXEC, 0666);
    buf_done(&path);
    return fd;
}

static void journal_unlink(const struct journal *journal, const struct plog_name *name)
{
    char text[PLOG_NAME_MAX];
    struct buf path = { 0 };
    plog_name_format(name, text);
    buf_printf(&path, "%s/%s", journal->path, text);
    unlink(path.data);
    buf_done(&path);
}

static void journal_add_file(struct journal *journal, const struct plog_name *name, int64_t before)
{
    journal->files = mem_grow(journal->files, (journal->count + 1u) * sizeof *journal->files);
    journal->files[journal->count++] = (struct journal_file){ *name, before };
}

/* -- Opening ---------------------------------------------------------------------------------- */

/* What the directory said about the files; the highest decree before the first is in its head. */
static void journal_take_dir(struct journal *journal, const struct plog_dir *dir, int64_t durable)
{
    int64_t before = dir->count ? dir->files[0].origin.max_decree : 0;
    journal->reaches = before;
    for (size_t i = 0; i < dir->count; i++) {
        journal_add_file(journal, &dir->files[i].name, before);
        if (dir->files[i].max_decree > before)
            before = dir->files[i].max_decree;
    }
    if (durable > before) /* journal_restart, or the files were taken away */
        journal->reaches = before = durable;
    journal->max_decree = before;
    journal->next = dir->next;
    if (dir->count == 0 && journal->next.start_offset < journal->valid_from)
        journal->next.start_offset = journal->valid_from; /* journal_restart, and then the end */
}

br_status journal_open(const struct journal_options *options, plog_replay_fn *replay, void *arg,
                       struct journal **ret_journal, struct fail *ret_fail)
{
    struct journal *journal = mem_new(sizeof *journal);
    struct buf path = { 0 };
    struct plog_dir dir;
    buf_printf(&path, "%s/plog", options->dir);
    journal->pid = options->pid;
    journal->path = path.data;
    journal->sync = options->sync;
    journal->file_size = options->file_size ? options->file_size : JOURNAL_FILE_SIZE;
    journal->valid_from = options->valid_from;
    journal->fd = -1;
    br_status status = BR_OK;
    if (mkdir(journal->path, 0777) != 0 && errno != EEXIST)
        status = journal_failed(journal, "", ret_fail);
    if (!status) {
        status = plog_dir_read(journal->path, journal->pid, replay, arg, &dir, ret_fail);
        if (!status)
            journal_take_dir(journal, &dir, options->durable);
        plog_dir_done(&dir);
    }
    if (status) {
        journal_close(journal);
        journal = NULL;
    }
    *ret_journal = journal;
    return status;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    if (journal->fd >= 0)
        close(journal->fd);
    buf_done(&journal->block);
    free(journal->files);
    free(journal->path);
    free(journal);
}

/* -- Writing ---------------------------------------------------------------------------------- */

/* All or nothing: of what could not be written nothing stays. */
static bool journal_write(struct journal *journal, off_t end)
{
    const struct buf *block = &journal->block;
    for (size_t at = 0; at < block->size;) {
        ssize_t put = write(journal->fd, block->data + at, block->size - at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            int error = errno;
            if (ftruncate(journal->fd, end) == 0)
                lseek(journal->fd, end, SEEK_SET);
            errno = error;
            return false;
        }
        at += (size_t) put;
    }
    return true;
}

static bool journal_sync_directory(const struct journal *journal)
{
    int fd = open(journal->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static void journal_end_file(struct journal *journal)
{
    if (journal->fd >= 0)
        close(journal->fd);
    journal->fd = -1;
    journal->next.index = journal->writer.name.index + 1;
    journal->next.start_offset = plog_writer_end(&journal->writer);
}

static br_status journal_begin_file(struct journal *journal, struct fail *ret_fail)
{
    char name[PLOG_NAME_MAX];
    struct plog_origin origin = { journal->pid, journal->max_decree, journal->valid_from };
    plog_name_format(&journal->next, name);
    journal->fd = journal_open_file(journal, &journal->next, O_WRONLY | O_CREAT | O_TRUNC);
    if (journal->fd < 0)
        return journal_failed(journal, name, ret_fail);
    plog_writer_begin(&journal->writer, &journal->next);
    buf_clear(&journal->block);
    plog_put_head(&journal->writer, &origin, &journal->block);
    if (journal_write(journal, 0) && (!journal->sync || journal_sync_directory(journal))) {
        journal_add_file(journal, &journal->next, journal->max_decree);
        return BR_OK;
    }
    br_status status = journal_failed(journal, name, ret_fail);
    close(journal->fd);
    journal->fd = -1;
    return status;
}

/* A file with room. */
static br_status journal_ready(struct journal *journal, struct fail *ret_fail)
{
    if (journal->fd >= 0 && journal->writer.size < journal->file_size)
        return BR_OK;
    if (journal->fd >= 0) {
        if (journal->sync && fdatasync(journal->fd) != 0)
            return journal_failed(journal, "", ret_fail);
        journal_end_file(journal);
    }
    return journal_begin_file(journal, ret_fail);
}

br_status journal_append(struct journal *journal, const struct mutation_header *header,
                         br_bytes updates, struct fail *ret_fail)
{
    struct mutation_header logged = *header;
    br_status status = journal_ready(journal, ret_fail);
    if (status)
        return status;
    struct plog_writer before = journal->writer;
    buf_clear(&journal->block);
    plog_block_begin(&journal->writer, &journal->block);
    status = plog_block_put(&journal->writer, &logged, updates, &journal->block, ret_fail);
    plog_block_end(&journal->writer, &journal->block);
    if (!status && !journal_write(journal, before.size))
        status = journal_failed(journal, "", ret_fail);
    if (status)
        journal->writer = before;
    else if (header->decree > journal->max_decree)
        journal->max_decree = header->decree;
    return status;
}

int journal_descriptor(const struct journal *journal)
{
    return journal->fd >= 0 ? fcntl(journal->fd, F_DUPFD_CLOEXEC, 0) : -1;
}

bool journal_sync(struct journal *journal)
{
    return journal->fd < 0 || fdatasync(journal->fd) == 0;
}

/* -- What may go, and what there is ----------------------------------------------------------- */

void journal_collect(struct journal *journal, int64_t durable)
{
    uint32_t count = 0;
    while (count + 1 < journal->count && journal->files[count + 1].before <= durable)
        count++;
    if (count == 0)
        return;
    journal->reaches = journal->files[count].before;
    for (uint32_t i = 0; i < count; i++)
        journal_unlink(journal, &journal->files[i].name);
    journal->count -= count;
    memmove(journal->files, journal->files + count, journal->count * sizeof *journal->files);
}

int64_t journal_restart(struct journal *journal, int64_t decree)
{
    if (journal->fd >= 0)
        journal_end_file(journal);
    journal->valid_from = journal->next.start_offset;
    while (journal->count > 0) /* a kill must leave no hole behind what the data reach to */
        journal_unlink(journal, &journal->files[--journal->count].name);
    journal->max_decree = journal->reaches = decree;
    return journal->valid_from;
}

bool journal_reaches(const struct journal *journal, int64_t decree)
{
    return journal->reaches <= decree;
}

int64_t journal_end(const struct journal *journal)
{
    return journal->fd >= 0 ? plog_writer_end(&journal->writer) : journal->next.start_offset;
}

int64_t journal_size(const struct journal *journal)
{
    return journal->count ? journal_end(journal) - journal->files[0].name.start_offset : 0;
}

bool journal_next_file(const struct journal *journal, int64_t decree, uint32_t *index,
                       char ret_name[PLOG_NAME_MAX])
{
    while (*index + 1 < journal->count && journal->files[*index + 1].before <= decree)
        ++*index;
    if (*index >= journal->count)
        return false;
    plog_name_format(&journal->files[(*index)++].name, ret_name);
    return true;
}
