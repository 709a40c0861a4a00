/* test_journal -- the private log as it is written, and the two threads that wait for the disk
 * (journal_threads.c).  fdatasync is this suite's own.
 */
#include "t/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct gpid pid = { 2, 3 };
static char *root;
static struct journal *journal;
static struct fail fail;

/* What was replayed, in order. */
#define SEEN_MAX 4096
static struct mutation_header seen[SEEN_MAX];
static uint32_t seen_count;
static struct buf last_updates;

static br_status take(void *arg, const struct mutation_header *header, br_bytes updates,
                      struct fail *ret_fail)
{
    (void) arg, (void) ret_fail;
    ck_assert_uint_lt(seen_count, SEEN_MAX);
    seen[seen_count++] = *header;
    buf_clear(&last_updates);
    buf_put(&last_updates, updates.data, updates.size);
    return BR_OK;
}

static br_status open_with(struct journal_options options)
{
    options.dir = root;
    options.pid = pid;
    seen_count = 0;
    return journal_open(&options, take, NULL, &journal, &fail);
}

static void reopen(struct journal_options options)
{
    journal_close(journal);
    ck_assert_msg(open_with(options) == BR_OK, "%s", fail.text);
}

static void setup(void)
{
    root = test_directory();
    journal = NULL;
    disk_setup();
    reopen((struct journal_options){ .valid_from = 0 });
}

static void teardown(void)
{
    journal_close(journal);
    buf_done(&last_updates);
    free(root);
}

static struct mutation_header header(int64_t ballot, int64_t decree)
{
    return (struct mutation_header){ .pid = pid,
                                     .ballot = ballot,
                                     .decree = decree,
                                     .log_offset = -1,
                                     .last_committed_decree = decree - 1,
                                     .timestamp = 1700000000000000 + decree };
}

/* `size` bytes of data in one update. */
static br_status append_sized(int64_t decree, size_t size)
{
    struct mutation_header one = header(5, decree);
    struct buf updates = { 0 };
    mutation_put_count(&updates, 1);
    mutation_put_update(&updates, "RPC_RRDB_RRDB_PUT", 1, size);
    buf_reserve(&updates, size);
    memset(updates.data + updates.size, (int) decree, size);
    updates.size += size;
    br_status status = journal_append(journal, &one, buf_bytes(&updates), &fail);
    ck_assert_int_eq(one.log_offset, -1); /* the caller's stays as it is */
    buf_done(&updates);
    return status;
}

static void append(int64_t from, int64_t to)
{
    for (int64_t decree = from; decree <= to; decree++)
        ck_assert_msg(append_sized(decree, 10) == BR_OK, "%s", fail.text);
}

static void check_seen(int64_t from, int64_t to)
{
    ck_assert_uint_eq(seen_count, (uint32_t) (to - from + 1));
    for (uint32_t i = 0; i < seen_count; i++)
        ck_assert_int_eq(seen[i].decree, from + i);
}

/* "log.1.0 log.2.77", and their sizes together. */
static const char *files(int64_t *ret_size)
{
    static char text[512];
    struct plog_name names[64];
    uint32_t count = 0;
    struct buf path = { 0 };
    buf_printf(&path, "%s/plog", root);
    DIR *dir = opendir(path.data);
    *ret_size = 0;
    text[0] = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct stat info;
        ck_assert_int_eq(fstatat(dirfd(dir), entry->d_name, &info, 0), 0);
        if (!plog_name_parse(entry->d_name, &names[count]))
            continue;
        *ret_size += info.st_size;
        for (uint32_t i = count++; i > 0 && names[i].index < names[i - 1].index; i--) {
            struct plog_name name = names[i];
            names[i] = names[i - 1];
            names[i - 1] = name;
        }
    }
    closedir(dir);
    buf_clear(&path);
    for (uint32_t i = 0; i < count; i++) {
        char name[PLOG_NAME_MAX];
        plog_name_format(&names[i], name);
        buf_printf(&path, "%s%s", i ? " " : "", name);
    }
    snprintf(text, sizeof text, "%s", buf_string(&path));
    buf_done(&path);
    return text;
}

static uint32_t file_count(void)
{
    int64_t size;
    const char *text = files(&size);
    uint32_t count = *text != 0;
    for (; *text; text++)
        count += *text == ' ';
    return count;
}

