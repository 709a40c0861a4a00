/* judge_aborts -- the places where Apache Pegasus's meta server aborts while it judges, by their
 * number in the table of abort sites (CONTRIBUTING.md): each is a finding here, or cannot happen.
 */
#include <stdio.h>
#include <string.h>

#include "t/judge.h"

/* Three nodes, table 1 with two whole partitions. */
static void aborts_init(struct kit *kit, const char *const *consents)
{
    kit_init(kit, QUIET, consents);
    kit_nodes(kit, 3);
    kit_table_everywhere(kit, 1, "t", 2);
    for (int32_t i = 0; i < 3; i++)
        for (int32_t p = 0; p < 2; p++)
            kit_replica(kit, i, 1, p, 5, 9, 9);
}

static void aborts_end(struct kit *kit, bool pass, const char *line)
{
    kit_judge(kit);
    kit_has(kit, line);
    ck_assert_int_eq(kit->status, BR_OK);
    ck_assert_int_eq(kit_pass(kit), pass);
    kit_done(kit);
}

START_TEST(abort_7_table_id)
{
    static const int32_t ids[] = { 0, -1, INT32_MIN, BR_TABLE_ID_MAX + 1, INT32_MAX };
    struct kit kit;
    char line[256];
    aborts_init(&kit, NULL);
    kit_table(&kit, 1, ids[_i], "x", 1);
    snprintf(line, sizeof line,
             "ERROR: node(10.0.0.2:34801) reports a table with the id %d, which is not between 1 "
             "and 65536; leave the node out of the list to recover without it",
             ids[_i]);
    aborts_end(&kit, false, line);
}
END_TEST

START_TEST(abort_7_table_id_max)
{
    struct kit kit;
    aborts_init(&kit, NULL);
    for (int32_t i = 0; i < 3; i++) {
        kit_table(&kit, i, BR_TABLE_ID_MAX, "x", 1);
        kit_replica(&kit, i, BR_TABLE_ID_MAX, 0, 1, 1, 1);
    }
    kit_judge(&kit);
    ck_assert_msg(kit_pass(&kit), "%s", buf_string(&kit.text));
    ck_assert_uint_eq(kit.cluster.table_count, BR_TABLES_MAX);
    ck_assert_str_eq(kit_group(&kit, BR_TABLE_ID_MAX, 0), "1,3,2");
    kit_done(&kit);
}
END_TEST

START_TEST(abort_8_definitions_differ)
{
    struct kit kit;
    aborts_init(&kit, NULL);
    kit.nodes[2].tables[0].name = "renamed";
    aborts_end(&kit, true,
               "WARNING: app(1) is defined differently by node(10.0.0.1:34801) and "
               "node(10.0.0.3:34801): app_name(t) and (renamed); the first is taken (reported by 2 "
               "nodes, the second by 1)");
}
END_TEST

START_TEST(abort_9_hole_in_ids)
{
    struct kit kit;
    aborts_init(&kit, NULL);
    kit_table_everywhere(&kit, 4, "u", 1);
    for (int32_t i = 0; i < 3; i++)
        kit_replica(&kit, i, 4, 0, 1, 1, 1);
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    ck_assert_uint_eq(kit.cluster.table_count, 4);
    for (int32_t id = 1; id <= 4; id++)
        ck_assert_int_eq(kit.cluster.tables[id - 1].def.id, id);
    kit_done(&kit);
}
END_TEST

/* Never a placeholder: neither for a hole below the highest id, nor above it. */
START_TEST(abort_10_undescribed_table)
{
    static const int32_t ids[] = { 2, 9 };
    struct kit kit;
    char line[512];
    aborts_init(&kit, NULL);
    kit_table_everywhere(&kit, 3, "u", 1);
    for (int32_t i = 0; i < 3; i++)
        kit_replica(&kit, i, 3, 0, 1, 1, 1);
    kit_replica(&kit, 1, ids[_i], 0, 1, 1, 1);
    kit_replica(&kit, 2, ids[_i], 7, 1, 1, 1);
    snprintf(line, sizeof line,
             "ERROR: app(%d) has 2 replicas, the first of them on node(10.0.0.2:34801), but no "
             "node describes it; add a node that does to the list, or leave out those that hold "
             "its replicas",
             ids[_i]);
    aborts_end(&kit, false, line);
}
END_TEST

START_TEST(abort_11_status)
{
    struct kit kit;
    aborts_init(&kit, NULL);
    for (int32_t i = 0; i < 3; i++)
        kit.nodes[i].tables[0].status = 99;
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    ck_assert_int_eq(kit.cluster.tables[0].def.status, BR_TABLE_AVAILABLE);
    ck_assert_str_eq(kit_group(&kit, 1, 0), "1,3,2");
    kit_done(&kit);
}
END_TEST

