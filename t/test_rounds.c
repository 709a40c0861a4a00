/* test_rounds -- a recovery of servers that serve: who is asked how often, who is acknowledged
 * meanwhile, what is told, and how it ends.  Replica servers are played: they beacon, and without
 * an acknowledgement they stop serving after the lease, but for those that obey somebody else.
 */
#include <stdio.h>
#include <string.h>

#include "host/meta/recover_run.h"
#include "t/meta.h"

#define RECOVER "  recover_from_replica_server: true\n"

#define PLAY_LEASE (BR_SECOND) /* fd_lease_seconds where the world is hasty */

struct player {
    struct actor *actor;
    struct timer *beat;
    bool beacons;      /* to our meta server */
    bool obeys;        /* another: serves without our acknowledgement */
    uint32_t acks;     /* so far */
    uint32_t waiting;  /* beacons not answered yet */
    br_time leased_at; /* when the last acknowledged beacon was sent */
    br_time sent_at;
};

static struct player players[4];

/* -- Replica servers -------------------------------------------------------------------------- */

static void play_answered(void *arg, const struct rdsn_reply *reply)
{
    struct player *player = arg;
    player->waiting--;
    if (reply->status)
        return;
    player->acks++;
    player->leased_at = player->sent_at;
}

static void play_beat(void *arg)
{
    struct player *player = arg;
    struct actor *actor = player->actor;
    br_time now = loop_now(world.loop);
    player->beat = loop_after(world.loop, 50 * BR_MILLISECOND, play_beat, player);
    for (uint32_t i = 0;
         i < actor->replica_count && !player->obeys && now - player->leased_at > PLAY_LEASE; i++)
        actor->replicas[i].role = BR_ROLE_INACTIVE;
    if (!player->beacons || player->waiting || !world.meta.server)
        return;
    struct msg_beacon_msg beacon;
    struct buf body = { 0 };
    wire_init(&wire_beacon_msg, &beacon);
    beacon.from_node = actor->address;
    beacon.to_node = world.meta.address;
    wire_encode(&wire_beacon_msg, &beacon, WIRE_PEER_25, &body);
    player->waiting++;
    player->sent_at = now;
    rdsn_client_call(world.client, world.meta.name,
                     &(struct rdsn_request){ .rpc = "RPC_FD_FAILURE_DETECTOR_PING",
                                             .body = buf_bytes(&body),
                                             .timeout = 100 * BR_MILLISECOND },
                     play_answered, player);
    buf_done(&body);
}

static struct player *play(int index, int32_t table, br_role role, int64_t decree)
{
    struct player *player = &players[index];
    struct actor *actor = world_actor();
    *player = (struct player){ .actor = actor, .beacons = true };
    actor_table(actor, table, table == 1 ? "temp" : "users", 1, table == 1 ? 2 : 3);
    actor_replica(actor, table, 0, 5, decree);
    actor->replicas[0].role = role;
    player->leased_at = loop_now(world.loop);
    player->beat = loop_after(world.loop, 0, play_beat, player);
    return player;
}

/* Table 1 is whole on the first two, table 2 lacks a member on the others. */
static void play_two(void)
{
    play(0, 1, BR_ROLE_PRIMARY, 10);
    play(1, 1, BR_ROLE_SECONDARY, 10);
}

static void play_four(void)
{
    play_two();
    play(2, 2, BR_ROLE_PRIMARY, 20);
    play(3, 2, BR_ROLE_SECONDARY, 20);
}

/* -- Waiting on states ------------------------------------------------------------------------ */

static void until(bool (*fn)(void))
{
    br_time end = loop_now(world.loop) + 20 * BR_SECOND;
    while (!fn()) {
        ck_assert_msg(loop_now(world.loop) < end, "it did not happen within 20 s");
        loop_turn(world.loop);
    }
}

static bool all_acknowledged(void)
{
    for (uint32_t i = 0; i < world.actor_count; i++) {
        if (players[i].beacons && players[i].acks == 0)
            return false;
    }
    return true;
}

static bool recovery_waits(void)
{
    return world.meta.recover && world.meta.recover->waited;
}

static bool second_round(void)
{
    return world.meta.recover && world.meta.recover->rounds >= 2;
}

static bool looks_later(void)
{
    return world.meta.recover && world.meta.recover->progress.size > 0;
}

static uint32_t acks_before[4];

static void remember_acks(void)
{
    for (int i = 0; i < 4; i++)
        acks_before[i] = players[i].acks;
}

static bool everybody_again(void)
{
    for (uint32_t i = 0; i < world.actor_count; i++) {
        if (players[i].acks == acks_before[i])
            return false;
    }
    return true;
}

/* -- The request, and who asks meanwhile ------------------------------------------------------ */

