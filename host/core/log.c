/* log -- one write(2) per line, so that lines of several threads and processes never mix.  What is
 * logged may come from the network: control characters are escaped, a line is one line.
 */
#include "host/core/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct log_line {
    char text[LOG_LINE_MAX];
    size_t size;
    size_t limit; /* where text must end, what closes the line not counted */
};

/* All of it or nothing: an escape is never cut in two. */
static int log_add(struct log_line *line, const char *text, size_t size)
{
    if (size > line->limit - line->size)
        return 0;
    memcpy(line->text + line->size, text, size);
    line->size += size;
    return 1;
}

/* How many bytes belong to the character at `text`; 1 where it is not UTF-8. */
static size_t log_width(const char *text)
{
    unsigned char c = (unsigned char) text[0];
    size_t width = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;
    for (size_t i = 1; i < width; i++)
        if (((unsigned char) text[i] & 0xc0) != 0x80)
            return 1;
    return width;
}

static int log_add_escaped(struct log_line *line, unsigned char c)
{
    char escape[5];
    const char *known = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
    if (known)
        return log_add(line, known, 2);
    if (c == '"' || c == '\\')
        return log_add(line, (char[]){ '\\', (char) c }, 2);
    snprintf(escape, sizeof escape, "\\x%02x", c);
    return log_add(line, escape, 4);
}

static void log_add_quoted(struct log_line *line, const char *text)
{
    int fits = log_add(line, "\"", 1);
    while (*text && fits) {
        unsigned char c = (unsigned char) *text;
        size_t width = log_width(text);
        if (c < 0x20 || c == 0x7f || c == '"' || c == '\\' || (c >= 0x80 && width == 1))
            fits = log_add_escaped(line, c);
        else
            fits = log_add(line, text, width);
        text += width;
    }
    line->limit = sizeof line->text;
    if (!fits)
        log_add(line, "...", 3);
    log_add(line, "\"", 1);
}

static void log_add_who(struct log_line *line, const char *who)
{
    log_add(line, " who=", 5);
    size_t plain = strspn(who, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "._-:/@+");
    size_t size = strlen(who);
    if (size > 0 && plain == size && size < 128) {
        log_add(line, who, size);
        return;
    }
    char head[128];
    snprintf(head, sizeof head, "%s", who);
    log_add_quoted(line, head);
}

static void log_add_head(struct log_line *line, br_level level)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    struct timespec now;
    struct tm tm;
    char text[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t size = strftime(text, sizeof text, "ts=%Y-%m-%dT%H:%M:%S", &tm);
    log_add(line, text, size);
    int more = snprintf(text, sizeof text, ".%03dZ level=%s", (int) (now.tv_nsec / 1000000),
                        names[level < BR_ERROR   ? BR_ERROR
                              : level > BR_DEBUG ? BR_DEBUG
                                                 : level]);
    log_add(line, text, (size_t) more);
}

void log_vput(const struct log *log, br_level level, const char *who, const char *format,
              va_list args)
{
    if (!log || level > log->level)
        return;
    char message[LOG_LINE_MAX];
    struct log_line line = { .limit = sizeof line.text };
    vsnprintf(message, sizeof message, format, args);
    log_add_head(&line, level);
    log_add_who(&line, who ? who : "");
    log_add(&line, " msg=", 5);
    line.limit = sizeof line.text - sizeof "...\"";
    log_add_quoted(&line, message);
    line.text[line.size++] = '\n';
    while (write(log->fd, line.text, line.size) < 0 && errno == EINTR)
        ; /* anything else: there is nobody left to tell */
}

void log_put(const struct log *log, br_level level, const char *who, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_vput(log, level, who, format, args);
    va_end(args);
}
