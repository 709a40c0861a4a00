/* proposal -- what a meta server proposes, what it says in a config sync, and the update that a
 * replica asks it for (src/replica/replica_config.cpp).
 */
#include "host/replica/stub.h"

#include <string.h>

#define UPDATE_PAUSE BR_SECOND

/* Pegasus's config_type. */
enum {
    ASSIGN_PRIMARY = 1,
    UPGRADE_TO_PRIMARY = 2,
    ADD_SECONDARY = 3,
    UPGRADE_TO_SECONDARY = 4,
    DOWNGRADE_TO_SECONDARY = 5,
    DOWNGRADE_TO_INACTIVE = 6,
    REMOVE = 7,
    ADD_SECONDARY_FOR_LB = 8,
    PRIMARY_FORCE_UPDATE_BALLOT = 9,
};

br_status proposal_read(struct stub *stub, const struct msg_configuration_update_request *message,
                        struct proposal *ret, struct fail *ret_fail)
{
    ret->message = message;
    ret->node = stub_peer(stub, message->node, &message->hp_node);
    return membership_read(&stub->peers, &message->config, &ret->members, ret_fail);
}

/* -- Asking the meta server ------------------------------------------------------------------- */

static void update_send(void *arg);

static void update_done(struct replica *replica)
{
    timer_cancel(replica->update.timer);
    replica->update.timer = NULL;
    replica->update.pending = false;
    replica->update.round++;
}

/* The one-way message of an accepted CT_REMOVE. */
static void update_tell_removed(struct replica *replica, const struct membership *members)
{
    struct peer *node = replica->update.node;
    struct stub *stub = replica->stub;
    struct msg_replica_configuration message;
    if (!node || node == stub->self)
        return;
    wire_init(&wire_replica_configuration, &message);
    message.pid = replica->pid;
    message.ballot = members->ballot;
    message.primary = peer_address(members->primary);
    message.hp_primary = peer_host_port(members->primary);
    WIRE_SET(&message, 8);
    message.status = membership_role(members, node);
    stub_encode(stub, &wire_replica_configuration, &message);
    stub_tell(stub, replica, node->name, "RPC_REMOVE_REPLICA");
}

static void update_check_same(struct replica *replica, const struct membership *members)
{
    static const char where[] = "replica_config.cpp:on_update_configuration_on_meta_server_reply";
    const struct membership *asked = &replica->update.members;
    struct arena *arena = &replica->stub->arena;
    REPLICA_CHECK(
        replica,
        asked->pid.app_id == members->pid.app_id && asked->pid.partition == members->pid.partition,
        where, "the update's reply is about %d.%d", members->pid.app_id, members->pid.partition);
    REPLICA_CHECK(replica,
                  asked->primary == members->primary && membership_same_secondaries(asked, members),
                  where, "the update asked for %s, its reply says %s",
                  membership_text(asked, arena), membership_text(members, arena));
}

static void update_accepted(struct replica *replica, const struct membership *members)
{
    update_check_same(replica, members);
    switch (replica->update.type) {
    case UPGRADE_TO_PRIMARY: replica->primary.must_commit = replica->list.last; break;
    case ASSIGN_PRIMARY: replica->primary.must_commit = 0; break;
    case REMOVE: update_tell_removed(replica, members); break;
    case PRIMARY_FORCE_UPDATE_BALLOT:
        REPLICA_CHECK(replica, replica->initialising,
                      "replica_config.cpp:on_update_configuration_on_meta_server_reply",
                      "its ballot was forced up, and it is initialising no longer");
        replica->initialising = false;
        break;
    default: break;
    }
}

/* Follows while the update still counts as under way, as Pegasus does. */
static void update_follow(struct replica *replica, const struct membership *members)
{
    uint64_t round = replica->update.round;
    replica_hold(replica);
    replica_follow(replica, members);
    if (replica->update.round == round)
        update_done(replica);
    replica_release(replica);
}

