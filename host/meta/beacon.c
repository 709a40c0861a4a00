/* beacon -- a replica server's sign of life, and the answer that keeps its lease
 * (src/meta/meta_server_failure_detector.cpp: on_ping).
 */
#include <string.h>

#include "host/meta/partition_wire.h"
#include "host/meta/routes.h"

static void beacon_name(const struct msg_beacon_msg *beacon, char name[NODE_NAME_MAX + 1])
{
    if (WIRE_HAS(beacon, 5) && beacon->hp_from_node.type == 1)
        host_port_format(&beacon->hp_from_node, name);
    else
        address_format(beacon->from_node, name);
}

static bool beacon_listed(const struct meta *meta, const char *name)
{
    const char *const *list = meta->config->meta.replica_white_list;
    bool listed = !list || !*list;
    for (; list && *list && !listed; list++)
        listed = strcmp(*list, name) == 0;
    return listed;
}

/* NULL: more servers than anybody has. */
static struct detector_node *beacon_seen(struct meta *meta, const struct msg_beacon_msg *beacon,
                                         const char *name)
{
    bool fresh;
    struct detector_node *node =
        detector_see(&meta->detector, name, beacon->from_node,
                     WIRE_HAS(beacon, 4) ? beacon->start_time : 0, loop_now(meta->loop), &fresh);
    if (!node) {
        meta_log(meta, BR_WARN, "beacon of %s ignored: more than %d replica servers", name,
                 DETECTOR_NODES_MAX);
        return NULL;
    }
    bool named = WIRE_HAS(beacon, 5);
    fresh |= node->named != named; /* another version came up in its place */
    node->named = named;
    if (fresh)
        meta_node_alive(meta, node);
    return node;
}

static bool beacon_leads(const struct meta *meta)
{
    return meta->state_now == META_LOADING || meta->state_now == META_RECOVERING
           || meta->state_now == META_SERVING;
}

/* this_node must be the beacon's to_node to the letter, or the sender ignores the answer. */
static void beacon_answer(struct route *route, const struct msg_beacon_msg *beacon, bool allowed)
{
    const struct meta *meta = route->meta;
    bool master = beacon_leads(meta);
    struct msg_beacon_ack ack;
    char host[NODE_NAME_MAX];
    wire_init(&wire_beacon_ack, &ack);
    ack.time = beacon->time;
    ack.this_node = beacon->to_node;
    ack.primary_node = master ? meta->address : meta->leader_address;
    ack.is_master = master;
    ack.allowed = allowed;
    if (WIRE_HAS(beacon, 6)) {
        WIRE_SET(&ack, 6);
        WIRE_SET(&ack, 7);
        ack.hp_this_node = beacon->hp_to_node;
        if (!host_port_parse(master ? meta->name : meta->leader, host, &ack.hp_primary_node))
            ack.hp_primary_node = (struct host_port){ .host = "" };
    }
    struct buf body = { 0 };
    wire_encode(&wire_beacon_ack, &ack, WIRE_PEER_26, &body);
    rdsn_server_reply(route->incoming, "ERR_OK", buf_bytes(&body));
    route->incoming = NULL;
    buf_done(&body);
}

static void beacon_silence(struct route *route, const char *name, const char *why)
{
    meta_log(route->meta, BR_DEBUG, "beacon of %s is not answered: %s", name, why);
    rdsn_server_drop(route->incoming);
    route->incoming = NULL;
}

void beacon_request(struct route *route)
{
    struct meta *meta = route->meta;
    struct msg_beacon_msg beacon;
    char name[NODE_NAME_MAX + 1];
    if (!route_decode(route, &beacon))
        return;
    beacon_name(&beacon, name);
    bool sender = beacon.from_node != 0 || WIRE_HAS(&beacon, 5);
    bool listed = beacon_listed(meta, name);
    struct detector_node *node = sender && listed ? beacon_seen(meta, &beacon, name) : NULL;
    const char *refused = node ? detector_refuses(&meta->detector, node) : NULL;
    if (refused) {
        beacon_silence(route, name, refused);
        return;
    }
    if (node && beacon_leads(meta))
        detector_acked(node, loop_now(meta->loop));
    beacon_answer(route, &beacon, listed);
}
