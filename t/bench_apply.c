/* bench_apply -- a recovery's writes into a real ZooKeeper, beside what that server can take at
 * most (a bare loop of full batches) and beside single creates in a pipeline, the usual way.
 *
 *     t/zookeeper.sh t/bench_apply [PARTITIONS [RUNS]]
 *     t/zookeeper.sh t/etcd.sh t/bench_apply ...      the same into etcd, too
 *
 * The three alternate, on the same paths and values; what counts is the ratio of the medians.  Into
 * etcd each run has a root of its own, and the ceiling is full batches with nothing around them, by
 * the plugin that apply uses, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/base/number.h"
#include "host/rdsn/address.h"
#include "host/recovery/load.h"
#include "t/bench_zookeeper.h"

#define BENCH_TABLE_PARTITIONS 1024 /* of one table */
#define BENCH_NODES            32
#define BENCH_RUNS_MAX         101
#define BENCH_FLIGHT           4 /* batches of the bare loop */
#define BENCH_SINGLES_PART     5 /* one of so many records is created singly: it takes long */

#define BENCH_ROOT "/bench"

struct bench {
    char root[32];
    struct cluster cluster;
    struct plan plan;
    struct arena arena;
    struct br_write *writes; /* the root, apps, then the plan's records */
    uint32_t count;
    struct br_write *leftovers; /* what apply made beside them */
    uint32_t leftover_count;
    struct bench_client *client;
    struct loop *loop;
    struct plugin store;
    struct arena options;
    char fence[256];
    bool answered;
};

static void fail(const char *what, const char *text)
{
    fprintf(stderr, "bench: %s: %s\n", what, text);
    exit(1);
}

/* -- The cluster --------------------------------------------------------------------------------
 */

static void make_table(struct bench *bench, struct table *table, int32_t id, int32_t partitions)
{
    struct arena *arena = &bench->cluster.arena;
    char name[32];
    snprintf(name, sizeof name, "table_%d", id);
    table->def = (struct br_table){ .node = -1,
                                    .id = id,
                                    .status = BR_TABLE_AVAILABLE,
                                    .partition_count = partitions,
                                    .replica_count = 3,
                                    .init_partition_count = -1,
                                    .flags = BR_TABLE_STATEFUL,
                                    .create_second = 1700000000,
                                    .name = arena_text(arena, name, strlen(name)),
                                    .type = "pegasus" };
    table->partitions = arena_zero(arena, (size_t) partitions * sizeof *table->partitions);
    for (int32_t i = 0; i < partitions; i++) {
        int32_t *members = arena_alloc(arena, 2 * sizeof *members);
        members[0] = (i + 1) % BENCH_NODES;
        members[1] = (i + 2) % BENCH_NODES;
        table->partitions[i] = (struct partition){ .ballot = 3 + i % 40,
                                                   .committed = 100000 + i,
                                                   .primary = i % BENCH_NODES,
                                                   .secondary_count = 2,
                                                   .members = members };
    }
}

static void make_cluster(struct bench *bench, int32_t partitions)
{
    struct cluster *cluster = &bench->cluster;
    cluster_init(cluster);
    for (uint32_t i = 0; i < BENCH_NODES; i++) {
        char name[32];
        snprintf(name, sizeof name, "10.20.30.%u:34801", 100 + i);
        cluster_node_add(cluster, name, address_make(UINT32_C(0x0a141e64) + i, 34801));
    }
    cluster->table_count =
        (uint32_t) ((partitions + BENCH_TABLE_PARTITIONS - 1) / BENCH_TABLE_PARTITIONS);
    cluster->tables = arena_zero(&cluster->arena, cluster->table_count * sizeof *cluster->tables);
    for (uint32_t i = 0; i < cluster->table_count; i++) {
        int32_t some = partitions < BENCH_TABLE_PARTITIONS ? partitions : BENCH_TABLE_PARTITIONS;
        make_table(bench, &cluster->tables[i], (int32_t) i + 1, some);
        partitions -= some;
    }
}

static void make_writes(struct bench *bench)
{
    static struct br_write leftovers[] = { { .path = BENCH_ROOT "/bridle" },
                                           { .path = BENCH_ROOT "/bridle/journal" } };
    struct buf apps = { 0 };
    struct plan_cursor cursor = plan_cursor_at(0, -1);
    plan_make(&bench->plan, &bench->cluster, bench->root, LAYOUT_26);
    buf_printf(&apps, "%s/apps", bench->root);
    arena_init(&bench->arena, 0);
    bench->count = 0;
    bench->writes = mem_array(plan_count(&bench->plan) + 2, sizeof *bench->writes);
    bench->writes[bench->count++] = (struct br_write){ .kind = BR_CREATE, .path = bench->root };
    bench->writes[bench->count++] =
        (struct br_write){ .kind = BR_CREATE,
                           .path = arena_text(&bench->arena, apps.data, apps.size) };
    buf_done(&apps);
    while (plan_next(&bench->plan, &cursor, &bench->arena, &bench->writes[bench->count]))
        bench->count++;
    plan_cursor_done(&cursor);
    bench->leftovers = leftovers;
    bench->leftover_count = 2;
}