static void ask(struct asked *asked, bool skip_bad)
{
    struct buf body = { 0 };
    *asked = (struct asked){ .done = false };
    world_recover_body(&body, skip_bad, false);
    rdsn_client_call(world.client, world.meta.name,
                     &(struct rdsn_request){ .rpc = "RPC_CM_START_RECOVERY",
                                             .body = buf_bytes(&body),
                                             .timeout = 20 * BR_SECOND },
                     asked_reply, asked);
    buf_done(&body);
}

static void expect(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in:\n%s", part, text);
}

static const struct partition *record(int32_t table)
{
    const struct partition *partition =
        state_partition(&world.meta.state, (struct gpid){ table, 0 });
    ck_assert_ptr_nonnull(partition);
    return partition;
}

static const char *name_of(int32_t node)
{
    return node < 0 ? "nobody" : world.meta.state.cluster.nodes[node].name;
}

static void lock_lost(void *arg, struct call_answer *answer)
{
    bool *deleted = arg;
    ck_assert_msg(answer->status == BR_OK, "%s", answer->message);
    *deleted = true;
}

/* What the end of a session does to the leader; the lock is free for it afterwards. */
static void lose_lock(void)
{
    struct br_write write = { .kind = BR_DELETE,
                              .path = world.meta.fence,
                              .version = BR_ANY_VERSION };
    const struct br_write *writes[] = { &write };
    bool deleted = false;
    store_commit(&world.store, writes, 1, NULL, 0, lock_lost, &deleted);
    world_until(&deleted);
}

static void rounds_setup(void)
{
    memset(players, 0, sizeof players);
    world_setup();
    world.hasty = true;
    world_meta(RECOVER);
    world_wait_state(META_RECOVERING);
}

static void rounds_teardown(void)
{
    for (int i = 0; i < 4; i++)
        timer_cancel(players[i].beat);
    world_teardown();
}

/* -- What serves goes on ---------------------------------------------------------------------- */

START_TEST(whole_groups_are_asked_twice_and_taken_as_they_are)
{
    play_two();
    until(all_acknowledged);
    struct msg_configuration_recovery_response response = world_recover(false, false);
    ck_assert_str_eq(response.err, "ERR_OK");
    ck_assert_int_eq(record(1)->ballot, 5);
    ck_assert(partition_unconfirmed(record(1)));
    ck_assert_str_eq(name_of(record(1)->primary), players[0].actor->name);
    ck_assert_uint_eq(record(1)->secondary_count, 1);
    ck_assert_str_eq(name_of(record(1)->members[0]), players[1].actor->name);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(players[i].actor->asked, 4); /* two questions a round */
        ck_assert_int_ne(players[i].actor->replicas[0].role, BR_ROLE_INACTIVE);
    }
}
END_TEST

START_TEST(who_is_idle_is_asked_once)
{
    for (int i = 0; i < 2; i++)
        play(i, 1, BR_ROLE_INACTIVE, 10 + i);
    until(all_acknowledged);
    ck_assert_str_eq(world_recover(false, false).err, "ERR_OK");
    ck_assert_uint_eq(players[0].actor->asked, 2);
    ck_assert(!partition_unconfirmed(record(1)));
    ck_assert_str_eq(name_of(record(1)->primary), players[1].actor->name);
}
END_TEST

/* -- What does not, is waited for ------------------------------------------------------------- */

static void begin_waiting(struct asked *asked)
{
    play_four();
    until(all_acknowledged);
    ask(asked, false);
    until(recovery_waits);
}

START_TEST(a_short_group_goes_cold_and_the_others_do_not)
{
    struct asked asked;
    begin_waiting(&asked);
    ck_assert(detector_find(&world.meta.detector, players[2].actor->name)->cold);
    ck_assert(detector_find(&world.meta.detector, players[3].actor->name)->cold);
    ck_assert(!detector_find(&world.meta.detector, players[0].actor->name)->cold);
    remember_acks();
    until(second_round);
    ck_assert_uint_gt(players[0].acks, acks_before[0]);
    ck_assert_uint_gt(players[1].acks, acks_before[1]);
    ck_assert_uint_le(players[2].acks, acks_before[2] + 1); /* one may have been under way */
    ck_assert_uint_le(players[3].acks, acks_before[3] + 1);
    world_until(&asked.done);
    ck_assert_str_eq(asked.err, "ERR_OK");
    ck_assert_int_eq(players[2].actor->replicas[0].role, BR_ROLE_INACTIVE);
    ck_assert_int_eq(players[0].actor->replicas[0].role, BR_ROLE_PRIMARY);
    ck_assert(partition_unconfirmed(record(1)));
    ck_assert(!partition_unconfirmed(record(2)));
    remember_acks();
    until(everybody_again);
}
END_TEST

