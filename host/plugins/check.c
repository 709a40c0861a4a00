/* check -- a descriptor's every field, before any code of the plugin runs.  It is read only as far
 * as its own size says, through copies, so that plugins of an older minor version pass.
 */
#include "host/plugins/check.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include "host/plugins/loader.h"

struct check_method {
    const char *name; /* NULL: the last */
    size_t offset;
};

struct check_kind {
    const char *name;
    size_t ops_size;
    struct check_method required[4];
};

static const struct check_kind check_kinds[] = {
    { "store",
      sizeof(struct br_store),
      { { "read", offsetof(struct br_store, read) },
        { "list", offsetof(struct br_store, list) },
        { "commit", offsetof(struct br_store, commit) } } },
    { "transport",
      sizeof(struct br_transport),
      { { "tables", offsetof(struct br_transport, tables) },
        { "replicas", offsetof(struct br_transport, replicas) } } },
    { "policy",
      sizeof(struct br_policy),
      { { "table", offsetof(struct br_policy, table) },
        { "names", offsetof(struct br_policy, names) },
        { "partition", offsetof(struct br_policy, partition) } } },
};

static const struct check_kind *check_kind(const char *name)
{
    for (size_t i = 0; i < sizeof check_kinds / sizeof *check_kinds; i++)
        if (strcmp(check_kinds[i].name, name) == 0)
            return &check_kinds[i];
    return NULL;
}

static bool check_word(const char *text, const char *more)
{
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789");
    while (text[size] && strchr(more, text[size]))
        size += 1 + strspn(text + size + 1, "abcdefghijklmnopqrstuvwxyz0123456789");
    return text[0] >= 'a' && text[0] <= 'z' && !text[size];
}

br_status check_names(const char *kind, const char *name, struct fail *ret_fail)
{
    if (!check_kind(kind))
        return fail_set(ret_fail, BR_INVALID,
                        "\"%s\": no kind of plugin: it is store, transport or policy", kind);
    if (!check_word(name, ""))
        return fail_set(ret_fail, BR_INVALID,
                        "%s \"%s\": not a plugin's name: small letters and digits, a letter first",
                        kind, name);
    if (strlen(name) > LOADER_NAME_MAX)
        return fail_set(ret_fail, BR_INVALID,
                        "%s %s: a plugin's name has at most %d bytes, this one %zu", kind, name,
                        LOADER_NAME_MAX, strlen(name));
    return BR_OK;
}

void check_copy(void *to, size_t to_size, const void *from, size_t from_size)
{
    memset(to, 0, to_size);
    memcpy(to, from, from_size < to_size ? from_size : to_size);
}

/* -- The descriptor's head: what must be right before the rest may be read -----------------------
 */

static br_status check_head(const struct br_plugin *plugin, const char *file, struct fail *fail)
{
    const size_t least = offsetof(struct br_plugin, ops) + sizeof plugin->ops;
    if (plugin->magic != BR_MAGIC)
        return fail_set(fail, BR_INVALID, "%s: not a bridle plugin: magic %08x, expected %08x",
                        file, plugin->magic, BR_MAGIC);
    if (plugin->abi_major != BR_ABI_MAJOR || plugin->abi_minor > BR_ABI_MINOR)
        return fail_set(fail, BR_INVALID,
                        "%s: built for ABI %u.%u, this host has %d.%d: rebuild it", file,
                        plugin->abi_major, plugin->abi_minor, BR_ABI_MAJOR, BR_ABI_MINOR);
    if (plugin->size < least)
        return fail_set(fail, BR_INVALID, "%s: a descriptor of %u bytes: the least is %zu", file,
                        plugin->size, least);
    return BR_OK;
}

static br_status check_identity(const struct br_plugin *plugin, const char *file, const char *kind,
                                const char *name, struct fail *fail)
{
    const char *its_kind = plugin->kind ? plugin->kind : "?";
    const char *its_name = plugin->name ? plugin->name : "?";
    if (strcmp(its_kind, kind) != 0 || strcmp(its_name, name) != 0)
        return fail_set(fail, BR_INVALID, "%s: calls itself %s_%s: expected %s_%s", file, its_kind,
                        its_name, kind, name);
    if (plugin->state_size > BR_STATE_MAX)
        return fail_set(fail, BR_TOOBIG, "%s: a state of %u bytes: at most %d", file,
                        plugin->state_size, BR_STATE_MAX);
    return BR_OK;
}

static br_status check_methods(const struct br_plugin *plugin, const char *file, const char *kind,
                               struct fail *fail)
{
    const struct check_kind *expected = check_kind(kind);
    unsigned char
        ops[sizeof(struct br_store) + sizeof(struct br_transport) + sizeof(struct br_policy)];
    if (!plugin->ops.any)
        return fail_set(fail, BR_INVALID, "%s: %s without functions", file, kind);
    check_copy(ops, expected->ops_size, plugin->ops.any, plugin->ops_size);
    for (const struct check_method *method = expected->required; method->name; method++) {
        void (*function)(void);
        memcpy(&function, ops + method->offset, sizeof function);
        if (!function)
            return fail_set(fail, BR_INVALID, "%s: %s without %s", file, kind, method->name);
    }
    return BR_OK;
}

