/* replica_data -- replicas with data: what a kill leaves of them, what cannot be opened, logs that
 * are synced, and disks that are full.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t/replica_files.h"

static const char *reps(void)
{
    struct buf path = { 0 };
    buf_printf(&path, "%s/replica/reps", stage.directory);
    const char *text = arena_text(&stage.arena, path.data, path.size);
    buf_done(&path);
    return text;
}

static void put(const char *key, const char *value, int64_t want)
{
    int64_t decree = 0;
    ck_assert_str_eq(kept_put(key, value, &decree), "ERR_OK");
    ck_assert_int_eq(decree, want);
}

/* -- Kills ------------------------------------------------------------------------------------ */

/* What was acknowledged is there, though nothing was flushed; also after a second kill. */
START_TEST(a_put_outlives_a_kill)
{
    kept_primary("");
    put("k1", "one", 1);
    put("k2", "two", 2);
    put("k1", "again", 3);
    ck_assert_int_eq(stage_replica()->durable, 0);
    for (int64_t i = 0; i < 2; i++) {
        stage_list(2 + i, 's', "");
        kept_kill();
        ck_assert_int_eq(replica_prepared(stage_replica()), 3 + i);
        stage_role(BR_ROLE_PRIMARY, 3 + i);
        ck_assert_int_eq(replica_committed(stage_replica()), 3 + i);
        ck_assert_str_eq(kept_all(), i ? "k1=again k2=two k3=more" : "k1=again k2=two");
        put("k3", "more", 4 + i);
    }
}
END_TEST

/* Stopped in order: the data are flushed, and the log does nothing to them again. */
START_TEST(a_restart)
{
    kept_primary("");
    put("k1", "one", 1);
    put("k2", "two", 2);
    stage_stop();
    stage_start();
    ck_assert_int_eq(stage_replica()->applied, 2);
    ck_assert_int_eq(replica_committed(stage_replica()), 2);
    ck_assert_str_eq(kept_all(), "k1=one k2=two");
    stage_role(BR_ROLE_PRIMARY, 3);
    put("k3", "three", 3);
    ck_assert_str_eq(kept_all(), "k1=one k2=two k3=three");
}
END_TEST

/* What a secondary has acknowledged and nobody has committed is prepared again, and its new ballot
 * counts. */
START_TEST(prepared_is_prepared_again)
{
    kept_secondary(5);
    for (int64_t decree = 1; decree <= 3; decree++) {
        const char key[] = { 'k', (char) ('0' + decree), 0 };
        ck_assert_str_eq(kept_prepare(5, decree, key, "v"), "ERR_OK");
    }
    kept_kill();
    ck_assert_int_eq(replica_committed(stage_replica()), 2);
    ck_assert_int_eq(replica_prepared(stage_replica()), 3);
    ck_assert_str_eq(kept_all(), "k1=v k2=v");
    stage_role(BR_ROLE_SECONDARY, 5);
    struct msg_configuration_update_request proposal = stage_config(2, 5, 0, "s", 's');
    stage_propose(&proposal);
    STAGE_UNTIL(stage_replica()->config.role == BR_ROLE_PRIMARY
                && replica_committed(stage_replica()) == 3);
    ck_assert_str_eq(kept_all(), "k1=v k2=v k3=v");
}
END_TEST

/* Of one decree the one of the highest ballot counts, and that ballot is the replica's. */
START_TEST(the_highest_ballot_wins)
{
    kept_secondary(5);
    ck_assert_str_eq(kept_prepare(5, 1, "k1", "old"), "ERR_OK");
    ck_assert_str_eq(kept_prepare(6, 1, "k1", "new"), "ERR_OK");
    ck_assert_str_eq(kept_prepare(6, 2, "k2", "next"), "ERR_OK");
    ck_assert_int_eq(files_store_init(kept_path(""), &(struct init_info){ .ballot = 1 }, NULL),
                     BR_OK);
    kept_kill();
    ck_assert_int_eq(stage_replica()->config.ballot, 6);
    ck_assert_int_eq(replica_committed(stage_replica()), 1);
    ck_assert_str_eq(kept_all(), "k1=new");
    ck_assert_int_eq(prepare_list_get(&stage_replica()->list, 2)->header.ballot, 6);
}
END_TEST

