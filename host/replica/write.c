/* write -- the two-phase commit from the primary's side (src/replica/replica_2pc.cpp,
 * src/replica/mutation.cpp:mutation_queue).
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/mem.h"
#include "host/replica/stub.h"
#include "host/replica/syncer.h"

#define RETRY_DELAY  (5 * BR_MILLISECOND)
#define RETRY_MARGIN (2 * BR_MILLISECOND)

int32_t replica_min_members(const struct replica *replica)
{
    int32_t most = replica->table.replica_count;
    if (replica->stub->options.min_replicas > 0)
        return (int32_t) replica->stub->options.min_replicas;
    return most <= 2 ? 1 : most / 2 + 1;
}

static bool write_enough(const struct replica *replica)
{
    return (int32_t) replica->primary.members.secondary_count + 1 >= replica_min_members(replica);
}

/* -- The queue -------------------------------------------------------------------------------- */

static void queue_add(struct primary_state *primary, struct rdsn_incoming *incoming)
{
    if (primary->queue_count == primary->queue_room) {
        uint32_t room = primary->queue_room ? primary->queue_room * 2 : 16;
        struct rdsn_incoming **queue = mem_array(room, sizeof(struct rdsn_incoming *));
        for (uint32_t i = 0; i < primary->queue_count; i++)
            queue[i] = primary->queue[(primary->queue_first + i) % primary->queue_room];
        free(primary->queue);
        primary->queue = queue;
        primary->queue_room = room;
        primary->queue_first = 0;
    }
    primary->queue[(primary->queue_first + primary->queue_count++) % primary->queue_room] =
        incoming;
}

static struct rdsn_incoming *queue_take(struct primary_state *primary)
{
    struct rdsn_incoming *incoming = primary->queue[primary->queue_first];
    primary->queue_first = (primary->queue_first + 1) % primary->queue_room;
    primary->queue_count--;
    return incoming;
}

/* error NULL: nobody is told (write_queue.clear()). */
void replica_refuse_queue(struct replica *replica, const char *error)
{
    while (replica->primary.queue_count > 0) {
        struct rdsn_incoming *incoming = queue_take(&replica->primary);
        if (error)
            client_refuse(incoming, error);
        else
            rdsn_server_drop(incoming);
    }
}

/* -- Sending ---------------------------------------------------------------------------------- */

static void write_answered(struct outgoing *call, const struct rdsn_reply *reply);

static void write_send(struct replica *replica, struct mutation *mutation, struct peer *peer,
                       br_role role, int64_t signature)
{
    struct stub *stub = replica->stub;
    struct prepare prepare = {
        .pid = replica->pid,
        .header = mutation->header,
        .updates = buf_bytes(&mutation->updates),
    };
    learnee_config(replica, role, signature, &prepare.config);
    buf_clear(&stub->body);
    prepare_encode(&prepare, stub->peer, &stub->body);
    struct outgoing *call = stub_outgoing(stub, replica, write_answered);
    mutation_hold(mutation);
    call->mutation = mutation;
    call->peer = peer;
    call->role = role;
    call->ballot = mutation->header.ballot;
    call->decree = mutation->header.decree;
    call->round = mutation->round;
    stub_call(call, peer->name, "RPC_PREPARE",
              role == BR_ROLE_SECONDARY ? PREPARE_TIMEOUT : PREPARE_TIMEOUT_LEARNER);
}

static void write_send_all(struct replica *replica, struct mutation *mutation)
{
    struct primary_state *primary = &replica->primary;
    mutation->left_secondaries = primary->members.secondary_count;
    mutation->left_learners = 0;
    mutation->round++;
    for (uint32_t i = 0; i < primary->members.secondary_count; i++)
        write_send(replica, mutation, primary->members.secondaries[i], BR_ROLE_SECONDARY, 0);
    for (uint32_t i = 0; i < primary->learner_count; i++) {
        const struct learner *learner = &primary->learners[i];
        if (learner->prepare_start == -1 || mutation->header.decree < learner->prepare_start)
            continue;
        write_send(replica, mutation, learner->peer, BR_ROLE_LEARNER, learner->signature);
        mutation->left_learners++;
    }
}

static void write_refuse(struct mutation *mutation, const char *error)
{
    for (uint32_t i = 0; i < mutation->client_count; i++) {
        if (mutation->clients[i])
            client_refuse(mutation->clients[i], error);
    }
    mutation->client_count = 0;
}

void replica_committable(struct replica *replica, int64_t decree)
{
    if (decree == replica_committed(replica) + 1)
        replica_commit_soft(replica, replica->list.last);
}

