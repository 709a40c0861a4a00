/* zookeeper_proxy -- see zookeeper_proxy.h.  Frames of ZooKeeper (zookeeper.jute): a length of four
 * bytes, then of a request its xid and type, of an answer its xid, zxid and error.
 */
#include "t/zookeeper_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/base/buf.h"
#include "host/base/mem.h"
#include "t/test.h"

#define LINKS_MAX       64
#define TYPE_EXISTS     3
#define TYPE_PING       11
#define TYPE_MULTI      14
#define TYPE_AUTH       100
#define XID_AUTH        -4
#define AUTH_FAILED     115
#define SESSION_EXPIRED 112 /* is answered once, and the connection ends */

struct link {
    int client, server; /* -1: no link */
    struct buf requests, replies;
    bool begun;   /* the request that begins the session is through */
    bool answers; /* and its answer */
    bool marked;  /* the answer to this xid is to fail */
    int32_t xid;
};

struct proxy {
    pthread_t thread;
    int listener, port;
    int wake[2];
    struct link links[LINKS_MAX];
    atomic_long left; /* requests until the one that fails; 0: none */
    atomic_int way;
    atomic_bool auth, reached, cut, stops;
};

/* -- Frames ----------------------------------------------------------------------------------- */

static int32_t frame_i32(const char *at)
{
    uint32_t number;
    memcpy(&number, at, sizeof number);
    return (int32_t) ntohl(number);
}

static void frame_put(char *at, int32_t number)
{
    uint32_t net = htonl((uint32_t) number);
    memcpy(at, &net, sizeof net);
}

/* The bytes of the frame at the front, its length included; 0: not whole yet. */
static size_t frame_size(const struct buf *buf)
{
    if (buf->size < 4)
        return 0;
    size_t size = 4 + (size_t) frame_i32(buf->data);
    return buf->size < size ? 0 : size;
}

static void frame_drop(struct buf *buf, size_t size)
{
    memmove(buf->data, buf->data + size, buf->size - size);
    buf->size -= size;
}

static void link_close(struct link *link)
{
    close(link->client);
    close(link->server);
    buf_done(&link->requests);
    buf_done(&link->replies);
    *link = (struct link){ .client = -1, .server = -1 };
}

static bool link_send(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data += sent;
        size -= (size_t) sent;
    }
    return true;
}

/* -- One request, one answer ------------------------------------------------------------------ */

/* Is this the one? */
static bool proxy_hits(struct proxy *proxy, bool begins, int32_t type)
{
    if (!begins && type == TYPE_PING)
        return false;
    if (!begins && type == TYPE_AUTH && atomic_exchange(&proxy->auth, false))
        return true;
    long left = proxy->left;
    if (left > 0)
        proxy->left = left - 1;
    return left == 1;
}

/* In the place of a request that must not happen: whether "/" exists. */
static bool link_ask_nothing(const struct link *link)
{
    char frame[4 + 4 + 4 + 4 + 1 + 1] = { 0 };
    frame_put(frame, (int32_t) sizeof frame - 4);
    frame_put(frame + 4, link->xid);
    frame_put(frame + 8, TYPE_EXISTS);
    frame_put(frame + 12, 1);
    frame[16] = '/';
    return link_send(link->server, frame, sizeof frame);
}

/* false: the link ends. */
static bool link_request(struct proxy *proxy, struct link *link, const char *frame, size_t size)
{
    bool begins = !link->begun;
    int32_t type = begins ? 0 : frame_i32(frame + 8);
    link->begun = true;
    if (!proxy_hits(proxy, begins, type))
        return link_send(link->server, frame, size);
    proxy->reached = true;
    int way = type == TYPE_AUTH && proxy->way > 0 ? AUTH_FAILED : proxy->way;
    if (way > 0 && (begins || type == TYPE_MULTI))
        return link_send(link->server, frame, size);
    if (way == PROXY_CUT_REQUEST)
        return false;
    link->marked = true;
    link->xid = begins ? 0 : frame_i32(frame + 4);
    return way > 0 ? link_ask_nothing(link) : link_send(link->server, frame, size);
}

static bool link_reply(struct proxy *proxy, struct link *link, char *frame, size_t size)
{
    bool begins = !link->answers;
    link->answers = true;
    if (!link->marked || (!begins && frame_i32(frame + 4) != link->xid))
        return link_send(link->client, frame, size);
    int way = link->xid == XID_AUTH && proxy->way > 0 ? AUTH_FAILED : proxy->way;
    if (way <= 0)
        return false;
    link->marked = false;
    frame_put(frame, 16);
    frame_put(frame + 16, -way);
    return link_send(link->client, frame, 4 + 16) && way != SESSION_EXPIRED;
}

