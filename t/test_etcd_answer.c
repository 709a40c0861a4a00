/* test_etcd_answer -- answers of the server's that a healthy one does not give, by a proxy
 * (t/etcd_proxy.h); and sessions that do not come about, or end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "t/etcd_proxy.h"
#include "t/test_etcd.h"

/* -- Answers ----------------------------------------------------------------------------------- */

static const struct {
    int http;
    const char *answer;
    br_status status;     /* of a read */
    br_status commit;     /* BR_OK: it is the same */
    const char *sentence; /* part of it */
} answers[] = {
    { 400, "{\"message\":\"request is too large\",\"code\":3}", BR_TOOBIG, BR_TOOBIG, "too large" },
    { 400, "{\"message\":\"too many operations\",\"code\":3}", BR_TOOBIG, BR_TOOBIG, "too many" },
    { 400, "{\"message\":\"bad\",\"code\":3}", BR_INVALID, BR_INVALID, "bad" },
    { 403, "{\"message\":\"permission denied\",\"code\":7}", BR_DENIED, BR_DENIED, "permission" },
    { 401, "{\"message\":\"invalid token\",\"code\":16}", BR_UNAVAILABLE, BR_OK, "token" },
    { 429, "{\"message\":\"no space\",\"code\":8}", BR_REFUSED, BR_REFUSED, "no space" },
    { 400, "{\"message\":\"not now\",\"code\":9}", BR_REFUSED, BR_REFUSED, "not now" },
    { 404, "{\"message\":\"not here\",\"code\":5}", BR_NOTFOUND, BR_NOTFOUND, "not here" },
    { 501, "{\"message\":\"what?\",\"code\":12}", BR_UNSUPPORTED, BR_UNSUPPORTED, "what?" },
    { 503, "{\"message\":\"no leader\",\"code\":14}", BR_UNAVAILABLE, BR_UNKNOWN, "no leader" },
    { 503, "{\"error\":{\"message\":\"leader\",\"grpc_code\":14}}", BR_UNAVAILABLE, BR_UNKNOWN,
      "leader" },
    { 500, "{}", BR_UNAVAILABLE, BR_OK, "does not say why" },
    { 502, "<html>", BR_UNAVAILABLE, BR_OK, "no JSON" },
    { 200, "[]", BR_UNAVAILABLE, BR_OK, "no JSON" },
    { 200, "", BR_UNAVAILABLE, BR_OK, "no JSON" },
};

/* Whoever asked is told, and the next one is served. */
START_TEST(refusal)
{
    struct instance *in = proxy_instance(NULL);
    proxy_fail(TXN, 1, answers[_i].http, answers[_i].answer);
    ck_assert_int_eq(conform_get(in, "/", NULL, NULL), answers[_i].status);
    ck_assert_msg(strstr(conform.text, answers[_i].sentence), "%s", conform.text);
    ck_assert_int_eq(server_get_when_back(in, "/"), BR_OK);
    if (answers[_i].commit != BR_OK) {
        proxy_fail(TXN, 1, answers[_i].http, answers[_i].answer);
        ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), answers[_i].commit);
        ck_assert_msg(strstr(conform.text, answers[_i].sentence), "%s", conform.text);
        ck_assert_int_eq(server_get_when_back(in, conform.root), BR_NOTFOUND);
    }
    instance_free(in);
}
END_TEST

/* As for reads. */
START_TEST(refusal_of_a_question)
{
    struct answer answer;
    struct instance *in = proxy_instance(NULL);
    proxy_fail(TXN, 1, 429, "{\"message\":\"no space\",\"code\":8}");
    answer_init(&answer);
    store_elections(&in->plugin, conform.root, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_REFUSED);
    answer_done(&answer);
    proxy_fail(TXN, 1, 503, "{}");
    answer_init(&answer);
    store_elections(&in->plugin, conform.root, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_UNAVAILABLE);
    answer_done(&answer);
    answer_init(&answer);
    store_elections(&in->plugin, conform.root, PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_UNAVAILABLE); /* not connected */
    answer_done(&answer);
    ck_assert_int_eq(server_get_when_back(in, "/"), BR_OK);
    proxy_fail(TXN, 1, 503, "{}");
    answer_init(&answer);
    store_list(&in->plugin, "/", PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_UNAVAILABLE);
    answer_done(&answer);
    answer_init(&answer);
    store_list(&in->plugin, "/", PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_UNAVAILABLE);
    answer_done(&answer);
    instance_free(in);
}
END_TEST

