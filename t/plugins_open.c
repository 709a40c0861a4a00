/* plugins_open -- a plugin's life in the host: options, open, start, its functions, stop, close;
 * and what is the same for a plugin of an older minor version.
 */
#include "t/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/plugins/plugin.h"
#include "t/plugins/tiny.h"

TCase *plugins_open_cases(void);

/* -- A store that remembers what it was asked
 * ------------------------------------------------------ */

struct spy {
    const char *word;
    int64_t number;
    struct br_env *env;
    struct br_call *call; /* the last */
    const char *first, *second;
    uint32_t count;
    int32_t index;
    int closed, fired;
};

static const struct br_option spy_options[] = {
    BR_STRING(struct spy, word, .help = "A word.", .fallback = "none"),
    BR_INTEGER(struct spy, number, .help = "A number.", .fallback = "1"),
    { 0 },
};

static void spy_note(struct br_call *call, const char *first, const char *second, uint32_t count)
{
    struct spy *spy = call->env->self;
    spy->call = call;
    spy->first = first;
    spy->second = second;
    spy->count = count;
}

static void spy_read(struct br_env *env, const char *const *paths, uint32_t count,
                     struct br_call *call)
{
    (void) env;
    spy_note(call, paths[0], paths[count - 1], count);
}

static void spy_path(struct br_env *env, const char *path, struct br_call *call)
{
    (void) env;
    spy_note(call, path, NULL, 1);
}

static void spy_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                       struct br_call *call)
{
    (void) env;
    spy_note(call, writes[0]->path, writes[count - 1]->value.data, count);
}

static void spy_two(struct br_env *env, const char *path, const char *value, struct br_call *call)
{
    (void) env;
    spy_note(call, path, value, 1);
}

static void spy_cancel(struct br_env *env, struct br_call *call)
{
    (void) env;
    br_reply_fail(call, BR_CANCELED, "as you wish");
}

static void spy_node(struct br_env *env, const char *node, int32_t index, struct br_call *call)
{
    (void) env;
    spy_note(call, node, NULL, 1);
    ((struct spy *) call->env->self)->index = index;
}

static const struct br_store spy_store = {
    .read = spy_read,
    .list = spy_path,
    .commit = spy_commit,
    .lock = spy_two,
    .owner = spy_two,
    .lost = spy_path,
    .unlock = spy_path,
    .cancel = spy_cancel,
};

static const struct br_transport spy_transport = {
    .tables = spy_node,
    .replicas = spy_node,
    .cancel = spy_cancel,
};

static br_status spy_open(struct br_env *env)
{
    struct spy *spy = env->self;
    spy->env = env;
    if (strcmp(spy->word, "refuse") == 0)
        return br_fail(env, BR_DENIED, "word: %s is what I do", spy->word);
    return strcmp(spy->word, "sulk") == 0 ? BR_INTERNAL : BR_OK;
}

static void spy_step(struct br_env *env, struct br_call *call)
{
    (void) env;
    spy_note(call, NULL, NULL, 0);
}

static int spy_closed;

static void spy_fire(struct br_env *env, void *arg)
{
    (void) arg;
    ((struct spy *) env->self)->fired++;
}

/* What it arms and posts here comes too late and must be gone, like the state that it would touch.
 */
static void spy_close(struct br_env *env)
{
    br_after(env, 0, spy_fire, NULL);
    br_post(env, spy_fire, NULL);
    spy_closed = ((struct spy *) env->self)->fired ? -1 : spy_closed + 1;
}

static const struct br_plugin spy_plugin = {
    .magic = BR_MAGIC,
    .abi_major = BR_ABI_MAJOR,
    .abi_minor = BR_ABI_MINOR,
    .size = sizeof(struct br_plugin),
    .ops_size = sizeof(struct br_store),
    .option_size = sizeof(struct br_option),
    .kind = "store",
    .name = "spy",
    BR_STATE(struct spy, spy_options),
    .ops.store = &spy_store,
    .open = spy_open,
    .start = spy_step,
    .stop = spy_step,
    .close = spy_close,
};

static struct plugin plugin;
static struct fail fail;
static struct arena arena;

static struct spy *spy(void)
{
    return plugin.state;
}

