/* test_config -- bridled.yaml as a whole: shipped files, sections, --set, plugins' sections. */
#include "t/test_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/config/config.h"

#define MINIMAL                                                                                    \
    "meta_server: {listen: \"h:1\", cluster_root: /r}\n"                                           \
    "replication: {cluster_name: c}\n"

struct loaded {
    struct config config;
    struct fail fail;
    char *file;
};

static br_status load(struct loaded *loaded, const char *text, const char *const *sets)
{
    char *directory = test_directory();
    struct buf path = { 0 };
    buf_printf(&path, "%s/f.yaml", directory);
    FILE *out = fopen(path.data, "w");
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(text, 1, strlen(text), out), strlen(text));
    fclose(out);
    memset(loaded, 0, sizeof *loaded);
    br_status status = config_load(&loaded->config, path.data, sets, &loaded->fail);
    loaded->file = path.data;
    free(directory);
    return status;
}

static void load_ok(struct loaded *loaded, const char *text, const char *const *sets)
{
    br_status status = load(loaded, text, sets);
    ck_assert_msg(status == BR_OK, "%s", loaded->fail.text);
}

static void unload(struct loaded *loaded)
{
    config_done(&loaded->config);
    free(loaded->file);
}

/* The sentence without the file's directory. */
static const char *sentence(const struct loaded *loaded)
{
    size_t size = strlen(loaded->file);
    const char *text = loaded->fail.text;
    return strncmp(text, loaded->file, size) == 0 ? text + size - strlen("f.yaml") : text;
}

START_TEST(defaults)
{
    struct loaded loaded;
    load_ok(&loaded, MINIMAL, NULL);
    const struct config *config = &loaded.config;
    ck_assert_str_eq(config->meta.listen, "h:1");
    ck_assert_ptr_null(config->meta.server_list[0]);
    ck_assert_str_eq(config->meta.lock_root, "/r");
    ck_assert(!config->meta.recover_from_replica_server);
    ck_assert_str_eq(config->meta.meta_function_level_on_start, "steady");
    ck_assert_int_eq(config->meta.min_live_node_count_for_unfreeze, 3);
    ck_assert_int_eq(config->meta.pegasus_version, 0);
    ck_assert_int_eq(config->replication.fd_lease, 20 * BR_SECOND);
    ck_assert_int_eq(config->replication.fd_grace, 22 * BR_SECOND);
    ck_assert_int_eq(config->recovery.parallel, 64);
    ck_assert_int_eq(config->recovery.node_deadline, 5 * BR_SECOND);
    ck_assert_int_eq(config->recovery.retries, 1);
    ck_assert_ptr_null(config->recovery.consents[0]);
    ck_assert_int_eq(config->log.level, BR_INFO);
    ck_assert_uint_eq(config->limits.frame_size, 64 << 20);
    ck_assert_int_eq(config->limits.connections, 4096);
    ck_assert_int_eq(config->limits.idle, 10 * BR_MINUTE);
    ck_assert_ptr_null(config->plugin_path[0]);
    ck_assert_ptr_null(config->notes[0]);
    unload(&loaded);
}
END_TEST

static const char *const kinds[][2] = {
    { "store", "sqlite" },
    { "transport", "rdsn" },
    { "policy", "pegasus" },
};

START_TEST(default_plugins)
{
    struct loaded loaded;
    load_ok(&loaded, MINIMAL, NULL);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct config_plugin plugin;
        ck_assert_int_eq(config_plugin(&loaded.config, kinds[i][0], &plugin, &loaded.fail), BR_OK);
        ck_assert_str_eq(plugin.kind, kinds[i][0]);
        ck_assert_str_eq(plugin.name, kinds[i][1]);
        ck_assert_int_eq(plugin.deadline, 5 * BR_SECOND);
        ck_assert_ptr_null(plugin.section);
    }
    struct config_plugin plugin;
    ck_assert_int_eq(config_plugin(&loaded.config, "stores.x", &plugin, &loaded.fail), BR_NOTFOUND);
    ck_assert_int_eq(config_plugin(&loaded.config, "log", &plugin, &loaded.fail), BR_NOTFOUND);
    unload(&loaded);
}
END_TEST

