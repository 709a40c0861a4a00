/* connection -- see connection.h: reading frames, handing requests out, pausing, closing.
 *
 * What the user does from inside `request` (answer, reject, free the server) may close the
 * connection under our hands; `server` is NULL then, and the reference taken keeps the rest.
 */
#include "host/rdsn/connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/rdsn/address.h"

static void connection_on_write(evutil_socket_t fd, short what, void *arg);

uint64_t connection_address(const struct sockaddr_in *in)
{
    return address_make(ntohl(in->sin_addr.s_addr), ntohs(in->sin_port));
}

struct connection *connection_new(struct rdsn_server *server, int fd, uint64_t peer, uint64_t self,
                                  event_callback_fn on_read)
{
    struct connection *connection = mem_new(sizeof *connection);
    connection->server = server;
    connection->peer = peer;
    connection->self = self;
    connection->pending_max = server->options.pending_max;
    connection->held_max = server->options.body_max;
    connection->refs = 1;
    stream_open(&connection->stream, server->base, fd, &server->shared, on_read,
                connection_on_write, connection);
    return connection;
}

void connection_unref(struct connection *connection)
{
    if (--connection->refs == 0)
        free(connection);
}

void connection_close(struct connection *connection)
{
    struct rdsn_server *server = connection->server;
    if (!server)
        return;
    connection->server = NULL;
    stream_close(&connection->stream);
    if (!connection->datagram) {
        TAILQ_REMOVE(&server->connections, connection, link);
        server->count--;
        if (evtimer_pending(&server->accept_timer, NULL))
            event_active(&server->accept_timer, EV_TIMEOUT, 1);
    }
    connection_unref(connection);
}

void connection_fault(struct connection *connection, const char *format, ...)
{
    if (!connection->server)
        return;
    struct buf text = { 0 };
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    struct rdsn_server *server = connection->server;
    uint64_t peer = connection->peer;
    connection_close(connection);
    server_event(server, BR_WARN, peer, "connection closed: %s", buf_string(&text));
    buf_done(&text);
}

/* -- Silence ---------------------------------------------------------------------------------- */

static void connection_arm_idle(struct rdsn_server *server)
{
    struct connection *first = TAILQ_FIRST(&server->connections);
    if (!first)
        return;
    struct timeval wait = stream_timeval(first->last + server->options.idle - stream_now());
    evtimer_add(&server->idle_timer, &wait);
}

void connection_touch(struct connection *connection)
{
    struct rdsn_server *server = connection->server;
    connection->last = stream_now();
    if (connection->datagram || TAILQ_LAST(&server->connections, connection_list) == connection)
        return;
    TAILQ_REMOVE(&server->connections, connection, link);
    TAILQ_INSERT_TAIL(&server->connections, connection, link);
}

void connection_idle(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct rdsn_server *server = arg;
    br_time now = stream_now();
    struct connection *first;
    while ((first = TAILQ_FIRST(&server->connections)) != NULL) {
        if (now - first->last < server->options.idle)
            break;
        if (first->pending > 0 && stream_waiting(&first->stream) == 0) {
            connection_touch(first); /* it is our turn to speak */
            continue;
        }
        uint64_t peer = first->peer;
        connection_close(first);
        server_event(server, BR_DEBUG, peer, "connection closed: no traffic for %lld s",
                     (long long) (server->options.idle / BR_SECOND));
    }
    connection_arm_idle(server);
}

/* -- Requests --------------------------------------------------------------------------------- */

static bool connection_may_read(const struct connection *connection)
{
    return connection->pending < connection->pending_max && connection->held < connection->held_max
           && stream_waiting(&connection->stream) < SERVER_PAUSE_MAX;
}

void connection_resume(struct connection *connection)
{
    if (!connection->server || !connection->paused || !connection_may_read(connection))
        return;
    connection->paused = false;
    stream_read_on(&connection->stream);
    event_active(&connection->stream.read_event, EV_READ, 1);
}

