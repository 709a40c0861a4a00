/* number -- see number.h. */
#include "host/base/number.h"

#include <string.h>

static bool number_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool number_i64(const char *text, size_t size, int64_t *ret_value)
{
    bool negative = size > 0 && text[0] == '-';
    size_t at = negative ? 1 : 0;
    if (at == size)
        return false;
    int64_t value = 0;
    for (; at < size; at++) {
        if (!number_digit(text[at]))
            return false;
        int64_t digit = text[at] - '0';
        if (__builtin_mul_overflow(value, 10, &value)
            || __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return false;
    }
    *ret_value = value;
    return true;
}

bool number_i32(const char *text, size_t size, int32_t *ret_value)
{
    int64_t value;
    if (!number_i64(text, size, &value) || value < INT32_MIN || value > INT32_MAX)
        return false;
    *ret_value = (int32_t) value;
    return true;
}

static bool number_host_char(char c)
{
    return number_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.'
           || c == '-' || c == '_';
}

bool number_node(const char *text, size_t *ret_host_size, uint16_t *ret_port)
{
    size_t host = 0;
    while (number_host_char(text[host]))
        host++;
    if (host == 0 || host > NODE_NAME_MAX - 6 || text[host] != ':')
        return false;
    const char *port = text + host + 1;
    int64_t value;
    size_t size = strnlen(port, 6);
    if (!number_digit(port[0]) || port[0] == '0' || !number_i64(port, size, &value)
        || value > UINT16_MAX)
        return false;
    *ret_host_size = host;
    *ret_port = (uint16_t) value;
    return true;
}
