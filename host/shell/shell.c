/* shell -- see shell.h: the commands' table, and one command's life. */
#include "host/shell/shell.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const struct command shell_commands[] = {
    { "recover",
      "{-f FILE | -s h:p,h:p,...} [-w SECONDS] [-b] [-l] [-c] [-o FILE]\n"
      "-f, --node_list_file FILE   the replica servers, one host:port a line; # lines are "
      "comments\n"
      "-s, --node_list_str LIST    the same on the command line\n"
      "-w, --wait_seconds N        how long to wait for the answer (100)\n"
      "-b, --skip_bad_nodes        go on without servers that do not answer\n"
      "-l, --skip_lost_partitions  start partitions that nobody has as empty ones\n"
      "-c, --cold, --all-cold      bridled only: take no replica for one that still serves\n"
      "-o, --output FILE           write there instead of to the terminal",
      "rebuild the cluster's metadata from its replica servers", "recover -f recover_node_list",
      cmd_recover },
    { "recovery_status",
      "[-j]\n"
      "-j, --json                  as JSON",
      "ask the leading bridled how its recovery goes", "recovery_status", cmd_recovery_status },
    { "release",
      "[-y CLUSTER_NAME] [-j]\n"
      "-y, --yes-i-mean NAME       do not ask for the cluster's name: this is it\n"
      "-j, --json                  as JSON",
      "bridled only: let replicas of dropped and expired tables be deleted, from now on",
      "release --yes-i-mean onebox", cmd_release },
    { "freeze",
      "[-j]\n"
      "-j, --json                  as JSON",
      "bridled only: let no replica be deleted, as before a release", "freeze", cmd_freeze },
    { "freeze_status",
      "[-j]\n"
      "-j, --json                  as JSON",
      "bridled only: may replicas be deleted, and how many would be", "freeze_status",
      cmd_freeze_status },
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
    { "remote_command",
      "[-t TYPE | -l h:p,h:p,...] [-o FILE] COMMAND [ARGUMENT...]\n"
      "-t, --node_type TYPE        all|meta-server|replica-server (all)\n"
      "-l, --node_list LIST        these servers instead\n"
      "-o, --output FILE           write there instead of to the terminal\n"
      "--                          ends the options: arguments that begin with - are behind it",
      "give servers a remote command, answers as JSON", "remote_command -t meta-server help",
      cmd_remote_command },
    { "create",
      "TABLE [-p COUNT] [-r COUNT] [-f] [-i] [-e KEY=VALUE,...] [-w SECONDS]\n"
      "-p, --partition_count N     partitions (4)\n"
      "-r, --replica_count N       replicas of each (3)\n"
      "-f, --fail_if_exist         fail where the table is there; else its options must be these\n"
      "-i, --atomic_idempotent     only for --pegasus-version 2.6\n"
      "-e, --envs KEY=VALUE,...    its environment variables\n"
      "-w, --wait_seconds N        how long to wait until every partition serves (3600)",
      "make a table and wait until it serves", "create temp -p 8 -r 3", cmd_create },
    { "drop",
      "TABLE [-r SECONDS]\n"
      "-r, --reserve_seconds N     how long recall can bring it back (0: as configured)",
      "drop a table; recall brings it back", "drop temp -r 86400", cmd_drop },
    { "recall",
      "TABLE_ID [NEW_NAME] [-w SECONDS]\n"
      "-w, --wait_seconds N        how long to wait until every partition serves (3600)",
      "bring a dropped table back; ls -a has its id", "recall 2 temp", cmd_recall },
    { "rename", "OLD_NAME NEW_NAME", "give a table another name", "rename temp users", cmd_rename },
    { "use", "[TABLE]", "set, or tell, the table that is meant from now on", "use temp", cmd_use },
    { "get_app_envs",
      "[-a TABLE] [-j]\n"
      "-a, --app TABLE             instead of that of use\n"
      "-j, --json                  as JSON",
      "show a table's environment variables", "get_app_envs -a temp", cmd_get_app_envs },
    { "set_app_envs",
      "[-a TABLE] KEY VALUE [KEY VALUE...]\n"
      "-a, --app TABLE             instead of that of use",
      "set environment variables of a table",
      "set_app_envs -a temp replica.slow_query_threshold 100", cmd_set_app_envs },
    { "del_app_envs",
      "[-a TABLE] KEY [KEY...]\n"
      "-a, --app TABLE             instead of that of use",
      "delete environment variables of a table",
      "del_app_envs -a temp replica.slow_query_threshold", cmd_del_app_envs },
    { "clear_app_envs",
      "{-a | -p PREFIX} [--app TABLE]\n"
      "-a, --all                   all of them\n"
      "-p, --prefix PREFIX         those whose key begins so\n"
      "    --app TABLE             instead of that of use",
      "delete many environment variables of a table", "clear_app_envs --app temp -p rocksdb",
      cmd_clear_app_envs },
    { "get_replica_count",
      "TABLE [-j]\n"
      "-j, --json                  as JSON",
      "show how many replicas a table's partitions have", "get_replica_count temp",
      cmd_get_replica_count },
    { "get_meta_level",
      "[-j]\n"
      "-j, --json                  as JSON",
      "show what the meta server may do by itself", "get_meta_level", cmd_get_meta_level },
    { "set_meta_level",
      "{stopped|blind|freezed|steady|lively}\n"
      "stopped                     nothing, no request either\n"
      "blind                       tables are made and dropped, nothing else changes\n"
      "freezed                     also: primaries of dead servers are taken down\n"
      "steady                      also: replicas are repaired\n"
      "lively                      also: replicas are balanced",
      "set what the meta server may do by itself", "set_meta_level steady", cmd_set_meta_level },
    { "propose",
      "[-f] -g TABLE_ID.PARTITION -p TYPE -t h:p -n h:p\n"
      "-f, --force                 also where the meta server has a plan of its own\n"
      "-g, --gpid ID.P             the partition\n"
      "-p, --type TYPE             ASSIGN_PRIMARY, UPGRADE_TO_PRIMARY, ADD_SECONDARY,\n"
      "                            DOWNGRADE_TO_SECONDARY, DOWNGRADE_TO_INACTIVE, REMOVE...\n"
      "-t, --target NODE           who carries it out\n"
      "-n, --node NODE             whose replica it is about",
      "propose a change of one partition's replicas",
      "propose -g 2.0 -p ASSIGN_PRIMARY -t 10.0.0.1:34801 -n 10.0.0.1:34801", cmd_propose },
    { "ddd_diagnose",
      "[-g TABLE_ID[.PARTITION]] [-d] [-a] [-s] [-j] [-o FILE]\n"
      "-g, --gpid ID[.P]           only these partitions\n"
      "-d, --diagnose              recommend a primary for each, and propose it\n"
      "-a, --auto_diagnose         propose what is recommended unasked\n"
      "-s, --skip_prompt           the same, and leave out what has no recommendation\n"
      "-j, --json                  as JSON; with -d it needs -s\n"
      "-o, --output FILE           write there instead of to the terminal",
      "show partitions of which no replica serves", "ddd_diagnose -g 2 -d", cmd_ddd_diagnose },
    { "help", "[COMMAND]", "explain the commands, or one of them", "help recover", cmd_help },
    { "exit", "", "leave the shell", "exit", cmd_exit },
    { "quit", "", "leave the shell", "quit", cmd_exit },
    { NULL, NULL, NULL, NULL, NULL },
};