static br_status open_spy(const struct br_plugin *desc, const char *yaml)
{
    struct yaml *section = NULL;
    if (yaml)
        ck_assert_msg(yaml_parse(&arena, "x.yaml", yaml, strlen(yaml), &section, &fail) == BR_OK,
                      "%s", fail.text);
    return plugin_open(&plugin, core_loop, desc, "store", section, &fail);
}

static void setup(void)
{
    core_setup();
    arena_init(&arena, 0);
    spy_closed = 0;
    fail = (struct fail){ .status = BR_OK };
    ck_assert_msg(open_spy(&spy_plugin, NULL) == BR_OK, "%s", fail.text);
}

static void teardown(void)
{
    if (plugin.desc)
        plugin_close(&plugin);
    arena_done(&arena);
    core_teardown();
}

/* -- Open and close
 * -------------------------------------------------------------------------------- */

static const struct {
    const char *yaml, *says; /* NULL: opens */
    const char *word;
    int64_t number;
} opens[] = {
    { NULL, NULL, "none", 1 },
    { "{plugin: spy, deadline: 3s}", NULL, "none", 1 },
    { "{word: hello, number: 7}", NULL, "hello", 7 },
    { "{word: refuse}", "store spy: word: refuse is what I do", NULL, 0 },
    { "{word: sulk}", "store spy: open failed with status 12 and gave no reason", NULL, 0 },
    { "{wort: x}", "store spy", NULL, 0 },
    { "{number: many}", "store spy", NULL, 0 },
};

START_TEST(open_and_options)
{
    plugin_close(&plugin);
    br_status status = open_spy(&spy_plugin, opens[_i].yaml);
    if (opens[_i].says) {
        ck_assert_int_ne(status, BR_OK);
        ck_assert_msg(strstr(fail.text, opens[_i].says) != NULL, "%s", fail.text);
        plugin.desc = NULL; /* there is nothing to close */
        ck_assert_int_eq(spy_closed, 1);
        return;
    }
    ck_assert_msg(status == BR_OK, "%s", fail.text);
    ck_assert_str_eq(spy()->word, opens[_i].word);
    ck_assert_int_eq(spy()->number, opens[_i].number);
    ck_assert_str_eq(spy()->env->instance, "store");
    plugin_close(&plugin);
    ck_assert_int_eq(spy_closed, 2);
}
END_TEST

START_TEST(open_without_options_or_loop)
{
    struct br_plugin desc = { .kind = "store", .name = "bare", .ops.store = &tiny_store };
    desc.ops_size = sizeof tiny_store;
    plugin_close(&plugin);
    ck_assert_msg(open_spy(&desc, "{plugin: bare}") == BR_OK, "%s", fail.text);
    plugin_close(&plugin);
    ck_assert_int_ne(open_spy(&desc, "{colour: red}"), BR_OK);
    ck_assert_ptr_nonnull(strstr(fail.text, "colour"));
    desc.flags = BR_NEEDS_LOOP;
    struct loop simulated = { .base = NULL };
    ck_assert_int_eq(plugin_open(&plugin, &simulated, &desc, "store", NULL, &fail), BR_UNSUPPORTED);
    ck_assert_str_eq(fail.text, "store bare: needs a real event loop");
    plugin.desc = NULL;
}
END_TEST

START_TEST(close_disarms_and_drops)
{
    br_after(spy()->env, 0, spy_fire, NULL);
    br_post(spy()->env, spy_fire, NULL);
    plugin_close(&plugin);
    ck_assert_int_eq(spy_closed, 1);
    core_settle();
    ck_assert_int_eq(spy_closed, 1);
}
END_TEST

static void close_when_stopped(void *arg, struct call_answer *answer)
{
    core_done(arg, answer);
    plugin_close(&plugin);
}

/* The usual way: the one who hears of the stop closes. */
START_TEST(close_from_inside_a_delivery)
{
    struct core_told told = { 0 }, other = { 0 };
    store_list(&plugin, "/a", PLUGIN_FOREVER, core_done, &other);
    struct br_call *list = spy()->call;
    plugin_stop(&plugin, 0, close_when_stopped, &told);
    struct br_call *stop = spy()->call;
    br_reply_ok(stop);
    br_reply_ok(list); /* behind it in the box */
    core_wait(&told, 1);
    core_wait(&other, 1);
    ck_assert_int_eq(spy_closed, 1);
    ck_assert_int_eq(other.status, BR_OK);
    ck_assert_ptr_null(strstr(core_logged(), "closed without a reply"));
}
END_TEST

