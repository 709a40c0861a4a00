/* test_config_option -- every kind of option, well and badly written, and unknown keys. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/config/option.h"
#include "t/test_config.h"

struct all {
    const char *text;
    bool flag;
    int64_t number;
    br_time wait;
    uint64_t room;
    int32_t mode;
    const char *const *names;
    const char *password;
    int64_t pin;
    const char *hosts;
};

static const struct br_option options[] = {
    BR_STRING(struct all, text, .fallback = "standard", .help = "Some text."),
    BR_BOOL(struct all, flag, .fallback = "true", .help = "A flag."),
    BR_INTEGER(struct all, number, .fallback = "7", .min = -5, .max = 100, .help = "A number."),
    BR_DURATION(struct all, wait, .fallback = "250ms", .min = BR_MILLISECOND, .max = 60 * BR_MINUTE,
                .help = "A time."),
    BR_SIZE(struct all, room, .fallback = "64KiB", .min = 1024, .max = 1 << 30, .help = "A size."),
    BR_CHOICE(struct all, mode, .fallback = "lenient", .choices = "strict|lenient|odd",
              .help = "How."),
    BR_LIST(struct all, names, .fallback = "[a, b]", .help = "Names."),
    BR_STRING(struct all, password, .flags = BR_SECRET, .help = "A secret."),
    BR_INTEGER(struct all, pin, .flags = BR_SECRET, .min = 0, .max = 9999, .help = "A PIN."),
    BR_STRING(struct all, hosts, .flags = BR_REQUIRED, .help = "Where it is."),
    { 0 },
};

static br_status fill(struct arena *arena, const char *text, struct all *all, struct fail *fail)
{
    struct yaml *root;
    static const char *const skip[] = { "plugin", "deadline", NULL };
    br_status status = yaml_parse(arena, "f.yaml", text, strlen(text), &root, fail);
    ck_assert_msg(status == BR_OK, "%s", fail->text);
    return option_fill(arena, root, "store test", options, sizeof *options, skip, all, fail);
}

START_TEST(defaults)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct fail fail = { 0 };
    struct all all = { 0 };
    br_status status = fill(&arena, "hosts: h\nplugin: x\n", &all, &fail);
    ck_assert_msg(status == BR_OK, "%s", fail.text);
    ck_assert_str_eq(all.text, "standard");
    ck_assert(all.flag);
    ck_assert_int_eq(all.number, 7);
    ck_assert_int_eq(all.wait, 250 * BR_MILLISECOND);
    ck_assert_uint_eq(all.room, 65536);
    ck_assert_int_eq(all.mode, 1);
    ck_assert_str_eq(all.names[0], "a");
    ck_assert_str_eq(all.names[1], "b");
    ck_assert_ptr_null(all.names[2]);
    ck_assert_ptr_null(all.password);
    ck_assert_str_eq(all.hosts, "h");
    arena_done(&arena);
}
END_TEST

START_TEST(given)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct fail fail = { 0 };
    struct all all = { 0 };
    br_status status =
        fill(&arena,
             "text: \"\"\nflag: false\nnumber: -5\nwait: 1h\nroom: 1GiB\nmode: strict\n"
             "names: []\npassword: pw\npin: 9999\nhosts: h\ndeadline: 5s\n",
             &all, &fail);
    ck_assert_msg(status == BR_OK, "%s", fail.text);
    ck_assert_str_eq(all.text, "");
    ck_assert(!all.flag);
    ck_assert_int_eq(all.number, -5);
    ck_assert_int_eq(all.wait, 60 * BR_MINUTE);
    ck_assert_uint_eq(all.room, 1 << 30);
    ck_assert_int_eq(all.mode, 0);
    ck_assert_ptr_nonnull(all.names);
    ck_assert_ptr_null(all.names[0]);
    ck_assert_str_eq(all.password, "pw");
    ck_assert_int_eq(all.pin, 9999);
    arena_done(&arena);
}
END_TEST

struct amount {
    const char *text;
    int64_t want;
};

static const struct amount durations[] = {
    { "5000000ns", 5000000 },  { "5000us", 5000000 },     { "1ms", BR_MILLISECOND },
    { "10s", 10 * BR_SECOND }, { "5min", 5 * BR_MINUTE }, { "1h", 60 * BR_MINUTE },
};
static const struct amount sizes[] = {
    { "4096B", 4096 },
    { "64KiB", 65536 },
    { "3MiB", 3 << 20 },
    { "1GiB", 1 << 30 },
};

START_TEST(units)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct fail fail = { 0 };
    struct all all = { 0 };
    char text[128];
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        snprintf(text, sizeof text, "hosts: h\nwait: %s\n", durations[i].text);
        ck_assert_int_eq(fill(&arena, text, &all, &fail), BR_OK);
        ck_assert_int_eq(all.wait, durations[i].want);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(text, sizeof text, "hosts: h\nroom: %s\n", sizes[i].text);
        ck_assert_int_eq(fill(&arena, text, &all, &fail), BR_OK);
        ck_assert_int_eq((int64_t) all.room, sizes[i].want);
    }
    arena_done(&arena);
}
END_TEST

#define TIMES "(250ms, 10s, 5min, 1h; units: ns us ms s min h); not "
#define ROOMS "(4096B, 64KiB, 1MiB; units: B KiB MiB GiB); not "

static const char *const bad[][2] = {
    { "flag: yes", "f.yaml:2:7: flag (store test) must be true or false, not \"yes\"" },
    { "flag: True", "f.yaml:2:7: flag (store test) must be true or false, not \"True\"" },
    { "flag: 1", "f.yaml:2:7: flag (store test) must be true or false, not \"1\"" },
    { "flag:", "f.yaml:2:6: flag (store test) has no value" },
    { "flag: [true]", "f.yaml:2:7: flag (store test) must be a single value; here is a list" },
    { "flag: {a: b}", "f.yaml:2:7: flag (store test) must be a single value; here is a map" },
    { "text:", "f.yaml:2:6: text (store test) has no value: write \"\" for an empty text" },
    { "number: 1e3", "f.yaml:2:9: number (store test) must be a whole number, as 42; not \"1e3\"" },
    { "number: 0x10",
      "f.yaml:2:9: number (store test) must be a whole number, as 42; not \"0x10\"" },
    { "number: 1.0", "f.yaml:2:9: number (store test) must be a whole number, as 42; not \"1.0\"" },
    { "number: \"\"", "f.yaml:2:9: number (store test) must be a whole number, as 42; not \"\"" },
    { "number: 101", "f.yaml:2:9: number (store test) must be between -5 and 100, not 101" },
    { "number: -6", "f.yaml:2:9: number (store test) must be between -5 and 100, not -6" },
    { "number: 99999999999999999999",
      "f.yaml:2:9: number (store test) must be a whole number, as 42; not "
      "\"99999999999999999999\"" },
    { "wait: 10",
      "f.yaml:2:7: wait (store test) must be a whole number with its unit " TIMES "\"10\"" },
    { "wait: 10sec",
      "f.yaml:2:7: wait (store test) must be a whole number with its unit " TIMES "\"10sec\"" },
    { "wait: 1.5s",
      "f.yaml:2:7: wait (store test) must be a whole number with its unit " TIMES "\"1.5s\"" },
    { "wait: -1s",
      "f.yaml:2:7: wait (store test) must be a whole number with its unit " TIMES "\"-1s\"" },
    { "wait: 1 s",
      "f.yaml:2:7: wait (store test) must be a whole number with its unit " TIMES "\"1 s\"" },
    { "wait: s",
      "f.yaml:2:7: wait (store test) must be a whole number with its unit " TIMES "\"s\"" },
    { "wait: 1MiB",
      "f.yaml:2:7: wait (store test) must be a whole number with its unit " TIMES "\"1MiB\"" },
    { "wait: 9999999999h", "f.yaml:2:7: wait (store test) is too large: \"9999999999h\"" },
    { "wait: 99999999999999999999s",
      "f.yaml:2:7: wait (store test) is too large: \"99999999999999999999s\"" },
    { "wait: 2h", "f.yaml:2:7: wait (store test) must be between 1ms and 1h, not 2h" },
    { "wait: 0s", "f.yaml:2:7: wait (store test) must be between 1ms and 1h, not 0s" },
    { "room: 1kb",
      "f.yaml:2:7: room (store test) must be a whole number with its unit " ROOMS "\"1kb\"" },
    { "room: 1024",
      "f.yaml:2:7: room (store test) must be a whole number with its unit " ROOMS "\"1024\"" },
    { "room: 2GiB", "f.yaml:2:7: room (store test) must be between 1KiB and 1GiB, not 2GiB" },
    { "room: 9999999999GiB", "f.yaml:2:7: room (store test) is too large: \"9999999999GiB\"" },
    { "mode: strct",
      "f.yaml:2:7: mode (store test) must be one of strict|lenient|odd; not \"strct\"" },
    { "mode: \"\"", "f.yaml:2:7: mode (store test) must be one of strict|lenient|odd; not \"\"" },
    { "mode: strict|lenient",
      "f.yaml:2:7: mode (store test) must be one of strict|lenient|odd; not \"strict|lenient\"" },
    { "mode: 1", "f.yaml:2:7: mode (store test) must be one of strict|lenient|odd; not \"1\"" },
    { "names: a", "f.yaml:2:8: names (store test) must be a list, as [a, b]; here is a single "
                  "value" },
    { "names: {a: b}", "f.yaml:2:8: names (store test) must be a list, as [a, b]; here is a map" },
    { "names: [a, [b]]", "f.yaml:2:12: names (store test) must be a list of single values; here is "
                         "a list" },
    { "names: [a, \"\"]", "f.yaml:2:12: names (store test) has an empty item here" },
    { "pin: geheim", "f.yaml:2:6: pin (store test) must be a whole number, as 42; not "
                     "\"(hidden)\"" },
    { "pin: 12345", "f.yaml:2:6: pin (store test) must be between 0 and 9999, not (hidden)" },
    { "password: file:/nowhere/pw",
      "f.yaml:2:11: password (store test) names the file /nowhere/pw: No such file or directory" },
    { "password: file:/", "f.yaml:2:11: password (store test) names the file /: Is a directory" },
    { "numbr: 1", "f.yaml:2:1: unknown key \"numbr\" in store test: did you mean \"number\"?" },
    { "nubmer: 1", "f.yaml:2:1: unknown key \"nubmer\" in store test: did you mean \"number\"?" },
    { "dedline: 1", "f.yaml:2:1: unknown key \"dedline\" in store test: did you mean "
                    "\"deadline\"?" },
    { "zzz: 1", "f.yaml:2:1: unknown key \"zzz\" in store test, which knows: text, flag, number, "
                "wait, room, mode, names, password, pin, hosts, plugin, deadline" },
};

START_TEST(refused)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct fail fail = { 0 };
    struct all all = { 0 };
    struct buf text = { 0 };
    buf_printf(&text, "hosts: h\n%s\n", bad[_i][0]);
    ck_assert_int_eq(fill(&arena, text.data, &all, &fail), BR_INVALID);
    ck_assert_str_eq(fail.text, bad[_i][1]);
    buf_done(&text);
    arena_done(&arena);
}
END_TEST

START_TEST(required)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct fail fail = { 0 };
    struct all all = { 0 };
    ck_assert_int_eq(fill(&arena, "\n\nnumber: 1\n", &all, &fail), BR_INVALID);
    ck_assert_str_eq(fail.text, "f.yaml:3:1: store test needs the key \"hosts\": Where it is.");
    ck_assert_int_eq(
        option_fill(&arena, NULL, "store test", options, sizeof *options, NULL, &all, &fail),
        BR_INVALID);
    ck_assert_str_eq(fail.text, "store test needs the key \"hosts\": Where it is.");
    ck_assert_int_eq(fill(&arena, "[a]\n", &all, &fail), BR_INVALID);
    ck_assert_str_eq(fail.text, "f.yaml:1:1: store test must be a map of keys; here is a list");
    ck_assert_int_eq(fill(&arena, "---\n", &all, &fail), BR_INVALID);
    ck_assert_str_eq(fail.text, "f.yaml:2:1: store test must be a map of keys; here is nothing: "
                                "leave the key out for defaults");
    ck_assert_int_eq(option_fill(&arena, NULL, "policy none", NULL, 0, NULL, NULL, &fail), BR_OK);
    arena_done(&arena);
}
END_TEST

/* A plugin's mistakes are the host's errors, not its crashes. */
START_TEST(bad_tables)
{
    struct one {
        int64_t number;
        int32_t mode;
    } one;
    static const struct br_option wrong[] = {
        BR_INTEGER(struct one, number, .fallback = "ten", .help = "x"),
        { 0 },
    };
    static const struct br_option strange[] = {
        { .name = "number", .type = 99, .fallback = "x", .help = "x" },
        { 0 },
    };
    static const struct br_option empty[] = {
        BR_CHOICE(struct one, mode, .fallback = "x", .help = "x"),
        { 0 },
    };
    struct arena arena;
    arena_init(&arena, 0);
    struct fail fail = { 0 };
    ck_assert_int_eq(option_fill(&arena, NULL, "policy x", wrong, sizeof *wrong, NULL, &one, &fail),
                     BR_INVALID);
    ck_assert_str_eq(fail.text,
                     "default: number (policy x) must be a whole number, as 42; not \"ten\"");
    ck_assert_int_eq(
        option_fill(&arena, NULL, "policy x", strange, sizeof *wrong, NULL, &one, &fail),
        BR_INVALID);
    ck_assert_str_eq(fail.text, "default: number (policy x) is of a kind that this host does not "
                                "know (99)");
    ck_assert_int_eq(option_fill(&arena, NULL, "policy x", empty, sizeof *wrong, NULL, &one, &fail),
                     BR_INVALID);
    ck_assert_str_eq(fail.text, "default: mode (policy x) must be one of ; not \"x\"");
    arena_done(&arena);
}
END_TEST

