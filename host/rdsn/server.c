/* server -- see server.h: listening, log lines, answers.  What happens on a connection is in
 * connection.c, datagrams are in server_udp.c.
 */
#include "host/rdsn/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/rdsn/address.h"
#include "host/rdsn/connection.h"

#define SERVER_BACKLOG_MAX  1024
#define SERVER_PORT_TRY_MAX 16 /* ports tried until one is free for TCP and UDP */

/* -- Log lines -------------------------------------------------------------------------------- */

/* false: too many in this second. */
static bool server_may_speak(struct rdsn_server *server)
{
    br_time now = stream_now();
    if (now - server->events_since >= BR_SECOND) {
        uint32_t lost = server->events_lost;
        server->events_since = now;
        server->events = server->events_lost = 0;
        if (lost > 0) {
            char text[96];
            snprintf(text, sizeof text, "%u further lines like the last ones were left out", lost);
            server->options.event(server->options.arg, BR_WARN, text);
        }
    }
    if (server->events >= SERVER_EVENTS_MAX) {
        server->events_lost++;
        return false;
    }
    server->events++;
    return true;
}

void server_event(struct rdsn_server *server, br_level level, uint64_t peer, const char *format,
                  ...)
{
    if (!server->options.event || !server_may_speak(server))
        return;
    struct buf text = { 0 };
    char name[ADDRESS_TEXT_MAX];
    if (peer)
        buf_printf(&text, "%s: ", address_format(peer, name));
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    server->options.event(server->options.arg, level, buf_string(&text));
    buf_done(&text);
}

/* -- Accepting -------------------------------------------------------------------------------- */

static void server_on_accept(struct evconnlistener *listener, evutil_socket_t fd,
                             struct sockaddr *sa, int size, void *arg)
{
    (void) listener;
    (void) size;
    struct rdsn_server *server = arg;
    uint64_t peer = connection_address((const struct sockaddr_in *) (void *) sa);
    if (server->count >= server->options.connections_max) {
        evutil_closesocket(fd);
        server_event(server, BR_WARN, peer, "connection closed: there are %u already",
                     server->count);
        return;
    }
    struct sockaddr_in local = { .sin_family = AF_INET };
    socklen_t local_size = sizeof local;
    uint64_t self = server->address;
    if (getsockname(fd, (struct sockaddr *) &local, &local_size) == 0)
        self = connection_address(&local);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    struct connection *connection = connection_new(server, fd, peer, self, connection_on_read);
    connection->last = stream_now();
    TAILQ_INSERT_TAIL(&server->connections, connection, link);
    server->count++;
    stream_read_on(&connection->stream);
    if (!evtimer_pending(&server->idle_timer, NULL))
        connection_idle(-1, 0, server);
}

/* Out of descriptors: the connection stays in the kernel's queue until one of ours is closed, or
 * for a second. */
static void server_on_error(struct evconnlistener *listener, void *arg)
{
    struct rdsn_server *server = arg;
    server_event(server, BR_ERROR, 0, "cannot accept a connection: %s", strerror(errno));
    evconnlistener_disable(listener);
    evtimer_add(&server->accept_timer, &(struct timeval){ .tv_sec = 1 });
}

static void server_accept_again(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct rdsn_server *server = arg;
    evtimer_del(&server->accept_timer);
    evconnlistener_enable(server->listener);
}

/* -- Life ------------------------------------------------------------------------------------- */

static bool server_listen(struct rdsn_server *server, struct sockaddr_in *in)
{
    unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
    server->listener =
        evconnlistener_new_bind(server->base, server_on_accept, server, flags, SERVER_BACKLOG_MAX,
                                (struct sockaddr *) in, (int) sizeof *in);
    if (!server->listener)
        return false;
    evconnlistener_set_error_cb(server->listener, server_on_error);
    socklen_t size = sizeof *in;
    if (getsockname(evconnlistener_get_fd(server->listener), (struct sockaddr *) in, &size) != 0)
        return false;
    server->address = connection_address(in);
    return !server->options.datagrams || udp_open(server, in);
}

static void server_unlisten(struct rdsn_server *server)
{
    if (server->listener)
        evconnlistener_free(server->listener);
    server->listener = NULL;
}

/* Any port will do: one that is free for TCP may be taken for UDP; then another is tried. */
static bool server_bind(struct rdsn_server *server, struct in_addr host)
{
    uint16_t port = server->options.port;
    int tries = port ? 1 : SERVER_PORT_TRY_MAX;
    for (; tries > 0; tries--) {
        struct sockaddr_in in = { .sin_family = AF_INET,
                                  .sin_addr = host,
                                  .sin_port = htons(port) };
        if (server_listen(server, &in))
            return true;
        int error = errno;
        server_unlisten(server);
        errno = error;
    }
    return false;
}

