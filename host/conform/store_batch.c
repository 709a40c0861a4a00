/* store_batch -- batches: all or nothing, own earlier writes, order, limits; many reads.
 */
#include "host/conform/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIPELINE 200
#define READS    5000

/* -- All or nothing --------------------------------------------------------------------------- */

#define GOOD 6

static const struct {
    struct br_write write; /* path: below the root */
    br_status status;
} spoilers[] = {
    { { .kind = BR_CREATE, .path = "kept" }, BR_EXISTS },
    { { .kind = BR_CREATE, .path = "none/x" }, BR_NOTFOUND },
    { { .kind = BR_PUT, .path = "none", .version = -1 }, BR_NOTFOUND },
    { { .kind = BR_PUT, .path = "kept", .version = 7 }, BR_CONFLICT },
    { { .kind = BR_DELETE, .path = "none", .version = -1 }, BR_NOTFOUND },
    { { .kind = BR_DELETE, .path = "parent", .version = -1 }, BR_CONFLICT },
    { { .kind = BR_CHECK, .path = "kept", .version = 7 }, BR_CONFLICT },
    { { .kind = BR_FENCE, .path = "none" }, BR_FENCED },
    { { .kind = 9, .path = "kept" }, BR_INVALID },
};

static void failing_batch_leaves_nothing(struct conform *c)
{
    struct buf before = { 0 }, after = { 0 };
    const char *const nodes[] = { "kept", "parent", "parent/child", "gone", "put" };
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        same_status(conform_write(c->in, BR_CREATE, conform_at(c, "%s", nodes[i]), nodes[i], 0),
                    BR_OK);
    conform_dump(c->in, c->root, &before);
    const struct br_write good[GOOD] = {
        { .kind = BR_CREATE, .path = mem_text(conform_at(c, "new")), .value = { "n", 1 } },
        { .kind = BR_CREATE, .path = mem_text(conform_at(c, "new/below")), .value = { "n", 1 } },
        { .kind = BR_PUT, .path = mem_text(conform_at(c, "put")), .value = { "changed", 7 } },
        { .kind = BR_DELETE, .path = mem_text(conform_at(c, "gone")) },
        { .kind = BR_PUT,
          .path = mem_text(conform_at(c, "put")),
          .value = { "twice", 5 },
          .version = 1 },
        { .kind = BR_CREATE, .path = mem_text(conform_at(c, "gone")), .value = { "back", 4 } },
    };
    for (size_t position = 0; position <= GOOD; position++) {
        struct br_write batch[GOOD + 1];
        memcpy(batch, good, position * sizeof *good);
        batch[position] = spoilers[c->row].write;
        batch[position].path = conform_at(c, "%s", spoilers[c->row].write.path);
        memcpy(batch + position + 1, good + position, (GOOD - position) * sizeof *good);
        need(conform_commit(c->in, batch, GOOD + 1) == spoilers[c->row].status,
             "spoiler %d at %zu: %s", c->row, position, c->text);
        buf_clear(&after);
        conform_dump(c->in, c->root, &after);
        same_text(before.data, after.data);
    }
    same_status(conform_commit(c->in, good, GOOD), BR_OK); /* alone it is good */
    for (size_t i = 0; i < GOOD; i++)
        free((void *) (uintptr_t) good[i].path);
    buf_done(&before);
    buf_done(&after);
}

