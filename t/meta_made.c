/* meta_made -- see test_meta_sync.h. */
#include "t/test_meta_sync.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/meta/freeze.h"
#include "host/meta/guardian.h"

struct seen seen;
static struct cluster made;
static struct arena made_arena;

void made_setup(void)
{
    world_setup();
    if (world.log.fd != 2) {
        close(world.log.fd);
        world.log.fd = memfd_create("log", MFD_CLOEXEC);
    }
    memset(&seen, 0, sizeof seen);
    cluster_init(&made);
    arena_init(&made_arena, 0);
}

void made_teardown(void)
{
    world_teardown();
    cluster_done(&made);
    arena_done(&made_arena);
    buf_done(&seen.body);
}

const char *made_logged(void)
{
    static char text[1 << 18];
    ssize_t got = world.log.fd == 2 ? 0 : pread(world.log.fd, text, sizeof text - 1, 0);
    ck_assert_int_ge(got, 0);
    text[got] = 0;
    return text;
}

/* -- Replica servers -------------------------------------------------------------------------- */

static int made_index(uint64_t address)
{
    for (uint32_t i = 0; i < world.actor_count; i++) {
        if (world.actors[i].address == address)
            return (int) i;
    }
    return -1;
}

static uint32_t made_without(uint64_t *list, uint32_t count, uint64_t node)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (list[i] != node)
            list[kept++] = list[i];
    }
    return kept;
}

/* What src/replica/replica_config.cpp makes of a proposal: the group that it asks for, with the
 * next ballot. */
static void made_obey(const struct actor *actor, struct msg_configuration_update_request *request)
{
    for (uint32_t i = 0; i < actor->replica_count; i++) {
        const struct br_replica *replica = &actor->replicas[i];
        if (replica->table == request->config.pid.app_id
            && replica->partition == request->config.pid.partition)
            request->config.last_committed_decree = replica->committed;
    }
    uint64_t nodes[16];
    uint32_t count = request->config.secondaries.count;
    ck_assert_uint_lt(count, 15);
    if (count)
        memcpy(nodes, request->config.secondaries.items, count * sizeof *nodes);
    switch (request->type) {
    case CONFIG_ASSIGN_PRIMARY: request->config.primary = request->node; break;
    case CONFIG_UPGRADE_TO_PRIMARY:
        request->config.primary = request->node;
        count = made_without(nodes, count, request->node);
        break;
    case CONFIG_ADD_SECONDARY:
    case CONFIG_ADD_SECONDARY_FOR_LB:
        request->type = CONFIG_UPGRADE_TO_SECONDARY;
        nodes[count++] = request->node;
        break;
    case CONFIG_DOWNGRADE_TO_SECONDARY:
        request->config.primary = 0;
        nodes[count++] = request->node;
        break;
    default: count = made_without(nodes, count, request->node);
    }
    request->config.ballot++;
    request->config.secondaries = (struct wire_list){ nodes, count };
    struct buf body = { 0 };
    wire_encode(&wire_configuration_update_request, request, WIRE_PEER_25, &body);
    rdsn_client_call(world.client, world.meta.name,
                     &(struct rdsn_request){ .rpc = "RPC_CM_UPDATE_PARTITION_CONFIGURATION",
                                             .body = buf_bytes(&body),
                                             .timeout = 15 * BR_SECOND },
                     NULL, NULL);
    buf_done(&body);
}

/* A reconfiguration is under way already: src/replica/replica_config.cpp ignores the proposal. */
static bool made_seen_before(const struct proposal *proposal)
{
    for (uint32_t i = 0; i + 1 < seen.count; i++) {
        if (memcmp(&seen.list[i], proposal, sizeof *proposal) == 0)
            return true;
    }
    return false;
}

static void made_proposal(struct actor *actor, const struct rdsn_incoming *incoming)
{
    struct msg_configuration_update_request request;
    struct fail fail;
    ck_assert_msg(wire_decode(&wire_configuration_update_request, incoming->body,
                              wire_arena(&made_arena), &request, &fail)
                      == BR_OK,
                  "%s", fail.text);
    buf_clear(&seen.body);
    buf_put(&seen.body, incoming->body.data, incoming->body.size);
    seen.thread_hash = incoming->header.thread_hash;
    ck_assert_uint_lt(seen.count, PROPOSALS_MAX);
    struct proposal *proposal = &seen.list[seen.count++];
    memset(proposal, 0, sizeof *proposal);
    proposal->pid = request.config.pid;
    proposal->type = request.type;
    proposal->ballot = request.config.ballot;
    proposal->to = (int) (actor - world.actors);
    proposal->node = made_index(request.node);
    if (seen.obey && !made_seen_before(proposal))
        made_obey(actor, &request);
}

void made_actors(int count)
{
    for (int i = 0; i < count; i++) {
        struct actor *actor = world_actor();
        actor->proposal = made_proposal;
        ck_assert_int_eq(cluster_node_add(&made, actor->name, actor->address), i);
    }
}

