/* wire -- what the suites of the wire share: the byte vectors, and reading a message and writing it
 * again by the table of RPCs.
 */
#ifndef T_WIRE_H
#define T_WIRE_H

#include "host/rdsn/frame.h"
#include "host/rdsn/message.h"

struct vector {
    char name[64];
    char framing[32]; /* "RDSN", "THFT request v0" ... */
    bool crc;
    struct buf bytes;
};

/* All of t/vectors; not freed. */
const struct vector *wire_vectors(size_t *ret_count);
const struct vector *wire_vector(const char *name);
br_bytes wire_vector_bytes(const char *name);

enum wire_again {
    AGAIN_OK,
    AGAIN_UNKNOWN, /* not in the table */
    AGAIN_OPAQUE,  /* in it, but this direction's body is not described */
    AGAIN_CORRUPT, /* fail says why */
};

/* Decode the frame's body as its RPC's request or reply and append what encoding it gives. */
enum wire_again wire_again(const struct frame *frame, struct buf *ret_body, struct fail *ret_fail);

#endif
