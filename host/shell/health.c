/* health -- partitions counted: what is healthy, and who serves how much. */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/shell/shell.h"

bool health_has_primary(const struct msg_partition_configuration *partition)
{
    return (partition->primary & 3) != ADDRESS_INVALID
           || (WIRE_HAS(partition, 9) && partition->hp_primary.type != 0);
}

uint32_t health_replicas(const struct msg_partition_configuration *partition)
{
    uint32_t secondaries = partition->secondaries.count;
    if (WIRE_HAS(partition, 10) && partition->hp_secondaries.count > secondaries)
        secondaries = partition->hp_secondaries.count;
    return secondaries + health_has_primary(partition);
}

void health_count(const struct msg_query_cfg_response *response, struct health *ret_health)
{
    const struct msg_partition_configuration *partitions = response->partitions.items;
    struct health health = { .partitions = response->partitions.count };
    for (uint32_t i = 0; i < response->partitions.count; i++) {
        uint32_t replicas = health_replicas(&partitions[i]);
        if (!health_has_primary(&partitions[i])) {
            health.write_unhealthy++;
            health.read_unhealthy++;
        } else if ((int64_t) replicas >= partitions[i].max_replica_count) {
            health.fully++;
        } else if (replicas < 2) {
            health.write_unhealthy++;
        }
    }
    *ret_health = health;
}

struct load_row *load_find(struct load *load, uint64_t address, const struct host_port *name)
{
    char node[NODE_NAME_MAX + 1];
    size_t low = 0, high = load->count;
    shell_node(address, name, node);
    while (low < high) {
        size_t middle = (low + high) / 2;
        struct load_row *row = &load->rows[middle];
        int order = row->address < address   ? -1
                    : row->address > address ? 1
                                             : strcmp(row->node, node);
        if (order == 0)
            return row;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (load->count == load->room) {
        load->room = load->room ? 2 * load->room : 64;
        load->rows = mem_grow(load->rows, load->room * sizeof *load->rows);
    }
    struct load_row *row = &load->rows[low];
    memmove(row + 1, row, (load->count++ - low) * sizeof *row);
    *row = (struct load_row){ .address = address };
    memcpy(row->node, node, strlen(node) + 1);
    return row;
}

static const struct host_port *load_name(const struct wire_list *names, uint32_t index)
{
    return index < names->count ? (const struct host_port *) names->items + index : NULL;
}

void load_count(struct load *load, const struct msg_query_cfg_response *response)
{
    const struct msg_partition_configuration *partition = response->partitions.items;
    for (uint32_t i = 0; i < response->partitions.count; i++, partition++) {
        const uint64_t *secondaries = partition->secondaries.items;
        if (health_has_primary(partition))
            load_find(load, partition->primary,
                      WIRE_HAS(partition, 9) ? &partition->hp_primary : NULL)
                ->primaries++;
        uint32_t count = health_replicas(partition) - health_has_primary(partition);
        for (uint32_t j = 0; j < count; j++)
            load_find(load, j < partition->secondaries.count ? secondaries[j] : 0,
                      load_name(&partition->hp_secondaries, j))
                ->secondaries++;
    }
}

void load_done(struct load *load)
{
    free(load->rows);
    *load = (struct load){ 0 };
}

/* Every answer of a table uses the same memory: they come one after the other. */
struct ask {
    const struct ask_tables *ask;
    struct exchange *exchanges;
    struct msg_query_cfg_response response;
    struct arena arena;
};

static void ask_take(struct exchange *exchange)
{
    struct ask *ask = exchange->arg;
    ask->ask->take(ask->ask->arg, (uint32_t) (exchange - ask->exchanges), exchange, &ask->response);
    arena_done(&ask->arena);
    arena_init(&ask->arena, 0);
}

void ask_tables(struct shell *shell, const struct ask_tables *tables)
{
    struct ask ask = { .ask = tables };
    struct msg_query_cfg_request *requests = mem_array(tables->count, sizeof *requests);
    ask.exchanges = mem_array(tables->count, sizeof *ask.exchanges);
    arena_init(&ask.arena, 0);
    for (uint32_t i = 0; i < tables->count; i++) {
        wire_init(&wire_query_cfg_request, &requests[i]);
        requests[i].app_name = tables->names[i];
        ask.exchanges[i] = (struct exchange){
            .rpc = "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX",
            .request = &requests[i],
            .response = &ask.response,
            .arena = &ask.arena,
            .take = ask_take,
            .arg = &ask,
        };
    }
    session_run(shell->session, ask.exchanges, tables->count, NULL, NULL);
    arena_done(&ask.arena);
    free(ask.exchanges);
    free(requests);
}

bool ask_apps(struct shell *shell, int32_t status, struct arena *arena,
              struct msg_list_apps_response *ret, struct exchange *ret_exchange)
{
    struct msg_list_apps_request request;
    wire_init(&wire_list_apps_request, &request);
    request.status = status;
    *ret_exchange = (struct exchange){
        .rpc = "RPC_CM_LIST_APPS", .request = &request, .response = ret, .arena = arena
    };
    bool ok = session_ask(shell->session, ret_exchange);
    ret_exchange->request = NULL;
    return ok;
}
