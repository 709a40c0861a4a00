/* test_zookeeper_proxy -- a whole life of the store, with each of its requests failing in turn: cut
 * off before and after the server had it, and refused.  Everything is answered, what is said is
 * true, and nothing that could be elected is left.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "plugin/store_zookeeper.h"
#include "t/test_zookeeper.h"
#include "t/zookeeper_proxy.h"

static struct proxy *proxy;

static void setup(void)
{
    proxy = proxy_start();
}

static void teardown(void)
{
    proxy_stop(proxy);
}

/* Started or not. */
static struct instance *life_begin(const char *chroot, br_time deadline, struct answer *start)
{
    char hosts[64], option[128];
    snprintf(hosts, sizeof hosts, "hosts=127.0.0.1:%u", proxy_port(proxy));
    snprintf(option, sizeof option, "chroot=%s", chroot);
    struct instance *in = server_instance_made(hosts, option, "auth=user:password",
                                               "session_timeout=2s", "read_connections=1", NULL);
    answer_init(start);
    plugin_start(&in->plugin, deadline, answer_take, start);
    answer_wait(start);
    return in;
}

static br_status life_end_of(struct answer *answer)
{
    answer_wait(answer);
    br_status status = answer->status;
    ck_assert(status == BR_OK || answer->text[0]);
    answer_done(answer);
    return status;
}

