/* encode -- C structs to Thrift binary by table; see codec.h.  The mirror of decode.c: one loop
 * over a stack of levels, here as deep as the tables are, which are ours; tables become programs,
 * and numbers and short texts are written without asking for room each time.
 */
#include <assert.h>

#include "host/rdsn/thrift.h"

#define ENCODE_FIXED_MAX 16 /* a field's header and any value of fixed size, or a list's head */
#define ENCODE_ROOM      (32 * ENCODE_FIXED_MAX + 1) /* all such fields of a struct and its end */
#define ENCODE_SEEN_BITS 6

struct encode_op {
    uint32_t head; /* type and id as they lie in a header, and a zero; 0: no simple kind */
    uint32_t bit;
    uint16_t offset;
    uint8_t width; /* of a number; 0: a text */
};

struct encode_program {
    const struct wire_schema *schema;
    uint32_t always, perhaps; /* written; written where present */
    struct encode_op ops[32];
};

struct encode_level {
    const struct encode_program *program;
    uint32_t next;
    const unsigned char *base;
    uint32_t left;    /* further rows of the list */
    uint32_t present; /* those to be written */
};

/* A text's length, by its address: rows repeat texts, and they do not change meanwhile. */
struct encode_seen {
    const char *text;
    size_t size;
};

struct encode {
    struct buf *buf;
    enum wire_peer peer;
    unsigned depth, program_count;
    struct encode_seen seen[1 << ENCODE_SEEN_BITS];
    struct encode_level levels[CODEC_DEPTH_MAX];
    struct encode_program programs[CODEC_SCHEMAS_MAX];
};

/* Room for `size` bytes at the buf's end, where the caller then writes. */
static inline uint8_t *encode_room(struct buf *buf, size_t size)
{
    if (buf->cap - buf->size <= size)
        buf_reserve(buf, size);
    return (uint8_t *) buf->data + buf->size;
}

static void encode_bytes(struct buf *buf, const void *data, size_t size)
{
    assert(size <= INT32_MAX);
    uint8_t *at = encode_room(buf, size + 4);
    thrift_store32(at, (uint32_t) size);
    if (size)
        memcpy(at + 4, data, size);
    buf->size += size + 4;
}

static void encode_text(struct buf *buf, const char *text, const char *null)
{
    if (!text)
        text = null;
    encode_bytes(buf, text, strlen(text));
}

static void encode_host_port(struct buf *buf, const struct host_port *host_port)
{
    encode_text(buf, host_port->host, "");
    uint8_t *at = encode_room(buf, 3);
    thrift_store16(at, host_port->port);
    at[2] = host_port->type;
    buf->size += 3;
}

/* A value of fixed size at `at`, where there is room. */
static inline void encode_fixed(uint8_t kind, const void *value, uint8_t *at)
{
    switch (kind) {
    case WIRE_BOOL: *at = *(const bool *) value; break;
    case WIRE_BYTE: *at = *(const uint8_t *) value; break;
    case WIRE_I16: thrift_store16(at, *(const uint16_t *) value); break;
    case WIRE_I32: thrift_store32(at, *(const uint32_t *) value); break;
    case WIRE_GPID: /* the partition comes first on the wire */
        thrift_store32(at, ((const uint32_t *) value)[1]);
        thrift_store32(at + 4, ((const uint32_t *) value)[0]);
        break;
    default: thrift_store64(at, *(const uint64_t *) value); break;
    }
}

/* One value of any kind that is no struct and no container. */
static void encode_plain(struct buf *buf, uint8_t kind, const void *value)
{
    uint8_t fixed = thrift_kinds[kind].fixed;
    if (fixed) {
        encode_fixed(kind, value, encode_room(buf, fixed));
        buf->size += fixed;
        return;
    }
    switch (kind) {
    case WIRE_BLOB:
    case WIRE_BINARY: {
        const br_bytes *bytes = value;
        encode_bytes(buf, bytes->data, bytes->size);
        return;
    }
    case WIRE_HOST_PORT: encode_host_port(buf, value); return;
    case WIRE_ERROR: encode_text(buf, *(const char *const *) value, "ERR_OK"); return;
    default: encode_text(buf, *(const char *const *) value, ""); return;
    }
}

