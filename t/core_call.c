/* core_call -- a call's way: delivered once, never from inside, in time or not, canceled,
 * forgotten, with rows, with a sentence.
 */
#include "t/core.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct call_owner owner;

static void call_setup(void)
{
    core_setup();
    call_owner_init(&owner, core_loop, "store test", "store", NULL);
}

static void call_teardown(void)
{
    call_owner_done(&owner, NULL, NULL);
    core_teardown();
}

static struct br_call *issue(enum call_kind kind, br_time timeout, struct core_told *told)
{
    return call_new(&owner, kind, timeout, "commit 3 of 7", core_done, told);
}

START_TEST(never_from_inside)
{
    struct core_told told = { 0 };
    struct br_call *call = issue(CALL_READ, 0, &told);
    ck_assert_int_eq(call->deadline, 0);
    ck_assert_uint_eq(owner.outstanding, 1);
    br_reply_ok(call);
    ck_assert_int_eq(told.count, 0);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_OK);
    ck_assert_str_eq(told.message, "");
    ck_assert_uint_eq(owner.outstanding, 0);
    ck_assert_ptr_null(owner.calls);
    core_settle();
    ck_assert_int_eq(told.count, 1);
}
END_TEST

#define THREADS 100

struct replier {
    pthread_t thread;
    struct br_call *call;
    struct core_told told;
    int number;
};

static void *replier_run(void *arg)
{
    struct replier *replier = arg;
    char text[32];
    memset(br_rows(replier->call, 3000), 'r', 3000);
    int size = snprintf(text, sizeof text, "thread %d", replier->number);
    br_reply_value(replier->call, (br_bytes){ text, (size_t) size }, replier->number);
    memset(text, 0, sizeof text);
    return NULL;
}

START_TEST(hundred_threads)
{
    static struct replier repliers[THREADS];
    char expected[32];
    for (int i = 0; i < THREADS; i++) {
        repliers[i] = (struct replier){ .number = i };
        repliers[i].call = issue(CALL_WRITE, BR_MINUTE, &repliers[i].told);
        pthread_create(&repliers[i].thread, NULL, replier_run, &repliers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        core_wait(&repliers[i].told, 1);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(repliers[i].thread, NULL);
        snprintf(expected, sizeof expected, "thread %d", i);
        ck_assert_int_eq(repliers[i].told.count, 1);
        ck_assert_int_eq(repliers[i].told.version, i);
        ck_assert_str_eq(repliers[i].told.value, expected);
    }
    ck_assert_uint_eq(owner.outstanding, 0);
}
END_TEST

/* -- Deadlines --------------------------------------------------------------------------------- */

START_TEST(deadline)
{
    static const br_status expected[] = { [CALL_READ] = BR_TIMEOUT, [CALL_WRITE] = BR_UNKNOWN };
    enum call_kind kind = (enum call_kind) _i;
    struct core_told told = { 0 };
    br_time begin = loop_now(core_loop);
    struct br_call *call = issue(kind, 5 * BR_MILLISECOND, &told);
    ck_assert_int_ge(call->deadline, begin + 5 * BR_MILLISECOND);
    char *memory = arena_text(call_memory(call), "given", 5), message[128];
    core_wait(&told, 1);
    ck_assert_int_ge(loop_now(core_loop), call->deadline);
    ck_assert_int_eq(told.status, expected[kind]);
    snprintf(message, sizeof message, "store test: call %llu: commit 3 of 7: no answer within 5 ms",
             (unsigned long long) call->id);
    ck_assert_str_eq(told.message, message);
    ck_assert_uint_eq(owner.outstanding, 1);
    ck_assert_str_eq(memory, "given"); /* it is the plugin's until it replies */
    memset(br_rows(call, 100000), 1, 100000);
    br_reply_value(call, (br_bytes){ "late", 4 }, 1);
    core_settle();
    ck_assert_int_eq(told.count, 1);
    ck_assert_uint_eq(owner.outstanding, 0);
}
END_TEST

/* Replies that come just when the deadline does: one delivery, either way. */
START_TEST(deadline_against_late_reply)
{
    for (int round = 0; round < 200; round++) {
        struct replier replier = { .number = round };
        replier.call = issue(CALL_READ, BR_MILLISECOND / 8, &replier.told);
        pthread_create(&replier.thread, NULL, replier_run, &replier);
        core_wait(&replier.told, 1);
        pthread_join(replier.thread, NULL);
        core_settle();
        ck_assert_int_eq(replier.told.count, 1);
        ck_assert(replier.told.status == BR_OK || replier.told.status == BR_TIMEOUT);
        ck_assert_uint_eq(owner.outstanding, 0);
    }
}
END_TEST

START_TEST(deadline_far_away)
{
    struct core_told told = { 0 };
    struct br_call *call = issue(CALL_READ, INT64_MAX, &told);
    ck_assert_int_eq(call->deadline, INT64_MAX);
    br_reply_ok(call);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_OK);
}
END_TEST

