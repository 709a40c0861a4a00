/* test_sqlite_disk -- store_sqlite on a disk that is full or breaks. */
#include "t/test_sqlite.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

/* SQLite's own file system with failures on demand, in SQLite's own way (sqlite3_vfs_register). */
enum fault {
    FAULT_NONE = 0,
    FAULT_FULL = 1,
    FAULT_WRITE = 2,
    FAULT_SYNC = 3,
    FAULT_READ = 4,
    FAULT_MEMORY = 5, /* behind the log's last write, as growing the log's index may */
};

static _Atomic int fault;
static sqlite3_vfs fault_vfs;
static sqlite3_vfs *real_vfs;

/* SQLite's methods of one kind of file (those with locks, those without), and ours in their place.
 */
static struct fault_file {
    sqlite3_io_methods methods; /* first: what the file points to */
    const sqlite3_io_methods *real;
} fault_files[4];

static const sqlite3_io_methods *real_methods(const sqlite3_file *handle)
{
    return ((const struct fault_file *) (const void *) handle->pMethods)->real;
}

static int fault_write(sqlite3_file *handle, const void *data, int size, sqlite3_int64 offset)
{
    if (fault == FAULT_FULL)
        return SQLITE_FULL;
    if (fault == FAULT_WRITE)
        return SQLITE_IOERR_WRITE;
    return real_methods(handle)->xWrite(handle, data, size, offset);
}

static int fault_read(sqlite3_file *handle, void *data, int size, sqlite3_int64 offset)
{
    return fault == FAULT_READ ? SQLITE_IOERR_READ
                               : real_methods(handle)->xRead(handle, data, size, offset);
}

static int fault_sync(sqlite3_file *handle, int flags)
{
    return fault == FAULT_SYNC     ? SQLITE_IOERR_FSYNC
           : fault == FAULT_MEMORY ? SQLITE_NOMEM
                                   : real_methods(handle)->xSync(handle, flags);
}

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *handle, int flags,
                      int *ret_flags)
{
    (void) vfs;
    struct fault_file *kind = fault_files;
    int rc = real_vfs->xOpen(real_vfs, name, handle, flags, ret_flags);
    if (rc || !handle->pMethods)
        return rc;
    while (kind->real && kind->real != handle->pMethods)
        kind++;
    kind->real = handle->pMethods;
    kind->methods = *kind->real;
    kind->methods.xWrite = fault_write;
    kind->methods.xRead = fault_read;
    kind->methods.xSync = fault_sync;
    handle->pMethods = &kind->methods;
    return rc;
}

static void setup_fault(void)
{
    setup_file();
    real_vfs = sqlite3_vfs_find(NULL);
    fault_vfs = *real_vfs;
    fault_vfs.pNext = NULL;
    fault_vfs.zName = "fault";
    fault_vfs.xOpen = fault_open;
    ck_assert_int_eq(sqlite3_vfs_register(&fault_vfs, 1), SQLITE_OK);
}

static void teardown_fault(void)
{
    fault = FAULT_NONE;
    sqlite3_vfs_unregister(&fault_vfs);
    teardown_file();
}

static const struct {
    enum fault fault;
    br_status status;
    const char *sentence;
} faults[] = {
    { FAULT_FULL, BR_REFUSED, "make room on its disk" },
    { FAULT_WRITE, BR_UNKNOWN, "disk I/O error" }, /* at the very end: who knows */
    { FAULT_SYNC, BR_UNKNOWN, "disk I/O error" },
    { FAULT_MEMORY, BR_UNKNOWN, "out of memory" },
};

/* Eight commits at once, so that some share a transaction: all fail alike, and after the disk is
 * well again so is the store. */
START_TEST(broken_disk_is_said)
{
    struct answer answers[8];
    struct br_write writes[8];
    struct instance *in = instance_new();
    fill_file(in, 1);
    fault = faults[_i].fault;
    for (int i = 0; i < 8; i++) {
        writes[i] =
            (struct br_write){ .kind = BR_CREATE, .path = at("%d", i) + strlen(conform.root) };
        conform_issue(in, &writes[i], 1, &answers[i]);
    }
    for (int i = 0; i < 8; i++) {
        answer_wait(&answers[i]);
        ck_assert_msg(answers[i].status == faults[_i].status, "%d: %s", answers[i].status,
                      answers[i].text);
        ck_assert_msg(strstr(answers[i].text, faults[_i].sentence) != NULL, "%s", answers[i].text);
        answer_done(&answers[i]);
    }
    ck_assert_int_eq(conform_get(in, "/b0/1", NULL, NULL), BR_OK);
    fault = FAULT_NONE;
    for (int i = 0; i < 8; i++) {
        bool there = conform_get(in, writes[i].path, NULL, NULL) == BR_OK;
        ck_assert(!there || br_may_have_happened(faults[_i].status));
        ck_assert_int_eq(conform_write(in, BR_CREATE, writes[i].path, "", 0),
                         there ? BR_EXISTS : BR_OK);
    }
    instance_free(in);
    expect_sound_file();
}
END_TEST

START_TEST(unreadable_disk_is_said)
{
    struct instance *in = instance_new();
    fill_file(in, 50);
    instance_free(in);
    in = instance_new();
    fault = FAULT_READ;
    ck_assert_int_eq(conform_get(in, "/b30/7", NULL, NULL), BR_REFUSED);
    ck_assert_msg(strstr(conform.text, "kernel's log") != NULL, "%s", conform.text);
    fault = FAULT_NONE;
    ck_assert_int_eq(conform_get(in, "/b30/7", NULL, NULL), BR_OK);
    instance_free(in);
}
END_TEST

TCase *disk_case(void)
{
    TCase *tcase = tcase_create("disk");
    tcase_add_checked_fixture(tcase, setup_fault, teardown_fault);
    tcase_add_loop_test(tcase, broken_disk_is_said, 0, (int) (sizeof faults / sizeof *faults));
    tcase_add_test(tcase, unreadable_disk_is_said);
    return tcase;
}
