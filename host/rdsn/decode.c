/* decode -- Thrift binary to C structs by table; see codec.h.
 *
 * One loop over a stack of levels: a level is a struct, or the rows of a list of structs.  Fields
 * usually come in the table's order, so that each table is first made into a program: what the next
 * field's header must be and where its value goes.  What does not fit it is looked up.
 */
#include <assert.h>

#include "host/rdsn/decode.h"
#include "host/rdsn/skip.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "RDSN is for little-endian hosts");

#define DECODE_ROOM                                                                                \
    16 /* bytes that hold any header, and a number or a text's length and eight bytes */
#define DECODE_NO UINT32_MAX /* what no header is */

enum decode_result { DECODE_FAILED, DECODE_DONE, DECODE_DEEPER };

struct decode_op {
    uint32_t head;   /* as decode_header; DECODE_NO: look it up */
    uint32_t before; /* the bits of all fields before this one */
    uint16_t offset;
    uint8_t width; /* of a number; 0: a text */
};

struct decode_program {
    const struct wire_schema *schema;
    const void *blank; /* what every row begins as; NULL: not made yet */
    uint32_t
        stranger; /* the header of an unknown field of fixed size that came lately, or DECODE_NO */
    uint32_t stranger_size;
    uint32_t room; /* bytes that hold all of the ops' headers, and more */
    struct decode_op ops[33];
};

struct decode_level {
    struct decode_program *program;
    const struct wire_schema *schema;
    uint32_t next; /* the field that is guessed */
    unsigned char *base;
    struct wire_list *list; /* whose row this is; NULL: a single struct */
    uint32_t index, count, cap;
};

struct decode {
    struct decode_source source;
    unsigned depth, program_count;
    struct decode_level levels[CODEC_DEPTH_MAX];
    struct decode_program programs[CODEC_SCHEMAS_MAX];
};

/* The three bytes of a field's header as a number; four are there. */
static inline uint32_t decode_header(const uint8_t *at)
{
    uint32_t head;
    memcpy(&head, at, sizeof head);
    return head & 0xFFFFFF;
}

static void decode_compile(struct decode_program *program, const struct wire_schema *schema)
{
    assert(schema->count <= 32);
    program->schema = schema;
    program->blank = NULL;
    program->stranger = DECODE_NO;
    program->room = DECODE_ROOM * (schema->count + 1u);
    uint32_t before = 0;
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct wire_field *field = &schema->fields[i];
        const struct thrift_kind *kind = &thrift_kinds[field->kind];
        bool text =
            field->kind == WIRE_STRING || field->kind == WIRE_ERROR || field->kind == WIRE_TASK;
        bool number = kind->fixed >= 4 || field->kind == WIRE_BOOL;
        uint8_t head[4] = { kind->type };
        thrift_store16(head + 1, (uint16_t) field->id);
        program->ops[i] = (struct decode_op){
            .head = text || number ? decode_header(head) : DECODE_NO,
            .before = before,
            .offset = field->offset,
            .width = kind->fixed,
        };
        before |= WIRE_BIT(field->id);
    }
    program->ops[schema->count] = (struct decode_op){ .head = DECODE_NO, .before = before };
}

static struct decode_program *decode_program(struct decode *d, const struct wire_schema *schema)
{
    for (unsigned i = 0; i < d->program_count; i++)
        if (d->programs[i].schema == schema)
            return &d->programs[i];
    assert(d->program_count < CODEC_SCHEMAS_MAX); /* tables are ours */
    struct decode_program *program = &d->programs[d->program_count++];
    decode_compile(program, schema);
    return program;
}

/* -- containers ------------------------------------------------------------------------------- */

static void decode_push(struct decode *d, const struct wire_schema *schema, void *base)
{
    assert(d->depth < CODEC_DEPTH_MAX); /* tables are ours */
    struct decode_level *level = &d->levels[d->depth++];
    level->program = decode_program(d, schema);
    level->schema = schema;
    level->next = 0;
    level->base = base;
    level->list = NULL;
}

/* Bytes that a struct of this schema takes at least when a real peer writes it. */
static uint32_t decode_usual_size(const struct wire_schema *schema)
{
    uint32_t size = 1;
    for (const struct wire_field *field = schema->fields; field < schema->fields + schema->count;
         field++)
        if (!(field->flags & (WIRE_OPTIONAL | WIRE_DEFAULTED)))
            size += 3u + thrift_kinds[field->kind].least;
    return size;
}

