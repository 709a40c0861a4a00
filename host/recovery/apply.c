/* apply -- look at the root, lock it (or claim what an earlier attempt left), write, unlock.
 *
 * After every lock, claim or unlock the root is looked at again: what is there decides how it goes
 * on, so that an answer that never came makes no difference.  A claim puts "lock" over "lock" to
 * raise the version: what an earlier attempt still had in flight fails from then on.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/apply_run.h"
#include "host/recovery/rows.h"

#define APPLY_PAUSE     (20 * BR_MILLISECOND) /* before the second try; doubled each time */
#define APPLY_EXTRA_OPS 2                     /* the fence and the check */

static void apply_look(struct apply *apply);

static void apply_free(struct apply *apply)
{
    root_look_cancel(apply->look);
    if (apply->call)
        call_forget(apply->call);
    walk_forget(apply);
    converge_forget(apply);
    timer_cancel(apply->timer);
    buf_done(&apply->apps);
    buf_done(&apply->journal);
    free(apply);
}

void apply_cancel(struct apply *apply)
{
    if (apply)
        apply_free(apply);
}

/* What the failure left, for the operator. */
static const char *apply_left(const struct apply *apply, br_status status)
{
    if (apply->unlocking && (status != BR_FENCED || apply->attempts)) /* an unlock before it? */
        return "whether the recovered tables became visible is not known: asking again tells";
    if (apply->locked)
        return "nothing of it is visible (`apps` is \"lock\"): asking again continues";
    if (apply->issued)
        return "nothing of it is visible, at most our mark was left: asking again continues";
    return "nothing was written";
}

static void apply_tell(struct apply *apply, br_status status, struct buf *text)
{
    struct apply_request request = apply->request;
    if (status != BR_OK)
        log_put(apply->loop->log, BR_ERROR, "apply", "%s", text->data);
    if (request.audit)
        audit_note(request.audit, status == BR_OK ? "done" : "failed", buf_string(text));
    apply_free(apply);
    request.done(request.arg, status, buf_string(text));
    buf_done(text);
}

/* The root is not, or no longer, ours to write: what was found there says it all. */
static void apply_end_facts(struct apply *apply, const struct root_facts *facts)
{
    struct buf text = { 0 };
    if (apply->issued)
        buf_text(&text, "somebody else writes to the same root: ");
    buf_text(&text, facts->text);
    apply_tell(apply, facts->state == ROOT_TABLES ? BR_EXISTS : BR_CONFLICT, &text);
}

void apply_end(struct apply *apply, br_status status, const char *message)
{
    struct buf text = { 0 };
    if (status == BR_FENCED)
        buf_printf(&text, "%.256s: another meta server leads, writing stopped at once (%s); %s",
                   apply->root, message, apply_left(apply, status));
    else if (status != BR_OK)
        buf_printf(&text, "%.256s: %s; %s", apply->root, message, apply_left(apply, status));
    apply_tell(apply, status, &text);
}

bool apply_status_soft(br_status status)
{
    switch (status) {
    case BR_NOTFOUND:
    case BR_EXISTS:
    case BR_CONFLICT:
    case BR_UNAVAILABLE:
    case BR_CANCELED:
    case BR_TIMEOUT:
    case BR_UNKNOWN: return true;
    default: return false;
    }
}

static void apply_step(void *arg)
{
    struct apply *apply = arg;
    apply->timer = NULL;
    apply->step(apply);
}

void apply_soft(struct apply *apply, br_status status, const char *message,
                void (*step)(struct apply *apply))
{
    if (!apply_status_soft(status) || ++apply->attempts >= APPLY_ATTEMPTS_MAX) {
        apply_end(apply, status, message);
        return;
    }
    log_put(apply->loop->log, BR_WARN, "apply", "failure %u in a row: %s", apply->attempts,
            message);
    apply->step = step;
    apply->timer = loop_after(apply->loop, APPLY_PAUSE << (apply->attempts - 1), apply_step, apply);
}

void apply_progress_tell(struct apply *apply)
{
    if (!apply->request.progress)
        return;
    apply->request.progress(apply->request.arg,
                            &(struct apply_progress){ .written = apply->walk.walked,
                                                      .total = apply->request.plan->records,
                                                      .phase = apply->phase });
}

/* -- Batches --------------------------------------------------------------------------------- */

