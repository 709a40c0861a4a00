/* stages_diagnose -- each verdict, on a real SQLite file. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/stage/diagnose_run.h"
#include "t/recovery.h"
#include "t/stages.h"

#define ROOT "/pegasus/c1"

/* A write into the store before it is looked at. */
struct edit {
    br_write_kind kind; /* 0: none more */
    const char *path, *value;
};

enum { MADE_NOTHING, MADE_FILE, MADE_PLAN };

static const struct {
    int made; /* no file; a store with ROOT in it; a recovered cluster at ROOT */
    struct edit edits[6];
    const char *root; /* where it is looked for */
    enum diagnosis verdict;
    const char *text, *next;
} rows[] = {
    { MADE_NOTHING, { { 0 } }, ROOT, DIAGNOSE_EMPTY, "there is no file", "bridle survey -f NODES" },
    { MADE_FILE,
      { { 0 } },
      ROOT,
      DIAGNOSE_EMPTY,
      "paths of the store were looked through",
      "bridle survey -f NODES" },
    { MADE_FILE,
      { { BR_CREATE, ROOT "/apps", "unlock" } },
      ROOT,
      DIAGNOSE_EMPTY,
      "has no tables",
      "bridle survey" },
    { MADE_PLAN, { { 0 } }, ROOT, DIAGNOSE_HEALTHY, ROOT " holds 2 tables with ", "bridled" },
    { MADE_PLAN,
      { { 0 } },
      "/pegasus/c2",
      DIAGNOSE_WRONG_ROOT,
      "metadata stand at the root " ROOT "\n",
      "bridle diagnose --set meta_server.cluster_root=" ROOT },
    { MADE_PLAN,
      { { BR_PUT, ROOT "/apps/1/0", "{\"pid\"" } },
      ROOT,
      DIAGNOSE_DAMAGED,
      "records are missing and 1 cannot be read: do not start",
      "bridle survey" },
    { MADE_PLAN,
      { { BR_PUT, ROOT "/apps/1/0", "{\"pid\":\"1.1\",\"ballot\":1}" } },
      ROOT,
      DIAGNOSE_DAMAGED,
      ROOT "/apps/1/0: is the record of partition 1.1\n",
      "bridle survey" },
    { MADE_PLAN,
      { { BR_DELETE, ROOT "/apps/1/0", NULL } },
      ROOT,
      DIAGNOSE_DAMAGED,
      ROOT "/apps/1/0: is missing\n",
      "bridle survey" },
    { MADE_PLAN,
      { { BR_PUT, ROOT "/apps/1", "nonsense" } },
      ROOT,
      DIAGNOSE_DAMAGED,
      ROOT "/apps/1: ",
      "bridle survey" },
    { MADE_PLAN,
      { { BR_CREATE, ROOT "/apps/x", "" } },
      ROOT,
      DIAGNOSE_DAMAGED,
      ROOT "/apps/x: its name is no table id\n",
      "bridle survey" },
    { MADE_FILE,
      { { BR_CREATE, ROOT "/apps", "lock" }, { BR_CREATE, ROOT "/apps/1", "{}" } },
      ROOT,
      DIAGNOSE_LOCKED,
      "invalid transaction state(lock)",
      "bridle survey" },
    { MADE_FILE,
      { { BR_CREATE, ROOT "/apps", "lock" },
        { BR_CREATE, ROOT "/bridle", "" },
        { BR_CREATE, ROOT "/bridle/journal",
          "{\"version\":1,\"state\":\"writing\",\"plan\":\""
          "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"records\":6}" } },
      ROOT,
      DIAGNOSE_OURS,
      "left by an unfinished recovery of ours",
      "bridle recover -f NODES" },
    { MADE_FILE,
      { { BR_CREATE, ROOT "/apps", "what is this" } },
      ROOT,
      DIAGNOSE_FOREIGN,
      "invalid transaction state(what is this)",
      "bridle diagnose" },
};

static void diagnose_make(const char *file, int made, const struct edit *edits)
{
    struct plugin *store = recovery_store("sqlite", file);
    if (made == MADE_PLAN) {
        struct cluster cluster;
        struct plan plan;
        recovery_cluster(&cluster, 3, 2, 4);
        plan_make(&plan, &cluster, ROOT, LAYOUT_25);
        struct applied applied = recovery_apply(store, &plan, NULL);
        ck_assert_msg(applied.status == BR_OK, "%s", applied.text);
        cluster_done(&cluster);
    } else {
        ck_assert_int_eq(recovery_write(store, BR_CREATE, "/pegasus", ""), BR_OK);
        ck_assert_int_eq(recovery_write(store, BR_CREATE, ROOT, ""), BR_OK);
    }
    for (; edits->kind; edits++)
        ck_assert_int_eq(recovery_write(store, edits->kind, edits->path, edits->value), BR_OK);
    recovery_close(store);
}