START_TEST(close_with_a_call_unanswered)
{
    struct core_told told = { 0 };
    struct spy *state = spy();
    store_list(&plugin, "/a", PLUGIN_FOREVER, core_done, &told);
    plugin_close(&plugin);
    memset(&plugin, 0, sizeof plugin);
    ck_assert_ptr_nonnull(strstr(core_logged(), "call 1: list /a: closed without a reply"));
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_CANCELED);
    ck_assert_str_eq(state->word, "none"); /* its state and options are there until it replies */
    ck_assert_str_eq(state->first, "/a");
    ck_assert_str_eq(state->call->env->instance, "store");
    br_reply_ok(state->call);
    core_settle();
    ck_assert_int_eq(told.count, 1);
}
END_TEST

START_TEST(start_and_stop)
{
    struct core_told told = { 0 };
    void (*const steps[])(struct plugin *, br_time, call_done *, void *) = { plugin_start,
                                                                             plugin_stop };
    const char *const names[] = { "start", "stop" };
    for (int i = 0; i < 2; i++) {
        char says[64];
        steps[i](&plugin, 0, core_done, &told);
        ck_assert_int_eq(spy()->call->deadline > 0, 1);
        br_reply_fail(spy()->call, BR_DENIED, "no %d", i);
        core_wait(&told, 2 * i + 1);
        ck_assert_int_eq(told.status, BR_DENIED);
        snprintf(says, sizeof says, ": %s: no %d", names[i], i);
        ck_assert_ptr_nonnull(strstr(told.message, says));
        steps[i](&plugin, BR_MILLISECOND, core_done, &told);
        core_wait(&told, 2 * i + 2);
        ck_assert_int_eq(told.status, BR_TIMEOUT);
        br_reply_ok(spy()->call);
    }
    plugin_close(&plugin);
    struct br_plugin desc = spy_plugin;
    desc.start = desc.stop = NULL;
    ck_assert_int_eq(open_spy(&desc, NULL), BR_OK);
    for (int i = 0; i < 2; i++) {
        told.count = 0;
        steps[i](&plugin, 0, core_done, &told);
        ck_assert_int_eq(told.count, 0);
        core_wait(&told, 1);
        ck_assert_int_eq(told.status, BR_OK);
    }
    plugin.desc = &desc;
    plugin_close(&plugin);
}
END_TEST

/* -- Functions
 * -------------------------------------------------------------------------------------- */

enum { READ, LIST, COMMIT, LOCK, OWNER, LOST, UNLOCK, TABLES, REPLICAS, METHODS };

static const struct {
    const char *what;
    bool forever;
    br_status late; /* what a passed deadline or a cancel gives */
} methods[] = {
    [READ] = { "read /a and 1 more", false, BR_TIMEOUT },
    [LIST] = { "list /a", false, BR_TIMEOUT },
    [COMMIT] = { "commit: create /a and 1 more", false, BR_UNKNOWN },
    [LOCK] = { "lock /a", true, BR_UNKNOWN },
    [OWNER] = { "owner of /a", true, BR_CANCELED },
    [LOST] = { "loss of /a", true, BR_CANCELED },
    [UNLOCK] = { "unlock /a", false, BR_UNKNOWN },
    [TABLES] = { "tables of /a", false, BR_TIMEOUT },
    [REPLICAS] = { "replicas of /a", false, BR_TIMEOUT },
};

