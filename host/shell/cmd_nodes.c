/* cmd_nodes -- nodes: the replica servers as the meta server sees them, and with -d what each one
 * serves, which is counted over the partitions of all available tables. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/shell/shell.h"

enum { NODE_ALL = 0, NODE_ALIVE = 1, NODE_UNALIVE = 2 };

struct nodes {
    bool detailed, json;
    int32_t status;
    const char *file, *status_text;

    struct load load; /* every node listed, and those that serve */
    struct exchange bad;
    const char *bad_name;
    const char **names;
};

static bool nodes_options(struct nodes *nodes, int argc, char **argv)
{
    static const struct option options[] = {
        { "detailed", no_argument, NULL, 'd' },
        { "json", no_argument, NULL, 'j' },
        { "output", required_argument, NULL, 'o' },
        { "status", required_argument, NULL, 's' },
        { NULL, 0, NULL, 0 },
    };
    static const char *const statuses[] = { "all", "alive", "unalive" };
    int option;
    while ((option = getopt_long(argc, argv, "djo:s:", options, NULL)) != -1) {
        switch (option) {
        case 'd': nodes->detailed = true; break;
        case 'j': nodes->json = true; break;
        case 'o': nodes->file = optarg; break;
        case 's':
            nodes->status = -1;
            for (int32_t i = NODE_ALL; i <= NODE_UNALIVE; i++) {
                if (strcmp(optarg, statuses[i]) == 0)
                    nodes->status = i;
            }
            nodes->status_text = optarg;
            if (nodes->status < 0)
                return false;
            break;
        default: return false;
        }
    }
    return optind == argc;
}

static void nodes_take(void *arg, uint32_t index, const struct exchange *exchange,
                       const struct msg_query_cfg_response *response)
{
    struct nodes *nodes = arg;
    if (exchange_ok(exchange)) {
        load_count(&nodes->load, response);
    } else if (!nodes->bad_name) {
        nodes->bad = *exchange;
        nodes->bad_name = nodes->names[index];
    }
}

/* What each node serves, over all available tables. */
static int nodes_ask_load(struct shell *shell, struct nodes *nodes)
{
    struct msg_list_apps_response response;
    struct arena arena;
    arena_init(&arena, 0);
    struct exchange exchange;
    int status = SHELL_OK;
    if (!ask_apps(shell, BR_TABLE_AVAILABLE, &arena, &response, &exchange)) {
        status = shell_failed(shell, "list apps", &exchange);
    } else {
        const struct msg_app_info *infos = response.infos.items;
        nodes->names = mem_array(response.infos.count, sizeof *nodes->names);
        for (uint32_t i = 0; i < response.infos.count; i++)
            nodes->names[i] = infos[i].app_name;
        ask_tables(shell, &(struct ask_tables){ .names = nodes->names,
                                                .count = response.infos.count,
                                                .take = nodes_take,
                                                .arg = nodes });
        free(nodes->names);
        if (nodes->bad_name) {
            fprintf(shell->err, "query app %s failed, error=%s\n", nodes->bad_name,
                    nodes->bad.error);
            status = shell_failed(shell, "list nodes", &nodes->bad);
        }
    }
    arena_done(&arena);
    return status;
}

static void nodes_parameters(const struct nodes *nodes, struct report *report)
{
    if (!nodes->status_text && !nodes->file)
        return;
    struct table *table = table_pairs(report, "parameters");
    if (nodes->status_text)
        table_pair(table, "status", "%s", nodes->status_text);
    if (nodes->file)
        table_pair(table, "out_file", "%s", nodes->file);
}

/* Only what list_nodes named: its rows come in the load's order, by address. */
static void nodes_details(const struct nodes *nodes, const struct load *listed,
                          struct report *report)
{
    struct table *table = table_columns(report, "details");
    table_column(table, "address", false);
    table_column(table, "status", false);
    if (nodes->detailed) {
        table_column(table, "replica_count", true);
        table_column(table, "primary_count", true);
        table_column(table, "secondary_count", true);
    }
    for (size_t i = 0; i < listed->count; i++) {
        const struct load_row *row = &listed->rows[i];
        table_cell(table, "%s", row->node);
        table_cell(table, "%s", row->alive ? "ALIVE" : "UNALIVE");
        if (!nodes->detailed)
            continue;
        struct load_row served = { 0 };
        for (size_t j = 0; j < nodes->load.count; j++) {
            if (strcmp(nodes->load.rows[j].node, row->node) == 0)
                served = nodes->load.rows[j];
        }
        table_cell(table, "%u", (unsigned) (served.primaries + served.secondaries));
        table_cell(table, "%u", (unsigned) served.primaries);
        table_cell(table, "%u", (unsigned) served.secondaries);
    }
}

static void nodes_summary(const struct load *listed, struct report *report)
{
    size_t alive = 0;
    for (size_t i = 0; i < listed->count; i++)
        alive += listed->rows[i].alive;
    struct table *table = table_pairs(report, "summary");
    table_pair(table, "total_node_count", "%zu", listed->count);
    table_pair(table, "alive_node_count", "%zu", alive);
    table_pair(table, "unalive_node_count", "%zu", listed->count - alive);
}

static int nodes_show(struct shell *shell, struct nodes *nodes,
                      const struct msg_list_nodes_response *response)
{
    const struct msg_node_info *infos = response->infos.items;
    struct load listed = { 0 };
    for (uint32_t i = 0; i < response->infos.count; i++)
        load_find(&listed, infos[i].node, WIRE_HAS(&infos[i], 3) ? &infos[i].hp_node : NULL)
            ->alive = infos[i].status == NODE_ALIVE;
    int status = nodes->detailed ? nodes_ask_load(shell, nodes) : SHELL_OK;
    if (status == SHELL_OK) {
        struct report report;
        report_init(&report);
        nodes_parameters(nodes, &report);
        nodes_details(nodes, &listed, &report);
        nodes_summary(&listed, &report);
        status = shell_report(shell, &report, nodes->file, nodes->json, true);
    }
    load_done(&listed);
    load_done(&nodes->load);
    return status;
}

int cmd_nodes(struct shell *shell, int argc, char **argv)
{
    struct nodes nodes = { 0 };
    if (!nodes_options(&nodes, argc, argv))
        return shell_usage(shell, argv[0]);
    struct msg_list_nodes_request request;
    struct msg_list_nodes_response response;
    struct arena arena;
    wire_init(&wire_list_nodes_request, &request);
    request.status = nodes.status;
    arena_init(&arena, 0);
    struct exchange exchange = {
        .rpc = "RPC_CM_LIST_NODES", .request = &request, .response = &response, .arena = &arena
    };
    session_run(shell->session, &exchange, 1, NULL, NULL);
    int status = exchange_ok(&exchange) ? nodes_show(shell, &nodes, &response)
                                        : shell_failed(shell, "list nodes", &exchange);
    arena_done(&arena);
    return status;
}
