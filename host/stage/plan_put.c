/* plan_put -- a plan as a file.  plan_get.c reads it. */
#include <string.h>

#include "host/stage/plan_file.h"

static const char *const plan_severities[] = { "note", "warning", "loss", "refusal" };

static void put_text(struct buf *buf, const char *key, const char *text)
{
    buf_text(buf, key);
    buf_json(buf, text);
}

static void put_number(struct buf *buf, const char *key, int64_t value)
{
    buf_text(buf, key);
    buf_i64(buf, value);
}

static void put_texts(struct buf *buf, const char *key, const char *const *texts)
{
    buf_text(buf, key);
    buf_char(buf, '[');
    for (uint32_t i = 0; texts && texts[i]; i++)
        put_text(buf, i ? "," : "", texts[i]);
    buf_char(buf, ']');
}

static void put_findings(const struct stage_plan *plan, struct buf *buf)
{
    buf_text(buf, ",\n\"findings\":[");
    for (uint32_t i = 0; i < plan->finding_count; i++) {
        const struct stage_finding *finding = &plan->findings[i];
        put_text(buf,
                 i ? ",\n{\"severity\":" : "\n{\"severity\":", plan_severities[finding->severity]);
        put_number(buf, ",\"node\":", finding->node);
        put_number(buf, ",\"table\":", finding->table);
        put_number(buf, ",\"partition\":", finding->partition);
        put_text(buf, ",\"consent\":", finding->consent);
        buf_text(buf, finding->consented ? ",\"consented\":true" : ",\"consented\":false");
        put_text(buf, ",\"text\":", finding->text);
        buf_char(buf, '}');
    }
    buf_text(buf, "]");
}

static void put_partition(struct buf *buf, const struct partition *partition)
{
    put_number(buf, "[", partition->ballot);
    put_number(buf, ",", partition->primary);
    buf_text(buf, ",[");
    for (uint16_t i = 0; i < partition->drop_count; i++)
        put_number(buf, i ? "," : "", partition->members[i]);
    buf_text(buf, "]]");
}

static void put_table(const struct stage_plan *plan, uint32_t index, struct buf *buf)
{
    const struct table *table = &plan->cluster.tables[index];
    const struct br_table *def = &table->def;
    put_number(buf, "{\"id\":", def->id);
    put_number(buf, ",\"status\":", def->status);
    put_text(buf, ",\"name\":", def->name);
    put_text(buf, ",\"type\":", def->type);
    put_number(buf, ",\"partition_count\":", def->partition_count);
    put_number(buf, ",\"replica_count\":", def->replica_count);
    put_number(buf, ",\"init_partition_count\":", def->init_partition_count);
    put_number(buf, ",\"flags\":", def->flags);
    put_number(buf, ",\"expire_second\":", def->expire_second);
    put_number(buf, ",\"create_second\":", def->create_second);
    put_number(buf, ",\"drop_second\":", def->drop_second);
    buf_text(buf, ",\"envs\":[");
    for (uint32_t i = 0; i < 2 * def->env_count; i++)
        put_text(buf, i ? "," : "", def->envs[i]);
    put_texts(buf, "],\"sources\":", plan->sources[index]);
    buf_text(buf, ",\"partitions\":[");
    for (int32_t i = 0; i < def->partition_count; i++) {
        buf_text(buf, i ? ",\n" : "\n");
        put_partition(buf, &table->partitions[i]);
    }
    buf_text(buf, "]}");
}

static void put_head(const struct stage_plan *plan, struct buf *buf)
{
    buf_printf(buf, "{\"format\":\"bridle plan\",\"version\":%d", STAGE_VERSION);
    put_text(buf, ",\n\"hash\":", plan->plan.hash);
    buf_text(buf, plan->passes ? ",\"passes\":true" : ",\"passes\":false");
    put_text(buf, ",\"cluster\":", plan->cluster_name);
    put_text(buf, ",\"root\":", plan->root);
    put_text(buf, ",\"layout\":", plan->plan.version == LAYOUT_26 ? "2.6" : "2.5");
    put_text(buf, ",\n\"policy\":", plan->policy);
    put_text(buf, ",\"policy_version\":", plan->policy_version);
    put_texts(buf, ",\"policy_options\":", plan->policy_options);
    put_texts(buf, ",\n\"consents\":", plan->consents);
    put_texts(buf, ",\"assumed_dead\":", plan->dead);
    put_texts(buf, ",\"assumed_back\":", plan->back);
}

void stage_plan_put(const struct stage_plan *plan, struct buf *buf)
{
    put_head(plan, buf);
    put_findings(plan, buf);
    buf_text(buf, ",\n\"lost\":[");
    buf_text(buf, buf_string(&plan->lost));
    put_texts(buf, "],\n\"partition_sources\":", stage_partition_sources);
    buf_text(buf, ",\n\"tables\":[");
    for (uint32_t i = 0; i < plan->cluster.table_count; i++) {
        buf_text(buf, i ? ",\n" : "\n");
        put_table(plan, i, buf);
    }
    buf_text(buf, "],\n\"survey\":");
    survey_put(plan->survey, buf);
    buf_text(buf, "}\n");
}
