/* ddl_drop -- tables go and come back (src/meta/server_state.cpp: drop_app, recall_app), and what a
 * former leader left half done of it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/mem.h"
#include "host/meta/ddl_run.h"
#include "host/meta/drops.h"
#include "host/meta/guardian.h"
#include "host/rdsn/info.h"

/* Who was a member is known from now on by last_drops alone: the secondaries in their order, then
 * the primary (server_state.cpp: drop_partition).  The ballot makes what was under way stale. */
static void drop_turn(struct partition *next, int32_t *members)
{
    int32_t left[STATE_MEMBERS_MAX + 1];
    uint32_t count = 0;
    for (int i = 0; i < next->secondary_count; i++)
        left[count++] = members[i];
    if (next->primary >= 0)
        left[count++] = next->primary;
    memmove(members, members + next->secondary_count, next->drop_count * sizeof *members);
    next->secondary_count = 0;
    next->primary = -1;
    for (uint32_t i = 0; i < count; i++)
        last_drops_change(next, members, left[i], true);
    next->ballot++;
    next->flags = PARTITION_DROPPED;
}

static void recall_turn(struct partition *next, int32_t *members)
{
    (void) members;
    next->flags = 0;
}

/* -- Dropping --------------------------------------------------------------------------------- */

/* What went on with its partitions means nothing any more. */
static void drop_forget(struct meta *meta, int32_t table)
{
    struct state *state = &meta->state;
    const struct br_table *def = &state->cluster.tables[table].def;
    for (int32_t i = 0; i < def->partition_count; i++) {
        struct gpid pid = { def->id, i };
        struct cure *cure = state_cure(state, pid);
        if (!cure)
            continue;
        guardian_decided(meta, pid, CONFIG_DROP_PARTITION, -1);
        cure->drop_count = 0;
        cure->preferred = -1;
        cure->asleep = false;
        state_cure_settle(state, cure);
    }
}

/* The children of a split that is under way have no ballot yet. */
static bool drop_splits(const struct ddl_op *op)
{
    const struct table *table = cluster_table(&op->ddl->meta->state.cluster, op->id);
    int32_t i = 0;
    while (i < table->def.partition_count && table->partitions[i].ballot >= 0)
        i++;
    return i < table->def.partition_count;
}

static const char *drop_check(struct ddl_op *op)
{
    const char *error = ddl_check_named(op, true);
    if (error)
        return op->flag && strcmp(error, "ERR_APP_NOT_EXIST") == 0 ? DDL_OK : error;
    return drop_splits(op) ? "ERR_SPLITTING" : NULL;
}

static void drop_settled(struct ddl_op *op)
{
    struct meta *meta = op->ddl->meta;
    if (op->stage || meta->state.tables[ddl_table(op)].writing)
        return;
    op->stage = true;
    ddl_write(op, true, true);
}

/* Partition changes that are being written come first; new ones are not taken any more. */
static void drop_begin(struct ddl_op *op)
{
    int64_t now = (int64_t) time(NULL);
    int64_t hold =
        op->number > 0 ? op->number : op->ddl->meta->config->meta.hold_seconds_for_dropped_app;
    op->def = *ddl_def(op);
    op->def.status = BR_TABLE_DROPPED;
    op->def.drop_second = now;
    op->def.expire_second = hold < INT64_MAX / 1000 - now ? now + hold : INT64_MAX / 1000;
    ddl_set_status(op, BR_TABLE_DROPPING);
    drop_settled(op);
}

static void drop_written(struct ddl_op *op)
{
    struct meta *meta = op->ddl->meta;
    ddl_set_def(op);
    drop_forget(meta, ddl_table(op));
    guardian_scan(meta);
    ddl_end(op, DDL_OK);
}

static void drop_answer(struct ddl_op *op, const char *error)
{
    struct msg_error_response response;
    wire_init(op->rpc->response, &response);
    response.err = error;
    ddl_reply(op, &response);
}

static const struct ddl_kind drop_kind = {
    .name = "drop",
    .check = drop_check,
    .begin = drop_begin,
    .written = drop_written,
    .settled = drop_settled,
    .answer = drop_answer,
    .turn = drop_turn,
    .write = BR_PUT,
};

void ddl_drop_request(struct route *route)
{
    struct msg_drop_app_request request;
    if (!route_decode(route, &request))
        return;
    struct ddl_op *op = ddl_op_new(route->meta, &drop_kind, route);
    op->name = request.app_name;
    op->flag = request.options.success_if_not_exist;
    op->number = WIRE_HAS(&request.options, 2) ? request.options.reserve_seconds : 0;
    ddl_enter(op);
}

/* -- Recalling -------------------------------------------------------------------------------- */

static const char *recall_check(struct ddl_op *op)
{
    struct meta *meta = op->ddl->meta;
    const struct table *table = cluster_table(&meta->state.cluster, op->id);
    if (!table)
        return "ERR_APP_NOT_EXIST";
    switch (table->def.status) {
    case BR_TABLE_DROPPED: break;
    case BR_TABLE_CREATING:
    case BR_TABLE_RECALLING: return "ERR_BUSY_CREATING";
    case BR_TABLE_DROPPING: return "ERR_BUSY_DROPPING";
    default: return "ERR_APP_EXIST";
    }
    if (table->def.expire_second < (int64_t) time(NULL))
        return "ERR_APP_NOT_EXIST";
    bool renamed = op->name[0] != 0;
    if (ddl_taken(meta, renamed ? op->name : table->def.name)
        || (renamed && !config_table_name(op->name)))
        return "ERR_INVALID_PARAMETERS";
    return NULL;
}

