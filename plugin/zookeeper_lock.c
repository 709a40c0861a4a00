/* zookeeper_lock -- leader election with Pegasus's own names, values and order of steps (its
 * src/zookeeper/lock_struct.cpp): make the path, stand as <path>/LOCKNODE<10 digits> with one's own
 * "host:port", list; the smallest number leads, everybody else watches the leader.
 *
 * A leader that bears our own value is a leftover of an earlier life of ours and is deleted.  An
 * own node that vanished, or a session that expired, is a lost lock.  A lost connection is neither:
 * the walk goes on when it is back.
 */
#include <string.h>

#include "plugin/zookeeper_walker.h"

static void walker_go(struct zookeeper_walker *walker);
static void walkers_renew(struct br_env *env, void *unused);
static void walkers_more(struct br_env *env, void *unused);

static void walker_remove(struct zookeeper_walker *walker)
{
    struct zookeeper *zookeeper = walker->env->self;
    struct zookeeper_walker **link = &zookeeper->walkers;
    while (*link != walker)
        link = &(*link)->next;
    *link = walker->next;
    if (walker->candidate && !walker->node)
        br_post(walker->env, walkers_more, NULL); /* somebody may be queueing behind it */
    free(walker->path);
    free(walker->value);
    free(walker->node);
    free(walker->leader);
    free(walker->first);
    buf_done(&walker->text);
    free(walker);
}

static void walker_set(char **text, char *value)
{
    free(*text);
    *text = value;
}

/* Whoever asked to be told that the lock is lost is told; whoever gave it back gets his answer. */
static void walker_tell_lost(struct zookeeper_walker *walker)
{
    for (struct lost_call *next, *lost = walker->losts; lost; lost = next) {
        next = lost->next;
        br_reply_ok(lost->call);
        free(lost);
    }
    walker->losts = NULL;
    if (walker->unlock)
        br_reply_ok(walker->unlock);
    walker->unlock = NULL;
}

/* The end: everything that is still owed an answer gets it. */
static void walker_end(struct zookeeper_walker *walker)
{
    walker_tell_lost(walker);
    if (walker->call)
        br_reply_fail(walker->call, BR_CANCELED, "no longer wanted");
    walker_remove(walker);
}

static void walker_lose(struct zookeeper_walker *walker, const char *why)
{
    br_log(walker->env, BR_WARN, "the lock %s is lost: %s", walker->node, why);
    walker_end(walker);
}

static void walker_fail(struct zookeeper_walker *walker, const char *what)
{
    if (walker->call)
        br_reply_fail(walker->call, zookeeper_status(walker->rc, false), "%s of %s: %s", what,
                      walker->path, zookeeper_word(walker->rc));
    walker->call = NULL;
    walker->leaving = true; /* a node that nobody waits for must not be elected */
    walker_go(walker);
}

/* Candidates of ours stand in the order that they came: nobody before one who has no node yet. */
static bool walker_queues(const struct zookeeper_walker *walker)
{
    const struct zookeeper *zookeeper = walker->env->self;
    const struct zookeeper_walker *other = zookeeper->walkers;
    while (other != walker
           && !(other->candidate && !other->node && strcmp(other->path, walker->path) == 0))
        other = other->next;
    return other != walker;
}

/* What to do next, from nothing but what is known now. */
static void walker_go(struct zookeeper_walker *walker)
{
    if (walker->leaving && walker->node)
        zookeeper_walker_ask(walker, WALKER_RELEASE);
    else if (walker->leaving && walker->doubt)
        br_post(walker->env, walkers_renew, NULL);
    else if (walker->leaving)
        walker_end(walker);
    else if (walker->elected)
        zookeeper_walker_ask(walker, WALKER_CONFIRM);
    else if (walker->candidate && !walker->node && walker_queues(walker))
        walker->step = WALKER_PARKED;
    else if (walker->candidate && !walker->node)
        zookeeper_walker_ask(walker, WALKER_CREATE);
    else
        zookeeper_walker_ask(walker, WALKER_LIST);
}

/* -- Steps: what came back -------------------------------------------------------------------- */

static void step_created(struct zookeeper_walker *walker)
{
    if (walker->rc == ZNONODE && !walker->tried) {
        walker->tried = true;
        zookeeper_walker_ask(walker, WALKER_PARENTS);
    } else if (walker->rc != ZOK) {
        walker_fail(walker, "a candidate's node");
    } else {
        walker_set(&walker->node, walker->first);
        walker->first = NULL;
        walker->number = zookeeper_lock_number(walker->node);
        br_post(walker->env, walkers_more, NULL);
        walker_go(walker);
    }
}

