/* table_client_run -- what table_client.c (operations and their attempts), table_client_call.c
 * (what is sent and what comes back) and table_client_config.c (where the primaries are) share.  An
 * operation is in `operations` always, and in `waiting` while it waits for a primary.
 */
#ifndef HOST_RDSN_TABLE_CLIENT_RUN_H
#define HOST_RDSN_TABLE_CLIENT_RUN_H

#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "host/base/arena.h"
#include "host/base/number.h"
#include "host/rdsn/codec.h"
#include "host/rdsn/table_client.h"

/* What tells the operations apart. */
struct operation_kind {
    const char *rpc;
    const struct wire_schema *request; /* NULL: the key alone, or the hash key */
    const struct wire_schema *response;
    bool write;
    bool whole;       /* the key with its sort key */
    bool hash_needed; /* an empty hash key is refused */
    int32_t also;     /* of the storage's codes, beside 0, one that is an answer; 0: none */
    br_status as;     /* what it is told as */
};

/* What of an answer there is to tell. */
struct answer {
    struct arena arena;
    void *response;
    int32_t storage, app_id, partition;
    int64_t decree;
    br_bytes value;
};

br_status answer_decode(const struct operation_kind *kind, br_bytes body, struct answer *ret,
                        struct fail *ret_fail);

enum operation_state {
    OPERATION_WAITING = 1, /* for a primary; the timer is its deadline */
    OPERATION_SENT,        /* the connection's request has the deadline */
    OPERATION_PAUSED,      /* between attempts; the timer ends the pause */
    OPERATION_REFUSED,     /* before it began; told in the next turn */
};

struct operation {
    TAILQ_ENTRY(operation) all, link;
    struct table_client *table;
    const struct operation_kind *kind;
    enum operation_state state;
    struct event timer;
    struct buf body;
    uint64_t hash;
    br_time started, deadline;
    table_client_done *done;
    void *arg;

    /* Of the last attempt. */
    uint32_t attempts;
    uint32_t epoch, version; /* what was believed when it was sent */
    int32_t app_id, partition;
    char server[NODE_NAME_MAX + 1];
    bool unanswered;  /* any attempt */
    struct fail last; /* why it failed */
};

TAILQ_HEAD(operation_list, operation);

/* What is known of a partition. */
struct cell {
    char *primary;    /* NULL: none, or not known */
    int64_t ballot;   /* below 0: a split's child, not ready */
    br_time asked;    /* when an answer about it last came; 0: not since it was forgotten */
    uint32_t version; /* changes with `primary` */
    uint32_t round;   /* the question that it is part of */
    bool known;
};

struct table_client {
    struct event_base *base;
    struct rdsn_client *client;
    char *name;
    char *metas[TABLE_CLIENT_METAS_MAX];
    uint32_t meta_count, attempts_max;
    br_time query_timeout, requery;
    struct operation_list operations, waiting;
    uint32_t count;
    uint32_t busy; /* callbacks under way */
    bool closed;

    struct cell *cells;
    int32_t cell_count; /* 0: not known */
    int32_t app_id;
    uint32_t epoch; /* changes with `cells` */

    /* The question. */
    bool asking;  /* under way */
    bool for_all; /* it is about every partition */
    bool ask_all; /* the next one shall be */
    bool by_leader;
    uint32_t round, first, tried, hops;
    uint64_t questions;
    br_time not_before; /* after all meta servers failed */
    struct event ask;   /* begins the next one, at ask_due */
    br_time ask_due;
    struct buf question;
    char leader[NODE_NAME_MAX + 1]; /* "": not known */
    struct fail last;               /* why the last one brought nothing */
};

/* The cell that a hash belongs to now, a split's parent where the child is not ready; NULL: not
 * known. */
struct cell *config_find(const struct table_client *table, uint64_t hash, int32_t *ret_partition);

/* A new operation, its body empty; then send it, unless its key or body is refused. */
struct operation *operation_new(struct table_client *table, const struct operation_kind *kind,
                                const struct table_call *call);
void operation_begin(struct operation *operation);

/* Somebody waits for this hash's primary: see that it is asked for. */
void config_want(struct table_client *table, uint64_t hash);

/* An attempt failed with this error: what it relied on is forgotten. */
void config_failed(struct table_client *table, const struct operation *operation,
                   const char *error);

/* Forget all cells, and have `count` empty ones. */
void config_reset(struct table_client *table, int32_t count);

void config_on_ask(evutil_socket_t fd, short what, void *arg);

/* A primary may be known now: send what waits for one, and come back with what still waits.  With
 * an error: all that wait have failed for good. */
void operations_wake(struct table_client *table, const char *error);

void table_client_enter(struct table_client *table);
void table_client_leave(struct table_client *table);

#endif
