/* deed -- see deed.h. */
#include "host/stage/deed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "host/base/mem.h"

#define DEED_TICK (100 * BR_MILLISECOND)

bool deed_say(struct deed_result *result, enum deed_exit exit, const char *word, const char *format,
              ...)
{
    va_list args;
    result->exit = exit;
    result->word = word;
    va_start(args, format);
    buf_vprintf(&result->text, format, args);
    va_end(args);
    buf_char(&result->text, '\n');
    return false;
}

void deed_result_done(struct deed_result *result)
{
    buf_done(&result->text);
    buf_done(&result->next);
}

/* -- Signals ---------------------------------------------------------------------------------- */

static void deed_signal(evutil_socket_t number, short what, void *arg)
{
    struct deed *deed = arg;
    (void) number;
    (void) what;
    deed->interrupted = true;
}

static void deed_listen(struct deed *deed)
{
    static const int numbers[] = { SIGINT, SIGTERM };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        deed->signals[i] = evsignal_new(deed->tool->loop->base, numbers[i], deed_signal, deed);
        evsignal_add(deed->signals[i], NULL);
    }
}

static void deed_unlisten(struct deed *deed)
{
    for (size_t i = 0; i < sizeof deed->signals / sizeof *deed->signals; i++) {
        if (deed->signals[i])
            event_free(deed->signals[i]);
        deed->signals[i] = NULL;
    }
}

/* -- Election --------------------------------------------------------------------------------- */

static void deed_elected(void *arg, struct call_answer *answer)
{
    struct deed *deed = arg;
    deed->lock_call = NULL;
    deed->lock_status = answer->status;
    deed->elected = answer->status == BR_OK || answer->status == BR_UNSUPPORTED;
    if (answer->status == BR_OK) {
        struct buf fence = { 0 };
        buf_put(&fence, answer->value.data, answer->value.size);
        deed->fence = fence.data;
    } else if (!deed->elected) {
        fail_set(&deed->lock_fail, answer->status, "%s", answer->message);
    }
}

static void deed_watch(struct deed *deed);

static void deed_owner(void *arg, struct call_answer *answer)
{
    struct deed *deed = arg;
    deed->owner_call = NULL;
    if (answer->status != BR_OK)
        return;
    snprintf(deed->owner, sizeof deed->owner, "%.*s", (int) answer->value.size,
             answer->value.size ? (const char *) answer->value.data : "");
    if (!deed->elected)
        deed_watch(deed);
}

static void deed_watch(struct deed *deed)
{
    struct tool *tool = deed->tool;
    deed->owner_call =
        store_owner(&tool->store, tool->store_lock.data, deed->owner, deed_owner, deed);
}

static void deed_forget(struct deed *deed, struct br_call **call)
{
    if (*call) {
        store_cancel(&deed->tool->store, *call);
        call_forget(*call);
    }
    *call = NULL;
}

/* 127.A.B.C:1 */
static bool deed_owner_is_ours(const struct deed *deed)
{
    size_t size = strlen(deed->owner);
    return strncmp(deed->owner, "127.", 4) == 0 && size > 2
           && strcmp(deed->owner + size - 2, ":1") == 0;
}

static bool deed_patient(const struct deed *deed)
{
    br_time waited = loop_now(deed->tool->loop) - deed->stood;
    if (deed->wait)
        return waited < deed->wait;
    return waited < (deed_owner_is_ours(deed) ? DEED_WAIT_OURS : DEED_WAIT);
}

/* So that patience is looked at. */
static void deed_ticked(void *arg)
{
    struct deed *deed = arg;
    deed->tick = NULL;
}

static void deed_stand(struct deed *deed)
{
    struct tool *tool = deed->tool;
    char value[32];
    uint64_t chance = loop_random(tool->loop);
    snprintf(value, sizeof value, "127.%u.%u.%u:1", 1 + (unsigned) (chance % 254),
             1 + (unsigned) (chance >> 16) % 254, 1 + (unsigned) (chance >> 32) % 254);
    deed->lock_call = store_lock(&tool->store, tool->store_lock.data, value, deed_elected, deed);
    deed_watch(deed);
    while (deed->lock_call && !deed->interrupted && deed_patient(deed)) {
        if (!deed->tick)
            deed->tick = loop_after(tool->loop, DEED_TICK, deed_ticked, deed);
        loop_turn(tool->loop);
    }
    timer_cancel(deed->tick);
    deed->tick = NULL;
    deed_forget(deed, &deed->owner_call);
    deed_forget(deed, &deed->lock_call);
}

static bool deed_not_elected(const struct deed *deed, struct deed_result *result)
{
    if (deed->interrupted)
        return deed_say(result, DEED_REFUSED, "interrupted",
                        "interrupted while waiting for the leader lock");
    if (deed->lock_status != BR_OK)
        return deed_say(result, DEED_FAILED, "failed", "the leader lock cannot be had: %s",
                        deed->lock_fail.text);
    if (deed_owner_is_ours(deed))
        return deed_say(
            result, DEED_HELD, "held",
            "another bridle (%s) holds the leader lock %s: ask again when it has ended, "
            "or, where it was killed, when its session has",
            deed->owner, deed->tool->lock.data);
    return deed_say(result, DEED_HELD, "held",
                    "%s holds the leader lock %s: stop every meta server, wait for "
                    "replication.fd_grace, and ask again",
                    *deed->owner ? deed->owner : "somebody", deed->tool->lock.data);
}

static void deed_lost(void *arg, struct call_answer *answer)
{
    struct deed *deed = arg;
    (void) answer;
    deed->lost_call = NULL;
    deed->lost = true;
}

void deed_begin(struct deed *deed, struct tool *tool)
{
    *deed = (struct deed){ .tool = tool, .began = loop_now(tool->loop) };
    deed_listen(deed);
}

bool deed_lead(struct deed *deed, br_time wait, struct deed_result *result)
{
    deed->wait = wait;
    deed->stood = loop_now(deed->tool->loop);
    deed_stand(deed);
    if (!deed->elected)
        return deed_not_elected(deed, result);
    if (deed->fence)
        deed->lost_call = store_lost(&deed->tool->store, deed->fence, deed_lost, deed);
    return true;
}

/* -- The end ---------------------------------------------------------------------------------- */

static void deed_unlocked(void *arg, struct call_answer *answer)
{
    bool *done = arg;
    (void) answer; /* where it is not given back now, it is when the store is closed */
    *done = true;
}

void deed_end(struct deed *deed, struct deed_result *result)
{
    struct tool *tool = deed->tool;
    bool done = false;
    deed_forget(deed, &deed->lost_call);
    if (deed->fence && !deed->lost) {
        store_unlock(&tool->store, deed->fence, 0, deed_unlocked, &done);
        tool_until(tool, &done);
    }
    free(deed->fence);
    deed->fence = NULL;
    deed_unlisten(deed);
    result->took = loop_now(tool->loop) - deed->began;
}
