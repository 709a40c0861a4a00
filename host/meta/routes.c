/* routes -- the gate (src/meta/meta_service.h:check_leader_status) and the table of handlers.
 * Whatever is not served is answered with an error that no replica server believes in: never
 * ERR_OK.
 */
#include "host/meta/routes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/meta/forward.h"

enum {
    ROUTE_OPEN = 1, /* passes the gate always: beacons, the remote command, negotiation */
    ROUTE_LEADER,   /* needs the leader, but not a served cluster: start_recovery */
    ROUTE_SERVED,   /* needs both */
};

struct route_entry {
    const char *name;
    int gate;
    void (*handle)(struct route *route);
};

static const struct route_entry routes[] = {
    { "RPC_FD_FAILURE_DETECTOR_PING", ROUTE_OPEN, beacon_request },
    { "RPC_CLI_CLI_CALL", ROUTE_OPEN, admin_command },
    { "RPC_NEGOTIATION", ROUTE_OPEN, admin_negotiation },
    { "RPC_CM_START_RECOVERY", ROUTE_LEADER, recover_request },
    { "RPC_CM_LIST_APPS", ROUTE_SERVED, query_list_apps },
    { "RPC_CM_LIST_NODES", ROUTE_SERVED, query_list_nodes },
    { "RPC_CM_CLUSTER_INFO", ROUTE_SERVED, query_cluster_info },
    { "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX", ROUTE_SERVED, query_configuration },
    { "RPC_CM_CONFIG_SYNC", ROUTE_SERVED, sync_request },
    { "RPC_CM_UPDATE_PARTITION_CONFIGURATION", ROUTE_SERVED, update_request },
    { "RPC_CM_CONTROL_META", ROUTE_SERVED, level_request },
    { "RPC_CM_PROPOSE_BALANCER", ROUTE_SERVED, propose_request },
    { "RPC_CM_DDD_DIAGNOSE", ROUTE_SERVED, ddd_request },
    { "RPC_CM_CREATE_APP", ROUTE_SERVED, ddl_create_request },
    { "RPC_CM_DROP_APP", ROUTE_SERVED, ddl_drop_request },
    { "RPC_CM_RECALL_APP", ROUTE_OPEN, ddl_recall_request },
    { "RPC_CM_RENAME_APP", ROUTE_SERVED, ddl_rename_request },
    { "RPC_CM_UPDATE_APP_ENV", ROUTE_SERVED, ddl_env_request },
    { "RPC_CM_GET_MAX_REPLICA_COUNT", ROUTE_SERVED, ddl_get_count_request },
    { "RPC_CM_SET_MAX_REPLICA_COUNT", ROUTE_SERVED, ddl_set_count_request },
    { "RPC_CM_GET_ATOMIC_IDEMPOTENT", ROUTE_SERVED, ddl_get_atomic_request },
    { "RPC_CM_SET_ATOMIC_IDEMPOTENT", ROUTE_SERVED, ddl_set_atomic_request },
    { "RPC_CM_DUPLICATION_SYNC", ROUTE_SERVED, duplication_request },
    { NULL, 0, NULL },
};

enum wire_peer route_peer(const struct route *route)
{
    if (route->incoming->framing == FRAMING_THFT)
        return WIRE_PEER_25;
    return route->meta->version == LAYOUT_26 ? WIRE_PEER_26 : WIRE_PEER_25;
}

static void route_send(struct route *route, const char *error, struct buf *body)
{
    meta_reply(route->meta, route->incoming, error, buf_bytes(body));
    route->incoming = NULL;
    buf_done(body);
}

bool route_decode(struct route *route, void *message)
{
    struct fail fail;
    if (wire_decode(route->rpc->request, route->incoming->body, wire_arena(&route->arena), message,
                    &fail)
        == BR_OK)
        return true;
    rdsn_server_reject(route->incoming, fail.text);
    route->incoming = NULL;
    return false;
}

void route_reply(struct route *route, const void *response)
{
    struct buf body = { 0 };
    wire_encode(route->rpc->response, response, route_peer(route), &body);
    route_send(route, "ERR_OK", &body);
}

/* Field 1 of every meta server's response is its `err`; the rest stays default.  For an
 * RPC that the table does not know, field 1 alone: readers tolerate missing fields. */