/* memcpy of a row without a call: the last sixteen bytes may overlap. */
static inline void decode_clear(unsigned char *row, const unsigned char *blank, uint32_t size)
{
    if (size < 16) {
        memcpy(row, blank, size);
        return;
    }
    for (uint32_t i = 0; i < size - 16; i += 16)
        memcpy(row + i, blank + i, 16);
    memcpy(row + size - 16, blank + size - 16, 16);
}

static bool decode_begin_row(struct decode *d, struct decode_level *level)
{
    uint32_t size = level->schema->size;
    if (level->index == level->cap) {
        uint32_t cap = level->cap > level->count / 2 ? level->count : level->cap * 2;
        void *items = decode_alloc(&d->source, (uint64_t) cap * size);
        if (!items)
            return false;
        if (level->index)
            memcpy(items, level->list->items, (size_t) level->index * size);
        level->list->items = items;
        level->cap = cap;
    }
    level->base = (unsigned char *) level->list->items + (size_t) level->index * size;
    decode_clear(level->base, level->program->blank, size);
    level->next = 0;
    return true;
}

static bool decode_push_rows(struct decode *d, const struct wire_schema *schema, uint32_t count,
                             struct wire_list *list)
{
    decode_push(d, schema, NULL);
    struct decode_level *level = &d->levels[d->depth - 1];
    if (!level->program->blank) {
        void *blank = decode_alloc(&d->source, schema->size);
        if (!blank)
            return false;
        thrift_blank(schema, blank, false);
        level->program->blank = blank;
    }
    level->list = list;
    level->index = 0;
    level->count = count;
    size_t likely = (size_t) (d->source.end - d->source.at) / decode_usual_size(schema) + 1;
    level->cap = count < likely ? count : (uint32_t) likely;
    list->items = decode_alloc(&d->source, (uint64_t) level->cap * schema->size);
    return list->items && decode_begin_row(d, level);
}

static enum decode_result decode_elements(struct decode_source *d, uint8_t kind, uint32_t count,
                                          struct wire_list *list)
{
    uint8_t size = thrift_kinds[kind].size;
    unsigned char *items = decode_alloc(d, (uint64_t) count * size);
    if (!items)
        return DECODE_FAILED;
    for (uint32_t i = 0; i < count; i++)
        if (!decode_plain(d, kind, items + (size_t) i * size))
            return DECODE_FAILED;
    list->items = items;
    list->count = count;
    return DECODE_DONE;
}

/* `count` elements of at least `least` bytes each must fit into what is left. */
static bool decode_count(struct decode_source *d, uint32_t count, uint32_t least)
{
    size_t left = (size_t) (d->end - d->at);
    if (count > INT32_MAX || count > left / least)
        return decode_fail(d, d->at, "%d elements, but %zu bytes are left", (int) count, left);
    return true;
}

static enum decode_result decode_list(struct decode *d, const struct wire_field *field,
                                      struct wire_list *list)
{
    *list = (struct wire_list){ 0 };
    if (d->source.end - d->source.at < 5) {
        decode_fail(&d->source, d->source.at, "ends in a list");
        return DECODE_FAILED;
    }
    const struct thrift_kind *kind = &thrift_kinds[field->element];
    uint8_t type = d->source.at[0];
    uint32_t count = thrift_load32(d->source.at + 1);
    d->source.at += 5;
    if (count == 0)
        return DECODE_DONE;
    if (type != kind->type) {
        decode_fail(&d->source, d->source.at, "elements of type %d, not %d", type, kind->type);
        return DECODE_FAILED;
    }
    if (!decode_count(&d->source, count, kind->least))
        return DECODE_FAILED;
    if (field->element != WIRE_STRUCT)
        return decode_elements(&d->source, field->element, count, list);
    return decode_push_rows(d, field->schema, count, list) ? DECODE_DEEPER : DECODE_FAILED;
}

static bool decode_map(struct decode_source *d, const struct wire_field *field,
                       struct wire_list *list)
{
    *list = (struct wire_list){ 0 };
    if (d->end - d->at < 6)
        return decode_fail(d, d->at, "ends in a map");
    uint8_t key = d->at[0], value = d->at[1];
    uint32_t count = thrift_load32(d->at + 2);
    d->at += 6;
    if (count == 0)
        return true;
    if (field->key != WIRE_STRING || field->element != WIRE_STRING)
        return decode_fail(d, d->at, "a map of this kind is read only empty");
    if (key != THRIFT_STRING || value != THRIFT_STRING)
        return decode_fail(d, d->at, "a map of types %d to %d, not of texts", key, value);
    struct wire_pair *pairs;
    if (!decode_count(d, count, 8) || !(pairs = decode_alloc(d, (uint64_t) count * sizeof *pairs)))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!decode_text(d, &pairs[i].key) || !decode_text(d, &pairs[i].value))
            return false;
    *list = (struct wire_list){ pairs, count };
    return true;
}