static void update_answered(struct outgoing *call, const struct rdsn_reply *reply)
{
    struct replica *replica = call->replica;
    struct stub *stub = call->stub;
    struct msg_configuration_update_response response;
    struct membership members;
    struct fail fail;
    const char *error;
    if (call->round != replica->update.round)
        return;
    if (replica->config.role != BR_ROLE_INACTIVE || stub->state != STUB_CONNECTED) {
        update_done(replica);
        return;
    }
    bool decoded = stub_decode(stub, reply, &wire_configuration_update_response, &response, &error);
    if (decoded)
        error = response.err;
    bool accepted = strcmp(error, "ERR_OK") == 0;
    if (!accepted && (strcmp(error, "ERR_INVALID_VERSION") != 0 || !decoded)) {
        replica_log(replica, BR_INFO, "update to ballot %lld: %s, again soon",
                    (long long) replica->update.members.ballot, error);
        replica->update.timer = loop_after(stub->loop, UPDATE_PAUSE, update_send, replica);
        return;
    }
    if (membership_read(&stub->peers, &response.config, &members, &fail) != BR_OK) {
        replica_log(replica, BR_ERROR, "the answer to an update: %s", fail.text);
        update_done(replica);
        return;
    }
    if (members.ballot < replica->config.ballot) {
        update_done(replica);
        return;
    }
    if (accepted)
        update_accepted(replica, &members);
    update_follow(replica, &members);
}

static void update_send(void *arg)
{
    struct replica *replica = arg;
    struct stub *stub = replica->stub;
    struct msg_configuration_update_request request;
    replica->update.timer = NULL;
    wire_init(&wire_configuration_update_request, &request);
    info_from_table(&replica->table, &request.info);
    membership_write(&replica->update.members, &stub->arena, &request.config);
    request.type = replica->update.type;
    request.node = peer_address(replica->update.node);
    request.hp_node = peer_host_port(replica->update.node);
    WIRE_SET(&request, 7);
    stub_encode(stub, &wire_configuration_update_request, &request);
    struct outgoing *call = stub_outgoing(stub, replica, update_answered);
    call->round = replica->update.round;
    stub_call(call, beacon_target(stub->beacon), "RPC_CM_UPDATE_PARTITION_CONFIGURATION", 0);
}

void replica_update_meta(struct replica *replica, int32_t type, struct peer *node,
                         struct membership *members)
{
    static const char where[] = "replica_config.cpp:update_configuration_on_meta_server";
    members->committed = replica_committed(replica);
    if (type == PRIMARY_FORCE_UPDATE_BALLOT) {
        REPLICA_CHECK(replica,
                      replica->config.role == BR_ROLE_INACTIVE && replica->transient
                          && replica->initialising && members->primary == node,
                      where, "it cannot force its ballot up as %s",
                      replica_role_name(replica->config.role));
    } else if (type != ASSIGN_PRIMARY && type != UPGRADE_TO_PRIMARY) {
        REPLICA_CHECK(replica,
                      replica->config.role == BR_ROLE_PRIMARY
                          && members->ballot == replica->primary.members.ballot,
                      where, "an update of type %d at ballot %lld as %s at ballot %lld", type,
                      (long long) members->ballot, replica_role_name(replica->config.role),
                      (long long) replica->primary.members.ballot);
    }
    struct membership wanted = *members; /* may be the replica's own, which is about to change */
    replica_become_role(replica, BR_ROLE_INACTIVE);
    replica->transient = true;
    update_done(replica);
    wanted.ballot++;
    replica->update.pending = true;
    replica->update.type = type;
    replica->update.node = node;
    replica->update.members = wanted;
    replica_log(replica, BR_INFO, "asks for ballot %lld, type %d, node %s",
                (long long) wanted.ballot, type, peer_name(node));
    update_send(replica);
}

/* -- Proposals -------------------------------------------------------------------------------- */

static void proposal_assign(struct replica *replica, struct proposal *proposal)
{
    struct stub *stub = replica->stub;
    REPLICA_CHECK(replica, proposal->node == stub->self, "replica_config.cpp:assign_primary",
                  "the proposal's node is %s, this server is %s", peer_name(proposal->node),
                  stub->self->name);
    if (replica->config.role == BR_ROLE_PRIMARY
        || (proposal->message->type == UPGRADE_TO_PRIMARY
            && replica->config.role != BR_ROLE_SECONDARY)) {
        replica_log(replica, BR_WARN, "a proposal of type %d makes no sense now",
                    proposal->message->type);
        return;
    }
    proposal->members.primary = stub->self;
    membership_remove(&proposal->members, stub->self);
    replica_update_meta(replica, proposal->message->type, stub->self, &proposal->members);
}

/* What proposals to a primary must agree with, order of the secondaries included. */
static void proposal_check_same(struct replica *replica, const struct proposal *proposal,
                                const char *where)
{
    const struct membership *own = &replica->primary.members, *members = &proposal->members;
    struct arena *arena = &replica->stub->arena;
    REPLICA_CHECK(replica,
                  members->pid.app_id == own->pid.app_id
                      && members->pid.partition == own->pid.partition,
                  where, "the proposal's configuration is of %d.%d, the primary's of %d.%d",
                  members->pid.app_id, members->pid.partition, own->pid.app_id, own->pid.partition);
    REPLICA_CHECK(replica,
                  members->primary == own->primary && membership_same_secondaries(members, own),
                  where, "the proposal says %s, the primary knows %s",
                  membership_text(members, arena), membership_text(own, arena));
}

