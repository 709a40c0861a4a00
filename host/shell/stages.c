/* stages -- see stages.h; and the table of these commands. */
#include "host/shell/stages.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

const struct command shell_stage_commands[SHELL_STAGES + 1] = {
    { "diagnose",
      "-c CONFIG [-s KEY=VALUE] [-j]\n"
      "-c, --config FILE           bridled's configuration: store, cluster_root\n"
      "-s, --set KEY=VALUE         override one key of it\n"
      "-j, --json                  as JSON\n"
      "exit status: 0 healthy, 10 empty, 11 wrong root, 12 an unfinished recovery of ours,\n"
      "13 locked by somebody else, 14 damaged, 15 foreign, 16 no permission, 17 unreachable,\n"
      "18 broken otherwise; 1 and 2 as ever",
      "say what the store holds, and what to do next", "diagnose -c bridled.yaml", cmd_diagnose },
    { "survey",
      "[-f FILE | -l h:p,h:p,... | --merge SURVEY...] [-o FILE] [-c CONFIG] [-s KEY=VALUE]\n"
      "-f, --node_list_file FILE   the replica servers, one host:port a line; # lines are "
      "comments;\n"
      "                            without a list those that the transport names\n"
      "-l, --node_list LIST        the same on the command line\n"
      "-m, --merge                 ask nobody: make one survey of several, of each server the "
      "newest\n"
      "-c, --config FILE           bridled's configuration: transport, recovery.parallel...\n"
      "-s, --set KEY=VALUE         override one key of it\n"
      "-o, --output FILE           write there instead of to the terminal",
      "ask the replica servers what they hold", "survey -f recover_node_list -o s.json",
      cmd_survey },
    { "plan",
      "SURVEY... [-o PLAN] [-b] [-l] [-c CONFIG] [-s KEY=VALUE] [-j]\n"
      "-o, --output PLAN           write the plan there; the terminal gets a page about it\n"
      "-b, --skip-bad-nodes        go on without servers that did not answer\n"
      "-l, --skip-lost-partitions  start partitions that nobody has as empty ones\n"
      "--consent NAME              accept another loss, by the name that its finding gives\n"
      "--assume-dead NODE          what if this server had not answered\n"
      "--assume-back NODE          what if it came back with what an older survey has of it\n"
      "-c, --config FILE           bridled's configuration: policy, cluster_root, cluster_name...\n"
      "-s, --set KEY=VALUE         override one key of it\n"
      "-j, --json                  the page as JSON",
      "say what a recovery would write, and what is lost", "plan s.json -c bridled.yaml -o p.json",
      cmd_plan },
    { "explain",
      "PLAN {ID.PARTITION [-j] | ID} [-c CONFIG]\n"
      "-j, --json                  as JSON\n"
      "-c, --config FILE           bridled's configuration, where plugins.path is needed",
      "say why a plan says what it says about a partition", "explain p.json 2.5", cmd_explain },
    { "rank",
      "PLAN SURVEY... [-c CONFIG] [-j]\n"
      "-c, --config FILE           bridled's configuration, where plugins.path is needed\n"
      "-j, --json                  as JSON",
      "say which silent server would save most, by earlier surveys", "rank p.json s1.json",
      cmd_rank },
    { "apply",
      "{PLAN | AMENDMENT} -c CONFIG [-s KEY=VALUE] [-n] [-p HASH] [-w SECONDS] [-j]\n"
      "-c, --config FILE           bridled's configuration: store, cluster_root, transport\n"
      "-s, --set KEY=VALUE         override one key of it\n"
      "-n, --offline               do not ask the replica servers whether the plan still holds\n"
      "-p, --plan-hash HASH        agree to it: the plan's hash, or its first 16 digits at least;\n"
      "                            else it is asked for at the terminal\n"
      "-w, --wait_seconds N        how long to wait for the leader lock (10; 60 for another "
      "bridle)\n"
      "-j, --json                  the result as JSON\n"
      "exit status: 0 applied (also before), 3 refused and 4 another one leads: nothing was\n"
      "written; 1 failed on the way: applying it again goes on; 2 as ever",
      "write a plan, or an amendment, into the store", "apply p.json -c bridled.yaml", cmd_apply },
    { "amend",
      "PLAN -c CONFIG {-f FILE | -l h:p,h:p,...} -o AMENDMENT [-s KEY=VALUE] [-j]\n"
      "-c, --config FILE           bridled's configuration: store, cluster_root, transport\n"
      "-s, --set KEY=VALUE         override one key of it\n"
      "-f, --node_list_file FILE   the servers that returned, one host:port a line\n"
      "-l, --node_list LIST        the same on the command line\n"
      "-o, --output AMENDMENT      where what would change goes, for bridle apply\n"
      "-j, --json                  the page as JSON",
      "say what servers that returned add to a plan that was applied",
      "amend p.json -c bridled.yaml -l h4:34801 -o a.json", cmd_amend },
    { "undo",
      "PLAN -c CONFIG [-s KEY=VALUE] [-p HASH] [-w SECONDS] [-j]\n"
      "-c, --config FILE           bridled's configuration: store, cluster_root\n"
      "-s, --set KEY=VALUE         override one key of it\n"
      "-p, --plan-hash HASH        agree to it: the plan's hash, or its first 16 digits at least\n"
      "-w, --wait_seconds N        how long to wait for the leader lock (10; 60 for another "
      "bridle)\n"
      "-j, --json                  the result as JSON\n"
      "exit status: as of apply",
      "take back what a plan wrote, while nobody has used it", "undo p.json -c bridled.yaml",
      cmd_undo },
    { "audit",
      "-c CONFIG [-s KEY=VALUE] [-j]\n"
      "-c, --config FILE           bridled's configuration: store, cluster_root\n"
      "-s, --set KEY=VALUE         override one key of it\n"
      "-j, --json                  the entries as they are, a line each",
      "show who recovered, applied, undid ..., and when", "audit -c bridled.yaml", cmd_audit },
    { "verify",
      "{PLAN | AMENDMENT} -c CONFIG [-s KEY=VALUE] [-n] [-x] [-j]\n"
      "-c, --config FILE           bridled's configuration: store, cluster_root, transport\n"
      "-s, --set KEY=VALUE         override one key of it\n"
      "-n, --offline               the store alone, do not ask the replica servers\n"
      "-x, --exact                 what moved on because the cluster has served is wrong, too\n"
      "-j, --json                  as JSON",
      "compare the store, and the servers, with what was applied", "verify p.json -c bridled.yaml",
      cmd_verify },
    { NULL, NULL, NULL, NULL, NULL },
};

