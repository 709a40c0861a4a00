/* list -- what lies where plugins are looked for: see loader.h. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/buf.h"
#include "host/base/mem.h"
#include "host/plugins/loader.h"

struct list {
    struct loader *loader;
    loader_each *each;
    void *arg;
    char **seen; /* "store_zookeeper.so" of the directories before */
    uint32_t seen_count;
};

static bool list_seen(struct list *list, const char *base)
{
    for (uint32_t i = 0; i < list->seen_count; i++)
        if (strcmp(list->seen[i], base) == 0)
            return true;
    list->seen = mem_grow(list->seen, (list->seen_count + 1) * sizeof *list->seen);
    list->seen[list->seen_count++] = mem_text(base);
    return false;
}

bool loader_is_file(const char *base, const char *kind, size_t *ret_size)
{
    const size_t width = strlen(kind) + 1, size = strlen(base), end = strlen(".so");
    if (size <= width + end || strncmp(base, kind, width - 1) != 0 || base[width - 1] != '_'
        || strcmp(base + size - end, ".so") != 0)
        return false;
    *ret_size = size - width - end;
    return true;
}

/* "store_zookeeper.so": NULL, or the kind and the name. */
static const char *list_split(const char *base, char name[LOADER_NAME_MAX + 1])
{
    static const char *const kinds[] = { "store", "transport", "policy" };
    size_t size;
    for (int i = 0; i < 3; i++) {
        if (!loader_is_file(base, kinds[i], &size) || size > LOADER_NAME_MAX)
            continue;
        snprintf(name, LOADER_NAME_MAX + 1, "%.*s", (int) size, base + strlen(kinds[i]) + 1);
        return kinds[i];
    }
    return NULL;
}

static void list_file(struct list *list, const char *dir, const char *base)
{
    char name[LOADER_NAME_MAX + 1];
    const char *kind = list_split(base, name);
    struct buf file = { 0 };
    struct fail fail = { .status = BR_OK };
    const char *const only[] = { dir, NULL };
    struct loader_entry entry = { .hidden = list_seen(list, base) };
    buf_printf(&file, "%s/%s", dir, base);
    entry.file = file.data;
    if (!kind)
        entry.why = "a plugin's file is called KIND_NAME.so, KIND store, transport or policy";
    else if (loader_load(list->loader, kind, name, only, &entry.plugin, &fail) != BR_OK)
        entry.why = fail.text;
    list->each(list->arg, &entry);
    buf_done(&file);
}

static int list_is_object(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    return size > 3 && strcmp(entry->d_name + size - 3, ".so") == 0;
}

static void list_dir(struct list *list, const char *dir)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, list_is_object, alphasort);
    for (int i = 0; i < count; i++) {
        list_file(list, dir, entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

void loader_list(struct loader *loader, const char *const *path, loader_each *each, void *arg)
{
    struct list list = { .loader = loader, .each = each, .arg = arg };
    for (; path && *path; path++)
        list_dir(&list, *path);
    const char *tree = loader_tree();
    char *copy = tree ? mem_text(tree) : NULL, *rest = copy;
    for (const char *dir; rest && (dir = strsep(&rest, ":"));)
        if (*dir)
            list_dir(&list, dir);
    free(copy);
    list_dir(&list, BRIDLE_PLUGINDIR);
    while (list.seen_count > 0)
        free(list.seen[--list.seen_count]);
    free(list.seen);
}
