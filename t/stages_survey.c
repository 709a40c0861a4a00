/* stages_survey -- a survey's file: the same after reading and writing, merged, and hostile ones.
 */
#include "t/stages.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"

void stages_cluster(struct kit *kit)
{
    kit_nodes(kit, 3);
    kit_table_everywhere(kit, 1, "users", 4);
    kit_table_everywhere(kit, 3, "temp", 2);
    for (int32_t i = 0; i < 3; i++) {
        for (int32_t j = 0; j < 3; j++)
            kit_replica(kit, i, 1, j, 7, 120 + i, 125);
        kit_replica(kit, i, 3, 0, i == 2 ? 5 : 4, 10, 10);
    }
    kit_replica(kit, 1, 3, 1, 2, 5, 6)->role = BR_ROLE_PRIMARY;
    kit_pack(&kit->survey, kit->nodes);
    for (uint32_t i = 0; i < 3; i++) {
        kit->survey.nodes[i].asked_at = 1700000000 * BR_SECOND;
        kit->survey.nodes[i].answered_at = 1700000000 * BR_SECOND + 5 * BR_MILLISECOND;
    }
}

struct buf stages_put(const struct survey *survey)
{
    struct buf buf = { 0 };
    survey_put(survey, &buf);
    return buf;
}

struct survey *stages_parse(const char *text, struct fail *ret_fail)
{
    char *copy = mem_text(text);
    struct survey *survey = survey_parse("s.json", copy, strlen(copy), ret_fail);
    free(copy);
    return survey;
}

/* Everything that a row can hold, and the same bytes after reading and writing. */
START_TEST(survey_round_trip)
{
    static const char *const envs[] = { "a\"\\\n\x01", "\xff\xfe not UTF-8", "", "\xc3\xbc" };
    struct kit kit;
    struct fail fail = { 0 };
    kit_init(&kit, "", NULL);
    stages_cluster(&kit);
    struct br_table *table = &kit.nodes[1].tables[0];
    table->envs = envs;
    table->env_count = 2;
    table->flags = UINT32_MAX;
    table->create_second = INT64_MIN;
    table->drop_second = INT64_MAX;
    kit.nodes[2].replicas[0] = (struct br_replica){ .node = 2,
                                                    .table = INT32_MIN,
                                                    .partition = INT32_MAX,
                                                    .role = 99,
                                                    .ballot = INT64_MIN,
                                                    .committed = -1,
                                                    .type = NULL,
                                                    .disk = "" };
    kit_silent(&kit, 0, "ERR_TIMEOUT");
    struct buf once = stages_put(&kit.survey);
    struct survey *read = stages_parse(once.data, &fail);
    ck_assert_msg(read, "%s", fail.text);
    struct buf again = stages_put(read);
    ck_assert_str_eq(once.data, again.data);
    ck_assert_uint_eq(read->silent_count, 1);
    ck_assert_uint_eq(read->replica_count, 9);
    ck_assert_str_eq(read->nodes[0].error, "ERR_TIMEOUT");
    const struct br_table *found = read->nodes[1].tables->rows;
    ck_assert_uint_eq(found->env_count, 2);
    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(found->envs[i], envs[i]);
    ck_assert_int_eq(found->node, 1);
    const struct br_replica *replica = read->nodes[2].replicas->rows;
    ck_assert_int_eq(replica->ballot, INT64_MIN);
    ck_assert_ptr_null(replica->type);
    survey_free(read);
    buf_done(&once);
    buf_done(&again);
    kit_done(&kit);
}
END_TEST

#define HEAD "{\"format\":\"bridle survey\",\"version\":1,\"second\":1,\"nodes\":["
#define NODE                                                                                       \
    "{\"name\":\"a:1\",\"address\":\"\",\"asked_ms\":1,\"answered_ms\":2,\"error\":\"\","          \
    "\"why\":\"\",\"tables\":["

