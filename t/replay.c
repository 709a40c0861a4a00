/* replay -- a main for a fuzz entry point that runs it over files: `replay_frame` over
 * t/corpus/frame of the source tree, or over the directories and files given.  So `make check` sees
 * every input that was ever worth keeping, whichever compiler there is.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/fuzz.h"
#include "t/test.h"

static size_t replay_file(const char *path)
{
    struct buf bytes = { 0 };
    if (!test_read(path, &bytes)) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    /* A copy of the exact size, so that a sanitizer sees one byte too many. */
    uint8_t *data = malloc(bytes.size ? bytes.size : 1);
    if (!data)
        abort();
    memcpy(data, buf_string(&bytes), bytes.size);
    LLVMFuzzerTestOneInput(data, bytes.size);
    free(data);
    buf_done(&bytes);
    return 1;
}

static size_t replay(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory)
        return replay_file(path);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        struct buf file = { 0 };
        buf_printf(&file, "%s/%s", path, entry->d_name);
        count += replay_file(file.data);
        buf_done(&file);
    }
    closedir(directory);
    return count;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    for (int i = 1; i < argc; i++)
        count += replay(argv[i]);
    if (argc == 1) {
        const char *name = strstr(argv[0], "replay_"); /* behind it, libtool's "lt-" too */
        for (const char *next = name; next; next = strstr(next + 1, "replay_"))
            name = next;
        struct buf path = { 0 };
        buf_printf(&path, "t/corpus/%s", name ? name + strlen("replay_") : "");
        char *full = test_source(path.data);
        count = replay(full);
        free(full);
        buf_done(&path);
    }
    printf("%zu inputs replayed\n", count);
    return count > 0 ? 0 : 1;
}
