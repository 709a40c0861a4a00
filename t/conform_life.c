/* conform_life -- descriptor, options, opening, starting, stopping with calls outstanding; and the
 * rates of commits (--bench).
 */
#include "t/conform.h"

#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(descriptor_is_whole)
{
    const struct br_store *store = conform.desc->ops.store;
    ck_assert_str_eq(conform.desc->kind, "store");
    ck_assert_str_eq(conform.desc->name, conform.name);
    ck_assert(conform.desc->version && conform.desc->summary && conform.desc->license);
    ck_assert(store->read && store->list && store->commit);
    ck_assert(!store->lock == !store->unlock && !store->lock == !store->owner);
    ck_assert(!store->lock == !store->lost && !store->lock == !store->cancel);
    ck_assert(!store->batch_bytes_max || store->batch_bytes_max > BR_PATH_MAX);
}
END_TEST

START_TEST(unknown_option_is_refused)
{
    struct plugin plugin;
    struct fail fail;
    struct arena arena;
    char *options[CONFORM_OPTIONS_MAX + 2];
    int count = 0;
    for (; conform.options[count]; count++)
        options[count] = conform.options[count];
    options[count] = "no_such_option=1";
    options[count + 1] = NULL;
    arena_init(&arena, 0);
    ck_assert_int_ne(plugin_open(&plugin, conform.loop, conform.desc, "store",
                                 conform_section(&arena, options), &fail),
                     BR_OK);
    ck_assert_ptr_nonnull(strstr(fail.text, "no_such_option"));
    arena_done(&arena);
}
END_TEST

START_TEST(required_options_are_required)
{
    struct plugin plugin;
    struct fail fail;
    const struct br_option *required = conform.desc->options;
    while (required && required->name && !(required->flags & BR_REQUIRED))
        required++;
    br_status status = plugin_open(&plugin, conform.loop, conform.desc, "store", NULL, &fail);
    ck_assert_int_eq(status != BR_OK, required && required->name);
    if (status == BR_OK)
        plugin_close(&plugin);
    else
        ck_assert_msg(strstr(fail.text, required->name) != NULL, "%s", fail.text);
}
END_TEST

/* open does no I/O and close frees what it made. */
START_TEST(opened_and_closed_without_growth)
{
    size_t before = 0;
    for (int i = 0; i < 1000; i++) {
        struct instance *in = instance_make();
        plugin_close(&in->plugin);
        arena_done(&in->arena);
        free(in);
        if (i == 10)
            before = mallinfo2().uordblks;
    }
    ck_assert_uint_le(mallinfo2().uordblks, before + 4096);
}
END_TEST

/* The process is the host's: nothing of it changes, and nothing is written to stdout. */
START_TEST(process_is_left_alone)
{
    struct sigaction before[64], after;
    struct stat st;
    char cwd[2][4096];
    char *directory = test_directory();
    struct buf file = { 0 };
    buf_printf(&file, "%s/stdout", directory);
    int out = dup(1), capture = open(file.data, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    ck_assert(out >= 0 && capture >= 0 && getcwd(cwd[0], sizeof cwd[0]));
    fflush(stdout);
    dup2(capture, 1);
    for (int i = 1; i < 32; i++)
        sigaction(i, NULL, &before[i]);
    struct instance *in = instance_new();
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_EXISTS);
    instance_free(in);
    for (int i = 1; i < 32; i++) {
        sigaction(i, NULL, &after);
        ck_assert_msg(after.sa_handler == before[i].sa_handler, "signal %d", i);
    }
    fflush(stdout);
    dup2(out, 1);
    ck_assert_int_eq(fstat(capture, &st), 0);
    ck_assert_int_eq(st.st_size, 0);
    ck_assert(getcwd(cwd[1], sizeof cwd[1]) && strcmp(cwd[0], cwd[1]) == 0);
    ck_assert_str_eq(setlocale(LC_ALL, NULL), "C");
    close(out);
    close(capture);
    buf_done(&file);
    free(directory);
}
END_TEST

START_TEST(started_and_stopped_again)
{
    bool keeps = !(conform.desc->ops.store->flags & BR_STORE_EPHEMERAL);
    for (int i = 0; i < 10; i++) {
        struct instance *in = instance_new();
        br_status status = conform_write(in, BR_CREATE, conform.root, "kept", 0);
        ck_assert_int_eq(status, keeps && i > 0 ? BR_EXISTS : BR_OK);
        instance_free(in);
    }
}
END_TEST

#define COMMITS 50

static struct answer commits[COMMITS], waits[4];
static struct br_write writes[COMMITS];

