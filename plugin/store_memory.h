/* store_memory -- what its two files share: the tree (store_memory.c) and who leads
 * (store_memory_lock.c).  Everything happens on the loop thread.
 */
#ifndef PLUGIN_STORE_MEMORY_H
#define PLUGIN_STORE_MEMORY_H

#include <bridle/plugin.h>

#define MEMORY_BATCH_OPS_MAX   4096
#define MEMORY_BATCH_BYTES_MAX (4 << 20)

struct memory_seat;

/* One node; its path lies behind it. */
struct memory_node {
    struct memory_node *chain; /* the next of its slot in the table */
    struct memory_node *parent, *child, *next, *prev;
    struct memory_seat *seat; /* it is the fence of this seat's lock */
    void *data;
    size_t size;
    int64_t version;
    uint64_t hash;
    uint32_t path_size;
    char path[];
};

struct memory {
    int64_t nodes_max; /* option */

    struct memory_node **table; /* by path */
    uint64_t mask;
    int64_t count;
    struct memory_node *root;
    struct memory_seat *seats;
};

struct memory_node *memory_find(const struct memory *memory, const char *path, size_t size);

/* The caller has looked: parent is there, path is not.  The value is copied. */
struct memory_node *memory_add(struct memory *memory, struct memory_node *parent, const char *path,
                               size_t size, br_bytes value);

/* Out of the tree, not freed; and back into it. */
void memory_unlink(struct memory *memory, struct memory_node *node);
void memory_link(struct memory *memory, struct memory_node *parent, struct memory_node *node);

void memory_lock(struct br_env *env, const char *path, const char *value, struct br_call *call);
void memory_owner(struct br_env *env, const char *path, const char *last_seen,
                  struct br_call *call);
void memory_lost(struct br_env *env, const char *fence, struct br_call *call);
void memory_unlock(struct br_env *env, const char *fence, struct br_call *call);
void memory_elections(struct br_env *env, const char *path, struct br_call *call);
void memory_cancel(struct br_env *env, struct br_call *call);

/* The fence node of this seat was deleted by a commit. */
void memory_depose(struct br_env *env, struct memory_seat *seat);

/* Reply to everybody who waits. */
void memory_lock_stop(struct br_env *env);
void memory_lock_free(struct memory *memory);

#endif
