/* amend_check -- may this amendment be written?  See amend.h. */
#include <string.h>

#include "host/recovery/rows.h"
#include "host/stage/amend_run.h"

#define AMEND_CHECK_CHUNK 1000 /* records read at once */

static bool check_refuse(struct deed_result *result, const char *sentence)
{
    return deed_say(result, DEED_REFUSED, "refused", "%s; nothing was written", sentence);
}

/* -- Records ---------------------------------------------------------------------------------- */

static bool amend_equal(const char *text, const struct br_value *value)
{
    return text && strlen(text) == value->value.size
           && memcmp(text, value->value.data, value->value.size) == 0;
}

enum amend_is amend_is(const struct amend_record *record, const struct br_value *value)
{
    if (!value || (value->status != BR_OK && value->status != BR_NOTFOUND))
        return AMEND_IS_OTHER;
    if (value->status == BR_NOTFOUND)
        return record->old ? AMEND_IS_OTHER : AMEND_IS_OLD;
    if (amend_equal(record->value, value))
        return AMEND_IS_NEW;
    return amend_equal(record->old, value) ? AMEND_IS_OLD : AMEND_IS_OTHER;
}

void amend_records(const struct stage_amendment *amendment, struct tool *tool, const char *root,
                   uint32_t from, uint32_t count, struct tool_answer *ret_answer)
{
    struct arena arena;
    struct buf path = { 0 };
    arena_init(&arena, 0);
    const char **paths = arena_alloc(&arena, (count + 1) * sizeof *paths);
    for (uint32_t i = 0; i < count; i++) {
        const struct amend_record *record = &amendment->records[from + i];
        buf_clear(&path);
        if (record->partition < 0)
            layout_table_path(&path, root, record->table);
        else
            layout_partition_path(&path, root, record->table, record->partition);
        paths[i] = arena_text(&arena, path.data, path.size);
    }
    tool_read(tool, paths, count, ret_answer);
    buf_done(&path);
    arena_done(&arena);
}

static bool compare_chunk(const struct stage_deed *deed, const struct tool_answer *answer,
                          uint32_t from, uint32_t count, uint32_t *left, struct deed_result *result)
{
    struct rows rows = { .chunk = answer->chunks };
    for (uint32_t i = 0; i < count; i++) {
        const struct amend_record *record = &deed->amendment->records[from + i];
        enum amend_is is = amend_is(record, rows_value(&rows));
        if (is == AMEND_IS_OTHER)
            return deed_say(result, DEED_REFUSED, "changed",
                            "%s/%s is neither what it was when %s was made nor what it shall be: "
                            "amend again; nothing was written",
                            deed->amendment->root, record->path, deed->file);
        *left += is == AMEND_IS_OLD;
    }
    return true;
}

bool amend_compare(const struct stage_deed *deed, struct tool *tool, const char *root,
                   uint32_t *ret_left, struct deed_result *result, struct fail *ret_fail)
{
    uint32_t total = deed->amendment->record_count;
    bool ok = true;
    *ret_left = 0;
    for (uint32_t from = 0; ok && from < total; from += AMEND_CHECK_CHUNK) {
        uint32_t count = total - from < AMEND_CHECK_CHUNK ? total - from : AMEND_CHECK_CHUNK;
        struct tool_answer answer;
        amend_records(deed->amendment, tool, root, from, count, &answer);
        if (answer.status != BR_OK)
            *ret_fail = answer.fail;
        ok = answer.status == BR_OK && compare_chunk(deed, &answer, from, count, ret_left, result);
        tool_answer_done(&answer);
    }
    return ok;
}

/* -- Servers ---------------------------------------------------------------------------------- */

static struct survey *check_ask(const struct stage_amendment *amendment, struct tool *tool,
                                struct fail *fail)
{
    struct buf list = { 0 };
    struct tool_nodes nodes;
    struct survey *survey = NULL;
    for (uint32_t i = 0; i < amendment->server_count; i++)
        buf_printf(&list, "%s%s", i ? "," : "", amendment->servers[i]);
    if (tool_nodes_read(&nodes, NULL, buf_string(&list), fail) == BR_OK
        && tool_open_transport(tool, fail) == BR_OK)
        survey = tool_survey(tool, nodes.names, nodes.addresses, nodes.count);
    tool_nodes_done(&nodes);
    buf_done(&list);
    return survey;
}

static bool check_holds(const struct br_replica *row, const struct amend_record *record)
{
    return row
           && (row->ballot > record->ballot
               || (row->ballot == record->ballot && row->committed >= record->committed
                   && row->prepared >= record->prepared));
}

