/* client_data -- what clients send (src/include/rrdb/rrdb.code.definition.h, idl/rrdb.thrift).
 *
 * There are no data: a write gets its decree and is replicated, and nothing else happens; a read
 * finds nothing.  So the conditions of check_and_set and check_and_mutate are not looked at, and
 * what incr answers is what it does to a key that is not there.
 */
#include <string.h>

#include "host/replica/stub.h"

enum { DATA_OK = 0, DATA_NOT_FOUND = 1 }; /* rocksdb's status codes */

#define DATA_SCAN_COMPLETED (-1)

void data_refuse(struct rdsn_incoming *incoming, const char *error)
{
    rdsn_server_reply(incoming, error, (br_bytes){ NULL, 0 });
}

/* Every response has these three, at their own places. */
#define DATA_COMMON(stub, incoming, response)                                                      \
    do {                                                                                           \
        (response).app_id = (incoming)->header.app_id;                                             \
        (response).partition_index = (incoming)->header.partition;                                 \
        (response).server = (stub)->address;                                                       \
    } while (0)

static void data_put(struct stub *stub, struct rdsn_incoming *incoming, int64_t decree)
{
    struct msg_rrdb_update_response response;
    wire_init(&wire_rrdb_update_response, &response);
    DATA_COMMON(stub, incoming, response);
    response.decree = decree;
    stub_answer(stub, incoming, &wire_rrdb_update_response, &response);
}

static void data_multi_remove(struct stub *stub, struct rdsn_incoming *incoming, int64_t decree)
{
    struct msg_rrdb_number_response response;
    wire_init(&wire_rrdb_number_response, &response);
    DATA_COMMON(stub, incoming, response);
    response.decree = decree;
    stub_answer(stub, incoming, &wire_rrdb_number_response, &response);
}

static void data_incr(struct stub *stub, struct rdsn_incoming *incoming, int64_t decree)
{
    struct msg_rrdb_number_response response;
    struct msg_rrdb_incr_request request;
    struct fail fail;
    if (wire_decode(&wire_rrdb_incr_request, incoming->body, wire_arena(&stub->arena), &request,
                    &fail)
        != BR_OK) {
        rdsn_server_reject(incoming, fail.text);
        return;
    }
    wire_init(&wire_rrdb_number_response, &response);
    DATA_COMMON(stub, incoming, response);
    response.number = request.increment;
    response.decree = decree;
    stub_answer(stub, incoming, &wire_rrdb_number_response, &response);
}

static void data_check(struct stub *stub, struct rdsn_incoming *incoming, int64_t decree)
{
    struct msg_rrdb_check_response response;
    wire_init(&wire_rrdb_check_response, &response);
    DATA_COMMON(stub, incoming, response);
    response.decree = decree;
    stub_answer(stub, incoming, &wire_rrdb_check_response, &response);
}

static void data_get(struct stub *stub, struct rdsn_incoming *incoming, int64_t decree)
{
    struct msg_rrdb_read_response response;
    (void) decree;
    wire_init(&wire_rrdb_read_response, &response);
    DATA_COMMON(stub, incoming, response);
    response.error = DATA_NOT_FOUND;
    stub_answer(stub, incoming, &wire_rrdb_read_response, &response);
}

/* MULTI_GET and BATCH_GET: no list has an element. */
static void data_multi_get(struct stub *stub, struct rdsn_incoming *incoming, int64_t decree)
{
    struct msg_rrdb_multi_get_response response;
    (void) decree;
    wire_init(&wire_rrdb_multi_get_response, &response);
    DATA_COMMON(stub, incoming, response);
    response.error = DATA_NOT_FOUND;
    stub_answer(stub, incoming, &wire_rrdb_multi_get_response, &response);
}

static void data_ttl(struct stub *stub, struct rdsn_incoming *incoming, int64_t decree)
{
    struct msg_rrdb_ttl_response response;
    (void) decree;
    wire_init(&wire_rrdb_ttl_response, &response);
    DATA_COMMON(stub, incoming, response);
    response.error = DATA_NOT_FOUND;
    stub_answer(stub, incoming, &wire_rrdb_ttl_response, &response);
}

static void data_sortkey_count(struct stub *stub, struct rdsn_incoming *incoming, int64_t decree)
{
    struct msg_rrdb_count_response response;
    (void) decree;
    wire_init(&wire_rrdb_count_response, &response);
    DATA_COMMON(stub, incoming, response);
    response.error = DATA_NOT_FOUND;
    stub_answer(stub, incoming, &wire_rrdb_count_response, &response);
}

