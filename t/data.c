/* data -- see data.h. */
#include "t/data.h"

#include <stdlib.h>
#include <string.h>

struct data_kit kit;

const char *kit_path(const char *name)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s/%s", kit.directory, name);
    const char *text = arena_text(&kit.arena, path.data, path.size);
    buf_done(&path);
    return text;
}

void kit_setup(void)
{
    kit = (struct data_kit){ .seconds = KIT_SECONDS, .now = BR_MINUTE };
    arena_init(&kit.arena, 0);
    kit.directory = test_directory();
    kit.shared = data_shared_new();
    ck_assert_msg(data_store_open(kit.shared, kit_path("rdb"), &kit.store, &kit.fail) == BR_OK,
                  "%s", kit.fail.text);
}

void kit_teardown(void)
{
    data_store_close(kit.store);
    data_shared_free(kit.shared);
    free(kit.directory);
    arena_done(&kit.arena);
    buf_done(&kit.response);
}

br_bytes kit_text(const char *text)
{
    return (br_bytes){ text, text ? strlen(text) : 0 };
}

br_bytes kit_key(const char *hash, const char *sort)
{
    struct buf key = { 0 };
    data_key_put(&key, kit_text(hash), kit_text(sort));
    br_bytes bytes = { arena_text(&kit.arena, key.data, key.size), key.size };
    buf_done(&key);
    return bytes;
}

int64_t kit_microseconds(void)
{
    return (DATA_EPOCH + kit.seconds) * 1000000;
}

br_status kit_run_bytes(const char *rpc, br_bytes body)
{
    const struct data_operation *operation = data_operation(rpc, strlen(rpc));
    struct data_call call = { .store = kit.store,
                              .arena = &kit.arena,
                              .app_id = 2,
                              .partition = 3,
                              .server = KIT_SERVER,
                              .microseconds = kit_microseconds(),
                              .now = kit.now };
    struct fail fail;
    ck_assert_ptr_nonnull(operation);
    buf_clear(&kit.response);
    if (data_is_write(operation))
        call.decree = ++kit.decree;
    br_status status = data_run(operation, &call, body, &kit.response, &kit.fail);
    if (data_is_write(operation))
        ck_assert_msg(data_store_commit(kit.store, kit.decree, &fail) == BR_OK, "%s", fail.text);
    return status;
}

void kit_run(const char *rpc, const struct wire_schema *schema, const void *request)
{
    struct buf body = { 0 };
    wire_encode(schema, request, WIRE_PEER_25, &body);
    br_bytes bytes = { arena_text(&kit.arena, body.data, body.size), body.size };
    buf_done(&body);
    ck_assert_msg(kit_run_bytes(rpc, bytes) == BR_OK, "%s: %s", rpc, kit.fail.text);
}

void kit_run_key(const char *rpc, br_bytes key)
{
    struct buf body = { 0 };
    wire_encode_value(WIRE_BLOB, &key, &body);
    ck_assert_msg(kit_run_bytes(rpc, buf_bytes(&body)) == BR_OK, "%s: %s", rpc, kit.fail.text);
    buf_done(&body);
}

/* Where a schema's response says who answered, and the decree. */
static void kit_check_common(const struct wire_schema *schema, const void *response)
{
    for (uint16_t i = 0; i < schema->count; i++) {
        const struct wire_field *field = &schema->fields[i];
        const void *at = (const char *) response + field->offset;
        if (strcmp(field->name, "app_id") == 0)
            ck_assert_int_eq(*(const int32_t *) at, 2);
        else if (strcmp(field->name, "partition_index") == 0)
            ck_assert_int_eq(*(const int32_t *) at, 3);
        else if (strcmp(field->name, "server") == 0)
            ck_assert_str_eq(*(const char *const *) at, KIT_SERVER);
        else if (strcmp(field->name, "decree") == 0)
            ck_assert_int_eq(*(const int64_t *) at, kit.decree);
    }
}

void kit_take(const struct wire_schema *schema, void *response)
{
    br_bytes bytes = { arena_text(&kit.arena, kit.response.data, kit.response.size),
                       kit.response.size };
    ck_assert_msg(wire_decode(schema, bytes, wire_arena(&kit.arena), response, &kit.fail) == BR_OK,
                  "%s: %s", schema->name, kit.fail.text);
    kit_check_common(schema, response);
}

void kit_put(const char *hash, const char *sort, const char *value, uint32_t expires)
{
    data_store_put(kit.store, kit_key(hash, sort), kit_text(value), expires, kit_microseconds());
    ck_assert_int_eq(data_store_commit(kit.store, ++kit.decree, &kit.fail), BR_OK);
}

const char *kit_stored(const char *hash, const char *sort, uint32_t *ret_expires)
{
    struct data_got got;
    *ret_expires = 0;
    if (data_store_get(kit.store, kit_key(hash, sort), 0, &got) != DATA_OK)
        return "(none)";
    const char *text = arena_text(&kit.arena, got.user.data, got.user.size);
    *ret_expires = got.expires;
    data_got_free(&got);
    return text;
}

void kit_all(struct data_store *store, struct buf *buf)
{
    struct data_walk *walk = data_walk_new(store);
    for (data_walk_seek(walk, B("")); data_walk_valid(walk); data_walk_next(walk)) {
        br_bytes key = data_walk_key(walk), value = data_walk_value(walk);
        buf_put(buf, key.data, key.size);
        buf_put(buf, value.data, value.size);
    }
    ck_assert_int_eq(data_walk_error(walk), DATA_OK);
    data_walk_free(walk);
}

const char *kit_rows(const struct wire_list *rows, bool whole_keys)
{
    const struct msg_rrdb_key_value *row = rows->items;
    struct buf text = { 0 };
    for (uint32_t i = 0; i < rows->count; i++) {
        br_bytes hash, key = row[i].key;
        if (whole_keys) {
            ck_assert(data_key_split(row[i].key, &hash, &key));
            buf_put(&text, hash.data, hash.size);
            buf_char(&text, ':');
        }
        buf_put(&text, key.data, key.size);
        buf_char(&text, '=');
        buf_put(&text, row[i].value.data, row[i].value.size);
        if (i + 1 < rows->count)
            buf_char(&text, ' ');
    }
    const char *copy = arena_text(&kit.arena, buf_string(&text), text.size);
    buf_done(&text);
    return copy;
}

void kit_copy(const char *from, const char *to)
{
    struct buf command = { 0 };
    buf_printf(&command, "cp -r '%s' '%s'", from, to);
    ck_assert_int_eq(system(command.data), 0);
    buf_done(&command);
}