/* -- Cancel and forget ---------------------------------------------------------------------------
 */

static int hints;

static void hint_only(struct br_env *env, struct br_call *call)
{
    ck_assert_ptr_eq(env, call->env);
    hints++;
}

static void hint_replies(struct br_env *env, struct br_call *call)
{
    hint_only(env, call);
    br_reply_fail(call, BR_CANCELED, "not sent yet");
}

static const struct {
    enum call_kind kind;
    void (*hint)(struct br_env *, struct br_call *);
    bool replied; /* before it is canceled */
    br_status status;
    int hints;
} cancels[] = {
    { CALL_READ, NULL, false, BR_CANCELED, 0 },
    { CALL_WRITE, NULL, false, BR_UNKNOWN, 0 },
    { CALL_READ, hint_only, false, BR_CANCELED, 1 },
    { CALL_WRITE, hint_only, false, BR_UNKNOWN, 1 },
    { CALL_WRITE, hint_replies, false, BR_CANCELED, 1 }, /* what really happened */
    { CALL_WRITE, hint_only, true, BR_OK, 0 },
    { CALL_READ, hint_only, true, BR_OK, 0 },
};

START_TEST(cancel)
{
    struct core_told told = { 0 };
    bool in_time = cancels[_i].replied, by_hint = cancels[_i].hint == hint_replies;
    struct br_call *call = issue(cancels[_i].kind, 20 * BR_MILLISECOND, &told);
    hints = 0;
    if (in_time)
        br_reply_ok(call);
    call_cancel(call, cancels[_i].hint);
    ck_assert_int_eq(told.count, 0);
    if (!in_time && !by_hint)
        call_cancel(call, cancels[_i].hint); /* twice is once */
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, cancels[_i].status);
    ck_assert_int_eq(hints, cancels[_i].hints);
    if (!in_time && !by_hint) {
        ck_assert_ptr_nonnull(strstr(told.message, "commit 3 of 7: canceled before it was"));
        ck_assert_uint_eq(owner.outstanding, 1);
        br_reply_value(call, (br_bytes){ "late", 4 }, 1);
    }
    core_settle();
    ck_assert_int_eq(told.count, 1);
    ck_assert_uint_eq(owner.outstanding, 0);
}
END_TEST

START_TEST(cancel_then_reply_in_one_turn)
{
    struct core_told told = { 0 };
    struct br_call *call = issue(CALL_WRITE, BR_MINUTE, &told);
    call_cancel(call, NULL);
    br_reply_ok(call);
    core_settle();
    ck_assert_int_eq(told.count, 1);
    ck_assert_int_eq(told.status, BR_UNKNOWN);
    ck_assert_uint_eq(owner.outstanding, 0);
}
END_TEST

START_TEST(forget)
{
    struct core_told told = { 0 };
    struct br_call *calls[4];
    for (int i = 0; i < 4; i++)
        calls[i] = issue(CALL_WRITE, i % 2 ? BR_MILLISECOND : 0, &told);
    br_reply_ok(calls[0]);
    call_cancel(calls[1], NULL);
    for (int i = 0; i < 4; i++)
        call_forget(calls[i]);
    core_settle();
    for (int i = 1; i < 4; i++)
        br_reply_fail(calls[i], BR_CONFLICT, "late");
    core_settle();
    ck_assert_int_eq(told.count, 0);
    ck_assert_uint_eq(owner.outstanding, 0);
}
END_TEST

/* -- Sentences and statuses ----------------------------------------------------------------------
 */

