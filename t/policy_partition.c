/* policy_partition -- who becomes primary, who is named behind it, and what the operator reads. */
#include <stdio.h>
#include <string.h>

#include "t/policy.h"

#define QUIET      "advice: no\n"
#define HISTORICAL "mode: historical\n"
#define PASS       "pass_over_replicas"

struct partition_row {
    int64_t ballot, committed, prepared;
    br_role role; /* INVALID: no replica on this node */
};

#define ROWS_MAX 6

/* One partition, one replica a node; `part` is its index. */
static const struct partition_case {
    const char *options;
    int32_t part;
    int32_t replica_count;
    struct partition_row rows[ROWS_MAX];
    const char *group;
    const char *lines; /* without consents */
} partition_cases[] = {
#define I BR_ROLE_INACTIVE
#define E BR_ROLE_ERROR
#define P BR_ROLE_PRIMARY
#define S BR_ROLE_SECONDARY
#define L BR_ROLE_LEARNER
#define C BR_ROLE_SPLIT
    /* All equal: the first in the list, or spread; the best drop at the back. */
    { HISTORICAL, 0, 3, { { 5, 9, 9, I }, { 5, 9, 9, I }, { 5, 9, 9, I } }, "1,3,2", "" },
    { HISTORICAL, 1, 3, { { 5, 9, 9, I }, { 5, 9, 9, I }, { 5, 9, 9, I } }, "1,3,2", "" },
    { QUIET, 0, 3, { { 5, 9, 9, I }, { 5, 9, 9, I }, { 5, 9, 9, I } }, "1,3,2", "" },
    { QUIET, 1, 3, { { 5, 9, 9, I }, { 5, 9, 9, I }, { 5, 9, 9, I } }, "2,1,3", "" },
    { QUIET, 2, 3, { { 5, 9, 9, I }, { 5, 9, 9, I }, { 5, 9, 9, I } }, "3,2,1", "" },
    { QUIET, 3, 3, { { 5, 9, 9, I }, { 5, 9, 9, I }, { 5, 9, 9, I } }, "1,3,2", "" },
    { QUIET "ties: first\n",
      1,
      3,
      { { 5, 9, 9, I }, { 5, 9, 9, I }, { 5, 9, 9, I } },
      "1,3,2",
      "" },
    { HISTORICAL "ties: spread\n",
      1,
      3,
      { { 5, 9, 9, I }, { 5, 9, 9, I }, { 5, 9, 9, I } },
      "2,1,3",
      "" },
    /* Only those tied with the best take part. */
    { QUIET, 1, 3, { { 4, 9, 9, I }, { 5, 9, 9, I }, { 5, 9, 9, I } }, "3,1,2", "" },
    /* A primary at the highest ballot keeps its place; at a lower one it does not count. */
    { QUIET, 0, 3, { { 5, 9, 9, I }, { 5, 9, 9, S }, { 5, 9, 9, P } }, "3,2,1", "" },
    { HISTORICAL, 0, 3, { { 5, 9, 9, I }, { 5, 9, 9, S }, { 5, 9, 9, P } }, "1,3,2", "" },
    { QUIET, 0, 3, { { 6, 9, 9, I }, { 5, 9, 9, S }, { 5, 9, 9, P } }, "1,3,2", "" },
    /* Ballot before committed before prepared; durable and disk do not matter. */
    { QUIET, 0, 3, { { 5, 1, 99, I }, { 6, 1, 1, I }, { 5, 0, 99, I } }, "2,3,1", "" },
    { QUIET, 0, 3, { { 5, 8, 9, I }, { 5, 9, 9, I }, { 5, 7, 9, I } }, "2,3,1", "" },
    { QUIET, 0, 3, { { 5, 8, 9, I }, { 5, 8, 10, I }, { 5, 8, 8, I } }, "2,3,1", "" },
    /* More than max_replica_count: the best of them. */
    { QUIET,
      0,
      3,
      { { 6, 1, 1, I }, { 7, 1, 1, I }, { 8, 1, 1, I }, { 9, 1, 1, I } },
      "4,2,3",
      "" },
    { QUIET, 0, 1, { { 6, 1, 1, I }, { 7, 1, 1, I } }, "2", "" },
    /* Too few (C8). */
    { QUIET,
      0,
      3,
      { { 6, 1, 1, I } },
      "1",
      "WARNING: partition(1.0) only collects 1/3 of replicas, may lost data\n" },
    { HISTORICAL,
      1,
      3,
      { { 6, 1, 1, I }, { 6, 1, 1, I } },
      "1,2",
      "WARNING: partition(1.1) only collects 2/3 of replicas, may lost data\n" },
    /* None at all (C9). */
    { QUIET,
      0,
      3,
      { { 0 } },
      "-",
      "ERROR: partition(1.0) has no replica collected, you can force recover it by set "
      "skip_lost_partitions option\n" },
    /* ERROR, learner and split last among those of the highest ballot, never behind a lower one. */
    { QUIET, 0, 3, { { 5, 9, 9, E }, { 5, 9, 9, I }, { 5, 9, 9, L } }, "2,3,1", "" },
    { QUIET, 1, 3, { { 5, 9, 9, C }, { 5, 9, 9, S }, { 5, 9, 9, 77 } }, "2,3,1", "" },
    { QUIET, 0, 3, { { 6, 9, 9, E }, { 5, 9, 9, I }, { 5, 8, 8, I } }, "1,3,2", "" },
    { QUIET, 0, 3, { { 6, 3, 9, L }, { 5, 9, 9, I }, { 5, 8, 8, I } }, "1,3,2", "" },
    { QUIET, 0, 3, { { 6, 3, 9, I }, { 5, 9, 12, I }, { 5, 8, 8, I } }, "1,3,2", "" },
    /* A decree committed under a lower ballot is not there any more: a loss. */
    { QUIET,
      0,
      3,
      { { 6, 3, 3, L }, { 5, 9, 9, I }, { 5, 8, 8, I } },
      "1,3,2",
      "ERROR: partition(1.0) gets its primary from node(10.0.0.1:34801) (POTENTIAL_SECONDARY, "
      "committed 3, prepared 3), and node(10.0.0.2:34801) (INACTIVE, committed 9, prepared 9) of a "
      "lower ballot is passed over, you can allow it by the consent pass_over_replicas "
      "(recovery.consents)\n" },
    { HISTORICAL, 0, 3, { { 6, 3, 3, L }, { 5, 9, 9, I }, { 5, 8, 8, I } }, "1,3,2", "" },
    { HISTORICAL, 0, 3, { { 5, 9, 9, E }, { 5, 8, 8, I }, { 5, 8, 8, I } }, "1,3,2", "" },
    { "advice: yes\n",
      0,
      1,
      { { 6, 3, 9, L }, { 5, 9, 9, I } },
      "1",
      "WARNING: app(1)'s environments are known only as far as node(10.0.0.1:34801) still had "
      "them (0), check them with get_app_envs\n"
      "WARNING: partition(1.0) gets its primary from node(10.0.0.1:34801), whose replica has the "
      "highest ballot (6) but is in status POTENTIAL_SECONDARY and may be incomplete\n" },
    /* Passing over a higher decree of any status is a loss. */
    { QUIET,
      0,
      3,
      { { 5, 9, 9, I }, { 5, 12, 13, E }, { 5, 9, 9, I } },
      "1,2,3",
      "ERROR: partition(1.0) gets its primary from node(10.0.0.1:34801) (INACTIVE, committed 9, "
      "prepared 9), and node(10.0.0.2:34801) (ERROR, committed 12, prepared 13) of the same ballot "
      "is passed over, you can allow it by the consent pass_over_replicas (recovery.consents)\n" },
    { QUIET "status_order: ignore\n",
      0,
      3,
      { { 5, 9, 9, I }, { 5, 12, 13, E }, { 5, 9, 9, I } },
      "2,3,1",
      "" },
    { HISTORICAL,
      0,
      3,
      { { 5, 10, 10, I }, { 5, 9, 13, I }, { 5, 9, 9, I } },
      "1,3,2",
      "" }, /* a note, for the log */
};