/* -- structs ---------------------------------------------------------------------------------- */

static const struct wire_field *decode_find(const struct wire_schema *schema, int16_t id)
{
    for (const struct wire_field *field = schema->fields; field < schema->fields + schema->count;
         field++)
        if (field->id == id)
            return field;
    return NULL;
}

/* A value of any kind. */
static enum decode_result decode_value(struct decode *d, const struct wire_field *field,
                                       void *target)
{
    switch (field->kind) {
    case WIRE_STRUCT: decode_push(d, field->schema, target); return DECODE_DEEPER;
    case WIRE_LIST: return decode_list(d, field, target);
    case WIRE_MAP: return decode_map(&d->source, field, target) ? DECODE_DONE : DECODE_FAILED;
    default: return decode_plain(&d->source, field->kind, target) ? DECODE_DONE : DECODE_FAILED;
    }
}

/* Past a field that the table does not have; its header is at `at`, d->at behind that. */
static bool decode_unknown(struct decode *d, struct decode_program *program, const uint8_t *at)
{
    const char *why = skip_value(at[0], &d->source.at, d->source.end, d->depth);
    if (why) {
        decode_fail(&d->source, d->source.at, "unknown field %d: %s",
                    (int16_t) thrift_load16(at + 1), why);
        fail_prefix(d->source.fail, "%s", program->schema->name);
        return false;
    }
    if (skip_fixed(at[0])) {
        uint8_t head[4] = { at[0], at[1], at[2] };
        program->stranger = decode_header(head);
        program->stranger_size = 3 + skip_fixed(at[0]);
    }
    return true;
}

/* What is at d->at, slowly: near the end of the message, or not the field that was guessed. */
static enum decode_result decode_field(struct decode *d, struct decode_level *level,
                                       uint32_t *present)
{
    const struct wire_schema *schema = level->schema;
    const uint8_t *at = d->source.at;
    if (d->source.end - at < 3) {
        decode_fail(&d->source, at, "ends inside a struct");
        fail_prefix(d->source.fail, "%s", schema->name);
        return DECODE_FAILED;
    }
    d->source.at += 3;
    const struct wire_field *field = decode_find(schema, (int16_t) thrift_load16(at + 1));
    if (!field)
        return decode_unknown(d, level->program, at) ? DECODE_DONE : DECODE_FAILED;
    enum decode_result result = DECODE_FAILED;
    if (thrift_kinds[field->kind].type == at[0])
        result = decode_value(d, field, level->base + field->offset);
    else
        decode_fail(&d->source, at, "of type %d, not %d", at[0], thrift_kinds[field->kind].type);
    if (result == DECODE_FAILED)
        fail_prefix(d->source.fail, "%s.%s", schema->name, field->name);
    level->next = (uint32_t) (field - schema->fields) + 1;
    *present |= WIRE_BIT(field->id);
    return result;
}

/* The text of this length at `text`, if it was met lately; DECODE_ROOM covers its first bytes. */
static inline const char *decode_again(const struct decode_source *d, const uint8_t *text,
                                       uint32_t size)
{
    uint64_t head = decode_head(text, size);
    const struct decode_seen *seen = &d->seen[decode_slot(head)];
    if (seen->head != head || seen->size != size)
        return NULL;
    if (size > 8 && (size > (size_t) (d->end - text) || memcmp(seen->text, text, size) != 0))
        return NULL;
    return seen->text;
}

/* Past an unknown number that every row has, because the peer is newer or the table leaves it out.
 */
static inline const uint8_t *decode_stranger(const struct decode_program *program,
                                             const uint8_t *at, const uint8_t *end)
{
    if (end - at < DECODE_ROOM || decode_header(at) != program->stranger)
        return at;
    return at + program->stranger_size;
}

/* Fields as long as they come as the program has them; true: behind the struct's end.  There is
 * room for all of the ops' fixed parts before each run of numbers, so that they need not look. */
