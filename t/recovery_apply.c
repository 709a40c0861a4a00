/* recovery_apply -- plans into the real stores, in memory and SQLite: the tree is the plan. */
#include "t/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/mem.h"

static const char *const apply_stores[] = { "memory", "sqlite" };

static char *apply_directory;
static char *apply_file;

static struct plugin *apply_store(int which)
{
    if (which == 0)
        return recovery_store("memory", NULL);
    if (!apply_file) {
        struct buf file = { 0 };
        apply_directory = test_directory();
        buf_printf(&file, "%s/store.db", apply_directory);
        apply_file = file.data;
    }
    return recovery_store(apply_stores[which], apply_file);
}

static void apply_teardown(void)
{
    free(apply_directory);
    free(apply_file);
    apply_directory = NULL;
    apply_file = NULL;
    recovery_teardown();
}

static void apply_check(struct plugin *store, const struct plan *plan)
{
    char *want = recovery_dump_plan(plan);
    char *got = recovery_dump(store, plan->root, false);
    ck_assert_str_eq(got, want);
    free(want);
    free(got);
    struct fail fail;
    struct cluster *cluster = recovery_load(store, plan->root, &fail);
    ck_assert_msg(cluster != NULL, "%s", fail.text);
    ck_assert_msg(verify_cluster(plan->cluster, cluster, plan->version, &fail) == BR_OK, "%s",
                  fail.text);
    recovery_free(cluster);
}

/* Both stores, both layouts, several roots: new, childless, deep, "/". */
START_TEST(apply_fresh)
{
    static const char *const roots[] = { "/pegasus/c1", "/", "/a/b/c/d/e" };
    struct plugin *store = apply_store(_i % 2);
    struct cluster cluster;
    struct plan plan;
    recovery_cluster(&cluster, (uint64_t) _i, 12, 40);
    plan_make(&plan, &cluster, roots[_i / 2 % 3], _i / 6 ? LAYOUT_25 : LAYOUT_26);
    struct applied applied = recovery_apply(store, &plan, NULL);
    ck_assert_msg(applied.status == BR_OK, "%s", applied.text);
    ck_assert_str_eq(applied.text, "");
    ck_assert_uint_eq(applied.written, plan.records);
    apply_check(store, &plan);

    /* Twice: the second is refused, and changes nothing. */
    char *before = recovery_dump(store, "/", true);
    applied = recovery_apply(store, &plan, NULL);
    ck_assert_int_eq(applied.status, BR_EXISTS);
    char *after = recovery_dump(store, "/", true);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    cluster_done(&cluster);
    recovery_close(store);
}
END_TEST

/* More records than one batch takes, several batches of the store's real limits. */
START_TEST(apply_large)
{
    struct plugin *store = apply_store(_i);
    struct cluster cluster;
    struct plan plan;
    struct fail fail;
    recovery_cluster(&cluster, 3, 30, 1000);
    plan_make(&plan, &cluster, "/c", LAYOUT_26);
    ck_assert_uint_gt(plan.records, 5000);
    struct applied applied = recovery_apply(store, &plan, NULL);
    ck_assert_msg(applied.status == BR_OK, "%s", applied.text);
    struct cluster *found = recovery_load(store, "/c", &fail);
    ck_assert_msg(found != NULL, "%s", fail.text);
    ck_assert_int_eq(verify_cluster(&cluster, found, LAYOUT_26, &fail), BR_OK);
    recovery_free(found);
    cluster_done(&cluster);
    recovery_close(store);
}
END_TEST

/* A cluster without tables becomes a visible root without tables. */
START_TEST(apply_nothing)
{
    struct plugin *store = apply_store(_i);
    struct cluster cluster;
    struct plan plan;
    recovery_cluster(&cluster, 3, 0, 1);
    plan_make(&plan, &cluster, "/c", LAYOUT_26);
    struct applied applied = recovery_apply(store, &plan, NULL);
    ck_assert_msg(applied.status == BR_OK, "%s", applied.text);
    apply_check(store, &plan);
    ck_assert_int_eq(recovery_look(store, "/c").state, ROOT_EMPTY);
    cluster_done(&cluster);
    recovery_close(store);
}
END_TEST

