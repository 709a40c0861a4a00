/* zookeeper_session -- connecting, reconnecting, and a new session after the old one expired.
 *
 * zookeeper_init resolves names and zookeeper_close flushes and waits, so each runs on a thread of
 * its own and posts.  Between the two the library reconnects by itself; its global watcher posts
 * what became of the connection.  A post names the session that it is about, and a session is
 * freed only by the post of its closing thread, which is the last one about it.
 */
#include "plugin/store_zookeeper.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

/* The library logs to stderr unless told where; its callback has no context to find an env by, so
 * what it says is dropped and what happens to a session is logged here. */
static void session_hush(const char *message)
{
    (void) message;
}

static bool session_spawn(void *(*run)(void *), struct zookeeper_session *session)
{
    pthread_t thread;
    bool made = pthread_create(&thread, NULL, run, session) == 0;
    if (made)
        pthread_detach(thread);
    return made;
}

static bool session_is_present(const struct zookeeper_session *session)
{
    const struct zookeeper *zookeeper = session->env->self;
    return zookeeper->session == session;
}

/* -- Closing --------------------------------------------------------------------------------- */

static void session_closed(struct br_env *env, void *arg)
{
    struct zookeeper *zookeeper = env->self;
    struct zookeeper_session *session = arg;
    pthread_mutex_destroy(&session->mutex);
    free(session->hosts);
    free(session);
    zookeeper->sessions--;
    zookeeper_closed(env);
}

void zookeeper_pending_add(struct zookeeper_session *session, struct zookeeper_pending *pending,
                           void (*abandon)(struct zookeeper_pending *pending))
{
    pending->session = session;
    pending->abandon = abandon;
    pthread_mutex_lock(&session->mutex);
    pending->next = session->pending;
    pending->link = &session->pending;
    if (pending->next)
        pending->next->link = &pending->next;
    session->pending = pending;
    pthread_mutex_unlock(&session->mutex);
}

/* `link` is written by neighbours, too; `session` only by add and drop. */
void zookeeper_pending_drop(struct zookeeper_pending *pending)
{
    struct zookeeper_session *session = pending->session;
    if (!session)
        return;
    pthread_mutex_lock(&session->mutex);
    *pending->link = pending->next;
    if (pending->next)
        pending->next->link = pending->link;
    pthread_mutex_unlock(&session->mutex);
    pending->session = NULL;
}

static void *session_close_thread(void *arg)
{
    struct zookeeper_session *session = arg;
    zookeeper_close(session->handle); /* its threads have ended when it returns */
    while (session->pending) {
        struct zookeeper_pending *pending = session->pending;
        zookeeper_pending_drop(pending);
        pending->abandon(pending);
    }
    br_post(session->env, session_closed, session);
    return NULL;
}

void zookeeper_session_end(struct zookeeper_session *session)
{
    if (!session->opened)
        return; /* session_opened will find that nobody wants it */
    assert(!session->closing);
    session->closing = true;
    if (!session->handle)
        br_post(session->env, session_closed, session);
    else if (!session_spawn(session_close_thread, session))
        session_close_thread(session); /* no thread to be had: better late than never */
}

void zookeeper_session_drop(struct br_env *env)
{
    struct zookeeper *zookeeper = env->self;
    struct zookeeper_session *session = zookeeper->session;
    zookeeper_readers_drop(env);
    zookeeper->session = NULL;
    if (session)
        zookeeper_session_end(session);
}

void zookeeper_session_renew(struct br_env *env, const char *why)
{
    struct zookeeper *zookeeper = env->self;
    br_log(env, BR_WARN, "%s: %s: opening a new session", zookeeper->hosts, why);
    zookeeper_session_drop(env);
    zookeeper_walkers_expire(env);
    zookeeper_session_open(env);
}

/* -- Connected: the chroot first ------------------------------------------------------------- */

static void session_synced(int rc, const char *path, const void *data)
{
    (void) rc, (void) path, (void) data; /* what is asked next waits for it on the server */
}

/* The server that we came to may lag behind a batch whose answer was lost with the one before: what
 * is read from here on, to learn the batch's fate, is read behind a sync. */
