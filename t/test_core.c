/* test_core -- the mailbox, the loop, the log and the services of plugins; calls are in
 * core_call.c and core_close.c, the service manager in core_notify.c.
 */
#include "t/core.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- Mailbox ----------------------------------------------------------------------------------- */

#define SENDERS 8
#define LETTERS 20000

struct mail {
    struct letter letter;
    int sender, number;
};

struct sender {
    pthread_t thread;
    struct mailbox *box;
    struct mail *mail;
    int count;
};

static void *sender_run(void *arg)
{
    struct sender *sender = arg;
    for (int i = 0; i < sender->count; i++)
        mailbox_put(sender->box, &sender->mail[i].letter);
    return NULL;
}

START_TEST(mailbox_rings_once)
{
    struct mailbox box;
    struct mail mail[3];
    uint64_t rings = 0;
    ck_assert_int_eq(mailbox_init(&box), 1);
    ck_assert_ptr_null(mailbox_take(&box));
    for (int i = 0; i < 3; i++)
        mailbox_put(&box, &mail[i].letter);
    ck_assert_int_eq(read(box.fd, &rings, sizeof rings), sizeof rings);
    ck_assert_uint_eq(rings, 1);
    struct letter *letter = mailbox_take(&box);
    for (int i = 0; i < 3; i++, letter = letter->next)
        ck_assert_ptr_eq(letter, &mail[i].letter);
    ck_assert_ptr_null(letter);
    mailbox_put(&box, &mail[0].letter); /* empty again: it rings again */
    ck_assert_ptr_eq(mailbox_take(&box), &mail[0].letter);
    ck_assert_int_lt(read(box.fd, &rings, sizeof rings), 0);
    mailbox_done(&box);
}
END_TEST

START_TEST(mailbox_many_threads)
{
    struct mailbox box;
    struct sender senders[SENDERS];
    int seen[SENDERS] = { 0 }, total = 0;
    ck_assert_int_eq(mailbox_init(&box), 1);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ .box = &box, .count = LETTERS };
        senders[i].mail = calloc(LETTERS, sizeof(struct mail));
        for (int j = 0; j < LETTERS; j++)
            senders[i].mail[j] = (struct mail){ .sender = i, .number = j };
        pthread_create(&senders[i].thread, NULL, sender_run, &senders[i]);
    }
    while (total < SENDERS * LETTERS) {
        for (struct letter *l = mailbox_take(&box); l; l = l->next, total++) {
            struct mail *mail = (struct mail *) l;
            ck_assert_int_eq(mail->number, seen[mail->sender]++);
        }
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
        free(senders[i].mail);
    }
    ck_assert_ptr_null(mailbox_take(&box));
    mailbox_done(&box);
}
END_TEST

/* -- Loop -------------------------------------------------------------------------------------- */

struct trace {
    struct loop *loop;
    int count;
    int order[64];
};

struct step {
    struct trace *trace;
    int number;
};

static void step_run(void *arg)
{
    struct step *step = arg;
    step->trace->order[step->trace->count++] = step->number;
}

START_TEST(loop_posts_in_order)
{
    struct trace trace = { 0 };
    struct step steps[10];
    for (int i = 0; i < 10; i++) {
        steps[i] = (struct step){ &trace, i };
        loop_post(core_loop, step_run, &steps[i]);
    }
    ck_assert_int_eq(trace.count, 0);
    loop_turn(core_loop);
    ck_assert_int_eq(trace.count, 10);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(trace.order[i], i);
}
END_TEST

static void trace_again(void *arg)
{
    struct trace *trace = arg;
    if (++trace->count < 5)
        loop_post(trace->loop, trace_again, trace);
    else
        loop_stop(trace->loop);
}

/* A post from inside a post is for a later turn, and loop_run returns at loop_stop. */
START_TEST(loop_runs_until_stopped)
{
    struct trace trace = { .loop = core_loop };
    loop_post(core_loop, trace_again, &trace);
    loop_turn(core_loop);
    ck_assert_int_eq(trace.count, 1);
    loop_run(core_loop);
    ck_assert_int_eq(trace.count, 5);
}
END_TEST

static void *post_run(void *arg)
{
    struct step *step = arg;
    loop_post(step->trace->loop, step_run, step);
    return NULL;
}

START_TEST(loop_is_woken_by_threads)
{
    struct trace trace = { .loop = core_loop };
    struct step step = { &trace, 7 };
    pthread_t thread;
    for (int i = 0; i < 50; i++) {
        pthread_create(&thread, NULL, post_run, &step);
        while (trace.count == i)
            loop_turn(core_loop);
        pthread_join(thread, NULL);
    }
    ck_assert_int_eq(trace.count, 50);
}
END_TEST

