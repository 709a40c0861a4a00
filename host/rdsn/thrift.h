/* thrift -- what the encoder and the decoder share: type bytes, big-endian loads and stores. */
#ifndef HOST_RDSN_THRIFT_H
#define HOST_RDSN_THRIFT_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "host/rdsn/codec.h"

enum {
    THRIFT_STOP = 0,
    THRIFT_BOOL = 2,
    THRIFT_BYTE = 3,
    THRIFT_DOUBLE = 4,
    THRIFT_I16 = 6,
    THRIFT_I32 = 8,
    THRIFT_I64 = 10,
    THRIFT_STRING = 11,
    THRIFT_STRUCT = 12,
    THRIFT_MAP = 13,
    THRIFT_SET = 14,
    THRIFT_LIST = 15,
};

/* How a kind travels and how it lies in memory. */
struct thrift_kind {
    uint8_t type;  /* THRIFT_BOOL ... */
    uint8_t fixed; /* bytes of every value; 0: they vary */
    uint8_t least; /* bytes of the smallest value */
    uint8_t size;  /* sizeof the C type; 0: the schema's */
};

static const struct thrift_kind thrift_kinds[] = {
    [WIRE_BOOL] = { THRIFT_BOOL, 1, 1, sizeof(bool) },
    [WIRE_BYTE] = { THRIFT_BYTE, 1, 1, sizeof(int8_t) },
    [WIRE_I16] = { THRIFT_I16, 2, 2, sizeof(int16_t) },
    [WIRE_I32] = { THRIFT_I32, 4, 4, sizeof(int32_t) },
    [WIRE_I64] = { THRIFT_I64, 8, 8, sizeof(int64_t) },
    [WIRE_STRING] = { THRIFT_STRING, 0, 4, sizeof(const char *) },
    [WIRE_BLOB] = { THRIFT_STRUCT, 0, 4, sizeof(br_bytes) },
    [WIRE_BINARY] = { THRIFT_STRING, 0, 4, sizeof(br_bytes) },
    [WIRE_ERROR] = { THRIFT_STRUCT, 0, 4, sizeof(const char *) },
    [WIRE_TASK] = { THRIFT_STRUCT, 0, 4, sizeof(const char *) },
    [WIRE_GPID] = { THRIFT_STRUCT, 8, 8, sizeof(struct gpid) },
    [WIRE_ADDRESS] = { THRIFT_STRUCT, 8, 8, sizeof(uint64_t) },
    [WIRE_HOST_PORT] = { THRIFT_STRUCT, 0, 7, sizeof(struct host_port) },
    [WIRE_STRUCT] = { THRIFT_STRUCT, 0, 1, 0 },
    [WIRE_LIST] = { THRIFT_LIST, 0, 5, sizeof(struct wire_list) },
    [WIRE_MAP] = { THRIFT_MAP, 0, 6, sizeof(struct wire_list) },
};

/* A struct as it is before anything was read: zero, defaults without their bits, strings "" (so
 * that nobody who reads a decoded message meets NULL).  With `init`, instead: wire_init. */
void thrift_blank(const struct wire_schema *schema, void *message, bool init);

static inline uint16_t thrift_load16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return be16toh(value);
}

static inline uint32_t thrift_load32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return be32toh(value);
}

static inline uint64_t thrift_load64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return be64toh(value);
}

static inline void thrift_store16(uint8_t *at, uint16_t value)
{
    value = htobe16(value);
    memcpy(at, &value, sizeof value);
}

static inline void thrift_store32(uint8_t *at, uint32_t value)
{
    value = htobe32(value);
    memcpy(at, &value, sizeof value);
}

static inline void thrift_store64(uint8_t *at, uint64_t value)
{
    value = htobe64(value);
    memcpy(at, &value, sizeof value);
}

#endif
