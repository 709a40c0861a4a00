/* test_meta -- the gate in every state, beacons, the recovery request, and what is served after it:
 * a meta server, replica servers and a client over real sockets.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "t/meta.h"

#define RECOVER "  recover_from_replica_server: true\n"

/* -- The gate --------------------------------------------------------------------------------- */

/* A vector's request as bytes, and the bytes that must come back. */
static const struct {
    const char *request, *reply;
    bool native; /* RDSN: local codes and the server's address are masked */
} exchanges[] = {
    { "thft_v0_query_cfg_req_go", "thft_query_cfg_resp_under_recovery", false },
    { "thft_v0_query_cfg_req_node", "thft_query_cfg_resp_under_recovery", false },
    { "thft_v1_query_cfg_req", "thft_query_cfg_resp_under_recovery", false },
    { "rdsn_query_cfg_req", "rdsn_query_cfg_resp_under_recovery", true },
    { "rdsn_config_sync_req", "rdsn_config_sync_resp_under_recovery", true },
};

/* The loop turns while a plain socket waits for its answer. */
static void exchange_tick(void *arg)
{
    struct timer **tick = arg;
    *tick = loop_after(world.loop, BR_MILLISECOND, exchange_tick, tick);
}

static void exchange(const struct buf *request, char *reply, size_t size)
{
    struct timer *tick = NULL;
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons(address_port(world.meta.address)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *) &in, sizeof in), 0);
    ck_assert_int_eq(send(fd, request->data, request->size, 0), (ssize_t) request->size);
    exchange_tick(&tick);
    for (size_t got = 0; got < size;) {
        loop_turn(world.loop);
        ssize_t more = recv(fd, reply + got, size - got, MSG_DONTWAIT);
        ck_assert_int_ne(more, 0); /* closed */
        got += more > 0 ? (size_t) more : 0;
    }
    timer_cancel(tick);
    close(fd);
}

static void exchange_mask(char *bytes)
{
    memset(bytes + 88, 0, 8);  /* rpc_code: local */
    memset(bytes + 112, 0, 8); /* from_address */
    memset(bytes + 184, 0, 8); /* error_code: local */
}

START_TEST(the_bytes_of_the_real_thing)
{
    struct buf request = { 0 };
    struct buf want = { 0 };
    char got[1024];
    world_meta(RECOVER);
    world_wait_state(META_RECOVERING);
    test_vector(exchanges[_i].request, &request);
    test_vector(exchanges[_i].reply, &want);
    ck_assert_uint_le(want.size, sizeof got);
    exchange(&request, got, want.size);
    if (exchanges[_i].native) {
        exchange_mask(got);
        exchange_mask(want.data);
    }
    ck_assert_mem_eq(got, want.data, want.size);
    buf_done(&request);
    buf_done(&want);
}
END_TEST

/* Every RPC that a meta server is asked, but those that always pass. */
static const char *const gated[] = {
    "RPC_CM_LIST_APPS",
    "RPC_CM_LIST_NODES",
    "RPC_CM_CLUSTER_INFO",
    "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX",
    "RPC_CM_CREATE_APP",
    "RPC_CM_DROP_APP",
    "RPC_CM_CONTROL_META",
    "RPC_CM_CONFIG_SYNC",
    "RPC_CM_UPDATE_PARTITION_CONFIGURATION",
    "RPC_CM_DUPLICATION_SYNC",
    "RPC_CM_UPDATE_APP_ENV",
    "RPC_CM_PROPOSE_BALANCER",
    "RPC_CM_A_LATER_VERSIONS_REQUEST",
};

/* `err` is field 1 of every response; what is behind it need not be known. */
static void expect_err(const char *rpc, const char *want)
{
    struct msg_empty_request request;
    wire_init(&wire_empty_request, &request);
    ck_assert_str_eq(world_ask(rpc, &wire_empty_request, &request), "ERR_OK");
    char head[6 + 4] = "\x0c\0\0\x0c\0\1\0\0\0";
    ck_assert_uint_gt(world_body.size, sizeof head);
    ck_assert_mem_eq(world_body.data, head, 9);
    ck_assert_uint_eq((unsigned char) world_body.data[9], strlen(want));
    ck_assert_mem_eq(world_body.data + 10, want, strlen(want));
}

START_TEST(under_recovery_everything_says_so)
{
    world_meta(RECOVER);
    world_wait_state(META_RECOVERING);
    expect_err(gated[_i], "ERR_UNDER_RECOVERY");
}
END_TEST

static const char *const unserved[] = {
    "RPC_CM_DUPLICATION_SYNC", "RPC_CM_ADD_DUPLICATION",          "RPC_CM_START_PARTITION_SPLIT",
    "RPC_CM_START_BACKUP_APP", "RPC_CM_A_LATER_VERSIONS_REQUEST",
};

