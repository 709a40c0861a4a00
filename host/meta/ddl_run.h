/* ddl_run -- one operation on a table, between the files of ddl: what is asked, what is written,
 * what is answered.  Loop thread only.
 *
 * An operation waits in its table's queue until those before it are over.  Its check runs when it
 * comes, so that what cannot be is refused at once, and again when its turn has come, because those
 * before it may have changed everything.
 */
#ifndef HOST_META_DDL_RUN_H
#define HOST_META_DDL_RUN_H

#include "host/meta/ddl.h"
#include "host/meta/routes.h"

#define DDL_FLIGHT_MAX 16 /* groups of one operation that are issued and not yet told */

#define DDL_ENVS_MAX 1024 /* environments of one request */

/* What the answers say where it is not an error: the operation is over, and well. */
#define DDL_OK "ERR_OK"

struct ddl_op;

struct ddl_kind {
    const char *name; /* for the log */

    /* The `err` that it is answered with at once; NULL: it goes on.  Sets op->id. */
    const char *(*check)(struct ddl_op *op);

    /* Its turn has come; the check is done. */
    void (*begin)(struct ddl_op *op);

    /* What ddl_write was to write is in the store and in memory. */
    void (*written)(struct ddl_op *op);

    /* A partition's change of the table is over; NULL: nobody waits for it. */
    void (*settled)(struct ddl_op *op);

    /* Fill and send the answer; NULL: nobody asked. */
    void (*answer)(struct ddl_op *op, const char *error);

    /* What becomes of a partition's record, whose ballot, members and so on are there already;
     * members has room for STATE_MEMBERS_MAX.  NULL: it stays as it is. */
    void (*turn)(struct partition *next, int32_t *members);

    br_write_kind write; /* BR_CREATE or BR_PUT, of all its records */
};

TAILQ_HEAD(ddl_ops, ddl_op);
TAILQ_HEAD(ddl_batches, ddl_batch);

struct ddl_op {
    TAILQ_ENTRY(ddl_op) link; /* in its table's queue */
    struct ddl *ddl;
    const struct ddl_kind *kind;
    int32_t id; /* of the table; -1: none yet */
    bool begun;

    struct rdsn_incoming *incoming; /* NULL: nobody asked, or it is answered */
    const struct rpc *rpc;
    enum wire_peer peer;
    struct arena arena;       /* of all that follows */
    const char *name;         /* the table that is asked for */
    const char *new_name;     /* that it shall have; NULL: its own */
    const char *hint;         /* of the answer; NULL: none */
    struct wire_pair *envs;   /* that are set */
    const char **keys;        /* that are deleted */
    const char *prefix;       /* of keys that are deleted; NULL: none is given */
    uint32_t env_count;       /* of envs or keys */
    int64_t number;           /* reserve_seconds, or a replica count */
    int64_t old;              /* the one before it */
    bool flag;                /* success_if_exist, success_if_not_exist, or what a flag shall be */
    bool stage;               /* of an operation with two */
    bool trusted;             /* the configuration's, not a client's: no limits of clients */
    struct br_table def;      /* what the table shall be */
    int32_t *only, only_size; /* the partitions that are written; NULL: all */

    bool with_table; /* the table's record is written, first */
    bool told;       /* the first group is in the store */
    int32_t next;    /* the next partition to be written */
    int32_t end;
    uint32_t flying;
    struct ddl_batches batches;
};

/* The root of the metadata: does it stand, so that tables can be created in it? */
enum ddl_root { DDL_ROOT_UNKNOWN = 0, DDL_ROOT_MAKING, DDL_ROOT_MADE };

struct ddl {
    struct meta *meta;
    enum ddl_root root;
    struct br_call *look; /* what of the root is there */
    struct write_group *making;
    struct timer *again; /* the root is looked at again */
    struct timer *soon;  /* repairs begin */
    bool defaults;       /* the configuration's tables were created, or need not be */
    bool resumed;        /* what a former leader left half done was taken up */
};

/* -- ddl.c ------------------------------------------------------------------------------------- */

/* An operation that `route` asked for, which it keeps (NULL: nobody). */
struct ddl_op *ddl_op_new(struct meta *meta, const struct ddl_kind *kind, struct route *route);

