/* config -- see config.h.  Each section is an option table over its structure, so a key has one
 * place where its type, default, range and meaning stand; what spans keys is checked below. */
#include "host/config/config.h"

#include <string.h>

#include "host/base/buf.h"
#include "host/base/number.h"
#include <bridle/host.h>

static const struct br_option config_meta_options[] = {
    BR_STRING(struct config_meta, listen, .flags = BR_REQUIRED,
              .help = "host:port where it listens, and its name for the other servers."),
    BR_LIST(struct config_meta, server_list, .fallback = "[]",
            .help = "All meta servers of the cluster, host:port each; empty: this one."),
    BR_STRING(struct config_meta, cluster_root, .flags = BR_REQUIRED,
              .help = "The path in the store under which the metadata lie."),
    BR_STRING(struct config_meta, lock_root,
              .help = "The path of the leader lock; left out: cluster_root."),
    BR_BOOL(struct config_meta, recover_from_replica_server, .fallback = "false",
            .help = "With nothing in the store: wait for a recovery command."),
    BR_STRING(struct config_meta, meta_function_level_on_start, .fallback = "steady",
              .help = "What it does of its own accord: stopped, blind, freezed, steady, lively."),
    BR_INTEGER(struct config_meta, min_live_node_count_for_unfreeze, .fallback = "3", .min = 0,
               .max = BR_NODES_MAX,
               .help = "With fewer replica servers alive, nothing is assigned or moved."),
    BR_INTEGER(struct config_meta, node_live_percentage_threshold_for_update, .fallback = "65",
               .min = 0, .max = 100,
               .help = "With a smaller share of replica servers alive, nothing is assigned."),
    BR_INTEGER(struct config_meta, hold_seconds_for_dropped_app, .fallback = "604800", .min = 0,
               .max = INT64_C(3153600000), .help = "So long a dropped table can be recalled."),
    BR_INTEGER(struct config_meta, max_allowed_replica_count, .fallback = "5", .min = 1,
               .max = BR_DROPS_MAX, .help = "No table is created with more replicas."),
    BR_INTEGER(struct config_meta, add_secondary_max_count_for_one_node, .fallback = "20", .min = 0,
               .max = 1000000,
               .help = "So many replicas may learn on one server at once; 0: any number."),
    BR_INTEGER(struct config_meta, max_succssive_unstable_restart, .fallback = "5", .min = 1,
               .max = 1000000,
               .help = "A replica server that restarted so often in a row is not answered."),
    BR_INTEGER(struct config_meta, min_table_id, .fallback = "1", .min = 1, .max = BR_TABLE_ID_MAX,
               .help = "New tables get ids from here on."),
    BR_DURATION(struct config_meta, replica_assign_delay, .fallback = "10min", .min = 0,
                .max = 24 * 60 * BR_MINUTE,
                .help = "A server that left is waited for so long before its place is given away."),
    BR_DURATION(struct config_meta, stable_rs_min_running, .fallback = "10min", .min = 0,
                .max = 24 * 60 * BR_MINUTE,
                .help = "A replica server that restarts sooner counts as unstable; 0s: none does."),
    BR_DURATION(struct config_meta, lb_interval, .fallback = "10s", .min = BR_MILLISECOND,
                .max = 60 * BR_MINUTE, .help = "Between two looks at all partitions."),
    BR_LIST(struct config_meta, replica_white_list, .fallback = "[]",
            .help = "The only replica servers that may join, host:port each; empty: all."),
    BR_CHOICE(struct config_meta, pegasus_version, .fallback = "2.5", .choices = "2.5|2.6",
              .help = "Whose layout is written: 2.5 or older, or 2.6 or newer."),
    { 0 },
};

static const struct br_option config_replication_options[] = {
    BR_STRING(struct config_replication, cluster_name, .flags = BR_REQUIRED,
              .help = "The cluster's name, as the replica servers have it."),
    BR_INTEGER(struct config_replication, fd_lease_seconds, .fallback = "20", .min = 1, .max = 3600,
               .help = "A replica server without an answered beacon stops serving."),
    BR_INTEGER(struct config_replication, fd_grace_seconds, .fallback = "22", .min = 2, .max = 3600,
               .help = "A replica server without a beacon counts as dead."),
    BR_INTEGER(struct config_replication, mutation_2pc_min_replica_count, .fallback = "0", .min = 0,
               .max = BR_DROPS_MAX,
               .help = "Members that a write needs; 0: more than half of them."),
    { 0 },
};

