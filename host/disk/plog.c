/* plog -- see plog.h. */
#include "host/disk/plog.h"

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/crc.h"
#include "host/base/number.h"

#define PLOG_MAGIC       0xdeadbeefu
#define PLOG_VERSION     1u
#define PLOG_HEAD_SIZE   20 /* without the origins */
#define PLOG_ORIGIN_SIZE 24

/* -- Names ------------------------------------------------------------------------------------ */

/* number.h lets through a minus and zeros in front. */
static bool plog_digits(const char *text, size_t size)
{
    return *text != '-' && (*text != '0' || size == 1);
}

bool plog_name_parse(const char *text, struct plog_name *ret_name)
{
    struct plog_name name;
    if (strncmp(text, "log.", 4) != 0)
        return false;
    const char *index = text + 4, *dot = strchr(index, '.');
    if (!dot || !plog_digits(index, (size_t) (dot - index))
        || !number_i32(index, (size_t) (dot - index), &name.index) || name.index < PLOG_FIRST_INDEX)
        return false;
    const char *offset = dot + 1;
    size_t size = strlen(offset);
    if (!plog_digits(offset, size) || !number_i64(offset, size, &name.start_offset))
        return false;
    *ret_name = name;
    return true;
}

void plog_name_format(const struct plog_name *name, char text[PLOG_NAME_MAX])
{
    snprintf(text, PLOG_NAME_MAX, "log.%" PRId32 ".%" PRId64, name->index, name->start_offset);
}

/* -- Little-endian numbers -------------------------------------------------------------------- */

static uint32_t plog_load32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static int64_t plog_load64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return (int64_t) le64toh(value);
}

static void plog_put32(struct buf *buf, uint32_t value)
{
    uint32_t little = htole32(value);
    buf_put(buf, &little, sizeof little);
}

static void plog_put64(struct buf *buf, int64_t value)
{
    uint64_t little = htole64((uint64_t) value);
    buf_put(buf, &little, sizeof little);
}

/* -- Writing ---------------------------------------------------------------------------------- */

void plog_writer_begin(struct plog_writer *writer, const struct plog_name *name)
{
    *writer = (struct plog_writer){ .name = *name };
}

void plog_writer_resume(struct plog_writer *writer, const struct plog_reader *reader)
{
    assert(reader->good > 0);
    *writer = (struct plog_writer){ .name = reader->name,
                                    .size = (int64_t) reader->good,
                                    .crc = reader->crc };
}

void plog_block_begin(struct plog_writer *writer, struct buf *buf)
{
    static const uint8_t room[PLOG_BLOCK_HEADER];
    assert(!writer->in_block);
    writer->in_block = true;
    writer->block = buf->size;
    buf_put(buf, room, sizeof room);
}

void plog_block_end(struct plog_writer *writer, struct buf *buf)
{
    assert(writer->in_block && buf->size >= writer->block + PLOG_BLOCK_HEADER);
    writer->in_block = false;
    char *block = buf->data + writer->block, *body = block + PLOG_BLOCK_HEADER;
    size_t size = buf->size - writer->block - PLOG_BLOCK_HEADER;
    if (size == 0) {
        buf->size = writer->block;
        buf->data[buf->size] = '\0';
        return;
    }
    writer->crc = crc32c(body, size, writer->crc);
    uint32_t header[] = { htole32(PLOG_MAGIC), htole32((uint32_t) size), htole32(writer->crc),
                          htole32((uint32_t) writer->size) };
    memcpy(block, header, sizeof header);
    writer->size += (int64_t) (sizeof header + size);
}

void plog_put_head(struct plog_writer *writer, const struct plog_origin *origin, struct buf *buf)
{
    assert(writer->size == 0);
    plog_block_begin(writer, buf);
    plog_put32(buf, PLOG_MAGIC);
    plog_put32(buf, PLOG_VERSION);
    plog_put64(buf, writer->name.start_offset);
    plog_put32(buf, origin ? 1 : 0);
    if (origin) {
        plog_put32(buf, (uint32_t) origin->pid.app_id);
        plog_put32(buf, (uint32_t) origin->pid.partition);
        plog_put64(buf, origin->max_decree);
        plog_put64(buf, origin->valid_start_offset);
    }
    plog_block_end(writer, buf);
}

