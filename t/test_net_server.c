/* Servers: exact bytes, both framings, order, what closes a connection, answers into nothing. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "t/net.h"

/* -- Exact bytes ------------------------------------------------------------------------------ */

/* The server's own numbers, and addresses, stand elsewhere in the vectors. */
static void server_mask(struct buf *buf, uint64_t from_address)
{
    memset(buf->data + 12, 0, 4);
    memset(buf->data + 88, 0, 4);
    memcpy(buf->data + 112, &from_address, 8);
    memset(buf->data + 184, 0, 4);
}

static const struct {
    const char *request, *reply, *error;
} rdsn_vectors[] = {
    { "rdsn_query_app_info_req", "rdsn_query_app_info_resp", "ERR_OK" },
    { "rdsn_query_replica_info_req", "rdsn_query_replica_info_resp", "ERR_OK" },
    { "rdsn_fd_ping_req", "rdsn_fd_ping_ack", "ERR_OK" },
    { "rdsn_fd_ping_req_crc", "rdsn_fd_ping_ack_crc", "ERR_OK" },
    { "rdsn_cluster_info_req", "rdsn_cluster_info_resp", "ERR_OK" },
};

START_TEST(server_rdsn_bytes)
{
    struct net net;
    struct site site = { 0 };
    struct buf request = { 0 }, reply = { 0 };
    test_vector(rdsn_vectors[_i].request, &request);
    test_vector(rdsn_vectors[_i].reply, &reply);
    net_open(&net);
    site.error = rdsn_vectors[_i].error;
    buf_put(&site.body, reply.data + RDSN_HEADER_SIZE, reply.size - RDSN_HEADER_SIZE);
    site_open(&site, &net, SITE_ANSWER);
    struct raw raw;
    raw_connect(&raw, &net, site.address);
    raw_send(&raw, request.data, request.size);
    NET_UNTIL(&net, raw.in.size >= reply.size);
    struct frame frame;
    ck_assert_uint_eq(net_frame(&raw.in, 0, &frame), reply.size); /* checksums, if any, hold */
    uint64_t from;
    memcpy(&from, raw.in.data + 112, 8);
    ck_assert_uint_eq(from, site.address);
    bool crc = strstr(rdsn_vectors[_i].request, "crc") != NULL;
    ck_assert_int_eq(frame.header.header_crc != 0, crc);
    server_mask(&raw.in, 0);
    server_mask(&reply, 0);
    ck_assert_mem_eq(raw.in.data, reply.data, reply.size);
    raw_close(&raw);
    site_close(&site);
    buf_done(&request);
    buf_done(&reply);
    net_close(&net);
}
END_TEST

static const struct {
    const char *request, *reply;
} thft_vectors[] = {
    { "thft_v0_query_cfg_req_go", "thft_query_cfg_resp" },
    { "thft_v0_query_cfg_req_node", "thft_query_cfg_resp" },
    { "thft_v0_query_cfg_req_nonstrict", "thft_query_cfg_resp" },
    { "thft_v1_query_cfg_req", "thft_query_cfg_resp" },
    { "thft_v1_query_cfg_req", "thft_query_cfg_resp_forward" },
    { "thft_v0_put_req_node", "thft_put_resp" },
    { "thft_v1_get_req", "thft_get_resp" },
};

START_TEST(server_thft_bytes)
{
    struct net net;
    struct site site = { 0 };
    struct buf request = { 0 }, reply = { 0 };
    test_vector(thft_vectors[_i].request, &request);
    test_vector(thft_vectors[_i].reply, &reply);
    net_open(&net);
    struct frame frame;
    size_t need;
    struct fail fail;
    ck_assert_int_eq(
        frame_parse_thft_reply(buf_bytes(&reply), FRAME_BODY_MAX, &frame, &need, &fail), BR_OK);
    site.error = "ERR_OK";
    buf_put(&site.body, frame.body.data, frame.body.size);
    site_open(&site, &net, SITE_ANSWER);
    struct raw raw;
    raw_connect(&raw, &net, site.address);
    for (size_t i = 0; i < request.size; i++) { /* byte by byte */
        raw_send(&raw, request.data + i, 1);
        event_base_loop(net.base, EVLOOP_NONBLOCK);
    }
    NET_UNTIL(&net, raw.in.size >= reply.size);
    /* Each vector has a sequence number of its own: the reply carries the request's. */
    size_t seq = 4 + 4 + strlen("ERR_OK") + 4 + 4 + strlen(frame.header.rpc_name);
    memset(raw.in.data + seq, 0, 4);
    memset(reply.data + seq, 0, 4);
    ck_assert_uint_eq(raw.in.size, reply.size);
    ck_assert_mem_eq(raw.in.data, reply.data, reply.size);
    raw_close(&raw);
    site_close(&site);
    buf_done(&request);
    buf_done(&reply);
    net_close(&net);
}
END_TEST

