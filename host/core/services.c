/* services -- the table of functions that plugins see (bridle/host.h).  Those for any thread touch
 * only the one call, or the mailbox; the rest is for the loop thread.
 */
#include "host/core/owner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

struct post {
    struct letter letter; /* first */
    struct call_book *book;
    br_fn *fn;
    void *arg;
};

/* Every plugin's env stands at the head of its owner, or of its book's face. */
static struct call_book *services_book(const struct br_env *env)
{
    return ((const struct call_owner *) env)->book;
}

static void *services_rows(struct br_call *head, size_t bytes)
{
    struct call *call = (struct call *) head;
    call_check(call, "asked for rows after the reply");
    return arena_alloc(&call->arena, bytes);
}

static void services_reply(struct br_call *head, br_bytes value, int64_t version)
{
    struct call *call = (struct call *) head;
    if (!call_begin(call))
        return;
    if (value.size > 0) {
        void *copy = arena_alloc(&call->arena, value.size);
        memcpy(copy, value.data, value.size);
        call->answer.value = (br_bytes){ copy, value.size };
    }
    call->answer.version = version;
    call_send(call);
}

static void services_reply_rows(struct br_call *head, const struct br_chunk *first)
{
    struct call *call = (struct call *) head;
    if (!call_begin(call))
        return;
    call->answer.chunks = first;
    call_send(call);
}

static void services_replyf(struct br_call *head, br_status status, const char *code,
                            const char *format, va_list args)
{
    call_fail((struct call *) head, status, code, format, args);
}

BR_PRINTF(3, 0)
static br_status services_failf(struct br_env *env, br_status status, const char *format,
                                va_list args)
{
    struct call_owner *owner = services_book(env)->owner;
    char sentence[FAIL_TEXT_MAX];
    vsnprintf(sentence, sizeof sentence, format, args);
    if (owner)
        fail_set(&owner->fail, status, "%s: %s", owner->who, sentence);
    return status;
}

BR_PRINTF(3, 0)
static void services_logf(struct br_env *env, br_level level, const char *format, va_list args)
{
    struct call_book *book = services_book(env);
    if (atomic_load(&book->closed) || !book->loop->log)
        return;
    struct log log = *book->loop->log;
    if (log.plugins > log.level)
        log.level = log.plugins;
    log_vput(&log, level, book->who, format, args);
}

/* A finding is one line of a report that people and scripts read, and names in it come from the
 * network: no control character may forge another line. */
BR_PRINTF(3, 0)
static void services_findf(struct br_findings *findings, const struct br_subject *subject,
                           const char *format, va_list args)
{
    char sentence[BR_FINDING_TEXT_MAX + 1];
    vsnprintf(sentence, sizeof sentence, format, args);
    for (char *at = sentence; *at; at++)
        if ((unsigned char) *at < 0x20 || *at == 0x7f)
            *at = '?';
    findings->find(findings, subject, sentence);
}

static void services_open_post(struct letter *letter)
{
    struct post post = *(struct post *) (void *) letter;
    free(letter);
    if (post.book->owner)
        post.fn(&post.book->face.env, post.arg);
    book_release(post.book);
}

static void services_post(struct br_env *env, br_fn *fn, void *arg)
{
    struct call_book *book = services_book(env);
    if (atomic_load(&book->closed))
        return;
    struct post *post = mem_new(sizeof *post);
    *post = (struct post){ .letter.open = services_open_post, .book = book, .fn = fn, .arg = arg };
    book_hold(book);
    mailbox_put(&book->loop->box, &post->letter);
}

static void services_unlink(struct br_timer *timer)
{
    if (timer->prev)
        timer->prev->next = timer->next;
    else
        timer->book->timers = timer->next;
    if (timer->next)
        timer->next->prev = timer->prev;
}

static void services_fire(void *arg)
{
    struct br_timer timer = *(struct br_timer *) arg;
    services_unlink(arg);
    free(arg);
    timer.fn(&timer.book->face.env, timer.arg);
}

static struct br_timer *services_after(struct br_env *env, br_time delay, br_fn *fn, void *arg)
{
    struct call_book *book = services_book(env);
    struct br_timer *timer = mem_new(sizeof *timer);
    *timer = (struct br_timer){ .book = book, .next = book->timers, .fn = fn, .arg = arg };
    if (timer->next)
        timer->next->prev = timer;
    book->timers = timer;
    timer->timer = loop_after(book->loop, delay, services_fire, timer);
    return timer;
}

static void services_disarm(struct br_env *env, struct br_timer *timer)
{
    (void) env;
    if (!timer)
        return;
    services_unlink(timer);
    timer_cancel(timer->timer);
    free(timer);
}

static br_time services_now(const struct br_env *env)
{
    return loop_now(services_book(env)->loop);
}

static uint64_t services_random(struct br_env *env)
{
    return loop_random(services_book(env)->loop);
}

const struct br_host call_services = {
    .size = sizeof(struct br_host),
    .abi_major = BR_ABI_MAJOR,
    .abi_minor = BR_ABI_MINOR,
    .version = BRIDLE_VERSION,
    .rows = services_rows,
    .reply = services_reply,
    .reply_rows = services_reply_rows,
    .replyf = services_replyf,
    .failf = services_failf,
    .logf = services_logf,
    .findf = services_findf,
    .post = services_post,
    .after = services_after,
    .disarm = services_disarm,
    .now = services_now,
    .random = services_random,
};
