/* replica_commit -- the two-phase commit: a primary's side, a secondary's, and what becomes of
 * decrees when the primary changes.
 */
#include <string.h>

#include "host/rdsn/message_data.h"
#include "t/replica.h"

static void put_body(struct buf *body)
{
    struct msg_rrdb_update_request request;
    wire_init(&wire_rrdb_update_request, &request);
    request.key = (br_bytes){ "key", 3 };
    request.value = (br_bytes){ "value", 5 };
    wire_encode(&wire_rrdb_update_request, &request, WIRE_PEER_25, body);
}

static const char *put(int64_t *ret_decree)
{
    struct buf body = { 0 };
    struct msg_rrdb_update_response response;
    put_body(&body);
    const char *error = stage_ask("RPC_RRDB_RRDB_PUT", true, buf_bytes(&body));
    buf_done(&body);
    if (strcmp(error, "ERR_OK") == 0) {
        stage_decode(&wire_rrdb_update_response, &response);
        ck_assert_int_eq(response.error, 0);
        *ret_decree = response.decree;
    }
    return error;
}

static struct prepare prepared(const struct scripted *server, uint32_t n)
{
    struct prepare prepare;
    struct fail fail;
    const struct record *record = stage_record(server, "RPC_PREPARE", n);
    ck_assert_ptr_nonnull(record);
    ck_assert_int_eq(prepare_decode(record->body, wire_arena(&stage.arena), &prepare, &fail),
                     BR_OK);
    return prepare;
}

/* -- The primary ------------------------------------------------------------------------------ */

START_TEST(writes_get_decrees_in_order)
{
    stage_primary("01");
    for (int64_t i = 1; i <= 5; i++) {
        int64_t decree = 0;
        ck_assert_str_eq(put(&decree), "ERR_OK");
        ck_assert_int_eq(decree, 10 + i);
    }
    for (int peer = 0; peer < 2; peer++) {
        ck_assert_uint_eq(stage_records(&stage.peers[peer], "RPC_PREPARE"), 5);
        for (uint32_t i = 0; i < 5; i++) {
            struct prepare prepare = prepared(&stage.peers[peer], i);
            ck_assert_int_eq(prepare.header.decree, 11 + i);
            ck_assert_int_eq(prepare.header.ballot, 2);
            ck_assert_int_eq(prepare.header.last_committed_decree, 10 + i);
            ck_assert_int_eq(prepare.header.log_offset, -1);
            ck_assert_int_eq(prepare.config.status, BR_ROLE_SECONDARY);
            struct mutation_update update;
            struct mutation_walk walk;
            mutation_walk_begin(prepare.updates, &walk);
            ck_assert(mutation_walk_next(&walk, &update));
            ck_assert_uint_eq(update.code_size, strlen("RPC_RRDB_RRDB_PUT"));
            ck_assert_int_eq(update.format, 1);
            ck_assert(!mutation_walk_next(&walk, &update));
        }
    }
    const struct record *record = stage_record(&stage.peers[0], "RPC_PREPARE", 0);
    ck_assert_int_eq(record->header.thread_hash, 7919);
    ck_assert_int_eq(record->header.app_id, 0);
    ck_assert_int_eq(record->header.timeout_ms, 1000);
}
END_TEST

/* What an empty request comes to where nothing is kept: RocksDB's 0 ok, 1 not found, 4 invalid. */
static const struct {
    const char *rpc;
    bool write, key; /* key: the request is a key alone */
    char error;
} codes[] = {
    { "RPC_RRDB_RRDB_PUT", true, false, 0 },
    { "RPC_RRDB_RRDB_REMOVE", true, true, 0 },
    { "RPC_RRDB_RRDB_MULTI_PUT", true, false, 4 },
    { "RPC_RRDB_RRDB_MULTI_REMOVE", true, false, 4 },
    { "RPC_RRDB_RRDB_INCR", true, false, 0 },
    { "RPC_RRDB_RRDB_CHECK_AND_SET", true, false, 0 },
    { "RPC_RRDB_RRDB_CHECK_AND_MUTATE", true, false, 4 },
    { "RPC_RRDB_RRDB_GET", false, true, 1 },
    { "RPC_RRDB_RRDB_MULTI_GET", false, false, 0 },
    { "RPC_RRDB_RRDB_BATCH_GET", false, false, 4 },
    { "RPC_RRDB_RRDB_TTL", false, true, 1 },
    { "RPC_RRDB_RRDB_SORTKEY_COUNT", false, true, 0 },
    { "RPC_RRDB_RRDB_GET_SCANNER", false, false, 0 },
    { "RPC_RRDB_RRDB_SCAN", false, false, 1 },
};

