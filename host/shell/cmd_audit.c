/* cmd_audit -- audit: who changed the metadata by a deed of ours. */
#include <getopt.h>

#include "host/shell/stages.h"
#include "host/shell/table.h"
#include "host/stage/audit_read.h"

struct audit_command {
    struct stages_options stages;
    bool json;
    struct buf text;
};

static void audit_take(void *arg, br_bytes line)
{
    struct audit_command *command = arg;
    struct buf text = { 0 };
    if (command->json)
        buf_put(&command->text, line.data, line.size);
    else
        stage_audit_put(line, &text);
    if (text.size)
        table_clean(&command->text, text.data);
    buf_char(&command->text, '\n');
    buf_done(&text);
}

static int audit_run(struct shell *shell, struct audit_command *command)
{
    struct fail fail = { .status = BR_OK };
    struct tool tool;
    br_status status = tool_init(&tool, command->stages.config, command->stages.sets, &fail);
    if (status == BR_OK)
        status = tool_open_store(&tool, &fail);
    if (status == BR_OK)
        status = stage_audit_read(&tool, audit_take, command, &fail);
    if (status == BR_OK && !command->text.size && !command->json)
        buf_printf(&command->text, "nothing of ours was done to %s\n", tool.root.data);
    tool_done(&tool);
    fputs(buf_string(&command->text), shell->out);
    buf_done(&command->text);
    return status == BR_OK ? SHELL_OK : stages_failed(shell, "audit", &fail);
}

int cmd_audit(struct shell *shell, int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "set", required_argument, NULL, 's' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    struct audit_command command = { .json = false };
    int option;
    while ((option = getopt_long(argc, argv, "c:s:j", options, NULL)) != -1) {
        if (option == 'c')
            command.stages.config = optarg;
        else if (option == 'j')
            command.json = true;
        else if (option != 's' || !stages_set(&command.stages, optarg))
            return shell_usage(shell, argv[0]);
    }
    if (optind != argc || !command.stages.config)
        return shell_usage(shell, argv[0]);
    return audit_run(shell, &command);
}
