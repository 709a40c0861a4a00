/* transport_replay -- the evidence of a survey that was written down (`bridle survey`): the same
 * rows, and the same servers silent for the same reasons, so that a recovery can be rehearsed
 * elsewhere.
 *
 * The file is read once, at the start, by a thread of its own: a million partitions take a second
 * or two.  After that nothing changes, and answers are copied from memory.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <bridle/plugin.h>

#include "host/base/buf.h"
#include "host/disk/look.h"
#include "host/disk/survey_read.h"

#define REPLAY_FILE_MAX (UINT64_C(4) << 30) /* bytes, as host/stage reads them */

struct replay {
    const char *file; /* option */
    pthread_t thread;
    bool running;          /* the thread is to be joined */
    struct br_call *start; /* the thread's, until it replies */
    struct survey *survey; /* the thread's, until the start was replied to; NULL: not read */
};

static const struct br_option replay_options[] = {
    BR_STRING(struct replay, file, .flags = BR_REQUIRED,
              .help = "The survey, as `bridle survey` writes it."),
    { 0 },
};

/* -- The file --------------------------------------------------------------------------------- */

static void *replay_read(void *arg)
{
    struct replay *self = arg;
    struct buf text = { 0 };
    struct fail fail = { .status = BR_OK };
    if (look_file(self->file, REPLAY_FILE_MAX, &text, &fail) == BR_OK) {
        if (text.size > REPLAY_FILE_MAX)
            fail_set(&fail, BR_TOOBIG, "%s: more than %llu bytes", self->file,
                     (unsigned long long) REPLAY_FILE_MAX);
        else
            self->survey = survey_parse(self->file, text.data, text.size, &fail);
    }
    buf_done(&text);
    struct br_call *start = self->start;
    if (self->survey)
        br_reply_ok(start);
    else
        br_reply_fail(start, fail.status, "%s", fail.text);
    return NULL;
}

static void replay_start(struct br_env *env, struct br_call *call)
{
    struct replay *self = env->self;
    sigset_t all, before;
    self->start = call;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the host's thread */
    int error = pthread_create(&self->thread, NULL, replay_read, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    self->running = error == 0;
    if (error)
        br_reply_fail(call, BR_NOMEM, "cannot create a thread: %s", strerror(error));
}

static void replay_join(struct replay *self)
{
    if (self->running)
        pthread_join(self->thread, NULL);
    self->running = false;
}

static void replay_stop(struct br_env *env, struct br_call *call)
{
    replay_join(env->self);
    br_reply_ok(call);
}

static void replay_close(struct br_env *env)
{
    struct replay *self = env->self;
    replay_join(self);
    survey_free(self->survey);
    self->survey = NULL;
}

/* -- Answers ---------------------------------------------------------------------------------- */

/* NULL: the call is replied to. */
static const struct survey_node *replay_find(const struct replay *self, const char *name,
                                             struct br_call *call)
{
    if (!self->survey) {
        br_reply_fail(call, BR_UNAVAILABLE, "%s is not read", self->file);
        return NULL;
    }
    for (uint32_t i = 0; i < self->survey->node_count; i++) {
        const struct survey_node *node = &self->survey->nodes[i];
        if (strcmp(node->name, name) != 0)
            continue;
        if (node->complete)
            return node;
        br_reply_fail_as(call, BR_REFUSED, node->error, "%s", node->why);
        return NULL;
    }
    br_reply_fail_as(call, BR_REFUSED, "ERR_OBJECT_NOT_FOUND", "%s knows no server %s", self->file,
                     name);
    return NULL;
}

static const char *replay_text(struct br_call *call, const char *text)
{
    return text ? br_copy(call, text, strlen(text) + 1) : NULL;
}

/* One chunk with room for all rows of the list. */
static struct br_chunk *replay_chunk(struct br_call *call, const struct br_chunk *from,
                                     int32_t kind, uint32_t size)
{
    struct br_chunk *chunk = br_rows(call, sizeof *chunk);
    uint32_t count = 0;
    for (; from; from = from->next)
        count += from->count;
    *chunk = (struct br_chunk){ .kind = kind, .row_size = size, .count = count };
    chunk->rows = br_rows(call, (size_t) count * size);
    return chunk;
}

static void replay_tables(struct br_env *env, const char *name, int32_t index, struct br_call *call)
{
    const struct survey_node *node = replay_find(env->self, name, call);
    if (!node)
        return;
    struct br_chunk *chunk =
        replay_chunk(call, node->tables, BR_ROW_TABLE, sizeof(struct br_table));
    struct br_table *to = (struct br_table *) (uintptr_t) chunk->rows;
    for (const struct br_chunk *from = node->tables; from; from = from->next) {
        const struct br_table *rows = from->rows;
        for (uint32_t i = 0; i < from->count; i++, to++) {
            const char **envs = br_rows(call, 2 * (size_t) rows[i].env_count * sizeof *envs);
            for (uint32_t e = 0; e < 2 * rows[i].env_count; e++)
                envs[e] = replay_text(call, rows[i].envs[e]);
            *to = rows[i];
            to->node = index;
            to->envs = envs;
            to->name = replay_text(call, rows[i].name);
            to->type = replay_text(call, rows[i].type);
        }
    }
    br_reply_rows(call, chunk);
}

/* The file's strings are one in memory each, and most rows have those of the row before. */
static const char *replay_again(struct br_call *call, const char *text, const char **last,
                                const char **copy)
{
    if (text != *last) {
        *last = text;
        *copy = replay_text(call, text);
    }
    return *copy;
}

static void replay_replicas(struct br_env *env, const char *name, int32_t index,
                            struct br_call *call)
{
    const char *type = NULL, *type_copy = NULL, *disk = NULL, *disk_copy = NULL;
    const struct survey_node *node = replay_find(env->self, name, call);
    if (!node)
        return;
    struct br_chunk *chunk =
        replay_chunk(call, node->replicas, BR_ROW_REPLICA, sizeof(struct br_replica));
    struct br_replica *to = (struct br_replica *) (uintptr_t) chunk->rows;
    for (const struct br_chunk *from = node->replicas; from; from = from->next) {
        const struct br_replica *rows = from->rows;
        for (uint32_t i = 0; i < from->count; i++, to++) {
            *to = rows[i];
            to->node = index;
            to->type = replay_again(call, rows[i].type, &type, &type_copy);
            to->disk = replay_again(call, rows[i].disk, &disk, &disk_copy);
        }
    }
    br_reply_rows(call, chunk);
}

static void replay_nodes(struct br_env *env, struct br_call *call)
{
    const struct replay *self = env->self;
    uint32_t count = self->survey ? self->survey->node_count : 0;
    const char **names = br_rows(call, count * sizeof *names);
    for (uint32_t i = 0; i < count; i++)
        names[i] = replay_text(call, self->survey->nodes[i].name);
    br_reply_array(call, BR_ROW_NAME, names, sizeof *names, count);
}

static const struct br_transport replay_transport = {
    .nodes = replay_nodes,
    .tables = replay_tables,
    .replicas = replay_replicas,
};

BR_PLUGIN(transport, replay, &replay_transport,
          .summary = "Replays a survey that was written down.", .version = "1.0",
          .license = "Apache-2.0", BR_STATE(struct replay, replay_options), .start = replay_start,
          .stop = replay_stop, .close = replay_close);