static const struct {
    const char *text, *sentence;
} hostile[] = {
    { "", "s.json: byte 0: '{' is expected" },
    { "[]", "'{' is expected" },
    { "{}", "the key \"format\" is expected" },
    { "{\"format\":\"x\"", "this is no survey" },
    { "{\"format\":null", "a string is expected, not null" },
    { "{\"format\":\"bridle survey\",\"version\":2", "of another version than 1" },
    { "{\"format\":\"bridle survey\",\"version\":1,\"second\":1e9", "the key \"nodes\"|','" },
    { "{\"format\":\"bridle survey\",\"version\":1,\"second\":-5", "a whole number from 0" },
    { "{\"format\":\"bridle survey\",\"version\":1,\"second\":99999999999999999999",
      "a whole number from 0" },
    { HEAD, "'{' is expected" },
    { HEAD "]}x", "something stands behind the end" },
    { HEAD "{\"name\":\"nonsense\"", "a node's name is host:port" },
    { HEAD "{\"name\":\"a:1\",\"address\":\"b:1\"", "a node's address is four numbers" },
    { HEAD "{\"name\":\"\\ud800\"", "an escape in a string" },
    { HEAD "{\"name\":\"\\u0000\"", "an escape in a string" },
    { HEAD "{\"name\":\"a\nb\"", "a control character in a string" },
    { HEAD "{\"name\":\"a", "a string that does not end" },
    { HEAD "{\"name\":\"a\\", "an escape in a string" },
    { HEAD "{\"address\":\"a\"", "the key \"name\" is expected" },
    { HEAD NODE "{\"id\":2147483648", "a whole number from -2147483648" },
    { HEAD NODE "],\"replicas\":[[1,2,3]", "',' is expected" },
    { HEAD NODE "],\"replicas\":[[1,0,1,1,1,1,1,\"a\",\"b\",5]]}]}", "']' is expected" },
    { HEAD NODE "{\"id\":1,\"status\":1,\"name\":\"a\",\"type\":\"b\",\"partition_count\":1,"
                "\"replica_count\":1,\"init_partition_count\":1,\"flags\":0,\"expire_second\":0,"
                "\"create_second\":0,\"drop_second\":0,\"envs\":[\"a\"]",
      "keys and values by turns" },
    { HEAD "{\"name\":\"a:1\",\"address\":\"\",\"asked_ms\":1,\"answered_ms\":0,\"error\":\"E\","
           "\"why\":\"\",\"tables\":[],\"replicas\":[[1,0,1,1,1,1,1,\"a\",\"b\"]]}]}",
      "did not answer, and has rows" },
};

START_TEST(survey_hostile)
{
    struct fail fail = { 0 };
    const char *sentence = hostile[_i].sentence;
    size_t size = strcspn(sentence, "|");
    struct survey *survey = stages_parse(hostile[_i].text, &fail);
    ck_assert_ptr_null(survey);
    ck_assert_int_eq(fail.status, BR_CORRUPT);
    char *first = strndup(sentence, size);
    const char *other = sentence[size] ? sentence + size + 1 : first;
    ck_assert_msg(strstr(fail.text, first) || strstr(fail.text, other), "%s", fail.text);
    free(first);
}
END_TEST

/* Cut anywhere, or one byte changed: a sentence or a survey, never more. */
START_TEST(survey_cut)
{
    struct kit kit;
    struct fail fail = { 0 };
    kit_init(&kit, "", NULL);
    stages_cluster(&kit);
    struct buf whole = stages_put(&kit.survey);
    for (size_t i = 0; i + 2 < whole.size; i++) {
        char *copy = strndup(whole.data, i);
        ck_assert_ptr_null(survey_parse("s.json", copy, i, &fail));
        free(copy);
        copy = mem_text(whole.data);
        copy[i] ^= 1 << (i % 7);
        survey_free(survey_parse("s.json", copy, whole.size, &fail));
        free(copy);
    }
    buf_done(&whole);
    kit_done(&kit);
}
END_TEST

START_TEST(survey_deep)
{
    struct fail fail = { 0 };
    struct buf text = { 0 };
    struct reader reader;
    for (int i = 0; i <= READER_DEPTH_MAX; i++)
        buf_char(&text, '[');
    reader_init(&reader, "s.json", text.data, text.size, &fail);
    for (int i = 0; i < READER_DEPTH_MAX; i++)
        reader_open(&reader, '[');
    ck_assert(!reader.wrong);
    reader_open(&reader, '[');
    ck_assert(reader.wrong);
    ck_assert_ptr_nonnull(strstr(fail.text, "more than 16 deep"));
    buf_done(&text);
}
END_TEST

