/* test_writer -- groups on their way into the store in memory, behind one that forwards to it, but
 * for the commits and reads that a test says something else about.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/meta/writer.h"
#include "host/plugins/loader.h"
#include "t/core.h"

#define FENCE "/lock/LOCKNODE0000000001"

enum outcome {
    PASS = 0,
    UNAVAILABLE, /* not carried out, and it says so */
    LOST,        /* not carried out: BR_UNKNOWN */
    ANSWER_LOST, /* carried out: BR_UNKNOWN */
    HOLD,        /* until script_release */
};

struct held {
    struct br_call *call;
    const struct br_write *const *writes;
    uint32_t count;
};

static struct script {
    struct plugin inner, store;
    struct loader *loader;
    const enum outcome *commits, *reads; /* of the next ones; behind them everything passes */
    int commit_count, read_count;
    int reads_seen;
    struct held held[64];
    int held_count, held_from;
    struct buf seen; /* "F /a /b\n" for each commit */
    struct writer *writer;
    int lost;
} script;

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

static void script_release(int count)
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

static void put(br_write_kind kind, const char *path, const char *value)
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

static void script_lost(void *arg)
{
    ck_assert_ptr_eq(arg, &script);
    script.lost++;
}

static void setup(void)
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

static void teardown(void)
{
    writer_free(script.writer);
    close_store(&script.store);
    close_store(&script.inner);
    loader_free(script.loader);
    buf_done(&script.seen);
    core_teardown();
}

static void expect_value(const char *path, const char *want)
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

struct outcome_of {
    int told;
    int order; /* the how manieth of all that were told */
    br_status status;
    char why[512];
};

static int orders;

static void outcome_told(void *arg, br_status status, const char *why)
{
    struct outcome_of *outcome = arg;
    outcome->told++;
    outcome->order = orders++;
    outcome->status = status;
    snprintf(outcome->why, sizeof outcome->why, "%s", why);
}

/* "+/a" creates, "=/a" puts, "-/a" deletes; several by blanks; values are the paths. */
static struct write_group *issue(const char *writes, struct outcome_of *outcome)
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

static void wait_for(const struct outcome_of *outcome)
{
    br_time end = loop_now(core_loop) + 20 * BR_SECOND;
    while (!outcome->told && loop_now(core_loop) < end)
        loop_turn(core_loop);
    ck_assert_int_eq(outcome->told, 1);
}

static void expect_ok(const struct outcome_of *outcome)
{
    wait_for(outcome);
    ck_assert_msg(outcome->status == BR_OK, "%s", outcome->why);
}

/* -- Packing ---------------------------------------------------------------------------------- */

START_TEST(groups_of_one_turn_travel_together)
{
    struct outcome_of a;
    struct outcome_of b;
    struct outcome_of c;
    issue("+/a", &a);
    issue("+/b =/b", &b);
    ck_assert_uint_eq(writer_waiting(script.writer), 2);
    expect_ok(&a);
    expect_ok(&b);
    ck_assert_int_lt(a.order, b.order);
    issue("=/a", &c);
    expect_ok(&c);
    ck_assert_str_eq(buf_string(&script.seen), "F +/a +/b =/b\nF =/a\n");
    ck_assert_uint_eq(writer_waiting(script.writer), 0);
    ck_assert(!writer_stalled(script.writer));
    expect_value("/a", "/a");
}
END_TEST

/* A group is never torn: the store takes 5 writes at once, the fence among them. */
START_TEST(a_commit_takes_so_many_writes)
{
    struct outcome_of told[5];
    issue("+/a +/b", &told[0]);
    issue("+/c +/d +/e", &told[1]);
    issue("+/f", &told[2]);
    issue("+/g", &told[3]);
    issue("+/h +/i +/j", &told[4]);
    for (int i = 0; i < 5; i++)
        expect_ok(&told[i]);
    ck_assert_str_eq(buf_string(&script.seen), "F +/a +/b\nF +/c +/d +/e +/f\nF +/g +/h +/i +/j\n");
}
END_TEST

