/* stages_amend -- what a returned server adds to a plan, by what was planned, what stands in the
 * store and what it says; and its file.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "t/stages_amender.h"

#define PARTITION(pid, ballot, primary)                                                            \
    "{\"pid\":\"" pid "\",\"ballot\":" ballot ",\"max_replica_count\":3,\"primary\":\"" primary    \
    "\",\"secondaries\":[],\"last_drops\":[],\"last_committed_decree\":0,\"partition_flags\":0}"
#define NOBODY "invalid address"
#define TABLE(status, name, id, count, created)                                                    \
    "{\"status\":\"app_status::AS_" status "\",\"app_type\":\"pegasus\",\"app_name\":\"" name      \
    "\",\"app_id\":" id ",\"partition_count\":" count                                              \
    ",\"envs\":{},\"is_stateful\":1,\"max_replica_count\":3,\"expire_second\":0,"                  \
    "\"create_second\":" created ",\"drop_second\":0,\"duplicating\":0,"                           \
    "\"init_partition_count\":-1,\"is_bulk_loading\":0}"

static const struct {
    const char *name;
    struct edit since[4];
    struct amender_said said;
    const char *records;
    const char *finding; /* "": none at all */
} rows[] = {
    { "as much as the plan knew", { { 0 } }, { .rows = { { 1, 0, 7, 122, 0 } } }, "", "" },
    { "less", { { 0 } }, { .rows = { { 1, 0, 6, 100, 0 } } }, "", "" },
    { "lost", { { 0 } }, { .rows = { { 1, 3, 6, 50, 0 } } }, "lost apps/1/3 6\n", "" },
    { "lost, its record too",
      { { BR_DELETE, ROOT "/apps/1/3", NULL } },
      { .rows = { { 1, 3, 6, 50, 0 } } },
      "lost apps/1/3 6\n",
      "" },
    { "lost, at a higher ballot",
      { { BR_PUT, ROOT "/apps/1/3", PARTITION("1.3", "9", NOBODY) } },
      { .rows = { { 1, 3, 6, 50, 0 } } },
      "lost apps/1/3 6\n",
      "" },
    { "lost, and started empty since",
      { { BR_PUT, ROOT "/apps/1/3", PARTITION("1.3", "1", "10.0.0.1:34801") } },
      { .rows = { { 1, 3, 6, 50, 0 } } },
      "",
      "partition 1.3: node(10.0.0.4:34801) holds ballot 6, committed 50, prepared 51, and the plan "
      "had nobody, but its record has moved on since, to ballot 1: it is left alone" },
    { "newer by its ballot",
      { { 0 } },
      { .rows = { { 1, 0, 9, 130, 0 } } },
      "newer apps/1/0 9\n",
      "" },
    { "newer by its ballot, with less than others have committed",
      { { 0 } },
      { .rows = { { 1, 0, 9, 100, 0 } } },
      "",
      "left out: ERROR: partition(1.0) gets its primary from node(10.0.0.4:34801)" },
    { "newer by its decree",
      { { 0 } },
      { .rows = { { 1, 0, 7, 130, 0 } } },
      "newer apps/1/0 7\n",
      "" },
    { "newer, of a server that the plan knew",
      { { 0 } },
      { .name = "10.0.0.2:34801", .rows = { { 1, 1, 8, 130, 0 }, { 3, 1, 2, 5, 0 } } },
      "newer apps/1/1 8\n",
      "" },
    { "newer, but it has served",
      { { BR_PUT, ROOT "/apps/1/0", PARTITION("1.0", "8", "10.0.0.3:34801") } },
      { .rows = { { 1, 0, 9, 130, 0 } } },
      "",
      "the plan's best, node(10.0.0.3:34801), held ballot 7, committed 122, prepared 125, but its "
      "record has moved on since, to ballot 8" },
    { "newer, because it is a member now",
      { { BR_PUT, ROOT "/apps/1/0", PARTITION("1.0", "9", RETURNED) } },
      { .rows = { { 1, 0, 9, 130, 0 } } },
      "",
      "" },
    { "newer, because it learns",
      { { BR_PUT, ROOT "/apps/1/0", PARTITION("1.0", "8", "10.0.0.3:34801") } },
      { .rows = { { 1, 0, 8, 130, BR_ROLE_LEARNER } } },
      "",
      "" },
    { "newer, and a loss to whoever has more of a lower ballot",
      { { 0 } },
      { .rows = { { 1, 0, 9, 130, 0 }, { 1, 1, 6, 200, 0 } } },
      "newer apps/1/0 9\n",
      "left out: ERROR: partition(1.1) gets its primary from node(10.0.0.3:34801)" },
    { "a table in a placeholder's place",
      { { 0 } },
      { .tables = { { 2, "orders", 2 } }, .rows = { { 2, 0, 5, 40, 0 } } },
      "table apps/2 0\npartition apps/2/0 5\npartition apps/2/1 0\n",
      "WARNING: partition(2.1) has no replica collected" },
    { "a placeholder that somebody used",
      { { BR_PUT, ROOT "/apps/2", TABLE("DROPPED", "mine", "2", "1", "1600000000") } },
      { .tables = { { 2, "orders", 2 } }, .rows = { { 2, 0, 5, 40, 0 } } },
      "",
      "apps/2 is not what the plan wrote there" },
    { "a placeholder with somebody in it",
      { { BR_PUT, ROOT "/apps/2/0", PARTITION("2.0", "1", "10.0.0.1:34801") } },
      { .tables = { { 2, "orders", 2 } }, .rows = { { 2, 0, 5, 40, 0 } } },
      "",
      "apps/2/0 is not what the plan wrote there" },
    { "a placeholder that a meta server marked",
      { { BR_PUT, ROOT "/apps/2/0", PARTITION("2.0", "1", NOBODY) } },
      { .tables = { { 2, "orders", 1 } }, .rows = { { 2, 0, 5, 40, 0 } } },
      "table apps/2 0\npartition apps/2/0 5\n",
      "" },
    { "a table beyond the plan's",
      { { 0 } },
      { .tables = { { 7, "extra", 1 } }, .rows = { { 7, 0, 5, 40, 0 } } },
      "table apps/7 0\npartition apps/7/0 5\n",
      "" },
    { "an id that was given since",
      { { BR_CREATE, ROOT "/apps/7", TABLE("AVAILABLE", "fresh", "7", "1", "1700000000") },
        { BR_CREATE, ROOT "/apps/7/0", PARTITION("7.0", "1", "10.0.0.1:34801") } },
      { .tables = { { 7, "extra", 1 } }, .rows = { { 7, 0, 5, 40, 0 } } },
      "",
      "table 7 (extra): node(10.0.0.4:34801) held more of partition 0 than the plan knew, but the "
      "table that has this id now is another one" },
    { "a table that was amended before",
      { { BR_CREATE, ROOT "/apps/7", TABLE("AVAILABLE", "renamed", "7", "1", "1600000000") },
        { BR_CREATE, ROOT "/apps/7/0", PARTITION("7.0", "0", NOBODY) } },
      { .tables = { { 7, "extra", 1 } }, .rows = { { 7, 0, 5, 40, 0 } } },
      "lost apps/7/0 5\n",
      "" },
    { "a name that another table bears today",
      { { BR_PUT, ROOT "/apps/3", TABLE("AVAILABLE", "orders", "3", "2", "1600000000") } },
      { .tables = { { 2, "orders", 2 } }, .rows = { { 2, 0, 5, 40, 0 } } },
      "",
      "table 2 (orders): a returned server has its definition, but table 3 bears that name today" },
    { "a name that a dropped table bears",
      { { BR_PUT, ROOT "/apps/3", TABLE("DROPPED", "orders", "3", "2", "1600000000") } },
      { .tables = { { 2, "orders", 1 } }, .rows = { { 2, 0, 5, 40, 0 } } },
      "table apps/2 0\npartition apps/2/0 5\n",
      "" },
    { "a table that was dropped since",
      { { BR_PUT, ROOT "/apps/1", TABLE("DROPPED", "users", "1", "4", "1600000000") } },
      { .rows = { { 1, 3, 6, 50, 0 }, { 1, 0, 9, 130, 0 } } },
      "",
      "table 1 (users): node(10.0.0.4:34801) held more of partition 0 than the plan knew, but the "
      "table has been dropped since" },
    { "a table that was split since",
      { { BR_PUT, ROOT "/apps/1", TABLE("AVAILABLE", "users", "1", "8", "1600000000") } },
      { .rows = { { 1, 3, 6, 50, 0 } } },
      "",
      "has another number of partitions now" },
    { "a table that was renamed since",
      { { BR_PUT, ROOT "/apps/1", TABLE("AVAILABLE", "people", "1", "4", "1600000000") } },
      { .rows = { { 1, 3, 6, 50, 0 } } },
      "lost apps/1/3 6\n",
      "" },
    { "several",
      { { 0 } },
      { .tables = { { 2, "orders", 2 } },
        .rows = { { 1, 0, 9, 130, 0 }, { 1, 3, 6, 50, 0 }, { 2, 0, 5, 40, 0 } } },
      AMENDER_FIVE,
      "WARNING: partition(2.1) has no replica collected" },
};