void made_beacon(const struct actor *actor)
{
    struct msg_beacon_msg beacon;
    struct msg_beacon_ack ack;
    wire_init(&wire_beacon_msg, &beacon);
    beacon.from_node = actor->address;
    beacon.to_node = world.meta.address;
    if (actor->start_time) {
        WIRE_SET(&beacon, 4);
        beacon.start_time = actor->start_time;
    }
    world_ask("RPC_FD_FAILURE_DETECTOR_PING", &wire_beacon_msg, &beacon);
    world_decode(&wire_beacon_ack, &ack);
    ck_assert(ack.allowed);
}

void made_told(void)
{
    struct state *state = &world.meta.state;
    for (uint32_t i = 0; i < state->cluster.node_count; i++)
        state->nodes[i].held_at = loop_now(world.loop);
    guardian_scan(&world.meta);
}

static bool made_can_be_released(void)
{
    return freeze_known(&world.meta);
}

void made_released(void)
{
    made_until(made_can_be_released);
    ck_assert_str_eq(world_command("bridle.release", "test"), "OK");
    ck_assert_ptr_null(freeze_why(&world.meta));
}

void made_dead(int actor)
{
    struct detector_node *node = detector_find(&world.meta.detector, world.actors[actor].name);
    ck_assert_ptr_nonnull(node);
    node->last = 1;
    while (node->alive)
        loop_turn(world.loop);
}

/* -- The cluster ------------------------------------------------------------------------------ */

void made_table(int32_t id, int32_t partitions, int32_t replicas)
{
    static struct table tables[WORLD_TABLES_MAX];
    struct table *table = &tables[made.table_count++];
    made.tables = tables;
    *table = (struct table){ .def = { .id = id,
                                      .status = BR_TABLE_AVAILABLE,
                                      .partition_count = partitions,
                                      .replica_count = replicas,
                                      .init_partition_count = partitions,
                                      .node = -1,
                                      .flags = BR_TABLE_STATEFUL,
                                      .create_second = 1700000000,
                                      .name = id == 1 ? "temp" : "more",
                                      .type = "pegasus" } };
    table->partitions = arena_zero(&made.arena, (size_t) partitions * sizeof *table->partitions);
    for (int32_t i = 0; i < partitions; i++)
        table->partitions[i].primary = -1;
}

struct br_table *made_def(int32_t id)
{
    return &cluster_table(&made, id)->def;
}

struct partition *made_record(struct gpid pid, int64_t ballot, int primary, const int *secondaries,
                              const int *drops)
{
    struct partition *partition = &cluster_table(&made, pid.app_id)->partitions[pid.partition];
    int32_t *members = arena_alloc(&made.arena, 16 * sizeof *members);
    *partition = (struct partition){ .ballot = ballot, .primary = primary, .members = members };
    for (; secondaries && *secondaries >= 0; secondaries++)
        members[partition->secondary_count++] = *secondaries;
    for (; drops && *drops >= 0; drops++)
        members[partition->secondary_count + partition->drop_count++] = *drops;
    return partition;
}

static void made_put(struct buf *path, struct buf *value)
{
    world_put(buf_string(path), buf_string(value));
    buf_clear(path);
    buf_clear(value);
}

static void made_put_done(void *arg, struct call_answer *answer)
{
    ck_assert(answer->status == BR_OK || answer->status == BR_EXISTS);
    *(bool *) arg = true;
}

/* What may stand there already. */
static void made_put_once(const char *path)
{
    struct br_write write = { .kind = BR_CREATE, .path = path };
    const struct br_write *writes[] = { &write };
    bool done = false;
    store_commit(&world.store, writes, 1, NULL, 0, made_put_done, &done);
    world_until(&done);
}

void made_serve(const char *extra, unsigned silent)
{
    struct buf path = { 0 };
    struct buf value = { 0 };
    made_put_once("/pegasus");
    made_put_once("/pegasus/test");
    world_put("/pegasus/test/apps", LAYOUT_UNLOCK);
    for (uint32_t t = 0; t < made.table_count; t++) {
        const struct table *table = &made.tables[t];
        layout_table_path(&path, "/pegasus/test", table->def.id);
        layout_put_table(&value, &table->def, LAYOUT_25);
        made_put(&path, &value);
        for (int32_t i = 0; i < table->def.partition_count; i++) {
            layout_partition_path(&path, "/pegasus/test", table->def.id, i);
            layout_put_partition(&value, &made, table->def.id, table->def.replica_count, i,
                                 &table->partitions[i], LAYOUT_25);
            made_put(&path, &value);
        }
    }
    buf_done(&path);
    buf_done(&value);
    world_meta(extra);
    world_wait_state(META_SERVING);
    for (uint32_t i = 0; i < world.actor_count; i++) {
        if (!(silent >> i & 1))
            made_beacon(&world.actors[i]);
    }
}

const struct partition *made_now(struct gpid pid)
{
    const struct partition *partition = state_partition(&world.meta.state, pid);
    ck_assert_ptr_nonnull(partition);
    return partition;
}

int made_actor_of(int32_t node)
{
    for (uint32_t i = 0; node >= 0 && i < world.actor_count; i++) {
        if (strcmp(world.meta.state.cluster.nodes[node].name, world.actors[i].name) == 0)
            return (int) i;
    }
    return -1;
}

