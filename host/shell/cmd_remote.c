/* cmd_remote -- remote commands, which every server takes in every state: server_info,
 * remote_command, recovery_status. */
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/shell/shell.h"

#define REMOTE_TIMEOUT (5 * BR_SECOND)

struct server {
    const char *node, *role;
    const char *text;
};

struct servers {
    struct arena arena;
    struct server *list;
    uint32_t count;
    const char *file, *given;
    bool typed, metas, replicas;
    bool complete; /* false: the replica servers could not be learnt */
    struct msg_command command;
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
        case 't':
            type = optarg;
            servers->typed = true;
            break;
        case 'l': servers->given = optarg; break;
        case 'o': servers->file = optarg; break;
        default: return false;
        }
    }
    servers->metas = strcmp(type, "all") == 0 || strcmp(type, "meta-server") == 0;
    servers->replicas = strcmp(type, "all") == 0 || strcmp(type, "replica-server") == 0;
    return servers->metas || servers->replicas;
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
    servers->complete = session_ask(shell->session, &exchange);
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
    for (uint32_t i = 0; i < servers->count; i++)
        exchanges[i] = (struct exchange){ .rpc = "RPC_CLI_CLI_CALL",
                                          .node = servers->list[i].node,
                                          .request = &servers->command,
                                          .response = &servers->list[i].text,
                                          .arena = &servers->arena,
                                          .timeout = REMOTE_TIMEOUT };
    session_run(shell->session, exchanges, servers->count, NULL, NULL);
}

/* A reply that is JSON becomes part of the output's, else a string (Pegasus's shell from 2.6 on).
 */
static void servers_message(const char *text, struct buf *buf)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    char *dump =
        value ? json_dumps(value, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
    for (const char *at = dump; at && *at; at++) {
        buf_char(buf, *at);
        if (*at == '\n')
            buf_text(buf, "      ");
    }
    if (!dump)
        buf_json(buf, text);
    free(dump);
    json_decref(value);
}

static void servers_json_command(const struct msg_command *command, struct buf *buf)
{
    const char *const *arguments = command->arguments.items;
    struct buf line = { 0 };
    buf_text(&line, command->cmd);
    for (uint32_t i = 0; i < command->arguments.count; i++)
        buf_printf(&line, " %s", arguments[i]);
    buf_json(buf, buf_string(&line));
    buf_done(&line);
}

