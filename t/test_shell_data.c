/* test_shell_data -- the commands about rows: what is printed, as Pegasus's shell prints it, and
 * what is wrong usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "t/shell_data.h"

#define TAIL      "\napp_id          : 7\npartition_index : 2\n"
#define SERVER    "server          : NODE\n"
#define WROTE     TAIL "decree          : 1\n" SERVER
#define READ      TAIL SERVER
#define ROW(sort) "\"user3\" : \"" sort "\""
#define AGE       ROW("age") " => \"3\"\n"
#define BIN       ROW("bin\\x01") " => \"\\xFF\\\"\\\\\"\n"
#define NAME      ROW("name") " => \"Ann\"\n"
#define ZIP       ROW("zip") " => \"\"\n"
#define NOBODY    "\napp_id          : -1\npartition_index : -1\n"
#define MISSING   "hint: ls -a lists the tables, dropped ones too\n"
#define MAYBE     "hint: it may have been carried out all the same: look before trying again\n"

#define PAIR_(key, value) "        \"" key "\": \"" value "\""
#define PAIR(key, value)  PAIR_(key, value) ",\n"
#define TAIL_JSON         PAIR("app_id", "7") PAIR_("partition_index", "2")
#define SERVER_JSON       ",\n" PAIR_("server", "NODE")
#define JSON(name, pairs) "{\n    \"" name "\": {\n" pairs "\n    }\n}\n"
#define ROW_JSON(n, sort, value)                                                                   \
    "        \"" n "\": {\n            \"row\": \"" n "\",\n            \"sort_key\": \"" sort     \
    "\",\n            \"value\": \"" value "\"\n        }"
#define ALL(partition, sort, value, timeout, no_value)                                             \
    "partition: " partition "\nhash_key_filter_type: no_filter\nsort_key_filter_type: " sort       \
    "value_filter_type: " value "max_count: -1\ntimout_ms: " timeout                               \
    "\ndetailed: false\nno_value: " no_value "\n\n"
#define COUNT(partition, batch, sort, keys)                                                        \
    "INFO: app_name = temp\nINFO: partition = " partition "\nINFO: max_batch_count = " batch       \
    "\nINFO: timeout_ms = 5000\nINFO: hash_key_filter_type = no_filter\n"                          \
    "INFO: sort_key_filter_type = " sort "INFO: value_filter_type = no_filter\n"                   \
    "INFO: diff_hash_key = " keys "\n"

static const struct line {
    const char *line; /* behind `use temp`, which says OK */
    int status;
    const char *out, *err;
} lines[] = {
    { "set user3 new value", SHELL_OK, "", "OK\n" WROTE },
    { "set user3 'a\\x00b' \"\\n\" 100\nget user3 a\\\\x00b", SHELL_OK, "",
      "OK\n" WROTE "\"\\n\"\n" READ },
    { "set --app temp -j user3 new value", SHELL_OK,
      JSON("set", PAIR("result", "OK") TAIL_JSON ",\n" PAIR_("decree", "1") SERVER_JSON), "" },
    { "get user3 name", SHELL_OK, "", "\"Ann\"\n" READ },
    { "get user3 'bin\\x01'", SHELL_OK, "", "\"\\xFF\\\"\\\\\"\n" READ },
    { "escape_all true\nget user3 name", SHELL_OK, "", "OK\n\"\\x41\\x6E\\x6E\"\n" READ },
    { "get user3 none", SHELL_FAILED, "", "Not found\n" READ },
    { "get -j user3 name", SHELL_OK, JSON("get", PAIR("value", "Ann") TAIL_JSON SERVER_JSON), "" },
    { "get -j user3 none", SHELL_FAILED,
      JSON("get", PAIR("error", "Not found") TAIL_JSON SERVER_JSON), "" },
    { "get -- user3 name", SHELL_OK, "", "\"Ann\"\n" READ },
    { "del user3 name", SHELL_OK, "", "OK\n" WROTE },
    { "exist user3 name", SHELL_OK, "", "True\n" READ },
    { "exist user3 none", SHELL_FAILED, "", "False\n" READ },
    { "exist -j user3 none", SHELL_FAILED,
      JSON("exist", PAIR("exist", "false") TAIL_JSON SERVER_JSON), "" },
    { "ttl user3 age", SHELL_OK, "", "Infinite\n" READ },
    { "ttl user3 name", SHELL_OK, "", "3\n" READ },
    { "ttl user3 none", SHELL_FAILED, "", "Not found\n" READ },
    { "count user3", SHELL_OK, "", "4\n" READ },
    { "count user4", SHELL_FAILED, "", "ERROR: it takes too long to count sortkey\n" READ },
    { "incr user3 age", SHELL_OK, "", "4\n" WROTE },
    { "incr user3 age -5", SHELL_OK, "", "-2\n" WROTE },
    { "incr user3 name", SHELL_FAILED, "",
      "ERROR: invalid argument\nthe storage of NODE says 4 to RPC_RRDB_RRDB_INCR\n" TAIL
      "decree          : -1\n" SERVER },
    { "multi_set user3 b 1 a 2\nmulti_get user3", SHELL_OK, "",
      "OK\n" WROTE ROW("a") " => \"2\"\n" AGE ROW(
          "b") " => \"1\"\n" BIN NAME ZIP "\n6 key-value pairs got, fetch completed.\n" READ },
    { "multi_set user3 a 1 b 2 a 3", SHELL_USAGE, "", "ERROR: duplicate sort key a\n" },
    { "multi_get -j user3 name age", SHELL_OK,
      "{\n    \"multi_get\": {\n" PAIR("count", "4") PAIR("fetch", "completed")
          TAIL_JSON SERVER_JSON
      "\n    },\n    \"rows\": {\n" ROW_JSON("0", "age", "3") ",\n" ROW_JSON(
          "1", "bin\\\\x01",
          "\\\\xFF\\\\\\\"\\\\\\\\") ",\n" ROW_JSON("2", "name",
                                                    "Ann") ",\n" ROW_JSON("3", "zip",
                                                                          "") "\n    }\n}\n",
      "" },
    { "multi_get_sortkeys user3", SHELL_OK, "",
      "\"age\"\n\"bin\\x01\"\n\"name\"\n\"zip\"\n\n4 sort keys got, fetch completed.\n" READ },
    { "multi_get_range user3 a '' -n 2 -s prefix -y '\\x01' -b true -i -r", SHELL_OK, "",
      "hash_key: \"user3\"\nstart_sort_key: \"a\"\nstart_inclusive: true\nstop_sort_key: \"\"\n"
      "stop_inclusive: true\nsort_key_filter_type: prefix\nsort_key_filter_pattern: \"\\x01\"\n"
      "max_count: 2\nno_value: true\nreverse: true\n\n" ROW("name") "\n" ROW(
          "zip") "\n\n2 key-value pairs got, fetch not completed.\n" READ },
    { "multi_get_range user4 a b", SHELL_OK, "",
      "hash_key: \"user4\"\nstart_sort_key: \"a\"\nstart_inclusive: true\nstop_sort_key: \"b\"\n"
      "stop_inclusive: false\nsort_key_filter_type: no_filter\n"
      "max_count: -1\nno_value: false\nreverse: false\n\n"
      "0 key-value pairs got, fetch completed.\n" READ },
    { "multi_del user3 b a b", SHELL_OK, "", "2 key-value pairs deleted.\n" WROTE },
    { "multi_del -j user3 b a", SHELL_OK,
      JSON("multi_del", PAIR("deleted", "2") TAIL_JSON ",\n" PAIR_("decree", "1") SERVER_JSON),
      "" },
    { "check_and_set user3 -c name -t int_less -o 5 -s new -v x -r", SHELL_OK, "",
      "hash_key: \"user3\"\ncheck_sort_key: \"name\"\ncheck_type: int_less\n"
      "check_operand: \"5\"\nset_sort_key: \"new\"\nset_value: \"x\"\n"
      "set_value_ttl_seconds: 0\nreturn_check_value: true\n\n"
      "Set succeed.\n\nCheck value: \"Ann\"\n" WROTE },
    { "check_and_set user3 -c none -t exist -s none -v x -l 10 -r", SHELL_FAILED, "",
      "hash_key: \"user3\"\ncheck_sort_key: \"none\"\ncheck_type: exist\n"
      "set_sort_key: \"none\"\nset_value: \"x\"\n"
      "set_value_ttl_seconds: 10\nreturn_check_value: true\n\n"
      "Set failed, because check not passed.\n\nCheck value not exist.\n" WROTE },
    { "hash -j user3 x", SHELL_OK,
      JSON("hash",
           PAIR("key_hash", "10383355262892868298") PAIR("app_name", "temp") PAIR("app_id", "7")
               PAIR("partition_count", "4") PAIR("partition_index", "2") PAIR("primary", "NODE")
                   PAIR_("secondaries", "127.0.0.2:34801,127.0.0.3:34801")),
      "" },
    { "hash_scan user3 '' '' -d -n 2", SHELL_OK, "",
      "hash_key: \"user3\"\nstart_sort_key: \"\"\nstart_inclusive: true\nstop_sort_key: \"\"\n"
      "stop_inclusive: false\nsort_key_filter_type: no_filter\nvalue_filter_type: no_filter\n"
      "max_count: 2\ntimout_ms: 5000\ndetailed: true\nno_value: false\n\n" ROW(
          "age") " => \"3\" {app_id=7, partition_index=2, server=NODE}\n" ROW("bin\\x01") " => "
                                                                                          "\"\\xFF"
                                                                                          "\\\"\\\\"
                                                                                          "\" "
                                                                                          "{app_id="
                                                                                          "7, "
                                                                                          "partitio"
                                                                                          "n_index="
                                                                                          "2, "
                                                                                          "server="
                                                                                          "NODE}\n"
                                                                                          "\n2 "
                                                                                          "key-"
                                                                                          "value "
                                                                                          "pairs "
                                                                                          "got."
                                                                                          "\n" },
    { "full_scan -t 3000", SHELL_OK, "",
      ALL("all", "no_filter\n", "no_filter\n", "3000", "false") AGE BIN NAME ZIP
      "\n4 key-value pairs got.\n" },
    { "full_scan -p 2 -i -s exact -y name", SHELL_OK, "",
      ALL("2", "exact\nsort_key_filter_pattern: \"name\"\n", "no_filter\n", "5000", "true")
          ROW("name") "\n\n1 key-value pairs got.\n" },
    { "full_scan -p 1", SHELL_OK, "",
      ALL("1", "no_filter\n", "no_filter\n", "5000", "false") "0 key-value pairs got.\n" },
    { "full_scan -v postfix -z nn", SHELL_OK, "",
      ALL("all", "no_filter\n", "postfix\nvalue_filter_pattern: \"nn\"\n", "5000", "false") NAME
      "\n1 key-value pairs got.\n" },
    { "full_scan -v anywhere -z n -j -d", SHELL_OK,
      "{\"hash_key\": \"user3\", \"sort_key\": \"name\", \"value\": \"Ann\", \"app_id\": \"7\", "
      "\"partition_index\": \"2\", \"server\": \"NODE\"}\n",
      "" },
    { "full_scan -p 4 -j", SHELL_FAILED, "",
      "ERROR: invalid argument {app_id=7, partition_index=0, server=NODE}\n"
      "there is no partition 4: the table has 4\n" },
    { "count_data", SHELL_OK,
      "[count_data]\n"
      "pidx       estimate_count  \n"
      "0          12.50           \n"
      "1          0.00            \n"
      "2          0.00            \n"
      "3          3.00            \n"
      "(total:4)  15.50           \n",
      "" },
    { "count_data -c", SHELL_OK, "",
      COUNT("all", "500", "no_filter\n",
            "false") "INFO: scanner only return kv count, not return value\n"
                     "INFO: split[0]: 0 rows\nINFO: split[1]: 0 rows\nINFO: split[2]: 4 rows\n"
                     "INFO: split[3]: 0 rows\nCount done, total 4 rows.\n" },
    { "count_data -c -p 2 -d -s exact -y zip -b 2", SHELL_OK, "",
      COUNT("2", "2", "exact\nINFO: sort_key_filter_pattern = \"zip\"\n",
            "true") "INFO: split[2]: 1 rows (1 hash keys)\nCount done, total 1 rows. (1 hash "
                    "keys)\n" },
    { "count_data -c -j -p 2", SHELL_OK,
      "{\n    \"count_data\": {\n        \"2\": {\n            \"pidx\": \"2\",\n"
      "            \"count\": \"4\"\n        },\n        \"(total:1)\": {\n"
      "            \"pidx\": \"(total:1)\",\n            \"count\": \"4\"\n        }\n    }\n}\n",
      "" },
    { "timeout\ntimeout 100\ntimeout", SHELL_OK, "",
      "Current timeout: 5000 milliseconds.\nOK\nCurrent timeout: 100 milliseconds.\n" },
    { "escape_all", SHELL_OK, "", "Current escape_all: false.\n" },
};