START_TEST(progress_is_told_as_text_and_as_json)
{
    static const char sentence[] = "1 of 2 partitions stay hot (1.0), 2 of 4 servers are cold, "
                                   "2 servers are waited for, at most ";
    struct asked asked;
    ck_assert_str_eq(world_command("bridle.recovery", NULL), "waiting for a recovery command");
    ck_assert_str_eq(world_command("bridle.store", NULL),
                     "nothing is written: this server does not serve");
    begin_waiting(&asked);
    const char *text = world_command("bridle.recovery", NULL);
    expect(text, "waiting: ");
    expect(text, sentence);
    text = world_command("bridle.recovery", "-j");
    expect(text, "{\"state\":\"waiting\",\"detail\":\"");
    expect(text, sentence);
    expect(text, "\"rounds\":1}");
    world_until(&asked.done);
    ck_assert_str_eq(world_command("bridle.recovery", NULL), "no recovery is under way: serving");
    expect(world_command("bridle.recovery", "-j"),
           "\"detail\":\"\",\"milliseconds\":0,\"rounds\":0}");
}
END_TEST

START_TEST(the_same_request_joins_while_it_waits)
{
    struct asked asked[3];
    begin_waiting(&asked[0]);
    ask(&asked[1], false);
    ask(&asked[2], true);
    world_until(&asked[2].done);
    ck_assert_str_eq(asked[2].err, "ERR_SERVICE_ALREADY_RUNNING");
    ck_assert(!asked[0].done);
    world_until(&asked[1].done);
    world_until(&asked[0].done);
    ck_assert_str_eq(asked[0].err, "ERR_OK");
    ck_assert_str_eq(asked[1].err, "ERR_OK");
}
END_TEST

/* -- The operator's choice -------------------------------------------------------------------- */

START_TEST(all_cold_is_for_one_recovery)
{
    struct asked asked;
    play_two();
    until(all_acknowledged);
    ck_assert_str_eq(world_command("bridle.all-cold", "perhaps"), "ERROR: give true or false");
    ck_assert_str_eq(world_command("bridle.all-cold", "true"), "OK");
    ask(&asked, false);
    until(recovery_waits);
    expect(world_command("bridle.recovery", NULL),
           "0 of 1 partitions stay hot (none), 2 of 2 servers");
    lose_lock(); /* that recovery is over, and so is the choice */
    world_until(&asked.done);
    ck_assert_str_eq(asked.err, "ERR_HOLD_BY_OTHERS");
    ck_assert(!world.meta.all_cold);
}
END_TEST

START_TEST(the_configuration_wants_all_cold)
{
    world.config.recovery.hot = CONFIG_HOT_COLD;
    play_two();
    until(all_acknowledged);
    ck_assert_str_eq(world_recover(false, false).err, "ERR_OK");
    ck_assert_int_eq(players[0].actor->replicas[0].role, BR_ROLE_INACTIVE);
    ck_assert(!partition_unconfirmed(record(1)));
}
END_TEST

START_TEST(as_pegasus_does_it_nobody_is_waited_for)
{
    world.config.recovery.hot = CONFIG_HOT_OFF;
    play_four();
    until(all_acknowledged);
    ck_assert_str_eq(world_recover(false, false).err, "ERR_OK");
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(players[i].actor->asked, 2);
        ck_assert_int_ne(players[i].actor->replicas[0].role, BR_ROLE_INACTIVE);
    }
    ck_assert(!partition_unconfirmed(record(1)));
}
END_TEST

/* -- Motion: every secondary must have prepared something between the rounds --------------------
 */

static bool both_were_asked(void)
{
    return players[0].actor->asked >= 2 && players[1].actor->asked >= 2 && looks_later();
}

START_TEST(motion_tells_a_group_that_lives)
{
    struct asked asked;
    bool moves = _i == 1;
    world.config.recovery.hot_motion = 200 * BR_MILLISECOND;
    play_two();
    until(all_acknowledged);
    ask(&asked, false);
    until(both_were_asked);
    expect(world_command("bridle.recovery", NULL), "waiting: groups are given time to move");
    if (moves)
        players[1].actor->replicas[0].prepared++;
    world_until(&asked.done);
    ck_assert_str_eq(asked.err, "ERR_OK");
    ck_assert(partition_unconfirmed(record(1)) == moves);
    ck_assert((players[0].actor->replicas[0].role == BR_ROLE_PRIMARY) == moves);
}
END_TEST

/* -- Who serves, and does not beacon to us ------------------------------------------------------
 */

