/* query -- what the cluster looks like: tables, nodes, the cluster, routes (idl/meta_admin.thrift).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/meta/balance.h"
#include "host/meta/partition_wire.h"
#include "host/meta/routes.h"
#include "host/rdsn/info.h"

/* -- list_apps -------------------------------------------------------------------------------- */

enum {
    MATCH_INVALID = 0,
    MATCH_ALL,
    MATCH_EXACT,
    MATCH_ANYWHERE,
    MATCH_PREFIX,
    MATCH_POSTFIX,
    MATCH_REGEX
};

struct query_pattern {
    const char *text;
    int32_t type;
};

static bool query_matches(const struct query_pattern *pattern, const char *name)
{
    size_t size = strlen(pattern->text);
    size_t name_size = strlen(name);
    switch (pattern->type) {
    case MATCH_EXACT: return strcmp(name, pattern->text) == 0;
    case MATCH_ANYWHERE: return strstr(name, pattern->text) != NULL;
    case MATCH_PREFIX: return strncmp(name, pattern->text, size) == 0;
    case MATCH_POSTFIX:
        return name_size >= size && strcmp(name + name_size - size, pattern->text) == 0;
    default: return true;
    }
}

/* false: the pattern is not served, and the request was answered.  No shell sends MATCH_REGEX, and
 * the C library's regcomp recurses on its pattern: a stranger's must never reach it. */
static bool query_pattern(struct route *route, const struct msg_list_apps_request *request,
                          struct query_pattern *ret_pattern)
{
    *ret_pattern = (struct query_pattern){ .text = "", .type = MATCH_ALL };
    if (!WIRE_HAS(request, 2) || !request->app_name_pattern || !*request->app_name_pattern)
        return true;
    ret_pattern->text = request->app_name_pattern;
    ret_pattern->type = WIRE_HAS(request, 3) ? request->match_type : MATCH_ALL;
    bool served = ret_pattern->type > MATCH_INVALID && ret_pattern->type < MATCH_REGEX;
    if (ret_pattern->type == MATCH_REGEX)
        route_error(route, "ERR_NOT_IMPLEMENTED");
    else if (!served)
        route_error(route, "ERR_INVALID_PARAMETERS");
    return served;
}

void query_list_apps(struct route *route)
{
    const struct cluster *cluster = &route->meta->state.cluster;
    struct msg_list_apps_request request;
    struct query_pattern pattern;
    if (!route_decode(route, &request) || !query_pattern(route, &request, &pattern))
        return;
    struct msg_list_apps_response response;
    wire_init(&wire_list_apps_response, &response);
    struct msg_app_info *infos = arena_alloc(&route->arena, cluster->table_count * sizeof *infos);
    for (uint32_t i = 0; i < cluster->table_count; i++) {
        const struct br_table *table = &cluster->tables[i].def;
        bool wanted = request.status == BR_TABLE_INVALID || request.status == table->status;
        if (wanted && query_matches(&pattern, table->name))
            info_from_table(table, &infos[response.infos.count++]);
    }
    response.infos.items = infos;
    route_reply(route, &response);
}

/* -- list_nodes ------------------------------------------------------------------------------- */

enum { NODE_ALL = 0, NODE_ALIVE = 1, NODE_UNALIVE = 2 };

void query_list_nodes(struct route *route)
{
    const struct meta *meta = route->meta;
    const struct detector *detector = &meta->detector;
    struct msg_list_nodes_request request;
    if (!route_decode(route, &request))
        return;
    struct msg_list_nodes_response response;
    wire_init(&wire_list_nodes_response, &response);
    struct msg_node_info *infos = arena_alloc(&route->arena, detector->count * sizeof *infos);
    br_time now = loop_now(meta->loop);
    for (uint32_t i = 0; i < detector->count; i++) {
        const struct detector_node *node = &detector->nodes[i];
        int32_t status = detector_alive(detector, node, now) ? NODE_ALIVE : NODE_UNALIVE;
        if (request.status != NODE_ALL && request.status != status)
            continue;
        struct msg_node_info *info = &infos[response.infos.count++];
        wire_init(&wire_node_info, info);
        info->status = status;
        info->node = node->address;
        WIRE_SET(info, 3);
        name_to_wire(&route->arena, node->name, &info->hp_node);
    }
    response.infos.items = infos;
    route_reply(route, &response);
}

/* -- cluster_info ----------------------------------------------------------------------------- */

/* How unevenly the replicas lie: the standard deviation over the nodes that are alive. */
static double query_stddev(const struct meta *meta, bool primaries_only)
{
    const struct cluster *cluster = &meta->state.cluster;
    br_time now = loop_now(meta->loop);
    uint64_t *counts = calloc(cluster->node_count + 1u, sizeof *counts);
    for (uint32_t t = 0; counts && t < cluster->table_count; t++) {
        const struct table *table = &cluster->tables[t];
        for (int32_t p = 0; p < table->def.partition_count; p++) {
            const struct partition *partition = &table->partitions[p];
            if (partition->primary >= 0)
                counts[partition->primary]++;
            for (int s = 0; s < partition->secondary_count && !primaries_only; s++)
                counts[partition->members[s]]++;
        }
    }
    double sum = 0;
    double squares = 0;
    uint32_t alive = 0;
    for (uint32_t i = 0; counts && i < meta->detector.count; i++) {
        const struct detector_node *node = &meta->detector.nodes[i];
        int32_t index = cluster_node(cluster, node->name);
        if (!detector_alive(&meta->detector, node, now))
            continue;
        double count = index >= 0 ? (double) counts[index] : 0;
        sum += count;
        squares += count * count;
        alive++;
    }
    free(counts);
    double mean = alive ? sum / alive : 0;
    double variance = alive ? squares / alive - mean * mean : 0;
    return variance > 0 ? sqrt(variance) : 0;
}

