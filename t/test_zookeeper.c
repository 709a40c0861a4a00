/* test_zookeeper -- the ZooKeeper store against a real server: what the conformance kit cannot ask,
 * because it is ZooKeeper's alone.  t/test_zookeeper.sh runs it below t/zookeeper.sh.
 */
#include "t/test_zookeeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/store_zookeeper.h"

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
    server_use("ZK");
    zoo_set_debug_level((ZooLogLevel) 0);
    conform.patience = 15;
    conform_load(1, load, NULL);
    return test_run("zookeeper", zookeeper_option_case(), zookeeper_limit_case(),
                    zookeeper_access_case(), zookeeper_lock_case(), zookeeper_fault_case(),
                    zookeeper_reader_case(), zookeeper_proxy_case(), NULL);
}
