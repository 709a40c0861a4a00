/* state -- see state.h.  Member lists are cells of whole eight bytes, reused by size: a list that
 * came with the loaded cluster has room for at least what it holds, so that it joins them.
 */
#include "host/meta/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/mem.h"

const char *config_type_name(int32_t type)
{
    static const char *const names[] = {
        "CT_INVALID",
        "CT_ASSIGN_PRIMARY",
        "CT_UPGRADE_TO_PRIMARY",
        "CT_ADD_SECONDARY",
        "CT_UPGRADE_TO_SECONDARY",
        "CT_DOWNGRADE_TO_SECONDARY",
        "CT_DOWNGRADE_TO_INACTIVE",
        "CT_REMOVE",
        "CT_ADD_SECONDARY_FOR_LB",
        "CT_PRIMARY_FORCE_UPDATE_BALLOT",
        "CT_DROP_PARTITION",
        "CT_REGISTER_CHILD",
    };
    bool known = type >= 0 && type < (int32_t) (sizeof names / sizeof *names);
    return known ? names[type] : "an unknown type";
}

/* -- Member lists ----------------------------------------------------------------------------- */

static uint32_t state_members(const struct partition *partition)
{
    return (uint32_t) partition->secondary_count + partition->drop_count;
}

static int32_t *state_cell(struct state *state, uint32_t count)
{
    uint32_t class = (count + 1) / 2;
    void *cell = state->spare[class];
    if (count == 0)
        return NULL;
    if (cell)
        memcpy(&state->spare[class], cell, sizeof cell);
    else
        cell = arena_alloc(&state->cluster.arena, (size_t) class * 8);
    return cell;
}

static void state_cell_free(struct state *state, const int32_t *members, uint32_t count)
{
    uint32_t class = (count + 1) / 2;
    if (count == 0 || count > STATE_MEMBERS_MAX)
        return;
    void *cell = (void *) (uintptr_t) members;
    memcpy(cell, &state->spare[class], sizeof cell);
    state->spare[class] = cell;
}

int64_t state_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* -- Making and freeing ----------------------------------------------------------------------- */

void state_init(struct state *state)
{
    *state = (struct state){ 0 };
    cluster_init(&state->cluster);
}

static void state_cure_free(struct cure *cure)
{
    free(cure->drops);
    free(cure->text);
    free(cure);
}

static void state_table_done(struct state_table *table, int32_t partitions)
{
    for (int32_t i = 0; table->cures && i < partitions; i++) {
        if (table->cures[i])
            state_cure_free(table->cures[i]);
    }
    free(table->cures);
    free(table->shares);
    buf_done(&table->routes[0]);
    buf_done(&table->routes[1]);
}

static void state_node_done(struct state_node *node)
{
    set64_done(&node->partitions);
    set64_done(&node->garbage);
    set64_done(&node->left);
    free(node->held);
}

void state_done(struct state *state)
{
    for (uint32_t i = 0; i < state->cluster.table_count; i++)
        state_table_done(&state->tables[i], state->cluster.tables[i].def.partition_count);
    for (uint32_t i = 0; i < state->cluster.node_count; i++)
        state_node_done(&state->nodes[i]);
    free(state->tables);
    free(state->nodes);
    cluster_done(&state->cluster);
    state_init(state);
}

/* Nodes may have been added to the cluster: as many beside them. */
static void state_nodes_grow(struct state *state)
{
    uint32_t count = state->cluster.node_count;
    if (count <= state->node_cap)
        return;
    uint32_t cap = state->node_cap ? state->node_cap : 16;
    while (cap < count)
        cap *= 2;
    state->nodes = mem_grow(state->nodes, cap * sizeof *state->nodes);
    memset(state->nodes + state->node_cap, 0, (cap - state->node_cap) * sizeof *state->nodes);
    state->node_cap = cap;
}

/* -- What nodes carry ------------------------------------------------------------------------- */

/* Room for every node there is. */
static void state_shares_grow(const struct state *state, struct state_table *live)
{
    uint32_t had = live->share_count;
    if (live->shares && state->cluster.node_count <= had)
        return;
    live->share_count = state->node_cap + 1; /* never none */
    live->shares = mem_grow(live->shares, live->share_count * sizeof *live->shares);
    memset(live->shares + had, 0, (live->share_count - had) * sizeof *live->shares);
}

