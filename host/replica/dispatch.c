/* dispatch -- who gets which request (src/replica/replica_stub.cpp:open_service). */
#include <string.h>

#include "host/replica/stub.h"

struct replica_config dispatch_config(struct stub *stub,
                                      const struct msg_replica_configuration *message)
{
    return (struct replica_config){
        .ballot = message->ballot,
        .role = message->status,
        .primary = stub_peer(stub, message->primary, &message->hp_primary),
        .signature = message->learner_signature,
    };
}

/* -- From meta servers ------------------------------------------------------------------------ */

void dispatch_proposal(struct stub *stub, struct proposal *proposal)
{
    const struct msg_configuration_update_request *message = proposal->message;
    struct gpid pid = proposal->members.pid;
    struct replica *replica = table_serving(stub, pid);
    if (stub->state != STUB_CONNECTED) {
        log_put(stub->log, BR_WARN, "server", "proposal for %d.%d ignored: not connected",
                pid.app_id, pid.partition);
        return;
    }
    if (!replica && message->type == 1) { /* ASSIGN_PRIMARY */
        replica = table_open(stub, &message->info, pid, proposal);
    } else if (!replica && message->type == 2) { /* UPGRADE_TO_PRIMARY */
        struct br_table table;
        info_to_table(&message->info, &table);
        sync_remove_on_meta(stub, &table, &proposal->members);
    }
    if (replica)
        replica_proposed(replica, proposal);
}

static void dispatch_on_proposal(struct stub *stub, struct rdsn_incoming *incoming,
                                 const void *message)
{
    struct proposal proposal;
    struct fail fail;
    rdsn_server_drop(incoming);
    if (proposal_read(stub, message, &proposal, &fail) == BR_OK)
        dispatch_proposal(stub, &proposal);
    else
        log_put(stub->log, BR_ERROR, "server", "a proposal: %s", fail.text);
}

/* -- From replica servers --------------------------------------------------------------------- */

static void dispatch_on_check(struct stub *stub, struct rdsn_incoming *incoming,
                              const void *message)
{
    const struct msg_group_check_request *request = message;
    struct msg_group_check_response response;
    struct replica *replica = table_serving(stub, request->config.pid);
    struct replica_config config = dispatch_config(stub, &request->config);
    wire_init(&wire_group_check_response, &response);
    bool connected = stub->state == STUB_CONNECTED;
    if (connected && replica) {
        replica_hold(replica);
        replica_checked(replica, request, &config, &response);
        replica_release(replica);
    } else if (connected && config.role != BR_ROLE_LEARNER) {
        response.err = "ERR_OBJECT_NOT_FOUND";
    }
    stub_answer(stub, incoming, &wire_group_check_response, &response);
    if (connected && !replica && config.role == BR_ROLE_LEARNER)
        dispatch_add_learner(stub, request);
}

void dispatch_add_learner(struct stub *stub, const struct msg_group_check_request *request)
{
    struct replica *replica = table_serving(stub, request->config.pid);
    struct replica_config config = dispatch_config(stub, &request->config);
    if (stub->state != STUB_CONNECTED) {
        log_put(stub->log, BR_WARN, "server", "learner %d.%d ignored: not connected",
                request->config.pid.app_id, request->config.pid.partition);
        return;
    }
    if (!replica)
        replica = table_open(stub, &request->app, request->config.pid, NULL);
    if (replica)
        learner_added(replica, &config);
}

static void dispatch_on_add_learner(struct stub *stub, struct rdsn_incoming *incoming,
                                    const void *message)
{
    rdsn_server_drop(incoming);
    dispatch_add_learner(stub, message);
}

static void dispatch_on_learn(struct stub *stub, struct rdsn_incoming *incoming,
                              const void *message)
{
    const struct msg_learn_request *request = message;
    struct replica *replica = table_serving(stub, request->pid);
    if (replica) {
        learnee_asked(replica, incoming, request,
                      stub_peer(stub, request->learner, &request->hp_learner));
        return;
    }
    struct msg_learn_response response;
    wire_init(&wire_learn_response, &response);
    response.err = "ERR_OBJECT_NOT_FOUND";
    stub_answer(stub, incoming, &wire_learn_response, &response);
}

static const char *dispatch_completion(struct stub *stub,
                                       const struct msg_group_check_response *report)
{
    struct replica *replica = table_serving(stub, report->pid);
    if (!replica)
        return "ERR_OBJECT_NOT_FOUND";
    if (replica->config.role != BR_ROLE_PRIMARY)
        return replica->config.role == BR_ROLE_INACTIVE && replica->transient ? "ERR_INACTIVE_STATE"
                                                                              : "ERR_INVALID_STATE";
    if (report->learner_status_ != LEARNER_SUCCEEDED)
        return "ERR_INVALID_STATE";
    return learnee_succeeded(replica, stub_peer(stub, report->node, &report->hp_node),
                             report->learner_signature);
}

static void dispatch_on_completion(struct stub *stub, struct rdsn_incoming *incoming,
                                   const void *message)
{
    const struct msg_group_check_response *report = message;
    struct msg_learn_notify_response response;
    wire_init(&wire_learn_notify_response, &response);
    response.pid = report->pid;
    response.signature = report->learner_signature;
    response.err = dispatch_completion(stub, report);
    stub_answer(stub, incoming, &wire_learn_notify_response, &response);
}

