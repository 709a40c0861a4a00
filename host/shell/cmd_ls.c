/* cmd_ls -- ls: the tables, and with -d the health of each available one. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/shell/shell.h"

struct ls {
    bool detailed, json;
    int32_t status;
    const char *file, *pattern;
    size_t match;

    struct msg_list_apps_response response;
    const struct msg_app_info **tables; /* those that are shown */
    uint32_t count;
    uint32_t available;
    struct health *healths; /* of the available ones, in order */
    struct exchange bad;    /* the first that did not answer */
    const char *bad_name;
    const char **names;
};

enum { MATCH_ALL, MATCH_EXACT, MATCH_ANYWHERE, MATCH_PREFIX, MATCH_POSTFIX };
static const char *const ls_matches[] = { "all", "exact", "anywhere", "prefix", "postfix", NULL };

static const struct {
    const char *name;
    int32_t status;
} ls_statuses[] = {
    { "all", BR_TABLE_INVALID },       { "available", BR_TABLE_AVAILABLE },
    { "creating", BR_TABLE_CREATING }, { "dropping", BR_TABLE_DROPPING },
    { "dropped", BR_TABLE_DROPPED },   { NULL, 0 },
};

static bool ls_status(const char *text, int32_t *ret_status)
{
    for (size_t i = 0; ls_statuses[i].name; i++) {
        if (strcmp(text, ls_statuses[i].name) == 0) {
            *ret_status = ls_statuses[i].status;
            return true;
        }
    }
    return false;
}

static bool ls_match_type(const char *text, size_t *ret_match)
{
    for (size_t i = 0; ls_matches[i]; i++) {
        if (strcmp(text, ls_matches[i]) == 0) {
            *ret_match = i;
            return true;
        }
    }
    return false;
}