/* Files of `count` mutations each from decree 1 on, the last one open. */
static void make_files(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        append(4 * i + 1, 4 * i + 4);
        if (i + 1 < count)
            reopen((struct journal_options){ .valid_from = 0 });
    }
    ck_assert_uint_eq(file_count(), count);
}

/* -- Written and read ------------------------------------------------------------------------- */

START_TEST(a_new_one)
{
    int64_t size;
    uint32_t index = 0;
    char name[PLOG_NAME_MAX];
    ck_assert_uint_eq(seen_count, 0);
    ck_assert_str_eq(files(&size), ""); /* begun with the first mutation */
    ck_assert_int_eq(journal_size(journal), 0);
    ck_assert_int_eq(journal_descriptor(journal), -1);
    ck_assert(journal_sync(journal));
    ck_assert(journal_reaches(journal, 0));
    ck_assert(!journal_next_file(journal, 0, &index, name));
    journal_collect(journal, INT64_MAX);
    journal_close(NULL);
}
END_TEST

START_TEST(written_and_read)
{
    int64_t size;
    append(1, 3);
    ck_assert_int_eq(append_sized(4, 100000), BR_OK);
    files(&size);
    ck_assert_int_eq(journal_size(journal), size);
    int fd = journal_descriptor(journal);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0); /* ours */
    append(5, 5);
    reopen((struct journal_options){ .valid_from = 0 });
    check_seen(1, 5);
    ck_assert_str_eq(files(&size), "log.1.0");
    for (uint32_t i = 0; i < seen_count; i++) {
        struct mutation_header want = header(5, i + 1);
        want.log_offset = seen[i].log_offset;
        ck_assert_int_gt(seen[i].log_offset, i ? seen[i - 1].log_offset : 0);
        ck_assert_mem_eq(&seen[i], &want, sizeof want);
    }
    struct mutation_walk walk;
    struct mutation_update update;
    mutation_walk_begin(buf_bytes(&last_updates), &walk);
    ck_assert(mutation_walk_next(&walk, &update));
    ck_assert_uint_eq(update.data.size, 10);
    ck_assert_int_eq(*(const char *) update.data.data, 5);
    append(6, 6); /* never behind what was there */
    ck_assert_uint_eq(file_count(), 2);
    reopen((struct journal_options){ .valid_from = 0 });
    check_seen(1, 6);
}
END_TEST

/* A file that has JOURNAL_FILE_SIZE bytes is the last one's turn to end. */
START_TEST(a_file_is_full)
{
    int64_t size, decree = 0;
    while (file_count() < 3) {
        ck_assert_int_eq(append_sized(++decree, 1 << 19), BR_OK);
        ck_assert_int_eq(journal_size(journal), (files(&size), size));
    }
    int64_t a_file = (decree - 1) / 2; /* mutations of one */
    ck_assert_int_eq(a_file, JOURNAL_FILE_SIZE >> 19);
    reopen((struct journal_options){ .valid_from = 0 });
    check_seen(1, decree);
    journal_collect(journal, a_file - 1);
    ck_assert_uint_eq(file_count(), 3);
    journal_collect(journal, a_file);
    ck_assert_uint_eq(file_count(), 2);
    ck_assert(!journal_reaches(journal, a_file - 1));
    ck_assert(journal_reaches(journal, a_file));
    reopen((struct journal_options){ .valid_from = 0 });
    check_seen(a_file + 1, decree);
    ck_assert(!journal_reaches(journal, a_file - 1));
    ck_assert(journal_reaches(journal, a_file));
}
END_TEST

/* A lower decree again, of a higher ballot, does not make the log go less far. */
START_TEST(a_decree_comes_again)
{
    append(1, 5);
    struct mutation_header again = header(6, 3);
    ck_assert_int_eq(journal_append(journal, &again, (br_bytes){ "\0\0\0\0", 4 }, &fail), BR_OK);
    reopen((struct journal_options){ .valid_from = 0 });
    ck_assert_uint_eq(seen_count, 6);
    append(6, 6);
    journal_collect(journal, 4); /* decree 5 is in the first file */
    ck_assert_uint_eq(file_count(), 2);
    journal_collect(journal, 5);
    ck_assert_uint_eq(file_count(), 1);
}
END_TEST

/* -- Which files ------------------------------------------------------------------------------ */