static void session_ready(struct zookeeper_session *session)
{
    struct zookeeper *zookeeper = session->env->self;
    zoo_async(session->handle, "/", session_synced, NULL);
    br_log(session->env, BR_INFO, "%s: %sconnected, session 0x%llx, timeout %d ms",
           zookeeper->hosts, zookeeper->was_up ? "re" : "",
           (unsigned long long) zoo_client_id(session->handle)->client_id,
           zoo_recv_timeout(session->handle));
    zookeeper->was_up = true;
    zookeeper_ready(session->env);
}

static void session_rooted(struct br_env *env, void *arg)
{
    struct zookeeper_session *session = arg;
    struct zookeeper *zookeeper = env->self;
    if (!session_is_present(session))
        return;
    zookeeper->rooted = true;
    if (session->up)
        session_ready(session);
}

static void session_unrooted(struct br_env *env, void *arg)
{
    if (session_is_present(arg))
        zookeeper_refused(env, BR_DENIED, "the chroot is not there and may not be created");
}

static void session_root_seen(int rc, const struct Stat *stat, const void *data)
{
    struct zookeeper_session *session = (struct zookeeper_session *) (uintptr_t) data;
    (void) stat;
    if (rc == ZOK)
        br_post(session->env, session_rooted, session);
    else if (rc == ZNONODE || rc == ZNOAUTH)
        br_post(session->env, session_unrooted, session);
    /* else the connection is gone again: the next one tries again */
}

/* It may be there though we might not create it. */
static void session_root_made(int rc, const char *path, const void *data)
{
    struct zookeeper_session *session = (struct zookeeper_session *) (uintptr_t) data;
    const struct zookeeper *zookeeper = session->env->self;
    (void) path;
    if (rc == ZNOAUTH)
        zoo_aexists(session->handle, zookeeper->chroot, 0, session_root_seen, session);
    else
        session_root_seen(rc == ZNODEEXISTS ? ZOK : rc, NULL, data);
}

static void session_settle(struct zookeeper_session *session)
{
    struct zookeeper *zookeeper = session->env->self;
    if (!session->handle || !session->up)
        return;
    if (zookeeper->rooted)
        session_ready(session);
    else
        zookeeper_make_path(zookeeper, session->handle, zookeeper->chroot, session_root_made,
                            session);
}

/* -- What the library says of the connection -------------------------------------------------- */

static void session_up(struct br_env *env, void *arg)
{
    struct zookeeper_session *session = arg;
    (void) env;
    session->up = true;
    if (session_is_present(session))
        session_settle(session);
}

static void session_down(struct br_env *env, void *arg)
{
    struct zookeeper_session *session = arg;
    struct zookeeper *zookeeper = env->self;
    bool was_up = session->up;
    session->up = false;
    if (was_up && session_is_present(session)) {
        br_log(env, BR_WARN, "%s: connection lost, reconnecting", zookeeper->hosts);
        zookeeper_readers_drop(env);
    } else if (was_up) {
        zookeeper_reader_lost(session);
    }
}

static void session_expired(struct br_env *env, void *arg)
{
    struct zookeeper_session *session = arg;
    session->up = false;
    if (session_is_present(session))
        zookeeper_session_renew(env, "the session expired");
    else
        zookeeper_reader_lost(session);
}

static void session_retry(struct br_env *env, void *arg)
{
    struct zookeeper *zookeeper = env->self;
    (void) arg;
    zookeeper->retry = NULL;
    zookeeper_session_open(env);
}

static void session_rejected(struct br_env *env, void *arg)
{
    struct zookeeper_session *session = arg;
    struct zookeeper *zookeeper = env->self;
    session->up = false;
    if (zookeeper_reader_lost(session) || !session_is_present(session))
        return;
    if (zookeeper->starting) {
        zookeeper_refused(env, BR_DENIED, "the server rejects auth");
        return;
    }
    br_log(env, BR_ERROR, "%s: the server rejects auth", zookeeper->hosts);
    zookeeper_session_drop(env);
    zookeeper_walkers_expire(env);
    zookeeper->retry = br_after(env, ZOOKEEPER_RETRY_DELAY, session_retry, NULL);
}

static void session_auth_done(int rc, const void *data)
{
    (void) rc, (void) data; /* a rejection comes as ZOO_AUTH_FAILED_STATE */
}

/* On the completion thread, before the loop learns of the connection: what is issued from there on
 * is behind it.  The library repeats it by itself whenever it reconnects. */
