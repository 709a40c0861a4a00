/* writer -- a queue of groups and a few commits in flight; each commit owns the groups it carries
 * until it was answered.
 */
#include "host/meta/writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "host/base/mem.h"
#include "host/recovery/rows.h"

#define WRITER_GROUP_FIRST 4 /* writes of a new group's array */

struct write_group {
    TAILQ_ENTRY(write_group) link; /* in the queue, or in its commit */
    struct writer *writer;
    struct arena arena;
    struct br_write *writes;
    uint32_t count, cap;
    uint64_t bytes; /* as the store counts them */
    bool alone;     /* was refused in company */
    bool doubt;     /* may have happened already */
    write_done *done;
    void *arg;
};

TAILQ_HEAD(group_list, write_group);

struct commit {
    struct writer *writer;
    struct br_call *call; /* NULL: free */
    struct group_list groups;
    uint32_t group_count;
};

struct writer {
    struct loop *loop;
    struct plugin *store;
    char *fence;
    struct group_list queue;
    uint32_t waiting; /* groups in the queue and in commits */
    struct commit commits[WRITER_FLIGHT_MAX];
    uint32_t flying;
    struct timer *flush; /* packing soon */
    struct timer *pause; /* the store is being waited for */
    uint64_t failures;   /* in a row */
    bool held;
    bool lost; /* the fence is gone: `tell` will say so */
    void (*tell)(void *arg);
    void *arg;
};

/* -- Groups ----------------------------------------------------------------------------------- */

static const struct br_store *writer_limits(const struct writer *writer)
{
    return &writer->store->ops.store;
}

static uint64_t writer_fence_bytes(const struct writer *writer)
{
    return writer->fence ? strlen(writer->fence) + writer_limits(writer)->write_overhead : 0;
}

struct write_group *writer_begin(struct writer *writer)
{
    struct write_group *group = mem_new(sizeof *group);
    group->writer = writer;
    arena_init(&group->arena, 1024);
    return group;
}

void writer_add(struct write_group *group, br_write_kind kind, const char *path, br_bytes value)
{
    if (group->count == group->cap) {
        group->cap = group->cap ? group->cap * 2 : WRITER_GROUP_FIRST;
        group->writes = mem_grow(group->writes, group->cap * sizeof *group->writes);
    }
    size_t size = strlen(path);
    bool carries = kind == BR_CREATE || kind == BR_PUT;
    group->writes[group->count++] = (struct br_write){
        .kind = kind,
        .path = arena_text(&group->arena, path, size),
        .value = { carries ? arena_text(&group->arena, value.data ? value.data : "", value.size)
                           : NULL,
                   carries ? value.size : 0 },
        .version = BR_ANY_VERSION,
    };
    group->bytes +=
        size + (carries ? value.size : 0) + writer_limits(group->writer)->write_overhead;
}

uint32_t writer_room(const struct write_group *group, size_t size)
{
    const struct br_store *limits = writer_limits(group->writer);
    uint64_t each = size + limits->write_overhead;
    uint64_t used = group->bytes + writer_fence_bytes(group->writer);
    uint32_t count = group->count + (group->writer->fence ? 1 : 0);
    uint64_t room = UINT32_MAX;
    if (limits->batch_ops_max)
        room = count < limits->batch_ops_max ? limits->batch_ops_max - count : 0;
    if (limits->batch_bytes_max) {
        uint64_t fit = used < limits->batch_bytes_max ? (limits->batch_bytes_max - used) / each : 0;
        room = fit < room ? fit : room;
    }
    return (uint32_t) room;
}

/* Would the store refuse it the second time? */
static bool group_once(const struct write_group *group)
{
    for (uint32_t i = 0; i < group->count; i++) {
        if (group->writes[i].kind == BR_CREATE || group->writes[i].kind == BR_DELETE)
            return true;
    }
    return false;
}

static void group_free(struct write_group *group)
{
    arena_done(&group->arena);
    free(group->writes);
    free(group);
}

void writer_forget(struct write_group *group)
{
    group->done = NULL;
}

static void group_tell(struct write_group *group, br_status status, const char *why)
{
    write_done *done = group->done;
    void *arg = group->arg;
    group->writer->waiting--;
    group_free(group);
    if (done)
        done(arg, status, why);
}

/* -- Packing ---------------------------------------------------------------------------------- */

static void writer_pump(struct writer *writer);
static void writer_answered(void *arg, struct call_answer *answer);

static struct commit *writer_free_commit(struct writer *writer)
{
    uint32_t most = writer_limits(writer)->batches_max;
    most = most == 0 ? 1 : most < WRITER_FLIGHT_MAX ? most : WRITER_FLIGHT_MAX;
    for (uint32_t i = 0; i < most; i++) {
        if (!writer->commits[i].call && TAILQ_EMPTY(&writer->commits[i].groups))
            return &writer->commits[i];
    }
    return NULL;
}

