/* loader -- finds a plugin's file, makes sure that nobody but root or the daemon's user can have
 * put it there, binds it whole, and has its descriptor checked (check.c) before any of its code
 * runs.  libltdl knows one loader for shared objects here, ours: its own binds lazily, and of every
 * failure it says "file not found".
 */
#include "host/plugins/loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <ltdl.h>
#include <libltdl/lt_dlloader.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/buf.h"
#include "host/base/mem.h"
#include "host/plugins/check.h"

#define LOADER_DLNAME "bridle"

/* The table comes first: lt_dlexit frees it, and all of this with it. */
struct loader_dl {
    lt_dlvtable table;
    char why[512];
};

struct loader_copy {
    struct loader_copy *next;
    struct br_plugin plugin;
};

struct loader {
    struct loader_dl *dl;
    struct loader_copy *copies;
};

static lt_module loader_dl_open(lt_user_data data, const char *file, lt_dladvise advise)
{
    struct loader_dl *dl = data;
    (void) advise;
    if (!file || !strchr(file, '/'))
        return NULL; /* never the system's search path */
    void *module = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!module) {
        const char *why = dlerror();
        snprintf(dl->why, sizeof dl->why, "%s", why ? why : "dlopen failed");
    }
    return module;
}

static int loader_dl_close(lt_user_data data, lt_module module)
{
    (void) data;
    return dlclose(module);
}

static void *loader_dl_symbol(lt_user_data data, lt_module module, const char *symbol)
{
    (void) data;
    return dlsym(module, symbol);
}

static struct loader_dl *loader_dl_install(void)
{
    const lt_dlvtable *there = lt_dlloader_find(LOADER_DLNAME);
    if (there)
        return (struct loader_dl *) (uintptr_t) there; /* ours, of an earlier loader */
    struct loader_dl *dl = mem_new(sizeof *dl);
    dl->table = (lt_dlvtable){
        .name = LOADER_DLNAME,
        .module_open = loader_dl_open,
        .module_close = loader_dl_close,
        .find_sym = loader_dl_symbol,
        .dlloader_data = dl,
        .priority = LT_DLLOADER_PREPEND,
    };
    if (lt_dlloader_add(&dl->table) != 0) {
        free(dl);
        return NULL;
    }
    free(lt_dlloader_remove("lt_dlopen"));
    return dl;
}

struct loader *loader_new(struct fail *ret_fail)
{
    struct loader_dl *dl = lt_dlinit() == 0 ? loader_dl_install() : NULL;
    if (!dl) {
        fail_set(ret_fail, BR_INTERNAL, "libltdl: %s", lt_dlerror());
        return NULL;
    }
    struct loader *loader = mem_new(sizeof *loader);
    loader->dl = dl;
    return loader;
}

void loader_free(struct loader *loader)
{
    if (!loader)
        return;
    for (struct loader_copy *next, *copy = loader->copies; copy; copy = next) {
        next = copy->next;
        free(copy);
    }
    free(loader);
}

/* -- Whose file it is ------------------------------------------------------------------------- */

/* `sticky`: writable by others passes where they cannot replace what is not theirs. */
static br_status loader_check_mode(const char *path, const struct stat *st, bool sticky,
                                   const char *file, struct fail *fail)
{
    const char *loose = st->st_mode & S_IWGRP ? "group" : st->st_mode & S_IWOTH ? "others" : NULL;
    const char *in = strcmp(path, file) == 0 ? "" : path;
    const char *colon = *in ? ": " : "";
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return fail_set(fail, BR_DENIED,
                        "%s: %s%sowned by uid %u: must be root or the user of this process (uid "
                        "%u): chown it",
                        file, in, colon, (unsigned) st->st_uid, (unsigned) geteuid());
    if (loose && !(sticky && st->st_mode & S_ISVTX))
        return fail_set(fail, BR_DENIED, "%s: %s%swritable by %s: chmod %c-w it", file, in, colon,
                        loose, *loose);
    return BR_OK;
}

/* `dir` is absolute and resolved; it and everything above it. */
static br_status loader_check_dirs(const char *dir, const char *file, struct fail *fail)
{
    char path[PATH_MAX];
    struct stat st;
    bool own = true;
    snprintf(path, sizeof path, "%s", dir);
    for (;;) {
        if (stat(path, &st) != 0)
            return fail_set(fail, BR_DENIED, "%s: %s: %s", file, path, strerror(errno));
        br_status status = loader_check_mode(path, &st, !own, file, fail);
        if (status || !path[1])
            return status;
        own = false;
        char *slash = strrchr(path, '/');
        slash[slash == path] = 0;
    }
}

