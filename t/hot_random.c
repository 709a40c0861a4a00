/* hot_random -- thousands of small random clusters, mostly healthy, against the definition written
 * down again: every pair of reports compared, and cold servers spread until nothing changes.
 */
#include <stdlib.h>
#include <string.h>

#include "t/hot.h"

#define RANDOM_NODES      8
#define RANDOM_PARTITIONS 6
#define RANDOM_CASES      1000 /* of each test */

static bool random_rarely(struct random *random)
{
    return random_below(random, 60) == 0;
}

/* -- Clusters -----------------------------------------------------------------------------------
 */

static void random_group(struct hot_kit *kit, struct random *random, int32_t partition,
                         int32_t replicas)
{
    int32_t nodes[RANDOM_NODES + 1];
    int32_t count = 0;
    int32_t island = (int32_t) random_below(random, 2) * RANDOM_NODES / 2;
    int32_t start = (int32_t) random_below(random, RANDOM_NODES / 2);
    for (; count < replicas; count++)
        nodes[count] = island + (start + count) % (RANDOM_NODES / 2);
    nodes[count] = -1;
    if (random_rarely(random))
        return;
    hot_kit_group(kit, 1, partition, nodes);
    if (random_below(random, 10) == 0) {
        int32_t extra = island + (start + count) % (RANDOM_NODES / 2);
        kit_replica(&kit->kit, extra, 1, partition, HOT_BALLOT - (int32_t) random_below(random, 2),
                    1, 1)
            ->role = (br_role) random_below(random, 8);
    }
}

static void random_spoil_row(struct random *random, struct br_replica *replica)
{
    if (random_rarely(random))
        replica->role = (br_role) random_below(random, 8);
    if (random_rarely(random))
        replica->ballot += (int64_t) random_below(random, 3) - 1;
    if (random_rarely(random))
        replica->ballot = -1;
    if (random_rarely(random))
        replica->committed += (int64_t) random_below(random, 5) - 2;
    if (random_rarely(random))
        replica->prepared += (int64_t) random_below(random, 5) - 2;
    if (random_below(random, 600) == 0)
        replica->partition = (int32_t) random_below(random, 2 * RANDOM_PARTITIONS + 2);
    if (random_below(random, 600) == 0)
        replica->table = 2;
}

static void random_spoil_rows(struct random *random, struct kit_node *nodes)
{
    for (int i = 0; i < RANDOM_NODES; i++) {
        for (uint32_t j = 0; j < nodes[i].replica_count; j++)
            random_spoil_row(random, &nodes[i].replicas[j]);
        if (nodes[i].replica_count && random_below(random, 200) == 0)
            nodes[i].replica_count--;
    }
}

static void random_spoil_server(struct random *random, struct hot_server *server)
{
    switch (random_below(random, 150)) {
    case 0: server->beacon = NULL; break;
    case 1: server->beacon = "other:1"; break;
    case 2: server->acked_since = 0; break;
    case 3: server->acked_since = HOT_ANSWER + random_below(random, 2); break;
    case 4: server->stopped = true; break;
    case 5: server->returned = true; break;
    case 6: server->asked_again_at = HOT_ANSWER - random_below(random, 2); break;
    case 7: server->last_ack = HOT_NOW - HOT_GRACE - random_below(random, 2); break;
    default: break;
    }
}

static void random_spoil(struct hot_kit *kit, struct random *random)
{
    random_spoil_rows(random, kit->kit.nodes);
    hot_kit_again(kit);
    random_spoil_rows(random, kit->again);
    for (int i = 0; i < RANDOM_NODES; i++)
        random_spoil_server(random, &kit->servers[i]);
    if (random_below(random, 40) == 0)
        kit_silent(&kit->kit, (int32_t) random_below(random, RANDOM_NODES), "ERR_TIMEOUT");
    if (random_below(random, 40) == 0)
        kit->second.nodes[random_below(random, RANDOM_NODES)].complete = false;
    kit->strangers[0] = (struct hot_stranger){ "10.1.1.1:1", HOT_NOW };
    kit->request.stranger_count = random_below(random, 40) == 0;
    kit->request.all_cold = random_below(random, 40) == 0;
    kit->request.motion = random_below(random, 40) == 0;
}

