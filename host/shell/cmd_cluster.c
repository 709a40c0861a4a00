/* cmd_cluster -- cluster_info: what the leading meta server says of the cluster; server_info: what
 * each server says of itself, which works in every state. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/shell/shell.h"

static int cluster_show(struct shell *shell, const struct msg_cluster_info_response *response,
                        const char *file, bool json)
{
    const char *const *keys = response->keys.items, *const *values = response->values.items;
    struct report report;
    report_init(&report);
    struct table *table = table_pairs(&report, "cluster_info");
    for (uint32_t i = 0; i < response->keys.count; i++)
        table_pair(table, keys[i], "%s", i < response->values.count ? values[i] : "");
    return shell_report(shell, &report, file, json, false);
}

int cmd_cluster_info(struct shell *shell, int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "output", required_argument, NULL, 'o' },
        { NULL, 0, NULL, 0 },
    };
    const char *file = NULL;
    bool json = false;
    int option;
    while ((option = getopt_long(argc, argv, "jo:", options, NULL)) != -1) {
        switch (option) {
        case 'j': json = true; break;
        case 'o': file = optarg; break;
        default: return shell_usage(shell, argv[0]);
        }
    }
    if (optind != argc)
        return shell_usage(shell, argv[0]);
    struct msg_empty_request request = { 0 };
    struct msg_cluster_info_response response;
    struct arena arena;
    arena_init(&arena, 0);
    struct exchange exchange = {
        .rpc = "RPC_CM_CLUSTER_INFO", .request = &request, .response = &response, .arena = &arena
    };
    session_run(shell->session, &exchange, 1, NULL, NULL);
    int status = exchange_ok(&exchange) ? cluster_show(shell, &response, file, json)
                                        : shell_failed(shell, "get cluster info", &exchange);
    arena_done(&arena);
    return status;
}

/* -- server_info ---------------------------------------------------------------------------- */

struct server {
    const char *node, *role;
    const char *text;
};

struct servers {
    struct arena arena;
    struct server *list;
    uint32_t count;
    const char *file, *given;
    bool metas, replicas;
    bool complete; /* false: the replica servers could not be learnt */
};