static void recall_begin(struct ddl_op *op)
{
    op->def = *ddl_def(op);
    op->def.status = BR_TABLE_AVAILABLE;
    if (op->name[0])
        op->def.name = op->name;
    op->new_name = op->def.name;
    ddl_set_status(op, BR_TABLE_RECALLING);
    ddl_write(op, true, true);
}

static void recall_written(struct ddl_op *op)
{
    struct meta *meta = op->ddl->meta;
    int64_t now_ms = state_wall_ms();
    ddl_set_def(op);
    for (int32_t i = 0; i < op->def.partition_count; i++) {
        struct gpid pid = { op->id, i };
        if (state_partition(&meta->state, pid)->drop_count)
            drops_from_record(&meta->state, pid, now_ms);
    }
    guardian_scan(meta);
    ddl_end(op, DDL_OK);
}

static void recall_answer(struct ddl_op *op, const char *error)
{
    struct msg_recall_app_response response;
    wire_init(op->rpc->response, &response);
    response.err = error;
    if (strcmp(error, DDL_OK) == 0)
        info_from_table(ddl_def(op), &response.info);
    ddl_reply(op, &response);
}

static const struct ddl_kind recall_kind = {
    .name = "recall",
    .check = recall_check,
    .begin = recall_begin,
    .written = recall_written,
    .answer = recall_answer,
    .turn = recall_turn,
    .write = BR_PUT,
};

/* The table is looked up before the gate (src/meta/meta_service.cpp: on_recall_app); but a
 * follower, which knows no tables, lets the leader do that. */
void ddl_recall_request(struct route *route)
{
    struct meta *meta = route->meta;
    struct msg_recall_app_request request;
    if (!route_decode(route, &request))
        return;
    bool follows = meta->state_now == META_CANDIDATE || meta->state_now == META_STARTING;
    if (!follows && !cluster_table(&meta->state.cluster, request.app_id)) {
        route_error(route, "ERR_APP_NOT_EXIST");
        return;
    }
    if (route_closed(route))
        return;
    struct ddl_op *op = ddl_op_new(meta, &recall_kind, route);
    op->id = request.app_id;
    op->name = request.new_app_name;
    ddl_enter(op);
}

/* -- Repairs ---------------------------------------------------------------------------------- */

/* What came before may have dropped the table, or recalled it: then nothing is left to do. */
static const char *repair_check(struct ddl_op *op)
{
    bool dropped = ddl_def(op)->status == BR_TABLE_DROPPED;
    return dropped == op->flag ? NULL : DDL_OK;
}

static void repair_settled(struct ddl_op *op)
{
    if (op->stage || op->ddl->meta->state.tables[ddl_table(op)].writing)
        return;
    op->stage = true;
    ddl_write(op, false, true);
}

/* Meanwhile the table is what it was when its former leader died. */
static void repair_begin(struct ddl_op *op)
{
    ddl_set_status(op, op->flag ? BR_TABLE_DROPPING : BR_TABLE_CREATING);
    repair_settled(op);
}

static void repair_written(struct ddl_op *op)
{
    struct meta *meta = op->ddl->meta;
    ddl_set_status(op, op->flag ? BR_TABLE_DROPPED : BR_TABLE_AVAILABLE);
    if (op->flag)
        drop_forget(meta, ddl_table(op));
    guardian_scan(meta);
    ddl_end(op, DDL_OK);
}

#define REPAIR_KIND(title)                                                                         \
    .name = title, .check = repair_check, .begin = repair_begin, .written = repair_written,        \
    .settled = repair_settled

static const struct ddl_kind repair_kinds[] = {
    [REPAIR_CREATE] = { REPAIR_KIND("creation left half done"), .write = BR_CREATE },
    [REPAIR_RECALL] = { REPAIR_KIND("recall left half done"), .turn = recall_turn,
                        .write = BR_PUT },
    [REPAIR_DROP] = { REPAIR_KIND("drop left half done"), .turn = drop_turn, .write = BR_PUT },
};

static void repair_soon(void *arg)
{
    struct ddl *ddl = arg;
    ddl->soon = NULL;
    for (uint32_t i = 0; i < ddl->meta->state.cluster.table_count; i++)
        ddl_turn(ddl->meta, (int32_t) i);
}

void ddl_repair(struct meta *meta, struct gpid pid, enum repair_kind kind)
{
    struct ddl *ddl = meta->ddl;
    struct ddl_op *op = ddl_waiting(meta, pid.app_id, &repair_kinds[kind]);
    if (!op) {
        op = ddl_op_new(meta, &repair_kinds[kind], NULL);
        op->id = pid.app_id;
        op->flag = kind == REPAIR_DROP;
        ddl_wait(op);
    }
    if ((op->only_size & (op->only_size - 1)) == 0)
        op->only =
            mem_grow(op->only, (op->only_size ? 2 * (size_t) op->only_size : 1) * sizeof *op->only);
    op->only[op->only_size++] = pid.partition;
    if (!ddl->soon)
        ddl->soon = loop_after(meta->loop, 0, repair_soon, ddl);
}