static void random_cluster(struct hot_kit *kit, struct random *random)
{
    int32_t replicas = 1 + (int32_t) random_below(random, 3);
    hot_kit_init(kit, RANDOM_NODES, NULL);
    for (int32_t i = 0; i < RANDOM_NODES; i++)
        kit_table(&kit->kit, i, 1, "t", RANDOM_PARTITIONS)->replica_count = replicas;
    for (int32_t i = 0; i < RANDOM_PARTITIONS; i++)
        random_group(kit, random, i, replicas);
    random_spoil(kit, random);
}

/* -- The definition again ------------------------------------------------------------------------
 */

struct naive {
    const struct hot_kit *kit;
    bool whole[RANDOM_PARTITIONS];
    bool cold[RANDOM_NODES];
    bool busy[RANDOM_NODES];
};

/* The rows that a node shows in a round: none where it is silent. */
static uint32_t naive_rows(const struct hot_kit *kit, int round, int node,
                           const struct br_replica **ret_rows)
{
    const struct survey *survey = round ? &kit->second : &kit->kit.survey;
    const struct kit_node *nodes = round ? kit->again : kit->kit.nodes;
    *ret_rows = nodes[node].replicas;
    return survey->nodes[node].complete ? nodes[node].replica_count : 0;
}

/* How many reports a node makes of a partition, and the last of them. */
static int naive_reports(const struct hot_kit *kit, int round, int node, int32_t partition,
                         const struct br_replica **ret_report)
{
    const struct br_replica *rows;
    uint32_t count = naive_rows(kit, round, node, &rows);
    int found = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].table != 1 || rows[i].partition != partition)
            continue;
        found++;
        *ret_report = &rows[i];
    }
    return found;
}

static bool naive_is_claim(const struct br_replica *row)
{
    return row->role == BR_ROLE_PRIMARY || row->role == BR_ROLE_SECONDARY
           || row->role == BR_ROLE_LEARNER;
}

static bool naive_claims(const struct hot_kit *kit, int node, bool only_primary)
{
    for (int round = 0; round < 2; round++) {
        const struct br_replica *rows;
        uint32_t count = naive_rows(kit, round, node, &rows);
        for (uint32_t i = 0; i < count; i++)
            if (only_primary ? rows[i].role == BR_ROLE_PRIMARY : naive_is_claim(&rows[i]))
                return true;
    }
    return false;
}

static bool naive_obeys(const struct hot_kit *kit, int node)
{
    const struct hot_server *server = &kit->servers[node];
    return (!server->beacon || server->stopped || server->returned)
           && naive_claims(kit, node, true);
}

/* Is one of its replicas, or one that may be its child, the child of a split? */
static bool naive_split(const struct hot_kit *kit, int32_t partition)
{
    for (int at = 0; at < 2 * RANDOM_NODES; at++) {
        const struct br_replica *rows;
        uint32_t count = naive_rows(kit, at % 2, at / 2, &rows);
        for (uint32_t i = 0; i < count; i++) {
            bool split = rows[i].role == BR_ROLE_SPLIT;
            int32_t index = rows[i].partition;
            if (rows[i].table != 1)
                continue;
            if (index == partition + RANDOM_PARTITIONS
                || (split && (index == partition || index == partition + RANDOM_PARTITIONS / 2))) {
                if (index < RANDOM_PARTITIONS || index == partition + RANDOM_PARTITIONS)
                    return true;
            }
        }
    }
    return false;
}

