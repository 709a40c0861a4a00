/* conform_write -- single writes, values, lists, limits of paths. */
#include "t/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Every kind of write on every kind of node: what is there, and what comes of it.  Each row has a
 * fresh subtree: a (version 0), b (put once: version 1), p with the child p/c. */
static const struct {
    br_write_kind kind;
    const char *path;
    int64_t version;
    br_status status;
} matrix[] = {
    { BR_CREATE, "n", 0, BR_OK },
    { BR_CREATE, "n", 77, BR_OK }, /* the version is not looked at */
    { BR_CREATE, "a", 0, BR_EXISTS },
    { BR_CREATE, "p", 0, BR_EXISTS },
    { BR_CREATE, "p/c", 0, BR_EXISTS },
    { BR_CREATE, "a/n", 0, BR_OK },
    { BR_CREATE, "n/n", 0, BR_NOTFOUND },
    { BR_CREATE, "n/n/n", 0, BR_NOTFOUND },
    { BR_PUT, "a", BR_ANY_VERSION, BR_OK },
    { BR_PUT, "a", 0, BR_OK },
    { BR_PUT, "a", 1, BR_CONFLICT },
    { BR_PUT, "b", 1, BR_OK },
    { BR_PUT, "b", 0, BR_CONFLICT },
    { BR_PUT, "b", 2, BR_CONFLICT },
    { BR_PUT, "b", INT64_C(1) << 32 | 1, BR_CONFLICT }, /* beyond what ZooKeeper can say */
    { BR_PUT, "b", INT64_MIN, BR_CONFLICT },
    { BR_CHECK, "a", INT64_C(1) << 32, BR_CONFLICT },
    { BR_PUT, "p", 0, BR_OK },
    { BR_PUT, "n", BR_ANY_VERSION, BR_NOTFOUND },
    { BR_PUT, "n", 0, BR_NOTFOUND },
    { BR_PUT, "n/n", 0, BR_NOTFOUND },
    { BR_DELETE, "a", BR_ANY_VERSION, BR_OK },
    { BR_DELETE, "a", 0, BR_OK },
    { BR_DELETE, "a", 1, BR_CONFLICT },
    { BR_DELETE, "b", 1, BR_OK },
    { BR_DELETE, "b", 0, BR_CONFLICT },
    { BR_DELETE, "p", BR_ANY_VERSION, BR_CONFLICT },
    { BR_DELETE, "p", 0, BR_CONFLICT },
    { BR_DELETE, "p/c", 0, BR_OK },
    { BR_DELETE, "n", BR_ANY_VERSION, BR_NOTFOUND },
    { BR_DELETE, "n", 0, BR_NOTFOUND },
    { BR_CHECK, "a", BR_ANY_VERSION, BR_OK },
    { BR_CHECK, "a", 0, BR_OK },
    { BR_CHECK, "a", 1, BR_CONFLICT },
    { BR_CHECK, "b", 1, BR_OK },
    { BR_CHECK, "b", 0, BR_CONFLICT },
    { BR_CHECK, "n", BR_ANY_VERSION, BR_NOTFOUND },
    { BR_CHECK, "n", 0, BR_NOTFOUND },
    { BR_FENCE, "a", 0, BR_OK },
    { BR_FENCE, "b", 0, BR_OK }, /* that it is there is enough */
    { BR_FENCE, "n", 0, BR_FENCED },
    { BR_FENCE, "n/n", 0, BR_FENCED },
    { 0, "a", 0, BR_INVALID },
    { BR_FENCE + 1, "a", 0, BR_INVALID },
    { -1, "a", 0, BR_INVALID },
};

static void fill(const char *base)
{
    char path[4][128];
    snprintf(path[0], sizeof path[0], "%s/a", base);
    snprintf(path[1], sizeof path[1], "%s/b", base);
    snprintf(path[2], sizeof path[2], "%s/p", base);
    snprintf(path[3], sizeof path[3], "%s/p/c", base);
    const struct br_write writes[] = {
        { .kind = BR_CREATE, .path = base },
        { .kind = BR_CREATE, .path = path[0], .value = { "va", 2 } },
        { .kind = BR_CREATE, .path = path[1], .value = { "vb", 2 } },
        { .kind = BR_PUT, .path = path[1], .value = { "vb2", 3 } },
        { .kind = BR_CREATE, .path = path[2], .value = { "vp", 2 } },
        { .kind = BR_CREATE, .path = path[3], .value = { "vc", 2 } },
    };
    ck_assert_int_eq(conform_commit(in, writes, 6), BR_OK);
}

