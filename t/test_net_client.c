/* Clients against our own server: bytes, pipelining, reuse, limits, cancel, one way, freeing. */
#include <string.h>

#include "t/net.h"

static struct rdsn_client *client_new(struct net *net)
{
    return rdsn_client_new(net->base, &(struct rdsn_client_options){ 0 });
}

START_TEST(client_bytes)
{
    struct net net;
    struct peer peer;
    struct buf want = { 0 };
    test_vector("rdsn_query_app_info_req", &want);
    net_open(&net);
    peer_open(&peer, &net);
    struct rdsn_client_options options = { .from_address = address_make(0x0a000001, 34601) };
    struct rdsn_client *client = rdsn_client_new(net.base, &options);
    struct rdsn_request request = { .rpc = "RPC_QUERY_APP_INFO",
                                    .body = { want.data + RDSN_HEADER_SIZE,
                                              want.size - RDSN_HEADER_SIZE },
                                    .timeout = 5 * BR_SECOND };
    struct answer answer = { 0 };
    rdsn_client_call(client, peer.name, &request, answer_done, &answer);
    NET_UNTIL(&net, peer.count == 1 && peer.raws[0].in.size >= want.size);
    ck_assert_uint_eq(peer.raws[0].in.size, want.size);
    memset(want.data + 24, 0, 16); /* id, trace */
    memset(peer.raws[0].in.data + 24, 0, 16);
    memset(want.data + 88, 0, 4);
    ck_assert_mem_eq(peer.raws[0].in.data, want.data, want.size);
    rdsn_client_free(client);
    ck_assert_int_eq(answer.count, 0);
    peer_close(&peer);
    buf_done(&want);
    net_close(&net);
}
END_TEST

static struct answer answers[SITE_HELD_MAX];

static int client_answered(int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += answers[i].count;
    return sum;
}

static void client_clear(int count)
{
    for (int i = 0; i < count; i++)
        answer_clear(&answers[i]);
    memset(answers, 0, sizeof answers);
}

START_TEST(client_pipelined)
{
    enum { COUNT = 1000 };
    struct net net;
    struct site site = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    struct rdsn_client *client =
        rdsn_client_new(net.base, &(struct rdsn_client_options){ .crc = _i > 0 });
    for (int i = 0; i < COUNT; i++) {
        char body[32];
        snprintf(body, sizeof body, "body %d", i);
        net_ask(client, site.name, body, 0, &answers[i]);
    }
    NET_UNTIL(&net, client_answered(COUNT) == COUNT);
    for (int i = 0; i < COUNT; i++) {
        char body[32];
        snprintf(body, sizeof body, "body %d", i);
        ck_assert_int_eq(answers[i].status, BR_OK);
        ck_assert_str_eq(answers[i].error, "ERR_OK");
        ck_assert_str_eq(buf_string(&answers[i].body), body);
        ck_assert_int_eq(answers[i].header.body_crc != 0, _i > 0);
        ck_assert_uint_eq(answers[i].header.from_address, site.address);
    }
    client_clear(COUNT);
    rdsn_client_free(client);
    site_close(&site);
    net_close(&net);
}
END_TEST

START_TEST(client_any_order)
{
    enum { COUNT = 500 };
    struct net net;
    struct site site = { 0 };
    int clock = 0;
    net_open(&net);
    site_open(&site, &net, SITE_HOLD);
    struct rdsn_client *client = client_new(&net);
    for (int i = 0; i < COUNT; i++) {
        char body[32];
        snprintf(body, sizeof body, "body %d", i);
        answers[i].clock = &clock;
        net_ask(client, site.name, body, 0, &answers[i]);
    }
    NET_UNTIL(&net, site.held_count == COUNT);
    for (int i = COUNT - 1; i >= 0; i--)
        rdsn_server_reply(site.held[i], "ERR_OK", site.held[i]->body);
    site.held_count = 0;
    NET_UNTIL(&net, client_answered(COUNT) == COUNT);
    for (int i = 0; i < COUNT; i++) {
        char body[32];
        snprintf(body, sizeof body, "body %d", i);
        ck_assert_str_eq(buf_string(&answers[i].body), body);
        ck_assert_int_eq(answers[i].order, COUNT - 1 - i);
    }
    client_clear(COUNT);
    rdsn_client_free(client);
    site_close(&site);
    net_close(&net);
}
END_TEST

