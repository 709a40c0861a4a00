/* fuzz_appinfo -- .app-info and .init-info: whatever is read is written again and reads the same.
 */
#include <stdlib.h>
#include <string.h>

#include "host/disk/replica_dir.h"
#include "t/fuzz.h"

static void fuzz_same(const struct br_table *a, const struct br_table *b)
{
    if (a->id != b->id || a->partition_count != b->partition_count || a->flags != b->flags
        || strcmp(a->name, b->name) != 0 || strcmp(a->type, b->type) != 0
        || a->create_second != b->create_second)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct br_table table;
    struct br_table again;
    struct init_info info;
    struct buf buf = { 0 };
    arena_init(&arena, 4096);
    if (app_info_decode(&arena, (br_bytes){ data, size }, &table, NULL) == BR_OK) {
        app_info_encode(&table, true, &buf);
        if (app_info_decode(&arena, buf_bytes(&buf), &again, NULL) != BR_OK)
            abort();
        fuzz_same(&table, &again);
    }
    buf_clear(&buf);
    if (init_info_decode((br_bytes){ data, size }, &info, NULL) == BR_OK) {
        init_info_encode(&info, &buf);
        if (init_info_decode(buf_bytes(&buf), &info, NULL) != BR_OK)
            abort();
    }
    buf_done(&buf);
    arena_done(&arena);
    return 0;
}