START_TEST(status_matrix)
{
    struct buf before = { 0 }, after = { 0 };
    const char *base = at("%d", _i);
    fill(base);
    conform_dump(in, base, &before);
    char path[128];
    snprintf(path, sizeof path, "%s/%s", base, matrix[_i].path);
    br_status status = conform_write(in, matrix[_i].kind, path, "new", matrix[_i].version);
    ck_assert_msg(status == matrix[_i].status, "row %d, kind %d, %s at %lld: %d instead of %d: %s",
                  _i, matrix[_i].kind, matrix[_i].path, (long long) matrix[_i].version, status,
                  matrix[_i].status, conform.text);
    conform_dump(in, base, &after);
    bool writes = status == BR_OK && matrix[_i].kind <= BR_DELETE;
    ck_assert_int_eq(strcmp(buf_string(&before), buf_string(&after)) != 0, writes);
    buf_done(&before);
    buf_done(&after);
}
END_TEST

START_TEST(read_your_writes)
{
    static const struct {
        const char *data;
        size_t size;
    } values[] = { { "", 0 },   { NULL, 0 },     { "x", 1 },
                   { "\0", 1 }, { "a\0b\0", 4 }, { "\xff\xfe\x00\x80", 4 } };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct buf got = { 0 };
        int64_t version = -1;
        struct br_write write = { .kind = BR_CREATE,
                                  .path = at("v%zu", i),
                                  .value = { values[i].data, values[i].size } };
        ck_assert_int_eq(conform_commit(in, &write, 1), BR_OK);
        ck_assert_int_eq(conform_get(in, write.path, &got, &version), BR_OK);
        ck_assert_uint_eq(got.size, values[i].size);
        if (got.size)
            ck_assert_mem_eq(got.data, values[i].data, got.size);
        ck_assert_int_eq(version, 0);
        buf_done(&got);
    }
    ck_assert_int_eq(conform_get(in, at("v99"), NULL, NULL), BR_NOTFOUND);
    ck_assert_int_eq(conform_get(in, at("v99/v"), NULL, NULL), BR_NOTFOUND);
}
END_TEST

START_TEST(versions_rise)
{
    struct buf got = { 0 };
    int64_t version;
    const char *path = at("node");
    ck_assert_int_eq(conform_write(in, BR_CREATE, path, "0", 0), BR_OK);
    for (int64_t i = 0; i < 20; i++) {
        ck_assert_int_eq(conform_write(in, BR_PUT, path, "", i % 2 ? i : BR_ANY_VERSION), BR_OK);
        ck_assert_int_eq(conform_get(in, path, &got, &version), BR_OK);
        ck_assert_int_eq(version, i + 1);
        ck_assert_uint_eq(got.size, 0);
    }
    ck_assert_int_eq(conform_write(in, BR_DELETE, path, NULL, 20), BR_OK);
    ck_assert_int_eq(conform_write(in, BR_CREATE, path, "again", 0), BR_OK);
    ck_assert_int_eq(conform_get(in, path, &got, &version), BR_OK);
    ck_assert_int_eq(version, 0);
    ck_assert_str_eq(got.data, "again");
    buf_done(&got);
}
END_TEST

static void expect_list(const char *path, const char *expected)
{
    struct answer answer;
    struct buf text = { 0 };
    char **names;
    uint32_t count;
    ck_assert_int_eq(conform_list(in, path, &answer, &names, &count), BR_OK);
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(&text, "%s ", names[i]);
        free(names[i]);
    }
    ck_assert_str_eq(buf_string(&text), expected);
    buf_done(&text);
    answer_done(&answer);
    free(names);
}

START_TEST(list_is_children_only)
{
    static const char *const nodes[] = { "a", "a/b", "a/b/c", "a-c", "ab", "a/a", "A", "a.b" };
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        ck_assert_int_eq(conform_write(in, BR_CREATE, at("%s", nodes[i]), "", 0), BR_OK);
    expect_list(conform.root, "A a a-c a.b ab ");
    expect_list(at("a"), "a b ");
    expect_list(at("a/b"), "c ");
    expect_list(at("a/b/c"), "");
    ck_assert_int_eq(conform_write(in, BR_DELETE, at("a/a"), NULL, 0), BR_OK);
    expect_list(at("a"), "b ");
    struct answer answer;
    char **names;
    uint32_t count;
    ck_assert_int_eq(conform_list(in, at("nothing"), &answer, &names, &count), BR_NOTFOUND);
    answer_done(&answer);
    free(names);
}
END_TEST

START_TEST(root_is_always_there)
{
    struct answer answer;
    char **names;
    uint32_t count;
    bool found = false;
    ck_assert_int_eq(conform_get(in, "/", NULL, NULL), BR_OK);
    ck_assert_int_eq(conform_list(in, "/", &answer, &names, &count), BR_OK);
    for (uint32_t i = 0; i < count; i++) {
        found |= strcmp(names[i], conform.root + 1) == 0;
        free(names[i]);
    }
    ck_assert(found);
    answer_done(&answer);
    free(names);
    ck_assert_int_eq(conform_write(in, BR_CREATE, "/", "", 0), BR_INVALID);
    ck_assert_int_eq(conform_write(in, BR_DELETE, "/", "", BR_ANY_VERSION), BR_INVALID);
    ck_assert_int_eq(conform_write(in, BR_CHECK, "/", "", BR_ANY_VERSION), BR_OK);
    ck_assert_int_eq(conform_write(in, BR_FENCE, "/", "", 0), BR_OK);
}
END_TEST

