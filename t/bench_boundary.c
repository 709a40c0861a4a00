/* bench_boundary -- what the plugin boundary costs, each figure beside the same work without it:
 *
 *   a policy's function, through the table of a descriptor, beside a direct call of it;
 *   a store's read, from call to delivery on the loop, beside the plugin's function alone, with a
 * host that only takes the reply; rows, from a transport through a survey into evidence, beside
 * writing them into one array.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/plugins/plugin.h"
#include "host/recovery/evidence.h"
#include "plugin/policy_pegasus.h"
#include "t/bench.h"

#define VERDICTS   5000000
#define READS      1000000
#define FLIGHT     64 /* reads at once */
#define NODES      1000
#define REPLICAS   3000 /* of each node */
#define TABLES     24
#define PARTITIONS (NODES * REPLICAS / 3 / TABLES)

extern const struct br_plugin bridle_policy_pegasus;
extern const struct br_plugin bridle_store_memory;

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "bench_boundary: %s: %s\n", what, why);
    exit(1);
}

static struct plugin *opened(struct loop *loop, const struct br_plugin *desc, const char *kind)
{
    struct fail fail;
    struct plugin *plugin = mem_new(sizeof *plugin);
    if (plugin_open(plugin, loop, desc, kind, NULL, &fail) != BR_OK)
        stop(kind, fail.text);
    return plugin;
}

static void closed(struct plugin *plugin)
{
    plugin_close(plugin);
    free(plugin);
}

/* -- A policy's function ---------------------------------------------------------------------- */

typedef br_status partition_fn(struct br_env *env, const struct br_partition_evidence *evidence,
                               struct br_partition_verdict *verdict);

static double verdicts(struct plugin *policy, partition_fn *direct)
{
    struct br_replica rows[3];
    const struct br_replica *list[3];
    static const char *const nodes[] = { "a:1", "b:1", "c:1" };
    const struct br_table table = { .id = 2,
                                    .partition_count = 8,
                                    .replica_count = 3,
                                    .status = BR_TABLE_AVAILABLE,
                                    .name = "t",
                                    .type = "pegasus" };
    for (int i = 0; i < 3; i++) {
        rows[i] = (struct br_replica){ .node = i,
                                       .table = 2,
                                       .role = BR_ROLE_SECONDARY,
                                       .ballot = 3,
                                       .committed = 7,
                                       .prepared = 7,
                                       .type = "pegasus",
                                       .disk = "ssd" };
        list[i] = &rows[i];
    }
    const struct br_partition_evidence shown = {
        .table = &table, .replica_count = 3, .replicas = list, .nodes = nodes
    };
    struct br_env *env = call_env(&policy->owner);
    int64_t sum = 0;
    double start = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < VERDICTS; i++) {
        struct br_partition_verdict verdict = { .primary = -1 };
        if (direct)
            direct(env, &shown, &verdict);
        else
            policy->ops.policy.partition(env, &shown, &verdict);
        sum += verdict.primary;
    }
    double took = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    if (sum < 0)
        stop("policy", "no primary");
    return VERDICTS / took;
}

static void bench_policy(struct loop *loop)
{
    struct plugin *policy = opened(loop, &bridle_policy_pegasus, "policy");
    verdicts(policy, pegasus_partition); /* warm */
    double direct = verdicts(policy, pegasus_partition), through = verdicts(policy, NULL);
    printf("policy, verdicts a second: %.1f million through the table, %.1f million direct: %.2f\n",
           through / 1e6, direct / 1e6, through / direct);
    closed(policy);
}

/* -- A store's read --------------------------------------------------------------------------- */

static struct arena bare;
static uint64_t bare_replies;

static void *bare_rows(struct br_call *call, size_t bytes)
{
    (void) call;
    return arena_alloc(&bare, bytes);
}

static void bare_reply_rows(struct br_call *call, const struct br_chunk *first)
{
    (void) call;
    bare_replies += first->count;
}

static void read_done(void *arg, struct call_answer *answer)
{
    (void) answer;
    ++*(uint64_t *) arg;
}

static double reads_through(struct plugin *store)
{
    const char *path = "/";
    uint64_t asked = 0, done = 0;
    double start = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    while (done < READS) {
        for (; asked < READS && asked - done < FLIGHT; asked++)
            store_read(store, &path, 1, NULL, PLUGIN_FOREVER, read_done, &done);
        loop_turn(store->owner.loop);
    }
    return READS / (bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - start);
}

/* The plugin's own function; its host only takes the rows. */
static double reads_alone(struct plugin *store)
{
    const char *path = "/";
    struct br_host host = call_services;
    host.rows = bare_rows;
    host.reply_rows = bare_reply_rows;
    struct br_env env = *call_env(&store->owner);
    env.host = &host;
    arena_init(&bare, 0);
    double start = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < READS; i++) {
        struct br_call call = { .env = &env };
        store->ops.store.read(&env, &path, 1, &call);
        if (i % FLIGHT == 0)
            arena_clear(&bare);
    }
    double took = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    arena_done(&bare);
    if (bare_replies < READS)
        stop("store", "too few replies");
    return READS / took;
}

static void bench_store(struct loop *loop)
{
    struct plugin *store = opened(loop, &bridle_store_memory, "store");
    reads_through(store); /* warm */
    double through = reads_through(store), alone = reads_alone(store);
    printf("store, reads a second: %.2f million, asked and delivered on the loop, %d at once; %.2f "
           "million by its function alone: %.2f\n",
           through / 1e6, FLIGHT, alone / 1e6, through / alone);
    closed(store);
}

