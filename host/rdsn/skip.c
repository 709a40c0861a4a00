/* skip -- see skip.h.  What is open is on a stack of this file's own: a struct, or elements still
 * to come.  Pegasus's raw types cannot be skipped; they must be in a table.
 */
#include "host/rdsn/skip.h"

#include "host/rdsn/thrift.h"

#define SKIP_ENDS    "ends in a value"
#define SKIP_STRANGE "of a type that Thrift does not have"

struct skip_level {
    uint8_t first, second; /* types of elements; of a map: key, value; THRIFT_STOP: a struct */
    uint64_t left;
};

struct skip {
    const uint8_t *at, *end;
    unsigned open, open_max;
    struct skip_level levels[CODEC_DEPTH_MAX];
};

unsigned skip_fixed(uint8_t type)
{
    switch (type) {
    case THRIFT_BOOL:
    case THRIFT_BYTE: return 1;
    case THRIFT_I16: return 2;
    case THRIFT_I32: return 4;
    case THRIFT_I64:
    case THRIFT_DOUBLE: return 8;
    default: return 0;
    }
}

static const char *skip_advance(struct skip *s, uint64_t size)
{
    if (size > (size_t) (s->end - s->at))
        return SKIP_ENDS;
    s->at += size;
    return NULL;
}

static const char *skip_open(struct skip *s, uint8_t first, uint8_t second, uint64_t left)
{
    if (s->open >= s->open_max)
        return "nested too deeply";
    s->levels[s->open++] = (struct skip_level){ first, second, left };
    return NULL;
}

/* Elements: no type of theirs may be what marks a struct here. */
static const char *skip_elements(struct skip *s, uint8_t first, uint8_t second, uint64_t left)
{
    if (left == 0)
        return NULL;
    if (first == THRIFT_STOP || second == THRIFT_STOP)
        return SKIP_STRANGE;
    return skip_open(s, first, second, left);
}

/* A list or set: elements of fixed size at once. */
static const char *skip_list(struct skip *s)
{
    if (s->end - s->at < 5)
        return SKIP_ENDS;
    uint8_t type = s->at[0];
    uint32_t count = thrift_load32(s->at + 1);
    s->at += 5;
    if (count > INT32_MAX || count > (size_t) (s->end - s->at))
        return "more elements than bytes";
    if (skip_fixed(type))
        return skip_advance(s, (uint64_t) count * skip_fixed(type));
    return skip_elements(s, type, type, count);
}

static const char *skip_map(struct skip *s)
{
    if (s->end - s->at < 6)
        return SKIP_ENDS;
    uint8_t key = s->at[0], value = s->at[1];
    uint32_t count = thrift_load32(s->at + 2);
    s->at += 6;
    if (count > INT32_MAX || count > (size_t) (s->end - s->at) / 2)
        return "more elements than bytes";
    return skip_elements(s, key, value, (uint64_t) count * 2);
}

/* A scalar or text, or what opens a container. */
static const char *skip_one(struct skip *s, uint8_t type)
{
    if (skip_fixed(type))
        return skip_advance(s, skip_fixed(type));
    switch (type) {
    case THRIFT_STRING:
        if (s->end - s->at < 4)
            return SKIP_ENDS;
        s->at += 4;
        return skip_advance(s, thrift_load32(s->at - 4));
    case THRIFT_STRUCT: return skip_open(s, THRIFT_STOP, THRIFT_STOP, 0);
    case THRIFT_MAP: return skip_map(s);
    case THRIFT_SET:
    case THRIFT_LIST: return skip_list(s);
    default: return SKIP_STRANGE;
    }
}

/* The type of the value that comes next; THRIFT_STOP: nothing is open any more. */
static const char *skip_next(struct skip *s, uint8_t *ret_type)
{
    for (; s->open > 0; s->open--) {
        struct skip_level *level = &s->levels[s->open - 1];
        if (level->first != THRIFT_STOP) {
            if (level->left == 0)
                continue;
            *ret_type = level->left % 2 == 0 ? level->first : level->second;
            level->left--;
            return NULL;
        }
        if (s->at == s->end)
            return "ends inside a struct";
        *ret_type = *s->at++;
        if (*ret_type != THRIFT_STOP)
            return skip_advance(s, 2);
    }
    *ret_type = THRIFT_STOP;
    return NULL;
}

const char *skip_value(uint8_t type, const uint8_t **at, const uint8_t *end, unsigned depth)
{
    struct skip s;
    s.at = *at;
    s.end = end;
    s.open = 0;
    s.open_max = CODEC_DEPTH_MAX - depth;
    const char *why = skip_one(&s, type);
    while (!why) {
        why = skip_next(&s, &type);
        if (why || type == THRIFT_STOP)
            break;
        why = skip_one(&s, type);
    }
    *at = s.at;
    return why;
}
