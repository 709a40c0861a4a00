/* plog_dir -- directories of private logs: whole, cut short, with holes, damaged. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/plog.h"

static const struct gpid pid = { 2, 3 };
static char *root;
static struct plog_dir dir;
static int64_t last_decree; /* of what was replayed */
static int64_t refused;     /* the decree that the callback does not want */

static void setup(void)
{
    root = test_directory();
    last_decree = refused = 0;
}

static void teardown(void)
{
    plog_dir_done(&dir);
    free(root);
}

static void put_file(const char *name, br_bytes bytes)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s/%s", root, name);
    FILE *file = fopen(path.data, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    ck_assert_int_eq(fclose(file), 0);
    buf_done(&path);
}

static void put_log(const struct plog_name *name, br_bytes bytes)
{
    char text[PLOG_NAME_MAX];
    plog_name_format(name, text);
    put_file(text, bytes);
}

/* Three files of decrees 1 to 4, 5 to 8, 9 to 12; `bytes` are the last one's, cut to `size`
 * where that is not 0. */
static void make_three(size_t size, struct plog_writer *last, struct buf *bytes)
{
    struct plog_name name = { 1, 0 };
    for (int i = 0; i < 3; i++) {
        buf_clear(bytes);
        plog_kit_file(last, &name, 1 + 4 * i, 2, bytes);
        put_log(&name, (br_bytes){ bytes->data, i == 2 && size ? size : bytes->size });
        name = (struct plog_name){ name.index + 1, plog_writer_end(last) };
    }
}

static br_status replay(void *context, const struct mutation_header *header, br_bytes updates,
                        struct fail *ret_fail)
{
    struct mutation_walk walk;
    struct mutation_update update;
    ck_assert_ptr_eq(context, &dir);
    if (header->decree == refused)
        return fail_set(ret_fail, BR_CANCELED, "not this one");
    ck_assert_int_eq(header->decree, last_decree + 1);
    last_decree = header->decree;
    mutation_walk_begin(updates, &walk);
    while (mutation_walk_next(&walk, &update))
        ck_assert_mem_eq(update.code, "RPC_RRDB_RRDB_PUT", update.code_size);
    return BR_OK;
}

static br_status look(struct fail *fail)
{
    plog_dir_done(&dir);
    last_decree = 0;
    return plog_dir_read(root, pid, replay, &dir, &dir, fail);
}

static void look_well(void)
{
    struct fail fail;
    ck_assert_msg(look(&fail) == BR_OK, "%s", fail.text);
}

static void look_badly(br_status status, const char *why)
{
    struct fail fail = { .text = "" };
    ck_assert_int_eq(look(&fail), status);
    ck_assert_msg(strstr(fail.text, why) != NULL, "%s", fail.text);
    ck_assert_ptr_nonnull(strstr(fail.text, root));
}

static void next_is(int32_t index, int64_t start_offset)
{
    ck_assert_int_eq(dir.next.index, index);
    ck_assert_int_eq(dir.next.start_offset, start_offset);
}

START_TEST(nothing_is_a_log)
{
    look_well();
    ck_assert_uint_eq(dir.count, 0);
    next_is(1, 0);
    put_file("log.1.0.removed", (br_bytes){ "x", 1 });
    put_file("learn", (br_bytes){ "x", 1 });
    look_well();
    ck_assert_uint_eq(dir.count, 0);
    ck_assert_int_eq(rmdir(root), -1);
}
END_TEST

START_TEST(file_after_file)
{
    struct buf bytes = { 0 };
    struct plog_writer last;
    make_three(0, &last, &bytes);
    look_well();
    ck_assert_int_eq(last_decree, 12);
    ck_assert_uint_eq(dir.count, 3);
    ck_assert_int_eq(dir.mutations, 12);
    ck_assert_int_eq(dir.max_decree, 12);
    ck_assert_int_eq(dir.max_ballot, 5);
    ck_assert_int_eq(dir.max_committed, 11);
    next_is(4, plog_writer_end(&last));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(dir.files[i].name.index, i + 1);
        ck_assert_int_eq(dir.files[i].max_decree, 4 * i + 4);
        ck_assert_int_eq(dir.files[i].origin.max_decree, 4 * i);
        ck_assert_int_eq(dir.files[i].end_offset - dir.files[i].name.start_offset,
                         dir.files[i].size);
    }
    buf_done(&bytes);
}
END_TEST

