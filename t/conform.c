/* conform -- see conform.h. */
#include "t/conform.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/crc.h"
#include "host/base/number.h"

extern char **environ;

struct conform conform = { .patience = 10 };

/* -- The store under test --------------------------------------------------------------------- */

void conform_load(int argc, char **argv, const char *const *path)
{
    struct fail fail;
    static struct loader *loader;
    if (argc > CONFORM_OPTIONS_MAX) {
        fprintf(stderr, "more than %d options\n", CONFORM_OPTIONS_MAX);
        exit(2);
    }
    conform.name = argv[0];
    conform.path = path;
    for (int i = 1; i < argc; i++)
        conform.options[i - 1] = argv[i];
    conform.options[argc - 1] = NULL;
    if (!loader)
        loader = loader_new(&fail);
    if (!loader || loader_load(loader, "store", argv[0], path, &conform.desc, &fail)) {
        fprintf(stderr, "%s\n", fail.text);
        exit(2);
    }
}

struct yaml *conform_section(struct arena *arena, char *const *options)
{
    struct yaml *map = arena_zero(arena, sizeof *map);
    struct yaml **last = &map->first;
    *map = (struct yaml){ .kind = YAML_MAP, .file = "arguments", .line = 1, .column = 1 };
    for (int i = 0; options[i]; i++) {
        const char *equals = strchr(options[i], '=');
        ck_assert_msg(equals != NULL, "%s: not KEY=VALUE", options[i]);
        struct yaml *item = arena_zero(arena, sizeof *item);
        *item = (struct yaml){ .kind = YAML_SCALAR, .file = "arguments", .line = i + 1 };
        item->column = 1;
        item->parent = map;
        item->key = arena_text(arena, options[i], (size_t) (equals - options[i]));
        item->text = arena_text(arena, equals + 1, strlen(equals + 1));
        *last = item;
        last = &item->next;
    }
    return map;
}

struct instance *instance_make(void)
{
    struct fail fail;
    struct instance *in = mem_new(sizeof *in);
    arena_init(&in->arena, 0);
    struct yaml *section = conform_section(&in->arena, conform.options);
    br_status status =
        plugin_open(&in->plugin, conform.loop, conform.desc, "store", section, &fail);
    ck_assert_msg(status == BR_OK, "%s", fail.text);
    return in;
}

struct instance *instance_new(void)
{
    struct instance *in = instance_make();
    struct answer answer;
    answer_init(&answer);
    plugin_start(&in->plugin, (br_time) conform.patience * BR_SECOND, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_msg(answer.status == BR_OK, "start: %s", answer.text);
    answer_done(&answer);
    return in;
}

void instance_stop(struct instance *in)
{
    struct answer answer;
    answer_init(&answer);
    plugin_stop(&in->plugin, (br_time) conform.patience * BR_SECOND, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_msg(answer.status == BR_OK, "stop: %s", answer.text);
    ck_assert_uint_eq(in->plugin.owner.outstanding, 0);
    answer_done(&answer);
}

void instance_free(struct instance *in)
{
    instance_stop(in);
    plugin_close(&in->plugin);
    arena_done(&in->arena);
    free(in);
}

/* -- Fixtures --------------------------------------------------------------------------------- */

static struct log conform_log = { .fd = 2, .level = BR_WARN };

void conform_setup(void)
{
    static unsigned number;
    conform.loop = loop_new(&conform_log);
    ck_assert_ptr_nonnull(conform.loop);
    snprintf(conform.root, sizeof conform.root, "/conform-%ld-%u-%llx", (long) getpid(), ++number,
             (unsigned long long) loop_now(conform.loop));
}

void conform_teardown(void)
{
    loop_free(conform.loop);
    conform.loop = NULL;
}

TCase *conform_case(const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, conform_setup, conform_teardown);
    tcase_set_timeout(tcase, 6.0 * conform.patience);
    return tcase;
}

const char *at(const char *format, ...)
{
    static char paths[8][8192];
    static unsigned next;
    char *path = paths[next++ % 8];
    size_t root = (size_t) snprintf(path, sizeof paths[0], "%s/", conform.root);
    va_list args;
    va_start(args, format);
    vsnprintf(path + root, sizeof paths[0] - root, format, args);
    va_end(args);
    return path;
}

/* -- Answers ---------------------------------------------------------------------------------- */

void answer_init(struct answer *answer)
{
    memset(answer, 0, sizeof *answer);
    arena_init(&answer->arena, 0);
}

void answer_done(struct answer *answer)
{
    ck_assert(answer->done);
    arena_done(&answer->arena);
}

void answer_take(void *arg, struct call_answer *from)
{
    struct answer *answer = arg;
    ck_assert_msg(!answer->done, "answered twice");
    answer->status = from->status;
    answer->version = from->version;
    answer->value = from->value;
    answer->chunks = from->chunks;
    arena_adopt(&answer->arena, from->arena);
    snprintf(answer->text, sizeof answer->text, "%s", from->message);
    ck_assert_msg(from->status == BR_OK || from->message[0], "a failure without a sentence");
    answer->done = true;
}

static void answer_late(void *late)
{
    *(bool *) late = true;
}

bool answer_soon(struct answer *answer, br_time limit)
{
    bool late = false;
    struct timer *timer = loop_after(conform.loop, limit, answer_late, &late);
    while (!answer->done && !late)
        loop_turn(conform.loop);
    if (!late)
        timer_cancel(timer);
    return answer->done;
}

void answer_wait(struct answer *answer)
{
    if (!answer->done && !answer_soon(answer, (br_time) conform.patience * BR_SECOND))
        ck_abort_msg("no answer within %d seconds", conform.patience);
}

void conform_turns(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bool late = false;
        loop_post(conform.loop, answer_late, &late);
        while (!late)
            loop_turn(conform.loop);
    }
}

