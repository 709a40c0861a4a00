/* option -- see option.h.  The table says what a value must look like; each kind has one reader,
 * and a default goes the same way as a value from the file. */
#include "host/config/option.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/buf.h"
#include "host/base/mem.h"
#include "host/base/number.h"
#include <bridle/plugin.h>

/* What every reader needs. */
struct option_place {
    struct arena *arena;
    const struct yaml *at;
    const struct br_option *option;
    const char *what;
    char *field;
    struct fail *fail;
};

struct option_unit {
    const char *name;
    int64_t factor;
};

static const struct option_unit option_durations[] = {
    { "ns", 1 },        { "us", 1000 },       { "ms", BR_MILLISECOND },
    { "s", BR_SECOND }, { "min", BR_MINUTE }, { "h", 60 * BR_MINUTE },
    { NULL, 0 },
};

static const struct option_unit option_sizes[] = {
    { "B", 1 }, { "KiB", 1024 }, { "MiB", 1024 * 1024 }, { "GiB", 1024 * 1024 * 1024 }, { NULL, 0 },
};

/* "FILE:LINE:COLUMN: parallel (transport rdsn) ..." */
BR_PRINTF(2, 3)
static br_status option_refuse(const struct option_place *place, const char *format, ...)
{
    char text[FAIL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return yaml_fail(place->at, place->fail, BR_INVALID, "%s (%s) %s", place->option->name,
                     place->what, text);
}

/* The value as a message may show it. */
static const char *option_shown(const struct option_place *place)
{
    return place->option->flags & BR_SECRET ? "(hidden)" : place->at->text;
}

static const char *option_unit_example(int32_t type)
{
    return type == BR_OPT_DURATION ? "250ms, 10s, 5min, 1h; units: ns us ms s min h"
                                   : "4096B, 64KiB, 1MiB; units: B KiB MiB GiB";
}

void option_put_number(const struct br_option *option, int64_t value, struct buf *buf)
{
    const struct option_unit *best = NULL;
    const struct option_unit *unit = option->type == BR_OPT_DURATION ? option_durations
                                     : option->type == BR_OPT_SIZE   ? option_sizes
                                                                     : NULL;
    for (; unit && unit->name; unit++) {
        if (value % unit->factor == 0)
            best = unit;
        if (value == 0)
            break;
    }
    buf_i64(buf, best ? value / best->factor : value);
    buf_text(buf, best ? best->name : "");
}

static br_status option_check_range(const struct option_place *place, int64_t value)
{
    const struct br_option *option = place->option;
    if (option->min >= option->max || (value >= option->min && value <= option->max))
        return BR_OK;
    struct buf min = { 0 }, max = { 0 };
    option_put_number(option, option->min, &min);
    option_put_number(option, option->max, &max);
    br_status status = option_refuse(place, "must be between %s and %s, not %s", min.data, max.data,
                                     option_shown(place));
    buf_done(&min);
    buf_done(&max);
    return status;
}

static br_status option_read_integer(const struct option_place *place)
{
    const char *text = place->at->text;
    int64_t value;
    if (!number_i64(text, strlen(text), &value))
        return option_refuse(place, "must be a whole number, as 42; not \"%s\"",
                             option_shown(place));
    br_status status = option_check_range(place, value);
    if (status == BR_OK)
        memcpy(place->field, &value, sizeof value);
    return status;
}

/* Digits and a unit.  The value stays within int64_t, which is what limits are written in. */
static br_status option_read_amount(const struct option_place *place,
                                    const struct option_unit *unit)
{
    const char *text = place->at->text;
    const char *example = option_unit_example(place->option->type);
    size_t digits = strspn(text, "0123456789");
    int64_t number, value;
    if (digits == 0 || text[digits] == '\0')
        return option_refuse(place, "must be a whole number with its unit (%s); not \"%s\"",
                             example, option_shown(place));
    while (unit->name && strcmp(unit->name, text + digits) != 0)
        unit++;
    if (!unit->name)
        return option_refuse(place, "must be a whole number with its unit (%s); not \"%s\"",
                             example, option_shown(place));
    if (!number_i64(text, digits, &number) || __builtin_mul_overflow(number, unit->factor, &value))
        return option_refuse(place, "is too large: \"%s\"", option_shown(place));
    br_status status = option_check_range(place, value);
    if (status == BR_OK)
        memcpy(place->field, &value, sizeof value);
    return status;
}

static br_status option_read_bool(const struct option_place *place)
{
    bool value = strcmp(place->at->text, "true") == 0;
    if (!value && strcmp(place->at->text, "false") != 0)
        return option_refuse(place, "must be true or false, not \"%s\"", option_shown(place));
    memcpy(place->field, &value, sizeof value);
    return BR_OK;
}

static br_status option_read_choice(const struct option_place *place)
{
    const char *text = place->at->text;
    const char *choices = place->option->choices ? place->option->choices : "";
    size_t size = strlen(text);
    int32_t index = 0;
    for (const char *at = choices;; at++, index++) {
        size_t width = strcspn(at, "|");
        if (width > 0 && width == size && memcmp(at, text, size) == 0) {
            memcpy(place->field, &index, sizeof index);
            return BR_OK;
        }
        at += width;
        if (!*at)
            return option_refuse(place, "must be one of %s; not \"%s\"", choices,
                                 option_shown(place));
    }
}

/* The whole file but its last newline. */
static br_status option_read_secret(const struct option_place *place, const char *path)
{
    FILE *in = fopen(path, "rbe");
    if (!in)
        return option_refuse(place, "names the file %s: %s", path, strerror(errno));
    char *text = mem_new(OPTION_SECRET_MAX + 1);
    size_t size = fread(text, 1, OPTION_SECRET_MAX + 1, in);
    int error = ferror(in) ? errno : 0;
    fclose(in);
    br_status status = BR_OK;
    if (error)
        status = option_refuse(place, "names the file %s: %s", path, strerror(error));
    else if (size > OPTION_SECRET_MAX)
        status = option_refuse(place, "names the file %s, which is longer than %d bytes", path,
                               OPTION_SECRET_MAX);
    else if (memchr(text, '\0', size))
        status = option_refuse(place, "names the file %s, which is not text", path);
    if (status == BR_OK) {
        if (size > 0 && text[size - 1] == '\n')
            size--;
        const char *value = arena_text(place->arena, text, size);
        memcpy(place->field, &value, sizeof value);
    }
    explicit_bzero(text, OPTION_SECRET_MAX + 1);
    free(text);
    return status;
}

static br_status option_read_string(const struct option_place *place)
{
    const char *text = place->at->text;
    if ((place->option->flags & BR_SECRET) && strncmp(text, "file:", 5) == 0)
        return option_read_secret(place, text + 5);
    const char *value = arena_text(place->arena, text, strlen(text));
    memcpy(place->field, &value, sizeof value);
    return BR_OK;
}

static br_status option_read_list(const struct option_place *place)
{
    size_t count = 0;
    for (const struct yaml *item = place->at->first; item; item = item->next) {
        struct option_place here = *place;
        here.at = item;
        if (item->kind != YAML_SCALAR)
            return option_refuse(&here, "must be a list of single values; here is %s",
                                 yaml_kind_text(item->kind));
        if (*item->text == '\0')
            return option_refuse(&here, "has an empty item here");
        if (++count > OPTION_LIST_MAX)
            return option_refuse(&here, "has more than %d items", OPTION_LIST_MAX);
    }
    const char **values = arena_zero(place->arena, (count + 1) * sizeof *values);
    size_t index = 0;
    for (const struct yaml *item = place->at->first; item; item = item->next)
        values[index++] = arena_text(place->arena, item->text, strlen(item->text));
    memcpy(place->field, &values, sizeof values);
    return BR_OK;
}

static br_status option_read_scalar(const struct option_place *place)
{
    switch (place->option->type) {
    case BR_OPT_STRING: return option_read_string(place);
    case BR_OPT_BOOL: return option_read_bool(place);
    case BR_OPT_INTEGER: return option_read_integer(place);
    case BR_OPT_DURATION: return option_read_amount(place, option_durations);
    case BR_OPT_SIZE: return option_read_amount(place, option_sizes);
    case BR_OPT_CHOICE: return option_read_choice(place);
    default:
        return option_refuse(place, "is of a kind that this host does not know (%d)",
                             (int) place->option->type);
    }
}

/* A list that does not come from a file is still to be read: "[a, b]". */
static br_status option_parse_items(const struct option_place *place, struct yaml **ret_items)
{
    const struct yaml *at = place->at;
    struct yaml *items;
    br_status status =
        yaml_parse(place->arena, at->file, at->text, strlen(at->text), &items, place->fail);
    if (status != BR_OK)
        return status;
    items->line = 0;
    for (struct yaml *item = items->first; item; item = item->next)
        item->line = 0;
    *ret_items = items;
    return BR_OK;
}

br_status option_parse(struct arena *arena, const struct yaml *at, const struct br_option *option,
                       const char *what, void *state, struct fail *ret_fail)
{
    struct option_place place = { .arena = arena,
                                  .at = at,
                                  .option = option,
                                  .what = what,
                                  .field = (char *) state + option->offset,
                                  .fail = ret_fail };
    bool list = option->type == BR_OPT_LIST;
    struct yaml *items;
    if (list && at->kind == YAML_SCALAR && at->line == 0) {
        br_status status = option_parse_items(&place, &items);
        if (status != BR_OK)
            return status;
        place.at = items;
    }
    if (place.at->kind != (list ? YAML_SEQ : YAML_SCALAR))
        return option_refuse(&place,
                             list ? "must be a list, as [a, b]; here is %s"
                                  : "must be a single value; here is %s",
                             yaml_kind_text(place.at->kind));
    if (!list && *at->text == '\0' && !at->quoted)
        return option_refuse(&place, "has no value%s",
                             option->type == BR_OPT_STRING ? ": write \"\" for an empty text" : "");
    return list ? option_read_list(&place) : option_read_scalar(&place);
}

/* The distance of two words in typing errors: a letter more, less or other, or two swapped. */
static size_t option_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t rows[3][OPTION_KEY_MAX + 1];
    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *over = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]
                && over[j - 2] + 1 < best)
                best = over[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[a_size % 3][b_size];
}

