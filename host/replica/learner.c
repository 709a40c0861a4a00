/* learner -- learning from the learner's side (src/replica/replica_learn.cpp).
 *
 * Round after round the primary says what is to be taken over next: files of a checkpoint or of its
 * log (learned.c), and at last the mutations that it has in memory, from which on prepares come.
 * Without data a round is done when its answer is there, and a checkpoint is no more than a decree.
 */
#include <string.h>

#include "host/replica/stub.h"

#define LEARN_PAUSE   BR_SECOND
#define LEARN_TIMEOUT (30 * BR_SECOND) /* the primary may make a checkpoint first */

static void learner_go(struct replica *replica);

void learner_cleanup(struct replica *replica)
{
    struct learner_state *learn = &replica->learn;
    timer_cancel(learn->timer);
    learned_cancel(replica);
    *learn = (struct learner_state){ .prepare_start = -1, .round = learn->round + 1 };
}

void learner_failed(struct replica *replica, const char *error, bool local)
{
    replica_log(replica, BR_WARN, "learning failed: %s", error);
    replica_become_role(replica, local ? BR_ROLE_ERROR : BR_ROLE_INACTIVE);
}

static void learner_resume(void *arg)
{
    struct replica *replica = arg;
    replica->learn.timer = NULL;
    learner_start(replica, (int64_t) replica->learn.version);
}

void learner_round_done(struct replica *replica)
{
    replica->learn.running = false;
    learner_start(replica, (int64_t) replica->learn.version);
}

static void learner_later(struct replica *replica)
{
    struct learner_state *learn = &replica->learn;
    learn->running = false;
    timer_cancel(learn->timer);
    learn->timer = loop_after(replica->stub->loop, LEARN_PAUSE, learner_resume, replica);
}

/* -- Done ------------------------------------------------------------------------------------- */

static void learner_noted(struct outgoing *call, const struct rdsn_reply *reply)
{
    struct replica *replica = call->replica;
    struct msg_learn_notify_response response;
    const char *error;
    if (call->round != replica->learn.round || replica->config.role != BR_ROLE_LEARNER)
        return;
    bool decoded = stub_decode(call->stub, reply, &wire_learn_notify_response, &response, &error);
    if (!decoded)
        learner_failed(replica, error, false);
    else if ((uint64_t) response.signature != replica->learn.version)
        learner_failed(replica, "ERR_INVALID_STATE", false);
    else if (strcmp(response.err, "ERR_INACTIVE_STATE") == 0)
        learner_later(replica);
    else if (strcmp(response.err, "ERR_OK") != 0)
        learner_failed(replica, response.err, false);
}

static void learner_notify(struct replica *replica)
{
    struct stub *stub = replica->stub;
    struct msg_group_check_response report;
    if (!replica->config.primary)
        return;
    wire_init(&wire_group_check_response, &report);
    report.pid = replica->pid;
    report.last_committed_decree_in_app = replica->applied;
    report.last_committed_decree_in_prepare_list = replica_committed(replica);
    report.learner_signature = (int64_t) replica->learn.version;
    report.learner_status_ = replica->learn.status;
    report.node = peer_address(stub->self);
    report.hp_node = peer_host_port(stub->self);
    WIRE_SET(&report, 10);
    stub_encode(stub, &wire_group_check_response, &report);
    struct outgoing *call = stub_outgoing(stub, replica, learner_noted);
    call->round = replica->learn.round;
    stub_call(call, replica->config.primary->name, "RPC_LEARN_COMPLETION_NOTIFY", 0);
}

/* Learned and getting prepares: what was committed meanwhile is applied out of the list. */
static void learner_catch_up(struct replica *replica)
{
    REPLICA_CHECK(replica, replica->applied + 1 >= replica->learn.prepare_start,
                  "replica_learn.cpp:init_learn",
                  "learned state is incomplete: applied %lld, prepares begin at %lld",
                  (long long) replica->applied, (long long) replica->learn.prepare_start);
    while (replica->applied < replica_committed(replica) && !replica->broken) {
        struct mutation *mutation = prepare_list_get(&replica->list, replica->applied + 1);
        REPLICA_CHECK(replica, mutation, "replica_learn.cpp:init_learn",
                      "mutation must not be nullptr, decree = %lld",
                      (long long) replica->applied + 1);
        replica_apply(replica, mutation);
    }
    replica_note_decrees(replica);
    replica->learn.status = LEARNER_SUCCEEDED;
}

/* -- A round ---------------------------------------------------------------------------------- */

/* Prepares come from now on, and what was before them is here. */
static void learner_connect(struct replica *replica, const struct msg_learn_response *response)
{
    static const char where[] = "replica_learn.cpp:on_learn_reply";
    struct learner_state *learn = &replica->learn;
    struct fail fail;
    REPLICA_CHECK(replica,
                  response->type == LEARN_CACHE && response->state.files.count == 0
                      && learn->status == LEARNER_WITHOUT_PREPARE,
                  where, "prepares begin at %lld with learn_type %d and %u files, status %d",
                  (long long) response->prepare_start_decree, response->type,
                  response->state.files.count, learn->status);
    learn->status = LEARNER_WITH_PREPARE_TRANSIENT;
    learn->prepare_start = response->prepare_start_decree;
    prepare_list_truncate(&replica->list, replica->applied);
    if (learned_take_cache(replica, response->state.meta, &fail) != BR_OK) {
        learner_failed(replica, fail.text, false);
        return;
    }
    replica_commit_hard(replica, learn->prepare_start - 1);
    if (replica->broken)
        return;
    REPLICA_CHECK(replica,
                  replica_committed(replica) == replica->applied
                      && replica->applied + 1 >= learn->prepare_start,
                  where,
                  "state is incomplete: committed %lld, applied %lld, prepares begin at %lld",
                  (long long) replica_committed(replica), (long long) replica->applied,
                  (long long) learn->prepare_start);
    learn->status = LEARNER_WITH_PREPARE;
    replica_store_init(replica);
    learner_round_done(replica);
}

