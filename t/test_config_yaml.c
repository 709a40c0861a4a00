/* test_config_yaml -- the tree, its positions, and everything that is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/mem.h"
#include "host/config/yaml.h"
#include "t/test_config.h"

struct refusal {
    const char *text;
    const char *want; /* the whole sentence, or its beginning where it ends with '*' */
};

static const struct refusal refusals[] = {
    { "a: &x 1\n", "f.yaml:1:4: anchors (&x) are not allowed: write the value out" },
    { "&x a: 1\n", "f.yaml:1:1: anchors (&x) are not allowed: write the value out" },
    { "a: &x {b: 1}\n", "f.yaml:1:4: anchors (&x) are not allowed: write the value out" },
    { "a: &x [b]\n", "f.yaml:1:4: anchors (&x) are not allowed: write the value out" },
    { "a: 1\nb: *x\n", "f.yaml:2:4: aliases (*x) are not allowed: write the value out" },
    { "a: !!int 1\n", "f.yaml:1:4: tags (tag:yaml.org,2002:int) are not allowed: the key decides "
                      "the type" },
    { "a: ! 1\n", "f.yaml:1:4: tags (!) are not allowed: the key decides the type" },
    { "a: !!map {b: 1}\n", "f.yaml:1:4: tags (tag:yaml.org,2002:map) are not allowed: the key "
                           "decides the type" },
    { "a: !x [1]\n", "f.yaml:1:4: tags (!x) are not allowed: the key decides the type" },
    { "%TAG ! tag:x,2000:\n---\na: 1\n", "f.yaml:1:1: %TAG is not allowed" },
    { "a: 1\n<<: {b: 2}\n", "f.yaml:2:1: merge keys (<<) are not allowed: write the keys out" },
    { "a: 1\nb: 2\na: 3\n", "f.yaml:3:1: key \"a\" stands here twice, first in line 1" },
    { "s:\n  x: 1\n  \"x\": 2\n", "f.yaml:3:3: key \"x\" stands here twice, first in line 2" },
    { "{a: 1, b: {c: 1, c: 2}}\n", "f.yaml:1:18: key \"c\" stands here twice, first in line 1" },
    { "? [a]\n: 1\n", "f.yaml:1:3: a key must be a plain word, not a list or a map" },
    { "? {a: b}\n: 1\n", "f.yaml:1:3: a key must be a plain word, not a list or a map" },
    { "\"\": 1\n", "f.yaml:1:1: a key must not be empty" },
    { "a: 1\n--- \nb: 2\n", "f.yaml:2:1: a second document begins here: one file holds one "
                            "document" },
    { "a: \"x\\0y\"\n", "f.yaml:1:4: a NUL character is not allowed in a text" },
    { "\"x\\0y\": 1\n", "f.yaml:1:1: a NUL character is not allowed in a text" },
    { "a: 1\n\xff\n", "f.yaml:2:1: *" },
    { "\xc3\xa4: \xc3\n", "f.yaml:1:5: *" },
    { "a: [1, 2\nb: 3\n", "f.yaml:2:2: did not find expected ',' or ']' (while parsing a flow "
                          "sequence that began at 1:4)" },
    { "a: 1\n b: 2\n", "f.yaml:2:3: mapping values are not allowed in this context" },
    { "a: \"x\n", "f.yaml:2:1: found unexpected end of stream (while scanning a quoted scalar that "
                  "began at 1:4)" },
    { "\ta: 1\n", "f.yaml:1:1: found character that cannot start any token (while scanning for the "
                  "next token that began at 1:1)" },
    { "a: 1\n*", "f.yaml:2:2: *" },
    { "\xff\xfe"
      "a",
      "f.yaml:1:1: *" },
};

static void check_sentence(const char *got, const char *want)
{
    size_t size = strlen(want);
    if (want[size - 1] == '*')
        ck_assert_msg(strncmp(got, want, size - 1) == 0 && got[size - 1], "%s", got);
    else
        ck_assert_str_eq(got, want);
}

