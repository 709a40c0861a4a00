/* table_client_config -- where a table's primaries are: the cache, and the one question under way.
 *
 * When to ask is decided per partition and carried out by one timer, so that operations which begin
 * to wait in the same turn share a question.
 */
#include "host/rdsn/table_client_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/rdsn/message.h"
#include "host/rdsn/stream.h"

/* -- The cache -------------------------------------------------------------------------------- */

struct cell *config_find(const struct table_client *table, uint64_t hash, int32_t *ret_partition)
{
    if (table->cell_count == 0)
        return NULL;
    int32_t at = (int32_t) (hash % (uint64_t) table->cell_count);
    if (table->cells[at].known && table->cells[at].ballot < 0 && at >= table->cell_count / 2)
        at -= table->cell_count / 2;
    *ret_partition = at;
    return &table->cells[at];
}

void config_reset(struct table_client *table, int32_t count)
{
    for (int32_t i = 0; i < table->cell_count; i++)
        free(table->cells[i].primary);
    free(table->cells);
    table->cells = count > 0 ? mem_array((size_t) count, sizeof *table->cells) : NULL;
    table->cell_count = count;
    table->epoch++;
}

static void cell_forget(struct cell *cell)
{
    free(cell->primary);
    cell->primary = NULL;
    cell->known = false;
    cell->asked = 0;
    cell->version++;
}

void config_failed(struct table_client *table, const struct operation *operation, const char *error)
{
    if (strcmp(error, "ERR_CAPACITY_EXCEEDED") == 0 || strcmp(error, "ERR_NOT_ENOUGH_MEMBER") == 0
        || operation->epoch != table->epoch)
        return;
    struct cell *cell = &table->cells[operation->partition];
    if (strcmp(error, "ERR_PARENT_PARTITION_MISUSED") == 0)
        config_reset(table, 0);
    else if (cell->version == operation->version) /* else somebody has found out before */
        cell_forget(cell);
}

/* -- An answer -------------------------------------------------------------------------------- */

/* The node that a configuration names: "" where there is none; false: it is no host:port. */
static bool config_node(uint64_t address, const struct host_port *named, char *ret_name)
{
    size_t host;
    uint16_t port;
    *ret_name = '\0';
    if (named->type != 0)
        host_port_format(named, ret_name);
    else if (address != 0)
        address_format(address, ret_name);
    return !*ret_name || number_node(ret_name, &host, &port);
}

static br_status config_check(const struct msg_query_cfg_response *response, struct fail *fail)
{
    const struct msg_partition_configuration *rows = response->partitions.items;
    if (response->app_id < 1 || response->partition_count < 1
        || response->partition_count > BR_PARTITIONS_MAX)
        return fail_set(fail, BR_CORRUPT, "it says that table %d has %d partitions",
                        response->app_id, response->partition_count);
    for (uint32_t i = 0; i < response->partitions.count; i++) {
        char name[NODE_NAME_MAX + 1];
        const struct gpid *pid = &rows[i].pid;
        if (pid->app_id != response->app_id || pid->partition < 0
            || pid->partition >= response->partition_count)
            return fail_set(fail, BR_CORRUPT, "it names partition %d.%d of table %d with %d",
                            pid->app_id, pid->partition, response->app_id,
                            response->partition_count);
        if (rows[i].hp_primary.host && strlen(rows[i].hp_primary.host) + 6 > NODE_NAME_MAX)
            return fail_set(fail, BR_TOOBIG, "the name of %d.%d's primary has %zu bytes",
                            pid->app_id, pid->partition, strlen(rows[i].hp_primary.host));
        if (!config_node(rows[i].primary, &rows[i].hp_primary, name))
            return fail_set(fail, BR_CORRUPT, "%d.%d's primary \"%s\" is not host:port",
                            pid->app_id, pid->partition, name);
    }
    return BR_OK;
}

static void config_take(struct cell *cell, const struct msg_partition_configuration *row)
{
    char name[NODE_NAME_MAX + 1];
    if (cell->known && row->ballot >= 0 && row->ballot < cell->ballot)
        return; /* by a server that lags behind */
    config_node(row->primary, &row->hp_primary, name);
    if (strcmp(name, cell->primary ? cell->primary : "") != 0) {
        free(cell->primary);
        cell->primary = *name ? mem_text(name) : NULL;
        cell->version++;
    }
    cell->ballot = row->ballot;
    cell->known = true;
}

