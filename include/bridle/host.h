/* bridle/host.h -- what the host does for a plugin.
 *
 * Ownership, in one sentence: everything you were given lives until you reply, and everything you
 * reply with is copied before the reply returns, but for rows, which already lie in the host's
 * memory (br_rows).
 *
 * Threads, in one sentence: the host calls you only on its loop thread, one call at a time; you
 * may call br_rows, br_reply_*, br_log and br_post from any thread, and the rest only from the
 * loop thread.
 *
 * A plugin links against nothing of bridle's host: the functions below are inline and go through
 * a table that the host hands over in env->host.
 */
#ifndef BRIDLE_HOST_H
#define BRIDLE_HOST_H

#include <stdarg.h>
#include <string.h>

#include <bridle/types.h>

struct br_timer;    /* opaque */
struct br_findings; /* opaque: where a policy puts what the operator must know */
struct event_base;  /* libevent's; only ever a pointer here */

/* One loaded and configured plugin.  Owned by the host. */
struct br_env {
    const struct br_host *host;
    const char *instance;    /* "store", "transport", "policy": its place in the file */
    void *self;              /* your state: state_size bytes, options filled, the rest zero */
    struct event_base *loop; /* NULL under simulation; see BR_NEEDS_LOOP */
};

/* One operation in flight.  Reply to it exactly once, now or later. */
struct br_call {
    struct br_env *env;
    uint64_t id;      /* the same in every log line about this call */
    br_time deadline; /* on br_now's clock, 0: none; the host enforces it, you may use it too */
    void *user;       /* yours, until you reply */
};

/* Rows of one kind, all of one size.  A reply hands over a list of chunks; both the chunk and its
 * rows, and every string that a row points to, come from br_rows of the same call (or are string
 * literals of the plugin).  row_size is sizeof the row as the plugin knows it: the host reads
 * what both know. */
struct br_chunk {
    const struct br_chunk *next; /* NULL: the last */
    int32_t kind;                /* BR_ROW_NAME ... */
    uint32_t row_size;
    uint32_t count;
    uint32_t reserved; /* 0 */
    const void *rows;
};

enum {
    BR_ROW_NAME = 1,    /* const char * */
    BR_ROW_VALUE = 2,   /* struct br_value */
    BR_ROW_TABLE = 3,   /* struct br_table */
    BR_ROW_REPLICA = 4, /* struct br_replica */
};

/* One answer of a store's read: in the order asked. */
struct br_value {
    br_status status; /* BR_OK or BR_NOTFOUND */
    uint32_t reserved;
    int64_t version;
    br_bytes value;
};

typedef void br_fn(struct br_env *env, void *arg);

typedef int32_t br_level;
enum { BR_ERROR = 0, BR_WARN = 1, BR_INFO = 2, BR_DEBUG = 3 };

/* How bad a finding is.  A note is for the log; a warning is told to the operator; a loss stops the
 * recovery unless its consent was given; a refusal stops it always.  A note that names a consent is
 * a loss that an option of the policy allows: the host counts it as found. */
typedef int32_t br_severity;
enum { BR_NOTE = 0, BR_WARNING = 1, BR_LOSS = 2, BR_REFUSAL = 3 };

/* What a finding is about: set what applies, -1 elsewhere.  `consent` is the name of the consent
 * that a loss needs ("skip_lost_partitions"), NULL elsewhere; `consented` is the sentence to show
 * once it was given (NULL: the same sentence; "": none). */
struct br_subject {
    int32_t node;
    int32_t table;
    int32_t partition;
    int32_t severity; /* br_severity */
    const char *consent;
    const char *consented;
};

/* Grows only at its end; a plugin never reads past the minor version it was built for, and the
 * loader refuses a plugin newer than the host. */
struct br_host {
    uint32_t size;
    uint16_t abi_major;
    uint16_t abi_minor;
    const char *version;
    void *(*rows)(struct br_call *, size_t bytes);
    void (*reply)(struct br_call *, br_bytes value, int64_t version);
    void (*reply_rows)(struct br_call *, const struct br_chunk *first);
    void (*replyf)(struct br_call *, br_status, const char *code, const char *, va_list);
    br_status (*failf)(struct br_env *, br_status, const char *, va_list);
    void (*logf)(struct br_env *, br_level, const char *, va_list);
    void (*findf)(struct br_findings *, const struct br_subject *, const char *, va_list);
    void (*post)(struct br_env *, br_fn *, void *arg);
    struct br_timer *(*after)(struct br_env *, br_time, br_fn *, void *arg);
    void (*disarm)(struct br_env *, struct br_timer *);
    br_time (*now)(const struct br_env *);
    uint64_t (*random)(struct br_env *);
};

