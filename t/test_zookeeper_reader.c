/* test_zookeeper_reader -- the connections over which large reads are spread: opened when they are
 * wanted, closed when they are not, and whatever becomes of them, the read is answered.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "plugin/store_zookeeper.h"
#include "t/test_zookeeper.h"

enum { COUNT = 4000, FDS_MAX = 1024 };

struct crowd {
    struct instance *in;
    const struct zookeeper *zookeeper;
    const char **paths; /* COUNT of one node each; every third is not there */
    struct answer answer;
};

static void crowd_make(struct crowd *crowd, struct instance *in)
{
    struct br_write *writes = mem_array(COUNT + 1, sizeof *writes);
    uint32_t count = 0;
    *crowd = (struct crowd){ .in = in, .zookeeper = in->plugin.owner.env.self };
    crowd->paths = mem_array(COUNT, sizeof *crowd->paths);
    writes[count++] = (struct br_write){ .kind = BR_CREATE, .path = conform.root };
    for (uint32_t i = 0; i < COUNT; i++) {
        const char *path = crowd->paths[i] = mem_text(at("%u", i));
        if (i % 3)
            writes[count++] = (struct br_write){ .kind = BR_CREATE,
                                                 .path = path,
                                                 .value = { path, strlen(path) } };
    }
    ck_assert_int_eq(conform_commit(in, writes, count), BR_OK);
    free(writes);
}

static void crowd_free(struct crowd *crowd)
{
    for (uint32_t i = 0; i < COUNT; i++)
        free((void *) (uintptr_t) crowd->paths[i]);
    free(crowd->paths);
}

static void crowd_ask(struct crowd *crowd)
{
    answer_init(&crowd->answer);
    store_read(&crowd->in->plugin, crowd->paths, COUNT, NULL, PLUGIN_FOREVER, answer_take,
               &crowd->answer);
}

static void crowd_check(struct crowd *crowd)
{
    struct br_value room;
    answer_wait(&crowd->answer);
    ck_assert_msg(crowd->answer.status == BR_OK, "%s", crowd->answer.text);
    ck_assert_uint_eq(crowd->answer.chunks->count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        const struct br_value *row = call_row(crowd->answer.chunks, i, &room, sizeof room);
        ck_assert_int_eq(row->status, i % 3 ? BR_OK : BR_NOTFOUND);
        ck_assert_uint_eq(row->value.size, i % 3 ? strlen(crowd->paths[i]) : 0);
        if (row->value.size)
            ck_assert_mem_eq(row->value.data, crowd->paths[i], row->value.size);
    }
    answer_done(&crowd->answer);
}

static void crowd_read(struct crowd *crowd)
{
    crowd_ask(crowd);
    crowd_check(crowd);
}

static uint32_t readers_open(const struct crowd *crowd, bool up)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ZOOKEEPER_READERS_MAX; i++) {
        const struct zookeeper_session *reader = crowd->zookeeper->readers[i];
        count += reader && (!up || reader->up);
    }
    return count;
}

/* Until so many are up. */
static void readers_wait(const struct crowd *crowd, uint32_t count)
{
    br_time until = loop_now(conform.loop) + (br_time) conform.patience * BR_SECOND;
    while (readers_open(crowd, true) != count) {
        ck_assert_msg(loop_now(conform.loop) < until, "%u readers are up, not %u",
                      readers_open(crowd, true), count);
        loop_turn(conform.loop);
    }
}

/* -- Our ends of the connections to the server --------------------------------------------------
 */

static uint16_t server_port(void)
{
    return (uint16_t) strtoul(strrchr(getenv("ZK_HOSTS"), ':') + 1, NULL, 10);
}

static void fds_mark(bool marks[FDS_MAX])
{
    for (int fd = 0; fd < FDS_MAX; fd++) {
        struct sockaddr_in peer = { 0 };
        socklen_t size = sizeof peer;
        marks[fd] = getpeername(fd, (struct sockaddr *) &peer, &size) == 0
                    && peer.sin_family == AF_INET && ntohs(peer.sin_port) == server_port();
    }
}

/* Cut up to `most` connections that are marked, and are not among `spared` (NULL: none is). */
static uint32_t fds_cut(const bool marks[FDS_MAX], const bool *spared, uint32_t most)
{
    uint32_t count = 0;
    for (int fd = 0; fd < FDS_MAX && count < most; fd++) {
        if (!marks[fd] || (spared && spared[fd]))
            continue;
        ck_assert_int_eq(shutdown(fd, SHUT_RDWR), 0);
        count++;
    }
    return count;
}

/* -- Spread --------------------------------------------------------------------------------------
 */

/* All of them take part, and nothing is left for the present session; it is the first large read
 * that opens them, a small one does not. */
START_TEST(reads_are_spread)
{
    struct crowd crowd;
    struct buf hosts = { 0 };
    char option[32];
    buf_printf(&hosts, "hosts=127.0.0.1:1,%s", getenv("ZK_HOSTS"));
    snprintf(option, sizeof option, "read_connections=%d", _i);
    crowd_make(&crowd, server_instance(hosts.data, option, "auth=me:right", "acl=creator", NULL));
    ck_assert_int_eq(conform_get(crowd.in, conform.root, NULL, NULL), BR_OK);
    ck_assert_uint_eq(readers_open(&crowd, false), 0);
    crowd_read(&crowd);
    ck_assert_uint_eq(readers_open(&crowd, false), (uint32_t) _i);
    readers_wait(&crowd, (uint32_t) _i);
    crowd_ask(&crowd);
    for (int i = 0; i < _i; i++) {
        ck_assert_uint_gt(crowd.zookeeper->readers[i]->parts, 0);
        ck_assert_str_eq(crowd.zookeeper->readers[i]->hosts, getenv("ZK_HOSTS"));
    }
    for (; !crowd.answer.done; loop_turn(conform.loop))
        ck_assert(_i == 0 || crowd.zookeeper->session->parts == 0);
    crowd_check(&crowd);
    crowd_free(&crowd);
    buf_done(&hosts);
    instance_free(crowd.in);
}
END_TEST

