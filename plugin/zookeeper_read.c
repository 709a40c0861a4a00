/* zookeeper_read -- many paths in one answer, though ZooKeeper's client has no batch for reads:
 * single gets, pipelined.  They are issued in parts of which a few are in flight, because a
 * session's pipe from the caller to the library's I/O thread holds 65,536 wake-ups and the library
 * drops the connection when it is full.  Answers come in the order of the questions.
 *
 * Parts are spread over the sessions for reading, whose completion threads work at the same time.
 */
#include "plugin/store_zookeeper.h"

#include <stdatomic.h>
#include <string.h>

#define READ_PART_MAX  256 /* paths of one part */
#define READ_PARTS_MAX 16  /* parts in flight, of one call */
#define READ_LARGE     256 /* paths that are worth sessions of their own */

struct reading {
    struct br_call *call;
    const char *const *paths;
    struct br_value *values;
    uint32_t count;
    uint32_t issued;
    uint32_t parts;        /* in flight */
    int rc;                /* the first failure ... */
    uint32_t index;        /* ... and whose it was */
    pthread_mutex_t mutex; /* one thread at a time may take memory for rows */
};

struct part {
    struct zookeeper_pending pending; /* first */
    struct reading *reading;
    struct zookeeper_session *session; /* that it is issued on */
    uint32_t first;
    uint32_t count;
    uint32_t next;  /* the completion thread's, as are the two below */
    uint32_t index; /* of the first failure */
    int rc;         /* and what it was */
    int refused;    /* the loop thread's: what could not even be issued, from here on: */
    uint32_t refused_index;
    atomic_uint left; /* not yet answered; whoever brings it to zero posts */
};

static void part_over(struct br_env *env, void *arg);

static void part_answered(struct part *part, uint32_t count)
{
    if (atomic_fetch_sub(&part->left, count) != count)
        return;
    zookeeper_pending_drop(&part->pending);
    br_post(part->reading->call->env, part_over, part);
}

static void part_fail(struct part *part, int rc, uint32_t index)
{
    if (part->rc != ZOK)
        return;
    part->rc = rc;
    part->index = index;
}

static br_bytes read_copy(struct reading *reading, const char *value, int size)
{
    if (size <= 0)
        return (br_bytes){ NULL, 0 };
    pthread_mutex_lock(&reading->mutex);
    void *copy = br_rows(reading->call, (size_t) size);
    pthread_mutex_unlock(&reading->mutex);
    memcpy(copy, value, (size_t) size);
    return (br_bytes){ copy, (size_t) size };
}

static void part_answer(int rc, const char *value, int size, const struct Stat *stat,
                        const void *data)
{
    struct part *part = (struct part *) (uintptr_t) data;
    struct reading *reading = part->reading;
    uint32_t index = part->first + part->next++;
    struct br_value *row = &reading->values[index];
    *row = (struct br_value){ .status = BR_NOTFOUND };
    if (rc == ZOK) {
        row->status = BR_OK;
        row->version = stat->version;
        row->value = read_copy(reading, value, size);
    } else if (rc != ZNONODE) {
        part_fail(part, rc, index);
    }
    part_answered(part, 1);
}

static void part_synced(int rc, const char *path, const void *data)
{
    struct part *part = (struct part *) (uintptr_t) data;
    (void) path;
    if (rc != ZOK)
        part_fail(part, rc, part->first);
    part_answered(part, 1);
}

static void part_abandon(struct zookeeper_pending *pending)
{
    struct part *part = (struct part *) (void *) pending;
    part_fail(part, ZCLOSING, part->first);
    part_answered(part, atomic_load(&part->left));
}

