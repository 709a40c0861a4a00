/* recovery_survey -- the survey against a transport of the test's own: nodes that answer late, by
 * halves, wrongly, or not at all.
 */
#include "t/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/survey.h"

enum fake_kind {
    FAKE_GOOD = 0,
    FAKE_UNREACHABLE,
    FAKE_ONCE,      /* unreachable at the first attempt */
    FAKE_HALF_ONCE, /* only its replicas, and only then */
    FAKE_HALF,      /* its tables are whole, its replicas are not */
    FAKE_HALF_HANG,
    FAKE_HANG,
    FAKE_BUSY,
    FAKE_NAMELESS, /* refuses without a name */
    FAKE_EVIL,     /* a name that would forge a line */
    FAKE_LONG,     /* one that is too long */
    FAKE_CORRUPT,
    FAKE_INTERNAL,
    FAKE_DENIED,
    FAKE_OTHER_NODE, /* rows of another node: a fault of the plugin */
    FAKE_OTHER_KIND,
    FAKE_SMALL_ROWS,
    FAKE_REPLICAS_FIRST, /* both fail: the replicas' error is told, whichever came first */
    FAKE_TABLES_FIRST,
};

struct fake_call {
    struct br_call *call;
    struct br_env *env;
    struct br_timer *timer;
    int32_t index;
    bool tables;
    struct fake_call *next;
};

static struct fake {
    enum fake_kind kinds[BR_NODES_MAX];
    uint8_t asked[BR_NODES_MAX][2]; /* how often: replicas, tables */
    uint8_t pending[BR_NODES_MAX];
    uint32_t flying, most; /* nodes at once */
    uint64_t seed;         /* of delays; 0: none */
    struct fake_call *held;
} fake;

static void fake_leave(int32_t index)
{
    if (--fake.pending[index] == 0)
        fake.flying--;
}

static const struct br_chunk *fake_rows(struct br_call *call, int32_t index, bool tables,
                                        enum fake_kind kind)
{
    struct br_chunk *chunk = br_rows(call, sizeof *chunk);
    int32_t node = kind == FAKE_OTHER_NODE ? index + 1 : index;
    *chunk = (struct br_chunk){ .count = 2 };
    if (tables != (kind == FAKE_OTHER_KIND)) {
        struct br_table *rows = br_rows(call, 2 * sizeof *rows);
        for (int32_t i = 0; i < 2; i++)
            rows[i] = (struct br_table){ .node = node, .id = index + i, .name = "t" };
        chunk->kind = BR_ROW_TABLE;
        chunk->row_size = sizeof *rows;
        chunk->rows = rows;
    } else {
        struct br_replica *rows = br_rows(call, 2 * sizeof *rows);
        for (int32_t i = 0; i < 2; i++)
            rows[i] = (struct br_replica){ .node = node, .table = index, .partition = i };
        chunk->kind = BR_ROW_REPLICA;
        chunk->row_size = kind == FAKE_SMALL_ROWS ? 8 : sizeof *rows;
        chunk->rows = rows;
    }
    return chunk;
}

/* false: it hangs. */
static bool fake_fail(struct br_call *call, enum fake_kind kind, bool tables, int attempt)
{
    static const char name[] = "ERR_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    _Static_assert(sizeof name - 1 == SURVEY_CODE_MAX + 1, "one more than is taken");
    switch (kind) {
    case FAKE_UNREACHABLE: br_reply_fail(call, BR_UNAVAILABLE, "refused"); break;
    case FAKE_ONCE:
    case FAKE_HALF_ONCE:
        if (attempt > 1 || (tables && kind == FAKE_HALF_ONCE))
            return false;
        br_reply_fail(call, BR_UNAVAILABLE, "refused");
        break;
    case FAKE_HALF:
        if (tables)
            return false;
        br_reply_fail(call, BR_CORRUPT, "cut off");
        break;
    case FAKE_BUSY: br_reply_fail_as(call, BR_REFUSED, "ERR_BUSY", "busy"); break;
    case FAKE_NAMELESS: br_reply_fail(call, BR_REFUSED, "no"); break;
    case FAKE_EVIL: br_reply_fail_as(call, BR_REFUSED, "ERR\nERROR: x", "no"); break;
    case FAKE_LONG: br_reply_fail_as(call, BR_REFUSED, name, "no"); break;
    case FAKE_CORRUPT: br_reply_fail(call, BR_CORRUPT, "nonsense"); break;
    case FAKE_INTERNAL: br_reply_fail(call, BR_INTERNAL, "a bug"); break;
    case FAKE_DENIED: br_reply_fail(call, BR_DENIED, "no"); break;
    case FAKE_REPLICAS_FIRST:
    case FAKE_TABLES_FIRST:
        if (tables)
            br_reply_fail(call, BR_CORRUPT, "nonsense");
        else
            br_reply_fail_as(call, BR_REFUSED, "ERR_BUSY", "busy");
        break;
    default: return false;
    }
    return true;
}

