/* sim_cluster -- clusters by seed: tables, partitions, who holds which replica, and what a server
 * reports of it, true or not.
 */
#include <stdio.h>
#include <string.h>

#include "host/rdsn/address.h"
#include "t/sim.h"

/* -- Making ------------------------------------------------------------------------------------ */

static void node_make(struct sim_node *node, uint32_t index)
{
    snprintf(node->name, sizeof node->name, "10.0.0.%u:34801", index + 1);
    address_parse(node->name, &node->address);
}

static enum sim_manner node_manner(uint64_t *chance)
{
    if (sim_percent(chance, 60))
        return sim_percent(chance, 90) ? MANNER_STEADY : MANNER_RESTARTING;
    return (enum sim_manner) sim_below(chance, MANNER_COUNT);
}

static void node_chance(struct sim_node *node, uint64_t *chance)
{
    node->manner = node_manner(chance);
    node->lie = sim_percent(chance, 8) ? (enum sim_lie) sim_below(chance, LIE_MAX) : LIE_NONE;
    node->lie_seed = sim_draw(chance);
    node->waking = sim_below(chance, 30) * BR_SECOND;
    node->lease = sim_percent(chance, 40) ? sim_below(chance, 20) * BR_SECOND : 0;
}

/* A group as it may be left: most of it equal, some behind, some broken. */
static void partition_make(struct sim_cluster *cluster, struct sim_table *table, int32_t index,
                           uint64_t *chance)
{
    uint32_t members = (uint32_t) table->factor + (sim_percent(chance, 15) ? 1 : 0);
    uint32_t first = sim_below(chance, cluster->node_count);
    int64_t ballot = 1 + sim_below(chance, 9);
    int64_t decree = sim_below(chance, 100);
    if (sim_percent(chance, 3))
        members = 0;
    for (uint32_t i = 0; i < SIM_NODES_MAX; i++)
        table->replicas[index][i].node = -1;
    for (uint32_t i = 0; i < members && i < cluster->node_count; i++) {
        struct sim_replica *replica = &table->replicas[index][i];
        *replica = (struct sim_replica){
            .node = (int8_t) ((first + i) % cluster->node_count),
            .role = i ? BR_ROLE_SECONDARY : BR_ROLE_PRIMARY,
            .ballot = ballot,
            .committed = decree,
            .prepared = decree + sim_below(chance, 3),
        };
        if (sim_percent(chance, 70))
            continue;
        replica->role = (br_role) sim_below(chance, BR_ROLE_SPLIT + 1);
        replica->ballot -= sim_below(chance, 2);
        replica->committed -= sim_below(chance, (uint32_t) replica->committed + 1);
    }
    table->known_by |= (1u << cluster->node_count) - 1;
}

static void table_make(struct sim_cluster *cluster, int32_t id, uint64_t *chance)
{
    struct sim_table *table = &cluster->tables[cluster->table_count++];
    *table = (struct sim_table){
        .id = id,
        .partitions = 1 << sim_below(chance, 4),
        .factor = 1 + (int32_t) sim_below(chance, 3),
        .status = sim_percent(chance, 90) ? BR_TABLE_AVAILABLE : BR_TABLE_DROPPED,
        .envs = sim_below(chance, 3),
    };
    snprintf(table->name, sizeof table->name, "table_%d", sim_percent(chance, 10) ? 0 : (int) id);
    for (int32_t i = 0; i < table->partitions; i++)
        partition_make(cluster, table, i, chance);
}

void sim_cluster_make(struct sim_cluster *cluster, uint64_t seed)
{
    uint64_t chance = seed ^ UINT64_C(0x636c7573746572);
    int32_t id = 0;
    *cluster = (struct sim_cluster){ .node_count = 1 + sim_below(&chance, SIM_NODES_MAX) };
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        node_make(&cluster->nodes[i], i);
        node_chance(&cluster->nodes[i], &chance);
    }
    uint32_t tables = 1 + sim_below(&chance, SIM_TABLES_MAX);
    while (cluster->table_count < tables) {
        id += 1 + (int32_t) (sim_percent(&chance, 70) ? 0 : sim_below(&chance, SIM_ID_GAP + 1));
        table_make(cluster, id, &chance);
    }
}

void sim_cluster_small(struct sim_cluster *cluster)
{
    *cluster = (struct sim_cluster){ .node_count = 3, .table_count = 2 };
    for (uint32_t i = 0; i < 3; i++)
        node_make(&cluster->nodes[i], i);
    for (int32_t t = 0; t < 2; t++) {
        struct sim_table *table = &cluster->tables[t];
        *table = (struct sim_table){ .id = 1 + 2 * t, /* 2 becomes a placeholder */
                                     .partitions = 2,
                                     .factor = 2,
                                     .status = BR_TABLE_AVAILABLE,
                                     .envs = 1,
                                     .known_by = 7 };
        snprintf(table->name, sizeof table->name, "table_%d", table->id);
        for (int32_t i = 0; i < table->partitions; i++) {
            for (int8_t n = 0; n < SIM_NODES_MAX; n++)
                table->replicas[i][n] = (struct sim_replica){
                    .node = (int8_t) (n < 2 ? (n + i + t) % 3 : -1),
                    .role = BR_ROLE_INACTIVE,
                    .ballot = 3,
                    .committed = 10 - n,
                    .prepared = 10,
                };
        }
    }
}

