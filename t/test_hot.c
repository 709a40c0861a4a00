/* test_hot -- who is cold and why, the rounds until the rest is quiet, and what the operator is
 * told. See hot_groups.c for the groups and hot_random.c for random clusters.
 */
#include <string.h>

#include "t/hot.h"

#define A "10.0.0.1:34801"
#define B "10.0.0.2:34801"

/* -- Cold to a fixed point ------------------------------------------------------------------------
 */

/* Groups of two on neighbours: 1-2, 2-3 ... `broken` of them is not whole; 9-10 stand apart. */
static void hot_chain(struct hot_kit *kit, int32_t broken)
{
    hot_kit_init(kit, 10, NULL);
    for (int32_t node = 0; node < 10; node++)
        kit_table(&kit->kit, node, 1, "t", 8)->replica_count = 2;
    for (int32_t p = 0; p < 8; p++)
        hot_kit_group(kit, 1, p, (const int32_t[]){ p + (p == 7), p + 1 + (p == 7), -1 });
    hot_kit_again(kit);
    hot_kit_set(kit, broken + (broken == 7), 1, broken, BR_ROLE_INACTIVE, HOT_BALLOT);
}

START_TEST(hot_chains)
{
    struct hot_kit kit;
    struct buf why = { 0 };
    hot_chain(&kit, _i);
    hot_kit_judge(&kit);
    ck_assert_str_eq(kit.kept.data, _i == 7 ? "1.0-6" : "1.7");
    ck_assert_uint_eq(kit.hot.cold_count, _i == 7 ? 2 : 8);
    ck_assert_uint_eq(kit.hot.reasons[HOT_SHARED], _i == 7 ? 0 : 6);
    if (_i == 0) {
        ck_assert_int_eq(kit.hot.nodes[7].reason, HOT_SHARED);
        hot_put_why(&kit.hot.nodes[7], &why);
        ck_assert_str_eq(why.data,
                         "it shares partitions, directly or over other servers, with a cold one: "
                         "partition(1.0): replicas are SECONDARY or learning, but none on a listed "
                         "server is PRIMARY");
        kit_has(&kit.kit, "WARNING: 6 partitions (1.1, 1.2, 1.3, 1.4, 1.5 ...) cannot stay hot: a "
                          "server is shared with partitions that are not whole");
    }
    hot_put_why(&kit.hot.nodes[9], &why);
    buf_done(&why);
    hot_kit_done(&kit);
}
END_TEST

/* A replica that is no member joins its server, too. */
START_TEST(hot_joined_by_leftover)
{
    struct hot_kit kit;
    hot_two(&kit, NULL);
    kit_replica(&kit.kit, 3, 1, 0, 1, 1, 1);
    hot_kit_again(&kit);
    hot_primaries(&kit);
    hot_kit_judge(&kit);
    ck_assert_str_eq(kit.kept.data, "none");
    ck_assert_str_eq(hot_kit_cold(&kit), HOT_ALL);
    ck_assert_int_eq(kit.hot.nodes[3].reason, HOT_PRIMARIES);
    ck_assert_int_eq(kit.hot.nodes[4].reason, HOT_SHARED);
    hot_kit_done(&kit);
}
END_TEST

/* -- Waiting -------------------------------------------------------------------------------------
 */

/* The whole walk: 1.0 has two PRIMARYs, so 1, 2, 3 wait; quiet, they are judged by the policy, and
 * 1.1 has stayed what it was. */
