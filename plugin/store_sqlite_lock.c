/* store_sqlite_lock -- leader election between processes that share one SQLite file.
 *
 * The lock is one byte of FILE-lock (which byte: a hash of the lock's path), taken with an open
 * file description lock, so the kernel frees it at once when its holder dies.  Only tried, never
 * waited for, and never inside a transaction: nothing can deadlock.  The holder's node in the
 * database is the fence; a new holder deletes the one that a dead one left.  If somebody removes
 * FILE-lock and two hold it, the later one has deleted the earlier one's fence: the earlier one is
 * fenced off.
 */
#include "plugin/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/crc.h"
#include "plugin/wait.h"

/* One lock path that somebody of this instance asked about. */
struct sqlite_seat {
    struct sqlite_seat *next;
    char *path;
    char *fence; /* ours; NULL: we do not hold it */
    char *value;
    struct wait *candidates, *owners, *losts;
};

/* -- The byte --------------------------------------------------------------------------------- */

static struct flock sqlite_byte(const struct sqlite_seat *seat, short type)
{
    return (struct flock){ .l_type = type,
                           .l_whence = SEEK_SET,
                           .l_start = (off_t) (crc64(seat->path, strlen(seat->path), 0) >> 2),
                           .l_len = 1 };
}

/* 0, or the error; EAGAIN: another one holds it. */
static int sqlite_seize(const struct sqlite *sqlite, const struct sqlite_seat *seat)
{
    struct flock byte = sqlite_byte(seat, F_WRLCK);
    if (fcntl(sqlite->lock_fd, F_OFD_SETLK, &byte) == 0)
        return 0;
    return errno;
}

static void sqlite_release(const struct sqlite *sqlite, const struct sqlite_seat *seat)
{
    struct flock byte = sqlite_byte(seat, F_UNLCK);
    fcntl(sqlite->lock_fd, F_OFD_SETLK, &byte);
}

/* Another instance holds it, here or in another process. */
static bool sqlite_taken(const struct sqlite *sqlite, const struct sqlite_seat *seat)
{
    struct flock byte = sqlite_byte(seat, F_WRLCK);
    return fcntl(sqlite->lock_fd, F_OFD_GETLK, &byte) == 0 && byte.l_type != F_UNLCK;
}

/* -- Seats ------------------------------------------------------------------------------------ */

static struct sqlite_seat *sqlite_seat(struct sqlite *sqlite, const char *path)
{
    struct sqlite_seat *seat = sqlite->seats;
    while (seat && strcmp(seat->path, path) != 0)
        seat = seat->next;
    if (seat)
        return seat;
    seat = mem_new(sizeof *seat);
    seat->path = mem_text(path);
    seat->next = sqlite->seats;
    sqlite->seats = seat;
    return seat;
}

static struct sqlite_seat *sqlite_holder(const struct sqlite *sqlite, const char *fence)
{
    struct sqlite_seat *seat = sqlite->seats;
    while (seat && !(seat->fence && strcmp(seat->fence, fence) == 0))
        seat = seat->next;
    return seat;
}

/* The lock is no longer ours. */
static void sqlite_vacate(struct sqlite *sqlite, struct sqlite_seat *seat)
{
    sqlite_release(sqlite, seat);
    free(seat->fence);
    free(seat->value);
    seat->fence = seat->value = NULL;
    wait_ok(&seat->losts);
}

static bool sqlite_remove(struct sqlite *sqlite, const char *fence)
{
    const struct sqlite_key key = sqlite_split(fence, strlen(fence));
    sqlite3_stmt *statement = sqlite_statement(sqlite, SQL_REMOVE, &key);
    sqlite3_bind_int64(statement, 3, BR_ANY_VERSION);
    sqlite3_bind_text(statement, 4, fence, -1, SQLITE_STATIC);
    const int rc = sqlite_step(sqlite, statement);
    sqlite3_reset(statement);
    return rc == SQLITE_DONE;
}

