/* store_life -- every call, stopping with calls outstanding, starting again; and the rates of
 * commits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/conform/kit.h"

static void started_and_stopped_again(struct conform *c)
{
    bool keeps = !(c->desc->ops.store->flags & BR_STORE_EPHEMERAL);
    for (int i = 0; i < 10; i++) {
        struct instance *in = conform_start(c);
        br_status status = conform_write(in, BR_CREATE, c->root, "kept", 0);
        same_status(status, keeps && i > 0 ? BR_EXISTS : BR_OK);
        instance_free(in);
    }
}

#define COMMITS 50

static struct answer commits[COMMITS], waits[4];
static struct br_write writes[COMMITS];

static void issue_all(struct instance *in, const char *const paths[COMMITS])
{
    struct conform *c = in->c;
    for (int i = 0; i < 3; i++)
        answer_begin(c, &waits[i]);
    if (in->plugin.ops.store.lock) {
        store_lock(&in->plugin, conform_at(c, "lock"), "h:1", answer_take, &waits[0]);
        answer_wait(&waits[0]);
        struct buf fence = { 0 };
        buf_put(&fence, waits[0].value.data, waits[0].value.size);
        answer_done(&waits[0]);
        answer_begin(c, &waits[0]);
        store_lock(&in->plugin, conform_at(c, "lock"), "h:2", answer_take, &waits[0]);
        store_owner(&in->plugin, conform_at(c, "lock"), "h:1", answer_take, &waits[1]);
        store_lost(&in->plugin, fence.data, answer_take, &waits[2]);
        buf_done(&fence);
    }
    for (int i = 0; i < COMMITS; i++) {
        writes[i] = (struct br_write){ .kind = BR_CREATE, .path = paths[i] };
        conform_issue(in, &writes[i], 1, &commits[i]);
    }
    answer_begin(c, &waits[3]);
    store_read(&in->plugin, paths, COMMITS, NULL, PLUGIN_FOREVER, answer_take, &waits[3]);
}

/* Every outstanding call is answered before stop is; a commit that was called off did not happen,
 * one that was not did. */
static void stop_answers_everything(struct conform *c)
{
    const char *paths[COMMITS];
    struct instance *in = conform_start(c);
    bool locks = in->plugin.ops.store.lock, keeps;
    same_status(conform_write(in, BR_CREATE, c->root, "", 0), BR_OK);
    for (int i = 0; i < COMMITS; i++)
        paths[i] = mem_text(conform_at(c, "n%d", i));
    issue_all(in, paths);
    instance_stop(in);
    for (int i = locks ? 0 : 3; i < 4; i++)
        answer_done(&waits[i]);
    keeps = !(in->plugin.ops.store.flags & BR_STORE_EPHEMERAL);
    plugin_close(&in->plugin);
    arena_done(&in->arena);
    free(in);
    in = conform_start(c);
    for (int i = 0; i < COMMITS; i++) {
        br_status status = commits[i].status;
        need(status == BR_OK || status == BR_CANCELED || status == BR_UNAVAILABLE
                 || status == BR_UNKNOWN,
             "commit %d: %d: %s", i, status, commits[i].text);
        answer_done(&commits[i]);
        if (keeps && !br_may_have_happened(status))
            same_status(conform_get(in, paths[i], NULL, NULL),
                        status == BR_OK ? BR_OK : BR_NOTFOUND);
        free((void *) (uintptr_t) paths[i]);
    }
    instance_free(in);
}

/* -- Every call ------------------------------------------------------------------------------- */

#define CALLS 8

/* One of each kind, some of which must fail. */
static void issue_each(struct conform *c, struct answer answers[CALLS])
{
    struct plugin *store = &c->in->plugin;
    const char *none = conform_at(c, "none"), *root = c->root;
    const struct br_write put = { .kind = BR_PUT, .path = root, .version = BR_ANY_VERSION };
    const struct br_write fence = { .kind = BR_FENCE, .path = none };
    const struct br_write *batch[] = { &put, &fence };
    for (int i = 0; i < CALLS; i++)
        answer_begin(c, &answers[i]);
    store_read(store, &root, 1, NULL, PLUGIN_FOREVER, answer_take, &answers[0]);
    store_read(store, &none, 1, NULL, PLUGIN_FOREVER, answer_take, &answers[1]);
    store_list(store, root, PLUGIN_FOREVER, answer_take, &answers[2]);
    store_list(store, none, PLUGIN_FOREVER, answer_take, &answers[3]);
    store_commit(store, &batch[0], 1, NULL, PLUGIN_FOREVER, answer_take, &answers[4]);
    store_commit(store, &batch[1], 1, NULL, PLUGIN_FOREVER, answer_take, &answers[5]);
    store_commit(store, batch, 0, NULL, PLUGIN_FOREVER, answer_take, &answers[6]);
    store_read(store, &root, 0, NULL, PLUGIN_FOREVER, answer_take, &answers[7]);
    for (int i = 0; i < CALLS; i++)
        answer_wait(&answers[i]);
}

static void finish_each(struct answer answers[CALLS])
{
    for (int i = 0; i < CALLS; i++)
        answer_done(&answers[i]);
}