void batch_begin(struct batch *batch, const struct apply *apply, uint32_t records, bool check)
{
    arena_init(&batch->memory, 256 << 10);
    batch->count = 0;
    batch->writes =
        arena_alloc(&batch->memory, (records + APPLY_EXTRA_OPS) * sizeof *batch->writes);
    if (apply->request.fence)
        batch_add(batch, &(struct br_write){ .kind = BR_FENCE,
                                             .path = batch_text(batch, apply->request.fence) });
    if (check)
        batch_add(batch, &(struct br_write){ .kind = BR_CHECK,
                                             .path = batch_text(batch, apply->apps.data),
                                             .version = apply->apps_version });
}

struct br_write *batch_add(struct batch *batch, const struct br_write *write)
{
    struct br_write *copy = arena_alloc(&batch->memory, sizeof *copy);
    *copy = *write;
    batch->writes[batch->count++] = copy;
    return copy;
}

const char *batch_text(struct batch *batch, const char *text)
{
    return arena_text(&batch->memory, text, strlen(text));
}

struct br_call *batch_commit(struct batch *batch, struct apply *apply, call_done *done, void *arg)
{
    return store_commit(apply->store, (const struct br_write *const *) batch->writes, batch->count,
                        &batch->memory, 0, done, arg);
}

/* Create it, or put over the version that was seen. */
static void batch_set(struct batch *batch, const char *path, int64_t version, const char *value)
{
    batch_add(batch, &(struct br_write){ .kind = version < 0 ? BR_CREATE : BR_PUT,
                                         .path = batch_text(batch, path),
                                         .value = { batch_text(batch, value), strlen(value) },
                                         .version = version });
}

static void batch_set_journal(struct batch *batch, struct apply *apply, enum journal_state state)
{
    const struct plan *plan = apply->request.plan;
    struct buf json = { 0 };
    apply->mark.state = state;
    memcpy(apply->mark.hash, plan->hash, sizeof apply->mark.hash);
    apply_journal_put(&apply->mark, plan->records, &json);
    batch_set(batch, apply->journal.data, apply->journal_version, json.data);
    buf_done(&json);
}

/* Whatever the root was before, it is frozen from now on. */
static void batch_freeze(struct batch *batch, const struct apply *apply)
{
    if (!apply->released)
        return;
    struct buf path = { 0 };
    layout_released_path(&path, apply->root);
    batch_add(batch, &(struct br_write){ .kind = BR_DELETE,
                                         .path = batch_text(batch, path.data),
                                         .version = BR_ANY_VERSION });
    buf_done(&path);
}

/* What the store's limit leaves for one more write. */
static size_t batch_room(const struct batch *batch, const struct apply *apply)
{
    const struct br_store *ops = &apply->store->ops.store;
    size_t bytes = ops->write_overhead;
    for (uint32_t i = 0; i < batch->count; i++)
        bytes +=
            strlen(batch->writes[i]->path) + batch->writes[i]->value.size + ops->write_overhead;
    if (!ops->batch_bytes_max)
        return BR_STORE_VALUE_MAX;
    return bytes < ops->batch_bytes_max ? ops->batch_bytes_max - bytes : 0;
}

/* What begins or ends with this batch; what does not fit is in the file alone.  The end is told of
 * in the file when it is sure. */
static void batch_set_audit(struct batch *batch, const struct apply *apply, const char *step)
{
    const struct audit *audit = apply->request.audit;
    const size_t room = batch_room(batch, apply);
    struct buf path = { 0 };
    struct buf line = { 0 };
    if (!audit)
        return;
    audit_entry(audit, apply->root, step, room > BR_PATH_MAX ? room - BR_PATH_MAX : 0, &path,
                &line);
    if (path.size + line.size <= room && batch->count < apply->ops_max + APPLY_EXTRA_OPS)
        batch_set(batch, path.data, -1, line.data);
    if (strcmp(step, "begin") == 0)
        audit_note(audit, step, "");
    buf_done(&path);
    buf_done(&line);
}

/* -- Lock and claim -----------------------------------------------------------------------------
 */

/* The answer of a lock or a claim: the next look tells what came of it. */
static void apply_locked(void *arg, struct call_answer *answer)
{
    struct apply *apply = arg;
    apply->call = NULL;
    if (answer->status == BR_OK) {
        apply->attempts = 0;
        apply_look(apply);
        return;
    }
    apply_soft(apply, answer->status, answer->message, apply_look);
}

