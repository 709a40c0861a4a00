/* core -- what the suites of host/core and host/plugins share: a loop whose log can be read. */
#ifndef T_CORE_H
#define T_CORE_H

#include "t/test.h"

#include "host/core/call.h"

extern struct log core_log;
extern struct loop *core_loop;

/* Fixture: a loop that logs to a file in memory, at level debug. */
void core_setup(void);
void core_teardown(void);

/* Everything logged so far; static memory until the next call. */
const char *core_logged(void);

/* Where an answer goes. */
struct core_told {
    int count;
    br_status status;
    int64_t version;
    char code[64];
    char message[2048];
    char value[256];
    const struct br_chunk *chunks;
    struct arena kept; /* the answer's memory, adopted */
};

void core_done(void *arg, struct call_answer *answer);

/* Turns the loop until `told` was told `count` times. */
void core_wait(const struct core_told *told, int count);

/* Turns the loop until what is in the box by now was opened. */
void core_settle(void);

/* Runs fn(arg) in a child; what it wrote to stderr; fails unless it ended by SIGABRT. */
const char *core_abort_words(void (*fn)(void *arg), void *arg);

TCase *core_call_cases(void);
TCase *core_close_cases(void);
TCase *core_notify_cases(void);

#endif
