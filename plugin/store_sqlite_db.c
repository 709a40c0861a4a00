/* store_sqlite_db -- the database of store_sqlite: opening it (or refusing what is not ours), its
 * statements, and what SQLite's errors mean to the host.
 *
 * A node's key is its parent's path and its name, so that children lie side by side: a list is one
 * range, "has children" one look, and partitions of a table are written in the table's order.
 * application_id says that the file is ours, user_version which schema it has.
 */
#include "plugin/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/mem.h"

#define STORE_APPLICATION 0x6272646c /* "brdl" */
#define STORE_SCHEMA      1

static const char sqlite_schema[] =
    "CREATE TABLE node (parent TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,"
    " fence INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (parent, name)) WITHOUT ROWID;"
    "CREATE TABLE lock (path TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO node VALUES ('', '', 0, 0, x'');";

static const char *const sqlite_texts[SQL_STATEMENTS] = {
    [SQL_GET] = "SELECT version, value FROM node WHERE parent = ?1 AND name = ?2",
    [SQL_STAT] = "SELECT version, fence FROM node WHERE parent = ?1 AND name = ?2",
    [SQL_CHILDREN] = "SELECT name FROM node WHERE parent = ?1",
    [SQL_CREATE] = "INSERT INTO node VALUES (?1, ?2, 0, ?3, ?4)",
    [SQL_PUT] = "UPDATE node SET value = ?4, version = version + 1"
                " WHERE parent = ?1 AND name = ?2 AND (?3 = -1 OR version = ?3)",
    [SQL_REMOVE] = "DELETE FROM node"
                   " WHERE parent = ?1 AND name = ?2 AND (?3 = -1 OR version = ?3)"
                   " AND NOT EXISTS (SELECT 1 FROM node WHERE parent = ?4)",
    [SQL_NUMBER_UP] = "INSERT INTO lock VALUES (?1, 1)"
                      " ON CONFLICT (path) DO UPDATE SET next = next + 1",
    [SQL_NUMBER] = "SELECT next - 1 FROM lock WHERE path = ?1",
    [SQL_FENCE] = "SELECT value FROM node WHERE parent = ?1 AND fence = 1"
                  " ORDER BY name DESC LIMIT 1",
    [SQL_FENCE_CLEAR] = "DELETE FROM node WHERE parent = ?1 AND fence = 1",
    [SQL_BEGIN] = "BEGIN",
    [SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_MARK] = "SAVEPOINT batch",
    [SQL_MARK_KEEP] = "RELEASE batch",
    [SQL_MARK_BACK] = "ROLLBACK TO batch",
};

/* -- Errors ----------------------------------------------------------------------------------- */

static const struct {
    int rc;
    br_status status;
    const char *code;
    const char *advice;
} sqlite_errors[] = {
    { SQLITE_BUSY, BR_UNAVAILABLE, "SQLITE_BUSY", "another process keeps it locked" },
    { SQLITE_LOCKED, BR_UNAVAILABLE, "SQLITE_LOCKED", "another process keeps it locked" },
    { SQLITE_PROTOCOL, BR_UNAVAILABLE, "SQLITE_PROTOCOL", "other processes keep it locked" },
    { SQLITE_FULL, BR_REFUSED, "SQLITE_FULL", "make room on its disk" },
    { SQLITE_IOERR, BR_REFUSED, "SQLITE_IOERR", "see the kernel's log about its disk" },
    { SQLITE_CORRUPT, BR_CORRUPT, "SQLITE_CORRUPT", "restore it, or recover into a new file" },
    { SQLITE_NOTADB, BR_CORRUPT, "SQLITE_NOTADB", "name another file" },
    { SQLITE_READONLY, BR_DENIED, "SQLITE_READONLY",
      "let this user write the file and its folder" },
    { SQLITE_PERM, BR_DENIED, "SQLITE_PERM", "let this user write the file and its folder" },
    { SQLITE_AUTH, BR_DENIED, "SQLITE_AUTH", "let this user write the file and its folder" },
    { SQLITE_CANTOPEN, BR_UNAVAILABLE, "SQLITE_CANTOPEN", "look at the file and its folder" },
    { SQLITE_TOOBIG, BR_TOOBIG, "SQLITE_TOOBIG", "the value is too large" },
    { SQLITE_NOMEM, BR_NOMEM, "SQLITE_NOMEM", "there is no memory" },
};