static void step_parents(struct zookeeper_walker *walker)
{
    if (walker->rc == ZOK || walker->rc == ZNODEEXISTS)
        walker_go(walker);
    else
        walker_fail(walker, "creation");
}

static void observer_see(struct zookeeper_walker *walker, const char *value)
{
    if (strcmp(value, walker->value) != 0) {
        br_reply_value(walker->call, (br_bytes){ value, strlen(value) }, 0);
        walker->call = NULL;
        walker_end(walker);
    } else if (walker->stirred) {
        walker_go(walker);
    } else {
        walker->step = WALKER_WATCHING;
    }
}

static void step_listed(struct zookeeper_walker *walker)
{
    bool gone = walker->rc == ZNONODE;
    if (walker->rc != ZOK && !gone) {
        walker_fail(walker, "children");
    } else if (!walker->candidate && gone) {
        zookeeper_walker_ask(walker, WALKER_ABSENT);
    } else if (walker->candidate && (gone || !walker->found)) {
        walker_set(&walker->node, NULL); /* somebody deleted it: stand again */
        walker->tried = false;
        walker_go(walker);
    } else if (walker->least < 0) {
        observer_see(walker, "");
    } else if (walker->candidate && walker->least == walker->number) {
        zookeeper_walker_ask(walker, WALKER_CONFIRM);
    } else {
        walker_set(&walker->leader, walker->first);
        walker->first = NULL;
        zookeeper_walker_ask(walker, WALKER_GET);
    }
}

/* What the host names in its batches has no chroot. */
static const char *walker_fence(const struct zookeeper_walker *walker)
{
    const struct zookeeper *zookeeper = walker->env->self;
    return walker->node + strlen(zookeeper->chroot);
}

static void walker_elected(struct zookeeper_walker *walker)
{
    const char *fence = walker_fence(walker);
    walker->step = WALKER_HELD;
    walker->elected = true;
    if (walker->call)
        br_reply_value(walker->call, (br_bytes){ fence, strlen(fence) }, 0);
    walker->call = NULL;
}

static void step_confirmed(struct zookeeper_walker *walker)
{
    if (walker->rc == ZNONODE && walker->elected) {
        walker_lose(walker, "its node is gone");
    } else if (walker->rc == ZNONODE) {
        walker_set(&walker->node, NULL);
        walker_go(walker);
    } else if (walker->rc != ZOK) {
        walker_fail(walker, "own node");
    } else if (walker->stirred) {
        walker_go(walker);
    } else {
        walker_elected(walker);
    }
}

/* A candidate of this life whose node leads: two of ours may bear the same value. */
static bool walker_of_node(const struct zookeeper_walker *walker)
{
    const struct zookeeper *zookeeper = walker->env->self;
    const struct zookeeper_walker *other = zookeeper->walkers;
    while (other && !(other->node && strcmp(other->node, walker->leader) == 0))
        other = other->next;
    return other != NULL;
}

static void step_got(struct zookeeper_walker *walker)
{
    const char *value = buf_string(&walker->text);
    if (walker->rc == ZNONODE)
        walker_go(walker);
    else if (walker->rc != ZOK)
        walker_fail(walker, "the leader's node");
    else if (!walker->candidate)
        observer_see(walker, value);
    else if (strcmp(value, walker->value) == 0 && !walker_of_node(walker))
        zookeeper_walker_ask(walker, WALKER_LEFTOVER);
    else if (walker->stirred)
        walker_go(walker);
    else
        walker->step = WALKER_WATCHING;
}

static void step_leftover(struct zookeeper_walker *walker)
{
    if (walker->rc == ZOK)
        br_log(walker->env, BR_INFO, "%s, left over from an earlier life, deleted", walker->leader);
    if (walker->rc == ZOK || walker->rc == ZNONODE) {
        walker->doubt = false;
        walker_go(walker);
    } else {
        walker_fail(walker, "deletion of a leftover");
    }
}

static void step_absent(struct zookeeper_walker *walker)
{
    if (walker->rc == ZOK)
        walker_go(walker);
    else if (walker->rc == ZNONODE)
        observer_see(walker, "");
    else
        walker_fail(walker, "existence");
}

