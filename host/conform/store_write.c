/* store_write -- single writes, values, lists, limits of paths. */
#include "host/conform/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void fill(struct conform *c, const char *base)
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
    same_status(conform_commit(c->in, writes, 6), BR_OK);
}

static void status_matrix(struct conform *c)
{
    struct buf before = { 0 }, after = { 0 };
    const char *base = conform_at(c, "%d", c->row);
    fill(c, base);
    conform_dump(c->in, base, &before);
    char path[128];
    snprintf(path, sizeof path, "%s/%s", base, matrix[c->row].path);
    br_status status =
        conform_write(c->in, matrix[c->row].kind, path, "new", matrix[c->row].version);
    need(status == matrix[c->row].status, "row %d, kind %d, %s at %lld: %d instead of %d: %s",
         c->row, matrix[c->row].kind, matrix[c->row].path, (long long) matrix[c->row].version,
         status, matrix[c->row].status, c->text);
    conform_dump(c->in, base, &after);
    bool writes = status == BR_OK && matrix[c->row].kind <= BR_DELETE;
    same(strcmp(buf_string(&before), buf_string(&after)) != 0, writes);
    buf_done(&before);
    buf_done(&after);
}

static void read_your_writes(struct conform *c)
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
                                  .path = conform_at(c, "v%zu", i),
                                  .value = { values[i].data, values[i].size } };
        same_status(conform_commit(c->in, &write, 1), BR_OK);
        same_status(conform_get(c->in, write.path, &got, &version), BR_OK);
        same(got.size, values[i].size);
        if (got.size)
            need_true(memcmp(got.data, values[i].data, got.size) == 0);
        same(version, 0);
        buf_done(&got);
    }
    same_status(conform_get(c->in, conform_at(c, "v99"), NULL, NULL), BR_NOTFOUND);
    same_status(conform_get(c->in, conform_at(c, "v99/v"), NULL, NULL), BR_NOTFOUND);
}

static void versions_rise(struct conform *c)
{
    struct buf got = { 0 };
    int64_t version;
    const char *path = conform_at(c, "node");
    same_status(conform_write(c->in, BR_CREATE, path, "0", 0), BR_OK);
    for (int64_t i = 0; i < 20; i++) {
        same_status(conform_write(c->in, BR_PUT, path, "", i % 2 ? i : BR_ANY_VERSION), BR_OK);
        same_status(conform_get(c->in, path, &got, &version), BR_OK);
        same(version, i + 1);
        same(got.size, 0);
    }
    same_status(conform_write(c->in, BR_DELETE, path, NULL, 20), BR_OK);
    same_status(conform_write(c->in, BR_CREATE, path, "again", 0), BR_OK);
    same_status(conform_get(c->in, path, &got, &version), BR_OK);
    same(version, 0);
    same_text(got.data, "again");
    buf_done(&got);
}

static void expect_list(struct conform *c, const char *path, const char *expected)
{
    struct answer answer;
    struct buf text = { 0 };
    char **names;
    uint32_t count;
    same_status(conform_list(c->in, path, &answer, &names, &count), BR_OK);
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(&text, "%s ", names[i]);
        free(names[i]);
    }
    same_text(buf_string(&text), expected);
    buf_done(&text);
    answer_done(&answer);
    free(names);
}

static void list_is_children_only(struct conform *c)
{
    static const char *const nodes[] = { "a", "a/b", "a/b/c", "a-c", "ab", "a/a", "A", "a.b" };
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        same_status(conform_write(c->in, BR_CREATE, conform_at(c, "%s", nodes[i]), "", 0), BR_OK);
    expect_list(c, c->root, "A a a-c a.b ab ");
    expect_list(c, conform_at(c, "a"), "a b ");
    expect_list(c, conform_at(c, "a/b"), "c ");
    expect_list(c, conform_at(c, "a/b/c"), "");
    same_status(conform_write(c->in, BR_DELETE, conform_at(c, "a/a"), NULL, 0), BR_OK);
    expect_list(c, conform_at(c, "a"), "b ");
    struct answer answer;
    char **names;
    uint32_t count;
    same_status(conform_list(c->in, conform_at(c, "nothing"), &answer, &names, &count),
                BR_NOTFOUND);
    answer_done(&answer);
    free(names);
}

static void root_is_always_there(struct conform *c)
{
    struct answer answer;
    char **names;
    uint32_t count;
    bool found = false;
    same_status(conform_get(c->in, "/", NULL, NULL), BR_OK);
    same_status(conform_list(c->in, "/", &answer, &names, &count), BR_OK);
    for (uint32_t i = 0; i < count; i++) {
        found |= strcmp(names[i], c->root + 1) == 0;
        free(names[i]);
    }
    need_true(found);
    answer_done(&answer);
    free(names);
    same_status(conform_write(c->in, BR_CREATE, "/", "", 0), BR_INVALID);
    same_status(conform_write(c->in, BR_DELETE, "/", "", BR_ANY_VERSION), BR_INVALID);
    same_status(conform_write(c->in, BR_CHECK, "/", "", BR_ANY_VERSION), BR_OK);
    same_status(conform_write(c->in, BR_FENCE, "/", "", 0), BR_OK);
}

