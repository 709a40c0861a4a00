/* test_sqlite -- what only store_sqlite can get wrong: killed writers, files that are not ours,
 * full and broken disks, other processes that write.  What all stores share is conform_store's.
 *
 *     test_sqlite                 the suite
 *     test_sqlite --write FILE    the writer that gets killed
 */
#include "t/test_sqlite.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define KILLS    30
#define CHILDREN 20 /* of each batch's node */
#define FLIGHT   4
#define SEED     20260

struct buf file;          /* of the running test */
static struct buf option; /* "file=..." */

void use_file(const char *name)
{
    char *directory = test_directory();
    buf_clear(&file);
    buf_printf(&file, "%s/%s", directory, name);
    buf_clear(&option);
    buf_printf(&option, "file=%s", file.data);
    conform.options[0] = option.data;
    conform.options[1] = NULL;
    free(directory);
}

void setup_file(void)
{
    conform_setup();
    use_file("store.db");
}

void teardown_file(void)
{
    conform_teardown();
    buf_done(&file);
    buf_done(&option);
    file = option = (struct buf){ 0 };
}

/* -- The killed writer ------------------------------------------------------------------------ */

/* Batch `number`: a node and its children, in one commit. */
static void issue_batch(struct instance *in, uint32_t number, struct answer *answer)
{
    static char paths[FLIGHT][CHILDREN + 1][64];
    static struct br_write writes[FLIGHT][CHILDREN + 1];
    char(*path)[64] = paths[number % FLIGHT];
    struct br_write *write = writes[number % FLIGHT];
    for (int i = 0; i <= CHILDREN; i++) {
        if (i == 0)
            snprintf(path[i], sizeof path[i], "/b%u", number);
        else
            snprintf(path[i], sizeof path[i], "/b%u/%d", number, i);
        write[i] = (struct br_write){ .kind = BR_CREATE,
                                      .path = path[i],
                                      .value = { path[i], strlen(path[i]) } };
    }
    conform_issue(in, write, CHILDREN + 1, answer);
}

static uint32_t write_from;

/* Commits batch after batch, says each acknowledged one's number on stdout, until it is killed. */
START_TEST(writer)
{
    static struct answer answers[FLIGHT];
    struct instance *in = instance_new();
    for (uint32_t i = write_from;; i++) {
        uint32_t oldest = i - FLIGHT;
        if (i >= write_from + FLIGHT) {
            answer_wait(&answers[oldest % FLIGHT]);
            ck_assert_int_eq(answers[oldest % FLIGHT].status, BR_OK);
            answer_done(&answers[oldest % FLIGHT]);
            ck_assert(write(1, &oldest, sizeof oldest) == sizeof oldest);
        }
        issue_batch(in, i, &answers[i % FLIGHT]);
    }
}
END_TEST

/* How many of the batch's nodes are there, as they should be. */
static int count_batch(struct instance *in, uint32_t number)
{
    char path[64];
    struct buf value = { 0 };
    int found = 0;
    for (int i = 0; i <= CHILDREN; i++) {
        if (i == 0)
            snprintf(path, sizeof path, "/b%u", number);
        else
            snprintf(path, sizeof path, "/b%u/%d", number, i);
        int64_t version;
        br_status status = conform_get(in, path, &value, &version);
        if (status == BR_NOTFOUND)
            continue;
        ck_assert_int_eq(status, BR_OK);
        ck_assert_int_eq(version, 0);
        ck_assert_str_eq(buf_string(&value), path);
        found++;
    }
    buf_done(&value);
    return found;
}

