/* transport_scan -- reads the disks of stopped replica servers: what each would report after a
 * start.  This file is the plugin as the host sees it: options, the queue of jobs, the workers.
 *
 * A server's name is not on its disk; the operator says it.  Nothing below the directories is
 * changed, times of access included where we may.  A server whose disks cannot be read as a whole
 * is silent; a replica that makes no sense is left out with a line in the log, as its server would
 * do it, and so are those that were set aside, with what they hold.
 */
#include "plugin/transport_scan.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/base/number.h"

static const struct br_option scan_options[] = {
    BR_LIST(struct scan, dirs, .flags = BR_REQUIRED,
            .help = "Data directories: \"host:port=/path\", or \"host:port=tag:/path\" where the "
                    "server calls its disk so; a server with several has several entries.  A path "
                    "alone is a server whose name is not known: a survey can be made of it, and no "
                    "plan."),
    BR_INTEGER(struct scan, threads, .fallback = "4", .min = 1, .max = SCAN_THREADS_MAX,
               .help = "Data directories read at once."),
    { 0 },
};

/* -- Options ---------------------------------------------------------------------------------- */

static br_status scan_parse(struct br_env *env, const char *entry, struct scan_place *ret)
{
    struct scan *scan = env->self;
    size_t host, before = strcspn(entry, "=/");
    uint16_t port;
    const char *path = entry;
    *ret = (struct scan_place){ .tag = "default" };
    if (entry[before] == '=') {
        path = entry + before + 1;
        ret->node = arena_text(&scan->arena, entry, before);
        if (!number_node(ret->node, &host, &port))
            return br_fail(env, BR_INVALID,
                           "dirs: \"%s\": \"%s\" is no replica server, as in "
                           "\"10.0.0.1:34801=/data/replica\"",
                           entry, ret->node);
    }
    size_t tag = strcspn(path, ":/");
    if (path[tag] == ':' && tag > 0) {
        ret->tag = arena_text(&scan->arena, path, tag);
        path += tag + 1;
    }
    if (*path != '/')
        return br_fail(env, BR_INVALID,
                       "dirs: \"%s\" does not end in a path that begins with \"/\"", entry);
    ret->path = arena_text(&scan->arena, path, strlen(path));
    if (!ret->node)
        ret->node = ret->path;
    return BR_OK;
}

static struct scan_node *scan_find(const struct scan *scan, const char *name)
{
    for (uint32_t i = 0; i < scan->node_count; i++) {
        if (strcmp(scan->nodes[i].name, name) == 0)
            return &scan->nodes[i];
    }
    return NULL;
}

/* One directory twice would be every replica twice. */
static br_status scan_add(struct br_env *env, const struct scan_place *place)
{
    struct scan *scan = env->self;
    for (const struct scan_place *at = scan->places; at < place; at++) {
        if (strcmp(at->path, place->path) == 0)
            return br_fail(env, BR_INVALID, "dirs: %s stands there twice", place->path);
    }
    struct scan_node *node = scan_find(scan, place->node);
    if (!node) {
        node = &scan->nodes[scan->node_count++];
        *node = (struct scan_node){ .name = place->node };
    }
    node->places = mem_grow(node->places, (node->count + 1u) * sizeof *node->places);
    node->places[node->count++] = place;
    return BR_OK;
}

static void scan_free(struct scan *scan)
{
    for (uint32_t i = 0; i < scan->node_count; i++)
        free(scan->nodes[i].places);
    free(scan->nodes);
    free(scan->places);
    arena_done(&scan->arena);
    pthread_cond_destroy(&scan->wake);
    pthread_mutex_destroy(&scan->mutex);
}

static br_status scan_open(struct br_env *env)
{
    struct scan *scan = env->self;
    uint32_t count = 0;
    while (scan->dirs[count])
        count++;
    if (count == 0)
        return br_fail(env, BR_INVALID, "dirs names no directory");
    scan->env = env;
    TAILQ_INIT(&scan->jobs);
    pthread_mutex_init(&scan->mutex, NULL);
    pthread_cond_init(&scan->wake, NULL);
    arena_init(&scan->arena, 0);
    scan->places = mem_array(count, sizeof *scan->places);
    scan->nodes = mem_array(count, sizeof *scan->nodes);
    br_status status = BR_OK;
    for (; scan->place_count < count && !status; scan->place_count++) {
        struct scan_place *place = &scan->places[scan->place_count];
        status = scan_parse(env, scan->dirs[scan->place_count], place);
        if (!status)
            status = scan_add(env, place);
    }
    if (status)
        scan_free(scan); /* what could not be opened is not closed */
    return status;
}

