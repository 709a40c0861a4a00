/* ddl_count -- how many replicas a table has, and its flag of 2.6 (src/meta/server_state.cpp:
 * set_max_replica_count, set_atomic_idempotent).
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/base/number.h"
#include "host/meta/change.h"
#include "host/meta/ddl_run.h"
#include "host/meta/guardian.h"

/* "updating;N" while a replica count changes (src/common/replica_envs.cpp). */
#define COUNT_ENV "max_replica_count.update"
#define COUNT_NOW "updating;"

/* -- Replica counts --------------------------------------------------------------------------- */

/* Do all its partitions say what the table says? */
static const char *count_uneven(struct ddl_op *op)
{
    const struct meta *meta = op->ddl->meta;
    const struct br_table *def = ddl_def(op);
    for (int32_t i = 0; i < def->partition_count; i++) {
        int32_t count = state_replica_count(&meta->state, (struct gpid){ op->id, i });
        if (count == def->replica_count)
            continue;
        struct buf text = { 0 };
        buf_printf(&text,
                   "partition_max_replica_count(%d) != app_max_replica_count(%d) for partition "
                   "%d.%d",
                   count, def->replica_count, op->id, i);
        op->hint = ddl_text(op, &text);
        return "ERR_INCONSISTENT_STATE";
    }
    return NULL;
}

static const char *count_find(struct ddl_op *op, bool even)
{
    const struct table *table = ddl_named(op->ddl->meta, op->name);
    struct buf text = { 0 };
    if (!table || (op->id >= 0 && op->id != table->def.id)) {
        buf_printf(&text, "app(%s) does not exist", op->name);
        op->hint = ddl_text(op, &text);
        return "ERR_APP_NOT_EXIST";
    }
    op->id = table->def.id;
    return even ? count_uneven(op) : NULL;
}

/* What both settings need; NULL: go on. */
static const char *count_may_set(struct ddl_op *op)
{
    struct buf text = { 0 };
    if (ddl_def(op)->status != BR_TABLE_AVAILABLE) {
        buf_printf(&text, "app(%s) is not in available status", op->name);
        op->hint = ddl_text(op, &text);
        return "ERR_INVALID_STATE";
    }
    if (meta_level_now(op->ddl->meta) > LEVEL_FREEZED)
        return NULL;
    op->hint = "current meta function level is freezed, since there are too few alive nodes";
    return "ERR_STATE_FREEZED";
}

static bool count_updating(const struct br_table *def, int32_t *ret_count)
{
    uint32_t at = ddl_envs_place(def, COUNT_ENV);
    if (at == def->env_count)
        return false;
    const char *value = def->envs[2 * at + 1];
    size_t size = strlen(COUNT_NOW);
    return strncmp(value, COUNT_NOW, size) == 0
           && number_i32(value + size, strlen(value + size), ret_count) && *ret_count >= 1
           && *ret_count <= BR_DROPS_MAX;
}

static const char *count_get_check(struct ddl_op *op)
{
    const char *error = count_find(op, true);
    if (error)
        return error;
    op->number = ddl_def(op)->replica_count;
    return DDL_OK;
}

static void count_get_answer(struct ddl_op *op, const char *error)
{
    struct msg_get_max_replica_count_response response;
    wire_init(op->rpc->response, &response);
    response.err = error;
    response.max_replica_count = (int32_t) op->number;
    response.hint_message = op->hint ? op->hint : "";
    ddl_reply(op, &response);
}

static const struct ddl_kind count_get_kind = {
    .name = "replica count",
    .check = count_get_check,
    .answer = count_get_answer,
};

void ddl_get_count_request(struct route *route)
{
    struct msg_app_name_request request;
    if (!route_decode(route, &request))
        return;
    struct ddl_op *op = ddl_op_new(route->meta, &count_get_kind, route);
    op->name = request.app_name;
    ddl_enter(op);
}

