/* cmd_verify -- verify: the store, and the servers, against a plan. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/shell/stages.h"
#include "host/stage/compare.h"

struct verify_command {
    struct stages_options stages;
    bool offline, exact, json;
};

static bool verify_options(struct verify_command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' }, { "set", required_argument, NULL, 's' },
        { "offline", no_argument, NULL, 'n' },      { "exact", no_argument, NULL, 'x' },
        { "json", no_argument, NULL, 'j' },         { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "c:s:nxj", options, NULL)) != -1) {
        switch (option) {
        case 'c': command->stages.config = optarg; break;
        case 's':
            if (!stages_set(&command->stages, optarg))
                return false;
            break;
        case 'n': command->offline = true; break;
        case 'x': command->exact = true; break;
        case 'j': command->json = true; break;
        default: return false;
        }
    }
    return optind + 1 == argc && command->stages.config;
}

/* The plan is for another place than the configuration. */
static br_status verify_place(const struct stage_plan *plan, const struct tool *tool,
                              struct fail *fail)
{
    if (strcmp(plan->root, tool->root.data) != 0)
        return fail_set(fail, BR_INVALID, "the plan is for the root %s, the configuration says %s",
                        plan->root, tool->root.data);
    const char *name = tool->config.replication.cluster_name;
    if (strcmp(plan->cluster_name, name) != 0)
        return fail_set(fail, BR_INVALID,
                        "the plan is for the cluster %s, the configuration is of "
                        "%s",
                        plan->cluster_name, name);
    return BR_OK;
}

/* The same servers as the plan's, silent ones too. */
static br_status verify_servers(const struct stage_plan *plan, struct tool *tool,
                                struct compare *compare, struct fail *fail)
{
    uint32_t count = plan->survey->node_count;
    br_status status = tool_open_transport(tool, fail);
    if (status != BR_OK)
        return status;
    const char **names = mem_array(count + 1, sizeof *names);
    uint64_t *addresses = mem_array(count + 1, sizeof *addresses);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = plan->survey->nodes[i].name;
        addresses[i] = plan->survey->nodes[i].address;
    }
    struct survey *now = tool_survey(tool, names, addresses, count);
    stage_compare_servers(plan, now, compare);
    survey_free(now);
    free(names);
    free(addresses);
    return BR_OK;
}

static br_status verify_all(const struct verify_command *command, const struct stage_plan *plan,
                            struct tool *tool, struct compare *compare, struct fail *fail)
{
    br_status status = tool_init(tool, command->stages.config, command->stages.sets, fail);
    if (status == BR_OK)
        status = verify_place(plan, tool, fail);
    if (status == BR_OK)
        status = tool_open_store(tool, fail);
    if (status == BR_OK)
        status = stage_compare_store(plan, tool, tool->store_root.data, compare, fail);
    if (status == BR_OK && !command->offline)
        status = verify_servers(plan, tool, compare, fail);
    return status;
}

int cmd_verify(struct shell *shell, int argc, char **argv)
{
    struct verify_command command = { 0 };
    struct fail fail = { .status = BR_OK };
    struct stage_plan plan;
    struct tool tool;
    struct compare compare = { 0 };
    struct buf text = { 0 };
    if (!verify_options(&command, argc, argv))
        return shell_usage(shell, argv[0]);
    br_status status = stage_plan_load(&plan, argv[optind], &fail);
    if (status == BR_OK) {
        status = verify_all(&command, &plan, &tool, &compare, &fail);
        tool_done(&tool);
    }
    bool good = status == BR_OK && stage_compare_good(&compare, command.exact);
    if (status == BR_OK && command.json)
        stage_compare_put_json(&compare, good, &text);
    else if (status == BR_OK)
        stage_compare_put(&compare, &text);
    if (status == BR_OK && !command.json)
        buf_printf(&text, "verify %s: plan %.16s\n", good ? "OK" : "FAILED", plan.plan.hash);
    fputs(buf_string(&text), shell->out);
    buf_done(&text);
    buf_done(&compare.text);
    stage_plan_done(&plan);
    if (status != BR_OK)
        return stages_failed(shell, "verify", &fail);
    return good ? SHELL_OK : SHELL_FAILED;
}
