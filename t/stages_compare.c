/* stages_compare -- a plan that was applied, and one thing that is not as planned. */
#include <stdlib.h>
#include <string.h>

#include "host/stage/compare.h"
#include "t/recovery.h"
#include "t/stages.h"

#define ROOT "/pegasus/c1"

static const char *const both[] = { "skip_bad_nodes", "skip_lost_partitions", NULL };

#define MEMBERS                                                                                    \
    "\"max_replica_count\":3,\"primary\":\"10.0.0.3:34801\",\"secondaries\":[],"                   \
    "\"last_drops\":[\"10.0.0.1:34801\",\"10.0.0.2:34801\"],\"last_committed_decree\":0,"          \
    "\"partition_flags\":0}"

static const struct {
    br_write_kind kind; /* 0: nothing is changed */
    const char *path, *value;
    uint64_t same, moved, differing, missing, surplus;
    const char *line;
} edits[] = {
    { 0, NULL, NULL, 10, 0, 0, 0, 0, "" },
    { BR_PUT, ROOT "/apps/1/0", "{\"pid\":\"1.0\",\"ballot\":6," MEMBERS, 9, 0, 1, 0, 0,
      ROOT "/apps/1/0: ballot is 6, 7 was planned\n" },
    { BR_PUT, ROOT "/apps/1/0", "{\"pid\":\"1.0\",\"ballot\":8," MEMBERS, 9, 1, 0, 0, 0, "" },
    { BR_PUT, ROOT "/apps/1/0",
      "{\"pid\":\"1.0\",\"ballot\":8,\"primary\":\"10.0.0.9:34801\",\"secondaries\":[],"
      "\"last_drops\":[]}",
      9, 0, 1, 0, 0, ROOT "/apps/1/0: ballot is 8, 7 was planned\n" },
    { BR_PUT, ROOT "/apps/1/0", "{\"pid\":\"1.1\",\"ballot\":9," MEMBERS, 9, 0, 1, 0, 0,
      ROOT "/apps/1/0: pid is \"1.1\", \"1.0\" was planned\n" },
    { BR_PUT, ROOT "/apps/1/0", "[[[[", 9, 0, 1, 0, 0, ROOT "/apps/1/0: is no JSON object\n" },
    { BR_PUT, ROOT "/apps/1/0",
      "{\"pid\":\"1.0\",\"ballot\":7,\"max_replica_count\":3,\"primary\":\"10.0.0.3:34801\","
      "\"secondaries\":[],\"last_drops\":[\"10.0.0.2:34801\",\"10.0.0.1:34801\"],"
      "\"last_committed_decree\":0,\"partition_flags\":0}",
      9, 0, 1, 0, 0, "last_drops[0] is 10.0.0.2:34801, 10.0.0.1:34801 was planned\n" },
    { BR_DELETE, ROOT "/apps/3/1", NULL, 9, 0, 0, 1, 0, ROOT "/apps/3/1: is missing\n" },
    { BR_PUT, ROOT "/apps", "lock", 10, 0, 1, 0, 0, ROOT "/apps: its value is not \"unlock\"" },
    { BR_PUT, ROOT "/apps/3", "{}", 9, 0, 1, 0, 0, ROOT "/apps/3: status is \"\"" },
    { BR_CREATE, ROOT "/apps/4", "{}", 10, 1, 0, 0, 0, "" },
    { BR_CREATE, ROOT "/apps/x", "{}", 10, 0, 0, 0, 1, ROOT "/apps/x: was not planned\n" },
};

struct compared {
    struct kit kit;
    struct tool tool;
    struct stage_plan plan;
    struct compare compare;
    struct buf file;
};

static void compared_init(struct compared *of)
{
    char *dir = test_directory();
    *of = (struct compared){ .compare = { .records = 0 } };
    recovery_setup();
    buf_printf(&of->file, "store.file=%s/meta.db", dir);
    const char *sets[] = { "store.plugin=sqlite", of->file.data, "meta_server.cluster_root=" ROOT,
                           NULL };
    kit_init(&of->kit, "", NULL);
    stages_cluster(&of->kit);
    stages_tool(&of->tool, sets);
    stages_plan(&of->plan, &of->tool, &of->kit, both);
    struct plugin *store = recovery_store("sqlite", of->file.data + strlen("store.file="));
    struct applied applied = recovery_apply(store, &of->plan.plan, NULL);
    ck_assert_msg(applied.status == BR_OK, "%s", applied.text);
    recovery_close(store);
    free(dir);
}

static void compared_done(struct compared *of)
{
    buf_done(&of->compare.text);
    buf_done(&of->file);
    stage_plan_done(&of->plan);
    tool_done(&of->tool);
    kit_done(&of->kit);
    recovery_teardown();
}

