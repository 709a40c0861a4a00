/* hot_groups -- which groups are whole: what a living one may look like, every condition violated
 * one at a time, and the generations of groups that one ballot may name.
 */
#include <string.h>

#include "host/base/mem.h"
#include "t/hot.h"

/* -- Whole --------------------------------------------------------------------------------------
 */

START_TEST(hot_whole)
{
    struct hot_kit kit;
    hot_two(&kit, NULL);
    hot_kit_judge(&kit);
    ck_assert(kit_pass(&kit.kit));
    kit_is(&kit.kit, "");
    ck_assert_str_eq(kit.kept.data, "1.0-1");
    ck_assert_str_eq(hot_kit_cold(&kit), "");
    ck_assert(kit.hot.ready && kit.hot.until == 0 && kit.hot.rest_count == 0);
    ck_assert_str_eq(hot_kit_members(&kit, 1, 0), "1,2,3");
    ck_assert_str_eq(hot_kit_members(&kit, 1, 1), "6,4,5");
    const struct partition *at = &cluster_table(&kit.kit.cluster, 1)->partitions[1];
    ck_assert_int_eq(at->ballot, HOT_BALLOT);
    ck_assert_int_eq(at->committed, 0);
    ck_assert_int_eq(at->drop_count, 0);
    hot_kit_done(&kit);
}
END_TEST

/* What a living group may look like: each of these stays hot. */
static void hot_may_leftover(struct hot_kit *kit)
{
    kit_replica(&kit->kit, 6, 1, 0, HOT_BALLOT - 1, 200, 200);
}

static void hot_may_error(struct hot_kit *kit)
{
    kit_replica(&kit->kit, 6, 1, 0, HOT_BALLOT, 1, 1)->role = BR_ROLE_ERROR;
}

static void hot_may_learner(struct hot_kit *kit)
{
    kit_replica(&kit->kit, 6, 1, 0, HOT_BALLOT, 1, 1)->role = BR_ROLE_LEARNER;
}

static void hot_may_old_secondary(struct hot_kit *kit)
{
    kit_replica(&kit->kit, 6, 1, 0, HOT_BALLOT - 1, 1, 1)->role = BR_ROLE_SECONDARY;
}

static void hot_may_fourth(struct hot_kit *kit)
{
    struct br_replica *replica = kit_replica(&kit->kit, 6, 1, 0, HOT_BALLOT, 99, HOT_DECREE);
    replica->role = BR_ROLE_SECONDARY;
}

static void hot_may_write(struct hot_kit *kit)
{
    for (int32_t i = 0; i < 3; i++) {
        hot_second(kit, i)->committed += 50;
        hot_second(kit, i)->prepared += 50;
    }
}

START_TEST(hot_may)
{
    static const struct {
        void (*before)(struct hot_kit *kit);
        void (*after)(struct hot_kit *kit);
        const char *members;
    } cases[] = {
        { hot_may_leftover, NULL, "1,2,3" }, { hot_may_error, NULL, "1,2,3" },
        { hot_may_learner, NULL, "1,2,3" },  { hot_may_old_secondary, NULL, "1,2,3" },
        { hot_may_fourth, NULL, "1,2,3,7" }, { NULL, hot_may_write, "1,2,3" },
    };
    struct hot_kit kit;
    hot_kit_init(&kit, 7, NULL);
    kit_table_everywhere(&kit.kit, 1, "t", 1);
    hot_kit_group(&kit, 1, 0, (const int32_t[]){ 0, 1, 2, -1 });
    if (cases[_i].before)
        cases[_i].before(&kit);
    hot_kit_again(&kit);
    if (cases[_i].after)
        cases[_i].after(&kit);
    hot_kit_judge(&kit);
    ck_assert(kit_pass(&kit.kit) && kit.hot.ready);
    kit_is(&kit.kit, "");
    ck_assert_str_eq(kit.kept.data, "1.0");
    ck_assert_str_eq(hot_kit_members(&kit, 1, 0), cases[_i].members);
    hot_kit_done(&kit);
}
END_TEST

