/* store_dump -- everything in a store, for scripts: a line a node, the path, its version and its
 * value, children behind their parents, sorted by name.
 *
 *     t/store_dump KEY=VALUE...      settings as of bridle's --set: store.plugin=sqlite ...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/rows.h"
#include "host/stage/tool.h"

struct dump {
    struct tool tool;
    char **paths; /* still to be told, the next at the end */
    size_t count, cap;
};

static void dump_push(struct dump *dump, const char *parent, const char *name)
{
    struct buf path = { 0 };
    if (dump->count == dump->cap) {
        dump->cap = dump->cap ? 2 * dump->cap : 64;
        dump->paths = mem_grow(dump->paths, dump->cap * sizeof *dump->paths);
    }
    buf_printf(&path, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name);
    dump->paths[dump->count++] = path.data;
}

static int dump_order(const void *a, const void *b)
{
    return -strcmp(*(char *const *) a, *(char *const *) b);
}

static bool dump_children(struct dump *dump, const char *path)
{
    struct tool_answer answer;
    const size_t from = dump->count;
    const char *name;
    tool_list(&dump->tool, path, &answer);
    bool ok = answer.status == BR_OK || answer.status == BR_NOTFOUND;
    struct rows rows = { .chunk = answer.status == BR_OK ? answer.chunks : NULL };
    while ((name = rows_name(&rows)))
        dump_push(dump, path, name);
    if (dump->count > from)
        qsort(dump->paths + from, dump->count - from, sizeof *dump->paths, dump_order);
    tool_answer_done(&answer);
    return ok;
}

static bool dump_node(struct dump *dump, const char *path)
{
    struct tool_answer answer;
    tool_read(&dump->tool, &path, 1, &answer);
    struct rows rows = { .chunk = answer.status == BR_OK ? answer.chunks : NULL };
    const struct br_value *value = rows_value(&rows);
    if (value && value->status == BR_OK)
        printf("%s %lld %.*s\n", path, (long long) value->version, (int) value->value.size,
               value->value.size ? (const char *) value->value.data : "");
    tool_answer_done(&answer);
    return value && dump_children(dump, path);
}

static bool dump_all(struct dump *dump)
{
    bool ok = dump_children(dump, "/");
    while (ok && dump->count) {
        char *path = dump->paths[--dump->count];
        ok = dump_node(dump, path);
        free(path);
    }
    while (dump->count)
        free(dump->paths[--dump->count]);
    free(dump->paths);
    return ok;
}

int main(int argc, char **argv)
{
    struct fail fail = { .status = BR_OK };
    struct dump dump = { .count = 0 };
    (void) argc;
    br_status status = tool_init(&dump.tool, NULL, (const char *const *) argv + 1, &fail);
    if (status == BR_OK)
        status = tool_open_store(&dump.tool, &fail);
    bool ok = status == BR_NOTFOUND || (status == BR_OK && dump_all(&dump));
    tool_done(&dump.tool);
    if (!ok)
        fprintf(stderr, "store_dump: %s\n", fail.text);
    return ok ? 0 : 1;
}
