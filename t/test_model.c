/* test_model -- findings, the cluster's arrays, and Pegasus's records both ways. */
#include <stdio.h>
#include <string.h>

#include "host/model/finding.h"
#include "host/rdsn/address.h"
#include "host/rdsn/frame.h"
#include "t/model.h"

/* -- Findings ---------------------------------------------------------------------------------- */

static void model_find(struct findings *findings, int group, int32_t severity, const char *consent,
                       const char *consented, const char *text)
{
    struct br_subject subject = { -1, -1, -1, severity, consent, consented };
    findings->group = group;
    findings_add(findings, &subject, "%s", text);
}

static void model_report(const struct findings *findings, const char *lines)
{
    struct buf buf = { 0 };
    findings_put(findings, &buf);
    ck_assert_str_eq(buf_string(&buf), lines);
    buf_done(&buf);
}

START_TEST(findings_order)
{
    struct findings findings;
    findings_init(&findings, NULL);
    model_report(&findings, "");
    model_find(&findings, FINDING_PARTITION, BR_WARNING, NULL, NULL, "p1");
    model_find(&findings, FINDING_NAME, BR_WARNING, NULL, NULL, "n1");
    model_find(&findings, FINDING_PARTITION, BR_WARNING, NULL, NULL, "p2");
    model_find(&findings, FINDING_NODE, BR_WARNING, NULL, NULL, "o1");
    model_find(&findings, FINDING_NAME, BR_WARNING, NULL, NULL, "n2");
    model_report(&findings, "o1\nn1\nn2\np1\np2\n");
    ck_assert(findings_pass(&findings));
    findings_done(&findings);
}
END_TEST

static const struct model_weight {
    int32_t severity;
    const char *consent, *consented, *given, *line;
    bool pass;
} model_weights[] = {
    { BR_NOTE, NULL, NULL, NULL, "", true }, /* for the log alone */
    { BR_NOTE, "c", NULL, NULL, "", true },
    { BR_WARNING, NULL, NULL, NULL, "text\n", true },
    { BR_REFUSAL, NULL, NULL, NULL, "text\n", false },
    { BR_REFUSAL, "a", "yes", "a", "text\n", false },
    { BR_LOSS, "a", "yes", NULL, "text\n", false },
    { BR_LOSS, "a", "yes", "b", "text\n", false },
    { BR_LOSS, "a", "yes", "a", "yes\n", true },
    { BR_LOSS, "a", NULL, "a", "text\n", true },
    { BR_LOSS, "a", "", "a", "", true },
    { BR_LOSS, NULL, "yes", "a", "text\n", false },
    { BR_LOSS, "", "yes", "", "text\n", false },
    { 77, NULL, NULL, NULL, "text\n", false },
};

START_TEST(findings_weight)
{
    const struct model_weight *at = &model_weights[_i];
    const char *const consents[] = { "other", at->given, NULL };
    struct findings findings;
    findings_init(&findings, consents);
    model_find(&findings, FINDING_NAME, at->severity, at->consent, at->consented, "text");
    ck_assert_int_eq(findings_pass(&findings), at->pass);
    ck_assert_uint_eq(findings.count, 1);
    model_report(&findings, at->line);
    findings_done(&findings);
}
END_TEST

/* What a finding says came from the network: one line stays one line. */
START_TEST(findings_one_line)
{
    struct findings findings;
    char large[2 * BR_FINDING_TEXT_MAX];
    findings_init(&findings, NULL);
    model_find(&findings, FINDING_NODE, BR_WARNING, NULL, NULL, "a\nERROR: b\x7f\t");
    model_report(&findings, "a?ERROR: b??\n");
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    findings.sink.find(&findings.sink, &(struct br_subject){ .severity = BR_WARNING }, large);
    ck_assert_uint_eq(strlen(findings.first[FINDING_NODE]->next->text), BR_FINDING_TEXT_MAX);
    findings_done(&findings);
}
END_TEST

START_TEST(findings_max)
{
    struct findings findings;
    struct buf buf = { 0 };
    struct br_subject warning = { .severity = BR_WARNING };
    findings_init(&findings, NULL);
    for (int i = 0; i < FINDINGS_MAX; i++)
        findings.sink.find(&findings.sink, &warning, "x");
    ck_assert_uint_eq(findings.left_out, 0);
    ck_assert(findings_pass(&findings));
    model_find(&findings, FINDING_NODE, BR_REFUSAL, NULL, NULL, "y");
    ck_assert_uint_eq(findings.left_out, 0);
    for (int i = 0; i < FINDINGS_STOP_MAX; i++)
        model_find(&findings, FINDING_NODE, BR_LOSS, "c", NULL, "y");
    findings.sink.find(&findings.sink, &warning, "x");
    ck_assert_uint_eq(findings.left_out, 2);
    ck_assert_uint_eq(findings.refusals, 1);
    ck_assert_uint_eq(findings.losses, FINDINGS_STOP_MAX);
    ck_assert(!findings_pass(&findings));
    findings_put(&findings, &buf);
    const char *last = "\ny\nWARNING: 2 more findings are not listed\n";
    ck_assert_str_eq(buf.data + buf.size - strlen(last), last);
    buf_done(&buf);
    findings_done(&findings);
}
END_TEST

