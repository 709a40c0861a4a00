/* diagnose_records -- every record below a root: there, and to be read? */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/rows.h"
#include "host/stage/diagnose_run.h"

#define RECORDS_CHUNK 1024 /* partition records read at once */

struct records {
    struct tool *tool;
    struct diagnose *ret;
    const char *root;
    struct buf damaged; /* the first of them, a line each */
    uint32_t damaged_shown;
    struct fail fail; /* the store stopped answering */
};

static void records_path(const struct records *records, int32_t id, int32_t index, struct buf *buf)
{
    if (index < 0)
        layout_table_path(buf, records->root, id);
    else
        layout_partition_path(buf, records->root, id, index);
}

static void records_damaged(struct records *records, int32_t id, int32_t index, const char *why)
{
    if (records->damaged_shown++ >= DIAGNOSE_SHOWN_MAX)
        return;
    records_path(records, id, index, &records->damaged);
    buf_printf(&records->damaged, ": %s\n", why);
}

static bool records_failed(struct records *records, const struct tool_answer *answer)
{
    if (answer->status != BR_OK)
        records->fail = answer->fail;
    return answer->status != BR_OK;
}

/* One partition's record. */
static void records_partition(struct records *records, struct cluster *cluster, int32_t id,
                              int32_t index, const struct br_value *value)
{
    struct partition partition;
    struct fail fail = { .status = BR_OK };
    int32_t pid[2];
    records->ret->partitions++;
    if (!value || value->status != BR_OK) {
        records->ret->missing++;
        records_damaged(records, id, index, "is missing");
        return;
    }
    br_status status = layout_get_partition(cluster, value->value, &partition, pid, &fail);
    if (status == BR_OK && pid[0] == id && pid[1] == index)
        return;
    if (status == BR_OK)
        fail_set(&fail, BR_CORRUPT, "is the record of partition %d.%d", pid[0], pid[1]);
    records->ret->undecodable++;
    records_damaged(records, id, index, fail.text);
}

static bool records_chunk(struct records *records, int32_t id, int32_t from, int32_t count)
{
    struct tool_answer answer;
    struct buf path = { 0 };
    struct arena arena;
    struct cluster cluster;
    arena_init(&arena, 0);
    cluster_init(&cluster);
    const char **paths = arena_alloc(&arena, (size_t) count * sizeof *paths);
    for (int32_t i = 0; i < count; i++) {
        buf_clear(&path);
        records_path(records, id, from + i, &path);
        paths[i] = arena_text(&arena, path.data, path.size);
    }
    tool_read(records->tool, paths, (uint32_t) count, &answer);
    bool failed = records_failed(records, &answer);
    struct rows rows = { .chunk = answer.chunks };
    for (int32_t i = 0; !failed && i < count; i++)
        records_partition(records, &cluster, id, from + i, rows_value(&rows));
    tool_answer_done(&answer);
    cluster_done(&cluster);
    arena_done(&arena);
    buf_done(&path);
    return !failed;
}

static bool records_partitions(struct records *records, int32_t id, int32_t count)
{
    for (int32_t at = 0; at < count; at += RECORDS_CHUNK) {
        int32_t left = count - at;
        if (!records_chunk(records, id, at, left < RECORDS_CHUNK ? left : RECORDS_CHUNK))
            return false;
    }
    return true;
}

/* What is wrong with a table's record; "": nothing. */
static void records_table_wrong(int32_t id, const struct br_table *table, struct fail *fail)
{
    fail->text[0] = '\0';
    if (table->id != id)
        fail_set(fail, BR_CORRUPT, "is the record of table %d", table->id);
    else if (table->status != BR_TABLE_AVAILABLE && table->status != BR_TABLE_DROPPED)
        fail_set(fail, BR_CORRUPT, "has a status that must not be stored");
    else if (table->partition_count < 1 || table->partition_count > BR_PARTITIONS_MAX)
        fail_set(fail, BR_CORRUPT, "has %d partitions", table->partition_count);
}

static bool records_table(struct records *records, int32_t id)
{
    struct tool_answer answer;
    struct buf path = { 0 };
    struct cluster cluster;
    struct br_table table = { .id = 0 };
    struct fail fail = { .status = BR_OK };
    cluster_init(&cluster);
    records->ret->tables++;
    records_path(records, id, -1, &path);
    tool_read(records->tool, (const char *const[]){ path.data }, 1, &answer);
    bool ok = !records_failed(records, &answer);
    struct rows rows = { .chunk = answer.chunks };
    const struct br_value *value = ok ? rows_value(&rows) : NULL;
    if (ok && (!value || value->status != BR_OK)) {
        records->ret->missing++; /* gone since it was listed */
        records_damaged(records, id, -1, "is missing");
    } else if (ok) {
        if (layout_get_table(&cluster, value->value, &table, &fail) == BR_OK)
            records_table_wrong(id, &table, &fail);
        if (fail.text[0]) {
            records->ret->undecodable++;
            records_damaged(records, id, -1, fail.text);
        } else {
            ok = records_partitions(records, id, table.partition_count);
        }
    }
    tool_answer_done(&answer);
    cluster_done(&cluster);
    buf_done(&path);
    return ok;
}

static bool records_all(struct records *records)
{
    struct tool_answer answer;
    struct buf path = { 0 };
    const char *name;
    layout_apps_path(&path, records->root);
    tool_list(records->tool, path.data, &answer);
    bool ok = !records_failed(records, &answer);
    struct rows rows = { .chunk = answer.chunks };
    while (ok && (name = rows_name(&rows))) {
        int32_t id = rows_number(name, BR_TABLE_ID_MAX);
        if (id >= 1) {
            ok = records_table(records, id);
            continue;
        }
        records->ret->tables++;
        records->ret->undecodable++;
        if (records->damaged_shown++ < DIAGNOSE_SHOWN_MAX)
            buf_printf(&records->damaged, "%s/%s: its name is no table id\n", path.data, name);
    }
    tool_answer_done(&answer);
    buf_done(&path);
    return ok;
}

void diagnose_records(struct tool *tool, struct diagnose *ret)
{
    struct records records = { .tool = tool, .ret = ret, .root = tool->store_root.data };
    struct buf text = { 0 };
    uint64_t bad = 0;
    if (!records_all(&records)) {
        diagnose_failed(tool, ret, &records.fail);
    } else {
        bad = ret->missing + ret->undecodable;
        buf_printf(&text, "%s holds %llu tables with %llu partitions", records.root,
                   (unsigned long long) ret->tables, (unsigned long long) ret->partitions);
        if (bad)
            buf_printf(&text,
                       "; %llu of these %llu records are missing and %llu cannot be read: do not "
                       "start a meta server on them",
                       (unsigned long long) ret->missing,
                       (unsigned long long) (ret->tables + ret->partitions),
                       (unsigned long long) ret->undecodable);
        diagnose_say(tool, ret, bad ? DIAGNOSE_DAMAGED : DIAGNOSE_HEALTHY, text.data);
        buf_text(&ret->text, buf_string(&records.damaged));
    }
    if (bad > DIAGNOSE_SHOWN_MAX)
        buf_printf(&ret->text, "and %llu more\n", (unsigned long long) bad - DIAGNOSE_SHOWN_MAX);
    buf_done(&text);
    buf_done(&records.damaged);
}
