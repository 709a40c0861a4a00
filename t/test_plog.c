/* test_plog -- private logs: bytes by hand, back and forth, cut and damaged at every byte. */
#include <stdlib.h>
#include <string.h>

#include "host/base/crc.h"
#include "t/plog.h"

static const struct plog_name start = { 7, 1000 };
static const struct gpid pid = { 2, 3 };

/* -- Names ------------------------------------------------------------------------------------ */

/* The first of these are src/replica/test/log_file_test.cpp's. */
static const struct {
    const char *text;
    bool ok;
    struct plog_name name;
} names[] = {
    { "", false, { 0, 0 } },
    { "log.", false, { 0, 0 } },
    { "log.0", false, { 0, 0 } },
    { "log..0", false, { 0, 0 } },
    { "log.0_0", false, { 0, 0 } },
    { "log.123.abc", false, { 0, 0 } },
    { "log.12a.123", false, { 0, 0 } },
    { "log.123.456.789", false, { 0, 0 } },
    { "log.2147483648.123", false, { 0, 0 } },
    { "log.123.9223372036854775808", false, { 0, 0 } },
    { "log.123.456", true, { 123, 456 } },
    { "log.2147483647.123", true, { INT32_MAX, 123 } },
    { "log.123.9223372036854775807", true, { 123, INT64_MAX } },
    { "log.2147483647.9223372036854775807", true, { INT32_MAX, INT64_MAX } },
    { "log.1.0", true, { 1, 0 } },
    { "log.0.0", false, { 0, 0 } },
    { "log.-1.0", false, { 0, 0 } },
    { "log.1.-0", false, { 0, 0 } },
    { "log.+1.0", false, { 0, 0 } },
    { "log.01.0", false, { 0, 0 } },
    { "log.1.00", false, { 0, 0 } },
    { "log.1.", false, { 0, 0 } },
    { "log.1.0.removed", false, { 0, 0 } },
    { "log.1. 0", false, { 0, 0 } },
    { "Log.1.0", false, { 0, 0 } },
};

START_TEST(names_are_parsed)
{
    struct plog_name name;
    char text[PLOG_NAME_MAX];
    ck_assert_int_eq(plog_name_parse(names[_i].text, &name), names[_i].ok);
    if (!names[_i].ok)
        return;
    ck_assert_int_eq(name.index, names[_i].name.index);
    ck_assert_int_eq(name.start_offset, names[_i].name.start_offset);
    plog_name_format(&name, text);
    ck_assert_str_eq(text, names[_i].text);
}
END_TEST

/* -- Bytes ------------------------------------------------------------------------------------ */

/* log.7.1000 of 2.3, put together from the format's description; the checksums are those of a CRC
 * that was calculated bit by bit. */
static const char vector[] =
    "efbeadde 2c000000 8535ca32 00000000"
    " efbeadde 01000000 e803000000000000 01000000"
    " 02000000 03000000 0a00000000000000 1000000000000000"
    "efbeadde e1000000 bd771265 3c000000"
    " 0000000000000000 02000000 03000000 0500000000000000 0b00000000000000"
    " 3404000000000000 0a00000000000000 00401e18240a0600 02000000"
    " 11000000 5250435f525244425f525244425f505554 01000000 03000000"
    " 14000000 5250435f525244425f525244425f52454d4f5645 01000000 02000000 616263 6465"
    " 0000000000000000 02000000 03000000 0500000000000000 0c00000000000000"
    " b204000000000000 0b00000000000000 01401e18240a0600 01000000"
    " 1b000000 5250435f5245504c49434154494f4e5f57524954455f454d505459 00000000 00000000"
    "efbeadde 3c000000 3ba76615 2d010000"
    " 0000000000000000 02000000 03000000 0600000000000000 0d00000000000000"
    " 2505000000000000 0c00000000000000 02401e18240a0600 00000000";