/* Right after we took the lead it may not have found us. */
START_TEST(early_claims_are_given_time)
{
    struct asked asked;
    play_two();
    players[0].beacons = players[1].beacons = false;
    players[0].obeys = players[1].obeys = true; /* their lease is from before */
    world.meta.leading_since = loop_now(world.loop);
    ask(&asked, false);
    until(looks_later);
    expect(world_command("bridle.recovery", NULL), "are given time to find this meta server");
    players[0].beacons = players[1].beacons = true;
    world_until(&asked.done);
    ck_assert_str_eq(asked.err, "ERR_OK");
    ck_assert(partition_unconfirmed(record(1)));
    ck_assert_int_eq(players[0].actor->replicas[0].role, BR_ROLE_PRIMARY);
}
END_TEST

/* They found us while another led: known, and not yet acknowledged. */
static bool both_known(void)
{
    const struct detector *detector = &world.meta.detector;
    return detector->count == 2 && detector->nodes[0].acked && detector->nodes[1].acked;
}

START_TEST(who_was_not_acknowledged_yet_is_given_time)
{
    struct asked asked;
    play_two();
    until(both_known);
    players[0].beacons = players[1].beacons = false;
    players[0].obeys = players[1].obeys = true;
    world.meta.leading_since = loop_now(world.loop);
    detector_forget_acks(&world.meta.detector);
    ask(&asked, false);
    until(looks_later);
    players[0].beacons = players[1].beacons = true;
    world_until(&asked.done);
    ck_assert_str_eq(asked.err, "ERR_OK");
    ck_assert(partition_unconfirmed(record(1)));
}
END_TEST

START_TEST(who_obeys_another_is_refused_after_two_graces)
{
    struct asked asked;
    play_two();
    players[0].beacons = players[1].beacons = false;
    players[0].obeys = players[1].obeys = true;
    ask(&asked, false);
    world_until(&asked.done);
    ck_assert_str_eq(asked.err, "ERR_TRY_AGAIN");
    expect(asked.hint, "so that another meta server must be prolonging its lease; stop every other "
                       "meta server and recover again\n");
    ck_assert_int_eq(world.meta.state_now, META_RECOVERING);
    ck_assert_ptr_null(world.meta.recover);
    players[0].obeys = players[1].obeys = false; /* the other is stopped, and they find us */
    players[0].beacons = players[1].beacons = true;
    until(all_acknowledged);
    ck_assert_str_eq(world_recover(false, false).err, "ERR_OK");
}
END_TEST

/* -- Given up while it waits ------------------------------------------------------------------ */

START_TEST(a_lost_lock_ends_the_waiting)
{
    struct asked asked;
    begin_waiting(&asked);
    lose_lock();
    world_until(&asked.done);
    ck_assert_str_eq(asked.err, "ERR_HOLD_BY_OTHERS");
    ck_assert_ptr_null(world.meta.recover);
    ck_assert(!detector_find(&world.meta.detector, players[2].actor->name)->cold);
    world_wait_state(META_RECOVERING);
    remember_acks();
    until(everybody_again);
    ck_assert_str_eq(world_recover(false, false).err, "ERR_OK");
}
END_TEST

START_TEST(a_stop_ends_the_waiting)
{
    struct asked asked;
    begin_waiting(&asked);
    for (int i = 0; i < 4; i++) {
        timer_cancel(players[i].beat);
        players[i].beat = NULL;
    }
    meta_stop(&world.meta, 0);
    loop_run(world.loop);
    world_until(&asked.done);
    ck_assert_str_eq(asked.err, "ERR_SERVICE_NOT_ACTIVE");
}
END_TEST

static TCase *rounds(void)
{
    TCase *tcase = tcase_create("rounds");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, rounds_setup, rounds_teardown);
    tcase_add_test(tcase, whole_groups_are_asked_twice_and_taken_as_they_are);
    tcase_add_test(tcase, who_is_idle_is_asked_once);
    tcase_add_test(tcase, a_short_group_goes_cold_and_the_others_do_not);
    tcase_add_test(tcase, progress_is_told_as_text_and_as_json);
    tcase_add_test(tcase, the_same_request_joins_while_it_waits);
    tcase_add_test(tcase, all_cold_is_for_one_recovery);
    tcase_add_test(tcase, the_configuration_wants_all_cold);
    tcase_add_test(tcase, as_pegasus_does_it_nobody_is_waited_for);
    tcase_add_loop_test(tcase, motion_tells_a_group_that_lives, 0, 2);
    tcase_add_test(tcase, early_claims_are_given_time);
    tcase_add_test(tcase, who_was_not_acknowledged_yet_is_given_time);
    tcase_add_test(tcase, who_obeys_another_is_refused_after_two_graces);
    tcase_add_test(tcase, a_lost_lock_ends_the_waiting);
    tcase_add_test(tcase, a_stop_ends_the_waiting);
    return tcase;
}

int main(void)
{
    return test_run("rounds", rounds(), NULL);
}
