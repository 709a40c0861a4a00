/* survey -- one `ask` a node, at most `parallel` of them under way.  An ask holds the answers of
 * its attempt until both are there; only then do their arenas go to the survey, or are thrown away.
 * Relies on the host's calls for deadlines and on their being answered exactly once.
 */
#include "host/recovery/survey.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/mem.h"

enum { QUERY_REPLICAS = 0, QUERY_TABLES = 1, QUERY_COUNT = 2 }; /* the first's error is told */

static const char *const survey_queries[QUERY_COUNT] = { "replicas", "tables" };

struct query {
    struct ask *ask;
    struct br_call *call; /* NULL: none under way */
    br_status status;
    const char *error;
    char *why; /* malloc'ed; NULL where it went well */
    const struct br_chunk *chunks;
    uint64_t rows;
    struct arena arena; /* of the chunks */
};

struct ask {
    struct survey_run *run;
    struct timer *pause;
    struct query queries[QUERY_COUNT];
    uint32_t index;
    uint32_t retries; /* left */
    uint32_t pending;
    br_time deadline;
};

struct survey_run {
    struct loop *loop;
    struct plugin *transport;
    struct survey_request request;
    struct survey *survey;
    struct ask *asks; /* as many as nodes; the first `next` were begun */
    struct timer *kick;
    uint32_t next;
    uint32_t flying;
    uint32_t answered;
};

static void survey_attempt(struct ask *ask);

static void survey_query_reset(struct query *query)
{
    free(query->why);
    query->why = NULL;
    query->error = NULL;
    query->status = BR_OK;
    query->chunks = NULL;
    query->rows = 0;
    arena_done(&query->arena);
}

static void survey_run_free(struct survey_run *run)
{
    for (uint32_t i = 0; i < run->next; i++) {
        struct ask *ask = &run->asks[i];
        timer_cancel(ask->pause);
        for (int q = 0; q < QUERY_COUNT; q++)
            survey_query_reset(&ask->queries[q]);
    }
    timer_cancel(run->kick);
    free(run->asks);
    free(run);
}

/* A node's own error name goes into findings and shells: a name, or nothing. */
static const char *survey_code(struct arena *arena, const char *code)
{
    size_t size = code ? strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") : 0;
    if (size == 0 || size > SURVEY_CODE_MAX || code[size])
        return "ERR_UNKNOWN";
    return arena_text(arena, code, size);
}

static const char *survey_error(struct arena *arena, br_status status, const char *code)
{
    switch (status) {
    case BR_TIMEOUT: return "ERR_TIMEOUT";
    case BR_UNAVAILABLE: return "ERR_NETWORK_FAILURE";
    case BR_CORRUPT: return "ERR_INVALID_DATA";
    case BR_REFUSED: return survey_code(arena, code);
    default: return "ERR_UNKNOWN";
    }
}

/* Both kinds of row begin with the node's index. */
const char *survey_chunk_fault(const struct br_chunk *chunk, int32_t kind, uint32_t index)
{
    bool tables = kind == BR_ROW_TABLE;
    if (chunk->row_size < (tables ? sizeof(struct br_table) : sizeof(struct br_replica)))
        return "rows of an impossible size";
    const char *row = chunk->rows;
    for (uint32_t i = 0; i < chunk->count; i++, row += chunk->row_size) {
        int32_t node;
        memcpy(&node, row, sizeof node);
        if ((uint32_t) node != index)
            return "rows of another node";
    }
    return NULL;
}

static void survey_take_rows(struct query *query, int q, struct call_answer *answer)
{
    query->chunks = answer->chunks;
    for (const struct br_chunk *c = answer->chunks; c; c = c->next) {
        const char *fault = survey_chunk_fault(c, q == QUERY_TABLES ? BR_ROW_TABLE : BR_ROW_REPLICA,
                                               query->ask->index);
        if (fault) {
            struct buf why = { 0 };
            buf_printf(&why, "the transport plugin answered %s: a fault of the plugin", fault);
            query->status = BR_CORRUPT;
            query->error = "ERR_INVALID_DATA";
            query->why = why.data;
            return;
        }
        query->rows += c->count;
    }
    arena_adopt(&query->arena, answer->arena);
}

