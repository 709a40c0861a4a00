/* store_death -- a process that holds the lock dies: the next one gets it.  The holder is this
 * program again, started with --hold PATH VALUE KIND FILE OPTION=VALUE ...
 */
#include "host/conform/kit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- The holder ------------------------------------------------------------------------------- */

void conform_hold(struct conform *c, const char *path, const char *value)
{
    struct answer answer;
    char byte;
    struct instance *in = conform_start(c);
    answer_begin(c, &answer);
    store_lock(&in->plugin, path, value, answer_take, &answer);
    answer_wait(&answer);
    need(answer.status == BR_OK, "%s", answer.text);
    printf("%.*s\n", (int) answer.value.size, (const char *) answer.value.data);
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        ;
    answer_done(&answer);
    instance_free(in);
}

static struct child holder_start(struct conform *c, const char *path, const char *value)
{
    char *args[CONFORM_OPTIONS_MAX + 7] = { NULL,
                                            (char *) (uintptr_t) "--hold",
                                            (char *) (uintptr_t) path,
                                            (char *) (uintptr_t) value,
                                            (char *) (uintptr_t) c->kind,
                                            (char *) (uintptr_t) c->argument };
    int count = 6;
    for (int i = 0; c->options[i]; i++)
        args[count++] = c->options[i];
    return conform_spawn(c, args);
}

static void holder_fence(const struct child *holder, char *ret_fence, size_t size)
{
    struct conform *c = holder->c;
    size_t used = 0;
    while (used + 1 < size && read(holder->out, ret_fence + used, 1) == 1
           && ret_fence[used] != '\n')
        used++;
    ret_fence[used] = 0;
    need(used > 0, "the other process did not get the lock");
}

/* -- The tests -------------------------------------------------------------------------------- */

static void expect_value(struct answer *answer, const char *value)
{
    struct conform *c = answer->c;
    answer_wait(answer);
    need(answer->status == BR_OK, "%s", answer->text);
    same(answer->value.size, strlen(value));
    if (answer->value.size)
        need_true(memcmp(answer->value.data, value, answer->value.size) == 0);
    answer_done(answer);
}

/* Row 0 an orderly end, 1 SIGKILL. */
static void lock_passes_on_at_the_holders_end(struct conform *c)
{
    char fence[256];
    struct answer lock, owner;
    struct instance *in = conform_start(c);
    const char *path = conform_at(c, "lock");
    struct child holder = holder_start(c, path, "dead:1");
    holder_fence(&holder, fence, sizeof fence);
    answer_begin(c, &owner);
    store_owner(&in->plugin, path, "", answer_take, &owner);
    expect_value(&owner, "dead:1");
    same_status(conform_write(in, BR_FENCE, fence, NULL, 0), BR_OK);
    answer_begin(c, &lock);
    store_lock(&in->plugin, path, "alive:2", answer_take, &lock);
    need_true(!answer_soon(&lock, 300 * BR_MILLISECOND));
    child_end(&holder, c->row ? SIGKILL : 0);
    answer_wait(&lock);
    need(lock.status == BR_OK, "%s", lock.text);
    same_status(conform_write(in, BR_FENCE, fence, NULL, 0), BR_FENCED);
    same_status(conform_get(in, fence, NULL, NULL), BR_NOTFOUND);
    answer_done(&lock);
    answer_begin(c, &owner);
    store_owner(&in->plugin, path, "dead:1", answer_take, &owner);
    expect_value(&owner, "alive:2");
    instance_free(in);
}

/* Nobody else stands: the owner is nobody, though the dead one's node may still lie there. */
static void dead_holder_is_no_owner(struct conform *c)
{
    char fence[256];
    struct answer owner;
    struct instance *in = conform_start(c);
    const char *path = conform_at(c, "lock");
    struct child holder = holder_start(c, path, "dead:1");
    holder_fence(&holder, fence, sizeof fence);
    answer_begin(c, &owner);
    store_owner(&in->plugin, path, "dead:1", answer_take, &owner);
    need_true(!answer_soon(&owner, 200 * BR_MILLISECOND));
    bool counts = in->plugin.ops.store.elections != NULL;
    need_true(!counts || conform_elections(in, path) == 1);
    child_end(&holder, SIGKILL);
    expect_value(&owner, "");
    need_true(!counts || conform_elections(in, path) == 2);
    instance_free(in);
}

const struct conform_rule conform_death_rules[] = {
    { "lock-outlives-nobody",
      "The lock passes on when its holder's process ends, orderly or killed.",
      lock_passes_on_at_the_holders_end, 2, CONFORM_ACROSS },
    { "dead-holder-is-no-owner", "owner() replies nobody once the holder's process was killed.",
      dead_holder_is_no_owner, 0, CONFORM_ACROSS },
    { 0 },
};
