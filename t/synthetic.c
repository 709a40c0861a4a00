/* synthetic -- see synthetic.h. */
#include "t/synthetic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/rdsn/address.h"
#include "host/recovery/load.h"

#define SYNTHETIC_PATIENCE (60 * BR_SECOND) /* of one answer of the store */

BR_PRINTF(1, 2)
static void synthetic_stop(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("synthetic: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

/* -- The cluster ------------------------------------------------------------------------------ */

const char *synthetic_wrong(const struct synthetic *shape)
{
    if (shape->nodes < SYNTHETIC_REPLICAS || shape->nodes > BR_NODES_MAX)
        return "nodes: between 3 and 4096";
    if (shape->tables < 1 || shape->tables > BR_TABLE_ID_MAX)
        return "tables: between 1 and 65536";
    if (shape->partitions < shape->tables || shape->partitions > CLUSTER_PARTITIONS_MAX)
        return "partitions: at least one a table, at most 4194304";
    if (synthetic_partition_count(shape, 0) > BR_PARTITIONS_MAX)
        return "partitions: at most 1048576 of one table";
    return NULL;
}

uint64_t synthetic_address(uint32_t node)
{
    return address_make(UINT32_C(0x7f010001) + (node / 250 << 8) + node % 250, SYNTHETIC_PORT);
}

int32_t synthetic_partition_count(const struct synthetic *shape, uint32_t table)
{
    return (int32_t) (shape->partitions / shape->tables
                      + (table < shape->partitions % shape->tables));
}

/* splitmix64: a number for each place, whatever came before. */
static uint64_t synthetic_random(uint64_t seed, uint64_t place)
{
    uint64_t z = seed + (place + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* The secondaries stand a round's two different steps behind the primary. */
static void synthetic_partition(struct partition *partition, int32_t *members,
                                const struct synthetic *shape, uint32_t place)
{
    uint32_t nodes = shape->nodes;
    uint64_t steps = synthetic_random(~shape->seed, place / nodes);
    uint64_t luck = synthetic_random(shape->seed, place);
    uint32_t first = 1 + (uint32_t) (steps % (nodes - 1));
    uint32_t second = 1 + (uint32_t) ((steps >> 32) % (nodes - 2));
    second += second >= first;
    members[0] = (int32_t) ((place + first) % nodes);
    members[1] = (int32_t) ((place + second) % nodes);
    *partition = (struct partition){ .ballot = 3 + (int64_t) (luck % 40),
                                     .committed = 100000 + (int64_t) (luck >> 40),
                                     .primary = (int32_t) (place % nodes),
                                     .secondary_count = 2,
                                     .members = members };
}

void synthetic_cluster(struct cluster *cluster, const struct synthetic *shape)
{
    char text[ADDRESS_TEXT_MAX];
    cluster_init(cluster);
    struct arena *arena = &cluster->arena;
    for (uint32_t i = 0; i < shape->nodes; i++)
        cluster_node_add(cluster, address_format(synthetic_address(i), text), synthetic_address(i));
    cluster->table_count = shape->tables;
    cluster->tables = arena_zero(arena, shape->tables * sizeof *cluster->tables);
    struct partition *partitions = arena_zero(arena, shape->partitions * sizeof *partitions);
    int32_t *members = arena_alloc(arena, 2 * shape->partitions * sizeof *members);
    uint32_t place = 0;
    for (uint32_t i = 0; i < shape->tables; i++) {
        int32_t count = synthetic_partition_count(shape, i);
        int size = snprintf(text, sizeof text, "table_%u", i + 1);
        cluster->tables[i].partitions = partitions + place;
        cluster->tables[i].def = (struct br_table){ .node = -1,
                                                    .id = (int32_t) i + 1,
                                                    .status = BR_TABLE_AVAILABLE,
                                                    .partition_count = count,
                                                    .replica_count = SYNTHETIC_REPLICAS,
                                                    .init_partition_count = count,
                                                    .flags = BR_TABLE_STATEFUL,
                                                    .create_second = 1700000000,
                                                    .name = arena_text(arena, text, (size_t) size),
                                                    .type = "pegasus" };
        for (; count > 0; count--, place++)
            synthetic_partition(&partitions[place], &members[2 * place], shape, place);
    }
}

/* -- A store ---------------------------------------------------------------------------------- */

static void synthetic_answered(void *arg, struct call_answer *answer)
{
    struct synthetic_store *store = arg;
    if (answer->status != BR_OK)
        synthetic_stop("%s", answer->message);
    if (answer->value.size >= sizeof store->fence)
        synthetic_stop("a fence of %zu bytes", answer->value.size);
    if (answer->value.size)
        memcpy(store->fence, answer->value.data, answer->value.size);
    store->fence[answer->value.size] = 0;
    store->answered = true;
}

static void synthetic_wait(struct synthetic_store *store)
{
    while (!store->answered)
        loop_turn(store->loop);
    store->answered = false;
}

void synthetic_open(struct synthetic_store *store, const char *name, const char *options)
{
    static const struct log log = { .fd = 2, .level = BR_WARN };
    struct yaml *section;
    struct fail why;
    const struct br_plugin *desc;
    *store = (struct synthetic_store){ .loop = loop_new(&log), .loader = loader_new(&why) };
    arena_init(&store->options, 0);
    if (!store->loop)
        synthetic_stop("no event loop");
    if (!store->loader || loader_load(store->loader, "store", name, NULL, &desc, &why)
        || yaml_parse(&store->options, "options", options, strlen(options), &section, &why)
        || plugin_open(&store->plugin, store->loop, desc, "store", section, &why))
        synthetic_stop("%s", why.text);
    plugin_start(&store->plugin, SYNTHETIC_PATIENCE, synthetic_answered, store);
    synthetic_wait(store);
}

void synthetic_close(struct synthetic_store *store)
{
    plugin_stop(&store->plugin, SYNTHETIC_PATIENCE, synthetic_answered, store);
    synthetic_wait(store);
    plugin_close(&store->plugin);
    loader_free(store->loader);
    loop_free(store->loop);
    arena_done(&store->options);
}

static void synthetic_applied(void *arg, br_status status, const char *text)
{
    struct synthetic_store *store = arg;
    if (status != BR_OK)
        synthetic_stop("%s", text);
    store->answered = true;
}

void synthetic_write(struct synthetic_store *store, const struct cluster *cluster, const char *root,
                     enum layout_version version)
{
    struct plan plan;
    struct buf lock = { 0 };
    buf_printf(&lock, "%s/dsn.meta.server.leader", strcmp(root, "/") == 0 ? "" : root);
    store_lock(&store->plugin, lock.data, "127.0.0.1:1", synthetic_answered, store);
    synthetic_wait(store);
    char *fence = mem_text(store->fence);
    plan_make(&plan, cluster, root, version);
    struct apply_request request = {
        .plan = &plan, .fence = fence, .done = synthetic_applied, .arg = store
    };
    apply_start(store->loop, &store->plugin, &request);
    synthetic_wait(store);
    store_unlock(&store->plugin, fence, SYNTHETIC_PATIENCE, synthetic_answered, store);
    synthetic_wait(store);
    free(fence);
    buf_done(&lock);
}

struct synthetic_load {
    struct synthetic_store *store;
    struct cluster *cluster;
};

static void synthetic_loaded(void *arg, struct cluster *cluster, const struct fail *fail)
{
    struct synthetic_load *load = arg;
    if (!cluster)
        synthetic_stop("%s", fail->text);
    load->cluster = cluster;
    load->store->answered = true;
}

struct cluster *synthetic_load(struct synthetic_store *store, const char *root)
{
    struct synthetic_load load = { .store = store };
    load_start(store->loop, &store->plugin, root, synthetic_loaded, &load);
    synthetic_wait(store);
    return load.cluster;
}
