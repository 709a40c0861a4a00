/* judge_kit -- see judge_kit.h. */
#include "t/judge_kit.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/rdsn/address.h"

void kit_init_with(struct kit *kit, const struct br_plugin *desc, const char *yaml,
                   const char *const *consents)
{
    *kit = (struct kit){ .survey.second = 1700000000 };
    arena_init(&kit->arena, 0);
    arena_init(&kit->survey.arena, 0);
    kit->loop = loop_new(NULL);
    ck_assert_ptr_nonnull(kit->loop);
    struct yaml *options = NULL;
    struct fail fail = { .status = BR_OK };
    yaml_parse(&kit->arena, "test.yaml", yaml, strlen(yaml), &options, &fail);
    ck_assert_msg(fail.status == BR_OK, "%s", fail.text);
    plugin_open(&kit->policy, kit->loop, desc, "policy", options, &fail);
    ck_assert_msg(fail.status == BR_OK, "%s", fail.text);
    findings_init(&kit->findings, consents);
    cluster_init(&kit->cluster);
}

void kit_init(struct kit *kit, const char *yaml, const char *const *consents)
{
    kit_init_with(kit, &bridle_policy_pegasus, yaml, consents);
}

void kit_done(struct kit *kit)
{
    cluster_done(&kit->cluster);
    findings_done(&kit->findings);
    buf_done(&kit->text);
    plugin_close(&kit->policy);
    loop_free(kit->loop);
    for (uint32_t i = 0; i < kit->survey.node_count; i++) {
        free(kit->nodes[i].tables);
        free(kit->nodes[i].replicas);
    }
    free(kit->nodes);
    free(kit->survey.nodes);
    arena_done(&kit->survey.arena);
    arena_done(&kit->arena);
}

void kit_node(struct kit *kit, const char *name, uint64_t address)
{
    uint32_t at = kit->survey.node_count++;
    kit->nodes = mem_grow(kit->nodes, (at + 1) * sizeof *kit->nodes);
    kit->survey.nodes = mem_grow(kit->survey.nodes, (at + 1) * sizeof *kit->survey.nodes);
    kit->nodes[at] = (struct kit_node){ 0 };
    kit->survey.nodes[at] = (struct survey_node){
        .name = arena_text(&kit->arena, name, strlen(name)), .address = address, .complete = true
    };
}

void kit_nodes(struct kit *kit, uint32_t count)
{
    for (uint32_t i = 1; i <= count; i++) {
        char name[ADDRESS_TEXT_MAX];
        uint64_t address = address_make(UINT32_C(10) << 24 | i, 34801);
        kit_node(kit, address_format(address, name), address);
    }
}

void kit_silent(struct kit *kit, int32_t node, const char *error)
{
    kit->survey.nodes[node].complete = false;
    kit->survey.nodes[node].error = error;
    kit->survey.nodes[node].why = "for the test";
    kit->survey.silent_count++;
}

static bool kit_full(uint32_t count)
{
    return (count & (count - 1)) == 0;
}

struct br_table *kit_table(struct kit *kit, int32_t node, int32_t id, const char *name,
                           int32_t partition_count)
{
    struct kit_node *to = &kit->nodes[node];
    if (kit_full(to->table_count))
        to->tables = mem_grow(to->tables, (2 * to->table_count + 1) * sizeof *to->tables);
    struct br_table *table = &to->tables[to->table_count++];
    *table = (struct br_table){ .node = node,
                                .id = id,
                                .status = BR_TABLE_AVAILABLE,
                                .partition_count = partition_count,
                                .replica_count = 3,
                                .init_partition_count = -1,
                                .flags = BR_TABLE_STATEFUL,
                                .create_second = 1600000000,
                                .name = name,
                                .type = "pegasus" };
    return table;
}

