/* meta_learner -- who may learn while frozen, and what servers are asked for it
 * (host/meta/learner.h).
 */
#include "t/test_meta_sync.h"

#include <stdio.h>
#include <string.h>

#include "host/meta/freeze.h"
#include "host/meta/guardian.h"
#include "host/meta/learner.h"

#define PID ((struct gpid){ 1, 0 })

static const int no_more[] = { -1 };

static bool is_frozen(void)
{
    return freeze_known(&world.meta);
}

static bool asked_to_learn(int actor)
{
    for (uint32_t i = 0; i < seen.count; i++) {
        if (seen.list[i].type == CONFIG_ADD_SECONDARY && seen.list[i].node == actor)
            return true;
    }
    return false;
}

static bool learns_3(void)
{
    return asked_to_learn(3);
}

static bool is_starved(void)
{
    const struct cure *cure = state_cure(&world.meta.state, PID);
    return cure && cure->starved;
}

static bool is_told_of(void)
{
    return guardian_starved(&world.meta) > 0;
}

static const char *frozen_status(void)
{
    return world_command("bridle.frozen", NULL);
}

/* -- What is asked, and what comes of it --------------------------------------------------------
 */

enum behaviour { ANSWERS, REFUSES, MUTE, DOUBTFUL };

/* Primary 0, secondary 1, and 3 is the only one that could become the third member.  The record
 * says decree 9. */
static const struct {
    const char *what;
    int64_t holds; /* 0: nothing */
    enum behaviour behaviour;
    int64_t primary; /* its decree; 0: it is no primary by its own word */
    enum behaviour primary_behaviour;
    bool learns;
    const char *status; /* what freeze_status says of it */
} rows[] = {
    { "holds nothing", 0, ANSWERS, 9, ANSWERS, true, NULL },
    { "holds less", 8, ANSWERS, 9, ANSWERS, true, NULL },
    { "holds as much", 9, ANSWERS, 9, ANSWERS, true, NULL },
    { "more than the record, and the primary as much", 12, ANSWERS, 12, ANSWERS, true, NULL },
    { "more than the record, and the primary more", 12, ANSWERS, 13, ANSWERS, true, NULL },
    { "more than the primary", 12, ANSWERS, 11, ANSWERS, false,
      "holds more of 1 partitions than their groups (1.0 is one)" },
    { "more than the record, and the primary refuses", 12, ANSWERS, 12, REFUSES, false,
      "which does not say what it holds: transport rdsn: " },
    { "refuses", 0, REFUSES, 9, ANSWERS, false, "ERR_BUSY; see to it that it answers" },
    { "says nonsense", 9, DOUBTFUL, 9, ANSWERS, false, "; see to it that it answers" },
    { "does not answer", 0, MUTE, 9, ANSWERS, false, "; see to it that it answers" },
};

static void behaves(struct actor *actor, enum behaviour behaviour)
{
    actor->mute = behaviour == MUTE;
    actor->refuse = behaviour == REFUSES ? "ERR_BUSY" : NULL;
    if (behaviour == DOUBTFUL)
        actor->replicas[0].partition = -1;
}

static void serve_short(void)
{
    made_actors(4);
    made_table(1, 1, 3);
    made_record(PID, 5, 0, (int[]){ 1, -1 }, no_more)->committed = 9;
}

static void holds(int actor, int32_t role, int64_t ballot, int64_t decree)
{
    actor_replica(&world.actors[actor], 1, 0, ballot, decree);
    world.actors[actor].replicas[0].role = role;
}

/* Server 2 does not live, and 3 may. */
static void serve_and_ask(const char *extra)
{
    made_serve(extra, 1 << 2);
}

START_TEST(a_server_is_asked_before_it_learns)
{
    serve_short();
    if (rows[_i].holds)
        holds(3, BR_ROLE_INACTIVE, 4, rows[_i].holds);
    holds(0, BR_ROLE_PRIMARY, 5, rows[_i].primary);
    behaves(&world.actors[3], rows[_i].behaviour);
    behaves(&world.actors[0], rows[_i].primary_behaviour);
    serve_and_ask("  lb_interval: 100ms\n");
    made_until(rows[_i].learns ? learns_3 : is_starved);
    ck_assert_uint_ge(world.actors[3].asked_replicas, 1);
    ck_assert_uint_eq(world.actors[1].asked_replicas, 0);
    ck_assert_int_eq(world.actors[0].asked_replicas > 0, rows[_i].holds > 9);
    ck_assert(!rows[_i].learns || world.actors[3].asked_replicas == 1);
    if (rows[_i].learns)
        return;
    guardian_scan(&world.meta);
    made_until(is_told_of);
    ck_assert_msg(!learns_3(), "%s", rows[_i].what);
    ck_assert_msg(strstr(frozen_status(), rows[_i].status) != NULL, "%s: %s", rows[_i].what,
                  frozen_status());
    ck_assert_ptr_nonnull(strstr(frozen_status(), "1 partitions lack a member"));
    ck_assert_ptr_nonnull(strstr(world_command("bridle.frozen", "-j"), "\"starved\":1,\"serv"));
    made_released();
    made_until(learns_3);
}
END_TEST