START_TEST(refused)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct fail fail = { 0 };
    struct yaml *root = NULL;
    const struct refusal *this = &refusals[_i];
    ck_assert_int_eq(yaml_parse(&arena, "f.yaml", this->text, strlen(this->text), &root, &fail),
                     BR_INVALID);
    ck_assert_ptr_null(root);
    ck_assert_int_eq(fail.status, BR_INVALID);
    check_sentence(fail.text, this->want);
    arena_done(&arena);
}
END_TEST

static struct yaml *parse(struct arena *arena, const char *text)
{
    struct fail fail = { 0 };
    struct yaml *root;
    br_status status = yaml_parse(arena, "f.yaml", text, strlen(text), &root, &fail);
    ck_assert_msg(status == BR_OK, "%s", fail.text);
    return root;
}

START_TEST(tree)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct yaml *root = parse(&arena, "# comment\n"
                                      "a:   one\n"
                                      "s:\n"
                                      "  list: [x, 'y z']\n"
                                      "  block:\n"
                                      "    - p\n"
                                      "    - q\n"
                                      "empty:\n"
                                      "\xc3\xa4: {k: \"\"}\n");
    ck_assert_int_eq(root->kind, YAML_MAP);
    struct yaml *a = yaml_get(root, "a");
    ck_assert_str_eq(a->text, "one");
    ck_assert(!a->quoted);
    ck_assert_int_eq(a->line, 2);
    ck_assert_int_eq(a->column, 6);
    ck_assert_int_eq(a->key_column, 1);
    struct yaml *list = yaml_get(yaml_get(root, "s"), "list");
    ck_assert_int_eq(list->kind, YAML_SEQ);
    ck_assert_int_eq(list->key_line, 4);
    ck_assert_int_eq(list->key_column, 3);
    ck_assert_str_eq(list->first->text, "x");
    ck_assert_str_eq(list->last->text, "y z");
    ck_assert(list->last->quoted);
    ck_assert_int_eq(list->last->column, 13);
    ck_assert_ptr_eq(list->last->parent, list);
    ck_assert_ptr_null(list->last->next);
    struct yaml *block = yaml_get(yaml_get(root, "s"), "block");
    ck_assert_str_eq(block->last->text, "q");
    ck_assert_int_eq(block->last->line, 7);
    ck_assert_str_eq(yaml_get(root, "empty")->text, "");
    ck_assert(!yaml_get(root, "empty")->quoted);
    /* Columns count characters, not bytes. */
    ck_assert_int_eq(yaml_get(root, "\xc3\xa4")->column, 4);
    ck_assert(yaml_get(yaml_get(root, "\xc3\xa4"), "k")->quoted);
    ck_assert_ptr_null(yaml_get(root, "nowhere"));
    ck_assert_ptr_null(yaml_get(a, "x"));
    ck_assert_ptr_null(yaml_get(NULL, "x"));
    arena_done(&arena);
}
END_TEST

START_TEST(scalars_stay_text)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct yaml *root = parse(&arena, "\xef\xbb\xbf"
                                      "a: no\nb: 1e3\nc: null\nd: ~\ne: 010\n"
                                      "f: |\n  x\n  y\n");
    static const char *const want[][2] = { { "a", "no" }, { "b", "1e3" }, { "c", "null" },
                                           { "d", "~" },  { "e", "010" }, { "f", "x\ny\n" } };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        ck_assert_str_eq(yaml_get(root, want[i][0])->text, want[i][1]);
    arena_done(&arena);
}
END_TEST

START_TEST(nothing_is_an_empty_map)
{
    static const char *const texts[] = { "", "\n\n", "# only a comment\n" };
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct yaml *root = parse(&arena, texts[i]);
        ck_assert_int_eq(root->kind, YAML_MAP);
        ck_assert_ptr_null(root->first);
        ck_assert_int_eq(root->line, 1);
    }
    arena_done(&arena);
}
END_TEST

