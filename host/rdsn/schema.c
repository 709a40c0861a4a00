/* schema -- how a message begins, before anything was put into it or read from it. */
#include <assert.h>

#include "host/rdsn/thrift.h"

static void *schema_arena_alloc(void *context, size_t size)
{
    return arena_alloc(context, size);
}

struct wire_memory wire_arena(struct arena *arena)
{
    return (struct wire_memory){ .alloc = schema_arena_alloc, .context = arena };
}

static void schema_fallback(const struct wire_field *field, unsigned char *target)
{
    switch (field->kind) {
    case WIRE_BOOL: *(bool *) target = field->fallback != 0; break;
    case WIRE_BYTE: *(int8_t *) target = (int8_t) field->fallback; break;
    case WIRE_I16: *(int16_t *) target = (int16_t) field->fallback; break;
    case WIRE_I32: *(int32_t *) (void *) target = field->fallback; break;
    case WIRE_I64: *(int64_t *) (void *) target = field->fallback; break;
    default: assert(field->kind == WIRE_I64); /* no other kind has a default */
    }
}

static void schema_blank_field(const struct wire_field *field, unsigned char *message, bool init,
                               uint32_t *present)
{
    unsigned char *target = message + field->offset;
    if (field->flags & WIRE_DEFAULTED) {
        schema_fallback(field, target);
        if (init && present)
            *present |= WIRE_BIT(field->id);
        return;
    }
    if (init)
        return;
    if (field->kind == WIRE_STRING || field->kind == WIRE_ERROR || field->kind == WIRE_TASK)
        *(const char **) (void *) target = "";
    else if (field->kind == WIRE_HOST_PORT)
        ((struct host_port *) (void *) target)->host = "";
}

/* Structs inside structs wait in a list: tables may be deep, the stack is not. */
void thrift_blank(const struct wire_schema *schema, void *message, bool init)
{
    struct {
        const struct wire_schema *schema;
        unsigned char *message;
    } todo[CODEC_DEPTH_MAX];
    size_t count = 0;
    memset(message, 0, schema->size);
    todo[count].schema = schema;
    todo[count++].message = message;
    while (count > 0) {
        const struct wire_schema *one = todo[--count].schema;
        unsigned char *at = todo[count].message;
        uint32_t *present = one->has_present ? (uint32_t *) (void *) at : NULL;
        for (const struct wire_field *field = one->fields; field < one->fields + one->count;
             field++) {
            if (field->kind != WIRE_STRUCT) {
                schema_blank_field(field, at, init, present);
                continue;
            }
            assert(count < CODEC_DEPTH_MAX);
            todo[count].schema = field->schema;
            todo[count++].message = at + field->offset;
        }
    }
}

void wire_init(const struct wire_schema *schema, void *message)
{
    thrift_blank(schema, message, true);
}
