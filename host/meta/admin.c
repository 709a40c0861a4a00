/* admin -- the remote command and the security handshake: what is answered in every state
 * (src/remote_cmd/remote_command.cpp, src/security/server_negotiation.cpp).
 */
#include <string.h>
#include <time.h>

#include "host/meta/freeze.h"
#include "host/meta/recover.h"
#include "host/meta/routes.h"

/* -- The remote command ----------------------------------------------------------------------- */

static void command_server_info(const struct meta *meta, struct buf *text)
{
    char when[32];
    time_t start = (time_t) meta->start_second;
    struct tm tm;
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&start, &tm));
    if (meta->version == LAYOUT_25) {
        buf_printf(text, "bridled %s (Apache Pegasus 2.5 protocol), Started at %s", BRIDLE_VERSION,
                   when);
        return;
    }
    buf_text(text, "{\"version\":");
    buf_json(text, "bridled " BRIDLE_VERSION);
    buf_text(text, ",\"build_type\":\"\",\"git_SHA\":\"\",\"start_time\":");
    buf_json(text, when);
    buf_char(text, '}');
}

/* What a recovery under way waits for; text, or JSON with -j. */
static void command_recovery(struct meta *meta, const struct msg_command *command, struct buf *text)
{
    const char *const *arguments = command->arguments.items;
    bool json = command->arguments.count == 1 && strcmp(arguments[0], "-j") == 0;
    recover_put_status(meta, json, text);
}

/* The choice for the next recovery: no group goes on serving. */
static void command_all_cold(struct meta *meta, const struct msg_command *command, struct buf *text)
{
    const char *const *arguments = command->arguments.items;
    const char *value = command->arguments.count == 1 ? arguments[0] : "";
    if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
        buf_text(text, "ERROR: give true or false");
        return;
    }
    meta->all_cold = strcmp(value, "true") == 0;
    meta_log(meta, BR_INFO, "the next recovery: %s",
             meta->all_cold ? "every server's lease runs out first" : "groups that serve go on");
    buf_text(text, "OK");
}

/* What was promised to the store and is not there yet; text, or JSON with -j. */
static void command_store(struct meta *meta, const struct msg_command *command, struct buf *text)
{
    const char *const *arguments = command->arguments.items;
    bool json = command->arguments.count == 1 && strcmp(arguments[0], "-j") == 0;
    bool stalled = meta->writer && writer_stalled(meta->writer);
    uint32_t waiting = meta->writer ? writer_waiting(meta->writer) : 0;
    if (json)
        buf_printf(text, "{\"serving\":%s,\"waiting\":%u,\"stalled\":%s}",
                   meta->writer ? "true" : "false", waiting, stalled ? "true" : "false");
    else if (!meta->writer)
        buf_text(text, "nothing is written: this server does not serve");
    else
        buf_printf(text, "%u updates wait for the store%s", waiting,
                   stalled ? ", which does not answer" : "");
}

static void command_info(struct meta *meta, const struct msg_command *command, struct buf *text)
{
    (void) command;
    command_server_info(meta, text);
}

/* Is the cluster frozen?  Text, or JSON with -j. */
static void command_frozen(struct meta *meta, const struct msg_command *command, struct buf *text)
{
    const char *const *arguments = command->arguments.items;
    bool json = command->arguments.count == 1 && strcmp(arguments[0], "-j") == 0;
    freeze_put_status(meta, json, text);
}

static const char *command_argument(const struct msg_command *command, uint32_t index)
{
    const char *const *arguments = command->arguments.items;
    return index < command->arguments.count ? arguments[index] : "";
}

static void command_help(struct meta *meta, const struct msg_command *command, struct buf *text);

static const struct {
    const char *name;
    const char *help;
    void (*run)(struct meta *meta, const struct msg_command *command, struct buf *text);
} commands[] = {
    { "help", "list these commands", command_help },
    { "server-info", "version and start time of this server", command_info },
    { "bridle.recovery", "[-j]: what a recovery under way waits for", command_recovery },
    { "bridle.all-cold", "true|false: the next recovery lets every lease run out",
      command_all_cold },
    { "bridle.store", "[-j]: how many updates wait for the store", command_store },
    { "bridle.frozen", "[-j]: may replicas be deleted?", command_frozen },
    { "bridle.release", "CLUSTER [WHO]: dropped and expired tables' replicas may be deleted",
      NULL },
    { "bridle.freeze", "[WHO]: nothing may be deleted, as before a release", NULL },
};

/* What is answered once the store has it; false: another command. */
static bool command_order(struct route *route, const struct msg_command *command)
{
    const char *name = command->cmd ? command->cmd : "";
    struct rdsn_incoming *incoming = route->incoming;
    bool release = strcmp(name, "bridle.release") == 0;
    if (!release && strcmp(name, "bridle.freeze") != 0)
        return false;
    route->incoming = NULL;
    if (release)
        freeze_release(route->meta, command_argument(command, 0), command_argument(command, 1),
                       incoming);
    else
        freeze_take_back(route->meta, command_argument(command, 0), incoming);
    return true;
}

static void command_help(struct meta *meta, const struct msg_command *command, struct buf *text)
{
    (void) meta;
    (void) command;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        buf_printf(text, "%-20s%s\n", commands[i].name, commands[i].help);
}

static void command_run(struct meta *meta, const struct msg_command *command, struct buf *text)
{
    const char *name = command->cmd ? command->cmd : "";
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            commands[i].run(meta, command, text);
            return;
        }
    }
    buf_printf(text, "unknown command '%s'; try help", name);
}

void admin_reply(struct rdsn_incoming *incoming, const char *text)
{
    struct buf body = { 0 };
    wire_encode_value(WIRE_STRING, &text, &body);
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&body));
    buf_done(&body);
}

void admin_command(struct route *route)
{
    struct msg_command command;
    if (!route_decode(route, &command) || command_order(route, &command))
        return;
    struct buf text = { 0 };
    command_run(route->meta, &command, &text);
    admin_reply(route->incoming, buf_string(&text));
    route->incoming = NULL;
    buf_done(&text);
}

/* -- Security --------------------------------------------------------------------------------- */

enum { NEGOTIATION_AUTH_DISABLE = 9 };

void admin_negotiation(struct route *route)
{
    struct msg_negotiation answer;
    wire_init(&wire_negotiation, &answer);
    answer.status = NEGOTIATION_AUTH_DISABLE;
    route_reply(route, &answer);
}