static void batch_sees_its_own_writes(struct conform *c)
{
    const char *p = conform_at(c, "p"), *e = conform_at(c, "p/e"), *d = conform_at(c, "p/d");
    const struct br_write writes[] = {
        { .kind = BR_CREATE, .path = p },
        { .kind = BR_FENCE, .path = p },
        { .kind = BR_CREATE, .path = e, .value = { "1", 1 } },
        { .kind = BR_PUT, .path = e, .value = { "2", 1 } },
        { .kind = BR_CHECK, .path = e, .version = 1 },
        { .kind = BR_DELETE, .path = e, .version = 1 },
        { .kind = BR_DELETE, .path = p },
        { .kind = BR_CREATE, .path = p, .value = { "p", 1 } },
        { .kind = BR_CREATE, .path = e, .value = { "3", 1 } },
        { .kind = BR_CREATE, .path = d, .value = { "d", 1 } },
        { .kind = BR_DELETE, .path = d },
    };
    struct buf got = { 0 };
    int64_t version;
    need(conform_commit(c->in, writes, 11) == BR_OK, "%s", c->text);
    same_status(conform_get(c->in, e, &got, &version), BR_OK);
    same_text(got.data, "3");
    same(version, 0);
    same_status(conform_get(c->in, d, NULL, NULL), BR_NOTFOUND);
    buf_done(&got);
    const struct br_write bad[][2] = {
        { { .kind = BR_CREATE, .path = d }, { .kind = BR_CREATE, .path = d } },
        { { .kind = BR_DELETE, .path = e }, { .kind = BR_PUT, .path = e, .version = -1 } },
        { { .kind = BR_PUT, .path = e }, { .kind = BR_PUT, .path = e } },
        { { .kind = BR_DELETE, .path = e }, { .kind = BR_FENCE, .path = e } },
        { { .kind = BR_CREATE, .path = d }, { .kind = BR_DELETE, .path = p } },
    };
    const br_status status[] = { BR_EXISTS, BR_NOTFOUND, BR_CONFLICT, BR_FENCED, BR_CONFLICT };
    for (size_t i = 0; i < sizeof status / sizeof *status; i++)
        need(conform_commit(c->in, bad[i], 2) == status[i], "pair %zu: %s", i, c->text);
}

/* The answer is the failure of the first write that fails. */
static void first_failure_is_reported(struct conform *c)
{
    const struct br_write writes[] = {
        { .kind = BR_CHECK, .path = c->root, .version = BR_ANY_VERSION },
        { .kind = BR_FENCE, .path = conform_at(c, "none") },
        { .kind = BR_CREATE, .path = c->root },
    };
    same_status(conform_commit(c->in, writes, 3), BR_FENCED);
    const struct br_write other[] = { writes[0], writes[2], writes[1] };
    same_status(conform_commit(c->in, other, 3), BR_EXISTS);
}

static void checks_write_nothing(struct conform *c)
{
    struct buf before = { 0 }, after = { 0 };
    same_status(conform_write(c->in, BR_CREATE, conform_at(c, "a"), "a", 0), BR_OK);
    conform_dump(c->in, c->root, &before);
    const struct br_write checks[] = {
        { .kind = BR_FENCE, .path = conform_at(c, "a") },
        { .kind = BR_CHECK, .path = conform_at(c, "a"), .version = 0 },
        { .kind = BR_CHECK, .path = c->root, .version = BR_ANY_VERSION },
    };
    same_status(conform_commit(c->in, checks, 3), BR_OK);
    same_status(conform_commit(c->in, NULL, 0), BR_OK);
    conform_dump(c->in, c->root, &after);
    same_text(before.data, after.data);
    buf_done(&before);
    buf_done(&after);
}

/* -- Order ------------------------------------------------------------------------------------ */

/* Each puts at the version that the one before leaves: any other order fails. */
static void pipelined_commits_keep_their_order(struct conform *c)
{
    static struct answer answers[PIPELINE];
    static struct br_write writes[PIPELINE];
    const char *path = conform_at(c, "node");
    int64_t version;
    same_status(conform_write(c->in, BR_CREATE, path, "", 0), BR_OK);
    for (int i = 0; i < PIPELINE; i++) {
        writes[i] = (struct br_write){ .kind = BR_PUT, .path = path, .version = i };
        conform_issue(c->in, &writes[i], 1, &answers[i]);
        need_true(!answers[i].done); /* never from inside */
    }
    for (int i = 0; i < PIPELINE; i++) {
        answer_wait(&answers[i]);
        need(answers[i].status == BR_OK, "commit %d: %s", i, answers[i].text);
        answer_done(&answers[i]);
    }
    same_status(conform_get(c->in, path, NULL, &version), BR_OK);
    same(version, PIPELINE);
}

