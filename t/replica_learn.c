/* replica_learn -- learning with two real replica servers, and group checks.  The second one is
 * peer '0' in name: it takes that peer's place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/replica.h"

static struct stub other;
static struct inventory_dir other_dir;
static char *other_directory;

/* A second real server at peer 0's address, with the same meta server. */
static void other_start(int64_t ballot, int64_t decree)
{
    struct fail fail;
    struct stub_options options = stage.options;
    other_directory = test_directory();
    other_dir = (struct inventory_dir){ "default", other_directory };
    struct br_table table = { .id = 1,
                              .status = BR_TABLE_AVAILABLE,
                              .partition_count = 2,
                              .replica_count = 3,
                              .flags = BR_TABLE_STATEFUL,
                              .name = "t",
                              .type = "pegasus" };
    ck_assert_int_eq(files_create(other_directory, &table, ballot < 0, ballot < 0 ? 0 : ballot,
                                  decree, false, &fail),
                     BR_OK);
    options.name = stage.peers[0].name;
    options.dirs = &other_dir;
    rdsn_server_free(stage.peers[0].server);
    ck_assert_msg(stub_start(&other, stage.loop, &options, &fail) == BR_OK, "%s", fail.text);
    stage.peers[0].server =
        rdsn_server_new(stage.loop->base, &(struct rdsn_server_options){ .request = NULL }, &fail);
}

static void other_stop(void)
{
    stub_stop(&other);
    free(other_directory);
}

static struct replica *other_replica(void)
{
    return table_find(&other, (struct gpid){ 1, 0 });
}

static void write_some(uint32_t count)
{
    static const char empty[] = { 0x0c, 0, 0, 0, 0 };
    for (uint32_t i = 0; i < count; i++)
        ck_assert_str_eq(stage_ask("RPC_RRDB_RRDB_PUT", true, (br_bytes){ empty, sizeof empty }),
                         "ERR_OK");
}

/* Where a learner starts from, where its primary is, and how much of it the list still has. */
static const struct learn_case {
    int64_t ballot, decree; /* of the learner; -1: it has none */
    uint32_t writes;
} learn_cases[] = {
    { -1, 0, 0 },   /* nothing here, decree 10 there: as a whole */
    { -1, 0, 5 },   /* nothing here; as a whole, then the list */
    { 1, 10, 5 },   /* all it misses is in the list */
    { 1, 10, 200 }, /* it misses more than the list holds */
    { 1, 8, 3 },    /* it misses what was before the list */
    { 1, 99, 3 },   /* it is ahead, of another history: from the beginning */
};

START_TEST(a_learner_becomes_a_secondary)
{
    const struct learn_case *want = &learn_cases[_i];
    stage.options.min_replicas = 1;
    stage.options.group_check_interval = 100 * BR_MILLISECOND; /* brings the last commit */

    stage.options.config_sync_interval = BR_MINUTE;
    stage_primary("");
    stage.listed_count = 0;
    write_some(want->writes);
    other_start(want->ballot, want->decree);
    STAGE_UNTIL(other.state == STUB_CONNECTED && !other.syncing);
    struct msg_configuration_update_request proposal = stage_config(3, 2, 's', "", '0');
    stage_propose(&proposal);
    STAGE_UNTIL(other_replica() && other_replica()->config.role == BR_ROLE_SECONDARY);
    stage_role(BR_ROLE_PRIMARY, 3);
    ck_assert_int_eq(stage.update.type, 4); /* UPGRADE_TO_SECONDARY */
    ck_assert_uint_eq(stage.update.node, stage_address('0'));
    ck_assert_uint_eq(stage_replica()->primary.learner_count, 0);
    write_some(3);
    STAGE_UNTIL(replica_committed(other_replica()) >= 13 + want->writes);
    ck_assert_int_eq(other_replica()->config.ballot, 3);
    ck_assert_int_eq(other_replica()->applied, replica_committed(other_replica()));
    other_stop();
}
END_TEST

