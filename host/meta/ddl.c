/* ddl -- see ddl.h: the queues, the writing, the answers. */
#include "host/meta/ddl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/meta/ddl_run.h"
#include "host/meta/guardian.h"

/* One group on its way; refused, the same is issued again. */
struct ddl_batch {
    TAILQ_ENTRY(ddl_batch) link;
    struct ddl_op *op;
    struct write_group *group; /* NULL: waits to be issued again */
    struct timer *again;
    bool with_table;
    int32_t from, to;
};

/* -- Looking up ------------------------------------------------------------------------------- */

int32_t ddl_table(const struct ddl_op *op)
{
    return state_table(&op->ddl->meta->state, op->id);
}

const struct br_table *ddl_def(const struct ddl_op *op)
{
    return &cluster_table(&op->ddl->meta->state.cluster, op->id)->def;
}

const struct table *ddl_named(const struct meta *meta, const char *name)
{
    const struct cluster *cluster = &meta->state.cluster;
    for (uint32_t i = 0; i < cluster->table_count; i++) {
        const struct table *table = &cluster->tables[i];
        if (table->def.status != BR_TABLE_DROPPED && strcmp(table->def.name, name) == 0)
            return table;
    }
    return NULL;
}

static struct ddl_op *ddl_head(const struct meta *meta, uint32_t table)
{
    const struct ddl_ops *ops = meta->state.tables[table].ddl;
    return ops ? TAILQ_FIRST(ops) : NULL;
}

bool ddl_taken(const struct meta *meta, const char *name)
{
    if (ddl_named(meta, name))
        return true;
    for (uint32_t i = 0; i < meta->state.cluster.table_count; i++) {
        const struct ddl_op *op = ddl_head(meta, i);
        if (op && op->begun && op->new_name && strcmp(op->new_name, name) == 0)
            return true;
    }
    return false;
}

uint32_t ddl_alive(const struct meta *meta)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < meta->state.cluster.node_count; i++)
        count += meta->state.nodes[i].alive;
    return count;
}

const char *ddl_check_named(struct ddl_op *op, bool busy)
{
    const struct table *table = ddl_named(op->ddl->meta, op->name);
    if (!table || (op->id >= 0 && table->def.id != op->id))
        return "ERR_APP_NOT_EXIST";
    op->id = table->def.id;
    if (table->def.status == BR_TABLE_DROPPING)
        return "ERR_BUSY_DROPPING";
    if (busy && table->def.status != BR_TABLE_AVAILABLE)
        return "ERR_BUSY_CREATING";
    return NULL;
}

/* -- Memory ----------------------------------------------------------------------------------- */

void ddl_set_status(struct ddl_op *op, int32_t status)
{
    struct br_table def = *ddl_def(op);
    def.status = status;
    state_set_def(&op->ddl->meta->state, ddl_table(op), &def);
}

void ddl_set_def(struct ddl_op *op)
{
    state_set_def(&op->ddl->meta->state, ddl_table(op), &op->def);
}

/* -- Records ---------------------------------------------------------------------------------- */

bool ddl_storable(const struct ddl_op *op, const struct br_table *def)
{
    const struct meta *meta = op->ddl->meta;
    struct cluster scratch;
    struct br_table read;
    struct fail fail;
    struct buf path = { 0 };
    struct buf json = { 0 };
    layout_table_path(&path, buf_string(&meta->root), BR_TABLE_ID_MAX);
    layout_put_table(&json, def, meta->version);
    cluster_init(&scratch);
    bool good = json.size <= BR_STORE_VALUE_MAX
                && layout_get_table(&scratch, buf_bytes(&json), &read, &fail) == BR_OK;
    cluster_done(&scratch);
    const struct br_store *limits = &meta->store->ops.store;
    uint64_t size = path.size + json.size + 2 * (uint64_t) limits->write_overhead
                    + (meta->fence ? strlen(meta->fence) : 0);
    good = good && (!limits->batch_bytes_max || size <= limits->batch_bytes_max);
    buf_done(&path);
    buf_done(&json);
    return good;
}