/* Sent too often?  A store that says yes and does nothing must not keep us for ever. */
static bool apply_too_often(struct apply *apply)
{
    if (++apply->locks <= APPLY_ATTEMPTS_MAX)
        return false;
    apply_end(apply, BR_CONFLICT, "`apps` could not be made \"lock\": it changes all the time");
    return true;
}

static void apply_claim(struct apply *apply)
{
    if (apply_too_often(apply))
        return;
    apply->mark.converged = true;
    apply->mark.elections = -1;
    struct batch batch;
    batch_begin(&batch, apply, 3, false);
    batch_set(&batch, apply->apps.data, apply->apps_version, LAYOUT_LOCK);
    batch_set_journal(&batch, apply, JOURNAL_WRITING);
    batch_freeze(&batch, apply);
    batch_set_audit(&batch, apply, "begin");
    apply->issued = true;
    apply->claiming = true;
    apply->call = batch_commit(&batch, apply, apply_locked, apply);
}

/* The paths above `apps` and the journal, parents first: "/a", "/a/b", "/a/b/bridle". */
static uint32_t apply_components(const struct apply *apply, struct arena *arena,
                                 const char *ret_paths[APPLY_COMPONENTS_MAX + 1])
{
    uint32_t count = 0;
    const char *journal = apply->journal.data;
    for (const char *at = strchr(journal + 1, '/'); at; at = strchr(at + 1, '/')) {
        if (count > APPLY_COMPONENTS_MAX)
            return UINT32_MAX;
        ret_paths[count++] = arena_text(arena, journal, (size_t) (at - journal));
    }
    return count;
}

static bool apply_row_there(struct rows *rows)
{
    return rows_value(rows)->status == BR_OK;
}

static void apply_components_read(void *arg, struct call_answer *answer)
{
    struct apply *apply = arg;
    apply->call = NULL;
    if (answer->status != BR_OK) {
        apply_soft(apply, answer->status, answer->message, apply_look);
        return;
    }
    struct batch batch;
    batch_begin(&batch, apply, APPLY_COMPONENTS_MAX + 4, false);
    const char *paths[APPLY_COMPONENTS_MAX + 1];
    uint32_t count = apply_components(apply, &batch.memory, paths);
    struct rows rows = rows_of(answer);
    for (uint32_t i = 0; i < count; i++) {
        if (rows_value(&rows)->status == BR_NOTFOUND)
            batch_set(&batch, paths[i], -1, "");
    }
    apply->mark.bulk_load = apply_row_there(&rows);
    apply->mark.backup = apply_row_there(&rows);
    batch_set_journal(&batch, apply, JOURNAL_WRITING);
    batch_freeze(&batch, apply);
    batch_set(&batch, apply->apps.data, apply->apps_version, LAYOUT_LOCK);
    batch_set_audit(&batch, apply, "begin");
    if (batch.count > apply->ops_max + APPLY_EXTRA_OPS) {
        arena_done(&batch.memory);
        apply_end(apply, BR_TOOBIG, "the root has more missing components than a batch takes");
        return;
    }
    apply->issued = true;
    apply->call = batch_commit(&batch, apply, apply_locked, apply);
}

/* An empty root: which of its components are missing?  They are made in the batch of the lock. */
static void apply_lock(struct apply *apply)
{
    if (apply_too_often(apply))
        return;
    struct arena memory;
    arena_init(&memory, 0);
    const char **paths = arena_alloc(&memory, (APPLY_COMPONENTS_MAX + 3) * sizeof *paths);
    uint32_t count = apply_components(apply, &memory, paths);
    if (count == UINT32_MAX) {
        arena_done(&memory);
        apply_end(apply, BR_INVALID, "the root has more components than bridle takes (64)");
        return;
    }
    for (uint32_t i = 0; i < APPLY_AFTER; i++)
        paths[count++] = apply_after_path(&memory, apply->root, i);
    apply->call = store_read(apply->store, paths, count, &memory, 0, apply_components_read, apply);
}