START_TEST(hot_walk)
{
    struct hot_kit kit;
    struct buf text = { 0 };
    hot_two(&kit, NULL);
    hot_kit_again(&kit);
    hot_primaries(&kit);
    hot_kit_judge(&kit);
    hot_put_progress(&kit.hot, HOT_NOW, &text);
    ck_assert_str_eq(text.data, "1 of 2 partitions stay hot (1.1), 3 of 7 servers are cold, 3 "
                                "servers are waited for, at most 21 s");
    ck_assert_int_eq(kit.hot.until, HOT_NOW - BR_SECOND + HOT_GRACE);
    ck_assert_str_eq(hot_kit_members(&kit, 1, 0), "-");
    buf_clear(&text);
    cluster_done(&kit.kit.cluster);
    hot_done(&kit.hot);
    for (int32_t i = 0; i < 3; i++) {
        hot_kit_set(&kit, i, 1, 0, BR_ROLE_INACTIVE, HOT_BALLOT);
        kit.servers[i].acked_since = 0;
    }
    buf_clear(&kit.kept);
    hot_kit_judge(&kit);
    ck_assert(kit.hot.ready && kit_pass(&kit.kit));
    ck_assert_str_eq(hot_kit_cold(&kit), "1,2,3");
    ck_assert_str_eq(hot_kit_members(&kit, 1, 1), "6,4,5");
    ck_assert_str_eq(hot_kit_members(&kit, 1, 0), "1");
    ck_assert_int_eq(cluster_table(&kit.kit.cluster, 1)->partitions[0].drop_count, 2);
    hot_put_progress(&kit.hot, HOT_NOW, &text);
    ck_assert_str_eq(text.data, "1 of 2 partitions stay hot (1.1), 3 of 7 servers are cold");
    buf_done(&text);
    hot_kit_done(&kit);
}
END_TEST

/* Who is quiet in one round only is waited for: the first is what is judged, the second is newer.
 */
START_TEST(hot_quiet_once)
{
    struct hot_kit kit;
    hot_two(&kit, NULL);
    hot_kit_again(&kit);
    hot_idle(&kit);
    struct br_replica *late = _i ? hot_first(&kit, 2) : hot_second(&kit, 2);
    late->role = BR_ROLE_LEARNER;
    hot_kit_judge(&kit);
    ck_assert_str_eq(hot_kit_cold(&kit), "1,2,3!");
    ck_assert_uint_eq(kit.hot.nodes[2].claims, 1);
    ck_assert(!kit.hot.ready);
    hot_kit_done(&kit);
}
END_TEST

/* A silent server may be a living primary; so may one outside the list. */
START_TEST(hot_silent_waits)
{
    bool stranger = _i / 2;
    bool over = _i % 2;
    br_time last = HOT_NOW - HOT_GRACE + !over;
    struct hot_kit kit;
    hot_two(&kit, NULL);
    hot_kit_again(&kit);
    for (int32_t i = 0; i < 6; i++)
        hot_kit_set(&kit, i, 1, i > 2, BR_ROLE_INACTIVE, HOT_BALLOT);
    if (stranger) {
        hot_guest(&kit);
        kit.strangers[0].last_ack = last;
    } else {
        kit_silent(&kit.kit, 6, "ERR_TIMEOUT");
        hot_no_second(&kit);
        kit.servers[6].last_ack = last;
    }
    hot_kit_judge(&kit);
    ck_assert_int_eq(kit.hot.ready, over);
    ck_assert_uint_eq(kit.hot.busy_count, !over);
    ck_assert_int_eq(kit.hot.until, over ? 0 : last + HOT_GRACE);
    ck_assert_str_eq(hot_kit_cold(&kit), stranger ? "1,2,3,4,5,6"
                                         : over   ? "1,2,3,4,5,6,7"
                                                  : "1,2,3,4,5,6,7!");
    hot_kit_done(&kit);
}
END_TEST