START_TEST(line)
{
    struct buf text = { 0 }, err = { 0 };
    buf_printf(&text, "use temp\n%s", lines[_i].line);
    buf_printf(&err, "OK\n%s", lines[_i].err);
    shop_run(buf_string(&text), lines[_i].status, lines[_i].out, buf_string(&err));
    buf_done(&text);
    buf_done(&err);
}
END_TEST

/* -- Outside a prompt, and what is wrong --------------------------------------------------------
 */

static const struct line others[] = {
    { "hash user3 x", SHELL_OK, "key_hash  : 10383355262892868298\n", "" },
    { "get --app temp user3 name", SHELL_OK, "", "\"Ann\"\n" READ },
    { "get --app nothing user3 name", SHELL_FAILED, "",
      "ERROR: app not exist\nMETA answered about table \"nothing\" with "
      "ERR_OBJECT_NOT_FOUND\n" MISSING NOBODY "server          : \n" },
    { "get -j --app nothing user3 name", SHELL_FAILED,
      JSON("get", PAIR("error", "app not exist") PAIR("app_id", "-1") PAIR("partition_index", "-1")
                      PAIR_("server", "")),
      "META answered about table \"nothing\" with ERR_OBJECT_NOT_FOUND\n" MISSING },
    { "hash --app nothing user3 x", SHELL_FAILED,
      "list app [nothing] failed, error=ERR_OBJECT_NOT_FOUND\n", MISSING },
    { "count_data --app nothing", SHELL_FAILED, "",
      "ERROR: query app stat from server failed\n" MISSING "hint: count_data -c counts instead\n" },
    { "count_data --app nothing -c -j", SHELL_FAILED, "",
      "ERROR: app not exist {app_id=-1, partition_index=-1, server=}\n"
      "META answered about table \"nothing\" with ERR_OBJECT_NOT_FOUND\n" MISSING
      "ERROR: error occurred, terminate processing\n" },
    { "full_scan --app nothing -j", SHELL_FAILED, "",
      "ERROR: app not exist {app_id=-1, partition_index=-1, server=}\n"
      "META answered about table \"nothing\" with ERR_OBJECT_NOT_FOUND\n" MISSING },
    { "multi_set --app temp '' a b", SHELL_FAILED, "",
      "ERROR: invalid argument\nRPC_RRDB_RRDB_MULTI_PUT needs a hash key that is not empty\n" NOBODY
      "decree          : -1\nserver          : \n" },
    /* the table of `use`, then another, then the first again */
    { "use temp\nget --app nothing -j a b\nget user3 age", SHELL_OK,
      JSON("get", PAIR("error", "app not exist") PAIR("app_id", "-1") PAIR("partition_index", "-1")
                      PAIR_("server", "")),
      "OK\nMETA answered about table \"nothing\" with ERR_OBJECT_NOT_FOUND\n" MISSING
      "\"3\"\n" READ },
};

