/* stages_explain -- why: the rule for each way in which candidates can differ, and what follows. */
#include "t/stages.h"

#include <string.h>

#include "host/stage/explain.h"

static const char *const both[] = { "skip_bad_nodes", "skip_lost_partitions", "pass_over_replicas",
                                    NULL };

/* Two replicas of 1.0, of the first and the second server: role, ballot, committed, prepared. */
static const struct {
    int64_t one[4], other[4];
    const char *sets;
    const char *lines[3];
} rows[] = {
    { { 1, 7, 10, 12 },
      { 1, 6, 20, 22 },
      NULL,
      { "primary   10.0.0.1:34801", "the ballot: 7 against 6 of 10.0.0.2:34801, which comes next",
        "a ballot above 7, or with that ballot and a committed decree above 10; 0 silent" } },
    { { 2, 7, 10, 12 },
      { 1, 7, 9, 12 },
      NULL,
      { "primary   10.0.0.2:34801", "the status: INACTIVE against ERROR of 10.0.0.1:34801",
        "without 10.0.0.2:34801: the primary is 10.0.0.1:34801\n" } },
    { { 1, 7, 10, 12 },
      { 1, 7, 11, 12 },
      NULL,
      { "primary   10.0.0.2:34801", "the committed decree: 11 against 10 of 10.0.0.1:34801",
        "without 10.0.0.2:34801 and 10.0.0.1:34801: lost\n" } },
    { { 1, 7, 10, 14 },
      { 1, 7, 10, 12 },
      NULL,
      { "primary   10.0.0.1:34801", "the prepared one: 14 against 12",
        "10.0.0.2:34801           INACTIVE                    7         10         12         10  "
        "last_drops 1 of 1\n" } },
    { { 1, 7, 10, 12 },
      { 3, 7, 10, 12 },
      NULL,
      { "primary   10.0.0.2:34801", "of equal ones, who reports itself primary", "PRIMARY" } },
    { { 1, 7, 10, 12 },
      { 1, 7, 10, 12 },
      NULL,
      { "primary   10.0.0.1:34801", "equal ones: list order", "only collects 2/3 of replicas" } },
    { { 2, 7, 10, 12 },
      { 1, 7, 9, 12 },
      "policy.mode=historical",
      { "primary   10.0.0.1:34801", "that one has more, and the policy passed it over",
        "\"primary\":\"10.0.0.1:34801\"" } },
};

static struct br_replica *put_replica(struct kit *kit, int32_t node, const int64_t *of)
{
    struct br_replica *replica = kit_replica(kit, node, 1, 0, of[1], of[2], of[3]);
    replica->role = (br_role) of[0];
    return replica;
}

START_TEST(explain_rules)
{
    const char *const sets[] = { rows[_i].sets, NULL };
    struct kit kit;
    struct tool tool;
    struct stage_plan plan;
    struct fail fail = { 0 };
    struct buf text = { 0 };
    kit_init(&kit, "", NULL);
    kit_nodes(&kit, 2);
    kit_table_everywhere(&kit, 1, "users", 1);
    put_replica(&kit, 0, rows[_i].one);
    put_replica(&kit, 1, rows[_i].other);
    kit_pack(&kit.survey, kit.nodes);
    for (int i = 0; i < 2; i++)
        kit.survey.nodes[i].answered_at = BR_SECOND;
    stages_tool(&tool, sets);
    stages_plan(&plan, &tool, &kit, both);
    br_status status = stage_explain(&plan, &tool, 1, 0, false, &text, &fail);
    ck_assert_msg(status == BR_OK, "%s", fail.text);
    for (int i = 0; i < 3; i++)
        ck_assert_msg(strstr(text.data, rows[_i].lines[i]), "no %s in\n%s", rows[_i].lines[i],
                      text.data);
    buf_done(&text);
    stage_plan_done(&plan);
    tool_done(&tool);
    kit_done(&kit);
}
END_TEST

