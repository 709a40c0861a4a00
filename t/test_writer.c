/* test_writer -- groups on their way into the store: packed, in flight, refused, in doubt, held,
 * forgotten.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/writer_script.h"

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
    tcase_add_checked_fixture(tcase, script_setup, script_teardown);
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
