/* test_scan -- evidence without servers: transport_scan from disks, transport_replay from a file.
 */
#include "t/test_scan.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SIMPLE "{dirs: ['" ONE "=%s/a']}"

/* -- What is there ---------------------------------------------------------------------------- */

START_TEST(scan_of_two)
{
    struct scan_told told;
    scan_make("a", 1, 0, 7, 120);
    scan_make("a", 1, 5, 8, 0);
    scan_make("b", 3, 2, 9, 10);
    scan_make("b", 1, 7, 9, 10);
    scan_make("c", 2, 1, 4, 3);
    scan_log("a/replica/reps/1.0.pegasus", 1, 0,
             (const int64_t[][3]){ { 7, 120, 119 }, { 9, 121, 120 }, { 9, 122, 121 }, { 0 } });
    scan_begin(&bridle_transport_scan,
               "{dirs: ['" ONE "=%s/a', '" TWO "=ssd2:%s/c', '" ONE "=ssd1:%s/b']}");
    scan_ask(ONE, 17, &told);
    ck_assert_str_eq(scan_rows(&told), "1.0:9:121/122/120:default 1.5:8:0/0/0:default "
                                       "1.7:9:10/10/10:ssd1 3.2:9:10/10/10:ssd1");
    ck_assert_str_eq(scan_tables(&told), "1:t1:8 3:t3:8");
    ck_assert_int_eq(((const struct br_replica *) told.replicas.chunks->rows)->node, 17);
    ck_assert_int_eq(((const struct br_table *) told.tables.chunks->rows)->node, 17);
    scan_told_done(&told);
    scan_ask(TWO, 0, &told);
    ck_assert_str_eq(scan_rows(&told), "2.1:4:3/3/3:ssd2");
    scan_told_done(&told);
    scan_ask("127.0.0.1:34803", 0, &told);
    ck_assert_int_eq(told.replicas.status, BR_REFUSED);
    ck_assert_str_eq(told.tables.code, "ERR_OBJECT_NOT_FOUND");
    ck_assert(strstr(told.replicas.message, "no data directory of 127.0.0.1:34803 was given"));
    scan_end();
}
END_TEST

/* Where the operator's path may end. */
START_TEST(scan_places)
{
    static const char *const yamls[] = {
        SIMPLE,
        "{dirs: ['" ONE "=%s/a/']}",
        "{dirs: ['" ONE "=%s/a/replica']}",
        "{dirs: ['" ONE "=%s/a/replica/reps']}",
        "{dirs: ['" ONE "=%s/a/replica/reps//']}",
    };
    struct scan_told told;
    scan_make("a", 1, 0, 7, 1);
    scan_begin(&bridle_transport_scan, yamls[_i]);
    scan_ask(ONE, 0, &told);
    ck_assert_str_eq(scan_rows(&told), "1.0:7:1/1/1:default");
    scan_told_done(&told);
    scan_end();
}
END_TEST

START_TEST(scan_of_nothing)
{
    struct scan_told told;
    scan_put("a", NULL, 0);
    scan_put("a/reps", NULL, 0);
    scan_begin(&bridle_transport_scan, SIMPLE);
    scan_ask(ONE, 0, &told);
    ck_assert_str_eq(scan_rows(&told), "");
    ck_assert_str_eq(scan_tables(&told), "");
    scan_end();
}
END_TEST

START_TEST(scan_names_nodes)
{
    struct core_told told = { 0 };
    scan_make("b", 1, 0, 7, 1);
    scan_begin(&bridle_transport_scan, "{dirs: ['" ONE "=%s/a', '%s/b', '" ONE "=%s/c']}");
    transport_nodes(&scan_plugin, 0, core_done, &told);
    core_wait(&told, 1);
    ck_assert_uint_eq(told.chunks->count, 2);
    const char *const *names = told.chunks->rows;
    ck_assert_str_eq(names[0], ONE);
    ck_assert_str_eq(names[1] + strlen(scan_root), "/b");
    struct scan_told rows;
    scan_ask(names[1], 0, &rows);
    ck_assert_str_eq(scan_rows(&rows), "1.0:7:1/1/1:default");
    scan_told_done(&rows);
    arena_done(&told.kept);
    scan_end();
}
END_TEST