#define VECTOR_BLOCKS 3
static const size_t vector_ends[VECTOR_BLOCKS] = { 60, 301, 377 };
static const int vector_mutations[VECTOR_BLOCKS] = { 0, 2, 3 }; /* up to there */

static void vector_bytes(struct buf *buf)
{
    test_unhex(vector, sizeof vector - 1, buf);
    ck_assert_uint_eq(buf->size, vector_ends[VECTOR_BLOCKS - 1]);
}

static void put(struct plog_writer *writer, int64_t ballot, int64_t decree,
                const struct buf *updates, struct buf *buf)
{
    struct fail fail;
    struct mutation_header header = { pid, ballot,     decree,
                                      -1,  decree - 1, 1700000000000000 + decree - 11 };
    ck_assert_int_eq(plog_block_put(writer, &header, buf_bytes(updates), buf, &fail), BR_OK);
}

START_TEST(written_to_the_byte)
{
    struct buf want = { 0 }, got = { 0 }, updates[3] = { { 0 }, { 0 }, { 0 } };
    struct plog_writer writer;
    struct plog_origin origin = { pid, 10, 16 };
    mutation_put_count(&updates[0], 2);
    mutation_put_update(&updates[0], "RPC_RRDB_RRDB_PUT", 1, 3);
    mutation_put_update(&updates[0], "RPC_RRDB_RRDB_REMOVE", 1, 2);
    buf_text(&updates[0], "abcde");
    mutation_put_count(&updates[1], 1);
    mutation_put_update(&updates[1], "RPC_REPLICATION_WRITE_EMPTY", 0, 0);
    mutation_put_count(&updates[2], 0);
    plog_writer_begin(&writer, &start);
    plog_put_head(&writer, &origin, &got);
    plog_block_begin(&writer, &got);
    put(&writer, 5, 11, &updates[0], &got);
    put(&writer, 5, 12, &updates[1], &got);
    plog_block_end(&writer, &got);
    plog_block_begin(&writer, &got);
    put(&writer, 6, 13, &updates[2], &got);
    plog_block_end(&writer, &got);
    vector_bytes(&want);
    ck_assert_uint_eq(got.size, want.size);
    ck_assert_mem_eq(got.data, want.data, want.size);
    ck_assert_int_eq(plog_writer_end(&writer), 1377);
    for (int i = 0; i < 3; i++)
        buf_done(&updates[i]);
    buf_done(&want);
    buf_done(&got);
}
END_TEST

START_TEST(read_to_the_byte)
{
    struct buf bytes = { 0 };
    struct plog_reader reader;
    struct plog_origin origin;
    struct mutation_header header;
    br_bytes updates;
    vector_bytes(&bytes);
    plog_read_begin(&reader, &start, buf_bytes(&bytes));
    ck_assert(plog_read_origin(&reader, pid, &origin));
    ck_assert_int_eq(origin.max_decree, 10);
    ck_assert_int_eq(origin.valid_start_offset, 16);
    ck_assert(!plog_read_origin(&reader, (struct gpid){ 2, 4 }, &origin));
    ck_assert(!plog_read_origin(&reader, (struct gpid){ 3, 3 }, &origin));
    for (int64_t i = 0; i < 3; i++) {
        static const int64_t offsets[] = { 1076, 1202, 1317 };
        ck_assert(plog_read_next(&reader, &header, &updates));
        ck_assert_int_eq(header.pid.app_id, 2);
        ck_assert_int_eq(header.pid.partition, 3);
        ck_assert_int_eq(header.ballot, i == 2 ? 6 : 5);
        ck_assert_int_eq(header.decree, 11 + i);
        ck_assert_int_eq(header.log_offset, offsets[i]);
        ck_assert_int_eq(header.last_committed_decree, 10 + i);
        ck_assert_int_eq(header.timestamp, 1700000000000000 + i);
        ck_assert_ptr_eq(updates.data, bytes.data + offsets[i] - 1000 + MUTATION_HEADER_SIZE);
    }
    ck_assert(!plog_read_next(&reader, &header, &updates));
    ck_assert(!plog_read_next(&reader, &header, &updates));
    ck_assert_int_eq(reader.stop, PLOG_END);
    ck_assert_uint_eq(reader.good, bytes.size);
    ck_assert_uint_eq(reader.crc, 0x1566a73b);
    buf_done(&bytes);
}
END_TEST