START_TEST(other)
{
    shop_run(others[_i].line, others[_i].status, others[_i].out, others[_i].err);
}
END_TEST

/* A replica server that is busy. */
static const struct line busy[] = {
    { "get --app temp user3 name", SHELL_FAILED, "",
      "ERROR: app busy\nNODE answered RPC_RRDB_RRDB_GET with ERR_BUSY\n" NOBODY
      "server          : \n" },
    { "incr --app temp user3 name", SHELL_FAILED, "",
      "ERROR: app busy\nNODE answered RPC_RRDB_RRDB_INCR with ERR_BUSY\n" NOBODY
      "decree          : -1\nserver          : \n" },
    { "full_scan --app temp -j", SHELL_FAILED, "",
      "ERROR: app busy {app_id=-1, partition_index=-1, server=}\n"
      "NODE answered RPC_RRDB_RRDB_GET_SCANNER with ERR_BUSY\n" },
    { "count_data --app temp", SHELL_FAILED, "",
      "ERROR: query app stat from server failed\n"
      "NODE answered RPC_CLI_CLI_CALL with ERR_BUSY\nhint: count_data -c counts instead\n" },
};

START_TEST(is_busy)
{
    shop_run(busy[_i].line, busy[_i].status, busy[_i].out, busy[_i].err);
}
END_TEST

