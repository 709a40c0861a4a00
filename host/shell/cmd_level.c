/* cmd_level -- single facts of the meta server: get_meta_level, set_meta_level, get_replica_count.
 */
#include <getopt.h>
#include <string.h>

#include "host/shell/shell.h"

/* meta_function_level of Pegasus's idl/meta_admin.thrift */
static const struct {
    const char *name;
    int32_t level;
} levels[] = {
    { "fl_stopped", 100 }, { "fl_blind", 200 },     { "fl_freezed", 300 }, { "fl_steady", 400 },
    { "fl_lively", 500 },  { "fl_invalid", 10000 }, { NULL, 0 },
};
enum { LEVEL_ASK = 10000 }; /* fl_invalid: nothing is set */

static const char *level_name(int32_t level, char text[16])
{
    for (size_t i = 0; levels[i].name; i++) {
        if (levels[i].level == level)
            return levels[i].name;
    }
    snprintf(text, 16, "%d", (int) level);
    return text;
}

/* Set it, or ask for it; the level of before is in ret_level.  false: exchange says why. */
static bool level_send(struct shell *shell, int32_t level, struct exchange *exchange,
                       int32_t *ret_level)
{
    struct msg_control_meta_request request;
    struct msg_control_meta_response response;
    struct arena arena;
    wire_init(&wire_control_meta_request, &request);
    request.level = level;
    arena_init(&arena, 0);
    *exchange = (struct exchange){
        .rpc = "RPC_CM_CONTROL_META", .request = &request, .response = &response, .arena = &arena
    };
    bool ok = session_ask(shell->session, exchange);
    *ret_level = ok ? response.old_level : 0;
    arena_done(&arena);
    return ok;
}

/* The only option that some commands have; false: wrong usage. */
static bool level_options(bool *ret_json, int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    *ret_json = false;
    while ((option = getopt_long(argc, argv, "j", options, NULL)) != -1) {
        if (option != 'j')
            return false;
        *ret_json = true;
    }
    return true;
}

int cmd_get_meta_level(struct shell *shell, int argc, char **argv)
{
    bool json;
    if (!level_options(&json, argc, argv) || optind != argc)
        return shell_usage(shell, argv[0]);
    struct exchange exchange;
    int32_t level;
    char text[16];
    if (!level_send(shell, LEVEL_ASK, &exchange, &level)) {
        fprintf(shell->out, "get meta level got error %s\n", exchange.error);
        return shell_why(shell, &exchange);
    }
    if (!json) {
        fprintf(shell->out, "current meta level is %s\n", level_name(level, text));
        return SHELL_OK;
    }
    struct report report;
    report_init(&report);
    table_pair(table_pairs(&report, "meta_level"), "meta_level", "%s", level_name(level, text));
    return shell_report(shell, &report, NULL, true, false);
}

int cmd_set_meta_level(struct shell *shell, int argc, char **argv)
{
    if (argc != 2)
        return shell_usage(shell, argv[0]);
    int32_t wanted = LEVEL_ASK, level;
    for (size_t i = 0; levels[i].name; i++) {
        if (strcmp(levels[i].name + strlen("fl_"), argv[1]) == 0)
            wanted = levels[i].level;
    }
    if (wanted == LEVEL_ASK) {
        fprintf(shell->err, "parse %s as meta function level failed\n", argv[1]);
        return shell_usage(shell, argv[0]);
    }
    struct exchange exchange;
    char text[16];
    if (!level_send(shell, wanted, &exchange, &level)) {
        fprintf(shell->out, "control meta level got error %s\n", exchange.error);
        return shell_why(shell, &exchange);
    }
    fprintf(shell->out, "control meta level ok, the old level is %s\n", level_name(level, text));
    return SHELL_OK;
}

int cmd_get_replica_count(struct shell *shell, int argc, char **argv)
{
    bool json;
    if (!level_options(&json, argc, argv) || optind + 1 != argc)
        return shell_usage(shell, argv[0]);
    struct msg_app_name_request request;
    struct msg_get_max_replica_count_response response;
    struct arena arena;
    wire_init(&wire_app_name_request, &request);
    request.app_name = argv[optind];
    arena_init(&arena, 0);
    struct exchange exchange = { .rpc = "RPC_CM_GET_MAX_REPLICA_COUNT",
                                 .request = &request,
                                 .response = &response,
                                 .arena = &arena };
    int status;
    if (session_ask(shell->session, &exchange)) {
        struct report report;
        report_init(&report);
        table_pair(table_pairs(&report, "max_replica_count"), "max_replica_count", "%d",
                   (int) response.max_replica_count);
        status = shell_report(shell, &report, NULL, json, false);
    } else {
        fprintf(shell->err, "get replica count of app(%s) failed: %s\n", request.app_name,
                exchange.error);
        status = shell_why(shell, &exchange);
    }
    arena_done(&arena);
    return status;
}
