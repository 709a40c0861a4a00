/* call -- from issue to exactly one delivery.  The plugin's reply, on whatever thread, is one
 * atomic exchange and one letter; everything else happens on the loop thread.  A call is let go
 * when its one reply came home and no word of the host's own is on its way.
 */
#include "host/core/call.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/core/owner.h"

#define CALL_ARENA_BLOCK 8192
#define CALL_MESSAGE_MAX (FAIL_TEXT_MAX + CALL_WHAT_MAX + 128)

static void call_unlink(struct call *call)
{
    struct call_owner *owner = call->book->owner;
    if (!owner)
        return;
    if (call->prev)
        call->prev->next = call->next;
    else
        owner->calls = call->next;
    if (call->next)
        call->next->prev = call->prev;
    owner->outstanding--;
}

static void call_link(struct call *call, struct call_owner *owner)
{
    call->prev = NULL;
    call->next = owner->calls;
    if (call->next)
        call->next->prev = call;
    owner->calls = call;
    owner->outstanding++;
}

/* An orphan's last holder may be the plugin's thread, which must not touch the quarantine. */
void call_drop(struct call *call)
{
    struct call_book *book = call->book;
    if (atomic_fetch_sub(&call->holders, 1) > 1)
        return;
    arena_done(&call->arena);
    arena_done(&call->memory);
    if (call->orphan) {
        free(call);
    } else {
        atomic_store(&call->state, CALL_DONE);
        book_rest(book, call);
    }
    book_release(book);
}

static void call_deliver(struct call *call, struct call_answer *answer)
{
    if (call->told)
        return;
    call->told = true;
    timer_cancel(call->timer);
    call->timer = NULL;
    call->done(call->arg, answer);
}

static const char *call_sentence(struct call *call, char *room, size_t size, const char *sentence)
{
    snprintf(room, size, "%s: call %" PRIu64 ": %s: %s", call->book->who, call->head.id, call->what,
             sentence);
    return room;
}

/* The host's own word: an arena of its own, since the call's is the plugin's until it replies. */
static void call_deliver_own(struct call *call, br_status status, const char *sentence)
{
    char message[CALL_MESSAGE_MAX];
    struct arena arena;
    arena_init(&arena, CALL_ARENA_BLOCK);
    struct call_answer answer = {
        .status = status,
        .message = call_sentence(call, message, sizeof message, sentence),
        .arena = &arena,
    };
    call_deliver(call, &answer);
    arena_done(&arena);
}

/* What is wrong with the rows, or NULL. */
static const char *call_check_rows(const struct call *call, char *room, size_t size)
{
    int64_t count = 0;
    for (const struct br_chunk *chunk = call->answer.chunks; chunk; chunk = chunk->next) {
        count += chunk->count;
        if (chunk->kind != call->row_kind)
            snprintf(room, size, "answered rows of kind %d where kind %d was asked", chunk->kind,
                     call->row_kind);
        else if (chunk->row_size == 0 || chunk->row_size % sizeof(uint64_t) != 0)
            snprintf(room, size, "answered rows of %u bytes each, which no ABI has",
                     chunk->row_size);
        else if (chunk->count > 0 && !chunk->rows)
            snprintf(room, size, "answered %u rows at no address", chunk->count);
        else
            continue;
        return room;
    }
    if (call->row_count < 0 || count == call->row_count)
        return NULL;
    snprintf(room, size, "answered %lld rows where %lld were asked", (long long) count,
             (long long) call->row_count);
    return room;
}

static void call_home(struct letter *letter)
{
    struct call *call = (struct call *) (void *) ((char *) letter - offsetof(struct call, letter));
    char room[128];
    const char *wrong = NULL;
    call_unlink(call);
    if (!call->told && call->answer.status == BR_OK && call->row_kind)
        wrong = call_check_rows(call, room, sizeof room);
    if (wrong)
        call_deliver_own(call, BR_CORRUPT, wrong);
    else
        call_deliver(call, &call->answer);
    call_drop(call);
}

static void call_expire(void *arg)
{
    struct call *call = arg;
    char sentence[64];
    call->timer = NULL;
    snprintf(sentence, sizeof sentence, "no answer within %" PRId64 " ms",
             call->timeout / BR_MILLISECOND);
    call_deliver_own(call, call->kind == CALL_READ ? BR_TIMEOUT : BR_UNKNOWN, sentence);
}

static void call_told(struct letter *letter)
{
    struct call *call = (struct call *) (void *) ((char *) letter - offsetof(struct call, tell));
    call->telling = false;
    call_deliver_own(call, call->kind == CALL_READ ? BR_CANCELED : BR_UNKNOWN,
                     call->book->owner ? "canceled before it was answered"
                                       : "the plugin was closed before it answered");
    call_drop(call);
}