/* Writes go on while it learns: none is lost, none is committed twice. */
START_TEST(learning_under_writes)
{
    stage.options.min_replicas = 1;
    stage.options.group_check_interval = 100 * BR_MILLISECOND; /* brings the last commit */

    stage_primary("");
    stage.listed_count = 0;
    stage.sync_err = "ERR_SERVICE_NOT_ACTIVE";
    other_start(-1, 0);
    STAGE_UNTIL(other.state == STUB_CONNECTED);
    struct msg_configuration_update_request proposal = stage_config(3, 2, 's', "", '0');
    stage_propose(&proposal);
    static const char empty[] = { 0x0c, 0, 0, 0, 0 };
    for (int i = 0; i < 100; i++) /* refused during the reconfiguration, no other time */
        stage_ask("RPC_RRDB_RRDB_PUT", true, (br_bytes){ empty, sizeof empty });
    STAGE_UNTIL(other_replica() && other_replica()->config.role == BR_ROLE_SECONDARY);
    stage_role(BR_ROLE_PRIMARY, 3);
    int64_t committed = replica_committed(stage_replica());
    write_some(1);
    STAGE_UNTIL(replica_committed(other_replica()) > committed);
    other_stop();
}
END_TEST

/* What it prepared as a secondary is committed as soon as it is primary and alone; and its learner
 * takes that over out of the list. */
START_TEST(learning_after_a_takeover)
{
    struct msg_prepare_ack ack;
    stage.options.config_sync_interval = BR_MINUTE;
    stage_disk(5, 10);
    stage_list(5, '0', "s1");
    stage_start();
    stage_role(BR_ROLE_SECONDARY, 5);
    for (int64_t decree = 11; decree <= 13; decree++)
        ck_assert_str_eq(stage_prepare(5, BR_ROLE_SECONDARY, 0, decree, 10, &ack), "ERR_OK");
    stage.listed_count = 0;
    struct msg_configuration_update_request proposal = stage_config(2, 5, 0, "s", 's');
    stage_propose(&proposal);
    stage_role(BR_ROLE_PRIMARY, 6);
    ck_assert_int_eq(replica_committed(stage_replica()), 13);
    for (int64_t decree = 11; decree <= 13; decree++) {
        const struct mutation *mutation = prepare_list_get(&stage_replica()->list, decree);
        ck_assert_int_eq(mutation->header.ballot, 6);
        ck_assert_int_lt(mutation->header.last_committed_decree, decree);
    }
    other_start(1, 10);
    STAGE_UNTIL(other.state == STUB_CONNECTED && !other.syncing);
    proposal = stage_config(3, 6, 's', "", '0');
    stage_propose(&proposal);
    STAGE_UNTIL(other_replica() && other_replica()->config.role == BR_ROLE_SECONDARY);
    ck_assert_int_eq(replica_committed(other_replica()), 13);
    other_stop();
}
END_TEST

/* -- A learner that asks again -------------------------------------------------------------------
 */

static struct msg_learn_response scripted_learns(int64_t signature, int64_t applied)
{
    struct msg_learn_response response = stage_learns(signature, applied);
    ck_assert_str_eq(response.err, "ERR_OK");
    return response;
}

static uint32_t cache_count(br_bytes meta)
{
    struct mutation_header header;
    struct fail fail;
    br_bytes updates;
    uint32_t count = 0;
    for (size_t size; meta.size > 0; count++) {
        ck_assert_int_eq(mutation_decode(meta, &header, &updates, &size, &fail), BR_OK);
        meta = (br_bytes){ (const char *) meta.data + size, meta.size - size };
    }
    return count;
}

