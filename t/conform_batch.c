/* conform_batch -- batches: all or nothing, own earlier writes, order, limits; many reads; a bench.
 */
#include "t/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIPELINE 200
#define READS    5000

static struct instance *in;

static void setup(void)
{
    conform_setup();
    in = instance_new();
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
}

static void teardown(void)
{
    instance_free(in);
    conform_teardown();
}

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

START_TEST(failing_batch_leaves_nothing)
{
    struct buf before = { 0 }, after = { 0 };
    const char *const nodes[] = { "kept", "parent", "parent/child", "gone", "put" };
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        ck_assert_int_eq(conform_write(in, BR_CREATE, at("%s", nodes[i]), nodes[i], 0), BR_OK);
    conform_dump(in, conform.root, &before);
    const struct br_write good[GOOD] = {
        { .kind = BR_CREATE, .path = mem_text(at("new")), .value = { "n", 1 } },
        { .kind = BR_CREATE, .path = mem_text(at("new/below")), .value = { "n", 1 } },
        { .kind = BR_PUT, .path = mem_text(at("put")), .value = { "changed", 7 } },
        { .kind = BR_DELETE, .path = mem_text(at("gone")) },
        { .kind = BR_PUT, .path = mem_text(at("put")), .value = { "twice", 5 }, .version = 1 },
        { .kind = BR_CREATE, .path = mem_text(at("gone")), .value = { "back", 4 } },
    };
    for (size_t position = 0; position <= GOOD; position++) {
        struct br_write batch[GOOD + 1];
        memcpy(batch, good, position * sizeof *good);
        batch[position] = spoilers[_i].write;
        batch[position].path = at("%s", spoilers[_i].write.path);
        memcpy(batch + position + 1, good + position, (GOOD - position) * sizeof *good);
        ck_assert_msg(conform_commit(in, batch, GOOD + 1) == spoilers[_i].status,
                      "spoiler %d at %zu: %s", _i, position, conform.text);
        buf_clear(&after);
        conform_dump(in, conform.root, &after);
        ck_assert_str_eq(before.data, after.data);
    }
    ck_assert_int_eq(conform_commit(in, good, GOOD), BR_OK); /* alone it is good */
    for (size_t i = 0; i < GOOD; i++)
        free((void *) (uintptr_t) good[i].path);
    buf_done(&before);
    buf_done(&after);
}
END_TEST

START_TEST(batch_sees_its_own_writes)
{
    const char *p = at("p"), *c = at("p/c"), *d = at("p/d");
    const struct br_write writes[] = {
        { .kind = BR_CREATE, .path = p },
        { .kind = BR_FENCE, .path = p },
        { .kind = BR_CREATE, .path = c, .value = { "1", 1 } },
        { .kind = BR_PUT, .path = c, .value = { "2", 1 } },
        { .kind = BR_CHECK, .path = c, .version = 1 },
        { .kind = BR_DELETE, .path = c, .version = 1 },
        { .kind = BR_DELETE, .path = p },
        { .kind = BR_CREATE, .path = p, .value = { "p", 1 } },
        { .kind = BR_CREATE, .path = c, .value = { "3", 1 } },
        { .kind = BR_CREATE, .path = d, .value = { "d", 1 } },
        { .kind = BR_DELETE, .path = d },
    };
    struct buf got = { 0 };
    int64_t version;
    ck_assert_msg(conform_commit(in, writes, 11) == BR_OK, "%s", conform.text);
    ck_assert_int_eq(conform_get(in, c, &got, &version), BR_OK);
    ck_assert_str_eq(got.data, "3");
    ck_assert_int_eq(version, 0);
    ck_assert_int_eq(conform_get(in, d, NULL, NULL), BR_NOTFOUND);
    buf_done(&got);
    const struct br_write bad[][2] = {
        { { .kind = BR_CREATE, .path = d }, { .kind = BR_CREATE, .path = d } },
        { { .kind = BR_DELETE, .path = c }, { .kind = BR_PUT, .path = c, .version = -1 } },
        { { .kind = BR_PUT, .path = c }, { .kind = BR_PUT, .path = c } },
        { { .kind = BR_DELETE, .path = c }, { .kind = BR_FENCE, .path = c } },
        { { .kind = BR_CREATE, .path = d }, { .kind = BR_DELETE, .path = p } },
    };
    const br_status status[] = { BR_EXISTS, BR_NOTFOUND, BR_CONFLICT, BR_FENCED, BR_CONFLICT };
    for (size_t i = 0; i < sizeof status / sizeof *status; i++)
        ck_assert_msg(conform_commit(in, bad[i], 2) == status[i], "pair %zu: %s", i, conform.text);
}
END_TEST

