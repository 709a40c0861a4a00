/* stages_rank -- which silent server would save most, as far as an earlier answer tells. */
#include <stdlib.h>
#include <string.h>

#include "host/stage/rank.h"
#include "t/stages.h"

static const char *const both[] = { "skip_bad_nodes", "skip_lost_partitions", NULL };

/* The second server alone holds 3.1; the third has a higher ballot of 3.0; 1.0 to 1.2 want all. */
START_TEST(rank_silent)
{
    struct kit kit;
    struct tool tool;
    struct stage_plan plan;
    struct fail fail = { 0 };
    struct rank *ranks;
    uint32_t count;
    struct buf page = { 0 };
    kit_init(&kit, "", NULL);
    stages_cluster(&kit);
    stages_tool(&tool, NULL);
    struct buf whole = stages_put(&kit.survey);
    struct survey *survey = stages_parse(whole.data, &fail);
    kit_silent(&kit, 1, "ERR_TIMEOUT");
    kit_silent(&kit, 2, "ERR_TIMEOUT");
    stages_plan(&plan, &tool, &kit, both);
    br_status status = stage_rank(&plan, &tool, &survey, 1, &ranks, &count, &fail);
    ck_assert_msg(status == BR_OK, "%s", fail.text);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(ranks[0].node, 1);
    ck_assert_int_eq(ranks[0].lost, 1);
    ck_assert_int_eq(ranks[0].better, 0);
    ck_assert_int_eq(ranks[1].node, 2);
    ck_assert_int_eq(ranks[1].lost, 0);
    ck_assert_int_eq(ranks[1].better, 1);
    ck_assert_int_eq(ranks[1].whole, 0);
    stage_rank_put_json(&plan, ranks, count, &page);
    ck_assert_str_eq(page.data, "[{\"node\":\"10.0.0.2:34801\",\"known\":true,\"not_lost\":1,"
                                "\"better\":0,\"whole\":0},{\"node\":\"10.0.0.3:34801\",\"known\":"
                                "true,\"not_lost\":0,\"better\":1,\"whole\":0}]\n");
    free(ranks);
    ck_assert_int_eq(stage_rank(&plan, &tool, NULL, 0, &ranks, &count, &fail), BR_OK);
    ck_assert_uint_eq(count, 2);
    buf_clear(&page);
    stage_rank_put(&plan, ranks, count, &page);
    ck_assert_ptr_nonnull(
        strstr(page.data, "10.0.0.3:34801                   nothing is known of"));
    free(ranks);
    survey_free(survey);
    buf_done(&page);
    buf_done(&whole);
    stage_plan_done(&plan);
    tool_done(&tool);
    kit_done(&kit);
}
END_TEST

TCase *stages_rank_cases(void)
{
    TCase *tcase = tcase_create("rank");
    tcase_add_test(tcase, rank_silent);
    return tcase;
}
