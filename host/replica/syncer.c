/* syncer -- see syncer.h. */
#include "host/replica/syncer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/mem.h"
#include "host/replica/journal.h"
#include "host/replica/worker.h"

struct sync_entry {
    struct replica *replica;   /* held */
    struct mutation *mutation; /* held */
    struct rdsn_incoming *incoming;
    int64_t ballot;
};

struct sync_list {
    struct sync_entry *entries;
    uint32_t count, room;
};

/* One fdatasync of every journal that was written to. */
struct sync_batch {
    struct job job; /* first */
    struct syncer *syncer;
    struct sync_list list;
    int *files;
    uint32_t file_count;
    int error;
};

struct syncer {
    struct worker *worker;
    struct sync_list waiting;
    bool busy, ending;
};

static void sync_run(struct job *job)
{
    struct sync_batch *batch = (struct sync_batch *) job;
    for (uint32_t i = 0; i < batch->file_count; i++) {
        if (fdatasync(batch->files[i]) != 0)
            batch->error = errno;
    }
}

static void syncer_begin(struct syncer *syncer);

static void sync_entry_done(const struct sync_batch *batch, const struct sync_entry *entry)
{
    struct replica *replica = entry->replica;
    bool wanted =
        batch->job.ran && !batch->syncer->ending && entry->mutation->header.ballot == entry->ballot;
    if (wanted && batch->error)
        replica_break(replica, "the private log cannot be synced: %s", strerror(batch->error));
    if (wanted && !batch->error)
        replica_logged(replica, entry->mutation, entry->incoming);
    else if (entry->incoming)
        rdsn_server_drop(entry->incoming);
    mutation_release(entry->mutation);
    replica_release(replica);
}

static void sync_done(struct job *job)
{
    struct sync_batch *batch = (struct sync_batch *) job;
    struct syncer *syncer = batch->syncer;
    for (uint32_t i = 0; i < batch->file_count; i++)
        close(batch->files[i]);
    for (uint32_t i = 0; i < batch->list.count; i++)
        sync_entry_done(batch, &batch->list.entries[i]);
    free(batch->list.entries);
    free(batch->files);
    free(batch);
    syncer->busy = false;
    if (syncer->waiting.count > 0 && !syncer->ending)
        syncer_begin(syncer);
}

static int sync_compare(const void *a, const void *b)
{
    const uintptr_t one = *(const uintptr_t *) a, other = *(const uintptr_t *) b;
    return (one > other) - (one < other);
}

/* The files, each once. */
static void sync_files(struct sync_batch *batch)
{
    uintptr_t *journals = mem_array(batch->list.count, sizeof *journals);
    for (uint32_t i = 0; i < batch->list.count; i++)
        journals[i] = (uintptr_t) batch->list.entries[i].replica->journal;
    qsort(journals, batch->list.count, sizeof *journals, sync_compare);
    batch->files = mem_array(batch->list.count, sizeof *batch->files);
    for (uint32_t i = 0; i < batch->list.count; i++) {
        if (!journals[i] || (i > 0 && journals[i] == journals[i - 1]))
            continue;
        int file = journal_descriptor((const struct journal *) journals[i]);
        if (file >= 0)
            batch->files[batch->file_count++] = file;
    }
    free(journals);
}

static void syncer_begin(struct syncer *syncer)
{
    struct sync_batch *batch = mem_new(sizeof *batch);
    batch->syncer = syncer;
    batch->list = syncer->waiting;
    batch->job.run = sync_run;
    batch->job.done = sync_done;
    syncer->waiting = (struct sync_list){ 0 };
    syncer->busy = true;
    sync_files(batch);
    worker_put(syncer->worker, &batch->job);
}

struct syncer *syncer_new(struct loop *loop)
{
    struct syncer *syncer = mem_new(sizeof *syncer);
    syncer->worker = worker_new(loop);
    if (syncer->worker)
        return syncer;
    free(syncer);
    return NULL;
}

void syncer_free(struct syncer *syncer)
{
    if (!syncer)
        return;
    syncer->ending = true;
    worker_free(syncer->worker);
    for (uint32_t i = 0; i < syncer->waiting.count; i++) {
        const struct sync_entry *entry = &syncer->waiting.entries[i];
        if (entry->incoming)
            rdsn_server_drop(entry->incoming);
        mutation_release(entry->mutation);
        replica_release(entry->replica);
    }
    free(syncer->waiting.entries);
    free(syncer);
}

void syncer_add(struct syncer *syncer, struct replica *replica, struct mutation *mutation,
                struct rdsn_incoming *incoming)
{
    struct sync_list *list = &syncer->waiting;
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 64;
        list->entries = mem_grow(list->entries, list->room * sizeof *list->entries);
    }
    replica_hold(replica);
    mutation_hold(mutation);
    list->entries[list->count++] =
        (struct sync_entry){ replica, mutation, incoming, mutation->header.ballot };
    if (!syncer->busy)
        syncer_begin(syncer);
}