static int32_t ddl_partition(const struct ddl_op *op, int32_t at)
{
    return op->only ? op->only[at] : at;
}

/* What becomes of the partition; `members` has room for STATE_MEMBERS_MAX + 1. */
static struct partition ddl_next(const struct ddl_op *op, struct gpid pid, int32_t *members)
{
    const struct partition *old = state_partition(&op->ddl->meta->state, pid);
    uint32_t count = (uint32_t) old->secondary_count + old->drop_count;
    struct partition next = *old;
    if (count)
        memcpy(members, old->members, count * sizeof *members);
    next.members = members;
    if (op->kind->turn)
        op->kind->turn(&next, members);
    return next;
}

static void ddl_put_table(const struct ddl_op *op, struct write_group *group)
{
    const struct meta *meta = op->ddl->meta;
    struct br_table def = op->def;
    struct buf path = { 0 };
    struct buf json = { 0 };
    layout_table_path(&path, buf_string(&meta->root), op->id);
    layout_put_table(&json, &def, meta->version);
    writer_add(group, op->kind->write, path.data, buf_bytes(&json));
    buf_done(&path);
    buf_done(&json);
}

/* false: the group has no room for it. */
static bool ddl_put_partition(const struct ddl_op *op, struct write_group *group, int32_t at,
                              bool first)
{
    const struct meta *meta = op->ddl->meta;
    struct gpid pid = { op->id, ddl_partition(op, at) };
    int32_t members[STATE_MEMBERS_MAX + 1];
    struct partition next = ddl_next(op, pid, members);
    struct buf path = { 0 };
    struct buf json = { 0 };
    layout_partition_path(&path, buf_string(&meta->root), pid.app_id, pid.partition);
    layout_put_partition(&json, &meta->state.cluster, pid.app_id,
                         state_replica_count(&meta->state, pid), pid.partition, &next,
                         meta->version);
    bool fits = first || writer_room(group, path.size + json.size) > 0;
    if (fits)
        writer_add(group, op->kind->write, path.data, buf_bytes(&json));
    buf_done(&path);
    buf_done(&json);
    return fits;
}

/* -- Writing ---------------------------------------------------------------------------------- */

static void ddl_pump(struct ddl_op *op);
static void ddl_batch_issue(struct ddl_batch *batch);

static void ddl_batch_free(struct ddl_batch *batch)
{
    if (batch->group)
        writer_forget(batch->group);
    timer_cancel(batch->again);
    free(batch);
}

static void ddl_batch_again(void *arg)
{
    struct ddl_batch *batch = arg;
    batch->again = NULL;
    ddl_batch_issue(batch);
}

static void ddl_apply(struct ddl_op *op, int32_t from, int32_t to)
{
    struct state *state = &op->ddl->meta->state;
    int32_t members[STATE_MEMBERS_MAX + 1];
    for (int32_t i = from; op->kind->turn && i < to; i++) {
        struct gpid pid = { op->id, ddl_partition(op, i) };
        struct partition next = ddl_next(op, pid, members);
        state_set_partition(state, pid, &next);
    }
}

static void ddl_batch_told(void *arg, br_status status, const char *why)
{
    struct ddl_batch *batch = arg;
    struct ddl_op *op = batch->op;
    batch->group = NULL;
    if (status) {
        struct meta *meta = op->ddl->meta;
        meta_log(meta, BR_ERROR,
                 "%s of table %d cannot be written: %s; if somebody else writes to %s, stop them; "
                 "it is tried again every second",
                 op->kind->name, op->id, why, buf_string(&meta->root));
        batch->again = loop_after(meta->loop, META_RETRY, ddl_batch_again, batch);
        return;
    }
    ddl_apply(op, batch->from, batch->to);
    op->told = true;
    op->flying--;
    TAILQ_REMOVE(&op->batches, batch, link);
    free(batch);
    ddl_pump(op);
}