START_TEST(survey_long_text)
{
    for (int more = 0; more < 2; more++) {
        struct fail fail = { 0 };
        struct reader reader;
        struct buf text = { 0 };
        buf_char(&text, '"');
        for (int i = 0; i < READER_TEXT_MAX + more; i++)
            buf_char(&text, 'a');
        buf_char(&text, '"');
        reader_init(&reader, "s.json", text.data, text.size, &fail);
        const char *read = reader_text(&reader);
        ck_assert_uint_eq(strlen(read), more ? 0 : READER_TEXT_MAX);
        ck_assert(reader.wrong == (more == 1));
        buf_done(&text);
    }
}
END_TEST

/* As many nodes as a recovery may have, and one more; then the same from two surveys. */
START_TEST(survey_nodes_max)
{
    static const char *const files[] = { "one", "other" };
    for (int more = 0; more < 2; more++) {
        struct fail fail = { 0 };
        struct buf text = { 0 };
        struct buf notes = { 0 };
        buf_text(&text, HEAD);
        for (int i = 0; i < STAGE_NODES_MAX + more; i++)
            buf_printf(&text,
                       "%s{\"name\":\"n%d:1\",\"address\":\"\",\"asked_ms\":1,\"answered_ms\":0,"
                       "\"error\":\"E\",\"why\":\"\",\"tables\":[],\"replicas\":[]}",
                       i ? "," : "", i);
        buf_text(&text, "]}");
        struct survey *survey = stages_parse(text.data, &fail);
        buf_done(&text);
        if (more) {
            ck_assert_ptr_null(survey);
            ck_assert_ptr_nonnull(strstr(fail.text, "more than 4096 nodes"));
            continue;
        }
        ck_assert_msg(survey, "%s", fail.text);
        ck_assert_uint_eq(survey->node_count, STAGE_NODES_MAX);
        struct survey *surveys[] = {
            survey, stages_parse(HEAD "{\"name\":\"x:1\",\"address\":\"\",\"asked_ms\":1,"
                                      "\"answered_ms\":0,\"error\":\"E\",\"why\":\"\","
                                      "\"tables\":[],\"replicas\":[]}]}",
                                 &fail)
        };
        ck_assert_ptr_null(survey_merge(surveys, files, 2, NULL, &notes, &fail));
        ck_assert_str_eq(fail.text, "other: more than 4096 nodes together");
        buf_done(&notes);
    }
}
END_TEST

/* -- Merging ---------------------------------------------------------------------------------- */

/* The kit's survey, all its times moved. */
static struct survey *merge_of(struct kit *kit, int64_t seconds, int silent)
{
    struct fail fail = { 0 };
    struct buf text = stages_put(&kit->survey);
    struct survey *survey = stages_parse(text.data, &fail);
    ck_assert_msg(survey, "%s", fail.text);
    survey->second += seconds;
    for (uint32_t i = 0; i < survey->node_count; i++) {
        survey->nodes[i].asked_at += seconds * BR_SECOND;
        survey->nodes[i].answered_at += seconds * BR_SECOND;
    }
    if (silent >= 0) {
        survey->nodes[silent].complete = false;
        survey->nodes[silent].error = "ERR_TIMEOUT";
        survey->nodes[silent].why = "";
        survey->nodes[silent].answered_at = 0;
        survey->silent_count++;
    }
    buf_done(&text);
    return survey;
}