START_TEST(explain_places)
{
    static const struct {
        int32_t id, index;
        const char *line, *sentence;
    } places[] = {
        { 1, 3, "no server that answered holds a replica of it: it starts empty", NULL },
        { 1, 3, "any replica of it would be taken; 0 silent servers may hold one", NULL },
        { 3, 1, "it is the only replica that anybody reported", NULL },
        { 2, 0, "the table is written as dropped", NULL },
        { 1, 4, NULL, "the plan has no partition 1.4" },
        { 4, 0, NULL, "the plan has no partition 4.0" },
        { 1, -1, NULL, "the plan has no partition 1.-1" },
    };
    struct kit kit;
    struct tool tool;
    struct stage_plan plan;
    kit_init(&kit, "", NULL);
    stages_cluster(&kit);
    stages_tool(&tool, NULL);
    stages_plan(&plan, &tool, &kit, both);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct fail fail = { 0 };
        struct buf text = { 0 };
        br_status status =
            stage_explain(&plan, &tool, places[i].id, places[i].index, false, &text, &fail);
        ck_assert_int_eq(status, places[i].line ? BR_OK : BR_NOTFOUND);
        if (places[i].line)
            ck_assert_msg(strstr(text.data, places[i].line), "no %s in\n%s", places[i].line,
                          text.data);
        else
            ck_assert_str_eq(fail.text, places[i].sentence);
        buf_done(&text);
    }
    struct buf text = { 0 };
    struct fail fail = { 0 };
    ck_assert_int_eq(stage_explain_table(&plan, 3, &text, &fail), BR_OK);
    ck_assert_ptr_nonnull(strstr(text.data, "app_name               node 10.0.0.1:34801 (3 of 3"));
    ck_assert_int_eq(stage_explain_table(&plan, 9, &text, &fail), BR_NOTFOUND);
    buf_clear(&text);
    ck_assert_int_eq(stage_explain(&plan, &tool, 1, 0, true, &text, &fail), BR_OK);
    ck_assert_ptr_nonnull(strstr(text.data, "{\"gpid\":\"1.0\",\"record\":{\"pid\":\"1.0\","));
    buf_done(&text);
    stage_plan_done(&plan);
    tool_done(&tool);
    kit_done(&kit);
}
END_TEST

/* The plan is of another policy than the one that is asked. */
START_TEST(explain_conflict)
{
    static const char *const historical[] = { "policy.mode=historical", NULL };
    struct kit kit;
    struct tool tool, other;
    struct stage_plan plan;
    struct fail fail = { 0 };
    struct buf text = { 0 };
    kit_init(&kit, "", NULL);
    kit_nodes(&kit, 2);
    kit_table_everywhere(&kit, 1, "users", 1);
    put_replica(&kit, 0, (const int64_t[]){ 2, 7, 10, 12 });
    put_replica(&kit, 1, (const int64_t[]){ 1, 7, 9, 12 });
    kit_pack(&kit.survey, kit.nodes);
    for (int i = 0; i < 2; i++)
        kit.survey.nodes[i].answered_at = BR_SECOND;
    stages_tool(&tool, NULL);
    stages_tool(&other, historical);
    stages_plan(&plan, &tool, &kit, both);
    ck_assert_int_eq(stage_explain(&plan, &other, 1, 0, false, &text, &fail), BR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(fail.text, "make the plan again"));
    stage_plan_done(&plan);
    buf_done(&text);
    tool_done(&tool);
    tool_done(&other);
    kit_done(&kit);
}
END_TEST

TCase *stages_explain_cases(void)
{
    TCase *tcase = tcase_create("explain");
    tcase_add_loop_test(tcase, explain_rules, 0, sizeof rows / sizeof *rows);
    tcase_add_test(tcase, explain_places);
    tcase_add_test(tcase, explain_conflict);
    return tcase;
}