START_TEST(loop_free_opens_what_is_left)
{
    struct loop *loop = loop_new(NULL);
    struct trace trace = { 0 };
    struct step step = { &trace, 1 };
    loop_post(loop, step_run, &step);
    loop_free(loop);
    ck_assert_int_eq(trace.count, 1);
}
END_TEST

START_TEST(timers_fire_in_order_and_not_early)
{
    static const br_time delays[] = { 30, 10, 20, 0, -5 };
    static const int order[] = { 4, 3, 1, 2, 0 };
    struct trace trace = { 0 };
    struct step steps[5];
    br_time begin = loop_now(core_loop);
    for (int i = 0; i < 5; i++) {
        steps[i] = (struct step){ &trace, i };
        loop_after(core_loop, delays[i] * BR_MILLISECOND, step_run, &steps[i]);
    }
    struct timer *never = loop_after(core_loop, INT64_MAX, step_run, &steps[0]);
    struct timer *canceled = loop_after(core_loop, BR_MILLISECOND, step_run, &steps[0]);
    timer_cancel(canceled);
    timer_cancel(NULL);
    while (trace.count < 5)
        loop_turn(core_loop);
    ck_assert_int_ge(loop_now(core_loop) - begin, 30 * BR_MILLISECOND);
    for (int i = 2; i < 5; i++)
        ck_assert_int_eq(trace.order[i], order[i]);
    ck_assert_int_eq(trace.order[0] + trace.order[1], 7); /* both are due at once */
    timer_cancel(never);
}
END_TEST

struct prompt {
    struct loop *loop;
    br_time due;
    int fired, early;
    bool done;
};

static void prompt_busy(void *arg)
{
    struct prompt *prompt = arg;
    if (prompt->fired < 100)
        loop_post(prompt->loop, prompt_busy, prompt);
    else
        prompt->done = true;
}

static void prompt_fire(void *arg)
{
    struct prompt *prompt = arg;
    br_time now = loop_now(prompt->loop);
    prompt->early += now < prompt->due;
    if (++prompt->fired >= 100)
        return;
    prompt->due = now + BR_MILLISECOND;
    loop_after(prompt->loop, BR_MILLISECOND, prompt_fire, prompt);
}

/* A busy loop looks at its timers all the time, and libevent's clock is ahead now and then. */
START_TEST(timers_of_a_busy_loop_are_not_early)
{
    struct prompt prompt = { .loop = core_loop };
    loop_after(core_loop, 0, prompt_fire, &prompt);
    prompt_busy(&prompt);
    while (!prompt.done)
        loop_turn(core_loop);
    ck_assert_int_eq(prompt.early, 0);
}
END_TEST

START_TEST(random_differs)
{
    struct loop *other = loop_new(NULL);
    uint64_t a = loop_random(core_loop), b = loop_random(core_loop), c = loop_random(other);
    ck_assert(a != b && a != c && b != c);
    loop_free(other);
}
END_TEST

/* -- Log --------------------------------------------------------------------------------------- */

static const struct {
    const char *who, *message, *line;
} log_lines[] = {
    { "store", "connected", "who=store msg=\"connected\"" },
    { "store zookeeper", "x", "who=\"store zookeeper\" msg=\"x\"" },
    { "", "", "who=\"\" msg=\"\"" },
    { NULL, "x", "who=\"\" msg=\"x\"" },
    { "a\"b\n", "x", "who=\"a\\\"b\\n\" msg=\"x\"" },
    { "w", "two\nlines\r\t", "who=w msg=\"two\\nlines\\r\\t\"" },
    { "w", "say \"a\\b\"", "who=w msg=\"say \\\"a\\\\b\\\"\"" },
    { "w", "\x1b[31m\x7f\x01", "who=w msg=\"\\x1b[31m\\x7f\\x01\"" },
    { "w", "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5 \xf0\x9f\x90\x8e",
      "who=w msg=\"gr\xc3\xbc\xc3\x9f \xe6\x97\xa5 \xf0\x9f\x90\x8e\"" },
    { "w", "\xff\xc3", "who=w msg=\"\\xff\\xc3\"" },
    { "w", "100% of %s", "who=w msg=\"100% of %s\"" },
};