/* Every record was what it says it was, and what it becomes can be read. */
static void amend_check_records(const struct amender *of)
{
    struct plugin *store = applier_store(&of->applier);
    char *dump = recovery_dump(store, "/", false);
    for (uint32_t i = 0; i < of->amendment.record_count; i++) {
        const struct amend_record *record = &of->amendment.records[i];
        struct buf line = { 0 };
        buf_printf(&line, ROOT "/%s %s\n", record->path, record->old ? record->old : "");
        ck_assert_msg(!record->old == !strstr(dump, line.data), "%s of\n%s", line.data, dump);
        ck_assert_str_ne(record->old ? record->old : "", record->value);
        ck_assert(record->why[0]);
        buf_done(&line);
    }
    free(dump);
    recovery_close(store);
}

START_TEST(amend_table_of_cases)
{
    struct amender of;
    amender_init(&of);
    applier_edit(&of.applier, rows[_i].since);
    amender_make(&of, &rows[_i].said);
    ck_assert_msg(of.status == BR_OK, "%s: %s", rows[_i].name, of.fail.text);
    char *records = amender_records(&of);
    ck_assert_msg(strcmp(records, rows[_i].records) == 0, "%s: %s", rows[_i].name, records);
    const char *first = of.amendment.finding_count ? of.amendment.findings[0] : "";
    ck_assert_msg(*rows[_i].finding ? amender_found(&of, rows[_i].finding) : !*first, "%s: %s",
                  rows[_i].name, first);
    amend_check_records(&of);
    amender_reread(&of);
    if (of.amendment.record_count) {
        ck_assert_msg(amender_apply(&of) == DEED_DONE, "%s: %s", rows[_i].name,
                      buf_string(&of.applier.result.text));
        struct amend_verify verify = { 0 };
        struct fail fail = { 0 };
        ck_assert_int_eq(stage_amend_verify(&of.amendment, &of.applier.tool, &verify, &fail),
                         BR_OK);
        ck_assert_uint_eq(verify.same, of.amendment.record_count);
        ck_assert_uint_eq(verify.differing, 0);
        buf_done(&verify.text);
    }
    free(records);
    amender_done(&of);
}
END_TEST

