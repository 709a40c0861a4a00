/* skip -- past a Thrift value that nobody here knows, without recursion. */
#ifndef HOST_RDSN_SKIP_H
#define HOST_RDSN_SKIP_H

#include <stdint.h>

/* Bytes of every value of a type; 0: they vary, or there is no such type. */
unsigned skip_fixed(uint8_t type);

/* Move *at behind a value of this type; `depth` structs and containers are open around it already,
 * at most CODEC_DEPTH_MAX may be.  NULL, or what is wrong (*at is where then). */
const char *skip_value(uint8_t type, const uint8_t **at, const uint8_t *end, unsigned depth);

#endif
