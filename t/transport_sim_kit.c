/* transport_sim_kit -- see transport_sim.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/config/yaml.h"
#include "host/rdsn/address.h"
#include "t/transport_sim.h"

br_status rehearsal_try(struct rehearsal *rehearsal, const char *yaml, struct fail *ret_fail)
{
    struct yaml *section;
    struct fail fail;
    arena_init(&rehearsal->options, 0);
    ck_assert_msg(yaml_parse(&rehearsal->options, "t.yaml", yaml, strlen(yaml), &section, &fail)
                      == BR_OK,
                  "%s", fail.text);
    ck_assert_int_eq(loader_check(&bridle_transport_sim, "sim.so", "transport", "sim", &fail),
                     BR_OK);
    br_status status = plugin_open(&rehearsal->transport, core_loop, &bridle_transport_sim,
                                   "transport", section, ret_fail);
    if (status)
        arena_done(&rehearsal->options);
    else
        rehearsal->sim = rehearsal->transport.owner.env.self;
    return status;
}

void rehearsal_open(struct rehearsal *rehearsal, const char *yaml)
{
    struct fail fail = { 0 };
    struct core_told told = { 0 };
    ck_assert_msg(rehearsal_try(rehearsal, yaml, &fail) == BR_OK, "%s", fail.text);
    plugin_start(&rehearsal->transport, 30 * BR_SECOND, core_done, &told);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_OK);
}

void rehearsal_close(struct rehearsal *rehearsal)
{
    struct core_told told = { 0 };
    plugin_stop(&rehearsal->transport, 30 * BR_SECOND, core_done, &told);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_OK);
    plugin_close(&rehearsal->transport);
    arena_done(&rehearsal->options);
}

const char *rehearsal_name(const struct sim *sim, uint32_t i)
{
    static char names[8][ADDRESS_TEXT_MAX];
    static unsigned next;
    return address_format(address_make(sim->address + i, sim->port), names[next++ % 8]);
}

/* -- One question ----------------------------------------------------------------------------- */

void rehearsal_ask(struct rehearsal *rehearsal, const char *name, int32_t index, int kind,
                   struct core_told *told)
{
    *told = (struct core_told){ 0 };
    if (kind == SIM_TABLES)
        transport_tables(&rehearsal->transport, name, index, 60 * BR_SECOND, core_done, told);
    else
        transport_replicas(&rehearsal->transport, name, index, 60 * BR_SECOND, core_done, told);
    core_wait(told, 1);
}

void rehearsal_told_done(struct core_told *told)
{
    if (told->chunks)
        arena_done(&told->kept);
}

static void rehearsal_put(struct buf *text, const struct br_chunk *chunk, uint32_t i)
{
    if (chunk->kind == BR_ROW_TABLE) {
        const struct br_table *row = (const struct br_table *) chunk->rows + i;
        buf_printf(text, "%s%d:%s:%d:%d", text->size ? " " : "", row->id, row->name,
                   row->partition_count, row->status);
    } else {
        const struct br_replica *row = (const struct br_replica *) chunk->rows + i;
        buf_printf(text, "%s%d.%d:%lld:%lld/%lld/%lld:%s:%d", text->size ? " " : "", row->table,
                   row->partition, (long long) row->ballot, (long long) row->committed,
                   (long long) row->prepared, (long long) row->durable, row->disk, row->role);
    }
}

char *rehearsal_text(const struct core_told *told)
{
    struct buf text = { 0 };
    ck_assert_msg(told->status == BR_OK, "%s", told->message);
    for (const struct br_chunk *chunk = told->chunks; chunk; chunk = chunk->next)
        for (uint32_t i = 0; i < chunk->count; i++)
            rehearsal_put(&text, chunk, i);
    char *copy = mem_text(buf_string(&text));
    buf_done(&text);
    return copy;
}

/* -- A recovery ------------------------------------------------------------------------------- */

static void judged_surveyed(void *arg, struct survey *survey)
{
    struct judged *judged = arg;
    judged->survey = survey;
}

static void judged_survey(struct rehearsal *rehearsal, struct judged *judged)
{
    struct core_told told = { 0 };
    transport_nodes(&rehearsal->transport, 0, core_done, &told);
    core_wait(&told, 1);
    ck_assert_int_eq(told.chunks->count, rehearsal->sim->servers);
    struct survey_request request = { .names = told.chunks->rows,
                                      .count = told.chunks->count,
                                      .retry_pause = BR_MILLISECOND,
                                      .node_deadline = 10 * BR_MINUTE,
                                      .done = judged_surveyed,
                                      .arg = judged };
    survey_start(core_loop, &rehearsal->transport, &request);
    arena_done(&told.kept);
    while (!judged->survey)
        loop_turn(core_loop);
}

void rehearsal_judge(struct rehearsal *rehearsal, struct judged *judged)
{
    static const char *const consents[] = { "skip_bad_nodes", "skip_lost_partitions",
                                            "skip_stray_replicas", "pass_over_replicas", NULL };
    *judged = (struct judged){ 0 };
    judged_survey(rehearsal, judged);
    ck_assert_msg(plugin_open(&judged->policy, core_loop, &bridle_policy_pegasus, "policy", NULL,
                              &judged->fail)
                      == BR_OK,
                  "%s", judged->fail.text);
    findings_init(&judged->findings, consents);
    survey_find(judged->survey, &judged->findings);
    judged->status =
        judge(judged->survey, &judged->policy, &judged->findings, &judged->cluster, &judged->fail);
    findings_put(&judged->findings, &judged->text);
}

void judged_done(struct judged *judged)
{
    if (judged->status == BR_OK)
        cluster_done(&judged->cluster);
    findings_done(&judged->findings);
    plugin_close(&judged->policy);
    survey_free(judged->survey);
    buf_done(&judged->text);
}

uint32_t judged_count(const struct judged *judged, const char *part)
{
    uint32_t count = 0;
    for (const char *at = buf_string(&judged->text); *at; count++) {
        const char *found = strstr(at, part);
        if (!found)
            break;
        at = strchr(found, '\n') + 1;
    }
    return count;
}