/* -- Streams ---------------------------------------------------------------------------------- */

START_TEST(server_split)
{
    struct net net;
    struct site site = { 0 };
    struct raw raw;
    struct buf out = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    raw_connect(&raw, &net, site.address);
    for (uint64_t id = 1; id <= 3; id++)
        net_request(&out, id, id == 2 ? "" : "a body of some bytes");
    for (size_t i = 0; i < out.size; i++) {
        raw_send(&raw, out.data + i, 1);
        event_base_loop(net.base, EVLOOP_NONBLOCK);
    }
    NET_UNTIL(&net, net_frames(&raw.in) == 3);
    ck_assert_int_eq(site.requests, 3);
    raw_close(&raw);
    site_close(&site);
    buf_done(&out);
    net_close(&net);
}
END_TEST

START_TEST(server_many_in_one_write)
{
    enum { COUNT = 3000 };
    struct net net;
    struct site site = { 0 };
    struct raw raw;
    struct buf out = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    raw_connect(&raw, &net, site.address);
    size_t want = 0;
    for (uint64_t id = 1; id <= COUNT; id++) {
        char body[64];
        snprintf(body, sizeof body, "request %llu", (unsigned long long) id);
        net_request(&out, id, body);
        want = out.size; /* an echo is as long as its request */
    }
    raw_send(&raw, out.data, out.size);
    NET_UNTIL(&net, raw.in.size >= want);
    size_t at = 0;
    for (uint64_t id = 1; id <= COUNT; id++) {
        struct frame frame;
        at += net_frame(&raw.in, at, &frame);
        ck_assert_uint_eq(frame.header.id, id);
        ck_assert_str_eq(frame.header.rpc_name, "RPC_TEST_ACK");
        ck_assert_str_eq(frame.header.error_name, "ERR_OK");
    }
    ck_assert_uint_eq(at, raw.in.size);
    raw_close(&raw);
    site_close(&site);
    buf_done(&out);
    net_close(&net);
}
END_TEST

START_TEST(server_any_order)
{
    enum { COUNT = 10 };
    struct net net;
    struct site site = { 0 };
    struct raw raw;
    struct buf out = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_HOLD);
    raw_connect(&raw, &net, site.address);
    for (uint64_t id = 1; id <= COUNT; id++)
        net_request(&out, id, "held");
    raw_send(&raw, out.data, out.size);
    NET_UNTIL(&net, site.held_count == COUNT);
    ck_assert_uint_ne(site.held[0]->header.from_address, 0);
    ck_assert_uint_eq(site.held[0]->header.from_address, site.held[0]->peer);
    for (int i = COUNT - 1; i >= 0; i--)
        rdsn_server_reply(site.held[i], i == 3 ? "ERR_BUSY" : "ERR_OK", site.held[i]->body);
    site.held_count = 0;
    NET_UNTIL(&net, net_frames(&raw.in) == COUNT);
    size_t at = 0;
    for (uint64_t id = COUNT; id >= 1; id--) {
        struct frame frame;
        at += net_frame(&raw.in, at, &frame);
        ck_assert_uint_eq(frame.header.id, id);
        ck_assert_str_eq(frame.header.error_name, id == 4 ? "ERR_BUSY" : "ERR_OK");
    }
    raw_close(&raw);
    site_close(&site);
    buf_done(&out);
    net_close(&net);
}
END_TEST

/* -- What closes a connection ----------------------------------------------------------------- */

static void make_bad_header_crc(struct buf *buf)
{
    struct rdsn_header header = net_header(1);
    frame_put(buf, &header, (br_bytes){ "body", 4 }, true);
    buf->data[25] ^= 1;
}

static void make_bad_body_crc(struct buf *buf)
{
    struct rdsn_header header = net_header(1);
    frame_put(buf, &header, (br_bytes){ "body", 4 }, true);
    buf->data[RDSN_HEADER_SIZE] ^= 1;
}

static void make_too_big(struct buf *buf)
{
    struct rdsn_header header = net_header(1);
    static const char body[1025];
    frame_put(buf, &header, (br_bytes){ body, sizeof body }, false);
    buf->size = RDSN_HEADER_SIZE; /* the claim is enough */
}

static void make_json(struct buf *buf)
{
    struct rdsn_header header = net_header(1);
    header.context = RDSN_REQUEST | 3u << RDSN_FORMAT_SHIFT;
    frame_put(buf, &header, (br_bytes){ "{}", 2 }, false);
}

