/* key -- Pegasus's keys and values as they lie in RocksDB (src/base/pegasus_key_schema.h,
 * src/base/pegasus_value_schema.h, value schema 1).
 *
 * A key is the size of the hash key (two bytes, big-endian), the hash key, the sort key.  A value
 * is the second in which it expires (four bytes, big-endian, 0: never), a time tag (eight bytes,
 * big-endian: microseconds << 8, a cluster's id, whether it was deleted), and what the client gave.
 */
#ifndef HOST_DATA_KEY_H
#define HOST_DATA_KEY_H

#include "host/base/buf.h"
#include "host/base/fail.h"

#define DATA_HASH_KEY_MAX UINT16_C(65534) /* bytes */
#define DATA_VALUE_HEADER 12
#define DATA_EPOCH        INT64_C(1451606400) /* 2016-01-01 00:00:00 UTC in Unix seconds */

/* Append the whole key.  A hash key over DATA_HASH_KEY_MAX must have been refused. */
void data_key_put(struct buf *buf, br_bytes hash, br_bytes sort);

/* Append the first key behind all those that begin with this hash key and, where it is not empty,
 * with this beginning of a sort key. */
void data_key_put_next(struct buf *buf, br_bytes hash, br_bytes sort_prefix);

/* Both point into the key.  false: it is none. */
bool data_key_split(br_bytes key, br_bytes *ret_hash, br_bytes *ret_sort);

/* As memcmp, the shorter one first. */
int data_compare(br_bytes a, br_bytes b);

/* Append the value. */
void data_value_header(uint8_t header[DATA_VALUE_HEADER], uint32_t expires, int64_t microseconds);

/* When a stored value expires; 0: never, or it is too short to be a value. */
uint32_t data_value_expires(br_bytes stored);

static inline bool data_expired(uint32_t expires, uint32_t now)
{
    return expires > 0 && expires <= now;
}

/* What the client gave. */
br_bytes data_value_user(br_bytes stored);

/* Seconds since DATA_EPOCH. */
uint32_t data_seconds(int64_t unix_microseconds);

/* FILTER_NONE ... of message_data.h.  An empty pattern matches everything. */
bool data_filter_known(int32_t type);
bool data_filter(int32_t type, br_bytes pattern, br_bytes value);

/* A whole number as Pegasus reads one (src/utils/string_conv.h: strtoll with base 0). */
bool data_number(br_bytes text, int64_t *ret_number);

#endif
