/* inventory -- one pass over the data directories at start; what is found is kept in memory. */
#include "host/replica/inventory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/mem.h"
#include "host/base/number.h"
#include "host/disk/replica_dir.h"
#include "host/replica/decrees.h"

static const char inventory_reps[] = "replica/reps";

/* The whole of a small file `name` of a replica's directory, appended to `bytes`; one byte more
 * than `most` at least where it is larger, so that whoever decodes it says so. */
static br_status inventory_read(const char *dir, const char *name, size_t most, struct buf *bytes,
                                struct fail *ret_fail)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s/%s", dir, name);
    int fd = open(path.data, O_RDONLY | O_CLOEXEC);
    char chunk[4096];
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0 && bytes->size <= most) {
        got = read(fd, chunk, sizeof chunk);
        buf_put(bytes, chunk, got > 0 ? (size_t) got : 0);
    }
    br_status status =
        got < 0 ? fail_set(ret_fail, BR_NOTFOUND, "%s: %s", path.data, strerror(errno)) : BR_OK;
    if (fd >= 0)
        close(fd);
    buf_done(&path);
    return status;
}

static br_status inventory_app_info(struct arena *arena, const char *dir, struct br_table *table,
                                    struct fail *ret_fail)
{
    struct buf bytes = { 0 };
    br_status status = inventory_read(dir, ".app-info", APP_INFO_MAX, &bytes, ret_fail);
    if (!status && app_info_decode(arena, buf_bytes(&bytes), table, ret_fail) != BR_OK)
        status = fail_prefix(ret_fail, "%s/.app-info", dir);
    buf_done(&bytes);
    return status;
}

static br_status inventory_init_info(const char *dir, struct init_info *info, struct fail *ret_fail)
{
    struct buf bytes = { 0 };
    br_status status = inventory_read(dir, ".init-info", INIT_INFO_MAX, &bytes, ret_fail);
    if (!status && init_info_decode(buf_bytes(&bytes), info, ret_fail) != BR_OK)
        status = fail_prefix(ret_fail, "%s/.init-info", dir);
    buf_done(&bytes);
    return status;
}

/* The largest N of data/checkpoint.N; -1: none. */
static int64_t inventory_checkpoint(const char *dir)
{
    static const char prefix[] = "checkpoint.";
    struct buf path = { 0 };
    buf_printf(&path, "%s/data", dir);
    DIR *stream = opendir(path.data);
    buf_done(&path);
    int64_t best = -1;
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        const char *number = entry->d_name + sizeof prefix - 1;
        int64_t decree;
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) == 0
            && number_i64(number, strlen(number), &decree) && decree > best)
            best = decree;
    }
    if (stream)
        closedir(stream);
    return best;
}

static void *inventory_room(void *array, uint32_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return array;
    return mem_grow(array, (count ? (size_t) count * 2 : 1) * size);
}

static br_status inventory_check(const struct replica_name *name, const struct br_table *table,
                                 struct fail *ret_fail)
{
    if (table->id != name->table || strcmp(table->type, name->type) != 0)
        return fail_set(ret_fail, BR_CORRUPT, ".app-info is of table %d, type %s", table->id,
                        table->type);
    if (name->partition >= table->partition_count)
        return fail_set(ret_fail, BR_CORRUPT, "its table has %d partitions only",
                        table->partition_count);
    return BR_OK;
}

br_status inventory_load(struct arena *arena, const struct inventory_dir *data, const char *entry,
                         struct inventory_replica *ret_replica, struct fail *ret_fail)
{
    struct replica_name name;
    struct init_info info = { 0 };
    struct buf dir = { 0 };
    buf_printf(&dir, "%s/%s/%s", data->path, inventory_reps, entry);
    br_status status = BR_OK;
    if (!replica_name_parse(entry, &name))
        status = fail_set(ret_fail, BR_INVALID, "not <app_id>.<pidx>.<app_type>");
    if (!status)
        status = inventory_app_info(arena, dir.data, &ret_replica->table, ret_fail);
    if (!status)
        status = inventory_check(&name, &ret_replica->table, ret_fail);
    if (!status)
        status = inventory_init_info(dir.data, &info, ret_fail);
    if (!status) {
        int64_t checkpoint = inventory_checkpoint(dir.data);
        int64_t decree = info.durable > checkpoint ? info.durable : checkpoint;
        struct decrees decrees;
        decrees_read(dir.data, decree, &decrees);
        ret_replica->prepared_ballot = decrees.ballot;
        ret_replica->init_durable = info.durable;
        ret_replica->valid_from = info.offset_in_private_log;
        ret_replica->data = data;
        ret_replica->row = (struct br_replica){
            .table = name.table,
            .partition = name.partition,
            .role = BR_ROLE_INACTIVE,
            .ballot = info.ballot,
            .committed = decrees.committed,
            .prepared = decrees.prepared,
            .durable = decree,
            .type = ret_replica->table.type,
            .disk = data->tag,
        };
    }
    buf_done(&dir);
    return status;
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