/* As many partitions as fit beside the table; again: the same ones. */
static void ddl_batch_issue(struct ddl_batch *batch)
{
    struct ddl_op *op = batch->op;
    batch->group = writer_begin(op->ddl->meta->writer);
    if (batch->with_table)
        ddl_put_table(op, batch->group);
    int32_t at = batch->from;
    while (at < batch->to
           && ddl_put_partition(op, batch->group, at, !batch->with_table && at == batch->from))
        at++;
    batch->to = at;
    writer_issue(batch->group, ddl_batch_told, batch);
}

/* No child before its parent: the first group is waited for. */
static void ddl_pump(struct ddl_op *op)
{
    while ((op->next < op->end || op->with_table) && op->flying < DDL_FLIGHT_MAX
           && (op->told || op->flying == 0)) {
        struct ddl_batch *batch = mem_new(sizeof *batch);
        *batch = (struct ddl_batch){
            .op = op, .with_table = op->with_table, .from = op->next, .to = op->end
        };
        TAILQ_INSERT_TAIL(&op->batches, batch, link);
        op->flying++;
        op->with_table = false;
        ddl_batch_issue(batch);
        op->next = batch->to;
    }
    if (!op->flying && op->next == op->end)
        op->kind->written(op);
}

void ddl_write(struct ddl_op *op, bool with_table, bool with_partitions)
{
    op->with_table = with_table;
    op->told = false;
    op->next = 0;
    op->end = 0;
    if (with_partitions)
        op->end = op->only ? op->only_size : ddl_def(op)->partition_count;
    ddl_pump(op);
}

/* -- Operations ------------------------------------------------------------------------------- */

struct ddl_op *ddl_op_new(struct meta *meta, const struct ddl_kind *kind, struct route *route)
{
    struct ddl_op *op = mem_new(sizeof *op);
    op->ddl = meta->ddl;
    op->kind = kind;
    op->id = -1;
    TAILQ_INIT(&op->batches);
    if (!route) {
        arena_init(&op->arena, 1024);
        return op;
    }
    op->incoming = route->incoming;
    op->rpc = route->rpc;
    op->peer = route_peer(route);
    op->arena = route->arena; /* what was decoded lives on */
    arena_init(&route->arena, 0);
    route->incoming = NULL;
    return op;
}

static void ddl_op_free(struct ddl_op *op)
{
    struct ddl_batch *batch;
    while ((batch = TAILQ_FIRST(&op->batches))) {
        TAILQ_REMOVE(&op->batches, batch, link);
        ddl_batch_free(batch);
    }
    if (op->incoming)
        rdsn_server_drop(op->incoming);
    free(op->only);
    arena_done(&op->arena);
    free(op);
}

void ddl_reply(struct ddl_op *op, const void *response)
{
    struct buf body = { 0 };
    wire_encode(op->rpc->response, response, op->peer, &body);
    meta_reply(op->ddl->meta, op->incoming, "ERR_OK", buf_bytes(&body));
    op->incoming = NULL;
    buf_done(&body);
}

void ddl_answer_hint(struct ddl_op *op, const char *error)
{
    struct msg_hint_response response;
    wire_init(op->rpc->response, &response);
    response.err = error;
    response.hint_message = op->hint ? op->hint : "";
    ddl_reply(op, &response);
}

static void ddl_answer(struct ddl_op *op, const char *error)
{
    bool well = strcmp(error, DDL_OK) == 0;
    meta_log(op->ddl->meta, well ? BR_INFO : BR_WARN, "%s of table %d%s%s: %s%s%s", op->kind->name,
             op->id, op->name ? ", " : "", op->name ? op->name : "", error, op->hint ? ": " : "",
             op->hint ? op->hint : "");
    if (op->incoming)
        op->kind->answer(op, error);
}

