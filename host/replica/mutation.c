/* mutation -- see mutation.h. */
#include "host/replica/mutation.h"

#include <stdlib.h>

#include "host/base/mem.h"

struct mutation *mutation_new(struct mutation_pool *pool)
{
    struct mutation *mutation = pool->free;
    if (mutation) {
        pool->free = mutation->next;
        pool->free_count--;
    } else {
        mutation = mem_new(sizeof *mutation);
        mutation->pool = pool;
    }
    mutation->holders = 1;
    mutation->logged = false;
    mutation->left_secondaries = mutation->left_learners = 0;
    mutation->prepared_at = 0;
    return mutation;
}

void mutation_hold(struct mutation *mutation)
{
    mutation->holders++;
}

static void mutation_free(struct mutation *mutation)
{
    buf_done(&mutation->updates);
    free(mutation->clients);
    free(mutation);
}

void mutation_release(struct mutation *mutation)
{
    if (!mutation || --mutation->holders > 0)
        return;
    for (uint32_t i = 0; i < mutation->client_count; i++) {
        if (mutation->clients[i])
            rdsn_server_drop(mutation->clients[i]);
    }
    mutation->client_count = 0;
    struct mutation_pool *pool = mutation->pool;
    if (pool->free_count == MUTATION_POOL_MAX) {
        mutation_free(mutation);
        return;
    }
    buf_clear(&mutation->updates);
    if (mutation->updates.cap > MUTATION_KEEP_MAX)
        buf_done(&mutation->updates);
    mutation->next = pool->free;
    pool->free = mutation;
    pool->free_count++;
}

void mutation_pool_done(struct mutation_pool *pool)
{
    while (pool->free) {
        struct mutation *mutation = pool->free;
        pool->free = mutation->next;
        mutation_free(mutation);
    }
    pool->free_count = 0;
}

void mutation_add_client(struct mutation *mutation, struct rdsn_incoming *incoming)
{
    if (mutation->client_count == mutation->client_room) {
        mutation->client_room = mutation->client_room ? mutation->client_room * 2 : 4;
        mutation->clients =
            mem_grow(mutation->clients, mutation->client_room * sizeof *mutation->clients);
    }
    mutation->clients[mutation->client_count++] = incoming;
}

void mutation_set_empty(struct mutation *mutation)
{
    mutation_put_count(&mutation->updates, 1);
    mutation_put_update(&mutation->updates, "RPC_REPLICATION_WRITE_EMPTY", 0, 0);
}

/* -- The list --------------------------------------------------------------------------------- */

static struct mutation **prepare_list_slot(struct prepare_list *list, int64_t decree)
{
    return &list->slots[(uint64_t) decree % PREPARE_LIST_MAX];
}

void prepare_list_init(struct prepare_list *list, int64_t decree)
{
    *list = (struct prepare_list){ .empty = true };
    prepare_list_reset(list, decree);
}

void prepare_list_done(struct prepare_list *list)
{
    prepare_list_reset(list, list->committed);
}

void prepare_list_reset(struct prepare_list *list, int64_t decree)
{
    for (uint32_t i = 0; i < PREPARE_LIST_MAX; i++) {
        mutation_release(list->slots[i]);
        list->slots[i] = NULL;
    }
    list->first = list->last = list->committed = decree;
    list->empty = true;
}

static void prepare_list_pop(struct prepare_list *list)
{
    struct mutation **slot = prepare_list_slot(list, list->first);
    mutation_release(*slot);
    *slot = NULL;
    if (list->first == list->last)
        list->empty = true;
    else
        list->first++;
}

void prepare_list_truncate(struct prepare_list *list, int64_t decree)
{
    while (!list->empty && list->first <= decree)
        prepare_list_pop(list);
    if (list->empty)
        prepare_list_reset(list, decree);
    list->committed = decree;
}

struct mutation *prepare_list_get(const struct prepare_list *list, int64_t decree)
{
    if (list->empty || decree < list->first || decree > list->last)
        return NULL;
    return list->slots[(uint64_t) decree % PREPARE_LIST_MAX];
}

void prepare_list_make_room(struct prepare_list *list, int64_t decree, bool all)
{
    while (!list->empty && (decree - list->first >= PREPARE_LIST_MAX || all)
           && list->committed > list->first)
        prepare_list_pop(list);
}

bool prepare_list_put(struct prepare_list *list, struct mutation *mutation)
{
    int64_t decree = mutation->header.decree;
    int64_t first = list->empty || decree < list->first ? decree : list->first;
    int64_t last = list->empty || decree > list->last ? decree : list->last;
    if (last - first >= PREPARE_LIST_MAX)
        return false;
    struct mutation **slot = prepare_list_slot(list, decree);
    mutation_hold(mutation);
    mutation_release(*slot);
    *slot = mutation;
    list->first = first;
    list->last = last;
    list->empty = false;
    return true;
}
