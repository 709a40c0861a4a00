/* recovery_root -- what a root is, in every variety; and that what is not ours is not touched. */
#include "t/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define JOURNAL(version, state, hash)                                                              \
    "{\"version\":" version ",\"state\":\"" state "\",\"plan\":\"" hash "\",\"records\":7}"
#define JOURNAL2(state, before)                                                                    \
    "{\"version\":2,\"state\":\"" state "\",\"plan\":\"" HASH "\",\"records\":7," before "}"
#define AMENDING(amendment) JOURNAL2("amending", BEFORE amendment)
#define REST                "\"bulk_load\":false,\"backup\":true,\"converged\":false,\"elections\":3"
#define BEFORE              "\"apps\":\"\"," REST

static const struct root_row {
    const char *name;
    const char *apps;    /* NULL: not there */
    const char *child;   /* of `apps`, or NULL */
    const char *journal; /* NULL: not there */
    enum root_state state;
    const char *words; /* that the sentence must hold */
} root_rows[] = {
    { "nothing", NULL, NULL, NULL, ROOT_EMPTY, "is not there" },
    { "childless, empty", "", NULL, NULL, ROOT_EMPTY, "has no tables" },
    { "childless, unlock", "unlock", NULL, NULL, ROOT_EMPTY, "has no tables" },
    { "removed after ours", NULL, NULL, JOURNAL("1", "done", HASH), ROOT_EMPTY, "is not there" },
    { "emptied after ours", "unlock", NULL, JOURNAL("1", "done", HASH), ROOT_EMPTY, "no tables" },
    { "ours, childless", "lock", NULL, JOURNAL("1", "writing", HASH), ROOT_OURS, "again" },
    { "ours", "lock", "1", JOURNAL("1", "writing", HASH), ROOT_OURS, "completes" },
    { "ours, version 2", "lock", "1", JOURNAL2("writing", BEFORE), ROOT_OURS, "completes" },
    { "half undone", "lock", "1", JOURNAL2("undoing", BEFORE), ROOT_OURS,
      "an unfinished undo of plan 0123456789abcdef: nothing of it is visible; `bridle undo`" },
    { "about to be undone", "lock", "1", JOURNAL2("marking", BEFORE), ROOT_OURS,
      "unfinished undo" },
    { "undone by version 1", "lock", "1", JOURNAL("1", "undoing", HASH), ROOT_FOREIGN, "" },
    { "version 2 without what was before", "lock", "1", JOURNAL("2", "writing", HASH), ROOT_FOREIGN,
      "not a journal that this version understands" },
    { "a strange value before", "lock", "1", JOURNAL2("writing", "\"apps\":\"lock\"," REST),
      ROOT_FOREIGN, "" },
    { "ours, with a key that is not asked for", "lock", "1",
      JOURNAL2("writing", "\"made\":65," BEFORE), ROOT_OURS, "completes" },
    { "abort 1: unlock and a table", "unlock", "2", NULL, ROOT_TABLES,
      "find apps from remote storage, but [meta_server].recover_from_replica_server = true" },
    { "abort 1: empty value and a table", "", "2", NULL, ROOT_TABLES, "holds 1 tables" },
    { "tables, and a journal done", "unlock", "2", JOURNAL("1", "done", HASH), ROOT_TABLES, "1" },
    { "tables, and a journal under way", "unlock", "2", JOURNAL("1", "writing", HASH), ROOT_TABLES,
      "another cluster_root" },
    { "tables, and a strange journal", "unlock", "2", "?", ROOT_TABLES, "holds 1 tables" },
    { "abort 2: lock, no journal", "lock", "1", NULL, ROOT_FOREIGN,
      "invalid transaction state(lock)" },
    { "lock, childless, no journal", "lock", NULL, NULL, ROOT_FOREIGN, "with 0 tables" },
    { "lock, journal done", "lock", "1", JOURNAL("1", "done", HASH), ROOT_FOREIGN, "half way" },
    { "abort 2: another value", "whatever", "1", NULL, ROOT_FOREIGN,
      "invalid transaction state(whatever)" },
    { "another value, childless", "locked\n", NULL, NULL, ROOT_FOREIGN, "state(locked?)" },
    { "another word as long as lock", "luck", "1", NULL, ROOT_FOREIGN, "state(luck)" },
    { "another word as long as unlock", "locked", "1", NULL, ROOT_FOREIGN, "state(locked)" },
    { "a value beyond ASCII", "\x7f\xc3\xa9", "1", NULL, ROOT_FOREIGN, "state(\?\?\?)" },
    { "a journal without a hash", "lock", "1", "{\"version\":1,\"state\":\"writing\"}",
      ROOT_FOREIGN, "" },
    { "a journal without a state", "lock", "1", "{\"version\":1,\"plan\":\"" HASH "\"}",
      ROOT_FOREIGN, "" },
    { "a journal whose hash is no number", "lock", "1",
      JOURNAL("1", "writing", "x123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
      ROOT_FOREIGN, "" },
    { "half a word", "unloc", NULL, NULL, ROOT_FOREIGN, "state(unloc)" },
    { "journal of a later version", "lock", "1", JOURNAL("3", "writing", HASH), ROOT_FOREIGN,
      "not a journal that this version understands" },
    { "lock, journal amending", "lock", "1", AMENDING(",\"amendment\":\"" HASH "\""), ROOT_FOREIGN,
      "an unfinished amendment (0123456789abcdef) of plan 0123456789abcdef: nothing of it is" },
    { "unlock, journal amending", "unlock", "1", AMENDING(",\"amendment\":\"" HASH "\""),
      ROOT_TABLES, "holds 1 tables" },
    { "amending nothing", "lock", "1", AMENDING(""), ROOT_FOREIGN, "not a journal that" },
    { "amending with a bad hash", "lock", "1", AMENDING(",\"amendment\":\"12ab\""), ROOT_FOREIGN,
      "not a journal that" },
    { "journal in another state", "lock", "1", JOURNAL("1", "resting", HASH), ROOT_FOREIGN, "not" },
    { "journal with a short hash", "lock", "1", JOURNAL("1", "writing", "12ab"), ROOT_FOREIGN, "" },
    { "journal with a bad hash", "lock", "1", JOURNAL("1", "writing", HASH "\\u0041"), ROOT_FOREIGN,
      "" },
    { "journal that is no JSON", "lock", "1", "{\"version\":1", ROOT_FOREIGN, "" },
    { "journal that is an array", "lock", "1", "[1]", ROOT_FOREIGN, "" },
    { "journal that is empty", "lock", "1", "", ROOT_FOREIGN, "" },
    { "strange journal, no apps", NULL, NULL, "{}", ROOT_FOREIGN, "not a journal" },
};

#define ROOT_ROWS ((int) (sizeof root_rows / sizeof *root_rows))

static void root_put(struct plugin *store, const char *path, const char *value)
{
    ck_assert_int_eq(recovery_write(store, BR_CREATE, path, value), BR_OK);
}

static void root_make(struct plugin *store, const struct root_row *row)
{
    char path[64];
    root_put(store, "/c", "");
    root_put(store, "/c/d", "");
    if (row->apps)
        root_put(store, "/c/d/apps", row->apps);
    if (row->child) {
        snprintf(path, sizeof path, "/c/d/apps/%s", row->child);
        root_put(store, path, "{}");
        snprintf(path, sizeof path, "/c/d/apps/%s/0", row->child);
        root_put(store, path, "{\"pid\":\"x\"}");
    }
    if (row->journal) {
        root_put(store, "/c/d/bridle", "");
        root_put(store, "/c/d/bridle/journal", row->journal);
        root_put(store, "/c/d/bridle/released", "{}"); /* which a recovery takes back */
    }
}

START_TEST(root_table)
{
    const struct root_row *row = &root_rows[_i];
    struct plugin *store = recovery_store("memory", NULL);
    root_make(store, row);
    char *before = recovery_dump(store, "/", true);
    struct root_facts facts = recovery_look(store, "/c/d");
    ck_assert_msg(facts.state == row->state, "%s: state %d: %s", row->name, (int) facts.state,
                  facts.text);
    ck_assert_msg(strstr(facts.text, row->words) != NULL, "%s: %s", row->name, facts.text);
    ck_assert_msg(strstr(facts.text, "/c/d") != NULL, "%s: %s", row->name, facts.text);
    ck_assert_ptr_null(strchr(facts.text, '\n'));
    ck_assert_int_eq(facts.apps_version >= 0, row->apps != NULL);
    ck_assert_int_eq(facts.journal_version >= 0, row->journal != NULL);
    ck_assert_int_eq(facts.released, row->journal != NULL);
    ck_assert_uint_eq(facts.table_count, row->child ? 1 : 0);
    ck_assert_int_eq(facts.journal.hash[0] != '\0',
                     row->journal != NULL && facts.journal.state != JOURNAL_STRANGE);

    struct cluster cluster;
    struct plan plan;
    recovery_cluster(&cluster, 1, 3, 4);
    plan_make(&plan, &cluster, "/c/d", LAYOUT_26);
    struct applied applied = recovery_apply(store, &plan, NULL);
    char *after = recovery_dump(store, "/", true);
    if (row->state == ROOT_EMPTY || row->state == ROOT_OURS) {
        ck_assert_msg(applied.status == BR_OK, "%s: %s", row->name, applied.text);
        char *want = recovery_dump_plan(&plan);
        char *got = recovery_dump(store, "/c/d", false);
        ck_assert_str_eq(got, want);
        free(want);
        free(got);
    } else {
        ck_assert_int_eq(applied.status, row->state == ROOT_TABLES ? BR_EXISTS : BR_CONFLICT);
        ck_assert_str_eq(applied.text, facts.text);
        ck_assert_str_eq(after, before);
    }
    free(before);
    free(after);
    cluster_done(&cluster);
    recovery_close(store);
}
END_TEST

/* A journal larger than is looked at, and names and values that would break a line. */
START_TEST(root_large_journal)
{
    struct plugin *store = recovery_store("memory", NULL);
    char *journal = malloc(APPLY_JOURNAL_MAX + 2);
    struct root_row row = { .apps = "lock", .journal = journal };
    size_t size = strlen(JOURNAL("1", "writing", HASH));
    memset(journal, ' ', APPLY_JOURNAL_MAX + 1);
    memcpy(journal, JOURNAL("1", "writing", HASH), size);
    journal[APPLY_JOURNAL_MAX] = '\0';
    root_make(store, &row);
    ck_assert_int_eq(recovery_look(store, "/c/d").state, ROOT_OURS);
    journal[APPLY_JOURNAL_MAX] = ' ';
    journal[APPLY_JOURNAL_MAX + 1] = '\0';
    ck_assert_int_eq(recovery_write(store, BR_PUT, "/c/d/bridle/journal", journal), BR_OK);
    ck_assert_int_eq(recovery_look(store, "/c/d").state, ROOT_FOREIGN);
    free(journal);
    recovery_close(store);
}
END_TEST

START_TEST(root_slash)
{
    struct plugin *store = recovery_store("memory", NULL);
    ck_assert_int_eq(recovery_look(store, "/").state, ROOT_EMPTY);
    root_put(store, "/apps", "unlock");
    root_put(store, "/apps/1", "{}");
    struct root_facts facts = recovery_look(store, "/");
    ck_assert_int_eq(facts.state, ROOT_TABLES);
    ck_assert_ptr_nonnull(strstr(facts.text, " /apps holds"));
    recovery_close(store);
}
END_TEST

static void root_never(void *arg, const struct root_facts *facts, const struct fail *fail)
{
    (void) facts;
    (void) fail;
    *(bool *) arg = true;
}

START_TEST(root_canceled)
{
    struct plugin *store = recovery_store("memory", NULL);
    bool told = false;
    root_look_cancel(NULL);
    root_look_cancel(root_look(store, "/c", root_never, &told));
    recovery_look(store, "/c");
    ck_assert(!told);
    recovery_close(store);
}
END_TEST

static void root_failed(void *arg, const struct root_facts *facts, const struct fail *fail)
{
    ck_assert_ptr_null(facts);
    *(struct fail *) arg = *fail;
}

/* A store that does not answer is no root of any kind. */
START_TEST(root_unreadable)
{
    static const struct {
        int left;
        enum sickness sickness;
        br_status status;
        const char *words;
    } rows[] = {
        { 0, SICK_DENIES, BR_DENIED, "/c/d: " },
        { 0, SICK_FEW, BR_CORRUPT, "/c/d: " },
        { 1, SICK_DENIES, BR_DENIED, "/c/d/apps: " },
    };
    struct plugin *inner = recovery_store("memory", NULL);
    root_make(inner, &(struct root_row){ .apps = "unlock", .child = "1" });
    struct plugin *store = recovery_sick(inner);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fail fail = { .status = BR_OK };
        recovery_sicken(rows[i].left, rows[i].sickness);
        root_look(store, "/c/d", root_failed, &fail);
        while (fail.status == BR_OK)
            loop_turn(recovery_loop);
        ck_assert_int_eq(fail.status, rows[i].status);
        ck_assert_msg(strstr(fail.text, rows[i].words) != NULL, "%s", fail.text);
    }
    recovery_close(store);
    recovery_close(inner);
}
END_TEST

