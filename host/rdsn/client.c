/* client -- see client.h: requests, their ids, deadlines and callbacks.  Nodes and connections are
 * in client_node.c, datagrams in client_udp.c.
 *
 * Ids count up, and an id is skipped while its slot is taken; so a reply finds its request by one
 * look, and an id is not used again for a very long time.
 */
#include "host/rdsn/client.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "host/base/mem.h"
#include "host/base/number.h"
#include "host/rdsn/address.h"
#include "host/rdsn/client_node.h"

#define CLIENT_SLOTS_MIN          256
#define CLIENT_TIMEOUT_DEFAULT_MS 5000

/* -- Slots ------------------------------------------------------------------------------------ */

static struct request *client_find(const struct rdsn_client *client, uint64_t id)
{
    struct request *request = client->slots[id & client->mask];
    return request && request->id == id ? request : NULL;
}

static void client_grow(struct rdsn_client *client)
{
    uint32_t mask = client->mask * 2 + 1;
    struct request **slots = mem_array((size_t) mask + 1, sizeof(struct request *));
    for (uint32_t i = 0; i <= client->mask; i++)
        if (client->slots[i])
            slots[client->slots[i]->id & mask] = client->slots[i];
    free(client->slots);
    client->slots = slots;
    client->mask = mask;
}

static void client_insert(struct rdsn_client *client, struct request *request)
{
    if (client->count > client->mask / 2)
        client_grow(client);
    do {
        request->id = ++client->last_id;
    } while (request->id == 0 || client->slots[request->id & client->mask]);
    client->slots[request->id & client->mask] = request;
    client->count++;
}

/* -- The end of a request --------------------------------------------------------------------- */

static void request_free(struct request *request)
{
    free(request->header);
    free(request->why);
    free(request);
}

/* Nobody will find it any more. */
static void request_take(struct request *request)
{
    struct node *node = request->node;
    struct rdsn_client *client = node->client;
    client->slots[request->id & client->mask] = NULL;
    client->count--;
    if (request->one_way)
        TAILQ_REMOVE(&node->one_ways, request, link);
    else
        TAILQ_REMOVE(&node->requests, request, link);
    request->node = NULL;
    if (request->timeout > 0)
        evtimer_del(&request->timer);
}

static void request_conclude(struct rdsn_client *client, struct request *request, br_status status,
                             const char *error, char *why)
{
    request->status = status;
    request->error = error;
    request->why = why;
    TAILQ_INSERT_TAIL(&client->finished, request, link);
    client_soon(client);
}

void request_finish(struct request *request, br_status status, const char *error, const char *why,
                    ...)
{
    struct rdsn_client *client = request->node->client;
    struct buf text = { 0 };
    va_list args;
    va_start(args, why);
    buf_vprintf(&text, why, args);
    va_end(args);
    request_take(request);
    request_conclude(client, request, status, error, text.data);
}

static void request_on_timeout(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    static const char *const doing[] = {
        [NODE_CLOSED] = "",
        [NODE_WAITING] = " (it was waiting for a connection to be free)",
        [NODE_RESOLVING] = " (its name was being resolved)",
        [NODE_CONNECTING] = " (it was being connected to)",
        [NODE_OPEN] = "",
    };
    struct request *request = arg;
    struct node *node = request->node;
    double seconds = (double) request->timeout / (double) BR_SECOND;
    request_finish(request, BR_TIMEOUT, "ERR_TIMEOUT", "%s did not answer %s within %.3g s%s",
                   node->name, request->rpc, seconds, doing[node->state]);
    node_settle(node);
}

/* The header's error, as a C++ receiver reads it. */
static const char *client_error(const struct rdsn_header *header)
{
    return *header->error_name ? header->error_name : "ERR_UNKNOWN";
}

bool client_reply(struct rdsn_client *client, const struct rdsn_header *header, br_bytes body,
                  const struct node *from)
{
    struct request *request = client_find(client, header->id);
    if (!request || request->one_way || (from && from != request->node))
        return false;
    struct node *node = request->node;
    request_take(request);
    struct rdsn_reply reply = { .error = client_error(header), .header = header, .body = body };
    struct buf why = { 0 };
    if (strcmp(reply.error, "ERR_OK") != 0) {
        reply.status = BR_REFUSED;
        buf_printf(&why, "%s answered %s with %s", node->name, request->rpc, reply.error);
        reply.why = buf_string(&why);
    }
    if (!from)
        node_settle(node);
    if (request->done)
        request->done(request->arg, &reply);
    buf_done(&why);
    request_free(request);
    return true;
}

bool rdsn_client_deliver(struct rdsn_client *client, const struct rdsn_header *header,
                         br_bytes body)
{
    client_enter(client);
    bool found = client_reply(client, header, body, NULL);
    client_leave(client);
    return found;
}

/* -- Callbacks -------------------------------------------------------------------------------- */

void client_soon(struct rdsn_client *client)
{
    if (!client->closed && !evtimer_pending(&client->soon, NULL))
        evtimer_add(&client->soon, &(struct timeval){ 0 });
}