/* -- What is damaged -------------------------------------------------------------------------- */

static const struct {
    const char *file; /* of 1.1, written over; NULL bytes: removed */
    const char *bytes;
    const char *says;
} damages[] = {
    { ".app-info", NULL, ".app-info: No such file or directory" },
    { ".app-info", "", "does not begin with .app-info's magic: damaged, or encrypted at rest" },
    { ".app-info", "encrypted", "does not begin with .app-info's magic" },
    { ".init-info", NULL, ".init-info: No such file or directory" },
    { ".init-info", "{}", "init_ballot is missing or not an integer" },
    { ".init-info", "[", ".init-info: not JSON" },
    { "plog/log.1.0", "no log", "log.1.0: " },
    { "plog/log.2.99", "", "" }, /* a file whose head was cut short, as a kill leaves it */
};

START_TEST(scan_leaves_out)
{
    struct scan_told told;
    struct buf path = { 0 };
    scan_make("a", 1, 0, 7, 1);
    scan_make("a", 1, 1, 7, 1);
    scan_make("a", 1, 2, 7, 1);
    if (strncmp(damages[_i].file, "plog", 4) == 0)
        scan_put("a/replica/reps/1.1.pegasus/plog", NULL, 0);
    buf_printf(&path, "a/replica/reps/1.1.pegasus/%s", damages[_i].file);
    if (damages[_i].bytes) {
        scan_put(path.data, damages[_i].bytes, strlen(damages[_i].bytes));
    } else {
        struct buf full = { 0 };
        buf_printf(&full, "%s/%s", scan_root, path.data);
        ck_assert_int_eq(remove(full.data), 0);
        buf_done(&full);
    }
    scan_begin(&bridle_transport_scan, SIMPLE);
    scan_ask(ONE, 0, &told);
    if (*damages[_i].says) {
        ck_assert_str_eq(scan_rows(&told), "1.0:7:1/1/1:default 1.2:7:1/1/1:default");
        ck_assert_msg(strstr(core_logged(), "1.1.pegasus is left out: ") != NULL, "%s",
                      core_logged());
        ck_assert_msg(strstr(core_logged(), damages[_i].says) != NULL, "%s", core_logged());
    } else {
        ck_assert_str_eq(scan_rows(&told),
                         "1.0:7:1/1/1:default 1.1:7:1/1/1:default 1.2:7:1/1/1:default");
    }
    scan_told_done(&told);
    buf_done(&path);
    scan_end();
}
END_TEST

/* What makes no sense as a whole: tables, names. */
START_TEST(scan_refuses_names)
{
    static const struct {
        const char *from, *to, *says;
    } moves[] = {
        { "1.0.pegasus", "1.9.pegasus", "its table has 8 partitions only" },
        { "1.0.pegasus", "2.0.pegasus", ".app-info is of table 1, type pegasus" },
        { "1.0.pegasus", "1.0.other", ".app-info is of table 1, type pegasus" },
        { "1.0.pegasus", "nonsense", "not <app_id>.<pidx>.<app_type>" },
        { "0.0.pegasus", "0.0.pegasus", "its .app-info is of no table" },
    };
    struct scan_told told;
    struct buf from = { 0 }, to = { 0 };
    scan_make("a", moves[_i].from[0] - '0', 0, 7, 1);
    buf_printf(&from, "%s/a/replica/reps/%s", scan_root, moves[_i].from);
    buf_printf(&to, "%s/a/replica/reps/%s", scan_root, moves[_i].to);
    ck_assert_int_eq(rename(from.data, to.data), 0);
    scan_begin(&bridle_transport_scan, SIMPLE);
    scan_ask(ONE, 0, &told);
    ck_assert_str_eq(scan_rows(&told), "");
    ck_assert_msg(strstr(core_logged(), moves[_i].says) != NULL, "%s", core_logged());
    buf_done(&from);
    buf_done(&to);
    scan_end();
}
END_TEST

