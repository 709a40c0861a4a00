/* table_client -- see table_client.h: operations, their attempts and what they are told.  What they
 * send is table_client_call.c's, where the primaries are table_client_config.c's.
 */
#include "host/rdsn/table_client_run.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/rdsn/message.h"
#include "host/rdsn/stream.h"

#define OPERATION_GAP       (8 * BR_MILLISECOND)
#define OPERATION_GAP_SHIFT 7 /* 8 ms << 7 is more than TABLE_CLIENT_GAP_MAX */

/* -- The end of an operation ------------------------------------------------------------------ */

static void operation_unlink(struct operation *operation)
{
    struct table_client *table = operation->table;
    if (operation->state == OPERATION_WAITING)
        TAILQ_REMOVE(&table->waiting, operation, link);
    TAILQ_REMOVE(&table->operations, operation, all);
    table->count--;
    evtimer_del(&operation->timer);
}

static void operation_free(struct operation *operation)
{
    buf_done(&operation->body);
    free(operation);
}

/* The operation is gone afterwards, and so may be the table. */
static void operation_tell(struct operation *operation, struct table_result *result)
{
    result->server = operation->server;
    result->app_id = operation->app_id;
    result->partition = operation->partition;
    result->attempts = operation->attempts;
    result->latency = stream_now() - operation->started;
    operation_unlink(operation);
    if (operation->done)
        operation->done(operation->arg, result);
    operation_free(operation);
}

static void operation_fail(struct operation *operation, br_status status, const char *error)
{
    if (operation->kind->write && operation->unanswered)
        status = BR_UNKNOWN;
    struct table_result result = {
        .status = status, .error = error, .why = operation->last.text, .decree = -1
    };
    operation_tell(operation, &result);
}

/* The deadline has passed.  Why: what the last attempt met, or what the last question brought. */
static void operation_too_late(struct operation *operation)
{
    const struct table_client *table = operation->table;
    double seconds = (double) (operation->deadline - operation->started) / (double) BR_SECOND;
    struct fail last = operation->last;
    if (operation->state == OPERATION_WAITING)
        fail_set(&last, BR_TIMEOUT, "table \"%s\" has no primary for it%s%s%s%s", table->name,
                 table->last.text[0] ? "; " : "", table->last.text,
                 operation->last.text[0] ? "; before that: " : "", operation->last.text);
    fail_set(&operation->last, BR_TIMEOUT, "%s was not done within %.3g s and %u attempts: %s",
             operation->kind->rpc, seconds, operation->attempts, last.text);
    operation_fail(operation, BR_TIMEOUT, "ERR_TIMEOUT");
}

/* -- Attempts --------------------------------------------------------------------------------- */

/* Errors that the next attempt would meet too (src/client/partition_resolver.h:error_retry). */
static bool operation_final(const char *error)
{
    static const char *const finals[] = { "ERR_HANDLER_NOT_FOUND",
                                          "ERR_APP_NOT_EXIST",
                                          "ERR_OPERATION_DISABLED",
                                          "ERR_BUSY",
                                          "ERR_SPLITTING",
                                          "ERR_DISK_INSUFFICIENT",
                                          "ERR_ACL_DENY" };
    for (size_t i = 0; i < sizeof finals / sizeof *finals; i++)
        if (strcmp(error, finals[i]) == 0)
            return true;
    return false;
}

static void operation_wait(struct operation *operation, enum operation_state state, br_time until)
{
    br_time now = stream_now();
    struct timeval wait = stream_timeval(until > now ? until - now : 0);
    operation->state = state;
    evtimer_add(&operation->timer, &wait);
}

static void operation_failed(struct operation *operation, const struct rdsn_reply *reply)
{
    struct table_client *table = operation->table;
    bool lost = reply->header == NULL && strcmp(reply->error, "ERR_BUSY") != 0;
    if (lost || strcmp(reply->error, "ERR_TIMEOUT") == 0)
        operation->unanswered = true;
    fail_set(&operation->last, reply->status, "%s", reply->why);
    if (reply->status == BR_TOOBIG || operation_final(reply->error)) {
        operation_fail(operation, reply->status, reply->error);
        return;
    }
    config_failed(table, operation, reply->error);
    if (operation->attempts == table->attempts_max) {
        operation_fail(operation, reply->status, reply->error);
        return;
    }
    uint32_t shift = operation->attempts - 1;
    br_time gap = OPERATION_GAP << (shift < OPERATION_GAP_SHIFT ? shift : OPERATION_GAP_SHIFT);
    br_time until = stream_now() + (gap < TABLE_CLIENT_GAP_MAX ? gap : TABLE_CLIENT_GAP_MAX);
    if (until < operation->deadline)
        operation_wait(operation, OPERATION_PAUSED, until);
    else
        operation_too_late(operation);
}

/* The server says that it is done, but not what; a write was carried out all the same. */
static void operation_senseless(struct operation *operation, const char *why)
{
    operation->unanswered = true;
    fail_set(&operation->last, BR_CORRUPT, "the answer of %s to %s makes no sense: %s",
             operation->server, operation->kind->rpc, why);
    operation_fail(operation, BR_CORRUPT, "ERR_INVALID_DATA");
}

