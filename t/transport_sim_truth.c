/* transport_sim_truth -- what the generator knows of each partition, against what the survey, the
 * judge and the policy make of the answers: over many seeds and faults nothing whole is passed over
 * in silence, and every sentence stands exactly where its cause is.
 */
#include <stdio.h>
#include <string.h>

#include "t/transport_sim.h"

#define TRUTH_CASES 40 /* of each test */

/* The sentences, and how often each must be there. */
enum truth_kind {
    TRUTH_BAD_NODE,
    TRUTH_LOST,
    TRUTH_FEW,
    TRUTH_TWICE,
    TRUTH_OUTSIDE,
    TRUTH_BALLOT,
    TRUTH_PASSED,
    TRUTH_KINDS
};

static const char *const truth_parts[TRUTH_KINDS] = {
    [TRUTH_BAD_NODE] = "collect app and replica info from node(",
    [TRUTH_LOST] = " has no replica collected",
    [TRUTH_FEW] = " of replicas, may lost data",
    [TRUTH_TWICE] = " more than once, with the ballots ",
    [TRUTH_OUTSIDE] = " holds a replica of partition(",
    [TRUTH_BALLOT] = " with the invalid ballot -1",
    [TRUTH_PASSED] = " is passed over",
};

struct truth {
    const struct sim *sim;
    const struct judged *judged;
    uint32_t count[TRUTH_KINDS];
};

BR_PRINTF(3, 4)
static void truth_told(struct truth *truth, enum truth_kind kind, const char *format, ...)
{
    char part[512];
    va_list args;
    va_start(args, format);
    vsnprintf(part, sizeof part, format, args);
    va_end(args);
    truth->count[kind]++;
    ck_assert_msg(judged_count(truth->judged, part) == 1, "not once: '%s' in:\n%s", part,
                  buf_string(&truth->judged->text));
}

static bool truth_answers(const struct sim *sim, uint32_t server)
{
    enum sim_server fault = sim_server_fault(sim, server);
    return fault == SIM_SERVER_WELL || fault == SIM_SERVER_RESTARTING || fault == SIM_SERVER_SLOW;
}

/* -- Partitions ------------------------------------------------------------------------------- */

/* What counts of the reports about one partition: one of each server that answers. */
struct truth_reports {
    struct br_replica rows[BR_REPLICAS_MAX];
    uint32_t count; /* with a ballot */
    uint32_t without;
    int64_t ballot; /* the highest */
    bool whole;     /* one of them has all that was acknowledged, and its status promises it */
};

static bool truth_whole(const struct sim_group *group, const struct br_replica *row)
{
    return row->ballot == group->ballot && row->prepared >= group->committed;
}

static bool truth_better(const struct br_replica *a, const struct br_replica *b)
{
    if (a->ballot != b->ballot)
        return a->ballot > b->ballot;
    return a->prepared != b->prepared ? a->prepared > b->prepared : a->committed > b->committed;
}

static void truth_report(struct truth *truth, const struct sim_group *group, int32_t partition,
                         const struct br_replica *rows, uint32_t count, uint32_t server,
                         struct truth_reports *reports)
{
    const struct br_replica *best = NULL;
    const char *name = rehearsal_name(truth->sim, server);
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].partition != partition) {
            truth_told(truth, TRUTH_OUTSIDE, "node(%s) holds a replica of partition(%d.%d), ", name,
                       rows[i].table, rows[i].partition);
            continue;
        }
        if (best)
            truth_told(truth, TRUTH_TWICE, "node(%s) reports partition(%d.%d) more than once, ",
                       name, rows[i].table, partition);
        if (!best || truth_better(&rows[i], best))
            best = &rows[i];
    }
    if (!best)
        return;
    if (best->ballot < 0) {
        reports->without++;
        truth_told(truth, TRUTH_BALLOT, "node(%s) reports partition(%d.%d) with the invalid ballot",
                   name, best->table, partition);
        return;
    }
    struct br_replica *row = &reports->rows[reports->count++];
    *row = *best;
    row->node = (int32_t) server;
    if (row->ballot > reports->ballot)
        reports->ballot = row->ballot;
    reports->whole = reports->whole || (truth_whole(group, row) && row->role != BR_ROLE_ERROR);
}

static const struct br_replica *truth_of(const struct truth_reports *reports, int32_t node)
{
    for (uint32_t i = 0; i < reports->count; i++)
        if (reports->rows[i].node == node)
            return &reports->rows[i];
    ck_abort_msg("node %d is nobody who reported it", node);
}

