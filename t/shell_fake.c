/* shell_fake -- see test_shell.h. */
#include <arpa/inet.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t/test_shell.h"

struct fake_child {
    fake_request *request;
    const void *arg;
};

static void fake_incoming(void *arg, struct rdsn_incoming *incoming)
{
    const struct fake_child *child = arg;
    child->request(incoming, child->arg);
}

/* The child's whole life; never returns. */
static void fake_serve(int to_parent, fake_request *request, const void *arg)
{
    struct fake_child child = { .request = request, .arg = arg };
    struct fail fail = { 0 };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct event_base *base = event_base_new();
    struct rdsn_server *server = rdsn_server_new(
        base, &(struct rdsn_server_options){ .request = fake_incoming, .arg = &child }, &fail);
    if (!server) {
        fprintf(stderr, "%s\n", fail.text);
        _exit(1);
    }
    uint64_t address = rdsn_server_address(server);
    if (write(to_parent, &address, sizeof address) != (ssize_t) sizeof address)
        _exit(1);
    event_base_dispatch(base);
    _exit(0);
}

void fake_start(struct fake *fake, fake_request *request, const void *arg)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    fflush(NULL);
    fake->pid = fork();
    ck_assert_int_ge(fake->pid, 0);
    if (fake->pid == 0)
        fake_serve(fds[1], request, arg);
    close(fds[1]);
    ck_assert_int_eq(read(fds[0], &fake->address, sizeof fake->address),
                     (int) sizeof fake->address);
    close(fds[0]);
    address_format(fake->address, fake->node);
}

void fake_stop(struct fake *fake)
{
    kill(fake->pid, SIGKILL);
    ck_assert_int_eq(waitpid(fake->pid, NULL, 0), fake->pid);
}

void fake_reply(struct rdsn_incoming *incoming, const struct wire_schema *schema,
                const void *response)
{
    struct buf body = { 0 };
    wire_encode(schema, response, WIRE_PEER_26, &body);
    rdsn_server_reply(incoming, "ERR_OK", buf_bytes(&body));
    buf_done(&body);
}

void fake_error(struct rdsn_incoming *incoming, const char *error)
{
    const struct rpc *rpc = rpc_find(incoming->header.rpc_name);
    _Alignas(8) char response[1024];
    if (rpc->response->size > sizeof response)
        abort();
    wire_init(rpc->response, response);
    memcpy(response + rpc->response->fields[0].offset, &error, sizeof error);
    fake_reply(incoming, rpc->response, response);
}

void fake_refused(char node[ADDRESS_TEXT_MAX])
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    socklen_t size = sizeof in;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* bound, never listening */
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *) &in, sizeof in), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *) &in, &size), 0);
    address_format(address_make(INADDR_LOOPBACK, ntohs(in.sin_port)), node);
}

struct ran run_lines(const char *metas, enum wire_peer peer, const char *lines, const char *input)
{
    struct ran ran = { 0 };
    size_t out_size, err_size;
    struct fail fail = { 0 };
    struct shell shell = { 0 };
    char *copy = strdup(lines);
    shell.out = open_memstream(&ran.out, &out_size);
    shell.err = open_memstream(&ran.err, &err_size);
    shell.in = input ? fmemopen((void *) (uintptr_t) input, strlen(input), "r") : NULL;
    shell.session = session_new(metas, peer, &fail);
    ck_assert_msg(shell.session != NULL, "%s", fail.text);
    for (char *at = copy, *end; at; at = end ? end + 1 : NULL) {
        end = strchr(at, '\n');
        if (end)
            *end = '\0';
        ran.status = shell_line(&shell, at);
    }
    session_free(shell.session);
    fclose(shell.out);
    fclose(shell.err);
    if (shell.in)
        fclose(shell.in);
    free(copy);
    return ran;
}

struct ran run_line(const char *metas, enum wire_peer peer, const char *line)
{
    return run_lines(metas, peer, line, NULL);
}

void ran_free(struct ran *ran)
{
    free(ran->out);
    free(ran->err);
}

void check_line(const char *metas, const char *line, int status, const char *out, const char *err)
{
    struct ran ran = run_line(metas, WIRE_PEER_25, line);
    ck_assert_str_eq(ran.err, err);
    ck_assert_str_eq(ran.out, out);
    ck_assert_int_eq(ran.status, status);
    ran_free(&ran);
}
