/* replica_proposal -- every proposal, and the update that follows it. */
#include <string.h>

#include "t/replica.h"

/* On a primary at ballot 2 with secondary 0: what is asked of the meta server. */
static const struct proposal_case {
    int32_t type;
    char node;
    int32_t asks; /* 0: nothing */
    char primary; /* of what is asked */
    const char *secondaries;
    br_role role; /* after it was accepted */
} proposal_cases[] = {
    { 5, 's', 5, 0, "0s", BR_ROLE_SECONDARY }, /* DOWNGRADE_TO_SECONDARY */
    { 6, 's', 6, 0, "0", BR_ROLE_INACTIVE },   /* DOWNGRADE_TO_INACTIVE: itself */
    { 6, '0', 6, 's', "", BR_ROLE_PRIMARY },   /* its secondary */
    { 7, '0', 7, 's', "", BR_ROLE_PRIMARY },   /* REMOVE */
    { 7, 's', 7, 0, "0", BR_ROLE_INACTIVE },   /* REMOVE: itself */
    { 7, '2', 7, 's', "0", BR_ROLE_PRIMARY },  /* REMOVE of no member */
    { 1, 's', 0, 0, "", BR_ROLE_PRIMARY },     /* ASSIGN_PRIMARY to a primary */
    { 2, 's', 0, 0, "", BR_ROLE_PRIMARY },     /* UPGRADE_TO_PRIMARY of one */
};

static void same_members(const struct msg_partition_configuration *config, char primary,
                         const char *secondaries)
{
    const uint64_t *list = config->secondaries.items;
    ck_assert_uint_eq(config->primary, stage_address(primary));
    ck_assert_uint_eq(config->secondaries.count, strlen(secondaries));
    for (size_t i = 0; secondaries[i]; i++)
        ck_assert_uint_eq(list[i], stage_address(secondaries[i]));
}

START_TEST(on_a_primary)
{
    const struct proposal_case *want = &proposal_cases[_i];
    stage_primary("0");
    uint32_t updates = stage.meta.updates;
    struct msg_configuration_update_request proposal =
        stage_config(want->type, 2, 's', "0", want->node);
    stage_propose(&proposal);
    if (!want->asks) {
        ck_assert_uint_eq(stage.meta.updates, updates);
        ck_assert_int_eq(stage_replica()->config.role, want->role);
        return;
    }
    stage_role(want->role, 3);
    ck_assert_uint_eq(stage.meta.updates, updates + 1);
    ck_assert_int_eq(stage.update.type, want->asks);
    ck_assert_uint_eq(stage.update.node, stage_address(want->node));
    ck_assert_int_eq(stage.update.config.ballot, 3);
    same_members(&stage.update.config, want->primary, want->secondaries);
}
END_TEST

/* REMOVE: the removed one is told. */
START_TEST(the_removed_one_is_told)
{
    stage_primary("0");
    struct msg_configuration_update_request proposal = stage_config(7, 2, 's', "0", '0');
    stage_propose(&proposal);
    STAGE_UNTIL(stage_record(&stage.peers[0], "RPC_REMOVE_REPLICA", 0));
    struct msg_replica_configuration config;
    struct fail fail;
    ck_assert_int_eq(wire_decode(&wire_replica_configuration,
                                 stage_record(&stage.peers[0], "RPC_REMOVE_REPLICA", 0)->body,
                                 wire_arena(&stage.arena), &config, &fail),
                     BR_OK);
    ck_assert_int_eq(config.status, BR_ROLE_INACTIVE);
    ck_assert_int_eq(config.ballot, 3);
}
END_TEST

