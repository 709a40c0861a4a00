/* etcd_proxy -- see etcd_proxy.h. */
#include "t/etcd_proxy.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "host/base/mem.h"
#include "host/base/number.h"

/* One request on its way; `request` is NULL once its connection has ended. */
struct relay {
    struct relay *next;
    struct evhttp_request *request;
    struct evhttp_connection *from;
    struct evhttp_connection *to; /* NULL: it is swallowed */
    int way;
    char *answer;
};

struct proxy {
    struct evhttp *http;
    struct evhttp_bound_socket *bound;
    struct relay *relays;
    char hosts[64];
    char *what; /* NULL: nothing fails */
    int left;
    int way;
    char *answer;
    void (*before)(void *arg);
    void *before_arg;
    bool reached;
    bool cut;
};

static struct proxy *proxy; /* of the running test */

static void relay_free(struct relay *relay)
{
    struct relay **link = &proxy->relays;
    while (*link != relay)
        link = &(*link)->next;
    *link = relay->next;
    free(relay->answer);
    free(relay);
}

static void reply(struct evhttp_request *request, int code, const char *answer)
{
    struct evbuffer *body = evbuffer_new();
    evbuffer_add(body, answer, strlen(answer));
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                      "application/json");
    evhttp_send_reply(request, code, NULL, body);
    evbuffer_free(body);
}

static void relay_cut(struct relay *relay)
{
    if (relay->from) {
        evhttp_connection_set_closecb(relay->from, NULL, NULL);
        evhttp_connection_free(relay->from); /* with its request */
    }
    relay->from = NULL;
    relay->request = NULL;
}

static void relay_answered(struct evhttp_request *from, void *arg)
{
    struct relay *relay = arg;
    if (relay->from)
        evhttp_connection_set_closecb(relay->from, NULL, NULL);
    if (!from || evhttp_request_get_response_code(from) == 0 || relay->way == PROXY_CUT_REPLY)
        relay_cut(relay);
    else if (relay->request && relay->way == PROXY_REPLACE_REPLY)
        reply(relay->request, HTTP_OK, relay->answer);
    else if (relay->request)
        evhttp_send_reply(relay->request, evhttp_request_get_response_code(from), NULL,
                          evhttp_request_get_input_buffer(from));
    relay_free(relay);
}

/* Not from inside evhttp's callback for a request, which still looks at the connection. */
static void relay_cut_later(evutil_socket_t fd, short events, void *arg)
{
    (void) fd, (void) events;
    relay_cut(arg);
    relay_free(arg);
}

static void relay_closed(struct evhttp_connection *from, void *arg)
{
    struct relay *relay = arg;
    (void) from;
    relay->from = NULL;
    relay->request = NULL;
}

static const char *header(struct evhttp_request *request, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(request), name);
}

static void relay_go(struct relay *relay)
{
    struct event_base *base = conform.loop->base;
    size_t host_size;
    uint16_t port;
    ck_assert(number_node(server_env("HOSTS"), &host_size, &port));
    const char *token = header(relay->request, "Authorization");
    relay->to = evhttp_connection_base_new(base, NULL, "127.0.0.1", port);
    evhttp_connection_free_on_completion(relay->to);
    struct evhttp_request *request = evhttp_request_new(relay_answered, relay);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Host", server_env("HOSTS"));
    evhttp_add_header(headers, "Content-Type", "application/json");
    evhttp_add_header(headers, "Connection", "close");
    if (token)
        evhttp_add_header(headers, "Authorization", token);
    evbuffer_add_buffer(evhttp_request_get_output_buffer(request),
                        evhttp_request_get_input_buffer(relay->request));
    evhttp_make_request(relay->to, request, EVHTTP_REQ_POST,
                        evhttp_request_get_uri(relay->request));
}

/* How this one fails. */
static int proxy_way(struct evhttp_request *request)
{
    if (proxy->cut)
        return PROXY_CUT_REQUEST;
    if (!proxy->what || strcmp(evhttp_request_get_uri(request), proxy->what) != 0
        || --proxy->left > 0)
        return PROXY_PASS;
    free(proxy->what);
    proxy->what = NULL;
    proxy->reached = true;
    int way = proxy->way;
    void (*before)(void *arg) = proxy->before;
    proxy->before = NULL;
    if (before)
        before(proxy->before_arg); /* which may say what is next */
    return way;
}

static void proxy_take(struct evhttp_request *request, void *arg)
{
    (void) arg;
    int way = proxy_way(request);
    if (way > 0) {
        reply(request, way, proxy->answer);
        return;
    }
    struct relay *relay = mem_new(sizeof *relay);
    *relay = (struct relay){ .next = proxy->relays, .request = request };
    relay->way = way;
    relay->answer = way == PROXY_REPLACE_REPLY ? mem_text(proxy->answer) : NULL;
    relay->from = evhttp_request_get_connection(request);
    proxy->relays = relay;
    evhttp_connection_set_closecb(relay->from, relay_closed, relay);
    if (way == PROXY_CUT_REQUEST)
        event_base_once(conform.loop->base, -1, EV_TIMEOUT, relay_cut_later, relay, NULL);
    else if (way != PROXY_SWALLOW)
        relay_go(relay);
}

static void setup(void)
{
    proxy = mem_new(sizeof *proxy);
    *proxy = (struct proxy){ .http = evhttp_new(conform.loop->base) };
    proxy->bound = evhttp_bind_socket_with_handle(proxy->http, "127.0.0.1", 0);
    ck_assert_ptr_nonnull(proxy->bound);
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    ck_assert_int_eq(
        getsockname(evhttp_bound_socket_get_fd(proxy->bound), (struct sockaddr *) &address, &size),
        0);
    snprintf(proxy->hosts, sizeof proxy->hosts, "hosts=127.0.0.1:%d", ntohs(address.sin_port));
    evhttp_set_gencb(proxy->http, proxy_take, NULL);
}

static void teardown(void)
{
    while (proxy->relays) {
        struct relay *relay = proxy->relays;
        if (relay->from)
            evhttp_connection_set_closecb(relay->from, NULL, NULL);
        if (relay->to)
            evhttp_connection_free(relay->to);
        relay_free(relay);
    }
    evhttp_free(proxy->http);
    free(proxy->what);
    free(proxy->answer);
    free(proxy);
}

TCase *proxy_case(const char *name)
{
    TCase *tcase = conform_case(name);
    tcase_add_checked_fixture(tcase, setup, teardown);
    return tcase;
}

struct instance *proxy_instance(const char *option)
{
    return server_instance(proxy->hosts, option, NULL);
}

const char *proxy_hosts(void)
{
    return proxy->hosts;
}

void proxy_fail(const char *what, int number, int way, const char *answer)
{
    free(proxy->what);
    free(proxy->answer);
    proxy->what = mem_text(what);
    proxy->answer = mem_text(answer ? answer : "");
    proxy->left = number;
    proxy->way = way;
    proxy->reached = false;
    proxy->before = NULL;
}

void proxy_before(void (*before)(void *arg), void *arg)
{
    proxy->before = before;
    proxy->before_arg = arg;
}

bool proxy_reached(void)
{
    return proxy->reached;
}

void proxy_cut(bool cut)
{
    proxy->cut = cut;
}