static void step_released(struct zookeeper_walker *walker)
{
    if (walker->rc != ZOK && walker->rc != ZNONODE)
        br_log(walker->env, BR_ERROR, "%s cannot be deleted: %s: it stays until the session ends",
               walker->node, zookeeper_word(walker->rc));
    walker_set(&walker->node, NULL);
    walker->elected = false; /* though the walker stays while another node of its is in doubt */
    walker_go(walker);
}

/* The connection or the session went away under the request: on with the next one. */
static void step_unanswered(struct zookeeper_walker *walker)
{
    struct zookeeper *zookeeper = walker->env->self;
    bool same = walker->session == zookeeper->session;
    if (walker->step == WALKER_CREATE && same)
        walker->doubt = true;
    walker->step = WALKER_PARKED;
    if (walker->leaving && !walker->node && !walker->doubt)
        walker_end(walker);
    else if (!same && zookeeper_handle(zookeeper))
        walker_go(walker);
}

static bool step_is_unanswered(int rc)
{
    switch (rc) {
    case ZCONNECTIONLOSS:
    case ZOPERATIONTIMEOUT:
    case ZSESSIONEXPIRED:
    case ZSESSIONMOVED:
    case ZCLOSING:
    case ZINVALIDSTATE:
    case ZAUTHFAILED: return true;
    default: return false;
    }
}

static void walkers_again(struct br_env *env, void *unused)
{
    struct zookeeper *zookeeper = env->self;
    (void) unused;
    zookeeper->again = NULL;
    zookeeper_walkers_resume(env);
}

/* The server has too much to do and did nothing; the connection stays, so nothing else would make
 * us ask again. */
static void step_throttled(struct zookeeper_walker *walker)
{
    struct zookeeper *zookeeper = walker->env->self;
    walker->step = WALKER_PARKED;
    if (!zookeeper->again && !zookeeper->stopping)
        zookeeper->again = br_after(walker->env, ZOOKEEPER_AGAIN_DELAY, walkers_again, NULL);
}

void zookeeper_walker_step(struct br_env *env, void *arg)
{
    static void (*const steps[])(struct zookeeper_walker *) = {
        [WALKER_CREATE] = step_created, [WALKER_PARENTS] = step_parents,
        [WALKER_LIST] = step_listed,    [WALKER_CONFIRM] = step_confirmed,
        [WALKER_GET] = step_got,        [WALKER_LEFTOVER] = step_leftover,
        [WALKER_ABSENT] = step_absent,  [WALKER_RELEASE] = step_released,
    };
    struct zookeeper_walker *walker = arg;
    (void) env;
    walker->busy = false;
    if (walker->rc == ZTHROTTLEDOP)
        step_throttled(walker);
    else if (step_is_unanswered(walker->rc))
        step_unanswered(walker);
    else if (walker->leaving && walker->step != WALKER_CREATE && walker->step != WALKER_RELEASE)
        walker_go(walker);
    else
        steps[walker->step](walker);
}

/* -- What the session says -------------------------------------------------------------------- */

/* The only way to be rid of a node that may or may not be there is to end its session. */
static void walkers_renew(struct br_env *env, void *unused)
{
    struct zookeeper *zookeeper = env->self;
    (void) unused;
    for (struct zookeeper_walker *walker = zookeeper->walkers; walker; walker = walker->next) {
        if (walker->leaving && walker->doubt && !walker->node && zookeeper->session) {
            zookeeper_session_renew(env, "a node of a canceled candidate may be left");
            return;
        }
    }
}

static void walkers_more(struct br_env *env, void *unused)
{
    (void) unused;
    zookeeper_walkers_resume(env);
}

void zookeeper_walkers_resume(struct br_env *env)
{
    struct zookeeper *zookeeper = env->self;
    for (struct zookeeper_walker *next, *walker = zookeeper->walkers; walker; walker = next) {
        next = walker->next;
        if (!walker->busy && walker->step == WALKER_PARKED)
            walker_go(walker);
    }
}

/* With the session went its nodes and watches. */
static void walker_expire(struct zookeeper_walker *walker)
{
    walker->doubt = false;
    walker->leaving |= walker->elected;
    if (walker->elected) {
        br_log(walker->env, BR_WARN, "the lock %s is lost with its session", walker->node);
        walker_tell_lost(walker);
    }
    walker->elected = false;
    walker_set(&walker->node, NULL);
    if (walker->busy)
        return; /* its request is about to fail */
    walker->step = WALKER_PARKED;
    if (walker->leaving)
        walker_end(walker);
}