/* What is before .init-info's offset is of an earlier life: only its ballot counts. */
START_TEST(an_earlier_life)
{
    kept_primary("");
    put("k1", "one", 1);
    put("k2", "two", 2);
    const struct init_info info = { .ballot = 1,
                                    .offset_in_private_log =
                                        journal_size(stage_replica()->journal) };
    ck_assert_int_eq(files_store_init(kept_path(""), &info, NULL), BR_OK);
    stage.listed_count = 0;
    kept_kill();
    ck_assert_int_eq(stage_replica()->config.ballot, 2);
    ck_assert_int_eq(stage_replica()->applied, 0);
    ck_assert_int_eq(replica_prepared(stage_replica()), 0);
    ck_assert_str_eq(kept_all(), "");
    ck_assert_int_eq(stage_replica()->valid_from, info.offset_in_private_log);
}
END_TEST

/* -- What cannot be opened -------------------------------------------------------------------- */

static void damage_nothing(void)
{
}

static void damage_rdb_missing(void)
{
    struct fail fail;
    ck_assert_int_eq(files_delete_dir(kept_path("data/rdb"), &fail), BR_OK);
}

static void overwrite(const char *path)
{
    int fd = open(path, O_WRONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, "????????????????????????", 24, 0), 24);
    close(fd);
}

static void damage_rdb(void)
{
    overwrite(kept_path("data/rdb/CURRENT"));
}

static void damage_log(void)
{
    overwrite(kept_path("plog/log.1.0"));
}

static void damage_hole(void)
{
    ck_assert_int_eq(rename(kept_path("plog/log.1.0"), kept_path("plog/log.2.77")), 0);
    int fd = open(kept_path("plog/log.1.0"), O_WRONLY | O_CREAT, 0666);
    close(fd);
}

static void damage_init(void)
{
    struct init_info info = { .ballot = 2, .durable = 3 };
    ck_assert_int_eq(files_store_init(kept_path(""), &info, NULL), BR_OK);
}

static const struct {
    const char *name;
    void (*damage)(void);
    bool opened;
} damages[] = {
    { "nothing", damage_nothing, true },
    { "data/rdb is missing", damage_rdb_missing, false },
    { "data/rdb is damaged", damage_rdb, false },
    { "data/rdb ends before .init-info says", damage_init, false },
    { "the log is damaged", damage_log, false },
    { "the log has a hole", damage_hole, false },
};

/* Set aside with all that is in it, and the rest of the server starts. */
START_TEST(what_cannot_be_opened)
{
    kept_primary("");
    put("k1", "one", 1);
    put("k2", "two", 2);
    stage_stop();
    stage_start();
    stage_role(BR_ROLE_PRIMARY, 3); /* .init-info says 2 now */
    stage_stop();
    damages[_i].damage();
    stage.listed_count = 0;
    stage_start();
    ck_assert_msg((stage_replica() != NULL) == damages[_i].opened, "%s", damages[_i].name);
    ck_assert_uint_eq(kept_count(reps(), ".err"), damages[_i].opened ? 0 : 1);
    ck_assert_uint_eq(kept_count(reps(), ".pegasus"), damages[_i].opened ? 1 : 0);
}
END_TEST

/* A kill while learned data took the place of old ones. */
START_TEST(a_kill_in_between)
{
    kept_disk(1, 3);
    ck_assert_int_eq(rename(kept_path("data/rdb"), kept_path("data/rdb.old")), 0);
    stage_start();
    ck_assert_int_eq(stage_replica()->applied, 3);
    ck_assert_str_eq(kept_all(), "k1=v1 k2=v2 k3=v3");
    ck_assert_uint_eq(kept_count(kept_path("data"), ".old"), 0);
}
END_TEST

/* -- Syncing ---------------------------------------------------------------------------------- */

static bool begun(void)
{
    return sem_trywait(&disk.begun) == 0;
}