const char *option_nearest(const char *key, const char *const *keys)
{
    const char *nearest = NULL;
    size_t size = strlen(key);
    if (size > OPTION_KEY_MAX)
        return NULL;
    size_t best = (size + 2) / 3 + 1; /* a third of it may be wrong */
    for (; *keys; keys++) {
        size_t known = strlen(*keys);
        if (known > OPTION_KEY_MAX)
            continue;
        size_t distance = option_distance(key, size, *keys, known);
        if (distance < best && distance < size) {
            best = distance;
            nearest = *keys;
        }
    }
    return nearest;
}

br_status option_unknown(const struct yaml *child, const char *what, const char *const *keys,
                         struct fail *ret_fail)
{
    const char *nearest = option_nearest(child->key, keys);
    if (nearest)
        return yaml_fail_key(child, ret_fail, BR_INVALID,
                             "unknown key \"%s\" in %s: did you mean \"%s\"?", child->key, what,
                             nearest);
    struct buf known = { 0 };
    for (; *keys; keys++)
        buf_printf(&known, "%s%s", known.size ? ", " : "", *keys);
    br_status status =
        yaml_fail_key(child, ret_fail, BR_INVALID, "unknown key \"%s\" in %s, which knows: %s",
                      child->key, what, known.size ? buf_string(&known) : "none");
    buf_done(&known);
    return status;
}

