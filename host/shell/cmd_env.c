/* cmd_env -- use, and a table's environment variables: get_app_envs, set_app_envs, del_app_envs,
 * clear_app_envs (src/shell/commands/table_management.cpp). */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "host/shell/shell.h"

/* app_env_operation of Pegasus's idl/meta_admin.thrift */
enum { ENV_SET = 1, ENV_DEL = 2, ENV_CLEAR = 3 };

int cmd_use(struct shell *shell, int argc, char **argv)
{
    if (argc > 2)
        return shell_usage(shell, argv[0]);
    if (argc == 1 && !shell->app[0]) {
        fputs("Current app not specified.\n", shell->err);
        return shell_usage(shell, argv[0]);
    }
    if (argc == 1) {
        fprintf(shell->err, "Current app: %s\n", shell->app);
        return SHELL_OK;
    }
    size_t size = strlen(argv[1]);
    if (size > SHELL_APP_MAX) {
        fprintf(shell->err, "ERROR: a name of more than %d bytes\n", SHELL_APP_MAX);
        return SHELL_USAGE;
    }
    memcpy(shell->app, argv[1], size + 1);
    fputs("OK\n", shell->err);
    return SHELL_OK;
}

const char *shell_app(struct shell *shell, const char *given)
{
    if (given && *given)
        return given;
    if (shell->app[0])
        return shell->app;
    fputs("No app is using now\nUSAGE: use [app_name]\n"
          "hint: or name the table with --app TABLE\n",
          shell->err);
    return NULL;
}

/* -- get_app_envs ----------------------------------------------------------------------------- */

static int env_compare(const void *a, const void *b)
{
    return strcmp(((const struct wire_pair *) a)->key, ((const struct wire_pair *) b)->key);
}

static int env_show(struct shell *shell, const struct msg_app_info *info, bool json)
{
    struct report report;
    struct wire_pair *pairs = info->envs.items;
    report_init(&report);
    struct table *table = table_pairs(&report, "app_envs");
    if (info->envs.count)
        qsort(pairs, info->envs.count, sizeof *pairs, env_compare);
    for (uint32_t i = 0; i < info->envs.count; i++)
        table_pair(table, pairs[i].key, "%s", pairs[i].value);
    return shell_report(shell, &report, NULL, json, false);
}

static int env_get(struct shell *shell, const char *name, bool json)
{
    struct msg_list_apps_response response;
    struct arena arena;
    arena_init(&arena, 0);
    struct exchange exchange;
    const struct msg_app_info *found = NULL;
    if (ask_apps(shell, BR_TABLE_AVAILABLE, &arena, &response, &exchange)) {
        const struct msg_app_info *infos = response.infos.items;
        for (uint32_t i = 0; i < response.infos.count && !found; i++)
            found = strcmp(infos[i].app_name, name) == 0 ? &infos[i] : NULL;
        if (!found)
            snprintf(exchange.error, sizeof exchange.error, "ERR_OBJECT_NOT_FOUND");
    }
    int status;
    if (found) {
        status = env_show(shell, found, json);
    } else {
        fprintf(shell->err, "get app env failed with err = %s\n", exchange.error);
        status = shell_why(shell, &exchange);
    }
    arena_done(&arena);
    return status;
}