/* -- The store ----------------------------------------------------------------------------------
 */

static void take_answer(void *arg, struct call_answer *answer)
{
    struct bench *bench = arg;
    if (answer->status != BR_OK)
        fail("store", answer->message);
    if (answer->value.size >= sizeof bench->fence)
        fail("store", "a long fence");
    if (answer->value.size)
        memcpy(bench->fence, answer->value.data, answer->value.size);
    bench->answered = true;
}

static void wait_answer(struct bench *bench)
{
    while (!bench->answered)
        loop_turn(bench->loop);
    bench->answered = false;
}

static void writes_done(struct bench *bench)
{
    free(bench->writes);
    arena_done(&bench->arena);
}

static void open_store(struct bench *bench, const char *name, const char *hosts)
{
    static const struct log log = { .fd = 2, .level = BR_WARN };
    struct fail why;
    struct yaml *section;
    struct buf text = { 0 };
    const struct br_plugin *desc;
    struct loader *loader = loader_new(&why);
    bench->loop = loop_new(&log);
    arena_init(&bench->options, 0);
    buf_printf(&text, "hosts: \"%s\"\n", hosts);
    if (!loader || loader_load(loader, "store", name, NULL, &desc, &why) != BR_OK
        || yaml_parse(&bench->options, "bench", text.data, text.size, &section, &why) != BR_OK
        || plugin_open(&bench->store, bench->loop, desc, "store", section, &why) != BR_OK)
        fail("plugin", why.text);
    buf_done(&text);
    plugin_start(&bench->store, 10 * BR_SECOND, take_answer, bench);
    wait_answer(bench);
    store_lock(&bench->store, "/bench-lock", "bench:1", take_answer, bench);
    wait_answer(bench);
}

static void close_store(struct bench *bench)
{
    plugin_stop(&bench->store, 10 * BR_SECOND, take_answer, bench);
    wait_answer(bench);
    plugin_close(&bench->store);
    loop_free(bench->loop);
    arena_done(&bench->options);
}

/* -- The runs -----------------------------------------------------------------------------------
 */

static void applied(void *arg, br_status status, const char *text)
{
    struct bench *bench = arg;
    if (status != BR_OK)
        fail("apply", text);
    bench->answered = true;
}

static double run_apply(struct bench *bench)
{
    const struct apply_request request = {
        .plan = &bench->plan, .fence = bench->fence, .done = applied, .arg = bench
    };
    double start = bench_seconds(CLOCK_MONOTONIC);
    apply_start(bench->loop, &bench->store, &request);
    wait_answer(bench);
    return bench_seconds(CLOCK_MONOTONIC) - start;
}

static void loaded(void *arg, struct cluster *found, const struct fail *why)
{
    struct bench *bench = arg;
    struct fail differs;
    if (!found)
        fail("load", why->text);
    if (verify_cluster(&bench->cluster, found, LAYOUT_26, &differs) != BR_OK)
        fail("verify", differs.text);
    cluster_done(found);
    free(found);
    bench->answered = true;
}

static double run_verify(struct bench *bench)
{
    double start = bench_seconds(CLOCK_MONOTONIC);
    load_start(bench->loop, &bench->store, bench->root, loaded, bench);
    wait_answer(bench);
    return bench_seconds(CLOCK_MONOTONIC) - start;
}

enum { CEILING, SINGLES, APPLY, VERIFY, KINDS };

struct runs {
    double rates[KINDS][BENCH_RUNS_MAX]; /* records a second */
    int count;
};

static void run_ceiling(struct bench *bench, struct runs *runs)
{
    double start = bench_seconds(CLOCK_MONOTONIC);
    bench_batches(bench->client, bench->writes, bench->count, BENCH_FLIGHT);
    runs->rates[CEILING][runs->count] = bench->count / (bench_seconds(CLOCK_MONOTONIC) - start);
    bench_delete(bench->client, bench->writes, bench->count);
}

static void run_singles(struct bench *bench, struct runs *runs)
{
    uint32_t part = bench->count / BENCH_SINGLES_PART;
    double start = bench_seconds(CLOCK_MONOTONIC);
    bench_singles(bench->client, bench->writes, part);
    runs->rates[SINGLES][runs->count] = part / (bench_seconds(CLOCK_MONOTONIC) - start);
    bench_delete(bench->client, bench->writes, part);
}

static void run_engine(struct bench *bench, struct runs *runs)
{
    runs->rates[APPLY][runs->count] = bench->count / run_apply(bench);
    runs->rates[VERIFY][runs->count] = bench->count / run_verify(bench);
    bench_delete(bench->client, bench->leftovers, bench->leftover_count);
    bench_delete(bench->client, bench->writes, bench->count);
}

/* Each time another one begins: what the server tidies up afterwards hits all alike. */
static void run_round(struct bench *bench, struct runs *runs)
{
    static void (*const order[])(struct bench *, struct runs *) = { run_ceiling, run_singles,
                                                                    run_engine };
    for (int i = 0; i < 3; i++)
        order[(i + runs->count) % 3](bench, runs);
}

/* -- etcd -------------------------------------------------------------------------------------- */

