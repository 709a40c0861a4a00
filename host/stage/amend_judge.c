/* amend_judge -- what an amendment is made from: the store as it is, and the plan's evidence judged
 * once more with the new answers in it.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/load.h"
#include "host/stage/amend_run.h"

/* What stops a recovery stops this: as a whole, or what it is about. */
static br_status amend_stops(struct amending *amending)
{
    for (uint32_t i = 0; i < amending->would.finding_count; i++) {
        const struct stage_finding *finding = &amending->would.findings[i];
        if (finding->severity != BR_REFUSAL && (finding->severity != BR_LOSS || finding->consented))
            continue;
        if (finding->table < 0)
            return fail_set(amending->fail, BR_INVALID, "%s", finding->text);
        set64_add(&amending->stopped,
                  amend_key(finding->table, finding->partition < 0 ? -1 : finding->partition));
        amend_find(amending, "left out: %s", finding->text);
    }
    return BR_OK;
}

struct amend_loading {
    bool done;
    struct cluster *cluster;
    struct fail *fail;
};

static void amend_loaded(void *arg, struct cluster *cluster, const struct fail *fail)
{
    struct amend_loading *loading = arg;
    loading->done = true;
    loading->cluster = cluster;
    if (!cluster)
        *loading->fail = *fail;
}

/* What this plan wrote, whole, stands there? */
br_status amend_load(struct amending *amending)
{
    struct amend_loading loading = { .fail = amending->fail };
    const char *hash = amending->plan->plan.hash;
    struct root_facts facts;
    if (tool_look(amending->tool, amending->root, &facts, amending->fail) != BR_OK)
        return amending->fail->status;
    if (facts.state == ROOT_OURS || facts.state == ROOT_FOREIGN)
        return fail_set(amending->fail, BR_CONFLICT, "%s", facts.text);
    if (facts.journal.state != JOURNAL_DONE || strcmp(facts.journal.hash, hash) != 0)
        return fail_set(amending->fail, BR_CONFLICT,
                        "what stands at %s was not written by this plan (%.16s): its journal "
                        "says %.16s; amend the plan that was applied",
                        amending->tool->root.data, hash,
                        *facts.journal.hash ? facts.journal.hash : "nothing of ours");
    load_start(amending->tool->loop, &amending->tool->store, amending->root, amend_loaded,
               &loading);
    tool_until(amending->tool, &loading.done);
    amending->now = loading.cluster;
    return amending->now ? BR_OK : amending->fail->status;
}

/* The servers' names, and the plan's survey with their answers in it; `now` is taken over. */
static struct survey *amend_merge(struct amending *amending, struct survey *now)
{
    static const char *const files[] = { "the plan", "now" };
    struct stage_amendment *amendment = amending->amendment;
    struct buf text = { 0 }, notes = { 0 };
    const char **names = arena_zero(&amendment->arena, (now->node_count + 1) * sizeof *names);
    for (uint32_t i = 0; i < now->node_count; i++)
        names[i] = amend_keep(amending, now->nodes[i].name);
    amendment->servers = names;
    amendment->server_count = now->node_count;
    amendment->second = now->second;
    survey_put(amending->plan->survey, &text);
    struct survey *both[] = { survey_parse(files[0], text.data, text.size, amending->fail), now };
    buf_done(&text);
    if (!both[0]) {
        survey_free(now);
        return NULL;
    }
    struct survey *merged = survey_merge(both, files, 2, NULL, &notes, amending->fail);
    buf_done(&notes);
    return merged;
}

/* Whose answers are new, by their place in the merged survey. */
static br_status amend_returned(struct amending *amending, const struct survey *merged,
                                const br_time *asked)
{
    const struct stage_amendment *amendment = amending->amendment;
    amending->returned = mem_array(merged->node_count + 1, sizeof *amending->returned);
    amending->servers = mem_array(merged->node_count + 1, sizeof *amending->servers);
    for (uint32_t i = 0; i < merged->node_count; i++) {
        const struct survey_node *node = &merged->nodes[i];
        amending->servers[i] = -1;
        for (uint32_t j = 0; j < amendment->server_count; j++) {
            if (strcmp(amendment->servers[j], node->name) == 0)
                amending->servers[i] = (int32_t) j;
        }
        amending->returned[i] = amending->servers[i] >= 0;
        if (amending->returned[i] && node->asked_at != asked[amending->servers[i]])
            return fail_set(amending->fail, BR_INVALID,
                            "the plan's answer of node(%s) is newer than the present one: the "
                            "clock of this machine is behind, set it and ask again",
                            node->name);
    }
    return BR_OK;
}

br_status amend_judge(struct amending *amending, struct survey *now)
{
    const struct stage_judging judging = { amending->tool, amending->plan->consents, NULL };
    br_time *asked = mem_array(now->node_count + 1, sizeof *asked);
    for (uint32_t i = 0; i < now->node_count; i++)
        asked[i] = now->nodes[i].asked_at;
    struct survey *merged = amend_merge(amending, now);
    br_status status = merged ? amend_returned(amending, merged, asked) : amending->fail->status;
    free(asked);
    if (status != BR_OK) {
        survey_free(merged);
        return status;
    }
    status = stage_plan_make(&amending->would, merged, &judging, amending->fail);
    if (status == BR_OK)
        status = amend_stops(amending);
    if (status != BR_OK)
        return status;
    held_collect(&amending->planned, amending->plan->survey);
    held_collect(&amending->all, amending->would.survey);
    return BR_OK;
}