/* A living cluster's decrees differ from answer to answer.  The policy would call that a loss. */
START_TEST(hot_moving_decrees)
{
    struct hot_kit kit;
    hot_two(&kit, NULL);
    hot_kit_again(&kit);
    hot_first(&kit, 1)->committed = HOT_DECREE + 5;
    hot_first(&kit, 2)->prepared = HOT_DECREE + 9;
    for (int32_t i = 0; i < 3; i++)
        hot_second(&kit, i)->committed = hot_second(&kit, i)->prepared = HOT_DECREE + 20;
    kit.request.all_cold = _i;
    hot_kit_judge(&kit);
    kit_is(&kit.kit, "");
    ck_assert(kit_pass(&kit.kit) && kit.hot.ready == !_i);
    ck_assert_str_eq(hot_kit_members(&kit, 1, 0), _i ? "-" : "1,2,3");
    hot_kit_done(&kit);
}
END_TEST

/* -- Not whole: one condition at a time ----------------------------------------------------------
 */

static void hot_no_first(struct hot_kit *kit)
{
    kit_silent(&kit->kit, 6, "ERR_TIMEOUT");
}

static void hot_chosen(struct hot_kit *kit)
{
    kit->request.all_cold = true;
}

static void hot_higher(struct hot_kit *kit)
{
    hot_kit_set(kit, 2, 1, 0, BR_ROLE_ERROR, HOT_BALLOT + 1);
}

static void hot_old_primary(struct hot_kit *kit)
{
    hot_kit_set(kit, 1, 1, 0, BR_ROLE_PRIMARY, HOT_BALLOT - 1);
}

static void hot_few(struct hot_kit *kit)
{
    hot_kit_set(kit, 2, 1, 0, BR_ROLE_INACTIVE, HOT_BALLOT);
}

static void hot_few_at_ballot(struct hot_kit *kit)
{
    hot_kit_set(kit, 2, 1, 0, BR_ROLE_SECONDARY, HOT_BALLOT - 1);
}

static void hot_learning(struct hot_kit *kit)
{
    hot_kit_set(kit, 2, 1, 0, BR_ROLE_LEARNER, HOT_BALLOT);
}

static void hot_other_name(struct hot_kit *kit)
{
    kit->servers[1].beacon = "host2:34801";
}

static void hot_mute(struct hot_kit *kit)
{
    kit->servers[1].beacon = NULL;
}

static void hot_unacked(struct hot_kit *kit)
{
    kit->servers[2].acked_since = 0;
}

static void hot_acked_late(struct hot_kit *kit)
{
    kit->servers[2].acked_since = HOT_ANSWER;
}

static void hot_stopped(struct hot_kit *kit)
{
    kit->servers[0].stopped = true;
}

static void hot_returned(struct hot_kit *kit)
{
    kit->servers[0].returned = true;
}

static void hot_mute_primary(struct hot_kit *kit)
{
    kit->servers[0].beacon = NULL;
}

static void hot_early(struct hot_kit *kit)
{
    kit->servers[2].asked_again_at = HOT_ANSWER - 1;
}

static void hot_role_changed(struct hot_kit *kit)
{
    hot_second(kit, 2)->role = BR_ROLE_INACTIVE;
}

static void hot_ballot_changed(struct hot_kit *kit)
{
    for (int32_t i = 0; i < 3; i++)
        hot_second(kit, i)->ballot++;
}

static void hot_gone(struct hot_kit *kit)
{
    kit->again[2].replica_count = 0;
}

static void hot_behind(struct hot_kit *kit)
{
    hot_second(kit, 1)->prepared = HOT_DECREE - 1;
}

static void hot_ahead(struct hot_kit *kit)
{
    hot_first(kit, 1)->committed = HOT_DECREE + 1;
}

static void hot_still(struct hot_kit *kit)
{
    kit->request.motion = true;
    for (int32_t i = 0; i < 6; i++)
        if (i != 1)
            hot_kit_report(kit->again, i, 1, i < 3 ? 0 : 1)->prepared++;
}

static void hot_no_ballot(struct hot_kit *kit)
{
    hot_kit_set(kit, 2, 1, 0, BR_ROLE_ERROR, -1);
}

