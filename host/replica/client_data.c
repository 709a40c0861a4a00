/* client_data -- what clients send: who may be asked for it, and refusals (src/replica/replica.cpp:
 * on_client_read, on_client_write).  What is asked for is in host/data.
 */
#include <time.h>

#include "host/replica/stub.h"

void client_refuse(struct rdsn_incoming *incoming, const char *error)
{
    rdsn_server_reply(incoming, error, (br_bytes){ NULL, 0 });
}

/* replica::on_client_read. */
static const char *client_read_refusal(const struct replica *replica,
                                       const struct rdsn_incoming *incoming)
{
    br_role role = replica->config.role;
    bool backup = (incoming->header.context & RDSN_BACKUP_REQUEST) != 0;
    if (role == BR_ROLE_INACTIVE || role == BR_ROLE_LEARNER || role == BR_ROLE_ERROR
        || (role != BR_ROLE_PRIMARY && !backup))
        return "ERR_INVALID_STATE";
    if (!backup && replica_committed(replica) < replica->primary.must_commit)
        return "ERR_INVALID_STATE";
    return NULL;
}

static void client_read(struct replica *replica, const struct data_operation *operation,
                        struct rdsn_incoming *incoming)
{
    struct stub *stub = replica->stub;
    struct fail fail;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const struct data_call call = {
        .store = replica->store,
        .arena = &stub->arena,
        .app_id = replica->pid.app_id,
        .partition = replica->pid.partition,
        .server = stub->address,
        .microseconds = (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000,
        .now = loop_now(stub->loop),
    };
    buf_clear(&stub->body);
    if (data_run(operation, &call, incoming->body, &stub->body, &fail) != BR_OK)
        rdsn_server_reject(incoming, fail.text);
    else if (data_is_answered(operation))
        rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&stub->body));
    else
        rdsn_server_drop(incoming);
}

void client_request(struct stub *stub, const struct data_operation *operation,
                    struct rdsn_incoming *incoming)
{
    const struct gpid pid = { incoming->header.app_id, incoming->header.partition };
    struct replica *replica = table_serving(stub, pid);
    if (!data_is_request(operation)) {
        client_refuse(incoming, "ERR_HANDLER_NOT_FOUND");
    } else if (!replica) {
        client_refuse(incoming, "ERR_OBJECT_NOT_FOUND");
    } else if (data_is_write(operation)) {
        replica_write(replica, operation, incoming);
    } else {
        const char *refusal = client_read_refusal(replica, incoming);
        if (refusal)
            client_refuse(incoming, refusal);
        else
            client_read(replica, operation, incoming);
    }
}
