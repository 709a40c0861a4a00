/* sim_store -- the store plugin over sim_disk: every request has a lot (sim.h) and takes its time,
 * there and back.  Commits are carried out in the order issued; reads overtake them.  The leader
 * lock is one for the world: a dead process's is held until its session would be over, a rival's as
 * long as he pleases.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "t/sim.h"

#define SESSION_MAX (8 * BR_SECOND) /* of the dead */
#define RIVAL       "10.9.9.9:34601"

struct request {
    struct request *next;
    struct br_call *call; /* NULL: answered, and still on its way */
    uint64_t id;
    enum sim_ask kind;
    struct sim_lot lot;
    struct br_timer *timer;
    bool there;               /* it has been carried out, or stands in a queue */
    const char *const *texts; /* paths */
    uint32_t count;
    const struct br_write *const *writes;
    const char *text;            /* a path, a fence */
    char *value;                 /* of a candidate; what was last seen */
    const struct br_chunk *rows; /* the answer, on its way back */
    br_status status;
    char why[256];
};

struct sim_store {
    struct request *first; /* in the order issued */
    struct br_timer *session;
};

static struct sim_store *store_self(struct br_env *env)
{
    return env->self;
}

static const char *const ask_names[] = { "read", "list",   "commit", "lock",    "owner",
                                         "lost", "unlock", "tables", "replicas" };

/* -- Requests ---------------------------------------------------------------------------------- */

static struct request *request_new(struct br_env *env, enum sim_ask kind, struct br_call *call)
{
    struct request *request = mem_new(sizeof *request);
    struct request **at = &store_self(env)->first;
    while (*at)
        at = &(*at)->next;
    *at = request;
    request->kind = kind;
    request->call = call;
    request->id = call->id;
    return request;
}

static void request_free(struct br_env *env, struct request *request)
{
    struct request **at = &store_self(env)->first;
    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
    br_disarm(env, request->timer);
    free(request->value);
    free(request);
}

static void request_fail(struct br_env *env, struct request *request, br_status status,
                         const char *why)
{
    struct br_call *call = request->call;
    request_free(env, request);
    if (call)
        br_reply_fail(call, status, "%s", why);
}

static void request_answer(struct br_env *env, void *arg)
{
    struct request *request = arg;
    struct br_call *call = request->call;
    request->timer = NULL;
    if (sim.shut)
        return;
    if (request->status) {
        char why[sizeof request->why];
        memcpy(why, request->why, sizeof why);
        request_fail(env, request, request->status, why);
        return;
    }
    const struct br_chunk *rows = request->rows;
    bool with_rows = request->kind == ASK_READ || request->kind == ASK_LIST;
    request_free(env, request);
    if (call && with_rows)
        br_reply_rows(call, rows);
    else if (call)
        br_reply_ok(call);
}

/* It was carried out: the answer goes back, or not. */
static void request_back(struct br_env *env, struct request *request)
{
    request->there = true;
    switch (request->lot.fate) {
    case FATE_ANSWER_LOST:
    case FATE_LATE: return;
    case FATE_ANSWER_BAD:
        request->status = request->lot.status;
        snprintf(request->why, sizeof request->why, "the connection was lost");
        break;
    default: break;
    }
    request->timer = br_after(env, request->lot.back, request_answer, request);
}

/* -- Carrying out ------------------------------------------------------------------------------ */

static void carry_read(struct br_env *env, struct request *request)
{
    struct br_call *call = request->call;
    (void) env;
    if (!call)
        return;
    struct br_value *values = br_rows(call, (request->count + 1) * sizeof *values);
    struct br_chunk *chunk = br_rows(call, sizeof *chunk);
    for (uint32_t i = 0; i < request->count; i++) {
        const struct sim_item *item = sim_tree_find(&sim_disk->tree, request->texts[i]);
        values[i] = (struct br_value){ .status = item ? BR_OK : BR_NOTFOUND };
        if (!item)
            continue;
        char *copy = br_rows(call, item->size + 1);
        memcpy(copy, item->value, item->size);
        values[i].version = item->version;
        values[i].value = (br_bytes){ copy, item->size };
    }
    *chunk = (struct br_chunk){
        .kind = BR_ROW_VALUE, .row_size = sizeof *values, .count = request->count, .rows = values
    };
    request->rows = chunk;
}

