/* writer_script -- the store in memory behind one that forwards to it, but for the commits and
 * reads that a test says something else about.
 */
#ifndef T_WRITER_SCRIPT_H
#define T_WRITER_SCRIPT_H

#include "host/meta/writer.h"
#include "t/core.h"

#define FENCE "/lock/LOCKNODE0000000001"

enum outcome {
    PASS = 0,
    UNAVAILABLE, /* not carried out, and it says so */
    LOST,        /* not carried out: BR_UNKNOWN */
    ANSWER_LOST, /* carried out: BR_UNKNOWN */
    HOLD,        /* until script_release */
};

struct held {
    struct br_call *call;
    const struct br_write *const *writes;
    uint32_t count;
};

struct script {
    struct plugin inner, store;
    struct loader *loader;
    const enum outcome *commits, *reads; /* of the next ones; behind them everything passes */
    int commit_count, read_count;
    int reads_seen;
    struct held held[64];
    int held_count, held_from;
    struct buf seen; /* "F /a /b\n" for each commit */
    struct writer *writer;
    int lost;
};
extern struct script script;

/* Fixture: a writer on that store. */
void script_setup(void);
void script_teardown(void);

/* What is held is carried out; so many. */
void script_release(int count);

void script_lost(void *arg);

/* Straight into the store. */
void put(br_write_kind kind, const char *path, const char *value);

/* NULL: it is not there. */
void expect_value(const char *path, const char *want);

/* What became of a group. */
struct outcome_of {
    int told;
    int order; /* the how manieth of all that were told */
    br_status status;
    char why[512];
};

void outcome_told(void *arg, br_status status, const char *why);

/* "+/a" creates, "=/a" puts, "-/a" deletes; several by blanks; values are the paths. */
struct write_group *issue(const char *writes, struct outcome_of *outcome);

void wait_for(const struct outcome_of *outcome);
void expect_ok(const struct outcome_of *outcome);

#endif
