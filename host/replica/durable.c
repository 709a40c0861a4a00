/* durable -- what of a replica is on disk: its data, its private log, its checkpoints.
 *
 * Everything that is prepared is in the log before anybody is told; what is applied is in the
 * data's memory, and on disk once it is flushed.  Then its part of the log goes.  Checkpoints are
 * made for learners (src/replica/replica_chkpt.cpp, src/replica/replica_init.cpp).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/base/number.h"
#include "host/replica/files.h"
#include "host/replica/journal.h"
#include "host/replica/stub.h"
#include "host/replica/syncer.h"
#include "host/replica/worker.h"

#define DURABLE_LEARNING_LOGS 8 /* times a log's size, that a log may have while others learn */
#define DURABLE_LOG_FILES     4 /* that what is kept of a log is about, for it goes file by file */

/* -- Opening ---------------------------------------------------------------------------------- */

struct replay {
    struct replica *replica;
    int64_t valid_from;
};

/* Of one decree the mutation with the highest ballot counts. */
static br_status durable_replay(void *arg, const struct mutation_header *header, br_bytes updates,
                                struct fail *ret_fail)
{
    struct replay *replay = arg;
    struct replica *replica = replay->replica;
    struct prepare_list *list = &replica->list;
    if (header->ballot > replica->config.ballot)
        replica->config.ballot = header->ballot;
    if (header->log_offset < replay->valid_from || header->decree <= list->committed)
        return BR_OK;
    const struct mutation *old = prepare_list_get(list, header->decree);
    if (old && old->header.ballot >= header->ballot)
        return BR_OK;
    return replica_take(replica, header, updates, true, ret_fail);
}

br_status replica_take(struct replica *replica, const struct mutation_header *header,
                       br_bytes updates, bool soft, struct fail *ret_fail)
{
    if (soft)
        replica_commit_soft(replica, header->last_committed_decree);
    else
        replica_commit_hard(replica, header->last_committed_decree);
    prepare_list_make_room(&replica->list, header->decree, false);
    struct mutation *mutation = mutation_new(&replica->stub->pool);
    mutation->header = *header;
    mutation->header.log_offset = -1;
    buf_put(&mutation->updates, updates.data, updates.size);
    mutation->logged = true;
    bool room = prepare_list_put(&replica->list, mutation);
    mutation_release(mutation);
    return room ? BR_OK
                : fail_set(ret_fail, BR_CORRUPT, "decree %lld is too far above committed %lld",
                           (long long) header->decree, (long long) replica_committed(replica));
}

static void durable_path(const struct replica *replica, const char *name, struct buf *path)
{
    buf_clear(path);
    buf_printf(path, "%s/%s", replica->dir, name);
}

/* A kill while learned data took the place of old ones (replica_replace). */
static br_status durable_settle(struct replica *replica, struct fail *ret_fail)
{
    struct buf rdb = { 0 }, old = { 0 };
    durable_path(replica, "data/rdb", &rdb);
    durable_path(replica, "data/rdb.old", &old);
    br_status status = BR_OK;
    if (files_exists(old.data) && !files_exists(rdb.data))
        status = files_rename(old.data, rdb.data, ret_fail);
    else if (files_exists(old.data))
        status = data_store_delete(replica->stub->shared, old.data, ret_fail);
    buf_done(&rdb);
    buf_done(&old);
    return status;
}

/* Those of an earlier life are as good for learners. */
static void durable_find_checkpoints(struct replica *replica)
{
    static const char prefix[] = "checkpoint.";
    struct replica_checkpoint *checkpoint = &replica->checkpoint;
    struct wire_list list;
    struct buf path = { 0 };
    durable_path(replica, "data", &path);
    files_list(path.data, NULL, &replica->stub->arena, &list);
    const char *const *names = list.items;
    for (uint32_t i = 0; i < list.count; i++) {
        const char *number = names[i] + sizeof prefix - 1;
        int64_t decree;
        if (strncmp(names[i], prefix, sizeof prefix - 1) != 0
            || !number_i64(number, strlen(number), &decree) || decree > replica->durable)
            continue;
        if (decree > checkpoint->decree) {
            checkpoint->older = checkpoint->decree;
            checkpoint->decree = decree;
        } else if (decree > checkpoint->older) {
            checkpoint->older = decree;
        }
    }
    buf_done(&path);
}