/* Before the second round is made from the first. */
static void hot_split_outside(struct hot_kit *kit)
{
    kit_replica(&kit->kit, 0, 1, 2, HOT_BALLOT, 9, 9)->role = BR_ROLE_SPLIT;
}

static void hot_split_inside(struct hot_kit *kit)
{
    kit_replica(&kit->kit, 0, 1, 1, HOT_BALLOT, 9, 9)->role = BR_ROLE_SPLIT;
}

static void hot_twice(struct hot_kit *kit)
{
    kit_replica(&kit->kit, 1, 1, 0, HOT_BALLOT - 1, 9, 9);
}

static const struct {
    void (*before)(struct hot_kit *kit);
    void (*spoil)(struct hot_kit *kit);
    enum hot_reason reason;
    const char *cold;
    const char *why; /* the end of the line; NULL: there is none */
} hot_cases[] = {
    { NULL, hot_no_first, HOT_SILENT, HOT_ALL ",7", "a listed server did not answer" },
    { NULL, hot_no_second, HOT_SILENT, HOT_ALL ",7!", "a listed server did not answer" },
    { NULL, hot_guest, HOT_STRANGER, HOT_ALL, "a server outside the node list sends beacons" },
    { NULL, hot_chosen, HOT_CHOSEN, HOT_ALL, NULL },
    { hot_split_inside, NULL, HOT_SPLIT, HOT_ALL, "a split is under way" },
    { hot_split_outside, NULL, HOT_SPLIT, "1!,2!,3!", "a split is under way" },
    { hot_twice, NULL, HOT_TWICE, "1!,2!,3!", "a server reports its replica twice" },
    { NULL, hot_idle, HOT_IDLE, "1,2,3", NULL },
    { NULL, hot_no_ballot, HOT_NO_BALLOT, "1!,2!,3", "a replica has an invalid ballot" },
    { NULL, hot_headless, HOT_HEADLESS, "1,2!,3!",
      "replicas are SECONDARY or learning, but none on a listed server is PRIMARY; a PRIMARY may "
      "be on a server outside the list: list every replica server" },
    { NULL, hot_primaries, HOT_PRIMARIES, "1!,2!,3!",
      "more than one replica is PRIMARY; two groups may be alive: stop every other meta server" },
    { NULL, hot_old_primary, HOT_PRIMARIES, "1!,2!,3!",
      "more than one replica is PRIMARY; two groups may be alive: stop every other meta server" },
    { NULL, hot_higher, HOT_HIGHER, "1!,2!,3", "a replica has a higher ballot than the PRIMARY" },
    { NULL, hot_few, HOT_FEW, "1!,2!,3", "there are fewer members than max_replica_count" },
    { NULL, hot_few_at_ballot, HOT_FEW, "1!,2!,3!",
      "there are fewer members than max_replica_count" },
    { NULL, hot_learning, HOT_FEW, "1!,2!,3!", "there are fewer members than max_replica_count" },
    { NULL, hot_other_name, HOT_NAME, "1!,2!,3!",
      "a member's server calls itself otherwise than the node list does; write the servers' own "
      "names in the list" },
    { NULL, hot_stopped, HOT_OBEYS, "1!,2!,3!",
      "a server that claims PRIMARY may obey another meta server; stop every other meta server" },
    { NULL, hot_returned, HOT_OBEYS, "1!,2!,3!",
      "a server that claims PRIMARY may obey another meta server; stop every other meta server" },
    { NULL, hot_mute_primary, HOT_OBEYS, "1!,2!,3!",
      "a server that claims PRIMARY may obey another meta server; stop every other meta server" },
    { NULL, hot_mute, HOT_UNACKED, "1!,2!,3!",
      "a member's server was not acknowledged all the time since before it answered" },
    { NULL, hot_unacked, HOT_UNACKED, "1!,2!,3!",
      "a member's server was not acknowledged all the time since before it answered" },
    { NULL, hot_acked_late, HOT_UNACKED, "1!,2!,3!",
      "a member's server was not acknowledged all the time since before it answered" },
    { NULL, hot_early, HOT_EARLY, "1!,2!,3!",
      "a member was asked again before the PRIMARY had answered" },
    { NULL, hot_role_changed, HOT_CHANGED, "1!,2!,3!",
      "the reports changed between the two rounds" },
    { NULL, hot_ballot_changed, HOT_CHANGED, "1!,2!,3!",
      "the reports changed between the two rounds" },
    { NULL, hot_gone, HOT_CHANGED, "1!,2!,3!", "the reports changed between the two rounds" },
    { NULL, hot_behind, HOT_BEHIND, "1!,2!,3!",
      "a SECONDARY lacks what the PRIMARY has committed; one ballot may name two groups, after an "
      "earlier recovery" },
    { NULL, hot_ahead, HOT_AHEAD, "1!,2!,3!",
      "a SECONDARY has committed what the PRIMARY has not; one ballot may name two groups, after "
      "an earlier recovery" },
    { NULL, hot_still, HOT_STILL, "1!,2!,3!",
      "a SECONDARY prepared nothing between the two rounds" },
};

