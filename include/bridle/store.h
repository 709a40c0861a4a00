/* bridle/store.h -- a store keeps the cluster's metadata: a tree of small values under
 * slash-separated absolute paths ("/pegasus/c1/apps/2/0"), written in atomic batches.
 *
 * Every function answers through its call, on any thread, exactly once.
 */
#ifndef BRIDLE_STORE_H
#define BRIDLE_STORE_H

#include <bridle/host.h>

#define BR_PATH_MAX        4096    /* bytes of a path */
#define BR_STORE_VALUE_MAX 1000000 /* bytes of a value; ZooKeeper's jute.maxbuffer is 1,048,575 */

/* A path begins with '/' and has no empty, "." or ".." component, no '/' at its end and no control
 * character; anything else is BR_INVALID, a longer one BR_TOOBIG, whatever function it is given to
 * (br_path_wrong).  "/" is always there: it can be put, checked, read and listed, but not created
 * or deleted (BR_INVALID). */

typedef int32_t br_write_kind;

enum {
    BR_CREATE = 1, /* the path must not exist (BR_EXISTS); its parent must (BR_NOTFOUND) and must
                      not be a fence (BR_CONFLICT) */
    BR_PUT = 2,    /* the path must exist (BR_NOTFOUND) and be at `version` (BR_CONFLICT) */
    BR_DELETE = 3, /* the same, and have no children (BR_CONFLICT) */
    BR_CHECK = 4,  /* the path must exist and be at `version`; writes nothing */
    BR_FENCE = 5,  /* the path must exist, else the whole batch is BR_FENCED; writes nothing */
};

struct br_write {
    br_write_kind kind;
    int32_t reserved;
    const char *path;
    br_bytes value;  /* CREATE, PUT */
    int64_t version; /* PUT, DELETE, CHECK: the version it must be at */
};

/* A version is 0 after CREATE and rises by one with every PUT. */
#define BR_ANY_VERSION INT64_C(-1)

enum {
    BR_STORE_LOCK = 1 << 0,      /* lock() excludes other processes, too */
    BR_STORE_EPHEMERAL = 1 << 1, /* what is written is gone with the process */
};

struct br_store {
    uint32_t flags;

    /* The limits of one commit; the host splits what is larger, the plugin never does.  A write
     * counts its path, its value and write_overhead bytes.  0: no limit. */
    uint32_t batch_ops_max;
    uint32_t batch_bytes_max;
    uint32_t write_overhead;
    uint32_t batches_max; /* commits that may usefully be in flight at once; 0: one */

    /* Read many paths.  Reply rows of struct br_value, as many as asked, in that order (in one
     * chunk or several); a path that is not there is a row with BR_NOTFOUND, not a failure. */
    void (*read)(struct br_env *env, const char *const *paths, uint32_t count,
                 struct br_call *call);

    /* Reply rows of names (BR_ROW_NAME): the children's last components, in any order.  A path
     * that is not there is BR_NOTFOUND. */
    void (*list)(struct br_env *env, const char *path, struct br_call *call);

    /* All of it or none of it; each write sees those before it.  Reply: ok, or the first failure.
     * What br_batch_wrong finds is refused before anything else is looked at; no writes at all is
     * ok.  Commits issued before earlier ones were answered are carried out in the order issued. */
    void (*commit)(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                   struct br_call *call);

    /* Stand for election at `path` (created with its parents where missing) with a value that
     * names the candidate.  Replies when elected, with the fence as the value: the path of a node
     * that exists exactly as long as the lock is held, to be named in a BR_FENCE of every batch.
     * No deadline; may be cancelled.  Candidates of one instance are elected in the order that they
     * called.  No fence is ever given out twice, not even after the store was closed and opened; a
     * fence has no children.
     * Names and values are Pegasus's own: <path>/LOCKNODE<10 digits>, value "host:port", the
     * smallest number leads (behaviour of src/zookeeper/lock_struct.cpp). */
    void (*lock)(struct br_env *env, const char *path, const char *value, struct br_call *call);

    /* Reply with the present holder's value (empty: nobody holds it, or the path is not there) as
     * soon as it differs from last_seen; a holder that came and went in between may go unseen.  No
     * deadline; may be cancelled. */
    void (*owner)(struct br_env *env, const char *path, const char *last_seen,
                  struct br_call *call);

    /* Reply ok when the lock of this fence is lost, for whatever reason, and never before; at once
     * for a fence that this instance does not hold.  The host stops leading in that turn.  After
     * unlock() it replies too.  Somebody's deleting the fence's node is a loss like any other. */
    void (*lost)(struct br_env *env, const char *fence, struct br_call *call);

    /* Give it back: the fence's node is deleted, and the next candidate is elected.  BR_NOTFOUND
     * where this instance does not hold it (any more). */
    void (*unlock)(struct br_env *env, const char *fence, struct br_call *call);

    /* A hint: the call must still be replied to, with BR_CANCELED or with what really happened. */
    void (*cancel)(struct br_env *env, struct br_call *call);

    /* Optional; since 1.1.  Reply, as the version, with a number that never goes down as long as
     * the store lives: it has risen by one for each node that came below this lock's path and by
     * one for each that went, whoever's they are and however they went; 0 where the path is not
     * there.  So who sees it unchanged knows that nobody has led in between, and who holds the lock
     * that only his own coming is in it.  A candidate who only waits counts where he has a node
     * (ZooKeeper's cversion of the path), and may not elsewhere; a holder who died without giving
     * the lock back has gone as soon as the lock is free. */
    void (*elections)(struct br_env *env, const char *path, struct br_call *call);
};

