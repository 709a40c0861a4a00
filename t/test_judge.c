/* test_judge -- evidence of every kind: whole, partial, hostile.  See judge_aborts.c for the places
 * where Apache Pegasus aborts and judge_bad_policy.c for what the host does not believe a policy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/rdsn/address.h"
#include "host/recovery/evidence.h"
#include "t/judge.h"

static void judge_whole(struct kit *kit, const char *options, const char *const *consents)
{
    kit_init(kit, options, consents);
    kit_nodes(kit, 3);
    kit_table_everywhere(kit, 1, "t", 2);
    for (int32_t i = 0; i < 3; i++)
        for (int32_t p = 0; p < 2; p++)
            kit_replica(kit, i, 1, p, 5, 9, 9);
}

/* -- Nodes ------------------------------------------------------------------------------------- */

START_TEST(judge_silent_node)
{
    static const char *const consents[] = { "skip_bad_nodes", NULL };
    struct kit kit;
    judge_whole(&kit, QUIET, consents);
    kit_silent(&kit, 0, "ERR_TIMEOUT");
    survey_find(&kit.survey, &kit.findings);
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    kit_is(&kit, "WARNING: collect app and replica info from node(10.0.0.1:34801) failed with "
                 "err(ERR_TIMEOUT), skip the bad node\n"
                 "WARNING: partition(1.0) only collects 2/3 of replicas, may lost data\n"
                 "WARNING: partition(1.1) only collects 2/3 of replicas, may lost data\n");
    ck_assert_uint_eq(kit.cluster.node_count, 3);
    ck_assert_str_eq(kit_group(&kit, 1, 0), "2,3");
    kit_done(&kit);
}
END_TEST

START_TEST(judge_nobody)
{
    struct kit kit;
    kit_init(&kit, "", NULL);
    kit_nodes(&kit, (uint32_t) _i);
    for (int32_t i = 0; i < _i; i++)
        kit_silent(&kit, i, "ERR_TIMEOUT");
    kit_judge(&kit);
    ck_assert_int_eq(kit.status, BR_INVALID);
    kit_is(&kit, "ERROR: no node answered, so that nothing is known of the cluster\n");
    kit_done(&kit);
}
END_TEST

START_TEST(judge_no_tables)
{
    struct kit kit;
    kit_init(&kit, "", NULL);
    kit_nodes(&kit, 2);
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    ck_assert_uint_eq(kit.cluster.table_count, 0);
    ck_assert_uint_eq(kit.cluster.node_count, 2);
    kit_done(&kit);
}
END_TEST

START_TEST(judge_node_twice)
{
    struct kit kit;
    kit_init(&kit, "", NULL);
    kit_nodes(&kit, 2);
    kit_node(&kit, "10.0.0.1:34801", 0);
    kit_judge(&kit);
    ck_assert_int_eq(kit.status, BR_INVALID);
    kit_is(&kit, "ERROR: node(10.0.0.1:34801) stands in the node list more than once\n");
    kit_done(&kit);
}
END_TEST

/* Two names of one server; without an address nothing is known of that. */
START_TEST(judge_address_twice)
{
    uint64_t address = 0;
    struct kit kit;
    ck_assert(address_parse("10.0.0.9:34801", &address));
    kit_init(&kit, QUIET, NULL);
    kit_node(&kit, "one:34801", _i ? 0 : address);
    kit_node(&kit, "two:34801", 0);
    kit_node(&kit, "three:34801", _i ? 0 : address);
    kit_table_everywhere(&kit, 1, "t", 1);
    for (int32_t i = 0; i < 3; i++)
        kit_replica(&kit, i, 1, 0, 5, 9, 9);
    kit_judge(&kit);
    ck_assert_int_eq(kit.status, _i ? BR_OK : BR_INVALID);
    kit_is(&kit, _i ? ""
                    : "ERROR: node(one:34801) and node(three:34801) have the same "
                      "address(10.0.0.9:34801), so that one server would count twice; leave one "
                      "of the two out of the node list\n");
    kit_done(&kit);
}
END_TEST