br_status plog_block_put(struct plog_writer *writer, struct mutation_header *header,
                         br_bytes updates, struct buf *buf, struct fail *ret_fail)
{
    assert(writer->in_block && writer->size > 0);
    if (updates.size > PLOG_MUTATION_MAX - MUTATION_HEADER_SIZE)
        return fail_set(ret_fail, BR_TOOBIG,
                        "mutation %" PRId64 " of %zu bytes is too large for the log: at most %u",
                        header->decree, updates.size + MUTATION_HEADER_SIZE, PLOG_MUTATION_MAX);
    if (updates.size + MUTATION_HEADER_SIZE + 2 * PLOG_BLOCK_HEADER + buf->size - writer->block
        > PLOG_FILE_MAX - (size_t) writer->size)
        return fail_set(ret_fail, BR_TOOBIG,
                        "log.%" PRId32 ".%" PRId64 " is full: at most %u bytes", writer->name.index,
                        writer->name.start_offset, PLOG_FILE_MAX);
    if (buf->size - writer->block > PLOG_BLOCK_SIZE) {
        plog_block_end(writer, buf);
        plog_block_begin(writer, buf);
    }
    header->log_offset = plog_writer_end(writer) + (int64_t) (buf->size - writer->block);
    mutation_encode(header, updates, buf);
    return BR_OK;
}

/* -- Reading ---------------------------------------------------------------------------------- */

static bool plog_stop(struct plog_reader *reader, enum plog_stop stop, size_t at)
{
    reader->stop = stop;
    fail_prefix(&reader->why, "at byte %zu (offset %" PRId64 ")", at,
                reader->name.start_offset + (int64_t) at);
    return false;
}

/* The mutations from `at` to the end of the block, each of them where it says it is. */
static bool plog_check_mutations(struct plog_reader *reader, size_t at, size_t end)
{
    struct mutation_header header;
    br_bytes updates;
    size_t size;
    for (; at < end; at += size) {
        br_bytes rest = { reader->bytes + at, end - at };
        if (mutation_decode(rest, &header, &updates, &size, &reader->why))
            return plog_stop(reader, PLOG_CORRUPT, at);
        if (header.log_offset != reader->name.start_offset + (int64_t) at) {
            fail_set(&reader->why, BR_CORRUPT, "a mutation that was written for offset %" PRId64,
                     header.log_offset);
            return plog_stop(reader, PLOG_CORRUPT, at);
        }
    }
    return true;
}

/* The head, at the beginning of the first body; *at is behind it then. */
static bool plog_check_head(struct plog_reader *reader, size_t *at, size_t end)
{
    const uint8_t *head = reader->bytes + *at;
    size_t left = end - *at;
    const char *wrong = NULL;
    if (left < PLOG_HEAD_SIZE)
        wrong = "is cut short";
    else if (plog_load32(head) != PLOG_MAGIC)
        wrong = "has no magic";
    else if (plog_load32(head + 4) != PLOG_VERSION)
        wrong = "is of an unknown version";
    else if (plog_load64(head + 8) != reader->name.start_offset)
        wrong = "says that the file begins elsewhere than its name does";
    else if (plog_load32(head + 16) > (left - PLOG_HEAD_SIZE) / PLOG_ORIGIN_SIZE)
        wrong = "says more replicas than it has room for";
    if (wrong) {
        fail_set(&reader->why, BR_CORRUPT, "the head of the file %s", wrong);
        return plog_stop(reader, PLOG_CORRUPT, *at);
    }
    reader->origins = head + PLOG_HEAD_SIZE;
    reader->origin_count = plog_load32(head + 16);
    *at += PLOG_HEAD_SIZE + reader->origin_count * PLOG_ORIGIN_SIZE;
    return true;
}

