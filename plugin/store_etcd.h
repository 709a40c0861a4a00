/* store_etcd -- what the parts of the etcd store share.
 *
 * Everything is the loop thread's: libevent's evhttp works on the host's own loop, and there is no
 * other thread.  What etcd answers is taken from its JSON gateway (/v3/..., 3.4 and later), whose
 * words are those of its rpc.proto; keys, values and numbers beyond 53 bits are text there.
 *
 * The tree.  The key of a node is the prefix and its path with the last '/' doubled, so that the
 * children of one node, and nothing else, are one range: /a/b is PREFIX/a//b, its children are
 * PREFIX/a/b//...; "/" is PREFIX/.  The value is the version in decimal, a blank, and the bytes;
 * etcd's own version of a key will not do, since two writes of one batch are one of etcd's.  Beside
 * the tree, where no path can come:
 *
 *   PREFIX.session/LEASE   one of each instance, gone with its lease.  Every transaction puts it
 *                          and compares the revision of its last putting: so nothing that was sent
 *                          is carried out twice, or behind what was sent later, whatever happened
 *                          to its connection.
 *   PREFIX.counter/PATH    of the lock PATH: how often anyone stood, a blank, and the number of the
 *                          next candidate
 *   PREFIX.deleted         put with every deletion: see etcd_batch.h
 *
 * The lock.  A candidate is a key PATH//LOCKNODE<10 digits> with the instance's lease; the smallest
 * number leads.  Who stands or watches looks every ETCD_POLL.  The lease counts as lost before it
 * can have run out on the server, by our own clock, from the moment that its last renewal was sent.
 */
#ifndef PLUGIN_STORE_ETCD_H
#define PLUGIN_STORE_ETCD_H

#include <jansson.h>

#include <bridle/plugin.h>

#include "host/base/buf.h"
#include "host/base/mem.h"
#include "host/base/number.h"

#define ETCD_PREFIX_MAX     64 /* bytes; every key has it, see write_overhead */
#define ETCD_HOSTS_MAX      16
#define ETCD_OPS_MAX        128 /* compares, and operations, of a transaction: --max-txn-ops' default */
#define ETCD_BATCH_OPS_MAX  120 /* writes of a batch: its session's and the fence's come on top */
#define ETCD_REQUEST_MAX    1572864     /* --max-request-bytes' default */
#define ETCD_CHAIN_BYTES    1024        /* of what belongs to the session in each transaction */
#define ETCD_BATCH_BYTES    1048576     /* of a batch; the rest is for keys that are named again */
#define ETCD_WRITE_OVERHEAD 512         /* compares, operation, four prefixes */
#define ETCD_REPLY_MAX      (256 << 20) /* bytes of one answer */
#define ETCD_READ_LANES     4           /* connections for reads */
#define ETCD_READ_PATHS     100         /* of one transaction that reads */
#define ETCD_LIST_PAGE      2000        /* children asked for at once */
#define ETCD_DEPTH_MAX      64          /* components of a lock's path */
#define ETCD_TRIES_MAX      16          /* of one batch, while others change what it rests on */
#define ETCD_POLL           (100 * BR_MILLISECOND)
#define ETCD_RETRY_DELAY    (100 * BR_MILLISECOND) /* between two attempts to connect */
#define ETCD_PARTING        BR_SECOND              /* for giving back the lease at the end */

enum etcd_lane {
    ETCD_LANE_WRITE = 0, /* transactions, and all that belongs to a lock: one after the other */
    ETCD_LANE_LEASE,     /* connecting and the lease, which nothing may keep waiting */
    ETCD_LANE_READ,      /* the first of ETCD_READ_LANES */
    ETCD_LANES = ETCD_LANE_READ + ETCD_READ_LANES,
};

/* What came of a request.  A failure below BR_UNKNOWN was not carried out. */
struct etcd_reply {
    br_status status;
    json_t *json;     /* BR_OK: an object; the caller's until it returns */
    int64_t revision; /* its header's */
    const char *why;  /* of a failure, without the endpoint; BR_OK: NULL */
};

struct etcd;
typedef void etcd_done(struct etcd *etcd, void *arg, const struct etcd_reply *reply);

struct etcd_ask {
    struct etcd_ask *next;
    struct etcd *etcd;
    enum etcd_lane lane;
    const char *what; /* "/v3/kv/txn"; static */
    struct buf body;
    etcd_done *done;
    void *arg;
    bool sent; /* given to a connection */
    /* Of a failure that has to be told from the loop: */
    br_status status;
    const char *why;
};

