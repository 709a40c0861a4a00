/* apply_walk -- the plan's records in order, as chunks of one batch each, several in flight.
 *
 * A chunk of which nothing can be there is created blindly; any other is read and what is missing
 * or different is written.  After a failure nothing new is begun until the chunks in flight are
 * answered; those that failed are then settled alone, in order, by reading: so it does not matter
 * whether a batch happened.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/recovery/apply_run.h"
#include "host/recovery/rows.h"

static void walk_pump(struct apply *apply);

void walk_start(struct apply *apply)
{
    struct walk *walk = &apply->walk;
    plan_cursor_done(&walk->cursor);
    *walk = (struct walk){ .cursor = plan_cursor_at(0, -1) };
    for (uint32_t i = 0; i < APPLY_FLIGHT_MAX; i++)
        walk->chunks[i].apply = apply;
    apply->phase = apply->converge.rounds > 1 ? APPLY_COMPARE : APPLY_WRITE;
    walk_pump(apply);
}

void walk_forget(struct apply *apply)
{
    struct walk *walk = &apply->walk;
    for (uint32_t i = 0; i < APPLY_FLIGHT_MAX; i++) {
        if (walk->chunks[i].call)
            call_forget(walk->chunks[i].call);
    }
    plan_cursor_done(&walk->cursor);
}

static void walk_done(struct chunk *chunk)
{
    struct apply *apply = chunk->apply;
    struct walk *walk = &apply->walk;
    chunk->state = CHUNK_FREE;
    walk->flying--;
    walk->alone = false;
    walk->walked += chunk->count;
    apply->converge.changes += chunk->changes;
    apply->attempts = 0;
    log_put(apply->loop->log, BR_DEBUG, "apply", "%llu of %llu records are written",
            (unsigned long long) walk->walked, (unsigned long long) apply->request.plan->records);
    apply_progress_tell(apply);
    walk_pump(apply);
}

/* Nothing is decided here: the chunk is looked at once all others were answered. */
static void walk_failed(struct chunk *chunk, const struct call_answer *answer)
{
    struct apply *apply = chunk->apply;
    struct walk *walk = &apply->walk;
    if (!apply_status_soft(answer->status)) {
        apply_end(apply, answer->status, answer->message);
        return;
    }
    log_put(apply->loop->log, BR_WARN, "apply", "a batch of %u records is in doubt: %s",
            chunk->count, answer->message);
    chunk->state = CHUNK_DOUBTFUL;
    walk->flying--;
    if (!walk->alone) {
        walk_pump(apply);
        return;
    }
    walk->alone = false;
    apply_soft(apply, answer->status, answer->message, walk_pump);
}

static void walk_written(void *arg, struct call_answer *answer)
{
    struct chunk *chunk = arg;
    chunk->call = NULL;
    if (answer->status == BR_OK)
        walk_done(chunk);
    else
        walk_failed(chunk, answer);
}

static struct plan_cursor walk_cursor(const struct chunk *chunk)
{
    return plan_cursor_at(chunk->table, chunk->index);
}

/* Writes what the answer shows to be missing or different; false: nothing. */
static bool walk_fix(struct chunk *chunk, struct rows *rows)
{
    struct apply *apply = chunk->apply;
    const struct plan *plan = apply->request.plan;
    struct plan_cursor cursor = walk_cursor(chunk);
    struct batch batch;
    batch_begin(&batch, apply, chunk->count, true);
    uint32_t before = batch.count;
    for (uint32_t i = 0; i < chunk->count; i++) {
        const struct br_value *value = rows_value(rows);
        br_bytes path;
        br_bytes want;
        bool more = plan_record(plan, &cursor, &path, &want);
        assert(value && more);
        bool there = value->status == BR_OK;
        if (there && value->value.size == want.size
            && memcmp(value->value.data, want.data, want.size) == 0)
            continue;
        struct br_write write = { .kind = there ? BR_PUT : BR_CREATE,
                                  .path = arena_text(&batch.memory, path.data, path.size),
                                  .version = there ? value->version : 0 };
        write.value = (br_bytes){ arena_text(&batch.memory, want.data, want.size), want.size };
        batch_add(&batch, &write);
    }
    plan_cursor_done(&cursor);
    chunk->changes = batch.count - before;
    if (chunk->changes == 0) {
        arena_done(&batch.memory);
        return false;
    }
    chunk->call = batch_commit(&batch, apply, walk_written, chunk);
    return true;
}

static void walk_read_done(void *arg, struct call_answer *answer)
{
    struct chunk *chunk = arg;
    struct apply *apply = chunk->apply;
    chunk->call = NULL;
    if (answer->status != BR_OK) {
        walk_failed(chunk, answer);
        return;
    }
    struct rows rows = rows_of(answer);
    const struct br_value *apps = rows_value(&rows);
    if (apps->status != BR_OK || apps->version != apply->apps_version) {
        apply_end(apply, BR_CONFLICT, "somebody else changed `apps` while it was \"lock\"");
        return;
    }
    if (!walk_fix(chunk, &rows))
        walk_done(chunk);
}

