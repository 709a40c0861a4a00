/* store_sqlite_commit -- batches of store_sqlite.  Commits that were queued together share one
 * transaction, each in a savepoint of its own: every one stays all or nothing, and the sync, which
 * is nearly all that a small commit costs, is paid once.  None is answered before the sync.
 */
#include "plugin/store_sqlite.h"

#include <stdio.h>
#include <string.h>

/* -- One write -------------------------------------------------------------------------------- */

static br_status sqlite_parent(struct sqlite *sqlite, const struct sqlite_key *key)
{
    int64_t version;
    bool fence = false;
    if (sqlite->parent.parent_size == key->parent_size
        && memcmp(sqlite->parent.parent, key->parent, (size_t) key->parent_size) == 0)
        return BR_OK;
    const struct sqlite_key parent = sqlite_split(key->parent, (size_t) key->parent_size);
    if (sqlite_stat(sqlite, &parent, &version, &fence))
        return BR_NOTFOUND;
    if (fence)
        return BR_CONFLICT;
    sqlite->parent = *key;
    return BR_OK;
}

static br_status sqlite_create(struct sqlite *sqlite, const struct br_write *write,
                               const struct sqlite_key *key)
{
    br_status status = sqlite_parent(sqlite, key);
    if (status)
        return status;
    sqlite3_stmt *statement = sqlite_statement(sqlite, SQL_CREATE, key);
    sqlite3_bind_int(statement, 3, 0);
    sqlite_bind_bytes(statement, 4, write->value);
    const int rc = sqlite3_step(statement);
    if (rc == SQLITE_CONSTRAINT_PRIMARYKEY)
        status = BR_EXISTS;
    else if (rc != SQLITE_DONE)
        sqlite->rc = rc;
    sqlite3_reset(statement);
    return status;
}

/* Of a node that must be there: PUT, DELETE and CHECK of one that was not as it must be. */
static br_status sqlite_state(struct sqlite *sqlite, const struct br_write *write,
                              const struct sqlite_key *key)
{
    int64_t version = 0;
    bool fence;
    if (sqlite_stat(sqlite, key, &version, &fence))
        return write->kind == BR_FENCE ? BR_FENCED : BR_NOTFOUND;
    if (write->kind == BR_FENCE
        || (write->kind == BR_CHECK
            && (write->version == BR_ANY_VERSION || write->version == version)))
        return BR_OK;
    return BR_CONFLICT;
}

static br_status sqlite_change(struct sqlite *sqlite, const struct br_write *write,
                               const struct sqlite_key *key)
{
    const bool put = write->kind == BR_PUT;
    sqlite3_stmt *statement = sqlite_statement(sqlite, put ? SQL_PUT : SQL_REMOVE, key);
    sqlite3_bind_int64(statement, 3, write->version);
    if (put)
        sqlite_bind_bytes(statement, 4, write->value);
    else
        sqlite3_bind_text(statement, 4, write->path, -1, SQLITE_STATIC);
    const int rc = sqlite_step(sqlite, statement);
    const int changes = rc == SQLITE_DONE ? sqlite3_changes(sqlite->db) : 0;
    sqlite3_reset(statement);
    if (!put)
        sqlite->parent = (struct sqlite_key){ 0 };
    return changes || sqlite->rc ? BR_OK : sqlite_state(sqlite, write, key);
}

static br_status sqlite_write(struct sqlite *sqlite, const struct br_write *write)
{
    const struct sqlite_key key = sqlite_split(write->path, strlen(write->path));
    if (write->kind == BR_CREATE)
        return sqlite_create(sqlite, write, &key);
    if (write->kind == BR_PUT || write->kind == BR_DELETE)
        return sqlite_change(sqlite, write, &key);
    return sqlite_state(sqlite, write, &key);
}

/* -- One batch -------------------------------------------------------------------------------- */

/* Its own failure is in job->wrong; a hard error in sqlite->rc. */
static void sqlite_batch(struct sqlite *sqlite, struct sqlite_job *job)
{
    br_status status = BR_OK;
    uint32_t i = 0;
    sqlite->parent = (struct sqlite_key){ 0 };
    job->wrong.status = BR_OK;
    while (i < job->count && !status && !sqlite->rc)
        status = sqlite_write(sqlite, job->writes[i++]);
    sqlite->parent = (struct sqlite_key){ 0 };
    if (!status || sqlite->rc)
        return;
    const struct br_write *write = job->writes[i - 1];
    job->wrong.status = status;
    job->wrong.code = NULL;
    snprintf(job->wrong.text, sizeof job->wrong.text, "write %u of %u: %.200s %s", i, job->count,
             write->path, br_write_why(write, status));
}

/* A batch alone in its transaction needs no savepoint: what fails is rolled back as a whole. */
static void sqlite_batch_alone(struct sqlite *sqlite, struct sqlite_job *job)
{
    sqlite_batch(sqlite, job);
    if (job->wrong.status && !sqlite->rc)
        sqlite_back_out(sqlite);
}

static void sqlite_batch_marked(struct sqlite *sqlite, struct sqlite_job *job)
{
    if (!sqlite_do(sqlite, SQL_MARK, NULL))
        return;
    sqlite_batch(sqlite, job);
    if (sqlite->rc)
        return;
    if (job->wrong.status)
        sqlite_do(sqlite, SQL_MARK_BACK, NULL);
    sqlite_do(sqlite, SQL_MARK_KEEP, NULL);
}

/* -- The transaction -------------------------------------------------------------------------- */

/* Only a busy and a full database say that the log's last frame was not written.  After any other
 * error at the very end nobody knows: the log may have reached the disk, and a restart believes it.
 */
static bool sqlite_in_doubt(int rc)
{
    return (rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_FULL;
}

static void sqlite_finish(struct sqlite *sqlite, struct sqlite_wrong *ret_wrong)
{
    ret_wrong->status = BR_OK;
    bool ending = !sqlite->rc && !sqlite3_get_autocommit(sqlite->db);
    if (ending && sqlite_do(sqlite, SQL_COMMIT, NULL))
        return;
    if (!sqlite->rc)
        return;
    sqlite_explain(sqlite, ending ? "committing" : "writing", ret_wrong);
    if (ending && sqlite_in_doubt(sqlite->rc))
        ret_wrong->status = BR_UNKNOWN;
    sqlite_back_out(sqlite);
}

static bool sqlite_may_depose(const struct sqlite_job *job)
{
    if (job->wrong.status == BR_FENCED)
        return true;
    for (uint32_t i = 0; i < job->count; i++) {
        if (job->writes[i]->kind == BR_DELETE)
            return true;
    }
    return false;
}

bool sqlite_do_commits(struct sqlite *sqlite, struct sqlite_job *first)
{
    struct sqlite_wrong wrong;
    bool depose = false;
    sqlite_do(sqlite, SQL_BEGIN_WRITE, NULL);
    for (struct sqlite_job *job = first; job && !sqlite->rc; job = job->next) {
        if (first->next)
            sqlite_batch_marked(sqlite, job);
        else
            sqlite_batch_alone(sqlite, job);
    }
    sqlite_finish(sqlite, &wrong);
    for (struct sqlite_job *job = first; job; job = job->next) {
        depose |= sqlite_may_depose(job); /* the reply ends the writes' life */
        if (wrong.status)                 /* none of them stands, not even as a refusal */
            sqlite_reply_wrong(job->call, &wrong);
        else if (job->wrong.status)
            sqlite_reply_wrong(job->call, &job->wrong);
        else
            br_reply_ok(job->call);
    }
    return depose;
}
