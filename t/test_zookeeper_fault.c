/* test_zookeeper_fault -- elections as only ZooKeeper has them, and a server that is killed, paused
 * or forgets the session in the middle of things.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/store_zookeeper.h"
#include "t/test_zookeeper.h"

/* Long enough for the tick time of t/zookeeper.sh to grant it as it is. */
#define SHORT_SESSION "session_timeout=1s"

/* -- Elections ----------------------------------------------------------------------------------
 */

/* Pegasus counts "...LOCKNODE<digits>" and nothing else. */
START_TEST(strange_children_are_no_candidates)
{
    static const char *const strange[] = { "other",       "LOCKNODE",   "LOCKNODEx",
                                           "LOCKNODE12x", "0000000000", "LOCKNOD0000000000" };
    struct instance *in = server_instance(NULL, NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        ck_assert_int_eq(conform_write(in, BR_CREATE, at("%s", strange[i]), "x:1", 0), BR_OK);
    char *fence = server_lock(in, conform.root, "h:1");
    ck_assert_str_eq(fence, at("LOCKNODE0000000006"));
    server_expect_owner(in, conform.root, "", "h:1");
    free(fence);
    instance_free(in);
}
END_TEST

/* A node with our own value that leads is of an earlier life; one with another value is not. */
START_TEST(leftover_is_deleted)
{
    struct answer lock;
    struct instance *in = server_instance(NULL, NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    ck_assert_int_eq(conform_write(in, BR_CREATE, at("LOCKNODE0000000000"), "h:1", 0), BR_OK);
    ck_assert_int_eq(conform_write(in, BR_CREATE, at("guidLOCKNODE0000000001"), "i:1", 0), BR_OK);
    server_ask_lock(in, conform.root, "h:1", &lock);
    server_expect_owner(in, conform.root, "h:1", "i:1");
    ck_assert_int_eq(conform_get(in, at("LOCKNODE0000000000"), NULL, NULL), BR_NOTFOUND);
    ck_assert(!lock.done);
    ck_assert_int_eq(conform_write(in, BR_DELETE, at("guidLOCKNODE0000000001"), "", -1), BR_OK);
    answer_wait(&lock);
    ck_assert_int_eq(lock.status, BR_OK);
    answer_done(&lock);
    instance_free(in);
}
END_TEST

/* Somebody deletes a waiting candidate's node: it stands again. */
START_TEST(deleted_candidate_stands_again)
{
    server_deleted_candidate_stands_again(false);
}
END_TEST

/* A canceled candidate leaves no node that could be elected. */
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
    ck_assert_int_ge(lock.status, BR_CANCELED);
    answer_done(&lock);
    while (in->plugin.owner.outstanding > 0)
        loop_turn(conform.loop);
    ck_assert_uint_eq(server_child_count(in, conform.root), 1);
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

/* -- The session ends ---------------------------------------------------------------------------
 */

/* The lock is lost with it, later batches are fenced off, somebody else leads, and the instance
 * goes on with a session of its own. */
START_TEST(session_expires)
{
    struct answer lost, lock, owner;
    struct instance *in = server_instance(SHORT_SESSION, NULL);
    struct instance *other = server_instance(NULL, NULL);
    char *fence = server_lock(in, at("lock"), "h:1");
    server_ask_lost(in, fence, &lost);
    server_ask_lock(other, at("lock"), "i:2", &lock);
    answer_init(&owner);
    store_owner(&in->plugin, at("lock"), "h:1", answer_take, &owner);
    ck_assert_int_eq(server_commit_fenced(in, fence, at("before")), BR_OK);
    ck_assert(!lost.done && !lock.done && !owner.done);
    server_end_session(in);
    answer_wait(&lost);
    ck_assert_int_eq(lost.status, BR_OK);
    answer_wait(&lock);
    ck_assert_int_eq(lock.status, BR_OK);
    answer_wait(&owner);
    ck_assert_int_eq(memcmp(owner.value.data, "i:2", 3), 0);
    ck_assert_int_eq(server_get_when_back(in, at("before")), BR_OK);
    ck_assert_int_eq(server_commit_fenced(in, fence, at("after")), BR_FENCED);
    ck_assert_int_eq(conform_get(in, at("after"), NULL, NULL), BR_NOTFOUND);
    ck_assert_int_eq(server_unlock(in, fence), BR_NOTFOUND);
    answer_done(&lost);
    answer_done(&lock);
    answer_done(&owner);
    free(fence);
    instance_free(in);
    instance_free(other);
}
END_TEST

/* A waiting candidate's session ends: it stands again in the next one. */
START_TEST(waiting_session_expires)
{
    struct answer lock;
    struct instance *in = server_instance(NULL, NULL);
    struct instance *other = server_instance(SHORT_SESSION, NULL);
    char *fence = server_lock(in, conform.root, "h:1");
    server_ask_lock(other, conform.root, "i:2", &lock);
    while (server_child_count(in, conform.root) < 2)
        ck_assert(!lock.done);
    server_end_session(other);
    while (conform_get(in, at("LOCKNODE0000000002"), NULL, NULL) != BR_OK)
        ck_assert(!lock.done);
    ck_assert_int_eq(server_unlock(in, fence), BR_OK);
    answer_wait(&lock);
    ck_assert_int_eq(lock.status, BR_OK);
    answer_done(&lock);
    free(fence);
    instance_free(in);
    instance_free(other);
}
END_TEST

/* -- The server dies ----------------------------------------------------------------------------
 */

enum { STREAM_BATCHES = 60, STREAM_WRITES = 100, STREAM_FLIGHT = 4, STREAM_VALUE = 2000 };

struct stream {
    struct instance *in;
    struct answer answers[STREAM_BATCHES];
    uint32_t issued, answered;
};

static char stream_value[STREAM_VALUE];

/* Each batch a node and its children, none of which another batch needs. */
static void stream_issue(struct stream *stream)
{
    uint32_t batch = stream->issued++;
    struct arena memory;
    arena_init(&memory, 0);
    struct br_write *writes = arena_zero(&memory, STREAM_WRITES * sizeof *writes);
    const struct br_write **list = arena_alloc(&memory, STREAM_WRITES * sizeof *list);
    for (uint32_t i = 0; i < STREAM_WRITES; i++) {
        const char *path = i ? at("b%u/%u", batch, i) : at("b%u", batch);
        writes[i].kind = BR_CREATE;
        writes[i].path = arena_text(&memory, path, strlen(path));
        writes[i].value = (br_bytes){ stream_value, sizeof stream_value };
        list[i] = &writes[i];
    }
    answer_init(&stream->answers[batch]);
    store_commit(&stream->in->plugin, list, STREAM_WRITES, &memory, PLUGIN_FOREVER, answer_take,
                 &stream->answers[batch]);
}

/* Keep some in flight until `count` are issued; the rest stays in flight. */
static void stream_run(struct stream *stream, uint32_t count)
{
    while (stream->issued < count) {
        while (stream->issued < count && stream->issued < stream->answered + STREAM_FLIGHT)
            stream_issue(stream);
        while (stream->answered < stream->issued && stream->answers[stream->answered].done)
            stream->answered++;
        if (stream->issued == stream->answered + STREAM_FLIGHT)
            loop_turn(conform.loop);
    }
}

static void stream_finish(struct stream *stream)
{
    for (; stream->answered < stream->issued; stream->answered++)
        answer_wait(&stream->answers[stream->answered]);
}

/* What was acknowledged is whole, what is in doubt is whole or absent, the rest is absent. */
static uint32_t stream_check(struct stream *stream)
{
    uint32_t doubts = 0;
    for (uint32_t batch = 0; batch < stream->issued; batch++) {
        br_status status = stream->answers[batch].status;
        bool there = conform_get(stream->in, at("b%u", batch), NULL, NULL) == BR_OK;
        ck_assert_msg(status == BR_OK || status == BR_UNKNOWN || status == BR_UNAVAILABLE,
                      "batch %u: %d", batch, status);
        ck_assert_msg(status == BR_UNKNOWN || there == (status == BR_OK), "batch %u: status %d, %s",
                      batch, status, there ? "there" : "not there");
        if (there)
            ck_assert_uint_eq(server_child_count(stream->in, at("b%u", batch)), STREAM_WRITES - 1);
        doubts += status == BR_UNKNOWN;
        answer_done(&stream->answers[batch]);
    }
    return doubts;
}

START_TEST(killed_in_mid_stream)
{
    struct stream *stream = mem_new(sizeof *stream);
    struct answer lost;
    stream->in = server_instance(NULL, NULL);
    ck_assert_int_eq(conform_write(stream->in, BR_CREATE, conform.root, "", 0), BR_OK);
    char *fence = server_lock(stream->in, at("lock"), "h:1");
    server_ask_lost(stream->in, fence, &lost);
    stream_run(stream, STREAM_BATCHES / 2);
    server_pause();
    stream_issue(stream); /* the last is in doubt, however fast the others were */
    server_kill();
    stream_finish(stream);
    server_start();
    ck_assert_int_eq(server_get_when_back(stream->in, conform.root), BR_OK);
    stream_run(stream, STREAM_BATCHES);
    stream_finish(stream);
    ck_assert_uint_ge(stream_check(stream), 1);
    /* The session lives on in the server's log, and so does the lock. */
    ck_assert(!lost.done);
    ck_assert_int_eq(server_commit_fenced(stream->in, fence, at("fenced")), BR_OK);
    ck_assert_int_eq(server_unlock(stream->in, fence), BR_OK);
    answer_wait(&lost);
    answer_done(&lost);
    free(fence);
    instance_free(stream->in);
    free(stream);
}
END_TEST

START_TEST(killed_under_reads_and_locks)
{
    server_dies_under_reads_and_locks();
}
END_TEST

/* A candidate whose first node was in doubt leads by its second; given back, that lock is no longer
 * held while the session that may still have the first node is being replaced. */
START_TEST(doubtful_leader_leaves)
{
    struct answer lock, gone;
    struct instance *in = server_instance(NULL, NULL);
    server_pause();
    server_ask_lock(in, conform.root, "h:1", &lock);
    server_let_pass(20 * BR_MILLISECOND); /* the request leaves */
    server_kill();
    server_start();
    answer_wait(&lock);
    ck_assert_int_eq(lock.status, BR_OK);
    char *fence = strndup(lock.value.data, lock.value.size);
    answer_init(&gone);
    store_unlock(&in->plugin, fence, PLUGIN_FOREVER, answer_take, &gone);
    while (!gone.done) /* asked again in every turn */
        ck_assert_int_eq(server_unlock(in, fence), BR_NOTFOUND);
    ck_assert_int_eq(gone.status, BR_OK);
    answer_done(&lock);
    answer_done(&gone);
    free(fence);
    instance_free(in);
}
END_TEST

/* -- The server is paused ------------------------------------------------------------------------
 */

/* Until the deadline: in doubt; and then it happened after all, as a whole. */
START_TEST(paused_in_mid_batch)
{
    struct answer commit, read;
    const char *root = conform.root;
    struct instance *in = server_instance(NULL, NULL);
    struct br_write writes[] = { { .kind = BR_CREATE, .path = root },
                                 { .kind = BR_CREATE, .path = at("a") } };
    const struct br_write *list[] = { &writes[0], &writes[1] };
    server_pause();
    answer_init(&commit);
    store_commit(&in->plugin, list, 2, NULL, 200 * BR_MILLISECOND, answer_take, &commit);
    answer_init(&read);
    store_read(&in->plugin, &root, 1, NULL, 200 * BR_MILLISECOND, answer_take, &read);
    answer_wait(&commit);
    ck_assert_int_eq(commit.status, BR_UNKNOWN);
    answer_wait(&read);
    ck_assert_int_eq(read.status, BR_TIMEOUT);
    ck_assert_uint_eq(in->plugin.owner.outstanding, 2);
    server_continue();
    ck_assert_int_eq(conform_get(in, root, NULL, NULL), BR_OK);
    ck_assert_int_eq(conform_get(in, at("a"), NULL, NULL), BR_OK);
    ck_assert_uint_eq(in->plugin.owner.outstanding, 0);
    answer_done(&commit);
    answer_done(&read);
    instance_free(in);
}
END_TEST

/* Longer than the session lasts.  When the server goes on, the session's expiry and the client that
 * comes back race: either it keeps the session, and then the lock, or it loses both.  Until it lost
 * them; in every round what is said and what is true agree. */
START_TEST(paused_until_expiry)
{
    struct answer lost, lock, commit;
    struct instance *other = server_instance(NULL, NULL);
    struct instance *in = server_instance(SHORT_SESSION, NULL);
    char *fence = server_lock(in, at("lock"), "h:1");
    server_ask_lost(in, fence, &lost);
    server_ask_lock(other, at("lock"), "i:2", &lock);
    ck_assert_int_eq(server_get_when_back(other, at("lock")), BR_OK);
    const struct br_write writes[] = { { .kind = BR_FENCE, .path = fence },
                                       { .kind = BR_CREATE, .path = at("doubt") } };
    for (int round = 0; round < 5 && !lost.done; round++) {
        server_pause();
        if (round == 0)
            conform_issue(in, writes, 2, &commit);
        server_let_pass(1500 * BR_MILLISECOND);
        server_continue();
        ck_assert_int_eq(server_get_when_back(in, "/"), BR_OK);
    }
    answer_wait(&lost);
    answer_wait(&commit);
    ck_assert_int_eq(server_get_when_back(other, "/"), BR_OK);
    bool there = conform_get(other, at("doubt"), NULL, NULL) == BR_OK;
    ck_assert_msg(br_may_have_happened(commit.status) || there == (commit.status == BR_OK),
                  "status %d, %s", commit.status, there ? "there" : "not there");
    answer_wait(&lock);
    ck_assert_int_eq(lock.status, BR_OK);
    ck_assert_int_eq(server_get_when_back(in, "/"), BR_OK);
    ck_assert_int_eq(server_commit_fenced(in, fence, at("after")), BR_FENCED);
    server_expect_owner(in, at("lock"), "", "i:2");
    answer_done(&lost);
    answer_done(&lock);
    answer_done(&commit);
    free(fence);
    instance_free(in);
    instance_free(other);
}
END_TEST

/* Everything outstanding is answered before stop is, though the server says nothing. */
START_TEST(stop_under_a_paused_server)
{
    struct answer commit, read, list, lock, owner, lost, stop;
    const char *root = conform.root;
    struct instance *in = server_instance(NULL, NULL);
    char *fence = server_lock(in, at("lock"), "h:1");
    const struct br_write write = { .kind = BR_CREATE, .path = at("n") };
    server_pause();
    conform_issue(in, &write, 1, &commit);
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
    const br_status expected[] = { BR_UNKNOWN,  BR_UNAVAILABLE, BR_UNAVAILABLE,
                                   BR_CANCELED, BR_CANCELED,    BR_OK };
    struct answer *answers[] = { &commit, &read, &list, &lock, &owner, &lost };
    for (int i = 0; i < 6; i++) {
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

TCase *zookeeper_lock_case(void)
{
    TCase *tcase = conform_case("lock");
    tcase_add_test(tcase, strange_children_are_no_candidates);
    tcase_add_test(tcase, leftover_is_deleted);
    tcase_add_test(tcase, deleted_candidate_stands_again);
    tcase_add_loop_test(tcase, canceled_candidate_leaves, 0, 2);
    tcase_add_test(tcase, race);
    tcase_add_test(tcase, session_expires);
    tcase_add_test(tcase, waiting_session_expires);
    return tcase;
}

TCase *zookeeper_fault_case(void)
{
    TCase *tcase = server_case("fault");
    tcase_add_test(tcase, killed_in_mid_stream);
    tcase_add_test(tcase, killed_under_reads_and_locks);
    tcase_add_test(tcase, doubtful_leader_leaves);
    tcase_add_test(tcase, paused_in_mid_batch);
    tcase_add_test(tcase, paused_until_expiry);
    tcase_add_test(tcase, stop_under_a_paused_server);
    return tcase;
}