void sqlite_explain(struct sqlite *sqlite, const char *doing, struct sqlite_wrong *ret_wrong)
{
    const char *advice = "this is a bug";
    ret_wrong->status = BR_INTERNAL;
    ret_wrong->code = NULL;
    for (size_t i = 0; i < sizeof sqlite_errors / sizeof *sqlite_errors; i++) {
        if (sqlite_errors[i].rc != (sqlite->rc & 0xff))
            continue;
        ret_wrong->status = sqlite_errors[i].status;
        ret_wrong->code = sqlite_errors[i].code;
        advice = sqlite_errors[i].advice;
    }
    snprintf(ret_wrong->text, sizeof ret_wrong->text, "%.400s: %s: %s (error %d): %s", sqlite->file,
             doing, sqlite3_errstr(sqlite->rc), sqlite->rc, advice);
}

void sqlite_reply_wrong(struct br_call *call, const struct sqlite_wrong *wrong)
{
    if (wrong->code)
        br_reply_fail_as(call, wrong->status, wrong->code, "%s", wrong->text);
    else
        br_reply_fail(call, wrong->status, "%s", wrong->text);
}

/* -- Statements ------------------------------------------------------------------------------- */

struct sqlite_key sqlite_split(const char *path, size_t size)
{
    if (size == 1)
        return (struct sqlite_key){ .parent = "", .name = "" };
    const char *slash = memrchr(path, '/', size);
    const size_t parent = (size_t) (slash - path);
    return (struct sqlite_key){ .parent = path,
                                .parent_size = parent ? (int) parent : 1,
                                .name = slash + 1,
                                .name_size = (int) (size - parent - 1) };
}

sqlite3_stmt *sqlite_statement(struct sqlite *sqlite, int which, const struct sqlite_key *key)
{
    sqlite3_stmt *statement = sqlite->statements[which];
    if (key) {
        sqlite3_bind_text(statement, 1, key->parent, key->parent_size, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, key->name, key->name_size, SQLITE_STATIC);
    }
    return statement;
}

void sqlite_bind_bytes(sqlite3_stmt *statement, int index, br_bytes value)
{
    if (value.size) /* a NULL pointer would make it NULL */
        sqlite3_bind_blob64(statement, index, value.data, value.size, SQLITE_STATIC);
    else
        sqlite3_bind_zeroblob(statement, index, 0);
}

int sqlite_step(struct sqlite *sqlite, sqlite3_stmt *statement)
{
    const int rc = sqlite3_step(statement);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE && !sqlite->rc)
        sqlite->rc = sqlite3_extended_errcode(sqlite->db);
    return rc;
}

bool sqlite_do(struct sqlite *sqlite, int which, const struct sqlite_key *key)
{
    sqlite3_stmt *statement = sqlite_statement(sqlite, which, key);
    const int rc = sqlite_step(sqlite, statement);
    sqlite3_reset(statement);
    return rc == SQLITE_DONE;
}

br_status sqlite_stat(struct sqlite *sqlite, const struct sqlite_key *key, int64_t *ret_version,
                      bool *ret_fence)
{
    sqlite3_stmt *statement = sqlite_statement(sqlite, SQL_STAT, key);
    const int rc = sqlite_step(sqlite, statement);
    if (rc == SQLITE_ROW) {
        *ret_version = sqlite3_column_int64(statement, 0);
        *ret_fence = sqlite3_column_int(statement, 1) != 0;
    }
    sqlite3_reset(statement);
    return rc == SQLITE_ROW ? BR_OK : BR_NOTFOUND;
}

void sqlite_clear(struct sqlite *sqlite)
{
    sqlite->rc = SQLITE_OK;
    sqlite->parent = (struct sqlite_key){ 0 };
}

/* SQLite ends some transactions itself (disk full, I/O error). */
void sqlite_back_out(struct sqlite *sqlite)
{
    if (!sqlite3_get_autocommit(sqlite->db)) {
        sqlite3_step(sqlite->statements[SQL_ROLLBACK]);
        sqlite3_reset(sqlite->statements[SQL_ROLLBACK]);
    }
}

/* -- Opening ---------------------------------------------------------------------------------- */

static bool sqlite_wrong(struct sqlite_wrong *wrong, br_status status, const char *file,
                         const char *why)
{
    *wrong = (struct sqlite_wrong){ .status = status };
    snprintf(wrong->text, sizeof wrong->text, "%.400s: %s", file, why);
    return false;
}

