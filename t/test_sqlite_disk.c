/* test_sqlite_disk -- store_sqlite on a disk that is full or breaks, and with every single call to
 * the file system and to the allocator failing in turn.
 */
#include "t/test_sqlite.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* SQLite's own file system with failures on demand, in SQLite's own way (sqlite3_vfs_register). */
enum fault {
    FAULT_NONE = 0,
    FAULT_FULL = 1,
    FAULT_WRITE = 2,
    FAULT_SYNC = 3,
    FAULT_READ = 4,
    FAULT_MEMORY = 5, /* behind the log's last write, as growing the log's index may */
    FAULT_NO_LOG = 6, /* a file system without shared memory, as some of networks are */
};

static _Atomic int fault;
static _Atomic long calls_left; /* of the file system, or of memory, until one fails; 0: never */
static _Atomic bool calls_fail; /* one did; where they go on failing, all do */
static bool calls_go_on;
enum calls { CALLS_OF_FILES, CALLS_OF_MEMORY };
static enum calls calls_kind;
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

/* Shall this call fail? */
static bool call_fails(enum calls kind)
{
    if (kind != calls_kind)
        return false;
    if (calls_fail)
        return calls_go_on;
    long left = calls_left;
    while (left > 0 && !atomic_compare_exchange_weak(&calls_left, &left, left - 1))
        ;
    calls_fail = left == 1;
    return left == 1;
}

static int fault_write(sqlite3_file *handle, const void *data, int size, sqlite3_int64 offset)
{
    if (fault == FAULT_FULL)
        return SQLITE_FULL;
    if (fault == FAULT_WRITE || call_fails(CALLS_OF_FILES))
        return SQLITE_IOERR_WRITE;
    return real_methods(handle)->xWrite(handle, data, size, offset);
}

static int fault_read(sqlite3_file *handle, void *data, int size, sqlite3_int64 offset)
{
    return fault == FAULT_READ || call_fails(CALLS_OF_FILES)
               ? SQLITE_IOERR_READ
               : real_methods(handle)->xRead(handle, data, size, offset);
}

static int fault_sync(sqlite3_file *handle, int flags)
{
    return fault == FAULT_SYNC || call_fails(CALLS_OF_FILES) ? SQLITE_IOERR_FSYNC
           : fault == FAULT_MEMORY                           ? SQLITE_NOMEM
                                   : real_methods(handle)->xSync(handle, flags);
}

static int fault_truncate(sqlite3_file *handle, sqlite3_int64 size)
{
    return call_fails(CALLS_OF_FILES) ? SQLITE_IOERR_TRUNCATE
                                      : real_methods(handle)->xTruncate(handle, size);
}

static int fault_size(sqlite3_file *handle, sqlite3_int64 *ret_size)
{
    return call_fails(CALLS_OF_FILES) ? SQLITE_IOERR_FSTAT
                                      : real_methods(handle)->xFileSize(handle, ret_size);
}

static int fault_lock(sqlite3_file *handle, int level)
{
    return call_fails(CALLS_OF_FILES) ? SQLITE_IOERR_LOCK
                                      : real_methods(handle)->xLock(handle, level);
}

static int fault_shm_map(sqlite3_file *handle, int region, int size, int extend,
                         void volatile **ret_at)
{
    return call_fails(CALLS_OF_FILES)
               ? SQLITE_IOERR_SHMMAP
               : real_methods(handle)->xShmMap(handle, region, size, extend, ret_at);
}

