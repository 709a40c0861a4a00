/* copy -- see copy.h. */
#include "host/replica/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/mem.h"

struct copy_file {
    char *name; /* as the other calls it */
    int64_t size, asked, got;
    int fd;
};

struct copy {
    struct copy_options options;
    char *source_dir, *disk_tag, *dir;
    struct copy_file *files;
    uint32_t count, current, left; /* files; the one whose pieces are asked for; not yet whole */
    uint32_t flight;
    bool ended; /* told, or not wanted any more */
    uint32_t refs;
};

void copy_release(struct copy *copy)
{
    if (--copy->refs > 0)
        return;
    for (uint32_t i = 0; i < copy->count; i++) {
        if (copy->files[i].fd >= 0)
            close(copy->files[i].fd);
        free(copy->files[i].name);
    }
    free(copy->files);
    free(copy->source_dir);
    free(copy->disk_tag);
    free(copy->dir);
    replica_release(copy->options.replica);
    free(copy);
}

static void copy_end(struct copy *copy, const struct fail *fail)
{
    if (copy->ended)
        return;
    copy->ended = true;
    copy->options.done(copy->options.replica, fail);
    copy_release(copy);
}

void copy_cancel(struct copy *copy)
{
    if (!copy || copy->ended)
        return;
    copy->ended = true;
    copy_release(copy);
}

/* -- Pieces ----------------------------------------------------------------------------------- */

static void copy_more(struct copy *copy);

