/* recovery -- see recovery.h. */
#include "t/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/base/mem.h"
#include "host/rdsn/address.h"
#include "host/recovery/rows.h"

#define PATIENCE (60 * BR_SECOND)

static struct log recovery_log;
struct loop *recovery_loop;
struct loader *recovery_loader;

void recovery_setup(void)
{
    recovery_log = (struct log){ .fd = memfd_create("log", MFD_CLOEXEC), .level = BR_INFO };
    recovery_loop = loop_new(&recovery_log);
    ck_assert_ptr_nonnull(recovery_loop);
}

void recovery_teardown(void)
{
    loop_free(recovery_loop);
    close(recovery_log.fd);
}

const char *recovery_logged(void)
{
    static char text[1 << 20];
    ssize_t got = pread(recovery_log.fd, text, sizeof text - 1, 0);
    ck_assert_int_ge(got, 0);
    text[got] = '\0';
    return text;
}

/* -- Waiting ---------------------------------------------------------------------------------- */

struct waiter {
    bool done;
    br_status status;
    char text[2048];
    struct call_answer answer;
    struct arena kept;
};

static void waiter_told(void *arg, struct call_answer *answer)
{
    struct waiter *waiter = arg;
    waiter->done = true;
    waiter->status = answer->status;
    waiter->answer = *answer;
    snprintf(waiter->text, sizeof waiter->text, "%s", answer->message);
    arena_init(&waiter->kept, 0);
    arena_adopt(&waiter->kept, answer->arena);
}

static void recovery_wait(const bool *done)
{
    br_time end = loop_now(recovery_loop) + PATIENCE;
    while (!*done && loop_now(recovery_loop) < end)
        loop_turn(recovery_loop);
    ck_assert_msg(*done, "nothing came for a minute");
}

struct plugin *recovery_open(const struct br_plugin *desc, const char *file)
{
    struct plugin *plugin = mem_new(sizeof *plugin);
    struct fail fail;
    struct arena arena;
    struct yaml *section = NULL;
    arena_init(&arena, 0);
    if (file) {
        struct buf text = { 0 };
        buf_printf(&text, "file: \"%s\"\n", file);
        ck_assert_int_eq(yaml_parse(&arena, "test", text.data, text.size, &section, &fail), BR_OK);
        buf_done(&text);
    }
    if (plugin_open(plugin, recovery_loop, desc, "store", section, &fail))
        ck_abort_msg("%s", fail.text);
    struct waiter waiter = { 0 };
    plugin_start(plugin, 0, waiter_told, &waiter);
    recovery_wait(&waiter.done);
    ck_assert_msg(waiter.status == BR_OK, "%s", waiter.text);
    arena_done(&waiter.kept);
    arena_done(&arena);
    return plugin;
}

struct plugin *recovery_store(const char *name, const char *file)
{
    const struct br_plugin *desc;
    struct fail fail;
    if (loader_load(recovery_loader, "store", name, NULL, &desc, &fail))
        ck_abort_msg("%s", fail.text);
    return recovery_open(desc, file);
}

void recovery_close(struct plugin *plugin)
{
    struct waiter waiter = { 0 };
    plugin_stop(plugin, 0, waiter_told, &waiter);
    recovery_wait(&waiter.done);
    arena_done(&waiter.kept);
    plugin_close(plugin);
    free(plugin);
}

void recovery_applied(void *arg, br_status status, const char *text)
{
    struct applied *applied = arg;
    ck_assert(!applied->done);
    applied->done = true;
    applied->status = status;
    snprintf(applied->text, sizeof applied->text, "%s", text);
}

static void recovery_progress(void *arg, const struct apply_progress *progress)
{
    struct applied *applied = arg;
    ck_assert_uint_le(progress->written, progress->total);
    applied->written = progress->written;
}

struct applied recovery_apply(struct plugin *store, const struct plan *plan, const char *fence)
{
    struct applied applied = { 0 };
    struct apply_request request = { .plan = plan,
                                     .fence = fence,
                                     .progress = recovery_progress,
                                     .done = recovery_applied,
                                     .arg = &applied };
    apply_start(recovery_loop, store, &request);
    ck_assert(!applied.done);
    recovery_wait(&applied.done);
    return applied;
}

struct looked {
    bool done;
    struct root_facts facts;
};

static void recovery_looked(void *arg, const struct root_facts *facts, const struct fail *fail)
{
    struct looked *looked = arg;
    ck_assert_msg(facts != NULL, "%s", fail ? fail->text : "");
    looked->facts = *facts;
    looked->done = true;
}