/* Older shared logs go on with mutations behind the head, in its block. */
START_TEST(a_head_may_have_mutations_behind_it)
{
    struct buf bytes = { 0 };
    struct plog_reader reader;
    struct plog_writer writer;
    struct mutation_header header;
    br_bytes updates;
    plog_writer_begin(&writer, &start);
    plog_put_head(&writer, NULL, &bytes);
    struct mutation_header first = { pid, 1, 1, start.start_offset + 36, 0, 0 };
    mutation_encode(&first, (br_bytes){ "\0\0\0", 4 }, &bytes);
    bytes.data[4] = (char) (bytes.size - PLOG_BLOCK_HEADER);
    uint32_t crc = crc32c(bytes.data + 16, bytes.size - 16, 0);
    memcpy(bytes.data + 8, &crc, sizeof crc);
    plog_read_begin(&reader, &start, buf_bytes(&bytes));
    ck_assert(plog_read_next(&reader, &header, &updates));
    ck_assert(!plog_read_next(&reader, &header, &updates));
    ck_assert_int_eq(reader.stop, PLOG_END);
    buf_done(&bytes);
}
END_TEST

/* -- Back and forth --------------------------------------------------------------------------- */

void plog_kit_put(struct plog_writer *writer, int64_t decree, size_t size, struct buf *buf)
{
    struct fail fail;
    struct buf updates = { 0 };
    struct mutation_header header = { pid, 5, decree, -1, decree - 1, 77 };
    mutation_put_count(&updates, 1);
    mutation_put_update(&updates, "RPC_RRDB_RRDB_PUT", 1, size);
    for (size_t i = 0; i < size; i++)
        buf_char(&updates, (char) (decree + (int64_t) i));
    ck_assert_int_eq(plog_block_put(writer, &header, buf_bytes(&updates), buf, &fail), BR_OK);
    buf_done(&updates);
}

void plog_kit_file(struct plog_writer *writer, const struct plog_name *name, int64_t decree,
                   int blocks, struct buf *buf)
{
    struct plog_origin origin = { pid, decree - 1, 0 };
    plog_writer_begin(writer, name);
    plog_put_head(writer, &origin, buf);
    for (int i = 0; i < blocks; i++) {
        plog_block_begin(writer, buf);
        plog_kit_put(writer, decree + 2 * i, 10, buf);
        plog_kit_put(writer, decree + 2 * i + 1, 0, buf);
        plog_block_end(writer, buf);
    }
}

/* Everything from decree 1 on; how many there were. */
static int count(struct plog_reader *reader, const struct plog_name *name, br_bytes bytes)
{
    struct mutation_header header;
    br_bytes updates;
    int mutations = 0;
    plog_read_begin(reader, name, bytes);
    for (; plog_read_next(reader, &header, &updates); mutations++)
        ck_assert_int_eq(header.decree, mutations + 1);
    ck_assert_int_ne(reader->stop, PLOG_GOING);
    return mutations;
}