/* Among pipelined commits one that fails takes no other with it. */
static void pipelined_failures_stay_alone(struct conform *c)
{
    static struct answer answers[PIPELINE];
    static struct br_write writes[PIPELINE][2];
    const char *path = conform_at(c, "node"), *twin = conform_at(c, "twin");
    int64_t version, good = 0;
    same_status(conform_write(c->in, BR_CREATE, path, "", 0), BR_OK);
    same_status(conform_write(c->in, BR_CREATE, twin, "", 0), BR_OK);
    for (int i = 0; i < PIPELINE; i++) {
        bool bad = i % 3 == 1;
        writes[i][0] = (struct br_write){ .kind = BR_PUT, .path = path, .version = -1 };
        writes[i][1] = (struct br_write){ .kind = BR_PUT, .path = twin, .version = bad ? 999 : -1 };
        conform_issue(c->in, writes[i], 2, &answers[i]);
    }
    for (int i = 0; i < PIPELINE; i++) {
        answer_wait(&answers[i]);
        same_status(answers[i].status, i % 3 == 1 ? BR_CONFLICT : BR_OK);
        good += i % 3 != 1;
        answer_done(&answers[i]);
    }
    same_status(conform_get(c->in, path, NULL, &version), BR_OK);
    same(version, good);
    same_status(conform_get(c->in, twin, NULL, &version), BR_OK);
    same(version, good);
}

/* -- Limits ----------------------------------------------------------------------------------- */

static void batch_limits(struct conform *c)
{
    const struct br_store *store = &c->in->plugin.ops.store;
    uint64_t size = strlen(c->root) + store->write_overhead;
    uint64_t ops = store->batch_ops_max ? store->batch_ops_max : UINT32_MAX;
    if (store->batch_bytes_max && store->batch_bytes_max / size < ops)
        ops = store->batch_bytes_max / size;
    if (ops == UINT32_MAX)
        return; /* no limit */
    struct br_write *writes = mem_array(ops + 1, sizeof *writes);
    for (uint64_t i = 0; i <= ops; i++)
        writes[i] = (struct br_write){ .kind = BR_CHECK, .path = c->root, .version = -1 };
    same_status(conform_commit(c->in, writes, (uint32_t) ops), BR_OK);
    writes[0] = (struct br_write){ .kind = BR_CREATE, .path = conform_at(c, "a") };
    same_status(conform_commit(c->in, writes, (uint32_t) ops + 1), BR_TOOBIG);
    same_status(conform_get(c->in, conform_at(c, "a"), NULL, NULL), BR_NOTFOUND);
    free(writes);
}

static void batch_of_bytes_max(struct conform *c)
{
    const struct br_store *store = &c->in->plugin.ops.store;
    const size_t part = 100000, max = store->batch_bytes_max;
    if (!max)
        return;                                /* no limit */
    char *value = mem_new(part + BR_PATH_MAX); /* the last one gets what is left */
    uint32_t count = (uint32_t) (max / part + 1);
    struct br_write *writes = mem_array(count, sizeof *writes);
    size_t left = max;
    for (uint32_t i = 0; i < count; i++) {
        char *path = mem_text(conform_at(c, "%04u", i));
        size_t extra = strlen(path) + store->write_overhead;
        size_t size = left >= part + extra ? part : left > extra ? left - extra : 0;
        writes[i] = (struct br_write){ .kind = BR_CREATE, .path = path, .value = { value, size } };
        if (left < extra) {
            free(path);
            count = i;
            writes[i - 1].value.size += left;
            break;
        }
        left -= extra + size;
    }
    need(conform_commit(c->in, writes, count) == BR_OK, "%s", c->text);
    for (uint32_t i = 0; i < count; i++) {
        same_status(conform_get(c->in, writes[i].path, NULL, NULL), BR_OK);
        writes[i].kind = BR_PUT;
    }
    writes[0].value.size++;
    same_status(conform_commit(c->in, writes, count), BR_TOOBIG);
    for (uint32_t i = 0; i < count; i++)
        free((void *) (uintptr_t) writes[i].path);
    free(writes);
    free(value);
}

