/* recovery_audit -- what a recovery leaves about itself: beside the metadata and in a file. */
#include "t/recovery.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char *audit_directory;
static struct buf audit_file;
static struct audit audit_one;

static void audit_setup(void)
{
    recovery_setup();
    audit_directory = test_directory();
    buf_printf(&audit_file, "%s/audit.jsonl", audit_directory);
    audit_one = (struct audit){ .loop = recovery_loop,
                                .file = audit_file.data,
                                .program = "bridle",
                                .deed = "apply",
                                .plan = "",
                                .cluster = "c \"1\"\n",
                                .root = "/c",
                                .asked_by = "1.2.3.4:5" };
}

static void audit_teardown(void)
{
    audit_done(&audit_one);
    buf_done(&audit_file);
    free(audit_directory);
    recovery_teardown();
}

/* Line `index` of the file, parsed; NULL: there are not so many.  The caller's to json_decref. */
static json_t *audit_line(int index)
{
    struct buf text = { 0 };
    json_t *line = NULL;
    if (!test_read(audit_file.data, &text))
        return NULL;
    char *save = NULL;
    for (char *at = strtok_r(text.data, "\n", &save); at; at = strtok_r(NULL, "\n", &save)) {
        if (index-- == 0) {
            line = json_loads(at, JSON_REJECT_DUPLICATES, NULL);
            ck_assert_msg(line != NULL, "%s", at);
        }
    }
    buf_done(&text);
    return line;
}

static const char *audit_string(const json_t *line, const char *key)
{
    const char *text = json_string_value(json_object_get(line, key));
    ck_assert_msg(text != NULL, "no key %s", key);
    return text;
}

static void audit_expect(int index, const char *step, const char *text)
{
    json_t *line = audit_line(index);
    ck_assert_msg(line != NULL, "no line %d", index);
    ck_assert_str_eq(audit_string(line, "step"), step);
    ck_assert_str_eq(audit_string(line, "deed"), "apply");
    ck_assert_str_eq(audit_string(line, "cluster"), "c \"1\"\n");
    ck_assert_str_eq(audit_string(line, "asked_by"), "1.2.3.4:5");
    ck_assert_str_ne(audit_string(line, "user"), "");
    ck_assert_int_eq(json_integer_value(json_object_get(line, "pid")), getpid());
    ck_assert_ptr_nonnull(strstr(audit_string(line, "text"), text));
    json_decref(line);
}

static struct applied audit_apply(struct plugin *store, const struct plan *plan)
{
    struct applied applied = { 0 };
    const struct apply_request request = {
        .plan = plan, .audit = &audit_one, .done = recovery_applied, .arg = &applied
    };
    audit_one.plan = plan->hash;
    apply_start(recovery_loop, store, &request);
    while (!applied.done)
        loop_turn(recovery_loop);
    return applied;
}

/* How many entries of this step the store has. */
static int audit_stored(struct plugin *store, const char *step)
{
    struct buf want = { 0 };
    buf_printf(&want, "\"step\":\"%s\"", step);
    char *dump = recovery_dump(store, "/c/bridle", true);
    int count = 0;
    for (const char *at = dump; (at = strstr(at, want.data)); at++)
        count++;
    free(dump);
    buf_done(&want);
    return count;
}

START_TEST(an_apply_begins_and_ends)
{
    struct plugin *store = recovery_store("memory", NULL);
    struct cluster cluster;
    struct plan plan;
    recovery_cluster(&cluster, 3, 4, 5);
    plan_make(&plan, &cluster, "/c", LAYOUT_25);
    ck_assert_int_eq(audit_apply(store, &plan).status, BR_OK);
    ck_assert_int_eq(audit_stored(store, "begin"), 1);
    ck_assert_int_eq(audit_stored(store, "done"), 1);
    audit_expect(0, "begin", "");
    audit_expect(1, "done", "");
    ck_assert_ptr_null(audit_line(2));
    json_t *line = audit_line(1);
    ck_assert_str_eq(audit_string(line, "plan"), plan.hash);
    json_decref(line);

    /* What comes to nothing is in the file alone, with the reason. */
    ck_assert_int_eq(audit_apply(store, &plan).status, BR_EXISTS);
    ck_assert_int_eq(audit_stored(store, "begin") + audit_stored(store, "done"), 2);
    audit_expect(2, "failed", "tables");
    cluster_done(&cluster);
    recovery_close(store);
}
END_TEST