/* `apps` is read along: were it changed, no batch would ever be carried out again. */
static void walk_read(struct chunk *chunk)
{
    struct apply *apply = chunk->apply;
    struct plan_cursor cursor = walk_cursor(chunk);
    struct arena memory;
    arena_init(&memory, 0);
    const char **paths = arena_alloc(&memory, (chunk->count + 1) * sizeof *paths);
    paths[0] = arena_text(&memory, apply->apps.data, apply->apps.size);
    for (uint32_t i = 1; i <= chunk->count; i++) {
        br_bytes path;
        br_bytes value;
        bool more = plan_record(apply->request.plan, &cursor, &path, &value);
        assert(more);
        paths[i] = arena_text(&memory, path.data, path.size);
    }
    plan_cursor_done(&cursor);
    chunk->call =
        store_read(apply->store, paths, chunk->count + 1, &memory, 0, walk_read_done, chunk);
}

/* Can a record of this table be there already? */
static bool walk_blind(const struct apply *apply, uint32_t table)
{
    return apply->fresh || (apply->converge.listed && !apply->converge.listed[table]);
}

/* Takes records while they fit one batch and are of one kind, blind or not. */
static void walk_fill(struct chunk *chunk, struct batch *batch, bool blind, uint32_t limit)
{
    struct apply *apply = chunk->apply;
    struct walk *walk = &apply->walk;
    struct plan_cursor *cursor = &walk->cursor;
    const struct plan *plan = apply->request.plan;
    size_t bytes = 0;
    while (chunk->count < limit) {
        uint32_t table = cursor->table;
        int32_t index = cursor->index;
        br_bytes path;
        br_bytes value;
        if (table < plan->cluster->table_count && walk_blind(apply, table) != blind)
            break;
        if (!plan_record(plan, cursor, &path, &value)) {
            walk->exhausted = true;
            break;
        }
        bytes += path.size + value.size + apply->store->ops.store.write_overhead;
        if (bytes > apply->bytes_max && chunk->count) {
            cursor->table = table;
            cursor->index = index;
            break;
        }
        chunk->count++;
        if (!blind)
            continue;
        char *copy = arena_alloc(&batch->memory, path.size + 1 + value.size);
        memcpy(copy, path.data, path.size + 1 + value.size);
        batch_add(batch, &(struct br_write){ .kind = BR_CREATE,
                                             .path = copy,
                                             .value = { copy + path.size + 1, value.size } });
    }
}

static void walk_next(struct chunk *chunk)
{
    struct apply *apply = chunk->apply;
    struct walk *walk = &apply->walk;
    const struct cluster *cluster = apply->request.plan->cluster;
    if (walk->cursor.table >= cluster->table_count) {
        walk->exhausted = true;
        return;
    }
    bool blind = walk_blind(apply, walk->cursor.table);
    uint32_t limit = apply->ops_max;
    if (!blind && limit > APPLY_CHUNK_READ)
        limit = APPLY_CHUNK_READ;
    *chunk = (struct chunk){ .apply = apply,
                             .state = CHUNK_FLYING,
                             .sequence = walk->sequence++,
                             .table = walk->cursor.table,
                             .index = walk->cursor.index };
    walk->flying++;
    if (!blind) {
        walk_fill(chunk, NULL, blind, limit);
        walk_read(chunk);
        return;
    }
    struct batch batch;
    batch_begin(&batch, apply, limit, true);
    walk_fill(chunk, &batch, blind, limit);
    chunk->changes = chunk->count;
    chunk->call = batch_commit(&batch, apply, walk_written, chunk);
}

/* The first chunk, by sequence, in this state. */
static struct chunk *walk_find(struct walk *walk, int state, uint32_t flights)
{
    struct chunk *found = NULL;
    for (uint32_t i = 0; i < flights; i++) {
        struct chunk *chunk = &walk->chunks[i];
        if ((int) chunk->state == state && (!found || chunk->sequence < found->sequence))
            found = chunk;
    }
    return found;
}

static void walk_pump(struct apply *apply)
{
    struct walk *walk = &apply->walk;
    struct chunk *doubtful = walk_find(walk, CHUNK_DOUBTFUL, apply->flights);
    if (doubtful) {
        if (walk->flying)
            return;
        walk->alone = true;
        walk->flying++;
        doubtful->state = CHUNK_FLYING;
        walk_read(doubtful);
        return;
    }
    while (walk->flying < apply->flights && !walk->exhausted)
        walk_next(walk_find(walk, CHUNK_FREE, apply->flights));
    if (walk->flying == 0)
        apply_walked(apply);
}