static int fault_shm_lock(sqlite3_file *handle, int offset, int count, int flags)
{
    return (flags & SQLITE_SHM_LOCK) && call_fails(CALLS_OF_FILES)
               ? SQLITE_IOERR_SHMLOCK
               : real_methods(handle)->xShmLock(handle, offset, count, flags);
}

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *handle, int flags,
                      int *ret_flags)
{
    (void) vfs;
    struct fault_file *kind = fault_files;
    if (call_fails(CALLS_OF_FILES))
        return SQLITE_CANTOPEN;
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
    kind->methods.xTruncate = fault_truncate;
    kind->methods.xFileSize = fault_size;
    kind->methods.xLock = fault_lock;
    kind->methods.xShmMap = fault_shm_map;
    kind->methods.xShmLock = fault_shm_lock;
    if (fault == FAULT_NO_LOG)
        kind->methods.iVersion = 1;
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
    calls_left = 0;
    calls_fail = false;
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

START_TEST(disk_without_a_log_is_refused)
{
    fault = FAULT_NO_LOG;
    expect_no_start(BR_UNSUPPORTED, "its file system cannot do write-ahead logging");
}
END_TEST

/* -- Every call fails once ----------------------------------------------------------------------
 */

static const sqlite3_mem_methods *real_memory(void)
{
    static sqlite3_mem_methods real;
    if (!real.xMalloc)
        ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real), SQLITE_OK);
    return &real;
}

static void *fault_malloc(int size)
{
    return call_fails(CALLS_OF_MEMORY) ? NULL : real_memory()->xMalloc(size);
}

static void *fault_realloc(void *old, int size)
{
    return call_fails(CALLS_OF_MEMORY) ? NULL : real_memory()->xRealloc(old, size);
}

static void setup_memory(void)
{
    sqlite3_shutdown();
    sqlite3_mem_methods methods = *real_memory();
    methods.xMalloc = fault_malloc;
    methods.xRealloc = fault_realloc;
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
    setup_fault();
}

static void teardown_memory(void)
{
    teardown_fault();
    sqlite3_shutdown();
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, real_memory()), SQLITE_OK);
}

#define SMALL 6 /* creates of the small life */

/* What the small life was told. */
struct life {
    struct answer start, creates[SMALL], put, gone, list, lock, unlock;
};

static void life_ask(struct instance *in, struct life *life, const struct br_write *writes)
{
    const char *paths[] = { "/n0", "/n1" };
    struct answer read;
    for (int i = 0; i < SMALL; i++) /* the first alone, the others together */
        conform_issue(in, &writes[i], 1, &life->creates[i]);
    for (int i = 0; i < SMALL; i++)
        answer_wait(&life->creates[i]);
    conform_issue(in, &writes[SMALL], 1, &life->put);
    answer_wait(&life->put);
    conform_issue(in, &writes[SMALL + 1], 1, &life->gone);
    answer_wait(&life->gone);
    answer_init(&read);
    store_read(&in->plugin, paths, 2, NULL, PLUGIN_FOREVER, answer_take, &read);
    answer_wait(&read);
    answer_done(&read);
    answer_init(&life->list);
    store_list(&in->plugin, "/", PLUGIN_FOREVER, answer_take, &life->list);
    answer_wait(&life->list);
    answer_init(&life->lock);
    store_lock(&in->plugin, "/locks/one", "h:1", answer_take, &life->lock);
    answer_wait(&life->lock);
    answer_init(&life->unlock);
    if (life->lock.status == BR_OK) {
        char fence[BR_PATH_MAX];
        snprintf(fence, sizeof fence, "%.*s", (int) life->lock.value.size,
                 (const char *) life->lock.value.data);
        store_unlock(&in->plugin, fence, PLUGIN_FOREVER, answer_take, &life->unlock);
        answer_wait(&life->unlock);
    }
}

static void life_expect(const struct answer *answer)
{
    if (answer->status == BR_OK)
        return;
    ck_assert_msg(calls_fail, "%s", answer->text);
    if (answer->status != BR_NOTFOUND) /* of a node whose creation failed */
        ck_assert_msg(strstr(answer->text, file.data) != NULL, "%s", answer->text);
}

static void life_done(struct life *life)
{
    struct answer *told[] = { &life->put, &life->gone, &life->list, &life->lock, &life->unlock };
    answer_done(&life->start);
    for (int i = 0; life->start.status == BR_OK && i < SMALL; i++)
        answer_done(&life->creates[i]);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (told[i]->done)
            answer_done(told[i]);
}

