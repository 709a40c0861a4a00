/* apply -- what a committed mutation does to the data (src/replica/replication_app_base.cpp:
 * apply_mutation, src/server/pegasus_server_write.cpp).
 */
#include "host/replica/stub.h"

/* The response of each update, one behind the other: it ends where ends[i] says. */
static bool apply_run(struct replica *replica, const struct mutation *mutation, size_t *ends)
{
    struct stub *stub = replica->stub;
    struct mutation_update update;
    struct mutation_walk walk;
    struct fail fail;
    const struct data_call call = {
        .store = replica->store,
        .arena = &stub->applying,
        .app_id = replica->pid.app_id,
        .partition = replica->pid.partition,
        .server = stub->address,
        .decree = mutation->header.decree,
        .microseconds = mutation->header.timestamp,
    };
    mutation_walk_begin(buf_bytes(&mutation->updates), &walk);
    for (uint32_t i = 0; mutation_walk_next(&walk, &update); i++) {
        const struct data_operation *operation = data_operation(update.code, update.code_size);
        if (operation && data_run(operation, &call, update.data, &stub->responses, &fail) != BR_OK)
            replica_log(replica, BR_ERROR, "update %u of decree %lld is left out: %s", i,
                        (long long) mutation->header.decree, fail.text);
        if (i < mutation->client_count)
            ends[i] = stub->responses.size;
    }
    data_store_time(replica->store, mutation->header.timestamp);
    if (data_store_commit(replica->store, mutation->header.decree, &fail) == BR_OK)
        return true;
    replica_break(replica, "decree %lld cannot be applied: %s", (long long) mutation->header.decree,
                  fail.text);
    return false;
}

static void apply_answer(struct stub *stub, struct mutation *mutation, const size_t *ends)
{
    size_t start = 0;
    for (uint32_t i = 0; i < mutation->client_count; i++) {
        const br_bytes body = { stub->responses.data + start, ends[i] - start };
        start = ends[i];
        if (mutation->clients[i])
            rdsn_server_reply(mutation->clients[i], "ERR_OK", body);
    }
    mutation->client_count = 0;
}

void replica_apply(struct replica *replica, struct mutation *mutation)
{
    struct stub *stub = replica->stub;
    if (replica->broken)
        return;
    if (!replica->store && mutation->client_count == 0) {
        replica->applied++;
        return;
    }
    arena_clear(&stub->applying);
    buf_clear(&stub->responses);
    size_t *ends = arena_zero(&stub->applying, (mutation->client_count + 1u) * sizeof *ends);
    if (!apply_run(replica, mutation, ends))
        return;
    replica->applied++;
    apply_answer(stub, mutation, ends);
}
