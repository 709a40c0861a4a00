/* guardian -- two kinds of lists: partitions to be looked at, and proposals waiting to be sent
 * again, one list a delay, so that each is in the order of its due times.
 */
#include "host/meta/guardian.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/meta/change.h"
#include "host/meta/learner.h"
#include "host/meta/partition_wire.h"
#include "host/rdsn/client.h"
#include "host/rdsn/info.h"

struct guardian {
    struct meta *meta;
    struct cure_list dirty;
    struct cure_list waiting[GUARDIAN_STAGES_MAX];
    uint32_t waiting_count;
    struct cure_list deferred; /* dirty ones that must wait until a proposal is decided */
    struct timer *look;        /* partitions are looked at in the next turn */
    struct timer *again;       /* the next proposal is due */
    br_time again_at;
    int32_t scan_table; /* index; -1: no scan under way */
    int32_t scan_partition;
    uint64_t scans;     /* begun so far */
    br_time scan_at;    /* when the last one began */
    br_time rested_at;  /* until then none is begun */
    struct timer *rest; /* one is asked for that long */
    bool scan_more;     /* asked for while one was under way */
    bool scan_healthy;  /* so far */
    uint32_t scan_ddd;  /* partitions without a primary that can be chosen, so far */
    struct gpid ddd;    /* the first of them */
    uint32_t
        scan_starved;    /* partitions that lack a member which frozen nobody may become, so far */
    uint32_t starved;    /* ... at the last whole scan */
    uint32_t told_ddd;   /* what was last said of them */
    uint64_t scan_began; /* state.unhealthy_hint then */
    bool healthy;        /* the last whole scan found nothing to do ... */
    uint64_t healthy_at; /* ... when the hint was this */
};

static const br_time guardian_delays[GUARDIAN_STAGES_MAX] = {
    20 * BR_MILLISECOND, 100 * BR_MILLISECOND, 500 * BR_MILLISECOND, 2 * BR_SECOND, 10 * BR_SECOND,
};

static void guardian_look(void *arg);
static void guardian_due(void *arg);

/* -- Plans: what a proposal would add to its node --------------------------------------------- */

static void guardian_count(struct state *state, struct cure *cure, bool add)
{
    const struct action *action = &cure->actions[0];
    struct state_node *node = &state->nodes[action->node];
    uint32_t step = add ? 1 : UINT32_MAX;
    if (cure->counted == add)
        return;
    cure->counted = add;
    if (action->type == CONFIG_ASSIGN_PRIMARY || action->type == CONFIG_UPGRADE_TO_PRIMARY)
        node->planned_primaries += step;
    if (action->type == CONFIG_ASSIGN_PRIMARY || action_learns(action))
        node->planned_replicas += step;
}

/* In the next turn; what was held is so no longer. */
static void guardian_look_at(struct guardian *guardian, struct cure *cure)
{
    if (cure->held)
        TAILQ_REMOVE(cure->held, cure, look);
    if (cure->held || !cure->dirty)
        TAILQ_INSERT_TAIL(&guardian->dirty, cure, look);
    cure->held = NULL;
    cure->dirty = true;
    if (!guardian->look)
        guardian->look = loop_after(guardian->meta->loop, 0, guardian_look, guardian);
}

/* In that list until it is resumed; what is to be looked at anyhow is not held. */
static void guardian_hold(struct cure_list *list, struct cure *cure)
{
    if (cure->dirty && (!cure->held || cure->held == list))
        return;
    if (cure->held)
        TAILQ_REMOVE(cure->held, cure, look);
    TAILQ_INSERT_TAIL(list, cure, look);
    cure->held = list;
    cure->dirty = true;
}

static void guardian_unwait(struct guardian *guardian, struct cure *cure)
{
    if (!cure->waits)
        return;
    TAILQ_REMOVE(&guardian->waiting[cure->stage], cure, wait);
    guardian->waiting_count--;
    cure->waits = false;
}

/* The first action is over; the ones behind it move up. */
static void guardian_pop(struct guardian *guardian, struct cure *cure)
{
    guardian_unwait(guardian, cure);
    guardian_count(&guardian->meta->state, cure, false);
    cure->action_count--;
    memmove(&cure->actions[0], &cure->actions[1], cure->action_count * sizeof *cure->actions);
    if (cure->action_count == 0)
        cure->planned = false;
    cure->stage = 0;
    struct cure *deferred;
    for (int i = 0; i < 2 && (deferred = TAILQ_FIRST(&guardian->deferred)); i++)
        guardian_look_at(guardian, deferred);
}

