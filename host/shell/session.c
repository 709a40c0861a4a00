/* session -- see session.h.  The event loop runs only while a question is under way. */
#include "host/shell/session.h"

#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/mem.h"

struct session {
    struct arena arena;
    struct event_base *base;
    struct rdsn_client *client;
    struct table_client *table; /* of `table_name`; NULL: none yet */
    char *table_name;
    enum wire_peer peer;
    const char *const *metas;
    uint32_t meta_count;
    uint32_t first;                 /* the meta server that could be reached last */
    char leader[NODE_NAME_MAX + 1]; /* as another one said; "": not known */

    struct exchange *exchanges; /* of the present run */
    size_t count, next, finished;
    void (*tick)(void *arg, int second);
    void *tick_arg;
    int second;
};

static br_time session_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * BR_SECOND + now.tv_nsec;
}

const char *const *session_split(struct arena *arena, const char *text, const char **ret_bad)
{
    size_t count = 1;
    for (const char *at = text; *at; at++)
        count += *at == ',';
    const char **nodes = arena_zero(arena, (count + 1) * sizeof *nodes);
    count = 0;
    while (*text) {
        size_t size = strcspn(text, ",");
        const char *from = text + strspn(text, " \t"), *to = text + size;
        while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
            to--;
        size_t host;
        uint16_t port;
        if (to > from) {
            nodes[count] = arena_text(arena, from, (size_t) (to - from));
            if (!number_node(nodes[count++], &host, &port)) {
                *ret_bad = nodes[count - 1];
                return NULL;
            }
        }
        text += size + (text[size] == ',');
    }
    return nodes;
}

struct session *session_new(const char *metas, enum wire_peer peer, struct fail *ret_fail)
{
    struct session *session = mem_new(sizeof *session);
    const char *bad = NULL;
    arena_init(&session->arena, 4096);
    session->peer = peer;
    session->metas = session_split(&session->arena, metas, &bad);
    while (session->metas && session->metas[session->meta_count])
        session->meta_count++;
    if (bad)
        fail_set(ret_fail, BR_INVALID, "--meta: \"%s\" is not host:port", bad);
    else if (session->meta_count == 0)
        fail_set(ret_fail, BR_INVALID, "--meta names no meta server");
    else if (session->meta_count > SESSION_METAS_MAX)
        fail_set(ret_fail, BR_TOOBIG, "--meta names more than %d meta servers", SESSION_METAS_MAX);
    else
        session->base = event_base_new();
    if (!session->base) {
        session_free(session);
        return NULL;
    }
    session->client = rdsn_client_new(session->base, &(struct rdsn_client_options){ 0 });
    return session;
}

void session_free(struct session *session)
{
    table_client_free(session->table);
    free(session->table_name);
    if (session->client) {
        rdsn_client_free(session->client);
        event_base_loop(session->base, EVLOOP_NONBLOCK);
    }
    if (session->base)
        event_base_free(session->base);
    arena_done(&session->arena);
    free(session);
}

const char *const *session_metas(const struct session *session)
{
    return session->metas;
}

enum wire_peer session_peer(const struct session *session)
{
    return session->peer;
}

static void session_send(struct exchange *exchange);

static void session_start_more(struct session *session)
{
    while (session->next < session->count && session->next - session->finished < SESSION_PARALLEL) {
        struct exchange *exchange = &session->exchanges[session->next++];
        const struct rpc *rpc = rpc_find(exchange->rpc);
        exchange->session = session;
        exchange->deadline =
            session_now() + (exchange->timeout ? exchange->timeout : SESSION_TIMEOUT);
        exchange->tried = exchange->hops = 0;
        exchange->why[0] = '\0';
        exchange->body = (struct buf){ 0 };
        wire_encode(rpc->request, exchange->request, session->peer, &exchange->body);
        session_send(exchange);
    }
}

/* One reason behind the other: each server that was tried has its own. */
static void session_why(struct exchange *exchange, const char *why)
{
    size_t size = strlen(exchange->why);
    snprintf(exchange->why + size, sizeof exchange->why - size, "%s%s", size && *why ? "; " : "",
             why);
}

static void session_finish(struct exchange *exchange, const char *error, const char *why)
{
    struct session *session = exchange->session;
    snprintf(exchange->error, sizeof exchange->error, "%s", error);
    session_why(exchange, why);
    buf_done(&exchange->body);
    if (exchange->take)
        exchange->take(exchange);
    if (++session->finished == session->count)
        event_base_loopbreak(session->base);
    else
        session_start_more(session);
}

static const char *session_node(const struct exchange *exchange)
{
    const struct session *session = exchange->session;
    if (exchange->node)
        return exchange->node;
    return exchange->by_leader
               ? session->leader
               : session->metas[(session->first + exchange->tried) % session->meta_count];
}

/* Its word for the leader; false: it does not know, or too many have said so. */
static bool session_follow(struct exchange *exchange, br_bytes body)
{
    struct session *session = exchange->session;
    uint64_t leader = 0;
    struct arena arena;
    arena_init(&arena, 256);
    br_status status = wire_decode_value(WIRE_ADDRESS, body, wire_arena(&arena), &leader, NULL);
    arena_done(&arena);
    if (exchange->node || status != BR_OK || (leader & 3) != ADDRESS_IPV4
        || ++exchange->hops > SESSION_HOPS_MAX)
        return false;
    address_format(leader, session->leader);
    session_send(exchange);
    return true;
}