/* What is ignored: an older ballot, a proposal while another one is under way. */
START_TEST(ignored)
{
    stage_primary("0");
    uint32_t updates = stage.meta.updates;
    struct msg_configuration_update_request old = stage_config(6, 1, 's', "0", '0');
    stage_propose(&old);
    ck_assert_uint_eq(stage.meta.updates, updates);
    stage.update_err = "";
    struct msg_configuration_update_request proposal = stage_config(6, 2, 's', "0", '0');
    stage_propose(&proposal);
    STAGE_UNTIL(stage.meta.updates == updates + 1);
    stage_propose(&proposal);
    ck_assert_uint_eq(stage.meta.updates, updates + 1);
    ck_assert(stage_replica()->update.pending);
}
END_TEST

START_TEST(not_connected)
{
    stage.not_leader = true;
    stage_start();
    struct msg_configuration_update_request proposal = stage_config(1, 0, 0, "", 's');
    stage_propose(&proposal);
    ck_assert_ptr_null(stage_replica());
}
END_TEST

/* -- Making and opening -------------------------------------------------------------------------
 */

START_TEST(assign_primary_makes_one)
{
    stage_start();
    stage_connect();
    struct msg_configuration_update_request proposal = stage_config(1, 0, 0, "", 's');
    stage_propose(&proposal);
    stage_role(BR_ROLE_PRIMARY, 1);
    ck_assert_int_eq(stage.update.type, 1);
    same_members(&stage.update.config, 's', "");
    ck_assert_int_eq(replica_committed(stage_replica()), 0);
}
END_TEST

/* A closed one is opened again from its directory, with its ballot. */
START_TEST(assign_primary_opens_a_closed_one)
{
    stage.options.config_sync_interval = 30 * BR_MILLISECOND;
    stage_primary("");
    stage.listed_count = 0;
    STAGE_UNTIL(stage_replica()->life == LIFE_CLOSED);
    stage.sync_err = "ERR_SERVICE_NOT_ACTIVE";
    struct msg_configuration_update_request proposal = stage_config(1, 2, 0, "", 's');
    stage_propose(&proposal);
    stage_role(BR_ROLE_PRIMARY, 3);
    ck_assert_int_eq(replica_committed(stage_replica()), 10);
}
END_TEST

START_TEST(upgrade_of_a_stranger)
{
    stage_start();
    stage_connect();
    struct msg_configuration_update_request proposal = stage_config(2, 4, 's', "0", 's');
    stage_propose(&proposal);
    STAGE_UNTIL(stage.meta.updates == 1);
    ck_assert_ptr_null(stage_replica());
    ck_assert_int_eq(stage.update.type, 6);
    same_members(&stage.update.config, 0, "0");
}
END_TEST

START_TEST(upgrade_of_a_secondary)
{
    stage_disk(4, 10);
    stage_list(4, '0', "1s");
    stage_start();
    stage_role(BR_ROLE_SECONDARY, 4);
    struct msg_configuration_update_request proposal = stage_config(2, 4, 0, "1s", 's');
    stage_propose(&proposal);
    stage_role(BR_ROLE_PRIMARY, 5);
    ck_assert_int_eq(stage.update.type, 2);
    same_members(&stage.update.config, 's', "1");
}
END_TEST

/* A table's type becomes a path, its count a bound: neither is believed. */
START_TEST(strange_tables)
{
    static const struct {
        const char *type;
        int32_t id, count;
    } tables[] = { { "../../x", 1, 2 }, { "a/b", 1, 2 },     { "", 1, 2 },
                   { "x.gar", 1, 2 },   { "pegasus", 2, 2 }, { "pegasus", 1, 0 } };
    stage_start();
    stage_connect();
    struct msg_configuration_update_request proposal = stage_config(1, 0, 0, "", 's');
    proposal.info.app_type = tables[_i].type;
    proposal.info.app_id = tables[_i].id;
    proposal.info.partition_count = tables[_i].count;
    stage_propose(&proposal);
    ck_assert_ptr_null(stage_replica());
}
END_TEST

/* -- The update -------------------------------------------------------------------------------- */

