/* prepare -- the two-phase commit from the side of a secondary or a learner
 * (src/replica/replica_2pc.cpp:on_prepare, src/replica/prepare_list.cpp).
 */
#include <time.h>

#include "host/replica/stub.h"
#include "host/replica/syncer.h"

static int64_t prepare_wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

static void prepare_answer(struct replica *replica, struct rdsn_incoming *incoming, int64_t decree,
                           const char *error)
{
    struct msg_prepare_ack ack;
    wire_init(&wire_prepare_ack, &ack);
    ack.pid = replica->pid;
    ack.err = error;
    ack.ballot = replica->config.ballot;
    ack.decree = decree;
    ack.last_committed_decree_in_app = replica->applied;
    ack.last_committed_decree_in_prepare_list = replica_committed(replica);
    ack.receive_timestamp = ack.response_timestamp = prepare_wall_ns();
    WIRE_SET(&ack, 7);
    WIRE_SET(&ack, 8);
    stub_answer(replica->stub, incoming, &wire_prepare_ack, &ack);
}

/* -- Committing ------------------------------------------------------------------------------- */

/* execute_mutation: a learner that has not caught up only takes note. */
static void prepare_apply(struct replica *replica, struct mutation *mutation)
{
    br_role role = replica->config.role;
    int64_t decree = mutation->header.decree;
    bool next = replica->applied + 1 == decree;
    bool learning = role == BR_ROLE_LEARNER && replica->learn.status != LEARNER_SUCCEEDED
                    && replica->learn.status != LEARNER_WITH_PREPARE_TRANSIENT
                    && !replica->learn.replaying;
    if (replica->broken || role == BR_ROLE_ERROR || learning || (role == BR_ROLE_INACTIVE && !next))
        return;
    REPLICA_CHECK(replica, next, "replica.cpp:execute_mutation",
                  "decree %lld is committed behind applied decree %lld", (long long) decree,
                  (long long) replica->applied);
    replica_apply(replica, mutation);
}

void replica_commit_hard(struct replica *replica, int64_t decree)
{
    struct prepare_list *list = &replica->list;
    int64_t ballot = 0;
    while (list->committed < decree) {
        struct mutation *mutation = prepare_list_get(list, list->committed + 1);
        REPLICA_CHECK(replica, mutation && mutation->logged, "prepare_list.cpp:commit",
                      "mutation %lld is missing in prepare list, commit to %lld",
                      (long long) list->committed + 1, (long long) decree);
        REPLICA_CHECK(replica, mutation->header.ballot >= ballot, "prepare_list.cpp:commit",
                      "mutation %lld of ballot %lld stands behind one of ballot %lld",
                      (long long) list->committed + 1, (long long) mutation->header.ballot,
                      (long long) ballot);
        ballot = mutation->header.ballot;
        list->committed++;
        prepare_apply(replica, mutation);
    }
}

void replica_commit_soft(struct replica *replica, int64_t decree)
{
    struct prepare_list *list = &replica->list;
    int64_t ballot = 0;
    while (list->committed < decree) {
        struct mutation *mutation = prepare_list_get(list, list->committed + 1);
        if (!mutation || !mutation_ready(mutation) || mutation->header.ballot < ballot)
            return;
        ballot = mutation->header.ballot;
        list->committed++;
        prepare_apply(replica, mutation);
    }
}

/* -- RPC_PREPARE ------------------------------------------------------------------------------ */

/* What a replica that is no member answers; NULL: go on. */
static const char *prepare_refusal(struct replica *replica, const struct replica_config *config)
{
    const struct learner_state *learn = &replica->learn;
    if (replica->config.role == BR_ROLE_INACTIVE && replica->transient)
        return "ERR_INACTIVE_STATE";
    if (replica->config.role == BR_ROLE_INACTIVE || replica->config.role == BR_ROLE_ERROR)
        return "ERR_INVALID_STATE";
    if (replica->config.role != BR_ROLE_LEARNER)
        return NULL;
    if ((uint64_t) config->signature != learn->version) {
        learner_failed(replica, "ERR_INVALID_STATE", false);
        return "ERR_INVALID_STATE";
    }
    if (learn->status == LEARNER_WITH_PREPARE || learn->status == LEARNER_SUCCEEDED)
        return NULL;
    return learn->status == LEARNER_WITHOUT_PREPARE ? "ERR_TRY_AGAIN" : "ERR_INVALID_STATE";
}

