/* store_sqlite_read -- reads and lists of store_sqlite, each one snapshot. */
#include "plugin/store_sqlite.h"

#include <string.h>

#define STORE_CHUNK 512 /* names of a list per chunk */

static void sqlite_read_failed(struct sqlite *sqlite, struct br_call *call, const char *doing)
{
    struct sqlite_wrong wrong;
    sqlite_explain(sqlite, doing, &wrong);
    sqlite_back_out(sqlite);
    sqlite_reply_wrong(call, &wrong);
}

static struct br_value sqlite_get(struct sqlite *sqlite, const char *path, struct br_call *call)
{
    const struct sqlite_key key = sqlite_split(path, strlen(path));
    sqlite3_stmt *statement = sqlite_statement(sqlite, SQL_GET, &key);
    struct br_value row = { .status = BR_NOTFOUND };
    if (sqlite_step(sqlite, statement) == SQLITE_ROW) {
        const void *data = sqlite3_column_blob(statement, 1);
        const size_t size = (size_t) sqlite3_column_bytes(statement, 1);
        void *copy = br_rows(call, size);
        if (size)
            memcpy(copy, data, size);
        row = (struct br_value){ .version = sqlite3_column_int64(statement, 0),
                                 .value = { copy, size } };
    }
    sqlite3_reset(statement);
    return row;
}

void sqlite_do_read(struct sqlite *sqlite, struct sqlite_job *job)
{
    struct br_value *rows = br_rows(job->call, job->count * sizeof *rows);
    bool ok = sqlite_do(sqlite, SQL_BEGIN, NULL);
    for (uint32_t i = 0; ok && i < job->count; i++) {
        rows[i] = sqlite_get(sqlite, job->paths[i], job->call);
        ok = sqlite->rc == SQLITE_OK;
    }
    if (!ok || !sqlite_do(sqlite, SQL_COMMIT, NULL)) {
        sqlite_read_failed(sqlite, job->call, "reading");
        return;
    }
    br_reply_array(job->call, BR_ROW_VALUE, rows, sizeof *rows, job->count);
}

/* Up to STORE_CHUNK names; false: there are no more. */
static bool sqlite_list_some(struct sqlite *sqlite, sqlite3_stmt *statement, struct br_call *call,
                             struct br_chunk **chunk)
{
    const char **names = br_rows(call, STORE_CHUNK * sizeof *names);
    struct br_chunk *more = br_rows(call, sizeof *more);
    uint32_t count = 0;
    int rc = SQLITE_ROW;
    while (count < STORE_CHUNK && (rc = sqlite_step(sqlite, statement)) == SQLITE_ROW) {
        const void *name = sqlite3_column_text(statement, 0);
        const size_t size = (size_t) sqlite3_column_bytes(statement, 0);
        char *copy = br_rows(call, size + 1);
        memcpy(copy, name, size);
        copy[size] = 0;
        names[count++] = copy;
    }
    *more = (struct br_chunk){ .next = *chunk,
                               .kind = BR_ROW_NAME,
                               .row_size = sizeof *names,
                               .count = count,
                               .rows = names };
    *chunk = more;
    return rc == SQLITE_ROW;
}

void sqlite_do_list(struct sqlite *sqlite, struct sqlite_job *job)
{
    const size_t size = strlen(job->path);
    const struct sqlite_key key = sqlite_split(job->path, size);
    struct br_chunk *chunk = NULL;
    int64_t version;
    bool fence;
    br_status status = BR_NOTFOUND;
    if (sqlite_do(sqlite, SQL_BEGIN, NULL))
        status = sqlite_stat(sqlite, &key, &version, &fence);
    if (!sqlite->rc && status == BR_OK) {
        sqlite3_stmt *statement = sqlite->statements[SQL_CHILDREN];
        sqlite3_bind_text(statement, 1, job->path, (int) size, SQLITE_STATIC);
        while (sqlite_list_some(sqlite, statement, job->call, &chunk))
            ;
        sqlite3_reset(statement);
    }
    if (sqlite->rc || !sqlite_do(sqlite, SQL_COMMIT, NULL))
        sqlite_read_failed(sqlite, job->call, "listing");
    else if (status)
        br_reply_fail(job->call, status, "%.200s is not there", job->path);
    else
        br_reply_rows(job->call, chunk);
}
