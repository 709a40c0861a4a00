/* judge -- see judge.h.  Tables one by one, their names all at once, then partitions one by one;
 * the policy decides, and every verdict is checked before it enters the cluster (judge_check.c).
 */
#include "host/recovery/judge.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/rdsn/address.h"
#include "host/recovery/judge_check.h"

/* -- Nodes ------------------------------------------------------------------------------------ */

static br_status judge_refuse(struct judge *judge, int group, const struct br_subject *subject,
                              const char *sentence)
{
    judge->findings->group = group;
    findings_add(judge->findings, subject, "%s", sentence);
    return fail_set(judge->fail, BR_INVALID, "%s", sentence);
}

/* Two names of one server: each of its replicas would count twice, and stand behind itself. */
static br_status judge_addresses(struct judge *judge)
{
    const struct survey *survey = judge->survey;
    for (uint32_t i = 1; i < survey->node_count; i++) {
        const struct survey_node *node = &survey->nodes[i];
        uint32_t at = 0;
        while (node->address && at < i && survey->nodes[at].address != node->address)
            at++;
        if (!node->address || at == i)
            continue;
        struct br_subject subject = { (int32_t) i, -1, -1, BR_REFUSAL, NULL, NULL };
        struct fail text;
        char address[ADDRESS_TEXT_MAX];
        address_format(node->address, address);
        fail_set(&text, BR_INVALID,
                 "ERROR: node(%s) and node(%s) have the same address(%s), so that one server would "
                 "count twice; leave one of the two out of the node list",
                 survey->nodes[at].name, node->name, address);
        return judge_refuse(judge, FINDING_NODE, &subject, text.text);
    }
    return BR_OK;
}

/* The cluster's nodes have the survey's indexes. */
static br_status judge_nodes(struct judge *judge)
{
    const struct survey *survey = judge->survey;
    struct br_subject subject = { -1, -1, -1, BR_REFUSAL, NULL, NULL };
    struct fail text;
    uint32_t complete = 0;
    if (survey->node_count > BR_NODES_MAX) {
        fail_set(&text, BR_INVALID, "ERROR: the node list has %u nodes, over the limit of %d",
                 survey->node_count, BR_NODES_MAX);
        return judge_refuse(judge, FINDING_NODE, &subject, text.text);
    }
    for (uint32_t i = 0; i < survey->node_count; i++) {
        const struct survey_node *node = &survey->nodes[i];
        complete += node->complete;
        if (cluster_node_add(&judge->cluster, node->name, node->address) == (int32_t) i)
            continue;
        subject.node = (int32_t) i;
        fail_set(&text, BR_INVALID, "ERROR: node(%s) stands in the node list more than once",
                 node->name);
        return judge_refuse(judge, FINDING_NODE, &subject, text.text);
    }
    if (!complete)
        return judge_refuse(judge, FINDING_NODE, &subject,
                            "ERROR: no node answered, so that nothing is known of the cluster");
    return judge_addresses(judge);
}

/* -- Tables ----------------------------------------------------------------------------------- */

static br_status judge_policy_failed(struct judge *judge, br_status status, const char *what)
{
    const struct fail *fail = &judge->policy->owner.fail;
    if (fail->status == BR_OK)
        return fail_set(judge->fail, status, "%s failed on %s and did not say why",
                        judge->policy->who, what);
    return fail_set(judge->fail, status, "%s (on %s)", fail->text, what);
}

/* Environments that cannot be read back from a record are a loss. */
static bool judge_env_good(struct judge *judge, const struct br_table *from, uint32_t index)
{
    if (evidence_utf8(from->envs[2 * index]) && evidence_utf8(from->envs[2 * index + 1]))
        return true;
    struct fail consented;
    fail_set(&consented, BR_OK, "WARNING: app(%d)'s environment %u is not UTF-8, it is left out",
             from->id, index + 1);
    struct br_subject subject = { -1, from->id, -1, BR_LOSS, "drop_bad_envs", consented.text };
    findings_add(judge->findings, &subject,
                 "ERROR: app(%d)'s environment %u is not UTF-8, so that it could not be read "
                 "back, you can leave it out by the consent drop_bad_envs (recovery.consents)",
                 from->id, index + 1);
    return false;
}

/* By key, and pairs of one key in the order reported. */
static int judge_env_order(const void *left, const void *right)
{
    const char *const *a = *(const char *const *const *) left;
    const char *const *b = *(const char *const *const *) right;
    int order = strcmp(a[0], b[0]);
    return order ? order : (a > b) - (a < b);
}