static const struct br_option config_recovery_options[] = {
    BR_INTEGER(struct config_recovery, parallel, .fallback = "64", .min = 1, .max = BR_NODES_MAX,
               .help = "Replica servers asked at once."),
    BR_DURATION(struct config_recovery, node_deadline, .fallback = "5s", .min = BR_MILLISECOND,
                .max = 60 * BR_MINUTE, .help = "Within it one replica server must have answered."),
    BR_INTEGER(struct config_recovery, retries, .fallback = "1", .min = 0, .max = 100,
               .help = "Further attempts to reach a server, inside the deadline."),
    BR_CHOICE(struct config_recovery, hot, .fallback = "auto", .choices = "auto|cold|off",
              .help = "Whether groups that still serve go on serving."),
    BR_DURATION(struct config_recovery, hot_motion, .fallback = "0s", .min = 0,
                .max = 60 * BR_MINUTE,
                .help = "Groups must have moved within it to count as serving; 0s: not asked."),
    BR_LIST(struct config_recovery, consents, .fallback = "[]",
            .help = "Losses that are accepted beforehand, by the names that findings give them."),
    BR_STRING(struct config_recovery, audit_file, .fallback = "",
              .help = "A file that gets a line for every deed: who, when, which plan."),
    { 0 },
};

static const struct br_option config_log_options[] = {
    BR_CHOICE(struct config_log, level, .fallback = "info", .choices = "error|warn|info|debug",
              .help = "What is less important is not logged."),
    { 0 },
};

static const struct br_option config_limits_options[] = {
    BR_SIZE(struct config_limits, frame_size, .fallback = "64MiB", .min = 64 * 1024,
            .max = 256 * 1024 * 1024, .help = "The longest message that is taken."),
    BR_INTEGER(struct config_limits, connections, .fallback = "4096", .min = 1, .max = 1000000,
               .help = "Open connections; further ones are closed at once."),
    BR_DURATION(struct config_limits, idle, .fallback = "10min", .min = BR_SECOND,
                .max = 24 * 60 * BR_MINUTE, .help = "A silent connection is closed."),
    { 0 },
};

struct config_plugins {
    const char *const *path;
};

static const struct br_option config_plugins_options[] = {
    BR_LIST(struct config_plugins, path, .fallback = "[]",
            .help = "Directories that are searched for plugins before the built-in one."),
    { 0 },
};

struct config_enabled {
    bool enabled;
};

static const struct br_option config_enabled_options[] = {
    BR_BOOL(struct config_enabled, enabled, .fallback = "true",
            .help = "false: this plugin is never loaded."),
    { 0 },
};

struct config_section {
    const char *plugin;
    br_time deadline;
};

static const struct br_option config_section_options[] = {
    BR_STRING(struct config_section, plugin, .flags = BR_REQUIRED,
              .help = "The plugin's name, as in store_NAME.so."),
    BR_DURATION(struct config_section, deadline, .fallback = "5s", .min = BR_MILLISECOND,
                .max = 60 * BR_MINUTE, .help = "Within it one call must be answered."),
    { 0 },
};

const char *const config_plugin_keys[] = { "plugin", "deadline", NULL };

struct config_kind {
    const char *kind, *plugin; /* a section that names one plugin, and its default */
};

static const struct config_kind config_kinds[] = {
    { "store", "sqlite" },
    { "transport", "rdsn" },
    { "policy", "pegasus" },
    { NULL, NULL },
};

static const char *const config_sections[] = { "meta_server", "replication", "recovery",
                                               "log",         "limits",      "plugins",
                                               "store",       "transport",   "policy",
                                               "stores",      "apps",        NULL };

/* -- --set --------------------------------------------------------------------------------------
 */

BR_PRINTF(2, 3)
static void config_note(struct config *config, const char *format, ...)
{
    size_t count = 0;
    while (config->notes[count])
        count++;
    struct buf text = { 0 };
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    if (count == CONFIG_NOTES_MAX)
        config->notes[CONFIG_NOTES_MAX - 1] = "more of the file's keys are not used";
    else
        config->notes[count] = arena_text(&config->arena, buf_string(&text), text.size);
    buf_done(&text);
}

