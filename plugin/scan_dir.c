/* scan_dir -- one data directory of a stopped server: every replica as the server would report it
 * after a start (src/replica/replica_stub.cpp:initialize, disk_cleaner.cpp).
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/mem.h"
#include "host/disk/look.h"
#include "host/disk/plog_tail.h"
#include "host/disk/replica_read.h"
#include "plugin/transport_scan.h"

struct scan_run {
    struct scan *scan;
    struct scan_job *job;
    struct scan_part *part;
    struct buf reps; /* the directory that holds the replicas */
    char **names;
    uint32_t name_count, ignored;
};

BR_PRINTF(2, 3)
static void scan_note(struct scan_run *run, const char *format, ...)
{
    struct buf text = { 0 };
    va_list args;
    if (++run->part->notes > SCAN_NOTES_MAX)
        return;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    br_log(run->scan->env, BR_WARN, "%s: %s", run->job->node->name, text.data);
    buf_done(&text);
}

/* -- Where the replicas are ------------------------------------------------------------------- */

static bool scan_is(const char *path, mode_t kind)
{
    struct stat info;
    return stat(path, &info) == 0 && (info.st_mode & S_IFMT) == kind;
}

/* An operator may name the data directory, or go on to the server's name or to "reps". */
static bool scan_find_reps(struct scan_run *run)
{
    static const char *const below[] = { "/replica/reps", "/reps", "" };
    const char *path = run->part->place->path;
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        buf_clear(&run->reps);
        buf_put(&run->reps, path, size);
        buf_text(&run->reps, below[i]);
        if (*below[i] == '\0' && (size < 5 || memcmp(path + size - 5, "/reps", 5) != 0))
            break;
        if (scan_is(run->reps.data, S_IFDIR))
            return true;
    }
    run->part->code = "ERR_FILE_OPERATION_FAILED";
    fail_set(&run->part->fail, BR_REFUSED,
             "%s holds no replica/reps: it is no data directory of a replica server, or is not "
             "mounted",
             path);
    return false;
}

/* Everything is encrypted then (encrypt_data_at_rest), and the key is elsewhere. */
static bool scan_encrypted(struct scan_run *run)
{
    static const char *const beside[] = { "", "/..", "/../.." };
    bool found = false;
    for (size_t i = 0; i < sizeof beside / sizeof *beside && !found; i++) {
        struct buf path = { 0 };
        buf_printf(&path, "%s%s/.kms-info", run->reps.data, beside[i]);
        found = scan_is(path.data, S_IFREG);
        buf_done(&path);
    }
    if (found)
        fail_set(&run->part->fail, BR_CORRUPT,
                 "%s is encrypted at rest (.kms-info): only its own server can read it, so start "
                 "that and ask it",
                 run->reps.data);
    return found;
}