/* The answer is the failure of the first write that fails. */
START_TEST(first_failure_is_reported)
{
    const struct br_write writes[] = {
        { .kind = BR_CHECK, .path = conform.root, .version = BR_ANY_VERSION },
        { .kind = BR_FENCE, .path = at("none") },
        { .kind = BR_CREATE, .path = conform.root },
    };
    ck_assert_int_eq(conform_commit(in, writes, 3), BR_FENCED);
    const struct br_write other[] = { writes[0], writes[2], writes[1] };
    ck_assert_int_eq(conform_commit(in, other, 3), BR_EXISTS);
}
END_TEST

START_TEST(checks_write_nothing)
{
    struct buf before = { 0 }, after = { 0 };
    ck_assert_int_eq(conform_write(in, BR_CREATE, at("a"), "a", 0), BR_OK);
    conform_dump(in, conform.root, &before);
    const struct br_write checks[] = {
        { .kind = BR_FENCE, .path = at("a") },
        { .kind = BR_CHECK, .path = at("a"), .version = 0 },
        { .kind = BR_CHECK, .path = conform.root, .version = BR_ANY_VERSION },
    };
    ck_assert_int_eq(conform_commit(in, checks, 3), BR_OK);
    ck_assert_int_eq(conform_commit(in, NULL, 0), BR_OK);
    conform_dump(in, conform.root, &after);
    ck_assert_str_eq(before.data, after.data);
    buf_done(&before);
    buf_done(&after);
}
END_TEST

/* -- Order ------------------------------------------------------------------------------------ */

/* Each puts at the version that the one before leaves: any other order fails. */
START_TEST(pipelined_commits_keep_their_order)
{
    static struct answer answers[PIPELINE];
    static struct br_write writes[PIPELINE];
    const char *path = at("node");
    int64_t version;
    ck_assert_int_eq(conform_write(in, BR_CREATE, path, "", 0), BR_OK);
    for (int i = 0; i < PIPELINE; i++) {
        writes[i] = (struct br_write){ .kind = BR_PUT, .path = path, .version = i };
        conform_issue(in, &writes[i], 1, &answers[i]);
        ck_assert(!answers[i].done); /* never from inside */
    }
    for (int i = 0; i < PIPELINE; i++) {
        answer_wait(&answers[i]);
        ck_assert_msg(answers[i].status == BR_OK, "commit %d: %s", i, answers[i].text);
        answer_done(&answers[i]);
    }
    ck_assert_int_eq(conform_get(in, path, NULL, &version), BR_OK);
    ck_assert_int_eq(version, PIPELINE);
}
END_TEST

/* Among pipelined commits one that fails takes no other with it. */
START_TEST(pipelined_failures_stay_alone)
{
    static struct answer answers[PIPELINE];
    static struct br_write writes[PIPELINE][2];
    const char *path = at("node"), *twin = at("twin");
    int64_t version, good = 0;
    ck_assert_int_eq(conform_write(in, BR_CREATE, path, "", 0), BR_OK);
    ck_assert_int_eq(conform_write(in, BR_CREATE, twin, "", 0), BR_OK);
    for (int i = 0; i < PIPELINE; i++) {
        bool bad = i % 3 == 1;
        writes[i][0] = (struct br_write){ .kind = BR_PUT, .path = path, .version = -1 };
        writes[i][1] = (struct br_write){ .kind = BR_PUT, .path = twin, .version = bad ? 999 : -1 };
        conform_issue(in, writes[i], 2, &answers[i]);
    }
    for (int i = 0; i < PIPELINE; i++) {
        answer_wait(&answers[i]);
        ck_assert_int_eq(answers[i].status, i % 3 == 1 ? BR_CONFLICT : BR_OK);
        good += i % 3 != 1;
        answer_done(&answers[i]);
    }
    ck_assert_int_eq(conform_get(in, path, NULL, &version), BR_OK);
    ck_assert_int_eq(version, good);
    ck_assert_int_eq(conform_get(in, twin, NULL, &version), BR_OK);
    ck_assert_int_eq(version, good);
}
END_TEST

