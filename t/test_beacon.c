/* test_beacon -- a replica server's beacons against meta servers over real sockets: to whom the
 * next one goes.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "host/rdsn/server.h"
#include "host/replica/beacon.h"
#include "t/test.h"

/* A meta server that answers beacons as told. */
struct oracle {
    struct rdsn_server *server;
    char name[ADDRESS_TEXT_MAX];
    uint64_t address;
    bool master;
    uint64_t primary; /* of a follower: whom it names */
    bool wrong_echo;  /* this_node is not the beacon's to_node */
    bool mute;        /* takes beacons and never answers */
    bool forbids;     /* allowed is false */
    uint32_t beacons;
    struct msg_beacon_msg last;
};

static struct log quiet;
static struct loop *loop;
static struct rdsn_client *client;
static struct oracle oracles[3];
static struct arena arena;

static void oracle_request(void *arg, struct rdsn_incoming *incoming)
{
    struct oracle *oracle = arg;
    struct msg_beacon_ack ack;
    struct fail fail;
    struct buf body = { 0 };
    ck_assert_str_eq(incoming->header.rpc_name, "RPC_FD_FAILURE_DETECTOR_PING");
    ck_assert_msg(
        wire_decode(&wire_beacon_msg, incoming->body, wire_arena(&arena), &oracle->last, &fail)
            == BR_OK,
        "%s", fail.text);
    oracle->beacons++;
    if (oracle->mute) {
        rdsn_server_drop(incoming);
        return;
    }
    wire_init(&wire_beacon_ack, &ack);
    ack.time = oracle->last.time;
    ack.this_node = oracle->wrong_echo ? 1 : oracle->last.to_node;
    ack.is_master = oracle->master;
    ack.allowed = !oracle->forbids;
    ack.primary_node = oracle->master ? oracle->address : oracle->primary;
    wire_encode(&wire_beacon_ack, &ack, WIRE_PEER_25, &body);
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&body));
    buf_done(&body);
}

static void setup(void)
{
    struct fail fail;
    memset(oracles, 0, sizeof oracles);
    arena_init(&arena, 0);
    quiet = (struct log){ .fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .level = BR_ERROR };
    loop = loop_new(&quiet);
    client = rdsn_client_new(loop->base, &(struct rdsn_client_options){ .idle = 0 });
    for (int i = 0; i < 3; i++) {
        oracles[i].server = rdsn_server_new(loop->base,
                                            &(struct rdsn_server_options){
                                                .request = oracle_request,
                                                .datagrams = true,
                                                .arg = &oracles[i],
                                            },
                                            &fail);
        ck_assert_msg(oracles[i].server != NULL, "%s", fail.text);
        oracles[i].address = rdsn_server_address(oracles[i].server);
        address_format(oracles[i].address, oracles[i].name);
    }
}

static void teardown(void)
{
    rdsn_client_free(client);
    for (int i = 0; i < 3; i++) {
        if (oracles[i].server)
            rdsn_server_free(oracles[i].server);
    }
    loop_free(loop);
    close(quiet.fd);
    arena_done(&arena);
}

static void too_late(void *arg)
{
    (void) arg;
    ck_abort_msg("no beacon came for 20 s");
}

static void until(const uint32_t *count, uint32_t want)
{
    struct timer *watchdog = loop_after(loop, 20 * BR_SECOND, too_late, NULL);
    while (*count < want)
        loop_turn(loop);
    timer_cancel(watchdog);
}

static const char *metas[4];

static struct beacon *begin(bool datagrams, bool named)
{
    for (int i = 0; i < 3; i++)
        metas[i] = oracles[i].name;
    return beacon_start(loop, client,
                        &(struct beacon_options){
                            .name = "rs1.example:34801",
                            .address = address_make(0x7f000001, 34801),
                            .metas = metas,
                            .datagrams = datagrams,
                            .named = named,
                            .interval = 30 * BR_MILLISECOND,
                        });
}

/* TCP, UDP; with and without names. */
START_TEST(the_leader_gets_them_all)
{
    oracles[0].master = true;
    struct beacon *beacon = begin(_i & 1, _i & 2);
    until(&oracles[0].beacons, 5);
    const struct msg_beacon_msg *last = &oracles[0].last;
    ck_assert_uint_eq(last->from_node, address_make(0x7f000001, 34801));
    ck_assert_uint_eq(last->to_node, oracles[0].address);
    ck_assert(WIRE_HAS(last, 4));
    ck_assert_int_gt(last->start_time, 0);
    ck_assert_int_ge(last->time, last->start_time);
    ck_assert_int_eq(WIRE_HAS(last, 5), (_i & 2) != 0);
    if (_i & 2)
        ck_assert_str_eq(last->hp_from_node.host, "rs1.example");
    ck_assert_uint_eq(oracles[1].beacons + oracles[2].beacons, 0);
    beacon_stop(beacon);
}
END_TEST

START_TEST(a_follower_sends_it_to_the_leader)
{
    oracles[0].primary = oracles[2].address;
    oracles[2].master = true;
    struct beacon *beacon = begin(false, false);
    until(&oracles[2].beacons, 3);
    ck_assert_uint_eq(oracles[0].beacons, 1);
    ck_assert_uint_eq(oracles[1].beacons, 0);
    beacon_stop(beacon);
}
END_TEST

/* Knows no leader, is dead, is hung, forbids it, or answers somebody else: the next of the list. */
START_TEST(the_next_one_is_tried)
{
    oracles[1].master = true;
    if (_i == 1) {
        rdsn_server_free(oracles[0].server);
        oracles[0].server = NULL;
    } else if (_i == 2) {
        oracles[0].mute = true;
    } else if (_i == 3) {
        oracles[0].master = oracles[0].wrong_echo = true;
    } else if (_i == 4) {
        oracles[0].primary = oracles[0].address; /* names itself, and does not lead */
    } else if (_i == 5) {
        oracles[0].master = oracles[0].forbids = true;
    }
    struct beacon *beacon = begin(false, false);
    until(&oracles[1].beacons, 2);
    ck_assert_uint_le(oracles[0].beacons, 1);
    beacon_stop(beacon);
}
END_TEST

static TCase *beacons(void)
{
    TCase *tcase = tcase_create("beacon");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, the_leader_gets_them_all, 0, 4);
    tcase_add_test(tcase, a_follower_sends_it_to_the_leader);
    tcase_add_loop_test(tcase, the_next_one_is_tried, 0, 6);
    return tcase;
}

int main(void)
{
    return test_run("beacon", beacons(), NULL);
}
