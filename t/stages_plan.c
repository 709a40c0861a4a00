/* stages_plan -- a plan from a survey: the same bytes each time, whole after reading, and refused
 * where it was changed.
 */
#include "t/stages.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

static const char *const both[] = { "skip_bad_nodes", "skip_lost_partitions", NULL };

void stages_tool(struct tool *tool, const char *const *sets)
{
    struct fail fail = { 0 };
    br_status status = tool_init(tool, NULL, sets, &fail);
    if (status == BR_OK)
        status = plugin_open(&tool->policy, tool->loop, &bridle_policy_pegasus, "policy",
                             yaml_get(tool->config.root, "policy"), &fail);
    ck_assert_msg(status == BR_OK, "%s", fail.text);
}

void stages_plan(struct stage_plan *plan, struct tool *tool, struct kit *kit,
                 const char *const *consents)
{
    struct fail fail = { 0 };
    struct buf text = stages_put(&kit->survey);
    struct survey *survey = stages_parse(text.data, &fail);
    ck_assert_msg(survey, "%s", fail.text);
    const struct stage_judging judging = { .tool = tool, .consents = consents };
    br_status status = stage_plan_make(plan, survey, &judging, &fail);
    ck_assert_msg(status == BR_OK, "%s", fail.text);
    buf_done(&text);
}

struct fixture {
    struct kit kit;
    struct tool tool;
    struct stage_plan plan;
    struct buf text;
};

static void fixture_init(struct fixture *fixture, const char *const *consents)
{
    static const char *const sets[] = { "meta_server.cluster_root=/pegasus//c1/",
                                        "replication.cluster_name=c1", "policy.ties=first", NULL };
    *fixture = (struct fixture){ .text = { 0 } };
    kit_init(&fixture->kit, "", NULL);
    stages_cluster(&fixture->kit);
    stages_tool(&fixture->tool, sets);
    stages_plan(&fixture->plan, &fixture->tool, &fixture->kit, consents);
    stage_plan_put(&fixture->plan, &fixture->text);
}

static void fixture_done(struct fixture *fixture)
{
    buf_done(&fixture->text);
    stage_plan_done(&fixture->plan);
    tool_done(&fixture->tool);
    kit_done(&fixture->kit);
}

static br_status plan_parse(struct stage_plan *plan, const char *text, struct fail *fail)
{
    char *copy = mem_text(text);
    br_status status = stage_plan_parse(plan, "p.json", copy, strlen(copy), fail);
    free(copy);
    return status;
}

START_TEST(plan_round_trip)
{
    struct fixture one, other;
    struct stage_plan read;
    struct fail fail = { 0 };
    struct buf again = { 0 };
    fixture_init(&one, both);
    fixture_init(&other, both);
    ck_assert_str_eq(one.text.data, other.text.data);
    ck_assert_msg(plan_parse(&read, one.text.data, &fail) == BR_OK, "%s", fail.text);
    stage_plan_put(&read, &again);
    ck_assert_str_eq(one.text.data, again.data);
    ck_assert_str_eq(read.root, "/pegasus/c1");
    ck_assert_str_eq(read.cluster_name, "c1");
    ck_assert_str_eq(read.policy, "pegasus");
    ck_assert_str_eq(read.policy_options[0], "ties");
    ck_assert_str_eq(read.policy_options[1], "first");
    ck_assert_uint_eq(read.cluster.table_count, 3);
    buf_done(&again);
    stage_plan_done(&read);
    fixture_done(&one);
    fixture_done(&other);
}
END_TEST

