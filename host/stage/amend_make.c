/* amend_make -- what returned servers hold against what was planned and what stands in the store.
 * See amend.h; amend_judge.c reads and judges, amend_table.c has the tables that come back.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/rows.h"
#include "host/stage/amend_run.h"

#define AMEND_CHUNK 1024 /* records read at once */

/* -- What is told and kept -------------------------------------------------------------------- */

void amend_find(struct amending *amending, const char *format, ...)
{
    struct stage_amendment *amendment = amending->amendment;
    struct buf text = { 0 };
    va_list args;
    if (amendment->finding_count == AMEND_FINDINGS_MAX) {
        amendment->untold++;
        return;
    }
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    amendment->findings[amendment->finding_count++] =
        arena_text(&amendment->arena, text.data, text.size);
    buf_done(&text);
}

static void amend_count_untold(struct stage_amendment *amendment)
{
    struct buf text = { 0 };
    if (!amendment->untold)
        return;
    buf_printf(&text, "and %llu more of these findings", (unsigned long long) amendment->untold);
    amendment->findings[amendment->finding_count++] =
        arena_text(&amendment->arena, text.data, text.size);
    buf_done(&text);
}

const char *amend_keep(struct amending *amending, const char *text)
{
    return text ? arena_text(&amending->amendment->arena, text, strlen(text)) : NULL;
}

bool amend_add(struct amending *amending, const struct amend_record *record,
               const struct br_replica *row)
{
    struct stage_amendment *amendment = amending->amendment;
    if (amendment->record_count == AMEND_RECORDS_MAX) {
        fail_set(amending->fail, BR_TOOBIG,
                 "more than %d records would change: amend with fewer servers at once",
                 AMEND_RECORDS_MAX);
        return false;
    }
    if (amendment->record_count == amending->room) {
        amending->room = amending->room ? 2 * amending->room : 64;
        amendment->records =
            mem_grow(amendment->records, amending->room * sizeof *amendment->records);
    }
    struct amend_record *kept = &amendment->records[amendment->record_count++];
    *kept = *record;
    kept->path = amend_path(amending, record->table, record->partition);
    kept->old = amend_keep(amending, record->old);
    kept->value = amend_keep(amending, record->value);
    kept->why = amend_keep(amending, record->why);
    kept->server = row ? amending->servers[row->node] : -1;
    kept->ballot = row ? row->ballot : 0;
    kept->committed = row ? row->committed : 0;
    kept->prepared = row ? row->prepared : 0;
    return true;
}

/* -- Looking things up ------------------------------------------------------------------------ */

const char *amend_path(struct amending *amending, int32_t id, int32_t index)
{
    struct buf path = { 0 };
    buf_printf(&path, "apps/%d", id);
    if (index >= 0)
        buf_printf(&path, "/%d", index);
    const char *kept = arena_text(&amending->amendment->arena, path.data, path.size);
    buf_done(&path);
    return kept;
}

const char *amend_node(const struct amending *amending, const struct br_replica *row)
{
    return amending->would.survey->nodes[row->node].name;
}

void amend_read(struct amending *amending, int32_t id, int32_t from, int32_t count,
                struct tool_answer *ret_answer)
{
    struct buf path = { 0 };
    struct arena arena;
    arena_init(&arena, 0);
    const char **paths = arena_alloc(&arena, (size_t) count * sizeof *paths);
    for (int32_t i = 0; i < count; i++) {
        buf_clear(&path);
        if (from + i < 0)
            layout_table_path(&path, amending->root, id);
        else
            layout_partition_path(&path, amending->root, id, from + i);
        paths[i] = arena_text(&arena, path.data, path.size);
    }
    tool_read(amending->tool, paths, (uint32_t) count, ret_answer);
    if (ret_answer->status != BR_OK)
        *amending->fail = ret_answer->fail;
    arena_done(&arena);
    buf_done(&path);
}

bool amend_untouched(const struct amending *amending, const struct table *planned, int32_t index,
                     const struct br_value *value)
{
    const struct stage_plan *plan = amending->plan;
    struct buf text = { 0 };
    if (index < 0)
        layout_put_table(&text, &planned->def, plan->plan.version);
    else
        layout_put_partition(&text, &plan->cluster, planned->def.id, planned->def.replica_count,
                             index, &planned->partitions[index], plan->plan.version);
    bool same = value && value->status == BR_OK && value->value.size == text.size
                && memcmp(value->value.data, text.data, text.size) == 0;
    buf_done(&text);
    return same;
}

