/* buf -- see buf.h.  Grows by doubling; one byte beyond the size is always kept for the NUL. */
#include "host/base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

#define BUF_CAP_FIRST 64

void buf_done(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){ 0 };
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

void buf_reserve(struct buf *buf, size_t more)
{
    assert(more < SIZE_MAX / 2 - buf->size);
    size_t need = buf->size + more + 1;
    if (need <= buf->cap)
        return;
    size_t cap = buf->cap ? buf->cap * 2 : BUF_CAP_FIRST;
    if (cap < need)
        cap = need;
    buf->data = mem_grow(buf->data, cap);
    buf->cap = cap;
    buf->data[buf->size] = '\0';
}

void buf_put(struct buf *buf, const void *data, size_t size)
{
    buf_reserve(buf, size);
    if (size)
        memcpy(buf->data + buf->size, data, size);
    buf->size += size;
    buf->data[buf->size] = '\0';
}

void buf_text(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}

void buf_char(struct buf *buf, char c)
{
    buf_put(buf, &c, 1);
}

void buf_i64(struct buf *buf, int64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t) value : (uint64_t) value;
    do {
        digits[--at] = (char) ('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        digits[--at] = '-';
    buf_put(buf, digits + at, sizeof digits - at);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(buf, format, args);
    va_end(args);
}

/* First into what is there already: most of what is printed is short. */
void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    buf_reserve(buf, BUF_CAP_FIRST);
    size_t room = buf->cap - buf->size;
    int size = vsnprintf(buf->data + buf->size, room, format, args);
    assert(size >= 0);
    if ((size_t) size >= room) {
        buf_reserve(buf, (size_t) size);
        vsnprintf(buf->data + buf->size, (size_t) size + 1, format, again);
    }
    va_end(again);
    buf->size += (size_t) size;
}

/* How a byte is escaped: 0 not at all, 'u' as \u00XX, else a backslash and this. */
static char buf_json_escape(unsigned char c)
{
    switch (c) {
    case '"': return '"';
    case '\\': return '\\';
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    default: return c < 0x20 ? 'u' : 0;
    }
}

void buf_json(struct buf *buf, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    buf_char(buf, '"');
    for (const char *start = text;; text++) {
        unsigned char c = (unsigned char) *text;
        char escape = buf_json_escape(c);
        if (c && !escape)
            continue;
        buf_put(buf, start, (size_t) (text - start));
        if (!c)
            break;
        if (escape == 'u')
            buf_put(buf, (char[]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6);
        else
            buf_put(buf, (char[]){ '\\', escape }, 2);
        start = text + 1;
    }
    buf_char(buf, '"');
}