/* Indices sort as numbers, and the first file need not be the first that ever was. */
START_TEST(the_order_is_of_numbers)
{
    struct buf bytes = { 0 };
    struct plog_writer writer;
    struct plog_name name = { 9, 5000 };
    for (int i = 0; i < 3; i++) {
        buf_clear(&bytes);
        plog_kit_file(&writer, &name, 1 + 2 * i, 1, &bytes);
        put_log(&name, buf_bytes(&bytes));
        name = (struct plog_name){ name.index + 1, plog_writer_end(&writer) };
    }
    look_well();
    ck_assert_int_eq(last_decree, 6);
    next_is(12, name.start_offset);
    buf_done(&bytes);
}
END_TEST

/* At every byte of the last file; and whatever is written as the next file then is read. */
START_TEST(the_last_file_may_be_cut)
{
    struct buf bytes = { 0 }, next = { 0 };
    struct plog_writer last, writer;
    make_three(0, &last, &bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        put_log(&last.name, (br_bytes){ bytes.data, size });
        look_well();
        ck_assert_uint_eq(dir.count, size < 60 ? 2 : 3);
        ck_assert_int_eq(dir.max_decree, last_decree);
        struct plog_name name = dir.next;
        ck_assert_int_eq(name.index, size < 60 ? 3 : 4);
        int64_t decree = last_decree;
        buf_clear(&next);
        plog_kit_file(&writer, &name, decree + 1, 2, &next);
        put_log(&name, buf_bytes(&next));
        look_well();
        ck_assert_int_eq(last_decree, decree + 4);
        next_is(name.index + 1, plog_writer_end(&writer));
        char text[PLOG_NAME_MAX];
        struct buf path = { 0 };
        plog_name_format(&name, text);
        buf_printf(&path, "%s/%s", root, text);
        ck_assert_int_eq(unlink(path.data), 0);
        buf_done(&path);
    }
    buf_done(&bytes);
    buf_done(&next);
}
END_TEST

/* -- What is refused -------------------------------------------------------------------------- */

START_TEST(no_directory)
{
    struct fail fail;
    struct buf path = { 0 };
    buf_printf(&path, "%s/plog", root);
    ck_assert_int_eq(plog_dir_read(path.data, pid, replay, &dir, &dir, &fail), BR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(fail.text, path.data));
    buf_done(&path);
}
END_TEST

/* What may happen to the second of three files. */
static const struct {
    const char *name;   /* it gets another; NULL: it is gone; "": it keeps its own */
    size_t cut, damage; /* bytes left, byte turned; 0: none */
    const char *why;
} troubles[] = {
    { NULL, 0, 0, "log.1.0 is followed by log.3.936" },
    { NULL, 0, 0, "files between them are missing; move the replica's directory away" },
    { "log.1.468", 0, 0, "one index twice" },
    { "log.2.469", 0, 0,
      "log.1.0 has whole blocks up to offset 468, and log.2.469 does not begin" },
    { "log.2.467", 0, 0,
      "log.1.0 has whole blocks up to offset 468, and log.2.467 does not begin" },
    { "", 300, 0, "log.2.468 has whole blocks up to offset 732, and log.3.936 does not begin" },
    { "", 30, 0, "log.2.468 has no whole first block, and yet log.3.936 is there" },
    { "", 0, 20, "log.2.468: at byte 0 (offset 468): a block has a wrong checksum; move the" },
    { "", 0, 65, "log.2.468 has whole blocks up to offset 528" },
    { "", 0, 90, "log.2.468: at byte 60 (offset 528): a block has a wrong checksum" },
};

START_TEST(trouble_in_the_middle)
{
    struct buf bytes = { 0 }, path = { 0 }, other = { 0 };
    struct plog_writer writer;
    struct fail fail;
    make_three(0, &writer, &bytes);
    look_well();
    struct plog_name name = dir.files[1].name;
    ck_assert_int_eq(name.start_offset, 468);
    buf_clear(&bytes);
    plog_kit_file(&writer, &name, 5, 2, &bytes);
    if (troubles[_i].damage)
        bytes.data[troubles[_i].damage] ^= 0x10;
    buf_printf(&path, "%s/log.2.468", root);
    ck_assert_int_eq(unlink(path.data), 0);
    if (troubles[_i].name)
        put_file(*troubles[_i].name ? troubles[_i].name : "log.2.468",
                 (br_bytes){ bytes.data, troubles[_i].cut ? troubles[_i].cut : bytes.size });
    ck_assert_int_eq(look(&fail), BR_CORRUPT);
    ck_assert_msg(strstr(fail.text, troubles[_i].why) != NULL, "%s", fail.text);
    buf_done(&bytes);
    buf_done(&path);
    buf_done(&other);
}
END_TEST