/* ... and 1000 bytes, with 20 for each write. */
START_TEST(a_commit_takes_so_many_bytes)
{
    char value[401];
    struct outcome_of told[3] = { { 0 } };
    memset(value, 'x', sizeof value);
    for (int i = 0; i < 3; i++) {
        char path[] = "/a";
        path[1] = (char) ('a' + i);
        struct write_group *group = writer_begin(script.writer);
        writer_add(group, BR_CREATE, path, (br_bytes){ value, i == 1 ? 401 : 400 });
        writer_issue(group, outcome_told, &told[i]);
    }
    for (int i = 0; i < 3; i++)
        expect_ok(&told[i]);
    /* 24 + 20 for the fence, 422 and 423 for the first two: 889; the third does not fit */
    ck_assert_str_eq(buf_string(&script.seen), "F +/a +/b\nF +/c\n");
}
END_TEST

/* What writer_room allows goes through in one commit, and one more would not. */
START_TEST(a_group_has_room)
{
    struct outcome_of told = { 0 };
    struct write_group *group = writer_begin(script.writer);
    ck_assert_uint_eq(writer_room(group, 10), 4);
    ck_assert_uint_eq(writer_room(group, 400), 2); /* 956 / 420 */
    ck_assert_uint_eq(writer_room(group, 937), 0);
    writer_add(group, BR_CREATE, "/a", (br_bytes){ NULL, 0 });
    ck_assert_uint_eq(writer_room(group, 10), 3);
    for (char path[] = "/b"; path[1] < 'e'; path[1]++)
        writer_add(group, BR_CREATE, path, (br_bytes){ NULL, 0 });
    ck_assert_uint_eq(writer_room(group, 10), 0);
    writer_issue(group, outcome_told, &told);
    expect_ok(&told);
}
END_TEST

START_TEST(a_store_without_locks_has_no_fence)
{
    struct outcome_of told;
    writer_free(script.writer);
    script.writer = writer_new(core_loop, &script.store, NULL, script_lost, &script);
    struct write_group *group = writer_begin(script.writer);
    ck_assert_uint_eq(writer_room(group, 10), 5);
    writer_add(group, BR_CREATE, "/a", (br_bytes){ "", 0 });
    writer_issue(group, outcome_told, &told);
    told = (struct outcome_of){ 0 };
    expect_ok(&told);
    ck_assert_str_eq(buf_string(&script.seen), "+/a\n");
}
END_TEST

static void nothing_more(void)
{
    for (int i = 0; i < 10; i++)
        core_settle();
}

START_TEST(several_are_in_flight)
{
    enum outcome holds[WRITER_FLIGHT_MAX + 2];
    struct outcome_of told[WRITER_FLIGHT_MAX + 2];
    for (int i = 0; i < WRITER_FLIGHT_MAX + 2; i++)
        holds[i] = HOLD;
    script.commits = holds;
    script.commit_count = WRITER_FLIGHT_MAX + 2;
    int flight = _i ? WRITER_FLIGHT_MAX : 3;
    if (_i) /* a store that would take more than we send */
        script.store.ops.store.batches_max = 1000;
    for (int i = 0; i < WRITER_FLIGHT_MAX + 2; i++) {
        char writes[64];
        snprintf(writes, sizeof writes, "+/%d +/%d-b +/%d-c +/%d-d", i, i, i, i);
        issue(writes, &told[i]);
    }
    while (script.held_count < flight)
        loop_turn(core_loop);
    nothing_more();
    ck_assert_int_eq(script.held_count, flight);
    script_release(1);
    expect_ok(&told[0]);
    nothing_more();
    ck_assert_int_eq(script.held_count, flight + 1);
    ck_assert_uint_eq(writer_waiting(script.writer), WRITER_FLIGHT_MAX + 1);
    for (int i = 1; i < WRITER_FLIGHT_MAX + 2; i++) {
        while (!told[i].told) {
            script_release(script.held_count);
            loop_turn(core_loop);
        }
        expect_ok(&told[i]);
        ck_assert_int_eq(told[i].order - told[0].order, i);
    }
}
END_TEST

