/* core_close -- plugins that break the rule of the one reply: a second one, or none. */
#include "t/core.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

static struct call_owner owner;

static void close_setup(void)
{
    core_setup();
    call_owner_init(&owner, core_loop, "store test", "store", NULL);
}

static void close_teardown(void)
{
    if (owner.book)
        call_owner_done(&owner, NULL, NULL);
    core_teardown();
}

static struct br_call *issue(br_time timeout, struct core_told *told)
{
    return call_new(&owner, CALL_WRITE, timeout, "commit 3 of 7", core_done, told);
}

/* -- A second reply ------------------------------------------------------------------------------
 */

static void twice_at_once(void *arg)
{
    struct br_call *call = issue(0, arg);
    br_reply_ok(call);
    br_reply_ok(call);
}

static void twice_after_delivery(void *arg)
{
    struct br_call *call = issue(0, arg);
    br_reply_ok(call);
    core_wait(arg, 1);
    br_reply_fail(call, BR_CONFLICT, "again");
}

static void twice_after_deadline(void *arg)
{
    struct br_call *call = issue(BR_MILLISECOND, arg);
    core_wait(arg, 1);
    br_reply_rows(call, NULL);
    loop_turn(core_loop);
    br_reply_rows(call, NULL);
}

static void rows_after_reply(void *arg)
{
    struct br_call *call = issue(0, arg);
    br_reply_ok(call);
    br_rows(call, 8);
}

static void rows_after_delivery(void *arg)
{
    struct br_call *call = issue(0, arg);
    br_reply_ok(call);
    core_wait(arg, 1);
    br_rows(call, 8);
}

/* As many other calls as the quarantine holds end in between. */
static void twice_much_later(void *arg)
{
    struct core_told *told = arg;
    struct br_call *call = issue(0, told);
    br_reply_ok(call);
    core_wait(told, 1);
    for (int i = 1; i < CALL_QUARANTINE_MAX; i++) {
        br_reply_ok(issue(0, told));
        core_wait(told, i + 1);
    }
    br_reply_ok(call);
}

static void *reply_run(void *arg)
{
    br_reply_ok(arg);
    return NULL;
}

static void twice_from_a_thread(void *arg)
{
    struct br_call *call = issue(0, arg);
    pthread_t thread;
    br_reply_ok(call);
    pthread_create(&thread, NULL, reply_run, call);
    pthread_join(thread, NULL);
}

static const struct {
    void (*run)(void *);
    const char *words;
} bugs[] = {
    { twice_at_once, "call 1: commit 3 of 7: replied to a second time" },
    { twice_after_delivery, "call 1: commit 3 of 7: replied to a second time" },
    { twice_after_deadline, "call 1: commit 3 of 7: replied to a second time" },
    { twice_much_later, "call 1: commit 3 of 7: replied to a second time" },
    { twice_from_a_thread, "call 1: commit 3 of 7: replied to a second time" },
    { rows_after_reply, "call 1: commit 3 of 7: asked for rows after the reply" },
    { rows_after_delivery, "call 1: commit 3 of 7: asked for rows after the reply" },
};

START_TEST(bug_names_who_and_what)
{
    struct core_told told = { 0 };
    const char *words = core_abort_words(bugs[_i].run, &told);
    ck_assert_msg(strstr(words, "who=\"store test\"") != NULL, "%s", words);
    ck_assert_msg(strstr(words, bugs[_i].words) != NULL, "%s", words);
}
END_TEST

START_TEST(bug_aborts)
{
    struct core_told told = { 0 };
    twice_at_once(&told);
}
END_TEST

/* Calls are used again, and a call used again is a new one. */
START_TEST(calls_are_used_again)
{
    struct core_told told = { 0 };
    uint64_t last = 0;
    for (int i = 0; i < 3 * CALL_QUARANTINE_MAX; i++) {
        struct br_call *call = issue(BR_MINUTE, &told);
        ck_assert_uint_gt(call->id, last);
        last = call->id;
        br_reply_value(call, (br_bytes){ "v", 1 }, i);
        core_wait(&told, i + 1);
        ck_assert_int_eq(told.version, i);
    }
}
END_TEST

