/* kit -- see kit.h. */
#include "host/conform/kit.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/crc.h"

const struct conform_rule conform_answers = { .name = "every-call-answered",
                                              .says = "Every call is replied to before long." };
const struct conform_rule conform_once = {
    .name = "one-reply", .says = "A call is replied to once, and not used after the reply."
};
const struct conform_rule conform_reasons = {
    .name = "failures-say-why", .says = "A failure says in a sentence what, of whom and why."
};
const struct conform_rule conform_rows = {
    .name = "rows-are-whole",
    .says =
        "Chunks are of the kind and number asked, of rows of a size that the ABI has, and with all "
        "their strings in memory of br_rows or of the plugin's file."
};
const struct conform_rule conform_growth = {
    .name = "no-growth",
    .says = "What is opened, started and asked for is given back when it is over."
};
const struct conform_rule conform_blocks = {
    .name = "never-blocks", .says = "A function that the host calls returns at once."
};
const struct conform_rule conform_survives = {
    .name = "survives", .says = "The process outlives whatever the plugin is asked."
};
const struct conform_rule conform_stops = {
    .name = "stop-replies-last", .says = "stop replies after every outstanding call was replied to."
};

/* -- Saying what is broken --------------------------------------------------------------------- */

void conform_broken(struct conform *c, const struct conform_rule *rule, const char *where,
                    const char *format, ...)
{
    char text[FAIL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->fail(c, rule, where, text);
    abort();
}

const char *conform_status(br_status status)
{
    static const struct {
        br_status status;
        const char *name;
    } names[] = {
        { BR_OK, "BR_OK" },
        { BR_NOTFOUND, "BR_NOTFOUND" },
        { BR_EXISTS, "BR_EXISTS" },
        { BR_CONFLICT, "BR_CONFLICT" },
        { BR_INVALID, "BR_INVALID" },
        { BR_UNSUPPORTED, "BR_UNSUPPORTED" },
        { BR_DENIED, "BR_DENIED" },
        { BR_TOOBIG, "BR_TOOBIG" },
        { BR_UNAVAILABLE, "BR_UNAVAILABLE" },
        { BR_CORRUPT, "BR_CORRUPT" },
        { BR_CANCELED, "BR_CANCELED" },
        { BR_NOMEM, "BR_NOMEM" },
        { BR_INTERNAL, "BR_INTERNAL" },
        { BR_REFUSED, "BR_REFUSED" },
        { BR_TIMEOUT, "BR_TIMEOUT" },
        { BR_UNKNOWN, "BR_UNKNOWN" },
        { BR_FENCED, "BR_FENCED" },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].status == status)
            return names[i].name;
    return "no status of the ABI";
}

void conform_same(struct conform *c, const char *where, const char *what, int64_t is,
                  int64_t expected)
{
    if (is != expected)
        conform_broken(c, NULL, where, "%s is %" PRId64 ", expected %" PRId64, what, is, expected);
}

void conform_same_status(struct conform *c, const char *where, const char *what, br_status is,
                         br_status expected)
{
    if (is != expected)
        conform_broken(c, NULL, where, "%s is %s, expected %s%s%s", what, conform_status(is),
                       conform_status(expected), c->text[0] ? "; it said: " : "", c->text);
}

void conform_same_text(struct conform *c, const char *where, const char *what, const char *is,
                       const char *expected)
{
    if (strcmp(is, expected) != 0)
        conform_broken(c, NULL, where, "%s is \"%.300s\", expected \"%.300s\"", what, is, expected);
}

/* -- The plugin under test -------------------------------------------------------------------- */

static bool conform_is_file(const char *argument)
{
    size_t size = strlen(argument);
    return strchr(argument, '/') || (size > 3 && strcmp(argument + size - 3, ".so") == 0);
}

/* "dir/store_x.so": the name x, the directory dir. */
static br_status conform_split(const char *kind, const char *file, char **ret_dir, char **ret_name,
                               struct fail *ret_fail)
{
    const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
    size_t size;
    if (!loader_is_file(base, kind, &size))
        return fail_set(ret_fail, BR_INVALID, "%s: a %s's file is called %s_NAME.so", file, kind,
                        kind);
    *ret_dir = mem_text(slash ? file : ".");
    if (slash)
        (*ret_dir)[slash == file ? 1 : slash - file] = 0;
    *ret_name = mem_text(base + strlen(kind) + 1);
    (*ret_name)[size] = 0;
    return BR_OK;
}

