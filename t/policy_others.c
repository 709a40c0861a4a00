/* policy_others -- policy_strict, which asks wherever something is odd, and policy_newest, which
 * looks at decrees first: each question by its consent, and nothing asked where nothing is odd.
 */
#include <string.h>

#include "t/policy.h"

#define NODES 3

struct others_row {
    int64_t ballot, committed, prepared;
    br_role role; /* INVALID: no replica on this node */
};

#define I BR_ROLE_INACTIVE
#define E BR_ROLE_ERROR
#define P BR_ROLE_PRIMARY
#define S BR_ROLE_SECONDARY

/* One partition of a table of three replicas, one replica a node. */
static const struct others_case {
    const struct br_plugin *policy;
    struct others_row rows[NODES];
    const char *group;
    const char *consents[3]; /* that it needs, and no others */
    const char *part;        /* of the sentence of the first */
} others_cases[] = {
    /* Nothing is odd. */
    { &bridle_policy_strict,
      { { 5, 9, 9, P }, { 5, 8, 9, S }, { 5, 8, 9, S } },
      "1,3,2",
      { 0 },
      0 },
    { &bridle_policy_strict,
      { { 5, 9, 9, I }, { 4, 9, 9, I }, { 3, 9, 9, I } },
      "1,3,2",
      { 0 },
      0 },
    { &bridle_policy_strict, { { 5, 9, 9, I }, { 5, 9, 9, I }, { 0 } }, "1,2", { 0 }, 0 },
    { &bridle_policy_newest, { { 5, 9, 9, I }, { 5, 9, 9, I }, { 0 } }, "1,2", { 0 }, 0 },
    { &bridle_policy_newest,
      { { 5, 9, 9, I }, { 4, 9, 20, I }, { 3, 9, 9, I } },
      "1,3,2",
      { 0 },
      0 },
    /* A primary in error is warned of and not asked about. */
    { &bridle_policy_newest,
      { { 5, 9, 9, E }, { 4, 8, 8, I }, { 3, 8, 8, I } },
      "1,3,2",
      { 0 },
      0 },

    { &bridle_policy_strict,
      { { 5, 9, 9, I } },
      "1",
      { "accept_minority" },
      "has 1 of 3 replicas, a minority" },
    { &bridle_policy_strict,
      { { 5, 9, 12, I }, { 4, 11, 11, I }, { 3, 10, 10, I } },
      "1,3,2",
      { "accept_inversions" },
      "though node(10.0.0.2:34801) has a lower ballot and more committed decrees (ballot 4, "
      "committed 11)" },
    /* What it has never even prepared is passed over, too. */
    { &bridle_policy_strict,
      { { 5, 9, 9, I }, { 4, 11, 11, I }, { 3, 9, 9, I } },
      "1,3,2",
      { "pass_over_replicas", "accept_inversions" },
      "of a lower ballot is passed over" },
    { &bridle_policy_strict,
      { { 5, 9, 9, P }, { 5, 9, 9, S }, { 4, 9, 9, P } },
      "1,3,2",
      { "accept_two_primaries" },
      "has more than one primary: node(10.0.0.1:34801) (ballot 5, committed 9) and "
      "node(10.0.0.3:34801) (ballot 4, committed 9)" },
    { &bridle_policy_strict,
      { { 5, 9, 9, P }, { 4, 9, 9, P }, { 3, 9, 9, S } },
      "1,3,2",
      { "accept_two_primaries" },
      "and node(10.0.0.2:34801) (ballot 4, committed 9)" },
    { &bridle_policy_strict,
      { { 5, 9, 9, E }, { 4, 9, 9, I }, { 3, 9, 9, I } },
      "1,3,2",
      { "accept_primary_status" },
      "is in status ERROR and may be incomplete" },
    { &bridle_policy_strict,
      { { 5, 9, 9, I }, { 4, 9, 8, I }, { 3, 9, 9, I } },
      "1,3,2",
      { "accept_decrees" },
      "with the committed decree 9 and only 8 prepared" },
    { &bridle_policy_strict, { { 0 } }, "-", { "skip_lost_partitions" }, "no replica collected" },

    /* The highest committed decree, be its ballot lower; then the ballot. */
    { &bridle_policy_newest,
      { { 7, 5, 9, I }, { 5, 9, 9, I }, { 6, 9, 9, I } },
      "3,1,2",
      { "pass_over_ballots" },
      "node(10.0.0.1:34801) (INACTIVE, ballot 7, committed 5) of a higher ballot is passed over" },
    /* A higher prepared decree of the same ballot is asked for as ever. */
    { &bridle_policy_newest,
      { { 5, 9, 9, I }, { 5, 8, 12, I }, { 4, 8, 8, I } },
      "1,3,2",
      { "pass_over_replicas" },
      "of the same ballot is passed over" },
    { &bridle_policy_newest, { { 0 } }, "-", { "skip_lost_partitions" }, "no replica collected" },
};