START_TEST(idle_readers_are_closed)
{
    struct crowd crowd;
    crowd_make(&crowd, server_instance("read_connections=2", NULL));
    crowd_read(&crowd);
    readers_wait(&crowd, 2);
    readers_wait(&crowd, 0);
    ck_assert_uint_eq(readers_open(&crowd, false), 0);
    while (crowd.zookeeper->sessions > 1) /* and freed */
        loop_turn(conform.loop);
    crowd_read(&crowd);
    readers_wait(&crowd, 2);
    crowd_free(&crowd);
    instance_free(crowd.in);
}
END_TEST

/* -- Deaths --------------------------------------------------------------------------------------
 */

/* So many of four are cut while their answers are outstanding: what they were to read is read over
 * the present session, which notices nothing. */
START_TEST(readers_die_in_mid_read)
{
    struct crowd crowd;
    bool before[FDS_MAX], marks[FDS_MAX];
    crowd_make(&crowd, server_instance("read_connections=4", NULL));
    fds_mark(before);
    crowd_read(&crowd);
    readers_wait(&crowd, 4);
    fds_mark(marks);
    const struct zookeeper_session *session = crowd.zookeeper->session;
    server_pause();
    crowd_ask(&crowd);
    ck_assert_uint_eq(fds_cut(marks, before, (uint32_t) _i), (uint32_t) _i);
    readers_wait(&crowd, 4 - (uint32_t) _i);
    while (crowd.zookeeper->session->parts == 0)
        loop_turn(conform.loop);
    ck_assert(!crowd.answer.done);
    server_continue();
    crowd_check(&crowd);
    ck_assert_ptr_eq(crowd.zookeeper->session, session);
    ck_assert(session->up);
    crowd_free(&crowd);
    instance_free(crowd.in);
}
END_TEST

/* The session of one is ended by the server: it is replaced, a moment later. */
START_TEST(dead_reader_is_replaced)
{
    struct crowd crowd;
    crowd_make(&crowd, server_instance("read_connections=2", NULL));
    crowd_read(&crowd);
    readers_wait(&crowd, 2);
    server_end_reader(crowd.in, 1);
    readers_wait(&crowd, 1);
    ck_assert_ptr_null(crowd.zookeeper->readers[1]);
    while (!crowd.zookeeper->readers[1])
        crowd_read(&crowd);
    readers_wait(&crowd, 2);
    crowd_read(&crowd);
    crowd_free(&crowd);
    instance_free(crowd.in);
}
END_TEST

/* The present session's connection is cut, the readers' are not: they are closed with it, for they
 * might read behind what the next connection has seen. */
START_TEST(readers_go_with_the_session)
{
    struct crowd crowd;
    bool before[FDS_MAX];
    crowd_make(&crowd, server_instance("read_connections=3", NULL));
    fds_mark(before);
    crowd_read(&crowd);
    readers_wait(&crowd, 3);
    server_pause();
    crowd_ask(&crowd);
    ck_assert_uint_eq(fds_cut(before, NULL, 1), 1);
    while (crowd.zookeeper->session->up) {
        ck_assert_uint_eq(readers_open(&crowd, true), 3);
        loop_turn(conform.loop);
    }
    ck_assert_uint_eq(readers_open(&crowd, false), 0);
    server_continue();
    answer_wait(&crowd.answer);
    ck_assert(crowd.answer.status == BR_UNAVAILABLE || crowd.answer.status == BR_OK);
    answer_done(&crowd.answer);
    while (!crowd.zookeeper->session->up)
        loop_turn(conform.loop);
    crowd_read(&crowd);
    readers_wait(&crowd, 3);
    crowd_read(&crowd);
    crowd_free(&crowd);
    instance_free(crowd.in);
}
END_TEST

/* With reads on all of them outstanding, and while they are being opened. */
START_TEST(stop_with_readers)
{
    struct crowd crowd;
    struct answer stop;
    crowd_make(&crowd, server_instance("read_connections=4", NULL));
    if (_i) {
        crowd_read(&crowd);
        readers_wait(&crowd, 4);
    }
    server_pause();
    crowd_ask(&crowd);
    ck_assert_uint_eq(readers_open(&crowd, false), 4);
    answer_init(&stop);
    plugin_stop(&crowd.in->plugin, PLUGIN_FOREVER, answer_take, &stop);
    answer_wait(&stop);
    ck_assert_int_eq(stop.status, BR_OK);
    ck_assert(crowd.answer.done);
    ck_assert_int_eq(crowd.answer.status, BR_UNAVAILABLE);
    answer_done(&crowd.answer);
    answer_done(&stop);
    server_continue();
    crowd_free(&crowd);
    plugin_close(&crowd.in->plugin);
    arena_done(&crowd.in->arena);
    free(crowd.in);
}
END_TEST

TCase *zookeeper_reader_case(void)
{
    TCase *tcase = server_case("reader");
    tcase_add_loop_test(tcase, reads_are_spread, 0, 4);
    tcase_add_test(tcase, idle_readers_are_closed);
    tcase_add_loop_test(tcase, readers_die_in_mid_read, 1, 5);
    tcase_add_test(tcase, dead_reader_is_replaced);
    tcase_add_test(tcase, readers_go_with_the_session);
    tcase_add_loop_test(tcase, stop_with_readers, 0, 2);
    return tcase;
}
