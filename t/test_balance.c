/* test_balance -- rounds of the balancer on made-up clusters: what is planned is carried out on the
 * state, until nothing is planned any more.
 */
#include <stdlib.h>
#include <string.h>

#include "host/meta/balance.h"
#include "host/meta/guardian.h"
#include "t/state_kit.h"

#define ROUNDS_MAX 2000

static struct state *state(void)
{
    return &kit.meta.state;
}

/* -- Carrying out ------------------------------------------------------------------------------ */

/* What the replica servers would make of one step; members never repeat, and are never fewer than
 * before the plan but for a primary's changing hands. */
static void step_do(struct gpid pid, const struct action *action)
{
    const struct partition *old = state_partition(state(), pid);
    int32_t members[STATE_MEMBERS_MAX];
    struct partition next = *old;
    struct cure cure = { .pid = pid, .planned = true, .action_count = 1 };
    cure.actions[0] = *action;
    ck_assert_msg(cure_stale(&kit.meta, &cure) == NULL, "%s", cure_stale(&kit.meta, &cure));
    next.members = members;
    next.secondary_count = 0;
    next.drop_count = 0;
    next.ballot++;
    for (int i = 0; i < old->secondary_count; i++) {
        if (old->members[i] != action->node)
            members[next.secondary_count++] = old->members[i];
    }
    switch (action->type) {
    case CONFIG_DOWNGRADE_TO_SECONDARY:
        next.primary = -1;
        members[next.secondary_count++] = action->node;
        break;
    case CONFIG_UPGRADE_TO_PRIMARY: next.primary = action->node; break;
    case CONFIG_ADD_SECONDARY_FOR_LB: members[next.secondary_count++] = action->node; break;
    default: ck_assert_int_eq(action->type, CONFIG_REMOVE);
    }
    state_set_partition(state(), pid, &next);
}

static void plan_do(const struct balance_plan *plan)
{
    struct action actions[CURE_ACTIONS_MAX];
    uint32_t count = balance_actions(state(), plan, actions);
    int32_t replicas = state_replica_count(state(), plan->pid);
    for (uint32_t i = 0; i < count; i++) {
        step_do(plan->pid, &actions[i]);
        const struct partition *now = state_partition(state(), plan->pid);
        int32_t members = now->secondary_count + (now->primary >= 0);
        ck_assert_int_ge(members, replicas);
        ck_assert_int_le(members, replicas + 1);
    }
    const struct partition *now = state_partition(state(), plan->pid);
    ck_assert_int_eq(now->secondary_count + 1, replicas);
    ck_assert(partition_has(now, plan->to));
    ck_assert(now->primary >= 0);
    ck_assert(plan->kind == BALANCE_MOVE_PRIMARY || !partition_has(now, plan->from));
    for (int i = 0; i < now->secondary_count; i++) {
        ck_assert_int_ne(now->members[i], now->primary);
        for (int k = 0; k < i; k++)
            ck_assert_int_ne(now->members[i], now->members[k]);
    }
}

/* Rounds until there is nothing to do; how many there were. */
static int rounds_do(uint32_t most)
{
    struct balance_plan plans[BALANCE_PLANS_MAX];
    int rounds = 0;
    for (uint32_t count; (count = balance_round(state(), plans, most)) > 0; rounds++) {
        ck_assert_int_lt(rounds, ROUNDS_MAX);
        ck_assert_uint_le(count, most);
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t k = 0; k < i; k++)
                ck_assert(state_key(plans[i].pid) != state_key(plans[k].pid));
            plan_do(&plans[i]);
        }
        kit_check();
    }
    return rounds;
}

/* -- How even it is ---------------------------------------------------------------------------- */

struct spread {
    uint32_t primaries, replicas; /* the most minus the least, of the living */
};

