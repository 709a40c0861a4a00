/* etcd_batch -- see etcd_batch.h. */
#include "plugin/etcd_batch.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ranges of an inner transaction: with six of them below ETCD_OPS_MAX. */
#define SNAPSHOT_GROUP 60

static const br_bytes nothing = { NULL, 0 };

/* -- Nodes ------------------------------------------------------------------------------------- */

static int node_order(const void *a, const void *b)
{
    return strcmp(((const struct etcd_node *) a)->key, ((const struct etcd_node *) b)->key);
}

static int32_t node_find(const struct etcd_batch *batch, const char *path)
{
    const struct etcd_node wanted = { .key = etcd_key(batch->etcd, path) };
    const struct etcd_node *found =
        bsearch(&wanted, batch->nodes, batch->node_count, sizeof wanted, node_order);
    free(wanted.key);
    return found ? (int32_t) (found - batch->nodes) : -1;
}

/* malloc'ed; NULL: it is "/". */
static char *parent_of(const char *path)
{
    const char *name = strrchr(path, '/');
    if (!name[1])
        return NULL;
    char *parent = mem_text(path);
    parent[name == path ? 1 : name - path] = '\0';
    return parent;
}

static void node_add(struct etcd_batch *batch, const char *path)
{
    struct etcd_node *node = &batch->nodes[batch->node_count++];
    *node = (struct etcd_node){ .path = mem_text(path), .key = etcd_key(batch->etcd, path) };
}

static void node_done(struct etcd_node *node)
{
    free((void *) (uintptr_t) node->path);
    free(node->key);
    free(node->children);
    free(node->children_end);
    free(node->kept);
}

static void nodes_unique(struct etcd_batch *batch)
{
    uint32_t kept = 0;
    qsort(batch->nodes, batch->node_count, sizeof *batch->nodes, node_order);
    for (uint32_t i = 0; i < batch->node_count; i++) {
        if (kept && strcmp(batch->nodes[kept - 1].key, batch->nodes[i].key) == 0)
            node_done(&batch->nodes[i]);
        else
            batch->nodes[kept++] = batch->nodes[i];
    }
    batch->node_count = kept;
}

void etcd_batch_init(struct etcd_batch *batch, struct etcd *etcd,
                     const struct br_write *const *writes, uint32_t count)
{
    batch->etcd = etcd;
    batch->writes = writes;
    batch->count = count;
    for (uint32_t i = 0; i < count; i++) {
        char *parent = writes[i]->kind == BR_CREATE ? parent_of(writes[i]->path) : NULL;
        node_add(batch, writes[i]->path);
        if (parent)
            node_add(batch, parent);
        free(parent);
    }
    nodes_unique(batch);
    for (uint32_t i = 0; i < batch->node_count; i++) {
        char *parent = parent_of(batch->nodes[i].path);
        batch->nodes[i].parent = parent ? node_find(batch, parent) : -1;
        free(parent);
    }
    for (uint32_t i = 0; i < count; i++) {
        batch->node_of[i] = node_find(batch, writes[i]->path);
        struct etcd_node *node = &batch->nodes[batch->node_of[i]];
        if (writes[i]->kind != BR_DELETE || node->deletes)
            continue;
        node->deletes = true;
        node->children = etcd_children(etcd, node->path, &node->children_end);
    }
}

void etcd_batch_done(struct etcd_batch *batch)
{
    for (uint32_t i = 0; i < batch->node_count; i++)
        node_done(&batch->nodes[i]);
    batch->node_count = 0;
}

bool etcd_batch_needs_snapshot(const struct etcd_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct br_write *write = batch->writes[i];
        bool simple = write->kind == BR_CREATE || write->kind == BR_FENCE
                      || (write->kind == BR_CHECK && write->version == BR_ANY_VERSION);
        if (!simple)
            return true;
    }
    return false;
}

/* -- Snapshots --------------------------------------------------------------------------------- */

static void group_end(struct buf *groups, struct buf *group)
{
    if (!group->size)
        return;
    etcd_comma(groups);
    buf_text(groups, "{\"request_txn\":{\"success\":[");
    buf_put(groups, group->data, group->size);
    buf_text(groups, "]}}");
    buf_clear(group);
}

/* A range of each node, then one of the children of each that is deleted. */
void etcd_batch_put_snapshot(const struct etcd_batch *batch, struct buf *groups)
{
    struct buf group = { 0 };
    uint32_t put = 0;
    for (uint32_t i = 0; i < 2 * batch->node_count; i++) {
        const struct etcd_node *node = &batch->nodes[i % batch->node_count];
        if (i < batch->node_count)
            etcd_put_range(&group, etcd_text(node->key), nothing, "");
        else if (node->deletes)
            etcd_put_range(&group, etcd_text(node->children), etcd_text(node->children_end),
                           ",\"count_only\":true");
        else
            continue;
        if (++put % SNAPSHOT_GROUP == 0)
            group_end(groups, &group);
    }
    group_end(groups, &group);
    buf_done(&group);
}

