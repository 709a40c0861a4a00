/* yaml -- see yaml.h.  libyaml does the reading; what is left is to refuse whatever would let one
 * text mean two things, and to hang the events into a tree without recursion. */
#include "host/config/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "host/base/intern.h"
#include "host/base/mem.h"

struct yaml_builder {
    struct arena *arena;
    struct intern keys; /* equal keys are one pointer, so duplicates are found by comparing those */
    const char *file;
    struct yaml *root;
    struct yaml *open; /* the innermost map or sequence not yet closed */
    const char *key;   /* read, its value still to come */
    yaml_mark_t key_mark;
    int depth;
    int nodes;
    struct fail *fail;
};

BR_PRINTF(3, 4)
static br_status yaml_refuse(struct yaml_builder *builder, const yaml_mark_t *mark,
                             const char *format, ...)
{
    char text[FAIL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return fail_set(builder->fail, BR_INVALID, "%s:%zu:%zu: %s", builder->file, mark->line + 1,
                    mark->column + 1, text);
}

static br_status yaml_take_key(struct yaml_builder *builder, const yaml_event_t *event)
{
    const yaml_mark_t *mark = &event->start_mark;
    const char *text = (const char *) event->data.scalar.value;
    if (event->type != YAML_SCALAR_EVENT)
        return yaml_refuse(builder, mark, "a key must be a plain word, not a list or a map");
    if (*text == '\0')
        return yaml_refuse(builder, mark, "a key must not be empty");
    if (strcmp(text, "<<") == 0)
        return yaml_refuse(builder, mark, "merge keys (<<) are not allowed: write the keys out");
    builder->key = intern_bytes(&builder->keys, text, event->data.scalar.length);
    builder->key_mark = *mark;
    for (const struct yaml *child = builder->open->first; child; child = child->next) {
        if (child->key == builder->key)
            return yaml_refuse(builder, mark, "key \"%s\" stands here twice, first in line %d",
                               builder->key, child->key_line);
    }
    return BR_OK;
}

static void yaml_append(struct yaml *parent, struct yaml *child)
{
    child->parent = parent;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

static struct yaml *yaml_hang(struct yaml_builder *builder, enum yaml_kind kind,
                              const yaml_mark_t *mark)
{
    struct yaml *node = arena_zero(builder->arena, sizeof *node);
    node->kind = kind;
    node->file = builder->file;
    node->line = (int) mark->line + 1;
    node->column = (int) mark->column + 1;
    if (builder->key) {
        node->key = builder->key;
        node->key_line = (int) builder->key_mark.line + 1;
        node->key_column = (int) builder->key_mark.column + 1;
        builder->key = NULL;
    }
    if (builder->open)
        yaml_append(builder->open, node);
    else
        builder->root = node;
    return node;
}

static br_status yaml_take_scalar(struct yaml_builder *builder, const yaml_event_t *event)
{
    struct yaml *node = yaml_hang(builder, YAML_SCALAR, &event->start_mark);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->text = arena_text(builder->arena, (const char *) event->data.scalar.value,
                            event->data.scalar.length);
    return BR_OK;
}

static br_status yaml_take_open(struct yaml_builder *builder, const yaml_event_t *event)
{
    if (builder->depth == YAML_DEPTH_MAX)
        return yaml_refuse(builder, &event->start_mark, "nested deeper than %d levels",
                           YAML_DEPTH_MAX);
    builder->depth++;
    enum yaml_kind kind = event->type == YAML_MAPPING_START_EVENT ? YAML_MAP : YAML_SEQ;
    builder->open = yaml_hang(builder, kind, &event->start_mark);
    return BR_OK;
}

static const unsigned char *yaml_event_tag(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT: return event->data.scalar.tag;
    case YAML_MAPPING_START_EVENT: return event->data.mapping_start.tag;
    case YAML_SEQUENCE_START_EVENT: return event->data.sequence_start.tag;
    default: return NULL;
    }
}

static const unsigned char *yaml_event_anchor(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT: return event->data.scalar.anchor;
    case YAML_MAPPING_START_EVENT: return event->data.mapping_start.anchor;
    case YAML_SEQUENCE_START_EVENT: return event->data.sequence_start.anchor;
    default: return NULL;
    }
}

