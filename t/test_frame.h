/* test_frame -- what the two files of the suite share. */
#ifndef T_TEST_FRAME_H
#define T_TEST_FRAME_H

#include <check.h>

#include "host/base/number.h"
#include "t/wire.h"

enum { FRAME_REPLY = 99 }; /* instead of a framing: a THFT reply */

/* Parse a copy of the exact size; every refusal must have its sentence. */
br_status frame_try(br_bytes bytes, int framing, uint32_t body_max, struct frame *ret_frame,
                    struct fail *ret_fail);

/* Cut short at every byte a frame is incomplete, nothing else. */
void frame_cut(br_bytes bytes, int framing);

/* Every single bit flipped; returns how many of them were taken all the same. */
size_t frame_flip(br_bytes bytes, int framing);

TCase *frame_thft(void);

#endif