/* RPC_LEARN_ADD_LEARNER, one-way. */
static void proposal_tell_learner(struct replica *replica, struct peer *node, int64_t signature)
{
    struct msg_group_check_request request;
    struct stub *stub = replica->stub;
    learnee_group_check(replica, node, BR_ROLE_LEARNER, signature, &request);
    stub_encode(stub, &wire_group_check_request, &request);
    stub_tell(stub, replica, node->name, "RPC_LEARN_ADD_LEARNER");
}

static void proposal_add(struct replica *replica, struct proposal *proposal)
{
    static const char where[] = "replica_config.cpp:add_potential_secondary";
    struct primary_state *primary = &replica->primary;
    struct peer *node = proposal->node;
    if (replica->config.role != BR_ROLE_PRIMARY) {
        replica_log(replica, BR_WARN, "cannot add %s: it is no primary", peer_name(node));
        return;
    }
    REPLICA_CHECK(replica, proposal->members.ballot == replica->config.ballot, where,
                  "ballot %lld of the proposal, %lld of the primary",
                  (long long) proposal->members.ballot, (long long) replica->config.ballot);
    proposal_check_same(replica, proposal, where);
    br_role role = learnee_role(replica, node);
    REPLICA_CHECK(replica, role != BR_ROLE_PRIMARY && role != BR_ROLE_SECONDARY, where,
                  "node %s shall be added, and is %s", peer_name(node), replica_role_name(role));
    struct learner *learner = learnee_find(replica, node);
    int32_t count = (int32_t) (primary->members.secondary_count + primary->learner_count);
    int32_t most = primary->members.replica_count;
    if (count >= most - 1
        && (proposal->message->type == ADD_SECONDARY ? learner == NULL : count >= most)) {
        replica_log(replica, BR_INFO, "has enough members, %s is not added", peer_name(node));
        return;
    }
    if (!node || (!learner && primary->learner_count == LEARNERS_MAX))
        return;
    if (!learner) {
        learner = &primary->learners[primary->learner_count++];
        *learner = (struct learner){ .peer = node,
                                     .signature = (int64_t) ++primary->next_signature,
                                     .prepare_start = -1 };
    }
    proposal_tell_learner(replica, node, learner->signature);
}

void replica_upgrade_to_secondary(struct replica *replica, struct peer *node)
{
    struct membership members = replica->primary.members;
    membership_add(&members, node);
    replica_update_meta(replica, UPGRADE_TO_SECONDARY, node, &members);
}

static void proposal_to_secondary(struct replica *replica, struct proposal *proposal)
{
    static const char where[] = "replica_config.cpp:downgrade_to_secondary_on_primary";
    struct membership *members = &proposal->members;
    proposal_check_same(replica, proposal, where);
    REPLICA_CHECK(replica, proposal->node == members->primary, where,
                  "node %s shall be no primary, the primary is %s", peer_name(proposal->node),
                  peer_name(members->primary));
    members->primary = NULL;
    membership_add(members, proposal->node);
    replica_update_meta(replica, DOWNGRADE_TO_SECONDARY, proposal->node, members);
}

static void proposal_take_out(struct replica *replica, struct membership *members,
                              struct peer *node, const char *where)
{
    if (node == members->primary)
        members->primary = NULL;
    else
        REPLICA_CHECK(replica, membership_remove(members, node), where,
                      "remove node failed: %s is not in %s", peer_name(node),
                      membership_text(members, &replica->stub->arena));
}

void replica_downgrade_to_inactive(struct replica *replica, struct membership *members,
                                   struct peer *node)
{
    proposal_take_out(replica, members, node,
                      "replica_config.cpp:downgrade_to_inactive_on_primary");
    replica_update_meta(replica, DOWNGRADE_TO_INACTIVE, node, members);
}

static void proposal_to_inactive(struct replica *replica, struct proposal *proposal)
{
    proposal_check_same(replica, proposal, "replica_config.cpp:downgrade_to_inactive_on_primary");
    replica_downgrade_to_inactive(replica, &proposal->members, proposal->node);
}

