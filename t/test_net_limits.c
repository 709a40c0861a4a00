/* Servers: every limit is reached. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host/base/mem.h"
#include "t/net.h"

START_TEST(limit_body)
{
    struct net net;
    struct site site = { .options.body_max = 100000 };
    struct raw raw;
    struct buf out = { 0 }, body = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    raw_connect(&raw, &net, site.address);
    for (int i = 0; i < 100000; i++)
        buf_char(&body, 'x');
    net_request(&out, 1, body.data);
    raw_send(&raw, out.data, out.size);
    NET_UNTIL(&net, net_frames(&raw.in) == 1);
    ck_assert_int_eq(site.lines, 0);
    buf_char(&body, 'x');
    buf_clear(&out);
    net_request(&out, 2, body.data);
    raw_send(&raw, out.data, RDSN_HEADER_SIZE);
    NET_UNTIL(&net, raw.ended);
    ck_assert_int_eq(site.lines, 1);
    ck_assert_int_eq(site.requests, 1);
    raw_close(&raw);
    site_close(&site);
    buf_done(&out);
    buf_done(&body);
    net_close(&net);
}
END_TEST

START_TEST(limit_connections)
{
    struct net net;
    struct site site = { .options.connections_max = 2 };
    struct raw raws[4];
    struct buf out = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    net_request(&out, 1, "hello");
    for (int i = 0; i < 2; i++) {
        raw_connect(&raws[i], &net, site.address);
        raw_send(&raws[i], out.data, out.size);
        NET_UNTIL(&net, net_frames(&raws[i].in) == 1);
    }
    raw_connect(&raws[2], &net, site.address);
    NET_UNTIL(&net, raws[2].ended);
    ck_assert_int_eq(site.lines, 1);
    ck_assert_ptr_nonnull(strstr(site.text.data, "there are 2 already"));
    static const char junk[RDSN_HEADER_SIZE]; /* the server closes it */
    raw_send(&raws[0], junk, sizeof junk);
    NET_UNTIL(&net, raws[0].ended);
    raw_connect(&raws[3], &net, site.address);
    raw_send(&raws[3], out.data, out.size);
    NET_UNTIL(&net, net_frames(&raws[3].in) == 1);
    for (int i = 0; i < 4; i++)
        raw_close(&raws[i]);
    site_close(&site);
    buf_done(&out);
    net_close(&net);
}
END_TEST

/* Requests handed out so far, when everything that was sent has been seen: others were served
 * several times meanwhile. */
static void limit_settle(struct net *net, struct site *site)
{
    enum site_mode mode = site->mode;
    struct raw raw;
    struct buf out = { 0 };
    int requests = site->requests;
    site->mode = SITE_ECHO;
    raw_connect(&raw, net, site->address);
    net_request(&out, 1, "are you there");
    for (int i = 1; i <= 20; i++) {
        raw_send(&raw, out.data, out.size);
        NET_UNTIL(net, net_frames(&raw.in) == i);
    }
    ck_assert_int_eq(site->requests, requests + 20);
    site->requests = requests;
    site->mode = mode;
    raw_close(&raw);
    buf_done(&out);
}

START_TEST(limit_pending)
{
    struct net net;
    struct site site = { .options.pending_max = 4 };
    struct raw raw;
    struct buf out = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_HOLD);
    raw_connect(&raw, &net, site.address);
    for (uint64_t id = 1; id <= 10; id++)
        net_request(&out, id, "held");
    raw_send(&raw, out.data, out.size);
    NET_UNTIL(&net, site.held_count == 4);
    limit_settle(&net, &site);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(site.held_count, i + 4 < 10 ? i + 4 : 10);
        rdsn_server_reply(site.held[i], "ERR_OK", site.held[i]->body);
        site.held[i] = NULL;
        NET_UNTIL(&net, site.held_count >= (i + 5 < 10 ? i + 5 : 10));
    }
    NET_UNTIL(&net, net_frames(&raw.in) == 10);
    raw_close(&raw);
    site_close(&site);
    buf_done(&out);
    net_close(&net);
}
END_TEST

