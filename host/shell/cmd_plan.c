/* cmd_plan -- plan: surveys judged by the configured policy, and what would be written as a file.
 */
#include <getopt.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/shell/stages.h"
#include "host/stage/plan_file.h"

#define PLAN_ASSUMED_MAX 256 /* --assume-dead and --assume-back, each */

struct plan_command {
    struct stages_options stages;
    const char *output;
    const char *consents[CONSENTS_MAX + 1];
    const char *dead[PLAN_ASSUMED_MAX + 1], *back[PLAN_ASSUMED_MAX + 1];
    uint32_t consent_count, dead_count, back_count;
    bool json;
};

static bool plan_add(const char **list, uint32_t *count, uint32_t max, const char *text)
{
    if (*count == max)
        return false;
    list[(*count)++] = text;
    return true;
}

enum { PLAN_DEAD = 256, PLAN_BACK, PLAN_CONSENT };

static bool plan_option(struct plan_command *command, int option, const char *text)
{
    const char **consents = command->consents;
    uint32_t *count = &command->consent_count;
    switch (option) {
    case 'b': return plan_add(consents, count, CONSENTS_MAX, "skip_bad_nodes");
    case 'l': return plan_add(consents, count, CONSENTS_MAX, "skip_lost_partitions");
    case PLAN_CONSENT: return plan_add(consents, count, CONSENTS_MAX, text);
    case PLAN_DEAD: return plan_add(command->dead, &command->dead_count, PLAN_ASSUMED_MAX, text);
    case PLAN_BACK: return plan_add(command->back, &command->back_count, PLAN_ASSUMED_MAX, text);
    case 'c': command->stages.config = text; return true;
    case 's': return stages_set(&command->stages, text);
    case 'o': command->output = text; return true;
    case 'j': command->json = true; return true;
    default: return false;
    }
}

static bool plan_options(struct plan_command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "skip_bad_nodes", no_argument, NULL, 'b' },
        { "skip-bad-nodes", no_argument, NULL, 'b' },
        { "skip_lost_partitions", no_argument, NULL, 'l' },
        { "skip-lost-partitions", no_argument, NULL, 'l' },
        { "consent", required_argument, NULL, PLAN_CONSENT },
        { "assume-dead", required_argument, NULL, PLAN_DEAD },
        { "assume-back", required_argument, NULL, PLAN_BACK },
        { "config", required_argument, NULL, 'c' },
        { "set", required_argument, NULL, 's' },
        { "output", required_argument, NULL, 'o' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "blc:s:o:j", options, NULL)) != -1) {
        if (!plan_option(command, option, optarg))
            return false;
    }
    return optind < argc;
}

/* Those of the configuration count, too, as in bridled. */
static bool plan_consents(struct plan_command *command, const struct config_recovery *config)
{
    for (const char *const *at = config->consents; at && *at; at++) {
        if (!plan_add(command->consents, &command->consent_count, CONSENTS_MAX, *at))
            return false;
    }
    return true;
}

static int plan_end(struct shell *shell, const struct plan_command *command,
                    const struct stage_plan *plan)
{
    struct buf text = { 0 };
    struct buf summary = { 0 };
    int status = SHELL_OK;
    if (command->output) {
        stage_plan_put(plan, &text);
        status = stages_write(shell, "plan", command->output, &text);
    }
    if (command->json)
        stage_plan_summary_json(plan, &summary);
    else
        stage_plan_summary(plan, command->output, &summary);
    if (status == SHELL_OK)
        fputs(buf_string(&summary), shell->out);
    buf_done(&text);
    buf_done(&summary);
    return status == SHELL_OK && !plan->passes ? SHELL_FAILED : status;
}

/* There is no plan at all: the reasons. */
static int plan_none(struct shell *shell, const struct stage_plan *plan, const struct fail *fail)
{
    for (uint32_t i = 0; i < plan->finding_count; i++) {
        if (plan->findings[i].severity != BR_NOTE && strcmp(plan->findings[i].text, fail->text))
            fprintf(shell->err, "%s\n", plan->findings[i].text);
    }
    return stages_failed(shell, "plan", fail);
}

static int plan_run(struct shell *shell, struct plan_command *command, struct survey *survey,
                    const struct survey_assume *assume)
{
    struct fail fail = { .status = BR_OK };
    struct tool tool;
    struct stage_plan plan;
    int result;
    br_status status = tool_init(&tool, command->stages.config, command->stages.sets, &fail);
    if (status == BR_OK)
        status = tool_open_policy(&tool, &fail);
    if (status == BR_OK && !plan_consents(command, &tool.config.recovery))
        status = fail_set(&fail, BR_TOOBIG, "more than %d consents", CONSENTS_MAX);
    if (status == BR_OK) {
        const struct stage_judging judging = { &tool, command->consents, assume };
        status = stage_plan_make(&plan, survey, &judging, &fail);
        result = status == BR_OK ? plan_end(shell, command, &plan) : plan_none(shell, &plan, &fail);
        stage_plan_done(&plan);
    } else {
        survey_free(survey);
        result = stages_failed(shell, "plan", &fail);
    }
    tool_done(&tool);
    return result;
}

int cmd_plan(struct shell *shell, int argc, char **argv)
{
    struct plan_command command = { 0 };
    if (!plan_options(&command, argc, argv))
        return shell_usage(shell, argv[0]);
    const struct survey_assume assume = { .dead = command.dead, .back = command.back };
    struct survey *survey =
        stages_surveys(shell, "plan", argv + optind, (uint32_t) (argc - optind), &assume);
    return survey ? plan_run(shell, &command, survey, &assume) : SHELL_FAILED;
}
