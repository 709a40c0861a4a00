/* owner -- the host's side of one plugin: its calls, its timers, and what must outlive it.
 * Finished calls rest for a while before they are used again, so that a second reply finds a call
 * that knows itself done instead of freed memory; that makes issuing a call cheap, too.
 */
#include "host/core/owner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

void book_hold(struct call_book *book)
{
    atomic_fetch_add(&book->holders, 1);
}

static void book_free(struct call_book *book)
{
    for (struct call *next, *call = book->rest_first; call; call = next) {
        next = call->next;
        free(call);
    }
    arena_done(&book->arena);
    free(book->state);
    free(book);
}

void book_release(struct call_book *book)
{
    if (atomic_fetch_sub(&book->holders, 1) == 1)
        book_free(book);
}

struct call *book_take(struct call_book *book)
{
    if (book->rest_count < CALL_QUARANTINE_MAX)
        return mem_new(sizeof(struct call));
    struct call *call = book->rest_first;
    book->rest_first = call->next;
    book->rest_count--;
    return call;
}

void book_rest(struct call_book *book, struct call *call)
{
    call->next = NULL;
    if (book->rest_first)
        book->rest_last->next = call;
    else
        book->rest_first = call;
    book->rest_last = call;
    book->rest_count++;
}

void call_owner_init(struct call_owner *owner, struct loop *loop, const char *who,
                     const char *instance, void *self)
{
    struct call_book *book = mem_new(sizeof *book);
    *owner = (struct call_owner){
        .env = { .host = &call_services, .instance = instance, .self = self, .loop = loop->base },
        .loop = loop,
        .who = who,
        .book = book,
    };
    book->face.env = owner->env;
    book->face.book = book;
    book->owner = owner;
    book->loop = loop;
    atomic_init(&book->holders, 1);
    arena_init(&book->arena, 0);
    snprintf(book->who, sizeof book->who, "%s", who);
}

struct br_env *call_env(struct call_owner *owner)
{
    return &owner->book->face.env;
}

void call_owner_disarm(struct call_owner *owner)
{
    for (struct br_timer *next, *timer = owner->book->timers; timer; timer = next) {
        next = timer->next;
        timer_cancel(timer->timer);
        free(timer);
    }
    owner->book->timers = NULL;
}

/* The plugin may still hold it and what it was given: it stays until its one reply, if that ever
 * comes, and then goes quietly. */
static void owner_orphan(struct call_owner *owner, struct call *call)
{
    int issued = CALL_ISSUED;
    atomic_fetch_add(&call->holders, 1);
    call->orphan = true;
    if (atomic_compare_exchange_strong(&call->state, &issued, CALL_ORPHAN)) {
        log_put(owner->loop->log, BR_ERROR, owner->who,
                "call %" PRIu64 ": %s: closed without a reply, which is a bug of the plugin's",
                call->head.id, call->what);
        if (!call->told)
            call_tell_later(call);
    } else {
        call->orphan = false; /* the reply is in the box */
    }
    call_drop(call);
}

void call_owner_done(struct call_owner *owner, void *state, struct arena *arena)
{
    struct call_book *book = owner->book;
    call_owner_disarm(owner);
    book->owner = NULL;
    atomic_store(&book->closed, true);
    book->state = state;
    if (arena)
        arena_adopt(&book->arena, arena);
    for (struct call *next, *call = owner->calls; call; call = next) {
        next = call->next;
        owner_orphan(owner, call);
    }
    owner->calls = NULL;
    owner->book = NULL;
    book_release(book);
}
