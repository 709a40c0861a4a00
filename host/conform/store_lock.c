/* store_lock -- leader election: lock, owner, lost, unlock, and the fence in every batch. */
#include "host/conform/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct br_call *ask_lock(struct instance *who, const char *value, struct answer *answer)
{
    struct conform *c = who->c;
    answer_begin(c, answer);
    return store_lock(&who->plugin, c->lock, value, answer_take, answer);
}

static struct br_call *ask_owner(struct instance *who, const char *last, struct answer *answer)
{
    struct conform *c = who->c;
    answer_begin(c, answer);
    return store_owner(&who->plugin, c->lock, last, answer_take, answer);
}

static struct br_call *ask_lost(struct instance *who, const char *fence, struct answer *answer)
{
    struct conform *c = who->c;
    answer_begin(c, answer);
    return store_lost(&who->plugin, fence, answer_take, answer);
}

static br_status fenced(struct instance *who, const char *fence)
{
    return conform_write(who, BR_FENCE, fence, NULL, 0);
}

/* Ask for the owner until it is `value` (what lies in between may be seen or not). */
static void expect_owner(struct instance *who, const char *last, const char *value)
{
    struct conform *c = who->c;
    char seen[64];
    snprintf(seen, sizeof seen, "%s", last);
    do {
        struct answer answer;
        ask_owner(who, seen, &answer);
        answer_wait(&answer);
        need(answer.status == BR_OK, "owner: %s", answer.text);
        need_true(answer.value.size < sizeof seen);
        need_true(answer.value.size != strlen(seen)
                  || memcmp(answer.value.data, seen, answer.value.size) != 0);
        snprintf(seen, sizeof seen, "%.*s", (int) answer.value.size,
                 answer.value.size ? (const char *) answer.value.data : "");
        answer_done(&answer);
    } while (strcmp(seen, value) != 0);
}

/* -- One instance ----------------------------------------------------------------------------- */

static void fence_lives_as_long_as_the_lock(struct conform *c)
{
    struct buf value = { 0 };
    struct answer lost;
    char *fence = conform_lock(c->in, "127.0.0.1:34601");
    same_status(conform_get(c->in, fence, &value, NULL), BR_OK);
    same_text(buf_string(&value), "127.0.0.1:34601");
    const struct br_write batch[] = {
        { .kind = BR_FENCE, .path = fence },
        { .kind = BR_CREATE, .path = conform_at(c, "n") },
    };
    same_status(conform_commit(c->in, batch, 2), BR_OK);
    ask_lost(c->in, fence, &lost);
    for (int i = 0; i < 20; i++)
        same_status(fenced(c->in, fence), BR_OK);
    need_true(!lost.done);
    same_status(conform_unlock(c->in, fence), BR_OK);
    answer_wait(&lost);
    same_status(lost.status, BR_OK);
    answer_done(&lost);
    same_status(conform_get(c->in, fence, NULL, NULL), BR_NOTFOUND);
    const struct br_write late[] = {
        { .kind = BR_FENCE, .path = fence },
        { .kind = BR_CREATE, .path = conform_at(c, "late") },
    };
    same_status(conform_commit(c->in, late, 2), BR_FENCED);
    same_status(conform_get(c->in, conform_at(c, "late"), NULL, NULL), BR_NOTFOUND);
    same_status(conform_unlock(c->in, fence), BR_NOTFOUND);
    ask_lost(c->in, fence, &lost); /* it is not held: at once */
    answer_wait(&lost);
    same_status(lost.status, BR_OK);
    answer_done(&lost);
    buf_done(&value);
    free(fence);
}

static void no_fence_twice(struct conform *c)
{
    char *fences[5];
    for (int i = 0; i < 5; i++) {
        fences[i] = conform_lock(c->in, "h:1");
        for (int j = 0; j < i; j++)
            need_true(strcmp(fences[j], fences[i]) < 0);
        same_status(conform_unlock(c->in, fences[i]), BR_OK);
    }
    for (int i = 0; i < 5; i++)
        free(fences[i]);
}

static void fence_has_no_children(struct conform *c)
{
    char below[256];
    char *fence = conform_lock(c->in, "h:1");
    snprintf(below, sizeof below, "%s/n", fence);
    same_status(conform_write(c->in, BR_CREATE, below, "", 0), BR_CONFLICT);
    same_status(conform_unlock(c->in, fence), BR_OK);
    free(fence);
}

