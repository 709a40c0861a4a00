/* Clients against peers that misbehave: absent, hung, silent in mid-frame, damaged, not reading. */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "t/net.h"

static struct rdsn_client *client_new(struct net *net)
{
    return rdsn_client_new(net->base, &(struct rdsn_client_options){ 0 });
}

START_TEST(peer_dead_port)
{
    enum { COUNT = 20 };
    struct net net;
    struct answer answers[COUNT] = { 0 };
    char name[ADDRESS_TEXT_MAX];
    net_open(&net);
    struct rdsn_client *client = client_new(&net);
    address_format(net_dead_port(false), name);
    for (int round = 1; round <= 2; round++) {
        for (int i = 0; i < COUNT; i++)
            net_ask(client, name, "hello", 0, &answers[i]); /* the deadline is far away */
        NET_UNTIL(&net, answers[COUNT - 1].count == round);
        for (int i = 0; i < COUNT; i++) {
            ck_assert_int_eq(answers[i].count, round);
            ck_assert_int_eq(answers[i].status, BR_UNAVAILABLE);
            ck_assert_str_eq(answers[i].error, "ERR_NETWORK_FAILURE");
            ck_assert_ptr_nonnull(strstr(answers[i].why, name));
            ck_assert_ptr_nonnull(strstr(answers[i].why, "refused"));
        }
    }
    for (int i = 0; i < COUNT; i++)
        answer_clear(&answers[i]);
    rdsn_client_free(client);
    net_close(&net);
}
END_TEST

/* Not host:port, names and bodies over the limits: told soon, never from inside. */
START_TEST(peer_impossible)
{
    static const char *const nodes[] = { "",          "localhost", "localhost:0", ":34801",
                                         "a b:34801", "h:65536",   "h:034801" };
    struct net net;
    struct answer answer = { 0 };
    net_open(&net);
    struct rdsn_client *client = client_new(&net);
    int count = 0;
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        net_ask(client, nodes[i], "hello", 0, &answer);
        count++;
        NET_UNTIL(&net, answer.count == count);
        ck_assert_int_eq(answer.status, BR_INVALID);
        ck_assert_str_eq(answer.error, "ERR_INVALID_PARAMETERS");
    }
    struct rdsn_request request = { .rpc = "RPC_NAME_OF_FORTY_EIGHT_BYTES_WHICH_IS_TOO_LONG_",
                                    .timeout = BR_SECOND };
    ck_assert_uint_eq(strlen(request.rpc), RDSN_NAME_SIZE);
    rdsn_client_call(client, "127.0.0.1:1", &request, answer_done, &answer);
    NET_UNTIL(&net, answer.count == count + 1);
    ck_assert_int_eq(answer.status, BR_INVALID);
    request.rpc = "RPC_TEST";
    request.body = (br_bytes){ "", (size_t) FRAME_BODY_MAX + 1 }; /* refused unseen */
    rdsn_client_call(client, "127.0.0.1:1", &request, answer_done, &answer);
    NET_UNTIL(&net, answer.count == count + 2);
    ck_assert_int_eq(answer.status, BR_TOOBIG);
    answer_clear(&answer);
    rdsn_client_free(client);
    net_close(&net);
}
END_TEST

static void peer_reply(struct peer *peer, int index, const char *body)
{
    struct frame frame;
    struct buf out = { 0 };
    ck_assert_uint_gt(net_frame(&peer->raws[index].in, 0, &frame), 0);
    frame_make_reply(&frame.header, "ERR_OK", peer->address);
    frame_put(&out, &frame.header, (br_bytes){ body, strlen(body) }, false);
    for (size_t i = 0; i < out.size; i++) { /* byte by byte */
        raw_send(&peer->raws[index], out.data + i, 1);
        event_base_loop(peer->net->base, EVLOOP_NONBLOCK);
    }
    buf_done(&out);
}

START_TEST(peer_hung)
{
    struct net net;
    struct peer peer;
    struct answer answer = { 0 }, next = { 0 };
    net_open(&net);
    peer_open(&peer, &net);
    struct rdsn_client *client = client_new(&net);
    net_ask(client, peer.name, "hello", 50 * BR_MILLISECOND, &answer);
    NET_UNTIL(&net, answer.count == 1 && peer.count == 1 && net_frames(&peer.raws[0].in) == 1);
    ck_assert_int_eq(answer.status, BR_TIMEOUT);
    ck_assert_str_eq(answer.error, "ERR_TIMEOUT");
    ck_assert_ptr_nonnull(strstr(answer.why, "did not answer RPC_TEST within 0.05 s"));
    peer_reply(&peer, 0, "too late"); /* ignored, and the connection goes on */
    buf_clear(&peer.raws[0].in);
    net_ask(client, peer.name, "again", 0, &next);
    NET_UNTIL(&net, net_frames(&peer.raws[0].in) == 1);
    peer_reply(&peer, 0, "in time");
    NET_UNTIL(&net, next.count == 1);
    ck_assert_str_eq(buf_string(&next.body), "in time");
    ck_assert_int_eq(answer.count, 1);
    ck_assert_int_eq(peer.count, 1); /* one connection for all */
    answer_clear(&answer);
    answer_clear(&next);
    rdsn_client_free(client);
    peer_close(&peer);
    net_close(&net);
}
END_TEST