/* What is asked late is waited for, and what answers after it did not is used, too. */
START_TEST(an_answer_comes_late)
{
    struct actor *actor = &world.actors[3];
    serve_short();
    holds(3, BR_ROLE_INACTIVE, 4, 8);
    actor->keeps = true;
    serve_and_ask("  lb_interval: 100ms\n");
    while (!actor->kept)
        loop_turn(world.loop);
    made_turns(20);
    ck_assert(!learns_3());
    ck_assert_uint_eq(actor->asked_replicas, 1);
    ck_assert_str_eq(cure_unrest(&world.meta.state, PID),
                     "it has not as many members as it shall have");
    actor_answer(actor);
    made_until(learns_3);
    ck_assert_uint_eq(actor->asked_replicas, 1);
}
END_TEST

START_TEST(who_did_not_answer_is_asked_again)
{
    serve_short();
    world.actors[3].refuse = "ERR_BUSY";
    serve_and_ask("  lb_interval: 100ms\n");
    made_until(is_starved);
    world.actors[3].refuse = NULL;
    made_until(learns_3);
    ck_assert_uint_le(world.actors[3].asked_replicas, 8); /* each pause is twice the last */
    ck_assert_ptr_nonnull(strstr(made_logged(), "says what replicas it holds again"));
}
END_TEST

/* One question for all partitions of a server, whatever the number. */
START_TEST(one_answer_is_for_all)
{
    made_actors(4);
    made_table(1, 40, 3);
    for (int32_t i = 0; i < 40; i++)
        made_record((struct gpid){ 1, i }, 5, i % 2, (int[]){ 1 - i % 2, -1 }, no_more);
    serve_and_ask("  lb_interval: 100ms\n");
    while (seen.count < 40)
        loop_turn(world.loop);
    for (uint32_t i = 0; i < seen.count; i++)
        ck_assert_int_eq(seen.list[i].node, 3);
    ck_assert_uint_eq(world.actors[3].asked_replicas, 1);
}
END_TEST

/* Somebody else takes the place of who is ahead or silent, and of who is dead by now. */
static bool learns_2(void)
{
    return asked_to_learn(2);
}

START_TEST(another_one_learns)
{
    serve_short();
    holds(0, BR_ROLE_PRIMARY, 5, 9);
    holds(3, BR_ROLE_INACTIVE, 4, 10);
    world.actors[3].refuse = _i == 1 ? "ERR_BUSY" : NULL;
    world.actors[3].keeps = _i == 2;
    made_serve("  lb_interval: 100ms\n", 1 << 2);
    made_until(_i == 2 ? is_frozen : is_starved);
    while (_i == 2 && !world.actors[3].kept)
        loop_turn(world.loop);
    made_beacon(&world.actors[2]);
    if (_i == 2)
        made_dead(3);
    made_until(learns_2);
    ck_assert(!learns_3());
}
END_TEST

/* A config sync says it as well; what it said before counts no more. */
START_TEST(a_sync_is_an_answer)
{
    struct msg_configuration_query_by_node_response response;
    static const struct stored more = { { 1, 0 }, BR_ROLE_INACTIVE, 4, 12 };
    serve_short();
    holds(0, BR_ROLE_PRIMARY, 5, 9);
    world.actors[3].keeps = true;
    serve_and_ask("  lb_interval: 100ms\n");
    while (!world.actors[3].kept)
        loop_turn(world.loop);
    made_sync(3, &more, 1, &response);
    made_until(is_starved);
    made_sync(3, NULL, 0, &response);
    made_until(learns_3);
    actor_answer(&world.actors[3]); /* nobody waits for it any more */
    made_turns(20);
}
END_TEST

/* -- Released -----------------------------------------------------------------------------------
 */

