/* conform_store -- the conformance kit of stores: one suite for every store there is.
 *
 *     conform_store [--patience=SECONDS] [--bench] NAME [OPTION=VALUE ...]
 *
 * Without a name: the stores of the build that need no server.  Built twice: conform_static has the
 * plugins linked in (sanitizers see everything), conform_shared loads them as bridled does.
 */
#include "t/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/number.h"

static int run(int argc, char **argv, const char *const *path, bool bench)
{
    char name[64];
    conform_load(argc, argv, path);
    snprintf(name, sizeof name, "store %s", conform.name);
    if (bench)
        return test_run(name, conform_bench_case(), NULL);
    return test_run(name, conform_write_case(), conform_batch_case(), conform_lock_case(),
                    conform_elections_case(), conform_death_case(), conform_life_case(), NULL);
}

static int run_all(const char *const *path, bool bench)
{
    struct buf file = { 0 };
    char *root = test_build("t/tmp"); /* test_directory() is for tests only */
    mkdir(root, 0700);
    buf_printf(&file, "file=%s/XXXXXX", root);
    free(root);
    if (!mkdtemp(file.data + strlen("file="))) {
        perror(file.data);
        return 2;
    }
    buf_text(&file, "/store.db");
    int failed = run(1, (char *[]){ "memory" }, path, bench);
    failed |= run(2, (char *[]){ "sqlite", file.data }, path, bench);
    buf_done(&file);
    return failed;
}

static int hold(int argc, char **argv, const char *const *path)
{
    if (argc < 3)
        return 2;
    conform_load(argc - 2, argv + 2, path);
    setenv("CK_FORK", "no", 1); /* SIGKILL shall hit the holder itself */
    setenv("CK_VERBOSITY", "silent", 1);
    return test_run("hold", conform_hold_case(argv[0], argv[1]), NULL);
}

int main(int argc, char **argv)
{
    bool bench = false;
    char *directory = test_build("plugin/.libs");
    const char *const built[] = { directory, NULL };
    const char *const *path = CONFORM_SHARED ? built : NULL;
    int first = 1, status = 0;
    int32_t patience = 0;
    for (; first < argc && strncmp(argv[first], "--", 2) == 0; first++) {
        const char *number = argv[first] + strlen("--patience=");
        if (strcmp(argv[first], "--hold") == 0) {
            status = hold(argc - first - 1, argv + first + 1, path);
            free(directory);
            return status;
        }
        if (strcmp(argv[first], "--bench") == 0) {
            bench = true;
        } else if (strncmp(argv[first], "--patience=", strlen("--patience=")) == 0
                   && number_i32(number, strlen(number), &patience) && patience > 0) {
            conform.patience = patience;
        } else {
            fprintf(stderr, "%s: unknown; see the comment in conform_store.c\n", argv[first]);
            return 2;
        }
    }
    if (first < argc)
        status = run(argc - first, argv + first, path, bench);
    else
        status = run_all(path, bench);
    free(directory);
    return status;
}