START_TEST(client_header_error)
{
    struct net net;
    struct site site = { .error = "ERR_FORWARD_TO_OTHERS" };
    struct answer answer = { 0 };
    net_open(&net);
    buf_text(&site.body, "the leader's address");
    site_open(&site, &net, SITE_ANSWER);
    struct rdsn_client *client = client_new(&net);
    net_ask(client, site.name, "who leads", 0, &answer);
    NET_UNTIL(&net, answer.count == 1);
    ck_assert_int_eq(answer.status, BR_REFUSED);
    ck_assert_str_eq(answer.error, "ERR_FORWARD_TO_OTHERS");
    ck_assert_ptr_nonnull(strstr(answer.why, site.name));
    ck_assert_ptr_nonnull(strstr(answer.why, "RPC_TEST with ERR_FORWARD_TO_OTHERS"));
    ck_assert_str_eq(buf_string(&answer.body), "the leader's address");
    answer_clear(&answer);
    rdsn_client_free(client);
    site_close(&site);
    net_close(&net);
}
END_TEST

START_TEST(client_large)
{
    enum { SIZE = 24 << 20 };
    struct net net;
    struct site site = { .error = "ERR_OK" };
    struct answer answer = { 0 };
    net_open(&net);
    buf_reserve(&site.body, SIZE);
    for (uint32_t i = 0; i < SIZE; i++)
        site.body.data[i] = (char) (i * 2654435761u >> 24);
    site.body.size = SIZE;
    site_open(&site, &net, SITE_ANSWER);
    struct rdsn_client *client = client_new(&net);
    for (int i = 1; i <= 2; i++) {
        net_ask(client, site.name, "all of it", 0, &answer);
        NET_UNTIL(&net, answer.count == i);
        ck_assert_int_eq(answer.status, BR_OK);
        ck_assert_uint_eq(answer.body.size, SIZE);
        ck_assert_int_eq(memcmp(answer.body.data, site.body.data, SIZE), 0);
    }
    answer_clear(&answer);
    rdsn_client_free(client);
    site_close(&site);
    net_close(&net);
}
END_TEST

START_TEST(client_reply_too_big)
{
    struct net net;
    struct site site = { .error = "ERR_OK" };
    struct answer answer = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_ANSWER);
    for (int i = 0; i < 1000; i++)
        buf_char(&site.body, 'x');
    struct rdsn_client *client =
        rdsn_client_new(net.base, &(struct rdsn_client_options){ .body_max = 1000 });
    net_ask(client, site.name, "just", 0, &answer);
    NET_UNTIL(&net, answer.count == 1);
    ck_assert_int_eq(answer.status, BR_OK);
    buf_char(&site.body, 'x');
    net_ask(client, site.name, "one more", 0, &answer);
    NET_UNTIL(&net, answer.count == 2);
    ck_assert_int_eq(answer.status, BR_TOOBIG);
    ck_assert_str_eq(answer.error, "ERR_INVALID_DATA");
    ck_assert_ptr_nonnull(strstr(answer.why, "1001"));
    answer_clear(&answer);
    rdsn_client_free(client);
    site_close(&site);
    net_close(&net);
}
END_TEST

/* -- Cancel, one way, freeing ----------------------------------------------------------------- */

START_TEST(client_cancel)
{
    struct net net;
    struct site site = { 0 };
    struct answer before = { 0 }, flying = { 0 }, stays = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_HOLD);
    struct rdsn_client *client = client_new(&net);
    uint64_t ticket = net_ask(client, site.name, "before it is sent", 0, &before);
    rdsn_client_cancel(client, ticket);
    rdsn_client_cancel(client, ticket);
    ck_assert_int_eq(before.count, 0); /* soon, not from inside */
    NET_UNTIL(&net, before.count == 1);
    ck_assert_int_eq(before.status, BR_CANCELED);

    ticket = net_ask(client, site.name, "flying", 0, &flying);
    net_ask(client, site.name, "stays", 0, &stays);
    NET_UNTIL(&net, site.held_count == 2);
    rdsn_client_cancel(client, ticket);
    rdsn_server_reply(site.held[0], "ERR_OK", site.held[0]->body);
    rdsn_server_reply(site.held[1], "ERR_OK", site.held[1]->body);
    site.held_count = 0;
    NET_UNTIL(&net, stays.count == 1);
    ck_assert_int_eq(stays.status, BR_OK);
    ck_assert_int_eq(flying.count, 1);
    ck_assert_int_eq(flying.status, BR_CANCELED);
    rdsn_client_cancel(client, ticket); /* long gone */
    rdsn_client_cancel(client, 0);
    rdsn_client_cancel(client, UINT64_MAX);
    answer_clear(&before);
    answer_clear(&flying);
    answer_clear(&stays);
    rdsn_client_free(client);
    site_close(&site);
    net_close(&net);
}
END_TEST