/* -- What goes wrong -------------------------------------------------------------------------- */

/* The middle one cannot be: its neighbours are not held up by it, and hear nothing of it. */
START_TEST(a_refused_group_is_alone)
{
    struct outcome_of a;
    struct outcome_of b;
    struct outcome_of c;
    issue("+/a", &a);
    issue("=/missing", &b);
    issue("+/c", &c);
    wait_for(&b);
    expect_ok(&a);
    expect_ok(&c);
    ck_assert_int_eq(b.status, BR_NOTFOUND);
    ck_assert_msg(strstr(b.why, "/missing") != NULL, "%s", b.why);
    ck_assert_str_eq(buf_string(&script.seen), "F +/a =/missing +/c\nF +/a\nF =/missing\nF +/c\n");
    ck_assert_uint_eq(writer_waiting(script.writer), 0);
    ck_assert_int_eq(script.lost, 0);
}
END_TEST

START_TEST(a_store_that_is_away_is_waited_for)
{
    static const enum outcome away[] = { UNAVAILABLE, UNAVAILABLE };
    struct outcome_of a;
    struct outcome_of b;
    script.commits = away;
    script.commit_count = 2;
    issue("+/a", &a);
    while (script.commit_count == 2 || !writer_stalled(script.writer))
        loop_turn(core_loop);
    issue("+/b", &b); /* comes behind, and goes along */
    ck_assert_uint_eq(writer_waiting(script.writer), 2);
    ck_assert_int_eq(a.told, 0);
    expect_ok(&a);
    expect_ok(&b);
    ck_assert(!writer_stalled(script.writer));
    ck_assert_str_eq(buf_string(&script.seen), "F +/a\nF +/a +/b\nF +/a +/b\n");
    ck_assert_int_eq(script.reads_seen, 0); /* it certainly did not happen */
    ck_assert_ptr_nonnull(strstr(core_logged(), "the store does not take writes"));
    ck_assert_ptr_nonnull(strstr(core_logged(), "the store takes writes again"));
}
END_TEST

/* One commit with an outcome, and what is sent until it is told. */
static const struct {
    const char *before, *writes; /* paths that are there before */
    enum outcome outcome;
    const char *seen;
    int reads;
    const char *there, *gone;
} doubts[] = {
    { NULL, "+/a", LOST, "F +/a\nF +/a\n", 1, "/a", NULL },
    { NULL, "+/a", ANSWER_LOST, "F +/a\nF =/a\n", 1, "/a", NULL },
    { "/a", "=/a", LOST, "F =/a\nF =/a\n", 0, "/a", NULL },
    { "/a", "=/a", ANSWER_LOST, "F =/a\nF =/a\n", 0, "/a", NULL },
    { "/a", "-/a", LOST, "F -/a\nF -/a\n", 1, NULL, "/a" },
    { "/a", "-/a", ANSWER_LOST, "F -/a\nF\n", 1, NULL, "/a" },
    { "/a", "-/a +/b =/b", ANSWER_LOST, "F -/a +/b =/b\nF =/b =/b\n", 1, "/b", "/a" },
    { "/a", "-/a +/b", LOST, "F -/a +/b\nF -/a +/b\n", 1, "/b", "/a" },
};

