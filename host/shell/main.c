/* bridle -- the operator's shell: arguments, one command or many. */
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "host/core/libraries.h"
#include "host/shell/shell.h"

static const char main_help[] =
    "usage: bridle [OPTION]... [COMMAND [ARGUMENT]...]\n"
    "\n"
    "Asks the meta servers of an Apache Pegasus cluster, or of bridled, and tells them to "
    "recover.\n"
    "Without a command it reads commands, one a line: at a prompt on a terminal, else from its\n"
    "input.\n"
    "\n"
    "  -m, --meta LIST            the meta servers, host:port,host:port...\n"
    "      --cluster LIST         the same\n"
    "                             (default " SHELL_METAS ")\n"
    "  -n, --name NAME            the cluster's name, for the banner\n"
    "      --pegasus-version V    2.5 (and older) or 2.6 (and newer, with host names); default "
    "2.5\n"
    "  -V, --version              the version\n"
    "  -h, --help                 this text\n"
    "\n"
    "commands (bridle help COMMAND says more):\n";

static const char main_tail[] =
    "\n"
    "exit status: 0 the command succeeded (for recover: Recover result: ERR_OK), 1 it failed,\n"
    "2 wrong usage, 71 out of memory; diagnose, apply and undo have more, see their help\n"
    "\n"
    "example: bridle --meta meta1:34601,meta2:34601 recover -f recover_node_list\n";

struct arguments {
    const char *metas, *name;
    enum wire_peer peer;
};

static int main_usage(void)
{
    fputs("bridle: wrong usage; see bridle --help\n", stderr);
    return SHELL_USAGE;
}

/* -1: go on; else the exit status. */
static int main_arguments(struct arguments *arguments, int argc, char **argv)
{
    enum { OPT_VERSION = 256 };
    static const struct option options[] = {
        { "meta", required_argument, NULL, 'm' },
        { "cluster", required_argument, NULL, 'm' },
        { "name", required_argument, NULL, 'n' },
        { "pegasus-version", required_argument, NULL, OPT_VERSION },
        { "version", no_argument, NULL, 'V' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct shell shell = { .out = stdout, .err = stderr };
    char *help[] = { (char *) (uintptr_t) "help", NULL };
    int option;
    while ((option = getopt_long(argc, argv, "+m:n:Vh", options, NULL)) != -1) {
        switch (option) {
        case 'm': arguments->metas = optarg; break;
        case 'n': arguments->name = optarg; break;
        case OPT_VERSION:
            if (strcmp(optarg, "2.5") != 0 && strcmp(optarg, "2.6") != 0)
                return main_usage();
            arguments->peer = strcmp(optarg, "2.6") == 0 ? WIRE_PEER_26 : WIRE_PEER_25;
            break;
        case 'V': puts("bridle " BRIDLE_VERSION); return SHELL_OK;
        case 'h':
            fputs(main_help, stdout);
            cmd_help(&shell, 1, help);
            fputs(main_tail, stdout);
            return fflush(stdout) == 0 ? SHELL_OK : SHELL_FAILED;
        default: return main_usage();
        }
    }
    return -1;
}

static void main_banner(const struct arguments *arguments)
{
    puts("bridle " BRIDLE_VERSION "\n"
         "Type \"help\" for more information.\n"
         "Type \"Ctrl-D\" or \"Ctrl-C\" to exit the shell.\n");
    if (arguments->name)
        printf("The cluster name is: %s\n", arguments->name);
    printf("The cluster meta list is: %s\n", arguments->metas);
}

int main(int argc, char **argv)
{
    struct arguments arguments = { .metas = SHELL_METAS, .peer = WIRE_PEER_25 };
    struct fail fail = { 0 };
    libraries_memory();
    int status = main_arguments(&arguments, argc, argv);
    if (status >= 0)
        return status;
    int first = optind; /* commands use getopt, too */
    signal(SIGPIPE, SIG_IGN);
    struct shell shell = { .in = stdin, .out = stdout, .err = stderr };
    shell.session = session_new(arguments.metas, arguments.peer, &fail);
    if (!shell.session) {
        fprintf(stderr, "bridle: %s\n", fail.text);
        return SHELL_USAGE;
    }
    if (first < argc) {
        status = shell_run(&shell, argc - first, argv + first);
    } else {
        bool prompt = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
        if (prompt)
            main_banner(&arguments);
        status = shell_loop(&shell, stdin, prompt);
    }
    session_free(shell.session);
    return fflush(stdout) == 0 ? status : SHELL_FAILED;
}
