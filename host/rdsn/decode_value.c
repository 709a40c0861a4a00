/* decode_value -- single values: numbers, texts, bytes, Pegasus's raw types; see decode.h. */
#include <stdio.h>

#include "host/rdsn/decode.h"

void decode_begin(struct decode_source *d, br_bytes bytes, struct wire_memory memory,
                  struct fail *fail)
{
    d->start = d->at = bytes.size ? bytes.data : (const void *) "";
    d->end = d->start + bytes.size;
    d->memory = memory;
    d->used = 0;
    d->allowed = DECODE_FREE + (uint64_t) CODEC_EXPANSION_MAX * bytes.size;
    d->fail = fail;
    intern_init(&d->intern, NULL);
    memset(d->seen, 0, sizeof d->seen);
}

void decode_end(struct decode_source *d)
{
    intern_done(&d->intern);
}

bool decode_fail(struct decode_source *d, const uint8_t *at, const char *format, ...)
{
    char why[256];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    fail_set(d->fail, BR_CORRUPT, "%s (byte %zu of %zu)", why, (size_t) (at - d->start),
             (size_t) (d->end - d->start));
    return false;
}

void *decode_alloc(struct decode_source *d, uint64_t size)
{
    d->used += (size + 7) & ~UINT64_C(7);
    if (d->used > d->allowed) {
        decode_fail(d, d->at, "more than %d bytes of memory per byte of message",
                    CODEC_EXPANSION_MAX);
        return NULL;
    }
    return d->memory.alloc(d->memory.context, (size_t) size);
}

/* Kinds of fixed size; the bytes are there.  false: a boolean that is none. */
static bool decode_fixed(uint8_t kind, const uint8_t *at, void *target)
{
    switch (kind) {
    case WIRE_BOOL: *(bool *) target = *at == 1; return *at <= 1;
    case WIRE_BYTE: *(int8_t *) target = (int8_t) *at; return true;
    case WIRE_I16: *(int16_t *) target = (int16_t) thrift_load16(at); return true;
    case WIRE_I32: *(int32_t *) target = (int32_t) thrift_load32(at); return true;
    case WIRE_I64: *(int64_t *) target = (int64_t) thrift_load64(at); return true;
    case WIRE_GPID: /* the partition comes first on the wire */
        ((int32_t *) target)[1] = (int32_t) thrift_load32(at);
        ((int32_t *) target)[0] = (int32_t) thrift_load32(at + 4);
        return true;
    default: *(uint64_t *) target = thrift_load64(at); return true;
    }
}

/* The length at d->at, checked against what is there; d->at is behind it then. */
static bool decode_size(struct decode_source *d, uint32_t *ret_size)
{
    if (d->end - d->at < 4)
        return decode_fail(d, d->at, "ends in a length");
    uint32_t size = thrift_load32(d->at);
    size_t left = (size_t) (d->end - d->at - 4);
    if (size > left)
        return decode_fail(d, d->at, "a text of %d bytes, but %zu are left", (int) size, left);
    d->at += 4;
    *ret_size = size;
    return true;
}

static const char *decode_copy(struct decode_source *d, const char *text, uint32_t size)
{
    char *copy = decode_alloc(d, (uint64_t) size + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

bool decode_text(struct decode_source *d, const char **target)
{
    uint32_t size;
    if (!decode_size(d, &size))
        return false;
    const char *text = (const char *) d->at;
    if (memchr(text, '\0', size))
        return decode_fail(d, d->at, "a text with a NUL in it");
    const char **place = intern_place(&d->intern, text, size);
    const char *copy = place ? *place : NULL;
    if (!copy) {
        copy = decode_copy(d, text, size);
        if (place)
            *place = copy;
        if (!copy)
            return false;
    }
    if (d->end - d->at >= 8) {
        uint64_t head = decode_head(d->at, size);
        d->seen[decode_slot(head)] = (struct decode_seen){ copy, head, size };
    }
    d->at += size;
    *target = copy;
    return true;
}

static bool decode_bytes(struct decode_source *d, br_bytes *target)
{
    uint32_t size;
    if (!decode_size(d, &size))
        return false;
    *target = (br_bytes){ d->at, size };
    d->at += size;
    return true;
}

static bool decode_host_port(struct decode_source *d, struct host_port *target)
{
    if (!decode_text(d, &target->host))
        return false;
    if (d->end - d->at < 3)
        return decode_fail(d, d->at, "ends in a host_port");
    target->port = thrift_load16(d->at);
    target->type = d->at[2];
    if (target->type > 1)
        return decode_fail(d, d->at + 2, "a host_port of type %d", target->type);
    d->at += 3;
    return true;
}

bool decode_plain(struct decode_source *d, uint8_t kind, void *target)
{
    uint8_t fixed = thrift_kinds[kind].fixed;
    if (fixed) {
        if (d->end - d->at < fixed)
            return decode_fail(d, d->at, "ends in a value");
        if (!decode_fixed(kind, d->at, target))
            return decode_fail(d, d->at, "a boolean of %d", *d->at);
        d->at += fixed;
        return true;
    }
    switch (kind) {
    case WIRE_BLOB:
    case WIRE_BINARY: return decode_bytes(d, target);
    case WIRE_HOST_PORT: return decode_host_port(d, target);
    default: return decode_text(d, target);
    }
}
