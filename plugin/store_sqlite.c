/* store_sqlite -- a store in one SQLite file: the embedded default.  This file is the plugin as the
 * host sees it: options, the queue of jobs, the worker thread's life.
 */
#include "plugin/store_sqlite.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

static const struct br_option sqlite_options[] = {
    BR_STRING(struct sqlite, file, .flags = BR_REQUIRED,
              .help = "The database file; it is made where missing, its directory is not. "
                      "FILE-wal, FILE-shm and FILE-lock lie beside it, so use a local disk."),
    BR_CHOICE(struct sqlite, synchronous, .fallback = "full", .choices = "full|normal|off",
              .help = "What a commit waits for: full survives a power cut, normal may lose the "
                      "last commits then, off may lose the file."),
    BR_DURATION(struct sqlite, busy_timeout, .fallback = "5s", .min = BR_MILLISECOND,
                .max = BR_MINUTE,
                .help = "How long to wait while another process writes to the file."),
    BR_DURATION(struct sqlite, lock_poll, .fallback = "100ms", .min = BR_MILLISECOND,
                .max = BR_MINUTE,
                .help = "How often to look whether the leader lock is free, changed or lost."),
    { 0 },
};

/* -- The queue -------------------------------------------------------------------------------- */

static void sqlite_queue(struct sqlite *sqlite, const struct sqlite_job *template)
{
    struct sqlite_job *job = mem_grow(NULL, sizeof *job);
    *job = *template;
    pthread_mutex_lock(&sqlite->mutex);
    *sqlite->last = job;
    sqlite->last = &job->next;
    pthread_cond_signal(&sqlite->wake);
    pthread_mutex_unlock(&sqlite->mutex);
}

/* The next job; a commit with those queued right behind it. */
static struct sqlite_job *sqlite_take(struct sqlite *sqlite)
{
    pthread_mutex_lock(&sqlite->mutex);
    while (!sqlite->first)
        pthread_cond_wait(&sqlite->wake, &sqlite->mutex);
    struct sqlite_job *first = sqlite->first, *end = first;
    for (int i = 1; i < STORE_GROUP_MAX && first->kind == JOB_COMMIT && end->next
                    && end->next->kind == JOB_COMMIT;
         i++)
        end = end->next;
    sqlite->first = end->next;
    if (!sqlite->first)
        sqlite->last = &sqlite->first;
    end->next = NULL;
    pthread_mutex_unlock(&sqlite->mutex);
    return first;
}

/* The job of this call, if it was not begun; NULL for `call`: all that have one.  As a list. */
static struct sqlite_job *sqlite_withdraw(struct sqlite *sqlite, const struct br_call *call)
{
    struct sqlite_job *out = NULL;
    pthread_mutex_lock(&sqlite->mutex);
    for (struct sqlite_job **slot = &sqlite->first; *slot;) {
        struct sqlite_job *job = *slot;
        if (job->call && (!call || job->call == call)) {
            *slot = job->next;
            job->next = out;
            out = job;
        } else {
            slot = &job->next;
        }
    }
    sqlite->last = &sqlite->first;
    while (*sqlite->last)
        sqlite->last = &(*sqlite->last)->next;
    pthread_mutex_unlock(&sqlite->mutex);
    return out;
}

static void sqlite_free_jobs(struct sqlite_job *job)
{
    for (struct sqlite_job *next; job; job = next) {
        next = job->next;
        free(job);
    }
}

/* -- The worker ------------------------------------------------------------------------------- */

static void sqlite_arm(struct br_env *env, void *arg);

static void sqlite_tick(struct br_env *env, void *arg)
{
    struct sqlite *sqlite = env->self;
    (void) arg;
    sqlite->poll = NULL;
    sqlite_queue(sqlite, &(struct sqlite_job){ .kind = JOB_POLL });
}

static void sqlite_arm(struct br_env *env, void *arg)
{
    struct sqlite *sqlite = env->self;
    (void) arg;
    if (!sqlite->poll && !sqlite->stopping)
        sqlite->poll = br_after(env, sqlite->lock_poll, sqlite_tick, NULL);
}

static void sqlite_do_start(struct sqlite *sqlite, struct br_call *call)
{
    struct sqlite_wrong wrong;
    if (sqlite_db_open(sqlite, &wrong)) {
        br_reply_ok(call);
    } else {
        sqlite_db_close(sqlite);
        sqlite_reply_wrong(call, &wrong);
    }
}

