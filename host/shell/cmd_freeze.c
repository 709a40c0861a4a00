/* cmd_freeze -- release, freeze, freeze_status: whether replica servers may delete replicas at all.
 */
#include <getopt.h>
#include <jansson.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/shell/shell.h"

#define FREEZE_WHO_MAX  128
#define FREEZE_NAME_MAX 256

struct freeze {
    struct arena arena;
    const char *name; /* the cluster's, as the operator gave it; NULL: not given */
    bool json;
    json_t *status; /* what bridle.frozen -j said */
};

static bool freeze_options(struct freeze *freeze, bool named, int argc, char **argv)
{
    static const struct option options[] = {
        { "yes-i-mean", required_argument, NULL, 'y' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, named ? "y:j" : "j", options, NULL)) != -1) {
        if (option == 'j')
            freeze->json = true;
        else if (option == 'y' && named)
            freeze->name = optarg;
        else
            return false;
    }
    return optind == argc;
}

/* -- The status ------------------------------------------------------------------------------- */

static const char *freeze_text(const struct freeze *freeze, const char *key)
{
    const char *text = json_string_value(json_object_get(freeze->status, key));
    return text ? text : "";
}

static bool freeze_true(const struct freeze *freeze, const char *key)
{
    return json_is_true(json_object_get(freeze->status, key));
}

static void freeze_say(FILE *to, const char *text)
{
    struct buf clean = { 0 };
    table_clean(&clean, text);
    fprintf(to, "%s%s", buf_string(&clean),
            clean.size && clean.data[clean.size - 1] == '\n' ? "" : "\n");
    buf_done(&clean);
}

/* false: it was said why there is none. */
static bool freeze_ask(struct shell *shell, struct freeze *freeze, const char *what)
{
    const char *arguments[] = { "-j" }, *text;
    struct msg_command command = { .cmd = "bridle.frozen",
                                   .arguments = { .items = arguments, .count = 1 } };
    if (!remote_bridled(shell, what, &command, &freeze->arena, &text))
        return false;
    freeze->status = json_loads(text, 0, NULL);
    if (freeze->status && freeze_true(freeze, "serving"))
        return true;
    fprintf(shell->out, "%s failed, error=ERR_SERVICE_NOT_ACTIVE\n", what);
    fputs("the meta server that was asked does not serve", shell->err);
    if (freeze_text(freeze, "leader")[0])
        fprintf(shell->err, "; %s leads", freeze_text(freeze, "leader"));
    fputs("\n", shell->err);
    return false;
}

int cmd_freeze_status(struct shell *shell, int argc, char **argv)
{
    struct freeze freeze = { .status = NULL };
    const char *arguments[] = { "-j" }, *text;
    if (!freeze_options(&freeze, false, argc, argv))
        return shell_usage(shell, argv[0]);
    struct msg_command command = { .cmd = "bridle.frozen",
                                   .arguments = { .items = arguments, .count = freeze.json } };
    arena_init(&freeze.arena, 0);
    bool ok = remote_bridled(shell, "get freeze status", &command, &freeze.arena, &text);
    if (ok)
        freeze_say(shell->out, text);
    arena_done(&freeze.arena);
    return ok ? SHELL_OK : SHELL_FAILED;
}

/* -- The two words ----------------------------------------------------------------------------- */

static void freeze_who(char who[FREEZE_WHO_MAX])
{
    char host[65] = "";
    const struct passwd *user = getpwuid(geteuid());
    gethostname(host, sizeof host - 1);
    snprintf(who, FREEZE_WHO_MAX, "%.60s@%s", user ? user->pw_name : "?", host);
}