/* Has somebody what the primary has not? */
static bool truth_more(const struct truth_reports *reports, const struct br_replica *primary)
{
    bool more = false;
    for (uint32_t i = 0; i < reports->count; i++) {
        const struct br_replica *row = &reports->rows[i];
        if (row->ballot == primary->ballot)
            more = more || row->prepared > primary->prepared || row->committed > primary->committed;
        else
            more =
                more || (row->committed > primary->prepared && row->committed > primary->committed);
    }
    return more;
}

static void truth_judged(struct truth *truth, const struct sim_group *group, int32_t table,
                         int32_t index, const struct truth_reports *reports)
{
    const struct table *planned = cluster_table(&truth->judged->cluster, table);
    const struct partition *partition = &planned->partitions[index];
    if (!reports->count) {
        ck_assert_int_eq(partition->primary, -1);
        if (!reports->without)
            truth_told(truth, TRUTH_LOST, "partition(%d.%d) has no replica collected", table,
                       index);
        return;
    }
    ck_assert_int_ge(partition->primary, 0);
    const struct br_replica *primary = truth_of(reports, partition->primary);
    ck_assert_int_eq(partition->ballot, reports->ballot);
    ck_assert_int_eq(primary->ballot, reports->ballot);
    bool inverted = group->inverted && primary->ballot > group->ballot;
    ck_assert_msg(!reports->whole || inverted || truth_whole(group, primary),
                  "%d.%d: a whole replica was passed over", table, index);
    if (truth_more(reports, primary))
        truth_told(truth, TRUTH_PASSED, "partition(%d.%d) gets its primary from node(%s) ", table,
                   index, rehearsal_name(truth->sim, (uint32_t) primary->node));
    else
        ck_assert(!inverted || !reports->whole);
    if (reports->count < truth->sim->replicas)
        truth_told(truth, TRUTH_FEW, "partition(%d.%d) only collects %u/%d of replicas", table,
                   index, reports->count, (int) truth->sim->replicas);
}

static void truth_partition(struct truth *truth, int32_t table, int32_t partition)
{
    const struct sim *sim = truth->sim;
    struct truth_reports reports = { .ballot = -1 };
    struct br_replica rows[SIM_ROWS_MAX];
    struct sim_group group;
    uint64_t seen[BR_NODES_MAX / 64] = { 0 };
    sim_group(sim, table, partition, &group);
    for (uint32_t slot = 0; slot < sim_slots(sim); slot++) {
        uint32_t server = sim_slot_server(sim, table, partition, slot);
        ck_assert(!(seen[server / 64] >> server % 64 & 1)); /* nobody has two slots */
        seen[server / 64] |= UINT64_C(1) << server % 64;
        uint32_t count = sim_rows(sim, table, partition, &group, slot, rows);
        if (truth_answers(sim, server))
            truth_report(truth, &group, partition, rows, count, server, &reports);
    }
    truth_judged(truth, &group, table, partition, &reports);
}

/* -- The whole -------------------------------------------------------------------------------- */

/* Does somebody who answers describe it? */
static bool truth_described(const struct sim *sim, int32_t table)
{
    struct br_replica rows[SIM_ROWS_MAX];
    struct sim_group group;
    for (int32_t partition = 0; partition < sim_partition_count(sim, table); partition++) {
        sim_group(sim, table, partition, &group);
        for (uint32_t slot = 0; slot < sim_slots(sim); slot++)
            if (truth_answers(sim, sim_slot_server(sim, table, partition, slot))
                && sim_rows(sim, table, partition, &group, slot, rows))
                return true;
    }
    return false;
}

static void truth_servers(struct truth *truth)
{
    static const char *const errors[] = { [SIM_SERVER_DOWN] = "ERR_NETWORK_FAILURE",
                                          [SIM_SERVER_REFUSING] = "ERR_BUSY",
                                          [SIM_SERVER_CUT] = "ERR_INVALID_DATA" };
    for (uint32_t i = 0; i < truth->sim->servers; i++) {
        if (!truth_answers(truth->sim, i))
            truth_told(truth, TRUTH_BAD_NODE,
                       "WARNING: collect app and replica info from node(%s) failed with err(%s), "
                       "skip the bad node",
                       rehearsal_name(truth->sim, i), errors[sim_server_fault(truth->sim, i)]);
    }
}