/* A value: a scalar, or the beginning of a map or a list. */
static br_status yaml_take_node(struct yaml_builder *builder, const yaml_event_t *event)
{
    const yaml_mark_t *mark = &event->start_mark;
    if (yaml_event_anchor(event))
        return yaml_refuse(builder, mark, "anchors (&%s) are not allowed: write the value out",
                           yaml_event_anchor(event));
    if (yaml_event_tag(event))
        return yaml_refuse(builder, mark, "tags (%s) are not allowed: the key decides the type",
                           yaml_event_tag(event));
    if (event->type == YAML_SCALAR_EVENT
        && memchr(event->data.scalar.value, '\0', event->data.scalar.length))
        return yaml_refuse(builder, mark, "a NUL character is not allowed in a text");
    if (++builder->nodes > YAML_NODES_MAX)
        return yaml_refuse(builder, mark, "more than %d values and keys", YAML_NODES_MAX);
    if (builder->open && builder->open->kind == YAML_MAP && !builder->key)
        return yaml_take_key(builder, event);
    return event->type == YAML_SCALAR_EVENT ? yaml_take_scalar(builder, event)
                                            : yaml_take_open(builder, event);
}

static br_status yaml_take_document(struct yaml_builder *builder, const yaml_event_t *event)
{
    if (builder->root)
        return yaml_refuse(builder, &event->start_mark,
                           "a second document begins here: one file "
                           "holds one document");
    if (event->data.document_start.tag_directives.start
        != event->data.document_start.tag_directives.end)
        return yaml_refuse(builder, &event->start_mark, "%%TAG is not allowed");
    return BR_OK;
}

static br_status yaml_take(struct yaml_builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT: return yaml_take_document(builder, event);
    case YAML_ALIAS_EVENT:
        return yaml_refuse(builder, &event->start_mark,
                           "aliases (*%s) are not allowed: write the value out",
                           event->data.alias.anchor);
    case YAML_SCALAR_EVENT:
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT: return yaml_take_node(builder, event);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        builder->depth--;
        builder->open = builder->open->parent;
        return BR_OK;
    default: return BR_OK;
    }
}

