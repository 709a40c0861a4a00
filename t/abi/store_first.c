/* store_first -- a store as it was written for ABI 1.0, with a lock: t/abi.sh builds it with those
 * headers, and t/broken/store.c breaks it.  The whole tree is one sorted array of nodes that never
 * change.  A commit works on a copy of the array and puts it in the place of the old one where
 * every write went well, so that a batch is atomic by construction.  Whoever waits for a lock, a
 * holder or a loss is looked at after each change: all of that follows from what is in the tree.
 * Everything happens on the loop's thread; replying from inside a function is allowed.
 */
#include <bridle/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
    uint32_t uses; /* arrays that it is in */
    bool fence;
    int64_t version;
    br_bytes value; /* behind the node, and the path behind that */
    const char *path;
};

struct tree {
    uint32_t count;
    struct node **nodes; /* by path */
};

enum { WAIT_LOCK, WAIT_OWNER, WAIT_LOST };

struct wait {
    struct wait *next;
    int what;
    struct br_call *call;
    char *path, *text; /* a lock's: the candidate's value; an owner's: the one seen last */
};

struct example {
    int64_t nodes_max; /* option */

    struct tree tree;
    struct wait *waits; /* in the order they came */
    int64_t fences;     /* given out so far: none is given out twice */
};

static const struct br_option example_options[] = {
    BR_INTEGER(struct example, nodes_max, .fallback = "100000", .min = 1, .max = 1000000,
               .help = "Refuse to hold more nodes than this."),
    { 0 },
};

static void *memory(size_t size)
{
    void *made = calloc(1, size + 1);
    if (!made)
        abort(); /* a few bytes: there is nothing sensible left to do */
    return made;
}

static char *text(const char *from)
{
    return memcpy(memory(strlen(from)), from, strlen(from));
}

/* -- The tree --------------------------------------------------------------------------------- */

static struct node *node_new(const char *path, br_bytes value, int64_t version)
{
    struct node *node = memory(sizeof *node + value.size + strlen(path));
    char *data = (char *) (node + 1);
    if (value.size)
        memcpy(data, value.data, value.size);
    memcpy(data + value.size, path, strlen(path) + 1);
    *node = (struct node){ .version = version,
                           .value = { data, value.size },
                           .path = data + value.size };
    return node;
}

static void node_drop(struct node *node)
{
    if (--node->uses == 0)
        free(node);
}