START_TEST(everything_given)
{
    struct loaded loaded;
    load_ok(&loaded,
            "meta_server:\n"
            "  listen: a:34601\n"
            "  server_list: [\"a:34601\", \"b:34601\"]\n"
            "  cluster_root: /x\n"
            "  lock_root: /x/lock\n"
            "  recover_from_replica_server: true\n"
            "  meta_function_level_on_start: blind\n"
            "  min_live_node_count_for_unfreeze: 0\n"
            "  pegasus_version: 2.6\n"
            "replication: {cluster_name: c, fd_lease_seconds: 9, fd_grace_seconds: 10}\n"
            "recovery: {parallel: 1, node_deadline: 250ms, retries: 0, consents: [one, two]}\n"
            "log: {level: debug}\n"
            "limits: {frame_size: 1MiB, connections: 10, idle: 1min}\n"
            "plugins: {path: [/p, /q], memory: {enabled: true}}\n"
            "store: {plugin: memory, deadline: 1s, odd: 1}\n"
            "stores: {old: {plugin: zookeeper, hosts: \"h:1\", deadline: 2s}}\n",
            NULL);
    struct config *config = &loaded.config;
    ck_assert_str_eq(config->meta.server_list[1], "b:34601");
    ck_assert_str_eq(config->meta.lock_root, "/x/lock");
    ck_assert(config->meta.recover_from_replica_server);
    ck_assert_str_eq(config->meta.meta_function_level_on_start, "blind");
    ck_assert_int_eq(config->meta.pegasus_version, 1);
    ck_assert_int_eq(config->replication.fd_grace, 10 * BR_SECOND);
    ck_assert_str_eq(config->recovery.consents[1], "two");
    ck_assert_int_eq(config->recovery.retries, 0);
    ck_assert_int_eq(config->log.level, BR_DEBUG);
    ck_assert_str_eq(config->plugin_path[1], "/q");
    struct config_plugin plugin;
    ck_assert_int_eq(config_plugin(config, "stores.old", &plugin, &loaded.fail), BR_OK);
    ck_assert_str_eq(plugin.kind, "store");
    ck_assert_str_eq(plugin.name, "zookeeper");
    ck_assert_int_eq(plugin.deadline, 2 * BR_SECOND);
    ck_assert_str_eq(yaml_get(plugin.section, "hosts")->text, "h:1");
    ck_assert_int_eq(config_plugin(config, "store", &plugin, &loaded.fail), BR_OK);
    ck_assert_ptr_nonnull(yaml_get(plugin.section, "odd"));
    unload(&loaded);
}
END_TEST