static void node_forget(struct etcd_node *node)
{
    free(node->kept);
    node->kept = NULL;
    node->settled = node->exact = node->shut = node->emptied = node->fresh = node->dirty = false;
    node->was = node->is = false;
    node->was_revision = node->lease = node->child_count = node->version = 0;
    node->value = nothing;
}

static bool node_take(struct etcd_node *node, const json_t *range)
{
    const json_t *kv = etcd_kv(range);
    size_t size;
    node->settled = true;
    if (!kv)
        return range != NULL;
    node->was = node->is = true;
    node->was_revision = etcd_number(kv, "mod_revision");
    node->lease = etcd_number(kv, "lease");
    node->kept = etcd_bytes(kv, "value", &size);
    return node->kept && etcd_value(node->kept, size, &node->version, &node->value);
}

bool etcd_batch_take_snapshot(struct etcd_batch *batch, const struct etcd_reply *reply)
{
    bool good = true;
    uint32_t taken = 0;
    batch->snapshot = reply->revision;
    for (uint32_t i = 0; i < batch->node_count; i++)
        node_forget(&batch->nodes[i]);
    for (uint32_t i = 0; i < 2 * batch->node_count && good; i++) {
        struct etcd_node *node = &batch->nodes[i % batch->node_count];
        if (i >= batch->node_count && !node->deletes)
            continue;
        const json_t *group = etcd_response(reply->json, taken / SNAPSHOT_GROUP, "response_txn");
        const json_t *range = etcd_response(group, taken++ % SNAPSHOT_GROUP, "response_range");
        if (i < batch->node_count)
            good = node_take(node, range);
        else
            node->child_count = etcd_number(range, "count");
    }
    return good;
}

/* -- Writes ------------------------------------------------------------------------------------ */

static bool node_is(struct etcd_node *node, bool expected)
{
    if (!node->settled)
        node->was = node->is = expected;
    node->settled = true;
    return node->is;
}

/* Ours, by its name; what else has such a name may be no fence. */
static bool node_may_be_fence(const struct etcd_node *node)
{
    const char *name = strrchr(node->path, '/') + 1;
    return strncmp(name, "LOCKNODE", 8) == 0 && isdigit((unsigned char) name[8]);
}

static bool node_has_children(const struct etcd_batch *batch, int32_t index)
{
    int64_t count = batch->nodes[index].child_count;
    for (uint32_t i = 0; i < batch->node_count; i++)
        if (batch->nodes[i].parent == index)
            count += batch->nodes[i].is - batch->nodes[i].was;
    return count > 0;
}

static br_status run_create(struct etcd_batch *batch, struct etcd_node *node,
                            const struct br_write *write)
{
    if (node_is(node, false))
        return BR_EXISTS;
    struct etcd_node *parent = &batch->nodes[node->parent];
    if (!node_is(parent, true))
        return BR_NOTFOUND;
    if (parent->lease && !parent->fresh)
        return BR_CONFLICT;
    parent->shut = !parent->fresh;
    node->is = node->fresh = node->dirty = true;
    node->version = 0;
    node->value = write->value;
    return BR_OK;
}

/* PUT, DELETE, CHECK: it is there, and at the version. */
static br_status run_version(struct etcd_node *node, const struct br_write *write)
{
    if (!node_is(node, true))
        return BR_NOTFOUND;
    if (write->kind == BR_CHECK && write->version == BR_ANY_VERSION)
        return BR_OK;
    node->exact = true;
    return write->version == BR_ANY_VERSION || write->version == node->version ? BR_OK
                                                                               : BR_CONFLICT;
}

static br_status run_write(struct etcd_batch *batch, const struct br_write *write, int32_t index)
{
    struct etcd_node *node = &batch->nodes[index];
    if (write->kind == BR_CREATE)
        return run_create(batch, node, write);
    if (write->kind == BR_FENCE)
        return node_is(node, true) ? BR_OK : BR_FENCED;
    br_status status = run_version(node, write);
    if (status != BR_OK || write->kind == BR_CHECK)
        return status;
    if (write->kind == BR_PUT) {
        node->version++;
        node->value = write->value;
        node->dirty = true;
        return BR_OK;
    }
    if (node_has_children(batch, index))
        return BR_CONFLICT;
    node->emptied |= node->was && !node->fresh;
    node->is = node->fresh = node->dirty = false;
    return BR_OK;
}

br_status etcd_batch_run(struct etcd_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        batch->failed = i;
        batch->status = run_write(batch, batch->writes[i], batch->node_of[i]);
        if (batch->status != BR_OK)
            return batch->status;
    }
    return BR_OK;
}

/* -- Compares and operations ------------------------------------------------------------------- */