/* Answers that are JSON, and make no sense. */
START_TEST(nonsense)
{
    static const char *const rows[] = {
        "{}",
        "{\"succeeded\":false,\"responses\":[]}",
        "{\"responses\":[{\"response_range\":{\"count\":\"1\",\"kvs\":[{\"value\":\"!\"}]}}]}",
        "{\"responses\":[{\"response_range\":{\"count\":\"1\",\"kvs\":[{}]}}]}",
        "{\"responses\":[{\"response_range\":{\"count\":\"1\"}},{\"response_range\":{\"kvs\":[{}]}}"
        "]}",
        "{\"responses\":[{\"response_range\":{\"count\":\"1\"}},"
        "{\"response_range\":{\"kvs\":[{\"key\":\"!\"}]}}]}",
    };
    struct answer answer;
    struct instance *in = proxy_instance(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (i < 4) {
            proxy_fail(TXN, 1, 200, rows[i]);
            ck_assert_int_eq(conform_get(in, "/", NULL, NULL), BR_CORRUPT);
            proxy_fail(TXN, 1, 200, rows[i]);
            ck_assert_int_eq(conform_write(in, BR_PUT, "/", "", -1), BR_CORRUPT);
        }
        proxy_fail(TXN, 1, 200, rows[i]);
        answer_init(&answer);
        store_list(&in->plugin, "/", PLUGIN_FOREVER, answer_take, &answer);
        answer_wait(&answer);
        ck_assert_msg(answer.status == (i < 2 ? BR_NOTFOUND : BR_CORRUPT), "%zu: %d", i,
                      answer.status);
        answer_done(&answer);
    }
    proxy_fail(TXN, 1, 200,
               "{\"responses\":[{\"response_txn\":{\"responses\":[{\"response_range\":"
               "{\"kvs\":[{\"value\":\"!\"}]}}]}}]}");
    ck_assert_int_eq(conform_write(in, BR_PUT, "/", "", -1), BR_CORRUPT);
    proxy_fail(TXN, 1, 200, rows[2]);
    answer_init(&answer);
    store_elections(&in->plugin, "/", PLUGIN_FOREVER, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_CORRUPT);
    answer_done(&answer);
    instance_free(in);
}
END_TEST

/* A snapshot in doubt is none: nothing was written yet.  A batch in doubt may have been. */
START_TEST(doubt)
{
    struct instance *in = proxy_instance(NULL);
    ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    proxy_fail(TXN, 1, PROXY_CUT_REPLY, NULL);
    ck_assert_int_eq(conform_write(in, BR_PUT, conform.root, "x", 0), BR_UNAVAILABLE);
    ck_assert_int_eq(server_get_when_back(in, conform.root), BR_OK);
    proxy_fail(TXN, 1, 429, "{\"message\":\"no space\",\"code\":8}");
    ck_assert_int_eq(conform_write(in, BR_PUT, conform.root, "x", 0), BR_REFUSED);
    static const int ways[] = { PROXY_CUT_REQUEST, PROXY_CUT_REPLY };
    for (int i = 0; i < 2; i++) {
        int64_t version, before;
        ck_assert_int_eq(conform_get(in, conform.root, NULL, &before), BR_OK);
        proxy_fail(TXN, 2, ways[i], NULL);
        ck_assert_int_eq(conform_write(in, BR_PUT, conform.root, "x", before), BR_UNKNOWN);
        ck_assert(proxy_reached());
        ck_assert_int_eq(server_get_when_back(in, conform.root), BR_OK);
        ck_assert_int_eq(conform_get(in, conform.root, NULL, &version), BR_OK);
        ck_assert_int_eq(version, before + (ways[i] == PROXY_CUT_REPLY));
    }
    instance_free(in);
}
END_TEST

TCase *etcd_answer_case(void)
{
    TCase *tcase = proxy_case("answer");
    tcase_add_loop_test(tcase, refusal, 0, sizeof answers / sizeof *answers);
    tcase_add_test(tcase, refusal_of_a_question);
    tcase_add_test(tcase, nonsense);
    tcase_add_test(tcase, doubt);
    return tcase;
}

/* -- Sessions ---------------------------------------------------------------------------------- */

