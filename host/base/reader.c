/* reader -- see reader.h. */
#include "host/base/reader.h"

#include <string.h>

#include "host/base/buf.h"
#include "host/base/number.h"

void reader_init(struct reader *reader, const char *file, char *text, size_t size,
                 struct fail *ret_fail)
{
    *reader = (struct reader){
        .file = file, .first = text, .at = text, .end = text + size, .fresh = true, .fail = ret_fail
    };
}

void reader_complain(struct reader *reader, const char *format, ...)
{
    if (reader->wrong)
        return;
    struct buf what = { 0 };
    va_list args;
    va_start(args, format);
    buf_vprintf(&what, format, args);
    va_end(args);
    fail_set(reader->fail, BR_CORRUPT, "%s: byte %zu: %s", reader->file,
             (size_t) (reader->at - reader->first), buf_string(&what));
    buf_done(&what);
    reader->wrong = true;
}

/* The next character that is no white space; '\0' at the end and where something was wrong. */
static char reader_peek(struct reader *reader)
{
    if (reader->wrong)
        return '\0';
    while (reader->at < reader->end && *reader->at && strchr(" \t\r\n", *reader->at))
        reader->at++;
    return reader->at < reader->end ? *reader->at : '\0';
}

static bool reader_take(struct reader *reader, char c)
{
    if (reader_peek(reader) == c && c) {
        reader->at++;
        return true;
    }
    reader_complain(reader, "'%c' is expected", c);
    return false;
}

/* Before a value of a list or a key: the comma, where one is due. */
static void reader_due(struct reader *reader)
{
    if (!reader->fresh)
        reader_take(reader, ',');
    reader->fresh = false;
}

void reader_open(struct reader *reader, char bracket)
{
    if (++reader->depth > READER_DEPTH_MAX)
        reader_complain(reader, "brackets are nested more than %d deep", READER_DEPTH_MAX);
    reader_take(reader, bracket);
    reader->fresh = true;
}

void reader_close(struct reader *reader, char bracket)
{
    reader_take(reader, bracket);
    reader->depth--;
    reader->fresh = false;
}

bool reader_more(struct reader *reader, char bracket)
{
    if (reader_peek(reader) == bracket) {
        reader_close(reader, bracket);
        return false;
    }
    reader_due(reader);
    return !reader->wrong;
}

void reader_next(struct reader *reader)
{
    reader_due(reader);
}

void reader_key(struct reader *reader, const char *key)
{
    size_t size = strlen(key);
    reader_due(reader);
    reader_peek(reader);
    if ((size_t) (reader->end - reader->at) < size + 2 || reader->at[0] != '"'
        || memcmp(reader->at + 1, key, size) != 0 || reader->at[size + 1] != '"') {
        reader_complain(reader, "the key \"%s\" is expected", key);
        return;
    }
    reader->at += size + 2;
    reader_take(reader, ':');
}

int64_t reader_number(struct reader *reader, int64_t low, int64_t high)
{
    int64_t value = 0;
    reader_peek(reader);
    if (reader->wrong)
        return 0;
    const char *start = reader->at;
    while (reader->at < reader->end && *reader->at
           && (*reader->at == '-' || (*reader->at >= '0' && *reader->at <= '9')))
        reader->at++;
    if (number_i64(start, (size_t) (reader->at - start), &value) && value >= low && value <= high)
        return value;
    reader_complain(reader, "a whole number from %lld to %lld is expected", (long long) low,
                    (long long) high);
    return 0;
}

bool reader_bool(struct reader *reader)
{
    static const char *const words[] = { "false", "true" };
    reader_peek(reader);
    for (int i = 0; i < 2 && !reader->wrong; i++) {
        size_t size = strlen(words[i]);
        if ((size_t) (reader->end - reader->at) < size || memcmp(reader->at, words[i], size) != 0)
            continue;
        reader->at += size;
        return i;
    }
    reader_complain(reader, "true or false is expected");
    return false;
}

/* -- Strings ---------------------------------------------------------------------------------- */

/* Four digits behind \u; -1: not that. */
static int32_t reader_hex(const char *at, const char *end)
{
    static const char digits[] = "0123456789abcdef";
    int32_t code = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i] >= 'A' && at[i] <= 'F' ? (char) (at[i] + 'a' - 'A') : at[i];
        const char *digit = c ? strchr(digits, c) : NULL;
        if (!digit)
            return -1;
        code = code << 4 | (int32_t) (digit - digits);
    }
    return code;
}

static char *reader_put_code(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char) code;
        return to;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint32_t lead[] = { 0, 0xc0, 0xe0, 0xf0 };
    *to++ = (char) (lead[more] | code >> (6 * more));
    while (more-- > 0)
        *to++ = (char) (0x80 | (code >> (6 * more) & 0x3f));
    return to;
}

/* \uXXXX, or two of them; at: behind the 'u'.  NULL: no character, or NUL. */
static char *reader_unicode(struct reader *reader, char *to)
{
    int32_t code = reader_hex(reader->at, reader->end);
    reader->at += code < 0 ? 0 : 4;
    if (code >= 0xd800 && code < 0xdc00 && reader->end - reader->at > 6 && reader->at[0] == '\\'
        && reader->at[1] == 'u') {
        int32_t low = reader_hex(reader->at + 2, reader->end);
        if (low < 0xdc00 || low > 0xdfff)
            return NULL;
        reader->at += 6;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xd800 && code <= 0xdfff) {
        return NULL;
    }
    return code > 0 ? reader_put_code(to, (uint32_t) code) : NULL;
}

static char *reader_escape(struct reader *reader, char *to)
{
    static const char from[] = "\"\\/bfnrt", what[] = "\"\\/\b\f\n\r\t";
    char c = ++reader->at < reader->end ? *reader->at++ : '\0';
    if (c == 'u')
        return reader_unicode(reader, to);
    const char *at = c ? strchr(from, c) : NULL;
    if (!at)
        return NULL;
    *to++ = what[at - from];
    return to;
}

static const char *reader_string(struct reader *reader)
{
    char *text = ++reader->at;
    char *to = text;
    while (reader->at < reader->end && *reader->at != '"') {
        if ((unsigned char) *reader->at < 0x20) {
            reader_complain(reader, "a control character in a string");
            return NULL;
        }
        if (*reader->at != '\\')
            *to++ = *reader->at++;
        else if (!(to = reader_escape(reader, to))) {
            reader_complain(reader, "an escape in a string that is none");
            return NULL;
        }
    }
    if (reader->at == reader->end || to - text > READER_TEXT_MAX) {
        reader_complain(reader, "a string that does not end within %d bytes", READER_TEXT_MAX);
        return NULL;
    }
    reader->at++;
    *to = '\0'; /* over the quote, at the latest */
    return text;
}

const char *reader_text_or_null(struct reader *reader)
{
    char c = reader_peek(reader);
    if (c == '"')
        return reader_string(reader);
    if (c == 'n' && reader->end - reader->at >= 4 && memcmp(reader->at, "null", 4) == 0)
        reader->at += 4;
    else
        reader_complain(reader, "a string is expected");
    return NULL;
}

const char *reader_text(struct reader *reader)
{
    const char *text = reader_text_or_null(reader);
    if (!text)
        reader_complain(reader, "a string is expected, not null");
    return text ? text : "";
}

br_status reader_done(struct reader *reader)
{
    if (reader_peek(reader) || reader->at < reader->end)
        reader_complain(reader, "something stands behind the end");
    return reader->wrong ? reader->fail->status : BR_OK;
}