static int naive_primary(const struct hot_kit *kit, int32_t partition)
{
    int primary = -1;
    for (int node = 0; node < RANDOM_NODES; node++) {
        const struct br_replica *row;
        if (!naive_reports(kit, 0, node, partition, &row) || row->role != BR_ROLE_PRIMARY)
            continue;
        if (primary >= 0)
            return -1;
        primary = node;
    }
    return primary;
}

static bool naive_server(const struct hot_kit *kit, int node, int primary)
{
    const struct hot_server *server = &kit->servers[node];
    return server->beacon && strcmp(server->beacon, kit->kit.survey.nodes[node].name) == 0
           && server->acked_since && server->acked_since < server->answered_at
           && server->asked_again_at >= kit->servers[primary].answered_at
           && !naive_obeys(kit, node);
}

/* One report against the primary's; *members counts SECONDARYs. */
static bool naive_report(const struct hot_kit *kit, int node, int primary, int32_t partition,
                         int *members)
{
    const struct br_replica *a;
    const struct br_replica *b;
    const struct br_replica *first;
    const struct br_replica *second;
    int before = naive_reports(kit, 0, node, partition, &a);
    int after = naive_reports(kit, 1, node, partition, &b);
    if (!before && !after)
        return true;
    if (before != 1 || after != 1 || a->role != b->role || a->ballot != b->ballot || a->ballot < 0)
        return false;
    if (naive_reports(kit, 0, primary, partition, &first) != 1
        || naive_reports(kit, 1, primary, partition, &second) != 1 || a->ballot > first->ballot)
        return false;
    if (node == primary)
        return naive_server(kit, node, primary);
    if (a->role != BR_ROLE_SECONDARY || a->ballot != first->ballot)
        return true;
    ++*members;
    bool comparable = kit->servers[node].answered_at <= kit->servers[primary].asked_again_at;
    return naive_server(kit, node, primary) && b->prepared >= first->committed
           && (!comparable || a->committed <= second->committed)
           && (!kit->request.motion || b->prepared > a->prepared);
}

static bool naive_whole(const struct hot_kit *kit, int32_t partition)
{
    int primary = naive_primary(kit, partition);
    int members = 1;
    if (primary < 0 || naive_split(kit, partition) || kit->request.all_cold
        || kit->request.stranger_count)
        return false;
    for (int node = 0; node < RANDOM_NODES; node++) {
        if (!kit->kit.survey.nodes[node].complete || !kit->second.nodes[node].complete)
            return false;
        if (!naive_report(kit, node, primary, partition, &members))
            return false;
    }
    return members >= kit->kit.nodes[0].tables[0].replica_count;
}

static bool naive_has(const struct hot_kit *kit, int node, int32_t partition)
{
    const struct br_replica *row;
    return naive_reports(kit, 0, node, partition, &row)
           || naive_reports(kit, 1, node, partition, &row);
}

static bool naive_seed(const struct naive *naive, int node)
{
    const struct hot_kit *kit = naive->kit;
    if (!kit->kit.survey.nodes[node].complete || !kit->second.nodes[node].complete
        || naive_obeys(kit, node))
        return true;
    for (int round = 0; round < 2; round++) {
        const struct br_replica *rows;
        uint32_t count = naive_rows(kit, round, node, &rows);
        for (uint32_t i = 0; i < count; i++)
            if (rows[i].table != 1 || rows[i].partition >= RANDOM_PARTITIONS)
                return true;
    }
    for (int32_t p = 0; p < RANDOM_PARTITIONS; p++)
        if (!naive->whole[p] && naive_has(kit, node, p))
            return true;
    return false;
}

/* One step of the fixed point; false: nothing changed. */
static bool naive_spread(struct naive *naive)
{
    bool changed = false;
    for (int at = 0; at < RANDOM_NODES * RANDOM_NODES * RANDOM_PARTITIONS; at++) {
        int a = at % RANDOM_NODES;
        int b = at / RANDOM_NODES % RANDOM_NODES;
        int32_t p = at / RANDOM_NODES / RANDOM_NODES;
        if (!naive->cold[a] || naive->cold[b] || !naive_has(naive->kit, a, p)
            || !naive_has(naive->kit, b, p))
            continue;
        naive->cold[b] = true;
        changed = true;
    }
    return changed;
}