static void candidates_queue_up(struct conform *c)
{
    struct answer answers[3];
    static const char *const values[] = { "h:1", "h:2", "h:3" };
    struct buf value = { 0 };
    char *fence = conform_lock(c->in, "h:0");
    for (int i = 0; i < 3; i++)
        ask_lock(c->in, values[i], &answers[i]);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 5; j++)
            same_status(fenced(c->in, fence), BR_OK);
        need_true(!answers[i].done);
        same_status(conform_unlock(c->in, fence), BR_OK);
        free(fence);
        fence = conform_elected(&answers[i]);
        same_status(conform_get(c->in, fence, &value, NULL), BR_OK);
        same_text(value.data, values[i]);
    }
    same_status(conform_unlock(c->in, fence), BR_OK);
    buf_done(&value);
    free(fence);
}

/* Two locks have nothing to do with each other. */
static void locks_are_by_path(struct conform *c)
{
    char *first = conform_lock(c->in, "h:1");
    conform_move_lock(c, conform_at(c, "other"));
    char *second = conform_lock(c->in, "h:1");
    same_status(conform_unlock(c->in, first), BR_OK);
    same_status(fenced(c->in, second), BR_OK);
    same_status(conform_unlock(c->in, second), BR_OK);
    free(first);
    free(second);
}

/* Waits until so many calls are left, with round trips that are none of them. */
static void expect_outstanding(struct conform *c, uint32_t count)
{
    for (int i = 0; c->in->plugin.owner.outstanding > count; i++) {
        need_true(i < 10000);
        same_status(conform_get(c->in, "/", NULL, NULL), BR_OK);
    }
    same(c->in->plugin.owner.outstanding, count);
}

/* Row 0 at once, 1 when it has been waiting. */
static void canceled_candidate_is_passed_over(struct conform *c)
{
    struct answer first, second;
    char *fence = conform_lock(c->in, "h:0");
    struct br_call *call = ask_lock(c->in, "h:1", &first);
    ask_lock(c->in, "h:2", &second);
    same(c->in->plugin.owner.outstanding, 2);
    if (c->row)
        same_status(conform_get(c->in, "/", NULL, NULL), BR_OK);
    store_cancel(&c->in->plugin, call);
    answer_wait(&first);
    need_true(first.status != BR_OK);
    answer_done(&first);
    expect_outstanding(c, 1);
    same_status(fenced(c->in, fence), BR_OK);
    same_status(conform_unlock(c->in, fence), BR_OK);
    free(fence);
    fence = conform_elected(&second);
    same_status(conform_unlock(c->in, fence), BR_OK);
    free(fence);
}

static void owner_follows_the_holder(struct conform *c)
{
    struct answer waits;
    expect_owner(c->in, "nobody like that", "");
    ask_owner(c->in, "", &waits);
    for (int i = 0; i < 20; i++)
        same_status(conform_get(c->in, "/", NULL, NULL), BR_OK);
    need_true(!waits.done);
    char *fence = conform_lock(c->in, "h:1");
    answer_wait(&waits);
    same_status(waits.status, BR_OK);
    same(waits.value.size, 3);
    need_true(memcmp(waits.value.data, "h:1", 3) == 0);
    answer_done(&waits);
    expect_owner(c->in, "h:0", "h:1");
    expect_owner(c->in, "", "h:1");
    ask_owner(c->in, "h:1", &waits);
    for (int i = 0; i < 20; i++)
        same_status(fenced(c->in, fence), BR_OK);
    need_true(!waits.done);
    same_status(conform_unlock(c->in, fence), BR_OK);
    answer_wait(&waits);
    same(waits.value.size, 0);
    answer_done(&waits);
    free(fence);
}

static void canceled_owner_is_let_go(struct conform *c)
{
    struct answer answer;
    struct br_call *call = ask_owner(c->in, "", &answer);
    if (c->row)
        same_status(conform_get(c->in, "/", NULL, NULL), BR_OK);
    store_cancel(&c->in->plugin, call);
    answer_wait(&answer);
    need_true(answer.status != BR_OK);
    answer_done(&answer);
    expect_outstanding(c, 0);
}

/* One of three who wait for the loss gives up, while somebody leads elsewhere, too. */
static void canceled_loss_is_let_go(struct conform *c)
{
    struct answer losts[3];
    struct br_call *calls[3];
    char *fence = conform_lock(c->in, "h:1");
    conform_move_lock(c, conform_at(c, "other"));
    char *other = conform_lock(c->in, "h:1");
    for (int i = 0; i < 3; i++)
        calls[i] = ask_lost(c->in, fence, &losts[i]);
    if (c->row)
        same_status(conform_get(c->in, "/", NULL, NULL), BR_OK);
    store_cancel(&c->in->plugin, calls[1]);
    answer_wait(&losts[1]);
    need_true(losts[1].status != BR_OK);
    expect_outstanding(c, 2);
    same_status(conform_unlock(c->in, fence), BR_OK);
    for (int i = 0; i < 3; i++) {
        answer_wait(&losts[i]);
        need_true(i == 1 || losts[i].status == BR_OK);
        answer_done(&losts[i]);
    }
    same_status(conform_unlock(c->in, other), BR_OK);
    free(fence);
    free(other);
}