br_status conform_find(struct conform *c, const char *kind, const char *argument,
                       const char *const *path, struct fail *ret_fail)
{
    char *dir = NULL, *name = NULL;
    br_status status = BR_OK;
    if (conform_is_file(argument))
        status = conform_split(kind, argument, &dir, &name, ret_fail);
    else
        name = mem_text(argument);
    if (!status && !c->loader) {
        c->loader = loader_new(ret_fail);
        status = c->loader ? BR_OK : ret_fail->status;
    }
    const char *const only[] = { dir, NULL };
    if (!status)
        status = loader_load(c->loader, kind, name, dir ? only : path, &c->desc, ret_fail);
    c->kind = kind;
    c->argument = argument;
    c->name = status ? argument : c->desc->name;
    free(dir);
    free(name);
    return status;
}

bool conform_option(struct conform *c, char *option)
{
    int count = 0;
    while (c->options[count])
        count++;
    if (count == CONFORM_OPTIONS_MAX)
        return false;
    c->options[count] = option;
    c->options[count + 1] = NULL;
    return true;
}

struct yaml *conform_map(struct conform *c, struct arena *arena, char *const *options)
{
    struct yaml *map = arena_zero(arena, sizeof *map);
    struct yaml **last = &map->first;
    *map = (struct yaml){ .kind = YAML_MAP, .file = "arguments", .line = 1, .column = 1 };
    for (int i = 0; options[i]; i++) {
        const char *equals = strchr(options[i], '=');
        need(equals != NULL, "%s: not KEY=VALUE", options[i]);
        struct yaml *item = arena_zero(arena, sizeof *item);
        *item = (struct yaml){ .kind = YAML_SCALAR, .file = "arguments", .quoted = true };
        item->parent = map;
        item->key = arena_text(arena, options[i], (size_t) (equals - options[i]));
        item->text = arena_text(arena, equals + 1, strlen(equals + 1));
        *last = item;
        last = &item->next;
    }
    return map;
}

struct instance *conform_open(struct conform *c)
{
    struct fail fail;
    struct instance *in = mem_new(sizeof *in);
    arena_init(&in->arena, 0);
    in->c = c;
    struct yaml *section = conform_map(c, &in->arena, c->options);
    br_status status = plugin_open(&in->plugin, c->loop, c->desc, c->kind, section, &fail);
    need(status == BR_OK, "%s", fail.text);
    return in;
}

