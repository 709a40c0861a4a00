/* hot_kit -- see hot.h. */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "t/hot.h"

void hot_kit_init(struct hot_kit *kit, uint32_t nodes, const char *const *consents)
{
    *kit = (struct hot_kit){ .request = { .now = HOT_NOW, .grace = HOT_GRACE } };
    ck_assert_uint_le(nodes, HOT_SERVERS);
    kit_init(&kit->kit, HOT_QUIET, consents);
    kit_nodes(&kit->kit, nodes);
    for (uint32_t i = 0; i < nodes; i++)
        kit->servers[i] = (struct hot_server){ .beacon = kit->kit.survey.nodes[i].name,
                                               .acked_since = HOT_ACKED,
                                               .last_ack = HOT_NOW - BR_SECOND,
                                               .answered_at = HOT_ANSWER,
                                               .asked_again_at = HOT_AGAIN };
}

void hot_kit_done(struct hot_kit *kit)
{
    for (uint32_t i = 0; kit->again && i < kit->second.node_count; i++)
        free(kit->again[i].replicas);
    free(kit->again);
    free(kit->second.nodes);
    buf_done(&kit->kept);
    hot_done(&kit->hot);
    kit_done(&kit->kit);
}

void hot_kit_group(struct hot_kit *kit, int32_t table, int32_t partition, const int32_t *nodes)
{
    for (int i = 0; nodes[i] >= 0; i++)
        kit_replica(&kit->kit, nodes[i], table, partition, HOT_BALLOT, HOT_DECREE - (i > 0),
                    HOT_DECREE + 1)
            ->role = i ? BR_ROLE_SECONDARY : BR_ROLE_PRIMARY;
}

void hot_kit_again(struct hot_kit *kit)
{
    const struct survey *first = &kit->kit.survey;
    kit->second = (struct survey){ .node_count = first->node_count,
                                   .silent_count = first->silent_count,
                                   .replica_count = first->replica_count };
    kit->second.nodes = mem_array((size_t) first->node_count + 1, sizeof *kit->second.nodes);
    kit->again = mem_array((size_t) first->node_count + 1, sizeof *kit->again);
    memcpy(kit->second.nodes, first->nodes, first->node_count * sizeof *first->nodes);
    for (uint32_t i = 0; i < first->node_count; i++) {
        const struct kit_node *from = &kit->kit.nodes[i];
        struct kit_node *to = &kit->again[i];
        size_t size = from->replica_count * sizeof *from->replicas;
        *to = *from;
        to->replicas = mem_grow(NULL, size + 1);
        if (size)
            memcpy(to->replicas, from->replicas, size);
    }
}

struct br_replica *hot_kit_report(struct kit_node *round, int32_t node, int32_t table,
                                  int32_t partition)
{
    struct kit_node *at = &round[node];
    for (uint32_t i = 0; i < at->replica_count; i++)
        if (at->replicas[i].table == table && at->replicas[i].partition == partition)
            return &at->replicas[i];
    ck_abort_msg("node %d has no replica of %d.%d", node, table, partition);
}

void hot_kit_set(struct hot_kit *kit, int32_t node, int32_t table, int32_t partition, br_role role,
                 int64_t ballot)
{
    struct br_replica *replica = hot_kit_report(kit->kit.nodes, node, table, partition);
    replica->role = role;
    replica->ballot = ballot;
    replica = hot_kit_report(kit->again, node, table, partition);
    replica->role = role;
    replica->ballot = ballot;
}

void hot_kit_judge(struct hot_kit *kit)
{
    struct kit *first = &kit->kit;
    if (!kit->again)
        hot_kit_again(kit);
    kit_pack(&first->survey, first->nodes);
    kit_pack(&kit->second, kit->again);
    kit->request.second = &kit->second;
    kit->request.servers = kit->servers;
    kit->request.strangers = kit->strangers;
    first->status = judge_hot(&first->survey, &kit->request, &first->policy, &first->findings,
                              &first->cluster, &kit->hot, &first->fail);
    findings_put(&first->findings, &first->text);
    if (first->status == BR_OK)
        hot_put_kept(&kit->hot, &kit->kept);
}

static const char *hot_kit_static(struct buf *buf)
{
    static char text[1024];
    ck_assert_uint_lt(buf->size, sizeof text);
    memcpy(text, buf_string(buf), buf->size + 1);
    buf_done(buf);
    return text;
}

const char *hot_kit_members(const struct hot_kit *kit, int32_t table, int32_t partition)
{
    const struct partition *at = &cluster_table(&kit->kit.cluster, table)->partitions[partition];
    struct buf buf = { 0 };
    if (at->primary < 0)
        buf_char(&buf, '-');
    else
        buf_i64(&buf, at->primary + 1);
    for (int i = 0; i < at->secondary_count; i++)
        buf_printf(&buf, ",%d", at->members[i] + 1);
    return hot_kit_static(&buf);
}

const char *hot_kit_cold(const struct hot_kit *kit)
{
    struct buf buf = { 0 };
    for (uint32_t i = 0; i < kit->hot.node_count; i++)
        if (hot_cold(&kit->hot.nodes[i]))
            buf_printf(&buf, "%s%u%s", buf.size ? "," : "", i + 1,
                       kit->hot.nodes[i].busy ? "!" : "");
    return hot_kit_static(&buf);
}

void hot_two(struct hot_kit *kit, const char *const *consents)
{
    hot_kit_init(kit, 7, consents);
    kit_table_everywhere(&kit->kit, 1, "t", 2);
    hot_kit_group(kit, 1, 0, (const int32_t[]){ 0, 1, 2, -1 });
    hot_kit_group(kit, 1, 1, (const int32_t[]){ 5, 3, 4, -1 });
}

struct br_replica *hot_first(struct hot_kit *kit, int32_t node)
{
    return hot_kit_report(kit->kit.nodes, node, 1, 0);
}

struct br_replica *hot_second(struct hot_kit *kit, int32_t node)
{
    return hot_kit_report(kit->again, node, 1, 0);
}

void hot_guest(struct hot_kit *kit)
{
    kit->strangers[0] = (struct hot_stranger){ "10.0.0.9:34801", HOT_NOW };
    kit->request.stranger_count = 1;
}

void hot_no_second(struct hot_kit *kit)
{
    kit->second.nodes[6].complete = false;
    kit->second.silent_count++;
}

void hot_idle(struct hot_kit *kit)
{
    for (int32_t i = 0; i < 3; i++)
        hot_kit_set(kit, i, 1, 0, BR_ROLE_INACTIVE, HOT_BALLOT);
}

void hot_primaries(struct hot_kit *kit)
{
    hot_kit_set(kit, 1, 1, 0, BR_ROLE_PRIMARY, HOT_BALLOT);
}

void hot_headless(struct hot_kit *kit)
{
    hot_kit_set(kit, 0, 1, 0, BR_ROLE_INACTIVE, HOT_BALLOT);
}