START_TEST(hot_one_answer)
{
    struct hot_gpid some[2];
    struct hot_kit kit;
    hot_two(&kit, NULL);
    kit_replica(&kit.kit, 0, 1, 1, 1, 1, 1)->role = BR_ROLE_LEARNER;
    kit_replica(&kit.kit, 0, 1, 1, 1, 1, 1)->role = BR_ROLE_ERROR;
    kit_replica(&kit.kit, 6, 1, 1, 1, 1, 1);
    kit_pack(&kit.kit.survey, kit.kit.nodes);
    struct survey_node *nodes = kit.kit.survey.nodes;
    ck_assert_uint_eq(hot_claims(&nodes[0], NULL, 0), 2);
    ck_assert_uint_eq(hot_claims(&nodes[0], some, 1), 2);
    ck_assert(some[0].table == 1 && some[0].partition == 0);
    ck_assert_uint_eq(hot_claims(&nodes[0], some, 2), 2);
    ck_assert_int_eq(some[1].partition, 1);
    ck_assert_uint_eq(hot_claims(&nodes[6], some, 2), 0);
    ck_assert(!hot_quiet(&nodes[0], 0, HOT_NOW, HOT_GRACE)
              && hot_quiet(&nodes[6], HOT_NOW, HOT_NOW, 1));
    nodes[0].complete = false;
    ck_assert_uint_eq(hot_claims(&nodes[0], NULL, 0), 0);
    ck_assert(!hot_quiet(&nodes[0], 1, HOT_GRACE, HOT_GRACE));
    ck_assert(hot_quiet(&nodes[0], 1, HOT_GRACE + 1, HOT_GRACE));
    hot_kit_done(&kit);
}
END_TEST

/* -- What the operator is told --------------------------------------------------------------------
 */

START_TEST(hot_tell_name)
{
    struct hot_kit kit;
    hot_two(&kit, NULL);
    hot_kit_again(&kit);
    kit.servers[_i].beacon = "host1:34801";
    hot_kit_judge(&kit);
    ck_assert(!findings_pass(&kit.kit.findings));
    if (!_i)
        kit_has(&kit.kit,
                "ERROR: node(" A ") calls itself host1:34801 in its beacons, and under "
                "another name its partitions would be taken for dead; write host1:34801 "
                "in the node list (the bridle shell sends names with --pegasus-version 2.6)");
    /* 7 has no replica */
    ck_assert_str_eq(kit.kept.data, _i == 6 ? "1.0-1" : _i < 3 ? "1.1" : "1.0");
    hot_kit_done(&kit);
}
END_TEST

START_TEST(hot_tell_stranger)
{
    struct hot_kit kit;
    hot_two(&kit, NULL);
    hot_kit_again(&kit);
    hot_guest(&kit);
    hot_headless(&kit); /* its PRIMARY is on the unlisted one */
    hot_kit_judge(&kit);
    kit_is(&kit.kit,
           "WARNING: node(10.0.0.9:34801) sends us beacons but is not in the node list, so that "
           "replicas of it, PRIMARYs among them, may be left out and nothing can stay hot; add it "
           "to the list\n"
           "WARNING: 1 partition (1.0) cannot stay hot: replicas are SECONDARY or learning, but "
           "none on a listed server is PRIMARY; a PRIMARY may be on a server outside the list: "
           "list every replica server\n"
           "WARNING: 1 partition (1.1) cannot stay hot: a server outside the node list sends "
           "beacons\n");
    hot_kit_done(&kit);
}
END_TEST

START_TEST(hot_tell_live)
{
    struct hot_kit kit;
    hot_two(&kit, NULL);
    hot_kit_again(&kit);
    kit.servers[6].beacon = NULL;
    kit.servers[1].stopped = true;
    kit.request.min_live = 5 + (uint32_t) _i;
    hot_kit_judge(&kit);
    if (_i)
        kit_has(&kit.kit, "WARNING: 5 replica servers send beacons, fewer than the 6 of "
                          "min_live_node_count_for_unfreeze: until more do, the cluster is frozen "
                          "and only what is hot is served");
    else
        kit_has_not(&kit.kit, "min_live");
    hot_kit_done(&kit);
}
END_TEST

START_TEST(hot_tell_obeys)
{
    static const char *const texts[] = { "sends us no beacons", "its beacons stopped",
                                         "its beacons stopped and came back" };
    struct hot_kit kit;
    struct buf line = { 0 };
    hot_two(&kit, NULL);
    hot_kit_again(&kit);
    kit.servers[0].beacon = _i ? A : NULL;
    kit.servers[0].stopped = _i == 1;
    kit.servers[0].returned = _i == 2;
    hot_kit_judge(&kit);
    buf_printf(&line,
               "WARNING: node(" A
               ") claims to be PRIMARY, but %s; it may obey another meta server, "
               "so it is not hot; stop every other meta server",
               texts[_i]);
    kit_has(&kit.kit, line.data);
    ck_assert(findings_pass(&kit.kit.findings));
    buf_done(&line);
    hot_kit_done(&kit);
}
END_TEST

