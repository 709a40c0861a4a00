/* load -- `apps`, its children, their records, then every partition by path: large reads, several
 * in flight, decoded as they come.  A table's children are not listed: what is there beside its
 * partitions (duplication, a surplus index) is nobody's business here.
 */
#include "host/recovery/load.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/rows.h"

#define LOAD_CHUNK    1024      /* paths read in one call */
#define LOAD_PROGRESS BR_SECOND /* between two lines that say how far it is */

struct load_chunk {
    struct load *load;
    struct br_call *call;
    uint32_t table; /* the first record's */
    int32_t index;  /* -1: records of tables */
    uint32_t count;
};

struct load {
    struct loop *loop;
    struct plugin *store;
    struct br_call *call; /* of the steps that come one after the other */
    load_done *done;
    void *arg;
    char *root;
    struct buf apps;
    struct cluster *cluster;
    bool tables_read;
    uint32_t next_table; /* the first record not yet asked for */
    int32_t next_index;
    uint32_t flying;
    uint64_t records; /* read of those of this step */
    struct timer *progress;
    struct repair *repairs; /* unsorted; in the cluster's arena and sorted once all is read */
    uint32_t repair_count, repair_cap;
    bool repairs_kept;
    struct load_chunk chunks[LOAD_FLIGHT];
};

/* Nothing comes any more. */
static void load_quiet(struct load *load)
{
    for (int i = 0; i < LOAD_FLIGHT; i++) {
        if (load->chunks[i].call)
            call_forget(load->chunks[i].call);
    }
    if (load->call)
        call_forget(load->call);
    timer_cancel(load->progress);
}

static void load_free(struct load *load)
{
    if (!load->repairs_kept)
        free(load->repairs);
    if (load->cluster) {
        cluster_done(load->cluster);
        free(load->cluster);
    }
    buf_done(&load->apps);
    free(load->root);
    free(load);
}

void load_cancel(struct load *load)
{
    if (!load)
        return;
    load_quiet(load);
    load_free(load);
}

static void load_end(struct load *load, const struct fail *fail)
{
    struct cluster *cluster = NULL;
    load_quiet(load);
    if (!fail) {
        cluster = load->cluster;
        load->cluster = NULL;
    }
    load->done(load->arg, cluster, fail);
    load_free(load);
}

BR_PRINTF(3, 4)
static void load_fail(struct load *load, br_status status, const char *format, ...)
{
    struct buf text = { 0 };
    struct fail fail;
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    fail_set(&fail, status, "%s", text.data);
    buf_done(&text);
    load_end(load, &fail);
}

/* Append the record's path. */
static void load_path(const struct load *load, struct buf *buf, int32_t id, int32_t index)
{
    if (index < 0)
        layout_table_path(buf, load->root, id);
    else
        layout_partition_path(buf, load->root, id, index);
}

static br_status load_fail_at(const struct load *load, int32_t id, int32_t index, struct fail *fail)
{
    struct buf path = { 0 };
    load_path(load, &path, id, index);
    fail_prefix(fail, "%s", path.data);
    buf_done(&path);
    return fail->status;
}

/* -- Records ---------------------------------------------------------------------------------- */

/* Abort sites 4, 5 and 13 of Apache Pegasus: a sentence each. */
static br_status load_check_table(const struct br_table *def, int32_t id, struct fail *fail)
{
    if (def->id != id)
        return fail_set(fail, BR_CORRUPT, "the record says app_id %d: copied from elsewhere?",
                        def->id);
    if (def->status != BR_TABLE_AVAILABLE && def->status != BR_TABLE_DROPPED)
        return fail_set(fail, BR_CORRUPT,
                        "invalid status(%d) for app(%s) in remote storage: only AS_AVAILABLE and "
                        "AS_DROPPED are ever stored",
                        def->status, def->name ? def->name : "");
    if (def->partition_count < 1 || def->partition_count > BR_PARTITIONS_MAX)
        return fail_set(fail, BR_CORRUPT, "partition_count %d is not between 1 and %d",
                        def->partition_count, BR_PARTITIONS_MAX);
    if (def->replica_count < 1)
        return fail_set(fail, BR_CORRUPT, "max_replica_count %d is not positive",
                        def->replica_count);
    return BR_OK;
}