static void compare_presence(const struct etcd_batch *batch, const struct etcd_node *node,
                             struct buf *compares, uint32_t *count)
{
    br_bytes key = etcd_text(node->key);
    const struct etcd_node *parent = node->parent < 0 ? NULL : &batch->nodes[node->parent];
    if (!node->settled || (!node->was && parent && parent->settled && !parent->was))
        return;
    ++*count;
    if (!node->was)
        etcd_put_compare(compares, "CREATE", "EQUAL", key, nothing, 0);
    else if (node->exact)
        etcd_put_compare(compares, "MOD", "EQUAL", key, nothing, node->was_revision);
    else
        etcd_put_compare(compares, "CREATE", "GREATER", key, nothing, 0);
}

static void compare_lease(const struct etcd_node *node, struct buf *compares, uint32_t *count)
{
    if (!node->was || !node->shut || node->exact || !node_may_be_fence(node))
        return;
    ++*count;
    etcd_put_compare(compares, "LEASE", "EQUAL", etcd_text(node->key), nothing, 0);
}

static void compare_gap(br_bytes from, br_bytes to, struct buf *compares, uint32_t *count)
{
    ++*count;
    etcd_put_compare(compares, "CREATE", "EQUAL", from, to, 0);
}

/* No child that was not read: nothing before, between and behind those that were. */
static void compare_children(const struct etcd_batch *batch, uint32_t index, struct buf *compares,
                             uint32_t *count)
{
    const struct etcd_node *node = &batch->nodes[index];
    br_bytes from = etcd_text(node->children);
    for (uint32_t i = 0; i < batch->node_count; i++) {
        const struct etcd_node *child = &batch->nodes[i];
        if (child->parent != (int32_t) index || !child->was)
            continue;
        compare_gap(from, etcd_text(child->key), compares, count);
        from = (br_bytes){ child->key, strlen(child->key) + 1 }; /* with its NUL: the next key */
    }
    compare_gap(from, etcd_text(node->children_end), compares, count);
}

static uint32_t batch_compare(const struct etcd_batch *batch, struct buf *compares)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->node_count; i++) {
        const struct etcd_node *node = &batch->nodes[i];
        compare_presence(batch, node, compares, &count);
        compare_lease(node, compares, &count);
        if (node->emptied)
            compare_children(batch, i, compares, &count);
    }
    return count;
}

/* Nothing was put since the snapshot, and nothing deleted; what a lease may have deleted is there.
 */
static uint32_t batch_compare_all(const struct etcd_batch *batch, struct buf *compares)
{
    struct buf from = { 0 }, to = { 0 };
    const char *prefix = batch->etcd->prefix;
    uint32_t count = 2;
    buf_printf(&from, "%s/", prefix);
    buf_printf(&to, "%s0", prefix);
    etcd_put_compare(compares, "MOD", "LESS", buf_bytes(&from), buf_bytes(&to),
                     batch->snapshot + 1);
    buf_clear(&from);
    buf_printf(&from, "%s.deleted", prefix);
    etcd_put_compare(compares, "MOD", "LESS", buf_bytes(&from), nothing, batch->snapshot + 1);
    for (uint32_t i = 0; i < batch->node_count; i++)
        if (batch->nodes[i].lease)
            compare_presence(batch, &batch->nodes[i], compares, &count);
    buf_done(&from);
    buf_done(&to);
    return count;
}

static void batch_ops(const struct etcd_batch *batch, struct buf *ops)
{
    bool deleted = false;
    for (uint32_t i = 0; i < batch->node_count; i++) {
        const struct etcd_node *node = &batch->nodes[i];
        char head[24];
        if (node->is && node->dirty) {
            snprintf(head, sizeof head, "%" PRId64 " ", node->version);
            etcd_put_put(ops, node->key, head, node->value, 0, node->lease && !node->fresh);
        } else if (node->was && !node->is) {
            etcd_put_delete(ops, node->key);
            deleted = true;
        }
    }
    if (!deleted)
        return;
    struct buf key = { 0 };
    buf_printf(&key, "%s.deleted", batch->etcd->prefix);
    etcd_put_put(ops, key.data, "", nothing, 0, false);
    buf_done(&key);
}

/* Three quarters of what is base64; what stands around it is shorter in etcd's own encoding. */
static bool batch_fits(const struct buf *compares, const struct buf *ops, uint32_t count)
{
    return count < ETCD_OPS_MAX /* our session's comes on top */
           && (compares->size + ops->size) / 4 * 3 + ETCD_CHAIN_BYTES <= ETCD_REQUEST_MAX;
}

bool etcd_batch_put(const struct etcd_batch *batch, struct buf *compares, struct buf *ops)
{
    uint32_t count = batch_compare(batch, compares);
    batch_ops(batch, ops);
    if (batch_fits(compares, ops, count))
        return true;
    buf_clear(compares);
    if (!batch->snapshot)
        return false;
    count = batch_compare_all(batch, compares); /* a write each, and two */
    assert(count < ETCD_OPS_MAX);
    return true;
}
