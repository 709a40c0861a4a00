/* test_forward -- two meta servers on one store, and a server that asks the one that does not lead.
 */
#include <stdio.h>
#include <string.h>

#include "host/meta/forward.h"
#include "t/meta.h"
#include "t/net.h"

/* The follower, and whoever asks: a server of its own, whose client's from_address is its. */
static struct {
    struct meta follower;
    struct config config;
    struct rdsn_server *server;
    struct rdsn_client *client;
    uint64_t address;
    struct answer answer;
    struct rdsn_header came; /* the last reply that came to the server */
    int came_count;
    bool done;
} party;

static void party_reply(void *arg, const struct rdsn_header *header, br_bytes body)
{
    (void) arg;
    party.came = *header;
    party.came_count++;
    rdsn_client_deliver(party.client, header, body);
}

static void party_request(void *arg, struct rdsn_incoming *incoming)
{
    (void) arg;
    rdsn_server_reject(incoming, "nobody asks here");
}

static void party_setup(void)
{
    struct fail fail;
    memset(&party, 0, sizeof party);
    world_setup();
    world_meta("");
    world_wait_state(META_SERVING);
    world_meta_in(&party.follower, &party.config, "");
    while (!party.follower.leader[0])
        loop_turn(world.loop);
    party.server = rdsn_server_new(world.loop->base,
                                   &(struct rdsn_server_options){
                                       .request = party_request,
                                       .reply = party_reply,
                                   },
                                   &fail);
    ck_assert_msg(party.server != NULL, "%s", fail.text);
    party.address = rdsn_server_address(party.server);
    party.client = rdsn_client_new(world.loop->base,
                                   &(struct rdsn_client_options){ .from_address = party.address });
}

static void party_teardown(void)
{
    answer_clear(&party.answer);
    rdsn_client_free(party.client);
    rdsn_server_free(party.server);
    meta_stop(&party.follower, 0);
    meta_done(&party.follower);
    config_done(&party.config);
    world_teardown();
}

static void party_done(void *arg, const struct rdsn_reply *reply)
{
    answer_done(&party.answer, reply);
    party.done = true;
    (void) arg;
}

static const char *party_ask(const char *node, const char *rpc, const struct wire_schema *schema,
                             const void *request, br_time timeout)
{
    struct buf body = { 0 };
    wire_encode(schema, request, WIRE_PEER_25, &body);
    party.done = false;
    rdsn_client_call(
        party.client, node,
        &(struct rdsn_request){ .rpc = rpc, .body = buf_bytes(&body), .timeout = timeout },
        party_done, NULL);
    world_until(&party.done);
    buf_done(&body);
    return party.answer.error;
}

static const char *party_list(const char *node)
{
    struct msg_list_apps_request request;
    wire_init(&wire_list_apps_request, &request);
    return party_ask(node, "RPC_CM_LIST_APPS", &wire_list_apps_request, &request, 15 * BR_SECOND);
}

/* The body's own error. */
static const char *party_error(const struct wire_schema *schema, void *response)
{
    buf_clear(&world_body);
    buf_put(&world_body, party.answer.body.data, party.answer.body.size);
    world_decode(schema, response);
    const char *error;
    memcpy(&error, (const char *) response + schema->fields[0].offset, sizeof error);
    return error;
}

static void party_leader(const char *name, uint64_t address)
{
    snprintf(party.follower.leader, sizeof party.follower.leader, "%s", name);
    party.follower.leader_address = address;
}

/* -- Tests ------------------------------------------------------------------------------------ */

/* The leader answers, and not by way of the follower. */
START_TEST(a_server_is_forwarded)
{
    struct msg_list_apps_response response;
    for (int i = 1; i <= 3; i++) {
        ck_assert_str_eq(party_list(party.follower.name), "ERR_OK");
        ck_assert_str_eq(party_error(&wire_list_apps_response, &response), "ERR_OK");
        ck_assert_int_eq(party.came_count, i);
        ck_assert_str_eq(party.came.rpc_name, "RPC_CM_LIST_APPS_ACK");
        ck_assert_uint_eq(party.came.from_address, world.meta.address);
        ck_assert_uint_eq(party.came.context & (RDSN_FORWARDED | RDSN_REQUEST), RDSN_FORWARDED);
    }
    ck_assert_str_eq(party_list(world.meta.name), "ERR_OK"); /* straight: on its connection */
    ck_assert_int_eq(party.came_count, 3);
    ck_assert_uint_eq(party.answer.header.context & RDSN_FORWARDED, 0);
}
END_TEST

