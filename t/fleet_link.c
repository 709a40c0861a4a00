/* fleet_link -- one connection a server, from its own address, and one listener for all of them:
 * 127.0.0.0/8 is this machine, whatever stands behind the 127.
 */
#include "t/fleet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINK_READ   65536 /* bytes of one read */
#define LINK_KEEP   65536 /* bytes of memory that an idle connection keeps */
#define LINK_EVENTS 256   /* taken at once */
#define LINK_BODY   FRAME_BODY_MAX

_Noreturn static void link_stop(const char *what)
{
    fprintf(stderr, "fleet: %s: %s\n", what, strerror(errno));
    exit(2);
}

static struct sockaddr_in link_address(uint64_t address, uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl((uint32_t) (address >> 32)),
                                 .sin_port = htons(port) };
}

static void link_watch(struct fleet *fleet, int fd, int operation, uint32_t events, void *pointer)
{
    struct epoll_event event = { .events = events, .data.ptr = pointer };
    if (epoll_ctl(fleet->epoll, operation, fd, &event) != 0)
        link_stop("epoll");
}

/* -- Whoever calls the servers: proposals, which are one-way, and nothing else
 * ---------------------
 */

struct caller {
    struct fleet *fleet;
    int fd;
    struct buf in;
};

void fleet_listen(struct fleet *fleet)
{
    struct sockaddr_in address = link_address(0, SYNTHETIC_PORT);
    int one = 1;
    fleet->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fleet->listener < 0
        || setsockopt(fleet->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0
        || bind(fleet->listener, (struct sockaddr *) &address, sizeof address) != 0
        || listen(fleet->listener, SOMAXCONN) != 0)
        link_stop("listening on the replica servers' port");
    link_watch(fleet, fleet->listener, EPOLL_CTL_ADD, EPOLLIN, NULL);
}

static void caller_accept(struct fleet *fleet)
{
    int fd;
    while ((fd = accept4(fleet->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct caller *caller = mem_new(sizeof *caller);
        *caller = (struct caller){ .fleet = fleet, .fd = fd };
        /* The lowest bit tells a caller from a server. */
        link_watch(fleet, fd, EPOLL_CTL_ADD, EPOLLIN, (char *) caller + 1);
    }
}

/* -- Frames
 * ---------------------------------------------------------------------------------------- */

typedef void frame_taker(void *who, const struct frame *frame);

/* NULL, or what is wrong with the stream. */
static const char *link_frames(struct buf *in, frame_taker *take, void *who, struct fail *fail)
{
    size_t at = 0, need;
    struct frame frame;
    br_status status = BR_OK;
    while (at < in->size) {
        br_bytes rest = { in->data + at, in->size - at };
        status = frame_parse(rest, FRAMING_RDSN, LINK_BODY, &frame, &need, fail);
        if (status != BR_OK)
            break;
        take(who, &frame);
        at += frame.size;
    }
    if (status != BR_OK && status != BR_UNAVAILABLE)
        return fail->text;
    if (at == in->size && in->cap > LINK_KEEP) {
        buf_done(in);
    } else if (at > 0) {
        memmove(in->data, in->data + at, in->size - at);
        in->size -= at;
    }
    if (status == BR_UNAVAILABLE && need > in->cap)
        buf_reserve(in, need - in->size);
    return NULL;
}

/* false: the other side has closed. */
static bool link_read(int fd, struct buf *in)
{
    for (;;) {
        buf_reserve(in, LINK_READ);
        size_t room = in->cap - in->size - 1;
        ssize_t got = recv(fd, in->data + in->size, room, 0);
        if (got > 0)
            in->size += (size_t) got;
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (got < (ssize_t) room)
            return true;
    }
}

static void caller_frame(void *who, const struct frame *frame)
{
    struct caller *caller = who;
    if (strcmp(frame->header.rpc_name, "RPC_CONFIG_PROPOSAL") == 0)
        caller->fleet->count.proposals++;
    else
        fleet_wrong(caller->fleet, "a server is asked %s", frame->header.rpc_name);
}

static void caller_ready(struct caller *caller)
{
    struct fail fail;
    bool open = link_read(caller->fd, &caller->in);
    if (link_frames(&caller->in, caller_frame, caller, &fail))
        open = false;
    if (open)
        return;
    close(caller->fd);
    buf_done(&caller->in);
    free(caller);
}

/* -- The servers' own connections
 * -------------------------------------------------------------------
 */

void fleet_connect(struct fleet_server *server)
{
    struct fleet *fleet = server->fleet;
    struct sockaddr_in own = link_address(server->address, 0);
    struct sockaddr_in meta = link_address(fleet->meta, address_port(fleet->meta));
    int one = 1;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->fd < 0 || bind(server->fd, (struct sockaddr *) &own, sizeof own) != 0
        || setsockopt(server->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0
        || (connect(server->fd, (struct sockaddr *) &meta, sizeof meta) != 0
            && errno != EINPROGRESS))
        link_stop(server->name);
    server->writing = true;
    link_watch(fleet, server->fd, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT, server);
}

static void server_lost(struct fleet_server *server, const char *why)
{
    fleet_wrong(server->fleet, "%s: its connection is lost: %s", server->name, why);
    close(server->fd);
    server->fd = -1;
    server->connected = false;
    server->out_at = 0;
    server->beacon_id = server->sync_id = 0;
    buf_done(&server->in);
    buf_done(&server->out);
}

void fleet_flush(struct fleet_server *server)
{
    while (server->connected && server->out_at < server->out.size) {
        ssize_t sent = send(server->fd, server->out.data + server->out_at,
                            server->out.size - server->out_at, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            server_lost(server, strerror(errno));
            return;
        }
        if (sent < 0)
            break;
        server->out_at += (size_t) sent;
    }
    bool writing = !server->connected || server->out_at < server->out.size;
    if (!writing) {
        server->out_at = 0;
        if (server->out.cap > LINK_KEEP)
            buf_done(&server->out);
        else
            buf_clear(&server->out);
    }
    if (writing != server->writing)
        link_watch(server->fleet, server->fd, EPOLL_CTL_MOD, writing ? EPOLLIN | EPOLLOUT : EPOLLIN,
                   server);
    server->writing = writing;
}

static void server_frame(void *who, const struct frame *frame)
{
    fleet_take(who, frame);
}

static void server_ready(struct fleet_server *server, uint32_t events)
{
    struct fail fail;
    int error = 0;
    socklen_t size = sizeof error;
    if (!server->connected) {
        getsockopt(server->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            server_lost(server, strerror(error));
            return;
        }
        server->connected = true;
    }
    if (events & EPOLLOUT)
        fleet_flush(server);
    if (server->fd < 0 || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    bool open = link_read(server->fd, &server->in);
    const char *wrong = link_frames(&server->in, server_frame, server, &fail);
    if (wrong || !open)
        server_lost(server, wrong ? wrong : "the meta server closed it");
}

void fleet_wait(struct fleet *fleet, int64_t until)
{
    struct epoll_event events[LINK_EVENTS];
    int64_t left = until - fleet_now();
    int timeout = left > 0 ? (int) ((left + 999999) / 1000000) : 0;
    int count = epoll_wait(fleet->epoll, events, LINK_EVENTS, timeout);
    if (count < 0 && errno != EINTR)
        link_stop("epoll");
    for (int i = 0; i < count; i++) {
        char *who = events[i].data.ptr;
        if (!who)
            caller_accept(fleet);
        else if ((uintptr_t) who & 1)
            caller_ready((struct caller *) (void *) (who - 1));
        else
            server_ready((struct fleet_server *) (void *) who, events[i].events);
    }
}