static void config_apply(struct table_client *table, const struct msg_query_cfg_response *response)
{
    const struct msg_partition_configuration *rows = response->partitions.items;
    br_time now = stream_now();
    if (response->app_id != table->app_id || response->partition_count != table->cell_count) {
        config_reset(table, response->partition_count);
        table->app_id = response->app_id;
        table->ask_all = !table->for_all;
    }
    for (uint32_t i = 0; i < response->partitions.count; i++)
        config_take(&table->cells[rows[i].pid.partition], &rows[i]);
    for (int32_t i = 0; i < table->cell_count; i++)
        if (table->for_all || table->cells[i].round == table->round)
            table->cells[i].asked = now;
}

/* -- The question ----------------------------------------------------------------------------- */

static const char *config_meta(const struct table_client *table)
{
    return table->by_leader ? table->leader
                            : table->metas[(table->first + table->tried) % table->meta_count];
}

static void config_done(void *arg, const struct rdsn_reply *reply);

static void config_send(struct table_client *table)
{
    table->by_leader = table->leader[0] != '\0';
    table->questions++;
    struct rdsn_request request = { .rpc = "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX",
                                    .body = buf_bytes(&table->question),
                                    .timeout = table->query_timeout };
    rdsn_client_call(table->client, config_meta(table), &request, config_done, table);
}

/* Which partitions are waited for; 0: all shall be asked for. */
static uint32_t config_indices(struct table_client *table, int32_t *indices)
{
    uint32_t count = 0;
    struct operation *operation;
    table->round++;
    if (table->cell_count == 0 || table->ask_all)
        return 0;
    TAILQ_FOREACH(operation, &table->waiting, link)
    {
        int32_t partition = 0;
        struct cell *cell = config_find(table, operation->hash, &partition);
        if (cell->round == table->round)
            continue;
        if (count == TABLE_CLIENT_INDICES_MAX)
            return 0;
        cell->round = table->round;
        indices[count++] = partition;
    }
    return count;
}

void config_on_ask(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    struct table_client *table = arg;
    int32_t indices[TABLE_CLIENT_INDICES_MAX];
    if (TAILQ_EMPTY(&table->waiting))
        return;
    struct msg_query_cfg_request request;
    wire_init(&wire_query_cfg_request, &request);
    request.app_name = table->name;
    request.partition_indices =
        (struct wire_list){ .items = indices, .count = config_indices(table, indices) };
    table->for_all = request.partition_indices.count == 0;
    table->ask_all = false;
    buf_clear(&table->question);
    wire_encode(&wire_query_cfg_request, &request, WIRE_PEER_26, &table->question);
    table->asking = true;
    table->tried = table->hops = 0;
    config_send(table);
}

void config_want(struct table_client *table, uint64_t hash)
{
    int32_t partition;
    const struct cell *cell = config_find(table, hash, &partition);
    br_time now = stream_now(), due = table->not_before;
    if (table->asking)
        return;
    if (cell && cell->asked != 0 && !table->ask_all && cell->asked + table->requery > due)
        due = cell->asked + table->requery;
    if (evtimer_pending(&table->ask, NULL) && table->ask_due <= due)
        return;
    table->ask_due = due;
    struct timeval wait = stream_timeval(due > now ? due - now : 0);
    evtimer_add(&table->ask, &wait);
}

/* It is over: whoever can go on does, the others see to the next one. */
static void config_settle(struct table_client *table, const char *error)
{
    table->asking = false;
    operations_wake(table, error);
}

/* This one brought nothing.  The reason is in table->last. */
static void config_next(struct table_client *table)
{
    if (table->by_leader)
        table->leader[0] = '\0';
    if (!table->by_leader || table->hops > 0)
        table->tried++;
    if (table->tried < table->meta_count) {
        config_send(table);
        return;
    }
    table->not_before = stream_now() + table->requery;
    config_settle(table, NULL);
}

