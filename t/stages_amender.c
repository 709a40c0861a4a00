/* stages_amender -- see stages_amender.h. */
#include "t/stages_amender.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/rdsn/address.h"

const struct amender_said amender_five = {
    .tables = { { 2, "orders", 2 } },
    .rows = { { 1, 0, 9, 130, 0 }, { 1, 3, 6, 50, 0 }, { 2, 0, 5, 40, 0 } },
};

void amender_init(struct amender *of)
{
    *of = (struct amender){ .status = BR_OK };
    applier_init(&of->applier);
    ck_assert_msg(applier_apply(&of->applier) == DEED_DONE, "%s",
                  buf_string(&of->applier.result.text));
    kit_init(&of->kit, "", NULL);
}

static struct survey *amender_survey(struct amender *of, const struct amender_said *said)
{
    struct kit *kit = &of->kit;
    struct fail fail = { 0 };
    const char *name = said->name ? said->name : RETURNED;
    uint64_t address;
    ck_assert(address_parse(name, &address));
    kit_node(kit, name, address);
    kit_table(kit, 0, 1, "users", 4);
    for (int i = 0; i < 3 && said->tables[i].id; i++)
        kit_table(kit, 0, said->tables[i].id, said->tables[i].name,
                  said->tables[i].partition_count);
    for (int i = 0; i < 8 && said->rows[i].table; i++) {
        const struct amender_row *row = &said->rows[i];
        struct br_replica *replica = kit_replica(kit, 0, row->table, row->partition, row->ballot,
                                                 row->committed, row->committed + 1);
        replica->role = row->role ? row->role : BR_ROLE_INACTIVE;
    }
    kit_pack(&kit->survey, kit->nodes);
    kit->survey.nodes[0].asked_at = LATER;
    kit->survey.nodes[0].answered_at = LATER + BR_MILLISECOND;
    struct buf text = stages_put(&kit->survey);
    struct survey *survey = stages_parse(text.data, &fail);
    ck_assert_msg(survey, "%s", fail.text);
    buf_done(&text);
    return survey;
}

void amender_make(struct amender *of, const struct amender_said *said)
{
    struct tool *tool = &of->applier.tool;
    ck_assert_msg(tool_open_store(tool, &of->fail) == BR_OK, "%s", of->fail.text);
    of->status = stage_amend_make(&of->amendment, &of->applier.plan, tool, amender_survey(of, said),
                                  &of->fail);
}

char *amender_records(const struct amender *of)
{
    static const char *const words[] = { "lost", "newer", "table", "partition" };
    struct buf text = { 0 };
    buf_text(&text, "");
    for (uint32_t i = 0; i < of->amendment.record_count; i++) {
        const struct amend_record *record = &of->amendment.records[i];
        buf_printf(&text, "%s %s %lld\n", words[record->what], record->path,
                   (long long) record->ballot);
    }
    return text.data;
}

bool amender_found(const struct amender *of, const char *words)
{
    for (uint32_t i = 0; i < of->amendment.finding_count; i++) {
        if (strstr(of->amendment.findings[i], words))
            return true;
    }
    return false;
}

void amender_reread(struct amender *of)
{
    struct buf text = { 0 }, again = { 0 };
    stage_amendment_put(&of->amendment, &text);
    stage_amendment_done(&of->amendment);
    char *copy = mem_text(text.data);
    br_status status = stage_amendment_parse(&of->amendment, "a.json", copy, text.size, &of->fail);
    ck_assert_msg(status == BR_OK, "%s", of->fail.text);
    free(copy);
    stage_amendment_put(&of->amendment, &again);
    ck_assert_str_eq(text.data, again.data);
    buf_done(&text);
    buf_done(&again);
}

enum deed_exit amender_apply(struct amender *of)
{
    of->applier.amendment = &of->amendment;
    enum deed_exit exit = applier_run(&of->applier, stage_amend_check, stage_amend_apply, 0);
    of->applier.amendment = NULL;
    return exit;
}

void amender_done(struct amender *of)
{
    stage_amendment_done(&of->amendment);
    kit_done(&of->kit);
    applier_done(&of->applier);
}
