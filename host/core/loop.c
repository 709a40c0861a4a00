/* loop -- one thread, one libevent base without locks.  Other threads come in by the mailbox only,
 * whose eventfd is an ordinary event here; so libevent needs no thread support at all.
 */
#include "host/core/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "host/base/mem.h"

struct timer {
    struct event event;
    struct loop *loop;
    br_time due;
    void (*fn)(void *arg);
    void *arg;
};

struct loop_post {
    struct letter letter; /* first */
    void (*fn)(void *arg);
    void *arg;
};

static void loop_open_letters(struct loop *loop)
{
    struct letter *next;
    for (struct letter *letter = mailbox_take(&loop->box); letter; letter = next) {
        next = letter->next;
        letter->open(letter);
    }
}

static void loop_bell(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    loop_open_letters(arg);
}

/* No cached time: a timer set late in a long turn must count from now, not from the turn's start.
 */
static struct event_base *loop_base(void)
{
    struct event_config *config = event_config_new();
    if (!config)
        return NULL;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static void loop_seed(struct loop *loop)
{
    if (getrandom(loop->random, sizeof loop->random, 0) != (ssize_t) sizeof loop->random)
        loop->random[0] = (uint64_t) loop_now(loop);
    loop->random[1] |= 1; /* all zero would stay zero */
}

struct loop *loop_new(const struct log *log)
{
    struct loop *loop = mem_new(sizeof *loop);
    loop->log = log;
    loop_seed(loop);
    if (!mailbox_init(&loop->box)) {
        free(loop);
        return NULL;
    }
    loop->base = loop_base();
    if (loop->base)
        loop->bell = event_new(loop->base, loop->box.fd, EV_READ | EV_PERSIST, loop_bell, loop);
    if (!loop->bell || event_add(loop->bell, NULL) != 0) {
        int error = errno ? errno : ENOMEM;
        loop_free(loop);
        errno = error;
        return NULL;
    }
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    while (loop->box.first)
        loop_open_letters(loop);
    if (loop->bell)
        event_free(loop->bell);
    if (loop->base)
        event_base_free(loop->base);
    mailbox_done(&loop->box);
    free(loop);
}

void loop_run(struct loop *loop)
{
    event_base_loop(loop->base, 0);
}

void loop_stop(struct loop *loop)
{
    event_base_loopbreak(loop->base);
}

void loop_turn(struct loop *loop)
{
    event_base_loop(loop->base, EVLOOP_ONCE);
}

br_time loop_now(const struct loop *loop)
{
    (void) loop;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * BR_SECOND + now.tv_nsec;
}

static uint64_t loop_rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

/* xoroshiro128++ (Blackman, Vigna): for jitter and choice, not for secrets. */
uint64_t loop_random(struct loop *loop)
{
    uint64_t a = loop->random[0], b = loop->random[1];
    uint64_t result = loop_rotate(a + b, 17) + a;
    b ^= a;
    loop->random[0] = loop_rotate(a, 49) ^ b ^ b << 21;
    loop->random[1] = loop_rotate(b, 28);
    return result;
}

static void timer_arm(struct timer *timer, br_time delay)
{
    br_time micros = delay > 0 ? (delay + 999) / 1000 : 0;
    event_add(&timer->event,
              &(struct timeval){ .tv_sec = micros / 1000000, .tv_usec = micros % 1000000 });
}

/* libevent waits on a coarse clock that may be some milliseconds early. */
static void timer_fire(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct timer *timer = arg;
    br_time rest = timer->due - loop_now(timer->loop);
    if (rest > 0) {
        timer_arm(timer, rest);
        return;
    }
    void (*fn)(void *) = timer->fn;
    void *fn_arg = timer->arg;
    free(timer);
    fn(fn_arg);
}

struct timer *loop_after(struct loop *loop, br_time delay, void (*fn)(void *arg), void *arg)
{
    struct timer *timer = mem_new(sizeof *timer);
    br_time now = loop_now(loop);
    if (delay < 0)
        delay = 0;
    if (delay > INT64_MAX - now - 1000)
        delay = INT64_MAX - now - 1000;
    *timer = (struct timer){ .loop = loop, .due = now + delay, .fn = fn, .arg = arg };
    event_assign(&timer->event, loop->base, -1, 0, timer_fire, timer);
    timer_arm(timer, delay);
    return timer;
}

void timer_cancel(struct timer *timer)
{
    if (!timer)
        return;
    event_del(&timer->event);
    free(timer);
}

static void loop_open_post(struct letter *letter)
{
    struct loop_post *post = (struct loop_post *) letter;
    void (*fn)(void *) = post->fn;
    void *arg = post->arg;
    free(post);
    fn(arg);
}

void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    struct loop_post *post = mem_new(sizeof *post);
    *post = (struct loop_post){ .letter.open = loop_open_post, .fn = fn, .arg = arg };
    mailbox_put(&loop->box, &post->letter);
}