/* Three files of decrees 1 to 4, 5 to 8, 9 to 12: how many hold what is above a decree. */
static const struct {
    int64_t decree;
    uint32_t count;
} holders[] = { { 0, 3 }, { 3, 3 }, { 4, 2 }, { 7, 2 }, { 8, 1 }, { 11, 1 }, { 12, 1 }, { 99, 1 } };

START_TEST(which_files)
{
    for (size_t i = 0; i < sizeof holders / sizeof *holders; i++) {
        char name[PLOG_NAME_MAX];
        uint32_t index = 0, count = 0;
        struct plog_name parsed = { 0, 0 };
        if (i == 0)
            make_files(3);
        for (; journal_next_file(journal, holders[i].decree, &index, name); count++) {
            ck_assert(plog_name_parse(name, &parsed));
            ck_assert_int_eq(parsed.index, (int32_t) (4 - holders[i].count + count));
        }
        ck_assert_uint_eq(count, holders[i].count);
    }
}
END_TEST

/* Whole files of what is durable go; the last one never does. */
START_TEST(what_is_collected)
{
    make_files(3);
    for (int i = 0; i < 2; i++) { /* twice is once */
        journal_collect(journal, holders[_i].decree);
        ck_assert_uint_eq(file_count(), holders[_i].count);
        ck_assert(journal_reaches(journal, 12 - 4 * holders[_i].count));
        ck_assert(holders[_i].count == 3 || !journal_reaches(journal, 11 - 4 * holders[_i].count));
    }
    append(13, 14);
    reopen((struct journal_options){ .valid_from = 0 });
    check_seen(13 - 4 * holders[_i].count, 14);
}
END_TEST

/* -- Beginning anew --------------------------------------------------------------------------- */

/* What comes is never below the offset from which the log counts: with a mutation in between, with
 * none, and with one that is appended by the next life. */
START_TEST(begun_anew)
{
    int64_t size;
    make_files(_i % 2 ? 3 : 1);
    int64_t end = journal_size(journal);
    int64_t valid_from = journal_restart(journal, 100);
    ck_assert_int_eq(valid_from, end);
    ck_assert_str_eq(files(&size), "");
    ck_assert_int_eq(journal_size(journal), 0);
    ck_assert_int_eq(journal_descriptor(journal), -1);
    ck_assert(!journal_reaches(journal, 99));
    ck_assert(journal_reaches(journal, 100));
    const struct journal_options options = { .valid_from = valid_from, .durable = 100 };
    if (_i < 2)
        append(101, 102);
    reopen(options);
    ck_assert_uint_eq(seen_count, _i < 2 ? 2 : 0);
    ck_assert(!journal_reaches(journal, 99)); /* it does not know what came before */
    ck_assert(journal_reaches(journal, 100));
    append(_i < 2 ? 103 : 101, 104);
    reopen(options);
    check_seen(101, 104);
    for (uint32_t i = 0; i < seen_count; i++)
        ck_assert_int_ge(seen[i].log_offset, valid_from);
    ck_assert(!journal_reaches(journal, 99));
    ck_assert(journal_reaches(journal, 100));
}
END_TEST

/* Restarted with nothing in it, and twice. */
START_TEST(begun_anew_twice)
{
    ck_assert_int_eq(journal_restart(journal, 0), 0);
    append(1, 4);
    int64_t first = journal_restart(journal, 50);
    ck_assert_int_gt(first, 0);
    ck_assert_int_eq(journal_restart(journal, 60), first);
    ck_assert(!journal_reaches(journal, 59));
    append(61, 62);
    int64_t second = journal_restart(journal, 0);
    ck_assert_int_gt(second, first);
    append(1, 2);
    reopen((struct journal_options){ .valid_from = second });
    check_seen(1, 2);
    ck_assert_int_ge(seen[0].log_offset, second);
    ck_assert(journal_reaches(journal, 0));
}
END_TEST

/* The data go further than the log, which somebody took away. */
START_TEST(data_without_a_log)
{
    append(1, 4);
    int64_t durable = _i ? 4 : 9;
    reopen((struct journal_options){ .durable = durable });
    ck_assert(journal_reaches(journal, durable));
    ck_assert(journal_reaches(journal, 0) == (_i == 1));
    append(durable + 1, durable + 1);
    journal_collect(journal, durable);
    ck_assert_uint_eq(file_count(), 1);
}
END_TEST

/* -- Cut short -------------------------------------------------------------------------------- */