/* The groups from the head of the queue that fit into one commit together. */
static uint32_t commit_fill(struct writer *writer, struct commit *commit)
{
    const struct br_store *limits = writer_limits(writer);
    uint64_t bytes = writer_fence_bytes(writer);
    uint32_t writes = writer->fence ? 1 : 0;
    struct write_group *group;
    commit->group_count = 0;
    while ((group = TAILQ_FIRST(&writer->queue))) {
        bool first = commit->group_count == 0;
        bool fits = (!limits->batch_ops_max || writes + group->count <= limits->batch_ops_max)
                    && (!limits->batch_bytes_max || bytes + group->bytes <= limits->batch_bytes_max)
                    && !group->alone && !group->doubt;
        if (!first && !fits)
            break;
        TAILQ_REMOVE(&writer->queue, group, link);
        TAILQ_INSERT_TAIL(&commit->groups, group, link);
        commit->group_count++;
        writes += group->count;
        bytes += group->bytes;
        if (group->alone || group->doubt)
            break;
    }
    return writes;
}

/* What the plugin is given lives in the call's memory: a group may be told at the deadline while
 * the plugin still has it. */
static void commit_send(struct writer *writer, struct commit *commit, uint32_t count)
{
    struct arena memory;
    arena_init(&memory, 0);
    const struct br_write **list = arena_alloc(&memory, count * sizeof *list);
    struct br_write *copies = arena_alloc(&memory, count * sizeof *copies);
    uint32_t at = 0;
    if (writer->fence)
        copies[at++] =
            (struct br_write){ .kind = BR_FENCE,
                               .path = arena_text(&memory, writer->fence, strlen(writer->fence)) };
    struct write_group *group;
    TAILQ_FOREACH(group, &commit->groups, link)
    {
        for (uint32_t i = 0; i < group->count; i++) {
            struct br_write *copy = &copies[at++];
            *copy = group->writes[i];
            copy->path = arena_text(&memory, copy->path, strlen(copy->path));
            if (copy->value.size)
                copy->value.data = arena_text(&memory, copy->value.data, copy->value.size);
        }
    }
    assert(at == count);
    for (uint32_t i = 0; i < count; i++)
        list[i] = &copies[i];
    writer->flying++;
    commit->call = store_commit(writer->store, list, count, &memory, 0, writer_answered, commit);
}

/* -- Waiting for the store --------------------------------------------------------------------- */

static void writer_again(void *arg)
{
    struct writer *writer = arg;
    writer->pause = NULL;
    writer_pump(writer);
}

static void writer_wait(struct writer *writer, const char *why)
{
    if (writer->failures++ == 0)
        log_put(writer->loop->log, BR_WARN, "writer",
                "the store does not take writes: %s; %u updates wait, and are tried again every "
                "second",
                why, writer->waiting);
    if (!writer->pause)
        writer->pause = loop_after(writer->loop, WRITER_PAUSE, writer_again, writer);
}

/* -- Reading back ----------------------------------------------------------------------------- */

/* Of what may have happened: where the path of a CREATE is there now, it becomes a PUT; a DELETE of
 * what is gone is done.  A read that failed changes nothing. */
static void group_settle(struct write_group *group, const struct call_answer *answer)
{
    struct rows rows = rows_of(answer);
    const struct br_value *value;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < group->count && (value = rows_value(&rows)); i++) {
        struct br_write *write = &group->writes[i];
        if (write->kind == BR_CREATE && value->status == BR_OK)
            write->kind = BR_PUT;
        if (write->kind != BR_DELETE || value->status != BR_NOTFOUND)
            group->writes[kept++] = *write;
    }
    group->count = kept;
    group->doubt = false;
}

static void writer_looked(void *arg, struct call_answer *answer)
{
    struct commit *commit = arg;
    struct writer *writer = commit->writer;
    struct write_group *group = TAILQ_FIRST(&commit->groups);
    commit->call = NULL;
    writer->flying--;
    bool whole = answer->status == BR_OK && rows_count(answer, BR_ROW_VALUE) >= group->count;
    if (whole)
        group_settle(group, answer);
    TAILQ_REMOVE(&commit->groups, group, link);
    TAILQ_INSERT_HEAD(&writer->queue, group, link);
    if (!whole)
        writer_wait(writer, answer->status ? answer->message : "it answers too few values");
    writer_pump(writer);
}

static void commit_look(struct writer *writer, struct commit *commit)
{
    const struct write_group *group = TAILQ_FIRST(&commit->groups);
    struct arena memory;
    arena_init(&memory, 0);
    const char **paths = arena_alloc(&memory, group->count * sizeof *paths);
    for (uint32_t i = 0; i < group->count; i++)
        paths[i] = arena_text(&memory, group->writes[i].path, strlen(group->writes[i].path));
    writer->flying++;
    commit->call =
        store_read(writer->store, paths, group->count, &memory, 0, writer_looked, commit);
}

/* -- Answers ---------------------------------------------------------------------------------- */

