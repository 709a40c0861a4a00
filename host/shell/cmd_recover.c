/* cmd_recover -- recover: which replica servers to ask, the request, and what the meta server
 * found.  Its words are an interface: operators' scripts read them. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "host/shell/shell.h"

struct recover {
    struct arena arena;
    const char *file, *list, *wait_text, *output;
    int64_t wait;
    bool skip_bad_nodes, skip_lost_partitions, cold;

    const char **nodes; /* none twice */
    uint64_t *addresses;
    struct host_port *names;
    uint32_t count;
    FILE *out;
};

static bool recover_options(struct recover *recover, int argc, char **argv)
{
    static const struct option options[] = {
        { "node_list_file", required_argument, NULL, 'f' },
        { "node_list_str", required_argument, NULL, 's' },
        { "wait_seconds", required_argument, NULL, 'w' },
        { "skip_bad_nodes", no_argument, NULL, 'b' },
        { "skip_lost_partitions", no_argument, NULL, 'l' },
        { "cold", no_argument, NULL, 'c' },
        { "all-cold", no_argument, NULL, 'c' },
        { "output", required_argument, NULL, 'o' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "f:s:w:blco:", options, NULL)) != -1) {
        switch (option) {
        case 'f': recover->file = optarg; break;
        case 's': recover->list = optarg; break;
        case 'w': recover->wait_text = optarg; break;
        case 'b': recover->skip_bad_nodes = true; break;
        case 'l': recover->skip_lost_partitions = true; break;
        case 'c': recover->cold = true; break;
        case 'o': recover->output = optarg; break;
        default: return false;
        }
    }
    return optind == argc;
}

/* What the options say together; SHELL_OK or what to end with. */
static int recover_check(struct shell *shell, struct recover *recover)
{
    const char *wait = recover->wait_text ? recover->wait_text : "100";
    if (!number_i64(wait, strlen(wait), &recover->wait) || recover->wait > SHELL_WAIT_MAX) {
        fprintf(shell->err, "parse %s as wait_seconds failed\n", wait);
        return SHELL_USAGE;
    }
    if (!recover->file && !recover->list) {
        fputs("should specify one of node_list_file/node_list_str\n", shell->err);
        return shell_usage(shell, "recover");
    }
    if (recover->file && recover->list) {
        fputs("should only specify one of node_list_file/node_list_str\n", shell->err);
        return shell_usage(shell, "recover");
    }
    if (recover->wait <= 0) {
        fprintf(shell->err, "invalid wait_seconds %lld, should be positive number\n",
                (long long) recover->wait);
        return shell_usage(shell, "recover");
    }
    return SHELL_OK;
}

/* false: it is no host:port, or its name has no address. */
static bool recover_add(struct shell *shell, struct recover *recover, const char *node)
{
    uint64_t address;
    struct host_port name;
    if (!shell_resolve(&recover->arena, node, &address, &name))
        return false;
    for (uint32_t i = 0; i < recover->count && i < BR_NODES_MAX; i++) {
        if (strcmp(recover->nodes[i], node) == 0) {
            fprintf(shell->out, "duplicate replica node %s, just ingore it\n", node);
            return true;
        }
    }
    if (recover->count++ >= BR_NODES_MAX)
        return true; /* recover_run refuses */
    recover->names[recover->count - 1] = name;
    recover->nodes[recover->count - 1] = arena_text(&recover->arena, node, strlen(node));
    recover->addresses[recover->count - 1] = address;
    return true;
}

static int recover_read_list(struct shell *shell, struct recover *recover)
{
    const char *bad = NULL;
    const char *const *nodes = session_split(&recover->arena, recover->list, &bad);
    for (; nodes && *nodes; nodes++) {
        bad = *nodes;
        if (!recover_add(shell, recover, bad))
            break;
        bad = NULL;
    }
    if (bad)
        fprintf(shell->err, "parse %s as a host:port node failed\n", bad);
    else if (recover->count == 0)
        fputs("can't parse node from node_list_str\n", shell->err);
    return bad || recover->count == 0 ? SHELL_USAGE : SHELL_OK;
}

static int recover_read_line(struct shell *shell, struct recover *recover, char *line, int number)
{
    static const char space[] = " \t\r\n\v\f";
    line += strspn(line, space);
    size_t size = strlen(line);
    while (size > 0 && strchr(space, line[size - 1]))
        size--;
    line[size] = '\0';
    if (size == 0 || *line == '#' || *line == ';' || recover_add(shell, recover, line))
        return SHELL_OK;
    fprintf(shell->err, "parse %s at file %s line %d as host:port failed\n", line, recover->file,
            number);
    return SHELL_FAILED;
}

static int recover_read_file(struct shell *shell, struct recover *recover)
{
    FILE *in = fopen(recover->file, "re");
    char *line = NULL;
    size_t room = 0, total = 0;
    int number = 0, status = SHELL_OK;
    if (!in) {
        fprintf(shell->err, "open file %s failed\n", recover->file);
        return SHELL_FAILED;
    }
    ssize_t size;
    while (status == SHELL_OK && (size = getline(&line, &room, in)) >= 0) {
        number++;
        total += (size_t) size;
        if (total > SHELL_FILE_MAX || memchr(line, '\0', (size_t) size)) {
            fprintf(shell->err, "file %s is no list of nodes: %s at line %d\n", recover->file,
                    total > SHELL_FILE_MAX ? "too long" : "a NUL character", number);
            status = SHELL_FAILED;
        } else {
            status = recover_read_line(shell, recover, line, number);
        }
    }
    free(line);
    fclose(in);
    if (status == SHELL_OK && recover->count == 0) {
        fprintf(shell->err, "no node specified in file %s\n", recover->file);
        status = SHELL_FAILED;
    }
    return status;
}

