/* table -- see table.h.  A section is one list of cells; keys and values are two columns that are
 * printed otherwise. */
#include "host/shell/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

struct table {
    struct report *report;
    struct table *next;
    const char *name;
    bool pairs;
    uint32_t width; /* columns */
    const char *titles[TABLE_COLUMNS_MAX];
    bool right[TABLE_COLUMNS_MAX];
    size_t longest[TABLE_COLUMNS_MAX]; /* bytes, the title's included */
    const char **cells;
    size_t count, room;
};

void report_init(struct report *report)
{
    *report = (struct report){ 0 };
    arena_init(&report->arena, 0);
}

void report_done(struct report *report)
{
    for (struct table *table = report->first; table; table = table->next)
        free(table->cells);
    buf_done(&report->scratch);
    arena_done(&report->arena);
    *report = (struct report){ 0 };
}

static struct table *table_new(struct report *report, const char *name, bool pairs)
{
    struct table *table = arena_zero(&report->arena, sizeof *table);
    table->report = report;
    table->name = arena_text(&report->arena, name, strlen(name));
    table->pairs = pairs;
    table->width = pairs ? 2 : 0;
    if (report->last)
        report->last->next = table;
    else
        report->first = table;
    report->last = table;
    return table;
}

struct table *table_columns(struct report *report, const char *name)
{
    return table_new(report, name, false);
}

struct table *table_pairs(struct report *report, const char *name)
{
    return table_new(report, name, true);
}

void table_column(struct table *table, const char *title, bool right)
{
    assert(!table->pairs && table->width < TABLE_COLUMNS_MAX && table->count == 0);
    table->titles[table->width] = title;
    table->right[table->width] = right;
    table->longest[table->width++] = strlen(title);
}

static void table_put(struct table *table, const char *text, size_t size)
{
    if (table->count == table->room) {
        table->room = table->room ? 2 * table->room : 64;
        table->cells = mem_grow(table->cells, table->room * sizeof *table->cells);
    }
    size_t column = table->count % table->width;
    if (size > table->longest[column])
        table->longest[column] = size;
    table->cells[table->count++] = arena_text(&table->report->arena, text, size);
}

BR_PRINTF(2, 0)
static void table_vput(struct table *table, const char *format, va_list args)
{
    struct buf *scratch = &table->report->scratch;
    buf_clear(scratch);
    buf_vprintf(scratch, format, args);
    table_put(table, buf_string(scratch), scratch->size);
}

void table_cell(struct table *table, const char *format, ...)
{
    va_list args;
    assert(!table->pairs && table->width > 0);
    va_start(args, format);
    table_vput(table, format, args);
    va_end(args);
}

void table_pair(struct table *table, const char *key, const char *format, ...)
{
    va_list args;
    assert(table->pairs);
    table_put(table, key, strlen(key));
    va_start(args, format);
    table_vput(table, format, args);
    va_end(args);
}

void table_clean(struct buf *buf, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char) *text;
        buf_char(buf, (c < 0x20 && c != '\n') || c == 0x7f ? '?' : *text);
    }
}

static void table_pad(struct buf *buf, const char *text, size_t width, bool right)
{
    size_t size = strlen(text);
    for (size_t i = size; right && i < width; i++)
        buf_char(buf, ' ');
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char) *at;
        buf_char(buf, c < 0x20 || c == 0x7f ? '?' : *at);
    }
    for (size_t i = size; !right && i < width; i++)
        buf_char(buf, ' ');
}

static void table_text(const struct table *table, struct buf *buf)
{
    if (*table->name)
        buf_printf(buf, "[%s]\n", table->name);
    for (uint32_t i = 0; !table->pairs && i < table->width; i++)
        table_pad(buf, table->titles[i], table->longest[i] + 2, table->right[i]);
    if (!table->pairs)
        buf_char(buf, '\n');
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->width;
        if (table->pairs && column == 1)
            buf_text(buf, ": ");
        table_pad(buf, table->cells[i],
                  table->longest[column] + (table->pairs && column == 1 ? 0 : 2),
                  table->right[column]);
        if (column == table->width - 1)
            buf_char(buf, '\n');
    }
}

void report_text(const struct report *report, bool several, struct buf *buf)
{
    for (const struct table *table = report->first; table; table = table->next) {
        table_text(table, buf);
        if (several)
            buf_char(buf, '\n');
    }
}

/* `"key": ` on a line of its own, four spaces a level. */
static void table_key(struct buf *buf, int level, bool first, const char *key)
{
    buf_printf(buf, "%s\n%*s", first ? "" : ",", 4 * level, "");
    buf_json(buf, key);
    buf_text(buf, ": ");
}

static void table_close(struct buf *buf, int level, bool empty)
{
    if (!empty)
        buf_printf(buf, "\n%*s", 4 * level, "");
    buf_char(buf, '}');
}

static void table_json(const struct table *table, struct buf *buf)
{
    buf_char(buf, '{');
    for (size_t i = 0; i < table->count; i += table->width) {
        table_key(buf, 2, i == 0, table->cells[i]);
        if (table->pairs) {
            buf_json(buf, table->cells[i + 1]);
            continue;
        }
        buf_char(buf, '{');
        for (uint32_t column = 0; column < table->width; column++) {
            table_key(buf, 3, column == 0, table->titles[column]);
            buf_json(buf, table->cells[i + column]);
        }
        table_close(buf, 2, false);
    }
    table_close(buf, 1, table->count == 0);
}

void report_json(const struct report *report, struct buf *buf)
{
    buf_char(buf, '{');
    for (const struct table *table = report->first; table; table = table->next) {
        table_key(buf, 1, table == report->first, table->name);
        table_json(table, buf);
    }
    table_close(buf, 0, !report->first);
    buf_char(buf, '\n');
}