/* Reads, lists and writes; what was acknowledged is there. */
static void life_write(struct instance *in, struct instance *other)
{
    struct answer answer;
    char **names;
    uint32_t count;
    const char *const paths[] = { "/a", "/" };
    br_status told = conform_write(in, BR_CREATE, "/a", "1", 0);
    br_status truth = conform_get(other, "/a", NULL, NULL);
    ck_assert_msg(br_may_have_happened(told) || (told == BR_OK) == (truth == BR_OK), "%d, %d", told,
                  truth);
    br_status list = conform_list(in, "/", &answer, &names, &count);
    for (uint32_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    answer_done(&answer);
    answer_init(&answer);
    store_read(&in->plugin, paths, 2, NULL, PLUGIN_FOREVER, answer_take, &answer);
    br_status read = life_end_of(&answer);
    ck_assert(list == BR_OK || list == BR_DENIED || list == BR_UNAVAILABLE);
    ck_assert(read == BR_OK || read == BR_DENIED || read == BR_UNAVAILABLE);
}

/* A candidate whose earlier life left a node, behind another one who leads and leaves; observers.
 */
static void life_elect(struct instance *in, struct instance *other)
{
    struct answer lock, leads, seen, none, unlock;
    ck_assert_int_eq(conform_write(other, BR_CREATE, "/lock", "", 0), BR_OK);
    ck_assert_int_eq(conform_write(other, BR_CREATE, "/lock/LOCKNODE0000000000", "h:1", 0), BR_OK);
    server_ask_lock(other, "/lock", "h:9", &leads);
    while (conform_get(other, "/lock/LOCKNODE0000000001", NULL, NULL) != BR_OK)
        ck_assert(!leads.done);
    server_ask_lock(in, "/lock", "h:1", &lock);
    answer_init(&seen);
    store_owner(&in->plugin, "/lock", "", answer_take, &seen);
    answer_init(&none);
    struct br_call *call = store_owner(&in->plugin, "/no/lock", "", answer_take, &none);
    life_end_of(&seen);
    while (!leads.done && !lock.done)
        loop_turn(conform.loop);
    if (!leads.done) /* the leftover was not ours to delete, then */
        conform_write(other, BR_DELETE, "/lock/LOCKNODE0000000000", NULL, BR_ANY_VERSION);
    answer_wait(&leads);
    ck_assert_int_eq(leads.status, BR_OK);
    char *fence = arena_text(&leads.arena, leads.value.data, leads.value.size);
    answer_init(&unlock);
    store_unlock(&other->plugin, fence, PLUGIN_FOREVER, answer_take, &unlock);
    ck_assert_int_eq(life_end_of(&unlock), BR_OK);
    answer_done(&leads);
    answer_wait(&lock);
    if (lock.status == BR_OK) {
        fence = arena_text(&lock.arena, lock.value.data, lock.value.size);
        answer_init(&unlock);
        store_unlock(&in->plugin, fence, PLUGIN_FOREVER, answer_take, &unlock);
        life_end_of(&unlock);
    }
    answer_done(&lock);
    if (!none.done)
        store_cancel(&in->plugin, call);
    life_end_of(&none);
}

/* false: the life has fewer requests. */
static bool life_lived(long number, int way)
{
    struct answer start;
    char chroot[96], option[128];
    snprintf(chroot, sizeof chroot, "%s/%ld", conform.root, number);
    snprintf(option, sizeof option, "chroot=%s", chroot);
    proxy_fail(proxy, number, way);
    struct instance *in = life_begin(chroot, BR_SECOND, &start);
    ck_assert(start.status == BR_OK || start.text[0]);
    bool lives = start.status == BR_OK;
    answer_done(&start);
    struct instance *other = server_instance(option, NULL);
    if (lives) {
        life_write(in, other);
        life_elect(in, other);
    }
    instance_free(in);
    bool reached = proxy_reached(proxy);
    proxy_fail(proxy, 0, way);
    char *fence = server_lock(other, "/lock", "h:8"); /* nobody is left who could lead */
    free(fence);
    instance_free(other);
    return reached;
}

static const int ways[] = { PROXY_CUT_REQUEST, PROXY_CUT_REPLY, -ZNOAUTH, -ZTHROTTLEDOP,
                            -ZSESSIONEXPIRED };

START_TEST(every_request_fails)
{
    long number = 1;
    while (life_lived(number, ways[_i]))
        number++;
    ck_assert_int_gt(number, 15);
}
END_TEST

/* -- The session ------------------------------------------------------------------------------- */

static void expect_no_start(br_status status, const char *sentence)
{
    struct answer start;
    struct instance *in = life_begin(at("chroot"), 5 * BR_SECOND, &start);
    ck_assert_int_eq(start.status, status);
    ck_assert_msg(strstr(start.text, sentence) != NULL, "%s", start.text);
    answer_done(&start);
    instance_free(in);
}

START_TEST(auth_rejected_at_the_start)
{
    proxy_fail_auth(proxy);
    expect_no_start(BR_DENIED, "the server rejects auth");
}
END_TEST

/* Reconnecting, the server no longer knows us: the lock is lost, and a new session is tried. */
START_TEST(auth_rejected_later)
{
    struct answer start, lost;
    struct instance *in = life_begin(at("chroot"), 5 * BR_SECOND, &start);
    ck_assert_msg(start.status == BR_OK, "%s", start.text);
    answer_done(&start);
    char *fence = server_lock(in, "/lock", "h:1");
    server_ask_lost(in, fence, &lost);
    proxy_fail_auth(proxy);
    proxy_cut(proxy);
    answer_wait(&lost);
    ck_assert_int_eq(lost.status, BR_OK);
    answer_done(&lost);
    if (_i) { /* stopped while it waits for the next try, or used again */
        char *again = server_lock(in, "/lock", "h:1");
        ck_assert_str_ne(again, fence);
        free(again);
    }
    free(fence);
    instance_free(in);
}
END_TEST

/* A session for reading is rejected: what it was to read is read by the present one, which keeps
 * its lock; and no other is opened for a while. */
START_TEST(auth_of_a_reader_rejected)
{
    enum { READ = 300 };
    struct answer start, read, lost;
    const char *paths[READ];
    struct instance *in = life_begin(at("chroot"), 5 * BR_SECOND, &start);
    const struct zookeeper *zookeeper = in->plugin.owner.env.self;
    ck_assert_msg(start.status == BR_OK, "%s", start.text);
    answer_done(&start);
    char *fence = server_lock(in, "/lock", "h:1");
    server_ask_lost(in, fence, &lost);
    proxy_fail_auth(proxy);
    for (int i = 0; i < READ; i++)
        paths[i] = "/lock";
    for (int round = 0; round < 2; round++) {
        answer_init(&read);
        store_read(&in->plugin, paths, READ, NULL, PLUGIN_FOREVER, answer_take, &read);
        ck_assert_int_eq(life_end_of(&read), BR_OK);
        while (zookeeper->readers[0])
            loop_turn(conform.loop);
    }
    ck_assert(proxy_reached(proxy) && !lost.done);
    free(fence);
    instance_free(in);
    answer_done(&lost);
}
END_TEST

/* No descriptor is to be had for the session. */
START_TEST(no_session_to_be_had)
{
    struct rlimit before, none;
    struct answer start;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct instance *in = life_begin(at("chroot"), 5 * BR_SECOND, &start);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(start.status, BR_UNAVAILABLE);
    ck_assert_msg(strstr(start.text, "Too many open files") != NULL, "%s", start.text);
    answer_done(&start);
    instance_free(in);
}
END_TEST

/* What is asked between the session's end and the news of it, on a handle that takes nothing any
 * more: unavailable or gone, and a candidate stands in the next session. */
START_TEST(asked_behind_the_end)
{
    struct answer start, answers[3], lock, lost;
    struct instance *in = life_begin(at("chroot"), 5 * BR_SECOND, &start);
    const struct zookeeper *zookeeper = in->plugin.owner.env.self;
    const char *paths[] = { "/" };
    ck_assert_msg(start.status == BR_OK, "%s", start.text);
    answer_done(&start);
    char *fence = server_lock(in, "/lock", "h:1");
    server_ask_lost(in, fence, &lost);
    zhandle_t *handle = zookeeper->session->handle;
    server_end_session(in);
    while (zoo_state(handle) != ZOO_EXPIRED_SESSION_STATE)
        sched_yield(); /* no turn of the loop, which would tell */
    const struct br_write writes[] = { { .kind = BR_FENCE, .path = fence } };
    conform_issue(in, writes, 1, &answers[0]);
    answer_init(&answers[1]);
    store_read(&in->plugin, paths, 1, NULL, PLUGIN_FOREVER, answer_take, &answers[1]);
    answer_init(&answers[2]);
    store_list(&in->plugin, "/", PLUGIN_FOREVER, answer_take, &answers[2]);
    server_ask_lock(in, "/other", "h:1", &lock);
    for (int i = 0; i < 3; i++) {
        answer_wait(&answers[i]);
        ck_assert_int_eq(answers[i].status, BR_UNAVAILABLE);
        answer_done(&answers[i]);
    }
    ck_assert_int_eq(life_end_of(&lock), BR_OK);
    ck_assert_int_eq(life_end_of(&lost), BR_OK);
    free(fence);
    instance_free(in);
}
END_TEST

/* The words of errors that a server of today does not say to what we ask. */
START_TEST(rare_errors)
{
    static const struct {
        int rc;
        br_status read, write;
        const char *word;
    } rows[] = {
        { ZBADARGUMENTS, BR_INVALID, BR_INVALID, "bad arguments" },
        { ZUNIMPLEMENTED, BR_UNSUPPORTED, BR_UNSUPPORTED, "unimplemented" },
        { ZINVALIDSTATE, BR_UNAVAILABLE, BR_UNAVAILABLE, "not connected" },
        { ZNOTREADONLY, BR_UNAVAILABLE, BR_UNAVAILABLE, "" },
        { ZTHROTTLEDOP, BR_UNAVAILABLE, BR_UNAVAILABLE, "" },
        { ZOPERATIONTIMEOUT, BR_UNAVAILABLE, BR_UNKNOWN, "the server stopped answering" },
        { ZSYSTEMERROR, BR_UNAVAILABLE, BR_UNKNOWN, "" },
        { ZINVALIDACL, BR_DENIED, BR_DENIED, "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_int_eq(zookeeper_status(rows[i].rc, false), rows[i].read);
        ck_assert_int_eq(zookeeper_status(rows[i].rc, true), rows[i].write);
        ck_assert_msg(strstr(zookeeper_word(rows[i].rc), rows[i].word) != NULL, "%s",
                      zookeeper_word(rows[i].rc));
    }
    ck_assert_int_eq(zookeeper_lock_number("LOCKNODE99999999999999999999"), -1);
}
END_TEST

/* Without a chroot the root is a lock's path like any other. */
START_TEST(lock_of_the_root)
{
    struct answer owner;
    struct instance *in = server_instance(NULL, NULL);
    char *fence = server_lock(in, "/", "h:1");
    ck_assert_int_eq(strncmp(fence, "/LOCKNODE", 9), 0);
    answer_init(&owner);
    store_owner(&in->plugin, "/", "", answer_take, &owner);
    ck_assert_int_eq(life_end_of(&owner), BR_OK);
    const struct br_write writes[] = { { .kind = BR_FENCE, .path = fence } };
    ck_assert_int_eq(conform_commit(in, writes, 1), BR_OK);
    free(fence);
    instance_free(in);
}
END_TEST

TCase *zookeeper_proxy_case(void)
{
    TCase *tcase = server_case("proxy");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, every_request_fails, 0, (int) (sizeof ways / sizeof *ways));
    tcase_add_test(tcase, auth_rejected_at_the_start);
    tcase_add_loop_test(tcase, auth_rejected_later, 0, 2);
    tcase_add_test(tcase, auth_of_a_reader_rejected);
    tcase_add_test(tcase, no_session_to_be_had);
    tcase_add_test(tcase, asked_behind_the_end);
    tcase_add_test(tcase, rare_errors);
    tcase_add_test(tcase, lock_of_the_root);
    return tcase;
}
