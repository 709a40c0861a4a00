/* replica -- see replica.h. */
#include "host/replica/stub.h"

#include <string.h>

/* -- Which change of role is allowed ----------------------------------------------------------- */

enum replica_change {
    CHANGE_DIES = 0, /* "invalid execution path" */
    CHANGE_OK,
    CHANGE_TRANSIENT, /* refused where the inactive state is not transient */
    CHANGE_REFUSED,
};

#define ROLES 7

/* update_local_configuration, by old and new role. */
static const uint8_t replica_changes[ROLES][ROLES] = {
    [BR_ROLE_INACTIVE] = {
        [BR_ROLE_INACTIVE] = CHANGE_OK, [BR_ROLE_ERROR] = CHANGE_OK,
        [BR_ROLE_PRIMARY] = CHANGE_TRANSIENT, [BR_ROLE_SECONDARY] = CHANGE_TRANSIENT,
        [BR_ROLE_LEARNER] = CHANGE_OK,
    },
    [BR_ROLE_ERROR] = {
        CHANGE_REFUSED, CHANGE_REFUSED, CHANGE_REFUSED, CHANGE_REFUSED, CHANGE_REFUSED,
        CHANGE_REFUSED, CHANGE_REFUSED,
    },
    [BR_ROLE_PRIMARY] = {
        [BR_ROLE_INACTIVE] = CHANGE_OK, [BR_ROLE_ERROR] = CHANGE_OK,
        [BR_ROLE_PRIMARY] = CHANGE_OK, [BR_ROLE_SECONDARY] = CHANGE_OK,
    },
    [BR_ROLE_SECONDARY] = {
        [BR_ROLE_INACTIVE] = CHANGE_OK, [BR_ROLE_ERROR] = CHANGE_OK,
        [BR_ROLE_PRIMARY] = CHANGE_OK, [BR_ROLE_SECONDARY] = CHANGE_OK,
        [BR_ROLE_LEARNER] = CHANGE_OK,
    },
    [BR_ROLE_LEARNER] = {
        [BR_ROLE_INACTIVE] = CHANGE_OK, [BR_ROLE_ERROR] = CHANGE_OK,
        [BR_ROLE_SECONDARY] = CHANGE_OK, [BR_ROLE_LEARNER] = CHANGE_OK,
    },
};

bool replica_may_at_same_ballot(const struct replica *replica, br_role role)
{
    br_role old = replica->config.role;
    if (old == role)
        return true;
    if (old == BR_ROLE_INACTIVE)
        return role == BR_ROLE_LEARNER
               || (replica->transient && (role == BR_ROLE_SECONDARY || role == BR_ROLE_PRIMARY));
    return old == BR_ROLE_LEARNER && role == BR_ROLE_SECONDARY;
}

static bool replica_allowed(const struct replica *replica, const struct replica_config *config)
{
    br_role old = replica->config.role, role = config->role;
    uint8_t change = role < 0 || role >= ROLES ? (uint8_t) CHANGE_DIES : replica_changes[old][role];
    REPLICA_CHECK(replica, change != CHANGE_DIES, "replica_config.cpp:update_local_configuration",
                  "invalid execution path: from %s @ %lld to %s @ %lld", replica_role_name(old),
                  (long long) replica->config.ballot, replica_role_name(role),
                  (long long) config->ballot);
    if (change == CHANGE_OK || (change == CHANGE_TRANSIENT && replica->transient))
        return true;
    replica_log(replica, BR_WARN, "a change to %s @ %lld is not allowed%s", replica_role_name(role),
                (long long) config->ballot,
                change == CHANGE_TRANSIENT ? ": inactive, and not for a moment" : "");
    return false;
}

/* -- What a change of role brings with it -------------------------------------------------------
 */

/* primary_context::cleanup. */
static void replica_leave_primary(struct replica *replica, bool drop_queue)
{
    if (drop_queue)
        replica_refuse_queue(replica, NULL);
    replica_stop_check(replica);
    timer_cancel(replica->update.timer);
    replica->update.timer = NULL;
    replica->update.pending = false;
    replica->update.round++;
    replica->primary.members.ballot = 0;
}

static void replica_check_complete(const struct replica *replica)
{
    REPLICA_CHECK(replica,
                  replica->list.last >= replica->list.committed
                      && replica->list.committed >= replica->durable,
                  "replica.cpp:check_state_completeness",
                  "prepared %lld, committed %lld, durable %lld are not in order",
                  (long long) replica->list.last, (long long) replica->list.committed,
                  (long long) replica->durable);
}

static void replica_left_primary(struct replica *replica, bool ballot_changed)
{
    switch (replica->config.role) {
    case BR_ROLE_PRIMARY: replica_replay(replica); break;
    case BR_ROLE_INACTIVE: replica_leave_primary(replica, ballot_changed); break;
    default: replica_leave_primary(replica, true); break;
    }
}

static void replica_left_learner(struct replica *replica)
{
    if (replica->config.role == BR_ROLE_SECONDARY) {
        prepare_list_truncate(&replica->list, replica->applied);
        learner_cleanup(replica);
        replica_check_complete(replica);
    } else if (replica->config.role == BR_ROLE_ERROR) {
        prepare_list_reset(&replica->list, replica->applied);
        learner_cleanup(replica);
    }
}

