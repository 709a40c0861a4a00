/* bench_judge -- from the answers of 1,000 nodes to a plan: 1,000,000 partitions of three replicas,
 * decoded from RPC_QUERY_APP_INFO and RPC_QUERY_REPLICA_INFO bodies (made node by node, not timed),
 * judged by policy_pegasus and planned, in one process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "host/core/loop.h"
#include "host/rdsn/info.h"
#include "host/recovery/judge.h"
#include "host/recovery/plan.h"
#include "t/bench.h"

#define NODES        1000
#define TABLES       64
#define PARTITIONS   15625 /* of each table: 1,000,000 together */
#define REPLICAS     3
#define BYTES_MAX    96.0 /* a replica */
#define RSS_MAX_MIB  1024.0
#define SECONDS_MAX  5.0  /* of one core */
#define NODE_STEP    333  /* between a partition's nodes */
#define ANSWER_BLOCK 8192 /* as host/core/call.c has it */

extern const struct br_plugin bridle_policy_pegasus;

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "bench_judge: %s: %s\n", what, why);
    exit(1);
}

/* -- What the nodes would answer --------------------------------------------------------------- */

static void make_tables(struct buf *body)
{
    struct msg_app_info infos[TABLES];
    char names[TABLES][16];
    for (int32_t i = 0; i < TABLES; i++) {
        snprintf(names[i], sizeof names[i], "table%d", i + 1);
        struct br_table table = { .id = i + 1,
                                  .status = BR_TABLE_AVAILABLE,
                                  .partition_count = PARTITIONS,
                                  .replica_count = REPLICAS,
                                  .init_partition_count = PARTITIONS,
                                  .flags = BR_TABLE_STATEFUL,
                                  .create_second = 1600000000,
                                  .name = names[i],
                                  .type = "pegasus" };
        info_from_table(&table, &infos[i]);
    }
    struct msg_query_app_info_response answer;
    wire_init(&wire_query_app_info_response, &answer);
    answer.err = "ERR_OK";
    answer.apps = (struct wire_list){ infos, TABLES };
    buf_clear(body);
    wire_encode(&wire_query_app_info_response, &answer, WIRE_PEER_25, body);
}

static void make_replicas(int32_t node, struct buf *body)
{
    static struct msg_replica_info infos[TABLES * PARTITIONS / NODES * REPLICAS + REPLICAS];
    uint32_t count = 0;
    for (int32_t k = 0; k < REPLICAS; k++) {
        int32_t first = (node + NODES - k * NODE_STEP % NODES) % NODES;
        for (int32_t at = first; at < TABLES * PARTITIONS; at += NODES) {
            infos[count] = (struct msg_replica_info){
                .pid = { 1 + at / PARTITIONS, at % PARTITIONS },
                .ballot = 5 + at % 3,
                .status = BR_ROLE_INACTIVE,
                .last_committed_decree = 1000000 + at,
                .last_prepared_decree = 1000000 + at,
                .last_durable_decree = 900000 + at,
                .app_type = "pegasus",
                .disk_tag = at % 2 ? "ssd1" : "ssd2",
            };
            WIRE_SET(&infos[count], 9);
            count++;
        }
    }
    struct msg_query_replica_info_response answer;
    wire_init(&wire_query_replica_info_response, &answer);
    answer.err = "ERR_OK";
    answer.replicas = (struct wire_list){ infos, count };
    buf_clear(body);
    wire_encode(&wire_query_replica_info_response, &answer, WIRE_PEER_25, body);
}

/* -- Decoding, as transport_rdsn does it ------------------------------------------------------- */

static const struct br_chunk *chunk(struct arena *arena, int32_t kind, uint32_t size,
                                    uint32_t count, const void *rows)
{
    struct br_chunk *made = arena_alloc(arena, sizeof *made);
    *made = (struct br_chunk){ .kind = kind, .row_size = size, .count = count, .rows = rows };
    return made;
}

static const struct br_chunk *decode_tables(struct arena *arena, int32_t node, br_bytes body)
{
    struct msg_query_app_info_response answer;
    struct fail fail;
    if (wire_decode(&wire_query_app_info_response, body, wire_arena(arena), &answer, &fail)
        != BR_OK)
        stop("tables", fail.text);
    const struct msg_app_info *infos = answer.apps.items;
    struct br_table *rows = arena_alloc(arena, answer.apps.count * sizeof *rows);
    for (uint32_t i = 0; i < answer.apps.count; i++) {
        info_to_table(&infos[i], &rows[i]);
        rows[i].node = node;
    }
    return chunk(arena, BR_ROW_TABLE, sizeof *rows, answer.apps.count, rows);
}

