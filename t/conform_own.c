/* conform_own -- the conformance kit on our own plugins: the program bridle-conform, built twice.
 * conform_static has the plugins linked in (sanitizers see everything), conform_shared loads them
 * from the build as bridled does.
 *
 *     conform_shared [OPTION...] KIND NAME [KEY=VALUE...]
 *     conform_shared [OPTION...] NAME [KEY=VALUE...]      a store
 *     conform_shared                                      every plugin that needs no server
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/conform/kit.h"

#define OWN_ARGS_MAX 96

static bool own_is_kind(const char *word)
{
    return strcmp(word, "store") == 0 || strcmp(word, "transport") == 0
           || strcmp(word, "policy") == 0;
}

static char *own_below(const char *path)
{
    const char *root = getenv("top_builddir");
    struct buf buf = { 0 };
    buf_printf(&buf, "%s/%s", root && *root ? root : ".", path);
    return buf.data;
}

static int own_run(char *const *words, const char *const *path)
{
    char *args[OWN_ARGS_MAX] = { (char *) (uintptr_t) "conform" };
    int count = 1;
    while (*words && count < OWN_ARGS_MAX - 1)
        args[count++] = *words++;
    return conform_main(count, args, path);
}

static int own_run_all(const char *const *path)
{
    static char *const policies[][4] = { { "policy", "pegasus", "mode=careful" },
                                         { "policy", "pegasus", "mode=historical" },
                                         { "policy", "strict" },
                                         { "policy", "newest" } };
    struct buf file = { 0 };
    char *root = own_below("t/tmp");
    mkdir(root, 0700);
    buf_printf(&file, "file=%s/XXXXXX", root);
    free(root);
    if (!mkdtemp(file.data + strlen("file="))) {
        perror(file.data);
        return 2;
    }
    buf_text(&file, "/store.db");
    int failed = own_run((char *[]){ "store", "memory", NULL }, path);
    failed |= own_run((char *[]){ "store", "sqlite", file.data, NULL }, path);
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++)
        failed |= own_run(policies[i], path);
    failed |= own_run((char *[]){ "transport", "rdsn", NULL }, path);
    failed |= own_run((char *[]){ "--node", "10.0.0.1:34801", "--node", "10.0.0.5:34801",
                                  "transport", "sim", "seed=7", "lost=50000", NULL },
                      path);
    buf_done(&file);
    return failed;
}

/* A store's kind may be left out: the first word that is no option of the kit's is its name. */
static int own_run_some(int argc, char **argv, const char *const *path)
{
    char *words[OWN_ARGS_MAX] = { NULL };
    int count = 0;
    bool named = false;
    for (int i = 1; i < argc && count < OWN_ARGS_MAX - 2; i++) {
        bool value = i > 1
                     && (strcmp(argv[i - 1], "--node") == 0 || strcmp(argv[i - 1], "--rule") == 0
                         || strcmp(argv[i - 1], "--patience") == 0);
        if (strcmp(argv[i], "--hold") == 0) { /* everything behind it is whole */
            while (i < argc && count < OWN_ARGS_MAX - 1)
                words[count++] = argv[i++];
            break;
        }
        if (!named && !value && argv[i][0] != '-') {
            named = true;
            if (!own_is_kind(argv[i]))
                words[count++] = (char *) (uintptr_t) "store";
        }
        words[count++] = argv[i];
    }
    return own_run(words, path);
}

int main(int argc, char **argv)
{
    char *directory = own_below("plugin/.libs");
    const char *const built[] = { directory, NULL };
    const char *const *path = CONFORM_SHARED ? built : NULL;
    int status = argc > 1 ? own_run_some(argc, argv, path) : own_run_all(path);
    free(directory);
    return status;
}
