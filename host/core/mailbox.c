/* mailbox -- a list under a mutex and an eventfd.  Only the letter that finds the box empty rings,
 * and it rings before it lets go of the mutex: once a letter can be taken, its sender no longer
 * touches the box, so the last letter may be followed by mailbox_done.
 */
#include "host/core/mailbox.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_init(struct mailbox *box)
{
    box->first = NULL;
    box->last = &box->first;
    box->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (box->fd < 0)
        return 0;
    pthread_mutex_init(&box->mutex, NULL);
    return 1;
}

void mailbox_done(struct mailbox *box)
{
    assert(!box->first);
    close(box->fd);
    pthread_mutex_destroy(&box->mutex);
}

void mailbox_put(struct mailbox *box, struct letter *letter)
{
    letter->next = NULL;
    pthread_mutex_lock(&box->mutex);
    if (!box->first) {
        /* It cannot fail: the counter is far from full, since each take sets it to zero. */
        ssize_t rung = write(box->fd, &(uint64_t){ 1 }, sizeof(uint64_t));
        assert(rung == sizeof(uint64_t));
    }
    *box->last = letter;
    box->last = &letter->next;
    pthread_mutex_unlock(&box->mutex);
}

struct letter *mailbox_take(struct mailbox *box)
{
    uint64_t rings;
    /* Nothing to read is fine: the bell was cleared by an earlier take. */
    ssize_t got = read(box->fd, &rings, sizeof rings);
    (void) got;
    pthread_mutex_lock(&box->mutex);
    struct letter *first = box->first;
    box->first = NULL;
    box->last = &box->first;
    pthread_mutex_unlock(&box->mutex);
    return first;
}
