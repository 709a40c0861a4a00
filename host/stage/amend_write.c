/* amend_write -- an amendment into the store: in one batch, or behind "lock".  Each step begins
 * with a look, so that an answer that never came makes no difference.  See amend.h.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/rows.h"
#include "host/stage/amend_run.h"

#define AMEND_ATTEMPTS_MAX 8                     /* failures in a row before it is given up */
#define AMEND_PAUSE        (20 * BR_MILLISECOND) /* before the second try; doubled each time */
#define AMEND_BATCH_MAX    1000                  /* records of one batch behind "lock" */
#define AMEND_HEAD_OPS     4                     /* the fence, `apps`, the journal, the audit */
#define AMEND_AUDIT_MAX    2048                  /* bytes of an audit's entry, and of its path */

struct amend_writing {
    const struct stage_deed *deed;
    const struct deed *of;
    struct tool *tool;
    struct deed_result *result;
    const char *root;
    struct buf apps, journal; /* paths */
    struct audit audit;
    struct root_facts facts;
    uint32_t attempts; /* failures in a row */
    bool issued;       /* a batch was sent whose answer is not known */
    bool marked;
};

/* -- Trying again ----------------------------------------------------------------------------- */

static bool writing_failed(struct amend_writing *writing, const char *word, const char *why)
{
    const char *left = "nothing was written";
    if (writing->marked)
        left = "nothing of the cluster is visible until applying it again has finished it";
    else if (writing->issued)
        left = "whether it was written is not known: applying it again tells";
    return deed_say(writing->result, DEED_FAILED, word, "%s; %s", why, left);
}

/* After a failure: is it worth another try?  Pauses. */
static bool writing_again(struct amend_writing *writing, const struct fail *fail)
{
    bool soft = fail->status == BR_NOTFOUND || fail->status == BR_EXISTS
                || fail->status == BR_CONFLICT || fail->status == BR_UNAVAILABLE
                || fail->status == BR_CANCELED || fail->status == BR_TIMEOUT
                || fail->status == BR_UNKNOWN;
    if (!soft || ++writing->attempts >= AMEND_ATTEMPTS_MAX)
        return writing_failed(writing, "failed", fail->text);
    tool_pause(writing->tool, AMEND_PAUSE << (writing->attempts - 1));
    return true;
}

/* -- Batches ---------------------------------------------------------------------------------- */

struct amend_batch {
    struct arena arena;
    const struct br_write **writes;
    uint32_t count;
};

static void batch_add(struct amend_batch *batch, const struct br_write *write)
{
    struct br_write *copy = arena_alloc(&batch->arena, sizeof *copy);
    *copy = *write;
    copy->path = arena_text(&batch->arena, write->path, strlen(write->path));
    if (write->value.size)
        copy->value.data = arena_text(&batch->arena, write->value.data, write->value.size);
    batch->writes[batch->count++] = copy;
}

static void batch_begin(const struct amend_writing *writing, struct amend_batch *batch,
                        uint32_t records)
{
    *batch = (struct amend_batch){ .count = 0 };
    arena_init(&batch->arena, 0);
    batch->writes =
        arena_alloc(&batch->arena, ((size_t) records + AMEND_HEAD_OPS) * sizeof *batch->writes);
    if (writing->of->fence)
        batch_add(batch, &(struct br_write){ .kind = BR_FENCE, .path = writing->of->fence });
}

static void batch_put(struct amend_batch *batch, const char *path, int64_t version,
                      const char *value)
{
    batch_add(batch, &(struct br_write){ .kind = BR_PUT,
                                         .path = path,
                                         .value = { value, strlen(value) },
                                         .version = version });
}

static void batch_check_apps(const struct amend_writing *writing, struct amend_batch *batch)
{
    batch_add(batch, &(struct br_write){ .kind = BR_CHECK,
                                         .path = writing->apps.data,
                                         .version = writing->facts.apps_version });
}

/* The journal's next value. */
static void writing_journal(const struct amend_writing *writing, enum journal_state state,
                            struct buf *buf)
{
    struct apply_journal journal = writing->facts.journal;
    journal.state = state;
    memcpy(journal.amendment, writing->deed->amendment->hash, sizeof journal.amendment);
    apply_journal_put(&journal, journal.records, buf);
}