/* Canceling what is no wait for a lock leaves those alone. */
static void canceled_read_is_no_wait(struct conform *c)
{
    struct answer read, lost;
    const char *paths[] = { "/" };
    char *fence = conform_lock(c->in, "h:1");
    ask_lost(c->in, fence, &lost);
    answer_begin(c, &read);
    store_cancel(&c->in->plugin,
                 store_read(&c->in->plugin, paths, 1, NULL, PLUGIN_FOREVER, answer_take, &read));
    answer_wait(&read);
    answer_done(&read);
    expect_outstanding(c, 1);
    need_true(!lost.done);
    same_status(conform_unlock(c->in, fence), BR_OK);
    answer_wait(&lost);
    same_status(lost.status, BR_OK);
    answer_done(&lost);
    free(fence);
}

/* -- Where a lock may be ---------------------------------------------------------------------- */

static br_status refused_lock(struct conform *c)
{
    struct answer answer;
    ask_lock(c->in, "h:1", &answer);
    answer_wait(&answer);
    br_status status = answer.status;
    answer_done(&answer);
    return status;
}

/* Nobody stands at a lock's node or below it: nothing can be there. */
static void no_lock_below_a_lock(struct conform *c)
{
    static const char *const tails[] = { "", "/x", "/x/y" };
    char *fence = conform_lock(c->in, "h:1");
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        struct buf below = { 0 };
        buf_printf(&below, "%s%s", fence, tails[i]);
        conform_move_lock(c, below.data);
        same_status(refused_lock(c), BR_CONFLICT);
        buf_done(&below);
    }
    same_status(fenced(c->in, fence), BR_OK);
    same_status(conform_unlock(c->in, fence), BR_OK);
    free(fence);
}

/* A fence is a path, too, to be named in batches: it has to fit.  Row 1: one byte too many. */
static void lock_path_limit(struct conform *c)
{
    struct buf longest = { 0 };
    buf_printf(&longest, "%s", conform_at(c, "l"));
    while (longest.size + strlen("/LOCKNODE0123456789") < BR_PATH_MAX + c->row)
        buf_char(&longest, 'l');
    conform_move_lock(c, buf_string(&longest));
    buf_done(&longest);
    if (c->row) {
        same_status(refused_lock(c), BR_TOOBIG);
        return;
    }
    char *fence = conform_lock(c->in, "h:1");
    same_status(fenced(c->in, fence), BR_OK);
    same_status(conform_unlock(c->in, fence), BR_OK);
    free(fence);
}

static void lock_of_the_root(struct conform *c)
{
    conform_move_lock(c, "/");
    char *fence = conform_lock(c->in, "h:1");
    expect_owner(c->in, "", "h:1");
    same_status(fenced(c->in, fence), BR_OK);
    same_status(conform_unlock(c->in, fence), BR_OK);
    free(fence);
}

/* An operator deletes the node: the leader must know. */
static void deleted_fence_is_a_loss(struct conform *c)
{
    struct answer lost, next, owner;
    char *fence = conform_lock(c->in, "h:1");
    ask_lost(c->in, fence, &lost);
    ask_lock(c->in, "h:2", &next);
    ask_owner(c->in, "h:1", &owner);
    same_status(conform_write(c->in, BR_DELETE, fence, NULL, BR_ANY_VERSION), BR_OK);
    answer_wait(&lost);
    same_status(lost.status, BR_OK);
    answer_done(&lost);
    same_status(fenced(c->in, fence), BR_FENCED);
    same_status(conform_unlock(c->in, fence), BR_NOTFOUND);
    free(fence);
    fence = conform_elected(&next);
    same_status(fenced(c->in, fence), BR_OK);
    answer_wait(&owner);
    same_status(owner.status, BR_OK);
    answer_done(&owner);
    ask_owner(c->in, "h:2", &owner);
    same_status(conform_write(c->in, BR_DELETE, fence, NULL, BR_ANY_VERSION), BR_OK);
    answer_wait(&owner);
    same(owner.value.size, 0);
    answer_done(&owner);
    free(fence);
}

/* -- Two instances ---------------------------------------------------------------------------- */

