/* loader -- libltdl, and every reason to refuse a plugin.
 *
 * libltdl binds lazily and forgets why a module would not open, so it gets a loader of ours:
 * everything is bound at load, nothing is shared, the linker's words are kept.  Search order:
 * plugins linked into the program, each configured directory, the built-in directory; the first
 * file found decides, a bad one is refused, not skipped.  Main thread, before any other thread.
 *
 * Programs that run in a build tree find its plugins by the environment: BRIDLE_PLUGIN_PATH, a
 * list of directories with colons between, is searched before the built-in directory, and only
 * where BRIDLE_BUILD_TREE is 1, which the tree's own scripts and tests set.
 *
 * A program that links this must be linked with -dlpreopen FILE.la, or -dlpreopen force for none.
 */
#ifndef HOST_PLUGINS_LOADER_H
#define HOST_PLUGINS_LOADER_H

#include "host/base/fail.h"
#include <bridle/plugin.h>

#define LOADER_NAME_MAX 32 /* bytes of a plugin's name */

struct loader;

struct loader *loader_new(struct fail *ret_fail);
void loader_free(struct loader *loader); /* unloads nothing: plugins stay until exit */

/* `path`: NULL-terminated directories searched first, or NULL.  The descriptor is the loader's own
 * copy: fields the plugin did not know are zero. */
br_status loader_load(struct loader *loader, const char *kind, const char *name,
                      const char *const *path, const struct br_plugin **ret_plugin,
                      struct fail *ret_fail);

/* What lies in the directories that are searched, in their order, by name; linked-in ones are not
 * among it.  Each good file stays loaded. */
struct loader_entry {
    const char *file;
    const struct br_plugin *plugin; /* NULL: refused */
    const char *why;                /* it was refused; NULL: it was not */
    bool hidden;                    /* one of the same name stands in a directory before */
};
typedef void loader_each(void *arg, const struct loader_entry *entry);
void loader_list(struct loader *loader, const char *const *path, loader_each *each, void *arg);

/* Is `base` a plugin's file of this kind, KIND_NAME.so?  The name begins behind KIND_ and has
 * *ret_size bytes; whether it is a good one is for loader_load to say. */
bool loader_is_file(const char *base, const char *kind, size_t *ret_size);

/* The build tree's directories, where they are believed; NULL: they are not. */
const char *loader_tree(void);

/* The checks of a descriptor alone, for tests and for plugins linked in: `file` is for messages. */
br_status loader_check(const struct br_plugin *plugin, const char *file, const char *kind,
                       const char *name, struct fail *ret_fail);

#endif