/* Restarted, it has lost what it acknowledged, be that committed or not: it gets all of it. */
START_TEST(a_learner_asks_again)
{
    static const char empty[] = { 0x0c, 0, 0, 0, 0 };
    stage.options.min_replicas = 1;
    stage.options.config_sync_interval = BR_MINUTE;
    stage_primary("");
    write_some(1);
    int64_t signature = stage_add_learner();
    struct msg_learn_response response = scripted_learns(signature, 10);
    ck_assert_int_eq(response.prepare_start_decree, 12);
    ck_assert_uint_eq(cache_count(response.state.meta), 1);
    write_some(2);
    ck_assert_uint_eq(stage_records(&stage.peers[1], "RPC_PREPARE"), 2);
    stage.peers[1].prepare_err = "";
    rdsn_client_call(stage.client, stage.name,
                     &(struct rdsn_request){ .rpc = "RPC_RRDB_RRDB_PUT",
                                             .body = { empty, sizeof empty },
                                             .timeout = 30 * BR_SECOND,
                                             .app_id = 1 },
                     NULL, NULL);
    STAGE_UNTIL(stage_records(&stage.peers[1], "RPC_PREPARE") == 3);
    ck_assert_int_eq(replica_committed(stage_replica()), 13);
    stage.peers[1].prepare_err = NULL;
    response = scripted_learns(signature, 11);
    ck_assert_int_eq(response.prepare_start_decree, 14);
    ck_assert_uint_eq(cache_count(response.state.meta), 2);
    STAGE_UNTIL(replica_committed(stage_replica()) == 14);
    ck_assert_uint_eq(stage_replica()->primary.learner_count, 1);
}
END_TEST

/* Another one was primary: who learned before that has not got what it prepared. */
START_TEST(a_learner_of_former_times)
{
    struct msg_prepare_ack ack;
    stage.options.config_sync_interval = BR_MINUTE;
    stage_primary("");
    scripted_learns(stage_add_learner(), 10);
    struct msg_configuration_update_request proposal = stage_config(5, 2, 's', "", 's');
    stage_propose(&proposal);
    stage_role(BR_ROLE_SECONDARY, 3);
    for (int64_t decree = 11; decree <= 12; decree++)
        ck_assert_str_eq(stage_prepare(4, BR_ROLE_SECONDARY, 0, decree, decree - 1, &ack),
                         "ERR_OK");
    proposal = stage_config(2, 4, '0', "s", 's');
    stage_propose(&proposal);
    stage_role(BR_ROLE_PRIMARY, 5);
    ck_assert_int_eq(replica_committed(stage_replica()), 12);
    ck_assert_uint_eq(stage_replica()->primary.learner_count, 0);
    ck_assert_uint_eq(stage_records(&stage.peers[1], "RPC_PREPARE"), 0);
}
END_TEST

/* Its notice comes when a group check's answer has made it a secondary already. */
START_TEST(a_notice_comes_late)
{
    struct msg_group_check_response report;
    struct msg_learn_notify_response response;
    stage_primary("");
    int64_t signature = stage_add_learner();
    wire_init(&wire_group_check_response, &report);
    report.pid = (struct gpid){ 1, 0 };
    report.node = stage_address('1');
    report.learner_status_ = LEARNER_SUCCEEDED;
    report.learner_signature = signature;
    for (int i = 0; i < 2; i++) {
        stage_ask_message("RPC_LEARN_COMPLETION_NOTIFY", &wire_group_check_response, &report);
        stage_decode(&wire_learn_notify_response, &response);
        ck_assert_str_eq(response.err, "ERR_OK");
        ck_assert_int_eq(response.signature, signature);
        stage_role(BR_ROLE_PRIMARY, 3);
    }
    ck_assert_uint_eq(stage_replica()->primary.members.secondary_count, 1);
    ck_assert_uint_eq(stage.meta.updates, 2); /* to be primary, and the upgrade: no other */
}
END_TEST

/* -- What a learnee refuses ---------------------------------------------------------------------
 */

START_TEST(learn_is_refused)
{
    struct msg_learn_request request;
    struct msg_learn_response response;
    wire_init(&wire_learn_request, &request);
    request.pid = (struct gpid){ 1, _i == 0 };
    request.learner = stage_address('1');
    request.signature = 1;
    stage_primary("");
    if (_i >= 2) {
        struct msg_configuration_update_request proposal = stage_config(3, 2, 's', "", '1');
        stage_propose(&proposal);
    }
    if (_i == 3) {
        stage_replica()->transient = true;
        stage.update_err = "";
        struct msg_configuration_update_request proposal = stage_config(7, 2, 's', "", '2');
        stage_propose(&proposal);
    }
    static const char *const errors[] = { "ERR_OBJECT_NOT_FOUND", "ERR_OBJECT_NOT_FOUND",
                                          "ERR_WRONG_CHECKSUM", "ERR_INACTIVE_STATE" };
    ck_assert_str_eq(stage_ask_message("RPC_LEARN", &wire_learn_request, &request), "ERR_OK");
    stage_decode(&wire_learn_response, &response);
    ck_assert_str_eq(response.err, errors[_i]);
}
END_TEST

