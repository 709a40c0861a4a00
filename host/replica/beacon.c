/* beacon -- one request in flight at a time; its answer decides where the next one goes. */
#include "host/replica/beacon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/mem.h"
#include "host/base/number.h"

#define BEACON_INTERVAL (3 * BR_SECOND)
#define BEACON_PAUSE    (BR_SECOND)
#define BEACON_CHECK    (2 * BR_SECOND)
#define BEACON_LEASE    (20 * BR_SECOND)

struct beacon {
    struct loop *loop;
    struct rdsn_client *client;
    struct beacon_options options;
    char target[NODE_NAME_MAX + 1]; /* where the next one goes */
    uint32_t turn;                  /* of the list */
    int64_t start_ms, sent_ms, accepted_ms;
    uint64_t to_node;
    uint64_t ticket;
    struct timer *timer, *check;
    bool connected;             /* the last answer was the leader's */
    bool alive;                 /* the lease holds */
    br_time sent_at, leased_at; /* when the beacon under way, and the last one that a leader
                                   answered, was sent */
};

static int64_t beacon_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void beacon_send(void *arg);

static void beacon_later(struct beacon *beacon, br_time delay)
{
    beacon->timer = loop_after(beacon->loop, delay, beacon_send, beacon);
}

static void beacon_next_meta(struct beacon *beacon, const char *why)
{
    uint32_t count = 0;
    while (beacon->options.metas[count])
        count++;
    if (beacon->connected || beacon->turn == 0)
        log_put(beacon->loop->log, BR_WARN, "beacon", "meta server %s: %s", beacon->target, why);
    beacon->connected = false;
    beacon->turn = (beacon->turn + 1) % count;
    snprintf(beacon->target, sizeof beacon->target, "%s", beacon->options.metas[beacon->turn]);
    beacon_later(beacon, BEACON_PAUSE);
}

/* A follower names the leader: by name where it can, else by address. */
static void beacon_follow(struct beacon *beacon, const struct msg_beacon_ack *ack)
{
    char text[NODE_NAME_MAX + 1];
    if (WIRE_HAS(ack, 7) && ack->hp_primary_node.type == 1)
        host_port_format(&ack->hp_primary_node, text);
    else
        address_format(ack->primary_node, text);
    if (ack->primary_node == 0 || strcmp(text, beacon->target) == 0) {
        beacon_next_meta(beacon, "a follower that knows no leader");
        return;
    }
    snprintf(beacon->target, sizeof beacon->target, "%s", text);
    beacon_later(beacon, 0);
}

static void beacon_lease(struct beacon *beacon)
{
    br_time now = loop_now(beacon->loop);
    beacon->leased_at = beacon->sent_at;
    if (beacon->alive || now - beacon->leased_at > beacon->options.lease)
        return;
    beacon->alive = true;
    if (beacon->options.connected)
        beacon->options.connected(beacon->options.arg);
}

static void beacon_check(void *arg)
{
    struct beacon *beacon = arg;
    br_time interval = beacon->options.check_interval;
    beacon->check = loop_after(beacon->loop, interval, beacon_check, beacon);
    if (!beacon->alive
        || loop_now(beacon->loop) + interval - beacon->leased_at <= beacon->options.lease)
        return;
    beacon->alive = false;
    log_put(beacon->loop->log, BR_WARN, "beacon", "the lease has passed: no meta server leads");
    if (beacon->options.disconnected)
        beacon->options.disconnected(beacon->options.arg);
}

static void beacon_acked(struct beacon *beacon, const struct msg_beacon_ack *ack)
{
    if (ack->this_node != beacon->to_node || ack->time <= beacon->accepted_ms) {
        beacon_next_meta(beacon, "its answer is not to this server's beacon");
        return;
    }
    if (!ack->allowed) {
        beacon_next_meta(beacon, "it does not allow this server");
        return;
    }
    beacon->accepted_ms = ack->time;
    if (!ack->is_master) {
        beacon_follow(beacon, ack);
        return;
    }
    if (!beacon->connected)
        log_put(beacon->loop->log, BR_INFO, "beacon", "meta server %s leads", beacon->target);
    beacon->connected = true;
    beacon_lease(beacon);
    beacon_later(beacon, beacon->options.interval);
}

