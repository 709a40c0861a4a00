/* journal -- what test_journal.c and journal_threads.c share: a disk that is waited for as long as
 * the test wants, and fails when it says so.
 */
#ifndef T_JOURNAL_H
#define T_JOURNAL_H

#include <semaphore.h>

#include "host/replica/journal.h"
#include "t/test.h"

struct disk {
    uint32_t syncs; /* fdatasync was called so often; read it when no thread is in it */
    int error;      /* what it fails with */
    bool held;      /* it waits for `go` after saying `begun` */
    sem_t begun, go;
};

extern struct disk disk;
void disk_setup(void);

TCase *journal_workers(void);
TCase *journal_syncers(void);

#endif