/* -- Options -------------------------------------------------------------------------------------
 */

struct check_type {
    size_t size, align;
};

static const struct check_type check_types[] = {
    [BR_OPT_STRING] = { sizeof(const char *), alignof(const char *) },
    [BR_OPT_BOOL] = { sizeof(bool), alignof(bool) },
    [BR_OPT_INTEGER] = { sizeof(int64_t), alignof(int64_t) },
    [BR_OPT_DURATION] = { sizeof(br_time), alignof(br_time) },
    [BR_OPT_SIZE] = { sizeof(uint64_t), alignof(uint64_t) },
    [BR_OPT_CHOICE] = { sizeof(int32_t), alignof(int32_t) },
    [BR_OPT_LIST] = { sizeof(const char *const *), alignof(const char *const *) },
};

static br_status check_option(const struct br_plugin *plugin, const struct br_option *option,
                              const char *file, struct fail *fail)
{
    const char *name = option->name;
    if (!check_word(name, "_"))
        return fail_set(fail, BR_INVALID,
                        "%s: option \"%s\": not a name: small letters, digits and _", file, name);
    if (strcmp(name, "plugin") == 0 || strcmp(name, "deadline") == 0)
        return fail_set(fail, BR_INVALID, "%s: option %s is the host's own: name it otherwise",
                        file, name);
    if (!option->help || !*option->help)
        return fail_set(fail, BR_INVALID, "%s: option %s has no help", file, name);
    if (option->type < BR_OPT_STRING || option->type > BR_OPT_LIST)
        return fail_set(fail, BR_INVALID, "%s: option %s has type %d: the last known is %d", file,
                        name, option->type, BR_OPT_LIST);
    const struct check_type *type = &check_types[option->type];
    if (option->offset > plugin->state_size || type->size > plugin->state_size - option->offset)
        return fail_set(fail, BR_INVALID,
                        "%s: option %s lies at bytes %u to %zu of a state of %u bytes", file, name,
                        option->offset, option->offset + type->size, plugin->state_size);
    if (option->offset % type->align != 0)
        return fail_set(fail, BR_INVALID, "%s: option %s lies at byte %u, not a multiple of %zu",
                        file, name, option->offset, type->align);
    if (option->type == BR_OPT_CHOICE && (!option->choices || !*option->choices))
        return fail_set(fail, BR_INVALID, "%s: option %s has no choices", file, name);
    return BR_OK;
}

static br_status check_once(const struct br_plugin *plugin, uint32_t index,
                            const struct br_option *option, const char *file, struct fail *fail)
{
    const char *table = (const char *) plugin->options;
    for (uint32_t i = 0; i < index; i++) {
        const char *name;
        memcpy(&name, table + (size_t) i * plugin->option_size, sizeof name);
        if (strcmp(name, option->name) == 0)
            return fail_set(fail, BR_INVALID, "%s: option %s stands twice in the table", file,
                            name);
    }
    return BR_OK;
}

static br_status check_options(const struct br_plugin *plugin, const char *file, struct fail *fail)
{
    const char *at = (const char *) plugin->options;
    const size_t least = offsetof(struct br_option, flags);
    struct br_option option;
    if (!at)
        return BR_OK;
    if (plugin->option_size < least || plugin->option_size % alignof(struct br_option) != 0)
        return fail_set(fail, BR_INVALID,
                        "%s: options of %u bytes each: the least is %zu, in steps of %zu", file,
                        plugin->option_size, least, alignof(struct br_option));
    for (uint32_t count = 0;; count++, at += plugin->option_size) {
        check_copy(&option, sizeof option, at, plugin->option_size);
        if (!option.name)
            return BR_OK;
        if (count == BR_OPTIONS_MAX)
            return fail_set(fail, BR_TOOBIG, "%s: more than %d options, or no end of the table",
                            file, BR_OPTIONS_MAX);
        br_status status = check_option(plugin, &option, file, fail);
        if (!status)
            status = check_once(plugin, count, &option, file, fail);
        if (status)
            return status;
    }
}

br_status loader_check(const struct br_plugin *plugin, const char *file, const char *kind,
                       const char *name, struct fail *ret_fail)
{
    struct br_plugin copy;
    br_status status = check_names(kind, name, ret_fail);
    if (!status)
        status = check_head(plugin, file, ret_fail);
    if (status)
        return status;
    check_copy(&copy, sizeof copy, plugin, plugin->size);
    status = check_identity(&copy, file, kind, name, ret_fail);
    if (!status)
        status = check_methods(&copy, file, kind, ret_fail);
    return status ? status : check_options(&copy, file, ret_fail);
}