/* Whatever is found, all of it fits one answer, and what stops the recovery is among it. */
START_TEST(findings_bytes_max)
{
    struct findings findings;
    struct buf buf = { 0 };
    struct br_subject warning = { .severity = BR_WARNING };
    char large[BR_FINDING_TEXT_MAX + 1];
    memset(large, 'x', BR_FINDING_TEXT_MAX);
    large[BR_FINDING_TEXT_MAX] = '\0';
    findings_init(&findings, NULL);
    for (uint32_t i = 0; i < FRAME_BODY_MAX / sizeof large + 1; i++)
        findings.sink.find(&findings.sink, &warning, large);
    ck_assert_uint_eq(findings.kept, FINDINGS_BYTES_MAX / sizeof large);
    ck_assert_uint_eq(findings.left_out, findings.count - findings.kept);
    model_find(&findings, FINDING_PARTITION, BR_REFUSAL, NULL, NULL, "y");
    findings_put(&findings, &buf);
    ck_assert_uint_lt(buf.size, FRAME_BODY_MAX);
    ck_assert_ptr_nonnull(strstr(buf.data, "\ny\nWARNING: "));
    buf_done(&buf);
    findings_done(&findings);
}
END_TEST

/* -- Cluster ----------------------------------------------------------------------------------- */

START_TEST(cluster_nodes)
{
    static const char *const names[] = { "m:1", "a:1", "z:1", "b:1", "a:10" };
    struct cluster cluster;
    cluster_init(&cluster);
    for (int32_t i = 0; i < 5; i++)
        ck_assert_int_eq(cluster_node_add(&cluster, names[i], 0), i);
    for (int32_t i = 0; i < 5; i++) {
        ck_assert_int_eq(cluster_node(&cluster, names[i]), i);
        ck_assert_int_eq(cluster_node_add(&cluster, names[i], address_make(1, 2)), i);
        ck_assert_str_eq(cluster.nodes[i].address_text, "0.0.0.1:2");
    }
    ck_assert_int_eq(cluster_node_add(&cluster, "a:1", address_make(9, 9)), 1);
    ck_assert_uint_eq(cluster.nodes[1].address, address_make(1, 2));
    ck_assert_int_eq(cluster_node(&cluster, "c:1"), -1);
    ck_assert_uint_eq(cluster.node_count, 5);
    cluster_done(&cluster);
}
END_TEST

START_TEST(cluster_nodes_max)
{
    struct cluster cluster;
    char name[32];
    cluster_init(&cluster);
    for (int32_t i = 0; i < BR_NODES_MAX; i++) {
        snprintf(name, sizeof name, "h%d:1", i * 7919 % BR_NODES_MAX);
        ck_assert_int_eq(cluster_node_add(&cluster, name, 0), i);
    }
    ck_assert_int_eq(cluster_node_add(&cluster, "one:1", 0), -1);
    ck_assert_int_eq(cluster_node_add(&cluster, "h0:1", 0), 0);
    for (int32_t i = 0; i < BR_NODES_MAX; i++) {
        snprintf(name, sizeof name, "h%d:1", i * 7919 % BR_NODES_MAX);
        ck_assert_int_eq(cluster_node(&cluster, name), i);
    }
    cluster_done(&cluster);
}
END_TEST

START_TEST(cluster_tables)
{
    struct table tables[] = {
        { .def = { .id = 1, .name = "a", .status = BR_TABLE_DROPPED, .partition_count = 1 } },
        { .def = { .id = 3, .name = "a", .status = BR_TABLE_AVAILABLE, .partition_count = 8 } },
        { .def = { .id = 7, .name = "a", .status = BR_TABLE_DROPPED, .partition_count = 2 } },
        { .def = { .id = 8, .name = "b", .status = BR_TABLE_DROPPED, .partition_count = 2 } },
        { .def = { .id = 9, .name = "b", .status = BR_TABLE_DROPPED, .partition_count = 2 } },
    };
    struct cluster cluster;
    cluster_init(&cluster);
    ck_assert_ptr_null(cluster_table(&cluster, 1));
    cluster.tables = tables;
    cluster.table_count = 5;
    ck_assert_ptr_eq(cluster_table(&cluster, 1), &tables[0]);
    ck_assert_ptr_eq(cluster_table(&cluster, 9), &tables[4]);
    ck_assert_ptr_null(cluster_table(&cluster, 2));
    ck_assert_ptr_null(cluster_table(&cluster, 10));
    ck_assert_ptr_eq(cluster_table_named(&cluster, "a"), &tables[1]);
    ck_assert_ptr_eq(cluster_table_named(&cluster, "b"), &tables[4]);
    ck_assert_ptr_null(cluster_table_named(&cluster, "c"));
    ck_assert_uint_eq(cluster_partition_count(&cluster), 15);
    cluster_done(&cluster);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("model");
    tcase_add_test(tcase, findings_order);
    tcase_add_loop_test(tcase, findings_weight, 0, sizeof model_weights / sizeof *model_weights);
    tcase_add_test(tcase, findings_one_line);
    tcase_add_test(tcase, findings_max);
    tcase_add_test(tcase, findings_bytes_max);
    tcase_add_test(tcase, cluster_nodes);
    tcase_add_test(tcase, cluster_nodes_max);
    tcase_add_test(tcase, cluster_tables);
    tcase_set_timeout(tcase, 60);
    return test_run("model", tcase, model_layout(), model_golden(), model_quick(), NULL);
}