START_TEST(judge_nodes_max)
{
    struct kit kit;
    kit_init(&kit, QUIET, NULL);
    kit_nodes(&kit, BR_NODES_MAX + (uint32_t) _i);
    kit_judge(&kit);
    ck_assert_int_eq(kit_pass(&kit), !_i);
    if (_i)
        kit_is(&kit, "ERROR: the node list has 4097 nodes, over the limit of 4096\n");
    kit_done(&kit);
}
END_TEST

/* -- Claims ------------------------------------------------------------------------------------ */

static char *judge_name_of(size_t size)
{
    char *name = mem_new(size + 1);
    memset(name, 'n', size);
    return name;
}

START_TEST(judge_bad_claim)
{
    char *longest = judge_name_of(BR_NAME_MAX);
    char *too_long = judge_name_of(BR_NAME_MAX + 1);
    const struct {
        const char *name, *type;
        bool good;
    } cases[] = {
        { longest, "pegasus", true },
        { too_long, "pegasus", false },
        { "", "pegasus", false },
        { NULL, "pegasus", false },
        { "a\nb", "pegasus", false },
        { "a\x7f", "pegasus", false },
        { "\xff", "pegasus", false },
        { "\xc3\xa9", "pegasus", true },
        { "\xed\xa0\x80", "x", false },
        { "\xc0\xaf", "x", false },
        { "\xf4\x90\x80\x80", "x", false },
        { "\xf0\x9f\x90\x8e", "x", true },
        { "\xe2\x82", "x", false },
        { "\xe0\x80\xaf", "x", false },
        { "\xf0\x80\x80\xaf", "x", false },
        { "\xf5\x80\x80\x80", "x", false },
        { "t", NULL, false },
        { "t", "", false },
        { "t", too_long, false },
    };
    struct kit kit;
    judge_whole(&kit, QUIET, NULL);
    for (int32_t i = 0; i < 3; i++) {
        kit.nodes[i].tables[0].name = cases[_i].name;
        kit.nodes[i].tables[0].type = cases[_i].type;
    }
    kit_judge(&kit);
    ck_assert_msg(kit_pass(&kit) == cases[_i].good, "%s", buf_string(&kit.text));
    if (!cases[_i].good) {
        ck_assert_ptr_nonnull(strstr(kit.text.data, "ERROR: node(10.0.0.3:34801) describes app(1) "
                                                    "with a "));
        ck_assert_ptr_nonnull(strstr(kit.text.data, "ERROR: app(1) has 6 replicas"));
    }
    kit_done(&kit);
    free(longest);
    free(too_long);
}
END_TEST

/* A name that cannot be made unique is told once, though another rename asks for a second round. */
START_TEST(judge_long_name_once)
{
    char *longest = judge_name_of(BR_NAME_MAX);
    struct kit kit;
    kit_init(&kit, QUIET, NULL);
    kit_nodes(&kit, 1);
    for (int32_t id = 1; id <= 4; id++) {
        kit_table(&kit, 0, id, id % 2 ? longest : "t", 1);
        kit_replica(&kit, 0, id, 0, 1, 1, 1);
        kit.nodes[0].tables[id - 1].replica_count = 1;
    }
    kit_judge(&kit);
    ck_assert(!kit_pass(&kit));
    ck_assert_str_eq(kit.cluster.tables[1].def.name, "t-2");
    const char *refusal = "ERROR: app(1)'s name is conflict with others, and with its id it would "
                          "be longer than 1024 bytes\n";
    const char *at = strstr(buf_string(&kit.text), refusal);
    ck_assert_ptr_nonnull(at);
    ck_assert_ptr_null(strstr(at + 1, refusal));
    ck_assert_uint_eq(kit.findings.refusals, 2); /* this, and that both are called the same */
    kit_done(&kit);
    free(longest);
}
END_TEST

START_TEST(judge_described_twice)
{
    struct kit kit;
    judge_whole(&kit, QUIET, NULL);
    kit_table(&kit, 1, 1, "other", 7);
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    kit_is(&kit, "WARNING: node(10.0.0.2:34801) describes app(1) more than once, the first "
                 "counts\n");
    kit_done(&kit);
}
END_TEST