static void put_request(bool key, struct buf *body)
{
    static const char empty[] = { 0x0c, 0, 0, 0, 0 };
    const br_bytes none = { NULL, 0 };
    if (key)
        wire_encode_value(WIRE_BLOB, &none, body);
    else
        buf_put(body, empty, sizeof empty);
}

/* Each write takes a decree, no read does; nor does what makes no sense. */
START_TEST(every_code)
{
    struct buf body = { 0 };
    stage_primary("0");
    put_request(codes[_i].key, &body);
    ck_assert_str_eq(stage_ask(codes[_i].rpc, true, buf_bytes(&body)), "ERR_OK");
    ck_assert_int_eq(replica_committed(stage_replica()), codes[_i].write ? 11 : 10);
    /* Every response of every code begins with its error. */
    ck_assert_uint_ge(stage_body.size, 10);
    ck_assert_int_eq(stage_body.data[3], 8);
    ck_assert_int_eq(stage_body.data[9], codes[_i].error);
    body.size--;
    ck_assert_str_ne(stage_ask(codes[_i].rpc, true, buf_bytes(&body)), "ERR_OK");
    ck_assert_int_eq(replica_committed(stage_replica()), codes[_i].write ? 11 : 10);
    buf_done(&body);
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *secondaries;
        const char *error;
    } cases[] = { { "", "ERR_NOT_ENOUGH_MEMBER" }, { "0", "ERR_OK" } };
    int64_t decree;
    stage_primary(cases[_i].secondaries);
    ck_assert_str_eq(put(&decree), cases[_i].error);
    char big[WRITE_SIZE_MAX + 1];
    memset(big, 0, sizeof big);
    ck_assert_str_eq(stage_ask("RPC_RRDB_RRDB_PUT", true, (br_bytes){ big, sizeof big }),
                     "ERR_INVALID_DATA");
}
END_TEST

START_TEST(nobody_and_no_primary)
{
    int64_t decree;
    stage_start();
    stage_connect();
    ck_assert_str_eq(put(&decree), "ERR_OBJECT_NOT_FOUND");
    ck_assert_str_eq(stage_ask("RPC_RRDB_RRDB_GET", true, (br_bytes){ NULL, 0 }),
                     "ERR_OBJECT_NOT_FOUND");
    struct msg_configuration_update_request proposal = stage_config(1, 0, 0, "", 's');
    stage.update_err = "";
    stage_propose(&proposal); /* a reconfiguration that lasts */
    ck_assert_str_eq(put(&decree), "ERR_INVALID_STATE");
    ck_assert_str_eq(stage_ask("RPC_RRDB_RRDB_GET", true, (br_bytes){ NULL, 0 }),
                     "ERR_INVALID_STATE");
    ck_assert_str_eq(stage_ask("RPC_RRDB_RRDB_NONE", true, (br_bytes){ NULL, 0 }),
                     "ERR_HANDLER_NOT_FOUND");
}
END_TEST

/* No acknowledgement, no commit; a failed secondary is taken out, and then it is committed. */
START_TEST(a_secondary_fails)
{
    static const char *const errors[] = { "", "ERR_INVALID_STATE", "ERR_OBJECT_NOT_FOUND" };
    stage_primary("01");
    stage.peers[1].prepare_err = errors[_i];
    int64_t decree = 0;
    ck_assert_str_eq(put(&decree), "ERR_OK");
    ck_assert_int_eq(decree, 11);
    ck_assert_int_eq(stage_replica()->config.ballot, 3);
    ck_assert_int_eq(stage.update.type, 6);
    ck_assert_uint_eq(stage.update.node, stage_address('1'));
    ck_assert_uint_eq(stage.update.config.secondaries.count, 1);
    struct prepare again = prepared(&stage.peers[0], 1); /* prepared anew at the new ballot */
    ck_assert_int_eq(again.header.decree, 11);
    ck_assert_int_eq(again.header.ballot, 3);
}
END_TEST