static void batch_put_journal(const struct amend_writing *writing, struct amend_batch *batch,
                              enum journal_state state)
{
    struct buf json = { 0 };
    writing_journal(writing, state, &json);
    batch_put(batch, writing->journal.data, writing->facts.journal_version, json.data);
    buf_done(&json);
}

/* What begins, or is done, with this batch; one that is too long stands in the file alone. */
static void batch_put_audit(const struct amend_writing *writing, struct amend_batch *batch,
                            const char *step)
{
    struct buf path = { 0 };
    struct buf line = { 0 };
    audit_entry(&writing->audit, writing->root, step, AMEND_AUDIT_MAX / 2, &path, &line);
    if (path.size + line.size <= AMEND_AUDIT_MAX)
        batch_add(batch, &(struct br_write){
                             .kind = BR_CREATE, .path = path.data, .value = buf_bytes(&line) });
    buf_done(&path);
    buf_done(&line);
}

/* Commits and frees it; false: *ret_fail. */
static bool writing_commit(struct amend_writing *writing, struct amend_batch *batch,
                           struct fail *ret_fail)
{
    struct tool_answer answer;
    writing->issued = true;
    tool_commit(writing->tool, batch->writes, batch->count, &answer);
    bool ok = answer.status == BR_OK;
    if (ok)
        writing->attempts = 0;
    else
        *ret_fail = answer.fail;
    tool_answer_done(&answer);
    arena_done(&batch->arena);
    return ok;
}

/* -- Limits ----------------------------------------------------------------------------------- */

static uint64_t writing_size(const struct amend_writing *writing, const struct amend_record *record)
{
    return strlen(writing->root) + 1 + strlen(record->path) + strlen(record->value)
           + writing->tool->store.ops.store.write_overhead;
}

/* The fence, `apps`, the journal, the audit. */
static uint64_t writing_head(const struct amend_writing *writing)
{
    struct buf json = { 0 };
    writing_journal(writing, JOURNAL_AMENDING, &json);
    uint64_t size = (writing->of->fence ? strlen(writing->of->fence) : 0) + writing->apps.size
                    + sizeof LAYOUT_UNLOCK + writing->journal.size + json.size + AMEND_AUDIT_MAX
                    + AMEND_HEAD_OPS * (uint64_t) writing->tool->store.ops.store.write_overhead;
    buf_done(&json);
    return size;
}

/* So many records from number `from` on fit into a batch. */
static uint32_t writing_fit(const struct amend_writing *writing, uint32_t from)
{
    const struct br_store *ops = &writing->tool->store.ops.store;
    const struct stage_amendment *amendment = writing->deed->amendment;
    uint64_t size = writing_head(writing);
    uint32_t count = 0;
    while (from + count < amendment->record_count) {
        size += writing_size(writing, &amendment->records[from + count]);
        if ((ops->batch_bytes_max && size > ops->batch_bytes_max)
            || (ops->batch_ops_max && count + 1 + AMEND_HEAD_OPS > ops->batch_ops_max))
            break;
        count++;
    }
    return count;
}

static bool writing_all_fit(struct amend_writing *writing)
{
    const struct stage_amendment *amendment = writing->deed->amendment;
    const struct br_store *ops = &writing->tool->store.ops.store;
    const uint64_t head = writing_head(writing);
    for (uint32_t i = 0; i < amendment->record_count; i++) {
        if (ops->batch_bytes_max
            && head + writing_size(writing, &amendment->records[i]) > ops->batch_bytes_max)
            return deed_say(writing->result, DEED_REFUSED, "refused",
                            "%s/%s is larger than a batch of this store takes; nothing was written",
                            amendment->root, amendment->records[i].path);
    }
    return true;
}

/* -- Records ---------------------------------------------------------------------------------- */

/* What is not yet what it shall be is added; false: *ret_fail, or status BR_OK in it where the
 * result says it all. */
