/* test_config_apps -- the section `apps`: the tables that an empty cluster begins with. */
#include <string.h>

#include "host/config/config.h"
#include "t/test_config.h"

#define MINIMAL                                                                                    \
    "meta_server: {listen: \"h:1\", cluster_root: /r}\n"                                           \
    "replication: {cluster_name: c}\n"

static br_status parse(struct config *config, const char *apps, struct fail *ret_fail)
{
    struct buf text = { 0 };
    buf_text(&text, MINIMAL);
    buf_text(&text, apps);
    br_status status = config_parse(config, "f.yaml", text.data, text.size, NULL, ret_fail);
    buf_done(&text);
    return status;
}

START_TEST(none)
{
    static const char *const texts[] = { "", "apps: {}\n" };
    struct config config;
    struct fail fail;
    ck_assert_msg(parse(&config, texts[_i], &fail) == BR_OK, "%s", fail.text);
    ck_assert_uint_eq(config.app_count, 0);
    config_done(&config);
}
END_TEST

/* Apache Pegasus makes them in the order of their names, and gives ids in it. */
START_TEST(by_name)
{
    struct config config;
    struct fail fail;
    br_status status = parse(&config,
                             "apps:\n"
                             "  temp: {partition_count: 8}\n"
                             "  Zeta: {}\n"
                             "  stat:\n"
                             "    app_type: pegasus\n"
                             "    partition_count: 1048576\n"
                             "    max_replica_count: 15\n"
                             "    envs: [business.info=a=b, default_ttl=]\n",
                             &fail);
    ck_assert_msg(status == BR_OK, "%s", fail.text);
    ck_assert_uint_eq(config.app_count, 3);
    ck_assert_str_eq(config.apps[0].name, "Zeta");
    ck_assert_str_eq(config.apps[1].name, "stat");
    ck_assert_str_eq(config.apps[2].name, "temp");
    ck_assert_str_eq(config.apps[0].app_type, "pegasus");
    ck_assert_int_eq(config.apps[0].partition_count, 1);
    ck_assert_int_eq(config.apps[0].max_replica_count, 3);
    ck_assert_ptr_null(config.apps[0].envs[0]);
    ck_assert_int_eq(config.apps[1].partition_count, 1048576);
    ck_assert_int_eq(config.apps[1].max_replica_count, 15);
    ck_assert_str_eq(config.apps[1].envs[0], "business.info=a=b");
    ck_assert_str_eq(config.apps[1].envs[1], "default_ttl=");
    ck_assert_int_eq(config.apps[2].partition_count, 8);
    config_done(&config);
}
END_TEST

static const struct {
    const char *text, *want;
} bad[] = {
    { "apps: [temp]\n", "apps must be a map of tables" },
    { "apps:\n", "apps must be a map of tables" },
    { "apps: temp\n", "apps must be a map of tables" },
    { "apps:\n  a-b: {}\n", "a table's name (apps) is of letters, digits" },
    { "apps:\n  \"\": {}\n", "a key must not be empty" },
    { "apps:\n  a: {partition_count: 0}\n", "partition_count" },
    { "apps:\n  a: {partition_count: 1048577}\n", "partition_count" },
    { "apps:\n  a: {max_replica_count: 0}\n", "max_replica_count" },
    { "apps:\n  a: {max_replica_count: 16}\n", "max_replica_count" },
    { "apps:\n  a: {envs: [x]}\n", "must hold key=value each, not \"x\"" },
    { "apps:\n  a: {envs: [=x]}\n", "must hold key=value each, not \"=x\"" },
    { "apps:\n  a: {partitions: 8}\n", "partitions" },
    { "apps:\n  a: {}\n  a: {}\n", "a" },
};

START_TEST(refused)
{
    struct config config;
    struct fail fail;
    ck_assert_int_ne(parse(&config, bad[_i].text, &fail), BR_OK);
    ck_assert_msg(strstr(fail.text, bad[_i].want) != NULL, "%s: %s", bad[_i].text, fail.text);
}
END_TEST

START_TEST(limit_apps)
{
    struct config config;
    struct fail fail;
    struct buf text = { 0 };
    buf_text(&text, "apps:\n");
    for (int i = 0; i < CONFIG_APPS_MAX; i++)
        buf_printf(&text, "  t%d: {}\n", i);
    ck_assert_msg(parse(&config, text.data, &fail) == BR_OK, "%s", fail.text);
    ck_assert_uint_eq(config.app_count, CONFIG_APPS_MAX);
    config_done(&config);
    buf_text(&text, "  one.more: {}\n");
    ck_assert_int_eq(parse(&config, text.data, &fail), BR_TOOBIG);
    buf_done(&text);
}
END_TEST

/* src/client/replication_ddl_client.cpp: validate_app_name */
START_TEST(names_of_tables)
{
    static const struct {
        const char *name;
        bool good;
    } rows[] = {
        { "a", true },    { "aZ09._:", true }, { "", false },         { "a-b", false },
        { "a b", false }, { "a/b", false },    { "\xc3\xa4", false }, { "[", false },
        { "@", false },   { "`", false },      { "{", false },
    };
    char longest[BR_NAME_MAX + 2];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(config_table_name(rows[i].name) == rows[i].good, "%s", rows[i].name);
    memset(longest, 'x', BR_NAME_MAX + 1);
    longest[BR_NAME_MAX + 1] = 0;
    ck_assert(!config_table_name(longest));
    longest[BR_NAME_MAX] = 0;
    ck_assert(config_table_name(longest));
}
END_TEST

TCase *test_config_apps(void)
{
    TCase *tcase = tcase_create("apps");
    tcase_add_loop_test(tcase, none, 0, 2);
    tcase_add_test(tcase, by_name);
    tcase_add_loop_test(tcase, refused, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, limit_apps);
    tcase_add_test(tcase, names_of_tables);
    return tcase;
}