static void sqlite_do_stop(struct sqlite *sqlite, struct br_call *call)
{
    sqlite_lock_stop(sqlite);
    sqlite_db_close(sqlite);
    if (call)
        br_reply_ok(call);
}

/* Locks change only in these and when a commit deletes a fence; then whoever waits is looked at. */
static void sqlite_work_lock(struct sqlite *sqlite, struct sqlite_job *job)
{
    switch (job->kind) {
    case JOB_LOCK: sqlite_do_lock(sqlite, job); break;
    case JOB_OWNER: sqlite_do_owner(sqlite, job); break;
    case JOB_LOST: sqlite_do_lost(sqlite, job); break;
    case JOB_UNLOCK: sqlite_do_unlock(sqlite, job); break;
    case JOB_ELECTIONS: sqlite_do_elections(sqlite, job); break;
    case JOB_CANCEL: sqlite_do_cancel(sqlite, job->id); break;
    default: break;
    }
    if (sqlite_do_poll(sqlite))
        br_post(sqlite->env, sqlite_arm, NULL);
}

static void sqlite_work(struct sqlite *sqlite, struct sqlite_job *job)
{
    sqlite_clear(sqlite);
    switch (job->kind) {
    case JOB_START: sqlite_do_start(sqlite, job->call); break;
    case JOB_STOP: sqlite_do_stop(sqlite, job->call); break;
    case JOB_READ: sqlite_do_read(sqlite, job); break;
    case JOB_LIST: sqlite_do_list(sqlite, job); break;
    case JOB_COMMIT:
        if (sqlite_do_commits(sqlite, job) && sqlite_do_poll(sqlite))
            br_post(sqlite->env, sqlite_arm, NULL);
        break;
    default: sqlite_work_lock(sqlite, job); break;
    }
}

/* A start that failed leaves the thread waiting for the stop, and everything else refused. */
static void sqlite_refuse(const struct sqlite *sqlite, struct sqlite_job *job)
{
    for (; job; job = job->next) {
        if (job->call)
            br_reply_fail(job->call, BR_UNAVAILABLE, "%s is not open", sqlite->file);
    }
}

static void *sqlite_run(void *arg)
{
    struct sqlite *sqlite = arg;
    for (bool more = true; more;) {
        struct sqlite_job *job = sqlite_take(sqlite);
        more = job->kind != JOB_STOP;
        if (!sqlite->db && more && job->kind != JOB_START)
            sqlite_refuse(sqlite, job);
        else
            sqlite_work(sqlite, job);
        sqlite_free_jobs(job);
    }
    return NULL;
}

/* -- What the host calls ---------------------------------------------------------------------- */

static void sqlite_read(struct br_env *env, const char *const *paths, uint32_t count,
                        struct br_call *call)
{
    for (uint32_t i = 0; i < count; i++) {
        if (br_path_refused(paths[i], call))
            return;
    }
    sqlite_queue(env->self, &(struct sqlite_job){
                                .kind = JOB_READ, .call = call, .paths = paths, .count = count });
}

static void sqlite_list(struct br_env *env, const char *path, struct br_call *call)
{
    if (!br_path_refused(path, call))
        sqlite_queue(env->self,
                     &(struct sqlite_job){ .kind = JOB_LIST, .call = call, .path = path });
}

static void sqlite_lock(struct br_env *env, const char *path, const char *value,
                        struct br_call *call)
{
    if (!br_lock_refused(path, call))
        sqlite_queue(env->self, &(struct sqlite_job){
                                    .kind = JOB_LOCK, .call = call, .path = path, .text = value });
}

static void sqlite_owner(struct br_env *env, const char *path, const char *last_seen,
                         struct br_call *call)
{
    if (!br_path_refused(path, call))
        sqlite_queue(env->self,
                     &(struct sqlite_job){
                         .kind = JOB_OWNER, .call = call, .path = path, .text = last_seen });
}

static void sqlite_lost(struct br_env *env, const char *fence, struct br_call *call)
{
    sqlite_queue(env->self, &(struct sqlite_job){ .kind = JOB_LOST, .call = call, .path = fence });
}

static void sqlite_unlock(struct br_env *env, const char *fence, struct br_call *call)
{
    sqlite_queue(env->self,
                 &(struct sqlite_job){ .kind = JOB_UNLOCK, .call = call, .path = fence });
}

static void sqlite_elections(struct br_env *env, const char *path, struct br_call *call)
{
    if (!br_path_refused(path, call))
        sqlite_queue(env->self,
                     &(struct sqlite_job){ .kind = JOB_ELECTIONS, .call = call, .path = path });
}