/* A childless `apps`, its lock node's neighbour, and what else lies in the root stay. */
START_TEST(apply_neighbours)
{
    struct plugin *store = apply_store(_i);
    struct cluster cluster;
    struct plan plan;
    recovery_cluster(&cluster, 5, 3, 4);
    plan_make(&plan, &cluster, "/c", LAYOUT_26);
    recovery_write(store, BR_CREATE, "/c", "");
    recovery_write(store, BR_CREATE, "/c/apps", "unlock");
    recovery_write(store, BR_CREATE, "/c/dsn.meta.server.leader", "");
    recovery_write(store, BR_CREATE, "/c/dsn.meta.server.leader/LOCKNODE0000000000", "me:1");
    const char *fence = "/c/dsn.meta.server.leader/LOCKNODE0000000000";
    struct applied applied = recovery_apply(store, &plan, fence);
    ck_assert_msg(applied.status == BR_OK, "%s", applied.text);
    char *got = recovery_dump(store, "/c", false);
    char *want = recovery_dump_plan(&plan);
    char *end = strstr(got, "/c/dsn.meta.server.leader ");
    ck_assert_ptr_nonnull(end);
    ck_assert_str_eq(end, "/c/dsn.meta.server.leader \n"
                          "/c/dsn.meta.server.leader/LOCKNODE0000000000 me:1\n");
    *end = '\0';
    ck_assert_str_eq(got, want);
    free(got);
    free(want);
    cluster_done(&cluster);
    recovery_close(store);
}
END_TEST

/* The lock is lost before the first batch: nothing was written, and the sentence says who leads. */
START_TEST(apply_fenced)
{
    struct plugin *store = apply_store(_i);
    struct cluster cluster;
    struct plan plan;
    recovery_cluster(&cluster, 5, 3, 4);
    plan_make(&plan, &cluster, "/c", LAYOUT_26);
    struct applied applied = recovery_apply(store, &plan, "/lock/LOCKNODE0000000007");
    ck_assert_int_eq(applied.status, BR_FENCED);
    ck_assert_ptr_nonnull(strstr(applied.text, "another meta server leads"));
    char *got = recovery_dump(store, "/", false);
    ck_assert_str_eq(got, "");
    free(got);
    cluster_done(&cluster);
    recovery_close(store);
}
END_TEST

static void apply_after_done(void *arg)
{
    *(bool *) arg = true;
}

static void apply_after_run(struct plugin *store, const char *root, const char *fence)
{
    bool done = false;
    apply_afterwards(recovery_loop, store, root, fence, apply_after_done, &done);
    while (!done)
        loop_turn(recovery_loop);
}

START_TEST(apply_after_nodes)
{
    struct plugin *store = apply_store(_i);
    recovery_write(store, BR_CREATE, "/c", "");
    recovery_write(store, BR_CREATE, "/c/backup", "kept");
    apply_after_run(store, "/c", NULL);
    char *got = recovery_dump(store, "/", false);
    ck_assert_str_eq(got, "/c \n/c/backup kept\n/c/bulk_load \n");
    ck_assert_ptr_null(strstr(recovery_logged(), "could not be made"));
    free(got);
    apply_after_run(store, "/", NULL);
    apply_after_run(store, "/c", NULL);
    got = recovery_dump(store, "/", false);
    ck_assert_str_eq(got, "/backup \n/bulk_load \n/c \n/c/backup kept\n/c/bulk_load \n");
    free(got);
    apply_after_run(store, "/not/there", NULL);
    ck_assert_ptr_nonnull(strstr(recovery_logged(), "could not be made"));
    apply_after_run(store, "/d", "/no/fence");
    recovery_close(store);
}
END_TEST

/* A record that no batch takes is refused before anything is written. */
START_TEST(apply_too_big)
{
    struct plugin *store = apply_store(_i);
    struct cluster cluster;
    struct plan plan;
    char *value = mem_new(BR_STORE_VALUE_MAX + 1);
    const char *envs[] = { "k", value };
    memset(value, 'x', BR_STORE_VALUE_MAX);
    recovery_cluster(&cluster, 5, 2, 4);
    cluster.tables[1].def.envs = envs;
    cluster.tables[1].def.env_count = 1;
    plan_make(&plan, &cluster, "/c", LAYOUT_26);
    struct applied applied = recovery_apply(store, &plan, NULL);
    ck_assert_int_eq(applied.status, BR_TOOBIG);
    char name[32];
    snprintf(name, sizeof name, "record /apps/%d has", cluster.tables[1].def.id);
    ck_assert_msg(strstr(applied.text, name) != NULL, "%s", applied.text);
    ck_assert_ptr_nonnull(strstr(applied.text, "nothing was written"));
    char *got = recovery_dump(store, "/", false);
    ck_assert_str_eq(got, "");
    free(got);
    free(value);
    cluster_done(&cluster);
    recovery_close(store);
}
END_TEST

