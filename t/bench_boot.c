/* bench_boot -- loading a cluster of a million partitions at start, beside what that store gives at
 * most: for ZooKeeper a bare loop of zoo_aget, pipelined, over as many connections as are best; for
 * SQLite a bare loop of one prepared statement.  And what the loaded process weighs.
 *
 *     t/zookeeper.sh t/bench_boot [PARTITIONS [TABLES [RUNS]]]
 *
 * Each load is a process of its own (this program again), so that its size is its own.  Loads and
 * bare loops alternate; what counts is the ratio of the medians.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/mem.h"
#include "host/base/number.h"
#include "host/recovery/load.h"
#include "host/recovery/plan.h"
#include "t/bench_zookeeper.h"
#include "t/synthetic.h"

#define BENCH_NODES           1000
#define BENCH_RUNS_MAX        101
#define BENCH_CONNECTIONS_MAX 8
#define BENCH_BYTES_MAX       400 /* a partition, of the whole process */
#define BENCH_SQLITE_GET      "SELECT version, value FROM node WHERE parent = ?1 AND name = ?2"

static const char root[] = "/boot";

static void fail(const char *what, const char *text)
{
    fprintf(stderr, "bench: %s: %s\n", what, text);
    exit(1);
}

/* -- The process that loads -------------------------------------------------------------------- */

/* "VmRSS:" or "VmHWM:", in bytes. */
static double memory(const char *key)
{
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtod(line + strlen(key), NULL);
    if (file)
        fclose(file);
    return kib * 1024;
}

struct loaded {
    double seconds, rss, peak;
};

static int run_child(const char *plugin, const char *options)
{
    struct synthetic_store store;
    struct loaded loaded;
    synthetic_open(&store, plugin, options);
    double start = bench_seconds(CLOCK_MONOTONIC);
    struct cluster *cluster = synthetic_load(&store, root);
    loaded.seconds = bench_seconds(CLOCK_MONOTONIC) - start;
    loaded.rss = memory("VmRSS:");
    loaded.peak = memory("VmHWM:");
    fwrite(&loaded, sizeof loaded, 1, stdout);
    cluster_done(cluster);
    free(cluster);
    synthetic_close(&store);
    return 0;
}

static struct loaded run_load(const char *plugin, const char *options)
{
    struct loaded loaded;
    int ends[2], status;
    if (pipe(ends) != 0)
        fail("pipe", "cannot be made");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        execl("/proc/self/exe", "bench_boot", "--load", plugin, options, (char *) NULL);
        _exit(127);
    }
    close(ends[1]);
    bool got = read(ends[0], &loaded, sizeof loaded) == (ssize_t) sizeof loaded;
    close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0 || !got)
        fail(plugin, "the process that loads failed");
    return loaded;
}

/* -- Bare loops -------------------------------------------------------------------------------- */

struct bench {
    struct plan plan;
    struct cluster cluster;
    struct arena arena;
    const char **paths; /* of all records */
    uint32_t count;
    struct bench_client *clients[BENCH_CONNECTIONS_MAX];
    const char *file;
};

static void make_paths(struct bench *bench)
{
    struct plan_cursor cursor = plan_cursor_at(0, -1);
    br_bytes path, value;
    arena_init(&bench->arena, 0);
    bench->paths = mem_array(plan_count(&bench->plan), sizeof *bench->paths);
    while (plan_record(&bench->plan, &cursor, &path, &value))
        bench->paths[bench->count++] = arena_text(&bench->arena, path.data, path.size);
    plan_cursor_done(&cursor);
}

static double bare_zookeeper(struct bench *bench, uint32_t connections)
{
    double start = bench_seconds(CLOCK_MONOTONIC);
    bench_reads(bench->clients, connections, bench->paths, bench->count);
    return bench->count / (bench_seconds(CLOCK_MONOTONIC) - start);
}

/* The schema is store_sqlite's own (plugin/store_sqlite_db.c). */
static double bare_sqlite(const struct bench *bench)
{
    sqlite3 *db;
    sqlite3_stmt *get;
    uint32_t found = 0;
    if (sqlite3_open_v2(bench->file, &db, SQLITE_OPEN_READONLY, NULL)
        || sqlite3_prepare_v2(db, BENCH_SQLITE_GET, -1, &get, NULL))
        fail("sqlite", sqlite3_errmsg(db));
    double start = bench_seconds(CLOCK_MONOTONIC);
    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    for (uint32_t i = 0; i < bench->count; i++) {
        const char *path = bench->paths[i];
        const char *slash = strrchr(path, '/');
        sqlite3_bind_text(get, 1, path, (int) (slash - path), SQLITE_STATIC);
        sqlite3_bind_text(get, 2, slash + 1, -1, SQLITE_STATIC);
        if (sqlite3_step(get) == SQLITE_ROW)
            found += sqlite3_column_bytes(get, 1) > 0;
        sqlite3_reset(get);
    }
    double rate = bench->count / (bench_seconds(CLOCK_MONOTONIC) - start);
    if (found != bench->count)
        fail("sqlite", "a record is missing");
    sqlite3_finalize(get);
    sqlite3_close(db);
    return rate;
}

/* -- Runs and figures ---------------------------------------------------------------------------
 */

