/* test_replica -- a replica server between a scripted meta server and scripted peers.  Here: the
 * lease and the config sync, every rule of it.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/replica/files.h"
#include "t/replica.h"

/* -- The lease -------------------------------------------------------------------------------- */

START_TEST(the_first_answer_brings_a_sync)
{
    stage_disk(3, 10);
    stage_start();
    ck_assert_int_eq(stage.stub.state, STUB_DISCONNECTED);
    stage_connect();
    const struct record *sync = stage_record(&stage.meta, "RPC_CM_CONFIG_SYNC", 0);
    struct msg_configuration_query_by_node_request request;
    struct fail fail;
    ck_assert_int_eq(wire_decode(&wire_configuration_query_by_node_request, sync->body,
                                 wire_arena(&stage.arena), &request, &fail),
                     BR_OK);
    ck_assert_uint_eq(request.node, stage_address('s'));
    ck_assert_uint_eq(request.stored_replicas.count, 1);
    const struct msg_replica_info *info = request.stored_replicas.items;
    ck_assert_int_eq(info->ballot, 3);
    ck_assert_int_eq(info->status, BR_ROLE_INACTIVE);
    ck_assert_int_eq(info->last_committed_decree, 10);
    ck_assert_uint_eq(sync->header.from_address, stage_address('s'));
    ck_assert_int_eq(sync->header.timeout_ms, 5000);
}
END_TEST

/* Primary and secondary become inactive for the moment, and come back at the same ballot. */
START_TEST(the_lease_passes)
{
    stage.options.lease = 200 * BR_MILLISECOND;
    if (_i == 0) {
        stage_primary("");
    } else {
        stage_disk(2, 10);
        stage_list(2, '0', "s");
        stage_start();
        stage_role(BR_ROLE_SECONDARY, 2);
    }
    stage.meta.mute = true;
    STAGE_UNTIL(stage.stub.state == STUB_DISCONNECTED);
    ck_assert_int_eq(stage_replica()->config.role, BR_ROLE_INACTIVE);
    ck_assert_int_eq(stage_replica()->config.ballot, 2);
    ck_assert(stage_replica()->transient);
    stage_list(2, _i ? '0' : 's', _i ? "s" : "");
    stage.meta.mute = false;
    stage_role(_i ? BR_ROLE_SECONDARY : BR_ROLE_PRIMARY, 2);
    ck_assert_uint_eq(stage.meta.updates, _i ? 0 : 1); /* not forced up a second time */
}
END_TEST

/* A follower's answer is none. */
START_TEST(a_follower_does_not_connect)
{
    stage.not_leader = true;
    stage_start();
    STAGE_UNTIL(stage.meta.beacons >= 2);
    ck_assert_int_eq(stage.stub.state, STUB_DISCONNECTED);
    ck_assert_uint_eq(stage.meta.syncs, 0);
}
END_TEST

/* -- Config sync ------------------------------------------------------------------------------ */

START_TEST(busy_is_asked_again)
{
    stage.sync_busy = 2;
    stage.options.config_sync_interval = BR_MINUTE;
    stage_disk(2, 0);
    stage_list(2, '0', "s");
    stage_start();
    stage_role(BR_ROLE_SECONDARY, 2);
    ck_assert_uint_eq(stage.meta.syncs, 3);
}
END_TEST

/* Any other error is ignored, and counts as a connection. */
START_TEST(an_error_is_ignored_but_connects)
{
    static const char *const errors[] = { "ERR_UNDER_RECOVERY", "ERR_SERVICE_NOT_ACTIVE",
                                          "ERR_OBJECT_NOT_FOUND" };
    stage.sync_err = errors[_i];
    stage.options.gc_memory_interval = BR_MILLISECOND;
    stage_disk(2, 0);
    stage_start();
    stage_connect();
    ck_assert_int_eq(stage_replica()->config.role, BR_ROLE_INACTIVE);
    ck_assert_int_eq(stage_replica()->life, LIFE_SERVING);
    struct msg_configuration_update_request add = stage_config(1, 2, 0, "", 's');
    stage_propose(&add); /* proposals are taken */
    stage_role(BR_ROLE_PRIMARY, 3);
}
END_TEST

START_TEST(it_is_repeated)
{
    stage.options.config_sync_interval = 30 * BR_MILLISECOND;
    stage_start();
    STAGE_UNTIL(stage.meta.syncs >= 4);
}
END_TEST

