/* stages_applier -- see stages_applier.h. */
#include "t/stages_applier.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/mem.h"

const char *const applier_consents[] = { "skip_bad_nodes", "skip_lost_partitions", NULL };

void applier_init(struct applier *of)
{
    char *dir = test_directory();
    *of = (struct applier){ .signal_at = 0 };
    recovery_setup();
    buf_printf(&of->file, "store.file=%s/meta.db", dir);
    of->sets[0] = "store.plugin=sqlite";
    of->sets[1] = of->file.data;
    of->sets[2] = "meta_server.cluster_root=" ROOT;
    of->sets[3] = "meta_server.lock_root=/locks";
    kit_init(&of->kit, "", NULL);
    stages_cluster(&of->kit);
    stages_tool(&of->tool, of->sets);
    stages_plan(&of->plan, &of->tool, &of->kit, applier_consents);
    free(dir);
}

void applier_done(struct applier *of)
{
    deed_result_done(&of->result);
    buf_done(&of->file);
    stage_plan_done(&of->plan);
    tool_done(&of->tool);
    kit_done(&of->kit);
    recovery_teardown();
}

struct plugin *applier_store(const struct applier *of)
{
    return recovery_store("sqlite", of->file.data + strlen("store.file="));
}

static void applier_progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
    struct applier *of = arg;
    ck_assert_uint_le(done, total);
    ck_assert_ptr_nonnull(what);
    if (!of->signal_at || --of->signal_at > 0)
        return;
    if (of->meddle)
        of->meddle(of);
    else
        kill(getpid(), SIGTERM);
}

enum deed_exit applier_run(struct applier *of, check_function *check, deed_function *carry,
                           int signal_at)
{
    struct fail fail = { 0 };
    struct tool tool;
    struct stage_deed deed = { .plan = &of->plan,
                               .amendment = of->amendment,
                               .file = of->amendment ? "a.json" : "p.json",
                               .offline = true,
                               .wait = 300 * BR_MILLISECOND,
                               .progress = applier_progress,
                               .arg = of };
    deed_result_done(&of->result);
    ck_assert_int_eq(tool_init(&tool, NULL, of->sets, &fail), BR_OK);
    bool go = check(&deed, &tool, &of->result);
    tool_done(&tool);
    of->signal_at = signal_at;
    if (go) {
        ck_assert_int_eq(tool_init(&tool, NULL, of->sets, &fail), BR_OK);
        carry(&deed, &tool, &of->result);
        tool_done(&tool);
    }
    of->signal_at = 0;
    return of->result.exit;
}

enum deed_exit applier_apply(struct applier *of)
{
    return applier_run(of, stage_apply_check, stage_apply, 0);
}

enum deed_exit applier_undo(struct applier *of)
{
    return applier_run(of, stage_undo_check, stage_undo, 0);
}

void applier_says(const struct applier *of, const char *word, const char *text)
{
    ck_assert_msg(strcmp(of->result.word, word) == 0, "%s, not %s: %s", of->result.word, word,
                  buf_string(&of->result.text));
    ck_assert_msg(strstr(buf_string(&of->result.text), text), "no %s in %s", text,
                  buf_string(&of->result.text));
}

char *applier_dump(const struct applier *of, bool versions)
{
    struct plugin *store = applier_store(of);
    char *dump = recovery_dump(store, "/", versions);
    struct buf kept = { 0 };
    buf_text(&kept, "");
    for (const char *line = dump; *line;) {
        size_t size = strcspn(line, "\n") + 1;
        if (strncmp(line, "/locks", 6) != 0
            && strncmp(line, APPLIER_AUDIT, strlen(APPLIER_AUDIT)) != 0)
            buf_put(&kept, line, size);
        line += size;
    }
    recovery_close(store);
    free(dump);
    return kept.data;
}

void applier_edit(const struct applier *of, const struct edit *edits)
{
    struct plugin *store = applier_store(of);
    for (; edits->kind; edits++)
        ck_assert_int_eq(recovery_write(store, edits->kind, edits->path, edits->value), BR_OK);
    recovery_close(store);
}

void applier_mark(const struct applier *of, enum journal_state state, const char *apps)
{
    struct plugin *store = applier_store(of);
    struct root_facts facts = recovery_look(store, ROOT);
    struct buf json = { 0 };
    ck_assert_int_eq(facts.journal.state, JOURNAL_DONE);
    facts.journal.state = state;
    apply_journal_put(&facts.journal, of->plan.plan.records, &json);
    ck_assert_int_eq(recovery_write(store, BR_PUT, ROOT "/bridle/journal", json.data), BR_OK);
    ck_assert_int_eq(recovery_write(store, BR_PUT, ROOT "/apps", apps), BR_OK);
    buf_done(&json);
    recovery_close(store);
}

struct root_facts applier_look(const struct applier *of)
{
    struct plugin *store = applier_store(of);
    struct root_facts facts = recovery_look(store, ROOT);
    recovery_close(store);
    return facts;
}

static void lock_told(void *arg, struct call_answer *answer)
{
    struct buf *fence = arg;
    ck_assert_msg(answer->status == BR_OK, "%s", answer->message);
    buf_put(fence, answer->value.data, answer->value.size);
}

void applier_lead(struct plugin *store, struct buf *fence)
{
    store_lock(store, LOCK, "10.0.0.9:34601", lock_told, fence);
    while (!fence->size)
        loop_turn(recovery_loop);
}
