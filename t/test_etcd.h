/* test_etcd -- what the suites of the etcd store share: requests beside the plugin. */
#ifndef T_TEST_ETCD_H
#define T_TEST_ETCD_H

#include "plugin/store_etcd.h"
#include "t/server.h"

/* What the gateway answers; json_decref it.  token NULL: none. */
json_t *server_post(const char *what, const char *json, const char *token);

/* Put a key as it stands there, past the store. */
void server_put(const char *key, const char *value);

const struct etcd *server_etcd(const struct instance *in);

/* End the lease of an instance from elsewhere. */
void server_revoke(const struct instance *in);

TCase *etcd_text_case(void);
TCase *etcd_option_case(void);
TCase *etcd_batch_case(void);
TCase *etcd_lock_case(void);
TCase *etcd_fault_case(void);
TCase *etcd_answer_case(void);
TCase *etcd_proxy_case(void);
TCase *etcd_session_case(void);
TCase *etcd_auth_case(void);
TCase *etcd_tls_case(void); /* where ETCD_TLS is set */

#endif