static void carry_list(struct br_env *env, struct request *request)
{
    struct br_call *call = request->call;
    const struct sim_tree *tree = &sim_disk->tree;
    size_t size = strcmp(request->text, "/") == 0 ? 0 : strlen(request->text);
    (void) env;
    if (!sim_tree_find(tree, request->text)) {
        request->status = BR_NOTFOUND;
        snprintf(request->why, sizeof request->why, "%.200s is not there", request->text);
    }
    if (!call || request->status)
        return;
    const char **names = br_rows(call, (tree->count + 1) * sizeof *names);
    struct br_chunk *chunk = br_rows(call, sizeof *chunk);
    uint32_t count = 0;
    for (uint32_t i = 0; i < tree->count; i++) {
        const char *path = tree->items[i].path;
        if (strncmp(path, request->text, size) != 0 || path[size] != '/' || !path[size + 1]
            || strchr(path + size + 1, '/'))
            continue;
        size_t name = strlen(path + size + 1) + 1;
        names[count++] = memcpy(br_rows(call, name), path + size + 1, name);
    }
    *chunk = (struct br_chunk){
        .kind = BR_ROW_NAME, .row_size = sizeof *names, .count = count, .rows = names
    };
    request->rows = chunk;
}

static void carry_lock_gone(struct br_env *env);

static void carry_commit(struct br_env *env, struct request *request)
{
    request->status = sim_carry(request->writes, request->count, request->why, sizeof request->why);
    if (sim_disk->fence && !sim_tree_find(&sim_disk->tree, sim_disk->fence))
        carry_lock_gone(env); /* somebody deleted it */
}

/* Commits keep their order: those before this one go first. */
static void carry_commits(struct br_env *env, const struct request *last)
{
    struct request *next;
    for (struct request *at = store_self(env)->first; at; at = next) {
        next = at->next;
        bool end = at == last;
        if (at->kind == ASK_COMMIT && !at->there && at->lot.fate != FATE_FAIL
            && at->lot.fate != FATE_LOST && at->lot.fate != FATE_KILL) {
            br_disarm(env, at->timer);
            at->timer = NULL;
            carry_commit(env, at);
            request_back(env, at);
        }
        if (end)
            return;
    }
}

/* -- The lock ---------------------------------------------------------------------------------- */

static void lock_delete(void)
{
    uint32_t index;
    br_status status;
    struct br_write write = { .kind = BR_DELETE,
                              .path = sim_disk->fence,
                              .version = BR_ANY_VERSION };
    if (sim_disk->fence)
        sim_disk_commit((const struct br_write *[]){ &write }, 1, &index, &status);
    sim_disk->fence = NULL;
    sim_disk->holder = HOLDER_NONE;
}

static void lock_create(const char *path, const char *value, enum sim_holder holder)
{
    char fence[256];
    snprintf(fence, sizeof fence, "%s/LOCKNODE%010lld", path, (long long) sim_disk->sequence++);
    sim_disk_set(fence, value);
    sim_disk->fence = sim_disk_text(fence, strlen(fence));
    sim_disk->holder = holder;
}

static const char *lock_value(void)
{
    const struct sim_item *item =
        sim_disk->fence ? sim_tree_find(&sim_disk->tree, sim_disk->fence) : NULL;
    return item ? sim_disk_text(item->value, item->size) : "";
}

static void lock_tell(struct br_env *env)
{
    struct request *next;
    const char *value = lock_value();
    for (struct request *at = store_self(env)->first; at; at = next) {
        next = at->next;
        struct br_call *call = at->call;
        if (!at->there || !call)
            continue;
        if (at->kind == ASK_OWNER && strcmp(at->value, value) != 0) {
            request_free(env, at);
            br_reply_value(call, (br_bytes){ value, strlen(value) }, 0);
        } else if (at->kind == ASK_LOST
                   && (sim_disk->holder != HOLDER_US || strcmp(at->text, sim_disk->fence) != 0)) {
            request_free(env, at);
            br_reply_ok(call);
        }
    }
}

static void lock_elect(struct br_env *env);

static void lock_over(struct br_env *env, void *arg)
{
    (void) arg;
    store_self(env)->session = NULL;
    if (sim.shut || sim_disk->holder == HOLDER_US)
        return;
    sim_trace("the store: the lock's holder is gone");
    lock_delete();
    lock_elect(env);
}

/* The first candidate leads, where nobody does; else it is known how long the other one will. */
static void lock_elect(struct br_env *env)
{
    struct sim_store *store = store_self(env);
    struct request *at = store->first;
    while (at && (at->kind != ASK_LOCK || !at->there))
        at = at->next;
    if (at && sim_disk->holder == HOLDER_NONE) {
        struct br_call *call = at->call;
        lock_create(at->text, at->value, HOLDER_US);
        const char *fence = sim_disk->fence;
        request_free(env, at);
        sim_trace("the store: elected, %s", fence);
        br_reply_value(call, (br_bytes){ fence, strlen(fence) }, 0);
    } else if (sim_disk->holder > HOLDER_US && !store->session) {
        store->session = br_after(env, sim_disk->holder_until - sim.now, lock_over, NULL);
    }
    lock_tell(env);
}