static const struct {
    enum call_kind kind;
    br_status given, told;
} statuses[] = {
    { CALL_READ, BR_NOTFOUND, BR_NOTFOUND },
    { CALL_WRITE, BR_CONFLICT, BR_CONFLICT },
    { CALL_WRITE, BR_UNKNOWN, BR_UNKNOWN },
    { CALL_WRITE, BR_FENCED, BR_FENCED },
    { CALL_READ, BR_UNKNOWN, BR_UNAVAILABLE },
    { CALL_READ, BR_FENCED, BR_UNAVAILABLE },
    { CALL_READ, BR_OK, BR_INTERNAL },
    { CALL_WRITE, BR_OK, BR_UNKNOWN },
    { CALL_READ, -1, BR_INTERNAL },
    { CALL_WRITE, 66, BR_UNKNOWN },
    { CALL_WRITE, BR_TIMEOUT + 1, BR_UNKNOWN },
    { CALL_READ, BR_TIMEOUT, BR_TIMEOUT },
};

START_TEST(status_of_failure)
{
    struct core_told told = { 0 };
    char message[128];
    struct br_call *call = issue(statuses[_i].kind, 0, &told);
    uint64_t id = call->id;
    br_reply_fail_as(call, statuses[_i].given, "ERR_BUSY", "version %d, expected %d", 4, 3);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, statuses[_i].told);
    ck_assert_str_eq(told.code, "ERR_BUSY");
    snprintf(message, sizeof message, "store test: call %llu: commit 3 of 7: version 4, expected 3",
             (unsigned long long) id);
    ck_assert_str_eq(told.message, message);
}
END_TEST

START_TEST(long_words_are_cut)
{
    char words[4 * FAIL_TEXT_MAX];
    struct core_told told = { 0 };
    memset(words, 'w', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    struct br_call *call = call_new(&owner, CALL_READ, 0, words, core_done, &told);
    br_reply_fail(call, BR_INVALID, "%s", words);
    core_wait(&told, 1);
    size_t head = strcspn(told.message, "w");
    ck_assert_uint_eq(strspn(told.message + head, "w"), CALL_WHAT_MAX - 1);
    const char *sentence = strstr(told.message, "w: w");
    ck_assert_ptr_nonnull(sentence);
    ck_assert_uint_eq(strlen(sentence + 3), FAIL_TEXT_MAX - 1);
    ck_assert_str_eq(told.code, "");
}
END_TEST

/* -- Rows ----------------------------------------------------------------------------------------
 */

static const struct br_chunk *chunk_make(struct br_call *call, struct br_chunk model,
                                         uint32_t first, const struct br_chunk *next)
{
    struct br_chunk *chunk = br_rows(call, sizeof *chunk);
    int64_t *rows = br_rows(call, sizeof *rows * model.count);
    for (uint32_t i = 0; i < model.count; i++)
        rows[i] = first + i;
    model.next = next;
    model.rows = rows;
    *chunk = model;
    return chunk;
}

START_TEST(rows_can_be_kept)
{
    struct core_told told = { 0 };
    struct br_call *call = issue(CALL_READ, 0, &told);
    struct br_chunk model = { .kind = BR_ROW_VALUE, .row_size = 8, .count = 10000 };
    call_expect(call, BR_ROW_VALUE, 20000);
    const struct br_chunk *second = chunk_make(call, model, 10000, NULL);
    br_reply_rows(call, chunk_make(call, model, 0, second));
    core_wait(&told, 1);
    core_settle();
    ck_assert_int_eq(told.status, BR_OK);
    int64_t expected = 0;
    for (const struct br_chunk *chunk = told.chunks; chunk; chunk = chunk->next)
        for (uint32_t i = 0; i < chunk->count; i++)
            ck_assert_int_eq(*(const int64_t *) call_row(chunk, i, NULL, 8), expected++);
    ck_assert_int_eq(expected, 20000);
    arena_done(&told.kept);
}
END_TEST

static const struct {
    struct br_chunk chunk;
    int64_t count;
    const char *wrong; /* NULL: fine */
} row_checks[] = {
    { { .kind = BR_ROW_TABLE, .row_size = 8, .count = 3 }, 3, NULL },
    { { .kind = BR_ROW_TABLE, .row_size = 8, .count = 3 }, -1, NULL },
    { { .kind = BR_ROW_TABLE, .row_size = 8, .count = 0 }, 0, NULL },
    { { .kind = BR_ROW_TABLE, .row_size = 8, .count = 3 },
      4,
      "answered 3 rows where 4 were asked" },
    { { .kind = BR_ROW_NAME, .row_size = 8, .count = 3 },
      3,
      "answered rows of kind 1 where kind 3 was asked" },
    { { .kind = BR_ROW_TABLE, .row_size = 0, .count = 3 }, 3, "answered rows of 0 bytes each" },
    { { .kind = BR_ROW_TABLE, .row_size = 12, .count = 3 }, 3, "answered rows of 12 bytes each" },
};

START_TEST(rows_are_checked)
{
    struct core_told told = { 0 };
    struct br_call *call = issue(CALL_READ, 0, &told);
    call_expect(call, BR_ROW_TABLE, row_checks[_i].count);
    br_reply_rows(call, chunk_make(call, row_checks[_i].chunk, 0, NULL));
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, row_checks[_i].wrong ? BR_CORRUPT : BR_OK);
    if (row_checks[_i].wrong)
        ck_assert_ptr_nonnull(strstr(told.message, row_checks[_i].wrong));
    arena_done(&told.kept);
}
END_TEST