static void truth_tables(struct truth *truth)
{
    const struct cluster *cluster = &truth->judged->cluster;
    int32_t highest = 0;
    for (int32_t id = 1; id <= truth->sim->tables; id++)
        if (truth_described(truth->sim, id))
            highest = id;
    ck_assert_int_eq(cluster->table_count, highest);
    for (int32_t id = 1; id <= highest; id++) {
        const struct table *table = cluster_table(cluster, id);
        if (!truth_described(truth->sim, id)) {
            ck_assert_int_eq(table->def.status, BR_TABLE_DROPPED);
            continue;
        }
        ck_assert_int_eq(table->def.status, BR_TABLE_AVAILABLE);
        ck_assert_int_eq(table->def.partition_count, sim_partition_count(truth->sim, id));
        for (int32_t partition = 0; partition < table->def.partition_count; partition++)
            truth_partition(truth, id, partition);
    }
}

/* Numbers for options: whole counts below a limit, shares of a million that are often 0. */
static uint64_t truth_below(uint64_t seed, uint64_t what, uint64_t limit)
{
    return sim_hash(sim_hash(seed, 77), what) % limit;
}

static void truth_options(uint64_t seed, struct buf *yaml)
{
    static const char *const shares[] = { "lost",   "inverted", "learners", "leftovers",
                                          "splits", "outside",  "missing",  "stale",
                                          "errors", "twice",    "no_ballot" };
    static const int parts[] = { 0, 0, 20000, 100000, 400000 };
    uint64_t servers = 3 + truth_below(seed, 1, 9);
    buf_printf(yaml, "{seed: %llu, servers: %llu, tables: %llu, partitions: %llu, ",
               (unsigned long long) seed, (unsigned long long) servers,
               (unsigned long long) (1 + truth_below(seed, 2, 4)),
               (unsigned long long) (1 + truth_below(seed, 3, 8)));
    buf_printf(yaml, "partitions_max: %d, replicas: %llu, roles: %s", 12,
               (unsigned long long) (1 + truth_below(seed, 4, servers < 6 ? servers - 1 : 5)),
               truth_below(seed, 5, 2) ? "serving" : "inactive");
    buf_printf(yaml, ", down: %d, refusing: %d, restarting: %d", truth_below(seed, 6, 4) == 0,
               truth_below(seed, 7, 4) == 0, truth_below(seed, 8, 4) == 0);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        buf_printf(yaml, ", %s: %d", shares[i], parts[truth_below(seed, 10 + i, 5)]);
    buf_text(yaml, "}");
}

static void truth_check(struct rehearsal *rehearsal, uint32_t sum[TRUTH_KINDS])
{
    struct judged judged;
    rehearsal_judge(rehearsal, &judged);
    struct truth truth = { .sim = rehearsal->sim, .judged = &judged };
    ck_assert_msg(judged.status == BR_OK, "%s", judged.fail.text);
    truth_servers(&truth);
    truth_tables(&truth);
    for (int kind = 0; kind < TRUTH_KINDS; kind++) {
        ck_assert_msg(judged_count(&judged, truth_parts[kind]) == truth.count[kind],
                      "%u times '%s', not %u, in:\n%s", judged_count(&judged, truth_parts[kind]),
                      truth_parts[kind], truth.count[kind], buf_string(&judged.text));
        sum[kind] += truth.count[kind];
    }
    judged_done(&judged);
}

START_TEST(truth_of_many_seeds)
{
    uint32_t sum[TRUTH_KINDS] = { 0 };
    for (int i = 0; i < TRUTH_CASES; i++) {
        struct rehearsal rehearsal;
        struct buf yaml = { 0 };
        truth_options((uint64_t) (_i * TRUTH_CASES + i), &yaml);
        rehearsal_open(&rehearsal, yaml.data);
        truth_check(&rehearsal, sum);
        rehearsal_close(&rehearsal);
        buf_done(&yaml);
    }
    for (int kind = 0; kind < TRUTH_KINDS; kind++)
        ck_assert_msg(sum[kind] > 0, "no case had '%s'", truth_parts[kind]);
}
END_TEST

/* Nothing is wrong: nothing is found, but that environments are known as far as somebody had them.
 */
START_TEST(truth_of_health)
{
    static const char *const healthy[] = {
        "{}",
        "{servers: 1, replicas: 1, tables: 1, partitions: 1}",
        "{servers: 3, seed: 0}",
        "{servers: 4096, partitions: 5000, roles: serving, slow: 4096, slow_latency: 0ms}",
        "{servers: 16, replicas: 16, disks: 8, partitions: 1, partitions_max: 100}",
        "{servers: 7, restarting: 7}",
    };
    struct rehearsal rehearsal;
    struct judged judged;
    uint32_t sum[TRUTH_KINDS] = { 0 };
    rehearsal_open(&rehearsal, healthy[_i]);
    rehearsal_judge(&rehearsal, &judged);
    ck_assert_int_eq(judged.status, BR_OK);
    ck_assert(findings_pass(&judged.findings));
    ck_assert_uint_eq(judged_count(&judged, ""),
                      judged_count(&judged, "'s environments are known only as far as node("));
    judged_done(&judged);
    rehearsal_close(&rehearsal);
    rehearsal_open(&rehearsal, healthy[_i]);
    truth_check(&rehearsal, sum);
    rehearsal_close(&rehearsal);
}
END_TEST