static bool sqlite_exec(struct sqlite *sqlite, const char *sql, const char *doing,
                        struct sqlite_wrong *ret_wrong)
{
    sqlite->rc = sqlite3_exec(sqlite->db, sql, NULL, NULL, NULL);
    if (sqlite->rc)
        sqlite_explain(sqlite, doing, ret_wrong);
    return sqlite->rc == SQLITE_OK;
}

/* The first column of the first row. */
static bool sqlite_ask(struct sqlite *sqlite, const char *sql, int64_t *ret_value,
                       struct sqlite_wrong *ret_wrong)
{
    sqlite3_stmt *statement = NULL;
    sqlite->rc = sqlite3_prepare_v2(sqlite->db, sql, -1, &statement, NULL);
    if (!sqlite->rc && sqlite_step(sqlite, statement) == SQLITE_ROW)
        *ret_value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    if (sqlite->rc)
        sqlite_explain(sqlite, "opening", ret_wrong);
    return sqlite->rc == SQLITE_OK;
}

static bool sqlite_cannot_open(struct sqlite *sqlite, struct sqlite_wrong *ret_wrong)
{
    const int error = sqlite->db ? sqlite3_system_errno(sqlite->db) : ENOMEM;
    char why[128];
    if (error == ENOENT)
        return sqlite_wrong(ret_wrong, BR_NOTFOUND, sqlite->file,
                            "its directory is not there: make it, or name another file");
    if (error == EISDIR)
        return sqlite_wrong(ret_wrong, BR_INVALID, sqlite->file, "is a directory: name a file");
    snprintf(why, sizeof why, "cannot be opened: %s", strerror(error));
    return sqlite_wrong(
        ret_wrong, error == EACCES || error == EPERM || error == EROFS ? BR_DENIED : BR_INVALID,
        sqlite->file, why);
}

/* Whose file it is.  *ret_fresh: nobody's yet. */
static bool sqlite_identify(struct sqlite *sqlite, bool *ret_fresh, struct sqlite_wrong *ret_wrong)
{
    int64_t application = 0, schema = 0, tables = 0;
    char why[256];
    if (!sqlite_ask(sqlite, "PRAGMA application_id", &application, ret_wrong)
        || !sqlite_ask(sqlite, "PRAGMA user_version", &schema, ret_wrong)
        || !sqlite_ask(sqlite, "SELECT count(*) FROM sqlite_master", &tables, ret_wrong))
        return false;
    *ret_fresh = application == 0 && schema == 0 && tables == 0;
    if (*ret_fresh)
        return true;
    if (application != STORE_APPLICATION) {
        snprintf(why, sizeof why,
                 "is a database of another program (%lld tables, application id %lld): name "
                 "another file",
                 (long long) tables, (long long) application);
        return sqlite_wrong(ret_wrong, BR_INVALID, sqlite->file, why);
    }
    if (schema > STORE_SCHEMA) {
        snprintf(why, sizeof why, "has schema %lld, this plugin knows up to %d: use a newer bridle",
                 (long long) schema, STORE_SCHEMA);
        return sqlite_wrong(ret_wrong, BR_UNSUPPORTED, sqlite->file, why);
    }
    return true;
}