static bool copy_write(struct copy_file *file, int64_t offset, br_bytes bytes)
{
    for (size_t at = 0; at < bytes.size;) {
        ssize_t put = pwrite(file->fd, (const char *) bytes.data + at, bytes.size - at,
                             offset + (int64_t) at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        at += (size_t) put;
    }
    return true;
}

static bool copy_close(const struct copy *copy, struct copy_file *file)
{
    bool ok = !copy->options.sync || fdatasync(file->fd) == 0;
    ok = close(file->fd) == 0 && ok;
    file->fd = -1;
    return ok;
}

/* NULL, or what is wrong. */
static const char *copy_take(struct copy *copy, const struct outgoing *call,
                             const struct rdsn_reply *reply)
{
    struct copy_file *file = &copy->files[call->file];
    struct msg_nfs_copy_response response;
    const char *error;
    if (stub_decode(call->stub, reply, &wire_nfs_copy_response, &response, &error))
        error = response.error;
    if (strcmp(error, "ERR_OK") != 0)
        return error;
    if (response.offset != call->offset || response.file_content.size != call->size)
        return "another piece than the one asked for came";
    if (!copy_write(file, call->offset, response.file_content))
        return strerror(errno);
    file->got += (int64_t) call->size;
    if (file->got < file->size)
        return NULL;
    copy->left--;
    return copy_close(copy, file) ? NULL : strerror(errno);
}

static void copy_piece_came(struct outgoing *call, const struct rdsn_reply *reply)
{
    struct copy *copy = call->copy;
    struct fail fail;
    copy->flight--;
    if (copy->ended)
        return;
    const char *wrong = copy_take(copy, call, reply);
    if (wrong) {
        fail_set(&fail, BR_UNAVAILABLE, "%s of %s: %s", copy->files[call->file].name,
                 copy->options.source->name, wrong);
        copy_end(copy, &fail);
    } else if (copy->left == 0) {
        copy_end(copy, NULL);
    } else {
        copy_more(copy);
    }
}

/* A call that holds it. */
static struct outgoing *copy_call(struct copy *copy, outgoing_done *done)
{
    struct replica *replica = copy->options.replica;
    struct outgoing *call = stub_outgoing(replica->stub, replica, done);
    call->copy = copy;
    copy->refs++;
    copy->flight++;
    return call;
}

static void copy_ask(struct copy *copy, uint32_t index, int32_t size)
{
    struct replica *replica = copy->options.replica;
    struct stub *stub = replica->stub;
    struct copy_file *file = &copy->files[index];
    struct msg_nfs_copy_request request;
    wire_init(&wire_nfs_copy_request, &request);
    request.source = peer_address(copy->options.source);
    request.hp_source = peer_host_port(copy->options.source);
    WIRE_SET(&request, 11);
    request.source_dir = copy->source_dir;
    request.dst_dir = copy->dir;
    request.file_name = file->name;
    request.offset = file->asked;
    request.size = size;
    request.is_last = file->asked + size == file->size;
    request.source_disk_tag = copy->disk_tag;
    WIRE_SET(&request, 9);
    request.pid = replica->pid;
    WIRE_SET(&request, 10);
    stub_encode(stub, &wire_nfs_copy_request, &request);
    struct outgoing *call = copy_call(copy, copy_piece_came);
    call->file = index;
    call->offset = file->asked;
    call->size = (size_t) size;
    file->asked += size;
    stub_call(call, copy->options.source->name, "RPC_NFS_COPY", COPY_TIMEOUT);
}

static bool copy_create(const struct copy *copy, struct copy_file *file)
{
    const char *slash = strrchr(file->name, '/');
    struct buf path = { 0 };
    buf_printf(&path, "%s/%s", copy->dir, slash ? slash + 1 : file->name);
    file->fd = open(path.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    buf_done(&path);
    return file->fd >= 0;
}

/* As many pieces as may be under way. */
static void copy_more(struct copy *copy)
{
    while (copy->flight < COPY_FLIGHT_MAX && copy->current < copy->count) {
        struct copy_file *file = &copy->files[copy->current];
        struct fail fail;
        if (file->fd < 0 && !copy_create(copy, file)) {
            fail_set(&fail, BR_DENIED, "%s/%s: %s", copy->dir, file->name, strerror(errno));
            copy_end(copy, &fail);
            return;
        }
        int64_t left = file->size - file->asked;
        if (left > 0)
            copy_ask(copy, copy->current, (int32_t) (left < COPY_PIECE ? left : COPY_PIECE));
        if (file->size == 0) {
            copy_close(copy, file);
            copy->left--;
        }
        if (file->asked == file->size)
            copy->current++;
    }
    if (copy->left == 0)
        copy_end(copy, NULL);
}

/* -- Sizes ------------------------------------------------------------------------------------ */

static const char *copy_sizes(struct copy *copy, const struct rdsn_reply *reply)
{
    struct msg_nfs_size_response response;
    const char *error;
    if (!stub_decode(copy->options.replica->stub, reply, &wire_nfs_size_response, &response,
                     &error))
        return error;
    if (response.error != 0)
        return "it cannot tell how large its files are";
    if (response.size_list.count != copy->count)
        return "sizes of other files than those asked for came";
    const int64_t *sizes = response.size_list.items;
    for (uint32_t i = 0; i < copy->count; i++) {
        if (sizes[i] < 0)
            return "a size below 0 came";
        copy->files[i].size = sizes[i];
    }
    return NULL;
}

static void copy_sizes_came(struct outgoing *call, const struct rdsn_reply *reply)
{
    struct copy *copy = call->copy;
    struct fail fail;
    copy->flight--;
    if (copy->ended)
        return;
    const char *wrong = copy_sizes(copy, reply);
    if (!wrong) {
        copy_more(copy);
        return;
    }
    fail_set(&fail, BR_UNAVAILABLE, "%s of %s: %s", copy->source_dir, copy->options.source->name,
             wrong);
    copy_end(copy, &fail);
}

static void copy_ask_sizes(struct copy *copy)
{
    struct replica *replica = copy->options.replica;
    struct stub *stub = replica->stub;
    struct msg_nfs_size_request request;
    wire_init(&wire_nfs_size_request, &request);
    request.source = peer_address(copy->options.source);
    request.hp_source = peer_host_port(copy->options.source);
    WIRE_SET(&request, 9);
    request.source_dir = copy->source_dir;
    request.dst_dir = copy->dir;
    request.file_list = (struct wire_list){ .items = (void *) (uintptr_t) copy->options.files,
                                            .count = copy->count };
    request.source_disk_tag = copy->disk_tag;
    WIRE_SET(&request, 6);
    request.pid = replica->pid;
    WIRE_SET(&request, 8);
    stub_encode(stub, &wire_nfs_size_request, &request);
    stub_call(copy_call(copy, copy_sizes_came), copy->options.source->name, "RPC_NFS_GET_FILE_SIZE",
              COPY_TIMEOUT);
}

struct copy *copy_begin(const struct copy_options *options)
{
    struct copy *copy = mem_new(sizeof *copy);
    copy->options = *options;
    copy->source_dir = mem_text(options->source_dir);
    copy->disk_tag = mem_text(options->disk_tag);
    copy->dir = mem_text(options->dir);
    copy->count = copy->left = options->count;
    copy->files = mem_array(options->count, sizeof *copy->files);
    for (uint32_t i = 0; i < options->count; i++)
        copy->files[i] = (struct copy_file){ .name = mem_text(options->files[i]), .fd = -1 };
    copy->refs = 1;
    replica_hold(options->replica);
    copy_ask_sizes(copy);
    copy->options.files = NULL;
    return copy;
}