static void operation_answered(struct operation *operation, const struct answer *answer)
{
    const struct operation_kind *kind = operation->kind;
    struct table_result result = {
        .error = "ERR_OK", .storage = answer->storage, .response = answer->response, .decree = -1
    };
    if (answer->storage == 0 || answer->storage == kind->also) {
        result.status = answer->storage == 0 ? BR_OK : kind->as;
        result.value = answer->value;
        if (kind->write)
            result.decree = answer->decree;
    } else {
        fail_set(&operation->last, BR_REFUSED, "the storage of %s says %d to %s", operation->server,
                 answer->storage, kind->rpc);
        result.status = BR_REFUSED;
        result.why = operation->last.text;
    }
    operation_tell(operation, &result);
}

static void operation_reply(void *arg, const struct rdsn_reply *reply)
{
    struct operation *operation = arg;
    struct table_client *table = operation->table;
    table_client_enter(table);
    struct answer answer = { .storage = 0 };
    struct fail fail;
    arena_init(&answer.arena, 256);
    if (reply->status != BR_OK)
        operation_failed(operation, reply);
    else if (answer_decode(operation->kind, reply->body, &answer, &fail) != BR_OK)
        operation_senseless(operation, fail.text);
    else if (answer.app_id != operation->app_id || answer.partition != operation->partition)
        operation_senseless(operation, "it is about another partition");
    else
        operation_answered(operation, &answer);
    arena_done(&answer.arena);
    table_client_leave(table);
}

static void operation_route(const struct table_client *table, int32_t partition, uint64_t hash,
                            struct rdsn_request *request)
{
    request->app_id = table->app_id;
    request->partition = partition;
    request->thread_hash = (int32_t) ((uint32_t) table->app_id * 7919 + (uint32_t) partition);
    request->partition_hash = hash;
}

static void operation_send(struct operation *operation, const struct cell *cell)
{
    struct table_client *table = operation->table;
    br_time left = operation->deadline - stream_now();
    operation->state = OPERATION_SENT;
    evtimer_del(&operation->timer);
    operation->attempts++;
    operation->epoch = table->epoch;
    operation->version = cell->version;
    operation->app_id = table->app_id;
    snprintf(operation->server, sizeof operation->server, "%s", cell->primary);
    struct rdsn_request request = {
        .rpc = operation->kind->rpc,
        .body = buf_bytes(&operation->body),
        .timeout = left > BR_MILLISECOND ? left : BR_MILLISECOND,
    };
    operation_route(table, operation->partition, operation->hash, &request);
    rdsn_client_call(table->client, cell->primary, &request, operation_reply, operation);
}

/* true: it is on its way. */
static bool operation_try(struct operation *operation)
{
    const struct cell *cell = config_find(operation->table, operation->hash, &operation->partition);
    if (!cell || !cell->primary)
        return false;
    if (operation->state == OPERATION_WAITING)
        TAILQ_REMOVE(&operation->table->waiting, operation, link);
    operation_send(operation, cell);
    return true;
}

static void operation_go(struct operation *operation)
{
    struct table_client *table = operation->table;
    if (operation_try(operation))
        return;
    operation_wait(operation, OPERATION_WAITING, operation->deadline);
    TAILQ_INSERT_TAIL(&table->waiting, operation, link);
    config_want(table, operation->hash);
}

void operations_wake(struct table_client *table, const char *error)
{
    struct operation *last = TAILQ_LAST(&table->waiting, operation_list);
    for (bool more = last != NULL; more && !table->closed;) {
        struct operation *operation = TAILQ_FIRST(&table->waiting);
        more = operation != last; /* what begins to wait meanwhile sees to itself */
        if (error) {
            operation->last = table->last;
            operation_fail(operation, BR_REFUSED, error);
        } else if (!operation_try(operation)) {
            TAILQ_REMOVE(&table->waiting, operation, link);
            TAILQ_INSERT_TAIL(&table->waiting, operation, link);
            config_want(table, operation->hash);
        }
    }
}

static const char *refused_error(br_status status)
{
    return status == BR_UNAVAILABLE ? "ERR_BUSY"
           : status == BR_TOOBIG    ? "ERR_INVALID_DATA"
                                    : "ERR_INVALID_PARAMETERS";
}

static void operation_on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct operation *operation = arg;
    struct table_client *table = operation->table;
    table_client_enter(table);
    switch (operation->state) {
    case OPERATION_PAUSED: operation_go(operation); break;
    case OPERATION_WAITING: operation_too_late(operation); break;
    case OPERATION_SENT: assert(false); break;
    case OPERATION_REFUSED:
        operation_fail(operation, operation->last.status, refused_error(operation->last.status));
        break;
    }
    table_client_leave(table);
}

/* -- Beginning -------------------------------------------------------------------------------- */

