/* fleet_wire -- what a replica server says to its meta server, and whether what it is answered is
 * right: exactly its own partitions, as the cluster has them, and nothing to delete.
 *
 * An answer to a sync is decoded and compared entry by entry once; as long as the next ones are the
 * same bytes, their digest is enough, since the fleet shares its machine with the server.
 */
#include "t/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/number.h"
#include "host/rdsn/info.h"
#include "host/rdsn/message.h"

static const char beacon_rpc[] = "RPC_FD_FAILURE_DETECTOR_PING";
static const char sync_rpc[] = "RPC_CM_CONFIG_SYNC";

/* -- What they say ----------------------------------------------------------------------------- */

static void put_request(const struct fleet_server *server, const char *rpc, int32_t timeout_ms,
                        const struct buf *body, struct buf *out)
{
    struct rdsn_header header = {
        .timeout_ms = timeout_ms,
        .context = RDSN_REQUEST | RDSN_FORMAT_THRIFT_BINARY | RDSN_FORWARD_SUPPORTED,
        .from_address = server->address,
    };
    snprintf(header.rpc_name, sizeof header.rpc_name, "%s", rpc);
    frame_put(out, &header, buf_bytes(body), false);
}

/* The id of the frame that begins there; RDSN integers are little-endian, as is this machine. */
static uint64_t put_id(struct fleet *fleet, struct buf *out, size_t at)
{
    uint64_t id = ++fleet->last_id;
    for (size_t i = 0; i < sizeof id; i++)
        out->data[at + 24 + i] = (char) (id >> 8 * i);
    return id;
}

static struct host_port name_of(const char *name, char host[NODE_NAME_MAX])
{
    struct host_port host_port;
    if (!host_port_parse(name, host, &host_port))
        abort();
    return host_port;
}