/* -- Reading ---------------------------------------------------------------------------------- */

static void make_children(struct conform *c, uint32_t count)
{
    enum { BATCH = 250 };
    char paths[BATCH][128];
    struct br_write writes[BATCH];
    const uint32_t max = c->in->plugin.ops.store.batch_ops_max;
    for (uint32_t size, i = 0; i < count; i += size) {
        size = max && max < BATCH ? max : BATCH;
        size = count - i < size ? count - i : size;
        for (uint32_t j = 0; j < size; j++) {
            snprintf(paths[j], sizeof paths[j], "%s", conform_at(c, "n%u", i + j));
            writes[j] = (struct br_write){ .kind = BR_CREATE,
                                           .path = paths[j],
                                           .value = { paths[j], strlen(paths[j]) } };
        }
        need(conform_commit(c->in, writes, size) == BR_OK, "%s", c->text);
    }
}

/* Every second one is not there. */
static void expect_reads(struct conform *c, const struct answer *answer, const char *const *paths)
{
    uint32_t i = 0;
    for (const struct br_chunk *chunk = answer->chunks; chunk; chunk = chunk->next) {
        for (uint32_t j = 0; j < chunk->count; j++, i++) {
            struct br_value room;
            const struct br_value *row = call_row(chunk, j, &room, sizeof room);
            need_true(i < READS);
            same_status(row->status, i % 2 ? BR_NOTFOUND : BR_OK);
            if (i % 2)
                continue;
            same(row->value.size, strlen(paths[i]));
            need_true(memcmp(row->value.data, paths[i], row->value.size) == 0);
            same(row->version, 0);
        }
    }
    same(i, READS);
}