/* -- What every store refuses, in one place --------------------------------------------------- */

/* NULL: a good path.  Else what is wrong with it, and BR_INVALID or BR_TOOBIG in *ret_status. */
static inline const char *br_path_wrong(const char *path, br_status *ret_status)
{
    const bool root = path[0] == '/' && path[1] == 0;
    *ret_status = BR_INVALID;
    if (path[0] != '/')
        return "the path does not begin with '/'";
    for (size_t at = 1, start = 1;; at++) {
        const unsigned char c = (unsigned char) path[at];
        const size_t size = at - start; /* of the component so far */
        if (c == 0 || c == '/') {
            if ((size == 0 && !root) || (size == 1 && path[start] == '.')
                || (size == 2 && path[start] == '.' && path[start + 1] == '.'))
                return "the path has an empty, \".\" or \"..\" component";
            start = at + 1;
        } else if (c < 0x20 || c == 0x7f) {
            return "the path has a control character";
        }
        if (c == 0)
            return NULL;
        if (at == BR_PATH_MAX) {
            *ret_status = BR_TOOBIG;
            return "the path is longer than 4096 bytes";
        }
    }
}

/* true: it is not, and the call was replied to. */
static inline bool br_path_refused(const char *path, struct br_call *call)
{
    br_status status;
    const char *wrong = br_path_wrong(path, &status);
    if (wrong)
        br_reply_fail(call, status, "\"%.200s\": %s", path, wrong);
    return wrong != NULL;
}

#define BR_FENCE_TAIL 19 /* bytes of a fence behind its lock's path: "/LOCKNODE" and ten digits */

/* As br_path_refused, of a path that a lock shall stand at. */
static inline bool br_lock_refused(const char *path, struct br_call *call)
{
    if (br_path_refused(path, call))
        return true;
    if (strlen(path) + BR_FENCE_TAIL <= BR_PATH_MAX)
        return false;
    br_reply_fail(call, BR_TOOBIG, "\"%.200s\": the path is too long for a lock", path);
    return true;
}

/* NULL: a write that may be tried. */
static inline const char *br_write_wrong(const struct br_write *write, br_status *ret_status)
{
    const char *wrong = br_path_wrong(write->path, ret_status);
    if (wrong)
        return wrong;
    *ret_status = BR_INVALID;
    if (write->kind < BR_CREATE || write->kind > BR_FENCE)
        return "there is no such kind of write";
    if (write->path[1] == 0 && (write->kind == BR_CREATE || write->kind == BR_DELETE))
        return "\"/\" is always there: it is not created or deleted";
    *ret_status = BR_TOOBIG;
    if ((write->kind == BR_CREATE || write->kind == BR_PUT)
        && write->value.size > BR_STORE_VALUE_MAX)
        return "the value is larger than 1,000,000 bytes";
    return NULL;
}

/* NULL: a batch within the limits of this store, of writes that may be tried.  Else what is wrong
 * with write *ret_index; one that is too big as a whole is so from that write on. */
static inline const char *br_batch_wrong(const struct br_store *store,
                                         const struct br_write *const *writes, uint32_t count,
                                         uint32_t *ret_index, br_status *ret_status)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct br_write *write = writes[i];
        const char *wrong = br_write_wrong(write, ret_status);
        *ret_index = i;
        if (wrong)
            return wrong;
        for (const char *c = write->path; *c; c++)
            bytes++;
        if (write->kind == BR_CREATE || write->kind == BR_PUT)
            bytes += write->value.size;
        bytes += store->write_overhead;
        *ret_status = BR_TOOBIG;
        if (store->batch_ops_max && i >= store->batch_ops_max)
            return "the batch has more writes than this store takes at once";
        if (store->batch_bytes_max && bytes > store->batch_bytes_max)
            return "the batch has more bytes than this store takes at once";
    }
    return NULL;
}

/* What comes of a write that may be tried.  version: the node's, -1 where it is not there; parent
 * and children: whether there are any.  (That nothing is created below a fence, a store with lock()
 * sees to itself.) */
static inline br_status br_write_status(const struct br_write *write, int64_t version, bool parent,
                                        bool children)
{
    if (write->kind == BR_FENCE)
        return version < 0 ? BR_FENCED : BR_OK;
    if (write->kind == BR_CREATE && version >= 0)
        return BR_EXISTS;
    if (write->kind == BR_CREATE)
        return parent ? BR_OK : BR_NOTFOUND;
    if (version < 0)
        return BR_NOTFOUND;
    if (write->version != BR_ANY_VERSION && write->version != version)
        return BR_CONFLICT;
    return write->kind == BR_DELETE && children ? BR_CONFLICT : BR_OK;
}

/* Why this write failed with this status, to be said behind its path. */
static inline const char *br_write_why(const struct br_write *write, br_status status)
{
    switch (status) {
    case BR_EXISTS: return "is already there";
    case BR_FENCED: return "is gone: the lock is lost";
    case BR_NOTFOUND: return write->kind == BR_CREATE ? "has no parent" : "is not there";
    case BR_CONFLICT:
        return write->kind == BR_CREATE   ? "would be a child of a lock's node"
               : write->kind == BR_DELETE ? "is at another version or has children"
                                          : "is at another version";
    default: return "failed";
    }
}

#endif