struct operation *operation_new(struct table_client *table, const struct operation_kind *kind,
                                const struct table_call *call)
{
    assert(!table->closed);
    struct operation *operation = mem_new(sizeof *operation);
    operation->table = table;
    operation->kind = kind;
    operation->hash = call->key ? table_key_hash(call->key) : call->hash;
    operation->started = stream_now();
    operation->deadline =
        operation->started + (call->timeout > 0 ? call->timeout : TABLE_CLIENT_TIMEOUT);
    operation->done = call->done;
    operation->arg = call->arg;
    operation->partition = -1;
    evtimer_assign(&operation->timer, table->base, operation_on_timer, operation);
    TAILQ_INSERT_TAIL(&table->operations, operation, all);
    table->count++;
    return operation;
}

void operation_begin(struct operation *operation)
{
    const struct table_client *table = operation->table;
    if (operation->last.status == BR_OK && operation->body.size > FRAME_BODY_MAX)
        fail_set(&operation->last, BR_TOOBIG, "%s has %zu bytes, more than %u",
                 operation->kind->rpc, operation->body.size, FRAME_BODY_MAX);
    else if (operation->last.status == BR_OK && table->count > TABLE_CLIENT_OPERATIONS_MAX)
        fail_set(&operation->last, BR_UNAVAILABLE,
                 "%d operations on table \"%s\" are outstanding; wait for some to end",
                 TABLE_CLIENT_OPERATIONS_MAX, table->name);
    if (operation->last.status != BR_OK)
        operation_wait(operation, OPERATION_REFUSED, 0);
    else
        operation_go(operation);
}

void table_client_forget(struct table_client *table, const void *arg)
{
    struct operation *operation;
    TAILQ_FOREACH(operation, &table->operations, all)
    {
        if (operation->arg == arg)
            operation->done = NULL;
    }
}

void table_client_clear_scanner(struct table_client *table, uint64_t hash, const char *server,
                                int64_t context_id)
{
    int32_t partition;
    const struct cell *cell = config_find(table, hash, &partition);
    if (!cell || !cell->primary || strcmp(cell->primary, server) != 0)
        return;
    struct buf body = { 0 };
    wire_encode_value(WIRE_I64, &context_id, &body);
    struct rdsn_request request = { .rpc = "RPC_RRDB_RRDB_CLEAR_SCANNER",
                                    .body = buf_bytes(&body) };
    request.one_way = true;
    operation_route(table, partition, hash, &request);
    rdsn_client_call(table->client, cell->primary, &request, NULL, NULL);
    buf_done(&body);
}

/* -- Life ------------------------------------------------------------------------------------- */

static br_status options_check(const struct table_client_options *options, struct fail *ret_fail)
{
    if (!options->table || !*options->table)
        return fail_set(ret_fail, BR_INVALID, "the table has no name");
    if (options->meta_count == 0 || options->meta_count > TABLE_CLIENT_METAS_MAX)
        return fail_set(ret_fail, BR_INVALID, "%u meta servers are given; 1 to %d are needed",
                        options->meta_count, TABLE_CLIENT_METAS_MAX);
    for (uint32_t i = 0; i < options->meta_count; i++) {
        size_t host;
        uint16_t port;
        if (!number_node(options->metas[i], &host, &port))
            return fail_set(ret_fail, BR_INVALID, "meta server \"%s\" is not host:port",
                            options->metas[i]);
    }
    return BR_OK;
}

struct table_client *table_client_new(struct event_base *base,
                                      const struct table_client_options *options,
                                      struct fail *ret_fail)
{
    if (options_check(options, ret_fail) != BR_OK)
        return NULL;
    struct table_client *table = mem_new(sizeof *table);
    table->base = base;
    table->name = mem_text(options->table);
    for (uint32_t i = 0; i < options->meta_count; i++)
        table->metas[i] = mem_text(options->metas[i]);
    table->meta_count = options->meta_count;
    table->attempts_max = options->attempts_max;
    table->query_timeout = options->query_timeout ? options->query_timeout : 2 * BR_SECOND;
    table->requery = options->requery ? options->requery : BR_SECOND;
    TAILQ_INIT(&table->operations);
    TAILQ_INIT(&table->waiting);
    evtimer_assign(&table->ask, base, config_on_ask, table);
    table->client = rdsn_client_new(base, &options->rdsn);
    return table;
}

static void table_client_destroy(struct table_client *table)
{
    for (uint32_t i = 0; i < table->meta_count; i++)
        free(table->metas[i]);
    config_reset(table, 0);
    buf_done(&table->question);
    free(table->name);
    free(table);
}

void table_client_free(struct table_client *table)
{
    if (!table)
        return;
    table->closed = true;
    rdsn_client_free(table->client);
    evtimer_del(&table->ask);
    struct operation *operation;
    while ((operation = TAILQ_FIRST(&table->operations)) != NULL) {
        operation_unlink(operation);
        operation_free(operation);
    }
    if (table->busy == 0)
        table_client_destroy(table);
}

void table_client_enter(struct table_client *table)
{
    table->busy++;
}

void table_client_leave(struct table_client *table)
{
    if (--table->busy == 0 && table->closed)
        table_client_destroy(table);
}

int32_t table_client_partitions(const struct table_client *table)
{
    return table->cell_count;
}

uint64_t table_client_questions(const struct table_client *table)
{
    return table->questions;
}
