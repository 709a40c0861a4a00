/* decode -- what the two halves of the decoder share: the bytes, the memory and its bounds, texts.
 * decode.c has structs and containers, decode_value.c single values.
 */
#ifndef HOST_RDSN_DECODE_H
#define HOST_RDSN_DECODE_H

#include "host/base/intern.h"
#include "host/rdsn/thrift.h"

#define DECODE_FREE      ((size_t) 64 << 10) /* memory that any message may take */
#define DECODE_SEEN_BITS 6

/* A text met before; 64 of them, each where a hash of its beginning puts it. */
struct decode_seen {
    const char *text; /* NULL: empty */
    uint64_t head;    /* the first eight bytes, 0 beyond the end */
    uint32_t size;
};

struct decode_source {
    const uint8_t *start, *at, *end;
    struct wire_memory memory;
    uint64_t used, allowed;
    struct fail *fail;
    struct intern intern;
    struct decode_seen seen[1 << DECODE_SEEN_BITS];
};

void decode_begin(struct decode_source *d, br_bytes bytes, struct wire_memory memory,
                  struct fail *fail);
void decode_end(struct decode_source *d);

/* Always false.  The field's name is put before the sentence on the way out. */
BR_PRINTF(3, 4)
bool decode_fail(struct decode_source *d, const uint8_t *at, const char *format, ...);

/* NULL: over the bound, and decode_fail was called. */
void *decode_alloc(struct decode_source *d, uint64_t size);

/* The value at d->at, of any kind that is no struct and no container; d->at is behind it then. */
bool decode_plain(struct decode_source *d, uint8_t kind, void *target);
bool decode_text(struct decode_source *d, const char **target);

/* The eight bytes at `text` without those that are not among the first `size`. */
static inline uint64_t decode_head(const uint8_t *text, uint32_t size)
{
    uint64_t head;
    memcpy(&head, text, sizeof head);
    head = le64toh(head);
    return size < 8 ? head & ((UINT64_C(1) << 8 * size) - 1) : head;
}

static inline unsigned decode_slot(uint64_t head)
{
    return (unsigned) (head * UINT64_C(0x9E3779B97F4A7C15) >> (64 - DECODE_SEEN_BITS));
}

#endif