START_TEST(released_nobody_is_asked)
{
    serve_short();
    holds(3, BR_ROLE_INACTIVE, 4, 12);
    world_put("/pegasus", "");
    world_put("/pegasus/test", "");
    world_put("/pegasus/test/bridle", "");
    world_put("/pegasus/test/bridle/released",
              "{\"version\":1,\"cluster\":\"test\",\"by\":\"me\",\"at\":5,\"bridled\":\"0\"}");
    serve_and_ask("");
    made_until(learns_3);
    made_turns(20);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(world.actors[i].asked_replicas, 0);
    ck_assert_ptr_null(world.meta.state.nodes[0].held);
}
END_TEST

/* What waits for an answer goes on, and the answer is dropped. */
START_TEST(a_release_ends_the_waiting)
{
    serve_short();
    world.actors[3].keeps = true;
    serve_and_ask("");
    while (!world.actors[3].kept)
        loop_turn(world.loop);
    made_released();
    made_until(learns_3);
    actor_answer(&world.actors[3]);
    made_turns(20);
    ck_assert_uint_eq(world.actors[3].asked_replicas, 1);
}
END_TEST

/* -- Proposals of an operator -------------------------------------------------------------------
 */

static const char *proposed(int32_t type, bool force)
{
    return made_propose(PID, &(struct action){ type, 0, 3 }, 1, force);
}

/* Forced, until what must be known for it is known. */
static const char *forced(int32_t type)
{
    for (;;) {
        const char *err = proposed(type, true);
        struct learner now, then = learner_judge(&world.meta, PID, 3);
        if (!then.wait)
            return err;
        ck_assert_str_eq(err, "ERR_INVALID_PARAMETERS");
        while ((now = learner_judge(&world.meta, PID, 3)).wait && now.ask == then.ask)
            loop_turn(world.loop);
    }
}

static bool is_given_up(void)
{
    return strstr(made_logged(), "which it would delete: see `bridle freeze_status` before `bridle "
                                 "release`")
           != NULL;
}

static bool is_proposed(void)
{
    return seen.count > 0;
}

/* It goes once it cannot delete: at once where that is known, after the answer where it is not. */
START_TEST(an_operator_proposes_a_learner)
{
    int32_t type = _i & 1 ? CONFIG_ADD_SECONDARY_FOR_LB : CONFIG_ADD_SECONDARY;
    bool force = _i & 2;
    bool ahead = _i & 4;
    made_actors(4);
    made_table(1, 1, 2);
    made_record(PID, 5, 0, (int[]){ 1, -1 }, no_more)->committed = 9;
    holds(0, BR_ROLE_PRIMARY, 5, 9);
    holds(3, BR_ROLE_INACTIVE, 4, ahead ? 10 : 9);
    made_serve("", 0);
    made_until(is_frozen);
    const char *err = force ? forced(type) : proposed(type, false);
    ck_assert_str_eq(err, force && ahead ? "ERR_INVALID_PARAMETERS" : "ERR_OK");
    made_until(ahead ? is_given_up : is_proposed);
    ck_assert_int_eq(seen.count > 0, !ahead);
    if (!ahead)
        return;
    made_released();
    ck_assert_str_eq(proposed(type, force), "ERR_OK");
    made_until(is_proposed);
}
END_TEST

/* -- What is known of a server ------------------------------------------------------------------
 */

static const char *judged(void)
{
    return learner_judge(&world.meta, PID, 3).wrong;
}

static void tells(int node, int32_t status, int64_t ballot, int64_t committed)
{
    learner_begin(&world.meta, node);
    learner_told(
        &world.meta, node,
        &(struct told){ .pid = PID, .status = status, .ballot = ballot, .committed = committed });
    learner_end(&world.meta, node);
}