START_TEST(judge_envs_max)
{
    uint32_t count = EVIDENCE_ENVS_MAX + (uint32_t) _i;
    const char **envs = mem_array(2 * count, sizeof *envs);
    struct kit kit;
    kit_init(&kit, QUIET, NULL);
    for (uint32_t i = 0; i < 2 * count; i++)
        envs[i] = "x";
    kit_nodes(&kit, 1);
    *kit_table(&kit, 0, 1, "t", 1) = (struct br_table){ .id = 1,
                                                        .name = "t",
                                                        .type = "x",
                                                        .partition_count = 1,
                                                        .replica_count = 1,
                                                        .status = BR_TABLE_AVAILABLE,
                                                        .env_count = count,
                                                        .envs = envs };
    kit_replica(&kit, 0, 1, 0, 1, 1, 1);
    kit_judge(&kit);
    ck_assert_int_eq(kit_pass(&kit), !_i);
    if (_i)
        kit_has(&kit, "ERROR: node(10.0.0.1:34801) describes app(1) with more than 4096 "
                      "environments, and no node describes it better");
    kit_done(&kit);
    free(envs);
}
END_TEST

/* A transport's fault: environments without text. */
START_TEST(judge_envs_without_text)
{
    static const char *const without_value[] = { "a", "1", "b", NULL };
    struct kit kit;
    judge_whole(&kit, QUIET, NULL);
    for (int i = 0; i < 3; i++) {
        kit.nodes[i].tables[0].env_count = 2;
        kit.nodes[i].tables[0].envs = _i ? without_value : NULL;
    }
    kit_judge(&kit);
    ck_assert(!kit_pass(&kit));
    ck_assert_ptr_nonnull(
        strstr(kit.text.data, "describes app(1) with an environment without text"));
    kit_done(&kit);
}
END_TEST

/* What could not be read back from the store may only go with a consent. */
START_TEST(judge_bad_envs)
{
    static const char *const envs[] = { "a", "1", "b", "\xff", "\xc3", "2", "d", "\xc3\xa9" };
    static const char *const consents[] = { "drop_bad_envs", NULL };
    struct kit kit;
    judge_whole(&kit, QUIET, _i ? consents : NULL);
    for (int32_t i = 0; i < 3; i++) {
        kit.nodes[i].tables[0].envs = envs;
        kit.nodes[i].tables[0].env_count = 4;
    }
    kit_judge(&kit);
    ck_assert_int_eq(kit_pass(&kit), _i);
    const struct br_table *def = &kit.cluster.tables[0].def;
    ck_assert_uint_eq(def->env_count, 2);
    ck_assert_str_eq(def->envs[2], "d");
    kit_is(&kit,
           _i ? "WARNING: app(1)'s environment 2 is not UTF-8, it is left out\n"
                "WARNING: app(1)'s environment 3 is not UTF-8, it is left out\n"
              : "ERROR: app(1)'s environment 2 is not UTF-8, so that it could not be read "
                "back, you can leave it out by the consent drop_bad_envs (recovery.consents)\n"
                "ERROR: app(1)'s environment 3 is not UTF-8, so that it could not be read "
                "back, you can leave it out by the consent drop_bad_envs (recovery.consents)\n");
    kit_done(&kit);
}
END_TEST

/* A map read twice a key: the record has it once, and reads back as it was planned. */
START_TEST(judge_env_twice)
{
    static const char *const envs[] = { "b", "1", "a", "2", "b", "3", "b", "4" };
    struct kit kit;
    judge_whole(&kit, QUIET, NULL);
    for (int32_t i = 0; i < 3; i++) {
        kit.nodes[i].tables[0].envs = envs;
        kit.nodes[i].tables[0].env_count = 4;
    }
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    const struct br_table *def = &cluster_table(&kit.cluster, 1)->def;
    ck_assert_uint_eq(def->env_count, 2);
    ck_assert_str_eq(def->envs[0], "a");
    ck_assert_str_eq(def->envs[2], "b");
    ck_assert_str_eq(def->envs[3], "4");
    kit_is(&kit, "WARNING: app(1) is reported with 2 environments whose key stands there again, "
                 "the last of each counts\n");
    kit_done(&kit);
}
END_TEST

/* -- Replicas ---------------------------------------------------------------------------------- */