/* What could not be issued is counted off last, so that the part is there until then. */
static void part_send(struct part *part, struct zookeeper_session *session)
{
    struct reading *reading = part->reading;
    const struct zookeeper *zookeeper = reading->call->env->self;
    uint32_t issued = 0, count = part->count;
    int rc = session ? ZOK : ZINVALIDSTATE;
    bool sync = session && session->hosts;
    part->session = session;
    part->next = 0;
    part->rc = part->refused = ZOK;
    atomic_init(&part->left, count + sync + 1);
    if (session) {
        session->parts++;
        zookeeper_pending_add(session, &part->pending, part_abandon);
    }
    if (sync)
        rc = zoo_async(session->handle, "/", part_synced, part);
    sync &= rc != ZOK; /* not to come any more */
    for (; rc == ZOK && issued < count; issued += rc == ZOK) {
        char *path = zookeeper_path_full(zookeeper, reading->paths[part->first + issued]);
        rc = zoo_aget(session->handle, path, 0, part_answer, part);
        free(path);
    }
    part->refused = rc;
    part->refused_index = part->first + issued;
    part_answered(part, count - issued + sync + 1);
}

static void part_issue(struct reading *reading)
{
    struct part *part = mem_new(sizeof *part);
    uint32_t rest = reading->count - reading->issued;
    part->reading = reading;
    part->first = reading->issued;
    part->count = rest < READ_PART_MAX ? rest : READ_PART_MAX;
    reading->issued += part->count;
    reading->parts++;
    part_send(part, zookeeper_read_session(reading->call->env->self));
}

static void reading_answer(struct reading *reading)
{
    struct br_call *call = reading->call;
    if (reading->rc != ZOK) {
        br_reply_fail(call, zookeeper_status(reading->rc, false), "%s: %s",
                      reading->paths[reading->index], zookeeper_word(reading->rc));
        return;
    }
    br_reply_array(call, BR_ROW_VALUE, reading->values, sizeof *reading->values, reading->count);
}

/* Keep `parts` in flight until all are issued or one failed; answer with the last. */
static void reading_go(struct reading *reading)
{
    while (reading->rc == ZOK && reading->issued < reading->count
           && reading->parts < READ_PARTS_MAX)
        part_issue(reading);
    if (reading->parts > 0)
        return;
    reading_answer(reading);
    pthread_mutex_destroy(&reading->mutex);
    free(reading);
}

static void reading_fail(struct reading *reading, int rc, uint32_t index)
{
    if (rc == ZOK || (reading->rc != ZOK && reading->index < index))
        return;
    reading->rc = rc;
    reading->index = index;
}

/* What a reader did not read is for the present session. */
static void part_over(struct br_env *env, void *arg)
{
    struct part *part = arg;
    struct reading *reading = part->reading;
    const struct zookeeper *zookeeper = env->self;
    bool failed = part->rc != ZOK || part->refused != ZOK;
    bool reader = part->session && part->session->hosts;
    if (part->session)
        part->session->parts--;
    if (failed && reader && reading->rc == ZOK) {
        part_send(part, zookeeper_handle(zookeeper) ? zookeeper->session : NULL);
        return;
    }
    reading_fail(reading, part->rc, part->index);
    reading_fail(reading, part->refused, part->refused_index);
    reading->parts--;
    free(part);
    reading_go(reading);
}

void zookeeper_read(struct br_env *env, const char *const *paths, uint32_t count,
                    struct br_call *call)
{
    struct zookeeper *zookeeper = env->self;
    for (uint32_t i = 0; i < count; i++)
        if (br_path_refused(paths[i], call))
            return;
    if (!zookeeper_handle(zookeeper)) {
        br_reply_fail(call, BR_UNAVAILABLE, "not connected to %s", zookeeper->hosts);
        return;
    }
    if (count >= READ_LARGE)
        zookeeper_readers_want(env);
    struct reading *reading = mem_new(sizeof *reading);
    pthread_mutex_init(&reading->mutex, NULL);
    reading->call = call;
    reading->paths = paths;
    reading->count = count;
    reading->values = br_rows(call, count * sizeof *reading->values);
    reading_go(reading);
}

/* -- Children -------------------------------------------------------------------------------- */