START_TEST(what_is_known)
{
    struct learner learner;
    struct state *state = &world.meta.state;
    made_actors(4);
    made_table(1, 1, 2);
    made_record(PID, 5, 0, (int[]){ 1, -1 }, no_more)->committed = 9;
    made_serve("", 0);
    made_until(is_frozen);
    int32_t three = state_node(state, world.actors[3].name, world.actors[3].address);
    ck_assert_int_eq(three, 3);
    learner = learner_judge(&world.meta, PID, 3);
    ck_assert(learner.wait && learner.ask == 3);
    tells(3, BR_ROLE_INACTIVE, 4, 12);
    learner = learner_judge(&world.meta, PID, 3);
    ck_assert(learner.wait && learner.ask == 0);
    state_cure_make(state, PID);
    tells(0, BR_ROLE_PRIMARY, 4, 20); /* an earlier group's */
    tells(0, BR_ROLE_INACTIVE, 5, 20);
    ck_assert_int_eq(learner_judge(&world.meta, PID, 3).ask, 0);
    while (loop_now(world.loop) <= state->nodes[3].held_at)
        loop_turn(world.loop);
    tells(0, BR_ROLE_PRIMARY, 5, 11);
    learner = learner_judge(&world.meta, PID, 3);
    ck_assert(learner.wrong && learner.ask == -1 && !learner.wait);
    tells(0, BR_ROLE_PRIMARY, 5, 12);
    ck_assert_ptr_null(judged());
    tells(3, BR_ROLE_LEARNER, 5, 15); /* which it has from the primary */
    ck_assert_ptr_null(judged());
    tells(3, BR_ROLE_INACTIVE, 5, 0);
    ck_assert_ptr_null(judged());
    learner_left(state, PID, 3); /* it was a member meanwhile */
    ck_assert_int_eq(learner_judge(&world.meta, PID, 3).ask, 3);
    tells(3, BR_ROLE_INACTIVE, 5, 1);
    ck_assert_ptr_null(judged());
    ask_forget(&world.meta, 3);
    ck_assert_int_eq(learner_judge(&world.meta, PID, 3).ask, 3);
}
END_TEST

/* Who was removed is asked before it comes back; and one that came back from death. */
START_TEST(who_left_is_asked_again)
{
    struct msg_configuration_update_response response;
    made_actors(3);
    made_table(1, 1, 3);
    made_record(PID, 5, 0, (int[]){ 1, 2, -1 }, no_more)->committed = 9;
    world.actors[2].start_time = 1000;
    made_serve("", 0);
    made_until(is_frozen);
    made_told();
    struct group group = { PID, CONFIG_REMOVE, 2, 6, 0, { 1, -1 } };
    ck_assert_str_eq(made_update(&group, &response), "ERR_OK");
    made_until(learns_2);
    ck_assert_uint_eq(world.actors[2].asked_replicas, 1);
    world.actors[2].start_time = 2000; /* another process */
    made_beacon(&world.actors[2]);
    while (world.actors[2].asked_replicas < 2)
        loop_turn(world.loop);
}
END_TEST

/* A fourth server took the third's place; the third comes back, ahead: nothing is asked of it. */
START_TEST(the_third_returns)
{
    struct msg_configuration_query_by_node_response response;
    static const struct stored stored = { { 1, 0 }, BR_ROLE_INACTIVE, 5, 30 };
    made_actors(4);
    made_table(1, 1, 3);
    made_record(PID, 5, 0, (int[]){ 1, 2, -1 }, no_more)->committed = 9;
    seen.obey = true;
    made_serve("  lb_interval: 100ms\n  replica_assign_delay: 1ms\n", 0);
    made_dead(2);
    made_until(learns_3);
    while (!partition_has_secondary(made_now(PID), 3))
        loop_turn(world.loop);
    seen.count = 0;
    made_beacon(&world.actors[2]);
    ck_assert_str_eq(made_sync(2, &stored, 1, &response), "ERR_OK");
    ck_assert_uint_eq(response.gc_replicas.count, 0);
    made_turns(100);
    ck_assert_uint_eq(seen.count, 0);
}
END_TEST

/* -- Nobody who returns deletes -----------------------------------------------------------------
 */

/* Empty: what servers hold is unknown to it, so that they are told nothing, and it makes nothing.
 */
START_TEST(an_empty_one_returns)
{
    struct msg_configuration_query_by_node_response response;
    static const struct stored stored[] = { { { 1, 0 }, BR_ROLE_PRIMARY, 5, 30 },
                                            { { 2, 0 }, BR_ROLE_ERROR, 5, 30 },
                                            { { 3, 0 }, BR_ROLE_INACTIVE, 5, 30 } };
    made_actors(2);
    made_serve("  meta_function_level_on_start: lively\n  lb_interval: 100ms\n", 0);
    made_until(is_frozen);
    for (int i = 0; i < 2; i++) {
        ck_assert_str_eq(made_sync(i, stored, 3, &response), "ERR_OBJECT_NOT_FOUND");
        ck_assert_uint_eq(response.partitions.count + response.gc_replicas.count, 0);
    }
    made_turns(50);
    ck_assert_uint_eq(seen.count, 0);
    ck_assert_ptr_nonnull(strstr(world_command("bridle.release", "test"), "ERROR"));
    ck_assert_ptr_nonnull(meta_create_wrong(&world.meta));
}
END_TEST

