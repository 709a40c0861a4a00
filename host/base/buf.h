/* buf -- bytes that grow: messages, JSON, sentences.  Always NUL-terminated behind its size, so
 * that text is text.  `{ 0 }` is an empty one.
 */
#ifndef HOST_BASE_BUF_H
#define HOST_BASE_BUF_H

#include <stdint.h>

#include <bridle/host.h>

struct buf {
    char *data; /* NULL until something was put */
    size_t size;
    size_t cap;
};

void buf_done(struct buf *buf);
void buf_clear(struct buf *buf); /* size 0, memory kept */
void buf_reserve(struct buf *buf, size_t more);
void buf_put(struct buf *buf, const void *data, size_t size);
void buf_text(struct buf *buf, const char *text);
void buf_char(struct buf *buf, char c);
void buf_i64(struct buf *buf, int64_t value); /* decimal, fast */
BR_PRINTF(2, 3) void buf_printf(struct buf *buf, const char *format, ...);
void buf_vprintf(struct buf *buf, const char *format, va_list args);

/* A JSON string with its quotes, escaped as rapidjson does (", \, control characters as \uXXXX
 * or \b \f \n \r \t; everything else as it is). */
void buf_json(struct buf *buf, const char *text);

static inline const char *buf_string(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

static inline br_bytes buf_bytes(const struct buf *buf)
{
    return (br_bytes){ buf->data, buf->size };
}

#endif