START_TEST(what_is_not_served_is_never_ok)
{
    world_meta("");
    world_wait_state(META_SERVING);
    expect_err(unserved[_i], "ERR_SERVICE_NOT_ACTIVE");
}
END_TEST

START_TEST(unknown_requests_are_unknown)
{
    struct msg_empty_request request;
    wire_init(&wire_empty_request, &request);
    world_meta("");
    world_wait_state(META_SERVING);
    ck_assert_str_eq(world_ask("RPC_RRDB_RRDB_GET", &wire_empty_request, &request),
                     "ERR_HANDLER_NOT_FOUND");
    ck_assert_str_eq(world_ask("RPC_NOBODY_KNOWS", &wire_empty_request, &request),
                     "ERR_HANDLER_NOT_FOUND");
}
END_TEST

/* The second of two waits for the lock, and says who leads. */
START_TEST(a_follower_names_the_leader)
{
    world_meta("");
    world_wait_state(META_SERVING);
    struct meta second = { .state = 0 };
    struct config config;
    world_meta_in(&second, &config, "");
    while (!second.leader[0])
        loop_turn(world.loop);
    ck_assert_str_eq(second.leader, world.meta.name);
    ck_assert_int_eq(second.state_now, META_CANDIDATE);

    struct msg_list_apps_request request;
    uint64_t leader;
    struct fail fail;
    wire_init(&wire_list_apps_request, &request);
    world.target = second.name;
    ck_assert_str_eq(world_ask("RPC_CM_LIST_APPS", &wire_list_apps_request, &request),
                     "ERR_FORWARD_TO_OTHERS");
    ck_assert_int_eq(wire_decode_value(WIRE_ADDRESS, buf_bytes(&world_body),
                                       (struct wire_memory){ NULL, NULL }, &leader, &fail),
                     BR_OK);
    ck_assert_uint_eq(leader, world.meta.address);

    struct msg_beacon_msg beacon;
    struct msg_beacon_ack ack;
    wire_init(&wire_beacon_msg, &beacon);
    beacon.from_node = address_make(0x0a00000b, 34801);
    world_ask("RPC_FD_FAILURE_DETECTOR_PING", &wire_beacon_msg, &beacon);
    world_decode(&wire_beacon_ack, &ack);
    ck_assert(!ack.is_master && ack.allowed);
    ck_assert_uint_eq(ack.primary_node, world.meta.address);

    meta_stop(&world.meta, 0); /* the leader leaves: the follower leads */
    loop_run(world.loop);
    world.target = NULL;
    while (second.state_now != META_SERVING)
        loop_turn(world.loop);
    meta_stop(&second, 0);
    loop_run(world.loop);
    meta_done(&second);
    config_done(&config);
}
END_TEST

/* A store that cannot tell once who leads is asked again. */
static struct br_store steady;
static int unanswered;

static void flaky_owner(struct br_env *env, const char *path, const char *last_seen,
                        struct br_call *call)
{
    if (unanswered-- > 0)
        br_reply_fail(call, BR_UNAVAILABLE, "the store is away");
    else
        steady.owner(env, path, last_seen, call);
}

START_TEST(a_follower_asks_again_who_leads)
{
    struct meta second = { .state = 0 };
    struct config config;
    world_meta("");
    world_wait_state(META_SERVING);
    steady = world.store.ops.store;
    world.store.ops.store.owner = flaky_owner;
    unanswered = 1;
    world_meta_in(&second, &config, "");
    struct timer *tick = NULL;
    br_time end = loop_now(world.loop) + 5 * BR_SECOND;
    exchange_tick(&tick);
    while (!second.leader[0] && loop_now(world.loop) < end)
        loop_turn(world.loop);
    timer_cancel(tick);
    ck_assert_str_eq(second.leader, world.meta.name);
    meta_stop(&second, 0); /* it holds nothing: at once */
    meta_done(&second);
    config_done(&config);
}
END_TEST

/* The C library's regcomp recurses on its pattern: it must never see a stranger's. */
START_TEST(no_pattern_brings_it_down)
{
    enum { DEEP = 200000 };
    static const struct {
        int32_t type;
        const char *want;
    } rows[] = {
        { 0, "ERR_INVALID_PARAMETERS" },
        { 1, "ERR_OK" },
        { 2, "ERR_OK" },
        { 5, "ERR_OK" },
        { 6, "ERR_NOT_IMPLEMENTED" },
        { 7, "ERR_INVALID_PARAMETERS" },
    };
    struct msg_list_apps_request request;
    struct msg_list_apps_response response;
    char *pattern = malloc(DEEP + 1);
    memset(pattern, '(', DEEP);
    pattern[DEEP] = 0;
    world_meta("");
    world_wait_state(META_SERVING);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wire_init(&wire_list_apps_request, &request);
        request.app_name_pattern = pattern;
        request.match_type = rows[i].type;
        WIRE_SET(&request, 2);
        WIRE_SET(&request, 3);
        ck_assert_str_eq(world_ask("RPC_CM_LIST_APPS", &wire_list_apps_request, &request),
                         "ERR_OK");
        world_decode(&wire_list_apps_response, &response);
        ck_assert_str_eq(response.err, rows[i].want);
    }
    free(pattern);
}
END_TEST

