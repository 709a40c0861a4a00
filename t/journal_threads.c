/* journal_threads -- the thread that does what takes long, and the one that syncs logs. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/replica/syncer.h"
#include "host/replica/worker.h"
#include "t/journal.h"

struct disk disk;

void disk_setup(void)
{
    memset(&disk, 0, sizeof disk);
    ck_assert_int_eq(sem_init(&disk.begun, 0, 0), 0);
    ck_assert_int_eq(sem_init(&disk.go, 0, 0), 0);
}

/* Instead of the C library's. */
int fdatasync(int fd);
int fdatasync(int fd)
{
    disk.syncs++;
    if (disk.held) {
        sem_post(&disk.begun);
        sem_wait(&disk.go);
    }
    errno = fcntl(fd, F_GETFD) < 0 ? EBADF : disk.error;
    return errno ? -1 : 0;
}

static struct log silent;
static struct loop *loop;

static void setup(void)
{
    disk_setup();
    silent = (struct log){ .fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .level = BR_ERROR };
    loop = loop_new(&silent);
    ck_assert_ptr_nonnull(loop);
}

static void teardown(void)
{
    loop_free(loop);
    close(silent.fd);
}

/* -- The worker ------------------------------------------------------------------------------- */

#define TASKS 200

struct task {
    struct job job; /* first */
    uint32_t number;
    bool run; /* in the thread */
};

static struct worker *worker;
static struct task tasks[TASKS];
static uint32_t runs, dones; /* in order so far */
static pthread_t home;
static sem_t first;

static void task_run(struct job *job)
{
    struct task *task = (struct task *) job;
    ck_assert(!pthread_equal(pthread_self(), home));
    ck_assert_uint_eq(task->number, runs++);
    task->run = true;
}

static void task_wait(struct job *job)
{
    sem_wait(&first);
    task_run(job);
}

static void task_done(struct job *job)
{
    const struct task *task = (const struct task *) job;
    ck_assert(pthread_equal(pthread_self(), home));
    ck_assert_uint_eq(task->number, dones++);
    ck_assert(task->job.ran == task->run);
}

static void begin(uint32_t count)
{
    home = pthread_self();
    runs = dones = 0;
    sem_init(&first, 0, 0);
    worker = worker_new(loop);
    ck_assert_ptr_nonnull(worker);
    for (uint32_t i = 0; i < count; i++) {
        tasks[i] = (struct task){
            .job = { .run = i ? task_run : task_wait, .done = task_done, .ran = true }, .number = i
        };
        worker_put(worker, &tasks[i].job);
    }
}

START_TEST(jobs_in_order)
{
    begin(TASKS);
    ck_assert_uint_eq(dones, 0);
    sem_post(&first);
    while (dones < TASKS)
        loop_turn(loop);
    ck_assert_uint_eq(runs, TASKS);
    worker_free(worker);
    ck_assert_uint_eq(dones, TASKS);
}
END_TEST

START_TEST(drained)
{
    begin(TASKS);
    sem_post(&first);
    worker_drain(worker);
    ck_assert_uint_eq(runs, TASKS);
    ck_assert_uint_eq(dones, TASKS); /* without a turn of the loop */
    worker_drain(worker);            /* nothing is there */
    tasks[0].number = TASKS;
    tasks[0].job.run = task_run;
    worker_put(worker, &tasks[0].job);
    worker_drain(worker);
    ck_assert_uint_eq(dones, TASKS + 1);
    worker_free(worker);
}
END_TEST

/* All are done, in order; those that were not begun say so. */
START_TEST(freed_before_all_are_run)
{
    begin(TASKS);
    sem_post(&first);
    worker_free(worker);
    ck_assert_uint_eq(dones, TASKS);
    for (uint32_t i = 0; i < TASKS; i++)
        ck_assert(tasks[i].run == (i < runs));
}
END_TEST

START_TEST(freed_at_rest)
{
    begin(0);
    worker_free(worker);
    ck_assert_uint_eq(dones, 0);
}
END_TEST

TCase *journal_workers(void)
{
    TCase *tcase = tcase_create("worker");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, jobs_in_order);
    tcase_add_test(tcase, drained);
    tcase_add_loop_test(tcase, freed_before_all_are_run, 0, 20);
    tcase_add_test(tcase, freed_at_rest);
    return tcase;
}

/* -- The syncer, with replicas that only count ------------------------------------------------ */

#define REPLICAS  3
#define MUTATIONS 8

static struct replica replicas[REPLICAS];
static struct mutation_pool pool;
static struct mutation *mutations[MUTATIONS];
static struct syncer *syncer;
static int64_t told[MUTATIONS]; /* decrees, in order */
static uint32_t told_count, breaks;

void replica_hold(struct replica *replica)
{
    replica->holders++;
}

void replica_release(struct replica *replica)
{
    replica->holders--;
}

void replica_logged(struct replica *replica, struct mutation *mutation,
                    struct rdsn_incoming *incoming)
{
    ck_assert_ptr_null(incoming);
    ck_assert_uint_gt(replica->holders, 0);
    ck_assert_uint_lt(told_count, MUTATIONS);
    told[told_count++] = mutation->header.decree;
}

void replica_break(struct replica *replica, const char *format, ...)
{
    ck_assert_uint_gt(replica->holders, 0);
    ck_assert_ptr_nonnull(strstr(format, "cannot be synced"));
    breaks++;
}

