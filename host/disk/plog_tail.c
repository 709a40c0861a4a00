/* plog_tail -- see plog_tail.h.  Of the decrees that may be prepared only the ballots are kept. */
#include "host/disk/plog_tail.h"

#include <inttypes.h>
#include <string.h>

struct tail_run {
    struct plog_tail *tail;
    const struct plog_dir *dir;
    int64_t valid_from;
    bool begun;                        /* a mutation that counts was seen */
    int64_t ballots[PREPARE_LIST_MAX]; /* of the decrees above committed; TAIL_NONE: not seen */
};

#define TAIL_NONE INT64_MIN

static int64_t *tail_slot(struct tail_run *run, int64_t decree)
{
    return &run->ballots[decree % PREPARE_LIST_MAX];
}

/* As far as all mutations are there. */
static void tail_commit(struct tail_run *run, int64_t decree)
{
    struct plog_tail *tail = run->tail;
    while (tail->committed < decree && tail->committed < tail->prepared
           && *tail_slot(run, tail->committed + 1) != TAIL_NONE)
        *tail_slot(run, ++tail->committed) = TAIL_NONE;
}

static int64_t tail_lower(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What comes before the first mutation of the log is in the data, because a file goes only when all
 * that it holds is: so says the head of the first one, too, if it is of the same life. */
static void tail_begin(struct tail_run *run, const struct mutation_header *header)
{
    struct plog_tail *tail = run->tail;
    const struct plog_origin *origin = &run->dir->files[0].origin;
    int64_t before = tail_lower(header->last_committed_decree, header->decree - 1);
    if (origin->valid_start_offset == run->valid_from && origin->max_decree > before)
        before = tail_lower(origin->max_decree, header->decree - 1);
    if (before > tail->committed)
        tail->committed = before;
    if (tail->prepared < tail->committed)
        tail->prepared = tail->committed;
    run->begun = true;
}

static br_status tail_replay(void *context, const struct mutation_header *header, br_bytes updates,
                             struct fail *ret_fail)
{
    struct tail_run *run = context;
    struct plog_tail *tail = run->tail;
    (void) updates;
    if (header->ballot > tail->ballot)
        tail->ballot = header->ballot;
    if (header->log_offset < run->valid_from || header->decree <= tail->committed)
        return BR_OK;
    if (!run->begun)
        tail_begin(run, header);
    tail_commit(run, header->last_committed_decree);
    if (header->decree <= tail->committed)
        return BR_OK;
    if (header->decree - tail->committed > PREPARE_LIST_MAX)
        return fail_set(ret_fail, BR_CORRUPT,
                        "decree %" PRId64 " is too far above the committed %" PRId64,
                        header->decree, tail->committed);
    int64_t *ballot = tail_slot(run, header->decree);
    if (header->ballot > *ballot)
        *ballot = header->ballot;
    if (header->decree > tail->prepared)
        tail->prepared = header->decree;
    return BR_OK;
}

br_status plog_tail_read(const char *path, struct gpid pid, int64_t durable, int64_t valid_from,
                         struct plog_tail *ret_tail, struct fail *ret_fail)
{
    struct plog_dir dir = { 0 };
    struct tail_run run = { .tail = ret_tail, .dir = &dir, .valid_from = valid_from };
    durable = durable > 0 ? durable : 0;
    *ret_tail = (struct plog_tail){ .committed = durable, .prepared = durable };
    for (size_t i = 0; i < PREPARE_LIST_MAX; i++)
        run.ballots[i] = TAIL_NONE;
    br_status status = plog_dir_read_above(path, pid, durable, tail_replay, &run, &dir, ret_fail);
    plog_dir_done(&dir);
    return status;
}
