/* cmd_rank -- rank: which silent server is worth bringing back first. */
#include <getopt.h>
#include <stdlib.h>

#include "host/base/mem.h"
#include "host/shell/stages.h"
#include "host/stage/rank.h"

static br_status rank_all(const char *config, const struct stage_plan *plan,
                          struct survey **surveys, uint32_t count, bool json, struct buf *text,
                          struct fail *fail)
{
    struct tool tool;
    struct rank *ranks = NULL;
    uint32_t ranked = 0;
    br_status status = tool_init(&tool, config, NULL, fail);
    if (status == BR_OK)
        status = stage_open_policy(plan, &tool, fail);
    if (status == BR_OK)
        status = stage_rank(plan, &tool, surveys, count, &ranks, &ranked, fail);
    if (status == BR_OK && json)
        stage_rank_put_json(plan, ranks, ranked, text);
    else if (status == BR_OK)
        stage_rank_put(plan, ranks, ranked, text);
    free(ranks);
    tool_done(&tool);
    return status;
}

static int rank_run(struct shell *shell, const char *config, char **files, uint32_t count,
                    bool json)
{
    struct fail fail = { .status = BR_OK };
    struct stage_plan plan;
    struct buf text = { 0 };
    struct survey **surveys = mem_array(count + 1, sizeof(struct survey *));
    uint32_t read = 0;
    br_status status = stage_plan_load(&plan, files[0], &fail);
    while (status == BR_OK && read + 1 < count) {
        surveys[read] = survey_load(files[read + 1], &fail);
        status = surveys[read] ? BR_OK : fail.status;
        read += surveys[read] != NULL;
    }
    if (status == BR_OK)
        status = rank_all(config, &plan, surveys, read, json, &text, &fail);
    fputs(buf_string(&text), shell->out);
    while (read > 0)
        survey_free(surveys[--read]);
    free(surveys);
    buf_done(&text);
    stage_plan_done(&plan);
    return status == BR_OK ? SHELL_OK : stages_failed(shell, "rank", &fail);
}

int cmd_rank(struct shell *shell, int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    const char *config = NULL;
    bool json = false;
    int option;
    while ((option = getopt_long(argc, argv, "c:j", options, NULL)) != -1) {
        if (option == 'c')
            config = optarg;
        else if (option == 'j')
            json = true;
        else
            return shell_usage(shell, argv[0]);
    }
    if (optind == argc || argc - optind > STAGE_SURVEYS_MAX)
        return shell_usage(shell, argv[0]);
    return rank_run(shell, config, argv + optind, (uint32_t) (argc - optind), json);
}
