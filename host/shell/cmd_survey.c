/* cmd_survey -- survey: the evidence as a file, or several such files as one. */
#include <getopt.h>

#include "host/shell/stages.h"

struct survey_command {
    struct stages_options stages;
    const char *file, *list, *output;
    bool merge;
};

static bool survey_options(struct survey_command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "node_list_file", required_argument, NULL, 'f' },
        { "node_list", required_argument, NULL, 'l' },
        { "merge", no_argument, NULL, 'm' },
        { "config", required_argument, NULL, 'c' },
        { "set", required_argument, NULL, 's' },
        { "output", required_argument, NULL, 'o' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "f:l:mc:s:o:", options, NULL)) != -1) {
        switch (option) {
        case 'f': command->file = optarg; break;
        case 'l': command->list = optarg; break;
        case 'm': command->merge = true; break;
        case 'c': command->stages.config = optarg; break;
        case 's':
            if (!stages_set(&command->stages, optarg))
                return false;
            break;
        case 'o': command->output = optarg; break;
        default: return false;
        }
    }
    int sources = (command->file != NULL) + (command->list != NULL) + command->merge;
    return sources <= 1 && (command->merge ? optind < argc : optind == argc);
}

static int survey_end(struct shell *shell, const struct survey_command *command,
                      struct survey *survey)
{
    struct buf text = { 0 };
    for (uint32_t i = 0; i < survey->node_count; i++) {
        const struct survey_node *node = &survey->nodes[i];
        if (!node->complete)
            fprintf(shell->err, "node(%s) is silent: %s (%s)\n", node->name, node->why,
                    node->error);
    }
    fprintf(shell->err, "%u of %u servers answered, %llu replicas\n",
            survey->node_count - survey->silent_count, survey->node_count,
            (unsigned long long) survey->replica_count);
    survey_put(survey, &text);
    survey_free(survey);
    int status = stages_write(shell, "survey", command->output, &text);
    buf_done(&text);
    return status;
}

/* Without a list, of all servers that the transport knows. */
static struct survey *survey_with(const struct survey_command *command, struct tool *tool,
                                  struct tool_nodes *nodes, struct fail *ret_fail)
{
    br_status status = tool_init(tool, command->stages.config, command->stages.sets, ret_fail);
    tool->log.plugins = BR_WARN; /* what was found and not reported */
    if (status == BR_OK)
        status = tool_open_transport(tool, ret_fail);
    if (status == BR_OK && !nodes->count)
        status = tool_nodes_ask(nodes, tool, ret_fail);
    return status == BR_OK ? tool_survey(tool, nodes->names, nodes->addresses, nodes->count) : NULL;
}

static int survey_ask(struct shell *shell, const struct survey_command *command)
{
    struct fail fail = { .status = BR_OK };
    struct tool tool;
    struct tool_nodes nodes = { 0 };
    struct survey *survey = NULL;
    if ((!command->file && !command->list)
        || tool_nodes_read(&nodes, command->file, command->list, &fail) == BR_OK) {
        survey = survey_with(command, &tool, &nodes, &fail);
        tool_done(&tool);
    }
    tool_nodes_done(&nodes);
    return survey ? survey_end(shell, command, survey) : stages_failed(shell, "survey", &fail);
}

int cmd_survey(struct shell *shell, int argc, char **argv)
{
    struct survey_command command = { 0 };
    if (!survey_options(&command, argc, argv))
        return shell_usage(shell, argv[0]);
    if (!command.merge)
        return survey_ask(shell, &command);
    struct survey *survey =
        stages_surveys(shell, "survey", argv + optind, (uint32_t) (argc - optind), NULL);
    return survey ? survey_end(shell, &command, survey) : SHELL_FAILED;
}