/* -- The workers ------------------------------------------------------------------------------ */

static void scan_job_free(struct scan_job *job)
{
    for (uint32_t p = 0; p < job->node->count; p++) {
        arena_done(&job->parts[p].arena);
        free(job->parts[p].rows);
        free(job->parts[p].tables);
    }
    free(job->parts);
    free(job);
}

/* The mutex is held.  NULL: there is nothing to begin. */
static struct scan_job *scan_next(struct scan *scan)
{
    struct scan_job *job;
    TAILQ_FOREACH(job, &scan->jobs, link)
    {
        if (job->ready && job->next < job->node->count)
            return job;
    }
    return NULL;
}

/* The mutex is held, but not meanwhile.  Whoever ends the last part replies. */
static void scan_work(struct scan *scan, struct scan_job *job)
{
    struct br_call *calls[SCAN_KINDS] = { NULL };
    struct scan_part *part = &job->parts[job->next++];
    pthread_mutex_unlock(&scan->mutex);
    if (!atomic_load(&job->given_up))
        scan_dir(scan, job, part);
    pthread_mutex_lock(&scan->mutex);
    if (--job->left > 0)
        return;
    TAILQ_REMOVE(&scan->jobs, job, link);
    memcpy(calls, job->calls, sizeof calls);
    pthread_mutex_unlock(&scan->mutex);
    scan_reply(job, calls);
    scan_job_free(job);
    pthread_mutex_lock(&scan->mutex);
}

static void *scan_run(void *arg)
{
    struct scan *scan = arg;
    pthread_mutex_lock(&scan->mutex);
    for (;;) {
        struct scan_job *job = scan_next(scan);
        if (job)
            scan_work(scan, job);
        else if (scan->stopping)
            break;
        else
            pthread_cond_wait(&scan->wake, &scan->mutex);
    }
    struct br_call *stop = --scan->running == 0 ? scan->stop : NULL;
    pthread_mutex_unlock(&scan->mutex);
    if (stop)
        br_reply_ok(stop);
    return NULL;
}

/* -- Asking ----------------------------------------------------------------------------------- */

/* Both questions of this turn are in: the workers may begin. */
static void scan_go(struct br_env *env, void *arg)
{
    struct scan *scan = env->self;
    struct scan_job *job;
    (void) arg;
    pthread_mutex_lock(&scan->mutex);
    TAILQ_FOREACH(job, &scan->jobs, link)
    job->ready = true;
    pthread_cond_broadcast(&scan->wake);
    pthread_mutex_unlock(&scan->mutex);
}

static struct scan_job *scan_job_new(const struct scan_node *node)
{
    struct scan_job *job = mem_new(sizeof *job);
    job->node = node;
    job->left = node->count;
    job->parts = mem_array(node->count, sizeof *job->parts);
    for (uint32_t p = 0; p < node->count; p++) {
        job->parts[p].place = node->places[p];
        arena_init(&job->parts[p].arena, 0);
    }
    return job;
}

/* The mutex is held.  A job that nobody has asked this of. */
static struct scan_job *scan_join(struct scan *scan, const struct scan_node *node, int kind)
{
    struct scan_job *job;
    TAILQ_FOREACH(job, &scan->jobs, link)
    {
        if (job->node == node && !job->calls[kind] && !atomic_load(&job->given_up))
            return job;
    }
    job = scan_job_new(node);
    TAILQ_INSERT_TAIL(&scan->jobs, job, link);
    return job;
}

static void scan_ask(struct br_env *env, const char *name, int32_t index, int kind,
                     struct br_call *call)
{
    struct scan *scan = env->self;
    const struct scan_node *node = scan_find(scan, name);
    if (!node) {
        br_reply_fail_as(call, BR_REFUSED, "ERR_OBJECT_NOT_FOUND",
                         "no data directory of %s was given: put \"%s=/its/data/directory\" into "
                         "transport.dirs",
                         name, name);
        return;
    }
    pthread_mutex_lock(&scan->mutex);
    struct scan_job *job = scan_join(scan, node, kind);
    job->calls[kind] = call;
    job->index[kind] = index;
    pthread_mutex_unlock(&scan->mutex);
    br_post(env, scan_go, NULL);
}