int made_primary(struct gpid pid)
{
    return made_actor_of(made_now(pid)->primary);
}

/* -- Asking ----------------------------------------------------------------------------------- */

const char *made_sync(int actor, const struct stored *stored, uint32_t count,
                      struct msg_configuration_query_by_node_response *ret)
{
    struct msg_configuration_query_by_node_request request;
    struct msg_replica_info infos[16];
    wire_init(&wire_configuration_query_by_node_request, &request);
    ck_assert_uint_le(count, 16);
    for (uint32_t i = 0; i < count; i++) {
        wire_init(&wire_replica_info, &infos[i]);
        infos[i].pid = stored[i].pid;
        infos[i].status = stored[i].status;
        infos[i].ballot = stored[i].ballot;
        infos[i].last_committed_decree = stored[i].decree;
        infos[i].last_prepared_decree = stored[i].decree;
    }
    request.node = world.actors[actor].address;
    request.stored_replicas = (struct wire_list){ infos, count };
    WIRE_SET(&request, 2);
    ck_assert_str_eq(
        world_ask("RPC_CM_CONFIG_SYNC", &wire_configuration_query_by_node_request, &request),
        "ERR_OK");
    world_decode(&wire_configuration_query_by_node_response, ret);
    ck_assert(!freeze_why(&world.meta) || !WIRE_HAS(ret, 3)); /* nothing is deleted */
    return ret->err;
}

static void made_update_fill(const struct group *group, uint64_t *nodes,
                             struct msg_configuration_update_request *request)
{
    uint32_t count = 0;
    wire_init(&wire_configuration_update_request, request);
    request->config.pid = group->pid;
    request->config.ballot = group->ballot;
    request->config.max_replica_count = 3;
    request->type = group->type;
    request->node = group->node >= 0 ? world.actors[group->node].address : 0;
    request->config.primary = group->primary >= 0 ? world.actors[group->primary].address : 0;
    for (; count < 8 && group->secondaries[count] >= 0; count++)
        nodes[count] = world.actors[group->secondaries[count]].address;
    request->config.secondaries = (struct wire_list){ nodes, count };
}

void made_update_body(const struct group *group, struct buf *body)
{
    struct msg_configuration_update_request request;
    uint64_t nodes[8];
    made_update_fill(group, nodes, &request);
    wire_encode(&wire_configuration_update_request, &request, WIRE_PEER_25, body);
}

const char *made_update(const struct group *group, struct msg_configuration_update_response *ret)
{
    struct msg_configuration_update_request request;
    uint64_t nodes[8];
    made_update_fill(group, nodes, &request);
    ck_assert_str_eq(world_ask("RPC_CM_UPDATE_PARTITION_CONFIGURATION",
                               &wire_configuration_update_request, &request),
                     "ERR_OK");
    world_decode(&wire_configuration_update_response, ret);
    return ret->err;
}

const char *made_level(int32_t level)
{
    struct msg_control_meta_request request;
    struct msg_control_meta_response response;
    wire_init(&wire_control_meta_request, &request);
    request.level = level;
    world_ask("RPC_CM_CONTROL_META", &wire_control_meta_request, &request);
    world_decode(&wire_control_meta_response, &response);
    return response.err;
}

const char *made_propose(struct gpid pid, const struct action *steps, uint32_t count, bool force)
{
    struct msg_configuration_balancer_request request;
    struct msg_configuration_proposal_action actions[8];
    struct msg_error_response response;
    wire_init(&wire_configuration_balancer_request, &request);
    for (uint32_t i = 0; i < count; i++) {
        wire_init(&wire_configuration_proposal_action, &actions[i]);
        actions[i].type = steps[i].type;
        actions[i].target = steps[i].target >= 0 ? world.actors[steps[i].target].address : 0;
        actions[i].node = steps[i].node >= 0 ? world.actors[steps[i].node].address : 0;
    }
    request.gpid = pid;
    request.action_list = (struct wire_list){ actions, count };
    request.force = force;
    WIRE_SET(&request, 3);
    ck_assert_str_eq(
        world_ask("RPC_CM_PROPOSE_BALANCER", &wire_configuration_balancer_request, &request),
        "ERR_OK");
    world_decode(&wire_error_response, &response);
    return response.err;
}

/* -- Waiting ---------------------------------------------------------------------------------- */

void made_until(bool (*fn)(void))
{
    br_time end = loop_now(world.loop) + 20 * BR_SECOND;
    while (!fn()) {
        ck_assert_msg(loop_now(world.loop) < end, "it did not happen within 20 s");
        loop_turn(world.loop);
    }
}

static void made_mark(void *arg)
{
    *(bool *) arg = true;
}

/* Each with everything that is there by now; the sockets' turn comes in between. */
void made_turns(int count)
{
    for (int i = 0; i < count; i++) {
        bool seen_mark = false;
        loop_after(world.loop, BR_MILLISECOND, made_mark, &seen_mark);
        while (!seen_mark)
            loop_turn(world.loop);
    }
}
