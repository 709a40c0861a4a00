/* methods -- a plugin's functions as the host calls them: one call each, named for messages, what
 * the plugin is given kept until it replies, a missing function answered in the plugin's stead.
 */
#include "host/plugins/plugin.h"

#include <stdio.h>
#include <string.h>

static struct br_call *method_call(struct plugin *plugin, enum call_kind kind, br_time timeout,
                                   const char *what, call_done *done, void *arg)
{
    if (timeout == 0)
        timeout = plugin->deadline;
    return call_new(&plugin->owner, kind, timeout < 0 ? 0 : timeout, what, done, arg);
}

/* "read /a" or "read /a and 6 more"; the paths come from the host, so their length is bounded. */
static void method_name(char *what, const char *verb, const char *first, uint32_t count)
{
    if (count > 1)
        snprintf(what, CALL_WHAT_MAX, "%s %.200s and %u more", verb, first, count - 1);
    else
        snprintf(what, CALL_WHAT_MAX, "%s %s", verb, count ? first : "of nothing");
}

static const char *method_text(struct br_call *call, const char *text)
{
    return arena_text(call_memory(call), text, strlen(text));
}

static void method_missing(struct br_call *call)
{
    call_refuse(call, BR_UNSUPPORTED, "this plugin cannot do that");
}

struct br_call *store_read(struct plugin *store, const char *const *paths, uint32_t count,
                           struct arena *memory, br_time timeout, call_done *done, void *arg)
{
    char what[CALL_WHAT_MAX];
    method_name(what, "read", count ? paths[0] : "", count);
    struct br_call *call = method_call(store, CALL_READ, timeout, what, done, arg);
    call_expect(call, BR_ROW_VALUE, count);
    if (memory)
        arena_adopt(call_memory(call), memory);
    store->ops.store.read(call->env, paths, count, call);
    return call;
}

struct br_call *store_list(struct plugin *store, const char *path, br_time timeout, call_done *done,
                           void *arg)
{
    char what[CALL_WHAT_MAX];
    method_name(what, "list", path, 1);
    struct br_call *call = method_call(store, CALL_READ, timeout, what, done, arg);
    call_expect(call, BR_ROW_NAME, -1);
    store->ops.store.list(call->env, method_text(call, path), call);
    return call;
}

static const char *method_write(br_write_kind kind)
{
    static const char *const names[] = {
        [BR_CREATE] = "commit: create", [BR_PUT] = "commit: put",
        [BR_DELETE] = "commit: delete", [BR_CHECK] = "commit: check",
        [BR_FENCE] = "commit: fence",
    };
    return kind >= BR_CREATE && kind <= BR_FENCE ? names[kind] : "commit: unknown write";
}

struct br_call *store_commit(struct plugin *store, const struct br_write *const *writes,
                             uint32_t count, struct arena *memory, br_time timeout, call_done *done,
                             void *arg)
{
    char what[CALL_WHAT_MAX];
    if (count)
        method_name(what, method_write(writes[0]->kind), writes[0]->path, count);
    else
        method_name(what, "commit", "", 0);
    struct br_call *call = method_call(store, CALL_WRITE, timeout, what, done, arg);
    if (memory)
        arena_adopt(call_memory(call), memory);
    store->ops.store.commit(call->env, writes, count, call);
    return call;
}

struct br_call *store_lock(struct plugin *store, const char *path, const char *value,
                           call_done *done, void *arg)
{
    char what[CALL_WHAT_MAX];
    method_name(what, "lock", path, 1);
    struct br_call *call = method_call(store, CALL_WRITE, PLUGIN_FOREVER, what, done, arg);
    if (store->ops.store.lock)
        store->ops.store.lock(call->env, method_text(call, path), method_text(call, value), call);
    else
        method_missing(call);
    return call;
}

struct br_call *store_owner(struct plugin *store, const char *path, const char *last_seen,
                            call_done *done, void *arg)
{
    char what[CALL_WHAT_MAX];
    method_name(what, "owner of", path, 1);
    struct br_call *call = method_call(store, CALL_READ, PLUGIN_FOREVER, what, done, arg);
    if (store->ops.store.owner)
        store->ops.store.owner(call->env, method_text(call, path), method_text(call, last_seen),
                               call);
    else
        method_missing(call);
    return call;
}

struct br_call *store_lost(struct plugin *store, const char *fence, call_done *done, void *arg)
{
    char what[CALL_WHAT_MAX];
    method_name(what, "loss of", fence, 1);
    struct br_call *call = method_call(store, CALL_READ, PLUGIN_FOREVER, what, done, arg);
    if (store->ops.store.lost)
        store->ops.store.lost(call->env, method_text(call, fence), call);
    else
        method_missing(call);
    return call;
}

struct br_call *store_unlock(struct plugin *store, const char *fence, br_time timeout,
                             call_done *done, void *arg)
{
    char what[CALL_WHAT_MAX];
    method_name(what, "unlock", fence, 1);
    struct br_call *call = method_call(store, CALL_WRITE, timeout, what, done, arg);
    if (store->ops.store.unlock)
        store->ops.store.unlock(call->env, method_text(call, fence), call);
    else
        method_missing(call);
    return call;
}

struct br_call *store_elections(struct plugin *store, const char *path, br_time timeout,
                                call_done *done, void *arg)
{
    char what[CALL_WHAT_MAX];
    method_name(what, "elections at", path, 1);
    struct br_call *call = method_call(store, CALL_READ, timeout, what, done, arg);
    if (store->ops.store.elections)
        store->ops.store.elections(call->env, method_text(call, path), call);
    else
        method_missing(call);
    return call;
}

void store_cancel(struct plugin *store, struct br_call *call)
{
    call_cancel(call, store->ops.store.cancel);
}

struct br_call *transport_nodes(struct plugin *transport, br_time timeout, call_done *done,
                                void *arg)
{
    struct br_call *call = method_call(transport, CALL_READ, timeout, "nodes", done, arg);
    call_expect(call, BR_ROW_NAME, -1);
    if (transport->ops.transport.nodes)
        transport->ops.transport.nodes(call->env, call);
    else
        method_missing(call);
    return call;
}

struct br_call *transport_tables(struct plugin *transport, const char *node, int32_t index,
                                 br_time timeout, call_done *done, void *arg)
{
    char what[CALL_WHAT_MAX];
    method_name(what, "tables of", node, 1);
    struct br_call *call = method_call(transport, CALL_READ, timeout, what, done, arg);
    call_expect(call, BR_ROW_TABLE, -1);
    transport->ops.transport.tables(call->env, method_text(call, node), index, call);
    return call;
}

struct br_call *transport_replicas(struct plugin *transport, const char *node, int32_t index,
                                   br_time timeout, call_done *done, void *arg)
{
    char what[CALL_WHAT_MAX];
    method_name(what, "replicas of", node, 1);
    struct br_call *call = method_call(transport, CALL_READ, timeout, what, done, arg);
    call_expect(call, BR_ROW_REPLICA, -1);
    transport->ops.transport.replicas(call->env, method_text(call, node), index, call);
    return call;
}

void transport_cancel(struct plugin *transport, struct br_call *call)
{
    call_cancel(call, transport->ops.transport.cancel);
}