static void partition_survey(struct kit *kit, const struct partition_case *at)
{
    kit_nodes(kit, ROWS_MAX);
    kit_table_everywhere(kit, 1, "t", at->part + 1);
    for (int32_t node = 0; node < ROWS_MAX; node++) {
        kit->nodes[node].tables[0].replica_count = at->replica_count;
        const struct partition_row *row = &at->rows[node];
        for (int32_t i = 0; i < at->part; i++) /* the others are whole */
            kit_replica(kit, node, 1, i, 1, 1, 1);
        if (row->role)
            kit_replica(kit, node, 1, at->part, row->ballot, row->committed, row->prepared)->role =
                row->role;
    }
}

START_TEST(partition_case)
{
    const struct partition_case *at = &partition_cases[_i];
    struct kit kit;
    kit_init(&kit, at->options, NULL);
    partition_survey(&kit, at);
    kit_judge(&kit);
    kit_is(&kit, at->lines);
    ck_assert_int_eq(kit_pass(&kit), strstr(at->lines, "ERROR") == NULL);
    const char *group = kit_group(&kit, 1, at->part);
    ck_assert_str_eq(group, at->group);
    const struct partition *partition = &cluster_table(&kit.cluster, 1)->partitions[at->part];
    ck_assert_int_eq(partition->committed, 0);
    ck_assert_uint_eq(partition->flags, 0);
    ck_assert_int_eq(partition->ballot,
                     partition->primary < 0 ? 0 : at->rows[partition->primary].ballot);
    kit_done(&kit);
}
END_TEST