START_TEST(scan_salvages)
{
    static const struct {
        const char *name, *says; /* NULL: nothing is said */
    } names[] = {
        { "1.2.pegasus.1698843209235962.err", "which its server set aside as broken" },
        { "1.2.pegasus.err", "which its server set aside as broken" },
        { "1.2.pegasus.bak", "which somebody put aside" },
        { "1.2.pegasus.disk.migrate.ori", "which was moved to another disk" },
        { "1.2.pegasus.1698843214240709.gar", NULL },
        { "1.2.pegasus.disk.migrate.tmp", NULL },
    };
    struct scan_told told;
    struct buf from = { 0 }, to = { 0 };
    scan_make("a", 1, 0, 7, 1);
    scan_make("a", 1, 2, 9, 30);
    buf_printf(&from, "%s/a/replica/reps/1.2.pegasus", scan_root);
    buf_printf(&to, "%s/a/replica/reps/%s", scan_root, names[_i].name);
    ck_assert_int_eq(rename(from.data, to.data), 0);
    scan_begin(&bridle_transport_scan, SIMPLE);
    scan_ask(ONE, 0, &told);
    ck_assert_str_eq(scan_rows(&told), "1.0:7:1/1/1:default");
    if (names[_i].says) {
        ck_assert_msg(strstr(core_logged(), names[_i].says) != NULL, "%s", core_logged());
        ck_assert(strstr(core_logged(), "replica 1.2 of table \\\"t1\\\", ballot 9, committed 30, "
                                        "prepared 30; only if no better one is left anywhere, "
                                        "rename it to 1.2.pegasus and scan again"));
    } else {
        ck_assert(!strstr(core_logged(), "level=warn"));
        ck_assert(strstr(core_logged(), "1 of .gar and .tmp passed over"));
    }
    scan_told_done(&told);
    buf_done(&from);
    buf_done(&to);
    scan_end();
}
END_TEST

START_TEST(scan_salvages_no_wreck)
{
    struct scan_told told;
    scan_put("a", NULL, 0);
    scan_put("a/reps", NULL, 0);
    scan_put("a/reps/1.2.pegasus.1.err", NULL, 0);
    scan_put("a/reps/.err", NULL, 0);
    scan_put("a/reps/x.err", NULL, 0);
    scan_begin(&bridle_transport_scan, SIMPLE);
    scan_ask(ONE, 0, &told);
    ck_assert_str_eq(scan_rows(&told), "");
    ck_assert(strstr(core_logged(), "of no use: "));
    scan_end();
}
END_TEST

/* A thousand damaged directories are a hundred lines and a sum. */
START_TEST(scan_bounds_its_words)
{
    struct scan_told told;
    scan_put("a", NULL, 0);
    scan_put("a/reps", NULL, 0);
    for (int i = 0; i < 130; i++) {
        char name[32];
        snprintf(name, sizeof name, "a/reps/1.%d.pegasus%s", i, i % 2 ? "" : ".err");
        scan_put(name, NULL, 0);
    }
    scan_begin(&bridle_transport_scan, SIMPLE);
    scan_ask(ONE, 0, &told);
    ck_assert_str_eq(scan_rows(&told), "");
    ck_assert(strstr(core_logged(), ": 30 further directories are not reported"));
    size_t lines = 0;
    for (const char *at = core_logged(); (at = strstr(at, "level=warn")); at++)
        lines++;
    ck_assert_uint_eq(lines, 101);
    scan_end();
}
END_TEST

/* -- Servers that stay silent ----------------------------------------------------------------- */