/* What was acknowledged is there; what was refused for certain is not. */
static void life_check(const struct life *life, const struct br_write *writes)
{
    struct buf value = { 0 };
    struct instance *in = instance_new();
    for (int i = 1; i < SMALL; i++) {
        bool there = conform_get(in, writes[i].path, NULL, NULL) == BR_OK;
        br_status told = life->creates[i].status;
        ck_assert_msg(br_may_have_happened(told) || there == (told == BR_OK), "%s: %d, there: %d",
                      writes[i].path, told, there);
    }
    if (life->put.status == BR_OK) {
        ck_assert_int_eq(conform_get(in, writes[SMALL].path, &value, NULL), BR_OK);
        ck_assert_str_eq(buf_string(&value), "new");
    }
    if (life->gone.status == BR_OK)
        ck_assert_int_eq(conform_get(in, writes[SMALL + 1].path, NULL, NULL), BR_NOTFOUND);
    if (life->start.status == BR_OK && life->unlock.status == BR_OK)
        ck_assert_int_eq(conform_write(in, BR_CREATE, "/after", "", 0), BR_OK);
    instance_free(in);
    buf_done(&value);
    expect_sound_file();
}

/* A whole life on a new file with the `number`th call failing; false: it has fewer. */
static bool life_lived(long number)
{
    static const struct br_write writes[] = {
        { .kind = BR_CREATE, .path = "/n0" },
        { .kind = BR_CREATE, .path = "/n1" },
        { .kind = BR_CREATE, .path = "/n2" },
        { .kind = BR_CREATE, .path = "/n3" },
        { .kind = BR_CREATE, .path = "/n4" },
        { .kind = BR_CREATE, .path = "/n5" },
        { .kind = BR_PUT, .path = "/n1", .value = { "new", 3 }, .version = BR_ANY_VERSION },
        { .kind = BR_DELETE, .path = "/n0", .version = BR_ANY_VERSION },
    };
    struct life life = { 0 };
    struct instance *in = instance_make();
    calls_fail = false;
    calls_left = number;
    answer_init(&life.start);
    plugin_start(&in->plugin, PLUGIN_FOREVER, answer_take, &life.start);
    answer_wait(&life.start);
    life_expect(&life.start);
    if (life.start.status == BR_OK)
        life_ask(in, &life, writes);
    const struct answer *told[] = { &life.put, &life.gone, &life.list, &life.lock, &life.unlock };
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        life_expect(told[i]);
    for (int i = 0; i < SMALL; i++)
        life_expect(&life.creates[i]);
    instance_free(in);
    bool failed = calls_fail;
    calls_left = 0;
    calls_fail = false;
    if (life.start.status == BR_OK)
        life_check(&life, writes);
    life_done(&life);
    return failed;
}

/* Each `step`th call of that kind. */
static void every_call(enum calls kind, bool go_on, long step)
{
    long number = 1 + go_on;
    calls_kind = kind;
    calls_go_on = go_on;
    do {
        char name[32];
        snprintf(name, sizeof name, "each%ld.db", number);
        use_file(name);
        if (kind == CALLS_OF_MEMORY)
            conform.options[1] = "synchronous=off"; /* the same calls in less time */
        number += step;
    } while (life_lived(number - step));
    ck_assert_int_gt(number, 50);
}

START_TEST(every_file_call_fails)
{
    every_call(CALLS_OF_FILES, _i, 1);
}
END_TEST

/* There are a thousand of them, so each third does. */
START_TEST(every_allocation_fails)
{
    every_call(CALLS_OF_MEMORY, _i, 3);
}
END_TEST

TCase *memory_case(void)
{
    TCase *tcase = tcase_create("memory");
    tcase_add_checked_fixture(tcase, setup_memory, teardown_memory);
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, every_allocation_fails, 0, 2);
    return tcase;
}

TCase *disk_case(void)
{
    TCase *tcase = tcase_create("disk");
    tcase_add_checked_fixture(tcase, setup_fault, teardown_fault);
    tcase_add_loop_test(tcase, broken_disk_is_said, 0, (int) (sizeof faults / sizeof *faults));
    tcase_add_test(tcase, unreadable_disk_is_said);
    tcase_add_test(tcase, disk_without_a_log_is_refused);
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, every_file_call_fails, 0, 2);
    return tcase;
}