/* Who is silent is closed; who waits for an answer of ours is not. */
/* Few requests, but large ones: their bodies are held until they are answered. */
START_TEST(limit_held)
{
    enum { BODY_MAX = 65536, BODY = 40000, COUNT = 6 };
    struct net net;
    struct raw raw;
    struct site site = { .options.body_max = BODY_MAX };
    struct buf out = { 0 };
    char *body = mem_new(BODY + 1);
    memset(body, 'x', BODY);
    net_open(&net);
    site_open(&site, &net, SITE_HOLD);
    raw_connect(&raw, &net, site.address);
    for (int i = 0; i < COUNT; i++)
        net_request(&out, (uint64_t) i + 1, body);
    raw_send(&raw, out.data, out.size);
    for (int answered = 0; answered < COUNT; answered++) {
        NET_UNTIL(&net, site.held_count > 0 && (site.held_count == 2 || site.requests == COUNT));
        event_base_loop(net.base, EVLOOP_NONBLOCK);
        ck_assert_int_le(site.held_count, 2); /* the second one went over the limit */
        rdsn_server_reply(site.held[--site.held_count], "ERR_OK", (br_bytes){ NULL, 0 });
    }
    NET_UNTIL(&net, net_frames(&raw.in) == COUNT);
    free(body);
    buf_done(&out);
    raw_close(&raw);
    site_close(&site);
    net_close(&net);
}
END_TEST

START_TEST(limit_idle)
{
    struct net net;
    struct site site = { .options.idle = 100 * BR_MILLISECOND };
    struct raw waiting, silent;
    struct buf out = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_HOLD);
    raw_connect(&waiting, &net, site.address);
    net_request(&out, 1, "a long job");
    raw_send(&waiting, out.data, out.size);
    NET_UNTIL(&net, site.held_count == 1);
    for (int i = 0; i < 2; i++) {
        raw_connect(&silent, &net, site.address);
        NET_UNTIL(&net, silent.ended);
        raw_close(&silent);
    }
    ck_assert(!waiting.ended);
    rdsn_server_reply(site.held[0], "ERR_OK", site.held[0]->body);
    site.held_count = 0;
    NET_UNTIL(&net, net_frames(&waiting.in) == 1);
    NET_UNTIL(&net, waiting.ended);
    raw_close(&waiting);
    site_close(&site);
    buf_done(&out);
    net_close(&net);
}
END_TEST

/* A slow reader is not read from either: memory stays at one answer over the mark. */
START_TEST(limit_slow_reader_pauses)
{
    enum { COUNT = 64, SIZE = 1 << 20 };
    struct net net;
    struct site site = { .error = "ERR_OK" };
    struct raw raw;
    struct buf out = { 0 };
    net_open(&net);
    buf_reserve(&site.body, SIZE);
    memset(site.body.data, 'x', SIZE);
    site.body.size = SIZE;
    site_open(&site, &net, SITE_ANSWER);
    raw_connect(&raw, &net, site.address);
    raw_quiet(&raw);
    for (uint64_t id = 1; id <= COUNT; id++)
        net_request(&out, id, "much, please");
    raw_send(&raw, out.data, out.size);
    NET_UNTIL(&net, site.requests > 0);
    int before;
    do {
        before = site.requests;
        struct buf one = { 0 };
        struct raw other;
        raw_connect(&other, &net, site.address);
        net_request(&one, 1, "me too");
        raw_send(&other, one.data, one.size);
        NET_UNTIL(&net, other.in.size > SIZE);
        raw_close(&other);
        buf_done(&one);
    } while (site.requests != before + 1);
    ck_assert_int_lt(site.requests, COUNT / 2);
    raw_listen(&raw);
    NET_UNTIL(&net, raw.in.size == (size_t) COUNT * (RDSN_HEADER_SIZE + SIZE));
    ck_assert_int_eq(site.lines, 0);
    raw_close(&raw);
    site_close(&site);
    buf_done(&out);
    net_close(&net);
}
END_TEST