static void others_survey(struct kit *kit, const struct others_case *at, bool backwards)
{
    kit_nodes(kit, NODES);
    kit_table_everywhere(kit, 1, "t", 1);
    for (int32_t i = 0; i < NODES; i++) {
        int32_t node = backwards ? NODES - 1 - i : i; /* in which order rows are made is nothing */
        const struct others_row *row = &at->rows[node];
        if (row->role)
            kit_replica(kit, node, 1, 0, row->ballot, row->committed, row->prepared)->role =
                row->role;
    }
}

/* Without one of the consents it stops and names it; with all of them it passes. */
START_TEST(others_case)
{
    const struct others_case *at = &others_cases[_i / 2];
    size_t needed = 0;
    while (at->consents[needed])
        needed++;
    for (size_t without = 0; without <= needed; without++) {
        const char *given[3] = { NULL };
        size_t count = 0;
        for (size_t i = 0; i < needed; i++)
            if (i != without)
                given[count++] = at->consents[i];
        struct kit kit;
        kit_init_with(&kit, at->policy, "", given);
        others_survey(&kit, at, _i % 2);
        kit_judge(&kit);
        ck_assert_msg(kit_pass(&kit) == (without == needed), "without %zu:\n%s", without,
                      buf_string(&kit.text));
        ck_assert_str_eq(kit_group(&kit, 1, 0), at->group);
        ck_assert_uint_eq(kit.findings.found_losses, needed);
        ck_assert_uint_eq(kit.findings.losses, without < needed);
        if (without == 0 && at->part)
            ck_assert_msg(strstr(buf_string(&kit.text), at->part) != NULL, "%s", kit.text.data);
        kit_done(&kit);
    }
}
END_TEST

/* -- Tables: what policy_pegasus warns of ----------------------------------------------------- */

static const char *const others_envs[] = { "a", "1" };
static const char *const others_envs_too[] = { "a", "2" };

static void others_odd(struct kit *kit, int which)
{
    struct br_table *claim = &kit->nodes[1].tables[0];
    switch (which) {
    case 0: claim->name = "u"; break;
    case 1:
        for (int i = 0; i < NODES; i++)
            kit->nodes[i].tables[0].status = BR_TABLE_DROPPED;
        break;
    case 2:
        claim->envs = others_envs;
        claim->env_count = 1;
        break;
    case 3: kit_table_everywhere(kit, 2, "t", 1); break;
    case 4: /* as many, of other values */
        for (int i = 0; i < NODES; i++) {
            kit->nodes[i].tables[0].envs = i == 1 ? others_envs_too : others_envs;
            kit->nodes[i].tables[0].env_count = 1;
        }
        break;
    case 5:
        for (int i = 0; i < NODES; i++)
            kit->nodes[i].table_count = 0;
        break;
    default: break;
    }
    for (int32_t i = 0; i < NODES; i++)
        for (uint32_t t = 0; t < kit->nodes[i].table_count; t++)
            kit_replica(kit, i, (int32_t) t + 1, 0, 1, 1, 1);
}

START_TEST(others_tables)
{
    static const char *const consents[] = {
        "accept_definitions", "accept_unavailable", "accept_envs", "accept_names",
        "accept_envs",        "accept_no_tables",   NULL
    };
    static const struct br_plugin *const policies[] = { &bridle_policy_pegasus,
                                                        &bridle_policy_newest,
                                                        &bridle_policy_strict };
    for (int given = 0; given < 2; given++) {
        const char *const consent[] = { consents[_i], NULL };
        for (int policy = 0; policy < 3; policy++) {
            bool asks = policy == 2 && consents[_i];
            struct kit kit;
            kit_init_with(&kit, policies[policy], "", given ? consent : NULL);
            kit_nodes(&kit, NODES);
            kit_table_everywhere(&kit, 1, "t", 1);
            others_odd(&kit, _i);
            kit_judge(&kit);
            ck_assert_uint_eq(kit.findings.found_losses, asks);
            ck_assert_msg(kit_pass(&kit) == (given || !asks), "%s", buf_string(&kit.text));
            if (asks && !given)
                ck_assert_msg(strstr(kit.text.data, consents[_i]) != NULL, "%s", kit.text.data);
            kit_done(&kit);
        }
    }
}
END_TEST

TCase *policy_others(void)
{
    TCase *tcase = tcase_create("others");
    tcase_add_loop_test(tcase, others_case, 0,
                        2 * (int) (sizeof others_cases / sizeof *others_cases));
    tcase_add_loop_test(tcase, others_tables, 0, 7);
    return tcase;
}