static bool ls_options(struct ls *ls, int argc, char **argv)
{
    static const struct option options[] = {
        { "all", no_argument, NULL, 'a' },
        { "detailed", no_argument, NULL, 'd' },
        { "json", no_argument, NULL, 'j' },
        { "output", required_argument, NULL, 'o' },
        { "status", required_argument, NULL, 's' },
        { "app_name_pattern", required_argument, NULL, 'p' },
        { "match_type", required_argument, NULL, 'm' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    ls->status = BR_TABLE_AVAILABLE;
    ls->match = MATCH_ANYWHERE;
    while ((option = getopt_long(argc, argv, "adjo:s:p:m:", options, NULL)) != -1) {
        switch (option) {
        case 'a': ls->status = BR_TABLE_INVALID; break;
        case 'd': ls->detailed = true; break;
        case 'j': ls->json = true; break;
        case 'o': ls->file = optarg; break;
        case 'p': ls->pattern = optarg; break;
        case 's':
            if (!ls_status(optarg, &ls->status))
                return false;
            break;
        case 'm':
            if (!ls_match_type(optarg, &ls->match))
                return false;
            break;
        default: return false;
        }
    }
    return optind == argc;
}

static bool ls_matches_name(const struct ls *ls, const char *name)
{
    size_t size = strlen(name), want = ls->pattern ? strlen(ls->pattern) : 0;
    if (!ls->pattern || ls->match == MATCH_ALL)
        return true;
    switch (ls->match) {
    case MATCH_EXACT: return strcmp(name, ls->pattern) == 0;
    case MATCH_PREFIX: return strncmp(name, ls->pattern, want) == 0;
    case MATCH_POSTFIX: return size >= want && strcmp(name + size - want, ls->pattern) == 0;
    default: return strstr(name, ls->pattern) != NULL;
    }
}

static const char *ls_status_text(int32_t status, char text[16])
{
    static const char *const names[] = { "INVALID",  "AVAILABLE",   "CREATING", "CREATE_FAILED",
                                         "DROPPING", "DROP_FAILED", "DROPPED",  "RECALLING" };
    if (status >= 0 && (size_t) status < sizeof names / sizeof *names)
        return names[status];
    snprintf(text, 16, "%d", (int) status);
    return text;
}

static void ls_general(const struct ls *ls, struct report *report)
{
    static const char *const titles[] = { "app_id",      "status",          "app_name",
                                          "app_type",    "partition_count", "replica_count",
                                          "is_stateful", "create_time",     "drop_time",
                                          "drop_expire", "envs_count" };
    struct table *table = table_columns(report, "general_info");
    bool atomic = false; /* only servers from 2.6 on say it */
    for (uint32_t i = 0; i < ls->count; i++)
        atomic |= WIRE_HAS(ls->tables[i], 15);
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        table_column(table, titles[i], false);
    if (atomic)
        table_column(table, "atomic_idempotent", false);
    for (uint32_t i = 0; i < ls->count; i++) {
        const struct msg_app_info *info = ls->tables[i];
        char number[16], created[32], dropped[32], expires[32];
        table_cell(table, "%d", (int) info->app_id);
        table_cell(table, "%s", ls_status_text(info->status, number));
        table_cell(table, "%s", info->app_name);
        table_cell(table, "%s", info->app_type);
        table_cell(table, "%d", (int) info->partition_count);
        table_cell(table, "%d", (int) info->max_replica_count);
        table_cell(table, "%s", info->is_stateful ? "true" : "false");
        table_cell(table, "%s", shell_time(info->create_second, created));
        table_cell(table, "%s", shell_time(info->drop_second, dropped));
        table_cell(table, "%s", shell_time(info->expire_second, expires));
        table_cell(table, "%u", (unsigned) info->envs.count);
        if (atomic)
            table_cell(table, "%s", info->atomic_idempotent ? "true" : "false");
    }
}

static void ls_healthy(const struct ls *ls, struct report *report)
{
    static const char *const titles[] = { "app_id",        "app_name",  "partition_count",
                                          "fully_healthy", "unhealthy", "write_unhealthy",
                                          "read_unhealthy" };
    struct table *table = table_columns(report, "healthy_info");
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        table_column(table, titles[i], false);
    uint32_t index = 0;
    for (uint32_t i = 0; i < ls->count; i++) {
        const struct msg_app_info *info = ls->tables[i];
        if (info->status != BR_TABLE_AVAILABLE)
            continue;
        const struct health *health = &ls->healths[index++];
        table_cell(table, "%d", (int) info->app_id);
        table_cell(table, "%s", info->app_name);
        table_cell(table, "%d", (int) info->partition_count);
        table_cell(table, "%u", (unsigned) health->fully);
        table_cell(table, "%u", (unsigned) (health->partitions - health->fully));
        table_cell(table, "%u", (unsigned) health->write_unhealthy);
        table_cell(table, "%u", (unsigned) health->read_unhealthy);
    }
}

static void ls_summary(const struct ls *ls, struct report *report)
{
    uint32_t fully = 0, writes = 0, reads = 0;
    struct table *table = table_pairs(report, "summary");
    table_pair(table, "total_app_count", "%u", (unsigned) ls->available);
    if (!ls->healths)
        return;
    for (uint32_t i = 0; i < ls->available; i++) {
        fully += ls->healths[i].fully == ls->healths[i].partitions;
        writes += ls->healths[i].write_unhealthy > 0;
        reads += ls->healths[i].read_unhealthy > 0;
    }
    table_pair(table, "fully_healthy_app_count", "%u", (unsigned) fully);
    table_pair(table, "unhealthy_app_count", "%u", (unsigned) (ls->available - fully));
    table_pair(table, "write_unhealthy_app_count", "%u", (unsigned) writes);
    table_pair(table, "read_unhealthy_app_count", "%u", (unsigned) reads);
}

static void ls_take(void *arg, uint32_t index, const struct exchange *exchange,
                    const struct msg_query_cfg_response *response)
{
    struct ls *ls = arg;
    if (exchange_ok(exchange)) {
        health_count(response, &ls->healths[index]);
    } else if (!ls->bad_name) {
        ls->bad = *exchange;
        ls->bad_name = ls->names[index];
    }
}

static int ls_ask_health(struct shell *shell, struct ls *ls)
{
    uint32_t count = 0;
    ls->names = mem_array(ls->available, sizeof *ls->names);
    ls->healths = mem_array(ls->available, sizeof *ls->healths);
    for (uint32_t i = 0; i < ls->count; i++) {
        if (ls->tables[i]->status == BR_TABLE_AVAILABLE)
            ls->names[count++] = ls->tables[i]->app_name;
    }
    ask_tables(shell, &(struct ask_tables){
                          .names = ls->names, .count = count, .take = ls_take, .arg = ls });
    free(ls->names);
    if (!ls->bad_name)
        return SHELL_OK;
    fprintf(shell->err, "query app %s failed, error=%s\n", ls->bad_name, ls->bad.error);
    return shell_failed(shell, "list apps", &ls->bad);
}

static int ls_show(struct shell *shell, struct ls *ls)
{
    const struct msg_app_info *infos = ls->response.infos.items;
    ls->tables = mem_array(ls->response.infos.count, sizeof *ls->tables);
    for (uint32_t i = 0; i < ls->response.infos.count; i++) {
        if (!ls_matches_name(ls, infos[i].app_name))
            continue;
        ls->tables[ls->count++] = &infos[i];
        ls->available += infos[i].status == BR_TABLE_AVAILABLE;
    }
    int status = ls->detailed && ls->available ? ls_ask_health(shell, ls) : SHELL_OK;
    if (status == SHELL_OK) {
        struct report report;
        report_init(&report);
        ls_general(ls, &report);
        if (ls->healths)
            ls_healthy(ls, &report);
        ls_summary(ls, &report);
        status = shell_report(shell, &report, ls->file, ls->json, true);
    }
    free(ls->healths);
    free(ls->tables);
    return status;
}

int cmd_ls(struct shell *shell, int argc, char **argv)
{
    struct ls ls = { 0 };
    if (!ls_options(&ls, argc, argv))
        return shell_usage(shell, argv[0]);
    struct arena arena;
    arena_init(&arena, 0);
    struct exchange exchange;
    int status = ask_apps(shell, ls.status, &arena, &ls.response, &exchange)
                     ? ls_show(shell, &ls)
                     : shell_failed(shell, "list apps", &exchange);
    arena_done(&arena);
    return status;
}