static void survey_silent(struct survey_run *run, struct ask *ask, const struct query *query, int q)
{
    struct survey *survey = run->survey;
    struct survey_node *node = &survey->nodes[ask->index];
    node->error = query->error;
    node->why = arena_text(&survey->arena, query->why, strlen(query->why));
    survey->silent_count++;
    log_put(run->loop->log, BR_WARN, "survey", "node %s is silent, its %s: %s (%s)", node->name,
            survey_queries[q], node->why, node->error);
}

static void survey_complete(struct survey_run *run, struct ask *ask)
{
    struct survey *survey = run->survey;
    struct survey_node *node = &survey->nodes[ask->index];
    node->complete = true;
    node->answered_at = loop_now(run->loop);
    node->tables = ask->queries[QUERY_TABLES].chunks;
    node->replicas = ask->queries[QUERY_REPLICAS].chunks;
    survey->replica_count += ask->queries[QUERY_REPLICAS].rows;
    for (int q = 0; q < QUERY_COUNT; q++)
        arena_adopt(&survey->arena, &ask->queries[q].arena);
    run->answered++;
}

static void survey_finish(struct survey_run *run)
{
    struct survey_request request = run->request;
    struct survey *survey = run->survey;
    survey->second = (int64_t) time(NULL);
    survey_run_free(run);
    request.done(request.arg, survey);
}

/* Begins as many nodes as the bound allows; the run is gone where that was all. */
static void survey_pump(struct survey_run *run)
{
    while (run->flying < run->request.parallel && run->next < run->survey->node_count) {
        struct ask *ask = &run->asks[run->next];
        ask->run = run;
        ask->index = run->next++;
        ask->retries = run->request.retries;
        ask->deadline = loop_now(run->loop) + run->request.node_deadline;
        for (int q = 0; q < QUERY_COUNT; q++) {
            ask->queries[q].ask = ask;
            arena_init(&ask->queries[q].arena, 0);
        }
        run->flying++;
        survey_attempt(ask);
    }
    if (run->flying == 0)
        survey_finish(run);
}

static void survey_again(void *arg)
{
    struct ask *ask = arg;
    ask->pause = NULL;
    survey_attempt(ask);
}

/* Is it worth asking again?  Only where nothing but reaching the node failed and there is time. */
static bool survey_retry(struct ask *ask)
{
    struct survey_run *run = ask->run;
    bool unavailable = false;
    for (int q = 0; q < QUERY_COUNT; q++) {
        br_status status = ask->queries[q].status;
        if (status != BR_OK && status != BR_UNAVAILABLE)
            return false;
        unavailable = unavailable || status == BR_UNAVAILABLE;
    }
    br_time left = ask->deadline - loop_now(run->loop);
    if (!unavailable || ask->retries == 0 || left <= run->request.retry_pause)
        return false;
    ask->retries--;
    for (int q = 0; q < QUERY_COUNT; q++)
        survey_query_reset(&ask->queries[q]);
    ask->pause = loop_after(run->loop, run->request.retry_pause, survey_again, ask);
    return true;
}

static void survey_settle(struct ask *ask)
{
    struct survey_run *run = ask->run;
    if (survey_retry(ask))
        return;
    int failed = 0;
    while (failed < QUERY_COUNT && ask->queries[failed].status == BR_OK)
        failed++;
    if (failed == QUERY_COUNT)
        survey_complete(run, ask);
    else
        survey_silent(run, ask, &ask->queries[failed], failed);
    for (int q = 0; q < QUERY_COUNT; q++)
        survey_query_reset(&ask->queries[q]);
    run->flying--;
    if (run->request.progress)
        run->request.progress(run->request.arg, run->answered, run->survey->silent_count,
                              run->survey->node_count);
    survey_pump(run);
}

static void survey_answered(void *arg, struct call_answer *answer)
{
    struct query *query = arg;
    struct ask *ask = query->ask;
    query->call = NULL;
    query->status = answer->status;
    if (answer->status == BR_OK) {
        survey_take_rows(query, (int) (query - ask->queries), answer);
    } else {
        query->error = survey_error(&ask->run->survey->arena, answer->status, answer->code);
        query->why = mem_text(answer->message);
    }
    if (--ask->pending == 0)
        survey_settle(ask);
}

