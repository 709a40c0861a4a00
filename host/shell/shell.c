/* shell -- see shell.h: the commands' table, and one command's life. */
#include "host/shell/shell.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const struct command shell_commands[] = {
    { "recover",
      "{-f FILE | -s h:p,h:p,...} [-w SECONDS] [-b] [-l] [-o FILE]\n"
      "-f, --node_list_file FILE   the replica servers, one host:port a line; # lines are "
      "comments\n"
      "-s, --node_list_str LIST    the same on the command line\n"
      "-w, --wait_seconds N        how long to wait for the answer (100)\n"
      "-b, --skip_bad_nodes        go on without servers that do not answer\n"
      "-l, --skip_lost_partitions  start partitions that nobody has as empty ones\n"
      "-o, --output FILE           write there instead of to the terminal",
      "rebuild the cluster's metadata from its replica servers", "recover -f recover_node_list",
      cmd_recover },
    { "ls",
      "[-a] [-d] [-s STATUS] [-p PATTERN] [-m MATCH] [-j] [-o FILE]\n"
      "-a, --all                   tables of every status, not only available ones\n"
      "-d, --detailed              with the health of the partitions\n"
      "-s, --status STATUS         all|available|creating|dropping|dropped\n"
      "-p, --app_name_pattern TEXT only tables whose name matches\n"
      "-m, --match_type MATCH      all|exact|anywhere|prefix|postfix (anywhere)\n"
      "-j, --json                  as JSON\n"
      "-o, --output FILE           write there instead of to the terminal",
      "list the tables", "ls -d", cmd_ls },
    { "app",
      "NAME [-d] [-j] [-o FILE]\n"
      "-d, --detailed              with every partition and its replicas\n"
      "-j, --json                  as JSON\n"
      "-o, --output FILE           write there instead of to the terminal",
      "show one table", "app temp -d", cmd_app },
    { "nodes",
      "[-d] [-s STATUS] [-j] [-o FILE]\n"
      "-d, --detailed              with the number of replicas that each one serves\n"
      "-s, --status STATUS         all|alive|unalive\n"
      "-j, --json                  as JSON\n"
      "-o, --output FILE           write there instead of to the terminal",
      "list the replica servers", "nodes -d", cmd_nodes },
    { "cluster_info",
      "[-j] [-o FILE]\n"
      "-j, --json                  as JSON\n"
      "-o, --output FILE           write there instead of to the terminal",
      "show the cluster: meta servers, root, function level", "cluster_info", cmd_cluster_info },
    { "server_info",
      "[-t TYPE] [-l h:p,h:p,...] [-o FILE]\n"
      "-t, --node_type TYPE        all|meta-server|replica-server (all)\n"
      "-l, --node_list LIST        these servers instead\n"
      "-o, --output FILE           write there instead of to the terminal",
      "ask servers for their version and start time, as JSON", "server_info -t meta-server",
      cmd_server_info },
    { "help", "[COMMAND]", "explain the commands, or one of them", "help recover", cmd_help },
    { "exit", "", "leave the shell", "exit", cmd_exit },
    { "quit", "", "leave the shell", "quit", cmd_exit },
    { NULL, NULL, NULL, NULL, NULL },
};

static const struct command *command_find(const char *name)
{
    for (const struct command *command = shell_commands; command->name; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}

int shell_run(struct shell *shell, int argc, char **argv)
{
    const struct command *command = command_find(argv[0]);
    if (!command) {
        fprintf(shell->err, "ERROR: invalid subcommand '%s'\n", argv[0]);
        cmd_help(shell, 1, argv);
        return SHELL_USAGE;
    }
    optind = 0; /* getopt begins anew */
    opterr = 0;
    int status = command->run(shell, argc, argv);
    if (fflush(shell->out) != 0 || ferror(shell->out)) {
        clearerr(shell->out);
        return SHELL_FAILED;
    }
    return status;
}

/* The first line of the usage, then each option's under it. */
static void shell_put_usage(FILE *out, const struct command *command)
{
    const char *at = command->usage;
    size_t size = strcspn(at, "\n");
    fprintf(out, "\t%-16s%.*s\n", command->name, (int) size, at);
    for (at += size; *at; at += size) {
        at++;
        size = strcspn(at, "\n");
        fprintf(out, "\t%16s%.*s\n", "", (int) size, at);
    }
}

int shell_usage(struct shell *shell, const char *name)
{
    const struct command *command = command_find(name);
    fputs("USAGE: ", shell->err);
    shell_put_usage(shell->err, command);
    return SHELL_USAGE;
}

int cmd_help(struct shell *shell, int argc, char **argv)
{
    const struct command *command = argc > 1 ? command_find(argv[1]) : NULL;
    if (argc > 2 || (argc == 2 && !command)) {
        if (argc == 2)
            fprintf(shell->err, "ERROR: invalid subcommand '%s'\n", argv[1]);
        return shell_usage(shell, "help");
    }
    if (command) {
        fprintf(shell->out, "%s: %s\n", command->name, command->what);
        shell_put_usage(shell->out, command);
        fprintf(shell->out, "example: %s\n", command->example);
        return SHELL_OK;
    }
    for (command = shell_commands; command->name; command++)
        fprintf(shell->out, "\t%-16s%-56s e.g. %s\n", command->name, command->what,
                command->example);
    return SHELL_OK;
}

int cmd_exit(struct shell *shell, int argc, char **argv)
{
    if (argc > 1)
        return shell_usage(shell, argv[0]);
    shell->exiting = true;
    return SHELL_OK;
}

int shell_failed(struct shell *shell, const char *what, const struct exchange *exchange)
{
    fprintf(shell->out, "%s failed, error=%s\n", what, exchange->error);
    if (exchange->why[0]) {
        struct buf why = { 0 };
        table_clean(&why, exchange->why);
        fprintf(shell->err, "%s\n", buf_string(&why));
        buf_done(&why);
    }
    return SHELL_FAILED;
}

FILE *shell_open(struct shell *shell, const char *file)
{
    FILE *out = file ? fopen(file, "we") : shell->out;
    if (!out)
        fprintf(shell->err, "open output file %s failed: %s\n", file, strerror(errno));
    return out;
}

int shell_close(struct shell *shell, const char *file, FILE *out)
{
    bool bad = ferror(out) != 0;
    if (!file)
        return bad ? SHELL_FAILED : SHELL_OK;
    if (fclose(out) == 0 && !bad)
        return SHELL_OK;
    fprintf(shell->err, "write output file %s failed: %s\n", file, strerror(errno));
    return SHELL_FAILED;
}

int shell_report(struct shell *shell, struct report *report, const char *file, bool json,
                 bool several)
{
    int status = SHELL_FAILED;
    FILE *out = shell_open(shell, file);
    if (out) {
        struct buf text = { 0 };
        if (json)
            report_json(report, &text);
        else
            report_text(report, several, &text);
        fwrite(buf_string(&text), 1, text.size, out);
        buf_done(&text);
        status = shell_close(shell, file, out);
    }
    report_done(report);
    return status;
}

const char *shell_node(uint64_t address, const struct host_port *name, char text[NODE_NAME_MAX + 1])
{
    if (name && name->type != 0)
        return host_port_format(name, text);
    return address_format(address, text);
}

const char *shell_time(int64_t second, char text[32])
{
    time_t when = (time_t) second;
    struct tm tm;
    if (second <= 0 || !localtime_r(&when, &tm)
        || strftime(text, 32, "%Y-%m-%d_%H:%M:%S", &tm) == 0)
        memcpy(text, "-", 2);
    return text;
}