static br_status load_table(struct load *load, uint32_t at, const struct br_value *value,
                            struct fail *fail)
{
    struct br_table *def = &load->cluster->tables[at].def;
    int32_t id = def->id;
    br_status status;
    if (value->status != BR_OK)
        status = fail_set(fail, BR_CORRUPT, "the record vanished while it was read");
    else
        status = layout_get_table(load->cluster, value->value, def, fail);
    if (status == BR_OK)
        status = load_check_table(def, id, fail);
    if (status != BR_OK)
        return load_fail_at(load, id, -1, fail);
    def->node = -1;
    return BR_OK;
}

static void load_repair(struct load *load, uint32_t table, int32_t index, enum repair_kind kind)
{
    if (load->repair_count == load->repair_cap) {
        load->repair_cap = load->repair_cap ? 2 * load->repair_cap : LOAD_CHUNK;
        load->repairs = mem_grow(load->repairs, load->repair_cap * sizeof *load->repairs);
    }
    load->repairs[load->repair_count++] =
        (struct repair){ .table = table, .partition = index, .kind = kind };
}

/* As newly created; beyond the half of a table that is being split, as the child of a split. */
static void load_missing(struct load *load, uint32_t at, int32_t index)
{
    const struct table *table = &load->cluster->tables[at];
    int32_t created = table->def.init_partition_count > 0 ? table->def.init_partition_count
                                                          : table->def.partition_count;
    bool split = index >= created && index >= table->def.partition_count / 2;
    bool dropped = table->def.status == BR_TABLE_DROPPED;
    table->partitions[index] = (struct partition){ .ballot = split ? BR_BALLOT_INVALID : 0,
                                                   .primary = -1,
                                                   .flags = dropped ? PARTITION_DROPPED : 0 };
    load_repair(load, at, index, split ? REPAIR_SPLIT : REPAIR_CREATE);
}

/* A drop and a recall write the table's record first, then the partitions'. */
static void load_compare_flag(struct load *load, uint32_t at, int32_t index)
{
    const struct table *table = &load->cluster->tables[at];
    bool dropped = (table->partitions[index].flags & PARTITION_DROPPED) != 0;
    if (dropped == (table->def.status == BR_TABLE_DROPPED))
        return;
    load_repair(load, at, index, dropped ? REPAIR_RECALL : REPAIR_DROP);
}

static br_status load_partition(struct load *load, uint32_t at, int32_t index,
                                const struct br_value *value, struct fail *fail)
{
    const struct table *table = &load->cluster->tables[at];
    if (value->status != BR_OK) {
        load_missing(load, at, index);
        return BR_OK;
    }
    int32_t id = table->def.id;
    int32_t pid[2] = { -1, -1 };
    struct partition *partition = &table->partitions[index];
    br_status status = layout_get_partition(load->cluster, value->value, partition, pid, fail);
    if (status == BR_OK && (pid[0] != id || pid[1] != index))
        status = fail_set(fail, BR_CORRUPT, "invalid partition config: the record says pid %d.%d",
                          pid[0], pid[1]);
    if (status != BR_OK)
        return load_fail_at(load, id, index, fail);
    load_compare_flag(load, at, index);
    return BR_OK;
}

static void load_pump(struct load *load);

static void load_chunk_read(void *arg, struct call_answer *answer)
{
    struct load_chunk *chunk = arg;
    struct load *load = chunk->load;
    struct fail fail;
    chunk->call = NULL;
    load->flying--;
    if (answer->status != BR_OK) {
        load_fail(load, answer->status, "%s: %s", buf_string(&load->apps), answer->message);
        return;
    }
    struct rows rows = rows_of(answer);
    struct cluster *cluster = load->cluster;
    uint32_t at = chunk->table;
    int32_t index = chunk->index;
    for (uint32_t i = 0; i < chunk->count; i++) {
        const struct br_value *value = rows_value(&rows);
        br_status status;
        if (chunk->index < 0)
            status = load_table(load, at++, value, &fail);
        else
            status = load_partition(load, at, index++, value, &fail);
        if (status != BR_OK) {
            load_end(load, &fail);
            return;
        }
        if (chunk->index >= 0 && index == cluster->tables[at].def.partition_count) {
            at++;
            index = 0;
        }
    }
    load->records += chunk->count;
    load_pump(load);
}