/* The section that holds the path's last word where that is "plugin"; NULL: another key. */
static struct yaml *config_plugin_section(const struct config *config, const char *path)
{
    struct yaml *section = NULL;
    for (const struct config_kind *kind = config_kinds; kind->kind; kind++) {
        size_t size = strlen(kind->kind);
        if (strncmp(path, kind->kind, size) == 0 && strcmp(path + size, ".plugin") == 0)
            section = yaml_get(config->root, kind->kind);
    }
    if (strncmp(path, "stores.", 7) == 0) {
        struct yaml *stores = yaml_get(config->root, "stores");
        size_t size = strcspn(path + 7, ".");
        if (strcmp(path + 7 + size, ".plugin") != 0 || !stores || stores->kind != YAML_MAP)
            return NULL;
        for (struct yaml *at = stores->first; at; at = at->next) {
            if (strlen(at->key) == size && strncmp(at->key, path + 7, size) == 0)
                section = at;
        }
    }
    return section && section->kind == YAML_MAP ? section : NULL;
}

/* Another plugin takes the section over: the options that the file gave were the old one's. */
static void config_take_over(struct config *config, const char *path, const char *plugin)
{
    struct yaml *section = config_plugin_section(config, path);
    const struct yaml *named = yaml_get(section, "plugin");
    const char *before = named && named->text ? named->text : "";
    if (!section || strcmp(before, plugin) == 0)
        return;
    struct yaml *next;
    for (struct yaml *child = section->first; child; child = next) {
        next = child->next;
        bool ours = strcmp(child->key, "plugin") == 0 || strcmp(child->key, "deadline") == 0;
        if (ours || child->key_line == 0)
            continue;
        config_note(config, "%s:%d:%d: \"%s\" is not used: --set %s=%s put another plugin here",
                    child->file, child->key_line, child->key_column, child->key, path, plugin);
        yaml_drop(section, child);
    }
}

static br_status config_set(struct config *config, const char *set, struct fail *ret_fail)
{
    const char *equals = strchr(set, '=');
    if (!equals || equals == set)
        return fail_set(ret_fail, BR_INVALID, "--set %s: must be KEY=VALUE, as store.plugin=sqlite",
                        set);
    const char *path = arena_text(&config->arena, set, (size_t) (equals - set));
    config_take_over(config, path, equals + 1);
    return yaml_set(&config->arena, config->root, path, equals + 1, ret_fail);
}

/* -- Sections ------------------------------------------------------------------------------------
 */

static br_status config_fill(struct config *config, const char *name,
                             const struct br_option *options, void *state, struct fail *ret_fail)
{
    const struct yaml *map = yaml_get(config->root, name);
    br_status status =
        option_fill(&config->arena, map, name, options, sizeof *options, NULL, state, ret_fail);
    if (status != BR_OK && !map)
        fail_prefix(ret_fail, "%s", config->root->file);
    return status;
}

/* Where a section's key stands, for messages; the section or the file where it does not. */
static const struct yaml *config_at(const struct config *config, const char *section,
                                    const char *key)
{
    const struct yaml *map = yaml_get(config->root, section);
    const struct yaml *at = yaml_get(map, key);
    return at ? at : map ? map : config->root;
}

static br_status config_check_level(const struct config *config, struct fail *ret_fail)
{
    static const char *const levels[] = { "stopped", "blind", "freezed", "steady", "lively", NULL };
    const char *key = "meta_function_level_on_start";
    const char *level = config->meta.meta_function_level_on_start;
    for (const char *const *known = levels; *known; known++) {
        if (strcmp(level, *known) == 0)
            return BR_OK;
    }
    return yaml_fail(config_at(config, "meta_server", key), ret_fail, BR_INVALID,
                     "%s (meta_server) must be one of stopped|blind|freezed|steady|lively; "
                     "not \"%s\"",
                     key, level);
}

/* Does `path` lie at or below root/apps?  Slashes that mean nothing are passed over. */
static bool config_under_apps(const char *path, const char *root)
{
    for (;;) {
        path += strspn(path, "/");
        root += strspn(root, "/");
        bool last = *root == '\0';
        const char *want = last ? "apps" : root;
        size_t size = strcspn(want, "/");
        if (strcspn(path, "/") != size || strncmp(path, want, size) != 0)
            return false;
        if (last)
            return true;
        path += size;
        root += size;
    }
}

