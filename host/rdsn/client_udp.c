/* client_udp -- a client's datagrams: one connected socket a node, so that the kernel tells of a
 * closed port, and lets in nobody else's answers.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/rdsn/address.h"
#include "host/rdsn/client_node.h"

#define UDP_BATCH_MAX 64 /* datagrams of one turn */

/* A datagram that makes no sense is none. */
static void udp_receive(struct node *node, const void *data, size_t size)
{
    struct frame frame;
    size_t need = 0;
    struct fail fail;
    if (size > RDSN_DATAGRAM_MAX
        || frame_parse((br_bytes){ data, size }, FRAMING_RDSN, RDSN_DATAGRAM_MAX, &frame, &need,
                       &fail)
               != BR_OK)
        return;
    if (frame.size == size && !(frame.header.context & RDSN_REQUEST))
        client_reply(node->client, &frame.header, frame.body, node);
}

/* One from the socket.  false: there is none, or no more node to read for. */
static bool udp_next(struct node *node)
{
    struct rdsn_client *client = node->client;
    unsigned char data[RDSN_DATAGRAM_MAX + 1];
    ssize_t got = recv(node->stream.fd, data, sizeof data, MSG_TRUNC);
    if (got >= 0) {
        udp_receive(node, data, (size_t) got);
        return !client->closed;
    }
    if (errno == EAGAIN || errno == EINTR) {
        node_settle(node);
        return false;
    }
    node_lost(node, BR_UNAVAILABLE, "ERR_NETWORK_FAILURE", "%s takes no datagrams: %s", node->name,
              strerror(errno));
    return false;
}

static void udp_on_read(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct node *node = arg;
    struct rdsn_client *client = node->client;
    client_enter(client);
    for (int i = 0; i < UDP_BATCH_MAX && udp_next(node); i++)
        continue;
    client_leave(client);
}

static void udp_on_write(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    node_send_datagrams(arg);
}

static void udp_send(const struct node *node, const struct rdsn_header *header)
{
    struct rdsn_header own = *header;
    own.from_address = node->self;
    struct buf packet = { 0 };
    frame_put(&packet, &own, (br_bytes){ header + 1, header->body_length }, true);
    /* The first error may be about an earlier datagram, and this one was not sent then.  What the
     * kernel still does not take is lost, as datagrams may be; the deadline tells. */
    if (send(node->stream.fd, packet.data, packet.size, 0) < 0 && errno != EAGAIN)
        send(node->stream.fd, packet.data, packet.size, 0);
    buf_done(&packet);
}

void node_send_datagrams(struct node *node)
{
    struct request *request, *next;
    for (request = TAILQ_FIRST(&node->requests); request; request = next) {
        next = TAILQ_NEXT(request, link);
        if (!request->header)
            continue;
        udp_send(node, request->header);
        free(request->header);
        request->header = NULL;
    }
    for (request = TAILQ_FIRST(&node->one_ways); request; request = next) {
        next = TAILQ_NEXT(request, link);
        udp_send(node, request->header);
        request_finish(request, BR_OK, "ERR_OK", "%s", "");
    }
    node_settle(node);
}

void node_open_datagram(struct node *node, uint32_t ipv4)
{
    struct rdsn_client *client = node->client;
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons(node->port),
                              .sin_addr.s_addr = htonl(ipv4) };
    struct sockaddr_in self = { 0 };
    socklen_t size = sizeof self;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *) &in, sizeof in) != 0
        || getsockname(fd, (struct sockaddr *) &self, &size) != 0) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        node_lost(node, BR_UNAVAILABLE, "ERR_NETWORK_FAILURE", "cannot send to %s: %s", node->name,
                  strerror(error));
        return;
    }
    node->self = address_make(ntohl(self.sin_addr.s_addr), ntohs(self.sin_port));
    stream_open(&node->stream, client->base, fd, &client->shared, udp_on_read, udp_on_write, node);
    node->state = NODE_OPEN;
    stream_read_on(&node->stream);
    node_send_datagrams(node);
}