/* Reader errors come with an offset only. */
static yaml_mark_t yaml_mark_at(const char *text, size_t size, size_t offset)
{
    yaml_mark_t mark = { .index = offset < size ? offset : size };
    for (size_t i = 0; i < mark.index; i++) {
        if (text[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if (((unsigned char) text[i] & 0xc0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

static br_status yaml_parser_fail(struct yaml_builder *builder, const yaml_parser_t *parser,
                                  const char *text, size_t size)
{
    const char *problem = parser->problem ? parser->problem : "not YAML";
    if (parser->error == YAML_MEMORY_ERROR)
        mem_refused(size);
    if (parser->error == YAML_READER_ERROR) {
        yaml_mark_t mark = yaml_mark_at(text, size, parser->problem_offset);
        return yaml_refuse(builder, &mark, "%s", problem);
    }
    if (!parser->context)
        return yaml_refuse(builder, &parser->problem_mark, "%s", problem);
    return yaml_refuse(builder, &parser->problem_mark, "%s (%s that began at %zu:%zu)", problem,
                       parser->context, parser->context_mark.line + 1,
                       parser->context_mark.column + 1);
}

static br_status yaml_read(struct yaml_builder *builder, yaml_parser_t *parser, const char *text,
                           size_t size)
{
    yaml_event_type_t type = YAML_NO_EVENT;
    br_status status = BR_OK;
    while (status == BR_OK && type != YAML_STREAM_END_EVENT) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return yaml_parser_fail(builder, parser, text, size);
        type = event.type;
        status = yaml_take(builder, &event);
        yaml_event_delete(&event);
    }
    return status;
}

br_status yaml_parse(struct arena *arena, const char *file, const char *text, size_t size,
                     struct yaml **ret_root, struct fail *ret_fail)
{
    if (size > YAML_FILE_MAX)
        return fail_set(ret_fail, BR_TOOBIG, "%s: longer than %d bytes", file, YAML_FILE_MAX);
    /* A byte order mark says nothing in UTF-8, which is all we read. */
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        size -= 3;
    }
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        mem_refused(sizeof parser);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *) text, size);
    struct yaml_builder builder = { .arena = arena, .fail = ret_fail };
    builder.file = arena_text(arena, file, strlen(file));
    intern_init(&builder.keys, arena);
    br_status status = yaml_read(&builder, &parser, text, size);
    intern_done(&builder.keys);
    yaml_parser_delete(&parser);
    if (status != BR_OK)
        return status;
    if (!builder.root)
        yaml_hang(&builder, YAML_MAP, &(yaml_mark_t){ 0 });
    *ret_root = builder.root;
    return BR_OK;
}

br_status yaml_load(struct arena *arena, const char *file, struct yaml **ret_root,
                    struct fail *ret_fail)
{
    FILE *in = fopen(file, "rbe");
    if (!in)
        return fail_set(ret_fail, BR_INVALID, "%s: %s", file, strerror(errno));
    char *text = mem_new(YAML_FILE_MAX + 1);
    size_t size = fread(text, 1, YAML_FILE_MAX + 1, in);
    int error = ferror(in) ? errno : 0;
    fclose(in);
    br_status status = error ? fail_set(ret_fail, BR_INVALID, "%s: %s", file, strerror(error))
                             : yaml_parse(arena, file, text, size, ret_root, ret_fail);
    free(text);
    return status;
}

struct yaml *yaml_get(const struct yaml *map, const char *key)
{
    if (!map || map->kind != YAML_MAP)
        return NULL;
    for (struct yaml *child = map->first; child; child = child->next) {
        if (strcmp(child->key, key) == 0)
            return child;
    }
    return NULL;
}

static struct yaml *yaml_add(struct arena *arena, struct yaml *map, const char *key, size_t size)
{
    struct yaml *child = arena_zero(arena, sizeof *child);
    child->key = arena_text(arena, key, size);
    yaml_append(map, child);
    return child;
}

static const char *yaml_set_origin(struct arena *arena, const char *path)
{
    char *origin = arena_alloc(arena, strlen(path) + sizeof "--set ");
    memcpy(origin, "--set ", sizeof "--set " - 1);
    memcpy(origin + sizeof "--set " - 1, path, strlen(path) + 1);
    return origin;
}

/* The map that holds the path's last word, which *ret_last points to. */
static br_status yaml_walk(struct arena *arena, struct yaml *root, const char *path,
                           const char *origin, struct yaml **ret_map, const char **ret_last,
                           struct fail *ret_fail)
{
    struct yaml *map = root;
    int depth = 1;
    size_t size;
    for (; path[size = strcspn(path, ".")] == '.'; path += size + 1) {
        char *key = arena_text(arena, path, size);
        struct yaml *child = yaml_get(map, key);
        if (size == 0 || ++depth > YAML_DEPTH_MAX)
            return fail_set(ret_fail, BR_INVALID, "%s: not a path of keys", origin);
        if (child && child->kind != YAML_MAP)
            return fail_set(ret_fail, BR_INVALID, "%s: \"%s\" is %s, it has no keys", origin, key,
                            yaml_kind_text(child->kind));
        if (!child) {
            child = yaml_add(arena, map, path, size);
            child->kind = YAML_MAP;
            child->file = origin;
        }
        map = child;
    }
    if (size == 0)
        return fail_set(ret_fail, BR_INVALID, "%s: not a path of keys", origin);
    *ret_map = map;
    *ret_last = path;
    return BR_OK;
}

br_status yaml_set(struct arena *arena, struct yaml *root, const char *path, const char *text,
                   struct fail *ret_fail)
{
    const char *origin = yaml_set_origin(arena, path);
    struct yaml *map = NULL;
    const char *last = NULL;
    br_status status = yaml_walk(arena, root, path, origin, &map, &last, ret_fail);
    if (status != BR_OK)
        return status;
    struct yaml *child = yaml_get(map, last);
    if (child && child->kind == YAML_MAP)
        return fail_set(ret_fail, BR_INVALID,
                        "%s: \"%s\" is a map: name one of its keys, \"%s.KEY\"", origin, last,
                        path);
    if (!child)
        child = yaml_add(arena, map, last, strlen(last));
    child->kind = YAML_SCALAR;
    child->quoted = true;
    child->file = origin;
    child->line = child->column = child->key_line = child->key_column = 0;
    child->first = child->last = NULL;
    child->text = arena_text(arena, text, strlen(text));
    return BR_OK;
}

void yaml_drop(struct yaml *map, struct yaml *child)
{
    struct yaml *before = NULL;
    for (struct yaml *at = map->first; at != child; at = at->next)
        before = at;
    if (before)
        before->next = child->next;
    else
        map->first = child->next;
    if (map->last == child)
        map->last = before;
    child->next = child->parent = NULL;
}

const char *yaml_kind_text(enum yaml_kind kind)
{
    return kind == YAML_MAP ? "a map" : kind == YAML_SEQ ? "a list" : "a single value";
}

static br_status yaml_vfail(const struct yaml *at, int line, int column, struct fail *fail,
                            br_status status, const char *format, va_list args)
{
    char text[FAIL_TEXT_MAX];
    vsnprintf(text, sizeof text, format, args);
    if (!at)
        return fail_set(fail, status, "%s", text);
    if (line == 0)
        return fail_set(fail, status, "%s: %s", at->file, text);
    return fail_set(fail, status, "%s:%d:%d: %s", at->file, line, column, text);
}

br_status yaml_fail(const struct yaml *at, struct fail *fail, br_status status, const char *format,
                    ...)
{
    va_list args;
    va_start(args, format);
    status = yaml_vfail(at, at ? at->line : 0, at ? at->column : 0, fail, status, format, args);
    va_end(args);
    return status;
}

br_status yaml_fail_key(const struct yaml *at, struct fail *fail, br_status status,
                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    status =
        yaml_vfail(at, at ? at->key_line : 0, at ? at->key_column : 0, fail, status, format, args);
    va_end(args);
    return status;
}