#define HOT_CASES ((int) (sizeof hot_cases / sizeof *hot_cases))

START_TEST(hot_violated)
{
    bool all = strncmp(hot_cases[_i].cold, HOT_ALL, strlen(HOT_ALL)) == 0;
    bool ready = !strchr(hot_cases[_i].cold, '!');
    struct hot_kit kit;
    hot_two(&kit, NULL);
    if (hot_cases[_i].before)
        hot_cases[_i].before(&kit);
    hot_kit_again(&kit);
    if (hot_cases[_i].spoil)
        hot_cases[_i].spoil(&kit);
    hot_kit_judge(&kit);
    ck_assert_int_eq(kit.kit.status, BR_OK);
    ck_assert_str_eq(hot_kit_cold(&kit), hot_cases[_i].cold);
    ck_assert_str_eq(kit.kept.data, all ? "none" : "1.1");
    ck_assert_uint_eq(kit.hot.reasons[hot_cases[_i].reason], all ? 2 : 1);
    ck_assert_int_eq(kit.hot.nodes[1].reason, hot_cases[_i].reason);
    ck_assert_int_eq(kit.hot.ready, ready);
    ck_assert_str_eq(hot_kit_members(&kit, 1, 1), all ? "-" : "6,4,5");
    ck_assert_int_eq(findings_pass(&kit.kit.findings), hot_cases[_i].reason != HOT_NAME);
    struct buf line = { 0 };
    buf_printf(&line, "WARNING: %s cannot stay hot: %s",
               all ? "2 partitions (1.0, 1.1)" : "1 partition (1.0)", hot_cases[_i].why);
    if (hot_cases[_i].why)
        kit_has(&kit.kit, line.data);
    else
        kit_has_not(&kit.kit, "cannot stay hot");
    buf_done(&line);
    hot_kit_done(&kit);
}
END_TEST

/* The table above has every reason of a group but those that have a test of their own. */
START_TEST(hot_every_reason)
{
    bool seen[HOT_REASONS] = { [HOT_WHOLE] = true,
                               [HOT_UNREPORTED] = true,
                               [HOT_CROWD] = true,
                               [HOT_STRAY] = true,
                               [HOT_SHARED] = true };
    for (int i = 0; i < HOT_CASES; i++)
        seen[hot_cases[i].reason] = true;
    for (int i = 0; i < HOT_REASONS; i++)
        ck_assert_msg(seen[i], "no test violates condition %d", i);
}
END_TEST

START_TEST(hot_crowd)
{
    struct hot_kit kit;
    hot_kit_init(&kit, BR_REPLICAS_MAX + 1, NULL);
    kit_table_everywhere(&kit.kit, 1, "t", 1);
    hot_kit_group(&kit, 1, 0, (const int32_t[]){ 0, 1, 2, -1 });
    for (int32_t i = 3; i < BR_REPLICAS_MAX + _i; i++)
        kit_replica(&kit.kit, i, 1, 0, 1, 1, 1);
    hot_kit_judge(&kit);
    ck_assert_str_eq(kit.kept.data, _i ? "none" : "1.0");
    ck_assert_uint_eq(kit.hot.reasons[HOT_CROWD], (unsigned) _i);
    hot_kit_done(&kit);
}
END_TEST

