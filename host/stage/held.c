/* held -- see held.h. */
#include "host/stage/held.h"

#include <stdlib.h>

#include "host/base/mem.h"

static int held_order(const void *a, const void *b)
{
    const struct br_replica *x = *(const struct br_replica *const *) a;
    const struct br_replica *y = *(const struct br_replica *const *) b;
    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

void held_collect(struct held *held, const struct survey *survey)
{
    *held = (struct held){ .rows = mem_array(survey->replica_count + 1, sizeof *held->rows) };
    for (uint32_t i = 0; i < survey->node_count; i++) {
        const struct survey_node *node = &survey->nodes[i];
        for (const struct br_chunk *at = node->complete ? node->replicas : NULL; at;
             at = at->next) {
            for (uint32_t j = 0; j < at->count && held->count < survey->replica_count; j++)
                held->rows[held->count++] =
                    (const void *) ((const char *) at->rows + (size_t) j * at->row_size);
        }
    }
    qsort(held->rows, held->count, sizeof *held->rows, held_order);
}

void held_done(struct held *held)
{
    free(held->rows);
    held->rows = NULL;
}

void held_seek(struct held *held, int32_t table, int32_t partition)
{
    const struct br_replica want = { .node = -1, .table = table, .partition = partition };
    const struct br_replica *key = &want;
    while (held->at < held->count && held_order(&held->rows[held->at], &key) < 0)
        held->at++;
}

const struct br_replica *held_row(const struct held *held, size_t offset, int32_t table,
                                  int32_t partition)
{
    if (held->at + offset >= held->count)
        return NULL;
    const struct br_replica *row = held->rows[held->at + offset];
    return row->table == table && row->partition == partition ? row : NULL;
}

const struct br_replica *held_of(const struct held *held, int32_t table, int32_t partition,
                                 int32_t node)
{
    const struct br_replica *row;
    for (size_t i = 0; (row = held_row(held, i, table, partition)); i++) {
        if (row->node == node)
            return row;
    }
    return NULL;
}
