/* conform_lock -- leader election: lock, owner, lost, unlock, and the fence in every batch. */
#include "t/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static bool lockless(void)
{
    return !in->plugin.ops.store.lock;
}

static struct br_call *ask_lock(struct instance *who, const char *value, struct answer *answer)
{
    answer_init(answer);
    return store_lock(&who->plugin, path, value, answer_take, answer);
}

static struct br_call *ask_owner(struct instance *who, const char *last, struct answer *answer)
{
    answer_init(answer);
    return store_owner(&who->plugin, path, last, answer_take, answer);
}

static void ask_lost(struct instance *who, const char *fence, struct answer *answer)
{
    answer_init(answer);
    store_lost(&who->plugin, fence, answer_take, answer);
}

char *conform_elected(const char *lock, struct answer *answer)
{
    struct buf fence = { 0 };
    size_t size = strlen(lock);
    answer_wait(answer);
    ck_assert_msg(answer->status == BR_OK, "lock: %s", answer->text);
    buf_put(&fence, answer->value.data, answer->value.size);
    answer_done(answer);
    ck_assert_uint_eq(fence.size, size + strlen("/LOCKNODE") + 10);
    ck_assert_int_eq(strncmp(fence.data, lock, size), 0);
    ck_assert_int_eq(strncmp(fence.data + size, "/LOCKNODE", 9), 0);
    ck_assert_uint_eq(strspn(fence.data + size + 9, "0123456789"), 10);
    return fence.data;
}

static char *elected(struct answer *answer)
{
    return conform_elected(path, answer);
}

static char *get_lock(struct instance *who, const char *value)
{
    struct answer answer;
    ask_lock(who, value, &answer);
    return elected(&answer);
}

br_status conform_unlock(struct instance *who, const char *fence)
{
    struct answer answer;
    answer_init(&answer);
    store_unlock(&who->plugin, fence, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    br_status status = answer.status;
    answer_done(&answer);
    return status;
}

static br_status fenced(struct instance *who, const char *fence)
{
    return conform_write(who, BR_FENCE, fence, NULL, 0);
}

/* Ask for the owner until it is `value` (what lies in between may be seen or not). */
static void expect_owner(struct instance *who, const char *last, const char *value)
{
    char seen[64];
    snprintf(seen, sizeof seen, "%s", last);
    do {
        struct answer answer;
        ask_owner(who, seen, &answer);
        answer_wait(&answer);
        ck_assert_msg(answer.status == BR_OK, "owner: %s", answer.text);
        ck_assert_uint_lt(answer.value.size, sizeof seen);
        ck_assert(answer.value.size != strlen(seen)
                  || memcmp(answer.value.data, seen, answer.value.size) != 0);
        snprintf(seen, sizeof seen, "%.*s", (int) answer.value.size,
                 answer.value.size ? (const char *) answer.value.data : "");
        answer_done(&answer);
    } while (strcmp(seen, value) != 0);
}

/* -- One instance ----------------------------------------------------------------------------- */

START_TEST(fence_lives_as_long_as_the_lock)
{
    struct buf value = { 0 };
    struct answer lost;
    if (lockless())
        return;
    char *fence = get_lock(in, "127.0.0.1:34601");
    ck_assert_int_eq(conform_get(in, fence, &value, NULL), BR_OK);
    ck_assert_str_eq(buf_string(&value), "127.0.0.1:34601");
    const struct br_write batch[] = {
        { .kind = BR_FENCE, .path = fence },
        { .kind = BR_CREATE, .path = at("n") },
    };
    ck_assert_int_eq(conform_commit(in, batch, 2), BR_OK);
    ask_lost(in, fence, &lost);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(fenced(in, fence), BR_OK);
    ck_assert(!lost.done);
    ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
    answer_wait(&lost);
    ck_assert_int_eq(lost.status, BR_OK);
    answer_done(&lost);
    ck_assert_int_eq(conform_get(in, fence, NULL, NULL), BR_NOTFOUND);
    const struct br_write late[] = {
        { .kind = BR_FENCE, .path = fence },
        { .kind = BR_CREATE, .path = at("late") },
    };
    ck_assert_int_eq(conform_commit(in, late, 2), BR_FENCED);
    ck_assert_int_eq(conform_get(in, at("late"), NULL, NULL), BR_NOTFOUND);
    ck_assert_int_eq(conform_unlock(in, fence), BR_NOTFOUND);
    ask_lost(in, fence, &lost); /* it is not held: at once */
    answer_wait(&lost);
    ck_assert_int_eq(lost.status, BR_OK);
    answer_done(&lost);
    buf_done(&value);
    free(fence);
}
END_TEST

START_TEST(no_fence_twice)
{
    char *fences[5];
    if (lockless())
        return;
    for (int i = 0; i < 5; i++) {
        fences[i] = get_lock(in, "h:1");
        for (int j = 0; j < i; j++)
            ck_assert_str_lt(fences[j], fences[i]);
        ck_assert_int_eq(conform_unlock(in, fences[i]), BR_OK);
    }
    for (int i = 0; i < 5; i++)
        free(fences[i]);
}
END_TEST

START_TEST(fence_has_no_children)
{
    char below[256];
    if (lockless())
        return;
    char *fence = get_lock(in, "h:1");
    snprintf(below, sizeof below, "%s/n", fence);
    ck_assert_int_eq(conform_write(in, BR_CREATE, below, "", 0), BR_CONFLICT);
    ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
    free(fence);
}
END_TEST

START_TEST(candidates_queue_up)
{
    struct answer answers[3];
    static const char *const values[] = { "h:1", "h:2", "h:3" };
    struct buf value = { 0 };
    if (lockless())
        return;
    char *fence = get_lock(in, "h:0");
    for (int i = 0; i < 3; i++)
        ask_lock(in, values[i], &answers[i]);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 5; j++)
            ck_assert_int_eq(fenced(in, fence), BR_OK);
        ck_assert(!answers[i].done);
        ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
        free(fence);
        fence = elected(&answers[i]);
        ck_assert_int_eq(conform_get(in, fence, &value, NULL), BR_OK);
        ck_assert_str_eq(value.data, values[i]);
    }
    ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
    buf_done(&value);
    free(fence);
}
END_TEST