static void query_put_servers(const struct meta *meta, struct buf *buf)
{
    const char *const *server = meta->config->meta.server_list;
    if (!server || !*server) {
        buf_text(buf, meta->name);
        return;
    }
    for (; *server; server++) {
        buf_text(buf, *server);
        if (server[1])
            buf_char(buf, ',');
    }
}

void query_cluster_info(struct route *route)
{
    static const char *const keys[] = {
        "meta_servers",
        "primary_meta_server",
        "zookeeper_hosts",
        "zookeeper_root",
        "meta_function_level",
        "balance_operation_count",
        "primary_replica_count_stddev",
        "total_replica_count_stddev",
        "cluster_name",
    };
    enum { KEYS = sizeof keys / sizeof *keys };
    const struct meta *meta = route->meta;
    struct msg_empty_request request;
    if (!route_decode(route, &request))
        return;
    struct buf servers = { 0 };
    char primaries[32];
    char all[32];
    char moves[BALANCE_TEXT_MAX];
    query_put_servers(meta, &servers);
    snprintf(primaries, sizeof primaries, "%.2f", query_stddev(meta, true));
    snprintf(all, sizeof all, "%.2f", query_stddev(meta, false));
    balance_text(&meta->balance, moves);
    const char *const values[KEYS] = {
        buf_string(&servers),
        meta->name,
        meta->store_hosts,
        buf_string(&meta->root),
        meta_level_text(meta_level_now(meta)),
        moves,
        primaries,
        all,
        meta->config->replication.cluster_name,
    };
    struct msg_cluster_info_response response;
    wire_init(&wire_cluster_info_response, &response);
    response.keys = (struct wire_list){ .items = (void *) (uintptr_t) keys, .count = KEYS };
    response.values = (struct wire_list){ .items = (void *) (uintptr_t) values, .count = KEYS };
    route_reply(route, &response);
    buf_done(&servers);
}

/* -- routes of clients ------------------------------------------------------------------------ */

/* The partitions asked for that there are; none of them: all. */
static void query_fill_partitions(struct route *route, const struct table *table,
                                  const struct wire_list *asked, struct wire_list *ret_list)
{
    const int32_t *wanted = asked->items;
    uint32_t most = (uint32_t) table->def.partition_count;
    uint32_t count = asked->count > most ? 0 : asked->count; /* more than there are: all */
    struct msg_partition_configuration *configs =
        arena_alloc(&route->arena, (count ? count : most) * sizeof *configs);
    uint32_t filled = 0;
    for (uint32_t i = 0; i < (count ? count : most); i++) {
        int32_t index = count ? wanted[i] : (int32_t) i;
        if (index >= 0 && (uint32_t) index < most)
            partition_in_to_wire(&route->meta->state, table, index, route_peer(route),
                                 &route->arena, &configs[filled++]);
    }
    *ret_list = (struct wire_list){ .items = configs, .count = filled };
}

static void query_encode(struct route *route, const struct table *table,
                         const struct wire_list *asked, struct buf *body)
{
    struct msg_query_cfg_response response;
    wire_init(&wire_query_cfg_response, &response);
    response.app_id = table->def.id;
    response.partition_count = table->def.partition_count;
    response.is_stateful = (table->def.flags & BR_TABLE_STATEFUL) != 0;
    query_fill_partitions(route, table, asked, &response.partitions);
    if (response.partitions.count == 0)
        query_fill_partitions(route, table, &(struct wire_list){ 0 }, &response.partitions);
    wire_encode(&wire_query_cfg_response, &response, route_peer(route), body);
}

/* A whole table's answer is kept until something about the table changes. */
static void query_answer(struct route *route, const struct table *table,
                         const struct wire_list *asked)
{
    struct meta *meta = route->meta;
    struct state_table *live = &meta->state.tables[table - meta->state.cluster.tables];
    struct buf *kept = &live->routes[route_peer(route)];
    struct buf made = { 0 };
    bool whole = asked->count == 0;
    if (whole && kept->size == 0)
        query_encode(route, table, asked, kept);
    else if (!whole)
        query_encode(route, table, asked, &made);
    meta_reply(meta, route->incoming, "ERR_OK", buf_bytes(whole ? kept : &made));
    route->incoming = NULL;
    buf_done(&made);
}

/* src/meta/server_state.cpp: query_configuration_by_index. */
void query_configuration(struct route *route)
{
    struct msg_query_cfg_request request;
    if (!route_decode(route, &request))
        return;
    const struct table *table = cluster_table_named(&route->meta->state.cluster, request.app_name);
    switch (table ? table->def.status : BR_TABLE_INVALID) {
    case BR_TABLE_AVAILABLE: query_answer(route, table, &request.partition_indices); break;
    case BR_TABLE_CREATING:
    case BR_TABLE_RECALLING: route_error(route, "ERR_BUSY_CREATING"); break;
    case BR_TABLE_DROPPING: route_error(route, "ERR_BUSY_DROPPING"); break;
    default: route_error(route, "ERR_OBJECT_NOT_FOUND"); break;
    }
}