static br_status durable_open_store(struct replica *replica, int64_t least, struct fail *ret_fail)
{
    struct buf path = { 0 };
    durable_path(replica, "data/rdb", &path);
    bool there = files_exists(path.data);
    br_status status = BR_OK;
    if (!there && least > 0)
        status = fail_set(ret_fail, BR_CORRUPT,
                          "%s is missing, and .init-info says that it held decree %lld: its data "
                          "are lost",
                          path.data, (long long) least);
    if (!status)
        status = data_store_open(replica->stub->shared, path.data, &replica->store, ret_fail);
    if (!status && data_store_flushed(replica->store) < least)
        status =
            fail_set(ret_fail, BR_CORRUPT,
                     "%s ends at decree %lld, and .init-info says that it held %lld: data are "
                     "lost",
                     path.data, (long long) data_store_flushed(replica->store), (long long) least);
    buf_done(&path);
    return status;
}

br_status replica_open(struct replica *replica, const struct inventory_replica *from,
                       struct fail *ret_fail)
{
    struct stub *stub = replica->stub;
    struct replay replay = { replica, from->valid_from };
    struct buf path = { 0 };
    if (!stub->shared)
        return BR_OK;
    durable_path(replica, "data", &path);
    br_status status = files_make_dir(path.data, ret_fail);
    buf_done(&path);
    if (!status)
        status = durable_settle(replica, ret_fail);
    if (!status)
        status = durable_open_store(replica, from->init_durable, ret_fail);
    if (status)
        return status;
    replica->durable = replica->applied = data_store_flushed(replica->store);
    replica->valid_from = from->valid_from;
    prepare_list_reset(&replica->list, replica->applied);
    durable_find_checkpoints(replica);
    return journal_open(
        &(struct journal_options){ .dir = replica->dir,
                                   .pid = replica->pid,
                                   .valid_from = from->valid_from,
                                   .durable = replica->durable,
                                   .file_size = stub->options.log_size / DURABLE_LOG_FILES,
                                   .sync = stub->options.sync },
        durable_replay, &replay, &replica->journal, ret_fail);
}

void replica_shut(struct replica *replica)
{
    if (replica->flushing || replica->checkpoint.making)
        worker_drain(replica->stub->worker);
    data_store_close(replica->store);
    journal_close(replica->journal);
    replica->store = NULL;
    replica->journal = NULL;
}

/* -- The log ---------------------------------------------------------------------------------- */

static void durable_broken(void *arg)
{
    struct replica *replica = arg;
    replica->broken_timer = NULL;
    replica_hold(replica);
    if (replica->life == LIFE_SERVING)
        replica_local_failure(replica);
    replica_release(replica);
}

void replica_break(struct replica *replica, const char *format, ...)
{
    char text[LOG_LINE_MAX / 2];
    va_list args;
    if (replica->broken)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    replica_log(replica, BR_ERROR, "%s; it is closed, and its directory is left as it is", text);
    replica->broken = true;
    replica->broken_timer = loop_after(replica->stub->loop, 0, durable_broken, replica);
}

static void durable_flush(struct replica *replica);

bool replica_append(struct replica *replica, struct mutation *mutation)
{
    struct fail fail;
    if (!replica->journal) {
        mutation->logged = true;
        return true;
    }
    mutation->logged = false;
    if (replica->broken)
        return false;
    if (journal_append(replica->journal, &mutation->header, buf_bytes(&mutation->updates), &fail)
        != BR_OK) {
        replica_break(replica, "a mutation cannot be logged: %s", fail.text);
        return false;
    }
    mutation->logged = !replica->stub->options.sync;
    if (journal_end(replica->journal) - replica->flushed_at > replica->stub->options.log_size)
        durable_flush(replica);
    return true;
}

