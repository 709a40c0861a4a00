/* test_etcd_fault -- elections as only etcd has them, and a server that is killed, paused or
 * forgets the lease in the middle of things.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/etcd_stand.h"
#include "t/test_etcd.h"

/* What the server of t/etcd.sh grants at least, and soon given up. */
#define SHORT_SESSION "session_timeout=1s"
#define SHORT_REQUEST "request_timeout=300ms"

/* -- Elections --------------------------------------------------------------------------------- */

/* Only LOCKNODE<digits> counts, and nobody who stands otherwise is overtaken. */
START_TEST(strange_children_are_no_candidates)
{
    static const char *const strange[] = { "other",       "LOCKNODE",   "LOCKNODEx",
                                           "LOCKNODE12x", "0000000000", "LOCKNOD0000000000" };
    struct instance *in = server_instance(NULL, NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        ck_assert_int_eq(conform_write(in, BR_CREATE, at("%s", strange[i]), "x:1", 0), BR_OK);
    char *fence = server_lock(in, conform.root, "h:1");
    ck_assert_str_eq(fence, at("LOCKNODE0000000000"));
    server_expect_owner(in, conform.root, "", "h:1");
    ck_assert_int_eq(server_unlock(in, fence), BR_OK);
    free(fence);
    instance_free(in);
}
END_TEST

START_TEST(leftover_is_deleted)
{
    struct answer lock;
    struct instance *in = server_instance(NULL, NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    ck_assert_int_eq(conform_write(in, BR_CREATE, at("LOCKNODE0000000003"), "h:1", 0), BR_OK);
    ck_assert_int_eq(conform_write(in, BR_CREATE, at("LOCKNODE0000000004"), "i:1", 0), BR_OK);
    server_ask_lock(in, conform.root, "h:1", &lock);
    server_expect_owner(in, conform.root, "h:1", "i:1");
    ck_assert_int_eq(conform_get(in, at("LOCKNODE0000000003"), NULL, NULL), BR_NOTFOUND);
    ck_assert(!lock.done);
    ck_assert_int_eq(conform_write(in, BR_DELETE, at("LOCKNODE0000000004"), "", -1), BR_OK);
    answer_wait(&lock);
    ck_assert_int_eq(lock.status, BR_OK);
    ck_assert_mem_eq(lock.value.data, at("LOCKNODE0000000005"), lock.value.size);
    answer_done(&lock);
    instance_free(in);
}
END_TEST

START_TEST(deleted_candidate_stands_again)
{
    server_deleted_candidate_stands_again(true);
}
END_TEST

/* No fence twice, though everything of the lock was deleted in between. */
START_TEST(number_outlives_the_path)
{
    struct instance *in = server_instance(NULL, NULL);
    for (int i = 0; i < 3; i++) {
        char *fence = server_lock(in, conform.root, "h:1");
        ck_assert_str_eq(fence, at("LOCKNODE%010d", i));
        ck_assert_int_eq(server_unlock(in, fence), BR_OK);
        ck_assert_int_eq(conform_write(in, BR_DELETE, conform.root, "", -1), BR_OK);
        free(fence);
        instance_free(in);
        in = server_instance(NULL, NULL);
    }
    instance_free(in);
}
END_TEST

START_TEST(canceled_candidate_leaves)
{
    struct answer lock;
    struct instance *in = server_instance(NULL, NULL);
    char *fence = server_lock(in, conform.root, "h:1");
    answer_init(&lock);
    struct br_call *call = store_lock(&in->plugin, conform.root, "i:2", answer_take, &lock);
    while (_i && server_child_count(in, conform.root) < 2)
        ck_assert(!lock.done);
    store_cancel(&in->plugin, call);
    answer_wait(&lock);
    ck_assert_int_eq(lock.status, BR_CANCELED);
    answer_done(&lock);
    while (server_child_count(in, conform.root) > 1 || server_etcd(in)->lock_queued
           || server_etcd(in)->lock_kicked)
        loop_turn(conform.loop);
    ck_assert_int_eq(server_commit_fenced(in, fence, at("n")), BR_OK);
    free(fence);
    instance_free(in);
}
END_TEST

START_TEST(race)
{
    server_race();
}
END_TEST

/* Nodes that nobody stood by count neither when they come nor when they go. */
START_TEST(strange_nodes_are_no_elections)
{
    struct instance *in = server_instance(NULL, NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    char *fence = server_lock(in, conform.root, "h:1");
    ck_assert_int_eq(conform_write(in, BR_CREATE, at("LOCKNODE0000000007"), "x:1", 0), BR_OK);
    ck_assert_int_eq(conform_elections(in, conform.root), 1);
    ck_assert_int_eq(conform_write(in, BR_DELETE, at("LOCKNODE0000000007"), "", -1), BR_OK);
    ck_assert_int_eq(conform_elections(in, conform.root), 1);
    ck_assert_int_eq(conform_write(in, BR_PUT, fence, "h:1", -1), BR_OK); /* keeps its lease */
    ck_assert_int_eq(conform_elections(in, conform.root), 1);
    ck_assert_int_eq(server_unlock(in, fence), BR_OK);
    ck_assert_int_eq(conform_write(in, BR_DELETE, conform.root, "", -1), BR_OK);
    ck_assert_int_eq(conform_elections(in, conform.root), 2); /* it never goes down */
    free(fence);
    instance_free(in);
}
END_TEST

/* What etcd's own tools may have made of a lock's number. */
START_TEST(foreign_counter)
{
    static const char *const texts[] = { "", "x", "1", "1 x", "2 1", "-1 0", "0 10000000001" };
    struct answer answer;
    struct instance *in = server_instance(NULL, NULL);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buf key = { 0 };
        buf_printf(&key, "/bridle.counter%s", conform.root);
        server_put(key.data, texts[i]);
        buf_done(&key);
        server_ask_lock(in, conform.root, "h:1", &answer);
        answer_wait(&answer);
        ck_assert_msg(answer.status == BR_CORRUPT, "%s: %d", texts[i], answer.status);
        answer_done(&answer);
        answer_init(&answer);
        store_elections(&in->plugin, conform.root, 0, answer_take, &answer);
        answer_wait(&answer);
        ck_assert_msg(answer.status == BR_CORRUPT, "%s: %d", texts[i], answer.status);
        answer_done(&answer);
    }
    instance_free(in);
}
END_TEST

/* Ten digits, and then nobody stands any more. */
START_TEST(last_number)
{
    struct answer answer;
    struct buf key = { 0 };
    struct instance *in = server_instance(NULL, NULL);
    buf_printf(&key, "/bridle.counter%s", conform.root);
    server_put(key.data, "5 9999999999");
    buf_done(&key);
    char *fence = server_lock(in, conform.root, "h:1");
    ck_assert_str_eq(fence, at("LOCKNODE9999999999"));
    ck_assert_int_eq(conform_elections(in, conform.root), 11);
    ck_assert_int_eq(server_unlock(in, fence), BR_OK);
    server_ask_lock(in, conform.root, "h:1", &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_TOOBIG);
    ck_assert_msg(strstr(answer.text, "too often"), "%s", answer.text);
    answer_done(&answer);
    free(fence);
    instance_free(in);
}
END_TEST

START_TEST(deepest_lock)
{
    struct answer answer;
    struct buf path = { 0 };
    struct instance *in = server_instance(NULL, NULL);
    buf_text(&path, conform.root);
    while (etcd_depth(buf_string(&path)) < ETCD_DEPTH_MAX)
        buf_text(&path, "/d");
    char *fence = server_lock(in, buf_string(&path), "h:1");
    ck_assert_int_eq(server_unlock(in, fence), BR_OK);
    buf_text(&path, "/d");
    server_ask_lock(in, buf_string(&path), "h:1", &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_TOOBIG);
    answer_done(&answer);
    buf_done(&path);
    free(fence);
    instance_free(in);
}
END_TEST

/* -- The lease goes ---------------------------------------------------------------------------- */

START_TEST(lease_is_revoked)
{
    struct answer lost, lock;
    struct instance *other = server_instance(NULL, NULL);
    struct instance *in = server_instance(SHORT_SESSION, NULL);
    char *fence = server_lock(in, conform.root, "h:1");
    server_ask_lost(in, fence, &lost);
    server_ask_lock(other, conform.root, "i:2", &lock);
    while (server_child_count(other, conform.root) < 2)
        ck_assert(!lost.done);
    server_revoke(other); /* the candidate stands again */
    server_revoke(in);    /* the leader has lost */
    answer_wait(&lost);
    ck_assert_int_eq(lost.status, BR_OK);
    answer_wait(&lock);
    ck_assert_int_eq(lock.status, BR_OK);
    br_status status; /* its session may not know yet */
    while ((status = server_commit_fenced(in, fence, at("n"))) == BR_UNAVAILABLE)
        server_let_pass(5 * BR_MILLISECOND);
    ck_assert_int_eq(status, BR_FENCED);
    ck_assert_int_eq(conform_elections(other, conform.root), 5); /* both, both leases, and again */
    answer_done(&lost);
    answer_done(&lock);
    free(fence);
    instance_free(in);
    instance_free(other);
}
END_TEST

/* -- The server is killed ---------------------------------------------------------------------- */

/* Each puts at the version that the one before leaves.  What is told is what is there. */
START_TEST(killed_in_mid_stream)
{
    enum { COUNT = 400 };
    static struct br_write writes[COUNT];
    static struct answer answers[COUNT];
    int64_t version, good = 0, doubtful = 0;
    struct instance *in = server_instance(NULL, NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    for (int i = 0; i < COUNT; i++) {
        writes[i] = (struct br_write){ .kind = BR_PUT, .path = conform.root, .version = i };
        conform_issue(in, &writes[i], 1, &answers[i]);
    }
    answer_wait(&answers[COUNT / 8]);
    server_kill();
    for (int i = 0; i < COUNT; i++) {
        answer_wait(&answers[i]);
        good += answers[i].status == BR_OK;
        doubtful += br_may_have_happened(answers[i].status);
        ck_assert_msg(answers[i].status == BR_OK || answers[i].status == BR_UNKNOWN
                          || answers[i].status == BR_UNAVAILABLE,
                      "%d: %s", answers[i].status, answers[i].text);
        answer_done(&answers[i]);
    }
    server_start();
    ck_assert_int_eq(server_get_when_back(in, conform.root), BR_OK);
    ck_assert_int_eq(conform_get(in, conform.root, NULL, &version), BR_OK);
    ck_assert_int_le(doubtful, 1);
    ck_assert(good > COUNT / 8 && good < COUNT);
    ck_assert(version >= good && version <= good + doubtful);
    instance_free(in);
}
END_TEST

START_TEST(killed_under_reads_and_locks)
{
    server_dies_under_reads_and_locks();
}
END_TEST

/* A candidate whose node is in doubt: it stands once, whether it had been put or not. */
START_TEST(killed_while_standing)
{
    struct answer lock;
    struct instance *in = server_instance(NULL, NULL);
    server_pause();
    server_ask_lock(in, conform.root, "h:1", &lock);
    server_let_pass((20 + 20 * _i) * BR_MILLISECOND); /* the request leaves */
    server_kill();
    server_start();
    answer_wait(&lock);
    ck_assert_int_eq(lock.status, BR_OK);
    ck_assert_uint_eq(server_child_count(in, conform.root), 1);
    answer_done(&lock);
    instance_free(in);
}
END_TEST

/* -- The server is paused ---------------------------------------------------------------------- */

/* In doubt; and from the first answer after it on it has happened, or it never will. */
START_TEST(paused_in_mid_batch)
{
    struct answer commit;
    struct instance *in = server_instance(SHORT_REQUEST, NULL),
                    *other = server_instance(NULL, NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    for (int round = 0; round < 2; round++) {
        char *a = mem_text(at("a%d", round)), *b = mem_text(at("a%d/b", round));
        const struct br_write writes[] = { { .kind = BR_CREATE, .path = a },
                                           { .kind = BR_CREATE, .path = b } };
        server_pause();
        conform_issue(in, writes, 2, &commit);
        answer_wait(&commit);
        ck_assert_msg(commit.status == BR_UNKNOWN, "%s", commit.text);
        server_continue();
        br_status there = server_get_when_back(in, a);
        ck_assert_int_eq(conform_get(in, b, NULL, NULL), there);
        for (int i = 0; i < 20; i++)
            ck_assert_int_eq(server_get_when_back(other, b), there);
        if (there == BR_NOTFOUND)
            ck_assert_int_eq(conform_commit(in, writes, 2), BR_OK);
        answer_done(&commit);
        free(a);
        free(b);
    }
    instance_free(in);
    instance_free(other);
}
END_TEST

/* The leader knows by its own clock, while the server cannot say a word; nobody has got the lock by
 * then. */
START_TEST(paused_until_expiry)
{
    struct answer lost, lock;
    struct instance *other = server_instance(NULL, NULL);
    struct instance *in = server_instance(SHORT_SESSION, NULL);
    char *fence = server_lock(in, conform.root, "h:1");
    server_ask_lost(in, fence, &lost);
    server_ask_lock(other, conform.root, "i:2", &lock);
    while (server_child_count(other, conform.root) < 2)
        ck_assert(!lost.done);
    server_pause();
    answer_wait(&lost);
    ck_assert_int_eq(lost.status, BR_OK);
    ck_assert(!lock.done);
    server_continue();
    answer_wait(&lock);
    ck_assert_int_eq(lock.status, BR_OK);
    ck_assert_int_eq(server_get_when_back(in, "/"), BR_OK);
    ck_assert_int_eq(server_commit_fenced(in, fence, at("after")), BR_FENCED);
    server_expect_owner(in, conform.root, "", "i:2");
    answer_done(&lost);
    answer_done(&lock);
    free(fence);
    instance_free(in);
    instance_free(other);
}
END_TEST

/* Everything outstanding is answered before stop is, though the server says nothing. */
START_TEST(stop_under_a_paused_server)
{
    struct answer commit, next, read, list, lock, owner, lost, stop;
    const char *root = conform.root;
    struct instance *in = server_instance(NULL, NULL);
    char *fence = server_lock(in, at("lock"), "h:1");
    const struct br_write write = { .kind = BR_CREATE, .path = at("n") };
    while (server_etcd(in)->jobs)
        loop_turn(conform.loop);
    server_pause();
    conform_issue(in, &write, 1, &commit);
    conform_issue(in, &write, 1, &next);
    answer_init(&read);
    store_read(&in->plugin, &root, 1, NULL, PLUGIN_FOREVER, answer_take, &read);
    answer_init(&list);
    store_list(&in->plugin, root, PLUGIN_FOREVER, answer_take, &list);
    server_ask_lock(in, at("lock"), "i:2", &lock);
    server_ask_lost(in, fence, &lost);
    answer_init(&owner);
    store_owner(&in->plugin, at("lock"), "", answer_take, &owner);
    answer_init(&stop);
    plugin_stop(&in->plugin, PLUGIN_FOREVER, answer_take, &stop);
    answer_wait(&stop);
    const br_status expected[] = { BR_UNKNOWN,  BR_CANCELED, BR_UNAVAILABLE, BR_UNAVAILABLE,
                                   BR_CANCELED, BR_CANCELED, BR_OK };
    struct answer *answers[] = { &commit, &next, &read, &list, &lock, &owner, &lost };
    for (int i = 0; i < 7; i++) {
        ck_assert_msg(answers[i]->done && answers[i]->status == expected[i], "%d: %d %s", i,
                      answers[i]->status, answers[i]->text);
        answer_done(answers[i]);
    }
    answer_done(&stop);
    server_continue();
    free(fence);
    plugin_close(&in->plugin);
    arena_done(&in->arena);
    free(in);
}
END_TEST

TCase *etcd_lock_case(void)
{
    TCase *tcase = conform_case("lock");
    tcase_add_test(tcase, strange_children_are_no_candidates);
    tcase_add_test(tcase, leftover_is_deleted);
    tcase_add_test(tcase, deleted_candidate_stands_again);
    tcase_add_test(tcase, number_outlives_the_path);
    tcase_add_loop_test(tcase, canceled_candidate_leaves, 0, 2);
    tcase_add_test(tcase, race);
    tcase_add_test(tcase, strange_nodes_are_no_elections);
    tcase_add_test(tcase, foreign_counter);
    tcase_add_test(tcase, last_number);
    tcase_add_test(tcase, deepest_lock);
    tcase_add_test(tcase, lease_is_revoked);
    return tcase;
}

TCase *etcd_fault_case(void)
{
    TCase *tcase = server_case("fault");
    tcase_add_test(tcase, killed_in_mid_stream);
    tcase_add_test(tcase, killed_under_reads_and_locks);
    tcase_add_loop_test(tcase, killed_while_standing, 0, 2);
    tcase_add_test(tcase, paused_in_mid_batch);
    tcase_add_test(tcase, paused_until_expiry);
    tcase_add_test(tcase, stop_under_a_paused_server);
    return tcase;
}