/* The whole state of the primary: its decree. */
static void learner_take_all(struct replica *replica, const struct msg_learn_response *response)
{
    replica->applied = response->state.to_decree_included;
    prepare_list_reset(&replica->list, replica->applied);
    replica_store_init(replica);
    learner_round_done(replica);
}

/* What it has is of a history that the primary does not know. */
static bool learner_begin_anew(struct replica *replica)
{
    struct fail fail;
    if (replica->store && replica_replace(replica, NULL, &fail) != BR_OK) {
        replica_break(replica, "its data cannot be set aside: %s", fail.text);
        return false;
    }
    replica->applied = 0;
    prepare_list_reset(&replica->list, 0);
    replica_store_init(replica);
    return true;
}

static void learner_take(struct replica *replica, const struct msg_learn_response *response)
{
    if (response->last_committed_decree < replica->applied) {
        replica_log(replica, BR_WARN, "is ahead of its primary: %lld, not %lld; begins anew",
                    (long long) replica->applied, (long long) response->last_committed_decree);
        if (!learner_begin_anew(replica))
            return;
    }
    bool files = response->state.files.count > 0;
    if (response->prepare_start_decree != -1)
        learner_connect(replica, response);
    else if (replica->store && files
             && (response->type == LEARN_APP || response->type == LEARN_LOG))
        learned_begin(replica, response);
    else if (!replica->store && !files && response->type == LEARN_APP
             && response->state.to_decree_included > replica->applied)
        learner_take_all(replica, response);
    else
        learner_failed(replica,
                       replica->store ? "the primary has no data to give"
                                      : "the primary gives what only a server with data can take",
                       false);
}

static void learner_answered(struct outgoing *call, const struct rdsn_reply *reply)
{
    struct replica *replica = call->replica;
    struct msg_learn_response response;
    const char *error;
    if (call->round != replica->learn.round || replica->config.role != BR_ROLE_LEARNER)
        return;
    if (!stub_decode(call->stub, reply, &wire_learn_response, &response, &error)) {
        learner_failed(replica, error, false);
        return;
    }
    if (strcmp(response.err, "ERR_INACTIVE_STATE") == 0
        || strcmp(response.err, "ERR_INCONSISTENT_STATE") == 0) {
        learner_later(replica);
        return;
    }
    if (strcmp(response.err, "ERR_OK") != 0) {
        learner_failed(replica, response.err, false);
        return;
    }
    struct replica_config config = dispatch_config(call->stub, &response.config);
    if (config.ballot > replica->config.ballot)
        REPLICA_CHECK(replica, replica_become(replica, &config, false),
                      "replica_learn.cpp:on_learn_reply", "it cannot follow to ballot %lld as %s",
                      (long long) config.ballot, replica_role_name(config.role));
    if (replica->config.role == BR_ROLE_LEARNER)
        learner_take(replica, &response);
}

static void learner_go(struct replica *replica)
{
    struct stub *stub = replica->stub;
    struct msg_learn_request request;
    if (!replica->config.primary) {
        learner_failed(replica, "nobody is named as its primary", false);
        return;
    }
    wire_init(&wire_learn_request, &request);
    request.pid = replica->pid;
    request.learner = peer_address(stub->self);
    request.hp_learner = peer_host_port(stub->self);
    WIRE_SET(&request, 8);
    request.signature = (int64_t) replica->learn.version;
    request.last_committed_decree_in_app = replica->applied;
    request.last_committed_decree_in_prepare_list = replica_committed(replica);
    request.max_gced_decree = -1;
    WIRE_SET(&request, 7);
    stub_encode(stub, &wire_learn_request, &request);
    replica->learn.running = true;
    struct outgoing *call = stub_outgoing(stub, replica, learner_answered);
    call->round = replica->learn.round;
    stub_call(call, replica->config.primary->name, "RPC_LEARN", LEARN_TIMEOUT);
}

/* init_learn. */
void learner_start(struct replica *replica, int64_t signature)
{
    struct learner_state *learn = &replica->learn;
    uint64_t version = (uint64_t) signature;
    if (replica->config.role != BR_ROLE_LEARNER || version == 0 || learn->running
        || version < learn->version)
        return;
    if (version != learn->version) {
        learner_cleanup(replica);
        learn->version = version;
        learn->status = LEARNER_WITHOUT_PREPARE;
        prepare_list_truncate(&replica->list, replica->applied);
        learner_go(replica);
        return;
    }
    switch (learn->status) {
    case LEARNER_FAILED:
    case LEARNER_WITHOUT_PREPARE: learner_go(replica); break;
    case LEARNER_WITH_PREPARE: learner_catch_up(replica); /* fallthrough */
    case LEARNER_SUCCEEDED: learner_notify(replica); break;
    default:
        replica_die(replica, "replica_learn.cpp:init_learn", "invalid learner_status, status = %d",
                    learn->status);
    }
}

void learner_added(struct replica *replica, const struct replica_config *config)
{
    if (config->ballot < replica->config.ballot)
        return;
    if (config->ballot == replica->config.ballot
        && !replica_may_at_same_ballot(replica, config->role))
        return;
    if (!replica_become(replica, config, true))
        return;
    REPLICA_CHECK(replica, replica->config.role == BR_ROLE_LEARNER,
                  "replica_learn.cpp:on_add_learner", "it was made a learner, and is %s",
                  replica_role_name(replica->config.role));
    learner_start(replica, config->signature);
}
