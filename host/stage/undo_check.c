/* undo_check -- may it be taken back?  See undo.h. */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/rows.h"
#include "host/stage/undo_run.h"

static bool undo_refuse(struct undo *undo, const char *sentence)
{
    return deed_say(undo->result, DEED_REFUSED, "refused", "%s; nothing was taken back", sentence);
}

/* -- Records ---------------------------------------------------------------------------------- */

static bool undo_next(const struct cluster *cluster, struct undo_at *at, uint32_t *ret_table,
                      int32_t *ret_index)
{
    if (at->table >= cluster->table_count)
        return false;
    *ret_table = at->table;
    if (at->index < cluster->tables[at->table].def.partition_count) {
        *ret_index = at->index++;
        return true;
    }
    *ret_index = -1;
    *at = (struct undo_at){ .table = at->table + 1 };
    return true;
}

static const char *undo_path(const struct undo *undo, struct arena *arena, uint32_t table,
                             int32_t index)
{
    const struct br_table *def = &undo->deed->plan->cluster.tables[table].def;
    struct buf path = { 0 };
    if (index < 0)
        layout_table_path(&path, undo->root, def->id);
    else
        layout_partition_path(&path, undo->root, def->id, index);
    const char *copy = arena_text(arena, path.data, path.size);
    buf_done(&path);
    return copy;
}

br_status undo_chunk(struct undo *undo, struct undo_at *at, uint32_t limit,
                     struct undo_chunk *chunk)
{
    const struct plan *plan = &undo->deed->plan->plan;
    struct plan_cursor cursor = plan_cursor_at(0, -1);
    *chunk = (struct undo_chunk){ .count = 0 };
    arena_init(&chunk->arena, 0);
    chunk->paths = arena_alloc(&chunk->arena, limit * sizeof *chunk->paths);
    chunk->planned = arena_alloc(&chunk->arena, limit * sizeof *chunk->planned);
    while (chunk->count < limit && undo_next(plan->cluster, at, &cursor.table, &cursor.index)) {
        br_bytes path, value;
        chunk->paths[chunk->count] = undo_path(undo, &chunk->arena, cursor.table, cursor.index);
        plan_record(plan, &cursor, &path, &value);
        chunk->planned[chunk->count++] =
            (br_bytes){ arena_text(&chunk->arena, value.data, value.size), value.size };
    }
    plan_cursor_done(&cursor);
    tool_read(undo->tool, chunk->paths, chunk->count, &chunk->answer);
    return chunk->answer.status;
}

void undo_chunk_done(struct undo_chunk *chunk)
{
    tool_answer_done(&chunk->answer);
    arena_done(&chunk->arena);
}

bool undo_is_ours(struct undo *undo, const char *path, br_bytes planned,
                  const struct br_value *value)
{
    const char *why = NULL;
    if (!value || value->status != BR_OK)
        why = "is not there any more";
    else if (value->value.size != planned.size
             || memcmp(value->value.data, planned.data, planned.size) != 0)
        why = "is not what was written";
    else if (value->version != 0 && !undo->facts.journal.converged)
        why = "was written to since, though with the same value";
    if (why)
        deed_say(undo->result, DEED_REFUSED, "changed", "%s %s: somebody has used these metadata",
                 path, why);
    return !why;
}

void undo_report(struct undo *undo, const char *what, uint64_t done)
{
    if (undo->deed->progress)
        undo->deed->progress(undo->deed->arg, what, done, undo->deed->plan->plan.records);
}

static bool undo_check_records(struct undo *undo)
{
    struct undo_at at = { 0 };
    struct undo_chunk chunk;
    uint64_t done = 0;
    bool ok = true;
    while (ok && done < undo->deed->plan->plan.records) {
        if (undo_chunk(undo, &at, UNDO_BATCH_MAX, &chunk) != BR_OK)
            ok = undo_refuse(undo, chunk.answer.fail.text);
        struct rows rows = { .chunk = ok ? chunk.answer.chunks : NULL };
        for (uint32_t i = 0; ok && i < chunk.count; i++)
            ok = undo_is_ours(undo, chunk.paths[i], chunk.planned[i], rows_value(&rows));
        done += chunk.count;
        undo_report(undo, "comparing", done);
        undo_chunk_done(&chunk);
    }
    return ok;
}

