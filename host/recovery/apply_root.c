/* apply_root -- what a root is before anything is written: empty, ours and unfinished, metadata,
 * or somebody else's.  Two reads: the values of `apps`, of the journal and of a release, then the
 * children.
 */
#include "host/recovery/apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/rows.h"

#define ROOT_READS     3  /* apps, the journal, the release */
#define ROOT_SHOWN_MAX 32 /* bytes of a strange value that are shown */

struct root_look {
    struct plugin *store;
    struct br_call *call;
    root_done *done;
    void *arg;
    char *root;
    struct buf apps;
    struct buf journal;
    bool there; /* apps */
    char value[ROOT_SHOWN_MAX + 1];
    enum { VALUE_OPEN, VALUE_LOCK, VALUE_STRANGE } kind;
    struct root_facts facts;
};

static void root_free(struct root_look *look)
{
    buf_done(&look->apps);
    buf_done(&look->journal);
    free(look->root);
    free(look);
}

static void root_fail(struct root_look *look, br_status status, const char *what,
                      const char *message)
{
    struct fail fail;
    root_done *done = look->done;
    void *arg = look->arg;
    fail_set(&fail, status, "%s: %s", what, message);
    root_free(look);
    done(arg, NULL, &fail);
}

static void root_value_parse(struct root_look *look, br_bytes value)
{
    const char *data = value.data;
    if (value.size == 0
        || (value.size == strlen(LAYOUT_UNLOCK) && memcmp(data, LAYOUT_UNLOCK, value.size) == 0))
        look->kind = VALUE_OPEN;
    else if (value.size == strlen(LAYOUT_LOCK) && memcmp(data, LAYOUT_LOCK, value.size) == 0)
        look->kind = VALUE_LOCK;
    else
        look->kind = VALUE_STRANGE;
    if (look->kind == VALUE_OPEN)
        look->facts.apps = value.size ? APPS_UNLOCK : APPS_EMPTY;
    size_t shown = value.size < ROOT_SHOWN_MAX ? value.size : ROOT_SHOWN_MAX;
    for (size_t i = 0; i < shown; i++)
        look->value[i] = data[i] >= ' ' && data[i] <= '~' ? data[i] : '?';
}

bool root_undoing(const struct root_facts *facts)
{
    return facts->journal.state == JOURNAL_MARKING || facts->journal.state == JOURNAL_UNDOING;
}

static enum root_state root_judge(const struct root_look *look)
{
    if (look->there && look->kind == VALUE_OPEN && look->facts.table_count)
        return ROOT_TABLES;
    if (look->facts.journal.state == JOURNAL_STRANGE || look->kind == VALUE_STRANGE)
        return ROOT_FOREIGN;
    if (!look->there)
        return ROOT_EMPTY;
    if (look->kind == VALUE_LOCK)
        return look->facts.journal.state == JOURNAL_WRITING || root_undoing(&look->facts)
                   ? ROOT_OURS
                   : ROOT_FOREIGN;
    return ROOT_EMPTY;
}

static void root_say_foreign(const struct root_look *look, char *text, size_t size)
{
    const char *apps = buf_string(&look->apps);
    const char *what = "name another cluster_root, or look at what is there and remove it by hand";
    if (look->facts.journal.state == JOURNAL_STRANGE)
        snprintf(text, size,
                 "%.256s is not a journal that this version understands, so %.256s is not "
                 "touched: use the version that wrote it, name another cluster_root, or look at "
                 "what is there and remove it by hand",
                 buf_string(&look->journal), apps);
    else if (look->kind == VALUE_LOCK && look->facts.journal.state == JOURNAL_AMENDING)
        snprintf(text, size,
                 "%.256s is \"lock\" with %u tables below it, left by an unfinished amendment "
                 "(%.16s) of plan %.16s: nothing of it is visible until `bridle apply` of that "
                 "amendment has finished it, and a recovery does not touch it",
                 apps, look->facts.table_count, look->facts.journal.amendment,
                 look->facts.journal.hash);
    else if (look->kind == VALUE_STRANGE)
        snprintf(text, size,
                 "invalid transaction state(%s): the value of %.256s is none of \"lock\", "
                 "\"unlock\" and empty, so it is not ours or Apache Pegasus's and is not touched: "
                 "%s",
                 look->value, apps, what);
    else
        snprintf(text, size,
                 "invalid transaction state(lock): %.256s is \"lock\" with %u tables below it and "
                 "no unfinished journal of ours: somebody else's recovery stopped half way, and "
                 "nothing is touched: %s",
                 apps, look->facts.table_count, what);
}