struct evhttp_connection;

struct etcd_line {
    struct evhttp_connection *http; /* NULL: none yet */
    struct etcd_ask *first;         /* under way */
    struct etcd_ask **last;
    uint32_t count;
    bool sending; /* evhttp is just being given a request ... */
    bool failed;  /* ... and has already said that nothing came of it */
};

/* Something that wants ETCD_LANE_WRITE for itself: `go` begins, etcd_job_over ends it. */
struct etcd_job {
    struct etcd_job *next;
    void (*go)(struct etcd *etcd, struct etcd_job *job);
    void (*drop)(struct etcd *etcd, struct etcd_job *job, br_status status, const char *why);
};

struct etcd_host {
    char name[NODE_NAME_MAX + 1]; /* without the port */
    uint16_t port;
    char text[NODE_NAME_MAX + 1]; /* with it */
};

struct etcd_stand; /* etcd_lock.c */
struct resolver;
struct lookup;

struct etcd {
    const char *hosts; /* options */
    const char *prefix;
    const char *username;
    const char *password;
    bool tls;
    const char *cacert;
    const char *cert;
    const char *key;
    br_time session_timeout;
    br_time request_timeout;

    struct br_env *env;
    struct etcd_host host[ETCD_HOSTS_MAX];
    uint32_t host_count;

    uint32_t at;      /* the host that we speak to, or try to */
    char address[16]; /* its, once it is resolved */
    struct resolver *resolver;
    struct lookup *lookup;
    struct etcd_line lines[ETCD_LANES];
    char *token;       /* of authentication */
    void *tls_context; /* etcd_tls.c's; NULL: none */
    char tls_why[300];
    bool connecting;
    bool up;
    bool going_down; /* posted */
    bool was_up;     /* for the log */
    char why[256];   /* what the last attempt failed by */

    int64_t lease;      /* 0: none */
    int64_t stale;      /* a lease to be revoked as soon as possible; 0: none */
    br_time ttl;        /* as granted */
    br_time lease_end;  /* it lasts at least until then */
    br_time renew_sent; /* the renewal under way; 0: none */
    int64_t chain;      /* the revision of the session's key */

    struct etcd_job *jobs; /* the first is under way */
    struct etcd_job lock_job;
    bool lock_queued;
    bool lock_kicked; /* posted */
    struct etcd_stand *stands;
    struct etcd_stand *stepping; /* whose step is under way; NULL: nobody's, or it has ended */

    struct br_timer *retry;
    struct br_timer *renewal;
    struct br_timer *poll;
    struct br_timer *patience;
    struct br_call *starting;
    struct br_call *stopping;
    bool parted;
};

/* -- text (etcd_text.c) */

/* The key of a path; malloc'ed. */
char *etcd_key(const struct etcd *etcd, const char *path);
/* The range of a path's children, from and to; malloc'ed. */
char *etcd_children(const struct etcd *etcd, const char *path, char **ret_end);

void etcd_base64(struct buf *buf, const void *data, size_t size);
/* The bytes into `to`, which has room for 3/4 of the text; false: it is none. */
bool etcd_unbase64(const char *text, void *to, size_t *ret_size);

/* A number that the gateway gives as text, or leaves out where it is 0. */
int64_t etcd_number(const json_t *object, const char *name);
bool etcd_true(const json_t *object, const char *name);
/* A key or value, decoded; malloc'ed, with a NUL behind it.  NULL: it is none. */
char *etcd_bytes(const json_t *object, const char *name, size_t *ret_size);
/* The version in front of a node's value; *ret_data is what is behind it.  false: it is not ours.
 */
bool etcd_value(const char *value, size_t size, int64_t *ret_version, br_bytes *ret_data);

/* The `index`-th answer of a transaction, inside `name` ("response_range"); NULL: there is none. */
const json_t *etcd_response(const json_t *json, size_t index, const char *name);
/* The only key of a range's answer; NULL: none. */
const json_t *etcd_kv(const json_t *range);

/* "key":... and, where there is an end, "range_end":... */
void etcd_put_key(struct buf *buf, br_bytes key, br_bytes end);
/* Requests are written as text: `,` is put where something stands before.  A compare's `number` is
 * compared with create_revision, mod_revision or lease, as `target` says. */
void etcd_put_compare(struct buf *buf, const char *target, const char *result, br_bytes key,
                      br_bytes end, int64_t number);