/* What has not been counted yet will be as it is then. */
static void state_share(struct state *state, int32_t table, int32_t partition, int32_t node,
                        int32_t primaries, int32_t replicas)
{
    struct state_table *live = &state->tables[table];
    if (partition >= live->shared)
        return;
    if ((uint32_t) node >= live->share_count)
        state_shares_grow(state, live);
    live->shares[node].primaries += (uint32_t) primaries;
    live->shares[node].replicas += (uint32_t) replicas;
}

static void state_carry(struct state *state, int32_t table, struct gpid pid,
                        const struct partition *partition, bool add)
{
    uint64_t key = state_key(pid);
    int32_t step = add ? 1 : -1;
    for (int i = -1; i < partition->secondary_count; i++) {
        int32_t node = i < 0 ? partition->primary : partition->members[i];
        if (node < 0)
            continue;
        struct state_node *live = &state->nodes[node];
        bool changed =
            add ? set64_add(&live->partitions, key) : set64_remove(&live->partitions, key);
        if (changed)
            state_share(state, table, pid.partition, node, i < 0 ? step : 0, step);
        if (i < 0)
            live->primaries += (uint32_t) step;
    }
}

void state_take(struct state *state, struct cluster *cluster)
{
    assert(state->cluster.table_count == 0 && !state->tables);
    cluster_done(&state->cluster);
    state->cluster = *cluster;
    cluster_init(cluster);
    uint32_t count = state->cluster.table_count;
    state->table_cap = count + 1;
    state->tables = mem_array(state->table_cap, sizeof *state->tables);
    state_nodes_grow(state);
    for (uint32_t t = 0; t < count; t++) {
        const struct table *table = &state->cluster.tables[t];
        int32_t partitions = table->def.partition_count;
        state->tables[t].cures = mem_array((size_t) partitions, sizeof(struct cure *));
        for (int32_t i = 0; i < partitions; i++)
            state_carry(state, (int32_t) t, (struct gpid){ table->def.id, i },
                        &table->partitions[i], true);
    }
}

bool state_shares_more(struct state *state, int32_t table, uint32_t *most)
{
    struct state_table *live = &state->tables[table];
    const struct table *stored = &state->cluster.tables[table];
    state_shares_grow(state, live);
    for (; *most > 0 && live->shared < stored->def.partition_count; --*most) {
        int32_t index = live->shared++;
        const struct partition *partition = &stored->partitions[index];
        if (partition->primary >= 0)
            state_share(state, table, index, partition->primary, 1, 1);
        for (int s = 0; s < partition->secondary_count; s++)
            state_share(state, table, index, partition->members[s], 0, 1);
    }
    return live->shared == stored->def.partition_count;
}

const struct share *state_shares(struct state *state, int32_t table)
{
    uint32_t most = UINT32_MAX;
    state_shares_more(state, table, &most);
    return state->tables[table].shares;
}

/* -- Looking up ------------------------------------------------------------------------------- */

int32_t state_table(const struct state *state, int32_t id)
{
    const struct table *table = cluster_table(&state->cluster, id);
    return table ? (int32_t) (table - state->cluster.tables) : -1;
}

struct partition *state_partition(const struct state *state, struct gpid pid)
{
    const struct table *table = cluster_table(&state->cluster, pid.app_id);
    if (!table || pid.partition < 0 || pid.partition >= table->def.partition_count)
        return NULL;
    return &table->partitions[pid.partition];
}

struct cure *state_cure(const struct state *state, struct gpid pid)
{
    int32_t table = state_table(state, pid.app_id);
    if (table < 0 || pid.partition < 0
        || pid.partition >= state->cluster.tables[table].def.partition_count)
        return NULL;
    return state->tables[table].cures[pid.partition];
}

struct cure *state_cure_make(struct state *state, struct gpid pid)
{
    int32_t table = state_table(state, pid.app_id);
    assert(table >= 0);
    struct cure **place = &state->tables[table].cures[pid.partition];
    if (!*place) {
        *place = mem_new(sizeof **place);
        (*place)->pid = pid;
        (*place)->preferred = -1;
    }
    return *place;
}

void state_cure_settle(struct state *state, struct cure *cure)
{
    if (cure->change || cure->action_count || cure->waits || cure->dirty || cure->asleep
        || cure->ddd || cure->starved || cure->kept || cure->drop_count)
        return;
    int32_t table = state_table(state, cure->pid.app_id);
    state->tables[table].cures[cure->pid.partition] = NULL;
    state_cure_free(cure);
}

int32_t state_node(struct state *state, const char *name, uint64_t address)
{
    int32_t node = cluster_node_add(&state->cluster, name, address);
    state_nodes_grow(state);
    return node;
}

