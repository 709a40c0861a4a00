/* kill_store -- preloaded into a command (LD_PRELOAD) by scripts that want it dead at one exact
 * moment of its dealings with a store: it kills itself with SIGKILL at the KILL_NTH-th change that
 * it makes, KILL_STORE=before it is sent or =after it was carried out, whether the command knows
 * that or not.
 *
 * SQLite: the end of a transaction that wrote, and a statement that writes outside of one.
 * ZooKeeper: a multi, and what is created and deleted one by one.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <sqlite3.h>
#include <zookeeper/zookeeper.h>

#define EXPORT __attribute__((visibility("default")))

/* Is this the one?  Dies where it is to be before. */
static bool kill_due(void)
{
    static _Atomic long changes;
    const char *when = getenv("KILL_STORE");
    const char *nth = getenv("KILL_NTH");
    if (!when || !nth || atomic_fetch_add(&changes, 1) + 1 != strtol(nth, NULL, 10))
        return false;
    if (strcmp(when, "before") == 0)
        kill(getpid(), SIGKILL);
    return true;
}

/* The library's own function, into a pointer to one. */
static void kill_next(const char *name, void *ret_function)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    memcpy(ret_function, &found, sizeof found);
}

/* -- SQLite ----------------------------------------------------------------------------------- */

static bool kill_changes(sqlite3_stmt *statement)
{
    sqlite3 *db = sqlite3_db_handle(statement);
    const char *sql = sqlite3_sql(statement);
    if (!sql)
        return false;
    if (strcasecmp(sql, "COMMIT") == 0)
        return sqlite3_txn_state(db, NULL) == SQLITE_TXN_WRITE;
    return sqlite3_get_autocommit(db)
           && (strncmp(sql, "INSERT", 6) == 0 || strncmp(sql, "DELETE", 6) == 0
               || strncmp(sql, "UPDATE", 6) == 0);
}

EXPORT int sqlite3_step(sqlite3_stmt *statement)
{
    int (*next)(sqlite3_stmt *) = NULL;
    kill_next("sqlite3_step", &next);
    bool last = kill_changes(statement) && kill_due();
    int rc = next(statement);
    if (last)
        kill(getpid(), SIGKILL);
    return rc;
}

/* -- ZooKeeper: the answer is the moment "after" ------------------------------------------------
 */

static void kill_void(int rc, const void *data)
{
    (void) data;
    zerror(rc); /* a name of the library's, so that it is linked */
    kill(getpid(), SIGKILL);
}

static void kill_string(int rc, const char *value, const void *data)
{
    (void) value;
    kill_void(rc, data);
}

EXPORT int zoo_amulti(zhandle_t *handle, int count, const zoo_op_t *ops, zoo_op_result_t *results,
                      void_completion_t completion, const void *data)
{
    int (*next)(zhandle_t *, int, const zoo_op_t *, zoo_op_result_t *, void_completion_t,
                const void *) = NULL;
    kill_next("zoo_amulti", &next);
    return next(handle, count, ops, results, kill_due() ? kill_void : completion, data);
}

EXPORT int zoo_acreate(zhandle_t *handle, const char *path, const char *value, int size,
                       const struct ACL_vector *acl, int mode, string_completion_t completion,
                       const void *data)
{
    int (*next)(zhandle_t *, const char *, const char *, int, const struct ACL_vector *, int,
                string_completion_t, const void *) = NULL;
    kill_next("zoo_acreate", &next);
    return next(handle, path, value, size, acl, mode, kill_due() ? kill_string : completion, data);
}

EXPORT int zoo_adelete(zhandle_t *handle, const char *path, int version,
                       void_completion_t completion, const void *data)
{
    int (*next)(zhandle_t *, const char *, int, void_completion_t, const void *) = NULL;
    kill_next("zoo_adelete", &next);
    return next(handle, path, version, kill_due() ? kill_void : completion, data);
}