/* The first of the queue begins; those that cannot any more are answered. */
void ddl_turn(struct meta *meta, int32_t table)
{
    struct ddl_ops *ops = meta->state.tables[table].ddl;
    struct ddl_op *op;
    while (ops && (op = TAILQ_FIRST(ops)) && !op->begun) {
        const char *error = op->kind->check(op);
        if (!error) {
            op->begun = true;
            op->kind->begin(op);
            return;
        }
        TAILQ_REMOVE(ops, op, link);
        ddl_answer(op, error);
        ddl_op_free(op);
    }
    if (ops && TAILQ_EMPTY(ops)) {
        free(ops);
        meta->state.tables[table].ddl = NULL;
    }
}

static bool ddl_put_in_queue(struct ddl_op *op)
{
    struct state_table *live = &op->ddl->meta->state.tables[ddl_table(op)];
    struct ddl_ops *ops = live->ddl;
    if (!ops) {
        ops = mem_new(sizeof *ops);
        TAILQ_INIT(ops);
        live->ddl = ops;
    }
    TAILQ_INSERT_TAIL(ops, op, link);
    return TAILQ_FIRST(ops) == op;
}

void ddl_wait(struct ddl_op *op)
{
    ddl_put_in_queue(op);
}

struct ddl_op *ddl_waiting(const struct meta *meta, int32_t id, const struct ddl_kind *kind)
{
    const struct ddl_ops *ops = meta->state.tables[state_table(&meta->state, id)].ddl;
    struct ddl_op *op = ops ? TAILQ_FIRST(ops) : NULL;
    while (op && (op->begun || op->kind != kind))
        op = TAILQ_NEXT(op, link);
    return op;
}

void ddl_enter(struct ddl_op *op)
{
    const char *error = op->kind->check(op);
    if (error) {
        ddl_answer(op, error);
        ddl_op_free(op);
    } else if (ddl_put_in_queue(op)) {
        op->begun = true;
        op->kind->begin(op);
    }
}

void ddl_end(struct ddl_op *op, const char *error)
{
    struct meta *meta = op->ddl->meta;
    int32_t table = ddl_table(op);
    struct ddl_ops *ops = meta->state.tables[table].ddl;
    assert(TAILQ_FIRST(ops) == op && op->flying == 0);
    TAILQ_REMOVE(ops, op, link);
    ddl_answer(op, error);
    ddl_op_free(op);
    ddl_turn(meta, table);
}

/* -- Events ----------------------------------------------------------------------------------- */

void ddl_settled(struct meta *meta, int32_t table)
{
    struct ddl_op *op = ddl_head(meta, (uint32_t) table);
    if (op && op->begun && op->kind->settled)
        op->kind->settled(op);
}

void ddl_synced(struct meta *meta)
{
    struct ddl *ddl = meta->ddl;
    if (!ddl->resumed) {
        ddl->resumed = true;
        ddl_resume(ddl);
    }
    if (!ddl->defaults && meta->state.cluster.table_count) {
        ddl->defaults = true;
    } else if (!ddl->defaults && !meta_create_wrong(meta)) {
        ddl->defaults = true;
        ddl_default_tables(ddl);
    }
}

struct ddl *ddl_new(struct meta *meta)
{
    struct ddl *ddl = mem_new(sizeof *ddl);
    ddl->meta = meta;
    ddl->root = meta->began_empty ? DDL_ROOT_UNKNOWN : DDL_ROOT_MADE;
    return ddl;
}

void ddl_free(struct ddl *ddl)
{
    if (!ddl)
        return;
    struct state *state = &ddl->meta->state;
    for (uint32_t i = 0; i < state->cluster.table_count; i++) {
        struct ddl_ops *ops = state->tables[i].ddl;
        struct ddl_op *op;
        while (ops && (op = TAILQ_FIRST(ops))) {
            TAILQ_REMOVE(ops, op, link);
            ddl_op_free(op);
        }
        free(ops);
        state->tables[i].ddl = NULL;
    }
    ddl_root_forget(ddl);
    timer_cancel(ddl->soon);
    free(ddl);
}