START_TEST(log_line)
{
    log_put(&core_log, BR_INFO, log_lines[_i].who, "%s", log_lines[_i].message);
    const char *text = core_logged();
    int year, month, day, hour, minute, second, millis, used = 0;
    ck_assert_int_eq(sscanf(text, "ts=%4d-%2d-%2dT%2d:%2d:%2d.%3dZ level=info %n", &year, &month,
                            &day, &hour, &minute, &second, &millis, &used),
                     7);
    ck_assert_int_eq(used, (int) strlen("ts=2026-11-23T01:02:03.456Z level=info "));
    size_t size = strlen(log_lines[_i].line);
    ck_assert_int_eq(strncmp(text + used, log_lines[_i].line, size), 0);
    ck_assert_str_eq(text + used + size, "\n");
}
END_TEST

START_TEST(log_levels)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };
    for (br_level level = BR_ERROR; level <= BR_DEBUG; level++) {
        struct log log = { .fd = core_log.fd, .level = level };
        ck_assert_int_eq(ftruncate(log.fd, 0), 0);
        lseek(log.fd, 0, SEEK_SET);
        for (br_level said = BR_ERROR; said <= BR_DEBUG; said++)
            log_put(&log, said, "w", "x");
        for (br_level said = BR_ERROR; said <= BR_DEBUG; said++)
            ck_assert_int_eq(strstr(core_logged(), names[said]) != NULL, said <= level);
    }
    log_put(NULL, BR_ERROR, "w", "nobody listens");
}
END_TEST

/* Around the limit, with a character of each width at the cut: whole characters, a closing quote.
 */
START_TEST(log_line_max)
{
    static const char *const units[] = { "a", "\xc3\xbc", "\xe6\x97\xa5", "\xf0\x9f\x90\x8e",
                                         "\"" };
    char message[2 * LOG_LINE_MAX] = "";
    bool cut = false;
    for (int size = _i; size < LOG_LINE_MAX; size++) {
        memset(message, 'x', (size_t) size);
        snprintf(message + size, sizeof message - (size_t) size, "%s%s", units[_i], units[_i]);
        ck_assert_int_eq(ftruncate(core_log.fd, 0), 0);
        lseek(core_log.fd, 0, SEEK_SET);
        log_put(&core_log, BR_WARN, "w", "%s", message);
        const char *text = core_logged();
        size_t length = strlen(text);
        ck_assert_uint_le(length, LOG_LINE_MAX);
        ck_assert_str_eq(text + length - 2, "\"\n");
        ck_assert_ptr_eq(strchr(text, '\n'), text + length - 1);
        cut = strcmp(text + length - 5, "...\"\n") == 0;
        if (cut)
            ck_assert((unsigned char) text[length - 6] < 0xc0 && text[length - 6] != '\\');
        else
            ck_assert_ptr_nonnull(strstr(text, units[_i]));
    }
    ck_assert(cut);
}
END_TEST

static void *log_run(void *arg)
{
    for (int i = 0; i < 200; i++)
        log_put(arg, BR_INFO, "thread", "%s %d", "a line that is not very short", i);
    return NULL;
}

START_TEST(log_lines_do_not_mix)
{
    pthread_t threads[8];
    int count = 0;
    fcntl(core_log.fd, F_SETFL, O_APPEND);
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, log_run, &core_log);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    for (const char *line = core_logged(); *line; line = strchr(line, '\n') + 1, count++) {
        ck_assert_int_eq(strncmp(line, "ts=", 3), 0);
        ck_assert_ptr_nonnull(strstr(line, "msg=\"a line that is not very short "));
    }
    ck_assert_int_eq(count, 1600);
}
END_TEST

/* -- Services ---------------------------------------------------------------------------------- */

static struct call_owner owner;

static void services_setup(void)
{
    core_setup();
    call_owner_init(&owner, core_loop, "store test", "store", NULL);
}

static void services_teardown(void)
{
    if (owner.book)
        call_owner_done(&owner, NULL, NULL);
    core_teardown();
}

static void count_run(struct br_env *env, void *arg)
{
    ck_assert_ptr_eq(env, call_env(&owner));
    ++*(int *) arg;
}

START_TEST(services_timers)
{
    int fired = 0, disarmed = 0, left = 0;
    struct br_env *env = &owner.env;
    struct br_timer *first = br_after(env, 0, count_run, &disarmed);
    br_after(env, 2 * BR_MILLISECOND, count_run, &fired);
    br_after(env, 1 * BR_MILLISECOND, count_run, &fired);
    struct br_timer *last = br_after(env, 0, count_run, &disarmed);
    br_disarm(env, first);
    br_disarm(env, last);
    br_disarm(env, NULL);
    while (fired < 2)
        loop_turn(core_loop);
    ck_assert_int_eq(disarmed, 0);
    br_after(env, 0, count_run, &left);
    br_after(env, BR_MILLISECOND, count_run, &left);
    call_owner_disarm(&owner);
    br_post(env, count_run, &fired);
    while (fired < 3)
        loop_turn(core_loop);
    ck_assert_int_eq(left, 0);
}
END_TEST