static void dispatch_on_remove(struct stub *stub, struct rdsn_incoming *incoming,
                               const void *message)
{
    const struct msg_replica_configuration *request = message;
    struct replica_config config = dispatch_config(stub, request);
    struct replica *replica = table_serving(stub, request->pid);
    rdsn_server_drop(incoming);
    if (replica)
        replica_removed(replica, &config);
}

/* A task code that a real server does not know kills it (mutation.cpp:read_from). */
static void dispatch_check_codes(struct stub *stub, const struct prepare *prepare)
{
    struct mutation_update update;
    struct mutation_walk walk;
    mutation_walk_begin(prepare->updates, &walk);
    while (mutation_walk_next(&walk, &update)) {
        if (!data_operation(update.code, update.code_size))
            replica_abort(stub->log, prepare->header.pid, "mutation.cpp:read_from",
                          "invalid mutation task code: %.*s", (int) update.code_size, update.code);
    }
}

static void dispatch_on_prepare(struct stub *stub, struct rdsn_incoming *incoming)
{
    struct prepare prepare;
    struct fail fail;
    if (prepare_decode(incoming->body, wire_arena(&stub->arena), &prepare, &fail) != BR_OK) {
        rdsn_server_reject(incoming, fail.text);
        return;
    }
    struct replica *replica = table_serving(stub, prepare.pid);
    if (replica) {
        struct replica_config config = dispatch_config(stub, &prepare.config);
        dispatch_check_codes(stub, &prepare);
        replica_prepare(replica, incoming, &prepare, &config);
        return;
    }
    struct msg_prepare_ack ack;
    wire_init(&wire_prepare_ack, &ack);
    ack.pid = prepare.pid;
    ack.err = "ERR_OBJECT_NOT_FOUND";
    stub_answer(stub, incoming, &wire_prepare_ack, &ack);
}

/* -- Dispatch --------------------------------------------------------------------------------- */

/* A handler gets its request's message where there is a schema. */
struct dispatch {
    const char *rpc;
    const struct wire_schema *schema;
    void (*message)(struct stub *stub, struct rdsn_incoming *incoming, const void *message);
    void (*raw)(struct stub *stub, struct rdsn_incoming *incoming);
};

static const struct dispatch dispatch_table[] = {
    { "RPC_PREPARE", .raw = dispatch_on_prepare },
    { "RPC_CONFIG_PROPOSAL", &wire_configuration_update_request, dispatch_on_proposal, NULL },
    { "RPC_GROUP_CHECK", &wire_group_check_request, dispatch_on_check, NULL },
    { "RPC_LEARN_ADD_LEARNER", &wire_group_check_request, dispatch_on_add_learner, NULL },
    { "RPC_LEARN", &wire_learn_request, dispatch_on_learn, NULL },
    { "RPC_LEARN_COMPLETION_NOTIFY", &wire_group_check_response, dispatch_on_completion, NULL },
    { "RPC_REMOVE_REPLICA", &wire_replica_configuration, dispatch_on_remove, NULL },
    { "RPC_NFS_COPY", &wire_nfs_copy_request, nfs_copy, NULL },
    { "RPC_NFS_GET_FILE_SIZE", &wire_nfs_size_request, nfs_sizes, NULL },
    { "RPC_QUERY_PN_DECREE", &wire_query_pn_decree_request, query_decree, NULL },
    { "RPC_CLI_CLI_CALL", &wire_command, query_command, NULL },
    { "RPC_QUERY_APP_INFO", .raw = query_app_info },
    { "RPC_QUERY_REPLICA_INFO", .raw = query_replica_info },
    { NULL, NULL, NULL, NULL },
};

union dispatch_message {
    struct msg_configuration_update_request update;
    struct msg_group_check_request check;
    struct msg_group_check_response report;
    struct msg_learn_request learn;
    struct msg_replica_configuration config;
    struct msg_query_pn_decree_request decree;
    struct msg_nfs_copy_request copy;
    struct msg_nfs_size_request size;
    struct msg_command command;
};

static void dispatch_decode(struct stub *stub, const struct dispatch *to,
                            struct rdsn_incoming *incoming)
{
    union dispatch_message message;
    struct fail fail;
    if (wire_decode(to->schema, incoming->body, wire_arena(&stub->arena), &message, &fail) == BR_OK)
        to->message(stub, incoming, &message);
    else
        rdsn_server_reject(incoming, fail.text);
}

void dispatch_request(void *arg, struct rdsn_incoming *incoming)
{
    struct stub *stub = arg;
    const char *name = incoming->header.rpc_name;
    arena_clear(&stub->arena);
    const struct data_operation *operation =
        incoming->header.app_id > 0 ? data_operation(name, strlen(name)) : NULL;
    if (operation) {
        client_request(stub, operation, incoming);
        return;
    }
    const struct dispatch *to = dispatch_table;
    while (to->rpc && strcmp(to->rpc, name) != 0)
        to++;
    const struct rpc *rpc = to->rpc ? NULL : rpc_find(name);
    if (to->raw)
        to->raw(stub, incoming);
    else if (to->rpc)
        dispatch_decode(stub, to, incoming);
    else if (rpc && rpc->one_way)
        rdsn_server_drop(incoming);
    else
        rdsn_server_reply(incoming, "ERR_HANDLER_NOT_FOUND", (br_bytes){ NULL, 0 });
}
