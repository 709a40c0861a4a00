/* zookeeper_proxy -- stands between the store and the real server, and lets one request fail: as a
 * network does, or as a server that refuses.  On a thread of its own.
 *
 * A request that is refused does not reach the server: in its place the proxy asks for something
 * that changes nothing, and puts the error into the answer, which so keeps its place among the
 * others.
 */
#ifndef T_ZOOKEEPER_PROXY_H
#define T_ZOOKEEPER_PROXY_H

#include <stdbool.h>
#include <stdint.h>

/* How the request fails; a positive one is a ZooKeeper error with its sign turned (102: ZNOAUTH).
 */
enum proxy_way {
    PROXY_CUT_REQUEST = 0, /* the connection ends before the server has it */
    PROXY_CUT_REPLY = -1,  /* it ends after the server did it, before anybody hears of it */
};

struct proxy;

/* On a free port of 127.0.0.1, to the server that ZK_HOSTS names. */
struct proxy *proxy_start(void);
void proxy_stop(struct proxy *proxy);
uint16_t proxy_port(const struct proxy *proxy);

/* The `number`th request from now on (from 1; pings are none) fails this way; 0: none does.
 * Requests that begin a session are cut, or left alone; so are batches, whose errors have a form of
 * their own. */
void proxy_fail(struct proxy *proxy, long number, int way);

/* The same for the next authentication. */
void proxy_fail_auth(struct proxy *proxy);

/* Has there been such a request? */
bool proxy_reached(const struct proxy *proxy);

/* End all connections; new ones are welcome. */
void proxy_cut(struct proxy *proxy);

#endif