static void client_on_soon(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct rdsn_client *client = arg;
    client_enter(client);
    client_connect(client);
    struct request *last = TAILQ_LAST(&client->finished, request_list);
    for (bool more = last != NULL; more && !client->closed;) {
        struct request *request = TAILQ_FIRST(&client->finished);
        more = request != last; /* what finishes meanwhile has its turn later */
        TAILQ_REMOVE(&client->finished, request, link);
        struct rdsn_reply reply = { .status = request->status,
                                    .error = request->error,
                                    .why = request->status == BR_OK ? NULL : request->why };
        if (request->done)
            request->done(request->arg, &reply);
        request_free(request);
    }
    client_leave(client);
}

/* -- Asking ----------------------------------------------------------------------------------- */

/* A number that differs from call to call (splitmix64). */
static uint64_t client_trace(const struct rdsn_client *client, uint64_t id)
{
    uint64_t z = client->seed + id * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int32_t client_timeout_ms(br_time timeout)
{
    if (timeout <= 0)
        return CLIENT_TIMEOUT_DEFAULT_MS;
    br_time ms = timeout / BR_MILLISECOND;
    return ms < 1 ? 1 : ms > INT32_MAX ? INT32_MAX : (int32_t) ms;
}

static void client_header(const struct rdsn_client *client, const struct rdsn_request *ask,
                          uint64_t id, struct rdsn_header *ret_header)
{
    *ret_header = (struct rdsn_header){
        .length = RDSN_HEADER_SIZE,
        .app_id = ask->app_id,
        .partition = ask->partition,
        .timeout_ms = client_timeout_ms(ask->timeout),
        .thread_hash = ask->thread_hash,
        .partition_hash = ask->partition_hash,
        .id = id,
        .trace_id = client_trace(client, id),
        .context = RDSN_REQUEST | RDSN_FORMAT_THRIFT_BINARY | RDSN_FORWARD_SUPPORTED,
        .from_address = client->options.from_address,
    };
    memcpy(ret_header->rpc_name, ask->rpc, strlen(ask->rpc));
}

/* What can be refused before there is a node.  BR_OK: nothing. */
static br_status client_check(const struct rdsn_client *client, const char *name,
                              const struct rdsn_request *ask, bool datagram, struct fail *ret_fail)
{
    size_t host_size;
    uint16_t port;
    size_t body_max = datagram ? RDSN_DATAGRAM_MAX - RDSN_HEADER_SIZE : FRAME_BODY_MAX;
    if (!number_node(name, &host_size, &port))
        return fail_set(ret_fail, BR_INVALID, "\"%s\" is not host:port", name);
    if (strlen(ask->rpc) >= RDSN_NAME_SIZE)
        return fail_set(ret_fail, BR_INVALID, "\"%s\" is too long for an RPC's name", ask->rpc);
    if (ask->body.size > body_max)
        return fail_set(ret_fail, BR_TOOBIG, "%s to %s has %zu bytes, more than %zu", ask->rpc,
                        name, ask->body.size, body_max);
    if (client->count >= CLIENT_REQUESTS_MAX)
        return fail_set(ret_fail, BR_UNAVAILABLE,
                        "%s to %s was not sent: %u requests are outstanding", ask->rpc, name,
                        client->count);
    return BR_OK;
}

static const char *client_check_error(br_status status)
{
    return status == BR_INVALID  ? "ERR_INVALID_PARAMETERS"
           : status == BR_TOOBIG ? "ERR_INVALID_DATA"
                                 : "ERR_BUSY";
}

static struct request *request_new(const struct rdsn_request *ask, rdsn_done *done, void *arg)
{
    struct request *request = mem_new(sizeof *request);
    request->timeout = ask->timeout;
    request->one_way = ask->one_way;
    request->done = done;
    request->arg = arg;
    snprintf(request->rpc, sizeof request->rpc, "%s", ask->rpc);
    return request;
}

/* It has a node from now on, and a deadline. */
static void request_start(struct request *request, struct node *node)
{
    struct rdsn_client *client = node->client;
    request->node = node;
    client_insert(client, request);
    if (request->one_way)
        TAILQ_INSERT_TAIL(&node->one_ways, request, link);
    else
        TAILQ_INSERT_TAIL(&node->requests, request, link);
    if (request->timeout > 0) {
        struct timeval timeout = stream_timeval(request->timeout);
        evtimer_assign(&request->timer, client->base, request_on_timeout, request);
        evtimer_add(&request->timer, &timeout);
    }
}

/* Refused before it began. */
static uint64_t client_refuse(struct rdsn_client *client, struct request *request,
                              const struct fail *fail)
{
    uint64_t id = ++client->last_id;
    request_conclude(client, request, fail->status, client_check_error(fail->status),
                     mem_text(fail->text));
    return id;
}

static void request_write(struct request *request, const struct rdsn_header *header, br_bytes body)
{
    struct node *node = request->node;
    struct stream *stream = &node->stream;
    if (node->datagram) {
        request->header = mem_new(sizeof *header + body.size);
        *request->header = *header;
        request->header->body_length = (uint32_t) body.size;
        if (body.size > 0)
            memcpy(request->header + 1, body.data, body.size);
    } else {
        frame_put(&stream->out, header, body, node->client->options.crc);
        request->end = stream->sent + stream_waiting(stream);
    }
}

/* header NULL: made from `ask`. */
static uint64_t client_submit(struct rdsn_client *client, const char *name,
                              const struct rdsn_request *ask, bool datagram,
                              const struct rdsn_header *header, rdsn_done *done, void *arg)
{
    assert(!client->closed);
    struct fail fail;
    struct request *request = request_new(ask, done, arg);
    if (client_check(client, name, ask, datagram, &fail) != BR_OK)
        return client_refuse(client, request, &fail);
    size_t host_size;
    uint16_t port;
    number_node(name, &host_size, &port);
    struct node *node = node_find(client, name, host_size, port, datagram);
    if (stream_waiting(&node->stream) > CLIENT_OUTPUT_MAX) {
        fail_set(&fail, BR_UNAVAILABLE, "%s to %s was not sent: %zu bytes wait for it to read",
                 ask->rpc, name, stream_waiting(&node->stream));
        return client_refuse(client, request, &fail);
    }
    request_start(request, node);
    struct rdsn_header made;
    if (!header)
        client_header(client, ask, request->id, &made);
    request_write(request, header ? header : &made, ask->body);
    node_wake(node);
    return request->id;
}

uint64_t rdsn_client_call(struct rdsn_client *client, const char *node,
                          const struct rdsn_request *request, rdsn_done *done, void *arg)
{
    return client_submit(client, node, request, false, NULL, done, arg);
}

uint64_t rdsn_client_datagram(struct rdsn_client *client, const char *node,
                              const struct rdsn_request *request, rdsn_done *done, void *arg)
{
    return client_submit(client, node, request, true, NULL, done, arg);
}

void rdsn_client_post(struct rdsn_client *client, const char *node,
                      const struct rdsn_header *header, br_bytes body, br_time timeout)
{
    struct rdsn_request ask = {
        .rpc = header->rpc_name, .body = body, .timeout = timeout, .one_way = true
    };
    client_submit(client, node, &ask, false, header, NULL, NULL);
}

void rdsn_client_cancel(struct rdsn_client *client, uint64_t ticket)
{
    struct request *request = client_find(client, ticket);
    if (!request)
        return;
    struct node *node = request->node;
    request_finish(request, BR_CANCELED, "ERR_TIMEOUT", "%s to %s was given up", request->rpc,
                   node->name);
    node_settle(node);
}

/* -- Life ------------------------------------------------------------------------------------- */

struct rdsn_client *rdsn_client_new(struct event_base *base,
                                    const struct rdsn_client_options *options)
{
    struct rdsn_client *client = mem_new(sizeof *client);
    client->options = *options;
    struct rdsn_client_options *set = &client->options;
    set->from_address = set->from_address ? set->from_address : address_make(1, 1);
    set->connections_max = set->connections_max ? set->connections_max : 1024;
    set->body_max = set->body_max ? set->body_max : FRAME_BODY_MAX;
    set->idle = set->idle ? set->idle : BR_MINUTE;
    set->resolv_conf = mem_text(options->resolv_conf);
    client->base = base;
    client->mask = CLIENT_SLOTS_MIN - 1;
    client->slots = mem_array(CLIENT_SLOTS_MIN, sizeof(struct request *));
    if (getrandom(&client->seed, sizeof client->seed, 0) < 0)
        client->seed = (uint64_t) stream_now();
    TAILQ_INIT(&client->waiting);
    TAILQ_INIT(&client->idle);
    TAILQ_INIT(&client->finished);
    evtimer_assign(&client->soon, base, client_on_soon, client);
    evtimer_assign(&client->idle_timer, base, node_idle, client);
    return client;
}

static void request_drop(struct request_list *list)
{
    struct request *request;
    while ((request = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, request, link);
        if (request->node && request->timeout > 0)
            evtimer_del(&request->timer);
        request_free(request);
    }
}

static void client_destroy(struct rdsn_client *client)
{
    buf_done(&client->shared);
    free(client->slots);
    free((char *) (uintptr_t) client->options.resolv_conf);
    free(client);
}

static void client_free_node(void *arg)
{
    struct node *node = arg;
    request_drop(&node->requests);
    request_drop(&node->one_ways);
    node_free(node);
}

void rdsn_client_free(struct rdsn_client *client)
{
    if (!client)
        return;
    client->closed = true;
    tdestroy(client->nodes, client_free_node);
    client->nodes = NULL;
    request_drop(&client->finished);
    evtimer_del(&client->soon);
    evtimer_del(&client->idle_timer);
    resolver_free(client->resolver);
    if (client->busy == 0)
        client_destroy(client);
}

void client_enter(struct rdsn_client *client)
{
    client->busy++;
}

void client_leave(struct rdsn_client *client)
{
    if (--client->busy == 0 && client->closed)
        client_destroy(client);
}