/* Old, with the metadata of then and no record: what has moved on since is left alone. */
START_TEST(an_old_one_returns)
{
    struct msg_configuration_query_by_node_response response;
    static const struct stored stored[] = { { { 1, 0 }, BR_ROLE_PRIMARY, 9, 30 },
                                            { { 2, 0 }, BR_ROLE_INACTIVE, 4, 30 } };
    made_actors(3);
    made_table(1, 1, 3);
    made_table(2, 1, 3);
    made_record(PID, 5, 0, (int[]){ 1, -1 }, no_more)->committed = 9;
    made_record((struct gpid){ 2, 0 }, 5, -1, no_more, no_more)->flags = PARTITION_DROPPED;
    made_def(2)->status = BR_TABLE_DROPPED;
    made_def(2)->drop_second = 5;
    made_def(2)->expire_second = 6;
    holds(2, BR_ROLE_PRIMARY, 9, 30);
    holds(0, BR_ROLE_SECONDARY, 9, 30);
    made_serve("  meta_function_level_on_start: lively\n  lb_interval: 100ms\n", 0);
    made_until(is_frozen);
    ck_assert_str_eq(made_sync(2, stored, 2, &response), "ERR_OBJECT_NOT_FOUND");
    ck_assert_str_eq(made_sync(1, &stored[1], 1, &response), "ERR_OK");
    ck_assert_uint_eq(response.gc_replicas.count, 0);
    made_until(is_starved); /* 2 holds more than this group */
    ck_assert(!asked_to_learn(2));
}
END_TEST

/* -- How many at once ---------------------------------------------------------------------------
 */

static struct br_call *calls[2 * ASK_PARALLEL_MAX];
static uint32_t call_count;

static void take_call(struct br_env *env, const char *node, int32_t index, struct br_call *call)
{
    (void) env;
    (void) node;
    (void) index;
    calls[call_count++] = call;
}

START_TEST(so_many_are_asked_at_once)
{
    char name[32];
    void (*replicas)(struct br_env *, const char *, int32_t, struct br_call *) =
        world.transport.ops.transport.replicas;
    call_count = 0;
    made_actors(1);
    made_table(1, 1, 1);
    made_record(PID, 5, 0, no_more, no_more);
    made_serve("", 0);
    made_until(is_frozen);
    world.transport.ops.transport.replicas = take_call;
    for (int32_t i = 1; i < ASK_PARALLEL_MAX + 3; i++) {
        snprintf(name, sizeof name, "10.0.0.%d:34801", i);
        ck_assert_int_eq(state_node(&world.meta.state, name, 0), i);
        ask_node(&world.meta, i);
        ask_node(&world.meta, i); /* once is enough */
    }
    ck_assert_uint_eq(call_count, ASK_PARALLEL_MAX);
    br_reply_ok(calls[0]);
    br_reply_fail(calls[1], BR_UNAVAILABLE, "the cable is out");
    while (call_count < ASK_PARALLEL_MAX + 2)
        loop_turn(world.loop);
    ck_assert_ptr_nonnull(strstr(ask_silent(&world.meta, 2), "the cable is out"));
    ck_assert_ptr_null(ask_silent(&world.meta, 1));
    for (uint32_t i = 2; i < call_count; i++)
        br_reply_ok(calls[i]);
    made_turns(5);
    world.transport.ops.transport.replicas = replicas;
}
END_TEST

TCase *meta_learner_cases(void)
{
    TCase *tcase = tcase_create("learner");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, made_setup, made_teardown);
    tcase_add_loop_test(tcase, a_server_is_asked_before_it_learns, 0, sizeof rows / sizeof *rows);
    tcase_add_test(tcase, an_answer_comes_late);
    tcase_add_test(tcase, who_did_not_answer_is_asked_again);
    tcase_add_test(tcase, one_answer_is_for_all);
    tcase_add_loop_test(tcase, another_one_learns, 0, 3);
    tcase_add_test(tcase, a_sync_is_an_answer);
    tcase_add_test(tcase, released_nobody_is_asked);
    tcase_add_test(tcase, a_release_ends_the_waiting);
    tcase_add_loop_test(tcase, an_operator_proposes_a_learner, 0, 8);
    tcase_add_test(tcase, what_is_known);
    tcase_add_test(tcase, who_left_is_asked_again);
    tcase_add_test(tcase, the_third_returns);
    tcase_add_test(tcase, an_empty_one_returns);
    tcase_add_test(tcase, an_old_one_returns);
    tcase_add_test(tcase, so_many_are_asked_at_once);
    return tcase;
}