static void server_defaults(struct rdsn_server_options *options)
{
    options->host = options->host ? options->host : "127.0.0.1";
    options->body_max = options->body_max ? options->body_max : 64u << 20;
    options->connections_max = options->connections_max ? options->connections_max : 4096;
    options->pending_max = options->pending_max ? options->pending_max : 1024;
    options->output_max = options->output_max ? options->output_max : 64u << 20;
    options->idle = options->idle ? options->idle : 10 * BR_MINUTE;
}

struct rdsn_server *rdsn_server_new(struct event_base *base,
                                    const struct rdsn_server_options *options,
                                    struct fail *ret_fail)
{
    struct rdsn_server *server = mem_new(sizeof *server);
    server->options = *options;
    server->base = base;
    server_defaults(&server->options);
    TAILQ_INIT(&server->connections);
    evtimer_assign(&server->idle_timer, base, connection_idle, server);
    evtimer_assign(&server->accept_timer, base, server_accept_again, server);
    const char *host = server->options.host;
    struct in_addr in;
    bool valid = inet_pton(AF_INET, host, &in) == 1;
    if (valid && server_bind(server, in)) {
        server->options.host = NULL; /* the caller's */
        return server;
    }
    if (valid)
        fail_set(ret_fail, BR_UNAVAILABLE, "cannot listen on %s:%u: %s", host,
                 (unsigned) server->options.port, strerror(errno));
    else
        fail_set(ret_fail, BR_INVALID, "cannot listen on %s: it is not an IPv4 address", host);
    free(server);
    return NULL;
}

void rdsn_server_free(struct rdsn_server *server)
{
    if (!server)
        return;
    struct connection *connection;
    while ((connection = TAILQ_FIRST(&server->connections)) != NULL)
        connection_close(connection);
    if (server->udp)
        connection_close(server->udp);
    evtimer_del(&server->idle_timer);
    evtimer_del(&server->accept_timer);
    server_unlisten(server);
    buf_done(&server->shared);
    buf_done(&server->packet);
    free(server);
}

uint64_t rdsn_server_address(const struct rdsn_server *server)
{
    return server->address;
}

/* -- Answers ---------------------------------------------------------------------------------- */

static void server_done(struct pending *pending)
{
    struct connection *connection = pending->connection;
    connection->pending--;
    connection->held -= pending->incoming.body.size;
    connection_resume(connection);
    connection_unref(connection);
    free(pending);
}

static void server_answer(struct pending *pending, const char *error_name, br_bytes body)
{
    struct connection *connection = pending->connection;
    struct rdsn_incoming *incoming = &pending->incoming;
    struct buf *out = &connection->stream.out;
    size_t waiting = stream_waiting(&connection->stream);
    if (waiting > connection->server->options.output_max) {
        connection_fault(connection, "the peer does not read its answers; %zu bytes wait", waiting);
        return;
    }
    if (incoming->framing == FRAMING_THFT) {
        frame_put_thft_reply(out, &incoming->header, error_name, body);
    } else {
        struct rdsn_header header = incoming->header;
        frame_make_reply(&header, error_name, connection->self);
        frame_put(out, &header, body, pending->crc);
    }
    stream_send_soon(&connection->stream);
}

void rdsn_server_reply(struct rdsn_incoming *incoming, const char *error_name, br_bytes body)
{
    struct pending *pending = (struct pending *) incoming;
    struct connection *connection = pending->connection;
    if (connection->server && connection->datagram) {
        struct rdsn_header header = incoming->header;
        frame_make_reply(&header, error_name, connection->self);
        udp_reply(pending, &header, body);
    } else if (connection->server) {
        server_answer(pending, error_name, body);
    }
    server_done(pending);
}

void rdsn_server_drop(struct rdsn_incoming *incoming)
{
    server_done((struct pending *) incoming);
}

void rdsn_server_reject(struct rdsn_incoming *incoming, const char *why)
{
    struct pending *pending = (struct pending *) incoming;
    struct connection *connection = pending->connection;
    if (connection->server && connection->datagram)
        server_event(connection->server, BR_WARN, incoming->peer, "datagram %s dropped: %s",
                     incoming->header.rpc_name, why);
    else
        connection_fault(connection, "%s: %s", incoming->header.rpc_name, why);
    server_done(pending);
}