/* What one entry of a sync makes of a replica at ballot 5 that was loaded from disk. */
static const struct sync_case {
    int64_t ballot;
    char primary;
    const char *secondaries;
    br_role role; /* afterwards */
    int64_t at;   /* its ballot */
    uint32_t updates;
} sync_cases[] = {
    { 5, 's', "", BR_ROLE_PRIMARY, 6, 1 },     /* PRIMARY_FORCE_UPDATE_BALLOT */
    { 5, 's', "01", BR_ROLE_PRIMARY, 6, 1 },   /* the same with secondaries */
    { 9, 's', "", BR_ROLE_PRIMARY, 10, 1 },    /* from the meta server's ballot on */
    { 5, '0', "s1", BR_ROLE_SECONDARY, 5, 0 }, /* transient: comes back */
    { 8, '0', "s", BR_ROLE_SECONDARY, 8, 0 },
    { 4, 's', "", BR_ROLE_INACTIVE, 5, 0 },   /* an older ballot is ignored */
    { 5, '0', "1", BR_ROLE_INACTIVE, 5, 0 },  /* no member */
    { 7, '0', "12", BR_ROLE_INACTIVE, 7, 0 }, /* no member at a newer ballot: no closing */
};

START_TEST(what_an_entry_does)
{
    const struct sync_case *want = &sync_cases[_i];
    stage_disk(5, 10);
    stage_list(want->ballot, want->primary, want->secondaries);
    stage_start();
    stage_connect();
    stage_role(want->role, want->at);
    ck_assert_uint_eq(stage.meta.updates, want->updates);
    ck_assert_int_eq(stage_replica()->life, LIFE_SERVING);
    if (want->updates) {
        ck_assert_int_eq(stage.update.type, 9);
        ck_assert_uint_eq(stage.update.node, stage_address('s'));
        ck_assert_uint_eq(stage.update.host_node, 0);
        ck_assert(!WIRE_HAS(&stage.update, 6));
        ck_assert_int_eq(stage.update.config.last_committed_decree, 10);
    }
}
END_TEST

/* The mark is cleared by a sync that does not name it primary: then no ballot is forced. */
START_TEST(only_while_initialising)
{
    stage.options.config_sync_interval = 30 * BR_MILLISECOND;
    stage_disk(5, 10);
    stage_list(5, '0', "1");
    stage_start();
    stage_connect();
    ck_assert(!stage_replica()->initialising);
    stage_list(5, 's', "");
    stage_role(BR_ROLE_PRIMARY, 5);
    ck_assert_uint_eq(stage.meta.updates, 0);
}
END_TEST

/* A primary that is not here asks to be taken out; a secondary that is not here does nothing. */
START_TEST(listed_and_not_here)
{
    stage_list(5, _i ? '0' : 's', _i ? "s" : "1");
    stage.options.config_sync_interval = 30 * BR_MILLISECOND;
    stage_start();
    STAGE_UNTIL(stage.meta.syncs >= 3);
    ck_assert_ptr_null(stage_replica());
    if (_i) {
        ck_assert_uint_eq(stage.meta.updates, 0);
        return;
    }
    STAGE_UNTIL(stage.meta.updates >= 1);
    ck_assert_int_eq(stage.update.type, 6);
    ck_assert_int_eq(stage.update.config.ballot, 6);
    ck_assert_uint_eq(stage.update.config.primary, 0);
    ck_assert_uint_eq(stage.update.config.secondaries.count, 1);
}
END_TEST

/* Inactive for good and named primary, or nobody is: it asks to be taken out. */
START_TEST(inactive_for_good)
{
    static const struct {
        char primary;
        const char *secondaries;
        uint32_t updates;
    } cases[] = { { 's', "0", 1 }, { 0, "s0", 1 }, { '1', "s0", 0 } };
    stage.options.config_sync_interval = 30 * BR_MILLISECOND;
    stage_disk(5, 10);
    stage_list(5, '0', "1");
    stage_start();
    stage_connect();
    stage_replica()->transient = false;
    stage_list(5, cases[_i].primary, cases[_i].secondaries);
    uint32_t syncs = stage.meta.syncs;
    STAGE_UNTIL(stage.meta.syncs >= syncs + 3);
    ck_assert_int_eq(stage_replica()->config.role, BR_ROLE_INACTIVE);
    ck_assert_int_eq(stage.meta.updates > 0, cases[_i].updates > 0);
    if (cases[_i].updates)
        ck_assert_int_eq(stage.update.type, 6);
}
END_TEST