/* -- Reports ----------------------------------------------------------------------------------- */

/* What a restarted server has no more: each time something else, some of it alone and some of it
 * with all others that were restarted as often. */
static bool node_lost(const struct sim_table *table, int32_t index, uint32_t node,
                      struct sim_said said)
{
    uint64_t all = (uint64_t) table->id << 8 | said.process;
    uint64_t alone = all << 16 | (uint64_t) index << 8 | node;
    return said.process && (sim_below(&all, 4) == 0 || sim_below(&alone, 10) == 0);
}

static bool node_holds(const struct sim_table *table, uint32_t node, struct sim_said said)
{
    for (int32_t i = 0; i < table->partitions; i++) {
        for (uint32_t k = 0; k < SIM_NODES_MAX; k++) {
            const struct sim_replica *replica = &table->replicas[i][k];
            if (replica->node == (int32_t) node && !node_lost(table, i, node, said))
                return true;
        }
    }
    return false;
}

static const char *const sim_envs[] = { "default_ttl", "86400", "replica.slow_query_threshold",
                                        "9" };

/* A server describes the tables that it holds replicas of. */
uint32_t sim_tables_of(const struct sim_cluster *cluster, uint32_t node, struct sim_said said,
                       struct br_table *rows)
{
    const struct sim_node *teller = &cluster->nodes[node];
    uint32_t lied = (uint32_t) (teller->lie_seed % cluster->table_count);
    uint32_t count = 0;
    for (uint32_t t = 0; t < cluster->table_count; t++) {
        const struct sim_table *table = &cluster->tables[t];
        bool lies = t == lied;
        if (!node_holds(table, node, said) || (lies && teller->lie == LIE_SILENCE))
            continue;
        rows[count++] = (struct br_table){
            .node = (int32_t) node,
            .id = table->id,
            .status = table->status,
            .partition_count = table->partitions + (lies && teller->lie == LIE_COUNT),
            .replica_count = table->factor + (lies && teller->lie == LIE_FACTOR),
            .init_partition_count = table->partitions,
            .flags = BR_TABLE_STATEFUL,
            .env_count = table->envs,
            .create_second = 1700000000 + table->id,
            .name = lies && teller->lie == LIE_NAME ? "no\nname\xff" : table->name,
            .type = "pegasus",
            .envs = sim_envs,
        };
    }
    return count;
}

static br_role report_role(const struct sim_replica *replica, struct sim_said said)
{
    bool claim = replica->role == BR_ROLE_PRIMARY || replica->role == BR_ROLE_SECONDARY
                 || replica->role == BR_ROLE_LEARNER;
    return claim && !said.claims ? BR_ROLE_INACTIVE : replica->role;
}

static uint32_t report_lies(const struct sim_node *teller, int32_t node, struct br_replica *rows,
                            uint32_t count)
{
    struct br_replica *victim = &rows[count ? teller->lie_seed / 8 % count : 0];
    if (teller->lie == LIE_ORPHAN) {
        rows[count++] =
            (struct br_replica){ .node = node, .table = 60, .type = "pegasus", .disk = "" };
    } else if (count == 0) {
        return count;
    } else if (teller->lie == LIE_BALLOT) {
        victim->ballot = BR_BALLOT_INVALID;
    } else if (teller->lie == LIE_TWICE) {
        rows[count] = *victim;
        rows[count++].committed += 1;
    } else if (teller->lie == LIE_STRAY) {
        rows[count] = *victim;
        rows[count++].partition = SIM_PARTITIONS_MAX + 1;
    }
    return count;
}

uint32_t sim_replicas_of(const struct sim_cluster *cluster, uint32_t node, struct sim_said said,
                         struct br_replica *rows)
{
    uint32_t count = 0;
    for (uint32_t t = 0; t < cluster->table_count; t++) {
        const struct sim_table *table = &cluster->tables[t];
        for (int32_t i = 0; i < table->partitions; i++) {
            for (uint32_t k = 0; k < SIM_NODES_MAX; k++) {
                const struct sim_replica *replica = &table->replicas[i][k];
                if (replica->node != (int32_t) node || node_lost(table, i, node, said))
                    continue;
                rows[count++] = (struct br_replica){
                    .node = (int32_t) node,
                    .table = table->id,
                    .partition = i,
                    .role = report_role(replica, said),
                    .ballot = replica->ballot,
                    .committed = replica->committed + said.process,
                    .prepared = replica->prepared + said.process,
                    .durable = replica->committed,
                    .type = "pegasus",
                    .disk = "default",
                };
                if (rows[count - 1].role == BR_ROLE_SPLIT)
                    rows[count - 1].role = BR_ROLE_ERROR;
            }
        }
    }
    return report_lies(&cluster->nodes[node], (int32_t) node, rows, count);
}