/* Once allowed: a warning in the careful mode; the historical one needs no consent and is as silent
 * as Apache Pegasus. */
START_TEST(partition_pass_over_consented)
{
    static const char *const consents[] = { PASS, NULL };
    static const char *const options[] = { "", HISTORICAL };
    struct kit kit;
    kit_init(&kit, options[_i], _i == 0 ? consents : NULL);
    kit_nodes(&kit, 3);
    kit_table_everywhere(&kit, 1, "t", 1);
    kit_replica(&kit, 0, 1, 0, 5, 10, 10);
    kit_replica(&kit, 1, 1, 0, 5, 9, 13);
    kit_replica(&kit, 2, 1, 0, 5, 9, 9);
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    if (_i == 1)
        kit_is(&kit, "");
    else
        kit_has(&kit, "WARNING: partition(1.0) gets its primary from node(10.0.0.1:34801) "
                      "(INACTIVE, committed 10, prepared 10), and node(10.0.0.2:34801) (INACTIVE, "
                      "committed 9, prepared 13) of the same ballot is passed over");
    kit_done(&kit);
}
END_TEST

/* C9 with its consent; the other partitions of the table are judged all the same. */
START_TEST(partition_lost_consented)
{
    static const char *const consents[] = { "skip_lost_partitions", NULL };
    struct kit kit;
    kit_init(&kit, QUIET, consents);
    kit_nodes(&kit, 3);
    kit_table_everywhere(&kit, 1, "t", 2);
    for (int32_t i = 0; i < 3; i++)
        kit_replica(&kit, i, 1, 1, 5, 1, 1);
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    kit_is(&kit, "WARNING: partition(1.0) has no replica collected, force recover the lost "
                 "partition to empty\n");
    ck_assert_str_eq(kit_group(&kit, 1, 0), "-");
    ck_assert_str_eq(kit_group(&kit, 1, 1), "2,1,3");
    kit_done(&kit);
}
END_TEST

/* Primaries end up even. */
START_TEST(partition_even)
{
    struct kit kit;
    int primaries[3] = { 0 };
    kit_init(&kit, "", NULL);
    kit_nodes(&kit, 3);
    kit_table_everywhere(&kit, 1, "t", 30);
    for (int32_t i = 0; i < 3; i++)
        for (int32_t p = 0; p < 30; p++)
            kit_replica(&kit, i, 1, p, 5, 1, 1);
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    for (int p = 0; p < 30; p++)
        primaries[cluster_table(&kit.cluster, 1)->partitions[p].primary]++;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(primaries[i], 10);
    kit_done(&kit);
}
END_TEST

TCase *policy_partition(void)
{
    TCase *tcase = tcase_create("partition");
    tcase_add_loop_test(tcase, partition_case, 0, sizeof partition_cases / sizeof *partition_cases);
    tcase_add_loop_test(tcase, partition_pass_over_consented, 0, 2);
    tcase_add_test(tcase, partition_lost_consented);
    tcase_add_test(tcase, partition_even);
    return tcase;
}