/* The plan is judge's and recovery/plan's, nothing of its own. */
START_TEST(plan_is_judged)
{
    struct fixture fixture;
    struct plan plan;
    fixture_init(&fixture, NULL);
    kit_judge(&fixture.kit);
    ck_assert(!fixture.plan.passes); /* 1.3 is lost */
    plan_make(&plan, &fixture.kit.cluster, "/pegasus/c1", LAYOUT_25);
    ck_assert_str_eq(fixture.plan.plan.hash, plan.hash);
    fixture_done(&fixture);
    static const char *const sets[] = { "meta_server.cluster_root=/pegasus/c1", NULL };
    struct kit kit;
    struct tool tool;
    struct stage_plan again;
    kit_init(&kit, "", NULL);
    stages_cluster(&kit);
    stages_tool(&tool, sets);
    stages_plan(&again, &tool, &kit, both);
    ck_assert(again.passes);
    ck_assert_str_eq(again.plan.hash, plan.hash);
    stage_plan_done(&again);
    tool_done(&tool);
    kit_done(&kit);
}
END_TEST

START_TEST(plan_sources)
{
    struct fixture fixture;
    fixture_init(&fixture, both);
    const char *const *sources = fixture.plan.sources[0];
    ck_assert_str_eq(stage_source(sources, "app_name"), "node 10.0.0.1:34801 (3 of 3 agree)");
    ck_assert_str_eq(stage_source(sources, "app_id"), "inferred: its place");
    ck_assert_str_eq(stage_source(fixture.plan.sources[1], "app_name"),
                     "default: no server reports this id, so its place is held");
    ck_assert_ptr_nonnull(strstr(fixture.plan.lost.data, "{\"what\":\"environments\""));
    ck_assert_ptr_nonnull(strstr(fixture.plan.lost.data, "placeholders; ids above the highest one "
                                                         "that is known are given again: tables "
                                                         "2\"}"));
    ck_assert_ptr_nonnull(strstr(fixture.plan.lost.data, "backup policies"));
    fixture_done(&fixture);
}
END_TEST

START_TEST(plan_summary)
{
    static const char *const lines[] = {
        "cluster   c1, into /pegasus/c1, layout 2.5\n",
        "servers   3 of 3 answered, 13 replicas\n",
        "          1 of them say that they serve: a recovery keeps their groups as they are",
        "tables    2, and 1 dropped ones or placeholders; 10 records\n",
        "partitions 4 whole, 1 short of replicas, 1 lost\n",
        "       1  users                             4        3        0        1\n",
        "\nnext:     accept the losses above: bridle plan ... --skip_lost_partitions\n",
    };
    struct fixture fixture;
    struct buf page = { 0 };
    fixture_init(&fixture, NULL);
    stage_plan_summary(&fixture.plan, "p.json", &page);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_msg(strstr(page.data, lines[i]), "no %s in\n%s", lines[i], page.data);
    buf_clear(&page);
    stage_plan_summary_json(&fixture.plan, &page);
    ck_assert_ptr_nonnull(strstr(page.data, "\"whole\":4,\"short\":1,\"lost\":1,\"refusals\":0,"
                                            "\"losses\":1,"));
    buf_done(&page);
    fixture_done(&fixture);
}
END_TEST

/* One field changed by hand: what is put in the place of what, and the sentence. */
static const struct {
    const char *from, *to, *sentence;
} changes[] = {
    { "[7,2,[0,1]]", "[8,2,[0,1]]", "do not have the hash that it says" },
    { "[7,2,[0,1]]", "[7,3,[0,1]]", "names a node that is not there" },
    { "[7,2,[0,1]]", "[7,2,[0,4096]]", "a whole number from 0 to 4095" },
    { "[7,2,[0,1]]", "[7,2,[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]]", "more than 15 last_drops" },
    { "\"name\":\"users\"", "\"name\":\"losers\"", "do not have the hash that it says" },
    { "\"partition_count\":4", "\"partition_count\":5", "table 1 has 4 of 5 partitions" },
    { "\"partition_count\":4", "\"partition_count\":3", "more partitions than partition_count" },
    { "\"root\":\"/pegasus/c1\"", "\"root\":\"/pegasus/c2\"", "do not have the hash" },
    { "\"root\":\"/pegasus/c1\"", "\"root\":\"../x\"", "the root is no path" },
    { "\"layout\":\"2.5\"", "\"layout\":\"2.6\"", "do not have the hash" },
    { "\"layout\":\"2.5\"", "\"layout\":\"3\"", "a layout is 2.5 or 2.6" },
    { "bridle plan", "bridle plum", "this is no plan" },
    { "\"passes\":true", "\"passes\":maybe", "true or false is expected" },
    { "\"severity\":\"warning\"", "\"severity\":\"fine\"", "a severity is note" },
    { "{\"id\":2,", "{\"id\":1,", "tables stand by ascending id" },
    { "10.0.0.2:34801\",\"address", "10.0.0.1:34801\",\"address", "stands there twice" },
};

