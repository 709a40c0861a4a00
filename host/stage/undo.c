/* undo -- see undo.h: mark, delete, restore; each step begins with a look, so that an answer that
 * never came makes no difference.
 */
#include "host/stage/undo.h"

#include <stdio.h>
#include <string.h>

#include "host/recovery/rows.h"
#include "host/stage/undo_run.h"

#define UNDO_PAUSE (20 * BR_MILLISECOND) /* before the second try; doubled each time */

#define UNDO_WRITES_MAX (UNDO_BATCH_MAX + APPLY_COMPONENTS_MAX + 8)

/* -- Batches ---------------------------------------------------------------------------------- */

struct undo_batch {
    struct arena arena;
    const struct br_write *writes[UNDO_WRITES_MAX];
    uint32_t count;
};

static void batch_add(struct undo_batch *batch, const struct br_write *write)
{
    struct br_write *copy = arena_alloc(&batch->arena, sizeof *copy);
    *copy = *write;
    copy->path = arena_text(&batch->arena, write->path, strlen(write->path));
    if (write->value.size)
        copy->value.data = arena_text(&batch->arena, write->value.data, write->value.size);
    batch->writes[batch->count++] = copy;
}

static void batch_begin(const struct undo *undo, struct undo_batch *batch)
{
    batch->count = 0;
    arena_init(&batch->arena, 0);
    if (undo->fence)
        batch_add(batch, &(struct br_write){ .kind = BR_FENCE, .path = undo->fence });
}

static void batch_put(struct undo_batch *batch, const char *path, int64_t version,
                      const char *value)
{
    batch_add(batch, &(struct br_write){ .kind = BR_PUT,
                                         .path = path,
                                         .value = { value, strlen(value) },
                                         .version = version });
}

static void batch_delete(struct undo_batch *batch, const char *path, int64_t version)
{
    batch_add(batch, &(struct br_write){ .kind = BR_DELETE, .path = path, .version = version });
}

/* -- Trying again ----------------------------------------------------------------------------- */

struct undoing {
    struct undo undo;
    struct deed *of;
    struct audit audit;
    uint32_t attempts; /* failures in a row */
    bool marked;
    struct buf apps, journal; /* paths */
};

static bool undoing_failed(struct undoing *undoing, const char *word, const char *why)
{
    return deed_say(undoing->undo.result, DEED_FAILED, word, "%s; %s", why,
                    undoing->marked ? "nothing of the plan is visible any more, and undoing it "
                                      "again finishes it"
                                    : "undoing it again tells how far it went");
}

static bool undoing_soft(br_status status)
{
    return status == BR_NOTFOUND || status == BR_EXISTS || status == BR_CONFLICT
           || status == BR_UNAVAILABLE || status == BR_CANCELED || status == BR_TIMEOUT
           || status == BR_UNKNOWN;
}

/* After a failure: is it worth another try?  Pauses. */
static bool undoing_again(struct undoing *undoing, const struct fail *fail)
{
    if (!undoing_soft(fail->status) || ++undoing->attempts >= UNDO_ATTEMPTS_MAX)
        return undoing_failed(undoing, "failed", fail->text);
    tool_pause(undoing->undo.tool, UNDO_PAUSE << (undoing->attempts - 1));
    return true;
}

static bool undoing_interrupted(struct undoing *undoing)
{
    return undoing->of->interrupted && !undoing_failed(undoing, "interrupted", "interrupted");
}

/* Commits and frees it; false: *ret_fail. */
static bool undoing_commit(struct undoing *undoing, struct undo_batch *batch, struct fail *ret_fail)
{
    struct tool_answer answer;
    tool_commit(undoing->undo.tool, batch->writes, batch->count, &answer);
    bool ok = answer.status == BR_OK;
    if (ok)
        undoing->attempts = 0;
    else
        *ret_fail = answer.fail;
    tool_answer_done(&answer);
    arena_done(&batch->arena);
    return ok;
}

/* What begins or ends with this batch. */
static void undoing_set_audit(const struct undoing *undoing, struct undo_batch *batch,
                              const char *step)
{
    struct buf path = { 0 };
    struct buf line = { 0 };
    audit_entry(&undoing->audit, undoing->undo.root, step, AUDIT_ENTRY_MAX, &path, &line);
    batch_add(batch, &(struct br_write){
                         .kind = BR_CREATE, .path = path.data, .value = buf_bytes(&line) });
    if (strcmp(step, "begin") == 0)
        audit_append(&undoing->audit, &line);
    buf_done(&path);
    buf_done(&line);
}

/* What the store says now; false: it does not answer, or somebody else writes. */
static bool undoing_look(struct undoing *undoing, struct fail *ret_fail)
{
    struct undo *undo = &undoing->undo;
    if (tool_look(undo->tool, undo->root, &undo->facts, ret_fail) != BR_OK)
        return false;
    undoing->marked = undo->facts.state == ROOT_OURS && root_undoing(&undo->facts);
    return true;
}