START_TEST(client_one_way)
{
    struct net net;
    struct site site = { 0 };
    struct answer answer = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_DROP);
    struct rdsn_client *client = client_new(&net);
    struct rdsn_request request = { .rpc = "RPC_CONFIG_PROPOSAL",
                                    .body = { "do it", 5 },
                                    .timeout = 30 * BR_SECOND,
                                    .one_way = true };
    uint64_t ticket = rdsn_client_call(client, site.name, &request, answer_done, &answer);
    struct rdsn_header forged = net_header(ticket); /* nothing answers what has no answer */
    frame_make_reply(&forged, "ERR_BUSY", site.address);
    ck_assert(!rdsn_client_deliver(client, &forged, (br_bytes){ NULL, 0 }));
    NET_UNTIL(&net, answer.count == 1 && site.requests == 1);
    ck_assert_int_eq(answer.status, BR_OK);
    uint64_t dead = net_dead_port(false);
    char name[ADDRESS_TEXT_MAX];
    rdsn_client_call(client, address_format(dead, name), &request, answer_done, &answer);
    NET_UNTIL(&net, answer.count == 2);
    ck_assert_int_eq(answer.status, BR_UNAVAILABLE);
    ck_assert_str_eq(answer.error, "ERR_NETWORK_FAILURE");
    rdsn_client_call(client, site.name, &request, NULL, NULL); /* who does not care */
    NET_UNTIL(&net, site.requests == 2);
    answer_clear(&answer);
    rdsn_client_free(client);
    site_close(&site);
    net_close(&net);
}
END_TEST

START_TEST(client_free_from_inside)
{
    struct net net;
    struct site site = { 0 };
    struct answer first = { 0 }, second = { 0 }, third = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    struct rdsn_client *client = client_new(&net);
    first.free_client = &client;
    /* _i 0: from a reply's callback, with more replies in the buffer; 1: from a failure's. */
    net_ask(client, _i == 0 ? site.name : "not a node", "first", 0, &first);
    net_ask(client, _i == 0 ? site.name : "not a node", "second", 0, &second);
    net_ask(client, site.name, "third", 0, &third);
    NET_UNTIL(&net, first.count == 1);
    ck_assert_ptr_null(client);
    ck_assert_int_eq(second.count + third.count, 0);
    answer_clear(&first);
    site_close(&site);
    net_close(&net);
}
END_TEST

/* A reply that came to a server of ours, and a message sent as it is: forwarding. */
START_TEST(client_forwarded)
{
    struct net net;
    struct site meta = { 0 }, ours = { 0 };
    struct answer answer = { 0 };
    net_open(&net);
    struct rdsn_client *client = client_new(&net);
    site_open(&meta, &net, SITE_HOLD);
    ours.deliver = client;
    site_open(&ours, &net, SITE_ECHO);
    net_ask(client, meta.name, "question", 0, &answer);
    NET_UNTIL(&net, meta.held_count == 1);

    struct rdsn_client *other = client_new(&net); /* the leader's */
    struct rdsn_header header = meta.held[0]->header;
    header.context |= RDSN_FORWARDED;
    frame_make_reply(&header, "ERR_OK", meta.address);
    rdsn_client_post(other, ours.name, &header, (br_bytes){ "forwarded", 9 }, 5 * BR_SECOND);
    NET_UNTIL(&net, answer.count == 1);
    ck_assert_int_eq(answer.status, BR_OK);
    ck_assert_str_eq(buf_string(&answer.body), "forwarded");
    ck_assert_uint_ne(answer.header.context & RDSN_FORWARDED, 0);

    struct answer next = { 0 };
    rdsn_server_reply(meta.held[0], "ERR_OK", meta.held[0]->body); /* too late: ignored */
    meta.held_count = 0;
    meta.mode = SITE_ECHO;
    net_ask(client, meta.name, "next", 0, &next);
    NET_UNTIL(&net, next.count == 1);
    ck_assert_str_eq(buf_string(&next.body), "next");
    ck_assert_int_eq(answer.count, 1);
    ck_assert(!rdsn_client_deliver(client, &header, (br_bytes){ NULL, 0 }));
    answer_clear(&answer);
    answer_clear(&next);
    rdsn_client_free(client);
    rdsn_client_free(other);
    site_close(&meta);
    site_close(&ours);
    net_close(&net);
}
END_TEST