/* The survey's nodes are the amendment's servers, in that order. */
static bool check_held(const struct stage_amendment *amendment, const struct survey *now,
                       struct deed_result *result)
{
    struct held held;
    bool ok = true;
    held_collect(&held, now);
    for (uint32_t i = 0; ok && i < amendment->record_count; i++) {
        const struct amend_record *record = &amendment->records[i];
        if (record->server < 0)
            continue;
        held_seek(&held, record->table, record->partition);
        const struct br_replica *row =
            held_of(&held, record->table, record->partition, record->server);
        ok = check_holds(row, record)
             || deed_say(result, DEED_REFUSED, "changed",
                         "node(%s) holds less of partition %d.%d than it did (ballot %lld, "
                         "committed %lld, prepared %lld): amend again; nothing was written",
                         amendment->servers[record->server], record->table, record->partition,
                         (long long) record->ballot, (long long) record->committed,
                         (long long) record->prepared);
    }
    held_done(&held);
    return ok;
}

static bool check_servers(const struct stage_deed *deed, struct tool *tool,
                          struct deed_result *result)
{
    const struct stage_amendment *amendment = deed->amendment;
    struct fail fail = { .status = BR_OK };
    struct survey *now = check_ask(amendment, tool, &fail);
    if (!now)
        return check_refuse(result, fail.text);
    bool ok = now->node_count == amendment->server_count
              || check_refuse(result, "a server stands twice in the amendment");
    for (uint32_t i = 0; ok && i < now->node_count; i++) {
        const struct survey_node *node = &now->nodes[i];
        ok = node->complete
             || deed_say(result, DEED_REFUSED, "refused",
                         "node(%s), which holds what is adopted, does not answer: %s (%s); "
                         "nothing was written",
                         node->name, node->why, node->error);
    }
    ok = ok && check_held(amendment, now, result);
    survey_free(now);
    return ok;
}

/* -- The store -------------------------------------------------------------------------------- */

br_status stage_amend_place(const struct stage_amendment *amendment, const struct tool *tool,
                            struct fail *ret_fail)
{
    const char *name = tool->config.replication.cluster_name;
    if (strcmp(amendment->root, tool->root.data) != 0)
        return fail_set(ret_fail, BR_INVALID,
                        "the amendment is for the root %s, the configuration says %s",
                        amendment->root, tool->root.data);
    if (strcmp(amendment->cluster_name, name) != 0)
        return fail_set(ret_fail, BR_INVALID,
                        "the amendment is for the cluster %s, the configuration is of %s",
                        amendment->cluster_name, name);
    if (amendment->version != tool_version(tool))
        return fail_set(ret_fail, BR_INVALID,
                        "the amendment is in the layout of another Pegasus than the configuration "
                        "says (meta_server.pegasus_version)");
    return BR_OK;
}

static bool check_done(const struct stage_deed *deed, const struct tool *tool,
                       struct deed_result *result)
{
    deed_say(result, DEED_DONE, "already applied",
             "%s was applied already, and is visible: nothing was written", deed->file);
    buf_printf(&result->next, "bridle verify %s -c %s", deed->file,
               tool->file ? tool->file : "CONFIG");
    return false;
}

static bool check_journal(const struct stage_deed *deed, const struct tool *tool,
                          const struct root_facts *facts, struct deed_result *result)
{
    const struct stage_amendment *amendment = deed->amendment;
    const struct apply_journal *journal = &facts->journal;
    bool same = strcmp(journal->amendment, amendment->hash) == 0;
    if (journal->state == JOURNAL_AMENDING && facts->state == ROOT_FOREIGN && same) {
        buf_printf(&result->text, "%s\n", facts->text);
        return true;
    }
    if (facts->state == ROOT_OURS || facts->state == ROOT_FOREIGN)
        return deed_say(result, DEED_REFUSED, "refused", "%s; nothing was written", facts->text);
    if (journal->state != JOURNAL_DONE || strcmp(journal->hash, amendment->plan) != 0)
        return deed_say(result, DEED_REFUSED, "refused",
                        "what stands at %s is not what the amendment's plan (%.16s) wrote: its "
                        "journal says so; nothing was written",
                        tool->root.data, amendment->plan);
    return !same || check_done(deed, tool, result);
}

static bool check_store(const struct stage_deed *deed, struct tool *tool,
                        struct deed_result *result)
{
    struct fail fail = { .status = BR_OK };
    struct root_facts facts;
    uint32_t left = 0;
    br_status status = tool_open_store(tool, &fail);
    if (status == BR_OK)
        status = tool_look(tool, tool->store_root.data, &facts, &fail);
    if (status != BR_OK)
        return check_refuse(result, fail.text);
    if (!check_journal(deed, tool, &facts, result))
        return false;
    if (!amend_compare(deed, tool, tool->store_root.data, &left, result, &fail))
        return fail.status == BR_OK ? false : check_refuse(result, fail.text);
    return left || facts.journal.state == JOURNAL_AMENDING || check_done(deed, tool, result);
}

bool stage_amend_check(const struct stage_deed *deed, struct tool *tool, struct deed_result *result)
{
    struct fail fail = { .status = BR_OK };
    *result = (struct deed_result){ .exit = DEED_REFUSED, .word = "refused" };
    if (stage_amend_place(deed->amendment, tool, &fail) != BR_OK)
        return check_refuse(result, fail.text);
    return check_store(deed, tool, result) && (deed->offline || check_servers(deed, tool, result));
}
