/* client_node -- see client_node.h: a node's way from waiting over its name's resolution and the
 * connection to open and idle, and its bytes.
 */
#include "host/rdsn/client_node.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/mem.h"

static const char node_failed[] = "ERR_NETWORK_FAILURE";

/* -- Finding ---------------------------------------------------------------------------------- */

static int node_compare(const void *a, const void *b)
{
    const struct node *left = a, *right = b;
    if (left->datagram != right->datagram)
        return left->datagram ? 1 : -1;
    return strcmp(left->name, right->name);
}

struct node *node_find(struct rdsn_client *client, const char *name, size_t host_size,
                       uint16_t port, bool datagram)
{
    struct node key = { .name = (char *) (uintptr_t) name, .datagram = datagram };
    struct node **found = tfind(&key, &client->nodes, node_compare);
    if (found)
        return *found;
    struct node *node = mem_new(sizeof *node);
    node->client = client;
    node->name = mem_text(name);
    node->host_size = host_size;
    node->port = port;
    node->datagram = datagram;
    node->stream.fd = -1;
    TAILQ_INIT(&node->requests);
    TAILQ_INIT(&node->one_ways);
    tsearch(node, &client->nodes, node_compare);
    return node;
}

void node_free(void *arg)
{
    struct node *node = arg;
    if (node->lookup)
        resolver_cancel(node->lookup);
    stream_close(&node->stream);
    buf_done(&node->stream.out); /* of a stream that was not opened yet */
    free(node->name);
    free(node);
}

/* -- Closing ---------------------------------------------------------------------------------- */

static void node_not_idle(struct node *node)
{
    if (!node->is_idle)
        return;
    node->is_idle = false;
    TAILQ_REMOVE(&node->client->idle, node, link);
}

/* Close and forget it; it has no requests. */
static void node_close(struct node *node)
{
    struct rdsn_client *client = node->client;
    if (node->state == NODE_WAITING)
        TAILQ_REMOVE(&client->waiting, node, link);
    if (node->state >= NODE_RESOLVING)
        client->connected--;
    node_not_idle(node);
    tdelete(node, &client->nodes, node_compare);
    node_free(node);
    if (!TAILQ_EMPTY(&client->waiting))
        client_soon(client);
}

void node_lost(struct node *node, br_status status, const char *error, const char *why, ...)
{
    struct buf text = { 0 };
    va_list args;
    va_start(args, why);
    buf_vprintf(&text, why, args);
    va_end(args);
    struct request *request;
    while ((request = TAILQ_FIRST(&node->requests)) != NULL)
        request_finish(request, status, error, "%s", buf_string(&text));
    while ((request = TAILQ_FIRST(&node->one_ways)) != NULL)
        request_finish(request, status, error, "%s", buf_string(&text));
    buf_done(&text);
    node_close(node);
}

/* -- Idle ------------------------------------------------------------------------------------- */

static void client_arm_idle(struct rdsn_client *client)
{
    struct node *first = TAILQ_FIRST(&client->idle);
    if (!first)
        return;
    struct timeval wait = stream_timeval(first->since + client->options.idle - stream_now());
    evtimer_add(&client->idle_timer, &wait);
}

void node_idle(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct rdsn_client *client = arg;
    br_time now = stream_now();
    struct node *first;
    while ((first = TAILQ_FIRST(&client->idle)) != NULL
           && now - first->since >= client->options.idle)
        node_close(first);
    client_arm_idle(client);
}

/* One that has not even read what we sent is no connection to keep. */
void node_settle(struct node *node)
{
    struct rdsn_client *client = node->client;
    if (node_busy(node) || node->is_idle)
        return;
    if (node->state != NODE_OPEN) {
        node_close(node);
        return;
    }
    node->is_idle = true;
    if (stream_waiting(&node->stream) > 0) {
        node->since = stream_now() - client->options.idle;
        TAILQ_INSERT_HEAD(&client->idle, node, link);
        client_arm_idle(client);
    } else {
        node->since = stream_now();
        TAILQ_INSERT_TAIL(&client->idle, node, link);
        if (!evtimer_pending(&client->idle_timer, NULL))
            client_arm_idle(client);
    }
    if (!TAILQ_EMPTY(&client->waiting))
        client_soon(client);
}

/* -- Reading and writing ---------------------------------------------------------------------- */

enum { NODE_MORE = 1, NODE_ENOUGH = 0, NODE_GONE = -1 };

/* One reply from what was read.  NODE_ENOUGH: there is no whole one. */
static int node_next(struct node *node)
{
    struct rdsn_client *client = node->client;
    struct stream *stream = &node->stream;
    br_bytes bytes = stream_bytes(stream);
    if (bytes.size == 0 || bytes.size < stream->need)
        return NODE_ENOUGH;
    struct frame frame;
    struct fail fail;
    size_t need = 0;
    br_status status =
        frame_parse(bytes, FRAMING_RDSN, client->options.body_max, &frame, &need, &fail);
    stream->need = need;
    if (status == BR_UNAVAILABLE)
        return NODE_ENOUGH;
    if (status == BR_OK && (frame.header.context & RDSN_REQUEST))
        status = fail_set(&fail, BR_CORRUPT, "%s is not a reply", frame.header.rpc_name);
    if (status != BR_OK) {
        node_lost(node, status, "ERR_INVALID_DATA", "%s sent what is no reply: %s", node->name,
                  fail.text);
        return NODE_GONE;
    }
    stream->need = 0;
    stream_use(stream, frame.size);
    client_reply(client, &frame.header, frame.body, node);
    return client->closed ? NODE_GONE : NODE_MORE;
}

