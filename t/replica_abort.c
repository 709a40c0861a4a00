/* replica_abort -- every place where a real replica server aborts: this one must die there, with
 * status 70 and one line that says why.
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t/replica.h"

/* -- What kills it --------------------------------------------------------------------------------
 */

static void primary(void)
{
    stage_primary("01");
}

static void secondary(void)
{
    stage_disk(5, 10);
    stage_list(5, '0', "s1");
    stage_start();
    stage_role(BR_ROLE_SECONDARY, 5);
}

static void propose(int32_t type, int64_t ballot, char primary_, const char *secondaries, char node)
{
    struct msg_configuration_update_request proposal =
        stage_config(type, ballot, primary_, secondaries, node);
    stage_propose(&proposal);
}

static void not_its_name(void)
{
    secondary();
    propose(2, 5, 0, "s1", '1');
}

static void unknown_type(void)
{
    primary();
    propose(10, 2, 's', "01", '2');
}

static void other_order(void)
{
    primary();
    propose(3, 2, 's', "10", '2');
}

static void other_members(void)
{
    primary();
    propose(3, 2, 's', "0", '2');
}

static void other_primary(void)
{
    primary();
    propose(6, 2, '2', "01", '1');
}

static void no_primary(void)
{
    primary();
    propose(7, 2, 0, "01", '1');
}

static void add_a_member(void)
{
    primary();
    propose(3, 2, 's', "01", '0');
}

static void add_itself(void)
{
    primary();
    propose(8, 2, 's', "01", 's');
}

static void another_is_to_step_down(void)
{
    primary();
    propose(5, 2, 's', "01", '0');
}

static void inactive_and_no_member(void)
{
    primary();
    propose(6, 2, 's', "01", '2');
}

static void edit_primary(struct msg_configuration_update_response *response)
{
    response->config.primary = stage_address('2');
}

static void edit_secondaries(struct msg_configuration_update_response *response)
{
    response->config.secondaries.count = 1;
}

static void edit_pid(struct msg_configuration_update_response *response)
{
    response->config.pid.partition = 1;
}

static void another_reply(void (*edit)(struct msg_configuration_update_response *response))
{
    stage.update_edit = edit;
    stage_disk(1, 10);
    stage_list(1, 's', "01");
    stage_start();
    STAGE_UNTIL(stage.meta.updates > 9);
}

static void reply_other_primary(void)
{
    another_reply(edit_primary);
}

static void reply_other_secondaries(void)
{
    another_reply(edit_secondaries);
}

static void reply_other_pid(void)
{
    another_reply(edit_pid);
}

static void create(int64_t ballot, int64_t decree)
{
    stage_start();
    stage_connect();
    struct msg_configuration_update_request proposal = stage_config(1, ballot, 0, "", 's');
    proposal.config.last_committed_decree = decree;
    stage_propose(&proposal);
}

static void create_with_ballot(void)
{
    create(3, 0);
}

static void create_with_decree(void)
{
    create(0, 9);
}

static void prepare(int64_t ballot, br_role role, int64_t decree, int64_t committed)
{
    struct msg_prepare_ack ack;
    stage_prepare(ballot, role, 0, decree, committed, &ack);
}

static void prepare_for_another_role(void)
{
    secondary();
    prepare(5, BR_ROLE_INACTIVE, 11, 10);
}

static void prepare_to_a_primary(void)
{
    primary();
    prepare(2, BR_ROLE_SECONDARY, 11, 10);
}

static void prepare_with_a_hole(void)
{
    secondary();
    prepare(5, BR_ROLE_SECONDARY, 12, 10);
    prepare(5, BR_ROLE_SECONDARY, 13, 12);
}

static void prepare_far_above(void)
{
    secondary();
    prepare(5, BR_ROLE_SECONDARY, 10 + PREPARE_LIST_MAX + 1, 10);
}

static void prepare_very_far_above(void)
{
    secondary();
    prepare(5, BR_ROLE_SECONDARY, INT64_MAX, 10);
}

static void checked_as_primary(void)
{
    struct msg_group_check_request request;
    primary();
    wire_init(&wire_group_check_request, &request);
    request.config.pid = (struct gpid){ 1, 0 };
    request.config.ballot = 2;
    request.config.status = BR_ROLE_SECONDARY;
    stage_ask_message("RPC_GROUP_CHECK", &wire_group_check_request, &request);
}