static const char *const bad[][2] = {
    { "[a]\n", "f.yaml:1:1: the configuration must be a map of sections; here is a list" },
    { "a: &x 1\n", "f.yaml:1:4: anchors (&x) are not allowed: write the value out" },
    { "replication: {cluster_name: c}\n",
      "f.yaml: meta_server needs the key \"listen\": host:port where it listens, and its name for "
      "the other servers." },
    { "meta_server: {listen: \"h:1\"}\n",
      "f.yaml:1:14: meta_server needs the key \"cluster_root\": The path in the store under which "
      "the metadata lie." },
    { "metaserver: {}\n",
      "f.yaml:1:1: unknown key \"metaserver\" in the configuration: did you mean "
      "\"meta_server\"?" },
    { "zookeeper: {}\n",
      "f.yaml:1:1: unknown key \"zookeeper\" in the configuration, which knows: meta_server, "
      "replication, recovery, log, limits, plugins, store, transport, policy, stores, apps" },
    { "meta_server: {listen: h, cluster_root: /r}\nreplication: {cluster_name: c}\n",
      "f.yaml:1:23: listen (meta_server) must be host:port, not \"h\"" },
    { "meta_server: {listen: \"h:1\", cluster_root: /r, server_list: [\"h:0\"]}\n"
      "replication: {cluster_name: c}\n",
      "f.yaml:1:61: server_list (meta_server) must hold host:port each, not \"h:0\"" },
    { "meta_server: {listen: \"h:1\", cluster_root: \"\"}\n"
      "replication: {cluster_name: c}\n",
      "f.yaml:1:44: cluster_root (meta_server) must be a path, as /pegasus/NAME" },
    { "meta_server: {listen: \"h:1\", cluster_root: /r, lock_root: //r//apps/x}\n"
      "replication: {cluster_name: c}\n",
      "f.yaml:1:59: lock_root (meta_server) must not lie under cluster_root's apps, where Pegasus "
      "takes everything for a table" },
    { "meta_server: {listen: \"h:1\", cluster_root: /, lock_root: apps}\n"
      "replication: {cluster_name: c}\n",
      "f.yaml:1:58: lock_root (meta_server) must not lie under cluster_root's apps, where Pegasus "
      "takes everything for a table" },
    { "meta_server: {listen: \"h:1\", cluster_root: /r, meta_function_level_on_start: Steady}\n"
      "replication: {cluster_name: c}\n",
      "f.yaml:1:78: meta_function_level_on_start (meta_server) must be one of "
      "stopped|blind|freezed|steady|lively; not \"Steady\"" },
    { "meta_server: {listen: \"h:1\", cluster_root: /r, recover_from_replica_server: yes}\n",
      "f.yaml:1:77: recover_from_replica_server (meta_server) must be true or false, not \"yes\"" },
    { "meta_server: {listen: \"h:1\", cluster_root: /r, pegasus_version: 2.4}\n",
      "f.yaml:1:65: pegasus_version (meta_server) must be one of 2.5|2.6; not \"2.4\"" },
    { "meta_server:\nreplication: {cluster_name: c}\n",
      "f.yaml:1:13: meta_server must be a map of keys; here is nothing: leave the key out for "
      "defaults" },
    { "meta_server: {listen: \"h:1\", cluster_root: /r}\nreplication: {cluster_name: \"\"}\n",
      "f.yaml:2:29: cluster_name (replication) must not be empty" },
    { "meta_server: {listen: \"h:1\", cluster_root: /r}\n"
      "replication: {cluster_name: c, fd_grace_seconds: 20}\n",
      "f.yaml:2:50: fd_grace_seconds (replication) must be greater than fd_lease_seconds, 20: a "
      "server must stop serving before it counts as dead" },
    { MINIMAL "log: {level: loud}\n",
      "f.yaml:3:14: level (log) must be one of error|warn|info|debug; not \"loud\"" },
    { MINIMAL "limits: {frame_size: 1KiB}\n",
      "f.yaml:3:22: frame_size (limits) must be between 64KiB and 256MiB, not 1KiB" },
    { MINIMAL "plugins: [x]\n", "f.yaml:3:10: plugins must be a map of keys; here is a list" },
    { MINIMAL "plugins: {memory: false}\n",
      "f.yaml:3:19: plugins.memory must be a map of keys; here is a single value" },
    { MINIMAL "plugins: {memory: {enable: false}}\n",
      "f.yaml:3:20: unknown key \"enable\" in plugins.memory: did you mean \"enabled\"?" },
    { MINIMAL "plugins: {memory: {enabled: no}}\n",
      "f.yaml:3:29: enabled (plugins.memory) must be true or false, not \"no\"" },
    { MINIMAL "plugins: {Path: [x]}\n",
      "f.yaml:3:11: unknown key \"Path\" in plugins: did you mean \"path\"?" },
    { MINIMAL "store: sqlite\n",
      "f.yaml:3:8: store must be a map of keys; here is a single value" },
    { MINIMAL "store: {plugin: ../x}\n",
      "f.yaml:3:17: plugin (store) must be a name of a-z and 0-9, as sqlite; not \"../x\"" },
    { MINIMAL "policy: {deadline: 5}\n",
      "f.yaml:3:20: deadline (policy) must be a whole number with its unit (250ms, 10s, 5min, 1h; "
      "units: ns us ms s min h); not \"5\"" },
    { MINIMAL "stores: [x]\n", "f.yaml:3:9: stores must be a map of named stores" },
    { MINIMAL "stores: {old: {hosts: h}}\n",
      "f.yaml:3:15: stores.old needs the key \"plugin\": The plugin's name, as in store_NAME.so." },
    { MINIMAL "stores: {a.b: {plugin: x}}\n",
      "f.yaml:3:10: a store's name must be of a-z, 0-9 and _, at most 32; not \"a.b\"" },
};

