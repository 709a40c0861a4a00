/* fuzz_scan -- what transport_scan reads of one replica: whatever stands in its directory, it is
 * read or a sentence, and decrees are in order.
 *
 * The first byte chooses what the rest is: 'a' an .app-info and then a .init-info, the size of the
 * first before both in two bytes; 'l' a file of the log; 'm' mutations of one, three numbers of
 * eight bytes each: ballot, decree, committed.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/disk/plog_tail.h"
#include "host/disk/replica_read.h"
#include "t/fuzz.h"

static char fuzz_dir[256]; /* "" until the first input */

static void fuzz_path(const char *name, char path[512])
{
    snprintf(path, 512, "%s/1.0.pegasus%s", fuzz_dir, name);
}

static void fuzz_write(const char *name, const void *bytes, size_t size)
{
    char path[512];
    fuzz_path(name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t) size)
        abort();
    close(fd);
}

static void fuzz_clean(void)
{
    static const char *const names[] = { "/.app-info", "/.init-info", "/plog/log.1.0", "/plog",
                                         "" };
    char path[512];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fuzz_path(names[i], path);
        remove(path);
    }
    remove(fuzz_dir);
}

static void fuzz_begin(void)
{
    static const struct br_table table = {
        .id = 1, .name = "t", .type = "pegasus", .status = BR_TABLE_AVAILABLE, .partition_count = 1
    };
    static const struct init_info init = { .ballot = 3, .durable = 10 };
    const char *above = getenv("TMPDIR");
    struct buf bytes = { 0 };
    char path[512];
    if (*fuzz_dir == '\0') {
        snprintf(fuzz_dir, sizeof fuzz_dir, "%s/fuzzXXXXXX", above ? above : "/tmp");
        if (!mkdtemp(fuzz_dir))
            abort();
        fuzz_path("", path);
        mkdir(path, 0777);
        fuzz_path("/plog", path);
        mkdir(path, 0777);
        atexit(fuzz_clean);
    }
    app_info_encode(&table, false, &bytes);
    fuzz_write("/.app-info", bytes.data, bytes.size);
    buf_clear(&bytes);
    init_info_encode(&init, &bytes);
    fuzz_write("/.init-info", bytes.data, bytes.size);
    fuzz_write("/plog/log.1.0", "", 0);
    buf_done(&bytes);
}

static void fuzz_mutations(const uint8_t *data, size_t size)
{
    const struct plog_origin origin = { { 1, 0 }, 10, 0 };
    struct plog_writer writer;
    struct buf bytes = { 0 };
    plog_writer_begin(&writer, &(struct plog_name){ PLOG_FIRST_INDEX, 0 });
    plog_put_head(&writer, &origin, &bytes);
    plog_block_begin(&writer, &bytes);
    for (; size >= 24; data += 24, size -= 24) {
        struct mutation_header header = { .pid = { 1, 0 } };
        memcpy(&header.ballot, data, 8);
        memcpy(&header.decree, data + 8, 8);
        memcpy(&header.last_committed_decree, data + 16, 8);
        plog_block_put(&writer, &header, (br_bytes){ "\0\0\0", 4 }, &bytes, NULL);
    }
    plog_block_end(&writer, &bytes);
    fuzz_write("/plog/log.1.0", bytes.data, bytes.size);
    buf_done(&bytes);
}

static void fuzz_input(const uint8_t *data, size_t size)
{
    if (size > 3 && *data == 'a') {
        size_t first = data[1] | (size_t) data[2] << 8;
        first = first < size - 3 ? first : size - 3;
        fuzz_write("/.app-info", data + 3, first);
        fuzz_write("/.init-info", data + 3 + first, size - 3 - first);
    } else if (size && *data == 'l') {
        fuzz_write("/plog/log.1.0", data + 1, size - 1);
    } else if (size && *data == 'm') {
        fuzz_mutations(data + 1, size - 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct replica_read read;
    struct plog_tail tail;
    struct fail fail = { .status = BR_OK };
    char path[512];
    fuzz_begin();
    fuzz_input(data, size);
    fuzz_path("/plog", path);
    arena_init(&arena, 0);
    br_status status = replica_read(&arena, fuzz_dir, "1.0.pegasus", "1.0.pegasus", &read, &fail);
    if (!status) {
        assert(read.decrees.committed == read.durable && read.table.id == 1);
        status = plog_tail_read(path, (struct gpid){ 1, 0 }, read.decrees.committed,
                                read.init.offset_in_private_log, &tail, &fail);
        assert(status
               || (tail.committed >= read.durable && tail.committed >= 0
                   && tail.prepared >= tail.committed
                   && tail.prepared - tail.committed <= PREPARE_LIST_MAX));
    }
    assert(!status || *fail.text);
    arena_done(&arena);
    return 0;
}
