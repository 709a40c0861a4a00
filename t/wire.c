/* wire -- see wire.h. */
#include "t/wire.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/test.h"

static struct vector *wire_loaded;
static size_t wire_loaded_count;

static void wire_load(struct vector *vector, json_t *entry)
{
    struct buf path = { 0 }, hex = { 0 };
    snprintf(vector->name, sizeof vector->name, "%s",
             json_string_value(json_object_get(entry, "name")));
    snprintf(vector->framing, sizeof vector->framing, "%s",
             json_string_value(json_object_get(entry, "framing")));
    vector->crc = json_is_true(json_object_get(entry, "crc"));
    buf_printf(&path, "t/vectors/%s.hex", vector->name);
    char *full = test_source(path.data);
    ck_assert_msg(test_read(full, &hex), "cannot read %s", full);
    test_unhex(hex.data, hex.size, &vector->bytes);
    free(full);
    buf_done(&path);
    buf_done(&hex);
}

const struct vector *wire_vectors(size_t *ret_count)
{
    if (!wire_loaded) {
        char *path = test_source("t/vectors/index.json");
        json_error_t error;
        json_t *index = json_load_file(path, 0, &error);
        ck_assert_msg(index, "%s: %s", path, error.text);
        json_t *list = json_object_get(index, "vectors");
        wire_loaded_count = json_array_size(list);
        wire_loaded = calloc(wire_loaded_count, sizeof *wire_loaded);
        for (size_t i = 0; i < wire_loaded_count; i++)
            wire_load(&wire_loaded[i], json_array_get(list, i));
        json_decref(index);
        free(path);
    }
    *ret_count = wire_loaded_count;
    return wire_loaded;
}

const struct vector *wire_vector(const char *name)
{
    size_t count;
    const struct vector *vectors = wire_vectors(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(vectors[i].name, name) == 0)
            return &vectors[i];
    ck_abort_msg("no vector %s", name);
    return NULL;
}

br_bytes wire_vector_bytes(const char *name)
{
    return buf_bytes(&wire_vector(name)->bytes);
}

static br_status wire_again_struct(const struct wire_schema *schema, br_bytes body,
                                   struct buf *ret_body, struct fail *ret_fail)
{
    struct arena arena;
    arena_init(&arena, 0);
    void *message = arena_alloc(&arena, schema->size);
    br_status status = wire_decode(schema, body, wire_arena(&arena), message, ret_fail);
    if (status == BR_OK)
        wire_encode(schema, message, WIRE_PEER_26, ret_body);
    arena_done(&arena);
    return status;
}

static br_status wire_again_value(enum wire_kind kind, br_bytes body, struct buf *ret_body,
                                  struct fail *ret_fail)
{
    struct arena arena;
    arena_init(&arena, 0);
    union {
        uint64_t address;
        const char *text;
        br_bytes bytes;
        struct host_port host_port;
    } value;
    br_status status = wire_decode_value(kind, body, wire_arena(&arena), &value, ret_fail);
    if (status == BR_OK)
        wire_encode_value(kind, &value, ret_body);
    arena_done(&arena);
    return status;
}

/* The request's name of a reply's. */
static const struct rpc *wire_rpc(const struct rdsn_header *header, bool reply)
{
    char name[RDSN_NAME_SIZE];
    size_t size = strlen(header->rpc_name);
    memcpy(name, header->rpc_name, sizeof name);
    if (reply) {
        if (size < 4 || strcmp(name + size - 4, "_ACK") != 0)
            return NULL;
        name[size - 4] = '\0';
    }
    return rpc_find(name);
}

enum wire_again wire_again(const struct frame *frame, struct buf *ret_body, struct fail *ret_fail)
{
    const struct rdsn_header *header = &frame->header;
    bool reply = !(header->context & RDSN_REQUEST);
    const struct rpc *rpc = wire_rpc(header, reply);
    if (!rpc)
        return AGAIN_UNKNOWN;
    const struct wire_schema *schema = reply ? rpc->response : rpc->request;
    uint8_t kind = reply ? rpc->response_kind : rpc->request_kind;
    if (reply && strcmp(header->error_name, "ERR_FORWARD_TO_OTHERS") == 0) {
        schema = NULL;
        kind = WIRE_ADDRESS;
    } else if (reply && strcmp(header->error_name, "ERR_OK") != 0) {
        return frame->body.size == 0 ? AGAIN_OK : AGAIN_CORRUPT;
    }
    if (!schema && !kind)
        return AGAIN_OPAQUE;
    br_status status = schema ? wire_again_struct(schema, frame->body, ret_body, ret_fail)
                              : wire_again_value(kind, frame->body, ret_body, ret_fail);
    return status == BR_OK ? AGAIN_OK : AGAIN_CORRUPT;
}
