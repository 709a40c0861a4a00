/* wait -- calls that wait for news of a lock: what store_memory and store_sqlite share. */
#ifndef PLUGIN_WAIT_H
#define PLUGIN_WAIT_H

#include <stdlib.h>

#include "host/base/mem.h"
#include <bridle/host.h>

/* A candidate (text: its value), or one who asked for the owner (text: last seen) or for the loss.
 */
struct wait {
    struct wait *next;
    struct br_call *call;
    uint64_t id; /* the call's, to find it by when it may be gone already */
    char *text;
};

static inline void wait_add(struct wait **list, struct br_call *call, const char *text)
{
    struct wait *wait = mem_new(sizeof *wait);
    wait->call = call;
    wait->id = call->id;
    wait->text = mem_text(text);
    while (*list)
        list = &(*list)->next;
    *list = wait;
}

/* The one at *slot, taken out: the caller replies to it, and frees *ret_text unless that is NULL.
 */
static inline struct br_call *wait_take(struct wait **slot, char **ret_text)
{
    struct wait *wait = *slot;
    struct br_call *call = wait->call;
    *slot = wait->next;
    if (ret_text)
        *ret_text = wait->text;
    else
        free(wait->text);
    free(wait);
    return call;
}

/* BR_CANCELED to the call of this id, if it waits here. */
static inline bool wait_cancel(struct wait **list, uint64_t id)
{
    while (*list && (*list)->id != id)
        list = &(*list)->next;
    if (!*list)
        return false;
    br_reply_fail(wait_take(list, NULL), BR_CANCELED, "given up");
    return true;
}

static inline void wait_stop(struct wait **list)
{
    while (*list)
        br_reply_fail(wait_take(list, NULL), BR_CANCELED, "the store stops");
}

static inline void wait_ok(struct wait **list)
{
    while (*list)
        br_reply_ok(wait_take(list, NULL));
}

#endif
