/* message_table -- the words that tables of fields are written in.  A field's kind follows from its
 * C type where it can, so that table and struct cannot disagree about its width.  For the files
 * that define tables, no others.
 */
#ifndef HOST_RDSN_MESSAGE_TABLE_H
#define HOST_RDSN_MESSAGE_TABLE_H

#include <stddef.h>

#include "host/rdsn/codec.h"

#define TABLE_MEMBER(of_, name_) (((const struct msg_##of_ *) 0)->name_)
#define TABLE_KIND(of_, name_)                                                                     \
    _Generic(TABLE_MEMBER(of_, name_),                                                             \
        bool: WIRE_BOOL,                                                                           \
        int8_t: WIRE_BYTE,                                                                         \
        int16_t: WIRE_I16,                                                                         \
        int32_t: WIRE_I32,                                                                         \
        int64_t: WIRE_I64,                                                                         \
        const char *: WIRE_STRING,                                                                 \
        br_bytes: WIRE_BLOB,                                                                       \
        struct gpid: WIRE_GPID,                                                                    \
        uint64_t: WIRE_ADDRESS,                                                                    \
        struct host_port: WIRE_HOST_PORT)
#define TABLE_TEXT(of_, name_)    _Generic(TABLE_MEMBER(of_, name_), const char * : WIRE_ERROR)
#define TABLE_LIST_OF(of_, name_) _Generic(TABLE_MEMBER(of_, name_), struct wire_list : WIRE_LIST)
#define TABLE_MAP_OF(of_, name_)  _Generic(TABLE_MEMBER(of_, name_), struct wire_list : WIRE_MAP)

#define TABLE_ROW(of_, id_, name_, kind_, flags_, ...)                                             \
    {                                                                                              \
        .name = #name_, .id = (id_), .kind = (kind_), .flags = (flags_),                           \
        .offset = offsetof(struct msg_##of_, name_), __VA_ARGS__                                   \
    }

/* What the C type says. */
#define FIELD(of_, id_, name_, flags_)                                                             \
    TABLE_ROW(of_, id_, name_, TABLE_KIND(of_, name_), flags_, .fallback = 0)
/* An error_code. */
#define ERROR(of_, id_, name_) TABLE_ROW(of_, id_, name_, TABLE_TEXT(of_, name_), 0, .fallback = 0)
/* A list of elements of a plain kind. */
#define LIST(of_, id_, name_, element_, flags_)                                                    \
    TABLE_ROW(of_, id_, name_, TABLE_LIST_OF(of_, name_), flags_, .element = (element_))
/* A list of structs. */
#define ROWS(of_, id_, name_, schema_, flags_)                                                     \
    TABLE_ROW(of_, id_, name_, TABLE_LIST_OF(of_, name_), flags_, .element = WIRE_STRUCT,          \
              .schema = &wire_##schema_)
#define MAP(of_, id_, name_, key_, value_, flags_)                                                 \
    TABLE_ROW(of_, id_, name_, TABLE_MAP_OF(of_, name_), flags_, .key = (key_), .element = (value_))
#define STRUCT(of_, id_, name_, schema_, flags_)                                                   \
    TABLE_ROW(of_, id_, name_,                                                                     \
              (_Generic(TABLE_MEMBER(of_, name_), struct msg_##schema_                             \
                        : WIRE_STRUCT)),                                                           \
              flags_, .schema = &wire_##schema_)

#define SCHEMA(of_, name_)                                                                         \
    const struct wire_schema wire_##of_ = {                                                        \
        .name = (name_),                                                                           \
        .fields = of_##_fields,                                                                    \
        .count = sizeof of_##_fields / sizeof *of_##_fields,                                       \
        .size = sizeof(struct msg_##of_),                                                          \
        .has_present = true,                                                                       \
    }

enum { OPT = WIRE_OPTIONAL, DFLT = WIRE_DEFAULTED, HP = WIRE_OPTIONAL | WIRE_HP };

#endif
