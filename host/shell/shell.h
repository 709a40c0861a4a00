/* shell -- bridle's commands: their table, how one is run, and what they share.
 *
 * Results and "X failed, error=E" go to `out`, as in Pegasus's shell; wrong usage and the reasons
 * behind an error to `err`, and so does, as there, all that the commands about data say, but for
 * their JSON.
 */
#ifndef HOST_SHELL_SHELL_H
#define HOST_SHELL_SHELL_H

#include "host/shell/session.h"
#include "host/shell/table.h"

#define SHELL_METAS        "127.0.0.1:34601,127.0.0.1:34602,127.0.0.1:34603"
#define SHELL_FILE_MAX     (1 << 20) /* bytes of a file of nodes */
#define SHELL_LINE_MAX     65536     /* bytes of one command line */
#define SHELL_APP_MAX      1023      /* bytes of the name that `use` takes */
#define SHELL_WAIT_MAX     1000000   /* seconds of -w */
#define SHELL_DATA_TIMEOUT 5000      /* milliseconds */
#define SHELL_RULE         "============================="

/* What a command, and the program, ends with. */
enum { SHELL_OK = 0, SHELL_FAILED = 1, SHELL_USAGE = 2 };

struct shell {
    struct session *session;
    FILE *in; /* where a command's own questions are answered; NULL: nowhere */
    FILE *out, *err;
    char app[SHELL_APP_MAX + 1]; /* the table of `use`; "": none */
    bool exiting;                /* a command said so */
    bool escape_all;             /* keys and values are printed as \xHH altogether */
    int32_t timeout_ms;          /* of one question about data; 0: SHELL_DATA_TIMEOUT */
};

struct command {
    const char *name;
    const char *usage;   /* its arguments; further lines begin with a newline */
    const char *what;    /* one line */
    const char *example; /* a whole line */
    int (*run)(struct shell *shell, int argc, char **argv);
};

extern const struct command shell_commands[];      /* ends with a NULL name */
extern const struct command shell_data_commands[]; /* likewise; about rows (commands_data.c) */

/* A recovery in steps (stages.c). */
#define SHELL_STAGES 10
extern const struct command shell_stage_commands[SHELL_STAGES + 1];

/* Plugins (cmd_plugins.c). */
#define SHELL_PLUGINS 2
extern const struct command shell_plugin_commands[SHELL_PLUGINS + 1];

/* Their next one: the first after NULL, NULL after the last. */
const struct command *shell_next_command(const struct command *command);

/* Run one command; argv[0] is its name.  Returns SHELL_OK, SHELL_FAILED or SHELL_USAGE. */
int shell_run(struct shell *shell, int argc, char **argv);

/* Cut a line into words (quotes and backslashes as in sh) and run it; an empty one and one that
 * begins with # is no command. */
int shell_line(struct shell *shell, const char *line);

/* The prompt where `in` is a terminal, else line by line.  Returns SHELL_OK or the status of the
 * first command that failed; at a prompt SHELL_OK. */
int shell_loop(struct shell *shell, FILE *in, bool prompt);

/* "USAGE: " and the command's line, on err.  Returns SHELL_USAGE. */
int shell_usage(struct shell *shell, const char *name);

/* A question's answer that was no use: "WHAT failed, error=E" on out, the reason on err.  Returns
 * SHELL_FAILED. */
int shell_failed(struct shell *shell, const char *what, const struct exchange *exchange);

/* On err: why no usable answer came, and which command helps where this error is.  Returns
 * SHELL_FAILED. */
int shell_why(struct shell *shell, const struct exchange *exchange);
void shell_hint(struct shell *shell, const char *error);

/* What a server said beside its answer, between two rules. */
void shell_message(FILE *out, const char *message);

/* An option's number from `low` to `high`; false: "parse TEXT as WHAT failed" on err. */
bool shell_number(struct shell *shell, const char *text, const char *what, int64_t low,
                  int64_t high, int64_t *ret_value);

/* "2.5" */
bool shell_gpid(const char *text, struct gpid *ret_gpid);

/* "host:port" to its address (looked up) and its name, which is in the arena; false: it is none, or
 * has no address. */
bool shell_resolve(struct arena *arena, const char *text, uint64_t *ret_address,
                   struct host_port *ret_name);

/* Where the result goes: file, or out where it is NULL.  NULL: it was said on err. */
FILE *shell_open(struct shell *shell, const char *file);
int shell_close(struct shell *shell, const char *file, FILE *out);

/* Print and free a report to `file` (NULL: out). */
int shell_report(struct shell *shell, struct report *report, const char *file, bool json,
                 bool several);

/* A node as the reply names it: by host name where it has one, else by address. */
const char *shell_node(uint64_t address, const struct host_port *name,
                       char text[NODE_NAME_MAX + 1]);

/* "2026-11-23_01:12:47" in local time, "-" where second is not positive. */
const char *shell_time(int64_t second, char text[32]);

/* The table that is meant: by the option, else by `use`; NULL: it was said. */
const char *shell_app(struct shell *shell, const char *given);

/* -- remote commands (cmd_remote.c) --------------------------------------------------------------
 */

/* Give the leading meta server (the one that answers where none is known to lead) a remote command;
 * *ret_text, in the arena, is its reply.  Returns false where no reply came: exchange says why. */
bool remote_leader(struct shell *shell, const struct msg_command *command, struct arena *arena,
                   struct exchange *ret_exchange, const char **ret_text);

/* The same, for commands that only a bridled knows: "WHAT failed, error=E" and why, where there is
 * no reply or it says that the command is unknown. */
bool remote_bridled(struct shell *shell, const char *what, const struct msg_command *command,
                    struct arena *arena, const char **ret_text);

