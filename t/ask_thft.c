/* ask_thft -- one question in the framing of Java, Go, Node and Python clients: where a table's
 * partitions are, asked of one server alone.
 *
 *     ask_thft HOST:PORT TABLE
 *
 * Prints the answer's error, then each partition's primary, all in one line.  Exit status 0: there
 * was an answer; 1: there was none, or it makes no sense; 2: wrong usage.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "host/rdsn/address.h"
#include "host/rdsn/codec.h"
#include "host/rdsn/frame.h"
#include "host/rdsn/message.h"

#define ASK_BODY_MAX (16u << 20)
#define ASK_SECONDS  10

static int ask_connect(const char *name)
{
    uint64_t address;
    if (!address_resolve(name, &address))
        return -1;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(address_port(address)) };
    to.sin_addr.s_addr = htonl((uint32_t) (address >> 32));
    struct timeval limit = { .tv_sec = ASK_SECONDS };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0
        && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0
            || connect(fd, (struct sockaddr *) &to, sizeof to) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool ask_send(int fd, const char *table)
{
    struct msg_query_cfg_request request;
    const struct rdsn_header header = { .id = 1,
                                        .context = RDSN_REQUEST | RDSN_FORMAT_THRIFT_BINARY,
                                        .timeout_ms = 1000 * ASK_SECONDS,
                                        .rpc_name = "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX" };
    struct buf body = { 0 }, out = { 0 };
    wire_init(&wire_query_cfg_request, &request);
    request.app_name = table;
    wire_encode(&wire_query_cfg_request, &request, WIRE_PEER_25, &body);
    frame_put_thft_request(&out, &header, 0, buf_bytes(&body));
    bool ok = send(fd, out.data, out.size, MSG_NOSIGNAL) == (ssize_t) out.size;
    buf_done(&body);
    buf_done(&out);
    return ok;
}

/* The whole reply; its body points into `in`. */
static bool ask_receive(int fd, struct buf *in, struct frame *ret_frame)
{
    struct fail fail;
    size_t need;
    char some[4096];
    br_status status;
    while ((status = frame_parse_thft_reply(buf_bytes(in), ASK_BODY_MAX, ret_frame, &need, &fail))
           == BR_UNAVAILABLE) {
        ssize_t got = recv(fd, some, sizeof some, 0);
        if (got <= 0)
            return false;
        buf_put(in, some, (size_t) got);
    }
    if (status)
        fprintf(stderr, "ask_thft: %s\n", fail.text);
    return status == BR_OK;
}

static bool ask_print(const struct frame *frame)
{
    struct msg_query_cfg_response response;
    struct arena arena;
    struct fail fail;
    char text[ADDRESS_TEXT_MAX];
    arena_init(&arena, 0);
    bool ok =
        wire_decode(&wire_query_cfg_response, frame->body, wire_arena(&arena), &response, &fail)
        == BR_OK;
    const struct msg_partition_configuration *rows = ok ? response.partitions.items : NULL;
    if (ok)
        printf("%s", response.err);
    for (uint32_t i = 0; ok && i < response.partitions.count; i++) {
        address_format(rows[i].primary, text);
        printf(" %s", text);
    }
    puts("");
    if (!ok)
        fprintf(stderr, "ask_thft: %s\n", fail.text);
    arena_done(&arena);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: ask_thft HOST:PORT TABLE\n", stderr);
        return 2;
    }
    struct buf in = { 0 };
    struct frame frame;
    int fd = ask_connect(argv[1]);
    bool ok = fd >= 0 && ask_send(fd, argv[2]) && ask_receive(fd, &in, &frame) && ask_print(&frame);
    if (fd >= 0)
        close(fd);
    buf_done(&in);
    return ok ? 0 : 1;
}