/* Back to the head of the queue, in their order. */
static void commit_put_back(struct commit *commit, bool doubt, bool alone)
{
    struct write_group *group;
    while ((group = TAILQ_LAST(&commit->groups, group_list))) {
        TAILQ_REMOVE(&commit->groups, group, link);
        group->doubt |= doubt && group_once(group); /* a PUT of the same value may be repeated */
        group->alone |= alone;
        TAILQ_INSERT_HEAD(&commit->writer->queue, group, link);
    }
}

static void commit_tell(struct commit *commit, br_status status, const char *why)
{
    struct group_list told = TAILQ_HEAD_INITIALIZER(told);
    struct write_group *group;
    TAILQ_CONCAT(&told, &commit->groups, link);
    while ((group = TAILQ_FIRST(&told))) {
        TAILQ_REMOVE(&told, group, link);
        group_tell(group, status, why);
    }
}

static void writer_say_lost(void *arg)
{
    struct writer *writer = arg;
    writer->flush = NULL;
    writer->tell(writer->arg);
}

static void writer_lose(struct writer *writer, const char *why)
{
    if (writer->lost)
        return;
    writer->lost = true;
    log_put(writer->loop->log, BR_WARN, "writer", "the leader lock is gone: %s", why);
    timer_cancel(writer->flush);
    writer->flush = loop_after(writer->loop, 0, writer_say_lost, writer);
}

static bool writer_transient(br_status status)
{
    return status == BR_UNAVAILABLE || status == BR_TIMEOUT || status == BR_CANCELED
           || status == BR_UNKNOWN;
}

static void writer_answered(void *arg, struct call_answer *answer)
{
    struct commit *commit = arg;
    struct writer *writer = commit->writer;
    commit->call = NULL;
    writer->flying--;
    if (answer->status == BR_OK && writer->failures) {
        log_put(writer->loop->log, BR_INFO, "writer", "the store takes writes again");
        writer->failures = 0;
    }
    if (answer->status == BR_OK) {
        commit_tell(commit, BR_OK, "");
    } else if (answer->status == BR_FENCED) {
        commit_put_back(commit, true, false);
        writer_lose(writer, answer->message);
    } else if (writer_transient(answer->status)) {
        commit_put_back(commit, br_may_have_happened(answer->status), false);
        writer_wait(writer, answer->message);
    } else if (commit->group_count > 1) {
        commit_put_back(commit, false, true);
    } else {
        commit_tell(commit, answer->status, answer->message);
    }
    writer_pump(writer);
}

static void writer_pump(struct writer *writer)
{
    struct commit *commit;
    while (!writer->held && !writer->lost && !writer->pause && !TAILQ_EMPTY(&writer->queue)
           && (commit = writer_free_commit(writer))) {
        uint32_t count = commit_fill(writer, commit);
        if (TAILQ_FIRST(&commit->groups)->doubt)
            commit_look(writer, commit);
        else
            commit_send(writer, commit, count);
    }
}

static void writer_flush(void *arg)
{
    struct writer *writer = arg;
    writer->flush = NULL;
    writer_pump(writer);
}

void writer_issue(struct write_group *group, write_done *done, void *arg)
{
    struct writer *writer = group->writer;
    group->done = done;
    group->arg = arg;
    TAILQ_INSERT_TAIL(&writer->queue, group, link);
    writer->waiting++;
    if (!writer->flush && !writer->lost)
        writer->flush = loop_after(writer->loop, 0, writer_flush, writer);
}

void writer_hold(struct writer *writer, bool held)
{
    writer->held = held;
    writer_pump(writer);
}

uint32_t writer_waiting(const struct writer *writer)
{
    return writer->waiting;
}

bool writer_stalled(const struct writer *writer)
{
    return writer->failures > 0;
}

/* -- Making and freeing ----------------------------------------------------------------------- */

struct writer *writer_new(struct loop *loop, struct plugin *store, const char *fence,
                          void (*lost)(void *arg), void *arg)
{
    struct writer *writer = mem_new(sizeof *writer);
    writer->loop = loop;
    writer->store = store;
    writer->fence = mem_text(fence);
    writer->tell = lost;
    writer->arg = arg;
    TAILQ_INIT(&writer->queue);
    for (uint32_t i = 0; i < WRITER_FLIGHT_MAX; i++) {
        writer->commits[i].writer = writer;
        TAILQ_INIT(&writer->commits[i].groups);
    }
    return writer;
}

static void group_list_free(struct group_list *list)
{
    struct write_group *group;
    while ((group = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, group, link);
        group_free(group);
    }
}

void writer_free(struct writer *writer)
{
    if (!writer)
        return;
    timer_cancel(writer->flush);
    timer_cancel(writer->pause);
    for (uint32_t i = 0; i < WRITER_FLIGHT_MAX; i++) {
        if (writer->commits[i].call)
            call_forget(writer->commits[i].call);
        group_list_free(&writer->commits[i].groups);
    }
    group_list_free(&writer->queue);
    free(writer->fence);
    free(writer);
}