static const char *const bad_paths[] = { "",         "a",          "a/b",     "//",    "/a/",
                                         "//a",      "/a//b",      "/.",      "/a/.",  "/..",
                                         "/a/..",    "/./a",       "/a/../b", "/a\nb", "/\x01",
                                         "/a\x7f",   "/a/b/",      " /a",     "./a",   "../a",
                                         "/a/b/../", "/conform//c" };

static void expect_refused(const char *path, br_status expected)
{
    struct answer answer;
    char **names;
    uint32_t count;
    for (br_write_kind kind = BR_CREATE; kind <= BR_FENCE; kind++)
        ck_assert_msg(conform_write(in, kind, path, "", 0) == expected, "kind %d, \"%.80s\"", kind,
                      path);
    ck_assert_msg(conform_get(in, path, NULL, NULL) == expected, "read \"%.80s\"", path);
    ck_assert_int_eq(conform_list(in, path, &answer, &names, &count), expected);
    answer_done(&answer);
    free(names);
    if (!in->plugin.ops.store.lock)
        return;
    answer_init(&answer);
    store_lock(&in->plugin, path, "h:1", answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, expected);
    answer_done(&answer);
    answer_init(&answer);
    store_owner(&in->plugin, path, "", answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, expected);
    answer_done(&answer);
}

START_TEST(bad_paths_are_refused)
{
    expect_refused(bad_paths[_i], BR_INVALID);
}
END_TEST

START_TEST(good_paths_are_taken)
{
    static const char *const good[] = { "a.b",     "...", ".a",
                                        "a..",     "..a", "dsn.meta.server.leader",
                                        "2",       "a b", "a%s'\"\\",
                                        "\xc3\xa9" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_int_eq(conform_write(in, BR_CREATE, at("%s", good[i]), "", 0), BR_OK);
}
END_TEST

START_TEST(path_size_limit)
{
    char path[BR_PATH_MAX + 2];
    size_t root = strlen(conform.root);
    memset(path, 'x', sizeof path);
    memcpy(path, conform.root, root);
    path[root] = '/';
    path[BR_PATH_MAX + 1] = 0;
    expect_refused(path, BR_TOOBIG);
    path[BR_PATH_MAX] = 0;
    ck_assert_int_eq(conform_write(in, BR_CREATE, path, "longest", 0), BR_OK);
    ck_assert_int_eq(conform_get(in, path, NULL, NULL), BR_OK);
    ck_assert_int_eq(conform_write(in, BR_DELETE, path, NULL, 0), BR_OK);
}
END_TEST

/* The largest value that one batch takes, and one byte more. */
START_TEST(value_size_limit)
{
    const struct br_store *store = &in->plugin.ops.store;
    struct br_write write = { .kind = BR_CREATE, .path = at("large") };
    size_t size = BR_STORE_VALUE_MAX, extra = strlen(write.path) + store->write_overhead;
    if (store->batch_bytes_max && store->batch_bytes_max - extra < size)
        size = store->batch_bytes_max - extra;
    char *value = mem_new(size + 1);
    for (size_t i = 0; i <= size; i++)
        value[i] = (char) (i * 31 >> 3);
    struct buf got = { 0 };
    write.value = (br_bytes){ value, size + 1 };
    ck_assert_int_eq(conform_commit(in, &write, 1), BR_TOOBIG);
    ck_assert_int_eq(conform_get(in, write.path, NULL, NULL), BR_NOTFOUND);
    write.value.size = size;
    ck_assert_msg(conform_commit(in, &write, 1) == BR_OK, "%s", conform.text);
    ck_assert_int_eq(conform_get(in, write.path, &got, NULL), BR_OK);
    ck_assert_uint_eq(got.size, size);
    ck_assert_mem_eq(got.data, value, size);
    write.kind = BR_PUT;
    write.value.size = size + 1;
    ck_assert_int_eq(conform_commit(in, &write, 1), BR_TOOBIG);
    buf_done(&got);
    free(value);
}
END_TEST

TCase *conform_write_case(void)
{
    TCase *tcase = tcase_create("write");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 6.0 * conform.patience);
    tcase_add_loop_test(tcase, status_matrix, 0, (int) (sizeof matrix / sizeof *matrix));
    tcase_add_test(tcase, read_your_writes);
    tcase_add_test(tcase, versions_rise);
    tcase_add_test(tcase, list_is_children_only);
    tcase_add_test(tcase, root_is_always_there);
    tcase_add_loop_test(tcase, bad_paths_are_refused, 0,
                        (int) (sizeof bad_paths / sizeof *bad_paths));
    tcase_add_test(tcase, good_paths_are_taken);
    tcase_add_test(tcase, path_size_limit);
    tcase_add_test(tcase, value_size_limit);
    return tcase;
}
