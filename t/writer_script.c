/* writer_script -- see writer_script.h. */
#include "t/writer_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/plugins/loader.h"

struct script script;

static void script_ignore(void *arg, struct call_answer *answer)
{
    (void) arg;
    (void) answer;
}

static void script_note(const struct br_write *const *writes, uint32_t count)
{
    static const char *const kinds[] = { "", "+", "=", "-", "?", "F" };
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_char(&script.seen, ' ');
        buf_text(&script.seen, kinds[writes[i]->kind]);
        if (writes[i]->kind != BR_FENCE)
            buf_text(&script.seen, writes[i]->path);
    }
    buf_char(&script.seen, '\n');
}

static void script_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                          struct br_call *call)
{
    (void) env;
    enum outcome outcome = PASS;
    script_note(writes, count);
    if (script.commit_count > 0) {
        outcome = *script.commits++;
        script.commit_count--;
    }
    if (outcome == ANSWER_LOST)
        store_commit(&script.inner, writes, count, NULL, 0, script_ignore, NULL);
    if (outcome == PASS)
        script.inner.ops.store.commit(&script.inner.owner.env, writes, count, call);
    else if (outcome == HOLD)
        script.held[script.held_count++] = (struct held){ call, writes, count };
    else
        br_reply_fail(call, outcome == UNAVAILABLE ? BR_UNAVAILABLE : BR_UNKNOWN, "no answer");
}

void script_release(int count)
{
    for (; count > 0 && script.held_from < script.held_count; count--) {
        struct held *held = &script.held[script.held_from++];
        script.inner.ops.store.commit(&script.inner.owner.env, held->writes, held->count,
                                      held->call);
    }
}

static void script_read(struct br_env *env, const char *const *paths, uint32_t count,
                        struct br_call *call)
{
    (void) env;
    enum outcome outcome = PASS;
    script.reads_seen++;
    if (script.read_count > 0) {
        outcome = *script.reads++;
        script.read_count--;
    }
    if (outcome == PASS)
        script.inner.ops.store.read(&script.inner.owner.env, paths, count, call);
    else
        br_reply_fail(call, BR_UNAVAILABLE, "no connection");
}

static void script_list(struct br_env *env, const char *path, struct br_call *call)
{
    (void) env;
    script.inner.ops.store.list(&script.inner.owner.env, path, call);
}

static void script_stop(struct br_env *env, struct br_call *call)
{
    (void) env;
    script_release(script.held_count);
    br_reply_ok(call);
}

static const struct br_store script_store = {
    .batch_ops_max = 5,
    .batch_bytes_max = 1000,
    .write_overhead = 20,
    .batches_max = 3,
    .read = script_read,
    .list = script_list,
    .commit = script_commit,
};

BR_PLUGIN(store, script, &script_store, .summary = "The store in memory, by a script.",
          .version = "1", .license = "Apache-2.0", .stop = script_stop);

/* -- Setting up ------------------------------------------------------------------------------- */

static void open_store(struct plugin *plugin, const struct br_plugin *desc)
{
    struct core_told told = { 0 };
    struct fail fail;
    ck_assert_msg(plugin_open(plugin, core_loop, desc, "store", NULL, &fail) == BR_OK, "%s",
                  fail.text);
    plugin_start(plugin, 0, core_done, &told);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_OK);
}

static void close_store(struct plugin *plugin)
{
    struct core_told told = { 0 };
    plugin_stop(plugin, 0, core_done, &told);
    core_wait(&told, 1);
    plugin_close(plugin);
}

void put(br_write_kind kind, const char *path, const char *value)
{
    struct core_told told = { 0 };
    struct br_write write = {
        .kind = kind, .path = path, .value = { value, strlen(value) }, .version = BR_ANY_VERSION
    };
    const struct br_write *writes[] = { &write };
    store_commit(&script.inner, writes, 1, NULL, 0, core_done, &told);
    core_wait(&told, 1);
    ck_assert_msg(told.status == BR_OK, "%s: %s", path, told.message);
}

void script_lost(void *arg)
{
    ck_assert_ptr_eq(arg, &script);
    script.lost++;
}

void script_setup(void)
{
    const struct br_plugin *desc;
    struct fail fail;
    core_setup();
    memset(&script, 0, sizeof script);
    script.loader = loader_new(&fail);
    ck_assert_ptr_nonnull(script.loader);
    ck_assert_msg(loader_load(script.loader, "store", "memory", NULL, &desc, &fail) == BR_OK, "%s",
                  fail.text);
    open_store(&script.inner, desc);
    open_store(&script.store, &bridle_store_script);
    put(BR_CREATE, "/lock", "");
    put(BR_CREATE, FENCE, "me:1");
    script.writer = writer_new(core_loop, &script.store, FENCE, script_lost, &script);
}

void script_teardown(void)
{
    writer_free(script.writer);
    close_store(&script.store);
    close_store(&script.inner);
    loader_free(script.loader);
    buf_done(&script.seen);
    core_teardown();
}

void expect_value(const char *path, const char *want)
{
    struct core_told told = { 0 };
    store_read(&script.inner, &path, 1, NULL, 0, core_done, &told);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_OK);
    const struct br_value *value = told.chunks->rows;
    if (!want) {
        ck_assert_msg(value->status == BR_NOTFOUND, "%s is there", path);
    } else {
        ck_assert_msg(value->status == BR_OK, "%s is not there", path);
        ck_assert_uint_eq(value->value.size, strlen(want));
        ck_assert_mem_eq(value->value.data, want, strlen(want));
    }
    arena_done(&told.kept);
}

/* -- Groups ----------------------------------------------------------------------------------- */

static int orders;

void outcome_told(void *arg, br_status status, const char *why)
{
    struct outcome_of *outcome = arg;
    outcome->told++;
    outcome->order = orders++;
    outcome->status = status;
    snprintf(outcome->why, sizeof outcome->why, "%s", why);
}

struct write_group *issue(const char *writes, struct outcome_of *outcome)
{
    struct write_group *group = writer_begin(script.writer);
    char *copy = mem_text(writes);
    char *rest = copy;
    for (char *word; (word = strsep(&rest, " "));) {
        br_write_kind kind = *word == '+' ? BR_CREATE : *word == '=' ? BR_PUT : BR_DELETE;
        writer_add(group, kind, word + 1, (br_bytes){ word + 1, strlen(word + 1) });
    }
    free(copy);
    *outcome = (struct outcome_of){ 0 };
    writer_issue(group, outcome_told, outcome);
    return group;
}

void wait_for(const struct outcome_of *outcome)
{
    br_time end = loop_now(core_loop) + 20 * BR_SECOND;
    while (!outcome->told && loop_now(core_loop) < end)
        loop_turn(core_loop);
    ck_assert_int_eq(outcome->told, 1);
}

void expect_ok(const struct outcome_of *outcome)
{
    wait_for(outcome);
    ck_assert_msg(outcome->status == BR_OK, "%s", outcome->why);
}