/* An entry that the batch has no room for is in the file alone. */
START_TEST(a_batch_without_room)
{
    struct plugin *store = recovery_store("memory", NULL);
    struct cluster cluster;
    struct plan plan;
    recovery_cluster(&cluster, 3, 4, 5);
    plan_make(&plan, &cluster, "/c", LAYOUT_25);
    if (_i)
        store->ops.store.batch_ops_max = 4; /* two components, journal and `apps` */
    else
        store->ops.store.batch_bytes_max = 600;
    char asked_by[600] = "";
    memset(asked_by, 'x', sizeof asked_by - 1);
    audit_one.asked_by = asked_by;
    struct applied applied = audit_apply(store, &plan);
    ck_assert_msg(applied.status == BR_OK, "%s", applied.text);
    ck_assert_int_eq(audit_stored(store, "begin"), 0);
    for (int i = 0; i < 2; i++) {
        json_t *line = audit_line(i);
        ck_assert_str_eq(audit_string(line, "step"), i ? "done" : "begin");
        json_decref(line);
    }
    cluster_done(&cluster);
    recovery_close(store);
}
END_TEST

/* A file that cannot be written is no reason to leave a cluster dead. */
START_TEST(a_file_that_cannot_be_written)
{
    struct plugin *store = recovery_store("memory", NULL);
    struct cluster cluster;
    struct plan plan;
    recovery_cluster(&cluster, 3, 1, 2);
    plan_make(&plan, &cluster, "/c", LAYOUT_25);
    audit_one.file = audit_directory; /* a directory */
    ck_assert_int_eq(audit_apply(store, &plan).status, BR_OK);
    ck_assert_int_eq(audit_stored(store, "done"), 1);
    ck_assert_ptr_nonnull(strstr(recovery_logged(), "cannot be appended to: Is a directory"));
    cluster_done(&cluster);
    recovery_close(store);
}
END_TEST

/* The disk is full, at once or within a line. */
START_TEST(a_disk_that_is_full)
{
    struct rlimit limit, before;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    if (_i) {
        limit = before;
        limit.rlim_cur = (64 << 10) + 100;
        FILE *file = fopen(audit_file.data, "w");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(fprintf(file, "%*s\n", (64 << 10) - 1, ""), 64 << 10);
        fclose(file);
        ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    } else {
        audit_one.file = "/dev/full";
    }
    audit_note(&audit_one, "begin", "");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_ptr_nonnull(strstr(recovery_logged(), "cannot be appended to: No space left"));
    if (_i) { /* the next entry begins a line of its own */
        audit_note(&audit_one, "done", "");
        audit_expect(2, "done", "");
    }
}
END_TEST

/* Somebody whom no user database knows is a number. */
START_TEST(a_user_without_a_name)
{
    struct buf path = { 0 };
    struct buf line = { 0 };
    if (geteuid() != 0) {
        puts("SKIPPED: only root can be somebody without a name");
        return;
    }
    ck_assert_int_eq(seteuid(2000000007), 0);
    audit_entry(&audit_one, "/c", "begin", AUDIT_ENTRY_MAX, &path, &line);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_msg(strstr(line.data, "\"user\":\"2000000007\"") != NULL, "%s", line.data);
    buf_done(&path);
    buf_done(&line);
}
END_TEST

