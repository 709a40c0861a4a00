/* stages -- what the commands of the stages share: -c and --set, and files. */
#ifndef HOST_SHELL_STAGES_H
#define HOST_SHELL_STAGES_H

#include "host/shell/shell.h"
#include "host/stage/survey_file.h"
#include "host/stage/tool.h"

struct stages_options {
    const char *config;
    const char *sets[TOOL_SETS_MAX + 1];
    uint32_t set_count;
};

/* -s of getopt; false: more than TOOL_SETS_MAX. */
bool stages_set(struct stages_options *options, const char *set);

/* "COMMAND: sentence" on err.  Returns SHELL_FAILED. */
int stages_failed(struct shell *shell, const char *command, const struct fail *fail);

/* To the file, or to out where it is NULL. */
int stages_write(struct shell *shell, const char *command, const char *file, const struct buf *buf);

/* All of these surveys as one; what replaced what is told on err.  NULL: it was said. */
struct survey *stages_surveys(struct shell *shell, const char *command, char **files,
                              uint32_t count, const struct survey_assume *assume);

int cmd_amend(struct shell *shell, int argc, char **argv);
int cmd_apply(struct shell *shell, int argc, char **argv);
int cmd_undo(struct shell *shell, int argc, char **argv);
int cmd_audit(struct shell *shell, int argc, char **argv);
int cmd_survey(struct shell *shell, int argc, char **argv);
int cmd_diagnose(struct shell *shell, int argc, char **argv);
int cmd_explain(struct shell *shell, int argc, char **argv);
int cmd_plan(struct shell *shell, int argc, char **argv);
int cmd_plugins(struct shell *shell, int argc, char **argv);
int cmd_show(struct shell *shell, int argc, char **argv);
int cmd_rank(struct shell *shell, int argc, char **argv);
int cmd_verify(struct shell *shell, int argc, char **argv);

/* verify of an amendment's file (cmd_amend.c). */
int cmd_verify_amendment(struct shell *shell, const struct stages_options *stages, const char *file,
                         bool exact, bool json);

#endif