static void make_reply(struct buf *buf)
{
    struct rdsn_header header = net_header(1);
    frame_make_reply(&header, "ERR_OK", 0);
    frame_put(buf, &header, (br_bytes){ "", 0 }, false);
}

static void make_thft_version(struct buf *buf)
{
    buf_put(buf, "THFT\0\0\0\7\0\0\0\60", 12);
    for (int i = 0; i < 48; i++)
        buf_char(buf, '\0');
}

/* One framing a connection: the second frame is of the other. */
static void make_mixed(struct buf *buf)
{
    struct rdsn_header header = net_header(7);
    net_request(buf, 7, "first");
    for (int i = 0; i < 3; i++) /* as many bytes as a native header has */
        frame_put_thft_request(buf, &header, 0, (br_bytes){ "\14\0\0\0\0", 5 });
}

static const struct {
    void (*make)(struct buf *);
    const char *bytes;
    const char *line;
    int requests; /* handed out before it broke */
} damages[] = {
    { NULL, "nonsense", "RDSN", 0 },
    { NULL, "GET /meta/apps HTTP/1.1\r\n\r\n", "HTTP", 0 },
    { NULL, "POST / HTTP/1.1\r\n\r\n", "HTTP", 0 },
    { NULL, "_RAW", "RDSN", 0 },
    { make_bad_header_crc, NULL, "checksum", 0 },
    { make_bad_body_crc, NULL, "checksum", 0 },
    { make_too_big, NULL, "1025", 0 },
    { make_json, NULL, "serialize format 3", 0 },
    { make_reply, NULL, "is not a request", 0 },
    { make_thft_version, NULL, "7", 0 },
    { make_mixed, NULL, "RDSN", 1 },
};

START_TEST(server_damaged)
{
    struct net net;
    struct site site = { .options.body_max = 1024 };
    struct raw raw, other;
    struct buf out = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    raw_connect(&raw, &net, site.address);
    if (damages[_i].make)
        damages[_i].make(&out);
    else
        buf_text(&out, damages[_i].bytes);
    raw_send(&raw, out.data, out.size);
    NET_UNTIL(&net, raw.ended);
    ck_assert_int_eq(site.lines, 1);
    ck_assert_msg(strstr(site.text.data, damages[_i].line) != NULL, "%s", site.text.data);
    ck_assert_msg(strncmp(site.text.data, "127.0.0.1:", 10) == 0, "%s", site.text.data);
    ck_assert_int_eq(site.requests, damages[_i].requests);

    raw_connect(&other, &net, site.address); /* everybody else is served */
    buf_clear(&out);
    net_request(&out, 2, "good");
    raw_send(&other, out.data, out.size);
    NET_UNTIL(&net, net_frames(&other.in) == 1);
    raw_close(&raw);
    raw_close(&other);
    site_close(&site);
    buf_done(&out);
    net_close(&net);
}
END_TEST

START_TEST(server_reject)
{
    struct net net;
    struct site site = { 0 };
    struct raw raw;
    struct buf out = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_REJECT);
    raw_connect(&raw, &net, site.address);
    net_request(&out, 1, "one");
    net_request(&out, 2, "two: not handed out, the connection is closed");
    raw_send(&raw, out.data, out.size);
    NET_UNTIL(&net, raw.ended);
    ck_assert_int_eq(site.requests, 1);
    ck_assert_int_eq(site.lines, 1);
    ck_assert_ptr_nonnull(strstr(site.text.data, "RPC_TEST: makes no sense"));
    raw_close(&raw);
    site_close(&site);
    buf_done(&out);
    net_close(&net);
}
END_TEST

START_TEST(server_closed_within_a_message)
{
    struct net net;
    struct site site = { 0 };
    struct raw raw;
    struct buf out = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    raw_connect(&raw, &net, site.address);
    net_request(&out, 1, "whole");
    net_request(&out, 2, "cut");
    raw_send(&raw, out.data, out.size - 2);
    NET_UNTIL(&net, net_frames(&raw.in) == 1);
    raw_close(&raw);
    NET_UNTIL(&net, site.lines == 1);
    ck_assert_ptr_nonnull(strstr(site.text.data, "within a message, after 193 bytes"));
    ck_assert_int_eq(site.requests, 1);
    site_close(&site);
    buf_done(&out);
    net_close(&net);
}
END_TEST

/* -- Answers into nothing --------------------------------------------------------------------- */