/* Higher, or as high and further; `than` NULL: more than nothing. */
static bool amend_more(const struct br_replica *row, const struct br_replica *than)
{
    if (!than || row->ballot != than->ballot)
        return !than || row->ballot > than->ballot;
    if (row->committed != than->committed)
        return row->committed > than->committed;
    return row->prepared > than->prepared;
}

const struct br_replica *amend_best(struct amending *amending, int32_t id, int32_t index)
{
    const struct br_replica *best = NULL;
    const struct br_replica *row;
    held_seek(&amending->planned, id, index);
    held_seek(&amending->all, id, index);
    for (size_t i = 0; (row = held_row(&amending->all, i, id, index)); i++) {
        if (amending->returned[row->node] && row->ballot >= 0 && (!best || amend_more(row, best)))
            best = row;
    }
    return best;
}

/* -- One partition ---------------------------------------------------------------------------- */

struct amend_spot {
    const struct br_replica *best;    /* a returned server's */
    const struct br_replica *taken;   /* the new judgement's primary, where it is a returned one */
    const struct br_replica *planned; /* the plan's primary */
};

/* The same table, as it is planned (NULL: not, or not as one), as it would be and as it is. */
struct amend_tables {
    const struct table *planned, *would, *now;
};

static bool amend_lost(const struct partition *now)
{
    return now->primary < 0 && !now->secondary_count && !now->drop_count
           && !(now->flags & PARTITION_DROPPED);
}

static bool amend_spot(struct amending *amending, const struct amend_tables *tables, int32_t index,
                       struct amend_spot *spot)
{
    int32_t id = tables->would->def.id;
    int32_t primary = tables->would->partitions[index].primary;
    int32_t planned = tables->planned ? tables->planned->partitions[index].primary : -1;
    *spot = (struct amend_spot){ .best = amend_best(amending, id, index) };
    if (!spot->best)
        return false;
    if (planned >= 0)
        spot->planned = held_of(&amending->planned, id, index, planned);
    if (primary >= 0 && amending->returned[primary])
        spot->taken = held_of(&amending->all, id, index, primary);
    return amend_lost(&tables->now->partitions[index]) || amend_more(spot->best, spot->planned);
}

/* Does the record name the server, whose layout may know it by its address alone? */
static bool amend_is_member(const struct amending *amending, const struct partition *now,
                            const struct br_replica *row)
{
    const struct node *node = &amending->would.cluster.nodes[row->node];
    for (int32_t i = -1; i < now->secondary_count; i++) {
        int32_t member = i < 0 ? now->primary : now->members[i];
        const char *name = member < 0 ? "" : amending->now->nodes[member].name;
        if (strcmp(name, node->name) == 0 || strcmp(name, node->address_text) == 0)
            return true;
    }
    return false;
}

static void amend_put_row(const struct amending *amending, const struct br_replica *row,
                          struct buf *buf)
{
    buf_printf(buf, "node(%s) holds ballot %lld, committed %lld, prepared %lld",
               amend_node(amending, row), (long long) row->ballot, (long long) row->committed,
               (long long) row->prepared);
}

static void amend_put_than(const struct amending *amending, const struct br_replica *row,
                           struct buf *buf)
{
    if (!row) {
        buf_text(buf, "the plan had nobody");
        return;
    }
    buf_printf(buf, "the plan's best, node(%s), held ballot %lld, committed %lld, prepared %lld",
               amending->plan->survey->nodes[row->node].name, (long long) row->ballot,
               (long long) row->committed, (long long) row->prepared);
}

/* It has served, or the policy takes another one: nothing is changed. */
static void amend_leave(struct amending *amending, const struct amend_tables *tables, int32_t index,
                        const struct amend_spot *spot, bool served)
{
    const struct partition *now = &tables->now->partitions[index];
    int32_t primary = tables->would->partitions[index].primary;
    struct buf text = { 0 };
    buf_printf(&text, "partition %d.%d: ", tables->would->def.id, index);
    amend_put_row(amending, spot->best, &text);
    buf_text(&text, ", and ");
    amend_put_than(amending, spot->planned, &text);
    if (served)
        buf_printf(&text,
                   ", but its record has moved on since, to ballot %lld: it is left alone, and "
                   "these data stay on that server's disk until release",
                   (long long) now->ballot);
    else
        buf_printf(&text, ", but the policy takes %s: it is left alone",
                   primary < 0 ? "nobody" : amending->would.cluster.nodes[primary].name);
    amend_find(amending, "%s", text.data);
    buf_done(&text);
}

