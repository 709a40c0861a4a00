/* server_udp -- a server's datagrams: failure-detector beacons, one RDSN message each
 * (src/rpc/asio_net_provider.cpp).  A datagram that makes no sense is dropped with a line; there is
 * nobody to tell.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/rdsn/address.h"
#include "host/rdsn/connection.h"

#define UDP_BATCH_MAX 64 /* datagrams of one turn */

static void udp_datagram(struct connection *udp, const void *data, size_t size, uint64_t peer)
{
    struct rdsn_server *server = udp->server;
    if (size > RDSN_DATAGRAM_MAX) {
        server_event(server, BR_WARN, peer, "datagram dropped: it has %zu bytes, more than %d",
                     size, RDSN_DATAGRAM_MAX);
        return;
    }
    struct frame frame;
    struct fail fail;
    size_t need = 0;
    br_status status = frame_parse((br_bytes){ data, size }, FRAMING_RDSN,
                                   RDSN_DATAGRAM_MAX - RDSN_HEADER_SIZE, &frame, &need, &fail);
    if (status == BR_UNAVAILABLE)
        server_event(server, BR_WARN, peer, "datagram dropped: it has %zu bytes of %zu", size,
                     need);
    else if (status != BR_OK)
        server_event(server, BR_WARN, peer, "datagram dropped: %s", fail.text);
    else if (frame.size != size)
        server_event(server, BR_WARN, peer, "datagram dropped: %zu bytes behind the message",
                     size - frame.size);
    else
        connection_frame(udp, &frame, peer);
}

/* One from the socket.  false: there is none, or reading is over. */
static bool udp_next(struct connection *udp)
{
    unsigned char data[RDSN_DATAGRAM_MAX + 1];
    struct sockaddr_in in = { 0 };
    socklen_t in_size = sizeof in;
    ssize_t got =
        recvfrom(udp->stream.fd, data, sizeof data, MSG_TRUNC, (struct sockaddr *) &in, &in_size);
    if (got < 0)
        return errno != EAGAIN; /* an earlier answer's ICMP error: go on */
    udp_datagram(udp, data, (size_t) got, connection_address(&in));
    return udp->server != NULL;
}

static void udp_on_read(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct connection *udp = arg;
    udp->refs++;
    bool more = true;
    for (int i = 0; more && i < UDP_BATCH_MAX && udp->pending < udp->pending_max; i++)
        more = udp_next(udp);
    if (udp->server && udp->pending >= udp->pending_max) {
        udp->paused = true;
        stream_read_off(&udp->stream);
    }
    connection_unref(udp);
}

bool udp_open(struct rdsn_server *server, const struct sockaddr_in *in)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (bind(fd, (const struct sockaddr *) in, sizeof *in) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return false;
    }
    server->udp = connection_new(server, fd, 0, server->address, udp_on_read);
    server->udp->datagram = true;
    server->udp->pending_max = SERVER_DATAGRAMS_MAX;
    stream_read_on(&server->udp->stream);
    return true;
}

void udp_reply(struct pending *pending, const struct rdsn_header *header, br_bytes body)
{
    struct rdsn_server *server = pending->connection->server;
    const struct rdsn_incoming *incoming = &pending->incoming;
    uint64_t to = incoming->header.from_address;
    char name[ADDRESS_TEXT_MAX];
    if ((to & 3) != ADDRESS_IPV4 || address_port(to) == 0) {
        server_event(server, BR_WARN, incoming->peer, "%s not sent: there is no answering to %s",
                     header->rpc_name, address_format(to, name));
        return;
    }
    if (RDSN_HEADER_SIZE + body.size > RDSN_DATAGRAM_MAX) {
        server_event(server, BR_ERROR, incoming->peer, "%s not sent: %zu bytes are more than %d",
                     header->rpc_name, RDSN_HEADER_SIZE + body.size, RDSN_DATAGRAM_MAX);
        return;
    }
    buf_clear(&server->packet);
    frame_put(&server->packet, header, body, true);
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons(address_port(to)),
                              .sin_addr.s_addr = htonl((uint32_t) (to >> 32)) };
    if (sendto(pending->connection->stream.fd, server->packet.data, server->packet.size, 0,
               (const struct sockaddr *) &in, sizeof in)
        < 0)
        server_event(server, BR_WARN, incoming->peer, "%s not sent to %s: %s", header->rpc_name,
                     address_format(to, name), strerror(errno));
}
