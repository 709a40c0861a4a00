/* owner -- what call.c, owner.c and services.c share: a call as the host keeps it, and the book of
 * one plugin.  Private to host/core.
 */
#ifndef HOST_CORE_OWNER_H
#define HOST_CORE_OWNER_H

#include <stdatomic.h>

#include "host/core/call.h"

enum call_state {
    CALL_DONE = 0,   /* delivered, resting in the quarantine: a reply now is a second one */
    CALL_ISSUED = 1, /* the plugin has it */
    CALL_REPLIED = 2,
    CALL_ORPHAN = 3, /* its plugin was closed without replying */
};

struct call {
    struct br_call head;  /* first: what the plugin sees */
    struct letter letter; /* the plugin's reply on its way home */
    struct letter tell;   /* the host's own word to the consumer: canceled, closed */
    struct call_book *book;
    struct call *next, *prev;
    _Atomic int state;
    enum call_kind kind;
    _Atomic int holders; /* the plugin until it replied; `tell` while in the box */
    bool told;           /* the consumer knows, or does not want to */
    bool telling;        /* `tell` is in the box */
    bool orphan;
    br_time timeout;
    int32_t row_kind;
    int64_t row_count;
    struct timer *timer;
    call_done *done;
    void *arg;
    struct call_answer answer;
    struct arena arena;  /* the answer's */
    struct arena memory; /* what the plugin was given */
    char what[CALL_WHAT_MAX];
};

struct br_timer {
    struct call_book *book;
    struct br_timer *next, *prev;
    struct timer *timer;
    br_fn *fn;
    void *arg;
};

/* Shared by everything that may outlive the plugin: each call, each post in the box. */
struct call_book {
    struct call_owner face;   /* what the plugin sees as its env: outlives the owner */
    _Atomic uint32_t holders; /* the owner, calls not in quarantine, posts */
    _Atomic bool closed;      /* its replies are dropped, so is what it posts and logs */
    struct call_owner *owner; /* NULL: closed; read on the loop thread only */
    struct loop *loop;
    struct call *rest_first, *rest_last; /* the quarantine, oldest first */
    uint32_t rest_count;
    struct br_timer *timers;
    void *state; /* after the close */
    struct arena arena;
    char who[64];
};

void book_hold(struct call_book *book);
void book_release(struct call_book *book);

/* A rested call to use again, or a new one. */
struct call *book_take(struct call_book *book);
void book_rest(struct call_book *book, struct call *call);

/* The consumer is told by the host, from the loop, soon. */
void call_tell_later(struct call *call);

/* One holder less. */
void call_drop(struct call *call);

/* Any thread: the plugin's one reply is complete and goes home. */
void call_send(struct call *call);

/* Any thread: begin the one reply; false where nobody is left to get it.  Aborts at a second. */
bool call_begin(struct call *call);
void call_fail(struct call *call, br_status status, const char *code, const char *format,
               va_list args);

/* Any thread: aborts where the call was replied to already. */
void call_check(struct call *call, const char *act);

#endif