/* Check it and put it in its table's queue; it is answered, begun, or waits. */
void ddl_enter(struct ddl_op *op);

/* Put it in its table's queue without a check; it is begun with the next ddl_turn of the table. */
void ddl_wait(struct ddl_op *op);

/* One of this kind that waits and is not begun; NULL: none. */
struct ddl_op *ddl_waiting(const struct meta *meta, int32_t id, const struct ddl_kind *kind);

/* The first of the table's queue is checked and begins, unless it did. */
void ddl_turn(struct meta *meta, int32_t table);

/* It is over: answer it, free it, and begin the next one of the table. */
void ddl_end(struct ddl_op *op, const char *error);

/* Send an answer made with the RPC's response schema. */
void ddl_reply(struct ddl_op *op, const void *response);

/* Write the table's record as op->def says (where `with_table`) and then the partitions; kind
 * ->written follows. */
void ddl_write(struct ddl_op *op, bool with_table, bool with_partitions);

/* The table of the operation: its index; its definition. */
int32_t ddl_table(const struct ddl_op *op);
const struct br_table *ddl_def(const struct ddl_op *op);

/* Set its status in memory; the rest of it too. */
void ddl_set_status(struct ddl_op *op, int32_t status);
void ddl_set_def(struct ddl_op *op);

/* A table of this name that is not dropped; NULL: none. */
const struct table *ddl_named(const struct meta *meta, const char *name);

/* Is the name a table's, or about to become one's? */
bool ddl_taken(const struct meta *meta, const char *name);

/* Would the record be read again, here and by Apache Pegasus, and does it fit into the store? */
bool ddl_storable(const struct ddl_op *op, const struct br_table *def);

/* The usual check of an operation on a table that exists: finds it by op->name.  `busy`: other
 * operations under way refuse it. */
const char *ddl_check_named(struct ddl_op *op, bool busy);

uint32_t ddl_alive(const struct meta *meta);

/* The answer that is an error and perhaps a hint. */
void ddl_answer_hint(struct ddl_op *op, const char *error);

/* -- ddl_create.c ------------------------------------------------------------------------------ */

/* Create what the configuration names; what is refused is logged. */
void ddl_default_tables(struct ddl *ddl);

/* What is under way for the root goes unheard. */
void ddl_root_forget(struct ddl *ddl);

/* NULL: as many replicas are allowed and possible; else why not, in the arena. */
const char *ddl_replicas_wrong(struct arena *arena, const struct meta *meta, int64_t count);

/* -- ddl_alter.c ------------------------------------------------------------------------------- */

/* One write, and it is done: op->def takes the table's place. */
void ddl_alter_begin(struct ddl_op *op);
void ddl_alter_written(struct ddl_op *op);

#define DDL_ALTER_KIND(title)                                                                      \
    .name = title, .begin = ddl_alter_begin, .written = ddl_alter_written, .write = BR_PUT

/* A text as the operation's own; the buf is done. */
const char *ddl_text(struct ddl_op *op, struct buf *text);

/* op->def is the table as it is, its environments with room for `more`: these are returned. */
const char **ddl_envs_copy(struct ddl_op *op, uint32_t more);

/* The key's index; env_count: it is not there. */
uint32_t ddl_envs_place(const struct br_table *def, const char *key);
void ddl_envs_put(struct br_table *def, const char **envs, const char *key, const char *value);
void ddl_envs_remove(struct br_table *def, const char **envs, uint32_t at);

/* -- ddl_count.c ------------------------------------------------------------------------------- */

/* What a former leader left half done: replica counts. */
void ddl_resume(struct ddl *ddl);

/* -- ddl_env.c --------------------------------------------------------------------------------- */

/* May it be set so?  NULL: yes; else why not, in the arena
 * (src/meta/app_env_validator.cpp: validate_app_env). */
const char *ddl_env_wrong(struct arena *arena, const char *key, const char *value);

/* The same of a new table's, whose keys may be anything (validate_app_envs).  `version`: of the
 * servers. */
const char *ddl_create_env_wrong(struct arena *arena, const char *key, const char *value,
                                 enum layout_version version);

#endif