void call_tell_later(struct call *call)
{
    if (call->telling)
        return;
    timer_cancel(call->timer);
    call->timer = NULL;
    call->telling = true;
    call->tell.open = call_told;
    atomic_fetch_add(&call->holders, 1);
    mailbox_put(&call->book->loop->box, &call->tell);
}

struct br_call *call_new(struct call_owner *owner, enum call_kind kind, br_time timeout,
                         const char *what, call_done *done, void *arg)
{
    struct call *call = book_take(owner->book);
    *call = (struct call){
        .head = { .env = &owner->book->face.env, .id = ++owner->loop->calls },
        .letter.open = call_home,
        .book = owner->book,
        .kind = kind,
        .timeout = timeout,
        .done = done,
        .arg = arg,
        .answer = { .message = "", .arena = &call->arena },
    };
    snprintf(call->what, sizeof call->what, "%s", what);
    arena_init(&call->arena, CALL_ARENA_BLOCK);
    arena_init(&call->memory, CALL_ARENA_BLOCK);
    atomic_store(&call->holders, 1);
    book_hold(owner->book);
    call_link(call, owner);
    if (timeout > 0) {
        br_time now = loop_now(owner->loop);
        call->head.deadline = timeout > INT64_MAX - now ? INT64_MAX : now + timeout;
        call->timer = loop_after(owner->loop, timeout, call_expire, call);
    }
    atomic_store(&call->state, CALL_ISSUED);
    return &call->head;
}

struct arena *call_memory(struct br_call *head)
{
    return &((struct call *) head)->memory;
}

void call_expect(struct br_call *head, int32_t kind, int64_t count)
{
    struct call *call = (struct call *) head;
    call->row_kind = kind;
    call->row_count = count;
}

void call_cancel(struct br_call *head, void (*ops_cancel)(struct br_env *, struct br_call *))
{
    struct call *call = (struct call *) head;
    assert(atomic_load(&call->state) != CALL_DONE);
    if (call->told || call->telling || atomic_load(&call->state) != CALL_ISSUED)
        return;
    if (ops_cancel)
        ops_cancel(head->env, head);
    if (atomic_load(&call->state) == CALL_ISSUED)
        call_tell_later(call);
}

void call_forget(struct br_call *head)
{
    struct call *call = (struct call *) head;
    assert(atomic_load(&call->state) != CALL_DONE);
    call->told = true;
    timer_cancel(call->timer);
    call->timer = NULL;
}

/* Only a bug of the plugin's leads here.  Its next reply would be taken for another call's answer,
 * so it ends now, with the name of who did it. */
static void call_abort(const struct call *call, const char *act)
{
    const struct log *log = call->book->loop->log;
    log_put(log ? log : &(struct log){ .fd = 2 }, BR_ERROR, call->book->who,
            "call %" PRIu64 ": %s: %s, which is a bug of the plugin's", call->head.id, call->what,
            act);
    abort();
}

void call_check(struct call *call, const char *act)
{
    int state = atomic_load(&call->state);
    if (state != CALL_ISSUED && state != CALL_ORPHAN)
        call_abort(call, act);
}

bool call_begin(struct call *call)
{
    int state = atomic_exchange(&call->state, CALL_REPLIED);
    if (state == CALL_ISSUED)
        return true;
    if (state != CALL_ORPHAN)
        call_abort(call, "replied to a second time");
    call_drop(call);
    return false;
}

void call_send(struct call *call)
{
    mailbox_put(&call->book->loop->box, &call->letter);
}

/* The status that a plugin may give: reads never say that something may have happened, and what is
 * no failure at all is the plugin's mistake. */
static br_status call_status(const struct call *call, br_status status)
{
    bool known =
        (status > BR_OK && status <= BR_TIMEOUT) || status == BR_UNKNOWN || status == BR_FENCED;
    if (!known)
        return call->kind == CALL_WRITE ? BR_UNKNOWN : BR_INTERNAL;
    if (call->kind == CALL_READ && br_may_have_happened(status))
        return BR_UNAVAILABLE;
    return status;
}

void call_fail(struct call *call, br_status status, const char *code, const char *format,
               va_list args)
{
    char sentence[FAIL_TEXT_MAX], message[CALL_MESSAGE_MAX];
    if (!call_begin(call))
        return;
    vsnprintf(sentence, sizeof sentence, format, args);
    call_sentence(call, message, sizeof message, sentence);
    call->answer.status = call_status(call, status);
    call->answer.message = arena_text(&call->arena, message, strlen(message));
    if (code)
        call->answer.code = arena_text(&call->arena, code, strlen(code));
    call_send(call);
}

void call_refuse(struct br_call *head, br_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    call_fail((struct call *) head, status, NULL, format, args);
    va_end(args);
}

const void *call_row(const struct br_chunk *chunk, uint32_t index, void *room, size_t size)
{
    const char *row = (const char *) chunk->rows + (size_t) index * chunk->row_size;
    if (chunk->row_size >= size)
        return row;
    memset(room, 0, size);
    memcpy(room, row, chunk->row_size);
    return room;
}