/* Ours, with our plan's hash, after a batch of ours: the tree is ours to write. */
static void apply_begin(struct apply *apply, const struct root_facts *facts)
{
    apply->fresh = facts->table_count == 0;
    if (!apply->fresh && !apply->claiming) {
        apply_end(apply, BR_CONFLICT,
                  "somebody else wrote below `apps` while it was being locked, which must be "
                  "looked at before the recovery is asked for again");
        return;
    }
    log_put(apply->loop->log, BR_INFO, "apply", "%s is \"lock\", writing %llu records%s",
            apply->apps.data, (unsigned long long) apply->request.plan->records,
            apply->fresh ? "" : " over what an earlier attempt left");
    if (apply->fresh)
        walk_start(apply);
    else
        converge_round(apply);
}

static void apply_done(struct apply *apply)
{
    log_put(apply->loop->log, BR_INFO, "apply", "%s is \"unlock\": %llu records are visible",
            apply->apps.data, (unsigned long long) apply->request.plan->records);
    apply_end(apply, BR_OK, "");
}

/* After an unlock whose answer did not come or was no. */
static void apply_look_unlocked(struct apply *apply, const struct root_facts *facts)
{
    bool ours = strcmp(facts->journal.hash, apply->request.plan->hash) == 0;
    if (ours && facts->journal.state == JOURNAL_DONE
        && (facts->state == ROOT_TABLES || facts->state == ROOT_EMPTY)) {
        apply_done(apply);
    } else if (ours && facts->state == ROOT_OURS && facts->apps_version == apply->apps_version
               && facts->journal_version == apply->journal_version) {
        apply_unlock(apply);
    } else {
        apply_end_facts(apply, facts);
    }
}

static void apply_looked(void *arg, const struct root_facts *facts, const struct fail *fail)
{
    struct apply *apply = arg;
    apply->look = NULL;
    if (!facts) {
        apply_soft(apply, fail->status, fail->text, apply_look);
        return;
    }
    if (apply->unlocking) {
        apply_look_unlocked(apply, facts);
        return;
    }
    /* The version tells our lock or claim from what an earlier attempt left. */
    bool ours = apply->issued && facts->apps_version != apply->apps_version
                && facts->journal.state == JOURNAL_WRITING
                && strcmp(facts->journal.hash, apply->request.plan->hash) == 0;
    apply->apps_version = facts->apps_version;
    apply->journal_version = facts->journal_version;
    apply->released = facts->released;
    switch (facts->state) {
    case ROOT_EMPTY:
        apply->mark = (struct apply_journal){ .known = true, .apps = facts->apps, .elections = -1 };
        apply_lock(apply);
        break;
    case ROOT_OURS:
        apply->locked = true;
        apply->mark = facts->journal;
        if (ours)
            apply_begin(apply, facts);
        else
            apply_claim(apply);
        break;
    case ROOT_TABLES:
    case ROOT_FOREIGN: apply_end_facts(apply, facts); break;
    }
}

static void apply_look(struct apply *apply)
{
    apply->phase = apply->unlocking ? APPLY_UNLOCK : APPLY_LOCK;
    apply->look = root_look(apply->store, apply->root, apply_looked, apply);
}

/* -- The end ------------------------------------------------------------------------------------
 */

static void apply_unlocked(void *arg, struct call_answer *answer)
{
    struct apply *apply = arg;
    apply->call = NULL;
    if (answer->status == BR_OK)
        apply_done(apply);
    else
        apply_soft(apply, answer->status, answer->message, apply_look);
}

static void apply_unlock_commit(struct apply *apply)
{
    struct batch batch;
    batch_begin(&batch, apply, 3, true);
    batch_set(&batch, apply->apps.data, apply->apps_version, LAYOUT_UNLOCK);
    batch_set_journal(&batch, apply, JOURNAL_DONE);
    batch_set_audit(&batch, apply, "done");
    apply->unlocking = true;
    apply->call = batch_commit(&batch, apply, apply_unlocked, apply);
}

static void apply_elections(void *arg, struct call_answer *answer)
{
    struct apply *apply = arg;
    apply->call = NULL;
    if (answer->status != BR_OK) {
        apply_soft(apply, answer->status, answer->message, apply_unlock);
        return;
    }
    apply->mark.elections = answer->version;
    apply_unlock_commit(apply);
}

