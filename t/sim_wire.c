/* sim_wire -- host/rdsn/server.h and client.h without sockets, in their place: the server hands on
 * what the operator asks, and the client reaches nobody.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "t/sim.h"

/* -- The server -------------------------------------------------------------------------------- */

struct rdsn_server {
    struct rdsn_server_options options;
};

/* A request that the operator made. */
struct question {
    struct rdsn_incoming incoming; /* first */
    void (*reply)(const char *error, br_bytes body);
    struct buf body;
};

static struct rdsn_server *wire_server;

struct rdsn_server *rdsn_server_new(struct event_base *base,
                                    const struct rdsn_server_options *options,
                                    struct fail *ret_fail)
{
    (void) base;
    (void) ret_fail;
    struct rdsn_server *server = mem_new(sizeof *server);
    server->options = *options;
    wire_server = server;
    return server;
}

void rdsn_server_free(struct rdsn_server *server)
{
    wire_server = NULL;
    free(server);
}

uint64_t rdsn_server_address(const struct rdsn_server *server)
{
    (void) server;
    return address_make(0x0a000064, 34601);
}

void rdsn_server_drop(struct rdsn_incoming *incoming)
{
    struct question *question = (struct question *) (void *) incoming;
    buf_done(&question->body);
    free(question);
}

void rdsn_server_reply(struct rdsn_incoming *incoming, const char *error_name, br_bytes body)
{
    struct question *question = (struct question *) (void *) incoming;
    question->reply(error_name, body);
    rdsn_server_drop(incoming);
}

void rdsn_server_reject(struct rdsn_incoming *incoming, const char *why)
{
    sim_break("a request was rejected: %s", why);
    rdsn_server_drop(incoming);
}

void sim_wire_request(const char *rpc, br_bytes body,
                      void (*reply)(const char *error, br_bytes body))
{
    struct question *question = mem_new(sizeof *question);
    buf_put(&question->body, body.data, body.size);
    question->reply = reply;
    question->incoming =
        (struct rdsn_incoming){ .framing = FRAMING_RDSN, .body = buf_bytes(&question->body) };
    snprintf(question->incoming.header.rpc_name, sizeof question->incoming.header.rpc_name, "%s",
             rpc);
    wire_server->options.request(wire_server->options.arg, &question->incoming);
}

/* -- The client -------------------------------------------------------------------------------- */

struct wire_call {
    struct wire_call *next;
    struct timer *timer;
    struct rdsn_client *client;
    rdsn_done *done;
    void *arg;
};

struct rdsn_client {
    struct wire_call *calls;
    uint64_t tickets;
};

struct rdsn_client *rdsn_client_new(struct event_base *base,
                                    const struct rdsn_client_options *options)
{
    (void) base;
    (void) options;
    return mem_new(sizeof(struct rdsn_client));
}

void rdsn_client_free(struct rdsn_client *client)
{
    for (struct wire_call *next, *call = client->calls; call; call = next) {
        next = call->next;
        timer_cancel(call->timer);
        free(call);
    }
    free(client);
}

static void wire_refused(void *arg)
{
    struct wire_call call = *(struct wire_call *) arg;
    struct wire_call **at = &call.client->calls;
    while (*at != arg)
        at = &(*at)->next;
    *at = call.next;
    free(arg);
    call.done(call.arg, &(struct rdsn_reply){ .status = BR_UNAVAILABLE,
                                              .error = "ERR_NETWORK_FAILURE",
                                              .why = "nobody is there" });
}

uint64_t rdsn_client_call(struct rdsn_client *client, const char *node,
                          const struct rdsn_request *request, rdsn_done *done, void *arg)
{
    (void) node;
    (void) request;
    if (done) {
        struct wire_call *call = mem_new(sizeof *call);
        *call = (struct wire_call){ client->calls, NULL, client, done, arg };
        client->calls = call;
        call->timer = loop_after(sim.process.loop, BR_MILLISECOND, wire_refused, call);
    }
    return ++client->tickets;
}

void rdsn_client_cancel(struct rdsn_client *client, uint64_t ticket)
{
    (void) client;
    (void) ticket;
}

uint64_t rdsn_client_datagram(struct rdsn_client *client, const char *node,
                              const struct rdsn_request *request, rdsn_done *done, void *arg)
{
    return rdsn_client_call(client, node, request, done, arg);
}

void rdsn_client_post(struct rdsn_client *client, const char *node,
                      const struct rdsn_header *header, br_bytes body, br_time timeout)
{
    (void) client;
    (void) node;
    (void) header;
    (void) body;
    (void) timeout;
}

bool rdsn_client_deliver(struct rdsn_client *client, const struct rdsn_header *header,
                         br_bytes body)
{
    (void) client;
    (void) header;
    (void) body;
    return false;
}