/* -- Election --------------------------------------------------------------------------------- */

static bool sqlite_insert(struct sqlite *sqlite, const struct sqlite_key *key, int fence,
                          const char *value)
{
    sqlite3_stmt *statement = sqlite_statement(sqlite, SQL_CREATE, key);
    sqlite3_bind_int(statement, 3, fence);
    sqlite_bind_bytes(statement, 4, (br_bytes){ value, strlen(value) });
    const int rc = sqlite_step(sqlite, statement);
    sqlite3_reset(statement);
    return rc == SQLITE_DONE;
}

/* The node at `path` with its parents; BR_CONFLICT: one of them is a fence. */
static br_status sqlite_make_path(struct sqlite *sqlite, const char *path)
{
    for (size_t size = 1;; size++) {
        if (path[size] && path[size] != '/')
            continue;
        const struct sqlite_key key = sqlite_split(path, size);
        bool fence = false;
        int64_t version;
        if (sqlite_stat(sqlite, &key, &version, &fence) && !sqlite->rc)
            sqlite_insert(sqlite, &key, 0, "");
        if (sqlite->rc || !path[size])
            return fence ? BR_CONFLICT : BR_OK;
        if (fence)
            return BR_CONFLICT;
    }
}

/* The number of the next fence: counted for ever, so that none is given out twice. */
static int64_t sqlite_number(struct sqlite *sqlite, const char *path)
{
    int64_t number = 0;
    sqlite3_stmt *up = sqlite->statements[SQL_NUMBER_UP];
    sqlite3_stmt *get = sqlite->statements[SQL_NUMBER];
    sqlite3_bind_text(up, 1, path, -1, SQLITE_STATIC);
    sqlite3_bind_text(get, 1, path, -1, SQLITE_STATIC);
    sqlite_step(sqlite, up);
    sqlite3_reset(up);
    if (sqlite_step(sqlite, get) == SQLITE_ROW)
        number = sqlite3_column_int64(get, 0);
    sqlite3_reset(get);
    return number;
}

/* In a transaction: the path, no fence of anybody's, our fence. */
static br_status sqlite_enthrone(struct sqlite *sqlite, struct sqlite_seat *seat, const char *value)
{
    char fence[BR_PATH_MAX + 64];
    sqlite3_stmt *clear = sqlite->statements[SQL_FENCE_CLEAR];
    if (!sqlite_do(sqlite, SQL_BEGIN_WRITE, NULL))
        return BR_OK;
    br_status status = sqlite_make_path(sqlite, seat->path);
    if (status || sqlite->rc)
        return status;
    sqlite3_bind_text(clear, 1, seat->path, -1, SQLITE_STATIC);
    sqlite_step(sqlite, clear);
    sqlite3_reset(clear);
    const int64_t number = sqlite_number(sqlite, seat->path);
    const int size = snprintf(fence, sizeof fence, "%s/LOCKNODE%010lld",
                              seat->path[1] ? seat->path : "", (long long) number);
    const struct sqlite_key key = sqlite_split(fence, (size_t) size);
    if (!sqlite->rc && sqlite_insert(sqlite, &key, 1, value) && sqlite_do(sqlite, SQL_COMMIT, NULL))
        seat->fence = mem_text(fence);
    return BR_OK;
}

/* The first candidate, whose byte it is now.  A busy database: it stays first, for the next poll.
 */
static void sqlite_elect(struct sqlite *sqlite, struct sqlite_seat *seat)
{
    struct sqlite_wrong wrong;
    sqlite_clear(sqlite);
    br_status status = sqlite_enthrone(sqlite, seat, seat->candidates->text);
    if (seat->fence) {
        struct br_call *call = wait_take(&seat->candidates, &seat->value);
        br_reply_value(call, (br_bytes){ seat->fence, strlen(seat->fence) }, 0);
        return;
    }
    sqlite_back_out(sqlite);
    sqlite_release(sqlite, seat);
    if ((sqlite->rc & 0xff) == SQLITE_BUSY)
        return;
    if (sqlite->rc) {
        sqlite_explain(sqlite, "taking the lock", &wrong);
        sqlite_reply_wrong(wait_take(&seat->candidates, NULL), &wrong);
    } else {
        br_reply_fail(wait_take(&seat->candidates, NULL), status, "%.200s lies below a lock's node",
                      seat->path);
    }
}