/* -- Jobs ------------------------------------------------------------------------------------- */

struct durable_job {
    struct job job;          /* first */
    struct replica *replica; /* held */
    int64_t decree;          /* flush: what was applied; checkpoint: what it holds */
    char *dir;               /* of the checkpoint */
    br_status status;
    struct fail fail;
};

static struct durable_job *durable_job_new(struct replica *replica, void (*run)(struct job *job),
                                           void (*done)(struct job *job))
{
    struct durable_job *job = mem_new(sizeof *job);
    job->replica = replica;
    job->job.run = run;
    job->job.done = done;
    replica_hold(replica);
    return job;
}

static void durable_job_free(struct durable_job *job)
{
    replica_release(job->replica);
    free(job->dir);
    free(job);
}

/* Learners copy files of the log, and go on from a checkpoint: for a while they are waited for. */
static void durable_collect(struct replica *replica)
{
    bool learners = replica->primary.learner_count > 0;
    if (!learners
        || journal_size(replica->journal) > DURABLE_LEARNING_LOGS * replica->stub->options.log_size)
        journal_collect(replica->journal, replica->durable);
}

static void durable_flush_run(struct job *job)
{
    struct durable_job *flush = (struct durable_job *) job;
    flush->status = data_store_flush(flush->replica->store, &flush->fail);
}

static void durable_flush_done(struct job *job)
{
    struct durable_job *flush = (struct durable_job *) job;
    struct replica *replica = flush->replica;
    replica->flushing = false;
    if (job->ran && flush->status) {
        replica_break(replica, "its data cannot be flushed: %s", flush->fail.text);
    } else if (job->ran) {
        replica->durable = flush->decree > replica->durable ? flush->decree : replica->durable;
        durable_collect(replica);
    }
    durable_job_free(flush);
}

static void durable_flush(struct replica *replica)
{
    if (replica->flushing || replica->checkpoint.making || replica->applied == replica->durable)
        return;
    struct durable_job *job = durable_job_new(replica, durable_flush_run, durable_flush_done);
    job->decree = replica->applied;
    replica->flushing = true;
    replica->flushed_at = journal_end(replica->journal);
    worker_put(replica->stub->worker, &job->job);
}

/* -- Checkpoints ------------------------------------------------------------------------------ */

static void durable_checkpoint_path(const struct replica *replica, int64_t decree, struct buf *path)
{
    buf_clear(path);
    buf_printf(path, "%s/data/checkpoint.%lld", replica->dir, (long long) decree);
}

static void durable_checkpoint_run(struct job *job)
{
    struct durable_job *checkpoint = (struct durable_job *) job;
    struct replica *replica = checkpoint->replica;
    struct buf final = { 0 };
    struct fail *fail = &checkpoint->fail;
    checkpoint->status =
        data_store_checkpoint(replica->store, checkpoint->dir, &checkpoint->decree, fail);
    if (!checkpoint->status) {
        durable_checkpoint_path(replica, checkpoint->decree, &final);
        checkpoint->status = data_store_delete(replica->stub->shared, final.data, fail);
    }
    if (!checkpoint->status)
        checkpoint->status = files_rename(checkpoint->dir, final.data, fail);
    buf_done(&final);
}

/* The one before the last stays: a learner may be copying it. */
static void durable_checkpoint_keep(struct replica *replica, int64_t decree)
{
    struct replica_checkpoint *checkpoint = &replica->checkpoint;
    struct buf path = { 0 };
    struct fail fail;
    if (checkpoint->older > 0 && checkpoint->older != decree) {
        durable_checkpoint_path(replica, checkpoint->older, &path);
        if (data_store_delete(replica->stub->shared, path.data, &fail) != BR_OK)
            replica_log(replica, BR_WARN, "%s", fail.text);
        buf_done(&path);
    }
    if (checkpoint->decree != decree)
        checkpoint->older = checkpoint->decree;
    checkpoint->decree = decree;
    if (decree > replica->durable)
        replica->durable = decree;
}