/* A write that nobody answers may have happened. */
START_TEST(unknown)
{
    struct ran ran = shop_ran("timeout 50\nset --app temp user3 a b");
    ck_assert_msg(strncmp(ran.err, "OK\nERROR: timeout\nRPC_RRDB_RRDB_PUT was not done within ", 55)
                      == 0,
                  "%s", ran.err);
    ck_assert_msg(strstr(ran.err, "\n" MAYBE NOBODY "decree          : -1\n") != NULL, "%s",
                  ran.err);
    ck_assert_int_eq(ran.status, SHELL_FAILED);
    ran_free(&ran);
}
END_TEST

/* Newer servers have no perf-counters. */
START_TEST(no_counters)
{
    shop_run("count_data --app temp", SHELL_FAILED, "",
             "ERROR: query app stat from server failed\n"
             "NODE has no perf-counters; servers from 2.6 on tell it by HTTP only\n"
             "hint: count_data -c counts instead\n");
}
END_TEST

START_TEST(to_a_file)
{
    struct buf text = { 0 }, got = { 0 };
    char path[] = "shell_data_XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    buf_printf(&text, "full_scan --app temp -o %s", path);
    shop_run(buf_string(&text), SHELL_OK, "",
             ALL("all", "no_filter\n", "no_filter\n", "5000", "false") "4 key-value pairs got.\n");
    ck_assert(test_read(path, &got));
    ck_assert_str_eq(buf_string(&got), AGE BIN NAME ZIP);
    remove(path);
    buf_done(&got);
    buf_done(&text);
    check_line("127.0.0.1:1", "full_scan --app t -o /nowhere/x", SHELL_FAILED, "",
               "open output file /nowhere/x failed: No such file or directory\n");
}
END_TEST

