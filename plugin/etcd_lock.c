/* etcd_lock -- elections: who stands is a key with our lease, the smallest number leads, and
 * whoever wants to know looks again and again.  Names and values are Pegasus's (its
 * src/zookeeper/lock_struct.cpp).
 *
 * One step at a time, and each is a job of the write lane: give back a node, stand (in the order
 * that was asked for), look.  A step that got no answer may have been carried out; the lane's chain
 * makes sure that it will not be any more, and then the number that was tried tells whether it was.
 *
 * A leader with our own value that no candidate of ours has put there is a leftover of an earlier
 * life of ours and is deleted: nobody need wait for its lease to run out.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/etcd_stand.h"

static void lock_kick(struct etcd *etcd);

/* -- Stands ------------------------------------------------------------------------------------ */

void etcd_stand_node(const struct etcd_stand *stand, int64_t number, char text[ETCD_NODE_MAX])
{
    snprintf(text, ETCD_NODE_MAX, "%s/LOCKNODE%010" PRId64,
             strcmp(stand->path, "/") == 0 ? "" : stand->path, number);
}

static void stand_tell_lost(struct etcd_stand *stand)
{
    for (struct lost_call *next, *lost = stand->losts; lost; lost = next) {
        next = lost->next;
        br_reply_ok(lost->call);
        free(lost);
    }
    stand->losts = NULL;
    if (stand->unlock)
        br_reply_ok(stand->unlock);
    stand->unlock = NULL;
}

void etcd_stand_end(struct etcd *etcd, struct etcd_stand *stand, br_status status, const char *why)
{
    struct etcd_stand **link = &etcd->stands;
    while (*link != stand)
        link = &(*link)->next;
    *link = stand->next;
    if (etcd->stepping == stand)
        etcd->stepping = NULL;
    stand_tell_lost(stand);
    if (stand->call)
        br_reply_fail(stand->call, status, "%s: %s", stand->path, why);
    free(stand->path);
    free(stand->value);
    free(stand->leftover);
    free(stand);
}

void etcd_stand_gone(struct etcd *etcd, struct etcd_stand *stand)
{
    etcd_stand_end(etcd, stand, BR_CANCELED, "no longer wanted");
}

void etcd_stand_lose(struct etcd *etcd, struct etcd_stand *stand, const char *why)
{
    char node[ETCD_NODE_MAX];
    etcd_stand_node(stand, stand->number, node);
    br_log(etcd->env, BR_WARN, "the lock %s is lost: %s", node, why);
    etcd_stand_gone(etcd, stand);
}

/* -- What is to be done ------------------------------------------------------------------------ */

/* The first of this lock that has no node yet: those behind it wait. */
static bool stand_is_next(const struct etcd *etcd, const struct etcd_stand *stand)
{
    const struct etcd_stand *other = etcd->stands;
    while (!(other->candidate && other->number < 0 && !other->leaving
             && strcmp(other->path, stand->path) == 0))
        other = other->next;
    return other == stand;
}

static bool lock_step(struct etcd *etcd, struct etcd_stand *stand,
                      void (**ret_go)(struct etcd *, struct etcd_stand *))
{
    *ret_go = NULL;
    if (stand->tried >= 0)
        *ret_go = etcd_look_go;
    else if (stand->leaving && stand->number >= 0)
        *ret_go = etcd_release_go;
    else if (stand->leftover)
        *ret_go = etcd_leftover_go;
    else if (stand->candidate && !stand->leaving && stand->number < 0 && stand_is_next(etcd, stand))
        *ret_go = etcd_stand_go;
    else if (stand->due && (!stand->candidate || stand->number >= 0))
        *ret_go = etcd_look_go;
    return *ret_go != NULL;
}

/* NULL: nothing.  Whoever leaves and has nothing there is gone at once. */
static struct etcd_stand *lock_next(struct etcd *etcd,
                                    void (**ret_go)(struct etcd *, struct etcd_stand *))
{
    for (struct etcd_stand *next, *stand = etcd->stands; stand; stand = next) {
        next = stand->next;
        if (lock_step(etcd, stand, ret_go))
            return stand;
        if (stand->leaving)
            etcd_stand_gone(etcd, stand);
    }
    return NULL;
}

static void lock_go(struct etcd *etcd, struct etcd_job *job)
{
    void (*go)(struct etcd *, struct etcd_stand *);
    struct etcd_stand *stand =
        etcd->up && !etcd->going_down && !etcd->stopping ? lock_next(etcd, &go) : NULL;
    (void) job;
    if (stand) {
        etcd->stepping = stand;
        go(etcd, stand);
        return;
    }
    etcd->lock_queued = false;
    etcd_job_over(etcd, &etcd->lock_job);
}

static void lock_drop(struct etcd *etcd, struct etcd_job *job, br_status status, const char *why)
{
    (void) job, (void) status, (void) why;
    etcd->lock_queued = false;
}

static void lock_poll(struct br_env *env, void *unused)
{
    struct etcd *etcd = env->self;
    (void) unused;
    etcd->poll = NULL;
    for (struct etcd_stand *stand = etcd->stands; stand; stand = stand->next)
        stand->due = true;
    lock_kick(etcd);
}