static void naive_judge(struct naive *naive)
{
    const struct hot_kit *kit = naive->kit;
    for (int32_t p = 0; p < RANDOM_PARTITIONS; p++)
        naive->whole[p] = naive_whole(kit, p);
    for (int i = 0; i < RANDOM_NODES; i++)
        naive->cold[i] = naive_seed(naive, i);
    while (naive_spread(naive))
        ;
    for (int i = 0; i < RANDOM_NODES; i++) {
        bool recent = HOT_NOW - kit->servers[i].last_ack < HOT_GRACE;
        naive->busy[i] =
            naive->cold[i]
            && (naive_claims(kit, i, false) || (!kit->second.nodes[i].complete && recent));
    }
}

/* -- Both ---------------------------------------------------------------------------------------
 */

static bool naive_hot(const struct naive *naive, int32_t partition)
{
    for (int i = 0; i < RANDOM_NODES; i++)
        if (naive->cold[i] && naive_has(naive->kit, i, partition))
            return false;
    return naive->whole[partition];
}

static uint64_t random_compare(const struct naive *naive, int seed)
{
    const struct hot_kit *kit = naive->kit;
    uint64_t kept = 0;
    for (int i = 0; i < RANDOM_NODES; i++) {
        ck_assert_msg(hot_cold(&kit->hot.nodes[i]) == naive->cold[i], "%d: cold node %d", seed, i);
        ck_assert_msg(kit->hot.nodes[i].busy == naive->busy[i], "%d: busy node %d", seed, i);
    }
    for (int32_t p = 0; p < RANDOM_PARTITIONS; p++) {
        const struct partition *at = &cluster_table(&kit->kit.cluster, 1)->partitions[p];
        bool hot = naive_hot(naive, p);
        bool listed = kept < kit->hot.kept_count && kit->hot.kept[kept].partition == p;
        ck_assert_msg(hot == listed, "%d: partition %d", seed, p);
        if (!hot)
            continue;
        kept++;
        ck_assert_msg(at->primary == naive_primary(kit, p), "%d: primary of %d", seed, p);
        ck_assert_int_ge(1 + at->secondary_count, kit->kit.nodes[0].tables[0].replica_count);
        ck_assert_uint_eq(at->drop_count, 0);
    }
    ck_assert_uint_eq(kit->hot.kept_count, kept);
    ck_assert_uint_eq(kit->hot.rest_count, RANDOM_PARTITIONS - kept);
    return kept;
}

static uint64_t random_one(int seed)
{
    struct random random = { (uint64_t) seed * 977 + 1 };
    struct hot_kit kit;
    struct naive naive = { .kit = &kit };
    random_cluster(&kit, &random);
    hot_kit_judge(&kit);
    ck_assert_int_eq(kit.kit.status, BR_OK);
    naive_judge(&naive);
    uint64_t kept = random_compare(&naive, seed);
    hot_kit_done(&kit);
    return kept;
}

START_TEST(hot_random_cases)
{
    uint64_t all = 0;
    uint64_t some = 0;
    uint64_t none = 0;
    for (int i = 0; i < RANDOM_CASES; i++) {
        uint64_t kept = random_one(_i * RANDOM_CASES + i);
        all += kept == RANDOM_PARTITIONS;
        none += kept == 0;
        some += kept > 0 && kept < RANDOM_PARTITIONS;
    }
    ck_assert_msg(all > 20 && some > 50 && none > 50, "too uniform: %lu, %lu, %lu",
                  (unsigned long) all, (unsigned long) some, (unsigned long) none);
}
END_TEST

TCase *hot_random(void)
{
    TCase *tcase = tcase_create("random");
    tcase_add_loop_test(tcase, hot_random_cases, 0, 4);
    tcase_set_timeout(tcase, 120);
    return tcase;
}