static bool amend_adopt(struct amending *amending, const struct amend_tables *tables, int32_t index,
                        const struct amend_spot *spot, const struct br_value *value)
{
    const struct partition *now = &tables->now->partitions[index];
    struct partition partition = tables->would->partitions[index];
    struct amend_record record = { .what = amend_lost(now) ? AMEND_LOST : AMEND_NEWER,
                                   .table = tables->would->def.id,
                                   .partition = index };
    struct buf text = { 0 }, why = { 0 };
    bool there = value && value->status == BR_OK;
    if (now->ballot > partition.ballot)
        partition.ballot = now->ballot;
    layout_put_partition(&text, &amending->would.cluster, record.table,
                         tables->now->def.replica_count, index, &partition,
                         amending->plan->plan.version);
    char *old = there ? strndup(value->value.data, value->value.size) : NULL;
    record.old = old;
    record.value = text.data;
    amend_put_row(amending, spot->taken, &why);
    buf_text(&why, record.what == AMEND_LOST ? "; nobody else is in it" : "; ");
    if (record.what == AMEND_NEWER)
        amend_put_than(amending, spot->planned, &why);
    record.why = why.data;
    bool ok = (old && strcmp(old, text.data) == 0) || amend_add(amending, &record, spot->taken);
    free(old);
    buf_done(&text);
    buf_done(&why);
    return ok;
}

static bool amend_decide(struct amending *amending, const struct amend_tables *tables,
                         int32_t index, const struct amend_spot *spot, const struct br_value *value)
{
    const struct partition *now = &tables->now->partitions[index];
    bool lost = amend_lost(now);
    bool untouched = tables->planned && amend_untouched(amending, tables->planned, index, value);
    if (set64_has(&amending->stopped, amend_key(tables->would->def.id, index)))
        return true; /* why was told */
    if (lost || untouched) {
        if (spot->taken && (lost || amend_more(spot->taken, spot->planned)))
            return amend_adopt(amending, tables, index, spot, value);
        amend_leave(amending, tables, index, spot, false);
    } else if (!amend_is_member(amending, now, spot->best) && spot->best->role != BR_ROLE_PRIMARY
               && spot->best->role != BR_ROLE_SECONDARY && spot->best->role != BR_ROLE_LEARNER) {
        amend_leave(amending, tables, index, spot, true);
    }
    return true;
}

/* -- One table -------------------------------------------------------------------------------- */

static br_status amend_chunk(struct amending *amending, const struct amend_tables *tables,
                             int32_t from, int32_t count)
{
    struct amend_spot spots[AMEND_CHUNK];
    bool wanted[AMEND_CHUNK], any = false;
    for (int32_t i = 0; i < count; i++) {
        wanted[i] = amend_spot(amending, tables, from + i, &spots[i]);
        any = any || wanted[i];
    }
    if (!any)
        return BR_OK;
    struct tool_answer answer;
    amend_read(amending, tables->would->def.id, from, count, &answer);
    br_status status = answer.status;
    struct rows rows = { .chunk = answer.chunks };
    for (int32_t i = 0; status == BR_OK && i < count; i++) {
        const struct br_value *value = rows_value(&rows);
        if (wanted[i] && !amend_decide(amending, tables, from + i, &spots[i], value))
            status = amending->fail->status;
    }
    tool_answer_done(&answer);
    return status;
}

static br_status amend_partitions(struct amending *amending, const struct amend_tables *tables)
{
    int32_t total = tables->would->def.partition_count;
    br_status status = BR_OK;
    for (int32_t from = 0; status == BR_OK && from < total; from += AMEND_CHUNK)
        status = amend_chunk(amending, tables, from,
                             total - from < AMEND_CHUNK ? total - from : AMEND_CHUNK);
    return status;
}

static bool amend_available(const struct table *table)
{
    return table && table->def.status == BR_TABLE_AVAILABLE;
}

/* Made by the same command, whatever it is called now? */
static bool amend_same(const struct br_table *one, const struct br_table *other)
{
    return one->create_second == other->create_second
           && (one->create_second || strcmp(one->name, other->name) == 0);
}

/* The table is not what it was: once, where a returned server held more of any partition. */
static void amend_leave_table(struct amending *amending, const struct amend_tables *tables,
                              const char *why)
{
    const struct br_table *def = &tables->would->def;
    for (int32_t i = 0; i < def->partition_count; i++) {
        const struct br_replica *best = amend_best(amending, def->id, i);
        int32_t primary = tables->planned && i < tables->planned->def.partition_count
                              ? tables->planned->partitions[i].primary
                              : -1;
        const struct br_replica *than =
            primary < 0 ? NULL : held_of(&amending->planned, def->id, i, primary);
        if (!best || !amend_more(best, than))
            continue;
        amend_find(amending,
                   "table %d (%s): node(%s) held more of partition %d than the plan knew, but the "
                   "table %s: it is left alone, and these data stay on that server's disk until "
                   "release",
                   def->id, def->name, amend_node(amending, best), i, why);
        return;
    }
}