static void node_ended(struct node *node, int got)
{
    size_t rest = node->stream.in.size - node->stream.in_used;
    if (got == STREAM_ERROR)
        node_lost(node, BR_UNAVAILABLE, node_failed, "the connection to %s was lost: %s",
                  node->name, strerror(errno));
    else if (rest > 0)
        node_lost(node, BR_UNAVAILABLE, node_failed,
                  "%s closed the connection within a reply, after %zu bytes", node->name, rest);
    else
        node_lost(node, BR_UNAVAILABLE, node_failed, "%s closed the connection", node->name);
}

static void node_on_read(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct node *node = arg;
    struct rdsn_client *client = node->client;
    int got = stream_read(&node->stream);
    if (got < 0) {
        node_ended(node, got);
        return;
    }
    if (got == STREAM_NOTHING)
        return;
    client_enter(client);
    int next;
    do {
        next = node_next(node);
    } while (next == NODE_MORE);
    if (next != NODE_GONE) {
        stream_settle(&node->stream);
        node_settle(node);
    }
    client_leave(client);
}

static void node_finish_one_ways(struct node *node)
{
    struct request *request;
    while ((request = TAILQ_FIRST(&node->one_ways)) != NULL && request->end <= node->stream.sent)
        request_finish(request, BR_OK, "ERR_OK", "%s", "");
    node_settle(node);
}

static void node_on_write(evutil_socket_t fd, short what, void *arg)
{
    (void) what;
    struct node *node = arg;
    if (node->state == NODE_CONNECTING) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            node_lost(node, BR_UNAVAILABLE, node_failed, "cannot connect to %s: %s", node->name,
                      strerror(error));
            return;
        }
        node->state = NODE_OPEN;
        stream_read_on(&node->stream);
    }
    if (!stream_flush(&node->stream))
        node_lost(node, BR_UNAVAILABLE, node_failed, "the connection to %s was lost: %s",
                  node->name, strerror(errno));
    else
        node_finish_one_ways(node);
}

/* -- Connecting ------------------------------------------------------------------------------- */

static void node_connect(struct node *node, uint32_t ipv4)
{
    struct rdsn_client *client = node->client;
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons(node->port),
                              .sin_addr.s_addr = htonl(ipv4) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0
        || (connect(fd, (const struct sockaddr *) &in, sizeof in) != 0 && errno != EINPROGRESS)) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        node_lost(node, BR_UNAVAILABLE, node_failed, "cannot connect to %s: %s", node->name,
                  strerror(error));
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    struct buf out = node->stream.out; /* requests came before the socket */
    stream_open(&node->stream, client->base, fd, &client->shared, node_on_read, node_on_write,
                node);
    node->stream.out = out;
    node->state = NODE_CONNECTING;
    stream_write_on(&node->stream);
}

static void node_on_resolved(void *arg, uint32_t ipv4, const char *why)
{
    struct node *node = arg;
    node->lookup = NULL;
    if (why)
        node_lost(node, BR_UNAVAILABLE, node_failed, "cannot resolve %s: %s", node->name, why);
    else if (node->datagram)
        node_open_datagram(node, ipv4);
    else
        node_connect(node, ipv4);
}

static void node_resolve(struct node *node)
{
    struct rdsn_client *client = node->client;
    char host[256] = { 0 }; /* number_node bounds it */
    memcpy(host, node->name, node->host_size < sizeof host ? node->host_size : sizeof host - 1);
    struct in_addr in;
    node->state = NODE_RESOLVING;
    client->connected++;
    if (inet_pton(AF_INET, host, &in) == 1) {
        node_on_resolved(node, ntohl(in.s_addr), NULL);
        return;
    }
    if (!client->resolver)
        client->resolver = resolver_new(client->base, client->options.resolv_conf);
    if (client->resolver)
        node->lookup = resolver_ask(client->resolver, host, node_on_resolved, node);
    else
        node_on_resolved(node, 0, "there is no resolver");
}

void client_connect(struct rdsn_client *client)
{
    struct node *node;
    while ((node = TAILQ_FIRST(&client->waiting)) != NULL) {
        if (client->connected >= client->options.connections_max) {
            struct node *idle = TAILQ_FIRST(&client->idle);
            if (!idle)
                return;
            node_close(idle);
        }
        TAILQ_REMOVE(&client->waiting, node, link);
        node_resolve(node);
    }
}

void node_wake(struct node *node)
{
    node_not_idle(node);
    if (node->state == NODE_CLOSED) {
        node->state = NODE_WAITING;
        TAILQ_INSERT_TAIL(&node->client->waiting, node, link);
        client_soon(node->client);
    } else if (node->state == NODE_OPEN && node->datagram) {
        node_send_datagrams(node);
    } else if (node->state == NODE_OPEN) {
        stream_send_soon(&node->stream);
    }
}
