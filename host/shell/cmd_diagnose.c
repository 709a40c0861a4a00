/* cmd_diagnose -- diagnose: a verdict on the store, an exit status of its own, the next command. */
#include <getopt.h>

#include "host/shell/stages.h"
#include "host/stage/diagnose.h"

static void diagnose_json(const struct diagnose *diagnose, struct buf *buf)
{
    buf_printf(buf, "{\"verdict\":\"%s\",\"status\":%d", stage_diagnosis(diagnose->verdict),
               (int) diagnose->verdict);
    buf_printf(buf, ",\"tables\":%llu,\"partitions\":%llu,\"missing\":%llu,\"undecodable\":%llu",
               (unsigned long long) diagnose->tables, (unsigned long long) diagnose->partitions,
               (unsigned long long) diagnose->missing, (unsigned long long) diagnose->undecodable);
    buf_text(buf, ",\"text\":");
    buf_json(buf, buf_string(&diagnose->text));
    buf_text(buf, ",\"next\":");
    buf_json(buf, buf_string(&diagnose->next));
    buf_text(buf, "}\n");
}

static int diagnose_run(struct shell *shell, const struct stages_options *stages, bool json)
{
    struct fail fail = { .status = BR_OK };
    struct tool tool;
    struct diagnose diagnose;
    struct buf text = { 0 };
    int result = SHELL_FAILED;
    if (tool_init(&tool, stages->config, stages->sets, &fail) != BR_OK) {
        stages_failed(shell, "diagnose", &fail);
    } else {
        stage_diagnose(&tool, &diagnose);
        if (json)
            diagnose_json(&diagnose, &text);
        else
            buf_printf(&text, "verdict: %s\n%snext:    %s\n", stage_diagnosis(diagnose.verdict),
                       buf_string(&diagnose.text), buf_string(&diagnose.next));
        result = (int) diagnose.verdict;
        buf_done(&diagnose.text);
        buf_done(&diagnose.next);
    }
    fputs(buf_string(&text), shell->out);
    buf_done(&text);
    tool_done(&tool);
    return result;
}

int cmd_diagnose(struct shell *shell, int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "set", required_argument, NULL, 's' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    struct stages_options stages = { 0 };
    bool json = false;
    int option;
    while ((option = getopt_long(argc, argv, "c:s:j", options, NULL)) != -1) {
        if (option == 'c')
            stages.config = optarg;
        else if (option == 'j')
            json = true;
        else if (option != 's' || !stages_set(&stages, optarg))
            return shell_usage(shell, argv[0]);
    }
    if (optind != argc || !stages.config)
        return shell_usage(shell, argv[0]);
    return diagnose_run(shell, &stages, json);
}