/* -- Limits ----------------------------------------------------------------------------------- */

START_TEST(batch_limits)
{
    const struct br_store *store = &in->plugin.ops.store;
    uint64_t size = strlen(conform.root) + store->write_overhead;
    uint64_t ops = store->batch_ops_max ? store->batch_ops_max : UINT32_MAX;
    if (store->batch_bytes_max && store->batch_bytes_max / size < ops)
        ops = store->batch_bytes_max / size;
    if (ops == UINT32_MAX)
        return; /* no limit */
    struct br_write *writes = mem_array(ops + 1, sizeof *writes);
    for (uint64_t i = 0; i <= ops; i++)
        writes[i] = (struct br_write){ .kind = BR_CHECK, .path = conform.root, .version = -1 };
    ck_assert_int_eq(conform_commit(in, writes, (uint32_t) ops), BR_OK);
    writes[0] = (struct br_write){ .kind = BR_CREATE, .path = at("a") };
    ck_assert_int_eq(conform_commit(in, writes, (uint32_t) ops + 1), BR_TOOBIG);
    ck_assert_int_eq(conform_get(in, at("a"), NULL, NULL), BR_NOTFOUND);
    free(writes);
}
END_TEST

START_TEST(batch_of_bytes_max)
{
    const struct br_store *store = &in->plugin.ops.store;
    const size_t part = 100000, max = store->batch_bytes_max;
    if (!max)
        return;                                /* no limit */
    char *value = mem_new(part + BR_PATH_MAX); /* the last one gets what is left */
    uint32_t count = (uint32_t) (max / part + 1);
    struct br_write *writes = mem_array(count, sizeof *writes);
    size_t left = max;
    for (uint32_t i = 0; i < count; i++) {
        char *path = mem_text(at("%04u", i));
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
    ck_assert_msg(conform_commit(in, writes, count) == BR_OK, "%s", conform.text);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_int_eq(conform_get(in, writes[i].path, NULL, NULL), BR_OK);
        writes[i].kind = BR_PUT;
    }
    writes[0].value.size++;
    ck_assert_int_eq(conform_commit(in, writes, count), BR_TOOBIG);
    for (uint32_t i = 0; i < count; i++)
        free((void *) (uintptr_t) writes[i].path);
    free(writes);
    free(value);
}
END_TEST

/* -- Reading ---------------------------------------------------------------------------------- */

static void make_children(uint32_t count)
{
    enum { BATCH = 250 };
    char paths[BATCH][128];
    struct br_write writes[BATCH];
    const uint32_t max = in->plugin.ops.store.batch_ops_max;
    for (uint32_t size, i = 0; i < count; i += size) {
        size = max && max < BATCH ? max : BATCH;
        size = count - i < size ? count - i : size;
        for (uint32_t j = 0; j < size; j++) {
            snprintf(paths[j], sizeof paths[j], "%s", at("n%u", i + j));
            writes[j] = (struct br_write){ .kind = BR_CREATE,
                                           .path = paths[j],
                                           .value = { paths[j], strlen(paths[j]) } };
        }
        ck_assert_msg(conform_commit(in, writes, size) == BR_OK, "%s", conform.text);
    }
}

/* Every second one is not there. */
static void expect_reads(const struct answer *answer, const char *const *paths)
{
    uint32_t i = 0;
    for (const struct br_chunk *chunk = answer->chunks; chunk; chunk = chunk->next) {
        for (uint32_t j = 0; j < chunk->count; j++, i++) {
            struct br_value room;
            const struct br_value *row = call_row(chunk, j, &room, sizeof room);
            ck_assert_uint_lt(i, READS);
            ck_assert_int_eq(row->status, i % 2 ? BR_NOTFOUND : BR_OK);
            if (i % 2)
                continue;
            ck_assert_uint_eq(row->value.size, strlen(paths[i]));
            ck_assert_mem_eq(row->value.data, paths[i], row->value.size);
            ck_assert_int_eq(row->version, 0);
        }
    }
    ck_assert_uint_eq(i, READS);
}

