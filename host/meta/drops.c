/* drops -- see drops.h. */
#include "host/meta/drops.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

static int drop_compare(const struct drop *a, const struct drop *b)
{
    const int64_t pairs[4][2] = { { a->time_ms, b->time_ms },
                                  { a->ballot, b->ballot },
                                  { a->committed, b->committed },
                                  { a->prepared, b->prepared } };
    for (int i = 0; i < 4; i++) {
        if (pairs[i][0] != pairs[i][1])
            return pairs[i][0] < pairs[i][1] ? -1 : 1;
    }
    return 0;
}

struct drop *drops_find(const struct cure *cure, int32_t node)
{
    for (uint32_t i = 0; cure && i < cure->drop_count; i++) {
        if (cure->drops[i].node == node)
            return &cure->drops[i];
    }
    return NULL;
}

static void drops_take_out(struct cure *cure, const struct drop *drop)
{
    size_t at = (size_t) (drop - cure->drops);
    memmove(&cure->drops[at], &cure->drops[at + 1],
            (cure->drop_count - at - 1) * sizeof *cure->drops);
    cure->drop_count--;
    cure->preferred = cure->drop_count - 1;
}

/* Before entries that are equal: of equals, the one that came first stands nearest the back. */
static void drops_put(struct cure *cure, const struct drop *drop)
{
    if (cure->drop_count == cure->drop_cap) {
        cure->drop_cap = (uint16_t) (cure->drop_cap ? cure->drop_cap * 2 : 2);
        cure->drops = mem_grow(cure->drops, cure->drop_cap * sizeof *cure->drops);
    }
    uint32_t at = 0;
    while (at < cure->drop_count && drop_compare(&cure->drops[at], drop) < 0)
        at++;
    memmove(&cure->drops[at + 1], &cure->drops[at], (cure->drop_count - at) * sizeof *cure->drops);
    cure->drops[at] = *drop;
    cure->drop_count++;
    cure->preferred = cure->drop_count - 1;
}

static void drops_cut(const struct state *state, struct cure *cure)
{
    const struct partition *partition = state_partition(state, cure->pid);
    int32_t members = partition->secondary_count + (partition->primary >= 0);
    int32_t most = state_replica_count(state, cure->pid) + DROPS_RESERVED;
    while (cure->drop_count > 0 && members + cure->drop_count > most)
        drops_take_out(cure, &cure->drops[0]);
}

void drops_record(struct state *state, struct gpid pid, int32_t node, int64_t now_ms)
{
    struct cure *cure = state_cure_make(state, pid);
    struct drop *drop = drops_find(cure, node);
    if (drop)
        return;
    drops_put(cure, &(struct drop){ .node = node,
                                    .time_ms = now_ms,
                                    .ballot = BR_BALLOT_INVALID,
                                    .committed = BR_DECREE_INVALID,
                                    .prepared = BR_DECREE_INVALID });
    drops_cut(state, cure);
}

void drops_remove(struct state *state, struct gpid pid, int32_t node)
{
    struct cure *cure = state_cure(state, pid);
    struct drop *drop = drops_find(cure, node);
    if (drop)
        drops_take_out(cure, drop);
    if (cure)
        drops_cut(state, cure);
}

bool drops_collect(struct state *state, struct gpid pid, const struct drop *found)
{
    struct cure *cure = state_cure_make(state, pid);
    struct drop next = *found;
    struct drop *drop = drops_find(cure, found->node);
    if (drop) {
        next.time_ms = drop->time_ms;
        if (drop_compare(drop, &next) == 0)
            return true; /* known, and its place is right */
        drops_take_out(cure, drop);
    }
    drops_put(cure, &next);
    drops_cut(state, cure);
    bool kept = drops_find(cure, found->node) != NULL;
    state_cure_settle(state, cure);
    return kept;
}

void drops_from_record(struct state *state, struct gpid pid, int64_t time_ms)
{
    const struct partition *partition = state_partition(state, pid);
    for (int i = 0; i < partition->drop_count; i++) {
        struct cure *cure = state_cure_make(state, pid);
        int32_t node = partition_drops(partition)[i];
        if (drops_find(cure, node))
            continue;
        drops_put(cure, &(struct drop){ .node = node,
                                        .time_ms = time_ms ? time_ms + i : 0,
                                        .ballot = BR_BALLOT_INVALID,
                                        .committed = BR_DECREE_INVALID,
                                        .prepared = BR_DECREE_INVALID });
    }
}

void last_drops_change(struct partition *partition, int32_t *members, int32_t node, bool left)
{
    int32_t *drops = members + partition->secondary_count;
    uint16_t kept = 0;
    for (uint16_t i = 0; i < partition->drop_count; i++) {
        if (drops[i] != node && !partition_has(partition, drops[i]))
            drops[kept++] = drops[i];
    }
    if (left && node >= 0 && !partition_has(partition, node))
        drops[kept++] = node;
    while (kept > LAST_DROPS_MAX) {
        memmove(drops, drops + 1, (kept - 1u) * sizeof *drops);
        kept--;
    }
    partition->drop_count = kept;
}