static void each_call_is_answered(struct conform *c)
{
    struct answer answers[CALLS];
    issue_each(c, answers);
    conform_linger(c); /* a second reply may come from a thread */
    finish_each(answers);
}

static void grow_once(struct conform *c, uint32_t round)
{
    struct answer answers[CALLS];
    (void) round;
    issue_each(c, answers);
    finish_each(answers);
}

static void calls_do_not_grow(struct conform *c)
{
    conform_repeat(c, 150, 60, grow_once); /* 150: the host keeps the last 1024 calls */
}

static void calls_do_not_block(struct conform *c)
{
    br_time best = INT64_MAX;
    for (int i = 0; i < CONFORM_STALL_TRIES && best > CONFORM_STALL_MAX; i++) {
        const struct br_write put = { .kind = BR_PUT, .path = c->root, .version = BR_ANY_VERSION };
        struct answer answers[3];
        const char *path = c->root;
        br_time start = loop_now(c->loop);
        conform_issue(c->in, &put, 1, &answers[0]);
        answer_begin(c, &answers[1]);
        store_read(&c->in->plugin, &path, 1, NULL, PLUGIN_FOREVER, answer_take, &answers[1]);
        answer_begin(c, &answers[2]);
        store_list(&c->in->plugin, path, PLUGIN_FOREVER, answer_take, &answers[2]);
        br_time longest = loop_now(c->loop) - start;
        for (int j = 0; j < 3; j++) {
            br_time stalled = conform_stalled(&answers[j]);
            longest = stalled > longest ? stalled : longest;
            answer_done(&answers[j]);
        }
        best = longest < best ? longest : best;
    }
    need(best <= CONFORM_STALL_MAX, "the loop stood still for %lld ms in a commit, read or list",
         (long long) (best / BR_MILLISECOND));
}

const struct conform_rule conform_life_rules[] = {
    { "every-call-answered", "Every call is replied to before long.", each_call_is_answered, 0,
      CONFORM_ROOT },
    { "one-reply", "A call is replied to once, and not used after the reply.",
      each_call_is_answered, 0, CONFORM_ROOT },
    { "rows-are-whole",
      "Chunks are of the kind and number asked, of rows of a size that the ABI has, and with all "
      "their strings in memory of br_rows or of the plugin's file.",
      each_call_is_answered, 0, CONFORM_ROOT },
    { "failures-say-why", "A failure says in a sentence what, of whom and why.",
      each_call_is_answered, 0, CONFORM_ROOT },
    { "never-blocks", "A function that the host calls returns at once.", calls_do_not_block, 0,
      CONFORM_ROOT },
    { "no-growth", "What is opened, started and asked for is given back when it is over.",
      calls_do_not_grow, 0, CONFORM_ROOT },
    { "restart-keeps",
      "What was committed is there after stop and start, where the store is not "
      "ephemeral.",
      started_and_stopped_again, 0, 0 },
    { "stop-replies-last",
      "stop replies after every outstanding call was replied to, and a commit "
      "that was called off did not happen.",
      stop_answers_everything, 0, 0 },
    { 0 },
};

/* -- Rates ------------------------------------------------------------------------------------ */

#define BENCH_WRITES 100000
#define BENCH_VALUE  350

/* `size` creates a commit, `flight` commits at once; creates per second. */
static double bench(struct instance *in, const char *base, uint32_t total, uint32_t size,
                    uint32_t flight)
{
    struct conform *c = in->c;
    static char value[BENCH_VALUE];
    struct br_write *all = mem_array(total, sizeof *all);
    struct answer *answers = mem_array(total / size, sizeof *answers);
    for (uint32_t i = 0; i < total; i++)
        all[i] = (struct br_write){ .kind = BR_CREATE,
                                    .path = mem_text(conform_at(c, "%s/%u", base, i)),
                                    .value = { value, sizeof value } };
    same_status(conform_write(in, BR_CREATE, conform_at(c, "%s", base), "", 0), BR_OK);
    br_time start = loop_now(c->loop);
    for (uint32_t i = 0; i < total / size + flight; i++) {
        if (i < total / size)
            conform_issue(in, all + i * size, size, &answers[i]);
        if (i < flight)
            continue;
        answer_wait(&answers[i - flight]);
        need(answers[i - flight].status == BR_OK, "%s", answers[i - flight].text);
        answer_done(&answers[i - flight]);
    }
    double seconds = (double) (loop_now(c->loop) - start) / 1e9;
    for (uint32_t i = 0; i < total; i++)
        free((void *) (uintptr_t) all[i].path);
    free(all);
    free(answers);
    return total / seconds;
}

void conform_rates(struct conform *c)
{
    struct instance *in = conform_start(c);
    same_status(conform_write(in, BR_CREATE, c->root, "", 0), BR_OK);
    printf("store %s, values of %d bytes, creates per second:\n", c->name, BENCH_VALUE);
    printf("  one by one               %10.0f\n", bench(in, "one", 2000, 1, 0));
    printf("  single, 64 in flight     %10.0f\n", bench(in, "flight", 20000, 1, 64));
    printf("  1000 a batch             %10.0f\n", bench(in, "batch", BENCH_WRITES, 1000, 0));
    printf("  1000 a batch, 4 at once  %10.0f\n", bench(in, "both", BENCH_WRITES, 1000, 4));
    instance_free(in);
}