START_TEST(refused)
{
    struct loaded loaded;
    ck_assert_int_eq(load(&loaded, bad[_i][0], NULL), BR_INVALID);
    ck_assert_str_eq(sentence(&loaded), bad[_i][1]);
    unload(&loaded);
}
END_TEST

START_TEST(name_limits)
{
    struct loaded loaded;
    struct buf text = { 0 };
    buf_text(&text, MINIMAL "store: {plugin: ");
    for (int i = 0; i < CONFIG_PLUGIN_NAME_MAX; i++)
        buf_char(&text, 'p');
    size_t name = text.size;
    buf_text(&text, "}\n");
    load_ok(&loaded, text.data, NULL);
    unload(&loaded);
    text.data[name] = 'p';
    text.data[name + 1] = '}';
    ck_assert_int_eq(load(&loaded, text.data, NULL), BR_INVALID);
    ck_assert_ptr_nonnull(strstr(loaded.fail.text, "must be a name of a-z and 0-9"));
    unload(&loaded);
    buf_clear(&text);
    buf_text(&text, MINIMAL "stores: {");
    for (int i = 0; i < CONFIG_STORE_NAME_MAX; i++)
        buf_char(&text, 's');
    name = text.size;
    buf_text(&text, ": {plugin: x}}\n");
    load_ok(&loaded, text.data, NULL);
    unload(&loaded);
    buf_clear(&text);
    buf_text(&text, MINIMAL "stores: {");
    for (int i = 0; i <= CONFIG_STORE_NAME_MAX; i++)
        buf_char(&text, 's');
    buf_text(&text, ": {plugin: x}}\n");
    ck_assert_int_eq(load(&loaded, text.data, NULL), BR_INVALID);
    unload(&loaded);
    buf_done(&text);
}
END_TEST

START_TEST(disabled)
{
    static const char *const names[] = { "memory", "store_memory" };
    for (size_t i = 0; i < 2; i++) {
        struct loaded loaded;
        struct buf text = { 0 };
        buf_printf(&text, MINIMAL "store: {plugin: memory}\nplugins: {%s: {enabled: false}}\n",
                   names[i]);
        load_ok(&loaded, text.data, NULL);
        struct config_plugin plugin;
        ck_assert_int_eq(config_plugin(&loaded.config, "store", &plugin, &loaded.fail), BR_DENIED);
        buf_clear(&text);
        buf_printf(&text, "f.yaml:3:17: store memory is forbidden: plugins.%s.enabled is false",
                   names[i]);
        ck_assert_str_eq(sentence(&loaded), text.data);
        ck_assert_int_eq(config_plugin(&loaded.config, "policy", &plugin, &loaded.fail), BR_OK);
        buf_done(&text);
        unload(&loaded);
    }
    /* A default plugin stands nowhere, so the message points to what forbids it. */
    struct loaded loaded;
    load_ok(&loaded, MINIMAL "plugins: {policy_pegasus: {enabled: false}}\n", NULL);
    struct config_plugin plugin;
    ck_assert_int_eq(config_plugin(&loaded.config, "policy", &plugin, &loaded.fail), BR_DENIED);
    ck_assert_str_eq(sentence(&loaded), "f.yaml:3:27: policy pegasus is forbidden: "
                                        "plugins.policy_pegasus.enabled is false");
    unload(&loaded);
}
END_TEST

START_TEST(set)
{
    static const char *const sets[] = {
        "meta_server.cluster_root=/other",
        "meta_server.cluster_root=/last",
        "log.level=error",
        "recovery.consents=[a, b]",
        "plugins.path=[/x]",
        "store.plugin=memory",
        "stores.copy.plugin=sqlite",
        NULL,
    };
    struct loaded loaded;
    load_ok(&loaded, MINIMAL, sets);
    ck_assert_str_eq(loaded.config.meta.cluster_root, "/last");
    ck_assert_int_eq(loaded.config.log.level, BR_ERROR);
    ck_assert_str_eq(loaded.config.recovery.consents[1], "b");
    ck_assert_str_eq(loaded.config.plugin_path[0], "/x");
    struct config_plugin plugin;
    ck_assert_int_eq(config_plugin(&loaded.config, "store", &plugin, &loaded.fail), BR_OK);
    ck_assert_str_eq(plugin.name, "memory");
    ck_assert_int_eq(config_plugin(&loaded.config, "stores.copy", &plugin, &loaded.fail), BR_OK);
    ck_assert_str_eq(plugin.name, "sqlite");
    unload(&loaded);
}
END_TEST