/* A primary's put is answered when it is synced, not before. */
START_TEST(a_put_waits_for_the_disk)
{
    struct buf updates = { 0 };
    stage.options.sync = true;
    kept_primary("0");
    disk.held = true;
    struct msg_rrdb_update_request request;
    wire_init(&wire_rrdb_update_request, &request);
    request.key = (br_bytes){ "\0\2k1", 4 };
    wire_encode(&wire_rrdb_update_request, &request, WIRE_PEER_25, &updates);
    stage_send("RPC_RRDB_RRDB_PUT", buf_bytes(&updates));
    STAGE_UNTIL(begun());
    STAGE_UNTIL(stage_records(&stage.peers[0], "RPC_PREPARE") == 1
                && prepare_list_get(&stage_replica()->list, 1)->left_secondaries == 0);
    ck_assert(stage_busy());
    ck_assert_int_eq(replica_committed(stage_replica()), 0);
    disk.held = false;
    sem_post(&disk.go);
    ck_assert_str_eq(stage_sent_error(), "ERR_OK");
    ck_assert_int_eq(replica_committed(stage_replica()), 1);
    buf_done(&updates);
}
END_TEST

#define ACKS 5
static int64_t acks[ACKS];
static uint32_t ack_count;

static void take_ack(void *arg, const struct rdsn_reply *reply)
{
    struct msg_prepare_ack ack;
    struct fail fail;
    (void) arg;
    ck_assert_int_eq(
        wire_decode(&wire_prepare_ack, reply->body, wire_arena(&stage.arena), &ack, &fail), BR_OK);
    ck_assert_str_eq(ack.err, "ERR_OK");
    acks[ack_count++] = ack.decree;
}

static void send_prepare(int64_t decree, int64_t committed)
{
    struct prepare prepare = stage_prepare_message(5, BR_ROLE_SECONDARY, 0, decree, committed);
    struct buf updates = { 0 }, body = { 0 };
    kept_updates("k1", "v", &updates);
    prepare.updates = buf_bytes(&updates);
    prepare_encode(&prepare, stage.stub.peer, &body);
    rdsn_client_call(stage.client, stage.name,
                     &(struct rdsn_request){ .rpc = "RPC_PREPARE",
                                             .body = buf_bytes(&body),
                                             .timeout = 30 * BR_SECOND },
                     take_ack, NULL);
    buf_done(&updates);
    buf_done(&body);
}

/* A secondary's acknowledgements too, in order, those of one call of the disk at once. */
START_TEST(acks_wait_for_the_disk)
{
    stage.options.sync = true;
    kept_secondary(5);
    disk.held = true;
    ack_count = 0;
    send_prepare(1, 0);
    STAGE_UNTIL(begun());
    ck_assert_int_eq(replica_prepared(stage_replica()), 0);
    disk.held = false;
    sem_post(&disk.go);
    STAGE_UNTIL(ack_count == 1);
    for (int64_t decree = 2; decree <= ACKS; decree++) {
        send_prepare(decree, decree - 1);
        STAGE_UNTIL(ack_count == decree);
    }
    for (int64_t i = 0; i < ACKS; i++)
        ck_assert_int_eq(acks[i], i + 1);
    ck_assert_int_eq(replica_prepared(stage_replica()), ACKS);
}
END_TEST

/* Prepares that come while the disk is at work wait for its next call. */
START_TEST(prepares_while_it_syncs)
{
    stage.options.sync = true;
    kept_secondary(5);
    disk.held = true;
    ack_count = 0;
    for (int64_t decree = 1; decree <= ACKS; decree++)
        send_prepare(decree, 0);
    STAGE_UNTIL(begun());
    STAGE_UNTIL(stage_replica()->list.last == ACKS);
    ck_assert_uint_eq(ack_count, 0);
    sem_post(&disk.go);
    STAGE_UNTIL(begun()); /* the second call, for the rest */
    ck_assert_uint_lt(ack_count, ACKS);
    disk.held = false;
    sem_post(&disk.go);
    STAGE_UNTIL(ack_count == ACKS);
    for (int64_t i = 0; i < ACKS; i++)
        ck_assert_int_eq(acks[i], i + 1);
}
END_TEST

