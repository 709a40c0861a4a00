/* Datagrams: beacons of real servers' bytes, where answers go, what is dropped with a line. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "t/net.h"

static int udp_socket(uint64_t *ret_address)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof in;
    ck_assert_int_eq(bind(fd, (struct sockaddr *) &in, sizeof in), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *) &in, &size), 0);
    *ret_address = address_make(INADDR_LOOPBACK, ntohs(in.sin_port));
    return fd;
}

static void udp_send(int fd, const struct buf *data, uint64_t to)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons(address_port(to)),
                              .sin_addr.s_addr = htonl((uint32_t) (to >> 32)) };
    ck_assert_int_eq(
        sendto(fd, data->data, data->size, 0, (const struct sockaddr *) &in, sizeof in),
        (ssize_t) data->size);
}

/* Run the loop until a datagram is there. */
static void udp_receive(struct net *net, int fd, struct buf *ret_data)
{
    ssize_t got;
    buf_clear(ret_data);
    buf_reserve(ret_data, 2000);
    while ((got = recv(fd, ret_data->data, 2000, 0)) < 0) {
        ck_assert_int_eq(errno, EAGAIN);
        event_base_loop(net->base, EVLOOP_NONBLOCK);
    }
    ret_data->size = (size_t) got;
}

static void udp_beacon(struct buf *buf, uint64_t from, size_t body_size, bool crc)
{
    static const char body[2 * RDSN_DATAGRAM_MAX];
    struct rdsn_header header = net_header(5);
    header.from_address = from;
    frame_put(buf, &header, (br_bytes){ body, body_size }, crc);
}

START_TEST(datagram_vector)
{
    static const char *const pairs[][2] = {
        { "rdsn_fd_ping_req_crc", "rdsn_fd_ping_ack_crc" },
        { "rdsn_fd_ping_req_crc_hp", "rdsn_fd_ping_ack_crc_hp" },
    };
    struct net net;
    struct site site = { .error = "ERR_OK", .options.datagrams = true };
    struct buf request = { 0 }, reply = { 0 }, got = { 0 };
    test_vector(pairs[_i][0], &request);
    test_vector(pairs[_i][1], &reply);
    net_open(&net);
    buf_put(&site.body, reply.data + RDSN_HEADER_SIZE, reply.size - RDSN_HEADER_SIZE);
    site_open(&site, &net, SITE_ANSWER);
    /* The beacon's from_address must be of this machine: pack it again, with checksums. */
    uint64_t address, service;
    int fd = udp_socket(&address), listening = udp_socket(&service);
    struct frame frame;
    struct buf out = { 0 };
    ck_assert_uint_eq(net_frame(&request, 0, &frame), request.size);
    frame.header.from_address = service;
    frame_put(&out, &frame.header, frame.body, true);
    udp_send(fd, &out, site.address);
    udp_receive(&net, listening, &got);
    ck_assert_uint_eq(got.size, reply.size);
    ck_assert_uint_eq(net_frame(&got, 0, &frame), got.size);
    ck_assert_uint_ne(frame.header.header_crc, 0);
    ck_assert_uint_ne(frame.header.body_crc, 0);
    ck_assert_uint_eq(frame.header.from_address, site.address);
    memset(got.data + 12, 0, 4); /* header checksum, code, from_address, error code */
    memset(reply.data + 12, 0, 4);
    memset(got.data + 88, 0, 4);
    memset(reply.data + 88, 0, 4);
    memset(got.data + 112, 0, 8);
    memset(reply.data + 112, 0, 8);
    memset(reply.data + 184, 0, 4);
    ck_assert_mem_eq(got.data, reply.data, reply.size);
    close(fd);
    close(listening);
    site_close(&site);
    buf_done(&request);
    buf_done(&reply);
    buf_done(&got);
    buf_done(&out);
    net_close(&net);
}
END_TEST

START_TEST(datagram_where_answers_go)
{
    struct net net;
    struct site site = { .options.datagrams = true };
    struct buf out = { 0 }, got = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    uint64_t address, service;
    int fd = udp_socket(&address), listening = udp_socket(&service);
    udp_beacon(&out, service, 77, _i == 0); /* to from_address, with checksums in any case */
    udp_send(fd, &out, site.address);
    udp_receive(&net, listening, &got);
    struct frame frame;
    ck_assert_uint_eq(net_frame(&got, 0, &frame), RDSN_HEADER_SIZE + 77);
    ck_assert_uint_ne(frame.header.header_crc, 0);
    ck_assert_int_eq(recv(fd, got.data, 1, 0), -1);
    buf_clear(&out);
    udp_beacon(&out, 0, 77, true); /* to the sender, where there is none */
    udp_send(fd, &out, site.address);
    udp_receive(&net, fd, &got);
    ck_assert_uint_eq(net_frame(&got, 0, &frame), RDSN_HEADER_SIZE + 77);
    close(fd);
    close(listening);
    site_close(&site);
    buf_done(&out);
    buf_done(&got);
    net_close(&net);
}
END_TEST