/* A lost partition keeps the higher ballot of the two; the table's own number of replicas counts.
 */
START_TEST(amend_ballot)
{
    static const struct edit since[] = {
        { BR_PUT, ROOT "/apps/1/3", PARTITION("1.3", "9", NOBODY) },
        { 0 },
    };
    static const struct amender_said said = { .rows = { { 1, 3, 6, 50, 0 } } };
    struct amender of;
    amender_init(&of);
    applier_edit(&of.applier, since);
    amender_make(&of, &said);
    ck_assert_uint_eq(of.amendment.record_count, 1);
    ck_assert_ptr_nonnull(strstr(of.amendment.records[0].value, "\"ballot\":9,"));
    ck_assert_ptr_nonnull(strstr(of.amendment.records[0].value, "\"primary\":\"" RETURNED "\""));
    amender_done(&of);
}
END_TEST

/* -- What is no amendment at all -------------------------------------------------------------- */

#define OTHER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
    struct edit since[2];
    bool silent, behind;
    br_status status;
    const char *sentence;
} wrongs[] = {
    { { { 0 } },
      true,
      false,
      BR_UNAVAILABLE,
      "node(10.0.0.4:34801) does not answer: for the test" },
    { { { 0 } }, false, true, BR_INVALID, "the clock of this machine is behind" },
    { { { BR_PUT, ROOT "/apps", "lock" } },
      false,
      false,
      BR_CONFLICT,
      "invalid transaction state(lock)" },
    { { { BR_DELETE, ROOT "/bridle/journal", NULL } },
      false,
      false,
      BR_CONFLICT,
      "its journal says nothing of ours" },
    { { { BR_PUT, ROOT "/bridle/journal",
          "{\"version\":1,\"state\":\"done\",\"plan\":\"" OTHER "\",\"records\":7}" } },
      false,
      false,
      BR_CONFLICT,
      "its journal says 0123456789abcdef" },
    { { { BR_PUT, ROOT "/apps/1", "{" } }, false, false, BR_CORRUPT, ROOT "/apps/1" },
};