/* For the moment inactive: asked again a little later. */
START_TEST(a_secondary_is_late)
{
    stage_primary("0");
    stage.peers[0].prepare_err = _i ? "ERR_TRY_AGAIN" : "ERR_INACTIVE_STATE";
    struct buf body = { 0 };
    put_body(&body);
    stage_send("RPC_RRDB_RRDB_PUT", buf_bytes(&body));
    buf_done(&body);
    STAGE_UNTIL(stage_records(&stage.peers[0], "RPC_PREPARE") >= 2);
    ck_assert(stage_busy());
    stage.peers[0].prepare_err = NULL;
    ck_assert_str_eq(stage_sent_error(), "ERR_OK");
    ck_assert_int_eq(stage_replica()->config.ballot, 2);
}
END_TEST

/* A new primary tells its group at once. */
START_TEST(the_group_is_told)
{
    stage_primary("01");
    STAGE_UNTIL(stage_record(&stage.peers[0], "RPC_GROUP_CHECK", 0)
                && stage_record(&stage.peers[1], "RPC_GROUP_CHECK", 0));
    struct msg_group_check_request request;
    struct fail fail;
    ck_assert_int_eq(wire_decode(&wire_group_check_request,
                                 stage_record(&stage.peers[1], "RPC_GROUP_CHECK", 0)->body,
                                 wire_arena(&stage.arena), &request, &fail),
                     BR_OK);
    ck_assert_int_eq(request.config.ballot, 2);
    ck_assert_int_eq(request.config.status, BR_ROLE_SECONDARY);
    ck_assert_int_eq(request.confirmed_decree, -1);
    ck_assert(!WIRE_HAS(&request, 6) && !WIRE_HAS(&request, 7));
}
END_TEST

/* Without clients a primary writes nothing now and then, so that commits reach the others. */
START_TEST(empty_writes)
{
    stage.options.group_check_interval = 30 * BR_MILLISECOND;
    stage_primary("0");
    STAGE_UNTIL(stage_records(&stage.peers[0], "RPC_PREPARE") >= 2);
    STAGE_UNTIL(stage_records(&stage.peers[0], "RPC_GROUP_CHECK") >= 2);
    struct prepare prepare = prepared(&stage.peers[0], 0);
    struct mutation_update update;
    struct mutation_walk walk;
    mutation_walk_begin(prepare.updates, &walk);
    ck_assert(mutation_walk_next(&walk, &update));
    ck_assert_mem_eq(update.code, "RPC_REPLICATION_WRITE_EMPTY", update.code_size);
    ck_assert_uint_eq(update.data.size, 0);
}
END_TEST

/* -- A secondary ------------------------------------------------------------------------------ */

static void be_secondary(void)
{
    stage_disk(5, 10);
    stage_list(5, '0', "s1");
    stage_start();
    stage_role(BR_ROLE_SECONDARY, 5);
}

START_TEST(it_commits_what_the_primary_commits)
{
    struct msg_prepare_ack ack;
    be_secondary();
    for (int64_t decree = 11; decree <= 300; decree++) {
        ck_assert_str_eq(stage_prepare(5, BR_ROLE_SECONDARY, 0, decree, decree - 1, &ack),
                         "ERR_OK");
        ck_assert_int_eq(ack.decree, decree);
        ck_assert_int_eq(ack.ballot, 5);
        ck_assert_int_eq(replica_committed(stage_replica()), decree - 1);
    }
    ck_assert_int_eq(replica_prepared(stage_replica()), 300);
    ck_assert_str_eq(stage_prepare(5, BR_ROLE_SECONDARY, 0, 300, 299, &ack), "ERR_OK"); /* twice */
    ck_assert_str_eq(stage_prepare(5, BR_ROLE_SECONDARY, 0, 20, 19, &ack), "ERR_OK");   /* old */
    ck_assert_int_eq(replica_committed(stage_replica()), 299);
}
END_TEST