/* An answer counts only from the node that was asked. */
START_TEST(peer_answers_for_another)
{
    struct net net;
    struct peer asked, other;
    struct answer first = { 0 }, second = { 0 };
    struct frame frame;
    struct buf out = { 0 };
    net_open(&net);
    peer_open(&asked, &net);
    peer_open(&other, &net);
    struct rdsn_client *client = client_new(&net);
    net_ask(client, asked.name, "first", 0, &first);
    net_ask(client, other.name, "second", 0, &second);
    NET_UNTIL(&net, asked.count == 1 && net_frames(&asked.raws[0].in) == 1);
    NET_UNTIL(&net, other.count == 1 && net_frames(&other.raws[0].in) == 1);
    net_frame(&asked.raws[0].in, 0, &frame); /* its id */
    frame_make_reply(&frame.header, "ERR_OK", asked.address);
    frame_put(&out, &frame.header, (br_bytes){ "forged", 6 }, false);
    raw_send(&other.raws[0], out.data, out.size);
    peer_reply(&other, 0, "mine");
    NET_UNTIL(&net, second.count == 1);
    ck_assert_str_eq(buf_string(&second.body), "mine");
    ck_assert_int_eq(first.count, 0);
    peer_reply(&asked, 0, "true");
    NET_UNTIL(&net, first.count == 1);
    ck_assert_str_eq(buf_string(&first.body), "true");
    buf_done(&out);
    answer_clear(&first);
    answer_clear(&second);
    rdsn_client_free(client);
    peer_close(&asked);
    peer_close(&other);
    net_close(&net);
}
END_TEST

/* What the peer sends before it closes, and what the client makes of it. */
static void make_nothing(struct buf *buf, struct rdsn_header *header)
{
    (void) buf;
    (void) header;
}

static void make_half_header(struct buf *buf, struct rdsn_header *header)
{
    frame_make_reply(header, "ERR_OK", 0);
    frame_put(buf, header, (br_bytes){ "body", 4 }, false);
    buf->size = 100;
}

static void make_half_body(struct buf *buf, struct rdsn_header *header)
{
    frame_make_reply(header, "ERR_OK", 0);
    frame_put(buf, header, (br_bytes){ "body", 4 }, false);
    buf->size -= 2;
}

static void make_damaged(struct buf *buf, struct rdsn_header *header)
{
    frame_make_reply(header, "ERR_OK", 0);
    frame_put(buf, header, (br_bytes){ "body", 4 }, true);
    buf->data[buf->size - 1] ^= 1;
}

static void make_request(struct buf *buf, struct rdsn_header *header)
{
    frame_put(buf, header, (br_bytes){ "body", 4 }, false);
}

static void make_http(struct buf *buf, struct rdsn_header *header)
{
    (void) header;
    buf_text(buf, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n"
                  "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: something\r\n"
                  "X-Filler: 01234567890123456789012345678901234567890123456789012345678901234\r\n"
                  "\r\n");
}

static const struct {
    void (*make)(struct buf *, struct rdsn_header *);
    br_status status;
    const char *error, *why;
} bad_peers[] = {
    { make_nothing, BR_UNAVAILABLE, "ERR_NETWORK_FAILURE", "closed the connection" },
    { make_half_header, BR_UNAVAILABLE, "ERR_NETWORK_FAILURE", "within a reply, after 100 bytes" },
    { make_half_body, BR_UNAVAILABLE, "ERR_NETWORK_FAILURE", "within a reply, after 194 bytes" },
    { make_damaged, BR_CORRUPT, "ERR_INVALID_DATA", "checksum" },
    { make_request, BR_CORRUPT, "ERR_INVALID_DATA", "is not a reply" },
    { make_http, BR_CORRUPT, "ERR_INVALID_DATA", "sent what is no reply" },
};