START_TEST(reads_come_in_the_order_asked)
{
    const char **paths = mem_array(READS, sizeof *paths);
    struct answer answer;
    make_children(READS / 2);
    for (uint32_t i = 0; i < READS; i++) /* 7: coprime, so a permutation */
        paths[i] = mem_text(at("%s%u", i % 2 ? "m" : "n", i / 2 * 7 % (READS / 2)));
    answer_init(&answer);
    store_read(&in->plugin, paths, READS, NULL, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_msg(answer.status == BR_OK, "%s", answer.text);
    expect_reads(&answer, paths);
    answer_done(&answer);
    answer_init(&answer);
    store_read(&in->plugin, paths, 0, NULL, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_OK);
    answer_done(&answer);
    for (uint32_t i = 0; i < READS; i++)
        free((void *) (uintptr_t) paths[i]);
    free(paths);
}
END_TEST

START_TEST(long_lists)
{
    struct answer answer;
    char **names;
    uint32_t count;
    make_children(READS / 2);
    ck_assert_int_eq(conform_list(in, conform.root, &answer, &names, &count), BR_OK);
    ck_assert_uint_eq(count, READS / 2);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert(i == 0 || strcmp(names[i - 1], names[i]) < 0);
        ck_assert_int_eq(names[i][0], 'n');
    }
    for (uint32_t i = 0; i < count; i++)
        free(names[i]);
    answer_done(&answer);
    free(names);
}
END_TEST

/* -- Two instances ---------------------------------------------------------------------------- */

START_TEST(one_of_two_wins)
{
    if (!(in->plugin.ops.store.flags & BR_STORE_LOCK))
        return; /* nobody else can reach this store */
    struct instance *other = instance_new();
    char *path = mem_text(at("node"));
    ck_assert_int_eq(conform_write(in, BR_CREATE, path, "", 0), BR_OK);
    for (int i = 0; i < 50; i++) {
        struct answer answers[2];
        const struct br_write put = { .kind = BR_PUT, .path = path, .version = i };
        const struct br_write create = { .kind = BR_CREATE, .path = at("c%d", i / 2) };
        const struct br_write writes[2] = { put, create };
        conform_issue(in, &writes[i % 2], 1, &answers[0]);
        conform_issue(other, &writes[i % 2], 1, &answers[1]);
        answer_wait(&answers[0]);
        answer_wait(&answers[1]);
        br_status lost = i % 2 ? BR_EXISTS : BR_CONFLICT;
        bool first = answers[0].status == BR_OK;
        ck_assert_msg(first || answers[1].status == BR_OK, "%s", answers[0].text);
        ck_assert_int_eq(answers[first ? 1 : 0].status, lost);
        answer_done(&answers[0]);
        answer_done(&answers[1]);
        if (i % 2) /* so that the version is i + 1 in the next round, too */
            ck_assert_int_eq(conform_write(other, BR_PUT, path, "", i), BR_OK);
        ck_assert_int_eq(conform_write(in, BR_CHECK, path, "", i + 1), BR_OK);
    }
    instance_free(other);
    free(path);
}
END_TEST

TCase *conform_batch_case(void)
{
    TCase *tcase = tcase_create("batch");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 6.0 * conform.patience);
    tcase_add_loop_test(tcase, failing_batch_leaves_nothing, 0,
                        (int) (sizeof spoilers / sizeof *spoilers));
    tcase_add_test(tcase, batch_sees_its_own_writes);
    tcase_add_test(tcase, first_failure_is_reported);
    tcase_add_test(tcase, checks_write_nothing);
    tcase_add_test(tcase, pipelined_commits_keep_their_order);
    tcase_add_test(tcase, pipelined_failures_stay_alone);
    tcase_add_test(tcase, batch_limits);
    tcase_add_test(tcase, batch_of_bytes_max);
    tcase_add_test(tcase, reads_come_in_the_order_asked);
    tcase_add_test(tcase, long_lists);
    tcase_add_test(tcase, one_of_two_wins);
    return tcase;
}
