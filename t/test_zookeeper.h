/* test_zookeeper -- what the suites of the ZooKeeper store share: a bare client beside the plugin.
 */
#ifndef T_TEST_ZOOKEEPER_H
#define T_TEST_ZOOKEEPER_H

#define THREADED
#include <zookeeper/zookeeper.h>

#include "t/server.h"

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
