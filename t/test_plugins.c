/* test_plugins -- where the loader looks, whom it trusts, what it refuses and in which words.  A
 * plugin's life is in plugins_open.c.
 */
#include "t/core.h"

#include <dlfcn.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/plugins/loader.h"
#include "t/plugins/tiny.h"

TCase *plugins_check_cases(void);
TCase *plugins_open_cases(void);

static struct loader *loader;
static struct fail fail;
static char *top, *dir, *file; /* TOP/d and TOP/d/store_good.so */
static const struct br_plugin *plugin;

static char *join(const char *a, const char *b)
{
    struct buf buf = { 0 };
    buf_printf(&buf, "%s/%s", a, b);
    return buf.data;
}

static void put_file(const char *path, const void *data, size_t size)
{
    FILE *out = fopen(path, "wb");
    ck_assert_msg(out != NULL, "%s", path);
    ck_assert_uint_eq(fwrite(data, 1, size, out), size);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_eq(chmod(path, 0644), 0);
}

/* A shared object of the build tree under another directory. */
static void put_plugin(const char *to, const char *name)
{
    struct buf path = { 0 }, data = { 0 };
    buf_printf(&path, "t/plugins/.libs/store_%s.so", name);
    char *from = test_build(path.data), *target = NULL;
    ck_assert_msg(test_read(from, &data),
                  "%s: not built (is this a build without shared "
                  "libraries?)",
                  from);
    buf_clear(&path);
    buf_printf(&path, "store_%s.so", name);
    target = join(to, path.data);
    put_file(target, data.data, data.size);
    free(target);
    free(from);
    buf_done(&path);
    buf_done(&data);
}

static void setup(void)
{
    unsetenv("BRIDLE_BUILD_TREE");
    unsetenv("BRIDLE_PLUGIN_PATH");
    loader = loader_new(&fail);
    ck_assert_msg(loader != NULL, "%s", fail.text);
    char *fresh = test_directory();
    top = realpath(fresh, NULL); /* as the loader's messages name it */
    ck_assert_ptr_nonnull(top);
    free(fresh);
    dir = join(top, "d");
    file = join(dir, "store_good.so");
    ck_assert_int_eq(mkdir(dir, 0755), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void) st;
    (void) type;
    (void) walk;
    return remove(path);
}