START_TEST(a_large_block_is_followed_by_another)
{
    struct buf bytes = { 0 };
    struct plog_writer writer;
    struct plog_reader reader;
    plog_writer_begin(&writer, &start);
    plog_put_head(&writer, NULL, &bytes);
    size_t first = bytes.size;
    plog_block_begin(&writer, &bytes);
    plog_kit_put(&writer, 1, PLOG_BLOCK_SIZE, &bytes);
    size_t second = bytes.size;
    ck_assert_uint_gt(second - first, PLOG_BLOCK_SIZE);
    plog_kit_put(&writer, 2, 5, &bytes);
    plog_kit_put(&writer, 3, PLOG_BLOCK_SIZE - 1000, &bytes);
    plog_kit_put(&writer, 4, 5, &bytes); /* not yet full */
    plog_block_end(&writer, &bytes);
    ck_assert_mem_eq(bytes.data + first, "\xef\xbe\xad\xde", 4);
    ck_assert_mem_eq(bytes.data + second, "\xef\xbe\xad\xde", 4);
    ck_assert_int_eq(plog_writer_end(&writer), start.start_offset + (int64_t) bytes.size);
    ck_assert_int_eq(count(&reader, &start, buf_bytes(&bytes)), 4);
    ck_assert_int_eq(reader.stop, PLOG_END);
    ck_assert_uint_eq(reader.crc, writer.crc);
    buf_done(&bytes);
}
END_TEST

START_TEST(an_empty_block_is_none)
{
    struct buf bytes = { 0 };
    struct plog_writer writer, before;
    plog_kit_file(&writer, &start, 1, 1, &bytes);
    size_t size = bytes.size;
    before = writer;
    plog_block_begin(&writer, &bytes);
    plog_block_end(&writer, &bytes);
    ck_assert_uint_eq(bytes.size, size);
    ck_assert_int_eq(writer.size, before.size);
    ck_assert_uint_eq(writer.crc, before.crc);
    buf_done(&bytes);
}
END_TEST

/* Buffer after buffer, and on behind what a reader found. */
START_TEST(a_writer_goes_on)
{
    struct buf bytes = { 0 }, more = { 0 };
    struct plog_writer writer, again;
    struct plog_reader reader;
    plog_kit_file(&writer, &start, 1, 3, &bytes);
    ck_assert_int_eq(count(&reader, &start, buf_bytes(&bytes)), 6);
    plog_writer_resume(&again, &reader);
    ck_assert_int_eq(again.size, writer.size);
    for (int i = 0; i < 4; i++) {
        buf_clear(&more);
        plog_block_begin(&again, &more);
        plog_kit_put(&again, 7 + i, 3, &more);
        plog_block_end(&again, &more);
        buf_put(&bytes, more.data, more.size);
    }
    ck_assert_int_eq(count(&reader, &start, buf_bytes(&bytes)), 10);
    ck_assert_int_eq(reader.stop, PLOG_END);
    buf_done(&bytes);
    buf_done(&more);
}
END_TEST

START_TEST(writers_have_limits)
{
    struct fail fail;
    struct buf bytes = { 0 };
    struct plog_writer writer;
    struct mutation_header header = { pid, 1, 1, -1, 0, 0 };
    plog_kit_file(&writer, &start, 1, 1, &bytes);
    plog_block_begin(&writer, &bytes);
    size_t size = bytes.size;
    br_bytes updates = { NULL, PLOG_MUTATION_MAX - MUTATION_HEADER_SIZE + 1 };
    ck_assert_int_eq(plog_block_put(&writer, &header, updates, &bytes, &fail), BR_TOOBIG);
    ck_assert_ptr_nonnull(strstr(fail.text, "mutation 1 of 536870913 bytes"));
    writer.size = PLOG_FILE_MAX - 1000;
    updates.size = 1000;
    ck_assert_int_eq(plog_block_put(&writer, &header, updates, &bytes, &fail), BR_TOOBIG);
    ck_assert_ptr_nonnull(strstr(fail.text, "log.7.1000 is full"));
    ck_assert_uint_eq(bytes.size, size);
    ck_assert_int_eq(header.log_offset, -1);
    plog_kit_put(&writer, 1, 700, &bytes);
    buf_done(&bytes);
}
END_TEST