#if defined(__GNUC__)
#define BR_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define BR_PRINTF(f, a)
#endif

/* -- Any thread ------------------------------------------------------------------------------
 * What is said about one call (br_rows, br_reply_*) comes from one thread at a time; br_log and
 * br_post may come from several at once. */

/* Host memory that lives as long as the call's answer, 8-byte aligned, not zeroed.  Never NULL
 * and never freed by the plugin.  bytes may be 0. */
static inline void *br_rows(struct br_call *call, size_t bytes)
{
    return call->env->host->rows(call, bytes);
}

/* Done, with nothing to say. */
static inline void br_reply_ok(struct br_call *call)
{
    call->env->host->reply(call, (br_bytes){ NULL, 0 }, 0);
}

/* Done, with a value (copied) and the version that a later BR_CHECK may name. */
static inline void br_reply_value(struct br_call *call, br_bytes value, int64_t version)
{
    call->env->host->reply(call, value, version);
}

/* Done, with rows: `first` and everything it leads to came from br_rows(call).  NULL: none. */
static inline void br_reply_rows(struct br_call *call, const struct br_chunk *first)
{
    call->env->host->reply_rows(call, first);
}

/* The same, where all rows lie in one array of br_rows(call). */
static inline void br_reply_array(struct br_call *call, int32_t kind, const void *rows,
                                  uint32_t row_size, uint32_t count)
{
    struct br_chunk *chunk = br_rows(call, sizeof *chunk);
    *chunk = (struct br_chunk){ .kind = kind, .row_size = row_size, .count = count, .rows = rows };
    br_reply_rows(call, chunk);
}

/* A copy for a row to point to, in memory of br_rows(call). */
static inline void *br_copy(struct br_call *call, const void *data, size_t size)
{
    void *copy = br_rows(call, size);
    return size ? memcpy(copy, data, size) : copy;
}

/* Failed.  Say what, of whom and why in one sentence; the host adds who and when.  A status that is
 * none of types.h counts as BR_UNKNOWN for a write and BR_INTERNAL for a read; a read's failure
 * never counts as having happened. */
BR_PRINTF(3, 4)
static inline void br_reply_fail(struct br_call *call, br_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    call->env->host->replyf(call, status, NULL, format, args);
    va_end(args);
}

/* Failed, and the other side has its own name for it ("ERR_BUSY"), which the operator knows. */
BR_PRINTF(4, 5)
static inline void br_reply_fail_as(struct br_call *call, br_status status, const char *code,
                                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    call->env->host->replyf(call, status, code, format, args);
    va_end(args);
}

BR_PRINTF(3, 4)
static inline void br_log(struct br_env *env, br_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    env->host->logf(env, level, format, args);
    va_end(args);
}

/* Run fn(env, arg) on the loop thread, soon, in the order posted. */
static inline void br_post(struct br_env *env, br_fn *fn, void *arg)
{
    env->host->post(env, fn, arg);
}

/* -- Loop thread only ------------------------------------------------------------------------ */

/* For open(): return br_fail(env, BR_INVALID, "hosts: %s", why); */
BR_PRINTF(3, 4)
static inline br_status br_fail(struct br_env *env, br_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    status = env->host->failf(env, status, format, args);
    va_end(args);
    return status;
}

/* For policies: one finding, one line, no newline at its end.  Longer than BR_FINDING_TEXT_MAX is
 * cut.  The subject and its strings are copied. */
BR_PRINTF(4, 5)
static inline void br_find(struct br_env *env, struct br_findings *findings,
                           const struct br_subject *subject, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    env->host->findf(findings, subject, format, args);
    va_end(args);
}

/* A timer fires once, then it is gone.  Those still armed are disarmed before close(). */
static inline struct br_timer *br_after(struct br_env *env, br_time delay, br_fn *fn, void *arg)
{
    return env->host->after(env, delay, fn, arg);
}

static inline void br_disarm(struct br_env *env, struct br_timer *timer)
{
    env->host->disarm(env, timer);
}

static inline br_time br_now(const struct br_env *env)
{
    return env->host->now(env);
}

static inline uint64_t br_random(struct br_env *env)
{
    return env->host->random(env);
}

#endif