static const struct {
    size_t body;
    long cut; /* bytes less, or more */
    int flip; /* this byte; -1: none */
    uint64_t from;
    const char *line;
} bad_datagrams[] = {
    { 77, 0, 30, 0, "checksum" },
    { 77, 0, RDSN_HEADER_SIZE + 3, 0, "checksum" },
    { 77, -1, -1, 0, "268 bytes of 269" },
    { 77, -200, -1, 0, "69 bytes of 192" },
    { 77, 1, -1, 0, "1 bytes behind" },
    { 77, 0, 0, 0, "RDSN" },
    { 809, 0, -1, 0, "more than 1000" },
    { 77, 0, -1, UINT64_C(0x0a000001000a0002), "no answering to invalid address" },
};

START_TEST(datagram_bad)
{
    struct net net;
    struct site site = { .options.datagrams = true };
    struct buf out = { 0 }, got = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    uint64_t address;
    int fd = udp_socket(&address);
    udp_beacon(&out, bad_datagrams[_i].from ? bad_datagrams[_i].from : address,
               bad_datagrams[_i].body, true);
    if (bad_datagrams[_i].cut > 0)
        buf_char(&out, 'x');
    else
        out.size -= (size_t) -bad_datagrams[_i].cut;
    if (bad_datagrams[_i].flip >= 0)
        out.data[bad_datagrams[_i].flip] ^= 1;
    udp_send(fd, &out, site.address);
    NET_UNTIL(&net, site.lines == 1);
    ck_assert_msg(strstr(site.text.data, bad_datagrams[_i].line) != NULL, "%s", site.text.data);
    buf_clear(&out);
    udp_beacon(&out, address, RDSN_DATAGRAM_MAX - RDSN_HEADER_SIZE, true); /* as many as may be */
    udp_send(fd, &out, site.address);
    udp_receive(&net, fd, &got);
    ck_assert_uint_eq(got.size, RDSN_DATAGRAM_MAX);
    ck_assert_int_eq(recv(fd, got.data, 1, 0), -1);
    ck_assert_int_eq(site.lines, 1);
    close(fd);
    site_close(&site);
    buf_done(&out);
    buf_done(&got);
    net_close(&net);
}
END_TEST

START_TEST(datagram_answers_dropped)
{
    struct net net;
    struct site site = { .error = "ERR_OK", .options.datagrams = true };
    struct buf out = { 0 };
    net_open(&net);
    for (int i = 0; i < RDSN_DATAGRAM_MAX - RDSN_HEADER_SIZE + 1; i++)
        buf_char(&site.body, 'x');
    site_open(&site, &net, SITE_ANSWER);
    uint64_t address;
    int fd = udp_socket(&address);
    udp_beacon(&out, address, 10, true);
    udp_send(fd, &out, site.address);
    NET_UNTIL(&net, site.lines == 1);
    ck_assert_ptr_nonnull(strstr(site.text.data, "RPC_TEST_ACK not sent: 1001 bytes"));
    site.mode = SITE_REJECT;
    udp_send(fd, &out, site.address);
    NET_UNTIL(&net, site.lines == 2);
    ck_assert_ptr_nonnull(strstr(site.text.data, "datagram RPC_TEST dropped: makes no sense"));
    close(fd);
    site_close(&site);
    buf_done(&out);
    net_close(&net);
}
END_TEST

START_TEST(datagram_pending)
{
    struct net net;
    struct site site = { .options.datagrams = true };
    struct buf out = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_HOLD);
    uint64_t address;
    int fd = udp_socket(&address);
    udp_beacon(&out, address, 10, true);
    for (int i = 1; i <= SERVER_DATAGRAMS_MAX; i++) {
        udp_send(fd, &out, site.address);
        NET_UNTIL(&net, site.held_count == i);
    }
    udp_send(fd, &out, site.address);
    struct raw raw; /* the loop goes round, and nothing more is taken */
    raw_connect(&raw, &net, site.address);
    site.mode = SITE_ECHO;
    buf_clear(&out);
    net_request(&out, 1, "hello");
    raw_send(&raw, out.data, out.size);
    NET_UNTIL(&net, net_frames(&raw.in) == 1);
    ck_assert_int_eq(site.requests, SERVER_DATAGRAMS_MAX + 1);
    rdsn_server_drop(site.held[0]);
    site.held[0] = NULL;
    NET_UNTIL(&net, site.requests == SERVER_DATAGRAMS_MAX + 2);
    raw_close(&raw);
    close(fd);
    site_close(&site); /* answered after the server is gone */
    buf_done(&out);
    net_close(&net);
}
END_TEST