/* Two locks have nothing to do with each other. */
START_TEST(locks_are_by_path)
{
    if (lockless())
        return;
    char *first = get_lock(in, "h:1");
    free((void *) (uintptr_t) path);
    path = mem_text(at("other"));
    char *second = get_lock(in, "h:1");
    ck_assert_int_eq(conform_unlock(in, first), BR_OK);
    ck_assert_int_eq(fenced(in, second), BR_OK);
    ck_assert_int_eq(conform_unlock(in, second), BR_OK);
    free(first);
    free(second);
}
END_TEST

START_TEST(canceled_candidate_is_passed_over)
{
    struct answer first, second;
    if (lockless())
        return;
    char *fence = get_lock(in, "h:0");
    struct br_call *call = ask_lock(in, "h:1", &first);
    ask_lock(in, "h:2", &second);
    uint32_t outstanding = in->plugin.owner.outstanding;
    ck_assert_uint_eq(outstanding, 2);
    if (_i) /* it is waiting by now */
        ck_assert_int_eq(conform_get(in, "/", NULL, NULL), BR_OK);
    store_cancel(&in->plugin, call);
    answer_wait(&first);
    ck_assert_int_ne(first.status, BR_OK);
    answer_done(&first);
    for (int i = 0; in->plugin.owner.outstanding >= outstanding; i++) {
        ck_assert_int_lt(i, 10000);
        ck_assert_int_eq(fenced(in, fence), BR_OK);
    }
    ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
    free(fence);
    fence = elected(&second);
    ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
    free(fence);
}
END_TEST

START_TEST(owner_follows_the_holder)
{
    struct answer waits;
    if (lockless())
        return;
    expect_owner(in, "nobody like that", "");
    ask_owner(in, "", &waits);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(conform_get(in, "/", NULL, NULL), BR_OK);
    ck_assert(!waits.done);
    char *fence = get_lock(in, "h:1");
    answer_wait(&waits);
    ck_assert_int_eq(waits.status, BR_OK);
    ck_assert_uint_eq(waits.value.size, 3);
    ck_assert_mem_eq(waits.value.data, "h:1", 3);
    answer_done(&waits);
    expect_owner(in, "h:0", "h:1");
    expect_owner(in, "", "h:1");
    ask_owner(in, "h:1", &waits);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(fenced(in, fence), BR_OK);
    ck_assert(!waits.done);
    ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
    answer_wait(&waits);
    ck_assert_uint_eq(waits.value.size, 0);
    answer_done(&waits);
    free(fence);
}
END_TEST

START_TEST(canceled_owner_is_let_go)
{
    struct answer answer;
    if (lockless())
        return;
    struct br_call *call = ask_owner(in, "", &answer);
    if (_i)
        ck_assert_int_eq(conform_get(in, "/", NULL, NULL), BR_OK);
    store_cancel(&in->plugin, call);
    answer_wait(&answer);
    ck_assert_int_ne(answer.status, BR_OK);
    answer_done(&answer);
    for (int i = 0; in->plugin.owner.outstanding > 0; i++) {
        ck_assert_int_lt(i, 10000);
        ck_assert_int_eq(conform_get(in, "/", NULL, NULL), BR_OK);
    }
}
END_TEST

