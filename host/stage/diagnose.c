/* diagnose -- see diagnose.h.  diagnose_records.c reads the records. */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/apply.h"
#include "host/recovery/rows.h"
#include "host/stage/diagnose_run.h"

const char *stage_diagnosis(enum diagnosis verdict)
{
    static const char *const words[] = { "empty",         "wrong-root",  "unfinished-recovery",
                                         "locked",        "damaged",     "foreign",
                                         "no-permission", "unreachable", "broken" };
    return verdict == DIAGNOSE_HEALTHY ? "healthy" : words[verdict - DIAGNOSE_EMPTY];
}

/* -c FILE, where there is one. */
static void diagnose_config(const struct tool *tool, struct buf *buf)
{
    if (tool->file)
        buf_printf(buf, " -c %s", tool->file);
}

void diagnose_say(struct tool *tool, struct diagnose *ret, enum diagnosis verdict, const char *text)
{
    static const char survey[] = "bridle survey -f NODES -o survey.json";
    ret->verdict = verdict;
    buf_text(&ret->text, text);
    buf_char(&ret->text, '\n');
    switch (verdict) {
    case DIAGNOSE_HEALTHY: buf_text(&ret->next, "bridled"); break;
    case DIAGNOSE_EMPTY:
    case DIAGNOSE_DAMAGED:
    case DIAGNOSE_LOCKED: buf_text(&ret->next, survey); break;
    case DIAGNOSE_OURS: buf_text(&ret->next, "bridle recover -f NODES"); return;
    case DIAGNOSE_WRONG_ROOT:
    case DIAGNOSE_FOREIGN:
    case DIAGNOSE_DENIED:
    case DIAGNOSE_UNREACHABLE:
    case DIAGNOSE_BROKEN: buf_text(&ret->next, "bridle diagnose"); break;
    }
    diagnose_config(tool, &ret->next);
}

/* A status of the store to a verdict. */
void diagnose_failed(struct tool *tool, struct diagnose *ret, const struct fail *fail)
{
    enum diagnosis verdict = DIAGNOSE_BROKEN;
    struct buf text = { 0 };
    switch (fail->status) {
    case BR_DENIED: verdict = DIAGNOSE_DENIED; break;
    case BR_UNAVAILABLE:
    case BR_TIMEOUT: verdict = DIAGNOSE_UNREACHABLE; break;
    default: break;
    }
    buf_printf(&text, "%s%s", fail->text,
               verdict == DIAGNOSE_DENIED        ? ": give this user the permission, then"
               : verdict == DIAGNOSE_UNREACHABLE ? ": let it run, then"
                                                 : ": cure that, then");
    diagnose_say(tool, ret, verdict, text.data);
    buf_done(&text);
}

/* -- Metadata elsewhere ----------------------------------------------------------------------- */

struct search {
    struct tool *tool;
    char **paths; /* to be listed: a queue */
    uint32_t *depths;
    uint32_t count;
    struct buf found; /* roots, a line each */
    uint32_t found_count;
    char first[BR_PATH_MAX + 1];
};

static void search_push(struct search *search, const char *parent, const char *name, uint32_t depth)
{
    struct buf path = { 0 };
    if (search->count == DIAGNOSE_LISTS_MAX || depth > DIAGNOSE_DEPTH_MAX)
        return;
    buf_printf(&path, "%s%s%s", strcmp(parent, "/") == 0 ? "" : parent, *name ? "/" : "", name);
    if (!path.size)
        buf_char(&path, '/');
    search->paths[search->count] = path.data;
    search->depths[search->count++] = depth;
}

static bool search_is_table(struct search *search, const char *root, int32_t id)
{
    struct cluster cluster;
    struct br_table table;
    struct tool_answer answer;
    struct fail fail;
    struct buf path = { 0 };
    cluster_init(&cluster);
    layout_table_path(&path, root, id);
    tool_read(search->tool, (const char *const[]){ path.data }, 1, &answer);
    struct rows rows = { .chunk = answer.status == BR_OK ? answer.chunks : NULL };
    const struct br_value *value = rows_value(&rows);
    bool found = value && value->status == BR_OK
                 && layout_get_table(&cluster, value->value, &table, &fail) == BR_OK
                 && table.id == id;
    tool_answer_done(&answer);
    buf_done(&path);
    cluster_done(&cluster);
    return found;
}