static bool undoing_is(const struct undoing *undoing, enum journal_state state)
{
    const struct apply_journal *journal = &undoing->undo.facts.journal;
    return journal->state == state
           && strcmp(journal->hash, undoing->undo.deed->plan->plan.hash) == 0;
}

/* -- Mark -------------------------------------------------------------------------------------
 *
 * Without the lock, because standing for it counts: `apps` becomes "lock", so that nobody can begin
 * to serve; then everything is looked at once more, and if nobody has stood up to then, nobody
 * serves.  Only after the journal says so do we stand.  Each write names the versions of both
 * nodes.
 */

static bool undoing_put(struct undoing *undoing, enum journal_state state, const char *apps,
                        struct fail *ret_fail)
{
    struct undo *undo = &undoing->undo;
    struct apply_journal journal = undo->facts.journal;
    struct undo_batch batch;
    struct buf json = { 0 };
    journal.state = state;
    apply_journal_put(&journal, undo->deed->plan->plan.records, &json);
    batch_begin(undo, &batch);
    batch_put(&batch, undoing->apps.data, undo->facts.apps_version, apps);
    batch_put(&batch, undoing->journal.data, undo->facts.journal_version, json.data);
    if (state != JOURNAL_UNDOING)
        undoing_set_audit(undoing, &batch, state == JOURNAL_MARKING ? "begin" : "failed");
    buf_done(&json);
    return undoing_commit(undoing, &batch, ret_fail);
}

/* Marked, and it must not be undone: visible again, as it was.  What is refused stays said. */
static bool undoing_unmark(struct undoing *undoing)
{
    struct fail fail = { .status = BR_OK };
    for (;;) {
        bool looked = undoing_look(undoing, &fail);
        if (looked && !undoing_is(undoing, JOURNAL_MARKING))
            return false;
        if ((!looked || !undoing_put(undoing, JOURNAL_DONE, LAYOUT_UNLOCK, &fail))
            && !undoing_again(undoing, &fail))
            return false;
    }
}

/* The next step towards JOURNAL_UNDOING; *ret_good false: it must not be taken. */
static bool undoing_step(struct undoing *undoing, bool *ret_good, struct fail *ret_fail)
{
    struct undo *undo = &undoing->undo;
    *ret_good = undo_check_tree(undo) && undo_check_elections(undo);
    if (!*ret_good)
        return true;
    return undoing_put(undoing, undoing->marked ? JOURNAL_UNDOING : JOURNAL_MARKING, LAYOUT_LOCK,
                       ret_fail);
}

static bool undoing_mark(struct undoing *undoing)
{
    struct undo *undo = &undoing->undo;
    struct fail fail = { .status = BR_OK };
    for (;;) {
        bool looked = undoing_look(undoing, &fail), good = true;
        if (looked && undoing->marked && undoing_is(undoing, JOURNAL_UNDOING))
            return true;
        if (looked && !(undo->facts.state != ROOT_OURS && undoing_is(undoing, JOURNAL_DONE))
            && !(undoing->marked && undoing_is(undoing, JOURNAL_MARKING)))
            return deed_say(undo->result, DEED_REFUSED, "changed",
                            "somebody else writes to %s: nothing was undone", undo->root);
        if (undoing_interrupted(undoing))
            return false;
        bool ok = looked && undoing_step(undoing, &good, &fail);
        if (!good)
            return undoing->marked && undoing_unmark(undoing);
        if (!ok && !undoing_again(undoing, &fail))
            return false;
    }
}

/* -- Delete ----------------------------------------------------------------------------------- */

/* Records in one batch: of paths alone, beside the fence and the check. */
static uint32_t undoing_limit(const struct undoing *undoing)
{
    const struct br_store *ops = &undoing->undo.tool->store.ops.store;
    const size_t fence = undoing->undo.fence ? strlen(undoing->undo.fence) : 0;
    const size_t head = fence + undoing->apps.size + 2 * (size_t) ops->write_overhead;
    const size_t each = undoing->undo.deed->plan->plan.widest_path + ops->write_overhead;
    size_t limit = UNDO_BATCH_MAX;
    if (ops->batch_ops_max && ops->batch_ops_max < limit + 2)
        limit = ops->batch_ops_max > 2 ? ops->batch_ops_max - 2 : 1;
    if (ops->batch_bytes_max && (limit * each + head) > ops->batch_bytes_max)
        limit = ops->batch_bytes_max > head + each ? (ops->batch_bytes_max - head) / each : 1;
    return (uint32_t) limit;
}