/* A newer ballot: the configuration comes with it. */
START_TEST(a_prepare_brings_a_ballot)
{
    struct msg_prepare_ack ack;
    be_secondary();
    ck_assert_str_eq(stage_prepare(7, BR_ROLE_SECONDARY, 0, 11, 10, &ack), "ERR_OK");
    ck_assert_int_eq(stage_replica()->config.ballot, 7);
    struct inventory_replica replica;
    struct fail fail;
    ck_assert_int_eq(inventory_load(&stage.arena, &stage.dir, "1.0.pegasus", &replica, &fail),
                     BR_OK);
    ck_assert_int_eq(replica.row.ballot, 7);
}
END_TEST

START_TEST(prepares_that_are_refused)
{
    struct msg_prepare_ack ack;
    stage_disk(5, 10);
    stage_start();
    stage_connect(); /* inactive, for the moment */
    ck_assert_str_eq(stage_prepare(5, BR_ROLE_SECONDARY, 0, 11, 10, &ack), "ERR_INACTIVE_STATE");
    stage_replica()->transient = false;
    ck_assert_str_eq(stage_prepare(5, BR_ROLE_SECONDARY, 0, 11, 10, &ack), "ERR_INVALID_STATE");
    ck_assert_str_eq(stage_prepare(6, BR_ROLE_SECONDARY, 0, 11, 10, &ack), "ERR_INVALID_STATE");
}
END_TEST

/* -- The primary changes --------------------------------------------------------------------------
 */

/* Prepared and not committed: the new primary prepares it again, at its ballot, commits it, and
 * goes on above. */
START_TEST(decrees_go_on_above)
{
    struct msg_prepare_ack ack;
    int64_t decree = 0;
    be_secondary();
    for (int64_t i = 11; i <= 13; i++)
        stage_prepare(5, BR_ROLE_SECONDARY, 0, i, 10, &ack);
    ck_assert_int_eq(replica_committed(stage_replica()), 10);
    struct msg_configuration_update_request proposal = stage_config(2, 5, 0, "s1", 's');
    stage_propose(&proposal);
    STAGE_UNTIL(stage_replica()->config.role == BR_ROLE_PRIMARY
                && replica_committed(stage_replica()) == 13);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_int_eq(prepared(&stage.peers[1], i).header.decree, 11 + i);
        ck_assert_int_eq(prepared(&stage.peers[1], i).header.ballot, 6);
    }
    ck_assert_str_eq(put(&decree), "ERR_OK");
    ck_assert_int_eq(decree, 14);
}
END_TEST

/* Until then nobody may read. */
START_TEST(no_stale_reads)
{
    struct msg_prepare_ack ack;
    be_secondary();
    stage_prepare(5, BR_ROLE_SECONDARY, 0, 11, 10, &ack);
    stage.peers[1].prepare_err = "ERR_TRY_AGAIN";
    struct msg_configuration_update_request proposal = stage_config(2, 5, 0, "s1", 's');
    stage_propose(&proposal);
    STAGE_UNTIL(stage_replica()->config.role == BR_ROLE_PRIMARY);
    ck_assert_str_eq(stage_ask("RPC_RRDB_RRDB_GET", true, (br_bytes){ NULL, 0 }),
                     "ERR_INVALID_STATE");
    stage.peers[1].prepare_err = NULL;
    STAGE_UNTIL(replica_committed(stage_replica()) == 11);
    struct buf body = { 0 };
    put_request(true, &body);
    ck_assert_str_eq(stage_ask("RPC_RRDB_RRDB_GET", true, buf_bytes(&body)), "ERR_OK");
    buf_done(&body);
}
END_TEST