void route_error(struct route *route, const char *error)
{
    static const struct wire_schema *const bare = &wire_error_response;
    const struct wire_schema *schema =
        route->rpc && route->rpc->response ? route->rpc->response : bare;
    assert(schema->count > 0 && schema->fields[0].kind == WIRE_ERROR);
    struct buf body = { 0 };
    char *response = mem_new(schema->size);
    wire_init(schema, response);
    memcpy(response + schema->fields[0].offset, &error, sizeof error);
    wire_encode(schema, response, route_peer(route), &body);
    free(response);
    route_send(route, "ERR_OK", &body);
}

/* Clients that cannot be forwarded learn from this answer who leads
 * (src/meta/meta_service.cpp:on_query_configuration_by_index). */
static void route_name_leader(struct route *route)
{
    const struct meta *meta = route->meta;
    struct msg_query_cfg_response response;
    struct msg_partition_configuration row;
    char host[NODE_NAME_MAX + 1];
    wire_init(&wire_query_cfg_response, &response);
    wire_init(&wire_partition_configuration, &row);
    response.err = "ERR_FORWARD_TO_OTHERS";
    row.primary = meta->leader_address;
    WIRE_SET(&row, 9);
    if (forward_known(meta) && host_port_parse(meta->leader, host, &row.hp_primary))
        response.partitions = (struct wire_list){ .items = &row, .count = 1 };
    route_reply(route, &response);
}

/* This server does not lead. */
static void route_forward(struct route *route)
{
    const struct meta *meta = route->meta;
    const struct rdsn_header *header = &route->incoming->header;
    bool client = address_port(header->from_address) <= FORWARD_CLIENT_PORT_MAX;
    if (forward_may(route) && !client) {
        forward_request(route);
    } else if (forward_may(route) && meta->leader_address) {
        struct buf body = { 0 };
        wire_encode_value(WIRE_ADDRESS, &meta->leader_address, &body);
        route_send(route, "ERR_FORWARD_TO_OTHERS", &body);
    } else if (strcmp(header->rpc_name, "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX") == 0) {
        route_name_leader(route);
    } else {
        route_error(route, "ERR_FORWARD_TO_OTHERS");
    }
}

/* true: the request was answered here. */
static bool route_gate(struct route *route, int gate)
{
    enum meta_state state = route->meta->state_now;
    if (gate == ROUTE_OPEN)
        return false;
    if (state == META_CANDIDATE || state == META_STARTING)
        route_forward(route);
    else if (state == META_RECOVERING && gate != ROUTE_LEADER)
        route_error(route, "ERR_UNDER_RECOVERY");
    else if (state == META_LOADING || state == META_STOPPING)
        route_error(route, "ERR_SERVICE_NOT_ACTIVE");
    else
        return false;
    return true;
}

bool route_closed(struct route *route)
{
    return route_gate(route, ROUTE_SERVED);
}

static const struct route_entry *route_find(const char *name)
{
    const struct route_entry *entry = routes;
    while (entry->name && strcmp(entry->name, name) != 0)
        entry++;
    return entry->name ? entry : NULL;
}

/* Not served: one-way messages are dropped, meta RPCs refused in the body, the rest unknown. */
static void route_unserved(struct route *route)
{
    const char *name = route->incoming->header.rpc_name;
    if (route->rpc && route->rpc->one_way) {
        rdsn_server_drop(route->incoming);
        route->incoming = NULL;
    } else if (strncmp(name, "RPC_CM_", 7) == 0) {
        if (!route_gate(route, ROUTE_SERVED))
            route_error(route, "ERR_SERVICE_NOT_ACTIVE");
    } else {
        route_send(route, "ERR_HANDLER_NOT_FOUND", &(struct buf){ 0 });
    }
}

void routes_request(void *arg, struct rdsn_incoming *incoming)
{
    struct route route = { .meta = arg, .incoming = incoming };
    const char *name = incoming->header.rpc_name;
    route.rpc = rpc_find(name);
    arena_init(&route.arena, 4096);
    const struct route_entry *entry = route.rpc ? route_find(name) : NULL;
    meta_log(route.meta, BR_DEBUG, "%s from %llx", name,
             (unsigned long long) incoming->header.from_address);
    if (!entry)
        route_unserved(&route);
    else if (!route_gate(&route, entry->gate))
        entry->handle(&route);
    assert(!route.incoming); /* answered, kept by the handler, or rejected */
    arena_done(&route.arena);
}
