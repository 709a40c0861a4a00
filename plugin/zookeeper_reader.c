/* zookeeper_reader -- the sessions for reading: see store_zookeeper.h for the rules that keep them
 * from reading behind the present session.
 */
#include "plugin/store_zookeeper.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "host/base/buf.h"

/* -- Closing ---------------------------------------------------------------------------------- */

static struct zookeeper_session **reader_place(const struct zookeeper_session *session)
{
    struct zookeeper *zookeeper = session->env->self;
    for (uint32_t i = 0; i < ZOOKEEPER_READERS_MAX; i++)
        if (zookeeper->readers[i] == session)
            return &zookeeper->readers[i];
    return NULL;
}

void zookeeper_readers_drop(struct br_env *env)
{
    struct zookeeper *zookeeper = env->self;
    for (uint32_t i = 0; i < ZOOKEEPER_READERS_MAX; i++) {
        if (zookeeper->readers[i])
            zookeeper_session_end(zookeeper->readers[i]);
        zookeeper->readers[i] = NULL;
    }
    if (zookeeper->rest)
        br_disarm(env, zookeeper->rest);
    zookeeper->rest = NULL;
}

bool zookeeper_reader_lost(struct zookeeper_session *session)
{
    struct br_env *env = session->env;
    struct zookeeper *zookeeper = env->self;
    struct zookeeper_session **place = reader_place(session);
    if (!place)
        return false;
    *place = NULL;
    zookeeper->readers_barred = br_now(env) + ZOOKEEPER_RETRY_DELAY;
    br_log(env, BR_WARN, "%s: a connection for reading is lost; what it was to read is read again",
           session->hosts);
    zookeeper_session_end(session);
    return true;
}

static void readers_rest(struct br_env *env, void *arg)
{
    struct zookeeper *zookeeper = env->self;
    br_time left = zookeeper->readers_wanted + ZOOKEEPER_READERS_REST - br_now(env);
    uint32_t parts = 0;
    (void) arg;
    zookeeper->rest = NULL;
    for (uint32_t i = 0; i < ZOOKEEPER_READERS_MAX; i++)
        parts += zookeeper->readers[i] ? zookeeper->readers[i]->parts : 0;
    if (left <= 0 && parts == 0)
        zookeeper_readers_drop(env);
    else
        zookeeper->rest =
            br_after(env, left > 0 ? left : ZOOKEEPER_READERS_REST, readers_rest, NULL);
}

/* -- Opening ---------------------------------------------------------------------------------- */

void zookeeper_reader_opened(struct zookeeper_session *session)
{
    if (!reader_place(session))
        zookeeper_session_end(session);
    else if (!session->handle)
        zookeeper_reader_lost(session);
}

/* The server that the handle is connected to, as "host:port"; false: it is not known. */
static bool reader_hosts(zhandle_t *handle, struct buf *hosts)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (!zookeeper_get_connected_host(handle, (struct sockaddr *) &address, &size)
        || getnameinfo((struct sockaddr *) &address, size, host, sizeof host, port, sizeof port,
                       NI_NUMERICHOST | NI_NUMERICSERV)
               != 0)
        return false;
    buf_printf(hosts, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
    return true;
}

void zookeeper_readers_want(struct br_env *env)
{
    struct zookeeper *zookeeper = env->self;
    zhandle_t *handle = zookeeper_handle(zookeeper);
    struct buf hosts = { 0 };
    br_time now = br_now(env);
    zookeeper->readers_wanted = now;
    for (int64_t i = 0; i < zookeeper->read_connections; i++) {
        if (zookeeper->readers[i])
            continue;
        if (!handle || now < zookeeper->readers_barred
            || (!hosts.size && !reader_hosts(handle, &hosts)))
            break;
        zookeeper->readers[i] = zookeeper_session_new(env, hosts.data);
    }
    buf_done(&hosts);
    if (zookeeper->readers[0] && !zookeeper->rest)
        zookeeper->rest = br_after(env, ZOOKEEPER_READERS_REST, readers_rest, NULL);
}

struct zookeeper_session *zookeeper_read_session(const struct zookeeper *zookeeper)
{
    struct zookeeper_session *best = NULL;
    for (uint32_t i = 0; i < ZOOKEEPER_READERS_MAX; i++) {
        struct zookeeper_session *reader = zookeeper->readers[i];
        if (reader && reader->up && (!best || reader->parts < best->parts))
            best = reader;
    }
    if (!zookeeper_handle(zookeeper))
        return NULL;
    return best ? best : zookeeper->session;
}