static void fake_answer(struct br_env *env, void *arg)
{
    struct fake_call *held = arg;
    enum fake_kind kind = fake.kinds[held->index];
    (void) env;
    fake_leave(held->index);
    if (!fake_fail(held->call, kind, held->tables, fake.asked[held->index][held->tables]))
        br_reply_rows(held->call, fake_rows(held->call, held->index, held->tables, kind));
    struct fake_call **link = &fake.held;
    while (*link != held)
        link = &(*link)->next;
    *link = held->next;
    free(held);
}

static void fake_ask(struct br_env *env, int32_t index, bool tables, struct br_call *call)
{
    enum fake_kind kind = fake.kinds[index];
    struct fake_call *held = mem_new(sizeof *held);
    *held = (struct fake_call){
        .call = call, .env = env, .index = index, .tables = tables, .next = fake.held
    };
    fake.held = held;
    fake.asked[index][tables]++;
    if (fake.pending[index]++ == 0 && ++fake.flying > fake.most)
        fake.most = fake.flying;
    if (kind == FAKE_HANG || (kind == FAKE_HALF_HANG && !tables))
        return;
    br_time delay = fake.seed ? (br_time) (recovery_random(&fake.seed) % 3000) * 1000 : 0;
    if (tables == (kind == FAKE_REPLICAS_FIRST))
        delay += 20 * BR_MILLISECOND;
    held->timer = br_after(env, delay, fake_answer, held);
}

static void fake_tables(struct br_env *env, const char *node, int32_t index, struct br_call *call)
{
    (void) node;
    fake_ask(env, index, true, call);
}

static void fake_replicas(struct br_env *env, const char *node, int32_t index, struct br_call *call)
{
    (void) node;
    fake_ask(env, index, false, call);
}

static void fake_stop(struct br_env *env, struct br_call *call)
{
    (void) env;
    while (fake.held) {
        struct fake_call *held = fake.held;
        fake.held = held->next;
        if (held->timer)
            br_disarm(held->env, held->timer);
        br_reply_fail(held->call, BR_CANCELED, "stopped");
        free(held);
    }
    br_reply_ok(call);
}

static const struct br_transport fake_transport = { .tables = fake_tables,
                                                    .replicas = fake_replicas };

BR_PLUGIN(transport, fake, &fake_transport, .summary = "Nodes of the test's own.", .version = "1",
          .license = "Apache-2.0", .stop = fake_stop);

/* -- Surveys ---------------------------------------------------------------------------------- */

struct surveyed {
    struct survey *survey;
    uint32_t answered, silent, told;
    char (*names)[32];
    const char **list;
    struct survey_request request;
};

static void surveyed_progress(void *arg, uint32_t answered, uint32_t silent, uint32_t total)
{
    struct surveyed *s = arg;
    ck_assert_uint_eq(answered + silent, s->answered + s->silent + 1);
    ck_assert_uint_eq(total, s->request.count);
    s->answered = answered;
    s->silent = silent;
    s->told++;
}

static void surveyed_done(void *arg, struct survey *survey)
{
    struct surveyed *s = arg;
    ck_assert_ptr_null(s->survey);
    s->survey = survey;
}

static void surveyed_init(struct surveyed *s, uint32_t count)
{
    memset(&fake, 0, sizeof fake);
    *s = (struct surveyed){ .names = mem_array(count + 1, 32),
                            .list = mem_array(count + 1, sizeof *s->list) };
    for (uint32_t i = 0; i < count; i++) {
        snprintf(s->names[i], 32, "node%u:34801", i);
        s->list[i] = s->names[i];
    }
    s->request = (struct survey_request){ .names = s->list,
                                          .count = count,
                                          .retry_pause = 5 * BR_MILLISECOND,
                                          .progress = surveyed_progress,
                                          .done = surveyed_done,
                                          .arg = s };
}