/* Its word for the leader. */
static void config_follow(struct table_client *table, const char *leader)
{
    fail_set(&table->last, BR_REFUSED, "%s does not lead and names %s", config_meta(table),
             *leader ? leader : "nobody");
    if (!*leader || ++table->hops > TABLE_CLIENT_HOPS_MAX) {
        config_next(table);
        return;
    }
    snprintf(table->leader, sizeof table->leader, "%s", leader);
    config_send(table);
}

/* The leader's address is the whole body (src/meta/meta_service.cpp:check_leader). */
static void config_follow_header(struct table_client *table, br_bytes body)
{
    uint64_t address = 0;
    char leader[ADDRESS_TEXT_MAX] = "";
    struct arena arena;
    arena_init(&arena, 256);
    if (wire_decode_value(WIRE_ADDRESS, body, wire_arena(&arena), &address, NULL) == BR_OK
        && (address & 3) == ADDRESS_IPV4 && address_port(address) != 0)
        address_format(address, leader);
    arena_done(&arena);
    config_follow(table, leader);
}

static void config_follow_body(struct table_client *table,
                               const struct msg_query_cfg_response *response)
{
    const struct msg_partition_configuration *row = response->partitions.items;
    char leader[NODE_NAME_MAX + 1] = "";
    if (response->partitions.count > 0
        && (!row->hp_primary.host || strlen(row->hp_primary.host) + 6 <= NODE_NAME_MAX)
        && !config_node(row->primary, &row->hp_primary, leader))
        leader[0] = '\0';
    config_follow(table, leader);
}

/* Errors after which asking again is no use (partition_resolver_simple.cpp:
 * handle_pending_requests). */
static const char *config_final(const char *error)
{
    static const char *const finals[] = { "ERR_APP_NOT_EXIST", "ERR_HANDLER_NOT_FOUND",
                                          "ERR_OPERATION_DISABLED" };
    if (strcmp(error, "ERR_OBJECT_NOT_FOUND") == 0)
        return finals[0];
    for (size_t i = 0; i < sizeof finals / sizeof *finals; i++)
        if (strcmp(error, finals[i]) == 0)
            return finals[i];
    return NULL;
}

static void config_answered(struct table_client *table,
                            const struct msg_query_cfg_response *response)
{
    struct fail fail;
    const char *meta = config_meta(table), *final = config_final(response->err);
    if (strcmp(response->err, "ERR_OK") == 0 && config_check(response, &fail) == BR_OK) {
        config_apply(table, response);
    } else if (strcmp(response->err, "ERR_OK") == 0) {
        fail_set(&table->last, BR_CORRUPT, "the answer of %s makes no sense: %s", meta, fail.text);
        config_next(table);
        return;
    } else if (strcmp(response->err, "ERR_FORWARD_TO_OTHERS") == 0) {
        config_follow_body(table, response);
        return;
    } else {
        fail_set(&table->last, BR_REFUSED, "%s answered about table \"%s\" with %s", meta,
                 table->name, response->err);
        if (!final)
            table->not_before = stream_now() + table->requery;
    }
    if (!table->by_leader)
        table->first = (table->first + table->tried) % table->meta_count;
    config_settle(table, final);
}

static void config_body(struct table_client *table, br_bytes body)
{
    struct msg_query_cfg_response response;
    struct arena arena;
    struct fail fail;
    arena_init(&arena, 0);
    if (wire_decode(&wire_query_cfg_response, body, wire_arena(&arena), &response, &fail)
        == BR_OK) {
        config_answered(table, &response);
    } else {
        fail_set(&table->last, BR_CORRUPT, "the answer of %s makes no sense: %s",
                 config_meta(table), fail.text);
        config_next(table);
    }
    arena_done(&arena);
}

static void config_done(void *arg, const struct rdsn_reply *reply)
{
    struct table_client *table = arg;
    table_client_enter(table);
    if (reply->status == BR_OK) {
        config_body(table, reply->body);
    } else if (strcmp(reply->error, "ERR_FORWARD_TO_OTHERS") == 0) {
        config_follow_header(table, reply->body);
    } else {
        fail_set(&table->last, reply->status, "%s", reply->why);
        config_next(table);
    }
    table_client_leave(table);
}
