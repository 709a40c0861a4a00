/* net -- see net.h. */
#include "t/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void net_bark(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    (void) arg;
    ck_abort_msg("what the test waits for did not come");
}

void net_open(struct net *net)
{
    net->base = event_base_new();
    ck_assert_ptr_nonnull(net->base);
    evtimer_assign(&net->watchdog, net->base, net_bark, NULL);
    evtimer_add(&net->watchdog, &(struct timeval){ .tv_sec = NET_TIMEOUT - 10 });
}

void net_close(struct net *net)
{
    evtimer_del(&net->watchdog);
    for (int i = 0; i < 8; i++)
        event_base_loop(net->base, EVLOOP_NONBLOCK);
    event_base_free(net->base);
}

void net_turn(struct net *net)
{
    event_base_loop(net->base, EVLOOP_ONCE);
}

/* -- Sockets ---------------------------------------------------------------------------------- */

static struct sockaddr_in net_sockaddr(uint64_t address)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(address_port(address)),
                                 .sin_addr.s_addr = htonl((uint32_t) (address >> 32)) };
}

static uint64_t net_address(int fd)
{
    struct sockaddr_in in;
    socklen_t size = sizeof in;
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *) &in, &size), 0);
    return address_make(ntohl(in.sin_addr.s_addr), ntohs(in.sin_port));
}

static void raw_on_read(evutil_socket_t fd, short what, void *arg)
{
    (void) what;
    struct raw *raw = arg;
    buf_reserve(&raw->in, 65536);
    ssize_t got = read(fd, raw->in.data + raw->in.size, 65536);
    if (got > 0)
        raw->in.size += (size_t) got;
    else if (got == 0 || errno != EAGAIN)
        raw->ended = true;
    if (raw->ended)
        event_del(&raw->event);
}

static void raw_open(struct raw *raw, struct net *net, int fd)
{
    *raw = (struct raw){ .net = net, .fd = fd, .open = true };
    evutil_make_socket_nonblocking(fd);
    event_assign(&raw->event, net->base, fd, EV_READ | EV_PERSIST, raw_on_read, raw);
    event_add(&raw->event, NULL);
}

void raw_connect(struct raw *raw, struct net *net, uint64_t address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in in = net_sockaddr(address);
    ck_assert_int_eq(connect(fd, (struct sockaddr *) &in, sizeof in), 0);
    raw_open(raw, net, fd);
}

void raw_send(struct raw *raw, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t sent = send(raw->fd, at, size, MSG_NOSIGNAL);
        ck_assert_msg(sent > 0 || errno == EAGAIN, "send: %s", strerror(errno));
        if (sent > 0) {
            at += sent;
            size -= (size_t) sent;
        } else {
            net_turn(raw->net);
        }
    }
}

void raw_quiet(struct raw *raw)
{
    event_del(&raw->event);
}

void raw_listen(struct raw *raw)
{
    event_add(&raw->event, NULL);
}

void raw_close(struct raw *raw)
{
    if (!raw->open)
        return;
    raw->open = false;
    event_del(&raw->event);
    close(raw->fd);
    buf_done(&raw->in);
}

static void peer_on_accept(evutil_socket_t fd, short what, void *arg)
{
    (void) what;
    struct peer *peer = arg;
    ck_assert_int_lt(peer->count, PEER_RAWS_MAX);
    raw_open(&peer->raws[peer->count++], peer->net, accept(fd, NULL, NULL));
}

static int net_bound(int type)
{
    int fd = socket(AF_INET, type, 0);
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    ck_assert_int_eq(bind(fd, (struct sockaddr *) &in, sizeof in), 0);
    return fd;
}

void peer_open(struct peer *peer, struct net *net)
{
    *peer = (struct peer){ .net = net, .fd = net_bound(SOCK_STREAM) };
    ck_assert_int_eq(listen(peer->fd, 16), 0);
    peer->address = net_address(peer->fd);
    address_format(peer->address, peer->name);
    event_assign(&peer->event, net->base, peer->fd, EV_READ | EV_PERSIST, peer_on_accept, peer);
    event_add(&peer->event, NULL);
}

void peer_close(struct peer *peer)
{
    event_del(&peer->event);
    close(peer->fd);
    for (int i = 0; i < peer->count; i++)
        raw_close(&peer->raws[i]);
}

uint64_t net_dead_port(bool datagram)
{
    int fd = net_bound(datagram ? SOCK_DGRAM : SOCK_STREAM);
    uint64_t address = net_address(fd);
    close(fd);
    return address;
}

/* -- Frames ----------------------------------------------------------------------------------- */

struct rdsn_header net_header(uint64_t id)
{
    return (struct rdsn_header){ .id = id,
                                 .trace_id = id + 1000,
                                 .timeout_ms = 5000,
                                 .context = RDSN_REQUEST | RDSN_FORMAT_THRIFT_BINARY
                                            | RDSN_FORWARD_SUPPORTED,
                                 .rpc_name = "RPC_TEST" };
}