START_TEST(scan_silent)
{
    static const char *const codes[] = { "ERR_FILE_OPERATION_FAILED", "", "" };
    static const char *const says[] = {
        "/b holds no replica/reps: it is no data directory of a replica server, or is not mounted",
        "replica 1.0 stands twice, in ",
        "/a/replica/reps is encrypted at rest (.kms-info)",
    };
    struct scan_told told;
    scan_make("a", 1, 0, 7, 1);
    if (_i > 0)
        scan_make("b", 1, _i > 1, 7, 1);
    if (_i == 2)
        scan_put("a/replica/reps/.kms-info", "{}", 2);
    scan_begin(&bridle_transport_scan, "{dirs: ['" ONE "=%s/a', '" ONE "=%s/b']}");
    scan_ask(ONE, 0, &told);
    ck_assert_int_eq(told.replicas.status, _i == 0 ? BR_REFUSED : BR_CORRUPT);
    ck_assert_str_eq(told.replicas.code, codes[_i]);
    ck_assert_msg(strstr(told.replicas.message, says[_i]) != NULL, "%s", told.replicas.message);
    scan_end();
}
END_TEST

/* -- Nothing is touched ----------------------------------------------------------------------- */

static struct buf touched;

static int touched_one(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void) ftw;
    buf_printf(&touched, "%s %d %llu %lld %llo %lld.%09ld %lld.%09ld", path, kind,
               (unsigned long long) info->st_ino, (long long) info->st_size,
               (unsigned long long) info->st_mode, (long long) info->st_mtim.tv_sec,
               info->st_mtim.tv_nsec, (long long) info->st_ctim.tv_sec, info->st_ctim.tv_nsec);
    if (kind == FTW_F) /* of directories the walk itself changes it */
        buf_printf(&touched, " %lld.%09ld", (long long) info->st_atim.tv_sec,
                   info->st_atim.tv_nsec);
    buf_char(&touched, '\n');
    return 0;
}

/* So long ago that any reading would be seen, also where only the first one a day is. */
static int touched_age(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void) info;
    (void) kind;
    (void) ftw;
    return utimensat(AT_FDCWD, path,
                     (struct timespec[]){ { .tv_sec = 1000 }, { .tv_nsec = UTIME_OMIT } }, 0);
}

START_TEST(scan_touches_nothing)
{
    struct scan_told told;
    struct buf dir = { 0 }, before = { 0 };
    scan_make("a", 1, 0, 7, 120);
    scan_make("a", 1, 1, 7, 120);
    scan_log("a/replica/reps/1.0.pegasus", 1, 0, (const int64_t[][3]){ { 7, 121, 120 }, { 0 } });
    scan_put("a/replica/reps/1.0.pegasus/data", NULL, 0);
    scan_put("a/replica/reps/1.0.pegasus/data/checkpoint.120", NULL, 0);
    scan_put("a/replica/reps/1.3.pegasus.err", NULL, 0);
    buf_printf(&dir, "%s/a", scan_root);
    ck_assert_int_eq(nftw(dir.data, touched_age, 16, FTW_PHYS), 0);
    ck_assert_int_eq(nftw(dir.data, touched_one, 16, FTW_PHYS), 0);
    before = touched;
    touched = (struct buf){ 0 };
    scan_begin(&bridle_transport_scan, SIMPLE);
    scan_ask(ONE, 0, &told);
    ck_assert_str_eq(scan_rows(&told), "1.0:7:120/121/120:default 1.1:7:120/120/120:default");
    scan_told_done(&told);
    scan_end();
    ck_assert_int_eq(nftw(dir.data, touched_one, 16, FTW_PHYS), 0);
    ck_assert_str_eq(touched.data, before.data);
    buf_done(&before);
    buf_done(&touched);
    buf_done(&dir);
}
END_TEST

/* -- Options, calls --------------------------------------------------------------------------- */

