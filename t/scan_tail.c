/* scan_tail -- where a log takes its replica: ballots, gaps, obsolete mutations, files left out. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/disk/plog_tail.h"
#include "t/test_scan.h"

#define MUTATIONS_MAX 8

static const struct {
    const char *what;
    int64_t durable;
    int64_t valid_from;
    int64_t mutations[MUTATIONS_MAX][3]; /* ballot, decree, committed */
    struct plog_tail want;
    const char *fails;
} tails[] = {
    { "nothing", 5, 0, { { 0 } }, { 0, 5, 5 }, NULL },
    { "prepared, and told to be committed up to one before",
      0,
      0,
      { { 3, 1, 0 }, { 3, 2, 1 }, { 3, 3, 2 } },
      { 3, 2, 3 },
      NULL },
    { "all of it is in the data", 9, 0, { { 3, 1, 0 }, { 3, 2, 1 } }, { 3, 9, 9 }, NULL },
    { "the data are somewhere in the log",
      2,
      0,
      { { 3, 2, 1 }, { 3, 3, 2 }, { 3, 4, 2 } },
      { 3, 2, 4 },
      NULL },
    { "what is before the log is in the data",
      0,
      0,
      { { 4, 100, 99 }, { 4, 101, 100 } },
      { 4, 100, 101 },
      NULL },
    { "a hole: nothing behind it can be committed",
      0,
      0,
      { { 3, 1, 0 }, { 3, 2, 1 }, { 3, 5, 4 } },
      { 3, 2, 5 },
      NULL },
    { "one decree again, of a higher ballot",
      0,
      0,
      { { 3, 1, 0 }, { 3, 2, 0 }, { 3, 3, 0 }, { 4, 2, 1 } },
      { 4, 1, 3 },
      NULL },
    { "the ballot of an obsolete one counts", 0, INT64_MAX, { { 7, 1, 0 } }, { 7, 0, 0 }, NULL },
    { "the highest decree that is allowed",
      1,
      0,
      { { 3, 1 + PREPARE_LIST_MAX, 0 } },
      { 3, 1, 1 + PREPARE_LIST_MAX },
      NULL },
    { "too far above",
      1,
      0,
      { { 3, 2, 1 }, { 3, 2 + PREPARE_LIST_MAX, 1 } },
      { 0 },
      "decree 112 is too far above the committed 1" },
    { "decrees below nothing",
      -9,
      0,
      { { 3, -5, -6 }, { 3, INT64_MIN, INT64_MIN } },
      { 3, 0, 0 },
      NULL },
    { "an absurd committed one",
      0,
      0,
      { { 3, 1, INT64_MAX }, { 3, 2, INT64_MAX } },
      { 3, 1, 2 },
      NULL },
    { "the highest decree there is",
      INT64_MAX - 1,
      0,
      { { 3, INT64_MAX, 0 } },
      { 3, INT64_MAX - 1, INT64_MAX },
      NULL },
};

static const char *tail_path(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", scan_root, name);
    return path;
}

START_TEST(tail_of)
{
    struct plog_tail tail;
    struct fail fail = { 0 };
    scan_log(".", 2, 3, tails[_i].mutations);
    br_status status = plog_tail_read(tail_path("plog"), (struct gpid){ 2, 3 }, tails[_i].durable,
                                      tails[_i].valid_from, &tail, &fail);
    if (tails[_i].fails) {
        ck_assert_int_eq(status, BR_CORRUPT);
        ck_assert_msg(strstr(fail.text, tails[_i].fails) != NULL, "%s", fail.text);
        return;
    }
    ck_assert_msg(status == BR_OK, "%s: %s", tails[_i].what, fail.text);
    ck_assert_msg(tail.ballot == tails[_i].want.ballot && tail.committed == tails[_i].want.committed
                      && tail.prepared == tails[_i].want.prepared,
                  "%s: %" PRId64 " %" PRId64 " %" PRId64, tails[_i].what, tail.ballot,
                  tail.committed, tail.prepared);
}
END_TEST

