/* check -- check_and_set and check_and_mutate: a look at one key decides about writing
 * (src/server/pegasus_write_service_impl.h).
 */
#include "host/data/operation_run.h"

/* What was looked at and what came of it. */
struct check {
    struct msg_rrdb_check_response response;
    bool exists, passed;
};

/* By `order`, negative, 0 or positive: <, <=, ==, >=, > in that order from `first` on. */
static bool check_order(int32_t type, int32_t first, int order)
{
    switch (type - first) {
    case 0: return order < 0;
    case 1: return order <= 0;
    case 2: return order == 0;
    case 3: return order >= 0;
    default: return order > 0;
    }
}

static bool check_numbers(int32_t type, br_bytes value, br_bytes operand, int32_t *error)
{
    int64_t one, other;
    if (!data_number(value, &one) || !data_number(operand, &other)) {
        *error = DATA_INVALID_ARGUMENT;
        return false;
    }
    return check_order(type, CHECK_INT_LESS, (one > other) - (one < other));
}

static bool check_passes(int32_t type, bool exists, br_bytes value, br_bytes operand,
                         int32_t *error)
{
    switch (type) {
    case CHECK_NONE: return true;
    case CHECK_NOT_EXIST: return !exists;
    case CHECK_NOT_EXIST_OR_EMPTY: return !exists || value.size == 0;
    case CHECK_EXIST: return exists;
    case CHECK_NOT_EMPTY: return exists && value.size > 0;
    default: break;
    }
    if (!exists)
        return false;
    if (type <= CHECK_POSTFIX)
        return data_filter(FILTER_ANYWHERE + type - CHECK_ANYWHERE, operand, value);
    if (type <= CHECK_BYTES_GREATER)
        return check_order(type, CHECK_BYTES_LESS, data_compare(value, operand));
    return check_numbers(type, value, operand, error);
}

/* Look and judge.  The response's error is set where it must not be written. */
static void check_look(const struct data_call *call, br_bytes hash, br_bytes sort, int32_t type,
                       br_bytes operand, bool wanted, struct check *check)
{
    struct msg_rrdb_check_response *response = &check->response;
    struct data_got got;
    wire_init(&wire_rrdb_check_response, response);
    DATA_COMMON(call, *response);
    response->decree = call->decree;
    check->passed = false;
    if (type < CHECK_NONE || type > CHECK_INT_GREATER) {
        response->error = DATA_INVALID_ARGUMENT;
        return;
    }
    int32_t error =
        data_store_get(call->store, data_full_key(call, hash, sort), data_now(call), &got);
    if (error != DATA_OK && error != DATA_NOT_FOUND) {
        response->error = error;
        return;
    }
    check->exists = error == DATA_OK;
    if (wanted) {
        response->check_value_returned = true;
        response->check_value_exist = check->exists;
        response->check_value = data_keep(call, got.user);
    }
    response->error = DATA_TRY_AGAIN;
    check->passed = check_passes(type, check->exists, got.user, operand, &response->error);
    data_got_free(&got);
    if (check->passed)
        response->error = DATA_OK;
}

static void check_answer(const struct check *check, struct buf *buf)
{
    wire_encode(&wire_rrdb_check_response, &check->response, WIRE_PEER_25, buf);
}

void data_run_check_and_set(const struct data_call *call, const void *message, struct buf *buf)
{
    const struct msg_rrdb_check_and_set_request *request = message;
    struct check check;
    check_look(call, request->hash_key, request->check_sort_key, request->check_type,
               request->check_operand, request->return_check_value, &check);
    br_bytes sort = request->set_diff_sort_key ? request->set_sort_key : request->check_sort_key;
    if (check.passed)
        data_put(call, data_full_key(call, request->hash_key, sort), request->set_value,
                 request->set_expire_ts_seconds);
    check_answer(&check, buf);
}

static bool check_mutations_good(const struct wire_list *list)
{
    const struct msg_rrdb_mutate *mutations = list->items;
    bool good = list->count > 0;
    for (uint32_t i = 0; i < list->count && good; i++)
        good = mutations[i].operation == MUTATE_PUT || mutations[i].operation == MUTATE_DELETE;
    return good;
}

void data_run_check_and_mutate(const struct data_call *call, const void *message, struct buf *buf)
{
    const struct msg_rrdb_check_and_mutate_request *request = message;
    const struct msg_rrdb_mutate *mutations = request->mutate_list.items;
    bool good = check_mutations_good(&request->mutate_list);
    struct check check;
    check_look(call, request->hash_key, request->check_sort_key, good ? request->check_type : -1,
               request->check_operand, request->return_check_value, &check);
    for (uint32_t i = 0; i < request->mutate_list.count && check.passed; i++) {
        br_bytes key = data_full_key(call, request->hash_key, mutations[i].sort_key);
        if (mutations[i].operation == MUTATE_PUT)
            data_put(call, key, mutations[i].value, mutations[i].set_expire_ts_seconds);
        else
            data_store_remove(call->store, key);
    }
    check_answer(&check, buf);
}
