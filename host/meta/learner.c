/* learner -- see learner.h.  What a server told stands beside it in the order of partitions, for
 * what it is no member of alone: those are few.
 */
#include "host/meta/learner.h"

#include <stdlib.h>

#include "host/base/mem.h"
#include "host/meta/freeze.h"
#include "host/meta/guardian.h"

/* -- What is known ------------------------------------------------------------------------------
 */

static int held_compare(const void *a, const void *b)
{
    const struct held *x = a;
    const struct held *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

/* What it has committed there; 0: it holds none. */
static int64_t learner_held(const struct state_node *live, struct gpid pid)
{
    struct held key = { .key = state_key(pid) };
    const struct held *held = NULL;
    if (live->held_count)
        held = bsearch(&key, live->held, live->held_count, sizeof *held, held_compare);
    return held ? held->committed : 0;
}

static bool learner_primary_told(const struct partition *partition, const struct cure *cure)
{
    return cure && cure->told_at && cure->told_ballot == partition->ballot;
}

/* What the group has committed for certain: by its last update, or by its primary's own word. */
static int64_t learner_known(const struct partition *partition, const struct cure *cure)
{
    bool more = learner_primary_told(partition, cure) && cure->told > partition->committed;
    return more ? cure->told : partition->committed;
}

/* -- The question -------------------------------------------------------------------------------
 */

static struct learner learner_untold(const struct meta *meta, int32_t node)
{
    if (ask_silent(meta, node))
        return (struct learner){ "frozen, and it does not answer what it holds: see `bridle "
                                 "freeze_status`, or `bridle release`",
                                 node, false };
    return (struct learner){ "frozen, and it has not told yet what it holds, which it is asked "
                             "now: try again, or see `bridle release`",
                             node, true };
}

/* The primary's word counts where it came after the server's own: until then the group may have
 * moved on. */
static struct learner learner_ahead(const struct meta *meta, const struct partition *partition,
                                    const struct cure *cure, br_time held_at)
{
    if (partition->primary < 0
        || (learner_primary_told(partition, cure) && cure->told_at > held_at))
        return (struct learner){ "frozen, and it holds more than its group, which it would delete: "
                                 "see `bridle freeze_status` before `bridle release`",
                                 -1, false };
    if (ask_silent(meta, partition->primary))
        return (struct learner){ "frozen, and it holds more than its group is known to have, whose "
                                 "primary does not answer: see `bridle freeze_status`",
                                 partition->primary, false };
    if (cure && cure->vain >= ASK_VAIN_MAX)
        return (struct learner){ "frozen, and it holds more than its group is known to have, whose "
                                 "primary does not lead it by its own word",
                                 partition->primary, false };
    return (struct learner){ "frozen, and it holds more than its group is known to have, whose "
                             "primary is asked now",
                             partition->primary, true };
}

struct learner learner_judge(const struct meta *meta, struct gpid pid, int32_t node)
{
    const struct state *state = &meta->state;
    const struct state_node *live = &state->nodes[node];
    const struct partition *partition = state_partition(state, pid);
    const struct cure *cure = state_cure(state, pid);
    if (!freeze_why(meta))
        return (struct learner){ NULL, -1, false };
    if (!live->held_at || set64_has(&live->left, state_key(pid)))
        return learner_untold(meta, node);
    if (learner_held(live, pid) > learner_known(partition, cure))
        return learner_ahead(meta, partition, cure, live->held_at);
    return (struct learner){ NULL, -1, false };
}

/* -- What is told -------------------------------------------------------------------------------
 */

static void held_clear(struct state_node *live)
{
    free(live->held);
    live->held = NULL;
    live->held_count = 0;
    live->held_cap = 0;
    live->held_at = 0;
    live->ahead = 0;
    set64_done(&live->left);
}

void learner_forget(struct state_node *node)
{
    held_clear(node);
    node->ahead_before = 0;
    node->ahead_said = 0;
}

void learner_begin(struct meta *meta, int32_t node)
{
    struct state_node *live = &meta->state.nodes[node];
    live->ahead_before = live->ahead;
    held_clear(live);
    live->holds = freeze_why(meta) != NULL;
}

static void held_add(struct state_node *live, uint64_t key, int64_t committed)
{
    if (live->held_count == live->held_cap) {
        live->held_cap = live->held_cap ? live->held_cap * 2 : 8;
        live->held = mem_grow(live->held, live->held_cap * sizeof *live->held);
    }
    live->held[live->held_count++] = (struct held){ .key = key, .committed = committed };
}

/* Who learns from this primary holds what is the group's. */
static bool learner_learns(const struct partition *partition, const struct told *told)
{
    return told->status == BR_ROLE_LEARNER && told->ballot == partition->ballot;
}

/* Of the primary, by the metadata: how far is the group? */
static void learner_primary_tells(struct meta *meta, const struct partition *partition,
                                  struct cure *cure, const struct told *told)
{
    if (told->status != BR_ROLE_PRIMARY || told->ballot != partition->ballot) {
        cure->vain = (uint8_t) (cure->vain + (cure->vain < ASK_VAIN_MAX));
        return;
    }
    cure->vain = 0;
    cure->told = told->committed;
    cure->told_ballot = told->ballot;
    cure->told_at = loop_now(meta->loop);
    if (cure->starved)
        guardian_touch(meta, told->pid);
}

void learner_told(struct meta *meta, int32_t node, const struct told *told)
{
    struct state *state = &meta->state;
    struct state_node *live = &state->nodes[node];
    const struct partition *partition = state_partition(state, told->pid);
    struct cure *cure = state_cure(state, told->pid);
    if (!partition)
        return;
    if (cure && partition->primary == node)
        learner_primary_tells(meta, partition, cure, told);
    if (partition_has(partition, node) || told->committed <= 0 || learner_learns(partition, told)
        || !live->holds)
        return;
    held_add(live, state_key(told->pid), told->committed);
}

/* How many of them are more than their groups have, whose primaries told. */
static uint32_t learner_count_ahead(const struct meta *meta, int32_t node, struct gpid *ret_first)
{
    const struct state *state = &meta->state;
    const struct state_node *live = &state->nodes[node];
    uint32_t count = 0;
    for (uint32_t i = 0; i < live->held_count; i++) {
        struct gpid pid = state_gpid(live->held[i].key);
        const struct partition *partition = state_partition(state, pid);
        const struct cure *cure = state_cure(state, pid);
        if (partition_has(partition, node) || !learner_primary_told(partition, cure)
            || live->held[i].committed <= learner_known(partition, cure))
            continue;
        if (count++ == 0)
            *ret_first = pid;
    }
    return count;
}

/* Said where it was so twice in a row, when it changes: the first time a primary may just not have
 * told yet. */
static void learner_say(struct meta *meta, int32_t node)
{
    struct state_node *live = &meta->state.nodes[node];
    struct gpid first = { 0, 0 };
    live->ahead = learner_count_ahead(meta, node, &first);
    if (live->ahead && (live->ahead != live->ahead_before || live->ahead == live->ahead_said))
        return;
    live->ahead_said = live->ahead;
    if (!live->ahead)
        return;
    meta_log(meta, BR_WARN,
             "%u replicas on %s hold more than their groups are known to have (%d.%d is one): made "
             "members they would delete it, so that while frozen they are not; if it is to be "
             "kept, recover again with that server in the list, else `bridle release`",
             live->ahead, meta->state.cluster.nodes[node].name, first.app_id, first.partition);
}

void learner_end(struct meta *meta, int32_t node)
{
    struct state_node *live = &meta->state.nodes[node];
    if (!live->holds)
        return;
    if (live->held_count)
        qsort(live->held, live->held_count, sizeof *live->held, held_compare);
    live->held_at = loop_now(meta->loop);
    learner_say(meta, node);
}

/* -- Status -------------------------------------------------------------------------------------
 */

static void learners_put_json(const struct meta *meta, struct buf *buf)
{
    const struct state *state = &meta->state;
    const char *comma = "";
    buf_printf(buf, "\"starved\":%u,\"servers\":[", guardian_starved(meta));
    for (int32_t i = 0; (uint32_t) i < state->cluster.node_count; i++) {
        struct gpid first;
        const char *silent = ask_silent(meta, i);
        uint32_t ahead = learner_count_ahead(meta, i, &first);
        if (!silent && !ahead)
            continue;
        buf_printf(buf, "%s{\"node\":", comma);
        buf_json(buf, state->cluster.nodes[i].name);
        buf_printf(buf, ",\"ahead\":%u,\"silent\":", ahead);
        buf_json(buf, silent ? silent : "");
        buf_char(buf, '}');
        comma = ",";
    }
    buf_char(buf, ']');
}

void learners_put(const struct meta *meta, bool json, struct buf *buf)
{
    const struct state *state = &meta->state;
    if (json) {
        learners_put_json(meta, buf);
        return;
    }
    if (guardian_starved(meta))
        buf_printf(buf, "%u partitions lack a member, and no server may become it\n",
                   guardian_starved(meta));
    for (int32_t i = 0; (uint32_t) i < state->cluster.node_count; i++) {
        struct gpid first;
        const char *silent = ask_silent(meta, i);
        uint32_t ahead = learner_count_ahead(meta, i, &first);
        const char *name = state->cluster.nodes[i].name;
        if (silent)
            buf_printf(buf,
                       "nothing is copied to %s, which does not say what it holds: %s; see to it "
                       "that it answers\n",
                       name, silent);
        if (ahead)
            buf_printf(buf,
                       "%s holds more of %u partitions than their groups (%d.%d is one) and would "
                       "delete it as a member; if it is to be kept, recover again with that server "
                       "in the list\n",
                       name, ahead, first.app_id, first.partition);
    }
}

void learner_left(struct state *state, struct gpid pid, int32_t node)
{
    if (state->nodes[node].held_at)
        set64_add(&state->nodes[node].left, state_key(pid));
}
