/* policy_made -- see policy.h.  Numbers are small, so that equal ballots, equal decrees and
 * conflicts are frequent.
 */
#include "host/conform/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct made_page {
    struct made_page *next;
    void *memory;
    size_t size;
};

static uint32_t made_below(uint64_t *state, uint32_t limit)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t) (*state >> 33) % limit;
}

static void *made_alloc(struct made *made, enum made_how how, size_t size)
{
    if (how != MADE_SEALED || size == 0)
        return arena_zero(&made->arena, size);
    struct made_page *page = arena_alloc(&made->arena, sizeof *page);
    *page = (struct made_page){ made->pages, conform_guarded(size), size };
    made->pages = page;
    return page->memory;
}

static void made_seal(const struct made *made)
{
    for (const struct made_page *page = made->pages; page; page = page->next)
        conform_read_only(page->memory, page->size);
}

void made_free(struct made *made)
{
    for (const struct made_page *page = made->pages; page; page = page->next)
        conform_unguard(page->memory, page->size);
    arena_done(&made->arena);
    free(made);
}

static struct made *made_new(void)
{
    struct made *made = mem_new(sizeof *made);
    arena_init(&made->arena, 0);
    return made;
}

static const char *const *made_nodes(struct made *made, enum made_how how, const int32_t *label)
{
    const char **nodes = made_alloc(made, how, BR_REPLICAS_MAX * sizeof *nodes);
    for (int i = 0; i < BR_REPLICAS_MAX; i++) {
        char *name = arena_alloc(&made->arena, 32);
        snprintf(name, 32, "10.0.0.%d:34801", label[i] + 1);
        nodes[i] = name;
    }
    return nodes;
}

/* -- Partitions ------------------------------------------------------------------------------- */

static struct br_replica made_replica(uint64_t *state, int32_t node)
{
    struct br_replica row = {
        .node = node, .table = 2, .partition = 1, .type = "pegasus", .disk = "ssd"
    };
    row.role = (br_role) made_below(state, BR_ROLE_SPLIT + 1);
    row.ballot = made_below(state, 4);
    row.committed = (int64_t) made_below(state, 5) - 1;
    row.prepared = row.committed + made_below(state, 3);
    row.durable = row.committed > 0 ? row.committed - 1 : row.committed;
    return row;
}

/* Each ballot once, the decrees in its order: there is one answer. */
static struct br_replica made_distinct(int32_t rank, int32_t node)
{
    return (struct br_replica){ .node = node,
                                .table = 2,
                                .partition = 1,
                                .role = BR_ROLE_INACTIVE,
                                .ballot = 3 + rank,
                                .committed = 100 + 10 * rank,
                                .prepared = 101 + 10 * rank,
                                .durable = 100 + 10 * rank,
                                .type = "pegasus",
                                .disk = "ssd" };
}

static uint32_t made_count(uint64_t *state, uint32_t seed)
{
    return seed % 50 == 49 ? BR_REPLICAS_MAX : made_below(state, 6);
}

/* label[i]: which node stands at place i. */
static void made_shuffle(uint64_t *state, int32_t *label, uint32_t count)
{
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = made_below(state, i);
        int32_t swap = label[i - 1];
        label[i - 1] = label[j];
        label[j] = swap;
    }
}

struct made *made_partition(uint32_t seed, enum made_how how)
{
    struct made *made = made_new();
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    uint32_t count = made_count(&state, seed);
    bool distinct = how == MADE_DISTINCT || how == MADE_PERMUTED;
    struct br_replica *rows = made_alloc(made, how, count * sizeof *rows);
    const struct br_replica **list = made_alloc(made, how, count * sizeof *list);
    int32_t rank[BR_REPLICAS_MAX];
    for (int32_t i = 0; i < BR_REPLICAS_MAX; i++)
        rank[i] = made->label[i] = i;
    made_shuffle(&state, rank, count);
    if (how == MADE_PERMUTED)
        made_shuffle(&state, made->label, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = how == MADE_BACKWARDS ? count - 1 - i : i;
        rows[at] = distinct ? made_distinct(rank[made->label[i]], (int32_t) i)
                            : made_replica(&state, (int32_t) i);
        list[i] = &rows[at];
    }
    made->def = (struct br_table){ .node = -1,
                                   .id = 2,
                                   .status = BR_TABLE_AVAILABLE,
                                   .partition_count = 4,
                                   .replica_count = 3,
                                   .init_partition_count = -1,
                                   .flags = BR_TABLE_STATEFUL,
                                   .name = "temp",
                                   .type = "pegasus" };
    made->partition = (struct br_partition_evidence){
        .table = &made->def,
        .partition = 1,
        .replica_count = count,
        .replicas = list,
        .silent_count = distinct ? 0 : made_below(&state, 3),
        .nodes = made_nodes(made, how, made->label),
    };
    made_seal(made);
    return made;
}

/* -- Tables ----------------------------------------------------------------------------------- */

static struct br_table made_claim(struct made *made, enum made_how how, uint64_t *state,
                                  bool conflicts, int32_t node)
{
    static const char *const names[] = { "temp", "users", "temp-2" };
    struct br_table row = { .node = node,
                            .id = 2,
                            .status = BR_TABLE_AVAILABLE,
                            .partition_count = 4,
                            .replica_count = 3,
                            .init_partition_count = -1,
                            .flags = BR_TABLE_STATEFUL,
                            .create_second = 1600000000,
                            .name = names[0],
                            .type = "pegasus" };
    const char **envs = made_alloc(made, how, 4 * sizeof *envs);
    for (int i = 0; i < 4; i++)
        envs[i] = i % 2 ? "100" : i ? "rocksdb.usage_scenario" : "replica.slow_query_threshold";
    row.envs = envs;
    row.env_count = made_below(state, 3);
    if (!conflicts)
        return row;
    row.name = names[made_below(state, 3)];
    row.replica_count = 3 + (int32_t) made_below(state, 2);
    row.partition_count = made_below(state, 4) ? 4 : 8;
    if (made_below(state, 4) == 0) {
        row.status = BR_TABLE_DROPPED;
        row.expire_second = 1700000000;
    }
    return row;
}

struct made *made_table(uint32_t seed, enum made_how how)
{
    struct made *made = made_new();
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 2;
    uint32_t count = seed % 10 == 9 ? 0 : 1 + made_below(&state, 5);
    bool conflicts = seed % 2;
    struct br_table *rows = made_alloc(made, how, count * sizeof *rows);
    const struct br_table **list = made_alloc(made, how, count * sizeof *list);
    int32_t label[BR_REPLICAS_MAX];
    for (int32_t i = 0; i < BR_REPLICAS_MAX; i++)
        label[i] = i;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = how == MADE_BACKWARDS ? count - 1 - i : i;
        rows[at] = made_claim(made, how, &state, conflicts, (int32_t) i);
        list[i] = &rows[at];
    }
    made->table = (struct br_table_evidence){
        .id = 2,
        .placeholder = count == 0,
        .claim_count = count,
        .claims = list,
        .now_second = 1700000000,
        .nodes = made_nodes(made, how, label),
    };
    made_seal(made);
    return made;
}