static void teardown(void)
{
    loader_free(loader);
    ck_assert_int_eq(nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(top);
    free(dir);
    free(file);
}

static br_status load(const char *name, const char *first, const char *second)
{
    const char *path[] = { first, second, NULL };
    plugin = NULL;
    fail.text[0] = '\0';
    return loader_load(loader, "store", name, path, &plugin, &fail);
}

#define CHECK_SAYS(...)                                                                            \
    do {                                                                                           \
        char says[2048];                                                                           \
        snprintf(says, sizeof says, __VA_ARGS__);                                                  \
        ck_assert_msg(strstr(fail.text, says) != NULL, "\"%s\" is not in \"%s\"", says,            \
                      fail.text);                                                                  \
        ck_assert_ptr_null(plugin);                                                                \
    } while (0)

/* -- Loading -------------------------------------------------------------------------------------
 */

START_TEST(loads_shared_object)
{
    put_plugin(dir, "good");
    ck_assert_msg(load("good", dir, NULL) == BR_OK, "%s", fail.text);
    ck_assert_str_eq(plugin->kind, "store");
    ck_assert_str_eq(plugin->name, "good");
    ck_assert_uint_eq(plugin->size, sizeof(struct br_plugin));
    ck_assert_str_eq(plugin->options->name, "answer");
    /* It is the file's, not one linked into this program, and it is bound locally. */
    Dl_info info;
    ck_assert_int_ne(dladdr(plugin->ops.any, &info), 0);
    ck_assert_str_eq(info.dli_fname, file);
    ck_assert_ptr_null(dlsym(RTLD_DEFAULT, "bridle_store_good"));
}
END_TEST

/* The linked-in one is taken before any file, and it is static where libtool made archives. */
START_TEST(linked_in_comes_first)
{
    char *other = join(dir, "store_linked.so");
    put_file(other, "not read", 8);
    ck_assert_msg(load("linked", dir, NULL) == BR_OK, "%s", fail.text);
    ck_assert_str_eq(plugin->name, "linked");
    ck_assert_str_eq(plugin->options->fallback, "42");
    Dl_info linked;
    char *archive = test_build("t/plugins/.libs/store_linked.a");
    ck_assert_int_ne(dladdr(plugin->ops.any, &linked), 0);
    bool inside = strstr(linked.dli_fname, "store_linked.so") == NULL;
    ck_assert_int_eq(inside, access(archive, F_OK) == 0);
    fprintf(stderr, "linked in: %s\n", inside ? "statically" : "as a shared object");
    free(archive);
    free(other);
}
END_TEST

START_TEST(first_found_decides)
{
    char *second = join(top, "e");
    ck_assert_int_eq(mkdir(second, 0755), 0);
    put_plugin(second, "good");
    ck_assert_msg(load("good", dir, second) == BR_OK, "%s", fail.text);
    put_file(file, "not a shared object", 19);
    ck_assert_int_eq(load("good", dir, second), BR_INVALID);
    CHECK_SAYS("%s: ", file);
    free(second);
}
END_TEST

START_TEST(nowhere)
{
    ck_assert_int_eq(load("good", dir, "/nonexistent/of/all"), BR_NOTFOUND);
    CHECK_SAYS("store good: no such plugin: not linked in, and no store_good.so in %s, "
               "/nonexistent/of/all, " BRIDLE_PLUGINDIR,
               dir);
    ck_assert_int_eq(loader_load(loader, "store", "good", NULL, &plugin, &fail), BR_NOTFOUND);
    CHECK_SAYS("no store_good.so in " BRIDLE_PLUGINDIR ": install the package that has it, or ");
}
END_TEST

START_TEST(build_tree_by_environment)
{
    struct buf path = { 0 };
    put_plugin(dir, "good");
    buf_printf(&path, ":/nonexistent::%s", dir);
    setenv("BRIDLE_PLUGIN_PATH", path.data, 1);
    ck_assert_int_eq(load("good", NULL, NULL), BR_NOTFOUND);
    setenv("BRIDLE_BUILD_TREE", "yes", 1);
    ck_assert_int_eq(load("good", NULL, NULL), BR_NOTFOUND);
    setenv("BRIDLE_BUILD_TREE", "1", 1);
    ck_assert_msg(load("good", NULL, NULL) == BR_OK, "%s", fail.text);
    ck_assert_int_eq(load("absent", NULL, NULL), BR_NOTFOUND);
    CHECK_SAYS("in /nonexistent, %s, " BRIDLE_PLUGINDIR, dir);
    buf_done(&path);
}
END_TEST

START_TEST(several_loaders)
{
    put_plugin(dir, "good");
    put_plugin(dir, "undefined");
    struct loader *other = loader_new(&fail);
    ck_assert_int_eq(load("good", dir, NULL), BR_OK);
    loader_free(loader);
    loader = other;
    ck_assert_int_eq(load("good", dir, NULL), BR_OK);
    ck_assert_int_eq(load("undefined", dir, NULL), BR_INVALID);
    CHECK_SAYS("undefined symbol: nobody_has_this");
}
END_TEST

static const struct {
    const char *kind, *name, *says;
} bad_names[] = {
    { "store", "Good", "store \"Good\": not a plugin's name" },
    { "store", "", "store \"\": not a plugin's name" },
    { "store", "9lives", "not a plugin's name" },
    { "store", "a/b", "not a plugin's name" },
    { "store", "../good", "not a plugin's name" },
    { "store", "a_b", "not a plugin's name" },
    { "store", "good.so", "not a plugin's name" },
    { "shop", "good", "\"shop\": no kind of plugin: it is store, transport or policy" },
    { "store", "a23456789012345678901234567890123", "has at most 32 bytes, this one 33" },
    { "store", "a2345678901234567890123456789012", "no such plugin" },
};

START_TEST(names)
{
    plugin = NULL;
    ck_assert_int_ne(
        loader_load(loader, bad_names[_i].kind, bad_names[_i].name, NULL, &plugin, &fail), BR_OK);
    CHECK_SAYS("%s", bad_names[_i].says);
}
END_TEST

static const struct {
    const char *name, *says;
} bad_objects[] = {
    { "undefined", "store_undefined.so: undefined symbol: nobody_has_this" },
    { "nosymbol", "store_nosymbol.so: exports no bridle_store_nosymbol" },
    { "magic", "store_magic.so: not a bridle plugin: magic 7f454c46, expected 6272646c" },
    { "misnamed", "store_misnamed.so: calls itself store_zk: expected store_misnamed" },
};

START_TEST(objects)
{
    put_plugin(dir, bad_objects[_i].name);
    ck_assert_int_eq(load(bad_objects[_i].name, dir, NULL), BR_INVALID);
    CHECK_SAYS("%s/%s", dir, bad_objects[_i].says);
}
END_TEST

START_TEST(not_a_shared_object)
{
    put_file(file, "#!/bin/sh\nexit 0\n# long enough to hold an ELF header, which it is not\n", 70);
    ck_assert_int_eq(load("good", dir, NULL), BR_INVALID);
    CHECK_SAYS("%s: ", file);
    ck_assert_ptr_null(strstr(fail.text, "file not found")); /* libltdl's word for everything */
    ck_assert_ptr_nonnull(strstr(fail.text, "ELF"));
}
END_TEST

/* -- Whose file it is ----------------------------------------------------------------------------
 */

#define STRANGER 4711

static const struct {
    mode_t file, dir, top; /* 0: as it is */
    int stranger;          /* 1: owns the file, 2: the directory, 3: the one above */
    const char *says;      /* after the file's name; NULL: loads */
} modes[] = {
    { 0600, 0700, 0700, 0, NULL },
    { 0755, 0755, 0755, 0, NULL },
    { 0664, 0, 0, 0, ": writable by group: chmod g-w it" },
    { 0646, 0, 0, 0, ": writable by others: chmod o-w it" },
    { 0, 0775, 0, 0, "/d: writable by group: chmod g-w it" },
    { 0, 0757, 0, 0, "/d: writable by others: chmod o-w it" },
    { 0, 01777, 0, 0, "/d: writable by group: chmod g-w it" },
    { 0, 0, 0777, 0, ": writable by group: chmod g-w it" },
    { 0, 0, 0707, 0, ": writable by others: chmod o-w it" },
    { 0, 0, 01777, 0, NULL }, /* sticky, and the plugin's own directory is private */
    { 0, 0, 0, 1, ": owned by uid 4711: must be root or the user of this process" },
    { 0, 0, 0, 2, "/d: owned by uid 4711: must be" },
    { 0, 0, 0, 3, ": owned by uid 4711: must be" },
    { 0, 0, 01777, 3, ": owned by uid 4711: must be" },
};

START_TEST(trust)
{
    const char *owned[] = { NULL, file, dir, top };
    put_plugin(dir, "good");
    if (modes[_i].stranger && chown(owned[modes[_i].stranger], STRANGER, (gid_t) -1) != 0) {
        fprintf(stderr, "SKIPPED: a file of another user can only be made by root\n");
        return;
    }
    if (modes[_i].file)
        ck_assert_int_eq(chmod(file, modes[_i].file), 0);
    if (modes[_i].dir)
        ck_assert_int_eq(chmod(dir, modes[_i].dir), 0);
    if (modes[_i].top)
        ck_assert_int_eq(chmod(top, modes[_i].top), 0);
    br_status status = load("good", dir, NULL);
    if (modes[_i].says) {
        ck_assert_int_eq(status, BR_DENIED);
        CHECK_SAYS("%s: ", file);
        CHECK_SAYS("%s", modes[_i].says);
    } else {
        ck_assert_msg(status == BR_OK, "%s", fail.text);
    }
}
END_TEST

START_TEST(not_a_regular_file)
{
    char *other = join(top, "elsewhere.so");
    put_file(other, "x", 1);
    ck_assert_int_eq(symlink(other, file), 0);
    ck_assert_int_eq(load("good", dir, NULL), BR_DENIED);
    CHECK_SAYS("%s: a symbolic link, not a regular file", file);
    ck_assert_int_eq(unlink(file), 0);
    ck_assert_int_eq(mkdir(file, 0755), 0);
    ck_assert_int_eq(load("good", dir, NULL), BR_DENIED);
    CHECK_SAYS("%s: a directory, not a regular file", file);
    ck_assert_int_eq(rmdir(file), 0);
    ck_assert_int_eq(mkfifo(file, 0644), 0);
    ck_assert_int_eq(load("good", dir, NULL), BR_DENIED);
    CHECK_SAYS("%s: a special file, not a regular file", file);
    free(other);
}
END_TEST

/* A directory reached by a link is judged by where it really is. */
START_TEST(directory_by_link)
{
    char *link = join(top, "link");
    put_plugin(dir, "good");
    ck_assert_int_eq(symlink(dir, link), 0);
    ck_assert_msg(load("good", link, NULL) == BR_OK, "%s", fail.text);
    ck_assert_int_eq(chmod(dir, 0777), 0);
    ck_assert_int_eq(load("good", link, NULL), BR_DENIED);
    CHECK_SAYS("%s: %s: writable by group", file, dir);
    free(link);
}
END_TEST

int main(void)
{
    TCase *load_case = tcase_create("load");
    tcase_add_checked_fixture(load_case, setup, teardown);
    tcase_add_test(load_case, loads_shared_object);
    tcase_add_test(load_case, linked_in_comes_first);
    tcase_add_test(load_case, first_found_decides);
    tcase_add_test(load_case, nowhere);
    tcase_add_test(load_case, build_tree_by_environment);
    tcase_add_test(load_case, several_loaders);
    tcase_add_loop_test(load_case, names, 0, (int) (sizeof bad_names / sizeof *bad_names));
    tcase_add_loop_test(load_case, objects, 0, (int) (sizeof bad_objects / sizeof *bad_objects));
    tcase_add_test(load_case, not_a_shared_object);
    TCase *trust_case = tcase_create("trust");
    tcase_add_checked_fixture(trust_case, setup, teardown);
    tcase_add_loop_test(trust_case, trust, 0, (int) (sizeof modes / sizeof *modes));
    tcase_add_test(trust_case, not_a_regular_file);
    tcase_add_test(trust_case, directory_by_link);
    return test_run("plugins", load_case, trust_case, plugins_check_cases(), plugins_open_cases(),
                    NULL);
}
