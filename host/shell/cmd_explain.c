/* cmd_explain -- explain: why a plan says what it says about one partition, or one table. */
#include <getopt.h>
#include <string.h>

#include "host/base/number.h"
#include "host/shell/stages.h"
#include "host/stage/explain.h"

struct explain_command {
    struct stages_options stages;
    struct gpid pid; /* partition -1: the table */
    bool json;
};

static bool explain_options(struct explain_command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "c:j", options, NULL)) != -1) {
        switch (option) {
        case 'c': command->stages.config = optarg; break;
        case 'j': command->json = true; break;
        default: return false;
        }
    }
    if (optind + 2 != argc)
        return false;
    const char *what = argv[optind + 1];
    if (shell_gpid(what, &command->pid))
        return true;
    command->pid.partition = -1;
    return number_i32(what, strlen(what), &command->pid.app_id) && !command->json;
}

int cmd_explain(struct shell *shell, int argc, char **argv)
{
    struct explain_command command = { 0 };
    struct fail fail = { .status = BR_OK };
    struct stage_plan plan;
    struct tool tool;
    struct buf text = { 0 };
    if (!explain_options(&command, argc, argv))
        return shell_usage(shell, argv[0]);
    br_status status = stage_plan_load(&plan, argv[optind], &fail);
    if (status == BR_OK && command.pid.partition < 0) {
        status = stage_explain_table(&plan, command.pid.app_id, &text, &fail);
    } else if (status == BR_OK) {
        status = tool_init(&tool, command.stages.config, NULL, &fail);
        if (status == BR_OK)
            status = stage_open_policy(&plan, &tool, &fail);
        if (status == BR_OK)
            status = stage_explain(&plan, &tool, command.pid.app_id, command.pid.partition,
                                   command.json, &text, &fail);
        tool_done(&tool);
    }
    fputs(buf_string(&text), shell->out);
    buf_done(&text);
    stage_plan_done(&plan);
    return status == BR_OK ? SHELL_OK : stages_failed(shell, "explain", &fail);
}