START_TEST(peer_bad)
{
    struct net net;
    struct peer peer;
    struct answer first = { 0 }, second = { 0 }, third = { 0 };
    net_open(&net);
    peer_open(&peer, &net);
    struct rdsn_client *client = client_new(&net);
    net_ask(client, peer.name, "first", 0, &first);
    net_ask(client, peer.name, "second", 0, &second);
    NET_UNTIL(&net, peer.count == 1 && net_frames(&peer.raws[0].in) == 2);
    struct frame frame;
    struct buf out = { 0 };
    net_frame(&peer.raws[0].in, 0, &frame);
    bad_peers[_i].make(&out, &frame.header);
    raw_send(&peer.raws[0], out.data, out.size);
    raw_close(&peer.raws[0]);
    NET_UNTIL(&net, first.count == 1 && second.count == 1);
    ck_assert_int_eq(first.status, bad_peers[_i].status);
    ck_assert_int_eq(second.status, bad_peers[_i].status);
    ck_assert_str_eq(first.error, bad_peers[_i].error);
    ck_assert_msg(strstr(first.why, bad_peers[_i].why) != NULL, "%s", first.why);
    ck_assert_ptr_nonnull(strstr(first.why, peer.name));
    net_ask(client, peer.name, "third", 0, &third); /* another connection, another try */
    NET_UNTIL(&net, peer.count == 2 && net_frames(&peer.raws[1].in) == 1);
    peer_reply(&peer, 1, "well now");
    NET_UNTIL(&net, third.count == 1);
    ck_assert_int_eq(third.status, BR_OK);
    answer_clear(&first);
    answer_clear(&second);
    answer_clear(&third);
    buf_done(&out);
    rdsn_client_free(client);
    peer_close(&peer);
    net_close(&net);
}
END_TEST

START_TEST(peer_sees_idle_close)
{
    struct net net;
    struct peer peer;
    struct answer answer = { 0 };
    net_open(&net);
    peer_open(&peer, &net);
    struct rdsn_client *client =
        rdsn_client_new(net.base, &(struct rdsn_client_options){ .idle = 50 * BR_MILLISECOND });
    for (int i = 0; i < 2; i++) {
        net_ask(client, peer.name, "hello", 0, &answer);
        NET_UNTIL(&net, peer.count == i + 1 && net_frames(&peer.raws[i].in) == 1);
        peer_reply(&peer, i, "hello");
        NET_UNTIL(&net, answer.count == i + 1);
        NET_UNTIL(&net, peer.raws[i].ended);
    }
    answer_clear(&answer);
    rdsn_client_free(client);
    peer_close(&peer);
    net_close(&net);
}
END_TEST

/* Who does not read gets only so much, and is left when nobody waits for him any more. */
START_TEST(peer_does_not_read)
{
    enum { SIZE = 4 << 20, COUNT = 20 };
    struct net net;
    struct peer peer;
    struct answer answers[COUNT] = { 0 }, over = { 0 };
    net_open(&net);
    peer_open(&peer, &net);
    struct rdsn_client *client = client_new(&net);
    net_ask(client, peer.name, "hello", 0, &answers[0]);
    NET_UNTIL(&net, peer.count == 1 && net_frames(&peer.raws[0].in) == 1);
    raw_quiet(&peer.raws[0]);
    peer_reply(&peer, 0, "now I stop reading");
    NET_UNTIL(&net, answers[0].count == 1);
    char *body = mem_new(SIZE + 1);
    memset(body, 'x', SIZE);
    uint64_t tickets[COUNT];
    for (int i = 1; i < COUNT; i++)
        tickets[i] = net_ask(client, peer.name, body, 0, &answers[i]);
    net_ask(client, peer.name, "over", 0, &over);
    NET_UNTIL(&net, over.count == 1);
    ck_assert_int_eq(over.status, BR_UNAVAILABLE);
    ck_assert_str_eq(over.error, "ERR_BUSY");
    ck_assert_ptr_nonnull(strstr(over.why, "wait for it to read"));
    for (int i = 1; i < COUNT; i++)
        rdsn_client_cancel(client, tickets[i]);
    raw_listen(&peer.raws[0]);
    NET_UNTIL(&net, peer.raws[0].ended);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(answers[i].count, 1);
        answer_clear(&answers[i]);
    }
    answer_clear(&over);
    free(body);
    rdsn_client_free(client);
    peer_close(&peer);
    net_close(&net);
}
END_TEST

TCase *net_peer_case(void)
{
    TCase *tcase = tcase_create("peer");
    tcase_set_timeout(tcase, NET_TIMEOUT);
    tcase_add_test(tcase, peer_dead_port);
    tcase_add_test(tcase, peer_impossible);
    tcase_add_test(tcase, peer_hung);
    tcase_add_test(tcase, peer_answers_for_another);
    tcase_add_loop_test(tcase, peer_bad, 0, (int) (sizeof bad_peers / sizeof *bad_peers));
    tcase_add_test(tcase, peer_sees_idle_close);
    tcase_add_test(tcase, peer_does_not_read);
    return tcase;
}