START_TEST(merge_newer)
{
    static const char *const files[] = { "new", "old" };
    static const char *const back[] = { "10.0.0.2:34801", NULL };
    static const char *const dead[] = { "10.0.0.1:34801", NULL };
    static const char *const nobody[] = { "10.0.0.9:34801", NULL };
    static const struct {
        struct survey_assume assume;
        bool answered[3];
        const char *sentence;
    } rows[] = {
        { { NULL, NULL }, { true, false, true }, NULL },
        { { NULL, back }, { true, true, true }, NULL },
        { { dead, NULL }, { false, false, true }, NULL },
        { { dead, back }, { false, true, true }, NULL },
        { { nobody, NULL }, { false }, "no survey that was given knows node 10.0.0.9:34801" },
        { { NULL, nobody }, { false }, "no survey that was given knows node 10.0.0.9:34801" },
    };
    struct kit kit;
    struct fail fail = { 0 };
    struct buf notes = { 0 };
    kit_init(&kit, "", NULL);
    stages_cluster(&kit);
    struct survey *surveys[] = { merge_of(&kit, 60, 1), merge_of(&kit, 0, -1) };
    struct survey *merged = survey_merge(surveys, files, 2, &rows[_i].assume, &notes, &fail);
    if (rows[_i].sentence) {
        ck_assert_ptr_null(merged);
        ck_assert_str_eq(fail.text, rows[_i].sentence);
    } else {
        ck_assert_msg(merged, "%s", fail.text);
        ck_assert_int_eq(merged->second, 1700000060);
        ck_assert_ptr_nonnull(
            strstr(notes.data, "node(10.0.0.2:34801): the silence of new counts, the answer of "
                               "old is 59995 ms older\n"));
        for (int i = 0; i < 3; i++)
            ck_assert(merged->nodes[i].complete == rows[_i].answered[i]);
        struct buf text = stages_put(merged);
        struct survey *again = stages_parse(text.data, &fail);
        ck_assert_uint_eq(again->replica_count, merged->replica_count);
        ck_assert_uint_eq(again->silent_count, merged->silent_count);
        survey_free(again);
        buf_done(&text);
    }
    survey_free(merged);
    buf_done(&notes);
    kit_done(&kit);
}
END_TEST

/* Rows of a node that stands elsewhere now are its own still. */
START_TEST(merge_order)
{
    static const char *const files[] = { "one", "other" };
    struct kit kit, other;
    struct fail fail = { 0 };
    struct buf notes = { 0 };
    kit_init(&kit, "", NULL);
    kit_init(&other, "", NULL);
    kit_node(&kit, "z:1", 0);
    kit_pack(&kit.survey, kit.nodes);
    kit.survey.nodes[0].answered_at = BR_SECOND;
    stages_cluster(&other);
    struct survey *surveys[] = { merge_of(&kit, 0, -1), merge_of(&other, 0, -1) };
    struct survey *merged = survey_merge(surveys, files, 2, NULL, &notes, &fail);
    ck_assert_msg(merged, "%s", fail.text);
    ck_assert_uint_eq(merged->node_count, 4);
    ck_assert_str_eq(merged->nodes[3].name, "10.0.0.3:34801");
    const struct br_replica *replica = merged->nodes[3].replicas->rows;
    ck_assert_int_eq(replica->node, 3);
    const struct br_table *table = merged->nodes[3].tables->rows;
    ck_assert_int_eq(table->node, 3);
    ck_assert_str_eq(buf_string(&notes), "");
    survey_free(merged);
    buf_done(&notes);
    kit_done(&kit);
    kit_done(&other);
}
END_TEST

/* Nothing was ever heard of it: it cannot be assumed to hold anything. */
START_TEST(merge_never_heard)
{
    static const char *const files[] = { "one" };
    static const char *const back[] = { "10.0.0.2:34801", NULL };
    const struct survey_assume assume = { .back = back };
    struct kit kit;
    struct fail fail = { 0 };
    struct buf notes = { 0 };
    kit_init(&kit, "", NULL);
    stages_cluster(&kit);
    struct survey *surveys[] = { merge_of(&kit, 0, 1) };
    ck_assert_ptr_null(survey_merge(surveys, files, 1, &assume, &notes, &fail));
    ck_assert_int_eq(fail.status, BR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(fail.text, "has an answer of it"));
    buf_done(&notes);
    kit_done(&kit);
}
END_TEST

TCase *stages_survey_cases(void)
{
    TCase *tcase = tcase_create("survey");
    tcase_add_test(tcase, survey_round_trip);
    tcase_add_loop_test(tcase, survey_hostile, 0, sizeof hostile / sizeof *hostile);
    tcase_add_test(tcase, survey_cut);
    tcase_add_test(tcase, survey_deep);
    tcase_add_test(tcase, survey_long_text);
    tcase_add_test(tcase, survey_nodes_max);
    tcase_add_loop_test(tcase, merge_newer, 0, 6);
    tcase_add_test(tcase, merge_order);
    tcase_add_test(tcase, merge_never_heard);
    return tcase;
}
