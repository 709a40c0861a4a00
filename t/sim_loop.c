/* sim_loop -- host/core/loop.h and host/core/mailbox.h with virtual time, in their place.  One turn
 * is one event: the first letter of the box, or a timer that is due.  Where several are ready the
 * seed chooses; where none is, time goes on to the next timer, and sometimes a little further, as
 * it does on a busy machine.
 */
#include <assert.h>
#include <stdlib.h>

#include "host/base/mem.h"
#include "t/sim.h"

#define SIM_TIMERS_MAX 4096

struct timer {
    struct sim_loop *loop;
    uint32_t place;
    br_time due;
    void (*fn)(void *arg);
    void *arg;
};

struct sim_loop {
    struct loop loop; /* first */
    struct timer *timers[SIM_TIMERS_MAX];
    uint32_t count;
    bool stopped;
};

struct loop_post {
    struct letter letter; /* first */
    void (*fn)(void *arg);
    void *arg;
};

static struct sim_loop *loop_sim(const struct loop *loop)
{
    return (struct sim_loop *) (uintptr_t) loop;
}

/* -- The mailbox: no thread but this one, and no bell ------------------------------------------ */

int mailbox_init(struct mailbox *box)
{
    box->first = NULL;
    box->last = &box->first;
    return 1;
}

void mailbox_done(struct mailbox *box)
{
    assert(!box->first);
}

void mailbox_put(struct mailbox *box, struct letter *letter)
{
    letter->next = NULL;
    *box->last = letter;
    box->last = &letter->next;
}

struct letter *mailbox_take(struct mailbox *box)
{
    struct letter *first = box->first;
    if (!first)
        return NULL;
    box->first = first->next;
    if (!box->first)
        box->last = &box->first;
    return first;
}

/* -- Life -------------------------------------------------------------------------------------- */

struct loop *loop_new(const struct log *log)
{
    struct sim_loop *loop = mem_new(sizeof *loop);
    loop->loop.log = log;
    loop->loop.random[0] = sim_draw(&sim.schedule);
    mailbox_init(&loop->loop.box);
    return &loop->loop;
}

void loop_free(struct loop *loop)
{
    struct letter *letter;
    if (!loop)
        return;
    while ((letter = mailbox_take(&loop->box)))
        letter->open(letter);
    assert(loop_sim(loop)->count == 0); /* a timer that nobody cancelled */
    mailbox_done(&loop->box);
    free(loop_sim(loop));
}

void loop_run(struct loop *loop)
{
    struct sim_loop *own = loop_sim(loop);
    own->stopped = false;
    while (!own->stopped && !sim_loop_idle(loop))
        loop_turn(loop);
}

void loop_stop(struct loop *loop)
{
    loop_sim(loop)->stopped = true;
}

bool sim_loop_stopped(const struct loop *loop)
{
    return loop_sim(loop)->stopped;
}

bool sim_loop_idle(const struct loop *loop)
{
    return !loop->box.first && loop_sim(loop)->count == 0;
}

/* -- Time -------------------------------------------------------------------------------------- */

br_time loop_now(const struct loop *loop)
{
    (void) loop;
    return sim.now;
}

uint64_t loop_random(struct loop *loop)
{
    return sim_draw(&loop->random[0]);
}

struct timer *loop_after(struct loop *loop, br_time delay, void (*fn)(void *arg), void *arg)
{
    struct sim_loop *own = loop_sim(loop);
    struct timer *timer = mem_new(sizeof *timer);
    assert(own->count < SIM_TIMERS_MAX);
    if (delay < 0)
        delay = 0;
    if (delay > INT64_MAX - sim.now)
        delay = INT64_MAX - sim.now;
    *timer = (struct timer){
        .loop = own, .place = own->count, .due = sim.now + delay, .fn = fn, .arg = arg
    };
    own->timers[own->count++] = timer;
    return timer;
}

static void timer_unlink(struct timer *timer)
{
    struct sim_loop *own = timer->loop;
    struct timer *last = own->timers[--own->count];
    own->timers[timer->place] = last;
    last->place = timer->place;
}

void timer_cancel(struct timer *timer)
{
    if (!timer)
        return;
    timer_unlink(timer);
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

/* -- Turns ------------------------------------------------------------------------------------- */

static void loop_pass_time(const struct sim_loop *own)
{
    br_time next = INT64_MAX;
    for (uint32_t i = 0; i < own->count; i++) {
        if (own->timers[i]->due < next)
            next = own->timers[i]->due;
    }
    if (next == INT64_MAX)
        return;
    if (next > sim.now)
        sim.now = next;
    if (sim_below(&sim.schedule, 8) == 0)
        sim.now += sim_below(&sim.schedule, 3 * BR_MILLISECOND);
}

static struct timer *loop_due(const struct sim_loop *own, uint32_t skip)
{
    for (uint32_t i = 0; i < own->count; i++) {
        if (own->timers[i]->due <= sim.now && skip-- == 0)
            return own->timers[i];
    }
    return NULL;
}

static uint32_t loop_due_count(const struct sim_loop *own)
{
    uint32_t due = 0;
    for (uint32_t i = 0; i < own->count; i++)
        due += own->timers[i]->due <= sim.now;
    return due;
}

void loop_turn(struct loop *loop)
{
    const struct sim_loop *own = loop_sim(loop);
    uint32_t due = loop_due_count(own);
    if (!loop->box.first && due == 0) {
        loop_pass_time(own);
        due = loop_due_count(own);
    }
    uint32_t ready = due + (loop->box.first != NULL);
    if (ready == 0)
        return;
    uint32_t chosen = ready == 1 ? 0 : sim_below(&sim.schedule, ready);
    if (chosen == due) {
        struct letter *letter = mailbox_take(&loop->box);
        letter->open(letter);
        return;
    }
    struct timer *timer = loop_due(own, chosen);
    void (*fn)(void *) = timer->fn;
    void *arg = timer->arg;
    timer_cancel(timer);
    fn(arg);
}
