/* check -- the primary's periodic look at its group, and what failures lead to
 * (src/replica/replica_check.cpp, src/replica/replica_failover.cpp).
 */
#include <string.h>

#include "host/replica/stub.h"

/* -- The primary's side ----------------------------------------------------------------------- */

static void check_answered(struct outgoing *call, const struct rdsn_reply *reply)
{
    struct replica *replica = call->replica;
    struct msg_group_check_response response;
    const char *error;
    if (replica->config.role != BR_ROLE_PRIMARY || call->ballot < replica->config.ballot
        || call->round != replica->primary.check_round)
        return;
    if (stub_decode(call->stub, reply, &wire_group_check_response, &response, &error))
        error = response.err;
    if (strcmp(error, "ERR_OK") != 0)
        replica_remote_failure(replica, call->role, call->peer, error, "group check");
    else if (response.learner_status_ == LEARNER_SUCCEEDED && call->role == BR_ROLE_LEARNER)
        learnee_succeeded(replica, call->peer, response.learner_signature);
}

static void check_send(struct replica *replica, struct peer *peer, br_role role, int64_t signature)
{
    struct stub *stub = replica->stub;
    struct msg_group_check_request request;
    learnee_group_check(replica, peer, role, signature, &request);
    request.confirmed_decree = -1;
    WIRE_SET(&request, 5);
    stub_encode(stub, &wire_group_check_request, &request);
    struct outgoing *call = stub_outgoing(stub, replica, check_answered);
    call->peer = peer;
    call->role = role;
    call->ballot = replica->config.ballot;
    call->round = replica->primary.check_round;
    stub_call(call, peer->name, "RPC_GROUP_CHECK", 0);
}

static void check_broadcast(void *arg)
{
    struct replica *replica = arg;
    struct primary_state *primary = &replica->primary;
    struct stub *stub = replica->stub;
    br_time interval = stub->options.group_check_interval;
    primary->check_timer = loop_after(stub->loop, interval, check_broadcast, replica);
    primary->check_round++;
    for (uint32_t i = 0; i < primary->members.secondary_count; i++)
        check_send(replica, primary->members.secondaries[i], BR_ROLE_SECONDARY, 0);
    for (uint32_t i = 0; i < primary->learner_count; i++)
        check_send(replica, primary->learners[i].peer, BR_ROLE_LEARNER,
                   primary->learners[i].signature);
    if (loop_now(stub->loop) >= primary->last_prepare + interval)
        replica_write_empty(replica);
}

void replica_start_check(struct replica *replica)
{
    timer_cancel(replica->primary.check_timer);
    replica->primary.check_timer = loop_after(replica->stub->loop, 0, check_broadcast, replica);
}

void replica_stop_check(struct replica *replica)
{
    timer_cancel(replica->primary.check_timer);
    replica->primary.check_timer = NULL;
    replica->primary.check_round++;
}

/* -- A member's side -------------------------------------------------------------------------- */

/* NULL, or the refusal. */
static const char *check_follow(struct replica *replica, const struct replica_config *config)
{
    if (config->ballot < replica->config.ballot)
        return "ERR_VERSION_OUTDATED";
    if (config->ballot > replica->config.ballot)
        return replica_become(replica, config, false) ? NULL : "ERR_INVALID_STATE";
    if (replica_may_at_same_ballot(replica, config->role))
        replica_become(replica, config, true);
    return NULL;
}

void replica_checked(struct replica *replica, const struct msg_group_check_request *request,
                     const struct replica_config *config, struct msg_group_check_response *response)
{
    response->err = check_follow(replica, config);
    if (response->err)
        return;
    switch (replica->config.role) {
    case BR_ROLE_INACTIVE:
    case BR_ROLE_ERROR: break;
    case BR_ROLE_SECONDARY: replica_commit_hard(replica, request->last_committed_decree); break;
    case BR_ROLE_LEARNER: learner_start(replica, config->signature); break;
    default:
        replica_die(replica, "replica_check.cpp:on_group_check",
                    "invalid partition_status, status = %s",
                    replica_role_name(replica->config.role));
    }
    struct peer *self = replica->stub->self;
    response->pid = replica->pid;
    response->node = peer_address(self);
    response->hp_node = peer_host_port(self);
    WIRE_SET(response, 10);
    response->err = replica->config.role == BR_ROLE_ERROR ? "ERR_INVALID_STATE" : "ERR_OK";
    response->last_committed_decree_in_app = replica->applied;
    response->last_committed_decree_in_prepare_list = replica_committed(replica);
    response->learner_status_ = replica->learn.status;
    response->learner_signature = (int64_t) replica->learn.version;
}

/* -- Failures --------------------------------------------------------------------------------- */

void replica_local_failure(struct replica *replica)
{
    if (replica->config.role == BR_ROLE_PRIMARY)
        sync_remove_on_meta(replica->stub, &replica->table, &replica->primary.members);
    replica_become_role(replica, BR_ROLE_ERROR);
}

void replica_remote_failure(struct replica *replica, br_role role, struct peer *peer,
                            const char *error, const char *why)
{
    static const char where[] = "replica_failover.cpp:handle_remote_failure";
    replica_log(replica, BR_WARN, "%s of %s %s: %s", why, replica_role_name(role), peer_name(peer),
                error);
    REPLICA_CHECK(replica, replica->config.role == BR_ROLE_PRIMARY, where,
                  "a failure of %s, found by a %s", peer_name(peer),
                  replica_role_name(replica->config.role));
    REPLICA_CHECK(replica, peer != replica->stub->self, where, "a failure of this server itself");
    if (role == BR_ROLE_SECONDARY) {
        REPLICA_CHECK(replica, learnee_role(replica, peer) == BR_ROLE_SECONDARY, where,
                      "invalid node address, address = %s", peer_name(peer));
        struct membership members = replica->primary.members;
        replica_downgrade_to_inactive(replica, &members, peer);
    } else if (role == BR_ROLE_LEARNER) {
        learnee_forget(replica, peer);
    }
}

void replica_disconnected(struct replica *replica)
{
    br_role old = replica->config.role;
    replica_become_role(replica, BR_ROLE_INACTIVE);
    if (old == BR_ROLE_PRIMARY || old == BR_ROLE_SECONDARY)
        replica->transient = true;
}