START_TEST(apply_deep)
{
    struct plugin *store = apply_store(0);
    struct cluster cluster;
    struct plan plan;
    recovery_cluster(&cluster, 5, 2, 4);
    for (int more = 0; more < 2; more++) {
        struct buf root = { 0 };
        for (int i = 0; i < APPLY_COMPONENTS_MAX + more; i++)
            buf_printf(&root, "/%c%d", 'a' + more, i);
        plan_make(&plan, &cluster, root.data, LAYOUT_26);
        struct applied applied = recovery_apply(store, &plan, NULL);
        ck_assert_msg(applied.status == (more ? BR_INVALID : BR_OK), "%s", applied.text);
        buf_done(&root);
    }
    ck_assert_int_eq(recovery_look(store, "/b0").state, ROOT_EMPTY);
    cluster_done(&cluster);
    recovery_close(store);
}
END_TEST

/* Canceled after so many turns of the loop; wherever that was, asking again finishes it, and `done`
 * of the first is not called any more. */
START_TEST(apply_canceled)
{
    struct plugin *store = apply_store(_i % 2);
    struct cluster cluster;
    struct plan plan;
    struct applied first = { 0 };
    recovery_cluster(&cluster, 7, 9, 900);
    plan_make(&plan, &cluster, "/c", LAYOUT_26);
    struct apply_request request = { .plan = &plan, .done = recovery_applied, .arg = &first };
    struct apply *apply = apply_start(recovery_loop, store, &request);
    for (int i = 0; i < _i / 2 && !first.done; i++)
        loop_turn(recovery_loop);
    bool done = first.done;
    if (!done)
        apply_cancel(apply);
    apply_cancel(NULL);
    struct applied applied = recovery_apply(store, &plan, NULL);
    ck_assert(first.done == done);
    ck_assert_msg(applied.status == BR_OK || applied.status == BR_EXISTS, "%s", applied.text);
    ck_assert_msg(applied.status == BR_OK || _i / 2 > 5, "%s", applied.text);
    apply_check(store, &plan);
    cluster_done(&cluster);
    recovery_close(store);
}
END_TEST

static double apply_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* BRIDLE_BENCH=records: the rates of plan, apply and load, on stderr. */
START_TEST(apply_bench)
{
    const char *wanted = getenv("BRIDLE_BENCH");
    struct cluster cluster;
    struct plan plan;
    struct fail fail;
    int32_t count = (int32_t) strtol(wanted, NULL, 10) / 64;
    recovery_cluster(&cluster, 11, 128, count);
    double begin = apply_seconds();
    plan_make(&plan, &cluster, "/pegasus/bench", LAYOUT_26);
    double planned = apply_seconds();
    struct plugin *store = apply_store(_i);
    double started = apply_seconds();
    struct applied applied = recovery_apply(store, &plan, NULL);
    double written = apply_seconds();
    ck_assert_msg(applied.status == BR_OK, "%s", applied.text);
    struct cluster *found = recovery_load(store, plan.root, &fail);
    double loaded = apply_seconds();
    ck_assert_int_eq(verify_cluster(&cluster, found, LAYOUT_26, &fail), BR_OK);
    double records = (double) plan.records;
    fprintf(stderr, "%s: %.0f records: plan %.0f/s, apply %.0f/s, load %.0f/s, verify %.0f/s\n",
            apply_stores[_i], records, records / (planned - begin), records / (written - started),
            records / (loaded - written), records / (apply_seconds() - loaded));
    recovery_free(found);
    cluster_done(&cluster);
    recovery_close(store);
}
END_TEST

TCase *recovery_apply_cases(void)
{
    TCase *tcase = tcase_create("apply");
    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, recovery_setup, apply_teardown);
    tcase_add_loop_test(tcase, apply_fresh, 0, 12);
    tcase_add_loop_test(tcase, apply_large, 0, 2);
    tcase_add_loop_test(tcase, apply_nothing, 0, 2);
    tcase_add_loop_test(tcase, apply_neighbours, 0, 2);
    tcase_add_loop_test(tcase, apply_fenced, 0, 2);
    tcase_add_loop_test(tcase, apply_after_nodes, 0, 2);
    tcase_add_loop_test(tcase, apply_too_big, 0, 2);
    tcase_add_test(tcase, apply_deep);
    tcase_add_loop_test(tcase, apply_canceled, 0, 24);
    if (getenv("BRIDLE_BENCH"))
        tcase_add_loop_test(tcase, apply_bench, 0, 2);
    return tcase;
}