#define NO_APP                                                                                     \
    "No app is using now\nUSAGE: use [app_name]\nhint: or name the table with --app TABLE\n"
static const struct {
    const char *line, *err; /* err: its beginning */
} wrong[] = {
    { "set a b", "USAGE: \tset " },
    { "set a b c d e", "USAGE: \tset " },
    { "set a b c", NO_APP },
    { "set -x a b c", "USAGE: \tset " },
    { "set --app t a b c x", "ERROR: parse x as ttl failed\nUSAGE: \tset " },
    { "set --app t a b c 0", "ERROR: invalid ttl 0\nUSAGE: \tset " },
    { "set --app t a b c 2147483647", "ERROR: invalid ttl 2147483647\nUSAGE: \tset " },
    { "set --app t 'a\\q' b c", "ERROR: a\\q has an escape that is none of " },
    { "set --app t 'a\\' b c", "ERROR: a\\ has an escape that is none of " },
    { "set --app t '\\x1' b c", "ERROR: \\x1 has an escape that is none of " },
    { "get a", "USAGE: \tget " },
    { "del a", "USAGE: \tdel " },
    { "exist a", "USAGE: \texist " },
    { "ttl a b c", "USAGE: \tttl " },
    { "count a b", "USAGE: \tcount " },
    { "incr --app t a b x", "ERROR: invalid increment param\nUSAGE: \tincr " },
    { "multi_set --app t a b c d", "USAGE: \tmulti_set " },
    { "multi_get", "USAGE: \tmulti_get " },
    { "multi_get_sortkeys a b", "USAGE: \tmulti_get_sortkeys " },
    { "multi_del a", "USAGE: \tmulti_del " },
    { "multi_get_range a b", "USAGE: \tmulti_get_range " },
    { "multi_get_range a b c -a x", "invalid start_inclusive param\nUSAGE: " },
    { "multi_get_range a b c -b x", "invalid stop_inclusive param\nUSAGE: " },
    { "multi_get_range a b c -s exact", "invalid sort_key_filter_type param\nUSAGE: " },
    { "multi_get_range a b c -n x", "parse x as max_count failed\nUSAGE: " },
    { "check_and_set", "USAGE: \tcheck_and_set " },
    { "check_and_set a", "ERROR: check_sort_key not provided\nUSAGE: " },
    { "check_and_set a -c c", "ERROR: check_type not provided\nUSAGE: " },
    { "check_and_set a -c c -t x", "ERROR: invalid check_type param\nUSAGE: " },
    { "check_and_set a -c c -t int_equal", "ERROR: check_operand not provided\nUSAGE: " },
    { "check_and_set a -c c -t exist", "ERROR: set_sort_key not provided\nUSAGE: " },
    { "check_and_set a -c c -t exist -s s", "ERROR: set_value not provided\nUSAGE: " },
    { "check_and_set a -l -1", "ERROR: invalid set_value_ttl_seconds param\nUSAGE: " },
    { "hash_scan a b", "USAGE: \thash_scan " },
    { "hash_scan a b c -h prefix", "USAGE: \thash_scan " },
    { "hash_scan a b c -a x", "ERROR: invalid start_inclusive param\nUSAGE: " },
    { "full_scan a", "USAGE: \tfull_scan " },
    { "full_scan -a true", "USAGE: \tfull_scan " },
    { "full_scan -p -1", "ERROR: parse -1 as partition id failed\nUSAGE: " },
    { "full_scan -t 0", "ERROR: parse 0 as timeout_ms failed\nUSAGE: " },
    { "full_scan -h exact", "ERROR: invalid hash_key_filter_type param\nUSAGE: " },
    { "full_scan -v none", "ERROR: invalid value_filter_type param\nUSAGE: " },
    { "full_scan -v prefix -i", "ERROR: no_value should not be set when value_filter_type" },
    { "count_data -p 1", "ERROR: you must input [-c|--precise] flag when you expect" },
    { "count_data -c -b 1", "ERROR: max_batch_count should be greater than 1\nUSAGE: " },
    { "count_data -c", NO_APP },
    { "count_data x", "USAGE: \tcount_data " },
    { "hash a", "USAGE: \thash " },
    { "timeout x", "parse x as timeout failed\n" },
    { "timeout 1 2", "USAGE: \ttimeout " },
    { "escape_all maybe", "USAGE: \tescape_all " },
};

