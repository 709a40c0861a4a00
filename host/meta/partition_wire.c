/* partition_wire -- see partition_wire.h. */
#include "host/meta/partition_wire.h"

#include <string.h>

#include "host/base/number.h"

void name_to_wire(struct arena *arena, const char *name, struct host_port *ret)
{
    char *host = arena_alloc(arena, NODE_NAME_MAX);
    if (!host_port_parse(name, host, ret))
        *ret = (struct host_port){ .host = "" };
}

static void addresses_to_wire(const struct state *state, const int32_t *nodes, uint32_t count,
                              struct arena *arena, struct wire_list *ret)
{
    uint64_t *address = arena_alloc(arena, count * sizeof *address);
    for (uint32_t i = 0; i < count; i++)
        address[i] = state->cluster.nodes[nodes[i]].address;
    *ret = (struct wire_list){ .items = address, .count = count };
}

static void names_to_wire(const struct state *state, const int32_t *nodes, uint32_t count,
                          struct arena *arena, struct wire_list *ret)
{
    struct host_port *name = arena_alloc(arena, count * sizeof *name);
    for (uint32_t i = 0; i < count; i++)
        name_to_wire(arena, state->cluster.nodes[nodes[i]].name, &name[i]);
    *ret = (struct wire_list){ .items = name, .count = count };
}

static void named_to_wire(const struct state *state, const struct partition *partition,
                          struct arena *arena, struct msg_partition_configuration *config)
{
    WIRE_SET(config, 9);
    WIRE_SET(config, 10);
    WIRE_SET(config, 11);
    if (partition->primary >= 0)
        name_to_wire(arena, state->cluster.nodes[partition->primary].name, &config->hp_primary);
    names_to_wire(state, partition->members, partition->secondary_count, arena,
                  &config->hp_secondaries);
    names_to_wire(state, partition_drops(partition), partition->drop_count, arena,
                  &config->hp_last_drops);
}

void partition_in_to_wire(const struct state *state, const struct table *table, int32_t index,
                          enum wire_peer peer, struct arena *arena,
                          struct msg_partition_configuration *ret_config)
{
    const struct partition *partition = &table->partitions[index];
    wire_init(&wire_partition_configuration, ret_config);
    ret_config->pid = (struct gpid){ .app_id = table->def.id, .partition = index };
    ret_config->ballot = partition->ballot;
    ret_config->max_replica_count =
        partition->replica_count ? partition->replica_count : table->def.replica_count;
    ret_config->partition_flags = (int32_t) (partition->flags & PARTITION_DROPPED);
    ret_config->last_committed_decree = partition->committed;
    if (partition->primary >= 0)
        ret_config->primary = state->cluster.nodes[partition->primary].address;
    addresses_to_wire(state, partition->members, partition->secondary_count, arena,
                      &ret_config->secondaries);
    addresses_to_wire(state, partition_drops(partition), partition->drop_count, arena,
                      &ret_config->last_drops);
    if (peer == WIRE_PEER_26)
        named_to_wire(state, partition, arena, ret_config);
}

void partition_to_wire(const struct state *state, struct gpid pid, enum wire_peer peer,
                       struct arena *arena, struct msg_partition_configuration *ret_config)
{
    partition_in_to_wire(state, cluster_table(&state->cluster, pid.app_id), pid.partition, peer,
                         arena, ret_config);
}

int32_t node_from_wire(struct state *state, const struct host_port *name, uint64_t address)
{
    char text[NODE_NAME_MAX + 1];
    size_t host;
    uint16_t port;
    if (name && name->type == 1)
        host_port_format(name, text);
    else
        address_format(address, text);
    return number_node(text, &host, &port) ? state_node(state, text, address) : -1;
}

/* One list of nodes: names where they are as many as the addresses, or stand alone. */
static const char *nodes_from_wire(struct state *state, const struct wire_list *addresses,
                                   const struct wire_list *names, bool named, int32_t *members,
                                   uint16_t *ret_count)
{
    const uint64_t *address = addresses->items;
    const struct host_port *name = names->items;
    bool paired = named && names->count == addresses->count;
    uint32_t count = named ? names->count : addresses->count;
    if (count > STATE_MEMBERS_MAX / 2)
        return "it names too many nodes";
    for (uint32_t i = 0; i < count; i++) {
        members[i] =
            node_from_wire(state, named ? &name[i] : NULL, paired || !named ? address[i] : 0);
        if (members[i] < 0)
            return "it names a node without host and port";
        for (uint32_t k = 0; k < i; k++) {
            if (members[k] == members[i])
                return "it names a node twice";
        }
    }
    *ret_count = (uint16_t) count;
    return NULL;
}

const char *partition_from_wire(struct state *state,
                                const struct msg_partition_configuration *config,
                                int32_t *ret_members, struct partition *ret_partition)
{
    *ret_partition = (struct partition){
        .ballot = config->ballot,
        .committed = config->last_committed_decree,
        .primary = -1,
        .members = ret_members,
    };
    bool named = WIRE_HAS(config, 9) && config->hp_primary.type == 1;
    if (named || config->primary != 0)
        ret_partition->primary =
            node_from_wire(state, named ? &config->hp_primary : NULL, config->primary);
    const char *wrong =
        nodes_from_wire(state, &config->secondaries, &config->hp_secondaries, WIRE_HAS(config, 10),
                        ret_members, &ret_partition->secondary_count);
    if (!wrong)
        wrong = nodes_from_wire(state, &config->last_drops, &config->hp_last_drops,
                                WIRE_HAS(config, 11), ret_members + ret_partition->secondary_count,
                                &ret_partition->drop_count);
    if (!wrong && ret_partition->primary < 0 && (named || config->primary != 0))
        wrong = "its primary is a node without host and port";
    if (!wrong && ret_partition->primary >= 0
        && partition_has_secondary(ret_partition, ret_partition->primary))
        wrong = "its primary is a secondary, too";
    return wrong;
}