static void session_authenticate(struct zookeeper_session *session, zhandle_t *handle)
{
    const struct zookeeper *zookeeper = session->env->self;
    if (!session->authenticated && zookeeper->auth[0] != '\0')
        session->authenticated =
            zoo_add_auth(handle, "digest", zookeeper->auth, (int) strlen(zookeeper->auth),
                         session_auth_done, NULL)
            == ZOK;
}

static void session_event(zhandle_t *handle, int type, int state, const char *path, void *context)
{
    struct zookeeper_session *session = context;
    (void) path;
    if (type != ZOO_SESSION_EVENT)
        return;
    if (state == ZOO_CONNECTED_STATE) {
        session_authenticate(session, handle);
        br_post(session->env, session_up, session);
    } else if (state == ZOO_EXPIRED_SESSION_STATE) {
        br_post(session->env, session_expired, session);
    } else if (state == ZOO_AUTH_FAILED_STATE) {
        br_post(session->env, session_rejected, session);
    } else {
        br_post(session->env, session_down, session);
    }
}

struct stir {
    struct zookeeper_session *session;
    char path[];
};

static void session_stir(struct br_env *env, void *arg)
{
    struct stir *stir = arg;
    if (session_is_present(stir->session))
        zookeeper_walkers_stir(env, stir->path);
    free(stir);
}

void zookeeper_session_watch(zhandle_t *handle, int type, int state, const char *path,
                             void *context)
{
    struct zookeeper_session *session = context;
    (void) handle, (void) state;
    if (type == ZOO_SESSION_EVENT || type == ZOO_NOTWATCHING_EVENT)
        return; /* watches outlive a connection; the session's end is told elsewhere */
    size_t size = strlen(path) + 1;
    struct stir *stir = mem_new(sizeof *stir + size);
    stir->session = session;
    memcpy(stir->path, path, size);
    br_post(session->env, session_stir, stir);
}

/* -- Opening --------------------------------------------------------------------------------- */

static void session_unopened(struct zookeeper_session *session)
{
    struct br_env *env = session->env;
    struct zookeeper *zookeeper = env->self;
    int error = session->error;
    zookeeper->session = NULL;
    zookeeper_session_end(session);
    if (zookeeper->starting) {
        zookeeper_refused(env, BR_UNAVAILABLE, strerror(error));
        return;
    }
    br_log(env, BR_ERROR, "%s: no session can be opened: %s", zookeeper->hosts, strerror(error));
    zookeeper->retry = br_after(env, ZOOKEEPER_RETRY_DELAY, session_retry, NULL);
}

static void session_opened(struct br_env *env, void *arg)
{
    struct zookeeper_session *session = arg;
    (void) env;
    session->opened = true;
    session->handle = session->fresh;
    if (!session_is_present(session))
        zookeeper_reader_opened(session);
    else if (session->handle)
        session_settle(session);
    else
        session_unopened(session);
}

/* Left alone, the library resolves the servers' names whenever it looks at its socket, which takes
 * it longer than all the rest; without a delay it still does so when it has to connect again. */
static void *session_open_thread(void *arg)
{
    struct zookeeper_session *session = arg;
    const struct zookeeper *zookeeper = session->env->self; /* options: they never change */
    int timeout = (int) (zookeeper->session_timeout / BR_MILLISECOND);
    session->fresh = zookeeper_init2(session->hosts ? session->hosts : zookeeper->hosts,
                                     session_event, timeout, NULL, session, 0, session_hush);
    session->error = errno;
    if (session->fresh)
        zoo_set_servers_resolution_delay(session->fresh, -1);
    br_post(session->env, session_opened, session);
    return NULL;
}

struct zookeeper_session *zookeeper_session_new(struct br_env *env, const char *hosts)
{
    struct zookeeper *zookeeper = env->self;
    struct zookeeper_session *session = mem_new(sizeof *session);
    session->env = env;
    session->hosts = mem_text(hosts);
    pthread_mutex_init(&session->mutex, NULL);
    zookeeper->sessions++;
    if (!session_spawn(session_open_thread, session)) {
        session->error = EAGAIN;
        br_post(env, session_opened, session);
    }
    return session;
}

void zookeeper_session_open(struct br_env *env)
{
    struct zookeeper *zookeeper = env->self;
    zookeeper->session = zookeeper_session_new(env, NULL);
}

zhandle_t *zookeeper_handle(const struct zookeeper *zookeeper)
{
    const struct zookeeper_session *session = zookeeper->session;
    return session && session->up && zookeeper->rooted ? session->handle : NULL;
}
