/* number -- decimal text to numbers, strictly: the whole text, no spaces, no overflow. */
#ifndef HOST_BASE_NUMBER_H
#define HOST_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool number_i64(const char *text, size_t size, int64_t *ret_value);
bool number_i32(const char *text, size_t size, int32_t *ret_value);

#define NODE_NAME_MAX 261 /* 255 bytes of host, ':', 5 digits */

/* "host:port" with a non-empty host of letters, digits, '.', '-', '_' and a port of 1..65535
 * (no leading zero).  ret_host_size is where the colon is. */
bool number_node(const char *text, size_t *ret_host_size, uint16_t *ret_port);

#endif