static const char *count_set_check(struct ddl_op *op)
{
    int32_t other;
    const char *error = count_find(op, true);
    if (error)
        return error;
    op->old = ddl_def(op)->replica_count;
    error = count_may_set(op);
    if (error)
        return error;
    op->hint = ddl_replicas_wrong(&op->arena, op->ddl->meta, op->number);
    if (op->hint)
        return "ERR_INVALID_PARAMETERS";
    if (op->number == op->old) {
        op->hint = "no need to update max_replica_count since it's not changed";
        return DDL_OK;
    }
    if (!count_updating(ddl_def(op), &other))
        return NULL;
    struct buf text = { 0 };
    buf_printf(&text,
               "max_replica_count of app(%s) is being updated, thus this request would be rejected",
               op->name);
    op->hint = ddl_text(op, &text);
    return "ERR_OPERATION_DISABLED";
}

/* First what shall be goes into the table's environments, so that the next leader goes on with it
 * when we die. */
static void count_set_begin(struct ddl_op *op)
{
    struct buf text = { 0 };
    const char **envs = ddl_envs_copy(op, 1);
    buf_printf(&text, COUNT_NOW "%lld", (long long) op->number);
    ddl_envs_put(&op->def, envs, COUNT_ENV, ddl_text(op, &text));
    ddl_write(op, true, false);
}

static void count_change(struct meta *meta, struct gpid pid, int32_t count)
{
    const struct partition *old = state_partition(&meta->state, pid);
    struct partition next = *old;
    next.replica_count = count;
    next.ballot++;
    change_start(meta, pid, CONFIG_NONE, -1, &next, NULL, WIRE_PEER_25);
}

/* Then the partitions, each with a new ballot (server_state.cpp:
 * update_partition_max_replica_count) once nothing else of it is being written; at last the table.
 */
static void count_set_settled(struct ddl_op *op)
{
    struct meta *meta = op->ddl->meta;
    int32_t partitions = ddl_def(op)->partition_count;
    bool all = true;
    if (!op->stage || op->with_table || op->flying)
        return;
    for (int32_t i = 0; i < partitions; i++) {
        struct gpid pid = { op->id, i };
        if (state_replica_count(&meta->state, pid) == op->number)
            continue;
        const struct cure *cure = state_cure(&meta->state, pid);
        all = false;
        if (!cure || !cure->change)
            count_change(meta, pid, (int32_t) op->number);
    }
    if (!all)
        return;
    const char **envs = ddl_envs_copy(op, 0);
    uint32_t at = ddl_envs_place(&op->def, COUNT_ENV);
    if (at < op->def.env_count)
        ddl_envs_remove(&op->def, envs, at);
    op->def.replica_count = (int32_t) op->number;
    ddl_write(op, true, false);
}

static void count_set_written(struct ddl_op *op)
{
    ddl_set_def(op);
    if (!op->stage) {
        op->stage = true;
        count_set_settled(op);
        return;
    }
    guardian_scan(op->ddl->meta);
    ddl_end(op, DDL_OK);
}

static void count_set_answer(struct ddl_op *op, const char *error)
{
    struct msg_set_max_replica_count_response response;
    wire_init(op->rpc->response, &response);
    response.err = error;
    response.old_max_replica_count = (int32_t) op->old;
    response.hint_message = op->hint ? op->hint : "";
    ddl_reply(op, &response);
}

static const struct ddl_kind count_set_kind = {
    .name = "new replica count",
    .check = count_set_check,
    .begin = count_set_begin,
    .written = count_set_written,
    .settled = count_set_settled,
    .answer = count_set_answer,
    .write = BR_PUT,
};

void ddl_set_count_request(struct route *route)
{
    struct msg_set_max_replica_count_request request;
    if (!route_decode(route, &request))
        return;
    struct ddl_op *op = ddl_op_new(route->meta, &count_set_kind, route);
    op->name = request.app_name;
    op->number = request.max_replica_count;
    ddl_enter(op);
}

