/* recovery_kill -- a process that applies into SQLite is killed before or after a commit chosen by
 * seed; another one opens the same file and goes on, with another plan.
 */
#include "t/recovery.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLS 30

static struct kill {
    struct plugin *inner;
    int left;   /* commits until it dies */
    bool after; /* the last one is carried out first */
} victim;

static void kill_read(struct br_env *env, const char *const *paths, uint32_t count,
                      struct br_call *call)
{
    (void) env;
    victim.inner->ops.store.read(&victim.inner->owner.env, paths, count, call);
}

static void kill_list(struct br_env *env, const char *path, struct br_call *call)
{
    (void) env;
    victim.inner->ops.store.list(&victim.inner->owner.env, path, call);
}

static void kill_now(void *arg, struct call_answer *answer)
{
    (void) arg;
    (void) answer;
    kill(getpid(), SIGKILL);
}

static void kill_commit(struct br_env *env, const struct br_write *const *writes, uint32_t count,
                        struct br_call *call)
{
    (void) env;
    if (--victim.left > 0)
        victim.inner->ops.store.commit(&victim.inner->owner.env, writes, count, call);
    else if (victim.after)
        store_commit(victim.inner, writes, count, NULL, 0, kill_now, NULL);
    else
        kill(getpid(), SIGKILL);
}

static const struct br_store kill_store = { .batch_ops_max = 20,
                                            .batches_max = 2,
                                            .read = kill_read,
                                            .list = kill_list,
                                            .commit = kill_commit };

BR_PLUGIN(store, kill, &kill_store, .summary = "A store that kills its process.", .version = "1",
          .license = "Apache-2.0");

/* In the child: dies, or ends with 0 where the plan was applied before its turn came. */
static void kill_child(const char *file, const struct plan *plan, uint64_t seed)
{
    recovery_setup();
    victim.left = 1 + (int) (recovery_random(&seed) % 24);
    victim.after = recovery_random(&seed) % 2;
    victim.inner = recovery_store("sqlite", file);
    struct plugin *store = recovery_open(&bridle_store_kill, NULL);
    struct applied applied = recovery_apply(store, plan, NULL);
    _exit(applied.status == BR_OK ? 0 : 1);
}

static bool kill_one(const char *file, const struct plan *plan, uint64_t seed)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        kill_child(file, plan, seed);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        ck_assert_int_eq(WTERMSIG(status), SIGKILL);
        return true;
    }
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    return false;
}

static void kill_check(struct plugin *store, const struct plan *plan)
{
    char *want = recovery_dump_plan(plan);
    char *got = recovery_dump(store, "/p/c", false);
    ck_assert_str_eq(got, want);
    free(want);
    free(got);
}

static bool kill_visible(struct plugin *store, const struct plan *plan)
{
    struct fail fail;
    struct cluster *cluster = recovery_load(store, "/p/c", &fail);
    if (!cluster) {
        ck_assert_msg(fail.status == BR_NOTFOUND || strstr(fail.text, "state(lock)"), "%s",
                      fail.text);
        return false;
    }
    recovery_free(cluster);
    kill_check(store, plan);
    return true;
}

/* The first victim dies over nothing, a second one over what the first left. */
START_TEST(kill_and_continue)
{
    struct cluster clusters[3];
    struct plan plans[3];
    struct buf file = { 0 };
    char *directory = test_directory();
    buf_printf(&file, "%s/store.db", directory);
    for (int i = 0; i < 3; i++) {
        recovery_cluster(&clusters[i], (uint64_t) (_i * 3 + i), 8, 40);
        plan_make(&plans[i], &clusters[i], "/p/c", LAYOUT_25);
    }
    int last = 0;
    bool died = kill_one(file.data, &plans[0], (uint64_t) _i * 7919 + 1);
    if (died && _i % 2) {
        last = 1;
        died = kill_one(file.data, &plans[1], (uint64_t) _i * 104729 + 1);
    }
    recovery_setup();
    struct plugin *store = recovery_store("sqlite", file.data);
    bool visible = kill_visible(store, &plans[last]);
    ck_assert(visible || died);
    struct applied applied = recovery_apply(store, &plans[2], NULL);
    ck_assert_int_eq(applied.status, visible ? BR_EXISTS : BR_OK);
    kill_check(store, &plans[visible ? last : 2]);
    recovery_close(store);
    recovery_teardown();
    for (int i = 0; i < 3; i++)
        cluster_done(&clusters[i]);
    buf_done(&file);
    free(directory);
}
END_TEST

TCase *recovery_kill_cases(void)
{
    TCase *tcase = tcase_create("kill");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, kill_and_continue, 0, KILLS);
    return tcase;
}