/* The limit itself passes, one more does not. */
static void check_limit(const struct buf *within, const struct buf *over, br_status status,
                        const char *want)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct fail fail = { 0 };
    struct yaml *root = NULL;
    br_status got = yaml_parse(&arena, "f.yaml", within->data, within->size, &root, &fail);
    ck_assert_msg(got == BR_OK, "%s", fail.text);
    ck_assert_int_eq(yaml_parse(&arena, "f.yaml", over->data, over->size, &root, &fail), status);
    check_sentence(fail.text, want);
    arena_done(&arena);
}

START_TEST(limit_depth)
{
    struct buf within = { 0 }, over = { 0 };
    for (int i = 0; i < YAML_DEPTH_MAX; i++)
        buf_char(&within, '[');
    for (int i = 0; i < YAML_DEPTH_MAX; i++)
        buf_char(&within, ']');
    for (int i = 0; i < 100000; i++)
        buf_char(&over, '[');
    check_limit(&within, &over, BR_INVALID, "f.yaml:1:9: nested deeper than 8 levels");
    buf_done(&within);
    buf_done(&over);
}
END_TEST

START_TEST(limit_nodes)
{
    struct buf within = { 0 }, over = { 0 };
    /* The list itself is one. */
    for (int i = 0; i < YAML_NODES_MAX - 1; i++)
        buf_text(&within, "- x\n");
    buf_put(&over, within.data, within.size);
    buf_text(&over, "- x\n");
    check_limit(&within, &over, BR_INVALID, "f.yaml:16384:3: more than 16384 values and keys");
    /* As many different keys as may stand in one map. */
    buf_clear(&within);
    for (int i = 0; i < (YAML_NODES_MAX - 1) / 2; i++)
        buf_printf(&within, "k%d: v\n", i);
    buf_clear(&over);
    buf_put(&over, within.data, within.size);
    buf_text(&over, "k17: v\n");
    check_limit(&within, &over, BR_INVALID,
                "f.yaml:8192:1: key \"k17\" stands here twice, first in line 18");
    buf_done(&within);
    buf_done(&over);
}
END_TEST

START_TEST(limit_file)
{
    struct buf within = { 0 }, over = { 0 };
    buf_text(&within, "a: 1\n#");
    while (within.size < YAML_FILE_MAX)
        buf_char(&within, 'x');
    buf_put(&over, within.data, within.size);
    buf_char(&over, 'x');
    check_limit(&within, &over, BR_TOOBIG, "f.yaml: longer than 1048576 bytes");
    char *directory = test_directory();
    struct buf path = { 0 };
    buf_printf(&path, "%s/long.yaml", directory);
    FILE *out = fopen(path.data, "w");
    ck_assert_uint_eq(fwrite(over.data, 1, over.size, out), over.size);
    fclose(out);
    struct arena arena;
    arena_init(&arena, 0);
    struct fail fail = { 0 };
    struct yaml *root;
    ck_assert_int_eq(yaml_load(&arena, path.data, &root, &fail), BR_TOOBIG);
    ck_assert_ptr_nonnull(strstr(fail.text, "long.yaml: longer than 1048576 bytes"));
    arena_done(&arena);
    buf_done(&within);
    buf_done(&over);
    buf_done(&path);
    free(directory);
}
END_TEST

START_TEST(load_fails)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct fail fail = { 0 };
    struct yaml *root;
    ck_assert_int_eq(yaml_load(&arena, "/nowhere/f.yaml", &root, &fail), BR_INVALID);
    ck_assert_str_eq(fail.text, "/nowhere/f.yaml: No such file or directory");
    ck_assert_int_eq(yaml_load(&arena, "/", &root, &fail), BR_INVALID);
    ck_assert_str_eq(fail.text, "/: Is a directory");
    arena_done(&arena);
}
END_TEST