static void report_load(const struct bench *bench, const char *name, double rate, double ceiling,
                        const struct loaded *loaded)
{
    double partitions = (double) cluster_partition_count(&bench->cluster);
    printf("%-10s load   %9.0f records/s, %.2f of the ceiling; %.0f bytes a partition, %.0f at "
           "the peak (wanted: at most %d)\n",
           name, rate, rate / ceiling, loaded->rss / partitions, loaded->peak / partitions,
           BENCH_BYTES_MAX);
    fflush(stdout);
}

static void run_zookeeper(struct bench *bench, const char *options, int runs)
{
    static const uint32_t connections[] = { 1, 2, 4, 8 };
    enum { KINDS = sizeof connections / sizeof *connections };
    double rates[KINDS][BENCH_RUNS_MAX], loads[BENCH_RUNS_MAX], best = 0;
    struct loaded loaded = { 0 };
    for (int run = -1; run < runs; run++) { /* the server's compiler warms up on the first */
        int at = run < 0 ? 0 : run;
        loaded = run_load("zookeeper", options);
        loads[at] = bench->count / loaded.seconds;
        for (int kind = 0; kind < (run < 0 ? 1 : KINDS); kind++)
            rates[kind][at] = bare_zookeeper(bench, connections[kind]);
    }
    for (int kind = 0; kind < KINDS; kind++) {
        double rate = bench_median(rates[kind], runs);
        printf("zookeeper  bare   %9.0f records/s over %u connections (%.0f to %.0f)\n", rate,
               connections[kind], rates[kind][0], rates[kind][runs - 1]);
        best = rate > best ? rate : best;
    }
    report_load(bench, "zookeeper", bench_median(loads, runs), best, &loaded);
}

static void run_sqlite(struct bench *bench, const char *options, int runs)
{
    double rates[BENCH_RUNS_MAX], loads[BENCH_RUNS_MAX];
    struct loaded loaded = { 0 };
    for (int run = 0; run < runs; run++) {
        loaded = run_load("sqlite", options);
        loads[run] = bench->count / loaded.seconds;
        rates[run] = bare_sqlite(bench);
    }
    double best = bench_median(rates, runs);
    printf("sqlite     bare   %9.0f records/s (%.0f to %.0f)\n", best, rates[0], rates[runs - 1]);
    report_load(bench, "sqlite", bench_median(loads, runs), best, &loaded);
}

static uint32_t argument(int argc, char **argv, int index, int32_t otherwise, int32_t max)
{
    int32_t number;
    if (index >= argc)
        return (uint32_t) otherwise;
    if (!number_i32(argv[index], strlen(argv[index]), &number) || number < 1 || number > max)
        fail(argv[index], "not a number, or too large");
    return (uint32_t) number;
}

static void write_store(const struct bench *bench, const char *plugin, const char *options)
{
    struct synthetic_store store;
    double start = bench_seconds(CLOCK_MONOTONIC);
    synthetic_open(&store, plugin, options);
    synthetic_write(&store, &bench->cluster, root, LAYOUT_26);
    synthetic_close(&store);
    printf("%-10s written in %.1f s\n", plugin, bench_seconds(CLOCK_MONOTONIC) - start);
    fflush(stdout);
}

static void bench_stores(struct bench *bench, const char *hosts, int runs)
{
    char file[] = "bench_boot.XXXXXX";
    struct buf options = { 0 };
    buf_printf(&options, "hosts: \"%s\"\n", hosts);
    write_store(bench, "zookeeper", options.data);
    for (int i = 0; i < BENCH_CONNECTIONS_MAX; i++)
        bench->clients[i] = bench_connect(hosts);
    run_zookeeper(bench, options.data, runs);
    for (int i = 0; i < BENCH_CONNECTIONS_MAX; i++)
        bench_close(bench->clients[i]);

    int fd = mkstemp(file);
    if (fd < 0)
        fail(file, "cannot be made");
    close(fd);
    bench->file = file;
    buf_clear(&options);
    buf_printf(&options, "file: \"%s\"\nsynchronous: off\n", file);
    write_store(bench, "sqlite", options.data);
    run_sqlite(bench, options.data, runs);
    unlink(file);
    buf_done(&options);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    const char *hosts = getenv("ZK_HOSTS");
    if (argc == 4 && strcmp(argv[1], "--load") == 0)
        return run_child(argv[2], argv[3]);
    if (!hosts) {
        fprintf(stderr, "SKIPPED: no server: run t/zookeeper.sh t/bench_boot\n");
        return 77;
    }
    struct synthetic shape = { .nodes = BENCH_NODES, .seed = 1 };
    shape.partitions = argument(argc, argv, 1, 100000, CLUSTER_PARTITIONS_MAX);
    shape.tables = argument(argc, argv, 2, 100, BR_TABLE_ID_MAX);
    int runs = (int) argument(argc, argv, 3, 3, BENCH_RUNS_MAX);
    const char *wrong = synthetic_wrong(&shape);
    if (wrong)
        fail("arguments", wrong);
    synthetic_cluster(&bench.cluster, &shape);
    plan_make(&bench.plan, &bench.cluster, root, LAYOUT_26);
    make_paths(&bench);
    printf("%u partitions in %u tables, %d runs\n", shape.partitions, shape.tables, runs);
    bench_stores(&bench, hosts, runs);
    free(bench.paths);
    arena_done(&bench.arena);
    cluster_done(&bench.cluster);
    return 0;
}