void net_request(struct buf *buf, uint64_t id, const char *body)
{
    struct rdsn_header header = net_header(id);
    frame_put(buf, &header, (br_bytes){ body, strlen(body) }, false);
}

size_t net_frame(const struct buf *buf, size_t at, struct frame *ret_frame)
{
    if (at == buf->size)
        return 0;
    size_t need;
    struct fail fail;
    br_status status = frame_parse((br_bytes){ buf->data + at, buf->size - at }, FRAMING_RDSN,
                                   FRAME_BODY_MAX, ret_frame, &need, &fail);
    ck_assert_msg(status == BR_OK || status == BR_UNAVAILABLE, "%s", fail.text);
    return status == BR_OK ? ret_frame->size : 0;
}

int net_frames(const struct buf *buf)
{
    int count = 0;
    struct frame frame;
    size_t size;
    for (size_t at = 0; (size = net_frame(buf, at, &frame)) > 0; at += size)
        count++;
    return count;
}

/* -- A server --------------------------------------------------------------------------------- */

static void site_on_request(void *arg, struct rdsn_incoming *incoming)
{
    struct site *site = arg;
    site->requests++;
    switch (site->mode) {
    case SITE_ECHO: rdsn_server_reply(incoming, "ERR_OK", incoming->body); break;
    case SITE_ANSWER: rdsn_server_reply(incoming, site->error, buf_bytes(&site->body)); break;
    case SITE_DROP: rdsn_server_drop(incoming); break;
    case SITE_REJECT: rdsn_server_reject(incoming, "makes no sense"); break;
    case SITE_FREE:
        rdsn_server_free(site->server);
        site->server = NULL;
        rdsn_server_reply(incoming, "ERR_OK", incoming->body);
        break;
    default:
        ck_assert_int_lt(site->held_count, SITE_HELD_MAX);
        site->held[site->held_count++] = incoming;
    }
}

static void site_on_event(void *arg, br_level level, const char *text)
{
    struct site *site = arg;
    if (level == BR_DEBUG)
        return;
    site->lines++;
    buf_printf(&site->text, "%s\n", text);
}

static void site_on_reply(void *arg, const struct rdsn_header *header, br_bytes body)
{
    const struct site *site = arg;
    rdsn_client_deliver(site->deliver, header, body);
}

void site_open(struct site *site, struct net *net, enum site_mode mode)
{
    struct fail fail;
    site->net = net;
    site->mode = mode;
    site->options.request = site_on_request;
    site->options.event = site_on_event;
    site->options.reply = site->deliver ? site_on_reply : NULL;
    site->options.arg = site;
    site->server = rdsn_server_new(net->base, &site->options, &fail);
    ck_assert_msg(site->server != NULL, "%s", fail.text);
    site->address = rdsn_server_address(site->server);
    address_format(site->address, site->name);
}

void site_close(struct site *site)
{
    rdsn_server_free(site->server);
    for (int i = 0; i < site->held_count; i++)
        if (site->held[i])
            rdsn_server_reply(site->held[i], "ERR_OK", (br_bytes){ NULL, 0 });
    buf_done(&site->body);
    buf_done(&site->text);
}

/* -- A client's answers ----------------------------------------------------------------------- */

void answer_done(void *arg, const struct rdsn_reply *reply)
{
    struct answer *answer = arg;
    answer->count++;
    answer->status = reply->status;
    snprintf(answer->error, sizeof answer->error, "%s", reply->error);
    snprintf(answer->why, sizeof answer->why, "%s", reply->why ? reply->why : "");
    buf_clear(&answer->body);
    buf_put(&answer->body, reply->body.data, reply->body.size);
    if (reply->header)
        answer->header = *reply->header;
    ck_assert_int_eq(reply->why != NULL, reply->status != BR_OK);
    if (answer->clock)
        answer->order = (*answer->clock)++;
    if (answer->free_client) {
        rdsn_client_free(*answer->free_client);
        *answer->free_client = NULL;
    }
}

void answer_clear(struct answer *answer)
{
    buf_done(&answer->body);
}

uint64_t net_ask(struct rdsn_client *client, const char *node, const char *body, br_time timeout,
                 struct answer *answer)
{
    struct rdsn_request request = { .rpc = "RPC_TEST",
                                    .body = { body, strlen(body) },
                                    .timeout = timeout ? timeout : 30 * BR_SECOND };
    int before = answer->count;
    uint64_t ticket = rdsn_client_call(client, node, &request, answer_done, answer);
    ck_assert_int_eq(answer->count, before); /* never from inside */
    ck_assert_uint_ne(ticket, 0);
    return ticket;
}