const struct command *shell_next_command(const struct command *command)
{
    if (!command)
        return shell_commands;
    if ((++command)->name)
        return command;
    const size_t last = sizeof shell_commands / sizeof *shell_commands - 1;
    if (command == &shell_commands[last])
        return shell_plugin_commands;
    if (command == &shell_plugin_commands[SHELL_PLUGINS])
        return shell_stage_commands;
    return command == &shell_stage_commands[SHELL_STAGES] ? shell_data_commands : NULL;
}

static const struct command *command_find(const char *name)
{
    const struct command *command = NULL;
    while ((command = shell_next_command(command)) != NULL) {
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
    char *help[] = { (char *) (uintptr_t) "help", argv[0], NULL };
    bool asks = argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    optind = 0; /* getopt begins anew */
    opterr = 0;
    int status = asks ? cmd_help(shell, 2, help) : command->run(shell, argc, argv);
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
    fprintf(out, "\t%-17s %.*s\n", command->name, (int) size, at);
    for (at += size; *at; at += size) {
        at++;
        size = strcspn(at, "\n");
        fprintf(out, "\t%18s%.*s\n", "", (int) size, at);
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
    while ((command = shell_next_command(command)) != NULL)
        fprintf(shell->out, "\t%-17s %-56s e.g. %s\n", command->name, command->what,
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

static const struct {
    const char *error, *hint;
} shell_hints[] = {
    { "ERR_UNDER_RECOVERY", "the meta server waits for a recovery: see help recover, and "
                            "recovery_status" },
    { "ERR_SERVICE_NOT_ACTIVE",
      "the meta server does not serve yet: try again, or see server_info" },
    { "ERR_FORWARD_TO_OTHERS", "none of these meta servers leads: see server_info -t meta-server" },
    { "ERR_APP_NOT_EXIST", "ls -a lists the tables, dropped ones too" },
    { "ERR_OBJECT_NOT_FOUND", "ls -a lists the tables, dropped ones too" },
    { "ERR_APP_EXIST", "ls -a lists the tables, dropped ones too" },
    { "ERR_STATE_FREEZED", "too few replica servers are alive: see nodes and get_meta_level" },
    { "ERR_BUSY_CREATING", "the table is being made: try again, see ls -a" },
    { "ERR_BUSY_DROPPING", "the table is being dropped: try again, see ls -a" },
    { "ERR_HANDLER_NOT_FOUND", "that server does not know this request: see server_info" },
};

void shell_hint(struct shell *shell, const char *error)
{
    for (size_t i = 0; i < sizeof shell_hints / sizeof *shell_hints; i++) {
        if (strcmp(shell_hints[i].error, error) == 0)
            fprintf(shell->err, "hint: %s\n", shell_hints[i].hint);
    }
}

int shell_why(struct shell *shell, const struct exchange *exchange)
{
    if (exchange->why[0]) {
        struct buf why = { 0 };
        table_clean(&why, exchange->why);
        fprintf(shell->err, "%s\n", buf_string(&why));
        buf_done(&why);
    }
    shell_hint(shell, exchange->error);
    return SHELL_FAILED;
}

int shell_failed(struct shell *shell, const char *what, const struct exchange *exchange)
{
    fprintf(shell->out, "%s failed, error=%s\n", what, exchange->error);
    return shell_why(shell, exchange);
}

void shell_message(FILE *out, const char *message)
{
    struct buf text = { 0 };
    table_clean(&text, message);
    fprintf(out, SHELL_RULE "\n%s%s" SHELL_RULE "\n", buf_string(&text),
            text.size && text.data[text.size - 1] == '\n' ? "" : "\n");
    buf_done(&text);
}

bool shell_number(struct shell *shell, const char *text, const char *what, int64_t low,
                  int64_t high, int64_t *ret_value)
{
    if (number_i64(text, strlen(text), ret_value) && *ret_value >= low && *ret_value <= high)
        return true;
    fprintf(shell->err, "parse %s as %s failed\n", text, what);
    return false;
}

bool shell_gpid(const char *text, struct gpid *ret_gpid)
{
    size_t size = strcspn(text, ".");
    const char *partition = text + size + (text[size] == '.');
    return text[size] == '.' && number_i32(text, size, &ret_gpid->app_id)
           && number_i32(partition, strlen(partition), &ret_gpid->partition)
           && ret_gpid->app_id >= 0 && ret_gpid->partition >= 0;
}

bool shell_resolve(struct arena *arena, const char *text, uint64_t *ret_address,
                   struct host_port *ret_name)
{
    size_t host_size;
    uint16_t port;
    if (!number_node(text, &host_size, &port)
        || (!address_parse(text, ret_address) && !address_resolve(text, ret_address)))
        return false;
    return host_port_parse(text, arena_alloc(arena, NODE_NAME_MAX), ret_name);
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
