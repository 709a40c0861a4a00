/* store_example -- a store to start from: a table of nodes in memory, sorted by path.  A batch is
 * carried out write by write, and each leaves behind what it replaced, so that it can be undone.
 * Without lock() a store serves one meta server alone; store.h says what a lock has to be.
 */
#include <bridle/plugin.h>

#include <stdio.h>
#include <stdlib.h>

#define NODES_MAX 100000

struct node {
    int64_t version;
    br_bytes value; /* behind the path */
    char path[];
};

struct example {
    uint32_t count;
    struct node
        *nodes[NODES_MAX + 1]; /* by path: what is below a node stands together; then NULL */
};

/* Where the path is, or would be. */
static struct node **find(struct example *example, const char *path)
{
    uint32_t low = 0, high = example->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (strcmp(example->nodes[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return example->nodes + low;
}

static struct node *look(struct example *example, const char *path)
{
    struct node *node = *find(example, path);
    return node && strcmp(node->path, path) == 0 ? node : NULL;
}

/* Puts a node (NULL: none) at its path, and returns the one that was there. */
static struct node *swap(struct example *example, const char *path, struct node *node)
{
    struct node *was = look(example, path), **place = find(example, path);
    struct node **from = place + (was != NULL), **end = example->nodes + example->count + 1;
    memmove(place + (node != NULL), from, (size_t) (end - from) * sizeof *from);
    example->count += (uint32_t) (node != NULL) - (uint32_t) (was != NULL);
    if (node)
        *place = node;
    return was;
}

/* Where what is below `path` begins. */
static struct node **below(struct example *example, const char *path)
{
    char first[BR_PATH_MAX + 2];
    snprintf(first, sizeof first, "%s/", path[1] ? path : "");
    return find(example, first);
}

/* What is behind `path` and a '/' in the node's path; NULL: it is not below. */
static const char *tail(const struct node *node, const char *path)
{
    size_t size = path[1] ? strlen(path) : 0; /* of "/" */
    return node && strncmp(node->path, path, size) == 0 && node->path[size] == '/'
               ? node->path + size + 1
               : NULL;
}

static bool has_parent(struct example *example, const char *path)
{
    char parent[BR_PATH_MAX + 1];
    int size = (int) (strrchr(path, '/') - path);
    snprintf(parent, sizeof parent, "%.*s", size ? size : 1, path);
    return look(example, parent) != NULL;
}

static struct node *node_new(const char *path, br_bytes value, int64_t version)
{
    size_t size = strlen(path) + 1;
    struct node *node = malloc(sizeof *node + size + value.size);
    if (!node)
        return NULL;
    *node = (struct node){ version, { node->path + size, value.size } };
    memcpy(node->path, path, size);
    if (value.size)
        memcpy(node->path + size, value.data, value.size);
    return node;
}

static void example_read(struct br_env *env, const char *const *paths, uint32_t count,
                         struct br_call *call)
{
    struct br_value *rows = br_rows(call, count * sizeof *rows);
    for (uint32_t i = 0; i < count; i++) {
        if (br_path_refused(paths[i], call))
            return;
        const struct node *node = look(env->self, paths[i]);
        rows[i] = (struct br_value){ .status = BR_NOTFOUND };
        if (node)
            rows[i] = (struct br_value){ .version = node->version, .value = node->value };
        rows[i].value.data = br_copy(call, rows[i].value.data, rows[i].value.size);
    }
    br_reply_array(call, BR_ROW_VALUE, rows, sizeof *rows, count);
}

static void example_list(struct br_env *env, const char *path, struct br_call *call)
{
    struct example *example = env->self;
    const char *name, **names = br_rows(call, example->count * sizeof *names);
    uint32_t count = 0;
    if (br_path_refused(path, call))
        return;
    for (struct node **at = below(example, path); (name = tail(*at, path)); at++)
        if (*name && !strchr(name, '/'))
            names[count++] = br_copy(call, name, strlen(name) + 1);
    if (look(example, path))
        br_reply_array(call, BR_ROW_NAME, names, sizeof *names, count);
    else
        br_reply_fail(call, BR_NOTFOUND, "%.200s is not there", path);
}

static br_status write_one(struct example *example, const struct br_write *write,
                           struct node **ret_was)
{
    const struct node *node = look(example, write->path);
    struct node *made = NULL;
    int64_t version = node ? node->version : -1;
    br_status status = br_write_status(write, version, has_parent(example, write->path),
                                       tail(*below(example, write->path), write->path));
    *ret_was = NULL;
    if (status || write->kind > BR_DELETE) /* CHECK, FENCE */
        return status;
    if (write->kind == BR_CREATE && example->count == NODES_MAX)
        return BR_TOOBIG;
    if (write->kind != BR_DELETE && !(made = node_new(write->path, write->value, version + 1)))
        return BR_NOMEM;
    *ret_was = swap(example, write->path, made);
    return BR_OK;
}

static void example_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                           struct br_call *call)
{
    static const struct br_store no_limits;
    struct node **was = br_rows(call, count * sizeof *was);
    uint32_t at = 0, done = 0;
    br_status status;
    const char *why = br_batch_wrong(&no_limits, writes, count, &at, &status);
    for (; !why && done < count; done++) {
        status = write_one(env->self, writes[at = done], &was[done]);
        if (status && (why = br_write_why(writes[at], status)))
            break;
    }
    while (done-- > 0) { /* what was replaced can go; or it comes back, the last first */
        if (why && writes[done]->kind <= BR_DELETE)
            was[done] = swap(env->self, writes[done]->path, was[done]);
        free(was[done]);
    }
    if (why)
        br_reply_fail(call, status, "%.200s: %s", writes[at]->path, why);
    else
        br_reply_ok(call);
}

static br_status example_open(struct br_env *env)
{
    struct node *root = node_new("/", (br_bytes){ NULL, 0 }, 0);
    if (root)
        swap(env->self, root->path, root);
    return root ? BR_OK : br_fail(env, BR_NOMEM, "no memory for the root");
}

static void example_close(struct br_env *env)
{
    struct example *example = env->self;
    while (example->count > 0)
        free(example->nodes[--example->count]);
}

static const struct br_store example_store = {
    .flags = BR_STORE_EPHEMERAL,
    .read = example_read,
    .list = example_list,
    .commit = example_commit,
};

BR_PLUGIN(store, example, &example_store, .summary = "A store to start from.", .version = "0.1",
          .license = "Apache-2.0", .state_size = sizeof(struct example), .open = example_open,
          .close = example_close);