/* init_prepare, for a decree that is given. */
static void write_prepare(struct replica *replica, struct mutation *mutation, bool reconciliation)
{
    struct prepare_list *list = &replica->list;
    mutation->header.ballot = replica->config.ballot;
    mutation->header.last_committed_decree = list->committed;
    if (mutation->header.decree > list->committed + STALENESS_MAX) {
        write_refuse(mutation, "ERR_CAPACITY_EXCEEDED");
        return;
    }
    if (!reconciliation && !write_enough(replica)) {
        write_refuse(mutation, "ERR_NOT_ENOUGH_MEMBER");
        return;
    }
    prepare_list_make_room(list, mutation->header.decree, false);
    if (!prepare_list_put(list, mutation)) {
        write_refuse(mutation, "ERR_CAPACITY_EXCEEDED");
        return;
    }
    if (!replica_append(replica, mutation)) {
        write_refuse(mutation, "ERR_FILE_OPERATION_FAILED");
        return;
    }
    replica_note_decrees(replica);
    mutation->prepared_at = loop_now(replica->stub->loop);
    replica->primary.last_prepare = mutation->prepared_at;
    write_send_all(replica, mutation);
    if (mutation->logged)
        replica_committable(replica, mutation->header.decree);
    else
        syncer_add(replica->stub->syncer, replica, mutation, NULL);
}

/* -- New mutations ---------------------------------------------------------------------------- */

static struct mutation *write_new(struct replica *replica, int64_t decree)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct mutation *mutation = mutation_new(&replica->stub->pool);
    mutation->header = (struct mutation_header){
        .pid = replica->pid,
        .decree = decree,
        .log_offset = -1,
        .timestamp = (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000,
    };
    return mutation;
}

static int32_t write_format(const struct rdsn_incoming *incoming)
{
    return (int32_t) (incoming->header.context >> RDSN_FORMAT_SHIFT & 15);
}

/* One write, or all that may share its decree. */
static void write_fill(struct primary_state *primary, struct mutation *mutation)
{
    size_t bytes = 0;
    bool more = true;
    while (more && primary->queue_count > 0) {
        struct rdsn_incoming *next = primary->queue[primary->queue_first];
        const char *name = next->header.rpc_name;
        bool batch = data_is_batch(data_operation(name, strlen(name)));
        if (mutation->client_count > 0 && !batch)
            break;
        mutation_add_client(mutation, queue_take(primary));
        bytes += next->body.size;
        more = batch && bytes < MUTATION_FULL;
    }
    mutation_put_count(&mutation->updates, (int32_t) mutation->client_count);
    for (uint32_t i = 0; i < mutation->client_count; i++) {
        const struct rdsn_incoming *incoming = mutation->clients[i];
        mutation_put_update(&mutation->updates, incoming->header.rpc_name, write_format(incoming),
                            incoming->body.size);
    }
    for (uint32_t i = 0; i < mutation->client_count; i++)
        buf_put(&mutation->updates, mutation->clients[i]->body.data,
                mutation->clients[i]->body.size);
}

void replica_pump(struct replica *replica)
{
    struct primary_state *primary = &replica->primary;
    if (primary->pumping)
        return;
    primary->pumping = true;
    while (primary->queue_count > 0 && replica->config.role == BR_ROLE_PRIMARY
           && replica->list.last - replica->list.committed < STALENESS_MAX) {
        struct mutation *mutation = write_new(replica, replica->list.last + 1);
        write_fill(primary, mutation);
        write_prepare(replica, mutation, false);
        mutation_release(mutation);
    }
    primary->pumping = false;
}

void replica_write_empty(struct replica *replica)
{
    struct mutation *mutation = write_new(replica, replica->list.last + 1);
    mutation_set_empty(mutation);
    write_prepare(replica, mutation, false);
    mutation_release(mutation);
}

/* Nobody agrees yet to what is prepared again, whoever did in another group: else the first one
 * that is committed would take the next ones with it, which would then be prepared as committed. */
static void write_forget_agreement(struct replica *replica)
{
    for (int64_t decree = replica->list.committed + 1; decree <= replica->list.last; decree++) {
        struct mutation *mutation = prepare_list_get(&replica->list, decree);
        if (mutation)
            mutation->logged = false;
    }
}

void replica_replay(struct replica *replica)
{
    int64_t last = replica->list.last;
    write_forget_agreement(replica);
    for (int64_t decree = replica->list.committed + 1; decree <= last; decree++) {
        struct mutation *mutation = prepare_list_get(&replica->list, decree);
        if (mutation) {
            mutation_hold(mutation);
        } else {
            mutation = write_new(replica, decree);
            mutation_set_empty(mutation);
        }
        write_prepare(replica, mutation, true);
        mutation_release(mutation);
    }
}