bool stages_set(struct stages_options *options, const char *set)
{
    if (options->set_count == TOOL_SETS_MAX)
        return false;
    options->sets[options->set_count++] = set;
    return true;
}

int stages_failed(struct shell *shell, const char *command, const struct fail *fail)
{
    struct buf clean = { 0 };
    table_clean(&clean, fail->text);
    fprintf(shell->err, "%s: %s\n", command, buf_string(&clean));
    buf_done(&clean);
    return SHELL_FAILED;
}

int stages_write(struct shell *shell, const char *command, const char *file, const struct buf *buf)
{
    struct fail fail;
    if (!file) {
        fwrite(buf_string(buf), 1, buf->size, shell->out);
        return ferror(shell->out) ? SHELL_FAILED : SHELL_OK;
    }
    return stage_write_file(file, buf, &fail) ? SHELL_OK : stages_failed(shell, command, &fail);
}

struct survey *stages_surveys(struct shell *shell, const char *command, char **files,
                              uint32_t count, const struct survey_assume *assume)
{
    struct fail fail = { .status = BR_OK };
    struct buf notes = { 0 };
    if (count > STAGE_SURVEYS_MAX) {
        fail_set(&fail, BR_TOOBIG, "more than %d surveys", STAGE_SURVEYS_MAX);
        stages_failed(shell, command, &fail);
        return NULL;
    }
    struct survey **surveys = mem_array(count + 1, sizeof(struct survey *));
    struct survey *merged = NULL;
    uint32_t read = 0;
    while (read < count && (surveys[read] = survey_load(files[read], &fail)))
        read++;
    if (read == count)
        merged = survey_merge(surveys, (const char *const *) files, count, assume, &notes, &fail);
    else
        while (read > 0)
            survey_free(surveys[--read]);
    if (!merged)
        stages_failed(shell, command, &fail);
    fputs(buf_string(&notes), shell->err);
    buf_done(&notes);
    free(surveys);
    return merged;
}
