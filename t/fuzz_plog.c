/* fuzz_plog -- private logs: whatever is read can be read again up to where it was good, and a
 * writer can go on from there.  Read as it is, then with checksums that are right, because else
 * nothing would ever come behind them.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/crc.h"
#include "host/disk/plog.h"
#include "t/fuzz.h"

static const struct plog_name fuzz_name = { 1, 0 };

static size_t fuzz_count(struct plog_reader *reader, br_bytes file)
{
    struct mutation_header header;
    struct mutation_update update;
    struct mutation_walk walk;
    br_bytes updates;
    size_t count = 0;
    plog_read_begin(reader, &fuzz_name, file);
    for (; plog_read_next(reader, &header, &updates); count++) {
        mutation_walk_begin(updates, &walk);
        while (mutation_walk_next(&walk, &update))
            crc32c(update.data.data, update.data.size, 0);
    }
    if (reader->good > file.size || (reader->stop == PLOG_END) != (reader->why.text[0] == 0)
        || (reader->stop == PLOG_END && reader->good != file.size))
        abort();
    return count;
}

/* The good part of a file, and another block behind it. */
static void fuzz_go_on(const struct plog_reader *reader, size_t count)
{
    struct plog_writer writer;
    struct plog_reader again;
    struct mutation_header header = { .decree = 1 };
    struct buf file = { 0 };
    buf_put(&file, reader->bytes, reader->good);
    if (fuzz_count(&again, buf_bytes(&file)) != count || again.stop != PLOG_END
        || again.crc != reader->crc)
        abort();
    plog_writer_resume(&writer, reader);
    plog_block_begin(&writer, &file);
    if (plog_block_put(&writer, &header, (br_bytes){ "\0\0\0", 4 }, &file, NULL))
        abort();
    plog_block_end(&writer, &file);
    if (fuzz_count(&again, buf_bytes(&file)) != count + 1 || again.stop != PLOG_END)
        abort();
    buf_done(&file);
}

static void fuzz_read(const uint8_t *data, size_t size)
{
    struct plog_reader reader;
    size_t count = fuzz_count(&reader, (br_bytes){ data, size });
    if (reader.good > 0)
        fuzz_go_on(&reader, count);
}

static void fuzz_mend(uint8_t *data, size_t size)
{
    uint32_t crc = 0, body;
    for (size_t at = 0; size - at >= PLOG_BLOCK_HEADER; at += PLOG_BLOCK_HEADER + body) {
        uint32_t offset = (uint32_t) at;
        memcpy(&body, data + at + 4, sizeof body);
        if (body > size - at - PLOG_BLOCK_HEADER)
            break;
        crc = crc32c(data + at + PLOG_BLOCK_HEADER, body, crc);
        memcpy(data + at, "\xef\xbe\xad\xde", 4);
        memcpy(data + at + 8, &crc, sizeof crc);
        memcpy(data + at + 12, &offset, sizeof offset);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    fuzz_read(data, size);
    if (size)
        memcpy(copy, data, size);
    fuzz_mend(copy, size);
    fuzz_read(copy, size);
    free(copy);
    return 0;
}
