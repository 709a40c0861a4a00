/* apps -- the section `apps`: tables that an empty cluster begins with
 * (src/meta/server_state.cpp: initialize_default_apps).
 */
#include <stdlib.h>
#include <string.h>

#include "host/config/config.h"

static const struct br_option app_options[] = {
    BR_STRING(struct config_app, app_type, .fallback = "pegasus",
              .help = "What its replicas are; pegasus."),
    BR_INTEGER(struct config_app, partition_count, .fallback = "1", .min = 1,
               .max = BR_PARTITIONS_MAX, .help = "Its partitions."),
    BR_INTEGER(struct config_app, max_replica_count, .fallback = "3", .min = 1, .max = BR_DROPS_MAX,
               .help = "Replicas of each partition."),
    BR_LIST(struct config_app, envs, .fallback = "[]", .help = "Environments, key=value each."),
    { 0 },
};

static int app_compare(const void *a, const void *b)
{
    const struct config_app *x = a;
    const struct config_app *y = b;
    return strcmp(x->name, y->name);
}

/* src/client/replication_ddl_client.cpp: validate_app_name. */
bool config_table_name(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > BR_NAME_MAX)
        return false;
    for (; *name; name++) {
        bool plain = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z')
                     || (*name >= '0' && *name <= '9');
        if (!plain && !strchr("._:", *name))
            return false;
    }
    return true;
}

static br_status app_fill(struct config *config, const struct yaml *at, struct config_app *app,
                          struct fail *ret_fail)
{
    if (!config_table_name(at->key))
        return yaml_fail_key(at, ret_fail, BR_INVALID,
                             "a table's name (apps) is of letters, digits, '.', '_' and ':', at "
                             "most %d; not \"%.64s\"",
                             BR_NAME_MAX, at->key);
    br_status status = option_fill(&config->arena, at, at->key, app_options, sizeof *app_options,
                                   NULL, app, ret_fail);
    app->name = at->key;
    for (const char *const *env = app->envs; status == BR_OK && *env; env++) {
        const char *equals = strchr(*env, '=');
        if (!equals || equals == *env)
            status =
                yaml_fail(at, ret_fail, BR_INVALID,
                          "envs (apps.%s) must hold key=value each, not \"%.64s\"", at->key, *env);
    }
    return status;
}

br_status config_fill_apps(struct config *config, struct fail *ret_fail)
{
    const struct yaml *map = yaml_get(config->root, "apps");
    if (!map)
        return BR_OK;
    if (map->kind != YAML_MAP)
        return yaml_fail(map, ret_fail, BR_INVALID, "apps must be a map of tables");
    uint32_t count = 0;
    for (const struct yaml *at = map->first; at; at = at->next)
        count++;
    if (count > CONFIG_APPS_MAX)
        return yaml_fail(map, ret_fail, BR_TOOBIG, "apps names more than %d tables",
                         CONFIG_APPS_MAX);
    config->apps = arena_zero(&config->arena, (count + 1u) * sizeof *config->apps);
    br_status status = BR_OK;
    for (const struct yaml *at = map->first; at && status == BR_OK; at = at->next)
        status = app_fill(config, at, &config->apps[config->app_count++], ret_fail);
    qsort(config->apps, config->app_count, sizeof *config->apps, app_compare);
    return status;
}
