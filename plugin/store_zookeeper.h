/* store_zookeeper -- what the parts of the ZooKeeper store share.
 *
 * Threads: libzookeeper's completion thread runs completions and watchers; it replies to calls or
 * posts to the loop.  Everything else, and every field below, is the loop thread's, except where
 * a comment says otherwise.
 *
 * The library's own chroot is not used: zoo_amulti frees a path twice with it when an operation
 * cannot be sent (an expired session suffices).
 */
#ifndef PLUGIN_STORE_ZOOKEEPER_H
#define PLUGIN_STORE_ZOOKEEPER_H

#include <pthread.h>
#include <stdlib.h>

#define THREADED
#include <zookeeper/zookeeper.h>

#include <bridle/plugin.h>

#include "host/base/mem.h"

#define ZOOKEEPER_CHROOT_MAX 64 /* bytes; every write may carry it, see write_overhead */
#define ZOOKEEPER_AGAIN_DELAY                                                                      \
    (100 * BR_MILLISECOND)               /* after a server would not be asked so much              \
                                          */
#define ZOOKEEPER_RETRY_DELAY  BR_SECOND /* after a session could not even be tried */
#define ZOOKEEPER_READERS_MAX  16 /* sessions for reading, beside the one that does the rest */
#define ZOOKEEPER_READERS_REST (5 * BR_SECOND) /* without large reads: they are closed */

/* A request as the server measures it (its jute.maxbuffer is 0xfffff): a header of 8 bytes, the
 * operations, a closing header of 9.  A create is a header of 9, two lengths of 4, flags of 4 and
 * the open ACL's 27; every other operation is smaller. */
#define ZOOKEEPER_REQUEST_MAX     1048575
#define ZOOKEEPER_REQUEST_FRAME   17
#define ZOOKEEPER_CREATE_OVERHEAD 48
#define ZOOKEEPER_BATCHES_MAX     4 /* in flight; measured: fewer leave the server idle */

enum { ZOOKEEPER_ACL_OPEN = 0, ZOOKEEPER_ACL_CREATOR = 1 };

struct zookeeper_session;

/* A request in flight.  zookeeper_close fails what is outstanding, but its completion thread may
 * end before it has said so, and then those completions never come: whatever still stands in the
 * session's list when the handle is gone is abandoned (answered with ZCLOSING) by us. */
struct zookeeper_pending {
    struct zookeeper_session *session; /* NULL: in no list */
    struct zookeeper_pending *next;
    struct zookeeper_pending **link;
    void (*abandon)(struct zookeeper_pending *pending);
};

/* One handle of the library, from its opening to its closing, both on threads of their own because
 * both block.  It outlives its session: closing takes up to seconds. */
struct zookeeper_session {
    struct br_env *env;
    char *hosts; /* a reader's: the one server that it may connect to; else NULL: all of them */
    zhandle_t *handle;
    bool opened; /* or tried */
    bool up;
    bool closing;
    uint32_t parts;                    /* of reads, in flight on it */
    bool authenticated;                /* the completion thread's */
    pthread_mutex_t mutex;             /* guards the list: */
    struct zookeeper_pending *pending; /* requests in flight */
    zhandle_t *fresh;                  /* the opening thread's, until it posts */
    int error;                         /* its errno */
};

struct zookeeper {
    const char *hosts; /* options */
    const char *chroot;
    const char *auth;
    int32_t acl;
    br_time session_timeout;
    int64_t read_connections;

    struct zookeeper_session *session; /* the present one; NULL: stopped, or waiting for `retry` */
    struct zookeeper_session *readers[ZOOKEEPER_READERS_MAX]; /* NULL: not open */
    uint32_t sessions;                                        /* not yet closed, readers included */
    bool rooted;                                              /* the chroot is known to exist */
    bool was_up;                                              /* for the log */
    struct br_call *starting;
    struct br_call *stopping;
    struct br_timer *patience; /* while starting */
    struct br_timer *retry;
    struct br_timer *again;           /* until walkers ask again that were throttled */
    struct br_timer *rest;            /* until the readers may be closed */
    br_time readers_wanted;           /* when last */
    br_time readers_barred;           /* none is opened before: the last one died */
    struct zookeeper_walker *walkers; /* candidates, leaders and observers */
};

/* -- paths and words (zookeeper_path.c) */

br_status zookeeper_status(int rc, bool write);
const char *zookeeper_word(int rc);                                             /* for sentences */
char *zookeeper_path_full(const struct zookeeper *zookeeper, const char *path); /* malloc'ed */
bool zookeeper_hosts_ok(const char *hosts);
const struct ACL_vector *zookeeper_acl(const struct zookeeper *zookeeper);

/* Create every component of a full path, empty; what exists is left.  `done` is called once, on any
 * thread: ZOK or ZNODEEXISTS, or why the path cannot be had. */
