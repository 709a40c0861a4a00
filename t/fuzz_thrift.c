/* fuzz_thrift -- the first byte chooses a table or a kind of value, the rest is a body.  What is
 * decoded must, encoded and decoded again, give the same bytes; and memory must stay in proportion.
 */
#include <assert.h>
#include <string.h>

#include "host/rdsn/message.h"
#include "host/rdsn/message_data.h"
#include "t/fuzz.h"

#define ALL(name) &wire_##name,
static const struct wire_schema *const schemas[] = { WIRE_SCHEMAS(ALL) WIRE_DATA_SCHEMAS(ALL) };
#define SCHEMA_COUNT (sizeof schemas / sizeof *schemas)

static const uint8_t kinds[] = { WIRE_BOOL,   WIRE_BYTE,    WIRE_I16,      WIRE_I32,   WIRE_I64,
                                 WIRE_STRING, WIRE_BLOB,    WIRE_BINARY,   WIRE_ERROR, WIRE_TASK,
                                 WIRE_GPID,   WIRE_ADDRESS, WIRE_HOST_PORT };

/* Rows that are somebody else's struct. */
struct answer {
    uint32_t present;
    const char *err;
    struct wire_list rows;
};

static const struct wire_field row_fields[] = {
    { .name = "pid", .id = 1, .kind = WIRE_GPID, .offset = offsetof(struct br_replica, table) },
    { .name = "ballot", .id = 2, .kind = WIRE_I64, .offset = offsetof(struct br_replica, ballot) },
    { .name = "status", .id = 3, .kind = WIRE_I32, .offset = offsetof(struct br_replica, role) },
    { .name = "type", .id = 7, .kind = WIRE_STRING, .offset = offsetof(struct br_replica, type) },
    { .name = "disk", .id = 8, .kind = WIRE_STRING, .offset = offsetof(struct br_replica, disk) },
};
static const struct wire_schema row_schema = {
    .name = "row", .fields = row_fields, .count = 5, .size = sizeof(struct br_replica)
};
static const struct wire_field answer_fields[] = {
    { .name = "err", .id = 1, .kind = WIRE_ERROR, .offset = offsetof(struct answer, err) },
    { .name = "rows",
      .id = 2,
      .kind = WIRE_LIST,
      .element = WIRE_STRUCT,
      .schema = &row_schema,
      .offset = offsetof(struct answer, rows) },
};
static const struct wire_schema answer_schema = { .name = "answer",
                                                  .fields = answer_fields,
                                                  .count = 2,
                                                  .size = sizeof(struct answer),
                                                  .has_present = true };

static void one_struct(const struct wire_schema *schema, br_bytes body)
{
    struct arena arena;
    struct fail fail = { 0 };
    arena_init(&arena, 0);
    union {
        max_align_t align;
        char bytes[2048];
    } message, again;
    assert(schema->size <= sizeof message);
    br_status status = wire_decode(schema, body, wire_arena(&arena), &message, &fail);
    assert(arena.used <= 65536 + CODEC_EXPANSION_MAX * body.size);
    if (status == BR_OK) {
        struct buf first = { 0 }, second = { 0 };
        wire_encode(schema, &message, WIRE_PEER_26, &first);
        status = wire_decode(schema, buf_bytes(&first), wire_arena(&arena), &again, &fail);
        assert(status == BR_OK);
        wire_encode(schema, &again, WIRE_PEER_26, &second);
        assert(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
        buf_clear(&second);
        wire_encode(schema, &message, WIRE_PEER_25, &second);
        assert(second.size <= first.size);
        buf_done(&first);
        buf_done(&second);
    } else {
        assert(status == BR_CORRUPT && fail.status == BR_CORRUPT && fail.text[0]);
    }
    arena_done(&arena);
}

static void one_value(enum wire_kind kind, br_bytes body)
{
    struct arena arena;
    arena_init(&arena, 0);
    union {
        max_align_t align;
        char bytes[32];
    } value;
    if (wire_decode_value(kind, body, wire_arena(&arena), &value, NULL) == BR_OK) {
        struct buf again = { 0 };
        wire_encode_value(kind, &value, &again);
        assert(again.size == body.size);
        assert(memcmp(again.data + 3, (const char *) body.data + 3, body.size - 3) == 0);
        buf_done(&again);
    }
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    br_bytes body = { data + 1, size - 1 };
    size_t choice = data[0];
    if (choice < SCHEMA_COUNT)
        one_struct(schemas[choice], body);
    else if (choice - SCHEMA_COUNT < sizeof kinds)
        one_value(kinds[choice - SCHEMA_COUNT], body);
    else
        one_struct(&answer_schema, body);
    return 0;
}