static struct spread spread_of(const struct share *shares)
{
    struct share most = { 0, 0 };
    struct share least = { UINT32_MAX, UINT32_MAX };
    for (uint32_t i = 0; i < state()->cluster.node_count; i++) {
        if (!state()->nodes[i].alive)
            continue;
        most.primaries =
            shares[i].primaries > most.primaries ? shares[i].primaries : most.primaries;
        most.replicas = shares[i].replicas > most.replicas ? shares[i].replicas : most.replicas;
        least.primaries =
            shares[i].primaries < least.primaries ? shares[i].primaries : least.primaries;
        least.replicas = shares[i].replicas < least.replicas ? shares[i].replicas : least.replicas;
    }
    return (struct spread){ most.primaries - least.primaries, most.replicas - least.replicas };
}

/* The worst of a table, and of all tables together. */
static void spread_all(struct spread *ret_table, struct spread *ret_total)
{
    uint32_t nodes = state()->cluster.node_count;
    struct share *total = calloc(nodes + 1u, sizeof *total);
    *ret_table = (struct spread){ 0, 0 };
    for (uint32_t t = 0; t < state()->cluster.table_count; t++) {
        if (state()->cluster.tables[t].def.status != BR_TABLE_AVAILABLE)
            continue;
        const struct share *shares = state_shares(state(), (int32_t) t);
        struct spread one = spread_of(shares);
        if (one.primaries > ret_table->primaries)
            ret_table->primaries = one.primaries;
        if (one.replicas > ret_table->replicas)
            ret_table->replicas = one.replicas;
        for (uint32_t i = 0; i < nodes; i++) {
            total[i].primaries += shares[i].primaries;
            total[i].replicas += shares[i].replicas;
        }
    }
    *ret_total = spread_of(total);
    free(total);
}

static void expect_even(void)
{
    struct spread table;
    struct spread total;
    spread_all(&table, &total);
    ck_assert_uint_le(table.primaries, 1);
    ck_assert_uint_le(total.primaries, 1);
    ck_assert_uint_le(table.replicas, 1);
    ck_assert_uint_le(total.replicas, 1);
}

/* -- Made-up clusters -------------------------------------------------------------------------- */

START_TEST(random_clusters_get_even)
{
    uint64_t seed = 88172645463325252u + (uint64_t) _i * 7919u;
    int nodes = 3 + (int) (kit_random(&seed) % 10);
    kit_nodes(nodes);
    int used = 3 + (int) (kit_random(&seed) % (uint64_t) (nodes - 2));
    int tables = 1 + (int) (kit_random(&seed) % 6);
    for (int t = 1; t <= tables; t++) {
        int32_t replicas = 1 + (int32_t) (kit_random(&seed) % 3);
        kit_fill(t, 1 << (kit_random(&seed) % 7), replicas, used, &seed);
    }
    rounds_do(_i % 2 ? BALANCE_MOVES_MAX : BALANCE_PLANS_MAX);
    expect_even();
}
END_TEST

/* The round trips of a limit of one: it ends all the same. */
START_TEST(one_at_a_time_gets_even)
{
    uint64_t seed = 99 + (uint64_t) _i;
    kit_nodes(6);
    for (int32_t t = 1; t <= 4; t++)
        kit_fill(t, 12, 3, 3 + _i % 4, &seed);
    rounds_do(1);
    expect_even();
}
END_TEST

/* Where the primaries can change hands, nothing is copied for their sake. */
START_TEST(primaries_move_along_a_chain)
{
    struct balance_plan plans[BALANCE_PLANS_MAX];
    kit_nodes(3);
    kit_table(1, 3, 2);
    kit_partition((struct gpid){ 1, 0 }, 5, 0, (int32_t[]){ 1, -1 }, NULL);
    kit_partition((struct gpid){ 1, 1 }, 5, 0, (int32_t[]){ 1, -1 }, NULL);
    kit_partition((struct gpid){ 1, 2 }, 5, 1, (int32_t[]){ 2, -1 }, NULL);
    ck_assert_uint_eq(balance_round(state(), plans, BALANCE_PLANS_MAX), 2); /* 0 -> 1 -> 2 */
    ck_assert_int_eq(plans[0].kind, BALANCE_MOVE_PRIMARY);
    ck_assert_int_eq(plans[1].kind, BALANCE_MOVE_PRIMARY);
    plan_do(&plans[0]);
    plan_do(&plans[1]);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(state()->nodes[i].primaries, 1);
}
END_TEST

