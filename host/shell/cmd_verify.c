/* cmd_verify -- verify: the store, and the servers, against a plan. */
#include <getopt.h>

#include "host/shell/stages.h"
#include "host/stage/amend.h"
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

static br_status verify_servers(const struct stage_plan *plan, struct tool *tool,
                                struct compare *compare, struct fail *fail)
{
    struct survey *now = stage_survey_again(plan, tool, fail);
    if (!now)
        return fail->status;
    stage_compare_servers(plan, now, compare);
    survey_free(now);
    return BR_OK;
}

static br_status verify_all(const struct verify_command *command, const struct stage_plan *plan,
                            struct tool *tool, struct compare *compare, struct fail *fail)
{
    br_status status = tool_init(tool, command->stages.config, command->stages.sets, fail);
    if (status == BR_OK)
        status = stage_plan_place(plan, tool, fail);
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
    if (stage_is_amendment(argv[optind]))
        return cmd_verify_amendment(shell, &command.stages, argv[optind], command.exact,
                                    command.json);
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