/* Everything is given in memory that the caller wipes at once, or hands over. */
static struct br_call *method(int which, br_time timeout, struct core_told *told)
{
    char a[] = "/a", b[] = "bb";
    struct arena memory;
    arena_init(&memory, 0);
    const char **paths = arena_alloc(&memory, 2 * sizeof *paths);
    struct br_write *rows = arena_zero(&memory, 2 * sizeof *rows);
    const struct br_write **writes = arena_alloc(&memory, 2 * sizeof *writes);
    paths[0] = rows[0].path = arena_text(&memory, a, 2);
    paths[1] = rows[1].value.data = arena_text(&memory, b, 2);
    rows[0].kind = BR_CREATE;
    writes[0] = &rows[0];
    writes[1] = &rows[1];
    struct br_call *call = NULL;
    switch (which) {
    case READ: call = store_read(&plugin, paths, 2, &memory, timeout, core_done, told); break;
    case LIST: call = store_list(&plugin, a, timeout, core_done, told); break;
    case COMMIT: call = store_commit(&plugin, writes, 2, &memory, timeout, core_done, told); break;
    case LOCK: call = store_lock(&plugin, a, b, core_done, told); break;
    case OWNER: call = store_owner(&plugin, a, b, core_done, told); break;
    case LOST: call = store_lost(&plugin, a, core_done, told); break;
    case UNLOCK: call = store_unlock(&plugin, a, timeout, core_done, told); break;
    case TABLES: call = transport_tables(&plugin, a, 7, timeout, core_done, told); break;
    default: call = transport_replicas(&plugin, a, 7, timeout, core_done, told); break;
    }
    if (which == READ || which == COMMIT)
        ck_assert_ptr_null(memory.block); /* the call has it */
    arena_done(&memory);
    memset(a, 'x', 2);
    memset(b, 'x', 2);
    return call;
}

static void open_for(int which)
{
    struct br_plugin desc = spy_plugin;
    if (which < TABLES)
        return;
    plugin_close(&plugin);
    desc.kind = "transport";
    desc.ops.transport = &spy_transport;
    desc.ops_size = sizeof spy_transport;
    static struct br_plugin kept; /* the plugin keeps the pointer */
    kept = desc;
    ck_assert_int_eq(open_spy(&kept, NULL), BR_OK);
}

START_TEST(method_asks_and_answers)
{
    struct core_told told = { 0 };
    char says[64];
    open_for(_i);
    struct br_call *call = method(_i, 0, &told);
    ck_assert_ptr_eq(call, spy()->call);
    ck_assert_ptr_eq(call->env, spy()->env);
    ck_assert_str_eq(spy()->first, "/a");
    if (spy()->second)
        ck_assert_str_eq(spy()->second, "bb");
    ck_assert_uint_eq(spy()->count, _i == READ || _i == COMMIT ? 2 : 1);
    ck_assert_int_eq(spy()->index, _i >= TABLES ? 7 : 0);
    ck_assert_int_eq(call->deadline == 0, methods[_i].forever);
    br_reply_fail(call, BR_DENIED, "no");
    ck_assert_int_eq(told.count, 0);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_DENIED);
    snprintf(says, sizeof says, ": %s: no", methods[_i].what);
    ck_assert_msg(strstr(told.message, says) != NULL, "%s", told.message);
}
END_TEST

START_TEST(method_late)
{
    struct core_told told = { 0 };
    open_for(_i);
    plugin.deadline = BR_MILLISECOND;
    struct br_call *call = method(_i, 0, &told);
    if (methods[_i].forever)
        call_cancel(call, NULL);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, methods[_i].late);
    ck_assert_str_eq(spy()->first, "/a"); /* still the plugin's */
    if (spy()->second)
        ck_assert_str_eq(spy()->second, "bb");
    br_reply_ok(call);
    core_settle();
    ck_assert_int_eq(told.count, 1);
}
END_TEST

START_TEST(method_canceled)
{
    struct core_told told = { 0 };
    open_for(_i);
    struct br_call *call = method(_i, PLUGIN_FOREVER, &told);
    ck_assert_int_eq(call->deadline, 0);
    if (_i < TABLES)
        store_cancel(&plugin, call);
    else
        transport_cancel(&plugin, call);
    ck_assert_int_eq(told.count, 0);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_CANCELED);
    ck_assert_ptr_nonnull(strstr(told.message, "as you wish"));
}
END_TEST

/* Rows of the wrong kind, or not as many as asked, are the plugin's mistake, told to nobody as
 * data. */