static const struct {
    const char *what;
    int way;
    const char *answer;
    br_status status; /* of the start */
} starts[] = {
    { GRANT, 429, "{\"message\":\"no space\",\"code\":8}", BR_REFUSED },
    { GRANT, 503, "{\"message\":\"no leader\",\"code\":14}", BR_OK },
    { GRANT, PROXY_CUT_REQUEST, NULL, BR_OK },
    { TXN, 429, "{\"message\":\"no space\",\"code\":8}", BR_REFUSED },
    { TXN, 503, "{\"message\":\"no leader\",\"code\":14}", BR_OK },
    { TXN, 404, "{\"message\":\"requested lease not found\",\"code\":5}", BR_OK },
    { TXN, PROXY_CUT_REPLY, NULL, BR_OK },
    { TXN, 200, "{}", BR_OK }, /* a compare failed: the lease had run out */
};

START_TEST(start_fails)
{
    struct answer answer;
    struct instance *in = server_instance_made(proxy_hosts(), NULL);
    proxy_fail(starts[_i].what, 1, starts[_i].way, starts[_i].answer);
    answer_init(&answer);
    plugin_start(&in->plugin, 20 * BR_SECOND, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_msg(answer.status == starts[_i].status, "%d: %s", answer.status, answer.text);
    if (answer.status == BR_OK)
        ck_assert_int_eq(conform_write(in, BR_CREATE, conform.root, "", 0), BR_OK);
    answer_done(&answer);
    instance_free(in);
}
END_TEST

/* The store stops before it is connected. */
START_TEST(stop_in_mid_start)
{
    static const char *const steps[] = { GRANT, TXN, "/v3/auth/authenticate" };
    struct answer start;
    struct instance *in =
        server_instance_made(proxy_hosts(), _i == 2 ? "username=a" : NULL, "password=b", NULL);
    proxy_fail(steps[_i], 1, PROXY_SWALLOW, NULL);
    answer_init(&start);
    plugin_start(&in->plugin, PLUGIN_FOREVER, answer_take, &start);
    while (!proxy_reached())
        loop_turn(conform.loop);
    server_stop_starting(in, &start);
}
END_TEST

/* No new lease, though it had one: it keeps trying. */
START_TEST(new_lease_is_refused)
{
    struct instance *in = proxy_instance(NULL);
    proxy_fail(GRANT, 1, 429, "{\"message\":\"no space\",\"code\":8}");
    server_revoke(in);
    while (conform_write(in, BR_CREATE, conform.root, "", 0) != BR_OK)
        server_let_pass(5 * BR_MILLISECOND);
    ck_assert(proxy_reached());
    instance_free(in);
}
END_TEST

/* No descriptor is left for another connection. */
START_TEST(no_descriptor)
{
    struct rlimit before, none;
    struct instance *in = proxy_instance(NULL);
    int least = dup(0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t) least;
    close(least);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(conform_get(in, "/", NULL, NULL), BR_UNAVAILABLE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_msg(strstr(conform.text, "no connection"), "%s", conform.text);
    ck_assert_int_eq(server_get_when_back(in, "/"), BR_OK);
    instance_free(in);
}
END_TEST

/* Only what the server itself says of a name and its password is final. */
START_TEST(authentication_fails)
{
    static const struct {
        int way;
        const char *answer, *sentence;
    } rows[] = {
        { 200, "{}", "no token" },
        { 503, "{\"message\":\"no leader\",\"code\":14}", "not enabled" }, /* by the real one */
        { PROXY_CUT_REPLY, NULL, "not enabled" },
    };
    struct answer answer;
    struct instance *in = server_instance_made(proxy_hosts(), "username=a", "password=b", NULL);
    proxy_fail("/v3/auth/authenticate", 1, rows[_i].way, rows[_i].answer);
    answer_init(&answer);
    plugin_start(&in->plugin, 20 * BR_SECOND, answer_take, &answer);
    answer_wait(&answer);
    ck_assert_int_eq(answer.status, BR_DENIED);
    ck_assert_msg(strstr(answer.text, rows[_i].sentence), "%s", answer.text);
    answer_done(&answer);
    instance_free(in);
}
END_TEST

/* A renewal that comes to nothing is tried again elsewhere; the lock is held. */
START_TEST(renewal_fails)
{
    static const struct {
        int way;
        const char *answer;
    } rows[] = {
        { 200, "{\"error\":{\"message\":\"too busy\",\"grpc_code\":8}}" },
        { PROXY_CUT_REPLY, NULL },
    };
    struct answer lost;
    struct instance *in = proxy_instance("session_timeout=2s");
    char *fence = server_lock(in, conform.root, "h:1");
    server_ask_lost(in, fence, &lost);
    proxy_fail(KEEPALIVE, 1, rows[_i].way, rows[_i].answer);
    while (!proxy_reached() || server_etcd(in)->renew_sent)
        loop_turn(conform.loop);
    ck_assert_int_eq(server_get_when_back(in, "/"), BR_OK);
    ck_assert(!lost.done);
    ck_assert_int_eq(server_commit_fenced(in, fence, at("n")), BR_OK);
    ck_assert_int_eq(server_unlock(in, fence), BR_OK);
    answer_done(&lost);
    free(fence);
    instance_free(in);
}
END_TEST

/* The server has forgotten the lease: so has the lock's holder, at the next renewal. */
START_TEST(renewal_of_nothing)
{
    struct answer lost;
    struct instance *in = proxy_instance("session_timeout=1s");
    char *fence = server_lock(in, conform.root, "h:1");
    server_ask_lost(in, fence, &lost);
    proxy_fail(KEEPALIVE, 1, PROXY_REPLACE_REPLY, "{\"result\":{\"ID\":\"1\"}}");
    answer_wait(&lost);
    ck_assert_int_eq(lost.status, BR_OK);
    answer_done(&lost);
    free(fence);
    fence = server_lock(in, conform.root, "h:1"); /* what was left is not waited for */
    ck_assert_str_eq(fence, at("LOCKNODE0000000001"));
    free(fence);
    instance_free(in);
}
END_TEST

/* Cut off for good: the lock is lost by our own clock; and back again. */
START_TEST(cut_off)
{
    struct answer lost;
    struct instance *in = proxy_instance("session_timeout=1s");
    char *fence = server_lock(in, conform.root, "h:1");
    server_ask_lost(in, fence, &lost);
    proxy_cut(true);
    answer_wait(&lost);
    ck_assert_int_eq(lost.status, BR_OK);
    answer_done(&lost);
    proxy_cut(false);
    ck_assert_int_eq(server_get_when_back(in, "/"), BR_OK);
    free(fence);
    instance_free(in);
}
END_TEST

/* The one server fails or says nothing: over to the other with the lease, and the lock is held. */
START_TEST(other_server)
{
    struct answer lost;
    struct buf hosts = { 0 };
    buf_printf(&hosts, "%s,%s", proxy_hosts(), server_env("HOSTS"));
    struct instance *in = server_instance(hosts.data, "request_timeout=200ms", NULL);
    char *fence = server_lock(in, at("lock"), "h:1");
    server_ask_lost(in, fence, &lost);
    ck_assert_uint_eq(server_etcd(in)->at, 0);
    if (_i)
        proxy_fail(TXN, 1, PROXY_SWALLOW, NULL);
    else
        proxy_cut(true);
    ck_assert_int_eq(conform_write(in, BR_CREATE, at("n"), "", 0), BR_UNKNOWN);
    ck_assert_int_eq(server_get_when_back(in, at("n")), BR_NOTFOUND);
    ck_assert_uint_eq(server_etcd(in)->at, 1);
    ck_assert(!lost.done);
    ck_assert_int_eq(server_commit_fenced(in, fence, at("m")), BR_OK);
    ck_assert_int_eq(server_unlock(in, fence), BR_OK);
    answer_done(&lost);
    buf_done(&hosts);
    free(fence);
    instance_free(in);
}
END_TEST

TCase *etcd_session_case(void)
{
    TCase *tcase = proxy_case("session");
    tcase_add_loop_test(tcase, stop_in_mid_start, 0, 3);
    tcase_add_test(tcase, new_lease_is_refused);
    tcase_add_test(tcase, no_descriptor);
    tcase_add_loop_test(tcase, start_fails, 0, sizeof starts / sizeof *starts);
    tcase_add_loop_test(tcase, authentication_fails, 0, 3);
    tcase_add_loop_test(tcase, renewal_fails, 0, 2);
    tcase_add_test(tcase, renewal_of_nothing);
    tcase_add_test(tcase, cut_off);
    tcase_add_loop_test(tcase, other_server, 0, 2);
    return tcase;
}
