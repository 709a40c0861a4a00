/* audit_read -- see audit_read.h. */
#include "host/stage/audit_read.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "host/recovery/audit.h"
#include "host/recovery/rows.h"

static int audit_compare(const void *one, const void *other)
{
    return strcmp(*(const char *const *) one, *(const char *const *) other);
}

/* The paths of all entries, sorted by time; in the arena. */
static br_status audit_paths(struct tool *tool, struct arena *arena, const char ***ret_paths,
                             uint32_t *ret_count, struct fail *ret_fail)
{
    struct tool_answer answer;
    struct buf path = { 0 };
    const char *name;
    const char *root = tool->store_root.data;
    uint32_t children = 0;
    *ret_count = 0;
    buf_printf(&path, "%s/bridle", strcmp(root, "/") == 0 ? "" : root);
    tool_list(tool, path.data, &answer);
    br_status status = answer.status;
    struct rows rows = { .chunk = status == BR_OK ? answer.chunks : NULL };
    for (struct rows all = rows; rows_name(&all);)
        children++;
    *ret_paths = arena_alloc(arena, (children + 1) * sizeof **ret_paths);
    while ((name = rows_name(&rows))) {
        struct buf child = { 0 };
        if (strncmp(name, AUDIT_PREFIX, strlen(AUDIT_PREFIX)) != 0)
            continue;
        buf_printf(&child, "%s/%s", path.data, name);
        (*ret_paths)[(*ret_count)++] = arena_text(arena, child.data, child.size);
        buf_done(&child);
    }
    qsort(*ret_paths, *ret_count, sizeof **ret_paths, audit_compare);
    if (status != BR_OK && status != BR_NOTFOUND)
        *ret_fail = answer.fail;
    tool_answer_done(&answer);
    buf_done(&path);
    return status == BR_NOTFOUND ? BR_OK : status;
}

static br_status audit_read_some(struct tool *tool, const char *const *paths, uint32_t count,
                                 void (*take)(void *arg, br_bytes line), void *arg,
                                 struct fail *ret_fail)
{
    struct tool_answer answer;
    const struct br_value *value;
    tool_read(tool, paths, count, &answer);
    br_status status = answer.status;
    struct rows rows = { .chunk = status == BR_OK ? answer.chunks : NULL };
    while ((value = rows_value(&rows))) {
        if (value->status == BR_OK)
            take(arg, value->value);
    }
    if (status != BR_OK)
        *ret_fail = answer.fail;
    tool_answer_done(&answer);
    return status;
}

br_status stage_audit_read(struct tool *tool, void (*take)(void *arg, br_bytes line), void *arg,
                           struct fail *ret_fail)
{
    struct arena arena;
    const char **paths;
    uint32_t count;
    arena_init(&arena, 0);
    br_status status = audit_paths(tool, &arena, &paths, &count, ret_fail);
    for (uint32_t i = 0; status == BR_OK && i < count; i += AUDIT_READ_MAX) {
        uint32_t some = count - i < AUDIT_READ_MAX ? count - i : AUDIT_READ_MAX;
        status = audit_read_some(tool, paths + i, some, take, arg, ret_fail);
    }
    arena_done(&arena);
    return status;
}

/* -- For people ------------------------------------------------------------------------------- */

static const char *audit_text(const json_t *entry, const char *key)
{
    const char *text = json_string_value(json_object_get(entry, key));
    return text ? text : "";
}

static void audit_put_entry(const json_t *entry, struct buf *buf)
{
    const char *asked_by = audit_text(entry, "asked_by");
    size_t findings = json_array_size(json_object_get(entry, "findings"));
    buf_printf(buf, "%s  %-8s %-6s plan %.16s  %s@%s[%lld] %s", audit_text(entry, "time"),
               audit_text(entry, "deed"), audit_text(entry, "step"),
               *audit_text(entry, "plan") ? audit_text(entry, "plan") : "-",
               audit_text(entry, "user"), audit_text(entry, "host"),
               (long long) json_integer_value(json_object_get(entry, "pid")),
               audit_text(entry, "program"));
    if (*asked_by)
        buf_printf(buf, ", asked by %s", asked_by);
    if (findings && strcmp(audit_text(entry, "step"), "begin") == 0)
        buf_printf(buf, ", %zu findings", findings);
    if (*audit_text(entry, "text"))
        buf_printf(buf, ": %s", audit_text(entry, "text"));
}

void stage_audit_put(br_bytes line, struct buf *buf)
{
    json_t *entry = json_loadb(line.data, line.size, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(entry))
        audit_put_entry(entry, buf);
    else
        buf_put(buf, line.data, line.size);
    json_decref(entry);
}