/* A record has each key once: of one that was reported twice the last counts, as it does where
 * Apache Pegasus reads such a map. */
static uint32_t judge_copy_envs(struct judge *judge, const struct br_table *from,
                                const char **ret_envs)
{
    struct arena *arena = &judge->cluster.arena;
    const char *const **pairs = mem_array((size_t) from->env_count + 1, sizeof *pairs);
    uint32_t good = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < from->env_count; i++)
        if (judge_env_good(judge, from, i))
            pairs[good++] = &from->envs[2 * i];
    qsort(pairs, good, sizeof *pairs, judge_env_order);
    for (uint32_t i = 0; i < good; i++) {
        if (i + 1 < good && strcmp(pairs[i][0], pairs[i + 1][0]) == 0)
            continue;
        ret_envs[2 * count] = arena_text(arena, pairs[i][0], strlen(pairs[i][0]));
        ret_envs[2 * count++ + 1] = arena_text(arena, pairs[i][1], strlen(pairs[i][1]));
    }
    free(pairs);
    if (count == good)
        return count;
    struct br_subject subject = { -1, from->id, -1, BR_WARNING, NULL, NULL };
    findings_add(judge->findings, &subject,
                 "WARNING: app(%d) is reported with %u environments whose key stands there again, "
                 "the last of each counts",
                 from->id, good - count);
    return count;
}

static void judge_copy_table(struct judge *judge, const struct br_table *from,
                             struct br_table *ret_def)
{
    struct arena *arena = &judge->cluster.arena;
    const char **envs = arena_alloc(arena, 2 * from->env_count * sizeof *envs);
    *ret_def = *from;
    ret_def->node = -1;
    ret_def->name = arena_text(arena, from->name, strlen(from->name));
    ret_def->type = arena_text(arena, from->type, strlen(from->type));
    ret_def->env_count = judge_copy_envs(judge, from, envs);
    ret_def->envs = envs;
}

static br_status judge_table(struct judge *judge, int32_t id, struct br_table_verdict *verdict)
{
    struct evidence *evidence = &judge->evidence;
    struct plugin *policy = judge->policy;
    struct br_table_evidence shown = {
        .id = id,
        .placeholder = evidence->claim_count[id] == 0,
        .claim_count = evidence->claim_count[id],
        .claims = evidence->claims + evidence->claim_start[id],
        .now_second = judge->survey->second,
        .nodes = evidence->nodes,
    };
    struct fail text;
    *verdict = (struct br_table_verdict){ .findings = &judge->findings->sink };
    br_status status = policy->ops.policy.table(call_env(&policy->owner), &shown, verdict);
    if (status != BR_OK) {
        fail_set(&text, status, "table %d", id);
        return judge_policy_failed(judge, status, text.text);
    }
    const char *wrong = judge_table_wrong(&shown, verdict);
    if (!wrong)
        return BR_OK;
    struct br_subject subject = { -1, id, -1, BR_REFUSAL, NULL, NULL };
    fail_set(&text, BR_INVALID, "ERROR: %s gave app(%d) %s", policy->who, id, wrong);
    return judge_refuse(judge, FINDING_NAME, &subject, text.text);
}

static br_status judge_tables(struct judge *judge)
{
    struct cluster *cluster = &judge->cluster;
    uint32_t count = (uint32_t) judge->evidence.max_id;
    uint64_t total = 0;
    struct br_table_verdict verdict;
    cluster->tables = arena_zero(&cluster->arena, (count + 1) * sizeof *cluster->tables);
    for (uint32_t i = 0; i < count; i++) {
        judge->findings->group = FINDING_NAME;
        br_status status = judge_table(judge, (int32_t) i + 1, &verdict);
        if (status != BR_OK)
            return status;
        judge_copy_table(judge, &verdict.table, &cluster->tables[i].def);
        evidence_define(&judge->evidence, &cluster->tables[i].def);
        total += (uint64_t) verdict.table.partition_count;
    }
    cluster->table_count = count;
    if (total <= CLUSTER_PARTITIONS_MAX)
        return BR_OK;
    struct br_subject subject = { -1, -1, -1, BR_REFUSAL, NULL, NULL };
    struct fail text;
    fail_set(&text, BR_TOOBIG,
             "ERROR: the tables have %llu partitions together, over the limit of %d",
             (unsigned long long) total, CLUSTER_PARTITIONS_MAX);
    return judge_refuse(judge, FINDING_NAME, &subject, text.text);
}

/* -- Names ------------------------------------------------------------------------------------ */