static void recover_header(const struct recover *recover)
{
    fprintf(recover->out, "Wait seconds: %lld\n", (long long) recover->wait);
    fprintf(recover->out, "Skip bad nodes: %s\n", recover->skip_bad_nodes ? "true" : "false");
    fprintf(recover->out, "Skip lost partitions: %s\n",
            recover->skip_lost_partitions ? "true" : "false");
    fputs("Node list:\n" SHELL_RULE "\n", recover->out);
    for (uint32_t i = 0; i < recover->count; i++)
        fprintf(recover->out, "%s\n", recover->nodes[i]);
    fputs(SHELL_RULE "\n", recover->out);
    fflush(recover->out);
}

static void recover_tick(void *arg, int second)
{
    struct recover *recover = arg;
    fprintf(recover->out, "Wait recovery for %d seconds\n", second);
    fflush(recover->out);
}

static int recover_ask(struct shell *shell, struct recover *recover)
{
    struct msg_configuration_recovery_request request;
    struct msg_configuration_recovery_response response;
    wire_init(&wire_configuration_recovery_request, &request);
    wire_init(&wire_configuration_recovery_response, &response);
    request.recovery_nodes =
        (struct wire_list){ .items = recover->addresses, .count = recover->count };
    request.skip_bad_nodes = recover->skip_bad_nodes;
    request.skip_lost_partitions = recover->skip_lost_partitions;
    if (session_peer(shell->session) == WIRE_PEER_26) {
        request.hp_recovery_nodes =
            (struct wire_list){ .items = recover->names, .count = recover->count };
        WIRE_SET(&request, 4);
    }
    struct exchange exchange = { .rpc = "RPC_CM_START_RECOVERY",
                                 .request = &request,
                                 .response = &response,
                                 .arena = &recover->arena,
                                 .timeout = recover->wait * BR_SECOND };
    recover_header(recover);
    session_run(shell->session, &exchange, 1, recover_tick, recover);
    if (strcmp(exchange.error, "ERR_TIMEOUT") == 0 && exchange.why[0])
        fputs("Wait recovery failed, administrator should check the meta for progress\n",
              recover->out);
    fprintf(recover->out, "Recover result: %s\n", exchange.error);
    if (exchange.why[0])
        fprintf(shell->err, "%s\n", exchange.why);
    else if (response.hint_message && *response.hint_message)
        shell_message(recover->out, response.hint_message);
    if (recover->output)
        fprintf(shell->out, "recover complete with err = %s\n", exchange.error);
    shell_hint(shell, exchange.error);
    return exchange_ok(&exchange) ? SHELL_OK : SHELL_FAILED;
}

/* What the request of Pegasus has no field for.  A server that does not know of it must not be told
 * to recover: it would do something else than was asked. */
static bool recover_cold(struct shell *shell, struct recover *recover)
{
    const char *arguments[] = { "true" }, *text = "";
    struct msg_command command = { .cmd = "bridle.all-cold",
                                   .arguments = { .items = arguments, .count = 1 } };
    struct exchange exchange;
    if (!remote_leader(shell, &command, &recover->arena, &exchange, &text)) {
        fprintf(shell->err, "--cold failed, error=%s: nothing was recovered\n", exchange.error);
        shell_why(shell, &exchange);
        return false;
    }
    if (strcmp(text, "OK") == 0 || strcmp(text, "OK\n") == 0)
        return true;
    struct buf clean = { 0 };
    table_clean(&clean, text);
    fprintf(shell->err,
            "--cold failed: the meta server, which must be a bridled, said: %s\n"
            "nothing was recovered\n",
            buf_string(&clean));
    buf_done(&clean);
    return false;
}

static int recover_run(struct shell *shell, struct recover *recover)
{
    recover->nodes = arena_zero(&recover->arena, BR_NODES_MAX * sizeof *recover->nodes);
    recover->addresses = arena_zero(&recover->arena, BR_NODES_MAX * sizeof *recover->addresses);
    recover->names = arena_zero(&recover->arena, BR_NODES_MAX * sizeof *recover->names);
    int status =
        recover->list ? recover_read_list(shell, recover) : recover_read_file(shell, recover);
    if (status != SHELL_OK)
        return status;
    if (recover->count > BR_NODES_MAX) {
        fprintf(shell->err, "%u nodes are given, more than %d\n", (unsigned) recover->count,
                BR_NODES_MAX);
        return SHELL_USAGE;
    }
    if (recover->cold && !recover_cold(shell, recover))
        return SHELL_FAILED;
    recover->out = shell_open(shell, recover->output);
    if (!recover->out)
        return SHELL_FAILED;
    status = recover_ask(shell, recover);
    int closed = shell_close(shell, recover->output, recover->out);
    return status != SHELL_OK ? status : closed;
}

int cmd_recover(struct shell *shell, int argc, char **argv)
{
    struct recover recover = { 0 };
    if (!recover_options(&recover, argc, argv))
        return shell_usage(shell, argv[0]);
    int status = recover_check(shell, &recover);
    if (status != SHELL_OK)
        return status;
    arena_init(&recover.arena, 0);
    status = recover_run(shell, &recover);
    arena_done(&recover.arena);
    return status;
}