int cmd_get_app_envs(struct shell *shell, int argc, char **argv)
{
    static const struct option options[] = {
        { "app", required_argument, NULL, 'a' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    const char *name = NULL;
    bool json = false;
    int option;
    while ((option = getopt_long(argc, argv, "a:j", options, NULL)) != -1) {
        switch (option) {
        case 'a': name = optarg; break;
        case 'j': json = true; break;
        default: return shell_usage(shell, argv[0]);
        }
    }
    if (optind != argc)
        return shell_usage(shell, argv[0]);
    name = shell_app(shell, name);
    return name ? env_get(shell, name, json) : SHELL_USAGE;
}

/* -- Changes ---------------------------------------------------------------------------------- */

/* What a change prints where it failed: its beginning, and its end with the server's hint. */
static int env_update(struct shell *shell, struct msg_update_app_env_request *request,
                      const char *what)
{
    struct msg_hint_response response;
    struct arena arena;
    arena_init(&arena, 0);
    struct exchange exchange = {
        .rpc = "RPC_CM_UPDATE_APP_ENV", .request = request, .response = &response, .arena = &arena
    };
    bool ok = session_ask(shell->session, &exchange);
    const char *hint = exchange.why[0] || !response.hint_message ? "" : response.hint_message;
    int status = SHELL_OK;
    if (ok) {
        fprintf(shell->out, "%s app envs succeed\n", what);
        if (*hint && request->op != ENV_SET)
            shell_message(shell->out, hint);
    } else if (request->op == ENV_SET) {
        struct buf clean = { 0 };
        table_clean(&clean, hint);
        fprintf(shell->err, "set app envs failed with error %s [hint:\"%s\"]!\n", exchange.error,
                buf_string(&clean));
        buf_done(&clean);
        status = shell_why(shell, &exchange);
    } else {
        fprintf(shell->err, "%s app env%s failed with err = %s\n", what,
                request->op == ENV_CLEAR ? "s" : "", exchange.error);
        if (*hint)
            shell_message(shell->err, hint);
        status = shell_why(shell, &exchange);
    }
    arena_done(&arena);
    return status;
}

/* -a TABLE before the first argument, which may begin with - itself behind a --: the table that is
 * meant; NULL: it was said. */
static const char *env_arguments(struct shell *shell, int argc, char **argv)
{
    static const struct option options[] = {
        { "app", required_argument, NULL, 'a' },
        { NULL, 0, NULL, 0 },
    };
    const char *name = NULL;
    int option;
    bool known = true;
    while (known && (option = getopt_long(argc, argv, "+a:", options, NULL)) != -1) {
        known = option == 'a';
        name = optarg;
    }
    if (known && optind < argc)
        return shell_app(shell, name);
    shell_usage(shell, argv[0]);
    return NULL;
}

int cmd_set_app_envs(struct shell *shell, int argc, char **argv)
{
    const char *name = env_arguments(shell, argc, argv);
    if (!name)
        return SHELL_USAGE;
    uint32_t count = (uint32_t) (argc - optind);
    if (count % 2 == 1) {
        fprintf(shell->err, "need speficy the value for key = %s\n", argv[argc - 1]);
        return SHELL_USAGE;
    }
    struct msg_update_app_env_request request;
    struct arena arena;
    arena_init(&arena, 0);
    const char **words = arena_alloc(&arena, count * sizeof *words);
    for (uint32_t i = 0; i < count; i++) /* the keys, then the values */
        words[i / 2 + i % 2 * (count / 2)] = argv[optind + (int) i];
    wire_init(&wire_update_app_env_request, &request);
    request.app_name = name;
    request.op = ENV_SET;
    request.keys = (struct wire_list){ .items = words, .count = count / 2 };
    request.values = (struct wire_list){ .items = words + count / 2, .count = count / 2 };
    WIRE_SET(&request, 3);
    WIRE_SET(&request, 4);
    int status = env_update(shell, &request, "set");
    arena_done(&arena);
    return status;
}

int cmd_del_app_envs(struct shell *shell, int argc, char **argv)
{
    const char *name = env_arguments(shell, argc, argv);
    if (!name)
        return SHELL_USAGE;
    struct msg_update_app_env_request request;
    wire_init(&wire_update_app_env_request, &request);
    request.app_name = name;
    request.op = ENV_DEL;
    request.keys =
        (struct wire_list){ .items = argv + optind, .count = (uint32_t) (argc - optind) };
    WIRE_SET(&request, 3);
    return env_update(shell, &request, "del");
}

int cmd_clear_app_envs(struct shell *shell, int argc, char **argv)
{
    enum { OPT_APP = 256 };
    static const struct option options[] = {
        { "all", no_argument, NULL, 'a' },
        { "prefix", required_argument, NULL, 'p' },
        { "app", required_argument, NULL, OPT_APP },
        { NULL, 0, NULL, 0 },
    };
    const char *name = NULL, *prefix = NULL;
    bool all = false;
    int option;
    while ((option = getopt_long(argc, argv, "ap:", options, NULL)) != -1) {
        switch (option) {
        case 'a': all = true; break;
        case 'p': prefix = optarg; break;
        case OPT_APP: name = optarg; break;
        default: return shell_usage(shell, argv[0]);
        }
    }
    if (optind != argc)
        return shell_usage(shell, argv[0]);
    name = shell_app(shell, name);
    if (!name)
        return SHELL_USAGE;
    if (all == (prefix && *prefix)) {
        fputs("must specify one of --all and --prefix options\n", shell->err);
        return shell_usage(shell, argv[0]);
    }
    struct msg_update_app_env_request request;
    wire_init(&wire_update_app_env_request, &request);
    request.app_name = name;
    request.op = ENV_CLEAR;
    request.clear_prefix = all ? "" : prefix;
    WIRE_SET(&request, 5);
    return env_update(shell, &request, "clear");
}