START_TEST(what_may_have_happened_is_read_back)
{
    struct outcome_of told;
    if (doubts[_i].before)
        put(BR_CREATE, doubts[_i].before, "old");
    script.commits = &doubts[_i].outcome;
    script.commit_count = 1;
    issue(doubts[_i].writes, &told);
    expect_ok(&told);
    ck_assert_str_eq(buf_string(&script.seen), doubts[_i].seen);
    ck_assert_int_eq(script.reads_seen, doubts[_i].reads);
    if (doubts[_i].there)
        expect_value(doubts[_i].there, doubts[_i].there);
    if (doubts[_i].gone)
        expect_value(doubts[_i].gone, NULL);
}
END_TEST

/* The groups of one commit in doubt are looked at one by one. */
START_TEST(each_group_is_read_back)
{
    static const enum outcome outcomes[] = { ANSWER_LOST };
    struct outcome_of a;
    struct outcome_of b;
    script.commits = outcomes;
    script.commit_count = 1;
    issue("+/a", &a);
    issue("+/b", &b);
    expect_ok(&a);
    expect_ok(&b);
    ck_assert_int_eq(script.reads_seen, 2);
    expect_value("/a", "/a");
    expect_value("/b", "/b");
}
END_TEST

START_TEST(reading_back_may_fail)
{
    static const enum outcome commits[] = { ANSWER_LOST };
    static const enum outcome reads[] = { UNAVAILABLE, UNAVAILABLE };
    struct outcome_of told;
    script.commits = commits;
    script.commit_count = 1;
    script.reads = reads;
    script.read_count = 2;
    issue("+/a", &told);
    expect_ok(&told);
    ck_assert_int_eq(script.reads_seen, 3);
    ck_assert_str_eq(buf_string(&script.seen), "F +/a\nF =/a\n");
}
END_TEST

START_TEST(a_refusal_after_a_doubt_is_told)
{
    static const enum outcome outcomes[] = { LOST };
    struct outcome_of told;
    script.commits = outcomes;
    script.commit_count = 1;
    issue("+/none/a", &told);
    wait_for(&told);
    ck_assert_int_eq(told.status, BR_NOTFOUND);
}
END_TEST

/* -- Holding, losing, leaving ----------------------------------------------------------------- */

START_TEST(nothing_is_sent_while_held)
{
    struct outcome_of told;
    writer_hold(script.writer, true);
    issue("+/a", &told);
    nothing_more();
    ck_assert_uint_eq(script.seen.size, 0);
    ck_assert_uint_eq(writer_waiting(script.writer), 1);
    writer_hold(script.writer, false);
    expect_ok(&told);
}
END_TEST

START_TEST(what_is_held_in_a_pause_waits)
{
    static const enum outcome away[] = { UNAVAILABLE };
    struct outcome_of told;
    script.commits = away;
    script.commit_count = 1;
    issue("+/a", &told);
    while (!writer_stalled(script.writer))
        loop_turn(core_loop);
    writer_hold(script.writer, true);
    writer_hold(script.writer, false); /* does not shorten the pause */
    nothing_more();
    ck_assert_str_eq(buf_string(&script.seen), "F +/a\n");
    expect_ok(&told);
}
END_TEST

/* However many commits hear that the fence is gone, it is said once, and nothing else. */
START_TEST(losing_the_fence_is_said_once)
{
    static const enum outcome holds[] = { HOLD, HOLD, HOLD };
    struct outcome_of told[4];
    script.commits = holds;
    script.commit_count = 3;
    for (int i = 0; i < 4; i++) {
        char writes[64];
        snprintf(writes, sizeof writes, "+/%d +/%d-b +/%d-c", i, i, i);
        issue(writes, &told[i]);
    }
    while (script.held_count < 3)
        loop_turn(core_loop);
    put(BR_DELETE, FENCE, "");
    script_release(3);
    while (!script.lost)
        loop_turn(core_loop);
    nothing_more();
    ck_assert_int_eq(script.lost, 1);
    struct outcome_of late;
    issue("+/late", &late);
    nothing_more();
    ck_assert_int_eq(script.lost, 1);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(told[i].told, 0);
    ck_assert_int_eq(late.told, 0);
    expect_value("/0", NULL);
    ck_assert_ptr_nonnull(strstr(core_logged(), "the leader lock is gone"));
}
END_TEST