struct root_facts recovery_look(struct plugin *store, const char *root)
{
    struct looked looked = { 0 };
    root_look(store, root, recovery_looked, &looked);
    recovery_wait(&looked.done);
    return looked.facts;
}

struct loaded {
    bool done;
    struct load *load;
    struct cluster *cluster;
    struct fail fail;
};

static void recovery_loaded(void *arg, struct cluster *cluster, const struct fail *fail)
{
    struct loaded *loaded = arg;
    loaded->done = true;
    loaded->cluster = cluster;
    if (fail)
        loaded->fail = *fail;
    if (cluster)
        load_tell_repairs(loaded->load, cluster);
    ck_assert((cluster == NULL) == (fail != NULL));
}

struct cluster *recovery_load(struct plugin *store, const char *root, struct fail *ret_fail)
{
    struct loaded loaded = { 0 };
    loaded.load = load_start(recovery_loop, store, root, recovery_loaded, &loaded);
    recovery_wait(&loaded.done);
    if (!loaded.cluster)
        *ret_fail = loaded.fail;
    return loaded.cluster;
}

void recovery_free(struct cluster *cluster)
{
    if (cluster)
        cluster_done(cluster);
    free(cluster);
}

br_status recovery_write(struct plugin *store, br_write_kind kind, const char *path,
                         const char *value)
{
    struct waiter waiter = { 0 };
    struct br_write write = { .kind = kind,
                              .path = path,
                              .value = { value, value ? strlen(value) : 0 },
                              .version = BR_ANY_VERSION };
    const struct br_write *writes[] = { &write };
    store_commit(store, writes, 1, NULL, 0, waiter_told, &waiter);
    recovery_wait(&waiter.done);
    arena_done(&waiter.kept);
    return waiter.status;
}

/* -- Trees ------------------------------------------------------------------------------------ */

struct lines {
    char **text;
    size_t count, cap;
};

static void lines_add(struct lines *lines, char *text)
{
    if (lines->count == lines->cap) {
        lines->cap = lines->cap ? lines->cap * 2 : 64;
        lines->text = mem_grow(lines->text, lines->cap * sizeof *lines->text);
    }
    lines->text[lines->count++] = text;
}

static int lines_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static char *lines_join(struct lines *lines)
{
    struct buf buf = { 0 };
    buf_text(&buf, "");
    if (lines->count)
        qsort(lines->text, lines->count, sizeof *lines->text, lines_compare);
    for (size_t i = 0; i < lines->count; i++) {
        buf_printf(&buf, "%s\n", lines->text[i]);
        free(lines->text[i]);
    }
    free(lines->text);
    return buf.data ? buf.data : mem_text("");
}

static char *dump_line(struct plugin *store, const char *path, bool versions)
{
    struct waiter waiter = { 0 };
    const char *paths[] = { path };
    struct buf buf = { 0 };
    store_read(store, paths, 1, NULL, 0, waiter_told, &waiter);
    recovery_wait(&waiter.done);
    ck_assert_msg(waiter.status == BR_OK, "%s", waiter.text);
    struct rows rows = rows_of(&waiter.answer);
    const struct br_value *value = rows_value(&rows);
    ck_assert_ptr_nonnull(value);
    buf_printf(&buf, "%s ", path);
    if (versions)
        buf_printf(&buf, "v%lld ", (long long) value->version);
    buf_put(&buf, value->value.data, value->value.size);
    const char *journal = strstr(path, "/bridle/journal");
    char *before = journal && !versions ? strstr(buf.data, ",\"apps\":") : NULL;
    if (before) /* what was there before depends on the store */
        memcpy(before, "}", 2);
    char *one = journal && !versions ? strstr(buf.data, "{\"version\":1") : NULL;
    if (one) /* where one of version 1 was continued */
        one[strlen("{\"version\":")] = '2';
    arena_done(&waiter.kept);
    return buf.data;
}

static void dump_children(struct plugin *store, const char *path, struct lines *paths)
{
    struct waiter waiter = { 0 };
    store_list(store, path, 0, waiter_told, &waiter);
    recovery_wait(&waiter.done);
    if (waiter.status == BR_OK) {
        struct rows rows = rows_of(&waiter.answer);
        const char *name;
        while ((name = rows_name(&rows))) {
            struct buf child = { 0 };
            buf_printf(&child, "%s/%s", strcmp(path, "/") == 0 ? "" : path, name);
            lines_add(paths, child.data);
        }
    }
    arena_done(&waiter.kept);
}