static int scan_order(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool scan_list(struct scan_run *run)
{
    DIR *stream = look_dir(run->reps.data);
    const struct dirent *entry = NULL;
    while (stream && (errno = 0, entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        if (run->name_count == SCAN_REPLICAS_MAX)
            break;
        if ((run->name_count & (run->name_count - 1)) == 0)
            run->names = mem_grow(run->names, 2 * (run->name_count + 1u) * sizeof *run->names);
        run->names[run->name_count++] = mem_text(entry->d_name);
    }
    bool ok = stream && !entry && !errno;
    if (stream && entry)
        fail_set(&run->part->fail, BR_TOOBIG, "%s: more than %d replicas", run->reps.data,
                 SCAN_REPLICAS_MAX);
    else if (!ok)
        fail_set(&run->part->fail, BR_REFUSED, "%s: %s", run->reps.data, strerror(errno));
    if (!ok && !entry)
        run->part->code = "ERR_FILE_OPERATION_FAILED";
    if (stream)
        closedir(stream);
    if (run->name_count)
        qsort(run->names, run->name_count, sizeof *run->names, scan_order);
    return ok;
}

/* -- One replica ------------------------------------------------------------------------------ */

/* What the boundary promises of a table. */
static const char *scan_table_wrong(const struct br_table *table)
{
    if (table->id < 1)
        return "is of no table";
    if (table->status < BR_TABLE_INVALID || table->status > BR_TABLE_RECALLING)
        return "has a status that does not exist";
    if (table->partition_count < 0 || table->replica_count < 0)
        return "has a negative count";
    if (*table->type == '\0' || *table->name == '\0')
        return "lacks its app_type or app_name";
    return NULL;
}

/* DIR/ENTRY as replica `name`: the row and the table. */
static br_status scan_read(struct scan_run *run, const char *entry, const char *name,
                           struct br_replica *ret_row, struct br_table *ret_table,
                           struct fail *ret_fail)
{
    struct replica_read read;
    struct plog_tail tail;
    br_status status =
        replica_read(&run->part->arena, run->reps.data, entry, name, &read, ret_fail);
    const char *wrong = status ? NULL : scan_table_wrong(&read.table);
    if (wrong)
        status = fail_set(ret_fail, BR_CORRUPT, "its .app-info %s", wrong);
    if (status)
        return status;
    struct buf log = { 0 };
    buf_printf(&log, "%s/%s/plog", run->reps.data, entry);
    status =
        plog_tail_read(log.data, (struct gpid){ read.table.id, read.partition },
                       read.decrees.committed, read.init.offset_in_private_log, &tail, ret_fail);
    buf_done(&log);
    if (status && status != BR_NOTFOUND)
        return status;
    *ret_table = read.table;
    *ret_row = (struct br_replica){
        .table = read.table.id,
        .partition = read.partition,
        .role = BR_ROLE_INACTIVE,
        .ballot = tail.ballot > read.init.ballot ? tail.ballot : read.init.ballot,
        .committed = tail.committed,
        .prepared = tail.prepared > read.decrees.prepared ? tail.prepared : read.decrees.prepared,
        .durable = read.durable,
        .type = read.table.type,
        .disk = run->part->place->tag,
    };
    return BR_OK;
}

static void scan_keep(struct scan_part *part, const struct br_replica *row,
                      const struct br_table *table)
{
    if ((part->count & (part->count - 1)) == 0)
        part->rows = mem_grow(part->rows, 2 * (part->count + 1u) * sizeof *part->rows);
    part->rows[part->count++] = *row;
    /* By name, the replicas of a table stand beside each other. */
    if (part->table_count && part->tables[part->table_count - 1].id == table->id)
        return;
    if ((part->table_count & (part->table_count - 1)) == 0)
        part->tables = mem_grow(part->tables, 2 * (part->table_count + 1u) * sizeof *part->tables);
    part->tables[part->table_count++] = *table;
}

static void scan_take(struct scan_run *run, const char *entry)
{
    struct br_replica row;
    struct br_table table;
    struct fail fail;
    if (scan_read(run, entry, entry, &row, &table, &fail) == BR_OK)
        scan_keep(run->part, &row, &table);
    else
        scan_note(run, "%s/%s is left out: %s", run->reps.data, entry, fail.text);
}

/* -- What was set aside ----------------------------------------------------------------------- */

/* "1.2.pegasus.1698843209235962.err", "1.2.pegasus.disk.migrate.ori": what it was called. */
static void scan_former_name(const char *entry, struct buf *ret)
{
    static const char migrate[] = ".disk.migrate";
    size_t size = strlen(entry) - 4;
    size_t digits = size;
    while (digits && entry[digits - 1] >= '0' && entry[digits - 1] <= '9')
        digits--;
    if (digits < size && digits && entry[digits - 1] == '.')
        size = digits - 1;
    else if (size > sizeof migrate - 1
             && memcmp(entry + size - (sizeof migrate - 1), migrate, sizeof migrate - 1) == 0)
        size -= sizeof migrate - 1;
    buf_put(ret, entry, size);
}

static void scan_salvage(struct scan_run *run, const char *entry, const char *what)
{
    struct buf name = { 0 };
    struct br_replica row;
    struct br_table table;
    struct fail fail;
    const char *reps = run->reps.data;
    if (run->part->notes >= SCAN_NOTES_MAX) {
        run->part->notes++;
        return;
    }
    scan_former_name(entry, &name);
    if (scan_read(run, entry, name.data, &row, &table, &fail) == BR_OK)
        scan_note(run,
                  "%s/%s, %s, is not reported, and can be read: replica %d.%d of table \"%s\", "
                  "ballot %" PRId64 ", committed %" PRId64 ", prepared %" PRId64
                  "; only if no better one is left anywhere, rename it to %s and scan again",
                  reps, entry, what, row.table, row.partition, table.name, row.ballot,
                  row.committed, row.prepared, name.data);
    else
        scan_note(run, "%s/%s, %s, is not reported, and of no use: %s", reps, entry, what,
                  fail.text);
    buf_done(&name);
}

static void scan_entry(struct scan_run *run, const char *entry)
{
    switch (replica_suffix(entry)) {
    case REPLICA_LIVE: scan_take(run, entry); break;
    case REPLICA_ERR: scan_salvage(run, entry, "which its server set aside as broken"); break;
    case REPLICA_BACKUP: scan_salvage(run, entry, "which somebody put aside"); break;
    case REPLICA_ORIGIN: scan_salvage(run, entry, "which was moved to another disk"); break;
    case REPLICA_GARBAGE:
    case REPLICA_TEMP: run->ignored++; break;
    }
}

static void scan_sum_up(struct scan_run *run)
{
    const struct scan_part *part = run->part;
    if (part->notes > SCAN_NOTES_MAX)
        br_log(run->scan->env, BR_WARN, "%s: %s: %u further directories are not reported",
               run->job->node->name, run->reps.data, part->notes - SCAN_NOTES_MAX);
    br_log(run->scan->env, BR_INFO,
           "%s: %s: %u replicas of %u tables, %u not reported, %u of .gar and .tmp passed over",
           run->job->node->name, run->reps.data, part->count, part->table_count, part->notes,
           run->ignored);
}

void scan_dir(struct scan *scan, struct scan_job *job, struct scan_part *part)
{
    struct scan_run run = { .scan = scan, .job = job, .part = part };
    if (scan_find_reps(&run) && !scan_encrypted(&run) && scan_list(&run)) {
        for (uint32_t i = 0; i < run.name_count && !atomic_load(&job->given_up); i++)
            scan_entry(&run, run.names[i]);
        scan_sum_up(&run);
    }
    for (uint32_t i = 0; i < run.name_count; i++)
        free(run.names[i]);
    free(run.names);
    buf_done(&run.reps);
}