/* -- proposals (cmd_propose.c) ------------------------------------------------------------------
 */

/* A node by its name and its address, for servers of either version. */
struct propose_node {
    uint64_t address;
    struct host_port name;
};

/* Propose one action, CONFIG_ASSIGN_PRIMARY and so on, on a partition; the answer is in the
 * exchange. */
enum { CONFIG_INVALID = 0, CONFIG_ASSIGN_PRIMARY = 1 };
struct proposal {
    struct gpid pid;
    struct propose_node target, node;
    int32_t type; /* config_type of Pegasus's idl/metadata.thrift */
    bool force;
};
bool propose_send(struct shell *shell, const struct proposal *proposal, struct exchange *exchange);

/* -- what the table commands share (health.c) -------------------------------------------------- */

struct health {
    uint32_t partitions, fully, write_unhealthy, read_unhealthy;
};

/* The partitions of a table, counted as Pegasus counts them. */
void health_count(const struct msg_query_cfg_response *response, struct health *ret_health);

/* A partition's replicas that serve: the primary and the secondaries. */
uint32_t health_replicas(const struct msg_partition_configuration *partition);
bool health_has_primary(const struct msg_partition_configuration *partition);

/* How many replicas each node serves. */
struct load_row {
    char node[NODE_NAME_MAX + 1];
    uint64_t address;
    bool alive;
    uint32_t primaries, secondaries;
};

struct load {
    struct load_row *rows; /* by address, then by name */
    size_t count, room;
};

/* The node's row, made where it is not there yet; valid until the next one is made. */
struct load_row *load_find(struct load *load, uint64_t address, const struct host_port *name);
void load_count(struct load *load, const struct msg_query_cfg_response *response);
void load_done(struct load *load);

/* Ask for the tables of this status (BR_TABLE_INVALID: of every one); what *ret points to is in the
 * arena.  Whether the answer is ERR_OK. */
bool ask_apps(struct shell *shell, int32_t status, struct arena *arena,
              struct msg_list_apps_response *ret, struct exchange *ret_exchange);

/* Ask for the partitions of the tables `names`, many at once; each answer goes to `take`, in any
 * order, and is gone afterwards. */
struct ask_tables {
    const char *const *names;
    uint32_t count;
    void (*take)(void *arg, uint32_t index, const struct exchange *exchange,
                 const struct msg_query_cfg_response *response);
    void *arg;
};
void ask_tables(struct shell *shell, const struct ask_tables *ask);

/* -- commands ---------------------------------------------------------------------------------- */

int cmd_recover(struct shell *shell, int argc, char **argv);
int cmd_ls(struct shell *shell, int argc, char **argv);
int cmd_app(struct shell *shell, int argc, char **argv);
int cmd_nodes(struct shell *shell, int argc, char **argv);
int cmd_cluster_info(struct shell *shell, int argc, char **argv);
int cmd_server_info(struct shell *shell, int argc, char **argv);
int cmd_remote_command(struct shell *shell, int argc, char **argv);
int cmd_recovery_status(struct shell *shell, int argc, char **argv);
int cmd_release(struct shell *shell, int argc, char **argv);
int cmd_freeze(struct shell *shell, int argc, char **argv);
int cmd_freeze_status(struct shell *shell, int argc, char **argv);
int cmd_create(struct shell *shell, int argc, char **argv);
int cmd_drop(struct shell *shell, int argc, char **argv);
int cmd_recall(struct shell *shell, int argc, char **argv);
int cmd_rename(struct shell *shell, int argc, char **argv);
int cmd_use(struct shell *shell, int argc, char **argv);
int cmd_get_app_envs(struct shell *shell, int argc, char **argv);
int cmd_set_app_envs(struct shell *shell, int argc, char **argv);
int cmd_del_app_envs(struct shell *shell, int argc, char **argv);
int cmd_clear_app_envs(struct shell *shell, int argc, char **argv);
int cmd_get_meta_level(struct shell *shell, int argc, char **argv);
int cmd_set_meta_level(struct shell *shell, int argc, char **argv);
int cmd_get_replica_count(struct shell *shell, int argc, char **argv);
int cmd_propose(struct shell *shell, int argc, char **argv);
int cmd_ddd_diagnose(struct shell *shell, int argc, char **argv);
int cmd_timeout(struct shell *shell, int argc, char **argv);
int cmd_escape_all(struct shell *shell, int argc, char **argv);
int cmd_hash(struct shell *shell, int argc, char **argv);
int cmd_set(struct shell *shell, int argc, char **argv);
int cmd_get(struct shell *shell, int argc, char **argv);
int cmd_del(struct shell *shell, int argc, char **argv);
int cmd_exist(struct shell *shell, int argc, char **argv);
int cmd_ttl(struct shell *shell, int argc, char **argv);
int cmd_incr(struct shell *shell, int argc, char **argv);
int cmd_count(struct shell *shell, int argc, char **argv);
int cmd_multi_set(struct shell *shell, int argc, char **argv);
int cmd_multi_get(struct shell *shell, int argc, char **argv);
int cmd_multi_get_range(struct shell *shell, int argc, char **argv);
int cmd_multi_get_sortkeys(struct shell *shell, int argc, char **argv);
int cmd_multi_del(struct shell *shell, int argc, char **argv);
int cmd_check_and_set(struct shell *shell, int argc, char **argv);
int cmd_hash_scan(struct shell *shell, int argc, char **argv);
int cmd_full_scan(struct shell *shell, int argc, char **argv);
int cmd_count_data(struct shell *shell, int argc, char **argv);
int cmd_help(struct shell *shell, int argc, char **argv);
int cmd_exit(struct shell *shell, int argc, char **argv);

#endif
