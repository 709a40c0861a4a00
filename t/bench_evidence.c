/* bench_evidence -- `bench_evidence SURVEY PARTITIONS`: rows per second from a transport into
 * evidence, through the survey of a recovery: transport_sim, which makes so many partitions of
 * three replicas on ten servers, and transport_replay, which has the survey of as many in memory,
 * beside a copy of as many rows.  The best of three.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/config/yaml.h"
#include "host/recovery/survey.h"
#include "t/bench.h"

#define NODES 10 /* as t/bench_scan makes its survey */
#define TRIES 3

extern const struct br_plugin bridle_transport_sim, bridle_transport_replay;

struct bench {
    struct loop *loop;
    struct plugin transport;
    struct survey *survey; /* what the run under way gave */
    bool answered;
};

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "bench_evidence: %s: %s\n", what, why);
    exit(1);
}

static void bench_answered(void *arg, struct call_answer *answer)
{
    struct bench *bench = arg;
    if (answer->status != BR_OK)
        stop("the transport", answer->message);
    bench->answered = true;
}

static void bench_wait(struct bench *bench)
{
    while (!bench->answered)
        loop_turn(bench->loop);
    bench->answered = false;
}

static void bench_surveyed(void *arg, struct survey *survey)
{
    struct bench *bench = arg;
    bench->survey = survey;
    bench->answered = true;
}

/* Rows of one survey, and how long it took. */
static uint64_t bench_survey(struct bench *bench, double *ret_took)
{
    const char *names[NODES];
    char texts[NODES][32];
    for (int i = 0; i < NODES; i++) {
        snprintf(texts[i], sizeof texts[i], "10.0.0.%d:34801", i + 1);
        names[i] = texts[i];
    }
    const struct survey_request request = { .names = names,
                                            .count = NODES,
                                            .node_deadline = 10 * BR_MINUTE,
                                            .done = bench_surveyed,
                                            .arg = bench };
    double begin = bench_seconds(CLOCK_MONOTONIC);
    survey_start(bench->loop, &bench->transport, &request);
    bench_wait(bench);
    *ret_took = bench_seconds(CLOCK_MONOTONIC) - begin;
    if (bench->survey->silent_count)
        stop("a server is silent", bench->survey->nodes[0].name);
    uint64_t rows = bench->survey->replica_count;
    survey_free(bench->survey);
    return rows;
}

/* Rows a second. */
static double bench_transport(const struct br_plugin *desc, const char *yaml, uint64_t want)
{
    struct bench bench = { .loop = loop_new(NULL) };
    struct yaml *section;
    struct arena options;
    struct fail fail;
    double best = 0, took;
    arena_init(&options, 0);
    if (yaml_parse(&options, "options", yaml, strlen(yaml), &section, &fail)
        || plugin_open(&bench.transport, bench.loop, desc, "transport", section, &fail))
        stop(desc->name, fail.text);
    plugin_start(&bench.transport, PLUGIN_FOREVER, bench_answered, &bench);
    bench_wait(&bench);
    for (int i = 0; i < TRIES; i++) {
        uint64_t rows = bench_survey(&bench, &took);
        if (rows != want)
            stop(desc->name, "another number of rows");
        best = best > (double) rows / took ? best : (double) rows / took;
    }
    plugin_stop(&bench.transport, PLUGIN_FOREVER, bench_answered, &bench);
    bench_wait(&bench);
    plugin_close(&bench.transport);
    arena_done(&options);
    loop_free(bench.loop);
    return best;
}

/* Rows a second of what no transport can do without: as many rows in fresh memory. */
static double bench_copy(uint64_t rows)
{
    struct br_replica *from = calloc(rows, sizeof *from);
    double best = 0;
    if (!from)
        stop("memory", "none");
    memset(from, 1, rows * sizeof *from);
    for (int i = 0; i < TRIES; i++) {
        double begin = bench_seconds(CLOCK_MONOTONIC);
        struct br_replica *to = malloc(rows * sizeof *to);
        if (!to)
            stop("memory", "none");
        memcpy(to, from, rows * sizeof *to);
        double rate = (double) rows / (bench_seconds(CLOCK_MONOTONIC) - begin);
        if (to[rows - 1].node != from[rows - 1].node)
            stop("memory", "not copied");
        best = best > rate ? best : rate;
        free(to);
    }
    free(from);
    return best;
}

int main(int argc, char **argv)
{
    char yaml[4200];
    long partitions = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    if (partitions < 1 || strlen(argv[1]) > 4096)
        stop("usage", "bench_evidence SURVEY PARTITIONS");
    uint64_t rows = 3 * (uint64_t) partitions;
    snprintf(yaml, sizeof yaml, "{servers: %d, tables: 1, partitions: %ld}", NODES, partitions);
    double made = bench_transport(&bridle_transport_sim, yaml, rows);
    snprintf(yaml, sizeof yaml, "{file: '%s'}", argv[1]);
    double replayed = bench_transport(&bridle_transport_replay, yaml, rows);
    double copied = bench_copy(rows);
    printf("%llu rows into evidence: transport_sim %.1f million/s, %.2f of transport_replay (%.1f "
           "million/s), %.2f of a copy of as many rows (%.1f million/s)\n",
           (unsigned long long) rows, made / 1e6, made / replayed, replayed / 1e6, made / copied,
           copied / 1e6);
    return 0;
}
