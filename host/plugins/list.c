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

/* "store_zookeeper.so" in two; false: no plugin's name. */
static bool list_split(const char *base, char kind[16], char name[LOADER_NAME_MAX + 1])
{
    static const char *const kinds[] = { "store", "transport", "policy" };
    size_t size = strlen(base) - strlen(".so");
    for (int i = 0; i < 3; i++) {
        size_t width = strlen(kinds[i]);
        if (strncmp(base, kinds[i], width) != 0 || base[width] != '_' || size <= width + 1
            || size - width - 1 > LOADER_NAME_MAX)
            continue;
        snprintf(kind, 16, "%s", kinds[i]);
        snprintf(name, LOADER_NAME_MAX + 1, "%.*s", (int) (size - width - 1), base + width + 1);
        return true;
    }
    return false;
}

static void list_file(struct list *list, const char *dir, const char *base)
{
    char kind[16], name[LOADER_NAME_MAX + 1];
    struct buf file = { 0 };
    struct fail fail = { .status = BR_OK };
    const char *const only[] = { dir, NULL };
    struct loader_entry entry = { .hidden = list_seen(list, base) };
    buf_printf(&file, "%s/%s", dir, base);
    entry.file = file.data;
    if (!list_split(base, kind, name))
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