static void surveyed_free(struct surveyed *s)
{
    survey_free(s->survey);
    free(s->names);
    free(s->list);
}

/* Asks, with the names gone while it runs: the request is copied. */
static void surveyed_run(struct surveyed *s)
{
    struct plugin *plugin = recovery_open(&bridle_transport_fake, NULL);
    br_time end = loop_now(recovery_loop) + 60 * BR_SECOND;
    survey_start(recovery_loop, plugin, &s->request);
    ck_assert_ptr_null(s->survey);
    memset(s->names, '?', (size_t) s->request.count * 32);
    while (!s->survey && loop_now(recovery_loop) < end)
        loop_turn(recovery_loop);
    ck_assert_ptr_nonnull(s->survey);
    ck_assert_uint_eq(s->told, s->request.progress ? s->request.count : 0);
    ck_assert_uint_eq(s->silent, s->request.progress ? s->survey->silent_count : 0);
    recovery_close(plugin);
}

static const struct {
    enum fake_kind kind;
    const char *error; /* NULL: complete */
} survey_rows[] = {
    { FAKE_GOOD, NULL },
    { FAKE_UNREACHABLE, "ERR_NETWORK_FAILURE" },
    { FAKE_ONCE, NULL },
    { FAKE_HALF_ONCE, NULL },
    { FAKE_HALF, "ERR_INVALID_DATA" },
    { FAKE_HALF_HANG, "ERR_TIMEOUT" },
    { FAKE_HANG, "ERR_TIMEOUT" },
    { FAKE_BUSY, "ERR_BUSY" },
    { FAKE_NAMELESS, "ERR_UNKNOWN" },
    { FAKE_EVIL, "ERR_UNKNOWN" },
    { FAKE_LONG, "ERR_UNKNOWN" },
    { FAKE_CORRUPT, "ERR_INVALID_DATA" },
    { FAKE_INTERNAL, "ERR_UNKNOWN" },
    { FAKE_DENIED, "ERR_UNKNOWN" },
    { FAKE_OTHER_NODE, "ERR_INVALID_DATA" },
    { FAKE_OTHER_KIND, "ERR_INVALID_DATA" },
    { FAKE_SMALL_ROWS, "ERR_INVALID_DATA" },
    { FAKE_REPLICAS_FIRST, "ERR_BUSY" },
    { FAKE_TABLES_FIRST, "ERR_BUSY" },
};

#define SURVEY_ROWS (sizeof survey_rows / sizeof *survey_rows)

/* C7, to the letter, with the consent and without. */
static void survey_check_findings(const struct survey *survey, bool consent)
{
    const char *const consents[] = { consent ? "skip_bad_nodes" : NULL, NULL };
    struct findings findings;
    struct buf want = { 0 };
    struct buf got = { 0 };
    for (size_t i = 0; i < SURVEY_ROWS; i++) {
        if (survey_rows[i].error)
            buf_printf(&want,
                       "%s: collect app and replica info from node(node%zu:34801) failed with "
                       "err(%s), %s\n",
                       consent ? "WARNING" : "ERROR", i, survey_rows[i].error,
                       consent ? "skip the bad node"
                               : "you can skip it by set skip_bad_nodes option");
    }
    findings_init(&findings, consents);
    findings.group = FINDING_PARTITION;
    survey_find(survey, &findings);
    ck_assert_int_eq(findings.group, FINDING_PARTITION);
    ck_assert(findings_pass(&findings) == consent);
    findings_put(&findings, &got);
    ck_assert_str_eq(buf_string(&got), buf_string(&want));
    findings_done(&findings);
    buf_done(&want);
    buf_done(&got);
}