/* -- No reply ------------------------------------------------------------------------------------
 */

START_TEST(close_names_the_unanswered)
{
    struct core_told told[3] = { 0 };
    struct br_call *calls[3];
    struct arena arena;
    arena_init(&arena, 0);
    char *state = mem_new(16), *option = arena_text(&arena, "option", 6);
    for (int i = 0; i < 3; i++)
        calls[i] = issue(i == 1 ? BR_MILLISECOND : 0, &told[i]);
    core_wait(&told[1], 1);
    br_reply_value(calls[2], (br_bytes){ "in the box", 10 }, 5);
    call_owner_done(&owner, state, &arena);
    memset(&owner, 0xee, sizeof owner); /* nothing may look at it from here on */
    owner.book = NULL;
    ck_assert_ptr_nonnull(strstr(core_logged(), "call 1: commit 3 of 7: closed without a reply"));
    ck_assert_ptr_nonnull(strstr(core_logged(), "call 2: commit 3 of 7: closed without a reply"));
    ck_assert_ptr_null(strstr(core_logged(), "call 3:"));
    core_wait(&told[0], 1);
    core_wait(&told[2], 1);
    ck_assert_int_eq(told[0].status, BR_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(told[0].message, "the plugin was closed before it answered"));
    ck_assert_int_eq(told[2].status, BR_OK);
    ck_assert_str_eq(told[2].value, "in the box");
    /* The plugin is free to touch what it has until its one reply, on any thread. */
    state[15] = 'x';
    ck_assert_str_eq(option, "option");
    for (int i = 0; i < 2; i++) {
        memset(br_rows(calls[i], 100), 1, 100);
        br_log(calls[i]->env, BR_ERROR, "not heard");
        pthread_t thread;
        pthread_create(&thread, NULL, reply_run, calls[i]);
        pthread_join(thread, NULL);
    }
    core_settle();
    ck_assert_int_eq(told[0].count + told[1].count + told[2].count, 3);
    ck_assert_ptr_null(strstr(core_logged(), "not heard"));
}
END_TEST

struct racer {
    pthread_t thread;
    struct br_call *call;
    struct core_told told;
};

/* Threads that reply while the plugin is closed: each call is delivered once all the same. */
START_TEST(close_against_replies)
{
    static struct racer racers[64];
    int replied = 0;
    for (int i = 0; i < 64; i++) {
        racers[i].call = issue(0, &racers[i].told);
        pthread_create(&racers[i].thread, NULL, reply_run, racers[i].call);
    }
    call_owner_done(&owner, NULL, NULL);
    for (int i = 0; i < 64; i++)
        core_wait(&racers[i].told, 1);
    for (int i = 0; i < 64; i++)
        pthread_join(racers[i].thread, NULL);
    for (int i = 0; i < 64; i++)
        replied += racers[i].told.status == BR_OK;
    for (int i = 0; i < 64; i++)
        ck_assert_int_eq(racers[i].told.count, 1);
    ck_assert_int_le(replied, 64);
}
END_TEST

START_TEST(close_with_nothing_left)
{
    struct core_told told = { 0 };
    br_reply_ok(issue(BR_MINUTE, &told));
    core_wait(&told, 1);
    call_owner_done(&owner, mem_new(8), NULL);
    ck_assert_str_eq(core_logged(), "");
}
END_TEST

TCase *core_close_cases(void)
{
    TCase *tcase = tcase_create("close");
    tcase_add_checked_fixture(tcase, close_setup, close_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, bug_names_who_and_what, 0, (int) (sizeof bugs / sizeof *bugs));
    tcase_add_test_raise_signal(tcase, bug_aborts, SIGABRT);
    tcase_add_test(tcase, calls_are_used_again);
    tcase_add_test(tcase, close_names_the_unanswered);
    tcase_add_test(tcase, close_against_replies);
    tcase_add_test(tcase, close_with_nothing_left);
    return tcase;
}
