/* cmd_cluster -- cluster_info: what the leading meta server says of the cluster. */
#include <getopt.h>

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
