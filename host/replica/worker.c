/* worker -- see worker.h. */
#include "host/replica/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "host/base/mem.h"

struct worker {
    struct loop *loop;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t more, idle;
    bool running;
    struct job *first, **last;
    bool ending;
};

static void worker_home(struct letter *letter)
{
    struct job *job = (struct job *) letter;
    job->done(job);
}

/* The next one; NULL: the end. */
static struct job *worker_take(struct worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    while (!worker->first && !worker->ending)
        pthread_cond_wait(&worker->more, &worker->mutex);
    struct job *job = worker->ending ? NULL : worker->first;
    if (job) {
        worker->first = job->next;
        if (!worker->first)
            worker->last = &worker->first;
    }
    worker->running = job != NULL;
    pthread_mutex_unlock(&worker->mutex);
    return job;
}

static void worker_rest(struct worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    worker->running = false;
    pthread_cond_signal(&worker->idle);
    pthread_mutex_unlock(&worker->mutex);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct job *job;
    while ((job = worker_take(worker))) {
        job->run(job);
        job->ran = true;
        mailbox_put(&worker->loop->box, &job->letter);
        worker_rest(worker);
    }
    return NULL;
}

static void worker_done(struct worker *worker)
{
    pthread_cond_destroy(&worker->more);
    pthread_cond_destroy(&worker->idle);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
}

static void worker_letters(struct worker *worker)
{
    struct letter *letter = mailbox_take(&worker->loop->box);
    while (letter) {
        struct letter *next = letter->next;
        letter->open(letter);
        letter = next;
    }
}

struct worker *worker_new(struct loop *loop)
{
    struct worker *worker = mem_new(sizeof *worker);
    sigset_t all, old;
    worker->loop = loop;
    worker->last = &worker->first;
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_cond_init(&worker->more, NULL);
    pthread_cond_init(&worker->idle, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are for the loop's thread */
    int error = pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error == 0)
        return worker;
    worker_done(worker);
    errno = error;
    return NULL;
}

void worker_free(struct worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    worker->ending = true;
    pthread_cond_signal(&worker->more);
    pthread_mutex_unlock(&worker->mutex);
    pthread_join(worker->thread, NULL);
    worker_letters(worker);
    while (worker->first) {
        struct job *job = worker->first;
        worker->first = job->next;
        job->done(job);
    }
    worker_done(worker);
}

void worker_put(struct worker *worker, struct job *job)
{
    job->letter.open = worker_home;
    job->next = NULL;
    job->ran = false;
    pthread_mutex_lock(&worker->mutex);
    *worker->last = job;
    worker->last = &job->next;
    pthread_cond_signal(&worker->more);
    pthread_mutex_unlock(&worker->mutex);
}

void worker_drain(struct worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    while (worker->first || worker->running)
        pthread_cond_wait(&worker->idle, &worker->mutex);
    pthread_mutex_unlock(&worker->mutex);
    worker_letters(worker);
}