static const char *const bad_sets[][2] = {
    { "log.level=loud",
      "--set log.level: level (log) must be one of error|warn|info|debug; not \"loud\"" },
    { "log.levl=info", "--set log.levl: unknown key \"levl\" in log: did you mean \"level\"?" },
    { "logs.level=info",
      "--set logs.level: unknown key \"logs\" in the configuration: did you mean \"log\"?" },
    { "log.level", "--set log.level: must be KEY=VALUE, as store.plugin=sqlite" },
    { "=x", "--set =x: must be KEY=VALUE, as store.plugin=sqlite" },
    { "log=x", "--set log: log must be a map of keys; here is a single value" },
    { "replication=x",
      "--set replication: \"replication\" is a map: name one of its keys, \"replication.KEY\"" },
    { "recovery.consents=a", "--set recovery.consents: consents (recovery) must be a list, as "
                             "[a, b]; here is a single value" },
    { "recovery.consents=[a",
      "--set recovery.consents:2:1: did not find expected ',' or ']' (while "
      "parsing a flow sequence that began at 1:1)" },
    { "store.plugin=no/name",
      "--set store.plugin: plugin (store) must be a name of a-z and 0-9, as "
      "sqlite; not \"no/name\"" },
};

START_TEST(set_refused)
{
    struct loaded loaded;
    const char *const sets[] = { bad_sets[_i][0], NULL };
    ck_assert_int_eq(load(&loaded, MINIMAL, sets), BR_INVALID);
    ck_assert_str_eq(loaded.fail.text, bad_sets[_i][1]);
    unload(&loaded);
}
END_TEST

/* One file, two deployments: the other plugin does not meet the options of the file's. */
START_TEST(set_other_plugin)
{
    static const char text[] = MINIMAL "store: {plugin: zookeeper, hosts: \"z:1\", deadline: 9s}\n"
                                       "stores: {old: {plugin: zookeeper, hosts: \"z:1\"}}\n";
    static const char *const other[] = { "store.file=/x", "store.plugin=sqlite",
                                         "stores.old.plugin=memory", NULL };
    static const char *const same[] = { "store.plugin=zookeeper", "stores.old.hosts=y", NULL };
    struct loaded loaded;
    load_ok(&loaded, text, other);
    struct config_plugin plugin;
    ck_assert_int_eq(config_plugin(&loaded.config, "store", &plugin, &loaded.fail), BR_OK);
    ck_assert_str_eq(plugin.name, "sqlite");
    ck_assert_int_eq(plugin.deadline, 9 * BR_SECOND);
    ck_assert_ptr_null(yaml_get(plugin.section, "hosts"));
    ck_assert_str_eq(yaml_get(plugin.section, "file")->text, "/x");
    ck_assert_ptr_nonnull(strstr(loaded.config.notes[0],
                                 "f.yaml:3:28: \"hosts\" is not used: --set store.plugin=sqlite "
                                 "put another plugin here"));
    ck_assert_ptr_nonnull(strstr(loaded.config.notes[1], "f.yaml:4:35: \"hosts\" is not used"));
    ck_assert_ptr_null(loaded.config.notes[2]);
    unload(&loaded);
    load_ok(&loaded, text, same);
    ck_assert_int_eq(config_plugin(&loaded.config, "store", &plugin, &loaded.fail), BR_OK);
    ck_assert_str_eq(yaml_get(plugin.section, "hosts")->text, "z:1");
    ck_assert_ptr_null(loaded.config.notes[0]);
    unload(&loaded);
}
END_TEST