static void data_scan(struct stub *stub, struct rdsn_incoming *incoming, int64_t decree)
{
    struct msg_rrdb_scan_response response;
    (void) decree;
    wire_init(&wire_rrdb_scan_response, &response);
    DATA_COMMON(stub, incoming, response);
    response.error = DATA_NOT_FOUND;
    response.context_id = DATA_SCAN_COMPLETED;
    stub_answer(stub, incoming, &wire_rrdb_scan_response, &response);
}

static void data_clear_scanner(struct stub *stub, struct rdsn_incoming *incoming, int64_t decree)
{
    (void) stub;
    (void) decree;
    rdsn_server_drop(incoming);
}

/* The most frequent first.  Without an answer: it comes in mutations of others only. */
static const struct data_code data_codes[] = {
    { "RPC_RRDB_RRDB_PUT", true, true, data_put },
    { "RPC_RRDB_RRDB_GET", false, false, data_get },
    { "RPC_RRDB_RRDB_REMOVE", true, true, data_put },
    { "RPC_RRDB_RRDB_MULTI_PUT", true, false, data_put },
    { "RPC_RRDB_RRDB_MULTI_GET", false, false, data_multi_get },
    { "RPC_RRDB_RRDB_BATCH_GET", false, false, data_multi_get },
    { "RPC_RRDB_RRDB_MULTI_REMOVE", true, false, data_multi_remove },
    { "RPC_RRDB_RRDB_INCR", true, false, data_incr },
    { "RPC_RRDB_RRDB_CHECK_AND_SET", true, false, data_check },
    { "RPC_RRDB_RRDB_CHECK_AND_MUTATE", true, false, data_check },
    { "RPC_RRDB_RRDB_TTL", false, false, data_ttl },
    { "RPC_RRDB_RRDB_SORTKEY_COUNT", false, false, data_sortkey_count },
    { "RPC_RRDB_RRDB_GET_SCANNER", false, false, data_scan },
    { "RPC_RRDB_RRDB_SCAN", false, false, data_scan },
    { "RPC_RRDB_RRDB_CLEAR_SCANNER", false, false, data_clear_scanner },
    { "RPC_REPLICATION_WRITE_EMPTY", true, false, NULL },
    { "RPC_RRDB_RRDB_DUPLICATE", true, false, NULL },
    { "RPC_RRDB_RRDB_BULK_LOAD", true, false, NULL },
};

const struct data_code *data_find(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof data_codes / sizeof *data_codes; i++) {
        if (strncmp(data_codes[i].name, name, size) == 0 && data_codes[i].name[size] == '\0')
            return &data_codes[i];
    }
    return NULL;
}

void data_committed(struct stub *stub, struct rdsn_incoming *incoming, int64_t decree)
{
    const char *name = incoming->header.rpc_name;
    data_find(name, strlen(name))->answer(stub, incoming, decree);
}

/* replica::on_client_read. */
static const char *data_read_refusal(const struct replica *replica,
                                     const struct rdsn_incoming *incoming)
{
    br_role role = replica->config.role;
    bool backup = (incoming->header.context & RDSN_BACKUP_REQUEST) != 0;
    if (role == BR_ROLE_INACTIVE || role == BR_ROLE_LEARNER || (role != BR_ROLE_PRIMARY && !backup))
        return "ERR_INVALID_STATE";
    if (!backup && replica_committed(replica) < replica->primary.must_commit)
        return "ERR_INVALID_STATE";
    return NULL;
}

void data_request(struct stub *stub, const struct data_code *code, struct rdsn_incoming *incoming)
{
    const struct gpid pid = { incoming->header.app_id, incoming->header.partition };
    struct replica *replica = table_serving(stub, pid);
    if (!code->answer) {
        data_refuse(incoming, "ERR_HANDLER_NOT_FOUND");
    } else if (!replica) {
        data_refuse(incoming, "ERR_OBJECT_NOT_FOUND");
    } else if (code->write) {
        replica_write(replica, incoming);
    } else {
        const char *refusal = data_read_refusal(replica, incoming);
        if (refusal)
            data_refuse(incoming, refusal);
        else
            code->answer(stub, incoming, 0);
    }
}