/* -- What more there is ----------------------------------------------------------------------- */

/* The children of a list that are no number from `low` to `high`: there must be none. */
struct undo_list {
    const char *path;
    const struct cluster *tables; /* its children are tables; NULL: numbers below `count` */
    int32_t count;
};

static bool undo_knows(const struct undo_list *list, const char *name)
{
    if (!list->tables)
        return list->count > 0 && rows_number(name, list->count - 1) >= 0;
    int32_t id = rows_number(name, BR_TABLE_ID_MAX);
    return id > 0 && cluster_table(list->tables, id);
}

static bool undo_check_list(struct undo *undo, const struct undo_list *list,
                            const struct tool_answer *answer)
{
    if (answer->status != BR_OK)
        return undo_refuse(undo, answer->fail.text);
    struct rows rows = { .chunk = answer->chunks };
    const char *name;
    while ((name = rows_name(&rows))) {
        if (!undo_knows(list, name))
            return deed_say(undo->result, DEED_REFUSED, "changed",
                            "%s/%s was not written by the plan: somebody has used these metadata",
                            list->path, name);
    }
    return true;
}

static bool undo_check_lists(struct undo *undo, const struct undo_list *lists, uint32_t count)
{
    const char *paths[UNDO_LISTS_MAX] = { NULL };
    struct tool_answer answers[UNDO_LISTS_MAX];
    bool ok = true;
    for (uint32_t i = 0; i < count; i++)
        paths[i] = lists[i].path;
    tool_lists(undo->tool, paths, count, answers);
    for (uint32_t i = 0; i < count; i++) {
        ok = ok && undo_check_list(undo, &lists[i], &answers[i]);
        tool_answer_done(&answers[i]);
    }
    return ok;
}

/* Below each record: a table has its partitions, a partition nothing. */
static bool undo_check_below(struct undo *undo)
{
    const struct cluster *cluster = &undo->deed->plan->cluster;
    struct undo_at at = { 0 };
    bool ok = true, more = true;
    while (ok && more) {
        struct undo_list lists[UNDO_LISTS_MAX];
        struct arena arena;
        uint32_t count = 0, table;
        int32_t index;
        arena_init(&arena, 0);
        while (count < UNDO_LISTS_MAX && (more = undo_next(cluster, &at, &table, &index)))
            lists[count++] = (struct undo_list){
                .path = undo_path(undo, &arena, table, index),
                .count = index < 0 ? cluster->tables[table].def.partition_count : 0,
            };
        ok = undo_check_lists(undo, lists, count);
        arena_done(&arena);
    }
    return ok;
}

bool undo_check_tree(struct undo *undo)
{
    struct buf apps = { 0 };
    layout_apps_path(&apps, undo->root);
    const struct undo_list tables = { .path = apps.data, .tables = &undo->deed->plan->cluster };
    bool ok =
        undo_check_lists(undo, &tables, 1) && undo_check_records(undo) && undo_check_below(undo);
    buf_done(&apps);
    return ok;
}

/* -- Who led ---------------------------------------------------------------------------------- */

/* The journal's number has whoever applied it in it, but not his leaving: where he leads still,
 * he may be a bridled that serves. */