struct listing {
    struct zookeeper_pending pending; /* first */
    struct br_call *call;
    char path[];
};

static void list_reply(struct br_call *call, const struct String_vector *names)
{
    size_t count = names->count > 0 ? (size_t) names->count : 0, bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += strlen(names->data[i]) + 1;
    struct br_chunk *chunk = br_rows(call, sizeof *chunk);
    const char **rows = br_rows(call, count * sizeof *rows);
    char *text = br_rows(call, bytes);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(names->data[i]) + 1;
        rows[i] = memcpy(text, names->data[i], size);
        text += size;
    }
    *chunk = (struct br_chunk){
        .kind = BR_ROW_NAME, .row_size = sizeof *rows, .count = (uint32_t) count, .rows = rows
    };
    br_reply_rows(call, chunk);
}

static void list_done(int rc, const struct String_vector *names, const void *data)
{
    struct listing *listing = (struct listing *) (uintptr_t) data;
    zookeeper_pending_drop(&listing->pending);
    if (rc == ZOK)
        list_reply(listing->call, names);
    else
        br_reply_fail(listing->call, zookeeper_status(rc, false), "%s: %s", listing->path,
                      zookeeper_word(rc));
    free(listing);
}

static void list_abandon(struct zookeeper_pending *pending)
{
    list_done(ZCLOSING, NULL, pending);
}

/* NULL: nothing can be asked, and the call was answered. */
static struct listing *listing_new(const struct zookeeper *zookeeper, const char *path,
                                   struct br_call *call)
{
    if (br_path_refused(path, call))
        return NULL;
    if (!zookeeper_handle(zookeeper)) {
        br_reply_fail(call, BR_UNAVAILABLE, "not connected to %s", zookeeper->hosts);
        return NULL;
    }
    struct listing *listing = mem_new(sizeof *listing + strlen(path) + 1);
    listing->call = call;
    memcpy(listing->path, path, strlen(path) + 1);
    return listing;
}

void zookeeper_list(struct br_env *env, const char *path, struct br_call *call)
{
    struct zookeeper *zookeeper = env->self;
    struct listing *listing = listing_new(zookeeper, path, call);
    if (!listing)
        return;
    zookeeper_pending_add(zookeeper->session, &listing->pending, list_abandon);
    char *full = zookeeper_path_full(zookeeper, path);
    int rc = zoo_aget_children(zookeeper_handle(zookeeper), full, 0, list_done, listing);
    free(full);
    if (rc != ZOK)
        list_done(rc, NULL, listing);
}

/* -- Elections -------------------------------------------------------------------------------- */

/* What a server calls cversion is twice the children made, less those that are there: it rises by
 * one with each that comes and each that goes (its DataNode.copyStat). */
static void elections_done(int rc, const struct Stat *stat, const void *data)
{
    struct listing *listing = (struct listing *) (uintptr_t) data;
    zookeeper_pending_drop(&listing->pending);
    if (rc == ZOK || rc == ZNONODE)
        br_reply_value(listing->call, (br_bytes){ "", 0 }, rc == ZOK ? stat->cversion : 0);
    else
        br_reply_fail(listing->call, zookeeper_status(rc, false), "%s: %s", listing->path,
                      zookeeper_word(rc));
    free(listing);
}

static void elections_abandon(struct zookeeper_pending *pending)
{
    elections_done(ZCLOSING, NULL, pending);
}

void zookeeper_elections(struct br_env *env, const char *path, struct br_call *call)
{
    struct zookeeper *zookeeper = env->self;
    struct listing *listing = listing_new(zookeeper, path, call);
    if (!listing)
        return;
    zookeeper_pending_add(zookeeper->session, &listing->pending, elections_abandon);
    char *full = zookeeper_path_full(zookeeper, path);
    int rc = zoo_aexists(zookeeper_handle(zookeeper), full, 0, elections_done, listing);
    free(full);
    if (rc != ZOK)
        elections_done(rc, NULL, listing);
}