/* -- Beacons ---------------------------------------------------------------------------------- */

START_TEST(beacons_are_answered_in_every_state)
{
    struct msg_beacon_msg beacon;
    struct msg_beacon_ack ack;
    world_meta(_i ? RECOVER : "");
    world_wait_state(_i ? META_RECOVERING : META_SERVING);
    wire_init(&wire_beacon_msg, &beacon);
    beacon.time = 77;
    beacon.from_node = address_make(0x0a00000b, 34801);
    beacon.to_node = address_make(0x0a000001, 34601);
    beacon.start_time = 5;
    WIRE_SET(&beacon, 4);
    ck_assert_str_eq(world_ask("RPC_FD_FAILURE_DETECTOR_PING", &wire_beacon_msg, &beacon),
                     "ERR_OK");
    world_decode(&wire_beacon_ack, &ack);
    ck_assert_int_eq(ack.time, 77);
    ck_assert_uint_eq(ack.this_node, beacon.to_node);
    ck_assert_uint_eq(ack.primary_node, world.meta.address);
    ck_assert(ack.is_master && ack.allowed);
    ck_assert(!WIRE_HAS(&ack, 6) && !WIRE_HAS(&ack, 7));
    ck_assert_ptr_nonnull(detector_find(&world.meta.detector, "10.0.0.11:34801"));
}
END_TEST

START_TEST(a_named_beacon_gets_its_names_back)
{
    struct msg_beacon_msg beacon;
    struct msg_beacon_ack ack;
    world_meta("");
    world_wait_state(META_SERVING);
    wire_init(&wire_beacon_msg, &beacon);
    beacon.time = 1;
    beacon.from_node = address_make(0x0a00000b, 34801);
    beacon.to_node = address_make(0x0a000001, 34601);
    beacon.hp_from_node = (struct host_port){ "rs1", 34801, 1 };
    beacon.hp_to_node = (struct host_port){ "meta-1", 34601, 1 };
    WIRE_SET(&beacon, 5);
    WIRE_SET(&beacon, 6);
    world_ask("RPC_FD_FAILURE_DETECTOR_PING", &wire_beacon_msg, &beacon);
    world_decode(&wire_beacon_ack, &ack);
    ck_assert_str_eq(ack.hp_this_node.host, "meta-1");
    ck_assert_uint_eq(ack.hp_this_node.port, 34601);
    ck_assert(WIRE_HAS(&ack, 7));
    struct detector_node *node = detector_find(&world.meta.detector, "rs1:34801");
    ck_assert_ptr_nonnull(node);
    ck_assert(node->named);
}
END_TEST

START_TEST(the_detector_has_a_limit)
{
    struct detector detector;
    char name[32];
    bool fresh;
    detector_init(&detector, &(struct detector_rules){ .grace = BR_SECOND });
    for (int i = 0; i < DETECTOR_NODES_MAX; i++) {
        snprintf(name, sizeof name, "n%d:1", i);
        ck_assert_ptr_nonnull(detector_see(&detector, name, 1, 0, 10, &fresh));
        ck_assert(fresh);
    }
    ck_assert_ptr_null(detector_see(&detector, "another:1", 1, 0, 10, &fresh));
    ck_assert_ptr_nonnull(detector_see(&detector, "n77:1", 1, 0, 11, &fresh));
    ck_assert(!fresh);
    ck_assert_uint_eq(detector_alive_count(&detector, 10 + BR_SECOND), DETECTOR_NODES_MAX);
    ck_assert_uint_eq(detector_alive_count(&detector, 11 + BR_SECOND), 1);
    ck_assert_uint_eq(detector_alive_count(&detector, 12 + BR_SECOND), 0);
    detector_done(&detector);
}
END_TEST