/* Waits until so many calls are left, with round trips that are none of them. */
static void expect_outstanding(uint32_t count)
{
    for (int i = 0; in->plugin.owner.outstanding > count; i++) {
        ck_assert_int_lt(i, 10000);
        ck_assert_int_eq(conform_get(in, "/", NULL, NULL), BR_OK);
    }
    ck_assert_uint_eq(in->plugin.owner.outstanding, count);
}

/* One of three who wait for the loss gives up, while somebody leads elsewhere, too. */
START_TEST(canceled_loss_is_let_go)
{
    struct answer losts[3];
    struct br_call *calls[3];
    if (lockless())
        return;
    char *fence = get_lock(in, "h:1");
    free((void *) (uintptr_t) path);
    path = mem_text(at("other"));
    char *other = get_lock(in, "h:1");
    for (int i = 0; i < 3; i++) {
        answer_init(&losts[i]);
        calls[i] = store_lost(&in->plugin, fence, answer_take, &losts[i]);
    }
    if (_i)
        ck_assert_int_eq(conform_get(in, "/", NULL, NULL), BR_OK);
    store_cancel(&in->plugin, calls[1]);
    answer_wait(&losts[1]);
    ck_assert_int_ne(losts[1].status, BR_OK);
    expect_outstanding(2);
    ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
    for (int i = 0; i < 3; i++) {
        answer_wait(&losts[i]);
        ck_assert(i == 1 || losts[i].status == BR_OK);
        answer_done(&losts[i]);
    }
    ck_assert_int_eq(conform_unlock(in, other), BR_OK);
    free(fence);
    free(other);
}
END_TEST

/* Canceling what is no wait for a lock leaves those alone. */
START_TEST(canceled_read_is_no_wait)
{
    struct answer read, lost;
    const char *paths[] = { "/" };
    if (lockless())
        return;
    char *fence = get_lock(in, "h:1");
    ask_lost(in, fence, &lost);
    answer_init(&read);
    store_cancel(&in->plugin,
                 store_read(&in->plugin, paths, 1, NULL, PLUGIN_FOREVER, answer_take, &read));
    answer_wait(&read);
    answer_done(&read);
    expect_outstanding(1);
    ck_assert(!lost.done);
    ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
    answer_wait(&lost);
    ck_assert_int_eq(lost.status, BR_OK);
    answer_done(&lost);
    free(fence);
}
END_TEST

static br_status refused_lock(struct instance *who)
{
    struct answer answer;
    ask_lock(who, "h:1", &answer);
    answer_wait(&answer);
    br_status status = answer.status;
    answer_done(&answer);
    return status;
}

/* Nobody stands at a lock's node or below it: nothing can be there. */
START_TEST(no_lock_below_a_lock)
{
    static const char *const tails[] = { "", "/x", "/x/y" };
    if (lockless())
        return;
    char *fence = get_lock(in, "h:1");
    char *outer = mem_text(path);
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        struct buf below = { 0 };
        buf_printf(&below, "%s%s", fence, tails[i]);
        free((void *) (uintptr_t) path);
        path = below.data;
        ck_assert_int_eq(refused_lock(in), BR_CONFLICT);
    }
    ck_assert_int_eq(fenced(in, fence), BR_OK);
    ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
    free(fence);
    free((void *) (uintptr_t) path);
    path = outer;
}
END_TEST

/* A fence is a path, too, to be named in batches: it has to fit. */
START_TEST(lock_path_limit)
{
    if (lockless())
        return;
    size_t tail = strlen("/LOCKNODE0123456789");
    for (size_t more = 0; more < 2; more++) {
        struct buf longest = { 0 };
        buf_printf(&longest, "%s", at("l"));
        while (longest.size + tail < BR_PATH_MAX + more)
            buf_char(&longest, 'l');
        buf_string(&longest);
        free((void *) (uintptr_t) path);
        path = longest.data;
        if (more) {
            ck_assert_int_eq(refused_lock(in), BR_TOOBIG);
            continue;
        }
        char *fence = get_lock(in, "h:1");
        ck_assert_int_eq(fenced(in, fence), BR_OK);
        ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
        free(fence);
    }
}
END_TEST

START_TEST(lock_of_the_root)
{
    if (lockless())
        return;
    free((void *) (uintptr_t) path);
    path = mem_text("/");
    struct answer answer;
    ask_lock(in, "h:1", &answer);
    answer_wait(&answer);
    ck_assert_msg(answer.status == BR_OK, "%s", answer.text);
    char *fence = arena_text(&answer.arena, answer.value.data, answer.value.size);
    ck_assert_int_eq(strncmp(fence, "/LOCKNODE", 9), 0);
    expect_owner(in, "", "h:1");
    ck_assert_int_eq(fenced(in, fence), BR_OK);
    ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
    answer_done(&answer);
}
END_TEST