/* -- Disks that fail -------------------------------------------------------------------------- */

/* It is closed as a failure, the meta server is told, and the directory is left as it is. */
static void check_broken(bool primary)
{
    STAGE_UNTIL(stage_replica()->life == LIFE_CLOSED);
    ck_assert_int_eq(stage_replica()->config.role, BR_ROLE_ERROR);
    if (primary) {
        STAGE_UNTIL(stage.meta.updates >= 2);
        ck_assert_int_eq(stage.update.type, 6);
        ck_assert_uint_eq(stage.update.node, stage_address('s'));
        ck_assert_uint_eq(stage.update.config.primary, 0);
    }
    ck_assert_uint_eq(kept_count(reps(), ".pegasus"), 1);
    ck_assert_uint_eq(kept_count(reps(), ".err"), 0);
}

START_TEST(it_cannot_be_synced)
{
    stage.options.sync = true;
    stage.options.config_sync_interval = BR_MINUTE;
    if (_i == 0)
        kept_primary("");
    else
        kept_secondary(5);
    disk.error = EIO;
    if (_i == 0) {
        struct buf body = { 0 };
        struct msg_rrdb_update_request request;
        wire_init(&wire_rrdb_update_request, &request);
        request.key = (br_bytes){ "\0\2k1", 4 };
        wire_encode(&wire_rrdb_update_request, &request, WIRE_PEER_25, &body);
        stage_send("RPC_RRDB_RRDB_PUT", buf_bytes(&body)); /* nobody can say what became of it */
        buf_done(&body);
    } else {
        ack_count = 0;
        send_prepare(1, 0);
    }
    check_broken(_i == 0);
    ck_assert_uint_eq(ack_count, 0);
    disk.error = 0;
}
END_TEST

/* Values large enough that the log is the largest file by far. */
#define LARGE (600 << 10)

/* What was acknowledged before is still there when there is room again. */
START_TEST(a_full_disk)
{
    char *value = malloc(LARGE + 1);
    memset(value, 'v', LARGE);
    value[LARGE] = 0;
    stage.options.config_sync_interval = BR_MINUTE;
    if (_i == 0) {
        int64_t decree = 0;
        kept_primary("");
        put("k1", "one", 1);
        put("k0", value, 2);
        kept_limit(LARGE);
        ck_assert_str_eq(kept_put("k2", "two", &decree), "ERR_FILE_OPERATION_FAILED");
    } else {
        kept_secondary(5);
        ck_assert_str_eq(kept_prepare(5, 1, "k1", "one"), "ERR_OK");
        ck_assert_str_eq(kept_prepare(5, 2, "k0", value), "ERR_OK");
        kept_limit(LARGE);
        ck_assert_str_eq(kept_prepare(5, 3, "k2", "two"), "ERR_FILE_OPERATION_FAILED");
    }
    check_broken(_i == 0);
    kept_limit(UINT64_MAX);
    stage_stop();
    stage.listed_count = 0;
    stage_start();
    ck_assert_str_eq(kept_all(), "k1=one");
    ck_assert_int_eq(replica_prepared(stage_replica()), 2);
    free(value);
}
END_TEST

TCase *replica_data(void)
{
    TCase *tcase = tcase_create("data");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, kept_setup, stage_teardown);
    tcase_add_test(tcase, a_put_outlives_a_kill);
    tcase_add_test(tcase, a_restart);
    tcase_add_test(tcase, prepared_is_prepared_again);
    tcase_add_test(tcase, the_highest_ballot_wins);
    tcase_add_test(tcase, an_earlier_life);
    tcase_add_loop_test(tcase, what_cannot_be_opened, 0, (int) (sizeof damages / sizeof *damages));
    tcase_add_test(tcase, a_kill_in_between);
    tcase_add_test(tcase, a_put_waits_for_the_disk);
    tcase_add_test(tcase, acks_wait_for_the_disk);
    tcase_add_test(tcase, prepares_while_it_syncs);
    tcase_add_loop_test(tcase, it_cannot_be_synced, 0, 2);
    tcase_add_loop_test(tcase, a_full_disk, 0, 2);
    return tcase;
}