START_TEST(limit_notes)
{
    static const char *const other[] = { "store.plugin=sqlite", NULL };
    struct loaded loaded;
    struct buf text = { 0 };
    buf_text(&text, MINIMAL "store:\n  plugin: x\n");
    for (int i = 0; i < CONFIG_NOTES_MAX + 3; i++)
        buf_printf(&text, "  k%d: 1\n", i);
    load_ok(&loaded, text.data, other);
    ck_assert_str_eq(loaded.config.notes[CONFIG_NOTES_MAX - 1],
                     "more of the file's keys are not used");
    ck_assert_ptr_null(loaded.config.notes[CONFIG_NOTES_MAX]);
    unload(&loaded);
    buf_done(&text);
}
END_TEST

/* -- The files that are shipped -----------------------------------------------------------------
 */

static const char *const shipped[][2] = {
    { "conf/bridled.yaml", "/pegasus/mycluster" },    { "conf/onebox.yaml", "/pegasus/onebox" },
    { "conf/replay.yaml", "/pegasus/rehearsal" },     { "conf/scan.yaml", "/pegasus/scanned" },
    { "conf/zookeeper.yaml", "/pegasus/production" },
};

START_TEST(shipped_files)
{
    char *path = test_source(shipped[_i][0]);
    struct loaded loaded = { .file = path };
    br_status status = config_load(&loaded.config, path, NULL, &loaded.fail);
    ck_assert_msg(status == BR_OK, "%s", loaded.fail.text);
    ck_assert_str_eq(loaded.config.meta.cluster_root, shipped[_i][1]);
    ck_assert_str_eq(loaded.config.meta.lock_root, shipped[_i][1]);
    ck_assert(!loaded.config.meta.recover_from_replica_server);
    struct config_plugin plugin;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        ck_assert_int_eq(config_plugin(&loaded.config, kinds[i][0], &plugin, &loaded.fail), BR_OK);
    unload(&loaded);
}
END_TEST

/* The reference says every default as it is: what must be given apart, loading it changes nothing.
 */
START_TEST(reference_tells_defaults)
{
    char *path = test_source(shipped[0][0]);
    struct loaded minimal;
    load_ok(&minimal, MINIMAL, NULL);
    struct loaded loaded = { .file = path };
    ck_assert_int_eq(config_load(&loaded.config, path, NULL, &loaded.fail), BR_OK);
    const struct config *a = &minimal.config, *b = &loaded.config;
    ck_assert_str_eq(a->meta.meta_function_level_on_start, b->meta.meta_function_level_on_start);
    ck_assert_int_eq(a->meta.min_live_node_count_for_unfreeze,
                     b->meta.min_live_node_count_for_unfreeze);
    ck_assert_int_eq(a->meta.pegasus_version, b->meta.pegasus_version);
    ck_assert_int_eq(a->meta.node_live_percentage_threshold_for_update,
                     b->meta.node_live_percentage_threshold_for_update);
    ck_assert_int_eq(a->meta.hold_seconds_for_dropped_app, b->meta.hold_seconds_for_dropped_app);
    ck_assert_int_eq(a->meta.max_allowed_replica_count, b->meta.max_allowed_replica_count);
    ck_assert_int_eq(a->meta.add_secondary_max_count_for_one_node,
                     b->meta.add_secondary_max_count_for_one_node);
    ck_assert_int_eq(a->meta.max_succssive_unstable_restart,
                     b->meta.max_succssive_unstable_restart);
    ck_assert_int_eq(a->meta.min_table_id, b->meta.min_table_id);
    ck_assert_int_eq(a->meta.replica_assign_delay, b->meta.replica_assign_delay);
    ck_assert_int_eq(a->meta.stable_rs_min_running, b->meta.stable_rs_min_running);
    ck_assert_int_eq(a->meta.lb_interval, b->meta.lb_interval);
    ck_assert_ptr_null(b->meta.replica_white_list[0]);
    ck_assert_int_eq(a->replication.mutation_2pc_min_replica_count,
                     b->replication.mutation_2pc_min_replica_count);
    ck_assert_int_eq(a->recovery.hot, b->recovery.hot);
    ck_assert_uint_eq(b->app_count, 0);
    ck_assert_int_eq(a->replication.fd_lease, b->replication.fd_lease);
    ck_assert_int_eq(a->replication.fd_grace, b->replication.fd_grace);
    ck_assert_int_eq(a->recovery.parallel, b->recovery.parallel);
    ck_assert_int_eq(a->recovery.node_deadline, b->recovery.node_deadline);
    ck_assert_int_eq(a->recovery.retries, b->recovery.retries);
    ck_assert_ptr_null(b->recovery.consents[0]);
    ck_assert_int_eq(a->log.level, b->log.level);
    ck_assert_uint_eq(a->limits.frame_size, b->limits.frame_size);
    ck_assert_int_eq(a->limits.connections, b->limits.connections);
    ck_assert_int_eq(a->limits.idle, b->limits.idle);
    ck_assert_ptr_null(b->plugin_path[0]);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct config_plugin ours, theirs;
        struct fail fail;
        ck_assert_int_eq(config_plugin(&minimal.config, kinds[i][0], &ours, &fail), BR_OK);
        ck_assert_int_eq(config_plugin(&loaded.config, kinds[i][0], &theirs, &fail), BR_OK);
        ck_assert_str_eq(ours.name, theirs.name);
        ck_assert_int_eq(ours.deadline, theirs.deadline);
    }
    unload(&minimal);
    unload(&loaded);
}
END_TEST

