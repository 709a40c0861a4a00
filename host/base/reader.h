/* reader -- JSON files whose keys have a fixed order, read from front to back: no tree, no
 * recursion, one pass.
 *
 *     reader_open(&reader, '{');
 *     reader_key(&reader, "id");
 *     id = reader_number(&reader, 1, INT32_MAX);
 *     reader_key(&reader, "rows");
 *     reader_open(&reader, '[');
 *     while (reader_more(&reader, ']'))
 *         ...
 *     reader_close(&reader, '}');
 *
 * Keys stand in the order in which they are asked for: that is the format, and what makes equal
 * files of equal contents.  A survey of a million partitions has gigabytes as a tree of values,
 * which is why this is not jansson.
 *
 * The first thing that is wrong is kept as a sentence with the file and the place; from then on
 * everything reads as nothing: numbers as 0, texts as "", lists as over.  Whoever reads looks once,
 * at the end, with reader_done.
 */
#ifndef HOST_BASE_READER_H
#define HOST_BASE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/fail.h"

#define READER_DEPTH_MAX 16        /* objects and lists inside each other */
#define READER_TEXT_MAX  (1 << 20) /* bytes of one string */

struct reader {
    const char *file; /* for messages */
    char *first, *at, *end;
    uint32_t depth;
    bool fresh; /* behind an opening bracket: no comma is due */
    bool wrong;
    struct fail *fail;
};

/* `text` (size bytes and a NUL behind them) is the caller's and is changed: strings are decoded in
 * place, and stay valid as long as it does. */
void reader_init(struct reader *reader, const char *file, char *text, size_t size,
                 struct fail *ret_fail);

void reader_open(struct reader *reader, char bracket);
/* Is there another value before this closing bracket?  Where not, the bracket is read, too. */
bool reader_more(struct reader *reader, char bracket);
void reader_close(struct reader *reader, char bracket);

/* The next key of an object, which must be this one. */
void reader_key(struct reader *reader, const char *key);

/* A value of a list or behind a key. */
int64_t reader_number(struct reader *reader, int64_t low, int64_t high);
bool reader_bool(struct reader *reader);
const char *reader_text(struct reader *reader);         /* never NULL */
const char *reader_text_or_null(struct reader *reader); /* NULL for null, and where it is wrong */

/* A list's value that follows a value: reader_more that must be true. */
void reader_next(struct reader *reader);

/* Something that the format forbids. */
BR_PRINTF(2, 3) void reader_complain(struct reader *reader, const char *format, ...);

/* Nothing but white space is left: BR_OK, else BR_CORRUPT or BR_TOOBIG and the sentence. */
br_status reader_done(struct reader *reader);

#endif