/* Each key of version 2 is of another kind, or out of its limits. */
START_TEST(root_strange_journals)
{
    static const char *const before[] = {
        "\"apps\":\"\",\"bulk_load\":1,\"backup\":true,\"converged\":false,"
        "\"elections\":3",
        "\"apps\":\"\",\"bulk_load\":true,\"backup\":1,\"converged\":false,"
        "\"elections\":3",
        "\"apps\":\"\",\"bulk_load\":true,\"backup\":true,\"converged\":1,\"elections\":"
        "3",
        "\"apps\":\"\",\"bulk_load\":true,\"backup\":true,\"converged\":true,"
        "\"elections\":\"3\"",
        "\"apps\":\"luck\"," REST,
        BEFORE ",\"amendment\":7",
        BEFORE ",\"amendment\":\"short\"",
    };
    struct apply_journal journal;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        struct buf text = { 0 };
        buf_printf(&text, JOURNAL2("done", "%s"), before[i]);
        apply_journal_get(buf_bytes(&text), &journal);
        ck_assert_msg(journal.state == JOURNAL_STRANGE && journal.elections == -1, "%s", text.data);
        buf_done(&text);
    }
    static const char good[] = JOURNAL2("done", "\"apps\":null,\"bulk_load\":true,\"backup\":false,"
                                                "\"converged\":true,\"elections\":-1");
    struct buf again = { 0 };
    apply_journal_get((br_bytes){ good, strlen(good) }, &journal);
    ck_assert(journal.known && journal.bulk_load && !journal.backup && journal.converged);
    ck_assert_int_eq(journal.apps, APPS_ABSENT);
    apply_journal_put(&journal, 7, &again);
    ck_assert_str_eq(again.data, good);
    buf_done(&again);
}
END_TEST

TCase *recovery_root_cases(void)
{
    TCase *tcase = tcase_create("root");
    tcase_add_checked_fixture(tcase, recovery_setup, recovery_teardown);
    tcase_add_loop_test(tcase, root_table, 0, ROOT_ROWS);
    tcase_add_test(tcase, root_large_journal);
    tcase_add_test(tcase, root_strange_journals);
    tcase_add_test(tcase, root_slash);
    tcase_add_test(tcase, root_canceled);
    tcase_add_test(tcase, root_unreadable);
    return tcase;
}