START_TEST(survey_kinds)
{
    struct surveyed s;
    surveyed_init(&s, SURVEY_ROWS);
    s.request.node_deadline = 150 * BR_MILLISECOND;
    for (size_t i = 0; i < SURVEY_ROWS; i++)
        fake.kinds[i] = survey_rows[i].kind;
    surveyed_run(&s);
    uint64_t complete = 0;
    for (size_t i = 0; i < SURVEY_ROWS; i++) {
        const struct survey_node *node = &s.survey->nodes[i];
        const char *error = survey_rows[i].error;
        ck_assert_msg(node->complete == !error, "row %zu: %s", i, node->why ? node->why : "");
        complete += node->complete;
        if (error) {
            ck_assert_msg(strcmp(node->error, error) == 0, "row %zu: %s", i, node->error);
            ck_assert_str_ne(node->why, "");
            ck_assert_ptr_null(node->tables);
            ck_assert_ptr_null(node->replicas);
        } else {
            const struct br_table *tables = node->tables->rows;
            const struct br_replica *replicas = node->replicas->rows;
            ck_assert_int_eq(tables[1].id, (int) i + 1);
            ck_assert_int_eq(replicas[1].partition, 1);
        }
    }
    ck_assert_uint_eq(s.survey->replica_count, 2 * complete);
    ck_assert_uint_eq(s.survey->silent_count, SURVEY_ROWS - complete);
    ck_assert_int_gt(s.survey->second, 1700000000);
    survey_check_findings(s.survey, false);
    survey_check_findings(s.survey, true);
    ck_assert_ptr_nonnull(strstr(recovery_logged(), "node node1:34801 is silent"));
    surveyed_free(&s);
}
END_TEST

/* Only what was unreachable is asked again, both queries of it, as often as was asked for. */
START_TEST(survey_retries)
{
    static const struct {
        uint32_t retries;
        int asked;
    } rows[] = { { 0, 2 }, { SURVEY_NO_RETRIES, 1 }, { 3, 4 } };
    static const enum fake_kind kinds[] = { FAKE_UNREACHABLE, FAKE_HALF_ONCE, FAKE_BUSY,
                                            FAKE_GOOD };
    struct surveyed s;
    surveyed_init(&s, 4);
    memcpy(fake.kinds, kinds, sizeof kinds);
    s.request.retries = rows[_i].retries;
    surveyed_run(&s);
    int once = rows[_i].asked > 1 ? 2 : 1;
    for (int q = 0; q < 2; q++) {
        ck_assert_int_eq(fake.asked[0][q], rows[_i].asked);
        ck_assert_int_eq(fake.asked[1][q], once);
        ck_assert_int_eq(fake.asked[2][q], 1);
        ck_assert_int_eq(fake.asked[3][q], 1);
    }
    ck_assert(s.survey->nodes[1].complete == (once == 2));
    surveyed_free(&s);
}
END_TEST

/* A dead port is found out at once (Apache Pegasus may need 5 s), a deadline ends the retrying. */
START_TEST(survey_dead_port)
{
    struct surveyed s;
    surveyed_init(&s, 1);
    fake.kinds[0] = FAKE_UNREACHABLE;
    s.request.retry_pause = 0;
    br_time begin = loop_now(recovery_loop);
    surveyed_run(&s);
    ck_assert_int_lt(loop_now(recovery_loop) - begin, BR_SECOND);
    ck_assert_int_ge(loop_now(recovery_loop) - begin, SURVEY_RETRY_PAUSE);
    surveyed_free(&s);

    surveyed_init(&s, 1);
    fake.kinds[0] = FAKE_UNREACHABLE;
    s.request.retry_pause = 30 * BR_MILLISECOND;
    s.request.retries = 1000;
    s.request.node_deadline = 100 * BR_MILLISECOND;
    surveyed_run(&s);
    ck_assert_int_le(fake.asked[0][0], 4);
    ck_assert(!s.survey->nodes[0].complete);
    surveyed_free(&s);
}
END_TEST

/* Nobody is asked again where the deadline would come before the pause is over. */
START_TEST(survey_no_time_left)
{
    struct surveyed s;
    surveyed_init(&s, 1);
    fake.kinds[0] = FAKE_UNREACHABLE;
    s.request.node_deadline = 30 * BR_SECOND;
    s.request.retry_pause = 31 * BR_SECOND;
    surveyed_run(&s);
    ck_assert_int_eq(fake.asked[0][0], 1);
    ck_assert_str_eq(s.survey->nodes[0].error, "ERR_NETWORK_FAILURE");
    surveyed_free(&s);
}
END_TEST

/* A deadline of next to nothing is one, and nobody need listen to the progress. */
START_TEST(survey_shortest_deadline)
{
    struct surveyed s;
    surveyed_init(&s, 2);
    fake.kinds[0] = FAKE_HANG;
    fake.kinds[1] = FAKE_HANG;
    s.request.node_deadline = 1;
    s.request.progress = NULL;
    surveyed_run(&s);
    ck_assert_uint_eq(s.survey->silent_count, 2);
    ck_assert_str_eq(s.survey->nodes[0].error, "ERR_TIMEOUT");
    surveyed_free(&s);
}
END_TEST

