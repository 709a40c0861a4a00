/* sim_made -- see transport_sim.h: the cluster, made where it is asked for.  Pure, and whole
 * numbers only, so that every machine makes the same.
 */
#include <inttypes.h>
#include <stdio.h>

#include "plugin/transport_sim.h"

#define SIM_CREATED 1600000000 /* unix seconds: when the first table was created */
#define SIM_DAY     86400

/* What a hash is for: no two decisions share one. */
enum {
    SIM_FOR_SERVERS = 1,
    SIM_FOR_TABLES,
    SIM_FOR_COUNT,
    SIM_FOR_ROUND,
    SIM_FOR_GROUP,
    SIM_FOR_OLD,
    SIM_FOR_DELAY,
    SIM_FOR_SLOT,
    /* shares of partitions */
    SIM_FOR_LOST,
    SIM_FOR_INVERTED,
    SIM_FOR_LEARNER,
    SIM_FOR_LEFTOVER,
    SIM_FOR_SPLIT,
    SIM_FOR_OUTSIDE,
    /* shares of replicas */
    SIM_FOR_MISSING,
    SIM_FOR_STALE,
    SIM_FOR_ERROR,
    SIM_FOR_TWICE,
    SIM_FOR_BALLOT,
};

/* The finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
 */
uint64_t sim_hash(uint64_t key, uint64_t value)
{
    uint64_t z = key + (value + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t sim_key(const struct sim *sim, uint64_t what, uint64_t a, uint64_t b)
{
    return sim_hash(sim_hash((uint64_t) sim->seed, what), a << 32 | b);
}

static bool sim_share(int64_t share, uint64_t key, uint64_t what)
{
    return share > 0 && ((sim_hash(key, what) >> 32) * SIM_SHARE_MAX) >> 32 < (uint64_t) share;
}

/* -- Permutations ----------------------------------------------------------------------------- */

/* Four rounds of Feistel over the next power of four, each with 16 bits of the key, which is a
 * hash; what falls outside goes round again. */
#define SIM_FEISTEL 4

static unsigned sim_half(uint32_t count)
{
    unsigned half = 1;
    while ((UINT32_C(1) << 2 * half) < count)
        half++;
    return half;
}

static uint32_t sim_feistel(uint64_t key, unsigned half, uint32_t value, bool back)
{
    uint32_t mask = (UINT32_C(1) << half) - 1, left = value >> half, right = value & mask;
    for (unsigned i = 0; i < SIM_FEISTEL; i++) {
        unsigned part = 16 * (back ? SIM_FEISTEL - 1 - i : i);
        uint32_t other = back ? left : right;
        uint32_t mixed = (other + (uint32_t) (key >> part & 0xffff)) * UINT32_C(0x9e3779b1);
        mixed = mixed >> 15 & mask;
        if (back) {
            left = right ^ mixed;
            right = other;
        } else {
            right = left ^ mixed;
            left = other;
        }
    }
    return left << half | right;
}

static uint32_t sim_walk(uint64_t key, uint32_t count, uint32_t value, bool back)
{
    unsigned half = sim_half(count);
    do {
        value = sim_feistel(key, half, value, back);
    } while (value >= count);
    return value;
}

uint32_t sim_permute(uint64_t key, uint32_t count, uint32_t value)
{
    return sim_walk(key, count, value, false);
}

uint32_t sim_permute_back(uint64_t key, uint32_t count, uint32_t value)
{
    return sim_walk(key, count, value, true);
}

/* The first of the counts in which a rank falls, from 1; 0: in none. */
static int sim_which(int64_t rank, const int64_t *counts, int size)
{
    for (int i = 0; i < size; i++) {
        if (rank < counts[i])
            return i + 1;
        rank -= counts[i];
    }
    return 0;
}

/* -- Servers ---------------------------------------------------------------------------------- */

enum sim_server sim_server_fault(const struct sim *sim, uint32_t server)
{
    const int64_t counts[] = { sim->down, sim->silent,     sim->refusing,
                               sim->cut,  sim->restarting, sim->slow };
    uint32_t rank =
        sim_permute(sim_key(sim, SIM_FOR_SERVERS, 0, 0), (uint32_t) sim->servers, server);
    return (enum sim_server) sim_which(rank, counts, SIM_SERVER_SLOW);
}

/* How many halvings a random number is below 1, in 2^32nds, less one third: on average 2^32. */
static uint64_t sim_halvings(uint64_t number)
{
    uint64_t whole = 1, top = number | 1;
    while (!(top >> 63)) {
        top <<= 1;
        whole++;
    }
    return ((whole << 32) - (top << 1 >> 32)) / 3 * 2;
}

br_time sim_delay(const struct sim *sim, uint32_t server, int kind, uint32_t nth)
{
    bool slow = sim_server_fault(sim, server) == SIM_SERVER_SLOW;
    uint64_t mean = (uint64_t) (slow ? sim->slow_latency : sim->latency) / 1000; /* microseconds */
    uint64_t number = sim_hash(sim_key(sim, SIM_FOR_DELAY, server, (uint64_t) kind), nth);
    switch (sim->spread) {
    case SIM_EVEN: mean = 2 * mean * (number >> 32) >> 32; break;
    case SIM_LONG: mean = (mean * (sim_halvings(number) >> 8)) >> 24; break;
    default: break;
    }
    return (br_time) (mean * 1000);
}

/* -- Tables ----------------------------------------------------------------------------------- */

enum sim_table sim_table_fault(const struct sim *sim, int32_t table)
{
    const int64_t counts[] = { sim->dropped, sim->forgotten,   sim->undescribed,
                               sim->renamed, sim->conflicting, sim->namesakes };
    uint32_t rank = sim_permute(sim_key(sim, SIM_FOR_TABLES, 0, 0), (uint32_t) sim->tables,
                                (uint32_t) table - 1);
    return (enum sim_table) sim_which(rank, counts, SIM_TABLE_NAMESAKE);
}

int32_t sim_partition_count(const struct sim *sim, int32_t table)
{
    if (sim->partitions_max <= sim->partitions)
        return (int32_t) sim->partitions;
    uint64_t span = (uint64_t) (sim->partitions_max - sim->partitions + 1);
    uint64_t number = sim_key(sim, SIM_FOR_COUNT, (uint64_t) table, 0) >> 32;
    return (int32_t) (sim->partitions + (int64_t) (number * span >> 32));
}

int32_t sim_rounds(const struct sim *sim, int32_t table)
{
    return (int32_t) ((sim_partition_count(sim, table) + sim->servers - 1) / sim->servers);
}

/* A server that missed what happened to the table since. */
static bool sim_old(const struct sim *sim, int32_t table, uint32_t server)
{
    return sim_key(sim, SIM_FOR_OLD, (uint64_t) table, server) % 4 == 0;
}

void sim_table(const struct sim *sim, int32_t table, uint32_t server, char name[SIM_NAME_MAX],
               struct br_table *ret)
{
    enum sim_table fault = sim_table_fault(sim, table);
    bool old = sim_old(sim, table, server);
    *ret = (struct br_table){ .id = table,
                              .status = BR_TABLE_AVAILABLE,
                              .partition_count = sim_partition_count(sim, table),
                              .replica_count = (int32_t) sim->replicas,
                              .init_partition_count = -1,
                              .flags = BR_TABLE_STATEFUL,
                              .create_second = SIM_CREATED + table,
                              .name = name,
                              .type = "pegasus" };
    snprintf(name, SIM_NAME_MAX, "table_%" PRId32, table);
    if (fault == SIM_TABLE_DROPPED) {
        ret->status = BR_TABLE_DROPPED;
        ret->drop_second = ret->create_second + SIM_DAY;
        ret->expire_second = ret->drop_second + 7 * SIM_DAY;
    } else if (fault == SIM_TABLE_RENAMED && old) {
        snprintf(name, SIM_NAME_MAX, "old_%" PRId32, table);
    } else if (fault == SIM_TABLE_CONFLICTING && old) {
        ret->create_second -= SIM_DAY;
    } else if (fault == SIM_TABLE_NAMESAKE) {
        snprintf(name, SIM_NAME_MAX, "namesake");
    }
}

/* -- Partitions ------------------------------------------------------------------------------- */

uint32_t sim_slots(const struct sim *sim)
{
    return (uint32_t) sim->replicas + (sim->learners || sim->leftovers ? 1 : 0);
}

static uint64_t sim_round_key(const struct sim *sim, int32_t table, int32_t round)
{
    return sim_key(sim, SIM_FOR_ROUND, (uint64_t) table, (uint64_t) round);
}

uint32_t sim_slot_server(const struct sim *sim, int32_t table, int32_t partition, uint32_t slot)
{
    uint32_t count = (uint32_t) sim->servers, place = (uint32_t) partition % count + slot;
    uint64_t key = sim_round_key(sim, table, (int32_t) ((uint32_t) partition / count));
    return sim_permute(key, count, place % count);
}

uint32_t sim_place(const struct sim *sim, int32_t table, int32_t round, uint32_t server)
{
    return sim_permute_back(sim_round_key(sim, table, round), (uint32_t) sim->servers, server);
}

int32_t sim_slot_partition(const struct sim *sim, int32_t table, int32_t round, uint32_t place,
                           uint32_t slot)
{
    uint32_t count = (uint32_t) sim->servers;
    int64_t partition = (int64_t) round * count + (place + count - slot) % count;
    return partition < sim_partition_count(sim, table) ? (int32_t) partition : -1;
}

void sim_group(const struct sim *sim, int32_t table, int32_t partition, struct sim_group *ret)
{
    uint64_t hash = sim_key(sim, SIM_FOR_GROUP, (uint64_t) table, (uint64_t) partition);
    int64_t committed = 4000 + (int64_t) (hash >> 32);
    *ret = (struct sim_group){
        .ballot = 5 + (int64_t) (hash % 20),
        .committed = committed,
        .prepared = committed + (int64_t) (hash / 20 % 4),
        .hash = hash,
        .lost = sim_share(sim->lost, hash, SIM_FOR_LOST),
        .inverted = sim_share(sim->inverted, hash, SIM_FOR_INVERTED),
        .learner = sim_share(sim->learners, hash, SIM_FOR_LEARNER),
        .leftover = sim_share(sim->leftovers, hash, SIM_FOR_LEFTOVER),
        .split = sim_share(sim->splits, hash, SIM_FOR_SPLIT),
        .outside = sim_share(sim->outside, hash, SIM_FOR_OUTSIDE),
    };
}

/* -- Replicas --------------------------------------------------------------------------------- */

/* It lacks the end of what was acknowledged: `number` decides how much. */
static void sim_behind(struct br_replica *row, int64_t ballot, uint64_t number)
{
    row->ballot = ballot;
    row->committed -= 100 + (int64_t) (number % 1000);
    row->prepared = row->committed + (int64_t) (number / 1000 % 4);
    row->durable = row->committed - (int64_t) (number >> 32) % 100;
}

/* false: there is none.  The last slot is nobody's unless somebody learns or was left behind. */
static bool sim_row(const struct sim *sim, const struct sim_group *group, uint32_t slot,
                    uint64_t number, struct br_replica *row)
{
    bool member = slot < (uint32_t) sim->replicas;
    bool primary = slot == 0, serving = sim->roles == SIM_SERVING;
    if (member ? sim_share(sim->missing, number, SIM_FOR_MISSING)
               : !group->learner && !group->leftover)
        return false;
    row->role = !serving ? BR_ROLE_INACTIVE : primary ? BR_ROLE_PRIMARY : BR_ROLE_SECONDARY;
    row->ballot = group->ballot;
    row->committed = group->committed - (primary ? 0 : (int64_t) (number % 2));
    row->prepared = group->prepared;
    row->durable = row->committed - (int64_t) (number >> 32) % 100;
    if (!member) {
        row->role = serving && group->learner ? BR_ROLE_LEARNER : BR_ROLE_INACTIVE;
        sim_behind(row, group->ballot - (group->learner ? 0 : 1), number);
    } else if (sim_share(sim->stale, number, SIM_FOR_STALE)) {
        row->role = BR_ROLE_INACTIVE;
        sim_behind(row, group->ballot - 1 - (int64_t) (number % 4), number / 4);
    } else if (primary && group->inverted) {
        sim_behind(row, group->ballot + 1, number);
    }
    if (member && sim_share(sim->errors, number, SIM_FOR_ERROR))
        row->role = BR_ROLE_ERROR;
    return true;
}

/* The child of a split has what its parent has, under an index that its table does not have yet; so
 * has what an unfinished split of long ago left behind, but for its status. */
static void sim_child(const struct sim_group *group, int32_t partitions, struct br_replica *row)
{
    row->partition += partitions;
    row->role = group->split ? BR_ROLE_SPLIT : BR_ROLE_INACTIVE;
}

uint32_t sim_rows(const struct sim *sim, int32_t table, int32_t partition,
                  const struct sim_group *group, uint32_t slot,
                  struct br_replica ret_rows[SIM_ROWS_MAX])
{
    static const char *const disks[SIM_DISKS_MAX] = { "ssd1", "ssd2", "ssd3", "ssd4",
                                                      "ssd5", "ssd6", "ssd7", "ssd8" };
    uint64_t number = sim_hash(group->hash, (uint64_t) slot << 8 | SIM_FOR_SLOT);
    struct br_replica *row = ret_rows, *next = ret_rows + 1;
    *row = (struct br_replica){ .table = table,
                                .partition = partition,
                                .type = "pegasus",
                                .disk = disks[(number >> 16) % (uint64_t) sim->disks] };
    if (group->lost || !sim_row(sim, group, slot, number, row))
        return 0;
    if (sim_share(sim->twice, number, SIM_FOR_TWICE)) {
        *next = *row;
        sim_behind(next++, row->ballot - 1, number);
    }
    if (slot < (uint32_t) sim->replicas && (group->split || (group->outside && slot == 0))) {
        *next = *row;
        sim_child(group, sim_partition_count(sim, table), next++);
    }
    if (sim_share(sim->no_ballot, number, SIM_FOR_BALLOT))
        row->ballot = BR_BALLOT_INVALID;
    return (uint32_t) (next - ret_rows);
}
