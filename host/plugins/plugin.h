/* plugin -- a loaded plugin's life: open, start, calls, stop, close; in that order or not at all;
 * and its functions as the host calls them, deadline and all.
 *
 * Every function below issues one call and returns; `done` comes later, exactly once, on the loop.
 * Where the plugin lacks an optional function the answer is BR_UNSUPPORTED.
 */
#ifndef HOST_PLUGINS_PLUGIN_H
#define HOST_PLUGINS_PLUGIN_H

#include "host/config/option.h"
#include "host/core/call.h"
#include "host/plugins/loader.h"

struct plugin {
    struct call_owner owner; /* first: &plugin->owner.env is the plugin's env */
    const struct br_plugin *desc;
    union {
        struct br_store store;
        struct br_transport transport;
        struct br_policy policy;
    } ops;            /* our copy; what the plugin did not know is NULL */
    br_time deadline; /* of one call, where the caller gives 0 */
    struct arena arena;
    void *state;
    char who[64];
};

#define PLUGIN_DEADLINE (10 * BR_SECOND) /* of one call, until `deadline` is set otherwise */

/* Allocate the state, fill the options from `section` (may be NULL), call the plugin's open.
 * `instance` ("store", "stores.backup") is copied.  On failure there is nothing to close. */
br_status plugin_open(struct plugin *plugin, struct loop *loop, const struct br_plugin *desc,
                      const char *instance, const struct yaml *section, struct fail *ret_fail);

void plugin_start(struct plugin *plugin, br_time timeout, call_done *done, void *arg);
void plugin_stop(struct plugin *plugin, br_time timeout, call_done *done, void *arg);

/* After stop was answered (or start never was called).  Calls that the plugin never replied to are
 * named in the log and their consumers told; they, the state and the options stay in memory until
 * it does.  Not from inside a function that the plugin called. */
void plugin_close(struct plugin *plugin);

/* timeout 0: the plugin's own deadline; PLUGIN_FOREVER: none.
 *
 * A plugin may use what it was given until it replies, which may be long after the deadline told
 * the consumer.  So paths, writes and values must lie in `memory`, an arena that the call takes
 * over (it is empty when the function returns); NULL: the caller promises that they live long
 * enough.  Single strings are copied. */
#define PLUGIN_FOREVER ((br_time) -1)

struct br_call *store_read(struct plugin *store, const char *const *paths, uint32_t count,
                           struct arena *memory, br_time timeout, call_done *done, void *arg);
struct br_call *store_list(struct plugin *store, const char *path, br_time timeout, call_done *done,
                           void *arg);
struct br_call *store_commit(struct plugin *store, const struct br_write *const *writes,
                             uint32_t count, struct arena *memory, br_time timeout, call_done *done,
                             void *arg);
struct br_call *store_lock(struct plugin *store, const char *path, const char *value,
                           call_done *done, void *arg);
struct br_call *store_owner(struct plugin *store, const char *path, const char *last_seen,
                            call_done *done, void *arg);
struct br_call *store_lost(struct plugin *store, const char *fence, call_done *done, void *arg);
struct br_call *store_unlock(struct plugin *store, const char *fence, br_time timeout,
                             call_done *done, void *arg);
struct br_call *store_elections(struct plugin *store, const char *path, br_time timeout,
                                call_done *done, void *arg);
void store_cancel(struct plugin *store, struct br_call *call);

struct br_call *transport_nodes(struct plugin *transport, br_time timeout, call_done *done,
                                void *arg);
struct br_call *transport_tables(struct plugin *transport, const char *node, int32_t index,
                                 br_time timeout, call_done *done, void *arg);
struct br_call *transport_replicas(struct plugin *transport, const char *node, int32_t index,
                                   br_time timeout, call_done *done, void *arg);
void transport_cancel(struct plugin *transport, struct br_call *call);

#endif