START_TEST(method_rows)
{
    static const int32_t kinds[METHODS] = { [READ] = BR_ROW_VALUE,
                                            [LIST] = BR_ROW_NAME,
                                            [TABLES] = BR_ROW_TABLE,
                                            [REPLICAS] = BR_ROW_REPLICA };
    struct core_told told = { 0 };
    open_for(_i);
    for (int32_t kind = BR_ROW_NAME; kinds[_i] && kind <= BR_ROW_REPLICA; kind++) {
        for (uint32_t count = 1; count <= 2; count++) {
            struct br_call *call = method(_i, 0, &told);
            struct br_chunk *chunk = br_rows(call, sizeof *chunk);
            *chunk = (struct br_chunk){ .kind = kind, .row_size = 8, .count = count };
            chunk->rows = br_rows(call, 16);
            int before = told.count;
            br_reply_rows(call, chunk);
            core_wait(&told, before + 1);
            bool right = kind == kinds[_i] && (count == 2 || _i != READ);
            ck_assert_int_eq(told.status, right ? BR_OK : BR_CORRUPT);
            arena_done(&told.kept);
        }
    }
}
END_TEST

START_TEST(method_missing)
{
    struct core_told told = { 0 };
    struct br_plugin desc = spy_plugin;
    plugin_close(&plugin);
    desc.ops_size = offsetof(struct br_store, lock); /* it knows nothing behind commit */
    ck_assert_int_eq(open_spy(&desc, NULL), BR_OK);
    for (int which = LOCK; which <= UNLOCK; which++) {
        told.count = 0;
        method(which, 0, &told);
        ck_assert_int_eq(told.count, 0);
        core_wait(&told, 1);
        ck_assert_int_eq(told.status, BR_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(told.message, "this plugin cannot do that"));
    }
    plugin_close(&plugin);
}
END_TEST

/* -- An older minor version
 * ------------------------------------------------------------------------- */

START_TEST(older_plugin)
{
    struct core_told told = { 0 };
    struct loader *loader = loader_new(&fail);
    const struct br_plugin *desc = NULL;
    char *dir = test_build("t/plugins/.libs");
    const char *path[] = { dir, NULL };
    ck_assert_msg(loader_load(loader, "store", "older", path, &desc, &fail) == BR_OK, "%s",
                  fail.text);
    ck_assert(!desc->open && !desc->start && !desc->stop && !desc->close);
    plugin_close(&plugin);
    ck_assert_msg(open_spy(desc, "{root: /here}") == BR_OK, "%s", fail.text);
    const struct br_store *ops = &plugin.ops.store;
    ck_assert(!ops->lock && !ops->owner && !ops->lost && !ops->unlock && !ops->cancel);
    store_list(&plugin, "/", 0, core_done, &told);
    core_wait(&told, 1);
    ck_assert_str_eq(told.value, "/here");
    ck_assert_int_eq(told.version, 1); /* its option `loud` */
    store_lock(&plugin, "/", "me", core_done, &told);
    core_wait(&told, 2);
    ck_assert_int_eq(told.status, BR_UNSUPPORTED);
    plugin_stop(&plugin, 0, core_done, &told);
    core_wait(&told, 3);
    ck_assert_int_eq(told.status, BR_OK);
    plugin_close(&plugin);
    loader_free(loader);
    free(dir);
}
END_TEST

TCase *plugins_open_cases(void)
{
    TCase *tcase = tcase_create("open");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, open_and_options, 0, (int) (sizeof opens / sizeof *opens));
    tcase_add_test(tcase, open_without_options_or_loop);
    tcase_add_test(tcase, close_disarms_and_drops);
    tcase_add_test(tcase, close_from_inside_a_delivery);
    tcase_add_test(tcase, close_with_a_call_unanswered);
    tcase_add_test(tcase, start_and_stop);
    tcase_add_loop_test(tcase, method_asks_and_answers, 0, METHODS);
    tcase_add_loop_test(tcase, method_late, 0, METHODS);
    tcase_add_loop_test(tcase, method_canceled, 0, METHODS);
    tcase_add_loop_test(tcase, method_rows, 0, METHODS);
    tcase_add_test(tcase, method_missing);
    tcase_add_test(tcase, older_plugin);
    return tcase;
}
