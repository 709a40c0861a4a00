/* compare_servers -- do the servers still hold what the plan relies on?  And what came of it all.
 */
#include <inttypes.h>
#include "host/stage/compare.h"
#include "host/stage/held.h"

static bool held_enough(const struct br_replica *now, const struct br_replica *then)
{
    return now && now->ballot >= then->ballot && now->committed >= then->committed;
}

static void servers_partition(const struct stage_plan *plan, const struct held *then,
                              const struct held *now, const struct table *table, int32_t index,
                              struct compare *compare)
{
    int32_t id = table->def.id;
    int32_t primary = table->partitions[index].primary;
    const struct br_replica *was = held_of(then, id, index, primary);
    const struct br_replica *is = held_of(now, id, index, primary);
    const struct br_replica *row;
    bool elsewhere = false;
    if (!was)
        return; /* the plan's evidence has none: explain says so */
    compare->replicas++;
    if (held_enough(is, was)) {
        compare->held++;
        return;
    }
    for (size_t i = 0; (row = held_row(now, i, id, index)); i++)
        elsewhere = elsewhere || held_enough(row, was);
    if (elsewhere) {
        compare->held_elsewhere++;
        return;
    }
    compare->gone++;
    const char *name = plan->survey->nodes[primary].name;
    if (is)
        compare_tell(compare,
                     "partition %d.%d: node(%s) has ballot %" PRId64 " and committed %" PRId64
                     ", the plan relies on %" PRId64 " and %" PRId64,
                     id, index, name, is->ballot, is->committed, was->ballot, was->committed);
    else
        compare_tell(compare,
                     "partition %d.%d: node(%s) holds no replica of it any more, and "
                     "nobody else holds as much",
                     id, index, name);
}

void stage_compare_servers(const struct stage_plan *plan, const struct survey *now,
                           struct compare *compare)
{
    struct held before, after;
    compare->asked = true;
    held_collect(&before, plan->survey);
    held_collect(&after, now);
    for (uint32_t i = 0; i < now->node_count; i++) {
        if (now->nodes[i].complete)
            continue;
        compare->silent++;
        compare_tell(compare, "node(%s) does not answer: %s", now->nodes[i].name,
                     now->nodes[i].error);
    }
    for (uint32_t i = 0; i < plan->cluster.table_count; i++) {
        const struct table *table = &plan->cluster.tables[i];
        for (int32_t j = 0; j < table->def.partition_count; j++) {
            if (table->partitions[j].primary < 0)
                continue;
            held_seek(&before, table->def.id, j);
            held_seek(&after, table->def.id, j);
            servers_partition(plan, &before, &after, table, j, compare);
        }
    }
    held_done(&before);
    held_done(&after);
}

bool stage_compare_good(const struct compare *compare, bool exact)
{
    return !compare->differing && !compare->missing && !compare->surplus && !compare->gone
           && !(exact && compare->moved);
}

void stage_compare_put(const struct compare *compare, struct buf *buf)
{
    buf_text(buf, buf_string(&compare->text));
    if (compare->lines > COMPARE_SHOWN_MAX)
        buf_printf(buf, "and %llu more\n", (unsigned long long) compare->lines - COMPARE_SHOWN_MAX);
    buf_printf(buf,
               "store:    %llu records planned, %llu as planned, %llu moved on since, %llu differ, "
               "%llu missing, %llu not planned\n",
               (unsigned long long) compare->records, (unsigned long long) compare->same,
               (unsigned long long) compare->moved, (unsigned long long) compare->differing,
               (unsigned long long) compare->missing, (unsigned long long) compare->surplus);
    if (compare->nothing)
        buf_text(buf, "          nothing of the plan stands there: it was never applied, or it was "
                      "undone\n");
    if (compare->asked)
        buf_printf(buf,
                   "servers:  %llu primaries planned, %llu hold what they reported, %llu are held "
                   "by others, %llu gone; %u servers silent\n",
                   (unsigned long long) compare->replicas, (unsigned long long) compare->held,
                   (unsigned long long) compare->held_elsewhere, (unsigned long long) compare->gone,
                   compare->silent);
}

void stage_compare_put_json(const struct compare *compare, bool good, struct buf *buf)
{
    buf_printf(buf,
               "{\"good\":%s,\"records\":%llu,\"same\":%llu,\"moved\":%llu,\"differing\":%llu,"
               "\"missing\":%llu,\"surplus\":%llu",
               good ? "true" : "false", (unsigned long long) compare->records,
               (unsigned long long) compare->same, (unsigned long long) compare->moved,
               (unsigned long long) compare->differing, (unsigned long long) compare->missing,
               (unsigned long long) compare->surplus);
    if (compare->asked)
        buf_printf(buf,
                   ",\"primaries\":%llu,\"held\":%llu,\"held_elsewhere\":%llu,\"gone\":%llu,"
                   "\"silent\":%u",
                   (unsigned long long) compare->replicas, (unsigned long long) compare->held,
                   (unsigned long long) compare->held_elsewhere, (unsigned long long) compare->gone,
                   compare->silent);
    buf_text(buf, ",\"text\":");
    buf_json(buf, buf_string(&compare->text));
    buf_text(buf, "}\n");
}
