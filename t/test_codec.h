/* test_codec -- what the two files of the suite share. */
#ifndef T_TEST_CODEC_H
#define T_TEST_CODEC_H

#include <check.h>

#include "host/rdsn/message_data.h"
#include "t/wire.h"

/* Every table. */
extern const struct wire_schema *const codec_schemas[];
extern const size_t codec_schema_count;

/* Decode a copy of the exact size into a scratch message, whose memory is gone afterwards; every
 * refusal must have its sentence.  ret_used: bytes of memory taken. */
br_status codec_try(const struct wire_schema *schema, br_bytes body, struct fail *ret_fail,
                    size_t *ret_used);

/* The same of hex. */
br_status codec_try_hex(const struct wire_schema *schema, const char *hex, struct fail *ret_fail);

TCase *codec_hostile(void);

#endif