void zookeeper_make_path(struct zookeeper *zookeeper, zhandle_t *handle, const char *path,
                         string_completion_t done, void *arg);

/* The number of an election node ("LOCKNODE0000000007" is 7); -1: it is none. */
int64_t zookeeper_lock_number(const char *name);

/* -- sessions (zookeeper_session.c) */

void zookeeper_session_open(struct br_env *env);
void zookeeper_session_drop(struct br_env *env); /* the present one: close it, open none */
void zookeeper_session_renew(struct br_env *env, const char *why);

/* Connect one more session: to this server (copied), or to any of them where it is NULL. */
struct zookeeper_session *zookeeper_session_new(struct br_env *env, const char *hosts);

/* Whose owner has forgotten it: it is closed, and freed once that is done. */
void zookeeper_session_end(struct zookeeper_session *session);

/* What to issue requests on; NULL: not connected. */
zhandle_t *zookeeper_handle(const struct zookeeper *zookeeper);

/* Before a request is issued on this session; when it was answered (any thread; more than once is
 * fine). */
void zookeeper_pending_add(struct zookeeper_session *session, struct zookeeper_pending *pending,
                           void (*abandon)(struct zookeeper_pending *pending));
void zookeeper_pending_drop(struct zookeeper_pending *pending);

/* For zoo_aw*: posts the path to zookeeper_walkers_stir, on the loop thread.  context: the session.
 */
void zookeeper_session_watch(zhandle_t *handle, int type, int state, const char *path,
                             void *context);

/* -- sessions for reading (zookeeper_reader.c)
 *
 * One session answers its requests in order and one thread of the server works for it, so that it
 * reads a third of what the server could give.  Large reads therefore go over sessions of their
 * own, opened for the first of them and closed when none came for ZOOKEEPER_READERS_REST.
 *
 * They never read behind the present session, the one that holds the lock: what it has seen, they
 * see.  ZooKeeper promises that of one session only; two are kept together by these rules:
 *
 *   - A reader connects to the very server that the present session is connected to.  A server has
 *     one tree, which only grows, and applies a transaction before it tells anybody of it.
 *   - The present session lost its connection (it may come back elsewhere, further on): all readers
 *     are closed in the same turn, before anything that was read over the next connection is told,
 *     since the library tells of a connection before it tells of answers.
 *   - A reader that loses its connection is closed, never reconnected.
 *   - Each part begins with a sync: behind one address (a balancer's) there may be several servers.
 *     It brings the reader's server up to what was committed when the part was issued.
 *
 * What a reader fails to read, for whatever reason, is read again over the present session, which
 * has the last word. */

/* A large read begins: open them where they are not. */
void zookeeper_readers_want(struct br_env *env);
void zookeeper_readers_drop(struct br_env *env); /* close all */

/* A session that is not the present one was opened, or could not be. */
void zookeeper_reader_opened(struct zookeeper_session *session);

/* One of them has lost its connection; false: the session is not one of them (any more). */
bool zookeeper_reader_lost(struct zookeeper_session *session);

/* Where the next part of a read is issued: the reader with the least to do; without readers, the
 * present session; NULL: not connected. */
struct zookeeper_session *zookeeper_read_session(const struct zookeeper *zookeeper);

/* -- what the session tells the others */

void zookeeper_ready(struct br_env *env); /* connected, chroot there */
void zookeeper_refused(struct br_env *env, br_status, const char *why); /* cannot become ready */
void zookeeper_closed(struct br_env *env); /* one more session is gone */

/* -- reads, commits, locks */

extern const struct br_store zookeeper_store;

void zookeeper_read(struct br_env *env, const char *const *paths, uint32_t count,
                    struct br_call *call);
void zookeeper_list(struct br_env *env, const char *path, struct br_call *call);
void zookeeper_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                      struct br_call *call);
void zookeeper_lock(struct br_env *env, const char *path, const char *value, struct br_call *call);
void zookeeper_owner(struct br_env *env, const char *path, const char *last_seen,
                     struct br_call *call);
void zookeeper_lost(struct br_env *env, const char *fence, struct br_call *call);
void zookeeper_unlock(struct br_env *env, const char *fence, struct br_call *call);
void zookeeper_elections(struct br_env *env, const char *path, struct br_call *call);
void zookeeper_cancel(struct br_env *env, struct br_call *call);

void zookeeper_walkers_resume(struct br_env *env);                 /* connected (again) */
void zookeeper_walkers_expire(struct br_env *env);                 /* the session is gone */
void zookeeper_walkers_stir(struct br_env *env, const char *path); /* a watch fired */
void zookeeper_walkers_stop(struct br_env *env);                   /* answer and free all */

#endif
