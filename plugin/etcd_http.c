/* etcd_http -- requests on the lanes: each is one connection that carries one request at a time, so
 * that what is asked on one lane is carried out in that order.
 *
 * evhttp answers a request that could not even be sent with status 0, and one that was sent and got
 * no answer without a request at all: the two are not the same to a write.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "plugin/store_etcd.h"

static void line_go(struct etcd *etcd, struct etcd_line *line);

static void ask_free(struct etcd_ask *ask)
{
    buf_done(&ask->body);
    free(ask);
}

static struct etcd_ask *line_take(struct etcd_line *line)
{
    struct etcd_ask *ask = line->first;
    line->first = ask->next;
    line->count--;
    if (!line->first)
        line->last = &line->first;
    return ask;
}

/* google.rpc.Code, as far as etcd uses it.  What says that time ran out, or that the leader
 * changed, says nothing of what became of a write. */
static br_status http_status(int64_t code, const char *message)
{
    switch (code) {
    case 3:
        return strstr(message, "too large") || strstr(message, "too many operations") ? BR_TOOBIG
                                                                                      : BR_INVALID;
    case 5: return BR_NOTFOUND;
    case 7: return BR_DENIED;
    case 16: return BR_UNAVAILABLE; /* the token has expired: not carried out */
    case 8:
    case 9: return BR_REFUSED;
    case 12: return BR_UNSUPPORTED;
    default: return BR_UNKNOWN;
    }
}

static void http_take(struct evhttp_request *request, struct etcd_reply *reply)
{
    struct evbuffer *input = evhttp_request_get_input_buffer(request);
    size_t size = evbuffer_get_length(input);
    const char *text = size ? (const char *) evbuffer_pullup(input, -1) : "";
    reply->json = json_loadb(text, size, JSON_DISABLE_EOF_CHECK, NULL);
    if (!json_is_object(reply->json)) {
        reply->status = BR_UNKNOWN;
        reply->why = "the answer is no JSON: is it etcd, version 3.4 or later?";
        return;
    }
    /* A stream, which is what a lease is renewed by, has it one level further down. */
    const json_t *error = json_object_get(reply->json, "error");
    const bool nested = json_is_object(error);
    error = nested ? error : reply->json;
    const char *message = json_string_value(json_object_get(error, "message"));
    if (evhttp_request_get_response_code(request) == HTTP_OK && !message) {
        reply->status = BR_OK;
        reply->why = NULL;
        reply->revision = etcd_number(json_object_get(reply->json, "header"), "revision");
        return;
    }
    reply->why = message ? message : "it refuses and does not say why";
    reply->status = http_status(etcd_number(error, nested ? "grpc_code" : "code"), reply->why);
}

static void http_done(struct evhttp_request *request, void *arg)
{
    struct etcd_ask *ask = arg;
    struct etcd *etcd = ask->etcd;
    struct etcd_line *line = &etcd->lines[ask->lane];
    struct etcd_reply reply = { .status = BR_UNKNOWN, .why = "sent, and no answer came" };
    if (line->sending) { /* from inside, as where no descriptor is left */
        line->failed = true;
        return;
    }
    if (request && evhttp_request_get_response_code(request) == 0) {
        reply.status = BR_UNAVAILABLE;
        reply.why = "no connection";
    } else if (request) {
        http_take(request, &reply);
    }
    if (etcd->tls && !reply.json) {
        const char *why = etcd_tls_why(etcd, evhttp_connection_get_bufferevent(line->http));
        reply.why = why ? why : reply.why;
    }
    bool lost = !reply.json || reply.status == BR_UNKNOWN || reply.status == BR_UNAVAILABLE;
    line_take(line);
    if (lost)
        etcd_go_down(etcd, reply.why);
    ask->done(etcd, ask->arg, &reply);
    json_decref(reply.json);
    ask_free(ask);
    if (!lost)
        line_go(etcd, line);
}

static void ask_failed(struct br_env *env, void *arg)
{
    struct etcd_ask *ask = arg;
    struct etcd_reply reply = { .status = ask->status, .why = ask->why };
    ask->done(env->self, ask->arg, &reply);
    ask_free(ask);
}