static void issue_all(struct instance *in, const char *const paths[COMMITS])
{
    for (int i = 0; i < 3; i++)
        answer_init(&waits[i]);
    if (in->plugin.ops.store.lock) {
        store_lock(&in->plugin, at("lock"), "h:1", answer_take, &waits[0]);
        answer_wait(&waits[0]);
        struct buf fence = { 0 };
        buf_put(&fence, waits[0].value.data, waits[0].value.size);
        answer_done(&waits[0]);
        answer_init(&waits[0]);
        store_lock(&in->plugin, at("lock"), "h:2", answer_take, &waits[0]);
        store_owner(&in->plugin, at("lock"), "h:1", answer_take, &waits[1]);
        store_lost(&in->plugin, fence.data, answer_take, &waits[2]);
        buf_done(&fence);
    }
    for (int i = 0; i < COMMITS; i++) {
        writes[i] = (struct br_write){ .kind = BR_CREATE, .path = paths[i] };
        conform_issue(in, &writes[i], 1, &commits[i]);
    }
    answer_init(&waits[3]);
    store_read(&in->plugin, paths, COMMITS, NULL, PLUGIN_FOREVER, answer_take, &waits[3]);
}

/* Every outstanding call is answered before stop is; a commit that was called off did not happen,
 * one that was not did. */
START_TEST(stop_answers_everything)
{
    const char *paths[COMMITS];
    struct instance *in = instance_new();
    bool locks = in->plugin.ops.store.lock, keeps;
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    for (int i = 0; i < COMMITS; i++)
        paths[i] = mem_text(at("n%d", i));
    issue_all(in, paths);
    instance_stop(in);
    for (int i = locks ? 0 : 3; i < 4; i++)
        answer_done(&waits[i]);
    keeps = !(in->plugin.ops.store.flags & BR_STORE_EPHEMERAL);
    plugin_close(&in->plugin);
    arena_done(&in->arena);
    free(in);
    in = instance_new();
    for (int i = 0; i < COMMITS; i++) {
        br_status status = commits[i].status;
        ck_assert_msg(status == BR_OK || status == BR_CANCELED || status == BR_UNAVAILABLE
                          || status == BR_UNKNOWN,
                      "commit %d: %d: %s", i, status, commits[i].text);
        answer_done(&commits[i]);
        if (keeps && !br_may_have_happened(status))
            ck_assert_int_eq(conform_get(in, paths[i], NULL, NULL),
                             status == BR_OK ? BR_OK : BR_NOTFOUND);
        free((void *) (uintptr_t) paths[i]);
    }
    instance_free(in);
}
END_TEST

TCase *conform_life_case(void)
{
    TCase *tcase = conform_case("life");
    tcase_add_test(tcase, descriptor_is_whole);
    tcase_add_test(tcase, unknown_option_is_refused);
    tcase_add_test(tcase, required_options_are_required);
    tcase_add_test(tcase, opened_and_closed_without_growth);
    tcase_add_test(tcase, process_is_left_alone);
    tcase_add_test(tcase, started_and_stopped_again);
    tcase_add_test(tcase, stop_answers_everything);
    return tcase;
}

/* -- Rates ------------------------------------------------------------------------------------ */

#define BENCH_WRITES 100000
#define BENCH_VALUE  350

/* `size` creates a commit, `flight` commits at once; creates per second. */
static double bench(struct instance *in, const char *base, uint32_t total, uint32_t size,
                    uint32_t flight)
{
    static char value[BENCH_VALUE];
    struct br_write *all = mem_array(total, sizeof *all);
    struct answer *answers = mem_array(total / size, sizeof *answers);
    for (uint32_t i = 0; i < total; i++)
        all[i] = (struct br_write){ .kind = BR_CREATE,
                                    .path = mem_text(at("%s/%u", base, i)),
                                    .value = { value, sizeof value } };
    ck_assert_int_eq(conform_write(in, BR_CREATE, at("%s", base), "", 0), BR_OK);
    br_time start = loop_now(conform.loop);
    for (uint32_t i = 0; i < total / size + flight; i++) {
        if (i < total / size)
            conform_issue(in, all + i * size, size, &answers[i]);
        if (i < flight)
            continue;
        answer_wait(&answers[i - flight]);
        ck_assert_msg(answers[i - flight].status == BR_OK, "%s", answers[i - flight].text);
        answer_done(&answers[i - flight]);
    }
    double seconds = (double) (loop_now(conform.loop) - start) / 1e9;
    for (uint32_t i = 0; i < total; i++)
        free((void *) (uintptr_t) all[i].path);
    free(all);
    free(answers);
    return total / seconds;
}

START_TEST(rates)
{
    struct instance *in = instance_new();
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    printf("store %s, values of %d bytes, creates per second:\n", conform.name, BENCH_VALUE);
    printf("  one by one               %10.0f\n", bench(in, "one", 2000, 1, 0));
    printf("  single, 64 in flight     %10.0f\n", bench(in, "flight", 20000, 1, 64));
    printf("  1000 a batch             %10.0f\n", bench(in, "batch", BENCH_WRITES, 1000, 0));
    printf("  1000 a batch, 4 at once  %10.0f\n", bench(in, "both", BENCH_WRITES, 1000, 4));
    instance_free(in);
}
END_TEST

TCase *conform_bench_case(void)
{
    TCase *tcase = conform_case("rates");
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, rates);
    return tcase;
}