/* The header of the block behind the good ones, and its CRC; *ret_end is where it ends. */
static bool plog_check_block(struct plog_reader *reader, size_t *ret_end, uint32_t *ret_crc)
{
    const uint8_t *block = reader->bytes + reader->good;
    size_t left = reader->size - reader->good;
    const char *wrong = NULL;
    enum plog_stop stop = PLOG_CORRUPT;
    if (left >= 4 && plog_load32(block) != PLOG_MAGIC) {
        wrong = "has no magic";
    } else if (left < PLOG_BLOCK_HEADER) {
        wrong = "is not whole";
        stop = PLOG_TRUNCATED;
    } else if (plog_load32(block + 4) > INT32_MAX) {
        wrong = "has a size below 0";
    } else if (plog_load32(block + 12) != (uint32_t) reader->good) {
        wrong = "says that it is elsewhere";
    } else if (plog_load32(block + 4) > left - PLOG_BLOCK_HEADER) {
        wrong = "is not whole";
        stop = PLOG_TRUNCATED;
    } else {
        size_t size = plog_load32(block + 4);
        *ret_end = reader->good + PLOG_BLOCK_HEADER + size;
        *ret_crc = crc32c(block + PLOG_BLOCK_HEADER, size, reader->crc);
        wrong = *ret_crc == plog_load32(block + 8) ? NULL : "has a wrong checksum";
    }
    if (!wrong)
        return true;
    fail_set(&reader->why, BR_CORRUPT, "a block %s", wrong);
    return plog_stop(reader, stop, reader->good);
}

static bool plog_next_block(struct plog_reader *reader)
{
    size_t at = reader->good + PLOG_BLOCK_HEADER, end;
    uint32_t crc;
    if (!plog_check_block(reader, &end, &crc)
        || (reader->good == 0 && !plog_check_head(reader, &at, end))
        || !plog_check_mutations(reader, at, end))
        return false;
    reader->at = at;
    reader->good = reader->block_end = end;
    reader->crc = crc;
    return true;
}

void plog_read_begin(struct plog_reader *reader, const struct plog_name *name, br_bytes file)
{
    static const uint8_t none[1];
    *reader = (struct plog_reader){ .name = *name,
                                    .bytes = file.data ? file.data : none,
                                    .size = file.size };
    if (file.size > PLOG_FILE_MAX || name->start_offset > INT64_MAX - (int64_t) PLOG_FILE_MAX) {
        fail_set(&reader->why, BR_TOOBIG, "%zu bytes from offset %" PRId64 " are too many",
                 file.size, name->start_offset);
        reader->stop = PLOG_CORRUPT;
    } else {
        plog_next_block(reader);
    }
}

bool plog_read_next(struct plog_reader *reader, struct mutation_header *ret_header,
                    br_bytes *ret_updates)
{
    size_t size;
    while (!reader->stop && reader->at == reader->block_end) {
        if (reader->good == reader->size)
            reader->stop = PLOG_END;
        else
            plog_next_block(reader);
    }
    if (reader->stop)
        return false;
    br_bytes rest = { reader->bytes + reader->at, reader->block_end - reader->at };
    br_status status = mutation_decode(rest, ret_header, ret_updates, &size, NULL);
    assert(!status); /* plog_check_mutations saw it */
    reader->at += size;
    return true;
}

bool plog_read_origin(const struct plog_reader *reader, struct gpid pid,
                      struct plog_origin *ret_origin)
{
    for (size_t i = 0; reader->good > 0 && i < reader->origin_count; i++) {
        const uint8_t *at = reader->origins + i * PLOG_ORIGIN_SIZE;
        struct gpid found = { (int32_t) plog_load32(at), (int32_t) plog_load32(at + 4) };
        if (found.app_id != pid.app_id || found.partition != pid.partition)
            continue;
        *ret_origin = (struct plog_origin){ pid, plog_load64(at + 8), plog_load64(at + 16) };
        return true;
    }
    return false;
}
