/* amend_table -- a table that the store does not have, or whose place a placeholder holds, comes
 * back whole or not at all.  See amend.h.
 */
#include <stdlib.h>
#include <string.h>

#include "host/recovery/rows.h"
#include "host/stage/amend_run.h"

#define AMEND_TABLE_CHUNK 1024 /* records read at once */

struct returning {
    struct amending *amending;
    const struct table *table;   /* as it would be */
    const struct table *planned; /* a placeholder, or NULL */
    const struct table *now;     /* likewise */
    bool wrong;                  /* it was told why it does not come back */
};

/* Stopped by what was found, which was told. */
static bool returning_stopped(const struct returning *of)
{
    const struct br_table *def = &of->table->def;
    for (int32_t i = -1; i < def->partition_count; i++) {
        if (set64_has(&of->amending->stopped, amend_key(def->id, i)))
            return true;
    }
    return false;
}

static bool returning_collides(const struct returning *of)
{
    const struct br_table *def = &of->table->def;
    const struct table *other = cluster_table_named(of->amending->now, def->name);
    if (!other || other->def.status != BR_TABLE_AVAILABLE || other->def.id == def->id)
        return false;
    amend_find(of->amending,
               "table %d (%s): a returned server has its definition, but table %d bears that name "
               "today: it is left out; `bridle rename` that one and amend again",
               def->id, def->name, other->def.id);
    return true;
}

static void returning_wrong(struct returning *of, const char *path)
{
    const struct br_table *def = &of->table->def;
    of->wrong = true;
    amend_find(of->amending,
               "table %d (%s): a returned server has its definition, but %s is not what the plan "
               "wrote there: it is left out",
               def->id, def->name, path);
}

/* A placeholder's partition, also one that a meta server has marked as dropped since: nobody is in
 * it.  *ret_ballot: its ballot. */
static bool returning_is_empty(br_bytes value, int64_t *ret_ballot)
{
    struct cluster cluster;
    struct partition partition;
    struct fail fail;
    int32_t pid[2];
    cluster_init(&cluster);
    bool empty = layout_get_partition(&cluster, value, &partition, pid, &fail) == BR_OK
                 && partition.primary < 0 && !partition.secondary_count && !partition.drop_count;
    *ret_ballot = empty ? partition.ballot : 0;
    cluster_done(&cluster);
    return empty;
}

static bool returning_may(struct returning *of, int32_t index, const struct br_value *value,
                          int64_t *ret_ballot)
{
    bool there = value && value->status == BR_OK;
    *ret_ballot = 0;
    if (!there)
        return index >= 0 || !of->now;
    if (index >= 0)
        return returning_is_empty(value->value, ret_ballot);
    return of->planned && amend_untouched(of->amending, of->planned, -1, value);
}

static void returning_put_why(const struct returning *of, int32_t index,
                              const struct br_replica *row, struct buf *buf)
{
    if (index < 0)
        buf_printf(buf, "a returned server has the definition of %s", of->table->def.name);
    else if (row)
        buf_printf(buf, "node(%s) holds ballot %lld, committed %lld, prepared %lld",
                   amend_node(of->amending, row), (long long) row->ballot,
                   (long long) row->committed, (long long) row->prepared);
    else
        buf_text(buf, "nobody holds it: it starts empty");
}

static bool returning_add(struct returning *of, int32_t index, const struct br_value *value,
                          int64_t ballot)
{
    struct amending *amending = of->amending;
    const struct br_table *def = &of->table->def;
    struct amend_record record = { .what = index < 0 ? AMEND_TABLE : AMEND_PARTITION,
                                   .table = def->id,
                                   .partition = index };
    const struct br_replica *row = NULL;
    struct buf text = { 0 }, why = { 0 };
    if (index < 0) {
        layout_put_table(&text, def, amending->plan->plan.version);
    } else {
        struct partition partition = of->table->partitions[index];
        amend_best(amending, def->id, index); /* goes there */
        if (partition.primary >= 0)
            row = held_of(&amending->all, def->id, index, partition.primary);
        if (ballot > partition.ballot)
            partition.ballot = ballot;
        layout_put_partition(&text, &amending->would.cluster, def->id, def->replica_count, index,
                             &partition, amending->plan->plan.version);
    }
    returning_put_why(of, index, row, &why);
    char *old =
        value && value->status == BR_OK ? strndup(value->value.data, value->value.size) : NULL;
    record.old = old;
    record.value = text.data;
    record.why = why.data;
    bool ok = (old && strcmp(old, text.data) == 0) || amend_add(amending, &record, row);
    free(old);
    buf_done(&text);
    buf_done(&why);
    return ok;
}

static br_status returning_chunk(struct returning *of, int32_t from, int32_t count)
{
    struct amending *amending = of->amending;
    struct tool_answer answer;
    amend_read(amending, of->table->def.id, from, count, &answer);
    br_status status = answer.status;
    struct rows rows = { .chunk = answer.chunks };
    for (int32_t i = 0; status == BR_OK && !of->wrong && i < count; i++) {
        const struct br_value *value = rows_value(&rows);
        int64_t ballot;
        if (!returning_may(of, from + i, value, &ballot))
            returning_wrong(of, amend_path(amending, of->table->def.id, from + i));
        else if (!returning_add(of, from + i, value, ballot))
            status = amending->fail->status;
    }
    tool_answer_done(&answer);
    return status;
}

br_status amend_table(struct amending *amending, const struct table *table)
{
    const struct br_table *def = &table->def;
    struct returning of = { .amending = amending,
                            .table = table,
                            .planned = cluster_table(&amending->plan->cluster, def->id),
                            .now = cluster_table(amending->now, def->id) };
    const uint32_t before = amending->amendment->record_count;
    br_status status = BR_OK;
    if (returning_stopped(&of) || returning_collides(&of))
        return BR_OK;
    for (int32_t from = -1; status == BR_OK && !of.wrong && from < def->partition_count;
         from += AMEND_TABLE_CHUNK) {
        int32_t left = def->partition_count - from;
        status = returning_chunk(&of, from, left < AMEND_TABLE_CHUNK ? left : AMEND_TABLE_CHUNK);
    }
    if (of.wrong)
        amending->amendment->record_count = before;
    return status;
}