static void root_say_ours(const struct root_look *look, char *text, size_t size)
{
    const char *apps = buf_string(&look->apps);
    if (root_undoing(&look->facts))
        snprintf(text, size,
                 "%.256s is \"lock\" with %u tables below it, left by an unfinished undo of plan "
                 "%.16s: nothing of it is visible; `bridle undo` of that plan finishes it, and a "
                 "recovery writes over it",
                 apps, look->facts.table_count, look->facts.journal.hash);
    else
        snprintf(text, size,
                 "%.256s is \"lock\" with %u tables below it, left by an unfinished recovery of "
                 "ours (plan %.16s): nothing of it is visible, and asking for the recovery again "
                 "(bridle recover, or bridle apply) completes it",
                 apps, look->facts.table_count, look->facts.journal.hash);
}

static void root_say(struct root_look *look)
{
    char *text = look->facts.text;
    size_t size = sizeof look->facts.text;
    const char *apps = buf_string(&look->apps);
    switch (look->facts.state) {
    case ROOT_EMPTY:
        snprintf(text, size, "%.256s %s: a cluster can be recovered into it", apps,
                 look->there ? "has no tables" : "is not there");
        break;
    case ROOT_OURS: root_say_ours(look, text, size); break;
    case ROOT_TABLES:
        snprintf(text, size,
                 "find apps from remote storage, but [meta_server].recover_from_replica_server = "
                 "true: %.256s holds %u tables, and a recovery goes only into nothing: set "
                 "recover_from_replica_server to false to serve them, or name another cluster_root",
                 apps, look->facts.table_count);
        break;
    case ROOT_FOREIGN: root_say_foreign(look, text, size); break;
    }
}

static void root_finish(struct root_look *look)
{
    struct root_facts facts;
    root_done *done = look->done;
    void *arg = look->arg;
    look->facts.state = root_judge(look);
    root_say(look);
    facts = look->facts;
    root_free(look);
    done(arg, &facts, NULL);
}

static void root_listed(void *arg, struct call_answer *answer)
{
    struct root_look *look = arg;
    look->call = NULL;
    if (answer->status != BR_OK && answer->status != BR_NOTFOUND) {
        root_fail(look, answer->status, buf_string(&look->apps), answer->message);
        return;
    }
    uint64_t count = answer->status == BR_OK ? rows_count(answer, BR_ROW_NAME) : 0;
    look->facts.table_count = count < UINT32_MAX ? (uint32_t) count : UINT32_MAX;
    root_finish(look);
}

static void root_read(void *arg, struct call_answer *answer)
{
    struct root_look *look = arg;
    look->call = NULL;
    if (answer->status != BR_OK) {
        root_fail(look, answer->status, look->root, answer->message);
        return;
    }
    struct rows rows = rows_of(answer);
    const struct br_value *value = rows_value(&rows);
    if (value->status == BR_OK) {
        look->there = true;
        look->facts.apps_version = value->version;
        root_value_parse(look, value->value);
    }
    value = rows_value(&rows);
    if (value->status == BR_OK) {
        look->facts.journal_version = value->version;
        apply_journal_get(value->value, &look->facts.journal);
    }
    look->facts.released = rows_value(&rows)->status == BR_OK;
    if (look->there)
        look->call = store_list(look->store, buf_string(&look->apps), 0, root_listed, look);
    else
        root_finish(look);
}

struct root_look *root_look(struct plugin *store, const char *root, root_done *done, void *arg)
{
    struct root_look *look = mem_new(sizeof *look);
    look->store = store;
    look->done = done;
    look->arg = arg;
    look->root = mem_text(root);
    look->facts.apps_version = -1;
    look->facts.journal_version = -1;
    look->facts.journal.elections = -1;
    layout_apps_path(&look->apps, root);
    layout_journal_path(&look->journal, root);

    struct arena memory;
    struct buf released = { 0 };
    layout_released_path(&released, root);
    arena_init(&memory, 0);
    const char **paths = arena_alloc(&memory, ROOT_READS * sizeof *paths);
    paths[0] = arena_text(&memory, look->apps.data, look->apps.size);
    paths[1] = arena_text(&memory, look->journal.data, look->journal.size);
    paths[2] = arena_text(&memory, released.data, released.size);
    buf_done(&released);
    look->call = store_read(store, paths, ROOT_READS, &memory, 0, root_read, look);
    return look;
}

void root_look_cancel(struct root_look *look)
{
    if (!look)
        return;
    if (look->call) {
        store_cancel(look->store, look->call);
        call_forget(look->call);
    }
    root_free(look);
}
