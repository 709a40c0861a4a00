/* store_elections -- how often a leader lock was taken and given back, as the store counts it. */
#include "host/conform/kit.h"

#include <stdlib.h>

static void ask_owner(struct conform *c)
{
    struct answer answer;
    answer_begin(c, &answer);
    store_owner(&c->in->plugin, c->lock, "", answer_take, &answer);
    answer_wait(&answer);
    same_status(answer.status, BR_OK);
    answer_done(&answer);
}

/* Each coming and each going is one; nothing else is. */
static void comings_and_goings_are_counted(struct conform *c)
{
    same(conform_elections(c->in, c->lock), 0); /* nothing is there */
    same_status(conform_write(c->in, BR_CREATE, c->root, "", 0), BR_OK);
    for (int i = 0; i < 3; i++) {
        char *fence = conform_lock(c->in, "h:1");
        same(conform_elections(c->in, c->lock), 2 * i + 1);
        same_status(conform_write(c->in, BR_FENCE, fence, NULL, 0), BR_OK);
        same_status(conform_write(c->in, BR_CREATE, conform_at(c, "n%d", i), "", 0), BR_OK);
        ask_owner(c);
        same(conform_elections(c->in, c->lock), 2 * i + 1);
        same_status(conform_unlock(c->in, fence), BR_OK);
        same(conform_elections(c->in, c->lock), 2 * i + 2);
        free(fence);
    }
    same(conform_elections(c->in, conform_at(c, "elsewhere")), 0);
}

/* A fence that somebody deletes has gone like any other; one who waited and then led is not
 * forgotten. */
static void losses_and_successors_are_counted(struct conform *c)
{
    struct answer lost, next;
    char *fence = conform_lock(c->in, "h:1");
    answer_begin(c, &lost);
    store_lost(&c->in->plugin, fence, answer_take, &lost);
    same_status(conform_write(c->in, BR_DELETE, fence, NULL, BR_ANY_VERSION), BR_OK);
    answer_wait(&lost);
    answer_done(&lost);
    free(fence);
    same(conform_elections(c->in, c->lock), 2);
    fence = conform_lock(c->in, "h:1");
    answer_begin(c, &next);
    store_lock(&c->in->plugin, c->lock, "h:2", answer_take, &next);
    same_status(conform_unlock(c->in, fence), BR_OK);
    free(fence);
    fence = conform_elected(&next);
    same(conform_elections(c->in, c->lock), 5);
    same_status(conform_unlock(c->in, fence), BR_OK);
    same(conform_elections(c->in, c->lock), 6);
    free(fence);
}

static void bad_path_is_refused(struct conform *c)
{
    struct answer answer;
    answer_begin(c, &answer);
    store_elections(&c->in->plugin, "no/path", PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    same_status(answer.status, BR_INVALID);
    answer_done(&answer);
}

/* Whoever asks is told the same, whoever holds the lock; also after the store was closed. */
static void number_is_everybodys(struct conform *c)
{
    struct instance *other = conform_start(c);
    char *fence = conform_lock(c->in, "h:1");
    same(conform_elections(other, c->lock), 1);
    same_status(conform_unlock(c->in, fence), BR_OK);
    free(fence);
    fence = conform_lock(other, "h:2");
    same(conform_elections(other, c->lock), 3);
    instance_free(other); /* which gives the lock back */
    other = conform_start(c);
    same(conform_elections(other, c->lock), 4);
    instance_free(other);
    free(fence);
}

const struct conform_rule conform_elections_rules[] = {
    { "elections-counted",
      "elections() is 0 where no lock was, and rises by one with each holder's coming and going.",
      comings_and_goings_are_counted, 0, CONFORM_IN | CONFORM_COUNTS },
    { "elections-see-losses",
      "A fence that is deleted has gone, and the next holder has come: elections() counts both.",
      losses_and_successors_are_counted, 0, CONFORM_IN | CONFORM_COUNTS },
    { "elections-bad-path", "elections() of a bad path is BR_INVALID.", bad_path_is_refused, 0,
      CONFORM_IN | CONFORM_COUNTS },
    { "elections-everybodys",
      "elections() is the same for each instance, and stays when an instance closes.",
      number_is_everybodys, 0, CONFORM_IN | CONFORM_COUNTS | CONFORM_ACROSS },
    { 0 },
};