START_TEST(a_new_server_gets_its_share)
{
    uint64_t seed = 4;
    struct balance_plan plans[BALANCE_PLANS_MAX];
    kit_nodes(4);
    kit_fill(1, 8, 3, 3, &seed);
    uint32_t count = balance_round(state(), plans, BALANCE_PLANS_MAX);
    ck_assert_uint_gt(count, 0);
    ck_assert_int_eq(plans[count - 1].to, 3);
    ck_assert_int_eq(plans[count - 1].kind, BALANCE_COPY_PRIMARY);
    rounds_do(BALANCE_MOVES_MAX);
    expect_even();
    ck_assert_uint_eq(state()->nodes[3].partitions.count, 6);
    ck_assert_uint_eq(state()->nodes[3].primaries, 2);
}
END_TEST

START_TEST(nothing_goes_to_a_dead_server)
{
    uint64_t seed = 5;
    kit_nodes(5);
    state()->nodes[4].alive = false;
    kit_fill(1, 16, 2, 3, &seed);
    rounds_do(BALANCE_MOVES_MAX);
    ck_assert_uint_eq(state()->nodes[4].partitions.count, 0);
    expect_even();
}
END_TEST

/* What is dropped, or on its way, is neither moved nor counted. */
START_TEST(tables_that_are_not_served_stay)
{
    static const int32_t statuses[] = { BR_TABLE_DROPPED, BR_TABLE_DROPPING, BR_TABLE_CREATING,
                                        BR_TABLE_RECALLING };
    uint64_t seed = 6;
    struct balance_plan plans[BALANCE_PLANS_MAX];
    kit_nodes(5);
    kit_fill(1, 16, 2, 3, &seed);
    struct br_table def = state()->cluster.tables[0].def;
    def.status = statuses[_i];
    state_set_def(state(), 0, &def);
    ck_assert_uint_eq(balance_round(state(), plans, BALANCE_PLANS_MAX), 0);
}
END_TEST

START_TEST(a_round_has_limits)
{
    uint64_t seed = 7;
    struct balance_plan *plans = calloc(BALANCE_PLANS_MAX, sizeof *plans);
    kit_nodes(8);
    kit_fill(1, 2048, 1, 2, &seed);
    ck_assert_uint_eq(balance_round(state(), plans, BALANCE_PLANS_MAX), BALANCE_PLANS_MAX);
    ck_assert_uint_eq(balance_round(state(), plans, BALANCE_MOVES_MAX), BALANCE_MOVES_MAX);
    free(plans);
}
END_TEST

/* Fewer plans than there is room for, though more could be done: the work has an end, too. */
START_TEST(a_round_does_so_much_work)
{
    uint64_t seed = 8;
    struct balance_plan *plans = calloc(BALANCE_PLANS_MAX, sizeof *plans);
    kit_nodes(8);
    kit_fill(1, 65536, 3, 3, &seed);
    uint32_t count = balance_round(state(), plans, BALANCE_PLANS_MAX);
    ck_assert_uint_gt(count, 0);
    ck_assert_uint_lt(count, BALANCE_PLANS_MAX);
    free(plans);
}
END_TEST

START_TEST(an_empty_cluster_is_even)
{
    struct balance_plan plans[1];
    ck_assert_uint_eq(balance_round(state(), plans, 1), 0);
    kit_nodes(3);
    ck_assert_uint_eq(balance_round(state(), plans, 1), 0);
    kit_table(1, 4, 3); /* nobody has anything */
    ck_assert_uint_eq(balance_round(state(), plans, 1), 0);
}
END_TEST

/* -- When it may ------------------------------------------------------------------------------- */