START_TEST(scan_options_refused)
{
    static const struct {
        const char *yaml, *says;
    } wrongs[] = {
        { "{}", "dirs" },
        { "{dirs: []}", "dirs names no directory" },
        { "{dirs: ['h=/a']}", "\"h\" is no replica server, as in" },
        { "{dirs: ['h:0=/a']}", "\"h:0\" is no replica server" },
        { "{dirs: ['h:1=']}", "does not end in a path that begins with" },
        { "{dirs: ['h:1=a']}", "does not end in a path that begins with" },
        { "{dirs: ['h:1=:/a']}", "does not end in a path that begins with" },
        { "{dirs: ['nonsense']}", "does not end in a path that begins with" },
        { "{dirs: ['h:1=/a', 'h:2=/a']}", "dirs: /a stands there twice" },
        { "{dirs: ['h:1=/a'], threads: 65}", "threads" },
    };
    struct fail fail = { 0 };
    ck_assert_int_ne(scan_open(&bridle_transport_scan, wrongs[_i].yaml, &fail), BR_OK);
    ck_assert_msg(strstr(fail.text, wrongs[_i].says) != NULL, "%s", fail.text);
}
END_TEST

/* Many at once; given up; stopped in the middle: each is answered once. */
START_TEST(scan_answers_once)
{
    struct core_told told[64] = { { 0 } }, stop = { 0 };
    struct br_call *calls[64];
    for (int i = 0; i < 8; i++)
        scan_make("a", 1, i, 7, 1);
    scan_begin(&bridle_transport_scan, "{dirs: ['" ONE "=%s/a', '" TWO "=%s/b'], threads: 3}");
    for (int i = 0; i < 64; i++) {
        const char *node = i % 4 == 3 ? TWO : ONE;
        calls[i] =
            i % 2 ? transport_tables(&scan_plugin, node, 0, 30 * BR_SECOND, core_done, &told[i])
                  : transport_replicas(&scan_plugin, node, 0, 30 * BR_SECOND, core_done, &told[i]);
        if (i % 8 == 5)
            transport_cancel(&scan_plugin, calls[i]);
    }
    if (_i == 0) {
        plugin_stop(&scan_plugin, 30 * BR_SECOND, core_done, &stop);
        core_wait(&stop, 1);
        ck_assert_int_eq(stop.status, BR_OK);
    }
    for (int i = 0; i < 64; i++) {
        core_wait(&told[i], 1);
        ck_assert_int_eq(told[i].count, 1);
        br_status want = i % 8 == 5 || _i == 0 ? BR_CANCELED : i % 4 == 3 ? BR_REFUSED : BR_OK;
        ck_assert_msg(told[i].status == want, "%d: %s", i, told[i].message);
        if (told[i].chunks)
            arena_done(&told[i].kept);
    }
    if (_i == 0)
        plugin_close(&scan_plugin);
    else
        scan_end();
}
END_TEST

static TCase *scan_case(void)
{
    TCase *tcase = tcase_create("transport_scan");
    tcase_add_checked_fixture(tcase, scan_setup, scan_teardown);
    tcase_add_test(tcase, scan_of_two);
    tcase_add_loop_test(tcase, scan_places, 0, 5);
    tcase_add_test(tcase, scan_of_nothing);
    tcase_add_test(tcase, scan_names_nodes);
    tcase_add_loop_test(tcase, scan_leaves_out, 0, sizeof damages / sizeof *damages);
    tcase_add_loop_test(tcase, scan_refuses_names, 0, 5);
    tcase_add_loop_test(tcase, scan_salvages, 0, 6);
    tcase_add_test(tcase, scan_salvages_no_wreck);
    tcase_add_test(tcase, scan_bounds_its_words);
    tcase_add_loop_test(tcase, scan_silent, 0, 3);
    tcase_add_test(tcase, scan_touches_nothing);
    tcase_add_loop_test(tcase, scan_options_refused, 0, 10);
    tcase_add_loop_test(tcase, scan_answers_once, 0, 2);
    return tcase;
}

int main(void)
{
    return test_run("scan", scan_case(), scan_tail_case(), scan_replay_case(), scan_real_case(),
                    NULL);
}
