/* etcd_proxy -- stands between the store and the real server, on the tests' own loop, and lets one
 * request fail: as a network does, or as a server that refuses.
 */
#ifndef T_ETCD_PROXY_H
#define T_ETCD_PROXY_H

#include <stdbool.h>

#include "t/server.h"

enum {
    PROXY_CUT_REQUEST = 0,    /* the connection ends before the server has it */
    PROXY_CUT_REPLY = -1,     /* it ends after the server did it, before anybody hears of it */
    PROXY_SWALLOW = -2,       /* the server does not get it, and nobody hears anything */
    PROXY_PASS = -3,          /* nothing; proxy_before() may do something then */
    PROXY_REPLACE_REPLY = -4, /* the server does it; its answer is another one, with status 200 */
};

#define TXN       "/v3/kv/txn"
#define RANGE     "/v3/kv/range"
#define GRANT     "/v3/lease/grant"
#define KEEPALIVE "/v3/lease/keepalive"

/* Each of its tests has a proxy, on a free port of 127.0.0.1, to the server of t/etcd.sh. */
TCase *proxy_case(const char *name);

/* "hosts=127.0.0.1:port" */
const char *proxy_hosts(void);
/* An instance behind it, with one more option, or NULL. */
struct instance *proxy_instance(const char *option);

/* The `number`th request for `what` ("/v3/kv/txn") from now on (from 1) fails this way: one of
 * those above, or an HTTP status; the latter, and PROXY_REPLACE_REPLY, with this answer. */
void proxy_fail(const char *what, int number, int way, const char *answer);
/* Just before it does. */
void proxy_before(void (*before)(void *arg), void *arg);
/* Has there been such a request? */
bool proxy_reached(void);

/* From now on all connections are cut, or (false) welcome again. */
void proxy_cut(bool cut);

#endif