/* While we hold the lock its number says that nobody led but us: an undo compares it. */
void apply_unlock(struct apply *apply)
{
    const char *fence = apply->request.fence;
    apply->phase = APPLY_UNLOCK;
    apply_progress_tell(apply);
    if (!fence || !apply->store->ops.store.elections) {
        apply_unlock_commit(apply);
        return;
    }
    struct buf path = { 0 };
    buf_put(&path, fence, (size_t) (strrchr(fence, '/') - fence));
    apply->call =
        store_elections(apply->store, path.size ? path.data : "/", 0, apply_elections, apply);
    buf_done(&path);
}

static void apply_count(struct apply *apply);

static void apply_counted(void *arg, struct call_answer *answer)
{
    struct apply *apply = arg;
    apply->call = NULL;
    if (answer->status != BR_OK) {
        apply_soft(apply, answer->status, answer->message, apply_count);
        return;
    }
    apply->attempts = 0;
    if (rows_count(answer, BR_ROW_NAME) == apply->request.plan->cluster->table_count)
        apply_unlock(apply);
    else
        apply_end(apply, BR_CONFLICT,
                  "somebody else wrote or deleted below `apps` while it was \"lock\", which must "
                  "be looked at before the recovery is asked for again");
}

static void apply_count(struct apply *apply)
{
    apply->call = store_list(apply->store, apply->apps.data, 0, apply_counted, apply);
}

/* A fresh tree is counted; one that was converged goes round again until nothing changes. */
void apply_walked(struct apply *apply)
{
    if (apply->fresh)
        apply_count(apply);
    else if (apply->converge.changes)
        converge_round(apply);
    else
        apply_unlock(apply);
}

/* -- The start ----------------------------------------------------------------------------------
 */

/* The store's limits, less what every batch holds beside its records. */
static void apply_limits(struct apply *apply)
{
    const struct br_store *ops = &apply->store->ops.store;
    size_t fence = apply->request.fence ? strlen(apply->request.fence) : 0;
    size_t extra = fence + apply->apps.size + (size_t) APPLY_EXTRA_OPS * ops->write_overhead;
    size_t bytes = ops->batch_bytes_max ? ops->batch_bytes_max : APPLY_BATCH_BYTES;
    uint32_t records = ops->batch_ops_max ? ops->batch_ops_max : APPLY_BATCH_OPS;
    apply->ops_max = records > APPLY_EXTRA_OPS ? records - APPLY_EXTRA_OPS : 0;
    apply->bytes_max = bytes > extra ? bytes - extra : 0;
    apply->flights = ops->batches_max ? ops->batches_max : 1;
    if (apply->flights > APPLY_FLIGHT_MAX)
        apply->flights = APPLY_FLIGHT_MAX;
}

/* Does the largest record of the plan fit? */
static bool apply_fits(const struct apply *apply)
{
    const struct br_store *ops = &apply->store->ops.store;
    const struct plan *plan = apply->request.plan;
    const size_t size = plan->widest_path + plan->largest + ops->write_overhead;
    return plan->largest <= BR_STORE_VALUE_MAX
           && (!ops->batch_bytes_max || size <= apply->bytes_max);
}

static void apply_kick(struct apply *apply)
{
    const struct plan *plan = apply->request.plan;
    struct buf text = { 0 };
    apply_limits(apply);
    if (apply->ops_max && apply_fits(apply)) {
        apply_look(apply);
        return;
    }
    if (!apply->ops_max)
        buf_printf(&text,
                   "a batch of the store takes %u operations, less than the fence, the check and "
                   "one record: use another store",
                   apply->store->ops.store.batch_ops_max);
    else
        buf_printf(&text,
                   "the record %s has %zu bytes, more than one batch of the store takes (%zu): "
                   "shorten the table's environments, or use another store",
                   plan->largest_path, plan->largest, apply->bytes_max);
    apply_end(apply, BR_TOOBIG, text.data);
    buf_done(&text);
}

struct apply *apply_start(struct loop *loop, struct plugin *store,
                          const struct apply_request *request)
{
    struct apply *apply = mem_new(sizeof *apply);
    apply->loop = loop;
    apply->store = store;
    apply->request = *request;
    apply->root = request->plan->root;
    layout_apps_path(&apply->apps, apply->root);
    layout_journal_path(&apply->journal, apply->root);
    apply->step = apply_kick;
    apply->timer = loop_after(loop, 0, apply_step, apply);
    return apply;
}