struct judge_names {
    struct br_names_verdict verdict; /* first */
    struct judge *judge;
    const char **given; /* by index; NULL: the name stays */
    const struct br_table **tables;
    const char *wrong; /* the first name that cannot be */
};

static void judge_give(struct br_names_verdict *verdict, uint32_t index, const char *name)
{
    struct judge_names *names = (struct judge_names *) verdict;
    struct cluster *cluster = &names->judge->cluster;
    if (index >= cluster->table_count)
        names->wrong = "a name to a table that is not there";
    else if (!evidence_text(name, BR_NAME_MAX))
        names->wrong = "a name that is empty, too long, not UTF-8 or with control characters";
    else
        names->given[index] = arena_text(&cluster->arena, name, strlen(name));
}

static bool judge_rename(struct judge_names *names)
{
    struct cluster *cluster = &names->judge->cluster;
    bool changed = false;
    for (uint32_t i = 0; i < cluster->table_count; i++) {
        struct br_table *def = &cluster->tables[i].def;
        if (names->given[i] && strcmp(names->given[i], def->name) != 0) {
            def->name = names->given[i];
            changed = true;
        }
        names->given[i] = NULL;
    }
    return changed;
}

static br_status judge_bad_names(struct judge *judge, const char *wrong)
{
    struct br_subject subject = { -1, -1, -1, BR_REFUSAL, NULL, NULL };
    struct fail text;
    fail_set(&text, BR_INVALID, "ERROR: %s gave %s", judge->policy->who, wrong);
    return judge_refuse(judge, FINDING_NAME, &subject, text.text);
}

static br_status judge_name_rounds(struct judge *judge, struct judge_names *names)
{
    struct plugin *policy = judge->policy;
    const struct br_names_evidence shown = { .count = judge->cluster.table_count,
                                             .tables = names->tables };
    const struct findings *findings = judge->findings;
    for (int round = 0; round < BR_NAME_ROUNDS_MAX; round++) {
        uint32_t before = findings->refusals;
        judge->findings->group = FINDING_NAME;
        br_status status =
            policy->ops.policy.names(call_env(&policy->owner), &shown, &names->verdict);
        if (status != BR_OK)
            return judge_policy_failed(judge, status, "the names");
        if (names->wrong)
            return judge_bad_names(judge, names->wrong);
        /* What was refused would be refused in the next round again, in the same words. */
        if (!judge_rename(names) || findings->refusals != before)
            return BR_OK;
    }
    return judge_bad_names(judge, "other names in every round");
}

static br_status judge_names(struct judge *judge)
{
    uint32_t count = judge->cluster.table_count;
    struct judge_names names = {
        .verdict = { .give = judge_give, .host = judge, .findings = &judge->findings->sink },
        .judge = judge,
        .given = mem_array((size_t) count + 1, sizeof(char *)),
        .tables = mem_array((size_t) count + 1, sizeof(struct br_table *)),
    };
    for (uint32_t i = 0; i < count; i++)
        names.tables[i] = &judge->cluster.tables[i].def;
    br_status status = judge_name_rounds(judge, &names);
    if (status == BR_OK) {
        judge->findings->group = FINDING_NAME;
        judge_unique_names(judge, names.tables, count);
    }
    free(names.given);
    free(names.tables);
    return status;
}

/* -- Partitions ------------------------------------------------------------------------------- */

static void judge_enter(struct judge *judge, const struct br_partition_evidence *shown,
                        const struct br_partition_verdict *verdict, struct partition *partition)
{
    if (verdict->primary < 0)
        return;
    partition->ballot = verdict->ballot;
    partition->primary = shown->replicas[verdict->primary]->node;
    if (!verdict->drop_count)
        return;
    int32_t *members = arena_alloc(&judge->cluster.arena, verdict->drop_count * sizeof *members);
    for (uint32_t i = 0; i < verdict->drop_count; i++)
        members[i] = shown->replicas[verdict->drops[i]]->node;
    partition->members = members;
    partition->drop_count = (uint16_t) verdict->drop_count;
}

