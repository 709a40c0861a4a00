/* conform_death -- a process that holds the lock dies: the next one gets it.  The holder is this
 * program again, started with --hold PATH VALUE NAME OPTION=VALUE ...
 */
#include "t/conform.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- The holder ------------------------------------------------------------------------------- */

static const char *hold_path, *hold_value;

/* Says the fence on stdout, then holds the lock until stdin ends (or it is killed). */
START_TEST(hold)
{
    struct answer answer;
    char c;
    struct instance *in = instance_new();
    answer_init(&answer);
    store_lock(&in->plugin, hold_path, hold_value, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_msg(answer.status == BR_OK, "%s", answer.text);
    printf("%.*s\n", (int) answer.value.size, (const char *) answer.value.data);
    fflush(stdout);
    while (read(0, &c, 1) > 0)
        ;
    answer_done(&answer);
    instance_free(in);
}
END_TEST

TCase *conform_hold_case(const char *path, const char *value)
{
    TCase *tcase = conform_case("hold");
    hold_path = path;
    hold_value = value;
    tcase_add_test(tcase, hold);
    return tcase;
}

static struct child holder_start(const char *path, const char *value)
{
    char *args[CONFORM_OPTIONS_MAX + 6] = { NULL, "--hold", (char *) (uintptr_t) path,
                                            (char *) (uintptr_t) value,
                                            (char *) (uintptr_t) conform.name };
    int count = 5;
    for (int i = 0; conform.options[i]; i++)
        args[count++] = conform.options[i];
    return child_spawn(args);
}

static void holder_fence(const struct child *holder, char *ret_fence, size_t size)
{
    size_t used = 0;
    while (used + 1 < size && read(holder->out, ret_fence + used, 1) == 1
           && ret_fence[used] != '\n')
        used++;
    ret_fence[used] = 0;
    ck_assert_msg(used > 0, "the other process did not get the lock");
}

/* -- The tests -------------------------------------------------------------------------------- */

static void expect_value(struct answer *answer, const char *value)
{
    answer_wait(answer);
    ck_assert_msg(answer->status == BR_OK, "%s", answer->text);
    ck_assert_uint_eq(answer->value.size, strlen(value));
    if (answer->value.size)
        ck_assert_mem_eq(answer->value.data, value, answer->value.size);
    answer_done(answer);
}

/* _i: 0 an orderly end, 1 SIGKILL. */
START_TEST(lock_passes_on_at_the_holders_end)
{
    char fence[256];
    struct answer lock, owner;
    struct instance *in = instance_new();
    const char *path = at("lock");
    if (!(in->plugin.ops.store.flags & BR_STORE_LOCK)) {
        fprintf(stderr, "SKIPPED: store %s has no lock between processes\n", conform.name);
        instance_free(in);
        return;
    }
    struct child holder = holder_start(path, "dead:1");
    holder_fence(&holder, fence, sizeof fence);
    answer_init(&owner);
    store_owner(&in->plugin, path, "", answer_take, &owner);
    expect_value(&owner, "dead:1");
    ck_assert_int_eq(conform_write(in, BR_FENCE, fence, NULL, 0), BR_OK);
    answer_init(&lock);
    store_lock(&in->plugin, path, "alive:2", answer_take, &lock);
    ck_assert(!answer_soon(&lock, 300 * BR_MILLISECOND));
    child_end(&holder, _i ? SIGKILL : 0);
    answer_wait(&lock);
    ck_assert_msg(lock.status == BR_OK, "%s", lock.text);
    ck_assert_int_eq(conform_write(in, BR_FENCE, fence, NULL, 0), BR_FENCED);
    ck_assert_int_eq(conform_get(in, fence, NULL, NULL), BR_NOTFOUND);
    answer_done(&lock);
    answer_init(&owner);
    store_owner(&in->plugin, path, "dead:1", answer_take, &owner);
    expect_value(&owner, "alive:2");
    instance_free(in);
}
END_TEST

/* Nobody else stands: the owner is nobody, though the dead one's node may still lie there. */
START_TEST(dead_holder_is_no_owner)
{
    char fence[256];
    struct answer owner;
    struct instance *in = instance_new();
    const char *path = at("lock");
    if (!(in->plugin.ops.store.flags & BR_STORE_LOCK)) {
        instance_free(in);
        return;
    }
    struct child holder = holder_start(path, "dead:1");
    holder_fence(&holder, fence, sizeof fence);
    answer_init(&owner);
    store_owner(&in->plugin, path, "dead:1", answer_take, &owner);
    ck_assert(!answer_soon(&owner, 200 * BR_MILLISECOND));
    if (in->plugin.ops.store.elections)
        ck_assert_int_eq(conform_elections(in, path), 1);
    child_end(&holder, SIGKILL);
    expect_value(&owner, "");
    if (in->plugin.ops.store.elections)
        ck_assert_int_eq(conform_elections(in, path), 2);
    instance_free(in);
}
END_TEST

TCase *conform_death_case(void)
{
    TCase *tcase = conform_case("death");
    tcase_add_loop_test(tcase, lock_passes_on_at_the_holders_end, 0, 2);
    tcase_add_test(tcase, dead_holder_is_no_owner);
    return tcase;
}