START_TEST(services_posts)
{
    int run = 0, dropped = 0;
    br_post(&owner.env, count_run, &run);
    loop_turn(core_loop);
    ck_assert_int_eq(run, 1);
    br_post(&owner.env, count_run, &dropped);
    call_owner_done(&owner, NULL, NULL);
    loop_turn(core_loop);
    ck_assert_int_eq(dropped, 0);
}
END_TEST

START_TEST(services_table)
{
    struct br_env *env = &owner.env;
    ck_assert_uint_eq(env->host->size, sizeof(struct br_host));
    ck_assert_uint_eq(env->host->abi_major, BR_ABI_MAJOR);
    ck_assert_uint_eq(env->host->abi_minor, BR_ABI_MINOR);
    ck_assert_str_eq(env->host->version, BRIDLE_VERSION);
    ck_assert_str_eq(env->instance, "store");
    ck_assert_ptr_eq(env->loop, core_loop->base);
    br_time before = loop_now(core_loop), now = br_now(env);
    ck_assert(before <= now && now <= loop_now(core_loop));
    ck_assert(br_random(env) != br_random(env));
    ck_assert_int_eq(br_fail(env, BR_INVALID, "hosts: %s", "none"), BR_INVALID);
    ck_assert_int_eq(owner.fail.status, BR_INVALID);
    ck_assert_str_eq(owner.fail.text, "store test: hosts: none");
    br_log(env, BR_WARN, "slow: %d ms", 40);
    ck_assert_ptr_nonnull(
        strstr(core_logged(), "level=warn who=\"store test\" msg=\"slow: 40 ms\"\n"));
}
END_TEST

struct sink {
    struct br_findings findings; /* first */
    struct br_subject subject;
    char text[4096];
};

static void sink_find(struct br_findings *findings, const struct br_subject *subject,
                      const char *sentence)
{
    struct sink *sink = (struct sink *) findings;
    sink->subject = *subject;
    snprintf(sink->text, sizeof sink->text, "%s", sentence);
}

START_TEST(services_findings)
{
    struct sink sink = { .findings.find = sink_find };
    struct br_subject subject = { .table = 3, .partition = 4, .severity = BR_LOSS };
    char name[2 * BR_FINDING_TEXT_MAX];
    br_find(&owner.env, &sink.findings, &subject, "partition(%d.%d) %s", 3, 4, "a\nERROR: b\x7f");
    ck_assert_str_eq(sink.text, "partition(3.4) a?ERROR: b?");
    ck_assert_int_eq(sink.subject.partition, 4);
    memset(name, 'n', sizeof name);
    for (int size = BR_FINDING_TEXT_MAX - 1; size <= BR_FINDING_TEXT_MAX + 1; size++) {
        br_find(&owner.env, &sink.findings, &subject, "%.*s", size, name);
        ck_assert_uint_eq(strlen(sink.text),
                          (size_t) (size < BR_FINDING_TEXT_MAX ? size : BR_FINDING_TEXT_MAX));
    }
}
END_TEST

int main(void)
{
    TCase *mailbox = tcase_create("mailbox");
    tcase_add_test(mailbox, mailbox_rings_once);
    tcase_add_test(mailbox, mailbox_many_threads);
    TCase *loop = tcase_create("loop");
    tcase_add_checked_fixture(loop, core_setup, core_teardown);
    tcase_add_test(loop, loop_posts_in_order);
    tcase_add_test(loop, loop_runs_until_stopped);
    tcase_add_test(loop, loop_is_woken_by_threads);
    tcase_add_test(loop, loop_free_opens_what_is_left);
    tcase_add_test(loop, timers_fire_in_order_and_not_early);
    tcase_add_test(loop, timers_of_a_busy_loop_are_not_early);
    tcase_add_test(loop, random_differs);
    TCase *log = tcase_create("log");
    tcase_add_checked_fixture(log, core_setup, core_teardown);
    tcase_add_loop_test(log, log_line, 0, (int) (sizeof log_lines / sizeof *log_lines));
    tcase_add_test(log, log_levels);
    tcase_add_loop_test(log, log_line_max, 0, 5);
    tcase_add_test(log, log_lines_do_not_mix);
    TCase *services = tcase_create("services");
    tcase_add_checked_fixture(services, services_setup, services_teardown);
    tcase_add_test(services, services_timers);
    tcase_add_test(services, services_posts);
    tcase_add_test(services, services_table);
    tcase_add_test(services, services_findings);
    return test_run("core", mailbox, loop, log, services, core_call_cases(), core_close_cases(),
                    core_notify_cases(), NULL);
}