/* -- The client's side ------------------------------------------------------------------------ */

START_TEST(datagram_client)
{
    enum { COUNT = 50 };
    static struct answer answers[COUNT];
    struct net net;
    struct site site = { .options.datagrams = true };
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    struct rdsn_client *client =
        rdsn_client_new(net.base, &(struct rdsn_client_options){ .idle = 50 * BR_MILLISECOND });
    for (int i = 0; i < COUNT; i++) {
        char body[32];
        snprintf(body, sizeof body, "beacon %d", i);
        struct rdsn_request request = { .rpc = "RPC_TEST",
                                        .body = { body, strlen(body) },
                                        .timeout = 30 * BR_SECOND };
        rdsn_client_datagram(client, site.name, &request, answer_done, &answers[i]);
        NET_UNTIL(&net, answers[i].count == 1);
        ck_assert_msg(answers[i].status == BR_OK, "%s", answers[i].why);
        ck_assert_str_eq(buf_string(&answers[i].body), body);
        ck_assert_uint_ne(answers[i].header.header_crc, 0);
        answer_clear(&answers[i]);
    }
    rdsn_client_free(client);
    site_close(&site);
    net_close(&net);
}
END_TEST

START_TEST(datagram_client_failures)
{
    static const char body[RDSN_DATAGRAM_MAX];
    struct net net;
    struct site site = { .options.datagrams = true };
    struct answer dead = { 0 }, hung = { 0 }, big = { 0 }, one_way = { 0 };
    char name[ADDRESS_TEXT_MAX];
    net_open(&net);
    site_open(&site, &net, SITE_DROP);
    struct rdsn_client *client = rdsn_client_new(net.base, &(struct rdsn_client_options){ 0 });
    struct rdsn_request request = { .rpc = "RPC_TEST", .timeout = 30 * BR_SECOND };
    address_format(net_dead_port(true), name);
    for (int round = 1; round <= 3; round++) {
        rdsn_client_datagram(client, name, &request, answer_done, &dead);
        NET_UNTIL(&net, dead.count == round);
        ck_assert_int_eq(dead.status, BR_UNAVAILABLE);
        ck_assert_str_eq(dead.error, "ERR_NETWORK_FAILURE");
        ck_assert_ptr_nonnull(strstr(dead.why, name));
    }
    request.body = (br_bytes){ body, RDSN_DATAGRAM_MAX - RDSN_HEADER_SIZE + 1 };
    rdsn_client_datagram(client, site.name, &request, answer_done, &big);
    request.body.size--;
    request.timeout = 50 * BR_MILLISECOND;
    rdsn_client_datagram(client, site.name, &request, answer_done, &hung);
    request.one_way = true;
    rdsn_client_datagram(client, site.name, &request, answer_done, &one_way);
    NET_UNTIL(&net, big.count == 1 && hung.count == 1 && one_way.count == 1);
    ck_assert_int_eq(big.status, BR_TOOBIG);
    ck_assert_int_eq(hung.status, BR_TIMEOUT);
    ck_assert_int_eq(one_way.status, BR_OK);
    NET_UNTIL(&net, site.requests == 2);
    answer_clear(&dead);
    answer_clear(&big);
    answer_clear(&hung);
    answer_clear(&one_way);
    rdsn_client_free(client);
    site_close(&site);
    net_close(&net);
}
END_TEST

TCase *net_datagram_case(void)
{
    TCase *tcase = tcase_create("datagram");
    tcase_set_timeout(tcase, NET_TIMEOUT);
    tcase_add_loop_test(tcase, datagram_vector, 0, 2);
    tcase_add_loop_test(tcase, datagram_where_answers_go, 0, 2);
    tcase_add_loop_test(tcase, datagram_bad, 0,
                        (int) (sizeof bad_datagrams / sizeof *bad_datagrams));
    tcase_add_test(tcase, datagram_answers_dropped);
    tcase_add_test(tcase, datagram_pending);
    tcase_add_test(tcase, datagram_client);
    tcase_add_test(tcase, datagram_client_failures);
    return tcase;
}