static void encode_map(struct buf *buf, const struct wire_field *field, const void *value)
{
    const struct wire_list *list = value;
    assert(list->count == 0 || (field->key == WIRE_STRING && field->element == WIRE_STRING));
    uint8_t *at = encode_room(buf, 6);
    at[0] = thrift_kinds[field->key].type;
    at[1] = thrift_kinds[field->element].type;
    thrift_store32(at + 2, list->count);
    buf->size += 6;
    const struct wire_pair *pairs = list->items;
    for (uint32_t i = 0; i < list->count; i++) {
        encode_text(buf, pairs[i].key, "");
        encode_text(buf, pairs[i].value, "");
    }
}

/* -- structs ---------------------------------------------------------------------------------- */

static void encode_compile(struct encode_program *program, const struct wire_schema *schema,
                           enum wire_peer peer)
{
    assert(schema->count <= 32);
    program->schema = schema;
    program->always = program->perhaps = 0;
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct wire_field *field = &schema->fields[i];
        const struct thrift_kind *kind = &thrift_kinds[field->kind];
        bool simple = field->kind == WIRE_STRING || kind->fixed >= 4 || field->kind == WIRE_BOOL;
        uint8_t head[4] = { kind->type };
        thrift_store16(head + 1, (uint16_t) field->id);
        program->ops[i] = (struct encode_op){
            .bit = WIRE_BIT(field->id),
            .offset = field->offset,
            .width = kind->fixed,
        };
        if (simple)
            memcpy(&program->ops[i].head, head, sizeof head);
        if (field->flags & WIRE_HP && peer == WIRE_PEER_25)
            continue;
        if (!(field->flags & (WIRE_OPTIONAL | WIRE_DEFAULTED)))
            program->always |= WIRE_BIT(field->id);
        else if (schema->has_present)
            program->perhaps |= WIRE_BIT(field->id);
    }
}

static const struct encode_program *encode_program(struct encode *e,
                                                   const struct wire_schema *schema)
{
    for (unsigned i = 0; i < e->program_count; i++)
        if (e->programs[i].schema == schema)
            return &e->programs[i];
    assert(e->program_count < CODEC_SCHEMAS_MAX);
    struct encode_program *program = &e->programs[e->program_count++];
    encode_compile(program, schema, e->peer);
    return program;
}

static void encode_begin(struct encode_level *level, const unsigned char *base)
{
    const struct encode_program *program = level->program;
    level->base = base;
    level->next = 0;
    level->present = program->always;
    if (program->perhaps)
        level->present |= *(const uint32_t *) (const void *) base & program->perhaps;
}

static void encode_push(struct encode *e, const struct wire_schema *schema, const void *base,
                        uint32_t left)
{
    assert(e->depth < CODEC_DEPTH_MAX);
    struct encode_level *level = &e->levels[e->depth++];
    level->program = encode_program(e, schema);
    level->left = left;
    encode_begin(level, base);
}

/* The list's head and its elements; true: they are structs, which now come first. */
static bool encode_list(struct encode *e, const struct wire_field *field, const void *value)
{
    const struct wire_list *list = value;
    assert(list->count <= INT32_MAX);
    const struct thrift_kind *kind = &thrift_kinds[field->element];
    uint8_t *at = encode_room(e->buf, 5);
    at[0] = kind->type;
    thrift_store32(at + 1, list->count);
    e->buf->size += 5;
    if (field->element == WIRE_STRUCT) {
        if (list->count)
            encode_push(e, field->schema, list->items, list->count - 1);
        return list->count > 0;
    }
    const unsigned char *items = list->items;
    for (uint32_t i = 0; i < list->count; i++)
        encode_plain(e->buf, field->element, items + (size_t) i * kind->size);
    return false;
}

/* true: a struct inside comes first. */
static bool encode_field(struct encode *e, const struct wire_field *field, const void *value)
{
    const struct thrift_kind *kind = &thrift_kinds[field->kind];
    struct buf *buf = e->buf;
    uint8_t *at = encode_room(buf, ENCODE_FIXED_MAX);
    at[0] = kind->type;
    thrift_store16(at + 1, (uint16_t) field->id);
    if (kind->fixed) {
        encode_fixed(field->kind, value, at + 3);
        buf->size += 3u + kind->fixed;
        return false;
    }
    buf->size += 3;
    switch (field->kind) {
    case WIRE_STRUCT: encode_push(e, field->schema, value, 0); return true;
    case WIRE_LIST: return encode_list(e, field, value);
    case WIRE_MAP: encode_map(buf, field, value); return false;
    default: encode_plain(buf, field->kind, value); return false;
    }
}