/* -- Rows ------------------------------------------------------------------------------------- */

static struct br_replica row_of(int32_t node, int32_t i)
{
    int32_t number = node * REPLICAS + i; /* of NODES * REPLICAS; three of them a partition */
    int32_t partition = number % (NODES * REPLICAS / 3);
    return (struct br_replica){ .node = node,
                                .table = partition % TABLES + 1,
                                .partition = partition / TABLES,
                                .role = BR_ROLE_INACTIVE,
                                .ballot = 3,
                                .committed = 100,
                                .prepared = 100,
                                .durable = 90,
                                .type = "pegasus",
                                .disk = "ssd" };
}

static void reply_rows(struct br_call *call, int32_t kind, const void *rows, uint32_t size,
                       uint32_t count)
{
    struct br_chunk *chunk = br_rows(call, sizeof *chunk);
    *chunk = (struct br_chunk){ .kind = kind, .row_size = size, .count = count, .rows = rows };
    br_reply_rows(call, chunk);
}

static void made_tables(struct br_env *env, const char *node, int32_t index, struct br_call *call)
{
    struct br_table *rows = br_rows(call, TABLES * sizeof *rows);
    (void) env;
    (void) node;
    for (int32_t i = 0; i < TABLES; i++)
        rows[i] = (struct br_table){ .node = index,
                                     .id = i + 1,
                                     .status = BR_TABLE_AVAILABLE,
                                     .partition_count = PARTITIONS + 1,
                                     .replica_count = 3,
                                     .init_partition_count = -1,
                                     .flags = BR_TABLE_STATEFUL,
                                     .name = "t",
                                     .type = "pegasus" };
    reply_rows(call, BR_ROW_TABLE, rows, sizeof *rows, TABLES);
}

static void made_replicas(struct br_env *env, const char *node, int32_t index, struct br_call *call)
{
    struct br_replica *rows = br_rows(call, REPLICAS * sizeof *rows);
    (void) env;
    (void) node;
    for (int32_t i = 0; i < REPLICAS; i++)
        rows[i] = row_of(index, i);
    reply_rows(call, BR_ROW_REPLICA, rows, sizeof *rows, REPLICAS);
}

static const struct br_transport made_transport = { .tables = made_tables,
                                                    .replicas = made_replicas };
BR_PLUGIN(transport, made, &made_transport, .summary = "Rows from numbers.", .version = "1",
          .license = "Apache-2.0");

static void surveyed(void *arg, struct survey *survey)
{
    *(struct survey **) arg = survey;
}

static struct survey *ask(struct plugin *transport)
{
    static char names[NODES][24];
    static const char *list[NODES];
    static uint64_t addresses[NODES];
    struct survey *survey = NULL;
    for (int i = 0; i < NODES; i++) {
        snprintf(names[i], sizeof names[i], "10.0.%d.%d:34801", i / 250, i % 250 + 1);
        list[i] = names[i];
        addresses[i] = (uint64_t) i + 1;
    }
    const struct survey_request request = {
        .names = list, .addresses = addresses, .count = NODES, .done = surveyed, .arg = &survey
    };
    survey_start(transport->owner.loop, transport, &request);
    while (!survey)
        loop_turn(transport->owner.loop);
    if (survey->silent_count || survey->replica_count != NODES * REPLICAS)
        stop("transport", "rows are missing");
    return survey;
}

static void sort(struct survey *survey)
{
    struct evidence evidence;
    struct findings findings;
    findings_init(&findings, NULL);
    evidence_init(&evidence, survey, &findings);
    for (int32_t id = 1; id <= evidence.max_id; id++) {
        struct br_table table = *evidence.claims[evidence.claim_start[id]];
        evidence_define(&evidence, &table);
    }
    evidence_index(&evidence);
    if (findings.refusals)
        stop("evidence", "refused");
    evidence_done(&evidence);
    findings_done(&findings);
}

static double fill(void)
{
    double start = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    struct br_replica *rows = mem_grow(NULL, (size_t) NODES * REPLICAS * sizeof *rows);
    for (int32_t node = 0; node < NODES; node++)
        for (int32_t i = 0; i < REPLICAS; i++)
            rows[node * REPLICAS + i] = row_of(node, i);
    double took = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    if (rows[NODES * REPLICAS - 1].ballot != 3)
        stop("rows", "not written");
    free(rows);
    return took;
}

static void bench_rows(struct loop *loop)
{
    const double count = (double) NODES * REPLICAS;
    struct plugin *transport = opened(loop, &bridle_transport_made, "transport");
    survey_free(ask(transport)); /* warm */
    double start = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    struct survey *survey = ask(transport);
    double asked = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    start = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    sort(survey);
    double sorted = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - start, filled = fill();
    printf("transport, rows a second: %.1f million into a survey, %.1f million into evidence; %.1f "
           "million written into one array: %.2f and %.2f\n",
           count / asked / 1e6, count / (asked + sorted) / 1e6, count / filled / 1e6,
           filled / asked, filled / (asked + sorted));
    survey_free(survey);
    closed(transport);
}

int main(void)
{
    struct loop *loop = loop_new(NULL);
    if (!loop)
        stop("loop", "none");
    bench_policy(loop);
    bench_store(loop);
    bench_rows(loop);
    loop_free(loop);
    return 0;
}