/* A silence that is longer than this is told apart from a lease that we prolonged. */
START_TEST(the_gap_is_shorter_than_the_lease)
{
    static const struct {
        br_time lease, gap;
    } rows[] = { { 0, 7 * BR_SECOND },
                 { 20 * BR_SECOND, 7 * BR_SECOND },
                 { 9 * BR_SECOND, 6750 * BR_MILLISECOND },
                 { 4 * BR_SECOND, 3 * BR_SECOND } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct detector detector;
        bool fresh;
        detector_init(&detector,
                      &(struct detector_rules){ .grace = 30 * BR_SECOND, .lease = rows[i].lease });
        ck_assert_int_eq(detector_gap(&detector), rows[i].gap);
        struct detector_node *node = detector_see(&detector, "a:1", 1, 0, 10, &fresh);
        detector_acked(node, 10);
        detector_see(&detector, "a:1", 1, 0, 10 + rows[i].gap, &fresh);
        ck_assert_uint_eq(node->gaps, 0);
        ck_assert_int_eq(node->acked_since, 10);
        detector_see(&detector, "a:1", 1, 0, 11 + 2 * rows[i].gap, &fresh);
        ck_assert_uint_eq(node->gaps, 1);
        ck_assert_int_eq(node->acked_since, 0);
        detector_done(&detector);
    }
}
END_TEST

/* -- The remote command ----------------------------------------------------------------------- */

START_TEST(server_info_is_told_while_recovering)
{
    struct msg_command command;
    struct arena arena;
    struct fail fail;
    const char *text;
    world_meta(RECOVER);
    world_wait_state(META_RECOVERING);
    wire_init(&wire_command, &command);
    command.cmd = "server-info";
    arena_init(&arena, 0);
    ck_assert_str_eq(world_ask("RPC_CLI_CLI_CALL", &wire_command, &command), "ERR_OK");
    ck_assert_int_eq(
        wire_decode_value(WIRE_STRING, buf_bytes(&world_body), wire_arena(&arena), &text, &fail),
        BR_OK);
    ck_assert_ptr_nonnull(strstr(text, "bridled"));
    ck_assert_ptr_nonnull(strstr(text, "Started at"));
    arena_done(&arena);
}
END_TEST

START_TEST(negotiation_says_that_there_is_none)
{
    struct msg_negotiation ask;
    struct msg_negotiation answer;
    world_meta("");
    world_wait_state(META_SERVING);
    wire_init(&wire_negotiation, &ask);
    ask.status = 1;
    world_ask("RPC_NEGOTIATION", &wire_negotiation, &ask);
    world_decode(&wire_negotiation, &answer);
    ck_assert_int_eq(answer.status, 9);
}
END_TEST

/* -- A store that cannot tell whether the lock is lost -------------------------------------------
 */

static struct br_store telling;
static int lost_asked;

static void untold_lost(struct br_env *env, const char *fence, struct br_call *call)
{
    if (lost_asked++ == 0)
        br_reply_fail(call, BR_UNAVAILABLE, "the store is away");
    else
        telling.lost(env, fence, call);
}

/* To stand for election again would be to wait for itself. */
START_TEST(a_lock_that_is_not_told_to_be_lost_is_kept)
{
    lost_asked = 0;
    telling = world.store.ops.store;
    world.store.ops.store.lost = untold_lost;
    world_meta_again("");
    world_wait_state(META_SERVING);
    const char *fence = world.meta.fence;
    bool again = false;
    while (!again) {
        loop_turn(world.loop);
        ck_assert_int_eq(world.meta.state_now, META_SERVING);
        again = lost_asked == 2;
    }
    ck_assert_ptr_eq(world.meta.fence, fence);
}
END_TEST

static TCase *gate(void)
{
    TCase *tcase = tcase_create("gate");
    int count = sizeof gated / sizeof *gated;
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, world_setup, world_teardown);
    tcase_add_loop_test(tcase, the_bytes_of_the_real_thing, 0,
                        sizeof exchanges / sizeof *exchanges);
    tcase_add_loop_test(tcase, under_recovery_everything_says_so, 0, count);
    tcase_add_loop_test(tcase, what_is_not_served_is_never_ok, 0,
                        sizeof unserved / sizeof *unserved);
    tcase_add_test(tcase, unknown_requests_are_unknown);
    tcase_add_test(tcase, a_follower_names_the_leader);
    tcase_add_test(tcase, a_follower_asks_again_who_leads);
    tcase_add_test(tcase, a_lock_that_is_not_told_to_be_lost_is_kept);
    tcase_add_test(tcase, no_pattern_brings_it_down);
    tcase_add_loop_test(tcase, beacons_are_answered_in_every_state, 0, 2);
    tcase_add_test(tcase, a_named_beacon_gets_its_names_back);
    tcase_add_test(tcase, server_info_is_told_while_recovering);
    tcase_add_test(tcase, negotiation_says_that_there_is_none);
    return tcase;
}

static TCase *detector(void)
{
    TCase *tcase = tcase_create("detector");
    tcase_add_test(tcase, the_detector_has_a_limit);
    tcase_add_test(tcase, the_gap_is_shorter_than_the_lease);
    return tcase;
}

int main(void)
{
    return test_run("meta", gate(), detector(), NULL);
}
