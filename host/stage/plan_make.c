/* plan_make -- a survey to a plan: judged by the configured policy, its findings kept. */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/judge.h"
#include "host/stage/plan_file.h"

static const char *const *plan_names(struct arena *arena, const char *const *names)
{
    size_t count = 0;
    while (names && names[count])
        count++;
    const char **copy = arena_zero(arena, (count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = arena_text(arena, names[i], strlen(names[i]));
    return copy;
}

/* The scalars of the policy's section, so that it can be opened again as it is now. */
static br_status plan_options(struct stage_plan *plan, struct tool *tool, struct fail *ret_fail)
{
    const struct yaml *section = yaml_get(tool->config.root, "policy");
    const char **options = arena_zero(&plan->arena, (2 * STAGE_OPTIONS_MAX + 1) * sizeof *options);
    size_t count = 0;
    plan->policy_options = options;
    for (const struct yaml *at = section ? section->first : NULL; at; at = at->next) {
        bool ours = false;
        for (const char *const *key = config_plugin_keys; *key; key++)
            ours = ours || strcmp(*key, at->key) == 0;
        if (ours)
            continue;
        if (!at->text || count == 2 * STAGE_OPTIONS_MAX)
            return yaml_fail(at, ret_fail, BR_UNSUPPORTED,
                             "a plan can keep only single values of the policy's options, and at "
                             "most %d",
                             STAGE_OPTIONS_MAX);
        options[count++] = arena_text(&plan->arena, at->key, strlen(at->key));
        options[count++] = arena_text(&plan->arena, at->text, strlen(at->text));
    }
    return BR_OK;
}

static void plan_keep_findings(struct stage_plan *plan, const struct findings *findings)
{
    struct arena *arena = &plan->arena;
    plan->findings = arena_zero(arena, (findings->kept + 1) * sizeof *plan->findings);
    for (int group = 0; group < FINDING_GROUPS; group++) {
        for (const struct finding *at = findings->first[group]; at; at = at->next) {
            const char *consent = at->subject.consent ? at->subject.consent : "";
            struct stage_finding *kept = &plan->findings[plan->finding_count++];
            *kept = (struct stage_finding){ .severity = at->subject.severity,
                                            .node = at->subject.node,
                                            .table = at->subject.table,
                                            .partition = at->subject.partition,
                                            .consented = at->consented,
                                            .consent = arena_text(arena, consent, strlen(consent)),
                                            .text = arena_text(arena, at->text, strlen(at->text)) };
        }
    }
}

/* What 2.5 could not read back is no plan for it. */
static void plan_check_layout(struct stage_plan *plan, enum layout_version version,
                              struct findings *findings)
{
    struct fail fail = { .status = BR_OK };
    struct br_subject subject = { -1, -1, -1, BR_REFUSAL, NULL, NULL };
    if (layout_check(&plan->cluster, version, &fail) == BR_OK)
        return;
    findings->group = FINDING_NODE;
    findings_add(findings, &subject, "ERROR: %s", fail.text);
}

/* Members are written by name. */
static void plan_check_names(const struct stage_plan *plan, struct findings *findings)
{
    findings->group = FINDING_NODE;
    for (uint32_t i = 0; i < plan->survey->node_count; i++) {
        const struct br_subject subject = { (int32_t) i, -1, -1, BR_REFUSAL, NULL, NULL };
        if (plan->survey->nodes[i].name[0] == '/')
            findings_add(findings, &subject,
                         "ERROR: whose disk %s is, is not known, and so it cannot be a member of "
                         "anything: survey it again as \"host:port=%s\"",
                         plan->survey->nodes[i].name, plan->survey->nodes[i].name);
    }
}

static br_status plan_judge(struct stage_plan *plan, const struct stage_judging *judging,
                            struct fail *ret_fail)
{
    struct tool *tool = judging->tool;
    struct findings findings;
    findings_init(&findings, plan->consents);
    survey_find(plan->survey, &findings);
    plan_check_names(plan, &findings);
    br_status status = judge(plan->survey, &tool->policy, &findings, &plan->cluster, ret_fail);
    if (status == BR_OK)
        plan_check_layout(plan, tool_version(tool), &findings);
    plan->passes = status == BR_OK && findings_pass(&findings);
    plan_keep_findings(plan, &findings);
    findings_done(&findings);
    return status;
}

br_status stage_plan_make(struct stage_plan *plan, struct survey *survey,
                          const struct stage_judging *judging, struct fail *ret_fail)
{
    struct tool *tool = judging->tool;
    *plan = (struct stage_plan){ .survey = survey };
    arena_init(&plan->arena, 0);
    cluster_init(&plan->cluster);
    plan->cluster_name = tool->config.replication.cluster_name;
    plan->cluster_name = arena_text(&plan->arena, plan->cluster_name, strlen(plan->cluster_name));
    plan->root = arena_text(&plan->arena, tool->root.data, tool->root.size);
    plan->policy = tool->policy.desc->name;
    plan->policy_version = tool->policy.desc->version;
    plan->consents = plan_names(&plan->arena, judging->consents);
    plan->dead = plan_names(&plan->arena, judging->assume ? judging->assume->dead : NULL);
    plan->back = plan_names(&plan->arena, judging->assume ? judging->assume->back : NULL);
    br_status status = plan_options(plan, tool, ret_fail);
    if (status == BR_OK)
        status = plan_judge(plan, judging, ret_fail);
    if (status != BR_OK)
        return status;
    plan_make(&plan->plan, &plan->cluster, plan->root, tool_version(tool));
    stage_plan_sources(plan);
    stage_plan_lost(plan);
    return BR_OK;
}

void stage_plan_done(struct stage_plan *plan)
{
    survey_free(plan->survey);
    cluster_done(&plan->cluster);
    buf_done(&plan->lost);
    arena_done(&plan->arena);
}

br_status stage_judge_again(const struct stage_plan *plan, struct tool *tool,
                            const struct survey *survey, struct cluster *ret_cluster,
                            struct fail *ret_fail)
{
    struct findings findings;
    findings_init(&findings, plan->consents);
    br_status status = judge(survey, &tool->policy, &findings, ret_cluster, ret_fail);
    findings_done(&findings);
    return status;
}

br_status stage_open_policy(const struct stage_plan *plan, struct tool *tool, struct fail *ret_fail)
{
    struct arena arena;
    struct yaml *options = NULL;
    arena_init(&arena, 0);
    br_status status = yaml_parse(&arena, "the plan's policy", "{}", 2, &options, ret_fail);
    for (const char *const *at = plan->policy_options; status == BR_OK && *at; at += 2)
        status = yaml_set(&arena, options, at[0], at[1], ret_fail);
    if (status == BR_OK)
        status = tool_open_policy_named(tool, plan->policy, options, ret_fail);
    arena_done(&arena);
    return status;
}

enum stage_partition stage_partition_of(const struct table *table,
                                        const struct partition *partition)
{
    if (partition->primary < 0)
        return STAGE_LOST;
    return partition->drop_count + 1 < table->def.replica_count ? STAGE_SHORT : STAGE_WHOLE;
}

/* -- Where it belongs ------------------------------------------------------------------------- */

br_status stage_plan_place(const struct stage_plan *plan, const struct tool *tool,
                           struct fail *ret_fail)
{
    const char *name = tool->config.replication.cluster_name;
    if (strcmp(plan->root, tool->root.data) != 0)
        return fail_set(ret_fail, BR_INVALID,
                        "the plan is for the root %s, the configuration says %s", plan->root,
                        tool->root.data);
    if (strcmp(plan->cluster_name, name) != 0)
        return fail_set(ret_fail, BR_INVALID,
                        "the plan is for the cluster %s, the configuration is of %s",
                        plan->cluster_name, name);
    return BR_OK;
}

struct survey *stage_survey_again(const struct stage_plan *plan, struct tool *tool,
                                  struct fail *ret_fail)
{
    uint32_t count = plan->survey->node_count;
    if (tool_open_transport(tool, ret_fail) != BR_OK)
        return NULL;
    const char **names = mem_array(count + 1, sizeof *names);
    uint64_t *addresses = mem_array(count + 1, sizeof *addresses);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = plan->survey->nodes[i].name;
        addresses[i] = plan->survey->nodes[i].address;
    }
    struct survey *now = tool_survey(tool, names, addresses, count);
    free(names);
    free(addresses);
    return now;
}