static void guardian_clear(struct guardian *guardian, struct cure *cure)
{
    cure->starved = false;
    while (cure->action_count)
        guardian_pop(guardian, cure);
}

/* -- Sending ---------------------------------------------------------------------------------- */

/* src/meta/server_state.cpp: send_proposal.  A proposal without names kills a server that compares
 * names, so that nothing is sent to one that was not heard of yet: its first beacon renews what is
 * planned for it (meta_node_alive). */
static void guardian_propose(struct meta *meta, struct gpid pid, const struct action *action)
{
    const struct state *state = &meta->state;
    const struct node *target = &state->cluster.nodes[action->target];
    const struct node *node = &state->cluster.nodes[action->node];
    const struct table *table = cluster_table(&state->cluster, pid.app_id);
    struct msg_configuration_update_request request;
    struct arena arena;
    struct buf body = { 0 };
    if (state->nodes[action->target].unheard)
        return;
    arena_init(&arena, 2048);
    wire_init(&wire_configuration_update_request, &request);
    info_from_table(&table->def, &request.info);
    enum wire_peer peer = state->nodes[action->target].named ? WIRE_PEER_26 : WIRE_PEER_25;
    partition_to_wire(state, pid, peer, &arena, &request.config);
    request.type = action->type;
    request.node = node->address;
    WIRE_SET(&request, 7);
    name_to_wire(&arena, node->name, &request.hp_node);
    wire_encode(&wire_configuration_update_request, &request, peer, &body);
    rdsn_client_call(
        meta->client, target->address ? target->address_text : target->name,
        &(struct rdsn_request){
            .rpc = "RPC_CONFIG_PROPOSAL",
            .body = buf_bytes(&body),
            .timeout = 5 * BR_SECOND,
            .thread_hash = (int32_t) ((uint32_t) pid.app_id * 7919u + (uint32_t) pid.partition),
            .one_way = true,
        },
        NULL, NULL);
    meta_log(meta, BR_DEBUG, "%d.%d: proposing %s of %s to %s, ballot %lld", pid.app_id,
             pid.partition, config_type_name(action->type), node->name, target->name,
             (long long) request.config.ballot);
    buf_done(&body);
    arena_done(&arena);
}

static void guardian_arm(struct guardian *guardian)
{
    br_time first = 0;
    for (int i = 0; i < GUARDIAN_STAGES_MAX; i++) {
        const struct cure *cure = TAILQ_FIRST(&guardian->waiting[i]);
        if (cure && (first == 0 || cure->due < first))
            first = cure->due;
    }
    if (first == 0 || (guardian->again && guardian->again_at <= first))
        return;
    timer_cancel(guardian->again);
    br_time now = loop_now(guardian->meta->loop);
    guardian->again_at = first;
    guardian->again =
        loop_after(guardian->meta->loop, first > now ? first - now : 0, guardian_due, guardian);
}

static void guardian_send_first(struct guardian *guardian, struct cure *cure)
{
    guardian_unwait(guardian, cure);
    guardian_count(&guardian->meta->state, cure, true);
    guardian_propose(guardian->meta, cure->pid, &cure->actions[0]);
    cure->due = loop_now(guardian->meta->loop) + guardian_delays[cure->stage];
    cure->waits = true;
    guardian->waiting_count++;
    TAILQ_INSERT_TAIL(&guardian->waiting[cure->stage], cure, wait);
    guardian_arm(guardian);
}

/* -- One partition ---------------------------------------------------------------------------- */

/* So many proposals are under way at once, and so many replicas learn on one server. */
static bool guardian_full(const struct guardian *guardian, const struct cure *cure)
{
    const struct action *action = &cure->actions[0];
    int64_t most = guardian->meta->config->meta.add_secondary_max_count_for_one_node;
    if (!cure->counted && guardian->waiting_count >= GUARDIAN_PROPOSALS_MAX)
        return true;
    return action->type == CONFIG_ADD_SECONDARY && !cure->planned && !cure->counted && most > 0
           && guardian->meta->state.nodes[action->node].planned_replicas >= most;
}

/* The server that must tell first what it holds, before somebody may learn; -1: nobody must. */
static int32_t guardian_asks(const struct meta *meta, struct gpid pid, const struct action *action)
{
    if (!action_learns(action))
        return -1;
    struct learner learner = learner_judge(meta, pid, action->node);
    return learner.wrong ? learner.ask : -1;
}