static void proposal_remove(struct replica *replica, struct proposal *proposal)
{
    static const char where[] = "replica_config.cpp:remove";
    proposal_check_same(replica, proposal, where);
    br_role role = learnee_role(replica, proposal->node);
    if (role == BR_ROLE_PRIMARY || role == BR_ROLE_SECONDARY)
        proposal_take_out(replica, &proposal->members, proposal->node, where);
    replica_update_meta(replica, REMOVE, proposal->node, &proposal->members);
}

/* Those that only a primary of the same ballot takes. */
static void proposal_on_primary(struct replica *replica, struct proposal *proposal)
{
    if (proposal->members.ballot != replica->config.ballot
        || replica->config.role != BR_ROLE_PRIMARY)
        return;
    switch (proposal->message->type) {
    case DOWNGRADE_TO_SECONDARY: proposal_to_secondary(replica, proposal); break;
    case DOWNGRADE_TO_INACTIVE: proposal_to_inactive(replica, proposal); break;
    default: proposal_remove(replica, proposal); break;
    }
}

static void proposal_take(struct replica *replica, struct proposal *proposal)
{
    switch (proposal->message->type) {
    case ASSIGN_PRIMARY:
    case UPGRADE_TO_PRIMARY: proposal_assign(replica, proposal); break;
    case ADD_SECONDARY:
    case ADD_SECONDARY_FOR_LB: proposal_add(replica, proposal); break;
    case DOWNGRADE_TO_SECONDARY:
    case DOWNGRADE_TO_INACTIVE:
    case REMOVE: proposal_on_primary(replica, proposal); break;
    default:
        replica_die(replica, "replica_config.cpp:on_config_proposal", "invalid config_type %d",
                    proposal->message->type);
    }
}

void replica_proposed(struct replica *replica, struct proposal *proposal)
{
    int64_t ballot = proposal->members.ballot;
    replica_log(replica, BR_INFO, "proposal of type %d for %s", proposal->message->type,
                peer_name(proposal->node));
    if (ballot < replica->config.ballot) {
        replica_log(replica, BR_WARN, "the proposal is outdated: ballot %lld", (long long) ballot);
        return;
    }
    if (replica->update.pending)
        return;
    if (ballot > replica->config.ballot && !replica_follow(replica, &proposal->members))
        return;
    proposal_take(replica, proposal);
}

/* -- Config sync ------------------------------------------------------------------------------ */

static void replica_sync_table(struct replica *replica, const struct msg_app_info *info)
{
    struct br_table table = replica->table;
    table.replica_count = info->max_replica_count;
    table.name = info->app_name;
    if (replica->stub->options.named)
        table.flags = (table.flags & ~(uint32_t) BR_TABLE_ATOMIC_IDEMPOTENT)
                      | (info->atomic_idempotent ? BR_TABLE_ATOMIC_IDEMPOTENT : 0);
    if (table.replica_count == replica->table.replica_count && table.flags == replica->table.flags
        && strcmp(table.name, replica->table.name) == 0)
        return;
    replica_set_table(replica, &table);
    replica_store_table(replica);
}

/* Inactive for good: a dead primary asks to be taken out itself. */
static void replica_sync_inactive(struct replica *replica, const struct membership *members)
{
    if (members->primary == NULL || members->primary == replica->stub->self)
        sync_remove_on_meta(replica->stub, &replica->table, members);
    else
        replica_log(replica, BR_INFO, "waits until the primary removes it");
}

void replica_synced(struct replica *replica, struct proposal *proposal)
{
    struct membership *members = &proposal->members;
    struct peer *self = replica->stub->self;
    if (members->ballot < replica->config.ballot)
        return;
    replica_sync_table(replica, &proposal->message->info);
    if (replica->config.role == BR_ROLE_PRIMARY)
        return;
    if (replica->initialising) {
        if (members->primary == self && replica->config.role == BR_ROLE_INACTIVE
            && replica->transient) {
            replica_update_meta(replica, PRIMARY_FORCE_UPDATE_BALLOT, self, members);
            return;
        }
        replica->initialising = false;
    }
    replica_follow(replica, members);
    if (replica->config.role == BR_ROLE_INACTIVE && !replica->transient)
        replica_sync_inactive(replica, members);
}

void replica_removed(struct replica *replica, const struct replica_config *config)
{
    if (config->ballot < replica->config.ballot
        || (config->ballot == replica->config.ballot && replica->config.role == BR_ROLE_LEARNER))
        return;
    REPLICA_CHECK(replica, config->role == BR_ROLE_INACTIVE, "replica_config.cpp:on_remove",
                  "it is to be removed with status %s", replica_role_name(config->role));
    replica_become(replica, config, false);
}
