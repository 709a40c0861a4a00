/* cmd_amend -- amend: what servers that have returned add to a plan that was applied; and verify of
 * an amendment.
 */
#include <getopt.h>

#include "host/shell/stages.h"
#include "host/stage/amend.h"

struct amend_command {
    struct stages_options stages;
    const char *file, *list, *output;
    bool json;
};

static bool amend_options(struct amend_command *command, int argc, char **argv)
{
    static const struct option options[] = {
        { "node_list_file", required_argument, NULL, 'f' },
        { "node_list", required_argument, NULL, 'l' },
        { "config", required_argument, NULL, 'c' },
        { "set", required_argument, NULL, 's' },
        { "output", required_argument, NULL, 'o' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "f:l:c:s:o:j", options, NULL)) != -1) {
        switch (option) {
        case 'f': command->file = optarg; break;
        case 'l': command->list = optarg; break;
        case 'c': command->stages.config = optarg; break;
        case 's':
            if (!stages_set(&command->stages, optarg))
                return false;
            break;
        case 'o': command->output = optarg; break;
        case 'j': command->json = true; break;
        default: return false;
        }
    }
    return optind + 1 == argc && command->stages.config && command->output
           && (command->file != NULL) != (command->list != NULL);
}

static br_status amend_make(const struct amend_command *command, const struct stage_plan *plan,
                            struct tool *tool, struct stage_amendment *amendment, struct fail *fail)
{
    struct tool_nodes nodes;
    struct survey *now = NULL;
    br_status status = tool_init(tool, command->stages.config, command->stages.sets, fail);
    if (status == BR_OK)
        status = stage_plan_place(plan, tool, fail);
    if (status == BR_OK && plan->plan.version != tool_version(tool))
        status = fail_set(fail, BR_INVALID,
                          "the plan is in the layout of another Pegasus than the configuration "
                          "says (meta_server.pegasus_version)");
    if (status == BR_OK)
        status = stage_open_policy(plan, tool, fail);
    if (status == BR_OK)
        status = tool_open_store(tool, fail);
    if (status == BR_OK)
        status = tool_open_transport(tool, fail);
    if (status != BR_OK)
        return status;
    status = tool_nodes_read(&nodes, command->file, command->list, fail);
    if (status == BR_OK)
        now = tool_survey(tool, nodes.names, nodes.addresses, nodes.count);
    tool_nodes_done(&nodes);
    return now ? stage_amend_make(amendment, plan, tool, now, fail) : status;
}

/* Without a change there is nothing to be applied, and no file. */
static int amend_end(struct shell *shell, const struct amend_command *command,
                     struct stage_amendment *amendment)
{
    struct buf text = { 0 }, page = { 0 };
    int status = SHELL_OK;
    if (amendment->record_count) {
        stage_amendment_put(amendment, &text);
        status = stages_write(shell, "amend", command->output, &text);
    }
    if (command->json) {
        stage_amendment_summary_json(amendment, &page);
    } else {
        stage_amendment_summary(amendment, &page);
        if (amendment->record_count)
            buf_printf(&page,
                       "amendment %s, in %s\n\nnext:     stop every meta server, then bridle apply "
                       "%s -c %s\n",
                       amendment->hash, command->output, command->output, command->stages.config);
    }
    if (status == SHELL_OK)
        fputs(buf_string(&page), shell->out);
    buf_done(&text);
    buf_done(&page);
    return status;
}

int cmd_amend(struct shell *shell, int argc, char **argv)
{
    struct amend_command command = { 0 };
    struct stage_amendment amendment = { .record_count = 0 };
    struct fail fail = { .status = BR_OK };
    struct stage_plan plan;
    struct tool tool;
    if (!amend_options(&command, argc, argv))
        return shell_usage(shell, argv[0]);
    br_status status = stage_plan_load(&plan, argv[optind], &fail);
    if (status == BR_OK) {
        status = amend_make(&command, &plan, &tool, &amendment, &fail);
        tool_done(&tool);
    }
    int result = status == BR_OK ? amend_end(shell, &command, &amendment)
                                 : stages_failed(shell, "amend", &fail);
    stage_amendment_done(&amendment);
    stage_plan_done(&plan);
    return result;
}

/* -- verify ----------------------------------------------------------------------------------- */

static void amend_verify_put(const struct stage_amendment *amendment,
                             const struct amend_verify *verify, bool json, struct buf *buf)
{
    bool good = !verify->differing;
    if (json) {
        buf_printf(
            buf, "{\"good\":%s,\"records\":%u,\"same\":%llu,\"moved\":%llu,\"differing\":%llu",
            good ? "true" : "false", amendment->record_count, (unsigned long long) verify->same,
            (unsigned long long) verify->moved, (unsigned long long) verify->differing);
        buf_text(buf, ",\"text\":");
        buf_json(buf, buf_string(&verify->text));
        buf_text(buf, "}\n");
        return;
    }
    buf_text(buf, buf_string(&verify->text));
    buf_printf(buf,
               "store:    %u records amended, %llu as they were written, %llu moved on since, %llu "
               "differ\nverify %s: amendment %.16s\n",
               amendment->record_count, (unsigned long long) verify->same,
               (unsigned long long) verify->moved, (unsigned long long) verify->differing,
               good ? "OK" : "FAILED", amendment->hash);
}

int cmd_verify_amendment(struct shell *shell, const struct stages_options *stages, const char *file,
                         bool exact, bool json)
{
    struct stage_amendment amendment;
    struct amend_verify verify = { 0 };
    struct fail fail = { .status = BR_OK };
    struct tool tool;
    struct buf text = { 0 };
    br_status status = stage_amendment_load(&amendment, file, &fail);
    if (status == BR_OK) {
        status = tool_init(&tool, stages->config, stages->sets, &fail);
        if (status == BR_OK)
            status = stage_amend_place(&amendment, &tool, &fail);
        if (status == BR_OK)
            status = tool_open_store(&tool, &fail);
        if (status == BR_OK)
            status = stage_amend_verify(&amendment, &tool, &verify, &fail);
        tool_done(&tool);
    }
    if (status == BR_OK && exact)
        verify.differing += verify.moved;
    if (status == BR_OK)
        amend_verify_put(&amendment, &verify, json, &text);
    fputs(buf_string(&text), shell->out);
    int result = status != BR_OK ? stages_failed(shell, "verify", &fail)
                                 : (verify.differing ? SHELL_FAILED : SHELL_OK);
    buf_done(&text);
    buf_done(&verify.text);
    stage_amendment_done(&amendment);
    return result;
}