/* A table of a plugin that knows a shorter, or a longer, br_option. */
START_TEST(other_stride)
{
    struct longer {
        struct br_option option;
        int64_t more;
    };
    static const struct longer table[] = {
        { .option = BR_BOOL(struct all, flag, .fallback = "true", .help = "x") },
        { .option = BR_INTEGER(struct all, number, .fallback = "3", .help = "x") },
        { .option = { 0 } },
    };
    struct arena arena;
    arena_init(&arena, 0);
    struct fail fail = { 0 };
    struct all all = { 0 };
    ck_assert_int_eq(
        option_fill(&arena, NULL, "x", &table[0].option, sizeof *table, NULL, &all, &fail), BR_OK);
    ck_assert(all.flag);
    ck_assert_int_eq(all.number, 3);
    arena_done(&arena);
}
END_TEST

static void write_file(const char *path, const char *data, size_t size)
{
    FILE *out = fopen(path, "w");
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(data, 1, size, out), size);
    ck_assert_int_eq(fclose(out), 0);
}

START_TEST(secret_files)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct fail fail = { 0 };
    struct all all = { 0 };
    char *directory = test_directory();
    struct buf path = { 0 }, text = { 0 }, big = { 0 };
    buf_printf(&path, "%s/pw", directory);
    buf_printf(&text, "hosts: h\npassword: file:%s\n", path.data);
    write_file(path.data, "sesame open\n", 12);
    ck_assert_int_eq(fill(&arena, text.data, &all, &fail), BR_OK);
    ck_assert_str_eq(all.password, "sesame open");
    write_file(path.data, "no newline\n\n", 12);
    ck_assert_int_eq(fill(&arena, text.data, &all, &fail), BR_OK);
    ck_assert_str_eq(all.password, "no newline\n");
    write_file(path.data, "a\0b", 3);
    ck_assert_int_eq(fill(&arena, text.data, &all, &fail), BR_INVALID);
    ck_assert_ptr_nonnull(strstr(fail.text, "/pw, which is not text"));
    while (big.size < OPTION_SECRET_MAX)
        buf_char(&big, 'x');
    write_file(path.data, big.data, big.size);
    ck_assert_int_eq(fill(&arena, text.data, &all, &fail), BR_OK);
    ck_assert_uint_eq(strlen(all.password), OPTION_SECRET_MAX);
    buf_char(&big, 'x');
    write_file(path.data, big.data, big.size);
    ck_assert_int_eq(fill(&arena, text.data, &all, &fail), BR_INVALID);
    ck_assert_ptr_nonnull(strstr(fail.text, "/pw, which is longer than 65536 bytes"));
    buf_done(&path);
    buf_done(&text);
    buf_done(&big);
    free(directory);
    arena_done(&arena);
}
END_TEST