static void sqlite_stand(struct sqlite *sqlite, struct sqlite_seat *seat)
{
    const int error = sqlite_seize(sqlite, seat);
    if (error == 0)
        sqlite_elect(sqlite, seat);
    else if (error != EAGAIN)
        br_reply_fail(wait_take(&seat->candidates, NULL), BR_REFUSED,
                      "%.400s: cannot be locked: %s: use a local disk", sqlite->lock_file,
                      strerror(error));
}

/* -- News ------------------------------------------------------------------------------------- */

/* Our fence was deleted, or is not where the database is any more. */
static void sqlite_look_after_fence(struct sqlite *sqlite, struct sqlite_seat *seat)
{
    const struct sqlite_key key = sqlite_split(seat->fence, strlen(seat->fence));
    int64_t version;
    bool fence;
    sqlite_clear(sqlite);
    if (sqlite_stat(sqlite, &key, &version, &fence) && !sqlite->rc)
        sqlite_vacate(sqlite, seat);
}

static void sqlite_tell(struct sqlite_seat *seat, br_bytes value)
{
    for (struct wait **slot = &seat->owners; *slot;) {
        const char *seen = (*slot)->text;
        if (strlen(seen) != value.size || memcmp(seen, value.data, value.size) != 0)
            br_reply_value(wait_take(slot, NULL), value, 0);
        else
            slot = &(*slot)->next;
    }
}

/* Nobody's byte: nobody holds it, whatever node a dead one left. */
static void sqlite_tell_owners(struct sqlite *sqlite, struct sqlite_seat *seat)
{
    sqlite3_stmt *statement = sqlite->statements[SQL_FENCE];
    br_bytes value = { "", 0 };
    if (seat->fence) {
        sqlite_tell(seat, (br_bytes){ seat->value, strlen(seat->value) });
        return;
    }
    if (!sqlite_taken(sqlite, seat)) {
        sqlite_tell(seat, value);
        return;
    }
    sqlite_clear(sqlite);
    sqlite3_bind_text(statement, 1, seat->path, -1, SQLITE_STATIC);
    if (sqlite_step(sqlite, statement) == SQLITE_ROW) {
        const int size = sqlite3_column_bytes(statement, 0);
        if (size)
            value = (br_bytes){ sqlite3_column_blob(statement, 0), (size_t) size };
    }
    if (!sqlite->rc)
        sqlite_tell(seat, value);
    sqlite3_reset(statement);
}

bool sqlite_do_poll(struct sqlite *sqlite)
{
    bool more = false;
    for (struct sqlite_seat *seat = sqlite->seats; seat; seat = seat->next) {
        if (seat->fence)
            sqlite_look_after_fence(sqlite, seat);
        if (!seat->fence && seat->candidates)
            sqlite_stand(sqlite, seat);
        if (seat->owners)
            sqlite_tell_owners(sqlite, seat);
        more |= seat->candidates || seat->owners || seat->losts;
    }
    return more;
}

/* -- What the host asked ---------------------------------------------------------------------- */

void sqlite_do_lock(struct sqlite *sqlite, struct sqlite_job *job)
{
    wait_add(&sqlite_seat(sqlite, job->path)->candidates, job->call, job->text);
}

void sqlite_do_owner(struct sqlite *sqlite, struct sqlite_job *job)
{
    wait_add(&sqlite_seat(sqlite, job->path)->owners, job->call, job->text);
}

