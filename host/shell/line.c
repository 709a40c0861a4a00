/* line -- commands as lines: from the prompt (libedit: editing, history, completion) or from a
 * pipe, as Pegasus's shell takes them. */
#include <histedit.h>
#include <stdlib.h>
#include <string.h>

#include <editline/readline.h>

#include "host/base/mem.h"
#include "host/shell/shell.h"

#define LINE_HISTORY_MAX 1000
#define LINE_PROMPT      ">>> "

int shell_line(struct shell *shell, const char *line)
{
    line += strspn(line, " \t\r\n");
    if (*line == '\0' || *line == '#')
        return SHELL_OK;
    Tokenizer *words = tok_init(NULL);
    int argc, status = SHELL_USAGE;
    const char **argv;
    if (tok_str(words, line, &argc, &argv) != 0)
        fputs("ERROR: a quotation mark is not closed\n", shell->err);
    else if (argc > 0)
        status = shell_run(shell, argc, (char **) (uintptr_t) argv);
    tok_end(words);
    return status;
}

static char *line_complete_next(const char *text, int state)
{
    int skip = state;
    const struct command *command = NULL;
    while ((command = shell_next_command(command)) != NULL) {
        if (strncmp(command->name, text, strlen(text)) == 0 && skip-- == 0)
            return mem_text(command->name);
    }
    return NULL;
}

/* Commands at the line's beginning and after `help`; files elsewhere, which is libedit's own. */
static char **line_complete(const char *text, int start, int end)
{
    (void) end;
    bool help = strncmp(rl_line_buffer, "help ", 5) == 0;
    return start == 0 || help ? rl_completion_matches(text, line_complete_next) : NULL;
}

static char *line_history_file(void)
{
    const char *home = getenv("HOME");
    struct buf path = { 0 };
    if (!home || !*home)
        return NULL;
    buf_printf(&path, "%s/.bridle_history", home);
    return path.data;
}

static int line_prompt(struct shell *shell)
{
    char *history = line_history_file();
    char *line;
    using_history();
    stifle_history(LINE_HISTORY_MAX);
    if (history)
        read_history(history);
    rl_attempted_completion_function = line_complete;
    while (!shell->exiting && (line = readline(LINE_PROMPT))) {
        if (*line) {
            add_history(line);
            if (history)
                write_history(history);
        }
        shell_line(shell, line);
        free(line);
    }
    if (!shell->exiting)
        fputc('\n', shell->out);
    free(history);
    return SHELL_OK;
}

int shell_loop(struct shell *shell, FILE *in, bool prompt)
{
    if (prompt)
        return line_prompt(shell);
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    int status = SHELL_OK;
    while (!shell->exiting && (size = getline(&line, &room, in)) >= 0) {
        int this = SHELL_USAGE;
        if (size > SHELL_LINE_MAX || memchr(line, '\0', (size_t) size))
            fprintf(shell->err, "ERROR: a line of more than %d bytes, or with a NUL character\n",
                    SHELL_LINE_MAX);
        else
            this = shell_line(shell, line);
        if (status == SHELL_OK)
            status = this;
    }
    free(line);
    return status;
}