/* Kills the writer after `acks` answers and a random moment more; the last acknowledged batch. */
static uint32_t kill_writer(uint32_t from, uint32_t acks, long nanoseconds)
{
    char number[16];
    uint32_t last = from;
    snprintf(number, sizeof number, "%u", from);
    struct child child = child_spawn((char *[]){ NULL, "--write", file.data, number, NULL });
    for (uint32_t i = 0; i < acks; i++)
        ck_assert(read(child.out, &last, sizeof last) == sizeof last);
    nanosleep(&(struct timespec){ .tv_nsec = nanoseconds }, NULL); /* any moment will do */
    kill(child.pid, SIGKILL);
    while (read(child.out, &last, sizeof last) == sizeof last)
        ;
    child_end(&child, SIGKILL);
    return last;
}

void expect_sound_file(void)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_open(file.data, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL), 0);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    ck_assert_str_eq((const char *) sqlite3_column_text(statement, 0), "ok");
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

START_TEST(killed_writer_loses_nothing_acknowledged)
{
    uint32_t next = 0;
    int whole = 0;
    srand48(SEED);
    for (int kill = 0; kill < KILLS; kill++) {
        uint32_t first = next, acks = 1 + (uint32_t) (lrand48() % 12);
        uint32_t last = kill_writer(first, acks, lrand48() % 4000000);
        struct instance *in = instance_new();
        for (uint32_t i = first; i <= last + FLIGHT; i++) {
            int found = count_batch(in, i);
            ck_assert_msg(found == CHILDREN + 1 || (found == 0 && i > last),
                          "kill %d: batch %u of %u acknowledged: %d nodes", kill, i, last, found);
            whole += found != 0;
            next = i + 1;
        }
        ck_assert_int_eq(count_batch(in, next), 0);
        instance_free(in);
    }
    ck_assert_int_ge(whole, KILLS);
    expect_sound_file();
}
END_TEST

/* -- Files that are not ours ------------------------------------------------------------------ */

static void make_database(const char *sql)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(file.data, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static void make_file(const char *path, const char *data, size_t size)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert(write(fd, data, size) == (ssize_t) size);
    close(fd);
}