void fleet_put_beacon(struct fleet_server *server, struct buf *out)
{
    struct fleet *fleet = server->fleet;
    struct msg_beacon_msg beacon;
    struct timespec now;
    struct buf body = { 0 };
    char from[NODE_NAME_MAX], to[NODE_NAME_MAX];
    size_t at = out->size;
    wire_init(&wire_beacon_msg, &beacon);
    clock_gettime(CLOCK_REALTIME, &now);
    beacon.time = (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
    beacon.from_node = server->address;
    beacon.to_node = fleet->meta;
    beacon.start_time = fleet->start_ms;
    WIRE_SET(&beacon, 4);
    if (fleet->named) {
        beacon.hp_from_node = name_of(server->name, from);
        beacon.hp_to_node = name_of(fleet->meta_name, to);
        WIRE_SET(&beacon, 5);
        WIRE_SET(&beacon, 6);
    }
    wire_encode(&wire_beacon_msg, &beacon, WIRE_PEER_26, &body);
    put_request(server, beacon_rpc, 2000, &body, out);
    server->beacon_id = put_id(fleet, out, at);
    server->beacon_time = beacon.time;
    server->beacon_ns = fleet_now();
    buf_done(&body);
}

void fleet_put_sync(struct fleet_server *server, struct buf *out)
{
    size_t at = out->size;
    buf_put(out, server->sync.data, server->sync.size);
    server->sync_id = put_id(server->fleet, out, at);
    server->sync_ns = fleet_now();
}

/* -- Making the syncs ----------------------------------------------------------------------------
 */

/* What each server holds, one after the other. */
struct holdings {
    struct msg_replica_info *replicas;
    uint32_t *firsts; /* by node: where its own begin; one more at the end */
    uint32_t *filled;
};

static void hold(struct holdings *holdings, int32_t node, int32_t status, int32_t table_id,
                 int32_t index, const struct partition *partition)
{
    struct msg_replica_info *replica =
        &holdings->replicas[holdings->firsts[node] + holdings->filled[node]++];
    wire_init(&wire_replica_info, replica);
    replica->pid = (struct gpid){ table_id, index };
    replica->ballot = partition->ballot;
    replica->status = status;
    replica->last_committed_decree = partition->committed;
    replica->last_prepared_decree = partition->committed;
    replica->last_durable_decree = partition->committed - 1000;
    replica->app_type = "pegasus";
    replica->disk_tag = "ssd1";
    WIRE_SET(replica, 9);
}

typedef void each_member(struct holdings *holdings, int32_t node, int32_t status, int32_t table_id,
                         int32_t index, const struct partition *partition);

static void count_member(struct holdings *holdings, int32_t node, int32_t status, int32_t table_id,
                         int32_t index, const struct partition *partition)
{
    (void) status, (void) table_id, (void) index, (void) partition;
    holdings->firsts[node + 1]++;
}

static void walk_members(const struct cluster *cluster, struct holdings *holdings,
                         each_member *member)
{
    for (uint32_t i = 0; i < cluster->table_count; i++) {
        const struct table *table = &cluster->tables[i];
        for (int32_t p = 0; p < table->def.partition_count; p++) {
            const struct partition *partition = &table->partitions[p];
            member(holdings, partition->primary, BR_ROLE_PRIMARY, table->def.id, p, partition);
            for (int s = 0; s < partition->secondary_count; s++)
                member(holdings, partition->members[s], BR_ROLE_SECONDARY, table->def.id, p,
                       partition);
        }
    }
}

static void prepare_sync(struct fleet_server *server, struct msg_replica_info *replicas)
{
    struct msg_configuration_query_by_node_request request;
    struct buf body = { 0 };
    char host[NODE_NAME_MAX];
    wire_init(&wire_configuration_query_by_node_request, &request);
    request.node = server->address;
    request.stored_replicas =
        (struct wire_list){ .items = replicas, .count = (uint32_t) server->partitions };
    WIRE_SET(&request, 2);
    if (server->fleet->named) {
        request.hp_node = name_of(server->name, host);
        WIRE_SET(&request, 4);
    }
    wire_encode(&wire_configuration_query_by_node_request, &request,
                server->fleet->named ? WIRE_PEER_26 : WIRE_PEER_25, &body);
    put_request(server, sync_rpc, 5000, &body, &server->sync);
    buf_done(&body);
}

void fleet_prepare(struct fleet *fleet)
{
    uint32_t nodes = fleet->shape.nodes, place = 0;
    struct holdings holdings = {
        .replicas = mem_array((size_t) SYNTHETIC_REPLICAS * fleet->shape.partitions,
                              sizeof *holdings.replicas),
        .firsts = mem_array(nodes + 1, sizeof *holdings.firsts),
        .filled = mem_array(nodes, sizeof *holdings.filled),
    };
    walk_members(&fleet->cluster, &holdings, count_member);
    for (uint32_t i = 0; i < nodes; i++) {
        fleet->servers[i].partitions = (int32_t) holdings.firsts[i + 1];
        holdings.firsts[i + 1] += holdings.firsts[i];
    }
    walk_members(&fleet->cluster, &holdings, hold);
    for (uint32_t i = 0; i < nodes; i++)
        prepare_sync(&fleet->servers[i], &holdings.replicas[holdings.firsts[i]]);
    for (uint32_t i = 0; i < fleet->cluster.table_count; i++) {
        fleet->first_place[fleet->cluster.tables[i].def.id] = place;
        place += (uint32_t) fleet->cluster.tables[i].def.partition_count;
    }
    fleet->stamps = mem_array(fleet->shape.partitions, sizeof *fleet->stamps);
    free(holdings.replicas);
    free(holdings.firsts);
    free(holdings.filled);
}

/* -- Beacons' answers ----------------------------------------------------------------------------
 */

static void count_latency(struct fleet_count *count, int64_t ns)
{
    if (count->latency_count == count->latency_cap) {
        count->latency_cap = count->latency_cap ? 2 * count->latency_cap : 65536;
        count->latencies =
            mem_grow(count->latencies, count->latency_cap * sizeof *count->latencies);
    }
    count->latencies[count->latency_count++] = (uint32_t) (ns / 1000);
}

static bool same_name(const struct host_port *host_port, const char *name)
{
    char text[NODE_NAME_MAX + 1];
    return strcmp(host_port_format(host_port, text), name) == 0;
}

static const char *ack_wrong(const struct fleet_server *server, const struct msg_beacon_ack *ack)
{
    const struct fleet *fleet = server->fleet;
    if (ack->time != server->beacon_time)
        return "time is not the beacon's";
    if (ack->this_node != fleet->meta)
        return "this_node is not the beacon's to_node";
    if (!ack->is_master)
        return "is_master is false";
    if (!ack->allowed)
        return "allowed is false";
    if (ack->primary_node != fleet->meta)
        return "primary_node is not the meta server";
    if (fleet->named != WIRE_HAS(ack, 6) || fleet->named != WIRE_HAS(ack, 7))
        return "it has host names where it must not, or has none where it must";
    if (fleet->named && !same_name(&ack->hp_this_node, fleet->meta_name))
        return "hp_this_node is not the beacon's hp_to_node";
    return NULL;
}

static void take_ack(struct fleet_server *server, const struct frame *frame)
{
    struct fleet *fleet = server->fleet;
    struct msg_beacon_ack ack;
    struct fail fail;
    struct arena arena;
    int64_t taken = fleet_now() - server->beacon_ns;
    arena_init(&arena, 1024);
    server->beacon_id = 0;
    if (strcmp(frame->header.error_name, "ERR_OK") != 0)
        fleet_wrong(fleet, "%s: beacon: %s", server->name, frame->header.error_name);
    else if (wire_decode(&wire_beacon_ack, frame->body, wire_arena(&arena), &ack, &fail) != BR_OK)
        fleet_wrong(fleet, "%s: beacon: %s", server->name, fail.text);
    else if (ack_wrong(server, &ack))
        fleet_wrong(fleet, "%s: beacon: %s", server->name, ack_wrong(server, &ack));
    fleet->count.acks++;
    fleet->count.late += taken > fleet->late_after;
    count_latency(&fleet->count, taken);
    arena_done(&arena);
}

/* -- Syncs' answers ------------------------------------------------------------------------------
 */

/* Not for secrets: the other side is our own. */
static uint64_t digest(br_bytes bytes)
{
    const unsigned char *data = bytes.data;
    uint64_t sum = bytes.size ^ UINT64_C(0x9e3779b97f4a7c15), word;
    size_t at = 0;
    for (; at + sizeof word <= bytes.size; at += sizeof word) {
        memcpy(&word, data + at, sizeof word);
        sum = (sum ^ word) * UINT64_C(0xff51afd7ed558ccd);
        sum ^= sum >> 32;
    }
    for (; at < bytes.size; at++)
        sum = (sum ^ data[at]) * UINT64_C(0xc4ceb9fe1a85ec53);
    return sum | 1;
}

/* The secondaries in their order: 2.6 compares them so. */
static bool same_members(const struct fleet *fleet, const struct partition *partition,
                         const struct msg_partition_configuration *config)
{
    const struct node *nodes = fleet->cluster.nodes;
    const uint64_t *secondaries = config->secondaries.items;
    const struct host_port *names = config->hp_secondaries.items;
    if (config->primary != nodes[partition->primary].address
        || config->secondaries.count != partition->secondary_count
        || fleet->named != WIRE_HAS(config, 9) || fleet->named != WIRE_HAS(config, 10))
        return false;
    if (fleet->named
        && (!same_name(&config->hp_primary, nodes[partition->primary].name)
            || config->hp_secondaries.count != partition->secondary_count))
        return false;
    for (int i = 0; i < partition->secondary_count; i++)
        if (secondaries[i] != nodes[partition->members[i]].address
            || (fleet->named && !same_name(&names[i], nodes[partition->members[i]].name)))
            return false;
    return true;
}

static bool is_member(const struct partition *partition, int32_t node)
{
    bool found = partition->primary == node;
    for (int i = 0; i < partition->secondary_count; i++)
        found |= partition->members[i] == node;
    return found;
}

/* NULL: right. */
static const char *entry_wrong(const struct fleet_server *server,
                               const struct msg_configuration_update_request *entry)
{
    struct fleet *fleet = server->fleet;
    struct gpid pid = entry->config.pid;
    const struct table *table = cluster_table(&fleet->cluster, pid.app_id);
    if (!table || pid.partition < 0 || pid.partition >= table->def.partition_count)
        return "no such partition";
    const struct partition *partition = &table->partitions[pid.partition];
    uint32_t *stamp = &fleet->stamps[fleet->first_place[pid.app_id] + (uint32_t) pid.partition];
    if (*stamp == fleet->stamp)
        return "listed twice";
    *stamp = fleet->stamp;
    if (!is_member(partition, (int32_t) server->index))
        return "not one of its partitions";
    if (entry->config.ballot != partition->ballot)
        return "another ballot";
    if (!same_members(fleet, partition, &entry->config))
        return "other members";
    if (entry->config.partition_flags != 0 || entry->config.max_replica_count != SYNTHETIC_REPLICAS)
        return "flags or max_replica_count are not the table's";
    if (entry->info.app_id != pid.app_id || strcmp(entry->info.app_name, table->def.name) != 0
        || entry->info.partition_count != table->def.partition_count
        || entry->info.status != BR_TABLE_AVAILABLE)
        return "info is not the table's";
    if (entry->host_node != server->address || entry->type != 0)
        return "host_node or type";
    return NULL;
}

static bool sync_right(struct fleet_server *server,
                       const struct msg_configuration_query_by_node_response *answer)
{
    const struct msg_configuration_update_request *entries = answer->partitions.items;
    server->fleet->stamp++;
    for (uint32_t i = 0; i < answer->partitions.count; i++) {
        const char *wrong = entry_wrong(server, &entries[i]);
        if (!wrong)
            continue;
        fleet_wrong(server->fleet, "%s: sync: %d.%d: %s", server->name,
                    entries[i].config.pid.app_id, entries[i].config.pid.partition, wrong);
        return false;
    }
    if (answer->partitions.count != (uint32_t) server->partitions) {
        fleet_wrong(server->fleet, "%s: sync: %u partitions, not %d", server->name,
                    answer->partitions.count, server->partitions);
        return false;
    }
    if (answer->gc_replicas.count > 0) {
        fleet_wrong(server->fleet, "%s: sync: %u replicas to delete", server->name,
                    answer->gc_replicas.count);
        return false;
    }
    return true;
}

/* ERR_BUSY is a right answer: something is being written that concerns the server. */
static void look_at_sync(struct fleet_server *server, br_bytes body)
{
    struct fleet *fleet = server->fleet;
    struct msg_configuration_query_by_node_response answer;
    struct fail fail;
    struct arena arena;
    arena_init(&arena, 0);
    if (wire_decode(&wire_configuration_query_by_node_response, body, wire_arena(&arena), &answer,
                    &fail)
        != BR_OK)
        fleet_wrong(fleet, "%s: sync: %s", server->name, fail.text);
    else if (strcmp(answer.err, "ERR_BUSY") == 0)
        fleet->count.busy++;
    else if (strcmp(answer.err, "ERR_OK") != 0)
        fleet_wrong(fleet, "%s: sync: %s", server->name, answer.err);
    else if (sync_right(server, &answer))
        server->checked = digest(body);
    arena_done(&arena);
}

static void take_sync(struct fleet_server *server, const struct frame *frame)
{
    struct fleet *fleet = server->fleet;
    int64_t taken = (fleet_now() - server->sync_ns) / 1000;
    server->sync_id = 0;
    fleet->count.answers++;
    if (taken > fleet->count.sync_latency_max)
        fleet->count.sync_latency_max = (uint32_t) taken;
    if (strcmp(frame->header.error_name, "ERR_OK") != 0)
        fleet_wrong(fleet, "%s: sync: %s", server->name, frame->header.error_name);
    else if (!server->checked || digest(frame->body) != server->checked)
        look_at_sync(server, frame->body);
    fleet->count.partitions += (uint64_t) server->partitions;
}

/* An answer to a beacon that was given up is nobody's any more. */
void fleet_take(struct fleet_server *server, const struct frame *frame)
{
    const struct rdsn_header *header = &frame->header;
    if (header->context & RDSN_REQUEST)
        fleet_wrong(server->fleet, "%s: a request on its own connection: %s", server->name,
                    header->rpc_name);
    else if (header->id == server->beacon_id)
        take_ack(server, frame);
    else if (header->id == server->sync_id)
        take_sync(server, frame);
}
