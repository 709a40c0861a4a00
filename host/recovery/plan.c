/* plan -- walks a cluster's records, one at a time, in the order in which a store can create them.
 *
 * The records are made from the cluster whenever they are needed: for the hash, for a batch, for a
 * comparison.  Keeping their JSON would cost several times what the verdicts cost.
 */
#include "host/recovery/plan.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <sys/types.h>

#include <sha2.h>

#define PLAN_HASH_CHUNK 65536

void plan_cursor_done(struct plan_cursor *cursor)
{
    buf_done(&cursor->scratch);
}

static void plan_put_record(const struct plan *plan, const struct table *table, int32_t index,
                            struct buf *buf, size_t *ret_path_size)
{
    const struct br_table *def = &table->def;
    if (index < 0)
        layout_table_path(buf, plan->root, def->id);
    else
        layout_partition_path(buf, plan->root, def->id, index);
    *ret_path_size = buf->size;
    buf_char(buf, '\0');
    if (index < 0)
        layout_put_table(buf, def, plan->version);
    else
        layout_put_partition(buf, plan->cluster, def->id, def->replica_count, index,
                             &table->partitions[index], plan->version);
}

bool plan_record(const struct plan *plan, struct plan_cursor *cursor, br_bytes *ret_path,
                 br_bytes *ret_value)
{
    const struct cluster *cluster = plan->cluster;
    if (cursor->table >= cluster->table_count)
        return false;
    const struct table *table = &cluster->tables[cursor->table];
    size_t path_size;
    buf_clear(&cursor->scratch);
    plan_put_record(plan, table, cursor->index, &cursor->scratch, &path_size);
    const char *data = cursor->scratch.data;
    *ret_path = (br_bytes){ data, path_size };
    *ret_value = (br_bytes){ data + path_size + 1, cursor->scratch.size - path_size - 1 };
    if (++cursor->index >= table->def.partition_count) {
        cursor->table++;
        cursor->index = -1;
    }
    return true;
}

bool plan_next(const struct plan *plan, struct plan_cursor *cursor, struct arena *arena,
               struct br_write *ret_write)
{
    br_bytes path;
    br_bytes value;
    if (!plan_record(plan, cursor, &path, &value))
        return false;
    char *copy = arena_alloc(arena, path.size + 1 + value.size);
    memcpy(copy, path.data, path.size + 1 + value.size);
    *ret_write = (struct br_write){ .kind = BR_CREATE,
                                    .path = copy,
                                    .value = { copy + path.size + 1, value.size } };
    return true;
}

uint64_t plan_count(const struct plan *plan)
{
    return plan->cluster->table_count + cluster_partition_count(plan->cluster);
}

static void plan_put_number(struct buf *buf, uint64_t number)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char) (number >> 8 * i);
    buf_put(buf, bytes, sizeof bytes);
}

/* Lengths stand before what they measure, so that no two plans share their bytes. */
static void plan_put_sized(struct buf *buf, br_bytes bytes)
{
    plan_put_number(buf, bytes.size);
    buf_put(buf, bytes.data, bytes.size);
}

static void plan_measure(struct plan *plan, br_bytes path, br_bytes value)
{
    plan->records++;
    if (path.size > plan->widest_path)
        plan->widest_path = path.size;
    if (value.size <= plan->largest)
        return;
    plan->largest = value.size;
    const char *text = path.data;
    size_t root = strcmp(plan->root, "/") == 0 ? 0 : strlen(plan->root);
    snprintf(plan->largest_path, sizeof plan->largest_path, "%s", text + root);
}

void plan_make(struct plan *plan, const struct cluster *cluster, const char *root,
               enum layout_version version)
{
    *plan = (struct plan){ .cluster = cluster, .root = root, .version = version };
    SHA2_CTX hash;
    SHA256Init(&hash);
    struct buf buf = { 0 };
    plan_put_number(&buf, (uint64_t) version);
    plan_put_sized(&buf, (br_bytes){ root, strlen(root) });
    struct plan_cursor cursor = plan_cursor_at(0, -1);
    br_bytes path;
    br_bytes value;
    while (plan_record(plan, &cursor, &path, &value)) {
        plan_measure(plan, path, value);
        plan_put_sized(&buf, path);
        plan_put_sized(&buf, value);
        if (buf.size >= PLAN_HASH_CHUNK) {
            SHA256Update(&hash, (const uint8_t *) buf.data, buf.size);
            buf_clear(&buf);
        }
    }
    SHA256Update(&hash, (const uint8_t *) buf_string(&buf), buf.size);
    SHA256End(&hash, plan->hash);
    plan_cursor_done(&cursor);
    buf_done(&buf);
    assert(plan->records == plan_count(plan));
}
