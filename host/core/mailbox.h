/* mailbox -- the one door for other threads: letters in, from any thread; out, on the loop. */
#ifndef HOST_CORE_MAILBOX_H
#define HOST_CORE_MAILBOX_H

#include <pthread.h>

struct letter {
    struct letter *next;
    void (*open)(struct letter *letter); /* on the loop thread; owns the letter from then on */
};

struct mailbox {
    pthread_mutex_t mutex;
    struct letter *first;
    struct letter **last;
    int fd; /* an eventfd: only the letter that finds the box empty rings it */
};

/* false: no eventfd. */
int mailbox_init(struct mailbox *box);
void mailbox_done(struct mailbox *box);

/* Any thread. */
void mailbox_put(struct mailbox *box, struct letter *letter);

/* Loop thread: everything that is there, in the order it came; clears the bell. */
struct letter *mailbox_take(struct mailbox *box);

#endif
