/* sim_disk -- the tree that outlives every process: sorted arrays in shared memory, each batch
 * makes a new one.  Nothing is freed before the run is over, so that whoever kept an older tree
 * still has it.  The rules are those of bridle/store.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host/recovery/audit.h"
#include "t/sim.h"

#define DISK_ALIGN 16

struct sim_disk *sim_disk;

void sim_disk_make(void)
{
    void *memory = mmap(NULL, SIM_MEMORY, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        perror("sim: mmap");
        exit(1);
    }
    sim_disk = memory;
    sim_disk_reset();
}

void *sim_disk_memory(size_t size)
{
    char *at = (char *) sim_disk + sim_disk->used;
    size = (size + DISK_ALIGN - 1) / DISK_ALIGN * DISK_ALIGN;
    if (sim_disk->used + size > SIM_MEMORY) {
        fprintf(stderr, "sim: seed %llu: the disk is full\n", (unsigned long long) sim.seed);
        exit(1);
    }
    sim_disk->used += size;
    return at;
}

const char *sim_disk_text(const char *text, size_t size)
{
    char *copy = sim_disk_memory(size + 1);
    if (size)
        memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

void sim_disk_reset(void)
{
    size_t own = (sizeof *sim_disk + DISK_ALIGN - 1) / DISK_ALIGN * DISK_ALIGN;
    *sim_disk = (struct sim_disk){ .used = own };
    struct sim_item *root = sim_disk_memory(sizeof *root);
    *root = (struct sim_item){ .path = "/", .value = "" };
    sim_disk->tree = (struct sim_tree){ root, 1 };
}

/* -- Trees ------------------------------------------------------------------------------------- */

/* Where it is, or would be. */
static uint32_t tree_place(const struct sim_tree *tree, const char *path, bool *ret_there)
{
    uint32_t low = 0, high = tree->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(tree->items[middle].path, path);
        if (order == 0) {
            *ret_there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_there = false;
    return low;
}

const struct sim_item *sim_tree_find(const struct sim_tree *tree, const char *path)
{
    bool there;
    uint32_t place = tree_place(tree, path, &there);
    return there ? &tree->items[place] : NULL;
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    return hash;
}

uint64_t sim_tree_hash(const struct sim_tree *tree)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct sim_item *item = &tree->items[i];
        if (strstr(item->path, "/bridle/" AUDIT_PREFIX))
            continue; /* its time is never the same, and nobody decides by it */
        hash = hash_bytes(hash, item->path, strlen(item->path) + 1);
        hash = hash_bytes(hash, item->value, item->size);
        hash = hash_bytes(hash, &item->version, sizeof item->version);
    }
    return hash;
}

void sim_tree_print(const struct sim_tree *tree)
{
    for (uint32_t i = 0; i < tree->count; i++)
        printf("    %s v%lld %.*s\n", tree->items[i].path, (long long) tree->items[i].version,
               (int) tree->items[i].size, tree->items[i].value);
}

/* -- Batches ----------------------------------------------------------------------------------- */

/* A tree under change: room for one item more than there can be. */
struct draft {
    struct sim_item *items;
    uint32_t count;
};

static bool draft_has_children(const struct draft *draft, const char *path)
{
    size_t size = strlen(path);
    for (uint32_t i = 0; i < draft->count; i++) {
        const char *other = draft->items[i].path;
        if (strncmp(other, path, size) == 0 && other[size] == '/')
            return true;
    }
    return false;
}

static struct sim_item draft_item(const struct br_write *write, int64_t version)
{
    return (struct sim_item){ .value = sim_disk_text(write->value.data, write->value.size),
                              .size = (uint32_t) write->value.size,
                              .version = version };
}

static br_status draft_create(struct draft *draft, const struct br_write *write)
{
    const struct sim_tree tree = { draft->items, draft->count };
    bool there;
    uint32_t place = tree_place(&tree, write->path, &there);
    size_t parent_size = (size_t) (strrchr(write->path, '/') - write->path);
    const char *parent = parent_size ? sim_disk_text(write->path, parent_size) : "/";
    if (there)
        return BR_EXISTS;
    if (!sim_tree_find(&tree, parent))
        return BR_NOTFOUND;
    if (sim_disk->fence && strcmp(parent, sim_disk->fence) == 0)
        return BR_CONFLICT;
    memmove(draft->items + place + 1, draft->items + place,
            (draft->count - place) * sizeof *draft->items);
    draft->items[place] = draft_item(write, 0);
    draft->items[place].path = sim_disk_text(write->path, strlen(write->path));
    draft->count++;
    return BR_OK;
}

static br_status draft_write(struct draft *draft, const struct br_write *write)
{
    const struct sim_tree tree = { draft->items, draft->count };
    bool there;
    if (write->kind == BR_CREATE)
        return draft_create(draft, write);
    uint32_t place = tree_place(&tree, write->path, &there);
    if (write->kind == BR_FENCE)
        return there ? BR_OK : BR_FENCED;
    if (!there)
        return BR_NOTFOUND;
    struct sim_item *item = &draft->items[place];
    if (write->version != BR_ANY_VERSION && write->version != item->version)
        return BR_CONFLICT;
    if (write->kind == BR_PUT) {
        const char *path = item->path;
        *item = draft_item(write, item->version + 1);
        item->path = path;
    } else if (write->kind == BR_DELETE) {
        if (draft_has_children(draft, write->path))
            return BR_CONFLICT;
        memmove(item, item + 1, (draft->count - place - 1) * sizeof *item);
        draft->count--;
    }
    return BR_OK;
}

bool sim_disk_commit(const struct br_write *const *writes, uint32_t count, uint32_t *ret_index,
                     br_status *ret_status)
{
    const struct sim_tree old = sim_disk->tree;
    size_t used = sim_disk->used;
    struct draft draft = { sim_disk_memory((old.count + count) * sizeof *draft.items), old.count };
    memcpy(draft.items, old.items, old.count * sizeof *draft.items);
    for (uint32_t i = 0; i < count; i++) {
        br_status status = draft_write(&draft, writes[i]);
        if (status) {
            *ret_index = i;
            *ret_status = status;
            sim_disk->used = used;
            return false;
        }
    }
    sim_disk->tree = (struct sim_tree){ draft.items, draft.count };
    sim_disk->commits++;
    return true;
}

void sim_disk_set(const char *path, const char *value)
{
    uint32_t index;
    br_status status;
    for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        const char *parent = sim_disk_text(path, (size_t) (at - path));
        if (!sim_tree_find(&sim_disk->tree, parent))
            sim_disk_set(parent, "");
    }
    struct br_write write = {
        .kind = sim_tree_find(&sim_disk->tree, path) ? BR_PUT : BR_CREATE,
        .path = path,
        .value = { value, strlen(value) },
        .version = BR_ANY_VERSION,
    };
    sim_disk_commit((const struct br_write *[]){ &write }, 1, &index, &status);
}
