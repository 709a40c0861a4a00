/* scan_replay -- transport_replay, and transport_scan on disks of real servers. */
#include <glob.h>
#include <string.h>

#include "t/test_scan.h"

static const char replay_survey[] =
    "{\"format\":\"bridle survey\",\"version\":1,\"second\":1700000000,\"nodes\":[\n"
    "{\"name\":\"" ONE "\",\"address\":\"" ONE "\",\"asked_ms\":1,\"answered_ms\":2,"
    "\"error\":\"\",\"why\":\"\",\"tables\":["
    "{\"id\":2,\"status\":1,\"name\":\"temp\",\"type\":\"pegasus\",\"partition_count\":8,"
    "\"replica_count\":3,\"init_partition_count\":-1,\"flags\":1,\"expire_second\":0,"
    "\"create_second\":1700000000,\"drop_second\":0,\"envs\":[\"key\",\"value\"]}"
    "],\"replicas\":["
    "[2,0,1,7,120,121,118,\"pegasus\",\"ssd1\"],[2,1,1,8,20,21,18,\"pegasus\",\"ssd2\"]"
    "]},\n"
    "{\"name\":\"" TWO "\",\"address\":\"\",\"asked_ms\":1,\"answered_ms\":0,"
    "\"error\":\"ERR_BUSY\",\"why\":\"it was busy\",\"tables\":[],\"replicas\":[]}\n"
    "]}\n";

START_TEST(replay_says_it_again)
{
    struct scan_told told;
    struct core_told nodes = { 0 };
    scan_put("s.json", replay_survey, strlen(replay_survey));
    scan_begin(&bridle_transport_replay, "{file: '%s/s.json'}");
    scan_ask(ONE, 4, &told);
    ck_assert_str_eq(scan_rows(&told), "2.0:7:120/121/118:ssd1 2.1:8:20/21/18:ssd2");
    ck_assert_str_eq(scan_tables(&told), "2:temp:8");
    const struct br_table *table = told.tables.chunks->rows;
    ck_assert_int_eq(table->node, 4);
    ck_assert_str_eq(table->envs[1], "value");
    ck_assert_int_eq(table->create_second, 1700000000);
    scan_told_done(&told);
    scan_ask(TWO, 0, &told);
    ck_assert_int_eq(told.replicas.status, BR_REFUSED);
    ck_assert_str_eq(told.replicas.code, "ERR_BUSY");
    ck_assert(strstr(told.replicas.message, "it was busy"));
    scan_ask("127.0.0.1:1", 0, &told);
    ck_assert_int_eq(told.replicas.status, BR_REFUSED);
    ck_assert(strstr(told.replicas.message, "/s.json knows no server 127.0.0.1:1"));
    transport_nodes(&scan_plugin, 0, core_done, &nodes);
    core_wait(&nodes, 1);
    ck_assert_uint_eq(nodes.chunks->count, 2);
    ck_assert_str_eq(((const char *const *) nodes.chunks->rows)[1], TWO);
    arena_done(&nodes.kept);
    scan_end();
}
END_TEST

START_TEST(replay_of_no_survey)
{
    static const struct {
        const char *bytes, *says; /* NULL: there is no file */
    } files[] = {
        { NULL, "/s.json: No such file or directory" },
        { "", "s.json: byte 0: '{' is expected" },
        { "{\"format\":\"bridle plan\"", "this is no survey" },
        { "{\"format\":\"bridle survey\",\"version\":2", "a survey of another version than 1" },
    };
    struct fail fail = { 0 };
    struct core_told told = { 0 };
    struct scan_told asked;
    if (files[_i].bytes)
        scan_put("s.json", files[_i].bytes, strlen(files[_i].bytes));
    ck_assert_int_eq(scan_open(&bridle_transport_replay, "{file: '%s/s.json'}", &fail), BR_OK);
    plugin_start(&scan_plugin, 30 * BR_SECOND, core_done, &told);
    core_wait(&told, 1);
    ck_assert_int_ne(told.status, BR_OK);
    ck_assert_msg(strstr(told.message, files[_i].says) != NULL, "%s", told.message);
    scan_ask(ONE, 0, &asked);
    ck_assert_int_eq(asked.replicas.status, BR_UNAVAILABLE);
    scan_end();
}
END_TEST

START_TEST(replay_closed_while_it_reads)
{
    struct fail fail = { 0 };
    struct core_told told = { 0 };
    scan_put("s.json", replay_survey, strlen(replay_survey));
    ck_assert_int_eq(scan_open(&bridle_transport_replay, "{file: '%s/s.json'}", &fail), BR_OK);
    plugin_start(&scan_plugin, 30 * BR_SECOND, core_done, &told);
    scan_end();
}
END_TEST

TCase *scan_replay_case(void)
{
    TCase *tcase = tcase_create("transport_replay");
    tcase_add_checked_fixture(tcase, scan_setup, scan_teardown);
    tcase_add_test(tcase, replay_says_it_again);
    tcase_add_loop_test(tcase, replay_of_no_survey, 0, 4);
    tcase_add_test(tcase, replay_closed_while_it_reads);
    return tcase;
}

/* -- Real disks ------------------------------------------------------------------------------- */

/* Every disk that was captured: all its replicas, none left out. */
START_TEST(real_disks)
{
    const char *golden = test_reference("golden");
    glob_t disks, files;
    struct buf pattern = { 0 };
    if (!golden)
        return;
    buf_printf(&pattern, "%s/*/disk*/replica*/data", golden);
    ck_assert_int_eq(glob(pattern.data, 0, NULL, &disks), 0);
    for (size_t i = 0; i < disks.gl_pathc; i++) {
        struct scan_told told;
        struct buf yaml = { 0 };
        buf_clear(&pattern);
        buf_printf(&pattern, "%s/replica/reps/*/.app-info", disks.gl_pathv[i]);
        ck_assert_int_eq(glob(pattern.data, GLOB_PERIOD, NULL, &files), 0);
        buf_printf(&yaml, "{dirs: ['" ONE "=%s']}", disks.gl_pathv[i]);
        scan_begin(&bridle_transport_scan, yaml.data);
        scan_ask(ONE, 0, &told);
        ck_assert_msg(told.replicas.status == BR_OK, "%s", told.replicas.message);
        ck_assert_uint_eq(told.replicas.chunks->count, files.gl_pathc);
        ck_assert(strstr(scan_rows(&told), ":default"));
        scan_told_done(&told);
        scan_end();
        globfree(&files);
        buf_done(&yaml);
    }
    globfree(&disks);
    buf_done(&pattern);
    ck_assert(!strstr(core_logged(), "level=warn"));
}
END_TEST

TCase *scan_real_case(void)
{
    TCase *tcase = tcase_create("transport_scan_real");
    tcase_add_checked_fixture(tcase, scan_setup, scan_teardown);
    tcase_add_test(tcase, real_disks);
    return tcase;
}