static br_status config_check_meta(struct config *config, struct fail *ret_fail)
{
    struct config_meta *meta = &config->meta;
    size_t host;
    uint16_t port;
    if (!number_node(meta->listen, &host, &port))
        return yaml_fail(config_at(config, "meta_server", "listen"), ret_fail, BR_INVALID,
                         "listen (meta_server) must be host:port, not \"%s\"", meta->listen);
    for (const char *const *server = meta->server_list; *server; server++) {
        if (!number_node(*server, &host, &port))
            return yaml_fail(config_at(config, "meta_server", "server_list"), ret_fail, BR_INVALID,
                             "server_list (meta_server) must hold host:port each, not \"%s\"",
                             *server);
    }
    if (*meta->cluster_root == '\0')
        return yaml_fail(config_at(config, "meta_server", "cluster_root"), ret_fail, BR_INVALID,
                         "cluster_root (meta_server) must be a path, as /pegasus/NAME");
    if (!meta->lock_root || !*meta->lock_root)
        meta->lock_root = meta->cluster_root;
    if (config_under_apps(meta->lock_root, meta->cluster_root))
        return yaml_fail(config_at(config, "meta_server", "lock_root"), ret_fail, BR_INVALID,
                         "lock_root (meta_server) must not lie under cluster_root's apps, where "
                         "Pegasus takes everything for a table");
    return config_check_level(config, ret_fail);
}

static br_status config_check_replication(struct config *config, struct fail *ret_fail)
{
    struct config_replication *replication = &config->replication;
    if (*replication->cluster_name == '\0')
        return yaml_fail(config_at(config, "replication", "cluster_name"), ret_fail, BR_INVALID,
                         "cluster_name (replication) must not be empty");
    if (replication->fd_grace_seconds <= replication->fd_lease_seconds)
        return yaml_fail(config_at(config, "replication", "fd_grace_seconds"), ret_fail, BR_INVALID,
                         "fd_grace_seconds (replication) must be greater than fd_lease_seconds, "
                         "%lld: a server must stop serving before it counts as dead",
                         (long long) replication->fd_lease_seconds);
    replication->fd_lease = replication->fd_lease_seconds * BR_SECOND;
    replication->fd_grace = replication->fd_grace_seconds * BR_SECOND;
    return BR_OK;
}

/* -- Plugins -------------------------------------------------------------------------------------
 */

