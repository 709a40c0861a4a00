/* learnee -- learning from the primary's side (src/replica/replica_learn.cpp). */
#include <string.h>

#include "host/replica/files.h"
#include "host/replica/journal.h"
#include "host/replica/stub.h"

struct learner *learnee_find(struct replica *replica, const struct peer *peer)
{
    struct primary_state *primary = &replica->primary;
    for (uint32_t i = 0; i < primary->learner_count; i++) {
        if (primary->learners[i].peer == peer)
            return &primary->learners[i];
    }
    return NULL;
}

void learnee_forget(struct replica *replica, const struct peer *peer)
{
    struct learner *learner = learnee_find(replica, peer);
    if (learner)
        *learner = replica->primary.learners[--replica->primary.learner_count];
}

br_role learnee_role(struct replica *replica, const struct peer *peer)
{
    br_role role = membership_role(&replica->primary.members, peer);
    return role == BR_ROLE_INACTIVE && learnee_find(replica, peer) ? BR_ROLE_LEARNER : role;
}

void learnee_config(const struct replica *replica, br_role role, int64_t signature,
                    struct msg_replica_configuration *ret)
{
    const struct membership *members = &replica->primary.members;
    wire_init(&wire_replica_configuration, ret);
    ret->pid = members->pid;
    ret->ballot = members->ballot;
    ret->primary = peer_address(members->primary);
    ret->hp_primary = peer_host_port(members->primary);
    WIRE_SET(ret, 8);
    ret->status = role;
    ret->learner_signature = signature;
}

void learnee_group_check(const struct replica *replica, const struct peer *peer, br_role role,
                         int64_t signature, struct msg_group_check_request *ret)
{
    wire_init(&wire_group_check_request, ret);
    info_from_table(&replica->table, &ret->app);
    ret->node = peer_address(peer);
    ret->hp_node = peer_host_port(peer);
    WIRE_SET(ret, 8);
    learnee_config(replica, role, signature, &ret->config);
    ret->last_committed_decree = replica_committed(replica);
}

/* The mutations from `decree` on that the learner will not get as prepares. */
static void learnee_put_cache(struct replica *replica, int64_t decree, int64_t end, struct buf *buf)
{
    for (; decree < end; decree++) {
        const struct mutation *mutation = prepare_list_get(&replica->list, decree);
        REPLICA_CHECK(replica, mutation, "replica_learn.cpp:prepare_cached_learn_state",
                      "mutation must not be nullptr, decree = %lld", (long long) decree);
        mutation_encode(&mutation->header, buf_bytes(&mutation->updates), buf);
    }
}

/* What of the learner's request decides.  The refusal, or NULL. */
static const char *learnee_refusal(struct replica *replica, int64_t signature,
                                   const struct learner *learner, int64_t *applied)
{
    if (!learner)
        return "ERR_OBJECT_NOT_FOUND";
    if (learner->signature != signature)
        return "ERR_WRONG_CHECKSUM";
    if (*applied > replica_prepared(replica)) {
        *applied = 0; /* its state is of a history that was lost: from the beginning */
    } else if (*applied > replica_committed(replica)) {
        replica_commit_soft(replica, *applied);
        if (*applied > replica_committed(replica))
            return "ERR_INCONSISTENT_STATE";
    }
    return NULL;
}

static void learnee_refuse(struct replica *replica, struct rdsn_incoming *incoming,
                           struct msg_learn_response *response, const struct learner *learner,
                           const char *error)
{
    response->err = error;
    if (!learner)
        response->config.status = BR_ROLE_INACTIVE;
    else if (strcmp(error, "ERR_WRONG_CHECKSUM") == 0)
        response->config.learner_signature = learner->signature;
    stub_answer(replica->stub, incoming, &wire_learn_response, response);
}

/* From `start` on, out of the prepare list, where it reaches back so far.  Prepares begin now; they
 * begin anew where a learner asks again under its signature: Pegasus lets them begin where they did
 * (prepare_cached_learn_state), trusting that the learner still has in its log what it acknowledged
 * since. */
static bool learnee_give_cache(struct replica *replica, struct learner *learner, int64_t start,
                               struct msg_learn_response *response, struct buf *cache)
{
    const struct prepare_list *list = &replica->list;
    learner->prepare_start = -1;
    if (start < list->first || (start == list->first && list->empty))
        return false;
    learner->prepare_start = list->committed + 1;
    response->prepare_start_decree = learner->prepare_start;
    response->type = LEARN_CACHE;
    learnee_put_cache(replica, start, learner->prepare_start, cache);
    response->state.meta = buf_bytes(cache);
    return true;
}

static void learnee_give_dir(struct replica *replica, const char *name,
                             struct msg_learn_response *response)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s%s%s", replica->dir, *name ? "/" : "", name);
    response->base_local_dir = arena_text(&replica->stub->arena, path.data, path.size);
    response->replica_disk_tag = replica->data->tag;
    WIRE_SET(response, 9);
    buf_done(&path);
}

/* The files of the log that hold what is above `applied`. */
static void learnee_give_log(struct replica *replica, int64_t applied,
                             struct msg_learn_response *response)
{
    struct arena *arena = &replica->stub->arena;
    const char **files = arena_alloc(arena, PLOG_DIR_FILES_MAX * sizeof *files);
    char name[PLOG_NAME_MAX];
    uint32_t count = 0, at = 0;
    while (count < PLOG_DIR_FILES_MAX && journal_next_file(replica->journal, applied, &at, name))
        files[count++] = arena_text(arena, name, strlen(name));
    response->type = LEARN_LOG;
    response->state.from_decree_excluded = applied;
    response->state.to_decree_included = replica_committed(replica);
    response->state.files = (struct wire_list){ .items = files, .count = count };
    learnee_give_dir(replica, "plog", response);
}