static void diagnose_at(const char *file, const char *root, struct diagnose *ret)
{
    struct tool tool;
    struct fail fail = { 0 };
    struct buf of_file = { 0 }, of_root = { 0 };
    buf_printf(&of_file, "store.file=%s", file);
    buf_printf(&of_root, "meta_server.cluster_root=%s", root);
    const char *sets[] = { "store.plugin=sqlite", of_file.data, of_root.data, NULL };
    ck_assert_msg(tool_init(&tool, NULL, sets, &fail) == BR_OK, "%s", fail.text);
    stage_diagnose(&tool, ret);
    tool_done(&tool);
    buf_done(&of_file);
    buf_done(&of_root);
}

static char *dumped(const char *file)
{
    struct plugin *store = recovery_store("sqlite", file);
    char *dump = recovery_dump(store, "/", true);
    recovery_close(store);
    return dump;
}

START_TEST(diagnose_verdicts)
{
    char *dir = test_directory();
    struct buf file = { 0 };
    struct diagnose diagnose;
    char *before = NULL;
    recovery_setup();
    buf_printf(&file, "%s/meta.db", dir);
    if (rows[_i].made != MADE_NOTHING) {
        diagnose_make(file.data, rows[_i].made, rows[_i].edits);
        before = dumped(file.data);
    }
    diagnose_at(file.data, rows[_i].root, &diagnose);
    ck_assert_msg(diagnose.verdict == rows[_i].verdict, "%s: %s", stage_diagnosis(diagnose.verdict),
                  diagnose.text.data);
    ck_assert_msg(strstr(diagnose.text.data, rows[_i].text), "no %s in %s", rows[_i].text,
                  diagnose.text.data);
    ck_assert_msg(strncmp(diagnose.next.data, rows[_i].next, strlen(rows[_i].next)) == 0, "%s",
                  diagnose.next.data);
    if (before) { /* nothing was written */
        char *after = dumped(file.data);
        ck_assert_str_eq(before, after);
        free(after);
    } else {
        ck_assert_int_ne(access(file.data, F_OK), 0);
    }
    buf_done(&diagnose.text);
    buf_done(&diagnose.next);
    buf_done(&file);
    free(before);
    free(dir);
    recovery_teardown();
}
END_TEST

/* Permission, a file that is no store, a path that is a directory. */
START_TEST(diagnose_files)
{
    char *dir = test_directory();
    struct buf file = { 0 };
    struct diagnose diagnose;
    buf_printf(&file, "%s/meta.db", dir);
    diagnose_at(dir, ROOT, &diagnose);
    ck_assert_int_eq(diagnose.verdict, DIAGNOSE_BROKEN);
    buf_done(&diagnose.text);
    buf_done(&diagnose.next);
    FILE *out = fopen(file.data, "we");
    ck_assert_ptr_nonnull(out);
    fputs("this is no database, whatever its name says, and it is long enough to tell", out);
    fclose(out);
    diagnose_at(file.data, ROOT, &diagnose);
    ck_assert_int_eq(diagnose.verdict, DIAGNOSE_BROKEN);
    buf_done(&diagnose.text);
    buf_done(&diagnose.next);
    if (geteuid() != 0) { /* root reads everything */
        chmod(file.data, 0);
        diagnose_at(file.data, ROOT, &diagnose);
        ck_assert_int_eq(diagnose.verdict, DIAGNOSE_DENIED);
        buf_done(&diagnose.text);
        buf_done(&diagnose.next);
    }
    buf_done(&file);
    free(dir);
}
END_TEST

/* What a store answers with, whatever the store. */
START_TEST(diagnose_statuses)
{
    static const struct {
        br_status status;
        enum diagnosis verdict;
    } statuses[] = {
        { BR_DENIED, DIAGNOSE_DENIED },       { BR_UNAVAILABLE, DIAGNOSE_UNREACHABLE },
        { BR_TIMEOUT, DIAGNOSE_UNREACHABLE }, { BR_CORRUPT, DIAGNOSE_BROKEN },
        { BR_INTERNAL, DIAGNOSE_BROKEN },
    };
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct tool tool = { .file = "bridled.yaml" };
        struct diagnose diagnose = { .verdict = DIAGNOSE_HEALTHY };
        struct fail fail;
        fail_set(&fail, statuses[i].status, "it said no");
        diagnose_failed(&tool, &diagnose, &fail);
        ck_assert_int_eq(diagnose.verdict, statuses[i].verdict);
        ck_assert_str_eq(diagnose.next.data, "bridle diagnose -c bridled.yaml");
        buf_done(&diagnose.text);
        buf_done(&diagnose.next);
    }
}
END_TEST

TCase *stages_diagnose_cases(void)
{
    TCase *tcase = tcase_create("diagnose");
    tcase_add_loop_test(tcase, diagnose_verdicts, 0, sizeof rows / sizeof *rows);
    tcase_add_test(tcase, diagnose_files);
    tcase_add_test(tcase, diagnose_statuses);
    return tcase;
}