/* `apps` with a child whose record is a table's: that is metadata.  A few children tell. */
static bool search_is_apps(struct search *search, const char *root)
{
    struct buf path = { 0 };
    struct tool_answer answer;
    bool found = false;
    layout_apps_path(&path, root);
    tool_list(search->tool, path.data, &answer);
    struct rows rows = { .chunk = answer.status == BR_OK ? answer.chunks : NULL };
    const char *name;
    for (int tried = 0; !found && tried < DIAGNOSE_SHOWN_MAX && (name = rows_name(&rows));) {
        int32_t id = rows_number(name, BR_TABLE_ID_MAX);
        if (id < 1)
            continue;
        tried++;
        found = search_is_table(search, root, id);
    }
    tool_answer_done(&answer);
    buf_done(&path);
    return found;
}

static void search_list(struct search *search, uint32_t at)
{
    struct tool_answer answer;
    const char *path = search->paths[at];
    tool_list(search->tool, path, &answer);
    struct rows rows = { .chunk = answer.status == BR_OK ? answer.chunks : NULL };
    const char *name;
    while ((name = rows_name(&rows))) {
        if (strcmp(name, "apps") == 0 && search_is_apps(search, path)) {
            if (search->found_count++ == 0)
                snprintf(search->first, sizeof search->first, "%s", path);
            if (search->found_count <= DIAGNOSE_SHOWN_MAX)
                buf_printf(&search->found, "metadata stand at the root %s\n", path);
        } else {
            search_push(search, path, name, search->depths[at] + 1);
        }
    }
    tool_answer_done(&answer);
}

/* The root is empty: is there anything elsewhere? */
static void diagnose_search(struct tool *tool, struct diagnose *ret, const char *text)
{
    struct search search = { .tool = tool,
                             .paths = mem_array(DIAGNOSE_LISTS_MAX, sizeof(char *)),
                             .depths = mem_array(DIAGNOSE_LISTS_MAX, sizeof(uint32_t)) };
    search_push(&search, "", "", 0);
    for (uint32_t at = 0; at < search.count; at++)
        search_list(&search, at);
    if (search.found_count) {
        diagnose_say(tool, ret, DIAGNOSE_WRONG_ROOT, text);
        buf_text(&ret->text, buf_string(&search.found));
        buf_printf(&ret->next, " --set meta_server.cluster_root=%s", search.first);
    } else {
        diagnose_say(tool, ret, DIAGNOSE_EMPTY, text);
        buf_printf(&ret->text, "%u paths of the store were looked through, none holds metadata%s\n",
                   search.count,
                   search.count == DIAGNOSE_LISTS_MAX ? "; there are more than were looked at"
                                                      : "");
    }
    for (uint32_t i = 0; i < search.count; i++)
        free(search.paths[i]);
    free(search.paths);
    free(search.depths);
    buf_done(&search.found);
}

/* -- The root --------------------------------------------------------------------------------- */

/* Not to be recovered: another command goes on with it. */
static void diagnose_ours(struct tool *tool, struct diagnose *ret, const struct root_facts *facts)
{
    const bool undoing = root_undoing(facts);
    diagnose_say(tool, ret, DIAGNOSE_OURS, facts->text);
    if (!undoing && facts->journal.state != JOURNAL_AMENDING)
        return;
    buf_clear(&ret->next);
    buf_text(&ret->next, undoing ? "bridle undo PLAN" : "bridle apply AMENDMENT");
    diagnose_config(tool, &ret->next);
}

static void diagnose_root(struct tool *tool, struct diagnose *ret)
{
    struct root_facts facts;
    struct fail fail = { .status = BR_OK };
    if (tool_look(tool, tool->store_root.data, &facts, &fail) != BR_OK) {
        diagnose_failed(tool, ret, &fail);
        return;
    }
    bool locked = strstr(facts.text, "invalid transaction state(lock)") != NULL;
    switch (facts.state) {
    case ROOT_EMPTY: diagnose_search(tool, ret, facts.text); break;
    case ROOT_OURS: diagnose_ours(tool, ret, &facts); break;
    case ROOT_TABLES: diagnose_records(tool, ret); break;
    case ROOT_FOREIGN:
        if (facts.journal.state == JOURNAL_AMENDING)
            diagnose_ours(tool, ret, &facts);
        else
            diagnose_say(tool, ret, locked ? DIAGNOSE_LOCKED : DIAGNOSE_FOREIGN, facts.text);
        break;
    }
}

void stage_diagnose(struct tool *tool, struct diagnose *ret)
{
    struct fail fail = { .status = BR_OK };
    *ret = (struct diagnose){ .verdict = DIAGNOSE_HEALTHY };
    br_status status = tool_open_store(tool, &fail);
    if (status == BR_OK)
        diagnose_root(tool, ret);
    else if (status == BR_NOTFOUND)
        diagnose_say(tool, ret, DIAGNOSE_EMPTY, fail.text);
    else
        diagnose_failed(tool, ret, &fail);
}