static const char *write_refusal(const struct replica *replica,
                                 const struct rdsn_incoming *incoming)
{
    if (incoming->body.size > WRITE_SIZE_MAX)
        return "ERR_INVALID_DATA";
    if (replica->config.role != BR_ROLE_PRIMARY)
        return "ERR_INVALID_STATE";
    return write_enough(replica) ? NULL : "ERR_NOT_ENOUGH_MEMBER";
}

/* What makes no sense gets no decree: every member would have to make sense of it. */
void replica_write(struct replica *replica, const struct data_operation *operation,
                   struct rdsn_incoming *incoming)
{
    const char *refusal = write_refusal(replica, incoming);
    struct fail fail;
    if (refusal) {
        client_refuse(incoming, refusal);
        return;
    }
    if (data_check(operation, &replica->stub->arena, incoming->body, &fail) != BR_OK) {
        rdsn_server_reject(incoming, fail.text);
        return;
    }
    queue_add(&replica->primary, incoming);
    replica_pump(replica);
}

/* -- Answers to prepares ---------------------------------------------------------------------- */

static void write_again(void *arg)
{
    struct outgoing *call = arg;
    struct replica *replica = call->replica;
    const struct learner *learner = learnee_find(replica, call->peer);
    call->timer = NULL;
    if (replica->config.role == BR_ROLE_PRIMARY && replica->config.ballot == call->ballot
        && call->round == call->mutation->round && call->decree > replica_committed(replica))
        write_send(replica, call->mutation, call->peer, call->role,
                   call->role == BR_ROLE_LEARNER && learner ? learner->signature : 0);
    stub_forget(call);
}

/* false: there is no time left. */
static bool write_retry(struct outgoing *call)
{
    struct loop *loop = call->stub->loop;
    br_time timeout = call->role == BR_ROLE_SECONDARY ? PREPARE_TIMEOUT : PREPARE_TIMEOUT_LEARNER;
    if (loop_now(loop) + RETRY_DELAY + RETRY_MARGIN > call->mutation->prepared_at + timeout)
        return false;
    call->timer = loop_after(loop, RETRY_DELAY, write_again, call);
    return true;
}

static void write_acknowledged(struct outgoing *call, const struct msg_prepare_ack *ack)
{
    static const char where[] = "replica_2pc.cpp:on_prepare_reply";
    struct replica *replica = call->replica;
    struct mutation *mutation = call->mutation;
    REPLICA_CHECK(replica, ack->ballot == replica->config.ballot, where,
                  "%s acknowledged with ballot %lld, the primary's is %lld", call->peer->name,
                  (long long) ack->ballot, (long long) replica->config.ballot);
    REPLICA_CHECK(replica, ack->decree == call->decree, where,
                  "%s acknowledged decree %lld, not %lld", call->peer->name,
                  (long long) ack->decree, (long long) call->decree);
    uint32_t *left =
        call->role == BR_ROLE_SECONDARY ? &mutation->left_secondaries : &mutation->left_learners;
    if (call->role == BR_ROLE_SECONDARY)
        REPLICA_CHECK(replica, learnee_role(replica, call->peer) == BR_ROLE_SECONDARY, where,
                      "invalid secondary node address, address = %s", call->peer->name);
    REPLICA_CHECK(replica, *left > 0, where, "%s acknowledged decree %lld once too often",
                  call->peer->name, (long long) call->decree);
    if (--*left == 0)
        replica_committable(replica, call->decree);
    replica_pump(replica);
}

static void write_answered(struct outgoing *call, const struct rdsn_reply *reply)
{
    struct replica *replica = call->replica;
    struct msg_prepare_ack ack;
    const char *error;
    if (replica->config.role != BR_ROLE_PRIMARY || call->ballot < replica->config.ballot
        || call->round != call->mutation->round || call->decree <= replica_committed(replica))
        return;
    if (stub_decode(replica->stub, reply, &wire_prepare_ack, &ack, &error))
        error = ack.err;
    if (strcmp(error, "ERR_OK") == 0) {
        write_acknowledged(call, &ack);
        return;
    }
    bool again = strcmp(error, "ERR_INACTIVE_STATE") == 0 || strcmp(error, "ERR_TRY_AGAIN") == 0;
    if (again && write_retry(call))
        return;
    replica_remote_failure(replica, learnee_role(replica, call->peer), call->peer, error,
                           "prepare");
    if (call->role == BR_ROLE_LEARNER && replica->config.role == BR_ROLE_PRIMARY) {
        if (call->mutation->left_learners > 0 && --call->mutation->left_learners == 0)
            replica_committable(replica, call->decree);
        replica_pump(replica);
    }
}