static bool writing_add(struct amend_writing *writing, struct amend_batch *batch, uint32_t from,
                        uint32_t count, struct fail *ret_fail)
{
    const struct stage_amendment *amendment = writing->deed->amendment;
    struct tool_answer answer;
    struct buf path = { 0 };
    amend_records(amendment, writing->tool, writing->root, from, count, &answer);
    bool ok = answer.status == BR_OK;
    if (!ok)
        *ret_fail = answer.fail;
    struct rows rows = { .chunk = answer.chunks };
    for (uint32_t i = 0; ok && i < count; i++) {
        const struct amend_record *record = &amendment->records[from + i];
        const struct br_value *value = rows_value(&rows);
        enum amend_is is = amend_is(record, value);
        buf_clear(&path);
        buf_printf(&path, "%s/%s", strcmp(writing->root, "/") == 0 ? "" : writing->root,
                   record->path);
        if (is == AMEND_IS_OLD)
            batch_add(batch, &(struct br_write){ .kind = record->old ? BR_PUT : BR_CREATE,
                                                 .path = path.data,
                                                 .value = { record->value, strlen(record->value) },
                                                 .version = record->old ? value->version : 0 });
        if (is == AMEND_IS_OTHER) {
            ret_fail->status = BR_OK;
            buf_text(&path, " was written to by somebody else");
            ok = writing_failed(writing, "changed", path.data);
        }
    }
    buf_done(&path);
    tool_answer_done(&answer);
    return ok;
}

/* All of it at once. */
static bool writing_send_one(struct amend_writing *writing, struct fail *ret_fail)
{
    uint32_t count = writing->deed->amendment->record_count;
    struct amend_batch batch;
    batch_begin(writing, &batch, count);
    batch_check_apps(writing, &batch);
    batch_put_journal(writing, &batch, JOURNAL_DONE);
    batch_put_audit(writing, &batch, "done");
    if (writing_add(writing, &batch, 0, count, ret_fail))
        return writing_commit(writing, &batch, ret_fail);
    arena_done(&batch.arena);
    return false;
}

static bool writing_send_chunk(struct amend_writing *writing, uint32_t from, uint32_t count,
                               struct fail *ret_fail)
{
    struct amend_batch batch;
    batch_begin(writing, &batch, count);
    batch_check_apps(writing, &batch);
    const uint32_t head = batch.count;
    bool ok = writing_add(writing, &batch, from, count, ret_fail);
    if (ok && batch.count > head)
        return writing_commit(writing, &batch, ret_fail);
    arena_done(&batch.arena);
    return ok;
}

/* `apps` and the journal together: the beginning and the end of what takes several batches. */
static bool writing_send_mark(struct amend_writing *writing, const char *apps,
                              enum journal_state state, struct fail *ret_fail)
{
    struct amend_batch batch;
    batch_begin(writing, &batch, 0);
    batch_put(&batch, writing->apps.data, writing->facts.apps_version, apps);
    batch_put_journal(writing, &batch, state);
    batch_put_audit(writing, &batch, state == JOURNAL_DONE ? "done" : "begin");
    return writing_commit(writing, &batch, ret_fail);
}

/* Behind "lock".  False: *ret_fail, or status BR_OK in it where the result says it all. */
static bool writing_chunks(struct amend_writing *writing, struct fail *ret_fail)
{
    const struct stage_deed *deed = writing->deed;
    const uint32_t total = deed->amendment->record_count;
    uint32_t from = 0;
    while (from < total) {
        uint32_t count = writing_fit(writing, from);
        count = count > AMEND_BATCH_MAX ? AMEND_BATCH_MAX : count;
        if (writing->of->interrupted) {
            ret_fail->status = BR_OK;
            return writing_failed(writing, "interrupted", "interrupted");
        }
        if (!writing_send_chunk(writing, from, count, ret_fail)) {
            if (ret_fail->status == BR_OK || !writing_again(writing, ret_fail)) {
                ret_fail->status = BR_OK;
                return false;
            }
            continue;
        }
        from += count;
        if (deed->progress)
            deed->progress(deed->arg, "writing", from, total);
    }
    return writing_send_mark(writing, LAYOUT_UNLOCK, JOURNAL_DONE, ret_fail);
}

/* -- The whole -------------------------------------------------------------------------------- */

enum amend_next { AMEND_END, AMEND_ONWARD, AMEND_WRITTEN };