/* In one snapshot: another process may be making the file just now. */
static bool sqlite_look(struct sqlite *sqlite, bool *ret_fresh, struct sqlite_wrong *ret_wrong)
{
    bool ok = sqlite_exec(sqlite, "BEGIN", "opening", ret_wrong)
              && sqlite_identify(sqlite, ret_fresh, ret_wrong);
    sqlite3_exec(sqlite->db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

/* Two processes may make the same file at once: who comes second finds it made. */
static bool sqlite_make(struct sqlite *sqlite, struct sqlite_wrong *ret_wrong)
{
    char marks[128];
    bool fresh;
    snprintf(marks, sizeof marks, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             STORE_APPLICATION, STORE_SCHEMA);
    if (!sqlite_exec(sqlite, "BEGIN IMMEDIATE", "making the tables", ret_wrong)
        || !sqlite_identify(sqlite, &fresh, ret_wrong)
        || (fresh && !sqlite_exec(sqlite, sqlite_schema, "making the tables", ret_wrong))
        || (fresh && !sqlite_exec(sqlite, marks, "making the tables", ret_wrong))
        || !sqlite_exec(sqlite, "COMMIT", "making the tables", ret_wrong)) {
        sqlite3_exec(sqlite->db, "ROLLBACK", NULL, NULL, NULL);
        return false;
    }
    return true;
}

static int sqlite_ask_wal(struct sqlite *sqlite, bool *ret_wal)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(sqlite->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
    if (!rc && sqlite3_step(statement) == SQLITE_ROW)
        *ret_wal = strcmp((const char *) sqlite3_column_text(statement, 0), "wal") == 0;
    const int end = sqlite3_finalize(statement);
    return rc ? rc : end;
}

/* SQLite does not always wait for others while it changes the mode. */
static bool sqlite_use_wal(struct sqlite *sqlite, struct sqlite_wrong *ret_wrong)
{
    static const char *const levels[] = { "PRAGMA synchronous = FULL",
                                          "PRAGMA synchronous = NORMAL",
                                          "PRAGMA synchronous = OFF" };
    const int tries = (int) (sqlite->busy_timeout / (10 * BR_MILLISECOND)) + 1;
    bool wal = false;
    for (int i = 0; i < tries; i++) {
        sqlite->rc = sqlite_ask_wal(sqlite, &wal);
        if ((sqlite->rc & 0xff) != SQLITE_BUSY)
            break;
        sqlite3_sleep(10);
    }
    if (sqlite->rc) {
        sqlite_explain(sqlite, "switching to write-ahead logging", ret_wrong);
        return false;
    }
    if (!wal)
        return sqlite_wrong(ret_wrong, BR_UNSUPPORTED, sqlite->file,
                            "its file system cannot do write-ahead logging: use a local disk");
    return sqlite_exec(sqlite, levels[sqlite->synchronous], "opening", ret_wrong);
}

static bool sqlite_prepare(struct sqlite *sqlite, struct sqlite_wrong *ret_wrong)
{
    for (int i = 0; i < SQL_STATEMENTS; i++) {
        sqlite->rc = sqlite3_prepare_v3(sqlite->db, sqlite_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                        &sqlite->statements[i], NULL);
        if (sqlite->rc == SQLITE_ERROR)
            return sqlite_wrong(ret_wrong, BR_CORRUPT, sqlite->file, sqlite3_errmsg(sqlite->db));
        if (sqlite->rc) {
            sqlite_explain(sqlite, "opening", ret_wrong);
            return false;
        }
    }
    return true;
}

/* Beside the database itself, whatever link led to it, so that all processes share one. */
static bool sqlite_open_lock(struct sqlite *sqlite, struct sqlite_wrong *ret_wrong)
{
    const char *file = sqlite3_db_filename(sqlite->db, "main");
    char why[128];
    sqlite->lock_file = mem_grow(NULL, strlen(file) + sizeof "-lock");
    snprintf(sqlite->lock_file, strlen(file) + sizeof "-lock", "%s-lock", file);
    sqlite->lock_fd = open(sqlite->lock_file, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (sqlite->lock_fd >= 0)
        return true;
    snprintf(why, sizeof why, "cannot be opened: %s", strerror(errno));
    return sqlite_wrong(ret_wrong, errno == EACCES || errno == EROFS ? BR_DENIED : BR_INVALID,
                        sqlite->lock_file, why);
}

bool sqlite_db_open(struct sqlite *sqlite, struct sqlite_wrong *ret_wrong)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    bool fresh;
    if (sqlite3_open_v2(sqlite->file, &sqlite->db, flags, NULL))
        return sqlite_cannot_open(sqlite, ret_wrong);
    sqlite3_extended_result_codes(sqlite->db, 1);
    sqlite3_busy_timeout(sqlite->db, (int) (sqlite->busy_timeout / BR_MILLISECOND));
    if (sqlite3_db_readonly(sqlite->db, "main") == 1)
        return sqlite_wrong(ret_wrong, BR_DENIED, sqlite->file,
                            "is read-only for this user: let it write the file and its folder");
    return sqlite_look(sqlite, &fresh, ret_wrong) && sqlite_use_wal(sqlite, ret_wrong)
           && (!fresh || sqlite_make(sqlite, ret_wrong)) && sqlite_prepare(sqlite, ret_wrong)
           && sqlite_open_lock(sqlite, ret_wrong);
}

void sqlite_db_close(struct sqlite *sqlite)
{
    for (int i = 0; i < SQL_STATEMENTS; i++) {
        sqlite3_finalize(sqlite->statements[i]);
        sqlite->statements[i] = NULL;
    }
    sqlite3_close(sqlite->db); /* checkpoints, if it is the last */
    sqlite->db = NULL;
    if (sqlite->lock_fd >= 0)
        close(sqlite->lock_fd);
    sqlite->lock_fd = -1;
    free(sqlite->lock_file);
    sqlite->lock_file = NULL;
}