START_TEST(readers_have_limits)
{
    struct plog_reader reader;
    const struct plog_name late = { 1, INT64_MAX - PLOG_FILE_MAX + 1 };
    ck_assert_int_eq(count(&reader, &start, (br_bytes){ "", (size_t) PLOG_FILE_MAX + 1 }), 0);
    ck_assert_int_eq(reader.stop, PLOG_CORRUPT);
    ck_assert_int_eq(reader.why.status, BR_TOOBIG);
    ck_assert_int_eq(count(&reader, &start, (br_bytes){ NULL, 0 }), 0);
    ck_assert_int_eq(reader.stop, PLOG_TRUNCATED);
    ck_assert_int_eq(count(&reader, &late, (br_bytes){ "", 0 }), 0);
    ck_assert_int_eq(reader.why.status, BR_TOOBIG);
}
END_TEST

/* -- Cut and damaged -------------------------------------------------------------------------- */

/* A copy of the exact size, so that a sanitizer sees one byte too many. */
static int count_copy(struct plog_reader *reader, const struct buf *bytes, size_t size)
{
    char *copy = malloc(size ? size : 1);
    struct mutation_header header;
    br_bytes updates;
    int mutations = 0;
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes->data, size);
    plog_read_begin(reader, &start, (br_bytes){ copy, size });
    for (; plog_read_next(reader, &header, &updates); mutations++)
        ck_assert_int_eq(header.decree, 11 + mutations);
    free(copy);
    return mutations;
}

/* How many blocks end at or before `size`. */
static int whole_blocks(size_t size)
{
    int blocks = 0;
    while (blocks < VECTOR_BLOCKS && vector_ends[blocks] <= size)
        blocks++;
    return blocks;
}

START_TEST(cut_at_every_byte)
{
    struct buf bytes = { 0 };
    struct plog_reader reader;
    vector_bytes(&bytes);
    for (size_t size = 0; size <= bytes.size; size++) {
        int blocks = whole_blocks(size);
        size_t good = blocks ? vector_ends[blocks - 1] : 0;
        int mutations = blocks ? vector_mutations[blocks - 1] : 0;
        ck_assert_int_eq(count_copy(&reader, &bytes, size), mutations);
        ck_assert_uint_eq(reader.good, good);
        ck_assert_int_eq(reader.stop, good == size && size ? PLOG_END : PLOG_TRUNCATED);
        if (reader.stop != PLOG_END)
            ck_assert_ptr_nonnull(strstr(reader.why.text, "): a block is not whole"));
    }
    buf_done(&bytes);
}
END_TEST

/* Whatever bit is turned, what is read ends before the block that has it. */
START_TEST(damaged_at_every_bit)
{
    struct buf bytes = { 0 };
    struct plog_reader reader;
    vector_bytes(&bytes);
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        int blocks = whole_blocks(bit / 8);
        bytes.data[bit / 8] = (char) (bytes.data[bit / 8] ^ 1 << bit % 8);
        ck_assert_int_eq(count_copy(&reader, &bytes, bytes.size),
                         blocks ? vector_mutations[blocks - 1] : 0);
        ck_assert_uint_eq(reader.good, blocks ? vector_ends[blocks - 1] : 0);
        ck_assert_int_ne(reader.stop, PLOG_END);
        ck_assert_uint_gt(strlen(reader.why.text), 0);
        size_t in_block = bit / 8 - reader.good;
        if (in_block < 4 || in_block >= 8) /* not the size, which may point behind the end */
            ck_assert_int_eq(reader.stop, PLOG_CORRUPT);
        bytes.data[bit / 8] = (char) (bytes.data[bit / 8] ^ 1 << bit % 8);
    }
    buf_done(&bytes);
}
END_TEST