static const char *const bad_paths[] = { "",         "a",          "a/b",     "//",    "/a/",
                                         "//a",      "/a//b",      "/.",      "/a/.",  "/..",
                                         "/a/..",    "/./a",       "/a/../b", "/a\nb", "/\x01",
                                         "/a\x7f",   "/a/b/",      " /a",     "./a",   "../a",
                                         "/a/b/../", "/conform//c" };

static void expect_refused(struct conform *c, const char *path, br_status expected)
{
    struct answer answer;
    char **names;
    uint32_t count;
    for (br_write_kind kind = BR_CREATE; kind <= BR_FENCE; kind++)
        need(conform_write(c->in, kind, path, "", 0) == expected, "kind %d, \"%.80s\"", kind, path);
    need(conform_get(c->in, path, NULL, NULL) == expected, "read \"%.80s\"", path);
    same_status(conform_list(c->in, path, &answer, &names, &count), expected);
    answer_done(&answer);
    free(names);
    if (!c->in->plugin.ops.store.lock)
        return;
    answer_begin(c, &answer);
    store_lock(&c->in->plugin, path, "h:1", answer_take, &answer);
    answer_wait(&answer);
    same_status(answer.status, expected);
    answer_done(&answer);
    answer_begin(c, &answer);
    store_owner(&c->in->plugin, path, "", answer_take, &answer);
    answer_wait(&answer);
    same_status(answer.status, expected);
    answer_done(&answer);
}

static void bad_paths_are_refused(struct conform *c)
{
    expect_refused(c, bad_paths[c->row], BR_INVALID);
}

static void good_paths_are_taken(struct conform *c)
{
    static const char *const good[] = { "a.b",     "...", ".a",
                                        "a..",     "..a", "dsn.meta.server.leader",
                                        "2",       "a b", "a%s'\"\\",
                                        "\xc3\xa9" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        same_status(conform_write(c->in, BR_CREATE, conform_at(c, "%s", good[i]), "", 0), BR_OK);
}

static void path_size_limit(struct conform *c)
{
    char path[BR_PATH_MAX + 2];
    size_t root = strlen(c->root);
    memset(path, 'x', sizeof path);
    memcpy(path, c->root, root);
    path[root] = '/';
    path[BR_PATH_MAX + 1] = 0;
    expect_refused(c, path, BR_TOOBIG);
    path[BR_PATH_MAX] = 0;
    same_status(conform_write(c->in, BR_CREATE, path, "longest", 0), BR_OK);
    same_status(conform_get(c->in, path, NULL, NULL), BR_OK);
    same_status(conform_write(c->in, BR_DELETE, path, NULL, 0), BR_OK);
}

/* The largest value that one batch takes, and one byte more. */
static void value_size_limit(struct conform *c)
{
    const struct br_store *store = &c->in->plugin.ops.store;
    struct br_write write = { .kind = BR_CREATE, .path = conform_at(c, "large") };
    size_t size = BR_STORE_VALUE_MAX, extra = strlen(write.path) + store->write_overhead;
    if (store->batch_bytes_max && store->batch_bytes_max - extra < size)
        size = store->batch_bytes_max - extra;
    char *value = mem_new(size + 1);
    for (size_t i = 0; i <= size; i++)
        value[i] = (char) (i * 31 >> 3);
    struct buf got = { 0 };
    write.value = (br_bytes){ value, size + 1 };
    same_status(conform_commit(c->in, &write, 1), BR_TOOBIG);
    same_status(conform_get(c->in, write.path, NULL, NULL), BR_NOTFOUND);
    write.value.size = size;
    need(conform_commit(c->in, &write, 1) == BR_OK, "%s", c->text);
    same_status(conform_get(c->in, write.path, &got, NULL), BR_OK);
    same(got.size, size);
    need_true(memcmp(got.data, value, size) == 0);
    write.kind = BR_PUT;
    write.value.size = size + 1;
    same_status(conform_commit(c->in, &write, 1), BR_TOOBIG);
    buf_done(&got);
    free(value);
}

const struct conform_rule conform_write_rules[] = {
    { "write-status",
      "Each write on each kind of node has the status that store.h says, and only a "
      "successful one changes anything.",
      status_matrix, sizeof matrix / sizeof *matrix, CONFORM_ROOT },
    { "read-your-writes", "What was committed is read back as it was written, empty or with NUL.",
      read_your_writes, 0, CONFORM_ROOT },
    { "versions-rise", "A version is 0 after CREATE and rises by one with every PUT.",
      versions_rise, 0, CONFORM_ROOT },
    { "list-is-children", "list() replies the last components of the children and of nobody else.",
      list_is_children_only, 0, CONFORM_ROOT },
    { "root-is-there",
      "\"/\" is always there: put, checked, read and listed, not created or deleted.",
      root_is_always_there, 0, CONFORM_ROOT },
    { "bad-paths-refused",
      "A path that br_path_wrong finds is BR_INVALID, whatever it is given to.",
      bad_paths_are_refused, sizeof bad_paths / sizeof *bad_paths, CONFORM_ROOT },
    { "good-paths-taken", "A path that br_path_wrong does not find is taken.", good_paths_are_taken,
      0, CONFORM_ROOT },
    { "path-size", "A path of BR_PATH_MAX bytes is taken, a longer one is BR_TOOBIG.",
      path_size_limit, 0, CONFORM_ROOT },
    { "value-size",
      "The largest value that one batch may hold is taken, one byte more is BR_TOOBIG.",
      value_size_limit, 0, CONFORM_ROOT },
    { 0 },
};