/* What waits counts already: what is decided meanwhile goes elsewhere. */
static void guardian_act(struct guardian *guardian, struct cure *cure)
{
    struct meta *meta = guardian->meta;
    int32_t asked = guardian_asks(meta, cure->pid, &cure->actions[0]);
    if (guardian_full(guardian, cure)) {
        guardian_hold(&guardian->deferred, cure);
    } else if (asked >= 0) {
        guardian_count(&meta->state, cure, true);
        ask_node(meta, asked);
        guardian_hold(ask_waiting(meta, asked), cure);
    } else {
        guardian_send_first(guardian, cure);
    }
}

static bool guardian_alive(const struct meta *meta, int32_t node)
{
    return node >= 0 && meta->state.nodes[node].alive;
}

/* What waits for nobody: a dead primary's partition has none any more. */
static bool guardian_bury(struct meta *meta, struct gpid pid, const struct partition *partition)
{
    if (partition->primary < 0 || guardian_alive(meta, partition->primary))
        return false;
    change_drop_primary(meta, pid);
    return true;
}

/* false: there is something to do about it, or it cannot be told. */
static bool guardian_check(struct guardian *guardian, struct gpid pid)
{
    struct meta *meta = guardian->meta;
    struct state *state = &meta->state;
    const struct partition *partition = state_partition(state, pid);
    struct cure *cure = state_cure(state, pid);
    const struct table *table = cluster_table(&state->cluster, pid.app_id);
    if (table->def.status != BR_TABLE_AVAILABLE || partition->ballot < 0) {
        if (cure)
            guardian_clear(guardian, cure);
        return table->def.status != BR_TABLE_AVAILABLE;
    }
    if (cure && cure->change)
        return false;
    if (guardian_bury(meta, pid, partition))
        return false;
    if (meta_level_now(meta) <= LEVEL_FREEZED)
        return false;
    if (partition_unconfirmed(partition))
        return false;
    const char *stale = cure && cure->action_count ? cure_stale(meta, cure) : NULL;
    if (!stale && cure && cure->action_count)
        stale = cure_overtaken(meta, cure);
    if (stale) {
        meta_log(meta, cure->planned ? BR_INFO : BR_DEBUG, "%d.%d: %s is given up: %s", pid.app_id,
                 pid.partition, config_type_name(cure->actions[0].type), stale);
        guardian_clear(guardian, cure);
    }
    if (!cure || !cure->action_count)
        cure_decide(meta, pid);
    cure = state_cure(state, pid);
    if (cure && cure->action_count && !cure->waits)
        guardian_act(guardian, cure);
    return cure_unrest(state, pid) == NULL;
}

/* The same, and whatever is going on there no longer stays unseen by the balancer; what it costs of
 * a turn: to decide something goes over all nodes. */
static int guardian_look_one(struct guardian *guardian, struct gpid pid)
{
    struct state *state = &guardian->meta->state;
    bool rests = guardian_check(guardian, pid);
    guardian->scan_healthy &= rests;
    guardian->healthy &= rests;
    struct cure *cure = state_cure(state, pid);
    if (cure)
        state_cure_settle(state, cure);
    return rests ? 1 : GUARDIAN_DECISION + (int) (state->cluster.node_count / 16);
}

/* -- Turns ------------------------------------------------------------------------------------ */

static void guardian_soon(struct guardian *guardian)
{
    if (!guardian->look)
        guardian->look = loop_after(guardian->meta->loop, 0, guardian_look, guardian);
}

static void guardian_tell(struct guardian *guardian)
{
    struct meta *meta = guardian->meta;
    const struct cure *cure = state_cure(&meta->state, guardian->ddd);
    if (guardian->scan_ddd == guardian->told_ddd)
        return;
    guardian->told_ddd = guardian->scan_ddd;
    if (guardian->scan_ddd)
        meta_log(meta, BR_WARN,
                 "%u partitions have no primary, and none can be chosen safely yet; of %d.%d: %s; "
                 "see `bridle ddd_diagnose`",
                 guardian->scan_ddd, guardian->ddd.app_id, guardian->ddd.partition,
                 cure && cure->ddd ? cure->reason : "it has got one meanwhile");
    else
        meta_log(meta, BR_INFO, "no partition is without a primary any more");
}

static void guardian_tell_starved(struct guardian *guardian)
{
    if (guardian->scan_starved != guardian->starved)
        meta_log(
            guardian->meta, guardian->scan_starved ? BR_WARN : BR_INFO,
            "%u partitions lack a member, and while frozen no server may become it; see `bridle "
            "freeze_status`",
            guardian->scan_starved);
    guardian->starved = guardian->scan_starved;
}

