/* codec -- Thrift binary by table: one table per struct, one encoder, one decoder
 * (src/common/serialization_helper/thrift_helper.h).
 *
 * A message is a C struct whose first member is `uint32_t present`, one bit per Thrift field id
 * (ids up to 31).  Decoding sets the bit of every field seen; encoding writes every required field
 * and those optional ones whose bit is set, in id order.  So a decoded message is encoded to the
 * same bytes.
 *
 * Decoded strings are NUL-terminated copies in the decoder's memory (a NUL inside is an error),
 * interned, so that a list of rows that repeat a string holds it once; blobs point into the frame.
 * A string that was not there is "", not NULL; other absent fields are 0 or their default.
 * Lists are contiguous arrays.  Nothing is allocated in proportion to a length field before the
 * bytes are there, and a whole decode may take at most CODEC_EXPANSION_MAX bytes per byte read.
 * Unknown ordinary fields are skipped with a bound on depth, without recursion; but Pegasus's raw
 * types (WIRE_BLOB, WIRE_ERROR, WIRE_TASK, WIRE_GPID, WIRE_ADDRESS, WIRE_HOST_PORT) cannot be told
 * from structs, so that a table must have every field of theirs that may come.  A known field of
 * another type, or a boolean that is neither 0 nor 1, is an error.  Of a field that comes twice the
 * last one counts.  All errors of decoding are BR_CORRUPT and name the field and the byte.
 */
#ifndef HOST_RDSN_CODEC_H
#define HOST_RDSN_CODEC_H

#include "host/base/arena.h"
#include "host/base/buf.h"
#include "host/base/fail.h"
#include "host/rdsn/address.h"

#define CODEC_DEPTH_MAX     16 /* nesting of structs and containers */
#define CODEC_SCHEMAS_MAX   16 /* different structs in one message's tables */
#define CODEC_EXPANSION_MAX 16 /* bytes of memory per byte of message, beyond 64 KiB */

enum wire_kind {
    WIRE_BOOL = 1,  /* bool */
    WIRE_BYTE,      /* int8_t */
    WIRE_I16,       /* int16_t */
    WIRE_I32,       /* int32_t; enums too */
    WIRE_I64,       /* int64_t */
    WIRE_STRING,    /* const char *; NULL is written as "" */
    WIRE_BLOB,      /* br_bytes; pegasus blob: binary under a struct type byte */
    WIRE_BINARY,    /* br_bytes; an ordinary thrift string that may hold anything */
    WIRE_ERROR,     /* const char *; error_code; NULL is written as "ERR_OK" */
    WIRE_TASK,      /* const char *; task_code */
    WIRE_GPID,      /* struct gpid */
    WIRE_ADDRESS,   /* uint64_t; rpc_address */
    WIRE_HOST_PORT, /* struct host_port */
    WIRE_STRUCT,    /* the struct itself, by .schema */
    WIRE_LIST,      /* struct wire_list of .element (and .schema) */
    WIRE_MAP,       /* struct wire_list of struct wire_pair: string to string; other key and value
                       kinds (.key, .element) only empty */
};

struct gpid {
    int32_t app_id;
    int32_t partition;
};

struct wire_list {
    void *items; /* `count` elements, each of the element's C size */
    uint32_t count;
};

struct wire_pair {
    const char *key;
    const char *value;
};

enum {
    WIRE_OPTIONAL = 1 << 0,
    WIRE_DEFAULTED = 1 << 1, /* optional with a default: written unless explicitly unset */
    WIRE_HP = 1 << 2,        /* exists since 2.6: left out for older peers */
};

struct wire_field {
    const char *name;
    int16_t id;
    uint8_t kind;    /* enum wire_kind */
    uint8_t element; /* of lists and map values: enum wire_kind */
    uint8_t key;     /* of maps: enum wire_kind */
    uint8_t flags;
    uint16_t offset;                  /* in the C struct */
    int32_t fallback;                 /* of WIRE_DEFAULTED integers and booleans */
    const struct wire_schema *schema; /* of structs and lists of structs */
};

struct wire_schema {
    const char *name;                /* Pegasus's */
    const struct wire_field *fields; /* by ascending id, 0 to 31; never NULL */
    uint16_t count;
    uint16_t size;    /* of the C struct */
    bool has_present; /* false: a row of somebody else's (no present bits; all fields optional
                         when read, WIRE_OPTIONAL ones never written) */
};

/* How old the peer is: decides whether WIRE_HP fields are written. */
enum wire_peer { WIRE_PEER_25 = 0, WIRE_PEER_26 = 1 };

#define WIRE_BIT(id)        (UINT32_C(1) << (id))
#define WIRE_HAS(msg, id)   (((msg)->present & WIRE_BIT(id)) != 0)
#define WIRE_SET(msg, id)   ((msg)->present |= WIRE_BIT(id))
#define WIRE_UNSET(msg, id) ((msg)->present &= ~WIRE_BIT(id))

/* Zero, then the defaults of WIRE_DEFAULTED fields with their bits set; those of structs inside
 * too. */
void wire_init(const struct wire_schema *schema, void *message);

/* Append the body: `0c 00 00 <fields> 00 00`. */
void wire_encode(const struct wire_schema *schema, const void *message, enum wire_peer peer,
                 struct buf *buf);

/* The struct alone: `<fields> 00`. */
void wire_encode_bare(const struct wire_schema *schema, const void *message, enum wire_peer peer,
                      struct buf *buf);

/* Append a body that is not a struct: `<type> 00 00 <value> 00`.  `value` points to a variable of
 * the kind's C type (a `const char *` for a string); no WIRE_STRUCT, WIRE_LIST, WIRE_MAP. */
void wire_encode_value(enum wire_kind kind, const void *value, struct buf *buf);

/* Where decoded things are put: an arena, or a function (rows of a call). */
struct wire_memory {
    void *(*alloc)(void *context, size_t size); /* 8-byte aligned, never NULL */
    void *context;
};

struct wire_memory wire_arena(struct arena *arena);

/* Decode a whole body into *message (initialised here).  Trailing bytes are an error.  The field
 * id of the wrapper is not looked at (thrift_helper.h:unmarshall_thrift_internal). */
br_status wire_decode(const struct wire_schema *schema, br_bytes body, struct wire_memory memory,
                      void *message, struct fail *ret_fail);

/* The same of a struct alone, without a wrapper. */
br_status wire_decode_bare(const struct wire_schema *schema, br_bytes bytes,
                           struct wire_memory memory, void *message, struct fail *ret_fail);

/* What wire_encode_value wrote. */
br_status wire_decode_value(enum wire_kind kind, br_bytes body, struct wire_memory memory,
                            void *value, struct fail *ret_fail);

#endif