/* -- Asking ----------------------------------------------------------------------------------- */

void conform_issue(struct instance *in, const struct br_write *writes, uint32_t count,
                   struct answer *answer)
{
    struct arena memory;
    arena_init(&memory, 0);
    const struct br_write **kept = arena_alloc(&memory, (count + 1) * sizeof *kept);
    for (uint32_t i = 0; i < count; i++)
        kept[i] = &writes[i];
    answer_init(answer);
    store_commit(&in->plugin, kept, count, &memory, PLUGIN_FOREVER, answer_take, answer);
}

static br_status conform_settle(struct answer *answer)
{
    br_status status = answer->status;
    snprintf(conform.text, sizeof conform.text, "%s", answer->text);
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
    struct answer answer;
    struct br_value room;
    answer_init(&answer);
    store_read(&in->plugin, &path, 1, NULL, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    if (answer.status != BR_OK)
        return conform_settle(&answer);
    ck_assert_ptr_nonnull(answer.chunks);
    ck_assert_int_eq(answer.chunks->kind, BR_ROW_VALUE);
    ck_assert_uint_eq(answer.chunks->count, 1);
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

int64_t conform_elections(struct instance *in, const char *path)
{
    struct answer answer;
    answer_init(&answer);
    store_elections(&in->plugin, path, 0, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_msg(answer.status == BR_OK, "elections: %s", answer.text);
    int64_t number = answer.version;
    answer_done(&answer);
    return number;
}

br_status conform_list(struct instance *in, const char *path, struct answer *ret, char ***ret_names,
                       uint32_t *ret_count)
{
    answer_init(ret);
    *ret_count = 0;
    *ret_names = mem_array(CONFORM_LIST_MAX, sizeof **ret_names);
    store_list(&in->plugin, path, PLUGIN_FOREVER, answer_take, ret);
    answer_wait(ret);
    for (const struct br_chunk *chunk = ret->chunks; chunk; chunk = chunk->next) {
        ck_assert_int_eq(chunk->kind, BR_ROW_NAME);
        for (uint32_t i = 0; i < chunk->count; i++) {
            const char *room;
            ck_assert_uint_lt(*ret_count, CONFORM_LIST_MAX);
            const char *const *row = call_row(chunk, i, &room, sizeof room);
            (*ret_names)[(*ret_count)++] = mem_text(*row);
        }
    }
    qsort(*ret_names, *ret_count, sizeof **ret_names, conform_order);
    return ret->status;
}

static void dump_node(struct instance *in, const char *path, struct buf *text)
{
    struct buf value = { 0 };
    int64_t version = 0;
    br_status status = conform_get(in, path, &value, &version);
    ck_assert_int_eq(status, BR_OK);
    buf_printf(text, "%s v%lld %zu bytes %08x\n", path, (long long) version, value.size,
               crc32c(value.data, value.size, 0));
    buf_done(&value);
}

void conform_dump(struct instance *in, const char *path, struct buf *ret_text)
{
    char **todo = mem_array(CONFORM_LIST_MAX, sizeof *todo);
    uint32_t count = 0;
    todo[count++] = mem_text(path);
    while (count > 0) {
        char *node = todo[--count];
        struct answer answer;
        char **names;
        uint32_t children;
        dump_node(in, node, ret_text);
        ck_assert_int_eq(conform_list(in, node, &answer, &names, &children), BR_OK);
        ck_assert_uint_le(count + children, CONFORM_LIST_MAX);
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

/* -- Other processes -------------------------------------------------------------------------- */

struct child child_spawn(char **args)
{
    char self[4096];
    int to[2], from[2];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    ck_assert_int_gt(size, 0);
    self[size] = 0;
    args[0] = self;
    ck_assert(pipe(to) == 0 && pipe(from) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from[1], 1);
    for (int i = 0; i < 2; i++) {
        posix_spawn_file_actions_addclose(&actions, to[i]);
        posix_spawn_file_actions_addclose(&actions, from[i]);
    }
    struct child child = { .in = to[1], .out = from[0] };
    ck_assert_int_eq(posix_spawn(&child.pid, self, &actions, NULL, args, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    return child;
}

void child_end(struct child *child, int signal)
{
    int status;
    if (signal)
        kill(child->pid, signal);
    close(child->in);
    ck_assert_int_eq(waitpid(child->pid, &status, 0), child->pid);
    if (signal)
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    else
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(child->out);
}