static void survey_attempt(struct ask *ask)
{
    struct survey_run *run = ask->run;
    const char *name = run->survey->nodes[ask->index].name;
    int32_t index = (int32_t) ask->index;
    br_time left = ask->deadline - loop_now(run->loop);
    if (left < BR_MILLISECOND)
        left = BR_MILLISECOND;
    struct query *tables = &ask->queries[QUERY_TABLES];
    struct query *replicas = &ask->queries[QUERY_REPLICAS];
    ask->pending = QUERY_COUNT;
    run->survey->nodes[ask->index].asked_at = loop_now(run->loop);
    tables->call = transport_tables(run->transport, name, index, left, survey_answered, tables);
    replicas->call =
        transport_replicas(run->transport, name, index, left, survey_answered, replicas);
}

static struct survey *survey_new(const struct survey_request *request)
{
    struct survey *survey = mem_new(sizeof *survey);
    arena_init(&survey->arena, 0);
    survey->node_count = request->count;
    survey->nodes = arena_zero(&survey->arena, request->count * sizeof *survey->nodes);
    for (uint32_t i = 0; i < request->count; i++) {
        const char *name = request->names[i];
        survey->nodes[i].name = arena_text(&survey->arena, name, strlen(name));
        survey->nodes[i].address = request->addresses ? request->addresses[i] : 0;
    }
    return survey;
}

static void survey_kick(void *arg)
{
    struct survey_run *run = arg;
    run->kick = NULL;
    survey_pump(run);
}

struct survey_run *survey_start(struct loop *loop, struct plugin *transport,
                                const struct survey_request *request)
{
    assert(request->count <= BR_NODES_MAX);
    struct survey_run *run = mem_new(sizeof *run);
    run->loop = loop;
    run->transport = transport;
    run->request = *request;
    run->survey = survey_new(request);
    run->asks = mem_array(request->count ? request->count : 1, sizeof *run->asks);
    struct survey_request *own = &run->request;
    own->names = NULL;
    own->addresses = NULL;
    if (own->parallel == 0)
        own->parallel = SURVEY_PARALLEL;
    if (own->retries == 0)
        own->retries = SURVEY_RETRIES;
    else if (own->retries == SURVEY_NO_RETRIES)
        own->retries = 0;
    if (own->retry_pause == 0)
        own->retry_pause = SURVEY_RETRY_PAUSE;
    if (own->node_deadline == 0)
        own->node_deadline = SURVEY_DEADLINE;
    run->kick = loop_after(loop, 0, survey_kick, run);
    return run;
}

void survey_cancel(struct survey_run *run)
{
    if (!run)
        return;
    for (uint32_t i = 0; i < run->next; i++) {
        for (int q = 0; q < QUERY_COUNT; q++) {
            struct br_call *call = run->asks[i].queries[q].call;
            if (!call)
                continue;
            transport_cancel(run->transport, call);
            call_forget(call);
        }
    }
    survey_free(run->survey);
    survey_run_free(run);
}

void survey_find(const struct survey *survey, struct findings *findings)
{
    int group = findings->group;
    findings->group = FINDING_NODE;
    for (uint32_t i = 0; i < survey->node_count; i++) {
        const struct survey_node *node = &survey->nodes[i];
        if (node->complete)
            continue;
        struct buf consented = { 0 };
        buf_printf(&consented,
                   "WARNING: collect app and replica info from node(%s) failed with err(%s), "
                   "skip the bad node",
                   node->name, node->error);
        struct br_subject subject = { .node = (int32_t) i,
                                      .table = -1,
                                      .partition = -1,
                                      .severity = BR_LOSS,
                                      .consent = "skip_bad_nodes",
                                      .consented = consented.data };
        findings_add(findings, &subject,
                     "ERROR: collect app and replica info from node(%s) failed with err(%s), you "
                     "can skip it by set skip_bad_nodes option",
                     node->name, node->error);
        buf_done(&consented);
    }
    findings->group = group;
}