static size_t lines_with(const char *text, const char *word, size_t *ret_words)
{
    size_t lines = 0;
    *ret_words = 0;
    while (*text) {
        size_t size = strcspn(text, "\n");
        size_t words = 0;
        for (size_t i = 0; i < size; i++)
            words += strncmp(text + i, word, strlen(word)) == 0;
        lines += words > 0;
        *ret_words += words;
        text += size + (text[size] == '\n');
    }
    return lines;
}

/* The two `sed` edits by which an operator enters recovery: the root on two lines, the flag on one,
 * each once on its line. */
START_TEST(sed_edits)
{
    char *path = test_source(shipped[_i][0]);
    struct buf text = { 0 };
    ck_assert(test_read(path, &text));
    size_t words;
    ck_assert_uint_eq(lines_with(text.data, shipped[_i][1], &words), 2);
    ck_assert_uint_eq(words, 2);
    ck_assert_uint_eq(lines_with(text.data, "recover_from_replica_server: false", &words), 1);
    ck_assert_uint_eq(words, 1);
    struct buf command = { 0 };
    char *directory = test_directory();
    buf_printf(&command,
               "sed -e 's@%s@%s_recovery@' -e 's@recover_from_replica_server: "
               "false@recover_from_replica_server: true@' '%s' > '%s/f.yaml'",
               shipped[_i][1], shipped[_i][1], path, directory);
    ck_assert_int_eq(system(command.data), 0);
    buf_clear(&command);
    buf_printf(&command, "%s/f.yaml", directory);
    struct loaded loaded = { .file = command.data };
    br_status status = config_load(&loaded.config, command.data, NULL, &loaded.fail);
    ck_assert_msg(status == BR_OK, "%s", loaded.fail.text);
    ck_assert(loaded.config.meta.recover_from_replica_server);
    buf_clear(&text);
    buf_printf(&text, "%s_recovery", shipped[_i][1]);
    ck_assert_str_eq(loaded.config.meta.cluster_root, text.data);
    ck_assert_str_eq(loaded.config.meta.lock_root, text.data);
    unload(&loaded);
    buf_done(&text);
    free(directory);
    free(path);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("config");
    tcase_add_test(tcase, defaults);
    tcase_add_test(tcase, default_plugins);
    tcase_add_test(tcase, everything_given);
    tcase_add_loop_test(tcase, refused, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, name_limits);
    tcase_add_test(tcase, disabled);
    tcase_add_test(tcase, set);
    tcase_add_loop_test(tcase, set_refused, 0, sizeof bad_sets / sizeof *bad_sets);
    tcase_add_test(tcase, set_other_plugin);
    tcase_add_test(tcase, limit_notes);
    tcase_add_loop_test(tcase, shipped_files, 0, sizeof shipped / sizeof *shipped);
    tcase_add_test(tcase, reference_tells_defaults);
    tcase_add_loop_test(tcase, sed_edits, 0, sizeof shipped / sizeof *shipped);
    return test_run("config", test_config_yaml(), test_config_option(), test_config_apps(), tcase,
                    NULL);
}