static void lock_excludes_and_passes_on(struct conform *c)
{
    struct answer waits;
    struct instance *other = conform_start(c);
    char *fence = conform_lock(c->in, "h:1");
    ask_lock(other, "h:2", &waits);
    expect_owner(other, "", "h:1");
    for (int i = 0; i < 50; i++)
        same_status(fenced(other, fence), BR_OK); /* anybody may name it */
    need_true(!answer_soon(&waits, 300 * BR_MILLISECOND));
    same_status(conform_unlock(other, fence), BR_NOTFOUND); /* it is not the other's to give back */
    same_status(conform_unlock(c->in, fence), BR_OK);
    char *next = conform_elected(&waits);
    need_true(strcmp(fence, next) < 0);
    same_status(fenced(c->in, fence), BR_FENCED);
    expect_owner(c->in, "h:1", "h:2");
    ask_lock(c->in, "h:1", &waits); /* stopping gives the lock back, too */
    instance_free(other);
    free(fence);
    free(next);
    fence = conform_elected(&waits);
    same_status(conform_unlock(c->in, fence), BR_OK);
    free(fence);
}

/* The other instance deletes the node. */
static void fence_deleted_by_another(struct conform *c)
{
    struct answer lost;
    struct instance *other = conform_start(c);
    char *fence = conform_lock(c->in, "h:1");
    ask_lost(c->in, fence, &lost);
    same_status(conform_write(other, BR_DELETE, fence, NULL, BR_ANY_VERSION), BR_OK);
    answer_wait(&lost);
    same_status(lost.status, BR_OK);
    answer_done(&lost);
    free(fence);
    fence = conform_lock(other, "h:2");
    same_status(conform_unlock(other, fence), BR_OK);
    free(fence);
    instance_free(other);
}

const struct conform_rule conform_lock_rules[] = {
    { "fence-lives-with-lock",
      "The fence's node exists as long as the lock is held; a batch that names "
      "a fence that is gone is BR_FENCED and changes nothing.",
      fence_lives_as_long_as_the_lock, 0, CONFORM_LOCK },
    { "no-fence-twice", "No fence is ever given out twice, and later ones are greater.",
      no_fence_twice, 0, CONFORM_LOCK },
    { "fence-has-no-children", "A node below a fence is refused with BR_CONFLICT.",
      fence_has_no_children, 0, CONFORM_LOCK },
    { "candidates-in-order",
      "Candidates of one instance are elected in the order that they called.", candidates_queue_up,
      0, CONFORM_LOCK },
    { "locks-by-path", "Locks of different paths have nothing to do with each other.",
      locks_are_by_path, 0, CONFORM_LOCK },
    { "canceled-candidate",
      "A candidate that was cancelled is not elected, and its call is replied to.",
      canceled_candidate_is_passed_over, 2, CONFORM_LOCK },
    { "owner-follows",
      "owner() replies when the holder's value differs from last_seen, not before.",
      owner_follows_the_holder, 0, CONFORM_LOCK },
    { "canceled-owner", "owner() that was cancelled is replied to.", canceled_owner_is_let_go, 2,
      CONFORM_LOCK },
    { "canceled-loss", "lost() that was cancelled is replied to, and no other.",
      canceled_loss_is_let_go, 2, CONFORM_LOCK },
    { "canceled-read", "Cancelling a read leaves those who wait for the lock alone.",
      canceled_read_is_no_wait, 0, CONFORM_LOCK },
    { "no-lock-below-lock", "lock() at a fence or below it is refused with BR_CONFLICT.",
      no_lock_below_a_lock, 0, CONFORM_LOCK },
    { "lock-path-size",
      "A lock whose fence is a path of BR_PATH_MAX bytes is taken, a longer one is BR_TOOBIG.",
      lock_path_limit, 2, CONFORM_LOCK },
    { "lock-at-root", "\"/\" may be the path of a lock.", lock_of_the_root, 0, CONFORM_LOCK },
    { "deleted-fence-is-loss",
      "Deleting the fence's node is a loss of the lock: lost() replies, the "
      "next candidate is elected.",
      deleted_fence_is_a_loss, 0, CONFORM_LOCK },
    { "lock-excludes",
      "Of two instances one holds the lock; the other gets it when it is given back.",
      lock_excludes_and_passes_on, 0, CONFORM_LOCK | CONFORM_ACROSS },
    { "fence-deleted-elsewhere", "A fence that another instance deletes is a loss, too.",
      fence_deleted_by_another, 0, CONFORM_LOCK | CONFORM_ACROSS },
    { 0 },
};