START_TEST(damage_in_the_last_file)
{
    struct buf bytes = { 0 };
    struct plog_writer writer;
    make_three(0, &writer, &bytes);
    bytes.data[bytes.size - 1] ^= 1;
    put_log(&writer.name, buf_bytes(&bytes));
    look_badly(BR_CORRUPT, "wrong checksum");
    ck_assert_int_eq(last_decree, 10);
    buf_done(&bytes);
}
END_TEST

START_TEST(mutations_of_another_replica)
{
    struct buf bytes = { 0 };
    struct plog_writer writer;
    struct fail fail;
    make_three(0, &writer, &bytes);
    ck_assert_int_eq(plog_dir_read(root, (struct gpid){ 2, 4 }, replay, &dir, &dir, &fail),
                     BR_CORRUPT);
    ck_assert_ptr_nonnull(
        strstr(fail.text, "log.1.0: offset 76: a mutation of 2.3 in the log of 2.4"));
    ck_assert_int_eq(last_decree, 0);
    buf_done(&bytes);
}
END_TEST

START_TEST(the_callback_may_stop)
{
    struct buf bytes = { 0 };
    struct plog_writer writer;
    make_three(0, &writer, &bytes);
    refused = 6;
    look_badly(BR_CANCELED, "/log.2.468: offset ");
    look_badly(BR_CANCELED, ": not this one");
    ck_assert_int_eq(last_decree, 5);
    buf_done(&bytes);
}
END_TEST

START_TEST(what_is_not_a_file)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s/log.1.0", root);
    ck_assert_int_eq(mkdir(path.data, 0700), 0);
    look_badly(BR_CORRUPT, "/log.1.0: not a file");
    ck_assert_int_eq(rmdir(path.data), 0);
    ck_assert_int_eq(mkfifo(path.data, 0600), 0);
    look_badly(BR_CORRUPT, "/log.1.0: not a file");
    ck_assert_int_eq(unlink(path.data), 0);
    ck_assert_int_eq(symlink("/dev/zero", path.data), 0);
    look_badly(BR_DENIED, "/log.1.0: ");
    buf_done(&path);
}
END_TEST

START_TEST(limits)
{
    struct buf path = { 0 };
    char name[PLOG_NAME_MAX];
    buf_printf(&path, "%s/log.2147483647.0", root);
    struct plog_writer writer;
    struct buf bytes = { 0 };
    plog_kit_file(&writer, &(struct plog_name){ INT32_MAX, 0 }, 1, 1, &bytes);
    put_file("log.2147483647.0", buf_bytes(&bytes));
    look_badly(BR_TOOBIG, "no index behind 2147483647");
    ck_assert_int_eq(truncate(path.data, (off_t) PLOG_FILE_MAX + 1), 0);
    look_badly(BR_TOOBIG, "/log.2147483647.0: larger than 1073741824 bytes");
    ck_assert_int_eq(unlink(path.data), 0);
    for (int i = 1; i <= PLOG_DIR_FILES_MAX; i++) {
        plog_name_format(&(struct plog_name){ i, 0 }, name);
        put_file(name, (br_bytes){ "", 0 });
    }
    look_badly(BR_CORRUPT, "log.1.0 has no whole first block");
    put_file("log.9999.0", (br_bytes){ "", 0 });
    look_badly(BR_TOOBIG, "more than 4096 files");
    buf_done(&path);
    buf_done(&bytes);
}
END_TEST

TCase *plog_dir_cases(void)
{
    TCase *tcase = tcase_create("directories");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nothing_is_a_log);
    tcase_add_test(tcase, file_after_file);
    tcase_add_test(tcase, the_order_is_of_numbers);
    tcase_add_test(tcase, the_last_file_may_be_cut);
    tcase_add_test(tcase, no_directory);
    tcase_add_loop_test(tcase, trouble_in_the_middle, 0, sizeof troubles / sizeof *troubles);
    tcase_add_test(tcase, damage_in_the_last_file);
    tcase_add_test(tcase, mutations_of_another_replica);
    tcase_add_test(tcase, the_callback_may_stop);
    tcase_add_test(tcase, what_is_not_a_file);
    tcase_add_test(tcase, limits);
    return tcase;
}
