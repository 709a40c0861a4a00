/* fuzz_layout -- records and roots: what is read is written again, and that reads and writes the
 * same. The first byte chooses: a table's record, a partition's, or a root.
 */
#include <stdlib.h>
#include <string.h>

#include "host/model/layout.h"
#include "t/fuzz.h"

static void fuzz_equal(const struct buf *a, const struct buf *b)
{
    if (a->size != b->size || memcmp(a->data, b->data, a->size) != 0)
        abort();
}

static void fuzz_table(br_bytes json, struct buf *first, struct buf *second)
{
    struct cluster cluster;
    struct br_table table;
    struct fail fail;
    cluster_init(&cluster);
    if (layout_get_table(&cluster, json, &table, &fail) == BR_OK) {
        layout_put_table(second, &table, LAYOUT_25);
        buf_clear(second);
        layout_put_table(first, &table, LAYOUT_26);
        if (first->size <= LAYOUT_JSON_MAX) {
            if (layout_get_table(&cluster, buf_bytes(first), &table, &fail) != BR_OK)
                abort();
            layout_put_table(second, &table, LAYOUT_26);
            fuzz_equal(first, second);
        }
    }
    cluster_done(&cluster);
}

static void fuzz_partition(br_bytes json, struct buf *first, struct buf *second)
{
    struct cluster cluster;
    struct partition partition;
    struct fail fail;
    int32_t pid[2];
    cluster_init(&cluster);
    if (layout_get_partition(&cluster, json, &partition, pid, &fail) == BR_OK) {
        layout_put_partition(second, &cluster, pid[0], 0, pid[1], &partition, LAYOUT_25);
        buf_clear(second);
        layout_put_partition(first, &cluster, pid[0], 0, pid[1], &partition, LAYOUT_26);
        if (layout_get_partition(&cluster, buf_bytes(first), &partition, pid, &fail) != BR_OK)
            abort();
        layout_put_partition(second, &cluster, pid[0], 0, pid[1], &partition, LAYOUT_26);
        fuzz_equal(first, second);
    }
    cluster_done(&cluster);
}

static void fuzz_root(br_bytes text, struct buf *first, struct buf *second)
{
    struct buf root = { 0 };
    buf_put(&root, text.data, text.size);
    struct fail fail;
    if (layout_root(root.data, first, &fail) == BR_OK) {
        if (layout_root(first->data, second, &fail) != BR_OK)
            abort();
        fuzz_equal(first, second);
    }
    buf_done(&root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf first = { 0 };
    struct buf second = { 0 };
    if (size == 0)
        return 0;
    br_bytes rest = { data + 1, size - 1 };
    switch (data[0]) {
    case 't': fuzz_table(rest, &first, &second); break;
    case 'p': fuzz_partition(rest, &first, &second); break;
    default: fuzz_root(rest, &first, &second); break;
    }
    buf_done(&first);
    buf_done(&second);
    return 0;
}