static void lock_kicked(struct br_env *env, void *unused)
{
    struct etcd *etcd = env->self;
    void (*go)(struct etcd *, struct etcd_stand *);
    (void) unused;
    etcd->lock_kicked = false;
    if (etcd->stopping)
        return;
    if (!etcd->poll && etcd->stands)
        etcd->poll = br_after(env, ETCD_POLL, lock_poll, NULL);
    if (etcd->lock_queued || !etcd->up || etcd->going_down || !lock_next(etcd, &go))
        return;
    etcd->lock_queued = true;
    etcd->lock_job = (struct etcd_job){ .go = lock_go, .drop = lock_drop };
    etcd_job_add(etcd, &etcd->lock_job);
}

/* From the loop, since those who are told may ask again at once. */
static void lock_kick(struct etcd *etcd)
{
    if (etcd->lock_kicked)
        return;
    etcd->lock_kicked = true;
    br_post(etcd->env, lock_kicked, NULL);
}

void etcd_step_over(struct etcd *etcd)
{
    etcd->lock_queued = false;
    etcd->stepping = NULL;
    etcd_job_over(etcd, &etcd->lock_job);
    if (etcd->up && !etcd->going_down && !etcd->stopping)
        lock_kick(etcd);
}

/* -- What the session says --------------------------------------------------------------------- */

void etcd_lock_up(struct etcd *etcd)
{
    for (struct etcd_stand *stand = etcd->stands; stand; stand = stand->next)
        stand->due = true;
    lock_kick(etcd);
}

/* With the lease went its nodes, or will. */
void etcd_lock_expire(struct etcd *etcd, const char *why)
{
    for (struct etcd_stand *next, *stand = etcd->stands; stand; stand = next) {
        next = stand->next;
        if (stand->elected) {
            etcd_stand_lose(etcd, stand, why);
            continue;
        }
        stand->number = stand->tried = -1;
        if (stand->leaving)
            etcd_stand_gone(etcd, stand);
    }
}

void etcd_lock_stop(struct etcd *etcd)
{
    if (etcd->poll)
        br_disarm(etcd->env, etcd->poll);
    etcd->poll = NULL;
    while (etcd->stands)
        etcd_stand_end(etcd, etcd->stands, BR_CANCELED, "the store stops");
}

/* -- What the host asks ------------------------------------------------------------------------ */

static struct etcd_stand *stand_new(struct br_env *env, const char *path, const char *value,
                                    struct br_call *call)
{
    struct etcd *etcd = env->self;
    if (etcd_depth(path) > ETCD_DEPTH_MAX) {
        br_reply_fail(call, BR_TOOBIG, "'%.200s': a lock's path has at most %d components", path,
                      ETCD_DEPTH_MAX);
        return NULL;
    }
    struct etcd_stand *stand = mem_new(sizeof *stand);
    *stand = (struct etcd_stand){ .path = mem_text(path),
                                  .value = mem_text(value),
                                  .due = true,
                                  .number = -1,
                                  .tried = -1,
                                  .call = call,
                                  .id = call->id };
    struct etcd_stand **last = &etcd->stands;
    while (*last)
        last = &(*last)->next;
    *last = stand;
    lock_kick(etcd);
    return stand;
}

void etcd_lock(struct br_env *env, const char *path, const char *value, struct br_call *call)
{
    if (br_lock_refused(path, call))
        return;
    struct etcd_stand *stand = stand_new(env, path, value, call);
    if (stand)
        stand->candidate = true;
}

void etcd_owner(struct br_env *env, const char *path, const char *last_seen, struct br_call *call)
{
    if (!br_path_refused(path, call))
        stand_new(env, path, last_seen, call);
}

static struct etcd_stand *stand_of_fence(const struct etcd *etcd, const char *fence)
{
    char node[ETCD_NODE_MAX];
    for (struct etcd_stand *stand = etcd->stands; stand; stand = stand->next) {
        etcd_stand_node(stand, stand->number, node);
        if (stand->elected && strcmp(node, fence) == 0)
            return stand;
    }
    return NULL;
}

void etcd_lost(struct br_env *env, const char *fence, struct br_call *call)
{
    struct etcd_stand *stand = stand_of_fence(env->self, fence);
    if (!stand) {
        br_reply_ok(call);
        return;
    }
    struct lost_call *lost = mem_new(sizeof *lost);
    lost->next = stand->losts;
    lost->call = call;
    stand->losts = lost;
}

void etcd_unlock(struct br_env *env, const char *fence, struct br_call *call)
{
    struct etcd *etcd = env->self;
    struct etcd_stand *stand = stand_of_fence(etcd, fence);
    if (!stand || stand->leaving) {
        br_reply_fail(call, BR_NOTFOUND, "%.200s: not held here", fence);
        return;
    }
    stand->leaving = true;
    stand->unlock = call;
    lock_kick(etcd);
}

/* true: it was one of the stand's that can be answered at once. */
static bool cancel_of(struct etcd_stand *stand, struct br_call *call)
{
    for (struct lost_call **link = &stand->losts; *link; link = &(*link)->next) {
        struct lost_call *lost = *link;
        if (lost->call != call)
            continue;
        *link = lost->next;
        br_reply_fail(call, BR_CANCELED, "given up");
        free(lost);
        return true;
    }
    return false;
}

void etcd_cancel(struct br_env *env, struct br_call *call)
{
    struct etcd *etcd = env->self;
    for (struct etcd_stand *stand = etcd->stands; stand; stand = stand->next) {
        if (stand->call == call) {
            br_reply_fail(call, BR_CANCELED, "given up");
            stand->call = NULL;
            stand->leaving = true;
            lock_kick(etcd);
            return;
        }
        if (cancel_of(stand, call))
            return;
    }
}
