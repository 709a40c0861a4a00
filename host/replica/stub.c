/* stub -- see stub.h. */
#include "host/replica/stub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/base/number.h"
#include "host/replica/copy.h"
#include "host/replica/files.h"
#include "host/replica/syncer.h"
#include "host/replica/worker.h"

#define STUB_TIMEOUT (5 * BR_SECOND)

const struct stub_options stub_defaults = {
    .log_size = 4 << 20,
    .beacon_interval = 3 * BR_SECOND,
    .check_interval = 2 * BR_SECOND,
    .lease = 20 * BR_SECOND,
    .config_sync_interval = 30 * BR_SECOND,
    .group_check_interval = 10 * BR_SECOND,
    .gc_memory_interval = 10 * BR_MINUTE,
};

/* -- Calls ------------------------------------------------------------------------------------ */

struct outgoing *stub_outgoing(struct stub *stub, struct replica *replica, outgoing_done *done)
{
    struct outgoing *call = TAILQ_FIRST(&stub->idle_calls);
    if (call)
        TAILQ_REMOVE(&stub->idle_calls, call, link);
    else
        call = mem_new(sizeof *call);
    *call = (struct outgoing){ .stub = stub, .replica = replica, .done = done };
    if (replica)
        replica_hold(replica);
    TAILQ_INSERT_TAIL(&stub->calls, call, link);
    return call;
}

void stub_forget(struct outgoing *call)
{
    struct stub *stub = call->stub;
    struct replica *replica = call->replica;
    struct copy *copy = call->copy;
    timer_cancel(call->timer);
    mutation_release(call->mutation);
    TAILQ_REMOVE(&stub->calls, call, link);
    TAILQ_INSERT_HEAD(&stub->idle_calls, call, link);
    if (copy)
        copy_release(copy);
    replica_release(replica);
}

static void stub_answered(void *arg, const struct rdsn_reply *reply)
{
    struct outgoing *call = arg;
    arena_clear(&call->stub->arena);
    call->done(call, reply);
    if (!call->timer)
        stub_forget(call);
}

static struct rdsn_request stub_request(struct stub *stub, const struct replica *replica,
                                        const char *rpc)
{
    return (struct rdsn_request){
        .rpc = rpc,
        .body = buf_bytes(&stub->body),
        .thread_hash = replica ? replica->thread_hash : 0,
    };
}

void stub_call(struct outgoing *call, const char *node, const char *rpc, br_time timeout)
{
    struct stub *stub = call->stub;
    struct rdsn_request request = stub_request(stub, call->replica, rpc);
    request.timeout = timeout ? timeout : STUB_TIMEOUT;
    rdsn_client_call(stub->client, node, &request, stub_answered, call);
}

void stub_tell(struct stub *stub, const struct replica *replica, const char *node, const char *rpc)
{
    struct rdsn_request request = stub_request(stub, replica, rpc);
    request.one_way = true;
    request.timeout = STUB_TIMEOUT;
    rdsn_client_call(stub->client, node, &request, NULL, NULL);
}

void stub_encode(struct stub *stub, const struct wire_schema *schema, const void *message)
{
    buf_clear(&stub->body);
    wire_encode(schema, message, stub->peer, &stub->body);
}

bool stub_decode(struct stub *stub, const struct rdsn_reply *reply,
                 const struct wire_schema *schema, void *message, const char **ret_error)
{
    struct fail fail;
    *ret_error = reply->error;
    if (reply->status)
        return false;
    if (wire_decode(schema, reply->body, wire_arena(&stub->arena), message, &fail) == BR_OK)
        return true;
    log_put(stub->log, BR_ERROR, "server", "%s: %s", schema->name, fail.text);
    *ret_error = "ERR_INVALID_DATA";
    return false;
}

void stub_answer(struct stub *stub, struct rdsn_incoming *incoming,
                 const struct wire_schema *schema, const void *message)
{
    stub_encode(stub, schema, message);
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&stub->body));
}

struct peer *stub_peer(struct stub *stub, uint64_t address, const struct host_port *host_port)
{
    struct peer *peer;
    if (!peers_get(&stub->peers, address, stub->options.named ? host_port : NULL, &peer))
        log_put(stub->log, BR_ERROR, "server", "more than %d servers were heard of", PEERS_MAX);
    return peer;
}

/* -- Start and stop --------------------------------------------------------------------------- */

static void stub_event(void *arg, br_level level, const char *text)
{
    const struct stub *stub = arg;
    log_put(stub->log, level, "server", "%s", text);
}

/* Answers that come to this server: a meta server that was not asked itself has the leader send
 * them here. */
static void stub_reply(void *arg, const struct rdsn_header *header, br_bytes body)
{
    struct stub *stub = arg;
    rdsn_client_deliver(stub->client, header, body);
}