/* An operator deletes the node: the leader must know. */
START_TEST(deleted_fence_is_a_loss)
{
    struct answer lost, next, owner;
    if (lockless())
        return;
    char *fence = get_lock(in, "h:1");
    ask_lost(in, fence, &lost);
    ask_lock(in, "h:2", &next);
    ask_owner(in, "h:1", &owner);
    ck_assert_int_eq(conform_write(in, BR_DELETE, fence, NULL, BR_ANY_VERSION), BR_OK);
    answer_wait(&lost);
    ck_assert_int_eq(lost.status, BR_OK);
    answer_done(&lost);
    ck_assert_int_eq(fenced(in, fence), BR_FENCED);
    ck_assert_int_eq(conform_unlock(in, fence), BR_NOTFOUND);
    free(fence);
    fence = elected(&next);
    ck_assert_int_eq(fenced(in, fence), BR_OK);
    answer_wait(&owner);
    ck_assert_int_eq(owner.status, BR_OK);
    answer_done(&owner);
    ask_owner(in, "h:2", &owner);
    ck_assert_int_eq(conform_write(in, BR_DELETE, fence, NULL, BR_ANY_VERSION), BR_OK);
    answer_wait(&owner);
    ck_assert_uint_eq(owner.value.size, 0);
    answer_done(&owner);
    free(fence);
}
END_TEST

/* -- Two instances ---------------------------------------------------------------------------- */

START_TEST(lock_excludes_and_passes_on)
{
    struct answer waits;
    if (lockless() || !(in->plugin.ops.store.flags & BR_STORE_LOCK))
        return;
    struct instance *other = instance_new();
    char *fence = get_lock(in, "h:1");
    ask_lock(other, "h:2", &waits);
    expect_owner(other, "", "h:1");
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(fenced(other, fence), BR_OK); /* anybody may name it */
    ck_assert(!answer_soon(&waits, 300 * BR_MILLISECOND));
    ck_assert_int_eq(conform_unlock(other, fence),
                     BR_NOTFOUND); /* it is not the other's to give back */
    ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
    char *next = elected(&waits);
    ck_assert_str_lt(fence, next);
    ck_assert_int_eq(fenced(in, fence), BR_FENCED);
    expect_owner(in, "h:1", "h:2");
    ask_lock(in, "h:1", &waits); /* stopping gives the lock back, too */
    instance_free(other);
    free(fence);
    free(next);
    fence = elected(&waits);
    ck_assert_int_eq(conform_unlock(in, fence), BR_OK);
    free(fence);
}
END_TEST

/* The other instance deletes the node. */
START_TEST(fence_deleted_by_another)
{
    struct answer lost;
    if (lockless() || !(in->plugin.ops.store.flags & BR_STORE_LOCK))
        return;
    struct instance *other = instance_new();
    char *fence = get_lock(in, "h:1");
    ask_lost(in, fence, &lost);
    ck_assert_int_eq(conform_write(other, BR_DELETE, fence, NULL, BR_ANY_VERSION), BR_OK);
    answer_wait(&lost);
    ck_assert_int_eq(lost.status, BR_OK);
    answer_done(&lost);
    free(fence);
    fence = get_lock(other, "h:2");
    ck_assert_int_eq(conform_unlock(other, fence), BR_OK);
    free(fence);
    instance_free(other);
}
END_TEST

TCase *conform_lock_case(void)
{
    TCase *tcase = tcase_create("lock");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 6.0 * conform.patience);
    tcase_add_test(tcase, fence_lives_as_long_as_the_lock);
    tcase_add_test(tcase, no_fence_twice);
    tcase_add_test(tcase, fence_has_no_children);
    tcase_add_test(tcase, candidates_queue_up);
    tcase_add_test(tcase, locks_are_by_path);
    tcase_add_loop_test(tcase, canceled_candidate_is_passed_over, 0, 2);
    tcase_add_test(tcase, owner_follows_the_holder);
    tcase_add_loop_test(tcase, canceled_owner_is_let_go, 0, 2);
    tcase_add_loop_test(tcase, canceled_loss_is_let_go, 0, 2);
    tcase_add_test(tcase, canceled_read_is_no_wait);
    tcase_add_test(tcase, no_lock_below_a_lock);
    tcase_add_test(tcase, lock_path_limit);
    tcase_add_test(tcase, lock_of_the_root);
    tcase_add_test(tcase, deleted_fence_is_a_loss);
    tcase_add_test(tcase, lock_excludes_and_passes_on);
    tcase_add_test(tcase, fence_deleted_by_another);
    return tcase;
}