/* Whose beacons stop, but who is no primary, may as well be dead. */
START_TEST(hot_no_primary_obeys)
{
    struct hot_kit kit;
    hot_two(&kit, NULL);
    hot_kit_again(&kit);
    kit.servers[1].stopped = true;
    hot_kit_judge(&kit);
    kit_has_not(&kit.kit, "obey");
    hot_kit_done(&kit);
}
END_TEST

/* Its lease must be over, and it claims replicas: somebody prolongs it, and waiting is no use. */
START_TEST(hot_tell_overdue)
{
    struct hot_kit kit;
    hot_two(&kit, NULL);
    hot_kit_again(&kit);
    hot_primaries(&kit);
    kit.servers[1].acked_since = 0;
    kit.servers[1].asked_again_at = 3 * HOT_GRACE;
    kit.servers[1].last_ack = HOT_GRACE + (_i ? 0 : 1);
    kit.request.now = 4 * HOT_GRACE;
    hot_kit_judge(&kit);
    ck_assert_int_eq(findings_pass(&kit.kit.findings), !_i);
    if (_i)
        kit_has(&kit.kit, "ERROR: node(" B ") still reports 1 replicas as PRIMARY, SECONDARY or "
                          "learning 44 s after our last acknowledgement, so that another meta "
                          "server must be prolonging its lease; stop every other meta server and "
                          "recover again");
    hot_kit_done(&kit);
}
END_TEST

/* 101 and more ranges of hot partitions. */
START_TEST(hot_ranges_max)
{
    int32_t ranges = HOT_RANGES_MAX + _i;
    struct hot_kit kit;
    hot_kit_init(&kit, 1, NULL);
    kit_table(&kit.kit, 0, 1, "t", 2 * ranges)->replica_count = 1;
    kit_table(&kit.kit, 0, 2, "u", 1)->replica_count = 1;
    for (int32_t i = 0; i < ranges; i++)
        hot_kit_group(&kit, 1, 2 * i, (const int32_t[]){ 0, -1 });
    hot_kit_group(&kit, 2, 0, (const int32_t[]){ 0, -1 });
    hot_kit_judge(&kit);
    struct buf end = { 0 };
    buf_printf(&end, _i ? "1.%d and %d more" : "1.%d and %d more", 2 * (HOT_RANGES_MAX - 1),
               _i + 1);
    ck_assert_uint_gt(kit.kept.size, end.size);
    ck_assert_str_eq(kit.kept.data + kit.kept.size - end.size, end.data);
    buf_done(&end);
    hot_kit_done(&kit);
}
END_TEST

static TCase *hot_servers(void)
{
    TCase *tcase = tcase_create("servers");
    tcase_add_loop_test(tcase, hot_chains, 0, 8);
    tcase_add_test(tcase, hot_joined_by_leftover);
    tcase_add_test(tcase, hot_walk);
    tcase_add_loop_test(tcase, hot_quiet_once, 0, 2);
    tcase_add_loop_test(tcase, hot_silent_waits, 0, 4);
    tcase_add_test(tcase, hot_one_answer);
    return tcase;
}

static TCase *hot_sentences(void)
{
    TCase *tcase = tcase_create("sentences");
    tcase_add_loop_test(tcase, hot_tell_name, 0, 7);
    tcase_add_test(tcase, hot_tell_stranger);
    tcase_add_loop_test(tcase, hot_tell_live, 0, 2);
    tcase_add_loop_test(tcase, hot_tell_obeys, 0, 3);
    tcase_add_test(tcase, hot_no_primary_obeys);
    tcase_add_loop_test(tcase, hot_tell_overdue, 0, 2);
    tcase_add_loop_test(tcase, hot_ranges_max, 0, 2);
    return tcase;
}

int main(void)
{
    return test_run("hot", hot_groups(), hot_servers(), hot_sentences(), hot_random(), NULL);
}