void expect_no_start(br_status status, const char *sentence)
{
    struct answer answer;
    const char *path = "/";
    struct instance *in = instance_make();
    answer_init(&answer);
    plugin_start(&in->plugin, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_msg(answer.status == status, "%d: %s", answer.status, answer.text);
    ck_assert_msg(strstr(answer.text, sentence) != NULL, "%s", answer.text);
    ck_assert_msg(strstr(answer.text, strrchr(file.data, '/')) != NULL, "%s", answer.text);
    answer_done(&answer);
    answer_init(&answer); /* what is asked nevertheless is refused */
    store_read(&in->plugin, &path, 1, NULL, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_UNAVAILABLE);
    answer_done(&answer);
    instance_free(in);
}

START_TEST(foreign_files_are_refused)
{
    char text[8192];
    make_database("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    expect_no_start(BR_INVALID, "database of another program");
    make_database("SELECT * FROM t"); /* and nothing was changed in it */
    use_file("other.db");
    make_database("PRAGMA application_id = 7");
    expect_no_start(BR_INVALID, "application id 7");
    use_file("text.db");
    memset(text, 't', sizeof text);
    make_file(file.data, text, sizeof text);
    expect_no_start(BR_CORRUPT, "not a database");
    use_file("none/store.db");
    expect_no_start(BR_NOTFOUND, "its directory is not there");
    use_file("folder.db");
    ck_assert_int_eq(mkdir(file.data, 0700), 0);
    expect_no_start(BR_INVALID, "is a directory");
}
END_TEST

START_TEST(newer_schema_is_refused)
{
    instance_free(instance_new());
    make_database("PRAGMA user_version = 2");
    expect_no_start(BR_UNSUPPORTED, "use a newer bridle");
    make_database("PRAGMA user_version = 1");
    instance_free(instance_new());
    make_database("DROP TABLE node");
    expect_no_start(BR_CORRUPT, "no such table: node");
}
END_TEST

/* Root's right to pass over file modes, given up and taken back; nothing where there is none. */
static void override_modes(bool on)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    const uint32_t right = 1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH;
    ck_assert_int_eq(syscall(SYS_capget, &header, data), 0);
    data[0].effective =
        on ? data[0].effective | (data[0].permitted & right) : data[0].effective & ~right;
    ck_assert_int_eq(syscall(SYS_capset, &header, data), 0);
}

START_TEST(read_only_file_is_refused)
{
    instance_free(instance_new());
    ck_assert_int_eq(chmod(file.data, 0400), 0);
    override_modes(false);
    expect_no_start(BR_DENIED, "read-only");
    ck_assert_int_eq(chmod(file.data, 0000), 0);
    expect_no_start(BR_DENIED, "Permission denied");
    override_modes(true);
    ck_assert_int_eq(chmod(file.data, 0600), 0);
    instance_free(instance_new());
}
END_TEST

START_TEST(odd_names_are_refused)
{
    static char *const names[] = { "file=", "file=:memory:" };
    for (size_t i = 0; i < 2; i++) {
        struct plugin plugin;
        struct fail fail;
        struct arena arena;
        arena_init(&arena, 0);
        struct yaml *section = conform_section(&arena, (char *[]){ names[i], NULL });
        ck_assert_int_eq(plugin_open(&plugin, conform.loop, conform.desc, "store", section, &fail),
                         BR_INVALID);
        ck_assert_msg(strstr(fail.text, "file") != NULL, "%s", fail.text);
        arena_done(&arena);
    }
}
END_TEST

void fill_file(struct instance *in, uint32_t batches)
{
    struct answer answer;
    for (uint32_t i = 0; i < batches; i++) {
        issue_batch(in, i, &answer);
        answer_wait(&answer);
        ck_assert_msg(answer.status == BR_OK, "%s", answer.text);
        answer_done(&answer);
    }
}

START_TEST(corrupt_file_is_said)
{
    struct instance *in = instance_new();
    char junk[4096];
    fill_file(in, 50);
    instance_free(in);
    int fd = open(file.data, O_WRONLY | O_CLOEXEC);
    memset(junk, 0xa5, sizeof junk);
    for (off_t page = 2; page < 20; page++)
        ck_assert(pwrite(fd, junk, sizeof junk, page * 4096) == sizeof junk);
    close(fd);
    in = instance_new();
    br_status status = BR_OK;
    for (uint32_t i = 0; i < 50 && (status == BR_OK || status == BR_NOTFOUND); i++) {
        char path[32];
        snprintf(path, sizeof path, "/b%u/1", i);
        status = conform_get(in, path, NULL, NULL);
    }
    ck_assert_int_eq(status, BR_CORRUPT);
    ck_assert_msg(strstr(conform.text, "restore it") != NULL, "%s", conform.text);
    ck_assert_int_eq(conform_write(in, BR_CREATE, "/b3/new", "", 0), BR_CORRUPT);
    instance_free(in);
}
END_TEST

/* -- Other processes -------------------------------------------------------------------------- */

START_TEST(writing_process_is_waited_for)
{
    sqlite3 *db;
    conform.options[1] = "busy_timeout=50ms";
    conform.options[2] = NULL;
    struct instance *in = instance_new();
    ck_assert_int_eq(sqlite3_open(file.data, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(conform_write(in, BR_CREATE, "/a", "", 0), BR_UNAVAILABLE);
    ck_assert_msg(strstr(conform.text, "another process keeps it locked") != NULL, "%s",
                  conform.text);
    ck_assert_int_eq(conform_get(in, "/a", NULL, NULL), BR_NOTFOUND); /* reads go on */
    ck_assert_int_eq(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(conform_write(in, BR_CREATE, "/a", "", 0), BR_OK);
    sqlite3_close(db);
    instance_free(in);
}
END_TEST

/* Files that nobody may open, and a lock's file that is none. */
START_TEST(unopenable_files_are_refused)
{
    struct buf lock = { 0 };
    use_file("loop.db");
    ck_assert_int_eq(symlink("loop.db", file.data), 0);
    expect_no_start(BR_INVALID, "cannot be opened");
    use_file("ours.db");
    buf_printf(&lock, "%s-lock", file.data);
    ck_assert_int_eq(mkdir(lock.data, 0700), 0);
    expect_no_start(BR_INVALID, "-lock: cannot be opened: Is a directory");
    ck_assert_int_eq(rmdir(lock.data), 0);
    make_file(lock.data, "", 0);
    ck_assert_int_eq(chmod(lock.data, 0), 0);
    override_modes(false);
    expect_no_start(BR_DENIED, "-lock: cannot be opened: Permission denied");
    override_modes(true);
    ck_assert_int_eq(chmod(lock.data, 0600), 0);
    instance_free(instance_new());
    buf_done(&lock);
}
END_TEST

/* Who keeps a new file locked keeps it from becoming ours; when he is gone it does. */
START_TEST(new_file_in_use_is_said)
{
    static const char *const holds[] = { "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE" };
    sqlite3 *db;
    conform.options[1] = "busy_timeout=30ms";
    conform.options[2] = NULL;
    ck_assert_int_eq(sqlite3_open(file.data, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, holds[_i], NULL, NULL, NULL), SQLITE_OK);
    expect_no_start(BR_UNAVAILABLE, "another process keeps it locked");
    ck_assert_int_eq(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    instance_free(instance_new());
}
END_TEST

/* Two make the same new file at once. */
START_TEST(two_may_make_the_file)
{
    for (int i = 0; i < 10; i++) {
        struct instance *in[2];
        struct answer answers[2];
        use_file("new.db");
        for (int j = 0; j < 2; j++) {
            in[j] = instance_make();
            answer_init(&answers[j]);
            plugin_start(&in[j]->plugin, PLUGIN_FOREVER, answer_take, &answers[j]);
        }
        for (int j = 0; j < 2; j++) {
            answer_wait(&answers[j]);
            ck_assert_msg(answers[j].status == BR_OK, "%s", answers[j].text);
            answer_done(&answers[j]);
        }
        ck_assert_int_eq(conform_write(in[0], BR_CREATE, "/a", "", 0), BR_OK);
        ck_assert_int_eq(conform_write(in[1], BR_CHECK, "/a", "", 0), BR_OK);
        instance_free(in[0]);
        instance_free(in[1]);
    }
}
END_TEST

static char *take_lock(struct instance *in, const char *value)
{
    struct answer answer;
    struct buf fence = { 0 };
    answer_init(&answer);
    store_lock(&in->plugin, "/lock", value, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_msg(answer.status == BR_OK, "%s", answer.text);
    buf_put(&fence, answer.value.data, answer.value.size);
    answer_done(&answer);
    return fence.data;
}

/* The election has to wait for another's transaction, and does. */
START_TEST(lock_waits_for_a_writing_process)
{
    sqlite3 *db;
    struct answer answer;
    conform.options[1] = "busy_timeout=10ms";
    conform.options[2] = "lock_poll=10ms";
    conform.options[3] = NULL;
    struct instance *in = instance_new();
    ck_assert_int_eq(sqlite3_open(file.data, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    answer_init(&answer);
    store_lock(&in->plugin, "/lock", "h:1", answer_take, &answer);
    ck_assert(!answer_soon(&answer, 100 * BR_MILLISECOND));
    ck_assert_int_eq(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_OK);
    answer_done(&answer);
    sqlite3_close(db);
    instance_free(in);
}
END_TEST

/* Somebody removes FILE-lock: two may believe to lead, but only one can write. */
START_TEST(removed_lock_file_cannot_make_two_leaders)
{
    struct answer lost;
    struct buf lock = { 0 };
    struct instance *in = instance_new();
    char *first = take_lock(in, "h:1");
    answer_init(&lost);
    store_lost(&in->plugin, first, answer_take, &lost);
    buf_printf(&lock, "%s-lock", file.data);
    ck_assert_int_eq(unlink(lock.data), 0);
    struct instance *other = instance_new();
    char *second = take_lock(other, "h:2");
    ck_assert_str_ne(first, second);
    answer_wait(&lost);
    ck_assert_int_eq(lost.status, BR_OK);
    answer_done(&lost);
    ck_assert_int_eq(conform_write(in, BR_FENCE, first, NULL, 0), BR_FENCED);
    ck_assert_int_eq(conform_write(other, BR_FENCE, second, NULL, 0), BR_OK);
    instance_free(other);
    instance_free(in);
    buf_done(&lock);
    free(first);
    free(second);
}
END_TEST

/* Through a symbolic link it is the same database, hence the same lock. */
START_TEST(lock_is_the_databases_not_the_names)
{
    struct answer answer;
    struct instance *in = instance_new();
    char *fence = take_lock(in, "h:1"), *target = realpath(file.data, NULL);
    use_file("link.db");
    ck_assert_int_eq(symlink(target, file.data), 0);
    struct instance *other = instance_new();
    answer_init(&answer);
    store_lock(&other->plugin, "/lock", "h:2", answer_take, &answer);
    ck_assert(!answer_soon(&answer, 250 * BR_MILLISECOND));
    instance_free(in);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_OK);
    answer_done(&answer);
    instance_free(other);
    free(fence);
    free(target);
}
END_TEST

/* The host may close a plugin that it never stopped. */
START_TEST(closed_without_stop)
{
    struct instance *in = instance_new();
    ck_assert_int_eq(conform_write(in, BR_CREATE, "/a", "", 0), BR_OK);
    plugin_close(&in->plugin);
    arena_done(&in->arena);
    free(in);
    in = instance_new();
    ck_assert_int_eq(conform_get(in, "/a", NULL, NULL), BR_OK);
    instance_free(in);
}
END_TEST

/* -- Main ------------------------------------------------------------------------------------- */

static TCase *writer_case(const char *name, const char *from)
{
    TCase *tcase = conform_case("writer");
    buf_printf(&option, "file=%s", name);
    conform.options[0] = option.data;
    write_from = (uint32_t) strtoul(from, NULL, 10);
    setenv("CK_FORK", "no", 1); /* SIGKILL shall hit the writer itself */
    setenv("CK_VERBOSITY", "silent", 1);
    tcase_add_test(tcase, writer);
    return tcase;
}

static TCase *file_case(void)
{
    TCase *tcase = tcase_create("file");
    tcase_add_checked_fixture(tcase, setup_file, teardown_file);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, killed_writer_loses_nothing_acknowledged);
    tcase_add_test(tcase, foreign_files_are_refused);
    tcase_add_test(tcase, newer_schema_is_refused);
    tcase_add_test(tcase, read_only_file_is_refused);
    tcase_add_test(tcase, odd_names_are_refused);
    tcase_add_test(tcase, corrupt_file_is_said);
    tcase_add_test(tcase, writing_process_is_waited_for);
    tcase_add_test(tcase, unopenable_files_are_refused);
    tcase_add_loop_test(tcase, new_file_in_use_is_said, 0, 2);
    tcase_add_test(tcase, two_may_make_the_file);
    tcase_add_test(tcase, lock_waits_for_a_writing_process);
    tcase_add_test(tcase, removed_lock_file_cannot_make_two_leaders);
    tcase_add_test(tcase, lock_is_the_databases_not_the_names);
    tcase_add_test(tcase, closed_without_stop);
    return tcase;
}

int main(int argc, char **argv)
{
    conform_load(1, (char *[]){ "sqlite" }, NULL);
    if (argc == 4 && strcmp(argv[1], "--write") == 0)
        return test_run("writer", writer_case(argv[2], argv[3]), NULL);
    return test_run("sqlite", file_case(), disk_case(), memory_case(), NULL);
}