/* Answers that do not come from the table of handlers: start_recovery, and what is not served. */
START_TEST(every_answer_is_forwarded)
{
    struct msg_configuration_recovery_request request;
    struct msg_configuration_recovery_response response;
    struct msg_error_response error;
    struct msg_drop_app_request drop;
    wire_init(&wire_configuration_recovery_request, &request);
    ck_assert_str_eq(party_ask(party.follower.name, "RPC_CM_START_RECOVERY",
                               &wire_configuration_recovery_request, &request, 15 * BR_SECOND),
                     "ERR_OK");
    ck_assert_str_eq(party_error(&wire_configuration_recovery_response, &response),
                     "ERR_SERVICE_ALREADY_RUNNING");
    ck_assert_int_eq(party.came_count, 1);
    wire_init(&wire_drop_app_request, &drop);
    ck_assert_str_eq(party_ask(party.follower.name, "RPC_CM_DROP_APP", &wire_drop_app_request,
                               &drop, 15 * BR_SECOND),
                     "ERR_OK");
    ck_assert_str_ne(party_error(&wire_error_response, &error), "ERR_OK");
    ck_assert_int_eq(party.came_count, 2);
}
END_TEST

/* A recall looks at the tables first, of which a follower knows none: the leader looks. */
START_TEST(a_recall_is_forwarded)
{
    struct msg_recall_app_request request;
    struct msg_recall_app_response response;
    wire_init(&wire_recall_app_request, &request);
    request.app_id = 1;
    ck_assert_str_eq(party_ask(party.follower.name, "RPC_CM_RECALL_APP", &wire_recall_app_request,
                               &request, 15 * BR_SECOND),
                     "ERR_OK");
    party_error(&wire_recall_app_response, &response);
    ck_assert_int_eq(party.came_count, 1);
    ck_assert_uint_eq(party.came.from_address, world.meta.address);
}
END_TEST

/* Two that take each other for the leader: the second one does not send it back. */
START_TEST(a_request_does_not_go_round)
{
    struct meta third = { .state = 0 };
    struct config config;
    struct msg_list_apps_response response;
    world_meta_in(&third, &config, "");
    while (!third.leader[0])
        loop_turn(world.loop);
    party_leader(third.name, third.address);
    ck_assert_str_eq(party_list(party.follower.name), "ERR_OK");
    ck_assert_str_eq(party_error(&wire_list_apps_response, &response), "ERR_FORWARD_TO_OTHERS");
    ck_assert_int_eq(party.came_count, 1);
    ck_assert_uint_eq(party.came.from_address, third.address);
    meta_stop(&third, 0);
    meta_done(&third);
    config_done(&config);
}
END_TEST

/* Nobody to forward to: unknown, or itself. */
START_TEST(a_follower_without_a_leader)
{
    struct msg_list_apps_response response;
    struct msg_query_cfg_request request;
    struct msg_query_cfg_response configuration;
    if (_i == 0)
        party_leader("", 0);
    else
        party_leader(party.follower.name, party.follower.address);
    ck_assert_str_eq(party_list(party.follower.name), "ERR_OK");
    ck_assert_str_eq(party_error(&wire_list_apps_response, &response), "ERR_FORWARD_TO_OTHERS");
    wire_init(&wire_query_cfg_request, &request);
    party_ask(party.follower.name, "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX",
              &wire_query_cfg_request, &request, 15 * BR_SECOND);
    ck_assert_str_eq(party_error(&wire_query_cfg_response, &configuration),
                     "ERR_FORWARD_TO_OTHERS");
    ck_assert_uint_eq(configuration.partitions.count, 0);
    ck_assert_int_eq(party.came_count, 0);
    world.target = party.follower.name; /* a client: no leader's address in the header */
    struct msg_list_apps_request list;
    wire_init(&wire_list_apps_request, &list);
    ck_assert_str_eq(world_ask("RPC_CM_LIST_APPS", &wire_list_apps_request, &list), "ERR_OK");
}
END_TEST

/* The leader is dead: the asker's own deadline ends it, and the follower goes on. */
START_TEST(a_dead_leader)
{
    char name[ADDRESS_TEXT_MAX];
    struct msg_list_apps_request request;
    uint64_t dead = net_dead_port(false);
    wire_init(&wire_list_apps_request, &request);
    party_leader(address_format(dead, name), dead);
    ck_assert_str_eq(party_ask(party.follower.name, "RPC_CM_LIST_APPS", &wire_list_apps_request,
                               &request, 50 * BR_MILLISECOND),
                     "ERR_TIMEOUT");
    party_leader(world.meta.name, world.meta.address);
    ck_assert_str_eq(party_list(party.follower.name), "ERR_OK");
}
END_TEST