/* The plugin's table as this host knows it: what the plugin's did not have is zero. */
static bool option_at(const struct br_option *table, uint32_t option_size, uint32_t index,
                      struct br_option *ret_option)
{
    memset(ret_option, 0, sizeof *ret_option);
    if (!table || index >= BR_OPTIONS_MAX)
        return false;
    memcpy(ret_option, (const char *) table + (size_t) index * option_size,
           option_size < sizeof *ret_option ? option_size : sizeof *ret_option);
    return ret_option->name != NULL;
}

static bool option_listed(const char *key, const char *const *keys)
{
    while (keys && *keys) {
        if (strcmp(key, *keys++) == 0)
            return true;
    }
    return false;
}

/* Every key is an option's, or of those to skip. */
static br_status option_check_keys(const struct yaml *map, const char *what,
                                   const struct br_option *table, uint32_t option_size,
                                   const char *const *skip, struct fail *ret_fail)
{
    const char *keys[BR_OPTIONS_MAX + 8 + 1] = { NULL };
    size_t count = 0;
    struct br_option option;
    for (uint32_t i = 0; option_at(table, option_size, i, &option); i++)
        keys[count++] = option.name;
    for (size_t i = 0; skip && skip[i] && i < 8; i++)
        keys[count++] = skip[i];
    for (const struct yaml *child = map->first; child; child = child->next) {
        if (!option_listed(child->key, keys) && !option_listed(child->key, skip))
            return option_unknown(child, what, keys, ret_fail);
    }
    return BR_OK;
}

static br_status option_fill_default(struct arena *arena, const struct yaml *map, const char *what,
                                     const struct br_option *option, void *state,
                                     struct fail *ret_fail)
{
    if (option->flags & BR_REQUIRED)
        return yaml_fail(map, ret_fail, BR_INVALID, "%s needs the key \"%s\": %s", what,
                         option->name, option->help ? option->help : "");
    if (!option->fallback)
        return BR_OK;
    struct yaml value = {
        .kind = YAML_SCALAR, .quoted = true, .file = "default", .text = option->fallback
    };
    return option_parse(arena, &value, option, what, state, ret_fail);
}

br_status option_fill(struct arena *arena, const struct yaml *map, const char *what,
                      const struct br_option *table, uint32_t option_size, const char *const *skip,
                      void *state, struct fail *ret_fail)
{
    assert(!table || option_size > 0);
    if (map && map->kind != YAML_MAP)
        return yaml_fail(map, ret_fail, BR_INVALID, "%s must be a map of keys; here is %s", what,
                         map->kind == YAML_SCALAR && *map->text == '\0'
                             ? "nothing: leave the key out for defaults"
                             : yaml_kind_text(map->kind));
    br_status status =
        map ? option_check_keys(map, what, table, option_size, skip, ret_fail) : BR_OK;
    struct br_option option;
    for (uint32_t i = 0; status == BR_OK && option_at(table, option_size, i, &option); i++) {
        const struct yaml *child = yaml_get(map, option.name);
        status = child ? option_parse(arena, child, &option, what, state, ret_fail)
                       : option_fill_default(arena, map, what, &option, state, ret_fail);
    }
    return status;
}