static void beacon_answered(void *arg, const struct rdsn_reply *reply)
{
    struct beacon *beacon = arg;
    struct msg_beacon_ack ack;
    struct arena arena;
    struct fail fail;
    beacon->ticket = 0;
    arena_init(&arena, 1024);
    if (reply->status)
        beacon_next_meta(beacon, reply->why);
    else if (wire_decode(&wire_beacon_ack, reply->body, wire_arena(&arena), &ack, &fail) != BR_OK)
        beacon_next_meta(beacon, fail.text);
    else
        beacon_acked(beacon, &ack);
    arena_done(&arena);
}

static void beacon_body(struct beacon *beacon, struct buf *body)
{
    char from[NODE_NAME_MAX];
    char to[NODE_NAME_MAX];
    struct msg_beacon_msg msg;
    wire_init(&wire_beacon_msg, &msg);
    int64_t now = beacon_wall_ms();
    beacon->sent_ms = now > beacon->sent_ms ? now : beacon->sent_ms + 1;
    msg.time = beacon->sent_ms;
    msg.from_node = beacon->options.address;
    msg.to_node = beacon->to_node;
    msg.start_time = beacon->start_ms;
    WIRE_SET(&msg, 4);
    if (beacon->options.named && host_port_parse(beacon->options.name, from, &msg.hp_from_node)
        && host_port_parse(beacon->target, to, &msg.hp_to_node)) {
        WIRE_SET(&msg, 5);
        WIRE_SET(&msg, 6);
    }
    wire_encode(&wire_beacon_msg, &msg, WIRE_PEER_26, body);
}

static void beacon_send(void *arg)
{
    struct beacon *beacon = arg;
    struct buf body = { 0 };
    beacon->timer = NULL;
    beacon->sent_at = loop_now(beacon->loop);
    if (!address_resolve(beacon->target, &beacon->to_node)) {
        beacon_next_meta(beacon, "its name cannot be resolved");
        return;
    }
    beacon_body(beacon, &body);
    const struct rdsn_request request = {
        .rpc = "RPC_FD_FAILURE_DETECTOR_PING",
        .body = buf_bytes(&body),
        .timeout = beacon->options.interval * 2 / 3,
    };
    beacon->ticket =
        beacon->options.datagrams
            ? rdsn_client_datagram(beacon->client, beacon->target, &request, beacon_answered,
                                   beacon)
            : rdsn_client_call(beacon->client, beacon->target, &request, beacon_answered, beacon);
    buf_done(&body);
}

struct beacon *beacon_start(struct loop *loop, struct rdsn_client *client,
                            const struct beacon_options *options)
{
    struct beacon *beacon = mem_new(sizeof *beacon);
    beacon->loop = loop;
    beacon->client = client;
    beacon->options = *options;
    if (beacon->options.lease == 0)
        beacon->options.lease = BEACON_LEASE;
    if (beacon->options.check_interval == 0)
        beacon->options.check_interval = BEACON_CHECK;
    if (beacon->options.interval == 0)
        beacon->options.interval = BEACON_INTERVAL;
    beacon->start_ms = beacon_wall_ms();
    snprintf(beacon->target, sizeof beacon->target, "%s", options->metas[0]);
    beacon->check = loop_after(loop, beacon->options.check_interval, beacon_check, beacon);
    beacon_later(beacon, 0);
    return beacon;
}

void beacon_stop(struct beacon *beacon)
{
    timer_cancel(beacon->timer);
    timer_cancel(beacon->check);
    free(beacon);
}

const char *beacon_target(const struct beacon *beacon)
{
    return beacon->target;
}
