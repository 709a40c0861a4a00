/* worker -- one thread that does what would keep the loop waiting, job after job. */
#ifndef HOST_REPLICA_WORKER_H
#define HOST_REPLICA_WORKER_H

#include <stdbool.h>

#include "host/core/loop.h"

struct worker;

/* The first member of whatever is to be done. */
struct job {
    struct letter letter; /* first: its way home */
    struct job *next;
    bool ran;                      /* false in `done`: the worker ended before */
    void (*run)(struct job *job);  /* in the thread */
    void (*done)(struct job *job); /* on the loop; owns the job from then on */
};

/* NULL: there is no thread to be had (errno). */
struct worker *worker_new(struct loop *loop);

/* Waits for the job under way; jobs that were not begun are done without having been run, and all
 * letters are opened before it returns. */
void worker_free(struct worker *worker);

void worker_put(struct worker *worker, struct job *job);

/* Waits until everything put so far is run, and opens the letters. */
void worker_drain(struct worker *worker);

#endif