/* [a-z][a-z0-9]*: no path can hide in it.  more: further characters that are allowed. */
static bool config_name(const char *name, size_t max, const char *more)
{
    size_t size = strlen(name);
    if (size == 0 || size > max || *name < 'a' || *name > 'z')
        return false;
    for (; *name; name++) {
        bool plain = (*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9');
        if (!plain && !strchr(more, *name))
            return false;
    }
    return true;
}

/* The keys of `plugins:` that are plugins' names. */
static const char *const *config_plugin_names(struct config *config, const struct yaml *map)
{
    size_t count = 0;
    for (const struct yaml *at = map ? map->first : NULL; at; at = at->next)
        count++;
    const char **names = arena_zero(&config->arena, (count + 1) * sizeof *names);
    count = 0;
    for (const struct yaml *at = map ? map->first : NULL; at; at = at->next) {
        if (at->key && config_name(at->key, 2 * CONFIG_PLUGIN_NAME_MAX, "_")
            && strcmp(at->key, "path") != 0)
            names[count++] = at->key;
    }
    return names;
}

static br_status config_fill_enabled(struct config *config, const char *name, bool *ret_enabled,
                                     struct fail *ret_fail)
{
    const struct yaml *map = yaml_get(yaml_get(config->root, "plugins"), name);
    struct config_enabled enabled = { false };
    struct buf what = { 0 };
    buf_printf(&what, "plugins.%s", name);
    br_status status = option_fill(&config->arena, map, buf_string(&what), config_enabled_options,
                                   sizeof(struct br_option), NULL, &enabled, ret_fail);
    buf_done(&what);
    *ret_enabled = enabled.enabled;
    return status;
}

static br_status config_fill_plugins(struct config *config, struct fail *ret_fail)
{
    const struct yaml *map = yaml_get(config->root, "plugins");
    const char *const *names = config_plugin_names(config, map);
    struct config_plugins plugins = { NULL };
    br_status status = option_fill(&config->arena, map, "plugins", config_plugins_options,
                                   sizeof(struct br_option), names, &plugins, ret_fail);
    bool enabled;
    for (; status == BR_OK && *names; names++)
        status = config_fill_enabled(config, *names, &enabled, ret_fail);
    config->plugin_path = plugins.path;
    return status;
}

static br_status config_check_enabled(struct config *config, const struct config_plugin *plugin,
                                      struct fail *ret_fail)
{
    struct buf whole = { 0 };
    buf_printf(&whole, "%s_%s", plugin->kind, plugin->name);
    bool enabled, also;
    br_status status = config_fill_enabled(config, plugin->name, &enabled, ret_fail);
    if (status == BR_OK)
        status = config_fill_enabled(config, buf_string(&whole), &also, ret_fail);
    if (status == BR_OK && !(enabled && also)) {
        const char *key = enabled ? buf_string(&whole) : plugin->name;
        const struct yaml *at = plugin->section ? yaml_get(plugin->section, "plugin") : NULL;
        status = yaml_fail(at ? at : config_at(config, "plugins", key), ret_fail, BR_DENIED,
                           "%s %s is forbidden: plugins.%s.enabled is false", plugin->kind,
                           plugin->name, key);
    }
    buf_done(&whole);
    return status;
}

/* `plugin` and `deadline`; the other keys are checked when the plugin is loaded. */
static br_status config_fill_section(struct config *config, const char *name, const char *fallback,
                                     struct config_plugin *plugin, struct fail *ret_fail)
{
    static const struct yaml nothing = { .kind = YAML_MAP };
    struct config_section section = { 0 };
    struct br_option options[3];
    memcpy(options, config_section_options, sizeof options);
    options[0].flags = fallback ? 0 : BR_REQUIRED;
    options[0].fallback = fallback;
    const struct yaml *map = plugin->section ? plugin->section : &nothing;
    if (map->kind != YAML_MAP)
        return option_fill(&config->arena, map, name, options, sizeof *options, NULL, &section,
                           ret_fail);
    /* Not option_fill over the map itself: its other keys are the plugin's. */
    struct yaml own[2], view = *map;
    view.first = view.last = NULL;
    size_t count = 0;
    for (const char *const *key = config_plugin_keys; *key; key++) {
        const struct yaml *child = yaml_get(map, *key);
        if (!child)
            continue;
        own[count] = *child;
        own[count].next = view.first;
        view.first = &own[count++];
    }
    br_status status = option_fill(&config->arena, &view, name, options, sizeof *options, NULL,
                                   &section, ret_fail);
    if (status != BR_OK)
        return status;
    if (!config_name(section.plugin, CONFIG_PLUGIN_NAME_MAX, ""))
        return yaml_fail(yaml_get(map, "plugin"), ret_fail, BR_INVALID,
                         "plugin (%s) must be a name of a-z and 0-9, as sqlite; not \"%s\"", name,
                         section.plugin);
    plugin->name = section.plugin;
    plugin->deadline = section.deadline;
    return BR_OK;
}

/* "store", or "stores.NAME". */
static br_status config_find_section(struct config *config, const char *section,
                                     struct config_plugin *ret, struct fail *ret_fail)
{
    struct config_plugin plugin = { 0 };
    const char *fallback = NULL;
    for (const struct config_kind *kind = config_kinds; kind->kind; kind++) {
        if (strcmp(section, kind->kind) == 0) {
            plugin.kind = kind->kind;
            plugin.section = yaml_get(config->root, kind->kind);
            fallback = kind->plugin;
        }
    }
    if (strncmp(section, "stores.", 7) == 0) {
        plugin.kind = "store";
        plugin.section = yaml_get(yaml_get(config->root, "stores"), section + 7);
    }
    if (!plugin.kind || (!fallback && !plugin.section))
        return fail_set(ret_fail, BR_NOTFOUND, "%s: there is no section \"%s\"", config->root->file,
                        section);
    br_status status = config_fill_section(config, section, fallback, &plugin, ret_fail);
    if (status == BR_OK)
        *ret = plugin;
    return status;
}

br_status config_plugin(struct config *config, const char *section, struct config_plugin *ret,
                        struct fail *ret_fail)
{
    struct config_plugin plugin;
    br_status status = config_find_section(config, section, &plugin, ret_fail);
    if (status == BR_OK)
        status = config_check_enabled(config, &plugin, ret_fail);
    if (status == BR_OK)
        *ret = plugin;
    return status;
}

static br_status config_check_stores(struct config *config, struct fail *ret_fail)
{
    const struct yaml *stores = yaml_get(config->root, "stores");
    struct config_plugin plugin;
    if (stores && stores->kind != YAML_MAP)
        return yaml_fail(stores, ret_fail, BR_INVALID, "stores must be a map of named stores");
    br_status status = BR_OK;
    for (const struct yaml *at = stores ? stores->first : NULL; status == BR_OK && at;
         at = at->next) {
        if (!config_name(at->key, CONFIG_STORE_NAME_MAX, "_"))
            return yaml_fail_key(at, ret_fail, BR_INVALID,
                                 "a store's name must be of a-z, 0-9 and _, at most %d; not \"%s\"",
                                 CONFIG_STORE_NAME_MAX, at->key);
        struct buf name = { 0 };
        buf_printf(&name, "stores.%s", at->key);
        status = config_find_section(config, buf_string(&name), &plugin, ret_fail);
        buf_done(&name);
    }
    return status;
}

/* -- The whole -----------------------------------------------------------------------------------
 */

static br_status config_check_sections(const struct config *config, struct fail *ret_fail)
{
    for (const struct yaml *at = config->root->first; at; at = at->next) {
        const char *const *known = config_sections;
        while (*known && strcmp(at->key, *known) != 0)
            known++;
        if (!*known)
            return option_unknown(at, "the configuration", config_sections, ret_fail);
    }
    return BR_OK;
}

static br_status config_fill_all(struct config *config, struct fail *ret_fail)
{
    struct {
        const char *name;
        const struct br_option *options;
        void *state;
    } sections[] = {
        { "meta_server", config_meta_options, &config->meta },
        { "replication", config_replication_options, &config->replication },
        { "recovery", config_recovery_options, &config->recovery },
        { "log", config_log_options, &config->log },
        { "limits", config_limits_options, &config->limits },
    };
    br_status status = config_check_sections(config, ret_fail);
    for (size_t i = 0; status == BR_OK && i < sizeof sections / sizeof *sections; i++)
        status =
            config_fill(config, sections[i].name, sections[i].options, sections[i].state, ret_fail);
    if (status == BR_OK)
        status = config_check_meta(config, ret_fail);
    if (status == BR_OK)
        status = config_check_replication(config, ret_fail);
    if (status == BR_OK)
        status = config_fill_plugins(config, ret_fail);
    if (status == BR_OK)
        status = config_fill_apps(config, ret_fail);
    struct config_plugin plugin;
    for (const struct config_kind *kind = config_kinds; status == BR_OK && kind->kind; kind++)
        status = config_find_section(config, kind->kind, &plugin, ret_fail);
    return status == BR_OK ? config_check_stores(config, ret_fail) : status;
}

static br_status config_build(struct config *config, const char *const *sets, struct fail *ret_fail)
{
    br_status status = BR_OK;
    if (config->root->kind != YAML_MAP)
        status = yaml_fail(config->root, ret_fail, BR_INVALID,
                           "the configuration must be a map of sections; here is %s",
                           yaml_kind_text(config->root->kind));
    for (; status == BR_OK && sets && *sets; sets++)
        status = config_set(config, *sets, ret_fail);
    return status == BR_OK ? config_fill_all(config, ret_fail) : status;
}

br_status config_parse(struct config *config, const char *file, const char *text, size_t size,
                       const char *const *sets, struct fail *ret_fail)
{
    memset(config, 0, sizeof *config);
    arena_init(&config->arena, 0);
    br_status status = yaml_parse(&config->arena, file, text, size, &config->root, ret_fail);
    if (status == BR_OK)
        status = config_build(config, sets, ret_fail);
    if (status != BR_OK)
        config_done(config);
    return status;
}

br_status config_load(struct config *config, const char *file, const char *const *sets,
                      struct fail *ret_fail)
{
    memset(config, 0, sizeof *config);
    arena_init(&config->arena, 0);
    br_status status = yaml_load(&config->arena, file, &config->root, ret_fail);
    if (status == BR_OK)
        status = config_build(config, sets, ret_fail);
    if (status != BR_OK)
        config_done(config);
    return status;
}

void config_done(struct config *config)
{
    arena_done(&config->arena);
    memset(config, 0, sizeof *config);
}
