/* bench_route -- routing queries of a whole table beside Redis GETs of a value of the same size:
 * one connection each, DEPTH requests in flight, alternating in one run, medians.
 *
 *     t/bench_route BRIDLED-PORT TABLE REDIS-PORT
 *
 * t/bench_route.sh starts both servers.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/base/mem.h"
#include "host/base/number.h"
#include "host/rdsn/frame.h"
#include "host/rdsn/message.h"
#include "t/bench.h"

enum { DEPTH = 16, ROUNDS = 5, SECONDS = 2 };

struct rival {
    const char *name;
    int fd;
    struct buf request; /* DEPTH of them */
    size_t answer;      /* bytes of one */
    double rates[ROUNDS];
};

static void die(const char *what)
{
    fprintf(stderr, "bench_route: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int connect_to(const char *text)
{
    int32_t port = 0;
    struct sockaddr_in in = { .sin_family = AF_INET };
    if (!number_i32(text, strlen(text), &port) || port < 1 || port > 65535)
        die("a port");
    in.sin_port = htons((uint16_t) port);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *) &in, sizeof in) != 0)
        die("connecting");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void send_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t sent = send(fd, data, size, 0);
        if (sent <= 0)
            die("sending");
        data += sent;
        size -= (size_t) sent;
    }
}

static void receive(int fd, char *room, size_t size)
{
    while (size) {
        ssize_t got = recv(fd, room, size, 0);
        if (got <= 0)
            die("receiving");
        size -= (size_t) got;
        room += got;
    }
}

/* -- The two ------------------------------------------------------------------------------------
 */

static void bridled_request(struct buf *buf, const char *table)
{
    struct msg_query_cfg_request request;
    struct rdsn_header header = { .timeout_ms = 5000, .id = 1 };
    struct buf body = { 0 };
    wire_init(&wire_query_cfg_request, &request);
    request.app_name = table;
    wire_encode(&wire_query_cfg_request, &request, WIRE_PEER_25, &body);
    header.context = RDSN_REQUEST | RDSN_FORMAT_THRIFT_BINARY | RDSN_FORWARD_SUPPORTED;
    header.from_address = address_make(0x7f000001, 1);
    snprintf(header.rpc_name, sizeof header.rpc_name, "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX");
    frame_put(buf, &header, buf_bytes(&body), false);
    buf_done(&body);
}

/* The size of one answer; how many partitions it names is printed, so that an error shows. */
static size_t bridled_answer(int fd, struct buf *body)
{
    unsigned char bytes[RDSN_HEADER_SIZE];
    struct rdsn_header header;
    struct fail fail;
    receive(fd, (char *) bytes, sizeof bytes);
    if (frame_unpack_header(bytes, &header, &fail) != BR_OK) {
        fprintf(stderr, "bench_route: %s\n", fail.text);
        exit(1);
    }
    buf_reserve(body, header.body_length);
    receive(fd, body->data, header.body_length);
    body->size = header.body_length;
    return RDSN_HEADER_SIZE + header.body_length;
}

static uint32_t bridled_partitions(const struct buf *body)
{
    struct msg_query_cfg_response response;
    struct arena arena;
    struct fail fail;
    arena_init(&arena, 0);
    br_status status = wire_decode(&wire_query_cfg_response, buf_bytes(body), wire_arena(&arena),
                                   &response, &fail);
    if (status != BR_OK || strcmp(response.err, "ERR_OK") != 0) {
        fprintf(stderr, "bench_route: %s\n", status ? fail.text : response.err);
        exit(1);
    }
    uint32_t count = response.partitions.count;
    arena_done(&arena);
    return count;
}

static void redis_set(int fd, size_t size)
{
    struct buf set = { 0 };
    char ok[5];
    buf_printf(&set, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%zu\r\n", size);
    for (size_t i = 0; i < size; i++)
        buf_char(&set, (char) ('a' + i % 26));
    buf_text(&set, "\r\n");
    send_all(fd, set.data, set.size);
    receive(fd, ok, sizeof ok);
    if (memcmp(ok, "+OK\r\n", sizeof ok) != 0)
        die("SET");
    buf_done(&set);
}

/* -- Measuring ----------------------------------------------------------------------------------
 */

static double measure(struct rival *rival, char *room)
{
    double begin = bench_seconds(CLOCK_MONOTONIC);
    double end = begin;
    uint64_t answers = 0;
    while (end - begin < SECONDS) {
        send_all(rival->fd, rival->request.data, rival->request.size);
        receive(rival->fd, room, rival->answer * DEPTH);
        answers += DEPTH;
        end = bench_seconds(CLOCK_MONOTONIC);
    }
    return (double) answers / (end - begin);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *) a;
    double y = *(const double *) b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    struct rival bridled = { .name = "bridled" };
    struct rival redis = { .name = "redis" };
    struct buf body = { 0 };
    if (argc != 4)
        die("usage: bench_route BRIDLED-PORT TABLE REDIS-PORT");
    bridled.fd = connect_to(argv[1]);
    redis.fd = connect_to(argv[3]);
    for (int i = 0; i < DEPTH; i++) {
        bridled_request(&bridled.request, argv[2]);
        buf_text(&redis.request, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    }
    send_all(bridled.fd, bridled.request.data, bridled.request.size / DEPTH);
    bridled.answer = bridled_answer(bridled.fd, &body);
    redis_set(redis.fd, bridled.answer);
    char head[32];
    redis.answer =
        (size_t) snprintf(head, sizeof head, "$%zu\r\n", bridled.answer) + bridled.answer + 2;
    char *room = mem_new(DEPTH * redis.answer);
    for (int i = 0; i < ROUNDS; i++) {
        bridled.rates[i] = measure(&bridled, room);
        redis.rates[i] = measure(&redis, room);
    }
    qsort(bridled.rates, ROUNDS, sizeof *bridled.rates, compare);
    qsort(redis.rates, ROUNDS, sizeof *redis.rates, compare);
    double ours = bridled.rates[ROUNDS / 2];
    double theirs = redis.rates[ROUNDS / 2];
    printf("route: %u partitions, %zu bytes an answer, %d in flight: bridled %.0f/s, redis GET "
           "%.0f/s, ratio %.2f\n",
           bridled_partitions(&body), bridled.answer, DEPTH, ours, theirs, ours / theirs);
    buf_done(&body);
    buf_done(&bridled.request);
    buf_done(&redis.request);
    free(room);
    return 0;
}