/* What a former leader wrote into the environments is begun again: what it did already, stays. */
static const char *count_resume_check(struct ddl_op *op)
{
    int32_t count;
    if (ddl_def(op)->status != BR_TABLE_AVAILABLE || !count_updating(ddl_def(op), &count))
        return DDL_OK;
    op->number = count;
    return NULL;
}

static const struct ddl_kind count_resume_kind = {
    .name = "replica count left half done",
    .check = count_resume_check,
    .begin = count_set_begin,
    .written = count_set_written,
    .settled = count_set_settled,
    .write = BR_PUT,
};

void ddl_resume(struct ddl *ddl)
{
    const struct cluster *cluster = &ddl->meta->state.cluster;
    int32_t count;
    for (uint32_t i = 0; i < cluster->table_count; i++) {
        if (!count_updating(&cluster->tables[i].def, &count))
            continue;
        struct ddl_op *op = ddl_op_new(ddl->meta, &count_resume_kind, NULL);
        op->id = cluster->tables[i].def.id;
        ddl_wait(op);
        ddl_turn(ddl->meta, (int32_t) i);
    }
}

/* -- atomic_idempotent, of 2.6 ----------------------------------------------------------------- */

/* true: the servers are too old to know it, and the request was answered like all that is not
 * served. */
static bool atomic_unknown(struct route *route)
{
    if (route->meta->version == LAYOUT_26)
        return false;
    route_error(route, "ERR_SERVICE_NOT_ACTIVE");
    return true;
}

static const char *atomic_get_check(struct ddl_op *op)
{
    const char *error = count_find(op, false);
    if (error)
        return error;
    op->flag = (ddl_def(op)->flags & BR_TABLE_ATOMIC_IDEMPOTENT) != 0;
    return DDL_OK;
}

static void atomic_get_answer(struct ddl_op *op, const char *error)
{
    struct msg_get_atomic_idempotent_response response;
    wire_init(op->rpc->response, &response);
    response.err = error;
    response.atomic_idempotent = op->flag;
    response.hint_message = op->hint ? op->hint : "";
    ddl_reply(op, &response);
}

static const struct ddl_kind atomic_get_kind = {
    .name = "atomic_idempotent",
    .check = atomic_get_check,
    .answer = atomic_get_answer,
};

void ddl_get_atomic_request(struct route *route)
{
    struct msg_app_name_request request;
    if (!route_decode(route, &request) || atomic_unknown(route))
        return;
    struct ddl_op *op = ddl_op_new(route->meta, &atomic_get_kind, route);
    op->name = request.app_name;
    ddl_enter(op);
}

static const char *atomic_set_check(struct ddl_op *op)
{
    const char *error = count_find(op, false);
    if (error)
        return error;
    op->def = *ddl_def(op);
    op->old = (op->def.flags & BR_TABLE_ATOMIC_IDEMPOTENT) != 0;
    error = count_may_set(op);
    if (error)
        return error;
    if (op->flag == (op->old != 0)) {
        op->hint = "no need to update atomic_idempotent since it's unchanged";
        return DDL_OK;
    }
    op->def.flags ^= BR_TABLE_ATOMIC_IDEMPOTENT;
    return NULL;
}

static void atomic_set_answer(struct ddl_op *op, const char *error)
{
    struct msg_set_atomic_idempotent_response response;
    wire_init(op->rpc->response, &response);
    response.err = error;
    response.old_atomic_idempotent = op->old != 0;
    response.hint_message = op->hint ? op->hint : "";
    ddl_reply(op, &response);
}

static const struct ddl_kind atomic_set_kind = {
    DDL_ALTER_KIND("new atomic_idempotent"),
    .check = atomic_set_check,
    .answer = atomic_set_answer,
};

void ddl_set_atomic_request(struct route *route)
{
    struct msg_set_atomic_idempotent_request request;
    if (!route_decode(route, &request) || atomic_unknown(route))
        return;
    struct ddl_op *op = ddl_op_new(route->meta, &atomic_set_kind, route);
    op->name = request.app_name;
    op->flag = request.atomic_idempotent;
    ddl_enter(op);
}
