/* test_zookeeper -- the ZooKeeper store against a real server: what the conformance kit cannot ask,
 * because it is ZooKeeper's alone.  t/test_zookeeper.sh runs it below t/zookeeper.sh.
 */
#include "t/test_zookeeper.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/number.h"
#include "plugin/store_zookeeper.h"

/* -- The server -------------------------------------------------------------------------------- */

static pid_t server_pid(void)
{
    struct buf path = { 0 }, text = { 0 };
    int32_t pid;
    buf_printf(&path, "%s/pid", getenv("ZK_HOME"));
    ck_assert(test_read(path.data, &text));
    ck_assert(number_i32(text.data, strcspn(text.data, "\n"), &pid) && pid > 1);
    buf_done(&path);
    buf_done(&text);
    return pid;
}

void server_pause(void)
{
    ck_assert_int_eq(kill(server_pid(), SIGSTOP), 0);
}

void server_continue(void)
{
    kill(server_pid(), SIGCONT);
}

void server_kill(void)
{
    ck_assert_int_eq(kill(server_pid(), SIGKILL), 0);
}

void server_start(void)
{
    struct buf command = { 0 };
    buf_printf(&command, "exec '%s' --start '%s'", getenv("ZK_SCRIPT"), getenv("ZK_HOME"));
    int status = system(command.data);
    buf_done(&command);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the server does not start");
}

static void server_serve(void)
{
    server_continue();
    if (kill(server_pid(), 0) != 0)
        server_start();
}

static void server_nothing(void)
{
}

TCase *server_case(const char *name)
{
    TCase *tcase = conform_case(name);
    tcase_add_checked_fixture(tcase, server_serve, server_nothing);
    tcase_add_unchecked_fixture(tcase, server_nothing, server_serve);
    return tcase;
}

/* -- Instances --------------------------------------------------------------------------------- */

static void server_options(const char *first, va_list args)
{
    struct buf hosts = { 0 };
    int count = 0;
    buf_printf(&hosts, "hosts=%s", getenv("ZK_HOSTS"));
    bool given = false;
    for (const char *option = first; option; option = va_arg(args, const char *)) {
        given |= strncmp(option, "hosts=", 6) == 0;
        conform.options[count++] = mem_text(option);
    }
    if (given)
        buf_done(&hosts);
    else
        conform.options[count++] = hosts.data;
    conform.options[count] = NULL;
}

static void server_options_done(void)
{
    for (int i = 0; conform.options[i]; i++)
        free(conform.options[i]);
    conform.options[0] = NULL;
}

struct instance *server_instance(const char *first, ...)
{
    va_list args;
    va_start(args, first);
    server_options(first, args);
    va_end(args);
    struct instance *in = instance_new();
    server_options_done();
    return in;
}

struct instance *server_instance_made(const char *first, ...)
{
    va_list args;
    va_start(args, first);
    server_options(first, args);
    va_end(args);
    struct instance *in = instance_make();
    server_options_done();
    return in;
}

void server_ask_lock(struct instance *in, const char *path, const char *value,
                     struct answer *answer)
{
    answer_init(answer);
    store_lock(&in->plugin, path, value, answer_take, answer);
}

void server_ask_lost(struct instance *in, const char *fence, struct answer *answer)
{
    answer_init(answer);
    store_lost(&in->plugin, fence, answer_take, answer);
}

char *server_lock(struct instance *in, const char *path, const char *value)
{
    struct answer answer;
    struct buf fence = { 0 };
    server_ask_lock(in, path, value, &answer);
    answer_wait(&answer);
    ck_assert_msg(answer.status == BR_OK, "%s", answer.text);
    buf_put(&fence, answer.value.data, answer.value.size);
    answer_done(&answer);
    return fence.data;
}

/* -- Bare clients ------------------------------------------------------------------------------ */

static void client_hush(const char *message)
{
    (void) message;
}

/* The context is a pipe's writing end: one byte, whether connected. */
static void client_event(zhandle_t *handle, int type, int state, const char *path, void *context)
{
    int fd = *(int *) context;
    char connected = state == ZOO_CONNECTED_STATE;
    (void) handle, (void) path;
    if (type == ZOO_SESSION_EVENT && (connected || state == ZOO_EXPIRED_SESSION_STATE))
        ck_assert_int_eq(write(fd, &connected, 1), 1);
}

/* Close it whether it connected or not. */
static bool client_open(const clientid_t *id, zhandle_t **ret_client)
{
    static int ends[2];
    char connected;
    ck_assert_int_eq(pipe(ends), 0);
    *ret_client =
        zookeeper_init2(getenv("ZK_HOSTS"), client_event, 10000, id, &ends[1], 0, client_hush);
    ck_assert_ptr_nonnull(*ret_client);
    ck_assert_int_eq(read(ends[0], &connected, 1), 1);
    return connected;
}

zhandle_t *server_client(void)
{
    zhandle_t *client;
    ck_assert(client_open(NULL, &client));
    return client;
}

/* The library may reset its connection before the server has read the goodbye: until the server
 * says that there is no such session. */
static void server_end(zhandle_t *handle)
{
    const clientid_t id = *zoo_client_id(handle);
    zhandle_t *client;
    bool there;
    do {
        there = client_open(&id, &client);
        zookeeper_close(client);
    } while (there);
}

void server_end_session(struct instance *in)
{
    const struct zookeeper *zookeeper = in->plugin.owner.env.self;
    server_end(zookeeper->session->handle);
}

void server_end_reader(struct instance *in, uint32_t reader)
{
    const struct zookeeper *zookeeper = in->plugin.owner.env.self;
    server_end(zookeeper->readers[reader]->handle);
}

int main(void)
{
    char *load[] = { (char *) (uintptr_t) "zookeeper" };
    if (!getenv("ZK_HOSTS")) {
        fprintf(stderr, "SKIPPED: no server: run t/test_zookeeper.sh\n");
        return 77;
    }
    zoo_set_debug_level((ZooLogLevel) 0);
    conform.patience = 15;
    conform_load(1, load, NULL);
    return test_run("zookeeper", zookeeper_option_case(), zookeeper_limit_case(),
                    zookeeper_access_case(), zookeeper_lock_case(), zookeeper_fault_case(),
                    zookeeper_reader_case(), zookeeper_proxy_case(), NULL);
}