uint32_t guardian_starved(const struct meta *meta)
{
    return meta->guardian->starved;
}

static void guardian_scan_end(struct guardian *guardian)
{
    struct meta *meta = guardian->meta;
    br_time now = loop_now(meta->loop);
    br_time rest = (now - guardian->scan_at) * GUARDIAN_REST;
    guardian->scan_table = -1;
    guardian->rested_at = now + (rest < GUARDIAN_REST_LONGEST ? rest : GUARDIAN_REST_LONGEST);
    guardian_tell(guardian);
    guardian_tell_starved(guardian);
    guardian->healthy =
        guardian->scan_healthy && guardian->scan_began == meta->state.unhealthy_hint;
    guardian->healthy_at = meta->state.unhealthy_hint;
    if (guardian->scan_more) {
        guardian->scan_more = false;
        guardian_scan(meta);
    }
}

static void guardian_scan_some(struct guardian *guardian, int left)
{
    struct state *state = &guardian->meta->state;
    while (left > 0 && guardian->scan_table >= 0) {
        if ((uint32_t) guardian->scan_table == state->cluster.table_count) {
            guardian_scan_end(guardian);
            return;
        }
        const struct table *table = &state->cluster.tables[guardian->scan_table];
        struct gpid pid = { table->def.id, guardian->scan_partition };
        struct cure *cure = state_cure(state, pid);
        if (cure)
            cure->kept = false;
        left -= guardian_look_one(guardian, pid);
        cure = state_cure(state, pid);
        if (cure && cure->ddd && guardian->scan_ddd++ == 0)
            guardian->ddd = pid;
        guardian->scan_starved += cure && cure->starved;
        if (++guardian->scan_partition == table->def.partition_count) {
            guardian->scan_partition = 0;
            guardian->scan_table++;
        }
    }
}

static void guardian_look(void *arg)
{
    struct guardian *guardian = arg;
    guardian->look = NULL;
    struct cure *cure;
    int left = GUARDIAN_LOOKS_MAX;
    while (left > 0 && (cure = TAILQ_FIRST(&guardian->dirty))) {
        TAILQ_REMOVE(&guardian->dirty, cure, look);
        cure->dirty = false;
        left -= guardian_look_one(guardian, cure->pid);
    }
    guardian_scan_some(guardian, left);
    if (!TAILQ_EMPTY(&guardian->dirty) || guardian->scan_table >= 0)
        guardian_soon(guardian);
}

/* Proposals whose time has come: still wanted, they are sent again. */
static void guardian_due(void *arg)
{
    struct guardian *guardian = arg;
    guardian->again = NULL;
    br_time now = loop_now(guardian->meta->loop);
    int left = GUARDIAN_LOOKS_MAX;
    for (int i = 0; i < GUARDIAN_STAGES_MAX; i++) {
        struct cure *cure;
        while (left > 0 && (cure = TAILQ_FIRST(&guardian->waiting[i])) && cure->due <= now) {
            guardian_unwait(guardian, cure);
            if (cure->stage < GUARDIAN_STAGES_MAX - 1)
                cure->stage++;
            left -= guardian_look_one(guardian, cure->pid);
        }
    }
    guardian_arm(guardian);
}

void guardian_resume(struct meta *meta, struct cure_list *list)
{
    struct cure *cure;
    while ((cure = TAILQ_FIRST(list)))
        guardian_look_at(meta->guardian, cure);
}

void guardian_touch(struct meta *meta, struct gpid pid)
{
    guardian_look_at(meta->guardian, state_cure_make(&meta->state, pid));
}

static void guardian_rested(void *arg)
{
    struct guardian *guardian = arg;
    guardian->rest = NULL;
    guardian_scan(guardian->meta);
}

/* Where servers come one after the other, each asks for one: there are rests between them. */
void guardian_scan(struct meta *meta)
{
    struct guardian *guardian = meta->guardian;
    br_time now = loop_now(meta->loop);
    if (guardian->scan_table >= 0) {
        guardian->scan_more = true;
        return;
    }
    if (guardian->rest)
        return;
    if (now < guardian->rested_at) {
        guardian->rest =
            loop_after(meta->loop, guardian->rested_at - now, guardian_rested, guardian);
        return;
    }
    guardian->scan_at = now;
    guardian->scans++;
    guardian->scan_table = 0;
    guardian->scan_partition = 0;
    guardian->scan_healthy = true;
    guardian->scan_ddd = 0;
    guardian->scan_starved = 0;
    guardian->scan_began = meta->state.unhealthy_hint;
    guardian_soon(guardian);
}