/* -- Not listed ------------------------------------------------------------------------------- */

static uint32_t directories(const char *suffix)
{
    uint32_t count = 0;
    struct buf path = { 0 };
    buf_printf(&path, "%s/replica/reps", stage.directory);
    DIR *dir = opendir(path.data);
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t size = strlen(entry->d_name), want = strlen(suffix);
        count += size > want && strcmp(entry->d_name + size - want, suffix) == 0;
    }
    closedir(dir);
    buf_done(&path);
    return count;
}

START_TEST(a_young_inactive_one_stays)
{
    stage.options.config_sync_interval = 30 * BR_MILLISECOND;
    stage_disk(5, 10);
    stage_start();
    STAGE_UNTIL(stage.meta.syncs >= 3);
    ck_assert_int_eq(stage_replica()->config.role, BR_ROLE_INACTIVE);
    ck_assert_int_eq(stage_replica()->life, LIFE_SERVING);
}
END_TEST

/* An old inactive one, a secondary, a primary: closed; then it is garbage when it is told to be. */
START_TEST(unlisted_is_closed)
{
    stage.options.config_sync_interval = 30 * BR_MILLISECOND;
    stage.options.gc_memory_interval = _i == 0 ? BR_MILLISECOND : BR_MINUTE;
    stage_disk(5, 10);
    if (_i > 0)
        stage_list(5, _i == 1 ? '0' : 's', _i == 1 ? "s" : "");
    stage_start();
    if (_i > 0)
        stage_role(_i == 1 ? BR_ROLE_SECONDARY : BR_ROLE_PRIMARY, _i == 1 ? 5 : 6);
    stage.listed_count = 0;
    STAGE_UNTIL(stage_replica()->life == LIFE_CLOSED);
    ck_assert_int_eq(stage_replica()->config.role, BR_ROLE_ERROR);
    ck_assert_uint_eq(directories(".pegasus"), 1);
    stage.garbage = (struct gpid){ 1, 0 };
    STAGE_UNTIL(stage_replica() == NULL);
    ck_assert_uint_eq(directories(".pegasus"), 0);
    ck_assert_uint_eq(directories(".gar"), 1);
}
END_TEST

/* What serves is never garbage, whatever the meta server says. */
START_TEST(only_closed_ones_are_garbage)
{
    stage.options.config_sync_interval = 30 * BR_MILLISECOND;
    stage_disk(5, 10);
    stage_list(5, '0', "s");
    stage.garbage = (struct gpid){ 1, 0 };
    stage_start();
    STAGE_UNTIL(stage.meta.syncs >= 3);
    ck_assert_int_eq(stage_replica()->config.role, BR_ROLE_SECONDARY);
    ck_assert_uint_eq(directories(".gar"), 0);
}
END_TEST

/* -- On disk ---------------------------------------------------------------------------------- */

static struct inventory_replica on_disk(void)
{
    struct inventory_replica replica;
    struct fail fail;
    ck_assert_msg(inventory_load(&stage.arena, &stage.dir, "1.0.pegasus", &replica, &fail) == BR_OK,
                  "%s", fail.text);
    return replica;
}

/* The ballot is on disk before anybody hears of it: a kill loses nothing. */
START_TEST(a_new_ballot_is_on_disk)
{
    stage_primary("");
    ck_assert_int_eq(on_disk().row.ballot, 2);
    ck_assert_int_eq(on_disk().row.durable, 10);
}
END_TEST

START_TEST(a_restart_reports_the_ballot)
{
    stage_primary("");
    stage.options.min_replicas = 1;
    stage_stop();
    stage.meta.syncs = 0;
    stage_list(2, '0', "s");
    stage_start();
    stage_role(BR_ROLE_SECONDARY, 2);
    ck_assert_int_eq(stage_replica()->durable, 10);
}
END_TEST

START_TEST(a_name_and_a_count_come_with_a_sync)
{
    stage_disk(2, 0);
    stage_list(2, '0', "s");
    stage.listed[0].info.app_name = "renamed";
    stage.listed[0].info.max_replica_count = 5;
    stage_start();
    stage_role(BR_ROLE_SECONDARY, 2);
    struct inventory_replica replica = on_disk();
    ck_assert_str_eq(replica.table.name, "renamed");
    ck_assert_int_eq(replica.table.replica_count, 5);
    ck_assert_str_eq(stage_replica()->table.name, "renamed");
}
END_TEST