START_TEST(judge_replica_id)
{
    struct kit kit;
    judge_whole(&kit, QUIET, NULL);
    kit_replica(&kit, 2, _i ? BR_TABLE_ID_MAX + 1 : -7, 3, 1, 1, 1);
    kit_judge(&kit);
    ck_assert(!kit_pass(&kit));
    kit_has(&kit,
            _i ? "ERROR: node(10.0.0.3:34801) holds a replica of partition(65537.3), whose "
                 "table id is not between 1 and 65536; leave the node out of the list to "
                 "recover without it"
               : "ERROR: node(10.0.0.3:34801) holds a replica of partition(-7.3), whose table "
                 "id is not between 1 and 65536; leave the node out of the list to recover "
                 "without it");
    kit_done(&kit);
}
END_TEST

START_TEST(judge_replicas_max)
{
    struct kit kit;
    uint32_t count = BR_REPLICAS_MAX + (uint32_t) _i;
    kit_init(&kit, QUIET, NULL);
    kit_nodes(&kit, count);
    kit_table_everywhere(&kit, 1, "t", 1);
    for (int32_t i = 0; i < (int32_t) count; i++)
        kit_replica(&kit, i, 1, 0, 1, 1, 1);
    kit_judge(&kit);
    ck_assert_int_eq(kit_pass(&kit), !_i);
    ck_assert_str_eq(kit_group(&kit, 1, 0), _i ? "-" : "1,3,2");
    if (_i)
        kit_is(&kit, "ERROR: partition(1.0) is reported by 65 nodes, over the limit of 64\n");
    kit_done(&kit);
}
END_TEST

/* As many drops as can be. */
START_TEST(judge_drops_max)
{
    struct kit kit;
    kit_init(&kit, "mode: historical\n", NULL);
    kit_nodes(&kit, 20);
    kit_table_everywhere(&kit, 1, "t", 1);
    for (int32_t i = 0; i < 20; i++) {
        kit.nodes[i].tables[0].replica_count = BR_DROPS_MAX + 1;
        kit_replica(&kit, i, 1, 0, 1, 1, 1);
    }
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    ck_assert_str_eq(kit_group(&kit, 1, 0), "1,16,15,14,13,12,11,10,9,8,7,6,5,4,3,2");
    kit_done(&kit);
}
END_TEST

/* A dropped table's replicas are neither judged nor complained of. */
START_TEST(judge_dropped_table)
{
    struct kit kit;
    judge_whole(&kit, QUIET "unavailable: drop\n", NULL);
    for (int32_t i = 0; i < 3; i++)
        kit.nodes[i].tables[0].status = BR_TABLE_DROPPED;
    kit_replica(&kit, 0, 1, 99, -1, 1, 1);
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    kit_is(&kit, "");
    ck_assert_str_eq(kit_group(&kit, 1, 1), "-");
    ck_assert_int_eq(kit.cluster.tables[0].partitions[1].ballot, 0);
    ck_assert_uint_eq(kit.cluster.tables[0].partitions[1].flags, 0);
    kit_done(&kit);
}
END_TEST

/* -- Rows as a transport may give them --------------------------------------------------------- */

START_TEST(judge_rows_of_another_node)
{
    struct kit kit;
    judge_whole(&kit, QUIET, NULL);
    kit.nodes[1].tables[0].node = _i ? 1000000 : 0;
    kit.nodes[2].replicas[0].node = _i ? -1 : 0;
    kit_judge(&kit);
    ck_assert(!kit_pass(&kit));
    kit_has(&kit, "ERROR: the transport gave a table of another node for node(10.0.0.2:34801)");
    kit_has(&kit, "ERROR: the transport gave a replica of another node for node(10.0.0.3:34801)");
    kit_done(&kit);
}
END_TEST

START_TEST(judge_rows_of_another_kind)
{
    struct kit kit;
    const struct br_chunk odd = {
        .kind = BR_ROW_NAME, .row_size = 8, .count = 1, .rows = "12345678"
    };
    judge_whole(&kit, QUIET, NULL);
    kit_judge(&kit);
    buf_clear(&kit.text);
    cluster_done(&kit.cluster);
    kit.survey.nodes[1].replicas = &odd;
    kit_judge(&kit);
    ck_assert(!kit_pass(&kit));
    kit_has(&kit, "ERROR: the transport gave rows of another kind for node(10.0.0.2:34801)");
    kit_done(&kit);
}
END_TEST