static void checked_as_learner_while_primary(void)
{
    struct msg_group_check_request request;
    primary();
    wire_init(&wire_group_check_request, &request);
    request.config.pid = (struct gpid){ 1, 0 };
    request.config.ballot = 3;
    request.config.status = BR_ROLE_LEARNER;
    stage_ask_message("RPC_GROUP_CHECK", &wire_group_check_request, &request);
}

static void commit_of_nothing(void)
{
    struct msg_group_check_request request;
    secondary();
    wire_init(&wire_group_check_request, &request);
    request.config.pid = (struct gpid){ 1, 0 };
    request.config.ballot = 5;
    request.config.status = BR_ROLE_SECONDARY;
    request.last_committed_decree = 11;
    stage_ask_message("RPC_GROUP_CHECK", &wire_group_check_request, &request);
}

static void removed_as_secondary(void)
{
    struct msg_replica_configuration config;
    secondary();
    wire_init(&wire_replica_configuration, &config);
    config.pid = (struct gpid){ 1, 0 };
    config.ballot = 6;
    config.status = BR_ROLE_SECONDARY;
    stage_ask_message("RPC_REMOVE_REPLICA", &wire_replica_configuration, &config);
}

static void prepare_of_another(void)
{
    secondary();
    struct prepare message = stage_prepare_message(5, BR_ROLE_SECONDARY, 0, 11, 10);
    message.header.pid.partition = 1;
    stage_prepare_send(&message, "RPC_REPLICATION_WRITE_EMPTY");
}

static void prepare_of_two_ballots(void)
{
    secondary();
    struct prepare message = stage_prepare_message(5, BR_ROLE_SECONDARY, 0, 11, 10);
    message.header.ballot = 4;
    stage_prepare_send(&message, "RPC_REPLICATION_WRITE_EMPTY");
}

static void prepare_of_an_unknown_code(void)
{
    secondary();
    struct prepare message = stage_prepare_message(5, BR_ROLE_SECONDARY, 0, 11, 10);
    stage_prepare_send(&message, "RPC_RRDB_RRDB_PUT2");
}

static void ack_ballot(struct msg_prepare_ack *ack)
{
    ack->ballot++;
}

static void ack_decree(struct msg_prepare_ack *ack)
{
    ack->decree++;
}

static void acknowledged(void (*edit)(struct msg_prepare_ack *ack))
{
    static const char empty[] = { 0x0c, 0, 0, 0, 0 };
    primary();
    stage.peers[1].prepare_edit = edit;
    stage_ask("RPC_RRDB_RRDB_PUT", true, (br_bytes){ empty, sizeof empty });
}

static void another_ballot_is_acknowledged(void)
{
    acknowledged(ack_ballot);
}

static void another_decree_is_acknowledged(void)
{
    acknowledged(ack_decree);
}

static void learn(void (*script)(struct msg_learn_response *response))
{
    stage.peers[0].learn = script;
    stage_learner();
    STAGE_UNTIL(stage_replica()->config.role != BR_ROLE_LEARNER);
}

static void give_log(struct msg_learn_response *response)
{
    response->type = LEARN_LOG;
    response->prepare_start_decree = 1;
}

static void give_too_little(struct msg_learn_response *response)
{
    response->type = LEARN_CACHE;
    response->prepare_start_decree = 4;
    response->last_committed_decree = 3;
}

static void learn_a_log(void)
{
    learn(give_log);
}

static void learn_too_little(void)
{
    learn(give_too_little);
}

static void unset_secondaries(struct msg_configuration_update_response *response)
{
    response->config.present &= ~WIRE_BIT(10);
}

static void a_reply_without_names(void)
{
    stage_named();
    stage.update_edit = unset_secondaries;
    stage_disk(1, 10);
    stage_list(1, 's', "");
    stage_start();
    stage_role(BR_ROLE_INACTIVE, 99);
}

