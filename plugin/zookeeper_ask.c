/* zookeeper_ask -- the requests of an election's steps and their completions: what comes back is
 * kept in the walker and posted; deciding is zookeeper_lock.c's.
 */
#include "plugin/zookeeper_walker.h"

#include <string.h>

static struct zookeeper_walker *ask_walker(const void *data)
{
    return (struct zookeeper_walker *) (uintptr_t) data;
}

static void ask_answered(struct zookeeper_walker *walker, int rc)
{
    zookeeper_pending_drop(&walker->pending);
    walker->rc = rc;
    br_post(walker->env, zookeeper_walker_step, walker);
}

static void ask_abandon(struct zookeeper_pending *pending)
{
    ask_answered((struct zookeeper_walker *) (void *) pending, ZCLOSING);
}

static void ask_string(int rc, const char *path, const void *data)
{
    struct zookeeper_walker *walker = ask_walker(data);
    free(walker->first);
    walker->first = rc == ZOK ? mem_text(path) : NULL;
    ask_answered(walker, rc);
}

static void ask_made(int rc, const char *path, const void *data)
{
    (void) path;
    ask_answered(ask_walker(data), rc);
}

static void ask_void(int rc, const void *data)
{
    ask_answered(ask_walker(data), rc);
}

static void ask_stat(int rc, const struct Stat *stat, const void *data)
{
    (void) stat;
    ask_answered(ask_walker(data), rc);
}

static void ask_data(int rc, const char *value, int size, const struct Stat *stat, const void *data)
{
    struct zookeeper_walker *walker = ask_walker(data);
    (void) stat;
    buf_clear(&walker->text);
    if (rc == ZOK && size > 0)
        buf_put(&walker->text, value, (size_t) size);
    ask_answered(walker, rc);
}

/* What stands before the '/' of a child: nothing for the root's. */
static const char *ask_below(const struct zookeeper_walker *walker)
{
    return walker->path[1] ? walker->path : "";
}

/* The smallest number leads.  Children that are no election nodes are passed over. */
static void ask_children(int rc, const struct String_vector *names, const void *data)
{
    struct zookeeper_walker *walker = ask_walker(data);
    const char *least = NULL;
    walker->found = false;
    walker->least = -1;
    for (int32_t i = 0; rc == ZOK && i < names->count; i++) {
        int64_t number = zookeeper_lock_number(names->data[i]);
        walker->found |= number >= 0 && number == walker->number;
        if (number >= 0 && (!least || number < walker->least)) {
            least = names->data[i];
            walker->least = number;
        }
    }
    free(walker->first);
    walker->first = NULL;
    if (least) {
        struct buf path = { 0 };
        buf_printf(&path, "%s/%s", ask_below(walker), least);
        walker->first = path.data;
    }
    ask_answered(walker, rc);
}

static int ask_create(struct zookeeper_walker *walker, zhandle_t *handle)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s/LOCKNODE", ask_below(walker));
    int rc =
        zoo_acreate(handle, path.data, walker->value, (int) strlen(walker->value),
                    zookeeper_acl(walker->env->self), ZOO_EPHEMERAL_SEQUENTIAL, ask_string, walker);
    buf_done(&path);
    return rc;
}

static int ask_list(struct zookeeper_walker *walker, zhandle_t *handle)
{
    if (walker->candidate)
        return zoo_aget_children(handle, walker->path, 0, ask_children, walker);
    return zoo_awget_children(handle, walker->path, zookeeper_session_watch, walker->session,
                              ask_children, walker);
}

static int ask_get(struct zookeeper_walker *walker, zhandle_t *handle, const char *node)
{
    return zoo_awget(handle, node, zookeeper_session_watch, walker->session, ask_data, walker);
}

static int ask(struct zookeeper_walker *walker, zhandle_t *handle)
{
    switch (walker->step) {
    case WALKER_CREATE: return ask_create(walker, handle);
    case WALKER_PARENTS:
        zookeeper_make_path(walker->env->self, handle, walker->path, ask_made, walker);
        return ZOK;
    case WALKER_LIST: return ask_list(walker, handle);
    case WALKER_CONFIRM: return ask_get(walker, handle, walker->node);
    case WALKER_GET: return ask_get(walker, handle, walker->leader);
    case WALKER_LEFTOVER: return zoo_adelete(handle, walker->leader, -1, ask_void, walker);
    case WALKER_RELEASE: return zoo_adelete(handle, walker->node, -1, ask_void, walker);
    case WALKER_ABSENT:
        return zoo_awexists(handle, walker->path, zookeeper_session_watch, walker->session,
                            ask_stat, walker);
    default: return ZBADARGUMENTS; /* no step that asks */
    }
}

void zookeeper_walker_ask(struct zookeeper_walker *walker, enum walker_step step)
{
    struct zookeeper *zookeeper = walker->env->self;
    zhandle_t *handle = zookeeper_handle(zookeeper);
    walker->session = zookeeper->session;
    if (!handle) {
        walker->step = WALKER_PARKED;
        return;
    }
    walker->step = step;
    walker->stirred = false;
    walker->busy = true;
    if (step != WALKER_PARENTS) /* which keeps its own account */
        zookeeper_pending_add(zookeeper->session, &walker->pending, ask_abandon);
    int rc = ask(walker, handle);
    if (rc != ZOK)
        ask_answered(walker, rc);
}