/* Details, and findings up to the limits. */
START_TEST(findings_have_limits)
{
    static const char *const nodes[] = { "h1:1", "h\"2:2", NULL };
    const uint32_t count = AUDIT_FINDINGS_MAX + (uint32_t) _i;
    struct buf big = { 0 };
    for (int i = 0; i < AUDIT_ENTRY_MAX; i++)
        buf_char(&big, 'x');
    audit_add(&audit_one, "policy", "pegasus");
    audit_add_list(&audit_one, "nodes", nodes);
    audit_add_finding(&audit_one, BR_NOTE, false, "a note");
    for (uint32_t i = 0; i < count; i++)
        audit_add_finding(&audit_one, BR_LOSS, i == 0, "lost\there");
    audit_add_finding(&audit_one, BR_REFUSAL, false, big.data);
    audit_note(&audit_one, "begin", big.data);
    json_t *line = audit_line(0);
    ck_assert_ptr_nonnull(line);
    const json_t *findings = json_object_get(line, "findings");
    ck_assert_uint_eq(json_array_size(findings), AUDIT_FINDINGS_MAX);
    ck_assert(json_is_true(json_object_get(json_array_get(findings, 0), "consented")));
    ck_assert(json_is_false(json_object_get(json_array_get(findings, 1), "consented")));
    ck_assert_str_eq(audit_string(json_array_get(findings, 0), "text"), "lost\there");
    ck_assert_int_eq(json_integer_value(json_object_get(line, "findings_left_out")), _i + 1);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(line, "nodes"), 1)),
                     "h\"2:2");
    ck_assert_uint_eq(strlen(audit_string(line, "text")), AUDIT_TEXT_MAX);
    json_decref(line);
    buf_done(&big);
}
END_TEST

/* What is missing is empty; a line that is too long is made again without its details. */
START_TEST(entries_are_cut)
{
    static const char *const none[] = { NULL };
    struct buf path = { 0 };
    struct buf line = { 0 };
    audit_add(&audit_one, "policy", NULL);
    audit_add_list(&audit_one, "nodes", _i ? none : NULL);
    audit_add_finding(&audit_one, BR_REFUSAL + 1, false, "of no severity");
    audit_add_finding(&audit_one, BR_WARNING, false, "seen");
    audit_entry(&audit_one, _i ? "/" : "/c", "begin", _i ? 10 : AUDIT_ENTRY_MAX, &path, &line);
    ck_assert_int_eq(strncmp(path.data, _i ? "/bridle/audit-2" : "/c/bridle/audit-2", 15), 0);
    json_t *json = json_loads(line.data, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(json != NULL, "%s", line.data);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "findings_left_out")), _i);
    ck_assert_int_eq(json_object_get(json, "nodes") != NULL, !_i);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "findings")), !_i);
    json_decref(json);
    buf_done(&path);
    buf_done(&line);
}
END_TEST

/* No file: nothing to do. */
START_TEST(no_file)
{
    audit_one.file = _i ? "" : NULL;
    audit_note(&audit_one, "begin", "");
    ck_assert_int_ne(access(audit_file.data, F_OK), 0);
}
END_TEST

TCase *recovery_audit_cases(void)
{
    TCase *tcase = tcase_create("audit");
    tcase_add_checked_fixture(tcase, audit_setup, audit_teardown);
    tcase_add_test(tcase, an_apply_begins_and_ends);
    tcase_add_loop_test(tcase, a_batch_without_room, 0, 2);
    tcase_add_test(tcase, a_file_that_cannot_be_written);
    tcase_add_loop_test(tcase, a_disk_that_is_full, 0, 2);
    tcase_add_test(tcase, a_user_without_a_name);
    tcase_add_loop_test(tcase, findings_have_limits, 0, 2);
    tcase_add_loop_test(tcase, entries_are_cut, 0, 2);
    tcase_add_loop_test(tcase, no_file, 0, 2);
    return tcase;
}
