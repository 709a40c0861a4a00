/* cmd_app -- app: one table, and with -d each partition and what each node serves of it. */
#include <getopt.h>
#include <string.h>

#include "host/shell/shell.h"

struct app {
    bool detailed, json;
    const char *file, *name;
};

static bool app_options(struct app *app, int argc, char **argv)
{
    static const struct option options[] = {
        { "detailed", no_argument, NULL, 'd' },
        { "json", no_argument, NULL, 'j' },
        { "output", required_argument, NULL, 'o' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "djo:", options, NULL)) != -1) {
        switch (option) {
        case 'd': app->detailed = true; break;
        case 'j': app->json = true; break;
        case 'o': app->file = optarg; break;
        default: return false;
        }
    }
    if (optind + 1 != argc || !*argv[optind])
        return false;
    app->name = argv[optind];
    return true;
}

static void app_parameters(const struct app *app, struct report *report)
{
    struct table *table = table_pairs(report, "parameters");
    table_pair(table, "app_name", "%s", app->name);
    if (app->file)
        table_pair(table, "out_file", "%s", app->file);
    table_pair(table, "detailed", "%s", app->detailed ? "true" : "false");
}

static void app_general(const struct app *app, const struct msg_query_cfg_response *response,
                        struct report *report)
{
    const struct msg_partition_configuration *partitions = response->partitions.items;
    struct table *table = table_pairs(report, "general");
    table_pair(table, "app_name", "%s", app->name);
    table_pair(table, "app_id", "%d", (int) response->app_id);
    table_pair(table, "partition_count", "%d", (int) response->partition_count);
    table_pair(table, "max_replica_count", "%d",
               response->partitions.count ? (int) partitions[0].max_replica_count : 0);
}

static void app_secondaries(const struct msg_partition_configuration *partition, struct buf *buf)
{
    const uint64_t *addresses = partition->secondaries.items;
    const struct host_port *names = partition->hp_secondaries.items;
    uint32_t count = health_replicas(partition) - health_has_primary(partition);
    char node[NODE_NAME_MAX + 1];
    buf_char(buf, '[');
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            buf_char(buf, ',');
        buf_text(buf, shell_node(i < partition->secondaries.count ? addresses[i] : 0,
                                 i < partition->hp_secondaries.count ? &names[i] : NULL, node));
    }
    buf_char(buf, ']');
}

static void app_replicas(const struct msg_query_cfg_response *response, struct report *report)
{
    static const char *const titles[] = { "pidx", "ballot", "replica_count", "primary",
                                          "secondaries" };
    const struct msg_partition_configuration *partition = response->partitions.items;
    struct table *table = table_columns(report, "replicas");
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        table_column(table, titles[i], false);
    struct buf secondaries = { 0 };
    for (uint32_t i = 0; i < response->partitions.count; i++, partition++) {
        char node[NODE_NAME_MAX + 1];
        const struct host_port *name = WIRE_HAS(partition, 9) ? &partition->hp_primary : NULL;
        buf_clear(&secondaries);
        app_secondaries(partition, &secondaries);
        table_cell(table, "%d", (int) partition->pid.partition);
        table_cell(table, "%lld", (long long) partition->ballot);
        table_cell(table, "%u/%d", (unsigned) health_replicas(partition),
                   (int) partition->max_replica_count);
        table_cell(table, "%s",
                   health_has_primary(partition) ? shell_node(partition->primary, name, node)
                                                 : "-");
        table_cell(table, "%s", buf_string(&secondaries));
    }
    buf_done(&secondaries);
}

static void app_nodes(const struct msg_query_cfg_response *response, struct report *report)
{
    static const char *const titles[] = { "node", "primary", "secondary", "total" };
    struct table *table = table_columns(report, "nodes");
    struct load load = { 0 };
    uint32_t primaries = 0, secondaries = 0;
    load_count(&load, response);
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        table_column(table, titles[i], false);
    for (size_t i = 0; i <= load.count; i++) {
        bool last = i == load.count;
        const struct load_row *row = last ? NULL : &load.rows[i];
        uint32_t primary = last ? primaries : row->primaries;
        uint32_t secondary = last ? secondaries : row->secondaries;
        table_cell(table, "%s", last ? "" : row->node);
        table_cell(table, "%u", (unsigned) primary);
        table_cell(table, "%u", (unsigned) secondary);
        table_cell(table, "%u", (unsigned) (primary + secondary));
        primaries += primary;
        secondaries += secondary;
    }
    load_done(&load);
}

static void app_healthy(const struct msg_query_cfg_response *response, struct report *report)
{
    struct health health;
    struct table *table = table_pairs(report, "healthy");
    health_count(response, &health);
    table_pair(table, "fully_healthy_partition_count", "%u", (unsigned) health.fully);
    table_pair(table, "unhealthy_partition_count", "%u",
               (unsigned) (health.partitions - health.fully));
    table_pair(table, "write_unhealthy_partition_count", "%u", (unsigned) health.write_unhealthy);
    table_pair(table, "read_unhealthy_partition_count", "%u", (unsigned) health.read_unhealthy);
}

static int app_show(struct shell *shell, const struct app *app,
                    const struct msg_query_cfg_response *response)
{
    struct report report;
    report_init(&report);
    app_parameters(app, &report);
    app_general(app, response, &report);
    if (app->detailed) {
        app_replicas(response, &report);
        app_nodes(response, &report);
        app_healthy(response, &report);
    }
    return shell_report(shell, &report, app->file, app->json, true);
}

int cmd_app(struct shell *shell, int argc, char **argv)
{
    struct app app = { 0 };
    if (!app_options(&app, argc, argv))
        return shell_usage(shell, argv[0]);
    struct msg_query_cfg_request request;
    struct msg_query_cfg_response response;
    struct arena arena;
    wire_init(&wire_query_cfg_request, &request);
    request.app_name = app.name;
    arena_init(&arena, 0);
    struct exchange exchange = { .rpc = "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX",
                                 .request = &request,
                                 .response = &response,
                                 .arena = &arena };
    session_run(shell->session, &exchange, 1, NULL, NULL);
    int status;
    if (exchange_ok(&exchange)) {
        status = app_show(shell, &app, &response);
    } else {
        struct buf what = { 0 };
        buf_printf(&what, "query app %s", app.name);
        status = shell_failed(shell, buf_string(&what), &exchange);
        buf_done(&what);
    }
    arena_done(&arena);
    return status;
}
