/* bench_hot -- 1,000,000 partitions of three replicas on 1,000 nodes that all still serve, judged
 * twice: as if nothing were hot, and with everything hot.  What hot recovery adds is measured
 * against the judgement of the same run.  Then one group of all is broken, which makes everybody
 * cold.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/core/loop.h"
#include "host/recovery/judge.h"
#include "t/bench.h"

#define NODES       1000
#define TABLES      64
#define PARTITIONS  15625 /* of each table: 1,000,000 together */
#define TOTAL       (TABLES * PARTITIONS)
#define REPLICAS    3
#define NODE_STEP   333 /* between a partition's nodes */
#define PER_NODE    (TOTAL / NODES * REPLICAS)
#define SECONDS_MAX 2.0 /* of one core, for a judgement with everything hot */

extern const struct br_plugin bridle_policy_pegasus;

struct node_rows {
    struct br_table tables[TABLES];
    struct br_replica replicas[PER_NODE];
    struct br_chunk chunks[2];
    char name[32];
};

struct bench {
    struct survey first, second;
    struct node_rows *rows[2]; /* by round */
    struct hot_server *servers;
    struct hot_request request;
    struct plugin policy;
};

static void stop(const char *what)
{
    fprintf(stderr, "bench_hot: %s\n", what);
    exit(1);
}

static void make_rows(struct node_rows *rows, int32_t node)
{
    uint32_t count = 0;
    snprintf(rows->name, sizeof rows->name, "host%d:34801", node);
    for (int32_t i = 0; i < TABLES; i++)
        rows->tables[i] = (struct br_table){ .node = node,
                                             .id = i + 1,
                                             .status = BR_TABLE_AVAILABLE,
                                             .partition_count = PARTITIONS,
                                             .replica_count = REPLICAS,
                                             .name = rows->name,
                                             .type = "pegasus" };
    for (int32_t k = 0; k < REPLICAS; k++) {
        int32_t first = (node + NODES - k * NODE_STEP % NODES) % NODES;
        for (int32_t at = first; at < TOTAL; at += NODES)
            rows->replicas[count++] =
                (struct br_replica){ .node = node,
                                     .table = 1 + at / PARTITIONS,
                                     .partition = at % PARTITIONS,
                                     .role = k ? BR_ROLE_SECONDARY : BR_ROLE_PRIMARY,
                                     .ballot = 5 + at % 3,
                                     .committed = 1000000 + at,
                                     .prepared = 1000000 + at,
                                     .type = "pegasus",
                                     .disk = "ssd1" };
    }
}

static void make_survey(struct survey *survey, struct node_rows *rows)
{
    *survey = (struct survey){ .node_count = NODES, .second = 1700000000 };
    survey->nodes = mem_array(NODES, sizeof *survey->nodes);
    for (int32_t i = 0; i < NODES; i++) {
        struct node_rows *from = &rows[i];
        make_rows(from, i);
        /* one name a table, whoever describes it */
        for (int32_t t = 0; t < TABLES; t++)
            from->tables[t].name = rows[t].name;
        from->chunks[0] = (struct br_chunk){ .kind = BR_ROW_TABLE,
                                             .row_size = sizeof(struct br_table),
                                             .count = TABLES,
                                             .rows = from->tables };
        from->chunks[1] = (struct br_chunk){ .kind = BR_ROW_REPLICA,
                                             .row_size = sizeof(struct br_replica),
                                             .count = PER_NODE,
                                             .rows = from->replicas };
        survey->nodes[i] = (struct survey_node){ .name = from->name,
                                                 .complete = true,
                                                 .tables = &from->chunks[0],
                                                 .replicas = &from->chunks[1] };
    }
}

static void make_all(struct bench *bench)
{
    bench->servers = mem_array(NODES, sizeof *bench->servers);
    for (int round = 0; round < 2; round++)
        bench->rows[round] = mem_array(NODES, sizeof(struct node_rows));
    make_survey(&bench->first, bench->rows[0]);
    make_survey(&bench->second, bench->rows[1]);
    for (int32_t i = 0; i < NODES; i++)
        bench->servers[i] = (struct hot_server){ .beacon = bench->rows[0][i].name,
                                                 .acked_since = 1,
                                                 .last_ack = 4,
                                                 .answered_at = 2,
                                                 .asked_again_at = 3 };
    bench->request = (struct hot_request){
        .second = &bench->second, .servers = bench->servers, .now = 4, .grace = 22 * BR_SECOND
    };
}

/* One judgement; `hot`: with the second round. */
static double run(struct bench *bench, bool with_hot, uint64_t kept, uint32_t cold)
{
    struct findings findings;
    struct cluster cluster;
    struct hot hot;
    struct fail fail;
    findings_init(&findings, NULL);
    double start = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    br_status status = with_hot ? judge_hot(&bench->first, &bench->request, &bench->policy,
                                            &findings, &cluster, &hot, &fail)
                                : judge(&bench->first, &bench->policy, &findings, &cluster, &fail);
    double taken = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    if (status != BR_OK || !findings_pass(&findings))
        stop("not judged");
    if (with_hot && (hot.kept_count != kept || hot.cold_count != cold))
        stop("judged otherwise than expected");
    if (with_hot)
        hot_done(&hot);
    cluster_done(&cluster);
    findings_done(&findings);
    return taken;
}

int main(void)
{
    static struct bench bench;
    struct fail fail;
    struct loop *loop = loop_new(NULL);
    if (!loop
        || plugin_open(&bench.policy, loop, &bridle_policy_pegasus, "policy", NULL, &fail) != BR_OK)
        stop("no policy");
    make_all(&bench);
    run(&bench, false, 0, 0); /* warms the memory */
    double plain = run(&bench, false, 0, 0);
    double all_hot = run(&bench, true, TOTAL, 0);
    bench.rows[1][0].replicas[0].ballot++;
    double all_cold = run(&bench, true, 0, NODES);
    printf("%d partitions, %d replicas, %d nodes\n", TOTAL, TOTAL * REPLICAS, NODES);
    printf(
        "seconds of one core: judge %.2f; with all hot %.2f (at most %.1f), with all cold by one "
        "partition %.2f\n",
        plain, all_hot, SECONDS_MAX, all_cold);
    for (int round = 0; round < 2; round++)
        free(bench.rows[round]);
    free(bench.first.nodes);
    free(bench.second.nodes);
    free(bench.servers);
    plugin_close(&bench.policy);
    loop_free(loop);
    return all_hot <= SECONDS_MAX ? 0 : 1;
}