START_TEST(abort_12_partition_index)
{
    static const char *const consents[] = { "skip_stray_replicas", NULL };
    static const struct {
        int32_t index;
        br_role role;
        bool consent, pass;
        const char *more;
    } cases[] = {
#define LEAVE ", you can leave it out by the consent skip_stray_replicas (recovery.consents)"
        { 2, BR_ROLE_INACTIVE, false, false, LEAVE },
        { 2, BR_ROLE_INACTIVE, true, true, ", it is left out" },
        { -1, BR_ROLE_PRIMARY, false, false, LEAVE },
        { INT32_MAX, BR_ROLE_INACTIVE, false, false, LEAVE },
        { INT32_MIN, BR_ROLE_INACTIVE, false, false, LEAVE },
        { 3, BR_ROLE_SPLIT, false, true,
          ", it is left out as the child of a split that was not finished" },
    };
    struct kit kit;
    char line[512];
    aborts_init(&kit, cases[_i].consent ? consents : NULL);
    kit_replica(&kit, 1, 1, cases[_i].index, 5, 9, 9)->role = cases[_i].role;
    snprintf(line, sizeof line,
             "%s: node(10.0.0.2:34801) holds a replica of partition(1.%d), but app(1) has 2 "
             "partitions%s",
             cases[_i].pass ? "WARNING" : "ERROR", cases[_i].index, cases[_i].more);
    aborts_end(&kit, cases[_i].pass, line);
}
END_TEST

#define PARTITIONS "a partition_count that is not between 1 and 1048576"
#define REPLICAS   "a max_replica_count that is not between 1 and 16"

static void aborts_count(int32_t partitions, int32_t replicas, bool all, const char *what)
{
    struct kit kit;
    char line[512];
    aborts_init(&kit, NULL);
    for (int32_t i = 0; i < (all ? 3 : 1); i++) {
        kit.nodes[i].tables[0].partition_count = partitions;
        kit.nodes[i].tables[0].replica_count = replicas;
    }
    snprintf(line, sizeof line, "%s: node(10.0.0.1:34801) describes app(1) with %s, %s",
             all ? "ERROR" : "WARNING", what,
             all ? "and no node describes it better" : "it is not believed");
    aborts_end(&kit, !all, line);
}

START_TEST(abort_13_partition_count)
{
    static const int32_t counts[] = { 0, -1, INT32_MIN, BR_PARTITIONS_MAX + 1, INT32_MAX };
    aborts_count(counts[_i / 2], 3, _i % 2, PARTITIONS);
}
END_TEST

START_TEST(abort_15_max_replica_count)
{
    static const int32_t counts[] = { 0, -1, INT32_MIN, BR_DROPS_MAX + 2, INT32_MAX };
    aborts_count(2, counts[_i / 2], _i % 2, REPLICAS);
}
END_TEST

/* Together the tables have more partitions than a recovery may have. */
START_TEST(abort_13_partitions_of_all)
{
    struct kit kit;
    int32_t tables = CLUSTER_PARTITIONS_MAX / BR_PARTITIONS_MAX + 1;
    char names[8][2];
    kit_init(&kit, QUIET, NULL);
    kit_nodes(&kit, 1);
    for (int32_t id = 1; id <= tables; id++) {
        snprintf(names[id], sizeof names[id], "%c", 'a' + id);
        kit_table(&kit, 0, id, names[id], BR_PARTITIONS_MAX);
    }
    kit_judge(&kit);
    ck_assert_int_ne(kit.status, BR_OK);
    ck_assert_ptr_nonnull(strstr(kit.fail.text, "5242880 partitions"));
    ck_assert(!findings_pass(&kit.findings));
    kit_done(&kit);
}
END_TEST

START_TEST(abort_14_ballot)
{
    struct kit kit;
    aborts_init(&kit, NULL);
    kit.nodes[0].replicas[0].ballot = _i ? INT64_MIN : BR_BALLOT_INVALID;
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    ck_assert_str_eq(kit_group(&kit, 1, 0), "2,3");
    kit_has(&kit, _i ? "WARNING: node(10.0.0.1:34801) reports partition(1.0) with the invalid "
                       "ballot -9223372036854775808, it is left out"
                     : "WARNING: node(10.0.0.1:34801) reports partition(1.0) with the invalid "
                       "ballot -1, it is left out");
    kit_done(&kit);
}
END_TEST

START_TEST(abort_14_no_ballot_at_all)
{
    static const char *const consents[] = { "skip_lost_partitions", NULL };
    struct kit kit;
    aborts_init(&kit, consents);
    for (int32_t i = 0; i < 3; i++)
        kit.nodes[i].replicas[1].ballot = -1;
    aborts_end(&kit, false,
               "ERROR: node(10.0.0.3:34801) reports partition(1.1) with the invalid ballot -1, and "
               "no other replica of it was reported; leave the node out of the list to recover "
               "without it");
}
END_TEST