struct instance *conform_start(struct conform *c)
{
    struct instance *in = conform_open(c);
    struct answer answer;
    answer_begin(c, &answer);
    plugin_start(&in->plugin, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    need(answer.status == BR_OK, "start: %s", answer.text);
    answer_done(&answer);
    return in;
}

void instance_stop(struct instance *in)
{
    struct conform *c = in->c;
    struct answer answer;
    answer_begin(c, &answer);
    plugin_stop(&in->plugin, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    need(answer.status == BR_OK, "stop: %s", answer.text);
    if (in->plugin.owner.outstanding != 0)
        conform_broken(c, &conform_stops, CONFORM_WHERE,
                       "stop was replied to, and %u calls were not", in->plugin.owner.outstanding);
    answer_done(&answer);
}

void instance_free(struct instance *in)
{
    instance_stop(in);
    plugin_close(&in->plugin);
    arena_done(&in->arena);
    free(in);
}

static const struct log conform_log = { .fd = 2, .level = BR_WARN };

void conform_begin(struct conform *c)
{
    c->loop = loop_new(&conform_log);
    need(c->loop != NULL, "%s", strerror(errno));
    snprintf(c->root, sizeof c->root, "/conform-%ld-%llx", (long) getpid(),
             (unsigned long long) loop_random(c->loop));
}

void conform_end(struct conform *c)
{
    loop_free(c->loop);
    c->loop = NULL;
}

const char *conform_at(struct conform *c, const char *format, ...)
{
    char *path = c->paths[c->path++ % 8];
    size_t root = (size_t) snprintf(path, sizeof c->paths[0], "%s/", c->root);
    va_list args;
    va_start(args, format);
    vsnprintf(path + root, sizeof c->paths[0] - root, format, args);
    va_end(args);
    return path;
}

/* -- Answers ---------------------------------------------------------------------------------- */

void answer_begin(struct conform *c, struct answer *answer)
{
    memset(answer, 0, sizeof *answer);
    arena_init(&answer->arena, 0);
    answer->c = c;
}

void answer_done(struct answer *answer)
{
    struct conform *c = answer->c;
    if (!answer->done)
        conform_broken(c, &conform_answers, CONFORM_WHERE, "a call was not replied to");
    arena_done(&answer->arena);
}

void answer_take(void *arg, struct call_answer *from)
{
    struct answer *answer = arg;
    struct conform *c = answer->c;
    if (answer->done)
        conform_broken(c, &conform_once, CONFORM_WHERE, "a call was replied to twice");
    answer->status = from->status;
    answer->version = from->version;
    answer->value = from->value;
    answer->chunks = from->chunks;
    arena_adopt(&answer->arena, from->arena);
    snprintf(answer->text, sizeof answer->text, "%s", from->message);
    if (from->status == BR_CORRUPT && strstr(from->message, "answered "))
        conform_broken(c, &conform_rows, CONFORM_WHERE, "%s", from->message);
    const char *said = strrchr(from->message, ':');
    if (from->status != BR_OK && !from->message[0])
        conform_broken(c, &conform_reasons, CONFORM_WHERE, "%s without a sentence",
                       conform_status(from->status));
    if (from->status != BR_OK && said && strspn(said, ": ") == strlen(said))
        conform_broken(c, &conform_reasons, CONFORM_WHERE, "%s with nothing said: \"%s\"",
                       conform_status(from->status), from->message);
    answer->done = true;
    conform_check_memory(answer);
}

static void answer_late(void *late)
{
    *(bool *) late = true;
}

bool answer_soon(struct answer *answer, br_time limit)
{
    const struct conform *c = answer->c;
    bool late = false;
    struct timer *timer = loop_after(c->loop, limit, answer_late, &late);
    while (!answer->done && !late)
        loop_turn(c->loop);
    if (!late)
        timer_cancel(timer);
    return answer->done;
}

void answer_wait(struct answer *answer)
{
    struct conform *c = answer->c;
    if (!answer->done && !answer_soon(answer, (br_time) c->patience * BR_SECOND))
        conform_broken(c, &conform_answers, CONFORM_WHERE, "no reply within %d seconds",
                       c->patience);
}

void conform_turn(struct conform *c, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bool late = false;
        loop_post(c->loop, answer_late, &late);
        while (!late)
            loop_turn(c->loop);
    }
}

br_time conform_stalled(struct answer *answer)
{
    const struct conform *c = answer->c;
    bool late = false;
    br_time longest = 0, last = loop_now(c->loop);
    struct timer *timer =
        loop_after(c->loop, (br_time) c->patience * BR_SECOND, answer_late, &late);
    while (!answer->done && !late) {
        bool beat = false;
        struct timer *heart = loop_after(c->loop, 5 * BR_MILLISECOND, answer_late, &beat);
        loop_turn(c->loop);
        br_time now = loop_now(c->loop);
        longest = now - last > longest ? now - last : longest;
        last = now;
        if (!beat)
            timer_cancel(heart);
    }
    if (!late)
        timer_cancel(timer);
    return longest;
}

void conform_linger(struct conform *c)
{
    bool late = false;
    loop_after(c->loop, 50 * BR_MILLISECOND, answer_late, &late);
    while (!late)
        loop_turn(c->loop);
}

void conform_repeat(struct conform *c, uint32_t warm, uint32_t rounds,
                    void (*once)(struct conform *c, uint32_t round))
{
    const size_t most = (size_t) rounds * CONFORM_GROWTH_MAX;
    size_t grown = SIZE_MAX;
    uint32_t round = 0;
    while (round < warm)
        once(c, round++);
    for (int turn = 0; turn < CONFORM_GROWTH_TURNS && grown > most; turn++) {
        size_t before = mallinfo2().uordblks;
        for (uint32_t i = 0; i < rounds; i++)
            once(c, round++);
        size_t after = mallinfo2().uordblks;
        grown = after > before ? after - before : 0;
    }
    if (grown > most)
        conform_broken(c, &conform_growth, CONFORM_WHERE,
                       "%u rounds leave %zu bytes behind, and so did those before", rounds, grown);
}

/* -- Asking ----------------------------------------------------------------------------------- */

void conform_issue(struct instance *in, const struct br_write *writes, uint32_t count,
                   struct answer *answer)
{
    struct conform *c = in->c;
    struct arena memory;
    arena_init(&memory, 0);
    const struct br_write **kept = arena_alloc(&memory, (count + 1) * sizeof *kept);
    for (uint32_t i = 0; i < count; i++)
        kept[i] = &writes[i];
    answer_begin(c, answer);
    store_commit(&in->plugin, kept, count, &memory, PLUGIN_FOREVER, answer_take, answer);
}

static br_status conform_settle(struct answer *answer)
{
    struct conform *c = answer->c;
    br_status status = answer->status;
    snprintf(c->text, sizeof c->text, "%s", answer->text);
    answer_done(answer);
    return status;
}

br_status conform_commit(struct instance *in, const struct br_write *writes, uint32_t count)
{
    struct answer answer;
    conform_issue(in, writes, count, &answer);
    answer_wait(&answer);
    return conform_settle(&answer);
}

br_status conform_write(struct instance *in, br_write_kind kind, const char *path,
                        const char *value, int64_t version)
{
    return conform_commit(in,
                          &(struct br_write){ .kind = kind,
                                              .path = path,
                                              .value = { value, value ? strlen(value) : 0 },
                                              .version = version },
                          1);
}

br_status conform_get(struct instance *in, const char *path, struct buf *ret_value,
                      int64_t *ret_version)
{
    struct conform *c = in->c;
    struct answer answer;
    struct br_value room;
    answer_begin(c, &answer);
    store_read(&in->plugin, &path, 1, NULL, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    if (answer.status != BR_OK)
        return conform_settle(&answer);
    need_true(answer.chunks != NULL);
    same(answer.chunks->kind, BR_ROW_VALUE);
    same(answer.chunks->count, 1);
    const struct br_value *row = call_row(answer.chunks, 0, &room, sizeof room);
    br_status status = row->status;
    if (ret_version)
        *ret_version = row->version;
    if (ret_value) {
        buf_clear(ret_value);
        buf_put(ret_value, row->value.data, row->value.size);
    }
    answer_done(&answer);
    return status;
}

static int conform_order(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

br_status conform_list(struct instance *in, const char *path, struct answer *ret, char ***ret_names,
                       uint32_t *ret_count)
{
    struct conform *c = in->c;
    answer_begin(c, ret);
    *ret_count = 0;
    *ret_names = mem_array(CONFORM_LIST_MAX, sizeof **ret_names);
    store_list(&in->plugin, path, PLUGIN_FOREVER, answer_take, ret);
    answer_wait(ret);
    for (const struct br_chunk *chunk = ret->chunks; chunk; chunk = chunk->next) {
        same(chunk->kind, BR_ROW_NAME);
        for (uint32_t i = 0; i < chunk->count; i++) {
            const char *room;
            need_true(*ret_count < CONFORM_LIST_MAX);
            const char *const *row = call_row(chunk, i, &room, sizeof room);
            (*ret_names)[(*ret_count)++] = mem_text(*row);
        }
    }
    qsort(*ret_names, *ret_count, sizeof **ret_names, conform_order);
    return ret->status;
}

static void dump_node(struct instance *in, const char *path, struct buf *text)
{
    struct conform *c = in->c;
    struct buf value = { 0 };
    int64_t version = 0;
    br_status status = conform_get(in, path, &value, &version);
    same_status(status, BR_OK);
    buf_printf(text, "%s v%lld %zu bytes %08x\n", path, (long long) version, value.size,
               crc32c(value.data, value.size, 0));
    buf_done(&value);
}

void conform_dump(struct instance *in, const char *path, struct buf *ret_text)
{
    struct conform *c = in->c;
    char **todo = mem_array(CONFORM_LIST_MAX, sizeof *todo);
    uint32_t count = 0;
    todo[count++] = mem_text(path);
    while (count > 0) {
        char *node = todo[--count];
        struct answer answer;
        char **names;
        uint32_t children;
        dump_node(in, node, ret_text);
        same_status(conform_list(in, node, &answer, &names, &children), BR_OK);
        need_true(count + children <= CONFORM_LIST_MAX);
        for (uint32_t i = 0; i < children; i++) {
            struct buf child = { 0 };
            buf_printf(&child, "%s/%s", strcmp(node, "/") == 0 ? "" : node, names[i]);
            todo[count++] = child.data;
            free(names[i]);
        }
        answer_done(&answer);
        free(names);
        free(node);
    }
    free(todo);
}

/* -- Locks ------------------------------------------------------------------------------------ */

char *conform_elected(struct answer *answer)
{
    struct conform *c = answer->c;
    struct buf fence = { 0 };
    const char *path = strcmp(c->lock, "/") == 0 ? "" : c->lock;
    size_t size = strlen(path);
    answer_wait(answer);
    need(answer->status == BR_OK, "lock: %s", answer->text);
    buf_put(&fence, answer->value.data, answer->value.size);
    answer_done(answer);
    same(fence.size, size + strlen("/LOCKNODE") + 10);
    same(strncmp(fence.data, path, size), 0);
    same(strncmp(fence.data + size, "/LOCKNODE", 9), 0);
    same(strspn(fence.data + size + 9, "0123456789"), 10);
    return fence.data;
}

char *conform_lock(struct instance *in, const char *value)
{
    struct conform *c = in->c;
    struct answer answer;
    answer_begin(c, &answer);
    store_lock(&in->plugin, c->lock, value, answer_take, &answer);
    return conform_elected(&answer);
}

br_status conform_unlock(struct instance *in, const char *fence)
{
    struct answer answer;
    answer_begin(in->c, &answer);
    store_unlock(&in->plugin, fence, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    return conform_settle(&answer);
}

void conform_move_lock(struct conform *c, const char *path)
{
    free((void *) (uintptr_t) c->lock);
    c->lock = mem_text(path);
}

int64_t conform_elections(struct instance *in, const char *path)
{
    struct conform *c = in->c;
    struct answer answer;
    answer_begin(c, &answer);
    store_elections(&in->plugin, path, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    need(answer.status == BR_OK, "elections: %s", answer.text);
    int64_t number = answer.version;
    answer_done(&answer);
    return number;
}