void etcd_put_range(struct buf *buf, br_bytes key, br_bytes end, const char *more);
void etcd_put_put(struct buf *buf, const char *key, const char *head, br_bytes value, int64_t lease,
                  bool keep_lease);
void etcd_put_delete(struct buf *buf, const char *key);
void etcd_comma(struct buf *buf);
br_bytes etcd_text(const char *text);

bool etcd_hosts_read(struct etcd *etcd);

/* -- requests (etcd_http.c) */

/* Takes the body.  `done` is called exactly once, never from inside. */
void etcd_ask(struct etcd *etcd, enum etcd_lane lane, const char *what, struct buf *body,
              etcd_done *done, void *arg);
/* A transaction of these operations, which only reads; takes them. */
void etcd_ask_ranges(struct etcd *etcd, enum etcd_lane lane, struct buf *ranges, etcd_done *done,
                     void *arg);
/* All under way fail: those that were sent as BR_UNKNOWN. */
void etcd_http_reset(struct etcd *etcd, const char *why);

/* -- TLS (etcd_tls.c, or etcd_plain.c) */

struct bufferevent;

/* With each attempt to connect: the files may be new.  NULL, or what is wrong, until the next one.
 */
const char *etcd_tls_begin(struct etcd *etcd);
void etcd_tls_end(struct etcd *etcd);
/* To the present host, not connected yet; NULL: it cannot be made. */
struct bufferevent *etcd_tls_connection(struct etcd *etcd);
/* Why it failed, where that was TLS's fault, until the next one; else NULL. */
const char *etcd_tls_why(struct etcd *etcd, struct bufferevent *connection);

/* -- session (etcd_session.c) */

void etcd_connect(struct etcd *etcd);
/* Soon, once, from anywhere: what is under way fails, and the next host is tried. */
void etcd_go_down(struct etcd *etcd, const char *why);
void etcd_disconnect(struct etcd *etcd); /* for good */
/* Give back the lease, or try to for ETCD_PARTING; then etcd_parted. */
void etcd_part(struct etcd *etcd);
void etcd_session_key(const struct etcd *etcd, struct buf *ret_key);
/* The compare and the putting of our session's key, and its reading where the compare failed. */
void etcd_chain_compare(const struct etcd *etcd, struct buf *compares);
void etcd_chain_put(const struct etcd *etcd, struct buf *ops);
/* A transaction with both, and with these compares and operations (emptied).  The caller has the
 * write lane.  etcd_chained looks at its answer: 1 carried out, 0 a compare failed, -1 failed, and
 * *ret_status and *ret_why say how. */
void etcd_chain(struct etcd *etcd, struct buf *compares, struct buf *ops, etcd_done *done,
                void *arg);
int etcd_chained(struct etcd *etcd, const struct etcd_reply *reply, br_status *ret_status,
                 const char **ret_why);

void etcd_job_add(struct etcd *etcd, struct etcd_job *job);
void etcd_job_over(struct etcd *etcd, struct etcd_job *job);
void etcd_jobs_drop(struct etcd *etcd, br_status status, const char *why);

/* -- the plugin's face (store_etcd.c) */

void etcd_ready(struct etcd *etcd);
void etcd_refused(struct etcd *etcd, br_status status, const char *why); /* while starting */
void etcd_parted(struct etcd *etcd);                                     /* while stopping */
bool etcd_refuse_down(struct etcd *etcd, struct br_call *call);          /* true: it was answered */

/* -- the store's functions */

extern const struct br_store etcd_store;

void etcd_read(struct br_env *env, const char *const *paths, uint32_t count, struct br_call *call);
void etcd_list(struct br_env *env, const char *path, struct br_call *call);
void etcd_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                 struct br_call *call);
void etcd_lock(struct br_env *env, const char *path, const char *value, struct br_call *call);
void etcd_owner(struct br_env *env, const char *path, const char *last_seen, struct br_call *call);
void etcd_lost(struct br_env *env, const char *fence, struct br_call *call);
void etcd_unlock(struct br_env *env, const char *fence, struct br_call *call);
void etcd_cancel(struct br_env *env, struct br_call *call);
/* Twice those who stood, less those who still do, at one revision. */
void etcd_elections(struct br_env *env, const char *path, struct br_call *call);

/* The connection that has the least to do. */
enum etcd_lane etcd_read_lane(const struct etcd *etcd);

void etcd_lock_up(struct etcd *etcd);                      /* connected (again) */
void etcd_lock_expire(struct etcd *etcd, const char *why); /* the lease is gone, or may be */
void etcd_lock_stop(struct etcd *etcd);

#endif