/* -- Connections ------------------------------------------------------------------------------ */

START_TEST(client_few_connections)
{
    enum { NODES = 6 };
    struct net net;
    struct site sites[NODES] = { 0 };
    net_open(&net);
    struct rdsn_client *client =
        rdsn_client_new(net.base, &(struct rdsn_client_options){ .connections_max = 2 });
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < NODES; i++) {
            if (round == 0)
                site_open(&sites[i], &net, SITE_ECHO);
            net_ask(client, sites[i].name, "me", 0, &answers[round * NODES + i]);
        }
        NET_UNTIL(&net, client_answered((round + 1) * NODES) == (round + 1) * NODES);
    }
    for (int i = 0; i < 3 * NODES; i++)
        ck_assert_int_eq(answers[i].status, BR_OK);
    client_clear(3 * NODES);

    /* Two that do not answer keep the others waiting until the deadline. */
    sites[0].mode = sites[1].mode = SITE_HOLD;
    net_ask(client, sites[0].name, "hangs", 0, &answers[0]);
    net_ask(client, sites[1].name, "hangs", 0, &answers[1]);
    NET_UNTIL(&net, sites[0].held_count == 1 && sites[1].held_count == 1);
    net_ask(client, sites[2].name, "waits", 50 * BR_MILLISECOND, &answers[2]);
    NET_UNTIL(&net, answers[2].count == 1);
    ck_assert_int_eq(answers[2].status, BR_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(answers[2].why, "waiting for a connection"));
    ck_assert_int_eq(sites[2].requests, 3);
    net_ask(client, sites[2].name, "waits", 0, &answers[3]);
    rdsn_server_reply(sites[0].held[0], "ERR_OK", sites[0].held[0]->body);
    sites[0].held_count = 0;
    NET_UNTIL(&net, answers[3].count == 1);
    ck_assert_int_eq(answers[3].status, BR_OK);
    client_clear(4);
    rdsn_client_free(client);
    for (int i = 0; i < NODES; i++)
        site_close(&sites[i]);
    net_close(&net);
}
END_TEST

START_TEST(client_requests_max)
{
    struct net net;
    struct site site = { .options.pending_max = 1 };
    struct answer over = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_HOLD);
    struct rdsn_client *client = client_new(&net);
    struct rdsn_request request = { .rpc = "RPC_TEST" };
    for (int i = 0; i < CLIENT_REQUESTS_MAX; i++)
        rdsn_client_call(client, site.name, &request, NULL, NULL);
    net_ask(client, site.name, "one more", 0, &over);
    NET_UNTIL(&net, over.count == 1);
    ck_assert_int_eq(over.status, BR_UNAVAILABLE);
    ck_assert_str_eq(over.error, "ERR_BUSY");
    ck_assert_ptr_nonnull(strstr(over.why, "65536"));
    answer_clear(&over);
    rdsn_client_free(client);
    site_close(&site);
    net_close(&net);
}
END_TEST

TCase *net_client_case(void)
{
    TCase *tcase = tcase_create("client");
    tcase_set_timeout(tcase, NET_TIMEOUT);
    tcase_add_test(tcase, client_bytes);
    tcase_add_loop_test(tcase, client_pipelined, 0, 2);
    tcase_add_test(tcase, client_any_order);
    tcase_add_test(tcase, client_header_error);
    tcase_add_test(tcase, client_large);
    tcase_add_test(tcase, client_reply_too_big);
    tcase_add_test(tcase, client_cancel);
    tcase_add_test(tcase, client_one_way);
    tcase_add_loop_test(tcase, client_free_from_inside, 0, 2);
    tcase_add_test(tcase, client_forwarded);
    tcase_add_test(tcase, client_few_connections);
    tcase_add_test(tcase, client_requests_max);
    return tcase;
}