void sqlite_do_lost(struct sqlite *sqlite, struct sqlite_job *job)
{
    struct sqlite_seat *seat = sqlite_holder(sqlite, job->path);
    if (seat)
        wait_add(&seat->losts, job->call, "");
    else
        br_reply_ok(job->call);
}

/* Where the node cannot be deleted the lock stays held: a free lock has no fence. */
void sqlite_do_unlock(struct sqlite *sqlite, struct sqlite_job *job)
{
    struct sqlite_seat *seat = sqlite_holder(sqlite, job->path);
    struct sqlite_wrong wrong;
    const bool ok = seat && sqlite_remove(sqlite, seat->fence);
    if (!seat || (ok && sqlite3_changes(sqlite->db) == 0)) {
        br_reply_fail(job->call, BR_NOTFOUND, "%.200s: this lock is not held", job->path);
    } else if (ok) {
        br_reply_ok(job->call);
    } else {
        sqlite_explain(sqlite, "giving the lock back", &wrong);
        if (wrong.status == BR_REFUSED || wrong.status == BR_NOMEM) /* it may be written or not */
            wrong.status = BR_UNKNOWN;
        sqlite_reply_wrong(job->call, &wrong);
    }
    if (ok)
        sqlite_vacate(sqlite, seat);
}

/* Each holder has come; each but a living one has gone.  The byte, not the node, says who lives.
 * Between a new holder's taking the byte and his commit the number may be one less. */
void sqlite_do_elections(struct sqlite *sqlite, struct sqlite_job *job)
{
    const struct sqlite_seat *seat = sqlite_seat(sqlite, job->path);
    sqlite3_stmt *get = sqlite->statements[SQL_NUMBER];
    sqlite3_stmt *fence = sqlite->statements[SQL_FENCE];
    struct sqlite_wrong wrong;
    int64_t led = 0;
    bool held = false;
    sqlite_clear(sqlite);
    if (sqlite_do(sqlite, SQL_BEGIN, NULL)) {
        sqlite3_bind_text(get, 1, job->path, -1, SQLITE_STATIC);
        if (sqlite_step(sqlite, get) == SQLITE_ROW)
            led = sqlite3_column_int64(get, 0) + 1;
        sqlite3_reset(get);
        sqlite3_bind_text(fence, 1, job->path, -1, SQLITE_STATIC);
        held =
            sqlite_step(sqlite, fence) == SQLITE_ROW && (seat->fence || sqlite_taken(sqlite, seat));
        sqlite3_reset(fence);
    }
    if (!sqlite->rc && sqlite_do(sqlite, SQL_COMMIT, NULL)) {
        br_reply_value(job->call, (br_bytes){ "", 0 }, 2 * led - held);
        return;
    }
    sqlite_explain(sqlite, "counting elections", &wrong);
    sqlite_back_out(sqlite);
    sqlite_reply_wrong(job->call, &wrong);
}

void sqlite_do_cancel(struct sqlite *sqlite, uint64_t id)
{
    for (struct sqlite_seat *seat = sqlite->seats; seat; seat = seat->next) {
        if (wait_cancel(&seat->candidates, id) || wait_cancel(&seat->owners, id)
            || wait_cancel(&seat->losts, id))
            return;
    }
}

/* A node that cannot be deleted now is the next holder's to delete. */
void sqlite_lock_stop(struct sqlite *sqlite)
{
    for (struct sqlite_seat *next, *seat = sqlite->seats; seat; seat = next) {
        next = seat->next;
        wait_stop(&seat->candidates);
        wait_stop(&seat->owners);
        if (seat->fence && !sqlite_remove(sqlite, seat->fence))
            br_log(sqlite->env, BR_WARN, "%s is left behind: %s", seat->fence,
                   sqlite3_errmsg(sqlite->db));
        if (seat->fence)
            sqlite_vacate(sqlite, seat);
        free(seat->path);
        free(seat);
    }
    sqlite->seats = NULL;
}