START_TEST(tail_of_no_log)
{
    struct plog_tail tail;
    struct fail fail;
    ck_assert_int_eq(plog_tail_read(tail_path("plog"), (struct gpid){ 2, 3 }, 7, 0, &tail, &fail),
                     BR_NOTFOUND);
    ck_assert_int_eq(tail.committed, 7);
    ck_assert_int_eq(tail.prepared, 7);
}
END_TEST

static void tail_put(struct plog_name *name, int64_t before, int64_t first, int64_t last,
                     bool damaged)
{
    const struct plog_origin origin = { { 2, 3 }, before, 0 };
    struct plog_writer writer;
    struct buf bytes = { 0 };
    char text[PLOG_NAME_MAX + 8] = "plog/";
    plog_writer_begin(&writer, name);
    plog_put_head(&writer, &origin, &bytes);
    plog_block_begin(&writer, &bytes);
    for (int64_t decree = first; decree <= last; decree++) {
        struct mutation_header header = {
            .pid = { 2, 3 }, .ballot = 3, .decree = decree, .last_committed_decree = decree - 1
        };
        plog_block_put(&writer, &header, (br_bytes){ "\0\0\0", 4 }, &bytes, NULL);
    }
    plog_block_end(&writer, &bytes);
    if (damaged)
        bytes.data[bytes.size - 1] = 'x';
    plog_name_format(name, text + 5);
    scan_put(text, bytes.data, bytes.size);
    *name = (struct plog_name){ name->index + 1, plog_writer_end(&writer) };
    buf_done(&bytes);
}

/* Files that a server would not read either: what is wrong with them does not matter. */
START_TEST(tail_leaves_files_out)
{
    struct plog_name name = { PLOG_FIRST_INDEX, 0 };
    struct plog_tail tail;
    struct fail fail;
    scan_put("plog", NULL, 0);
    tail_put(&name, 0, 1, 4, true);
    tail_put(&name, 4, 5, 8, false);
    tail_put(&name, 8, 9, 12, false);
    for (int64_t durable = 3; durable <= 9; durable++) {
        br_status status =
            plog_tail_read(tail_path("plog"), (struct gpid){ 2, 3 }, durable, 0, &tail, &fail);
        ck_assert_int_eq(status, durable < 4 ? BR_CORRUPT : BR_OK);
        if (status)
            continue;
        ck_assert_int_eq(tail.committed, 11);
        ck_assert_int_eq(tail.prepared, 12);
    }
}
END_TEST

/* The head of the oldest file left says how far the data go at least. */
START_TEST(tail_believes_the_head)
{
    struct plog_name name = { 7, 4096 };
    struct plog_tail tail;
    struct fail fail;
    const struct plog_origin origin = { { 2, 3 }, 99, 0 };
    struct plog_writer writer;
    struct buf bytes = { 0 };
    char text[PLOG_NAME_MAX + 8] = "plog/";
    scan_put("plog", NULL, 0);
    plog_writer_begin(&writer, &name);
    plog_put_head(&writer, &origin, &bytes);
    plog_block_begin(&writer, &bytes);
    struct mutation_header header = {
        { 2, 3 }, .ballot = 3, .decree = 100, .last_committed_decree = 95
    };
    plog_block_put(&writer, &header, (br_bytes){ "\0\0\0", 4 }, &bytes, NULL);
    plog_block_end(&writer, &bytes);
    plog_name_format(&name, text + 5);
    scan_put(text, bytes.data, bytes.size);
    buf_done(&bytes);
    ck_assert_int_eq(plog_tail_read(tail_path("plog"), (struct gpid){ 2, 3 }, 10, 0, &tail, &fail),
                     BR_OK);
    ck_assert_int_eq(tail.committed, 99);
    ck_assert_int_eq(tail.prepared, 100);
}
END_TEST

TCase *scan_tail_case(void)
{
    TCase *tcase = tcase_create("plog_tail");
    tcase_add_checked_fixture(tcase, scan_setup, scan_teardown);
    tcase_add_loop_test(tcase, tail_of, 0, sizeof tails / sizeof *tails);
    tcase_add_test(tcase, tail_of_no_log);
    tcase_add_test(tcase, tail_leaves_files_out);
    tcase_add_test(tcase, tail_believes_the_head);
    return tcase;
}
