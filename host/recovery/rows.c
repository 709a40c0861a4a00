/* rows -- see rows.h. */
#include "host/recovery/rows.h"

#include <string.h>

#include "host/base/number.h"

/* The next row, stepping over chunks that are used up or of another kind. */
static const void *rows_next(struct rows *rows, int32_t kind, void *room, size_t size)
{
    while (rows->chunk && (rows->index >= rows->chunk->count || rows->chunk->kind != kind)) {
        rows->chunk = rows->chunk->next;
        rows->index = 0;
    }
    if (!rows->chunk)
        return NULL;
    return call_row(rows->chunk, rows->index++, room, size);
}

const struct br_value *rows_value(struct rows *rows)
{
    return rows_next(rows, BR_ROW_VALUE, &rows->room, sizeof rows->room);
}

const char *rows_name(struct rows *rows)
{
    const char *room = NULL;
    const char *const *name = rows_next(rows, BR_ROW_NAME, &room, sizeof room);
    return name ? *name : NULL;
}

uint64_t rows_count(const struct call_answer *answer, int32_t kind)
{
    uint64_t count = 0;
    for (const struct br_chunk *c = answer->chunks; c; c = c->next)
        if (c->kind == kind)
            count += c->count;
    return count;
}

int32_t rows_number(const char *name, int32_t max)
{
    int32_t value;
    size_t size = strlen(name);
    if (name[0] < '0' || name[0] > '9' || (name[0] == '0' && size > 1))
        return -1;
    return number_i32(name, size, &value) && value <= max ? value : -1;
}
