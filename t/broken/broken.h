/* broken -- plugins that each break one rule, for t/broken.sh, which compiles them: a good plugin
 * with one function in the place of another.  -DNAME=x -DIS_x says which.
 */
#ifndef T_BROKEN_H
#define T_BROKEN_H

#include <bridle/plugin.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A macro's value is the name, not the macro. */
#define BROKEN_PLUGIN(kind_, name_, ops_, ...) BR_PLUGIN(kind_, name_, ops_, __VA_ARGS__)

static inline void broken_pass_time(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 300 * 1000 * 1000 }, NULL);
}

static inline void broken_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, arg) == 0)
        pthread_detach(thread);
}

#endif