/* Full batches, as many in flight as the store wants. */
static double run_batches(struct bench *bench)
{
    const struct br_store *store = &bench->store.ops.store;
    const struct br_write **all = mem_array(bench->count, sizeof *all);
    double start = bench_seconds(CLOCK_MONOTONIC);
    for (uint32_t i = 0; i < bench->count; i++)
        all[i] = &bench->writes[i];
    for (uint32_t at = 0, size; at < bench->count; at += size) {
        uint64_t bytes = 0;
        for (size = 0; at + size < bench->count && size < store->batch_ops_max; size++) {
            const struct br_write *write = all[at + size];
            bytes += strlen(write->path) + write->value.size + store->write_overhead;
            if (bytes > store->batch_bytes_max)
                break;
        }
        store_commit(&bench->store, all + at, size, NULL, PLUGIN_FOREVER, take_answer, bench);
        wait_answer(bench);
    }
    free(all);
    return bench_seconds(CLOCK_MONOTONIC) - start;
}

/* A root of its own for each: what was written before stays, as it does in etcd's history anyway.
 */
static void run_etcd(struct bench *bench, struct runs *runs, int number)
{
    for (int kind = 0; kind < 2; kind++) {
        snprintf(bench->root, sizeof bench->root, BENCH_ROOT "%d-%d", number, kind);
        make_writes(bench);
        if (kind == 0) {
            runs->rates[CEILING][runs->count] = bench->count / run_batches(bench);
        } else {
            runs->rates[APPLY][runs->count] = bench->count / run_apply(bench);
            runs->rates[VERIFY][runs->count] = bench->count / run_verify(bench);
        }
        writes_done(bench);
    }
}

static void report_etcd(struct runs *runs, double zookeeper)
{
    double ceiling = bench_median(runs->rates[CEILING], runs->count);
    double apply = bench_median(runs->rates[APPLY], runs->count);
    printf("etcd: full batches %.0f records/s, apply %.0f (%.2f of them, %.2f of ZooKeeper's), "
           "verify %.0f\n",
           ceiling, apply, apply / ceiling, apply / zookeeper,
           bench_median(runs->rates[VERIFY], runs->count));
}

static void bench_etcd(struct bench *bench, const char *hosts, int32_t count, double zookeeper)
{
    static struct runs runs;
    open_store(bench, "etcd", hosts);
    for (; runs.count < count; runs.count++)
        run_etcd(bench, &runs, runs.count);
    report_etcd(&runs, zookeeper);
    close_store(bench);
}

static double report(const struct bench *bench, struct runs *runs)
{
    static const char *const names[KINDS] = { "ceiling (bare loop of full batches)",
                                              "single creates, pipelined", "apply", "verify" };
    double medians[KINDS];
    size_t bytes = 0;
    for (uint32_t i = 0; i < bench->count; i++)
        bytes += bench->writes[i].value.size;
    printf("%u records of %zu bytes on average, %d runs\n", bench->count, bytes / bench->count,
           runs->count);
    for (int kind = 0; kind < KINDS; kind++) {
        medians[kind] = bench_median(runs->rates[kind], runs->count);
        printf("%-36s %8.0f records/s (%.0f to %.0f)\n", names[kind], medians[kind],
               runs->rates[kind][0], runs->rates[kind][runs->count - 1]);
    }
    printf("apply reaches %.2f of the ceiling (wanted: 0.9)\n", medians[APPLY] / medians[CEILING]);
    printf("apply is %.1f times as fast as single creates (wanted: 8)\n",
           medians[APPLY] / medians[SINGLES]);
    return medians[APPLY];
}

static int32_t argument(int argc, char **argv, int index, int32_t otherwise, int32_t max)
{
    int32_t number;
    if (index >= argc)
        return otherwise;
    if (!number_i32(argv[index], strlen(argv[index]), &number) || number < 1 || number > max)
        fail(argv[index], "not a number, or too large");
    return number;
}

int main(int argc, char **argv)
{
    static struct bench bench;
    static struct runs warm, runs;
    const char *hosts = getenv("ZK_HOSTS");
    if (!hosts) {
        fprintf(stderr, "SKIPPED: no server: run t/zookeeper.sh t/bench_apply\n");
        return 77;
    }
    int32_t partitions = argument(argc, argv, 1, 100000, 1000000);
    int32_t count = argument(argc, argv, 2, 5, BENCH_RUNS_MAX);
    make_cluster(&bench, partitions);
    snprintf(bench.root, sizeof bench.root, BENCH_ROOT);
    make_writes(&bench);
    bench.client = bench_connect(hosts);
    open_store(&bench, "zookeeper", hosts);
    run_round(&bench, &warm); /* the server's compiler warms up on it */
    for (; runs.count < count; runs.count++)
        run_round(&bench, &runs);
    double zookeeper = report(&bench, &runs);
    close_store(&bench);
    bench_close(bench.client);
    writes_done(&bench);
    if (getenv("ETCD_HOSTS"))
        bench_etcd(&bench, getenv("ETCD_HOSTS"), count, zookeeper);
    cluster_done(&bench.cluster);
    return 0;
}