/* Each recovery begins with nothing: judging twice gives the same. */
START_TEST(abort_16_members_already)
{
    struct kit kit;
    struct cluster again;
    aborts_init(&kit, NULL);
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    ck_assert_int_eq(judge(&kit.survey, &kit.policy, &kit.findings, &again, &kit.fail), BR_OK);
    for (int p = 0; p < 2; p++) {
        const struct partition *a = &kit.cluster.tables[0].partitions[p];
        const struct partition *b = &again.tables[0].partitions[p];
        ck_assert_int_eq(a->primary, b->primary);
        ck_assert_int_eq(a->drop_count, b->drop_count);
        ck_assert_mem_eq(a->members, b->members, a->drop_count * sizeof *a->members);
    }
    cluster_done(&again);
    kit_done(&kit);
}
END_TEST

/* The better report counts, wherever it stands. */
START_TEST(abort_17_reported_twice)
{
    static const struct {
        int64_t ballot, prepared;
        const char *group;
        int64_t taken;
    } cases[] = { { 4, 9, "1,3,2", 5 }, { 6, 9, "2,3,1", 6 }, { 5, 9, "1,3,2", 5 } };
    struct kit kit;
    char line[512];
    aborts_init(&kit, NULL);
    kit_replica(&kit, 1, 1, 0, cases[_i].ballot, cases[_i].prepared, cases[_i].prepared);
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    ck_assert_str_eq(kit_group(&kit, 1, 0), cases[_i].group);
    ck_assert_int_eq(kit.cluster.tables[0].partitions[0].ballot, cases[_i].taken);
    snprintf(
        line, sizeof line,
        "WARNING: node(10.0.0.2:34801) reports partition(1.0) more than once, with the ballots "
        "5 and %d and the prepared decrees 9 and %d, the better one counts",
        (int) cases[_i].ballot, (int) cases[_i].prepared);
    kit_has(&kit, line);
    kit_done(&kit);
}
END_TEST

/* The order in which a node reports its replicas does not matter. */
START_TEST(abort_18_order)
{
    struct kit kit;
    kit_init(&kit, QUIET, NULL);
    kit_nodes(&kit, 4);
    kit_table_everywhere(&kit, 1, "t", 24);
    for (int32_t i = 0; i < 4; i++)
        for (int32_t p = 0; p < 24; p++)
            kit_replica(&kit, i, 1, (p * 7 + i * 5) % 24, 5 + i % 2, 1, i);
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    for (int32_t p = 0; p < 24; p++)
        ck_assert_str_eq(kit_group(&kit, 1, p), "4,3,2");
    kit_done(&kit);
}
END_TEST

START_TEST(abort_19_same_name)
{
    struct kit kit;
    aborts_init(&kit, NULL);
    kit_table_everywhere(&kit, 2, "t", 1);
    for (int32_t i = 0; i < 3; i++)
        kit_replica(&kit, i, 2, 0, 1, 1, 1);
    aborts_end(&kit, true,
               "WARNING: app(1)'s old name(t) is conflict with others, rename it to (t-1)");
}
END_TEST

START_TEST(abort_22_primary_among_drops)
{
    struct kit kit;
    aborts_init(&kit, NULL);
    for (int i = 0; i < 3; i++) /* each node reports each partition again and again */
        for (int p = 0; p < 2; p++)
            kit_replica(&kit, i, 1, p, 5, 9, 9);
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    for (int p = 0; p < 2; p++) {
        const struct partition *partition = &kit.cluster.tables[0].partitions[p];
        for (int i = 0; i < partition->drop_count; i++)
            ck_assert_int_ne(partition->members[i], partition->primary);
    }
    kit_done(&kit);
}
END_TEST

TCase *judge_aborts(void)
{
    TCase *tcase = tcase_create("aborts");
    tcase_add_loop_test(tcase, abort_7_table_id, 0, 5);
    tcase_add_test(tcase, abort_7_table_id_max);
    tcase_add_test(tcase, abort_8_definitions_differ);
    tcase_add_test(tcase, abort_9_hole_in_ids);
    tcase_add_loop_test(tcase, abort_10_undescribed_table, 0, 2);
    tcase_add_test(tcase, abort_11_status);
    tcase_add_loop_test(tcase, abort_12_partition_index, 0, 6);
    tcase_add_loop_test(tcase, abort_13_partition_count, 0, 10);
    tcase_add_test(tcase, abort_13_partitions_of_all);
    tcase_add_loop_test(tcase, abort_14_ballot, 0, 2);
    tcase_add_test(tcase, abort_14_no_ballot_at_all);
    tcase_add_loop_test(tcase, abort_15_max_replica_count, 0, 10);
    tcase_add_test(tcase, abort_16_members_already);
    tcase_add_loop_test(tcase, abort_17_reported_twice, 0, 3);
    tcase_add_test(tcase, abort_18_order);
    tcase_add_test(tcase, abort_19_same_name);
    tcase_add_test(tcase, abort_22_primary_among_drops);
    return tcase;
}
