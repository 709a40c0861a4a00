/* man -- prints the man page of a plugin that is linked in: run once a plugin when bridle is built,
 * so that the pages are the option tables.
 *
 *     plugin_man KIND NAME
 */
#include <stdio.h>

#include "host/plugins/describe.h"
#include "host/plugins/loader.h"

int main(int argc, char **argv)
{
    struct fail fail;
    struct buf text = { 0 };
    const struct br_plugin *plugin;
    struct loader *loader = argc == 3 ? loader_new(&fail) : NULL;
    if (!loader || loader_load(loader, argv[1], argv[2], NULL, &plugin, &fail) != BR_OK) {
        fprintf(stderr, "%s\n", argc == 3 ? fail.text : "usage: plugin_man KIND NAME");
        return 1;
    }
    describe_man(plugin, &text);
    fputs(buf_string(&text), stdout);
    buf_done(&text);
    loader_free(loader);
    return fflush(stdout) == 0 ? 0 : 1;
}