START_TEST(rows_at_no_address_or_none_at_all)
{
    struct core_told told = { 0 };
    struct br_call *call = issue(CALL_READ, 0, &told);
    struct br_chunk *chunk = br_rows(call, sizeof *chunk);
    *chunk = (struct br_chunk){ .kind = BR_ROW_NAME, .row_size = 8, .count = 1 };
    call_expect(call, BR_ROW_NAME, -1);
    br_reply_rows(call, chunk);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_CORRUPT);
    call = issue(CALL_READ, 0, &told);
    call_expect(call, BR_ROW_NAME, 1);
    br_reply_rows(call, NULL);
    core_wait(&told, 2);
    ck_assert_int_eq(told.status, BR_CORRUPT);
}
END_TEST

/* A row of the plugin's size seen with the host's: shorter, equal, longer. */
START_TEST(row_sizes)
{
    int64_t rows[12], room[4];
    for (int i = 0; i < 12; i++)
        rows[i] = i + 1;
    uint32_t words = (uint32_t) _i + 1;
    struct br_chunk chunk = { .row_size = words * 8, .count = 12 / words, .rows = rows };
    for (uint32_t row = 0; row < chunk.count; row++) {
        memset(room, 0xff, sizeof room);
        const int64_t *seen = call_row(&chunk, row, room, 3 * sizeof *room);
        for (uint32_t i = 0; i < 3; i++)
            ck_assert_int_eq(seen[i], i < words ? rows[row * words + i] : 0);
        ck_assert((words < 3) == (seen == room));
        ck_assert_int_eq(room[3], -1);
    }
}
END_TEST

TCase *core_call_cases(void)
{
    TCase *tcase = tcase_create("call");
    tcase_add_checked_fixture(tcase, call_setup, call_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, never_from_inside);
    tcase_add_test(tcase, hundred_threads);
    tcase_add_loop_test(tcase, deadline, CALL_READ, CALL_WRITE + 1);
    tcase_add_test(tcase, deadline_against_late_reply);
    tcase_add_test(tcase, deadline_far_away);
    tcase_add_loop_test(tcase, cancel, 0, (int) (sizeof cancels / sizeof *cancels));
    tcase_add_test(tcase, cancel_then_reply_in_one_turn);
    tcase_add_test(tcase, forget);
    tcase_add_loop_test(tcase, status_of_failure, 0, (int) (sizeof statuses / sizeof *statuses));
    tcase_add_test(tcase, long_words_are_cut);
    tcase_add_test(tcase, rows_can_be_kept);
    tcase_add_loop_test(tcase, rows_are_checked, 0, (int) (sizeof row_checks / sizeof *row_checks));
    tcase_add_test(tcase, rows_at_no_address_or_none_at_all);
    tcase_add_loop_test(tcase, row_sizes, 0, 4);
    return tcase;
}
