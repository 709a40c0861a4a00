/* test_zookeeper -- what the suites of the ZooKeeper store share: the server that t/zookeeper.sh
 * started and what can be done to it, and a bare client beside the plugin.
 */
#ifndef T_TEST_ZOOKEEPER_H
#define T_TEST_ZOOKEEPER_H

#define THREADED
#include <zookeeper/zookeeper.h>

#include "t/conform.h"

/* Before and after each of its tests the server serves, whatever the one before did to it. */
TCase *server_case(const char *name);

void server_pause(void);
void server_continue(void);
void server_kill(void);
void server_start(void); /* again, on the same data; returns when it serves */

/* Open an instance with these options ("key=value", NULL at the end) beside hosts=; the latter does
 * not wait for the start. */
struct instance *server_instance(const char *first, ...);
struct instance *server_instance_made(const char *first, ...);

/* Take the lock and wait for it: the fence, malloc'ed. */
char *server_lock(struct instance *in, const char *path, const char *value);
void server_ask_lock(struct instance *in, const char *path, const char *value,
                     struct answer *answer);
void server_ask_lost(struct instance *in, const char *fence, struct answer *answer);

/* End the session of an instance as its expiry does: by closing it from elsewhere. */
void server_end_session(struct instance *in);
void server_end_reader(struct instance *in, uint32_t reader);

/* A bare client; closed by the caller. */
zhandle_t *server_client(void);

TCase *zookeeper_option_case(void);
TCase *zookeeper_limit_case(void);
TCase *zookeeper_access_case(void);
TCase *zookeeper_lock_case(void);
TCase *zookeeper_fault_case(void);
TCase *zookeeper_reader_case(void);
TCase *zookeeper_proxy_case(void);

#endif