static void scan_ask_tables(struct br_env *env, const char *node, int32_t index,
                            struct br_call *call)
{
    scan_ask(env, node, index, SCAN_TABLES, call);
}

static void scan_ask_replicas(struct br_env *env, const char *node, int32_t index,
                              struct br_call *call)
{
    scan_ask(env, node, index, SCAN_REPLICAS, call);
}

static void scan_nodes(struct br_env *env, struct br_call *call)
{
    const struct scan *scan = env->self;
    const char **names = br_rows(call, scan->node_count * sizeof *names);
    for (uint32_t i = 0; i < scan->node_count; i++)
        names[i] = br_copy(call, scan->nodes[i].name, strlen(scan->nodes[i].name) + 1);
    br_reply_array(call, BR_ROW_NAME, names, sizeof *names, scan->node_count);
}

/* This call's, or (NULL) everybody's.  A call that is out of its job is replied to here only. */
static void scan_call_off(struct scan *scan, const struct br_call *call, const char *why)
{
    struct scan_job *job;
    pthread_mutex_lock(&scan->mutex);
    TAILQ_FOREACH(job, &scan->jobs, link)
    {
        for (int kind = 0; kind < SCAN_KINDS; kind++) {
            if (!job->calls[kind] || (call && job->calls[kind] != call))
                continue;
            br_reply_fail(job->calls[kind], BR_CANCELED, "%s", why);
            job->calls[kind] = NULL;
        }
        if (!job->calls[SCAN_TABLES] && !job->calls[SCAN_REPLICAS])
            atomic_store(&job->given_up, true);
    }
    pthread_mutex_unlock(&scan->mutex);
}

static void scan_cancel(struct br_env *env, struct br_call *call)
{
    scan_call_off(env->self, call, "given up");
}

/* -- Life ------------------------------------------------------------------------------------- */

static void scan_start(struct br_env *env, struct br_call *call)
{
    struct scan *scan = env->self;
    sigset_t all, before;
    int error = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the host's thread */
    pthread_mutex_lock(&scan->mutex);
    while (!error && scan->worker_count < (uint32_t) scan->threads) {
        error = pthread_create(&scan->workers[scan->worker_count], NULL, scan_run, scan);
        scan->worker_count += error == 0;
    }
    scan->running = scan->worker_count;
    pthread_mutex_unlock(&scan->mutex);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error && scan->worker_count == 0)
        br_reply_fail(call, BR_NOMEM, "cannot create a thread: %s", strerror(error));
    else
        br_reply_ok(call);
}

static void scan_stop(struct br_env *env, struct br_call *call)
{
    struct scan *scan = env->self;
    scan_call_off(scan, NULL, "the transport stops");
    scan_go(env, NULL); /* jobs that did not begin end, too */
    pthread_mutex_lock(&scan->mutex);
    scan->stopping = true;
    bool idle = scan->running == 0;
    scan->stop = call;
    pthread_cond_broadcast(&scan->wake);
    pthread_mutex_unlock(&scan->mutex);
    if (idle && call)
        br_reply_ok(call);
}

static void scan_close(struct br_env *env)
{
    struct scan *scan = env->self;
    if (!scan->stopping)
        scan_stop(env, NULL);
    for (uint32_t i = 0; i < scan->worker_count; i++)
        pthread_join(scan->workers[i], NULL);
    scan_free(scan);
}

static const struct br_transport scan_transport = {
    .nodes = scan_nodes,
    .tables = scan_ask_tables,
    .replicas = scan_ask_replicas,
    .cancel = scan_cancel,
};

BR_PLUGIN(transport, scan, &scan_transport,
          .summary = "Reads the disks of stopped replica servers.", .version = "1.0",
          .license = "Apache-2.0", BR_STATE(struct scan, scan_options), .open = scan_open,
          .start = scan_start, .stop = scan_stop, .close = scan_close);