START_TEST(completion_is_refused)
{
    static const char *const errors[] = { "ERR_OBJECT_NOT_FOUND", "ERR_LEARNER_NOT_FOUND",
                                          "ERR_INVALID_STATE" };
    struct msg_group_check_response report;
    struct msg_learn_notify_response response;
    wire_init(&wire_group_check_response, &report);
    report.pid = (struct gpid){ 1, _i == 0 };
    report.node = stage_address('1');
    report.learner_status_ = _i == 2 ? LEARNER_WITH_PREPARE : LEARNER_SUCCEEDED;
    stage_primary("");
    stage_ask_message("RPC_LEARN_COMPLETION_NOTIFY", &wire_group_check_response, &report);
    stage_decode(&wire_learn_notify_response, &response);
    ck_assert_str_eq(response.err, errors[_i]);
}
END_TEST

/* -- A learner's prepares ------------------------------------------------------------------------
 */

START_TEST(a_learner_is_not_ready)
{
    struct msg_prepare_ack ack;
    stage_learner(); /* never answered */
    ck_assert_str_eq(stage_prepare(4, BR_ROLE_LEARNER, 77, 1, 0, &ack), "ERR_TRY_AGAIN");
    ck_assert_str_eq(stage_prepare(4, BR_ROLE_LEARNER, 78, 1, 0, &ack), "ERR_INVALID_STATE");
    ck_assert_int_eq(stage_replica()->config.role, BR_ROLE_INACTIVE); /* learning has failed */
}
END_TEST

static void learn_error(struct msg_learn_response *response)
{
    response->err = stage.update_err;
}

/* Errors of a learnee: again in a second, or given up. */
START_TEST(a_learnee_refuses)
{
    static const char *const errors[] = { "ERR_INACTIVE_STATE", "ERR_INCONSISTENT_STATE",
                                          "ERR_OBJECT_NOT_FOUND", "ERR_WRONG_CHECKSUM" };
    stage.update_err = errors[_i];
    stage.peers[0].learn = learn_error;
    stage_learner();
    if (_i < 2)
        STAGE_UNTIL(stage_records(&stage.peers[0], "RPC_LEARN") == 2);
    else
        STAGE_UNTIL(stage_replica()->config.role == BR_ROLE_INACTIVE);
}
END_TEST

static void learn_files(struct msg_learn_response *response)
{
    static const char *files[] = { "checkpoint.9/CURRENT" };
    response->type = LEARN_APP;
    response->state.to_decree_included = 9;
    response->last_committed_decree = 9;
    response->state.files = (struct wire_list){ files, 1 };
}

/* A server with data gives files: this one says that it cannot take them. */
START_TEST(files_are_not_for_it)
{
    stage.peers[0].learn = learn_files;
    stage_learner();
    STAGE_UNTIL(stage_replica()->config.role == BR_ROLE_INACTIVE);
    ck_assert(!stage_replica()->transient);
    ck_assert_int_eq(replica_committed(stage_replica()), 0);
}
END_TEST

START_TEST(removed)
{
    struct msg_replica_configuration config;
    stage_disk(5, 10);
    stage_list(5, '0', "s1");
    stage_start();
    stage_role(BR_ROLE_SECONDARY, 5);
    wire_init(&wire_replica_configuration, &config);
    config.pid = (struct gpid){ 1, 0 };
    config.ballot = 6;
    config.status = BR_ROLE_INACTIVE;
    config.primary = stage_address('0');
    struct buf body = { 0 };
    wire_encode(&wire_replica_configuration, &config, WIRE_PEER_25, &body);
    rdsn_client_call(stage.client, stage.name,
                     &(struct rdsn_request){
                         .rpc = "RPC_REMOVE_REPLICA", .body = buf_bytes(&body), .one_way = true },
                     NULL, NULL);
    buf_done(&body);
    STAGE_UNTIL(stage_replica()->life == LIFE_CLOSING);
    ck_assert_int_eq(stage_replica()->config.role, BR_ROLE_INACTIVE);
    ck_assert_int_eq(stage_replica()->config.ballot, 6);
}
END_TEST