START_TEST(set)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct fail fail = { 0 };
    struct yaml *root = parse(&arena, "store: {plugin: zookeeper}\nplugins: {path: [/a]}\n");
    ck_assert_int_eq(yaml_set(&arena, root, "store.plugin", "sqlite", &fail), BR_OK);
    struct yaml *plugin = yaml_get(yaml_get(root, "store"), "plugin");
    ck_assert_str_eq(plugin->text, "sqlite");
    ck_assert_str_eq(plugin->file, "--set store.plugin");
    ck_assert_int_eq(plugin->line, 0);
    ck_assert_int_eq(yaml_set(&arena, root, "new.map.key", "x=y", &fail), BR_OK);
    ck_assert_str_eq(yaml_get(yaml_get(yaml_get(root, "new"), "map"), "key")->text, "x=y");
    ck_assert_int_eq(yaml_set(&arena, root, "plugins.path", "[/b]", &fail), BR_OK);
    ck_assert_int_eq(yaml_get(yaml_get(root, "plugins"), "path")->kind, YAML_SCALAR);
    ck_assert_int_eq(yaml_fail(plugin, &fail, BR_INVALID, "is %s", "odd"), BR_INVALID);
    ck_assert_str_eq(fail.text, "--set store.plugin: is odd");
    ck_assert_int_eq(yaml_fail(NULL, &fail, BR_DENIED, "plain"), BR_DENIED);
    ck_assert_str_eq(fail.text, "plain");
    arena_done(&arena);
}
END_TEST

static const char *const bad_paths[][2] = {
    { "store", "--set store: \"store\" is a map: name one of its keys, \"store.KEY\"" },
    { "log.level", "--set log.level: \"log\" is a single value, it has no keys" },
    { "list.x", "--set list.x: \"list\" is a list, it has no keys" },
    { "", "--set : not a path of keys" },
    { ".", "--set .: not a path of keys" },
    { "store.", "--set store.: not a path of keys" },
    { "store..x", "--set store..x: not a path of keys" },
    { "a.b.c.d.e.f.g.h.i", "--set a.b.c.d.e.f.g.h.i: not a path of keys" },
};

START_TEST(set_fails)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct fail fail = { 0 };
    struct yaml *root = parse(&arena, "store: {plugin: x}\nlog: info\nlist: [1]\n");
    ck_assert_int_eq(yaml_set(&arena, root, bad_paths[_i][0], "x", &fail), BR_INVALID);
    ck_assert_str_eq(fail.text, bad_paths[_i][1]);
    arena_done(&arena);
}
END_TEST

START_TEST(drop)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct yaml *root = parse(&arena, "a: 1\nb: 2\nc: 3\n");
    yaml_drop(root, yaml_get(root, "b"));
    ck_assert_ptr_eq(root->first->next, root->last);
    yaml_drop(root, yaml_get(root, "c"));
    ck_assert_ptr_eq(root->first, root->last);
    yaml_drop(root, yaml_get(root, "a"));
    ck_assert_ptr_null(root->first);
    ck_assert_ptr_null(root->last);
    struct fail fail = { 0 };
    ck_assert_int_eq(yaml_set(&arena, root, "d", "4", &fail), BR_OK);
    ck_assert_str_eq(yaml_get(root, "d")->text, "4");
    arena_done(&arena);
}
END_TEST

TCase *test_config_yaml(void)
{
    TCase *tcase = tcase_create("yaml");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, refused, 0, sizeof refusals / sizeof *refusals);
    tcase_add_test(tcase, tree);
    tcase_add_test(tcase, scalars_stay_text);
    tcase_add_test(tcase, nothing_is_an_empty_map);
    tcase_add_test(tcase, limit_depth);
    tcase_add_test(tcase, limit_nodes);
    tcase_add_test(tcase, limit_file);
    tcase_add_test(tcase, load_fails);
    tcase_add_test(tcase, set);
    tcase_add_loop_test(tcase, set_fails, 0, sizeof bad_paths / sizeof *bad_paths);
    tcase_add_test(tcase, drop);
    return tcase;
}