void kit_table_everywhere(struct kit *kit, int32_t id, const char *name, int32_t partition_count)
{
    for (uint32_t i = 0; i < kit->survey.node_count; i++)
        kit_table(kit, (int32_t) i, id, name, partition_count);
}

struct br_replica *kit_replica(struct kit *kit, int32_t node, int32_t id, int32_t partition,
                               int64_t ballot, int64_t committed, int64_t prepared)
{
    struct kit_node *to = &kit->nodes[node];
    if (kit_full(to->replica_count))
        to->replicas = mem_grow(to->replicas, (2 * to->replica_count + 1) * sizeof *to->replicas);
    struct br_replica *replica = &to->replicas[to->replica_count++];
    *replica = (struct br_replica){ .node = node,
                                    .table = id,
                                    .partition = partition,
                                    .role = BR_ROLE_INACTIVE,
                                    .ballot = ballot,
                                    .committed = committed,
                                    .prepared = prepared,
                                    .durable = committed,
                                    .type = "pegasus",
                                    .disk = "default" };
    kit->survey.replica_count++;
    return replica;
}

void kit_pack(struct survey *survey, struct kit_node *nodes)
{
    for (uint32_t i = 0; i < survey->node_count; i++) {
        struct kit_node *node = &nodes[i];
        node->chunks[0] = (struct br_chunk){ .kind = BR_ROW_TABLE,
                                             .row_size = sizeof(struct br_table),
                                             .count = node->table_count,
                                             .rows = node->tables };
        node->chunks[1] = (struct br_chunk){ .kind = BR_ROW_REPLICA,
                                             .row_size = sizeof(struct br_replica),
                                             .count = node->replica_count,
                                             .rows = node->replicas };
        survey->nodes[i].tables = &node->chunks[0];
        survey->nodes[i].replicas = &node->chunks[1];
    }
}

void kit_judge(struct kit *kit)
{
    if (!kit->survey.node_count || !kit->survey.nodes[0].tables)
        kit_pack(&kit->survey, kit->nodes);
    kit->status = judge(&kit->survey, &kit->policy, &kit->findings, &kit->cluster, &kit->fail);
    findings_put(&kit->findings, &kit->text);
}

bool kit_pass(const struct kit *kit)
{
    return kit->status == BR_OK && findings_pass(&kit->findings);
}

void kit_has(const struct kit *kit, const char *line)
{
    struct buf buf = { 0 };
    buf_printf(&buf, "%s\n", line);
    const char *at = strstr(buf_string(&kit->text), buf.data);
    ck_assert_msg(at && (at == kit->text.data || at[-1] == '\n'), "no line %sin:\n%s", buf.data,
                  buf_string(&kit->text));
    buf_done(&buf);
}

void kit_has_not(const struct kit *kit, const char *part)
{
    ck_assert_msg(!strstr(buf_string(&kit->text), part), "'%s' in:\n%s", part,
                  buf_string(&kit->text));
}

void kit_is(const struct kit *kit, const char *lines)
{
    ck_assert_str_eq(buf_string(&kit->text), lines);
}

const char *kit_group(const struct kit *kit, int32_t id, int32_t index)
{
    static char text[256];
    const struct table *table = cluster_table(&kit->cluster, id);
    ck_assert_ptr_nonnull(table);
    const struct partition *partition = &table->partitions[index];
    struct buf buf = { 0 };
    if (partition->primary < 0)
        buf_char(&buf, '-');
    else
        buf_i64(&buf, partition->primary + 1);
    ck_assert_int_eq(partition->secondary_count, 0);
    for (int i = 0; i < partition->drop_count; i++)
        buf_printf(&buf, ",%d", partition->members[i] + 1);
    ck_assert_uint_lt(buf.size, sizeof text);
    memcpy(text, buf.data, buf.size + 1);
    buf_done(&buf);
    return text;
}

uint32_t random_below(struct random *random, uint32_t limit)
{
    random->state = random->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t) (random->state >> 33) % limit;
}
