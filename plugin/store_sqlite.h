/* store_sqlite -- what its files share.
 *
 * The loop thread only queues jobs (store_sqlite.c); one worker thread owns the database and the
 * lock file, carries the jobs out in the order queued and replies.  So nothing here but the queue
 * needs a mutex, and nothing on the loop thread blocks.
 */
#ifndef PLUGIN_STORE_SQLITE_H
#define PLUGIN_STORE_SQLITE_H

#include <pthread.h>
#include <sqlite3.h>

#include <bridle/plugin.h>

#define STORE_BATCH_OPS_MAX   4096
#define STORE_BATCH_BYTES_MAX (4 << 20)
#define STORE_GROUP_MAX       64 /* commits that share one transaction, hence one sync */
#define STORE_TEXT_MAX        768

/* What went wrong, as it will be replied. */
struct sqlite_wrong {
    br_status status;
    const char *code; /* SQLite's own name, or NULL */
    char text[STORE_TEXT_MAX];
};

enum sqlite_kind {
    JOB_START = 1,
    JOB_READ,
    JOB_LIST,
    JOB_COMMIT,
    JOB_LOCK,
    JOB_OWNER,
    JOB_LOST,
    JOB_UNLOCK,
    JOB_ELECTIONS,
    JOB_CANCEL, /* the waiting call of this id */
    JOB_POLL,
    JOB_STOP,
};

/* What the call was given lives until the reply, so nothing is copied. */
struct sqlite_job {
    struct sqlite_job *next;
    enum sqlite_kind kind;
    uint32_t count;
    struct br_call *call; /* NULL: CANCEL, POLL, a STOP by close */
    uint64_t id;
    const char *const *paths;             /* READ */
    const struct br_write *const *writes; /* COMMIT */
    const char *path;          /* LIST, LOCK, OWNER, ELECTIONS; the fence of LOST, UNLOCK */
    const char *text;          /* LOCK: value; OWNER: last seen */
    struct sqlite_wrong wrong; /* COMMIT: its own failure */
};

enum {
    SQL_GET = 0,
    SQL_STAT,
    SQL_CHILDREN,
    SQL_CREATE,
    SQL_PUT,
    SQL_REMOVE,
    SQL_NUMBER_UP,
    SQL_NUMBER,
    SQL_FENCE,
    SQL_FENCE_CLEAR,
    SQL_BEGIN,
    SQL_BEGIN_WRITE,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_MARK,
    SQL_MARK_KEEP,
    SQL_MARK_BACK,
    SQL_STATEMENTS,
};

/* A path as the table knows it; points into the path. */
struct sqlite_key {
    const char *parent, *name;
    int parent_size, name_size;
};

struct sqlite_seat;

struct sqlite {
    const char *file; /* options */
    int32_t synchronous;
    br_time busy_timeout;
    br_time lock_poll;

    pthread_t thread; /* loop thread */
    bool running;
    bool stopping;
    struct br_timer *poll;

    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct sqlite_job *first, **last;

    struct br_env *env; /* from here on: the worker's own */
    sqlite3 *db;        /* NULL: not open */
    sqlite3_stmt *statements[SQL_STATEMENTS];
    int rc;                   /* the first hard error since sqlite_clear */
    struct sqlite_key parent; /* known to be there and no fence, in the batch at hand */
    struct sqlite_seat *seats;
    char *lock_file;
    int lock_fd;
};

/* -- The database (store_sqlite_db.c) --------------------------------------------------------- */

bool sqlite_db_open(struct sqlite *sqlite, struct sqlite_wrong *ret_wrong);
void sqlite_db_close(struct sqlite *sqlite);

/* What sqlite->rc means; `doing` what failed ("commit"). */
void sqlite_explain(struct sqlite *sqlite, const char *doing, struct sqlite_wrong *ret_wrong);
void sqlite_reply_wrong(struct br_call *call, const struct sqlite_wrong *wrong);

struct sqlite_key sqlite_split(const char *path, size_t size);

/* The statement with the key as ?1 and ?2 (NULL: none of them). */
sqlite3_stmt *sqlite_statement(struct sqlite *sqlite, int which, const struct sqlite_key *key);
void sqlite_bind_bytes(sqlite3_stmt *statement, int index, br_bytes value);

/* SQLITE_ROW or SQLITE_DONE; else the error, which is kept in sqlite->rc. */
int sqlite_step(struct sqlite *sqlite, sqlite3_stmt *statement);

/* A statement without result; false: a hard error. */
bool sqlite_do(struct sqlite *sqlite, int which, const struct sqlite_key *key);

/* BR_OK or BR_NOTFOUND; a hard error is in sqlite->rc. */
br_status sqlite_stat(struct sqlite *sqlite, const struct sqlite_key *key, int64_t *ret_version,
                      bool *ret_fence);

void sqlite_clear(struct sqlite *sqlite);
void sqlite_back_out(struct sqlite *sqlite); /* ends a transaction that is still open */

/* -- Reading (store_sqlite_read.c), writing (store_sqlite_commit.c) --------------------------- */

void sqlite_do_read(struct sqlite *sqlite, struct sqlite_job *job);
void sqlite_do_list(struct sqlite *sqlite, struct sqlite_job *job);

/* All of the list, in one transaction; true: a fence may be gone. */
bool sqlite_do_commits(struct sqlite *sqlite, struct sqlite_job *first);

/* -- Locks (store_sqlite_lock.c) -------------------------------------------------------------- */

void sqlite_do_lock(struct sqlite *sqlite, struct sqlite_job *job);
void sqlite_do_owner(struct sqlite *sqlite, struct sqlite_job *job);
void sqlite_do_lost(struct sqlite *sqlite, struct sqlite_job *job);
void sqlite_do_unlock(struct sqlite *sqlite, struct sqlite_job *job);
void sqlite_do_elections(struct sqlite *sqlite, struct sqlite_job *job);
void sqlite_do_cancel(struct sqlite *sqlite, uint64_t id);

/* Look at everything that somebody waits for; true: somebody still does. */
bool sqlite_do_poll(struct sqlite *sqlite);

/* Give back every lock, reply to everybody who waits. */
void sqlite_lock_stop(struct sqlite *sqlite);

#endif