/* Bytes that make no sense under checksums that are right. */
static const struct {
    size_t at;
    const char *bytes; /* hex */
    enum plog_stop stop;
    const char *why;
} wrongs[] = {
    { 0, "efbeadde", PLOG_END, "" },
    { 4, "ffffffff", PLOG_CORRUPT, "at byte 0 (offset 1000): a block has a size below 0" },
    { 4, "13000000", PLOG_CORRUPT, "head of the file is cut short" },
    { 4, "00000000", PLOG_CORRUPT, "head of the file is cut short" },
    { 16, "efbeaddf", PLOG_CORRUPT, "head of the file has no magic" },
    { 20, "02000000", PLOG_CORRUPT, "head of the file is of an unknown version" },
    { 24, "e9", PLOG_CORRUPT, "begins elsewhere than its name does" },
    { 32, "02000000", PLOG_CORRUPT, "says more replicas than it has room for" },
    { 32, "ffffffff", PLOG_CORRUPT, "says more replicas than it has room for" },
    { 32, "00000000", PLOG_CORRUPT, "at byte 36 (offset 1036): a mutation of 24 bytes" },
    { 64, "00000000", PLOG_CORRUPT, "at byte 76 (offset 1076): a block has no magic" },
    { 64, "2e010000", PLOG_TRUNCATED, "at byte 60 (offset 1060): a block is not whole" },
    { 76, "40", PLOG_CORRUPT, "at byte 76 (offset 1076): a mutation of version 64" },
    { 108, "35", PLOG_CORRUPT, "at byte 76 (offset 1076): a mutation that was written for" },
    { 108, "ffffffffffffffff", PLOG_CORRUPT, "written for offset -1" },
    { 132, "03", PLOG_CORRUPT, "a mutation of " },
    { 132, "ffffffff", PLOG_CORRUPT, "a mutation of -1 updates" },
    { 136, "ffffff7f", PLOG_CORRUPT, "does not fit its bytes" },
    { 161, "ffffff7f", PLOG_CORRUPT, "does not fit its bytes" },
    { 373, "01", PLOG_CORRUPT, "at byte 317 (offset 1317): a mutation of 1 updates" },
};

/* Right checksums for whatever is there. */
static void mend(struct buf *bytes)
{
    uint32_t crc = 0, size;
    for (size_t at = 0; bytes->size - at >= PLOG_BLOCK_HEADER; at += PLOG_BLOCK_HEADER + size) {
        memcpy(&size, bytes->data + at + 4, sizeof size);
        if (size > bytes->size - at - PLOG_BLOCK_HEADER)
            break;
        crc = crc32c(bytes->data + at + PLOG_BLOCK_HEADER, size, crc);
        memcpy(bytes->data + at + 8, &crc, sizeof crc);
    }
}

START_TEST(nonsense_is_told)
{
    struct buf bytes = { 0 }, other = { 0 };
    struct plog_reader reader;
    vector_bytes(&bytes);
    test_unhex(wrongs[_i].bytes, strlen(wrongs[_i].bytes), &other);
    memcpy(bytes.data + wrongs[_i].at, other.data, other.size);
    mend(&bytes);
    count_copy(&reader, &bytes, bytes.size);
    ck_assert_int_eq(reader.stop, wrongs[_i].stop);
    ck_assert_msg(strstr(reader.why.text, wrongs[_i].why) != NULL, "%s", reader.why.text);
    buf_done(&bytes);
    buf_done(&other);
}
END_TEST

static TCase *format(void)
{
    TCase *tcase = tcase_create("format");
    tcase_add_loop_test(tcase, names_are_parsed, 0, sizeof names / sizeof *names);
    tcase_add_test(tcase, written_to_the_byte);
    tcase_add_test(tcase, read_to_the_byte);
    tcase_add_test(tcase, a_head_may_have_mutations_behind_it);
    tcase_add_test(tcase, a_large_block_is_followed_by_another);
    tcase_add_test(tcase, an_empty_block_is_none);
    tcase_add_test(tcase, a_writer_goes_on);
    tcase_add_test(tcase, writers_have_limits);
    tcase_add_test(tcase, readers_have_limits);
    tcase_add_test(tcase, cut_at_every_byte);
    tcase_add_test(tcase, damaged_at_every_bit);
    tcase_add_loop_test(tcase, nonsense_is_told, 0, sizeof wrongs / sizeof *wrongs);
    return tcase;
}

int main(void)
{
    return test_run("plog", format(), plog_dir_cases(), NULL);
}
