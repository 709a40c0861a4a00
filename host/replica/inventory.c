/* inventory -- one pass over the data directories at start; what is found is kept in memory. */
#include "host/replica/inventory.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/disk/replica_read.h"

static const char inventory_reps[] = "replica/reps";

static void *inventory_room(void *array, uint32_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return array;
    return mem_grow(array, (count ? (size_t) count * 2 : 1) * size);
}

br_status inventory_load(struct arena *arena, const struct inventory_dir *data, const char *entry,
                         struct inventory_replica *ret_replica, struct fail *ret_fail)
{
    struct replica_read read;
    struct buf dir = { 0 };
    buf_printf(&dir, "%s/%s", data->path, inventory_reps);
    br_status status = replica_read(arena, dir.data, entry, entry, &read, ret_fail);
    buf_done(&dir);
    if (status)
        return status;
    *ret_replica = (struct inventory_replica){ .prepared_ballot = read.decrees.ballot,
                                               .init_durable = read.init.durable,
                                               .valid_from = read.init.offset_in_private_log,
                                               .table = read.table,
                                               .data = data };
    ret_replica->row = (struct br_replica){
        .table = read.table.id,
        .partition = read.partition,
        .role = BR_ROLE_INACTIVE,
        .ballot = read.init.ballot,
        .committed = read.decrees.committed,
        .prepared = read.decrees.prepared,
        .durable = read.durable,
        .type = ret_replica->table.type,
        .disk = data->tag,
    };
    return BR_OK;
}

static int inventory_compare(const void *a, const void *b)
{
    const struct br_replica *one = *(const struct br_replica *const *) a;
    const struct br_replica *other = *(const struct br_replica *const *) b;
    if (one->table != other->table)
        return one->table < other->table ? -1 : 1;
    return (one->partition > other->partition) - (one->partition < other->partition);
}

static br_status inventory_twice(const struct inventory *inventory, struct fail *ret_fail)
{
    uint32_t count = inventory->replica_count;
    const struct br_replica **sorted = mem_array(count + 1u, sizeof *sorted);
    br_status status = BR_OK;
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = &inventory->replicas[i].row;
    qsort(sorted, count, sizeof *sorted, inventory_compare);
    for (uint32_t i = 1; i < count && !status; i++) {
        if (inventory_compare(&sorted[i - 1], &sorted[i]) == 0)
            status = fail_set(ret_fail, BR_CONFLICT,
                              "replica %d.%d stands in two data directories (tags %s and %s): move "
                              "one of them away",
                              sorted[i]->table, sorted[i]->partition, sorted[i - 1]->disk,
                              sorted[i]->disk);
    }
    free(sorted);
    return status;
}

/* One directory.  What makes no sense is left out with a line. */
static void inventory_take(struct inventory *inventory, const struct inventory_dir *data,
                           const char *entry, const struct log *log)
{
    struct inventory_replica replica;
    struct fail fail;
    if (replica_suffix(entry) != REPLICA_LIVE)
        return;
    br_status status = inventory_load(&inventory->arena, data, entry, &replica, &fail);
    if (status || inventory->replica_count == INVENTORY_REPLICAS_MAX) {
        log_put(log, BR_WARN, "inventory", "%s/%s/%s left out: %s", data->path, inventory_reps,
                entry, status ? fail.text : "too many replicas");
        inventory->left_out++;
        return;
    }
    inventory->replicas =
        inventory_room(inventory->replicas, inventory->replica_count, sizeof *inventory->replicas);
    inventory->replicas[inventory->replica_count++] = replica;
}

static int inventory_order(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static br_status inventory_scan(struct inventory *inventory, const struct inventory_dir *data,
                                const struct log *log, struct fail *ret_fail)
{
    struct buf reps = { 0 };
    buf_printf(&reps, "%s/%s", data->path, inventory_reps);
    struct dirent **entries = NULL;
    int count = scandir(reps.data, &entries, NULL, inventory_order);
    br_status status = BR_OK;
    if (count < 0)
        status = fail_set(ret_fail, BR_NOTFOUND, "%s: %s", reps.data, strerror(errno));
    for (int i = 0; i < count; i++) {
        if (!status && entries[i]->d_name[0] != '.')
            inventory_take(inventory, data, entries[i]->d_name, log);
        free(entries[i]);
    }
    free(entries);
    buf_done(&reps);
    return status;
}

br_status inventory_open(struct inventory *inventory, const struct inventory_dir *dirs,
                         uint32_t count, const struct log *log, struct fail *ret_fail)
{
    *inventory = (struct inventory){ .replica_count = 0 };
    arena_init(&inventory->arena, 0);
    br_status status = BR_OK;
    for (uint32_t i = 0; i < count && !status; i++)
        status = inventory_scan(inventory, &dirs[i], log, ret_fail);
    return status ? status : inventory_twice(inventory, ret_fail);
}

void inventory_close(struct inventory *inventory)
{
    free(inventory->replicas);
    arena_done(&inventory->arena);
}