static void sqlite_call_off(struct sqlite *sqlite, const struct br_call *call, const char *why)
{
    struct sqlite_job *jobs = sqlite_withdraw(sqlite, call);
    for (struct sqlite_job *job = jobs; job; job = job->next)
        br_reply_fail(job->call, BR_CANCELED, "%s", why);
    sqlite_free_jobs(jobs);
}

/* Not begun: called off here.  Else the worker may be replying at this moment, so it is told the
 * call's number, not its address. */
static void sqlite_cancel(struct br_env *env, struct br_call *call)
{
    const uint64_t id = call->id;
    sqlite_call_off(env->self, call, "given up");
    sqlite_queue(env->self, &(struct sqlite_job){ .kind = JOB_CANCEL, .id = id });
}

static void sqlite_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                          struct br_call *call);

static const struct br_store sqlite_store = {
    .flags = BR_STORE_LOCK,
    .batch_ops_max = STORE_BATCH_OPS_MAX,
    .batch_bytes_max = STORE_BATCH_BYTES_MAX,
    .batches_max = 4, /* one at work, the next ones ready to share its sync */
    .read = sqlite_read,
    .list = sqlite_list,
    .commit = sqlite_commit,
    .lock = sqlite_lock,
    .owner = sqlite_owner,
    .lost = sqlite_lost,
    .unlock = sqlite_unlock,
    .cancel = sqlite_cancel,
    .elections = sqlite_elections,
};

static void sqlite_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                          struct br_call *call)
{
    uint32_t index;
    br_status status;
    const char *wrong = br_batch_wrong(&sqlite_store, writes, count, &index, &status);
    if (wrong)
        br_reply_fail(call, status, "write %u of %u, %.200s: %s", index + 1, count,
                      writes[index]->path, wrong);
    else
        sqlite_queue(env->self,
                     &(struct sqlite_job){
                         .kind = JOB_COMMIT, .call = call, .writes = writes, .count = count });
}

/* -- Life ------------------------------------------------------------------------------------- */

static br_status sqlite_open(struct br_env *env)
{
    struct sqlite *sqlite = env->self;
    if (!sqlite->file[0] || sqlite->file[0] == ':')
        return br_fail(env, BR_INVALID, "file: \"%s\" does not name a file", sqlite->file);
    sqlite->env = env;
    sqlite->last = &sqlite->first;
    sqlite->lock_fd = -1;
    pthread_mutex_init(&sqlite->mutex, NULL);
    pthread_cond_init(&sqlite->wake, NULL);
    return BR_OK;
}

static void sqlite_start(struct br_env *env, struct br_call *call)
{
    struct sqlite *sqlite = env->self;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the host's thread */
    int error = sqlite->running ? 0 : pthread_create(&sqlite->thread, NULL, sqlite_run, sqlite);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    sqlite->running = error == 0;
    if (error)
        br_reply_fail(call, BR_NOMEM, "cannot create a thread: %s", strerror(error));
    else
        sqlite_queue(sqlite, &(struct sqlite_job){ .kind = JOB_START, .call = call });
}

/* What was not begun did not happen. */
static void sqlite_stop(struct br_env *env, struct br_call *call)
{
    struct sqlite *sqlite = env->self;
    sqlite->stopping = true;
    if (sqlite->poll)
        br_disarm(env, sqlite->poll);
    sqlite->poll = NULL;
    sqlite_call_off(sqlite, NULL, "the store stops");
    if (sqlite->running)
        sqlite_queue(sqlite, &(struct sqlite_job){ .kind = JOB_STOP, .call = call });
    else
        br_reply_ok(call);
}

static void sqlite_close(struct br_env *env)
{
    struct sqlite *sqlite = env->self;
    if (sqlite->running && !sqlite->stopping)
        sqlite_queue(sqlite, &(struct sqlite_job){ .kind = JOB_STOP });
    if (sqlite->running)
        pthread_join(sqlite->thread, NULL);
    sqlite_free_jobs(sqlite->first);
    pthread_cond_destroy(&sqlite->wake);
    pthread_mutex_destroy(&sqlite->mutex);
}

BR_PLUGIN(store, sqlite, &sqlite_store, .summary = "A store in one SQLite file.", .version = "1.0",
          .license = "Apache-2.0", BR_STATE(struct sqlite, sqlite_options), .open = sqlite_open,
          .start = sqlite_start, .stop = sqlite_stop, .close = sqlite_close);