START_TEST(compare_store)
{
    struct compared of;
    struct fail fail = { 0 };
    compared_init(&of);
    if (edits[_i].kind) {
        struct plugin *store = recovery_store("sqlite", of.file.data + strlen("store.file="));
        ck_assert_int_eq(recovery_write(store, edits[_i].kind, edits[_i].path, edits[_i].value),
                         BR_OK);
        recovery_close(store);
    }
    ck_assert_msg(tool_open_store(&of.tool, &fail) == BR_OK, "%s", fail.text);
    br_status status = stage_compare_store(&of.plan, &of.tool, ROOT, &of.compare, &fail);
    ck_assert_msg(status == BR_OK, "%s", fail.text);
    const char *text = buf_string(&of.compare.text);
    ck_assert_msg(strstr(text, edits[_i].line) && (*edits[_i].line || !*text), "%s", text);
    ck_assert_uint_eq(of.compare.records, 10);
    ck_assert_uint_eq(of.compare.same, edits[_i].same);
    ck_assert_uint_eq(of.compare.moved, edits[_i].moved);
    ck_assert_uint_eq(of.compare.differing, edits[_i].differing);
    ck_assert_uint_eq(of.compare.missing, edits[_i].missing);
    ck_assert_uint_eq(of.compare.surplus, edits[_i].surplus);
    bool good = !edits[_i].differing && !edits[_i].missing && !edits[_i].surplus;
    ck_assert(stage_compare_good(&of.compare, false) == good);
    ck_assert(stage_compare_good(&of.compare, true) == (good && !edits[_i].moved));
    compared_done(&of);
}
END_TEST

/* Whatever happens, nothing can be written through a tool's store. */
START_TEST(compare_read_only)
{
    struct compared of;
    struct fail fail = { 0 };
    compared_init(&of);
    ck_assert_int_eq(tool_open_store(&of.tool, &fail), BR_OK);
    struct loop *loop = recovery_loop;
    recovery_loop = of.tool.loop;
    ck_assert_int_eq(recovery_write(&of.tool.store, BR_PUT, ROOT "/apps", "lock"), BR_UNSUPPORTED);
    recovery_loop = loop;
    compared_done(&of);
}
END_TEST

/* What the servers say now about 1.0, whose primary is the third one with ballot 7, committed 122.
 */
static const struct {
    int32_t node; /* whose row of 1.0 changes; -1: nobody's */
    int64_t ballot, committed;
    int silent; /* -1: nobody */
    uint64_t held, elsewhere, gone;
    const char *line;
} answers[] = {
    { -1, 0, 0, -1, 5, 0, 0, "" },
    { 2, 9, 130, -1, 5, 0, 0, "" },
    { 2, 7, 100, -1, 4, 0, 1,
      "partition 1.0: node(10.0.0.3:34801) has ballot 7 and committed 100" },
    { -1, 0, 0, 2, 1, 0, 4, "node(10.0.0.3:34801) does not answer: ERR_TIMEOUT\n" },
    { 0, 8, 122, 2, 1, 1, 3,
      "partition 1.1: node(10.0.0.3:34801) holds no replica of it any more" },
};

START_TEST(compare_servers)
{
    struct kit kit;
    struct tool tool;
    struct stage_plan plan;
    struct compare compare = { 0 };
    kit_init(&kit, "", NULL);
    stages_cluster(&kit);
    stages_tool(&tool, NULL);
    stages_plan(&plan, &tool, &kit, both);
    if (answers[_i].node >= 0) {
        kit.nodes[answers[_i].node].replicas[0].ballot = answers[_i].ballot;
        kit.nodes[answers[_i].node].replicas[0].committed = answers[_i].committed;
    }
    if (answers[_i].silent >= 0)
        kit_silent(&kit, answers[_i].silent, "ERR_TIMEOUT");
    stage_compare_servers(&plan, &kit.survey, &compare);
    ck_assert_uint_eq(compare.replicas, 5);
    ck_assert_uint_eq(compare.held, answers[_i].held);
    ck_assert_uint_eq(compare.held_elsewhere, answers[_i].elsewhere);
    ck_assert_uint_eq(compare.gone, answers[_i].gone);
    ck_assert_msg(strstr(buf_string(&compare.text), answers[_i].line), "%s", compare.text.data);
    ck_assert(stage_compare_good(&compare, false) == !answers[_i].gone);
    buf_done(&compare.text);
    stage_plan_done(&plan);
    tool_done(&tool);
    kit_done(&kit);
}
END_TEST

TCase *stages_compare_cases(void)
{
    TCase *tcase = tcase_create("compare");
    tcase_add_loop_test(tcase, compare_store, 0, sizeof edits / sizeof *edits);
    tcase_add_test(tcase, compare_read_only);
    tcase_add_loop_test(tcase, compare_servers, 0, sizeof answers / sizeof *answers);
    return tcase;
}