/* Keys in alphabetical order, two spaces a level, as Pegasus's shell prints remote commands. */
static uint32_t servers_json(const struct servers *servers, const struct exchange *exchanges,
                             struct buf *buf)
{
    uint32_t failed = 0;
    buf_text(buf, "{\n  \"command\": ");
    servers_json_command(&servers->command, buf);
    buf_text(buf, ",\n  \"details\": {");
    for (uint32_t i = 0; i < servers->count; i++) {
        bool ok = exchange_ok(&exchanges[i]);
        failed += !ok;
        buf_text(buf, i ? ",\n    " : "\n    ");
        buf_json(buf, servers->list[i].node);
        buf_printf(buf, ": {\n      \"acked\": %s,\n      \"message\": ", ok ? "true" : "false");
        if (ok)
            servers_message(servers->list[i].text, buf);
        else
            buf_json(buf, exchanges[i].error);
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

static int servers_run(struct shell *shell, struct servers *servers)
{
    const char *bad = NULL;
    servers->complete = true;
    arena_init(&servers->arena, 0);
    const char *const *given =
        servers->given ? session_split(&servers->arena, servers->given, &bad) : NULL;
    if (bad)
        fprintf(shell->err, "parse %s as a host:port node failed\n", bad);
    for (; given && *given; given++)
        servers_add(servers, *given, "user-specified");
    const char *const *metas = session_metas(shell->session);
    for (; !servers->given && servers->metas && *metas; metas++)
        servers_add(servers, *metas, "meta-server");
    if (!servers->given && servers->replicas)
        servers_add_replicas(shell, servers);
    int status = bad ? SHELL_USAGE : servers_show(shell, servers);
    free(servers->list);
    arena_done(&servers->arena);
    return status;
}

int cmd_server_info(struct shell *shell, int argc, char **argv)
{
    struct servers servers = { .command = { .cmd = "server-info" } };
    if (!servers_options(&servers, argc, argv) || optind != argc)
        return shell_usage(shell, argv[0]);
    return servers_run(shell, &servers);
}

int cmd_remote_command(struct shell *shell, int argc, char **argv)
{
    struct servers servers = { .list = NULL };
    if (!servers_options(&servers, argc, argv))
        return shell_usage(shell, argv[0]);
    if (servers.typed && servers.given) {
        fputs("can not specify both node_type and node_list\n", shell->err);
        return shell_usage(shell, argv[0]);
    }
    if (optind == argc) {
        fputs("command not specified\n", shell->err);
        return shell_usage(shell, argv[0]);
    }
    servers.command.cmd = argv[optind];
    servers.command.arguments =
        (struct wire_list){ .items = argv + optind + 1, .count = (uint32_t) (argc - optind - 1) };
    return servers_run(shell, &servers);
}

/* -- The leader's ---------------------------------------------------------------------------- */

/* Remote commands are not forwarded, so a request that is tells first who leads; what else it is
 * answered does not matter. */
bool remote_leader(struct shell *shell, const struct msg_command *command, struct arena *arena,
                   struct exchange *ret_exchange, const char **ret_text)
{
    struct msg_empty_request request = { 0 };
    struct msg_cluster_info_response response;
    *ret_exchange = (struct exchange){
        .rpc = "RPC_CM_CLUSTER_INFO", .request = &request, .response = &response, .arena = arena
    };
    session_ask(shell->session, ret_exchange);
    if (strcmp(ret_exchange->error, "ERR_NETWORK_FAILURE") == 0
        || strcmp(ret_exchange->error, "ERR_TIMEOUT") == 0)
        return false;
    *ret_exchange = (struct exchange){ .rpc = "RPC_CLI_CLI_CALL",
                                       .request = command,
                                       .response = ret_text,
                                       .arena = arena,
                                       .timeout = REMOTE_TIMEOUT };
    return session_ask(shell->session, ret_exchange);
}

bool remote_bridled(struct shell *shell, const char *what, const struct msg_command *command,
                    struct arena *arena, const char **ret_text)
{
    struct exchange exchange;
    *ret_text = "";
    if (!remote_leader(shell, command, arena, &exchange, ret_text)) {
        shell_failed(shell, what, &exchange);
        return false;
    }
    if (strncmp(*ret_text, "unknown command", 15) != 0)
        return true;
    fprintf(shell->out, "%s failed, error=ERR_HANDLER_NOT_FOUND\n", what);
    fputs("the meta server that leads is no bridled, or an older one: cluster_info tells which one "
          "it is\n",
          shell->err);
    return false;
}

int cmd_recovery_status(struct shell *shell, int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    const char *arguments[] = { "-j" }, *text = "";
    struct msg_command command = { .cmd = "bridle.recovery" };
    int option;
    while ((option = getopt_long(argc, argv, "j", options, NULL)) != -1) {
        if (option != 'j')
            return shell_usage(shell, argv[0]);
        command.arguments = (struct wire_list){ .items = arguments, .count = 1 };
    }
    if (optind != argc)
        return shell_usage(shell, argv[0]);
    struct exchange exchange;
    struct arena arena;
    struct buf clean = { 0 };
    int status = SHELL_OK;
    arena_init(&arena, 0);
    if (!remote_leader(shell, &command, &arena, &exchange, &text)) {
        status = shell_failed(shell, "get recovery status", &exchange);
    } else if (strncmp(text, "unknown command", 15) == 0) {
        fputs("get recovery status failed, error=ERR_HANDLER_NOT_FOUND\n", shell->out);
        fputs("the meta server that leads is no bridled: cluster_info tells which one it is\n",
              shell->err);
        status = SHELL_FAILED;
    } else {
        table_clean(&clean, text);
        fprintf(shell->out, "%s%s", buf_string(&clean),
                clean.size && clean.data[clean.size - 1] == '\n' ? "" : "\n");
    }
    buf_done(&clean);
    arena_done(&arena);
    return status;
}
