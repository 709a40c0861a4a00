/* store_memory -- a store in memory, for tests and rehearsals: a hash table over all paths, and
 * each node in a list of its parent's children.  It answers at once, because it may: the host never
 * delivers a reply from inside the call that asked for it.  A batch is carried out write by write
 * with a log of what to undo, so each write sees those before it.
 */
#include "plugin/store_memory.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/crc.h"
#include "host/base/mem.h"

#define MEMORY_TABLE_MIN 1024 /* slots; a power of two */
#define MEMORY_CHUNK     512  /* names of a list per chunk */

static const struct br_option memory_options[] = {
    BR_INTEGER(struct memory, nodes_max, .fallback = "10000000", .min = 1, .max = 1000000000,
               .help = "Refuse to hold more nodes than this."),
    { 0 },
};

/* -- The tree --------------------------------------------------------------------------------- */

static uint64_t memory_hash(const char *path, size_t size)
{
    uint64_t hash = (uint64_t) size << 32 | crc32c(path, size, 0);
    return hash * UINT64_C(0x9e3779b97f4a7c15) >> 16;
}

struct memory_node *memory_find(const struct memory *memory, const char *path, size_t size)
{
    const uint64_t hash = memory_hash(path, size);
    struct memory_node *node = memory->table[hash & memory->mask];
    while (
        node
        && (node->hash != hash || node->path_size != size || memcmp(node->path, path, size) != 0))
        node = node->chain;
    return node;
}

static struct memory_node *memory_look(const struct memory *memory, const char *path)
{
    return memory_find(memory, path, strlen(path));
}

static void memory_grow(struct memory *memory)
{
    const uint64_t old = memory->mask + 1, size = old * 2;
    struct memory_node **table = mem_array(size, sizeof *table);
    for (uint64_t i = 0; i < old; i++) {
        for (struct memory_node *next, *node = memory->table[i]; node; node = next) {
            struct memory_node **slot = &table[node->hash & (size - 1)];
            next = node->chain;
            node->chain = *slot;
            *slot = node;
        }
    }
    free(memory->table);
    memory->table = table;
    memory->mask = size - 1;
}

void memory_link(struct memory *memory, struct memory_node *parent, struct memory_node *node)
{
    if (memory->count > (int64_t) memory->mask)
        memory_grow(memory);
    struct memory_node **slot = &memory->table[node->hash & memory->mask];
    node->chain = *slot;
    *slot = node;
    memory->count++;
    node->parent = parent;
    node->prev = NULL;
    node->next = parent ? parent->child : NULL;
    if (node->next)
        node->next->prev = node;
    if (parent)
        parent->child = node;
}

void memory_unlink(struct memory *memory, struct memory_node *node)
{
    struct memory_node **slot = &memory->table[node->hash & memory->mask];
    while (*slot != node)
        slot = &(*slot)->chain;
    *slot = node->chain;
    memory->count--;
    if (node->next)
        node->next->prev = node->prev;
    if (node->prev)
        node->prev->next = node->next;
    else
        node->parent->child = node->next;
}

static void *memory_copy(br_bytes value)
{
    if (value.size == 0)
        return NULL;
    return memcpy(mem_grow(NULL, value.size), value.data, value.size);
}

struct memory_node *memory_add(struct memory *memory, struct memory_node *parent, const char *path,
                               size_t size, br_bytes value)
{
    struct memory_node *node = mem_grow(NULL, sizeof *node + size + 1);
    *node = (struct memory_node){ .data = memory_copy(value),
                                  .size = value.size,
                                  .hash = memory_hash(path, size),
                                  .path_size = (uint32_t) size };
    memcpy(node->path, path, size);
    node->path[size] = 0;
    memory_link(memory, parent, node);
    return node;
}

static void memory_free(struct memory_node *node)
{
    free(node->data);
    free(node);
}

/* -- Reading ---------------------------------------------------------------------------------- */

static struct br_value memory_value(const struct memory_node *node, struct br_call *call)
{
    if (!node)
        return (struct br_value){ .status = BR_NOTFOUND };
    return (struct br_value){ .version = node->version,
                              .value = { br_copy(call, node->data, node->size), node->size } };
}

static void memory_read(struct br_env *env, const char *const *paths, uint32_t count,
                        struct br_call *call)
{
    const struct memory *memory = env->self;
    struct br_value *rows = br_rows(call, count * sizeof *rows);
    for (uint32_t i = 0; i < count; i++) {
        if (br_path_refused(paths[i], call))
            return;
        rows[i] = memory_value(memory_look(memory, paths[i]), call);
    }
    br_reply_array(call, BR_ROW_VALUE, rows, sizeof *rows, count);
}

static const char *memory_name(const struct memory_node *node, struct br_call *call)
{
    const char *name = strrchr(node->path, '/') + 1;
    return br_copy(call, name, strlen(name) + 1);
}

static void memory_list(struct br_env *env, const char *path, struct br_call *call)
{
    const struct br_chunk *first = NULL;
    if (br_path_refused(path, call))
        return;
    const struct memory_node *node = memory_look(env->self, path);
    if (!node) {
        br_reply_fail(call, BR_NOTFOUND, "%.200s is not there", path);
        return;
    }
    for (const struct memory_node *child = node->child; child;) {
        const char **names = br_rows(call, MEMORY_CHUNK * sizeof *names);
        struct br_chunk *chunk = br_rows(call, sizeof *chunk);
        uint32_t count = 0;
        for (; child && count < MEMORY_CHUNK; child = child->next)
            names[count++] = memory_name(child, call);
        *chunk = (struct br_chunk){ .next = first,
                                    .kind = BR_ROW_NAME,
                                    .row_size = sizeof *names,
                                    .count = count,
                                    .rows = names };
        first = chunk;
    }
    br_reply_rows(call, first);
}