static br_status amend_one(struct amending *amending, const struct table *would)
{
    const struct br_table *def = &would->def;
    const struct amend_tables tables = { .planned =
                                             cluster_table(&amending->plan->cluster, def->id),
                                         .would = would,
                                         .now = cluster_table(amending->now, def->id) };
    const bool planned = amend_available(tables.planned);
    const struct br_table *now = tables.now ? &tables.now->def : NULL;
    if (!amend_available(would))
        return BR_OK;
    if ((!now && !planned) || (now && !amend_available(tables.now) && tables.planned && !planned))
        return amend_table(amending, would);
    if (!now)
        amend_leave_table(amending, &tables, "is not in the store any more");
    else if (!amend_available(tables.now))
        amend_leave_table(amending, &tables, "has been dropped since");
    else if (!planned && !amend_same(now, def))
        amend_leave_table(amending, &tables, "that has this id now is another one");
    else if (now->partition_count != def->partition_count
             || (planned && tables.planned->def.partition_count != def->partition_count))
        amend_leave_table(amending, &tables, "has another number of partitions now");
    else
        return amend_partitions(
            amending, &(struct amend_tables){ planned ? tables.planned : NULL, would, tables.now });
    return BR_OK;
}

/* -- The whole -------------------------------------------------------------------------------- */

static bool amend_all_answered(const struct survey *now, struct fail *ret_fail)
{
    for (uint32_t i = 0; i < now->node_count; i++) {
        if (now->nodes[i].complete)
            continue;
        fail_set(ret_fail, BR_UNAVAILABLE,
                 "node(%s) does not answer: %s (%s); ask again when it has returned, or without it",
                 now->nodes[i].name, now->nodes[i].why, now->nodes[i].error);
        return false;
    }
    return true;
}

/* What the plan's consents allow to be lost by what is changed. */
static void amend_losses(struct amending *amending)
{
    struct set64 changed = { 0 };
    for (uint32_t i = 0; i < amending->amendment->record_count; i++) {
        const struct amend_record *record = &amending->amendment->records[i];
        set64_add(&changed, amend_key(record->table, record->partition));
    }
    for (uint32_t i = 0; i < amending->would.finding_count; i++) {
        const struct stage_finding *finding = &amending->would.findings[i];
        if (finding->severity == BR_LOSS && finding->consented && *finding->text
            && finding->table >= 0 && finding->partition >= 0
            && set64_has(&changed, amend_key(finding->table, finding->partition)))
            amend_find(amending, "%s", finding->text);
    }
    set64_done(&changed);
}

static br_status amend_walk(struct amending *amending)
{
    br_status status = BR_OK;
    for (uint32_t i = 0; status == BR_OK && i < amending->would.cluster.table_count; i++)
        status = amend_one(amending, &amending->would.cluster.tables[i]);
    amend_losses(amending);
    amend_count_untold(amending->amendment);
    return status;
}

static void amending_done(struct amending *amending)
{
    held_done(&amending->planned);
    held_done(&amending->all);
    stage_plan_done(&amending->would);
    if (amending->now)
        cluster_done(amending->now);
    free(amending->now);
    free(amending->returned);
    free(amending->servers);
    set64_done(&amending->stopped);
}

br_status stage_amend_make(struct stage_amendment *amendment, const struct stage_plan *plan,
                           struct tool *tool, struct survey *now, struct fail *ret_fail)
{
    struct amending amending = { .amendment = amendment,
                                 .plan = plan,
                                 .tool = tool,
                                 .root = tool->store_root.data,
                                 .fail = ret_fail };
    *amendment = (struct stage_amendment){ .version = plan->plan.version };
    arena_init(&amendment->arena, 0);
    amendment->plan = amend_keep(&amending, plan->plan.hash);
    amendment->cluster_name = amend_keep(&amending, plan->cluster_name);
    amendment->root = amend_keep(&amending, plan->root);
    amendment->findings =
        arena_alloc(&amendment->arena, (AMEND_FINDINGS_MAX + 1) * sizeof *amendment->findings);
    br_status status = amend_all_answered(now, ret_fail) ? amend_load(&amending) : ret_fail->status;
    if (status == BR_OK)
        status = amend_judge(&amending, now);
    else
        survey_free(now);
    if (status == BR_OK)
        status = amend_walk(&amending);
    amending_done(&amending);
    return status;
}

void stage_amendment_done(struct stage_amendment *amendment)
{
    free(amendment->records);
    amendment->records = NULL;
    arena_done(&amendment->arena);
}