static struct cure *busy(void)
{
    return state_cure_make(state(), (struct gpid){ 1, 2 });
}

static void make_unconfirmed(void)
{
    struct partition next = *state_partition(state(), (struct gpid){ 1, 2 });
    next.flags |= PARTITION_UNCONFIRMED;
    state_set_partition(state(), (struct gpid){ 1, 2 }, &next);
}

static void make_short(void)
{
    kit_partition((struct gpid){ 1, 2 }, 5, 0, (int32_t[]){ 1, -1 }, NULL);
}

static void make_many(void)
{
    kit_partition((struct gpid){ 1, 2 }, 5, 0, (int32_t[]){ 1, 2, 3, -1 }, NULL);
}

static void make_headless(void)
{
    kit_partition((struct gpid){ 1, 2 }, 5, -1, (int32_t[]){ 1, 2, 3, -1 }, NULL);
}

static void make_dead(void)
{
    state()->nodes[1].alive = false;
}

static void make_asleep(void)
{
    busy()->asleep = true;
}

static void make_proposed(void)
{
    busy()->action_count = 1;
}

static void make_changed(void)
{
    busy()->change = (struct change *) &kit; /* any but NULL */
}

static void make_ddd(void)
{
    busy()->ddd = true;
}

static const struct {
    const char *what;
    void (*make)(void);
} wrongs[] = {
    { "confirmed", make_unconfirmed }, { "members", make_short },    { "members", make_many },
    { "members", make_headless },      { "dead", make_dead },        { "going on", make_asleep },
    { "going on", make_proposed },     { "going on", make_changed }, { "going on", make_ddd },
};

START_TEST(only_what_is_healthy_is_at_rest)
{
    kit_nodes(4);
    kit_table(1, 4, 3);
    for (int32_t i = 0; i < 4; i++)
        kit_partition((struct gpid){ 1, i }, 5, 0, (int32_t[]){ 1, 2, -1 }, NULL);
    ck_assert_ptr_null(cure_unrest(state(), (struct gpid){ 1, 2 }));
    wrongs[_i].make();
    const char *wrong = cure_unrest(state(), (struct gpid){ 1, 2 });
    ck_assert_ptr_nonnull(wrong);
    ck_assert_msg(strstr(wrong, wrongs[_i].what) != NULL, "%s", wrong);
}
END_TEST

START_TEST(the_count_is_told_as_pegasus_tells_it)
{
    char text[BALANCE_TEXT_MAX];
    balance_text(&(struct balance_count){ 1, 0, 2 }, text);
    ck_assert_str_eq(text, "move_pri=1,copy_pri=0,copy_sec=2,total=3");
    balance_text(&(struct balance_count){ 1000000000, 1000000000, 1000000000 }, text);
    ck_assert_str_eq(
        text, "move_pri=1000000000,copy_pri=1000000000,copy_sec=1000000000,total=3000000000");
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("balance");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, kit_setup, kit_teardown);
    tcase_add_loop_test(tcase, random_clusters_get_even, 0, 60);
    tcase_add_loop_test(tcase, one_at_a_time_gets_even, 0, 8);
    tcase_add_test(tcase, primaries_move_along_a_chain);
    tcase_add_test(tcase, a_new_server_gets_its_share);
    tcase_add_test(tcase, nothing_goes_to_a_dead_server);
    tcase_add_loop_test(tcase, tables_that_are_not_served_stay, 0, 4);
    tcase_add_test(tcase, a_round_has_limits);
    tcase_add_test(tcase, a_round_does_so_much_work);
    tcase_add_test(tcase, an_empty_cluster_is_even);
    tcase_add_loop_test(tcase, only_what_is_healthy_is_at_rest, 0, sizeof wrongs / sizeof *wrongs);
    tcase_add_test(tcase, the_count_is_told_as_pegasus_tells_it);
    return test_run("balance", tcase, balance_turn_cases(), balance_live_cases(), NULL);
}