static br_status loader_check_file(const char *dir, const char *file, struct fail *fail)
{
    struct stat st;
    if (lstat(file, &st) != 0)
        return fail_set(fail, BR_DENIED, "%s: %s", file, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return fail_set(fail, BR_DENIED, "%s: %s, not a regular file", file,
                        S_ISLNK(st.st_mode)   ? "a symbolic link"
                        : S_ISDIR(st.st_mode) ? "a directory"
                                              : "a special file");
    br_status status = loader_check_mode(file, &st, false, file, fail);
    return status ? status : loader_check_dirs(dir, file, fail);
}

/* -- Finding and loading ----------------------------------------------------------------------- */

struct loader_want {
    struct loader *loader;
    const char *kind, *name;
    char symbol[sizeof "bridle_transport_" + LOADER_NAME_MAX];
    struct buf looked; /* where it was not */
    const struct br_plugin *found;
};

static const struct br_plugin *loader_preloaded(const char *symbol)
{
    for (const lt_dlsymlist *entry = lt_preloaded_symbols; entry->name; entry++)
        if (entry->address && strcmp(entry->name, symbol) == 0)
            return entry->address;
    return NULL;
}

static br_status loader_bind(struct loader_want *want, const char *file, struct fail *fail)
{
    struct loader_dl *dl = want->loader->dl;
    dl->why[0] = 0;
    lt_dlhandle handle = lt_dlopen(file);
    if (!handle) {
        const char *why = dl->why[0] ? dl->why : lt_dlerror();
        size_t size = strlen(file); /* the linker often begins with the file's name, too */
        if (strncmp(why, file, size) == 0 && strncmp(why + size, ": ", 2) == 0)
            why += size + 2;
        return fail_set(fail, BR_INVALID, "%s: %s", file, why);
    }
    const struct br_plugin *plugin = lt_dlsym(handle, want->symbol);
    if (!plugin)
        return fail_set(fail, BR_INVALID, "%s: exports no %s", file, want->symbol);
    want->found = plugin;
    return loader_check(plugin, file, want->kind, want->name, fail);
}

/* BR_NOTFOUND: look further; else it is decided. */
static br_status loader_look(struct loader_want *want, const char *dir, struct fail *fail)
{
    char resolved[PATH_MAX], file[PATH_MAX + 64];
    struct stat st;
    buf_printf(&want->looked, "%s%s", want->looked.size ? ", " : "", dir);
    bool there = realpath(dir, resolved) != NULL;
    snprintf(file, sizeof file, "%s/%s_%s.so", there ? resolved : dir, want->kind, want->name);
    if (!there || lstat(file, &st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return BR_NOTFOUND;
        return fail_set(fail, BR_DENIED, "%s: %s", file, strerror(errno));
    }
    br_status status = loader_check_file(resolved, file, fail);
    return status ? status : loader_bind(want, file, fail);
}

/* A build tree's own plugins, for its tests and scripts: two variables, so that neither is set by
 * accident, and neither is believed in a program with more rights than its user. */
const char *loader_tree(void)
{
    const char *tree = secure_getenv("BRIDLE_BUILD_TREE");
    return tree && strcmp(tree, "1") == 0 ? secure_getenv("BRIDLE_PLUGIN_PATH") : NULL;
}

static br_status loader_look_tree(struct loader_want *want, struct fail *fail)
{
    const char *path = loader_tree();
    br_status status = BR_NOTFOUND;
    if (!path)
        return status;
    char *copy = mem_text(path), *rest = copy, *dir;
    while (status == BR_NOTFOUND && (dir = strsep(&rest, ":")))
        if (*dir)
            status = loader_look(want, dir, fail);
    free(copy);
    return status;
}

static br_status loader_search(struct loader_want *want, const char *const *path, struct fail *fail)
{
    br_status status = BR_NOTFOUND;
    want->found = loader_preloaded(want->symbol);
    if (want->found)
        return loader_check(want->found, "linked in", want->kind, want->name, fail);
    for (; path && *path && status == BR_NOTFOUND; path++)
        status = loader_look(want, *path, fail);
    if (status == BR_NOTFOUND)
        status = loader_look_tree(want, fail);
    if (status == BR_NOTFOUND)
        status = loader_look(want, BRIDLE_PLUGINDIR, fail);
    if (status == BR_NOTFOUND)
        fail_set(
            fail, status,
            "%s %s: no such plugin: not linked in, and no %s_%s.so in %s: install the package that "
            "has it, or name its directory in plugins.path",
            want->kind, want->name, want->kind, want->name, buf_string(&want->looked));
    return status;
}

br_status loader_load(struct loader *loader, const char *kind, const char *name,
                      const char *const *path, const struct br_plugin **ret_plugin,
                      struct fail *ret_fail)
{
    struct loader_want want = { .loader = loader, .kind = kind, .name = name };
    br_status status = check_names(kind, name, ret_fail);
    if (status)
        return status;
    snprintf(want.symbol, sizeof want.symbol, "bridle_%s_%s", kind, name);
    status = loader_search(&want, path, ret_fail);
    buf_done(&want.looked);
    if (status)
        return status;
    struct loader_copy *copy = mem_new(sizeof *copy);
    check_copy(&copy->plugin, sizeof copy->plugin, want.found, want.found->size);
    copy->next = loader->copies;
    loader->copies = copy;
    *ret_plugin = &copy->plugin;
    return BR_OK;
}
