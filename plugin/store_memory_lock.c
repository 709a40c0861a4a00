/* store_memory_lock -- leader election inside one store_memory: one seat per lock path, its
 * candidates in the order they came, and those who wait for news of it.  Seats live as long as the
 * store, so that no fence is given out twice.
 */
#include "plugin/store_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/wait.h"

struct memory_seat {
    struct memory_seat *next;
    char *path;
    int64_t number;           /* of the next fence */
    struct memory_node *node; /* the fence; NULL: nobody holds the lock */
    char *value;              /* the holder's */
    struct wait *candidates, *owners, *losts;
};

#define MEMORY_FENCE_MAX (BR_PATH_MAX + 64)

/* -- Seats ------------------------------------------------------------------------------------ */

static struct memory_seat *memory_seat(struct memory *memory, const char *path)
{
    struct memory_seat *seat = memory->seats;
    while (seat && strcmp(seat->path, path) != 0)
        seat = seat->next;
    if (seat)
        return seat;
    seat = mem_new(sizeof *seat);
    seat->path = mem_text(path);
    seat->next = memory->seats;
    memory->seats = seat;
    return seat;
}

static struct memory_seat *memory_holder(const struct memory *memory, const char *fence)
{
    const struct memory_node *node = memory_find(memory, fence, strlen(fence));
    return node ? node->seat : NULL;
}

/* -- Election --------------------------------------------------------------------------------- */

/* The node at `path`, made with its parents where missing; NULL: one of them is a fence. */
static struct memory_node *memory_make(struct memory *memory, const char *path)
{
    struct memory_node *node = memory->root;
    for (size_t size = 1;; size++) {
        if (path[size] && path[size] != '/')
            continue;
        struct memory_node *found = memory_find(memory, path, size);
        if (!found && node->seat)
            return NULL;
        node = found ? found : memory_add(memory, node, path, size, (br_bytes){ NULL, 0 });
        if (!path[size])
            return node->seat ? NULL : node;
    }
}

/* A free seat goes to the first candidate. */
static void memory_elect(struct memory *memory, struct memory_seat *seat)
{
    char fence[MEMORY_FENCE_MAX];
    while (!seat->node && seat->candidates) {
        struct br_call *call = wait_take(&seat->candidates, &seat->value);
        struct memory_node *parent = memory_make(memory, seat->path);
        if (parent) {
            int size =
                snprintf(fence, sizeof fence, "%s/LOCKNODE%010lld",
                         parent == memory->root ? "" : seat->path, (long long) seat->number++);
            seat->node = memory_add(memory, parent, fence, (size_t) size,
                                    (br_bytes){ seat->value, strlen(seat->value) });
            seat->node->seat = seat;
            br_reply_value(call, (br_bytes){ fence, (size_t) size }, 0);
        } else {
            br_reply_fail(call, BR_CONFLICT, "%.200s lies below a lock's node", seat->path);
            free(seat->value);
            seat->value = NULL;
        }
    }
}

static const char *memory_value_now(const struct memory_seat *seat)
{
    return seat->node ? seat->value : "";
}

static void memory_tell_owners(struct memory_seat *seat)
{
    const char *value = memory_value_now(seat);
    for (struct wait **slot = &seat->owners; *slot;) {
        if (strcmp((*slot)->text, value) != 0)
            br_reply_value(wait_take(slot, NULL), (br_bytes){ value, strlen(value) }, 0);
        else
            slot = &(*slot)->next;
    }
}

void memory_depose(struct br_env *env, struct memory_seat *seat)
{
    seat->node = NULL;
    free(seat->value);
    seat->value = NULL;
    wait_ok(&seat->losts);
    memory_tell_owners(seat);
    memory_elect(env->self, seat);
    memory_tell_owners(seat);
}

/* -- What the host calls ---------------------------------------------------------------------- */

void memory_lock(struct br_env *env, const char *path, const char *value, struct br_call *call)
{
    if (br_lock_refused(path, call))
        return;
    struct memory_seat *seat = memory_seat(env->self, path);
    wait_add(&seat->candidates, call, value);
    memory_elect(env->self, seat);
    memory_tell_owners(seat);
}

void memory_owner(struct br_env *env, const char *path, const char *last_seen, struct br_call *call)
{
    if (br_path_refused(path, call))
        return;
    struct memory_seat *seat = memory_seat(env->self, path);
    wait_add(&seat->owners, call, last_seen);
    memory_tell_owners(seat);
}

void memory_lost(struct br_env *env, const char *fence, struct br_call *call)
{
    struct memory_seat *seat = memory_holder(env->self, fence);
    if (seat)
        wait_add(&seat->losts, call, "");
    else
        br_reply_ok(call);
}

void memory_unlock(struct br_env *env, const char *fence, struct br_call *call)
{
    struct memory *memory = env->self;
    struct memory_seat *seat = memory_holder(memory, fence);
    if (!seat) {
        br_reply_fail(call, BR_NOTFOUND, "%.200s: this lock is not held", fence);
        return;
    }
    struct memory_node *node = seat->node;
    memory_unlink(memory, node);
    free(node->data);
    free(node);
    br_reply_ok(call);
    memory_depose(env, seat);
}

/* Who holds the lock has come and not gone. */
void memory_elections(struct br_env *env, const char *path, struct br_call *call)
{
    if (br_path_refused(path, call))
        return;
    const struct memory_seat *seat = memory_seat(env->self, path);
    br_reply_value(call, (br_bytes){ "", 0 }, 2 * seat->number - (seat->node != NULL));
}

void memory_cancel(struct br_env *env, struct br_call *call)
{
    const struct memory *memory = env->self;
    for (struct memory_seat *seat = memory->seats; seat; seat = seat->next) {
        if (wait_cancel(&seat->candidates, call->id) || wait_cancel(&seat->owners, call->id)
            || wait_cancel(&seat->losts, call->id))
            return;
    }
}

void memory_lock_stop(struct br_env *env)
{
    const struct memory *memory = env->self;
    for (struct memory_seat *seat = memory->seats; seat; seat = seat->next) {
        wait_stop(&seat->candidates);
        wait_stop(&seat->owners);
        wait_ok(&seat->losts);
    }
}

void memory_lock_free(struct memory *memory)
{
    for (struct memory_seat *next, *seat = memory->seats; seat; seat = next) {
        next = seat->next;
        free(seat->path);
        free(seat->value);
        free(seat);
    }
    memory->seats = NULL;
}