START_TEST(usage)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct ran ran = run_line("127.0.0.1:1", WIRE_PEER_25, wrong[i].line);
        ck_assert_msg(strncmp(ran.err, wrong[i].err, strlen(wrong[i].err)) == 0, "%s\n%s",
                      wrong[i].line, ran.err);
        ck_assert_str_eq(ran.out, "");
        ck_assert_msg(ran.status == SHELL_USAGE, "%s", wrong[i].line);
        ran_free(&ran);
    }
}
END_TEST

static void setup(void)
{
    shop_start(NULL);
}

static void setup_busy(void)
{
    shop_start("ERR_BUSY");
}

static void setup_mute(void)
{
    shop_start("");
}

static TCase *with(const char *name, void (*start)(void))
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, start, shop_stop);
    return tcase;
}

int main(void)
{
    TCase *serving = with("lines", setup), *refusing = with("busy", setup_busy);
    TCase *mute = with("mute", setup_mute), *alone = tcase_create("usage");
    tcase_add_loop_test(serving, line, 0, (int) (sizeof lines / sizeof *lines));
    tcase_add_loop_test(serving, other, 0, (int) (sizeof others / sizeof *others));
    tcase_add_test(serving, to_a_file);
    tcase_add_loop_test(refusing, is_busy, 0, (int) (sizeof busy / sizeof *busy));
    tcase_add_test(mute, unknown);
    tcase_add_test(mute, no_counters);
    tcase_add_test(alone, usage);
    return test_run("shell_data", serving, refusing, mute, alone, NULL);
}