/* The root as it was just looked at: one step further.  False in *ret_fail: try again. */
static enum amend_next writing_step(struct amend_writing *writing, struct fail *ret_fail)
{
    const struct stage_amendment *amendment = writing->deed->amendment;
    const struct apply_journal *journal = &writing->facts.journal;
    bool ours = strcmp(journal->amendment, amendment->hash) == 0;
    bool open = writing->facts.state == ROOT_TABLES || writing->facts.state == ROOT_EMPTY;
    uint32_t left;
    writing->marked = ours && !open && journal->state == JOURNAL_AMENDING;
    if (ours && open && journal->state == JOURNAL_DONE)
        return AMEND_WRITTEN;
    if (writing->marked)
        return writing_chunks(writing, ret_fail) ? AMEND_ONWARD : AMEND_END;
    if (!open || journal->state != JOURNAL_DONE || strcmp(journal->hash, amendment->plan) != 0) {
        deed_say(writing->result, DEED_REFUSED, "changed", "%s; nothing was written",
                 writing->facts.text);
        return AMEND_END;
    }
    if (writing->of->interrupted) {
        writing_failed(writing, "interrupted", "interrupted");
        return AMEND_END;
    }
    bool ok =
        amend_compare(writing->deed, writing->tool, writing->root, &left, writing->result, ret_fail)
        && writing_all_fit(writing);
    if (ok && writing_fit(writing, 0) == amendment->record_count)
        ok = writing_send_one(writing, ret_fail);
    else if (ok)
        ok = writing_send_mark(writing, LAYOUT_LOCK, JOURNAL_AMENDING, ret_fail);
    return ok ? AMEND_ONWARD : AMEND_END;
}

/* Until the store says that it is written. */
static bool writing_run(struct amend_writing *writing)
{
    for (;;) {
        struct fail fail = { .status = BR_OK };
        enum amend_next next = AMEND_END;
        if (tool_look(writing->tool, writing->root, &writing->facts, &fail) == BR_OK)
            next = writing_step(writing, &fail);
        if (next == AMEND_WRITTEN)
            return true;
        if (next == AMEND_END && (fail.status == BR_OK || !writing_again(writing, &fail)))
            return false;
    }
}

static void amend_audit(const struct stage_deed *deed, const struct tool *tool, struct audit *ret)
{
    const struct stage_amendment *amendment = deed->amendment;
    const char **servers = mem_array((size_t) amendment->server_count + 1, sizeof *servers);
    memcpy(servers, amendment->servers, amendment->server_count * sizeof *servers);
    *ret = (struct audit){ .loop = tool->loop,
                           .file = tool->config.recovery.audit_file,
                           .program = "bridle",
                           .deed = "amend",
                           .plan = amendment->hash,
                           .cluster = amendment->cluster_name,
                           .root = amendment->root,
                           .asked_by = "" };
    audit_add(ret, "file", deed->file);
    audit_add(ret, "amends", amendment->plan);
    audit_add_list(ret, "nodes", servers);
    free(servers);
    for (uint32_t i = 0; i < amendment->finding_count; i++)
        audit_add_finding(ret, BR_WARNING, false, amendment->findings[i]);
}

void amend_write(const struct stage_deed *deed, const struct deed *of, struct tool *tool,
                 struct deed_result *result)
{
    struct amend_writing writing = {
        .deed = deed, .of = of, .tool = tool, .result = result, .root = tool->store_root.data
    };
    const char *config = tool->file ? tool->file : "CONFIG";
    layout_apps_path(&writing.apps, writing.root);
    layout_journal_path(&writing.journal, writing.root);
    amend_audit(deed, tool, &writing.audit);
    audit_note(&writing.audit, "begin", "");
    if (writing_run(&writing)) {
        result->records = deed->amendment->record_count;
        deed_say(result, DEED_DONE, "applied", "%llu records are changed at %s",
                 (unsigned long long) result->records, tool->root.data);
        buf_printf(&result->next, "bridle verify %s -c %s", deed->file, config);
    } else if (result->exit == DEED_FAILED) {
        buf_printf(&result->next, "bridle apply %s -c %s", deed->file, config);
    }
    audit_note(&writing.audit, result->exit == DEED_DONE ? "done" : "failed",
               buf_string(&result->text));
    audit_done(&writing.audit);
    buf_done(&writing.apps);
    buf_done(&writing.journal);
}

void stage_amend_apply(const struct stage_deed *deed, struct tool *tool, struct deed_result *result)
{
    struct fail fail = { .status = BR_OK };
    struct deed of;
    if (tool_open_store_to_write(tool, &fail) != BR_OK) {
        deed_say(result, DEED_FAILED, "failed", "%s; nothing was written", fail.text);
        return;
    }
    deed_begin(&of, tool);
    if (deed_lead(&of, deed->wait, result))
        amend_write(deed, &of, tool, result);
    else
        buf_text(&result->text, "nothing was written\n");
    deed_end(&of, result);
}
