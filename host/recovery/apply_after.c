/* apply_after -- the two empty nodes that Apache Pegasus makes after the answer of a recovery.
 * Nothing depends on them here; a failure is a log line.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/apply.h"

static const char *const after_names[] = { "bulk_load", "backup" };

_Static_assert(sizeof after_names / sizeof *after_names == APPLY_AFTER, "");

const char *apply_after_path(struct arena *arena, const char *root, uint32_t index)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s/%s", strcmp(root, "/") == 0 ? "" : root, after_names[index]);
    const char *copy = arena_text(arena, path.data, path.size);
    buf_done(&path);
    return copy;
}

struct after {
    struct loop *loop;
    size_t pending;
    void (*done)(void *arg);
    void *arg;
};

static void after_made(void *arg, struct call_answer *answer)
{
    struct after *after = arg;
    if (answer->status != BR_OK && answer->status != BR_EXISTS)
        log_put(after->loop->log, BR_WARN, "apply",
                "an empty node that Apache Pegasus expects could not be made, which it makes up "
                "for when it starts: %s",
                answer->message);
    if (--after->pending)
        return;
    if (after->done)
        after->done(after->arg);
    free(after);
}

static void after_make(struct after *after, struct plugin *store, const char *root,
                       const char *fence, uint32_t index)
{
    struct arena memory;
    arena_init(&memory, 0);
    struct br_write *writes = arena_zero(&memory, 2 * sizeof *writes);
    const struct br_write **list = arena_alloc(&memory, 2 * sizeof *list);
    uint32_t count = 0;
    if (fence) {
        list[count] = &writes[count];
        writes[count++] = (struct br_write){ .kind = BR_FENCE,
                                             .path = arena_text(&memory, fence, strlen(fence)) };
    }
    list[count] = &writes[count];
    writes[count++] =
        (struct br_write){ .kind = BR_CREATE, .path = apply_after_path(&memory, root, index) };
    store_commit(store, list, count, &memory, 0, after_made, after);
}

void apply_afterwards(struct loop *loop, struct plugin *store, const char *root, const char *fence,
                      void (*done)(void *arg), void *arg)
{
    struct after *after = mem_new(sizeof *after);
    *after = (struct after){ .loop = loop, .pending = APPLY_AFTER, .done = done, .arg = arg };
    for (uint32_t i = 0; i < APPLY_AFTER; i++)
        after_make(after, store, root, fence, i);
}