static const struct br_chunk *decode_replicas(struct arena *arena, int32_t node, br_bytes body)
{
    struct msg_query_replica_info_response answer;
    struct fail fail;
    if (wire_decode(&wire_replica_rows, body, wire_arena(arena), &answer, &fail) != BR_OK)
        stop("replicas", fail.text);
    struct br_replica *rows = answer.replicas.items;
    for (uint32_t i = 0; i < answer.replicas.count; i++)
        rows[i].node = node;
    return chunk(arena, BR_ROW_REPLICA, sizeof *rows, answer.replicas.count, rows);
}

/* Each answer has an arena of its own, which the survey then takes over. */
static double survey_node(struct survey *survey, int32_t node, struct buf *tables,
                          struct buf *replicas)
{
    struct survey_node *to = &survey->nodes[node];
    struct arena first;
    struct arena second;
    char name[32];
    uint64_t address = address_make(UINT32_C(10) << 24 | (uint32_t) node, 34801);
    address_format(address, name);
    make_replicas(node, replicas);
    double start = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    arena_init(&first, ANSWER_BLOCK);
    arena_init(&second, ANSWER_BLOCK);
    to->name = arena_text(&survey->arena, name, strlen(name));
    to->address = address;
    to->complete = true;
    to->tables = decode_tables(&first, node, buf_bytes(tables));
    to->replicas = decode_replicas(&second, node, buf_bytes(replicas));
    survey->replica_count += to->replicas->count;
    arena_adopt(&survey->arena, &first);
    arena_adopt(&survey->arena, &second);
    return bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static double survey_all(struct survey *survey)
{
    struct buf tables = { 0 };
    struct buf replicas = { 0 };
    double taken = 0;
    arena_init(&survey->arena, 0);
    survey->nodes = calloc(NODES, sizeof *survey->nodes);
    survey->node_count = NODES;
    survey->second = 1700000000;
    make_tables(&tables);
    for (int32_t node = 0; node < NODES; node++)
        taken += survey_node(survey, node, &tables, &replicas);
    buf_done(&tables);
    buf_done(&replicas);
    return taken;
}

static double rss_mib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double) usage.ru_maxrss / 1024;
}

int main(void)
{
    static struct survey survey;
    struct plugin policy;
    struct findings findings;
    struct cluster cluster;
    struct plan plan;
    struct fail fail;
    struct loop *loop = loop_new(NULL);
    if (!loop || plugin_open(&policy, loop, &bridle_policy_pegasus, "policy", NULL, &fail) != BR_OK)
        stop("policy", loop ? fail.text : "no loop");
    double decoded = survey_all(&survey);
    double decoded_mib = rss_mib();
    findings_init(&findings, NULL);
    double start = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (judge(&survey, &policy, &findings, &cluster, &fail) != BR_OK || !findings_pass(&findings))
        stop("judge", fail.text);
    double judged = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    double judged_mib = rss_mib();
    start = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    plan_make(&plan, &cluster, "/pegasus/bench", LAYOUT_25);
    double planned = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    double count = (double) survey.replica_count;
    double partitions = (double) cluster_partition_count(&cluster);
    double held = (double) survey.arena.held / count;
    /* evidence.h: one pointer a replica, one offset a partition */
    double index = (double) sizeof(void *) + (double) sizeof(uint64_t) * partitions / count;
    printf("%.0f partitions, %.0f replicas, %d nodes, %u findings\n", partitions, count, NODES,
           findings.count);
    printf(
        "seconds of one core: decode %.2f, judge %.2f, plan %.2f, together %.2f (at most %.0f)\n",
        decoded, judged, planned, decoded + judged + planned, SECONDS_MAX);
    printf("bytes a replica: survey %.1f, index %.1f, together %.1f (at most %.0f)\n", held, index,
           held + index, BYTES_MAX);
    printf("peak RSS: decoded %.0f MiB, judged %.0f, planned %.0f (at most %.0f)\n", decoded_mib,
           judged_mib, rss_mib(), RSS_MAX_MIB);
    bool ok = decoded + judged + planned <= SECONDS_MAX && held + index <= BYTES_MAX
              && rss_mib() <= RSS_MAX_MIB;
    cluster_done(&cluster);
    findings_done(&findings);
    plugin_close(&policy);
    loop_free(loop);
    arena_done(&survey.arena);
    free(survey.nodes);
    return ok ? 0 : 1;
}
