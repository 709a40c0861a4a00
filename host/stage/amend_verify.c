/* amend_verify -- an amendment against the store, record by record; only jansson says what a record
 * is.  See amend.h.
 */
#include <jansson.h>
#include <string.h>

#include "host/recovery/rows.h"
#include "host/stage/amend.h"

#define VERIFY_CHUNK 1024 /* records read at once */

/* Another record than was written: only because the cluster has served since?  The ballot of a
 * partition only rises; a table keeps its id. */
static bool verify_moved(const json_t *found, const json_t *written)
{
    const char *pid = json_string_value(json_object_get(found, "pid"));
    const char *was = json_string_value(json_object_get(written, "pid"));
    if (was)
        return pid && strcmp(pid, was) == 0
               && json_integer_value(json_object_get(found, "ballot"))
                      > json_integer_value(json_object_get(written, "ballot"));
    return json_object_get(written, "app_id")
           && json_equal(json_object_get(found, "app_id"), json_object_get(written, "app_id"))
           && json_equal(json_object_get(found, "create_second"),
                         json_object_get(written, "create_second"));
}

static void verify_tell(struct amend_verify *verify, const char *path, const char *what)
{
    if (verify->differing++ < AMEND_SHOWN_MAX)
        buf_printf(&verify->text, "%s: %s\n", path, what);
}

static void verify_record(const struct amend_record *record, const struct br_value *value,
                          struct amend_verify *verify)
{
    if (!value || value->status != BR_OK) {
        verify_tell(verify, record->path, "is missing");
        return;
    }
    if (value->value.size == strlen(record->value)
        && memcmp(value->value.data, record->value, value->value.size) == 0) {
        verify->same++;
        return;
    }
    json_t *found = json_loadb(value->value.data, value->value.size, JSON_REJECT_DUPLICATES, NULL);
    json_t *written = json_loads(record->value, JSON_REJECT_DUPLICATES, NULL);
    if (found && written && verify_moved(found, written))
        verify->moved++;
    else
        verify_tell(verify, record->path, "is not what the amendment says");
    json_decref(found);
    json_decref(written);
}

static br_status verify_chunk(const struct stage_amendment *amendment, struct tool *tool,
                              uint32_t from, uint32_t count, struct amend_verify *verify,
                              struct fail *ret_fail)
{
    const char *root = strcmp(tool->store_root.data, "/") == 0 ? "" : tool->store_root.data;
    struct tool_answer answer;
    struct buf path = { 0 };
    struct arena arena;
    arena_init(&arena, 0);
    const char **paths = arena_alloc(&arena, count * sizeof *paths);
    for (uint32_t i = 0; i < count; i++) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s", root, amendment->records[from + i].path);
        paths[i] = arena_text(&arena, path.data, path.size);
    }
    tool_read(tool, paths, count, &answer);
    br_status status = answer.status;
    if (status != BR_OK)
        *ret_fail = answer.fail;
    struct rows rows = { .chunk = answer.chunks };
    for (uint32_t i = 0; status == BR_OK && i < count; i++)
        verify_record(&amendment->records[from + i], rows_value(&rows), verify);
    tool_answer_done(&answer);
    buf_done(&path);
    arena_done(&arena);
    return status;
}

/* What is behind "lock" nobody sees. */
static br_status verify_visible(const struct stage_amendment *amendment, struct tool *tool,
                                struct amend_verify *verify, struct fail *ret_fail)
{
    struct root_facts facts;
    br_status status = tool_look(tool, tool->store_root.data, &facts, ret_fail);
    if (status == BR_OK && (facts.state == ROOT_OURS || facts.state == ROOT_FOREIGN))
        verify_tell(verify, amendment->root, facts.text);
    return status;
}

br_status stage_amend_verify(const struct stage_amendment *amendment, struct tool *tool,
                             struct amend_verify *verify, struct fail *ret_fail)
{
    uint32_t total = amendment->record_count;
    br_status status = verify_visible(amendment, tool, verify, ret_fail);
    for (uint32_t from = 0; status == BR_OK && from < total; from += VERIFY_CHUNK)
        status = verify_chunk(amendment, tool, from,
                              total - from < VERIFY_CHUNK ? total - from : VERIFY_CHUNK, verify,
                              ret_fail);
    return status;
}
