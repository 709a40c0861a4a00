/* state_kit -- see state_kit.h. */
#include "t/state_kit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct kit kit;

void kit_setup(void)
{
    memset(&kit, 0, sizeof kit);
    kit.log = (struct log){ .fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .level = BR_DEBUG };
    kit.meta.log = &kit.log;
    kit.meta.config = &kit.config;
    kit.config.meta.replica_assign_delay = 600 * BR_SECOND;
    state_init(&kit.meta.state);
}

void kit_teardown(void)
{
    state_done(&kit.meta.state);
    close(kit.log.fd);
}

void kit_nodes(int count)
{
    char name[32];
    for (int i = 1; i <= count; i++) {
        snprintf(name, sizeof name, "10.0.%d.%d:34801", i / 256, i % 256);
        int32_t node = state_node(&kit.meta.state, name, 0);
        ck_assert_int_ge(node, 0);
        kit.meta.state.nodes[node].alive = true;
        kit.meta.state.nodes[node].held_at = 1;
    }
}

int32_t kit_table(int32_t id, int32_t partitions, int32_t replicas)
{
    char name[32];
    snprintf(name, sizeof name, "t%d", id);
    int32_t table = state_add_table(&kit.meta.state, &(struct br_table){
                                                         .id = id,
                                                         .status = BR_TABLE_AVAILABLE,
                                                         .partition_count = partitions,
                                                         .replica_count = replicas,
                                                         .init_partition_count = partitions,
                                                         .name = name,
                                                         .type = "pegasus",
                                                     });
    ck_assert_int_ge(table, 0);
    return table;
}

void kit_partition(struct gpid pid, int64_t ballot, int32_t primary, const int32_t *secondaries,
                   const int32_t *drops)
{
    int32_t members[STATE_MEMBERS_MAX];
    struct partition next = { .ballot = ballot, .primary = primary, .members = members };
    for (; secondaries && *secondaries >= 0; secondaries++)
        members[next.secondary_count++] = *secondaries;
    for (; drops && *drops >= 0; drops++)
        members[next.secondary_count + next.drop_count++] = *drops;
    state_set_partition(&kit.meta.state, pid, &next);
}

uint64_t kit_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

void kit_fill(int32_t id, int32_t partitions, int32_t replicas, int used, uint64_t *seed)
{
    kit_table(id, partitions, replicas);
    for (int32_t i = 0; i < partitions; i++) {
        int32_t members[STATE_MEMBERS_MAX + 1];
        int32_t count = 0;
        while (count < replicas) {
            int32_t node = (int32_t) (kit_random(seed) % (uint64_t) used);
            bool there = false;
            for (int32_t k = 0; k < count; k++)
                there |= members[k] == node;
            if (!there)
                members[count++] = node;
        }
        members[count] = -1;
        kit_partition((struct gpid){ id, i }, 5, members[0], members + 1, NULL);
    }
}

void kit_status(int32_t status)
{
    struct br_table def = kit.meta.state.cluster.tables[0].def;
    def.status = status;
    state_set_def(&kit.meta.state, 0, &def);
}

/* -- Counting again ---------------------------------------------------------------------------- */

static void kit_count(int32_t table, struct share *shares)
{
    const struct table *stored = &kit.meta.state.cluster.tables[table];
    for (int32_t i = 0; i < stored->def.partition_count; i++) {
        const struct partition *partition = &stored->partitions[i];
        struct gpid pid = { stored->def.id, i };
        for (int s = -1; s < partition->secondary_count; s++) {
            int32_t node = s < 0 ? partition->primary : partition->members[s];
            if (node < 0)
                continue;
            shares[node].primaries += s < 0;
            shares[node].replicas++;
            ck_assert(set64_has(&kit.meta.state.nodes[node].partitions, state_key(pid)));
        }
    }
}

void kit_check(void)
{
    struct state *state = &kit.meta.state;
    uint32_t nodes = state->cluster.node_count;
    struct share *all = calloc(nodes + 1u, sizeof *all);
    for (uint32_t t = 0; t < state->cluster.table_count; t++) {
        struct share *shares = calloc(nodes + 1u, sizeof *shares);
        kit_count((int32_t) t, shares);
        const struct share *kept = state_shares(state, (int32_t) t);
        for (uint32_t i = 0; i < nodes; i++) {
            ck_assert_uint_eq(kept[i].primaries, shares[i].primaries);
            ck_assert_uint_eq(kept[i].replicas, shares[i].replicas);
            all[i].primaries += shares[i].primaries;
            all[i].replicas += shares[i].replicas;
        }
        free(shares);
    }
    for (uint32_t i = 0; i < nodes; i++) {
        ck_assert_uint_eq(state->nodes[i].primaries, all[i].primaries);
        ck_assert_uint_eq(state->nodes[i].partitions.count, all[i].replicas);
    }
    free(all);
}
