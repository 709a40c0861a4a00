/* test_etcd_proxy -- what others do between two requests of one step, and requests of one that are
 * in doubt, by a proxy (t/etcd_proxy.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/etcd_proxy.h"
#include "t/test_etcd.h"

/* -- Between two requests ---------------------------------------------------------------------- */

static int disturbances;

/* Before each second transaction, which is the one that writes. */
static void disturb(void *key)
{
    char value[16];
    snprintf(value, sizeof value, "%d x", ++disturbances);
    server_put(key, value);
    proxy_fail(TXN, 2, PROXY_PASS, NULL);
    proxy_before(disturb, key);
}

START_TEST(changed_again_and_again)
{
    struct buf key = { 0 };
    struct instance *in = proxy_instance(NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    buf_printf(&key, "/bridle/%s", conform.root);
    proxy_fail(TXN, 2, PROXY_PASS, NULL);
    proxy_before(disturb, key.data);
    ck_assert_int_eq(conform_write(in, BR_PUT, conform.root, "", -1), BR_UNAVAILABLE);
    ck_assert_msg(strstr(conform.text, "again and again"), "%s", conform.text);
    ck_assert_int_eq(disturbances, ETCD_TRIES_MAX);
    proxy_fail(TXN, 100, PROXY_PASS, NULL);
    ck_assert_int_eq(conform_write(in, BR_PUT, conform.root, "", ETCD_TRIES_MAX), BR_OK);
    buf_done(&key);
    instance_free(in);
}
END_TEST

/* Whether the node was put or not: he stands once. */
START_TEST(stand_in_doubt)
{
    static const int ways[] = { PROXY_CUT_REQUEST, PROXY_CUT_REPLY };
    struct instance *in = proxy_instance(NULL);
    proxy_fail(TXN, 2, ways[_i], NULL);
    char *fence = server_lock(in, conform.root, "h:1");
    ck_assert(proxy_reached());
    ck_assert_str_eq(fence, at("LOCKNODE0000000000"));
    ck_assert_uint_eq(server_child_count(in, conform.root), 1);
    ck_assert_int_eq(conform_elections(in, conform.root), 1);
    proxy_fail(TXN, 1, ways[_i], NULL);
    ck_assert_int_eq(server_unlock(in, fence), BR_OK);
    ck_assert_int_eq(conform_elections(in, conform.root), 2);
    free(fence);
    instance_free(in);
}
END_TEST

struct canceling {
    struct instance *in;
    struct br_call *call;
};

static void cancel(void *arg)
{
    const struct canceling *canceling = arg;
    store_cancel(&canceling->in->plugin, canceling->call);
}

/* Given up before it has looked, and before it is there: nothing of it stays. */
START_TEST(canceled_while_standing)
{
    struct answer lock;
    struct instance *in = proxy_instance(NULL);
    struct canceling canceling = { .in = in };
    proxy_fail(TXN, _i + 1, PROXY_PASS, NULL);
    proxy_before(cancel, &canceling);
    answer_init(&lock);
    canceling.call = store_lock(&in->plugin, conform.root, "h:1", answer_take, &lock);
    answer_wait(&lock);
    ck_assert_int_eq(lock.status, BR_CANCELED);
    answer_done(&lock);
    while (server_etcd(in)->stands)
        loop_turn(conform.loop);
    ck_assert_int_eq(conform_elections(in, conform.root), _i ? 2 : 0);
    instance_free(in);
}
END_TEST

static void end_lease(void *in)
{
    server_revoke(in);
}

/* The lease goes under somebody who stands, or who has never been elected: he stands again. */
START_TEST(lease_goes_while_standing)
{
    struct instance *in = proxy_instance(NULL);
    proxy_fail(_i == 2 ? RANGE : TXN, _i == 1 ? 2 : 1, PROXY_PASS, NULL);
    proxy_before(end_lease, in);
    char *fence = server_lock(in, conform.root, "h:1");
    ck_assert(proxy_reached());
    ck_assert_uint_eq(server_child_count(in, conform.root), 1);
    ck_assert_int_eq(server_commit_fenced(in, fence, at("n")), BR_OK);
    free(fence);
    instance_free(in);
}
END_TEST

static void delete_leftover(void *in)
{
    struct buf json = { 0 };
    struct buf key = { 0 };
    (void) in;
    buf_printf(&key, "/bridle%s//LOCKNODE0000000003", conform.root);
    buf_text(&json, "{\"key\":\"");
    etcd_base64(&json, key.data, key.size);
    buf_text(&json, "\"}");
    json_decref(server_post("/v3/kv/deleterange", buf_string(&json), NULL));
    buf_done(&json);
    buf_done(&key);
}

/* One who waits in the same instance does not take the leader's node, of his own value, for a
 * leftover; and what is a leftover may be gone before it is deleted. */
START_TEST(leftover_is_gone)
{
    struct answer lock;
    struct instance *in = proxy_instance(NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    ck_assert_int_eq(conform_write(in, BR_CREATE, at("LOCKNODE0000000003"), "h:1", 0), BR_OK);
    proxy_fail(TXN, 3, PROXY_PASS, NULL); /* look for the number, put, delete */
    proxy_before(delete_leftover, in);
    char *fence = server_lock(in, conform.root, "h:1");
    ck_assert(proxy_reached());
    ck_assert_str_eq(fence, at("LOCKNODE0000000004"));
    server_ask_lock(in, conform.root, "h:1", &lock);
    while (server_child_count(in, conform.root) < 2)
        ck_assert(!lock.done);
    ck_assert_int_eq(server_unlock(in, fence), BR_OK);
    answer_wait(&lock);
    ck_assert_int_eq(lock.status, BR_OK);
    answer_done(&lock);
    free(fence);
    instance_free(in);
}
END_TEST

/* A lock's step waits behind a batch whose connection is lost, and is not forgotten; or it has been
 * given up when its turn comes. */
START_TEST(lock_behind_a_batch)
{
    struct answer commit, next, lock;
    struct instance *in = proxy_instance("request_timeout=300ms");
    const struct br_write write = { .kind = BR_CREATE, .path = conform.root };
    const struct br_write other = { .kind = BR_CHECK, .path = "/", .version = BR_ANY_VERSION };
    proxy_fail(TXN, 1, _i ? PROXY_PASS : PROXY_SWALLOW, NULL);
    conform_issue(in, &write, 1, &commit);
    conform_issue(in, &other, 1, &next);
    answer_init(&lock);
    struct br_call *call = store_lock(&in->plugin, conform.root, "h:1", answer_take, &lock);
    while (!server_etcd(in)->lock_queued)
        loop_turn(conform.loop);
    if (_i) {
        store_cancel(&in->plugin, call);
        answer_wait(&lock);
    }
    answer_wait(&commit);
    ck_assert_int_eq(commit.status, _i ? BR_OK : BR_UNKNOWN);
    answer_wait(&next);
    ck_assert_int_eq(next.status, _i ? BR_OK : BR_UNAVAILABLE);
    answer_done(&next);
    answer_wait(&lock);
    ck_assert_int_eq(lock.status, _i ? BR_CANCELED : BR_OK);
    while (server_etcd(in)->lock_queued)
        loop_turn(conform.loop);
    answer_done(&commit);
    answer_done(&lock);
    instance_free(in);
}
END_TEST

/* Candidates of one instance: for two locks; and one who gives up in front of another. */
START_TEST(two_candidates)
{
    struct answer a, b, c;
    struct instance *in = proxy_instance(NULL);
    answer_init(&a);
    struct br_call *call = store_lock(&in->plugin, at("x"), "h:1", answer_take, &a);
    server_ask_lock(in, at("y"), "h:1", &b);
    server_ask_lock(in, at("x"), "h:1", &c);
    store_cancel(&in->plugin, call);
    answer_wait(&a);
    answer_wait(&b);
    answer_wait(&c);
    ck_assert_int_eq(a.status, BR_CANCELED);
    ck_assert_int_eq(b.status, BR_OK);
    ck_assert_int_eq(c.status, BR_OK);
    char *fence = arena_text(&c.arena, c.value.data, c.value.size);
    struct answer unlocks[2];
    for (int i = 0; i < 2; i++) {
        answer_init(&unlocks[i]);
        store_unlock(&in->plugin, fence, PLUGIN_FOREVER, answer_take, &unlocks[i]);
    }
    for (int i = 0; i < 2; i++) {
        answer_wait(&unlocks[i]);
        ck_assert_int_eq(unlocks[i].status, i ? BR_NOTFOUND : BR_OK);
        answer_done(&unlocks[i]);
    }
    answer_done(&a);
    answer_done(&b);
    answer_done(&c);
    instance_free(in);
}
END_TEST

static void put_candidate(struct buf *json, int number, int lease, const char *value)
{
    struct buf key = { 0 };
    buf_printf(&key, "/bridle%s//LOCKNODE%010d", conform.root, number);
    buf_text(json, ",{\"key\":\"");
    etcd_base64(json, key.data, key.size);
    buf_printf(json, "\",\"lease\":\"%d\",\"value\":\"%s\"}", lease, value);
    buf_done(&key);
}

/* Candidates that are none, out of order, and with our number but not our lease: whatever a server
 * says, nobody is elected by it, and what we left there by it is deleted. */
START_TEST(strange_candidates)
{
    struct buf json = { 0 };
    struct instance *in = proxy_instance(NULL);
    buf_text(&json, "{\"kvs\":[{\"key\":\"!\"},{\"key\":\"\"}");
    put_candidate(&json, 9, 7, "!");
    put_candidate(&json, 8, 7, "eA==");
    put_candidate(&json, 0, 7, "eA==");
    buf_text(&json, "]}");
    proxy_fail(RANGE, 1, 200, buf_string(&json));
    char *fence = server_lock(in, conform.root, "h:1");
    ck_assert(proxy_reached());
    ck_assert_str_eq(fence, at("LOCKNODE0000000001"));
    ck_assert_uint_eq(server_child_count(in, conform.root), 1);
    buf_done(&json);
    free(fence);
    instance_free(in);
}
END_TEST

/* He gives up, and before his node is deleted his lease is gone, and the node with it. */
START_TEST(lease_goes_while_leaving)
{
    struct answer lock;
    struct instance *other = server_instance(NULL, NULL);
    struct instance *in = proxy_instance(NULL);
    char *fence = server_lock(other, conform.root, "i:2");
    answer_init(&lock);
    struct br_call *call = store_lock(&in->plugin, conform.root, "h:1", answer_take, &lock);
    while (server_child_count(other, conform.root) < 2 || server_etcd(in)->jobs)
        loop_turn(conform.loop);
    proxy_fail(TXN, 1, PROXY_PASS, NULL);
    proxy_before(end_lease, in);
    store_cancel(&in->plugin, call);
    answer_wait(&lock);
    while (server_etcd(in)->stands)
        loop_turn(conform.loop);
    ck_assert(proxy_reached());
    ck_assert_uint_eq(server_child_count(other, conform.root), 1);
    answer_done(&lock);
    free(fence);
    instance_free(in);
    instance_free(other);
}
END_TEST

/* The store stops in the middle of a step of an election. */
START_TEST(stop_in_each_step)
{
    static const struct {
        const char *what;
        int number;
    } steps[] = { { TXN, 1 }, { TXN, 2 }, { TXN, 3 }, { RANGE, 1 } };
    struct answer lock;
    struct instance *in = proxy_instance(NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    ck_assert_int_eq(conform_write(in, BR_CREATE, at("LOCKNODE0000000003"), "h:1", 0), BR_OK);
    proxy_fail(steps[_i].what, steps[_i].number, PROXY_SWALLOW, NULL);
    server_ask_lock(in, conform.root, "h:1", &lock);
    while (!proxy_reached())
        loop_turn(conform.loop);
    instance_free(in);
    ck_assert(lock.done);
    ck_assert_int_eq(lock.status, BR_CANCELED);
    answer_done(&lock);
}
END_TEST

TCase *etcd_proxy_case(void)
{
    TCase *tcase = proxy_case("proxy");
    tcase_add_test(tcase, changed_again_and_again);
    tcase_add_loop_test(tcase, stand_in_doubt, 0, 2);
    tcase_add_loop_test(tcase, canceled_while_standing, 0, 2);
    tcase_add_loop_test(tcase, lease_goes_while_standing, 0, 3);
    tcase_add_test(tcase, leftover_is_gone);
    tcase_add_loop_test(tcase, lock_behind_a_batch, 0, 2);
    tcase_add_test(tcase, two_candidates);
    tcase_add_test(tcase, strange_candidates);
    tcase_add_test(tcase, lease_goes_while_leaving);
    tcase_add_loop_test(tcase, stop_in_each_step, 0, 4);
    return tcase;
}
