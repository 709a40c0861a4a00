/* admin -- beacons, the remote command and the security handshake: what is answered in every state
 * (src/meta/meta_server_failure_detector.cpp, src/remote_cmd/remote_command.cpp,
 * src/security/server_negotiation.cpp).
 */
#include <string.h>
#include <time.h>

#include "host/meta/routes.h"

static void beacon_name(const struct msg_beacon_msg *beacon, char name[NODE_NAME_MAX + 1])
{
    if (WIRE_HAS(beacon, 5) && beacon->hp_from_node.type == 1)
        host_port_format(&beacon->hp_from_node, name);
    else
        address_format(beacon->from_node, name);
}

static void beacon_seen(struct meta *meta, const struct msg_beacon_msg *beacon)
{
    char name[NODE_NAME_MAX + 1];
    bool fresh;
    beacon_name(beacon, name);
    struct detector_node *node =
        detector_see(&meta->detector, name, beacon->from_node, loop_now(meta->loop), &fresh);
    if (!node) {
        meta_log(meta, BR_WARN, "beacon of %s ignored: more than %d replica servers", name,
                 DETECTOR_NODES_MAX);
        return;
    }
    node->named = WIRE_HAS(beacon, 5);
    node->start_time = beacon->start_time;
    if (fresh)
        meta_log(meta, BR_INFO, "replica server %s is alive", name);
}

/* this_node must be the beacon's to_node to the letter, or the sender ignores the answer. */
void admin_beacon(struct route *route)
{
    struct meta *meta = route->meta;
    struct msg_beacon_msg beacon;
    if (!route_decode(route, &beacon))
        return;
    if (beacon.from_node != 0 || WIRE_HAS(&beacon, 5))
        beacon_seen(meta, &beacon);
    bool master = meta->state == META_LOADING || meta->state == META_RECOVERING
                  || meta->state == META_SERVING;
    struct msg_beacon_ack ack;
    wire_init(&wire_beacon_ack, &ack);
    ack.time = beacon.time;
    ack.this_node = beacon.to_node;
    ack.primary_node = master ? meta->address : meta->leader_address;
    ack.is_master = master;
    ack.allowed = true;
    char host[NODE_NAME_MAX];
    if (WIRE_HAS(&beacon, 6)) {
        WIRE_SET(&ack, 6);
        WIRE_SET(&ack, 7);
        ack.hp_this_node = beacon.hp_to_node;
        host_port_parse(master ? meta->name : meta->leader, host, &ack.hp_primary_node);
    }
    struct buf body = { 0 };
    wire_encode(&wire_beacon_ack, &ack, WIRE_PEER_26, &body);
    rdsn_server_reply(route->incoming, "ERR_OK", buf_bytes(&body));
    route->incoming = NULL;
    buf_done(&body);
}

/* -- The remote command ----------------------------------------------------------------------- */

static void command_server_info(const struct meta *meta, struct buf *text)
{
    char when[32];
    time_t start = (time_t) meta->start_second;
    struct tm tm;
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&start, &tm));
    if (meta->version == LAYOUT_25) {
        buf_printf(text, "bridled %s (Apache Pegasus 2.5 protocol), Started at %s", BRIDLE_VERSION,
                   when);
        return;
    }
    buf_text(text, "{\"version\":");
    buf_json(text, "bridled " BRIDLE_VERSION);
    buf_text(text, ",\"build_type\":\"\",\"git_SHA\":\"\",\"start_time\":");
    buf_json(text, when);
    buf_char(text, '}');
}

void admin_command(struct route *route)
{
    struct msg_command command;
    if (!route_decode(route, &command))
        return;
    const char *name = command.cmd ? command.cmd : "";
    struct buf text = { 0 };
    if (strcmp(name, "server-info") == 0)
        command_server_info(route->meta, &text);
    else if (strcmp(name, "help") == 0)
        buf_text(&text, "help                list these commands\n"
                        "server-info         version and start time of this server\n");
    else
        buf_printf(&text, "unknown command '%s'; try help", name);
    struct buf body = { 0 };
    const char *answer = buf_string(&text);
    wire_encode_value(WIRE_STRING, &answer, &body);
    rdsn_server_reply(route->incoming, "ERR_OK", buf_bytes(&body));
    route->incoming = NULL;
    buf_done(&body);
    buf_done(&text);
}

/* -- Security --------------------------------------------------------------------------------- */

enum { NEGOTIATION_AUTH_DISABLE = 9 };

void admin_negotiation(struct route *route)
{
    struct msg_negotiation answer;
    wire_init(&wire_negotiation, &answer);
    answer.status = NEGOTIATION_AUTH_DISABLE;
    route_reply(route, &answer);
}