/* Give the order; the reply is "OK" or "ERROR: why". */
static int freeze_order(struct shell *shell, struct freeze *freeze, const char *what,
                        const struct msg_command *command)
{
    const char *text;
    if (!remote_bridled(shell, what, command, &freeze->arena, &text))
        return SHELL_FAILED;
    bool ok = strcmp(text, "OK") == 0;
    if (freeze->json) {
        struct buf line = { 0 };
        buf_printf(&line, "{\"ok\":%s,\"answer\":", ok ? "true" : "false");
        buf_json(&line, text);
        fprintf(shell->out, "%s}\n", buf_string(&line));
        buf_done(&line);
    } else if (ok) {
        fprintf(shell->out, "%s succeed\n", what);
    } else {
        fprintf(shell->out, "%s failed\n", what);
        freeze_say(shell->err, text);
    }
    return ok ? SHELL_OK : SHELL_FAILED;
}

static void freeze_warn(struct shell *shell, const struct freeze *freeze)
{
    json_int_t count = json_integer_value(json_object_get(freeze->status, "collectable"));
    struct buf name = { 0 };
    table_clean(&name, freeze_text(freeze, "cluster"));
    fprintf(shell->out,
            "A release lets the meta servers of cluster '%s' tell replica servers to delete\n"
            "replicas: those of dropped tables whose reserve time is over, at level lively. It\n"
            "also lets a server that holds more of a partition than its group lose what is more.\n"
            "It holds until `freeze`, for every leader to come.\n"
            "Replicas that could be deleted now: %lld (level %s)\n",
            buf_string(&name), (long long) count, freeze_text(freeze, "meta_level"));
    buf_done(&name);
}

/* "": nobody answered. */
static void freeze_type(struct shell *shell, char name[FREEZE_NAME_MAX])
{
    char *line = NULL;
    size_t room = 0;
    name[0] = 0;
    fputs("Type the cluster's name to release it: ", shell->out);
    fflush(shell->out);
    if (shell->in && getline(&line, &room, shell->in) >= 0)
        snprintf(name, FREEZE_NAME_MAX, "%.*s", (int) strcspn(line, "\r\n"), line);
    else
        fputs("\n", shell->out);
    free(line);
}

static int freeze_release(struct shell *shell, struct freeze *freeze)
{
    char typed[FREEZE_NAME_MAX], who[FREEZE_WHO_MAX];
    if (!freeze_ask(shell, freeze, "release"))
        return SHELL_FAILED;
    if (!freeze->name) {
        freeze_warn(shell, freeze);
        freeze_type(shell, typed);
        freeze->name = typed;
    }
    if (strcmp(freeze->name, freeze_text(freeze, "cluster")) != 0) {
        fputs("release failed\n", shell->out);
        fputs("that is not the cluster's name: nothing was released\n", shell->err);
        return SHELL_FAILED;
    }
    freeze_who(who);
    const char *arguments[] = { freeze->name, who };
    struct msg_command command = { .cmd = "bridle.release",
                                   .arguments = { .items = arguments, .count = 2 } };
    return freeze_order(shell, freeze, "release", &command);
}

int cmd_release(struct shell *shell, int argc, char **argv)
{
    struct freeze freeze = { .status = NULL };
    if (!freeze_options(&freeze, true, argc, argv) || (freeze.json && !freeze.name))
        return shell_usage(shell, argv[0]);
    arena_init(&freeze.arena, 0);
    int status = freeze_release(shell, &freeze);
    json_decref(freeze.status);
    arena_done(&freeze.arena);
    return status;
}

int cmd_freeze(struct shell *shell, int argc, char **argv)
{
    struct freeze freeze = { .status = NULL };
    char who[FREEZE_WHO_MAX];
    if (!freeze_options(&freeze, false, argc, argv))
        return shell_usage(shell, argv[0]);
    freeze_who(who);
    const char *arguments[] = { who };
    struct msg_command command = { .cmd = "bridle.freeze",
                                   .arguments = { .items = arguments, .count = 1 } };
    arena_init(&freeze.arena, 0);
    int status = freeze_order(shell, &freeze, "freeze", &command);
    arena_done(&freeze.arena);
    return status;
}