char *recovery_dump(struct plugin *store, const char *root, bool versions)
{
    struct lines paths = { 0 };
    struct lines lines = { 0 };
    dump_children(store, root, &paths);
    for (size_t i = 0; i < paths.count; i++) {
        lines_add(&lines, dump_line(store, paths.text[i], versions));
        dump_children(store, paths.text[i], &paths);
    }
    for (size_t i = 0; i < paths.count; i++)
        free(paths.text[i]);
    free(paths.text);
    return lines_join(&lines);
}

char *recovery_dump_plan(const struct plan *plan)
{
    struct lines lines = { 0 };
    struct buf line = { 0 };
    const char *root = strcmp(plan->root, "/") == 0 ? "" : plan->root;
    buf_printf(&line, "%s/apps unlock", root);
    lines_add(&lines, line.data);
    line = (struct buf){ 0 };
    buf_printf(&line, "%s/bridle ", root);
    lines_add(&lines, line.data);
    line = (struct buf){ 0 };
    buf_printf(
        &line,
        "%s/bridle/journal {\"version\":2,\"state\":\"done\",\"plan\":\"%s\",\"records\":%llu}",
        root, plan->hash, (unsigned long long) plan->records);
    lines_add(&lines, line.data);
    struct plan_cursor cursor = plan_cursor_at(0, -1);
    br_bytes path;
    br_bytes value;
    while (plan_record(plan, &cursor, &path, &value)) {
        line = (struct buf){ 0 };
        buf_put(&line, path.data, path.size);
        buf_char(&line, ' ');
        buf_put(&line, value.data, value.size);
        lines_add(&lines, line.data);
    }
    plan_cursor_done(&cursor);
    return lines_join(&lines);
}

/* -- Clusters --------------------------------------------------------------------------------- */

uint64_t recovery_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

#define CLUSTER_NODES 7

static void cluster_fill_partition(struct cluster *cluster, struct partition *partition,
                                   uint64_t *seed)
{
    int32_t *members = arena_alloc(&cluster->arena, 3 * sizeof *members);
    int32_t first = (int32_t) (recovery_random(seed) % CLUSTER_NODES);
    *partition = (struct partition){ .ballot = (int64_t) (recovery_random(seed) % 1000),
                                     .primary = first,
                                     .members = members };
    for (int i = 0; i < 3; i++)
        members[i] = (first + 1 + i) % CLUSTER_NODES;
    partition->secondary_count = (uint16_t) (recovery_random(seed) % 3);
    partition->drop_count = (uint16_t) (recovery_random(seed) % 2);
    if (recovery_random(seed) % 8 == 0)
        *partition = (struct partition){ .primary = -1 };
}

static void cluster_fill_table(struct cluster *cluster, struct table *table, int32_t id,
                               int32_t partitions, uint64_t *seed)
{
    struct buf name = { 0 };
    const char **envs = arena_alloc(&cluster->arena, 2 * sizeof *envs);
    int32_t count = (int32_t) (recovery_random(seed) % (uint64_t) partitions) + 1;
    buf_printf(&name, "table_%d", id);
    envs[0] = "default_ttl";
    envs[1] = "86400";
    table->def = (struct br_table){
        .node = -1,
        .id = id,
        .status = recovery_random(seed) % 5 ? BR_TABLE_AVAILABLE : BR_TABLE_DROPPED,
        .partition_count = count,
        .replica_count = 3,
        .init_partition_count = count,
        .flags = BR_TABLE_STATEFUL,
        .env_count = (uint32_t) (recovery_random(seed) % 2),
        .create_second = 1700000000 + id,
        .name = arena_text(&cluster->arena, name.data, name.size),
        .type = "pegasus",
        .envs = envs,
    };
    buf_done(&name);
    table->partitions = arena_zero(&cluster->arena, (size_t) count * sizeof *table->partitions);
    for (int32_t i = 0; i < count; i++)
        cluster_fill_partition(cluster, &table->partitions[i], seed);
}

void recovery_cluster(struct cluster *cluster, uint64_t seed, uint32_t tables, int32_t partitions)
{
    seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    cluster_init(cluster);
    for (int i = 0; i < CLUSTER_NODES; i++) {
        char name[32];
        uint64_t address;
        snprintf(name, sizeof name, "10.0.0.%d:34801", i + 1);
        ck_assert(address_parse(name, &address));
        cluster_node_add(cluster, name, address);
    }
    cluster->tables = arena_zero(&cluster->arena, (tables + 1) * sizeof *cluster->tables);
    cluster->table_count = tables;
    int32_t id = 0;
    for (uint32_t i = 0; i < tables; i++) {
        id += 1 + (int32_t) (recovery_random(&seed) % 3);
        cluster_fill_table(cluster, &cluster->tables[i], id, partitions, &seed);
    }
}