static void survey_digest(const struct survey *survey, struct buf *buf)
{
    for (uint32_t i = 0; i < survey->node_count; i++) {
        const struct survey_node *node = &survey->nodes[i];
        buf_printf(buf, "%s %d %s", node->name, node->complete, node->error ? node->error : "-");
        for (const struct br_chunk *c = node->tables; c; c = c->next)
            for (uint32_t k = 0; k < c->count; k++)
                buf_printf(buf, " t%d", ((const struct br_table *) c->rows)[k].id);
        for (const struct br_chunk *c = node->replicas; c; c = c->next)
            for (uint32_t k = 0; k < c->count; k++)
                buf_printf(buf, " r%d", ((const struct br_replica *) c->rows)[k].table);
        buf_char(buf, '\n');
    }
    buf_printf(buf, "%u %llu", survey->silent_count, (unsigned long long) survey->replica_count);
}

/* 1,000 nodes, 64 at once, arriving in another order each time. */
START_TEST(survey_bound)
{
    struct buf digests[3] = { { 0 } };
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct surveyed s;
        surveyed_init(&s, 1000);
        for (uint32_t i = 0; i < 1000; i += 7)
            fake.kinds[i] = i % 2 ? FAKE_ONCE : FAKE_BUSY;
        fake.seed = seed * 7919;
        s.request.parallel = 64;
        surveyed_run(&s);
        ck_assert_uint_eq(fake.most, 64);
        survey_digest(s.survey, &digests[seed]);
        surveyed_free(&s);
        ck_assert_str_eq(digests[0].data, digests[seed].data);
    }
    for (int i = 0; i < 3; i++)
        buf_done(&digests[i]);
}
END_TEST

START_TEST(survey_most)
{
    struct surveyed s;
    surveyed_init(&s, BR_NODES_MAX);
    surveyed_run(&s);
    ck_assert_uint_eq(fake.most, SURVEY_PARALLEL);
    ck_assert_uint_eq(s.survey->silent_count, 0);
    ck_assert_uint_eq(s.survey->replica_count, 2 * BR_NODES_MAX);
    surveyed_free(&s);
}
END_TEST

START_TEST(survey_none)
{
    struct surveyed s;
    surveyed_init(&s, 0);
    surveyed_run(&s);
    ck_assert_uint_eq(s.survey->node_count, 0);
    surveyed_free(&s);
}
END_TEST

/* Canceled before it begins, with some answered, with some waiting for their retry. */
START_TEST(survey_canceled)
{
    struct surveyed s;
    surveyed_init(&s, 40);
    for (uint32_t i = 0; i < 40; i++)
        fake.kinds[i] = i % 4 == 0 ? FAKE_HANG : i % 4 == 1 ? FAKE_HALF_HANG : FAKE_UNREACHABLE;
    for (uint32_t i = 2; i < 40; i += 4)
        fake.kinds[i] = FAKE_GOOD;
    s.request.retry_pause = BR_SECOND;
    s.request.parallel = 30;
    struct plugin *plugin = recovery_open(&bridle_transport_fake, NULL);
    struct survey_run *run = survey_start(recovery_loop, plugin, &s.request);
    while (_i && s.answered < 5 * (uint32_t) _i)
        loop_turn(recovery_loop);
    survey_cancel(run);
    survey_cancel(NULL);
    recovery_close(plugin);
    ck_assert_ptr_null(s.survey);
    surveyed_free(&s);
}
END_TEST

TCase *recovery_survey_cases(void)
{
    TCase *tcase = tcase_create("survey");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, recovery_setup, recovery_teardown);
    tcase_add_test(tcase, survey_kinds);
    tcase_add_loop_test(tcase, survey_retries, 0, 3);
    tcase_add_test(tcase, survey_dead_port);
    tcase_add_test(tcase, survey_no_time_left);
    tcase_add_test(tcase, survey_shortest_deadline);
    tcase_add_test(tcase, survey_bound);
    tcase_add_test(tcase, survey_most);
    tcase_add_test(tcase, survey_none);
    tcase_add_loop_test(tcase, survey_canceled, 0, 3);
    return tcase;
}