void state_set_alive(struct state *state, int32_t node, bool alive)
{
    state->nodes[node].alive = alive;
    state->unhealthy_hint++;
}

int32_t state_replica_count(const struct state *state, struct gpid pid)
{
    const struct table *table = cluster_table(&state->cluster, pid.app_id);
    const struct partition *partition = &table->partitions[pid.partition];
    return partition->replica_count ? partition->replica_count : table->def.replica_count;
}

bool state_healthy(const struct state *state, struct gpid pid)
{
    const struct partition *partition = state_partition(state, pid);
    return partition->primary >= 0
           && partition->secondary_count + 1 >= state_replica_count(state, pid);
}

/* -- Changing --------------------------------------------------------------------------------- */

static void state_touch(struct state *state, int32_t table)
{
    state->unhealthy_hint++;
    buf_clear(&state->tables[table].routes[0]);
    buf_clear(&state->tables[table].routes[1]);
}

void state_set_partition(struct state *state, struct gpid pid, const struct partition *next)
{
    int32_t table = state_table(state, pid.app_id);
    struct partition *place = state_partition(state, pid);
    assert(place && state_members(next) <= STATE_MEMBERS_MAX);
    uint32_t count = state_members(next);
    int32_t *members = state_cell(state, count);
    if (count)
        memcpy(members, next->members, count * sizeof *members);
    state_carry(state, table, pid, place, false);
    state_cell_free(state, place->members, state_members(place));
    *place = *next;
    place->members = members;
    state_carry(state, table, pid, place, true);
    state_touch(state, table);
}

static const char *state_text(struct state *state, const char *text)
{
    return text ? arena_text(&state->cluster.arena, text, strlen(text)) : NULL;
}

static void state_copy_def(struct state *state, struct br_table *to, const struct br_table *def)
{
    *to = *def;
    to->node = -1;
    to->name = state_text(state, def->name);
    to->type = state_text(state, def->type);
    const char **envs =
        arena_alloc(&state->cluster.arena, 2 * (size_t) def->env_count * sizeof *envs);
    for (size_t i = 0; i < 2 * (size_t) def->env_count; i++)
        envs[i] = state_text(state, def->envs[i]);
    to->envs = envs;
}

void state_set_def(struct state *state, int32_t table, const struct br_table *def)
{
    struct br_table *place = &state->cluster.tables[table].def;
    assert(place->id == def->id && place->partition_count == def->partition_count);
    struct br_table old = *place; /* what did not change keeps its memory */
    struct br_table now = *def;
    bool same_envs = now.envs == old.envs && now.env_count == old.env_count;
    bool same_name = now.name == old.name || strcmp(now.name, old.name) == 0;
    if (same_envs)
        now.env_count = 0;
    if (same_name)
        now.name = NULL;
    state_copy_def(state, place, &now);
    if (same_envs) {
        place->envs = old.envs;
        place->env_count = old.env_count;
    }
    if (same_name)
        place->name = old.name;
    state_touch(state, table);
}

static void state_tables_grow(struct state *state)
{
    struct cluster *cluster = &state->cluster;
    uint32_t count = cluster->table_count;
    if (count + 1 < state->table_cap && state->table_cap > 0)
        return;
    uint32_t cap = count < 8 ? 16 : count * 2;
    struct table *tables = arena_alloc(&cluster->arena, cap * sizeof *tables);
    if (count)
        memcpy(tables, cluster->tables, count * sizeof *tables);
    cluster->tables = tables;
    state->tables = mem_grow(state->tables, cap * sizeof *state->tables);
    state->table_cap = cap;
}

int32_t state_add_table(struct state *state, const struct br_table *def)
{
    struct cluster *cluster = &state->cluster;
    uint32_t count = cluster->table_count;
    uint64_t partitions = cluster_partition_count(cluster) + (uint64_t) def->partition_count;
    assert(count == 0 || cluster->tables[count - 1].def.id < def->id);
    if (count == BR_TABLES_MAX || partitions > CLUSTER_PARTITIONS_MAX)
        return -1;
    state_tables_grow(state);
    struct table *table = &cluster->tables[count];
    size_t size = (size_t) def->partition_count;
    state_copy_def(state, &table->def, def);
    table->partitions = arena_zero(&cluster->arena, size * sizeof *table->partitions);
    for (size_t i = 0; i < size; i++)
        table->partitions[i].primary = -1;
    state->tables[count] =
        (struct state_table){ .known = true, .cures = mem_array(size, sizeof(struct cure *)) };
    cluster->table_count++;
    state->unhealthy_hint++;
    return (int32_t) count;
}