/* Into the list and the log; NULL: the log fails. */
static struct mutation *prepare_take(struct replica *replica, const struct prepare *prepare,
                                     bool all)
{
    struct prepare_list *list = &replica->list;
    int64_t decree = prepare->header.decree;
    replica_commit_hard(replica, prepare->header.last_committed_decree);
    prepare_list_make_room(list, decree, all);
    const struct mutation *old = prepare_list_get(list, decree);
    REPLICA_CHECK(replica, !old || old->header.ballot <= prepare->header.ballot,
                  "mutation_cache.cpp:put", "decree %lld of ballot %lld is prepared, not %lld",
                  (long long) decree, (long long) (old ? old->header.ballot : 0),
                  (long long) prepare->header.ballot);
    struct fail fail;
    br_status status = replica_take(replica, &prepare->header, prepare->updates, false, &fail);
    REPLICA_CHECK(replica, status == BR_OK, "prepare_list.cpp:prepare",
                  "mutation_cache::put failed: %s, the list begins at %lld", fail.text,
                  (long long) list->first);
    struct mutation *mutation = prepare_list_get(list, decree);
    bool logged = replica_append(replica, mutation);
    replica_note_decrees(replica);
    return logged ? mutation : NULL;
}

/* What is not safe yet is answered when it is. */
static void prepare_agree(struct replica *replica, struct rdsn_incoming *incoming, int64_t decree,
                          struct mutation *mutation)
{
    if (mutation && !mutation->logged)
        syncer_add(replica->stub->syncer, replica, mutation, incoming);
    else
        prepare_answer(replica, incoming, decree, "ERR_OK");
}

void replica_logged(struct replica *replica, struct mutation *mutation,
                    struct rdsn_incoming *incoming)
{
    br_role role = replica->config.role;
    bool current = replica->life == LIFE_SERVING
                   && mutation->header.ballot >= replica->config.ballot && role != BR_ROLE_INACTIVE
                   && role != BR_ROLE_ERROR;
    mutation->logged = true;
    if (incoming && current)
        prepare_answer(replica, incoming, mutation->header.decree, "ERR_OK");
    else if (incoming)
        rdsn_server_drop(incoming);
    else if (current && role == BR_ROLE_PRIMARY)
        replica_committable(replica, mutation->header.decree);
}

static void prepare_at_role(struct replica *replica, struct rdsn_incoming *incoming,
                            const struct prepare *prepare, const struct replica_config *config)
{
    static const char where[] = "replica_2pc.cpp:on_prepare";
    int64_t decree = prepare->header.decree;
    REPLICA_CHECK(replica, config->role == replica->config.role, where,
                  "a prepare for a %s came to a %s", replica_role_name(config->role),
                  replica_role_name(replica->config.role));
    struct mutation *old = prepare_list_get(&replica->list, decree);
    bool known = decree <= replica_committed(replica)
                 || (old && old->header.ballot == prepare->header.ballot);
    if (!known) {
        REPLICA_CHECK(replica, decree - replica_committed(replica) <= PREPARE_LIST_MAX * 2, where,
                      "decree %lld is too far above committed %lld", (long long) decree,
                      (long long) replica_committed(replica));
        old = prepare_take(replica, prepare, prepare->config.pop_all);
        REPLICA_CHECK(replica, decree - replica_committed(replica) <= PREPARE_LIST_MAX, where,
                      "decree %lld is too far above committed %lld", (long long) decree,
                      (long long) replica_committed(replica));
    }
    if (!known && !old) {
        prepare_answer(replica, incoming, decree, "ERR_FILE_OPERATION_FAILED");
        return;
    }
    prepare_agree(replica, incoming, decree, old);
    if (!known)
        replica_commit_hard(replica, prepare->header.last_committed_decree);
}

void replica_prepare(struct replica *replica, struct rdsn_incoming *incoming,
                     const struct prepare *prepare, const struct replica_config *config)
{
    static const char where[] = "replica_2pc.cpp:on_prepare";
    int64_t decree = prepare->header.decree;
    REPLICA_CHECK(replica,
                  prepare->header.pid.app_id == prepare->config.pid.app_id
                      && prepare->header.pid.partition == prepare->config.pid.partition,
                  where, "the mutation is of %d.%d, the configuration of %d.%d",
                  prepare->header.pid.app_id, prepare->header.pid.partition,
                  prepare->config.pid.app_id, prepare->config.pid.partition);
    REPLICA_CHECK(replica, prepare->header.ballot == config->ballot, where,
                  "the mutation's ballot is %lld, the configuration's %lld",
                  (long long) prepare->header.ballot, (long long) config->ballot);
    if (config->ballot < replica->config.ballot) {
        replica_log(replica, BR_WARN, "a prepare of ballot %lld is outdated",
                    (long long) config->ballot);
        rdsn_server_drop(incoming);
        return;
    }
    if (config->ballot > replica->config.ballot && !replica_become(replica, config, false)) {
        prepare_answer(replica, incoming, decree, "ERR_INVALID_STATE");
        return;
    }
    const char *refusal = prepare_refusal(replica, config);
    if (refusal)
        prepare_answer(replica, incoming, decree, refusal);
    else
        prepare_at_role(replica, incoming, prepare, config);
}