START_TEST(amend_wrong)
{
    struct amender of;
    struct fail fail = { 0 };
    amender_init(&of);
    applier_edit(&of.applier, wrongs[_i].since);
    kit_node(&of.kit, wrongs[_i].behind ? "10.0.0.2:34801" : RETURNED, 0);
    kit_table(&of.kit, 0, 1, "users", 4);
    kit_pack(&of.kit.survey, of.kit.nodes);
    of.kit.survey.nodes[0].asked_at = wrongs[_i].behind ? BR_SECOND : LATER;
    of.kit.survey.nodes[0].answered_at = of.kit.survey.nodes[0].asked_at;
    if (wrongs[_i].silent)
        kit_silent(&of.kit, 0, "ERR_TIMEOUT");
    struct buf text = stages_put(&of.kit.survey);
    ck_assert_int_eq(tool_open_store(&of.applier.tool, &fail), BR_OK);
    br_status status = stage_amend_make(&of.amendment, &of.applier.plan, &of.applier.tool,
                                        stages_parse(text.data, &fail), &of.fail);
    ck_assert_msg(status == wrongs[_i].status, "%d: %s", status, of.fail.text);
    ck_assert_msg(strstr(of.fail.text, wrongs[_i].sentence), "%s", of.fail.text);
    buf_done(&text);
    amender_done(&of);
}
END_TEST

/* -- The file --------------------------------------------------------------------------------- */

static const struct {
    const char *from, *to, *sentence;
} changes[] = {
    { "\"ballot\":6", "\"ballot\":5", "does not have the hash that it says" },
    { "\"second\":", "\"second\": ", "does not have the hash that it says" },
    { "bridle amendment", "bridle amendmenu", "this is no amendment" },
    { "\"version\":1", "\"version\":2", "an amendment of another version than 1" },
    { "\"layout\":\"2.5\"", "\"layout\":\"3\"", "a layout is 2.5 or 2.6" },
    { "\"what\":\"lost\"", "\"what\":\"last\"", "a change is lost, newer, table or partition" },
    { "\"path\":\"apps/1/3\"", "\"path\":\"apps/1\"", "a path is apps/ID or apps/ID/PARTITION" },
    { "\"path\":\"apps/1/3\"", "\"path\":\"apps/1/03\"", "a path is apps/ID or apps/ID/PART" },
    { "\"path\":\"apps/1/3\"", "\"path\":\"apps\"", "a path is apps/ID or apps/ID/PARTITION" },
    { "\"path\":\"apps/1/3\"", "\"path\":\"x/1/3\"", "a path is apps/ID or apps/ID/PARTITION" },
    { "\"path\":\"apps/2\"", "\"path\":\"apps/2/\"", "a path is apps/ID or apps/ID/PARTITION" },
    { "\"path\":\"apps/1/3\"", "\"path\":\"apps/1/0\"", "records stand by ascending table" },
    { "\"server\":0", "\"server\":1", "a whole number from -1 to 0" },
    { "\"server\":0", "\"server\":-2", "a whole number from -1 to 0" },
};