START_TEST(server_answer_after_the_peer_left)
{
    struct net net;
    struct site site = { .options.connections_max = 1 };
    struct raw raw, next;
    struct buf out = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_HOLD);
    raw_connect(&raw, &net, site.address);
    for (uint64_t id = 1; id <= 3; id++)
        net_request(&out, id, "nobody waits");
    raw_send(&raw, out.data, out.size);
    NET_UNTIL(&net, site.held_count == 3);
    raw_close(&raw);
    do { /* the one place is free as soon as the server saw it */
        site.lines = 0;
        raw_connect(&next, &net, site.address);
        buf_clear(&out);
        net_request(&out, 9, "next");
        send(next.fd, out.data, out.size, MSG_NOSIGNAL);
        NET_UNTIL(&net, next.ended || site.held_count == 4);
        if (next.ended)
            raw_close(&next);
    } while (site.held_count < 4);
    rdsn_server_reply(site.held[0], "ERR_OK", site.held[0]->body);
    rdsn_server_drop(site.held[1]);
    rdsn_server_reject(site.held[2], "whatever");
    rdsn_server_reply(site.held[3], "ERR_OK", site.held[3]->body);
    site.held_count = 0;
    NET_UNTIL(&net, net_frames(&next.in) == 1);
    raw_close(&next);
    site_close(&site);
    buf_done(&out);
    net_close(&net);
}
END_TEST

START_TEST(server_answer_after_the_server)
{
    struct net net;
    struct site site = { .options.datagrams = true };
    struct raw raw;
    struct buf out = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_HOLD);
    raw_connect(&raw, &net, site.address);
    for (uint64_t id = 1; id <= 3; id++)
        net_request(&out, id, "nobody answers");
    raw_send(&raw, out.data, out.size);
    NET_UNTIL(&net, site.held_count == 3);
    rdsn_server_free(site.server);
    site.server = NULL;
    ck_assert_int_eq(memcmp(site.held[1]->body.data, "nobody", 6), 0);
    rdsn_server_reply(site.held[0], "ERR_OK", site.held[0]->body);
    rdsn_server_reject(site.held[1], "whatever");
    rdsn_server_drop(site.held[2]);
    site.held_count = 0;
    NET_UNTIL(&net, raw.ended);
    raw_close(&raw);
    site_close(&site);
    buf_done(&out);
    net_close(&net);
}
END_TEST

START_TEST(server_free_from_inside)
{
    struct net net;
    struct site site = { 0 };
    struct raw raw;
    struct buf out = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_FREE);
    raw_connect(&raw, &net, site.address);
    net_request(&out, 1, "the last");
    net_request(&out, 2, "never handed out");
    raw_send(&raw, out.data, out.size);
    NET_UNTIL(&net, raw.ended);
    ck_assert_int_eq(site.requests, 1);
    raw_close(&raw);
    site_close(&site);
    buf_done(&out);
    net_close(&net);
}
END_TEST

START_TEST(server_cannot_listen)
{
    struct net net;
    struct site site = { 0 };
    struct fail fail = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    struct rdsn_server_options options = site.options;
    options.port = address_port(site.address);
    ck_assert_ptr_null(rdsn_server_new(net.base, &options, &fail));
    ck_assert_int_eq(fail.status, BR_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(fail.text, site.name));
    options.host = "meta.example.org";
    ck_assert_ptr_null(rdsn_server_new(net.base, &options, &fail));
    ck_assert_int_eq(fail.status, BR_INVALID);
    ck_assert_ptr_nonnull(strstr(fail.text, "meta.example.org"));
    site_close(&site);
    net_close(&net);
}
END_TEST

#define COUNT_OF(a) ((int) (sizeof(a) / sizeof *(a)))

TCase *net_server_case(void)
{
    TCase *tcase = tcase_create("server");
    tcase_set_timeout(tcase, NET_TIMEOUT);
    tcase_add_loop_test(tcase, server_rdsn_bytes, 0, COUNT_OF(rdsn_vectors));
    tcase_add_loop_test(tcase, server_thft_bytes, 0, COUNT_OF(thft_vectors));
    tcase_add_test(tcase, server_split);
    tcase_add_test(tcase, server_many_in_one_write);
    tcase_add_test(tcase, server_any_order);
    tcase_add_loop_test(tcase, server_damaged, 0, COUNT_OF(damages));
    tcase_add_test(tcase, server_reject);
    tcase_add_test(tcase, server_closed_within_a_message);
    tcase_add_test(tcase, server_answer_after_the_peer_left);
    tcase_add_test(tcase, server_answer_after_the_server);
    tcase_add_test(tcase, server_free_from_inside);
    tcase_add_test(tcase, server_cannot_listen);
    return tcase;
}