static br_status judge_partition(struct judge *judge, const struct table *table, int32_t index,
                                 struct partition *partition)
{
    struct plugin *policy = judge->policy;
    struct findings *findings = judge->findings;
    struct br_partition_evidence shown = { .table = &table->def,
                                           .partition = index,
                                           .silent_count = judge->survey->silent_count,
                                           .nodes = judge->evidence.nodes };
    if (!evidence_partition(&judge->evidence, table->def.id, index, &shown.replicas,
                            &shown.replica_count))
        return BR_OK;
    struct br_partition_verdict verdict;
    verdict.primary = -1;
    verdict.drop_count = 0;
    verdict.ballot = 0;
    verdict.findings = &findings->sink;
    uint32_t before = findings->found_losses + findings->refusals;
    br_status status = policy->ops.policy.partition(call_env(&policy->owner), &shown, &verdict);
    if (status != BR_OK) {
        struct fail text;
        fail_set(&text, status, "partition %d.%d", table->def.id, index);
        return judge_policy_failed(judge, status, text.text);
    }
    bool found = findings->found_losses + findings->refusals != before;
    const char *wrong = judge_partition_wrong(&shown, &verdict, found);
    if (!wrong) {
        judge_enter(judge, &shown, &verdict, partition);
        return BR_OK;
    }
    struct br_subject subject = { -1, table->def.id, index, BR_REFUSAL, NULL, NULL };
    findings_add(findings, &subject, "ERROR: %s gave partition(%d.%d) %s", policy->who,
                 table->def.id, index, wrong);
    return BR_OK;
}

static void judge_no_partitions(struct judge *judge)
{
    struct cluster *cluster = &judge->cluster;
    for (uint32_t i = 0; i < cluster->table_count; i++) {
        struct table *table = &cluster->tables[i];
        size_t count = (size_t) table->def.partition_count;
        table->partitions = arena_zero(&cluster->arena, count * sizeof *table->partitions);
        for (size_t j = 0; j < count; j++)
            table->partitions[j].primary = -1;
    }
}

static bool judge_settled(const struct judge *judge, int64_t number)
{
    return judge->request && judge->hot.fates[number] != HOT_JUDGED;
}

static br_status judge_partitions(struct judge *judge)
{
    struct cluster *cluster = &judge->cluster;
    for (uint32_t i = 0; i < cluster->table_count; i++) {
        struct table *table = &cluster->tables[i];
        int64_t first = judge->evidence.first[table->def.id];
        for (int32_t j = 0; first >= 0 && j < table->def.partition_count; j++) {
            if (judge_settled(judge, first + j))
                continue;
            br_status status = judge_partition(judge, table, j, &table->partitions[j]);
            if (status != BR_OK)
                return status;
        }
    }
    return BR_OK;
}

/* -- All of it -------------------------------------------------------------------------------- */

static br_status judge_all(struct judge *judge)
{
    const struct br_policy *ops = &judge->policy->ops.policy;
    if (!ops->table || !ops->names || !ops->partition)
        return fail_set(judge->fail, BR_UNSUPPORTED, "%s lacks one of its three functions",
                        judge->policy->who);
    br_status status = judge_nodes(judge);
    if (status != BR_OK)
        return status;
    judge->policy->owner.fail.status = BR_OK;
    evidence_init(&judge->evidence, judge->survey, judge->findings);
    status = judge_tables(judge);
    if (status == BR_OK)
        status = judge_names(judge);
    if (status == BR_OK) {
        evidence_index(&judge->evidence);
        judge_no_partitions(judge);
        if (judge->request)
            status = hot_judge(judge->request, &judge->evidence, judge->findings, &judge->cluster,
                               &judge->hot, judge->fail);
    }
    if (status == BR_OK) {
        status = judge_partitions(judge);
    }
    evidence_done(&judge->evidence);
    return status;
}

static br_status judge_run(struct judge *judge, struct cluster *ret_cluster)
{
    int group = judge->findings->group;
    cluster_init(&judge->cluster);
    br_status status = judge_all(judge);
    judge->findings->group = group;
    if (status == BR_OK)
        *ret_cluster = judge->cluster;
    else
        cluster_done(&judge->cluster);
    return status;
}

br_status judge(const struct survey *survey, struct plugin *policy, struct findings *findings,
                struct cluster *ret_cluster, struct fail *ret_fail)
{
    struct judge judge = {
        .survey = survey, .policy = policy, .findings = findings, .fail = ret_fail
    };
    return judge_run(&judge, ret_cluster);
}

br_status judge_hot(const struct survey *survey, const struct hot_request *hot,
                    struct plugin *policy, struct findings *findings, struct cluster *ret_cluster,
                    struct hot *ret_hot, struct fail *ret_fail)
{
    struct judge judge = {
        .survey = survey, .policy = policy, .findings = findings, .fail = ret_fail, .request = hot
    };
    br_status status = judge_run(&judge, ret_cluster);
    if (status == BR_OK)
        *ret_hot = judge.hot;
    else
        hot_done(&judge.hot);
    return status;
}