/* Another meta server may be reachable, or lead; false: all were tried. */
static bool session_next(struct exchange *exchange)
{
    struct session *session = exchange->session;
    if (exchange->node)
        return false;
    if (exchange->by_leader)
        session->leader[0] = '\0';
    else if (++exchange->tried == session->meta_count)
        return false;
    session_send(exchange);
    return true;
}

/* The response's own error: its first field, by whichever schema. */
static const char *session_decode(struct exchange *exchange, br_bytes body, struct fail *fail)
{
    const struct rpc *rpc = rpc_find(exchange->rpc);
    struct wire_memory memory = wire_arena(exchange->arena);
    if (!rpc->response)
        return wire_decode_value(rpc->response_kind, body, memory, exchange->response, fail)
                       == BR_OK
                   ? "ERR_OK"
                   : NULL;
    if (wire_decode(rpc->response, body, memory, exchange->response, fail) != BR_OK)
        return NULL;
    const struct wire_field *first = &rpc->response->fields[0];
    assert(first->kind == WIRE_ERROR);
    const char *error;
    memcpy(&error, (const char *) exchange->response + first->offset, sizeof error);
    return error && *error ? error : "ERR_UNKNOWN";
}

static void session_answered(struct exchange *exchange, br_bytes body)
{
    struct session *session = exchange->session;
    struct fail fail = { 0 };
    const char *error = session_decode(exchange, body, &fail);
    if (!error) {
        exchange->why[0] = '\0';
        fail_prefix(&fail, "%s answered %s", session_node(exchange), exchange->rpc);
        session_finish(exchange, "ERR_INVALID_DATA", fail.text);
        return;
    }
    if (strcmp(error, "ERR_FORWARD_TO_OTHERS") == 0 && session_next(exchange))
        return;
    if (!exchange->node && !exchange->by_leader) {
        session->first = (session->first + exchange->tried) % session->meta_count;
        exchange->tried = 0;
    }
    exchange->why[0] = '\0'; /* of those that were tried before */
    session_finish(exchange, error, "");
}

static void session_done(void *arg, const struct rdsn_reply *reply)
{
    struct exchange *exchange = arg;
    if (reply->status == BR_OK) {
        session_answered(exchange, reply->body);
        return;
    }
    if (reply->status == BR_REFUSED && strcmp(reply->error, "ERR_FORWARD_TO_OTHERS") == 0
        && session_follow(exchange, reply->body))
        return;
    const char *why = reply->why ? reply->why : session_node(exchange);
    if (reply->status != BR_UNAVAILABLE) {
        session_finish(exchange, reply->error, why);
        return;
    }
    session_why(exchange, why);
    if (!session_next(exchange))
        session_finish(exchange, reply->error, "");
}

static void session_send(struct exchange *exchange)
{
    struct session *session = exchange->session;
    exchange->by_leader = !exchange->node && session->leader[0];
    br_time left = exchange->deadline - session_now();
    struct rdsn_request request = { .rpc = exchange->rpc,
                                    .body = buf_bytes(&exchange->body),
                                    .timeout = left > BR_MILLISECOND ? left : BR_MILLISECOND };
    rdsn_client_call(session->client, session_node(exchange), &request, session_done, exchange);
}

static void session_tick(evutil_socket_t fd, short what, void *arg)
{
    struct session *session = arg;
    (void) fd;
    (void) what;
    session->tick(session->tick_arg, session->second++);
}

void session_run(struct session *session, struct exchange *exchanges, size_t count,
                 void (*tick)(void *arg, int second), void *arg)
{
    if (count == 0)
        return;
    session->exchanges = exchanges;
    session->count = count;
    session->next = session->finished = 0;
    session->tick = tick;
    session->tick_arg = arg;
    session->second = 0;
    struct event *timer =
        tick ? event_new(session->base, -1, EV_PERSIST, session_tick, session) : NULL;
    if (timer)
        event_add(timer, &(struct timeval){ .tv_sec = 1 });
    session_start_more(session);
    while (session->finished < count)
        event_base_loop(session->base, EVLOOP_NO_EXIT_ON_EMPTY);
    if (timer)
        event_free(timer);
}

bool session_ask(struct session *session, struct exchange *exchange)
{
    session_run(session, exchange, 1, NULL, NULL);
    return exchange_ok(exchange);
}

void session_pace_start(struct session_pace *pace, br_time timeout)
{
    *pace =
        (struct session_pace){ .deadline = session_now() + timeout, .pause = SESSION_PAUSE_MIN };
}

bool session_wait(struct session *session, struct session_pace *pace)
{
    br_time left = pace->deadline - session_now();
    if (left <= 0)
        return false;
    br_time pause = pace->pause < left ? pace->pause : left;
    struct timeval time = { .tv_sec = (time_t) (pause / BR_SECOND),
                            .tv_usec = (suseconds_t) (pause % BR_SECOND / 1000) };
    event_base_loopexit(session->base, &time);
    event_base_loop(session->base, EVLOOP_NO_EXIT_ON_EMPTY);
    pace->pause = 2 * pace->pause < SESSION_PAUSE_MAX ? 2 * pace->pause : SESSION_PAUSE_MAX;
    return true;
}

struct table_client *session_table(struct session *session, const char *table,
                                   struct fail *ret_fail)
{
    if (session->table && strcmp(session->table_name, table) == 0)
        return session->table;
    table_client_free(session->table);
    free(session->table_name);
    session->table_name = mem_text(table);
    session->table = table_client_new(session->base,
                                      &(struct table_client_options){
                                          .table = table,
                                          .metas = session->metas,
                                          .meta_count = session->meta_count,
                                      },
                                      ret_fail);
    return session->table;
}

void session_until(struct session *session, const bool *done)
{
    while (!*done)
        event_base_loop(session->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
}