/* -- Writing ---------------------------------------------------------------------------------- */

/* What a write did, so that it can be undone: CREATE made node; PUT replaced data and size; DELETE
 * took node out.  kind 0: nothing. */
struct memory_undo {
    br_write_kind kind;
    struct memory_node *node;
    void *data;
    size_t size;
};

static br_status memory_create(struct memory *memory, const struct br_write *write,
                               struct memory_undo *undo)
{
    const size_t size = strlen(write->path);
    const size_t parent_size = (size_t) (strrchr(write->path, '/') - write->path);
    if (memory_find(memory, write->path, size))
        return BR_EXISTS;
    struct memory_node *parent =
        parent_size ? memory_find(memory, write->path, parent_size) : memory->root;
    if (!parent)
        return BR_NOTFOUND;
    if (parent->seat)
        return BR_CONFLICT;
    if (memory->count >= memory->nodes_max)
        return BR_TOOBIG;
    undo->node = memory_add(memory, parent, write->path, size, write->value);
    undo->kind = BR_CREATE;
    return BR_OK;
}

static br_status memory_write(struct memory *memory, const struct br_write *write,
                              struct memory_undo *undo)
{
    if (write->kind == BR_CREATE)
        return memory_create(memory, write, undo);
    struct memory_node *node = memory_look(memory, write->path);
    br_status status = br_write_status(write, node ? node->version : -1, true, node && node->child);
    if (status || write->kind > BR_DELETE)
        return status;
    *undo = (struct memory_undo){ write->kind, node, node->data, node->size };
    if (write->kind == BR_DELETE) {
        memory_unlink(memory, node);
        return BR_OK;
    }
    node->data = memory_copy(write->value);
    node->size = write->value.size;
    node->version++;
    return BR_OK;
}

static void memory_undo(struct memory *memory, const struct memory_undo *undo)
{
    struct memory_node *node = undo->node;
    if (undo->kind == BR_CREATE) {
        memory_unlink(memory, node);
        memory_free(node);
    } else if (undo->kind == BR_PUT) {
        free(node->data);
        node->data = undo->data;
        node->size = undo->size;
        node->version--;
    } else if (undo->kind == BR_DELETE) {
        memory_link(memory, node->parent, node);
    }
}

/* The batch stays: what it replaced can go, and who led by a deleted fence leads no more. */
static void memory_keep(struct br_env *env, const struct memory_undo *undo)
{
    if (undo->kind == BR_PUT) {
        free(undo->data);
    } else if (undo->kind == BR_DELETE) {
        if (undo->node->seat)
            memory_depose(env, undo->node->seat);
        memory_free(undo->node);
    }
}

static void memory_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                          struct br_call *call);

static const struct br_store memory_store = {
    .flags = BR_STORE_EPHEMERAL,
    .batch_ops_max = MEMORY_BATCH_OPS_MAX,
    .batch_bytes_max = MEMORY_BATCH_BYTES_MAX,
    .batches_max = 1,
    .read = memory_read,
    .list = memory_list,
    .commit = memory_commit,
    .lock = memory_lock,
    .owner = memory_owner,
    .lost = memory_lost,
    .unlock = memory_unlock,
    .cancel = memory_cancel,
    .elections = memory_elections,
};

static void memory_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                          struct br_call *call)
{
    struct memory *memory = env->self;
    uint32_t index, done = 0;
    br_status status;
    const char *wrong = br_batch_wrong(&memory_store, writes, count, &index, &status);
    if (wrong) {
        br_reply_fail(call, status, "write %u of %u, %.200s: %s", index + 1, count,
                      writes[index]->path, wrong);
        return;
    }
    struct memory_undo *undo = mem_array((size_t) count + 1, sizeof *undo);
    for (status = BR_OK; done < count && !status; done++)
        status = memory_write(memory, writes[done], &undo[done]);
    if (status)
        br_reply_fail(call, status, "write %u of %u: %.200s %s", done, count,
                      writes[done - 1]->path,
                      status == BR_TOOBIG ? "is one node more than nodes_max"
                                          : br_write_why(writes[done - 1], status));
    else
        br_reply_ok(call);
    while (status && done > 0)
        memory_undo(memory, &undo[--done]);
    for (uint32_t i = 0; !status && i < count; i++)
        memory_keep(env, &undo[i]);
    free(undo);
}

/* -- Life ------------------------------------------------------------------------------------- */

static br_status memory_open(struct br_env *env)
{
    struct memory *memory = env->self;
    memory->table = mem_array(MEMORY_TABLE_MIN, sizeof(struct memory_node *));
    memory->mask = MEMORY_TABLE_MIN - 1;
    memory->root = memory_add(memory, NULL, "/", 1, (br_bytes){ NULL, 0 });
    memory->count = 0; /* "/" does not count */
    return BR_OK;
}

static void memory_stop(struct br_env *env, struct br_call *call)
{
    memory_lock_stop(env);
    br_reply_ok(call);
}

static void memory_close(struct br_env *env)
{
    struct memory *memory = env->self;
    memory_lock_free(memory);
    for (uint64_t i = 0; i <= memory->mask; i++) {
        for (struct memory_node *next, *node = memory->table[i]; node; node = next) {
            next = node->chain;
            memory_free(node);
        }
    }
    free(memory->table);
}

BR_PLUGIN(store, memory, &memory_store, .summary = "A store in memory, for tests and rehearsals.",
          .version = "1.0", .license = "Apache-2.0", BR_STATE(struct memory, memory_options),
          .open = memory_open, .stop = memory_stop, .close = memory_close);