START_TEST(limit_list)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct fail fail = { 0 };
    struct all all = { 0 };
    struct buf text = { 0 };
    buf_text(&text, "hosts: h\nnames:\n");
    for (int i = 0; i < OPTION_LIST_MAX; i++)
        buf_text(&text, "- x\n");
    ck_assert_int_eq(fill(&arena, text.data, &all, &fail), BR_OK);
    ck_assert_str_eq(all.names[OPTION_LIST_MAX - 1], "x");
    ck_assert_ptr_null(all.names[OPTION_LIST_MAX]);
    buf_text(&text, "- x\n");
    ck_assert_int_eq(fill(&arena, text.data, &all, &fail), BR_INVALID);
    ck_assert_str_eq(fail.text, "f.yaml:4099:3: names (store test) has more than 4096 items");
    buf_done(&text);
    arena_done(&arena);
}
END_TEST

START_TEST(nearest)
{
    static const char *const keys[] = { "cluster_root", "lock_root", "listen", "pin", "x", NULL };
    static const char *const pairs[][2] = {
        { "cluster-root", "cluster_root" },
        { "clusterroot", "cluster_root" },
        { "lok_root", "lock_root" },
        { "lsiten", "listen" },
        { "listen", "listen" },
        { "something", NULL },
        { "y", NULL },
        { "pni", "pin" },
        { "nip", NULL },
        { "pi", "pin" },
        { "", NULL },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        ck_assert_pstr_eq(option_nearest(pairs[i][0], keys), pairs[i][1]);
    /* Keys longer than the limit are not compared, on either side. */
    struct buf key = { 0 }, longer = { 0 };
    while (key.size < OPTION_KEY_MAX)
        buf_char(&key, 'k');
    buf_text(&longer, key.data);
    buf_char(&longer, 'k');
    const char *const lengths[] = { key.data, NULL };
    const char *const too_long[] = { longer.data, NULL };
    ck_assert_ptr_eq(option_nearest(key.data, lengths), key.data);
    ck_assert_ptr_null(option_nearest(longer.data, lengths));
    ck_assert_ptr_null(option_nearest(key.data, too_long));
    buf_done(&key);
    buf_done(&longer);
}
END_TEST

TCase *test_config_option(void)
{
    TCase *tcase = tcase_create("option");
    tcase_add_test(tcase, defaults);
    tcase_add_test(tcase, given);
    tcase_add_test(tcase, units);
    tcase_add_loop_test(tcase, refused, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, required);
    tcase_add_test(tcase, bad_tables);
    tcase_add_test(tcase, other_stride);
    tcase_add_test(tcase, secret_files);
    tcase_add_test(tcase, limit_list);
    tcase_add_test(tcase, nearest);
    return tcase;
}