static inline size_t encode_size(struct encode *e, const char *text)
{
    uint64_t hash = (uint64_t) (uintptr_t) text * UINT64_C(0x9E3779B97F4A7C15);
    struct encode_seen *seen = &e->seen[hash >> (64 - ENCODE_SEEN_BITS)];
    if (seen->text != text)
        *seen = (struct encode_seen){ text, strlen(text) };
    return seen->size;
}

/* memcpy of at most 16 bytes without a call: two halves that may overlap. */
static inline void encode_copy(uint8_t *to, const char *from, size_t size)
{
    if (size >= 8) {
        memcpy(to, from, 8);
        memcpy(to + size - 8, from + size - 8, 8);
    } else if (size >= 4) {
        memcpy(to, from, 4);
        memcpy(to + size - 4, from + size - 4, 4);
    } else {
        for (size_t i = 0; i < size; i++)
            to[i] = (uint8_t) from[i];
    }
}

/* Numbers and short texts from level->next on, until something else comes. */
static void encode_fast(struct encode *e, struct encode_level *level)
{
    const struct encode_op *op = &level->program->ops[level->next];
    const struct encode_op *last = &level->program->ops[level->program->schema->count];
    const unsigned char *base = level->base;
    uint32_t present = level->present;
    uint8_t *at = encode_room(e->buf, 2 * ENCODE_ROOM); /* texts of 16 bytes included */
    for (; op < last; op++) {
        if (!(present & op->bit))
            continue;
        if (op->head == 0)
            break;
        const unsigned char *value = base + op->offset;
        memcpy(at, &op->head, sizeof op->head);
        if (op->width == 8) { /* a gpid is one number, too: its low half is the app_id */
            uint64_t number;
            memcpy(&number, value, sizeof number);
            thrift_store64(at + 3, number);
        } else if (op->width == 4) {
            uint32_t number;
            memcpy(&number, value, sizeof number);
            thrift_store32(at + 3, number);
        } else if (op->width == 1) {
            at[3] = *(const bool *) value;
        } else {
            const char *text = *(const char *const *) (const void *) value;
            size_t size = text ? encode_size(e, text) : 0;
            if (size > 16)
                break;
            thrift_store32(at + 3, (uint32_t) size);
            encode_copy(at + 7, text, size);
            at += 7 + size;
            continue;
        }
        at += 3 + op->width;
    }
    level->next = (uint32_t) (op - level->program->ops);
    e->buf->size = (size_t) (at - (uint8_t *) e->buf->data);
}

/* Fields until the struct ends (true) or another one begins inside. */
static bool encode_fields(struct encode *e, struct encode_level *level)
{
    const struct wire_schema *schema = level->program->schema;
    for (;;) {
        encode_fast(e, level);
        if (level->next == schema->count)
            break;
        const struct wire_field *field = &schema->fields[level->next++];
        if (encode_field(e, field, level->base + field->offset))
            return false;
    }
    *encode_room(e->buf, 1) = THRIFT_STOP;
    e->buf->size++;
    return true;
}

static void encode_head(struct buf *buf, uint8_t type)
{
    uint8_t *at = encode_room(buf, 3);
    at[0] = type;
    thrift_store16(at + 1, 0);
    buf->size += 3;
}

void wire_encode_bare(const struct wire_schema *schema, const void *message, enum wire_peer peer,
                      struct buf *buf)
{
    struct encode e;
    e.buf = buf;
    e.peer = peer;
    e.depth = e.program_count = 0;
    memset(e.seen, 0, sizeof e.seen);
    encode_push(&e, schema, message, 0);
    while (e.depth > 0) {
        struct encode_level *level = &e.levels[e.depth - 1];
        if (!encode_fields(&e, level))
            continue;
        if (level->left == 0) {
            e.depth--;
            continue;
        }
        level->left--;
        encode_begin(level, level->base + level->program->schema->size);
    }
    encode_room(buf, 0)[0] = '\0';
}

void wire_encode(const struct wire_schema *schema, const void *message, enum wire_peer peer,
                 struct buf *buf)
{
    encode_head(buf, THRIFT_STRUCT);
    wire_encode_bare(schema, message, peer, buf);
    buf_put(buf, "", 1);
}

void wire_encode_value(enum wire_kind kind, const void *value, struct buf *buf)
{
    assert(kind != WIRE_STRUCT && kind != WIRE_LIST && kind != WIRE_MAP);
    encode_head(buf, thrift_kinds[kind].type);
    encode_plain(buf, (uint8_t) kind, value);
    buf_put(buf, "", 1);
}