/* -- Servers that are heard of ------------------------------------------------------------------
 */

START_TEST(too_many_servers)
{
    struct peers peers;
    struct peer *peer;
    peers_init(&peers, false);
    for (uint32_t i = 0; i < PEERS_MAX; i++)
        ck_assert(peers_get(&peers, address_make(i + 1, 34801), NULL, &peer));
    ck_assert(!peers_get(&peers, address_make(PEERS_MAX + 1, 34801), NULL, &peer));
    ck_assert(peers_get(&peers, address_make(1, 34801), NULL, &peer));
    ck_assert_str_eq(peer->name, "0.0.0.1:34801");
    peers_done(&peers);
}
END_TEST

/* 2.5 compares addresses, 2.6 names. */
START_TEST(who_is_who)
{
    const struct host_port a = { "a", 1, 1 }, b = { "b", 1, 1 }, none = { "", 0, 0 };
    struct peers peers;
    struct peer *one, *other;
    peers_init(&peers, _i);
    ck_assert(peers_get(&peers, address_make(1, 1), &a, &one));
    ck_assert(peers_get(&peers, address_make(1, 1), &b, &other));
    ck_assert_int_eq(one == other, !_i);
    ck_assert(peers_get(&peers, address_make(2, 1), &a, &other));
    ck_assert_int_eq(one == other, _i);
    ck_assert(peers_get(&peers, 0, &none, &other));
    ck_assert_ptr_null(other);
    peers_done(&peers);
}
END_TEST

START_TEST(too_many_members)
{
    struct host_port names[MEMBERS_MAX + 1] = { { 0 } };
    uint64_t addresses[MEMBERS_MAX + 1];
    struct msg_partition_configuration message;
    struct membership members;
    struct peers peers;
    struct fail fail;
    for (uint32_t i = 0; i <= MEMBERS_MAX; i++)
        addresses[i] = address_make(i + 1, 1);
    peers_init(&peers, false);
    wire_init(&wire_partition_configuration, &message);
    message.secondaries = (struct wire_list){ addresses, MEMBERS_MAX };
    message.hp_secondaries = (struct wire_list){ names, MEMBERS_MAX };
    ck_assert_int_eq(membership_read(&peers, &message, &members, &fail), BR_OK);
    message.secondaries.count++;
    ck_assert_int_eq(membership_read(&peers, &message, &members, &fail), BR_TOOBIG);
    peers_done(&peers);
}
END_TEST

TCase *replica_sync(void)
{
    TCase *tcase = tcase_create("sync");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, stage_setup, stage_teardown);
    tcase_add_test(tcase, the_first_answer_brings_a_sync);
    tcase_add_loop_test(tcase, the_lease_passes, 0, 2);
    tcase_add_test(tcase, a_follower_does_not_connect);
    tcase_add_test(tcase, busy_is_asked_again);
    tcase_add_loop_test(tcase, an_error_is_ignored_but_connects, 0, 3);
    tcase_add_test(tcase, it_is_repeated);
    tcase_add_loop_test(tcase, what_an_entry_does, 0,
                        (int) (sizeof sync_cases / sizeof *sync_cases));
    tcase_add_test(tcase, only_while_initialising);
    tcase_add_loop_test(tcase, listed_and_not_here, 0, 2);
    tcase_add_loop_test(tcase, inactive_for_good, 0, 3);
    tcase_add_test(tcase, a_young_inactive_one_stays);
    tcase_add_loop_test(tcase, unlisted_is_closed, 0, 3);
    tcase_add_test(tcase, only_closed_ones_are_garbage);
    tcase_add_test(tcase, a_new_ballot_is_on_disk);
    tcase_add_test(tcase, a_restart_reports_the_ballot);
    tcase_add_test(tcase, a_name_and_a_count_come_with_a_sync);
    tcase_add_test(tcase, too_many_servers);
    tcase_add_loop_test(tcase, who_is_who, 0, 2);
    tcase_add_test(tcase, too_many_members);
    return tcase;
}

int main(void)
{
    return test_run("replica", replica_sync(), replica_proposals(), replica_commits(),
                    replica_kills(), replica_learning(), replica_names(), replica_limits(),
                    replica_aborts(), NULL);
}