/* Asks for the next records; of tables first, then of partitions. */
static void load_chunk_start(struct load *load, struct load_chunk *chunk)
{
    struct cluster *cluster = load->cluster;
    struct arena memory;
    arena_init(&memory, 0);
    const char **paths = arena_alloc(&memory, LOAD_CHUNK * sizeof *paths);
    struct buf path = { 0 };
    *chunk = (struct load_chunk){ .load = load,
                                  .table = load->next_table,
                                  .index = load->tables_read ? load->next_index : -1 };
    while (chunk->count < LOAD_CHUNK && load->next_table < cluster->table_count) {
        const struct table *table = &cluster->tables[load->next_table];
        buf_clear(&path);
        load_path(load, &path, table->def.id, load->tables_read ? load->next_index : -1);
        paths[chunk->count++] = arena_text(&memory, path.data, path.size);
        if (!load->tables_read || ++load->next_index == table->def.partition_count) {
            load->next_table++;
            load->next_index = 0;
        }
    }
    buf_done(&path);
    load->flying++;
    chunk->call = store_read(load->store, paths, chunk->count, &memory,
                             LOAD_FLIGHT * load->store->deadline, load_chunk_read, chunk);
}

/* All tables are known: room for their partitions; false: more than anybody has. */
static bool load_make_partitions(struct load *load)
{
    struct cluster *cluster = load->cluster;
    uint64_t count = cluster_partition_count(cluster);
    if (count > CLUSTER_PARTITIONS_MAX)
        return false;
    struct partition *partitions = arena_zero(&cluster->arena, count * sizeof *partitions);
    for (uint32_t i = 0; i < cluster->table_count; i++) {
        cluster->tables[i].partitions = partitions;
        partitions += cluster->tables[i].def.partition_count;
    }
    return true;
}

static int load_compare_repairs(const void *a, const void *b)
{
    const struct repair *x = a;
    const struct repair *y = b;
    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    return (x->partition > y->partition) - (x->partition < y->partition);
}

/* One line for each kind of them. */
void load_tell_repairs(const struct load *load, const struct cluster *cluster)
{
    static const char *const words[] = {
        [REPAIR_CREATE] = "are missing: they count as newly created",
        [REPAIR_RECALL] = "are flagged as dropped though their tables are not: a recall broke off",
        [REPAIR_DROP] = "are not flagged as dropped though their tables are: a drop broke off",
        [REPAIR_SPLIT] =
            "are missing: they count as children of a split that has not come that far",
    };
    for (enum repair_kind kind = REPAIR_CREATE; kind <= REPAIR_SPLIT; kind++) {
        struct buf path = { 0 };
        uint64_t count = 0;
        for (uint32_t i = 0; i < load->repair_count; i++) {
            const struct repair *repair = &load->repairs[i];
            if (repair->kind == kind && count++ == 0)
                load_path(load, &path, cluster->tables[repair->table].def.id, repair->partition);
        }
        if (count)
            log_put(load->loop->log, BR_WARN, "load",
                    "%llu partition records below %s, the first is %s, %s",
                    (unsigned long long) count, load->apps.data, path.data, words[kind]);
        buf_done(&path);
    }
}

static void load_finish(struct load *load)
{
    if (load->repair_count) {
        size_t size = load->repair_count * sizeof *load->repairs;
        struct repair *kept = arena_alloc(&load->cluster->arena, size);
        qsort(load->repairs, load->repair_count, sizeof *load->repairs, load_compare_repairs);
        memcpy(kept, load->repairs, size);
        free(load->repairs);
        load->repairs = kept;
        load->repairs_kept = true;
    }
    load_end(load, NULL);
}

const struct repair *load_repairs(const struct load *load, uint32_t *ret_count)
{
    *ret_count = load->repair_count;
    return load->repairs;
}

static void load_tell_progress(void *arg)
{
    struct load *load = arg;
    uint64_t count = load->cluster->table_count;
    if (load->tables_read)
        count = cluster_partition_count(load->cluster);
    log_put(load->loop->log, BR_INFO, "load", "loading: %llu of %llu %s",
            (unsigned long long) load->records, (unsigned long long) count,
            load->tables_read ? "partitions" : "tables");
    load->progress = loop_after(load->loop, LOAD_PROGRESS, load_tell_progress, load);
}

static void load_pump(struct load *load)
{
    struct cluster *cluster = load->cluster;
    for (;;) {
        for (int i = 0; i < LOAD_FLIGHT && load->next_table < cluster->table_count; i++) {
            if (!load->chunks[i].call)
                load_chunk_start(load, &load->chunks[i]);
        }
        if (load->flying)
            return;
        if (load->tables_read) {
            load_finish(load);
            return;
        }
        load->tables_read = true;
        load->next_table = 0;
        load->records = 0;
        if (!load_make_partitions(load)) {
            load_fail(load, BR_TOOBIG, "%s: its tables have %llu partitions together, more than %d",
                      load->apps.data, (unsigned long long) cluster_partition_count(cluster),
                      CLUSTER_PARTITIONS_MAX);
            return;
        }
    }
}