void guardian_renew(struct meta *meta, int32_t node)
{
    struct guardian *guardian = meta->guardian;
    for (int i = GUARDIAN_STAGES_MAX - 1; i >= 0; i--) {
        struct cure *next;
        for (struct cure *cure = TAILQ_FIRST(&guardian->waiting[i]); cure; cure = next) {
            next = TAILQ_NEXT(cure, wait);
            if (cure->actions[0].target != node && cure->actions[0].node != node)
                continue;
            guardian_unwait(guardian, cure);
            cure->stage = 0;
            guardian_look_at(guardian, cure);
        }
    }
}

uint64_t guardian_scans(const struct meta *meta)
{
    return meta->guardian->scans;
}

void guardian_touch_node(struct meta *meta, int32_t node)
{
    uint32_t at = 0;
    uint64_t key;
    while (set64_next(&meta->state.nodes[node].partitions, &at, &key))
        guardian_touch(meta, state_gpid(key));
}

/* -- From outside ----------------------------------------------------------------------------- */

void guardian_decided(struct meta *meta, struct gpid pid, int32_t type, int32_t node)
{
    struct guardian *guardian = meta->guardian;
    struct cure *cure = state_cure(&meta->state, pid);
    if (!cure)
        return;
    cure->ddd = false;
    cure->starved = false;
    cure->vain = 0;
    if (!cure->action_count)
        return;
    const struct action *action = &cure->actions[0];
    bool learnt = type == CONFIG_UPGRADE_TO_SECONDARY && action_learns(action);
    if (cure->planned && action->node == node && (action->type == type || learnt))
        guardian_pop(guardian, cure);
    else
        guardian_clear(guardian, cure);
}

const char *guardian_plan(struct meta *meta, struct gpid pid, const struct action *actions,
                          uint32_t count)
{
    if (count == 0 || count > CURE_ACTIONS_MAX)
        return "a proposal has 1 to 4 steps";
    if (partition_unconfirmed(state_partition(&meta->state, pid)))
        return "its primary has not yet confirmed the group that it was taken over with";
    struct cure *cure = state_cure_make(&meta->state, pid);
    if (cure->planned)
        return "another proposal is under way";
    guardian_clear(meta->guardian, cure);
    memcpy(cure->actions, actions, count * sizeof *actions);
    cure->action_count = (uint8_t) count;
    cure->planned = true;
    meta->guardian->healthy = false;
    meta->guardian->scan_healthy = false; /* it may have been there before */
    const char *stale = cure_stale(meta, cure);
    if (stale)
        guardian_clear(meta->guardian, cure);
    guardian_touch(meta, pid);
    return stale;
}

const char *guardian_send(struct meta *meta, struct gpid pid, const struct action *action)
{
    if (partition_unconfirmed(state_partition(&meta->state, pid)))
        return "its primary has not yet confirmed the group that it was taken over with";
    if (meta->state.nodes[action->target].unheard)
        return "the server that is asked was not heard of since this meta server leads";
    const char *wrong = action_learns(action) ? learner_judge(meta, pid, action->node).wrong : NULL;
    int32_t asked = guardian_asks(meta, pid, action);
    if (asked >= 0) {
        state_cure_make(&meta->state, pid)->kept = true;
        ask_node(meta, asked);
    }
    if (!wrong)
        guardian_propose(meta, pid, action);
    return wrong;
}

bool guardian_all_healthy(const struct meta *meta)
{
    const struct guardian *guardian = meta->guardian;
    return guardian->healthy && guardian->healthy_at == meta->state.unhealthy_hint;
}

struct guardian *guardian_new(struct meta *meta)
{
    struct guardian *guardian = mem_new(sizeof *guardian);
    guardian->meta = meta;
    guardian->scan_table = -1;
    TAILQ_INIT(&guardian->dirty);
    TAILQ_INIT(&guardian->deferred);
    for (int i = 0; i < GUARDIAN_STAGES_MAX; i++)
        TAILQ_INIT(&guardian->waiting[i]);
    return guardian;
}

void guardian_free(struct guardian *guardian)
{
    if (!guardian)
        return;
    timer_cancel(guardian->look);
    timer_cancel(guardian->again);
    timer_cancel(guardian->rest);
    free(guardian);
}