static void path_of(const char *name, struct buf *path)
{
    buf_clear(path);
    buf_printf(path, "%s/plog/%s", root, name);
}

/* A kill in the middle of the last block, at every byte of it: all that was told is there, the rest
 * is as if it had never been, and the log goes on. */
START_TEST(a_torn_tail)
{
    struct buf path = { 0 }, whole = { 0 };
    path_of("log.1.0", &path);
    append(1, 2);
    int64_t size = journal_size(journal);
    append(3, 3);
    journal_close(journal);
    journal = NULL;
    ck_assert(test_read(path.data, &whole));
    for (int64_t cut = size; cut < (int64_t) whole.size; cut++) {
        int fd = open(path.data, O_WRONLY | O_TRUNC);
        ck_assert_int_eq(write(fd, whole.data, (size_t) cut), cut);
        close(fd);
        reopen((struct journal_options){ .valid_from = 0 });
        check_seen(1, 2);
        append(3, 4);
        reopen((struct journal_options){ .valid_from = 0 });
        check_seen(1, 4);
        struct buf second = { 0 };
        buf_printf(&second, "%s/plog/log.2.%lld", root, (long long) size);
        ck_assert_int_eq(unlink(second.data), 0);
        buf_done(&second);
    }
    buf_done(&path);
    buf_done(&whole);
}
END_TEST

/* Of the last file even the head may be cut short: its name is used again. */
START_TEST(a_torn_head)
{
    struct buf path = { 0 };
    int64_t size;
    append(1, 2);
    buf_printf(&path, "%s/plog/log.2.%lld", root, (long long) journal_size(journal));
    reopen((struct journal_options){ .valid_from = 0 });
    append(3, 3);
    for (int cut = 0; cut < 60; cut++) {
        ck_assert_int_eq(truncate(path.data, cut), 0);
        reopen((struct journal_options){ .valid_from = 0 });
        check_seen(1, 2);
        append(3, 3);
        ck_assert_ptr_nonnull(strstr(path.data, strchr(files(&size), ' ') + 1));
        reopen((struct journal_options){ .valid_from = 0 });
        check_seen(1, 3);
    }
    buf_done(&path);
}
END_TEST

/* -- A full disk ------------------------------------------------------------------------------ */

static void limit_files(rlim_t size)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* At every byte of the block: all of it or nothing. */
START_TEST(a_full_disk)
{
    int64_t size, now;
    append(1, 2);
    files(&size);
    ck_assert_int_eq(append_sized(3, 10), BR_OK);
    files(&now);
    int64_t block = now - size;
    size = now;
    for (int64_t room = 0; room < block; room++) {
        limit_files((rlim_t) (size + room));
        ck_assert_int_eq(append_sized(4, 10), BR_DENIED);
        ck_assert_ptr_eq(strstr(fail.text, root), fail.text);
        ck_assert_ptr_nonnull(strstr(fail.text, strerror(EFBIG)));
        files(&now);
        ck_assert_int_eq(now, size);
        ck_assert_int_eq(journal_size(journal), size);
    }
    limit_files((rlim_t) (size + block));
    append(4, 4);
    limit_files(RLIM_INFINITY);
    append(5, 5);
    reopen((struct journal_options){ .valid_from = 0 });
    check_seen(1, 5);
}
END_TEST

/* Not even the head of a file. */
START_TEST(no_room_for_a_head)
{
    if (_i)
        make_files(2);
    reopen((struct journal_options){ .valid_from = 0 });
    int64_t next = _i ? 9 : 1;
    for (rlim_t room = 0; room < 60; room += 7) {
        limit_files(room);
        ck_assert_int_eq(append_sized(next, 10), BR_DENIED);
        ck_assert_ptr_nonnull(strstr(fail.text, strerror(EFBIG)));
        ck_assert_int_eq(journal_descriptor(journal), -1);
    }
    limit_files(RLIM_INFINITY);
    append(next, next);
    reopen((struct journal_options){ .valid_from = 0 });
    check_seen(1, next);
}
END_TEST

/* -- Syncing ---------------------------------------------------------------------------------- */

START_TEST(syncing)
{
    append(1, 1);
    uint32_t before = disk.syncs;
    ck_assert(journal_sync(journal));
    ck_assert_uint_eq(disk.syncs, before + 1);
    disk.error = EIO;
    ck_assert(!journal_sync(journal));
    ck_assert_int_eq(errno, EIO);
}
END_TEST

