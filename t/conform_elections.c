/* conform_elections -- how often a leader lock was taken and given back, as the store counts it. */
#include "t/conform.h"

#include <stdlib.h>

static struct instance *in;
static const char *path; /* of the lock */

static void setup(void)
{
    conform_setup();
    in = instance_new();
    path = mem_text(at("lock/dsn.meta.server.leader")); /* nothing of it is there */
}

static void teardown(void)
{
    instance_free(in);
    free((void *) (uintptr_t) path);
    conform_teardown();
}

static char *get_lock(struct instance *who, const char *value)
{
    struct answer answer;
    answer_init(&answer);
    store_lock(&who->plugin, path, value, answer_take, &answer);
    return conform_elected(path, &answer);
}

static void ask_owner(void)
{
    struct answer answer;
    answer_init(&answer);
    store_owner(&in->plugin, path, "", answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_OK);
    answer_done(&answer);
}

static bool countless(void)
{
    return !in->plugin.ops.store.lock || !in->plugin.ops.store.elections;
}

/* Each coming and each going is one; nothing else is. */
START_TEST(elections_are_counted)
{
    if (countless())
        return;
    ck_assert_int_eq(conform_elections(in, path), 0); /* nothing is there */
    for (int i = 0; i < 3; i++) {
        char *fence = get_lock(in, "h:1");
        ck_assert_int_eq(conform_elections(in, path), 2 * i + 1);
        ck_assert_int_eq(conform_write(in, BR_FENCE, fence, NULL, 0), BR_OK);
        ck_assert_int_eq(conform_write(in, BR_CREATE, at("n%d", i), "", 0), BR_OK);
        ask_owner();
        ck_assert_int_eq(conform_elections(in, path), 2 * i + 1);
        ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
        ck_assert_int_eq(conform_elections(in, path), 2 * i + 2);
        free(fence);
    }
    ck_assert_int_eq(conform_elections(in, at("elsewhere")), 0);
}
END_TEST

/* A fence that somebody deletes has gone like any other; one who waited and then led is not
 * forgotten. */
START_TEST(elections_see_losses_and_successors)
{
    struct answer lost, next;
    if (countless())
        return;
    char *fence = get_lock(in, "h:1");
    answer_init(&lost);
    store_lost(&in->plugin, fence, answer_take, &lost);
    ck_assert_int_eq(conform_write(in, BR_DELETE, fence, NULL, BR_ANY_VERSION), BR_OK);
    answer_wait(&lost);
    answer_done(&lost);
    free(fence);
    ck_assert_int_eq(conform_elections(in, path), 2);
    fence = get_lock(in, "h:1");
    answer_init(&next);
    store_lock(&in->plugin, path, "h:2", answer_take, &next);
    ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
    free(fence);
    fence = conform_elected(path, &next);
    ck_assert_int_eq(conform_elections(in, path), 5);
    ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
    ck_assert_int_eq(conform_elections(in, path), 6);
    free(fence);
}
END_TEST

START_TEST(elections_refuse_a_bad_path)
{
    struct answer answer;
    if (countless())
        return;
    answer_init(&answer);
    store_elections(&in->plugin, "no/path", 0, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_INVALID);
    answer_done(&answer);
}
END_TEST

/* Whoever asks is told the same, whoever holds the lock; also after the store was closed. */
START_TEST(elections_are_everybodys)
{
    if (countless() || !(in->plugin.ops.store.flags & BR_STORE_LOCK))
        return;
    struct instance *other = instance_new();
    char *fence = get_lock(in, "h:1");
    ck_assert_int_eq(conform_elections(other, path), 1);
    ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
    free(fence);
    fence = get_lock(other, "h:2");
    ck_assert_int_eq(conform_elections(other, path), 3);
    instance_free(other); /* which gives the lock back */
    other = instance_new();
    ck_assert_int_eq(conform_elections(other, path), 4);
    instance_free(other);
    free(fence);
}
END_TEST

TCase *conform_elections_case(void)
{
    TCase *tcase = tcase_create("elections");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 6.0 * conform.patience);
    tcase_add_test(tcase, elections_are_counted);
    tcase_add_test(tcase, elections_see_losses_and_successors);
    tcase_add_test(tcase, elections_refuse_a_bad_path);
    tcase_add_test(tcase, elections_are_everybodys);
    return tcase;
}