void zookeeper_walkers_expire(struct br_env *env)
{
    struct zookeeper *zookeeper = env->self;
    for (struct zookeeper_walker *next, *walker = zookeeper->walkers; walker; walker = next) {
        next = walker->next;
        walker_expire(walker);
    }
}

static bool walker_watches(const struct zookeeper_walker *walker, const char *path)
{
    return strcmp(walker->path, path) == 0 || (walker->node && strcmp(walker->node, path) == 0)
           || (walker->leader && strcmp(walker->leader, path) == 0);
}

void zookeeper_walkers_stir(struct br_env *env, const char *path)
{
    struct zookeeper *zookeeper = env->self;
    for (struct zookeeper_walker *next, *walker = zookeeper->walkers; walker; walker = next) {
        next = walker->next;
        if (!walker_watches(walker, path))
            continue;
        walker->stirred = true;
        if (!walker->busy && walker->step != WALKER_PARKED)
            walker_go(walker);
    }
}

void zookeeper_walkers_stop(struct br_env *env)
{
    struct zookeeper *zookeeper = env->self;
    while (zookeeper->walkers)
        walker_end(zookeeper->walkers);
}

/* -- What the host asks ------------------------------------------------------------------------ */

static struct zookeeper_walker *walker_new(struct br_env *env, const char *path, const char *value,
                                           struct br_call *call)
{
    struct zookeeper *zookeeper = env->self;
    struct zookeeper_walker *walker = mem_new(sizeof *walker);
    walker->env = env;
    walker->path = zookeeper_path_full(zookeeper, path);
    walker->value = mem_text(value);
    walker->number = -1;
    walker->call = call;
    struct zookeeper_walker **last = &zookeeper->walkers;
    while (*last)
        last = &(*last)->next;
    *last = walker;
    return walker;
}

void zookeeper_lock(struct br_env *env, const char *path, const char *value, struct br_call *call)
{
    if (br_lock_refused(path, call))
        return;
    struct zookeeper_walker *walker = walker_new(env, path, value, call);
    walker->candidate = true;
    walker_go(walker);
}

void zookeeper_owner(struct br_env *env, const char *path, const char *last_seen,
                     struct br_call *call)
{
    if (!br_path_refused(path, call))
        walker_go(walker_new(env, path, last_seen, call));
}

static struct zookeeper_walker *walker_of_fence(const struct zookeeper *zookeeper,
                                                const char *fence)
{
    struct zookeeper_walker *walker = zookeeper->walkers;
    while (walker && !(walker->elected && strcmp(walker_fence(walker), fence) == 0))
        walker = walker->next;
    return walker;
}

void zookeeper_lost(struct br_env *env, const char *fence, struct br_call *call)
{
    struct zookeeper_walker *walker = walker_of_fence(env->self, fence);
    if (!walker) {
        br_reply_ok(call);
        return;
    }
    struct lost_call *lost = mem_new(sizeof *lost);
    lost->call = call;
    lost->next = walker->losts;
    walker->losts = lost;
}

void zookeeper_unlock(struct br_env *env, const char *fence, struct br_call *call)
{
    struct zookeeper_walker *walker = walker_of_fence(env->self, fence);
    if (!walker || walker->unlock) {
        br_reply_fail(call, BR_NOTFOUND, "%s is not held", fence);
        return;
    }
    walker->unlock = call;
    walker->leaving = true;
    if (!walker->busy)
        walker_go(walker);
}

static bool walker_cancel_lost(struct zookeeper_walker *walker, struct br_call *call)
{
    struct lost_call **link = &walker->losts;
    while (*link && (*link)->call != call)
        link = &(*link)->next;
    struct lost_call *lost = *link;
    if (!lost)
        return false;
    *link = lost->next;
    free(lost);
    br_reply_fail(call, BR_CANCELED, "no longer wanted");
    return true;
}

/* Reads and batches cannot be called back: they answer with what really happened. */
void zookeeper_cancel(struct br_env *env, struct br_call *call)
{
    struct zookeeper *zookeeper = env->self;
    for (struct zookeeper_walker *walker = zookeeper->walkers; walker; walker = walker->next) {
        if (walker->call == call) {
            walker->leaving = true;
            if (!walker->busy)
                walker_go(walker);
            return;
        }
        if (walker_cancel_lost(walker, call))
            return;
    }
}