static void carry_lock_gone(struct br_env *env)
{
    sim_disk->fence = NULL;
    sim_disk->holder = HOLDER_NONE;
    lock_elect(env);
}

static void carry_unlock(struct br_env *env, struct request *request)
{
    if (sim_disk->holder == HOLDER_US && strcmp(request->text, sim_disk->fence) == 0) {
        lock_delete();
        lock_elect(env);
    } else {
        request->status = BR_NOTFOUND;
        snprintf(request->why, sizeof request->why, "this lock is not held");
    }
}

/* It is noticed with the next request, or when the session's end is told. */
static void store_stolen(struct br_env *env, void *arg)
{
    (void) arg;
    if (!sim.shut)
        lock_elect(env);
}

void sim_store_steal(void)
{
    struct br_env *env = call_env(&sim.process.store.owner);
    char path[128];
    if (sim_disk->holder != HOLDER_US)
        return;
    sim_trace("the store: somebody else takes the lock");
    snprintf(path, sizeof path, "%s", sim_disk->fence);
    *strrchr(path, '/') = '\0';
    lock_delete();
    lock_create(path, RIVAL, HOLDER_RIVAL);
    sim_disk->holder_until = sim.now + sim_below(&sim.chance, 20) * BR_SECOND;
    br_after(env, sim_below(&sim.chance, 2000) * BR_MILLISECOND, store_stolen, NULL);
}

/* -- On the way -------------------------------------------------------------------------------- */

static void request_arrive(struct br_env *env, void *arg)
{
    struct request *request = arg;
    request->timer = NULL;
    if (sim.shut)
        return;
    switch (request->kind) {
    case ASK_READ:
        carry_read(env, request);
        request_back(env, request);
        break;
    case ASK_LIST:
        carry_list(env, request);
        request_back(env, request);
        break;
    case ASK_COMMIT: carry_commits(env, request); break;
    case ASK_UNLOCK:
        carry_unlock(env, request);
        request_back(env, request);
        break;
    default:
        request->there = true;
        lock_elect(env);
        break;
    }
}

static void request_refused(struct br_env *env, void *arg)
{
    struct request *request = arg;
    request->timer = NULL;
    if (!sim.shut)
        request_fail(env, request, request->lot.status, "so it was to be");
}

static void store_perish(const char *how)
{
    sim_trace("killed at a request of the store's, which %s", how);
    sim.shut = true;
    sim_store_die();
}

/* Elections wait as long as it takes: what is lost of them is asked again by the plugin. */
static void request_begin(struct br_env *env, struct request *request)
{
    bool patient = request->kind >= ASK_LOCK && request->kind <= ASK_LOST;
    if (sim.shut)
        return;
    struct sim_lot *lot = &request->lot;
    *lot = sim_lot_of_store(request->kind);
    sim_trace("ask %u: %s %s, fate %d", sim.process.asks, ask_names[request->kind],
              request->text ? request->text
              : request->count
                  ? request->writes ? request->writes[request->count - 1]->path : request->texts[0]
                  : "",
              (int) lot->fate);
    if (patient
        && (lot->fate == FATE_LOST || lot->fate == FATE_ANSWER_LOST || lot->fate == FATE_ANSWER_BAD
            || lot->fate == FATE_LATE))
        lot->fate = FATE_GOOD;
    switch (lot->fate) {
    case FATE_FAIL: request->timer = br_after(env, lot->there, request_refused, request); break;
    case FATE_LOST: break;
    case FATE_KILL: store_perish("was not carried out"); break;
    case FATE_KILL_AFTER:
        if (request->kind == ASK_COMMIT)
            carry_commits(env, request);
        else
            request_arrive(env, request);
        store_perish("was carried out");
        break;
    default: request->timer = br_after(env, lot->there, request_arrive, request);
    }
}

/* -- Death ------------------------------------------------------------------------------------- */

void sim_store_die(void)
{
    const struct sim_store *store = sim.process.store.state;
    uint32_t all = 0, place = 0;
    for (const struct request *at = store->first; at; at = at->next)
        all += at->kind == ASK_COMMIT && !at->there && at->timer;
    for (const struct request *at = store->first; at; at = at->next) {
        if (at->kind == ASK_COMMIT && !at->there && at->timer && at->lot.fate != FATE_FAIL)
            sim_ghost(at->writes, at->count, place++, all);
    }
    if (sim_disk->holder == HOLDER_US) {
        bool soon = sim.faults.ghosts != 3;
        sim_disk->holder = HOLDER_DEAD;
        sim_disk->holder_until =
            sim.now + (soon ? BR_SECOND : sim_below(&sim.chance, 8000) * BR_MILLISECOND);
    }
}