/* A partition that nobody reports makes nobody cold; its loss is found at once. */
START_TEST(hot_lost)
{
    struct hot_kit kit;
    hot_two(&kit, NULL);
    kit_table_everywhere(&kit.kit, 2, "u", 1);
    hot_kit_judge(&kit);
    ck_assert_str_eq(kit.kept.data, "1.0-1");
    ck_assert_uint_eq(kit.hot.rest_count, 1);
    ck_assert(kit.hot.ready && !findings_pass(&kit.kit.findings));
    kit_is(&kit.kit, "ERROR: partition(2.0) has no replica collected, you can force recover it by "
                     "set skip_lost_partitions option\n");
    hot_kit_done(&kit);
}
END_TEST

/* Replicas of no partition that is recovered. */
START_TEST(hot_stray)
{
    static const struct {
        int32_t node, table, partition;
        const char *cold;
        const char *kept;
    } cases[] = {
        { 6, 1, 7, "7", "1.0-1" },
        { 0, 1, 7, "1!,2!,3!", "1.1" },
        { 6, 1, -1, "7", "1.0-1" },
        { 5, 1, INT32_MAX, "4!,5!,6!", "1.0" },
        { 6, 9, 0, "7", "1.0-1" },
        { 6, 0, 0, "7", "1.0-1" },
        { 6, -1, 0, "7", "1.0-1" },
        { 6, INT32_MAX, 0, "7", "1.0-1" },
        { 6, BR_TABLE_ID_MAX, 0, "7", "1.0-1" },
    };
    struct hot_kit kit;
    hot_two(&kit, NULL);
    hot_kit_again(&kit);
    /* only the second round shows it: a table made in between, say */
    struct kit_node *node = &kit.again[cases[_i].node];
    node->replicas = mem_grow(node->replicas, (node->replica_count + 1) * sizeof *node->replicas);
    node->replicas[node->replica_count++] = (struct br_replica){ .node = cases[_i].node,
                                                                 .table = cases[_i].table,
                                                                 .partition = cases[_i].partition,
                                                                 .role = BR_ROLE_INACTIVE,
                                                                 .ballot = 3 };
    hot_kit_judge(&kit);
    ck_assert_str_eq(hot_kit_cold(&kit), cases[_i].cold);
    ck_assert_str_eq(kit.kept.data, cases[_i].kept);
    ck_assert_int_eq(kit.hot.nodes[cases[_i].node].reason, HOT_STRAY);
    hot_kit_done(&kit);
}
END_TEST

START_TEST(hot_other_list)
{
    struct hot_kit kit;
    hot_two(&kit, NULL);
    hot_kit_again(&kit);
    if (_i)
        kit.second.nodes[2].name = "10.0.0.99:34801";
    else
        kit.second.node_count--;
    hot_kit_judge(&kit);
    ck_assert_int_eq(kit.kit.status, BR_INVALID);
    ck_assert_str_eq(kit.kit.fail.text, "the second round asked other nodes than the first");
    kit.second.node_count = 7;
    hot_kit_done(&kit);
}
END_TEST

/* -- Two generations of one ballot ---------------------------------------------------------------
 */

/* An earlier recovery of Apache Pegasus made server 1, once a secondary of the group (7; 1, 2, 3)
 * of ballot 5, its primary anew at the ballot that it had.  Server 7, the old primary, lost its
 * lease; 2 and 3 are secondaries of it to this day.  One PRIMARY, two SECONDARYs, one ballot: two
 * groups. */
static const struct {
    const char *what;
    int64_t committed[2]; /* of the new primary, by round */
    int64_t old_committed, old_prepared;
    bool motion;
    enum hot_reason reason;
} hot_generations[] = {
    { "the new group wrote, the old one has not got it", { 120, 121 }, 99, 101, false, HOT_BEHIND },
    { "the old group had come further", { 100, 100 }, 101, 102, false, HOT_AHEAD },
    { "further by chance, while the new one catches up", { 100, 130 }, 120, 125, true, HOT_STILL },
    { "nobody wrote anything since", { 100, 100 }, 99, 101, true, HOT_STILL },
    /* what only motion can tell, and nothing does without it: see hot.h */
    { "the same, unasked", { 100, 100 }, 99, 101, false, HOT_WHOLE },
    { "the same, while the new one writes", { 100, 130 }, 99, 101, false, HOT_WHOLE },
};