START_TEST(a_beacon_is_not_forwarded)
{
    struct msg_beacon_msg beacon;
    struct msg_beacon_ack ack;
    wire_init(&wire_beacon_msg, &beacon);
    beacon.from_node = party.address;
    party_ask(party.follower.name, "RPC_FD_FAILURE_DETECTOR_PING", &wire_beacon_msg, &beacon,
              15 * BR_SECOND);
    buf_put(&world_body, party.answer.body.data, party.answer.body.size);
    world_decode(&wire_beacon_ack, &ack);
    ck_assert(!ack.is_master);
    ck_assert_int_eq(party.came_count, 0);
}
END_TEST

/* A forged mark without an address to answer at: on its own connection then. */
START_TEST(a_mark_without_an_address)
{
    struct net net = { .base = world.loop->base };
    struct raw raw;
    struct buf frame = { 0 }, body = { 0 };
    struct rdsn_header header = net_header(7);
    struct msg_list_apps_request request;
    struct frame reply;
    wire_init(&wire_list_apps_request, &request);
    wire_encode(&wire_list_apps_request, &request, WIRE_PEER_25, &body);
    snprintf(header.rpc_name, sizeof header.rpc_name, "RPC_CM_LIST_APPS");
    header.context |= RDSN_FORWARDED;
    header.from_address = address_make(0x7f000001, 0);
    frame_put(&frame, &header, buf_bytes(&body), false);
    raw_connect(&raw, &net, world.meta.address);
    raw_send(&raw, frame.data, frame.size);
    while (net_frame(&raw.in, 0, &reply) == 0)
        loop_turn(world.loop);
    ck_assert_uint_eq(reply.header.id, 7);
    ck_assert_str_eq(reply.header.error_name, "ERR_OK");
    raw_close(&raw);
    buf_done(&frame);
    buf_done(&body);
}
END_TEST

/* A client of Java or Go learns from the configuration who leads. */
START_TEST(a_thft_client_learns_the_leader)
{
    struct net net = { .base = world.loop->base };
    struct raw raw;
    struct buf frame = { 0 }, body = { 0 };
    struct rdsn_header header = net_header(9);
    struct msg_query_cfg_request request;
    struct msg_query_cfg_response response;
    struct frame reply;
    struct fail fail;
    size_t need;
    wire_init(&wire_query_cfg_request, &request);
    request.app_name = "temp";
    wire_encode(&wire_query_cfg_request, &request, WIRE_PEER_25, &body);
    snprintf(header.rpc_name, sizeof header.rpc_name, "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX");
    frame_put_thft_request(&frame, &header, _i, buf_bytes(&body));
    raw_connect(&raw, &net, party.follower.address);
    raw_send(&raw, frame.data, frame.size);
    while (frame_parse_thft_reply(buf_bytes(&raw.in), FRAME_BODY_MAX, &reply, &need, &fail)
           != BR_OK)
        loop_turn(world.loop);
    buf_clear(&world_body);
    buf_put(&world_body, reply.body.data, reply.body.size);
    world_decode(&wire_query_cfg_response, &response);
    ck_assert_str_eq(response.err, "ERR_FORWARD_TO_OTHERS");
    ck_assert_uint_eq(response.partitions.count, 1);
    const struct msg_partition_configuration *row = response.partitions.items;
    ck_assert_uint_eq(row->primary, world.meta.address);
    ck_assert(!WIRE_HAS(row, 9));
    raw_close(&raw);
    buf_done(&frame);
    buf_done(&body);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("forward");
    tcase_set_timeout(tcase, NET_TIMEOUT);
    tcase_add_checked_fixture(tcase, party_setup, party_teardown);
    tcase_add_test(tcase, a_server_is_forwarded);
    tcase_add_test(tcase, every_answer_is_forwarded);
    tcase_add_test(tcase, a_recall_is_forwarded);
    tcase_add_test(tcase, a_request_does_not_go_round);
    tcase_add_loop_test(tcase, a_follower_without_a_leader, 0, 2);
    tcase_add_test(tcase, a_dead_leader);
    tcase_add_test(tcase, a_beacon_is_not_forwarded);
    tcase_add_test(tcase, a_mark_without_an_address);
    tcase_add_loop_test(tcase, a_thft_client_learns_the_leader, 0, 2);
    return test_run("forward", tcase, NULL);
}
