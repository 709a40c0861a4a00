/* update -- a replica server's configuration update, and what is refused about it
 * (src/meta/server_state.cpp: on_update_configuration).
 *
 * The update of a primary says the whole new group.  It must continue our ballot, and but for a
 * partition that was taken over as it serves it must differ from our group in the one node that it
 * is about: anything else is answered with our configuration, to which the replica server returns.
 */
#include <string.h>

#include "host/meta/change.h"
#include "host/meta/drops.h"
#include "host/meta/partition_wire.h"
#include "host/meta/routes.h"

struct update {
    struct route *route;
    struct msg_configuration_update_request request;
    enum wire_peer peer;
    struct gpid pid;
    int32_t node;
    struct partition next;
    int32_t members[STATE_MEMBERS_MAX + 1];
};

static void update_answer(struct update *update, const char *error)
{
    struct meta *meta = update->route->meta;
    struct msg_configuration_update_response response;
    struct buf body = { 0 };
    wire_init(&wire_configuration_update_response, &response);
    response.err = error;
    if (state_partition(&meta->state, update->pid))
        partition_to_wire(&meta->state, update->pid, update->peer, &update->route->arena,
                          &response.config);
    else
        response.config.pid = update->pid;
    wire_encode(&wire_configuration_update_response, &response, update->peer, &body);
    meta_reply(meta, update->route->incoming, "ERR_OK", buf_bytes(&body));
    update->route->incoming = NULL;
    buf_done(&body);
}

/* The replica server asks again after its deadline. */
static void update_ignore(struct update *update)
{
    rdsn_server_drop(update->route->incoming);
    update->route->incoming = NULL;
}

static bool update_same_group(const struct partition *a, const struct partition *b)
{
    if (a->primary != b->primary || a->secondary_count != b->secondary_count)
        return false;
    for (int i = 0; i < a->secondary_count; i++) {
        if (!partition_has_secondary(b, a->members[i]))
            return false;
    }
    return true;
}

/* Does the group differ from ours in `node` alone, as its type says? */
static bool update_fits(const struct partition *old, const struct partition *next, int32_t type,
                        int32_t node)
{
    int kept = 0;
    for (int i = 0; i < old->secondary_count; i++)
        kept += old->members[i] != node && partition_has_secondary(next, old->members[i]);
    int others = old->secondary_count - partition_has_secondary(old, node);
    int added = next->secondary_count - partition_has_secondary(next, node) - kept;
    if (kept != others || added != 0)
        return false;
    bool same_primary = old->primary == next->primary;
    switch (type) {
    case CONFIG_ASSIGN_PRIMARY:
        return next->primary == node && (old->primary < 0 || old->primary == node)
               && !partition_has_secondary(old, node);
    case CONFIG_UPGRADE_TO_PRIMARY:
        return next->primary == node && old->primary < 0 && partition_has_secondary(old, node);
    case CONFIG_UPGRADE_TO_SECONDARY:
        return same_primary && old->primary >= 0 && !partition_has(old, node)
               && partition_has_secondary(next, node);
    case CONFIG_DOWNGRADE_TO_SECONDARY:
        return old->primary == node && next->primary < 0 && partition_has_secondary(next, node);
    case CONFIG_DOWNGRADE_TO_INACTIVE:
    case CONFIG_REMOVE:
        return partition_has(old, node) && !partition_has(next, node)
               && (same_primary || (old->primary == node && next->primary < 0));
    case CONFIG_FORCE_UPDATE_BALLOT:
        return same_primary && old->primary == node
               && old->secondary_count == next->secondary_count;
    default: return false;
    }
}

static bool update_leaves(int32_t type)
{
    return type == CONFIG_DOWNGRADE_TO_INACTIVE || type == CONFIG_REMOVE;
}

static bool update_known_type(int32_t type)
{
    return type >= CONFIG_ASSIGN_PRIMARY && type <= CONFIG_FORCE_UPDATE_BALLOT
           && type != CONFIG_ADD_SECONDARY && type != CONFIG_ADD_SECONDARY_FOR_LB;
}

/* The request's nodes as indexes; false: answered. */
static bool update_read(struct update *update)
{
    struct meta *meta = update->route->meta;
    const struct msg_configuration_update_request *request = &update->request;
    const char *wrong =
        partition_from_wire(&meta->state, &request->config, update->members, &update->next);
    update->node = node_from_wire(&meta->state, WIRE_HAS(request, 7) ? &request->hp_node : NULL,
                                  request->node);
    if (!wrong && !update_known_type(request->type))
        wrong = "its type is none that a replica server sends";
    if (!wrong && update->node < 0)
        wrong = "it is about no node";
    if (!wrong)
        return true;
    meta_log(meta, BR_WARN, "update of partition %d.%d, %s, refused: %s", update->pid.app_id,
             update->pid.partition, config_type_name(request->type), wrong);
    update_answer(update, "ERR_INVALID_PARAMETERS");
    return false;
}

static void update_accept(struct update *update, const struct partition *old)
{
    update->next.flags = old->flags & ~(uint32_t) PARTITION_UNCONFIRMED;
    update->next.replica_count = old->replica_count;
    last_drops_change(&update->next, update->members, update->node,
                      update_leaves(update->request.type));
    struct rdsn_incoming *incoming = update->route->incoming;
    update->route->incoming = NULL;
    change_start(update->route->meta, update->pid, update->request.type, update->node,
                 &update->next, incoming, update->peer);
}

static void update_judge(struct update *update)
{
    struct meta *meta = update->route->meta;
    const struct partition *old = state_partition(&meta->state, update->pid);
    const struct cure *cure = state_cure(&meta->state, update->pid);
    const struct table *table = cluster_table(&meta->state.cluster, update->pid.app_id);
    bool unconfirmed = partition_unconfirmed(old);
    if (update->next.ballot == old->ballot && update_same_group(old, &update->next)) {
        update_answer(update, "ERR_OK"); /* sent again: the first answer was lost */
    } else if (update->next.ballot != old->ballot + 1) {
        update_answer(update, "ERR_INVALID_VERSION");
    } else if ((cure && cure->change) || table->def.status != BR_TABLE_AVAILABLE) {
        update_ignore(update);
    } else if (!update_fits(old, &update->next, update->request.type, update->node)
               && !(unconfirmed && old->primary == update->next.primary)) {
        meta_log(meta, BR_WARN,
                 "update of partition %d.%d, %s of %s, ballot %lld, does not continue our group: "
                 "answered with ours",
                 update->pid.app_id, update->pid.partition, config_type_name(update->request.type),
                 meta->state.cluster.nodes[update->node].name, (long long) update->next.ballot);
        update_answer(update, "ERR_INVALID_VERSION");
    } else {
        update_accept(update, old);
    }
}

void update_request(struct route *route)
{
    struct update update = { .route = route };
    if (!route_decode(route, &update.request))
        return;
    bool named = WIRE_HAS(&update.request, 7) || WIRE_HAS(&update.request.config, 10);
    update.peer = named ? WIRE_PEER_26 : WIRE_PEER_25;
    update.pid = update.request.config.pid;
    if (!state_partition(&route->meta->state, update.pid)) {
        meta_log(route->meta, BR_WARN,
                 "update of partition %d.%d, which no table here has: refused", update.pid.app_id,
                 update.pid.partition);
        update_answer(&update, "ERR_OBJECT_NOT_FOUND");
    } else if (meta_level_now(route->meta) <= LEVEL_FREEZED) {
        update_answer(&update, "ERR_STATE_FREEZED");
    } else if (update_read(&update)) {
        update_judge(&update);
    }
}