START_TEST(hot_generation)
{
    struct hot_kit kit;
    hot_kit_init(&kit, 7, NULL);
    kit_table_everywhere(&kit.kit, 1, "t", 1);
    hot_kit_group(&kit, 1, 0, (const int32_t[]){ 0, 1, 2, -1 });
    kit_replica(&kit.kit, 6, 1, 0, HOT_BALLOT, 100, 101);
    hot_kit_again(&kit);
    for (int round = 0; round < 2; round++) {
        struct kit_node *nodes = round ? kit.again : kit.kit.nodes;
        struct br_replica *primary = hot_kit_report(nodes, 0, 1, 0);
        primary->committed = primary->prepared = hot_generations[_i].committed[round];
        for (int32_t i = 1; i < 3; i++) {
            hot_kit_report(nodes, i, 1, 0)->committed = hot_generations[_i].old_committed;
            hot_kit_report(nodes, i, 1, 0)->prepared = hot_generations[_i].old_prepared;
        }
    }
    kit.request.motion = hot_generations[_i].motion;
    hot_kit_judge(&kit);
    ck_assert_msg(kit.hot.reasons[HOT_WHOLE] == 0
                      && kit.hot.nodes[0].reason == hot_generations[_i].reason,
                  "%s: %d", hot_generations[_i].what, (int) kit.hot.nodes[0].reason);
    ck_assert_uint_eq(kit.hot.kept_count, hot_generations[_i].reason == HOT_WHOLE);
    hot_kit_done(&kit);
}
END_TEST

/* Both groups alive: two PRIMARYs of one ballot. */
START_TEST(hot_generations_alive)
{
    struct hot_kit kit;
    hot_kit_init(&kit, 7, NULL);
    kit_table_everywhere(&kit.kit, 1, "t", 1);
    hot_kit_group(&kit, 1, 0, (const int32_t[]){ 0, 1, 2, -1 });
    hot_kit_group(&kit, 1, 0, (const int32_t[]){ 6, 4, 5, -1 });
    hot_kit_judge(&kit);
    ck_assert_str_eq(kit.kept.data, "none");
    ck_assert_str_eq(hot_kit_cold(&kit), "1!,2!,3!,5!,6!,7!");
    kit_is(&kit.kit,
           "WARNING: 1 partition (1.0) cannot stay hot: more than one replica is PRIMARY; "
           "two groups may be alive: stop every other meta server\n");
    hot_kit_done(&kit);
}
END_TEST

/* A secondary that answered after the primary was asked again may well have come further. */
START_TEST(hot_ahead_in_time)
{
    struct hot_kit kit;
    hot_two(&kit, NULL);
    hot_kit_again(&kit);
    hot_ahead(&kit);
    kit.servers[1].answered_at = HOT_AGAIN + (_i ? 1 : 0);
    hot_kit_judge(&kit);
    ck_assert_str_eq(kit.kept.data, _i ? "1.0-1" : "1.1");
    hot_kit_done(&kit);
}
END_TEST

TCase *hot_groups(void)
{
    TCase *tcase = tcase_create("groups");
    tcase_add_test(tcase, hot_whole);
    tcase_add_loop_test(tcase, hot_may, 0, 6);
    tcase_add_loop_test(tcase, hot_moving_decrees, 0, 2);
    tcase_add_loop_test(tcase, hot_violated, 0, HOT_CASES);
    tcase_add_test(tcase, hot_every_reason);
    tcase_add_loop_test(tcase, hot_crowd, 0, 2);
    tcase_add_test(tcase, hot_lost);
    tcase_add_loop_test(tcase, hot_stray, 0, 9);
    tcase_add_loop_test(tcase, hot_other_list, 0, 2);
    tcase_add_loop_test(tcase, hot_generation, 0, 6);
    tcase_add_test(tcase, hot_generations_alive);
    tcase_add_loop_test(tcase, hot_ahead_in_time, 0, 2);
    return tcase;
}