static bool servers_options(struct servers *servers, int argc, char **argv)
{
    static const struct option options[] = {
        { "node_type", required_argument, NULL, 't' },
        { "node_list", required_argument, NULL, 'l' },
        { "output", required_argument, NULL, 'o' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    const char *type = "all";
    while ((option = getopt_long(argc, argv, "t:l:o:", options, NULL)) != -1) {
        switch (option) {
        case 't': type = optarg; break;
        case 'l': servers->given = optarg; break;
        case 'o': servers->file = optarg; break;
        default: return false;
        }
    }
    servers->metas = strcmp(type, "all") == 0 || strcmp(type, "meta-server") == 0;
    servers->replicas = strcmp(type, "all") == 0 || strcmp(type, "replica-server") == 0;
    return optind == argc && (servers->metas || servers->replicas);
}

static void servers_add(struct servers *servers, const char *node, const char *role)
{
    servers->list = mem_grow(servers->list, (servers->count + 1) * sizeof *servers->list);
    servers->list[servers->count++] =
        (struct server){ .node = arena_text(&servers->arena, node, strlen(node)), .role = role };
}

static void servers_add_replicas(struct shell *shell, struct servers *servers)
{
    struct msg_list_nodes_request request;
    struct msg_list_nodes_response response;
    wire_init(&wire_list_nodes_request, &request);
    struct exchange exchange = { .rpc = "RPC_CM_LIST_NODES",
                                 .request = &request,
                                 .response = &response,
                                 .arena = &servers->arena };
    session_run(shell->session, &exchange, 1, NULL, NULL);
    servers->complete = exchange_ok(&exchange);
    if (!servers->complete) {
        fprintf(shell->err, "list nodes failed, error=%s: the replica servers are not asked\n",
                exchange.error);
        return;
    }
    const struct msg_node_info *infos = response.infos.items;
    for (uint32_t i = 0; i < response.infos.count; i++) {
        char node[NODE_NAME_MAX + 1];
        const struct host_port *name = WIRE_HAS(&infos[i], 3) ? &infos[i].hp_node : NULL;
        servers_add(servers, shell_node(infos[i].node, name, node), "replica-server");
    }
}

static void servers_ask(struct shell *shell, struct servers *servers, struct exchange *exchanges)
{
    static const struct msg_command request = { .cmd = "server-info" };
    for (uint32_t i = 0; i < servers->count; i++)
        exchanges[i] = (struct exchange){ .rpc = "RPC_CLI_CLI_CALL",
                                          .node = servers->list[i].node,
                                          .request = &request,
                                          .response = &servers->list[i].text,
                                          .arena = &servers->arena,
                                          .timeout = 5 * BR_SECOND };
    session_run(shell->session, exchanges, servers->count, NULL, NULL);
}

/* Keys in alphabetical order, two spaces a level, as Pegasus's shell prints remote commands. */
static uint32_t servers_json(const struct servers *servers, const struct exchange *exchanges,
                             struct buf *buf)
{
    uint32_t failed = 0;
    buf_text(buf, "{\n  \"command\": \"server-info\",\n  \"details\": {");
    for (uint32_t i = 0; i < servers->count; i++) {
        bool ok = exchange_ok(&exchanges[i]);
        failed += !ok;
        buf_text(buf, i ? ",\n    " : "\n    ");
        buf_json(buf, servers->list[i].node);
        buf_printf(buf, ": {\n      \"acked\": %s,\n      \"message\": ", ok ? "true" : "false");
        buf_json(buf, ok ? servers->list[i].text : exchanges[i].error);
        buf_text(buf, ",\n      \"role\": ");
        buf_json(buf, servers->list[i].role);
        buf_text(buf, "\n    }");
    }
    buf_printf(buf, "%s},\n  \"failed_count\": %u,\n  \"succeed_count\": %u\n}\n",
               servers->count ? "\n  " : "", (unsigned) failed,
               (unsigned) (servers->count - failed));
    return failed;
}

static int servers_show(struct shell *shell, struct servers *servers)
{
    struct exchange *exchanges = mem_array(servers->count, sizeof *exchanges);
    struct buf text = { 0 };
    int status = SHELL_FAILED;
    servers_ask(shell, servers, exchanges);
    uint32_t failed = servers_json(servers, exchanges, &text);
    FILE *out = shell_open(shell, servers->file);
    if (out) {
        fwrite(buf_string(&text), 1, text.size, out);
        status = shell_close(shell, servers->file, out);
    }
    buf_done(&text);
    free(exchanges);
    return status == SHELL_OK && failed == 0 && servers->complete ? SHELL_OK : SHELL_FAILED;
}

int cmd_server_info(struct shell *shell, int argc, char **argv)
{
    struct servers servers = { .complete = true };
    if (!servers_options(&servers, argc, argv))
        return shell_usage(shell, argv[0]);
    arena_init(&servers.arena, 0);
    const char *bad = NULL;
    const char *const *given =
        servers.given ? session_split(&servers.arena, servers.given, &bad) : NULL;
    if (bad)
        fprintf(shell->err, "parse %s as a host:port node failed\n", bad);
    for (; given && *given; given++)
        servers_add(&servers, *given, "user-specified-node");
    const char *const *metas = session_metas(shell->session);
    for (; !servers.given && servers.metas && *metas; metas++)
        servers_add(&servers, *metas, "meta-server");
    if (!servers.given && servers.replicas)
        servers_add_replicas(shell, &servers);
    int status = bad ? SHELL_USAGE : servers_show(shell, &servers);
    free(servers.list);
    arena_done(&servers.arena);
    return status;
}
