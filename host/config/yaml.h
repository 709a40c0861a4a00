/* yaml -- libyaml's events to a small tree that remembers line and column.
 *
 * One document; block and flow style; no anchors, aliases, tags, merge keys, duplicate keys or NUL
 * characters: each is refused with file:line:column.  Scalars stay text: whoever reads them knows
 * the type.  An empty file is an empty map.
 */
#ifndef HOST_CONFIG_YAML_H
#define HOST_CONFIG_YAML_H

#include "host/base/arena.h"
#include "host/base/fail.h"

#define YAML_FILE_MAX  (1 << 20) /* bytes */
#define YAML_DEPTH_MAX 8         /* maps and sequences inside each other, the root included */
#define YAML_NODES_MAX 16384

enum yaml_kind { YAML_SCALAR = 1, YAML_MAP = 2, YAML_SEQ = 3 };

struct yaml {
    enum yaml_kind kind;
    bool quoted;               /* of scalars: written with quotes or as a block */
    const char *file;          /* where it stands; "--set store.plugin" for the command line's */
    int line, column;          /* from 1; 0: not from a file */
    int key_line, key_column;  /* in a map: where its key stands */
    const char *key;           /* in a map: its key */
    const char *text;          /* of scalars */
    struct yaml *first, *last; /* of maps and sequences: the children, in the file's order */
    struct yaml *next;
    struct yaml *parent;
};

/* On failure *ret_root is not set and what was built stays in the arena. `file` is copied. */
br_status yaml_parse(struct arena *arena, const char *file, const char *text, size_t size,
                     struct yaml **ret_root, struct fail *ret_fail);
br_status yaml_load(struct arena *arena, const char *file, struct yaml **ret_root,
                    struct fail *ret_fail);

/* A map's child; NULL where it is not there or `map` is NULL or no map. */
struct yaml *yaml_get(const struct yaml *map, const char *key);

/* Override or add one scalar: path "store.plugin", maps made where missing.  A list may be
 * replaced, a map not. */
br_status yaml_set(struct arena *arena, struct yaml *root, const char *path, const char *text,
                   struct fail *ret_fail);

/* Take a child out of its map. */
void yaml_drop(struct yaml *map, struct yaml *child);

/* "a map", "a list", "a single value": for messages. */
const char *yaml_kind_text(enum yaml_kind kind);

/* "FILE:LINE:COLUMN: " before a sentence; returns `status`.  The second is about the key. */
BR_PRINTF(4, 5)
br_status yaml_fail(const struct yaml *at, struct fail *fail, br_status status, const char *format,
                    ...);
BR_PRINTF(4, 5)
br_status yaml_fail_key(const struct yaml *at, struct fail *fail, br_status status,
                        const char *format, ...);

#endif
