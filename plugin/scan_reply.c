/* scan_reply -- the parts of one server as one answer, in the host's memory. */
#include <inttypes.h>
#include <string.h>

#include "host/base/set64.h"
#include "plugin/transport_scan.h"

static void scan_failed(struct br_call *call, br_status status, const char *code, const char *text)
{
    if (code)
        br_reply_fail_as(call, status, code, "%s", text);
    else
        br_reply_fail(call, status, "%s", text);
}

static uint64_t scan_key(const struct br_replica *row)
{
    return (uint64_t) (uint32_t) row->table << 32 | (uint32_t) row->partition;
}

/* Which part, but the last, has this replica, too? */
static const char *scan_other(const struct scan_job *job, const struct br_replica *row)
{
    for (uint32_t p = 0; p < job->node->count; p++) {
        const struct scan_part *part = &job->parts[p];
        for (uint32_t i = 0; i < part->count; i++) {
            if (scan_key(&part->rows[i]) == scan_key(row))
                return part->place->path;
        }
    }
    return "?";
}

/* A real server does not start with one replica in two places. */
static br_status scan_twice(const struct scan_job *job, struct fail *ret_fail)
{
    struct set64 seen = { 0 };
    br_status status = BR_OK;
    for (uint32_t p = 0; p < job->node->count && !status; p++) {
        const struct scan_part *part = &job->parts[p];
        for (uint32_t i = 0; i < part->count && !status; i++) {
            const struct br_replica *row = &part->rows[i];
            if (!set64_add(&seen, scan_key(row)))
                status =
                    fail_set(ret_fail, BR_CORRUPT,
                             "replica %d.%d stands twice, in %s and in %s: its server would "
                             "not start; move one of them away",
                             row->table, row->partition, scan_other(job, row), part->place->path);
        }
    }
    set64_done(&seen);
    return status;
}

static const char *scan_copy(struct br_call *call, const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(br_rows(call, size), text, size);
}

static void scan_send(struct br_call *call, int32_t kind, uint32_t size, uint32_t count,
                      const void *rows)
{
    struct br_chunk *chunk = NULL;
    if (count > 0) {
        chunk = br_rows(call, sizeof *chunk);
        *chunk = (struct br_chunk){ .kind = kind, .row_size = size, .count = count, .rows = rows };
    }
    br_reply_rows(call, chunk);
}

/* -- Replicas --------------------------------------------------------------------------------- */

static void scan_replicas(const struct scan_job *job, struct br_call *call)
{
    uint32_t count = 0, at = 0;
    for (uint32_t p = 0; p < job->node->count; p++)
        count += job->parts[p].count;
    struct br_replica *rows = br_rows(call, count * sizeof *rows);
    for (uint32_t p = 0; p < job->node->count; p++) {
        const struct scan_part *part = &job->parts[p];
        const char *disk = scan_copy(call, part->place->tag), *type = NULL;
        for (uint32_t i = 0; i < part->count; i++, at++) {
            rows[at] = part->rows[i];
            rows[at].node = job->index[SCAN_REPLICAS];
            rows[at].disk = disk;
            if (!type || strcmp(type, rows[at].type) != 0)
                type = scan_copy(call, rows[at].type);
            rows[at].type = type;
        }
    }
    scan_send(call, BR_ROW_REPLICA, sizeof *rows, count, rows);
}

/* -- Tables ----------------------------------------------------------------------------------- */

static void scan_copy_table(struct br_call *call, const struct br_table *from, struct br_table *to)
{
    const char **envs = br_rows(call, 2 * (size_t) from->env_count * sizeof *envs);
    for (uint32_t i = 0; i < 2 * from->env_count; i++)
        envs[i] = scan_copy(call, from->envs[i]);
    *to = *from;
    to->envs = envs;
    to->name = scan_copy(call, from->name);
    to->type = scan_copy(call, from->type);
}

static void scan_tables(const struct scan_job *job, struct br_call *call)
{
    struct set64 seen = { 0 };
    uint32_t most = 0, count = 0;
    for (uint32_t p = 0; p < job->node->count; p++)
        most += job->parts[p].table_count;
    struct br_table *rows = br_rows(call, most * sizeof *rows);
    for (uint32_t p = 0; p < job->node->count; p++) {
        const struct scan_part *part = &job->parts[p];
        for (uint32_t i = 0; i < part->table_count; i++) {
            if (!set64_add(&seen, (uint64_t) part->tables[i].id))
                continue;
            scan_copy_table(call, &part->tables[i], &rows[count]);
            rows[count++].node = job->index[SCAN_TABLES];
        }
    }
    set64_done(&seen);
    scan_send(call, BR_ROW_TABLE, sizeof *rows, count, rows);
}

void scan_reply(struct scan_job *job, struct br_call *const calls[SCAN_KINDS])
{
    struct fail twice = { .status = BR_OK };
    const struct fail *fail = &twice;
    const char *code = NULL;
    for (uint32_t p = 0; p < job->node->count && !fail->status; p++) {
        fail = &job->parts[p].fail;
        code = job->parts[p].code;
    }
    if (!fail->status) {
        scan_twice(job, &twice);
        fail = &twice;
    }
    for (int kind = 0; kind < SCAN_KINDS; kind++) {
        if (!calls[kind])
            continue;
        if (fail->status)
            scan_failed(calls[kind], fail->status, code, fail->text);
        else if (kind == SCAN_TABLES)
            scan_tables(job, calls[kind]);
        else
            scan_replicas(job, calls[kind]);
    }
}
