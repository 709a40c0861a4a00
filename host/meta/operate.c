/* operate -- what an operator sets and asks of the guardian: levels, proposals, partitions without
 * a primary (src/meta/meta_service.cpp, src/meta/partition_guardian.cpp); and duplication, which is
 * not served.
 */
#include <string.h>

#include "host/meta/drops.h"
#include "host/meta/guardian.h"
#include "host/meta/partition_wire.h"
#include "host/meta/routes.h"

/* -- Levels ----------------------------------------------------------------------------------- */

/* No range check in Apache Pegasus; here a level that is none is refused. */
void level_request(struct route *route)
{
    struct meta *meta = route->meta;
    struct msg_control_meta_request request;
    struct msg_control_meta_response response;
    if (!route_decode(route, &request))
        return;
    bool known = strcmp(meta_level_text(request.level), "invalid") != 0;
    if (!known && request.level != LEVEL_INVALID) {
        route_error(route, "ERR_INVALID_PARAMETERS");
        return;
    }
    wire_init(&wire_control_meta_response, &response);
    response.old_level = meta->level;
    if (known) {
        meta_log(meta, BR_INFO, "function level set from %s to %s", meta_level_text(meta->level),
                 meta_level_text(request.level));
        meta->level = request.level;
        meta_level_changed(meta);
    }
    route_reply(route, &response);
}

/* -- Proposals -------------------------------------------------------------------------------- */

/* "" where the steps are good; a target left out is the primary. */
static const char *propose_read(struct meta *meta,
                                const struct msg_configuration_balancer_request *request,
                                struct action *actions)
{
    const struct msg_configuration_proposal_action *from = request->action_list.items;
    const struct partition *partition = state_partition(&meta->state, request->gpid);
    if (request->action_list.count == 0 || request->action_list.count > CURE_ACTIONS_MAX)
        return "a proposal has 1 to 4 steps";
    for (uint32_t i = 0; i < request->action_list.count; i++) {
        const struct host_port *target = WIRE_HAS(&from[i], 5) ? &from[i].hp_target : NULL;
        const struct host_port *node = WIRE_HAS(&from[i], 6) ? &from[i].hp_node : NULL;
        actions[i].type = from[i].type;
        actions[i].node = node_from_wire(&meta->state, node, from[i].node);
        actions[i].target = node_from_wire(&meta->state, target, from[i].target);
        if (actions[i].target < 0)
            actions[i].target = partition->primary;
        if (actions[i].node < 0 || actions[i].target < 0)
            return "it names no server, and the partition has no primary";
        if (actions[i].type < CONFIG_ASSIGN_PRIMARY || actions[i].type > CONFIG_ADD_SECONDARY_FOR_LB
            || actions[i].type == CONFIG_UPGRADE_TO_SECONDARY)
            return "its type is none that a meta server proposes";
    }
    return NULL;
}

/* `--force` sends the steps at once, whatever the guardian has in mind. */
static const char *propose_do(struct meta *meta,
                              const struct msg_configuration_balancer_request *request,
                              const struct action *actions)
{
    uint32_t count = request->action_list.count;
    const char *wrong = NULL;
    if (!request->force)
        return guardian_plan(meta, request->gpid, actions, count);
    for (uint32_t i = 0; i < count && !wrong; i++)
        wrong = guardian_send(meta, request->gpid, &actions[i]);
    return wrong;
}

/* The app is looked up before anything else (src/meta/meta_service.cpp:on_propose_balancer). */
void propose_request(struct route *route)
{
    struct meta *meta = route->meta;
    struct msg_configuration_balancer_request request;
    struct msg_error_response response;
    struct action actions[CURE_ACTIONS_MAX];
    if (!route_decode(route, &request))
        return;
    const struct table *table = cluster_table(&meta->state.cluster, request.gpid.app_id);
    if (!table) {
        route_error(route, "ERR_APP_NOT_EXIST");
        return;
    }
    const char *wrong = NULL;
    if (!state_partition(&meta->state, request.gpid) || table->def.status != BR_TABLE_AVAILABLE)
        wrong = "there is no such partition of an available table";
    if (!wrong)
        wrong = propose_read(meta, &request, actions);
    if (!wrong)
        wrong = propose_do(meta, &request, actions);
    if (wrong)
        meta_log(meta, BR_WARN, "proposal for partition %d.%d refused: %s", request.gpid.app_id,
                 request.gpid.partition, wrong);
    wire_init(&wire_error_response, &response);
    response.err = wrong ? "ERR_INVALID_PARAMETERS" : "ERR_OK";
    route_reply(route, &response);
}

