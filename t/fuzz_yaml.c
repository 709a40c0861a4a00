/* fuzz_yaml -- configuration files: whatever the text is, it is a tree or a sentence, and what was
 * accepted is whole. */
#include <assert.h>
#include <string.h>

#include "host/config/config.h"
#include "t/fuzz.h"

/* Every node is reachable, has a place, and knows its parent.  The walk needs no stack. */
static int fuzz_count(const struct yaml *root)
{
    int count = 0;
    for (const struct yaml *at = root; at;) {
        count++;
        assert(at->line > 0 && at->column > 0);
        assert((at->kind == YAML_SCALAR) == (at->text != NULL));
        assert(!at->parent || (at->parent->kind == YAML_MAP) == (at->key != NULL));
        if (at->first) {
            assert(at->first->parent == at);
            at = at->first;
            continue;
        }
        while (at && !at->next)
            at = at->parent;
        at = at ? at->next : NULL;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const sets[] = { "store.plugin=memory", "log.level=warn", NULL };
    struct arena arena;
    struct fail fail = { 0 };
    struct yaml *root = NULL;
    arena_init(&arena, 0);
    if (yaml_parse(&arena, "f.yaml", (const char *) data, size, &root, &fail) == BR_OK)
        assert(fuzz_count(root) <= YAML_NODES_MAX + 1);
    else
        assert(!root && strncmp(fail.text, "f.yaml:", 7) == 0);
    arena_done(&arena);
    for (int i = 0; i < 2; i++) {
        struct config config;
        struct config_plugin plugin;
        memset(&fail, 0, sizeof fail);
        if (config_parse(&config, "f.yaml", (const char *) data, size, i ? sets : NULL, &fail)
            == BR_OK) {
            assert(config.meta.listen && config.meta.lock_root && config.plugin_path);
            if (config_plugin(&config, "store", &plugin, &fail) == BR_OK)
                assert(plugin.name && plugin.deadline > 0);
            config_done(&config);
        } else {
            assert(fail.text[0]);
        }
    }
    return 0;
}