static void a_proposal_without_names(void)
{
    stage_named();
    primary();
    struct msg_configuration_update_request proposal = stage_config(3, 2, 's', "01", '2');
    proposal.config.present &= ~(WIRE_BIT(9) | WIRE_BIT(10) | WIRE_BIT(11));
    stage_propose(&proposal);
}

static const struct {
    void (*kill)(void);
    const char *line; /* what it must hold, beside the beginning */
} deaths[] = {
    { not_its_name, "replica_config.cpp:assign_primary" },
    { unknown_type, "invalid config_type 10" },
    { other_order, "replica_config.cpp:add_potential_secondary" },
    { other_members, "replica_config.cpp:add_potential_secondary" },
    { other_primary, "replica_config.cpp:downgrade_to_inactive_on_primary" },
    { no_primary, "replica_config.cpp:remove" },
    { add_a_member, "shall be added, and is PS_SECONDARY" },
    { add_itself, "shall be added, and is PS_PRIMARY" },
    { another_is_to_step_down, "replica_config.cpp:downgrade_to_secondary_on_primary" },
    { inactive_and_no_member, "remove node failed" },
    { reply_other_primary, "on_update_configuration_on_meta_server_reply" },
    { reply_other_secondaries, "on_update_configuration_on_meta_server_reply" },
    { reply_other_pid, "the update's reply is about 1.1" },
    { create_with_ballot, "cannot load replica, ballot = 3" },
    { create_with_decree, "last_committed_decree = 9" },
    { prepare_for_another_role, "a prepare for a PS_INACTIVE came to a PS_SECONDARY" },
    { prepare_to_a_primary, "a prepare for a PS_SECONDARY came to a PS_PRIMARY" },
    { prepare_with_a_hole, "mutation 11 is missing in prepare list" },
    { prepare_far_above, "too far above committed 10" },
    { prepare_very_far_above, "too far above committed 10" },
    { prepare_of_another, "the mutation is of 1.1, the configuration of 1.0" },
    { prepare_of_two_ballots, "the mutation's ballot is 4, the configuration's 5" },
    { prepare_of_an_unknown_code, "invalid mutation task code: RPC_RRDB_RRDB_PUT2" },
    { another_ballot_is_acknowledged, "acknowledged with ballot 3" },
    { another_decree_is_acknowledged, "acknowledged decree 12, not 11" },
    { learn_a_log, "prepares begin at 1 with learn_type 3" },
    { learn_too_little, "mutation 1 is missing in prepare list" },
    { a_proposal_without_names, "the proposal says nobody []" },
    { a_reply_without_names, "without hp_secondaries" },
    { checked_as_primary, "replica_check.cpp:on_group_check" },
    { checked_as_learner_while_primary, "invalid execution path" },
    { commit_of_nothing, "mutation 11 is missing in prepare list" },
    { removed_as_secondary, "replica_config.cpp:on_remove" },
};

/* -- In a process of its own ----------------------------------------------------------------------
 */

static void die(int fd, void (*kill)(void))
{
    stage_setup();
    stage.log = (struct log){ .fd = fd, .level = BR_ERROR };
    kill();
    _exit(0); /* it lived */
}

START_TEST(it_dies)
{
    int pipe_[2], status;
    char line[8192] = "";
    size_t size = 0;
    ck_assert_int_eq(pipe(pipe_), 0);
    pid_t child = fork();
    if (child == 0) {
        close(pipe_[0]);
        die(pipe_[1], deaths[_i].kill);
    }
    close(pipe_[1]);
    for (ssize_t got; (got = read(pipe_[0], line + size, sizeof line - 1 - size)) > 0;)
        size += (size_t) got;
    close(pipe_[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == REPLICA_ABORT_STATUS,
                  "case %d: status %x: %s", _i, (unsigned) status, line);
    ck_assert_msg(strstr(line, "msg=\"a real replica server aborts here: ") != NULL, "%s", line);
    ck_assert_msg(strstr(line, deaths[_i].line) != NULL, "case %d: %s", _i, line);
    ck_assert_msg(strstr(line, "gpid 1.0") != NULL, "%s", line);
}
END_TEST

TCase *replica_aborts(void)
{
    TCase *tcase = tcase_create("abort");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, it_dies, 0, (int) (sizeof deaths / sizeof *deaths));
    return tcase;
}