/* -- Group checks --------------------------------------------------------------------------------
 */

START_TEST(group_checks)
{
    static const struct {
        int64_t ballot;
        br_role role;
        const char *err;
        br_role after;
    } cases[] = {
        { 4, BR_ROLE_SECONDARY, "ERR_VERSION_OUTDATED", BR_ROLE_SECONDARY },
        { 5, BR_ROLE_SECONDARY, "ERR_OK", BR_ROLE_SECONDARY },
        { 6, BR_ROLE_SECONDARY, "ERR_OK", BR_ROLE_SECONDARY },
        { 6, BR_ROLE_INACTIVE, "ERR_INVALID_STATE", BR_ROLE_INACTIVE },
        { 6, BR_ROLE_LEARNER, "ERR_OK", BR_ROLE_LEARNER },
    };
    struct msg_group_check_request request;
    struct msg_group_check_response response;
    struct msg_prepare_ack ack;
    stage_disk(5, 10);
    stage_list(5, '0', "s1");
    stage_start();
    stage_role(BR_ROLE_SECONDARY, 5);
    stage_prepare(5, BR_ROLE_SECONDARY, 0, 11, 10, &ack);
    wire_init(&wire_group_check_request, &request);
    request.config.pid = (struct gpid){ 1, 0 };
    request.config.ballot = cases[_i].ballot;
    request.config.status = cases[_i].role;
    request.config.primary = stage_address('0');
    request.last_committed_decree = 11;
    stage_ask_message("RPC_GROUP_CHECK", &wire_group_check_request, &request);
    stage_decode(&wire_group_check_response, &response);
    ck_assert_str_eq(response.err, cases[_i].err);
    ck_assert_int_eq(stage_replica()->config.role, cases[_i].after);
    if (strcmp(cases[_i].err, "ERR_OK") == 0 && cases[_i].role == BR_ROLE_SECONDARY)
        ck_assert_int_eq(response.last_committed_decree_in_prepare_list, 11);
}
END_TEST

/* -- What people ask ------------------------------------------------------------------------------
 */

START_TEST(replica_info_command)
{
    struct msg_command command;
    const char *text;
    struct fail fail;
    char want[256];
    stage_primary("01");
    wire_init(&wire_command, &command);
    command.cmd = "replica.info";
    stage_ask_message("RPC_CLI_CLI_CALL", &wire_command, &command);
    ck_assert_int_eq(wire_decode_value(WIRE_STRING, buf_bytes(&stage_body),
                                       wire_arena(&stage.arena), &text, &fail),
                     BR_OK);
    snprintf(want, sizeof want, "1.0 PS_PRIMARY 2 10 10 %s [%s, %s]\n", stage.name,
             stage.peers[0].name, stage.peers[1].name);
    ck_assert_str_eq(text, want);
}
END_TEST

TCase *replica_learning(void)
{
    TCase *tcase = tcase_create("learn");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, stage_setup, stage_teardown);
    tcase_add_loop_test(tcase, a_learner_becomes_a_secondary, 0,
                        (int) (sizeof learn_cases / sizeof *learn_cases));
    tcase_add_test(tcase, learning_under_writes);
    tcase_add_test(tcase, learning_after_a_takeover);
    tcase_add_test(tcase, a_learner_asks_again);
    tcase_add_test(tcase, a_learner_of_former_times);
    tcase_add_test(tcase, a_notice_comes_late);
    tcase_add_loop_test(tcase, learn_is_refused, 0, 4);
    tcase_add_loop_test(tcase, completion_is_refused, 0, 3);
    tcase_add_test(tcase, a_learner_is_not_ready);
    tcase_add_loop_test(tcase, a_learnee_refuses, 0, 4);
    tcase_add_test(tcase, files_are_not_for_it);
    tcase_add_test(tcase, removed);
    tcase_add_loop_test(tcase, group_checks, 0, 5);
    tcase_add_test(tcase, replica_info_command);
    return tcase;
}