static void replica_left_inactive(struct replica *replica)
{
    if (replica->config.role == BR_ROLE_INACTIVE)
        return;
    if (replica->config.role == BR_ROLE_ERROR && replica->transient)
        replica_leave_primary(replica, true);
    replica->transient = false;
    if (replica->config.role == BR_ROLE_PRIMARY) {
        replica_start_check(replica);
        replica_replay(replica);
    }
}

static void replica_left_secondary(struct replica *replica)
{
    if (replica->config.role == BR_ROLE_PRIMARY) {
        replica_start_check(replica);
        replica_replay(replica);
    } else if (replica->config.role == BR_ROLE_LEARNER) {
        replica->learn.status = LEARNER_WITHOUT_PREPARE;
    }
}

static void replica_changed(struct replica *replica, br_role old, bool ballot_changed)
{
    switch (old) {
    case BR_ROLE_PRIMARY: replica_left_primary(replica, ballot_changed); break;
    case BR_ROLE_SECONDARY: replica_left_secondary(replica); break;
    case BR_ROLE_LEARNER: replica_left_learner(replica); break;
    default: replica_left_inactive(replica); break;
    }
}

static void replica_settle_primary(struct replica *replica)
{
    replica_pump(replica);
    REPLICA_CHECK(replica, !replica->primary.members.unnamed,
                  "replica_config.cpp:update_local_configuration",
                  "it became primary by a configuration without hp_secondaries");
    if (replica->config.role == BR_ROLE_PRIMARY
        && (int32_t) replica->primary.members.secondary_count + 1 < replica_min_members(replica))
        replica_refuse_queue(replica, "ERR_NOT_ENOUGH_MEMBER");
}

bool replica_become(struct replica *replica, const struct replica_config *config, bool same_ballot)
{
    struct replica_config old = replica->config;
    REPLICA_CHECK(replica,
                  config->ballot > old.ballot || (same_ballot && config->ballot == old.ballot),
                  "replica_config.cpp:update_local_configuration", "invalid ballot, %lld VS %lld",
                  (long long) config->ballot, (long long) old.ballot);
    if (old.role == config->role && old.ballot == config->ballot)
        return true;
    if (!replica_allowed(replica, config))
        return false;
    if (old.role == BR_ROLE_LEARNER && config->role == BR_ROLE_INACTIVE)
        learner_cleanup(replica);
    replica->config = *config;
    if (config->ballot > old.ballot)
        replica_store_init(replica);
    REPLICA_CHECK(replica, replica->list.last >= replica->list.committed,
                  "replica_config.cpp:update_local_configuration",
                  "prepared %lld is below committed %lld", (long long) replica->list.last,
                  (long long) replica->list.committed);
    replica_changed(replica, old.role, config->ballot != old.ballot);
    replica_note_decrees(replica);
    replica_log(replica, BR_INFO, "was %s @ %lld, committed %lld, prepared %lld",
                replica_role_name(old.role), (long long) old.ballot,
                (long long) replica->list.committed, (long long) replica->list.last);
    if (replica->config.role == BR_ROLE_ERROR
        || (replica->config.role == BR_ROLE_INACTIVE && old.role != BR_ROLE_INACTIVE
            && config->ballot > old.ballot)) {
        table_close(replica);
        return false;
    }
    if (replica->config.role == BR_ROLE_PRIMARY)
        replica_settle_primary(replica);
    return true;
}

bool replica_become_role(struct replica *replica, br_role role)
{
    if (replica->config.role == role)
        return false;
    struct replica_config config = replica->config;
    config.role = role;
    return replica_become(replica, &config, true);
}

/* -- Following a configuration ------------------------------------------------------------------
 */

/* primary_context::reset_membership.  Learners are kept only where nobody else was primary in
 * between: they have not got what that one prepared.  (Pegasus keeps them always.) */
static void replica_reset_members(struct replica *replica, const struct membership *members)
{
    struct primary_state *primary = &replica->primary;
    if (members->ballot > primary->led + 1)
        primary->learner_count = 0;
    primary->led = members->ballot;
    if (members->ballot > primary->members.ballot)
        primary->next_signature = ((uint64_t) members->ballot << 32) + 1;
    else
        primary->next_signature++;
    primary->members = *members;
    for (uint32_t i = 0; i < members->secondary_count; i++)
        learnee_forget(replica, members->secondaries[i]);
}

bool replica_follow(struct replica *replica, const struct membership *members)
{
    REPLICA_CHECK(replica, members->ballot >= replica->config.ballot,
                  "replica_config.cpp:update_configuration", "ballot %lld is below its own %lld",
                  (long long) members->ballot, (long long) replica->config.ballot);
    const struct replica_config config = {
        .ballot = members->ballot,
        .role = membership_role(members, replica->stub->self),
        .primary = members->primary,
    };
    if (config.role == BR_ROLE_PRIMARY
        && (config.ballot > replica->config.ballot || replica->config.role != BR_ROLE_PRIMARY))
        replica_reset_members(replica, members);
    if (config.ballot > replica->config.ballot || replica_may_at_same_ballot(replica, config.role))
        return replica_become(replica, &config, true);
    return false;
}

int64_t replica_prepared(const struct replica *replica)
{
    int64_t decree = replica->list.committed, ballot = 0;
    for (;;) {
        const struct mutation *next = prepare_list_get(&replica->list, decree + 1);
        if (!next || next->header.ballot < ballot || !next->logged)
            return decree;
        ballot = next->header.ballot;
        decree++;
    }
}
