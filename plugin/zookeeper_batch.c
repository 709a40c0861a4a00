/* zookeeper_batch -- one commit is one `multi`: all of it or none.
 *
 * The library serialises the operations while zoo_amulti runs but writes results until the
 * completion, so only they outlive it.  Batches go out in the order issued; but when the
 * connection is lost, those in flight are in doubt and a later one may have gone ahead of them.
 */
#include "plugin/store_zookeeper.h"

#include <limits.h>
#include <string.h>

#include "host/base/arena.h"

struct batch {
    struct zookeeper_pending pending; /* first */
    struct br_call *call;
    const struct br_write *const *writes; /* the call's: until the reply */
    uint32_t count;
    bool fenced; /* it names a fence */
    zoo_op_result_t results[];
};

/* Versions are 32 bits wide there: one that no node can be at stays one. */
static int write_version(int64_t version)
{
    return version > INT_MAX ? INT_MAX : version < INT_MIN ? INT_MIN : (int) version;
}

static void batch_op(zoo_op_t *op, const struct br_write *write, const char *path,
                     const struct ACL_vector *acl)
{
    const char *value = write->value.data ? write->value.data : "";
    int size = (int) write->value.size, version = write_version(write->version);
    switch (write->kind) {
    case BR_CREATE: zoo_create_op_init(op, path, value, size, acl, ZOO_PERSISTENT, NULL, 0); break;
    case BR_PUT: zoo_set_op_init(op, path, value, size, version, NULL); break;
    case BR_DELETE: zoo_delete_op_init(op, path, version); break;
    case BR_CHECK: zoo_check_op_init(op, path, version); break;
    default: zoo_check_op_init(op, path, -1); break; /* BR_FENCE: any version */
    }
}

static const char *batch_path(const struct zookeeper *zookeeper, struct arena *arena,
                              const char *path)
{
    size_t prefix = strlen(zookeeper->chroot);
    if (prefix == 0)
        return path;
    size_t size = path[1] == '\0' ? 0 : strlen(path);
    char *full = arena_alloc(arena, prefix + size + 1);
    memcpy(full, zookeeper->chroot, prefix);
    memcpy(full + prefix, path, size);
    full[prefix + size] = '\0';
    return full;
}

/* The server names the operation that failed; those around it carry no error or "rolled back". */
static uint32_t batch_culprit(const struct batch *batch, int rc)
{
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->results[i].err == rc)
            return i;
    return 0;
}

static void batch_fail(struct batch *batch, int rc)
{
    br_status status = zookeeper_status(rc, true);
    if (status == BR_UNKNOWN || status == BR_UNAVAILABLE) {
        /* With the session went the lock. */
        if ((rc == ZSESSIONEXPIRED || rc == ZCLOSING) && batch->fenced)
            status = BR_FENCED;
        br_reply_fail(batch->call, status, "%u writes: %s", batch->count, zookeeper_word(rc));
        return;
    }
    uint32_t index = batch_culprit(batch, rc);
    const struct br_write *write = batch->writes[index];
    if (write->kind == BR_FENCE && rc == ZNONODE)
        status = BR_FENCED;
    br_reply_fail(batch->call, status, "write %u of %u: %s %s (%s)", index + 1, batch->count,
                  write->path, br_write_why(write, status), zookeeper_word(rc));
}

static void batch_done(int rc, const void *data)
{
    struct batch *batch = (struct batch *) (uintptr_t) data;
    zookeeper_pending_drop(&batch->pending);
    if (rc == ZOK)
        br_reply_ok(batch->call);
    else
        batch_fail(batch, rc);
    free(batch);
}

static void batch_abandon(struct zookeeper_pending *pending)
{
    batch_done(ZCLOSING, pending);
}

static void batch_send(struct batch *batch, struct zookeeper *zookeeper, zhandle_t *handle)
{
    struct br_call *call = batch->call;
    struct arena paths;
    arena_init(&paths, 0);
    const struct ACL_vector *acl = zookeeper_acl(zookeeper);
    zoo_op_t *ops = mem_array(batch->count, sizeof *ops);
    for (uint32_t i = 0; i < batch->count; i++) {
        const char *path = batch_path(zookeeper, &paths, batch->writes[i]->path);
        batch_op(&ops[i], batch->writes[i], path, acl);
        batch->fenced |= batch->writes[i]->kind == BR_FENCE;
    }
    zookeeper_pending_add(zookeeper->session, &batch->pending, batch_abandon);
    uint32_t count = batch->count; /* the batch may be gone before zoo_amulti returns */
    int rc = zoo_amulti(handle, (int) count, ops, batch->results, batch_done, batch);
    free(ops);
    arena_done(&paths);
    if (rc != ZOK) {
        zookeeper_pending_drop(&batch->pending);
        free(batch);
        br_reply_fail(call, BR_UNAVAILABLE, "%u writes could not be sent: %s", count,
                      zookeeper_word(rc));
    }
}

void zookeeper_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                      struct br_call *call)
{
    struct zookeeper *zookeeper = env->self;
    zhandle_t *handle = zookeeper_handle(zookeeper);
    uint32_t index;
    br_status status;
    const char *wrong = br_batch_wrong(&zookeeper_store, writes, count, &index, &status);
    if (wrong) {
        br_reply_fail(call, status, "write %u of %u: '%.200s': %s", index + 1, count,
                      writes[index]->path, wrong);
        return;
    }
    if (count == 0) {
        br_reply_ok(call);
        return;
    }
    if (!handle) {
        br_reply_fail(call, BR_UNAVAILABLE, "not connected to %s", zookeeper->hosts);
        return;
    }
    struct batch *batch = mem_new(sizeof *batch + count * sizeof batch->results[0]);
    batch->call = call;
    batch->writes = writes;
    batch->count = count;
    batch_send(batch, zookeeper, handle);
}