static void durable_checkpoint_done(struct job *job)
{
    struct durable_job *checkpoint = (struct durable_job *) job;
    struct replica *replica = checkpoint->replica;
    replica->checkpoint.making = false;
    if (job->ran && checkpoint->status)
        replica_log(replica, BR_ERROR, "no checkpoint: %s", checkpoint->fail.text);
    else if (job->ran)
        durable_checkpoint_keep(replica, checkpoint->decree);
    if (replica->life == LIFE_SERVING && replica->journal)
        durable_collect(replica);
    learnee_go_on(replica, job->ran && !checkpoint->status);
    durable_job_free(checkpoint);
}

void replica_make_checkpoint(struct replica *replica)
{
    struct buf path = { 0 };
    if (replica->checkpoint.making)
        return;
    struct durable_job *job =
        durable_job_new(replica, durable_checkpoint_run, durable_checkpoint_done);
    durable_path(replica, "data/checkpoint.tmp", &path);
    job->dir = path.data;
    replica->checkpoint.making = true;
    worker_put(replica->stub->worker, &job->job);
}

/* -- Learned data ----------------------------------------------------------------------------- */

/* They are of what was before. */
static void durable_forget_checkpoints(struct replica *replica)
{
    const int64_t decrees[] = { replica->checkpoint.decree, replica->checkpoint.older };
    struct buf path = { 0 };
    struct fail fail;
    for (int i = 0; i < 2; i++) {
        durable_checkpoint_path(replica, decrees[i], &path);
        if (decrees[i] > 0 && data_store_delete(replica->stub->shared, path.data, &fail) != BR_OK)
            replica_log(replica, BR_WARN, "%s", fail.text);
    }
    replica->checkpoint.decree = replica->checkpoint.older = 0;
    buf_done(&path);
}

/* Data that go further than the primary's are set aside, not deleted: nobody else may have them.
 * After a kill in between, durable_settle brings the old data back: the log of what came after them
 * is gone then, which makes the replica an older one, never a wrong one. */
br_status replica_replace(struct replica *replica, const char *learned, struct fail *ret_fail)
{
    struct buf rdb = { 0 }, old = { 0 };
    int64_t decree;
    if (learned && data_store_look(replica->stub->shared, learned, &decree, ret_fail) != BR_OK)
        return ret_fail->status;
    durable_path(replica, "data/rdb", &rdb);
    durable_path(replica, "data/rdb.old", &old);
    if (replica->flushing || replica->checkpoint.making)
        worker_drain(replica->stub->worker);
    data_store_close(replica->store);
    replica->store = NULL;
    replica->durable = 0;
    durable_forget_checkpoints(replica);
    br_status status = data_store_delete(replica->stub->shared, old.data, ret_fail);
    if (!status)
        status = files_rename(rdb.data, old.data, ret_fail);
    if (!status) {
        replica->valid_from = journal_restart(replica->journal, 0);
        replica_store_init(replica);
    }
    if (!status)
        status = learned ? files_rename(learned, rdb.data, ret_fail)
                         : files_set_aside(old.data, ".bak", ret_fail);
    if (!status)
        status = data_store_open(replica->stub->shared, rdb.data, &replica->store, ret_fail);
    if (!status && learned)
        status = data_store_delete(replica->stub->shared, old.data, ret_fail);
    if (!status) {
        replica->durable = replica->applied = data_store_flushed(replica->store);
        replica->valid_from = journal_restart(replica->journal, replica->applied);
        prepare_list_reset(&replica->list, replica->applied);
        replica_store_init(replica);
    }
    buf_done(&rdb);
    buf_done(&old);
    return status;
}