START_TEST(plan_changed)
{
    struct fixture fixture;
    struct stage_plan read;
    struct fail fail = { 0 };
    struct buf text = { 0 };
    fixture_init(&fixture, both);
    const char *whole = fixture.text.data;
    const char *at = strstr(whole, changes[_i].from);
    ck_assert_ptr_nonnull(at);
    buf_put(&text, whole, (size_t) (at - whole));
    buf_text(&text, changes[_i].to);
    buf_text(&text, at + strlen(changes[_i].from));
    ck_assert_int_eq(plan_parse(&read, text.data, &fail), BR_CORRUPT);
    ck_assert_msg(strstr(fail.text, changes[_i].sentence), "%s", fail.text);
    stage_plan_done(&read);
    buf_done(&text);
    fixture_done(&fixture);
}
END_TEST

START_TEST(plan_cut)
{
    struct fixture fixture;
    struct stage_plan read;
    struct fail fail = { 0 };
    fixture_init(&fixture, both);
    for (size_t i = 0; i + 2 < fixture.text.size; i++) {
        char *copy = strndup(fixture.text.data, i);
        ck_assert_int_ne(stage_plan_parse(&read, "p.json", copy, i, &fail), BR_OK);
        stage_plan_done(&read);
        free(copy);
        copy = mem_text(fixture.text.data);
        copy[i] = (char) (copy[i] ^ (1 << (i % 7)));
        stage_plan_parse(&read, "p.json", copy, fixture.text.size, &fail);
        stage_plan_done(&read);
        free(copy);
    }
    fixture_done(&fixture);
}
END_TEST

/* Nobody answered: no plan at all, and why. */
START_TEST(plan_none)
{
    struct kit kit;
    struct tool tool;
    struct stage_plan plan;
    struct fail fail = { 0 };
    kit_init(&kit, "", NULL);
    kit_nodes(&kit, 2);
    for (int i = 0; i < 2; i++)
        kit_silent(&kit, i, "ERR_TIMEOUT");
    kit_pack(&kit.survey, kit.nodes);
    stages_tool(&tool, NULL);
    struct buf text = stages_put(&kit.survey);
    const struct stage_judging judging = { .tool = &tool };
    br_status status = stage_plan_make(&plan, stages_parse(text.data, &fail), &judging, &fail);
    ck_assert_int_eq(status, BR_INVALID);
    ck_assert_str_eq(fail.text, "ERROR: no node answered, so that nothing is known of the cluster");
    ck_assert_uint_eq(plan.finding_count, 3);
    buf_done(&text);
    stage_plan_done(&plan);
    tool_done(&tool);
    kit_done(&kit);
}
END_TEST

TCase *stages_plan_cases(void)
{
    TCase *tcase = tcase_create("plan");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, plan_round_trip);
    tcase_add_test(tcase, plan_is_judged);
    tcase_add_test(tcase, plan_sources);
    tcase_add_test(tcase, plan_summary);
    tcase_add_loop_test(tcase, plan_changed, 0, sizeof changes / sizeof *changes);
    tcase_add_test(tcase, plan_cut);
    tcase_add_test(tcase, plan_none);
    return tcase;
}