/* A file that is full is synced before the next one begins; where it cannot be, none does. */
START_TEST(a_full_file_is_synced)
{
    int64_t decree = 0;
    reopen((struct journal_options){ .sync = _i > 0 });
    while (journal_size(journal) < JOURNAL_FILE_SIZE)
        ck_assert_int_eq(append_sized(++decree, 1 << 20), BR_OK);
    ck_assert_uint_eq(disk.syncs, 0);
    disk.error = _i == 2 ? EIO : 0;
    ck_assert_int_eq(append_sized(decree + 1, 10), _i == 2 ? BR_DENIED : BR_OK);
    ck_assert_uint_eq(disk.syncs, _i > 0 ? 1 : 0);
    ck_assert_uint_eq(file_count(), _i == 2 ? 1 : 2);
    disk.error = 0;
    append(decree + 2, decree + 2);
    ck_assert_uint_eq(file_count(), 2);
}
END_TEST

/* -- What cannot be opened -------------------------------------------------------------------- */

static void put_file(const char *name, const char *bytes, size_t size)
{
    struct buf path = { 0 };
    path_of(name, &path);
    int fd = open(path.data, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, size), (ssize_t) size);
    close(fd);
    buf_done(&path);
}

START_TEST(no_journal)
{
    struct journal_options options = { .pid = pid, .dir = root };
    static const char nonsense[64] = "this is no log, and long enough to be sure of that";
    static const br_status statuses[] = { BR_DENIED, BR_CORRUPT, BR_CORRUPT, BR_CORRUPT };
    struct buf missing = { 0 };
    append(1, 2);
    journal_close(journal);
    buf_printf(&missing, "%s/none", root);
    switch (_i) {
    case 0: options.dir = missing.data; break;
    case 1: put_file("log.1.0", nonsense, sizeof nonsense); break;
    case 2: put_file("log.3.999", nonsense, sizeof nonsense); break; /* a hole */
    default: options.pid.partition++; break;
    }
    ck_assert_int_eq(journal_open(&options, take, NULL, &journal, &fail), statuses[_i]);
    ck_assert_ptr_null(journal);
    ck_assert_ptr_eq(strstr(fail.text, root), fail.text);
    buf_done(&missing);
}
END_TEST

static br_status refuse(void *arg, const struct mutation_header *one, br_bytes updates,
                        struct fail *ret_fail)
{
    (void) arg, (void) updates;
    return one->decree < 2 ? BR_OK : fail_set(ret_fail, BR_CORRUPT, "not this one");
}

START_TEST(who_reads_it_refuses)
{
    append(1, 3);
    journal_close(journal);
    const struct journal_options options = { .pid = pid, .dir = root };
    ck_assert_int_eq(journal_open(&options, refuse, NULL, &journal, &fail), BR_CORRUPT);
    ck_assert_ptr_null(journal);
    ck_assert_ptr_nonnull(strstr(fail.text, "log.1.0: offset "));
    ck_assert_ptr_nonnull(strstr(fail.text, ": not this one"));
}
END_TEST

#define COUNT(table) ((int) (sizeof(table) / sizeof *(table)))

static TCase *journals(void)
{
    TCase *tcase = tcase_create("journal");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_new_one);
    tcase_add_test(tcase, written_and_read);
    tcase_add_test(tcase, a_file_is_full);
    tcase_add_test(tcase, a_decree_comes_again);
    tcase_add_test(tcase, which_files);
    tcase_add_loop_test(tcase, what_is_collected, 0, COUNT(holders));
    tcase_add_loop_test(tcase, begun_anew, 0, 4);
    tcase_add_test(tcase, begun_anew_twice);
    tcase_add_loop_test(tcase, data_without_a_log, 0, 2);
    tcase_add_test(tcase, a_torn_tail);
    tcase_add_test(tcase, a_torn_head);
    tcase_add_test(tcase, a_full_disk);
    tcase_add_loop_test(tcase, no_room_for_a_head, 0, 2);
    tcase_add_test(tcase, syncing);
    tcase_add_loop_test(tcase, a_full_file_is_synced, 0, 3);
    tcase_add_loop_test(tcase, no_journal, 0, 4);
    tcase_add_test(tcase, who_reads_it_refuses);
    return tcase;
}

int main(void)
{
    return test_run("journal", journals(), journal_workers(), journal_syncers(), NULL);
}