START_TEST(what_is_forgotten_is_written_all_the_same)
{
    static const enum outcome holds[] = { HOLD };
    struct outcome_of a;
    struct outcome_of b;
    struct outcome_of c;
    writer_forget(issue("+/a", &a)); /* before it is sent */
    expect_ok((issue("+/b", &b), &b));
    ck_assert_int_eq(a.told, 0);
    expect_value("/a", "/a");
    script.commits = holds;
    script.commit_count = 1;
    struct write_group *group = issue("+/c", &c);
    while (!script.held_count)
        loop_turn(core_loop);
    writer_forget(group); /* in flight */
    script_release(1);
    while (writer_waiting(script.writer))
        loop_turn(core_loop);
    ck_assert_int_eq(c.told, 0);
    expect_value("/c", "/c");
}
END_TEST

/* In every state that a group can be in: queued, held, in flight, in a pause, being read back. */
START_TEST(nothing_is_told_once_it_is_gone)
{
    static const enum outcome outcomes[][1] = { { HOLD }, { UNAVAILABLE }, { ANSWER_LOST } };
    struct outcome_of a;
    struct outcome_of b;
    if (_i) {
        script.commits = outcomes[_i - 1];
        script.commit_count = 1;
    }
    issue("+/a", &a);
    if (_i == 1) {
        while (!script.held_count)
            loop_turn(core_loop);
    } else if (_i > 1) {
        while (!writer_stalled(script.writer))
            loop_turn(core_loop);
    }
    issue("+/b", &b);
    writer_free(script.writer);
    script.writer = NULL;
    script_release(1);
    nothing_more();
    ck_assert_int_eq(a.told + b.told, 0);
    ck_assert_int_eq(script.lost, 0);
}
END_TEST

/* A group issued from a group's own answer. */
static void issue_next(void *arg, br_status status, const char *why)
{
    ck_assert_msg(status == BR_OK, "%s", why);
    issue("=/a", arg);
}

START_TEST(an_answer_may_issue_the_next)
{
    struct outcome_of told = { 0 };
    struct write_group *group = writer_begin(script.writer);
    writer_add(group, BR_CREATE, "/a", (br_bytes){ NULL, 0 });
    writer_issue(group, issue_next, &told);
    expect_ok(&told);
    expect_value("/a", "/a");
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("writer");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, groups_of_one_turn_travel_together);
    tcase_add_test(tcase, a_commit_takes_so_many_writes);
    tcase_add_test(tcase, a_commit_takes_so_many_bytes);
    tcase_add_test(tcase, a_group_has_room);
    tcase_add_test(tcase, a_store_without_locks_has_no_fence);
    tcase_add_loop_test(tcase, several_are_in_flight, 0, 2);
    tcase_add_test(tcase, a_refused_group_is_alone);
    tcase_add_test(tcase, a_store_that_is_away_is_waited_for);
    tcase_add_loop_test(tcase, what_may_have_happened_is_read_back, 0,
                        sizeof doubts / sizeof *doubts);
    tcase_add_test(tcase, each_group_is_read_back);
    tcase_add_test(tcase, reading_back_may_fail);
    tcase_add_test(tcase, a_refusal_after_a_doubt_is_told);
    tcase_add_test(tcase, nothing_is_sent_while_held);
    tcase_add_test(tcase, what_is_held_in_a_pause_waits);
    tcase_add_test(tcase, losing_the_fence_is_said_once);
    tcase_add_test(tcase, what_is_forgotten_is_written_all_the_same);
    tcase_add_loop_test(tcase, nothing_is_told_once_it_is_gone, 0, 4);
    tcase_add_test(tcase, an_answer_may_issue_the_next);
    return test_run("writer", tcase, NULL);
}