/* Where the path is, or would be. */
static uint32_t tree_find(const struct tree *tree, const char *path, bool *ret_there)
{
    uint32_t low = 0, high = tree->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(tree->nodes[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_there = low < tree->count && strcmp(tree->nodes[low]->path, path) == 0;
    return low;
}

static struct node *tree_look(const struct tree *tree, const char *path)
{
    bool there;
    uint32_t at = tree_find(tree, path, &there);
    return there ? tree->nodes[at] : NULL;
}

/* Put a node in, in the place of the one with its path, or (node NULL) take that one out.  There is
 * room: tree_copy made some. */
static void tree_set(struct tree *tree, const char *path, struct node *node)
{
    bool there;
    uint32_t at = tree_find(tree, path, &there), behind = tree->count - at;
    struct node **place = tree->nodes + at;
    if (there)
        node_drop(*place);
    if (!there && node)
        memmove(place + 1, place, behind * sizeof *place);
    else if (there && !node)
        memmove(place, place + 1, (behind - 1) * sizeof *place);
    tree->count += (uint32_t) (node != NULL) - (uint32_t) there;
    if (node) {
        node->uses++;
        *place = node;
    }
}

static struct tree tree_copy(const struct tree *from, size_t more)
{
    struct tree tree = { from->count, memory((from->count + more) * sizeof *tree.nodes) };
    for (uint32_t i = 0; i < from->count; i++) {
        tree.nodes[i] = from->nodes[i];
        tree.nodes[i]->uses++;
    }
    return tree;
}

static void tree_free(struct tree *tree)
{
    while (tree->count > 0)
        node_drop(tree->nodes[--tree->count]);
    free(tree->nodes);
}

/* Is it a child of `path`?  Its last component, or NULL. */
static const char *child_name(const char *path, const struct node *node)
{
    size_t size = path[1] ? strlen(path) : 0; /* "/" */
    if (strncmp(node->path, path, size) != 0 || node->path[size] != '/' || !node->path[size + 1])
        return NULL;
    return strchr(node->path + size + 1, '/') ? NULL : node->path + size + 1;
}

static struct node *first_child(const struct tree *tree, const char *path, bool fence)
{
    for (uint32_t i = 0; i < tree->count; i++)
        if (child_name(path, tree->nodes[i]) && (!fence || tree->nodes[i]->fence))
            return tree->nodes[i];
    return NULL;
}

/* -- Reading ---------------------------------------------------------------------------------- */

static bool refused(const char *path, struct br_call *call)
{
    br_status status;
    const char *wrong = br_path_wrong(path, &status);
    if (wrong)
        br_reply_fail(call, status, "\"%.200s\": %s", path, wrong);
    return wrong != NULL;
}

static void *copied(struct br_call *call, const void *data, size_t size)
{
    void *copy = br_rows(call, size);
    return size ? memcpy(copy, data, size) : copy;
}

static void reply_rows(struct br_call *call, int32_t kind, const void *rows, uint32_t row_size,
                       uint32_t count)
{
    struct br_chunk *chunk = br_rows(call, sizeof *chunk);
    *chunk = (struct br_chunk){ .kind = kind, .row_size = row_size, .count = count, .rows = rows };
    br_reply_rows(call, chunk);
}

static void example_read(struct br_env *env, const char *const *paths, uint32_t count,
                         struct br_call *call)
{
    const struct example *example = env->self;
    struct br_value *rows = br_rows(call, count * sizeof *rows);
    for (uint32_t i = 0; i < count; i++) {
        if (refused(paths[i], call))
            return;
        const struct node *node = tree_look(&example->tree, paths[i]);
        rows[i] = (struct br_value){ .status = BR_NOTFOUND };
        if (node)
            rows[i] =
                (struct br_value){ .version = node->version,
                                   .value = { copied(call, node->value.data, node->value.size),
                                              node->value.size } };
    }
    reply_rows(call, BR_ROW_VALUE, rows, sizeof *rows, count);
}

static void example_list(struct br_env *env, const char *path, struct br_call *call)
{
    const struct example *example = env->self;
    const struct tree *tree = &example->tree;
    uint32_t count = 0;
    if (refused(path, call))
        return;
    if (!tree_look(tree, path)) {
        br_reply_fail(call, BR_NOTFOUND, "%.200s is not there", path);
        return;
    }
    const char **names = br_rows(call, tree->count * sizeof *names);
    for (uint32_t i = 0; i < tree->count; i++) {
        const char *name = child_name(path, tree->nodes[i]);
        if (name)
            names[count++] = copied(call, name, strlen(name) + 1);
    }
    reply_rows(call, BR_ROW_NAME, names, sizeof *names, count);
}

/* -- Writing ---------------------------------------------------------------------------------- */

static br_status write_create(struct tree *tree, const struct br_write *write, bool fence)
{
    char parent[BR_PATH_MAX + 1];
    size_t size = (size_t) (strrchr(write->path, '/') - write->path);
    memcpy(parent, write->path, size);
    parent[size] = 0;
    const struct node *above = tree_look(tree, size ? parent : "/");
    if (tree_look(tree, write->path))
        return BR_EXISTS;
    if (!above)
        return BR_NOTFOUND;
    if (above->fence)
        return BR_CONFLICT;
    struct node *node = node_new(write->path, write->value, 0);
    node->fence = fence;
    tree_set(tree, write->path, node);
    return BR_OK;
}

static br_status write_one(struct tree *tree, const struct br_write *write)
{
    const struct node *node = tree_look(tree, write->path);
    if (write->kind == BR_CREATE)
        return write_create(tree, write, false);
    if (write->kind == BR_FENCE)
        return node ? BR_OK : BR_FENCED;
    if (!node)
        return BR_NOTFOUND;
    if (write->version != BR_ANY_VERSION && write->version != node->version)
        return BR_CONFLICT;
    if (write->kind == BR_DELETE && first_child(tree, write->path, false))
        return BR_CONFLICT;
    if (write->kind == BR_DELETE)
        tree_set(tree, write->path, NULL);
    if (write->kind == BR_PUT) {
        struct node *put = node_new(write->path, write->value, node->version + 1);
        put->fence = node->fence;
        tree_set(tree, write->path, put);
    }
    return BR_OK;
}

/* -- Locks: whoever waits is looked at after each change -------------------------------------- */

/* The lock's node and those above it, where they are missing. */
static br_status make_above(struct tree *tree, const char *path)
{
    char above[BR_PATH_MAX + 1];
    br_status status = BR_OK;
    for (size_t size = 1; !status || status == BR_EXISTS; size++) {
        if (path[size] != '/' && path[size])
            continue;
        memcpy(above, path, size);
        above[size] = 0;
        status = write_create(tree, &(struct br_write){ .kind = BR_CREATE, .path = above }, false);
        if (!path[size])
            break;
    }
    return status == BR_EXISTS ? BR_OK : status;
}

static void elect(struct example *example, const struct wait *wait)
{
    char fence[BR_PATH_MAX + 64];
    int size = snprintf(fence, sizeof fence, "%s/LOCKNODE%010lld", wait->path[1] ? wait->path : "",
                        (long long) example->fences++);
    struct tree next = tree_copy(&example->tree, BR_PATH_MAX);
    br_status status = size > BR_PATH_MAX ? BR_TOOBIG : make_above(&next, wait->path);
    const struct br_write node = { .kind = BR_CREATE,
                                   .path = fence,
                                   .value = { wait->text, strlen(wait->text) } };
    if (!status)
        status = write_create(&next, &node, true);
    tree_free(status ? &next : &example->tree);
    if (!status)
        example->tree = next;
    if (status)
        br_reply_fail(wait->call, status, "no fence can be made at %.200s", wait->path);
    else
        br_reply_value(wait->call, (br_bytes){ fence, (size_t) size }, 0);
}

/* true: it was replied to. */
static bool settle_one(struct example *example, const struct wait *wait)
{
    const struct node *holder = first_child(&example->tree, wait->path, true);
    if (wait->what == WAIT_LOST) {
        const struct node *node = tree_look(&example->tree, wait->path);
        if (node && node->fence)
            return false;
        br_reply_ok(wait->call);
    } else if (wait->what == WAIT_LOCK) {
        if (holder)
            return false;
        elect(example, wait);
    } else {
        br_bytes value = holder ? holder->value : (br_bytes){ "", 0 };
        if (value.size == strlen(wait->text) && memcmp(value.data, wait->text, value.size) == 0)
            return false;
        br_reply_value(wait->call, value, 0);
    }
    return true;
}

static void wait_free(struct wait *wait)
{
    free(wait->path);
    free(wait->text);
    free(wait);
}

/* Until nothing more follows: an election changes what an owner's waiter sees. */
static void settle(struct example *example)
{
    for (struct wait **at = &example->waits; *at;) {
        struct wait *wait = *at;
        if (settle_one(example, wait)) {
            *at = wait->next;
            wait_free(wait);
            at = &example->waits;
        } else {
            at = &wait->next;
        }
    }
}

static void wait_for(struct br_env *env, int what, const char *path, const char *words,
                     struct br_call *call)
{
    struct example *example = env->self;
    struct wait **at = &example->waits;
    while (*at)
        at = &(*at)->next;
    *at = memory(sizeof **at);
    **at = (struct wait){ .what = what, .call = call, .path = text(path), .text = text(words) };
    settle(example);
}

static void example_lock(struct br_env *env, const char *path, const char *value,
                         struct br_call *call)
{
    if (!refused(path, call))
        wait_for(env, WAIT_LOCK, path, value, call);
}

static void example_owner(struct br_env *env, const char *path, const char *last_seen,
                          struct br_call *call)
{
    if (!refused(path, call))
        wait_for(env, WAIT_OWNER, path, last_seen, call);
}

static void example_lost(struct br_env *env, const char *fence, struct br_call *call)
{
    wait_for(env, WAIT_LOST, fence, "", call);
}

static void example_unlock(struct br_env *env, const char *fence, struct br_call *call)
{
    struct example *example = env->self;
    const struct node *node = tree_look(&example->tree, fence);
    if (!node || !node->fence) {
        br_reply_fail(call, BR_NOTFOUND, "%.200s: this lock is not held", fence);
        return;
    }
    tree_set(&example->tree, fence, NULL);
    br_reply_ok(call);
    settle(example);
}

/* `call` NULL: all of them; losses of locks are told, the rest is called off. */
static void call_off(struct example *example, const struct br_call *call)
{
    for (struct wait **at = &example->waits; *at;) {
        struct wait *wait = *at;
        if (call && wait->call != call) {
            at = &wait->next;
            continue;
        }
        *at = wait->next;
        if (wait->what == WAIT_LOST && !call)
            br_reply_ok(wait->call);
        else
            br_reply_fail(wait->call, BR_CANCELED, "%.200s: called off", wait->path);
        wait_free(wait);
    }
}

static void example_cancel(struct br_env *env, struct br_call *call)
{
    call_off(env->self, call);
}

static void example_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                           struct br_call *call);

static const struct br_store example_store = {
    .flags = BR_STORE_EPHEMERAL,
    .batch_ops_max = 1000,
    .batch_bytes_max = 4 << 20,
    .read = example_read,
    .list = example_list,
    .commit = example_commit,
    .lock = example_lock,
    .owner = example_owner,
    .lost = example_lost,
    .unlock = example_unlock,
    .cancel = example_cancel,
};

static void example_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                           struct br_call *call)
{
    struct example *example = env->self;
    uint32_t at = 0;
    br_status status;
    const char *wrong = br_batch_wrong(&example_store, writes, count, &at, &status);
    if (wrong) {
        br_reply_fail(call, status, "%.200s: %s", writes[at]->path, wrong);
        return;
    }
    struct tree next = tree_copy(&example->tree, count);
    for (at = 0, status = BR_OK; at < count && !status; at++)
        status = write_one(&next, writes[at]);
    if (!status && next.count > example->nodes_max) {
        br_reply_fail(call, BR_TOOBIG, "%u nodes are more than nodes_max", next.count);
        tree_free(&next);
    } else if (status) {
        br_reply_fail(call, status, "%.200s %s", writes[at - 1]->path,
                      br_write_why(writes[at - 1], status));
        tree_free(&next);
    } else {
        tree_free(&example->tree);
        example->tree = next;
        br_reply_ok(call);
        settle(example);
    }
}

/* -- Life ------------------------------------------------------------------------------------- */

static br_status example_open(struct br_env *env)
{
    struct example *example = env->self;
    example->tree = tree_copy(&example->tree, 1);
    tree_set(&example->tree, "/", node_new("/", (br_bytes){ NULL, 0 }, 0));
    return BR_OK;
}

static void example_stop(struct br_env *env, struct br_call *call)
{
    call_off(env->self, NULL);
    br_reply_ok(call);
}

static void example_close(struct br_env *env)
{
    struct example *example = env->self;
    tree_free(&example->tree);
}

BR_PLUGIN(store, example, &example_store, .summary = "A store to start from.", .version = "0.1",
          .license = "Apache-2.0", BR_STATE(struct example, example_options), .open = example_open,
          .stop = example_stop, .close = example_close);