/* A transport of another minor version has rows of another size: shorter or longer ones. */
START_TEST(judge_rows_of_another_size)
{
    struct kit kit;
    size_t size = _i ? sizeof(struct br_replica) + 24
                     : offsetof(struct br_replica, type); /* knew no strings */
    judge_whole(&kit, QUIET, NULL);
    kit_judge(&kit);
    buf_clear(&kit.text);
    cluster_done(&kit.cluster);
    char *rows = mem_array(2, size);
    size_t both = size < sizeof(struct br_replica) ? size : sizeof(struct br_replica);
    for (size_t i = 0; i < 2; i++) {
        kit.nodes[1].replicas[i].ballot = 8;
        memcpy(rows + i * size, &kit.nodes[1].replicas[i], both);
    }
    const struct br_chunk first = {
        .kind = BR_ROW_REPLICA, .row_size = (uint32_t) size, .count = 1, .rows = rows + size
    };
    const struct br_chunk second = { .next = &first,
                                     .kind = BR_ROW_REPLICA,
                                     .row_size = (uint32_t) size,
                                     .count = 1,
                                     .rows = rows };
    kit.survey.nodes[1].replicas = &second;
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    ck_assert_str_eq(kit_group(&kit, 1, 0), "2,3,1");
    ck_assert_str_eq(kit_group(&kit, 1, 1), "2,3,1");
    kit_done(&kit);
    free(rows);
}
END_TEST

/* -- The order of the report ------------------------------------------------------------------- */

START_TEST(judge_report_order)
{
    static const char *const consents[] = { "skip_bad_nodes", "skip_lost_partitions", NULL };
    struct kit kit;
    judge_whole(&kit, "", consents);
    kit_table_everywhere(&kit, 2, "t", 1);
    kit_silent(&kit, 2, "ERR_NETWORK_FAILURE");
    survey_find(&kit.survey, &kit.findings);
    kit_judge(&kit);
    ck_assert(kit_pass(&kit));
    kit_is(&kit,
           "WARNING: collect app and replica info from node(10.0.0.3:34801) failed with "
           "err(ERR_NETWORK_FAILURE), skip the bad node\n"
           "WARNING: app(1)'s environments are known only as far as node(10.0.0.1:34801) still had "
           "them (0), check them with get_app_envs\n"
           "WARNING: app(2)'s environments are known only as far as node(10.0.0.1:34801) still had "
           "them (0), check them with get_app_envs\n"
           "WARNING: app(1)'s old name(t) is conflict with others, rename it to (t-1)\n"
           "WARNING: partition(1.0) only collects 2/3 of replicas, may lost data\n"
           "WARNING: partition(1.1) only collects 2/3 of replicas, may lost data\n"
           "WARNING: partition(2.0) has no replica collected, force recover the lost partition to "
           "empty\n");
    kit_done(&kit);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("judge");
    tcase_add_test(tcase, judge_silent_node);
    tcase_add_loop_test(tcase, judge_nobody, 0, 3);
    tcase_add_test(tcase, judge_no_tables);
    tcase_add_test(tcase, judge_node_twice);
    tcase_add_loop_test(tcase, judge_address_twice, 0, 2);
    tcase_add_loop_test(tcase, judge_nodes_max, 0, 2);
    tcase_add_loop_test(tcase, judge_bad_claim, 0, 19);
    tcase_add_test(tcase, judge_long_name_once);
    tcase_add_test(tcase, judge_described_twice);
    tcase_add_loop_test(tcase, judge_envs_max, 0, 2);
    tcase_add_loop_test(tcase, judge_envs_without_text, 0, 2);
    tcase_add_loop_test(tcase, judge_bad_envs, 0, 2);
    tcase_add_test(tcase, judge_env_twice);
    tcase_add_loop_test(tcase, judge_replica_id, 0, 2);
    tcase_add_loop_test(tcase, judge_replicas_max, 0, 2);
    tcase_add_test(tcase, judge_drops_max);
    tcase_add_test(tcase, judge_dropped_table);
    tcase_add_loop_test(tcase, judge_rows_of_another_node, 0, 2);
    tcase_add_test(tcase, judge_rows_of_another_kind);
    tcase_add_loop_test(tcase, judge_rows_of_another_size, 0, 2);
    tcase_add_test(tcase, judge_report_order);
    return test_run("judge", tcase, judge_aborts(), judge_bad_policy(), judge_random(), NULL);
}
