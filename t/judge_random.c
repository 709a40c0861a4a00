/* judge_random -- random surveys full of nonsense: whatever is reported, the judge ends with
 * findings, says the same when asked again, and a recovery that passes is whole in itself.
 */
#include <string.h>

#include "t/judge.h"

#define RANDOM_CASES 100 /* of each test */

/* Mostly sensible, sometimes not. */
static int32_t random_odd(struct random *random, int32_t low, uint32_t span)
{
    static const int32_t odd[] = { -1, 0, INT32_MIN, INT32_MAX, 1048577, 65537, 17 };
    if (random_below(random, 60) == 0)
        return odd[random_below(random, sizeof odd / sizeof *odd)];
    return low + (int32_t) random_below(random, span);
}

static void random_table(struct kit *kit, struct random *random, int32_t node, int32_t id)
{
    static const char *const names[] = { "a", "b", "a-1", "a-2", "__drop_holder__1" };
    static const char *const odd[] = { "", NULL, "\xff", "a\nb" };
    const char *name = names[(uint32_t) id * 3 % 5];
    if (random_below(random, 80) == 0)
        name = odd[random_below(random, 4)];
    struct br_table *table = kit_table(kit, node, random_odd(random, id, 1), name, 4);
    table->partition_count = random_odd(random, 4, 1);
    table->replica_count = random_odd(random, 3, 1);
    table->status = random_odd(random, 1, 1);
    if (random_below(random, 40) == 0)
        table->name = "renamed";
    if (random_below(random, 200) == 0)
        table->type = NULL;
}

static void random_survey(struct kit *kit, struct random *random)
{
    uint32_t nodes = 1 + random_below(random, 5);
    kit_nodes(kit, nodes);
    for (int32_t node = 0; node < (int32_t) nodes; node++) {
        if (random_below(random, 8) == 0) {
            kit_silent(kit, node, "ERR_TIMEOUT");
            continue;
        }
        for (int32_t id = 1; id < 6; id++)
            if (random_below(random, 6))
                random_table(kit, random, node, id);
        for (uint32_t i = 0; i < 40; i++) {
            struct br_replica *replica = kit_replica(
                kit, node, random_odd(random, 1, 5), random_odd(random, 0, 4),
                random_odd(random, 3, 3), random_odd(random, 5, 3), random_odd(random, 7, 3));
            replica->role = random_odd(random, 0, 7);
        }
    }
}

static void random_check(const struct kit *kit)
{
    for (uint32_t i = 0; i < kit->cluster.table_count; i++) {
        const struct table *table = &kit->cluster.tables[i];
        ck_assert_int_eq(table->def.id, (int32_t) i + 1);
        for (int32_t p = 0; p < table->def.partition_count; p++) {
            const struct partition *partition = &table->partitions[p];
            uint64_t seen = partition->primary < 0 ? 0 : UINT64_C(1) << partition->primary;
            ck_assert(partition->primary < (int32_t) kit->cluster.node_count);
            ck_assert(partition->ballot >= 0 && partition->drop_count < 3);
            ck_assert(partition->primary >= 0 || (!partition->ballot && !partition->drop_count));
            for (int d = 0; d < partition->drop_count; d++) {
                ck_assert(!(seen >> partition->members[d] & 1));
                seen |= UINT64_C(1) << partition->members[d];
            }
        }
    }
}

/* Did it pass? */
static bool random_one(int seed)
{
    static const char *const options[] = { "", "mode: historical\n", "conflicts: refuse\n" };
    static const char *const all[] = { "skip_bad_nodes",      "skip_lost_partitions",
                                       "skip_stray_replicas", "pass_over_replicas",
                                       "drop_bad_envs",       NULL };
    struct random random = { (uint64_t) seed * 977 + 1 };
    struct findings findings;
    struct cluster again;
    struct fail fail;
    struct buf text = { 0 };
    struct kit kit;
    kit_init(&kit, options[seed % 3], seed % 2 ? all : NULL);
    random_survey(&kit, &random);
    kit_judge(&kit);
    findings_init(&findings, seed % 2 ? all : NULL);
    br_status status = judge(&kit.survey, &kit.policy, &findings, &again, &fail);
    findings_put(&findings, &text);
    ck_assert_int_eq(status, kit.status);
    kit_is(&kit, buf_string(&text));
    if (status == BR_OK)
        cluster_done(&again);
    bool pass = kit_pass(&kit);
    if (pass)
        random_check(&kit);
    findings_done(&findings);
    buf_done(&text);
    kit_done(&kit);
    return pass;
}

START_TEST(random_cases)
{
    int passed = 0;
    for (int i = 0; i < RANDOM_CASES; i++)
        passed += random_one(_i * RANDOM_CASES + i);
    ck_assert_int_gt(passed, 0);
    ck_assert_int_lt(passed, RANDOM_CASES);
}
END_TEST

TCase *judge_random(void)
{
    TCase *tcase = tcase_create("random");
    tcase_add_loop_test(tcase, random_cases, 0, 4);
    tcase_set_timeout(tcase, 60);
    return tcase;
}