START_TEST(amend_changed)
{
    struct amender of;
    struct stage_amendment read;
    struct fail fail = { 0 };
    struct buf text = { 0 }, whole = { 0 };
    amender_init(&of);
    amender_make(&of, &amender_five);
    stage_amendment_put(&of.amendment, &whole);
    const char *at = strstr(whole.data, changes[_i].from);
    ck_assert_ptr_nonnull(at);
    buf_put(&text, whole.data, (size_t) (at - whole.data));
    buf_text(&text, changes[_i].to);
    buf_text(&text, at + strlen(changes[_i].from));
    ck_assert_int_eq(stage_amendment_parse(&read, "a.json", text.data, text.size, &fail),
                     BR_CORRUPT);
    ck_assert_msg(strstr(fail.text, changes[_i].sentence), "%s", fail.text);
    stage_amendment_done(&read);
    buf_done(&text);
    buf_done(&whole);
    amender_done(&of);
}
END_TEST

/* Cut anywhere, or one bit turned: nothing but a sentence comes of it. */
START_TEST(amend_cut)
{
    struct amender of;
    struct stage_amendment read;
    struct fail fail = { 0 };
    struct buf whole = { 0 };
    amender_init(&of);
    amender_make(&of, &amender_five);
    stage_amendment_put(&of.amendment, &whole);
    for (size_t i = 0; i + 1 < whole.size; i++) {
        char *copy = strndup(whole.data, i);
        ck_assert_int_ne(stage_amendment_parse(&read, "a.json", copy, i, &fail), BR_OK);
        stage_amendment_done(&read);
        free(copy);
        copy = mem_text(whole.data);
        copy[i] = (char) (copy[i] ^ 1 << (i % 7));
        ck_assert_int_ne(stage_amendment_parse(&read, "a.json", copy, whole.size, &fail), BR_OK);
        stage_amendment_done(&read);
        free(copy);
    }
    buf_done(&whole);
    amender_done(&of);
}
END_TEST

/* A file with so many servers, findings and records. */
static void amend_long(struct buf *buf, uint32_t servers, uint32_t findings, uint32_t records)
{
    buf_printf(buf,
               "{\"format\":\"bridle amendment\",\"version\":1,\n\"hash\":\"" OTHER
               "\",\"plan\":\"" OTHER "\",\"cluster\":\"c\",\"root\":\"/c\",\"layout\":\"2.5\","
               "\"second\":1,\"servers\":[");
    for (uint32_t i = 0; i < servers; i++)
        buf_printf(buf, "%s\"h%u:1\"", i ? "," : "", i);
    buf_text(buf, "],\"findings\":[");
    for (uint32_t i = 0; i < findings; i++)
        buf_text(buf, i ? ",\"f\"" : "\"f\"");
    buf_text(buf, "],\"records\":[");
    for (uint32_t i = 0; i < records; i++)
        buf_printf(buf,
                   "%s{\"what\":\"lost\",\"path\":\"apps/1/%u\",\"old\":null,\"new\":\"\","
                   "\"server\":0,\"ballot\":1,\"committed\":1,\"prepared\":1,\"why\":\"\"}",
                   i ? "," : "", i);
    buf_text(buf, "]}");
}

static const struct {
    uint32_t servers, findings, records;
    const char *sentence;
} limits[] = {
    { AMEND_SERVERS_MAX, AMEND_FINDINGS_MAX + 1, AMEND_RECORDS_MAX, "the hash that it says" },
    { AMEND_SERVERS_MAX + 1, 0, 0, "more than 4096 entries" },
    { 1, AMEND_FINDINGS_MAX + 2, 0, "more than 1001 entries" },
    { 1, 0, AMEND_RECORDS_MAX + 1, "more than 100000 records" },
};

START_TEST(amend_limits)
{
    struct stage_amendment read;
    struct fail fail = { 0 };
    struct buf text = { 0 };
    amend_long(&text, limits[_i].servers, limits[_i].findings, limits[_i].records);
    ck_assert_int_eq(stage_amendment_parse(&read, "a.json", text.data, text.size, &fail),
                     BR_CORRUPT);
    ck_assert_msg(strstr(fail.text, limits[_i].sentence), "%s", fail.text);
    stage_amendment_done(&read);
    buf_done(&text);
}
END_TEST

TCase *stages_amend_cases(void)
{
    TCase *tcase = tcase_create("amend");
    tcase_set_timeout(tcase, 60);
    LOOP(amend_table_of_cases, rows);
    tcase_add_test(tcase, amend_ballot);
    LOOP(amend_wrong, wrongs);
    LOOP(amend_changed, changes);
    tcase_add_test(tcase, amend_cut);
    LOOP(amend_limits, limits);
    return tcase;
}