/* What came from one side goes to the other, frame by frame. */
static bool link_pass(struct proxy *proxy, struct link *link, bool from_client)
{
    char some[65536];
    struct buf *buf = from_client ? &link->requests : &link->replies;
    ssize_t got = recv(from_client ? link->client : link->server, some, sizeof some, 0);
    if (got <= 0)
        return false;
    buf_put(buf, some, (size_t) got);
    for (size_t size; (size = frame_size(buf)) > 0; frame_drop(buf, size)) {
        if (from_client ? !link_request(proxy, link, buf->data, size)
                        : !link_reply(proxy, link, buf->data, size))
            return false;
    }
    return true;
}

/* -- The thread ------------------------------------------------------------------------------- */

static int proxy_connect(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin_port = htons((uint16_t) strtoul(strchr(getenv("ZK_HOSTS"), ':') + 1, NULL, 10));
    if (connect(fd, (struct sockaddr *) &to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

static void proxy_accept(struct proxy *proxy)
{
    struct link *link = proxy->links;
    int on = 1, client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
    while (link < proxy->links + LINKS_MAX - 1 && link->client >= 0)
        link++;
    int server = client < 0 || link->client >= 0 ? -1 : proxy_connect();
    if (server < 0) {
        close(client);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *link = (struct link){ .client = client, .server = server };
}

static void proxy_turn(struct proxy *proxy)
{
    struct pollfd fds[2 + 2 * LINKS_MAX];
    char byte;
    fds[0] = (struct pollfd){ .fd = proxy->wake[0], .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = proxy->listener, .events = POLLIN };
    for (int i = 0; i < LINKS_MAX; i++) {
        fds[2 + 2 * i] = (struct pollfd){ .fd = proxy->links[i].client, .events = POLLIN };
        fds[3 + 2 * i] = (struct pollfd){ .fd = proxy->links[i].server, .events = POLLIN };
    }
    if (poll(fds, 2 + 2 * LINKS_MAX, -1) < 0)
        return;
    if (fds[0].revents && read(proxy->wake[0], &byte, 1) != 1)
        return;
    bool cut = atomic_exchange(&proxy->cut, false);
    for (int i = 0; i < LINKS_MAX; i++) {
        struct link *link = &proxy->links[i];
        bool whole = !cut;
        if (link->client < 0)
            continue;
        if (whole && fds[2 + 2 * i].revents)
            whole = link_pass(proxy, link, true);
        if (whole && fds[3 + 2 * i].revents)
            whole = link_pass(proxy, link, false);
        if (!whole)
            link_close(link);
    }
    if (fds[1].revents)
        proxy_accept(proxy);
}

static void *proxy_run(void *arg)
{
    struct proxy *proxy = arg;
    while (!proxy->stops)
        proxy_turn(proxy);
    for (int i = 0; i < LINKS_MAX; i++)
        if (proxy->links[i].client >= 0)
            link_close(&proxy->links[i]);
    return NULL;
}

/* -- What a test does ------------------------------------------------------------------------- */

static void proxy_wake(struct proxy *proxy)
{
    ck_assert_int_eq(write(proxy->wake[1], "", 1), 1);
}

struct proxy *proxy_start(void)
{
    struct proxy *proxy = mem_new(sizeof *proxy);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(proxy->listener, (struct sockaddr *) &at, size), 0);
    ck_assert_int_eq(listen(proxy->listener, LINKS_MAX), 0);
    ck_assert_int_eq(getsockname(proxy->listener, (struct sockaddr *) &at, &size), 0);
    proxy->port = ntohs(at.sin_port);
    for (int i = 0; i < LINKS_MAX; i++)
        proxy->links[i].client = proxy->links[i].server = -1;
    ck_assert_int_eq(pipe(proxy->wake), 0);
    ck_assert_int_eq(pthread_create(&proxy->thread, NULL, proxy_run, proxy), 0);
    return proxy;
}

void proxy_stop(struct proxy *proxy)
{
    proxy->stops = true;
    proxy_wake(proxy);
    pthread_join(proxy->thread, NULL);
    close(proxy->listener);
    close(proxy->wake[0]);
    close(proxy->wake[1]);
    free(proxy);
}

uint16_t proxy_port(const struct proxy *proxy)
{
    return (uint16_t) proxy->port;
}

void proxy_fail(struct proxy *proxy, long number, int way)
{
    proxy->reached = false;
    proxy->way = way;
    proxy->left = number;
}

void proxy_fail_auth(struct proxy *proxy)
{
    proxy->reached = false;
    proxy->way = AUTH_FAILED;
    proxy->auth = true;
}

bool proxy_reached(const struct proxy *proxy)
{
    return proxy->reached;
}

void proxy_cut(struct proxy *proxy)
{
    proxy->cut = true;
    proxy_wake(proxy);
}
