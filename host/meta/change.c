/* change -- see change.h. */
#include "host/meta/change.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/meta/ddl.h"
#include "host/meta/drops.h"
#include "host/meta/guardian.h"
#include "host/meta/learner.h"
#include "host/meta/partition_wire.h"

struct change {
    struct meta *meta;
    struct gpid pid;
    int32_t type;
    int32_t node;
    struct partition next;
    int32_t members[STATE_MEMBERS_MAX];
    struct rdsn_incoming *incoming;
    enum wire_peer peer;
    struct write_group *group; /* on its way */
    struct timer *again;
};

static void change_write(struct change *change);

bool change_touches(const struct change *change, int32_t node)
{
    const struct partition *old = state_partition(&change->meta->state, change->pid);
    return change->node == node || partition_has(old, node) != partition_has(&change->next, node);
}

static void change_free(struct change *change)
{
    if (change->group)
        writer_forget(change->group);
    timer_cancel(change->again);
    if (change->incoming)
        rdsn_server_drop(change->incoming);
    free(change);
}

static void change_answer(struct change *change)
{
    struct msg_configuration_update_response response;
    struct arena arena;
    struct buf body = { 0 };
    if (!change->incoming)
        return;
    arena_init(&arena, 1024);
    wire_init(&wire_configuration_update_response, &response);
    partition_to_wire(&change->meta->state, change->pid, change->peer, &arena, &response.config);
    wire_encode(&wire_configuration_update_response, &response, change->peer, &body);
    meta_reply(change->meta, change->incoming, "ERR_OK", buf_bytes(&body));
    change->incoming = NULL;
    buf_done(&body);
    arena_done(&arena);
}

/* Who left the group stands in the drop list from now on, who joined it does not
 * (src/meta/partition_guardian.cpp: reconfig). */
static void change_track(struct change *change, const int32_t *was, int count)
{
    struct state *state = &change->meta->state;
    int64_t now_ms = state_wall_ms();
    for (int i = 0; i < count; i++) {
        if (was[i] < 0 || partition_has(&change->next, was[i]))
            continue;
        drops_record(state, change->pid, was[i], now_ms);
        learner_left(state, change->pid, was[i]);
    }
    if (change->next.primary >= 0)
        drops_remove(state, change->pid, change->next.primary);
    for (int i = 0; i < change->next.secondary_count; i++)
        drops_remove(state, change->pid, change->next.members[i]);
}

/* true to memory: the record, what derives from it, and what was proposed. */
static void change_apply(struct change *change)
{
    struct meta *meta = change->meta;
    struct state *state = &meta->state;
    const struct partition *old = state_partition(state, change->pid);
    int32_t was[STATE_MEMBERS_MAX + 1];
    int count = 0;
    was[count++] = old->primary;
    for (int i = 0; i < old->secondary_count; i++)
        was[count++] = old->members[i];
    meta_log(meta, BR_INFO, "%d.%d: %s of %s written, ballot %lld", change->pid.app_id,
             change->pid.partition, config_type_name(change->type),
             change->node >= 0 ? state->cluster.nodes[change->node].name : "nobody",
             (long long) change->next.ballot);
    state_set_partition(state, change->pid, &change->next);
    change_track(change, was, count);
    guardian_decided(meta, change->pid, change->type, change->node);
    struct cure *cure = state_cure_make(state, change->pid);
    if (change->incoming || change->next.primary < 0)
        cure->asleep = false;
}

static void change_again(void *arg)
{
    struct change *change = arg;
    change->again = NULL;
    change_write(change);
}

static void change_written(void *arg, br_status status, const char *why)
{
    struct change *change = arg;
    struct meta *meta = change->meta;
    struct gpid pid = change->pid;
    change->group = NULL;
    if (status) {
        meta_log(meta, BR_ERROR,
                 "the record of partition %d.%d cannot be written: %s; if somebody else writes to "
                 "%s, stop them; the update waits and is tried again every second",
                 pid.app_id, pid.partition, why, buf_string(&meta->root));
        change->again = loop_after(meta->loop, META_RETRY, change_again, change);
        return;
    }
    change_apply(change);
    change_answer(change);
    struct cure *cure = state_cure(&meta->state, pid);
    cure->change = NULL;
    change_free(change);
    int32_t table = state_table(&meta->state, pid.app_id);
    meta->state.tables[table].writing--;
    meta->state.writing--;
    guardian_touch(meta, pid);
    ddl_settled(meta, table);
}

static void change_write(struct change *change)
{
    struct meta *meta = change->meta;
    struct buf path = { 0 };
    struct buf json = { 0 };
    layout_partition_path(&path, buf_string(&meta->root), change->pid.app_id,
                          change->pid.partition);
    layout_put_partition(&json, &meta->state.cluster, change->pid.app_id,
                         state_replica_count(&meta->state, change->pid), change->pid.partition,
                         &change->next, meta->version);
    change->group = writer_begin(meta->writer);
    writer_add(change->group, BR_PUT, path.data, buf_bytes(&json));
    writer_issue(change->group, change_written, change);
    buf_done(&path);
    buf_done(&json);
}

void change_start(struct meta *meta, struct gpid pid, int32_t type, int32_t node,
                  const struct partition *next, struct rdsn_incoming *incoming, enum wire_peer peer)
{
    struct cure *cure = state_cure_make(&meta->state, pid);
    uint32_t count = (uint32_t) next->secondary_count + next->drop_count;
    assert(!cure->change && count <= STATE_MEMBERS_MAX);
    struct change *change = mem_new(sizeof *change);
    change->meta = meta;
    change->pid = pid;
    change->type = type;
    change->node = node;
    change->next = *next;
    if (count)
        memcpy(change->members, next->members, count * sizeof *change->members);
    change->next.members = change->members;
    change->incoming = incoming;
    change->peer = peer;
    cure->change = change;
    meta->state.tables[state_table(&meta->state, pid.app_id)].writing++;
    meta->state.writing++;
    change_write(change);
}

void change_drop_primary(struct meta *meta, struct gpid pid)
{
    const struct partition *old = state_partition(&meta->state, pid);
    int32_t members[STATE_MEMBERS_MAX + 1];
    struct partition next = *old;
    uint32_t count = (uint32_t) old->secondary_count + old->drop_count;
    if (count)
        memcpy(members, old->members, count * sizeof *members);
    next.members = members;
    next.ballot++;
    next.primary = -1;
    next.flags &= ~(uint32_t) PARTITION_UNCONFIRMED;
    last_drops_change(&next, members, old->primary, true);
    change_start(meta, pid, CONFIG_DOWNGRADE_TO_INACTIVE, old->primary, &next, NULL, WIRE_PEER_25);
}

void change_forget_all(struct meta *meta)
{
    struct state *state = &meta->state;
    for (uint32_t t = 0; t < state->cluster.table_count; t++) {
        for (int32_t i = 0;
             state->tables[t].writing && i < state->cluster.tables[t].def.partition_count; i++) {
            struct cure *cure = state->tables[t].cures[i];
            if (!cure || !cure->change)
                continue;
            change_free(cure->change);
            cure->change = NULL;
            state->tables[t].writing--;
            state->writing--;
        }
    }
}