/* What of the chunk is still there goes; false: *ret_fail, or status BR_OK in it where the result
 * says it all. */
static bool undoing_delete_chunk(struct undoing *undoing, const struct undo_chunk *chunk,
                                 struct fail *ret_fail)
{
    struct undo *undo = &undoing->undo;
    struct undo_batch batch;
    struct rows rows = { .chunk = chunk->answer.chunks };
    batch_begin(undo, &batch);
    batch_add(&batch, &(struct br_write){ .kind = BR_CHECK,
                                          .path = undoing->apps.data,
                                          .version = undo->facts.apps_version });
    uint32_t head = batch.count;
    for (uint32_t i = 0; i < chunk->count; i++) {
        const struct br_value *value = rows_value(&rows);
        if (value && value->status == BR_NOTFOUND)
            continue; /* an earlier attempt was here */
        if (!undo_is_ours(undo, chunk->paths[i], chunk->planned[i], value)) {
            arena_done(&batch.arena);
            undo->result->exit = DEED_FAILED;
            ret_fail->status = BR_OK;
            return undoing_failed(undoing, "changed", "undoing stopped there");
        }
        batch_delete(&batch, chunk->paths[i], value->version);
    }
    if (batch.count > head)
        return undoing_commit(undoing, &batch, ret_fail);
    arena_done(&batch.arena);
    return true;
}

static bool undoing_delete(struct undoing *undoing)
{
    struct undo *undo = &undoing->undo;
    const uint32_t limit = undoing_limit(undoing);
    struct undo_at at = { 0 };
    uint64_t done = 0;
    while (done < undo->deed->plan->plan.records) {
        struct undo_chunk chunk;
        struct fail fail = { .status = BR_OK };
        struct undo_at next = at;
        if (undoing_interrupted(undoing))
            return false;
        bool ok = undo_chunk(undo, &next, limit, &chunk) == BR_OK;
        if (!ok)
            fail = chunk.answer.fail;
        ok = ok && undoing_delete_chunk(undoing, &chunk, &fail);
        if (ok) {
            at = next;
            done += chunk.count;
            undo->result->records = done;
            undo_report(undo, "deleting", done);
        }
        undo_chunk_done(&chunk);
        if (!ok && (fail.status == BR_OK || !undoing_again(undoing, &fail)))
            return false;
    }
    return true;
}

/* -- Restore ---------------------------------------------------------------------------------- */

/* What stands in the way of deleting the node at `path`: its children but those that the batch
 * deletes. */
static br_status undoing_alone(const struct undoing *undoing, const struct undo_batch *batch,
                               const char *path, bool *ret_alone, struct fail *ret_fail)
{
    struct tool_answer answer;
    const char *name;
    tool_list(undoing->undo.tool, path, &answer);
    br_status status = answer.status;
    *ret_alone = status == BR_OK;
    struct rows rows = { .chunk = status == BR_OK ? answer.chunks : NULL };
    while ((name = rows_name(&rows))) {
        struct buf child = { 0 };
        bool goes = false;
        buf_printf(&child, "%s/%s", path, name);
        for (uint32_t i = 0; i < batch->count; i++)
            goes = goes
                   || (batch->writes[i]->kind == BR_DELETE
                       && strcmp(batch->writes[i]->path, child.data) == 0);
        *ret_alone = *ret_alone && goes;
        buf_done(&child);
    }
    if (status != BR_OK)
        *ret_fail = answer.fail;
    tool_answer_done(&answer);
    return status == BR_NOTFOUND ? BR_OK : status;
}

/* A node that was made empty goes where it is as it was made; *ret_goes. */
static br_status undoing_drop(const struct undoing *undoing, struct undo_batch *batch,
                              const char *path, bool *ret_goes, struct fail *ret_fail)
{
    struct tool_answer answer;
    br_status status = undoing_alone(undoing, batch, path, ret_goes, ret_fail);
    if (status != BR_OK || !*ret_goes)
        return status;
    tool_read(undoing->undo.tool, &path, 1, &answer);
    struct rows rows = { .chunk = answer.status == BR_OK ? answer.chunks : NULL };
    const struct br_value *value = rows_value(&rows);
    *ret_goes = value && value->status == BR_OK && value->version == 0 && value->value.size == 0;
    if (*ret_goes)
        batch_delete(batch, path, 0);
    status = answer.status;
    if (status != BR_OK)
        *ret_fail = answer.fail;
    tool_answer_done(&answer);
    return status;
}

static br_status undoing_drop_after(const struct undoing *undoing, struct undo_batch *batch,
                                    struct fail *ret_fail)
{
    const struct apply_journal *journal = &undoing->undo.facts.journal;
    const bool before[APPLY_AFTER] = { journal->bulk_load, journal->backup };
    br_status status = BR_OK;
    for (uint32_t i = 0; status == BR_OK && i < APPLY_AFTER; i++) {
        bool goes;
        const char *path = apply_after_path(&batch->arena, undoing->undo.root, i);
        if (!before[i])
            status = undoing_drop(undoing, batch, path, &goes, ret_fail);
    }
    return status;
}

