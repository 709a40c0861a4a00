/* table -- what commands print: sections of columns or of keys and values, as aligned text in the
 * shape of Pegasus's shell, or as JSON, where every value is a string.
 *
 * Everything is copied.  Control characters, which may come from outside, are shown as `?` in text.
 */
#ifndef HOST_SHELL_TABLE_H
#define HOST_SHELL_TABLE_H

#include <stdio.h>

#include "host/base/arena.h"
#include "host/base/buf.h"

#define TABLE_COLUMNS_MAX 16

struct table;

struct report {
    struct arena arena;
    struct table *first, *last;
    struct buf scratch; /* a cell while it is made */
};

void report_init(struct report *report);
void report_done(struct report *report);

/* Sections without a name ("") have no headline; JSON wants one. */

/* A section of columns.  Cells are added row by row, each row whole. */
struct table *table_columns(struct report *report, const char *name);
void table_column(struct table *table, const char *title, bool right);
BR_PRINTF(2, 3) void table_cell(struct table *table, const char *format, ...);

/* A section of keys and values. */
struct table *table_pairs(struct report *report, const char *name);
BR_PRINTF(3, 4) void table_pair(struct table *table, const char *key, const char *format, ...);

/* `several`: a blank line behind each section, as commands of more than one section have it. */
void report_text(const struct report *report, bool several, struct buf *buf);
void report_json(const struct report *report, struct buf *buf);

/* Text from outside, fit for a terminal: control characters but newlines as `?`. */
void table_clean(struct buf *buf, const char *text);

#endif