/* -- Partitions without a primary -------------------------------------------------------------- */

static void ddd_fill(struct route *route, const struct cure *cure,
                     struct msg_ddd_partition_info *info)
{
    const struct state *state = &route->meta->state;
    wire_init(&wire_ddd_partition_info, info);
    partition_to_wire(state, cure->pid, route_peer(route), &route->arena, &info->config);
    info->reason = cure->reason;
    struct msg_ddd_node_info *nodes = arena_alloc(&route->arena, cure->drop_count * sizeof *nodes);
    for (uint32_t i = 0; i < cure->drop_count; i++) {
        const struct drop *drop = &cure->drops[i];
        const struct state_node *live = &state->nodes[drop->node];
        bool told = live->alive && live->collected;
        wire_init(&wire_ddd_node_info, &nodes[i]);
        nodes[i].node = state->cluster.nodes[drop->node].address;
        nodes[i].drop_time_ms = drop->time_ms;
        nodes[i].is_alive = live->alive;
        nodes[i].is_collected = told;
        nodes[i].ballot = told ? drop->ballot : BR_BALLOT_INVALID;
        nodes[i].last_committed_decree = told ? drop->committed : BR_DECREE_INVALID;
        nodes[i].last_prepared_decree = told ? drop->prepared : BR_DECREE_INVALID;
        WIRE_SET(&nodes[i], 8);
        name_to_wire(&route->arena, state->cluster.nodes[drop->node].name, &nodes[i].hp_node);
    }
    info->dropped = (struct wire_list){ .items = nodes, .count = cure->drop_count };
}

static bool ddd_wanted(const struct cure *cure, struct gpid asked)
{
    return cure && cure->ddd && (asked.app_id == -1 || asked.app_id == cure->pid.app_id)
           && (asked.app_id == -1 || asked.partition == -1
               || asked.partition == cure->pid.partition);
}

/* Walks all partitions twice: once to count. */
static uint32_t ddd_collect(struct route *route, struct gpid asked,
                            struct msg_ddd_partition_info *infos)
{
    const struct state *state = &route->meta->state;
    uint32_t count = 0;
    for (uint32_t t = 0; t < state->cluster.table_count; t++) {
        int32_t partitions = state->cluster.tables[t].def.partition_count;
        for (int32_t i = 0; i < partitions; i++) {
            const struct cure *cure = state->tables[t].cures[i];
            if (!ddd_wanted(cure, asked))
                continue;
            if (infos)
                ddd_fill(route, cure, &infos[count]);
            count++;
        }
    }
    return count;
}

void ddd_request(struct route *route)
{
    struct msg_ddd_diagnose_request request;
    struct msg_ddd_diagnose_response response;
    if (!route_decode(route, &request))
        return;
    if (request.pid.app_id != -1
        && !cluster_table(&route->meta->state.cluster, request.pid.app_id)) {
        route_error(route, "ERR_APP_NOT_EXIST");
        return;
    }
    wire_init(&wire_ddd_diagnose_response, &response);
    uint32_t count = ddd_collect(route, request.pid, NULL);
    struct msg_ddd_partition_info *infos = arena_alloc(&route->arena, count * sizeof *infos);
    ddd_collect(route, request.pid, infos);
    response.partitions = (struct wire_list){ .items = infos, .count = count };
    route_reply(route, &response);
}

/* -- Duplication ------------------------------------------------------------------------------- */

/* What Apache Pegasus answers from a recovery until its next restart; replica servers ignore it
 * (src/meta/meta_service.cpp:on_duplication_sync). */
void duplication_request(struct route *route)
{
    route_error(route, "ERR_SERVICE_NOT_ACTIVE");
}