/* The last batch; false: *ret_fail. */
static bool undoing_send_restore(struct undoing *undoing, struct fail *ret_fail)
{
    const struct root_facts *facts = &undoing->undo.facts;
    struct undo_batch batch;
    batch_begin(&undoing->undo, &batch);
    if (facts->journal.apps == APPS_ABSENT)
        batch_delete(&batch, undoing->apps.data, facts->apps_version);
    else
        batch_put(&batch, undoing->apps.data, facts->apps_version,
                  facts->journal.apps == APPS_EMPTY ? "" : LAYOUT_UNLOCK);
    batch_delete(&batch, undoing->journal.data, facts->journal_version);
    undoing_set_audit(undoing, &batch, "done");
    br_status status = undoing_drop_after(undoing, &batch, ret_fail);
    if (status == BR_OK)
        return undoing_commit(undoing, &batch, ret_fail);
    arena_done(&batch.arena);
    return false;
}

/* Until the store says that the journal is gone. */
static bool undoing_restore(struct undoing *undoing)
{
    struct undo *undo = &undoing->undo;
    struct fail fail = { .status = BR_OK };
    for (;;) {
        bool looked = undoing_look(undoing, &fail);
        if (looked && undo->facts.journal.state == JOURNAL_NONE)
            return true;
        if (looked
            && (!undoing->marked || !undoing_is(undoing, JOURNAL_UNDOING)
                || undo->facts.table_count))
            return undoing_failed(undoing, "changed",
                                  "somebody else wrote below `apps` while it was \"lock\"");
        if (undoing_interrupted(undoing))
            return false;
        if ((!looked || !undoing_send_restore(undoing, &fail)) && !undoing_again(undoing, &fail))
            return false;
    }
}

/* -- The whole -------------------------------------------------------------------------------- */

/* Now that we lead: is it still to be done, or did somebody finish it meanwhile? */
static bool undoing_led(struct undoing *undoing)
{
    struct undo *undo = &undoing->undo;
    struct fail fail = { .status = BR_OK };
    undo->fence = undoing->of->fence;
    while (!undoing_look(undoing, &fail)) {
        if (!undoing_again(undoing, &fail))
            return false;
    }
    if (undo->facts.journal.state == JOURNAL_NONE)
        return true;
    if (!undoing->marked || !undoing_is(undoing, JOURNAL_UNDOING))
        return undoing_failed(undoing, "changed", "somebody else writes to this root");
    return undoing_delete(undoing) && undoing_restore(undoing);
}

static bool undoing_lead(struct undoing *undoing)
{
    struct deed_result *result = undoing->undo.result;
    if (deed_lead(undoing->of, undoing->undo.deed->wait, result))
        return true;
    result->exit = DEED_FAILED; /* it is marked */
    return undoing_failed(undoing, result->word, "it is not finished");
}

static void undoing_run(struct undoing *undoing)
{
    struct undo *undo = &undoing->undo;
    struct deed_result *result = undo->result;
    const char *config = undo->tool->file ? undo->tool->file : "CONFIG";
    layout_apps_path(&undoing->apps, undo->root);
    layout_journal_path(&undoing->journal, undo->root);
    if (undoing_mark(undoing) && undoing_lead(undoing) && undoing_led(undoing))
        deed_say(result, DEED_DONE, "undone", "%llu records were taken back from %s",
                 (unsigned long long) undo->deed->plan->plan.records, undo->root);
    else if (result->exit == DEED_FAILED)
        buf_printf(&result->next, "bridle undo %s -c %s", undo->deed->file, config);
    audit_note(&undoing->audit, result->exit == DEED_DONE ? "done" : "failed",
               buf_string(&result->text));
    buf_done(&undoing->apps);
    buf_done(&undoing->journal);
}

void stage_undo(const struct stage_deed *deed, struct tool *tool, struct deed_result *result)
{
    struct fail fail = { .status = BR_OK };
    struct deed of;
    struct undoing undoing = { .of = &of };
    if (tool_open_store_to_write(tool, &fail) != BR_OK) {
        deed_say(result, DEED_FAILED, "failed", "%s; nothing was written", fail.text);
        return;
    }
    undoing.undo = (struct undo){
        .deed = deed, .tool = tool, .root = tool->store_root.data, .result = result
    };
    stage_audit(deed, tool, "undo", &undoing.audit);
    deed_begin(&of, tool);
    undoing_run(&undoing);
    audit_done(&undoing.audit);
    deed_end(&of, result);
}