static char *directories[REPLICAS];

static void journal_of(uint32_t i)
{
    struct mutation_header header = { .decree = 1 };
    struct fail fail;
    directories[i] = test_directory();
    ck_assert_int_eq(journal_open(&(struct journal_options){ .dir = directories[i] }, NULL, NULL,
                                  &replicas[i].journal, &fail),
                     BR_OK);
    ck_assert_int_eq(
        journal_append(replicas[i].journal, &header, (br_bytes){ "\0\0\0\0", 4 }, &fail), BR_OK);
}

static void syncer_setup(void)
{
    setup();
    memset(replicas, 0, sizeof replicas);
    pool = (struct mutation_pool){ 0 };
    told_count = breaks = 0;
    for (uint32_t i = 0; i + 1 < REPLICAS; i++) /* the last one's is closed */
        journal_of(i);
    for (uint32_t i = 0; i < MUTATIONS; i++) {
        mutations[i] = mutation_new(&pool);
        mutations[i]->header.decree = i;
        mutations[i]->header.ballot = 5;
    }
    syncer = syncer_new(loop);
    ck_assert_ptr_nonnull(syncer);
}

/* Whatever happened, nothing is held any more. */
static void syncer_teardown(void)
{
    syncer_free(syncer);
    for (uint32_t i = 0; i < MUTATIONS; i++) {
        ck_assert_uint_eq(mutations[i]->holders, 1);
        mutation_release(mutations[i]);
    }
    mutation_pool_done(&pool);
    for (uint32_t i = 0; i < REPLICAS; i++) {
        ck_assert_uint_eq(replicas[i].holders, 0);
        journal_close(replicas[i].journal);
        free(directories[i]);
    }
    syncer_free(NULL);
    teardown();
}

static void add(uint32_t replica, uint32_t mutation)
{
    syncer_add(syncer, &replicas[replica], mutations[mutation], NULL);
}

/* The disk was asked, and answers. */
static void let_go(void)
{
    sem_wait(&disk.begun);
    sem_post(&disk.go);
}

/* Nobody is told before the disk has said so; what comes meanwhile shares the next call. */
START_TEST(told_when_it_is_synced)
{
    disk.held = true;
    add(0, 0);
    sem_wait(&disk.begun);
    for (uint32_t i = 1; i < MUTATIONS; i++)
        add(0, i);
    ck_assert_uint_eq(told_count, 0);
    sem_post(&disk.go);
    while (told_count == 0)
        loop_turn(loop);
    ck_assert_uint_eq(told_count, 1);
    let_go();
    while (told_count < MUTATIONS)
        loop_turn(loop);
    for (uint32_t i = 0; i < MUTATIONS; i++)
        ck_assert_int_eq(told[i], i);
    ck_assert_uint_eq(disk.syncs, 2);
    ck_assert_uint_eq(breaks, 0);
}
END_TEST

/* Each journal once; one that is closed not at all. */
START_TEST(several_journals)
{
    disk.held = true;
    add(0, 0);
    sem_wait(&disk.begun);
    for (uint32_t i = 1; i < MUTATIONS; i++)
        add(i % REPLICAS, i);
    sem_post(&disk.go);
    while (told_count == 0)
        loop_turn(loop);
    let_go();
    let_go();
    while (told_count < MUTATIONS)
        loop_turn(loop);
    ck_assert_uint_eq(disk.syncs, 3);
    for (uint32_t i = 0; i < MUTATIONS; i++)
        ck_assert_int_eq(told[i], i);
}
END_TEST

/* Prepared anew at another ballot meanwhile: what was written then tells nothing of now. */
START_TEST(prepared_anew)
{
    disk.held = true;
    add(0, 0);
    add(0, 1);
    mutations[0]->header.ballot++;
    add(0, 0);
    let_go();
    loop_turn(loop); /* the second call begins */
    let_go();
    while (told_count < 2)
        loop_turn(loop);
    ck_assert_int_eq(told[0], 1);
    ck_assert_int_eq(told[1], 0);
}
END_TEST

/* The disk fails: those that wait for it are told nothing, and their replicas break. */
START_TEST(it_cannot_be_synced)
{
    disk.error = EIO;
    add(0, 0);
    add(1, 1);
    while (breaks < 2)
        loop_turn(loop);
    ck_assert_uint_eq(told_count, 0);
}
END_TEST

/* What is under way is waited for, and nobody is told any more. */
START_TEST(freed_under_way)
{
    disk.held = _i == 0;
    add(0, 0);
    for (uint32_t i = 1; i < MUTATIONS; i++)
        add(i % REPLICAS, i);
    if (_i == 0)
        let_go();
    syncer_free(syncer);
    syncer = NULL;
    ck_assert_uint_eq(told_count, 0);
    ck_assert_uint_eq(breaks, 0);
}
END_TEST

TCase *journal_syncers(void)
{
    TCase *tcase = tcase_create("syncer");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, syncer_setup, syncer_teardown);
    tcase_add_test(tcase, told_when_it_is_synced);
    tcase_add_test(tcase, several_journals);
    tcase_add_test(tcase, prepared_anew);
    tcase_add_test(tcase, it_cannot_be_synced);
    tcase_add_loop_test(tcase, freed_under_way, 0, 2);
    return tcase;
}