static void reads_come_in_the_order_asked(struct conform *c)
{
    const char **paths = mem_array(READS, sizeof *paths);
    struct answer answer;
    make_children(c, READS / 2);
    for (uint32_t i = 0; i < READS; i++) /* 7: coprime, so a permutation */
        paths[i] = mem_text(conform_at(c, "%s%u", i % 2 ? "m" : "n", i / 2 * 7 % (READS / 2)));
    answer_begin(c, &answer);
    store_read(&c->in->plugin, paths, READS, NULL, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    need(answer.status == BR_OK, "%s", answer.text);
    expect_reads(c, &answer, paths);
    answer_done(&answer);
    answer_begin(c, &answer);
    store_read(&c->in->plugin, paths, 0, NULL, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    same_status(answer.status, BR_OK);
    answer_done(&answer);
    for (uint32_t i = 0; i < READS; i++)
        free((void *) (uintptr_t) paths[i]);
    free(paths);
}

static void long_lists(struct conform *c)
{
    struct answer answer;
    char **names;
    uint32_t count;
    make_children(c, READS / 2);
    same_status(conform_list(c->in, c->root, &answer, &names, &count), BR_OK);
    same(count, READS / 2);
    for (uint32_t i = 0; i < count; i++) {
        need_true(i == 0 || strcmp(names[i - 1], names[i]) < 0);
        same(names[i][0], 'n');
    }
    for (uint32_t i = 0; i < count; i++)
        free(names[i]);
    answer_done(&answer);
    free(names);
}

/* The writes end where the readable memory does, and nothing of them can be written to. */
static void batch_is_not_touched(struct conform *c)
{
    enum { COUNT = 3 };
    const struct br_write writes[COUNT] = {
        { .kind = BR_CREATE, .path = conform_at(c, "a"), .value = { "1", 1 } },
        { .kind = BR_PUT, .path = conform_at(c, "a"), .value = { "2", 1 } },
        { .kind = BR_CHECK, .path = conform_at(c, "a"), .version = 1 },
    };
    struct br_write *all = conform_guarded(sizeof writes);
    const struct br_write **list = conform_guarded(COUNT * sizeof *list);
    memcpy(all, writes, sizeof writes);
    for (int i = 0; i < COUNT; i++)
        list[i] = &all[i];
    conform_read_only(all, sizeof writes);
    conform_read_only(list, COUNT * sizeof *list);
    struct answer answer;
    answer_begin(c, &answer);
    store_commit(&c->in->plugin, list, COUNT, NULL, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    need(answer.status == BR_OK, "%s", answer.text);
    answer_done(&answer);
}

/* -- Two instances ---------------------------------------------------------------------------- */

static void one_of_two_wins(struct conform *c)
{
    struct instance *other = conform_start(c);
    char *path = mem_text(conform_at(c, "node"));
    same_status(conform_write(c->in, BR_CREATE, path, "", 0), BR_OK);
    for (int i = 0; i < 50; i++) {
        struct answer answers[2];
        const struct br_write put = { .kind = BR_PUT, .path = path, .version = i };
        const struct br_write create = { .kind = BR_CREATE, .path = conform_at(c, "c%d", i / 2) };
        const struct br_write writes[2] = { put, create };
        conform_issue(c->in, &writes[i % 2], 1, &answers[0]);
        conform_issue(other, &writes[i % 2], 1, &answers[1]);
        answer_wait(&answers[0]);
        answer_wait(&answers[1]);
        br_status lost = i % 2 ? BR_EXISTS : BR_CONFLICT;
        bool first = answers[0].status == BR_OK;
        need(first || answers[1].status == BR_OK, "%s", answers[0].text);
        same_status(answers[first ? 1 : 0].status, lost);
        answer_done(&answers[0]);
        answer_done(&answers[1]);
        if (i % 2) /* so that the version is i + 1 in the next round, too */
            same_status(conform_write(other, BR_PUT, path, "", i), BR_OK);
        same_status(conform_write(c->in, BR_CHECK, path, "", i + 1), BR_OK);
    }
    instance_free(other);
    free(path);
}

const struct conform_rule conform_batch_rules[] = {
    { "batch-all-or-nothing", "A batch that fails at any of its writes changes nothing.",
      failing_batch_leaves_nothing, sizeof spoilers / sizeof *spoilers, CONFORM_ROOT },
    { "batch-sees-itself", "Each write of a batch sees those before it.", batch_sees_its_own_writes,
      0, CONFORM_ROOT },
    { "batch-first-failure", "A batch's status is that of its first write that fails.",
      first_failure_is_reported, 0, CONFORM_ROOT },
    { "checks-write-nothing", "CHECK and FENCE write nothing, and no writes at all is ok.",
      checks_write_nothing, 0, CONFORM_ROOT },
    { "commits-in-order",
      "Commits issued before earlier ones were answered are carried out in the "
      "order issued.",
      pipelined_commits_keep_their_order, 0, CONFORM_ROOT },
    { "commits-fail-alone", "A commit that fails takes no other one with it.",
      pipelined_failures_stay_alone, 0, CONFORM_ROOT },
    { "batch-ops-max", "batch_ops_max writes are taken, one more is BR_TOOBIG.", batch_limits, 0,
      CONFORM_ROOT },
    { "batch-bytes-max", "batch_bytes_max bytes are taken, one more is BR_TOOBIG.",
      batch_of_bytes_max, 0, CONFORM_ROOT },
    { "batch-is-not-touched",
      "A plugin reads the writes it is given, `count` of them, and changes "
      "none.",
      batch_is_not_touched, 0, CONFORM_ROOT | CONFORM_CRASH },
    { "reads-in-order",
      "read() replies a row a path, in the order asked; what is not there is a row "
      "with BR_NOTFOUND.",
      reads_come_in_the_order_asked, 0, CONFORM_ROOT },
    { "long-lists", "list() replies every child, each once.", long_lists, 0, CONFORM_ROOT },
    { "one-of-two-wins", "Of two instances that write at one version one succeeds.",
      one_of_two_wins, 0, CONFORM_ROOT | CONFORM_ACROSS },
    { 0 },
};