START_TEST(limit_output)
{
    enum { COUNT = 64, SIZE = 1 << 20 };
    struct net net;
    struct site site = { .options.output_max = 8 << 20 };
    struct raw raw;
    struct buf out = { 0 }, body = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_HOLD);
    raw_connect(&raw, &net, site.address);
    raw_quiet(&raw);
    for (uint64_t id = 1; id <= COUNT; id++)
        net_request(&out, id, "much, please");
    raw_send(&raw, out.data, out.size);
    NET_UNTIL(&net, site.held_count == COUNT);
    buf_reserve(&body, SIZE);
    memset(body.data, 'x', SIZE);
    body.size = SIZE;
    for (int i = 0; i < COUNT; i++)
        rdsn_server_reply(site.held[i], "ERR_OK", buf_bytes(&body));
    site.held_count = 0;
    ck_assert_int_eq(site.lines, 1);
    ck_assert_ptr_nonnull(strstr(site.text.data, "does not read its answers"));
    raw_listen(&raw);
    NET_UNTIL(&net, raw.ended);
    raw_close(&raw);
    site_close(&site);
    buf_done(&out);
    buf_done(&body);
    net_close(&net);
}
END_TEST

/* Out of descriptors: the waiting connection is taken when one of ours is closed. */
START_TEST(limit_descriptors)
{
    struct net net;
    struct site site = { 0 };
    struct raw raw, waiting;
    struct buf out = { 0 };
    struct rlimit limit, before;
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    net_request(&out, 1, "hello");
    raw_connect(&raw, &net, site.address);
    raw_send(&raw, out.data, out.size);
    NET_UNTIL(&net, net_frames(&raw.in) == 1);
    raw_connect(&waiting, &net, site.address);
    int free_fd = open("/dev/null", O_RDONLY);
    close(free_fd);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t) free_fd;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    NET_UNTIL(&net, site.lines == 1);
    ck_assert_ptr_nonnull(strstr(site.text.data, "cannot accept a connection"));
    raw_close(&raw);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    raw_send(&waiting, out.data, out.size);
    NET_UNTIL(&net, net_frames(&waiting.in) == 1 || waiting.ended);
    if (waiting.ended) { /* valgrind closes what it refuses; whoever comes now is served */
        raw_close(&waiting);
        raw_connect(&waiting, &net, site.address);
        raw_send(&waiting, out.data, out.size);
        NET_UNTIL(&net, net_frames(&waiting.in) == 1);
    }
    raw_close(&waiting);
    site_close(&site);
    buf_done(&out);
    net_close(&net);
}
END_TEST

/* Lines that a stranger can cause are bounded, and what was left out is told. */
START_TEST(limit_events)
{
    struct net net;
    struct site site = { 0 };
    net_open(&net);
    site_open(&site, &net, SITE_ECHO);
    for (int i = 0; i < 3000 && !strstr(buf_string(&site.text), "further lines"); i++) {
        struct raw raw;
        raw_connect(&raw, &net, site.address);
        raw_send(&raw, "nonsense", 8);
        NET_UNTIL(&net, raw.ended);
        raw_close(&raw);
        ck_assert_int_le(site.lines, i + 2);
    }
    /* Either all of them came in one second, or a later one told of those left out. */
    ck_assert(site.lines == SERVER_EVENTS_MAX || strstr(site.text.data, "further lines"));
    site_close(&site);
    net_close(&net);
}
END_TEST

TCase *net_limits_case(void)
{
    TCase *tcase = tcase_create("limits");
    tcase_set_timeout(tcase, NET_TIMEOUT);
    tcase_add_test(tcase, limit_body);
    tcase_add_test(tcase, limit_connections);
    tcase_add_test(tcase, limit_pending);
    tcase_add_test(tcase, limit_held);
    tcase_add_test(tcase, limit_idle);
    tcase_add_test(tcase, limit_slow_reader_pauses);
    tcase_add_test(tcase, limit_output);
    tcase_add_test(tcase, limit_descriptors);
    tcase_add_test(tcase, limit_events);
    return tcase;
}
