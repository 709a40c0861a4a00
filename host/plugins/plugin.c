/* plugin -- state, options and life of one plugin; its functions as the host calls them are in
 * methods.c.  State and options outlive the close where a call was never replied to (call.h).
 */
#include "host/plugins/plugin.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/plugins/check.h"

static void plugin_copy_ops(struct plugin *plugin)
{
    const struct br_plugin *desc = plugin->desc;
    size_t size = strcmp(desc->kind, "store") == 0       ? sizeof plugin->ops.store
                  : strcmp(desc->kind, "transport") == 0 ? sizeof plugin->ops.transport
                                                         : sizeof plugin->ops.policy;
    check_copy(&plugin->ops, size, desc->ops.any, desc->ops_size);
}

/* The section's own keys are the host's; the rest belongs to the plugin's table. */
static br_status plugin_fill(struct plugin *plugin, const struct yaml *section,
                             struct fail *ret_fail)
{
    static const char *const hosts[] = { "plugin", "deadline", NULL };
    static const struct br_option none[1];
    const struct br_plugin *desc = plugin->desc;
    return option_fill(&plugin->arena, section, plugin->who, desc->options ? desc->options : none,
                       desc->options ? desc->option_size : (uint32_t) sizeof *none, hosts,
                       plugin->state, ret_fail);
}

static br_status plugin_call_open(struct plugin *plugin, struct fail *ret_fail)
{
    struct call_owner *owner = &plugin->owner;
    if (plugin->desc->flags & BR_NEEDS_LOOP && !owner->loop->base)
        return fail_set(ret_fail, BR_UNSUPPORTED, "%s: needs a real event loop", plugin->who);
    if (!plugin->desc->open)
        return BR_OK;
    br_status status = plugin->desc->open(call_env(owner));
    if (status && owner->fail.status)
        return fail_set(ret_fail, status, "%s", owner->fail.text);
    if (status)
        return fail_set(ret_fail, status, "%s: open failed with status %d and gave no reason",
                        plugin->who, status);
    owner->fail = (struct fail){ .status = BR_OK };
    return BR_OK;
}

br_status plugin_open(struct plugin *plugin, struct loop *loop, const struct br_plugin *desc,
                      const char *instance, const struct yaml *section, struct fail *ret_fail)
{
    memset(plugin, 0, sizeof *plugin);
    arena_init(&plugin->arena, 0);
    plugin->desc = desc;
    plugin->deadline = PLUGIN_DEADLINE;
    plugin->state = mem_new(desc->state_size + 1);
    snprintf(plugin->who, sizeof plugin->who, "%s %s", instance, desc->name);
    plugin_copy_ops(plugin);
    call_owner_init(&plugin->owner, loop, plugin->who,
                    arena_text(&plugin->arena, instance, strlen(instance)), plugin->state);
    br_status status = plugin_fill(plugin, section, ret_fail);
    if (!status)
        status = plugin_call_open(plugin, ret_fail);
    if (status) {
        call_owner_done(&plugin->owner, plugin->state, &plugin->arena);
        arena_done(&plugin->arena);
        plugin->desc = NULL;
    }
    return status;
}

static void plugin_step(struct plugin *plugin, const char *what,
                        void (*step)(struct br_env *, struct br_call *), br_time timeout,
                        call_done *done, void *arg)
{
    if (timeout == 0)
        timeout = plugin->deadline;
    struct br_call *call =
        call_new(&plugin->owner, CALL_READ, timeout < 0 ? 0 : timeout, what, done, arg);
    if (step)
        step(call->env, call);
    else
        br_reply_ok(call);
}

void plugin_start(struct plugin *plugin, br_time timeout, call_done *done, void *arg)
{
    plugin_step(plugin, "start", plugin->desc->start, timeout, done, arg);
}

void plugin_stop(struct plugin *plugin, br_time timeout, call_done *done, void *arg)
{
    plugin_step(plugin, "stop", plugin->desc->stop, timeout, done, arg);
}

void plugin_close(struct plugin *plugin)
{
    call_owner_disarm(&plugin->owner);
    if (plugin->desc->close)
        plugin->desc->close(call_env(&plugin->owner));
    call_owner_done(&plugin->owner, plugin->state, &plugin->arena);
    arena_done(&plugin->arena);
    plugin->state = NULL;
    plugin->desc = NULL;
}