static void ask_fail(struct etcd *etcd, struct etcd_ask *ask, br_status status, const char *why)
{
    ask->status = status;
    ask->why = why;
    br_post(etcd->env, ask_failed, ask);
}

static bool line_open(struct etcd *etcd, struct etcd_line *line)
{
    const struct timeval limit = { .tv_sec = etcd->request_timeout / BR_SECOND,
                                   .tv_usec = etcd->request_timeout % BR_SECOND / 1000 };
    struct bufferevent *tls = etcd->tls ? etcd_tls_connection(etcd) : NULL;
    if (etcd->tls && !tls)
        return false;
    line->http = evhttp_connection_base_bufferevent_new(etcd->env->loop, NULL, tls, etcd->address,
                                                        etcd->host[etcd->at].port);
    if (!line->http)
        return false;
    evhttp_connection_set_timeout_tv(line->http, &limit);
    evhttp_connection_set_max_body_size(line->http, ETCD_REPLY_MAX);
    return true;
}

/* evhttp sends in pieces, and a piece that waits for the one before to be acknowledged waits long.
 * The socket is there from the second request on. */
static void line_hurry(struct etcd_line *line)
{
    const int one = 1;
    int fd = (int) bufferevent_getfd(evhttp_connection_get_bufferevent(line->http));
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static bool line_send(struct etcd *etcd, struct etcd_line *line, struct etcd_ask *ask)
{
    if (!line->http && !line_open(etcd, line))
        return false;
    struct evhttp_request *request = evhttp_request_new(http_done, ask);
    if (!request)
        return false;
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Host", etcd->host[etcd->at].text);
    evhttp_add_header(headers, "Content-Type", "application/json");
    if (etcd->token)
        evhttp_add_header(headers, "Authorization", etcd->token);
    evbuffer_add(evhttp_request_get_output_buffer(request), ask->body.data, ask->body.size);
    ask->sent = true;
    line_hurry(line);
    line->failed = false;
    line->sending = true;
    bool made = evhttp_make_request(line->http, request, EVHTTP_REQ_POST, ask->what) == 0;
    line->sending = false;
    return made && !line->failed;
}

static void line_go(struct etcd *etcd, struct etcd_line *line)
{
    if (!line->first || line->first->sent || line_send(etcd, line, line->first))
        return;
    ask_fail(etcd, line_take(line), BR_UNAVAILABLE, "no connection can be made");
    etcd_go_down(etcd, "no connection can be made");
}

void etcd_ask(struct etcd *etcd, enum etcd_lane lane, const char *what, struct buf *body,
              etcd_done *done, void *arg)
{
    struct etcd_line *line = &etcd->lines[lane];
    struct etcd_ask *ask = mem_new(sizeof *ask);
    *ask = (struct etcd_ask){
        .etcd = etcd, .lane = lane, .what = what, .body = *body, .done = done, .arg = arg
    };
    *body = (struct buf){ 0 };
    if (etcd->going_down) {
        ask_fail(etcd, ask, BR_UNAVAILABLE, "the connection was lost");
        return;
    }
    if (!line->last)
        line->last = &line->first;
    *line->last = ask;
    line->last = &ask->next;
    line->count++;
    if (line->count == 1)
        line_go(etcd, line);
}

void etcd_ask_ranges(struct etcd *etcd, enum etcd_lane lane, struct buf *ranges, etcd_done *done,
                     void *arg)
{
    struct buf body = { 0 };
    buf_text(&body, "{\"success\":[");
    buf_put(&body, ranges->data, ranges->size);
    buf_text(&body, "]}");
    buf_done(ranges);
    etcd_ask(etcd, lane, "/v3/kv/txn", &body, done, arg);
}

void etcd_http_reset(struct etcd *etcd, const char *why)
{
    for (int i = 0; i < ETCD_LANES; i++) {
        struct etcd_line *line = &etcd->lines[i];
        if (line->http)
            evhttp_connection_free(line->http); /* with its request, which is not called back */
        line->http = NULL;
        while (line->first) {
            struct etcd_ask *ask = line_take(line);
            ask_fail(etcd, ask, ask->sent ? BR_UNKNOWN : BR_UNAVAILABLE, why);
        }
    }
}
