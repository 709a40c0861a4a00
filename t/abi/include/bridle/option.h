/* bridle/option.h -- options are declared once, in a table; the host parses, checks, defaults,
 * documents and prints them.
 *
 * The option's name is the field's name, so the two cannot drift apart, and a field of the wrong
 * type does not compile.  Every scalar is typed by this table, never by YAML's guesses.
 */
#ifndef BRIDLE_OPTION_H
#define BRIDLE_OPTION_H

#include <bridle/types.h>

enum {
    BR_OPT_STRING = 1,   /* const char *           text                    */
    BR_OPT_BOOL = 2,     /* bool                   true, false             */
    BR_OPT_INTEGER = 3,  /* int64_t                42                      */
    BR_OPT_DURATION = 4, /* br_time                250ms, 10s, 5min, 1h    */
    BR_OPT_SIZE = 5,     /* uint64_t               4096B, 64KiB, 1MiB      */
    BR_OPT_CHOICE = 6,   /* int32_t                index into .choices     */
    BR_OPT_LIST = 7,     /* const char *const *    NULL-terminated         */
};

enum {
    BR_REQUIRED = 1 << 0,
    BR_SECRET = 1 << 1, /* never printed; may be given as "file:PATH" */
};

/* Growing this structure is a minor change: the host steps by the plugin's option_size. */
struct br_option {
    const char *name;
    const char *help;     /* one sentence; an option without it does not load */
    const char *fallback; /* as one would write it in the file; NULL: zero, or required */
    const char *choices;  /* "strict|lenient" */
    int64_t min, max;     /* of numbers, durations (ns) and sizes; checked where min < max */
    uint32_t offset;
    int32_t type;
    uint32_t flags;
};

#define BR_FIELD(T, f, ctype)                                                                      \
    ((uint32_t) (offsetof(T, f) + 0 * sizeof(char[_Generic(&((T *) 0)->f, ctype * : 1)])))

#define BR_OPTION(T, f, kind, ctype, ...)                                                          \
    {                                                                                              \
        .name = #f, .type = (kind), .offset = BR_FIELD(T, f, ctype), __VA_ARGS__                   \
    }

#define BR_STRING(T, f, ...)   BR_OPTION(T, f, BR_OPT_STRING, const char *, __VA_ARGS__)
#define BR_BOOL(T, f, ...)     BR_OPTION(T, f, BR_OPT_BOOL, bool, __VA_ARGS__)
#define BR_INTEGER(T, f, ...)  BR_OPTION(T, f, BR_OPT_INTEGER, int64_t, __VA_ARGS__)
#define BR_DURATION(T, f, ...) BR_OPTION(T, f, BR_OPT_DURATION, br_time, __VA_ARGS__)
#define BR_SIZE(T, f, ...)     BR_OPTION(T, f, BR_OPT_SIZE, uint64_t, __VA_ARGS__)
#define BR_CHOICE(T, f, ...)   BR_OPTION(T, f, BR_OPT_CHOICE, int32_t, __VA_ARGS__)
#define BR_LIST(T, f, ...)     BR_OPTION(T, f, BR_OPT_LIST, const char *const *, __VA_ARGS__)

#endif