static bool decode_fast(struct decode_source *d, struct decode_level *level, uint32_t *present)
{
    const struct decode_program *program = level->program;
    const struct decode_op *first = &program->ops[level->next], *op = first;
    const uint8_t *at = d->at;
    unsigned char *base = level->base;
    for (; d->end - at >= program->room; op++) {
        for (; decode_header(at) == op->head && op->width; op++) {
            unsigned char *target = base + op->offset;
            if (op->width == 8) { /* a gpid is one number, too: its low half is the app_id */
                uint64_t value = thrift_load64(at + 3);
                memcpy(target, &value, sizeof value);
                at += 11;
            } else if (op->width == 4) {
                uint32_t value = thrift_load32(at + 3);
                memcpy(target, &value, sizeof value);
                at += 7;
            } else {
                if (at[3] > 1)
                    break;
                *(bool *) target = at[3];
                at += 4;
            }
        }
        if (decode_header(at) != op->head || op->width)
            break;
        uint32_t size = thrift_load32(at + 3);
        const char *text = decode_again(d, at + 7, size);
        if (!text)
            break;
        memcpy(base + op->offset, &text, sizeof text);
        at += 7 + size;
    }
    *present |= op->before & ~first->before;
    level->next = (uint32_t) (op - program->ops);
    at = decode_stranger(program, at, d->end);
    bool end = at < d->end && *at == THRIFT_STOP;
    d->at = at + end;
    return end;
}

/* Fields until the struct ends or another one begins inside. */
static enum decode_result decode_fields(struct decode *d, struct decode_level *level)
{
    uint32_t present = 0;
    enum decode_result result = DECODE_DONE;
    while (!decode_fast(&d->source, level, &present)) {
        result = decode_field(d, level, &present);
        if (result != DECODE_DONE)
            break;
    }
    if (level->schema->has_present)
        *(uint32_t *) (void *) level->base |= present;
    return result;
}

static bool decode_run(struct decode *d)
{
    while (d->depth > 0) {
        struct decode_level *level = &d->levels[d->depth - 1];
        enum decode_result result = decode_fields(d, level);
        if (result == DECODE_FAILED)
            return false;
        if (result == DECODE_DEEPER)
            continue;
        if (!level->list) {
            d->depth--;
        } else if (++level->index == level->count) {
            level->list->count = level->count;
            d->depth--;
        } else if (!decode_begin_row(d, level)) {
            fail_prefix(d->source.fail, "%s", level->schema->name);
            return false;
        }
    }
    return true;
}

/* -- whole bodies ----------------------------------------------------------------------------- */

static bool decode_open(struct decode_source *d, uint8_t type)
{
    if (d->end - d->at < 3)
        return decode_fail(d, d->at, "a body of %zu bytes", (size_t) (d->end - d->at));
    if (*d->at != type)
        return decode_fail(d, d->at, "a body of type %d, not %d", *d->at, type);
    d->at += 3;
    return true;
}

static bool decode_close(struct decode_source *d, bool wrapped)
{
    if (wrapped && (d->at == d->end || *d->at++ != THRIFT_STOP))
        return decode_fail(d, d->at, "a body without its end");
    if (d->at != d->end)
        return decode_fail(d, d->at, "%zu bytes behind the end", (size_t) (d->end - d->at));
    return true;
}

static br_status decode_struct(const struct wire_schema *schema, br_bytes bytes, bool wrapped,
                               struct wire_memory memory, void *message, struct fail *fail)
{
    struct decode d;
    decode_begin(&d.source, bytes, memory, fail);
    d.depth = d.program_count = 0;
    thrift_blank(schema, message, false);
    bool ok = !wrapped || decode_open(&d.source, THRIFT_STRUCT);
    if (ok) {
        decode_push(&d, schema, message);
        ok = decode_run(&d) && decode_close(&d.source, wrapped);
    }
    decode_end(&d.source);
    return ok ? BR_OK : BR_CORRUPT;
}

br_status wire_decode(const struct wire_schema *schema, br_bytes body, struct wire_memory memory,
                      void *message, struct fail *ret_fail)
{
    return decode_struct(schema, body, true, memory, message, ret_fail);
}

br_status wire_decode_bare(const struct wire_schema *schema, br_bytes bytes,
                           struct wire_memory memory, void *message, struct fail *ret_fail)
{
    return decode_struct(schema, bytes, false, memory, message, ret_fail);
}

br_status wire_decode_value(enum wire_kind kind, br_bytes body, struct wire_memory memory,
                            void *value, struct fail *ret_fail)
{
    assert(kind != WIRE_STRUCT && kind != WIRE_LIST && kind != WIRE_MAP);
    struct decode_source d;
    decode_begin(&d, body, memory, ret_fail);
    bool ok = decode_open(&d, thrift_kinds[kind].type) && decode_plain(&d, (uint8_t) kind, value)
              && decode_close(&d, true);
    decode_end(&d);
    return ok ? BR_OK : BR_CORRUPT;
}