static br_status stub_load(struct stub *stub, struct fail *fail)
{
    struct inventory inventory;
    br_status status = BR_OK;
    for (uint32_t i = 0; i < stub->options.dir_count && !status; i++)
        status = files_make_data(stub->options.dirs[i].path, fail);
    if (status)
        return status;
    status =
        inventory_open(&inventory, stub->options.dirs, stub->options.dir_count, stub->log, fail);
    for (uint32_t i = 0; i < inventory.replica_count && !status; i++)
        table_open_found(stub, &inventory.replicas[i]);
    inventory_close(&inventory);
    return status;
}

/* What replicas with data need. */
static br_status stub_data(struct stub *stub, struct fail *fail)
{
    if (stub->options.without_data)
        return BR_OK;
    stub->shared = data_shared_new();
    stub->worker = worker_new(stub->loop);
    if (stub->worker && stub->options.sync)
        stub->syncer = syncer_new(stub->loop);
    if (!stub->worker || (stub->options.sync && !stub->syncer))
        return fail_set(fail, BR_UNAVAILABLE, "no thread: %s", strerror(errno));
    return BR_OK;
}

static br_status stub_self(struct stub *stub, struct fail *fail)
{
    char host[NODE_NAME_MAX];
    struct host_port host_port;
    uint64_t address;
    if (!host_port_parse(stub->options.name, host, &host_port)
        || !address_resolve(stub->options.name, &address))
        return fail_set(fail, BR_INVALID, "%s cannot be resolved", stub->options.name);
    stub->self = stub_peer(stub, address, &host_port);
    address_format(address, stub->address);
    return BR_OK;
}

static br_status stub_listen(struct stub *stub, struct fail *fail)
{
    char host[ADDRESS_TEXT_MAX];
    address_format(stub->self->address, host);
    *strrchr(host, ':') = 0;
    const struct rdsn_server_options options = {
        .host = host,
        .port = address_port(stub->self->address),
        .datagrams = stub->options.datagrams,
        .request = dispatch_request,
        .reply = stub_reply,
        .event = stub_event,
        .arg = stub,
    };
    stub->server = rdsn_server_new(stub->loop->base, &options, fail);
    return stub->server ? BR_OK : fail->status;
}

static void stub_free(struct stub *stub)
{
    struct outgoing *call;
    if (stub->worker)
        worker_drain(stub->worker);
    for (uint32_t i = 0; i < stub->slot_count; i++) {
        if (stub->slots[i])
            replica_quiet(stub->slots[i]);
    }
    while ((call = TAILQ_FIRST(&stub->calls)))
        stub_forget(call);
    while ((call = TAILQ_FIRST(&stub->idle_calls))) {
        TAILQ_REMOVE(&stub->idle_calls, call, link);
        free(call);
    }
    syncer_free(stub->syncer);
    for (uint32_t i = 0; i < stub->slot_count; i++)
        replica_release(stub->slots[i]);
    free(stub->slots);
    if (stub->server)
        rdsn_server_free(stub->server);
    if (stub->worker)
        worker_free(stub->worker);
    data_shared_free(stub->shared);
    arena_done(&stub->applying);
    buf_done(&stub->responses);
    mutation_pool_done(&stub->pool);
    peers_done(&stub->peers);
    arena_done(&stub->arena);
    buf_done(&stub->body);
}

br_status stub_start(struct stub *stub, struct loop *loop, const struct stub_options *options,
                     struct fail *ret_fail)
{
    *stub = (struct stub){
        .options = *options,
        .loop = loop,
        .log = loop->log,
        .peer = options->named ? WIRE_PEER_26 : WIRE_PEER_25,
        .started = time(NULL),
    };
    TAILQ_INIT(&stub->calls);
    TAILQ_INIT(&stub->idle_calls);
    arena_init(&stub->arena, 16384);
    arena_init(&stub->applying, 16384);
    peers_init(&stub->peers, options->named);
    br_status status = stub_self(stub, ret_fail);
    if (!status)
        status = stub_data(stub, ret_fail);
    if (!status)
        status = stub_load(stub, ret_fail);
    if (!status)
        status = stub_listen(stub, ret_fail);
    if (status) {
        stub_free(stub);
        return status;
    }
    stub->client = rdsn_client_new(
        loop->base, &(struct rdsn_client_options){ .from_address = stub->self->address });
    sync_start(stub);
    return BR_OK;
}

void stub_stop(struct stub *stub)
{
    sync_stop(stub);
    for (uint32_t i = 0; i < stub->slot_count; i++) {
        if (stub->slots[i] && stub->slots[i]->life != LIFE_CLOSED)
            replica_store_init(stub->slots[i]);
    }
    rdsn_client_free(stub->client);
    stub_free(stub);
}
