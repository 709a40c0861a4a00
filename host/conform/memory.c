/* memory -- whose an answer's rows are. */
#include <dlfcn.h>
#include <string.h>

#include "host/conform/kit.h"

static bool memory_held(const struct answer *answer, const void *data, size_t size)
{
    Dl_info info;
    return arena_holds(&answer->arena, data, size) || dladdr(data, &info) != 0;
}

static void memory_check(struct answer *answer, const char *what, const void *data, size_t size)
{
    struct conform *c = answer->c;
    if (!memory_held(answer, data, size))
        conform_broken(c, &conform_rows, CONFORM_WHERE,
                       "%s of %zu bytes lies neither in memory of br_rows nor in the plugin's file",
                       what, size);
}

static void memory_string(struct answer *answer, const char *what, const char *text)
{
    struct conform *c = answer->c;
    if (!text)
        conform_broken(c, &conform_rows, CONFORM_WHERE, "%s is NULL", what);
    memory_check(answer, what, text, 1);
    memory_check(answer, what, text, strlen(text) + 1);
}

static void memory_table(struct answer *answer, const struct br_table *row)
{
    struct conform *c = answer->c;
    memory_string(answer, "a table's name", row->name);
    memory_string(answer, "a table's type", row->type);
    if (row->env_count && !row->envs)
        conform_broken(c, &conform_rows, CONFORM_WHERE, "%u environments at no address",
                       row->env_count);
    if (row->env_count)
        memory_check(answer, "a table's list of environments", row->envs,
                     2 * (size_t) row->env_count * sizeof *row->envs);
    for (uint32_t i = 0; i < 2 * row->env_count; i++)
        memory_string(answer, "a table's environment", row->envs[i]);
}

static void memory_row(struct answer *answer, const struct br_chunk *chunk, uint32_t index)
{
    union {
        const char *name;
        struct br_value value;
        struct br_table table;
        struct br_replica replica;
    } room;
    if (chunk->kind == BR_ROW_NAME) {
        const char *const *row = call_row(chunk, index, &room.name, sizeof room.name);
        memory_string(answer, "a name", *row);
    } else if (chunk->kind == BR_ROW_VALUE) {
        const struct br_value *row = call_row(chunk, index, &room.value, sizeof room.value);
        if (row->value.size)
            memory_check(answer, "a value", row->value.data, row->value.size);
    } else if (chunk->kind == BR_ROW_TABLE) {
        memory_table(answer, call_row(chunk, index, &room.table, sizeof room.table));
    } else if (chunk->kind == BR_ROW_REPLICA) {
        const struct br_replica *row = call_row(chunk, index, &room.replica, sizeof room.replica);
        memory_string(answer, "a replica's type", row->type);
        memory_string(answer, "a replica's disk", row->disk);
    }
}

/* The sizes of version 1.0: a smaller row lacks what the host reads. */
static uint32_t memory_least(int32_t kind)
{
    switch (kind) {
    case BR_ROW_NAME: return sizeof(const char *);
    case BR_ROW_VALUE: return sizeof(struct br_value);
    case BR_ROW_TABLE: return offsetof(struct br_table, envs) + sizeof(const char *const *);
    case BR_ROW_REPLICA: return offsetof(struct br_replica, disk) + sizeof(const char *);
    default: return 0;
    }
}

void conform_check_memory(struct answer *answer)
{
    struct conform *c = answer->c;
    for (const struct br_chunk *chunk = answer->chunks; chunk; chunk = chunk->next) {
        memory_check(answer, "a chunk", chunk, sizeof *chunk);
        if (chunk->row_size < memory_least(chunk->kind))
            conform_broken(c, &conform_rows, CONFORM_WHERE,
                           "rows of %u bytes each: those of kind %d have at least %u",
                           chunk->row_size, chunk->kind, memory_least(chunk->kind));
        if (chunk->count)
            memory_check(answer, "a chunk's rows", chunk->rows,
                         (size_t) chunk->count * chunk->row_size);
        for (uint32_t i = 0; i < chunk->count; i++)
            memory_row(answer, chunk, i);
    }
}
