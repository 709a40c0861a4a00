/* nfs -- files of replicas for those who learn (src/nfs/nfs_server_impl.cpp).
 *
 * A path comes from another server: only what is below this server's data directories is given out.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/replica/copy.h"

#define NFS_PIECE_MAX (8 << 20) /* bytes of one answer; Pegasus asks for 4 MiB */

/* Is it below a data directory, without a way up? */
static bool nfs_ours(const struct stub *stub, const char *path)
{
    if (strstr(path, "/../"))
        return false;
    for (uint32_t i = 0; i < stub->options.dir_count; i++) {
        const char *data = stub->options.dirs[i].path;
        size_t size = strlen(data);
        if (strncmp(path, data, size) == 0
            && strncmp(path + size, "/replica/reps/", strlen("/replica/reps/")) == 0)
            return true;
    }
    return false;
}

/* -1: it may not or cannot be opened, or is no file. */
static int nfs_open(const struct stub *stub, const char *dir, const char *name)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s/%s", dir, name);
    int fd = nfs_ours(stub, path.data) ? open(path.data, O_RDONLY | O_CLOEXEC) : -1;
    struct stat stat_;
    buf_done(&path);
    if (fd < 0 || (fstat(fd, &stat_) == 0 && S_ISREG(stat_.st_mode)))
        return fd;
    close(fd);
    return -1;
}

void nfs_sizes(struct stub *stub, struct rdsn_incoming *incoming, const void *message)
{
    const struct msg_nfs_size_request *request = message;
    const char *const *files = request->file_list.items;
    struct msg_nfs_size_response response;
    wire_init(&wire_nfs_size_response, &response);
    int64_t *sizes = arena_alloc(&stub->arena, (request->file_list.count + 1u) * sizeof *sizes);
    for (uint32_t i = 0; i < request->file_list.count && response.error == 0; i++) {
        struct stat stat_ = { .st_size = 0 };
        int fd = nfs_open(stub, request->source_dir, files[i]);
        if (fd < 0 || fstat(fd, &stat_) != 0)
            response.error = 1;
        if (fd >= 0)
            close(fd);
        sizes[i] = stat_.st_size;
    }
    if (response.error == 0) {
        response.file_list = request->file_list;
        response.size_list =
            (struct wire_list){ .items = sizes, .count = request->file_list.count };
    }
    stub_answer(stub, incoming, &wire_nfs_size_response, &response);
}

/* false: less is there than was asked for. */
static bool nfs_read(int fd, char *bytes, size_t size, int64_t offset)
{
    for (size_t at = 0; at < size;) {
        ssize_t got = pread(fd, bytes + at, size - at, offset + (int64_t) at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += (size_t) got;
    }
    return true;
}

void nfs_copy(struct stub *stub, struct rdsn_incoming *incoming, const void *message)
{
    const struct msg_nfs_copy_request *request = message;
    struct msg_nfs_copy_response response;
    wire_init(&wire_nfs_copy_response, &response);
    response.error = "ERR_OK";
    response.offset = request->offset;
    response.size = request->size;
    if (request->size < 0 || request->size > NFS_PIECE_MAX || request->offset < 0) {
        response.error = "ERR_INVALID_PARAMETERS";
        stub_answer(stub, incoming, &wire_nfs_copy_response, &response);
        return;
    }
    size_t size = (size_t) request->size;
    char *bytes = arena_alloc(&stub->arena, size + 1);
    int fd = nfs_open(stub, request->source_dir, request->file_name);
    if (fd < 0)
        response.error = "ERR_OBJECT_NOT_FOUND";
    else if (!nfs_read(fd, bytes, size, request->offset))
        response.error = "ERR_FILE_OPERATION_FAILED";
    else
        response.file_content = (br_bytes){ bytes, size };
    if (fd >= 0)
        close(fd);
    stub_answer(stub, incoming, &wire_nfs_copy_response, &response);
}