/* -- Each fault's sentence -------------------------------------------------------------------- */

static const struct {
    const char *yaml;
    const char *says;
    uint32_t times; /* 0: at least once */
    bool passes;
} truth_sentences[] = {
    { "{dropped: 2}", "is not available on the nodes that report it, it comes back", 2, true },
    { "{forgotten: 3}", "no node described a table", 1, true }, /* nothing at all is left */
    { "{undescribed: 1, tables: 4}", " replicas, the first of them on node(", 1, false },
    { "{renamed: 4, tables: 4, servers: 12, partitions: 12}", "app_name(", 0, true },
    { "{conflicting: 4, tables: 4, servers: 12, partitions: 12}", "create_second(", 0, false },
    { "{namesakes: 3}", "'s old name(namesake) is conflict with others, rename it to (namesake-", 2,
      true },
    { "{down: 1}", "failed with err(ERR_NETWORK_FAILURE)", 1, true },
    { "{refusing: 5}", "failed with err(ERR_BUSY)", 5, false },
    { "{cut: 2}", "failed with err(ERR_INVALID_DATA)", 2, true },
    { "{lost: 1000000, forgotten: 1}", "no node described a table", 1, true },
    { "{splits: 1000000, tables: 1}", "it is left out as the child of a split", 24, true },
    { "{outside: 1000000, tables: 1}", "has 8 partitions, it is left out", 8, true },
    { "{inverted: 1000000, tables: 1}", " of a lower ballot is passed over", 8, true },
    { "{errors: 1000000, replicas: 1, tables: 1}", "in status ERROR and may be incomplete", 8,
      true },
    { "{no_ballot: 1000000, tables: 1}", "no other replica of it was reported", 24, false },
    { "{twice: 1000000, tables: 1}", "more than once", 24, true },
};

START_TEST(truth_sentence)
{
    struct rehearsal rehearsal;
    struct judged judged;
    rehearsal_open(&rehearsal, truth_sentences[_i].yaml);
    rehearsal_judge(&rehearsal, &judged);
    uint32_t times = judged_count(&judged, truth_sentences[_i].says);
    if (truth_sentences[_i].times)
        ck_assert_msg(times == truth_sentences[_i].times, "%u times in:\n%s", times,
                      buf_string(&judged.text));
    else
        ck_assert_msg(times > 0, "%s", buf_string(&judged.text));
    ck_assert_msg((judged.status == BR_OK && findings_pass(&judged.findings))
                      == truth_sentences[_i].passes,
                  "%s%s", judged.fail.text, buf_string(&judged.text));
    judged_done(&judged);
    rehearsal_close(&rehearsal);
}
END_TEST

/* A table that is forgotten is an id of which nothing is known but that it was given. */
START_TEST(truth_forgotten)
{
    struct rehearsal rehearsal;
    struct judged judged;
    uint32_t dropped = 0;
    rehearsal_open(&rehearsal, "{tables: 20, forgotten: 5, seed: 3}");
    ck_assert_int_ne(sim_table_fault(rehearsal.sim, 20), SIM_TABLE_FORGOTTEN);
    rehearsal_judge(&rehearsal, &judged);
    ck_assert_int_eq(judged.status, BR_OK);
    ck_assert_uint_eq(judged.cluster.table_count, 20);
    for (int32_t id = 1; id <= 20; id++) {
        bool gone = cluster_table(&judged.cluster, id)->def.status == BR_TABLE_DROPPED;
        ck_assert_int_eq(gone, sim_table_fault(rehearsal.sim, id) == SIM_TABLE_FORGOTTEN);
        dropped += gone;
    }
    ck_assert_uint_eq(dropped, 5);
    judged_done(&judged);
    rehearsal_close(&rehearsal);
}
END_TEST

TCase *transport_sim_truth(void)
{
    TCase *tcase = tcase_create("transport_sim_truth");
    tcase_add_checked_fixture(tcase, core_setup, core_teardown);
    tcase_add_loop_test(tcase, truth_of_many_seeds, 0, 4);
    tcase_add_loop_test(tcase, truth_of_health, 0, 6);
    tcase_add_loop_test(tcase, truth_sentence, 0, sizeof truth_sentences / sizeof *truth_sentences);
    tcase_add_test(tcase, truth_forgotten);
    return tcase;
}
