/* loop -- the one thread on which everything of the host happens: a libevent base without locks,
 * the mailbox, timers, the clock.
 */
#ifndef HOST_CORE_LOOP_H
#define HOST_CORE_LOOP_H

#include "host/core/log.h"
#include "host/core/mailbox.h"

struct event;
struct event_base;

struct loop {
    struct event_base *base;
    struct mailbox box;
    struct event *bell;
    const struct log *log;
    uint64_t calls;     /* the last call's id */
    uint64_t random[2]; /* state of loop_random */
};

/* NULL: no event base or no eventfd (errno). */
struct loop *loop_new(const struct log *log);

/* Letters still in the box are opened first.  Timers must be cancelled before. */
void loop_free(struct loop *loop);

/* Until loop_stop, which is for functions that the loop calls. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* One turn that waits until something happens; for tests and one-shot programs. */
void loop_turn(struct loop *loop);

br_time loop_now(const struct loop *loop); /* monotonic */
uint64_t loop_random(struct loop *loop);

/* A timer fires once; it frees itself before its function runs.  Units: br_time. */
struct timer;
struct timer *loop_after(struct loop *loop, br_time delay, void (*fn)(void *arg), void *arg);
void timer_cancel(struct timer *timer); /* not after it fired; NULL is fine */

/* fn(arg) on the loop thread, soon, in the order posted.  Any thread. */
void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg);

#endif
