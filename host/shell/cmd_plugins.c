/* cmd_plugins -- plugins, show: what is installed, and what one of them takes. */
#include <getopt.h>
#include <stdlib.h>

#include "host/plugins/describe.h"
#include "host/shell/stages.h"

const struct command shell_plugin_commands[SHELL_PLUGINS + 1] = {
    { "plugins",
      "[-c CONFIG] [-j]\n"
      "-c, --config FILE           bridled's configuration, for its plugins.path\n"
      "-j, --json                  as JSON, with every option\n"
      "exit status: 1 also where a file is refused",
      "list the plugins that are installed, and why a file is none", "plugins -c bridled.yaml",
      cmd_plugins },
    { "show",
      "KIND NAME [-c CONFIG] [-j]\n"
      "-c, --config FILE           bridled's configuration, for its plugins.path\n"
      "-j, --json                  as JSON",
      "show what a plugin is and the options it takes", "show store zookeeper", cmd_show },
    { NULL, NULL, NULL, NULL, NULL },
};

struct plugins_options {
    const char *config;
    bool json;
};

static bool plugins_arguments(struct plugins_options *options, int argc, char **argv, int words)
{
    static const struct option longs[] = {
        { "config", required_argument, NULL, 'c' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "c:j", longs, NULL)) != -1) {
        if (option == 'c')
            options->config = optarg;
        else if (option == 'j')
            options->json = true;
        else
            return false;
    }
    return argc - optind == words;
}

/* -- plugins ---------------------------------------------------------------------------------- */

struct plugins_list {
    struct report report;
    struct table *table;
    struct buf json, refused; /* members of the array; a line each */
};

static uint32_t plugins_options_of(const struct br_plugin *plugin)
{
    struct br_option option;
    uint32_t count = 0;
    while (describe_option(plugin, count, &option))
        count++;
    return count;
}

static void plugins_json(struct plugins_list *list, const struct loader_entry *entry)
{
    struct buf *json = &list->json;
    buf_text(json, json->size ? ",{\"file\":" : "{\"file\":");
    buf_json(json, entry->file);
    buf_printf(json, ",\"hidden\":%s,\"plugin\":", entry->hidden ? "true" : "false");
    if (entry->plugin)
        describe_json(entry->plugin, json);
    else
        buf_text(json, "null");
    buf_text(json, ",\"refused\":");
    if (entry->why)
        buf_json(json, entry->why);
    else
        buf_text(json, "null");
    buf_char(json, '}');
}

static void plugins_each(void *arg, const struct loader_entry *entry)
{
    struct plugins_list *list = arg;
    const struct br_plugin *plugin = entry->plugin;
    plugins_json(list, entry);
    if (!plugin) {
        bool named = strncmp(entry->why, entry->file, strlen(entry->file)) == 0;
        buf_printf(&list->refused, "refused: %s%s%s\n", named ? "" : entry->file, named ? "" : ": ",
                   entry->why);
        return;
    }
    table_cell(list->table, "%s", plugin->kind);
    table_cell(list->table, "%s", plugin->name);
    table_cell(list->table, "%s", plugin->version ? plugin->version : "-");
    table_cell(list->table, "%u.%u", plugin->abi_major, plugin->abi_minor);
    table_cell(list->table, "%u", plugins_options_of(plugin));
    table_cell(list->table, "%s%s", entry->file, entry->hidden ? " (hidden by one before)" : "");
}

static void plugins_begin(struct plugins_list *list)
{
    static const char *const titles[] = { "kind", "name", "version", "abi", "options", "file" };
    *list = (struct plugins_list){ .table = NULL };
    report_init(&list->report);
    list->table = table_columns(&list->report, "");
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        table_column(list->table, titles[i], false);
}

static void plugins_put(struct shell *shell, const struct plugins_list *list, bool json)
{
    struct buf text = { 0 };
    if (json) {
        buf_printf(&text, "{\"plugins\":[%s]}\n", buf_string(&list->json));
    } else {
        report_text(&list->report, false, &text);
        table_clean(&text, buf_string(&list->refused));
    }
    fputs(buf_string(&text), shell->out);
    buf_done(&text);
}

int cmd_plugins(struct shell *shell, int argc, char **argv)
{
    struct plugins_options options = { .config = NULL };
    struct fail fail = { .status = BR_OK };
    struct plugins_list list;
    struct tool tool;
    if (!plugins_arguments(&options, argc, argv, 0))
        return shell_usage(shell, argv[0]);
    plugins_begin(&list);
    br_status status = tool_init(&tool, options.config, NULL, &fail);
    if (status == BR_OK)
        loader_list(tool.loader, tool.config.plugin_path, plugins_each, &list);
    tool_done(&tool);
    if (status == BR_OK)
        plugins_put(shell, &list, options.json);
    bool refused = list.refused.size > 0;
    report_done(&list.report);
    buf_done(&list.json);
    buf_done(&list.refused);
    if (status != BR_OK)
        return stages_failed(shell, argv[0], &fail);
    return refused ? SHELL_FAILED : SHELL_OK;
}

/* -- show ---------------------------------------------------------------------------------------
 */

int cmd_show(struct shell *shell, int argc, char **argv)
{
    struct plugins_options options = { .config = NULL };
    struct fail fail = { .status = BR_OK };
    const struct br_plugin *plugin;
    struct tool tool;
    struct buf text = { 0 };
    if (!plugins_arguments(&options, argc, argv, 2))
        return shell_usage(shell, argv[0]);
    br_status status = tool_init(&tool, options.config, NULL, &fail);
    if (status == BR_OK)
        status = loader_load(tool.loader, argv[optind], argv[optind + 1], tool.config.plugin_path,
                             &plugin, &fail);
    if (status == BR_OK && options.json) {
        describe_json(plugin, &text);
        buf_char(&text, '\n');
    } else if (status == BR_OK) {
        describe_text(plugin, &text);
    }
    fputs(buf_string(&text), shell->out);
    buf_done(&text);
    tool_done(&tool);
    return status == BR_OK ? SHELL_OK : stages_failed(shell, argv[0], &fail);
}