/* A hole in what was prepared is filled with an empty write. */
START_TEST(holes_are_filled)
{
    struct msg_prepare_ack ack;
    be_secondary();
    stage_prepare(5, BR_ROLE_SECONDARY, 0, 12, 10, &ack);
    ck_assert_int_eq(replica_prepared(stage_replica()), 10);
    struct msg_configuration_update_request proposal = stage_config(2, 5, 0, "s1", 's');
    stage_propose(&proposal);
    STAGE_UNTIL(stage_replica()->config.role == BR_ROLE_PRIMARY
                && replica_committed(stage_replica()) == 12);
    ck_assert_int_eq(prepared(&stage.peers[1], 0).header.decree, 11);
}
END_TEST

/* STALENESS_MAX are prepared at once; the rest waits, and goes out as room is made. */
/* A primary without members commits what it prepares again at once: one after the other, each in
 * the belief of which ones were committed before.  A learner would be told to commit what it has
 * not. */
START_TEST(nothing_is_committed_before_it_is_prepared_again)
{
    struct msg_prepare_ack ack;
    be_secondary();
    for (int64_t decree = 11; decree <= 13; decree++)
        stage_prepare(5, BR_ROLE_SECONDARY, 0, decree, 10, &ack);
    struct membership members = {
        .pid = { 1, 0 }, .ballot = 5, .replica_count = 3, .primary = stage_replica()->stub->self
    };
    replica_disconnected(stage_replica());
    ck_assert(replica_follow(stage_replica(), &members));
    ck_assert_int_eq(replica_committed(stage_replica()), 13);
    for (int64_t decree = 11; decree <= 13; decree++) {
        const struct mutation *mutation = prepare_list_get(&stage_replica()->list, decree);
        ck_assert_ptr_nonnull(mutation);
        ck_assert_int_eq(mutation->header.ballot, stage_replica()->config.ballot);
        ck_assert_int_eq(mutation->header.last_committed_decree, decree - 1);
    }
}
END_TEST

START_TEST(writes_wait_for_room)
{
    struct mutation_pool pool = { 0 };
    struct prepare_list list;
    prepare_list_init(&list, 0);
    for (int64_t decree = 1; decree <= PREPARE_LIST_MAX + 1; decree++) {
        struct mutation *mutation = mutation_new(&pool);
        mutation->header.decree = decree;
        ck_assert_int_eq(prepare_list_put(&list, mutation), decree <= PREPARE_LIST_MAX);
        mutation_release(mutation);
    }
    list.committed = 5;
    prepare_list_make_room(&list, PREPARE_LIST_MAX + 1, false);
    ck_assert_int_eq(list.first, 2);
    prepare_list_make_room(&list, PREPARE_LIST_MAX + 1, true);
    ck_assert_int_eq(list.first, 5);
    prepare_list_truncate(&list, 50);
    ck_assert_int_eq(list.first, 51);
    ck_assert_ptr_null(prepare_list_get(&list, 50));
    prepare_list_done(&list);
    mutation_pool_done(&pool);
}
END_TEST

TCase *replica_commits(void)
{
    TCase *tcase = tcase_create("commit");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, stage_setup, stage_teardown);
    tcase_add_test(tcase, writes_get_decrees_in_order);
    tcase_add_loop_test(tcase, every_code, 0, (int) (sizeof codes / sizeof *codes));
    tcase_add_loop_test(tcase, refusals, 0, 2);
    tcase_add_test(tcase, nobody_and_no_primary);
    tcase_add_loop_test(tcase, a_secondary_fails, 0, 3);
    tcase_add_loop_test(tcase, a_secondary_is_late, 0, 2);
    tcase_add_test(tcase, the_group_is_told);
    tcase_add_test(tcase, empty_writes);
    tcase_add_test(tcase, it_commits_what_the_primary_commits);
    tcase_add_test(tcase, a_prepare_brings_a_ballot);
    tcase_add_test(tcase, prepares_that_are_refused);
    tcase_add_test(tcase, decrees_go_on_above);
    tcase_add_test(tcase, no_stale_reads);
    tcase_add_test(tcase, holes_are_filled);
    tcase_add_test(tcase, nothing_is_committed_before_it_is_prepared_again);
    tcase_add_test(tcase, writes_wait_for_room);
    return tcase;
}