/* -- What the host calls ----------------------------------------------------------------------- */

static bool store_wrong(const char *path, struct br_call *call)
{
    br_status status;
    const char *wrong = br_path_wrong(path, &status);
    if (wrong)
        br_reply_fail(call, status, "\"%.200s\": %s", path, wrong);
    return wrong != NULL;
}

static void sim_read(struct br_env *env, const char *const *paths, uint32_t count,
                     struct br_call *call)
{
    for (uint32_t i = 0; i < count; i++) {
        if (store_wrong(paths[i], call))
            return;
    }
    struct request *request = request_new(env, ASK_READ, call);
    request->texts = paths;
    request->count = count;
    request_begin(env, request);
}

static void sim_list(struct br_env *env, const char *path, struct br_call *call)
{
    if (store_wrong(path, call))
        return;
    struct request *request = request_new(env, ASK_LIST, call);
    request->text = path;
    request_begin(env, request);
}

static void sim_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                       struct br_call *call)
{
    uint32_t index;
    br_status status;
    const struct br_store *ops = &sim.process.store.ops.store;
    const char *wrong = br_batch_wrong(ops, writes, count, &index, &status);
    if (wrong) {
        br_reply_fail(call, status, "%s: %s", writes[index]->path, wrong);
        return;
    }
    struct request *request = request_new(env, ASK_COMMIT, call);
    request->writes = writes;
    request->count = count;
    request_begin(env, request);
}

static void store_text(struct br_env *env, enum sim_ask kind, const char *path, const char *value,
                       struct br_call *call)
{
    if (store_wrong(path, call))
        return;
    struct request *request = request_new(env, kind, call);
    request->text = path;
    request->value = mem_text(value);
    request_begin(env, request);
}

static void sim_lock(struct br_env *env, const char *path, const char *value, struct br_call *call)
{
    store_text(env, ASK_LOCK, path, value, call);
}

static void sim_owner(struct br_env *env, const char *path, const char *last, struct br_call *call)
{
    store_text(env, ASK_OWNER, path, last, call);
}

static void sim_lost(struct br_env *env, const char *fence, struct br_call *call)
{
    store_text(env, ASK_LOST, fence, "", call);
}

static void sim_unlock(struct br_env *env, const char *fence, struct br_call *call)
{
    store_text(env, ASK_UNLOCK, fence, "", call);
}

/* A commit that is on its way goes on, and its answer may still come. */
static void sim_cancel(struct br_env *env, struct br_call *call)
{
    struct request *at = store_self(env)->first;
    while (at && at->call != call)
        at = at->next;
    if (at && at->kind != ASK_COMMIT && at->kind != ASK_UNLOCK)
        request_fail(env, at, BR_CANCELED, "given up");
}

/* -- Life -------------------------------------------------------------------------------------- */

static void sim_begin(struct br_env *env, struct br_call *call)
{
    sim_ghosts_await(env);
    br_reply_ok(call);
}

static void sim_stop(struct br_env *env, struct br_call *call)
{
    struct request *at;
    while ((at = store_self(env)->first)) {
        if (at->kind == ASK_LOST && at->call) {
            struct br_call *lost = at->call;
            request_free(env, at);
            br_reply_ok(lost);
        } else {
            request_fail(env, at, at->kind == ASK_COMMIT ? BR_UNKNOWN : BR_CANCELED,
                         "the store stops");
        }
    }
    br_reply_ok(call);
}

static const struct br_store sim_ops = {
    .flags = BR_STORE_LOCK,
    .write_overhead = 16,
    .read = sim_read,
    .list = sim_list,
    .commit = sim_commit,
    .lock = sim_lock,
    .owner = sim_owner,
    .lost = sim_lost,
    .unlock = sim_unlock,
    .cancel = sim_cancel,
};

static const struct br_option sim_options[] = { { 0 } };

BR_PLUGIN(store, sim, &sim_ops, .summary = "A store in a simulation.", .version = "1",
          .license = "Apache-2.0", BR_STATE(struct sim_store, sim_options), .start = sim_begin,
          .stop = sim_stop);

void sim_store_limits(struct br_store *ops)
{
    const struct sim_setting *setting = &sim.setting;
    ops->batch_ops_max = setting->ops_max;
    ops->batch_bytes_max = 4096;
    ops->batches_max = setting->flights;
    if (setting->lockless) {
        ops->lock = NULL;
        ops->owner = NULL;
        ops->lost = NULL;
        ops->unlock = NULL;
    }
}