static void learnee_give_checkpoint(struct replica *replica, struct msg_learn_response *response)
{
    struct arena *arena = &replica->stub->arena;
    struct buf path = { 0 }, name = { 0 };
    buf_printf(&name, "checkpoint.%lld", (long long) replica->checkpoint.decree);
    buf_printf(&path, "%s/data/%s", replica->dir, name.data);
    response->type = LEARN_APP;
    response->state.to_decree_included = replica->checkpoint.decree;
    files_list(path.data, name.data, arena, &response->state.files);
    learnee_give_dir(replica, "data", response);
    buf_done(&path);
    buf_done(&name);
}

/* A checkpoint from which the log goes on.  false: it is to be made. */
static bool learnee_has_checkpoint(const struct replica *replica, int64_t applied)
{
    int64_t decree = replica->checkpoint.decree;
    return decree > applied && journal_reaches(replica->journal, decree);
}

static bool learnee_wait(struct replica *replica, const struct learn_wait *wait)
{
    struct replica_checkpoint *checkpoint = &replica->checkpoint;
    if (checkpoint->waiting_count == LEARNERS_MAX)
        return false;
    checkpoint->waiting[checkpoint->waiting_count++] = *wait;
    replica_make_checkpoint(replica);
    return true;
}

/* What the learner gets next.  false: not now. */
static bool learnee_give(struct replica *replica, int64_t applied,
                         struct msg_learn_response *response)
{
    if (!replica->store) {
        response->type = LEARN_APP;
        response->state.to_decree_included = replica_committed(replica);
        learnee_give_dir(replica, "", response);
    } else if (journal_reaches(replica->journal, applied)) {
        learnee_give_log(replica, applied, response);
    } else if (learnee_has_checkpoint(replica, applied)) {
        learnee_give_checkpoint(replica, response);
    } else {
        return false;
    }
    return true;
}

/* A primary's answer, but for what it gives. */
static void learnee_begin_answer(struct replica *replica, const struct learner *learner,
                                 int64_t applied, struct msg_learn_response *response)
{
    wire_init(&wire_learn_response, response);
    learnee_config(replica, BR_ROLE_LEARNER, learner ? learner->signature : 0, &response->config);
    response->err = "ERR_OK";
    response->learnee = peer_address(replica->stub->self);
    response->hp_learnee = peer_host_port(replica->stub->self);
    WIRE_SET(response, 10);
    response->prepare_start_decree = -1;
    response->last_committed_decree = replica_committed(replica);
    response->state.learn_start_decree = applied + 1;
    WIRE_SET(&response->state, 5);
}

static void learnee_answer(struct replica *replica, const struct learn_wait *ask, bool may_wait)
{
    struct stub *stub = replica->stub;
    struct msg_learn_response response;
    struct learner *learner = learnee_find(replica, ask->peer);
    struct buf cache = { 0 };
    int64_t applied = ask->applied;
    const char *refusal = learnee_refusal(replica, ask->signature, learner, &applied);
    learnee_begin_answer(replica, learner, applied, &response);
    if (refusal) {
        learnee_refuse(replica, ask->incoming, &response, learner, refusal);
        return;
    }
    bool begins = learnee_give_cache(replica, learner, applied + 1, &response, &cache);
    if (!begins && !learnee_give(replica, applied, &response)) {
        if (may_wait && learnee_wait(replica, ask))
            return;
        response.err = "ERR_INCONSISTENT_STATE"; /* the learner comes again */
    }
    stub_answer(stub, ask->incoming, &wire_learn_response, &response);
    buf_done(&cache);
    if (begins)
        replica_replay(replica);
    replica_pump(replica);
}

void learnee_asked(struct replica *replica, struct rdsn_incoming *incoming,
                   const struct msg_learn_request *request, struct peer *peer)
{
    if (replica->config.role != BR_ROLE_PRIMARY) {
        struct msg_learn_response response;
        bool soon = replica->config.role == BR_ROLE_INACTIVE && replica->transient;
        wire_init(&wire_learn_response, &response);
        response.err = soon ? "ERR_INACTIVE_STATE" : "ERR_INVALID_STATE";
        stub_answer(replica->stub, incoming, &wire_learn_response, &response);
        return;
    }
    learnee_answer(replica,
                   &(struct learn_wait){ incoming, peer, request->signature,
                                         request->last_committed_decree_in_app },
                   true);
}

void learnee_go_on(struct replica *replica, bool made)
{
    struct replica_checkpoint *checkpoint = &replica->checkpoint;
    struct learn_wait waiting[LEARNERS_MAX];
    uint32_t count = checkpoint->waiting_count;
    memcpy(waiting, checkpoint->waiting, count * sizeof *waiting);
    checkpoint->waiting_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (made && replica->life == LIFE_SERVING && replica->config.role == BR_ROLE_PRIMARY)
            learnee_answer(replica, &waiting[i], false);
        else
            rdsn_server_drop(waiting[i].incoming);
    }
}

const char *learnee_succeeded(struct replica *replica, struct peer *peer, int64_t signature)
{
    const struct learner *learner = learnee_find(replica, peer);
    if (learnee_role(replica, peer) == BR_ROLE_SECONDARY)
        return "ERR_OK";
    if (!learner)
        return "ERR_LEARNER_NOT_FOUND";
    if (learner->signature != signature)
        return "ERR_INVALID_STATE";
    replica_upgrade_to_secondary(replica, peer);
    return "ERR_OK";
}