bool undo_check_elections(struct undo *undo)
{
    const int64_t recorded = undo->facts.journal.elections;
    struct tool_answer answer;
    bool ok = true;
    if (!undo->tool->store.ops.store.elections || recorded < 0)
        return undo_refuse(undo, "this store does not say whether a meta server has led since the "
                                 "plan was applied, so that it cannot be taken back");
    tool_elections(undo->tool, undo->tool->store_lock.data, &answer);
    if (answer.status != BR_OK)
        ok = undo_refuse(undo, answer.fail.text);
    else if (answer.version == recorded)
        ok =
            deed_say(undo->result, DEED_HELD, "held",
                     "whoever applied the plan still holds the leader lock %s: stop him, or, where "
                     "he was killed, wait until his session ends (store.session_timeout), and ask "
                     "again; nothing was taken back",
                     undo->tool->lock.data);
    else if (answer.version != recorded + 1)
        ok = deed_say(undo->result, DEED_REFUSED, "led",
                      "a meta server has stood for election since the plan was applied (the leader "
                      "lock %s counts %lld, expected %lld), and may have served from it: it cannot "
                      "be taken back",
                      undo->tool->lock.data, (long long) answer.version, (long long) recorded + 1);
    tool_answer_done(&answer);
    return ok;
}

/* -- The whole -------------------------------------------------------------------------------- */

static bool undo_check_journal(struct undo *undo)
{
    const struct root_facts *facts = &undo->facts;
    const struct stage_deed *deed = undo->deed;
    const struct apply_journal *journal = &facts->journal;
    bool same = strcmp(journal->hash, deed->plan->plan.hash) == 0;
    if (facts->state == ROOT_FOREIGN)
        return deed_say(undo->result, DEED_REFUSED, "refused", "%s", facts->text);
    if (facts->state == ROOT_OURS && !same)
        return deed_say(undo->result, DEED_REFUSED, "refused", "%s; %s is another plan",
                        facts->text, deed->file);
    if (facts->state == ROOT_OURS && journal->state == JOURNAL_WRITING)
        return deed_say(undo->result, DEED_REFUSED, "refused",
                        "%s; only what was finished can be undone", facts->text);
    if (facts->state == ROOT_OURS)
        return journal->known
               || undo_refuse(undo, "the journal does not say what was there before");
    if (facts->state == ROOT_EMPTY && (journal->state != JOURNAL_DONE || deed->plan->plan.records))
        return deed_say(undo->result, DEED_DONE, "nothing to undo",
                        "nothing of %s stands at %s: it was never applied, or it was undone",
                        deed->file, undo->tool->root.data);
    if (journal->state != JOURNAL_DONE || !same)
        return deed_say(
            undo->result, DEED_REFUSED, "refused",
            "what stands at %s was not written by %s: its journal does not say so; nothing was "
            "written",
            undo->tool->root.data, deed->file);
    if (*journal->amendment)
        return undo_refuse(undo,
                           "an amendment was applied since, and what a plan and its amendment "
                           "wrote together is not taken back");
    if (facts->apps != APPS_UNLOCK)
        return undo_refuse(undo, "the value of `apps` is not what was written: somebody has used "
                                 "these metadata");
    if (!journal->known)
        return undo_refuse(undo, "an earlier version of bridle wrote this, which did not keep what "
                                 "was there before");
    return true;
}

bool stage_undo_check(const struct stage_deed *deed, struct tool *tool, struct deed_result *result)
{
    struct undo undo = { .deed = deed, .tool = tool, .result = result };
    struct fail fail = { .status = BR_OK };
    *result = (struct deed_result){ .exit = DEED_REFUSED, .word = "refused" };
    if (stage_plan_place(deed->plan, tool, &fail) != BR_OK)
        return undo_refuse(&undo, fail.text);
    br_status status = tool_open_store(tool, &fail);
    if (status == BR_NOTFOUND)
        return deed_say(result, DEED_DONE, "nothing to undo", "%s", fail.text);
    undo.root = buf_string(&tool->store_root);
    if (status == BR_OK)
        status = tool_look(tool, undo.root, &undo.facts, &fail);
    if (status != BR_OK)
        return undo_refuse(&undo, fail.text);
    if (!undo_check_journal(&undo))
        return false;
    if (root_undoing(&undo.facts)) {
        buf_printf(&result->text, "%s\n", undo.facts.text);
        return true;
    }
    return undo_check_elections(&undo) && undo_check_tree(&undo);
}
