/* scan -- scans that wait for their next request. */
#include <stdlib.h>

#include "host/base/mem.h"
#include "host/data/store_run.h"

void data_scan_done(struct data_scan *scan)
{
    data_walk_free(scan->walk);
    buf_done(&scan->memory);
    scan->walk = NULL;
}

static void scan_unlink(struct data_store *store, struct kept_scan *kept)
{
    TAILQ_REMOVE(&store->scans, kept, link);
    store->scan_count--;
}

void data_scan_forget(struct data_store *store, struct kept_scan *kept)
{
    scan_unlink(store, kept);
    data_scan_done(&kept->scan);
    free(kept);
}

/* Those that nobody asked for again. */
static void scan_expire(struct data_store *store, br_time now)
{
    struct kept_scan *oldest;
    while ((oldest = TAILQ_FIRST(&store->scans)) && oldest->used + DATA_SCAN_IDLE <= now)
        data_scan_forget(store, oldest);
}

int64_t data_scan_keep(struct data_store *store, struct data_scan *scan, br_time now)
{
    scan_expire(store, now);
    if (store->scan_count == DATA_SCANS_MAX)
        data_scan_forget(store, TAILQ_FIRST(&store->scans));
    struct kept_scan *kept = mem_new(sizeof *kept);
    *kept = (struct kept_scan){ .id = store->next_scan++, .used = now, .scan = *scan };
    *scan = (struct data_scan){ .walk = NULL };
    TAILQ_INSERT_TAIL(&store->scans, kept, link);
    store->scan_count++;
    return kept->id;
}

bool data_scan_take(struct data_store *store, int64_t id, br_time now, struct data_scan *ret_scan)
{
    if (!store)
        return false;
    scan_expire(store, now);
    struct kept_scan *kept;
    TAILQ_FOREACH_REVERSE(kept, &store->scans, kept_scans, link) /* the youngest first */
    {
        if (kept->id != id)
            continue;
        scan_unlink(store, kept);
        *ret_scan = kept->scan;
        free(kept);
        return true;
    }
    return false;
}