/* Sent again after a second, whatever the error, until it is accepted. */
START_TEST(an_update_is_repeated)
{
    static const char *const errors[] = { "ERR_STATE_FREEZED", "ERR_FORWARD_TO_OTHERS",
                                          "ERR_SERVICE_NOT_ACTIVE" };
    stage.update_err = errors[_i];
    stage.update_fails = 2;
    stage_primary("");
    ck_assert_uint_ge(stage.meta.updates, 2);
}
END_TEST

static void newer(struct msg_configuration_update_response *response)
{
    static uint64_t secondaries[1];
    secondaries[0] = stage_address('s');
    response->err = "ERR_INVALID_VERSION";
    response->config.ballot = 7;
    response->config.primary = stage_address('1');
    response->config.secondaries = (struct wire_list){ secondaries, 1 };
}

/* ERR_INVALID_VERSION: what is true is in the answer. */
START_TEST(another_version)
{
    stage.update_edit = newer;
    stage_disk(1, 10);
    stage_list(1, 's', "");
    stage_start();
    stage_role(BR_ROLE_SECONDARY, 7);
    ck_assert_uint_eq(stage.meta.updates, 1);
}
END_TEST

/* -- New secondaries ----------------------------------------------------------------------------
 */

START_TEST(add_secondary)
{
    stage_primary("");
    struct msg_configuration_update_request proposal = stage_config(_i ? 8 : 3, 2, 's', "", '1');
    stage_propose(&proposal);
    STAGE_UNTIL(stage_record(&stage.peers[1], "RPC_LEARN_ADD_LEARNER", 0));
    struct msg_group_check_request request;
    struct fail fail;
    ck_assert_int_eq(wire_decode(&wire_group_check_request,
                                 stage_record(&stage.peers[1], "RPC_LEARN_ADD_LEARNER", 0)->body,
                                 wire_arena(&stage.arena), &request, &fail),
                     BR_OK);
    ck_assert_int_eq(request.config.status, BR_ROLE_LEARNER);
    ck_assert_int_eq(request.config.ballot, 2);
    ck_assert_int_eq(request.config.learner_signature, (INT64_C(2) << 32) + 2);
    ck_assert_int_eq(request.last_committed_decree, 10);
    ck_assert_uint_eq(request.node, stage_address('1'));
    stage_propose(&proposal); /* repeated: the same signature */
    STAGE_UNTIL(stage_record(&stage.peers[1], "RPC_LEARN_ADD_LEARNER", 1));
    ck_assert_uint_eq(stage_replica()->primary.learner_count, 1);
}
END_TEST

/* Full: ADD_SECONDARY stops at max_replica_count, ADD_SECONDARY_FOR_LB at one more. */
START_TEST(enough_members)
{
    stage_primary("01");
    struct msg_configuration_update_request proposal = stage_config(3, 2, 's', "01", '2');
    stage_propose(&proposal);
    ck_assert_uint_eq(stage_replica()->primary.learner_count, 0);
    proposal.type = 8;
    stage_propose(&proposal);
    ck_assert_uint_eq(stage_replica()->primary.learner_count, 1);
}
END_TEST

TCase *replica_proposals(void)
{
    TCase *tcase = tcase_create("proposal");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, stage_setup, stage_teardown);
    tcase_add_loop_test(tcase, on_a_primary, 0,
                        (int) (sizeof proposal_cases / sizeof *proposal_cases));
    tcase_add_test(tcase, the_removed_one_is_told);
    tcase_add_test(tcase, ignored);
    tcase_add_test(tcase, not_connected);
    tcase_add_test(tcase, assign_primary_makes_one);
    tcase_add_test(tcase, assign_primary_opens_a_closed_one);
    tcase_add_test(tcase, upgrade_of_a_stranger);
    tcase_add_test(tcase, upgrade_of_a_secondary);
    tcase_add_loop_test(tcase, strange_tables, 0, 6);
    tcase_add_loop_test(tcase, an_update_is_repeated, 0, 3);
    tcase_add_test(tcase, another_version);
    tcase_add_loop_test(tcase, add_secondary, 0, 2);
    tcase_add_test(tcase, enough_members);
    return tcase;
}