static void connection_request(struct connection *connection, const struct frame *frame,
                               uint64_t peer)
{
    struct pending *pending = malloc(sizeof *pending + frame->body.size);
    if (!pending) {
        connection_fault(connection, "no memory for a body of %zu bytes", frame->body.size);
        return;
    }
    *pending = (struct pending){
        .incoming = { .header = frame->header,
                      .body = { pending->body, frame->body.size },
                      .framing = frame->framing,
                      .datagram = connection->datagram,
                      .peer = peer },
        .connection = connection,
        .crc = connection->datagram || frame->header.header_crc || frame->header.body_crc,
    };
    if (frame->body.size > 0)
        memcpy(pending->body, frame->body.data, frame->body.size);
    if (pending->incoming.header.from_address == 0)
        pending->incoming.header.from_address = peer;
    connection->pending++;
    connection->held += frame->body.size;
    connection->refs++;
    struct rdsn_server *server = connection->server;
    server->options.request(server->options.arg, &pending->incoming);
}

bool connection_frame(struct connection *connection, const struct frame *frame, uint64_t peer)
{
    struct rdsn_server *server = connection->server;
    const struct rdsn_header *header = &frame->header;
    if (!(header->context & RDSN_REQUEST)) {
        if (server->options.reply)
            server->options.reply(server->options.arg, header, frame->body);
        else if (connection->datagram)
            server_event(server, BR_WARN, peer, "datagram dropped: %s is not a request",
                         header->rpc_name);
        else
            connection_fault(connection, "%s is not a request", header->rpc_name);
        return connection->server != NULL;
    }
    unsigned format = (unsigned) (header->context >> RDSN_FORMAT_SHIFT & 0xf);
    if (format != RDSN_FORMAT_THRIFT_BINARY >> RDSN_FORMAT_SHIFT) {
        if (connection->datagram)
            server_event(server, BR_WARN, peer, "datagram dropped: %s in serialize format %u",
                         header->rpc_name, format);
        else
            connection_fault(connection,
                             "%s in serialize format %u; only 1, Thrift binary, is "
                             "understood",
                             header->rpc_name, format);
        return connection->server != NULL;
    }
    connection_request(connection, frame, peer);
    return connection->server != NULL;
}

/* -- Reading ---------------------------------------------------------------------------------- */

/* One frame from what was read.  false: no whole one, or the connection is closed. */
static bool connection_next(struct connection *connection)
{
    struct stream *stream = &connection->stream;
    br_bytes bytes = stream_bytes(stream);
    if (bytes.size == 0 || bytes.size < stream->need)
        return false;
    struct frame frame;
    struct fail fail;
    size_t need = 0;
    br_status status = frame_parse(bytes, connection->framing, connection->server->options.body_max,
                                   &frame, &need, &fail);
    stream->need = need;
    if (status == BR_UNAVAILABLE)
        return false;
    if (status == BR_OK && frame.framing == FRAMING_HTTP)
        status = fail_set(&fail, BR_CORRUPT, "HTTP is not spoken on this port");
    if (status != BR_OK) {
        connection_fault(connection, "%s", fail.text);
        return false;
    }
    stream->need = 0;
    connection->framing = frame.framing;
    stream_use(stream, frame.size);
    return connection_frame(connection, &frame, connection->peer);
}

static void connection_parse(struct connection *connection)
{
    bool more = true;
    while (more && connection_may_read(connection))
        more = connection_next(connection);
    if (!connection->server)
        return;
    stream_settle(&connection->stream);
    if (!connection_may_read(connection)) {
        connection->paused = true;
        stream_read_off(&connection->stream);
    }
}

static void connection_lost(struct connection *connection, int got)
{
    size_t rest = connection->stream.in.size - connection->stream.in_used;
    if (got == STREAM_ERROR && errno != ECONNRESET && errno != EPIPE)
        connection_fault(connection, "%s", strerror(errno));
    else if (rest > 0)
        connection_fault(connection, "the peer closed it within a message, after %zu bytes", rest);
    else
        connection_close(connection);
}

void connection_on_read(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct connection *connection = arg;
    if (connection->paused)
        return;
    connection->refs++;
    int got = stream_read(&connection->stream);
    if (got == STREAM_DATA)
        connection_touch(connection);
    if (got == STREAM_DATA || stream_bytes(&connection->stream).size > 0)
        connection_parse(connection);
    if (got < 0 && connection->server && !connection->paused)
        connection_lost(connection, got);
    connection_unref(connection);
}

static void connection_on_write(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct connection *connection = arg;
    uint64_t sent = connection->stream.sent;
    if (!stream_flush(&connection->stream)) {
        connection_close(connection);
        return;
    }
    if (connection->stream.sent != sent)
        connection_touch(connection);
    connection_resume(connection);
}
