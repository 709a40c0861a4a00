/* key -- see key.h. */
#include "host/data/key.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/rdsn/message_data.h"

#define DATA_NUMBER_MAX 64 /* characters of a number; a longer one is out of range anyway */

void data_key_put(struct buf *buf, br_bytes hash, br_bytes sort)
{
    uint16_t size = htobe16((uint16_t) hash.size);
    buf_reserve(buf, sizeof size + hash.size + sort.size);
    buf_put(buf, &size, sizeof size);
    buf_put(buf, hash.data, hash.size);
    buf_put(buf, sort.data, sort.size);
}

void data_key_put_next(struct buf *buf, br_bytes hash, br_bytes sort_prefix)
{
    size_t start = buf->size;
    data_key_put(buf, hash, sort_prefix);
    uint8_t *bytes = (uint8_t *) buf->data;
    while (buf->size > start && bytes[buf->size - 1] == 0xff)
        buf->size--;
    bytes[buf->size - 1]++; /* the size of the hash key is never ff ff */
}

bool data_key_split(br_bytes key, br_bytes *ret_hash, br_bytes *ret_sort)
{
    const uint8_t *bytes = key.data;
    if (key.size < 2)
        return false;
    size_t size = (size_t) bytes[0] << 8 | bytes[1];
    if (size > key.size - 2)
        return false;
    *ret_hash = (br_bytes){ bytes + 2, size };
    *ret_sort = (br_bytes){ bytes + 2 + size, key.size - 2 - size };
    return true;
}

int data_compare(br_bytes a, br_bytes b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

void data_value_header(uint8_t header[DATA_VALUE_HEADER], uint32_t expires, int64_t microseconds)
{
    uint32_t second = htobe32(expires);
    uint64_t tag = htobe64((uint64_t) microseconds << 8);
    memcpy(header, &second, sizeof second);
    memcpy(header + sizeof second, &tag, sizeof tag);
}

uint32_t data_value_expires(br_bytes stored)
{
    uint32_t second = 0;
    if (stored.size >= DATA_VALUE_HEADER)
        memcpy(&second, stored.data, sizeof second);
    return be32toh(second);
}

br_bytes data_value_user(br_bytes stored)
{
    if (stored.size < DATA_VALUE_HEADER)
        return (br_bytes){ NULL, 0 };
    return (br_bytes){ (const uint8_t *) stored.data + DATA_VALUE_HEADER,
                       stored.size - DATA_VALUE_HEADER };
}

uint32_t data_seconds(int64_t unix_microseconds)
{
    int64_t second = unix_microseconds / 1000000 - DATA_EPOCH;
    return second < 0 ? 0 : (uint32_t) second;
}

bool data_filter_known(int32_t type)
{
    return type >= FILTER_NONE && type <= FILTER_POSTFIX;
}

bool data_filter(int32_t type, br_bytes pattern, br_bytes value)
{
    if (type == FILTER_NONE || pattern.size == 0)
        return true;
    if (value.size < pattern.size)
        return false;
    const char *bytes = value.data;
    if (type == FILTER_ANYWHERE)
        return memmem(bytes, value.size, pattern.data, pattern.size) != NULL;
    size_t at = type == FILTER_PREFIX ? 0 : value.size - pattern.size;
    return memcmp(bytes + at, pattern.data, pattern.size) == 0;
}

bool data_number(br_bytes text, int64_t *ret_number)
{
    char copy[DATA_NUMBER_MAX + 1];
    char *end;
    if (text.size == 0 || text.size > DATA_NUMBER_MAX)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    errno = 0;
    long long number = strtoll(copy, &end, 0);
    if (end != copy + text.size || errno != 0)
        return false;
    *ret_number = number;
    return true;
}