/* -- `apps` and its children ------------------------------------------------------------------- */

static int load_compare(const void *a, const void *b)
{
    const struct table *x = a;
    const struct table *y = b;
    return (x->def.id > y->def.id) - (x->def.id < y->def.id);
}

/* The children as table ids, sorted; false: a name that is none, and the load has ended. */
static bool load_take_names(struct load *load, struct call_answer *answer, uint64_t count)
{
    struct cluster *cluster = load->cluster;
    cluster->tables = arena_zero(&cluster->arena, count * sizeof *cluster->tables);
    struct rows rows = rows_of(answer);
    const char *name;
    while ((name = rows_name(&rows))) {
        int32_t id = rows_number(name, BR_TABLE_ID_MAX);
        if (id < 1) {
            load_fail(load, BR_CORRUPT,
                      "%s/%.64s: its name is no table id between 1 and %d: whatever it is, it "
                      "must not stand there, because Apache Pegasus would take it for a table",
                      load->apps.data, name, BR_TABLE_ID_MAX);
            return false;
        }
        cluster->tables[cluster->table_count++].def.id = id;
    }
    qsort(cluster->tables, cluster->table_count, sizeof *cluster->tables, load_compare);
    for (uint32_t i = 1; i < cluster->table_count; i++) {
        int32_t id = cluster->tables[i].def.id;
        if (id != cluster->tables[i - 1].def.id)
            continue;
        load_fail(load, BR_INTERNAL, "%s/%d: the store listed it twice", load->apps.data, id);
        return false;
    }
    return true;
}

static void load_listed(void *arg, struct call_answer *answer)
{
    struct load *load = arg;
    load->call = NULL;
    if (answer->status != BR_OK) {
        load_fail(load, answer->status, "%s: %s", load->apps.data, answer->message);
        return;
    }
    uint64_t count = rows_count(answer, BR_ROW_NAME);
    if (count > BR_TABLES_MAX) {
        load_fail(load, BR_TOOBIG, "%s: it has %llu children, more than %d", load->apps.data,
                  (unsigned long long) count, BR_TABLES_MAX);
        return;
    }
    if (load_take_names(load, answer, count))
        load_pump(load);
}

static bool load_open(br_bytes value)
{
    size_t size = strlen(LAYOUT_UNLOCK);
    return value.size == 0 || (value.size == size && memcmp(value.data, LAYOUT_UNLOCK, size) == 0);
}

/* Abort sites 2 and 3. */
static void load_apps_read(void *arg, struct call_answer *answer)
{
    struct load *load = arg;
    load->call = NULL;
    if (answer->status != BR_OK) {
        load_fail(load, answer->status, "%s: %s", load->apps.data, answer->message);
        return;
    }
    struct rows rows = rows_of(answer);
    const struct br_value *value = rows_value(&rows);
    if (value->status != BR_OK) {
        load_fail(load, BR_NOTFOUND, "%s: it is not there", load->apps.data);
    } else if (!load_open(value->value)) {
        char shown[32] = { 0 };
        const char *data = value->value.data;
        for (size_t i = 0; i < sizeof shown - 1 && i < value->value.size; i++)
            shown[i] = data[i] >= ' ' && data[i] <= '~' ? data[i] : '?';
        load_fail(load, BR_CORRUPT,
                  "%s: invalid transaction state(%s): a recovery stopped half way, or somebody "
                  "else's data; it is served only when it is \"unlock\"",
                  load->apps.data, shown);
    } else {
        load->call = store_list(load->store, load->apps.data, 0, load_listed, load);
    }
}

struct load *load_start(struct loop *loop, struct plugin *store, const char *root, load_done *done,
                        void *arg)
{
    struct load *load = mem_new(sizeof *load);
    load->loop = loop;
    load->store = store;
    load->done = done;
    load->arg = arg;
    load->root = mem_text(root);
    load->cluster = mem_new(sizeof *load->cluster);
    cluster_init(load->cluster);
    layout_apps_path(&load->apps, root);
    load->progress = loop_after(loop, LOAD_PROGRESS, load_tell_progress, load);

    struct arena memory;
    arena_init(&memory, 0);
    const char **paths = arena_alloc(&memory, sizeof *paths);
    paths[0] = arena_text(&memory, load->apps.data, load->apps.size);
    load->call = store_read(store, paths, 1, &memory, 0, load_apps_read, load);
    return load;
}
